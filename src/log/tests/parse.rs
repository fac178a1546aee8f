use super::{at, read, read_at, west};
use crate::log::{Level, Record};

fn one(line: &str) -> Record {
    let mut records = read(line);
    assert_eq!(records.len(), 1, "{records:?}");
    records.remove(0)
}

fn texts(records: &[Record]) -> Vec<String> {
    records.iter().map(Record::full_text).collect()
}

#[test]
fn format_a_is_read_with_both_arrows() {
    let record =
        one("[04/09/97 17:11:08] Package Command Manager ==> Looking for instruction file: \\\\S\\X.INS");
    assert_eq!(record.time, Some(at("1997-04-09T17:11:08Z")));
    assert!(!record.offset_trusted);
    assert_eq!(record.component, "Package Command Manager");
    assert_eq!(record.first_line().as_str(), "Looking for instruction file: \\\\S\\X.INS");
    assert_eq!(record.time_text, "04/09/97 17:11:08");
    assert_eq!(one("[04/09/97 17:11:08] PCM => text").first_line().as_str(), "text");
    assert_eq!(one("[12/31/69 17:11:08] P ==> x").time, Some(at("2069-12-31T17:11:08Z")));
    assert_eq!(one("[12/31/70 17:11:08] P ==> x").time, Some(at("1970-12-31T17:11:08Z")));
    assert_eq!(one("[12/31/2026 17:11:08] P ==> x").time, Some(at("2026-12-31T17:11:08Z")));
    assert_eq!(one("[13/31/97 17:11:08] P ==> x").time, None, "no such month: a line of text");
}

#[test]
fn format_a_is_local_time() {
    let records = read_at("[04/09/97 17:11:08] P ==> x", west(300));
    assert_eq!(records[0].time, Some(at("1997-04-09T22:11:08Z")));
}

#[test]
fn format_b_has_its_thread_in_hexadecimal_and_tildes_for_line_breaks() {
    let line = "Job still running............~   $$<SMS_PACKAGE_COMMAND_MANAGER_NT><Tue Nov 10 17:56:25 1998~><thread=112>";
    let record = one(line);
    assert_eq!(record.time, Some(at("1998-11-10T17:56:25Z")));
    assert_eq!(record.component, "SMS_PACKAGE_COMMAND_MANAGER_NT");
    assert_eq!(record.thread, "274");
    assert_eq!(record.full_text(), "Job still running............");
    let record = one("one~two C:\\PROGRA~1\\X~  $$<C><Sun Nov  1 07:56:25 1998~><thread=6E>");
    assert_eq!(record.text, ["one", "two C:\\PROGRA~1\\X"]);
    assert_eq!(record.time, Some(at("1998-11-01T07:56:25Z")));
}

#[test]
fn format_c_is_read_with_and_without_a_zone_name() {
    for zone in [" Eastern Daylight Time", "", " Mitteleuropäische Zeit"] {
        let record = one(&format!("text~  $$<COMP><Mon May 24 03:56:30.447 1999{zone}><thread=209 (0xD1)>"));
        assert_eq!(record.time, Some(at("1999-05-24T03:56:30.447Z")));
        assert_eq!((record.full_text().as_str(), record.thread.as_str()), ("text", "209"));
        assert!(!record.offset_trusted);
    }
}

#[test]
fn format_d_has_an_offset_and_keeps_its_tildes() {
    let record = one("C:\\PROGRA~1 a~b  $$<SMS_X><05-24-2013 03:56:30.447+240><thread=209 (0xD1)>");
    assert_eq!(record.time, Some(at("2013-05-24T07:56:30.447Z")));
    assert!(record.offset_trusted);
    assert_eq!(record.full_text(), "C:\\PROGRA~1 a~b");
}

#[test]
fn format_e_is_read_with_all_its_attributes() {
    let record = one(
        "<![LOG[text]LOG]!><time=\"09:30:55.935+300\" date=\"10-14-2013\" component=\"execmgr\" context=\"\" type=\"2\" \
         thread=\"2860\" file=\"x.cpp:12\">",
    );
    assert_eq!(record.time, Some(at("2013-10-14T14:30:55.935Z")));
    assert!(record.offset_trusted);
    assert_eq!(record.level, Level::Warning);
    assert_eq!((record.component.as_str(), record.thread.as_str()), ("execmgr", "2860"));
    assert_eq!((record.source.as_str(), record.full_text().as_str()), ("x.cpp:12", "text"));
    assert_eq!(record.time_text, "10-14-2013 09:30:55.935+300");
}

