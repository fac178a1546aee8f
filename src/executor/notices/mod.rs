//! What `[notify] command` is told: the events, the document that it reads, and the queue of what is still to be told. Pure,
//! but for `command`, which runs it. The queue is kept on disk, so that nothing is told twice and nothing is lost when the
//! service starts again.

pub mod command;
mod document;
mod entry;
#[cfg(test)]
mod tests;

use crate::clock::{Monotonic, Wall};
use crate::site::content;
use crate::site::ids::{JobId, PackageId, RequestId};
use crate::terms::{State, words};
use crate::text::{SafeText, duration};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

words!(
    /// What an operator would want to be woken for.
    Event {
        /// A package ran and failed, or took too long.
        Failed = "failed",
        /// Nobody knows how a package ended.
        Interrupted = "interrupted",
        /// A mandatory request expired and never ran.
        Missed = "missed",
        /// The history is lost: nothing runs by itself.
        HistoryLost = "history-lost",
        /// Another machine reports as this one.
        TwoMachines = "two-machines",
        /// A share offers only what is older than what was in force.
        Rollback = "rollback",
        /// Files of a package are not those that were published.
        ContentMismatch = "content-mismatch",
        /// Results or report do not reach the share.
        Undelivered = "undelivered",
        /// There is hardly any room where the state folder is.
        DiskLow = "disk-low",
        /// A hold has been in force for a long time.
        HeldTooLong = "held-too-long",
    }
);

impl Event {
    /// When it is told.
    pub const fn words(self) -> &'static str {
        match self {
            Event::Failed => "a package ran and failed, or took longer than it may",
            Event::Interrupted => "nobody knows how a package ended",
            Event::Missed => "a mandatory request expired and never ran",
            Event::HistoryLost => "the history of this machine is lost, so nothing runs by itself",
            Event::TwoMachines => {
                "another machine reports with the id of this one, so nothing runs by itself"
            }
            Event::Rollback => "a share offers only what is older than what was in force",
            Event::ContentMismatch => "the files of a package are not those that were published",
            Event::Undelivered => "results or report do not reach the share",
            Event::DiskLow => "less than 100 MB are free where the state folder is",
            Event::HeldTooLong => "a hold has been in force for a day",
        }
    }
}

/// So many are told one by one; more at once are told in one call.
const SINGLY: usize = 3;
/// So many calls are made within [`WINDOW`] at most; what comes then waits, and is told together.
const CALLS: usize = 4;
const WINDOW: Duration = Duration::from_secs(600);
/// What waits to be told; beyond it events are counted only.
const MOST: usize = 200;
/// A notice is given up after so many calls that failed.
const TRIES: u8 = 3;
/// From a call that failed to the next: at first, after two in a row, and after more of them where numbers alone are left.
const AGAIN: [Duration; 3] = [Duration::from_secs(60), Duration::from_secs(600), Duration::from_secs(3600)];
/// Occurrences that are remembered as told. More of one kind at once are not told apart.
const MOST_TOLD: usize = 2_000;
/// The longest message, in characters.
const MESSAGE: usize = 1_000;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Which.
    pub event: Event,
    /// What it happened to, so that it can be told from another of its kind: a run, a file, a package.
    pub of: SafeText,
    /// When it was seen.
    pub at: Wall,
    /// The request that it is about.
    pub request_id: Option<RequestId>,
    /// Its job.
    pub job_id: Option<JobId>,
    /// Its package.
    pub package_id: Option<PackageId>,
    /// The package's name.
    pub package: Option<SafeText>,
    /// Which attempt.
    pub attempt: Option<u32>,
    /// The request's state.
    pub state: Option<State>,
    /// In words.
    pub message: SafeText,
    /// How often a call failed that carried it.
    #[serde(default)]
    pub tries: u8,
}

impl Notice {
    /// One that is about no request.
    pub fn new(event: Event, of: &str, message: &str, at: Wall) -> Notice {
        let short = |text: &str| match text.char_indices().nth(MESSAGE) {
            Some((end, _)) => SafeText::of(format!("{}…", &text[..end])),
            None => SafeText::new(text),
        };
        Notice {
            event,
            of: short(of),
            at,
            request_id: None,
            job_id: None,
            package_id: None,
            package: None,
            attempt: None,
            state: None,
            message: short(message),
            tries: 0,
        }
    }
}

/// Something that is so for as long as it is so, and was told.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Occurrence {
    /// Which.
    pub event: Event,
    /// What it happened to.
    pub of: String,
}

impl From<&Notice> for Occurrence {
    fn from(notice: &Notice) -> Occurrence {
        Occurrence { event: notice.event, of: notice.of.to_string() }
    }
}

