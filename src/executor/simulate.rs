//! `pcm simulate` as a document: the decision core's virtual clock on a machine's situation. Called by whoever is the
//! executor, and by the command line for an instruction file that is not published.

use super::talk::protocol::Wanted;
use super::talk::protocol::busy;
use super::talk::view::{SimulateDoc, SimulatedDoc, StepDoc};
use crate::decision::simulate::{Situation, Timeline, simulate_while};
use crate::error::{Exit, Failure, Result};
use crate::terms::{Code, State};
use crate::text::SafeText;

/// The longest time that is simulated, in days.
pub const MAX_DAYS: i64 = 400;

/// Runs the simulation. Takes up to some seconds of one processor.
///
/// # Errors
/// No such request; a time that is empty or too long; `go_on` said no.
pub fn run(situation: &Situation, wanted: &Wanted, go_on: &dyn Fn() -> bool) -> Result<SimulateDoc> {
    let usage = |why: &str| Failure::new(Exit::Usage, "usage", why, "Name times with --from and --until");
    if wanted.until <= wanted.from {
        return Err(usage("the simulation would end before it begins"));
    }
    if wanted.until - wanted.from > chrono::TimeDelta::days(MAX_DAYS) {
        return Err(usage(&format!("that is longer than {MAX_DAYS} days")));
    }
    let inputs = situation.inputs(wanted.from);
    let course = simulate_while(&inputs, wanted.from, wanted.until, &wanted.assume, go_on)
        .ok_or_else(|| busy("this simulation made room for another"))?;
    let asked = |t: &&Timeline| match wanted.request {
        Some(_) => t.request_id == wanted.request,
        None => !is_for_others(t),
    };
    let requests: Vec<SimulatedDoc> = course.timelines.iter().filter(asked).map(document).collect();
    if let (Some(id), true) = (wanted.request, requests.is_empty()) {
        return Err(Failure::new(
            Exit::NotFound,
            "no-such-request",
            format!("{id} is neither in the instruction file nor in this machine's history"),
            "pcm list --all shows every request of this machine",
        ));
    }
    let file = situation.instructions.file.as_ref();
    Ok(SimulateDoc {
        from: wanted.from,
        until: course.until,
        complete: course.until == wanted.until,
        machine: file.map(|file| file.machine),
        serial: file.map(|file| file.serial),
        assumed: wanted.assume.words(&situation.instructions, &situation.facts),
        requests,
    })
}

/// A job of an index that is for others, all the time.
fn is_for_others(timeline: &Timeline) -> bool {
    let others = |step: &crate::decision::simulate::Step| {
        step.state == State::NotApplicable && step.code == Some(Code::NotTargeted)
    };
    !timeline.changes.is_empty() && timeline.changes.iter().all(others)
}

fn document(timeline: &Timeline) -> SimulatedDoc {
    let step =
        |step: &crate::decision::simulate::Step| StepDoc { at: step.at, state: step.state, code: step.code };
    SimulatedDoc {
        request_id: timeline.request_id,
        package: timeline.package.clone(),
        at: timeline.at,
        latest: timeline.latest,
        never: timeline.never,
        why: SafeText::new(timeline.why.as_str().trim_end_matches('.')),
        changes: timeline.changes.iter().map(step).collect(),
    }
}
