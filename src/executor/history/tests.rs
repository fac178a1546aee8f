//! The history against itself: what is written is read back, what is changed is found, what is older is refused.
#![allow(clippy::unwrap_used)]

mod calls;
mod folding;
mod held;
mod taken;

use super::*;
use crate::decision::Attempt;
use crate::host::account::Actor;
use crate::site::ids::RequestId;
use crate::terms::State;
use crate::text::SafeText;
use std::fs;
use std::sync::Arc;

struct Machine {
    dir: tempfile::TempDir,
}

impl Machine {
    fn new() -> Self {
        let machine = Self { dir: tempfile::tempdir().unwrap() };
        fs::create_dir(machine.layout().state).unwrap();
        fs::create_dir(machine.dir.path().join("etc")).unwrap();
        assert_eq!(init(&machine.layout(), at(0), "g1", None), Ok(InitOutcome::Created));
        machine
    }

    fn layout(&self) -> Layout {
        let path = |name: &str| self.dir.path().join(name);
        Layout {
            config: path("etc/pcm.toml"),
            state: path("state"),
            log: path("log"),
            socket: path("state/pcm.sock"),
        }
    }

    fn open(&self) -> std::result::Result<History, Lost> {
        History::open(&self.layout())
    }
}

fn at(minutes: i64) -> Wall {
    "2026-11-22T12:00:00Z".parse::<Wall>().unwrap() + chrono::TimeDelta::minutes(minutes)
}

fn operator() -> Actor {
    Actor { name: "ola".into(), uid: Some(7), login_uid: None, terminal: None, from: None, may_operate: true }
}

fn id(n: usize) -> RequestId {
    format!("BP0{n:04}").parse().unwrap()
}

fn row(request: RequestId, number: u32) -> AttemptRow {
    AttemptRow {
        request,
        attempt: Arc::new(Attempt {
            number,
            state: State::Running,
            retry_at: None,
            package: "Acme".into(),
            command: "Typical".into(),
            job_id: "BP0000AA".parse().unwrap(),
            package_id: "BP00000A".parse().unwrap(),
            claimed_at: at(1),
            started_at: None,
            ended_at: None,
            exit_code: None,
            result: SafeText::default(),
            by: "service".into(),
            reason: SafeText::default(),
            boot_id: "boot".into(),
            restart: Default::default(),
            release: None,
            removes: false,
        }),
        content: None,
        exit_codes: [(17, crate::site::instruction::Outcome::Success)].into(),
        max_run_time_s: 60,
        overrides: Vec::new(),
        need: None,
        started_up_ms: None,
        host: None,
        folded_at: None,
    }
}

fn ended(state: State) -> ResultRow {
    ResultRow {
        state,
        retry_at: None,
        started_at: Some(at(1)),
        ended_at: Some(at(2)),
        exit_code: Some(0),
        result: "exit 0".into(),
    }
}

#[test]
fn what_is_written_is_read_back_after_opening_again() {
    let machine = Machine::new();
    let mut history = machine.open().unwrap();
    let _ = history.claim(at(1), &row(id(1), 1)).unwrap();
    let _ = history.progress(at(1), id(1), 1, State::Running, at(1)).unwrap();
    let _ = history.finish(at(2), id(1), 1, &ended(State::Succeeded)).unwrap();
    let deferral = DeferralRow {
        request: id(2),
        at: at(3),
        who: "ola".into(),
        until: at(63),
        reason: "release".into(),
        ended_at: None,
    };
    let _ = history.defer(&deferral).unwrap();
    drop(history);
    let snapshot = machine.open().unwrap().snapshot().unwrap();
    let attempt = snapshot.attempt(id(1), 1).unwrap();
    assert_eq!(attempt.attempt.state, State::Succeeded);
    assert_eq!(attempt.exit_codes, row(id(1), 1).exit_codes);
    assert_eq!(snapshot.view.deferrals[&id(2)].until, Some(at(63)));
    assert_eq!(snapshot.view.deferrals[&id(2)].total_s, 3600);
}

#[test]
fn an_attempt_cannot_be_claimed_twice_and_the_second_claim_changes_nothing() {
    let machine = Machine::new();
    let mut history = machine.open().unwrap();
    let _ = history.claim(at(1), &row(id(1), 1)).unwrap();
    let head = history.head().clone();
    assert!(history.claim(at(2), &row(id(1), 1)).is_err());
    assert_eq!(history.head(), &head);
    assert!(history.has_claim(id(1), 1).unwrap() && !history.has_claim(id(1), 2).unwrap());
}

