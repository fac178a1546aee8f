//! Looks whether packages are installed, on their way: one at a time, by a worker of their own. The loop says when, and an
//! operator's launch waits here for what is found.

use super::Steps;
use crate::clock::{Monotonic, Wall};
use crate::executor::engine::Verified;
use crate::executor::share::installed::LOOK_DEADLINE;
use crate::executor::share::job::{ShareJob, ShareNews, findings};
use crate::service::server::Waiting;
use crate::service::worker::Carrier;
use crate::site::package::InstalledIf;
use crate::text::SafeText;

/// What is being looked at, and who waits for it.
pub struct LookingUp<'a> {
    worker: Box<dyn Carrier + 'a>,
    /// The number of the look that is under way.
    under_way: Option<u64>,
    /// Operators' launches, and the look that each of them waits for.
    asked: Vec<(u64, Launching)>,
}

/// A launch that an operator asked for, and its content where that was verified.
pub struct Launching {
    /// What was asked.
    pub waiting: Waiting,
    /// What came of the verification before.
    pub verified: Option<Verified>,
}

impl<'a> LookingUp<'a> {
    /// By this worker, which has nothing else to do.
    pub fn by(worker: Box<dyn Carrier + 'a>) -> Self {
        Self { worker, under_way: None, asked: Vec::new() }
    }

    /// One is under way.
    pub fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    /// Begins one with this number; false: nobody can look.
    pub fn begin(&mut self, number: u64, tests: Vec<InstalledIf>) -> bool {
        let given = self.worker.give(ShareJob::Installed { tests }, LOOK_DEADLINE);
        self.under_way = given.then_some(number);
        given
    }

    /// It has ended: its number, and when that was.
    pub fn ended(&mut self, mono: Monotonic) -> Option<(u64, Monotonic)> {
        self.under_way.take().map(|number| (number, mono))
    }

    /// An operator's launch waits for the one with this number.
    pub fn ask(&mut self, number: u64, launching: Launching) {
        self.asked.push((number, launching));
    }

    /// Those who have waited for this one, once.
    pub fn take_asked(&mut self, number: u64) -> Vec<Launching> {
        let mine = self.asked.extract_if(.., |(wanted, _)| *wanted <= number);
        mine.map(|(_, launching)| launching).collect()
    }
}

impl Steps<'_> {
    /// Has looked at what is to be looked at, once nothing is under way.
    pub(super) fn look_up(&mut self, now: Wall, mono: Monotonic) {
        if self.looking_up.is_under_way() {
            return;
        }
        let (number, tests) = self.executor.take_wanted();
        if !tests.is_empty() && !self.looking_up.begin(number, tests.clone()) {
            self.take_findings(&tests, Err("nobody can look".into()), (number, mono), now);
        }
    }

    /// What was found: it may be news for what is copied, and an operator may wait for it.
    pub(super) fn take_findings(
        &mut self,
        tests: &[InstalledIf],
        news: Result<ShareNews, SafeText>,
        look: (u64, Monotonic),
        now: Wall,
    ) {
        if self.executor.take_findings(findings(tests, news), look, now) {
            self.stage_anew(now);
        }
        for Launching { waiting, verified } in self.looking_up.take_asked(look.0) {
            let Some(waiting) = self.in_time(waiting, now) else { continue };
            match verified {
                None => self.change_now(waiting, now),
                Some(verified) => {
                    let Waiting { change, actor, answer, .. } = waiting;
                    let _ = answer.send(self.executor.act_proven(&change, &actor, Some(verified), now));
                }
            }
        }
    }

    /// An operator's launch for which it has to be looked first; what is asked comes back where that was done.
    pub(super) fn look_up_for(
        &mut self,
        waiting: Waiting,
        verified: Option<Verified>,
        now: Wall,
    ) -> Option<(Waiting, Option<Verified>)> {
        let Some((id, _)) = waiting.change.what.launches() else { return Some((waiting, verified)) };
        // What a user asks for was admitted.
        let may = waiting.actor.may_operate || waiting.change.what.for_users().is_some();
        if !may || waiting.change.dry_run {
            return Some((waiting, verified));
        }
        let number = match &verified {
            None => self.executor.look_up_anew(id),
            // That took its time, and it was looked before.
            Some(_) => self.executor.look_up_stale(id),
        };
        let Some(number) = number else { return Some((waiting, verified)) };
        self.looking_up.ask(number, Launching { waiting, verified });
        self.look_up(now, self.world.monotonic());
        None
    }
}
