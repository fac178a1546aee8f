//! What the decision core takes and gives: its inputs, states, gates and codes, in the words of DESIGN.md 2 to 4.

pub use super::attempt::{Attempt, RestartRule};
pub use super::facts::*;
use crate::clock::{Wall, Zone};
use crate::config::{Config, Freeze};
use crate::site::ids::{JobId, PackageId, RequestId};
use crate::site::instruction::{InstructionFile, Problem};
use crate::text::SafeText;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $word)] $variant),* }

        impl $name {
            /// All of them, in the order in which they are shown.
            pub const ALL: &'static [$name] = &[$($name::$variant),*];

            /// The word of DESIGN.md, as it stands in JSON.
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word),* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                Self::ALL.iter().copied().find(|v| v.as_str() == text).ok_or_else(|| {
                    let all: Vec<_> = Self::ALL.iter().map(|v| v.as_str()).collect();
                    format!("wanted one of {}", all.join(", "))
                })
            }
        }
    };
}

words!(
    /// One condition that must hold before a run, in the order in which they are shown.
    Gate {
        /// A valid, fresh instruction file is held.
        Source = "source",
        /// The record is well-formed.
        Record = "record",
        /// Who published it.
        Trust = "trust",
        /// This platform.
        Platform = "platform",
        /// Automated and background.
        Kind = "kind",
        /// Not suspended, dependencies succeeded.
        Job = "job",
        /// Not attempted before.
        History = "history",
        /// Offer time reached.
        Offer = "offer",
        /// Expire time not reached.
        Expiry = "expiry",
        /// Mandatory time reached.
        Mandatory = "mandatory",
        /// No hold, no freeze.
        Hold = "hold",
        /// Not deferred.
        Deferral = "deferral",
        /// Inside a maintenance window that is long enough.
        Window = "window",
        /// `run_when`.
        Users = "users",
        /// The clock can be believed.
        Clock = "clock",
        /// Restart pending, power, disk.
        Host = "host",
        /// Configuration readable.
        Policy = "policy",
        /// Content staged and verified.
        Content = "content",
        /// Nothing else is running.
        Executor = "executor",
    }
);

words!(
    /// Why a gate does not pass (DESIGN.md 4).
    Code {
        /// No configured share can be reached.
        ShareMissing = "share-missing",
        /// It is there and may not be read.
        ShareDenied = "share-denied",
        /// Not seen for longer than `stale_after`, or past `valid_until`.
        ShareStale = "share-stale",
        /// The share is there, the instruction file is not.
        InsMissing = "ins-missing",
        /// A field is wrong.
        Malformed = "malformed",
        /// Fields exclude each other.
        Contradiction = "contradiction",
        /// Another request with this id differs.
        Duplicate = "duplicate",
        /// The command line is refused.
        CommandRefused = "command-refused",
        /// No signature where one is required.
        Unsigned = "unsigned",
        /// It does not verify.
        BadSignature = "bad-signature",
        /// Somebody else could have written it.
        LoosePermissions = "loose-permissions",
        /// Older than what was seen.
        Rollback = "rollback",
        /// Made for another platform.
        Platform = "platform",
        /// Not automated.
        NeedsInput = "needs-input",
        /// Automated but not background.
        ApplicationOnly = "application-only",
        /// Suspended by the publisher.
        Suspended = "suspended",
        /// A request it depends on has not succeeded.
        Dependency = "dependency",
        /// Attempted, with a known outcome or still running.
        Done = "done",
        /// Attempted, outcome unknown.
        Interrupted = "interrupted",
        /// History is missing, damaged or older than its mark.
        HistoryLost = "history-lost",
        /// History cannot be read now, which says nothing about what is in it.
        StateUnreadable = "state-unreadable",
        /// A retry that is not due yet.
        RetryLater = "retry-later",
        /// Before offer after.
        NotOffered = "not-offered",
        /// At or after expire after.
        Expired = "expired",
        /// Before mandatory after.
        NotMandatoryYet = "not-mandatory-yet",
        /// Never mandatory.
        Optional = "optional",
        /// An operator's hold.
        Held = "held",
        /// A freeze of site or machine.
        Frozen = "frozen",
        /// Deferred until later.
        Deferred = "deferred",
        /// Outside every window.
        WindowClosed = "window-closed",
        /// Too little time left in this one.
        WindowTooShort = "window-too-short",
        /// No window is ever long enough.
        WindowNeverFits = "window-never-fits",
        /// Somebody is logged on.
        UserLoggedOn = "user-logged-on",
        /// Nobody is.
        NoUser = "no-user",
        /// It cannot be known.
        UsersUnknown = "users-unknown",
        /// The clock went back or is older than the build.
        ClockSuspect = "clock-suspect",
        /// A restart that pcm's packages caused is pending.
        RestartPending = "restart-pending",
        /// Just started.
        Booting = "booting",
        /// On battery.
        OnBattery = "on-battery",
        /// Not enough free space.
        DiskSpace = "disk-space",
        /// Configuration or a window cannot be read.
        PolicyUnreadable = "policy-unreadable",
        /// Not staged yet.
        ContentMissing = "content-missing",
        /// Its hash differs.
        ContentMismatch = "content-mismatch",
        /// Another package is running.
        Busy = "busy",
    }
);

