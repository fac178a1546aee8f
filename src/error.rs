//! What the command line may say when something did not work: one line that says what failed, on what, why and what to
//! do, a stable code for `--json`, and the exit status of DESIGN.md 7.

use crate::text::SafeText;
use serde::{Deserialize, Deserializer, Serialize};

macro_rules! exits {
    ($($(#[doc = $words:literal])+ $exit:ident = $status:literal;)*) => {
        /// Exit statuses of DESIGN.md 7.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Exit { $($(#[doc = $words])+ $exit = $status),* }

        impl Exit {
            /// Each with what it means, for help and reference.
            pub const ALL: &[(Exit, &str)] = &[$((Exit::$exit, concat!($($words),+).trim_ascii())),*];
        }
    };
}

exits! {
    /// done
    Done = 0;
    /// it failed
    Failed = 1;
    /// wrong usage
    Usage = 2;
    /// refused; the reason's code is printed
    Refused = 3;
    /// no such request or file
    NotFound = 4;
    /// the share cannot be reached
    Share = 5;
    /// state is missing or damaged
    State = 6;
    /// `--wait`: the package did not succeed, or a rollout was out of time
    PackageFailed = 7;
    /// `--host` or the service: the connection ended, and what became of it is not known
    ConnectionLost = 8;
    /// `status`, `check` or `lint` found something; a job is halted (`job advance`, `rollout`), or `--fail-if` holds
    Findings = 10;
}

/// An error as an operator meets it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}. {remedy}")]
pub struct Failure {
    /// A stable kebab-case word, e.g. `no-such-request` or `ins-missing`.
    #[serde(deserialize_with = "safe_word")]
    pub code: String,
    /// What failed, on what, and why. No full stop at its end.
    pub message: SafeText,
    /// What to do about it, as a sentence.
    pub remedy: SafeText,
    /// The exit status that goes with it.
    #[serde(default = "failed")]
    pub exit: ExitCode,
}

/// [`Exit`] as it crosses the socket.
pub type ExitCode = u8;

/// What comes from elsewhere may be no word at all.
fn safe_word<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<String, D::Error> {
    SafeText::deserialize(from).map(|word| word.to_string())
}

fn failed() -> ExitCode {
    Exit::Failed as u8
}

impl Failure {
    /// A failure with its exit status, stable code, sentence and remedy.
    pub fn new(exit: Exit, code: &str, message: impl AsRef<str>, remedy: impl AsRef<str>) -> Self {
        Self {
            code: code.to_owned(),
            message: SafeText::new(message.as_ref()),
            remedy: SafeText::new(remedy.as_ref()),
            exit: exit as u8,
        }
    }
}

/// What most functions at the edges return.
pub type Result<T, E = Failure> = std::result::Result<T, E>;
