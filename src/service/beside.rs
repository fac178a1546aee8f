//! Views that take seconds: simulations, and the check of the chain. They are worked out beside the loop, which has runs to
//! watch: one at a time, an operator's first, and none that nobody waits for.

use super::server::is_over;
use crate::clock::Monotonic;
use crate::decision::simulate::Situation;
use crate::error::{Exit, Failure};
use crate::executor::engine::Known;
use crate::executor::simulate;
use crate::executor::talk::protocol::{Answer, Reply, View, Wanted};
use crate::executor::verify::Chain;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use tokio::sync::oneshot;

/// One of these views on its way, with everything that it needs.
pub struct Errand {
    work: Work,
    answer: oneshot::Sender<Reply>,
    /// Dropped with it.
    under_way: Arc<UnderWay>,
}

enum Work {
    Simulate(Box<Situation>, Wanted),
    Verify(Chain),
}

/// One that was asked for.
pub struct Ordered {
    /// What.
    pub what: Heavy,
    /// Until when its caller waits; None: for ever.
    pub until: Option<Monotonic>,
    /// Whoever asks may operate, and waits for nobody who may not.
    pub operates: bool,
    /// Where the answer goes.
    pub answer: oneshot::Sender<Reply>,
}

/// A view that takes seconds.
pub enum Heavy {
    /// `pcm simulate`
    Simulate(Wanted),
    /// `pcm audit verify`
    Verify,
}

impl Heavy {
    /// The view, where it is one of these; every other one is answered at once.
    pub fn of(view: &View) -> Option<Heavy> {
        match view {
            View::Simulate(wanted) => Some(Heavy::Simulate(wanted.clone())),
            View::AuditVerify => Some(Heavy::Verify),
            View::List
            | View::Show(_)
            | View::Explain(_)
            | View::ExplainJob(_)
            | View::Status
            | View::Who
            | View::History(..)
            | View::Audit(_)
            | View::Offers
            | View::Serials => None,
        }
    }
}

/// The one at a time.
struct UnderWay {
    operates: bool,
    gives_way: AtomicBool,
}

/// What was asked for, and the one that is under way.
#[derive(Default)]
pub struct Beside {
    ordered: VecDeque<Ordered>,
    now: Weak<UnderWay>,
}

impl Errand {
    /// It cannot be run.
    pub fn refuse(self, why: &std::io::Error) {
        let what = format!("the service has no thread for it: {why}");
        let failure = Failure::new(Exit::Failed, "service-busy", what, "Try again");
        let _ = self.answer.send(Err(failure));
    }

    /// Runs it, for up to some seconds, and answers; not longer than somebody waits for it.
    pub fn run(self) {
        let Errand { work, answer, under_way } = self;
        let go_on = || !answer.is_closed() && !under_way.gives_way.load(Ordering::Relaxed);
        let reply = match work {
            Work::Simulate(situation, wanted) => {
                simulate::run(&situation, &wanted, &go_on).map(Answer::Simulate)
            }
            Work::Verify(chain) => chain.verify(&go_on).map(Answer::Verify),
        };
        // Whoever asked may have gone away.
        let _ = answer.send(reply);
    }
}

impl Beside {
    /// Somebody wants one.
    pub fn order(&mut self, ordered: Ordered) {
        self.ordered.push_back(ordered);
    }

    /// The next one; None while there is none, or another is under way. An operator's comes first, and ends one of somebody
    /// who may not operate.
    pub fn next(&mut self, known: &Known, mono: Monotonic) -> Option<Errand> {
        self.ordered.retain(|it| !is_over(it.until, &it.answer, mono));
        let first = self.ordered.iter().position(|it| it.operates).unwrap_or(0);
        let next = self.ordered.get(first)?;
        if let Some(now) = self.now.upgrade() {
            now.gives_way.fetch_or(next.operates && !now.operates, Ordering::Relaxed);
            return None;
        }
        let Ordered { what, operates, answer, .. } = self.ordered.remove(first)?;
        let work = match what {
            Heavy::Simulate(wanted) => Work::Simulate(Box::new(known.situation()), wanted),
            Heavy::Verify => Work::Verify(known.chain()),
        };
        let under_way = Arc::new(UnderWay { operates, gives_way: AtomicBool::new(false) });
        self.now = Arc::downgrade(&under_way);
        Some(Errand { work, answer, under_way })
    }
}
