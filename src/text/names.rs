//! Names of hosts, told together: `web-[01-17,19]` for those that differ in a number only.

use std::collections::BTreeMap;

/// A longer number is none that somebody counts by.
const MOST_DIGITS: usize = 18;

/// What stands before and after the number of a name.
type Around<'a> = (&'a str, &'a str);

/// Names in as few words as tell all of them, each once: those that differ in their last number only are one word, whose
/// brackets hold the numbers as a shell would write them out again, noughts at their front included.
pub fn gathered<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut families: BTreeMap<Around<'a>, Vec<(u64, &'a str)>> = BTreeMap::new();
    let mut alone: Vec<&str> = Vec::new();
    for name in names {
        match numbered(name) {
            Some((around, digits, number)) => families.entry(around).or_default().push((number, digits)),
            None => alone.push(name),
        }
    }
    alone.sort_unstable();
    alone.dedup();
    let mut words: Vec<(&str, String)> = alone.into_iter().map(|name| (name, name.to_owned())).collect();
    for ((before, after), mut numbers) in families {
        numbers.sort_unstable_by_key(|(number, digits)| (*number, digits.len()));
        numbers.dedup();
        let inside = ranges(&numbers);
        let whole = match numbers.len() {
            1 => format!("{before}{inside}{after}"),
            _ => format!("{before}[{inside}]{after}"),
        };
        words.push((before, whole));
    }
    words.sort();
    words.into_iter().map(|(_, whole)| whole).collect()
}

/// The last number in a name.
fn numbered(name: &str) -> Option<(Around<'_>, &str, u64)> {
    let end = name.rfind(|c: char| c.is_ascii_digit())? + 1;
    let start = name[..end]
        .rfind(|c: char| !c.is_ascii_digit())
        .map_or(0, |at| at + name[at..].chars().next().map_or(1, char::len_utf8));
    let digits = &name[start..end];
    let number = (digits.len() <= MOST_DIGITS).then(|| digits.parse().ok()).flatten()?;
    Some(((&name[..start], &name[end..]), digits, number))
}

/// `01-17,19`
fn ranges(numbers: &[(u64, &str)]) -> String {
    let mut out = String::new();
    let mut at = 0;
    while let Some((number, digits)) = numbers.get(at) {
        // One that begins with a nought says how wide all of its range are.
        let width = if digits.starts_with('0') { digits.len() } else { 0 };
        let follows = |by: usize| {
            let next = number + by as u64;
            numbers
                .get(at + by)
                .is_some_and(|(other, digits)| *other == next && **digits == format!("{next:0width$}"))
        };
        let mut more = 0;
        while follows(more + 1) {
            more += 1;
        }
        if !out.is_empty() {
            out.push(',');
        }
        out.push_str(digits);
        if more > 0 {
            out.push(if more == 1 { ',' } else { '-' });
            out.push_str(numbers[at + more].1);
        }
        at += more + 1;
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::collections::BTreeSet;

    /// What a shell would make of such a word.
    fn written_out(word: &str) -> Vec<String> {
        let Some((before, rest)) = word.split_once('[') else { return vec![word.to_owned()] };
        let (inside, after) = rest.split_once(']').unwrap();
        let one = |part: &str| -> Vec<String> {
            let (from, to) = part.split_once('-').unwrap_or((part, part));
            let width = if from.starts_with('0') { from.len() } else { 0 };
            let (from, to): (u64, u64) = (from.parse().unwrap(), to.parse().unwrap());
            (from..=to).map(|n| format!("{before}{n:0width$}{after}")).collect()
        };
        inside.split(',').flat_map(one).collect()
    }

    #[test]
    fn names_that_differ_in_a_number_are_one_word() {
        let tell = |names: &str| gathered(names.split(' ')).join(" ");
        assert_eq!(tell("web-03 web-01 web-02 db-02 web-05"), "db-02 web-[01-03,05]");
        assert_eq!(tell("a9 a10 a11 a08 a08"), "a[08,9-11]");
        assert_eq!(
            tell("web-1.example.org web-2.example.org web-1.example.com"),
            "web-1.example.com web-[1,2].example.org"
        );
        assert_eq!(tell("10.0.0.9 10.0.0.10 10.0.0.11"), "10.0.0.[9-11]");
        assert_eq!(tell("alpha alpha beta"), "alpha beta");
        assert_eq!(tell("n12345678901234567890 n1"), "n1 n12345678901234567890");
        assert_eq!(gathered([]), [""; 0]);
        assert_eq!(tell("straße9ß straße8ß"), "straße[8,9]ß");
    }

    #[test]
    fn what_is_written_out_again_is_each_name_once() {
        let mut dice: u64 = 7;
        let mut below = |most: u64| {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (dice >> 33) % most
        };
        for _ in 0..2_000 {
            let names: Vec<String> = (0..below(40))
                .map(|_| {
                    let (number, width) = (below(120), below(4) as usize);
                    let before = ["web-", "db", "", "10.1."][below(4) as usize];
                    format!("{before}{number:0width$}{}", ["", ".org", "-x"][below(3) as usize])
                })
                .collect();
            let told = gathered(names.iter().map(String::as_str));
            let again: Vec<String> = told.iter().flat_map(|word| written_out(word)).collect();
            let wanted: BTreeSet<&String> = names.iter().collect();
            assert_eq!(again.iter().collect::<BTreeSet<_>>(), wanted, "{told:?}");
            assert_eq!(again.len(), wanted.len(), "{told:?}");
        }
    }
}
