//! Where to save what is shown: one field, a proposal in it. What exists is never written over.

use crate::clock::{Wall, Zone};
use crate::console::app::input::Input;
use crate::console::keymap::Key;
use crate::site::ids::RequestId;
use crate::text::SafeText;

/// A path is not longer than this.
pub(super) const MAX_PATH: usize = 400;

/// What waits for a file's name.
#[derive(Debug, Clone)]
pub struct SaveAs {
    /// The name as it is typed.
    pub path: Input,
    /// What is saved, in a word or two.
    pub what: SafeText,
    /// What goes into the file.
    pub contents: Contents,
}

/// What a new file is to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contents {
    /// Text, as it was when the field was opened.
    Lines(Vec<SafeText>),
    /// All that is shown of this log file, which is looked at as a whole.
    Log(SafeText),
    /// Everything about a request, in one archive.
    Evidence {
        /// Which.
        request: RequestId,
        /// The machine that has the file then, as far as its name is known.
        on: SafeText,
    },
}

/// What became of a key.
pub enum Saving {
    /// Nothing more.
    Open,
    /// Away with it.
    Cancel,
    /// Write.
    Write(String, Contents),
}

impl SaveAs {
    /// For everything about a request.
    pub fn evidence(request: RequestId, on: SafeText, now: Option<Wall>, zone: &Zone) -> SaveAs {
        let what = format!("evidence-{request}");
        SaveAs::of(&what, "tar.zst", Contents::Evidence { request, on }, now, zone)
    }

    /// With a name that says what and when, in the folder that the console was started in.
    pub fn of(what: &str, ending: &str, contents: Contents, now: Option<Wall>, zone: &Zone) -> SaveAs {
        let path = Input::with(&format!("{}.{ending}", proposal(what, now, zone)), MAX_PATH);
        SaveAs { path, what: SafeText::new(what), contents }
    }

    /// Takes a key.
    pub fn key(&mut self, key: Key) -> Saving {
        match key {
            Key::Esc | Key::Ctrl('c') => return Saving::Cancel,
            Key::Enter => {
                let path = self.path.text().trim().to_owned();
                if !path.is_empty() {
                    let nothing = Contents::Lines(Vec::new());
                    return Saving::Write(path, std::mem::replace(&mut self.contents, nothing));
                }
            }
            key => {
                self.path.key(key);
            }
        }
        Saving::Open
    }
}

/// A name that says what and when: `pcm-BP0000Y-20261130-140201`.
pub fn proposal(what: &str, now: Option<Wall>, zone: &Zone) -> String {
    let at = now.map(|now| zone.to_local(now).format("-%Y%m%d-%H%M%S").to_string()).unwrap_or_default();
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-') { c } else { '-' };
    let name: String = what.chars().map(plain).collect();
    format!("pcm-{name}{at}")
}
