//! Two sides without a connection: what is told arrives once, wherever it is cut, and nothing else is believed.
#![allow(clippy::unwrap_used)]

use super::frame::{Bad, Frames, GREETING, MAX_TELL, frame};
use super::hear::{Heard, Hearing};
use super::minutes::Minutes;
use super::words::{
    Ask, Done, FILTERS, Hello, Line, More, PAGE, PAGE_BYTES, Query, Said, Tell, frames_before, frames_of,
};
use crate::log::follow::Cursor;
use crate::log::tests::{at, read};
use crate::log::{Level, Record};
use crate::text::SafeText;
use proptest::prelude::*;
use std::collections::HashMap;

fn hello() -> Tell {
    Tell::Hello(Hello {
        pcm: "1.2".into(),
        host: "web-01".into(),
        now: at("2026-11-24T10:00:00Z"),
        zone: "UTC".into(),
        files: vec![("PACMAN.LOG".into(), 7)],
        filters: FILTERS,
    })
}

fn records(numbers: std::ops::Range<u64>) -> Vec<Record> {
    let text: String = numbers.map(|n| format!("[11/24/26 10:00:{:02}] line {n}\n", n % 60)).collect();
    read(text)
}

fn lines(numbers: std::ops::Range<u64>) -> Vec<Line> {
    records(numbers).into_iter().map(Line::from).collect()
}

fn place(at: u64) -> Cursor {
    place_in("PACMAN.LOG", 2, at)
}

fn place_in(file: &str, index: u64, at: u64) -> Cursor {
    let cursor = serde_json::json!({
        "file": file, "device": 1, "index": index, "at": at, "head": "aa", "tail": "bb"
    });
    serde_json::from_value(cursor).unwrap()
}

fn query_in(bytes: &[u8]) -> Query {
    let mut frames = Frames::of_asker();
    frames.push(bytes);
    match serde_json::from_slice(&frames.next().unwrap().unwrap()).unwrap() {
        Ask::Query(query) => *query,
        Ask::Cancel => unreachable!("a query was sent"),
    }
}

/// What a server sends that has so many lines, in batches of this size: those after the places of the query.
fn served(query: &Query, all: u64, batch: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut from = query.from.iter().map(|cursor| cursor.at).max().unwrap_or(0);
    while from < all {
        let to = (from + batch).min(all);
        for frame in frames_of(query.id, lines(from..to), vec![place(to)]).unwrap() {
            bytes.extend(frame);
        }
        bytes.extend(frame(&Tell::Busy(query.id)).unwrap());
        from = to;
    }
    bytes.extend(frame(&Tell::Done(Done { id: query.id, older: false, cursors: Vec::new() })).unwrap());
    bytes
}

fn greeted() -> Vec<u8> {
    [GREETING, &frame(&hello()).unwrap()].concat()
}

/// The texts that come of these bytes, and whether all was told.
fn take(hearing: &mut Hearing, bytes: &[u8], pieces: usize, texts: &mut Vec<String>) -> bool {
    let mut done = false;
    for piece in bytes.chunks(pieces.max(1)) {
        hearing.push(piece);
        while let Some(heard) = hearing.next().unwrap() {
            match heard {
                Heard::Lines(records) => texts.extend(records.iter().map(Record::full_text)),
                Heard::Done(_) => done = true,
                Heard::Busy => {}
                other => unreachable!("{other:?}"),
            }
        }
    }
    done
}

fn greet(hearing: &mut Hearing) {
    hearing.push(&greeted());
    assert!(matches!(hearing.next().unwrap(), Some(Heard::Hello(hello)) if hello.host == "web-01"));
}

/// A log that is rotated all the time, and one that says nothing any more.
#[test]
fn of_more_files_than_are_read_on_those_that_another_one_follows_are_forgotten_first() {
    let mut hearing = Hearing::new();
    greet(&mut hearing);
    let sent = hearing.ask(Query { follow: true, ..Query::default() }).unwrap();
    let id = query_in(&sent).id;
    let busy = (1..100).map(|n| place_in("BUSY.LOG", n, 9));
    let mut texts = Vec::new();
    for place in std::iter::once(place_in("IDLE.LOG", 0, 9)).chain(busy) {
        let frames = frames_of(id, lines(0..1), vec![place]).unwrap();
        take(&mut hearing, &frames.concat(), 97, &mut texts);
    }
    hearing.connected_again();
    greet(&mut hearing);
    let from = query_in(&hearing.ask_again().unwrap()).from;
    assert_eq!((texts.len(), from.len()), (100, 64));
    assert_eq!((&from[0], &from[63]), (&place_in("IDLE.LOG", 0, 9), &place_in("BUSY.LOG", 99, 9)));
}

