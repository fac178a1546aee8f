//! What decisions need to know of the machine itself: who is logged on, what is staged, power, when it started. Part of
//! the core's inputs (`model`); the executor fills it in at every step from what `host` reads.

use crate::clock::Wall;
pub use crate::host::power::{HostFacts, Power};
use crate::host::sessions::Session;
use crate::site::content::ContentFact;
use crate::site::ids::RequestId;
use crate::site::installed::{Answer, Finding, Findings, Need};
use crate::site::instruction::ContentHash;
use crate::terms::Platform;
use crate::text::SafeText;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What the machine is like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Its platform; None: none that packages are made for.
    pub platform: Option<Platform>,
    /// Who is logged on, without the ignored accounts; None: cannot be known.
    pub users: Option<Vec<UserFact>>,
    /// Why the clock cannot be believed.
    pub clock_suspect: Option<SafeText>,
    /// This boot.
    pub boot_id: String,
    /// Power, and the start of the machine.
    pub host: HostFacts,
    /// Free bytes where the state folder is; None: unknown.
    pub disk_free: Option<u64>,
    /// A service is the executor: without one nothing starts by itself.
    pub service: bool,
    /// What could not be written into the history, until something can.
    pub unwritten: Option<SafeText>,
    /// The request that runs now, since when.
    pub running: Option<(RequestId, Wall)>,
    /// The request whose start is announced; it is in no history yet.
    pub countdown: Option<Announced>,
    /// What is staged, by content hash.
    pub content: BTreeMap<ContentHash, ContentFact>,
    /// What is to be copied and was not tried yet, since when.
    pub copying: BTreeMap<ContentHash, Wall>,
    /// Which packages are installed, by their own tests. What is not here was not looked up yet.
    pub installed: Arc<Findings>,
    /// The bare program names that may be started.
    pub programs: Vec<String>,
    /// Why the program of a request cannot be started here, as far as its staged file shows.
    pub unstartable: BTreeMap<RequestId, SafeText>,
}

impl Facts {
    /// A run has succeeded that had this to do. What cannot be known is not known after it either.
    pub fn turn(&mut self, need: &Need) {
        let known = |finding: &&Finding| finding.answer != Answer::Unknown;
        if self.installed.get(&need.test).filter(known).is_some() {
            Arc::make_mut(&mut self.installed).insert(need.test.clone(), need.done());
        }
    }

    /// Somebody is logged on, or may be: who that is has to be told before something starts by itself.
    pub fn attended(&self) -> bool {
        self.users.as_ref().is_none_or(|users| !users.is_empty())
    }
}

/// An automatic run that is announced and not launched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announced {
    /// Which.
    pub request: RequestId,
    /// When its countdown ends, by the wall clock as it stands now.
    pub ends: Wall,
}

/// Somebody who is logged on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserFact {
    /// Account.
    pub name: SafeText,
    /// Terminal or display.
    pub terminal: SafeText,
    /// Since when without input, if known.
    pub idle: Option<Duration>,
    /// Whether the screen is locked, if known.
    pub locked: Option<bool>,
}

impl UserFact {
    /// Somebody as the host sees them.
    pub fn of(session: &Session) -> UserFact {
        UserFact {
            name: session.user.clone(),
            terminal: session.terminal.clone(),
            idle: session.idle_s.map(Duration::from_secs),
            locked: session.locked,
        }
    }

    /// Logged on, and not at work: without input for `[users] busy_within`, or, where that cannot be known, locked.
    pub fn is_away(&self, busy_within: Duration) -> bool {
        self.idle.map_or(self.locked == Some(true), |idle| idle >= busy_within)
    }
}
