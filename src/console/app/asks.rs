//! Questions to the executor that are under way, and when each was last asked.

use super::event::Effect;
use crate::clock::Wall;
use crate::executor::ask::Question;
use crate::text::SafeText;
use std::collections::BTreeMap;

/// A question under way.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub question: Question,
    pub label: SafeText,
    pub since: Option<Wall>,
}

/// Questions under way, and when each kind was last asked.
#[derive(Debug, Clone, Default)]
pub struct Asks {
    next: u64,
    under_way: BTreeMap<u64, Asked>,
    last: Vec<(Question, Wall)>,
}

impl Asks {
    pub(super) fn start(&mut self, question: Question, label: SafeText, now: Option<Wall>) -> Effect {
        self.next += 1;
        let id = self.next;
        if let Some(now) = now {
            self.last.retain(|(known, _)| *known != question);
            self.last.push((question.clone(), now));
            if self.last.len() > 128 {
                self.last.remove(0);
            }
        }
        self.under_way.insert(id, Asked { question: question.clone(), label: label.clone(), since: now });
        Effect::Ask { id, question, label }
    }

    /// Whether a question is wanted again: not under way, and last asked so many seconds ago.
    pub(super) fn wanted(&self, question: &Question, now: Wall, every: i64) -> bool {
        let under_way = self.asks(question);
        let last = self.last.iter().find(|(known, _)| known == question).map(|(_, at)| *at);
        // Ticks come a little early or late: half a second less is a second.
        !under_way && last.is_none_or(|at| (now - at).num_milliseconds() > every * 1000 - 500 || at > now)
    }

    /// The question that was answered.
    pub(super) fn answered(&mut self, id: u64) -> Option<Asked> {
        self.under_way.remove(&id)
    }

    /// Whether this question is under way.
    pub(super) fn asks(&self, question: &Question) -> bool {
        self.under_way.values().any(|asked| asked.question == *question)
    }

    /// Since when this question is under way.
    pub(super) fn under_way_since(&self, question: &Question) -> Option<Wall> {
        self.under_way.values().find(|asked| asked.question == *question)?.since
    }

    /// Forgets when things were asked, so that the effect of an action shows at once.
    pub(super) fn ask_anew(&mut self) {
        self.last.clear();
    }

    /// The question that has been under way longest, if for over a second.
    pub fn slowest(&self, now: Wall) -> Option<(&SafeText, i64)> {
        let asked = self.under_way.values().filter_map(|a| Some((a, (now - a.since?).num_seconds())));
        asked
            .filter(|(_, s)| *s > 1)
            .max_by_key(|(a, s)| (a.question.changes(), *s))
            .map(|(a, s)| (&a.label, s))
    }
}
