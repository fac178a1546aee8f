//! Reading `pcm.toml`: the key table of FORMATS.md 9. Used by `Config::parse` only.

use super::{Config, PollingBy};
use crate::fields::{self, Fields, Source};
use crate::log::write::LogFormat;
use crate::site::instruction::command::refuse_listed;
use crate::site::site_file::read_freeze;
use crate::site::trust::TrustMode;
use crate::terms::Problem;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;
use toml::de::{DeTable, DeValue};

/// A wrong configuration closes the policy gate, hence its code.
const CODE: &str = "policy-unreadable";
/// No request may run longer (FORMATS.md 3).
const LONGEST_RUN: Duration = Duration::from_secs(24 * 3_600);

pub(super) fn parse(bytes: &[u8], file: &str) -> Result<Config, Vec<Problem>> {
    let source = Source::decode(bytes, file, CODE).map_err(|p| vec![p])?;
    let (table, errors) = DeTable::parse_recoverable(source.text);
    let mut problems: Vec<Problem> = errors.iter().map(|e| source.syntax(e)).collect();
    // One thing that is wrong makes the parser stumble several times in its line.
    problems.dedup_by_key(|p| p.line);
    // What the parser could not make sense of, it replaces by something; no second complaint about that.
    let broken: BTreeSet<_> = problems.iter().map(|p| p.line).collect();

    let mut top = Fields::top(&source, table.get_ref());
    let config = config(&mut top);
    let unknown = top.unknown();
    let found = top.finish().into_iter().chain(unknown);
    problems.extend(found.filter(|p| !broken.contains(&p.line)));
    problems.sort_by_key(|p| p.line);
    problems.dedup();
    if problems.is_empty() { Ok(config) } else { Err(problems) }
}

/// Reads one section; what it leaves unread is an error.
fn section(top: &mut Fields<'_, '_>, key: &'static str, read: impl FnOnce(&mut Fields<'_, '_>)) {
    let Some(mut section) = top.table(key) else { return };
    read(&mut section);
    close(top, section);
}

fn close(top: &mut Fields<'_, '_>, section: Fields<'_, '_>) {
    top.absorb(section.unknown());
    top.absorb(section.finish());
}

/// Puts a value in its place where it is written and right.
fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

fn config(top: &mut Fields<'_, '_>) -> Config {
    let mut c = Config { machine: top.get("machine", fields::parsed), ..Config::default() };
    set(&mut c.shares, top.list("shares", folder));
    if let Some(own) = top.get("polling_interval", fields::some_time) {
        (c.polling_interval, c.polling_by) = (own, PollingBy::Configuration);
    }
    set(&mut c.role, top.get("role", |v| fields::text(v).map(Into::into)));

    section(top, "run", |f| {
        set(&mut c.run.max_run_time, f.get("max_run_time", run_time));
        set(&mut c.run.countdown, f.get("countdown", fields::duration));
        set(&mut c.run.after_boot, f.get("after_boot", fields::duration));
        set(&mut c.run.retries, f.get("retries", fields::small));
        set(&mut c.run.retry_after, f.get("retry_after", fields::duration));
        c.run.run_as = f.get("run_as", nonempty);
    });
    section(top, "execute", |f| set(&mut c.programs, f.list("programs", program)));
    section(top, "windows", |f| {
        set(&mut c.windows.weekly, f.list("weekly", nonempty));
        set(&mut c.windows.zone, f.get("zone", nonempty));
    });
    for mut f in top.tables("freeze") {
        c.freezes.extend(read_freeze(&mut f));
        close(top, f);
    }
    section(top, "deferral", |f| {
        set(&mut c.deferral.max_count, f.get("max_count", fields::small));
        set(&mut c.deferral.max_total, f.get("max_total", fields::duration));
        set(&mut c.deferral.never_within, f.get("never_within", fields::duration));
    });
    section(top, "users", |f| {
        set(&mut c.users.ignore, f.list("ignore", nonempty));
        set(&mut c.users.busy_within, f.get("busy_within", fields::duration));
    });
    section(top, "restart", |f| {
        set(&mut c.restart.allow, f.get("allow", fields::boolean));
        set(&mut c.restart.countdown, f.get("countdown", fields::duration));
        set(&mut c.restart.command, command(f, "command"));
    });
    section(top, "share", |f| {
        set(&mut c.share.stale_after, f.get("stale_after", fields::some_time));
        set(&mut c.share.timeout, f.get("timeout", fields::some_time));
    });
    section(top, "trust", |f| {
        const MODES: &[(&str, TrustMode)] =
            &[("signed", TrustMode::Signed), ("permissions", TrustMode::Permissions)];
        set(&mut c.trust.mode, f.get("mode", fields::one_of(MODES)));
        c.trust.dir = f.get("dir", folder);
    });
    section(top, "operators", |f| set(&mut c.operators_group, f.get("group", nonempty)));
    section(top, "notify", |f| set(&mut c.notify, command(f, "command")));
    section(top, "check", |f| {
        set(&mut c.check.backup, command(f, "backup"));
        c.check.backup_marker = f.get("backup_marker", folder);
        set(&mut c.check.backup_within, f.get("backup_within", fields::some_time));
    });
    section(top, "retention", |f| {
        set(&mut c.retention.transcripts, f.get("transcripts", fields::duration));
        set(&mut c.retention.stage, f.get("stage", fields::duration));
    });
    section(top, "log", |f| {
        const FORMATS: &[(&str, LogFormat)] =
            &[("cmtrace", LogFormat::Cmtrace), ("classic", LogFormat::Classic)];
        c.log.dir = f.get("dir", folder);
        set(&mut c.log.format, f.get("format", fields::one_of(FORMATS)));
        set(&mut c.log.max_size, f.get("max_size", log_size));
        set(&mut c.log.keep, f.get("keep", fields::small));
        set(&mut c.log.files, f.list("files", nonempty));
    });
    section(top, "console", |f| {
        set(&mut c.console.theme, f.get("theme", nonempty));
        c.console.keymap = f.get("keymap", nonempty).map(PathBuf::from);
        c.console.roles = roles(f);
    });
    c
}

