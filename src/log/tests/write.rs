use super::{at, cases, read, read_at, west};
use crate::clock::Wall;
use crate::log::write::LogFormat::{Classic, Cmtrace};
use crate::log::write::PacmanLog;
use crate::log::{Level, Record};
use crate::text::SafeText;
use chrono::TimeDelta;
use proptest::prelude::*;
use std::fs;
use std::path::Path;

fn open(dir: &Path, format: crate::log::write::LogFormat) -> PacmanLog {
    PacmanLog::open(dir, "PACMAN.LOG", format, 10 << 20, 5).unwrap()
}

fn all_of(log: &PacmanLog) -> Vec<Record> {
    read(fs::read(log.path()).unwrap())
}

fn now() -> Wall {
    at("2026-11-22T13:01:58.250Z")
}

#[test]
fn a_record_is_written_as_the_viewer_expects_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), Cmtrace);
    log.log(Level::Warning, "PCM_SERVICE", &"Packages before filter: 7".into(), now(), 3600).unwrap();
    let text = fs::read_to_string(log.path()).unwrap();
    assert_eq!(
        text,
        format!(
            "<![LOG[Packages before filter: 7]LOG]!><time=\"14:01:58.250-060\" date=\"11-22-2026\" component=\"PCM_SERVICE\" \
             context=\"\" type=\"2\" thread=\"{}\" file=\"\">\n",
            std::process::id()
        )
    );
    let record = &all_of(&log)[0];
    assert_eq!((record.time, record.offset_trusted), (Some(now()), true));
}

#[test]
fn west_of_greenwich_the_bias_is_positive() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), Cmtrace);
    for (offset, want) in
        [(-18_000, "08:01:58.250+300"), (0, "13:01:58.250+000"), (19_800, "18:31:58.250-330")]
    {
        log.log(Level::Info, "c", &"x".into(), now(), offset).unwrap();
        let last = fs::read_to_string(log.path()).unwrap().lines().last().unwrap().to_owned();
        assert!(last.contains(want), "{last}");
    }
    assert!(all_of(&log).iter().all(|r| r.time == Some(now())));
}

#[test]
fn the_classic_form_is_the_original_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), Classic);
    log.log(Level::Info, "anything", &"Looking for instruction file: x".into(), now(), 3600).unwrap();
    assert_eq!(
        fs::read_to_string(log.path()).unwrap(),
        "[11/22/26 14:01:58] Package Command Manager ==> Looking for instruction file: x\n"
    );
    let record = &read_at(fs::read(log.path()).unwrap(), west(-60))[0];
    assert_eq!(record.time, Some(at("2026-11-22T13:01:58Z")));
}

#[test]
fn text_cannot_end_its_record_or_begin_another() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), Cmtrace);
    let forged = "x]LOG]!><time=\"00:00:00.000+000\" date=\"01-01-2026\" component=\"PCM\" context=\"\" type=\"3\" thread=\"1\" \
                  file=\"\"><![LOG[forged]LOG]!><time=\"00:00:00.000+000\" date=\"01-01-2026\" component=\"PCM\">";
    for text in [forged, "]LOG]!>", "<![LOG[", "a\nb", "]", "\"quotes\""] {
        log.log(Level::Info, "a\"b", &text.into(), now(), 0).unwrap();
    }
    let records = all_of(&log);
    assert_eq!(records.len(), 6);
    assert!(records.iter().all(|r| r.level == Level::Info && r.component == "a'b"));
    assert_eq!(
        fs::read_to_string(log.path()).unwrap().matches("]LOG]!>").count(),
        6,
        "for readers that take the first"
    );
}

#[test]
fn a_full_file_is_rotated_and_only_the_newest_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = PacmanLog::open(dir.path(), "PACMAN.LOG", Cmtrace, 4096, 3).unwrap();
    for n in 0..400 {
        log.log(Level::Info, "c", &SafeText::new(&n.to_string()), now() + TimeDelta::seconds(n), 3600)
            .unwrap();
        assert!(fs::metadata(log.path()).unwrap().len() <= 4096);
        assert!(log.rotated().unwrap().len() <= 3);
    }
    let rotated = log.rotated().unwrap();
    assert_eq!(rotated.len(), 3);
    let name = rotated[0].file_name().unwrap().to_string_lossy().into_owned();
    assert!(name.starts_with("PACMAN-20261122-14") && name.ends_with(".LOG") && name.len() == 26, "{name}");
    let mut numbers: Vec<i64> = Vec::new();
    for path in rotated.iter().map(|p| p.as_path()).chain([log.path()]) {
        numbers.extend(read(fs::read(path).unwrap()).iter().map(|r| r.full_text().parse::<i64>().unwrap()));
    }
    assert_eq!(
        numbers,
        (400 - numbers.len() as i64..400).collect::<Vec<_>>(),
        "nothing is missing in between"
    );
}

#[test]
fn rotating_twice_in_one_second_overwrites_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = PacmanLog::open(dir.path(), "PACMAN.LOG", Cmtrace, 4096, 100).unwrap();
    let mut lines = 0;
    for n in 0..200 {
        log.log(Level::Info, "c", &SafeText::new(&n.to_string()), now(), 0).unwrap();
    }
    for entry in fs::read_dir(dir.path()).unwrap() {
        lines += fs::read_to_string(entry.unwrap().path()).unwrap().lines().count();
    }
    assert_eq!(lines, 200);
}