fn e(text: &str, time: &str, date: &str, kind: &str) -> String {
    format!(
        "<![LOG[{text}]LOG]!><time=\"{time}\" date=\"{date}\" component=\"c\" context=\"\" type=\"{kind}\" thread=\"1\" file=\"\">"
    )
}

#[test]
fn types_of_format_e_are_levels_and_unknown_ones_are_information() {
    for (kind, level) in [
        ("0", Level::Verbose),
        ("1", Level::Info),
        ("2", Level::Warning),
        ("3", Level::Error),
        ("", Level::Info),
        ("9", Level::Info),
        ("x", Level::Info),
    ] {
        assert_eq!(one(&e("error", "1:02:03", "1-2-2013", kind)).level, level);
    }
}

#[test]
fn times_of_format_e_come_in_many_shapes() {
    for (time, date, want, trusted) in [
        ("09:30:55.935+300", "10-14-2013", "2013-10-14T14:30:55.935Z", true),
        ("09:30:55.9351234+300", "10-14-2013", "2013-10-14T14:30:55.935123400Z", true),
        ("09:30:55.9351+000", "10-14-2013", "2013-10-14T09:30:55.935100Z", true),
        ("09:30:55.935-120", "10-14-2013", "2013-10-14T07:30:55.935Z", true),
        ("9:3:5.1-60", "1-2-2013", "2013-01-02T08:03:05.100Z", true),
        ("09:30:55.935", "10-14-2013", "2013-10-14T09:30:55.935Z", false),
        ("09:30:55", "10-14-2013", "2013-10-14T09:30:55Z", false),
        ("09:30:55.935+", "10-14-2013", "2013-10-14T09:30:55.935Z", false),
        ("09:30:55.935   ", "10-14-2013", "2013-10-14T09:30:55.935Z", false),
        ("09:30:55.935+-240", "10-14-2013", "2013-10-14T09:30:55.935Z", false),
        ("09:30:55.935+9999", "10-14-2013", "2013-10-14T09:30:55.935Z", false),
        ("09:30:55.935+301", "10-14-2013", "2013-10-14T09:30:55.935Z", false),
        ("09:30:55.935+x", "10-14-2013", "2013-10-14T09:30:55.935Z", false),
        ("09:30:60.5+0", "10-14-2013", "2013-10-14T09:30:59.500Z", true),
    ] {
        let record = one(&e("x", time, date, "1"));
        assert_eq!((record.time, record.offset_trusted), (Some(at(want)), trusted), "{date} {time}");
        assert_eq!(record.time_text, format!("{date} {}", time.trim_end()).as_str());
    }
}

#[test]
fn a_bias_of_the_other_sign_is_noticed_where_the_zone_gives_it_away() {
    let line = e("x", "09:30:55+060", "1-14-2013", "1");
    let berlin = &read_at(&line, west(-60))[0];
    assert_eq!((berlin.time, berlin.offset_trusted), (Some(at("2013-01-14T08:30:55Z")), false));
    let azores = &read_at(&line, west(60))[0];
    assert_eq!((azores.time, azores.offset_trusted), (Some(at("2013-01-14T10:30:55Z")), true));
    let tokyo = &read_at(&line, west(-540))[0];
    assert_eq!((tokyo.time, tokyo.offset_trusted), (Some(at("2013-01-14T10:30:55Z")), true));
    let odd = &read_at(e("x", "09:30:55+-240", "1-14-2013", "1"), west(-240))[0];
    assert_eq!((odd.time, odd.offset_trusted), (Some(at("2013-01-14T05:30:55Z")), true));
}

#[test]
fn a_time_that_is_none_is_kept_as_text() {
    let record = one(&e("x", "25:99:00", "99-99-2013", "3"));
    assert_eq!((record.time, record.offset_trusted, record.level), (None, false, Level::Error));
    assert_eq!(record.time_text, "99-99-2013 25:99:00");
    assert_eq!(one(&e("x", "23:59:59+300", "12-31-9999", "3")).time_text, "12-31-9999 23:59:59+300");
}

