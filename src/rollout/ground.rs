//! What a rollout is counted from: the jobs and machines of a site folder, or, where only a share is named, those that its
//! index names.

use super::cache::Heard;
use super::course::Published;
use super::phase::{self, Stand};
use super::whose::Whose;
use crate::clock::Wall;
use crate::error::{Exit, Failure, Result};
use crate::host::open::{Folder as Opened, OpenError, read_bounded};
use crate::site::content::hash_bytes;
use crate::site::expression::Known as _;
use crate::site::folder::machines::Machine;
use crate::site::folder::{Folder, Source};
use crate::site::ids::{JobId, MachineId, SiteCode, SiteId};
use crate::site::index::audience::Listed;
use crate::site::index::job::{self, Job, Word};
use crate::site::index::members::{self, Member};
use crate::site::index::{self, Index};
use crate::site::instruction::ContentHash;
use crate::site::publisher::How;
use crate::site::publisher::past;
use crate::site::publisher::render::MEMBERS;
use crate::site::publisher::standing::{Standing, standing};
use crate::text::SafeText;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What is counted, and by what.
pub struct Ground {
    /// The site.
    pub site: SiteCode,
    /// Which of all with that code.
    pub site_id: SiteId,
    /// What it is called.
    pub name: SafeText,
    /// Where the reports are.
    pub share: PathBuf,
    /// The jobs that are shown.
    pub jobs: Vec<(Job, Word)>,
    /// The machines of the site, sorted.
    pub members: Arc<Vec<Member>>,
    by: By,
}

/// Who says so.
enum By {
    /// A site folder; what is published from it, and by whose word reports count there.
    Folder {
        folder: Box<Folder>,
        standing: Option<Box<Standing>>,
        whose: Option<Arc<Whose>>,
        unsigned: bool,
        /// What the list of machines says, by its hash.
        list: Option<ContentHash>,
    },
    /// The index of a share, by trust list and number: nobody's limits are known, so no gate answers.
    Share { newest: (u64, u64) },
}

/// How it is read, beside what it is read from.
pub struct Means<'a> {
    /// Programs that command lines may name.
    pub programs: &'a [String],
    /// Whether a share answers, which is asked before it is opened.
    pub needs: &'a dyn Fn(&Path) -> Result<()>,
    /// Now.
    pub now: Wall,
    /// What was read of it before: a list of machines that says the same is not read line by line again.
    pub before: Option<&'a Ground>,
}

impl Ground {
    /// As a share says it.
    #[cfg(test)]
    pub(crate) fn of_test(jobs: Vec<(Job, Word)>, members: Vec<Member>) -> Self {
        let (site, site_id) = (jobs[0].0.job_id.site(), jobs[0].0.site_id.clone());
        let by = By::Share { newest: (1, 3) };
        let members = Arc::new(members);
        Self { site, site_id, name: "Site".into(), share: PathBuf::new(), jobs, members, by }
    }

