//! The packages that jobs run (SITE.md 2): each release stands under its own name on the share and never changes there. What
//! the share has is left as it is, and put back where somebody damaged it; what it lacks comes from the site folder, or nothing
//! is published.

use super::agrees::judge;
use super::bring::Watch;
use super::own::{self, Files};
pub use super::own::{MAX_SIGNATURE, SIGNATURE};
use super::place::Share;
use super::trouble::Trouble;
use crate::clock::Wall;
use crate::error::{Failure, Result};
use crate::site::content::{self, hash_bytes};
use crate::site::folder::Folder;
use crate::site::ids::{JobId, PackageId};
use crate::site::index::job::Job;
use crate::site::instruction::ContentHash;
use crate::site::package;
use crate::site::package::shelf::FOLDER;
use crate::site::signed::Distrust;
use crate::site::signed::list::{Keys, TrustList};
use crate::site::signed::signature;
use crate::site::signed::signers::Role;
use crate::terms::Code;
use chrono::TimeDelta;
use std::collections::{BTreeMap, BTreeSet};

/// So long before the key of a package ends it is said.
const AHEAD: TimeDelta = TimeDelta::days(30);

/// What jobs want of one release of a package.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Of its definition.
    pub sha256: ContentHash,
    /// Of its list of files.
    pub content: Option<ContentHash>,
    /// Who wants it.
    pub jobs: Vec<Job>,
    /// The trust list says that no machine runs it.
    pub withdrawn: bool,
}

/// Where packages are looked for, and how closely.
#[derive(Clone, Copy)]
pub(super) struct Looking<'a> {
    /// The source.
    pub folder: &'a Folder,
    /// Where they go.
    pub share: &'a Share,
    /// Whose signatures count.
    pub list: Option<&'a TrustList>,
    /// Machines want signatures.
    pub signed: bool,
    /// All of it is looked at: what the folder has of releases that are published, too.
    pub thorough: bool,
    /// So are the bytes of every file of the share, and not only their sizes.
    pub hashed: bool,
    /// Jobs that are published as they were before.
    pub unchanged: &'a BTreeSet<JobId>,
    /// Now.
    pub now: Wall,
}

/// What the share lacks of them.
#[derive(Debug, Default)]
pub(super) struct Packages {
    new: Vec<One>,
    /// What is missing of releases that only jobs want which are published as they are.
    pub missing: Vec<Failure>,
    /// Which of these no machine in mode `signed` runs.
    pub untrusted: Vec<Failure>,
    /// Which no machine in mode `signed` will run before long.
    ending: Vec<Failure>,
}

#[derive(Debug)]
struct One {
    id: PackageId,
    release: u64,
    definition: Option<Vec<u8>>,
    signature: Option<Vec<u8>>,
    files: Option<Files>,
    /// The share has another signature of the same bytes.
    anew: bool,
    /// It is put back: the share had it before.
    back: bool,
    /// When the key ends that signed it.
    ends: Option<Wall>,
}

impl Packages {
    /// Finds what the share lacks, and where it comes from. What is wrong with a release of jobs that were published as they
    /// are is no reason to hold back the cancellation of another job, or of these.
    ///
    /// # Errors
    /// Neither has it; what is published is not what a job says; nobody's signature counts.
    pub fn find(looking: Looking<'_>, wanted: BTreeMap<(PackageId, u64), Wanted>) -> Result<Self> {
        let mut all = Self::default();
        for ((id, release), wanted) in wanted {
            let known = !wanted.jobs.is_empty()
                && wanted.jobs.iter().all(|job| looking.unchanged.contains(&job.job_id));
            match One::find(looking, id, release, &wanted) {
                Err(trouble) if !trouble.stops && known => {
                    if trouble.untrusted { &mut all.untrusted } else { &mut all.missing }
                        .push(trouble.failure);
                }
                Err(trouble) => return Err(trouble.failure),
                Ok(one) => {
                    let soon = |ends: &Wall| *ends < looking.now + AHEAD;
                    if let (Some(ends), Some(job)) = (one.ends.filter(soon), wanted.jobs.first()) {
                        let message = format!(
                            "the key that signed release {release} of {id} ends at {}, and from then on no machine in mode \
                             signed runs it",
                            ends.format("%Y-%m-%dT%H:%M:%SZ")
                        );
                        let remedy = format!("Sign it with another: pcm package sign {id} --again --key KEY");
                        let code = Code::KeyExpired.as_str();
                        all.ending.push(Trouble::of(job, code, message, remedy).failure);
                    }
                    all.new.push(one);
                }
            }
        }
        all.new.retain(|one| one.definition.is_some() || one.signature.is_some() || one.files.is_some());
        Ok(all)
    }

