//! One request, and when it could start if it were alone on the machine: the times in which every gate but that of the
//! executor is open.

use super::super::gates::opening;
use super::super::window::Opening;
use super::super::world::{Subject, World};
use crate::clock::{Wall, earlier, later};
use crate::site::ids::RequestId;
use std::time::Duration;

/// The more rounds than a hold, all freezes and windows between them can need.
const ROUNDS: usize = 4_096;

/// A time in which it could start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    /// From here on.
    pub from: Wall,
    /// Not from here on any more.
    pub until: Wall,
    /// What shortens a countdown so that it starts all the same: its expiry, a freeze, the end of a window.
    pub closes: Wall,
}

/// What a request turns that runs and succeeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Turns {
    /// Which test, by its place.
    pub test: usize,
    /// From installed to not installed; else the other way.
    pub removes: bool,
}

/// Another request that one waits for, or that takes its place: it is fulfilled once it has run, and while it has nothing
/// to do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Other {
    /// Its place, where it starts by itself.
    pub lane: Option<usize>,
    /// What it has to do, where that counts.
    pub need: Option<Turns>,
}

/// A request that starts by itself.
pub(super) struct Lane<'a> {
    pub subject: Subject<'a>,
    /// Its place among those that are due: by mandatory time, then by its id.
    pub order: (Option<Wall>, RequestId),
    pub usual: Duration,
    pub longest: Duration,
    /// Those that have to be fulfilled before it.
    pub after: Vec<Other>,
    /// Those whose being fulfilled leaves nothing of it.
    pub unless: Vec<Other>,
    /// What it has to do; None: it always has something.
    pub need: Option<Turns>,
    /// Those that are known, oldest first.
    spans: Vec<Span>,
    /// The one that was asked for last: questions come roughly in the order of time.
    last: usize,
    /// There are no more.
    ends: bool,
}

impl<'a> Lane<'a> {
    pub fn new(subject: Subject<'a>, usual: Duration, longest: Duration) -> Lane<'a> {
        let order = (subject.mandatory, subject.request.request_id);
        let (after, unless) = (Vec::new(), Vec::new());
        Lane {
            subject,
            order,
            usual,
            longest,
            after,
            unless,
            need: None,
            spans: Vec::new(),
            last: 0,
            ends: false,
        }
    }

    pub fn id(&self) -> RequestId {
        self.subject.request.request_id
    }

    /// The first such time that is not over at `t`. None: it never starts from then on.
    pub fn span(&mut self, world: &World, valid: Wall, t: Wall) -> Option<Span> {
        let over = |span: &Span| span.until <= t;
        if self.spans.get(self.last).is_none_or(over) || self.last > 0 && !over(&self.spans[self.last - 1]) {
            self.last = self.spans.partition_point(over);
        }
        while self.last == self.spans.len() {
            let known = self.spans.last().map_or(world.now, |span| span.until);
            let next = (!self.ends).then(|| next(world, &self.subject, valid, known)).flatten();
            let Some(next) = next else {
                self.ends = true;
                return None;
            };
            self.spans.push(next);
            self.last += usize::from(over(&next));
        }
        self.spans.get(self.last).copied()
    }
}

/// The first time from `t` on in which it could start. `valid`: what is published counts until then.
fn next(world: &World, subject: &Subject, valid: Wall, t: Wall) -> Option<Span> {
    let deferred = subject.deferral.and_then(|d| d.until);
    let earliest = [subject.starts, subject.retry_at(), deferred, world.settled_from()].into_iter().flatten();
    let mut from = earliest.fold(t.max(subject.offer), Wall::max);
    for _ in 0..ROUNDS {
        from = world.free_from(from);
        if subject.expired(from) || from >= valid {
            return None;
        }
        let window = match opening(world, subject, from)? {
            Opening::Always => Wall::MAX_UTC,
            // Exactly long enough still fits; a second later it does not.
            Opening::Open { until } => {
                later(earlier(until, subject.request.max_run_time), Duration::from_secs(1))
            }
            Opening::Closed { next } | Opening::TooShort { next, .. } => {
                from = next;
                continue;
            }
            Opening::NeverFits { .. } => return None,
        };
        let freezes = world.freezes.iter().filter(|f| from < f.from && f.from < f.until).map(|f| f.from);
        let closes = freezes.chain(subject.expire).fold(window, Wall::min);
        return Some(Span { from, until: closes.min(valid), closes });
    }
    None
}
