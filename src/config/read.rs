//! Reading `pcm.toml`: the readers that the rows of `settings` name. Used by `Config::parse` only.

use super::{Config, PollingBy};
use crate::fields::{self, Fields, Source};
use crate::host::open::remote;
use crate::site::instruction::command::refuse_listed;
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
    let mut config = Config::read(&mut top);
    config.read_freezes(&mut top);
    if top.has("polling_interval") {
        config.polling_by = PollingBy::Configuration;
    }
    let unknown = top.unknown();
    let found = top.finish().into_iter().chain(unknown);
    problems.extend(found.filter(|p| !broken.contains(&p.line)));
    problems.sort_by_key(|p| p.line);
    problems.dedup();
    if problems.is_empty()
        && config.trust.mode == TrustMode::Permissions
        && let Some(address) =
            config.shares.iter().chain(&config.share.report).find(|share| remote::is_remote(share))
    {
        let message = format!(
            "{} is no folder, and [trust] mode = \"permissions\" judges owners and mode bits: set mode = \"signed\"",
            address.display()
        );
        problems.push(Problem::of_file(CODE, file, message));
    }
    if problems.is_empty() { Ok(config) } else { Err(problems) }
}

/// Reads one section; what it leaves unread is an error.
pub(super) fn section(top: &mut Fields<'_, '_>, key: &'static str, read: impl FnOnce(&mut Fields<'_, '_>)) {
    let Some(mut section) = top.table(key) else { return };
    read(&mut section);
    close(top, section);
}

pub(super) fn close(top: &mut Fields<'_, '_>, section: Fields<'_, '_>) {
    top.absorb(section.unknown());
    top.absorb(section.finish());
}

/// Puts a value in its place where it is written and right.
pub(super) fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

/// A single value.
pub(super) fn value<T>(
    read: impl Fn(&DeValue<'_>) -> Result<T, String>,
) -> impl Fn(&mut Fields<'_, '_>, &'static str) -> Option<T> {
    move |f, key| f.get(key, &read)
}

/// A single value of what has no default.
pub(super) fn some<T>(
    read: impl Fn(&DeValue<'_>) -> Result<T, String>,
) -> impl Fn(&mut Fields<'_, '_>, &'static str) -> Option<Option<T>> {
    move |f, key| f.get(key, &read).map(Some)
}

/// An array of values.
pub(super) fn list<T>(
    read: impl Fn(&DeValue<'_>) -> Result<T, String>,
) -> impl Fn(&mut Fields<'_, '_>, &'static str) -> Option<Vec<T>> {
    move |f, key| f.list(key, &read)
}

/// Role to theme; the keys are the site's own words.
pub(super) fn roles(f: &mut Fields<'_, '_>, key: &'static str) -> Option<Vec<(String, String)>> {
    let mut table = f.table(key)?;
    let mut roles = Vec::new();
    for (role, at, theme) in table.entries() {
        match nonempty(theme) {
            Ok(theme) => roles.push((role.to_owned(), theme)),
            Err(message) => table.wrong_at(CODE, &fields::cut(role, 60), at, message),
        }
    }
    f.absorb(table.finish());
    Some(roles)
}

/// The most facts of a machine.
const MOST_FACTS: usize = 32;
/// The longest name of one, in characters.
const LONGEST_NAME: usize = 32;
/// The longest text of one, in characters.
const LONGEST_FACT: usize = 128;

/// Name to text, as the machine's owner says it.
pub(super) fn facts(f: &mut Fields<'_, '_>, key: &'static str) -> Option<Vec<(String, String)>> {
    let mut table = f.table(key)?;
    let mut facts = Vec::new();
    for (name, at, text) in table.entries() {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        let right = match nonempty(text) {
            _ if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(fits) => Err(format!(
                "the name of a fact is at most {LONGEST_NAME} letters, digits, and characters of _-."
            )),
            Ok(text) if text.chars().count() > LONGEST_FACT => {
                Err(format!("a fact has at most {LONGEST_FACT} characters"))
            }
            read => read,
        };
        match right {
            Ok(text) if facts.len() < MOST_FACTS => facts.push((name.to_owned(), text)),
            Ok(_) => {
                table.wrong_at(CODE, &fields::cut(name, 60), at, format!("more than {MOST_FACTS} facts"));
                break;
            }
            Err(message) => table.wrong_at(CODE, &fields::cut(name, 60), at, message),
        }
    }
    f.absorb(table.finish());
    Some(facts)
}

/// A program of this machine with its arguments.
pub(super) fn command(f: &mut Fields<'_, '_>, key: &'static str) -> Option<Vec<String>> {
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

pub(super) fn nonempty(value: &DeValue<'_>) -> Result<String, String> {
    match fields::text(value)? {
        "" => Err("wanted some text, found an empty string".into()),
        text if text.chars().any(char::is_control) => {
            Err(format!("it contains a control character: {}", fields::found(value)))
        }
        text => Ok(text.to_owned()),
    }
}

/// A service has no current folder that an operator could know, so a path says all of itself.
pub(super) fn folder(value: &DeValue<'_>) -> Result<PathBuf, String> {
    let path = PathBuf::from(nonempty(value)?);
    if rooted(&path) { Ok(path) } else { Err(format!("wanted a full path, found {}", fields::found(value))) }
}

/// A share: a folder, or an address.
pub(super) fn location(value: &DeValue<'_>) -> Result<PathBuf, String> {
    match remote::location(&nonempty(value)?)? {
        Some(address) => Ok(address),
        None => folder(value),
    }
}

/// The same, where something can be written.
pub(super) fn writable(value: &DeValue<'_>) -> Result<PathBuf, String> {
    let place = location(value)?;
    if remote::is_read_only(&place) {
        return Err("nobody can write there: name a folder or a bucket (s3://bucket/prefix)".into());
    }
    Ok(place)
}

/// The address of a server.
pub(super) fn server(value: &DeValue<'_>) -> Result<String, String> {
    let text = nonempty(value)?;
    remote::server(&text)?;
    Ok(text)
}

fn rooted(path: &Path) -> bool {
    path.is_absolute() || path.has_root()
}

pub(super) fn program(value: &DeValue<'_>) -> Result<String, String> {
    let name = nonempty(value)?;
    match refuse_listed(&name) {
        Some(why) => Err(why),
        None => Ok(name),
    }
}

pub(super) fn run_time(value: &DeValue<'_>) -> Result<Duration, String> {
    let time = fields::some_time(value)?;
    if time > LONGEST_RUN { Err(format!("at most 24h, found {}", fields::found(value))) } else { Ok(time) }
}

/// No more of them are looked at (`site::signed::block`).
const MOST_SIGNATURES: u32 = 8;

pub(super) fn signatures(value: &DeValue<'_>) -> Result<u32, String> {
    match fields::small(value)? {
        n if (1..=MOST_SIGNATURES).contains(&n) => Ok(n),
        n => Err(format!("wanted 1 to {MOST_SIGNATURES}, found {n}")),
    }
}

pub(super) fn log_size(value: &DeValue<'_>) -> Result<u64, String> {
    let size = fields::size(value)?;
    if size < 64 << 10 { Err("wanted at least 64 KB".into()) } else { Ok(size) }
}
