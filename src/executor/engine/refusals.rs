//! Changes that accounts without the right ask for: the first ones of each account are entries of the audit, those that
//! follow are counted and folded into one entry now and then, so that nobody can fill the history with them.

use crate::clock::Monotonic;
use crate::executor::talk::view::AuditEntryDoc;
use std::collections::BTreeMap;
use std::time::Duration;

/// So many of an account are entries of their own.
const SINGLE: u64 = 8;
/// Those that follow are one entry after this time, then after twice as long, and so on.
const FIRST_FOLD: Duration = Duration::from_secs(60);
/// Up to this. After as long without one the account begins anew.
const LONGEST_FOLD: Duration = Duration::from_secs(3600);
/// Accounts that are told apart. A user may have thousands of numbers.
const ACCOUNTS: usize = 64;

/// What was refused lately.
#[derive(Default)]
pub(super) struct Refusals(BTreeMap<String, Folded>);

struct Folded {
    single: u64,
    /// Refused and not in the audit yet: the newest of them, with how many and since when.
    waiting: Option<AuditEntryDoc>,
    wait: Duration,
    due: Monotonic,
    newest: Monotonic,
}

impl Refusals {
    /// One more: the entry to be written now, if any.
    pub(super) fn refused(&mut self, mut entry: AuditEntryDoc, now: Monotonic) -> Option<AuditEntryDoc> {
        let mut who = entry.uid.map_or_else(|| entry.who.to_string(), |uid| uid.to_string());
        if self.0.len() >= ACCOUNTS && !self.0.contains_key(&who) {
            who = String::new();
            (entry.who, entry.uid) = ("other accounts".into(), None);
            (entry.terminal, entry.from) = (None, None);
        }
        let folded = self.0.entry(who).or_insert(Folded {
            single: 0,
            waiting: None,
            wait: FIRST_FOLD,
            due: now,
            newest: now,
        });
        folded.newest = now;
        if folded.single < SINGLE {
            folded.single += 1;
            return Some(entry);
        }
        let (times, since) = match &folded.waiting {
            Some(waiting) => (waiting.times.unwrap_or(1) + 1, waiting.since.unwrap_or(waiting.at)),
            None => {
                folded.due = Monotonic(now.0 + folded.wait);
                (1, entry.at)
            }
        };
        (entry.times, entry.since) = (Some(times), Some(since));
        folded.waiting = Some(entry);
        None
    }

    /// The entries that are to be written now; all that wait where `all`.
    pub(super) fn due(&mut self, now: Monotonic, all: bool) -> Vec<AuditEntryDoc> {
        let mut due = Vec::new();
        self.0.retain(|_, folded| {
            if (all || now >= folded.due)
                && let Some(entry) = folded.waiting.take()
            {
                folded.wait = folded.wait.saturating_mul(2).min(LONGEST_FOLD);
                due.push(entry);
            }
            folded.waiting.is_some() || now.since(folded.newest) < LONGEST_FOLD
        });
        due
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::clock::Wall;

    fn entry(uid: u32) -> AuditEntryDoc {
        AuditEntryDoc {
            at: Wall::default(),
            who: "mallory".into(),
            uid: Some(uid),
            terminal: None,
            from: None,
            verb: "hold".into(),
            request_id: None,
            reason: None,
            result: "not-permitted".into(),
            times: None,
            since: None,
        }
    }

    fn at(s: u64) -> Monotonic {
        Monotonic(Duration::from_secs(s))
    }

    #[test]
    fn a_day_of_refusals_is_a_few_entries_that_count_all_of_them() {
        let mut refusals = Refusals::default();
        let (mut asked, mut counted, mut written) = (0, 0, 0);
        for s in 0..86_400 {
            for _ in 0..5 {
                asked += 1;
                if refusals.refused(entry(1000), at(s)).is_some() {
                    (counted, written) = (counted + 1, written + 1);
                }
            }
            for entry in refusals.due(at(s), false) {
                (counted, written) = (counted + entry.times.unwrap(), written + 1);
            }
        }
        counted += refusals.due(at(86_400), true).iter().map(|entry| entry.times.unwrap()).sum::<u64>();
        assert_eq!(counted, asked);
        assert!(written < 40, "{written}");
    }

    #[test]
    fn the_first_of_each_account_are_entries_and_accounts_are_bounded() {
        let mut refusals = Refusals::default();
        let entries: Vec<_> = (0..10_000).filter_map(|uid| refusals.refused(entry(uid), at(0))).collect();
        assert_eq!(entries.len(), ACCOUNTS + SINGLE as usize);
        assert_eq!(entries.last().unwrap().who.as_str(), "other accounts");
        assert_eq!(refusals.due(at(0), true).len(), 1);
        assert_eq!(refusals.due(at(LONGEST_FOLD.as_secs()), false).len(), 0);
        assert!(refusals.0.is_empty(), "who is quiet is forgotten");
    }
}
