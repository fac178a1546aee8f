//! The gates of a record that cannot be used: its own gate blocks, what needs no record is judged as always, and the
//! rest is unknown.

use super::super::model::{Change, GateResult};
use super::super::world::{World, newest};
use super::{Gates, block, machine, past, published, unknown};
use crate::site::instruction::Rejected;
use crate::terms::{Code, Gate};

impl Gates<'_> {
    /// Every gate of a rejected record, in order.
    pub fn of_rejected(&self, rejected: &Rejected) -> Vec<GateResult> {
        let (world, code) = (self.world, code(rejected));
        let places = || rejected.problems.iter().map(published::place).collect::<Vec<_>>().join("; ");
        let judge = |gate: &Gate| match *gate {
            Gate::Source => self.source.clone(),
            Gate::Record => block(Gate::Record, code, Change::Event, world.tell(places)),
            Gate::Trust => published::of_file(world),
            Gate::Hold => self.hold.clone(),
            Gate::Clock => self.clock.clone(),
            Gate::Policy => self.policy.clone(),
            Gate::Executor => machine::executor(world, rejected.request_id.as_ref()),
            Gate::History => {
                let known = rejected.request_id.as_ref().and_then(|id| {
                    let adopted = world.inputs.history.adopted.get(id).copied();
                    past::closed(world, id, newest(world.inputs, id), adopted, None)
                });
                known.unwrap_or_else(|| cannot_judge(world, Gate::History, code))
            }
            other => cannot_judge(world, other, code),
        };
        Gate::ALL.iter().map(judge).collect()
    }
}

fn cannot_judge(world: &World, gate: Gate, code: Code) -> GateResult {
    unknown(gate, code, world.tell(|| "cannot be judged: the record is rejected"))
}

/// The code of the first problem.
fn code(rejected: &Rejected) -> Code {
    let word = rejected.problems.first().map_or("malformed", |p| p.code.as_str());
    word.parse().unwrap_or(Code::Malformed)
}
