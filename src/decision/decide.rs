//! The function itself: every request to its gates, its state by the precedence of DESIGN.md 3, and its next run. Called
//! by the service at every step, by every view, and by `judge` and `simulate`.

use super::gates::{Closed, Gates, opening, queue};
use super::model::{Attempt, Change, Decision, GateResult, HistoryView, Inputs, SERVICE};
use super::next::{next_run, too_late};
use super::why;
use super::world::{Kept, Subject, Words, World, newest, running};
use crate::clock::Wall;
use crate::site::ids::{JobId, RequestId};
use crate::site::instruction::{Entry, Rejected};
use crate::terms::{Code, Gate, Group, State, Verdict};

/// What the core says of every request: those of the instruction file in its order, then those that are only in
/// history, by id. Pure: the same inputs give the same decisions. The gates' evidence is left empty, since nobody reads
/// that of a thousand requests: [`decide_one`] has it.
pub fn decide(inputs: &Inputs) -> Vec<Decision> {
    all(&World::new(inputs, Words::List))
}

/// The same for whoever acts on it and shows it to nobody: `package`, `command` and `why` are left empty, too.
pub fn verdicts(inputs: &Inputs) -> Vec<Decision> {
    all(&World::new(inputs, Words::Nothing))
}

fn all(world: &World) -> Vec<Decision> {
    let inputs = world.inputs;
    let gates = Gates::new(world);
    let entries = inputs.instructions.file.as_ref().map(|f| f.requests.as_slice()).unwrap_or_default();
    let mut decisions = Vec::with_capacity(entries.len() + inputs.history.attempts.len());
    decisions.extend(entries.iter().enumerate().map(|(index, entry)| of_entry(&gates, index, entry)));
    // Files are written in order as a rule, and then there is nothing to sort.
    let mut published: Vec<RequestId> = entries.iter().filter_map(entry_id).collect();
    published.sort_unstable();
    let mut published = published.into_iter().peekable();
    for (id, attempts) in &inputs.history.attempts {
        while published.next_if(|listed| listed < id).is_some() {}
        if let Some(attempt) = attempts.last().filter(|_| published.peek() != Some(id)) {
            decisions.push(of_withdrawn(world, *id, attempt));
        }
    }
    decisions
}

/// The same for some of them, in place: `decisions` is what [`decide`] gave for the same instruction file, `which` are
/// places in it.
pub(super) fn decide_some(inputs: &Inputs, kept: &Kept, decisions: &mut [Decision], which: &[usize]) {
    let world = World::again(inputs, kept, Words::List);
    let gates = Gates::new(&world);
    let entries = inputs.instructions.file.as_ref().map(|f| f.requests.as_slice()).unwrap_or_default();
    for index in which {
        let Some(old) = decisions.get_mut(*index) else { continue };
        if let Some(entry) = entries.get(*index) {
            *old = of_entry(&gates, *index, entry);
        } else if let Some((id, attempt)) = old.request_id.and_then(|id| Some((id, newest(inputs, &id)?))) {
            *old = of_withdrawn(&world, id, attempt);
        }
    }
}

/// What the core says of one request, with the evidence of every gate: the first with this id. None: neither published nor in history.
pub fn decide_one(inputs: &Inputs, id: RequestId) -> Option<Decision> {
    one(&World::new(inputs, Words::Evidence), id)
}

pub(super) fn one(world: &World, id: RequestId) -> Option<Decision> {
    let entries = world.inputs.instructions.file.as_ref().map(|f| f.requests.as_slice()).unwrap_or_default();
    let named = || entries.iter().enumerate().filter(|(_, entry)| entry_id(entry) == Some(id));
    // Of several that name it, the one that ran.
    let ran = newest(world.inputs, &id).map(|attempt| attempt.job_id);
    let own = ran.and_then(|job| named().find(|(_, entry)| entry_job(entry) == Some(job)));
    match own.or_else(|| named().next()) {
        Some((index, entry)) => Some(of_entry(&Gates::new(world), index, entry)),
        None => newest(world.inputs, &id).map(|attempt| of_withdrawn(world, id, attempt)),
    }
}

