//! Where to save what is shown: one field, a proposal in it. What exists is never written over.

use crate::clock::{Wall, Zone};
use crate::console::app::input::Input;
use crate::console::keymap::Key;
use crate::text::SafeText;

/// A path is not longer than this.
const MAX_PATH: usize = 400;

/// What waits for a file's name.
#[derive(Debug, Clone)]
pub struct SaveAs {
    /// The name as it is typed.
    pub path: Input,
    /// What is saved, in a word or two.
    pub what: SafeText,
    /// As it was when the field was opened.
    pub lines: Vec<SafeText>,
    /// All that is shown of this log file, in their stead.
    pub file: Option<SafeText>,
}

/// What became of a key.
pub enum Saving {
    /// Nothing more.
    Open,
    /// Away with it.
    Cancel,
    /// Write.
    Write(String, Vec<SafeText>),
}

impl SaveAs {
    /// With a name that says what and when, in the folder that the console was started in.
    pub fn new(what: &str, ending: &str, lines: Vec<SafeText>, now: Option<Wall>, zone: &Zone) -> SaveAs {
        let at = now.map(|now| zone.to_local(now).format("-%Y%m%d-%H%M%S").to_string()).unwrap_or_default();
        let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-') { c } else { '-' };
        let name: String = what.chars().map(plain).collect();
        let path = Input::with(&format!("pcm-{name}{at}.{ending}"), MAX_PATH);
        SaveAs { path, what: SafeText::new(what), lines, file: None }
    }

    /// Takes a key.
    pub fn key(&mut self, key: Key) -> Saving {
        match key {
            Key::Esc | Key::Ctrl('c') => return Saving::Cancel,
            Key::Enter => {
                let path = self.path.text().trim().to_owned();
                if !path.is_empty() {
                    return Saving::Write(path, std::mem::take(&mut self.lines));
                }
            }
            key => {
                self.path.key(key);
            }
        }
        Saving::Open
    }
}
