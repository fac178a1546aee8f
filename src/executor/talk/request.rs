//! What views say of one request: its row in the list, all of it, why it has not run, and its attempts (DESIGN.md 7).

use crate::clock::Wall;
use crate::site::ids::{JobId, PackageId, RequestId};
use crate::site::index::job::OfferTo;
use crate::site::instruction::{Restarts, RunWhen};
use crate::terms::{Code, Gate, Group, Platform, Problem, State, VerbKind, Verdict};
use crate::text::SafeText;
use serde::{Deserialize, Serialize};

/// One request: R of DESIGN.md 7.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RequestDoc {
    /// None where a rejected record has no valid one.
    pub request_id: Option<RequestId>,
    /// Where valid.
    pub job_id: Option<JobId>,
    /// Where valid.
    pub package_id: Option<PackageId>,
    /// Name.
    pub package: SafeText,
    /// Name.
    pub command: SafeText,
    /// The group it is shown in.
    pub group: Group,
    /// Its state.
    pub state: State,
    /// Since when, as far as this machine saw it.
    pub since: Option<Wall>,
    /// As an instant.
    pub offer_after: Option<Wall>,
    /// As an instant; None: never mandatory.
    pub mandatory_after: Option<Wall>,
    /// As an instant; None: never expires.
    pub expire_after: Option<Wall>,
    /// The next automatic run if nothing but time changes, at the earliest.
    pub next_run: Option<Wall>,
    /// The same at the latest; None with a next run: perhaps not at all, or too much can come before it.
    #[serde(default)]
    pub latest: Option<Wall>,
    /// It will never run by itself.
    #[serde(default)]
    pub never: bool,
    /// Codes of the gates that do not pass.
    pub blocked_by: Vec<Code>,
    /// In words.
    pub why: SafeText,
    /// The newest attempt's number; 0: none.
    pub attempt: u32,
    /// While a deferral is in force.
    pub deferred_until: Option<Wall>,
    /// Where in the instruction file, for rejected records.
    #[serde(default)]
    pub problems: Vec<Problem>,
    /// Of the newest attempt.
    #[serde(default)]
    pub exit_code: Option<i64>,
    /// Of the newest attempt, at most 128 characters.
    #[serde(default)]
    pub result: Option<SafeText>,
    /// While it runs: what is known of it.
    #[serde(default)]
    pub run: Option<RunDoc>,
    /// Of what expired or failed: which operator has seen it.
    #[serde(default)]
    pub seen: Option<SeenBy>,
    /// While an operator's run of it waits in the queue: its place, counted from 1.
    #[serde(default)]
    pub queue_position: Option<u32>,
    /// The same with whose it is.
    #[serde(default)]
    pub queued: Option<QueuedDoc>,
    /// Of a job of an index.
    #[serde(flatten)]
    pub of_job: OfJob,
}

/// What a request is of, under an index.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct OfJob {
    /// Of the job's file.
    #[serde(default)]
    pub revision: Option<u64>,
    /// The share of its machines that the job has reached, in percent.
    #[serde(default)]
    pub phase_percent: Option<f64>,
    /// Of the package, also where a signed instruction file names it.
    #[serde(default)]
    pub release: Option<u64>,
    /// Who may have it run beside those who operate.
    #[serde(default)]
    pub offer_to: Option<OfferTo>,
}

/// An operator's run that waits in the queue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QueuedDoc {
    /// `run` or `rerun`.
    pub verb: VerbKind,
    /// Who asked for it.
    pub by: SafeText,
    /// When.
    pub at: Wall,
    /// Why.
    pub reason: SafeText,
    /// The gates that are passed over by name.
    pub overrides: Vec<Gate>,
    /// It is taken out if it has not started by then.
    pub until: Wall,
}

/// An operator who has seen how a request ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeenBy {
    /// Who.
    pub by: SafeText,
    /// When.
    pub at: Wall,
}

/// What is said of a run of which that is believed, and no more than believed.
pub const WAITS_FOR_INPUT: &str = "appears to wait for input";

/// A run under way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunDoc {
    /// When it was launched.
    pub started_at: Wall,
    /// Its time limit in seconds.
    pub max_run_time_s: u64,
    /// When it last wrote output; None: nothing yet.
    pub last_output_at: Option<Wall>,
    /// The newest line of its output.
    pub last_line: Option<SafeText>,
    /// The transcript that grows.
    pub transcript: Option<SafeText>,
    /// It appears to wait for input: which process, at what.
    #[serde(default)]
    pub waits_for_input: Option<SafeText>,
}

/// `show`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShowDoc {
    /// The fields of R.
    #[serde(flatten)]
    pub request: RequestDoc,
    /// As one line, quoted where needed.
    pub command_line: Option<SafeText>,
    /// Empty: any.
    pub platforms: Vec<Platform>,
    /// None for a request that is only in history.
    pub run_when: Option<RunWhen>,
    /// In seconds.
    pub max_run_time_s: Option<u64>,
    /// Whether it restarts the machine.
    pub restarts: Option<Restarts>,
    /// All gates.
    pub gates: Vec<GateDoc>,
    /// All attempts.
    pub attempts: Vec<AttemptDoc>,
    /// All deferrals, spent ones too.
    pub deferrals: Vec<DeferralDoc>,
    /// How many of them use up the limit: those that were not undone.
    #[serde(default)]
    pub deferrals_used: u32,
    /// How many there may be.
    #[serde(default)]
    pub deferrals_limit: u32,
    /// What an operator may do now, and why not.
    pub allowed: Vec<AllowedDoc>,
    /// Who it would run as.
    pub run_as: SafeText,
    /// Its files are being copied, or wait for their turn, since then.
    #[serde(default)]
    pub copying_since: Option<Wall>,
    /// Whether there is anything to do for it is being looked at; only then it is known whether its files are copied.
    #[serde(default)]
    pub looking_up: bool,
}

