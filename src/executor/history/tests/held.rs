//! What is held of the history says after every transition what the file says.

use super::{Machine, at, ended, id, row};
use crate::clock::Monotonic;
use crate::decision::{Hold, Queued, RestartOrder};
use crate::executor::history::{DeferralRow, Delta, History, Noted, Result, Snapshot};
use crate::executor::run::run_folder::Started;
use crate::host::process::ProcessIdentity;
use crate::terms::{Code, Gate, State};
use crate::text::SafeText;
use chrono::TimeDelta;
use proptest::prelude::*;
use std::sync::Arc;

/// One transition, with its numbers chosen at random. Many are refused: that changes nothing either.
#[derive(Debug, Clone)]
pub(super) struct Step {
    kind: u8,
    request: usize,
    number: u32,
    /// Nanoseconds, so that no time is a whole millisecond; it may go back.
    pub(super) when: i64,
    words: String,
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let words =
        prop_oneof!["[a-z ]{0,12}", "\\PC{0,8}", any::<String>().prop_map(|s| s.chars().take(9).collect())];
    (0..14_u8, 0..4_usize, 1..4_u32, 0..7_200_000_000_000_i64, words)
        .prop_map(|(kind, request, number, when, words)| Step { kind, request, number, when, words })
}

const ENDS: [State; 4] = [State::Succeeded, State::Failed, State::SucceededRestart, State::Interrupted];
const CODES: [Option<&[Code]>; 3] = [None, Some(&[]), Some(&[Code::WindowClosed])];
const SEEN: [State; 3] = [State::Waiting, State::Due, State::Running];

/// Carries it out; None: it failed.
pub(super) fn carry_out(history: &mut History, step: &Step) -> Option<Delta> {
    let (when, request) = (at(0) + TimeDelta::nanoseconds(step.when), id(step.request));
    let words = SafeText::new(&step.words);
    let until = when + TimeDelta::nanoseconds(step.when / 2 + 1);
    let done: Result<Delta> = match step.kind {
        0 | 1 => {
            let mut row = row(request, step.number);
            let attempt = Arc::make_mut(&mut row.attempt);
            (attempt.claimed_at, attempt.by, attempt.reason) = (when, words.clone(), words);
            row.overrides.push(step.words.clone());
            history.claim(when, &row)
        }
        2 => history.hosted(when, Monotonic::default(), request, step.number, host(step)),
        3 => history.progress(when, request, step.number, State::Stopping, when),
        4 | 5 => {
            let mut result = ended(ENDS[step.number as usize]);
            (result.result, result.ended_at, result.retry_at) = (words, Some(when), Some(until));
            history.finish(when, request, step.number, &result)
        }
        6 => {
            let row =
                DeferralRow { request, at: when, who: words.clone(), until, reason: words, ended_at: None };
            history.defer(&row)
        }
        7 => history.undefer(when, request, &words),
        8 => {
            let hold = Hold { until, by: words.clone(), reason: words.clone(), at: when };
            history.set_hold(when, Some(&hold).filter(|_| step.number > 1), &words)
        }
        9 => {
            let until = Some(until).filter(|_| step.number > 1);
            let order =
                RestartOrder { until, by: words.clone(), reason: words, at: when, boot_id: "b".into() };
            history.order_restart(&order)
        }
        10 => history.note_restart(when, &words, &words),
        11 => {
            let (by, reason, overrides) = (words.clone(), words, vec![Gate::Window]);
            let rerun = step.number > 1;
            history.enqueue(&Queued { request, rerun, overrides, by, reason, at: when, offered: false })
        }
        12 => history.unqueue(when, request, (&words, &words), None),
        _ => {
            let noted = |n: usize| Noted {
                request: id(n),
                state: SEEN[(n + step.number as usize) % 3],
                codes: CODES[(step.words.len() + n) % 3].map(<[Code]>::to_vec),
                silent: false,
            };
            history.note_states(when, &[noted(step.request), noted(step.request + 1)])
        }
    };
    done.ok()
}

fn host(step: &Step) -> Option<Started> {
    let host = ProcessIdentity { pid: step.number, start_time: 7, boot_id: "boot".into() };
    (step.number > 1).then(|| Started { host, cgroup: None, no_cgroup: Some(SafeText::new(&step.words)) })
}

/// Field by field, so that a difference names its place.
fn same(held: &Snapshot, fresh: &Snapshot) -> std::result::Result<(), TestCaseError> {
    prop_assert_eq!(&held.view.lost, &fresh.view.lost);
    prop_assert_eq!(&held.view.attempts, &fresh.view.attempts);
    prop_assert_eq!(&held.view.adopted, &fresh.view.adopted);
    prop_assert_eq!(&held.view.deferrals, &fresh.view.deferrals);
    prop_assert_eq!(&held.view.hold, &fresh.view.hold);
    prop_assert_eq!(&held.view.restart, &fresh.view.restart);
    prop_assert_eq!(&held.view.queue, &fresh.view.queue);
    prop_assert_eq!(&held.since, &fresh.since);
    prop_assert_eq!(held.newest_first(), fresh.newest_first());
    prop_assert_eq!(held.open().collect::<Vec<_>>(), fresh.open().collect::<Vec<_>>());
    for n in 0..5 {
        prop_assert!(held.deferrals_of(id(n)).eq(fresh.deferrals_of(id(n))));
        prop_assert!(held.attempts_of(id(n)).eq(fresh.attempts_of(id(n))));
    }
    prop_assert_eq!(held, fresh);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn what_is_held_is_what_a_fresh_read_of_the_file_finds(steps in prop::collection::vec(step(), 1..60)) {
        let machine = Machine::new();
        let mut history = machine.open().unwrap();
        let mut held = history.snapshot().unwrap();
        for step in &steps {
            if let Some(change) = carry_out(&mut history, step) {
                held.apply(change);
            }
            same(&held, &history.snapshot().unwrap())?;
        }
        drop(history);
        same(&held, &machine.open().unwrap().snapshot().unwrap())?;
    }
}

