//! Whether pcm restarts the machine after a package that wants it (DESIGN.md 4 and 7): who wants it, what is in the way,
//! and what an operator may do about it. Pure; the executor carries it out, every view shows it.

use super::model::{Attempt, Inputs, Refusal, RestartOrder, RestartRule};
use super::window::Opening;
use super::world::{Words, World};
use crate::clock::{Wall, between, later};
use crate::site::ids::RequestId;
use crate::site::instruction::{Restarts, RunWhen};
use crate::terms::{Code, RefusalCode, Refused};
use crate::text::{SafeText, duration, stamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Where a restart stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestartState {
    /// No package of pcm's wants one.
    None,
    /// One is pending, and pcm does not do it by itself.
    ByHand,
    /// An operator wants pcm not to do it by itself.
    Cancelled,
    /// An operator postponed it.
    Deferred,
    /// Something is in the way.
    Waiting,
    /// It may begin.
    Due,
    /// Users were told.
    Countdown,
    /// The system was asked for it.
    Asked,
}

/// What is to become of a pending restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestartPlan {
    /// The requests that want one, with their packages. Empty: none is pending.
    pub wanted_by: Vec<(RequestId, SafeText)>,
    /// `none` to `due`; the executor knows the rest.
    pub state: RestartState,
    /// What is in the way.
    pub code: Option<Code>,
    /// In words.
    pub why: SafeText,
    /// When that can next change by time.
    pub next: Option<Wall>,
    /// How long it may wait before a window closes.
    pub room: Duration,
}

/// An operator's wish about a pending restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestartVerb {
    /// At once.
    Now,
    /// Not before this time.
    Defer(Wall),
    /// Not by itself; it stays pending.
    Cancel,
}

/// What becomes of a pending restart, as things stand.
pub fn restart_plan(inputs: &Inputs) -> RestartPlan {
    let world = World::new(inputs, Words::Nothing);
    let pending = pending(inputs);
    let first = pending.first().map(|(id, attempt)| format!("{id} ({}) wants a restart", attempt.package));
    let mut plan = RestartPlan {
        wanted_by: pending.iter().map(|(id, attempt)| (*id, attempt.package.clone())).collect(),
        state: RestartState::None,
        code: None,
        why: first.clone().unwrap_or_else(|| "no restart is pending".to_owned()).into(),
        next: None,
        room: Duration::MAX,
    };
    let Some(first) = first else { return plan };
    let by_pcm: Vec<&Attempt> =
        pending.iter().map(|(_, a)| *a).filter(|a| a.restart.restarts == Restarts::Pcm).collect();
    let mut close = |state, code, why: String, next| {
        (plan.state, plan.code, plan.next) = (state, code, next);
        plan.why = format!("{first}; {why}").into();
    };
    if !inputs.policy.config.restart.allow {
        close(RestartState::ByHand, None, "[restart] allow is false: it is an operator's".into(), None);
    } else if by_pcm.is_empty() {
        close(RestartState::ByHand, None, "its publisher left that to an operator".into(), None);
    } else if let Some((state, why, next)) = ordered(inputs, &by_pcm) {
        close(state, None, why, next);
    } else if let Some((code, why, next)) = in_the_way(&world, &rules(&by_pcm), world.now) {
        close(RestartState::Waiting, Some(code), why, next);
    } else {
        close(RestartState::Due, None, "nothing is in the way".into(), None);
        plan.room = room(&world, &rules(&by_pcm), world.now);
    }
    plan
}

fn rules(by_pcm: &[&Attempt]) -> Vec<RestartRule> {
    by_pcm.iter().map(|attempt| attempt.restart).collect()
}

/// A restart that is pending, for what is to come after it.
pub(super) struct PendingRestart {
    /// What those said about it that pcm restarts the machine for; empty: it is an operator's.
    pub rules: Vec<RestartRule>,
    /// An operator wants pcm not to do it for these.
    pub cancelled: bool,
}

