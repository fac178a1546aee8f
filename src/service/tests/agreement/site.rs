//! A random world that stays as it is while time passes: what is published, what was done and decided here before, the
//! configuration and the machine. Times are on whole seconds, many of them on the same quarter of an hour, so that
//! things meet.

use crate::clock::{Wall, When, Zone};
use crate::config::{Config, PollingBy};
use crate::decision::simulate::RunTime;
use crate::decision::{Attempt, Hold, Power};
use crate::executor::history::{AttemptRow, DeferralRow, ResultRow};
use crate::host::sessions::{LoggedOn, Session, SessionKind};
use crate::service::tests::random::Random;
use crate::site::content::ContentFact;
use crate::site::ids::{MachineId, RequestId};
use crate::site::index::JobState;
use crate::site::index::members::Member;
use crate::site::index::target::WHOLE;
use crate::site::indexed::{Delivery, InForce, Membership};
use crate::site::installed::{Answer, Finding, Findings, Need};
use crate::site::instruction::*;
use crate::site::package::{InstalledIf, Named};
use crate::site::site_file::Freeze;
use crate::site::trust::TrustMode;
use crate::terms::{Platform, State};
use crate::text::SafeText;
use chrono::{SecondsFormat, TimeDelta};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub const SHARE: &str = "/share";
pub const BOOT: &str = "boot-1";

/// How the share is, all the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    Well,
    Gone,
    NoFile,
    Untrusted,
}

/// Everything about a world that follows from its seed.
#[derive(Debug, Clone)]
pub struct Plan {
    pub from: Wall,
    pub until: Wall,
    pub zone: Zone,
    /// Of `[windows] zone`, where that is not the machine's own.
    pub other_zone: Zone,
    pub config: Config,
    pub file: InstructionFile,
    pub site_file: String,
    pub mood: Mood,
    /// When the file was seen that is held; None: none is.
    pub held: Option<Wall>,
    pub contents: BTreeMap<ContentHash, ContentFact>,
    pub users: Option<Vec<Session>>,
    pub power: Power,
    pub up: Duration,
    pub disk_free: Option<u64>,
    pub platform: Option<Platform>,
    pub attempts: Vec<(AttemptRow, Option<ResultRow>)>,
    pub deferrals: Vec<DeferralRow>,
    pub hold: Option<Hold>,
    pub adopted: Vec<RequestId>,
    pub lost: bool,
    /// What some of its requests have to do; with one of them they are jobs of an index.
    pub needs: BTreeMap<RequestId, Need>,
    /// What their tests give at first.
    pub installed: Findings,
    pub runs_take: RunTime,
}

impl Plan {
    /// What an index says beside its requests; None: this share has none.
    pub fn index(&self) -> Option<InForce> {
        (!self.needs.is_empty()).then(|| self.in_force())
    }

    /// The same of any share that has one.
    pub fn in_force(&self) -> InForce {
        let deliveries = self.file.requests.iter().filter_map(|entry| match entry {
            Entry::Good(request) => Some((request.request_id, self.delivery(request))),
            Entry::Rejected(_) => None,
        });
        InForce {
            site_id: "abcdefgh23456723".parse().unwrap(),
            epoch: 0,
            member: Membership::Listed(Member {
                machine: machine(),
                host: None,
                adopt: None,
                groups: Vec::new(),
            }),
            deliveries: deliveries.collect(),
            elsewhere: Vec::new(),
            cancelled: Default::default(),
            policies: Vec::new(),
            replaced: Vec::new(),
        }
    }

    fn delivery(&self, request: &Request) -> Delivery {
        Delivery {
            job_id: request.job_id,
            revision: 1,
            release: 1,
            state: JobState::Active,
            percent: WHOLE,
            reason: None,
            targets: vec!["@all".parse().unwrap()],
            exclude: Vec::new(),
            condition: None,
            bound: None,
            need: self.needs.get(&request.request_id).cloned(),
            removes: self.needs.get(&request.request_id).is_some_and(|need| need.removes),
            packages: Vec::new(),
            supersedes: Vec::new(),
            spread: None,
            offer_to: None,
            distrust: None,
        }
    }

    /// What the tests give after these runs have succeeded, one after the other.
    pub fn installed_after<'a>(&self, runs: impl IntoIterator<Item = &'a RequestId>) -> Findings {
        let mut installed = self.installed.clone();
        for need in runs.into_iter().filter_map(|id| self.needs.get(id)) {
            if installed.get(&need.test).is_some_and(|found| found.answer != Answer::Unknown) {
                installed.insert(need.test.clone(), need.done());
            }
        }
        installed
    }

    pub fn logged_on(&self) -> LoggedOn {
        match &self.users {
            None => LoggedOn::unknown("it is a random world"),
            Some(sessions) => {
                LoggedOn { source: "utmp", sessions: sessions.clone(), connections: Vec::new(), note: None }
            }
        }
    }

    /// What the virtual package takes, within its limit.
    pub fn takes(&self, limit: Duration) -> Duration {
        match self.runs_take {
            RunTime::Longest => limit,
            // No package of these sites was run before.
            RunTime::Nothing | RunTime::Usual => Duration::ZERO,
            RunTime::About(time) => time.min(limit),
        }
    }
}