#[test]
fn wherever_a_connection_is_cut_each_line_is_told_once() {
    // 600 lines at once are three messages.
    for (all, batch) in [(20, 3), (700, 600), (9, 1)] {
        let expected: Vec<String> = records(0..all).iter().map(Record::full_text).collect();
        let follow = || Query { follow: true, ..Query::default() };
        let sent = Hearing::new().ask(follow()).unwrap();
        let bytes = served(&query_in(&sent), all, batch);
        let mut rests: HashMap<String, Vec<u8>> = HashMap::new();
        // All of the small ones, and of the large one as many as take no minute.
        for cut in (0..bytes.len()).step_by(if all > 100 { 53 } else { 1 }) {
            let mut hearing = Hearing::new();
            let mut texts = Vec::new();
            greet(&mut hearing);
            hearing.ask(follow()).unwrap();
            assert!(!take(&mut hearing, &bytes[..cut], 97, &mut texts));
            hearing.connected_again();
            greet(&mut hearing);
            let rest = query_in(&hearing.ask_again().unwrap());
            assert!(rest.follow && rest.id > 1);
            let after = rests.entry(format!("{rest:?}")).or_insert_with(|| served(&rest, all, batch));
            assert!(take(&mut hearing, after, 1 + cut % 610, &mut texts));
            assert_eq!(texts, expected, "cut after {cut} bytes");
        }
    }
}

#[test]
fn a_gap_stands_behind_what_was_read_before_it_also_after_a_cut() {
    let follow = || Query { follow: true, ..Query::default() };
    let sent = query_in(&Hearing::new().ask(follow()).unwrap());
    let served = |id: u64| {
        let said = |message: &str| Tell::Gap(Said { id, file: "x".into(), message: message.into() });
        let mut bytes = frame(&said("first")).unwrap();
        bytes.extend(frames_before(id, lines(0..PAGE as u64 + 2)).unwrap().concat());
        bytes.extend(frame(&said("second")).unwrap());
        bytes.extend(frame(&said("third")).unwrap());
        bytes.extend(frames_of(id, lines(900..902), vec![place(5)]).unwrap().concat());
        bytes
    };
    let bytes = served(sent.id);
    for cut in (0..=bytes.len()).step_by(7).chain([bytes.len()]) {
        let mut hearing = Hearing::new();
        let mut told = Vec::new();
        let mut hear = |hearing: &mut Hearing, bytes: &[u8]| {
            hearing.push(bytes);
            while let Some(heard) = hearing.next().unwrap() {
                match heard {
                    Heard::Lines(records) => told.extend(records.iter().map(Record::full_text)),
                    Heard::Gap(_, message) => told.push(message.as_str().to_owned()),
                    other => unreachable!("{other:?}"),
                }
            }
        };
        greet(&mut hearing);
        hearing.ask(follow()).unwrap();
        hear(&mut hearing, &bytes[..cut]);
        hearing.connected_again();
        greet(&mut hearing);
        let again = query_in(&hearing.ask_again().unwrap());
        if again.from.is_empty() {
            hear(&mut hearing, &served(again.id));
        }
        // A gap before everything else is said at once, and may be said once more.
        told.dedup();
        let texts = |of| records(of).iter().map(Record::full_text).collect::<Vec<_>>();
        let mut want = vec!["first".to_owned()];
        want.extend(texts(0..PAGE as u64 + 2));
        want.extend(["second".to_owned(), "third".to_owned()]);
        want.extend(texts(900..902));
        assert_eq!(told, want, "cut after {cut} bytes");
    }
}