#[test]
fn the_newest_attempt_is_the_one_with_the_highest_number_whatever_the_clock_was() {
    let machine = Machine::new();
    let mut history = machine.open().unwrap();
    let mut claim = |request, number, minute| {
        let mut row = row(request, number);
        Arc::make_mut(&mut row.attempt).claimed_at = at(minute);
        let _ = history.claim(at(minute), &row).unwrap();
        let _ = history.finish(at(minute), request, number, &ended(State::Failed)).unwrap();
    };
    claim(id(1), 1, 100);
    // The clock goes back by an hour and a half.
    claim(id(1), 2, 10);
    claim(id(2), 1, 11);
    let snapshot = history.snapshot().unwrap();
    let numbers = |attempts: &[Arc<Attempt>]| attempts.iter().map(|a| a.number).collect::<Vec<_>>();
    assert_eq!(numbers(&snapshot.view.attempts[&id(1)]), [1, 2]);
    let shown: Vec<_> = snapshot.attempts_of(id(1)).map(|row| row.attempt.number).collect();
    assert_eq!(shown, [1, 2]);
    let newest: Vec<_> =
        snapshot.newest_first().into_iter().map(|row| (row.request, row.attempt.number)).collect();
    assert_eq!(newest, [(id(1), 2), (id(1), 1), (id(2), 1)]);
}

#[test]
fn a_terminal_state_is_never_overwritten() {
    let machine = Machine::new();
    let mut history = machine.open().unwrap();
    let _ = history.claim(at(1), &row(id(1), 1)).unwrap();
    let _ = history.finish(at(2), id(1), 1, &ended(State::Failed)).unwrap();
    let _ = history.finish(at(3), id(1), 1, &ended(State::Succeeded)).unwrap();
    let _ = history.progress(at(4), id(1), 1, State::Stopping, at(4)).unwrap();
    assert_eq!(history.snapshot().unwrap().attempt(id(1), 1).unwrap().attempt.state, State::Failed);
}

#[test]
fn a_database_ahead_of_its_mark_moves_the_mark_and_one_behind_is_lost() {
    let machine = Machine::new();
    let before = fs::read(machine.layout().history()).unwrap();
    let mut history = machine.open().unwrap();
    let _ = history.claim(at(1), &row(id(1), 1)).unwrap();
    drop(history);
    drop(machine.open().unwrap());
    let mark = Mark::read(&machine.layout().mark()).unwrap().unwrap();
    assert_eq!(mark.events, 2, "created and claimed");
    fs::write(machine.layout().history(), before).unwrap();
    let lost = machine.open().err().unwrap();
    assert!(lost.evidence.as_str().contains("older"), "{}", lost.evidence);
}

#[test]
fn another_generation_or_a_missing_mark_is_lost() {
    let (one, other) = (Machine::new(), Machine { dir: tempfile::tempdir().unwrap() });
    fs::create_dir(other.layout().state).unwrap();
    fs::create_dir(other.dir.path().join("etc")).unwrap();
    init(&other.layout(), at(0), "g2", None).unwrap();
    fs::copy(other.layout().history(), one.layout().history()).unwrap();
    assert!(one.open().err().unwrap().evidence.as_str().contains("generation"));
    let _ = other.open().unwrap().claim(at(1), &row(id(1), 1)).unwrap();
    fs::remove_file(other.layout().mark()).unwrap();
    let lost = other.open().err().unwrap();
    assert!(lost.evidence.as_str().contains("mark"), "{lost:?}");
    assert_eq!(lost.cause, Cause::Lost);
}

#[test]
fn an_init_that_was_cut_off_before_its_mark_is_made_whole_by_the_next_one() {
    let machine = Machine { dir: tempfile::tempdir().unwrap() };
    fs::create_dir(machine.layout().state).unwrap();
    fs::create_dir(machine.dir.path().join("etc")).unwrap();
    // What is on the disk when the power goes as soon as the mark is about to be written.
    faults::set(Some(Box::new(|point| match point {
        "created" => Err(std::io::ErrorKind::Interrupted.into()),
        _ => Ok(()),
    })));
    let cut = init(&machine.layout(), at(0), "g1", None);
    faults::set(None);
    assert!(cut.is_err());
    assert!(!machine.layout().mark().exists(), "the mark counts what a power cut may take away");
    assert!(machine.layout().history().exists());
    assert_eq!(machine.open().err().unwrap().cause, Cause::NeverCreated);
    assert_eq!(init(&machine.layout(), at(1), "g2", None), Ok(InitOutcome::Created));
    machine.open().unwrap();
}

