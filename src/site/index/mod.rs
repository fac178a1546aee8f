//! `PCM.INDEX` (SITE.md 2): the one file that commits a publication. It names every job, policy and list of members by
//! revision and hash, so that whoever has its bytes knows whether he has the others. Pure.
//!
//! `job` is what runs, `copies` what it repeats of its package, `members` the site's list of machines, `target` whom a job is for, `policy` what a group's machines
//! are kept from.

pub mod audience;
pub mod copies;
pub mod job;
pub mod members;
pub mod policy;
pub mod render;
pub mod target;
#[cfg(test)]
mod tests;
pub mod together;

use super::ids::{JobId, SiteCode, SiteId};
use super::instruction::ContentHash;
use super::instruction::parse::end;
use crate::clock::Wall;
use crate::fields::{self, Fields, Source};
use crate::terms::{NEWER_PCM, Problem, words};
use crate::text::SafeText;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use toml::de::{DeTable, DeValue};

/// Its name on every share that has one.
pub const NAME: &str = "PCM.INDEX";
/// The largest index that is read, in bytes.
pub const MAX_BYTES: u64 = 1 << 20;
/// The most jobs of one index.
pub const MAX_JOBS: usize = 1_000;
/// The most policies: one a group.
pub const MAX_POLICIES: usize = 1_000;
const MALFORMED: &str = "malformed";

words!(
    /// What the publisher says of a job, whatever its file says.
    JobState {
        /// It is offered and runs at its times.
        Active = "active",
        /// Nothing of it starts for now.
        Suspended = "suspended",
        /// Nothing of it starts ever again.
        Cancelled = "cancelled",
    }
);

/// A job as the index has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexedJob {
    /// Which.
    pub job_id: JobId,
    /// Of `jobs/<JobID>.<revision>.toml`.
    pub revision: u64,
    /// Of that file's bytes.
    pub sha256: ContentHash,
    /// What the publisher says of it.
    pub state: JobState,
    /// The share of its machines that has been reached, in hundredths of a percent.
    pub percent: u32,
    /// Why it is suspended or cancelled.
    pub reason: Option<SafeText>,
    /// The line of its `[[job]]`.
    pub line: u32,
}

/// The policy of a group as the index has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexedPolicy {
    /// Whose; `all` is every machine.
    pub group: String,
    /// Of `policy/<GROUP>.<revision>.toml`.
    pub revision: u64,
    /// Of that file's bytes.
    pub sha256: ContentHash,
}

/// The list of machines as the index has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexedMembers {
    /// How many hex digits name a part.
    pub digits: u32,
    /// Of `members/LIST.<revision>`.
    pub revision: u64,
    /// Of that file's bytes.
    pub sha256: ContentHash,
}

/// A valid index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// The site that published it.
    pub site: SiteCode,
    /// Tells two sites with one code apart.
    pub site_id: SiteId,
    /// The version of the trust list that it was made under; 0 without one.
    pub epoch: u64,
    /// Grows with every publication of an epoch.
    pub serial: u64,
    /// When it was published.
    pub issued: Wall,
    /// From here on nothing of it starts. None: not signed, and not said.
    pub valid_until: Option<Wall>,
    /// In the file's order.
    pub jobs: Vec<IndexedJob>,
    /// In the file's order.
    pub policies: Vec<IndexedPolicy>,
    /// None: the site has no list of machines yet.
    pub members: Option<IndexedMembers>,
}

/// Whose an index says that it is, whoever wrote it and whatever else stands in it; None: it says nothing.
pub fn site_of(bytes: &[u8]) -> Option<SiteId> {
    let text = std::str::from_utf8(bytes).ok()?;
    DeTable::parse(text).ok()?.get_ref().get("site_id")?.get_ref().as_str()?.parse().ok()
}

/// Reads an index. `file` is how messages name it. Unknown keys refuse it: an index is all or nothing, and what a newer
/// publisher says must not be half understood.
///
/// # Errors
/// Every problem, in the order of its lines.
pub fn parse(bytes: &[u8], file: &str) -> Result<Index, Vec<Problem>> {
    if bytes.len() as u64 > MAX_BYTES {
        return Err(vec![Problem::of_file(MALFORMED, file, format!("larger than {MAX_BYTES} bytes"))]);
    }
    let source = Source::decode(bytes, file, MALFORMED).map_err(|p| vec![p])?;
    let parsed = DeTable::parse(source.text).map_err(|e| vec![source.syntax(&e)])?;
    let table = parsed.get_ref();
    let mut top = Fields::top(&source, table);
    kind(&mut top, "index");
    let site = top.need("site", fields::parsed::<SiteCode>);
    let site_id = top.need("site_id", fields::parsed);
    let epoch = top.need("epoch", fields::whole);
    let serial = top.need("serial", fields::whole);
    let issued = top.need("issued", fields::instant);
    let valid_until = top.get("valid_until", fields::instant);
    if let (Some(issued), Some(until)) = (issued, valid_until)
        && until <= issued
    {
        top.wrong_as("contradiction", "valid_until", "it is not after issued");
    }
    let jobs = jobs(&mut top, site);
    let policies = policies(&mut top);
    let members = members_of(&mut top);
    let unknown = end(&mut top, table, serial);
    top.absorb(unknown.into_iter().map(newer));
    let unknown = top.unknown();
    top.absorb(unknown.into_iter().map(newer));
    let problems = top.finish();
    if !problems.is_empty() {
        return Err(problems);
    }
    // Each of them is there, or one of the problems says that it is not.
    match (site, site_id, epoch, serial, issued) {
        (Some(site), Some(site_id), Some(epoch), Some(serial), Some(issued)) => {
            Ok(Index { site, site_id, epoch, serial, issued, valid_until, jobs, policies, members })
        }
        _ => Err(problems),
    }
}

