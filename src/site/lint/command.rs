//! What a request and a command of a package start: silently, inside of what is theirs, with exit codes that occur.

use super::Found;
use crate::site::instruction::{CommandLine, Outcome, silent};
use crate::terms::Platform;
use std::collections::BTreeMap;

/// What is started.
pub(super) struct Line<'a> {
    pub line: &'a CommandLine,
    pub automated: bool,
    pub platforms: &'a [Platform],
    pub exit_codes: &'a BTreeMap<i64, Outcome>,
}

/// Judges it; `item` is where what has no item of its own goes.
pub(super) fn judge(command: &Line<'_>, here: &str, item: &'static str, found: &mut Found) {
    if command.automated
        && let Some(doubt) = silent::doubt(command.line)
    {
        found.block("silent", format!("{here}: {}", doubt.why), format!("Publish it with {}", doubt.remedy));
    }
    exit_codes(command, here, item, found);
    outside(command.line, here, item, found);
}

/// Codes that no program can return where it runs: `exit 3010` arrives as 194 on Linux, and is a failure there.
fn exit_codes(command: &Line<'_>, here: &str, item: &'static str, found: &mut Found) {
    const HIGHEST: i64 = 255;
    let all = |of: fn(&Platform) -> bool| !command.platforms.is_empty() && command.platforms.iter().all(of);
    let (low, high, system) = if all(|p| p.is_linux()) {
        (0, HIGHEST, "Linux")
    } else if all(|p| !p.is_linux()) {
        (i64::from(i32::MIN), i64::from(u32::MAX), "Windows")
    } else {
        return;
    };
    let never: Vec<&i64> = command.exit_codes.keys().filter(|code| !(low..=high).contains(*code)).collect();
    let Some(first) = never.first() else { return };
    let names: Vec<String> = never.iter().map(ToString::to_string).collect();
    let arrives = first.rem_euclid(high + 1);
    found.block(
        item,
        format!("{here}: exit_codes names {}, and exit codes end at {high} on {system}", names.join(", ")),
        format!("Name the code that arrives there: {first} arrives as {arrives}"),
    );
}

/// Arguments that lead out of the package: what they name is not what was published, or not there at all.
fn outside(line: &CommandLine, here: &str, item: &'static str, found: &mut Found) {
    for arg in &line.args {
        // Of `NAME=VALUE` the value.
        let value = arg.split_once('=').map_or(arg.as_str(), |(_, value)| value);
        let why = if value.starts_with(r"\\") {
            "is on another machine, which the service may not reach or may find changed"
        } else if value.split(['/', '\\']).any(|part| part == "..") {
            "leads out of the package"
        } else {
            continue;
        };
        let shown = crate::fields::cut(arg, 60);
        found.block(
            item,
            format!("{here}: the argument {shown:?} {why}"),
            "Put the file into the package, and name it by its path there",
        );
    }
}
