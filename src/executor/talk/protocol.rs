//! The calls that cross the socket, and the same calls in-process. Only verbs and ids cross it, never a path, a command
//! or an environment (PROMISES.md 5).

use super::view::*;
use crate::clock::Wall;
use crate::decision::RestartVerb;
use crate::decision::simulate::Assumptions;
use crate::error::Failure;
use crate::site::ids::RequestId;
use crate::terms::Gate;
use crate::text::SafeText;
use serde::{Deserialize, Serialize};

/// The longest reason, in characters.
pub const MAX_REASON: usize = 400;

/// What is asked of the executor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "call", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Call {
    /// Everything known of every request.
    List,
    /// One request with its gates, attempts and deferrals.
    Show {
        /// Which.
        request: RequestId,
    },
    /// One request's gates and what may be done.
    Explain {
        /// Which.
        request: RequestId,
    },
    /// The machine at a glance.
    Status,
    /// Who is logged on.
    Who,
    /// Attempts, newest first.
    History {
        /// Only of this request.
        request: Option<RequestId>,
    },
    /// Who did what, when.
    Audit,
    /// Checks the chain.
    AuditVerify,
    /// What will become of the requests; answered beside the service's loop.
    Simulate(Wanted),
    /// Whether this machine is ready. Never crosses the socket: whoever asks looks for itself, service or not.
    Check,
    /// The first attempt (`rerun`: a further one), now.
    Run {
        /// Which.
        request: RequestId,
        /// A new attempt of what was attempted.
        rerun: bool,
        /// Why.
        reason: Option<SafeText>,
        /// Gates to be passed over, by name.
        overrides: Vec<Gate>,
        /// Only say what would be done.
        dry_run: bool,
    },
    /// Postpone.
    Defer {
        /// Which.
        request: RequestId,
        /// Until when.
        until: Wall,
        /// Why.
        reason: Option<SafeText>,
        /// Only say what would be done.
        dry_run: bool,
    },
    /// End a deferral.
    Undefer {
        /// Which.
        request: RequestId,
        /// Only say what would be done.
        dry_run: bool,
    },
    /// End a run.
    Stop {
        /// Which.
        request: RequestId,
        /// Why.
        reason: Option<SafeText>,
        /// Only say what would be done.
        dry_run: bool,
    },
    /// No automatic runs until then.
    Hold {
        /// Until when.
        until: Wall,
        /// Why.
        reason: Option<SafeText>,
        /// Only say what would be done.
        dry_run: bool,
    },
    /// Automatic runs again.
    Unhold {
        /// Only say what would be done.
        dry_run: bool,
    },
    /// What to do about a pending restart.
    Restart {
        /// Now, later, or not by pcm.
        verb: RestartVerb,
        /// Why.
        reason: Option<SafeText>,
        /// Only say what would be done.
        dry_run: bool,
    },
    /// Tell everybody who is logged on, on their terminals.
    Notice {
        /// What.
        text: Option<SafeText>,
        /// Only say what would be done.
        dry_run: bool,
    },
    /// Read the instruction file now.
    Poll {
        /// Only say what would be done.
        dry_run: bool,
    },
}

impl Call {
    /// The one request that it is about.
    pub fn request(&self) -> Option<RequestId> {
        match self {
            Call::Show { request }
            | Call::Explain { request }
            | Call::Run { request, .. }
            | Call::Defer { request, .. }
            | Call::Undefer { request, .. }
            | Call::Stop { request, .. } => Some(*request),
            Call::Simulate(wanted) => wanted.request,
            _ => None,
        }
    }

    /// Whether it changes something, so that it needs the right to operate and is audited.
    pub fn changes(&self) -> bool {
        self.verb_if_changing().is_some()
    }

    /// The verb as it stands in the audit; None for views.
    pub fn verb_if_changing(&self) -> Option<&'static str> {
        match self {
            Call::Run { rerun: false, .. } => Some("run"),
            Call::Run { rerun: true, .. } => Some("rerun"),
            Call::Defer { .. } => Some("defer"),
            Call::Undefer { .. } => Some("undefer"),
            Call::Stop { .. } => Some("stop"),
            Call::Hold { .. } => Some("hold"),
            Call::Unhold { .. } => Some("unhold"),
            Call::Restart { verb: RestartVerb::Now, .. } => Some("restart now"),
            Call::Restart { verb: RestartVerb::Defer(_), .. } => Some("restart defer"),
            Call::Restart { verb: RestartVerb::Cancel, .. } => Some("restart cancel"),
            Call::Notice { .. } => Some("notice"),
            Call::Poll { .. } => Some("poll"),
            Call::List
            | Call::Show { .. }
            | Call::Explain { .. }
            | Call::Status
            | Call::Simulate(_)
            | Call::Who
            | Call::History { .. }
            | Call::Audit
            | Call::AuditVerify
            | Call::Check => None,
        }
    }
}

/// What is to be simulated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Only this one; the others run all the same.
    pub request: Option<RequestId>,
    /// Where the virtual clock starts.
    pub from: Wall,
    /// Not included.
    pub until: Wall,
    /// What is taken for granted.
    pub assume: Assumptions,
}

/// What the executor answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", content = "doc", rename_all = "kebab-case")]
pub enum Answer {
    /// To `List`.
    List(ListDoc),
    /// To `Show`.
    Show(Box<ShowDoc>),
    /// To `Explain`.
    Explain(ExplainDoc),
    /// To `Status`.
    Status(StatusDoc),
    /// To `Who`.
    Who(WhoDoc),
    /// To `History`.
    History(HistoryDoc),
    /// To `Audit`.
    Audit(AuditDoc),
    /// To `AuditVerify`.
    Verify(VerifyDoc),
    /// To `Simulate`.
    Simulate(SimulateDoc),
    /// To `Check`.
    Check(CheckDoc),
    /// To `Run`.
    Run(RunResultDoc),
    /// To `Defer`, `Undefer`, `Stop`.
    Changed(ChangedDoc),
    /// To `Hold`, `Unhold`.
    Hold(HoldDoc),
    /// To `Restart`.
    Restart(RestartDoc),
    /// To `Notice`.
    Told(ToldDoc),
    /// To `Poll`.
    Poll(PollDoc),
    /// To anything with `dry_run`.
    DryRun(DryRunDoc),
    /// Refused or failed.
    Failed(Failure),
}
