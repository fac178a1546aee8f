//! Trust by OpenSSH signatures (SITE.md 4): where a signature stands in a file (`block`), whether it is one and whose key
//! made it (`signature`), whose keys count for what (`signers`), the trust list that says so and the chain of its versions
//! (`list`), how many have to sign a publication
//! (`publishers`), those of many machines at once (`many`), the site folder that lists are made in (`folder`), what a machine holds of them (`store`), and what it makes of what a share has (`published`). Bytes that no signature covers never get as far as a
//! parser. There is no cryptography here: that is `ssh_key`'s, and `ed25519_dalek`'s.

use crate::terms::{Code, Problem};
use crate::text::SafeText;
use std::fmt;

pub mod block;
pub(crate) mod folder;
pub mod list;
pub(crate) mod many;
pub mod published;
pub mod publishers;
pub(crate) mod signature;
pub mod signers;
pub mod store;
#[cfg(test)]
pub(crate) mod testing;

/// Why something that has to be signed is not believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distrust {
    /// `unsigned`, `bad-signature`, `bad-algorithm`, `key-expired`, `rollback`, `issued-ahead` or `malformed`.
    pub code: Code,
    /// The evidence, as a clause.
    pub why: SafeText,
    /// The file that it is of, where that is not the one that is read: a package's.
    pub place: Option<SafeText>,
    /// A later pcm may have written it, and would read it.
    pub newer: bool,
}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.said())
    }
}

impl std::error::Error for Distrust {}

impl Distrust {
    /// With its evidence.
    pub fn new(code: Code, why: impl AsRef<str>) -> Self {
        Self { code, why: SafeText::new(why.as_ref()), place: None, newer: false }
    }

    /// The same of another file.
    #[must_use]
    pub fn at(self, place: impl AsRef<str>) -> Self {
        Self { place: Some(SafeText::new(place.as_ref())), ..self }
    }

    /// The evidence, after the file that it is of.
    pub fn said(&self) -> SafeText {
        match &self.place {
            None => self.why.clone(),
            Some(place) => SafeText::new(&format!("{place}: {}", self.why)),
        }
    }

    /// The same as a problem of a file.
    pub fn problem(&self, file: impl Into<SafeText>) -> Problem {
        Problem { newer: self.newer, ..Problem::of_file(self.code.as_str(), file, self.why.clone()) }
    }

    /// It does not verify.
    pub(crate) fn bad(why: impl AsRef<str>) -> Self {
        Self::new(Code::BadSignature, why)
    }

    /// It verifies, and does not say what it has to say.
    pub(crate) fn malformed(problems: &[Problem]) -> Self {
        let words: Vec<String> = problems
            .iter()
            .take(3)
            .map(|p| match p.line {
                Some(line) => format!("line {line}: {}", p.message),
                None => p.message.to_string(),
            })
            .collect();
        let newer = problems.iter().any(|problem| problem.newer);
        Self { newer, ..Self::new(Code::Malformed, words.join("; ")) }
    }
}
