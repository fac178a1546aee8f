//! What became of an action on several requests, each by itself.

use super::list::Scroll;
use crate::console::keymap::commands::Id;
use crate::site::ids::RequestId;
use crate::text::SafeText;

/// What became of an action on one of several requests.
#[derive(Debug, Clone, PartialEq)]
pub enum Fate {
    /// Asked, as this question; not answered yet.
    Asked(u64),
    /// Carried out; what was answered.
    Done(SafeText),
    /// It waits in the queue; what was answered.
    Queued(SafeText),
    /// Refused, or it failed; with the core's own words.
    Refused(SafeText),
}

/// What became of an action on several requests.
#[derive(Debug, Clone)]
pub struct Results {
    /// Which action.
    pub id: Id,
    /// Each request, in the order in which they were asked for.
    pub fates: Vec<(RequestId, Fate)>,
    /// Where its display stands.
    pub scroll: Scroll,
}

impl Results {
    /// How many are done, queued, refused, and not answered yet.
    pub fn counts(&self) -> [usize; 4] {
        let mut counts = [0; 4];
        for (_, fate) in &self.fates {
            counts[match fate {
                Fate::Done(_) => 0,
                Fate::Queued(_) => 1,
                Fate::Refused(_) => 2,
                Fate::Asked(_) => 3,
            }] += 1;
        }
        counts
    }

    /// The same in words.
    pub fn summary(&self) -> SafeText {
        let [done, queued, refused, asked] = self.counts();
        let mut words = format!("{}: {done} of {} done", self.id.command().name, self.fates.len());
        if queued > 0 {
            words += &format!(", {queued} queued");
        }
        if refused > 0 {
            words += &format!(", {refused} refused");
        }
        if asked > 0 {
            words += &format!(", {asked} not answered yet");
        }
        SafeText::new(&words)
    }
}
