//! The service tells everybody who is logged on before a package or a restart starts, and what it writes on the operator's
//! own terminal stands over whatever the console has drawn there. The console cannot see those bytes, but it sees what
//! they are about, and draws itself anew then.

use super::data::Data;
use crate::clock::Wall;
use crate::decision::RestartState;
use crate::site::ids::RequestId;
use crate::terms::{Group, State};
use crate::text::SafeText;

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

    /// Whether something may have been written over the screen since this was last asked; `terminal` is our own.
    pub fn look(&mut self, data: &Data, terminal: Option<&SafeText>, now: Option<Wall>) -> bool {
        if data.list.value.is_none() || !is_told(data, terminal) {
            *self = Notices::default();
            return false;
        }
        let rows = data.requests().iter().filter(|row| row.group == Group::Running);
        let runs = rows.map(|row| (row.request_id, row.state)).collect();
        let restart = data.restart().map(|restart| (restart.state, restart.restarts_at));
        let about = About { runs, restart };
        let sent = std::mem::take(&mut self.sent);
        let changed = sent || self.about.as_ref().is_some_and(|known| *known != about);
        self.about = Some(about);
        let again = now.zip(self.again).is_some_and(|(now, again)| now >= again);
        if changed {
            self.again = now.and_then(|now| now.checked_add_signed(chrono::TimeDelta::seconds(LATE)));
        } else if again {
            self.again = None;
        }
        changed || again
    }
}

/// Whether this terminal is one of those that the service tells.
fn is_told(data: &Data, terminal: Option<&SafeText>) -> bool {
    let (Some(own), Some(who)) = (terminal, &data.who.value) else { return false };
    who.sessions.iter().any(|session| session.terminal == *own)
}
