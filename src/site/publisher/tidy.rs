//! What is removed from a share: revisions that no index has named for two days (SITE.md 2). A machine that took the index
//! before may still read them until then. Releases of packages and their files stay.

use super::place::Share;
use super::render::{MEMBERS, Rendered};
use crate::clock::Wall;
use crate::error::Result;
use crate::site::ids::JobId;
use crate::site::index::policy::{self, Policy};
use crate::site::index::{self, job, members};
use chrono::TimeDelta;
use std::collections::{BTreeMap, BTreeSet};

/// How long a file stays that no index names any more.
const KEPT: TimeDelta = TimeDelta::days(2);
/// So many are removed with one publication, so that it does not wait for that.
const MOST: usize = 1_000;
/// So many are known; the others are found with the next publications.
const KNOWN: usize = 100_000;

/// The files on the share that are revisions, and that the new index does not name; and since when that is so, as far as it is
/// known: otherwise since now. The highest revision of a policy and of a part stays, so that no name is ever given twice; those
/// of jobs the record keeps.
pub(super) fn unnamed(
    present: &BTreeSet<String>,
    rendered: &Rendered,
    before: Option<&BTreeMap<String, Wall>>,
    now: Wall,
) -> BTreeMap<String, Wall> {
    // A cancelled job whose file is gone is named, too, and has no file here.
    let jobs = rendered.index.jobs.iter();
    let jobs = jobs.map(|job| format!("{}/{}.{}.toml", job::FOLDER, job.job_id, job.revision));
    let named: BTreeSet<String> = rendered.files.iter().map(|file| file.path()).chain(jobs).collect();
    let revisions = |paths| -> Vec<(&String, Revision<'_>)> {
        let paths: &BTreeSet<String> = paths;
        paths.iter().filter_map(|path| Some((path, revision(path)?))).collect()
    };
    let (there, new) = (revisions(present), revisions(&named));
    let mut highest: BTreeMap<&str, u64> = BTreeMap::new();
    for (_, of) in there.iter().chain(&new) {
        let known = highest.entry(of.stem).or_default();
        *known = (*known).max(of.number);
    }
    let old = there.into_iter().filter(|(path, of)| {
        !named.contains(*path)
            && (of.is_job || highest.get(of.stem).is_some_and(|highest| of.number < *highest))
    });
    let since = |path: &String| before.and_then(|before| before.get(path)).copied().unwrap_or(now);
    old.take(KNOWN).map(|(path, _)| (path.clone(), since(path))).collect()
}

/// What the index on the share names, this very moment: machines may still be reading it.
pub(super) fn named(share: &Share, seen: Option<&[u8]>) -> Result<BTreeSet<String>> {
    let index = seen.and_then(|bytes| index::parse(bytes, index::NAME).ok());
    let Some(index) = index else { return Ok(BTreeSet::new()) };
    let jobs = index.jobs.iter();
    let mut all: BTreeSet<String> =
        jobs.map(|job| format!("{}/{}.{}.toml", job::FOLDER, job.job_id, job.revision)).collect();
    let policies = index.policies.iter();
    all.extend(
        policies.map(|old| format!("{}/{}", policy::FOLDER, Policy::file_name(&old.group, old.revision))),
    );
    if let Some(old) = &index.members {
        let name = format!("LIST.{}", old.revision);
        let list = share.read_any(&[MEMBERS], &name, members::MAX_BYTES)?;
        let list = list.and_then(|bytes| members::parse_list(&bytes, &name).ok()).unwrap_or_default();
        all.extend(list.iter().map(|part| format!("{MEMBERS}/{}.{}", part.name, part.revision)));
        all.insert(format!("{MEMBERS}/{name}"));
    }
    Ok(all)
}

/// Removes what has not been named for long enough; returns how many files that were. What cannot be removed is tried again.
pub(super) fn tidy(share: &Share, unnamed: &BTreeMap<String, Wall>, now: Wall) -> usize {
    let mut removed = 0;
    for path in unnamed.iter().filter(|(_, since)| **since + KEPT <= now).map(|(path, _)| path).take(MOST) {
        let Some((folder, name)) = path.split_once('/') else { continue };
        let done = share.root().folder(folder).map_err(std::io::Error::from);
        match done.and_then(|folder| folder.remove(name)) {
            Ok(()) => removed += 1,
            Err(e) => tracing::warn!("{path} on the share was not removed: {e}"),
        }
    }
    removed
}

struct Revision<'a> {
    stem: &'a str,
    number: u64,
    is_job: bool,
}

/// What a path says, where it is exactly one that this publisher gives; anything else is somebody's own.
fn revision(path: &str) -> Option<Revision<'_>> {
    let (folder, name) = path.split_once('/')?;
    let (name, is_job) = match folder {
        job::FOLDER => (name.strip_suffix(".toml")?, true),
        policy::FOLDER => (name.strip_suffix(".toml")?, false),
        MEMBERS => (name, false),
        _ => return None,
    };
    let (stem, digits) = name.rsplit_once('.')?;
    let number = digits.parse::<u64>().ok().filter(|number| *number > 0 && number.to_string() == digits)?;
    let good = match folder {
        job::FOLDER => stem.parse::<JobId>().is_ok_and(|id| id.as_str() == stem),
        policy::FOLDER => members::is_group(stem),
        _ => stem == "LIST" || members::is_part(stem),
    };
    // With its folder: a group may be called as a part is.
    let stem = path.get(..folder.len() + 1 + stem.len())?;
    good.then_some(Revision { stem, number, is_job })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_revisions_are_known_as_such() {
        for good in
            ["jobs/BP0000AA.12.toml", "policy/web.1.toml", "members/LIST.3", "members/all.1", "members/0f3.2"]
        {
            assert!(revision(good).is_some(), "{good}");
        }
        for other in [
            "jobs/BP0000AA.toml",
            "jobs/BP0000AA.01.toml",
            "jobs/BP0000AA.1.toml.bak",
            "jobs/bp0000aa.1.toml",
            "jobs/notes.1.toml",
            "policy/Web.1.toml",
            "policy/web.0.toml",
            "members/LIST",
            "members/LIST.1.old",
            "members/0f31.2",
            "members/.LIST.1",
            "trust/1.toml",
            "content/a.1",
        ] {
            assert!(revision(other).is_none(), "{other}");
        }
    }
}
