//! Keys in, screen out: the whole app with a fake executor, drawn to text.
#![allow(clippy::unwrap_used)]

mod afar;
mod answers;
mod by_hand;
mod confirm;
mod edge;
mod evidence;
mod fake;
mod getting_about;
mod hints;
mod hostile;
mod many;
mod matrix;
mod moved;
mod queue;
mod restart;
mod robust;
mod rules;
mod screens;
pub(crate) mod shown;
mod site;
mod stage;
mod told;
mod whole;
