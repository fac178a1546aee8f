//! `[retention]`: what a machine keeps, and what goes. A helper tells what there is (`share::tidy`); what goes is decided
//! here, where it is known what something needs, and put away in one short step each: nothing that is needed since the
//! helper looked can go. What was put away, and transcripts that are old or too many, the helper removes. Of history itself
//! only the details of old attempts go (`history::folding`).

use super::Executor;
use crate::clock::{Monotonic, Wall};
use crate::decision::SERVICE;
use crate::executor::history::AttemptRow;
use crate::executor::share::job::ShareJob;
use crate::executor::share::tidy::{KeptContent, KeptRun, Tidied, Tidying};
use crate::executor::talk::view::AuditEntryDoc;
use crate::site::instruction::ContentHash;
use crate::site::report;
use crate::text::SafeText;
use chrono::{Datelike as _, NaiveTime, TimeDelta};
use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

/// This many folders are put away at once, so that a step stays short; then the others.
const AT_ONCE: usize = 100;
/// What cannot be removed is said this often.
const FAULT_SAID: Duration = Duration::from_secs(24 * 3600);
/// After a jump of the clock nothing is called old for this long: somebody may yet set it right.
const NOT_OLD: Duration = Duration::from_secs(24 * 3600);

/// However short results are kept on a share, one that has not arrived there is kept so long.
const UNDELIVERED_KEPT: Duration = Duration::from_secs(30 * 86_400);

impl Executor {
    /// What is to be removed and looked at.
    pub fn tidy_job(&self, now: Wall) -> ShareJob {
        let layout = &self.known.layout;
        ShareJob::Tidy(Tidying {
            runs: layout.runs(),
            stage: layout.stage(),
            transcripts: layout.log.join("runs"),
            before: self.old_from(self.known.config().retention.transcripts, now),
            most: self.known.config().retention.transcripts_size,
            open: self.known.under_way().map(AttemptRow::run).chain(self.owed()).collect(),
            state: layout.state.clone(),
            outbox: layout.outbox(),
            log: layout.log.clone(),
        })
    }

    /// The removal of this machine's old results; None where there is nowhere that it may write.
    pub fn old_results_job(&self, now: Wall) -> Option<ShareJob> {
        let machine = self.known.config().machine?;
        let before = self.old_from(self.known.config().retention.results, now)?;
        let (places, trust) = self.known.report_places().ok()?;
        let job = ShareJob::RemoveResults { places, trust, machine, before };
        // What lies there of an earlier life decides whether this history is the whole.
        (!self.known.is_new()).then_some(job)
    }

    /// What is older than this is old; None: the clock is not believed.
    fn old_from(&self, age: Duration, now: Wall) -> Option<Wall> {
        let jumped = self.jumped.is_some_and(|at| self.world.monotonic().since(at) < NOT_OLD);
        if jumped || self.known.clock.suspect_why().is_some() {
            return None;
        }
        TimeDelta::from_std(age).ok().and_then(|age| now.checked_sub_signed(age))
    }

    /// The runs whose result is still to be put into the outbox.
    fn owed(&self) -> Vec<String> {
        let owed = self.history.as_ref().ok().and_then(|history| history.owed().ok());
        owed.unwrap_or_default().into_iter().map(|(run, _)| run).collect()
    }

    /// The clock has jumped.
    pub(super) fn distrust_ages(&mut self, mono: Monotonic) {
        self.jumped = Some(mono);
    }

    /// Puts away what goes of all that was found; whether something was, so that there is something to be removed.
    pub fn take_tidied(&mut self, tidied: &Tidied, now: Wall) -> bool {
        if let Some(fault) = tidied.fault.as_ref().filter(|_| self.journal.once_in(FAULT_SAID, "tidy", now)) {
            self.journal.warning(now, &format!("Not everything that is old can be removed: {fault}"));
        }
        self.give_up_results(now);
        self.space = tidied.space;
        let contents = self.contents_away(&tidied.contents, now);
        let runs = self.runs_away(&tidied.runs, now);
        let more = tidied.all_runs && self.fold_details(&tidied.runs, now);
        for (what, count) in [("transcripts", tidied.transcripts), ("staged packages", contents)] {
            if count > 0 {
                self.journal.info(now, &format!("Removed by [retention]: {count} {what}."));
            }
        }
        contents + runs > 0 || more
    }