#[test]
fn text_of_format_e_may_run_over_lines() {
    let record = one(&e("Raising event:\r\n\r\n\tinstance of X\r\n};\r\n", "1:02:03", "1-2-2013", "1"));
    assert_eq!(record.text, ["Raising event:", "", "        instance of X", "};"]);
    assert_eq!(record.line, 1);
}

#[test]
fn text_of_format_e_may_hold_what_ends_it() {
    for text in [
        "a]",
        "]]",
        "a]]LOG]!",
        "a]LOG]!>b",
        "]LOG]!>",
        "say \"x\" <time=\"1\">",
        "<![LOG[",
        "a]LOG]!><time=\"1:2:3\" date=\"1-2-2013\">b",
        "a]LOG]!><time=\"1:2:3\"",
        "",
    ] {
        let line = e(text, "1:02:03", "1-2-2013", "3");
        let record = one(&format!("{line}\r\n"));
        assert_eq!((record.full_text().as_str(), record.level), (text, Level::Error));
    }
}

#[test]
fn attributes_may_come_in_any_order_and_number() {
    let record = one("<![LOG[t]LOG]!><type=\"3\" date=\"1-2-2013\"  new=\"?\" time=\"1:02:03\" >");
    assert_eq!((record.level, record.time), (Level::Error, Some(at("2013-01-02T01:02:03Z"))));
}

#[test]
fn a_byte_order_mark_and_padding_are_not_text() {
    let mut bytes = b"\xEF\xBB\xBF".to_vec();
    bytes.extend(e("x", "1:02:03", "1-2-2013", "1").bytes());
    bytes.extend(b"\r\n");
    bytes.extend(vec![0; 3 << 20]);
    assert_eq!(texts(&read(&bytes)), ["x"]);
    bytes.extend(e("after", "1:02:03", "1-2-2013", "1").bytes());
    assert_eq!(texts(&read(&bytes)), ["x", "after"]);
}

#[test]
fn a_file_cut_at_its_start_gives_the_rest_of_its_first_record() {
    let whole = e("one\ntwo\nthree", "1:02:03", "1-2-2013", "3");
    let records = read(format!("{}\n{}", &whole[8..], e("next", "1:02:04", "1-2-2013", "1")));
    assert_eq!(texts(&records), ["ne\ntwo\nthree", "next"]);
    assert_eq!(records[0].level, Level::Error);
    assert_eq!((records[0].line, records[1].line), (1, 4));
}

#[test]
fn a_record_cut_in_its_middle_does_not_hide_its_neighbours() {
    let good = e("good", "1:02:03", "1-2-2013", "1");
    let records =
        read(format!("{good}\nOG[Running namtype=\"1\" thread=\"4180\" file=\"h.cpp:367\">\n{good}\n"));
    assert_eq!(records.len(), 3);
    assert_eq!(records[1].time, None);
    assert_eq!(records[1].near, records[0].time);
    let records = read(format!("{good}\nend of a cut one{good}\n"));
    assert_eq!(texts(&records), ["good", "end of a cut one", "good"]);
    let records = read(format!("{good}{good}\n{good}"));
    assert_eq!(texts(&records), ["good", "good", "good"]);
}

#[test]
fn an_opener_without_an_end_ends_at_the_next_record() {
    let good = e("good", "1:02:03", "1-2-2013", "1");
    assert_eq!(texts(&read(format!("<![LOG[lost\nmore\n{good}"))), ["lost\nmore", "good"]);
    assert_eq!(texts(&read("<![LOG[lost\nmore\n[04/09/97 17:11:08] P ==> x")), ["lost\nmore", "x"]);
    assert_eq!(texts(&read("<![LOG[lost")), ["lost"]);
    assert_eq!(texts(&read(format!("<![LOG[lost]LOG]!><time=\"1:02\n{good}"))).len(), 2);
}

