//! Every gate and every code: it blocks on that alone, and taking the obstacle away lets the request run.

use super::super::judge;
use super::super::judge::remedy;
use super::super::model::*;
use super::scene::*;
use crate::site::content::ContentFact;
use crate::site::instruction::*;
use crate::site::share::SourceFault;
use crate::site::trust::TrustVerdict;
use crate::terms::*;
use chrono::TimeDelta;

/// The gates that an operator can pass by naming them (DESIGN.md 4).
pub const OVERRIDABLE: [Gate; 6] =
    [Gate::Hold, Gate::Deferral, Gate::Window, Gate::Users, Gate::Clock, Gate::Host];

/// The scene is due but for one gate, which says this.
#[track_caller]
pub fn only(scene: &Scene, gate: Gate, code: Code, verdict: Verdict, change: Change) -> GateResult {
    assert_eq!(Scene::due().decision().state, State::Due, "without the obstacle it is due");
    let decision = scene.decision();
    let closed: Vec<_> = decision.gates.iter().filter(|g| g.verdict != Verdict::Pass).collect();
    assert_eq!(closed.len(), 1, "{closed:?}");
    let found = closed[0].clone();
    assert_eq!((found.gate, found.code, found.verdict, found.change), (gate, Some(code), verdict, change));
    assert!(!found.evidence.is_empty());
    assert_ne!(decision.state, State::Due);
    assert_eq!(decision.never, change == Change::Never);
    assert_eq!(decision.blocked_by(), [code]);
    // What is unreadable closes what needs it, and the gate of its own says so.
    assert!(code.row().gate == gate || code == Code::PolicyUnreadable, "{code} is no code of {gate}");
    found
}

#[track_caller]
pub fn blocks(scene: &Scene, gate: Gate, code: Code, change: Change) -> GateResult {
    only(scene, gate, code, Verdict::Block, change)
}

#[test]
fn a_background_task_after_its_mandatory_time_is_due_and_every_gate_is_shown_in_order() {
    let decision = Scene::due().decision();
    assert_eq!(decision.state, State::Due);
    assert_eq!(decision.next_run, Some(now()));
    assert!(!decision.never);
    assert_eq!(decision.gates.iter().map(|g| g.gate).collect::<Vec<_>>(), Gate::ALL);
    for gate in &decision.gates {
        assert_eq!((gate.verdict, gate.code), (Verdict::Pass, None), "{gate:?}");
        assert!(!gate.evidence.is_empty(), "{gate:?}");
    }
}

#[test]
fn every_row_of_the_table_says_all_that_is_asked_of_it() {
    for code in Code::ALL {
        let row = code.row();
        for words in [row.brief, row.without, row.opens, row.remedy] {
            assert!(!words.is_empty() && !words.ends_with('.'), "{code}: {words:?}");
        }
        assert!(row.without.starts_with("had "), "{code}");
        let request = Scene::due().decision().request_id.unwrap();
        assert!(!remedy(*code, request).contains('{'), "{code}");
    }
    for gate in Gate::ALL {
        assert!(Code::ALL.iter().any(|code| code.row().gate == *gate), "{gate} closes with no code");
        assert_eq!(gate.row().overridable, OVERRIDABLE.contains(gate), "{gate}");
    }
}

mod source {
    use super::*;

    #[test]
    fn a_held_file_stays_in_force_while_the_share_is_away_but_not_for_longer_than_stale_after() {
        let mut scene = Scene::due();
        scene.instructions.fault =
            Some(SourceFault { code: Code::ShareMissing, problems: vec![problem("share-missing")] });
        scene.instructions.share_seen = Some(now() - TimeDelta::hours(24));
        assert_eq!(scene.decision().state, State::Due, "exactly 24 h old is not yet too old");
        assert!(scene.decision().gates[0].evidence.as_str().contains("BP004000.INS, line 12"));
        scene.instructions.share_seen = Some(now() - TimeDelta::hours(24) - TimeDelta::seconds(1));
        let gate = blocks(&scene, Gate::Source, Code::ShareStale, Change::Event);
        assert!(gate.evidence.as_str().contains("the limit is 1d"), "{}", gate.evidence);
    }

