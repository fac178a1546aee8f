//! The documents of changes: what an action answers, what it would do, and why it failed.

use crate::clock::Wall;
use crate::decision::RestartState;
use crate::error::Failure;
use crate::site::ids::RequestId;
use crate::terms::{Code, Problem, State};
use crate::text::SafeText;
use serde::{Deserialize, Serialize};

/// `run`, `rerun`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunResultDoc {
    /// Which.
    pub request_id: RequestId,
    /// Its number.
    pub attempt: u32,
    /// At the time of return.
    pub state: State,
    /// Once it has ended.
    pub exit_code: Option<i64>,
    /// Once it has ended.
    pub result: Option<SafeText>,
    /// Once launched.
    pub started_at: Option<Wall>,
    /// Once it has ended.
    pub ended_at: Option<Wall>,
    /// While it is `queued`: its place, counted from 1.
    #[serde(default)]
    pub queue_position: Option<u32>,
    /// What it was decided on where the share was asked and did not answer; absent where it answered, or was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_on: Option<SafeText>,
}

/// `defer`, `undefer`, `stop`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChangedDoc {
    /// Which.
    pub request_id: RequestId,
    /// Its state now.
    pub state: State,
    /// While a deferral is in force.
    pub deferred_until: Option<Wall>,
}

/// `hold`, `unhold`, and in `status`: the operator's hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HoldDoc {
    /// None: no hold.
    pub held_until: Option<Wall>,
    /// What `pcm hold --replace=ID` names it by.
    #[serde(default)]
    pub id: Option<SafeText>,
    /// Who set it.
    #[serde(default)]
    pub by: Option<SafeText>,
    /// Why.
    pub reason: Option<SafeText>,
}

/// To whom a notice is on its way; who could not be told is in the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToldDoc {
    /// `anna on pts/3`, one for each.
    pub told: Vec<SafeText>,
}

/// `seen`: what counts as seen now that did not before; one that did, with who saw it first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeenDoc {
    /// Which.
    pub request_ids: Vec<RequestId>,
    /// By whom.
    pub by: SafeText,
    /// When.
    pub at: Wall,
}

/// `restart`: where a pending restart stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RestartDoc {
    /// A package wants one, and the machine has not restarted since.
    pub restart_pending: bool,
    /// `none`, `by-hand`, `cancelled`, `deferred`, `waiting`, `due`, `countdown`, `asked`.
    pub state: RestartState,
    /// Whose packages want it.
    pub requests: Vec<RequestId>,
    /// When it is announced for.
    pub restarts_at: Option<Wall>,
    /// While it is deferred.
    pub deferred_until: Option<Wall>,
    /// When what is in the way can next change by time.
    pub next_change: Option<Wall>,
    /// What is in the way.
    pub code: Option<Code>,
    /// In words.
    pub why: SafeText,
}

/// `poll`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PollDoc {
    /// Of the file now in force.
    pub serial: Option<u64>,
    /// The trust list that it was published under; None: an instruction file that nobody signed.
    #[serde(default)]
    pub epoch: Option<u64>,
    /// Requests in the file.
    pub requests: u32,
    /// Which share answered.
    pub source: Option<SafeText>,
    /// Another publication is in force than when the look was asked for.
    #[serde(default)]
    pub changed: bool,
    /// What is wrong.
    pub problems: Vec<Problem>,
}

/// With `--dry-run`: what would be done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DryRunDoc {
    /// Always true.
    pub dry_run: bool,
    /// In words.
    pub would: SafeText,
    /// For what.
    pub request_id: Option<RequestId>,
}

/// Standard error with `--json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ErrorDoc {
    /// What failed.
    pub error: Failure,
}
