//! Keeping the system from being shut down while a package runs, where it offers that (logind's inhibitors). It is a
//! courtesy: who insists still shuts down, and what then happens to a run is the claim protocol's business.

use super::sys;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A system that said no is asked again after this long.
const AGAIN: Duration = Duration::from_secs(60);

/// Held as long as it is wanted. Asking the system happens in a thread of its own: it may hang.
#[derive(Default)]
pub struct Inhibit {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    wanted: bool,
    asking: bool,
    asked: Option<Instant>,
    held: Option<sys::inhibit::Inhibitor>,
}

impl Inhibit {
    /// Called at every step; whether it is held already or never comes makes no difference to the caller.
    pub fn set(&self, wanted: bool) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.wanted != wanted {
            (state.wanted, state.asked) = (wanted, None);
        }
        if !wanted {
            state.held = None;
            return;
        }
        let early = state.asked.is_some_and(|at| at.elapsed() < AGAIN);
        if state.held.is_some() || state.asking || early {
            return;
        }
        (state.asking, state.asked) = (true, Some(Instant::now()));
        let shared = Arc::clone(&self.state);
        let asked = super::threads::start("inhibit", move || {
            let taken = sys::inhibit::take("pcm", "a package is being installed");
            let mut state = shared.lock().unwrap_or_else(PoisonError::into_inner);
            state.asking = false;
            // The run may have ended meanwhile: then it is given back at once.
            state.held = taken.ok().filter(|_| state.wanted);
        });
        state.asking = asked.is_ok();
    }
}
