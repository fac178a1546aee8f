//! What a site folder is as a publication: a pure function of what the folder says and of the publication before. The same
//! folder gives the same bytes, so that a file whose bytes are those of before keeps its revision and is not written again.

use crate::clock::{Wall, When, later};
use crate::site::content::hash_bytes;
use crate::site::folder::Source;
use crate::site::folder::settings::Settings;
use crate::site::ids::JobId;
use crate::site::index::job::{self, Job, Word};
use crate::site::index::members::{self, Part};
use crate::site::index::policy::{self, Policy};
use crate::site::index::{self, Index, IndexedJob, IndexedMembers, IndexedPolicy, JobState, render as text};
use crate::site::instruction::ContentHash;
use chrono::TimeDelta;
use std::collections::{BTreeMap, BTreeSet};

/// The folder of the lists of machines on a share.
pub const MEMBERS: &str = "members";
/// How long jobs that ended stay in the index.
pub(super) const KEPT: TimeDelta = TimeDelta::days(30);
/// A local time is over everywhere so long after it is over in UTC.
const EVERYWHERE: TimeDelta = TimeDelta::hours(26);

/// The publication before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Previous {
    /// Its index.
    pub index: Index,
    /// The parts of its list of machines.
    pub list: Vec<Part>,
}

/// The highest revision of each name that was ever written: `jobs/BP0000AA`, `members/LIST`. A revision is never used
/// twice, whatever became of the publication that wrote it.
pub type Taken = BTreeMap<String, u64>;

/// A cancelled job whose file is gone: its entry stays for a while, as machines that were away have to learn of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gone {
    /// When it was cancelled.
    pub since: Wall,
    /// As the index before had it.
    pub entry: IndexedJob,
    /// It took the place of a job that is in force still.
    pub needed: bool,
}

/// What a publication has to heed that neither the folder nor the index before says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Heeded {
    /// The revisions that were ever given.
    pub taken: Taken,
    /// The cancelled jobs whose files are gone.
    pub gone: Vec<Gone>,
}

/// A file of a publication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its folder on the share.
    pub folder: &'static str,
    /// Its name there.
    pub name: String,
    /// Its bytes.
    pub text: String,
    /// The publication before did not have it.
    pub new: bool,
}

impl File {
    /// `jobs/BP0000AA.3.toml`
    pub fn path(&self) -> String {
        format!("{}/{}", self.folder, self.name)
    }
}

/// A publication that is not signed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// What the index says.
    pub index: Index,
    /// Every file that it names.
    pub files: Vec<File>,
    /// The parts of its list of machines.
    pub list: Vec<Part>,
}

impl Rendered {
    /// Whether it says nothing that the publication before did not say.
    pub fn is_as(&self, previous: &Index) -> bool {
        let bare = |index: &Index| {
            let mut bare = index.clone();
            (bare.serial, bare.issued, bare.valid_until) = (0, Wall::UNIX_EPOCH, None);
            bare.jobs.iter_mut().for_each(|job| job.line = 0);
            bare
        };
        bare(&self.index) == bare(previous)
    }

    /// The bytes that are signed.
    pub fn text(&self) -> String {
        text::index(&self.index)
    }

    /// The jobs whose entry is another one than before, or was none.
    pub fn changed_jobs(&self, previous: Option<&Index>) -> Vec<JobId> {
        let same = |a: &IndexedJob, b: &IndexedJob| {
            IndexedJob { line: 0, ..a.clone() } == IndexedJob { line: 0, ..b.clone() }
        };
        let before =
            |job: &IndexedJob| previous.is_some_and(|index| index.jobs.iter().any(|old| same(old, job)));
        self.index.jobs.iter().filter(|job| !before(job)).map(|job| job.job_id).collect()
    }
}

/// What makes one publication differ from another of the same folder.
#[derive(Debug, Clone, Copy)]
pub struct At {
    /// The version of the trust list; 0: there is none.
    pub epoch: u64,
    /// It will be signed.
    pub signed: bool,
    /// Its number.
    pub serial: u64,
    /// When.
    pub issued: Wall,
}