/// One gate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateDoc {
    /// Which.
    pub gate: Gate,
    /// Whether it passes.
    pub verdict: Verdict,
    /// Why not.
    pub code: Option<Code>,
    /// In words.
    pub evidence: SafeText,
    /// When it changes by time.
    pub next_change: Option<Wall>,
    /// By what else.
    pub changes_on: ChangesOn,
}

/// What can change a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangesOn {
    /// Time alone.
    Time,
    /// Something that happens.
    Event,
    /// Nothing any more.
    Never,
}

/// What an operator may do with a request, as the core says it.
pub use crate::decision::Allowed as AllowedDoc;

/// One attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttemptDoc {
    /// Which request.
    pub request_id: RequestId,
    /// Counted from 1.
    pub attempt: u32,
    /// Its state.
    pub state: State,
    /// Durable from here.
    pub claimed_at: Wall,
    /// Launched.
    pub started_at: Option<Wall>,
    /// Process tree ended.
    pub ended_at: Option<Wall>,
    /// What the package returned.
    pub exit_code: Option<i64>,
    /// In words.
    pub result: SafeText,
    /// `service` or the operator.
    pub by: SafeText,
    /// The operator's words.
    pub reason: SafeText,
    /// Path of the transcript, where there is one.
    pub transcript: Option<SafeText>,
    /// Until when it is kept at the longest ([`kept_no_longer`]); None: it has not ended, or was never launched.
    #[serde(default)]
    pub transcript_until: Option<Wall>,
    /// The package's name at that time.
    pub package: SafeText,
    /// When another attempt is due by policy.
    #[serde(default)]
    pub retry_at: Option<Wall>,
    /// When its details were folded (`[retention] details`): what stands here is what is known of it. None: they are there.
    #[serde(default)]
    pub folded_at: Option<Wall>,
}

/// One deferral.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeferralDoc {
    /// When it was set.
    pub at: Wall,
    /// By whom.
    pub who: SafeText,
    /// Until when.
    pub until: Wall,
    /// Why.
    pub reason: SafeText,
    /// When and by whom it was ended before its time.
    pub ended_at: Option<Wall>,
}

/// `explain`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExplainDoc {
    /// Which; None: a job that cannot be read does not say it.
    pub request_id: Option<RequestId>,
    /// Its job.
    #[serde(default)]
    pub job_id: Option<JobId>,
    /// The one of the job's targets that means this machine, and the condition that it meets; None: there is no index, or the
    /// job is for others.
    #[serde(default)]
    pub targeted_by: Option<SafeText>,
    /// The package's name.
    pub package: SafeText,
    /// Its state.
    pub state: State,
    /// The next automatic run, at the earliest.
    pub next_run: Option<Wall>,
    /// The same at the latest; None with a next run: perhaps not at all, or too much can come before it.
    #[serde(default)]
    pub latest: Option<Wall>,
    /// It will never run by itself.
    pub never: bool,
    /// In words.
    pub why: SafeText,
    /// All gates.
    pub gates: Vec<GateDoc>,
    /// What an operator may do.
    pub allowed: Vec<AllowedDoc>,
    /// What history says of how it came to that, in sentences without their full stops.
    #[serde(default)]
    pub told: Vec<SafeText>,
    /// When it should have run and did not, as recorded at the time; oldest first.
    #[serde(default)]
    pub blocked: Vec<BlockedDoc>,
    /// Path of the transcript of its newest attempt, where there is one.
    #[serde(default)]
    pub transcript: Option<SafeText>,
    /// Until when that is kept, as of an attempt.
    #[serde(default)]
    pub transcript_until: Option<Wall>,
    /// When the details of its newest attempt were folded, as of an attempt.
    #[serde(default)]
    pub folded_at: Option<Wall>,
    /// As in `list`.
    #[serde(default)]
    pub queue_position: Option<u32>,
    /// As in `list`.
    #[serde(default)]
    pub queued: Option<QueuedDoc>,
}

/// Whether there was a transcript of what has run, and is none any more because it was old.
pub fn kept_no_longer(transcript: Option<&SafeText>, until: Option<Wall>, now: Wall) -> bool {
    transcript.is_none() && until.is_some_and(|until| until <= now)
}

/// A time in which a request should have run and did not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BlockedDoc {
    /// From here.
    pub from: Wall,
    /// Until here; None: still.
    pub until: Option<Wall>,
    /// What was in the way; None: nobody looked, or it was not recorded.
    pub codes: Option<Vec<Code>>,
}

impl RequestDoc {
    /// It expired or failed, and no operator has seen that yet.
    pub fn is_unseen(&self) -> bool {
        self.request_id.is_some()
            && self.seen.is_none()
            && (self.group == Group::Expired || self.state.is_failure())
    }

    /// It waits for an operator and for nothing else, or for the end of another package, for which an operator's run
    /// waits in the queue.
    pub fn is_by_hand(&self) -> bool {
        self.state == State::Offered
            && self.blocked_by.iter().any(|code| code.is_by_hand())
            && self.blocked_by.iter().all(|code| code.is_by_hand() || *code == Code::Busy)
    }
}
