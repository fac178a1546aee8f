//! The gates (DESIGN.md 4), in the order in which they are shown: `published` looks at what came from the share,
//! `target` at whom it is for, `past`
//! at history, `times` at the clock, `machine` and `host` at this computer; `queue` says which of them an operator's run
//! waits for. Each gate is one function from world and
//! request to a verdict with its code, its evidence in words where the world wants to be told, and when it can next
//! change. Called by `decide`.

mod host;
mod machine;
mod past;
mod published;
pub(super) mod queue;
mod target;
mod times;
mod turn;

use super::model::{Change, GateResult};
use super::window::Opening;
use super::world::{Subject, World, newest};
use crate::site::instruction::Rejected;
use crate::terms::{Code, Gate, Verdict};
use crate::text::SafeText;

pub(super) use host::once_settled;
pub(super) use published::{not_vouched, platforms};
pub(super) use target::{is_fulfilled, open_need, waits_after, waits_for_package};
pub(super) use times::opening;
use turn::Older;

/// As many as there are gates, each made in its place: a loop or an array makes it first and moves it there, which took a
/// fifth of a decision.
macro_rules! every_gate {
    ($($result:expr),* $(,)?) => {{
        const { assert!([$(stringify!($result)),*].len() == Gate::ALL.len(), "every gate") };
        vec![$($result),*]
    }};
}

/// Those gates of a request that do not pass. Who decides asks for them many times, and most pass.
#[derive(Clone, Copy)]
pub(super) struct Closed<'g> {
    gates: &'g [GateResult],
    /// A bit for each by its place.
    closed: u64,
}

const _: () = assert!(Gate::ALL.len() < 64, "a bit for each");

impl<'g> Closed<'g> {
    /// Of all gates of a request.
    pub fn of(gates: &'g [GateResult]) -> Closed<'g> {
        let closed = |later: u64, gate: &GateResult| later << 1 | u64::from(gate.verdict != Verdict::Pass);
        Closed { gates, closed: gates.iter().rev().fold(0, closed) }
    }

    /// In order.
    pub fn iter(self) -> impl Iterator<Item = &'g GateResult> {
        let mut left = self.closed;
        std::iter::from_fn(move || {
            let gate = self.gates.get(left.trailing_zeros() as usize)?;
            left &= left - 1;
            Some(gate)
        })
    }
}

/// All gates of one world. Those that are the same for every request are judged once.
pub(super) struct Gates<'w> {
    pub world: &'w World<'w>,
    source: GateResult,
    hold: GateResult,
    clock: GateResult,
    policy: GateResult,
    /// Where the host is in the way of all of them.
    host: Option<GateResult>,
    /// The oldest one that only waits for its files.
    first: Option<Older>,
}

impl<'w> Gates<'w> {
    pub fn new(world: &'w World<'w>) -> Gates<'w> {
        let mut gates = Gates {
            world,
            source: published::source(world),
            hold: times::hold(world),
            clock: machine::clock(world),
            policy: machine::policy(world),
            host: host::of_all(world),
            first: None,
        };
        gates.first = turn::first(&gates);
        gates
    }

    /// Every gate of a usable request, in order. `opening`: what the windows say of it now.
    pub fn of_request(&self, subject: &Subject, opening: Option<Opening>) -> Vec<GateResult> {
        let world = self.world;
        let gates = every_gate![
            self.source.clone(),
            published::record(world, subject),
            target::target(world, subject),
            published::trust(world, subject),
            published::platform(world, subject),
            published::kind(world, subject),
            target::job(world, subject),
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
            turn::executor(world, subject, self.first.as_ref()),
        ];
        debug_assert!(
            gates.iter().map(|result| result.gate).eq(Gate::ALL.iter().copied()),
            "every gate, in order"
        );
        gates
    }

    /// The gates that are the same for every request: no service, a history, a configuration, a hold, a share, a clock or
    /// a host that keeps all of them from starting.
    pub fn of_machine(&self) -> Vec<GateResult> {
        let world = self.world;
        let of_file = world.inputs.instructions.file.is_some().then(|| published::of_file(world));
        let gates = [
            machine::nobody(world),
            past::unknown_past(world),
            past::two_machines(world),
            Some(self.policy.clone()),
            Some(self.hold.clone()),
            Some(self.source.clone()),
            of_file,
            Some(self.clock.clone()),
            self.host.clone(),
        ];
        gates.into_iter().flatten().collect()
    }

    /// Every gate of a record that cannot be used, in order: its own gate blocks, what needs no record is judged as
    /// always, and the rest cannot be known.
    pub fn of_rejected(&self, rejected: &Rejected) -> Vec<GateResult> {
        let (world, code) = (self.world, record_code(rejected));
        let places = || rejected.problems.iter().map(published::place).collect::<Vec<_>>().join("; ");
        let cannot = |gate| unknown(gate, code, world.tell(|| "cannot be judged: the record is rejected"));
        let judge = |gate: &Gate| match *gate {
            Gate::Source => self.source.clone(),
            Gate::Record => block(Gate::Record, code, Change::Event, world.tell(places)),
            Gate::Trust => published::of_file(world),
            Gate::History => {
                let known = rejected.request_id.as_ref().and_then(|id| {
                    let adopted = world.inputs.history.adopted.get(id).copied();
                    past::closed(world, id, newest(world.inputs, id), adopted, None)
                });
                known.unwrap_or_else(|| cannot(Gate::History))
            }
            // The index says that of a job, whatever its file says.
            Gate::Job => {
                let cancelled = rejected.job_id.and_then(|job| target::cancelled(world, job, None));
                cancelled.unwrap_or_else(|| cannot(Gate::Job))
            }
            Gate::Hold => self.hold.clone(),
            Gate::Clock => self.clock.clone(),
            Gate::Policy => self.policy.clone(),
            Gate::Executor => machine::executor(world, rejected.request_id.as_ref()),
            gate @ (Gate::Target
            | Gate::Platform
            | Gate::Kind
            | Gate::Offer
            | Gate::Expiry
            | Gate::Mandatory
            | Gate::Deferral
            | Gate::Window
            | Gate::Users
            | Gate::Host
            | Gate::Content) => cannot(gate),
        };
        Gate::ALL.iter().map(judge).collect()
    }
}

/// The code of a record's first problem.
fn record_code(rejected: &Rejected) -> Code {
    let code = rejected.problems.first().and_then(|problem| problem.code.parse().ok());
    code.unwrap_or(Code::Malformed)
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
