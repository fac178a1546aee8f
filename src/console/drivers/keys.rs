//! Reads keys in a thread of its own: crossterm may spin or hang once the terminal is gone, and then only this thread
//! does, while the main loop sees to the end.

use super::{Input, send, spawn};
use crate::console::app::Event;
use crate::console::keymap::Key;
use crate::text::SafeText;
use ratatui::crossterm::event::{self, Event as Terminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::time::Duration;

/// How soon the thread notices that it is not wanted any more.
const LOOK: Duration = Duration::from_millis(250);

/// Ends the thread when it is dropped.
pub struct Keys {
    stop: Arc<AtomicBool>,
}

impl Drop for Keys {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
    }
}

/// Starts reading.
///
/// # Errors
/// The system has no more threads.
pub fn start(to: &Sender<Input>) -> std::io::Result<Keys> {
    let (to, stop) = (to.clone(), Arc::new(AtomicBool::new(false)));
    let stopped = Arc::clone(&stop);
    spawn("keys", move || {
        while !stopped.load(Ordering::SeqCst) {
            match event::poll(LOOK).and_then(|ready| if ready { event::read().map(Some) } else { Ok(None) }) {
                Ok(None) => {}
                Ok(Some(read)) => {
                    let event = match read {
                        Terminal::Key(key) => Key::of(key).map(Event::Key),
                        Terminal::Paste(text) => Some(Event::Paste(SafeText::new(&text))),
                        Terminal::Resize(width, height) => Some(Event::Resize(width, height)),
                        _ => None,
                    };
                    if event.is_some_and(|event| !send(&to, event)) {
                        return;
                    }
                }
                Err(e) => {
                    tracing::warn!("no more keys: {e}");
                    let _ = to.send(Input::Gone);
                    return;
                }
            }
        }
    })?;
    Ok(Keys { stop })
}
