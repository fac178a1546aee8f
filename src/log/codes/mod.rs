//! Codes in the text of a log, explained: exit codes of installers, errors of Windows in each of their dresses, `errno`. Only
//! where the text says that a number is a code, or where it can be nothing else. Pure. Called by `pcm log` and the console.

mod tables;

use regex::Regex;
use serde::Serialize;
use std::ops::Range;
use std::sync::LazyLock;
use tables::{ERRNO, HRESULT, Row, SIGNALS, TOOLS, WIN32};

/// So many are explained of one text, and so much of it is gone through.
const MOST: usize = 4;
const LONGEST: usize = 16 * 1024;
/// Codes are looked for in so many lines of a record and in so much of its text, and so many are explained.
const MOST_LINES: usize = 100;
const MOST_TEXT: usize = 4 * LONGEST;
const MOST_OF_RECORD: usize = 16;

/// A code and what it means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explained {
    /// As it stands in the text.
    pub code: String,
    /// What it is called; absent where it has no name.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub name: &'static str,
    /// In words.
    pub meaning: String,
}

impl std::fmt::Display for Explained {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self.name {
            "" => write!(f, "{}: {}", self.code, self.meaning),
            name => write!(f, "{} {name}: {}", self.code, self.meaning),
        }
    }
}

/// How the text introduces a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    /// It stands alone: only what can be nothing else.
    Nothing,
    /// What a program ended with.
    Exit,
    /// The same in a word that is said of other things, too.
    Loosely,
    /// A program, or anything else, returned it.
    Returned,
    /// An error; whose, is not said.
    Error,
    Windows,
    Linux,
}

fn compiled(pattern: &str) -> Option<Regex> {
    Regex::new(pattern).ok()
}

/// Numbers of eight hexadecimal digits; and numbers with what stands before them.
static PATTERNS: LazyLock<Vec<(Said, Regex)>> = LazyLock::new(|| {
    const NUMBER: &str = r"[ \t]*(?:[:=#][ \t]*)?[\(\[]?(?P<code>0x[0-9a-fA-F]{1,8}|-?[0-9]{1,10})\b";
    let said = [
        (Said::Linux, r"(?i)\berrno"),
        (Said::Windows, r"(?i)\b(?:win32|(?:get)?last)[ _-]?error(?:[ _-]?code)?"),
        (Said::Error, r"(?i)\b(?:error|failure)[ _-]?code(?:[ \t]+(?:is|was|of))?"),
        (
            Said::Exit,
            r"(?i)\b(?:(?:exit|return)(?:ed)?[ _-]?(?:code|status)|errorlevel|exited[ \t]+with(?:[ \t]+(?:code|status|error))?|\brc(?:[ \t]*[:=]))(?:[ \t]+(?:is|was|of))?",
        ),
        (Said::Loosely, r"(?i)\bexit(?:ed)?"),
        (Said::Returned, r"(?i)\breturned"),
    ];
    let alone = compiled(r"\b(?P<code>0x[0-9a-fA-F]{8})\b").map(|regex| (Said::Nothing, regex));
    let said =
        said.into_iter().filter_map(|(said, words)| Some((said, compiled(&format!("{words}{NUMBER}"))?)));
    said.chain(alone).collect()
});

/// The codes in the lines of a record, each once. `beside`: its component.
pub fn of_lines<'a>(lines: impl IntoIterator<Item = &'a str>, beside: &str) -> Vec<Explained> {
    let (mut codes, mut text) = (Vec::new(), 0);
    for line in lines.into_iter().take(MOST_LINES) {
        for code in explained(line, beside) {
            if !codes.contains(&code) && codes.len() < MOST_OF_RECORD {
                codes.push(code);
            }
        }
        text += line.len().min(LONGEST);
        if text >= MOST_TEXT || codes.len() >= MOST_OF_RECORD {
            break;
        }
    }
    codes
}

/// The codes in a text, in its order. `beside`: what else is known of who wrote it, its component.
pub fn explained(text: &str, beside: &str) -> Vec<Explained> {
    let mut end = text.len().min(LONGEST);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let text = &text[..end];
    // Nearly every text holds none of the words.
    if !text.bytes().any(|b| b.is_ascii_digit()) {
        return Vec::new();
    }
    let mut found: Vec<(Range<usize>, Explained)> = Vec::new();
    for (said, regex) in PATTERNS.iter() {
        for captures in regex.captures_iter(text) {
            let Some(code) = captures.name("code") else { continue };
            let is_new = found.iter().all(|(at, _)| !at.contains(&code.start()));
            if is_new
                && stands_alone(*said, &text[code.end()..])
                && let Some(meaning) = meaning(*said, code.as_str(), text, beside)
            {
                found.push((code.range(), meaning));
            }
        }
    }
    found.sort_by_key(|(at, _)| at.start);
    let mut all: Vec<Explained> = Vec::new();
    for (_, one) in found {
        if !all.contains(&one) && all.len() < MOST {
            all.push(one);
        }
    }
    all
}

