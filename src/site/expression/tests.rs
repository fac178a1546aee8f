//! What expressions mean, and what is wrong with others.
#![allow(clippy::unwrap_used)]

use super::*;
use proptest::prelude::*;

/// A machine of which something is known.
#[derive(Default)]
struct Machine {
    values: Vec<(Subject, &'static str)>,
    groups: Option<Vec<String>>,
}

impl Known for Machine {
    fn value(&self, subject: &Subject) -> Option<String> {
        self.values.iter().find(|(s, _)| s == subject).map(|(_, v)| (*v).to_owned())
    }

    fn in_group(&self, pattern: &str) -> Option<bool> {
        self.groups.as_ref().map(|groups| groups.iter().any(|group| like(group, pattern)))
    }
}

fn machine() -> Machine {
    Machine {
        values: vec![
            (Subject::Named(Name::Platform), "linux-x86_64"),
            (Subject::Named(Name::Host), "Web-01"),
            (Subject::Named(Name::OsVersion), "12.9"),
            (Subject::Package("BP00000A".parse().unwrap()), "succeeded"),
            (Subject::Fact("rack".into()), "r7"),
        ],
        groups: Some(vec!["web".into(), "paris".into()]),
    }
}

fn holds(text: &str) -> Option<bool> {
    Expression::parse(text).unwrap_or_else(|e| panic!("{text}: {e}")).holds(&machine())
}

#[test]
fn names_are_compared_as_what_they_are() {
    for yes in [
        r#"host == "web-01""#,
        r#"host=="WEB-*""#,
        r#"host != "db-*""#,
        r#"group == "web""#,
        r#"group == "par??""#,
        r#"group != "retired""#,
        "os_version >= 12.9",
        "os_version > 12.10 || os_version < 12.10",
        r#"os_version == "12.9.0""#,
        "package(bp00000a) == \"succeeded\"",
        r#"package("BP00000A") != "failed""#,
        r#"fact("rack") == "R7""#,
        r#"!(platform == "windows-*") && host == "web-??""#,
    ] {
        assert_eq!(holds(yes), Some(true), "{yes}");
        assert_eq!(holds(&format!("!({yes})")), Some(false), "{yes}");
    }
}

#[test]
fn what_binds_stronger_stands_together() {
    let (yes, no) = (r#"host == "web-01""#, r#"host == "x""#);
    assert_eq!(holds(&format!("{yes} || {no} && {no}")), Some(true));
    assert_eq!(holds(&format!("({yes} || {no}) && {no}")), Some(false));
    assert_eq!(holds(&format!("!{no} && {yes}")), Some(true));
    assert_eq!(holds(&format!("!{yes} || {yes}")), Some(true));
    assert_eq!(holds(&format!("!!{yes}")), Some(true));
}

#[test]
fn unknown_is_neither_true_nor_false() {
    let (unknown, yes, no) = (r#"os == "debian""#, r#"host == "web-01""#, r#"host == "x""#);
    assert_eq!(holds(unknown), None);
    assert_eq!(holds(&format!("!{unknown}")), None);
    assert_eq!(holds(&format!("{unknown} || {yes}")), Some(true));
    assert_eq!(holds(&format!("{unknown} || {no}")), None);
    assert_eq!(holds(&format!("{unknown} && {no}")), Some(false));
    assert_eq!(holds(&format!("{yes} && {unknown}")), None);
    let nothing_known = Machine::default();
    assert_eq!(Expression::parse(r#"group != "web""#).unwrap().holds(&nothing_known), None);
}

#[test]
fn an_error_points_at_its_column() {
    for (text, column, says) in [
        ("", 1, "found the end"),
        ("host", 5, "wanted == != < <= > or >="),
        ("host == web", 9, "a text in quotes"),
        ("host == \"web", 9, "does not end"),
        ("host < \"web\"", 6, "only versions"),
        ("ho == \"web\"", 1, "ho is not known here"),
        ("host == \"a\" host == \"b\"", 13, "wanted &&, || or the end"),
        ("(host == \"a\"", 13, "wanted &&, || or )"),
        ("host == \"é\" && os_version > x", 29, "a version"),
        ("package(BP0) == \"x\"", 9, "is not a package id"),
        ("last_seen > 3d", 1, "last_seen is not known here"),
        ("host == \"a\" &&", 15, "found the end"),
        ("fact(rack) == \"x\"", 6, "a text in quotes"),
    ] {
        let bad = Expression::parse(text).unwrap_err();
        assert_eq!(bad.column, column, "{text}: {bad}");
        assert!(bad.message.contains(says), "{text}: {bad}");
    }
    let deep = format!("{}host == \"a\"", "!".repeat(51));
    assert!(Expression::parse(&deep).unwrap_err().message.contains("inside one another"));
    assert!(Expression::parse(&"(".repeat(5000)).unwrap_err().message.contains("longer than"));
}

#[test]
fn a_pattern_costs_no_more_than_its_length() {
    let (text, pattern) = ("a".repeat(3000), format!("{}b", "*a".repeat(1000)));
    assert!(!like(&text, &pattern));
    assert!(like("", "**") && like("abc", "*b*") && like("abc", "???") && !like("abc", "??"));
}

/// The same by trying everything.
fn like_slowly(text: &[char], pattern: &[char]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some(('*', rest)) => (0..=text.len()).any(|n| like_slowly(&text[n..], rest)),
        Some((c, rest)) => {
            text.split_first().is_some_and(|(t, text)| (*c == '?' || c == t) && like_slowly(text, rest))
        }
    }
}

fn expressions() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just(r#"host == "web-01""#.to_owned()),
        Just(r#"host == "x""#.to_owned()),
        Just(r#"os == "x""#.to_owned()),
    ];
    leaf.prop_recursive(5, 40, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|e| format!("!({e})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) && ({b})")),
            (inner.clone(), inner).prop_map(|(a, b)| format!("({a}) || ({b})")),
        ]
    })
}

proptest! {
    #[test]
    fn a_pattern_means_the_same_as_trying_everything(text in "[ab]{0,8}", pattern in "[ab*?]{0,8}") {
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        prop_assert_eq!(like(&text, &pattern), like_slowly(&chars(&text), &chars(&pattern)));
    }

    /// The laws of three values: turning both sides and the word between them round is turning all of it round.
    #[test]
    fn turned_round_it_is_turned_round(a in expressions(), b in expressions()) {
        prop_assert_eq!(holds(&format!("!(({a}) && ({b}))")), holds(&format!("!({a}) || !({b})")));
        prop_assert_eq!(holds(&format!("!!({a})")), holds(&a));
        prop_assert_eq!(holds(&format!("({a}) || ({a})")), holds(&a));
    }

    #[test]
    fn no_text_is_too_much(text in "[hostgrup=!&|() \"<>0-9.*é]{0,60}") {
        if let Err(bad) = Expression::parse(&text) {
            prop_assert!(bad.column <= text.chars().count() + 1, "{}", bad);
        }
    }
}

#[test]
fn a_condition_is_written_as_it_is_read_however_long() {
    for text in [
        r#"host == "a" && (group == "b" || !(os == "c" && platform != "d")) || !!(fact("x") == "y")"#,
        r#"(os_version >= 12 || pcm_version < "2.0") && (host == "a" && host != "b") && job(BP0000AA) == "x""#,
        r#"((host == "a" || host == "b") || host == "c")"#,
    ] {
        let read = Expression::parse(text).unwrap();
        assert_eq!(Expression::parse(&read.to_string()).unwrap(), read, "{text}");
    }
    let long = vec![r#"host=="a""#; 370].join("||");
    let read = Expression::parse(&long).unwrap();
    assert_eq!(read.to_string(), long, "no longer than it was");
}
