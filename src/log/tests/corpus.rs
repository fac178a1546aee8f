//! Every real log that is at hand.

use super::{read, read_at, west};
use crate::log::spans::Spans;
use crate::log::{Level, Record};
use std::path::{Path, PathBuf};

/// The folder of real logs, or `None` with a note that the test was skipped.
fn corpus() -> Option<PathBuf> {
    let folder = std::env::var_os("PCM_CORPUS").map_or_else(
        || {
            PathBuf::from(env!("CARGO_MANIFEST_DIR")).ancestors().find_map(|up| {
                let folder = up.join("shared/corpus");
                folder.is_dir().then_some(folder)
            })
        },
        |folder| Some(PathBuf::from(folder)),
    );
    let found = folder.map(|folder| folder.join("cmtrace")).filter(|folder| folder.is_dir());
    if found.is_none() {
        crate::skipped("no real logs at ../shared/corpus (or PCM_CORPUS)");
    }
    found
}

#[test]
fn every_record_of_the_real_logs_is_found() {
    let Some(folder) = corpus() else { return };
    let mut counts = [0; 4];
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "log") {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let openers = bytes.windows(7).filter(|w| w == b"<![LOG[").count();
        let records = read_at(&bytes, west(0));
        let whole = records.iter().filter(|r| r.time.is_some()).count();
        // The damaged ones: a record that lost its time and half a record; one that never ended.
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let (lost, loose) = match name.as_str() {
            "Busted-CcmRepair.log" => (1, 2),
            "Busted-CcmMessaging.log" => (1, 1),
            // Ten characters of UTF-16 after a long stretch of NULs.
            "wedmtrace.log" => (0, 1),
            _ => (0, 0),
        };
        assert_eq!((whole, records.len() - whole), (openers - lost, loose), "{name}");
        for record in records.iter().filter(|r| r.time.is_some()) {
            counts[record.level as usize] += 1;
            assert!(record.offset_trusted && !record.component.is_empty() && !record.source.is_empty());
            assert_eq!(record.time.unwrap().format("%Y").to_string(), "2013");
            let line = bytes.split(|b| *b == b'\n').nth(usize::try_from(record.line - 1).unwrap()).unwrap();
            assert!(line.windows(7).any(|w| w == b"<![LOG["), "{}:{}", path.display(), record.line);
        }
        assert!(records.iter().all(|r| r.text.len() < 100));
    }
    assert!(counts[Level::Info as usize] > 4000);
    assert!(counts[Level::Warning as usize] > 20);
    assert!(counts[Level::Error as usize] > 50);
}

/// Padding, empty lines, or a byte order mark.
fn is_blank(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    bytes.iter().all(|b| *b == 0 || b.is_ascii_whitespace())
}

/// Every file in a folder and in those below it.
fn all_below(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all_below(&path, files);
        } else {
            files.push(path);
        }
    }
}

#[test]
fn every_byte_of_all_that_is_at_hand_is_in_a_record_or_blank() {
    let Some(folder) = corpus() else { return };
    let mut files = Vec::new();
    all_below(folder.parent().unwrap(), &mut files);
    let (mut all, mut recorded) = (0, 0);
    for path in &files {
        let bytes = std::fs::read(path).unwrap();
        all += bytes.len();
        let mut spans = Spans::new(None, false);
        spans.push(&bytes, true);
        // As they were decoded, where that was needed.
        let bytes = spans.bytes().to_vec();
        let (mut end, mut in_records, mut blank) = (0, 0, 0);
        while let Some(span) = spans.next(true) {
            let gap = &bytes[end..span.at.start];
            assert!(is_blank(gap), "{}", path.display());
            (in_records, blank, end) = (in_records + span.at.len(), blank + gap.len(), span.at.end);
        }
        let rest = &bytes[end..];
        assert!(is_blank(rest), "{}", path.display());
        assert_eq!(in_records + blank + rest.len(), bytes.len(), "{}", path.display());
        recorded += in_records;
    }
    println!("corpus: {} files, {all} bytes, {recorded} of them in records, the rest blank", files.len());
}

#[test]
fn a_real_log_cut_anywhere_loses_only_what_is_cut() {
    let Some(folder) = corpus() else { return };
    let bytes = std::fs::read(folder.join("Busted-CcmMessaging.log")).unwrap();
    let whole = |records: &[Record]| records.iter().filter(|r| r.time.is_some()).count();
    let all = whole(&read(&bytes));
    for cut in (0..bytes.len()).step_by(97) {
        let end = read(&bytes[cut..]);
        let begin = read(&bytes[..cut]);
        let sum = whole(&begin) + whole(&end);
        assert!(sum == all || sum + 1 == all, "cut at {cut}: {sum} of {all}");
    }
}