/// Why nobody could be told at the newest try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Since when no call has succeeded.
    pub since: Wall,
    /// Why not.
    pub why: SafeText,
}

/// How many of each kind.
pub type Counts = BTreeMap<Event, u64>;

/// What is still to be told, and what was.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Queue {
    /// The oldest first; those of the call that is under way are the first ones.
    pending: VecDeque<Notice>,
    /// What is so and was told.
    told: BTreeSet<Occurrence>,
    /// What is told by its number alone.
    dropped: Counts,
    fault: Option<Fault>,
    /// How many calls in a row have failed.
    failures: u32,
    /// The SHA-256 of what is called; kept, so that a service that starts knows whether it was mended meanwhile. Not the words:
    /// there may be a secret among them. Empty: of a version that did not keep it, or nothing was called yet.
    command_sha256: String,
    /// Its program, for the log.
    #[serde(skip)]
    program: String,
    /// How many notices the call carries that is under way, and what it says was dropped.
    #[serde(skip)]
    carried: Option<(usize, Counts)>,
    /// When the newest calls were made.
    #[serde(skip)]
    calls: VecDeque<Monotonic>,
    #[serde(skip)]
    not_before: Monotonic,
    /// The same for numbers alone.
    #[serde(skip)]
    counts_not_before: Monotonic,
    /// It differs from what is kept.
    #[serde(skip)]
    changed: bool,
}

/// None of the words has a zero byte.
fn hash_of(command: &[String]) -> String {
    let words: Vec<u8> = command.iter().flat_map(|word| word.bytes().chain([0])).collect();
    content::hash_bytes(&words).as_str().to_owned()
}

/// What became of a call that failed.
#[derive(Debug, PartialEq, Eq)]
pub struct Failed {
    /// So many of its notices are told again.
    pub again: usize,
    /// When the next call is made, unless more happens before.
    pub after: Duration,
    /// So many were given up, and are told by their number.
    pub given_up: usize,
}

impl Queue {
    /// As it was kept. What cannot be read was never kept.
    pub fn kept(bytes: &[u8]) -> Queue {
        let queue: Queue = serde_json::from_slice(bytes).unwrap_or_default();
        // The version before kept the words of the command, which may be secrets: they go also where nobody is told any more.
        let has_words = memchr::memmem::find(bytes, b"\"command\":").is_some();
        Queue { changed: has_words, ..queue }
    }

    /// What has to be kept, if it changed since this was last asked.
    pub fn changed_bytes(&mut self) -> Option<Vec<u8>> {
        std::mem::take(&mut self.changed).then(|| serde_json::to_vec(self).ok()).flatten()
    }

    /// It could not be kept.
    pub fn not_kept(&mut self) {
        self.changed = true;
    }

    /// Why nobody could be told at the newest try.
    pub fn fault(&self) -> Option<&Fault> {
        self.fault.as_ref()
    }

    /// What waits to be told.
    #[cfg(test)]
    pub fn waiting(&self) -> usize {
        self.pending.len()
    }

    /// Takes what has happened. A request's event that waits already is the same one: it was kept, and the service ended before
    /// it was recorded.
    pub fn push(&mut self, notice: Notice) {
        let same = |other: &Notice| (other.event, &other.of) == (notice.event, &notice.of);
        if notice.request_id.is_some() && self.pending.iter().any(same) {
            return;
        }
        self.changed = true;
        if self.pending.len() < MOST {
            return self.pending.push_back(notice);
        }
        *self.dropped.entry(notice.event).or_default() += 1;
    }

    /// What is so and was told.
    pub fn told(&self) -> impl Iterator<Item = &Occurrence> {
        self.told.iter()
    }

    /// Takes what is so now; those of it that were not so before. What was told and is not `known` now is as it was.
    pub fn see(&mut self, now: Vec<Notice>, known: &BTreeSet<Occurrence>) -> Vec<Notice> {
        let there: BTreeSet<Occurrence> = now.iter().map(Occurrence::from).collect();
        let before = self.told.len();
        self.told.retain(|told| there.contains(told) || !known.contains(told));
        self.changed |= self.told.len() != before;
        let room = MOST_TOLD.saturating_sub(self.told.len());
        let new = now.into_iter().filter(|notice| !self.told.contains(&Occurrence::from(notice)));
        let new: Vec<Notice> = new.take(room).collect();
        self.told.extend(new.iter().map(Occurrence::from));
        self.changed |= !new.is_empty();
        new
    }

    /// Nobody is to be told any more.
    pub fn forget(&mut self) {
        if self.carried.is_none()
            && !(self.pending.is_empty() && self.fault.is_none() && self.dropped.is_empty())
        {
            (self.pending, self.dropped, self.fault) = (VecDeque::new(), Counts::new(), None);
            (self.failures, self.changed) = (0, true);
            self.try_at_once();
        }
    }

