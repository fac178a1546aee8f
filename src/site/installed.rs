//! Whether there is anything to do for a command (SITE.md 2, `installed_if`): its package's test, and what a look at the
//! machine gave for it. Values only; `look` asks the machine.

pub mod look;

use super::package::InstalledIf;
use crate::text::SafeText;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a test gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Answer {
    /// It is installed.
    Yes,
    /// It is not.
    No,
    /// It cannot be known.
    Unknown,
}

/// What a test gave, and what shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// In one word.
    pub answer: Answer,
    /// In a clause: `dpkg has acme 4.0-1`.
    pub words: SafeText,
}

/// What is known of each test.
pub type Findings = BTreeMap<InstalledIf, Finding>;

impl Finding {
    /// With these words.
    pub fn new(answer: Answer, words: impl AsRef<str>) -> Self {
        Self { answer, words: SafeText::new(words.as_ref()) }
    }

    /// It cannot be known, for this reason.
    pub fn unknown(why: impl AsRef<str>) -> Self {
        Self::new(Answer::Unknown, why)
    }
}

/// When a command has something to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Need {
    /// How a machine knows that the package is installed.
    pub test: InstalledIf,
    /// It takes away what the package brings: there is something to do where it is installed.
    pub removes: bool,
}

/// Whether there is something to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needed {
    /// There is.
    Yes,
    /// There is not.
    No,
    /// It cannot be known.
    Unknown,
}

impl Need {
    /// Whether there is something to do by what was found. None: nobody has looked yet.
    pub fn by(&self, finding: Option<&Finding>) -> Needed {
        match (finding.map(|finding| finding.answer), self.removes) {
            (Some(Answer::Yes), false) | (Some(Answer::No), true) => Needed::No,
            (Some(Answer::No), false) | (Some(Answer::Yes), true) => Needed::Yes,
            (Some(Answer::Unknown) | None, _) => Needed::Unknown,
        }
    }

    /// What a run that succeeds makes of the test.
    pub fn done(&self) -> Finding {
        match self.removes {
            true => Finding::new(Answer::No, "a run will have removed it"),
            false => Finding::new(Answer::Yes, "a run will have installed it"),
        }
    }
}
