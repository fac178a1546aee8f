//! What was published before, and what was begun and not ended. The record in the site folder and the index on the share
//! each say it; which of them is newer says what happened since.

use super::at_work::AtWork;
use super::colleagues::Own;
use super::packages::{Looking, Packages, Wanted};
use super::place::Share;
use super::record::{self, Ran, Record};
use super::render::{self, Gone, KEPT, MEMBERS, Previous, live_of};
use super::{Publication, final_word, sign};
use crate::clock::Wall;
use crate::error::{Failure, Result};
use crate::site::content::hash_bytes;
use crate::site::folder::{Source, ids};
use crate::site::ids::{JobId, PackageId};
use crate::site::index::job::{self, Job};
use crate::site::index::members::{self, Member, Part};
use crate::site::index::policy::{self, Policy};
use crate::site::index::{self, Index, IndexedJob, IndexedPolicy, JobState, render as text};
use crate::site::instruction::ContentHash;
use crate::site::signed::block;
use crate::site::signed::list::Keys;
use crate::site::signed::signature::Signature;
use crate::site::signed::signers::Role;
use crate::text::SafeText;
use std::cell::LazyCell;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// The publication before.
pub(super) struct Before {
    /// What it said.
    pub previous: Previous,
    /// What its jobs ran, as far as that is known.
    pub ran: BTreeMap<JobId, Ran>,
    /// How many machines it had.
    pub machines: usize,
    /// The highest number of a request id that was ever given, and of a job.
    pub highest_request: u64,
    /// The same of jobs.
    pub highest_job: u64,
    /// It is not what the share says: it was begun and not ended, or the share is an older one.
    pub begun: bool,
    /// The parts of it that cannot be read.
    pub unread: Vec<String>,
    since: BTreeMap<JobId, record::Since>,
    /// The files on the share that no index names any more, and since when.
    pub unnamed: BTreeMap<String, Wall>,
    /// The jobs that were ever cancelled, and when.
    pub cancelled: BTreeMap<JobId, Wall>,
    /// The jobs that this folder published as suspended, and since when.
    pub suspended: BTreeMap<JobId, Wall>,
    /// The highest revision that each job ever had.
    pub revisions: BTreeMap<JobId, u64>,
    record: Option<Record>,
    /// What this folder published last, where the share has what another folder published since.
    pub own: Option<Own>,
}

impl Before {
    /// Since which publication its jobs stand as they do, where that is known.
    pub fn since(&self) -> &BTreeMap<JobId, record::Since> {
        &self.since
    }

    /// The entries of cancelled jobs whose files are gone: they stay as long as they would with their files. One that the share
    /// itself lost has nothing left to name.
    pub fn gone(&self, source: &Source, present: &BTreeSet<String>, now: Wall) -> Vec<Gone> {
        let is_gone = |old: &&IndexedJob| {
            let file = format!("{}/{}.{}.toml", job::FOLDER, old.job_id, old.revision);
            old.state == JobState::Cancelled
                && !source.jobs.contains_key(&old.job_id)
                && present.contains(&file)
        };
        let needed = |old: JobId| {
            self.ran.get(&old).is_some_and(|ran| live_of(&ran.supersedes, source, now).is_some())
        };
        let all = self.previous.index.jobs.iter().filter(is_gone).map(|old| Gone {
            since: self.cancelled.get(&old.job_id).copied().unwrap_or(now),
            entry: old.clone(),
            needed: needed(old.job_id),
        });
        all.filter(|gone| gone.needed || gone.since + KEPT > now).collect()
    }

    /// Whether it has to be published anew though nothing changed: less than half of its time is left, or it was not signed
    /// and now is, or the other way round.
    pub fn renew(&self, now: Wall, signed: bool) -> bool {
        match self.previous.index.valid_until {
            None => signed,
            Some(until) => {
                let issued = self.previous.index.issued;
                !signed || (until - now) * 2 < until - issued
            }
        }
    }

