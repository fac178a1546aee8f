//! What is foretold of a job before it is sent: each machine once, and never too early.
#![allow(clippy::unwrap_used)]

use super::super::account::Said;
use super::*;
use crate::clock::When;
use crate::site::index::job::{Job, Word, parse_source};
use crate::site::site_file::Freeze;
use crate::terms::{Platform, State};
use chrono::TimeDelta;
use proptest::prelude::*;

fn now() -> Wall {
    "2026-11-29T12:00:00Z".parse().unwrap()
}

fn at(minutes: i64) -> Wall {
    now() + TimeDelta::minutes(minutes)
}

fn job(more: &str) -> (Job, Word) {
    let hash = "ab".repeat(32);
    let text = format!(
        "job_id = \"BP0000AA\"\nrequest_id = \"BP0000Y\"\npackage_id = \"BP00000A\"\npackage = \"Acme\"\nversion = \"1\"\n\
         release = 1\npackage_sha256 = \"{hash}\"\ncommand = \"Typical\"\ncommand_line = \"setup.sh\"\nautomated = true\n\
         background = true\nplatforms = [\"linux-x86_64\"]\nrun_when = \"any\"\nmax_run_time = \"30m\"\nrestarts = \"no\"\n\
         disk_space = \"1 GB\"\nremoves = false\ntargets = [\"@all\"]\n{more}[exit_codes]\n\"17\" = \"success\"\n"
    );
    let site_id = "abcdefgh12345678".parse().unwrap();
    parse_source(text.as_bytes(), "BP0000AA".parse().unwrap(), &site_id, "job", &[]).unwrap()
}

fn members(n: usize) -> Vec<Member> {
    let id = |n: usize| format!("BP05{n:04}").parse().unwrap();
    (0..n).map(|n| Member { machine: id(n), host: None, adopt: None, groups: Vec::new() }).collect()
}

fn account() -> Account {
    Account {
        written: at(-5),
        interval: Duration::from_secs(300),
        heartbeat: Duration::from_secs(600),
        platform: Some(Platform::LinuxX86_64),
        ..Account::default()
    }
}

/// Of one job on so many machines, each of which says this.
fn told(more: &str, many: usize, says: impl Fn(usize) -> Heard) -> Foretold {
    told_with(more, many, says, &BTreeMap::new())
}

fn told_with(
    more: &str,
    many: usize,
    says: impl Fn(usize) -> Heard,
    policies: &BTreeMap<String, Rules>,
) -> Foretold {
    let (job, word) = job(more);
    let stand = Stand { job: &job, word: &word, published: (0, 0), newest: (9, 9), now: now(), as_of: now() };
    let around = Around { policies, zone: &Zone::utc() };
    foretell(&stand, &around, &members(many), |machine| says(machine.as_str()[4..].parse().unwrap()))
}

const AT_TWO: &str = "mandatory_after = 2026-11-29T14:00:00Z\n";

fn waits(code: Code, next: Option<Wall>) -> Account {
    let forecast = next.map(|next| Forecast::Runs { next, latest: None });
    let said =
        Said { blocked_by: vec![code], forecast, ..Said::of("BP0000Z".parse().unwrap(), State::Waiting) };
    Account { requests: vec![said], ..account() }
}

#[test]
fn each_machine_runs_then_or_never_or_says_nothing() {
    let says = |n: usize| -> Heard {
        Ok(match n {
            0 => return Err("it has not reported yet".into()),
            1 => Account { two_machines: true, ..account() },
            2 => Account { written: at(-600), ..account() },
            3 => Account { platform: Some(Platform::LinuxAarch64), ..account() },
            4 => Account { disk_free: Some(1 << 20), ..account() },
            5 => waits(Code::HistoryLost, None),
            6 => waits(Code::Held, Some(at(300))),
            7 => waits(Code::Busy, Some(at(300))),
            _ => account(),
        })
    };
    let told = told(AT_TWO, 10, says);
    assert_eq!(told.silent, 3);
    assert_eq!(told.runs, [Runs { at: at(120), count: 3 }, Runs { at: at(300), count: 1 }]);
    let codes: Vec<(Code, u64)> = told.never.iter().map(|never| (never.code, never.count)).collect();
    let one = [Code::Platform, Code::HistoryLost, Code::DiskSpace].map(|code| (code, 1));
    assert!(codes.len() == 3 && one.iter().all(|one| codes.contains(one)), "{codes:?}");
}

