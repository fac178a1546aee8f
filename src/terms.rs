//! The words that every part of pcm uses as DESIGN.md 2 to 4 define them: gates, codes, states and their groups, verdicts,
//! platforms, and a problem with its place. They stand in documents, in the history and on the share exactly as here.

use crate::text::SafeText;
use serde::{Deserialize, Serialize};

/// Variants with their words: the word is what stands in JSON, in the history and on the screen.
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

pub(crate) use words;

mod gates;

pub use gates::{Code, CodeRow, Gate, GateRow, Listed, PassedBy};

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
        /// An operator's run that waits for the executor.
        Queued = "queued",
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
        /// Installed already, or, where it removes, not installed: there is nothing to do.
        NotNeeded = "not-needed",
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
        /// Not for this machine, or nothing to do on it.
        Skipped = "skipped",
        /// Not usable.
        Rejected = "rejected",
    }
);

words!(
    /// What an operator can ask for of one request.
    VerbKind {
        /// The first attempt, now.
        Run = "run",
        /// Another attempt, now.
        Rerun = "rerun",
        /// Postpone it.
        Defer = "defer",
        /// End its deferral.
        Undefer = "undefer",
        /// End its run.
        Stop = "stop",
    }
);

words!(
    /// Why the core refuses where no gate does (DESIGN.md 4).
    Refused {
        /// The caller does not operate, or nobody may override that gate.
        NotPermitted = "not-permitted",
        /// Neither published nor in history.
        NoSuchRequest = "no-such-request",
        /// There is nothing to run again.
        NotAttempted = "not-attempted",
        /// There is no deferral to end.
        NotDeferred = "not-deferred",
        /// There is no run to end.
        NotRunning = "not-running",
        /// There is nothing to have seen.
        NotFailed = "not-failed",
        /// It is in the queue already, as another kind of run or past other gates.
        AlreadyQueued = "already-queued",
        /// The queue holds as many runs as it may.
        QueueFull = "queue-full",
        /// It has waited in the queue for as long as it may.
        QueuedTooLong = "queued-too-long",
        /// Deferred too often or for too long.
        DeferralLimit = "deferral-limit",
        /// Too close to its expiry.
        DeferralTooLate = "deferral-too-late",
        /// A hold is in force already, and nobody said that it is to be replaced.
        HoldInForce = "hold-in-force",
        /// A time that is over.
        UntilPassed = "until-passed",
        /// Nothing but the reason is missing.
        ReasonRequired = "reason-required",
        /// Only whoever is logged on may ask for what is offered to users.
        NotLoggedOn = "not-logged-on",
        /// This account has asked for installations as often as it may for now.
        TooMany = "too-many",
        /// No package wants a restart.
        RestartNotPending = "restart-not-pending",
        /// pcm does not restart the machine by itself: there is nothing to defer or to cancel.
        RestartByHand = "restart-by-hand",
    }
);

/// Why the core refuses: a gate's code, or one that no gate has. In documents just the word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RefusalCode {
    /// A gate is closed.
    Gate(Code),
    /// Something else.
    Other(Refused),
}

impl RefusalCode {
    /// The word of DESIGN.md.
    pub const fn as_str(self) -> &'static str {
        match self {
            RefusalCode::Gate(code) => code.as_str(),
            RefusalCode::Other(refused) => refused.as_str(),
        }
    }
}

impl std::fmt::Display for RefusalCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl From<Code> for RefusalCode {
    fn from(code: Code) -> Self {
        RefusalCode::Gate(code)
    }
}

impl From<Refused> for RefusalCode {
    fn from(refused: Refused) -> Self {
        RefusalCode::Other(refused)
    }
}

impl State {
    /// The group of DESIGN.md 3.
    pub const fn group(self) -> Group {
        match self {
            State::Scheduled
            | State::Offered
            | State::Deferred
            | State::RetryWait
            | State::Waiting
            | State::Queued
            | State::Due => Group::Pending,
            State::Countdown | State::Running | State::Stopping => Group::Running,
            State::Succeeded
            | State::SucceededRestart
            | State::Failed
            | State::TimedOut
            | State::Stopped
            | State::Interrupted => Group::Executed,
            State::Expired => Group::Expired,
            State::NotApplicable | State::NotNeeded => Group::Skipped,
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

    /// An attempt that did not end well, or of which that is not known.
    pub const fn is_failure(self) -> bool {
        matches!(self.group(), Group::Executed) && !self.is_success()
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

/// How bad a problem is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Something does not work, or nothing runs.
    #[default]
    Error,
    /// It works all the same.
    Warning,
}

/// What is said of a file that a later pcm wrote.
pub const NEWER_PCM: &str = "needs a newer pcm";

/// Something wrong, with its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// A stable word: a code of DESIGN.md 4, or `warning`.
    pub code: String,
    /// How bad it is.
    #[serde(default)]
    pub severity: Severity,
    /// Which file, as an operator would name it.
    pub file: SafeText,
    /// Counted from 1; None: the file could not be read at all.
    pub line: Option<u32>,
    /// The key, e.g. `request[3].expire_after`.
    pub field: Option<SafeText>,
    /// What is wrong and what was wanted.
    pub message: SafeText,
    /// A later pcm may have written it, and would read it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub newer: bool,
}

impl Problem {
    /// Something wrong with a whole file.
    pub fn of_file(
        code: impl Into<String>,
        file: impl Into<SafeText>,
        message: impl Into<SafeText>,
    ) -> Problem {
        Problem {
            code: code.into(),
            severity: Severity::Error,
            file: file.into(),
            line: None,
            field: None,
            message: message.into(),
            newer: false,
        }
    }

    /// The same as a warning.
    #[must_use]
    pub fn into_warning(self) -> Problem {
        Problem { code: "warning".to_owned(), severity: Severity::Warning, ..self }
    }

    /// Whether things work all the same.
    pub fn is_warning(&self) -> bool {
        self.severity == Severity::Warning
    }
}

words!(
    /// A platform that packages are made for.
    Platform {
        /// Linux on 64-bit Intel and AMD.
        LinuxX86_64 = "linux-x86_64",
        /// Linux on 64-bit ARM.
        LinuxAarch64 = "linux-aarch64",
        /// Windows on 32-bit Intel and AMD.
        WindowsX86 = "windows-x86",
        /// Windows on 64-bit Intel and AMD.
        WindowsX86_64 = "windows-x86_64",
    }
);

impl Platform {
    /// One whose programs return exit codes up to 255.
    pub fn is_linux(self) -> bool {
        match self {
            Platform::LinuxX86_64 | Platform::LinuxAarch64 => true,
            Platform::WindowsX86 | Platform::WindowsX86_64 => false,
        }
    }
}