    /// What the share's index named until now is not named from now on, whatever a publication thought that never came.
    pub fn named_until(&mut self, named: &BTreeSet<String>, now: Wall) {
        let record = self.record.as_mut().map(|record| &mut record.unnamed);
        for unnamed in [Some(&mut self.unnamed), record].into_iter().flatten() {
            unnamed.iter_mut().filter(|(path, _)| named.contains(*path)).for_each(|(_, since)| *since = now);
        }
    }

    /// How many signed it, where the share has this index.
    pub fn signatures(&self, seen: Option<&[u8]>) -> usize {
        let own = self.record.as_ref().map(|record| record.index.as_bytes());
        own.or(seen).map_or(0, sign::count)
    }

    /// Keeps what was begun as what is published, once it is.
    pub fn keep_completed(&self, publication: &Publication<'_>) -> Result<()> {
        self.record.as_ref().map_or(Ok(()), |record| record::keep(&publication.folder.dir, record))
    }

    /// The machines of a part of its list; None: they cannot be had any more.
    pub fn part(&self, share: &Share, part: &Part) -> Result<Option<Vec<Member>>> {
        let name = format!("{}.{}", part.name, part.revision);
        let bytes = share.read_any(&[MEMBERS], &name, members::MAX_BYTES)?;
        let kept = || self.kept(MEMBERS, &name);
        let good = |bytes: &Vec<u8>| hash_bytes(bytes) == part.sha256;
        let bytes = bytes.filter(good).or_else(|| kept().filter(good));
        Ok(bytes.and_then(|bytes| members::parse_part(&bytes, &part.name, &name).ok()))
    }

    /// A policy of it; None: it cannot be had any more.
    pub fn policy(&self, share: &Share, named: &IndexedPolicy) -> Result<Option<Policy>> {
        let name = Policy::file_name(&named.group, named.revision);
        let bytes = share.read_any(&[policy::FOLDER], &name, policy::MAX_BYTES)?;
        let kept = || self.kept(policy::FOLDER, &name);
        let good = |bytes: &Vec<u8>| hash_bytes(bytes) == named.sha256;
        let bytes = bytes.filter(good).or_else(|| kept().filter(good));
        Ok(bytes.and_then(|bytes| policy::parse(&bytes, &named.group, &name).ok()))
    }

    fn kept(&self, folder: &str, name: &str) -> Option<Vec<u8>> {
        let kept = &self.record.as_ref()?.files;
        let file = kept.iter().find(|file| file.folder == folder && file.name == name)?;
        Some(file.text.clone().into_bytes())
    }
}

/// What was published before, where the share has this index; None: nothing ever was.
pub(super) fn before(
    publication: &Publication<'_>,
    share: &Share,
    seen: Option<&[u8]>,
) -> Result<Option<Before>> {
    let settings = &publication.folder.settings;
    let record = record::read(&publication.folder.dir, &settings.site_id)
        .and_then(|record| Some((parse_own(record.index.as_bytes())?, record)));
    let bytes = match (seen, &record) {
        (None, None) => return Ok(None),
        (None, Some(_)) => None,
        (Some(bytes), Some((_, record))) if bytes == record.index.as_bytes() => {
            return Ok(record_says(record, false));
        }
        (Some(bytes), _) => Some(bytes),
    };
    let on_share = match bytes.map(|bytes| on_share(publication, bytes)) {
        // It begins anew by somebody's word.
        Some(Err(_)) if publication.how.serial.is_some() => None,
        // A torn one is nobody's: no machine takes it, and what this folder published last is put back.
        Some(Err(_)) if record.is_some() && bytes.is_some_and(is_torn) => None,
        Some(other) => Some(other?),
        None => None,
    };
    let (index, record) = match (on_share, record) {
        (None, None) => return Ok(None),
        (None, Some((_, record))) => return Ok(record_says(&record, true)),
        (Some(index), None) => return share_says(publication, share, index, None).map(Some),
        (Some(index), Some((own, record))) => {
            match (index.epoch, index.serial).cmp(&(own.epoch, own.serial)) {
                Ordering::Less => return Ok(record_says(&record, true)),
                Ordering::Greater => (index, record),
                // A higher number is somebody's word that he has seen what the other one published.
                Ordering::Equal if publication.how.serial.is_some_and(|serial| serial > own.serial) => {
                    (index, record)
                }
                Ordering::Equal => {
                    let message = format!(
                        "the share has another publication with the number {}.{}",
                        index.epoch, index.serial
                    );
                    let remedy = format!(
                        "Somebody else publishes for this site: bring the site folders together, then pcm site publish \
                         --serial {}",
                        own.serial + 1
                    );
                    return Err(publication.refuse("other-publisher", &message, &remedy));
                }
            }
        }
    };
    share_says(publication, share, index, Some(&record)).map(Some)
}

