//! The filters of a log, one below the other, and a field for one more.

use crate::console::app::input::Input;
use crate::console::app::list::Cursor;
use crate::console::app::terms::{self, Typed};
use crate::console::keymap::Key;
use crate::console::keymap::commands::Id;
use crate::text::SafeText;

/// A filter is not longer than this.
const MAX_TYPED: usize = 200;

/// The list.
#[derive(Debug, Clone)]
pub struct FilterAsk {
    /// What is typed.
    pub input: Input,
    /// The selected one.
    pub cursor: Cursor,
    /// Why what is typed is none.
    pub wrong: Option<SafeText>,
}

/// What became of a key.
#[derive(Debug, PartialEq, Eq)]
pub enum Filtering {
    /// Nothing more.
    Open,
    /// Away with the list.
    Close,
    /// One more.
    Add(Typed),
    /// The selected one goes.
    Remove,
}

impl FilterAsk {
    /// With nothing typed.
    pub fn new() -> FilterAsk {
        FilterAsk { input: Input::new(MAX_TYPED), cursor: Cursor::default(), wrong: None }
    }

    /// Takes a key; so many are listed.
    pub fn key(&mut self, key: Key, listed: usize) -> Filtering {
        self.wrong = None;
        let nothing = self.input.value().is_none();
        match key {
            Key::Esc | Key::Ctrl('c') => return Filtering::Close,
            Key::Enter if nothing => return Filtering::Close,
            Key::Enter => match terms::read(self.input.text()) {
                Ok(typed) => return Filtering::Add(typed),
                Err(why) => self.wrong = Some(why),
            },
            Key::Delete if nothing => return Filtering::Remove,
            Key::Up => {
                self.cursor.moved(Id::Up, listed);
            }
            Key::Down => {
                self.cursor.moved(Id::Down, listed);
            }
            key => {
                self.input.key(key);
            }
        }
        Filtering::Open
    }
}

impl Default for FilterAsk {
    fn default() -> Self {
        FilterAsk::new()
    }
}
