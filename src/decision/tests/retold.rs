//! Why it ran when it did, or never did: only from what was recorded, and never more than that.

use super::super::model::*;
use super::super::{Blocked, Retelling, Trail, TrailStep};
use super::scene::*;
use crate::clock::{Wall, Zone};
use crate::terms::*;
use chrono::TimeDelta;

fn hour(n: i64) -> Wall {
    at("2026-11-22T00:00:00Z") + TimeDelta::hours(n)
}

fn step(n: i64, state: State, codes: &[Code]) -> TrailStep {
    let waits = matches!(state, State::Waiting | State::Deferred | State::RetryWait);
    TrailStep { at: hour(n), state, codes: waits.then(|| codes.to_vec()) }
}

/// Mandatory at 2, looked at at noon.
struct Past {
    trail: Trail,
    attempt: Option<Attempt>,
    overrides: Vec<String>,
    others: Vec<(Wall, Option<Wall>)>,
    starts: Wall,
    expire: Option<Wall>,
    state: State,
}

impl Past {
    fn of(steps: &[TrailStep]) -> Past {
        let trail = Trail { steps: steps.to_vec(), ..Trail::default() };
        Past {
            trail,
            attempt: None,
            overrides: Vec::new(),
            others: Vec::new(),
            starts: hour(2),
            expire: Some(hour(9)),
            state: State::Expired,
        }
    }

    fn ran(mut self, n: i64, by: &str) -> Past {
        let mut attempt = attempt(1, State::Succeeded);
        (attempt.claimed_at, attempt.by) = (hour(n), by.into());
        (self.attempt, self.state) = (Some(attempt), State::Succeeded);
        self
    }

    fn ask<T>(&self, ask: impl FnOnce(&Retelling) -> T) -> T {
        ask(&Retelling {
            folded: false,
            known_from: None,
            trail: &self.trail,
            others: &self.others,
            mandatory: Some(hour(2)),
            starts: Some(self.starts),
            expire: self.expire,
            attempt: self.attempt.as_ref().map(|a| (a, self.overrides.as_slice())),
            state: self.state,
            now: hour(12),
            zone: &Zone::utc(),
        })
    }

    fn told(&self) -> Vec<String> {
        self.ask(|r| r.told().iter().map(ToString::to_string).collect())
    }

    fn blocked(&self) -> Vec<(i64, Option<i64>, Option<Vec<Code>>)> {
        let hours = |at: Wall| (at - hour(0)).num_hours();
        let row = |b: Blocked| (hours(b.from), b.until.map(hours), b.codes);
        self.ask(|r| r.blocked().into_iter().map(row).collect())
    }
}

const WINDOW: Code = Code::WindowClosed;
const USER: Code = Code::UserLoggedOn;

#[test]
fn a_late_run_says_how_late_and_what_opened_last() {
    let past = Past::of(&[
        step(0, State::Offered, &[]),
        step(2, State::Waiting, &[WINDOW, USER]),
        step(5, State::Waiting, &[USER]),
        step(8, State::Due, &[]),
    ])
    .ran(8, "service");
    assert_eq!(
        past.told(),
        [
            "the service started attempt 1 by itself 08:00, 6h after its mandatory time, 02:00",
            "what opened last: user-logged-on was over",
        ]
    );
    assert_eq!(past.blocked(), [(2, Some(5), Some(vec![WINDOW, USER])), (5, Some(8), Some(vec![USER]))]);
}

#[test]
fn a_run_at_its_time_says_so_and_nothing_else() {
    let past = Past::of(&[step(0, State::Offered, &[]), step(2, State::Due, &[])]).ran(2, "service");
    assert_eq!(past.told(), ["the service started attempt 1 by itself 02:00, at its mandatory time"]);
    assert!(past.blocked().is_empty());
}

