//! `pcm site publish` (SITE.md 3): from the site folder to the share. `render` makes the publication, `refusals` says what of
//! it wants to be expected, `packages` finds what its jobs run, `record` keeps the finished index before the first byte is
//! written anywhere, `place` writes. The index comes last: until it is there, no machine sees anything of it.

mod agrees;
mod around;
mod asked;
mod at_work;
mod begun;
pub mod bring;
mod colleagues;
mod expected;
mod final_word;
mod guarded;
mod jobs;
mod listed;
pub mod met;
mod opened;
mod own;
pub mod packages;
pub mod past;
pub mod place;
mod present;
pub mod record;
pub mod refusals;
pub mod release;
pub mod render;
pub mod sign;
pub mod standing;
#[cfg(test)]
mod tests;
mod tidy;
mod told;
mod trouble;

use self::around::Marked;
pub use self::asked::{Expect, How, Published};
use self::at_work::AtWork;
pub use self::at_work::PUBLISHING;
use self::begun::Before;
use self::listed::Listed;
use self::packages::{Looking, Packages};
use self::place::Share;
use self::present::{Present, present};
use self::record::{Kept, Ran, Record};
use self::refusals::Changes;
use self::render::{At, Heeded, Rendered, Taken};
use super::folder::{Folder, LOCK, Source, ids};
use super::ids::JobId;
use super::index::{self, job, render as text};
use super::signed::list::TrustList;
use super::site_file;
use crate::clock::Wall;
use crate::error::{Exit, Failure, Result};
use crate::host::durable;
use crate::host::lock::{ExclusiveLock, holder_of_team};
use chrono::SubsecRound as _;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

/// What was published, one line a publication.
pub const LOG: &str = "publications.log";
/// So often a publication is made anew because somebody else published while it was made.
const ATTEMPTS: usize = 5;

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

/// Publishes this, whatever else the folder says by now.
///
/// # Errors
/// As [`publish`].
pub fn publish_this(folder: &Folder, source: &Source, how: &How<'_>) -> Result<Published> {
    let _lock = if how.dry_run { None } else { Some(lock(folder, &how.who)?) };
    from(folder, source, how)
}

/// What would be published if the folder said this. Nothing is written and nobody is kept waiting.
///
/// # Errors
/// As [`publish`].
pub fn would(folder: &Folder, source: &Source, how: &How<'_>) -> Result<Published> {
    from(folder, source, &How { dry_run: true, ..how.clone() })
}

fn from(folder: &Folder, source: &Source, how: &How<'_>) -> Result<Published> {
    let list = folder.trust_list()?;
    Publication { folder, source, list: list.as_ref(), how, completed: Cell::new(None) }.publish()
}

/// Takes the lock of the folder.
fn lock(folder: &Folder, who: &str) -> Result<ExclusiveLock> {
    let path = folder.dir.join(LOCK);
    let taken = ExclusiveLock::try_take_of_team(&path, who).map_err(|e| {
        let message = format!("nothing was published: {}: {e}", path.display());
        Failure::new(
            Exit::Failed,
            "not-written",
            message,
            "Publish as somebody who may write the site folder",
        )
    })?;
    taken.ok_or_else(|| {
        let by =
            holder_of_team(&path).map_or_else(|| "somebody else".to_owned(), |holder| holder.to_string());
        let message = format!("nothing was published: {by} is publishing from {}", folder.dir.display());
        Failure::new(Exit::Refused, "publishing", message, "Wait for its end, then publish again")
    })
}

struct Publication<'a> {
    folder: &'a Folder,
    source: &'a Source,
    list: Option<&'a TrustList>,
    how: &'a How<'a>,
    /// A publication that had not been completed was, by this one.
    completed: Cell<Option<u64>>,
}