/// Makes the publication.
///
/// # Errors
/// Everything that is too large.
pub fn render(
    settings: &Settings,
    source: &Source,
    previous: Option<&Previous>,
    heeded: &Heeded,
    at: At,
) -> Result<Rendered, Vec<String>> {
    let mut render = Render { previous, heeded, files: Vec::new(), problems: Vec::new() };
    let jobs = render.jobs(source, at.issued);
    let policies = render.policies(settings, source);
    let (members, list) = render.members(source);
    let index = Index {
        site: settings.site,
        site_id: settings.site_id.clone(),
        epoch: at.epoch,
        serial: at.serial,
        issued: at.issued,
        // Nothing renews what nobody signs: in mode `permissions` the share itself is what has to be seen.
        valid_until: at.signed.then(|| later(at.issued, settings.valid_for)),
        jobs,
        policies,
        members,
    };
    let Render { files, mut problems, .. } = render;
    let length = text::index(&index).len() as u64;
    if length + crate::site::signed::block::MAX_BLOCK as u64 > index::MAX_BYTES {
        problems
            .push(format!("the index would have {length} bytes, and at most {} are read", index::MAX_BYTES));
    }
    if problems.is_empty() { Ok(Rendered { index, files, list }) } else { Err(problems) }
}

/// When a job ended, as far as the publisher can know: it was cancelled, or it expired everywhere.
pub fn ended(times: &job::Times, word: &Word) -> Option<Wall> {
    if word.state == JobState::Cancelled {
        // Without a time it was written by hand, and stays.
        return word.since;
    }
    over_everywhere(times.expire?)
}

/// Whether machines may still start it.
pub(super) fn is_live(job: &Job, word: &Word, now: Wall) -> bool {
    word.state != JobState::Cancelled && ended(&job.times, word).is_none_or(|at| at > now)
}

/// A job of these that is in force still.
pub(super) fn live_of(older: &[JobId], source: &Source, now: Wall) -> Option<JobId> {
    let live = |id: &JobId| source.jobs.get(id).is_some_and(|(job, word)| is_live(job, word, now));
    older.iter().copied().find(live)
}

/// When a time is over on every machine, whatever its zone is.
pub fn over_everywhere(at: When) -> Option<Wall> {
    match at {
        When::Instant(at) => Some(at),
        When::Local(at) => at.and_utc().checked_add_signed(EVERYWHERE),
    }
}

/// The machines by the parts of their list, where it is divided by so many digits.
pub fn parts(source: &Source, digits: u32) -> BTreeMap<String, Vec<members::Member>> {
    let mut parts: BTreeMap<String, Vec<members::Member>> = BTreeMap::new();
    for machine in source.machines.values() {
        parts.entry(members::part(machine.id, digits)).or_default().push(machine.member());
    }
    parts
}

struct Render<'a> {
    previous: Option<&'a Previous>,
    heeded: &'a Heeded,
    files: Vec<File>,
    problems: Vec<String>,
}

