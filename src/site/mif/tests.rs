//! The variations of FORMATS.md 7, and what is refused.
#![allow(clippy::unwrap_used)]

use super::*;
use proptest::prelude::*;

const FULL: &str = r#"START COMPONENT
    NAME = "WORKSTATION"
    START GROUP
        NAME = "ComponentID"
        ID = 1
        CLASS = "DMTF|ComponentID|1.0"
        START ATTRIBUTE
            NAME = "Manufacturer"
            ID = 1
            ACCESS = READ-ONLY
            STORAGE = SPECIFIC
            TYPE = STRING(64)
            VALUE = "Acme"
        END ATTRIBUTE
    END GROUP
    START GROUP
        NAME = "InstallStatus"
        ID = 2
        CLASS = "MICROSOFT|JOBSTATUS|1.0"
        START ATTRIBUTE
            NAME = "Status"
            ID = 1
            ACCESS = READ-ONLY
            STORAGE = SPECIFIC
            TYPE = STRING(32)
            VALUE = "Success"
        END ATTRIBUTE
        START ATTRIBUTE
            NAME = "Description"
            ID = 2
            ACCESS = READ-ONLY
            STORAGE = SPECIFIC
            TYPE = STRING(128)
            VALUE = "All components installed"
        END ATTRIBUTE
    END GROUP
END COMPONENT
"#;

const SHORT: &str = r#"start component name = "W"
start group name = "s" id = 1 class = MICROSOFT|JOBSTATUS|1.0
start attribute name = "Status" id = 1 value = "FAILED" end attribute
start attribute name = "Description" id = 2 value = "no room" end attribute
end component"#;

fn read(text: &str) -> Read<StatusMif> {
    parse(text.as_bytes())
}

