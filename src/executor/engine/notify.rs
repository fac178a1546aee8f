//! `[notify] command`: told of what an operator would want to be woken for. What happens is taken from the states that are
//! recorded; what is so for a while is looked at here every few seconds, and told when it begins. Nothing is waited for.

use super::{Executor, history_lost};
use crate::clock::{Monotonic, Wall};
use crate::decision::{self, Decision, Hold};
use crate::executor::history::Cause;
use crate::executor::notices::{self, Event, Notice, Occurrence, Queue};
use crate::site::content::ContentFact;
use crate::site::ids::PackageId;
use crate::site::instruction::Entry;
use crate::site::trust::TrustVerdict;
use crate::terms::{Code, State};
use crate::text::{self, SafeText};
use chrono::TimeDelta;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What is so for a while is looked at this often.
const LOOKED_AT: Duration = Duration::from_secs(5);
/// Below this, in bytes, a machine is short of space whatever is published to it; `pcm check` says so, too.
pub const LEAST_FREE: u64 = 100 << 20;
/// From so much on it is short no more, so that what goes up and down is told once.
const ENOUGH_FREE: u64 = 2 * LEAST_FREE;
/// A service that ends waits so long for a command that is under way.
const LAST_WORD: Duration = Duration::from_secs(3);
/// A hold that has been in force for so long was perhaps forgotten.
const LONG_HOLD: TimeDelta = TimeDelta::hours(24);

/// What is told, and what is known of it.
#[derive(Default)]
pub(super) struct Telling {
    queue: Queue,
    looked_at: Option<Monotonic>,
    /// A share has answered since this service began.
    answered: bool,
    /// Something was tried to be delivered since.
    delivered: bool,
    /// It could not be kept: that is tried again with the next look.
    unkept: bool,
    /// What was queued, and is not known to be recorded yet.
    unrecorded: BTreeSet<Occurrence>,
}

impl Telling {
    /// As the service before this one left it.
    pub fn kept(bytes: Option<Vec<u8>>) -> Telling {
        Telling { queue: bytes.map(|bytes| Queue::kept(&bytes)).unwrap_or_default(), ..Telling::default() }
    }

    pub fn fault(&self) -> Option<&notices::Fault> {
        self.queue.fault()
    }

    /// A share has answered.
    pub fn heard_of_a_share(&mut self) {
        self.answered = true;
    }

    /// What has not reached the share is known.
    pub fn heard_of_a_delivery(&mut self) {
        self.delivered = true;
    }
}

impl Executor {
    /// What there is to tell of a request's new state.
    pub(super) fn event_of(&self, decision: &Decision, now: Wall) -> Option<Notice> {
        let event = match decision.state {
            State::Failed | State::TimedOut => Event::Failed,
            State::Interrupted => Event::Interrupted,
            State::Expired if decision.mandatory_after.is_some() => Event::Missed,
            _ => return None,
        };
        if !self.service {
            return None;
        }
        // Of a thousand decisions none has words; here one is told.
        let told = decision
            .request_id
            .and_then(|id| self.known.with_inputs(now, |inputs| decision::decide_one(inputs, id)));
        let told = told?;
        if event == Event::Missed && !self.is_missed(&told) {
            return None;
        }
        let attempt = (told.attempt > 0 && event != Event::Missed).then_some(told.attempt);
        let request = told.request_id.map(|id| id.to_string()).unwrap_or_default();
        let of = attempt.map_or_else(|| request.clone(), |attempt| format!("{request}-{attempt}"));
        Some(Notice {
            request_id: told.request_id,
            job_id: told.job_id,
            package_id: told.package_id,
            package: Some(told.package.clone()),
            attempt,
            state: Some(told.state),
            ..Notice::new(event, &of, told.why.as_str(), now)
        })
    }

    /// Whether somebody has to know that it expired: not of what its publisher had suspended, nor of what was over before this
    /// machine's history began, as all that is listed is on a new machine.
    fn is_missed(&self, expired: &Decision) -> bool {
        let suspended = expired.gates.iter().any(|gate| gate.code == Some(Code::Suspended));
        let began = self.history.as_ref().ok().and_then(|history| history.began().ok().flatten());
        let before = expired.expire_after.zip(began).is_some_and(|(end, began)| end <= began);
        !suspended && !before
    }

    /// Queues and keeps what is about to be recorded, all of it at once: where the service dies in between, it is told all the
    /// same. What cannot be recorded is seen again at the next step, and is not told again for that.
    pub(super) fn queue_events(&mut self, events: &[Notice]) {
        let wanted = !self.command().is_empty();
        for event in events {
            if self.telling.unrecorded.insert(event.into()) && wanted {
                self.telling.queue.push(event.clone());
            }
        }
        self.keep_notices();
    }

