//! A share under an index (SITE.md 2): the index, every part that it names, and whom its jobs are for.

use super::trust::{self, Lists};
use super::{Asked, Found, count, place, release};
use crate::host::open::{Folder, OpenError};
use crate::site::content::hash_bytes;
use crate::site::index::audience::is_for;
use crate::site::index::job::{self, Job};
use crate::site::index::members::{self, Member};
use crate::site::index::policy::{self, Policy};
use crate::site::index::target::Target;
use crate::site::index::together;
use crate::site::index::{self, Index, JobState};
use crate::site::indexed::verify;
use crate::site::instruction::ContentHash;
use crate::site::share::read_bounded;
use crate::site::signed::published::Standing;
use crate::site::site_file::SiteFile;
use crate::terms::Problem;
use chrono::TimeDelta;
use std::collections::BTreeSet;

/// Judges the index of a share; false where it has none.
pub(super) fn judge(root: &Folder, site: Option<&SiteFile>, asked: &Asked<'_>, found: &mut Found) -> bool {
    let shown = root.path().join(index::NAME).display().to_string();
    let bytes = match root.file(index::NAME).and_then(|mut open| read_bounded(&mut open, index::MAX_BYTES)) {
        Ok(bytes) => bytes,
        Err(OpenError::Missing) => return false,
        Err(e) => {
            found.block("index", format!("{shown}: {e}"), "Put a plain file there");
            return true;
        }
    };
    whole(root, site, &bytes, &shown, asked, found);
    true
}

fn whole(
    root: &Folder,
    site: Option<&SiteFile>,
    bytes: &[u8],
    shown: &str,
    asked: &Asked<'_>,
    found: &mut Found,
) {
    let index = match index::parse(bytes, shown) {
        Ok(index) => index,
        Err(problems) => {
            return refused(&problems, "index", "Publish again: until then no machine takes it", found);
        }
    };
    if let Some(site) = site.filter(|site| site.site != index.site) {
        let message =
            format!("{shown}: it is of site {}, and the share is of site {}", index.site, site.site);
        found.block("index", message, "Publish it on its own site's share");
    }
    validity(&index, shown, asked, found);
    let lists = trust::lists(root, Some((index.site, &index.site_id)), asked, found);
    signature(bytes, &lists, shown, asked, found);
    let mut parts = Parts { root, read: 0 };
    let members = parts.members(&index, found);
    parts.policies(&index, found);
    let jobs = parts.jobs(&index, asked, found);
    found.looked("parts", format!("{} named by the index, each with its hash", count(parts.read, "file")));
    for fault in together::faults(jobs.iter().map(|(job, _)| job), std::iter::empty()) {
        found.block(fault.item, fault.message, fault.remedy);
    }
    let offered = jobs.iter().filter(|(_, state)| *state != JobState::Cancelled);
    // What is signed needs no owners and modes: anybody may write there.
    let releases = Asked { modes: asked.modes && lists.newest().is_none(), ..*asked };
    release::all(root, offered.map(|(job, _)| job), lists.newest(), &releases, found);
    if let Some(members) = &members {
        let active = jobs.iter().filter(|(_, state)| *state == JobState::Active);
        targets(active.map(|(job, state)| (job, *state)), members, found);
    }
    found.looked(
        "index",
        format!(
            "{shown}: serial {} of epoch {}, {}",
            index.serial,
            index.epoch,
            count(index.jobs.len(), "job")
        ),
    );
}

/// How long machines start what the index says.
fn validity(index: &Index, shown: &str, asked: &Asked<'_>, found: &mut Found) {
    let Some(until) = index.valid_until else { return };
    let at = until.format("%Y-%m-%d %H:%M UTC");
    let left = until - asked.now;
    if left <= TimeDelta::zero() {
        let message = format!("{shown}: it was valid until {at}: nothing of it starts any more");
        found.block("index", message, "Publish again");
    } else if left < (until - index.issued) / 3 {
        let message = format!("{shown}: it is valid until {at}, and less than a third of its time is left");
        found.unknown("index", message, "Publish again before that time: nothing of it starts after it");
    }
}

/// Whether machines in mode `signed` take the index. Machines in mode `permissions` never ask.
fn signature(bytes: &[u8], lists: &Lists, shown: &str, asked: &Asked<'_>, found: &mut Found) {
    const REMEDY: &str =
        "Publish again with a publishing key that the trust list names: pcm site publish --key KEY";
    match lists {
        Lists::Newest(trusted) => {
            if let Err(distrust) = verify::index(bytes, trusted, asked.now, Standing::Offered) {
                let message = format!("{shown}: {}, so no machine in mode signed takes it", distrust.why);
                found.block("index", message, REMEDY);
            }
        }
        Lists::None => {
            if verify::signed_bytes(bytes).len() != bytes.len() {
                let message =
                    format!("{shown}: it is signed, and the share has no trust list that says by whom");
                found.block("index", message, "Publish again from the site folder that has the trust lists");
            }
        }
        // That was told, and nobody can say whose the index is.
        Lists::Damaged => {}
    }
}

fn refused(problems: &[Problem], item: &'static str, remedy: &str, found: &mut Found) {
    for problem in problems {
        found.block(item, place(problem), remedy);
    }
}

/// Reads what the index names.
struct Parts<'a> {
    root: &'a Folder,
    read: usize,
}