fn says(text: &str) -> (bool, String) {
    let mif = read(text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    (mif.success, mif.description.to_string())
}

fn success() -> (bool, String) {
    (true, "All components installed".into())
}

#[test]
fn the_full_form_is_read() {
    assert_eq!(says(FULL), success());
    assert!(!says(&FULL.replace("\"Success\"", "\"Failed\"")).0);
}

#[test]
fn all_variations_that_occur_are_accepted() {
    let group_one = {
        let start = FULL.find("    START GROUP").unwrap();
        let second = FULL.rfind("    START GROUP").unwrap();
        format!("{}{}", &FULL[..start], &FULL[second..])
    };
    let no_end_group = FULL.replacen("    END GROUP\n", "", 1);
    for text in [
        group_one.as_str(),
        &group_one.replace("ID = 2", "ID = 1"),
        &FULL.to_lowercase().replace("all components", "All components"),
        &FULL.replace("\"Success\"", "\"SUCCESS\""),
        &FULL.replace("\"Success\"", "\" success  \""),
        &FULL.replace("\"Success\"", "Success"),
        &FULL.replace("STRING(128)", "STRING(8)"),
        &FULL.replace("STRING(128)", "STRING (128)"),
        &FULL.replace("TYPE = STRING(128)\n", ""),
        &no_end_group,
        &FULL.replace("    END GROUP\n", ""),
        &FULL.replace("\"MICROSOFT|JOBSTATUS|1.0\"", "MICROSOFT|JOBSTATUS|1.0"),
        &FULL.replace("MICROSOFT|JOBSTATUS|1.0", "Acme Inc.|JobStatus|1.0"),
        &FULL.replace("START GROUP\n", "START GROUP "),
        &FULL.replace('\n', " ").replace("  ", " "),
        &FULL.replace('\n', "\r\n"),
        &FULL.replace("\"All components installed\"", "\"All comp\"\n   \"onents installed\""),
        &FULL.replace("All components installed", "All components\n   installed"),
        &FULL.replace("    END GROUP", "    // a comment with \"quotes\n    END GROUP"),
        &format!("Language = \"en|US|iso8859-1\"\n{FULL}"),
        &format!("{FULL}\u{1a}\0\0"),
        &format!("\u{feff}{FULL}"),
        &FULL.replace(
            "    START GROUP",
            "    START PATH NAME = \"x\" WIN32 = direct END PATH\n    START GROUP",
        ),
    ] {
        assert_eq!(says(text), success(), "{text}");
    }
    assert_eq!(says(SHORT), (false, "no room".into()));
}

#[test]
fn an_empty_or_missing_description_is_fine() {
    assert_eq!(says(&FULL.replace("\"All components installed\"", "\"\"")), (true, String::new()));
    assert_eq!(says(&FULL.replace("\"Description\"", "\"Remark\"")), (true, String::new()));
}

#[test]
fn a_long_description_is_tolerated_and_cut() {
    let long = "ä".repeat(5_000);
    let (_, description) = says(&FULL.replace("All components installed", &long));
    assert_eq!(description, "ä".repeat(128));
}

#[test]
fn escapes_and_plain_backslashes_are_understood() {
    let text = FULL.replace("All components installed", r#"see C:\temp\new \"log\" \\srv"#);
    assert_eq!(says(&text).1, r#"see C:\temp\new "log" \srv"#);
}

#[test]
fn texts_of_the_time_are_decoded() {
    let mut latin = FULL.replace("All", "*ll").into_bytes();
    let at = latin.iter().position(|b| *b == b'*').unwrap();
    latin[at] = 0xC4;
    assert_eq!(parse(&latin).unwrap().description.as_str(), "Äll components installed");
    let wide: Vec<u8> =
        "\u{feff}".chars().chain(FULL.chars()).flat_map(|c| (c as u16).to_le_bytes()).collect();
    assert!(parse(&wide).unwrap().success);
}

#[test]
fn hostile_words_are_harmless() {
    let (_, description) = says(&FULL.replace("All components", "\u{1b}[31m\u{202e}"));
    assert!(!description.contains(['\u{1b}', '\u{202e}']));
}

#[test]
fn what_is_malformed_is_an_error_with_its_line_and_never_a_success() {
    for (text, line, word) in [
        (String::new(), 1, "cut off"),
        ("Success".into(), 1, "not expected"),
        (FULL.replace("START COMPONENT\n", "\n"), 3, "START COMPONENT"),
        (FULL.replace("END COMPONENT\n", ""), 36, "cut off"),
        (FULL.replace("JOBSTATUS", "INVENTORY"), 37, "JOBSTATUS"),
        (FULL.replace("MICROSOFT|JOBSTATUS|1.0", "JOBSTATUS"), 37, "JOBSTATUS"),
        (FULL.replace("\"Status\"", "\"State\""), 16, "Status"),
        (FULL.replace("\"Success\"", "\"Done\""), 20, "Success or Failed"),
        (FULL.replace("\"Success\"", "\"\""), 20, "Success or Failed"),
        (FULL.replace("            VALUE = \"Success\"\n", ""), 20, "no value"),
        (FULL.replace("\"Success\"", "\"Success\" VALUE = \"Failed\""), 26, "two values"),
        (FULL.replace("\"Description\"", "\"Status\""), 28, "second attribute"),
        (FULL.replace("DMTF|ComponentID|1.0", "X|JOBSTATUS|1.0"), 16, "second JOBSTATUS"),
        (FULL.replace("\"Success\"", "\"Success"), 34, "not closed"),
        (FULL.replace("installed\"", "installed"), 34, "not closed"),
        (FULL.replacen("        END ATTRIBUTE\n", "", 1), 14, "not ended"),
        (FULL.replace("VALUE = \"Success\"", "VALUE ="), 26, "missing"),
        (format!("{FULL}START GROUP"), 38, "more after"),
        (format!("{FULL}{FULL}"), 38, "more after"),
        (FULL.replacen("    END GROUP", "    END ATTRIBUTE", 1), 15, "without its START"),
    ] {
        let found = read(&text).expect_err(&text);
        assert!(found.why.contains(word), "{found}, wanted {word}\n{text}");
        assert_eq!(found.line, line, "{found}\n{text}");
    }
    let large = vec![b' '; 300 << 10];
    assert!(parse(&large).is_err());
}

#[test]
fn no_prefix_of_a_status_is_a_success() {
    let complete = FULL.trim_end().len();
    for cut in 0..complete {
        assert!(read(&FULL[..cut]).is_err(), "cut at {cut}");
    }
}

#[test]
fn what_is_written_is_the_full_form() {
    let text = render(&Result {
        machine: "BP004000".parse().unwrap(),
        request: "BP0000Y".parse().unwrap(),
        package: "Acme".into(),
        success: false,
        description: "failed: exit 1".into(),
        at: "2026-11-22T08:00:00Z".parse().unwrap(),
    });
    assert!(text.lines().all(|l| !l.contains('\r')) && text.contains("\r\n"));
    for piece in [
        "PCM BP004000",
        "DMTF|ComponentID|1.0",
        "MICROSOFT|JOBSTATUS|1.0",
        "20261122080000.000000+000",
        "BP0000Y",
    ] {
        assert!(text.contains(piece), "{piece}");
    }
    assert_eq!(says(&text), (false, "failed: exit 1".into()));
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(success: bool, words in "[^\\p{Cc}]{0,160}", package in "[^\\p{Cc}]{0,80}") {
        let description = SafeText::new(&words);
        let text = render(&Result {
            machine: "BP004000".parse().unwrap(),
            request: "BP0000Y".parse().unwrap(),
            package: SafeText::new(&package),
            success,
            description: description.clone(),
            at: "2026-11-22T08:00:00Z".parse().unwrap(),
        });
        let mif = read(&text).unwrap();
        prop_assert_eq!(mif.success, success);
        let cut: String = description.as_str().chars().take(MAX_DESCRIPTION).collect();
        let cut = cut.split_whitespace().collect::<Vec<_>>().join(" ");
        prop_assert_eq!(mif.description, SafeText::new(&cut));
    }

    #[test]
    fn no_bytes_make_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn damage_never_panics(at in 0..FULL.len(), byte in any::<u8>()) {
        let mut bytes = FULL.as_bytes().to_vec();
        bytes[at] = byte;
        let _ = parse(&bytes);
    }
}