#[test]
fn a_deferral_that_was_undone_is_not_counted_and_one_that_another_took_the_place_of_is() {
    let machine = Machine::new();
    let mut history = machine.open().unwrap();
    let mut held = history.snapshot().unwrap();
    let deferral = |minute: i64| DeferralRow {
        request: id(1),
        at: at(minute),
        who: "ola".into(),
        until: at(minute + 60),
        reason: "a release".into(),
        ended_at: None,
    };
    let counted = |held: &Snapshot| held.view.deferrals[&id(1)].count;
    held.apply(history.defer(&deferral(0)).unwrap());
    held.apply(history.undefer(at(10), id(1), &"ola".into()).unwrap());
    assert_eq!(counted(&held), 0);
    held.apply(history.defer(&deferral(20)).unwrap());
    held.apply(history.defer(&deferral(30)).unwrap());
    assert_eq!(counted(&held), 2, "the later one took the place of the earlier one");
    held.apply(history.defer(&deferral(200)).unwrap());
    assert_eq!(counted(&held), 3, "its time was over: nobody undid it");
    assert_eq!(held.view.deferrals[&id(1)].total_s, 60 * (10 + 10 + 60 + 60), "the time counts in any case");
    assert_eq!(held, history.snapshot().unwrap());
}

#[test]
fn an_attempt_is_held_once_and_shared_by_its_row_and_the_view() {
    let machine = Machine::new();
    let mut history = machine.open().unwrap();
    let mut held = history.snapshot().unwrap();
    held.apply(history.claim(at(1), &row(id(1), 1)).unwrap());
    held.apply(history.finish(at(2), id(1), 1, &ended(State::Succeeded)).unwrap());
    for snapshot in [held, history.snapshot().unwrap()] {
        let row = snapshot.attempt(id(1), 1).unwrap();
        assert!(Arc::ptr_eq(&row.attempt, &snapshot.view.attempts[&id(1)][0]));
        assert_eq!(snapshot.run("BP00001-1"), Some(row));
        assert_eq!(snapshot.run("BP00001-2").or(snapshot.run("nonsense")), None);
    }
}

#[test]
fn the_claim_of_a_request_takes_its_run_out_of_the_queue_in_the_same_transaction() {
    let machine = Machine::new();
    let mut history = machine.open().unwrap();
    let queued = |n: usize| Queued {
        request: id(n),
        rerun: false,
        overrides: Vec::new(),
        by: "ola".into(),
        reason: "a release".into(),
        at: at(0),
        offered: false,
    };
    let mut held = history.snapshot().unwrap();
    for n in [2, 1, 3] {
        held.apply(history.enqueue(&queued(n)).unwrap());
    }
    history.enqueue(&queued(1)).unwrap_err();
    let queue = |history: &History| -> Vec<_> {
        history.snapshot().unwrap().view.queue.iter().map(|queued| queued.request).collect()
    };
    assert_eq!(queue(&history), [id(2), id(1), id(3)], "in the order of asking, each once");
    drop(history);
    let mut history = machine.open().unwrap();
    assert_eq!(queue(&history), [id(2), id(1), id(3)], "and after a restart");
    held.apply(history.claim(at(1), &row(id(1), 1)).unwrap());
    assert_eq!(queue(&history), [id(2), id(3)]);
    // A claim that fails leaves it there.
    history.claim(at(1), &row(id(1), 1)).unwrap_err();
    held.apply(history.enqueue(&Queued { rerun: true, ..queued(1) }).unwrap());
    history.claim(at(2), &row(id(1), 1)).unwrap_err();
    assert_eq!(queue(&history), [id(2), id(3), id(1)]);
    // What takes the place of another keeps it.
    held.apply(history.requeue(&Queued { by: "anna".into(), ..queued(3) }).unwrap());
    assert_eq!(queue(&history), [id(2), id(3), id(1)]);
    assert_eq!(held.view.queue[1].by.as_str(), "anna");
    assert_eq!(held, history.snapshot().unwrap());
}

#[test]
fn what_has_ended_is_held_without_its_run_host_and_the_file_keeps_it() {
    let machine = Machine::new();
    let mut history = machine.open().unwrap();
    let mut held = history.snapshot().unwrap();
    let process = ProcessIdentity { pid: 7, start_time: 8, boot_id: "boot".into() };
    let host = Started { host: process, cgroup: None, no_cgroup: None };
    held.apply(history.claim(at(1), &row(id(1), 1)).unwrap());
    held.apply(history.hosted(at(2), Monotonic::default(), id(1), 1, Some(host.clone())).unwrap());
    assert_eq!(held.attempt(id(1), 1).unwrap().host.as_deref(), Some(&host));
    let Delta::Attempt(written) = history.finish(at(3), id(1), 1, &ended(State::Succeeded)).unwrap() else {
        panic!("it is an attempt that has changed");
    };
    assert_eq!(written.host.as_deref(), Some(&host));
    held.apply(Delta::Attempt(written));
    assert_eq!(held.attempt(id(1), 1).unwrap().host, None);
    assert_eq!(held, history.snapshot().unwrap());
}
