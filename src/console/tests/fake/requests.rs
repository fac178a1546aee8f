//! The requests of the fake: the picture of UX.md and what else a view may meet.

use super::{DAY, HOUR, MIN, id, soon};
use crate::executor::talk::view::{RequestDoc, RunDoc};
use crate::terms::{Code, Group, Problem, Severity, State};

struct R<'a> {
    id: &'a str,
    package: &'a str,
    state: State,
    offer: i64,
    mandatory: Option<i64>,
    expire: Option<i64>,
    why: &'a str,
}

fn request(r: R) -> RequestDoc {
    RequestDoc {
        of_job: Default::default(),
        queue_position: None,
        queued: None,
        request_id: Some(id(r.id)),
        job_id: Some("BP0000AA".parse().unwrap()),
        package_id: Some("BP00000A".parse().unwrap()),
        package: r.package.into(),
        command: "Typical".into(),
        group: r.state.group(),
        state: r.state,
        since: Some(soon(-2 * MIN)),
        offer_after: Some(soon(r.offer)),
        mandatory_after: r.mandatory.map(soon),
        expire_after: r.expire.map(soon),
        next_run: None,
        never: false,
        latest: None,
        blocked_by: Vec::new(),
        why: r.why.into(),
        attempt: 0,
        deferred_until: None,
        problems: Vec::new(),
        exit_code: None,
        result: None,
        run: None,
        seen: None,
    }
}

/// The picture of UX.md.
pub fn requests() -> Vec<RequestDoc> {
    use State::*;
    let mut all = vec![
        request(R {
            id: "BP00010",
            package: "OpenSSL fix",
            state: Running,
            offer: -DAY,
            mandatory: Some(-12 * MIN - 10),
            expire: Some(9 * DAY),
            why: "running",
        }),
        request(R {
            id: "BP0000Y",
            package: "Acme Workstation 4.0",
            state: Waiting,
            offer: -5 * HOUR,
            mandatory: Some(-130),
            expire: Some(30 * DAY),
            why: "user anna; window 22:00",
        }),
        request(R {
            id: "BP00011",
            package: "Kernel (restarts)",
            state: Deferred,
            offer: -DAY,
            mandatory: Some(2 * DAY + 8 * HOUR - 130),
            expire: Some(20 * DAY),
            why: "until Wed 02:00 ola: \"release\"",
        }),
        request(R {
            id: "BP00013",
            package: "Agent 7",
            state: Offered,
            offer: -DAY,
            mandatory: None,
            expire: None,
            why: "optional",
        }),
        request(R {
            id: "BP00014",
            package: "Fonts",
            state: Scheduled,
            offer: 2 * DAY + 18 * HOUR,
            mandatory: Some(3 * DAY + 8 * HOUR - 130),
            expire: Some(40 * DAY),
            why: "offered Wed 08:00",
        }),
        request(R {
            id: "BP00009",
            package: "Old agent",
            state: Expired,
            offer: -20 * DAY,
            mandatory: Some(-6 * DAY + 8 * HOUR - 130),
            expire: Some(-DAY),
            why: "never ran: window closed",
        }),
        request(R {
            id: "BP00007",
            package: "Printer driver",
            state: Failed,
            offer: -3 * DAY,
            mandatory: Some(-16 * HOUR - 130),
            expire: Some(8 * DAY),
            why: "exit 17 after 41s",
        }),
        request(R {
            id: "BP00005",
            package: "Mail client 102",
            state: Interrupted,
            offer: -9 * DAY,
            mandatory: Some(-3 * DAY),
            expire: None,
            why: "outcome unknown",
        }),
        request(R {
            id: "BP00003",
            package: "漢字フォント 2.1",
            state: Succeeded,
            offer: -9 * DAY,
            mandatory: Some(-4 * DAY),
            expire: None,
            why: "exit 0 after 2m10s",
        }),
        request(R {
            id: "BP00002",
            package: "Backup agent",
            state: SucceededRestart,
            offer: -9 * DAY,
            mandatory: Some(-5 * DAY),
            expire: None,
            why: "exit 3010 after 9s; a restart is pending",
        }),
        request(R {
            id: "BP00001",
            package: "Windows tools",
            state: NotApplicable,
            offer: -9 * DAY,
            mandatory: Some(-5 * DAY),
            expire: None,
            why: "made for windows-x86_64",
        }),
    ];
    all[0].attempt = 1;
    all[0].run = Some(RunDoc {
        started_at: soon(-192),
        max_run_time_s: 1800,
        last_output_at: Some(soon(-4)),
        last_line: Some("unpacking libssl3 (3.0.18-1) ... 61%".into()),
        transcript: Some("/var/log/pcm/runs/BP00010-1.log".into()),
        waits_for_input: None,
    });
    all[1].next_run = Some(soon(8 * HOUR - 130));
    all[1].blocked_by = vec![Code::WindowClosed, Code::UserLoggedOn];
    all[3].blocked_by = vec![Code::Optional];
    all[2].deferred_until = Some(soon(2 * DAY + 12 * HOUR - 130));
    all[2].next_run = all[2].deferred_until;
    all[4].next_run = all[4].mandatory_after;
    for row in &mut all {
        row.latest = row.next_run;
    }
    for row in &mut all[8..] {
        row.since = Some(soon(-3 * DAY));
    }
    for n in [6, 7, 8, 9] {
        all[n].attempt = 1;
    }
    all[6].exit_code = Some(17);
    let mut bad = all[5].clone();
    bad.request_id = None;
    bad.package = "Broken record".into();
    bad.state = Rejected;
    bad.group = Group::Rejected;
    bad.mandatory_after = None;
    bad.offer_after = None;
    bad.expire_after = None;
    bad.why = "malformed: expire_after is no time".into();
    bad.problems = vec![Problem {
        code: "malformed".into(),
        severity: Severity::Error,
        file: "BP004000.INS".into(),
        line: Some(112),
        field: Some("request[9].expire_after".into()),
        message: "\"next week\" is no time: wanted 2026-11-22T22:00:00".into(),
        newer: false,
    }];
    all.push(bad);
    all
}
