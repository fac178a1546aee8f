//! Reading an instruction file (FORMATS.md 3). A syntax error, a duplicate key, a wrong head or a missing or unequal
//! `[end]` rejects the whole file; a wrong value rejects its request only. Called by `share` for what is there and for
//! the copy that is held in the state folder.

use super::{InstructionFile, MAX_BYTES, MAX_REQUESTS};
use crate::fields::{self, Fields, Source, found};
use crate::site::ids::{MachineId, SiteCode};
use crate::terms::Problem;
use std::time::Duration;
use toml::de::{DeTable, DeValue};

pub(crate) mod how;
mod request;
pub(crate) mod times;

/// The code of a file or request that cannot be read.
const MALFORMED: &str = "malformed";
/// The most warnings kept of one file.
const MAX_WARNINGS: usize = 100;

/// What the machine's configuration says about requests that leave it open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defaults {
    /// For requests without `max_run_time`.
    pub max_run_time: Duration,
    /// The bare program names that may be started (`Config::all_programs`).
    pub programs: Vec<String>,
    /// What a package's signer says of windows counts on this machine.
    pub ignore_windows: bool,
}

/// Reads an instruction file that must be for `machine`. `file` is how messages name it.
///
/// # Errors
/// Why the whole file is rejected, in the order of its lines. Single bad requests are no error: they are
/// [`Entry::Rejected`].
pub fn parse(
    bytes: &[u8],
    machine: MachineId,
    file: &str,
    defaults: &Defaults,
) -> Result<InstructionFile, Vec<Problem>> {
    let fatal = |message: String| Problem::of_file(MALFORMED, file, message);
    if bytes.len() as u64 > MAX_BYTES {
        return Err(vec![fatal(format!("larger than {MAX_BYTES} bytes"))]);
    }
    let source = Source::decode(bytes, file, MALFORMED).map_err(|p| vec![p])?;
    if source.text.trim().is_empty() {
        return Err(vec![fatal("it is empty".into())]);
    }
    // Only the first syntax error is kept: a hostile file may hold a million of them.
    let parsed = DeTable::parse(source.text).map_err(|e| vec![source.syntax(&e)])?;
    let table = parsed.get_ref();

    let mut top = Fields::top(&source, table);
    let head = head(&mut top, machine);
    let in_end = end(&mut top, table, head.as_ref().map(|h| h.serial));
    let elements = request_tables(&mut top);
    // What a signature needs to be about: `signed` reads it, where one is wanted.
    for key in ["kind", "site_id", "epoch"] {
        top.raw(key);
    }
    let mut warnings = top.unknown();
    warnings.extend(in_end);
    let problems = top.finish();
    let (Some(head), true) = (head, problems.is_empty()) else { return Err(problems) };

    let mut read = request::Reader::new(&source, defaults, head.issued);
    for (i, element) in elements.iter().enumerate() {
        read.add(i + 1, element);
    }
    let (requests, more) = read.finish();
    warnings.extend(more);
    let mut warnings: Vec<Problem> = warnings.into_iter().map(Problem::into_warning).collect();
    warnings.truncate(MAX_WARNINGS);
    Ok(InstructionFile {
        site: head.site,
        machine: head.machine,
        serial: head.serial,
        issued: head.issued,
        valid_until: head.valid_until,
        requests,
        warnings,
    })
}

struct Head {
    site: SiteCode,
    machine: MachineId,
    serial: u64,
    issued: crate::clock::Wall,
    valid_until: Option<crate::clock::Wall>,
}

/// The keys at the top. Every wrong one rejects the file.
fn head(top: &mut Fields<'_, '_>, machine: MachineId) -> Option<Head> {
    let format = top.need("format", |v| match fields::whole(v)? {
        1 => Ok(()),
        other => Err(format!("wanted format 1, found {other}: this file is for another version of pcm")),
    });
    let site = top.need("site", |v| {
        let site: SiteCode = fields::parsed(v)?;
        if site == machine.site() {
            Ok(site)
        } else {
            Err(format!("{site} is not the site of machine {machine}, which is {}", machine.site()))
        }
    });
    let named = top.need("machine", |v| {
        let named: MachineId = fields::parsed(v)?;
        if named == machine { Ok(named) } else { Err(format!("this file is for {named}, not for {machine}")) }
    });
    let serial = top.need("serial", fields::whole);
    let issued = top.need("issued", fields::instant);
    let had_valid_until = top.has("valid_until");
    let valid_until = top.get("valid_until", fields::instant);
    if had_valid_until && valid_until.is_none() {
        return None; // Already reported; without it a file meant to go stale would not.
    }
    if let (Some(issued), Some(until)) = (issued, valid_until)
        && until <= issued
    {
        top.wrong_as("contradiction", "valid_until", "it is not after issued");
        return None;
    }
    format?;
    Some(Head { site: site?, machine: named?, serial: serial?, issued: issued?, valid_until })
}

/// `[end]` is the last table and repeats the serial: a truncated file cannot pass. Returns its unknown keys.
pub(in crate::site) fn end(
    top: &mut Fields<'_, '_>,
    table: &DeTable<'_>,
    serial: Option<u64>,
) -> Vec<Problem> {
    let Some((key, _)) = table.get_key_value("end") else {
        top.raw("end");
        let last = last_place(table, "");
        top.wrong_at(MALFORMED, "end", last, "there is no [end] with the serial: the file is cut off");
        return Vec::new();
    };
    let end_at = key.span().start;
    if last_place(table, "end") > end_at {
        top.wrong_at(MALFORMED, "end", end_at, "[end] is not the last table");
    }
    let Some(mut end) = top.table("end") else { return Vec::new() };
    end.need("serial", |v| {
        let again = fields::whole(v)?;
        match serial {
            Some(serial) if serial != again => Err(format!(
                "wanted the serial at the top again, {serial}, found {again}: the file is cut off or mixed"
            )),
            _ => Ok(again),
        }
    });
    let unknown = end.unknown();
    top.absorb(end.finish());
    unknown
}

/// The start of the last key or value of a table, leaving one key out.
fn last_place(table: &DeTable<'_>, except: &str) -> usize {
    fn of_value(value: &DeValue<'_>) -> usize {
        match value {
            DeValue::Table(table) => last_place(table, ""),
            DeValue::Array(array) => {
                array.iter().map(|v| v.span().start.max(of_value(v.get_ref()))).max().unwrap_or(0)
            }
            _ => 0,
        }
    }
    table
        .iter()
        .filter(|(key, _)| key.get_ref() != except)
        .map(|(key, value)| key.span().start.max(value.span().start).max(of_value(value.get_ref())))
        .max()
        .unwrap_or(0)
}

type Element<'s, 't> = &'s toml::Spanned<DeValue<'t>>;

/// The `[[request]]` tables as they stand; none is a valid file without requests.
fn request_tables<'s, 't>(top: &mut Fields<'s, 't>) -> Vec<Element<'s, 't>> {
    let Some(value) = top.raw("request") else { return Vec::new() };
    match value.get_ref() {
        DeValue::Array(elements) if elements.len() > MAX_REQUESTS => {
            top.wrong("request", format!("{} requests; at most {MAX_REQUESTS} are read", elements.len()));
            Vec::new()
        }
        DeValue::Array(elements) => elements.iter().collect(),
        other => {
            top.wrong("request", format!("wanted [[request]] tables, found {}", found(other)));
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests;
