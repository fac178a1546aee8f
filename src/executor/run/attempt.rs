//! The claim protocol as a pure state machine (PROMISES.md 2): events in, the next effect out. It knows no clock, file or
//! process; `launch` carries its effects out, and tests enumerate every point at which it can die.

use crate::text::SafeText;

/// How far an attempt has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// Decided; nothing is durable.
    Decided,
    /// The claim is committed.
    Claimed,
    /// The run's folder is there and synced with its parents.
    Prepared,
    /// The mark beside the configuration knows the claim.
    Marked,
    /// The run host holds its lock, has written `started` and waits.
    Ready,
    /// The history knows which run host it is, whatever becomes of the run's folder.
    Hosted,
    /// It was told to go.
    Launched,
    /// Nothing was claimed and nothing was launched.
    Abandoned(SafeText),
    /// Claimed, and proven not launched.
    NotLaunched(SafeText),
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The effect was carried out, and is durable where it says so.
    Done,
    /// It failed, with the reason; how much of it is durable is unknown.
    Failed(SafeText),
    /// Directly before *go* it turned out that it must not start any more, with the reason.
    Withdrawn(SafeText),
    /// After a failed claim: it was read again and is not there.
    ClaimAbsent,
    /// After a failed claim: it is there after all, or that cannot be known.
    ClaimPresent,
}

/// What is to be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Commit the claim (synchronous = EXTRA).
    CommitClaim,
    /// Read back whether the failed commit left a claim.
    ReadClaim,
    /// Make the run's folder and what is in it; sync it and its parents.
    MakeFolder,
    /// Write `pcm.mark` durably.
    WriteMark,
    /// Start the run host and wait until it says that it is ready.
    StartHost,
    /// Commit which run host it is: from here on nobody can prove that nothing was launched by deleting the run's folder.
    RecordHost,
    /// Answer *go*.
    SayGo,
    /// Close the pipe without *go*: the host exits and nothing was launched.
    LetHostGo,
    /// Nothing more; the phase says how it ended.
    Rest,
}

/// One attempt on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    phase: Phase,
    /// A claim whose commit failed and that has not been read again.
    doubtful: Option<SafeText>,
}

impl Default for Attempt {
    fn default() -> Self {
        Self { phase: Phase::Decided, doubtful: None }
    }
}

impl Attempt {
    /// How far it has come.
    pub fn phase(&self) -> &Phase {
        &self.phase
    }

    /// The first effect.
    #[must_use]
    pub fn begin(&self) -> Effect {
        Effect::CommitClaim
    }

    /// Takes what happened to the newest effect and gives the next one.
    ///
    /// # Panics
    /// On an event that this phase cannot meet: the driver broke the protocol, and going on could run a package twice.
    #[must_use]
    pub fn step(&mut self, event: Event) -> Effect {
        let (phase, effect) = match (self.phase.clone(), self.doubtful.take(), event) {
            (Phase::Decided, None, Event::Done) => (Phase::Claimed, Effect::MakeFolder),
            (Phase::Decided, None, Event::Failed(why)) => {
                self.doubtful = Some(why);
                (Phase::Decided, Effect::ReadClaim)
            }
            (Phase::Decided, Some(why), Event::ClaimAbsent) => (Phase::Abandoned(why), Effect::Rest),
            (Phase::Decided, Some(why), Event::ClaimPresent | Event::Failed(_)) => {
                (Phase::NotLaunched(why), Effect::Rest)
            }
            (Phase::Claimed, None, Event::Done) => (Phase::Prepared, Effect::WriteMark),
            (Phase::Prepared, None, Event::Done) => (Phase::Marked, Effect::StartHost),
            (Phase::Claimed | Phase::Prepared, None, Event::Failed(why)) => {
                (Phase::NotLaunched(why), Effect::Rest)
            }
            (Phase::Marked, None, Event::Done) => (Phase::Ready, Effect::RecordHost),
            (Phase::Ready, None, Event::Done) => (Phase::Hosted, Effect::SayGo),
            (Phase::Marked | Phase::Ready, None, Event::Failed(why)) => {
                (Phase::NotLaunched(why), Effect::LetHostGo)
            }
            (Phase::Hosted, None, Event::Done) => (Phase::Launched, Effect::Rest),
            (Phase::Hosted, None, Event::Withdrawn(why)) => (Phase::NotLaunched(why), Effect::LetHostGo),
            // Whether *go* arrived is unknown: the run host's lock and records say what became of it.
            (Phase::Hosted, None, Event::Failed(_)) => (Phase::Launched, Effect::Rest),
            (Phase::NotLaunched(why), None, Event::Done | Event::Failed(_)) => {
                (Phase::NotLaunched(why), Effect::Rest)
            }
            (phase, doubtful, event) => {
                panic!("claim protocol broken: {event:?} in {phase:?} ({doubtful:?})")
            }
        };
        self.phase = phase;
        // The promise itself, kept in release builds: nothing says *go* before claim, folder, mark and host are durable.
        assert!(effect != Effect::SayGo || self.phase == Phase::Hosted, "go before the claim is durable");
        effect
    }
}

/// What is found of a claimed attempt that no executor is at work on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found<E> {
    /// The exit record, if there is one.
    pub exit: Option<E>,
    /// Somebody holds the lock in its run folder.
    pub lock_held: bool,
    /// `started` was written, or the history knows the run host: one was there, and may have been told to go.
    pub started: bool,
    /// Processes of its session are still there.
    pub survivors: bool,
    /// There is an exit record that does not read as one, and why: it was written whole, and somebody changed it since.
    pub damaged: Option<SafeText>,
}

/// What is to be made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recovery<E> {
    /// It has ended, and this is how.
    Final(E),
    /// Its run host lives: wait for it.
    Adopt,
    /// Its run host died and its processes did not: end them, then it is interrupted.
    EndThenInterrupted,
    /// Its outcome is unknown and stays so.
    Interrupted,
    /// No run host ever got as far as to launch it.
    NotLaunched,
}

/// Judges a claimed attempt after a restart, or when its run host is gone (PROMISES.md 2, last part).
pub fn recover<E>(found: Found<E>) -> Recovery<E> {
    match found {
        Found { exit: Some(exit), .. } => Recovery::Final(exit),
        Found { lock_held: true, .. } => Recovery::Adopt,
        Found { survivors: true, .. } => Recovery::EndThenInterrupted,
        Found { started: true, .. } => Recovery::Interrupted,
        Found { started: false, .. } => Recovery::NotLaunched,
    }
}

#[cfg(test)]
mod tests;