#[test]
fn format_f_is_the_clipboard_of_the_original_viewer() {
    let record = one("some\ttext\tCOMPONENT\t1/12/99 4:49:44 PM\t6E\t");
    assert_eq!(record.time, Some(at("1999-01-12T16:49:44Z")));
    assert_eq!((record.component.as_str(), record.thread.as_str()), ("COMPONENT", "110"));
    assert_eq!(record.full_text(), "some    text");
    assert_eq!(one("t\tC\t1/12/2013 12:49:44 AM\t1234 (0x4D2)").time, Some(at("2013-01-12T00:49:44Z")));
    assert_eq!(one("t\tC\t1/12/99 16:49:44\t6E\t").time, Some(at("1999-01-12T16:49:44Z")));
}

#[test]
fn anything_else_belongs_to_the_record_above_it_or_stands_alone() {
    let records = read(
        "loose\nstill loose\n[04/09/97 17:11:08] P ==> first\n  at frame 1\n\n  failed\n[04/09/97 17:11:09] P ==> second\n",
    );
    assert_eq!(texts(&records), ["loose", "still loose", "first\n  at frame 1\n\n  failed", "second"]);
    assert_eq!(records.iter().map(|r| r.line).collect::<Vec<_>>(), [1, 2, 3, 7]);
    assert_eq!(records[2].level, Level::Error);
    let after_e = read(format!("{}\nstands alone\n", e("x", "1:02:03", "1-2-2013", "1")));
    assert_eq!(texts(&after_e), ["x", "stands alone"]);
    assert!(read("\n\n\r\n").is_empty());
}

#[test]
fn formats_are_told_apart_line_by_line() {
    let file = [
        "[04/09/97 17:11:08] P ==> a",
        "b~  $$<C><Tue Nov 10 17:56:25 1998~><thread=112>",
        "c~  $$<C><Mon May 24 03:56:30.447 1999 X><thread=209 (0xD1)>",
        "d  $$<C><05-24-2013 03:56:30.447+240><thread=209 (0xD1)>",
        &e("e", "1:02:03", "1-2-2013", "1"),
        "f\tC\t1/12/99 4:49:44 PM\t6E\t",
        "g",
    ]
    .join("\r\n");
    assert_eq!(texts(&read(file)), ["a", "b", "c", "d", "e", "f\ng"]);
}

#[test]
fn words_give_a_level_to_records_that_carry_none() {
    for (text, level) in [
        ("all is well", Level::Info),
        ("An ERROR occurred", Level::Error),
        ("it Failed", Level::Error),
        ("failover done", Level::Info),
        ("failover failed", Level::Error),
        ("Warning: low", Level::Warning),
        ("warned of an error", Level::Error),
    ] {
        assert_eq!(one(&format!("[04/09/97 17:11:08] P ==> {text}")).level, level, "{text}");
    }
}

#[test]
fn plain_text_is_one_record_a_line() {
    let records = read("one\ntwo\n\n  three\n");
    assert_eq!(texts(&records), ["one", "two", "  three"]);
    assert_eq!(records.iter().map(|r| r.line).collect::<Vec<_>>(), [1, 2, 4]);
}

#[test]
fn plain_text_has_times_where_it_begins_with_iso_8601() {
    for (line, want, trusted) in [
        ("2026-11-28T17:00:00Z started", "2026-11-28T17:00:00Z", true),
        ("2026-11-28T17:00:00.250+01:00 started", "2026-11-28T16:00:00.250Z", true),
        ("2026-11-28 17:00:00,250-0330 started", "2026-11-28T20:30:00.250Z", true),
        ("2026-11-28 17:00:00 started", "2026-11-28T17:00:00Z", false),
        ("2026-11-28 17:00:00, started", "2026-11-28T17:00:00Z", false),
    ] {
        let record = one(line);
        assert_eq!((record.time, record.offset_trusted), (Some(at(want)), trusted), "{line}");
        assert!(record.full_text().ends_with("started"), "{record:?}");
    }
    for line in ["2026-13-28 17:00:00 x", "2026-11-28", "2026-11-28T17:00:00X", "12026-11-28 17:00:00"] {
        assert_eq!(one(line).time, None, "{line}");
    }
    // The zone of this machine has the opposite offset, and still nobody turned the sign round.
    let record = &read_at("2026-11-28T17:00:00+01:00 x", west(60))[0];
    assert_eq!((record.time, record.offset_trusted), (Some(at("2026-11-28T16:00:00Z")), true));
    let records = read("2026-11-28 17:00:00 failed\n  at x\n2026-11-28 17:00:01 next\n");
    assert_eq!(texts(&records), ["failed\n  at x", "next"]);
    assert_eq!(records[0].level, Level::Error);
    let within = read(e("output:\n2026-11-28 17:00:00 x\nend", "1:02:03", "1-2-2013", "1"));
    assert_eq!(texts(&within), ["output:\n2026-11-28 17:00:00 x\nend"], "text of a record");
}

