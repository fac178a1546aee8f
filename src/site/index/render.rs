//! Writing an index and its jobs: what `parse` reads back to the same. Everything is written out: a job leaves nothing to
//! a machine's defaults.

use super::job::{Job, Limits, Word, share_words};
use super::members::Part;
use super::{Index, target};
use crate::clock::Wall;
use crate::site::instruction::render::{command_line, duration, line, quoted, size, when};
use crate::site::package::MAX_RUN_TIME;
use chrono::SecondsFormat;
use std::fmt::Write as _;

/// The text of an index, as it is signed.
pub fn index(index: &Index) -> String {
    let mut out = String::from("kind = \"index\"\nformat = 1\n");
    line(&mut out, "site", &quoted(index.site.as_str()));
    line(&mut out, "site_id", &quoted(index.site_id.as_str()));
    line(&mut out, "epoch", &index.epoch.to_string());
    line(&mut out, "serial", &index.serial.to_string());
    line(&mut out, "issued", &instant(index.issued));
    if let Some(until) = index.valid_until {
        line(&mut out, "valid_until", &instant(until));
    }
    for job in &index.jobs {
        out.push_str("\n[[job]]\n");
        line(&mut out, "job_id", &quoted(job.job_id.as_str()));
        line(&mut out, "revision", &job.revision.to_string());
        line(&mut out, "sha256", &quoted(job.sha256.as_str()));
        line(&mut out, "state", &quoted(job.state.as_str()));
        line(&mut out, "percent", &target::percent(job.percent));
        if let Some(reason) = &job.reason {
            line(&mut out, "reason", &quoted(reason.as_str()));
        }
    }
    for policy in &index.policies {
        out.push_str("\n[[policy]]\n");
        line(&mut out, "group", &quoted(&policy.group));
        line(&mut out, "revision", &policy.revision.to_string());
        line(&mut out, "sha256", &quoted(policy.sha256.as_str()));
    }
    if let Some(members) = &index.members {
        out.push_str("\n[members]\n");
        line(&mut out, "parts", &members.digits.to_string());
        line(&mut out, "revision", &members.revision.to_string());
        line(&mut out, "sha256", &quoted(members.sha256.as_str()));
    }
    out.push_str("\n[end]\n");
    line(&mut out, "serial", &index.serial.to_string());
    out
}

/// The text of the list of parts.
pub fn list(parts: &[Part]) -> String {
    let mut out = String::new();
    for part in parts {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{} {} {}", part.name, part.revision, part.sha256.as_str());
    }
    out
}

/// The text of a job as it is published.
pub fn job(job: &Job) -> String {
    let mut out = String::from("kind = \"job\"\nformat = 1\n");
    line(&mut out, "site_id", &quoted(job.site_id.as_str()));
    line(&mut out, "revision", &job.revision.to_string());
    body(&mut out, job, "");
    out
}

/// A job as its machines shall have it for now: for those alone that come first, as long as no share of them has been
/// reached; and the share that the index then says.
pub fn for_now(job: &Job, word: &Word) -> (Job, u32) {
    if !word.is_canary() {
        return (job.clone(), word.percent);
    }
    let targets = word.canary.iter().map(|id| target::Target::Machine(*id)).collect();
    (Job { targets, ..job.clone() }, target::WHOLE)
}

/// The text of a job in a site folder, with the publisher's word on it.
pub fn job_source(job: &Job, word: &Word) -> String {
    let mut head = String::new();
    line(&mut head, "state", &quoted(word.state.as_str()));
    line(&mut head, "percent", &target::percent(word.percent));
    if let Some(reason) = &word.reason {
        line(&mut head, "reason", &quoted(reason.as_str()));
    }
    if let Some(since) = word.since {
        line(&mut head, "since", &instant(since));
    }
    if let Some(reached) = word.reached {
        line(&mut head, "reached", &instant(reached));
    }
    if !word.canary.is_empty() {
        line(&mut head, "canary", &all(word.canary.iter().map(|id| id.as_str())));
    }
    let (limits, usual) = (word.limits, Limits::default());
    for (key, share, usual) in [
        ("max_failure_rate", limits.max_failure_rate, usual.max_failure_rate),
        ("min_ended", limits.min_ended, usual.min_ended),
        ("max_silent", limits.max_silent, usual.max_silent),
    ] {
        if share != usual {
            line(&mut head, key, &share_words(share));
        }
    }
    let mut out = String::new();
    body(&mut out, job, &head);
    out
}

/// All fields but those of the publication; `more` comes before the last table.
fn body(out: &mut String, job: &Job, more: &str) {
    line(out, "job_id", &quoted(job.job_id.as_str()));
    line(out, "request_id", &quoted(job.request_id.as_str()));
    line(out, "package_id", &quoted(job.package_id.as_str()));
    line(out, "package", &quoted(job.package.as_str()));
    line(out, "version", &quoted(job.version.as_str()));
    line(out, "release", &job.release.to_string());
    line(out, "package_sha256", &quoted(job.package_sha256.as_str()));
    line(out, "command", &quoted(job.command.as_str()));
    line(out, "command_line", &command_line(&job.command_line));
    if let Some(hash) = &job.content_sha256 {
        line(out, "content_sha256", &quoted(hash.as_str()));
    }
    let how = &job.how;
    line(out, "automated", yes(how.automated));
    line(out, "background", yes(how.background));
    line(out, "platforms", &all(how.platforms.iter().map(|p| p.as_str())));
    line(out, "run_when", &quoted(how.run_when.as_str()));
    line(out, "max_run_time", &quoted(&duration(how.max_run_time.unwrap_or(MAX_RUN_TIME))));
    line(out, "restarts", &quoted(how.restarts.as_str()));
    line(out, "disk_space", &quoted(&size(how.disk_space.unwrap_or(0))));
    line(out, "removes", yes(job.removes));
    let texts = |all: &[target::Target]| all.iter().map(ToString::to_string).collect::<Vec<_>>();
    line(out, "targets", &all(texts(&job.targets)));
    if !job.exclude.is_empty() {
        line(out, "exclude", &all(texts(&job.exclude)));
    }
    if let Some(condition) = &job.condition {
        line(out, "where", &quoted(&condition.to_string()));
    }
    for (key, at) in [
        ("offer_after", job.times.offer),
        ("mandatory_after", job.times.mandatory),
        ("expire_after", job.times.expire),
    ] {
        if let Some(at) = at {
            line(out, key, &when(at));
        }
    }
    if !job.phases.is_empty() {
        line(out, "phases", &all(job.phases.iter().map(ToString::to_string)));
    }
    if let Some(spread) = job.spread {
        line(out, "spread", &quoted(&duration(spread)));
    }
    if !job.supersedes.is_empty() {
        line(out, "supersedes", &all(job.supersedes.iter().map(ToString::to_string)));
    }
    if !job.depends_on.is_empty() {
        line(out, "depends_on", &all(job.depends_on.iter().map(ToString::to_string)));
    }
    if let Some(who) = job.offer_to {
        line(out, "offer_to", &quoted(who.as_str()));
    }
    out.push_str(more);
    out.push_str("\n[exit_codes]\n");
    for (code, outcome) in &how.exit_codes {
        line(out, &quoted(&code.to_string()), &quoted(outcome.as_str()));
    }
}

fn all<T: AsRef<str>>(words: impl IntoIterator<Item = T>) -> String {
    let words: Vec<String> = words.into_iter().map(|word| quoted(word.as_ref())).collect();
    format!("[{}]", words.join(", "))
}

fn instant(at: Wall) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

fn yes(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}
