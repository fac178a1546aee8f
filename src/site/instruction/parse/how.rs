//! What a request and a command of a package have in common: what is started, and how (FORMATS.md 3 and 4).

use super::MALFORMED;
use crate::fields::{self, Fields};
use crate::site::instruction::{CommandLine, ContentHash, Outcome, Restarts, RunWhen, command};
use crate::terms::Platform;
use crate::text::split;
use std::collections::BTreeMap;
use std::time::Duration;
use toml::de::DeValue;

/// The longest time anything may run.
pub(crate) const LONGEST_RUN: Duration = Duration::from_secs(24 * 3_600);
/// The most entries of `depends_on`, `platforms` and `exit_codes`.
const MAX_LIST: usize = 256;

/// How something runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct How {
    /// Needs no user input.
    pub automated: bool,
    /// For the service only.
    pub background: bool,
    /// Empty: any.
    pub platforms: Vec<Platform>,
    /// Which presence of users it wants.
    pub run_when: RunWhen,
    /// The whole process tree is ended when it has run this long; None: not written.
    pub max_run_time: Option<Duration>,
    /// Whether it restarts the machine.
    pub restarts: Restarts,
    /// Automatic runs may start outside maintenance windows.
    pub ignore_windows: bool,
    /// Bytes that must be free where the state folder is.
    pub disk_space: Option<u64>,
    /// What differs from the default table.
    pub exit_codes: BTreeMap<i64, Outcome>,
}

/// Reads these fields of a table, every problem into it.
pub(crate) fn how(f: &mut Fields<'_, '_>) -> How {
    let (automated, background) = kind(f);
    How {
        automated,
        background,
        platforms: list_of(f, "platforms", fields::one_of(Platform::ALL, Platform::as_str)),
        run_when: f.get("run_when", fields::one_of(RunWhen::ALL, RunWhen::as_str)).unwrap_or_default(),
        max_run_time: f.get("max_run_time", run_time),
        restarts: f.get("restarts", fields::one_of(Restarts::ALL, Restarts::as_str)).unwrap_or_default(),
        ignore_windows: f.get("ignore_windows", fields::boolean).unwrap_or(false),
        disk_space: f.get("disk_space", fields::size),
        exit_codes: exit_codes(f),
    }
}

/// The command line, split and checked. What is refused has a code of its own.
pub(crate) fn command_line(f: &mut Fields<'_, '_>, programs: &[String]) -> Option<CommandLine> {
    const KEY: &str = "command_line";
    let words = f.need(KEY, |v| match v {
        DeValue::String(line) => Ok(split(line)),
        DeValue::Array(words) => {
            let words = words.iter().map(|w| fields::text(w.get_ref()).map(str::to_owned));
            words.collect::<Result<Vec<_>, _>>().map(Ok)
        }
        other => Err(format!(
            "wanted a string like \"setup.sh --silent\" or an array of strings, found {}",
            fields::found(other)
        )),
    })?;
    match words.and_then(|words| command::command_line(words, programs)) {
        Ok(line) => Some(line),
        Err(why) => {
            f.wrong_as("command-refused", KEY, why);
            None
        }
    }
}

/// `automated` and `background`, with what one says about the other.
fn kind(f: &mut Fields<'_, '_>) -> (bool, bool) {
    let automated = f.get("automated", fields::boolean);
    let background = f.get("background", fields::boolean).unwrap_or(false);
    if background && automated == Some(false) {
        let message =
            "a background command runs without a user: automated = false excludes background = true";
        f.wrong_as("contradiction", "automated", message);
    }
    (automated.unwrap_or(false) || background, background)
}

fn run_time(value: &DeValue<'_>) -> Result<Duration, String> {
    let time = fields::some_time(value)?;
    if time > LONGEST_RUN { Err(format!("at most 24h, found {}", fields::found(value))) } else { Ok(time) }
}

/// The hash of a list of files.
pub(crate) fn content_hash(value: &DeValue<'_>) -> Result<ContentHash, String> {
    let text = fields::text(value)?;
    ContentHash::try_from(text.to_owned())
        .map_err(|wanted| format!("{wanted}, found {}", fields::found(value)))
}

/// A list without repetitions, bounded.
pub(crate) fn list_of<'s, 't, T: PartialEq>(
    f: &mut Fields<'s, 't>,
    key: &'static str,
    read: impl FnMut(&'s DeValue<'t>) -> Result<T, String>,
) -> Vec<T> {
    let all = f.list(key, read).unwrap_or_default();
    if all.len() > MAX_LIST {
        f.wrong(key, format!("more than {MAX_LIST} entries"));
        return Vec::new();
    }
    let mut once = Vec::new();
    for value in all {
        if !once.contains(&value) {
            once.push(value);
        }
    }
    once
}

/// What differs from the default table. The keys are data: exit codes as decimal numbers.
fn exit_codes(f: &mut Fields<'_, '_>) -> BTreeMap<i64, Outcome> {
    let mut codes = BTreeMap::new();
    let Some(mut table) = f.table("exit_codes") else { return codes };
    let entries: Vec<_> = table.entries().collect();
    if entries.len() > MAX_LIST {
        f.wrong("exit_codes", format!("more than {MAX_LIST} entries"));
        return codes;
    }
    for (key, at, value) in entries {
        let shown = fields::cut(key, 40);
        // One way to write a number, so that no code can stand there twice.
        let Some(code) = key.parse::<i64>().ok().filter(|n| n.to_string() == key) else {
            table.wrong_at(MALFORMED, &shown, at, "an exit code is a decimal number, like \"3010\"");
            continue;
        };
        match fields::one_of(Outcome::ALL, Outcome::as_str)(value) {
            Ok(outcome) => {
                codes.insert(code, outcome);
            }
            Err(message) => table.wrong_at(MALFORMED, &shown, at, message),
        }
    }
    f.absorb(table.finish());
    codes
}
