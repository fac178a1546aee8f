//! `PCM.SITE` (FORMATS.md 1): which site a share belongs to. Its absence means "not mounted", never "nothing to do".

use super::ids::SiteCode;
use crate::clock::When;
use crate::fields::{self, Fields, Source};
use crate::terms::Problem;
use crate::text::SafeText;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use toml::de::DeTable;

/// Its name on every share.
pub const NAME: &str = "PCM.SITE";
/// The largest site file that is read, in bytes.
pub const MAX_BYTES: u64 = 64 << 10;
const MALFORMED: &str = "malformed";

/// A period without automatic runs, by configuration or site file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freeze {
    /// From here.
    pub from: When,
    /// Until here, not included.
    pub until: When,
    /// The publisher's words.
    pub reason: SafeText,
}

/// What a site says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteFile {
    /// The first three characters of all its ids.
    pub site: SiteCode,
    /// e.g. "Head office".
    pub name: SafeText,
    /// How often its machines should poll, where they do not say themselves.
    pub polling_interval: Option<Duration>,
    /// Whom to call.
    pub contact: Option<SafeText>,
    /// Periods without automatic runs.
    pub freezes: Vec<Freeze>,
    /// Unknown keys.
    pub warnings: Vec<Problem>,
}

/// Reads a site file. `file` is how messages name it. Any wrong value refuses it: a freeze that cannot be read must not
/// be as good as none.
///
/// # Errors
/// Every problem, in the order of its lines.
pub fn parse(bytes: &[u8], file: &str) -> Result<SiteFile, Vec<Problem>> {
    read(bytes, file, &[1])
}

/// The same of a share that may be under an index, which is format 2: whoever reads no index takes nothing there.
///
/// # Errors
/// As [`parse`].
pub fn parse_any(bytes: &[u8], file: &str) -> Result<SiteFile, Vec<Problem>> {
    read(bytes, file, &[1, 2])
}

fn read(bytes: &[u8], file: &str, formats: &[u64]) -> Result<SiteFile, Vec<Problem>> {
    let source = Source::decode(bytes, file, MALFORMED).map_err(|p| vec![p])?;
    let table = DeTable::parse(source.text).map_err(|e| vec![source.syntax(&e)])?;
    let mut f = Fields::top(&source, table.get_ref());
    f.need("format", |v| match fields::whole(v)? {
        format if formats.contains(&format) => Ok(()),
        other => Err(format!("wanted format 1, found {other}: this share is for another version of pcm")),
    });
    let site = f.need("site", fields::parsed);
    let name = f.need("name", fields::words);
    let polling_interval = f.get("polling_interval", fields::some_time);
    let contact = f.get("contact", fields::words);
    let mut freezes = Vec::new();
    let mut warnings = Vec::new();
    for mut freeze in f.tables("freeze") {
        freezes.extend(read_freeze(&mut freeze));
        warnings.extend(freeze.unknown());
        f.absorb(freeze.finish());
    }
    warnings.extend(f.unknown());
    let warnings = warnings.into_iter().map(Problem::into_warning).collect();
    let problems = f.finish();
    match (site, name) {
        (Some(site), Some(name)) if problems.is_empty() => {
            Ok(SiteFile { site, name, polling_interval, contact, freezes, warnings })
        }
        _ => Err(problems),
    }
}

/// One `[[freeze]]`, here and in `pcm.toml`. None: a problem is reported.
pub fn read_freeze(f: &mut Fields<'_, '_>) -> Option<Freeze> {
    let from = f.need("from", fields::when);
    let until = f.need("until", fields::when);
    let reason = f.get("reason", fields::words).unwrap_or_default();
    let (from, until) = (from?, until?);
    let empty = match (from, until) {
        (When::Instant(from), When::Instant(until)) => until <= from,
        (When::Local(from), When::Local(until)) => until <= from,
        _ => false,
    };
    if empty {
        f.wrong("until", "it is not after from");
        return None;
    }
    Some(Freeze { from, until, reason })
}