    /// What a site folder says. `elsewhere`: the reports are on this share, instead of the folder's; `job`: this one is meant,
    /// published or not.
    ///
    /// # Errors
    /// The folder cannot be read, or its share does not answer.
    pub fn of_folder(
        folder: Folder,
        elsewhere: Option<&Path>,
        job: Option<JobId>,
        means: &Means<'_>,
    ) -> Result<Self> {
        let signs = folder.trust_list()?.is_some();
        let unsigned = folder.settings.unsigned_reports;
        let before = means.before.filter(|before| {
            let verified = before.whose().is_some();
            before.site_id == folder.settings.site_id && verified == (signs && !unsigned)
        });
        let known = before.and_then(Self::list).map(Source::of_list);
        let mut source = folder.read_again(means.programs, known.as_ref())?;
        (means.needs)(&folder.share())?;
        let standing = standing(&folder, &How::looking(means.programs, means.now))?;
        let same = before.filter(|_| known.is_some_and(|known| known.list() == source.list()));
        let (members, whose) = match same {
            Some(before) => {
                let again = |whose: &Arc<Whose>| -> Result<Arc<Whose>> { Ok(whose.again(folder.counted()?)) };
                (Arc::clone(&before.members), before.whose().map(again).transpose()?)
            }
            None => {
                let whose = Whose::of(&folder, &source.machines)?;
                (Arc::new(source.take_members()), whose.map(Arc::new))
            }
        };
        let published =
            |id: &JobId| standing.as_ref().is_none_or(|s| s.index.jobs.iter().any(|job| job.job_id == *id));
        let wanted = |id: &JobId| job.map_or_else(|| published(id), |job| job == *id);
        let share = elsewhere.map_or_else(|| folder.share(), Path::to_owned);
        let list = source.list().cloned();
        (means.needs)(&share)?;
        Ok(Self {
            site: folder.settings.site,
            site_id: folder.settings.site_id.clone(),
            name: folder.settings.name.clone(),
            share,
            members,
            jobs: source.jobs.into_iter().filter(|(id, _)| wanted(id)).map(|(_, job)| job).collect(),
            by: By::Folder {
                folder: Box::new(folder),
                standing: standing.map(Box::new),
                whose,
                unsigned: unsigned && signs,
                list,
            },
        })
    }

    /// What the index of a share says.
    ///
    /// # Errors
    /// It cannot be read, or has none.
    pub fn of_share(share: &Path, means: &Means<'_>) -> Result<Self> {
        (means.needs)(share)?;
        let unreadable = |what: &str, why: &dyn std::fmt::Display| {
            let message = format!("{}: {why}", share.join(what).display());
            Failure::new(
                Exit::Share,
                "share-missing",
                message,
                "Name the share of a site with --share, or --folder DIR",
            )
        };
        let root = Opened::open(share).map_err(|e| match e {
            OpenError::Missing => {
                let message = format!("there is no share {}", share.display());
                Failure::new(Exit::NotFound, "no-such-file", message, "Correct --share")
            }
            e => unreadable("", &e),
        })?;
        let bytes = match read(&root, &[], index::NAME, index::MAX_BYTES) {
            Err(OpenError::Missing) => {
                let message = format!("{} has no index, and so no jobs", share.display());
                let remedy =
                    "Name the share that a site publishes on; one that is filled by hand has no jobs";
                return Err(Failure::new(Exit::Refused, "no-index", message, remedy));
            }
            other => other.map_err(|e| unreadable(index::NAME, &e))?,
        };
        let index = index::parse(&bytes, index::NAME).map_err(|wrong| {
            unreadable(
                index::NAME,
                &wrong.first().map_or_else(String::new, |wrong| wrong.message.to_string()),
            )
        })?;
        let jobs = jobs(means.programs, &root, &index).map_err(|(what, why)| unreadable(&what, &why))?;
        let members = machines(&root, &index).map_err(|(what, why)| unreadable(&what, &why))?;
        let members = Arc::new(members);
        Ok(Self {
            site: index.site,
            site_id: index.site_id.clone(),
            name: SafeText::new(&format!("Site {}", index.site)),
            share: share.to_owned(),
            jobs,
            members,
            by: By::Share { newest: (index.epoch, index.serial) },
        })
    }

    /// With this job alone; None: there is none.
    #[must_use]
    pub fn only(mut self, job: JobId) -> Option<Self> {
        self.jobs.retain(|(other, _)| other.job_id == job);
        (!self.jobs.is_empty()).then_some(self)
    }

    /// Whether a machine of the site is in a group whose name is like this.
    pub fn has_group(&self, pattern: &str) -> bool {
        self.members.iter().any(|member| Listed(member).in_group(pattern) == Some(true))
    }

