//! The console's edge: threads that carry out effects and report events. None of them waits for another, so nothing
//! blocks the keys.

pub mod afar;
pub mod ask;
pub mod clipboard;
pub mod evidence;
mod fetch;
pub mod keys;
pub mod logs;
pub mod rollout;
pub mod save;
pub mod transcript;
pub mod whole;

use super::threads::spawn;
use crate::console::app::Event;
use crate::executor::talk::protocol::Answer;
use std::sync::mpsc::{Sender, channel};

/// What reaches the main loop.
#[derive(Debug)]
pub enum Incoming {
    /// Something for the app.
    Event(Event),
    /// The terminal is gone.
    Gone,
    /// End in order.
    Terminate,
    /// The process was stopped and continued by others.
    Continued,
    /// The terminal has another size.
    Resized,
    /// The last frame has gone out.
    Out,
}

/// A thread that lets go of documents: what took many allocations to build takes as long to give back.
///
/// # Errors
/// The system has no more threads.
pub fn discard() -> std::io::Result<Sender<Box<Answer>>> {
    let (to, old) = channel();
    spawn("discard", move || old.into_iter().for_each(drop))?;
    Ok(to)
}

/// Sends an event; false once nobody listens any more.
pub fn send(to: &Sender<Incoming>, event: Event) -> bool {
    to.send(Incoming::Event(event)).is_ok()
}
