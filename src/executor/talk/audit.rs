//! The documents of the audit: who did what, when, which publications were taken, and whether what was recorded was changed.

use crate::clock::Wall;
use crate::site::ids::RequestId;
use crate::site::publication::Publication;
use crate::text::SafeText;
use serde::{Deserialize, Serialize};

/// `audit`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditDoc {
    /// Oldest first.
    pub entries: Vec<AuditEntryDoc>,
    /// There are more: where the next page begins; absent where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub older: Option<u64>,
}

/// One entry of the audit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditEntryDoc {
    /// When.
    pub at: Wall,
    /// Account name.
    pub who: SafeText,
    /// Its number; None on Windows.
    pub uid: Option<u32>,
    /// Terminal of the caller.
    pub terminal: Option<SafeText>,
    /// Where the SSH connection came from.
    pub from: Option<SafeText>,
    /// What was asked for.
    pub verb: String,
    /// For what.
    pub request_id: Option<RequestId>,
    /// The operator's words.
    pub reason: Option<SafeText>,
    /// `asked` before it is carried out; `done`, or the refusal's code (`already-attempted` for `done`), after.
    pub result: SafeText,
    /// It stands for so many of this account that were refused alike; None: for itself.
    #[serde(default)]
    pub times: Option<u64>,
    /// The first of them.
    #[serde(default)]
    pub since: Option<Wall>,
}

/// The publications that this machine took last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SerialsDoc {
    /// Newest first, at most [`SERIALS`].
    pub serials: Vec<SerialDoc>,
}

/// So many of them are told.
pub const SERIALS: usize = 10;

/// One publication, as the history has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SerialDoc {
    /// When it was taken.
    pub at: Wall,
    /// What it is.
    #[serde(flatten)]
    pub publication: Publication,
    /// The operator who let it take the place of a newer one.
    #[serde(default)]
    pub accepted_by: Option<SafeText>,
}

/// `audit verify`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VerifyDoc {
    /// The chain holds from its first event to its head, and the head is the mark's.
    pub ok: bool,
    /// Events checked, and those that were folded.
    pub entries: u64,
    /// The first one that does not fit.
    pub first_bad: Option<u64>,
    /// So many of them were folded (`[retention] details`): of each stretch the last hash is there, and nothing else to check.
    #[serde(default)]
    pub folded: u64,
    /// When the newest of those happened; None: none was folded.
    #[serde(default)]
    pub folded_until: Option<Wall>,
}
