use crate::text::{MAX_BYTES, SafeText, make};
use proptest::prelude::*;
use std::time::Duration;
use unicode_general_category::{GeneralCategory as Cat, get_general_category};
use unicode_segmentation::UnicodeSegmentation;

/// Characters that have ever been special to anything here, beside arbitrary ones.
fn nasty() -> impl Strategy<Value = char> {
    let special: Vec<char> = "\u{0}\t\n\r\u{1b}\u{7f} a1#*\\^<>?\u{85}\u{9b}\u{a0}\u{a9}\u{ad}\u{300}\u{301}\u{338}\u{34f}\
        \u{600}\u{64b}\u{628}\u{905}\u{915}\u{93e}\u{94d}\u{937}\u{9be}\u{d4e}\u{e01}\u{e33}\u{e48}\u{102c}\u{1100}\u{1160}\
        \u{1161}\u{11a8}\u{ac00}\u{ac01}\u{17b4}\u{17d2}\u{1780}\u{200b}\u{200c}\u{200d}\u{202e}\u{2028}\u{20e3}\u{2122}\
        \u{231a}\u{2764}\u{3000}\u{3099}\u{304b}\u{a4f8}\u{a4fc}\u{fe0e}\u{fe0f}\u{ff76}\u{ff9e}\u{644}\u{627}\u{11a84}\
        \u{111c2}\u{1f1e6}\u{1f1e9}\u{1f3fd}\u{1f468}\u{1f3f4}\u{e0067}\u{e007f}\u{e0100}\u{e000}\u{10ffff}\u{1f600}\u{6f22}\
        \u{2e3b}\u{fdfd}\u{302e}\u{16ff0}\u{1b35}"
        .chars()
        .collect();
    prop_oneof![6 => prop::sample::select(special), 1 => any::<char>()]
}

fn nasty_text(most: usize) -> impl Strategy<Value = String> {
    prop::collection::vec(nasty(), 0..most).prop_map(|chars| chars.into_iter().collect())
}

proptest! {
    #![proptest_config(super::cases(4000))]

    #[test]
    fn making_twice_changes_nothing(raw in nasty_text(24)) {
        let once = SafeText::new(&raw);
        prop_assert_eq!(SafeText::of(raw), once.clone());
        prop_assert_eq!(SafeText::new(once.as_str()), once);
    }

    #[test]
    fn nothing_unsafe_is_left(raw in nasty_text(24)) {
        let made = SafeText::new(&raw);
        for c in made.as_str().chars() {
            let category = get_general_category(c);
            prop_assert!(
                !matches!(
                    category,
                    Cat::Control | Cat::Format | Cat::PrivateUse | Cat::Unassigned
                    | Cat::LineSeparator | Cat::ParagraphSeparator | Cat::Surrogate | Cat::SpacingMark
                ),
                "{:?} holds {}", made, c.escape_unicode()
            );
        }
        for (cluster, cells) in made.clusters() {
            prop_assert!((1..=2).contains(&cells), "{:?} takes {} cells", cluster, cells);
            prop_assert!(cluster.chars().count() <= 1 + make::MAX_MARKS);
        }
    }

    #[test]
    fn text_is_never_lost_without_a_trace(raw in nasty_text(24)) {
        prop_assert_eq!(SafeText::new(&raw).is_empty(), raw.is_empty());
    }

    #[test]
    fn bytes_of_any_kind_are_made_safe(raw in prop::collection::vec(any::<u8>(), 0..64)) {
        let once = SafeText::from_bytes(&raw);
        prop_assert_eq!(SafeText::new(once.as_str()), once.clone());
        prop_assert_eq!(SafeText::from_bytes(once.as_str().as_bytes()), once);
    }

    #[test]
    fn safe_texts_joined_stay_safe_but_for_their_seam(a in nasty_text(8), b in nasty_text(8)) {
        let joined = SafeText::new(&format!("{} {}", SafeText::new(&a), SafeText::new(&b)));
        prop_assert_eq!(joined.as_str(), format!("{} {}", SafeText::new(&a), SafeText::new(&b)));
    }
}

