//! The readiness checklist (DESIGN.md 7, `pcm check`): is this machine ready to be sent packages to? `gather` looks, with
//! deadlines, `judge` says what it means, `probe` tries as the service's account what the service does. It needs no
//! service and no rights: what this account cannot see is `unknown` and says why. The command line calls [`check`], the
//! console asks through [`CheckingClient`].

mod backup;
mod facts;
mod gather;
mod in_force;
mod judge;
pub mod probe;
pub mod publisher;

use crate::config::{Config, LoadError};
use crate::error::Result;
use crate::executor::ask::{Ask, AskAll};
use crate::executor::client::Client;
use crate::executor::talk::protocol::{Change, Reply, View};
use crate::executor::talk::view::CheckDoc;
use crate::host::paths::Layout;
use crate::terms::Problem;

/// Which installation is checked, and how to speak of it.
#[derive(Debug, Clone)]
pub struct Subject {
    /// Its folders.
    pub layout: Layout,
    /// The configuration in force; the defaults where it cannot be used.
    pub config: Config,
    /// What became of the configuration file.
    pub read: ConfigRead,
    /// `pcm`, with the flags that name the installation.
    pub pcm: String,
}

/// What became of the configuration file.
#[derive(Debug, Clone, PartialEq)]
pub enum ConfigRead {
    /// It was read.
    Good,
    /// There is none.
    Absent,
    /// It is there and cannot be used.
    Bad(Vec<Problem>),
}

/// Looks at everything once. Takes as long as the slowest thing that is looked at, and never longer than the deadlines of
/// share, probe and backup command.
pub fn check(subject: &Subject) -> CheckDoc {
    judge::judge(&gather::gather(subject))
}

/// A client that goes through the checklist too, which asks no executor.
#[derive(Clone)]
pub struct CheckingClient(pub Client);

impl Ask for CheckingClient {
    fn view(&self, view: &View) -> Reply {
        self.0.view(view)
    }

    fn change(&self, change: &Change) -> Reply {
        self.0.change(change)
    }
}

impl AskAll for CheckingClient {
    fn check(&self) -> Result<CheckDoc> {
        let layout = self.0.layout();
        let read = match Config::load(&layout.config) {
            Ok(_) => ConfigRead::Good,
            Err(LoadError::Missing(_)) => ConfigRead::Absent,
            Err(LoadError::Bad(problems)) => ConfigRead::Bad(problems),
        };
        let pcm = std::iter::once("pcm".to_owned()).chain(layout.naming_flags()).collect::<Vec<_>>();
        Ok(check(&Subject {
            layout: layout.clone(),
            config: self.0.config().clone(),
            read,
            pcm: pcm.join(" "),
        }))
    }
}
