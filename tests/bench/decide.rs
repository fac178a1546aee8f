//! How long decisions take: `cargo bench --bench decide`. Prints figures and judges nothing; each is also told as a
//! multiple of a fixed piece of work done in the same run, so that machines and days can be compared.
#![allow(clippy::unwrap_used)]

use pcm::clock::{Wall, When, Zone};
use pcm::config::Config;
use pcm::decision::simulate::{Assumptions, Content, simulate};
use pcm::decision::{
    Attempt, Deferrals, Facts, HistoryView, HostFacts, Inputs, Instructions, Policy, RestartRule, UserFact,
    decide, decide_one, verdicts,
};
use pcm::site::content::ContentFact;
use pcm::site::ids::RequestId;
use pcm::site::instruction::ContentHash;
use pcm::site::instruction::parse::parse;
use pcm::site::site_file::Freeze;
use pcm::site::trust::TrustVerdict;
use pcm::terms::{Platform, State};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

const REQUESTS: usize = 1_000;

fn now() -> Wall {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

/// A full instruction file as a site of some years has it: local times and zoned ones, windows and users that matter,
/// dependencies, optional and application-only requests, other platforms, a few that cannot be used.
fn instructions(config: &Config) -> Instructions {
    let mut text =
        "format = 1\nsite = \"BP0\"\nmachine = \"BP004000\"\nserial = 7\nissued = 2026-11-01T00:00:00Z\n"
            .to_owned();
    for n in 0..REQUESTS {
        let (day, hour) = (1 + n % 28, n % 24);
        // Every fifth means one instant everywhere; the others the clock on the machine's wall.
        let zone = if n % 5 == 0 { "Z" } else { "" };
        text += &format!(
            "\n[[request]]\nrequest_id = \"BP0{n:04}\"\njob_id = \"BP0{:05}\"\npackage_id = \"BP0{:05}\"\n\
             package = \"Acme Workstation {n}\"\ncommand = \"Typical\"\ncommand_line = \"setup.sh --silent\"\n\
             automated = true\nbackground = {}\noffer_after = 2026-11-{day:02}T{hour:02}:00:00{zone}\n\
             expire_after = 2027-01-{day:02}T00:00:00{zone}\nmax_run_time = \"{}m\"\ncontent_sha256 = \"{}\"\n",
            n / 10,
            n % CONTENTS,
            n % 50 != 1,
            [30, 30, 60, 240][n % 4],
            content(n),
        );
        if n % 25 != 2 {
            text += &format!("mandatory_after = 2026-12-{day:02}T{hour:02}:30:00{zone}\n");
        }
        match n % 7 {
            0 => text += "run_when = \"no-user\"\ndisk_space = \"200 MB\"\n",
            1 => text += "run_when = \"user\"\n",
            2 => text += "platforms = [\"linux-x86_64\", \"linux-aarch64\"]\n",
            3 if n % 3 == 0 => text += "ignore_windows = true\n",
            _ => {}
        }
        match n % 40 {
            9 | 19 => text += &format!("depends_on = [\"BP0{:04}\"]\n", n - 1),
            29 => text += "suspended = true\n",
            31 => text += "restarts = \"never\"\n",
            37 => text += "\n[request.exit_codes]\n\"17\" = \"success\"\n",
            _ => {}
        }
    }
    text += "\n[end]\nserial = 7\n";
    let file =
        parse(text.as_bytes(), "BP004000".parse().unwrap(), "bench", &config.request_defaults()).unwrap();
    assert_eq!(file.requests.len(), REQUESTS);
    let freeze = |from: &str, until: &str| Freeze {
        from: When::Local(from.parse().unwrap()),
        until: When::Local(until.parse().unwrap()),
        reason: "end of year".into(),
    };
    Instructions {
        file: Some(file),
        share_seen: Some(now()),
        fault: None,
        trust: TrustVerdict::Trusted("a bench".into()),
        source: None,
        signed: None,
        index: None,
        site_freezes: vec![
            freeze("2026-12-24T00:00:00", "2027-01-02T00:00:00"),
            freeze("2026-11-26T08:00:00", "2026-11-26T20:00:00"),
        ],
    }
}

/// How many packages there are.
const CONTENTS: usize = 40;

fn content(n: usize) -> String {
    format!("{:064x}", n % CONTENTS + 1)
}

/// A machine in use: two log-ons, most packages copied, plenty of disk.
fn facts() -> Facts {
    let user = |name: &str, idle| UserFact {
        name: name.into(),
        terminal: "pts/0".into(),
        idle: Some(Duration::from_secs(idle)),
        locked: None,
    };
    let staged = |n: usize| {
        let fact = match n % 20 {
            7 => ContentFact::Missing("the share has no CONTENT of it".into()),
            _ => ContentFact::Staged,
        };
        (ContentHash::try_from(content(n)).unwrap(), fact)
    };
    Facts {
        platform: Some(Platform::LinuxX86_64),
        users: Some(vec![user("anna", 30), user("kiosk", 90_000)]),
        clock_suspect: None,
        boot_id: "boot".into(),
        host: HostFacts::quiet(Some(Wall::UNIX_EPOCH)),
        disk_free: Some(1 << 40),
        service: true,
        unwritten: None,
        running: None,
        countdown: None,
        content: (0..CONTENTS).filter(|n| n % 20 != 9).map(staged).collect(),
        programs: Vec::new(),
        copying: BTreeMap::new(),
        unstartable: BTreeMap::new(),
        installed: Default::default(),
    }
}

/// A third was run before, most of them well; some wait for another attempt; some are deferred; as many again were
/// withdrawn since. Nothing of it is in the future.
fn history() -> HistoryView {
    let mut history = HistoryView::default();
    let id = |n: usize| -> RequestId { format!("BP0{n:04}").parse().unwrap() };
    let attempt = |n: usize, number: u32, state| Attempt {
        number,
        state,
        retry_at: (n % 15 == 3).then(|| now() + chrono::TimeDelta::minutes(5)),
        package: format!("Acme Workstation {n}").into(),
        command: "Typical".into(),
        job_id: "BP0000AA".parse().unwrap(),
        package_id: "BP00000A".parse().unwrap(),
        claimed_at: now(),
        started_at: Some(now()),
        ended_at: Some(now()),
        exit_code: Some(if state == State::Succeeded { 0 } else { 17 }),
        result: "exit 17".into(),
        by: "service".into(),
        reason: "".into(),
        boot_id: "before".into(),
        restart: RestartRule::default(),
        release: None,
        removes: false,
    };
    for n in (0..REQUESTS).filter(|n| n % 3 == 0) {
        let state = if n % 5 == 3 { State::Failed } else { State::Succeeded };
        let attempts =
            (1..=1 + u32::from(n % 15 == 3)).map(|number| Arc::new(attempt(n, number, state))).collect();
        history.attempts.insert(id(n), attempts);
    }
    for n in (0..REQUESTS).filter(|n| n % 20 == 8) {
        let deferral = Deferrals {
            until: Some(now() + chrono::TimeDelta::days(25)),
            by: "ola".into(),
            reason: "release".into(),
            count: 1,
            total_s: 25 * 86_400,
        };
        history.deferrals.insert(id(n), deferral);
    }
    history
}

/// The least and the median of many runs: other work on the machine only ever adds.
fn times(runs: usize, mut work: impl FnMut()) -> (Duration, Duration) {
    work();
    let mut times: Vec<Duration> = (0..runs)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed()
        })
        .collect();
    times.sort();
    (times[0], times[runs / 2])
}

