//! A year in the life of one machine: 2,500 requests, on the clock of the simulation and with the real history. What grows
//! with its age is looked at, and nothing else happens. All of it takes minutes; the bounded form is its first weeks:
//! `PCM_SIM_WEEKS=52 cargo test --release --lib a_year_of`.

use super::{Sim, begin};
use crate::clock::{Wall, When};
use crate::service::tests::simulation::world::Death;
use crate::site::ids::RequestId;
use crate::site::instruction::{
    CommandLine, Entry, InstructionFile, Outcome, Program, Request, Restarts, RunWhen,
};
use crate::site::report;
use chrono::TimeDelta;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Of 52, without a wish.
const WEEKS: u64 = 2;
const A_WEEK: u64 = 49;
/// The service wakes at polls and instants of requests; this is many times as often.
pub(super) const STEPS: u32 = 50_000;

pub(super) fn id(n: u64) -> RequestId {
    let digit = |n: u64| char::from_digit(u32::try_from(n % 36).unwrap(), 36).unwrap().to_ascii_uppercase();
    format!("BP0Y{}{}{}", digit(n / 1296), digit(n / 36), digit(n)).parse().unwrap()
}

pub(super) fn request(n: u64, mandatory: Wall) -> Request {
    Request {
        request_id: id(n),
        job_id: "BP0000AA".parse().unwrap(),
        package_id: "BP00000A".parse().unwrap(),
        package: "Acme Workstation 4.0".into(),
        command: "Typical".into(),
        command_line: CommandLine { program: Program::Listed("apt-get".into()), args: Vec::new() },
        automated: true,
        background: true,
        offer_after: When::Instant(mandatory - TimeDelta::hours(1)),
        mandatory_after: Some(When::Instant(mandatory)),
        expire_after: None,
        platforms: Vec::new(),
        run_when: RunWhen::Any,
        max_run_time: Duration::from_secs(600),
        restarts: Restarts::No,
        ignore_windows: false,
        disk_space: None,
        depends_on: Vec::new(),
        suspended: false,
        content_sha256: None,
        // Nothing waits for a restart or is repeated: each request runs once.
        exit_codes: BTreeMap::from([(3010, Outcome::Success), (1618, Outcome::Failure)]),
        line: 0,
    }
}

pub(super) fn quiet_machine(sim: &Sim<'_>) {
    let mut inner = sim.world.lock();
    let config = &mut inner.config;
    config.polling_interval = Duration::from_secs(3600);
    config.share.stale_after = Duration::from_secs(7 * 86_400);
    config.windows.weekly.clear();
    config.freezes.clear();
    (config.run.countdown, config.run.after_boot) = (Duration::ZERO, Duration::ZERO);
}

/// Everything of the week before is withdrawn, and this comes.
fn publish(sim: &Sim<'_>, week: u64) {
    let mut inner = sim.world.lock();
    let now = inner.wall;
    let requests = (0..A_WEEK).map(|n| {
        let mandatory = now + TimeDelta::hours(2 + 3 * n.cast_signed());
        Entry::Good(Box::new(request(week * A_WEEK + n, mandatory)))
    });
    let serial = inner.share.file.serial + 1;
    inner.share.file = InstructionFile {
        serial,
        issued: now,
        valid_until: None,
        requests: requests.collect(),
        ..inner.share.file.clone()
    };
    inner.remember_published();
}

#[test]
fn a_year_of_2500_requests_leaves_small_reports_and_every_result_and_nothing_waits() {
    let weeks = std::env::var("PCM_SIM_WEEKS").ok().and_then(|n| n.parse().ok()).unwrap_or(WEEKS);
    begin(11, None, None, |sim| {
        quiet_machine(sim);
        sim.checking = false;
        sim.start();
        for week in 0..weeks {
            publish(sim, week);
            sim.pass_in(Duration::from_secs(7 * 86_400), STEPS);
            sim.die(Death::Service);
            sim.start();
            assert_eq!(sim.broken(), None);
        }
        sim.pass_in(Duration::from_secs(2 * 86_400), STEPS);
        let executor = &sim.service.as_ref().unwrap().executor;
        let attempts = sim.checks.attempts(Some(executor));
        let wanted: BTreeSet<RequestId> = (0..weeks * A_WEEK).map(id).collect();
        let ran: BTreeSet<RequestId> =
            attempts.iter().filter(|a| a.state.is_terminal()).map(|a| a.request_id).collect();
        assert_eq!(ran.intersection(&wanted).count(), wanted.len());
        let inner = sim.world.lock();
        for attempt in &attempts {
            let name = report::result_name(attempt.request_id, attempt.attempt);
            assert!(inner.share.results.contains_key(&(name.clone(), 0)), "{name}");
        }
        assert!(inner.disk.names("outbox").is_empty());
        // Put away once the result was delivered.
        assert_eq!(inner.disk.folders_in("runs/"), Vec::<String>::new());
        let history = std::fs::metadata(inner.layout.history()).unwrap().len();
        println!(
            "a year: {} attempts, {} reports, the largest of {} bytes, {} bytes of history",
            attempts.len(),
            inner.share.reports,
            inner.share.largest,
            history
        );
        assert!(inner.share.largest > 0 && inner.share.largest as u64 <= report::MAX_BYTES);
        // Some events an attempt, and nothing for requests that only wait: about 4 KB each.
        assert!(history / (attempts.len() as u64) < 16 << 10, "{history}");
    });
}