    /// Folds the details of old attempts, but for those of which something else is still here; whether there is more of it. By
    /// months, so that one checkpoint is made a month and not one for each attempt that becomes old. What is folded is gone for
    /// good: no clock that is years ahead makes it old before the publisher's has come so far.
    fn fold_details(&mut self, runs: &[KeptRun], now: Wall) -> bool {
        let Some(published) = self.known.published_at() else { return false };
        let old = self.old_from(self.known.config().retention.details, now.min(published));
        let Some(before) = old.and_then(month_of) else { return false };
        let Ok(history) = &mut self.history else { return false };
        let Ok(owed) = history.owed() else { return false };
        let kept: BTreeSet<&str> = owed
            .iter()
            .map(|(run, _)| run.as_str())
            .chain(runs.iter().map(|kept| kept.run.as_str()))
            .collect();
        let needed = |row: &AttemptRow| {
            kept.contains(row.run().as_str())
                || self.world.result_waits(&report::result_name(row.request, row.attempt.number))
        };
        match history.fold(now, before, &needed) {
            Ok(None) => false,
            Ok(Some(done)) => {
                let (more, attempts, events) = (done.more, done.attempts, done.events);
                let known = self.apply(Ok(done.delta));
                let line = format!(
                    "Folded by [retention]: {events} events with the details of {attempts} attempts."
                );
                self.journal.info(now, &line);
                more && known.is_ok()
            }
            Err(e) => {
                self.cannot_put_away("what the history says of old attempts", &e, now);
                let _ = self.apply(Err(e));
                false
            }
        }
    }

    /// A result that could not be delivered for as long as results stay on a share would be removed there as soon as it
    /// arrived. The history has it, and the audit says that it was given up. However short that time is set to be, a share
    /// that is away for some weeks costs none.
    fn give_up_results(&mut self, now: Wall) {
        let kept = self.known.config().retention.results.max(UNDELIVERED_KEPT);
        let Some(old) = self.old_from(kept, now) else { return };
        let mut old = self.world.results_older(old);
        old.retain(|name| !self.not_given_up.contains(name));
        for name in old.into_iter().take(AT_ONCE) {
            let why = format!("{name} could not be delivered for {}", crate::text::duration(kept));
            // First: nothing goes of which nobody would know.
            if !self.audit_given_up(&name, &why, "asked", now) {
                return;
            }
            match self.world.give_up_result(&name) {
                Ok(()) => {
                    self.audit_given_up(&name, &why, "done", now);
                    self.journal.warning(now, &format!("{why}, and is given up; pcm history shows it"));
                }
                // It has arrived in this moment.
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => {
                    self.cannot_put_away(&name, &e, now);
                    // Once in the life of this service: the audit is kept for ever.
                    self.not_given_up.insert(name);
                }
            }
        }
    }

    fn audit_given_up(&mut self, name: &str, why: &str, result: &str, now: Wall) -> bool {
        let run = name.trim_end_matches(".MIF");
        let entry = AuditEntryDoc {
            at: now,
            who: SERVICE.into(),
            uid: None,
            terminal: None,
            from: None,
            verb: "give-up".to_owned(),
            request_id: self.known.snapshot.run(run).map(|row| row.request),
            reason: Some(SafeText::new(why)),
            result: result.into(),
            times: None,
            since: None,
        };
        self.with_history(|history| history.audit(&entry, None)).is_ok()
    }

    fn contents_away(&mut self, kept: &[KeptContent], now: Wall) -> usize {
        let retention = self.known.config().retention.clone();
        let Some(needed) = self.known.needed_content(now) else { return 0 };
        let named: BTreeSet<ContentHash> = self.known.contents().cloned().collect();
        let needs = kept.iter().filter(|content| needed.contains(&content.hash));
        self.needed_bytes = Some(needs.map(|content| content.bytes).sum());
        let old = self.old_from(retention.stage, now);
        let mut away = 0;
        for content in contents_that_go(kept, &needed, &named, old, retention.stage_size) {
            if away == AT_ONCE {
                break;
            }
            match self.world.put_away_content(&content.hash) {
                Ok(()) => {
                    self.known.content.remove(&content.hash);
                    away += 1;
                }
                Err(e) => self.cannot_put_away(content.hash.as_str(), &e, now),
            }
        }
        if away > 0 {
            self.known.find_unstartable();
        }
        away
    }

    fn runs_away(&mut self, kept: &[KeptRun], now: Wall) -> usize {
        let Ok(owed) = self.history.as_ref().map_err(drop).and_then(|history| history.owed().map_err(drop))
        else {
            return 0;
        };
        let owed: BTreeSet<String> = owed.into_iter().map(|(run, _)| run).collect();
        let old = self.old_from(self.known.config().retention.transcripts, now);
        let goes = |kept: &KeptRun| {
            let row = self.known.snapshot.run(&kept.run).filter(|row| row.run() == kept.run)?;
            if !row.attempt.state.is_terminal() {
                return None;
            }
            let ended = row.attempt.ended_at.unwrap_or(row.attempt.claimed_at);
            let is_old = old.is_some_and(|old| ended < old);
            let name = report::result_name(row.request, row.attempt.number);
            let delivered = !owed.contains(&kept.run) && !self.world.result_waits(&name);
            (is_old || delivered && !kept.transcript).then(|| kept.run.clone())
        };
        let away: Vec<String> = kept.iter().filter_map(goes).take(AT_ONCE).collect();
        // A history from before an end is believed for the sake of the exit record in the run's folder, up to the mark. From
        // here on the mark knows the end.
        if !away.is_empty()
            && let Err(e) = self.with_history(|history| history.confirm_mark())
        {
            self.cannot_put_away("runs", &e, now);
            return 0;
        }
        let mut done = 0;
        for run in away {
            match self.world.put_away_run(&run) {
                Ok(()) => done += 1,
                Err(e) => self.cannot_put_away(&run, &e, now),
            }
        }
        done
    }

