//! `pcm site machine replace` (SITE.md 5): the site names a state in this machine's line of its list. A machine whose history
//! of exactly that name is lost, or which has it and another machine reports with its id, goes on once: what is listed counts
//! as done, as an operator's `pcm init --adopt=done` has it.

use super::lone::May;
use super::{Executor, NOT_WRITTEN_SAID};
use crate::clock::Wall;
use crate::executor::history::{By, Cause};
use crate::site::publication::Publication;
use crate::text::SafeText;

/// Why the site's word is not meant for this machine.
const OTHER: &str =
    "another machine keeps this id; where this one is to have it, say so here: pcm init --adopt";

/// Why it is not known yet that it is.
const NOT_HERE: &str = "its own report has to stand on the share for two polls first. If another machine's report stays there, \
                        switch that machine off and remove the report, or say here: pcm init --adopt";

impl Executor {
    /// After a look, by what it brought.
    pub(super) fn obey_the_site(&mut self, now: Wall) {
        if self.known.check_footing().is_err() {
            return;
        }
        let Some((state, publication)) = self.known.replaced(now) else { return };
        match &self.history {
            Ok(history) => {
                let other =
                    self.known.snapshot.reported.other.as_ref().filter(|_| history.generation() == state);
                // What cannot be read may say that it was obeyed.
                let Some(other) = other.filter(|_| history.has_obeyed().is_ok_and(|before| !before)) else {
                    return;
                };
                // Copies of one machine have one state, and one of them obeys: the one whose report the site has read, which
                // stands on the share again when it names what the site says.
                match (other.decided, self.is_the_one_that_reports(&publication)) {
                    (true, _) => self.say_not_obeyed(OTHER, now),
                    (false, false) => self.say_not_obeyed(NOT_HERE, now),
                    (false, true) => self.keep_id_for_the_site(&state, now),
                }
            }
            Err(lost) => match lost.cause {
                // What an earlier life of this machine was named says nothing: a live one may have that name.
                // Copies that have all lost their history have one state, too.
                Cause::Lost | Cause::Unseen | Cause::Earlier
                    if self.world.lost_state().is_some_and(|own| own.as_str() == state) =>
                {
                    match self.lone.may(&publication) {
                        May::GoOn => self.adopt_for_the_site(&state, &publication, now),
                        May::NotYet => self.say_not_obeyed(NOT_HERE, now),
                        May::Never => self.say_not_obeyed(OTHER, now),
                    }
                }
                Cause::Lost | Cause::Unseen | Cause::Earlier | Cause::NeverCreated | Cause::Unreadable => {}
            },
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
            // Somebody put it right meanwhile: the next look at it opens it.
            Ok(None) => {}
            Ok(Some(adopted)) => {
                let done = adopted.done;
                let line = format!(
                    "The site lets this machine go on from state {state}; {done} requests count as done."
                );
                self.journal.warning(now, &line);
                for what in &adopted.forgotten {
                    self.journal.warning(now, &format!("pcm no longer knows {what}."));
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
