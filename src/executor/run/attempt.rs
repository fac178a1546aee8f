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
    #[cfg(test)]
    let found = misjudged(found);
    match found {
        Found { exit: Some(exit), .. } => Recovery::Final(exit),
        Found { lock_held: true, .. } => Recovery::Adopt,
        Found { survivors: true, .. } => Recovery::EndThenInterrupted,
        Found { started: true, .. } => Recovery::Interrupted,
        Found { started: false, .. } => Recovery::NotLaunched,
    }
}

/// Does not see what a mutant is not to see.
#[cfg(test)]
fn misjudged<E>(mut found: Found<E>) -> Found<E> {
    use crate::executor::mutants::{Mutant, on};
    found.lock_held &= !on(Mutant::LockIgnored);
    found.started &= !on(Mutant::StartedIgnored);
    found.exit = found.exit.filter(|_| !on(Mutant::ExitIgnored));
    found
}

#[cfg(test)]
mod model;

#[cfg(test)]
mod tests {
    use super::*;

    /// Every sequence of outcomes of the effects, to the end.
    fn walk(
        attempt: &Attempt,
        effect: Effect,
        done: &mut Vec<Effect>,
        visit: &mut impl FnMut(&Attempt, &[Effect]),
    ) {
        visit(attempt, done);
        let outcomes = match effect {
            Effect::Rest => return,
            Effect::ReadClaim => {
                vec![Event::ClaimAbsent, Event::ClaimPresent, Event::Failed("unreadable".into())]
            }
            Effect::SayGo => {
                vec![Event::Done, Event::Failed("error".into()), Event::Withdrawn("expired".into())]
            }
            _ => vec![Event::Done, Event::Failed("error".into())],
        };
        for event in outcomes {
            let mut next = attempt.clone();
            done.push(effect);
            let effect = next.step(event);
            walk(&next, effect, done, visit);
            done.pop();
        }
    }

    #[test]
    fn nothing_is_launched_before_claim_folder_and_mark_are_durable() {
        let mut paths = 0;
        let start = Attempt::default();
        walk(&start, start.begin(), &mut Vec::new(), &mut |attempt, done| {
            paths += 1;
            let wanted = [
                Effect::CommitClaim,
                Effect::MakeFolder,
                Effect::WriteMark,
                Effect::StartHost,
                Effect::RecordHost,
                Effect::SayGo,
            ];
            if done.contains(&Effect::SayGo) {
                assert!(done.starts_with(&wanted), "{done:?}");
            }
            if *attempt.phase() == Phase::Launched {
                assert_eq!(done, wanted);
            }
        });
        assert!(paths >= 15, "{paths} paths walked");
    }

    #[test]
    fn after_a_crash_at_any_point_nothing_runs_a_second_time() {
        let (mut states, mut points, mut double_runs) = (0, 0, 0);
        let start = Attempt::default();
        walk(&start, start.begin(), &mut Vec::new(), &mut |attempt, done| {
            states += 1;
            let withdrawn = matches!(attempt.phase(), Phase::NotLaunched(_)) && done.contains(&Effect::SayGo);
            // The newest effect may have been carried out or not; the run host may live; its package may be left, and may
            // have deleted the folder of its run.
            for bits in 0..16_u8 {
                let [lost, host_lives, package_left, folder_gone] = [1, 2, 4, 8].map(|bit| bits & bit != 0);
                let carried_out = &done[..done.len() - usize::from(lost && !done.is_empty())];
                let launched = carried_out.contains(&Effect::SayGo) && !withdrawn;
                let folder_gone = folder_gone && launched;
                let written = carried_out.contains(&Effect::StartHost) && !folder_gone;
                let found: Found<()> = Found {
                    exit: None,
                    lock_held: written && host_lives,
                    started: written || carried_out.contains(&Effect::RecordHost),
                    survivors: launched && !host_lives && package_left,
                    damaged: None,
                };
                points += 1;
                let claimed = carried_out.contains(&Effect::CommitClaim);
                let again = !claimed || recover(found) == Recovery::NotLaunched;
                double_runs += u32::from(again && launched);
            }
        });
        println!("claim protocol: {states} states, {points} crash points, {double_runs} double runs");
        assert!(states >= 15 && points >= 16 * states, "{states} states, {points} crash points");
        assert_eq!(double_runs, 0);
    }

    #[test]
    fn every_failure_ends_in_a_phase_that_says_what_is_known() {
        let start = Attempt::default();
        walk(&start, start.begin(), &mut Vec::new(), &mut |attempt, done| {
            if let Phase::Abandoned(_) = attempt.phase() {
                assert_eq!(
                    done,
                    [Effect::CommitClaim, Effect::ReadClaim],
                    "only an absent claim leaves no attempt"
                );
            }
        });
    }

    #[test]
    fn recovery_never_calls_a_run_unlaunched_that_may_have_been_told_to_go() {
        for bits in 0..16_u8 {
            let [exit, lock_held, started, survivors] = [1, 2, 4, 8].map(|bit| bits & bit != 0);
            let found = Found { exit: exit.then_some(()), lock_held, started, survivors, damaged: None };
            let verdict = recover(found);
            if started || lock_held || survivors || exit {
                assert_ne!(verdict, Recovery::NotLaunched, "{bits:04b}");
            }
            assert_eq!(verdict == Recovery::Final(()), exit, "{bits:04b}");
        }
    }
}
