//! Who is logged on. The executor asks before each decision, `who` shows it. What cannot be known is unknown and never
//! "nobody"; network connections are listed beside the log-ons and never count as one.

use super::sys;
use crate::clock::Wall;
use crate::text::SafeText;
use serde::{Deserialize, Serialize};

/// One log-on or connection.
#[derive(Debug, Clone, PartialEq)]
pub struct Session {
    /// Account.
    pub user: SafeText,
    /// Terminal or display.
    pub terminal: SafeText,
    /// Host it came from; `console` when local.
    pub from: SafeText,
    /// Log-on time.
    pub since: Option<Wall>,
    /// Seconds without input.
    pub idle_s: Option<u64>,
    /// Screen locked.
    pub locked: Option<bool>,
    /// How the user reaches this machine.
    pub kind: SessionKind,
}

/// How a user reaches this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SessionKind {
    /// Sits in front of it.
    Console,
    /// Logged on from another machine.
    Remote,
    /// Uses one of its file shares, without a log-on.
    Network,
}

impl SessionKind {
    /// The word that documents and columns show.
    pub const fn as_str(self) -> &'static str {
        match self {
            SessionKind::Console => "console",
            SessionKind::Remote => "remote",
            SessionKind::Network => "network",
        }
    }
}

/// Log-ons and connections, and where that was learnt.
#[derive(Debug, Clone, PartialEq)]
pub struct LoggedOn {
    /// `logind`, `utmp`, `wts` or `unknown`.
    pub source: &'static str,
    /// Log-ons; of no meaning where the source is `unknown`.
    pub sessions: Vec<Session>,
    /// Network connections, such as those to a file share of this machine.
    pub connections: Vec<Session>,
    /// Why it is unknown, or what stood in the way of a better source.
    pub note: Option<SafeText>,
}

impl LoggedOn {
    /// Nothing could be learnt.
    pub fn unknown(why: &str) -> LoggedOn {
        LoggedOn {
            source: "unknown",
            sessions: Vec::new(),
            connections: Vec::new(),
            note: Some(SafeText::new(why)),
        }
    }

    /// The log-ons; None where they cannot be known.
    pub fn known(&self) -> Option<&[Session]> {
        (self.source != "unknown").then_some(self.sessions.as_slice())
    }
}

/// Who is logged on now. May take a few seconds where the system's services hang, never longer.
pub fn logged_on() -> LoggedOn {
    sys::sessions::logged_on()
}
