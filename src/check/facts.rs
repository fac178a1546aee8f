//! What `gather` found and `judge` judges, as values.

use super::Subject;
use super::probe;
use super::publisher::Publisher;
use crate::clock::{Wall, Zone};
use crate::error::Failure;
use crate::executor::share::job::Reported;
use crate::executor::share::tries::Tried;
use crate::executor::talk::view::{ListDoc, StatusDoc};
use crate::host::account::Account;
use crate::host::lock::Holder;
use crate::host::process::Image;
use crate::host::sessions::LoggedOn;
use crate::host::supervisor::Registered;
use crate::site::indexed::Membership;
use crate::site::instruction::{InstructionFile, Request};
use crate::site::share::Look;
use crate::site::signed::store::Trusted;
use crate::terms::{Platform, Problem};
use crate::text::SafeText;
use std::path::PathBuf;
use std::time::Duration;

/// Everything that was found.
pub(super) struct Facts {
    pub subject: Subject,
    pub now: Wall,
    pub zone: Zone,
    /// The account that looks.
    pub me: Account,
    /// This machine's host name.
    pub host: SafeText,
    /// The account of `[run] run_as`; None where there is none of that name.
    pub run_as: Option<Account>,
    /// It may see and try everything.
    pub administrator: bool,
    pub views: Views,
    /// A look at the shares; None without a machine or a share.
    pub look: Option<Result<Look, SafeText>>,
    /// Who listens to the servers of its locations where the service is root: an account without rights, or nobody but root.
    /// None: it is not root, or no location has a server that is talked to here.
    pub listens: Option<Option<Account>>,
    /// The machine report; None as above.
    pub report: Option<Result<Reported, SafeText>>,
    /// What is in force under an index; else the instruction file: of the share, or else the held one.
    pub file: Option<InstructionFile>,
    /// Where it was read.
    pub file_from: SafeText,
    /// What a share under an index has for this machine; None: there is no such share, or it was not read.
    pub indexed: Option<Indexed>,
    /// What of an index is in force here, or why what is held is not; None: none is there, or this account may not see it.
    pub in_force: Option<Result<Indexed, SafeText>>,
    /// This machine has accepted an index: it reads no instruction file any more.
    pub under_an_index: bool,
    /// Whose signatures count here, or why that is not known; None: trust mode `permissions`.
    pub trusted: Option<Result<Trusted, SafeText>>,
    pub service: Service,
    pub users: LoggedOn,
    /// Why the program of `[notify] command` cannot be started, as far as can be seen.
    pub pager: Option<SafeText>,
    /// What was tried as the service's account, or why it was not.
    pub tried: Result<probe::Tried, SafeText>,
    pub backup: Backup,
    /// What was tried at each share, and why not at one.
    pub tries: Vec<(PathBuf, Result<Tried, SafeText>)>,
    /// How many contents of what may yet run here are staged, and how many are to be copied.
    pub contents: (usize, usize),
    /// The site folder from which this machine publishes; None: it does not.
    pub publisher: Option<Publisher>,
    pub folders: Folders,
    /// What somebody else could change, each with how that is mended.
    pub loose: Vec<(String, String)>,
    /// Whether that could be looked at on this system at all.
    pub modes_are_real: bool,
    pub platform: Option<Platform>,
}

/// What the executor says, or why it says nothing.
pub(super) struct Views {
    pub list: Result<ListDoc, Failure>,
    pub status: Result<StatusDoc, Failure>,
}

/// What a share under an index has for this machine.
pub(super) struct Indexed {
    /// The trust list that it was published under.
    pub epoch: u64,
    /// Of the publication.
    pub serial: u64,
    /// What its list of machines says of this one.
    pub member: Membership,
    /// How many parts this machine needs.
    pub parts: usize,
    /// Those that cannot be had or read.
    pub problems: Vec<Problem>,
}

/// The service, seen from outside.
pub(super) struct Service {
    /// Who holds the executor.
    pub holder: Option<Holder>,
    /// The account that the holder's process acts as.
    pub acts_as: Option<Account>,
    /// The file that the holder's process was started from; None without a holder.
    pub image: Option<Result<Image, String>>,
    /// When the program that is installed was written.
    pub installed_at: Option<Wall>,
    /// The program that would be started.
    pub installed: Option<PathBuf>,
    /// None: pcm knows no supervisor on this system.
    pub registered: Option<Registered>,
    /// The supervisor is there to be asked.
    pub supervised: bool,
}

/// What a backup command or marker said.
pub(super) enum Backup {
    /// Nothing is configured.
    NotSet,
    /// It was not asked, and why.
    NotAsked(String),
    /// It was.
    Asked {
        /// What the marker says: its age.
        marker: Option<Result<Duration, String>>,
        /// What the command said: its exit code and first line, or why it gave none.
        command: Option<Result<(i32, SafeText), String>>,
    },
}

/// State and log.
pub(super) struct Folders {
    /// The state folder: its owner, or why that cannot be known.
    pub state: Result<Account, std::io::ErrorKind>,
    /// The network file system that it is on.
    pub network: Option<String>,
    pub free: Option<u64>,
    pub log_free: Option<u64>,
    /// `PACMAN.LOG`: when it was last written.
    pub log_written: Result<Wall, std::io::ErrorKind>,
}

impl Facts {
    /// What is still to run on this machine: not settled, and made for its platform.
    pub fn open_requests(&self) -> Vec<&Request> {
        let fits =
            |r: &&Request| r.platforms.is_empty() || self.platform.is_some_and(|p| r.platforms.contains(&p));
        self.unsettled_requests().into_iter().filter(fits).collect()
    }

    /// The requests of the instruction file that have not been settled yet, for whatever platform.
    pub fn unsettled_requests(&self) -> Vec<&Request> {
        use crate::site::instruction::Entry;
        use crate::terms::Group;
        let settled = |request: &Request| {
            let Ok(list) = &self.views.list else { return false };
            let row = list.requests.iter().find(|r| r.request_id == Some(request.request_id));
            row.is_some_and(|r| matches!(r.group, Group::Executed | Group::Expired | Group::Rejected))
        };
        let entries = self.file.iter().flat_map(|file| &file.requests);
        entries
            .filter_map(|entry| match entry {
                Entry::Good(request) => Some(&**request),
                Entry::Rejected(_) => None,
            })
            .filter(|request| !settled(request))
            .collect()
    }

    /// How often the share is looked at: as the executor says, since a site may say it for its machines.
    pub fn polling_interval(&self) -> Duration {
        let configured = self.subject.config.polling_interval;
        self.views.status.as_ref().map_or(configured, |s| Duration::from_secs(s.polling_interval_s))
    }

    /// The service's account: the owner of the state folder.
    pub fn owner(&self) -> Result<Account, std::io::ErrorKind> {
        self.folders.state.clone()
    }

    /// `pcm`, with the flags that name the installation.
    pub fn pcm(&self) -> &str {
        &self.subject.pcm
    }
}