    fn cannot_put_away(&mut self, what: &str, e: &dyn std::fmt::Display, now: Wall) {
        if self.journal.once_in(FAULT_SAID, what, now) {
            let what = SafeText::new(what);
            self.journal.warning(now, &format!("{what} is kept no longer and cannot be removed: {e}"));
        }
    }
}

/// When its month began.
fn month_of(at: Wall) -> Option<Wall> {
    Some(at.date_naive().with_day(1)?.and_time(NaiveTime::MIN).and_utc())
}

/// What goes of the stage: what no request names once it is old; and above the size the oldest of all that nothing needs,
/// down to it. What something needs stays, however much that is.
fn contents_that_go<'a>(
    kept: &'a [KeptContent],
    needed: &BTreeSet<ContentHash>,
    named: &BTreeSet<ContentHash>,
    old: Option<Wall>,
    most: u64,
) -> Vec<&'a KeptContent> {
    let is_old =
        |content: &KeptContent| old.is_some_and(|old| content.since < old) && !named.contains(&content.hash);
    let free = kept.iter().filter(|content| !needed.contains(&content.hash));
    let (mut goes, mut rest): (Vec<&KeptContent>, Vec<&KeptContent>) =
        free.partition(|content| is_old(content));
    rest.sort_by_key(|content| (content.since, &content.hash));
    let sum =
        |contents: &mut dyn Iterator<Item = &KeptContent>| contents.map(|content| content.bytes).sum::<u64>();
    let mut total = sum(&mut kept.iter()) - sum(&mut goes.iter().copied());
    for content in rest {
        if total <= most {
            break;
        }
        total -= content.bytes;
        goes.push(content);
    }
    goes
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn hash(n: usize) -> ContentHash {
        ContentHash::try_from(format!("{n:064x}")).unwrap()
    }

    fn kept(contents: &[(i64, u64)]) -> Vec<KeptContent> {
        let content = |(n, (day, bytes)): (usize, &(i64, u64))| KeptContent {
            hash: hash(n),
            bytes: *bytes,
            since: Wall::default() + TimeDelta::days(*day),
        };
        contents.iter().enumerate().map(content).collect()
    }

    fn of(numbers: &[usize]) -> BTreeSet<ContentHash> {
        numbers.iter().copied().map(hash).collect()
    }

    fn go(kept: &[KeptContent], needed: &[usize], named: &[usize], old: i64, most: u64) -> Vec<usize> {
        let old = Some(Wall::default() + TimeDelta::days(old));
        let go = contents_that_go(kept, &of(needed), &of(named), old, most);
        go.iter().map(|gone| kept.iter().position(|content| content == *gone).unwrap()).collect()
    }

    #[test]
    fn by_age_goes_what_no_request_names_and_by_size_the_oldest_that_nothing_needs() {
        let kept = kept(&[(1, 10), (9, 10), (2, 10), (3, 10), (1, 10)]);
        let everything: u64 = 50;
        assert_eq!(go(&kept, &[], &[0, 1, 2, 3, 4], 5, everything), [0_usize; 0]);
        assert_eq!(go(&kept, &[], &[0, 1, 2], 5, everything), [3, 4]);
        // Named and done: by size only, the oldest first.
        assert_eq!(go(&kept, &[4], &[0, 1, 2, 3, 4], 5, 30), [0, 2]);
        assert_eq!(go(&kept, &[0, 2, 4], &[0, 1, 2, 3, 4], 5, 0), [3, 1], "what is needed stays");
        // What goes by its age counts.
        assert_eq!(go(&kept, &[], &[0, 1, 2], 5, 30), [3, 4]);
        assert_eq!(go(&kept, &[], &[0, 1, 2], 5, 20), [3, 4, 0]);
        assert!(contents_that_go(&kept, &of(&[]), &of(&[]), None, everything).is_empty(), "no age is known");
    }

    proptest! {
        #[test]
        fn nothing_that_is_needed_goes_and_no_more_than_has_to(
            contents in prop::collection::vec((0i64..10, 0u64..20), 0..12),
            needed in prop::collection::btree_set(0usize..12, 0..6), most in 0u64..100,
        ) {
            let kept = kept(&contents);
            let (needed, all): (Vec<usize>, Vec<usize>) = (needed.into_iter().collect(), (0..12).collect());
            let gone = go(&kept, &needed, &all, 5, most);
            prop_assert!(gone.iter().all(|n| !needed.contains(n)));
            let left: u64 = kept.iter().enumerate().filter(|(n, _)| !gone.contains(n)).map(|(_, c)| c.bytes).sum();
            let free_left = (0..kept.len()).any(|n| !gone.contains(&n) && !needed.contains(&n));
            prop_assert!(left <= most || !free_left);
            if let Some(last) = gone.last() {
                prop_assert!(left + kept[*last].bytes > most, "one more than has to");
            }
        }
    }
}
