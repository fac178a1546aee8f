//! What the executor last said, with its age and with why there is nothing newer. Nothing is ever shown without one of
//! the two.

use crate::clock::Wall;
use crate::error::Failure;
use crate::executor::talk::view::*;
use crate::site::ids::RequestId;
use crate::terms::{Group, Problem, State};
use crate::text::SafeText;
use std::collections::{BTreeMap, HashSet};

/// How many requests' details are kept at most.
const MAX_SHOWN: usize = 64;
/// Without an answer for so many seconds, what is shown is old.
const OLD_AFTER: i64 = 10;

/// A document, or not yet, or not any more.
#[derive(Debug, Clone)]
pub struct Held<T> {
    /// The newest one.
    pub value: Option<T>,
    /// When it came.
    pub at: Option<Wall>,
    /// Why the newest question gave none, and since when that is so.
    pub fault: Option<(Failure, Wall)>,
    /// How many documents came so far: what was worked out of one holds as long as this stays.
    revision: u64,
}

impl<T> Default for Held<T> {
    fn default() -> Self {
        Held { value: None, at: None, fault: None, revision: 0 }
    }
}

impl<T> Held<T> {
    /// Takes an answer; gives back the document that is out of date with it, for whoever has the time to let it go.
    pub fn take(&mut self, answer: Result<T, Failure>, now: Wall) -> Option<T> {
        match answer {
            Ok(value) => {
                let revision = self.revision + 1;
                let next = Held { value: Some(value), at: Some(now), fault: None, revision };
                std::mem::replace(self, next).value
            }
            Err(failure) => {
                // It may have been asked long before it failed: it has been silent since its last answer.
                let since = self.fault.as_ref().map_or(self.at.unwrap_or(now), |(_, since)| *since);
                self.fault = Some((failure, since));
                None
            }
        }
    }

    /// How many documents came so far.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Whether it is too old to be believed without a mark.
    pub fn stale(&self, now: Wall) -> bool {
        self.fault.is_some() || self.at.is_some_and(|at| (now - at).num_seconds() > OLD_AFTER)
    }
}

/// Everything the executor said.
#[derive(Debug, Clone, Default)]
pub struct Data {
    /// All requests.
    pub list: Held<ListDoc>,
    /// The machine at a glance.
    pub status: Held<StatusDoc>,
    /// Who is logged on.
    pub who: Held<WhoDoc>,
    /// Attempts.
    pub history: Held<HistoryDoc>,
    /// Who did what.
    pub audit: Held<AuditDoc>,
    /// The week ahead, as it was last asked for.
    pub week: Held<SimulateDoc>,
    /// The readiness checklist.
    pub check: Held<CheckDoc>,
    /// Details by request.
    shows: BTreeMap<RequestId, Held<ShowDoc>>,
    /// Explanations: only the newest is kept.
    pub explain: Option<(RequestId, Held<ExplainDoc>)>,
    /// Asked for several times a frame and worked out once an answer.
    sums: Sums,
}

/// What is said of all requests together.
#[derive(Debug, Clone, Default)]
struct Sums {
    /// Of what: the revision of the list, and of the status.
    of: (u64, u64),
    /// How many requests are in each group, and how many of them no operator has seen.
    groups: BTreeMap<Group, (usize, usize)>,
    /// The same for attempts that ended without success.
    failed: (usize, usize),
    /// What is announced: its place in the list.
    countdown: Option<usize>,
    /// The problems, worst first, each once: their places among all.
    problems: Vec<usize>,
}

impl Data {
    /// The newest details of a request.
    pub fn shown(&self, request: RequestId) -> Option<&ShowDoc> {
        self.shows.get(&request)?.value.as_ref()
    }

    /// The same with its age.
    pub fn show(&self, request: RequestId) -> Option<&Held<ShowDoc>> {
        self.shows.get(&request)
    }

    /// Takes details of a request.
    pub fn take_show(&mut self, request: RequestId, answer: Result<ShowDoc, Failure>, now: Wall) {
        if self.shows.len() >= MAX_SHOWN && !self.shows.contains_key(&request) {
            let oldest = self.shows.iter().min_by_key(|(_, held)| held.at).map(|(id, _)| *id);
            if let Some(oldest) = oldest {
                self.shows.remove(&oldest);
            }
        }
        self.shows.entry(request).or_default().take(answer, now);
    }

    /// All requests, in the order of the executor.
    pub fn requests(&self) -> &[RequestDoc] {
        self.list.value.as_ref().map_or(&[], |list| &list.requests)
    }

    /// One of them.
    pub fn request(&self, id: RequestId) -> Option<&RequestDoc> {
        self.requests().iter().find(|r| r.request_id == Some(id))
    }

    /// The name of this machine's host; empty: not known yet.
    pub fn host(&self) -> SafeText {
        self.status.value.as_ref().map(|status| status.host.clone()).unwrap_or_default()
    }