/// `kind` and `format`, which every file of an index begins with.
fn kind(top: &mut Fields<'_, '_>, wanted: &str) {
    top.need("kind", |v| match fields::text(v)? {
        kind if kind == wanted => Ok(()),
        other => Err(format!("wanted {wanted:?}, found {:?}", fields::cut(other, 40))),
    });
    if let Some(other) = top.need("format", fields::whole).filter(|format| *format != 1) {
        top.wrong_as_newer("format", format!("wanted format 1, found {other}: it {NEWER_PCM}"));
    }
}

fn newer(problem: Problem) -> Problem {
    let message = format!("{}: it {NEWER_PCM}", problem.message);
    Problem { message: SafeText::new(&message), newer: true, ..problem }
}

fn sha256(value: &DeValue<'_>) -> Result<ContentHash, String> {
    let text = fields::text(value)?;
    ContentHash::try_from(text.to_owned())
        .map_err(|wanted| format!("{wanted}, found {}", fields::found(value)))
}

/// Revisions begin at 1.
fn revision(value: &DeValue<'_>) -> Result<u64, String> {
    match fields::whole(value)? {
        0 => Err("wanted a revision, 1 or more, found 0".into()),
        n => Ok(n),
    }
}

fn percent(value: &DeValue<'_>) -> Result<u32, String> {
    match value {
        DeValue::Integer(n) => target::parse_percent(n.as_str()),
        DeValue::Float(n) => target::parse_percent(n.as_str()),
        other => Err(format!("wanted a percentage like 5 or 12.5, found {}", fields::found(other))),
    }
}

fn jobs(top: &mut Fields<'_, '_>, site: Option<SiteCode>) -> Vec<IndexedJob> {
    let tables = top.tables("job");
    if tables.len() > MAX_JOBS {
        top.wrong("job", format!("{} jobs; at most {MAX_JOBS} are read", tables.len()));
        return Vec::new();
    }
    let (mut jobs, mut seen) = (Vec::new(), BTreeSet::new());
    for mut f in tables {
        let job_id = f.need("job_id", |v| {
            let id: JobId = fields::parsed(v)?;
            match site {
                Some(site) if id.site() != site => Err(format!("{id} is not of site {site}")),
                _ => Ok(id),
            }
        });
        let revision = f.need("revision", revision);
        let sha256 = f.need("sha256", sha256);
        let state = f.need("state", fields::one_of(JobState::ALL, JobState::as_str));
        let percent = f.need("percent", percent);
        let reason = f.get("reason", fields::words);
        if let Some(id) = job_id.filter(|id| !seen.insert(*id)) {
            f.wrong_as("duplicate", "job_id", format!("{id} stands there twice"));
        }
        let line = f.line();
        finish(top, f);
        if let (Some(job_id), Some(revision), Some(sha256), Some(state), Some(percent)) =
            (job_id, revision, sha256, state, percent)
        {
            jobs.push(IndexedJob { job_id, revision, sha256, state, percent, reason, line });
        }
    }
    jobs
}

fn policies(top: &mut Fields<'_, '_>) -> Vec<IndexedPolicy> {
    let tables = top.tables("policy");
    if tables.len() > MAX_POLICIES {
        top.wrong("policy", format!("{} policies; at most {MAX_POLICIES} are read", tables.len()));
        return Vec::new();
    }
    let (mut policies, mut seen) = (Vec::new(), BTreeSet::new());
    for mut f in tables {
        let group = f.need("group", |v| match fields::text(v)? {
            name if members::is_group(name) => Ok(name.to_owned()),
            _ => Err(format!("wanted a group like \"web\", found {}", fields::found(v))),
        });
        let revision = f.need("revision", revision);
        let sha256 = f.need("sha256", sha256);
        if let Some(group) = group.as_ref().filter(|group| !seen.insert((*group).clone())) {
            f.wrong_as("duplicate", "group", format!("{group} has two policies"));
        }
        finish(top, f);
        if let (Some(group), Some(revision), Some(sha256)) = (group, revision, sha256) {
            policies.push(IndexedPolicy { group, revision, sha256 });
        }
    }
    policies
}

fn members_of(top: &mut Fields<'_, '_>) -> Option<IndexedMembers> {
    if !top.has("members") {
        return None;
    }
    let mut f = top.table("members")?;
    let digits = f.need("parts", |v| match fields::whole(v)? {
        n @ 0..=3 => Ok(u32::try_from(n).unwrap_or(3)),
        n => Err(format!("wanted how many hex digits name a part, 0 to 3, found {n}")),
    });
    let revision = f.need("revision", revision);
    let sha256 = f.need("sha256", sha256);
    finish(top, f);
    Some(IndexedMembers { digits: digits?, revision: revision?, sha256: sha256? })
}

/// What a table below said wrong, unknown keys with it.
fn finish(top: &mut Fields<'_, '_>, f: Fields<'_, '_>) {
    let unknown = f.unknown();
    top.absorb(unknown.into_iter().map(newer));
    top.absorb(f.finish());
}
