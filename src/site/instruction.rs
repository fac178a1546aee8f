//! The instruction file `<SMSID>.INS` as typed data (FORMATS.md 3): what a publisher said, checked, with every problem
//! kept beside it. Parsing is in `instruction/parse.rs`; who may have written it is `trust`'s business.

use super::ids::{JobId, MachineId, PackageId, RequestId, SiteCode};
use crate::clock::{Wall, When};
use crate::terms::{Platform, Problem, words};
use crate::text::SafeText;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

pub(crate) mod command;
pub mod parse;
pub(crate) mod render;
pub(crate) mod silent;

/// The largest instruction file that is read, in bytes.
pub const MAX_BYTES: u64 = 1 << 20;
/// The most requests in one file.
pub const MAX_REQUESTS: usize = 1_000;

/// A valid instruction file. Single requests may still be rejected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstructionFile {
    /// The site that published it.
    pub site: SiteCode,
    /// The machine it is for; equals the file's name.
    pub machine: MachineId,
    /// Grows with every publication.
    pub serial: u64,
    /// When it was published.
    pub issued: Wall,
    /// From here on it is stale, whatever the share says.
    pub valid_until: Option<Wall>,
    /// In the file's order; identical duplicates counted once.
    pub requests: Vec<Entry>,
    /// Unknown keys and the like: shown, never fatal.
    pub warnings: Vec<Problem>,
}

/// One `[[request]]`: usable, or rejected with its reasons.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Entry {
    /// Every field is valid.
    Good(Box<Request>),
    /// At least one is not; its neighbours are unaffected.
    Rejected(Rejected),
}

impl Entry {
    /// The request, where it is usable.
    pub fn good(&self) -> Option<&Request> {
        match self {
            Entry::Good(request) => Some(request),
            Entry::Rejected(_) => None,
        }
    }
}

/// A request that cannot be used, with what could be read of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    /// Where the id itself is valid.
    pub request_id: Option<RequestId>,
    /// Where it is valid.
    pub job_id: Option<JobId>,
    /// Where it is valid.
    pub package_id: Option<PackageId>,
    /// Where it is a string.
    pub package: Option<SafeText>,
    /// Where it is a string.
    pub command: Option<SafeText>,
    /// Never empty. Codes are `malformed`, `contradiction`, `duplicate` or `command-refused`.
    pub problems: Vec<Problem>,
}

/// One delivery of a job to this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The key of the machine's history.
    pub request_id: RequestId,
    /// The job it belongs to.
    pub job_id: JobId,
    /// The package whose files and command it uses.
    pub package_id: PackageId,
    /// The package's name, as published.
    pub package: SafeText,
    /// The command's name, as published.
    pub command: SafeText,
    /// The program and its arguments, split; never passed to a shell.
    pub command_line: CommandLine,
    /// Needs no user input.
    pub automated: bool,
    /// For the service only.
    pub background: bool,
    /// May run by choice from here; the file's `issued` when not written.
    pub offer_after: When,
    /// Runs by itself from here; never, if absent.
    pub mandatory_after: Option<When>,
    /// Never runs from here on.
    pub expire_after: Option<When>,
    /// Empty: any.
    pub platforms: Vec<Platform>,
    /// Which presence of users it wants.
    pub run_when: RunWhen,
    /// The whole process tree is ended when it has run this long; at most 24 h.
    pub max_run_time: Duration,
    /// Whether it restarts the machine.
    pub restarts: Restarts,
    /// Automatic runs may start outside maintenance windows.
    pub ignore_windows: bool,
    /// Bytes that must be free where the state folder is.
    pub disk_space: Option<u64>,
    /// Requests that must have succeeded first.
    pub depends_on: Vec<RequestId>,
    /// The publisher stopped the job for now.
    pub suspended: bool,
    /// SHA-256 of `packages/<PackageID>/CONTENT` in lower-case hex; absent: nothing to copy.
    pub content_sha256: Option<ContentHash>,
    /// What differs from the default table.
    pub exit_codes: BTreeMap<i64, Outcome>,
    /// The line of its `[[request]]`.
    pub line: u32,
}

/// A SHA-256 in lower-case hex: 64 characters, so it is always a safe folder name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContentHash(String);

impl ContentHash {
    /// The 64 hex digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ContentHash {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let good = text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if good { Ok(Self(text)) } else { Err("wanted 64 lower-case hex digits".into()) }
    }
}

impl From<ContentHash> for String {
    fn from(hash: ContentHash) -> String {
        hash.0
    }
}

/// A program and its arguments.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CommandLine {
    /// What is started.
    pub program: Program,
    /// Its arguments, without the program.
    pub args: Vec<String>,
}

/// Where the program is. A path outside the package is not expressible.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Program {
    /// Relative path with `/`, without `..`, inside the package's files.
    InPackage(String),
    /// A bare name; runs only if `[execute] programs` or the platform's list has it.
    Listed(String),
}

words!(
    /// Which presence of users a request wants.
    #[derive(Default)]
    RunWhen {
        /// Whoever is there.
        #[default]
        Any = "any",
        /// Only with nobody logged on.
        NoUser = "no-user",
        /// Only with somebody logged on.
        User = "user",
    }
);

words!(
    /// Whether a request restarts the machine.
    #[derive(Default)]
    Restarts {
        /// It does not.
        #[default]
        No = "no",
        /// The program does it itself.
        Program = "program",
        /// PCM does it afterwards, where its configuration allows that.
        Pcm = "pcm",
    }
);

words!(
    /// What an exit code means.
    Outcome {
        /// It worked.
        Success = "success",
        /// It worked; a restart is pending.
        Restart = "restart",
        /// Busy or not yet possible: another attempt later, by policy.
        Retry = "retry",
        /// It did not work.
        Failure = "failure",
    }
);
