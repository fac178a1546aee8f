//! A random site: configuration of the machine, requests with times, windows, users, dependencies and exit code tables,
//! and what the packages do when they run.

use crate::clock::{Wall, When, Zone};
use crate::config::Config;
use crate::service::tests::random::Random;
use crate::site::ids::{MachineId, RequestId};
use crate::site::instruction::*;
use crate::site::site_file::Freeze;
use crate::site::trust::TrustMode;
use crate::terms::Platform;
use chrono::TimeDelta;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

pub const SHARE: &str = "/share";

pub fn machine() -> MachineId {
    "BP004000".parse().unwrap()
}

pub fn request_id(n: u64) -> RequestId {
    format!("BP000{n:02}").parse().unwrap()
}

pub fn content(n: u64) -> ContentHash {
    ContentHash::try_from(format!("{n:02x}").repeat(32)).unwrap()
}

/// Shortly before a clock change of one of the zones, or an ordinary day.
pub fn start(random: &mut Random) -> Wall {
    let text = *random.pick(&[
        "2026-11-22T12:00:00Z",
        "2027-03-27T18:00:00Z",
        "2027-03-14T01:00:00Z",
        "2027-10-30T19:00:00Z",
        "2027-11-07T00:30:00Z",
    ]);
    text.parse::<Wall>().unwrap() + TimeDelta::seconds(random.between(0, 7200))
}

pub fn zone(random: &mut Random) -> Zone {
    let rule = *random.pick(&["UTC0", "CET-1CEST,M3.5.0,M10.5.0/3", "EST5EDT,M3.2.0,M11.1.0"]);
    Zone::from_posix("simulated", rule).unwrap()
}

fn minutes(n: i64) -> Duration {
    Duration::from_secs(n.unsigned_abs() * 60)
}

pub fn config(random: &mut Random, start: Wall) -> Config {
    let mut config = Config {
        machine: Some(machine()),
        shares: vec![PathBuf::from(SHARE)],
        polling_interval: *random.pick(&[minutes(10), minutes(30), minutes(60)]),
        ..Config::default()
    };
    config.trust.mode = TrustMode::Permissions;
    config.run.retries = u32::try_from(random.below(4)).unwrap();
    config.run.retry_after = minutes(random.between(1, 20));
    config.run.countdown = minutes(*random.pick(&[0, 1, 5]));
    config.run.after_boot = minutes(*random.pick(&[0, 0, 10]));
    config.share.stale_after = minutes(*random.pick(&[120, 24 * 60, 7 * 24 * 60]));
    if random.chance(30) {
        let days = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
        config.windows.weekly = (0..random.between(1, 5))
            .map(|_| {
                let (from, until) = (random.below(24), random.below(24));
                format!("{} {from:02}:00-{until:02}:30", random.pick(&days))
            })
            .collect();
    }
    if random.chance(15) {
        let from = start + TimeDelta::minutes(random.between(-60, 600));
        config.freezes.push(Freeze {
            from: When::Instant(from),
            until: When::Instant(from + TimeDelta::minutes(random.between(1, 600))),
            reason: "stocktaking".into(),
        });
    }
    config
}

fn when(random: &mut Random, at: Wall) -> When {
    // A local time without a zone is resolved by the machine's own.
    if random.chance(30) { When::Local(at.naive_utc()) } else { When::Instant(at) }
}

