//! What is folded: nothing that anybody decides by, and nothing that anybody could change unnoticed afterwards.

use super::held::{carry_out, step};
use super::{Machine, at, ended, id, row};
use crate::clock::Wall;
use crate::decision::{Trail, TrailStep};
use crate::executor::history::{AttemptRow, Connection, History, Mark, Noted, Walked, faults};
use crate::executor::talk::view::AuditEntryDoc;
use crate::terms::{Code, State};
use chrono::TimeDelta;
use proptest::prelude::*;
use std::cell::{Cell, RefCell};
use std::fs;
use std::path::Path;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};

const NOBODY: &dyn Fn(&AttemptRow) -> bool = &|_| false;

fn day(days: i64) -> Wall {
    at(0) + TimeDelta::days(days)
}

fn entry(at: Wall, verb: &str) -> AuditEntryDoc {
    AuditEntryDoc {
        at,
        who: "ola".into(),
        uid: None,
        terminal: None,
        from: None,
        verb: verb.into(),
        request_id: None,
        reason: None,
        result: "done".into(),
        times: None,
        since: None,
    }
}

/// An attempt of this day, which is reported.
fn ran(history: &mut History, day_of: i64, request: usize, number: u32, state: State) {
    let (began, end) = (day(day_of), day(day_of) + TimeDelta::minutes(2));
    let mut row = row(id(request), number);
    Arc::make_mut(&mut row.attempt).claimed_at = began;
    row.overrides.push("window".into());
    let _ = history.claim(began, &row).unwrap();
    let _ = history.progress(began, id(request), number, State::Running, began).unwrap();
    let mut result = ended(state);
    (result.started_at, result.ended_at) = (Some(began), Some(end));
    let _ = history.finish(end, id(request), number, &result).unwrap();
    history.reported(&row.run()).unwrap();
}

fn waits(history: &mut History, day_of: i64, requests: &[usize], codes: Option<&[Code]>) {
    let noted = requests.iter().map(|n| Noted {
        request: id(*n),
        state: if codes.is_some() { State::Waiting } else { State::Due },
        codes: codes.map(<[Code]>::to_vec),
        silent: false,
    });
    let _ = history.note_states(day(day_of), &noted.collect::<Vec<_>>()).unwrap();
}

/// Three years of one attempt a day, each after a time in which it waited, and an operator who does something now and then.
fn three_years() -> Machine {
    static ONCE: OnceLock<tempfile::TempDir> = OnceLock::new();
    let made = ONCE.get_or_init(|| make_three_years().dir);
    let dir = tempfile::tempdir().unwrap();
    for folder in ["state", "etc"] {
        copy_folder(&made.path().join(folder), &dir.path().join(folder));
    }
    Machine { dir }
}

fn make_three_years() -> Machine {
    let machine = Machine::new();
    let mut history = unsynced(&machine);
    for n in 1..=1095 {
        waits(&mut history, n, &[1], Some(&[Code::WindowClosed]));
        if n % 50 == 0 {
            history.audit(&entry(day(n), &format!("look-{n}")), None).unwrap();
        }
        let number = u32::try_from(n).unwrap();
        ran(&mut history, n, 1, number, if n % 9 == 0 { State::Failed } else { State::Succeeded });
    }
    history.write_mark().unwrap();
    machine
}

fn events(db: &Connection) -> u64 {
    db.query_row("SELECT count(*) FROM events", [], |row| row.get::<_, i64>(0)).unwrap().unsigned_abs()
}

fn walked(machine: &Machine) -> Walked {
    History::verify(&machine.layout(), &|| true).unwrap().unwrap()
}

/// On a simulated disk, which is not synced thousands of times.
fn unsynced(machine: &Machine) -> History {
    faults::set(Some(Box::new(|_| Ok(()))));
    let history = machine.open().unwrap();
    faults::set(None);
    history
}

/// All of it.
fn fold(history: &mut History, now: Wall, before: Wall) -> (usize, usize) {
    let mut sum = (0, 0);
    while let Some(done) = history.fold(now, before, NOBODY).unwrap() {
        sum = (sum.0 + done.attempts, sum.1 + done.events);
    }
    sum
}

