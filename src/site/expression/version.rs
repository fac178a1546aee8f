//! Versions, compared part by part (SITE.md 2): numbers as numbers, words as words, a number above a word, and a part
//! that is missing as 0, so that `1.2` is `1.2.0` and above `1.2rc1`. Package managers have rules of their own; this is
//! for what has none.

use std::cmp::Ordering;

/// How two versions compare.
pub fn compare(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (Parts(a), Parts(b));
    loop {
        let order = match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (a, b) => a.unwrap_or(Part::Number("")).cmp(&b.unwrap_or(Part::Number(""))),
        };
        if order.is_ne() {
            return order;
        }
    }
}

/// Whether a text begins as a version does, with a digit, and is made of what versions are made of.
pub fn is_version(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || ".+-~:_".contains(c);
    text.starts_with(|c: char| c.is_ascii_digit()) && text.len() <= 100 && text.chars().all(inner)
}

/// A run of digits without leading zeros, or of letters. A word is below any number.
#[derive(Debug, PartialEq, Eq)]
enum Part<'a> {
    Word(&'a str),
    Number(&'a str),
}

impl Part<'_> {
    fn cmp(&self, other: &Part<'_>) -> Ordering {
        match (self, other) {
            (Part::Word(a), Part::Word(b)) => {
                let lower = |word: &str| word.to_lowercase();
                lower(a).cmp(&lower(b))
            }
            // However many digits: the longer one is the higher one.
            (Part::Number(a), Part::Number(b)) => a.len().cmp(&b.len()).then_with(|| a.cmp(b)),
            (Part::Word(_), Part::Number(_)) => Ordering::Less,
            (Part::Number(_), Part::Word(_)) => Ordering::Greater,
        }
    }
}

/// The parts of a version; what is neither digit nor letter only divides them.
struct Parts<'a>(&'a str);

impl<'a> Iterator for Parts<'a> {
    type Item = Part<'a>;

    fn next(&mut self) -> Option<Part<'a>> {
        let rest = self.0.trim_start_matches(|c: char| !c.is_alphanumeric());
        let first = rest.chars().next()?;
        let number = first.is_ascii_digit();
        let same =
            |c: char| if number { c.is_ascii_digit() } else { c.is_alphanumeric() && !c.is_ascii_digit() };
        let end = rest.find(|c: char| !same(c)).unwrap_or(rest.len());
        self.0 = &rest[end..];
        Some(match number {
            true => Part::Number(rest[..end].trim_start_matches('0')),
            false => Part::Word(&rest[..end]),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parts_count_one_after_the_other() {
        let rising = [
            "1.2alpha", "1.2beta", "1.2rc1", "1.2rc2", "1.2", "1.2.1", "1.2.9", "1.2.10", "1.10", "2", "10.0",
        ];
        for (i, a) in rising.iter().enumerate() {
            for (j, b) in rising.iter().enumerate() {
                assert_eq!(compare(a, b), i.cmp(&j), "{a} and {b}");
            }
        }
        for same in ["1.2", "1.2.0", "1-2", "01.02.00", "1.2.0.0"] {
            assert_eq!(compare("1.2", same), Ordering::Equal, "{same}");
        }
        let long = "9".repeat(500);
        assert_eq!(compare(&long, &format!("{long}0")), Ordering::Less);
    }

    proptest! {
        #[test]
        fn any_versions_have_an_order(a in "[0-9a-c.~-]{0,8}", b in "[0-9a-c.~-]{0,8}", c in "[0-9a-c.~-]{0,8}") {
            prop_assert_eq!(compare(&a, &b), compare(&b, &a).reverse());
            if compare(&a, &b).is_le() && compare(&b, &c).is_le() {
                prop_assert!(compare(&a, &c).is_le(), "{} {} {}", a, b, c);
            }
        }
    }
}
