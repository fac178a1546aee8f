//! Any order of writing, rotating and looking: every record is told once, in the order of its writing within one file,
//! or it is said that something may be missing (PROMISES.md, P17).

use super::{cases, west};
use crate::log::Level;
use crate::log::follow::{Event, Follower};
use crate::log::write::{LogFormat, PacmanLog};
use crate::text::SafeText;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

#[derive(Debug, Clone)]
enum Op {
    /// Write so many records, the last of them torn at the given place for a moment or not.
    Write(usize),
    Half,
    Poll,
    RenameWithin,
    RenameAway,
    CopyTruncate,
    CopyOnly,
    DeleteAndMake,
    Truncate,
    RewriteSameSize,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (1_usize..6).prop_map(Op::Write),
        2 => Just(Op::Half),
        6 => Just(Op::Poll),
        1 => Just(Op::RenameWithin),
        1 => Just(Op::RenameAway),
        1 => Just(Op::CopyTruncate),
        1 => Just(Op::CopyOnly),
        1 => Just(Op::DeleteAndMake),
        1 => Just(Op::Truncate),
        1 => Just(Op::RewriteSameSize),
    ]
}

fn line(n: usize) -> String {
    format!(
        "<![LOG[{n:06}]LOG]!><time=\"09:30:00+000\" date=\"10-14-2013\" component=\"c\" type=\"1\" thread=\"1\" file=\"\">\n"
    )
}

fn append(path: &Path, text: &str) {
    OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

/// What was written, what was told, and how often something was said to be missing.
#[derive(Default)]
struct Tally {
    told: BTreeMap<usize, usize>,
    truncated: usize,
}

impl Tally {
    fn take(&mut self, events: Vec<Event>) {
        for event in events {
            match event {
                Event::Record(record) => {
                    // Half a record that will never be whole is told as far as it goes.
                    if let Some(Ok(n)) = record.full_text().get(..6).map(str::parse) {
                        *self.told.entry(n).or_default() += 1;
                    }
                }
                Event::Truncated { .. } => self.truncated += 1,
                Event::Batch(_) | Event::Rotated { .. } | Event::Problem { .. } => {}
            }
        }
    }
}

fn run(ops: &[Op], pattern: &str) -> Result<(), TestCaseError> {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("P.LOG");
    let mut follower = Follower::open(&[dir.path().join(pattern)], west(0), usize::MAX).raw();
    let mut tally = Tally::default();
    let (mut next, mut names, mut half) = (0, 0, None::<String>);
    // Records that an operation destroyed before they could be told, as far as is known.
    let mut destroyed = 0;
    // The first record of the file that now has the name, of which nothing may have been seen yet.
    let mut first = 0;
    for op in ops {
        // Half a record is completed before anything else is done to the file.
        if let Some(rest) = half.take_if(|_| !matches!(op, Op::Poll)) {
            append(&log, &rest);
        }
        names += 1;
        let untold = next - tally.told.len();
        let other = |kind: &str| dir.path().join(format!("P-{names:04}{kind}"));
        if !log.exists() || fs::metadata(&log).is_ok_and(|meta| meta.len() == 0) {
            first = next;
        }
        match op {
            Op::Write(count) => {
                append(&log, &(next..next + count).map(line).collect::<String>());
                next += count;
            }
            Op::Half => {
                let text = line(next);
                append(&log, &text[..40]);
                half = Some(text[40..].to_owned());
                next += 1;
            }
            Op::Poll => tally.take(follower.look()),
            _ if !log.exists() => {}
            // What nobody has ever looked at cannot be missed.
            Op::Truncate | Op::RewriteSameSize | Op::CopyTruncate
                if tally.told.range(first..).next().is_none() => {}
            Op::RenameWithin => {
                tally.take(follower.look());
                fs::rename(&log, other(".LOG")).unwrap();
            }
            // A pattern does not say what the first of its files is going to be called.
            Op::RenameAway if pattern.contains('*') && tally.told.is_empty() => {}
            // Perhaps before anybody saw it; but then something new must have its name for that to be seen.
            Op::RenameAway => {
                fs::rename(&log, other(".old")).unwrap();
                first = next;
                append(&log, &line(next));
                next += 1;
            }
            Op::CopyOnly => {
                fs::copy(&log, other(".LOG")).unwrap();
                // Looked at while it is still a copy: later nobody can tell whose it was.
                tally.take(follower.look());
            }
            Op::CopyTruncate => {
                fs::copy(&log, other(".LOG")).unwrap();
                OpenOptions::new().write(true).open(&log).unwrap().set_len(0).unwrap();
                tally.take(follower.look());
            }
            Op::DeleteAndMake => {
                tally.take(follower.look());
                fs::remove_file(&log).unwrap();
            }
            Op::Truncate => {
                destroyed += untold;
                OpenOptions::new().write(true).open(&log).unwrap().set_len(0).unwrap();
                tally.take(follower.look());
            }
            Op::RewriteSameSize => {
                let len = fs::metadata(&log).unwrap().len();
                let count = usize::try_from(len).unwrap() / line(0).len();
                destroyed += untold;
                first = next;
                let text: String = (next..next + count).map(line).collect();
                fs::write(&log, text).unwrap();
                next += count;
                tally.take(follower.look());
            }
        }
    }
    if let Some(rest) = half {
        append(&log, &rest);
    }
    for _ in 0..4 {
        tally.take(follower.look());
    }
    let twice: Vec<_> = tally.told.iter().filter(|(_, times)| **times > 1).collect();
    prop_assert!(twice.is_empty(), "told twice: {twice:?}");
    let missing: Vec<_> = (0..next).filter(|n| !tally.told.contains_key(n)).collect();
    prop_assert!(missing.len() <= destroyed, "missing: {missing:?}, destroyed {destroyed}");
    prop_assert!(missing.is_empty() || tally.truncated > 0, "missing without a word: {missing:?}");
    Ok(())
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn any_rotation_of_one_file_tells_every_record_once_or_says_so(ops in prop::collection::vec(op(), 1..30)) {
        run(&ops, "P.LOG")?;
    }

    #[test]
    fn the_same_where_rotated_files_match_the_pattern(ops in prop::collection::vec(op(), 1..30)) {
        run(&ops, "P*.LOG")?;
    }
}

#[test]
fn what_pcm_itself_writes_and_rotates_is_told_once_and_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = PacmanLog::open(dir.path(), "PACMAN.LOG", LogFormat::Cmtrace, 5000, 50).unwrap();
    for pattern in ["PACMAN.LOG", "*.LOG"] {
        let mut follower = Follower::open(&[dir.path().join(pattern)], west(0), 0);
        let mut got = Vec::new();
        for n in 0..500 {
            let now = super::at("2026-11-22T14:00:00Z") + chrono::TimeDelta::seconds(n);
            log.log(Level::Info, "PCM", &SafeText::new(&n.to_string()), now, 0).unwrap();
            if n % 7 == 0 {
                got.extend(follower.look());
            }
        }
        got.extend(follower.look());
        got.extend(follower.look());
        let told: Vec<String> = got
            .into_iter()
            .filter_map(|e| if let Event::Record(r) = e { Some(r.full_text()) } else { None })
            .collect();
        assert_eq!(told, (0..500).map(|n| n.to_string()).collect::<Vec<_>>(), "{pattern}");
    }
}