    /// A restart that is pending.
    pub fn restart(&self) -> Option<&RestartDoc> {
        self.status.value.as_ref()?.restart.as_ref().filter(|restart| restart.restart_pending)
    }

    /// While a hold is in force: until when.
    pub fn held_until(&self) -> Option<Wall> {
        let status = self.status.value.as_ref().and_then(|s| s.held_until);
        status.or_else(|| self.list.value.as_ref().and_then(|l| l.held_until))
    }

    /// The same with whose it is, and why.
    pub fn hold(&self) -> Option<&HoldDoc> {
        self.status.value.as_ref()?.hold.as_ref()
    }

    /// What is wrong, worst first, each once. Warnings come last.
    pub fn problems(&self) -> Vec<&Problem> {
        let all: Vec<&Problem> = self.all_problems().collect();
        self.sums.problems.iter().filter_map(|at| all.get(*at).copied()).collect()
    }

    /// Whether anything is wrong, with the machine or with a request that is shown as an alarm.
    pub fn has_problems(&self) -> bool {
        self.all_problems().next().is_some() || self.alarming().next().is_some()
    }

    /// Requests that alarm: rejected ones, and what failed or expired and no operator has seen.
    pub fn alarming(&self) -> impl Iterator<Item = &RequestDoc> {
        let alarms = |row: &&RequestDoc| match row.group {
            Group::Rejected => true,
            Group::Expired | Group::Executed => row.is_unseen(),
            Group::Pending | Group::Running | Group::Skipped => false,
        };
        self.requests().iter().filter(alarms)
    }

    /// The same as it comes, some of it twice.
    pub fn all_problems(&self) -> impl Iterator<Item = &Problem> {
        let list = self.list.value.iter().flat_map(|l| &l.problems);
        self.status.value.iter().flat_map(|s| &s.problems).chain(list)
    }

    /// What lists of requests are made of has not changed as long as this has not.
    pub fn revision(&self) -> u64 {
        self.list.revision()
    }

    /// How many requests are in a group.
    pub fn count(&self, group: Group) -> usize {
        self.sums.groups.get(&group).map_or(0, |(all, _)| *all)
    }

    /// How many of them no operator has seen.
    pub fn unseen(&self, group: Group) -> usize {
        self.sums.groups.get(&group).map_or(0, |(_, unseen)| *unseen)
    }

    /// How many attempts ended without success.
    pub fn failed(&self) -> usize {
        self.sums.failed.0
    }

    /// How many of them no operator has seen.
    pub fn unseen_failed(&self) -> usize {
        self.sums.failed.1
    }

    /// The first request that is announced and not launched.
    pub fn countdown(&self) -> Option<&RequestDoc> {
        self.requests().get(self.sums.countdown?)
    }

    /// Works out what is said of all requests together, if any of it may have changed.
    pub fn work_out(&mut self) {
        let of = (self.revision(), self.status.revision());
        if self.sums.of != of {
            self.sums = self.summed(of);
        }
    }

    fn summed(&self, of: (u64, u64)) -> Sums {
        let mut sums = Sums { of, ..Sums::default() };
        for (at, row) in self.requests().iter().enumerate() {
            let unseen = usize::from(row.seen.is_none());
            let counts = sums.groups.entry(row.group).or_default();
            *counts = (counts.0 + 1, counts.1 + unseen);
            if row.state.is_failure() {
                sums.failed = (sums.failed.0 + 1, sums.failed.1 + unseen);
            }
            if row.state == State::Countdown && sums.countdown.is_none() {
                sums.countdown = Some(at);
            }
        }
        let mut known = HashSet::new();
        let all: Vec<&Problem> = self.all_problems().collect();
        let mut once: Vec<usize> = (0..all.len())
            .filter(|at| {
                let p = all[*at];
                known.insert((&p.code, &p.file, p.line, &p.field, &p.message))
            })
            .collect();
        once.sort_by_key(|at| all[*at].severity);
        sums.problems = once;
        sums
    }

    /// Names of those who are logged on and count; None: unknown.
    pub fn users(&self) -> Option<Vec<&SessionDoc>> {
        let who = self.who.value.as_ref()?;
        if who.source == "unknown" {
            return None;
        }
        Some(who.sessions.iter().filter(|s| !s.ignored).collect())
    }

    /// Why the executor gives no answer, and since when.
    pub fn silence(&self) -> Option<(&Failure, Wall)> {
        let (failure, since) = self.list.fault.as_ref().or(self.status.fault.as_ref())?;
        Some((failure, *since))
    }

    /// The machine's id and host, as far as known.
    pub fn machine(&self) -> Option<SafeText> {
        let list = self.list.value.as_ref().and_then(|l| l.machine);
        let id = self.status.value.as_ref().and_then(|s| s.machine).or(list)?;
        Some(SafeText::new(id.as_str()))
    }
}
