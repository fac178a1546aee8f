//! Asks the executor. Views, actions and the checklist have a thread each: what hangs on a share keeps no other waiting.

use super::{Incoming, send};
use crate::console::app::Event;
use crate::console::threads::spawn;
use crate::executor::ask::{AskAll, Question};
use crate::executor::talk::protocol::{Reply, View};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

/// An answer that took longer is told.
const SLOW: Duration = Duration::from_millis(1500);

/// Where questions go.
pub struct Asker {
    views: Sender<(u64, Question)>,
    /// What takes seconds of a processor, or looks at the share itself, keeps no view waiting either.
    slow: Sender<(u64, Question)>,
    actions: Sender<(u64, Question)>,
}

impl Asker {
    /// Starts the threads; answers come as events.
    ///
    /// # Errors
    /// The system has no more threads.
    pub fn start(ask: &Arc<dyn AskAll>, to: &Sender<Incoming>) -> std::io::Result<Asker> {
        Ok(Asker {
            views: lane("views", ask, to)?,
            slow: lane("slow", ask, to)?,
            actions: lane("actions", ask, to)?,
        })
    }

    /// Asks; never waits.
    pub fn ask(&self, id: u64, question: Question) {
        let lane = match &question {
            Question::View(View::Simulate(_)) | Question::Check => &self.slow,
            Question::View(_) => &self.views,
            Question::Change(_) => &self.actions,
        };
        // A lane that has ended ended the console with it.
        let _ = lane.send((id, question));
    }
}

/// What views ask every second is only worth a word when it fails or takes long.
fn told(question: &Question, answer: &Reply, took: Duration) {
    let what = question.verb();
    match answer {
        Err(e) => tracing::warn!("{what}: {e}"),
        Ok(_) if took > SLOW => tracing::warn!("{what}: answered after {} ms", took.as_millis()),
        Ok(_) if question.changes() => tracing::info!("{what}: answered after {} ms", took.as_millis()),
        Ok(_) => tracing::trace!("{what}: answered after {} ms", took.as_millis()),
    }
}

fn lane(
    name: &str,
    ask: &Arc<dyn AskAll>,
    to: &Sender<Incoming>,
) -> std::io::Result<Sender<(u64, Question)>> {
    let (questions, asked) = channel::<(u64, Question)>();
    let (ask, to) = (Arc::clone(ask), to.clone());
    spawn(name, move || {
        for (id, question) in asked {
            let since = Instant::now();
            let answer = ask.ask(&question);
            told(&question, &answer, since.elapsed());
            if !send(&to, Event::Answered { id, answer }) {
                return;
            }
        }
    })?;
    Ok(questions)
}