#[test]
fn of_three_years_the_details_of_the_first_go_and_every_fact_stays() {
    let machine = three_years();
    let mut history = machine.open().unwrap();
    let (before, audit) = (history.snapshot().unwrap(), history.audit_page(None, 1000).unwrap());
    let (head, there, codes) = (history.head().clone(), events(&history.db), history.noted_codes().unwrap());
    assert_eq!(fold(&mut history, day(1096), day(366)), (365, 4 * 365));
    let after = history.snapshot().unwrap();
    assert_eq!(after.view, before.view, "what decisions are made of");
    assert_eq!((&after.since, after.attempts().count()), (&before.since, 1095));
    assert_eq!(history.audit_page(None, 1000).unwrap(), audit);
    assert_eq!((history.noted_codes().unwrap(), history.began().unwrap()), (codes, Some(at(0))));
    // Each of them leaves an event and what is around them a row; the file is filled anew before it grows.
    assert_eq!(events(&history.db), there - 4 * 365 + 365 + 1);
    let Walked { events, first_bad, folded } = walked(&machine);
    assert_eq!((events, first_bad), (head.events + 366, None));
    let checkpoint = folded.unwrap();
    assert_eq!((checkpoint.events, checkpoint.attempts), (4 * 365, 365));
    assert_eq!((checkpoint.from, checkpoint.until), (day(1), day(365) + TimeDelta::minutes(2)));
    for row in after.attempts() {
        let is_old = row.attempt.number <= 365;
        assert_eq!((row.folded_at.is_some(), row.overrides.is_empty()), (is_old, is_old));
    }
    // It is whole for whoever starts next, and there is nothing more to do, until later.
    drop(history);
    let mut history = machine.open().unwrap();
    assert_eq!(history.snapshot().unwrap(), after);
    assert_eq!(fold(&mut history, day(1096), day(366)), (0, 0));
    assert_eq!(fold(&mut history, day(1096), day(396)), (30, 4 * 30));
    assert_eq!(walked(&machine).folded.map(|folded| folded.attempts), Some(395));
    assert_eq!(history.snapshot().unwrap().view, before.view);
}

#[test]
fn what_is_needed_what_goes_on_and_what_was_seen_last_stays() {
    let machine = Machine::new();
    let mut history = machine.open().unwrap();
    waits(&mut history, 1, &[3], Some(&[Code::WindowClosed]));
    waits(&mut history, 2, &[1, 4], Some(&[Code::WindowTooShort]));
    for request in [1, 2] {
        ran(&mut history, 3, request, 1, State::Succeeded);
    }
    let _ = history.claim(day(4), &row(id(3), 1)).unwrap();
    waits(&mut history, 5, &[1], None);
    let needed = |row: &AttemptRow| row.request == id(2);
    let codes = history.noted_codes().unwrap();
    let done = history.fold(day(1000), day(999), &needed).unwrap().unwrap();
    assert_eq!((done.attempts, done.events), (1, 3), "nothing was seen of 3 and of 4 since");
    let snapshot = history.snapshot().unwrap();
    let folded = |n| snapshot.attempt(id(n), 1).unwrap().folded_at.is_some();
    assert_eq!([1, 2, 3].map(folded), [true, false, false]);
    assert_eq!(history.noted_codes().unwrap(), codes);
    // Once it is not needed any more. What was in the way of one that had no attempt yet is told until it has one.
    waits(&mut history, 1000, &[3, 4], None);
    let done = history.fold(day(1400), day(1399), NOBODY).unwrap().unwrap();
    assert_eq!((done.attempts, done.events), (1, 3));
    assert!(walked(&machine).first_bad.is_none() && machine.open().is_ok());
}

#[test]
fn what_a_wrong_clock_said_makes_nothing_old() {
    let machine = Machine::new();
    let mut history = machine.open().unwrap();
    ran(&mut history, 999, 9, 1, State::Succeeded);
    assert_eq!(fold(&mut history, day(2000), day(1999)), (0, 0), "never the newest event, whatever it is");
    let machine = Machine::new();
    let mut history = machine.open().unwrap();
    ran(&mut history, 1000, 1, 1, State::Succeeded);
    // It had gone back, and then forward for a moment.
    ran(&mut history, 10, 2, 1, State::Succeeded);
    ran(&mut history, 5000, 3, 1, State::Succeeded);
    ran(&mut history, 1001, 4, 1, State::Succeeded);
    assert_eq!(fold(&mut history, day(1002), day(900)), (0, 0));
    assert_eq!(
        fold(&mut history, day(1202), day(1001)).0,
        3,
        "all that came before something that is not old"
    );
    assert_eq!(fold(&mut history, day(1202), day(1002)).0, 1);
}

