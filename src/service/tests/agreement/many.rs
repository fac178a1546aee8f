//! Hundreds of requests that are due at once, as after an outage or on a new machine: the history grows with what runs,
//! and not with what waits meanwhile. `PCM_DUE=500` is the number that the site's documents name.

use super::site::{self, Mood, Plan};
use super::world::World;
use super::{Random, Service, make_past, number};
use crate::config::Config;
use crate::decision::Power;
use crate::decision::simulate::RunTime;
use crate::executor::history::{History, Walked};
use crate::host::paths::Layout;
use crate::site::content::ContentFact;
use crate::site::instruction::ContentHash;
use crate::site::instruction::parse::parse;
use crate::terms::Platform;
use chrono::TimeDelta;
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// So many background tasks with files of their own, mandatory one minute after the other, hours ago. The file lists them
/// the other way round.
fn plan(due: u64) -> Plan {
    let plan = site::plan(&mut Random::new(1));
    let config = Config {
        machine: Some(site::machine()),
        shares: plan.config.shares.clone(),
        trust: plan.config.trust.clone(),
        ..Config::default()
    };
    let at = |minutes: i64| (plan.from + TimeDelta::minutes(minutes)).format("%Y-%m-%dT%H:%M:%SZ");
    let mut text =
        format!("format = 1\nsite = \"BP0\"\nmachine = \"BP004000\"\nserial = 7\nissued = {}\n", at(-1_000));
    let mut contents = BTreeMap::new();
    for n in (0..due).rev() {
        let hash = ContentHash::try_from(format!("{n:064x}")).unwrap();
        let _ = write!(
            text,
            "\n[[request]]\nrequest_id = \"BP0{n:04}\"\njob_id = \"BP0000AA\"\npackage_id = \"BP00000A\"\n\
             package = \"Acme\"\ncommand = \"Typical\"\ncommand_line = \"setup.sh\"\nautomated = true\n\
             background = true\noffer_after = {}\nmandatory_after = {}\nmax_run_time = \"30m\"\n\
             content_sha256 = \"{}\"\n",
            at(-900),
            at(-800 + i64::try_from(n).unwrap()),
            hash.as_str()
        );
        contents.insert(hash, ContentFact::Staged);
    }
    text += "\n[end]\nserial = 7\n";
    Plan {
        file: parse(text.as_bytes(), site::machine(), "test", &config.request_defaults()).unwrap(),
        config,
        site_file: "format = 1\nsite = \"BP0\"\nname = \"Test\"\n".into(),
        mood: Mood::Well,
        held: None,
        contents,
        users: Some(Vec::new()),
        power: Power::Mains,
        up: Duration::from_secs(900_000),
        disk_free: Some(1 << 40),
        platform: Some(Platform::LinuxX86_64),
        attempts: Vec::new(),
        deferrals: Vec::new(),
        hold: None,
        adopted: Vec::new(),
        lost: false,
        needs: BTreeMap::new(),
        installed: BTreeMap::new(),
        runs_take: RunTime::About(Duration::from_secs(20)),
        ..plan
    }
}

/// What the history of a machine holds on which so many were due and have run.
struct Grown {
    events: u64,
    bytes: u64,
}

fn run_all(due: u64, folder: &Path) -> Grown {
    let layout = Layout {
        config: folder.join("etc/pcm.toml"),
        state: folder.join("state"),
        log: folder.join("log"),
        socket: folder.join("sock"),
    };
    let plan = plan(due);
    make_past(&plan, &layout);
    let config = plan.config.clone();
    let read_config = move || Ok(config.clone());
    let world = Arc::new(World::new(plan, layout));
    let mut service = Service::start(&world, &read_config);
    // Files arrive one after the other, and each is a step of its own; one restart of the service is among them.
    for step in 0.. {
        assert!(step < due * 40, "{} of {due} have run", world.lock().launches.len());
        if step == due {
            world.lock().news.clear();
            service = Service::start(&world, &read_config);
        }
        let wake = service.steps.step();
        let news = world.lock().news.pop_front();
        match news {
            Some(news) => service.steps.hear(news),
            None if world.lock().launches.len() as u64 == due
                && !service.steps.executor.known().is_running() =>
            {
                break;
            }
            None => world.lock().advance(wake.max(Duration::from_secs(1))),
        }
    }
    let ran: Vec<String> = world.lock().launches.iter().map(|(id, _)| id.to_string()).collect();
    assert_eq!(ran.len() as u64, due, "each once");
    assert!(ran.is_sorted(), "by mandatory time, however they are listed: {ran:?}");
    let Walked { events, first_bad, .. } = History::verify(&world.layout, &|| true).unwrap().unwrap();
    assert_eq!(first_bad, None);
    let db = Connection::open(world.layout.history()).unwrap();
    let bytes = db.query_row("SELECT sum(length(body)) FROM events", [], |row| row.get::<_, i64>(0)).unwrap();
    Grown { events, bytes: bytes.unsigned_abs() }
}

#[test]
fn five_hundred_that_are_due_at_once_make_at_most_two_thousand_events_and_twice_as_many_twice_that() {
    let due = number("PCM_DUE", 100);
    let folder = tempfile::tempdir().unwrap();
    let half = run_all(due / 2, &folder.path().join("half"));
    let all = run_all(due, &folder.path().join("all"));
    println!(
        "{due} due: {} events, {} bytes; half of them: {}, {}",
        all.events, all.bytes, half.events, half.bytes
    );
    assert!(all.events <= due * 4, "{} events for {due} that were due", all.events);
    assert!(
        all.events <= half.events * 2 + 20 && all.bytes <= half.bytes * 9 / 4,
        "it grows faster than they do"
    );
}
