//! What is held of the history while it is open. It is read once; from then on each transition names its change, and
//! applying that comes to the same as reading everything anew.

use super::reported::Reported;
use super::rows::{AttemptRow, DeferralRow};
use crate::clock::Wall;
use crate::decision::{Deferrals, HistoryView, Hold, Queued, RestartOrder};
use crate::site::ids::{JobId, RequestId};
use crate::site::publication::Publication;
use crate::terms::{Group, State};
use crate::text::SafeText;
use chrono::SubsecRound as _;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// An operator has seen this end of a request: a further attempt, or another state, is news again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledged {
    /// In which state it was.
    pub state: State,
    /// Its newest attempt; 0: none.
    pub attempt: u32,
    /// The operator.
    pub by: SafeText,
    /// When.
    pub at: Wall,
}

/// All that count.
pub type AllAcknowledged = BTreeMap<RequestId, Acknowledged>;

/// What the executor decides on and what the views show.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Snapshot {
    /// For the decision core.
    pub view: HistoryView,
    /// Since when each request is in its state, as far as it was seen.
    pub since: BTreeMap<RequestId, (State, Wall)>,
    /// The highest publication that this machine has ever taken.
    pub highest: Option<Publication>,
    /// What operators have seen of what expired or failed.
    pub acknowledged: AllAcknowledged,
    /// What this machine has reported.
    pub reported: Reported,
    /// All deferrals by request, oldest first.
    deferrals: BTreeMap<RequestId, Vec<DeferralRow>>,
    /// All attempts by request, in the order of their numbers; those that have ended without their run host. `view` shares
    /// with each what decisions see of it.
    rows: BTreeMap<RequestId, Vec<AttemptRow>>,
    /// Those that have not ended.
    open: BTreeSet<(RequestId, u32)>,
}

/// What a transition has changed, to be applied to the snapshot that is held.
#[must_use = "what is held no longer says what the history says"]
#[derive(Debug, Clone, PartialEq)]
pub enum Delta {
    /// Nothing but the chain.
    Nothing,
    /// An attempt, as it is now.
    Attempt(AttemptRow),
    /// A new attempt; its request waits in the queue no more.
    Claimed(AttemptRow),
    /// Attempts whose details were folded, as they are now.
    Folded(Vec<AttemptRow>),
    /// An operator's run waits in the queue.
    Queued(Queued),
    /// An operator's run waits in the place of another of its request.
    Requeued(Queued),
    /// The run of this request was taken out of the queue.
    Unqueued(RequestId),
    /// The deferral of a request that was in force has ended, and this one, if any, took its place.
    Deferral {
        /// Which request.
        request: RequestId,
        /// When the one before ended.
        at: Wall,
        /// The new one.
        set: Option<DeferralRow>,
    },
    /// The hold.
    Hold(Option<Hold>),
    /// What an operator said about a restart.
    Restart(RestartOrder),
    /// The highest publication.
    Publication(Publication),
    /// All jobs that were ever cancelled.
    Cancelled(BTreeSet<JobId>),
    /// What operators have seen.
    Acknowledged(AllAcknowledged),
    /// What is known of this machine's reports.
    Reported(Reported),
    /// This machine is the one with its id; these requests count as done.
    OneMachine {
        /// When.
        at: Wall,
        /// What is known of its reports.
        reported: Reported,
        /// Which requests.
        done: Vec<RequestId>,
    },
    /// The states in which requests were seen.
    Seen(Wall, Vec<(RequestId, State)>),
}

impl Snapshot {
    /// All attempts, by request and in the order of their numbers.
    pub fn attempts(&self) -> impl Iterator<Item = &AttemptRow> {
        self.rows.values().flatten()
    }

    /// The attempts of a request, oldest first. Views ask for each of a thousand requests, so it looks at no others.
    pub fn attempts_of(&self, request: RequestId) -> impl DoubleEndedIterator<Item = &AttemptRow> {
        self.rows.get(&request).into_iter().flatten()
    }

    /// One attempt.
    pub fn attempt(&self, request: RequestId, number: u32) -> Option<&AttemptRow> {
        self.attempts_of(request).rfind(|row| row.attempt.number == number)
    }

    /// The attempt of a run by the run's name, `<RequestID>-<attempt>`.
    pub fn run(&self, name: &str) -> Option<&AttemptRow> {
        let (request, number) = name.rsplit_once('-')?;
        self.attempt(request.parse().ok()?, number.parse().ok()?)
    }

    /// The attempts that have not ended: one at most, where nobody else wrote into the history.
    pub fn open(&self) -> impl Iterator<Item = &AttemptRow> {
        self.open.iter().filter_map(|(request, number)| self.attempt(*request, *number))
    }

    /// All attempts, newest first; those of one request always against the order of their numbers.
    pub fn newest_first(&self) -> Vec<&AttemptRow> {
        let mut places = Vec::new();
        for rows in self.rows.values() {
            // Setting the clock back between two attempts has not made the later one the earlier.
            let mut place = Wall::MIN_UTC;
            for row in rows {
                place = place.max(row.attempt.claimed_at);
                places.push((place, row));
            }
        }
        places.sort_by_key(|(place, row)| (*place, row.request, row.attempt.number));
        places.into_iter().rev().map(|(_, row)| row).collect()
    }

    /// The deferrals of a request, oldest first.
    pub fn deferrals_of(&self, request: RequestId) -> impl Iterator<Item = &DeferralRow> {
        self.deferrals.get(&request).into_iter().flatten()
    }

