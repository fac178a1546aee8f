//! The gate about what this machine has already done.

use super::super::model::{Attempt, Change, GateResult};
use super::super::world::{Subject, World, running};
use super::{block, pass, unknown};
use crate::clock::Wall;
use crate::site::ids::RequestId;
use crate::site::installed::{Finding, Needed};
use crate::terms::{Code, Gate, State};
use crate::text::{SafeText, stamp};

/// Not attempted before, or another attempt is due by policy.
pub(super) fn history(world: &World, subject: &Subject) -> GateResult {
    let id = &subject.request.request_id;
    let closed = closed(world, id, subject.newest, subject.adopted, subject.retry_at());
    if let Some(closed) = closed.or_else(|| without_need(world, subject)) {
        return closed;
    }
    match subject.newest {
        None => pass(
            Gate::History,
            Change::Event,
            world.tell(|| {
                let found =
                    found(world, subject).map(|found| format!("; {}", found.words)).unwrap_or_default();
                format!("never attempted on this machine{found}")
            }),
        ),
        Some(attempt) => {
            let evidence = world.tell(|| {
                format!("attempt {} asked to be repeated; {}", attempt.number, ended(world, attempt))
            });
            pass(Gate::History, Change::Event, evidence)
        }
    }
}

/// Why history keeps a request from running by itself; None: it does not.
pub(super) fn closed(
    world: &World,
    id: &RequestId,
    newest: Option<&Attempt>,
    adopted: Option<Wall>,
    retry_at: Option<Wall>,
) -> Option<GateResult> {
    if let Some(unknown) = unknown_past(world) {
        return Some(unknown);
    }
    attempted(world, id, newest, adopted, retry_at).or_else(|| two_machines(world))
}

/// What the look at the machine gave for its test.
fn found<'w>(world: &World<'w>, subject: &Subject) -> Option<&'w Finding> {
    world.inputs.facts.installed.get(&subject.need?.test)
}

/// Where there is nothing to do, or that cannot be known.
fn without_need(world: &World, subject: &Subject) -> Option<GateResult> {
    let (gate, need, found) = (Gate::History, subject.need?, found(world, subject));
    match subject.needed(world.inputs.facts) {
        Needed::Yes => None,
        Needed::No => {
            let words = found.map(|found| found.words.clone()).unwrap_or_default();
            let what = if need.removes { "there is nothing to remove" } else { "it is installed already" };
            let evidence = world.tell(|| format!("{what}: {words}"));
            Some(block(gate, Code::AlreadyInstalled, Change::Event, evidence))
        }
        Needed::Unknown => {
            let evidence = world.tell(|| match found {
                Some(found) => format!("whether it is installed cannot be known: {}", found.words),
                None => "whether it is installed was not looked up yet".to_owned(),
            });
            Some(unknown(gate, Code::InstalledUnknown, evidence))
        }
    }
}

/// Where what was attempted here is not all that this machine's id has attempted.
pub(super) fn two_machines(world: &World) -> Option<GateResult> {
    let why = world.inputs.history.two_machines.as_ref()?;
    let evidence = world.tell(|| format!("{why}. {}", Code::TwoMachines.row().remedy));
    Some(block(Gate::History, Code::TwoMachines, Change::Event, evidence))
}

/// The same by what was attempted.
fn attempted(
    world: &World,
    id: &RequestId,
    newest: Option<&Attempt>,
    adopted: Option<Wall>,
    retry_at: Option<Wall>,
) -> Option<GateResult> {
    let gate = Gate::History;
    let Some(attempt) = newest else {
        let adopted = adopted?;
        let evidence = world
            .tell(|| format!("an operator adopted {id} as done on {}", stamp(adopted, world.inputs.zone)));
        return Some(block(gate, Code::Done, Change::Never, evidence));
    };
    if running(attempt.state) {
        let evidence = world.tell(|| {
            let since = stamp(attempt.started_at.unwrap_or(attempt.claimed_at), world.inputs.zone);
            format!("attempt {} is {} since {since}", attempt.number, attempt.state)
        });
        return Some(block(gate, Code::Done, Change::Event, evidence));
    }
    match retry_at {
        Some(at) if world.now < at => {
            let evidence = world.tell(|| {
                let (n, at) = (attempt.number, stamp(at, world.inputs.zone));
                format!("attempt {n} asked to be repeated; the next is due at {at}")
            });
            Some(block(gate, Code::RetryLater, Change::At(at), evidence))
        }
        Some(_) => None,
        None if attempt.state == State::Interrupted => {
            let evidence = world.tell(|| format!(
                "attempt {} began {} and its outcome is not known; pcm rerun {id} is an operator's decision",
                attempt.number,
                stamp(attempt.claimed_at, world.inputs.zone)
            ));
            Some(block(gate, Code::Interrupted, Change::Never, evidence))
        }
        None => {
            let evidence = world.tell(|| format!("attempt {} {}", attempt.number, ended(world, attempt)));
            Some(block(gate, Code::Done, Change::Never, evidence))
        }
    }
}

/// Where what was attempted cannot be known.
pub(super) fn unknown_past(world: &World) -> Option<GateResult> {
    let gate = Gate::History;
    if let Some(why) = &world.inputs.history.lost {
        let evidence = world.tell(|| why.clone());
        return Some(block(gate, Code::HistoryLost, Change::Event, evidence));
    }
    if let Some(why) = &world.inputs.history.unreadable {
        let evidence = world
            .tell(|| format!("history is not lost and cannot be read: {why}; it goes on once it can be"));
        return Some(block(gate, Code::StateUnreadable, Change::Event, evidence));
    }
    None
}

/// `failed Sun 2026-11-22 22:00 +01:00: exit 17`
fn ended(world: &World, attempt: &Attempt) -> String {
    let at = stamp(attempt.ended_at.unwrap_or(attempt.claimed_at), world.inputs.zone);
    let result = match (attempt.result.is_empty(), attempt.exit_code) {
        (false, _) => attempt.result.clone(),
        (true, Some(code)) => SafeText::from(format!("exit {code}")),
        (true, None) => return format!("{} {at}", world.shown(attempt)),
    };
    format!("{} {at}: {result}", world.shown(attempt))
}
