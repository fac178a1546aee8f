//! One buffer for files of any size, and searching what it skips.

use super::{cases, west};
use crate::log::search::{Filter, Search};
use crate::log::spans::Spans;
use crate::log::{Level, Record};
use proptest::prelude::*;
use std::io::Read;

/// A source that gives out so much at once at most.
struct Drops<'a>(&'a [u8], usize);

impl Read for Drops<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let n = self.1.min(into.len()).min(self.0.len());
        into[..n].copy_from_slice(&self.0[..n]);
        self.0 = &self.0[n..];
        Ok(n)
    }
}

/// The first lines and line numbers of the records that pass, and the most bytes that were held: by looking at each, or
/// only at those that may pass.
fn found(bytes: &[u8], filter: &Filter, drops: usize, skipping: bool) -> (Vec<(u64, String)>, usize) {
    let mut spans = Spans::new(filter.watch(), true);
    let mut source = Drops(bytes, drops);
    let (mut found, mut held) = (Vec::new(), 0);
    let hint = filter.hint().filter(|_| skipping);
    loop {
        let more = spans.read(&mut source).unwrap();
        loop {
            let span = match hint {
                Some(hint) => spans.next_of(|bytes| hint.first(bytes)),
                None => spans.next(false),
            };
            let Some(span) = span else { break };
            let (missing, lost) = spans.missing(&span);
            if filter.passes(&span, spans.bytes(), lost) {
                let line = spans.line(&span);
                let record = Record::of(&span, spans.bytes(), missing, &"x".into(), line, &west(0));
                found.push((line, record.full_text()));
            }
        }
        held = held.max(spans.held());
        if !more {
            return (found, held);
        }
    }
}

fn text(pattern: &str) -> Filter {
    Filter { text: Some(Search::new(pattern).unwrap()), ..Filter::default() }
}

#[test]
fn a_line_of_many_megabytes_is_searched_whole_and_shown_with_its_true_length() {
    let mut line = vec![b'x'; 20 << 20];
    for (at, word) in [(0, "first"), (9_000_000, "Needle"), (line.len() - 4, "last")] {
        line[at..at + word.len()].copy_from_slice(word.as_bytes());
    }
    let bytes = [b"above\n", &line[..], b"\nbelow needles\n"].concat();
    for pattern in ["first", "Needle", "eedl", "^first", "last$", "x{50}last"] {
        let (lines, held) = found(&bytes, &text(pattern), 1 << 20, true);
        assert_eq!(lines[0].0, 2, "{pattern}");
        assert_eq!(lines.len(), if pattern == "eedl" { 2 } else { 1 }, "{pattern}");
        assert!(lines[0].1.starts_with("first"));
        let shown = lines[0].1.find("<cut: ").unwrap();
        assert_eq!(lines[0].1[shown..], format!("<cut: {} more bytes>", line.len() - shown));
        assert!(held <= 1100 << 10, "{held}");
    }
    assert!(found(&bytes, &text("Noodle"), 1 << 20, true).0.is_empty());
}

#[test]
fn of_a_line_of_many_megabytes_only_its_own_ends_are_the_beginning_and_the_end() {
    // Any place may be the edge of what is read at once: the same stands all along the line.
    let line = |first: &str, last: &str| [first, &"needle-".repeat(250_000), last].concat();
    let finds = |log: &str, pattern: &str| !found(log.as_bytes(), &text(pattern), 100_003, true).0.is_empty();
    for head in ["", "[04/09/97 17:11:08] P ==> "] {
        let log = format!("{head}{}\nother\n", line("first-", "last"));
        for pattern in
            ["^first", "^first-needle", "last$", "needle-last$", "needle-needle", "e-n", "^f|nowhere"]
        {
            assert!(finds(&log, pattern), "{head}{pattern}");
        }
        for pattern in
            ["^needle", "^n", "needle-$", "needle$", "[a-z]+-$", "^\\[", "firstlast", "^last", "first$"]
        {
            assert!(!finds(&log, pattern), "{head}{pattern}");
        }
    }
}

#[test]
fn of_a_line_of_many_megabytes_each_of_several_conditions_is_told() {
    let mut line = vec![b'x'; 4 << 20];
    for (at, word) in [(0, "first"), (1_000_000, "Middle"), (2_000_000, "other")] {
        line[at..at + word.len()].copy_from_slice(word.as_bytes());
    }
    let search = |pattern: &str| Search::new(pattern).unwrap();
    let passes = |filter: &Filter| found(&line, filter, 1 << 20, true).0.len() == 1;
    let both = |second: &str| Filter { also: vec![search(second)], ..text("middle") };
    assert!(passes(&both("other")) && passes(&both("first")) && !passes(&both("nowhere")));
    assert!(!passes(&Filter { also: vec![search("other")], ..text("nowhere") }));
    assert!(!passes(&Filter { without: Some(search("other")), ..text("middle") }));
    assert!(passes(&Filter { without: Some(search("nowhere")), ..text("middle") }));
    assert!(passes(&Filter { text: Search::any(&["nowhere", "Middle"]).unwrap(), ..Filter::default() }));
}