pub fn machine() -> MachineId {
    "BP004000".parse().unwrap()
}

fn id(n: i64) -> RequestId {
    format!("BP000{n:02}").parse().unwrap()
}

fn content(n: u64) -> ContentHash {
    ContentHash::try_from(format!("{n:02x}").repeat(32)).unwrap()
}

fn minutes(n: i64) -> Duration {
    Duration::from_secs(n.unsigned_abs() * 60)
}

const ZONES: &[&str] = &[
    "UTC0",
    "CET-1CEST,M3.5.0,M10.5.0/3",
    "EST5EDT,M3.2.0,M11.1.0",
    "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
    "EET-2EEST,M3.5.0/0,M10.5.0/0",
    "<+00>0<+02>-2,M3.5.0/1,M10.5.0/3",
];

fn zone(r: &mut Random) -> Zone {
    let rule: &&str = r.pick(ZONES);
    Zone::from_posix("local", rule).unwrap()
}

/// An instant from so many hours before or after `around`; mostly on a quarter of an hour.
fn near(r: &mut Random, around: Wall, hours: std::ops::RangeInclusive<i64>) -> Wall {
    let quarters = r.between(hours.start() * 4, hours.end() * 4);
    let odd = if r.chance(25) { r.between(0, 899) } else { 0 };
    around + TimeDelta::minutes(quarters * 15) + TimeDelta::seconds(odd)
}

/// The same as a publisher may write it: one instant, or what the clock on that machine's wall shows then.
fn written(r: &mut Random, zone: &Zone, at: Wall) -> When {
    if r.chance(50) { When::Local(zone.to_local(at)) } else { When::Instant(at) }
}

pub fn plan(r: &mut Random) -> Plan {
    // An ordinary day, or shortly before one of the changes of the clock.
    let from = *r.pick(&[
        "2026-11-22T12:00:00Z",
        "2026-12-02T03:30:00Z",
        "2027-03-27T12:00:00Z",
        "2027-03-13T20:00:00Z",
        "2027-10-30T12:00:00Z",
        "2027-11-06T20:00:00Z",
        "2027-04-03T06:00:00Z",
        "2027-10-02T06:00:00Z",
    ]);
    let from = from.parse::<Wall>().unwrap() + TimeDelta::seconds(*r.pick(&[0, 0, 1, 433, 900]));
    let own = zone(r);
    let count = r.between(1, 8);
    let requests: Vec<Request> = (1..=count).map(|n| request(r, n, count, from, &own)).collect();
    let mood = match r.below(40) {
        0 | 1 => Mood::Gone,
        2 => Mood::NoFile,
        3 => Mood::Untrusted,
        _ => Mood::Well,
    };
    let held = (mood != Mood::Well || r.chance(50)).then(|| from - TimeDelta::minutes(r.between(0, 1500)));
    let mut plan = Plan {
        from,
        until: from + TimeDelta::hours(r.between(12, 80)),
        other_zone: zone(r),
        config: config(r, from, &own),
        file: InstructionFile {
            site: "BP0".parse().unwrap(),
            machine: machine(),
            serial: 7,
            issued: from - TimeDelta::hours(60),
            valid_until: r.chance(10).then(|| near(r, from, 1..=80)),
            requests: requests.iter().cloned().map(|request| Entry::Good(Box::new(request))).collect(),
            warnings: Vec::new(),
        },
        site_file: site_file(r, from),
        mood,
        held,
        contents: BTreeMap::new(),
        users: users(r),
        power: match r.below(60) {
            0 => Power::Battery("a random one".into()),
            1 => Power::Unknown("it is a random world".into()),
            _ => Power::Mains,
        },
        up: Duration::from_secs(r.between(5, 1200).unsigned_abs() + if r.chance(70) { 900_000 } else { 0 }),
        disk_free: (!r.chance(5)).then_some(1 << 30),
        platform: (!r.chance(1)).then_some(Platform::LinuxX86_64),
        attempts: Vec::new(),
        deferrals: Vec::new(),
        hold: None,
        adopted: Vec::new(),
        lost: r.chance(1),
        needs: BTreeMap::new(),
        installed: Findings::new(),
        runs_take: *r.pick(&[
            RunTime::Longest,
            RunTime::Longest,
            RunTime::About(minutes(10)),
            RunTime::Nothing,
        ]),
        zone: own,
    };
    for n in 0..3 {
        let fact = match r.below(12) {
            0 => ContentFact::Missing("the share has no CONTENT".into()),
            1 => ContentFact::Mismatch("it differs".into()),
            2 => ContentFact::Loose("anybody may write it".into()),
            _ => ContentFact::Staged,
        };
        plan.contents.insert(content(n), fact);
    }
    past(r, &mut plan, &requests);
    // Now and then two records with one id: both are refused.
    if r.chance(3) {
        let mut twin = requests[0].clone();
        twin.package = "Another".into();
        plan.file.requests.push(Entry::Good(Box::new(twin)));
    }
    plan.config.run.spread = minutes(*r.pick(&[0, 0, 0, 30, 240]));
    if r.chance(40) {
        needs(r, &mut plan, &requests);
    }
    plan
}