/// The restart that is pending; None: none is.
pub(super) fn pending_restart(inputs: &Inputs) -> Option<PendingRestart> {
    let pending = pending(inputs);
    let by_pcm: Vec<&Attempt> =
        pending.iter().map(|(_, a)| *a).filter(|a| a.restart.restarts == Restarts::Pcm).collect();
    let cancelled = matches!(ordered(inputs, &by_pcm), Some((RestartState::Cancelled, ..)));
    (!pending.is_empty()).then(|| PendingRestart { rules: rules(&by_pcm), cancelled })
}

/// Until when an operator has deferred whatever restart is wanted in this boot.
pub(super) fn deferred_until(inputs: &Inputs) -> Option<Wall> {
    let order = inputs.history.restart.as_ref().filter(|order| order.boot_id == inputs.facts.boot_id);
    order.and_then(|order| order.until)
}

/// The more rounds than a hold, all freezes and windows between them can need.
const ROUNDS: usize = 4_096;

/// When pcm restarts the machine by itself for these, if that is pending from `t` on and nothing runs; None: not without
/// something else that happens.
pub(super) fn restarts_at(world: &World, rules: &[RestartRule], mut t: Wall) -> Option<Wall> {
    let config = &world.inputs.policy.config.restart;
    if !config.allow || rules.is_empty() {
        return None;
    }
    for _ in 0..ROUNDS {
        if let Some((_, _, next)) = in_the_way(world, rules, t) {
            t = next?;
            continue;
        }
        let notice = if world.inputs.facts.attended() { config.countdown } else { Duration::ZERO };
        let at = later(t, notice.min(room(world, rules, t)));
        // What closes meanwhile calls it off.
        if in_the_way(world, rules, at).is_none() {
            return Some(at);
        }
        t = at;
    }
    None
}

/// Attempts of this boot that ended with a restart pending.
fn pending<'a>(inputs: &Inputs<'a>) -> Vec<(RequestId, &'a Attempt)> {
    inputs.history.attempts.wanting_restart(&inputs.facts.boot_id).collect()
}

/// What an operator said about it in this boot. A package that wants one after that was not meant.
fn ordered(inputs: &Inputs, by_pcm: &[&Attempt]) -> Option<(RestartState, String, Option<Wall>)> {
    let order = inputs.history.restart.as_ref().filter(|o| o.boot_id == inputs.facts.boot_id)?;
    let said = |what: String| match order.reason.is_empty() {
        true => format!("{} {what}", order.by),
        false => format!("{} {what}: {:?}", order.by, order.reason),
    };
    match order.until {
        Some(until) if inputs.now < until => {
            let words = said(format!("deferred it until {}", stamp(until, inputs.zone)));
            Some((RestartState::Deferred, words, Some(until)))
        }
        Some(_) => None,
        None if by_pcm.iter().all(|a| a.ended_at.unwrap_or(a.claimed_at) <= order.at) => {
            Some((RestartState::Cancelled, said("wants pcm not to do it".to_owned()), None))
        }
        None => None,
    }
}

/// The first thing that keeps pcm from restarting the machine by itself.
fn in_the_way(world: &World, rules: &[RestartRule], t: Wall) -> Option<(Code, String, Option<Wall>)> {
    let inputs = world.inputs;
    if let Some(why) = &inputs.facts.unwritten {
        return Some((Code::StateUnwritable, why.to_string(), None));
    }
    if !inputs.facts.service {
        let code = Code::NoService;
        return Some((code, format!("{}. {}", code.row().brief, code.row().remedy), None));
    }
    if let Some(why) = &inputs.policy.unreadable {
        return Some((Code::PolicyUnreadable, why.to_string(), None));
    }
    if let Some(why) = &inputs.facts.clock_suspect {
        return Some((Code::ClockSuspect, why.to_string(), None));
    }
    if let Some((id, _)) = &inputs.facts.running {
        return Some((Code::Busy, format!("{id} runs"), None));
    }
    let free = world.free_from(t);
    if free > t {
        let held = inputs.history.hold.as_ref().is_some_and(|h| t < h.until);
        let code = if held { Code::Held } else { Code::Frozen };
        return Some((code, format!("{code} until {}", stamp(free, inputs.zone)), Some(free)));
    }
    match opening(world, rules, t) {
        Err(why) => return Some((Code::PolicyUnreadable, why, None)),
        Ok(Opening::Closed { next } | Opening::TooShort { next, .. }) => {
            let why = format!("the next maintenance window opens {}", stamp(next, inputs.zone));
            return Some((Code::WindowClosed, why, Some(next)));
        }
        Ok(Opening::NeverFits { .. }) => {
            return Some((Code::WindowNeverFits, "no maintenance window is ever open".into(), None));
        }
        Ok(Opening::Always | Opening::Open { .. }) => {}
    }
    if rules.iter().any(|rule| rule.run_when == RunWhen::NoUser) {
        let within = inputs.policy.config.users.busy_within;
        match &inputs.facts.users {
            None => return Some((Code::UsersUnknown, "who is logged on cannot be known".into(), None)),
            Some(users) => {
                if let Some(user) = users.iter().find(|u| !u.is_away(within)) {
                    let why = format!("{} is logged on at {}", user.name, user.terminal);
                    return Some((Code::UserLoggedOn, why, None));
                }
            }
        }
    }
    None
}