    /// A site that is only shown, for tests.
    #[cfg(test)]
    pub fn shown(jobs: Vec<(Job, Word)>, members: Vec<Member>, newest: (u64, u64)) -> Self {
        let (site, share) = (members[0].machine.site(), PathBuf::new());
        let (site_id, members) = (jobs[0].0.site_id.clone(), Arc::new(members));
        Self { site, site_id, name: "Head office".into(), share, jobs, members, by: By::Share { newest } }
    }

    /// What each job is counted by.
    pub fn stands(&self, now: Wall) -> Vec<Stand<'_>> {
        let of = |(job, word)| match &self.by {
            By::Folder { .. } => self.published().stand(job, word, now),
            // Since when it stands so is not known here.
            By::Share { newest } => Stand { job, word, published: (0, 0), newest: *newest, now, as_of: now },
        };
        self.jobs.iter().map(|(job, word)| of((job, word))).collect()
    }

    /// What the gate goes by, where one answers.
    pub fn gates(&self) -> Option<Published<'_>> {
        matches!(self.by, By::Folder { .. }).then(|| self.published())
    }

    fn published(&self) -> Published<'_> {
        match &self.by {
            By::Folder { standing, whose, .. } => {
                let counted = whose.as_ref().is_none_or(|whose| !whose.knows_nobody());
                Published { standing: standing.as_deref(), counted }
            }
            By::Share { .. } => Published { standing: None, counted: true },
        }
    }

    /// How many machines came to a job and went from it since it is published as it is, by the list of machines; None: what the
    /// list said then is not kept.
    pub fn came_and_went(&self, stand: &Stand<'_>) -> Option<(u64, u64)> {
        self.members_then(stand.published).map(|then| self.moved(stand, &then))
    }

    /// The machines of the publication of this number; None: what the list said then is not kept.
    pub fn members_then(&self, (epoch, serial): (u64, u64)) -> Option<Vec<Member>> {
        let By::Folder { folder, standing: Some(standing), .. } = &self.by else { return None };
        let then = past::machines_at(folder, serial).filter(|_| epoch == standing.index.epoch)?;
        Some(then.values().map(Machine::member).collect())
    }

    /// What the list of machines says, by its hash; None: nobody knows what it said before.
    pub fn list(&self) -> Option<&ContentHash> {
        match &self.by {
            By::Folder { list, .. } => list.as_ref(),
            By::Share { .. } => None,
        }
    }

    /// How many machines came to a job and went from it since the list was this.
    pub fn moved(&self, stand: &Stand<'_>, then: &[Member]) -> (u64, u64) {
        let reached = |members: &[Member]| -> BTreeSet<MachineId> {
            let (job, word) = (stand.job, stand.word);
            let reached = members.iter().filter(|member| phase::reaches(job, word, word.percent, member));
            reached.map(|member| member.machine).collect()
        };
        let (then, now) = (reached(then), reached(&self.members));
        (now.difference(&then).count() as u64, then.difference(&now).count() as u64)
    }

    /// What a machine says, where it counts as it does for `job advance`. Where no key of a machine is known, no gate answers,
    /// and everything is shown as it is told.
    pub fn hear(&self, machine: MachineId, said: Heard) -> Heard {
        match &self.by {
            By::Folder { whose: Some(whose), .. } if !whose.knows_nobody() => whose.hear(machine, said),
            By::Folder { .. } | By::Share { .. } => said,
        }
    }

    /// A machine counts only by what its own key has signed.
    pub fn verifies(&self) -> bool {
        matches!(&self.by, By::Folder { whose: Some(whose), .. } if !whose.knows_nobody())
    }

    /// Whose word counts, where that is known.
    pub fn whose(&self) -> Option<&Arc<Whose>> {
        match &self.by {
            By::Folder { whose, .. } => whose.as_ref(),
            By::Share { .. } => None,
        }
    }

    /// Reports without a signature are counted at a site that signs.
    pub fn counts_unsigned(&self) -> bool {
        matches!(self.by, By::Folder { unsigned: true, .. })
    }
}

