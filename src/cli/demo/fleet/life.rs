//! What one simulated machine does with one job, at any time: nothing is kept, so that it is the same whenever it is asked.
//! Pure: times are arguments.

use crate::clock::Wall;
use crate::terms::{Code, State};
use chrono::{SubsecRound as _, TimeDelta};
use serde_json::{Map, Value, json};

/// How a job goes on its machines.
pub struct Plan {
    /// It reached this machine then.
    pub reached: Wall,
    /// Those that nothing holds up run within so long.
    pub span: TimeDelta,
    /// So many of a hundred fail.
    pub failing: u64,
    /// Since then nothing of it starts.
    pub suspended: Option<Wall>,
}

/// What the machine says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Says {
    state: State,
    since: Wall,
    blocked_by: Vec<Code>,
    next: Option<Wall>,
    never: bool,
    exit: Option<(i64, &'static str)>,
    began: Option<Wall>,
}

/// A number that is a machine's own.
pub fn dice(n: u64) -> u64 {
    let mut x = n.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (x ^ (x >> 31)) >> 8
}

/// What a machine of this number says at a time; windows open some hours after `start`.
pub fn says(dice: u64, plan: &Plan, now: Wall, start: Wall) -> Says {
    let evening = start.trunc_subsecs(0) + TimeDelta::hours(6);
    let part = |of: u64| plan.span * i32::try_from(dice / 100 % of).unwrap_or(0) / 1_000;
    let says = |state| Says {
        state,
        since: plan.reached,
        blocked_by: Vec::new(),
        next: None,
        never: false,
        exit: None,
        began: None,
    };
    let waits = |codes: &[Code], next| Says { blocked_by: codes.to_vec(), next, ..says(State::Waiting) };
    let (starts, code) = match dice % 100 {
        0..2 => return says(State::NotNeeded),
        // They go home, or do not.
        2..14 => (plan.reached + part(1_000) * 2, Code::UserLoggedOn),
        14..26 => return waits(&[Code::WindowClosed], Some(evening)),
        26..28 => return Says { never: true, ..waits(&[Code::DiskSpace], None) },
        28..30 => return waits(&[Code::UserLoggedOn, Code::WindowClosed], Some(evening)),
        _ => (plan.reached + part(1_000), Code::Busy),
    };
    if plan.suspended.is_some_and(|at| starts >= at) {
        return waits(&[Code::Suspended], None);
    }
    if now < starts {
        return waits(&[code], Some(starts));
    }
    let ends = starts + TimeDelta::seconds(20 + (dice / 7 % 60) as i64);
    if now < ends {
        return Says { since: starts, began: Some(starts), ..says(State::Running) };
    }
    let fails = dice / 13 % 100 < plan.failing;
    let exit = match dice / 17 % 5 {
        _ if !fails => (0, ""),
        0 => (17, "no printer was found"),
        _ => (1603, "fatal error during installation"),
    };
    let state = if fails { State::Failed } else { State::Succeeded };
    Says { since: ends, began: Some(starts), exit: Some(exit), ..says(state) }
}

impl Says {
    /// Somebody is logged on there.
    pub fn is_about_users(&self) -> bool {
        self.blocked_by.contains(&Code::UserLoggedOn)
    }

    /// The same as fields of a report.
    pub fn fields(&self) -> Map<String, Value> {
        let ended = self.exit.map(|_| self.since);
        let fields = json!({
            "state": self.state, "since": self.since, "attempt": u32::from(self.began.is_some()),
            "blocked_by": self.blocked_by, "next_run": self.next, "never": self.never,
            "exit_code": self.exit.map(|(code, _)| code),
            "result": self.exit.map(|(_, words)| words).filter(|words| !words.is_empty()),
            "started_at": self.began, "ended_at": ended,
        });
        match fields {
            Value::Object(fields) => fields,
            _ => Map::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn machines_go_on_and_never_back_and_some_wait_fail_and_run() {
        let start: Wall = "2026-11-29T12:00:00Z".parse().unwrap();
        let plan = Plan {
            reached: start - TimeDelta::minutes(50),
            span: TimeDelta::minutes(70),
            failing: 5,
            suspended: None,
        };
        let at = |minutes: i64| {
            let mut states: BTreeMap<State, usize> = BTreeMap::new();
            for n in 0..2_000 {
                let says = says(dice(n), &plan, start + TimeDelta::minutes(minutes), start);
                *states.entry(says.state).or_default() += 1;
            }
            states
        };
        let (first, later) = (at(0), at(10));
        for state in [State::Running, State::Waiting, State::Failed, State::Succeeded, State::NotNeeded] {
            assert!(first.contains_key(&state), "{state}: {first:?}");
        }
        assert!(later[&State::Succeeded] > first[&State::Succeeded] + 50, "{first:?} {later:?}");
        assert!(later[&State::Waiting] < first[&State::Waiting] && later[&State::Failed] > 30);
        let halted = Plan { suspended: Some(start - TimeDelta::minutes(40)), ..plan };
        let held =
            (0..2_000).filter(|n| says(dice(*n), &halted, start, start).blocked_by == [Code::Suspended]);
        assert!(held.count() > 800);
    }
}
