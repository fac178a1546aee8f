//! Whether there is anything to do for what is in force (SITE.md 2, `installed_if`): which tests the machine is asked for,
//! what they gave, and how old that is. Somebody else looks; here it is only known.

use super::Known;
use crate::clock::Monotonic;
use crate::site::ids::RequestId;
use crate::site::installed::{Finding, Findings, Need, Needed};
use crate::site::instruction::{Entry, Request};
use crate::site::package::InstalledIf;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// What was found is fresh enough to start something by it for this long.
const FRESH: Duration = Duration::from_secs(10);

/// What was found.
#[derive(Default)]
pub(super) struct Looked {
    findings: Arc<Findings>,
    /// By which look, and when that was answered.
    by: BTreeMap<InstalledIf, (u64, Monotonic)>,
    /// Looks are counted; what was asked for last.
    newest: u64,
    /// What is to be asked for next.
    wanted: BTreeSet<InstalledIf>,
    /// What was asked for last has not been answered.
    under_way: bool,
}

impl Known {
    /// What the tests gave.
    pub(super) fn findings(&self) -> Arc<Findings> {
        Arc::clone(&self.looked.findings)
    }

    /// When a request has something to do, by its package; None: always.
    pub(in super::super) fn need_of(&self, id: RequestId) -> Option<&Need> {
        self.instructions.need_of(&id)
    }

    /// The tests of all that may yet run here: what has ended for good has nothing to ask.
    fn tests(&self) -> BTreeSet<InstalledIf> {
        let entries = self.instructions.file.iter().flat_map(|file| &file.requests);
        let open = entries.filter_map(|entry| match entry {
            Entry::Good(request) => Some(request.request_id),
            Entry::Rejected(_) => None,
        });
        let open = open.filter(|id| {
            let newest = self.attempts_of(*id).next_back();
            newest.is_none_or(|row| !row.attempt.state.is_terminal() || row.attempt.retry_at.is_some())
        });
        let open = open.filter_map(|id| self.need_of(id));
        // What a run has to have done is asked when it has ended, although nobody publishes it any more.
        open.chain(self.under_way().filter_map(|row| row.need.as_deref()))
            .map(|need| need.test.clone())
            .collect()
    }

    /// All of them are to be looked at again.
    pub(in super::super) fn want_all_looked_up(&mut self) {
        let tests = self.tests();
        let looked = &mut self.looked;
        looked.by.retain(|test, _| tests.contains(test));
        if looked.findings.keys().any(|test| !tests.contains(test)) {
            Arc::make_mut(&mut looked.findings).retain(|test, _| tests.contains(test));
        }
        looked.wanted.extend(tests);
    }

    /// This one is.
    pub(in super::super) fn want_looked_up(&mut self, test: &InstalledIf) {
        self.looked.wanted.insert(test.clone());
    }

    /// Somebody is looking.
    pub(in super::super) fn is_looking_up(&self) -> bool {
        self.looked.under_way
    }

    /// The number of the next look; what is to be asked for then, once.
    pub(in super::super) fn take_wanted(&mut self) -> (u64, Vec<InstalledIf>) {
        let wanted = std::mem::take(&mut self.looked.wanted);
        if !wanted.is_empty() {
            self.looked.newest += 1;
            self.looked.under_way = true;
        }
        (self.looked.newest, wanted.into_iter().collect())
    }

    /// The number of the look that is asked for next.
    pub(in super::super) fn next_look(&self) -> u64 {
        self.looked.newest + 1
    }

    /// Takes what a look gave; whether anything of it is news.
    pub(in super::super) fn take_findings(
        &mut self,
        found: Vec<(InstalledIf, Finding)>,
        (number, answered): (u64, Monotonic),
    ) -> bool {
        let looked = &mut self.looked;
        looked.under_way = false;
        let mut news = false;
        for (test, finding) in found {
            looked.by.insert(test.clone(), (number, answered));
            if looked.findings.get(&test) != Some(&finding) {
                news = true;
                Arc::make_mut(&mut looked.findings).insert(test, finding);
            }
        }
        news
    }

    /// What this look, or one after it, gave for a test.
    pub(in super::super) fn found_since(&self, test: &InstalledIf, number: u64) -> Option<&Finding> {
        self.looked.by.get(test).filter(|(by, _)| *by >= number)?;
        self.looked.findings.get(test)
    }

    /// Whether what is known of a test is fresh enough to start something by it.
    pub(in super::super) fn is_fresh(&self, test: &InstalledIf) -> bool {
        let mono = self.world.monotonic();
        self.looked.by.get(test).is_some_and(|(_, answered)| mono.since(*answered) <= FRESH)
    }

    /// What has to be looked at before this request may start, where what is known of it is not fresh.
    pub(in super::super) fn stale_test(&self, id: RequestId) -> Option<InstalledIf> {
        let test = &self.need_of(id)?.test;
        (!self.is_fresh(test)).then(|| test.clone())
    }

    /// Whether there is something to do for it, as far as that is known.
    pub(super) fn needed(&self, request: &Request) -> Needed {
        let need = self.need_of(request.request_id);
        need.map_or(Needed::Yes, |need| need.by(self.looked.findings.get(&need.test)))
    }

    /// Whether it was looked at at all.
    pub(super) fn was_looked_up(&self, request: &Request) -> bool {
        let need = self.need_of(request.request_id);
        need.is_none_or(|need| self.looked.findings.contains_key(&need.test))
    }

    /// Whether it has something to do was not looked at yet.
    pub(in super::super) fn is_unlooked(&self, id: Option<RequestId>) -> bool {
        let need = id.and_then(|id| self.need_of(id));
        need.is_some_and(|need| !self.looked.findings.contains_key(&need.test))
    }

    /// The service has that looked at now, or next.
    pub(super) fn is_being_looked_up(&self, id: RequestId) -> bool {
        let need = self.need_of(id).filter(|_| self.service && self.is_unlooked(Some(id)));
        need.is_some_and(|need| self.looked.under_way || self.looked.wanted.contains(&need.test))
    }

    /// Looks, for whoever has nobody else to do that: within its deadline.
    pub(in super::super) fn look_up(&mut self) {
        let (number, tests) = self.take_wanted();
        if tests.is_empty() {
            return;
        }
        let found = self.world.installed(&tests);
        let answered = self.world.monotonic();
        self.take_findings(found, (number, answered));
    }

    /// A view that is made anew keeps what the one before it found.
    pub(super) fn keep_findings_of(&mut self, other: Looked) {
        self.looked = other;
    }
}