/// What the core says of a job, with the evidence of every gate: also of one that is for others. None: it is neither
/// published nor in history.
pub fn decide_job(inputs: &Inputs, job: JobId) -> Option<Decision> {
    let world = World::new(inputs, Words::Evidence);
    let entries = inputs.instructions.file.as_ref().map(|f| f.requests.as_slice()).unwrap_or_default();
    if let Some((index, entry)) = entries.iter().enumerate().find(|(_, entry)| entry_job(entry) == Some(job))
    {
        return Some(of_entry(&Gates::new(&world), index, entry));
    }
    let elsewhere = inputs.instructions.index.as_ref().and_then(|index| index.elsewhere(job));
    if let Some((request, delivery)) = elsewhere {
        // Not by its request: a job of this machine may name the same.
        let subject = Subject { delivery: Some(delivery), ..Subject::new(&world, entries.len(), request) };
        let decision = of_subject(&Gates::new(&world), &subject);
        return Some(Decision { entry: None, ..decision });
    }
    let newest = inputs.history.attempts.iter().filter_map(|(id, attempts)| Some((*id, attempts.last()?)));
    let (id, attempt) = newest.filter(|(_, a)| a.job_id == job).max_by_key(|(_, a)| a.claimed_at)?;
    Some(of_withdrawn(&world, id, attempt))
}

fn entry_job(entry: &Entry) -> Option<JobId> {
    match entry {
        Entry::Good(request) => Some(request.job_id),
        Entry::Rejected(rejected) => rejected.job_id,
    }
}

/// The id of an entry, where it is valid.
pub(super) fn entry_id(entry: &Entry) -> Option<RequestId> {
    match entry {
        Entry::Good(request) => Some(request.request_id),
        Entry::Rejected(rejected) => rejected.request_id,
    }
}

fn of_entry(gates: &Gates, index: usize, entry: &Entry) -> Decision {
    match entry {
        Entry::Good(request) => of_subject(gates, &Subject::new(gates.world, index, request)),
        Entry::Rejected(rejected) => of_rejected(gates, index, rejected),
    }
}

/// A usable request.
fn of_subject(gates: &Gates, subject: &Subject) -> Decision {
    let (world, request) = (gates.world, subject.request);
    let opening = opening(world, subject, world.now);
    let gates = gates.of_request(subject, opening);
    let closed = Closed::of(&gates);
    let queued = queue::place(world, subject, &gates);
    let state = state(world, subject, closed, queued.is_some());
    let next_run = match state.group() {
        Group::Pending if queued.is_some() => queue::next_start(world, subject, &gates),
        Group::Pending => next_run(world, subject, closed, opening),
        Group::Running => world.announced(subject).filter(|_| state == State::Countdown),
        Group::Executed | Group::Expired | Group::Skipped | Group::Rejected => None,
    };
    let waits = queued.is_none() && state.group() == Group::Pending && next_run.is_none();
    let never = queued.is_none() && closed.iter().any(never) || waits && too_late(world, subject);
    Decision {
        request_id: Some(request.request_id),
        job_id: Some(request.job_id),
        package_id: Some(request.package_id),
        package: world.show(|| request.package.clone()),
        command: world.show(|| request.command.clone()),
        why: world.show(|| why::of_subject(world, subject, state, closed, next_run)),
        state,
        gates,
        next_run,
        latest: None,
        never,
        offer_after: Some(subject.offer),
        mandatory_after: subject.mandatory,
        starts: subject.starts,
        expire_after: subject.expire,
        attempt: subject.newest.map_or(0, |a| a.number),
        deferred_until: subject.deferred_until(world.now),
        queued,
        entry: Some(subject.entry),
    }
}

/// Whether one that is closed stays so.
fn never(gate: &GateResult) -> bool {
    gate.change == Change::Never
}

