//! When a request runs by itself if nothing but time changes, and why an expired one did not. Pure; called by `decide`
//! and `why`.

use super::gates::{Closed, once_settled, opening};
use super::model::Change;
use super::window::Opening;
use super::world::{Subject, World, good_until};
use crate::clock::{Wall, earlier};
use crate::terms::{Code, Gate, Verdict};
use std::time::Duration;

/// The more rounds than a hold, all freezes and windows between them can need.
const ROUNDS: usize = 4_096;

/// The first instant from now on at which every gate passes if nothing but time changes: the share goes on answering
/// if it answers now, a run that is under way has ended by then, and everything else stays as it is. None: an event is
/// needed (that a service runs, too), or it is too late by then.
pub(super) fn next_run(
    world: &World,
    subject: &Subject,
    closed: Closed,
    now: Option<Opening>,
) -> Option<Wall> {
    if !world.inputs.facts.service {
        return None;
    }
    if closed.iter().any(|g| g.gate != Gate::Executor && !matches!(g.change, Change::At(_))) {
        return None;
    }
    if closed.iter().any(|g| g.gate == Gate::Host) && once_settled(world, subject).verdict != Verdict::Pass {
        return None;
    }
    let turn = closed.iter().find(|g| g.gate == Gate::Executor).map(|g| g.change);
    // While an older one is waited for, the time is known at which it is not any more.
    let turn_comes = turn.and_then(|change| match change {
        Change::At(at) => Some(at),
        Change::Event | Change::Never => None,
    });
    let busy = turn.is_some() && turn_comes.is_none();
    let deferred = subject.deferral.and_then(|d| d.until);
    let earliest = [subject.starts, subject.retry_at(), deferred, world.settled_from(), turn_comes]
        .into_iter()
        .flatten();
    let mut t = earliest.fold(world.now.max(subject.offer), Wall::max);
    for _ in 0..ROUNDS {
        t = world.free_from(t);
        let then = if t == world.now { now } else { opening(world, subject, t) };
        match then? {
            Opening::Always | Opening::Open { .. } => {
                let waits_for_its_end = busy && t <= world.now;
                return (!waits_for_its_end && in_time(world, subject, t)).then_some(t);
            }
            Opening::Closed { next } | Opening::TooShort { next, .. } => t = next,
            Opening::NeverFits { .. } => return None,
        }
        if !in_time(world, subject, t) {
            return None;
        }
    }
    None
}

/// Whether it expires before its own times and the windows open its way: it never runs by itself, whatever becomes of all
/// other gates. A hold and a deferral can be ended, a freeze be published anew: they are none of these.
pub(super) fn too_late(world: &World, subject: &Subject) -> bool {
    if subject.expire.is_none() {
        return false;
    }
    let own = [subject.starts, subject.retry_at()].into_iter().flatten();
    let mut t = own.fold(world.now.max(subject.offer), Wall::max);
    for _ in 0..ROUNDS {
        if subject.expired(t) {
            return true;
        }
        match opening(world, subject, t) {
            Some(Opening::Closed { next } | Opening::TooShort { next, .. }) => t = next,
            Some(Opening::Always | Opening::Open { .. } | Opening::NeverFits { .. }) | None => return false,
        }
    }
    false
}

/// Whether neither the request nor the instruction file has run out by then.
fn in_time(world: &World, subject: &Subject, t: Wall) -> bool {
    !subject.expired(t) && good_until(world.inputs).is_none_or(|end| t < end)
}

/// What kept an expired request from running, as far as time tells it: the code at the last second before it expired.
pub(super) fn missed(world: &World, subject: &Subject) -> Option<Code> {
    let last = earlier(subject.expire?, Duration::from_secs(1));
    let request = subject.request;
    if !request.background {
        return Some(Code::ApplicationOnly);
    }
    match subject.starts {
        None => return Some(Code::Optional),
        Some(at) if last < at => return Some(Code::NotMandatoryYet),
        Some(_) => {}
    }
    if subject.deferred_until(last).is_some() {
        return Some(Code::Deferred);
    }
    if world.inputs.history.hold.as_ref().is_some_and(|h| h.at <= last && last < h.until) {
        return Some(Code::Held);
    }
    if world.freezes.iter().any(|freeze| freeze.from <= last && last < freeze.until) {
        return Some(Code::Frozen);
    }
    match opening(world, subject, last)? {
        Opening::Always | Opening::Open { .. } => None,
        Opening::Closed { .. } => Some(Code::WindowClosed),
        Opening::TooShort { .. } => Some(Code::WindowTooShort),
        Opening::NeverFits { .. } => Some(Code::WindowNeverFits),
    }
}
