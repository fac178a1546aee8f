//! Which pcm a machine has to have for what is published (SITE.md 2): a key that it does not know is an error of its record
//! there. What a later pcm brings to a published file has its row here, so that whoever publishes hears which machines
//! cannot take it. Pure.

use super::expression::version::{compare, is_version};

/// The first one that reads an index.
pub const FIRST: &str = "0.1.0";

/// A key that came later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Later {
    /// In files of this folder of a site: `jobs`, `packages`.
    pub folder: &'static str,
    /// In whatever table.
    pub key: &'static str,
    /// The first pcm that knows it.
    pub since: &'static str,
}

/// All of them.
pub const LATER: &[Later] = &[];

/// The oldest pcm that takes a file of this folder. `later`: what came since the first one.
pub fn of(folder: &str, text: &str, later: &[Later]) -> &'static str {
    let mut rows = later.iter().filter(|row| row.folder == folder).peekable();
    // What cannot be read is published by nobody.
    let table = rows.peek().and_then(|_| text.parse::<toml::Table>().ok()).unwrap_or_default();
    rows.filter(|row| has(&table, row.key)).map(|row| row.since).fold(FIRST, newer)
}

/// The newer one of two.
pub fn newer(a: &'static str, b: &'static str) -> &'static str {
    if compare(a, b).is_lt() { b } else { a }
}

/// Whether a machine that reports this version cannot take what needs that one. What is no version says nothing.
pub fn is_too_old(reported: &str, needed: &str) -> bool {
    is_version(reported) && compare(reported, needed).is_lt()
}

fn has(table: &toml::Table, key: &str) -> bool {
    table.iter().any(|(name, value)| name == key || is_in(value, key))
}

fn is_in(value: &toml::Value, key: &str) -> bool {
    match value {
        toml::Value::Table(table) => has(table, key),
        toml::Value::Array(all) => all.iter().any(|value| is_in(value, key)),
        toml::Value::String(_)
        | toml::Value::Integer(_)
        | toml::Value::Float(_)
        | toml::Value::Boolean(_)
        | toml::Value::Datetime(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &[Later] = &[
        Later { folder: "jobs", key: "colour", since: "0.3.0" },
        Later { folder: "jobs", key: "shape", since: "0.10.0" },
        Later { folder: "packages", key: "weight", since: "1.0" },
    ];

    #[test]
    fn a_file_needs_the_newest_pcm_that_brought_one_of_its_keys() {
        for (folder, text, needed) in [
            ("jobs", "package_id = \"BP00000A\"\n", FIRST),
            ("jobs", "colour = \"red\"\n", "0.3.0"),
            ("jobs", "shape = 1\ncolour = \"red\"\n", "0.10.0"),
            ("jobs", "reason = \"colour = red\"\n", FIRST),
            ("jobs", "[exit_codes]\ncolour = 3\n", "0.3.0"),
            ("jobs", "phases = [{ shape = 1 }]\n", "0.10.0"),
            ("jobs", "weight = 1\n", FIRST),
            ("packages", "[[command]]\nweight = 1\n", "1.0"),
            ("jobs", "colour =\n", FIRST),
        ] {
            assert_eq!(of(folder, text, TWO), needed, "{folder} {text:?}");
            assert_eq!(of(folder, text, &[]), FIRST, "{text:?}");
        }
    }

    #[test]
    fn versions_are_compared_part_by_part_and_what_is_none_says_nothing() {
        assert!(is_too_old("0.9.9", "0.10.0") && is_too_old("0.10.0-rc1", "0.10.0"));
        assert!(!is_too_old("0.10.0", "0.10.0") && !is_too_old("1.0", "0.10.0"));
        assert!(!is_too_old("", "0.10.0") && !is_too_old("unknown", "0.10.0"));
        // No row is wrong, and this pcm knows all of them.
        for row in LATER {
            assert!(is_version(row.since) && !is_too_old(env!("CARGO_PKG_VERSION"), row.since), "{row:?}");
        }
    }
}