    /// Takes over what a transition has changed.
    pub fn apply(&mut self, change: Delta) {
        match change {
            Delta::Nothing => {}
            Delta::Attempt(row) => self.put(row),
            Delta::Claimed(row) => {
                self.unqueue(row.request);
                self.put(row);
            }
            Delta::Folded(rows) => rows.into_iter().for_each(|row| self.put(row)),
            Delta::Queued(queued) => self.view.queue.push(queued),
            Delta::Requeued(queued) => {
                let own = self.view.queue.iter_mut().filter(|other| other.request == queued.request);
                own.for_each(|other| other.clone_from(&queued));
            }
            Delta::Unqueued(request) => self.unqueue(request),
            Delta::Deferral { request, at, set } => self.defer(request, at, set),
            Delta::Hold(hold) => self.view.hold = hold,
            Delta::Restart(order) => self.view.restart = Some(order),
            Delta::Publication(highest) => self.highest = Some(highest),
            Delta::Cancelled(all) => self.view.cancelled = all,
            Delta::Acknowledged(all) => self.acknowledged = all,
            Delta::Reported(reported) => self.report(reported),
            Delta::OneMachine { at, reported, done } => {
                self.report(reported);
                self.view.adopted.extend(done.into_iter().map(|request| (request, stored(at))));
            }
            Delta::Seen(at, states) => {
                for (request, state) in states {
                    if self.since.get(&request).is_none_or(|(before, _)| *before != state) {
                        self.since.insert(request, (state, stored(at)));
                    }
                }
            }
        }
    }

    fn report(&mut self, reported: Reported) {
        self.view.two_machines = reported.other.as_ref().map(|other| other.why.clone());
        self.reported = reported;
    }

    /// Shows another start of an attempt than the one that is recorded, until the attempt changes or all is read anew: the
    /// clock was set since.
    pub fn show_start(&mut self, request: RequestId, number: u32, started: Wall) {
        if let Some(mut row) = self.attempt(request, number).cloned() {
            Arc::make_mut(&mut row.attempt).started_at = Some(started);
            self.put(row);
        }
    }

    /// Puts an attempt into its place, or in the place of what was known of it. Everything that ever ran is held here: what
    /// has ended is held without its run host, which nobody asks for any more, and in no more room than it takes.
    pub(super) fn put(&mut self, mut row: AttemptRow) {
        let key = (row.request, row.attempt.number);
        if row.attempt.state.group() == Group::Running {
            self.open.insert(key);
        } else {
            self.open.remove(&key);
            row.host = None;
        }
        let seen = self.view.attempts.entry(row.request).or_default();
        let rows = self.rows.entry(row.request).or_default();
        match rows.binary_search_by_key(&row.attempt.number, |row| row.attempt.number) {
            Ok(at) => {
                seen[at] = Arc::clone(&row.attempt);
                rows[at] = row;
            }
            Err(at) => {
                make_room(seen);
                make_room(rows);
                seen.insert(at, Arc::clone(&row.attempt));
                rows.insert(at, row);
            }
        }
    }

    fn unqueue(&mut self, request: RequestId) {
        self.view.queue.retain(|queued| queued.request != request);
    }

    /// Adds a deferral to those that are known.
    pub(super) fn put_deferral(&mut self, row: DeferralRow) {
        let sum = self.view.deferrals.entry(row.request).or_default();
        let rows = self.deferrals.entry(row.request).or_default();
        // The one before was ended by this one, not undone.
        if rows.last().is_some_and(|last| was_undone(last) && last.ended_at == Some(row.at)) {
            sum.count += 1;
        }
        count(sum, &row);
        rows.push(row);
    }

    fn defer(&mut self, request: RequestId, at: Wall, set: Option<DeferralRow>) {
        let mut rows = self.deferrals.remove(&request).unwrap_or_default();
        for row in rows.iter_mut().filter(|row| row.ended_at.is_none()) {
            row.ended_at = Some(stored(at));
        }
        rows.extend(set.map(|row| DeferralRow { at: stored(row.at), until: stored(row.until), ..row }));
        self.view.deferrals.remove(&request);
        rows.into_iter().for_each(|row| self.put_deferral(row));
    }
}

/// For one more: a vector that grows by itself takes room for four at once, and nearly every request has one attempt. The
/// quarter keeps those short that have thousands.
fn make_room<T>(all: &mut Vec<T>) {
    if all.len() == all.capacity() {
        all.reserve_exact(1 + all.len() / 4);
    }
}

/// Whether a deferral was ended before its time.
fn was_undone(row: &DeferralRow) -> bool {
    row.ended_at.is_some_and(|at| at < row.until)
}

/// Adds a deferral to the sum of those of its request. An undone one counts for the time it was in force, one in force
/// for all of it.
fn count(sum: &mut Deferrals, row: &DeferralRow) {
    let until = row.ended_at.unwrap_or(row.until).min(row.until);
    sum.count += u32::from(!was_undone(row));
    sum.total_s += u64::try_from((until - row.at).num_seconds()).unwrap_or(0);
    if row.ended_at.is_none() {
        sum.until = Some(row.until);
        sum.by = row.who.clone();
        sum.reason = row.reason.clone();
    }
}

/// A time as the columns of the database keep it.
fn stored(at: Wall) -> Wall {
    at.trunc_subsecs(3)
}
