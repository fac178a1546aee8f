//! Deliberate defects of the world, one at a time, for the checks that have to catch them: what it says it has done and
//! has not, what it shows and is not so. The service itself is the real one in all of them.

use super::Focus;
use super::world::Inner;
use crate::clock::When;
use crate::executor::run::attempt::{Found, Recovery, recover};
use crate::executor::run::outcome::{EndedBy, ExitRecord};
use crate::site::instruction::{Entry, InstructionFile};
use chrono::TimeDelta;
use std::time::Duration;

/// What is done wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    /// The run's folder is not synced before the launch.
    FolderNotSynced,
    /// The mark that was written after a claim is not there when the package is launched.
    NoMark,
    /// The claim that was committed is not there when the package is launched.
    ClaimForgotten,
    /// A run that left nothing behind is taken for one that was never told to go, and is repeated by itself.
    RerunInterrupted,
    /// The share says a minute more than was published: a request still runs at the instant at which it expires.
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
    /// An exit record is not seen.
    ExitIgnored,
    /// A result that is to be kept for the share is not.
    ReportForgotten,
}

impl Mutant {
    /// All of them.
    pub const ALL: &'static [Mutant] = &[
        Mutant::FolderNotSynced,
        Mutant::NoMark,
        Mutant::ClaimForgotten,
        Mutant::RerunInterrupted,
        Mutant::RunsAtExpiry,
        Mutant::LockIgnored,
        Mutant::LaunchWithoutGo,
        Mutant::RecordBeforeSync,
        Mutant::LostIsEmpty,
        Mutant::RecordGivenUp,
        Mutant::ExitIgnored,
        Mutant::ReportForgotten,
    ];

    /// The world in which it was found the last time, looked at first: only where it is not found there any more are all
    /// of them gone through.
    pub fn found_in(self) -> u64 {
        match self {
            Mutant::FolderNotSynced => 193,
            Mutant::RecordBeforeSync => 31,
            Mutant::RecordGivenUp => 13,
            Mutant::RunsAtExpiry | Mutant::LaunchWithoutGo => 4,
            Mutant::LostIsEmpty => 2,
            Mutant::NoMark
            | Mutant::ClaimForgotten
            | Mutant::RerunInterrupted
            | Mutant::LockIgnored
            | Mutant::ExitIgnored
            | Mutant::ReportForgotten => 1,
        }
    }

    /// What each of them breaks is rare in a world where everything happens as often.
    pub fn focus(self) -> Option<Focus> {
        match self {
            Mutant::RunsAtExpiry => Some(Focus::Instants),
            Mutant::RecordBeforeSync => Some(Focus::Ends),
            Mutant::RerunInterrupted | Mutant::FolderNotSynced => Some(Focus::At("gone")),
            Mutant::LaunchWithoutGo => Some(Focus::At("ready")),
            _ => None,
        }
    }
}

/// History and mark as they were before the newest claim, for the mutants that put them back.
#[derive(Default)]
pub struct Before {
    commit: Vec<u8>,
    claim: Vec<u8>,
    mark: Vec<u8>,
}

impl Inner {
    /// Whether this defect is wanted.
    pub fn has(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    /// Something is about to be committed.
    pub fn keep_history(&mut self) {
        if self.has(Mutant::ClaimForgotten) {
            self.before.commit = std::fs::read(self.layout.history()).unwrap_or_default();
        }
    }

    /// The newest commit was a claim, and the mark does not know it yet.
    pub fn keep_claim(&mut self) {
        self.before.claim = std::mem::take(&mut self.before.commit);
        if self.has(Mutant::NoMark) {
            self.before.mark = std::fs::read(self.layout.mark()).unwrap_or_default();
        }
    }

    /// The package is about to be launched: what a mutant forgets is gone by now.
    pub fn forget_claim(&self) {
        if self.has(Mutant::ClaimForgotten) {
            std::fs::write(self.layout.history(), &self.before.claim).unwrap();
        }
        if self.has(Mutant::NoMark) {
            std::fs::write(self.layout.mark(), &self.before.mark).unwrap();
        }
    }

    /// What a mutant shows of a run.
    pub fn shown(&self, mut found: Found<ExitRecord>) -> Found<ExitRecord> {
        found.lock_held &= !self.has(Mutant::LockIgnored);
        found.exit = found.exit.filter(|_| !self.has(Mutant::ExitIgnored));
        if self.has(Mutant::RerunInterrupted) && recover(found.clone()) == Recovery::Interrupted {
            found.exit = Some(self.record(EndedBy::NeverTold, None, self.wall, Duration::ZERO));
        }
        found
    }

    /// The instruction file as a mutant reads it.
    pub fn misread(&self, file: &mut InstructionFile) {
        if !self.has(Mutant::RunsAtExpiry) {
            return;
        }
        for entry in &mut file.requests {
            if let Entry::Good(request) = entry {
                request.expire_after = request.expire_after.map(|when| match when {
                    When::Instant(at) => When::Instant(at + TimeDelta::minutes(1)),
                    When::Local(at) => When::Local(at + TimeDelta::minutes(1)),
                });
            }
        }
    }
}