/// Whether these bytes are no index at all, whoever wrote them: cut off, empty, or damaged.
pub(super) fn is_torn(bytes: &[u8]) -> bool {
    index::parse(block::split(bytes).map_or(bytes, |parts| parts.signed), index::NAME).is_err()
}

/// An index that this folder made: signed or not.
fn parse_own(bytes: &[u8]) -> Option<Index> {
    index::parse(bytes, record::NAME).ok()
}

fn record_says(record: &Record, begun: bool) -> Option<Before> {
    let index = parse_own(record.index.as_bytes())?;
    let (list, unread) = match (record.list.as_str(), &index.members) {
        ("", None) => (Vec::new(), Vec::new()),
        (list, _) => match members::parse_list(list.as_bytes(), record::NAME) {
            Ok(list) => (list, Vec::new()),
            Err(_) => (Vec::new(), vec![format!("the list of machines in {}", record::NAME)]),
        },
    };
    let cancelled = final_word::cancelled(Some(record), &index);
    let revisions = final_word::revisions(Some(record), &index);
    Some(Before {
        previous: Previous { index, list },
        ran: record.jobs.clone(),
        machines: record.machines,
        highest_request: record.highest_request,
        highest_job: record.highest_job,
        begun,
        unread,
        since: record.since.clone(),
        unnamed: record.unnamed.clone(),
        cancelled,
        suspended: record.suspended.clone(),
        revisions,
        record: Some(record.clone()),
        own: None,
    })
}

/// The index on the share, where this folder's own keys signed it; without any keys, where it is of this very site.
fn on_share(publication: &Publication<'_>, bytes: &[u8]) -> Result<Index> {
    let not_ours = |why: &str| {
        publication.refuse(
            "not-ours",
            &format!("the {} of the share is not this folder's: {why}", index::NAME),
            "Name the share that this folder publishes on; to begin anew all the same, publish with --serial N, above \
             every number that its machines have seen",
        )
    };
    let signed = match publication.list {
        None => bytes,
        Some(newest) => {
            let parts = block::split(bytes).map_err(|distrust| not_ours(distrust.why.as_str()))?;
            let signature = parts.armours.last().map(|armour| Signature::read(armour));
            let signature = signature.ok_or_else(|| not_ours("it has no signature"))?;
            let signature = signature.map_err(|distrust| not_ours(distrust.why.as_str()))?;
            let folder = publication.folder.trust();
            // A key of any version: the newest may have ended it.
            let known = (1..=newest.version).rev().any(|version| {
                let list = folder.list(version).ok().flatten();
                list.is_some_and(|list| Keys::of(&list, &[]).known(signature.key(), Role::Publish).is_ok())
            });
            if !known {
                return Err(not_ours("no publish key of its trust lists signed it"));
            }
            signature
                .verify(Role::Publish, parts.signed)
                .map_err(|distrust| not_ours(distrust.why.as_str()))?;
            parts.signed
        }
    };
    let index = index::parse(signed, index::NAME).map_err(|problems| {
        let why = problems.first().map_or_else(SafeText::default, |problem| problem.message.clone());
        not_ours(why.as_str())
    })?;
    match index.site_id == publication.folder.settings.site_id {
        true => Ok(index),
        false => Err(not_ours(&format!("its site_id is {}", index.site_id))),
    }
}

