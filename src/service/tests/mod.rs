//! The whole service in simulated worlds: `simulation`, where everything fails that can, and `agreement`, where nothing
//! does and what `pcm simulate` said has to come true.

mod agreement;
pub(crate) mod random;
mod simulation;