/// A record that cannot be used. What history holds of its id is not overwritten by that.
fn of_rejected(gates: &Gates, index: usize, rejected: &Rejected) -> Decision {
    let (world, gates) = (gates.world, gates.of_rejected(rejected));
    let closed = Closed::of(&gates);
    let never = closed.iter().any(never);
    let attempt = rejected.request_id.as_ref().and_then(|id| newest(world.inputs, id));
    // Where another job names the same request and is the one that ran, this one has run nothing.
    let attempt = attempt.filter(|attempt| {
        rejected.job_id == Some(attempt.job_id) || !is_of_another(world, rejected, attempt.job_id)
    });
    let adopted = rejected.request_id.as_ref().and_then(|id| world.inputs.history.adopted.get(id));
    Decision {
        request_id: rejected.request_id,
        job_id: rejected.job_id,
        package_id: rejected.package_id,
        package: world.show(|| rejected.package.clone().unwrap_or_default()),
        command: world.show(|| rejected.command.clone().unwrap_or_default()),
        state: match (attempt, adopted) {
            (Some(attempt), _) => world.shown(attempt),
            (None, Some(_)) => State::Succeeded,
            (None, None) if is_not_wanted(closed) => State::NotApplicable,
            (None, None) => State::Rejected,
        },
        next_run: None,
        latest: None,
        never,
        why: world.show(|| match attempt {
            Some(attempt) => why::of_attempt(world, attempt, None),
            None if is_not_wanted(closed) => Code::Cancelled.row().brief.into(),
            None => why::of_rejected(rejected),
        }),
        gates,
        offer_after: None,
        mandatory_after: None,
        starts: None,
        expire_after: None,
        attempt: attempt.map_or(0, |a| a.number),
        deferred_until: None,
        queued: None,
        entry: Some(index),
    }
}

/// Whether another entry with the same request is of this job.
fn is_of_another(world: &World, rejected: &Rejected, job: JobId) -> bool {
    let entries = world.inputs.instructions.file.iter().flat_map(|file| &file.requests);
    let mut same = entries.filter(|entry| entry_id(entry) == rejected.request_id);
    same.any(|entry| entry_job(entry) == Some(job))
}

/// A request that is no longer published, with the attempts it had.
fn of_withdrawn(world: &World, id: RequestId, attempt: &Attempt) -> Decision {
    Decision {
        request_id: Some(id),
        job_id: Some(attempt.job_id),
        package_id: Some(attempt.package_id),
        package: world.show(|| attempt.package.clone()),
        command: world.show(|| attempt.command.clone()),
        state: world.shown(attempt),
        gates: Vec::new(),
        next_run: None,
        latest: None,
        never: !running(attempt.state),
        why: world.show(|| why::of_attempt(world, attempt, None)),
        offer_after: None,
        mandatory_after: None,
        starts: None,
        expire_after: None,
        attempt: attempt.number,
        deferred_until: None,
        queued: None,
        entry: None,
    }
}

/// The precedence of DESIGN.md 3.
fn state(world: &World, subject: &Subject, gates: Closed, queued: bool) -> State {
    let closed = match is_not_wanted(gates) {
        true => Some(State::NotApplicable),
        false => gates.iter().map(leads_to).min_by_key(|state| rank(*state)),
    };
    let under_way = subject.newest.is_some_and(|attempt| running(attempt.state))
        || closed.is_none() && world.announced(subject).is_some();
    if queued && !under_way {
        return State::Queued;
    }
    if let Some(attempt) = subject.newest {
        // What was attempted is shown as such. Only while another attempt may still follow by itself is it pending.
        let pending = closed.is_none_or(|state| state.group() == Group::Pending);
        if subject.retry_at().is_none() || !pending {
            return world.shown(attempt);
        }
    } else if subject.adopted.is_some() {
        return State::Succeeded;
    }
    match closed {
        Some(state) => state,
        None if world.announced(subject).is_some() => State::Countdown,
        None => State::Due,
    }
}