#[test]
fn a_carriage_return_alone_and_a_run_of_nuls_end_a_line() {
    assert_eq!(texts(&read("one\rtwo\r\nthree\r\r\nfour\r")), ["one", "two", "three", "four"]);
    assert_eq!(texts(&read(b"one\0\0\0two\0\0\nthree\0\n")), ["one", "two", "three"]);
    assert_eq!(texts(&read(b"o\0e\n")), ["o^@e"], "a single one is text");
    assert_eq!(texts(&read("[04/09/97 17:11:08] P ==> 10%\r20%\r100%\r\n")), ["10%\n20%\n100%"]);
    assert_eq!(texts(&read(e("a\0\0b", "1:02:03", "1-2-2013", "1"))), ["a\nb"]);
}

#[test]
fn utf_16_is_read_with_and_without_its_mark() {
    let text = format!(
        "MSI (s) Gr\u{f6}\u{df}e: Installation failed.\r\n{}\r\n",
        e("one", "1:02:03", "1-2-2013", "3")
    );
    for (mark, little) in [(true, true), (true, false), (false, true), (false, false)] {
        let units = mark.then_some(0xFEFF).into_iter().chain(text.encode_utf16());
        let bytes: Vec<u8> =
            units.flat_map(|u| if little { u.to_le_bytes() } else { u.to_be_bytes() }).collect();
        let records = read(&bytes);
        assert_eq!(
            texts(&records),
            ["MSI (s) Gr\u{f6}\u{df}e: Installation failed.", "one"],
            "{mark} {little}"
        );
        assert_eq!((records[1].level, records[1].line), (Level::Error, 2));
    }
    assert_eq!(texts(&read(b"\xFF\xFEa\0\n\0\0")), ["a"], "half a unit is no text");
}

#[test]
fn windows_1252_is_read_line_by_line() {
    assert_eq!(
        texts(&read(b"Gr\xF6\xDFe \x80 5\nGr\xC3\xB6\xC3\x9Fe\n")),
        ["Gr\u{f6}\u{df}e \u{20ac} 5", "Gr\u{f6}\u{df}e"]
    );
    assert_eq!(texts(&read(b"\xC3\xB6 and \xF6\n")), ["\u{f6} and \\xF6"], "neither of the two");
    assert_eq!(texts(&read(b"a\x81b\n")), ["a\\x81b"], "no letter of it");
}

#[test]
fn a_very_long_line_keeps_its_beginning_and_its_time() {
    let record = one(&e(&"x".repeat(3 << 20), "1:02:03", "1-2-2013", "3"));
    assert_eq!((record.level, record.time), (Level::Error, Some(at("2013-01-02T01:02:03Z"))));
    assert!(record.first_line().as_str().contains("<cut: "));
}

#[test]
fn hostile_text_is_safe_in_every_field() {
    let record = one(
        "<![LOG[\x1b[2J\u{202e}]LOG]!><time=\"\x1b\" date=\"\x07\" component=\"\x1bc\" type=\"1\" thread=\"\x1b\" file=\"\x1b\">",
    );
    assert_eq!(record.full_text(), "^[[2J<U+202E>");
    assert_eq!(record.time_text, "^G ^[");
    assert_eq!(
        (record.component.as_str(), record.thread.as_str(), record.source.as_str()),
        ("^[c", "^[", "^[")
    );
}

#[test]
fn a_record_as_json_is_the_document_of_the_command_line() {
    let record = one(&e("one\ntwo", "1:02:03+0", "1-2-2013", "2"));
    let json = serde_json::to_value(&record).unwrap();
    assert_eq!(
        json,
        serde_json::json!({
            "file": "x.log", "line": 1, "time": "2013-01-02T01:02:03Z", "offset_trusted": true, "component": "c",
            "level": "warning", "thread": "1", "source": "", "text": "one\ntwo", "time_text": "1-2-2013 1:02:03+0"
        })
    );
}