#[test]
fn what_a_search_skips_belongs_to_no_record_that_it_finds() {
    let a = |n: usize, text: &str| format!("[04/09/97 17:{:02}:{:02}] P ==> {text}\n", n / 60 % 60, n % 60);
    let mut log = String::new();
    for n in 0..20_000 {
        log.push_str(&a(n, "nothing"));
        log.push_str("  goes on\n");
    }
    log.push_str(&a(1, "begins"));
    log.push_str(&"  at frame\n".repeat(900));
    log.push_str("  the needle-1\n");
    log.push_str(&a(2, "ends"));
    let (lines, _) = found(log.as_bytes(), &text("needle-1"), 4096, true);
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0].0, 40_001);
    assert!(lines[0].1.starts_with("begins\n") && lines[0].1.ends_with("the needle-1"));
}

#[test]
fn a_type_that_stands_elsewhere_than_lines_have_it_is_found_as_well() {
    let of = |attributes: &str| {
        format!("<![LOG[text type=\"1\" ]LOG]!><time=\"1:2:3\" date=\"1-2-2013\" {attributes}>\r\n")
    };
    let long = "x".repeat(300);
    for (attributes, found_too) in [
        ("type=\"3\" thread=\"1\" file=\"a:1\"", true),
        ("type=\" 3 \"", true),
        ("TYPE=\"3\"", true),
        (format!("type=\"3\" file=\"{long}\"").as_str(), true),
        ("type=\"1\" type=\"3\"", true),
        ("type=\"3\" type=\"1\"", false),
        ("type=\"2\"", false),
        ("", false),
    ] {
        let two = of("type=\"1\"").trim_end().to_owned() + &of(attributes) + &of("type=\"0\"");
        for log in [of(attributes), two.clone(), of("type=\"2\"") + &two] {
            let filter = Filter { level: Some(Level::Error), ..Filter::default() };
            let lines = found(log.as_bytes(), &filter, 1 << 20, true).0;
            assert_eq!(lines.len(), usize::from(found_too), "{log}");
        }
    }
}

pub(super) fn log() -> impl Strategy<Value = Vec<u8>> {
    let lines: Vec<&[u8]> = vec![
        b"<![LOG[needle one]LOG]!><time=\"1:2:3\" date=\"1-2-2013\" component=\"Needle\" type=\"3\">\n",
        b"<![LOG[text]LOG]!><time=\"1:2:3\" date=\"1-2-2013\" component=\"c\" type=\"1\">\n",
        b"<![LOG[over\n",
        b"end]LOG]!><time=\"1:2:3\" date=\"1-2-2013\" type=\"2\">",
        b"[04/09/97 17:11:08] P ==> failed\n",
        b"2026-11-28 17:00:00 plain needle\n",
        b"loose\n",
        b"  a Gr\xF6\xDFe needle\r\n",
        "  Gr\u{f6}\u{df}e\n".as_bytes(),
        b"\n",
        b"\0\0\0",
        b"10%\r",
        b"error",
    ];
    prop::collection::vec(prop::sample::select(lines), 0..40).prop_map(|lines| lines.concat())
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn looking_only_where_it_may_be_finds_what_looking_everywhere_finds(
        bytes in log(), drops in 1_usize..200, which in 0_usize..10
    ) {
        let filter = match which {
            0 => text("needle"),
            1 => text("Needle"),
            2 => text("^needle|loose$"),
            3 => text("gr\u{f6}.e"),
            4 => text("[^x]ne+dle\\s*$"),
            5 => Filter { level: Some(Level::Error), ..Filter::default() },
            6 => Filter { level: Some(Level::Warning), ..text("e") },
            7 => Filter {
                also: vec![Search::plain("Gr\u{f6}\u{df}e").unwrap()],
                without: Some(Search::new("needle").unwrap()),
                ..Filter::default()
            },
            8 => Filter {
                text: Search::any(&["needle", "Gr\u{f6}\u{df}e$", "^over"]).unwrap(),
                without: Some(Search::new("one|plain").unwrap()),
                ..Filter::default()
            },
            _ => text("\u{df}|\\d+%"),
        };
        prop_assert_eq!(found(&bytes, &filter, drops, true).0, found(&bytes, &filter, 1 << 20, false).0);
    }
}