/// Some have something to do only where a package is installed or not; some of these share a test.
fn needs(r: &mut Random, plan: &mut Plan, requests: &[Request]) {
    let tests: Vec<InstalledIf> =
        (0..2).map(|n| InstalledIf::Dpkg(Named { name: format!("acme-{n}"), version: None })).collect();
    for test in &tests {
        let answer =
            *r.pick(&[Answer::Yes, Answer::Yes, Answer::No, Answer::No, Answer::No, Answer::Unknown]);
        plan.installed.insert(test.clone(), Finding::new(answer, "it is a random world"));
    }
    for request in requests.iter().filter(|_| r.chance(60)).collect::<Vec<_>>() {
        let need = Need { test: r.pick(&tests).clone(), removes: r.chance(45) };
        plan.needs.insert(request.request_id, need);
    }
}

fn request(r: &mut Random, n: i64, count: i64, from: Wall, zone: &Zone) -> Request {
    let offer = near(r, from, -50..=30);
    let mandatory = if r.chance(20) { offer } else { near(r, from, -30..=40).max(offer) };
    let most = *r.pick(&[1, 10, 60, 200]);
    let expire = near(r, mandatory, 0..=most) + TimeDelta::seconds(1);
    let (background, automated) = (r.chance(95), r.chance(97));
    // What the clock change makes of written times may turn their order; then the record is refused, and that is fine.
    let offer_after = written(r, zone, offer);
    let mandatory_after = r.chance(94).then(|| written(r, zone, mandatory));
    let expire_after = r.chance(40).then(|| written(r, zone, expire));
    let mut depends_on = Vec::new();
    if r.chance(20) {
        let most = if r.chance(5) { 90 } else { count };
        let on = r.between(1, most);
        depends_on.extend((on != n).then(|| id(on)));
    }
    Request {
        request_id: id(n),
        job_id: "BP0000AA".parse().unwrap(),
        package_id: "BP00000A".parse().unwrap(),
        package: "Acme Workstation 4.0".into(),
        command: "Typical".into(),
        command_line: CommandLine { program: Program::Listed("apt-get".into()), args: Vec::new() },
        automated: automated || background,
        background,
        offer_after,
        mandatory_after,
        expire_after,
        platforms: match r.below(40) {
            0 => vec![Platform::WindowsX86],
            1 => vec![Platform::LinuxX86_64, Platform::WindowsX86],
            _ => Vec::new(),
        },
        run_when: *r.pick(&[RunWhen::Any, RunWhen::Any, RunWhen::Any, RunWhen::NoUser, RunWhen::User]),
        max_run_time: minutes(*r.pick(&[1, 10, 30, 60, 120, 240, 241, 480])),
        restarts: *r.pick(&[
            Restarts::No,
            Restarts::No,
            Restarts::No,
            Restarts::No,
            Restarts::No,
            Restarts::Program,
            Restarts::Pcm,
        ]),
        ignore_windows: r.chance(10),
        disk_space: r.chance(10).then(|| if r.chance(30) { 1 << 40 } else { 1 << 20 }),
        depends_on,
        suspended: r.chance(3),
        content_sha256: r.chance(40).then(|| content(r.below(3))),
        exit_codes: BTreeMap::new(),
        line: 0,
    }
}

