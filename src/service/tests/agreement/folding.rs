//! Details of old attempts are folded (`[retention] details`): no decision changes by that, and it is done where the clock is
//! believed.

use super::site::{self, Plan};
use super::verifying::{Stage, id, on_stage_of, plan_of};
use super::{Random, folder, live_after, number};
use crate::clock::Wall;
use crate::decision::Attempt;
use crate::executor::history::{AttemptRow, DeferralRow, History, ResultRow};
use crate::executor::talk::protocol::{Answer, Call, View};
use crate::executor::talk::view::{AttemptDoc, FoldedDoc};
use crate::site::instruction::Entry;
use crate::terms::State;
use chrono::TimeDelta;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is said of every request, and what the service does with all of them, is the same where the history says no more than
/// that there were attempts.
#[test]
fn in_every_world_what_is_said_and_done_is_the_same_with_the_details_of_all_attempts_folded() {
    let place = folder();
    let folded = Cell::new(0);
    for seed in 1..=number("PCM_FOLDED_WORLDS", 40) {
        let live = |fold: bool| {
            let plan = site::plan(&mut Random::new(seed));
            let from = plan.from;
            live_after(plan, place.path(), &|layout| {
                let Ok(mut history) = History::open(layout) else { return };
                // Never the newest event.
                history.note_unwatched(from, from).unwrap();
                while let Some(done) = fold.then(|| history.fold(from, from, &|_| false).unwrap()).flatten() {
                    folded.set(folded.get() + done.attempts);
                }
                history.write_mark().unwrap();
            })
        };
        let (whole, without) = (live(false), live(true));
        assert_eq!(whole.said, without.said, "PCM_AGREEMENT_SEED={seed}");
        assert_eq!(whole.launches, without.launches, "PCM_AGREEMENT_SEED={seed}");
        assert_eq!(whole.restarts, without.restarts, "PCM_AGREEMENT_SEED={seed}");
    }
    assert!(folded.get() > 0, "nothing was folded in any of these worlds");
}

const DAYS: TimeDelta = TimeDelta::days(800);

/// Its request has had its attempt long ago; then somebody did something `later` than now.
fn plan_with_old(later: TimeDelta) -> Plan {
    let mut plan = plan_of(-1);
    plan.file.issued = plan.from;
    let Some(Entry::Good(request)) = plan.file.requests.first() else { panic!("one request") };
    let claimed = plan.from - DAYS;
    let row = AttemptRow {
        request: request.request_id,
        attempt: Arc::new(Attempt::claimed(request, 1, "service".into(), claimed, "boot-0")),
        content: request.content_sha256.clone(),
        exit_codes: BTreeMap::new(),
        max_run_time_s: 60,
        overrides: Vec::new(),
        need: None,
        started_up_ms: None,
        host: None,
        folded_at: None,
    };
    let result = ResultRow {
        state: State::Succeeded,
        retry_at: None,
        started_at: Some(claimed),
        ended_at: Some(claimed + TimeDelta::minutes(1)),
        exit_code: Some(0),
        result: "exit 0".into(),
    };
    plan.attempts = vec![(row, Some(result))];
    plan.deferrals = vec![DeferralRow {
        request: "BP00099".parse().unwrap(),
        at: plan.from + later,
        who: "ola".into(),
        until: plan.from + later + TimeDelta::hours(1),
        reason: "release".into(),
        ended_at: None,
    }];
    plan
}

fn attempts(stage: &mut Stage) -> (Vec<AttemptDoc>, Option<FoldedDoc>) {
    let mut view = |view| stage.ask(Call::View(view)).try_recv().unwrap().unwrap();
    let Answer::Show(show) = view(View::Show(id())) else { panic!("no document") };
    let Answer::Status(status) = view(View::Status) else { panic!("no document") };
    (show.attempts, status.folded)
}

#[test]
fn what_is_older_than_it_is_kept_is_folded_by_the_service_and_nothing_runs_again() {
    let claimed: Cell<Option<Wall>> = Cell::new(None);
    let plan = plan_with_old(TimeDelta::hours(-1));
    claimed.set(Some(plan.from - DAYS));
    on_stage_of(
        plan,
        |shared| Box::new(shared),
        |stage| {
            stage.pass(5);
            let (attempts, status) = attempts(stage);
            let [attempt] = &attempts[..] else { panic!("{attempts:?}") };
            assert!(attempt.folded_at.is_some(), "{attempt:?}");
            assert_eq!((Some(attempt.claimed_at), attempt.exit_code), (claimed.get(), Some(0)));
            assert_eq!(attempt.state, State::Succeeded);
            let until = attempt.ended_at.unwrap();
            assert_eq!(status, Some(FoldedDoc { attempts: 1, until }));
            stage.pass(60);
            assert_eq!((stage.asked(), stage.launches()), (0, 0), "it has had its attempt");
        },
    );
}

/// Of this plan nothing is folded.
fn keeps_all(plan: Plan) {
    on_stage_of(
        plan,
        |shared| Box::new(shared),
        |stage| {
            stage.pass(5);
            let (attempts, status) = attempts(stage);
            assert_eq!((attempts.len(), attempts[0].folded_at, status), (1, None, None));
        },
    );
}

#[test]
fn while_the_clock_is_not_believed_nothing_is_folded() {
    keeps_all(plan_with_old(TimeDelta::days(20)));
}

/// The machine's clock alone makes nothing old: it may be years ahead and believed.
#[test]
fn what_is_not_old_by_the_publishers_clock_is_not_folded() {
    let mut plan = plan_with_old(TimeDelta::hours(-1));
    plan.file.issued = plan.from - TimeDelta::days(100);
    keeps_all(plan);
}

#[test]
fn what_is_kept_for_longer_is_not_folded() {
    let mut plan = plan_with_old(TimeDelta::hours(-1));
    plan.config.retention.details = std::time::Duration::from_secs(900 * 86_400);
    keeps_all(plan);
}