/// One request around `now`. Those with a lower number may be depended on.
fn request(random: &mut Random, n: u64, now: Wall) -> Request {
    let offer = now + TimeDelta::minutes(random.between(-300, 60));
    let mandatory = offer + TimeDelta::minutes(random.between(0, 300));
    let expire = mandatory + TimeDelta::minutes(random.between(1, 1500));
    let (wants_mandatory, wants_expiry) = (random.chance(90), random.chance(50));
    let mut exit_codes = BTreeMap::new();
    if random.chance(30) {
        exit_codes.insert(17, *random.pick(&[Outcome::Success, Outcome::Retry, Outcome::Restart]));
    }
    let mut depends_on = Vec::new();
    if n > 1 && random.chance(15) {
        depends_on.push(request_id(1 + random.below(n - 1)));
    }
    let (background, automated) = (random.chance(94), random.chance(97));
    Request {
        request_id: request_id(n),
        job_id: "BP0000AA".parse().unwrap(),
        package_id: "BP00000A".parse().unwrap(),
        package: "Acme Workstation 4.0".into(),
        command: "Typical".into(),
        command_line: CommandLine { program: Program::Listed("apt-get".into()), args: Vec::new() },
        automated: automated || background,
        background,
        offer_after: when(random, offer),
        mandatory_after: wants_mandatory.then(|| when(random, mandatory)),
        expire_after: wants_expiry.then(|| when(random, expire + TimeDelta::hours(48) * i32::from(n == 1))),
        platforms: if random.chance(3) { vec![Platform::WindowsX86] } else { Vec::new() },
        run_when: *random.pick(&[RunWhen::Any, RunWhen::Any, RunWhen::Any, RunWhen::NoUser, RunWhen::User]),
        max_run_time: minutes(*random.pick(&[1, 10, 30, 120])),
        restarts: Restarts::No,
        ignore_windows: random.chance(20),
        disk_space: random.chance(10).then_some(1 << 20),
        depends_on,
        suspended: random.chance(3),
        content_sha256: random.chance(40).then(|| content(n)),
        exit_codes,
        line: 0,
    }
}

/// What a publisher has put on the share.
pub fn publication(random: &mut Random, serial: u64, now: Wall) -> InstructionFile {
    let count = random.between(1, 6).unsigned_abs();
    InstructionFile {
        site: "BP0".parse().unwrap(),
        machine: machine(),
        serial,
        issued: now - TimeDelta::hours(20),
        valid_until: random.chance(5).then(|| now + TimeDelta::hours(30)),
        requests: (1..=count).map(|n| Entry::Good(Box::new(request(random, n, now)))).collect(),
        warnings: Vec::new(),
    }
}

/// A later publication: something is withdrawn, suspended or added, the rest is as it was.
pub fn republish(
    random: &mut Random,
    old: &InstructionFile,
    now: Wall,
    numbers: &mut u64,
) -> InstructionFile {
    let mut file = old.clone();
    file.serial += 1;
    match random.below(7) {
        0 if file.requests.len() > 1 => {
            let gone = usize::try_from(random.below(file.requests.len() as u64)).unwrap();
            file.requests.remove(gone);
        }
        1 => {
            let index = usize::try_from(random.below(file.requests.len() as u64)).unwrap();
            if let Entry::Good(request) = &mut file.requests[index] {
                request.suspended = !request.suspended;
            }
        }
        _ => {
            *numbers += 1;
            file.requests.push(Entry::Good(Box::new(request(random, *numbers, now))));
        }
    }
    file
}

/// What a package writes into its status MIF.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mif {
    Nothing,
    Success,
    Failure,
    Malformed,
}

/// What a package does when it runs.
#[derive(Debug, Clone, Copy)]
pub struct Behaviour {
    /// None: it never ends by itself.
    pub takes: Option<Duration>,
    pub code: i64,
    pub mif: Mif,
    /// Its processes go on when the run host dies.
    pub survives: bool,
}

pub fn behaviour(random: &mut Random) -> Behaviour {
    Behaviour {
        takes: random.chance(92).then(|| Duration::from_secs(*random.pick(&[0, 1, 5, 60, 300, 1500]))),
        code: *random.pick(&[0, 0, 0, 0, 1, 17, 1618, 1618, 3010]),
        mif: *random.pick(&[
            Mif::Nothing,
            Mif::Nothing,
            Mif::Nothing,
            Mif::Nothing,
            Mif::Success,
            Mif::Failure,
            Mif::Malformed,
        ]),
        survives: random.chance(40),
    }
}
