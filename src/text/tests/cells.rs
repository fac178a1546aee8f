use crate::text::SafeText;
use proptest::prelude::*;

fn texts() -> impl Strategy<Value = SafeText> {
    "[ -~漢é😀\u{301}\u{e01}\u{644}\u{627}]{0,30}".prop_map(SafeText::from)
}

proptest! {
    #![proptest_config(super::cases(2000))]

    #[test]
    fn a_fitted_text_fits_and_a_padded_one_fits_exactly(text in texts(), cells in 0_usize..40) {
        prop_assert!(text.fit(cells).width() <= cells);
        prop_assert!(text.fit_ascii(cells).width() <= cells);
        prop_assert_eq!(text.pad(cells).width(), cells);
        prop_assert_eq!(text.pad_left(cells).width(), cells);
        if text.width() <= cells {
            prop_assert_eq!(text.fit(cells), text.clone());
        } else {
            // As many whole clusters as leave a cell for the mark.
            let mut used = 0;
            let whole = text.clusters().take_while(|(_, wide)| {
                used += wide;
                used < cells
            });
            let whole: String = whole.map(|(cluster, _)| cluster).collect();
            let mark = if cells > 0 { "…" } else { "" };
            prop_assert_eq!(text.fit(cells).to_string(), format!("{whole}{mark}"));
        }
        for made in [text.fit(cells), text.fit_ascii(cells), text.pad(cells), text.pad_left(cells), text.skip(cells)] {
            prop_assert_eq!(SafeText::new(made.as_str()), made);
        }
    }

    #[test]
    fn wrapped_rows_fit_and_hold_the_whole_text(text in texts(), cells in 2_usize..20) {
        let rows = text.wrap(cells);
        prop_assert!(rows.iter().all(|row| row.width() <= cells));
        prop_assert_eq!(rows.iter().map(SafeText::as_str).collect::<String>(), text.as_str());
    }

    #[test]
    fn skipping_cells_takes_them_from_the_width(text in texts(), cells in 0_usize..40) {
        prop_assert_eq!(text.skip(cells).width(), text.width().saturating_sub(cells));
    }
}

#[test]
fn wide_characters_are_not_cut_in_half() {
    let text = SafeText::from("漢字かな");
    assert_eq!(text.width(), 8);
    assert_eq!(text.fit(8), "漢字かな");
    assert_eq!(text.fit(7), "漢字か…");
    assert_eq!(text.fit(6), "漢字…");
    assert_eq!(text.pad(6), "漢字… ");
    assert_eq!(text.fit_ascii(4), "漢~");
    assert_eq!(text.fit(1), "…");
    assert_eq!(text.fit(0), "");
    assert_eq!(text.skip(3), " かな");
    assert_eq!(text.pad_left(10), "  漢字かな");
}

#[test]
fn rows_break_at_blanks_where_there_are_any() {
    let rows = SafeText::from("Packages before filter: 7").wrap(12);
    assert_eq!(rows, ["Packages ", "before ", "filter: 7"]);
    assert_eq!(SafeText::from("abcdefgh").wrap(3), ["abc", "def", "gh"]);
    assert_eq!(SafeText::from("").wrap(3), [""]);
}

#[test]
fn text_for_ascii_terminals_keeps_its_width() {
    let text = SafeText::from("naïve 漢字 “x” │─┐ a…");
    assert_eq!(text.ascii(), "na?ve ???? \"x\" |-+ a~");
    assert_eq!(text.ascii().width(), text.width());
    assert_eq!(text.fit_ascii(9).ascii(), "na?ve ??~");
}
