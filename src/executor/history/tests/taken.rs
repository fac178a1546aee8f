//! What is adopted keeps of what was ever taken from a share whatever mark or database still say, and says what it cannot.

use super::*;
use crate::site::content;
use crate::site::ids::JobId;
use crate::site::publication::Publication;
use rusqlite::Connection;
use std::collections::BTreeSet;

fn publication(serial: u64) -> Publication {
    Publication { epoch: 1, serial, sha256: content::hash_bytes(b"index"), index: true }
}

fn cancelled() -> BTreeSet<JobId> {
    ["BP0000AA".parse().unwrap(), "BP0000AB".parse().unwrap()].into()
}

/// A machine that took the index of serial 7, which called two jobs cancelled.
fn machine() -> Machine {
    let machine = Machine::new();
    let mut history = machine.open().unwrap();
    let _ = history.note_publication(at(1), &publication(7)).unwrap();
    let _ = history.note_cancelled(at(2), &cancelled()).unwrap();
    history.write_mark().unwrap();
    machine
}

/// What counts once it is adopted: the highest serial, the cancelled jobs, and how much is not known any more.
fn adopted(machine: &Machine) -> (Option<u64>, BTreeSet<JobId>, usize) {
    let done =
        adopt(&machine.layout(), at(5), "g2", Adopt::NotDone, &[], &By::Operator(&operator())).unwrap();
    let InitOutcome::Adopted(Adopted { forgotten, .. }) = done else { panic!("{done:?}") };
    let history = machine.open().unwrap();
    let (entries, _) = history.audit_page(None, 10).unwrap();
    let [entry] = &entries[..] else { panic!("{entries:?}") };
    assert_eq!((entry.verb.as_str(), entry.who.as_str(), entry.result.as_str()), ("adopt", "ola", "done"));
    let told = entry.reason.as_ref().map(SafeText::as_str).unwrap_or_default();
    assert!(forgotten.iter().all(|what| told.contains(what.as_str())), "{told}");
    assert_eq!(entry.reason.is_some(), !forgotten.is_empty());
    let snapshot = history.snapshot().unwrap();
    (snapshot.highest.map(|highest| highest.serial), snapshot.view.cancelled, forgotten.len())
}

fn change(machine: &Machine, sql: &str) {
    Connection::open(machine.layout().history()).unwrap().execute_batch(sql).unwrap();
}

#[test]
fn either_of_mark_and_database_says_the_highest_and_a_database_alone_may_be_an_older_one() {
    for mark in [None, Some(&b"no mark"[..])] {
        let machine = machine();
        match mark {
            None => fs::remove_file(machine.layout().mark()).unwrap(),
            Some(text) => fs::write(machine.layout().mark(), text).unwrap(),
        }
        assert_eq!(adopted(&machine), (Some(7), cancelled(), 2), "{mark:?}");
    }
    let machine = machine();
    fs::write(machine.layout().history(), b"no database").unwrap();
    assert_eq!(adopted(&machine), (Some(7), BTreeSet::new(), 1));
}

#[test]
fn what_the_rows_do_not_say_the_events_do() {
    for sql in [
        "DELETE FROM meta WHERE key IN ('publication', 'cancelled')",
        "UPDATE meta SET value = '[' WHERE key IN ('publication', 'cancelled')",
        "DROP TABLE meta",
    ] {
        let machine = machine();
        change(&machine, sql);
        fs::remove_file(machine.layout().mark()).unwrap();
        assert_eq!(adopted(&machine), (Some(7), cancelled(), 2), "{sql}");
    }
    // And the other way round.
    let machine = machine();
    change(&machine, "DROP TABLE events");
    fs::remove_file(machine.layout().mark()).unwrap();
    assert_eq!(adopted(&machine), (Some(7), cancelled(), 2));
}

#[test]
fn what_neither_says_is_said_to_be_unknown() {
    let lost: [&dyn Fn(&Machine); 2] =
        [&|machine| fs::write(machine.layout().history(), b"no database").unwrap(), &|machine| {
            change(machine, "DROP TABLE events; DROP TABLE meta")
        }];
    for lose in lost {
        let machine = machine();
        lose(&machine);
        fs::write(machine.layout().mark(), b"no mark").unwrap();
        assert_eq!(adopted(&machine), (None, BTreeSet::new(), 2));
    }
    let machine = machine();
    fs::remove_file(machine.layout().history()).unwrap();
    assert_eq!(adopted(&machine), (Some(7), BTreeSet::new(), 1));
}