words!(
    /// The state of a request on a machine (DESIGN.md 3).
    State {
        /// Offer time not reached.
        Scheduled = "scheduled",
        /// May be triggered.
        Offered = "offered",
        /// Postponed by an operator.
        Deferred = "deferred",
        /// Another attempt is due later.
        RetryWait = "retry-wait",
        /// Mandatory, and another gate blocks.
        Waiting = "waiting",
        /// Starts at the next step.
        Due = "due",
        /// Notice given, not launched.
        Countdown = "countdown",
        /// Launched.
        Running = "running",
        /// Being stopped.
        Stopping = "stopping",
        /// Done.
        Succeeded = "succeeded",
        /// Done, restart pending.
        SucceededRestart = "succeeded-restart",
        /// Ended without success.
        Failed = "failed",
        /// Ended by its time limit.
        TimedOut = "timed-out",
        /// Ended by an operator.
        Stopped = "stopped",
        /// Claimed, outcome unknown.
        Interrupted = "interrupted",
        /// Expired before any attempt.
        Expired = "expired",
        /// Another platform, or needs input.
        NotApplicable = "not-applicable",
        /// Malformed, untrusted or contradictory.
        Rejected = "rejected",
    }
);

words!(
    /// The group a state is shown in.
    Group {
        /// Not yet run.
        Pending = "pending",
        /// Under way.
        Running = "running",
        /// Attempted and ended.
        Executed = "executed",
        /// Never ran, never will.
        Expired = "expired",
        /// Not for this machine.
        Skipped = "skipped",
        /// Not usable.
        Rejected = "rejected",
    }
);

impl State {
    /// The group of DESIGN.md 3.
    pub const fn group(self) -> Group {
        match self {
            State::Scheduled
            | State::Offered
            | State::Deferred
            | State::RetryWait
            | State::Waiting
            | State::Due => Group::Pending,
            State::Countdown | State::Running | State::Stopping => Group::Running,
            State::Succeeded
            | State::SucceededRestart
            | State::Failed
            | State::TimedOut
            | State::Stopped
            | State::Interrupted => Group::Executed,
            State::Expired => Group::Expired,
            State::NotApplicable => Group::Skipped,
            State::Rejected => Group::Rejected,
        }
    }

    /// Ended, and never to be overwritten.
    pub const fn is_terminal(self) -> bool {
        matches!(self.group(), Group::Executed | Group::Expired)
    }

    /// Every gate passes; it may be announced.
    pub const fn is_ready(self) -> bool {
        matches!(self, State::Due | State::Countdown)
    }

    /// An attempt that ended well.
    pub const fn is_success(self) -> bool {
        matches!(self, State::Succeeded | State::SucceededRestart)
    }
}

/// Whether a gate lets a run through. `Unknown` closes like `Block`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It does.
    Pass,
    /// It does not.
    Block,
    /// It cannot be known, so it does not.
    Unknown,
}

/// When a gate can next change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// At this instant, by time alone.
    At(Wall),
    /// By something that happens: a user leaves, a share comes back.
    Event,
    /// Not any more.
    Never,
}

/// One gate of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateResult {
    /// Which.
    pub gate: Gate,
    /// Whether it passes.
    pub verdict: Verdict,
    /// Why not; `None` on pass.
    pub code: Option<Code>,
    /// In words, with file and line, clock or user. Empty where many requests were decided at once.
    pub evidence: SafeText,
    /// When it can next change.
    pub change: Change,
}

/// What the core says of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// None where a rejected record has no valid one.
    pub request_id: Option<RequestId>,
    /// Where valid.
    pub job_id: Option<JobId>,
    /// Where valid.
    pub package_id: Option<PackageId>,
    /// The package's name.
    pub package: SafeText,
    /// The command's name.
    pub command: SafeText,
    /// By the precedence of DESIGN.md 3.
    pub state: State,
    /// Every gate, in order. Empty for a request that is only in history.
    pub gates: Vec<GateResult>,
    /// The next automatic run if nothing but time changes.
    pub next_run: Option<Wall>,
    /// It will never run by itself, whatever happens (another platform, done, expired, optional …).
    pub never: bool,
    /// Why it has not run, or what it is doing, in a few words for a list's column.
    pub why: SafeText,
    /// Offer time as an instant.
    pub offer_after: Option<Wall>,
    /// Mandatory time as an instant.
    pub mandatory_after: Option<Wall>,
    /// Expire time as an instant.
    pub expire_after: Option<Wall>,
    /// The highest attempt so far; 0: none.
    pub attempt: u32,
    /// While a deferral is in force.
    pub deferred_until: Option<Wall>,
    /// Index into `instructions.file.requests`; None when only in history.
    pub entry: Option<usize>,
}

impl Decision {
    /// The codes of all gates that do not pass, in order, each once.
    pub fn blocked_by(&self) -> Vec<Code> {
        let mut codes: Vec<Code> = Vec::new();
        for code in self.gates.iter().filter_map(|g| g.code) {
            if !codes.contains(&code) {
                codes.push(code);
            }
        }
        codes
    }
}