    /// Everything that is wrong and held back nothing.
    pub fn faults(&self) -> Vec<Failure> {
        self.missing.iter().chain(&self.untrusted).chain(&self.ending).cloned().collect()
    }

    /// Whether the share has all of them.
    pub fn are_there(&self) -> bool {
        self.new.is_empty()
    }

    /// Those whose release is new on the share.
    pub fn new_ones(&self) -> Vec<PackageId> {
        self.new.iter().filter(|one| one.definition.is_some() && !one.back).map(|one| one.id).collect()
    }

    /// Those whose release is there and gets another signature.
    pub fn signed_anew(&self) -> Vec<PackageId> {
        let signed =
            self.new.iter().filter(|one| one.anew && one.signature.is_some() && one.definition.is_none());
        signed.map(|one| one.id).collect()
    }

    /// What would be written, and how many bytes.
    pub fn sizes(&self) -> Vec<(String, u64)> {
        let mut sizes = Vec::new();
        for one in &self.new {
            if let Some(files) = &one.files {
                let hash = files.hash.as_str();
                for file in &files.content.files {
                    sizes.push((format!("content/{hash}/{}/{}", content::FILES, file.path), file.size));
                }
                sizes.push((format!("content/{hash}/{}", content::NAME), files.list.len() as u64));
            }
            for (name, bytes) in [(SIGNATURE, &one.signature), (package::NAME, &one.definition)] {
                if let Some(bytes) = bytes {
                    let path = format!("{FOLDER}/{}/{}/{name}", one.id, one.release);
                    sizes.push((path, bytes.len() as u64));
                }
            }
        }
        sizes
    }

    /// Writes them: files before the list that names them, a signature before what it signs.
    ///
    /// # Errors
    /// What the share refuses.
    pub fn place(&self, share: &mut Share, watch: Option<&dyn Watch>) -> Result<()> {
        if let Some(watch) = watch {
            let files = || self.new.iter().filter_map(|one| one.files.as_ref());
            let count = files().map(|files| files.content.files.len()).sum();
            watch.begun(count, files().map(|files| files.content.bytes()).sum());
        }
        for one in &self.new {
            if let Some(files) = &one.files {
                share.content(&files.folder, &files.hash, (&files.list, &files.content), watch)?;
            }
            let release = one.release.to_string();
            let folders = [FOLDER, one.id.as_str(), release.as_str()];
            if let Some(signature) = &one.signature {
                share.write(&folders, SIGNATURE, signature)?;
            }
            if let Some(definition) = &one.definition {
                share.write(&folders, package::NAME, definition)?;
            }
        }
        Ok(())
    }
}