/// Whether a number is not the beginning of something else: 1.5, 100 %, 16:30, 5 files.
fn stands_alone(said: Said, rest: &str) -> bool {
    let mut chars = rest.chars();
    let (first, second) = (chars.next(), chars.next());
    let ends = match first {
        None => true,
        Some('.' | ',' | ':' | '-' | '/') => second.is_none_or(|c| !c.is_ascii_alphanumeric()),
        Some('%') => false,
        Some(c) => !c.is_alphanumeric() && c != '_',
    };
    match said {
        Said::Loosely | Said::Returned => {
            ends && !rest
                .trim_start_matches([' ', '\t'])
                .starts_with(|c: char| c.is_alphanumeric() || c == '%')
        }
        Said::Nothing | Said::Exit | Said::Error | Said::Windows | Said::Linux => {
            ends && !rest.trim_start().starts_with('%')
        }
    }
}

fn meaning(said: Said, code: &str, text: &str, beside: &str) -> Option<Explained> {
    let value = match code.strip_prefix("0x").or(code.strip_prefix("0X")) {
        Some(hex) => i64::from_str_radix(hex, 16).ok()?,
        None => code.parse::<i64>().ok()?,
    };
    // The 32 bits of a negative number are those of an HRESULT.
    let bits = u32::try_from(value).ok().or_else(|| i32::try_from(value).ok().map(i32::cast_unsigned))?;
    let row = |row: Option<&Row<u32>>| {
        row.map(|(_, name, meaning)| Explained {
            code: code.to_owned(),
            name,
            meaning: (*meaning).to_owned(),
        })
    };
    let of = |table: &'static [Row<u32>], value: u32| row(table.iter().find(|(one, ..)| *one == value));
    if bits >= 0x8000_0000 {
        return match said {
            Said::Linux => None,
            _ if bits >> 16 == 0x8007 => of(WIN32, bits & 0xffff),
            _ => of(HRESULT, bits),
        };
    }
    match said {
        Said::Nothing => None,
        Said::Linux => of(ERRNO, bits),
        Said::Windows => of(WIN32, bits),
        Said::Exit | Said::Loosely | Said::Returned | Said::Error => of_exit(said, bits, text, beside)
            .map(|meaning| Explained { code: code.to_owned(), name: "", meaning })
            .or_else(|| if is_installers(bits) { of(WIN32, bits) } else { None }),
    }
}

/// What Windows Installer ends with, which no other program does by chance.
fn is_installers(value: u32) -> bool {
    matches!(value, 1601..=1654 | 3010 | 1223 | 740)
}

