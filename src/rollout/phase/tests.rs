//! What a machine has to say to be counted, and what never makes a phase better.
#![allow(clippy::unwrap_used)]

use super::super::gate::{Answer, Lacks, judge};
use super::*;
use crate::site::ids::JobId;
use crate::site::index::job::{Limits, parse_source};
use proptest::prelude::*;

const MINUTE: TimeDelta = TimeDelta::minutes(1);

fn now() -> Wall {
    "2026-11-29T12:00:00Z".parse().unwrap()
}

fn job() -> (Job, Word) {
    let id: JobId = "BP0000AA".parse().unwrap();
    let hash = "ab".repeat(32);
    let text = format!(
        "job_id = \"BP0000AA\"\nrequest_id = \"BP0000Y\"\npackage_id = \"BP00000A\"\npackage = \"Acme\"\nversion = \"1\"\n\
         release = 1\npackage_sha256 = \"{hash}\"\ncommand = \"Typical\"\ncommand_line = \"setup.sh\"\nautomated = true\n\
         background = true\nplatforms = [\"linux-x86_64\"]\nrun_when = \"any\"\nmax_run_time = \"30m\"\nrestarts = \"no\"\n\
         disk_space = \"0 B\"\nremoves = false\ntargets = [\"@all\"]\nphases = [\"50%\", \"100%\"]\npercent = 50\n\
         max_failure_rate = 0.1\ncanary = [\"BP050001\"]\n[exit_codes]\n\"17\" = \"success\"\n"
    );
    let site_id = "abcdefgh12345678".parse().unwrap();
    parse_source(text.as_bytes(), id, &site_id, "job", &[]).unwrap()
}

fn member(n: usize) -> Member {
    Member { machine: format!("BP05{n:04}").parse().unwrap(), host: None, adopt: None, groups: Vec::new() }
}

fn request(state: State) -> Said {
    Said {
        request_id: "BP0000Y".parse().unwrap(),
        job_id: Some("BP0000AA".parse().unwrap()),
        state,
        attempt: 1,
        started_at: Some(now() - MINUTE * 30),
        ended_at: matches!(state, State::Succeeded | State::Failed).then(|| now() - MINUTE * 10),
        ..Said::of("BP0000Y".parse().unwrap(), state)
    }
}

fn account(state: State) -> Account {
    Account {
        publication: (3, 7),
        reported_at: now() - MINUTE * 5,
        written: now() - MINUTE * 5,
        interval: Duration::from_secs(300),
        heartbeat: Duration::from_secs(600),
        host: "host".into(),
        requests: vec![request(state)],
        ..Account::default()
    }
}