impl One {
    fn find(
        looking: Looking<'_>,
        id: PackageId,
        release: u64,
        wanted: &Wanted,
    ) -> std::result::Result<Self, Trouble> {
        let Looking { folder, share, .. } = looking;
        let number = release.to_string();
        let folders = [FOLDER, id.as_str(), number.as_str()];
        let trouble = |code: &str, message: String, remedy: String| match wanted.jobs.first() {
            Some(job) => Trouble::of(job, code, message, remedy),
            None => Trouble::new(code, message, remedy),
        };
        let anew =
            || format!("Make a new release with pcm package sign {id}, and cancel what runs the old one");
        if wanted.withdrawn {
            let message =
                format!("release {release} of {id} is withdrawn, so no machine in mode signed runs it");
            return Err(Trouble { untrusted: true, ..trouble("package-withdrawn", message, anew()) });
        }
        // What jobs named that are published is what was published.
        let published = wanted.jobs.iter().find(|job| looking.unchanged.contains(&job.job_id));
        let sha256 = published.map_or(&wanted.sha256, |job| &job.package_sha256);
        if let Some(job) = wanted.jobs.iter().find(|job| job.package_sha256 != *sha256) {
            let message = format!(
                "release {release} of {id} is published with other bytes than the job names, and a release never changes"
            );
            return Err(Trouble::of(job, "release-changed", message, anew()));
        }
        let dir = folder.package_dir(id);
        let own = own::Own::read(&dir, sha256);
        let closely =
            looking.thorough || wanted.jobs.iter().any(|job| !looking.unchanged.contains(&job.job_id));
        let changed = |what: String| {
            let message = format!(
                "{what} was changed after release {release} of {id} was published, and a release never changes"
            );
            let remedy =
                format!("Make a new release of it with pcm package sign {id}, or put back what was there");
            Trouble { stops: looking.thorough, ..trouble("release-changed", message, remedy) }
        };
        let there = share.read_any(&folders, package::NAME, package::MAX_BYTES)?;
        let good = there.as_ref().is_some_and(|bytes| hash_bytes(bytes) == *sha256);
        let is_there = there.is_some();
        let definition = match (there, own.definition.clone()) {
            (Some(bytes), _) if good => {
                if own.release == Some(release) && own.definition.is_none() {
                    return Err(changed(dir.join(package::NAME).display().to_string()));
                }
                judge(&bytes, &wanted.jobs)?;
                (bytes, false)
            }
            // Somebody damaged it.
            (Some(_), Some(own)) if published.is_some() => {
                judge(&own, &wanted.jobs)?;
                (own, true)
            }
            (Some(_), _) => {
                let message = format!(
                    "release {release} of {id} is published with other bytes than the job names, and a release never \
                     changes"
                );
                return Err(trouble("release-changed", message, anew()));
            }
            (None, Some(own)) => {
                judge(&own, &wanted.jobs)?;
                (own, true)
            }
            (None, None) if own.release == Some(release) && published.is_some() => {
                return Err(changed(dir.join(package::NAME).display().to_string()));
            }
            (None, None) => {
                let message = format!("neither the site folder nor the share has release {release} of {id}");
                let remedy = format!("Put that release back into {}, or cancel what runs it", dir.display());
                return Err(trouble("package-missing", message, remedy));
            }
        };
        let Signature { new: signature, anew, ends } =
            looking.signature(&definition.0, own.signature.clone(), &folders).map_err(|bad| {
                let (code, why) = match &bad {
                    None => ("unsigned", "has no signature".to_owned()),
                    Some(bad) => {
                        (bad.code.as_str(), format!("has a signature that does not count: {}", bad.why))
                    }
                };
                let message =
                    format!("release {release} of {id} {why}, so no machine in mode signed runs it");
                let remedy = format!("Sign it: pcm package sign {id} --again --key KEY");
                Trouble { untrusted: true, ..trouble(code, message, remedy) }
            })?;
        let files = match &wanted.content {
            None => None,
            Some(hash) => {
                let list = share.read_any(&["content", hash.as_str()], content::NAME, content::MAX_BYTES)?;
                let (is_listed, good) = (list.is_some(), list.is_some_and(|list| hash_bytes(&list) == *hash));
                match good {
                    true => {
                        if closely
                            && own.definition.is_some()
                            && let Some(what) = own::changed(&dir, hash)
                        {
                            return Err(changed(what));
                        }
                        match looking.thorough.then(|| damaged(share, hash, looking.hashed)).transpose()?.flatten() {
                            None => None,
                            Some(what) => Some(Files::find(&dir, hash).map_err(|_| {
                                let message = format!("{what} on the share is missing or damaged, and the site folder does not have it");
                                let remedy = format!("Put the files of {id} back into {}", dir.join(content::FILES).display());
                                trouble("content-missing", message, remedy)
                            })?),
                        }
                    }
                    false => Some(Files::find(&dir, hash).map_err(|why| match why {
                        own::Lacking::Missing(why) => {
                            let there = if is_listed { "; the list on the share is damaged" } else { "" };
                            let message = format!(
                                "neither the site folder nor the share has the files of {id}: {why}{there}"
                            );
                            let files = dir.join(content::FILES);
                            let remedy =
                                format!("Put them back into {}, or cancel what runs them", files.display());
                            trouble("content-missing", message, remedy)
                        }
                        own::Lacking::Differs(what) => {
                            let message = format!("{what} is not what {} of {id} says", content::NAME);
                            let remedy = format!(
                                "Make a new release of it with pcm package sign {id}, or put back what was there"
                            );
                            trouble("content-differs", message, remedy)
                        }
                    })?),
                }
            }
        };
        let (bytes, write) = definition;
        Ok(Self {
            id,
            release,
            definition: write.then_some(bytes),
            signature,
            files,
            anew,
            back: is_there,
            ends,
        })
    }
}

