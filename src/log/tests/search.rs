use super::{at, cases, read};
use crate::log::search::{Filter, Names, Search, wildcard};
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
    assert_eq!(shown(&Filter { without: text("other").text, ..Filter::default() }), [1, 2]);
}

#[test]
fn records_are_filtered_by_level_component_and_time() {
    let any = Filter::default;
    assert!(any().is_empty());
    assert_eq!(shown(&any()), [1, 2, 4]);
    assert_eq!(shown(&Filter { level: Some(Level::Warning), ..any() }), [2, 4]);
    assert_eq!(shown(&Filter { level: Some(Level::Error), ..any() }), [2]);
    assert_eq!(shown(&Filter { component: Names::only("package*"), ..any() }), [1, 2]);
    assert_eq!(shown(&Filter { component: Names::only("OTHER"), ..any() }), [4]);
    assert_eq!(shown(&Filter { since: Some(at("1997-04-09T17:12:08Z")), ..any() }), [2, 4]);
    assert_eq!(shown(&Filter { until: Some(at("1997-04-09T17:12:08Z")), ..any() }), [1]);
}

#[test]
fn of_one_kind_one_is_enough_and_what_is_unwanted_is_left_out_whatever_else_holds() {
    let any = |patterns: &[&str]| Search::any(patterns).unwrap();
    let text = |patterns: &[&str]| Filter { text: any(patterns), ..Filter::default() };
    assert_eq!(shown(&text(&[])), [1, 2, 4]);
    assert_eq!(shown(&text(&["looking", "warned"])), [1, 4]);
    assert_eq!(
        shown(&text(&["Looking", "WARNED"])),
        [1],
        "each with regard to case as it would have it alone"
    );
    assert_eq!(shown(&Filter { without: any(&["code", "warned"]), ..text(&["package", "other"]) }), [1]);
    let names = |one_of: &[&str], none_of: &[&str]| Names {
        one_of: one_of.iter().map(|name| (*name).to_owned()).collect(),
        none_of: none_of.iter().map(|name| (*name).to_owned()).collect(),
    };
    let by = |one_of, none_of| Filter { component: names(one_of, none_of), ..Filter::default() };
    assert_eq!(shown(&by(&["other", "package*"], &[])), [1, 2, 4]);
    assert_eq!(shown(&by(&[], &["package*"])), [4]);
    assert_eq!(shown(&by(&["*"], &["other"])), [1, 2]);
    assert_eq!(shown(&Filter { level: Some(Level::Error), ..by(&["other"], &[]) }), [] as [u64; 0]);
    let also = vec![Search::plain("job").unwrap(), Search::plain("17").unwrap()];
    assert_eq!(shown(&Filter { also, ..Filter::default() }), [2]);
}

#[test]
fn a_thread_is_a_condition_as_a_component_is() {
    let e = |thread: u32| {
        format!(
            "<![LOG[text]LOG]!><time=\"1:2:3\" date=\"1-2-2013\" type=\"1\" thread=\"{thread}\" file=\"\">\n"
        )
    };
    let records = read(&(e(7) + &e(70)));
    let filter = Filter { thread: Names::only("7"), ..Filter::default() };
    assert_eq!(records.iter().filter(|r| filter.matches(r)).count(), 1);
}

#[test]
fn several_patterns_that_cannot_stand_together_are_refused() {
    assert!(Search::any(&["a(b", "c"]).unwrap_err().as_str().contains("unclosed group"));
    assert!(Search::any(&["a)|(b", "c"]).is_err(), "each has to be one by itself");
    assert!(Search::any(&["(?x) a # b", "c"]).unwrap_err().as_str().contains("together"));
    assert!(Search::any(&[] as &[&str]).unwrap().is_none());
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
fn levels_are_written_by_the_word_that_is_shown() {
    for level in [Level::Verbose, Level::Info, Level::Warning, Level::Error] {
        assert_eq!(serde_json::to_value(level).unwrap(), level.word());
    }
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
            let mut record = read("text").remove(0);
            record.text = vec![text.as_str().into()];
            search.matches(&record);
        }
    }
}