    /// What is called from here on; a call that is under way is one of the command before. Another command was perhaps mended: it
    /// is tried at once, and has as many tries as if none had failed.
    pub fn call_by(&mut self, command: &[String]) {
        if self.is_calling() {
            return;
        }
        self.program = command.first().cloned().unwrap_or_default();
        let called = hash_of(command);
        if self.command_sha256 == called {
            return;
        }
        // A queue of the version before does not say which command failed.
        let is_first = self.command_sha256.is_empty() && self.fault.is_none();
        (self.command_sha256, self.changed) = (called, true);
        if !is_first {
            self.pending.iter_mut().for_each(|notice| notice.tries = 0);
            self.calls.clear();
            self.failures = 0;
            self.try_at_once();
        }
    }

    /// The program of the newest call.
    pub fn program(&self) -> &str {
        &self.program
    }

    fn try_at_once(&mut self) {
        (self.not_before, self.counts_not_before) = (Monotonic::default(), Monotonic::default());
    }

    /// A call is under way.
    pub fn is_calling(&self) -> bool {
        self.carried.is_some()
    }

    /// What is told now, with what was dropped; from here on the call is under way. None: nothing, or not yet.
    pub fn next(&mut self, now: Monotonic) -> Option<(Vec<Notice>, Counts)> {
        let nothing = self.pending.is_empty() && self.dropped.is_empty();
        let wait = if self.pending.is_empty() { self.counts_not_before } else { self.not_before };
        if self.carried.is_some() || nothing || now < wait {
            return None;
        }
        self.calls.retain(|call| now.since(*call) < WINDOW);
        if self.calls.len() >= CALLS {
            return None;
        }
        let singly = self.pending.len() <= SINGLY && self.dropped.is_empty() && self.failures == 0;
        let count = if singly { 1 } else { self.pending.len() };
        self.calls.push_back(now);
        self.carried = Some((count, self.dropped.clone()));
        Some((self.pending.iter().take(count).cloned().collect(), self.dropped.clone()))
    }

    /// The call that was under way told everything that it carried.
    pub fn succeeded(&mut self) {
        let Some((count, dropped)) = self.carried.take() else { return };
        self.pending.drain(..count.min(self.pending.len()));
        for (event, count) in dropped {
            let left = self.dropped.get(&event).copied().unwrap_or_default().saturating_sub(count);
            if left == 0 {
                self.dropped.remove(&event)
            } else {
                self.dropped.insert(event, left)
            };
        }
        (self.fault, self.failures, self.changed) = (None, 0, true);
    }

    /// It told nothing.
    pub fn failed(&mut self, why: &SafeText, at: Wall, now: Monotonic) -> Failed {
        let count = self.carried.take().map_or(0, |(count, _)| count.min(self.pending.len()));
        let carried: Vec<Notice> = self.pending.drain(..count).collect();
        let (mut again, mut given_up) = (0, 0);
        for mut notice in carried.into_iter().rev() {
            notice.tries += 1;
            if notice.tries < TRIES {
                again += 1;
                self.pending.push_front(notice);
            } else {
                given_up += 1;
                *self.dropped.entry(notice.event).or_default() += 1;
            }
        }
        let again_in = AGAIN[usize::from(self.failures > 0)];
        let counts_in = AGAIN[usize::try_from(self.failures).unwrap_or(usize::MAX).min(AGAIN.len() - 1)];
        self.failures = self.failures.saturating_add(1);
        self.not_before = Monotonic(now.0 + again_in);
        self.counts_not_before = Monotonic(now.0 + counts_in);
        let after = if self.pending.is_empty() { counts_in } else { again_in };
        let since = self.fault.as_ref().map_or(at, |fault| fault.since);
        self.fault = Some(Fault { since, why: why.clone() });
        self.changed = true;
        Failed { again, after, given_up }
    }
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let events = |n: usize| if n == 1 { "1 event".to_owned() } else { format!("{n} events") };
        match (self.again, self.given_up) {
            (0, 0) => write!(f, "how many events were given up is told again in {}", duration(self.after)),
            (0, lost) => write!(
                f,
                "{} given up after {TRIES} tries, and only counted in the next call, in {}",
                events(lost),
                duration(self.after)
            ),
            (again, 0) => write!(f, "{} told again in {}", events(again), duration(self.after)),
            (again, lost) => write!(
                f,
                "{} told again in {}, {} given up and only counted",
                events(again),
                duration(self.after),
                events(lost)
            ),
        }
    }
}

pub use document::render;
pub use entry::entry;
