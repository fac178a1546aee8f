//! Keys of the confirmation: they move between its parts, tick gates, type, and at last say yes or no.

use super::{Confirm, Field, Outcome};
use crate::clock::{Wall, Zone};
use crate::console::app::data::Data;
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
        let untouched =
            self.ticked.is_empty() && self.until.text().is_empty() && self.reason.text().is_empty();
        if !fields.contains(&self.focus) || (untouched && self.focus == Field::Question) {
            self.focus = fields.first().copied().unwrap_or(Field::Question);
        }
    }

    /// Takes a key.
    pub fn key(&mut self, key: Key, data: &Data, now: Wall, zone: &Zone) -> Outcome {
        self.complaint = None;
        match (self.focus, key) {
            (_, Key::Esc | Key::Ctrl('c')) => return Outcome::Cancel,
            (_, Key::Tab | Key::Down) => self.step(data, 1),
            (_, Key::BackTab | Key::Up) => self.step(data, -1),
            (Field::Question, Key::Char('n' | 'q')) => return Outcome::Cancel,
            (Field::Gate(_), Key::Char('n' | 'q')) => return Outcome::Cancel,
            (Field::Question | Field::Gate(_), Key::Char('y')) => return self.yes(data, now, zone),
            (Field::Gate(row), Key::Char(' ')) => {
                if let Some(gate) = self.overrides(data).get(row)
                    && !self.ticked.remove(gate)
                {
                    self.ticked.insert(*gate);
                }
            }
            (Field::Gate(_), Key::Char('j')) => self.step(data, 1),
            (Field::Gate(_) | Field::Question, Key::Char('k')) => self.step(data, -1),
            // Enter goes on to the next part; on the question it says what would carry it out.
            (Field::Gate(_) | Field::Until | Field::Reason, Key::Enter) => self.step(data, 1),
            (Field::Question, Key::Enter) => self.complaint = Some("Enter alone does nothing: y or n".into()),
            (Field::Until, key) => {
                self.until.key(key);
            }
            (Field::Reason, key) => {
                self.reason.key(key);
            }
            _ => {}
        }
        Outcome::Open
    }

    /// Takes pasted text where text is typed.
    pub fn paste(&mut self, text: &str) {
        match self.focus {
            Field::Until => self.until.insert(text),
            Field::Reason => self.reason.insert(text),
            _ => {}
        }
    }

    fn yes(&mut self, data: &Data, now: Wall, zone: &Zone) -> Outcome {
        self.complaint = self.obstacle(data, now, zone);
        match (&self.complaint, self.outcome(data, now, zone)) {
            (None, Some(outcome)) => outcome,
            _ => Outcome::Open,
        }
    }

    fn step(&mut self, data: &Data, by: isize) {
        let fields = self.fields(data);
        let here = fields.iter().position(|f| *f == self.focus).unwrap_or(0);
        let to = here.saturating_add_signed(by).min(fields.len() - 1);
        self.focus = fields[to];
    }
}
