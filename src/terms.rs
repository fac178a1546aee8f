//! The words that every part of pcm uses as DESIGN.md 2 to 4 define them: gates, codes, states and their groups, verdicts,
//! platforms, and a problem with its place. They stand in documents, in the history and on the share exactly as here.

use crate::text::SafeText;
use serde::{Deserialize, Serialize};

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

/// Something wrong, with its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// A stable word: a code of DESIGN.md 4, or `warning`.
    pub code: String,
    /// Which file, as an operator would name it.
    pub file: SafeText,
    /// Counted from 1; absent when the file could not be read at all.
    pub line: Option<u32>,
    /// The key, e.g. `request[3].expire_after`.
    pub field: Option<SafeText>,
    /// What is wrong and what was wanted.
    pub message: SafeText,
}

/// A platform that packages are made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Platform {
    /// `linux-x86_64`
    #[serde(rename = "linux-x86_64")]
    LinuxX86_64,
    /// `linux-aarch64`
    #[serde(rename = "linux-aarch64")]
    LinuxAarch64,
    /// `windows-x86`
    #[serde(rename = "windows-x86")]
    WindowsX86,
    /// `windows-x86_64`
    #[serde(rename = "windows-x86_64")]
    WindowsX86_64,
}

impl Platform {
    /// One whose programs return exit codes up to 255.
    pub fn is_linux(self) -> bool {
        match self {
            Platform::LinuxX86_64 | Platform::LinuxAarch64 => true,
            Platform::WindowsX86 | Platform::WindowsX86_64 => false,
        }
    }
}
