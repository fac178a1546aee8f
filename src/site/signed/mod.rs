//! Trust by OpenSSH signatures (SITE.md 4): where a signature stands in a file (`block`), whether it is one and whose key
//! made it (`signature`), whose keys count for what (`signers`), the trust list that says so and the chain of its versions
//! (`list`), how many have to sign a publication
//! (`publishers`), the site folder that lists are made in (`folder`), what a machine holds of them (`store`), and what it makes of what a share has (`published`). Bytes that no signature covers never get as far as a
//! parser. There is no cryptography here: that is `ssh_key`'s.

use crate::terms::{Code, Problem};
use crate::text::SafeText;

pub mod block;
pub(crate) mod folder;
pub mod list;
pub mod published;
pub mod publishers;
pub(crate) mod signature;
pub mod signers;
pub mod store;
#[cfg(test)]
pub(crate) mod testing;

/// Why something that has to be signed is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {why}")]
pub struct Distrust {
    /// `unsigned`, `bad-signature`, `bad-algorithm`, `key-expired`, `rollback`, `issued-ahead` or `malformed`.
    pub code: Code,
    /// The evidence, as a clause.
    pub why: SafeText,
}

impl Distrust {
    /// With its evidence.
    pub fn new(code: Code, why: impl AsRef<str>) -> Self {
        Self { code, why: SafeText::new(why.as_ref()) }
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
        Self::new(Code::Malformed, words.join("; "))
    }
}