/// Windows do not concern what ignores them; one request that does not is enough.
fn opening(world: &World, rules: &[RestartRule], t: Wall) -> Result<Opening, String> {
    if rules.iter().all(|rule| rule.ignore_windows) {
        return Ok(Opening::Always);
    }
    match world.calendar.as_ref() {
        Ok(calendar) => Ok(calendar.at(t, Duration::ZERO)),
        Err(why) => Err(why.to_string()),
    }
}

fn room(world: &World, rules: &[RestartRule], t: Wall) -> Duration {
    let window = match opening(world, rules, t) {
        Ok(Opening::Open { until }) => Some(until),
        Ok(
            Opening::Always | Opening::Closed { .. } | Opening::TooShort { .. } | Opening::NeverFits { .. },
        )
        | Err(_) => None,
    };
    let freeze = world.freezes.iter().filter(|f| t < f.from && f.from < f.until).map(|f| f.from);
    freeze.chain(window).map(|at| between(t, at)).min().unwrap_or(Duration::MAX)
}

/// Whether an operator's wish about the restart may be carried out now.
///
/// # Errors
/// `restart-not-pending`; `busy`: never while a package runs; `until-passed`.
pub fn judge_restart(inputs: &Inputs, verb: RestartVerb) -> Result<RestartPlan, Refusal> {
    let refuse = |code: RefusalCode, why: String, remedy: &str| {
        Err(Refusal { code, why: why.into(), remedy: remedy.into() })
    };
    let plan = restart_plan(inputs);
    if plan.wanted_by.is_empty() {
        let why = "no package of pcm's wants a restart of this machine".to_owned();
        return refuse(Refused::RestartNotPending.into(), why, "pcm status shows when one is pending");
    }
    match verb {
        RestartVerb::Now => match &inputs.facts.running {
            Some((id, since)) => {
                let why = format!("{id} runs for {}", duration(between(*since, inputs.now)));
                refuse(
                    Code::Busy.into(),
                    why,
                    "Wait for its end: pcm never restarts a machine while a package runs",
                )
            }
            None => Ok(plan),
        },
        RestartVerb::Defer(_) | RestartVerb::Cancel if plan.state == RestartState::ByHand => {
            let why = format!("pcm does not restart this machine by itself: {}", plan.why);
            refuse(
                Refused::RestartByHand.into(),
                why,
                "There is nothing to defer or to cancel; pcm restart now restarts it",
            )
        }
        RestartVerb::Defer(until) if until <= inputs.now => {
            let why = format!("{} is not in the future", stamp(until, inputs.zone));
            refuse(Refused::UntilPassed.into(), why, "Name a later time")
        }
        RestartVerb::Defer(_) | RestartVerb::Cancel => Ok(plan),
    }
}

impl RestartVerb {
    /// The wish as history keeps it; None: nothing is kept, it is done.
    pub fn order(self, by: SafeText, reason: SafeText, at: Wall, boot_id: String) -> Option<RestartOrder> {
        let until = match self {
            RestartVerb::Now => return None,
            RestartVerb::Defer(until) => Some(until),
            RestartVerb::Cancel => None,
        };
        Some(RestartOrder { until, by, reason, at, boot_id })
    }
}
