//! Records that are taken as they stand are the same records, and so are their times and levels.

use super::{cases, west};
use crate::log::Record;
use crate::log::parse::Parser;
use proptest::prelude::*;

const PIECES: [&[u8]; 14] = [
    b"<![LOG[one line]LOG]!><time=\"09:30:55.935+300\" date=\"10-14-2013\" component=\"c\" context=\"\" type=\"3\" thread=\"7\" file=\"x.cpp:1\">\r\n",
    b"<![LOG[two\r\nlines]LOG]!><time=\"09:30:56.935+300\" date=\"10-14-2013\" component=\"d\" type=\"2\" thread=\"7\" file=\"\">\n",
    b"<![LOG[a]LOG]!><time=\"09:30:57.0+0\" date=\"10-14-2013\" component=\"c\" type=\"1\" thread=\"7\"><![LOG[b]LOG]!><time=\"09:30:58.0+0\" date=\"10-14-2013\" component=\"c\" type=\"1\" thread=\"7\">\n",
    b"<![LOG[without an end\n",
    b"[11/28/26 01:02:03] Package Command Manager ==> It failed.\n",
    b"[11/28/26 01:02:04] P => \tand more\r\n",
    b"text~of two lines  $$<C><Tue Nov 10 17:56:25.1 1998 Pacific><thread=112 (0x70)>\n",
    b"text\tCOMPONENT\t1/12/99 4:49:44 PM\t6E\t\n",
    b"2026-11-28T17:00:00.5+01:00 with a warning\n",
    b"goes on\n",
    b"\n\r\n",
    b"caf\xe9 and \x1b[31m\r",
    b"\xEF\xBB\xBFmarked\n",
    b"\0\0\0\0x\n",
];

/// By one way or the other, in pieces of so many bytes.
fn read(bytes: &[u8], of: usize, raw: bool) -> Vec<Record> {
    let mut parser = Parser::new("x.log".into(), west(0));
    let mut records = Vec::new();
    for piece in bytes.chunks(of) {
        if raw {
            let batch = parser.push_raw(piece);
            let all = batch.records();
            let levels: Vec<_> = all.iter().map(|record| (record.near, record.level)).collect();
            assert_eq!(batch.times().collect::<Vec<_>>(), levels);
            for n in 0..=all.len() {
                assert_eq!(batch.newest(2, n), all[(all.len() - n).saturating_sub(2)..all.len() - n]);
            }
            records.extend(all);
        } else {
            parser.push(piece, &mut records);
        }
    }
    parser.finish(&mut records);
    records
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn taken_as_they_stand_they_are_the_same_records(
        pieces in prop::collection::vec(0..PIECES.len(), 1..40),
        of in 1_usize..400,
        wide in prop::bool::weighted(0.2),
    ) {
        let mut bytes: Vec<u8> = pieces.iter().flat_map(|n| PIECES[*n]).copied().collect();
        if wide {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            bytes = [0xFF, 0xFE].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect();
        }
        prop_assert_eq!(read(&bytes, of, true), read(&bytes, of, false));
    }
}

#[test]
fn a_record_is_whole_once_it_is_known_that_the_next_one_begins() {
    let whole = |next: &str| {
        let mut parser = Parser::new("x.log".into(), west(0));
        parser.push_raw(format!("[11/28/26 01:02:03] P => a\n{next}").as_bytes()).len()
    };
    assert_eq!(whole("[11/28/26 01:02:04]"), 1);
    assert_eq!(whole("[11/28/26 01:02:04"), 0);
    assert_eq!(whole("[11/31/26 01:02:04] no day"), 0);
    assert_eq!(whole("\0[11/28/26 01:02:04] P"), 0, "zeros may go on");
    assert_eq!(whole("[11/31/26 01:02:04] no day\n[11/28/26 01:02:04]"), 1);
}

#[test]
fn a_line_too_long_to_be_kept_says_how_much_is_missing() {
    let mut long = b"[11/28/26 01:02:03] P ==> ".to_vec();
    long.extend(b"x".repeat(3 << 20));
    long.extend(b"\n[11/28/26 01:02:04] P ==> y\n");
    let records = read(&long, 1 << 16, true);
    assert_eq!(records, read(&long, 1 << 16, false));
    assert!(records[0].full_text().contains("more bytes"));
}