impl Render<'_> {
    /// Adds a file. It keeps the revision of before where its bytes are those of before.
    fn file(
        &mut self,
        folder: &'static str,
        stem: &str,
        ending: &str,
        before: Option<(u64, &ContentHash)>,
        limit: u64,
        text: impl Fn(u64) -> String,
    ) -> (u64, ContentHash) {
        let kept = before.and_then(|(revision, sha256)| {
            let text = text(revision);
            (hash_bytes(text.as_bytes()) == *sha256).then_some((revision, text, sha256.clone()))
        });
        let new = kept.is_none();
        let (revision, text, sha256) = kept.unwrap_or_else(|| {
            let taken = self.heeded.taken.get(&format!("{folder}/{stem}")).copied().unwrap_or_default();
            let revision = before.map_or(0, |(revision, _)| revision).max(taken) + 1;
            let text = text(revision);
            let sha256 = hash_bytes(text.as_bytes());
            (revision, text, sha256)
        });
        let name = format!("{stem}.{revision}{ending}");
        if text.len() as u64 > limit {
            self.problems.push(format!(
                "{folder}/{name} would have {} bytes, and at most {limit} are read",
                text.len()
            ));
        }
        self.files.push(File { folder, name, text, new });
        (revision, sha256)
    }

    /// Those that leave before their time, as an index would have too many: the ones that ended first.
    fn early<'b>(
        &self,
        jobs: impl Iterator<Item = &'b (Job, Word)>,
        needed: &BTreeSet<JobId>,
        now: Wall,
    ) -> BTreeSet<JobId> {
        let (mut all, mut over) = (self.heeded.gone.len(), Vec::new());
        for (job, word) in jobs {
            all += 1;
            if needed.contains(&job.job_id) {
                continue;
            }
            let at = match word.state {
                JobState::Cancelled => Some(word.since.unwrap_or(Wall::UNIX_EPOCH)),
                JobState::Active | JobState::Suspended => ended(&job.times, word).filter(|at| *at <= now),
            };
            over.extend(at.map(|at| (at, job.job_id)));
        }
        let gone = self.heeded.gone.iter().filter(|gone| !gone.needed);
        over.extend(gone.map(|gone| (gone.since, gone.entry.job_id)));
        over.sort_unstable();
        over.into_iter().take(all.saturating_sub(index::MAX_JOBS)).map(|(_, id)| id).collect()
    }

    fn jobs(&mut self, source: &Source, now: Wall) -> Vec<IndexedJob> {
        // What took the place of a job that is in force stays with it: where the one has run, the other would run again.
        let needed = source.jobs.values().filter(|(job, _)| live_of(&job.supersedes, source, now).is_some());
        let needed: BTreeSet<JobId> = needed.map(|(job, _)| job.job_id).collect();
        let over = |(job, word): &&(Job, Word)| {
            !needed.contains(&job.job_id) && ended(&job.times, word).is_some_and(|at| at + KEPT <= now)
        };
        let early = self.early(source.jobs.values().filter(|job| !over(job)), &needed, now);
        let mut jobs = Vec::new();
        let stays = |job: &&(Job, Word)| !over(job) && !early.contains(&job.0.job_id);
        for (job, word) in source.jobs.values().filter(stays) {
            let before = self.previous.and_then(|p| p.index.jobs.iter().find(|old| old.job_id == job.job_id));
            let before = before.map(|old| (old.revision, &old.sha256));
            let (job, percent) = text::for_now(job, word);
            let published = |revision| text::job(&Job { revision, ..job.clone() });
            let stem = job.job_id.as_str().to_owned();
            let (revision, sha256) =
                self.file(job::FOLDER, &stem, ".toml", before, job::MAX_BYTES, published);
            jobs.push(IndexedJob {
                job_id: job.job_id,
                revision,
                sha256,
                state: word.state,
                percent,
                reason: word.reason.clone(),
                line: 0,
            });
        }
        let gone = self.heeded.gone.iter().filter(|gone| !early.contains(&gone.entry.job_id));
        jobs.extend(gone.map(|gone| IndexedJob { line: 0, ..gone.entry.clone() }));
        jobs.sort_by_key(|job| job.job_id);
        if jobs.len() > index::MAX_JOBS {
            self.problems.push(format!(
                "{} jobs are in force, and at most {} fit into an index: cancel those that nobody needs",
                jobs.len(),
                index::MAX_JOBS
            ));
        }
        jobs
    }

    fn policies(&mut self, settings: &Settings, source: &Source) -> Vec<IndexedPolicy> {
        let mut policies = Vec::new();
        for (group, rules) in &source.policies {
            let before = self.previous.and_then(|p| p.index.policies.iter().find(|old| old.group == *group));
            let before = before.map(|old| (old.revision, &old.sha256));
            let published = |revision| {
                let (site_id, group) = (settings.site_id.clone(), group.clone());
                policy::render(&Policy { site_id, group, revision, rules: rules.clone() })
            };
            let (revision, sha256) =
                self.file(policy::FOLDER, group, ".toml", before, policy::MAX_BYTES, published);
            policies.push(IndexedPolicy { group: group.clone(), revision, sha256 });
        }
        policies
    }

    fn members(&mut self, source: &Source) -> (Option<IndexedMembers>, Vec<Part>) {
        // Without any list a machine is one of the site. Where there was one, a list says of the last one that it is none.
        if source.machines.is_empty() && self.previous.is_none_or(|p| p.index.members.is_none()) {
            return (None, Vec::new());
        }
        let digits = members::digits(source.machines.len());
        let parts = parts(source, digits);
        let mut list = Vec::new();
        for (name, members) in parts {
            let before = self.previous.and_then(|p| p.list.iter().find(|old| old.name == name));
            let before = before.map(|old| (old.revision, &old.sha256));
            let text = members::render_part(&members);
            let (revision, sha256) =
                self.file(MEMBERS, &name, "", before, members::MAX_BYTES, |_| text.clone());
            list.push(Part { name, revision, sha256 });
        }
        let before = self.previous.and_then(|p| p.index.members.as_ref());
        let before = before.map(|old| (old.revision, &old.sha256));
        let text = text::list(&list);
        let (revision, sha256) = self.file(MEMBERS, "LIST", "", before, members::MAX_BYTES, |_| text.clone());
        (Some(IndexedMembers { digits, revision, sha256 }), list)
    }
}