/// What the share says of the publication before, part by part, each by its hash. No id is given twice, whoever gave it: those
/// of this folder's own record count, too.
fn share_says(
    publication: &Publication<'_>,
    share: &Share,
    index: Index,
    record: Option<&Record>,
) -> Result<Before> {
    let part = |folder: &str, name: &str, limit: u64, sha256: &ContentHash| -> Result<Option<Vec<u8>>> {
        Ok(share.read_any(&[folder], name, limit)?.filter(|bytes| hash_bytes(bytes) == *sha256))
    };
    let (mut list, mut unread) = (Vec::new(), Vec::new());
    if let Some(named) = &index.members {
        let name = format!("LIST.{}", named.revision);
        let bytes = part(MEMBERS, &name, members::MAX_BYTES, &named.sha256)?;
        match bytes.and_then(|bytes| members::parse_list(&bytes, &name).ok()) {
            Some(read) => list = read,
            None => unread.push(format!("{MEMBERS}/{name}")),
        }
    }
    let mut machines = 0;
    for named in &list {
        let name = format!("{}.{}", named.name, named.revision);
        let bytes = part(MEMBERS, &name, members::MAX_BYTES, &named.sha256)?;
        let read = bytes.and_then(|bytes| members::parse_part(&bytes, &named.name, &name).ok());
        machines += read.map_or(0, |members| members.len());
    }
    let mut ran = BTreeMap::new();
    for named in &index.jobs {
        let name = format!("{}.{}.toml", named.job_id, named.revision);
        if let Some(bytes) = part(job::FOLDER, &name, job::MAX_BYTES, &named.sha256)?
            && let Ok(job) = job::parse(&bytes, named.job_id, &name, publication.how.programs)
        {
            ran.insert(named.job_id, Ran::of(&job));
        }
    }
    let requests = ran.values().map(|ran| ids::number(ran.request_id.as_str()));
    let requests = requests.chain(record.map(|record| record.highest_request));
    let jobs = index.jobs.iter().map(|named| ids::number(named.job_id.as_str()));
    let jobs = jobs.chain(record.map(|record| record.highest_job));
    Ok(Before {
        highest_request: requests.max().unwrap_or(0),
        highest_job: jobs.max().unwrap_or(0),
        cancelled: final_word::cancelled(record, &index),
        // Of what another folder said since, more is asked.
        suspended: BTreeMap::new(),
        revisions: final_word::revisions(record, &index),
        previous: Previous { index, list },
        ran,
        machines,
        begun: false,
        unread,
        since: BTreeMap::new(),
        unnamed: record.map(|record| record.unnamed.clone()).unwrap_or_default(),
        record: None,
        own: Some(Own::of(record)),
    })
}

/// What came of a publication that was begun.
pub(super) enum End {
    /// It is complete; the index that the share has now.
    Completed(Vec<u8>),
    /// That cannot be done any more, and as no machine saw anything of it, the next number is published in its place.
    GivenUp,
    /// Somebody else published in the meantime.
    Overtaken,
}

/// Ends the publication that was begun, with the bytes that were kept.
pub(super) fn complete(
    publication: &Publication<'_>,
    share: &mut Share,
    before: &Before,
    present: &BTreeSet<String>,
    seen: Option<&[u8]>,
) -> Result<End> {
    let Some(record) = &before.record else { return Ok(End::GivenUp) };
    let Some(missing) = missing(publication, before, record, present) else { return Ok(End::GivenUp) };
    let wanted = wanted(publication, &missing);
    // It was found good when it was begun.
    let none = BTreeSet::new();
    let looking = Looking { thorough: false, signed: false, ..publication.looking(share, None, &none) };
    let packages = match Packages::find(looking, wanted) {
        Ok(packages) => packages,
        Err(Failure { message, .. }) => {
            tracing::warn!("publication {} is given up: {message}", before.previous.index.serial);
            return Ok(End::GivenUp);
        }
    };
    let Some(at_work) = AtWork::begin(publication, share, seen)? else { return Ok(End::Overtaken) };
    packages.place(share, publication.how.watch)?;
    for (folder, name, text) in missing {
        share.write(&[folder], &name, text.as_bytes())?;
    }
    publication.commit(share, &record.index)?;
    at_work.end(share);
    Ok(End::Completed(record.index.clone().into_bytes()))
}

