//! The claim protocol, enumerated: every outcome of every effect, and a crash at every point.

mod model;

use super::*;

/// Every sequence of outcomes of the effects, to the end.
fn walk(
    attempt: &Attempt,
    effect: Effect,
    done: &mut Vec<Effect>,
    visit: &mut impl FnMut(&Attempt, &[Effect]),
) {
    visit(attempt, done);
    let outcomes = match effect {
        Effect::Rest => return,
        Effect::ReadClaim => {
            vec![Event::ClaimAbsent, Event::ClaimPresent, Event::Failed("unreadable".into())]
        }
        Effect::SayGo => {
            vec![Event::Done, Event::Failed("error".into()), Event::Withdrawn("expired".into())]
        }
        _ => vec![Event::Done, Event::Failed("error".into())],
    };
    for event in outcomes {
        let mut next = attempt.clone();
        done.push(effect);
        let effect = next.step(event);
        walk(&next, effect, done, visit);
        done.pop();
    }
}

#[test]
fn nothing_is_launched_before_claim_folder_and_mark_are_durable() {
    let mut paths = 0;
    let start = Attempt::default();
    walk(&start, start.begin(), &mut Vec::new(), &mut |attempt, done| {
        paths += 1;
        let wanted = [
            Effect::CommitClaim,
            Effect::MakeFolder,
            Effect::WriteMark,
            Effect::StartHost,
            Effect::RecordHost,
            Effect::SayGo,
        ];
        if done.contains(&Effect::SayGo) {
            assert!(done.starts_with(&wanted), "{done:?}");
        }
        if *attempt.phase() == Phase::Launched {
            assert_eq!(done, wanted);
        }
    });
    assert!(paths >= 15, "{paths} paths walked");
}

#[test]
fn after_a_crash_at_any_point_nothing_runs_a_second_time() {
    let (mut states, mut points, mut double_runs) = (0, 0, 0);
    let start = Attempt::default();
    walk(&start, start.begin(), &mut Vec::new(), &mut |attempt, done| {
        states += 1;
        let withdrawn = matches!(attempt.phase(), Phase::NotLaunched(_)) && done.contains(&Effect::SayGo);
        // The newest effect may have been carried out or not; the run host may live; its package may be left, and may
        // have deleted the folder of its run.
        for bits in 0..16_u8 {
            let [lost, host_lives, package_left, folder_gone] = [1, 2, 4, 8].map(|bit| bits & bit != 0);
            let carried_out = &done[..done.len() - usize::from(lost && !done.is_empty())];
            let launched = carried_out.contains(&Effect::SayGo) && !withdrawn;
            let folder_gone = folder_gone && launched;
            let written = carried_out.contains(&Effect::StartHost) && !folder_gone;
            let found: Found<()> = Found {
                exit: None,
                lock_held: written && host_lives,
                started: written || carried_out.contains(&Effect::RecordHost),
                survivors: launched && !host_lives && package_left,
                damaged: None,
            };
            points += 1;
            let claimed = carried_out.contains(&Effect::CommitClaim);
            let again = !claimed || recover(found) == Recovery::NotLaunched;
            double_runs += u32::from(again && launched);
        }
    });
    println!("claim protocol: {states} states, {points} crash points, {double_runs} double runs");
    assert!(states >= 15 && points >= 16 * states, "{states} states, {points} crash points");
    assert_eq!(double_runs, 0);
}

#[test]
fn every_failure_ends_in_a_phase_that_says_what_is_known() {
    let start = Attempt::default();
    walk(&start, start.begin(), &mut Vec::new(), &mut |attempt, done| {
        if let Phase::Abandoned(_) = attempt.phase() {
            assert_eq!(
                done,
                [Effect::CommitClaim, Effect::ReadClaim],
                "only an absent claim leaves no attempt"
            );
        }
    });
}

#[test]
fn recovery_never_calls_a_run_unlaunched_that_may_have_been_told_to_go() {
    for bits in 0..16_u8 {
        let [exit, lock_held, started, survivors] = [1, 2, 4, 8].map(|bit| bits & bit != 0);
        let found = Found { exit: exit.then_some(()), lock_held, started, survivors, damaged: None };
        let verdict = recover(found);
        if started || lock_held || survivors || exit {
            assert_ne!(verdict, Recovery::NotLaunched, "{bits:04b}");
        }
        assert_eq!(verdict == Recovery::Final(()), exit, "{bits:04b}");
    }
}