/// The first file of a content that the share lacks, or has otherwise: in another size, or `hashed` with other bytes.
fn damaged(share: &Share, hash: &ContentHash, hashed: bool) -> Result<Option<String>> {
    let list = share.read_any(&["content", hash.as_str()], content::NAME, content::MAX_BYTES)?;
    let Some(Ok(listed)) = list.map(|list| content::parse_content(&list)) else { return Ok(None) };
    let lacking = listed.files.iter().find(|file| !share.has_listed(hash, file, hashed));
    Ok(lacking.map(|file| format!("content/{}/{}/{}", hash.as_str(), content::FILES, file.path)))
}

/// What becomes of the signature on the share.
struct Signature {
    /// The one that it lacks.
    new: Option<Vec<u8>>,
    /// It has another one of the same bytes.
    anew: bool,
    /// When the key ends whose signature counts.
    ends: Option<Wall>,
}

impl Looking<'_> {
    /// The signature that the share lacks, and when the key ends whose signature counts; one there that counts is never replaced
    /// by one that does not.
    fn signature(
        &self,
        definition: &[u8],
        own: Option<Vec<u8>>,
        folders: &[&str],
    ) -> std::result::Result<Signature, Option<Distrust>> {
        // What cannot be read is as good as none: it is written anew.
        let there = self.share.read_any(folders, SIGNATURE, MAX_SIGNATURE).ok().flatten();
        let new = own.clone().filter(|own| there.as_ref() != Some(own));
        let armour = there.as_deref().and_then(|armour| std::str::from_utf8(armour).ok());
        let anew = armour
            .and_then(|armour| signature::Signature::read(armour).ok())
            .is_some_and(|there| there.verify(Role::Package, definition).is_ok());
        let of = |new, ends| Signature { new, anew, ends };
        let Some(list) = self.list else { return Ok(of(new, None)) };
        let judged = |armour: &Option<Vec<u8>>| {
            let armour = std::str::from_utf8(armour.as_deref()?).unwrap_or_default();
            Some(
                Keys::of(list, &[])
                    .verify(armour, Role::Package, definition, self.now)
                    .map(|signer| signer.before),
            )
        };
        match (judged(&own), judged(&there)) {
            (Some(Ok(ends)), _) => Ok(of(new, ends)),
            (_, Some(Ok(ends))) => Ok(of(None, ends)),
            (own, there) if self.signed => Err(own.or(there).and_then(std::result::Result::err)),
            (_, Some(Err(_))) => Ok(of(None, None)),
            (_, None) => Ok(of(new, None)),
        }
    }
}