impl Publication<'_> {
    fn publish(&self) -> Result<Published> {
        guarded::check(self.folder)?;
        self.check_jobs()?;
        if self.how.dry_run {
            self.check_key()?;
        }
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
        for _ in 0..ATTEMPTS {
            if let Some(published) = self.attempt(&mut share)? {
                return Ok(published);
            }
        }
        let message = format!("others publish on {} again and again", path.display());
        Err(self.refuse("publishing", &message, "Wait for their end, then publish again"))
    }

    /// None: somebody else published after the share was read, so that all of it has to be thought anew.
    fn attempt(&self, share: &mut Share) -> Result<Option<Published>> {
        let mut marked = self.site_file(share)?;
        let mut seen = share.read(&[], index::NAME, index::MAX_BYTES)?;
        let mut before = begun::before(self, share, seen.as_deref())?;
        if let Some(before) = before.as_mut() {
            before.named_until(&tidy::named(share, seen.as_deref())?, self.how.now);
        }
        let serial = before.as_ref().map(|before| before.previous.index.serial);
        self.check_mounted(share, serial, seen.is_some())?;
        let mut there = present(share)?;
        let mut begun = before.as_ref().is_some_and(|before| before.begun);
        if let Some(before) = before.as_ref().filter(|_| begun && !self.how.dry_run) {
            match begun::complete(self, share, before, &there.paths, seen.as_deref())? {
                begun::End::Overtaken => return Ok(None),
                begun::End::GivenUp => {}
                begun::End::Completed(index) => {
                    self.completed.set(Some(before.previous.index.serial));
                    before.keep_completed(self)?;
                    (seen, begun) = (Some(index), false);
                    (there, marked) = (present(share)?, self.site_file(share)?);
                }
            }
        }
        let Present { paths: present, taken } = there;
        let previous = before.as_ref().map(|before| &before.previous);
        // No machine in mode signed would take it, a cancellation for one.
        if self.how.keys.is_empty()
            && !self.how.only_asked
            && previous.is_some_and(|previous| previous.index.valid_until.is_some())
        {
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
            signed: !self.how.keys.is_empty(),
            serial,
            issued: self.how.now.trunc_subsecs(0),
        };
        let heeded = self.heeded(before.as_ref(), &present, taken, at.issued);
        let rendered = render::render(&self.folder.settings, self.source, previous, &heeded, at)
            .map_err(|problems| self.refuse("too-large", &problems.join("; "), "Nothing was published"))?;
        let ran = before.as_ref().map(|before| before.ran.clone()).unwrap_or_default();
        let unchanged = rendered
            .files
            .iter()
            .filter(|file| file.folder == job::FOLDER && !file.new && present.contains(&file.path()));
        let unchanged = unchanged.filter_map(|file| file.name.split('.').next()?.parse().ok()).collect();
        let looking = self.looking(share, previous, &unchanged);
        let packages = Packages::find(looking, self.wanted()).map_err(|failure| self.refused(failure))?;
        let listed = Listed::of(share, before.as_ref(), self.source, &rendered)?;
        let machines = before.as_ref().map_or(0, |before| before.machines);
        let mut published = self.published(&rendered, before.as_ref(), &packages, listed.gone);
        let missing = self.missing(share, &rendered, &present)?;
        let opened = opened::opened(share, before.as_ref(), self.source, &rendered, self.how.now)?;
        let mut wanted = met::grown(self.source, &rendered, before.as_ref(), &listed, self.how.now);
        wanted.extend(opened::for_many(&opened));
        published.opened = opened.into_iter().map(|opened| opened.words).collect();
        let signatures = before.as_ref().map_or(0, |before| before.signatures(seen.as_deref()));
        wanted.extend(refusals::fewer(self.how.keys.len(), signatures));
        let resigned = !self.how.keys.is_empty() && self.how.keys.len() != signatures;
        // A job that is for few machines first is published as it was, whoever it is for then.
        let as_before = wanted.is_empty()
            && !resigned
            && before.as_ref().is_some_and(|before| {
                rendered.is_as(&before.previous.index)
                    && !before.renew(self.how.now, at.signed)
                    && self.how.serial.is_none_or(|serial| serial <= before.previous.index.serial)
            });
        let nothing = as_before && !begun;
        if let Some(previous) = previous.filter(|_| begun && self.how.dry_run) {
            // It would be completed, before anything else.
            published.completed = Some(previous.index.serial);
            if as_before {
                published.nothing = true;
                published.index = previous.index.clone();
            }
        }
        // What no machine believes is there all the same.
        if nothing && let Some(fault) = packages.missing.first() {
            return Err(self.refused(fault.clone()));
        }
        published.settings = marked == Marked::Otherwise;
        if nothing
            && missing.is_empty()
            && packages.are_there()
            && marked == Marked::AsHere
            && self.lists(share)?.is_empty()
        {
            if !self.how.dry_run {
                AtWork::clear(self, share)?;
            }
            published.nothing = true;
            if !self.how.dry_run {
                self.adopt(before.as_ref(), &rendered, seen.as_deref());
            }
            published.index = before.map_or(published.index, |before| before.previous.index);
            if !self.how.dry_run {
                past::keep(self.folder, self.source, published.index.serial);
            }
            published.written = std::mem::take(&mut share.written);
            return Ok(Some(published));
        }
        let changes = before.as_ref().map(|before| Changes {
            previous: &before.previous,
            ran: &ran,
            cancelled: &before.cancelled,
            suspended: &before.suspended,
            machines,
            gone: listed.gone,
            unread: &listed.unread,
            source: self.source,
            rendered: &rendered,
            now: self.how.now,
        });
        let own = before.as_ref().and_then(|before| before.own.as_ref());
        self.refuse_unless_expected(changes, own, wanted)?;
        if self.how.dry_run {
            published.written = packages.sizes();
            published.written.extend(missing.iter().map(|file| (file.path(), file.text.len() as u64)));
            let lists = self.lists(share)?.into_iter();
            let path = |name: String| format!("{}/{name}", crate::site::signed::list::FOLDER);
            published.written.extend(lists.map(|(name, bytes)| (path(name), bytes.len() as u64)));
            if marked != Marked::AsHere {
                published.written.push((site_file::NAME.to_owned(), self.site_text().len() as u64));
            }
            published.written.push((index::NAME.to_owned(), rendered.text().len() as u64));
            return Ok(Some(published));
        }
        let finished = self.finish(&rendered)?;
        let Some(at_work) = AtWork::begin(self, share, seen.as_deref())? else { return Ok(None) };
        let unnamed =
            tidy::unnamed(&present, &rendered, before.as_ref().map(|before| &before.unnamed), at.issued);
        let record = self.record(&finished, &rendered, before.as_ref(), unnamed);
        record::keep(&self.folder.dir, &record)?;
        packages.place(share, self.how.watch)?;
        for file in missing {
            share.write(&[file.folder], &file.name, file.text.as_bytes())?;
        }
        self.commit(share, &finished)?;
        published.removed = tidy::tidy(share, &record.unnamed, at.issued);
        at_work.end(share);
        published.written = std::mem::take(&mut share.written);
        published.index.issued = at.issued;
        self.log(&published);
        past::keep(self.folder, self.source, at.serial);
        Ok(Some(published))
    }

    /// What has to be heeded besides the folder and the index before.
    fn heeded(
        &self,
        before: Option<&Before>,
        present: &BTreeSet<String>,
        mut taken: Taken,
        now: Wall,
    ) -> Heeded {
        let Some(before) = before else { return Heeded { taken, gone: Vec::new() } };
        for (job, revision) in &before.revisions {
            let highest = taken.entry(format!("{}/{job}", job::FOLDER)).or_default();
            *highest = (*highest).max(*revision);
        }
        Heeded { taken, gone: before.gone(self.source, present, now) }
    }

    /// The files that the share lacks, or has otherwise.
    fn missing<'a>(
        &self,
        share: &Share,
        rendered: &'a Rendered,
        present: &BTreeSet<String>,
    ) -> Result<Vec<&'a render::File>> {
        let mut missing = Vec::new();
        for file in &rendered.files {
            let there = !file.new && present.contains(&file.path());
            let limit = file.text.len() as u64;
            let lacks = !there
                || self.how.thorough
                    && share.read_any(&[file.folder], &file.name, limit)?.as_deref()
                        != Some(file.text.as_bytes());
            if lacks {
                missing.push(file);
            }
        }
        Ok(missing)
    }

    /// What a first publication would be, where there is no share yet.
    fn first(&self) -> Result<Published> {
        let at = At {
            epoch: self.list.map_or(0, |list| list.version),
            signed: !self.how.keys.is_empty(),
            serial: self.how.serial.unwrap_or(1),
            issued: self.how.now.trunc_subsecs(0),
        };
        let rendered = render::render(&self.folder.settings, self.source, None, &Heeded::default(), at)
            .map_err(|problems| self.refuse("too-large", &problems.join("; "), "Nothing was published"))?;
        let wanted = met::grown(self.source, &rendered, None, &Listed::default(), self.how.now);
        self.refuse_unless_expected(None, None, wanted)?;
        let mut published = self.published(&rendered, None, &Packages::default(), 0);
        published.written = rendered.files.iter().map(|file| (file.path(), file.text.len() as u64)).collect();
        published.written.push((index::NAME.to_owned(), rendered.text().len() as u64));
        Ok(published)
    }

    fn refuse(&self, code: &str, message: &str, remedy: &str) -> Failure {
        self.refused(Failure::new(Exit::Refused, code, message, remedy))
    }

    /// A failure that says what was published all the same.
    fn refused(&self, failure: Failure) -> Failure {
        let from = self.folder.dir.display();
        let message = match self.completed.get() {
            None => format!("nothing was published from {from}: {}", failure.message),
            Some(serial) => format!(
                "publication {serial}, which had been begun, was completed; nothing else was published from {from}: {}",
                failure.message
            ),
        };
        Failure { message: message.as_str().into(), ..failure }
    }

    fn looking<'a>(
        &'a self,
        share: &'a Share,
        previous: Option<&render::Previous>,
        unchanged: &'a BTreeSet<JobId>,
    ) -> Looking<'a> {
        // Whoever only asks has no key: what is published says whether machines want signatures.
        let was_signed = previous.is_some_and(|previous| previous.index.valid_until.is_some());
        let signed = !self.how.keys.is_empty() || self.how.only_asked && was_signed;
        Looking {
            folder: self.folder,
            share,
            list: self.list,
            signed: signed && self.list.is_some(),
            thorough: self.how.thorough,
            // Whoever only asks gets an answer at once.
            hashed: self.how.thorough && !self.how.only_asked,
            unchanged,
            now: self.how.now,
        }
    }

    /// What can be known of the keys without signing anything.
    fn check_key(&self) -> Result<()> {
        if self.how.keys.is_empty() {
            return Ok(());
        }
        self.how.keys.iter().try_for_each(|key| sign::check(key))?;
        self.signers().map(drop)
    }

    /// The finished bytes of the index: signed, where there are keys.
    fn finish(&self, rendered: &Rendered) -> Result<String> {
        let text = rendered.text();
        match self.how.keys.as_slice() {
            [] => Ok(text),
            keys => sign::index(&text, keys, self.signers()?, self.how.now),
        }
    }

    /// Whose keys count.
    fn signers(&self) -> Result<&TrustList> {
        self.list.ok_or_else(|| {
            let remedy = "Let the key count first: pcm key trust KEY.pub --role publish --principal NAME --key TRUSTKEY";
            let message = "the site has no trust list, so no machine would believe a key";
            self.refuse("no-trust-list", message, remedy)
        })
    }

    fn record(
        &self,
        finished: &str,
        rendered: &Rendered,
        before: Option<&Before>,
        unnamed: BTreeMap<String, Wall>,
    ) -> Record {
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
            .filter_map(|entry| {
                let now = self.source.jobs.get(&entry.job_id).map(|(job, _)| Ran::of(job));
                let ran = now.or_else(|| before?.ran.get(&entry.job_id).cloned());
                Some((entry.job_id, ran?))
            })
            .collect();
        let mut revisions = before.map(|before| before.revisions.clone()).unwrap_or_default();
        revisions.extend(rendered.index.jobs.iter().map(|entry| (entry.job_id, entry.revision)));
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
            since: standing::since(&rendered.index, before),
            unnamed,
            suspended: final_word::suspended_now(self.source),
            cancelled: final_word::cancelled_now(
                before.map(|before| &before.cancelled),
                self.source,
                rendered.index.issued,
            ),
            revisions,
        }
    }
}
