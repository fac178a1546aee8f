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

/// A name of so many bytes may be the beginning of a longer one.
const LONGEST_IN_UTMP: usize = 32;

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

    /// Whether this account is logged on; None where that cannot be known: also where names stand without their domains, so
    /// that two accounts may share one, or cut short.
    pub fn has(&self, account: &SafeText) -> Option<bool> {
        let sessions = self.known()?;
        match self.source {
            "wts" => None,
            "utmp" if account.as_str().len() >= LONGEST_IN_UTMP => None,
            _ => Some(sessions.iter().any(|session| session.user == *account)),
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn logged_on(source: &'static str, user: &str) -> LoggedOn {
        let session = Session {
            user: SafeText::new(user),
            terminal: "pts/1".into(),
            from: "console".into(),
            since: None,
            idle_s: None,
            locked: None,
            kind: SessionKind::Console,
        };
        LoggedOn { source, sessions: vec![session], connections: Vec::new(), note: None }
    }

    #[test]
    fn who_is_logged_on_is_said_only_where_a_name_is_one_account() {
        let (anna, bert) = (SafeText::from("anna"), SafeText::from("bert"));
        for source in ["logind", "utmp"] {
            assert_eq!(logged_on(source, "anna").has(&anna), Some(true));
            assert_eq!(logged_on(source, "anna").has(&bert), Some(false));
            assert_eq!(logged_on(source, "anna2").has(&anna), Some(false));
        }
        assert_eq!(logged_on("wts", "anna").has(&anna), None, "of which domain?");
        assert_eq!(LoggedOn::unknown("nobody can say").has(&anna), None);
        let long = "a".repeat(LONGEST_IN_UTMP);
        assert_eq!(logged_on("utmp", &long).has(&SafeText::new(&long)), None, "it may have been cut off");
        assert_eq!(logged_on("logind", &long).has(&SafeText::new(&long)), Some(true));
        let networked = LoggedOn {
            sessions: Vec::new(),
            connections: logged_on("logind", "anna").sessions,
            ..logged_on("logind", "anna")
        };
        assert_eq!(networked.has(&anna), Some(false), "a connection to a file share is no log-on");
    }
}
