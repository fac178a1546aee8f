//! Who is logged on. The executor asks before each decision, `who` shows it. What cannot be known is unknown and never
//! "nobody"; network connections are listed beside the log-ons and never count as one.

use super::sys;
use crate::executor::talk::view::{SessionDoc, WhoDoc};
use crate::text::SafeText;

/// Log-ons and connections, and where that was learnt.
#[derive(Debug, Clone, PartialEq)]
pub struct LoggedOn {
    /// `logind`, `utmp`, `wts` or `unknown`.
    pub source: &'static str,
    /// Log-ons; of no meaning where the source is `unknown`.
    pub sessions: Vec<SessionDoc>,
    /// Network connections, such as those to a file share of this machine.
    pub connections: Vec<SessionDoc>,
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
    pub fn known(&self) -> Option<&[SessionDoc]> {
        (self.source != "unknown").then_some(self.sessions.as_slice())
    }

    /// As the view shows it.
    pub fn doc(&self) -> WhoDoc {
        WhoDoc {
            source: self.source.to_owned(),
            sessions: self.sessions.clone(),
            connections: self.connections.clone(),
            note: self.note.clone(),
        }
    }
}

/// Who is logged on now. May take a few seconds where the system's services hang, never longer.
pub fn logged_on() -> LoggedOn {
    sys::sessions::logged_on()
}