#[test]
fn a_history_of_adopted_requests_is_never_taken_for_an_init_that_was_cut_off() {
    let machine = Machine::new();
    fs::remove_file(machine.layout().history()).unwrap();
    adopt(&machine.layout(), at(5), "g2", Adopt::Done, &[id(1)], &By::Operator(&operator())).unwrap();
    fs::remove_file(machine.layout().mark()).unwrap();
    assert_eq!(machine.open().err().unwrap().cause, Cause::Lost);
    assert!(init(&machine.layout(), at(6), "g3", None).is_err());
}

#[test]
fn the_newest_event_says_how_far_the_clock_has_come_until_a_later_time_is_written_down() {
    let machine = Machine::new();
    let mut history = machine.open().unwrap();
    assert_eq!((history.last_time().unwrap(), history.noted_time().unwrap()), (Some(at(0)), None));
    let _ = history.claim(at(7), &row(id(1), 1)).unwrap();
    assert_eq!(history.last_time().unwrap(), Some(at(7)));
    // A clock that was ahead and is believed again now: what it said before counts no more.
    history.set_last_time(at(3), None).unwrap();
    assert_eq!((history.last_time().unwrap(), history.noted_time().unwrap()), (Some(at(3)), Some(at(3))));
    let _ = history.claim(at(2), &row(id(2), 1)).unwrap();
    assert_eq!(history.last_time().unwrap(), Some(at(3)), "a clock that went back takes nothing away");
}

#[test]
fn what_cannot_be_read_is_not_lost() {
    let machine = Machine::new();
    let (history, mark) = (machine.layout().history(), machine.layout().mark());
    let kept = fs::read(&mark).unwrap();
    for code in [
        rusqlite::ffi::SQLITE_IOERR,
        rusqlite::ffi::SQLITE_FULL,
        rusqlite::ffi::SQLITE_READONLY,
        rusqlite::ffi::SQLITE_CANTOPEN,
        rusqlite::ffi::SQLITE_BUSY,
    ] {
        let source = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None);
        let lost = Lost::from(HistoryError::Database { file: history.clone(), source });
        assert_eq!(lost.cause, Cause::Unreadable, "{lost:?}");
    }
    for code in [rusqlite::ffi::SQLITE_CORRUPT, rusqlite::ffi::SQLITE_NOTADB] {
        let source = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None);
        let lost = Lost::from(HistoryError::Database { file: history.clone(), source });
        assert_eq!(lost.cause, Cause::Lost, "{lost:?}");
    }
    fs::write(&mark, b"no mark").unwrap();
    assert_eq!(machine.open().err().unwrap().cause, Cause::Lost);
    fs::write(&mark, kept).unwrap();
    machine.open().unwrap();
}

/// Truncated at every length and flipped at many bytes: it is either found out, or nothing that decides is different.
#[test]
fn no_mutilation_of_the_file_makes_an_attempt_disappear() {
    let machine = Machine::new();
    let mut history = machine.open().unwrap();
    let _ = history.claim(at(1), &row(id(1), 1)).unwrap();
    history.write_mark().unwrap();
    drop(history);
    let whole = fs::read(machine.layout().history()).unwrap();
    let mut mutilations: Vec<Vec<u8>> = (0..whole.len()).step_by(997).map(|n| whole[..n].to_vec()).collect();
    for at in (0..whole.len()).step_by(61) {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x10;
        mutilations.push(flipped);
    }
    assert!(mutilations.len() > 100);
    let mut found = 0;
    for bytes in mutilations {
        fs::write(machine.layout().history(), bytes).unwrap();
        match machine.open() {
            Err(_) => found += 1,
            Ok(history) => {
                // A snapshot that cannot be read makes the history lost, as the executor takes it.
                let Ok(snapshot) = history.snapshot() else { continue };
                let there = snapshot.view.attempts.get(&id(1));
                assert_eq!(there, Some(&vec![row(id(1), 1).attempt]), "it changed unnoticed");
            }
        }
    }
    assert!(found > 0);
}

