//! How long decisions take: `cargo bench --bench decide`. Prints figures and judges nothing; each is also told as a
//! multiple of a fixed piece of work done in the same run, so that machines and days can be compared.
#![allow(clippy::unwrap_used)]

use pcm::clock::{Wall, Zone};
use pcm::config::Config;
use pcm::decision::simulate::{Assumptions, Content, simulate};
use pcm::decision::{
    ContentFact, Facts, HistoryView, HostFacts, Inputs, Instructions, Policy, Power, TrustVerdict, decide,
    decide_one,
};
use pcm::site::instruction::parse::{Defaults, parse};
use pcm::site::instruction::{ContentHash, Platform};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

const REQUESTS: usize = 1_000;

fn now() -> Wall {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

/// A full instruction file: local and zoned times, windows that matter, users that matter, dependencies.
fn instructions(config: &Config) -> Instructions {
    let mut text =
        "format = 1\nsite = \"BP0\"\nmachine = \"BP004000\"\nserial = 7\nissued = 2026-11-01T00:00:00Z\n"
            .to_owned();
    for n in 0..REQUESTS {
        let (day, hour) = (1 + n % 28, n % 24);
        text += &format!(
            "\n[[request]]\nrequest_id = \"BP0{n:04}\"\njob_id = \"BP0000AA\"\npackage_id = \"BP00000A\"\n\
             package = \"Acme Workstation {n}\"\ncommand = \"Typical\"\ncommand_line = \"setup.sh --silent\"\n\
             automated = true\nbackground = true\noffer_after = 2026-11-{day:02}T{hour:02}:00:00\n\
             mandatory_after = 2026-12-{day:02}T{hour:02}:30:00\nexpire_after = 2027-01-{day:02}T00:00:00Z\n\
             content_sha256 = \"{}\"\nmax_run_time = \"30m\"\n",
            "ab".repeat(32)
        );
        if n % 7 == 0 {
            text += "run_when = \"no-user\"\ndisk_space = \"200 MB\"\n";
        }
        if n % 10 == 9 {
            text += &format!("depends_on = [\"BP0{:04}\"]\n", n - 1);
        }
    }
    text += "\n[end]\nserial = 7\n";
    let file = parse(text.as_bytes(), "BP004000".parse().unwrap(), "bench", &Defaults::of(config)).unwrap();
    assert_eq!(file.requests.len(), REQUESTS);
    Instructions {
        file: Some(file),
        share_seen: Some(now()),
        fault: None,
        trust: TrustVerdict::Trusted("a bench".into()),
        source: None,
        site_freezes: Vec::new(),
    }
}

fn facts() -> Facts {
    let hash = ContentHash::try_from("ab".repeat(32)).unwrap();
    Facts {
        platform: Some(Platform::LinuxX86_64),
        users: Some(Vec::new()),
        clock_suspect: None,
        boot_id: "boot".into(),
        host: HostFacts { started: Some(Wall::UNIX_EPOCH), power: Power::Mains, restart_wanted: None },
        disk_free: Some(1 << 40),
        running: None,
        countdown: None,
        content: BTreeMap::from([(hash, ContentFact::Staged)]),
        programs: Vec::new(),
    }
}

/// The median of many runs.
fn median(runs: usize, mut work: impl FnMut()) -> Duration {
    work();
    let mut times: Vec<Duration> = (0..runs)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed()
        })
        .collect();
    times.sort();
    times[runs / 2]
}

fn main() {
    let block = vec![7_u8; 1 << 20];
    let reference = median(51, || {
        black_box(Sha256::digest(black_box(&block)));
    });
    println!("reference: SHA-256 of 1 MiB                  {:>12.1} us", micros(reference));
    let mut config = Config::default();
    config.windows.weekly =
        vec!["Sat 22:00-06:00".into(), "Sun 22:00-06:00".into(), "Wed 20:00-23:00".into()];
    let zone = Zone::from_posix("Europe/Berlin", "CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
    let (instructions, history, facts) = (instructions(&config), HistoryView::default(), facts());
    let policy = Policy { config, unreadable: None, window_zone: Ok(zone.clone()) };
    let inputs = |now| Inputs {
        instructions: &instructions,
        history: &history,
        facts: &facts,
        policy: &policy,
        zone: &zone,
        now,
    };
    let ratio = |time: Duration| time.as_secs_f64() / reference.as_secs_f64();
    for (what, at) in [
        ("all pending, none mandatory", now()),
        ("half of them mandatory, a window closed", "2026-12-14T12:00:00Z".parse().unwrap()),
        ("most of them expired", "2027-01-25T12:00:00Z".parse().unwrap()),
    ] {
        let inputs = inputs(at);
        let all = median(301, || {
            black_box(decide(black_box(&inputs)));
        });
        let each = all.as_nanos() / REQUESTS as u128;
        println!(
            "decide 1,000: {what:<39}{:>8.1} us {each:>6} ns a request {:>7.2} x reference",
            micros(all),
            ratio(all)
        );
    }
    let (inputs, id) = (inputs(now()), "BP00500".parse().ok());
    if let Some(id) = id {
        let one = median(301, || {
            black_box(decide_one(black_box(&inputs), id));
        });
        println!(
            "decide one of them, with its evidence        {:>12.1} us {:>31.3} x reference",
            micros(one),
            ratio(one)
        );
    }
    let assume = Assumptions { content: Content::Arrives, ..Assumptions::default() };
    for days in [7, 60] {
        let until = now() + chrono::TimeDelta::days(days);
        let week = median(3, || {
            black_box(simulate(&inputs, now(), until, &assume));
        });
        println!(
            "simulate {days:>2} days of 1,000 {:>33.1} us {:>31.2} x reference",
            micros(week),
            ratio(week)
        );
    }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
