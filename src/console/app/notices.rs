//! The service tells everybody who is logged on before a package or a restart starts, and what it writes on the operator's
//! own terminal stands over whatever the console has drawn there. The console cannot see those bytes, but it sees what
//! they are about, and draws itself anew then.

use super::App;
use crate::clock::Wall;
use crate::decision::RestartState;
use crate::site::ids::RequestId;
use crate::terms::{Group, State};

/// So many seconds after the change a notice may still be on its way to the terminal: one that takes nothing keeps the
/// next ones waiting for two.
const LATE: i64 = 3;

/// What notices are about: what starts or runs, and whether a restart is announced.
#[derive(Debug, Clone, Default, PartialEq)]
struct About {
    runs: Vec<(Option<RequestId>, State)>,
    restart: Option<(RestartState, Option<Wall>)>,
}

/// What was last seen of it, and when the screen is to be drawn anew once more.
#[derive(Debug, Clone, Default)]
pub struct Notices {
    about: Option<About>,
    again: Option<Wall>,
    sent: bool,
}

impl Notices {
    /// An operator's own notice is on its way.
    pub fn sent(&mut self) {
        self.sent = true;
    }
}

impl App {
    /// Whether something may have been written over the screen since this was last asked.
    pub(super) fn written_over(&mut self) -> bool {
        if self.data.list.value.is_none() || !self.is_told() {
            self.notices = Notices::default();
            return false;
        }
        let rows = self.data.requests().iter().filter(|row| row.group == Group::Running);
        let runs = rows.map(|row| (row.request_id, row.state)).collect();
        let restart = self.data.restart().map(|restart| (restart.state, restart.restarts_at));
        let about = About { runs, restart };
        let sent = std::mem::take(&mut self.notices.sent);
        let changed = sent || self.notices.about.as_ref().is_some_and(|known| *known != about);
        self.notices.about = Some(about);
        let again = self.now.zip(self.notices.again).is_some_and(|(now, again)| now >= again);
        if changed {
            self.notices.again =
                self.now.and_then(|now| now.checked_add_signed(chrono::TimeDelta::seconds(LATE)));
        } else if again {
            self.notices.again = None;
        }
        changed || again
    }

    /// Whether this terminal is one of those that the service tells.
    fn is_told(&self) -> bool {
        let Some(own) = &self.options.terminal else { return false };
        self.data.who.value.as_ref().is_some_and(|who| who.sessions.iter().any(|s| s.terminal == *own))
    }
}
