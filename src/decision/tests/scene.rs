//! A machine on which one background task is due at once: every test takes something away from it or adds something.

use super::super::model::*;
use super::super::{decide, decide_one, verdicts};
use crate::clock::{Wall, When, Zone};
use crate::config::Config;
use crate::site::ids::RequestId;
use crate::site::instruction::*;
use crate::site::site_file::Freeze;
use crate::site::trust::TrustVerdict;
use crate::terms::*;
use crate::text::SafeText;
use chrono::{NaiveDateTime, TimeDelta};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The request all tests look at.
pub const ID: &str = "BP0000Y";
/// Another one.
pub const OTHER: &str = "BP0000X";

pub fn at(text: &str) -> Wall {
    chrono::DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}

pub fn local(text: &str) -> When {
    When::Local(text.parse::<NaiveDateTime>().unwrap())
}

pub fn id(text: &str) -> RequestId {
    text.parse().unwrap()
}

pub fn hash() -> ContentHash {
    ContentHash::try_from("ab".repeat(32)).unwrap()
}

pub fn minutes(n: u64) -> Duration {
    Duration::from_secs(n * 60)
}

/// Everything a decision needs, owned. Noon on Sunday 2026-11-22, UTC.
#[derive(Clone)]
pub struct Scene {
    pub instructions: Instructions,
    pub history: HistoryView,
    pub facts: Facts,
    pub policy: Policy,
    pub zone: Zone,
    pub now: Wall,
}

pub fn now() -> Wall {
    at("2026-11-22T12:00:00Z")
}

/// Mandatory an hour ago.
pub fn request(name: &str) -> Request {
    Request {
        request_id: id(name),
        job_id: "BP0000AA".parse().unwrap(),
        package_id: "BP00000A".parse().unwrap(),
        package: "Acme Workstation 4.0".into(),
        command: "Typical".into(),
        command_line: CommandLine { program: Program::Listed("apt-get".into()), args: Vec::new() },
        automated: true,
        background: true,
        offer_after: When::Instant(now() - TimeDelta::hours(2)),
        mandatory_after: Some(When::Instant(now() - TimeDelta::hours(1))),
        expire_after: None,
        platforms: Vec::new(),
        run_when: RunWhen::Any,
        max_run_time: minutes(30),
        restarts: Restarts::No,
        ignore_windows: false,
        disk_space: None,
        depends_on: Vec::new(),
        suspended: false,
        content_sha256: None,
        exit_codes: BTreeMap::new(),
        line: 8,
    }
}

pub fn attempt(number: u32, state: State) -> Attempt {
    Attempt {
        number,
        state,
        retry_at: None,
        package: "Acme Workstation 4.0".into(),
        command: "Typical".into(),
        job_id: "BP0000AA".parse().unwrap(),
        package_id: "BP00000A".parse().unwrap(),
        claimed_at: now() - TimeDelta::minutes(10),
        started_at: Some(now() - TimeDelta::minutes(10)),
        ended_at: (!matches!(state, State::Running | State::Stopping)).then(|| now() - TimeDelta::minutes(9)),
        exit_code: None,
        result: SafeText::default(),
        by: "service".into(),
        reason: SafeText::default(),
        boot_id: "boot-1".into(),
        restart: RestartRule::default(),
        release: None,
        removes: false,
    }
}

pub fn user(name: &str) -> UserFact {
    UserFact { name: name.into(), terminal: "pts/0".into(), idle: Some(minutes(3)), locked: None }
}

pub fn problem(code: &str) -> Problem {
    Problem {
        code: code.into(),
        severity: Severity::Error,
        file: "BP004000.INS".into(),
        line: Some(12),
        field: Some("request[0].expire_after".into()),
        message: "wanted a date".into(),
        newer: false,
    }
}

pub fn freeze(from: &str, until: &str) -> Freeze {
    Freeze { from: local(from), until: local(until), reason: "end of year".into() }
}

