//! Every figure is a number of rows, and the rows are all machines, each once: for any site.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::rollout::phase::Counter;
use crate::site::ids::JobId;
use crate::site::ids::tests::machine as id;
use crate::site::index::job::{Job, Word, parse_source};
use chrono::TimeDelta;
use proptest::prelude::*;
use proptest::sample::select;

pub(crate) fn now() -> Wall {
    "2026-11-29T12:00:00Z".parse().unwrap()
}

/// One of the jobs.
pub(crate) fn job(which: usize) -> (Job, Word) {
    of(JOBS[which])
}

fn of(more: &str) -> (Job, Word) {
    let id: JobId = "BP0000AA".parse().unwrap();
    let hash = "ab".repeat(32);
    let text = format!(
        "job_id = \"BP0000AA\"\nrequest_id = \"BP0000Y\"\npackage_id = \"BP00000A\"\npackage = \"Acme\"\nversion = \"1\"\n\
         release = 1\npackage_sha256 = \"{hash}\"\ncommand = \"Typical\"\ncommand_line = \"setup.sh\"\nautomated = true\n\
         background = true\nplatforms = [\"linux-x86_64\"]\nrun_when = \"any\"\nmax_run_time = \"30m\"\nrestarts = \"no\"\n\
         disk_space = \"0 B\"\nremoves = false\nphases = [\"50%\", \"100%\"]\n{more}\n[exit_codes]\n\"17\" = \"success\"\n"
    );
    let site_id = "abcdefgh12345678".parse().unwrap();
    parse_source(text.as_bytes(), id, &site_id, "job", &[]).unwrap()
}

pub(crate) fn member(n: usize) -> Member {
    let groups = if n.is_multiple_of(3) { vec!["web".to_owned()] } else { Vec::new() };
    Member { machine: id(n), host: Some(format!("node-{n}")), adopt: None, groups }
}

/// What a machine may say: anything, of this job or of another one, in any order of times.
fn account() -> impl Strategy<Value = Account> {
    let at = || (-100_000_i64..100_000).prop_map(|minutes| now() + TimeDelta::minutes(minutes / 10));
    let forecast = prop_oneof![
        Just(None),
        Just(Some(Forecast::Never)),
        (at(), prop::option::of(at())).prop_map(|(next, latest)| Some(Forecast::Runs { next, latest })),
    ];
    let codes = prop::collection::vec(select(Code::ALL), 0..3);
    let request =
        (select(vec!["BP0000Y", "BP0000Y", "BP0000Y", "BP0000Z"]), any::<bool>(), select(State::ALL));
    let result = prop::option::of(select(vec!["", "no space", "17"]));
    let said = (request, codes, forecast, result, prop::option::of(at()), prop::option::of(0..9_u64));
    let said = said.prop_map(|((request, named, state), blocked_by, forecast, result, at, late_s)| Said {
        job_id: named.then(|| "BP0000AA".parse().unwrap()),
        blocked_by,
        exit_code: late_s.map(|late| late as i64 - 4),
        result: result.map(SafeText::from),
        started_at: at,
        ended_at: at,
        forecast,
        late_s,
        ..Said::of(request.parse().unwrap(), state)
    });
    let own = (prop::collection::vec(said, 0..3), 0..4_u64, at(), at(), 0..20_u32, 0..3_u64);
    own.prop_map(|(requests, serial, reported_at, written, odd, undelivered)| Account {
        publication: (1, serial),
        reported_at,
        written,
        heartbeat: Duration::from_secs(600),
        two_machines: odd == 0,
        undelivered,
        pcm_version: if odd < 9 { "1.0".into() } else { "1.1".into() },
        not_targeted: if odd == 1 { vec!["BP0000AA".parse().unwrap()] } else { Vec::new() },
        requests,
        ..Account::default()
    })
}

/// A machine says something, nothing that can be used, or was not read.
pub(crate) fn heard() -> impl Strategy<Value = Option<Result<Account, SafeText>>> {
    prop_oneof![
        1 => Just(None),
        1 => select(vec![NOT_YET, "the report is malformed: x"]).prop_map(|why| Some(Err(why.into()))),
        8 => account().prop_map(|account| Some(Ok(account))),
    ]
}

