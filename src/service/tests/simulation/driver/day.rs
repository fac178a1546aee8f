//! A day in which something is wrong with the share, and stays so: what the machine tries, tells and keeps of it does not grow
//! with the hours.

use super::year::{STEPS, id, quiet_machine, request};
use super::{Sim, begin};
use crate::config::PollingBy;
use crate::service::tests::simulation::share::Mood;
use crate::service::tests::simulation::site;
use crate::site::instruction::{Entry, InstructionFile, Request};
use crate::terms::State;
use chrono::TimeDelta;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);
/// As at a site that wants to see its machines often.
const POLL: Duration = Duration::from_secs(900);
const RUNS: u64 = 24;

/// What there was to see so far.
#[derive(Debug, Clone, Copy)]
struct Seen {
    copies: u64,
    offers: u64,
    lines: u64,
    events: u64,
}

impl Seen {
    fn of(sim: &Sim<'_>) -> Seen {
        let inner = sim.world.lock();
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let db = rusqlite::Connection::open_with_flags(inner.layout.history(), flags).unwrap();
        let events: i64 = db
            .query_row("SELECT count(*) FROM events WHERE kind <> 'unwatched'", [], |row| row.get(0))
            .unwrap();
        Seen {
            copies: inner.share.copies,
            offers: inner.share.offers,
            lines: inner.lines,
            events: events.unsigned_abs(),
        }
    }

    fn since(self, before: Seen) -> Seen {
        Seen {
            copies: self.copies - before.copies,
            offers: self.offers - before.offers,
            lines: self.lines - before.lines,
            events: self.events - before.events,
        }
    }
}

/// A machine of which `requests` are wanted, on a share of this mood.
fn machine(sim: &mut Sim<'_>, mood: Mood, requests: impl FnOnce(&Sim<'_>) -> Vec<Request>) {
    quiet_machine(sim);
    sim.checking = false;
    let requests = requests(sim);
    {
        let mut inner = sim.world.lock();
        (inner.config.polling_interval, inner.config.polling_by) = (POLL, PollingBy::Configuration);
        inner.share.mood = mood;
        inner.share.file = InstructionFile {
            serial: inner.share.file.serial + 1,
            issued: inner.wall,
            valid_until: None,
            requests: requests.into_iter().map(|request| Entry::Good(Box::new(request))).collect(),
            ..inner.share.file.clone()
        };
        inner.remember_published();
    }
    sim.start();
}

fn state(sim: &Sim<'_>, n: u64) -> State {
    let executor = &sim.service.as_ref().unwrap().executor;
    let now = sim.world.lock().wall;
    executor.known().decide(now).iter().find(|d| d.request_id == Some(id(n))).unwrap().state
}

#[test]
fn content_that_never_matches_is_told_of_once_in_a_day() {
    begin(5, None, None, |sim| {
        machine(sim, Mood::OtherContent, |sim| {
            let due = sim.world.lock().wall - TimeDelta::hours(1);
            vec![Request { content_sha256: Some(site::content(1)), ..request(0, due) }]
        });
        sim.pass_in(HOUR, STEPS);
        let first = Seen::of(sim);
        assert!(first.lines > 0 && first.events > 0 && first.copies > 0, "{first:?}");
        sim.pass_in(HOUR * 23, STEPS);
        let more = Seen::of(sim).since(first);
        println!("content that never matches: the first hour {first:?}, 23 more {more:?}");
        assert_eq!((more.lines, more.events), (0, 0));
        // Asked with each poll, and read again only where the share's files have changed.
        assert!(more.copies <= 23 * 4, "{more:?}");
        assert_eq!(state(sim, 0), State::Waiting);
    });
}

#[test]
fn a_share_that_takes_nothing_holds_up_no_run_and_gets_all_of_it_later() {
    begin(6, None, None, |sim| {
        machine(sim, Mood::TakesNothing, |sim| {
            let now = sim.world.lock().wall;
            (0..RUNS).map(|n| request(n, now + TimeDelta::minutes(30 + 20 * n.cast_signed()))).collect()
        });
        sim.pass_in(HOUR * 12, STEPS);
        let early = Seen::of(sim);
        assert!((0..RUNS).all(|n| state(sim, n).is_terminal()));
        sim.pass_in(HOUR * 12, STEPS);
        let late = Seen::of(sim).since(early);
        let waiting = sim.world.lock().disk.names("outbox").len();
        println!("a share that takes nothing: 12 hours {early:?}, 12 more {late:?}, {waiting} results wait");
        assert!(early.events <= 6 * RUNS && late.events == 0 && late.lines <= 2, "{early:?} {late:?}");
        assert!(waiting as u64 >= RUNS);
        sim.world.lock().share.mood = Mood::Well;
        sim.pass_in(HOUR, STEPS);
        let inner = sim.world.lock();
        assert!(inner.disk.names("outbox").is_empty());
        assert_eq!(inner.share.results.len(), waiting);
    });
}
