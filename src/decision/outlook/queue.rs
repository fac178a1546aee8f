//! When operators' runs start that wait in the queue: one after the other, before what is due by itself. What of the two
//! comes between the others is not followed: where both wait, only the earliest times are known.

use super::super::decide::was_asked_for;
use super::super::gates::{Gates, opening, queue, waits_after};
use super::super::model::{Change, Inputs, NextRun};
use super::super::world::{Subject, Words, World};
use crate::clock::{Wall, later};
use crate::site::ids::RequestId;
use crate::site::instruction::{Entry, Request, Restarts};
use crate::terms::{Gate, Verdict};
use std::time::Duration;

/// A run in the queue.
pub(super) struct Waiting<'a> {
    pub request: &'a Request,
    /// Nothing but time and another run keeps it from starting from then on.
    from: Wall,
    /// That stays so, and the machine does not restart after it.
    stays: bool,
}

/// When the machine is free, and how long what starts then takes at least and at the longest.
pub(super) struct Line<'f> {
    pub from: Wall,
    pub until: Wall,
    pub takes: &'f dyn Fn(&Request) -> (Duration, Duration),
    /// Something may start by itself in between.
    pub others: bool,
}

/// Those that start by themselves, in their order. `inputs`: as it is once nothing runs; `runs`: what does until then.
pub(super) fn waiting<'a>(inputs: &Inputs<'a>, runs: Option<&'a Request>) -> Vec<Waiting<'a>> {
    if inputs.history.queue.is_empty() {
        return Vec::new();
    }
    let world = World::new(inputs, Words::Nothing);
    let gates = Gates::new(&world);
    let entries = || inputs.instructions.file.iter().flat_map(|file| &file.requests).enumerate();
    let each = inputs.history.queue.iter().filter_map(|queued| {
        let (index, request) = entries().find_map(|(index, entry)| match entry {
            Entry::Good(request) if request.request_id == queued.request => Some((index, &**request)),
            Entry::Good(_) | Entry::Rejected(_) => None,
        })?;
        let subject = Subject::new(&world, index, request);
        let gates = gates.of_request(&subject, opening(&world, &subject, world.now));
        let from = queue::next_start(&world, &subject, &gates)?;
        let closes = gates.iter().any(|gate| {
            matches!(gate.gate, Gate::Expiry | Gate::Hold | Gate::Window)
                && gate.verdict == Verdict::Pass
                && matches!(gate.change, Change::At(_))
        });
        // Another one can remove what it needs.
        let queue = inputs.history.queue.iter().filter_map(|queued| request_of(inputs, &queued.request));
        let closes = closes || queue.chain(runs).any(|other| waits_after(&world, &subject, other));
        let stays = !closes && from <= world.now && request.restarts != Restarts::Pcm;
        Some(Waiting { request, from, stays })
    });
    each.collect()
}

/// What is published of a request.
pub(super) fn request_of<'a>(inputs: &Inputs<'a>, id: &RequestId) -> Option<&'a Request> {
    let entries = inputs.instructions.file.iter().flat_map(|file| &file.requests);
    entries.filter_map(Entry::good).find(|request| request.request_id == *id)
}

/// Their times where the machine is free from then on.
pub(super) fn foretell(inputs: &Inputs, waiting: &[Waiting], line: &Line) -> Vec<(RequestId, NextRun)> {
    let (mut from, mut until) = (line.from, line.until);
    // As long as each before it starts for certain when its turn comes.
    let mut certain = true;
    let first = line.others && !was_asked_for(inputs.history);
    let each = waiting.iter().enumerate().map(|(place, one)| {
        let at = if certain { from } else { line.from };
        let alone = !line.others || first && place == 0;
        let latest = Some(until).filter(|_| certain && one.stays && alone);
        certain &= one.stays;
        let (least, longest) = (line.takes)(one.request);
        (from, until) = (later(from, least), later(until, longest));
        (one.request.request_id, NextRun { at: at.max(one.from), latest })
    });
    each.collect()
}
