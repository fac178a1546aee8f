//! Gates that open and close by time: offer, expiry, mandatory, hold, deferral, window.

use super::super::model::{Change, GateResult};
use super::super::window::Opening;
use super::super::world::{Subject, World};
use super::{block, pass, unknown};
use crate::clock::{Wall, between, earlier, later};
use crate::terms::{Code, Gate};
use crate::text::{duration, stamp};
use std::time::Duration;

pub(super) fn offer(world: &World, subject: &Subject) -> GateResult {
    let (gate, at) = (Gate::Offer, subject.offer);
    if world.now < at {
        let evidence = world.tell(|| format!("offered from {}", stamp(at, world.inputs.zone)));
        return block(gate, Code::NotOffered, Change::At(at), evidence);
    }
    pass(gate, Change::Never, world.tell(|| format!("offered since {}", stamp(at, world.inputs.zone))))
}

pub(super) fn expiry(world: &World, subject: &Subject) -> GateResult {
    let gate = Gate::Expiry;
    match subject.expire {
        None => pass(gate, Change::Never, world.tell(|| "never expires")),
        Some(at) if subject.expired(world.now) => {
            let evidence = world.tell(|| format!("expired {}", stamp(at, world.inputs.zone)));
            block(gate, Code::Expired, Change::Never, evidence)
        }
        Some(at) => {
            pass(gate, Change::At(at), world.tell(|| format!("expires {}", stamp(at, world.inputs.zone))))
        }
    }
}

pub(super) fn mandatory(world: &World, subject: &Subject) -> GateResult {
    let gate = Gate::Mandatory;
    let zone = world.inputs.zone;
    match subject.mandatory.zip(subject.starts) {
        None => block(
            gate,
            Code::Optional,
            Change::Never,
            world.tell(|| "never mandatory: only an operator runs it"),
        ),
        Some((at, starts)) if world.now < starts => {
            let evidence = world.tell(|| {
                let mandatory = if world.now < at { "from" } else { "since" };
                format!("mandatory {mandatory} {}{}", stamp(at, zone), turn(world, at, starts))
            });
            block(gate, Code::NotMandatoryYet, Change::At(starts), evidence)
        }
        Some((at, starts)) => {
            let evidence =
                world.tell(|| format!("mandatory since {}{}", stamp(at, zone), turn(world, at, starts)));
            pass(gate, Change::Never, evidence)
        }
    }
}

/// This machine's turn, where `[run] spread` gives it one.
fn turn(world: &World, mandatory: Wall, starts: Wall) -> String {
    match starts > mandatory {
        true => format!(", on this machine from {} ([run] spread)", stamp(starts, world.inputs.zone)),
        false => String::new(),
    }
}

/// The operator's hold, and freezes of the site and the machine.
pub(super) fn hold(world: &World) -> GateResult {
    let (gate, now, zone) = (Gate::Hold, world.now, world.inputs.zone);
    let free = world.free_from(now);
    if let Some(hold) = world.inputs.history.hold.as_ref().filter(|h| now < h.until) {
        let evidence = world.tell(|| {
            format!(
                "{} holds all automatic runs until {}: {:?}",
                hold.by,
                stamp(hold.until, zone),
                hold.reason
            )
        });
        return block(gate, Code::Held, Change::At(free), evidence);
    }
    if let Some(freeze) = world.freezes.iter().find(|f| f.from <= now && now < f.until) {
        let evidence = world.tell(|| {
            format!("{} is frozen until {}: {:?}", freeze.whose, stamp(freeze.until, zone), freeze.reason)
        });
        return block(gate, Code::Frozen, Change::At(free), evidence);
    }
    match world.freezes.iter().filter(|f| now < f.from && f.from < f.until).map(|f| f.from).min() {
        Some(next) => pass(
            gate,
            Change::At(next),
            world.tell(|| format!("no hold; the next freeze begins {}", stamp(next, zone))),
        ),
        None => pass(gate, Change::Event, world.tell(|| "no hold, no freeze")),
    }
}

pub(super) fn deferral(world: &World, subject: &Subject) -> GateResult {
    let gate = Gate::Deferral;
    match (subject.deferral, subject.deferred_until(world.now)) {
        (Some(deferral), Some(until)) => {
            let evidence = world.tell(|| {
                let until = stamp(until, world.inputs.zone);
                format!("{} deferred it until {until}: {:?}", deferral.by, deferral.reason)
            });
            block(gate, Code::Deferred, Change::At(until), evidence)
        }
        _ => pass(gate, Change::Event, world.tell(|| "not deferred")),
    }
}

/// What the windows say of a request at an instant; None: they do not concern it, or cannot be read.
pub(in super::super) fn opening(world: &World, subject: &Subject, t: Wall) -> Option<Opening> {
    if subject.request.ignore_windows {
        return Some(Opening::Always);
    }
    world.calendar.as_ref().as_ref().ok().map(|calendar| calendar.at(t, subject.request.max_run_time))
}

pub(super) fn window(world: &World, subject: &Subject, opening: Option<Opening>) -> GateResult {
    let (gate, now, need) = (Gate::Window, world.now, subject.request.max_run_time);
    let zone = world.inputs.policy.window_zone.as_ref().unwrap_or(world.inputs.zone);
    let stamp = |at: Wall| stamp(at, zone);
    // Which groups have a say in it.
    let whose = || {
        let groups = world.inputs.policy.groups.iter().filter(|group| group.windows.is_some());
        let names: Vec<&str> = groups.map(|group| group.group.as_str()).collect();
        match names.is_empty() {
            true => String::new(),
            false => format!(" (with the windows of groups: {})", names.join(", ")),
        }
    };
    match opening {
        None => {
            let why = || world.calendar.as_ref().as_ref().err().cloned().unwrap_or_default();
            unknown(gate, Code::PolicyUnreadable, world.tell(why))
        }
        Some(Opening::Always) if subject.request.ignore_windows => {
            pass(gate, Change::Event, world.tell(|| "it ignores maintenance windows"))
        }
        Some(Opening::Always) => {
            pass(gate, Change::Event, world.tell(|| "no maintenance windows: always open"))
        }
        Some(Opening::Open { until }) => {
            // Exactly long enough still fits; a second later it does not.
            let closes = later(earlier(until, need), Duration::from_secs(1));
            let evidence = world
                .tell(|| format!("open until {}; it may take {}{}", stamp(until), duration(need), whose()));
            pass(gate, Change::At(closes), evidence)
        }
        Some(Opening::TooShort { until, next }) => {
            let evidence = world.tell(|| {
                format!(
                    "open until {}: {} left, it may take {}; the next one long enough opens {}{}",
                    stamp(until),
                    duration(between(now, until)),
                    duration(need),
                    stamp(next),
                    whose()
                )
            });
            block(gate, Code::WindowTooShort, Change::At(next), evidence)
        }
        Some(Opening::Closed { next }) => {
            let evidence = world.tell(|| {
                let (need, next) = (duration(need), stamp(next));
                format!("closed; the next one long enough for {need} opens {next}{}", whose())
            });
            block(gate, Code::WindowClosed, Change::At(next), evidence)
        }
        Some(Opening::NeverFits { longest }) => {
            let evidence = world.tell(|| {
                let (need, longest) = (duration(need), duration(longest));
                format!("it may take {need}; the longest maintenance window is {longest}{}", whose())
            });
            block(gate, Code::WindowNeverFits, Change::Never, evidence)
        }
    }
}