#[test]
fn what_is_left_of_a_cancelled_answer_is_not_taken_for_the_next_one() {
    let mut hearing = Hearing::new();
    greet(&mut hearing);
    let first = query_in(&hearing.ask(Query::default()).unwrap());
    let second = query_in(&hearing.ask(Query { lines: 3, ..Query::default() }).unwrap());
    let mut texts = Vec::new();
    let said = |id| Said { id, file: "x".into(), message: "y".into() };
    for old in [
        Tell::Busy(first.id),
        Tell::Gap(said(first.id)),
        Tell::Problem(said(first.id)),
        Tell::Counts(first.id, Minutes::default()),
        Tell::Refused(first.id, "no".into()),
    ] {
        assert!(!take(&mut hearing, &frame(&old).unwrap(), 9, &mut texts));
    }
    assert!(!take(&mut hearing, &served(&first, 5, 2), 50, &mut texts));
    assert!(texts.is_empty());
    assert!(take(&mut hearing, &served(&second, 2, 2), 50, &mut texts));
    assert_eq!(texts.len(), 2);
}

#[test]
fn a_record_is_the_same_over_there_and_here() {
    let of = "[11/24/26 10:00:01] error \u{1b}[2J one\nmore\nloose\n[11/24/26 10:00:02] two\n";
    for record in read(of) {
        let line: Line = record.clone().into();
        let text = serde_json::to_string(&line).unwrap();
        let back: Record = serde_json::from_str::<Line>(&text).unwrap().into();
        assert_eq!(back, record);
    }
    // What is not safe becomes so here, whatever the other side says.
    let evil = "{\"f\":\"a\\u001b[2J\",\"l\":\"info\",\"x\":[\"b\\u001b]0;x\\u0007\\nforged\"]}";
    let record: Record = serde_json::from_str::<Line>(evil).unwrap().into();
    let shown = format!("{}{}", record.file, record.full_text());
    assert!(!shown.contains(['\u{1b}', '\u{7}', '\n']), "{shown:?}");
}

#[test]
fn what_is_no_pcm_is_refused_in_words() {
    let refused = |bytes: &[u8]| {
        let mut hearing = Hearing::new();
        hearing.push(bytes);
        loop {
            match hearing.next() {
                Ok(Some(_)) => {}
                Ok(None) => return String::new(),
                Err(bad) => return bad.to_string(),
            }
        }
    };
    let with = |bytes: &[u8]| refused(&[&greeted()[..], bytes].concat());
    assert_eq!(refused(b"pcm-l"), "");
    assert!(
        refused(b"Welcome to \x1b[1mweb-01\nLast login")
            .contains("\"Welcome to ^[[1mweb-01\" before pcm there")
    );
    assert!(refused(&[b'x'; 100]).contains("before pcm there"));
    assert!(refused(b"pcm-log 2\n").contains("use the same version"));
    assert!(with(b"garbage").contains("not pcm's"));
    assert!(with(&[b'j', 0xFF, 0, 0, 0]).contains("4278190080 bytes"));
    assert!(with(&[b'z', 0, 0, 0, 2, 1, 2]).contains("cannot be unpacked"));
    assert!(with(b"j\0\0\0\x02{}").contains("does not know"));
    let long = with(&frame(&serde_json::json!({"later ".repeat(20_000): 1})).unwrap());
    assert!(long.contains("does not know") && long.len() < 700, "{} bytes", long.len());
    assert!(with(&frame(&hello()).unwrap()).contains("a second greeting"));
    assert!(with(&frame(&Tell::Busy(0)).unwrap()).contains("an answer at the wrong moment"));
    let early = [GREETING, &frame(&Tell::Busy(0)).unwrap()].concat();
    assert!(refused(&early).contains("at the wrong moment"));
    // A frame that unpacks to far more than it is.
    let bomb = frame(&Tell::Refused(1, "x".into())).unwrap();
    assert!(bomb.len() < MAX_TELL);
    let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut packer, &vec![b' '; 20 << 20]).unwrap();
    let body = packer.finish().unwrap();
    let bomb = [&b"z"[..], &u32::try_from(body.len()).unwrap().to_be_bytes(), &body].concat();
    assert!(with(&bomb).contains("cannot be unpacked"), "{} bytes", bomb.len());
}

