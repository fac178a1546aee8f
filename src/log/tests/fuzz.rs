//! Rules that hold for any bytes.

use super::oracle::Oracle;
use super::{cases, read, west};
use crate::log::encoding::Decoding;
use crate::log::parse::Parser;
use crate::log::scan::RECORD_LINES;
use crate::text::SafeText;
use proptest::prelude::*;

/// Pieces that logs are made of, whole and broken, and any bytes between them.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let known: Vec<&[u8]> = vec![
        b"<![LOG[", b"]LOG]!>", b"<time=\"09:30:55.935+300\" date=\"10-14-2013\" component=\"c\" context=\"\" type=\"3\" thread=\"1\" file=\"f:1\">",
        b"]LOG]!><time=\"09:30:55.935+300\" date=\"10-14-2013\">", b"<![LOG[a]LOG]!><time=\"1:2:3\" date=\"1-2-2013\">",
        b"\n", b"\r\n", b"\n\n", b"\0", b"\0\0\0\0", b"\xEF\xBB\xBF", b"\xFF", b"\x1b[2J", b"\t", b"~", b"]", b"\"", b"<", b">",
        b"[04/09/97 17:11:08] Package Command Manager ==> ", b"[04/09/97 17:11:08]", b"  $$<SMS_X><Tue Nov 10 17:56:25 1998~><thread=112>",
        b"  $$<C><Mon May 24 03:56:30.447 1999 Eastern Daylight Time><thread=209 (0xD1)>", b"$$<C><05-24-2013 03:56:30.447+240><thread=209 (0xD1)>",
        b"t\tC\t1/12/99 4:49:44 PM\t6E\t", b"error", b"warn", b"failover", b"text", b" ",
    ];
    prop_oneof![
        4 => prop::sample::select(known).prop_map(<[u8]>::to_vec),
        1 => prop::collection::vec(any::<u8>(), 0..12),
    ]
}

fn log() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(piece(), 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(cases(3000))]

    #[test]
    fn the_pieces_in_which_bytes_arrive_change_nothing(bytes in log(), cuts in prop::collection::vec(0_usize..200, 0..8)) {
        let mut parser = Parser::new("x.log".into(), west(0));
        let (mut got, mut from) = (Vec::new(), 0);
        let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(bytes.len())).collect();
        cuts.sort_unstable();
        for cut in cuts {
            parser.push(&bytes[from..cut], &mut got);
            from = cut;
        }
        parser.push(&bytes[from..], &mut got);
        parser.finish(&mut got);
        prop_assert_eq!(got, read(&bytes));
    }

    #[test]
    fn an_independent_reader_finds_the_same(bytes in log()) {
        let bytes: Vec<u8> = bytes.into_iter().filter(|b| *b != 0).collect();
        // A CR that stands alone ends a line for one of them only.
        let text: Vec<u8> = bytes.split(|b| *b == b'\n').map(|l| l.iter().filter(|b| **b != b'\r').copied().collect::<Vec<u8>>()).collect::<Vec<_>>().join(&b'\n');
        // What begins with a mark of UTF-16 is another text to one of them.
        prop_assume!(!text.starts_with(b"\xFF\xFE") && !text.starts_with(b"\xFE\xFF"));
        let mut found = read(&text);
        // Where they begin in the file it does not tell.
        found.iter_mut().for_each(|record| record.at = None);
        prop_assert_eq!(found, Oracle::read(&text, "x.log".into(), west(0)));
    }

    #[test]
    fn any_bytes_give_safe_records_in_the_order_of_their_lines(bytes in log()) {
        let records = read(&bytes);
        let lines = bytes.iter().filter(|b| **b == b'\n').count() as u64 + 1;
        let (mut last, mut before) = (0, None);
        for record in &records {
            prop_assert!(record.line >= last.max(1) && record.line <= lines);
            last = record.line;
            if Decoding::of(&bytes).is_plain() {
                let at = record.at.unwrap();
                prop_assert!(at < bytes.len() as u64 && before.is_none_or(|before| before < at));
                before = record.at;
            }
            prop_assert!(!record.text.is_empty());
            for text in &record.text {
                prop_assert_eq!(&SafeText::new(text.as_str()), text);
            }
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = read(&bytes);
    }

    #[test]
    fn whatever_stands_before_it_a_record_on_its_own_line_is_found(bytes in log()) {
        let mut bytes = bytes;
        bytes.extend_from_slice(b"\n<![LOG[the last one]LOG]!><time=\"09:30:55\" date=\"10-14-2013\" type=\"3\">\n");
        // In a text of UTF-16 these bytes are no record.
        prop_assume!(Decoding::of(&bytes).is_plain());
        let records = read(&bytes);
        prop_assert_eq!(records.last().unwrap().first_line().as_str(), "the last one");
    }

    #[test]
    fn no_visible_character_is_lost(words in prop::collection::vec("[a-z]{4,8}", 1..10), glue in prop::collection::vec(piece(), 10)) {
        let mut bytes = Vec::new();
        for (word, glue) in words.iter().zip(glue) {
            // A word inside attributes is metadata, not text.
            let glue = if glue.windows(2).any(|w| w == b"=\"" || w == b"$<") { b"\n".to_vec() } else { glue };
            bytes.extend_from_slice(word.as_bytes());
            bytes.extend_from_slice(&glue);
        }
        let shown: String = read(&bytes).iter().map(|r| format!("{} {} {}\n", r.component, r.full_text(), r.thread)).collect();
        for word in &words {
            prop_assert!(shown.contains(word.as_str()), "{word} is missing in {shown:?}");
        }
    }
}

#[test]
fn memory_stays_bounded_whatever_is_pushed() {
    let mut parser = Parser::new("x.log".into(), west(0));
    let mut seen = 0;
    for piece in [&b"x".repeat(64 * 1024)[..], &b"\0".repeat(64 * 1024), &b"line of text\n".repeat(4096)] {
        parser.push(b"<![LOG[", &mut Vec::new());
        for _ in 0..64 {
            let mut out = Vec::new();
            parser.push(piece, &mut out);
            seen += out.len();
            assert!(parser.held_bytes() <= 1 << 20);
            assert!(out.iter().all(|r| r.text.len() <= RECORD_LINES));
        }
    }
    assert!(seen > 100, "an opener without an end does not hide what follows for ever");
}

#[test]
fn hostile_lines_do_not_take_long() {
    let start = std::time::Instant::now();
    for unit in [
        &b"]LOG]!>"[..],
        b"]LOG]!><a=\"",
        b"]LOG]!><a=\"b\" ",
        b"<![LOG[",
        b"$$<",
        b"$$<a><b>",
        b"\t",
        b"~",
        b"=>",
        b"]LOG]!><a=\"\" b=\"",
        b"<![LOG[]LOG]!><time=\"\" date=\"\">",
        b"x=\"]LOG]!><y=\" ",
    ] {
        let _ = read(unit.repeat(200_000 / unit.len()));
    }
    assert!(start.elapsed().as_secs() < 30, "{:?}", start.elapsed());
}

#[test]
fn a_byte_that_is_no_text_makes_no_word_of_an_error() {
    let text = b"\xFAiL\x01  $$<SMS_X><Tue Nov 10 17:56:25 1998~><thread=112>\n";
    let mut found = read(text);
    assert_eq!(found[0].level, crate::log::Level::Info);
    found[0].at = None;
    assert_eq!(found, Oracle::read(text, "x.log".into(), west(0)));
}