    #[test]
    fn a_file_past_valid_until_is_stale_whatever_the_share_says() {
        let valid_until =
            |t| Scene::due().with(|s| s.instructions.file.as_mut().unwrap().valid_until = Some(t));
        assert_eq!(valid_until(now() + TimeDelta::seconds(1)).decision().state, State::Due);
        blocks(&valid_until(now()), Gate::Source, Code::ShareStale, Change::Event);
    }

    #[test]
    fn a_share_that_was_never_seen_is_unknown_and_closes() {
        let scene = Scene::due().with(|s| s.instructions.share_seen = None);
        only(&scene, Gate::Source, Code::ShareStale, Verdict::Unknown, Change::Event);
    }

    #[test]
    fn a_share_that_answers_without_a_file_for_this_machine_has_withdrawn_it() {
        let fault = SourceFault { code: Code::InsMissing, problems: Vec::new() };
        let scene = Scene::due().with(|s| s.instructions.fault = Some(fault));
        blocks(&scene, Gate::Source, Code::InsMissing, Change::Event);
    }

    #[test]
    fn a_newer_file_that_is_malformed_leaves_the_held_one_in_force() {
        for code in [Code::Malformed, Code::LoosePermissions, Code::ShareDenied, Code::Rollback] {
            let fault = SourceFault { code, problems: vec![problem("x")] };
            let scene = Scene::due().with(|s| s.instructions.fault = Some(fault));
            assert_eq!(scene.decision().state, State::Due, "{code}");
        }
    }
}

mod record {
    use super::*;

    fn rejected(code: &str) -> Scene {
        Scene::due().with(|s| {
            *s.requests() = vec![Entry::Rejected(Rejected {
                request_id: Some(id(ID)),
                job_id: None,
                package_id: None,
                package: Some("Acme".into()),
                command: None,
                problems: vec![problem(code)],
            })]
        })
    }

    #[test]
    fn a_rejected_record_shows_all_gates_its_own_code_and_the_place() {
        for code in [Code::Malformed, Code::Contradiction, Code::Duplicate, Code::CommandRefused] {
            let decision = rejected(code.as_str()).decision();
            assert_eq!(decision.state, State::Rejected);
            assert_eq!(decision.gates.iter().map(|g| g.gate).collect::<Vec<_>>(), Gate::ALL);
            assert_eq!(decision.blocked_by(), [code]);
            let record = &decision.gates[1];
            assert_eq!((record.verdict, record.code), (Verdict::Block, Some(code)));
            assert_eq!(record.evidence, "BP004000.INS, line 12: wanted a date");
            assert_eq!(decision.why, "line 12: wanted a date");
            assert_eq!(decision.package, "Acme");
            let unknown = decision.gates.iter().filter(|g| g.verdict == Verdict::Unknown).count();
            assert_eq!(unknown, 13, "what needs a valid record cannot be judged");
        }
    }

    #[test]
    fn a_record_without_a_valid_id_is_listed_all_the_same() {
        let mut scene = rejected("malformed");
        if let Entry::Rejected(r) = &mut scene.requests()[0] {
            r.request_id = None;
        }
        let all = scene.decide();
        assert_eq!((all.len(), all[0].request_id, all[0].state), (1, None, State::Rejected));
    }

    #[test]
    fn a_rejected_neighbour_changes_nothing() {
        let mut scene = Scene::due();
        let bad = rejected("malformed").requests()[0].clone();
        scene.requests().insert(0, bad);
        if let Entry::Rejected(r) = &mut scene.requests()[0] {
            r.request_id = Some(id(OTHER));
        }
        assert_eq!(scene.decision().state, State::Due);
    }

    #[test]
    fn what_was_attempted_keeps_its_state_when_its_record_is_rejected_later() {
        let mut scene = rejected("malformed");
        scene.attempted(ID, vec![attempt(1, State::Succeeded)]);
        let decision = scene.decision();
        assert_eq!((decision.state, decision.attempt), (State::Succeeded, 1));
        scene.history.attempts.clear();
        scene.history.adopted.insert(id(ID), now());
        assert_eq!(scene.decision().state, State::Succeeded, "adopted as done too");
    }
}