#[test]
fn times_phases_spread_freezes_and_conditions_are_heeded() {
    let runs = |more: &str| told(more, 100, |_| Ok(account()));
    assert_eq!(runs("").never, [Never { code: Code::Optional, count: 100 }]);
    let over = "mandatory_after = 2026-11-29T10:00:00Z\nexpire_after = 2026-11-29T11:00:00Z\n";
    assert_eq!(runs(over).never, [Never { code: Code::Expired, count: 100 }]);
    assert_eq!(runs("mandatory_after = 2026-11-29T10:00:00Z\n").runs, [Runs { at: now(), count: 100 }]);
    // Phases go on as soon as their time has come.
    let phased = runs(&format!("{AT_TWO}phases = [\"10%\", \"50%+1d\", \"100%+1d\"]\npercent = 10\n"));
    let when: Vec<Wall> = phased.runs.iter().map(|runs| runs.at).collect();
    assert_eq!(when, [at(120), at(1_440), at(2_880)]);
    let first = runs(&format!("{AT_TWO}canary = [\"BP050001\"]\nphases = [\"100%+1d\"]\npercent = 0\n"));
    assert_eq!(first.runs, [Runs { at: at(120), count: 1 }, Runs { at: at(1_440), count: 99 }]);
    let spread = runs(&format!("{AT_TWO}spread = \"1h\"\n"));
    assert!(
        spread.runs.len() <= POINTS && spread.runs.iter().all(|runs| (at(120)..at(180)).contains(&runs.at))
    );
    // What the machines say of themselves decides conditions; what they do not say is not known.
    let condition = format!("{AT_TWO}where = 'os_version >= 12'\n");
    let told_by = told(&condition, 3, |n| {
        Ok(Account { os_version: ["11", "12"].get(n).map(|version| (*version).into()), ..account() })
    });
    assert_eq!((told_by.silent, told_by.runs[0].count), (1, 1));
    assert_eq!(told_by.never, [Never { code: Code::NotTargeted, count: 1 }]);
    // A freeze of the site, and one right after it.
    let freeze = |from: i64, until: i64| Freeze {
        from: When::Instant(at(from)),
        until: When::Instant(at(until)),
        reason: "year".into(),
    };
    let rules = Rules { freezes: vec![freeze(200, 400), freeze(-5, 200)], ..Rules::default() };
    let policies = [(EVERYBODY.to_owned(), rules)].into();
    let frozen = told_with(AT_TWO, 2, |_| Ok(account()), &policies);
    assert_eq!(frozen.runs, [Runs { at: at(400), count: 2 }]);
}

proptest! {
    #[test]
    fn all_of_it_is_as_many_machines_as_the_job_is_for(kinds in prop::collection::vec(0..8_usize, 0..200)) {
        let says = |n: usize| -> Heard {
            Ok(match kinds[n] {
                0 => return Err("x".into()),
                1 => Account { platform: Some(Platform::LinuxAarch64), ..account() },
                2 => waits(Code::WindowClosed, Some(at(500))),
                3 => waits(Code::StateUnreadable, None),
                _ => account(),
            })
        };
        let told = told(&format!("{AT_TWO}spread = \"9h\"\n"), kinds.len(), says);
        let sum = told.silent + told.runs.iter().map(|runs| runs.count).sum::<u64>()
            + told.never.iter().map(|never| never.count).sum::<u64>();
        prop_assert_eq!(sum, kinds.len() as u64);
        prop_assert!(told.runs.len() <= POINTS && told.runs.iter().all(|runs| runs.at >= at(120)));
        prop_assert!(told.runs.windows(2).all(|pair| pair[0].at < pair[1].at));
    }
}
