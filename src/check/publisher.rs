//! What `pcm check` sees of the site folder from which this machine publishes (`[site] folder`): whether the share is what it
//! says, whose keys end, whether anything publishes by itself, and who is at it.

use super::Subject;
use crate::clock::Wall;
use crate::error::{Exit, Failure, Result};
use crate::executor::share::job;
use crate::host::{account, lock, supervisor};
use crate::site::folder::{Folder, LOCK};
use crate::site::instruction::command::platform_programs;
use crate::site::publisher::How;
use crate::site::publisher::standing::{self, Note, Standing, Unpublished};
use crate::site::signed::list::TrustList;
use crate::text::SafeText;
use std::path::PathBuf;

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
pub(super) struct OnShare {
    /// None: nothing is published yet.
    pub standing: Option<Standing>,
    /// What the folder says and is not published; None as above.
    pub unpublished: Option<Unpublished>,
    /// Who left a note that it is at work there.
    pub note: Option<Note>,
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
    let share = folder.share();
    job::answer(&share, subject.config.share.timeout).map_err(|why| {
        let message = format!("the share {} was not read: {why}", share.display());
        Failure::new(
            Exit::Share,
            "share-missing",
            message,
            "See whether its server answers and it is mounted",
        )
    })?;
    let mut programs = subject.config.request_defaults().programs;
    for system in ["linux", "windows"] {
        programs.extend(platform_programs(system).iter().map(|program| (*program).to_owned()));
    }
    let how = How::looking(&programs, now);
    let standing = standing::standing(folder, &how)?;
    let unpublished = match &standing {
        Some(standing) => {
            let source = folder.read(&programs)?;
            Some(standing::unpublished(folder, &source, standing, &programs, now)?)
        }
        None => None,
    };
    Ok(OnShare { standing, unpublished, note: standing::note(folder)? })
}