    /// It is recorded now.
    pub(super) fn events_recorded(&mut self, events: &[Notice], now: Wall) {
        self.telling.unrecorded.clear();
        for event in events {
            self.write_down(event, now);
        }
    }

    /// What has happened goes into the journal of the system, and into the log where no line of it is there.
    fn write_down(&mut self, event: &Notice, now: Wall) {
        if !self.world.is_silent() {
            self.world.record(event, self.known.config().machine);
        } else if !self.known.config().notify.command.is_empty() {
            let line = format!("{}: [notify] command is not called. A demo tells nobody.", event.event);
            self.journal.info(now, &line);
        }
        let line = match (event.event, event.request_id) {
            (Event::Missed, Some(request)) => format!("{request} has expired; {}.", event.message),
            (Event::DiskLow, _) => format!("Hardly any disk space is left: {}.", event.message),
            (
                Event::Failed
                | Event::Interrupted
                | Event::Missed
                | Event::HistoryLost
                | Event::TwoMachines
                | Event::Rollback
                | Event::ContentMismatch
                | Event::Undelivered
                | Event::HeldTooLong,
                _,
            ) => return,
        };
        self.journal.warning(now, &line);
    }

    /// Looks at what there is to be told, hears how the newest call went, and makes the next one. Called at every step.
    pub fn tell_operators(&mut self, now: Wall) {
        if !self.service {
            return;
        }
        let mono = self.world.monotonic();
        if self.telling.looked_at.is_none_or(|at| mono.since(at) >= LOOKED_AT) {
            (self.telling.looked_at, self.telling.unkept) = (Some(mono), false);
            let there = self.what_is_so(now);
            let told = self.telling.queue.told();
            let known: BTreeSet<Occurrence> = told.filter(|told| self.would_be_seen(told)).cloned().collect();
            for notice in self.telling.queue.see(there, &known) {
                self.write_down(&notice, now);
                if !self.command().is_empty() {
                    self.telling.queue.push(notice);
                }
            }
        }
        self.hear_of_call(Duration::ZERO, now, mono);
        self.call(now, mono);
        self.keep_notices();
    }

    /// A call is under way, whose end makes room for the next.
    pub fn is_telling(&self) -> bool {
        self.telling.queue.is_calling()
    }

    /// The service ends: a command that is under way may still say how it went, so that nothing is told twice.
    pub fn stop_telling(&mut self, now: Wall) {
        if self.telling.queue.is_calling() {
            self.hear_of_call(LAST_WORD, now, self.world.monotonic());
            self.keep_notices();
        }
    }

    fn hear_of_call(&mut self, wait: Duration, now: Wall, mono: Monotonic) {
        if !self.telling.queue.is_calling() {
            return;
        }
        match self.world.notified(wait) {
            None => {}
            Some(Ok(())) => {
                if self.telling.fault().is_some() {
                    self.journal.info(now, "[notify] command works again.");
                }
                self.telling.queue.succeeded();
            }
            Some(Err(why)) => self.call_failed(&why, now, mono),
        }
    }

    fn call_failed(&mut self, why: &SafeText, now: Wall, mono: Monotonic) {
        let failed = self.telling.queue.failed(why, now, mono);
        // The configuration may name another one by now.
        let line = format!("[notify] command {} told nobody: {why}; {failed}.", self.telling.queue.program());
        self.journal.error(now, &line);
    }

    /// `[notify] command`, where anybody is to be told: a demo tells nobody, whatever somebody writes into its configuration.
    fn command(&self) -> &[String] {
        if self.world.is_silent() { &[] } else { &self.known.config().notify.command }
    }

    fn call(&mut self, now: Wall, mono: Monotonic) {
        let command = self.command().to_vec();
        let Some((program, args)) = command.split_first() else {
            return self.telling.queue.forget();
        };
        self.telling.queue.call_by(&command);
        let Some((told, dropped)) = self.telling.queue.next(mono) else { return };
        let host = self.world.host_name();
        let json = notices::render(&told, &dropped, self.known.config().machine, host.as_str(), now);
        let started = json.map_err(|e| SafeText::new(&e.to_string())).and_then(|json| {
            self.world
                .notify(program, args, &json)
                .map_err(|e| SafeText::new(&format!("it cannot be started: {e}")))
        });
        if let Err(why) = started {
            self.call_failed(&why, now, mono);
        }
    }

