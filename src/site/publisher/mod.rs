//! `pcm site publish` (SITE.md 3): from the site folder to the share. `render` makes the publication, `refusals` says what of
//! it wants to be expected, `packages` finds what its jobs run, `record` keeps the finished index before the first byte is
//! written anywhere, `place` writes. The index comes last: until it is there, no machine sees anything of it.

mod at_work;
mod begun;
pub mod packages;
pub mod place;
pub mod record;
pub mod refusals;
pub mod release;
pub mod render;
pub mod sign;
#[cfg(test)]
mod tests;

use self::at_work::AtWork;
pub use self::at_work::PUBLISHING;
use self::begun::Before;
use self::packages::{Packages, Wanted};
use self::place::Share;
use self::record::{Kept, Ran, Record};
use self::refusals::Changes;
use self::render::{At, MEMBERS, Rendered, Taken};
use super::folder::{Folder, LOCK, Source, ids};
use super::ids::{JobId, PackageId};
use super::index::members;
use super::index::{self, Index, JobState, job, policy, render as text, together};
use super::instruction::render::{line, quoted};
use super::signed::list::TrustList;
use super::{report, signed, site_file};
use crate::clock::Wall;
use crate::error::{Exit, Failure, Result};
use crate::host::durable;
use crate::host::lock::{ExclusiveLock, holder};
use crate::terms::Code;
use chrono::SubsecRound as _;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// What was published, one line a publication.
pub const LOG: &str = "publications.log";

/// How something is published.
#[derive(Debug, Clone)]
pub struct How<'a> {
    /// The key that signs it.
    pub key: Option<PathBuf>,
    /// The lowest number that it may have.
    pub serial: Option<u64>,
    /// So many changes that are refused otherwise are meant.
    pub expect: Option<usize>,
    /// Whoever publishes on the share is dead.
    pub break_lock: bool,
    /// Say what would be published.
    pub dry_run: bool,
    /// The bare names that some machine may start.
    pub programs: &'a [String],
    /// Who publishes.
    pub who: String,
    /// What for, in a few words, for the log.
    pub what: String,
    /// Now.
    pub now: Wall,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// What the index says.
    pub index: Index,
    /// The jobs whose entry changed.
    pub jobs: Vec<JobId>,
    /// The packages that were not there before.
    pub packages: Vec<PackageId>,
    /// How many policies changed.
    pub policies: usize,
    /// How many parts of the list of machines changed.
    pub parts: usize,
    /// How many machines the list has.
    pub machines: usize,
    /// How many machines are no more.
    pub gone: usize,
    /// Jobs that are not in the index any more.
    pub withdrawn: Vec<JobId>,
    /// What was written, and how many bytes.
    pub written: Vec<(String, u64)>,
    /// A publication that had not been completed was.
    pub completed: Option<u64>,
    /// There was nothing to publish.
    pub nothing: bool,
    /// A key signed it.
    pub signed: bool,
    /// What is wrong with packages of jobs that are as they were: it keeps nothing else from being published.
    pub faults: Vec<Failure>,
}

/// Publishes what a site folder says.
///
/// # Errors
/// Everything that is wrong with the folder; what wants to be expected; what the share refuses.
pub fn publish(folder: &Folder, how: &How<'_>) -> Result<Published> {
    let _lock = if how.dry_run { None } else { Some(lock(folder, &how.who)?) };
    from(folder, &folder.read(how.programs)?, how)
}

/// The same of a folder that was read a moment ago: a list of machines that has not changed since is not read again.
///
/// # Errors
/// As [`publish`].
pub fn publish_after(folder: &Folder, before: &Source, how: &How<'_>) -> Result<Published> {
    let _lock = if how.dry_run { None } else { Some(lock(folder, &how.who)?) };
    from(folder, &folder.read_again(how.programs, Some(before))?, how)
}