/// One line of figures.
fn print(what: &str, (least, median): (Duration, Duration), reference: Duration) {
    println!(
        "{what:<58} {:>9.1} us at least {:>9.1} us median {:>8.2} x reference",
        micros(least),
        micros(median),
        least.as_secs_f64() / reference.as_secs_f64()
    );
}

fn main() {
    let block = vec![7_u8; 1 << 20];
    let reference = times(101, || {
        black_box(Sha256::digest(black_box(&block)));
    });
    print("reference: SHA-256 of 1 MiB", reference, reference.0);
    let reference = reference.0;
    let mut config = Config::default();
    config.windows.weekly =
        vec!["Sat 22:00-06:00".into(), "Sun 22:00-06:00".into(), "Wed 20:00-23:00".into()];
    let zone = Zone::from_posix("Europe/Berlin", "CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
    let (mut instructions, history, facts) = (instructions(&config), history(), facts());
    let policy = Policy { config, unreadable: None, window_zone: Ok(zone.clone()), groups: Vec::new() };
    for (when, at) in [
        ("none mandatory yet", now()),
        ("half of them mandatory", "2026-12-14T12:00:00Z".parse().unwrap()),
        ("in a window", "2026-12-16T20:00:00Z".parse().unwrap()),
        ("most of them expired", "2027-01-25T12:00:00Z".parse().unwrap()),
    ] {
        // The share was seen just now, whenever that is.
        instructions.share_seen = Some(at);
        let inputs = Inputs {
            instructions: &instructions,
            history: &history,
            facts: &facts,
            policy: &policy,
            zone: &zone,
            now: at,
        };
        let mut states: BTreeMap<State, usize> = BTreeMap::new();
        decide(&inputs).iter().for_each(|d| *states.entry(d.state).or_default() += 1);
        let states: Vec<String> = states.iter().map(|(state, n)| format!("{n} {state}")).collect();
        println!("\n{REQUESTS} requests, {when}: {}", states.join(", "));
        let pass = times(501, || {
            black_box(verdicts(black_box(&inputs)));
        });
        print("  decide all: every gate (a pass of the service)", pass, reference);
        let list = times(501, || {
            black_box(decide(black_box(&inputs)));
        });
        print("  with the words of the list", list, reference);
        let ids: Vec<RequestId> = decide(&inputs).iter().filter_map(|d| d.request_id).collect();
        let told = times(11, || {
            for id in &ids {
                black_box(decide_one(black_box(&inputs), *id));
            }
        });
        print("  each by itself, with all its evidence (explain)", told, reference);
    }
    println!();
    instructions.share_seen = Some(now());
    let inputs = Inputs {
        instructions: &instructions,
        history: &history,
        facts: &facts,
        policy: &policy,
        zone: &zone,
        now: now(),
    };
    let assume = Assumptions { content: Content::Arrives, ..Assumptions::default() };
    for days in [7, 60] {
        let until = now() + chrono::TimeDelta::days(days);
        let course = times(3, || {
            black_box(simulate(&inputs, now(), until, &assume));
        });
        print(&format!("simulate {days} days of all"), course, reference);
    }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
