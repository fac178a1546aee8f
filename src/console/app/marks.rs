//! Marked requests, and what becomes of an action on several: each is named before, and each is told of afterwards.

use super::event::Effect;
use super::list::Scroll;
use super::overlay::Overlay;
use super::results::{Fate, Results};
use super::state::App;
use super::view::View;
use crate::console::keymap::commands::Id;
use crate::executor::talk::protocol::Change;
use crate::safe;
use crate::site::ids::RequestId;
use crate::text::SafeText;

/// On so many requests at once an action may be: more than anyone reads before a yes.
pub const MAX_MARKED: usize = 50;

impl App {
    /// The requests that an action is for: the marked ones in the order of the list, else the one in question. An
    /// overlay is about one request, whatever is marked below it.
    pub fn subjects(&self) -> Vec<RequestId> {
        if self.overlays.is_empty() && self.rows().is_some() && !self.marked.is_empty() {
            let known = self.data.requests().iter().filter_map(|row| row.request_id);
            return known.filter(|id| self.marked.contains(id)).collect();
        }
        self.subject().into_iter().collect()
    }

    /// Marks the selected row, or takes its mark away, and goes on to the next.
    pub(super) fn mark(&mut self) {
        let Some(request) = self.selected_row().and_then(|row| row.request_id) else { return };
        if !self.marked.remove(&request) {
            self.marked.insert(request);
        }
        match self.view {
            View::Packages => self.packages.moved(Id::Down, &self.data),
            _ => self.overview.moved(Id::Down, &self.data),
        };
        self.say_marked();
    }

    /// Marks every row that is listed and not marked, and takes the marks of the others.
    pub(super) fn invert_marks(&mut self) {
        let Some(rows) = self.rows() else { return };
        let listed = rows.rows(&self.data);
        let ids: Vec<RequestId> = listed.iter().filter_map(|row| row.request_id).collect();
        for id in ids {
            if !self.marked.remove(&id) {
                self.marked.insert(id);
            }
        }
        self.say_marked();
    }

    fn say_marked(&mut self) {
        let said = match self.marked.len() {
            0 => "no row is marked".into(),
            n => {
                let verbs = [Id::Run, Id::Defer, Id::Undefer, Id::Stop, Id::Rerun];
                let keys = verbs.map(|id| self.key_of(id).to_string()).join(" ");
                safe!("{n} marked; {keys} are for all of them, {} drops the marks", self.key_of(Id::Back))
            }
        };
        self.say(said, false);
    }

    /// Marks of requests that are no longer there go; how many, for whoever tells of it.
    pub(super) fn prune_marks(&mut self) {
        if self.marked.is_empty() || self.data.list.value.is_none() {
            return;
        }
        let known: std::collections::BTreeSet<_> =
            self.data.requests().iter().filter_map(|row| row.request_id).collect();
        let before = self.marked.len();
        self.marked.retain(|id| known.contains(id));
        let gone = before - self.marked.len();
        if gone > 0 {
            self.say(safe!("{} left the list and lost their marks", super::words::count(gone, "row")), true);
        }
    }

    /// Asks for each of several requests, and opens what became of them. What the core would refuse is not asked, but
    /// told with the rest.
    pub(super) fn ask_many(
        &mut self,
        id: Id,
        changes: Vec<(RequestId, Change)>,
        refused: Vec<(RequestId, SafeText)>,
    ) -> Vec<Effect> {
        let (mut effects, mut fates) = (Vec::new(), Vec::new());
        for (request, change) in changes {
            let effect = self.ask(change, safe!("{} {request}", id.command().name));
            if let Effect::Ask { id, .. } = &effect {
                fates.push((request, Fate::Asked(*id)));
            }
            effects.push(effect);
        }
        fates.extend(refused.into_iter().map(|(request, why)| (request, Fate::Refused(why))));
        self.marked.clear();
        self.results = Some(Results { id, fates, scroll: Scroll::default() });
        self.open(Overlay::Results);
        effects
    }

    /// Takes what became of one of them; false if the question was none of these.
    pub(super) fn fate(&mut self, asked: u64, became: Fate) -> bool {
        let Some(results) = &mut self.results else { return false };
        let Some((_, fate)) = results.fates.iter_mut().find(|(_, fate)| *fate == Fate::Asked(asked)) else {
            return false;
        };
        *fate = became;
        let [_, _, refused, left] = results.counts();
        if left == 0 {
            let said = safe!("{}; {} shows each", results.summary(), self.options.keymap.hint(Id::Results));
            self.say(said, refused > 0);
        }
        true
    }
}