/// A host that means ill: what is held of it has an end, and it is told why nothing more is read.
#[test]
fn a_host_that_sends_more_than_anybody_asked_for_is_bounded_and_says_so() {
    let asked = |lines| {
        let mut hearing = Hearing::new();
        greet(&mut hearing);
        hearing.ask(Query { lines, ..Query::default() }).unwrap();
        hearing
    };
    let ends = |hearing: &mut Hearing, told: &Tell| {
        let frame = frame(told).unwrap();
        for _ in 0..200_000 {
            hearing.push(&frame);
            if let Err(bad) = hearing.next() {
                return bad.to_string();
            }
        }
        panic!("it goes on and on")
    };
    let said = |message: &str| Said { id: 1, file: "x.log".into(), message: SafeText::new(message) };
    let one = |line: Line, more| {
        Tell::Lines(super::words::Lines { id: 1, lines: vec![line], cursors: Vec::new(), more })
    };
    // Its names are as long as its texts may be.
    let long = Record { component: SafeText::of("c".repeat(4 << 20)), ..records(0..1).remove(0) };
    for (told, why) in [
        (one(lines(0..1).remove(0), false), "more lines"),
        (one(lines(0..1).remove(0), true), "more lines"),
        (one(long.into(), true), "more lines"),
        (Tell::Gap(said("it was cut")), "more of its files"),
        (Tell::Problem(said("it cannot be read")), "more of its files"),
        (
            Tell::Counts(
                1,
                serde_json::from_str(r#"{"step_s":7,"stretches":{},"untimed":{"n":0,"e":0,"w":0}}"#).unwrap(),
            ),
            "more lines",
        ),
        (hello(), "a second greeting"),
    ] {
        let bad = ends(&mut asked(2_000), &told);
        assert!(bad.contains(why), "{bad}");
    }
    // Lines on which nothing is are held, too.
    let empty = Record { text: vec![SafeText::EMPTY; 1_000_000], ..records(0..1).remove(0) };
    let (mut hearing, frame_of_it) = (asked(8), frame(&one(empty.into(), true)).unwrap());
    let taken = (0..8).take_while(|_| {
        hearing.push(&frame_of_it);
        hearing.next().is_ok()
    });
    assert_eq!(taken.count(), 2, "24 MB each");
    // A sentence of it is no longer than one.
    let mut hearing = asked(1);
    hearing.push(&frame(&Tell::Problem(said(&"no ".repeat(1_000)))).unwrap());
    hearing.push(&frame(&Tell::Refused(1, SafeText::of("no ".repeat(1_000)))).unwrap());
    let Ok(Some(Heard::Problem(_, message))) = hearing.next() else { unreachable!("it was sent") };
    let Ok(Some(Heard::Refused(why))) = hearing.next() else { unreachable!("it was sent") };
    for text in [message, why] {
        assert!(text.as_str().len() < 600 && text.as_str().contains("<cut: "), "{text}");
    }
}

/// Of each file that is followed something is kept: a host has as many as it may have, and not another one in each line.
#[test]
fn a_host_that_names_another_file_in_each_line_is_bounded_and_says_so() {
    let bad = |name: &dyn Fn(usize) -> String, is_cut: bool| {
        let mut hearing = Hearing::new();
        greet(&mut hearing);
        hearing.ask(Query { follow: true, ..Query::default() }).unwrap();
        let mut id = 1;
        for n in 0..60_usize {
            let line = |i| Record { file: SafeText::of(name(n * 200 + i)), ..records(0..1).remove(0) };
            let lines: Vec<Line> = (0..200).map(|i| line(i).into()).collect();
            let told = super::words::Lines { id, lines, cursors: Vec::new(), more: false };
            hearing.push(&frame(&Tell::Lines(told)).unwrap());
            match hearing.next() {
                Ok(Some(Heard::Lines(lines))) => assert_eq!(lines.len(), 200),
                Err(bad) => return Some((n, bad)),
                other => unreachable!("{other:?}"),
            }
            if is_cut {
                hearing.connected_again();
                greet(&mut hearing);
                id = query_in(&hearing.ask_again().unwrap()).id;
            }
        }
        None
    };
    for is_cut in [false, true] {
        assert_eq!(bad(&|n| format!("{n}.log"), is_cut), Some((20, Bad::TooManyFiles)), "4,096 names");
        let long = |n| format!("{n:06}{}", "x".repeat(2_000));
        assert_eq!(bad(&long, is_cut), Some((2, Bad::TooManyFiles)), "a megabyte of names");
        assert_eq!(bad(&|n| format!("{}.log", n % 64), is_cut), None, "an honest one has as many");
    }
}

#[test]
fn a_pcm_that_does_not_know_a_filter_is_not_asked_for_it() {
    let mut query = Query { grep: Some("x".into()), component: Some("a".into()), ..Query::default() };
    let Tell::Hello(new) = hello() else { unreachable!("a greeting") };
    let mut said = serde_json::to_value(&new).unwrap();
    said.as_object_mut().unwrap().remove("filters");
    let old: Hello = serde_json::from_value(said).unwrap();
    assert_eq!((old.unknown(&query), new.unknown(&query)), (vec![], vec![]));
    let words = serde_json::to_value(&query).unwrap();
    assert!(words.get("more").is_none(), "an older pcm reads it: {words}");
    query.more = More { threads: vec!["7".into()], not_grep: vec!["y".into()], ..More::default() };
    assert_eq!((old.unknown(&query), new.unknown(&query)), (vec!["--not-grep", "--thread"], vec![]));
    // What this one does not know itself is refused, not left out.
    for strange in [r#"{"query":{"lines":1,"later":true}}"#, r#"{"query":{"more":{"later":[]}}}"#] {
        assert!(serde_json::from_str::<Ask>(strange).unwrap_err().to_string().contains("later"));
    }
}

/// Text that cannot be packed.
fn noise(dice: &mut u64, len: usize) -> String {
    (0..len)
        .map(|_| {
            *dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
            char::from(letters[usize::try_from(*dice >> 58).unwrap()])
        })
        .collect()
}

#[test]
fn a_page_stays_within_its_bytes_and_says_what_it_left_out() {
    let mut dice = 7;
    for len in [20, 150, 400, 3_000, 60_000] {
        let texts: Vec<String> = (0..PAGE).map(|_| noise(&mut dice, len)).collect();
        let log: String = texts.iter().map(|text| format!("[11/24/26 10:00:00] {text}\n")).collect();
        let lines: Vec<Line> = read(log).into_iter().map(Line::from).collect();
        assert_eq!(lines.len(), PAGE);
        let frames = frames_of(1, lines, vec![place(9)]).unwrap();
        let bytes: usize = frames.iter().map(Vec::len).sum();
        println!("{PAGE} lines of {len} bytes that cannot be packed: {bytes} bytes on the wire");
        assert!(frames.len() == 1 && bytes <= PAGE_BYTES, "{bytes}");
        let mut hearing = Hearing::new();
        greet(&mut hearing);
        hearing.ask(Query { lines: PAGE, ..Query::default() }).unwrap();
        hearing.push(&frames[0]);
        let Some(Heard::Lines(records)) = hearing.next().unwrap() else { unreachable!("lines were sent") };
        for (record, text) in records.iter().zip(&texts) {
            let told = record.full_text();
            let (kept, missing) = match told.split_once("<cut: ") {
                Some((kept, rest)) => (kept, rest.trim_end_matches(" more bytes>").parse().unwrap()),
                None => (&*told, 0),
            };
            assert!(text.starts_with(kept));
            assert_eq!(kept.len() + missing, text.len(), "the true count: {told}");
        }
    }
}

/// Records that pack well are longer than anybody takes before they are too long for the line.
#[test]
fn long_records_that_pack_well_arrive() {
    let many_lines = "\n".repeat(50_000);
    let (whole, cut) = ((50, many_lines.clone()), (60, many_lines));
    for (n, text) in [(40, "a".repeat(250_000)), whole, cut] {
        let one = Line::from(records(0..1).remove(0));
        let text: Vec<SafeText> = text.lines().map(SafeText::new).collect();
        let record = Record { text, ..Record::from(one) };
        let page: Vec<Line> = (0..n).map(|_| record.clone().into()).collect();
        let mut hearing = Hearing::new();
        greet(&mut hearing);
        hearing.ask(Query { lines: PAGE, ..Query::default() }).unwrap();
        for frame in frames_of(1, page, Vec::new()).unwrap() {
            assert!(frame.len() <= PAGE_BYTES, "{}", frame.len());
            hearing.push(&frame);
        }
        let Some(Heard::Lines(records)) = hearing.next().unwrap() else { unreachable!("lines were sent") };
        assert_eq!(records.len(), n);
    }
}

#[test]
fn the_lines_of_a_record_are_counted_too_where_it_is_cut() {
    let mut dice = 11;
    let log: String = (0..PAGE)
        .map(|n| {
            let more: String = (0..40).map(|_| format!("{}\n", noise(&mut dice, 100))).collect();
            format!("[11/24/26 10:00:00] record {n}\n{more}")
        })
        .collect();
    let lines: Vec<Line> = read(log).into_iter().map(Line::from).collect();
    let frames = frames_of(1, lines, Vec::new()).unwrap();
    assert!(frames.len() == 1 && frames[0].len() <= PAGE_BYTES, "{}", frames[0].len());
    let mut hearing = Hearing::new();
    greet(&mut hearing);
    hearing.ask(Query { lines: PAGE, ..Query::default() }).unwrap();
    hearing.push(&frames[0]);
    let Some(Heard::Lines(records)) = hearing.next().unwrap() else { unreachable!("lines were sent") };
    for (n, record) in records.iter().enumerate() {
        let told = record.full_text();
        let (kept, rest) = told.split_once("<cut: ").unwrap();
        let missing: usize = rest.trim_end_matches(" more bytes>").parse().unwrap();
        let whole = format!("record {n}").len() + 40 * 101;
        assert_eq!(kept.len() + missing, whole, "{told}");
    }
    assert_eq!(records[0].level, Level::Info);
}

#[test]
fn more_lines_than_were_asked_for_are_not_taken_and_a_refusal_without_a_number_is() {
    let ask = |lines, follow| {
        let mut hearing = Hearing::new();
        greet(&mut hearing);
        let query = query_in(&hearing.ask(Query { lines, follow, ..Query::default() }).unwrap());
        hearing.push(&served(&query, 9, 2));
        hearing
    };
    let heard = |mut hearing: Hearing| {
        let mut count = 0;
        loop {
            match hearing.next() {
                Ok(Some(Heard::Lines(lines))) => count += lines.len(),
                Ok(Some(_)) => {}
                Ok(None) => return Ok(count),
                Err(bad) => return Err(bad),
            }
        }
    };
    assert_eq!(heard(ask(9, false)), Ok(9));
    assert_eq!(heard(ask(8, false)), Err(Bad::TooManyLines));
    assert_eq!(heard(ask(3, true)), Ok(9), "what is followed has no end");
    let mut hearing = Hearing::new();
    greet(&mut hearing);
    hearing.ask(Query::default()).unwrap();
    hearing.push(&frame(&Tell::Refused(0, "no".into())).unwrap());
    assert_eq!(hearing.next(), Ok(Some(Heard::Refused("no".into()))));
}

proptest! {
    #![proptest_config(crate::log::tests::cases(2000))]

    #[test]
    fn bytes_in_any_pieces_say_the_same(pieces in prop::collection::vec(1_usize..300, 1..40), all in 0_u64..30, batch in 1_u64..9) {
        let query = Query { id: 1, ..Query::default() };
        let bytes = served(&query, all, batch);
        let mut hearing = Hearing::new();
        greet(&mut hearing);
        hearing.ask(Query { lines: PAGE, ..Query::default() }).unwrap();
        let (mut texts, mut rest, mut done) = (Vec::new(), &bytes[..], false);
        for piece in pieces.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (now, later) = rest.split_at((*piece).min(rest.len()));
            done |= take(&mut hearing, now, now.len(), &mut texts);
            rest = later;
        }
        prop_assert!(done);
        prop_assert_eq!(texts.len() as u64, all);
    }

    #[test]
    fn no_bytes_make_the_reader_panic_or_hold_more_than_a_frame(bytes in prop::collection::vec(any::<u8>(), 0..400), greets in any::<bool>(), at in 0_usize..2000) {
        let mut hearing = Hearing::new();
        if greets {
            greet(&mut hearing);
            hearing.ask(Query::default()).unwrap();
        }
        // What was right up to a place, and wrong from there.
        let good = served(&Query { id: 1, ..Query::default() }, 12, 4);
        if greets {
            hearing.push(&good[..at.min(good.len())]);
        }
        hearing.push(&bytes);
        while let Ok(Some(_)) = hearing.next() {}
        let mut frames = Frames::of_asker();
        frames.push(&bytes);
        while let Ok(Some(json)) = frames.next() {
            let _ = serde_json::from_slice::<Ask>(&json);
        }
    }
}
