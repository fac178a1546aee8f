//! Reading `package.toml`. A key that is not known is an error: it could be a bound that this pcm does not obey.

use super::{InstalledIf, Is, MAX_BYTES, MAX_COMMANDS, Named, Package, PackageCommand};
use crate::fields::{self, Fields, Source, found};
use crate::host::packages;
use crate::site::ids::{PackageId, RequestId};
use crate::site::instruction::parse::how;
use crate::terms::{NEWER_PCM, Problem};
use crate::text::SafeText;
use std::collections::BTreeSet;
use toml::de::{DeTable, DeValue};

/// The code of a package that cannot be read.
const MALFORMED: &str = "malformed";
/// The longest `readme`, in characters.
const MAX_README: usize = 10_000;
/// The longest bound, path, key or version, in characters.
const MAX_TEXT: usize = 1_000;

/// Reads a package definition. `file` is how messages name it, `programs` the bare names that may be started.
///
/// # Errors
/// Everything that is wrong, in the order of its lines.
pub fn parse(bytes: &[u8], file: &str, programs: &[String]) -> Result<Package, Vec<Problem>> {
    if bytes.len() as u64 > MAX_BYTES {
        return Err(vec![Problem::of_file(MALFORMED, file, format!("larger than {MAX_BYTES} bytes"))]);
    }
    let source = Source::decode(bytes, file, MALFORMED).map_err(|p| vec![p])?;
    let parsed = DeTable::parse(source.text).map_err(|e| vec![source.syntax(&e)])?;
    let mut top = Fields::top(&source, parsed.get_ref());
    let package = package(&mut top, programs);
    let unknown = newer(top.unknown());
    top.absorb(unknown);
    let problems = top.finish();
    match package {
        Some(package) if problems.is_empty() => Ok(package),
        _ => Err(problems),
    }
}

/// Unknown keys as the errors that they are here.
fn newer(unknown: Vec<Problem>) -> Vec<Problem> {
    let say = |problem: Problem| Problem {
        message: format!("this key is not known: it is misspelt, or {NEWER_PCM}").into(),
        newer: true,
        ..problem
    };
    unknown.into_iter().map(say).collect()
}

fn package(f: &mut Fields<'_, '_>, programs: &[String]) -> Option<Package> {
    f.get("kind", |v| match fields::text(v)? {
        "package" => Ok(()),
        other => Err(format!("wanted \"package\", found {:?}", fields::cut(other, 40))),
    });
    let package_id = f.need("package_id", fields::parsed::<PackageId>);
    let name = f.need("name", fields::words);
    let package = Package {
        version: f.get("version", fields::words),
        publisher: f.get("publisher", fields::words),
        language: f.get("language", fields::words),
        comment: f.get("comment", fields::words),
        readme: f.get("readme", |v| long(v, MAX_README).map(SafeText::new)),
        release: f.get("release", fields::whole),
        sites: how::list_of(f, "sites", fields::words),
        content_sha256: f.get("content_sha256", how::content_hash),
        installed_if: installed_if(f),
        commands: commands(f, programs),
        package_id: package_id?,
        name: name?,
    };
    Some(package)
}

/// A text that says something, of a bounded length.
fn long<'s>(value: &'s DeValue<'_>, most: usize) -> Result<&'s str, String> {
    match fields::text(value)? {
        "" => Err("wanted some text, found an empty string".into()),
        text if text.chars().count() > most => Err(format!("wanted at most {most} characters")),
        text => Ok(text),
    }
}

/// The same on one line, as it is compared with what a machine has.
fn exact(value: &DeValue<'_>) -> Result<String, String> {
    let text = long(value, MAX_TEXT)?;
    match text.chars().find(|c| c.is_control()) {
        Some(c) => Err(format!("it contains the control character U+{:04X}", u32::from(c))),
        None => Ok(text.to_owned()),
    }
}

