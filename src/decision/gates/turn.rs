//! Whose turn it is: what is due runs by mandatory time, also where the files of an older one arrive later than those of a
//! younger one. The younger one is held back while the older one waits for nothing but the copy of its files, for `[run]
//! wait_for_older` at most, and never so that it would miss its own chance.

use super::super::model::{Change, GateResult};
use super::super::window::Opening;
use super::super::world::{Subject, World};
use super::{Gates, block, machine, opening};
use crate::clock::{Wall, later};
use crate::site::ids::RequestId;
use crate::site::instruction::Entry;
use crate::terms::{Code, Gate, Verdict};
use crate::text::stamp;

/// A request that is due but for its files, which are being copied.
pub(super) struct Older {
    id: RequestId,
    mandatory: Wall,
    /// It is waited for until then.
    until: Wall,
}

/// The oldest of them.
pub(super) fn first(gates: &Gates) -> Option<Older> {
    let (world, inputs) = (gates.world, gates.world.inputs);
    if inputs.facts.copying.is_empty() {
        return None;
    }
    let entries = inputs.instructions.file.iter().flat_map(|file| &file.requests).enumerate();
    let subjects = entries.filter_map(|(index, entry)| match entry {
        Entry::Good(request) => Some(Subject::new(world, index, request)),
        Entry::Rejected(_) => None,
    });
    let waited_for = subjects.filter_map(|subject| Some((older(world, &subject)?, subject)));
    let mut waited_for: Vec<_> = waited_for.filter(|(older, _)| world.now < older.until).collect();
    waited_for.sort_by_key(|(older, _)| (older.mandatory, older.id));
    let is_ready = |subject: &Subject| {
        let others = [Gate::Content, Gate::Executor];
        let gates = gates.of_request(subject, opening(world, subject, world.now));
        gates.iter().all(|gate| gate.verdict == Verdict::Pass || others.contains(&gate.gate))
    };
    waited_for.into_iter().find(|(_, subject)| is_ready(subject)).map(|(older, _)| older)
}

/// What others would wait for, and how long: from when it could run, or the copy was asked for.
fn older(world: &World, subject: &Subject) -> Option<Older> {
    let hash = subject.request.content_sha256.as_ref()?;
    let since = world.inputs.facts.copying.get(hash).filter(|_| subject.by_itself())?;
    let longest = later(*subject.starts.as_ref()?.max(since), world.inputs.policy.config.run.wait_for_older);
    let until = subject.expire.map_or(longest, |expire| expire.min(longest));
    Some(Older { id: subject.request.request_id, mandatory: subject.mandatory?, until })
}

/// Nothing else is running, and no older one goes first.
pub(super) fn executor(world: &World, subject: &Subject, first: Option<&Older>) -> GateResult {
    let id = subject.request.request_id;
    let gate = machine::executor(world, Some(&id));
    let own = subject.mandatory.filter(|_| subject.by_itself()).map(|mandatory| (mandatory, id));
    let Some(older) = first.filter(|older| own.is_some_and(|own| (older.mandatory, older.id) < own)) else {
        return gate;
    };
    // What is announced stays so: users were told.
    if gate.verdict != Verdict::Pass
        || world.announced(subject).is_some()
        || misses(world, subject, older.until)
    {
        return gate;
    }
    let evidence = world.tell(|| {
        let (mandatory, until) = (stamp(older.mandatory, world.inputs.zone), stamp(older.until, world.inputs.zone));
        format!(
            "{}, mandatory {mandatory}, goes first: its files are being copied; it is waited for until {until} at most \
             ([run] wait_for_older)",
            older.id
        )
    });
    block(Gate::Executor, Code::OlderFirst, Change::At(older.until), evidence)
}

/// Whether it could not start any more by then.
fn misses(world: &World, subject: &Subject, until: Wall) -> bool {
    let open = matches!(opening(world, subject, until), Some(Opening::Always | Opening::Open { .. }));
    subject.expired(until) || !open || world.free_from(until) > until
}