#[test]
fn other_files_are_left_alone_by_rotation() {
    let dir = tempfile::tempdir().unwrap();
    for name in [
        "PACMAN-1.LOG",
        "PACMAN-20261122-1401580.LOG",
        "OTHER-20261122-140158.LOG",
        "PACMAN-20261122-140158.txt",
    ] {
        fs::write(dir.path().join(name), "mine").unwrap();
    }
    let mut log = PacmanLog::open(dir.path(), "PACMAN.LOG", Cmtrace, 4096, 0).unwrap();
    for n in 0..100 {
        log.log(Level::Info, "c", &"x".into(), now() + TimeDelta::seconds(n), 0).unwrap();
    }
    assert!(log.rotated().unwrap().is_empty());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 5);
}

#[test]
fn a_record_after_half_a_record_stands_on_its_own_line() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), Cmtrace);
    fs::write(log.path(), "<![LOG[half a rec").unwrap();
    log.log(Level::Info, "c", &"whole".into(), now(), 0).unwrap();
    let texts: Vec<_> = all_of(&log).iter().map(Record::full_text).collect();
    assert_eq!(texts, ["half a rec", "whole"]);
}

#[test]
fn the_log_goes_on_after_others_rotated_or_removed_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), Cmtrace);
    log.log(Level::Info, "c", &"1".into(), now(), 0).unwrap();
    fs::rename(log.path(), dir.path().join("old")).unwrap();
    log.log(Level::Info, "c", &"2".into(), now(), 0).unwrap();
    fs::remove_file(log.path()).unwrap();
    log.log(Level::Info, "c", &"3".into(), now(), 0).unwrap();
    assert_eq!(all_of(&log)[0].full_text(), "3");
}

#[test]
fn what_cannot_be_written_is_an_error_and_heals() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("log");
    let mut log = open(&folder, Cmtrace);
    fs::remove_dir_all(&folder).unwrap();
    assert!(log.log(Level::Info, "c", &"lost".into(), now(), 0).is_err());
    fs::create_dir(&folder).unwrap();
    log.log(Level::Info, "c", &"there".into(), now(), 0).unwrap();
    assert_eq!(all_of(&log).len(), 1);
    fs::remove_file(log.path()).unwrap();
    fs::create_dir(log.path()).unwrap();
    let said = log.log(Level::Info, "c", &"x".into(), now(), 0).unwrap_err();
    assert!(said.to_string().contains("not a regular file"), "{said}");
    assert!(PacmanLog::open(&folder, "PACMAN.LOG", Cmtrace, 1, 1).is_err());
}

#[test]
fn several_writers_do_not_mix_their_records() {
    let dir = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let dir = dir.path();
            scope.spawn(move || {
                let mut log = PacmanLog::open(dir, "PACMAN.LOG", Cmtrace, 10 << 20, 5).unwrap();
                for n in 0..200 {
                    log.log(
                        Level::Info,
                        "c",
                        &SafeText::new(&format!("{writer} {n} {}", "x".repeat(300))),
                        now(),
                        0,
                    )
                    .unwrap();
                }
            });
        }
    });
    let records = read(fs::read(dir.path().join("PACMAN.LOG")).unwrap());
    assert_eq!(records.len(), 800);
    assert!(records.iter().all(|r| r.time.is_some() && r.text.len() == 1));
}

#[test]
fn extreme_times_do_not_panic() {
    let dir = tempfile::tempdir().unwrap();
    for format in [Cmtrace, Classic] {
        let mut log = open(dir.path(), format);
        for time in [Wall::MIN_UTC, Wall::MAX_UTC, now()] {
            for offset in [i32::MIN, -1, 1, 59, i32::MAX] {
                log.log(Level::Info, "c", &"x".into(), time, offset).unwrap();
            }
        }
    }
}

proptest! {
    #![proptest_config(cases(1500))]

    #[test]
    fn what_is_written_is_read_back(
        texts in prop::collection::vec(".{0,40}", 1..5), component in "[ -~]{0,20}", level in 0_usize..4,
        seconds in 0_i64..4_000_000_000, quarters in -48_i32..=56
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut log = open(dir.path(), Cmtrace);
        let level = [Level::Verbose, Level::Info, Level::Warning, Level::Error][level];
        let now = Wall::UNIX_EPOCH + TimeDelta::seconds(seconds) + TimeDelta::milliseconds(123);
        for text in &texts {
            log.log(level, &component, &text.as_str().into(), now, quarters * 900).unwrap();
        }
        // The zone of the reader plays no part, unless it is exactly the opposite one.
        let zone = if quarters == 28 { west(0) } else { west(-7 * 60) };
        let records = read_at(fs::read(log.path()).unwrap(), if quarters == -28 { west(0) } else { zone });
        prop_assert_eq!(records.len(), texts.len());
        for (record, text) in records.iter().zip(&texts) {
            prop_assert_eq!(record.full_text(), SafeText::new(text).as_str().replace("]LOG]!>", "]LOG] !>"));
            prop_assert_eq!((record.time, record.offset_trusted), (Some(now), true));
            prop_assert_eq!(record.level, level);
            prop_assert_eq!(record.component.as_str(), component.replace('"', "'"));
        }
    }

    #[test]
    fn the_classic_form_is_read_back_to_the_second(texts in prop::collection::vec(".{0,40}", 1..5), seconds in 0_i64..1_000_000_000) {
        let dir = tempfile::tempdir().unwrap();
        let mut log = open(dir.path(), Classic);
        let now = at("2010-01-01T00:00:00Z") + TimeDelta::seconds(seconds);
        for text in &texts {
            log.log(Level::Info, "c", &text.as_str().into(), now, 0).unwrap();
        }
        let records = all_of(&log);
        prop_assert_eq!(records.len(), texts.len());
        for (record, text) in records.iter().zip(&texts) {
            prop_assert_eq!(record.full_text(), SafeText::new(text).into_string());
            prop_assert_eq!(record.time, Some(now));
        }
    }
}