#[test]
fn events_can_be_neither_changed_nor_deleted_through_the_database() {
    let machine = Machine::new();
    let history = machine.open().unwrap();
    assert!(history.db.execute("UPDATE events SET body = '{}'", []).is_err());
    assert!(history.db.execute("DELETE FROM events", []).is_err());
}

#[test]
fn adoption_keeps_the_lost_file_and_lists_what_counts_as_done() {
    let machine = Machine::new();
    fs::write(machine.layout().history(), b"not a database").unwrap();
    assert!(machine.open().is_err());
    let done =
        adopt(&machine.layout(), at(5), "g2", Adopt::Done, &[id(1), id(2)], &By::Operator(&operator()))
            .unwrap();
    let InitOutcome::Adopted(Adopted { done: 2, kept: Some(kept), .. }) = done else { panic!("{done:?}") };
    assert_eq!(fs::read(kept).unwrap(), b"not a database");
    let view = machine.open().unwrap().snapshot().unwrap().view;
    assert_eq!(view.adopted.len(), 2);
}

#[test]
fn a_row_that_was_changed_or_removed_beside_the_chain_is_found() {
    for change in [
        "DELETE FROM attempts",
        "UPDATE attempts SET row = replace(row, 'running', 'stopped')",
        "UPDATE attempts SET request = 'BP00009'",
    ] {
        let machine = Machine::new();
        let mut history = machine.open().unwrap();
        let _ = history.claim(at(1), &row(id(1), 1)).unwrap();
        drop(history);
        rusqlite::Connection::open(machine.layout().history()).unwrap().execute_batch(change).unwrap();
        assert!(machine.open().is_err(), "{change}");
    }
}

/// An executor died between its two writes, and no other has started since: whoever may write takes back what is half
/// written, as the next executor would, and looks; nothing is lost.
#[test]
fn what_was_left_half_written_is_taken_back_by_a_view() {
    let machine = Machine::new();
    let file = machine.layout().history();
    let mut history = machine.open().unwrap();
    let _ = history.claim(at(1), &row(id(1), 1)).unwrap();
    let whole = fs::read(&file).unwrap();
    // So little memory that the change is in the file before it is committed.
    history.db.pragma_update(None, "cache_size", 2).unwrap();
    let tx = history.db.unchecked_transaction().unwrap();
    let many = "WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < 2000) \
                INSERT INTO meta (key, value) SELECT 'k' || value, hex(randomblob(500)) FROM n";
    tx.execute_batch(many).unwrap();
    let journal = machine.layout().state.join("history.db-journal");
    let (half, beside) = (fs::read(&file).unwrap(), fs::read(&journal).unwrap());
    drop(tx);
    drop(history);
    assert!(half != whole && !beside.is_empty(), "it was half written");
    fs::write(&file, half).unwrap();
    fs::write(&journal, beside).unwrap();
    let view = History::read(&machine.layout()).unwrap().view;
    assert_eq!(view.attempts.len(), 1);
    assert!(!journal.exists());
    assert!(machine.open().is_ok());
}

/// It is not lost: its mode is wrong, and what is in it is held against chain and mark once that is right.
#[cfg(unix)]
#[test]
fn a_history_that_others_may_write_is_not_lost() {
    use std::os::unix::fs::PermissionsExt;
    let machine = Machine::new();
    for file in [machine.layout().history(), machine.layout().mark()] {
        let mode = |mode| fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        mode(0o666);
        let lost = machine.open().err().unwrap();
        assert_eq!(lost.cause, Cause::Unreadable, "{}", lost.evidence);
        assert!(lost.evidence.as_str().contains("chmod"), "{}", lost.evidence);
        mode(0o600);
        assert!(machine.open().is_ok());
    }
}

#[test]
fn the_chain_finds_the_first_event_that_was_changed() {
    let machine = Machine::new();
    let mut history = machine.open().unwrap();
    for n in 1..20 {
        let _ = history.claim(at(1), &row(id(n), 1)).unwrap();
    }
    drop(history);
    let db = rusqlite::Connection::open(machine.layout().history()).unwrap();
    db.execute_batch("DROP TRIGGER events_are_not_changed; UPDATE events SET at = '2001-01-01T00:00:00.000Z' WHERE seq = 7")
        .unwrap();
    drop(db);
    assert_eq!(
        History::verify(&machine.layout(), &|| true),
        Ok(Some(Walked { events: 6, first_bad: Some(7), folded: None }))
    );
    assert_eq!(History::verify(&machine.layout(), &|| false), Ok(None));
    assert!(machine.open().is_err());
}