/// One machine's part in its phase.
fn counted(account: Account, change: impl FnOnce(&mut Stand<'_>, &mut Word)) -> (Phase, String) {
    let (job, word) = job();
    let mut own = word.clone();
    let mut stand =
        Stand { job: &job, word: &word, published: (3, 7), newest: (3, 9), now: now(), as_of: now() };
    change(&mut stand, &mut own);
    let stand = Stand { word: &own, ..stand };
    let member = member(1);
    let accounts = Accounts::from([(member.machine, Ok(account))]);
    let phase = count(&stand, target::WHOLE, [&member], &accounts);
    let why = phase.silent.keys().map(ToString::to_string).collect();
    (phase, why)
}

fn numbers(account: Account) -> (u64, u64, u64, u64) {
    let Counts { n, f, running, silent, .. } = counted(account, |_, _| {}).0.counts;
    (n, f, running, silent)
}

#[test]
fn each_state_has_its_part() {
    assert_eq!(numbers(account(State::Succeeded)), (1, 0, 0, 0));
    for state in [State::Failed, State::TimedOut, State::Interrupted] {
        assert_eq!(numbers(account(state)), (1, 1, 0, 0), "{state}");
    }
    assert_eq!(numbers(account(State::Running)), (0, 0, 1, 0));
    for state in [State::Waiting, State::Deferred, State::RetryWait, State::Rejected, State::Stopped] {
        assert_eq!(numbers(account(state)), (0, 0, 0, 0), "{state}");
    }
    // What has nothing to do is done, and says nothing of the package.
    let (phase, _) = counted(account(State::NotNeeded), |_, _| {});
    assert_eq!((phase.counts.machines, phase.counts.ended, phase.counts.n), (1, 1, 0));
    assert_eq!((phase.counts.nothing, phase.counts.stopped), (1, 0));
    let (phase, _) = counted(account(State::Stopped), |_, _| {});
    assert_eq!((phase.counts.ended, phase.counts.nothing, phase.counts.stopped), (1, 0, 1));
    let (phase, _) = counted(account(State::NotApplicable), |_, _| {});
    assert_eq!((phase.counts.machines, phase.not_targets), (0, 1));
    // Half an hour, two intervals, and it has not ended.
    let overdue = |written: Wall| Account { written, ..account(State::Running) };
    assert_eq!(numbers(overdue(now() - MINUTE * 20)), (0, 0, 1, 0));
    assert_eq!(numbers(overdue(now() - MINUTE * 40)), (1, 1, 0, 0));
}

#[test]
fn a_report_counts_only_where_it_is_of_this_phase_and_of_this_job() {
    let silent = |account: Account| {
        let (phase, why) = counted(account, |_, _| {});
        assert_eq!((phase.counts.silent, phase.counts.n), (1, 0), "{phase:?}");
        why
    };
    let good = || account(State::Succeeded);
    assert!(silent(Account { publication: (3, 6), ..good() }).contains("not seen this phase"));
    assert!(silent(Account { publication: (2, 8), ..good() }).contains("not seen this phase"));
    assert!(silent(Account { publication: (3, 10), ..good() }).contains("never made"));
    assert!(silent(Account { two_machines: true, ..good() }).contains("two machines"));
    let (own, other) = (job().0.site_id, "zzzzzzzz12345678".parse().ok());
    assert!(other.is_some());
    assert!(silent(Account { site_id: other, ..good() }).contains("another site"));
    assert_eq!(numbers(Account { site_id: Some(own), ..good() }), (1, 0, 0, 0));
    assert!(silent(Account { requests: Vec::new(), ..good() }).contains("does not name"));
    let other = Said { job_id: Some("BP0000AB".parse().unwrap()), ..request(State::Succeeded) };
    assert!(silent(Account { requests: vec![other], ..good() }).contains("does not name"));
    let old = Account { written: now() - MINUTE * 21, ..account(State::Waiting) };
    assert!(silent(old).contains("two intervals"));
    // What an operator or the site adopted as done has ended, and proves nothing.
    let adopted = Said { attempt: 0, started_at: None, ended_at: None, ..request(State::Succeeded) };
    let adopted = counted(Account { requests: vec![adopted], ..good() }, |_, _| {}).0.counts;
    assert_eq!((adopted.ended, adopted.nothing, adopted.n, adopted.f), (1, 1, 0, 0));
    // What ended has ended, however long ago that was said.
    assert_eq!(numbers(Account { written: now() - TimeDelta::days(9), ..good() }), (1, 0, 0, 0));
    // Bad news is taken from who has not heard of the phase yet.
    assert_eq!(numbers(Account { publication: (3, 6), ..account(State::Failed) }), (1, 1, 0, 0));
    // Only who says that it is not for him is none of its targets, and only by what he has heard of.
    let none = Account { requests: Vec::new(), not_targeted: vec!["BP0000AA".parse().unwrap()], ..good() };
    assert_eq!(counted(none.clone(), |_, _| {}).0.not_targets, 1);
    assert!(silent(Account { publication: (3, 6), ..none.clone() }).contains("not seen this phase"));
    assert!(silent(Account { written: now() - MINUTE * 21, ..none.clone() }).contains("two intervals"));
    let other = vec!["BP0000AB".parse().unwrap()];
    assert!(silent(Account { not_targeted: other, ..none }).contains("does not name"));
}

#[test]
fn what_ended_before_the_job_was_resumed_is_no_news() {
    let since = |account: Account, minutes: i32| {
        let counts = counted(account, |_, word| word.since = Some(now() - MINUTE * minutes)).0.counts;
        (counts.ended, counts.n, counts.f)
    };
    assert_eq!(since(account(State::Succeeded), 20), (1, 1, 0));
    assert_eq!(since(account(State::Succeeded), 8), (1, 0, 0));
    assert_eq!(since(account(State::Failed), 8), (1, 0, 0));
    // Overdue since ten minutes: that is so however often the job is resumed, and it counts once.
    let begun = |minutes: i32| {
        let at = now() - MINUTE * 10;
        let mut account = Account { reported_at: at, written: at, ..account(State::Running) };
        for request in &mut account.requests {
            request.started_at = Some(now() - MINUTE * (minutes + 50));
        }
        account
    };
    assert_eq!(since(begun(10), 20), (1, 1, 1));
    assert_eq!(since(begun(10), 8), (1, 0, 0));
    assert_eq!(since(begun(-1), 8).0, 0, "not yet");
    // The machine's clock is an hour ahead, or behind: doubt is counted against going on.
    let shifted = |state: State, by: TimeDelta| {
        let mut account = account(state);
        account.reported_at += by;
        for request in &mut account.requests {
            request.ended_at = request.ended_at.map(|at| at + by);
        }
        account
    };
    let hour = MINUTE * 60;
    for (by, minutes) in [(hour, 8), (-hour, 20)] {
        assert_eq!(since(shifted(State::Succeeded, by), minutes), (1, 0, 0));
        assert_eq!(since(shifted(State::Failed, by), minutes), (1, 1, 1));
    }
}

#[test]
fn who_was_reached_by_an_earlier_phase_is_told_from_who_is_new() {
    let (job, word) = job();
    let stand = Stand { job: &job, word: &word, published: (3, 7), newest: (3, 9), now: now(), as_of: now() };
    let members: Vec<Member> = (0..200).map(member).collect();
    let first = |member: &&Member| reaches(&job, &word, 5_000, member) || reaches(&job, &word, 0, member);
    let accounts: Accounts = members
        .iter()
        .map(|m| (m.machine, Ok(account(if first(&m) { State::Succeeded } else { State::Waiting }))))
        .collect();
    let in_phase = |percent: u32| count(&stand, percent, &members, &accounts).counts;
    let whole = in_phase(target::WHOLE);
    assert_eq!((whole.machines, whole.ended), (200, members.iter().filter(first).count() as u64));
    assert_eq!((whole.earlier, whole.earlier_ended), (whole.ended, whole.ended));
    // The machines that come first are before all shares, and nobody is before them.
    let canary = u64::from(reaches(&job, &word, 5_000, &member(1)));
    assert_eq!((in_phase(5_000).earlier, in_phase(0).earlier), (canary, 0));
    let limits = Limits { max_failure_rate: 1_000, ..Limits::default() };
    let judged = judge(&whole, &limits, true);
    assert_eq!(judged.lacks, [Lacks::Ended((200 - whole.ended).div_ceil(2))]);
}

/// A canary that is gone, or says that the job is not for it, has shown nothing: nobody else follows by itself.
#[test]
fn machines_that_come_first_and_never_ran_let_nothing_go_on() {
    let (job, word) = job();
    let stand = Stand { job: &job, word: &word, published: (3, 7), newest: (3, 9), now: now(), as_of: now() };
    let judged = |members: &[Member], accounts: &Accounts| {
        let counts = count(&stand, 0, members, accounts).counts;
        assert_eq!((counts.machines, counts.silent), (1, 1));
        judge(&counts, &Limits::default(), true).answer
    };
    let gone: Vec<Member> = (2..9).map(member).collect();
    assert_eq!(judged(&gone, &Accounts::new()), Answer::Undecided);
    let not_for_it = [(member(1).machine, Ok(account(State::NotApplicable)))].into_iter().collect();
    assert_eq!(judged(&[member(1)], &not_for_it), Answer::Undecided);
}

#[test]
fn the_machines_that_come_first_are_a_phase_of_their_own() {
    let (job, word) = job();
    let in_phase = |percent: u32| (0..200).filter(|n| reaches(&job, &word, percent, &member(*n))).count();
    assert_eq!((in_phase(0), in_phase(target::WHOLE)), (1, 200));
    assert!((70..=130).contains(&in_phase(5_000)));
}

fn any_account() -> impl Strategy<Value = Account> {
    let states = prop::sample::select(State::ALL.to_vec());
    (states, 1..=9_u64, 0..200_i32, 0..3).prop_map(|(state, serial, age, how)| {
        let mut account = account(state);
        account.publication.1 = serial;
        account.written = now() - MINUTE * age;
        account.two_machines = how == 1;
        account
    })
}

proptest! {
    /// Reports that are missing, of long ago, of before the phase, or of a clone never let a phase go on that would not.
    #[test]
    fn missing_silent_late_or_doubled_reports_never_decide_for_going_on(
        accounts in prop::collection::vec(any_account(), 1..80),
        worse in prop::collection::vec(0..5_usize, 80),
    ) {
        let (job, word) = job();
        let stand = Stand {
            job: &job, word: &word, published: (3, 7), newest: (3, 9), now: now(), as_of: now(),
        };
        let members: Vec<Member> = (0..accounts.len()).map(member).collect();
        let answer = |accounts: &Accounts| {
            let counts = count(&stand, target::WHOLE, &members, accounts).counts;
            judge(&counts, &Limits { max_failure_rate: 1_000, ..Limits::default() }, true).answer
        };
        let good: Accounts = members.iter().map(|m| m.machine).zip(accounts.into_iter().map(Ok)).collect();
        let mut bad = good.clone();
        for (account, worse) in bad.values_mut().zip(worse) {
            // What says that it is not for it, or that it failed, is not made worse by being lost.
            let Ok(said) = account else { continue };
            if matches!(said.requests[0].state, State::NotApplicable | State::Failed | State::TimedOut | State::Interrupted | State::Running | State::Stopping) {
                continue;
            }
            match worse {
                0 => *account = Err("lost".into()),
                1 => said.publication.1 = 6,
                2 => said.two_machines = true,
                3 => said.written = now() - TimeDelta::days(40),
                _ => {}
            }
        }
        let goes = |answer: Answer| matches!(answer, Answer::GoOn | Answer::AsSeen);
        prop_assert!(goes(answer(&good)) || !goes(answer(&bad)));
    }
}