mod trust {
    use super::*;

    #[test]
    fn an_untrusted_file_rejects_its_requests() {
        for code in [Code::Unsigned, Code::BadSignature, Code::LoosePermissions, Code::Rollback] {
            let scene = Scene::due().with(|s| {
                s.instructions.trust = TrustVerdict::Refused(code, "writable by group users".into())
            });
            blocks(&scene, Gate::Trust, code, Change::Event);
            assert_eq!(scene.decision().state, State::Rejected);
        }
    }

    #[test]
    fn an_unchecked_file_closes_without_being_rejected() {
        let scene = Scene::due().with(|s| s.instructions.trust = TrustVerdict::Unchecked);
        only(&scene, Gate::Trust, Code::Unsigned, Verdict::Unknown, Change::Event);
        assert_eq!(scene.decision().state, State::Waiting);
    }

    #[test]
    fn a_package_that_somebody_else_could_have_written_is_rejected() {
        let mut scene = Scene::due();
        scene.request().content_sha256 = Some(hash());
        scene.facts.content.insert(hash(), ContentFact::Loose("packages/BP00000A is writable by all".into()));
        let decision = scene.decision();
        assert_eq!(decision.state, State::Rejected);
        assert_eq!(decision.blocked_by(), [Code::LoosePermissions, Code::ContentMissing]);
    }
}

mod platform_and_kind {
    use super::*;

    #[test]
    fn another_platform_never_runs() {
        let mut scene = Scene::due();
        scene.request().platforms = vec![Platform::WindowsX86, Platform::WindowsX86_64];
        let gate = blocks(&scene, Gate::Platform, Code::Platform, Change::Never);
        assert_eq!(gate.evidence, "for windows-x86, windows-x86_64; this machine is linux-x86_64");
        assert_eq!(scene.decision().state, State::NotApplicable);
        scene.request().platforms.push(Platform::LinuxX86_64);
        assert_eq!(scene.decision().state, State::Due);
    }

    #[test]
    fn a_machine_of_no_known_platform_runs_only_what_is_for_any() {
        let mut scene = Scene::due().with(|s| s.facts.platform = None);
        assert_eq!(scene.decision().state, State::Due);
        scene.request().platforms = vec![Platform::LinuxX86_64];
        blocks(&scene, Gate::Platform, Code::Platform, Change::Never);
    }

    #[test]
    fn what_needs_input_is_not_applicable() {
        let mut scene = Scene::due();
        (scene.request().automated, scene.request().background) = (false, false);
        blocks(&scene, Gate::Kind, Code::NeedsInput, Change::Never);
        assert_eq!(scene.decision().state, State::NotApplicable);
    }

    #[test]
    fn what_is_automated_but_no_background_task_stays_offered_for_ever() {
        let mut scene = Scene::due();
        scene.request().background = false;
        blocks(&scene, Gate::Kind, Code::ApplicationOnly, Change::Never);
        assert_eq!(scene.decision().state, State::Offered);
        assert_eq!(scene.decision().why, "application only");
    }
}

mod job {
    use super::*;

    #[test]
    fn a_suspended_job_waits() {
        let mut scene = Scene::due();
        scene.request().suspended = true;
        blocks(&scene, Gate::Job, Code::Suspended, Change::Event);
        assert_eq!((scene.decision().state, scene.decision().why.as_str()), (State::Waiting, "suspended"));
    }

