//! The gates of a record that cannot be used: its own gate blocks, what needs no record is judged as always, and the
//! rest is unknown.

use super::super::model::{Change, Code, Gate, GateResult};
use super::super::world::{World, newest};
use super::{block, machine, past, published, times, unknown};
use crate::site::instruction::Rejected;

/// Every gate of a rejected record, in order.
pub(in super::super) fn of_rejected(world: &World, rejected: &Rejected) -> Vec<GateResult> {
    let code = code(rejected);
    let places: Vec<String> = rejected.problems.iter().map(published::place).collect();
    let judge = |gate: &Gate| match *gate {
        Gate::Source => published::source(world),
        Gate::Record => block(Gate::Record, code, Change::Event, places.join("; ")),
        Gate::Trust => published::of_file(world),
        Gate::Hold => times::hold(world),
        Gate::Clock => machine::clock(world),
        Gate::Policy => machine::policy(world),
        Gate::Executor => machine::other_running(world, rejected.request_id.as_ref()),
        Gate::History => {
            let known = rejected.request_id.as_ref().and_then(|id| {
                let adopted = world.inputs.history.adopted.get(id).copied();
                past::closed(world, id, newest(world.inputs, id), adopted, None)
            });
            known.unwrap_or_else(|| cannot_judge(Gate::History, code))
        }
        other => cannot_judge(other, code),
    };
    Gate::ALL.iter().map(judge).collect()
}

fn cannot_judge(gate: Gate, code: Code) -> GateResult {
    unknown(gate, code, "cannot be judged: the record is rejected")
}

/// The code of the first problem.
pub(in super::super) fn code(rejected: &Rejected) -> Code {
    let word = rejected.problems.first().map_or("malformed", |p| p.code.as_str());
    word.parse().unwrap_or(Code::Malformed)
}
