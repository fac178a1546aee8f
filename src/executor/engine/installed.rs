//! Looking whether packages are installed, for whoever acts on it: the service has it done by a worker and takes what came
//! of it, a command waits for it. Nothing starts by what was found long ago, and no run has succeeded that has not done
//! what it had to do.

use super::Executor;
use crate::clock::{Monotonic, Wall};
use crate::decision::Decision;
use crate::executor::history::AttemptRow;
use crate::site::ids::RequestId;
use crate::site::installed::{Finding, Need, Needed};
use crate::site::package::InstalledIf;
use crate::terms::{Gate, Verdict};
use crate::text::SafeText;

impl Executor {
    /// What is to be looked at now, and the number of that look.
    pub fn take_wanted(&mut self) -> (u64, Vec<InstalledIf>) {
        self.known.take_wanted()
    }

    /// All of it is to be looked at again: a look at the share has ended, whatever it brought.
    pub fn look_up_all(&mut self) {
        self.known.want_all_looked_up();
    }

    /// Before this request may start it has to be looked at anew whether there is anything to do; false: that was done.
    pub fn look_up_before(&mut self, request: RequestId) -> bool {
        match self.known.stale_test(request) {
            Some(test) => {
                self.known.want_looked_up(&test);
                true
            }
            None => false,
        }
    }

    /// The same: the number of the look that is waited for. None: that was done.
    pub fn look_up_stale(&mut self, request: RequestId) -> Option<u64> {
        self.look_up_before(request).then(|| self.known.next_look())
    }

    /// The same for an operator, who may have just changed that: the number of the look that is waited for. None: there is
    /// nothing to look at.
    pub fn look_up_anew(&mut self, request: RequestId) -> Option<u64> {
        let test = self.known.need_of(request)?.test.clone();
        self.known.want_looked_up(&test);
        Some(self.known.next_look())
    }

    /// Takes what a look gave; whether anything of it is news.
    pub fn take_findings(
        &mut self,
        found: Vec<(InstalledIf, Finding)>,
        look: (u64, Monotonic),
        now: Wall,
    ) -> bool {
        let news = self.known.take_findings(found, look);
        if news {
            if self.service {
                self.known.expect_copies(now);
            }
            self.note_states(now);
        }
        news
    }

    /// What was found after a run had ended; None: it is being looked at.
    pub(super) fn found_after(&mut self, row: &AttemptRow, need: &Need) -> Option<Finding> {
        let run = row.run();
        let since = match &self.proving {
            Some((proving, since)) if *proving == run => *since,
            Some(_) | None => {
                let since = self.known.next_look();
                self.proving = Some((run, since));
                since
            }
        };
        if let Some(found) = self.known.found_since(&need.test, since) {
            return Some(found.clone());
        }
        // Nobody may have asked yet, or what was found be forgotten.
        if !self.known.is_looking_up() {
            self.known.want_looked_up(&need.test);
        }
        if !self.service {
            self.known.look_up();
        }
        self.known.found_since(&need.test, since).cloned()
    }

    /// Directly before a claim: what was found is fresh, and there is something to do. What an operator runs again has
    /// been attempted, and that is decided by the operator.
    pub(super) fn check_need(&mut self, decision: &Decision, request: RequestId) -> Result<(), SafeText> {
        let Some(need) = self.known.need_of(request).cloned() else { return Ok(()) };
        let closed = |g: &&crate::decision::GateResult| g.gate == Gate::History && g.verdict != Verdict::Pass;
        if decision.gates.iter().any(|gate| closed(&gate)) {
            return Ok(());
        }
        if !self.known.is_fresh(&need.test) {
            if self.service {
                return Err("whether there is anything to do was not looked at for this launch".into());
            }
            self.known.want_looked_up(&need.test);
            self.known.look_up();
        }
        let findings = self.known.facts().installed;
        let found = findings.get(&need.test);
        let words = || found.map(|found| found.words.clone()).unwrap_or_default();
        match need.by(found) {
            Needed::Yes => Ok(()),
            Needed::No => Err(SafeText::new(&format!("there is nothing to do: {}", words()))),
            Needed::Unknown => {
                Err(SafeText::new(&format!("whether it is installed cannot be known: {}", words())))
            }
        }
    }
}