    #[test]
    fn a_dependency_has_to_have_succeeded_in_its_newest_attempt() {
        let mut scene = Scene::due();
        scene.request().depends_on = vec![id(OTHER)];
        let gate = blocks(&scene, Gate::Job, Code::Dependency, Change::Event);
        assert_eq!(gate.evidence, "BP0000X has to succeed first; it was never run on this machine");
        assert_eq!(scene.decision().why, "after BP0000X");
        let bad = [State::Failed, State::TimedOut, State::Stopped, State::Interrupted, State::Running];
        for state in bad {
            let scene = scene
                .clone()
                .with(|s| s.attempted(OTHER, vec![attempt(1, State::Succeeded), attempt(2, state)]));
            blocks(&scene, Gate::Job, Code::Dependency, Change::Event);
        }
        scene.attempted(OTHER, vec![attempt(1, State::Failed), attempt(2, State::Succeeded)]);
        assert_eq!(scene.decision().state, State::Due);
    }

    #[test]
    fn what_an_operator_adopted_as_done_counts_as_succeeded() {
        let mut scene = Scene::due();
        scene.request().depends_on = vec![id(OTHER)];
        scene.history.adopted.insert(id(OTHER), now());
        assert_eq!(scene.decision().state, State::Due);
    }
}

mod history {
    use super::*;

    #[test]
    fn what_was_attempted_never_runs_again_by_itself() {
        let ended = [State::Succeeded, State::Failed, State::TimedOut, State::Stopped];
        for state in ended {
            let scene = Scene::due().with(|s| s.attempted(ID, vec![attempt(1, state)]));
            blocks(&scene, Gate::History, Code::Done, Change::Never);
            assert_eq!(scene.decision().state, state);
        }
    }

    #[test]
    fn an_interrupted_attempt_is_never_repeated_by_itself() {
        let scene = Scene::due().with(|s| s.attempted(ID, vec![attempt(1, State::Interrupted)]));
        let gate = blocks(&scene, Gate::History, Code::Interrupted, Change::Never);
        assert!(gate.evidence.as_str().contains("pcm rerun BP0000Y"), "{}", gate.evidence);
    }

    #[test]
    fn what_runs_is_running_and_blocks_itself() {
        for state in [State::Running, State::Stopping] {
            let mut scene = Scene::due().with(|s| s.attempted(ID, vec![attempt(1, state)]));
            scene.facts.running = Some((id(ID), now() - TimeDelta::minutes(10)));
            blocks(&scene, Gate::History, Code::Done, Change::Event);
            let decision = scene.decision();
            assert_eq!((decision.state, decision.next_run), (state, None));
            assert_eq!(decision.why, "10m/30m");
        }
    }

    #[test]
    fn lost_history_closes_everything_also_what_was_never_attempted() {
        let mut scene = Scene::due().with(|s| s.history.lost = Some("history.db is missing".into()));
        scene.add(request(OTHER));
        blocks(&scene, Gate::History, Code::HistoryLost, Change::Event);
        assert!(scene.decide().iter().all(|d| d.state == State::Waiting));
        (scene.history.lost, scene.history.unreadable) =
            (None, Some("history.db: Input/output error".into()));
        blocks(&scene, Gate::History, Code::StateUnreadable, Change::Event);
        assert!(scene.decide().iter().all(|d| d.state == State::Waiting));
    }

    #[test]
    fn another_machine_with_this_id_closes_what_was_not_attempted_here() {
        let mut scene = Scene::due().with(|s| s.history.two_machines = Some("box wrote report 9".into()));
        blocks(&scene, Gate::History, Code::TwoMachines, Change::Event);
        scene.attempted(ID, vec![attempt(1, State::Succeeded)]);
        assert!(scene.decide().iter().all(|d| d.state == State::Succeeded));
    }

    #[test]
    fn what_was_adopted_as_done_has_succeeded() {
        let scene = Scene::due().with(|s| {
            s.history.adopted.insert(id(ID), now());
        });
        blocks(&scene, Gate::History, Code::Done, Change::Never);
        assert_eq!((scene.decision().state, scene.decision().attempt), (State::Succeeded, 0));
        assert_eq!(scene.decision().why, "adopted as done 12:00");
    }

    fn retry(at: crate::clock::Wall) -> Scene {
        let mut failed = attempt(1, State::Failed);
        (failed.retry_at, failed.exit_code) = (Some(at), Some(1618));
        Scene::due().with(|s| s.attempted(ID, vec![failed]))
    }