fn read(root: &Opened, folders: &[&str], name: &str, limit: u64) -> std::result::Result<Vec<u8>, OpenError> {
    match folders {
        [] => read_bounded(&mut root.file(name)?, limit),
        [first, more @ ..] => read(&root.folder(first)?, more, name, limit),
    }
}

/// A file that the index names by its hash.
fn named(
    root: &Opened,
    folder: &str,
    name: &str,
    limit: u64,
    hash: &ContentHash,
) -> std::result::Result<Vec<u8>, (String, String)> {
    let wrong = |why: String| (format!("{folder}/{name}"), why);
    let bytes = read(root, &[folder], name, limit).map_err(|e| wrong(e.to_string()))?;
    match hash_bytes(&bytes) == *hash {
        true => Ok(bytes),
        false => Err(wrong("its bytes are not those that the index names".to_owned())),
    }
}

type Wrong = (String, String);

fn first(name: &str) -> impl Fn(Vec<crate::terms::Problem>) -> Wrong {
    move |wrong| (name.to_owned(), wrong.first().map_or_else(String::new, |wrong| wrong.message.to_string()))
}

fn jobs(programs: &[String], root: &Opened, index: &Index) -> std::result::Result<Vec<(Job, Word)>, Wrong> {
    let one = |entry: &index::IndexedJob| {
        let name = format!("{}.{}.toml", entry.job_id, entry.revision);
        let bytes = named(root, job::FOLDER, &name, job::MAX_BYTES, &entry.sha256)?;
        let job = job::parse(&bytes, entry.job_id, &name, programs).map_err(first(&name))?;
        let word = Word {
            state: entry.state,
            percent: entry.percent,
            reason: entry.reason.clone(),
            ..Word::default()
        };
        Ok((job, word))
    };
    index.jobs.iter().map(one).collect()
}

fn machines(root: &Opened, index: &Index) -> std::result::Result<Vec<Member>, Wrong> {
    let Some(list) = &index.members else { return Ok(Vec::new()) };
    let name = format!("LIST.{}", list.revision);
    let bytes = named(root, MEMBERS, &name, members::MAX_BYTES, &list.sha256)?;
    let mut all = Vec::new();
    for part in members::parse_list(&bytes, &name).map_err(first(&name))? {
        let name = format!("{}.{}", part.name, part.revision);
        let bytes = named(root, MEMBERS, &name, members::MAX_BYTES, &part.sha256)?;
        all.extend(members::parse_part(&bytes, &part.name, &name).map_err(first(&name))?);
    }
    all.sort_by_key(|member| member.machine);
    Ok(all)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::site::folder::made;
    use std::fs;

    #[test]
    fn a_list_that_says_the_same_is_not_read_again_and_one_that_changed_is() {
        let dir = tempfile::tempdir().unwrap();
        let site = dir.path().join("site");
        let now: Wall = "2026-11-29T12:00:00Z".parse().unwrap();
        made::make(&site, "BP0".parse().unwrap(), None, Some("BP004000".parse().unwrap()), now).unwrap();
        let ground = |before: Option<&Ground>| {
            let means = Means { programs: &[], needs: &|_| Ok(()), now, before };
            Ground::of_folder(Folder::open(&site).unwrap(), None, None, &means).unwrap()
        };
        let first = ground(None);
        assert_eq!((first.members.len(), first.jobs.len()), (1, 1));
        let again = ground(Some(&first));
        assert!(Arc::ptr_eq(&first.members, &again.members) && again.jobs.len() == 1);
        let list = site.join("machines.csv");
        let text = fs::read_to_string(&list).unwrap();
        fs::write(&list, format!("{text}BP004001,node-1\n")).unwrap();
        let more = ground(Some(&again));
        assert_eq!((more.members.len(), more.members[1].host.as_deref()), (2, Some("node-1")));
        fs::remove_file(&list).unwrap();
        assert!(ground(Some(&more)).members.is_empty());
    }
}