const JOBS: [&str; 6] = [
    "targets = [\"@all\"]\npercent = 100",
    "targets = [\"@all\"]\nexclude = [\"@web\"]\npercent = 50",
    "targets = [\"@web\", \"BP05000?\"]\npercent = 50",
    "targets = [\"@all\"]\nwhere = 'host != \"node-1*\"'\npercent = 100",
    "targets = [\"@all\"]\npercent = 0\ncanary = [\"BP050001\", \"BP050002\"]",
    "targets = [\"@all\"]\npercent = 0.01",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn every_figure_is_a_number_of_rows_and_every_machine_is_in_one(
        which in 0..JOBS.len(),
        heard in prop::collection::vec(heard(), 3..60),
    ) {
        let (job, word) = job(which);
        let stand = Stand {
            job: &job,
            word: &word,
            published: (1, 2),
            newest: (1, 3),
            now: now(),
            as_of: now(),
        };
        let members: Vec<Member> = (0..heard.len()).map(member).collect();
        let said = |n: usize| heard[n].as_ref().map(Result::as_ref);
        let places: Vec<Place<'_>> = members.iter().enumerate().map(|(n, m)| place(&stand, m, said(n))).collect();
        let unread = SafeText::new("not read");
        let mut tally = Tally::default();
        places.iter().for_each(|place| tally.add(place, &stand));

        let rows: Vec<&Row<'_>> =
            places.iter().filter_map(|place| if let Place::Target(row) = place { Some(row) } else { None }).collect();
        let count = |is: &dyn Fn(&Row<'_>) -> bool| rows.iter().filter(|row| is(row)).count() as u64;
        // Every machine of the list is in one place.
        let elsewhere = places.iter().filter(|place| matches!(place, Place::Elsewhere)).count() as u64;
        prop_assert_eq!(tally.targets() + tally.not_targets() + tally.later + elsewhere, members.len() as u64);
        // The sum of SITE.md 6.
        let parts: Vec<u64> = Part::ALL.iter().map(|part| tally.of(*part)).collect();
        prop_assert_eq!(parts.iter().sum::<u64>(), tally.targets());
        prop_assert_eq!(tally.targets(), rows.len() as u64);
        for part in Part::ALL {
            prop_assert_eq!(tally.of(*part), count(&|row| row.part == *part));
        }
        // Each list of rows adds up to its figure, and each of its figures is a number of rows.
        prop_assert_eq!(tally.states.values().sum::<u64>() + tally.of(Part::Silent), tally.targets());
        for (state, n) in &tally.states {
            prop_assert_eq!(*n, count(&|row| row.said.is_some_and(|said| said.state == *state)));
        }
        prop_assert_eq!(tally.held.values().map(|held| held.machines).sum::<u64>(), tally.of(Part::Waiting));
        for (holder, held) in &tally.held {
            prop_assert_eq!(held.machines, count(&|row| row.holder() == Some(*holder)));
            prop_assert!(held.in_a_day <= held.foretold && held.foretold <= held.machines);
        }
        let ended = tally.of(Part::Failed) + tally.of(Part::Interrupted);
        prop_assert_eq!(tally.results.values().sum::<u64>(), ended);
        for (result, n) in &tally.results {
            prop_assert_eq!(*n, count(&|row| row.result().as_ref() == Some(result)));
        }
        prop_assert_eq!(tally.ages.values().sum::<u64>(), tally.of(Part::Silent));
        prop_assert_eq!(tally.silent_because.values().sum::<u64>(), tally.of(Part::Silent));
        for (age, n) in &tally.ages {
            prop_assert_eq!(*n, count(&|row| row.age(now()) == Some(*age)));
        }
        prop_assert_eq!(tally.never, count(&|row| row.is_never()));
        prop_assert_eq!(tally.runs.len() as u64, count(&|row| row.runs(now()).is_some()));
        prop_assert!(tally.never + tally.runs.len() as u64 <= tally.of(Part::Waiting));
        prop_assert!(tally.runs.iter().all(|run| run.next >= now() && run.latest.is_none_or(|l| l >= run.next)));
        prop_assert_eq!(tally.is_over(), rows.iter().all(|row| match row.part {
            Part::Running | Part::Silent => false,
            Part::Waiting => row.is_never(),
            Part::Done | Part::NotNeeded | Part::Failed | Part::Interrupted => true,
        }));

        // The gate counts the same machines.
        let mut counter = Counter::new(&stand, word.percent);
        members.iter().enumerate().for_each(|(n, member)| counter.add(member, said(n)));
        prop_assert_eq!(counter.phase().counts.machines, tally.targets());
        // The same ones are silent to it, but for two kinds: what ended well and has not seen the phase has ended here, and
        // what runs for too long has failed there, however silent the machine is.
        for row in rows.iter().filter(|_| word.percent > 0) {
            let mut alone = Counter::new(&stand, word.percent);
            let account = row.account.map(Ok).or(row.silent.map(|_| Err(&unread)));
            alone.add(row.member, account);
            let counts = alone.phase().counts;
            let over = matches!(row.part, Part::Done | Part::NotNeeded | Part::Interrupted);
            let behind = over && row.account.is_some_and(|account| account.publication < (1, 2));
            let overdue = row.part == Part::Silent && counts.f == 1;
            if !behind && !overdue {
                prop_assert_eq!(counts.silent == 1, row.part == Part::Silent, "{:?}", row);
            }
        }
    }
}

#[test]
fn too_many_different_words_of_machines_are_one_row() {
    let (job, word) = job(0);
    let stand = Stand { job: &job, word: &word, published: (1, 2), newest: (1, 3), now: now(), as_of: now() };
    let mut tally = Tally::default();
    for n in 0..2_000 {
        let mut said = Said::of("BP0000Y".parse().unwrap(), State::Failed);
        said.result = Some(format!("failed at {n}").into());
        let account = Account {
            publication: (1, 2),
            written: now(),
            pcm_version: format!("0.{n}").into(),
            requests: vec![said],
            ..Account::default()
        };
        let (member, why) = (member(n), SafeText::new(&format!("damaged at {n}")));
        tally.add(&place(&stand, &member, Some(Ok(&account))), &stand);
        tally.add(&place(&stand, &member, Some(Err(&why))), &stand);
    }
    assert_eq!((tally.of(Part::Failed), tally.of(Part::Silent)), (2_000, 2_000));
    for rows in [tally.results.len(), tally.versions.len(), tally.silent_because.len()] {
        assert_eq!(rows, MOST + 1);
    }
    assert_eq!(tally.results[&(None, OTHERS.into())], 2_000 - MOST as u64);
    assert_eq!(tally.results.values().sum::<u64>(), 2_000);
}

#[test]
fn every_row_has_words() {
    for code in Code::ALL {
        assert!(!holder_words(code.as_str()).is_empty());
    }
    assert_eq!(holder_words("user-logged-on"), "user logged on");
    assert_eq!(taken_out_words("platform"), "for another platform");
    assert_eq!(taken_out_words("excluded"), "left out by the job");
}
