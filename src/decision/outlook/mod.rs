//! When each request starts by itself: the one answer to "when does it run next?" that every view gives (list, explain,
//! status, simulate, the week). A pair of times: at the earliest, and at the latest, if every run takes between its usual
//! time and its limit, succeeds, and nothing else happens but time. Pure; called by the executor's views and by
//! `simulate`.
//!
//! `lane` says when one request could start if it were alone, `paths` follows who starts after whom, `queue` what operators
//! have queued.

mod lane;
mod paths;
mod queue;

use super::model::{Decision, Facts, Inputs, Instructions, NextRun};
use super::usual::RunTime;
use super::why;
use crate::site::content::ContentFact;
use crate::site::ids::RequestId;
use crate::site::instruction::Entry;
use crate::terms::{Group, State};
use std::collections::BTreeMap;
use std::sync::Arc;

/// When each request that starts by itself does so next.
pub type NextRuns = BTreeMap<RequestId, NextRun>;

/// All that start by themselves, as things stand: files are where they are, and who is logged on stays so.
pub(super) fn outlook(inputs: &Inputs, runs_take: RunTime) -> NextRuns {
    if !inputs.facts.service {
        return BTreeMap::new();
    }
    paths::all(inputs, runs_take)
}

/// The same as every view tells it: files that are still to be copied arrive at once where the share answers, as in a
/// simulation that nobody has told otherwise.
pub fn next_runs(inputs: &Inputs) -> NextRuns {
    let mut facts = inputs.facts.clone();
    if inputs.instructions.fault.is_none() {
        arrive(inputs.instructions, &mut facts, false);
    }
    outlook(&Inputs { facts: &facts, ..*inputs }, RunTime::Usual)
}

/// Gives decisions of these inputs the times of their next runs: [`next_runs`] of these inputs, which may be known already, and
/// are asked for only where it matters.
pub fn foretell(inputs: &Inputs, decisions: &mut [Decision], next_runs: impl FnOnce() -> Arc<NextRuns>) {
    let comes = |d: &Decision| d.state == State::Countdown || (may_come(d) && !d.never);
    // Who asks for one that is over has no need of the others.
    if !decisions.iter().any(comes) {
        return;
    }
    let next_runs = next_runs();
    for decision in decisions.iter_mut().filter(|d| comes(d)) {
        let next = decision.request_id.and_then(|id| next_runs.get(&id)).copied();
        retime(decision, next, inputs);
    }
}

/// Whether it is pending, or would be if another one undid what is there already.
fn may_come(decision: &Decision) -> bool {
    decision.state.group() == Group::Pending || decision.state == State::NotNeeded
}

/// Lets files that are not here arrive at once; `tried`: also what could not be copied before.
pub(super) fn arrive(instructions: &Instructions, facts: &mut Facts, tried: bool) {
    facts.copying.clear();
    for entry in instructions.file.iter().flat_map(|file| &file.requests) {
        let Entry::Good(request) = entry else { continue };
        let Some(hash) = &request.content_sha256 else { continue };
        match facts.content.get_mut(hash) {
            None => drop(facts.content.insert(hash.clone(), ContentFact::Staged)),
            Some(here) if tried && matches!(here, ContentFact::Missing(_)) => *here = ContentFact::Staged,
            Some(_) => {}
        }
    }
}

/// Puts it into a decision, and into its few words.
fn retime(decision: &mut Decision, next: Option<NextRun>, inputs: &Inputs) {
    if let Some(words) = why::foretold(decision, next, inputs) {
        decision.why = words;
    }
    decision.next_run = next.map(|next| next.at);
    decision.latest = next.and_then(|next| next.latest);
}