proptest! {
    #![proptest_config(super::cases(40))]

    #[test]
    fn long_texts_are_cut_to_their_limit_and_stay_the_same_when_made_again(
        unit in nasty_text(6), times in 20_000_usize..80_000
    ) {
        let raw = unit.repeat(times);
        let once = SafeText::new(&raw);
        prop_assert!(once.as_str().len() <= MAX_BYTES);
        prop_assert_eq!(SafeText::new(once.as_str()), once);
    }
}

#[test]
fn what_is_too_long_says_how_much_is_missing() {
    let raw = "a".repeat(MAX_BYTES + 1000);
    let made = SafeText::new(&raw);
    assert!(made.as_str().len() <= MAX_BYTES);
    let kept = made.as_str().bytes().take_while(|b| *b == b'a').count();
    assert_eq!(&made.as_str()[kept..], format!("<cut: {} more bytes>", raw.len() - kept));
    assert!(kept > MAX_BYTES - 100);
    let fits = "é".repeat(MAX_BYTES / 2);
    assert_eq!(SafeText::new(&fits).as_str(), fits);
}

#[test]
fn a_hostile_megabyte_takes_no_longer_than_it_has_to() {
    let took = |unit: &str, bytes: usize| {
        let raw = unit.repeat(bytes / unit.len());
        let start = std::time::Instant::now();
        assert!(SafeText::new(&raw).as_str().len() <= MAX_BYTES);
        start.elapsed()
    };
    for unit in
        ["a\u{301}", "\u{301}", "क\u{94d}\u{200d}", "\u{600}", "👨\u{200d}", "\u{d4e}", "\t", "\u{1b}", "🇩"]
    {
        // Four times as much takes four times as long, and sixteen times if it grows with the square. A machine that is
        // busy just then is asked again.
        let grows = || (took(unit, 1 << 18), took(unit, 1 << 20));
        let fast = |(part, whole): &(Duration, Duration)| *whole < *part * 10 || whole.as_millis() < 500;
        let seen: Vec<_> = std::iter::repeat_with(grows).take(5).take_while(|pair| !fast(pair)).collect();
        assert!(seen.len() < 5, "{}: {seen:?}", unit.escape_unicode());
    }
}

#[test]
fn the_lists_of_joining_characters_agree_with_the_segmentation() {
    for c in ('\u{80}'..=char::MAX).filter(|c| get_general_category(*c) != Cat::Unassigned) {
        let one = |text: String| text.graphemes(true).count() == 1;
        if one(format!("a{c}")) {
            let made = SafeText::new(&c.to_string());
            assert_eq!(made.as_str(), format!("<U+{:04X}>", u32::from(c)), "it joins the cluster before it");
        }
        if one(format!("{c}a")) {
            assert!(SafeText::new(&c.to_string()).as_str().is_ascii(), "U+{:X} joins forwards", u32::from(c));
        }
    }
}

#[test]
fn every_single_character_is_one_or_two_cells_or_its_code() {
    for c in '\u{0}'..=char::MAX {
        let made = SafeText::new(&c.to_string());
        assert!(!made.is_empty());
        let same = made.as_str() == c.to_string();
        assert!(!same || (1..=2).contains(&made.width()), "U+{:X}", u32::from(c));
        assert!(same || made.as_str().is_ascii());
    }
}

#[test]
fn lines_keep_their_breaks_and_nothing_else() {
    let lines = SafeText::lines("one\r\ntwo\x1b\nthree");
    assert_eq!(lines, ["one", "two^[", "three"]);
    assert_eq!(SafeText::lines_of_bytes(b"one\r\ntwo\xff\n"), ["one", r"two\xFF"]);
    assert_eq!(SafeText::lines_of_bytes(b"a\n\nb"), ["a", "", "b"]);
}

#[test]
fn json_is_made_safe_when_it_is_read() {
    let read: SafeText = serde_json::from_str(r#""a\u001b[2J""#).unwrap();
    assert_eq!(read, "a^[[2J");
    assert_eq!(serde_json::to_string(&read).unwrap(), r#""a^[[2J""#);
}
