//! What keeps everything from starting by itself, and what of the mandatory requests never will: what every view says of
//! the machine as a whole. Pure; called by the executor's views.

use super::gates::Gates;
use super::model::{Change, Decision, Inputs};
use super::window::Opening;
use super::world::{Whose, Words, World};
use crate::clock::Wall;
use crate::terms::{Code, Gate, Group, Verdict};
use crate::text::{SafeText, stamp};
use chrono::TimeDelta;
use std::collections::BTreeSet;
use std::time::Duration;

/// One thing that keeps every request of this machine from starting by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standstill {
    /// Why.
    pub code: Code,
    /// Until when, where time alone ends it.
    pub until: Option<Wall>,
    /// In words, with what ends it.
    pub why: SafeText,
}

/// Everything that keeps all requests from starting by themselves, the hardest to miss first. Empty: what is due starts.
pub fn standstill(inputs: &Inputs) -> Vec<Standstill> {
    let world = World::new(inputs, Words::Evidence);
    let gates = Gates::new(&world);
    let closed = gates.of_machine().into_iter().filter(|gate| gate.verdict != Verdict::Pass);
    let told = closed.filter_map(|gate| {
        let code = gate.code?;
        let until = match gate.change {
            Change::At(at) => Some(at),
            Change::Event | Change::Never => None,
        };
        let (evidence, remedy) = (gate.evidence.as_str(), code.row().remedy);
        let said = evidence.contains(remedy) || evidence.contains("; pcm ");
        let why = if said { gate.evidence } else { format!("{evidence}. {remedy}").into() };
        Some(Standstill { code, until, why })
    });
    told.collect()
}

/// For how long windows and freezes may keep everything from starting before that is a problem (SITE.md 2).
const LONG: TimeDelta = TimeDelta::days(30);
/// More rounds than all freezes, and the windows between them, need.
const ROUNDS: usize = 4_096;

/// That windows and freezes, whoever laid them down, let nothing start by itself for more than 30 days, in words. None: they do,
/// or it cannot be known.
pub fn closed_for_long(inputs: &Inputs) -> Option<SafeText> {
    let world = World::new(inputs, Words::Evidence);
    let (end, mut t) = (inputs.now + LONG, inputs.now);
    let mut opens = None;
    for _ in 0..ROUNDS {
        t = world.thawed_from(t);
        match world.calendar.as_ref().as_ref().ok()?.at(t, Duration::ZERO) {
            Opening::Always | Opening::Open { .. } => opens = Some(t),
            Opening::Closed { next } | Opening::TooShort { next, .. } if next < Wall::MAX_UTC => {
                t = next;
                continue;
            }
            Opening::Closed { .. } | Opening::TooShort { .. } | Opening::NeverFits { .. } => {}
        }
        break;
    }
    if opens.is_some_and(|opens| opens <= end) {
        return None;
    }
    let until = match opens {
        Some(opens) => format!("before {}", stamp(opens, inputs.zone)),
        None => "at any time to come".to_owned(),
    };
    let frozen = world.freezes.iter().filter(|freeze| freeze.until > inputs.now && freeze.from < end);
    let mut whose: BTreeSet<String> = frozen.map(|freeze| freeze.whose.to_string()).collect();
    let groups = inputs.policy.groups.iter().filter(|group| group.windows.is_some());
    whose.extend(groups.map(|group| Whose::Group(&group.group).to_string()));
    if !inputs.policy.config.windows.weekly.is_empty() {
        whose.insert(Whose::Machine.to_string());
    }
    let whose: Vec<String> = whose.into_iter().collect();
    Some(SafeText::new(&format!(
        "windows and freezes ({}) let nothing start by itself {until}, which is more than 30 days. Shorten them: at the site in \
         policy/GROUP.toml, here in [windows] and [[freeze]] of the configuration",
        whose.join(", ")
    )))
}

/// Why a mandatory request that is pending will never run by itself as things are configured and published: no window
/// is long enough for it, or it expires before time opens its way. None: it may run.
pub fn hopeless(decision: &Decision) -> Option<Code> {
    let pending = decision.state.group() == Group::Pending && decision.queued.is_none();
    if !pending || decision.mandatory_after.is_none() {
        return None;
    }
    let closed = || decision.gates.iter().filter(|gate| gate.verdict != Verdict::Pass);
    if closed().any(|gate| gate.code == Some(Code::WindowNeverFits)) {
        return Some(Code::WindowNeverFits);
    }
    let by_time = |gate: Gate| matches!(gate, Gate::Mandatory | Gate::Hold | Gate::Deferral | Gate::Window);
    let only_time = closed().all(|gate| by_time(gate.gate) && matches!(gate.change, Change::At(_)));
    let too_late = decision.expire_after.is_some() && decision.next_run.is_none();
    (closed().next().is_some() && only_time && too_late).then_some(Code::Expired)
}
