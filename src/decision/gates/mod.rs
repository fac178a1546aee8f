//! The gates (DESIGN.md 4), in the order in which they are shown: `published` looks at what came from the share, `past`
//! at history, `times` at the clock, `machine` and `host` at this computer. Each gate is one function from world and
//! request to a verdict with its code, its evidence in words where the world wants to be told, and when it can next
//! change. Called by `decide`.

mod host;
mod machine;
mod past;
mod published;
mod rejected;
mod times;

use super::model::{Change, GateResult};
use super::window::Opening;
use super::world::{Subject, World};
use crate::terms::{Code, Gate, Verdict};
use crate::text::SafeText;

pub(super) use published::platforms;
pub(super) use times::opening;

/// All gates of one world. Those that are the same for every request are judged once.
pub(super) struct Gates<'w> {
    pub world: &'w World<'w>,
    source: GateResult,
    hold: GateResult,
    clock: GateResult,
    policy: GateResult,
    /// Where the host is in the way of all of them.
    host: Option<GateResult>,
}

impl<'w> Gates<'w> {
    pub fn new(world: &'w World<'w>) -> Gates<'w> {
        Gates {
            world,
            source: published::source(world),
            hold: times::hold(world),
            clock: machine::clock(world),
            policy: machine::policy(world),
            host: host::of_all(world),
        }
    }

    /// Every gate of a usable request, in order. `opening`: what the windows say of it now.
    pub fn of_request(&self, subject: &Subject, opening: Option<Opening>) -> Vec<GateResult> {
        let world = self.world;
        vec![
            self.source.clone(),
            published::record(world, subject),
            published::trust(world, subject),
            published::platform(world, subject),
            published::kind(world, subject),
            published::job(world, subject),
            past::history(world, subject),
            times::offer(world, subject),
            times::expiry(world, subject),
            times::mandatory(world, subject),
            self.hold.clone(),
            times::deferral(world, subject),
            times::window(world, subject, opening),
            machine::users(world, subject),
            self.clock.clone(),
            self.host.clone().unwrap_or_else(|| host::disk(world, subject)),
            self.policy.clone(),
            machine::content(world, subject),
            machine::executor(world, Some(&subject.request.request_id)),
        ]
    }
}

fn pass(gate: Gate, change: Change, evidence: impl Into<SafeText>) -> GateResult {
    GateResult { gate, verdict: Verdict::Pass, code: None, evidence: evidence.into(), change }
}

fn block(gate: Gate, code: Code, change: Change, evidence: impl Into<SafeText>) -> GateResult {
    GateResult { gate, verdict: Verdict::Block, code: Some(code), evidence: evidence.into(), change }
}

/// What cannot be known closes like what blocks, and changes when it becomes known.
fn unknown(gate: Gate, code: Code, evidence: impl Into<SafeText>) -> GateResult {
    GateResult {
        gate,
        verdict: Verdict::Unknown,
        code: Some(code),
        evidence: evidence.into(),
        change: Change::Event,
    }
}
