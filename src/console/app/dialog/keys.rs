//! Keys of the confirmation: they move between its parts, tick gates, type, and at last say yes or no.

use super::{Complaint, Confirm, Field, Outcome, READ};
use crate::clock::{Wall, Zone};
use crate::console::app::data::Data;
use crate::console::app::event::Moment;
use crate::console::keymap::Key;

impl Confirm {
    /// The parts that take keys, from top to bottom.
    pub fn fields(&self, data: &Data) -> Vec<Field> {
        let mut fields: Vec<Field> = (0..self.overrides(data).len()).map(Field::Gate).collect();
        if self.asks_until() {
            fields.push(Field::Until);
        }
        if self.asks_reason(data) {
            fields.push(Field::Reason);
        }
        fields.push(Field::Question);
        fields
    }

    /// Puts the keys where something is still missing, when the executor's answer changed what is asked.
    pub fn settle(&mut self, data: &Data) {
        let fields = self.fields(data);
        if !fields.contains(&self.focus) || !self.begun {
            self.focus = fields.first().copied().unwrap_or(Field::Question);
        }
    }

    /// Takes a key that went down at `at`. Where no text is typed, one that means nothing here cancels: whoever types
    /// without looking does not come upon a `y` later.
    pub fn key(&mut self, key: Key, at: Moment, data: &Data, now: Wall, zone: &Zone) -> Outcome {
        self.complaint = None;
        // A `y` that comes too soon, or to what is not answered yet, fills in nothing.
        self.begun |= key != Key::Char('y') || matches!(self.focus, Field::Until | Field::Reason);
        let several = self.fields(data).len() > 1;
        match (self.focus, key) {
            (_, Key::Esc | Key::Ctrl('c')) => return Outcome::Cancel,
            (_, Key::Tab | Key::Down) if several => self.step(data, 1),
            (_, Key::BackTab | Key::Up) if several => self.step(data, -1),
            (Field::Until, key) if key != Key::Enter => {
                self.until.key(key);
            }
            (Field::Reason, key) if key != Key::Enter => {
                self.reason.key(key);
            }
            // Enter goes on to the next part, and never carries it out.
            (Field::Gate(_) | Field::Until | Field::Reason, Key::Enter) => self.step(data, 1),
            (Field::Question | Field::Gate(_), Key::Char('y')) => return self.yes(at, data, now, zone),
            (Field::Gate(row), Key::Char(' ')) => {
                if let Some(gate) = self.overrides(data).get(row)
                    && !self.ticked.remove(gate)
                {
                    self.ticked.insert(*gate);
                }
            }
            (Field::Gate(_), Key::Char('j')) => self.step(data, 1),
            (Field::Gate(_), Key::Char('k')) => self.step(data, -1),
            (Field::Gate(_) | Field::Until | Field::Reason | Field::Question, _) => return Outcome::Cancel,
        }
        Outcome::Open
    }

    /// Takes pasted text where text is typed.
    pub fn paste(&mut self, text: &str) {
        self.begun = true;
        match self.focus {
            Field::Until => self.until.insert(text),
            Field::Reason => self.reason.insert(text),
            _ => {}
        }
    }

    fn yes(&mut self, at: Moment, data: &Data, now: Wall, zone: &Zone) -> Outcome {
        if at.saturating_sub(self.touched) < READ {
            self.touched = at;
            // What is missing has to be put in first; another `y` alone would do nothing.
            let missing = !self.waiting(data) && self.obstacle(data, now, zone).is_some();
            self.complaint = Some(if missing { Complaint::Obstacle } else { Complaint::TooSoon });
            return Outcome::Open;
        }
        match (self.obstacle(data, now, zone), self.outcome(data, now, zone)) {
            (None, Some(outcome)) => outcome,
            _ => {
                self.complaint = Some(Complaint::Obstacle);
                Outcome::Open
            }
        }
    }

    fn step(&mut self, data: &Data, by: isize) {
        let fields = self.fields(data);
        let here = fields.iter().position(|f| *f == self.focus).unwrap_or(0);
        let to = here.saturating_add_signed(by).min(fields.len() - 1);
        self.focus = fields[to];
    }
}