impl Parts<'_> {
    /// The bytes of a part, if they are those that the index names. What is wrong is said.
    fn part(
        &mut self,
        folder: &str,
        name: &str,
        limit: u64,
        sha256: &ContentHash,
        found: &mut Found,
    ) -> Option<(Vec<u8>, String)> {
        let shown = self.root.path().join(folder).join(name).display().to_string();
        self.read += 1;
        let open = self.root.folder(folder).and_then(|folder| folder.file(name));
        let remedy = "Remove it from the share if it is there, then publish again: until then what it says counts nowhere";
        match open.and_then(|mut open| read_bounded(&mut open, limit)) {
            Ok(bytes) if hash_bytes(&bytes) == *sha256 => return Some((bytes, shown)),
            Ok(_) => {
                found.block("parts", format!("{shown}: its bytes are not those that the index names"), remedy)
            }
            Err(e) => found.block("parts", format!("{shown}: {e}"), remedy),
        }
        None
    }

    /// All machines of the site; None where the list is not whole.
    fn members(&mut self, index: &Index, found: &mut Found) -> Option<Vec<Member>> {
        const FOLDER: &str = "members";
        let remedy = "Remove it from the share if it is there, then publish again: until then the machines keep the groups that they have";
        let list = index.members.as_ref()?;
        let name = format!("LIST.{}", list.revision);
        let (bytes, shown) = self.part(FOLDER, &name, members::MAX_BYTES, &list.sha256, found)?;
        let parts = match members::parse_list(&bytes, &shown) {
            Ok(parts) => parts,
            Err(problems) => {
                refused(&problems, "parts", remedy, found);
                return None;
            }
        };
        let (mut all, mut whole) = (Vec::new(), true);
        for part in parts {
            let name = format!("{}.{}", part.name, part.revision);
            let digits = if part.name == "all" { 0 } else { part.name.len() };
            if digits != list.digits as usize {
                let message = format!("{shown}: part {} is not one of {} digits", part.name, list.digits);
                found.block("parts", message, remedy);
                whole = false;
            }
            let read = self.part(FOLDER, &name, members::MAX_BYTES, &part.sha256, found);
            match read.map(|(bytes, shown)| members::parse_part(&bytes, &part.name, &shown)) {
                Some(Ok(members)) => all.extend(members),
                Some(Err(problems)) => {
                    refused(&problems, "parts", remedy, found);
                    whole = false;
                }
                None => whole = false,
            }
        }
        whole.then_some(all)
    }

    fn policies(&mut self, index: &Index, found: &mut Found) {
        for policy in &index.policies {
            let name = Policy::file_name(&policy.group, policy.revision);
            let read = self.part(policy::FOLDER, &name, policy::MAX_BYTES, &policy.sha256, found);
            if let Some(Err(problems)) =
                read.map(|(bytes, shown)| policy::parse(&bytes, &policy.group, &shown))
            {
                let remedy = "Remove it from the share if it is there, then publish again: until then nothing runs on the machines of that group";
                refused(&problems, "parts", remedy, found);
            }
        }
    }

    fn jobs(&mut self, index: &Index, asked: &Asked<'_>, found: &mut Found) -> Vec<(Job, JobState)> {
        let mut jobs = Vec::new();
        for named in &index.jobs {
            let name = format!("{}.{}.toml", named.job_id, named.revision);
            let Some((bytes, shown)) = self.part(job::FOLDER, &name, job::MAX_BYTES, &named.sha256, found)
            else {
                continue;
            };
            match job::parse(&bytes, named.job_id, &shown, &asked.defaults.programs) {
                Ok(job) if job.site_id != index.site_id || job.revision != named.revision => {
                    let message = format!("{shown}: its site_id or revision is not that of the index");
                    found.block("parts", message, "Remove it from the share if it is there, then publish again: until then it runs nowhere");
                }
                Ok(job) => jobs.push((job, named.state)),
                Err(problems) => {
                    refused(
                        &problems,
                        "parts",
                        "Remove it from the share if it is there, then publish again: until then it runs nowhere",
                        found,
                    );
                }
            }
        }
        jobs
    }
}

/// A job that is for nobody is a slip of the pen, most of the time.
pub(super) fn targets<'a>(
    jobs: impl Iterator<Item = (&'a Job, JobState)>,
    members: &[Member],
    found: &mut Found,
) {
    let groups: BTreeSet<&str> = members.iter().flat_map(|m| m.groups.iter().map(String::as_str)).collect();
    let ids: BTreeSet<_> = members.iter().map(|m| m.machine).collect();
    let mut deliveries = 0;
    for (job, _) in jobs {
        for target in job.targets.iter().chain(&job.exclude) {
            let known = match target {
                Target::Group(group) => group == "all" || groups.contains(group.as_str()),
                Target::Machine(id) => ids.contains(id),
                Target::Pattern(_) => true,
            };
            if !known {
                let message = format!("{}: {target} is not in the list of machines", job.job_id);
                found.block("targets", message, "Correct it, or add the machines");
            }
        }
        let met: Vec<Option<bool>> = members
            .iter()
            .map(|member| is_for(&job.targets, &job.exclude, job.condition.as_ref(), member))
            .collect();
        let sure = met.iter().filter(|met| **met == Some(true)).count();
        deliveries += sure;
        if sure == 0 && !met.contains(&None) {
            let message = format!("{} is for none of {}", job.job_id, count(members.len(), "machine"));
            found.block("targets", message, "Correct its targets, exclude and where");
        }
    }
    found.looked("targets", format!("{}, {deliveries} deliveries", count(members.len(), "machine")));
}