fn config(r: &mut Random, from: Wall, zone: &Zone) -> Config {
    let mut config =
        Config { machine: Some(machine()), shares: vec![PathBuf::from(SHARE)], ..Config::default() };
    config.trust.mode = TrustMode::Permissions;
    config.share.stale_after = minutes(*r.pick(&[61, 24 * 60, 24 * 60, 7 * 24 * 60]));
    config.polling_by = PollingBy::Configuration;
    config.polling_interval = minutes(*r.pick(&[60, 240, 720, 1440, 2880]));
    // Between two polls instructions would grow stale: `pcm check` refuses that.
    if config.polling_interval >= config.share.stale_after {
        config.polling_interval = config.share.stale_after - minutes(1);
    }
    config.run.countdown = minutes(*r.pick(&[0, 1, 5, 5, 30]));
    config.run.after_boot = minutes(*r.pick(&[0, 0, 10, 30]));
    config.restart.allow = r.chance(50);
    config.restart.countdown = minutes(*r.pick(&[0, 15]));
    if r.chance(20) {
        config.users.ignore.push("kiosk".into());
    }
    if r.chance(40) {
        let days = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
        config.windows.weekly = (0..r.between(1, 6))
            .map(|_| {
                let (day, start, length) = (r.pick(&days), r.below(96), *r.pick(&[2, 4, 8, 16, 32, 48, 95]));
                let end = (start + length) % 96;
                format!("{day} {:02}:{:02}-{:02}:{:02}", start / 4, start % 4 * 15, end / 4, end % 4 * 15)
            })
            .collect();
        if r.chance(3) {
            config.windows.weekly.push("Someday 22:00-23:00".into());
        }
        if r.chance(20) {
            config.windows.zone = "Elsewhere".into();
        }
    }
    for _ in 0..*r.pick(&[0, 0, 0, 1, 2]) {
        let begins = near(r, from, -20..=60);
        let ends = near(r, begins, 1..=30);
        config.freezes.push(Freeze {
            from: written(r, zone, begins),
            until: written(r, zone, ends),
            reason: "stocktaking".into(),
        });
    }
    config
}

fn site_file(r: &mut Random, from: Wall) -> String {
    let mut text = "format = 1\nsite = \"BP0\"\nname = \"Random\"\n".to_owned();
    if r.chance(15) {
        let begins = near(r, from, -20..=60);
        let ends = near(r, begins, 1..=30);
        let word = |at: Wall| at.to_rfc3339_opts(SecondsFormat::Secs, true);
        text += &format!("[[freeze]]\nfrom = {}\nuntil = {}\nreason = \"quiet\"\n", word(begins), word(ends));
    }
    text
}

fn users(r: &mut Random) -> Option<Vec<Session>> {
    let session = |name: &str, idle_s: Option<u64>, locked| Session {
        user: SafeText::new(name),
        terminal: "tty1".into(),
        from: "console".into(),
        since: None,
        idle_s,
        locked,
        kind: SessionKind::Console,
    };
    match r.below(12) {
        0 => None,
        1 => Some(vec![session("anna", Some(60), None)]),
        2 => Some(vec![session("anna", Some(90_000), None)]),
        3 => Some(vec![session("anna", None, Some(true)), session("kiosk", Some(3), Some(false))]),
        4 => Some(vec![session("kiosk", Some(3), None)]),
        _ => Some(Vec::new()),
    }
}

/// What was attempted, deferred, held and adopted before.
fn past(r: &mut Random, plan: &mut Plan, requests: &[Request]) {
    if r.chance(5) {
        plan.adopted = requests.iter().filter(|_| r.chance(30)).map(|r| r.request_id).collect();
    }
    for request in requests {
        if r.chance(15) && !plan.adopted.contains(&request.request_id) {
            plan.attempts.push(attempt(r, request, plan.from));
        }
        if r.chance(20) {
            plan.deferrals.push(DeferralRow {
                request: request.request_id,
                at: plan.from - TimeDelta::hours(3),
                who: "ola".into(),
                until: near(r, plan.from, -2..=48),
                reason: "release".into(),
                ended_at: None,
            });
        }
    }
    if r.chance(10) {
        let (at, until) = (plan.from - TimeDelta::hours(1), near(r, plan.from, 0..=40));
        plan.hold = Some(Hold { until, by: "ola".into(), reason: "audit".into(), at });
    }
}

fn attempt(r: &mut Random, request: &Request, from: Wall) -> (AttemptRow, Option<ResultRow>) {
    let (claimed, ended) = (from - TimeDelta::hours(2), from - TimeDelta::hours(1));
    let (state, retry) = *r.pick(&[
        (State::Succeeded, false),
        (State::Failed, false),
        (State::Failed, true),
        (State::Failed, true),
        (State::Interrupted, false),
        (State::TimedOut, false),
        (State::SucceededRestart, false),
    ]);
    let boot = if r.chance(50) { BOOT } else { "boot-0" };
    let attempt = Attempt::claimed(request, 1, "service".into(), claimed, boot);
    let row = AttemptRow {
        request: request.request_id,
        attempt: Arc::new(attempt),
        content: None,
        exit_codes: BTreeMap::new(),
        max_run_time_s: request.max_run_time.as_secs(),
        overrides: Vec::new(),
        need: None,
        started_up_ms: None,
        host: None,
        folded_at: None,
    };
    let result = ResultRow {
        state,
        retry_at: retry.then(|| near(r, from, -1..=30)),
        started_at: Some(claimed),
        ended_at: Some(ended),
        exit_code: Some(0),
        result: "before".into(),
    };
    (row, Some(result))
}