impl Scene {
    /// One request that is due.
    pub fn due() -> Scene {
        Scene {
            instructions: Instructions {
                file: Some(InstructionFile {
                    site: "BP0".parse().unwrap(),
                    machine: "BP004000".parse().unwrap(),
                    serial: 42,
                    issued: now() - TimeDelta::days(1),
                    valid_until: None,
                    requests: vec![Entry::Good(Box::new(request(ID)))],
                    warnings: Vec::new(),
                }),
                share_seen: Some(now() - TimeDelta::minutes(8)),
                fault: None,
                trust: TrustVerdict::Trusted("owned by root, writable by nobody else".into()),
                source: Some("/mnt/sms_shr".into()),
                signed: None,
                site_freezes: Vec::new(),
                index: None,
            },
            history: HistoryView::default(),
            facts: Facts {
                platform: Some(Platform::LinuxX86_64),
                users: Some(Vec::new()),
                clock_suspect: None,
                boot_id: "boot-1".into(),
                host: HostFacts::quiet(Some(now() - TimeDelta::days(3))),
                disk_free: Some(10_000_000_000),
                service: true,
                unwritten: None,
                running: None,
                countdown: None,
                content: BTreeMap::new(),
                copying: BTreeMap::new(),
                unstartable: BTreeMap::new(),
                installed: Arc::default(),
                programs: Vec::new(),
            },
            policy: Policy {
                config: Config::default(),
                unreadable: None,
                window_zone: Ok(Zone::utc()),
                groups: Vec::new(),
            },
            zone: Zone::utc(),
            now: now(),
        }
    }

    pub fn inputs(&self) -> Inputs<'_> {
        Inputs {
            instructions: &self.instructions,
            history: &self.history,
            facts: &self.facts,
            policy: &self.policy,
            zone: &self.zone,
            now: self.now,
        }
    }

    /// The request all tests look at, to be changed.
    pub fn request(&mut self) -> &mut Request {
        match self.requests().first_mut() {
            Some(Entry::Good(request)) => request,
            _ => panic!("the scene has no usable request"),
        }
    }

    pub fn requests(&mut self) -> &mut Vec<Entry> {
        &mut self.instructions.file.as_mut().unwrap().requests
    }

    pub fn with(mut self, change: impl FnOnce(&mut Scene)) -> Scene {
        change(&mut self);
        self
    }

    pub fn add(&mut self, request: Request) {
        self.requests().push(Entry::Good(Box::new(request)));
    }

    pub fn attempted(&mut self, name: &str, attempts: Vec<Attempt>) {
        self.history.attempts.insert(id(name), attempts.into_iter().map(Arc::new).collect());
    }

    pub fn deferred(&mut self, until: Wall) {
        let deferral = Deferrals {
            until: Some(until),
            by: "ola".into(),
            reason: "release".into(),
            count: 1,
            total_s: 60,
        };
        self.history.deferrals.insert(id(ID), deferral);
    }

    pub fn held(&mut self, until: Wall) {
        self.history.hold = Some(Hold { until, by: "ola".into(), reason: "audit".into(), at: now() });
    }

    pub fn windows(&mut self, weekly: &[&str]) {
        self.policy.config.windows.weekly = weekly.iter().map(|w| w.to_string()).collect();
    }

    pub fn decide(&self) -> Vec<Decision> {
        let all = decide(&self.inputs());
        let mut mute = all.clone();
        for decision in &mut mute {
            for text in [&mut decision.package, &mut decision.command, &mut decision.why] {
                *text = SafeText::EMPTY;
            }
        }
        assert_eq!(verdicts(&self.inputs()), mute, "the same verdicts with words and without");
        all
    }

    /// What is decided of the request all tests look at.
    pub fn decision(&self) -> Decision {
        let one = decide_one(&self.inputs(), id(ID)).unwrap();
        let all = self.decide();
        let mut untold = one.clone();
        untold.gates.iter_mut().for_each(|gate| gate.evidence = SafeText::EMPTY);
        assert_eq!(all.iter().find(|d| d.request_id == Some(id(ID))), Some(&untold), "one and all agree");
        one
    }
}
