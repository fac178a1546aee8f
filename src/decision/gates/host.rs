//! The gate about the state of this computer: a pending restart, a start just now, power, disk space. The first of them
//! that is in the way speaks for the gate.

use super::super::model::{Change, GateResult, Power};
use super::super::world::{Subject, World};
use super::{block, pass, unknown};
use crate::clock::between;
use crate::terms::{Code, Gate};
use crate::text::{bytes, duration, stamp};

const GATE: Gate = Gate::Host;

/// What is in the way of every request alike: restart, start, power, in this order.
pub(super) fn of_all(world: &World) -> Option<GateResult> {
    restart(world).or_else(|| booting(world)).or_else(|| power(world))
}

/// What is in the way of a request once the machine has been up for long enough: a start just now speaks for the gate
/// before it does.
pub(in super::super) fn once_settled(world: &World, subject: &Subject) -> GateResult {
    power(world).unwrap_or_else(|| disk(world, subject))
}

/// Only what a package of pcm's wants closes; what else wants a restart is evidence.
fn restart(world: &World) -> Option<GateResult> {
    let (id, attempt) = world.restart?;
    let ended = stamp(attempt.ended_at.unwrap_or(attempt.claimed_at), world.inputs.zone);
    let evidence = world.tell(|| {
        format!("{id} ({}) succeeded {ended} and wants a restart; pcm restart now does it", attempt.package)
    });
    Some(block(GATE, Code::RestartPending, Change::Event, evidence))
}

fn booting(world: &World) -> Option<GateResult> {
    let wait = world.inputs.policy.config.run.after_boot;
    if wait.is_zero() {
        return None;
    }
    let Some(started) = world.inputs.facts.host.started else {
        return Some(unknown(GATE, Code::Booting, world.tell(|| "when the machine started cannot be known")));
    };
    let settled = world.settled_from()?;
    (world.now < settled).then(|| {
        let (ago, wait) = (duration(between(started, world.now)), duration(wait));
        let settled_words = stamp(settled, world.inputs.zone);
        let evidence = world.tell(|| {
            format!("the machine started {ago} ago; nothing runs by itself for {wait}, until {settled_words}")
        });
        block(GATE, Code::Booting, Change::At(settled), evidence)
    })
}

fn power(world: &World) -> Option<GateResult> {
    match &world.inputs.facts.host.power {
        Power::Mains => None,
        Power::Battery(what) => Some(block(
            GATE,
            Code::OnBattery,
            Change::Event,
            world.tell(|| format!("the machine runs on battery: {what}")),
        )),
        Power::Unknown(why) => {
            let evidence =
                world.tell(|| format!("whether the machine runs on battery cannot be known: {why}"));
            Some(unknown(GATE, Code::OnBattery, evidence))
        }
    }
}

/// Where nothing is in the way of all: the space that this request needs.
pub(super) fn disk(world: &World, subject: &Subject) -> GateResult {
    let quiet = || match &world.inputs.facts.host.restart_wanted {
        Some(what) => format!("no restart pending for pcm's packages (but {what}); mains power"),
        None => "no restart pending, mains power".to_owned(),
    };
    match (subject.request.disk_space, world.inputs.facts.disk_free) {
        (None, _) => pass(GATE, Change::Event, world.tell(quiet)),
        (Some(need), None) => {
            let evidence =
                world.tell(|| format!("it needs {} and the free space cannot be known", bytes(need)));
            unknown(GATE, Code::DiskSpace, evidence)
        }
        (Some(need), Some(free)) if free < need => {
            let evidence = world.tell(|| {
                format!("it needs {}, {} are free where the state folder is", bytes(need), bytes(free))
            });
            block(GATE, Code::DiskSpace, Change::Event, evidence)
        }
        (Some(need), Some(free)) => {
            let evidence =
                world.tell(|| format!("{}; {} free of {} needed", quiet(), bytes(free), bytes(need)));
            pass(GATE, Change::Event, evidence)
        }
    }
}