    #[test]
    fn a_retry_waits_for_its_time_and_then_runs() {
        let soon = now() + TimeDelta::minutes(5);
        let scene = retry(soon);
        blocks(&scene, Gate::History, Code::RetryLater, Change::At(soon));
        let decision = scene.decision();
        assert_eq!((decision.state, decision.next_run), (State::RetryWait, Some(soon)));
        assert_eq!(decision.why, "attempt 2 at 12:05; exit 1618 after 1m");
        assert_eq!(scene.with(|s| s.now = soon).decision().state, State::Due);
    }

    #[test]
    fn a_retry_past_expiry_leaves_what_happened() {
        let mut scene = retry(now() + TimeDelta::minutes(5));
        scene.request().expire_after = Some(crate::clock::When::Instant(now()));
        let decision = scene.decision();
        assert_eq!((decision.state, decision.next_run, decision.never), (State::Failed, None, true));
    }

    #[test]
    fn a_retry_of_what_never_runs_by_itself_is_the_operators() {
        let mut scene = retry(now() - TimeDelta::minutes(5));
        scene.request().mandatory_after = None;
        assert_eq!(scene.decision().state, State::Failed);
    }
}

mod times {
    use super::*;
    use crate::clock::When;

    #[test]
    fn not_before_offer_after() {
        let soon = now() + TimeDelta::seconds(1);
        let mut scene = Scene::due();
        scene.request().offer_after = When::Instant(soon);
        blocks(&scene, Gate::Offer, Code::NotOffered, Change::At(soon));
        assert_eq!(scene.decision().state, State::Scheduled);
        assert_eq!(scene.with(|s| s.now = soon).decision().state, State::Due);
    }

    #[test]
    fn not_before_mandatory_after() {
        let soon = now() + TimeDelta::seconds(1);
        let mut scene = Scene::due();
        scene.request().mandatory_after = Some(When::Instant(soon));
        blocks(&scene, Gate::Mandatory, Code::NotMandatoryYet, Change::At(soon));
        assert_eq!((scene.decision().state, scene.decision().next_run), (State::Offered, Some(soon)));
        assert_eq!(scene.with(|s| s.now = soon).decision().state, State::Due);
    }

    #[test]
    fn not_before_this_machines_turn_and_never_past_expiry() {
        let hour = TimeDelta::hours(1);
        let mut scene = Scene::due();
        scene.policy.config.machine = "BP004000".parse().ok();
        scene.policy.config.run.spread = std::time::Duration::from_secs(3_600);
        let mandatory = now() + hour;
        scene.request().mandatory_after = Some(When::Instant(mandatory));
        let turn = |scene: &Scene| scene.decision().starts.unwrap() - mandatory;
        let part = turn(&scene);
        assert!(TimeDelta::minutes(1) < part && part < hour, "{part}");
        scene.now = mandatory;
        let gate = blocks(&scene, Gate::Mandatory, Code::NotMandatoryYet, Change::At(mandatory + part));
        assert!(gate.evidence.as_str().contains("[run] spread"), "{}", gate.evidence);
        let decision = scene.decision();
        assert_eq!(
            (decision.state, decision.next_run, decision.mandatory_after),
            (State::Offered, Some(mandatory + part), Some(mandatory))
        );
        // What expires before the end of the spread is spread over what there is.
        scene.request().expire_after = Some(When::Instant(mandatory + hour / 6));
        assert_eq!(turn(&scene).num_seconds(), part.num_seconds() / 6);
        scene.now = mandatory + part / 6;
        assert_eq!(scene.decision().state, State::Due);
        scene.policy.config.run.spread = std::time::Duration::ZERO;
        scene.request().expire_after = None;
        assert_eq!(turn(&scene), TimeDelta::zero());
    }

    #[test]
    fn never_without_mandatory_after() {
        let mut scene = Scene::due();
        scene.request().mandatory_after = None;
        blocks(&scene, Gate::Mandatory, Code::Optional, Change::Never);
        assert_eq!((scene.decision().state, scene.decision().why.as_str()), (State::Offered, "optional"));
    }

