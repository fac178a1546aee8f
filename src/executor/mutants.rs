//! Deliberate defects of the protocol, one at a time, for the tests that have to catch them. Exists in the tests' build
//! only.

use std::cell::Cell;

/// What is done wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    /// The run's folder is not synced before the launch.
    FolderNotSynced,
    /// The mark is not written after a claim.
    NoMark,
    /// The claim is committed after the package was launched.
    ClaimAfterLaunch,
    /// An interrupted attempt is repeated by itself.
    RerunInterrupted,
    /// A request still runs at the instant at which it expires.
    RunsAtExpiry,
    /// A run host that lives is not seen.
    LockIgnored,
    /// The run host launches although it was never told to.
    LaunchWithoutGo,
    /// The exit record is written before the package's files are synced.
    RecordBeforeSync,
    /// A history that is lost is started anew.
    LostIsEmpty,
    /// A full disk makes the run host give up its exit record.
    RecordGivenUp,
    /// An exit record is not looked at.
    ExitIgnored,
    /// That `started` was written is not looked at.
    StartedIgnored,
    /// A result whose report was lost in a crash is not reported again.
    ReportForgotten,
}

impl Mutant {
    /// All of them.
    pub const ALL: &'static [Mutant] = &[
        Mutant::FolderNotSynced,
        Mutant::NoMark,
        Mutant::ClaimAfterLaunch,
        Mutant::RerunInterrupted,
        Mutant::RunsAtExpiry,
        Mutant::LockIgnored,
        Mutant::LaunchWithoutGo,
        Mutant::RecordBeforeSync,
        Mutant::LostIsEmpty,
        Mutant::RecordGivenUp,
        Mutant::ExitIgnored,
        Mutant::StartedIgnored,
        Mutant::ReportForgotten,
    ];
}

thread_local! {
    static ACTIVE: Cell<Option<Mutant>> = const { Cell::new(None) };
}

/// Whether this defect is wanted in this thread.
pub fn on(mutant: Mutant) -> bool {
    ACTIVE.get() == Some(mutant)
}

/// From now on in this thread.
pub fn set(mutant: Option<Mutant>) {
    ACTIVE.set(mutant);
}