#[test]
fn an_older_database_says_what_it_has_and_that_it_may_lack_some() {
    let machine = machine();
    let copy = fs::read(machine.layout().history()).unwrap();
    let mut history = machine.open().unwrap();
    let _ = history.note_publication(at(3), &publication(8)).unwrap();
    let _ = history.note_cancelled(at(4), &["BP0000AC".parse().unwrap()].into()).unwrap();
    history.write_mark().unwrap();
    drop(history);
    fs::write(machine.layout().history(), copy).unwrap();
    assert_eq!(adopted(&machine), (Some(8), cancelled(), 1));
}

#[test]
fn of_two_that_the_database_names_the_higher_counts() {
    let machine = machine();
    let lower = serde_json::to_string(&publication(5)).unwrap();
    change(&machine, &format!("UPDATE meta SET value = '{lower}' WHERE key = 'publication'"));
    fs::remove_file(machine.layout().mark()).unwrap();
    assert_eq!(adopted(&machine), (Some(7), cancelled(), 2));
}

#[test]
fn a_database_of_another_generation_than_the_mark_may_lack_some() {
    let machine = machine();
    let mut mark = Mark::read(&machine.layout().mark()).unwrap().unwrap();
    mark.generation = "another".into();
    mark.write(&machine.layout().mark()).unwrap();
    assert_eq!(adopted(&machine), (Some(7), cancelled(), 1));
}

#[test]
fn an_adoption_that_fails_leaves_what_the_old_file_says_to_the_next() {
    let machine = machine();
    fs::remove_file(machine.layout().mark()).unwrap();
    // As a disk does that takes no more.
    let new = machine.layout().history().with_file_name("history.db.new");
    fs::create_dir(&new).unwrap();
    let failed = adopt(&machine.layout(), at(5), "g2", Adopt::Done, &[], &By::Operator(&operator()));
    assert!(failed.is_err(), "{failed:?}");
    fs::remove_dir(&new).unwrap();
    assert_eq!(adopted(&machine), (Some(7), cancelled(), 2));
}

/// The site names g1, in an index of this serial.
fn replaced(machine: &Machine, serial: u64) -> std::result::Result<Option<Adopted>, String> {
    replace(&machine.layout(), at(6), "g2", &[], "g1", &publication(serial))
}

#[test]
fn from_a_state_that_it_went_on_from_the_site_lets_no_machine_go_on_again_whatever_is_lost() {
    let machine = machine();
    let mut history = machine.open().unwrap();
    let _ = history.keep_id(at(3), &Reported::default(), &By::Site("g1"), Vec::new()).unwrap();
    history.write_mark().unwrap();
    drop(history);
    fs::remove_file(machine.layout().history()).unwrap();
    let refused = replaced(&machine, 8).unwrap_err();
    assert!(refused.contains("did so before") && refused.contains("pcm init --adopt"), "{refused}");
    fs::remove_file(machine.layout().mark()).unwrap();
    assert!(replaced(&machine, 8).unwrap_err().contains("nobody knows"));
}

#[test]
fn the_site_decides_again_where_the_machine_died_before_its_mark() {
    let machine = machine();
    fs::remove_file(machine.layout().history()).unwrap();
    assert!(replaced(&machine, 6).unwrap_err().contains("older"));
    let mark = fs::read(machine.layout().mark()).unwrap();
    assert!(replaced(&machine, 8).unwrap().is_some());
    fs::write(machine.layout().mark(), mark).unwrap();
    assert!(machine.open().is_err());
    assert!(replaced(&machine, 8).unwrap().is_some());
    assert_eq!(machine.open().unwrap().generation(), "g2");
    let refused = replaced(&machine, 8).unwrap_err();
    assert!(refused.contains("is g2"), "{refused}");
}

#[test]
fn the_publications_that_were_taken_last_are_told_newest_first() {
    let machine = machine();
    let mut history = machine.open().unwrap();
    for serial in 8..=18 {
        let _ = history.note_publication(at(3), &publication(serial)).unwrap();
    }
    let _ = history.accept_publication(at(9), &publication(4), &"ola".into()).unwrap();
    history.write_mark().unwrap();
    drop(history);
    let told = History::read_publications(&machine.layout(), 10).unwrap();
    let serials: Vec<u64> = told.iter().map(|told| told.publication.serial).collect();
    assert_eq!(serials, [4, 18, 17, 16, 15, 14, 13, 12, 11, 10]);
    assert_eq!(told[0].accepted_by.as_ref().map(SafeText::as_str), Some("ola"));
    assert_eq!((told[1].at, &told[1].accepted_by), (at(3), &None));
    // As programs read it.
    let json = serde_json::to_value(&told[1]).unwrap();
    assert_eq!((&json["epoch"], &json["serial"], &json["index"]), (&1.into(), &18.into(), &true.into()));
}