    #[test]
    fn never_at_or_after_expire_after() {
        let mut scene = Scene::due();
        scene.request().expire_after = Some(When::Instant(now() + TimeDelta::seconds(1)));
        assert_eq!(scene.decision().state, State::Due);
        scene.request().expire_after = Some(When::Instant(now()));
        blocks(&scene, Gate::Expiry, Code::Expired, Change::Never);
        assert_eq!(scene.decision().state, State::Expired);
    }

    #[test]
    fn local_times_are_those_of_the_machines_zone() {
        let mut scene = Scene::due();
        scene.zone = crate::clock::Zone::from_posix("Europe/Paris", "CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        scene.request().mandatory_after = Some(local("2026-11-22T13:30:00"));
        let gate =
            blocks(&scene, Gate::Mandatory, Code::NotMandatoryYet, Change::At(at("2026-11-22T12:30:00Z")));
        assert_eq!(gate.evidence, "mandatory from Sun 2026-11-22 13:30 +01:00");
    }

    #[test]
    fn without_a_service_nothing_starts_by_itself_and_an_operator_may_run_it() {
        let mut scene = Scene::due().with(|s| s.facts.service = false);
        let gate = blocks(&scene, Gate::Executor, Code::NoService, Change::Event);
        assert!(gate.evidence.as_str().contains("systemctl start pcm"), "{}", gate.evidence);
        let decision = scene.decision();
        assert_eq!((decision.state, decision.why.as_str()), (State::Waiting, "no service runs"));
        scene.request().mandatory_after = Some(When::Instant(now() + TimeDelta::hours(1)));
        let decision = scene.decision();
        assert_eq!((decision.next_run, decision.why.as_str()), (None, "no service runs"));
        let run = Verb::Run { overrides: Vec::new(), no_queue: false };
        assert!(judge(&scene.inputs(), id(ID), &run, None).is_ok());
        // Another package that runs is never passed for it.
        scene.facts.running = Some((id(OTHER), now()));
        assert_eq!(scene.decision().next_run, None);
        assert_eq!(judge(&scene.inputs(), id(ID), &run, None).unwrap_err().code, Code::Busy.into());
    }

    #[test]
    fn a_hold_closes_until_its_time() {
        let soon = now() + TimeDelta::hours(1);
        let scene = Scene::due().with(|s| s.held(soon));
        let gate = blocks(&scene, Gate::Hold, Code::Held, Change::At(soon));
        assert_eq!(
            gate.evidence,
            "ola holds all automatic runs until Sun 2026-11-22 13:00 +00:00: \"audit\""
        );
        assert_eq!(scene.decision().why, "held until 13:00");
        assert_eq!(scene.with(|s| s.now = soon).decision().state, State::Due);
    }

    #[test]
    fn freezes_of_site_and_machine_close_and_are_passed_together_with_a_hold() {
        let site = freeze("2026-11-22T10:00:00", "2026-11-22T14:00:00");
        let scene = Scene::due().with(|s| s.instructions.site_freezes = vec![site]);
        blocks(&scene, Gate::Hold, Code::Frozen, Change::At(at("2026-11-22T14:00:00Z")));
        let own = freeze("2026-11-22T13:59:00", "2026-11-22T15:00:00");
        let scene = scene.with(|s| s.policy.config.freezes = vec![own]);
        blocks(&scene, Gate::Hold, Code::Frozen, Change::At(at("2026-11-22T15:00:00Z")));
        let scene = scene.with(|s| s.held(at("2026-11-22T13:00:00Z")));
        blocks(&scene, Gate::Hold, Code::Held, Change::At(at("2026-11-22T15:00:00Z")));
        let late = scene.with(|s| s.now = at("2026-11-22T15:00:00Z"));
        assert_eq!(late.decision().state, State::Due);
    }

    #[test]
    fn a_deferral_closes_until_its_time() {
        let soon = now() + TimeDelta::hours(14);
        let scene = Scene::due().with(|s| s.deferred(soon));
        blocks(&scene, Gate::Deferral, Code::Deferred, Change::At(soon));
        let decision = scene.decision();
        assert_eq!((decision.state, decision.deferred_until), (State::Deferred, Some(soon)));
        assert_eq!(decision.why, "Mon 02:00 ola: \"release\"");
        let after = scene.with(|s| s.now = soon).decision();
        assert_eq!((after.state, after.deferred_until), (State::Due, None));
    }
}

mod windows {
    use super::*;
    use crate::clock::Zone;

