//! Each view on 80 columns, as a tired administrator sees it.
#![allow(clippy::unwrap_used)]

mod kept;

use super::*;
use crate::cli::time::Look;
use crate::clock::{Wall, Zone};
use crate::executor::talk::view::*;
use crate::host::sessions::SessionKind;
use crate::site::instruction::{Restarts, RunWhen};
use crate::terms::{Code, Gate, Problem, RefusalCode, Refused, Severity, State, VerbKind, Verdict};
use chrono::{Duration, TimeZone, Utc};
use std::collections::BTreeMap;

fn now() -> Wall {
    Utc.with_ymd_and_hms(2026, 11, 24, 13, 2, 0).unwrap()
}

fn look(width: usize) -> Look {
    let zone = Zone::from_posix("Europe/Berlin", "CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
    Look { width: Some(width), now: now(), zone, pcm: "pcm".into() }
}

fn later(minutes: i64) -> Wall {
    now() + Duration::minutes(minutes)
}

fn request(id: &str, package: &str, state: State, why: &str) -> RequestDoc {
    RequestDoc {
        queue_position: None,
        queued: None,
        request_id: id.parse().ok(),
        job_id: "BP0000AA".parse().ok(),
        package_id: "BP00000A".parse().ok(),
        package: package.into(),
        command: "Typical".into(),
        group: state.group(),
        state,
        since: Some(later(-30)),
        offer_after: Some(later(-600)),
        mandatory_after: Some(later(-2)),
        expire_after: Some(later(60 * 24 * 30)),
        next_run: None,
        never: false,
        latest: None,
        blocked_by: Vec::new(),
        why: why.into(),
        attempt: 0,
        deferred_until: None,
        problems: Vec::new(),
        exit_code: None,
        result: None,
        run: None,
        seen: None,
        of_job: OfJob::default(),
    }
}

fn problem() -> Problem {
    Problem {
        code: "malformed".into(),
        severity: Severity::Error,
        file: "pcmins.box/BP004000.INS".into(),
        line: Some(41),
        field: Some("request[7].max_run_time".into()),
        message: "\"two hours\" is not a duration: write e.g. 2h".into(),
        newer: false,
    }
}

fn list_doc() -> ListDoc {
    let mut running = request("BP00010", "OpenSSL fix", State::Running, "running");
    running.run = Some(RunDoc {
        started_at: later(-3),
        max_run_time_s: 1800,
        last_output_at: Some(now() - Duration::seconds(4)),
        last_line: Some("Unpacking".into()),
        transcript: None,
        waits_for_input: None,
    });
    let mut rejected = request("BP0001B", "Broken tool", State::Rejected, "");
    rejected.problems.push(problem());
    rejected.mandatory_after = None;
    let mut optional = request("BP00013", "Agent 7", State::Offered, "optional");
    optional.blocked_by = vec![Code::Optional];
    optional.mandatory_after = None;
    ListDoc {
        machine: "BP004000".parse().ok(),
        site: "BP0".parse().ok(),
        source: Some("/mnt/sms_shr".into()),
        polled_at: Some(later(-8)),
        serial: Some(42),
        service: ServiceState::Running,
        held_until: None,
        problems: Vec::new(),
        requests: vec![
            running,
            request(
                "BP0000Y",
                "Acme Workstation 4.0",
                State::Waiting,
                "user anna is logged on; the window opens at 22:00 and is long enough",
            ),
            optional,
            request("BP00009", "Old agent", State::Expired, "never ran: window closed"),
            request("BP00007", "Printer driver", State::Failed, "exit 17 after 41s"),
            rejected,
        ],
        of_index: OfIndex::default(),
    }
}

fn gate(gate: Gate, verdict: Verdict, code: Option<&str>, evidence: &str, on: &str) -> GateDoc {
    GateDoc {
        gate,
        verdict,
        code: code.map(|code| code.parse().unwrap()),
        evidence: evidence.into(),
        next_change: (on == "time").then(|| later(418)),
        changes_on: match on {
            "time" => ChangesOn::Time,
            "event" => ChangesOn::Event,
            _ => ChangesOn::Never,
        },
    }
}

fn allowed(verb: VerbKind, ok: bool, code: Option<RefusalCode>, why: &str, overrides: &[Gate]) -> AllowedDoc {
    AllowedDoc { verb, ok, code, why: why.into(), overrides: overrides.to_vec() }
}

fn explain_doc() -> ExplainDoc {
    ExplainDoc {
        queue_position: None,
        queued: None,
        request_id: Some("BP0000Y".parse().unwrap()),
        job_id: Some("BP0000AA".parse().unwrap()),
        targeted_by: None,
        package: "Acme Workstation 4.0".into(),
        state: State::Waiting,
        next_run: None,
        latest: None,
        never: false,
        why: "user anna is logged on; the window opens at 22:00".into(),
        gates: vec![
            gate(Gate::Source, Verdict::Pass, None, "instructions 42 from /mnt/sms_shr, seen 8m ago", "time"),
            gate(Gate::Window, Verdict::Block, Some("window-closed"), "next window Tue 22:00-06:00", "time"),
            gate(
                Gate::Users,
                Verdict::Block,
                Some("user-logged-on"),
                "anna on pts/0 since 09:12, idle 0s",
                "event",
            ),
            gate(Gate::Executor, Verdict::Pass, None, "nothing else is running", "event"),
        ],
        allowed: vec![
            allowed(
                VerbKind::Run,
                false,
                Some(Code::UserLoggedOn.into()),
                "passes over window and users",
                &[Gate::Window, Gate::Users],
            ),
            allowed(VerbKind::Defer, true, None, "at most until Tue 12:00", &[]),
            allowed(
                VerbKind::Rerun,
                false,
                Some(Refused::NotAttempted.into()),
                "it has not been attempted",
                &[],
            ),
        ],
        told: Vec::new(),
        blocked: Vec::new(),
        transcript: None,
        transcript_until: None,
        folded_at: None,
    }
}

fn attempt(number: u32, state: State, exit: i64, result: &str) -> AttemptDoc {
    AttemptDoc {
        request_id: "BP0000Y".parse().unwrap(),
        attempt: number,
        state,
        claimed_at: later(-90),
        started_at: Some(later(-90)),
        ended_at: Some(later(-89)),
        exit_code: Some(exit),
        result: result.into(),
        by: if number == 1 { "service".into() } else { "ola".into() },
        reason: if number == 1 { "".into() } else { "disk was full".into() },
        transcript: None,
        transcript_until: None,
        folded_at: None,
        package: "Acme Workstation 4.0".into(),
        retry_at: None,
    }
}

fn status_doc() -> StatusDoc {
    StatusDoc {
        queue: Vec::new(),
        machine: "BP004000".parse().ok(),
        host: "web-01".into(),
        service: ServiceState::Running,
        poll_due: Some(later(52)),
        next_run: Some(later(478)),
        latest: Some(later(538)),
        next_request: "BP0000Y".parse().ok(),
        held_until: None,
        hold: None,
        clock_ok: true,
        restart_pending: false,
        restart: None,
        counts: BTreeMap::from([(State::Waiting, 1), (State::Succeeded, 41)]),
        seen: 0,
        seen_by_state: BTreeMap::new(),
        users: Some(2),
        problems: Vec::new(),
        role: "production".into(),
        frozen_until: None,
        polled_at: Some(later(-8)),
        trust: "permissions".into(),
        signed: None,
        lock: Some("service, pid 812, since 08:01".into()),
        zone: "Europe/Berlin".into(),
        utc_offset_s: 3600,
        may_operate: true,
        version: "0.1.0".into(),
        standstill: Vec::new(),
        polling_interval_s: 3600,
        polling_by: crate::config::PollingBy::Default,
        space: Some(Space {
            state: 12 << 20,
            history: 2 << 20,
            stage: 9 << 20,
            runs: 40 << 10,
            transcripts: 1 << 20,
            outbox: 4 << 10,
            logs: 2 << 20,
        }),
        operators: "pcm-operators".into(),
        join: None,
        undelivered: None,
        folded: None,
    }
}

fn shown(page: Page) -> String {
    page.to_text()
}

#[test]
fn list_fits_80_columns_and_loses_no_reason() {
    insta::assert_snapshot!(shown(list(&list_doc(), Selection::Default, &look(80))));
}

#[test]
fn explain_reads_like_an_answer() {
    insta::assert_snapshot!(shown(explain(&explain_doc(), &look(80))));
}

#[test]
fn explain_says_never_and_because() {
    let mut doc = explain_doc();
    (doc.state, doc.never, doc.why) = (State::Expired, true, "never ran".into());
    doc.gates.push(gate(Gate::Expiry, Verdict::Block, Some("expired"), "expired Mon 22:00", "never"));
    let text = shown(explain(&doc, &look(80)));
    assert!(text.contains("expired Mon 22:00.\nNext run: never by itself."), "{text}");
}

#[test]
fn explain_leaves_out_what_nobody_asks() {
    let mut doc = explain_doc();
    doc.gates[3] = gate(Gate::Executor, Verdict::Block, Some("busy"), "BP00010 runs", "event");
    let text = shown(explain(&doc, &look(80)));
    let answer = text.split("GATE").next().unwrap_or_default();
    assert!(!answer.contains("BP00010 runs"), "{text}");
    assert!(!text.contains("Not possible now"), "{text}");
}

#[test]
fn show_holds_everything_that_is_known() {
    let doc = ShowDoc {
        request: request("BP0000Y", "Acme Workstation 4.0", State::Failed, "exit 17 after 1m"),
        command_line: Some("setup.sh --silent".into()),
        platforms: Vec::new(),
        run_when: Some(RunWhen::NoUser),
        max_run_time_s: Some(7200),
        restarts: Some(Restarts::Program),
        gates: explain_doc().gates,
        attempts: vec![attempt(2, State::Failed, 17, "exit 17"), attempt(1, State::Failed, 17, "disk full")],
        deferrals: vec![DeferralDoc {
            at: later(-600),
            who: "ola".into(),
            until: later(-300),
            reason: "release".into(),
            ended_at: None,
        }],
        deferrals_used: 0,
        deferrals_limit: 3,
        allowed: explain_doc().allowed,
        run_as: "root".into(),
        copying_since: None,
        looking_up: false,
    };
    insta::assert_snapshot!(shown(show(&doc, &look(80))));
}

#[test]
fn status_says_that_all_is_well_or_what_is_wrong_and_what_to_do() {
    assert_eq!(findings(&status_doc(), "pcm"), Vec::<String>::new());
    insta::assert_snapshot!("status_well", shown(status(&status_doc(), &look(80))));
    let mut doc = status_doc();
    doc.service = ServiceState::Stopped;
    doc.lock = None;
    doc.counts.extend([(State::Failed, 2), (State::Rejected, 1)]);
    doc.problems.push(problem());
    doc.users = None;
    assert_eq!(findings(&doc, "pcm").len(), 4);
    insta::assert_snapshot!("status_bad", shown(status(&doc, &look(80))));
}

#[test]
fn a_warning_alone_is_no_finding() {
    let mut doc = status_doc();
    doc.problems.push(problem().into_warning());
    assert!(findings(&doc, "pcm").is_empty());
    let text = shown(status(&doc, &look(80)));
    assert!(text.contains("\nNothing is wrong; 1 thing to know of below.\n"), "{text}");
    assert!(!text.contains("All is well"), "{text}");
}

#[test]
fn a_look_at_the_share_that_is_due_is_not_told_as_long_ago() {
    let mut doc = status_doc();
    doc.poll_due = Some(later(-103));
    let text = shown(status(&doc, &look(80)));
    assert!(text.contains("next look due"), "{text}");
}

#[test]
fn explain_tells_how_it_came_to_that() {
    let span = |from, until, codes: Option<&[&str]>| BlockedDoc {
        from: later(from),
        until: Some(later(until)),
        codes: codes.map(|codes| codes.iter().map(|code| code.parse().unwrap()).collect()),
    };
    let doc = ExplainDoc {
        queue_position: None,
        queued: None,
        state: State::Expired,
        told: vec![
            "it expired 13:02 without an attempt".into(),
            "had nobody been logged on 11:02, it would have run then".into(),
        ],
        blocked: vec![
            span(-300, -120, Some(&["window-closed", "user-logged-on"])),
            span(-120, -90, Some(&["user-logged-on"])),
            span(-90, -80, None),
            span(-80, -60, Some(&[])),
        ],
        ..explain_doc()
    };
    let text = shown(explain(&doc, &look(80)));
    let past = text.split_once("How it came to that:").unwrap().1.split_once("GATE").unwrap().0;
    insta::assert_snapshot!(past);
}

fn simulate_doc() -> SimulateDoc {
    let step = |minutes, state, code: Option<&str>| StepDoc {
        at: later(minutes),
        state,
        code: code.map(|code| code.parse().unwrap()),
    };
    let one =
        |id: &str, package: &str, at: Option<i64>, never, why: &str, changes: Vec<StepDoc>| SimulatedDoc {
            request_id: id.parse().ok(),
            package: package.into(),
            at: at.map(later),
            latest: at.map(|at| later(if at == 598 { at + 120 } else { at })),
            never,
            why: why.into(),
            changes,
        };
    SimulateDoc {
        from: now(),
        until: later(7 * 24 * 60),
        complete: true,
        machine: "BP004000".parse().ok(),
        serial: Some(42),
        assumed: vec![
            "every run succeeds and takes as long as its time limit allows".into(),
            "it stays as it is now that anna is logged on".into(),
        ],
        requests: vec![
            one(
                "BP0000Y",
                "Acme Workstation 4.0",
                Some(478),
                false,
                "the maintenance window opens",
                vec![
                    step(0, State::Offered, Some("not-mandatory-yet")),
                    step(60, State::Waiting, Some("window-closed")),
                    step(478, State::Due, None),
                    step(478, State::Running, Some("done")),
                    step(598, State::Succeeded, Some("done")),
                ],
            ),
            one(
                "BP0000Z",
                "Office suite",
                Some(598),
                false,
                "BP0000Y ends",
                vec![step(0, State::Waiting, None)],
            ),
            one(
                "BP00010",
                "Agent",
                None,
                false,
                "user anna",
                vec![step(0, State::Waiting, Some("user-logged-on"))],
            ),
            one("BP00011", "Fonts", None, true, "optional", vec![step(0, State::Offered, Some("optional"))]),
            one(
                "BP00012",
                "Driver",
                None,
                true,
                "done after 3m",
                vec![step(0, State::Succeeded, Some("done"))],
            ),
        ],
    }
}

#[test]
fn a_simulation_says_what_runs_what_waits_and_what_never_runs() {
    let doc = simulate_doc();
    insta::assert_snapshot!("simulate_all", shown(simulate(&doc, None, &look(80))));
    let one = SimulateDoc { requests: doc.requests[..1].to_vec(), complete: false, ..doc };
    insta::assert_snapshot!("simulate_one", shown(simulate(&one, "BP0000Y".parse().ok(), &look(80))));
}

#[test]
fn what_is_announced_is_counted_once_in_a_simulation() {
    let mut doc = simulate_doc();
    doc.requests.truncate(1);
    doc.requests[0].changes[0].state = State::Countdown;
    let text = shown(simulate(&doc, None, &look(80)));
    assert!(text.contains("1 request will run") && !text.contains("more request"), "{text}");
}

#[test]
fn unknown_users_are_not_nobody() {
    let doc = WhoDoc {
        source: "unknown".into(),
        sessions: Vec::new(),
        connections: Vec::new(),
        note: Some("there is no logind and no /run/utmp".into()),
    };
    let text = shown(who(&doc, &look(80)));
    assert!(text.contains("unknown") && text.contains("not nobody") && !text.contains("Nobody is logged on"));
}

#[test]
fn sessions_show_what_they_hold_up() {
    let session = SessionDoc {
        user: "anna".into(),
        terminal: "pts/0".into(),
        from: "10.1.2.3".into(),
        since: Some(later(-230)),
        idle_s: Some(12),
        locked: Some(true),
        kind: SessionKind::Remote,
        holds: vec!["BP0000Y".parse().unwrap()],
        ignored: false,
    };
    let doc =
        WhoDoc { source: "logind".into(), sessions: vec![session], connections: Vec::new(), note: None };
    insta::assert_snapshot!(shown(who(&doc, &look(80))));
}

#[test]
fn history_and_audit_are_tables() {
    let doc = HistoryDoc {
        attempts: vec![attempt(2, State::Succeeded, 0, ""), attempt(1, State::Failed, 17, "")],
        older: None,
    };
    insta::assert_snapshot!("history", shown(attempts(&doc, &look(80))));
    let entry = AuditEntryDoc {
        at: later(-5),
        who: "ola".into(),
        uid: Some(1000),
        terminal: Some("pts/3".into()),
        from: Some("10.1.2.9".into()),
        verb: "defer".into(),
        request_id: "BP0000Y".parse().ok(),
        reason: Some("release of the month, asked by accounting".into()),
        result: "done".into(),
        times: None,
        since: None,
    };
    insta::assert_snapshot!(
        "audit",
        shown(audit(&AuditDoc { entries: vec![entry], older: None }, &look(80)))
    );
}

#[test]
fn no_view_is_wider_than_its_terminal() {
    for width in [40, 60, 80, 132] {
        let look = look(width);
        let pages = [
            list(&list_doc(), Selection::All, &look),
            explain(&explain_doc(), &look),
            status(&status_doc(), &look),
            simulate(&simulate_doc(), None, &look),
        ];
        for page in pages {
            for line in page.to_text().lines() {
                let wide = crate::text::SafeText::new(line).width();
                assert!(wide <= width, "{wide} > {width}: {line}");
            }
        }
    }
}

#[test]
fn changes_are_said_in_one_sentence() {
    let look = look(80);
    let id = "BP0000Y".parse().unwrap();
    let deferred = ChangedDoc { request_id: id, state: State::Deferred, deferred_until: Some(later(120)) };
    assert_eq!(shown(changed(&deferred, &look)), "BP0000Y is deferred until 16:02 (in 2h).\n");
    let held = HoldDoc {
        held_until: Some(later(120)),
        id: None,
        by: Some("ola".into()),
        reason: Some("move".into()),
    };
    assert!(shown(hold(&held, &look)).starts_with("HELD until 16:02 (in 2h) by ola: \"move\"."));
    let ended = RunResultDoc {
        queue_position: None,
        request_id: id,
        attempt: 1,
        state: State::Failed,
        exit_code: Some(17),
        result: Some("".into()),
        started_at: Some(later(-3)),
        ended_at: Some(later(-2)),
        decided_on: None,
    };
    assert_eq!(shown(run_result(&ended, &look)), "BP0000Y attempt 1 failed after 1m: exit 17.\n");
    let dry = DryRunDoc { dry_run: true, would: "run BP0000Y as root".into(), request_id: Some(id) };
    assert_eq!(shown(dry_run(&dry, &look)), "Would run BP0000Y as root. Nothing was done.\n");
}

/// Nobody saw its end: for as long as the machine lives the time would go on.
#[test]
fn how_long_an_interrupted_attempt_took_is_unknown_and_does_not_count_on() {
    let interrupted = AttemptDoc {
        ended_at: None,
        exit_code: None,
        ..attempt(1, State::Interrupted, 0, "its run host is gone")
    };
    let running = AttemptDoc { ended_at: None, exit_code: None, ..attempt(2, State::Running, 0, "") };
    let doc = HistoryDoc { attempts: vec![interrupted, running], older: None };
    let took = |minutes| {
        let text = shown(attempts(&doc, &Look { now: later(minutes), ..look(120) }));
        let of = |state: &str| text.lines().find(|line| line.contains(state)).unwrap().to_owned();
        (of("interrupted"), of("running"))
    };
    let ((before, grows), (after, grown)) = (took(0), took(60 * 24 * 3));
    assert!(before.contains(" unknown ") && after.contains(" unknown "), "{before}\n{after}");
    assert!(!before.contains("so far") && !after.contains("so far"), "{before}\n{after}");
    assert!(grows.contains("so far") && grows != grown, "{grows}\n{grown}");
}
