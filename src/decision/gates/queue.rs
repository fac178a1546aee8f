//! What is in the way of an operator's run: which gates the verb passes, and of one that waits in the queue which of them
//! it waits for, and which take it out.

use super::super::model::{Attempt, Change, GateResult, QueuePlace, Queued};
use super::super::world::{Subject, World};
use crate::clock::Wall;
use crate::site::ids::RequestId;
use crate::terms::{Code, PassedBy, Refused, State, VerbKind, Verdict};

/// Whether a verb passes a gate that is closed with this code without naming it. `newest`: the attempt before.
pub(in super::super) fn passes(verb: VerbKind, newest: Option<&Attempt>, code: Code) -> bool {
    match (verb, code.row().passed_by) {
        (VerbKind::Run | VerbKind::Rerun, PassedBy::Run | PassedBy::OnlyRun) => true,
        (VerbKind::Run, PassedBy::Rerun) => {
            newest.is_some_and(Attempt::never_launched) && code != Code::Interrupted
        }
        (VerbKind::Rerun, PassedBy::Rerun) => true,
        (VerbKind::Run | VerbKind::Rerun, PassedBy::Nothing) => false,
        (VerbKind::Defer | VerbKind::Undefer | VerbKind::Stop, _) => false,
    }
}

/// An operator's run of this request in the queue, and which it is, counted from 1.
pub(in super::super) fn entry<'a>(world: &World<'a>, id: RequestId) -> Option<(u32, &'a Queued)> {
    let queue = &world.inputs.history.queue;
    let (index, queued) = queue.iter().enumerate().find(|(_, queued)| queued.request == id)?;
    Some((u32::try_from(index + 1).unwrap_or(u32::MAX), queued))
}

/// Whether this gate keeps a run in the queue from its start. What runs is none of them: it ends.
fn holds_up(queued: &Queued, subject: &Subject, gate: &GateResult) -> bool {
    let passed = |code| code == Code::Busy || passes(queued.kind(), subject.newest, code);
    gate.verdict != Verdict::Pass && !queued.overrides.contains(&gate.gate) && !gate.code.is_some_and(passed)
}

/// The same for its words: what runs is told, too.
pub(in super::super) fn is_waited_for(queued: &Queued, subject: &Subject, gate: &GateResult) -> bool {
    gate.code == Some(Code::Busy) || holds_up(queued, subject, gate)
}

/// A gate that does not open for what is in the queue: it never does, or somebody has decided otherwise since. All else
/// is waited for.
fn stays_closed(gate: &GateResult) -> bool {
    let decided = |code: Code| code == Code::Suspended || code.row().leads_to != State::Waiting;
    gate.change == Change::Never || gate.verdict == Verdict::Block && gate.code.is_some_and(decided)
}

/// The first gate that takes a run out of the queue.
pub(in super::super) fn taken_out_by<'g>(
    queued: &Queued,
    subject: &Subject,
    gates: &'g [GateResult],
) -> Option<&'g GateResult> {
    gates.iter().filter(|gate| holds_up(queued, subject, gate)).find(|gate| stays_closed(gate))
}

/// Where an operator's run of a request stands in the queue.
pub(in super::super) fn place(world: &World, subject: &Subject, gates: &[GateResult]) -> Option<QueuePlace> {
    let (position, queued) = entry(world, subject.request.request_id)?;
    let leaves = match world.now >= queued.ends() {
        true => Some(Refused::QueuedTooLong.into()),
        false => taken_out_by(queued, subject, gates)
            .map(|gate| gate.code.unwrap_or(Code::PolicyUnreadable).into()),
    };
    let open = !gates.iter().any(|gate| holds_up(queued, subject, gate));
    let ready = open && leaves.is_none() && world.inputs.facts.service;
    Some(QueuePlace { position, ready, leaves })
}

/// When it starts if nothing but time changes; None: something has to happen first, as the end of what runs.
pub(in super::super) fn next_start(world: &World, subject: &Subject, gates: &[GateResult]) -> Option<Wall> {
    let (_, queued) = entry(world, subject.request.request_id).filter(|_| world.inputs.facts.service)?;
    let mut at = world.now;
    for gate in gates.iter().filter(|gate| holds_up(queued, subject, gate)) {
        match gate.change {
            Change::At(opens) => at = at.max(opens),
            Change::Event | Change::Never => return None,
        }
    }
    let busy = world.inputs.facts.running.is_some() && at <= world.now;
    (!busy && at < queued.ends() && !subject.expired(at)).then_some(at)
}