    #[test]
    fn outside_every_window_it_waits_for_the_next() {
        let scene = Scene::due().with(|s| s.windows(&["Sun 22:00-06:00"]));
        blocks(&scene, Gate::Window, Code::WindowClosed, Change::At(at("2026-11-22T22:00:00Z")));
        assert_eq!(scene.decision().why, "window 22:00");
        assert_eq!(scene.decision().next_run, Some(at("2026-11-22T22:00:00Z")));
        let open = scene.clone().with(|s| s.now = at("2026-11-23T05:30:00Z"));
        assert_eq!(open.decision().state, State::Due, "exactly half an hour is left");
        let late = scene.with(|s| s.now = at("2026-11-23T05:30:01Z"));
        blocks(&late, Gate::Window, Code::WindowTooShort, Change::At(at("2026-11-29T22:00:00Z")));
    }

    #[test]
    fn windows_that_touch_are_one() {
        let scene = Scene::due().with(|s| s.windows(&["Sun 11:00-12:10", "Sun 12:10-12:30"]));
        assert_eq!(scene.decision().state, State::Due);
    }

    #[test]
    fn the_next_window_is_one_that_is_long_enough() {
        let scene = Scene::due().with(|s| s.windows(&["Sun 13:00-13:10", "Tue 03:00-04:00"]));
        blocks(&scene, Gate::Window, Code::WindowClosed, Change::At(at("2026-11-24T03:00:00Z")));
    }

    #[test]
    fn a_run_longer_than_every_window_never_runs_and_says_so() {
        let scene = Scene::due().with(|s| s.windows(&["Sun 11:50-12:10", "Tue 03:00-03:10"]));
        let gate = blocks(&scene, Gate::Window, Code::WindowNeverFits, Change::Never);
        assert_eq!(gate.evidence, "it may take 30m; the longest maintenance window is 20m");
    }

    #[test]
    fn a_request_may_ignore_windows() {
        let mut scene = Scene::due().with(|s| s.windows(&["Sun 22:00-06:00"]));
        scene.request().ignore_windows = true;
        assert_eq!(scene.decision().state, State::Due);
    }

    #[test]
    fn windows_are_in_their_own_zone() {
        let zone = Zone::from_posix("X", "XXX-10").unwrap();
        let scene = Scene::due().with(|s| s.windows(&["Sun 22:00-23:00"]));
        blocks(&scene, Gate::Window, Code::WindowClosed, Change::At(at("2026-11-22T22:00:00Z")));
        assert_eq!(scene.with(|s| s.policy.window_zone = Ok(zone)).decision().state, State::Due);
    }

    #[test]
    fn an_unreadable_window_or_zone_closes_loudly() {
        let bad_window = Scene::due().with(|s| s.windows(&["Sun 00:00-24:00", "Sonntag 22:00-06:00"]));
        let bad_zone = Scene::due().with(|s| s.policy.window_zone = Err("no zone Mars/Phobos".into()));
        for mut scene in [bad_window, bad_zone] {
            let decision = scene.decision();
            assert_eq!((decision.state, decision.next_run), (State::Waiting, None));
            assert_eq!(decision.blocked_by(), [Code::PolicyUnreadable]);
            assert_eq!(decision.why, "configuration unreadable");
            let closed: Vec<_> = decision.gates.iter().filter(|g| g.code.is_some()).map(|g| g.gate).collect();
            assert_eq!(closed, [Gate::Window, Gate::Policy]);
            scene.request().ignore_windows = true;
            assert_eq!(scene.decision().state, State::Waiting, "nothing fails open");
        }
    }
}