/// A service goes on writing; each of its transitions waits for a lock, and so for whoever reads.
#[test]
fn while_the_chain_is_walked_the_history_is_written_and_what_comes_is_walked_too() {
    let machine = Machine::new();
    let mut history = machine.open().unwrap();
    let many = |_: &Transaction, events: &mut Vec<Event>| {
        events.extend((0..1_200).map(|n| Event::new("noted", None, &n)));
        Ok(())
    };
    history.transition(at(1), many).unwrap();
    let (written, began) = (std::cell::Cell::new(0_u64), std::time::Instant::now());
    let history = std::cell::RefCell::new(history);
    let go_on = || {
        if written.get() < 5 {
            let one = |_: &Transaction, events: &mut Vec<Event>| {
                events.push(Event::new("noted", None, &"meanwhile"));
                Ok(())
            };
            history.borrow_mut().transition(at(2), one).unwrap();
            written.set(written.get() + 1);
        }
        true
    };
    let walked = History::verify(&machine.layout(), &go_on);
    assert_eq!(walked, Ok(Some(Walked { events: 1_201 + written.get(), first_bad: None, folded: None })));
    assert!(written.get() >= 3, "in pieces");
    assert!(began.elapsed() < BUSY, "nobody waited for the lock");
}

#[test]
fn a_file_put_over_an_open_history_is_noticed_also_where_sqlite_cannot_tell_it_by_its_change_counter() {
    let change_counter = |bytes: &[u8]| bytes[24..28].to_vec();
    let (machine, other) = (Machine::new(), Machine::new());
    let mut history = machine.open().unwrap();
    let _ = history.claim(at(1), &row(id(1), 1)).unwrap();
    let mut another = other.open().unwrap();
    let _ = another.claim(at(1), &row(id(2), 1)).unwrap();
    drop(another);
    let file = machine.layout().history();
    let before = fs::read(&file).unwrap();
    let put = fs::read(other.layout().history()).unwrap();
    assert_eq!(
        (change_counter(&put), put.len()),
        (change_counter(&before), before.len()),
        "a test of nothing"
    );
    assert_ne!(put, before);
    fs::write(&file, &put).unwrap();
    assert!(history.snapshot().is_err(), "pages of the file that is gone were shown");
    let refused = history.claim(at(2), &row(id(3), 1)).unwrap_err();
    assert!(refused.to_string().contains("it was replaced"), "{refused}");
    assert_eq!(fs::read(&file).unwrap(), put, "something was written over it");
}

#[test]
fn a_job_that_was_cancelled_once_stays_so_and_taking_it_out_is_found() {
    let machine = Machine::new();
    let job = |text: &str| text.parse().unwrap();
    let mut history = machine.open().unwrap();
    let mut held = history.snapshot().unwrap();
    held.apply(history.note_cancelled(at(1), &[job("BP0000AA")].into()).unwrap());
    held.apply(history.note_cancelled(at(2), &[job("BP0000AB"), job("BP0000AA")].into()).unwrap());
    let events = history.head().events;
    held.apply(history.note_cancelled(at(3), &[job("BP0000AA")].into()).unwrap());
    assert_eq!(history.head().events, events, "it is no news");
    assert_eq!(held.view.cancelled, [job("BP0000AA"), job("BP0000AB")].into());
    history.write_mark().unwrap();
    drop(history);
    assert_eq!(machine.open().unwrap().snapshot().unwrap(), held);
    // Whoever takes one out of the row has a history that nobody believes; adopting it forgets neither.
    let db = Connection::open(machine.layout().history()).unwrap();
    let was: String =
        db.query_row("SELECT value FROM meta WHERE key = 'cancelled'", [], |row| row.get(0)).unwrap();
    db.execute("UPDATE meta SET value = '[]' WHERE key = 'cancelled'", []).unwrap();
    let lost = machine.open().err().unwrap();
    assert!(lost.evidence.as_str().contains("cancelled jobs are not what their events say"), "{lost:?}");
    db.execute("UPDATE meta SET value = ?1 WHERE key = 'cancelled'", [was]).unwrap();
    fs::remove_file(machine.layout().mark()).unwrap();
    adopt(&machine.layout(), at(4), "g2", Adopt::NotDone, &[], &By::Operator(&operator())).unwrap();
    assert_eq!(machine.open().unwrap().snapshot().unwrap().view.cancelled, held.view.cancelled);
}
