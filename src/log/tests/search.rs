use super::{at, cases, read};
use crate::log::search::{Filter, Search, wildcard};
use crate::log::{Level, Record};
use proptest::prelude::*;

fn records() -> Vec<Record> {
    read(
        "[04/09/97 17:11:08] Package Command Manager ==> Looking for instruction file\n\
         [04/09/97 17:12:08] Package Command Manager ==> Job failed\n  with code 17\n\
         [04/09/97 17:13:08] Other ==> warned\n",
    )
}

fn shown(filter: &Filter) -> Vec<u64> {
    records().iter().filter(|r| filter.matches(r)).map(|r| r.line).collect()
}

#[test]
fn a_search_looks_at_every_line_of_the_text_and_at_the_component() {
    let text = |pattern: &str| Filter { text: Some(Search::new(pattern).unwrap()), ..Filter::default() };
    assert_eq!(shown(&text("code \\d+")), [2]);
    assert_eq!(shown(&text("LOOKING")), [] as [u64; 0], "a capital letter means it");
    assert_eq!(shown(&text("looking")), [1]);
    assert_eq!(shown(&text("other")), [4]);
    assert_eq!(shown(&Filter { invert: true, ..text("other") }), [1, 2]);
    assert_eq!(
        shown(&Filter { text: Some(Search::words("code (").unwrap()), ..Filter::default() }),
        [] as [u64; 0]
    );
}

#[test]
fn records_are_filtered_by_level_component_and_time() {
    let any = Filter::default;
    assert!(any().is_empty());
    assert_eq!(shown(&any()), [1, 2, 4]);
    assert_eq!(shown(&Filter { level: Some(Level::Warning), ..any() }), [2, 4]);
    assert_eq!(shown(&Filter { level: Some(Level::Error), ..any() }), [2]);
    assert_eq!(shown(&Filter { component: Some("package*".into()), ..any() }), [1, 2]);
    assert_eq!(shown(&Filter { component: Some("OTHER".into()), ..any() }), [4]);
    assert_eq!(shown(&Filter { since: Some(at("1997-04-09T17:12:08Z")), ..any() }), [2, 4]);
    assert_eq!(shown(&Filter { until: Some(at("1997-04-09T17:12:08Z")), ..any() }), [1]);
}

#[test]
fn what_is_wrong_with_a_pattern_is_said_in_one_line() {
    let said = Search::new("a(b").unwrap_err();
    assert!(said.as_str().starts_with("the pattern \"a(b\" cannot be used: "), "{said}");
    assert!(said.as_str().contains("unclosed group"));
    assert!(!said.as_str().contains('\n'));
    assert!(Search::new("(a{500}){500}").unwrap_err().as_str().contains("too large"));
    assert!(!Search::new("\x1b[2J(").unwrap_err().as_str().contains('\x1b'));
}

#[test]
fn the_next_match_is_found_in_both_directions_and_round_the_end() {
    let records = records();
    let search = Search::new("manager").unwrap();
    let next = |from, forwards| search.next(records.len(), |i| records.get(i), from, forwards);
    assert_eq!(next(0, true), Some(0));
    assert_eq!(next(2, true), Some(0));
    assert_eq!(next(2, false), Some(1));
    assert_eq!(next(0, false), Some(0));
    assert_eq!(Search::new("nowhere").unwrap().next(records.len(), |i| records.get(i), 1, true), None);
    assert_eq!(search.next(0, |_| None, 0, true), None);
}

#[test]
fn matches_within_a_line_can_be_highlighted() {
    let line = "äb ab".into();
    assert_eq!(Search::new("b").unwrap().ranges(&line), [2..3, 5..6]);
    assert!(Search::new("x*").unwrap().ranges(&line).is_empty());
}

#[test]
fn levels_are_read_as_they_are_written() {
    for level in [Level::Verbose, Level::Info, Level::Warning, Level::Error] {
        assert_eq!(Level::parse(level.word()), Some(level));
        assert_eq!(serde_json::to_value(level).unwrap(), level.word());
    }
    assert_eq!(Level::parse("fatal"), None);
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn wildcards_mean_what_a_regular_expression_would(pattern in "[ab*]{0,8}", text in "[ab]{0,10}") {
        let regex = regex::Regex::new(&format!("^{}$", pattern.replace('*', ".*"))).unwrap();
        prop_assert_eq!(wildcard(&pattern, &text), regex.is_match(&text));
    }

    #[test]
    fn no_pattern_panics(pattern in ".{0,20}", text in ".{0,20}") {
        if let Ok(search) = Search::new(&pattern) {
            let line = text.as_str().into();
            for range in search.ranges(&line) {
                let _ = &line.as_str()[range];
            }
        }
    }
}
