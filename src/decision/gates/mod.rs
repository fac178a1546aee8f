//! The gates (DESIGN.md 4), in the order in which they are shown: `published` looks at what came from the share, `past`
//! at history, `times` at the clock, `machine` at this computer. Each gate is one function from world and request to a
//! verdict with its code, its evidence in words, and when it can next change. Called by `decide`.

mod machine;
mod past;
mod published;
mod rejected;
mod times;

use super::model::{Change, Code, Gate, GateResult, Verdict};
use super::world::{Subject, World};
use crate::text::SafeText;

pub(super) use published::platforms;
pub(super) use rejected::of_rejected;
pub(super) use times::opening;

/// Every gate of a usable request, in order.
pub(super) fn of_request(world: &World, subject: &Subject) -> Vec<GateResult> {
    vec![
        published::source(world),
        published::record(subject),
        published::trust(world, subject),
        published::platform(world, subject),
        published::kind(subject),
        published::job(world, subject),
        past::history(world, subject),
        times::offer(world, subject),
        times::expiry(world, subject),
        times::mandatory(world, subject),
        times::hold(world),
        times::deferral(world, subject),
        times::window(world, subject),
        machine::users(world, subject),
        machine::clock(world),
        machine::host(world, subject),
        machine::policy(world),
        machine::content(world, subject),
        machine::executor(world, &subject.request.request_id),
    ]
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