type File = (&'static str, String, String);

/// The parts that the share lacks; None: one of them cannot be had.
fn missing(
    publication: &Publication<'_>,
    before: &Before,
    record: &Record,
    present: &BTreeSet<String>,
) -> Option<Vec<File>> {
    let kept: BTreeMap<String, &str> = record
        .files
        .iter()
        .map(|file| (format!("{}/{}", file.folder, file.name), file.text.as_str()))
        .collect();
    let mut missing = Vec::new();
    let mut one =
        |folder: &'static str, name: String, sha256: &ContentHash, text: &dyn Fn() -> Option<String>| {
            let path = format!("{folder}/{name}");
            if present.contains(&path) {
                return Some(());
            }
            let kept = kept.get(&path).map(|text| (*text).to_owned());
            let text = kept.or_else(text).filter(|text| hash_bytes(text.as_bytes()) == *sha256)?;
            missing.push((folder, name, text));
            Some(())
        };
    let (source, settings) = (publication.source, &publication.folder.settings);
    let index = &before.previous.index;
    for policy in &index.policies {
        let (group, revision) = (policy.group.clone(), policy.revision);
        let again = || {
            let rules = source.policies.get(&group)?.clone();
            let site_id = settings.site_id.clone();
            Some(policy::render(&Policy { site_id, group: group.clone(), revision, rules }))
        };
        one(policy::FOLDER, Policy::file_name(&group, revision), &policy.sha256, &again)?;
    }
    let digits = index.members.as_ref().map_or(0, |members| members.digits);
    // Every machine is hashed once, however many parts are missing.
    let parts = LazyCell::new(|| render::parts(source, digits));
    for part in &before.previous.list {
        let again = || parts.get(&part.name).map(|members| members::render_part(members));
        one(MEMBERS, format!("{}.{}", part.name, part.revision), &part.sha256, &again)?;
    }
    if let Some(list) = &index.members {
        one(MEMBERS, format!("LIST.{}", list.revision), &list.sha256, &|| Some(record.list.clone()))?;
    }
    // A cancelled one whose file is gone needs its part no more.
    let needed = |named: &&index::IndexedJob| {
        named.state != JobState::Cancelled || source.jobs.contains_key(&named.job_id)
    };
    for named in index.jobs.iter().filter(needed) {
        let again = || {
            let (job, word) = source.jobs.get(&named.job_id)?;
            Some(text::job(&Job { revision: named.revision, ..text::for_now(job, word).0 }))
        };
        let name = format!("{}.{}.toml", named.job_id, named.revision);
        one(job::FOLDER, name, &named.sha256, &again)?;
    }
    Some(missing)
}

/// What the jobs among some files run.
fn wanted(publication: &Publication<'_>, files: &[File]) -> BTreeMap<(PackageId, u64), Wanted> {
    let mut wanted = BTreeMap::new();
    for (_, name, text) in files.iter().filter(|(folder, _, _)| *folder == job::FOLDER) {
        let id = name.split('.').next().and_then(|stem| stem.parse::<JobId>().ok());
        let job = id.and_then(|id| job::parse(text.as_bytes(), id, name, publication.how.programs).ok());
        if let Some(job) = job {
            let key = (job.package_id, job.release);
            let one = Wanted {
                sha256: job.package_sha256.clone(),
                content: job.content_sha256.clone(),
                jobs: Vec::new(),
                withdrawn: false,
            };
            wanted.entry(key).or_insert(one);
        }
    }
    wanted
}