fn from(folder: &Folder, source: &Source, how: &How<'_>) -> Result<Published> {
    let list = folder.trust_list()?;
    Publication { folder, source, list: list.as_ref(), how }.publish()
}

/// Takes the lock of the folder.
fn lock(folder: &Folder, who: &str) -> Result<ExclusiveLock> {
    let path = folder.dir.join(LOCK);
    let taken = ExclusiveLock::try_take(&path, who).map_err(|e| {
        let message = format!("nothing was published: {}: {e}", path.display());
        Failure::new(
            Exit::Failed,
            "not-written",
            message,
            "Publish as somebody who may write the site folder",
        )
    })?;
    taken.ok_or_else(|| {
        let by = holder(&path).map_or_else(|| "somebody else".to_owned(), |holder| holder.to_string());
        let message = format!("nothing was published: {by} is publishing from {}", folder.dir.display());
        Failure::new(Exit::Refused, "publishing", message, "Wait for its end, then publish again")
    })
}

struct Publication<'a> {
    folder: &'a Folder,
    source: &'a Source,
    list: Option<&'a TrustList>,
    how: &'a How<'a>,
}

impl Publication<'_> {
    fn publish(&self) -> Result<Published> {
        self.check_jobs()?;
        let path = self.folder.share();
        // Its own folder is made; what is mounted has to be there.
        if !path.exists() && path.starts_with(&self.folder.dir) && !self.how.dry_run {
            durable::make_readable_dir(&path).map_err(|e| {
                let message = format!("{} cannot be made: {e}", path.display());
                Failure::new(
                    Exit::Share,
                    "share-missing",
                    message,
                    "Make it, or correct `share` in site.toml",
                )
            })?;
        }
        if self.how.dry_run && !path.exists() && path.starts_with(&self.folder.dir) {
            return self.first();
        }
        let mut share = Share::open(&path)?;
        let site_file = self.site_file(&share)?;
        let before = begun::before(self, &share)?;
        let mut taken = Vec::new();
        let present = present(&share, &mut taken)?;
        let completed = match &before {
            Some(before) if before.begun && !self.how.dry_run => {
                begun::complete(self, &mut share, before, &present)?
            }
            _ => None,
        };
        let present = if completed.is_some() { present_again(&share)? } else { present };
        let previous = before.as_ref().map(|before| &before.previous);
        // No machine in mode signed would take it, a cancellation for one.
        if self.how.key.is_none() && previous.is_some_and(|previous| previous.index.valid_until.is_some()) {
            return Err(self.refuse(
                "not-signed",
                "the publication in force is signed, and no key was named to sign this one",
                "Name it with --key FILE, or as `key` in site.toml",
            ));
        }
        let serial =
            previous.map_or(1, |previous| previous.index.serial + 1).max(self.how.serial.unwrap_or(1));
        let at = At {
            epoch: self.list.map_or(0, |list| list.version),
            signed: self.how.key.is_some(),
            serial,
            issued: self.how.now.trunc_subsecs(0),
        };
        let taken: Taken = highest(&taken);
        let rendered = render::render(&self.folder.settings, self.source, previous, &taken, at)
            .map_err(|problems| self.refuse("too-large", &problems.join("; "), "Nothing was published"))?;
        let ran = before.as_ref().map(|before| before.ran.clone()).unwrap_or_default();
        let unchanged = rendered
            .files
            .iter()
            .filter(|file| file.folder == job::FOLDER && !file.new && present.contains(&file.path()));
        let unchanged = unchanged.filter_map(|file| file.name.split('.').next()?.parse().ok()).collect();
        let packages = Packages::find(self.folder, &share, self.wanted(), &unchanged)?;
        let gone = self.gone(&share, before.as_ref(), &rendered)?;
        let machines = before.as_ref().map_or(0, |before| before.machines);
        let mut published = self.published(&rendered, before.as_ref(), &packages, gone, completed);
        let missing: Vec<&render::File> =
            rendered.files.iter().filter(|file| file.new || !present.contains(&file.path())).collect();
        let nothing = before.as_ref().is_some_and(|before| {
            rendered.is_as(&before.previous.index)
                && !before.renew(self.how.now, at.signed)
                && (!before.begun || completed.is_some())
                && self.how.serial.is_none_or(|serial| serial <= before.previous.index.serial)
        });
        // What is withdrawn is withdrawn on purpose; anything else is missing.
        let is_missing = |fault: &&Failure| fault.code != Code::PackageWithdrawn.as_str();
        if nothing && let Some(fault) = packages.faults.iter().find(is_missing) {
            return Err(fault.clone());
        }
        if nothing
            && missing.is_empty()
            && packages.are_there()
            && site_file
            && self.lists(&share)?.is_empty()
        {
            published.nothing = true;
            published.index = before.map_or(published.index, |before| before.previous.index);
            published.written = share.written;
            return Ok(published);
        }
        if let Some(before) = &before {
            let changes = Changes {
                previous: &before.previous,
                ran: &ran,
                machines,
                gone,
                source: self.source,
                rendered: &rendered,
                now: self.how.now,
            };
            self.refuse_unless_expected(changes)?;
        }
        if self.how.dry_run {
            published.written = packages.sizes();
            published.written.extend(missing.iter().map(|file| (file.path(), file.text.len() as u64)));
            published.written.push((index::NAME.to_owned(), rendered.text().len() as u64));
            return Ok(published);
        }
        let finished = self.finish(&rendered)?;
        let at_work = AtWork::begin(self, &share)?;
        let record = self.record(&finished, &rendered, before.as_ref());
        record::keep(&self.folder.dir, &record)?;
        packages.place(&mut share)?;
        for file in missing {
            share.write(&[file.folder], &file.name, file.text.as_bytes())?;
        }
        self.commit(&mut share, &finished)?;
        at_work.end(&share);
        published.written = share.written;
        published.index.issued = at.issued;
        self.log(&published);
        Ok(published)
    }

    /// What a first publication would be, where there is no share yet.
    fn first(&self) -> Result<Published> {
        let at = At {
            epoch: self.list.map_or(0, |list| list.version),
            signed: self.how.key.is_some(),
            serial: self.how.serial.unwrap_or(1),
            issued: self.how.now.trunc_subsecs(0),
        };
        let rendered = render::render(&self.folder.settings, self.source, None, &Taken::new(), at)
            .map_err(|problems| self.refuse("too-large", &problems.join("; "), "Nothing was published"))?;
        let mut published = self.published(&rendered, None, &Packages::default(), 0, None);
        published.written = rendered.files.iter().map(|file| (file.path(), file.text.len() as u64)).collect();
        published.written.push((index::NAME.to_owned(), rendered.text().len() as u64));
        Ok(published)
    }

    fn refuse(&self, code: &str, message: &str, remedy: &str) -> Failure {
        let words = format!("nothing was published from {}: {message}", self.folder.dir.display());
        Failure::new(Exit::Refused, code, words, remedy)
    }

    /// The jobs that are in force.
    fn live(&self) -> impl Iterator<Item = &job::Job> {
        let live = move |(job, word): &&(job::Job, job::Word)| {
            word.state != JobState::Cancelled
                && render::ended(&job.times, word).is_none_or(|at| at > self.how.now)
        };
        self.source.jobs.values().filter(live).map(|(job, _)| job)
    }

    /// What all jobs together have to be.
    fn check_jobs(&self) -> Result<()> {
        let mut faults = together::faults(self.live());
        // An id that was ever used is used, though its job ended.
        let mut seen = BTreeMap::new();
        for (job, _) in self.source.jobs.values() {
            if let Some(other) = seen.insert(job.request_id, job.job_id)
                && !faults.iter().any(|fault| fault.message.contains(job.job_id.as_str()))
            {
                let message = format!("{} and {other} have one request id, {}", job.job_id, job.request_id);
                faults.push(together::Fault {
                    item: "request-ids",
                    message,
                    remedy: "Send one of them again",
                });
            }
        }
        match faults.first() {
            None => Ok(()),
            Some(first) => {
                let all: Vec<&str> = faults.iter().map(|fault| fault.message.as_str()).collect();
                Err(self.refuse(first.item, &all.join("; "), first.remedy))
            }
        }
    }

    /// The packages that jobs in force run.
    fn wanted(&self) -> BTreeMap<(PackageId, u64), Wanted> {
        let mut wanted: BTreeMap<(PackageId, u64), Wanted> = BTreeMap::new();
        for job in self.live() {
            let one = wanted.entry((job.package_id, job.release)).or_insert_with(|| Wanted {
                sha256: job.package_sha256.clone(),
                content: job.content_sha256.clone(),
                jobs: Vec::new(),
                signed: self.how.key.is_some() && self.list.is_some(),
                withdrawn: self
                    .list
                    .and_then(|list| list.withdrawn.get(&job.package_id))
                    .is_some_and(|below| job.release < *below),
            });
            one.jobs.push(job.clone());
        }
        wanted
    }

    /// Whether the share says already that it is this site's and under an index.
    fn site_file(&self, share: &Share) -> Result<bool> {
        let Some(bytes) = share.read(&[], site_file::NAME, site_file::MAX_BYTES)? else { return Ok(false) };
        let site = site_file::parse_any(&bytes, site_file::NAME).map_err(|problems| {
            let words = problems.first().map(|p| p.message.to_string()).unwrap_or_default();
            let message = format!("{} of the share cannot be read: {words}", site_file::NAME);
            self.refuse(
                "other-site",
                &message,
                "Name another share, or remove that file if it is this site's",
            )
        })?;
        if site.site != self.folder.settings.site {
            let message =
                format!("the share is of site {}, and this is site {}", site.site, self.folder.settings.site);
            return Err(self.refuse("other-site", &message, "Correct `share` in site.toml"));
        }
        if bytes == self.site_text().as_bytes() {
            return Ok(true);
        }
        let indexed = share.read(&[], index::NAME, index::MAX_BYTES)?.is_some();
        let by_hand = share.names(super::share::INS_FOLDER)?;
        let by_hand = by_hand.iter().filter(|name| name.to_ascii_uppercase().ends_with(".INS")).count();
        if !indexed && by_hand > 0 && self.how.expect.is_none_or(|n| n < by_hand) {
            let message = format!(
                "{} is filled by hand: {by_hand} instruction files would never be read again",
                share.root().path().display()
            );
            let remedy = format!("Send their requests as jobs, then publish with --expect {by_hand}");
            return Err(self.refuse("hand-made", &message, &remedy));
        }
        Ok(false)
    }

    fn site_text(&self) -> String {
        let settings = &self.folder.settings;
        let mut text = String::from("format = 2\n");
        line(&mut text, "site", &quoted(settings.site.as_str()));
        line(&mut text, "name", &quoted(settings.name.as_str()));
        if let Some(contact) = &settings.contact {
            line(&mut text, "contact", &quoted(contact.as_str()));
        }
        text
    }

    /// How many machines of before are no more. Read from the parts that changed.
    fn gone(&self, share: &Share, before: Option<&Before>, rendered: &Rendered) -> Result<usize> {
        let Some(before) = before else { return Ok(0) };
        let mut gone = 0;
        for part in &before.previous.list {
            if rendered.list.iter().any(|now| now.name == part.name && now.sha256 == part.sha256) {
                continue;
            }
            let name = format!("{}.{}", part.name, part.revision);
            let old = share.read(&[MEMBERS], &name, members::MAX_BYTES)?;
            let old = old.and_then(|bytes| members::parse_part(&bytes, &part.name, &name).ok());
            let is_gone = |member: &&members::Member| !self.source.machines.contains_key(&member.machine);
            gone += old.unwrap_or_default().iter().filter(is_gone).count();
        }
        Ok(gone)
    }

    fn refuse_unless_expected(&self, changes: Changes<'_>) -> Result<()> {
        let otherwise = refusals::run_otherwise(changes.ran, self.source);
        if !otherwise.is_empty() {
            let remedy = "Give it a request id of its own: pcm job send --again JOB";
            return Err(self.refuse("same-request-id", &otherwise.join("; "), remedy));
        }
        let refusals = refusals::refusals(changes);
        let count: usize = refusals.iter().map(|refusal| refusal.count).sum();
        if count <= self.how.expect.unwrap_or(0) {
            return Ok(());
        }
        let words: Vec<String> = refusals.into_iter().map(|refusal| refusal.words).collect();
        let remedy = format!("Correct it; if all of that is meant, add --expect {count}");
        Err(self.refuse("not-expected", &words.join("; "), &remedy))
    }

    /// The finished bytes of the index: signed, where there is a key.
    fn finish(&self, rendered: &Rendered) -> Result<String> {
        let text = rendered.text();
        let Some(key) = &self.how.key else { return Ok(text) };
        let Some(list) = self.list else {
            let remedy = "Let the key count first: pcm key trust KEY.pub --role publish --principal NAME --key TRUSTKEY";
            return Err(self.refuse(
                "no-trust-list",
                "the site has no trust list, so no machine would believe a key",
                remedy,
            ));
        };
        sign::index(&text, key, list, self.how.now)
    }

    fn record(&self, finished: &str, rendered: &Rendered, before: Option<&Before>) -> Record {
        let new = rendered.files.iter().filter(|file| file.new);
        let kept = new.map(|file| Kept {
            folder: file.folder.to_owned(),
            name: file.name.clone(),
            text: file.text.clone(),
        });
        let jobs: BTreeMap<JobId, Ran> = rendered
            .index
            .jobs
            .iter()
            .filter_map(|entry| Some((entry.job_id, Ran::of(&self.source.jobs.get(&entry.job_id)?.0))))
            .collect();
        let used = |ids: &mut dyn Iterator<Item = u64>| ids.max().unwrap_or(0);
        let all = self.source.jobs.values();
        let requests = used(&mut all.clone().map(|(job, _)| ids::number(job.request_id.as_str())));
        let jobs_used = used(&mut all.map(|(job, _)| ids::number(job.job_id.as_str())));
        Record {
            site_id: self.folder.settings.site_id.as_str().to_owned(),
            index: finished.to_owned(),
            list: if rendered.list.is_empty() { String::new() } else { text::list(&rendered.list) },
            files: kept.collect(),
            jobs,
            highest_request: requests.max(before.map_or(0, |before| before.highest_request)),
            highest_job: jobs_used.max(before.map_or(0, |before| before.highest_job)),
            machines: self.source.machines.len(),
        }
    }

    /// Everything that comes after the parts: trust lists, the folders of the machines, the site file, and the index.
    fn commit(&self, share: &mut Share, finished: &str) -> Result<()> {
        for (name, bytes) in self.lists(share)? {
            share.write(&[signed::list::FOLDER], &name, &bytes)?;
        }
        for folder in [report::FOLDER, report::RESULTS] {
            share.make_folder(folder)?;
        }
        let text = self.site_text();
        let there = share.read(&[], site_file::NAME, site_file::MAX_BYTES)?;
        if there.as_deref() != Some(text.as_bytes()) {
            share.write(&[], site_file::NAME, text.as_bytes())?;
        }
        share.commit(index::NAME, finished.as_bytes())
    }

    /// The trust lists of the folder that the share does not have.
    fn lists(&self, share: &Share) -> Result<Vec<(String, Vec<u8>)>> {
        let mut lists = Vec::new();
        let Some(newest) = self.list else { return Ok(lists) };
        let there: BTreeSet<String> = share.names(signed::list::FOLDER)?.into_iter().collect();
        for version in 1..=newest.version {
            let name = TrustList::file_name(version);
            if there.contains(&name) {
                continue;
            }
            let path = self.folder.trust().list_path(version);
            let bytes = crate::host::open::open_bounded(&path, signed::list::MAX_BYTES).map_err(|e| {
                let message = format!("{} cannot be read: {e}", path.display());
                Failure::new(
                    Exit::Failed,
                    "malformed",
                    message,
                    "Put it back from a backup or your repository",
                )
            })?;
            lists.push((name, bytes));
        }
        Ok(lists)
    }

    fn published(
        &self,
        rendered: &Rendered,
        before: Option<&Before>,
        packages: &Packages,
        gone: usize,
        completed: Option<u64>,
    ) -> Published {
        let old = before.map(|before| &before.previous.index);
        let new =
            |folder: &str| rendered.files.iter().filter(|file| file.new && file.folder == folder).count();
        let here: BTreeSet<JobId> = rendered.index.jobs.iter().map(|job| job.job_id).collect();
        let withdrawn = old.into_iter().flat_map(|index| &index.jobs).map(|job| job.job_id);
        Published {
            index: rendered.index.clone(),
            jobs: rendered.changed_jobs(old),
            packages: packages.new_ones(),
            policies: new(policy::FOLDER),
            parts: new(MEMBERS),
            machines: self.source.machines.len(),
            gone,
            withdrawn: withdrawn.filter(|id| !here.contains(id)).collect(),
            written: Vec::new(),
            completed,
            nothing: false,
            signed: self.how.key.is_some(),
            faults: packages.faults.clone(),
        }
    }

    /// A line of the log. What was published is published, whether it can be written or not.
    fn log(&self, published: &Published) {
        use std::io::Write as _;
        let jobs: Vec<String> = published.jobs.iter().map(ToString::to_string).collect();
        let key =
            self.how.key.as_ref().map_or_else(|| "unsigned".to_owned(), |key| key.display().to_string());
        let text = format!(
            "{} {}.{} {} [{key}] {}: {} machines; jobs {}; {} files\n",
            self.how.now.format("%Y-%m-%dT%H:%M:%SZ"),
            published.index.epoch,
            published.index.serial,
            self.how.who,
            self.how.what,
            published.machines,
            if jobs.is_empty() { "-".to_owned() } else { jobs.join(" ") },
            published.written.len(),
        );
        let path = self.folder.dir.join(LOG);
        let file = std::fs::File::options().create(true).append(true).open(&path);
        if let Err(e) = file.and_then(|mut file| file.write_all(text.as_bytes())) {
            tracing::warn!("{}: {e}", path.display());
        }
    }
}

/// The paths of all files that an index can name and that are there; `all` gets their names by folder.
fn present(share: &Share, all: &mut Vec<String>) -> Result<BTreeSet<String>> {
    let mut present = BTreeSet::new();
    for folder in [job::FOLDER, policy::FOLDER, MEMBERS] {
        for name in share.names(folder)? {
            let path = format!("{folder}/{name}");
            all.push(path.clone());
            present.insert(path);
        }
    }
    Ok(present)
}

fn present_again(share: &Share) -> Result<BTreeSet<String>> {
    present(share, &mut Vec::new())
}

/// The highest revision of each name: `jobs/BP0000AA.3.toml` is revision 3 of `jobs/BP0000AA`.
fn highest(paths: &[String]) -> Taken {
    let mut taken = Taken::new();
    for path in paths {
        let path = path.strip_suffix(".toml").unwrap_or(path);
        if let Some((stem, revision)) = path.rsplit_once('.')
            && let Ok(revision) = revision.parse::<u64>()
        {
            let highest = taken.entry(stem.to_owned()).or_default();
            *highest = (*highest).max(revision);
        }
    }
    taken
}
