//! What `pcm check` sees of the site folder from which this machine publishes (`[site] folder`): whether the share is what it
//! says, whose keys end, whether anything publishes by itself, and who is at it. The share is compared by a process that can
//! be given up: a thread that waits for a share that hangs cannot.

use super::Subject;
use crate::clock::Wall;
use crate::error::{Exit, Failure, Result};
use crate::executor::share::job;
use crate::host::open::remote::{self, Access};
use crate::host::{account, helper, lock, supervisor};
use crate::site::folder::{Folder, LOCK};
use crate::site::instruction::command::platform_programs;
use crate::site::publisher::How;
use crate::site::publisher::standing::{self, Note, Standing};
use crate::site::signed::list::TrustList;
use crate::text::SafeText;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Comparing a share reads all that is published: it may take so many times as long as one answer.
const LONGER: u32 = 4;

/// A site folder and what is published of it.
pub(super) struct Publisher {
    pub dir: PathBuf,
    pub seen: Result<Seen>,
}

/// What is known of one that can be opened.
pub(super) struct Seen {
    pub share: PathBuf,
    pub on_share: Result<OnShare>,
    pub list: Result<Option<TrustList>>,
    /// Who publishes from the folder now.
    pub held_by: Option<SafeText>,
    /// Where a timer is set up that publishes what is due; None: that cannot be seen on this system.
    pub timers: Option<Vec<PathBuf>>,
}

/// What the share of the folder has.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct OnShare {
    /// None: nothing is published yet.
    pub published: Option<Published>,
    /// Who left a note that it is at work there.
    pub note: Option<Note>,
}

/// What is published, beside what the folder says.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Published {
    pub serial: u64,
    /// It was begun and not ended, or the share holds an older one.
    pub begun: bool,
    /// The folder says something else.
    pub says_more: bool,
    /// So many files of the share are missing or damaged, where that is all.
    pub damaged: usize,
    /// What is wrong with packages that jobs run.
    pub faults: Vec<Failure>,
}

/// What is compared.
#[derive(Debug, Serialize, Deserialize)]
struct Job {
    folder: PathBuf,
    /// The bare names that some machine may start.
    programs: Vec<String>,
    now: Wall,
    /// How it gets to a share that is no folder: the process that compares reads no configuration.
    access: Access,
}

/// `pcm check-site`
pub fn main() -> u8 {
    helper::serve(|job: Job| compare(&job))
}

/// Looks, where this machine publishes. A share that hangs is given up at its deadline.
pub(super) fn look(subject: &Subject, now: Wall) -> Option<Publisher> {
    let dir = subject.config.site.folder.clone()?;
    let seen = Folder::open(&dir).map(|folder| see(subject, &folder, now));
    Some(Publisher { dir, seen })
}

fn see(subject: &Subject, folder: &Folder, now: Wall) -> Seen {
    let path = folder.dir.join(LOCK);
    let held_by = lock::is_held_by_team(&path).then(|| {
        let by = lock::holder_of_team(&path);
        by.map_or_else(|| "somebody".into(), |holder| SafeText::new(&holder.to_string()))
    });
    let home = account::owner(&folder.dir).map(|owner| owner.home);
    Seen {
        share: folder.share(),
        on_share: on_share(subject, folder, now),
        list: folder.trust_list(),
        held_by,
        timers: supervisor::timers(&folder.settings.timer_name(), home.as_deref()),
    }
}

fn on_share(subject: &Subject, folder: &Folder, now: Wall) -> Result<OnShare> {
    let (share, timeout) = (folder.share(), subject.config.share.timeout);
    let silent = |why: SafeText| {
        let message = format!("the share {} was not read: {why}", share.display());
        let remedy = "See whether its server answers and it is mounted";
        Failure::new(Exit::Share, "share-missing", message, remedy)
    };
    // One that does not answer at all is known sooner than one that is compared.
    job::answer(&share, timeout).map_err(silent)?;
    let mut programs = subject.config.request_defaults().programs;
    for system in ["linux", "windows"] {
        programs.extend(platform_programs(system).iter().map(|program| (*program).to_owned()));
    }
    let job = Job { folder: folder.dir.clone(), programs, now, access: remote::access() };
    let at = Some(share.display().to_string());
    helper::ask("check-site", "the comparison", &job, at, None, timeout * LONGER)
        .unwrap_or_else(|why| Err(silent(why)))
}

fn compare(job: &Job) -> Result<OnShare> {
    let Job { folder, programs, now, access } = job;
    remote::use_access(access.clone());
    let folder = Folder::open(folder)?;
    let standing = standing::standing(&folder, &How::looking(programs, *now))?;
    let published = match standing {
        None => None,
        Some(Standing { unmounted: Some(failure), .. }) => return Err(failure),
        Some(standing) => {
            let source = folder.read(programs)?;
            let found = standing::unpublished(&folder, &source, &standing, programs, *now)?;
            Some(Published {
                serial: standing.index.serial,
                begun: standing.begun,
                says_more: !found.is_empty(),
                damaged: found.damaged,
                faults: found.faults,
            })
        }
    };
    Ok(OnShare { published, note: standing::note(&folder)? })
}