#[test]
fn what_is_told_of_an_attempt_afterwards_is_when_it_ran_and_how_it_ended() {
    let machine = Machine::new();
    let mut history = machine.open().unwrap();
    waits(&mut history, 1, &[1], Some(&[Code::WindowClosed]));
    waits(&mut history, 2, &[1], None);
    ran(&mut history, 3, 1, 1, State::Failed);
    waits(&mut history, 4, &[1], Some(&[Code::WindowTooShort]));
    ran(&mut history, 5, 1, 2, State::Succeeded);
    history.note_unwatched(day(6), day(7)).unwrap();
    let told = |trail: &Trail| -> Vec<(Wall, State)> {
        trail.steps.iter().map(|TrailStep { at, state, .. }| (*at, *state)).collect()
    };
    let (before, gaps) = (told(&history.trail(id(1)).unwrap()), vec![(day(6), day(7))]);
    assert_eq!(before.len(), 7);
    assert_eq!(fold(&mut history, day(1000), day(900)).0, 2);
    let trail = history.trail(id(1)).unwrap();
    assert_eq!((told(&trail), trail.unwatched), (before[2..].to_vec(), gaps));
}

/// Wherever the executor dies, the file is the one before or the one after.
#[test]
fn whoever_is_killed_while_folding_leaves_what_was_or_what_is_to_be() {
    let machine = three_years();
    let copies: Rc<RefCell<Vec<(&'static str, tempfile::TempDir)>>> = Rc::default();
    let (layout, taken) = (machine.layout(), Rc::clone(&copies));
    faults::set(Some(Box::new(move |point| {
        let copy = tempfile::tempdir().unwrap();
        for (from, to) in [(&layout.state, "state"), (&layout.config.parent().unwrap().to_owned(), "etc")] {
            copy_folder(from, &copy.path().join(to));
        }
        taken.borrow_mut().push((point, copy));
        Ok(())
    })));
    let mut history = machine.open().unwrap();
    // So little memory that most of it is in the file before it is committed.
    history.db.pragma_update(None, "cache_size", 2).unwrap();
    let before = history.snapshot().unwrap();
    let done = history.fold_at_most(400, day(1096), day(366), NOBODY).unwrap().unwrap();
    faults::set(None);
    assert!(done.more);
    let after = history.snapshot().unwrap();
    assert_ne!(before, after);
    let copies = copies.take();
    let points: Vec<&str> = copies.iter().map(|(point, _)| *point).collect();
    assert_eq!(points, ["mark", "commit", "committed"]);
    let untouched = fs::read(copies[0].1.path().join("state/history.db")).unwrap();
    assert_ne!(
        fs::read(copies[1].1.path().join("state/history.db")).unwrap(),
        untouched,
        "half of it is there"
    );
    for (point, dir) in copies {
        let killed = Machine { dir };
        let mut history = killed.open().unwrap_or_else(|lost| panic!("{point}: {lost:?}"));
        let there = history.snapshot().unwrap();
        assert_eq!(there, if point == "committed" { after.clone() } else { before.clone() }, "{point}");
        // And goes on.
        let left = if point == "committed" { 365 - done.attempts } else { 365 };
        assert_eq!(fold(&mut history, day(1096), day(366)).0, left, "{point}");
        assert_eq!(walked(&killed).first_bad, None);
    }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[test]
fn where_the_mark_cannot_be_written_nothing_is_folded() {
    let machine = three_years();
    let mut history = machine.open().unwrap();
    let head = history.head().clone();
    faults::set(Some(Box::new(|point| match point {
        "mark" => Err(std::io::Error::other("no")),
        _ => Ok(()),
    })));
    let refused = history.fold(day(1096), day(366), NOBODY);
    faults::set(None);
    assert!(refused.is_err() && *history.head() == head);
}

/// Each month something else is tried, and the mark is a short file.
#[test]
fn however_often_folding_fails_the_mark_names_what_is_folded_and_what_was_tried_last() {
    let machine = three_years();
    let mut history = machine.open().unwrap();
    fold(&mut history, day(1096), day(100));
    history
        .db
        .execute_batch("CREATE TRIGGER full BEFORE INSERT ON folded BEGIN SELECT RAISE(ABORT, 'full'); END")
        .unwrap();
    for n in 200..280 {
        assert!(history.fold(day(1096), day(n), NOBODY).is_err());
    }
    assert_eq!(Mark::read(&machine.layout().mark()).unwrap().unwrap().folded.len(), 2);
    history.db.execute_batch("DROP TRIGGER full").unwrap();
    assert!(fold(&mut history, day(1096), day(366)).0 > 0);
    drop(history);
    assert!(machine.open().is_ok() && walked(&machine).first_bad.is_none());
}

/// On either side of a checkpoint, and the checkpoint itself.
#[test]
fn whatever_is_changed_before_or_after_a_checkpoint_is_found() {
    const OPEN: &str = "DROP TRIGGER events_are_not_changed; DROP TRIGGER events_are_not_deleted;";
    let of = |kind: &str, which: &str| format!("(SELECT {which}(seq) FROM events WHERE kind = '{kind}')");
    let (audit, checkpoint) = (of("audit", "min"), of("checkpoint", "max"));
    let folded = of("folded", "min");
    let zeros = "0".repeat(64);
    let changes = [
        format!("UPDATE events SET body = replace(body, 'ola', 'eva') WHERE seq = {audit}"),
        format!("UPDATE events SET body = replace(body, 'ola', 'eva') WHERE seq = {}", of("audit", "max")),
        format!("UPDATE events SET body = replace(body, '\"attempts\":365', '\"attempts\":364') WHERE seq = {checkpoint}"),
        format!("UPDATE events SET body = replace(body, 'succeeded', 'failed') WHERE seq = {folded}"),
        format!("DELETE FROM events WHERE seq = {checkpoint}"),
        // Something else is said to have been folded.
        format!("DELETE FROM events WHERE seq = {audit}"),
        format!(
            "UPDATE folded SET last = last + 1, hash = (SELECT hash FROM events WHERE seq = {audit}) WHERE last + 1 = {audit};
             DELETE FROM events WHERE seq = {audit}"
        ),
        "DELETE FROM folded WHERE first = (SELECT min(first) FROM folded)".to_owned(),
        "DELETE FROM folded".to_owned(),
        format!("UPDATE folded SET hash = '{zeros}' WHERE first = (SELECT min(first) FROM folded)"),
        "UPDATE folded SET last = last - 1 WHERE first = (SELECT min(first) FROM folded)".to_owned(),
        format!("INSERT INTO folded VALUES (1000000, 1000001, '{zeros}')"),
        "UPDATE folded SET first = -first, last = -last".to_owned(),
        // What is left of an attempt.
        "UPDATE attempts SET row = replace(row, 'succeeded', 'failed') WHERE number = 1".to_owned(),
        "DELETE FROM attempts WHERE number = 1".to_owned(),
        "UPDATE attempts SET row = replace(row, '\"exit_code\":0', '\"exit_code\":1') WHERE number = 1".to_owned(),
    ];
    let machine = three_years();
    let mut history = machine.open().unwrap();
    fold(&mut history, day(1096), day(366));
    ran(&mut history, 1097, 1, 1096, State::Succeeded);
    history.audit(&entry(day(1098), "last"), None).unwrap();
    drop(history);
    let whole = fs::read(machine.layout().history()).unwrap();
    for change in changes {
        fs::write(machine.layout().history(), &whole).unwrap();
        assert!(machine.open().is_ok());
        let db = Connection::open(machine.layout().history()).unwrap();
        db.execute_batch(OPEN).unwrap();
        db.execute_batch(&change).unwrap();
        drop(db);
        assert_ne!(fs::read(machine.layout().history()).unwrap(), whole, "{change}");
        assert!(machine.open().is_err(), "{change}");
        if !change.contains("attempts SET") && !change.contains("FROM attempts") {
            assert!(walked(&machine).first_bad.is_some(), "{change}");
        }
    }
}

/// Whoever writes the history and not its mark has nothing left out by calling it folded, also by the rules of the chain.
#[test]
fn what_the_mark_does_not_say_was_not_folded() {
    let machine = three_years();
    let mut history = machine.open().unwrap();
    fold(&mut history, day(1096), day(366));
    let layout = machine.layout();
    drop(history);
    assert!(machine.open().is_ok() && History::read(&layout).is_ok());
    let mark = fs::read(layout.mark()).unwrap();
    // The executor's own way, for what is not old.
    let mut forged = machine.open().unwrap();
    assert!(fold(&mut forged, day(1096), day(400)).0 > 0);
    drop(forged);
    assert!(walked(&machine).first_bad.is_none(), "the chain alone holds");
    fs::write(layout.mark(), mark).unwrap();
    let Err(lost) = machine.open() else { panic!("it opens") };
    assert!(lost.evidence.as_str().contains("does not say that they were folded"), "{lost:?}");
    assert!(History::read(&layout).is_err());
}

/// A clock that was years ahead when something was folded keeps nothing from being folded once it is right again.
#[test]
fn what_was_folded_by_a_clock_years_ahead_does_not_end_folding() {
    let machine = three_years();
    let mut history = machine.open().unwrap();
    assert_eq!(fold(&mut history, day(25_000), day(24_000)).0, 1094);
    ran(&mut history, 1100, 2, 1, State::Succeeded);
    ran(&mut history, 2000, 2, 2, State::Succeeded);
    assert_eq!(fold(&mut history, day(2001), day(1900)).0, 2, "the one that was the newest, and the next");
}

#[test]
fn no_event_can_be_deleted_that_is_not_in_what_was_folded() {
    let machine = three_years();
    let mut history = machine.open().unwrap();
    fold(&mut history, day(1096), day(366));
    for kept in ["kind = 'audit'", "kind = 'created'", "kind = 'claim'", "kind = 'checkpoint'"] {
        let refused = history.db.execute(&format!("DELETE FROM events WHERE {kept}"), []).unwrap_err();
        assert!(refused.to_string().contains("append-only"), "{kept}: {refused}");
    }
}

#[test]
fn a_chain_that_is_folded_while_it_is_walked_is_walked_anew() {
    let machine = three_years();
    let history = RefCell::new(machine.open().unwrap());
    let looks = Cell::new(0);
    let go_on = || {
        looks.set(looks.get() + 1);
        // In the middle of what goes, and once it is past it.
        if [2, 8].contains(&looks.get()) {
            let before = day(if looks.get() == 2 { 366 } else { 500 });
            assert!(fold(&mut history.borrow_mut(), day(1096), before).0 > 0);
        }
        true
    };
    let walked = History::verify(&machine.layout(), &go_on).unwrap().unwrap();
    assert_eq!((walked.first_bad, walked.events), (None, history.borrow().head().events));
    assert_eq!(walked.folded.map(|folded| folded.attempts), Some(499));
}

/// The file as the version before wrote it.
#[test]
fn a_history_of_the_version_before_is_read_as_it_is_brought_forward_and_folded() {
    let machine = three_years();
    let db = Connection::open(machine.layout().history()).unwrap();
    db.execute_batch(
        "DROP TRIGGER events_are_not_deleted; DROP TABLE folded; PRAGMA user_version = 3;
         CREATE TRIGGER events_are_not_deleted BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'x'); END;",
    )
    .unwrap();
    drop(db);
    assert_eq!(walked(&machine).first_bad, None);
    let before = History::read(&machine.layout()).unwrap();
    let mut history = machine.open().unwrap();
    assert_eq!(fold(&mut history, day(1096), day(366)).0, 365);
    assert_eq!(History::read(&machine.layout()).unwrap().view, before.view);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// A decision is made of what is compared here, the publication and the configuration, and of nothing else of the history.
    #[test]
    fn whatever_happened_and_whenever_it_is_folded_nothing_that_decisions_are_made_of_changes(
        steps in prop::collection::vec(step(), 1..80), delivered in any::<u32>(), most in 1_usize..40,
        folds in prop::collection::vec(0_i64..1_300, 1..4),
    ) {
        let machine = Machine::new();
        let mut history = unsynced(&machine);
        for (n, mut step) in steps.into_iter().enumerate() {
            // Two hours become three years; most of the time goes on, and now and then it goes back.
            step.when = step.when / 40 * 13_140 + i64::try_from(n).unwrap() * TimeDelta::days(12).num_nanoseconds().unwrap();
            carry_out(&mut history, &step);
        }
        for (n, (run, _)) in history.owed().unwrap().into_iter().enumerate() {
            if delivered & 1 << (n % 32) != 0 {
                history.reported(&run).unwrap();
            }
        }
        let (before, codes) = (history.snapshot().unwrap(), history.noted_codes().unwrap());
        let owed: Vec<String> = history.owed().unwrap().into_iter().map(|(run, _)| run).collect();
        let needed = |row: &AttemptRow| owed.contains(&row.run());
        let mut held = before.clone();
        for days in folds {
            while let Some(done) = history.fold_at_most(most, day(1_300), day(days), &needed).unwrap() {
                prop_assert!(done.events > 0 && done.events >= done.attempts * 2);
                held.apply(done.delta);
                prop_assert_eq!(&held, &history.snapshot().unwrap());
            }
        }
        drop(history);
        let history = machine.open().unwrap();
        let after = history.snapshot().unwrap();
        prop_assert_eq!(&after, &held);
        prop_assert_eq!(&after.view, &before.view);
        prop_assert_eq!((&after.since, &after.highest), (&before.since, &before.highest));
        prop_assert_eq!(&after.acknowledged, &before.acknowledged);
        prop_assert_eq!(history.noted_codes().unwrap(), codes);
        for row in after.attempts().filter(|row| row.folded_at.is_some()) {
            prop_assert!(row.attempt.state.is_terminal() && !owed.contains(&row.run()));
        }
        let walked = walked(&machine);
        let folded = walked.folded.map_or(0, |folded| folded.events);
        prop_assert_eq!((walked.first_bad, events(&history.db) + folded), (None, walked.events));
    }
}
