//! Windows lets only programs with a window keep it from shutting down, so a service cannot. Behind `host::inhibit`.

/// Never held.
pub struct Inhibitor(std::convert::Infallible);

/// Always refused.
pub fn take(_who: &'static str, _why: &'static str) -> Result<Inhibitor, String> {
    Err("Windows offers a service nothing of the kind".to_owned())
}
