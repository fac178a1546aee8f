//! The gates and their codes (DESIGN.md 4), one row each: the word, what is said of it anywhere in pcm, and what follows
//! from it. A new gate or code begins with its row; the compiler then points at each place that has to know it.

use super::State;
use serde::{Deserialize, Serialize};

/// A list of words, each with a row of columns: every row has every column.
macro_rules! table {
    ($(#[$doc:meta])* $name:ident: $row:ident {
        $($(#[$vdoc:meta])* $variant:ident = $word:literal { $($column:ident: $value:expr),* $(,)? })*
    }) => {
        words!($(#[$doc])* $name { $($(#[$vdoc])* $variant = $word),* });

        impl $name {
            /// Its row of the table.
            pub const fn row(self) -> &'static $row {
                match self { $($name::$variant => &$row { $($column: $value),* }),* }
            }
        }
    };
}

/// What is known of a gate beside when it closes.
#[derive(Debug)]
pub struct GateRow {
    /// An operator can pass it by naming it, with a reason.
    pub overridable: bool,
}

/// What is known of a code beside when it applies.
#[derive(Debug)]
pub struct CodeRow {
    /// The gate that closes with it. A rejected record closes others with the code of its own gate, too.
    pub gate: Gate,
    /// What a request is that it blocks, where no other code leads to a state before it in DESIGN.md 3. What was
    /// attempted has the state of its attempt all the same.
    pub leads_to: State,
    /// Which verb passes it without naming its gate.
    pub passed_by: PassedBy,
    /// In a few words that stand alone, as in `never ran: window closed`.
    pub brief: &'static str,
    /// In the list's last column.
    pub listed: Listed,
    /// The start of a sentence on the past that ends with a time: `had nobody been logged on`.
    pub without: &'static str,
    /// What has to happen for it to go, after `when`: `the hold ends`.
    pub opens: &'static str,
    /// What an operator can do about it, a sentence without its full stop. `{id}` stands for the request.
    pub remedy: &'static str,
}

impl Gate {
    /// Those that an operator can pass by naming them, with a reason.
    pub fn overridable() -> impl Iterator<Item = Gate> {
        Gate::ALL.iter().copied().filter(|gate| gate.row().overridable)
    }

    /// Their words, with this between them.
    pub fn join(gates: &[Gate], between: &str) -> String {
        gates.iter().map(|gate| gate.as_str()).collect::<Vec<_>>().join(between)
    }
}

impl Code {
    /// Only an operator's run passes it: the service never runs what has it.
    pub fn is_by_hand(self) -> bool {
        self.row().passed_by == PassedBy::OnlyRun
    }
}

/// Which verb passes a code without naming its gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PassedBy {
    /// None.
    Nothing,
    /// The first run and any further one: the service waits until it is gone.
    Run,
    /// The first run and any further one: the service never runs what has it.
    OnlyRun,
    /// A further run only.
    Rerun,
}

/// How a code is shown in the list's last column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listed {
    /// Not: the state or another column says it.
    Silent,
    /// By its brief words.
    Brief,
    /// By these words and the time of the change; where there is none by its brief words.
    Until(&'static str),
    /// By who is logged on and at work.
    Users,
    /// By the request that has to succeed first.
    Dependency,
    /// By the request that runs.
    Running,
    /// By the space that the request needs.
    Space,
}

table! {
    /// One condition that must hold before a run, in the order in which they are shown.
    Gate: GateRow {
        /// What a share says for this machine is held, valid, and not older than `stale_after`.
        Source = "source" { overridable: false }
        /// What is published of the request can be read, and contradicts neither itself nor another request.
        Record = "record" { overridable: false }
        /// The job is for this machine, and its phase has come.
        Target = "target" { overridable: false }
        /// In mode `signed` what is published and the package are signed by keys that count; in mode `permissions` nobody else could
        /// have written it. It is not older than what was seen.
        Trust = "trust" { overridable: false }
        /// The command is for this platform.
        Platform = "platform" { overridable: false }
        /// The command needs nobody and shows nothing: it is automated and background.
        Kind = "kind" { overridable: false }
        /// The job is not suspended, cancelled or superseded, and what it depends on has succeeded.
        Job = "job" { overridable: false }
        /// It was not attempted before, or another attempt is due; there is something to do; and the history is whole and no other
        /// machine's.
        History = "history" { overridable: false }
        /// Its offer time has come, where it has one.
        Offer = "offer" { overridable: false }
        /// Its expire time has not come, where it has one.
        Expiry = "expiry" { overridable: false }
        /// It has a mandatory time, which has come.
        Mandatory = "mandatory" { overridable: false }
        /// Neither an operator's hold nor a freeze of site or machine is in force.
        Hold = "hold" { overridable: true }
        /// No operator's deferral of it is in force.
        Deferral = "deferral" { overridable: true }
        /// A maintenance window is open, with enough time left for its time limit; or there are none, or it may ignore them.
        Window = "window" { overridable: true }
        /// `run_when` is `any`; or `no-user`, and nobody who is logged on was busy within `busy_within`; or `user`, and somebody is
        /// logged on.
        Users = "users" { overridable: true }
        /// The clock can be believed.
        Clock = "clock" { overridable: true }
        /// No restart that pcm's packages caused is pending, the machine has been up for `after_boot`, it is on mains power, and there is
        /// enough disk space.
        Host = "host" { overridable: true }
        /// The configuration and the policies of groups can be read.
        Policy = "policy" { overridable: false }
        /// Its files are copied and are those that were published; or it has none.
        Content = "content" { overridable: false }
        /// A service runs, nothing else does, no older request is about to, and the history can be written.
        Executor = "executor" { overridable: false }
    }
}

table! {
    /// Why a gate does not pass.
    Code: CodeRow {
        /// No configured share can be reached.
        ShareMissing = "share-missing" {
            gate: Gate::Source, leads_to: State::Waiting, passed_by: PassedBy::Nothing,
            brief: "share missing", listed: Listed::Brief,
            without: "had the share been there", opens: "the share answers",
            remedy: "Bring the share back (is it mounted?), then pcm poll",
        }
        /// It is there and may not be read.
        ShareDenied = "share-denied" {
            gate: Gate::Source, leads_to: State::Waiting, passed_by: PassedBy::Nothing,
            brief: "share denied", listed: Listed::Brief,
            without: "had the share been there", opens: "the share can be read",
            remedy: "Give the service's account the right to read the share, then pcm poll",
        }
        /// Not seen for longer than `stale_after`, or past `valid_until`.
        ShareStale = "share-stale" {
            gate: Gate::Source, leads_to: State::Waiting, passed_by: PassedBy::Nothing,
            brief: "share stale", listed: Listed::Brief,
            without: "had the share been there", opens: "the share answers with a valid file",
            remedy: "Bring the share back or ask the publisher for a newer instruction file, then pcm poll",
        }
        /// The share is there, the instruction file is not.
        InsMissing = "ins-missing" {
            gate: Gate::Source, leads_to: State::Waiting, passed_by: PassedBy::Nothing,
            brief: "withdrawn from the share", listed: Listed::Brief,
            without: "had the share been there", opens: "the share has a file for this machine",
            remedy: "Ask the publisher for an instruction file for this machine, then pcm poll",
        }
        /// A field is wrong.
        Malformed = "malformed" {
            gate: Gate::Record, leads_to: State::Rejected, passed_by: PassedBy::Nothing,
            brief: "malformed", listed: Listed::Brief,
            without: "had its record been correct", opens: "the publisher corrects the record",
            remedy: "The publisher has to correct the record",
        }
        /// Fields exclude each other.
        Contradiction = "contradiction" {
            gate: Gate::Record, leads_to: State::Rejected, passed_by: PassedBy::Nothing,
            brief: "contradiction", listed: Listed::Brief,
            without: "had its record been correct", opens: "the publisher corrects the record",
            remedy: "The publisher has to correct the record",
        }
        /// Another request with this id differs.
        Duplicate = "duplicate" {
            gate: Gate::Record, leads_to: State::Rejected, passed_by: PassedBy::Nothing,
            brief: "duplicate", listed: Listed::Brief,
            without: "had its record been correct", opens: "the publisher corrects the record",
            remedy: "The publisher has to correct the record",
        }
        /// The command line is refused.
        CommandRefused = "command-refused" {
            gate: Gate::Record, leads_to: State::Rejected, passed_by: PassedBy::Nothing,
            brief: "command refused", listed: Listed::Brief,
            without: "had its command line been accepted", opens: "the publisher corrects the command line",
            remedy: "The publisher has to correct the command line or the program, or [execute] programs has to name it",
        }
        /// The job is for others.
        NotTargeted = "not-targeted" {
            gate: Gate::Target, leads_to: State::NotApplicable, passed_by: PassedBy::Nothing,
            brief: "not for this machine", listed: Listed::Brief,
            without: "had it been for this machine", opens: "the publisher makes this machine one of its targets",
            remedy: "Only the publisher can make this machine one of its targets",
        }
        /// The job has not reached this machine yet.
        PhaseNotReached = "phase-not-reached" {
            gate: Gate::Target, leads_to: State::Scheduled, passed_by: PassedBy::Nothing,
            brief: "its phase has not come", listed: Listed::Brief,
            without: "had its phase come", opens: "the publisher advances the job",
            remedy: "Wait until the publisher advances the job to the next phase",
        }
        /// No signature where one is required.
        Unsigned = "unsigned" {
            gate: Gate::Trust, leads_to: State::Rejected, passed_by: PassedBy::Nothing,
            brief: "not checked yet", listed: Listed::Brief,
            without: "had its publisher been known", opens: "its publisher is known",
            remedy: "It has to be signed with a key that this machine trusts",
        }
        /// It does not verify.
        BadSignature = "bad-signature" {
            gate: Gate::Trust, leads_to: State::Rejected, passed_by: PassedBy::Nothing,
            brief: "bad signature", listed: Listed::Brief,
            without: "had its signature been good", opens: "the publisher signs it",
            remedy: "It has to be signed with a key that this machine trusts",
        }
        /// Signed by a key, or over a hash, of a kind that is never believed; or by a token that nobody touched.
        BadAlgorithm = "bad-algorithm" {
            gate: Gate::Trust, leads_to: State::Rejected, passed_by: PassedBy::Nothing,
            brief: "bad algorithm", listed: Listed::Brief,
            without: "had its signature been of a kind that is believed", opens: "it is signed with another key",
            remedy: "It has to be signed with an ed25519 or ecdsa-sha2-nistp256 key, or with a token that is touched for it",
        }
        /// Signed with a key that does not count yet, or not any more.
        KeyExpired = "key-expired" {
            gate: Gate::Trust, leads_to: State::Rejected, passed_by: PassedBy::Nothing,
            brief: "key expired", listed: Listed::Brief,
            without: "had its key been valid", opens: "it is signed with a valid key",
            remedy: "It has to be signed with a key that is valid now, or the next trust list has to extend the key",
        }
        /// Issued by a clock that is more than a day ahead.
        IssuedAhead = "issued-ahead" {
            gate: Gate::Trust, leads_to: State::Rejected, passed_by: PassedBy::Nothing,
            brief: "issued ahead of the clock", listed: Listed::Brief,
            without: "had it been issued by now", opens: "its time has come, or it is published again",
            remedy: "Compare the publisher's clock with this machine's and correct the wrong one; then it has to be published again",
        }
        /// The instruction file says of a package what its signer did not.
        PackageMismatch = "package-mismatch" {
            gate: Gate::Trust, leads_to: State::Rejected, passed_by: PassedBy::Nothing,
            brief: "not as its package was signed", listed: Listed::Brief,
            without: "had it been as its package was signed", opens: "it is published as its package was signed",
            remedy: "The publisher has to copy every field of the package as it was signed, or the package has to be signed anew",
        }
        /// A release that the trust list withdraws, or that is below one that ran here.
        PackageWithdrawn = "package-withdrawn" {
            gate: Gate::Trust, leads_to: State::Rejected, passed_by: PassedBy::Nothing,
            brief: "release withdrawn", listed: Listed::Brief,
            without: "had its release not been withdrawn", opens: "a higher release is published",
            remedy: "The package has to be signed as a higher release, also where its content is to be an older one",
        }
        /// Somebody else could have written it.
        LoosePermissions = "loose-permissions" {
            gate: Gate::Trust, leads_to: State::Rejected, passed_by: PassedBy::Nothing,
            brief: "loose permissions", listed: Listed::Brief,
            without: "had nobody else been able to write it", opens: "nobody else can write it",
            remedy: "Let only root or the service's account write to what is named, then pcm poll",
        }
        /// Older than what was seen.
        Rollback = "rollback" {
            gate: Gate::Trust, leads_to: State::Rejected, passed_by: PassedBy::Nothing,
            brief: "rollback", listed: Listed::Brief,
            without: "had its serial been higher", opens: "a higher serial is published",
            remedy: "The publisher has to publish with a higher serial; where the older one is right: pcm init --accept-serial N",
        }
        /// Made for another platform.
        Platform = "platform" {
            gate: Gate::Platform, leads_to: State::NotApplicable, passed_by: PassedBy::Nothing,
            brief: "for another platform", listed: Listed::Brief,
            without: "had it been for this platform", opens: "it is published for this platform",
            remedy: "It is for another platform; this machine needs another package",
        }
        /// Not automated.
        NeedsInput = "needs-input" {
            gate: Gate::Kind, leads_to: State::NotApplicable, passed_by: PassedBy::Nothing,
            brief: "needs a user's input", listed: Listed::Brief,
            without: "had it needed no input", opens: "it needs no input",
            remedy: "It needs a user's input; ask the publisher for an automated command",
        }
        /// Automated but not background.
        ApplicationOnly = "application-only" {
            gate: Gate::Kind, leads_to: State::Offered, passed_by: PassedBy::OnlyRun,
            brief: "application only", listed: Listed::Silent,
            without: "had it been a background task", opens: "an operator runs it",
            remedy: "pcm run {id} runs it",
        }
        /// Suspended by the publisher.
        Suspended = "suspended" {
            gate: Gate::Job, leads_to: State::Waiting, passed_by: PassedBy::Nothing,
            brief: "suspended", listed: Listed::Brief,
            without: "had the job not been suspended", opens: "the publisher resumes the job",
            remedy: "Only the publisher can resume the job",
        }
        /// Cancelled by the publisher, for good.
        Cancelled = "cancelled" {
            gate: Gate::Job, leads_to: State::NotApplicable, passed_by: PassedBy::Nothing,
            brief: "cancelled", listed: Listed::Brief,
            without: "had the job not been cancelled", opens: "the publisher sends it again",
            remedy: "The publisher has cancelled the job for good; only a new job can bring it back",
        }
        /// A newer job that replaces it is done here.
        Superseded = "superseded" {
            gate: Gate::Job, leads_to: State::NotApplicable, passed_by: PassedBy::Nothing,
            brief: "superseded", listed: Listed::Brief,
            without: "had no newer job replaced it", opens: "the job that replaced it is no longer done",
            remedy: "The job that replaces it has succeeded on this machine: there is nothing to do",
        }
        /// A request it depends on has not succeeded.
        Dependency = "dependency" {
            gate: Gate::Job, leads_to: State::Waiting, passed_by: PassedBy::Nothing,
            brief: "waits for another request", listed: Listed::Dependency,
            without: "had what it depends on succeeded", opens: "what it depends on has succeeded",
            remedy: "Run what it depends on first",
        }
        /// Attempted, with a known outcome or still running.
        Done = "done" {
            gate: Gate::History, leads_to: State::Waiting, passed_by: PassedBy::Rerun,
            brief: "done", listed: Listed::Brief,
            without: "had it not been attempted", opens: "its run ends",
            remedy: "pcm rerun {id} --reason WHY makes another attempt",
        }
        /// What it brings is installed already; what it removes is not there.
        AlreadyInstalled = "already-installed" {
            gate: Gate::History, leads_to: State::NotNeeded, passed_by: PassedBy::Nothing,
            brief: "nothing to do", listed: Listed::Brief,
            without: "had there been anything to do", opens: "there is something to do",
            remedy: "There is nothing to do: what it installs is installed, or what it removes is not there. pcm explain {id} says what shows that",
        }
        /// Whether there is anything to do cannot be known.
        InstalledUnknown = "installed-unknown" {
            gate: Gate::History, leads_to: State::Waiting, passed_by: PassedBy::Nothing,
            brief: "whether it is installed is not known", listed: Listed::Brief,
            without: "had it been known whether it is installed", opens: "it is known whether it is installed",
            remedy: "pcm explain {id} says why it is not known; mend that, then pcm poll",
        }
        /// Attempted, outcome unknown.
        Interrupted = "interrupted" {
            gate: Gate::History, leads_to: State::Waiting, passed_by: PassedBy::Rerun,
            brief: "outcome unknown", listed: Listed::Brief,
            without: "had it not been attempted", opens: "an operator runs it again",
            remedy: "pcm rerun {id} --reason WHY makes another attempt",
        }
        /// History is missing, damaged or older than its mark.
        HistoryLost = "history-lost" {
            gate: Gate::History, leads_to: State::Waiting, passed_by: PassedBy::Nothing,
            brief: "history lost", listed: Listed::Brief,
            without: "had the history been there", opens: "an operator decides with pcm init --adopt",
            remedy: "Decide what is done with pcm init --adopt=done or pcm init --adopt=not-done",
        }
        /// History cannot be read now, which says nothing about what is in it.
        StateUnreadable = "state-unreadable" {
            gate: Gate::History, leads_to: State::Waiting, passed_by: PassedBy::Nothing,
            brief: "history unreadable", listed: Listed::Brief,
            without: "had the history been readable", opens: "the history can be read again",
            remedy: "Repair the file system or the rights of the state folder; pcm goes on by itself",
        }
        /// Another machine has this one's id and reports in its name.
        TwoMachines = "two-machines" {
            gate: Gate::History, leads_to: State::Waiting, passed_by: PassedBy::Nothing,
            brief: "two machines have this id", listed: Listed::Brief,
            without: "had no other machine this id", opens: "an operator decides with pcm init --adopt",
            remedy: "Decide which machine keeps the id and give the other one an id of its own, then on this one: pcm init --adopt=done, or --adopt=not-done to let what is due run",
        }
        /// A retry that is not due yet.
        RetryLater = "retry-later" {
            gate: Gate::History, leads_to: State::RetryWait, passed_by: PassedBy::Rerun,
            brief: "retry later", listed: Listed::Brief,
            without: "had its next attempt been due", opens: "its next attempt is due",
            remedy: "Wait, or pcm rerun {id} --reason WHY",
        }
        /// Before offer after.
        NotOffered = "not-offered" {
            gate: Gate::Offer, leads_to: State::Scheduled, passed_by: PassedBy::Nothing,
            brief: "not offered yet", listed: Listed::Silent,
            without: "had it been offered", opens: "it is offered",
            remedy: "Wait until it is offered, or ask the publisher for an earlier time",
        }
        /// At or after expire after.
        Expired = "expired" {
            gate: Gate::Expiry, leads_to: State::Expired, passed_by: PassedBy::Nothing,
            brief: "expired", listed: Listed::Brief,
            without: "had it not expired", opens: "it is sent again",
            remedy: "Ask the publisher to send the job again with a later expiry",
        }
        /// Before mandatory after.
        NotMandatoryYet = "not-mandatory-yet" {
            gate: Gate::Mandatory, leads_to: State::Offered, passed_by: PassedBy::Run,
            brief: "mandatory only later", listed: Listed::Silent,
            without: "had it been mandatory", opens: "its mandatory time comes",
            remedy: "pcm run {id} runs it now",
        }
        /// Never mandatory.
        Optional = "optional" {
            gate: Gate::Mandatory, leads_to: State::Offered, passed_by: PassedBy::OnlyRun,
            brief: "optional", listed: Listed::Silent,
            without: "had it been mandatory", opens: "an operator runs it",
            remedy: "pcm run {id} runs it now",
        }
        /// An operator's hold.
        Held = "held" {
            gate: Gate::Hold, leads_to: State::Waiting, passed_by: PassedBy::Nothing,
            brief: "held", listed: Listed::Until("held until"),
            without: "had nobody held the machine", opens: "the hold ends",
            remedy: "pcm unhold ends the hold",
        }
        /// A freeze of site or machine.
        Frozen = "frozen" {
            gate: Gate::Hold, leads_to: State::Waiting, passed_by: PassedBy::Nothing,
            brief: "frozen", listed: Listed::Until("frozen until"),
            without: "had there been no freeze", opens: "the freeze ends",
            remedy: "Wait for the end of the freeze",
        }
        /// Deferred until later.
        Deferred = "deferred" {
            gate: Gate::Deferral, leads_to: State::Deferred, passed_by: PassedBy::Nothing,
            brief: "deferred", listed: Listed::Silent,
            without: "had it not been deferred", opens: "its deferral ends",
            remedy: "pcm undefer {id} ends the deferral",
        }
        /// Outside every window.
        WindowClosed = "window-closed" {
            gate: Gate::Window, leads_to: State::Waiting, passed_by: PassedBy::Nothing,
            brief: "window closed", listed: Listed::Until("window"),
            without: "had a long enough maintenance window been open", opens: "the maintenance window opens",
            remedy: "Wait for the next maintenance window",
        }
        /// Too little time left in this one.
        WindowTooShort = "window-too-short" {
            gate: Gate::Window, leads_to: State::Waiting, passed_by: PassedBy::Nothing,
            brief: "window too short", listed: Listed::Until("window too short, next"),
            without: "had a long enough maintenance window been open", opens: "the maintenance window opens",
            remedy: "Wait for the next maintenance window",
        }
        /// No window is ever long enough.
        WindowNeverFits = "window-never-fits" {
            gate: Gate::Window, leads_to: State::Waiting, passed_by: PassedBy::Nothing,
            brief: "no window is long enough", listed: Listed::Brief,
            without: "had a long enough maintenance window been open", opens: "a maintenance window is long enough",
            remedy: "Give [windows] weekly a longer window, or the request a shorter max_run_time",
        }
        /// Somebody is logged on.
        UserLoggedOn = "user-logged-on" {
            gate: Gate::Users, leads_to: State::Waiting, passed_by: PassedBy::Nothing,
            brief: "user logged on", listed: Listed::Users,
            without: "had nobody been logged on", opens: "the users log off or stop working",
            remedy: "Ask the user to log off",
        }
        /// Nobody is.
        NoUser = "no-user" {
            gate: Gate::Users, leads_to: State::Waiting, passed_by: PassedBy::Nothing,
            brief: "nobody logged on", listed: Listed::Brief,
            without: "had somebody been logged on", opens: "somebody logs on",
            remedy: "Wait until a user logs on",
        }
        /// It cannot be known.
        UsersUnknown = "users-unknown" {
            gate: Gate::Users, leads_to: State::Waiting, passed_by: PassedBy::Nothing,
            brief: "users unknown", listed: Listed::Brief,
            without: "had it been known who is logged on", opens: "it is known who is logged on",
            remedy: "Make log-ons known to the system (logind or utmp)",
        }
        /// The clock went back or is older than the build.
        ClockSuspect = "clock-suspect" {
            gate: Gate::Clock, leads_to: State::Waiting, passed_by: PassedBy::Nothing,
            brief: "clock suspect", listed: Listed::Brief,
            without: "had the clock been believable", opens: "the clock can be believed",
            remedy: "Synchronise the clock and wait an hour",
        }
        /// A restart that pcm's packages caused is pending.
        RestartPending = "restart-pending" {
            gate: Gate::Host, leads_to: State::Waiting, passed_by: PassedBy::Nothing,
            brief: "restart pending", listed: Listed::Brief,
            without: "had the machine been restarted", opens: "the machine has restarted",
            remedy: "pcm restart now, or restart the machine by hand",
        }
        /// Just started.
        Booting = "booting" {
            gate: Gate::Host, leads_to: State::Waiting, passed_by: PassedBy::Nothing,
            brief: "just started", listed: Listed::Until("just started, until"),
            without: "had the machine been up for longer", opens: "the machine is up for long enough",
            remedy: "Wait until the machine has been up for a while",
        }
        /// On battery.
        OnBattery = "on-battery" {
            gate: Gate::Host, leads_to: State::Waiting, passed_by: PassedBy::Nothing,
            brief: "on battery", listed: Listed::Brief,
            without: "had the machine been on mains power", opens: "the machine is on mains power",
            remedy: "Connect the power supply",
        }
        /// Not enough free space.
        DiskSpace = "disk-space" {
            gate: Gate::Host, leads_to: State::Waiting, passed_by: PassedBy::Nothing,
            brief: "disk space", listed: Listed::Space,
            without: "had there been disk space", opens: "there is enough disk space",
            remedy: "Free space where the state folder is",
        }
        /// Configuration or a window cannot be read.
        PolicyUnreadable = "policy-unreadable" {
            gate: Gate::Policy, leads_to: State::Waiting, passed_by: PassedBy::Nothing,
            brief: "configuration unreadable", listed: Listed::Brief,
            without: "had the configuration been readable", opens: "the configuration can be read",
            remedy: "Correct pcm.toml; pcm check shows every error of it",
        }
        /// Not staged yet.
        ContentMissing = "content-missing" {
            gate: Gate::Content, leads_to: State::Waiting, passed_by: PassedBy::Nothing,
            brief: "files not copied", listed: Listed::Brief,
            without: "had its files been there", opens: "its files are copied",
            remedy: "Wait until the files are copied, or pcm poll",
        }
        /// Its hash differs.
        ContentMismatch = "content-mismatch" {
            gate: Gate::Content, leads_to: State::Waiting, passed_by: PassedBy::Nothing,
            brief: "files differ", listed: Listed::Brief,
            without: "had its files been there", opens: "its files are as published",
            remedy: "The publisher has to publish the package again: its files differ from what was announced",
        }
        /// An older one is due as soon as its files are copied, which they are now.
        OlderFirst = "older-first" {
            gate: Gate::Executor, leads_to: State::Waiting, passed_by: PassedBy::Run,
            brief: "an older one goes first", listed: Listed::Until("an older one goes first, at most until"),
            without: "had no older one been waited for", opens: "the older one has its files, or has been waited for long enough",
            remedy: "Wait for the older one, or pcm run {id} runs it now",
        }
        /// Another package is running.
        Busy = "busy" {
            gate: Gate::Executor, leads_to: State::Waiting, passed_by: PassedBy::Nothing,
            brief: "another package runs", listed: Listed::Running,
            without: "had no other package been running", opens: "the run before it ends",
            remedy: "Wait for the package that runs, or stop it",
        }
        /// No service runs, and only a service starts anything by itself.
        NoService = "no-service" {
            gate: Gate::Executor, leads_to: State::Waiting, passed_by: PassedBy::Run,
            brief: "no service runs", listed: Listed::Brief,
            without: "had a service been running", opens: "a service runs",
            remedy: "Start the service: systemctl start pcm, or pcm service run",
        }
        /// What is started could not be recorded.
        StateUnwritable = "state-unwritable" {
            gate: Gate::Executor, leads_to: State::Waiting, passed_by: PassedBy::Nothing,
            brief: "the history cannot be written", listed: Listed::Brief,
            without: "had the history been writable", opens: "the history can be written again",
            remedy: "Put that right, or make room in the state folder; pcm goes on by itself",
        }
    }
}
