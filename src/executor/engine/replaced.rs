//! `pcm site machine replace` (SITE.md 5): the site names a state in this machine's line of its list. A machine whose history
//! of exactly that name is lost, or which has it and another machine reports with its id, goes on once: what is listed counts
//! as done, as an operator's `pcm init --adopt=done` has it.

use super::{Executor, NOT_WRITTEN_SAID};
use crate::clock::Wall;
use crate::executor::history::{By, Cause, Lost};
use crate::site::own_report::OwnReport;
use crate::site::publication::Publication;
use crate::text::SafeText;

impl Executor {
    /// After a look, by what it brought. `reports`: what stands on the shares in this machine's name.
    pub(super) fn obey_the_site(&mut self, reports: &[OwnReport], now: Wall) {
        if self.known.check_footing().is_err() {
            return;
        }
        let Some((state, publication)) = self.known.replaced(now) else { return };
        match &self.history {
            Ok(history) => {
                let named = self.known.snapshot.reported.other.is_some() && history.generation() == state;
                // What cannot be read may say that it was obeyed.
                if named && history.has_obeyed(&state).is_ok_and(|before| !before) {
                    self.keep_id_for_the_site(&state, now);
                }
            }
            Err(lost) if self.is_lost_state(&lost.clone(), reports, &state) => {
                self.adopt_for_the_site(&state, &publication, now);
            }
            Err(_) => {}
        }
    }

    /// Whether this is the name of the history that is lost: its own, or that of an earlier life of this machine, which its
    /// report tells of.
    fn is_lost_state(&self, lost: &Lost, reports: &[OwnReport], state: &str) -> bool {
        let own = || self.world.lost_state().is_some_and(|own| own.as_str() == state);
        let earlier = || {
            let mut written = reports.iter().filter_map(|report| report.written.as_ref());
            written.any(|written| written.state_id.as_str() == state)
        };
        match lost.cause {
            Cause::Lost | Cause::Unseen => own(),
            Cause::Earlier => own() || earlier(),
            Cause::NeverCreated | Cause::Unreadable => false,
        }
    }

    fn keep_id_for_the_site(&mut self, state: &str, now: Wall) {
        // An operator's poll may have brought it: that is another change.
        let call = self.call.take();
        let kept = self.keep_id(true, &By::Site(state), now);
        self.call = call;
        if let Err(failure) = kept {
            self.say_not_obeyed(&failure.to_string(), now);
        }
    }

    fn adopt_for_the_site(&mut self, state: &str, publication: &Publication, now: Wall) {
        let mut listed = self.known.listed();
        listed.sort_unstable();
        listed.dedup();
        match self.world.replace(now, state, &listed, publication) {
            Ok(None) => {}
            Ok(Some(adopted)) => {
                let done = adopted.done;
                let line = format!(
                    "The site lets this machine go on from state {state}; {done} requests count as done."
                );
                self.journal.warning(now, &line);
                for what in &adopted.forgotten {
                    self.journal.warning(now, &format!("It is not known any more {what}."));
                }
                self.reopen(now);
                self.record_publication(now);
                self.note_states(now);
            }
            Err(why) => self.say_not_obeyed(&why, now),
        }
    }

    /// It is tried again with each look.
    fn say_not_obeyed(&mut self, why: &str, now: Wall) {
        let line = format!("The site lets this machine go on, and it does not yet: {}", SafeText::new(why));
        if self.journal.once_in(NOT_WRITTEN_SAID, &line, now) {
            self.journal.error(now, &line);
        }
    }
}