/// Whether it is for others, or its publisher wants it no more: what else is wrong with it is nobody's trouble here.
fn is_not_wanted(closed: Closed) -> bool {
    closed
        .iter()
        .any(|gate| matches!(gate.gate, Gate::Target | Gate::Job) && leads_to(gate) == State::NotApplicable)
}

/// The state that a closed gate leads to. What is only unknown is waited for.
fn leads_to(gate: &GateResult) -> State {
    match (gate.verdict, gate.code) {
        (Verdict::Block, Some(code)) => code.row().leads_to,
        (Verdict::Block, None) | (Verdict::Unknown | Verdict::Pass, _) => State::Waiting,
    }
}

/// The place of a state that gates lead to in the precedence; the lowest goes before.
fn rank(state: State) -> u8 {
    match state {
        State::Rejected => 0,
        State::NotApplicable => 1,
        State::NotNeeded => 2,
        State::Expired => 3,
        State::Scheduled => 4,
        State::RetryWait => 5,
        State::Deferred => 6,
        State::Offered => 7,
        // No gate leads to the others; if one did, the request waits all the same.
        State::Waiting
        | State::Queued
        | State::Due
        | State::Countdown
        | State::Running
        | State::Stopping
        | State::Succeeded
        | State::SucceededRestart
        | State::Failed
        | State::TimedOut
        | State::Stopped
        | State::Interrupted => 8,
    }
}

/// What the service starts, in order: by mandatory time, then by RequestID. Indexes into `decisions`.
pub fn due_in_order(decisions: &[Decision]) -> Vec<usize> {
    let mut due: Vec<usize> = (0..decisions.len()).filter(|i| decisions[*i].state.is_ready()).collect();
    due.sort_by_key(|i| turn_of(&decisions[*i]));
    due
}

/// What starts next when nothing runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextUp {
    /// Its place among the decisions.
    pub index: usize,
    /// An operator's run out of the queue; else one that is due by itself.
    pub queued: bool,
}

/// What starts next when nothing runs: the first run in the queue that may start, before what is due by itself. After each
/// run that an operator asked for, one that is due takes its turn: no queue keeps it from running for ever.
pub fn next_up(history: &HistoryView, decisions: &[Decision]) -> Option<NextUp> {
    let ready = decisions.iter().enumerate().filter(|(_, decision)| decision.state.is_ready());
    let due = ready.min_by_key(|(_, decision)| turn_of(decision)).map(|(index, _)| index);
    let ready = decisions.iter().enumerate().filter_map(|(index, decision)| {
        let place = decision.queued.filter(|place| place.ready)?;
        Some((place.position, index))
    });
    match (ready.min(), due) {
        (Some((_, index)), None) => Some(NextUp { index, queued: true }),
        (Some((_, index)), Some(_)) if !was_asked_for(history) => Some(NextUp { index, queued: true }),
        (_, due) => due.map(|index| NextUp { index, queued: false }),
    }
}

/// What is due runs in this order.
fn turn_of(decision: &Decision) -> (Option<Wall>, Option<RequestId>) {
    (decision.mandatory_after, decision.request_id)
}

/// Whether an operator asked for the newest run of this machine.
pub(super) fn was_asked_for(history: &HistoryView) -> bool {
    history.attempts.newest().is_some_and(|attempt| attempt.by.as_str() != SERVICE)
}

/// The earliest instant after `now` at which a gate of a request that is pending or running can change by time. None:
/// only events change anything.
pub fn next_instant(decisions: &[Decision], now: Wall) -> Option<Wall> {
    let live = decisions.iter().filter(|d| matches!(d.state.group(), Group::Pending | Group::Running));
    let changes = live.flat_map(|d| &d.gates).filter_map(|g| match g.change {
        Change::At(at) => Some(at).filter(|at| *at > now),
        Change::Event | Change::Never => None,
    });
    changes.min()
}