/// Role to theme; the keys are the site's own words.
fn roles(f: &mut Fields<'_, '_>) -> Vec<(String, String)> {
    let Some(mut table) = f.table("roles") else { return Vec::new() };
    let mut roles = Vec::new();
    for (role, at, theme) in table.entries() {
        match nonempty(theme) {
            Ok(theme) => roles.push((role.to_owned(), theme)),
            Err(message) => table.wrong_at(CODE, &fields::cut(role, 60), at, message),
        }
    }
    f.absorb(table.finish());
    roles
}

/// A program of this machine with its arguments.
fn command(f: &mut Fields<'_, '_>, key: &'static str) -> Option<Vec<String>> {
    let words = f.list(key, |v| {
        let word = fields::text(v)?;
        if word.contains('\0') { Err("it contains a NUL character".into()) } else { Ok(word.to_owned()) }
    })?;
    let absolute = words.first().is_some_and(|program| rooted(Path::new(program)));
    if !words.is_empty() && !absolute {
        f.wrong(key, "the program is named by its full path, like \"/usr/local/bin/…\"");
        return None;
    }
    Some(words)
}

fn nonempty(value: &DeValue<'_>) -> Result<String, String> {
    match fields::text(value)? {
        "" => Err("wanted some text, found an empty string".into()),
        text if text.chars().any(char::is_control) => {
            Err(format!("it contains a control character: {}", fields::found(value)))
        }
        text => Ok(text.to_owned()),
    }
}

/// A service has no current folder that an operator could know, so a path says all of itself.
fn folder(value: &DeValue<'_>) -> Result<PathBuf, String> {
    let path = PathBuf::from(nonempty(value)?);
    if rooted(&path) { Ok(path) } else { Err(format!("wanted a full path, found {}", fields::found(value))) }
}

fn rooted(path: &Path) -> bool {
    path.is_absolute() || path.has_root()
}

fn program(value: &DeValue<'_>) -> Result<String, String> {
    let name = nonempty(value)?;
    match refuse_listed(&name) {
        Some(why) => Err(why),
        None => Ok(name),
    }
}

fn run_time(value: &DeValue<'_>) -> Result<Duration, String> {
    let time = fields::some_time(value)?;
    if time > LONGEST_RUN { Err(format!("at most 24h, found {}", fields::found(value))) } else { Ok(time) }
}

fn log_size(value: &DeValue<'_>) -> Result<u64, String> {
    let size = fields::size(value)?;
    if size < 64 << 10 { Err("wanted at least 64 KB".into()) } else { Ok(size) }
}
