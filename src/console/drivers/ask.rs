//! Asks the executor. Views and actions have a thread each: a view that hangs on a share keeps no action waiting.

use super::{Input, send, spawn};
use crate::console::app::Event;
use crate::executor::client::Ask;
use crate::executor::protocol::Call;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

/// Where questions go.
pub struct Asker {
    views: Sender<(u64, Call)>,
    actions: Sender<(u64, Call)>,
}

impl Asker {
    /// Starts the threads; answers come as events.
    ///
    /// # Errors
    /// The system has no more threads.
    pub fn start(ask: &Arc<dyn Ask>, to: &Sender<Input>) -> std::io::Result<Asker> {
        Ok(Asker { views: lane("views", ask, to)?, actions: lane("actions", ask, to)? })
    }

    /// Asks; never waits.
    pub fn ask(&self, id: u64, call: Call) {
        let lane = if call.changes() { &self.actions } else { &self.views };
        // A lane that has ended ended the console with it.
        let _ = lane.send((id, call));
    }
}

fn lane(name: &str, ask: &Arc<dyn Ask>, to: &Sender<Input>) -> std::io::Result<Sender<(u64, Call)>> {
    let (questions, asked) = channel::<(u64, Call)>();
    let (ask, to) = (Arc::clone(ask), to.clone());
    spawn(name, move || {
        for (id, call) in asked {
            let answer = ask.call(&call);
            if !send(&to, Event::Answered { id, answer }) {
                return;
            }
        }
    })?;
    Ok(questions)
}
