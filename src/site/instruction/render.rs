//! Writing an instruction file: what `parse` reads back to the same requests. Used by `site init`, the demo and tests.

use super::{CommandLine, Entry, InstructionFile, Program, Request, Restarts, RunWhen, command};
use crate::clock::{Wall, When};
use chrono::SecondsFormat;
use std::fmt::Write as _;
use std::time::Duration;

/// The text of an instruction file. Rejected entries have nothing that could be written and are left out.
pub fn render(file: &InstructionFile) -> String {
    let mut out = String::new();
    line(&mut out, "format", "1");
    line(&mut out, "site", &quoted(file.site.as_str()));
    line(&mut out, "machine", &quoted(file.machine.as_str()));
    line(&mut out, "serial", &file.serial.to_string());
    line(&mut out, "issued", &instant(file.issued));
    if let Some(until) = file.valid_until {
        line(&mut out, "valid_until", &instant(until));
    }
    for entry in &file.requests {
        if let Entry::Good(request) = entry {
            render_request(&mut out, request, file.issued);
        }
    }
    out.push_str("\n[end]\n");
    line(&mut out, "serial", &file.serial.to_string());
    out
}

fn render_request(out: &mut String, r: &Request, issued: Wall) {
    out.push_str("\n[[request]]\n");
    line(out, "request_id", &quoted(r.request_id.as_str()));
    line(out, "job_id", &quoted(r.job_id.as_str()));
    line(out, "package_id", &quoted(r.package_id.as_str()));
    line(out, "package", &quoted(r.package.as_str()));
    line(out, "command", &quoted(r.command.as_str()));
    line(out, "command_line", &command_line(&r.command_line));
    line(out, "automated", bool_word(r.automated));
    line(out, "background", bool_word(r.background));
    // Not written it means the same, and nothing can contradict it.
    if r.offer_after != When::Instant(issued) {
        line(out, "offer_after", &when(r.offer_after));
    }
    if let Some(at) = r.mandatory_after {
        line(out, "mandatory_after", &when(at));
    }
    if let Some(at) = r.expire_after {
        line(out, "expire_after", &when(at));
    }
    if !r.platforms.is_empty() {
        let all: Vec<_> = r.platforms.iter().map(|p| quoted(p.as_str())).collect();
        line(out, "platforms", &format!("[{}]", all.join(", ")));
    }
    if r.run_when != RunWhen::Any {
        line(out, "run_when", &quoted(r.run_when.as_str()));
    }
    line(out, "max_run_time", &quoted(&duration(r.max_run_time)));
    if r.restarts != Restarts::No {
        line(out, "restarts", &quoted(r.restarts.as_str()));
    }
    if r.ignore_windows {
        line(out, "ignore_windows", "true");
    }
    if let Some(bytes) = r.disk_space {
        line(out, "disk_space", &quoted(&size(bytes)));
    }
    if !r.depends_on.is_empty() {
        let all: Vec<_> = r.depends_on.iter().map(|id| quoted(id.as_str())).collect();
        line(out, "depends_on", &format!("[{}]", all.join(", ")));
    }
    if r.suspended {
        line(out, "suspended", "true");
    }
    if let Some(hash) = &r.content_sha256 {
        line(out, "content_sha256", &quoted(hash.as_str()));
    }
    if !r.exit_codes.is_empty() {
        out.push_str("[request.exit_codes]\n");
        for (code, outcome) in &r.exit_codes {
            line(out, &quoted(&code.to_string()), &quoted(outcome.as_str()));
        }
    }
}

/// A key with its value, which is TOML already.
pub(crate) fn line(out: &mut String, key: &str, value: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{key} = {value}");
}

/// A TOML string on one line.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A command line as one string, or as an array where no string can say it.
pub(crate) fn command_line(line: &CommandLine) -> String {
    let program = match &line.program {
        Program::Listed(name) => name.clone(),
        // A bare name could stand on a machine's list; with `./` it is always in the package.
        Program::InPackage(path) if could_be_listed(path) => format!("./{path}"),
        Program::InPackage(path) => path.clone(),
    };
    let words: Vec<String> = std::iter::once(program).chain(line.args.iter().cloned()).collect();
    match command::join(&words) {
        Some(joined) => quoted(&joined),
        None => {
            let words: Vec<_> = words.iter().map(|w| quoted(w)).collect();
            format!("[{}]", words.join(", "))
        }
    }
}

fn could_be_listed(path: &str) -> bool {
    let known = ["linux", "windows"].iter().flat_map(|os| command::platform_programs(os));
    !path.contains('/') && (!path.contains('.') || known.clone().any(|p| p.eq_ignore_ascii_case(path)))
}

/// An instant, or a wall clock's time.
pub(crate) fn when(when: When) -> String {
    match when {
        When::Instant(at) => instant(at),
        When::Local(at) => at.format("%Y-%m-%dT%H:%M:%S%.f").to_string(),
    }
}

fn instant(at: Wall) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// `2h`, `10m`, `30s`
pub(crate) fn duration(d: Duration) -> String {
    match d.as_secs() {
        s if s > 0 && s % 3_600 == 0 => format!("{}h", s / 3_600),
        s if s > 0 && s % 60 == 0 => format!("{}m", s / 60),
        s => format!("{s}s"),
    }
}

/// `200 MB`
pub(crate) fn size(bytes: u64) -> String {
    let unit = [(40, "TB"), (30, "GB"), (20, "MB"), (10, "KB")];
    match unit.iter().find(|(shift, _)| bytes > 0 && bytes.is_multiple_of(1 << shift)) {
        Some((shift, unit)) => format!("{} {unit}", bytes >> shift),
        None => format!("{bytes} B"),
    }
}

fn bool_word(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

#[cfg(test)]
mod tests;