fn of_exit(said: Said, value: u32, text: &str, beside: &str) -> Option<String> {
    let names = |tool: &str| {
        let is_word = |words: &str| {
            words
                .split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
                .any(|word| word.eq_ignore_ascii_case(tool))
        };
        is_word(text) || is_word(beside)
    };
    let mut named = TOOLS.iter().filter(|(tools, _)| tools.iter().any(|tool| names(tool))).peekable();
    let known = named.peek().is_some();
    let of_tool = named.flat_map(|(_, codes)| *codes).find(|(code, _)| *code == value);
    if let Some((_, meaning)) = of_tool {
        return Some((*meaning).to_owned());
    }
    // A number that is returned, or is an error, may be anybody's: it is an exit code of the program that is named at most.
    if matches!(said, Said::Returned | Said::Error) {
        return None;
    }
    match value {
        // No other installer that is common ends so.
        100 if !known => Some("apt-get ends so when it failed".to_owned()),
        126 => Some("a shell ends so where the program cannot be run".to_owned()),
        127 => Some("a shell ends so where the program was not found".to_owned()),
        _ => {
            let (_, name) = SIGNALS.iter().find(|(signal, _)| signal + 128 == value)?;
            Some(format!("a shell ends so where {name} ended the program"))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn of(text: &str) -> String {
        explained(text, "").iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn what_is_said_to_be_a_code_is_explained() {
        for (text, begins) in [
            ("Failed with 0x80070005.", "0x80070005 ERROR_ACCESS_DENIED: access is denied"),
            ("hr=0x80004005", "0x80004005 E_FAIL: "),
            ("CoCreateInstance failed: 80040154 (0x80040154)", "0x80040154 REGDB_E_CLASSNOTREG"),
            ("Return code -2147024891", "-2147024891 ERROR_ACCESS_DENIED"),
            ("process ended with exit code 3221225477", "3221225477 STATUS_ACCESS_VIOLATION"),
            ("msiexec exited with exit code: 1603", "1603 ERROR_INSTALL_FAILURE: the installation failed"),
            ("Installation completed with exit code 0x643", "0x643 ERROR_INSTALL_FAILURE"),
            ("Setup returned 3010", "3010 ERROR_SUCCESS_REBOOT_REQUIRED"),
            ("ExitCode=1618, waiting", "1618 ERROR_INSTALL_ALREADY_RUNNING"),
            ("exit 100", "100: apt-get ends so when it failed"),
            ("apt-get: exit status 100", "100: apt-get failed"),
            ("dnf check-update ended with exit code 100", "100: dnf check-update"),
            ("zypper exit status 102", "102: zypper: it succeeded"),
            ("Sub-process /usr/bin/dpkg returned an error code (1)", "1: dpkg failed"),
            ("failed, error code 1619", "1619 ERROR_INSTALL_PACKAGE_OPEN_FAILED"),
            ("Last error: 32", "32 ERROR_SHARING_VIOLATION"),
            ("Win32 error 1326", "1326 ERROR_LOGON_FAILURE"),
            ("open: errno=28", "28 ENOSPC"),
            ("[Errno 13] Permission denied", "13 EACCES"),
            ("exited with status 137", "137: a shell ends so where SIGKILL ended the program"),
            ("dnf returned 100", "100: dnf check-update"),
            ("rc=127", "127: a shell ends so where the program was not found"),
        ] {
            let found = of(text);
            assert!(found.starts_with(begins), "{text}: {found:?}");
        }
        assert_eq!(explained("exit 1", "rpm")[0].meaning, "rpm failed");
        let both = of("0x80070005 then exit code 1603");
        assert!(both.contains("ACCESS_DENIED") && both.contains("; 1603 "), "{both}");
    }

    #[test]
    fn what_is_only_a_number_is_not() {
        for text in [
            "1603",
            "copied 1603 files",
            "port 1603 opened",
            "returned 1603 rows",
            "exit 100 km ahead",
            "100 % done, exit 0",
            "exit code 0",
            "exit code 1",
            "return code 5",
            "version 3010",
            "error 5 of 10",
            "errno 3.5",
            "at 0x80070005f",
            "id 0x8007000512345678",
            "0x12345678",
            "0x00000005",
            "KB1603, exit code unknown",
            "exit code 16030",
            "error code 5.10",
            "errors: 13",
            "terminus 100",
            "last error 0",
            "error code 127",
            "error code 100",
            "failure code: 137",
            "handler returned 127",
            "the lookup returned 100.",
            "curl: error code 6, MySQL error code 1062",
        ] {
            assert_eq!(of(text), "", "{text}");
        }
        let twice = of_lines(["exit code 1603", "nothing", "exit code 1603", "0x80070005"], "");
        assert_eq!(twice.len(), 2, "{twice:?}");
        let many: Vec<String> = (1601..=1654).map(|code| format!("exit code {code}")).collect();
        let all = of_lines(many.iter().map(String::as_str), "");
        assert!(all.len() == MOST_OF_RECORD && all[0].code == "1601", "{}", all.len());
        let long = ["x".repeat(LONGEST), "exit code 1603".to_owned()];
        let lines = |times: usize| {
            of_lines(long[..1].iter().cycle().take(times).chain(&long[1..]).map(String::as_str), "")
        };
        assert_eq!((lines(3).len(), lines(4).len()), (1, 0), "so much of a record is gone through");
        let long = "exit 100 ".repeat(100_000) + "é";
        assert!(explained(&long, "").len() <= MOST);
        assert!(explained(&"é".repeat(LONGEST), "").is_empty());
    }

    #[test]
    fn the_tables_are_in_order_and_their_patterns_hold() {
        assert_eq!(PATTERNS.len(), 7, "each of them can be used");
        for table in [WIN32, ERRNO] {
            assert!(table.windows(2).all(|two| two[0].0 < two[1].0));
        }
        let mut all: Vec<u32> = HRESULT.iter().map(|(code, ..)| *code).collect();
        let before = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), before);
    }
}