/// Everything a decision depends on. The time is a value like any other.
pub struct Inputs<'a> {
    /// What is published for this machine.
    pub instructions: &'a Instructions,
    /// What was attempted, deferred and held here.
    pub history: &'a HistoryView,
    /// What the machine is like now.
    pub facts: &'a Facts,
    /// What the configuration allows.
    pub policy: &'a Policy,
    /// The machine's own zone.
    pub zone: &'a Zone,
    /// Now.
    pub now: Wall,
}

/// The instruction file in force and how it came here.
#[derive(Debug, Clone, Default)]
pub struct Instructions {
    /// The last valid one, from the share or held in the state folder.
    pub file: Option<InstructionFile>,
    /// When any share last answered with a valid file (or with "no file for you").
    pub share_seen: Option<Wall>,
    /// Why the newest look at the share gave nothing valid; None: it did.
    pub fault: Option<SourceFault>,
    /// How the trust check of the held file ended.
    pub trust: TrustVerdict,
    /// Which share it came from, as configured.
    pub source: Option<SafeText>,
    /// Freezes of the site file.
    pub site_freezes: Vec<Freeze>,
}

/// Why the newest look at the share gave no valid instruction file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFault {
    /// `share-missing`, `share-denied`, `ins-missing`, `malformed`, `loose-permissions` …
    pub code: Code,
    /// With the place, as an operator needs it.
    pub problems: Vec<Problem>,
}

/// How the trust check ended.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum TrustVerdict {
    /// Believable, and by what.
    Trusted(SafeText),
    /// Not, with the code and the evidence.
    Refused(Code, SafeText),
    /// Not looked at yet.
    #[default]
    Unchecked,
}

/// What history says, as far as decisions need it.
#[derive(Debug, Clone, Default)]
pub struct HistoryView {
    /// Set while history is `history-lost`: the evidence.
    pub lost: Option<SafeText>,
    /// Set while history cannot be read: why.
    pub unreadable: Option<SafeText>,
    /// All attempts by request, in order of their numbers. Never an empty list.
    pub attempts: BTreeMap<RequestId, Vec<Attempt>>,
    /// What an operator adopted as done without an attempt (`pcm init --adopt=done`).
    pub adopted: BTreeMap<RequestId, Wall>,
    /// Deferrals in force or spent, by request.
    pub deferrals: BTreeMap<RequestId, Deferrals>,
    /// The hold in force.
    pub hold: Option<Hold>,
    /// What an operator last said about a restart.
    pub restart: Option<RestartOrder>,
}

/// What an operator wants to become of a pending restart, in this boot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestartOrder {
    /// Not before; None: not by pcm.
    pub until: Option<Wall>,
    /// Who said so.
    pub by: SafeText,
    /// Why.
    pub reason: SafeText,
    /// When.
    pub at: Wall,
    /// In which boot.
    pub boot_id: String,
}

/// The deferrals of one request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deferrals {
    /// The one in force; kept when its time has passed, removed by `undefer`.
    pub until: Option<Wall>,
    /// Who set it.
    pub by: SafeText,
    /// Why.
    pub reason: SafeText,
    /// How often this request was deferred.
    pub count: u32,
    /// For how long in all, in seconds: the one in force to its end, an ended one while it was in force.
    pub total_s: u64,
}

/// No automatic runs on this machine until then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Not included.
    pub until: Wall,
    /// Who set it.
    pub by: SafeText,
    /// Why.
    pub reason: SafeText,
    /// When.
    pub at: Wall,
}

/// What the configuration allows, or why it cannot be read.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The configuration; the last readable one or the defaults, if `unreadable`.
    pub config: Config,
    /// Set: the policy gate closes, with this evidence.
    pub unreadable: Option<SafeText>,
    /// The zone of `[windows] zone`; the machine's own for `local`; the error closes the window gate.
    pub window_zone: Result<Zone, SafeText>,
}

/// An operator's wish, to be judged by the core.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verb {
    /// First attempt now; the named gates are overridden.
    Run {
        /// `hold`, `deferral`, `window`, `users`, `clock`, `host`.
        overrides: Vec<Gate>,
        /// Needed where a gate is overridden.
        reason: Option<SafeText>,
    },
    /// Another attempt.
    Rerun {
        /// As for `Run`.
        overrides: Vec<Gate>,
        /// Always needed.
        reason: Option<SafeText>,
    },
    /// Postpone.
    Defer {
        /// Until when.
        until: Wall,
        /// Always needed.
        reason: Option<SafeText>,
    },
    /// End the deferral.
    Undefer,
    /// End the run.
    Stop {
        /// Always needed.
        reason: Option<SafeText>,
    },
}

/// Why the core refuses. The code is one of [`Code`] or of the refusals that are not gates (DESIGN.md 4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Kebab-case.
    pub code: String,
    /// In words.
    pub why: SafeText,
    /// What would help, as a sentence.
    pub remedy: SafeText,
}