#[test]
fn what_was_due_and_waited_for_its_turn_was_behind_the_packages_that_ran() {
    let mut past = Past::of(&[step(2, State::Due, &[]), step(8, State::Waiting, &[USER])]);
    past.others = vec![(hour(1), Some(hour(4))), (hour(5), Some(hour(6)))];
    assert_eq!(
        past.blocked(),
        [(2, Some(4), Some(vec![])), (5, Some(6), Some(vec![])), (8, Some(9), Some(vec![USER]))]
    );
    let mut past = past.ran(6, "service");
    assert_eq!(past.told()[1], "what opened last: the package that ran before ended");
    // One that runs now is in the way still.
    (past.attempt, past.state, past.expire, past.others) =
        (None, State::Waiting, None, vec![(hour(10), None)]);
    past.trail.steps.truncate(1);
    assert_eq!(past.blocked(), [(10, None, Some(vec![]))]);
}

#[test]
fn a_run_at_its_machines_turn_is_not_late() {
    let mut past = Past::of(&[step(0, State::Offered, &[]), step(3, State::Due, &[])]).ran(3, "service");
    past.starts = hour(3);
    assert_eq!(
        past.told(),
        [
            "the service started attempt 1 by itself 03:00, at this machine's turn ([run] spread) after its mandatory \
          time, 02:00"
        ]
    );
    assert!(past.blocked().is_empty());
}

#[test]
fn a_late_run_of_which_nothing_was_recorded_is_not_explained() {
    let past = Past::of(&[]).ran(8, "service");
    assert_eq!(past.told()[1], "why it did not run before is not recorded");
}

#[test]
fn an_operators_run_names_the_operator_the_gates_and_the_reason() {
    let mut past = Past::of(&[step(2, State::Waiting, &[WINDOW])]).ran(4, "ola");
    past.overrides = vec!["window".into()];
    past.attempt.as_mut().unwrap().reason = "asked for".into();
    assert_eq!(past.told(), ["ola started attempt 1 04:00, over window: \"asked for\""]);
}

#[test]
fn what_was_missed_names_the_moment_at_which_one_thing_alone_was_in_the_way() {
    let past = Past::of(&[
        step(2, State::Waiting, &[WINDOW, USER]),
        step(5, State::Waiting, &[USER]),
        step(6, State::Waiting, &[]),
        step(7, State::Waiting, &[USER]),
        step(9, State::Expired, &[]),
    ]);
    assert_eq!(
        past.told(),
        [
            "it expired 09:00 without an attempt",
            "had nobody been logged on 05:00, it would have run then",
            "had no other package been running 06:00, it would have run then",
        ]
    );
}

#[test]
fn a_time_in_which_nobody_looked_is_never_filled_in() {
    let mut past = Past::of(&[step(2, State::Waiting, &[USER]), step(9, State::Expired, &[])]);
    past.trail.unwatched = vec![(hour(4), hour(7))];
    assert_eq!(
        past.blocked(),
        [(2, Some(4), Some(vec![USER])), (4, Some(7), None), (7, Some(9), Some(vec![USER]))]
    );
    assert!(past.told().contains(&"part of that time nobody looked, or it was not recorded".to_owned()));
    // The service came back only after the expiry.
    past.trail.unwatched = vec![(hour(4), hour(10))];
    assert_eq!(past.blocked()[1..], [(4, Some(9), None)]);
    // Recorded by a version that did not note what was in the way.
    past.trail = Trail {
        steps: vec![TrailStep { at: hour(2), state: State::Waiting, codes: None }],
        unwatched: Vec::new(),
        unqueued: Vec::new(),
    };
    assert_eq!(past.blocked(), [(2, Some(9), None)]);
    assert!(!past.told().iter().any(|t| t.contains("would have run")), "{:?}", past.told());
}

#[test]
fn what_was_first_seen_after_its_expiry_says_that_and_no_more() {
    let past = Past::of(&[step(10, State::Expired, &[])]);
    assert_eq!(
        past.told(),
        ["it expired 09:00 without an attempt", "this machine first looked at it after that"]
    );
}

#[test]
fn what_waits_now_is_told_up_to_now_and_a_deferral_before_its_time_is_no_delay() {
    let mut past = Past::of(&[step(1, State::Deferred, &[Code::Deferred]), step(4, State::Waiting, &[USER])]);
    (past.expire, past.state) = (None, State::Waiting);
    assert_eq!(past.blocked(), [(2, Some(4), Some(vec![Code::Deferred])), (4, None, Some(vec![USER]))]);
    assert!(past.told().is_empty());
}