    fn keep_notices(&mut self) {
        if self.telling.unkept {
            return;
        }
        if let Some(bytes) = self.telling.queue.changed_bytes()
            && let Err(e) = self.world.keep_notices(&bytes)
        {
            tracing::info!(%e, "notices: not kept");
            self.telling.queue.not_kept();
            self.telling.unkept = true;
        }
    }

    /// What is so at this moment.
    fn what_is_so(&self, now: Wall) -> Vec<Notice> {
        let known = &self.known;
        let mut there = Vec::new();
        let mut say =
            |event: Event, of: &str, message: &str| there.push(Notice::new(event, of, message, now));
        match &self.history {
            // A command that pages somebody is for what a person has to decide.
            Err(lost) if !matches!(lost.cause, Cause::Unreadable | Cause::Unseen) => {
                say(Event::HistoryLost, "", &history_lost(lost).to_string());
            }
            Err(_) | Ok(_) => {}
        }
        if let Some(why) = &known.snapshot.view.two_machines {
            say(Event::TwoMachines, "", &format!("two-machines: nothing runs by itself: {why}"));
        }
        let fault = known.instructions.fault.as_ref().filter(|fault| fault.code == Code::Rollback);
        for problem in fault.iter().flat_map(|fault| &fault.problems) {
            say(Event::Rollback, problem.file.as_str(), problem.message.as_str());
        }
        if let TrustVerdict::Refused(Code::Rollback, why) = &known.instructions.trust {
            say(Event::Rollback, "trust", why.as_str());
        }
        for (hash, (package, why)) in self.mismatched() {
            let message = format!("package {package} is not the one that was published: {why}");
            there.push(Notice {
                package_id: Some(package),
                ..Notice::new(Event::ContentMismatch, &format!("{package} {hash}"), &message, now)
            });
        }
        let mut say =
            |event: Event, of: &str, message: &str| there.push(Notice::new(event, of, message, now));
        if let Some(undelivered) = known.views(Some(self.standing()), now).undelivered() {
            say(Event::Undelivered, "", undelivered.message.as_str());
        }
        if let Some(free) = self.world.disk_free().filter(|free| *free < LEAST_FREE) {
            let state = known.layout.state.display();
            say(Event::DiskLow, "", &format!("{} is free for {state}", text::bytes(free)));
        }
        if let Some(hold) = known.snapshot.view.hold.as_ref().filter(|hold| hold_is_long(hold, now)) {
            let message = format!(
                "held by {} since {}, until {}: {}. pcm unhold ends it",
                hold.by,
                known.local(hold.at),
                known.local(hold.until),
                hold.reason
            );
            say(Event::HeldTooLong, hold.id().as_str(), &message);
        }
        there
    }

    /// Packages in force whose files are not those that were published, by what they should be.
    fn mismatched(&self) -> BTreeMap<String, (PackageId, &SafeText)> {
        let entries = self.known.instructions.file.iter().flat_map(|file| &file.requests);
        let requests = entries.filter_map(|entry| match entry {
            Entry::Good(request) => Some(request),
            Entry::Rejected(_) => None,
        });
        requests
            .filter_map(|request| {
                let hash = request.content_sha256.as_ref()?;
                match self.known.content.get(hash)? {
                    ContentFact::Mismatch(why) => Some((hash.as_str().to_owned(), (request.package_id, why))),
                    ContentFact::Staged | ContentFact::Missing(_) | ContentFact::Loose(_) => None,
                }
            })
            .collect()
    }

    /// Whether it would be seen now if it still were so: if it is not seen then, it is over.
    fn would_be_seen(&self, told: &Occurrence) -> bool {
        let instructions = &self.known.instructions;
        let answered = self.telling.answered && instructions.fault.is_none();
        match told.event {
            Event::Failed | Event::Interrupted | Event::Missed | Event::HistoryLost => true,
            Event::TwoMachines | Event::HeldTooLong => self.history.is_ok(),
            Event::Rollback => answered,
            Event::ContentMismatch => {
                let named = |hash: &str| self.known.contents().any(|named| named.as_str() == hash);
                let hash = told.of.rsplit(' ').next().unwrap_or_default();
                let staged = self
                    .known
                    .content
                    .iter()
                    .any(|(known, fact)| known.as_str() == hash && matches!(fact, ContentFact::Staged));
                staged || answered && !named(hash)
            }
            Event::Undelivered => self.telling.delivered && self.undelivered.is_none(),
            Event::DiskLow => self.world.disk_free().is_some_and(|free| free >= ENOUGH_FREE),
        }
    }
}

fn hold_is_long(hold: &Hold, now: Wall) -> bool {
    now < hold.until && now - hold.at >= LONG_HOLD
}