fn installed_if(f: &mut Fields<'_, '_>) -> Option<InstalledIf> {
    const KINDS: &str = "wanted exactly one of dpkg, rpm, file and registry";
    let mut t = f.table("installed_if")?;
    let dpkg = t.get("dpkg", in_database);
    let rpm = t.get("rpm", in_database);
    let file = t.get("file", absolute);
    let registry = t.get("registry", registry);
    let value = t.get("value", exact);
    let version = t.get("version", exact);
    let equals = t.get("equals", exact);
    let sha256 = t.get("sha256", how::content_hash);
    let kinds = ["dpkg", "rpm", "file", "registry"].iter().filter(|kind| t.has(kind)).count();
    if kinds != 1 {
        t.wrong("dpkg", KINDS);
    }
    for (key, with) in
        [("value", "registry"), ("equals", "registry"), ("sha256", "file"), ("equals", "value")]
    {
        if t.has(key) && !t.has(with) {
            t.wrong(key, format!("{key} goes with {with}"));
        }
    }
    for (key, other) in [("version", "sha256"), ("version", "equals")] {
        if t.has(key) && t.has(other) {
            t.wrong(key, format!("either {key} or {other}"));
        }
    }
    if t.has("registry") && t.has("version") && !t.has("value") {
        t.wrong("version", "a version of which value? Name it with value");
    }
    if (t.has("dpkg") || t.has("rpm"))
        && version.as_ref().is_some_and(|version| !packages::is_version(version))
    {
        t.wrong("version", "a package of the system has no such version");
    }
    let unknown = newer(t.unknown());
    t.absorb(unknown);
    let problems = t.finish();
    let good = problems.is_empty();
    f.absorb(problems);
    if !good {
        return None;
    }
    let is = match (sha256, equals, version.clone()) {
        (Some(hash), ..) => Is::Sha256(hash),
        (_, Some(text), _) => Is::Equal(text),
        (_, _, Some(version)) => Is::AtLeast(version),
        (None, None, None) => Is::There,
    };
    match (dpkg, rpm, file, registry) {
        (Some(name), ..) => Some(InstalledIf::Dpkg(Named { name, version })),
        (_, Some(name), ..) => Some(InstalledIf::Rpm(Named { name, version })),
        (_, _, Some(path), _) => Some(InstalledIf::File { path, is }),
        (_, _, _, Some(key)) => Some(InstalledIf::Registry { key, value, is }),
        (None, None, None, None) => None,
    }
}

/// A name that a package database is asked for: nothing that could be an option or a pattern.
fn in_database(value: &DeValue<'_>) -> Result<String, String> {
    let name = exact(value)?;
    match packages::is_name(&name) {
        true => Ok(name),
        false => Err(format!("wanted the name of a package, found {}", found(value))),
    }
}

/// The path of a file on every machine: nothing is relative to anything there, and no other machine is asked.
fn absolute(value: &DeValue<'_>) -> Result<String, String> {
    let path = exact(value)?;
    let plain = path.replace('\\', "/");
    let drive = plain.as_bytes().get(1..3) == Some(b":/") && plain.as_bytes()[0].is_ascii_alphabetic();
    let unc = plain.starts_with("//");
    if unc || !(drive || plain.starts_with('/')) || plain.split('/').any(|part| part == "..") {
        let shown = fields::cut(&path, 60);
        return Err(format!("wanted an absolute path on the machine itself, without .., found {shown:?}"));
    }
    Ok(path)
}

fn registry(value: &DeValue<'_>) -> Result<String, String> {
    let key = exact(value)?;
    let good = key.split_once('\\').is_some_and(|(root, rest)| root == "HKLM" && !rest.is_empty());
    if good {
        Ok(key)
    } else {
        Err(format!("wanted a key like 'HKLM\\SOFTWARE\\Acme', found {}", found(value)))
    }
}

fn commands(f: &mut Fields<'_, '_>, programs: &[String]) -> Vec<PackageCommand> {
    let tables = f.tables("command");
    if tables.len() > MAX_COMMANDS {
        f.wrong("command", format!("{} commands; at most {MAX_COMMANDS} are read", tables.len()));
        return Vec::new();
    }
    let mut names = BTreeSet::new();
    let mut commands = Vec::new();
    for mut t in tables {
        let command = command(&mut t, programs);
        if let Some(command) = command {
            if !names.insert(command.name.as_str().to_lowercase()) {
                t.wrong("command", format!("another command is called {:?}, too", command.name.as_str()));
            }
            commands.push(command);
        }
        let unknown = newer(t.unknown());
        t.absorb(unknown);
        f.absorb(t.finish());
    }
    commands
}

fn command(t: &mut Fields<'_, '_>, programs: &[String]) -> Option<PackageCommand> {
    let name = t.need("command", fields::words);
    let command_line = how::command_line(t, programs);
    let how = how::how(t);
    let removes = t.get("removes", fields::boolean).unwrap_or(false);
    let bound = t.get("where", exact).map(SafeText::from);
    let depends_on = how::list_of(t, "depends_on", |v| {
        let text = fields::text(v)?;
        let id = text.parse::<RequestId>().map(|id| id.to_string()).map_err(drop);
        id.or_else(|()| text.parse::<PackageId>().map(|id| id.to_string()))
            .map(SafeText::from)
            .map_err(|_| format!("wanted the id of a request or a package, found {}", found(v)))
    });
    Some(PackageCommand {
        name: name?,
        command_line: command_line?,
        how,
        removes,
        bound,
        depends_on,
        line: t.line(),
    })
}

#[cfg(test)]
mod tests;
