//! One request under random events, the real protocol and recovery against a plain model of what truly became of each
//! attempt: who lives, what was launched, what can be seen of it afterwards.
#![allow(clippy::unwrap_used)]

use crate::executor::run::attempt::{Attempt, Effect, Event, Found, Phase, Recovery, recover};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::cell::RefCell;
use std::collections::BTreeMap;

/// What happens next; what cannot happen as things stand does not.
#[derive(Debug, Clone, Copy)]
enum Happens {
    /// The executor makes its next effect, or begins an attempt, or looks after one.
    Goes,
    /// Its next effect fails, carried out or not.
    Fails(bool),
    /// It dies at its next effect, carried out or not.
    Dies(bool),
    /// It expires directly before *go*.
    Expires,
    /// The run host that waits finds its pipe closed.
    HostGivesUp,
    HostDies,
    PackageEnds,
    /// What lives of a run without a host is ended.
    LeftoversEnd,
    FolderIsDeleted,
    PowerCut,
}

fn happens() -> impl Strategy<Value = Happens> {
    use Happens::*;
    prop_oneof![
        12 => Just(Goes),
        1 => any::<bool>().prop_map(Fails),
        1 => any::<bool>().prop_map(Dies),
        1 => Just(Expires),
        1 => Just(HostGivesUp),
        1 => Just(HostDies),
        1 => Just(PackageEnds),
        1 => Just(LeftoversEnd),
        1 => Just(FolderIsDeleted),
        1 => Just(PowerCut),
    ]
}

/// What is true of one attempt.
#[derive(Debug, Clone, Copy, Default)]
struct Truth {
    claimed: bool,
    folder: bool,
    marked: bool,
    /// The run host has written `started`.
    written: bool,
    /// The history knows the run host.
    recorded: bool,
    host_waits: bool,
    host_runs: bool,
    package: bool,
    launches: u32,
    /// The exit record: whether the package was launched.
    exit: Option<bool>,
    folder_gone: bool,
}

impl Truth {
    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::CommitClaim => self.claimed = true,
            Effect::MakeFolder => self.folder = true,
            Effect::WriteMark => self.marked = true,
            Effect::StartHost => (self.host_waits, self.written) = (true, true),
            Effect::RecordHost => self.recorded = true,
            Effect::SayGo => {
                let durable = self.claimed && self.folder && self.marked && self.written && self.recorded;
                assert!(durable, "launched before all of it was durable: {self:?}");
                if std::mem::take(&mut self.host_waits) {
                    self.launches += 1;
                    (self.host_runs, self.package) = (true, true);
                }
            }
            Effect::LetHostGo => self.give_up(),
            Effect::ReadClaim | Effect::Rest => {}
        }
        assert!(self.launches <= 1, "launched twice: {self:?}");
    }

    fn give_up(&mut self) {
        if std::mem::take(&mut self.host_waits) {
            self.exit = Some(false);
        }
    }

    /// What a look finds of it.
    fn seen(&self) -> Found<bool> {
        let host = (self.written && !self.folder_gone) || self.recorded;
        let lives = self.host_waits || self.host_runs;
        Found {
            exit: self.exit,
            lock_held: host && lives,
            started: host,
            survivors: host && !lives && self.package,
            damaged: None,
        }
    }

    /// What may be made of it, by what is true and not by what is seen.
    fn is_honest(&self, verdict: &Recovery<bool>) -> bool {
        if let Some(launched) = self.exit {
            return *verdict == Recovery::Final(launched);
        }
        if self.host_waits || self.host_runs {
            return *verdict == Recovery::Adopt;
        }
        match (self.package, self.launches) {
            (true, _) => *verdict == Recovery::EndThenInterrupted,
            (false, 1..) => *verdict == Recovery::Interrupted,
            // That a host that died was never told to go, nobody can know.
            (false, 0) if self.written => *verdict == Recovery::Interrupted,
            (false, 0) => *verdict == Recovery::NotLaunched,
        }
    }
}

/// What the executor is at.
enum Executor {
    Dead,
    /// No attempt is open.
    Idle,
    AtWork(Attempt, Effect),
    /// An attempt is claimed and has not ended.
    Watching,
}

/// One request.
struct Request {
    executor: Executor,
    truth: Truth,
    /// Another attempt may follow by itself.
    open: bool,
    launches: u32,
    verdicts: BTreeMap<&'static str, u32>,
    /// Changes what a look finds.
    look: Look,
}

/// How what is there is looked at.
type Look = fn(&mut Found<bool>);

impl Request {
    fn new(look: Look) -> Self {
        Self {
            look,
            executor: Executor::Idle,
            truth: Truth::default(),
            open: true,
            launches: 0,
            verdicts: BTreeMap::new(),
        }
    }

    /// The attempt has ended; what follows is a new one.
    fn ends(&mut self, name: &'static str, again: bool) {
        assert!(!again || self.truth.launches == 0, "{name} is repeated by itself: {:?}", self.truth);
        // A host that still waits reads the end of its pipe, and launches nothing.
        self.truth.give_up();
        self.launches += self.truth.launches;
        assert!(self.launches <= 1, "the request is launched twice by itself");
        *self.verdicts.entry(name).or_default() += 1;
        self.truth = Truth::default();
        self.open = again;
        self.executor = Executor::Idle;
    }

    fn effect(&mut self, outcome: impl FnOnce(Effect, &mut Truth) -> Option<Event>) {
        let Executor::AtWork(attempt, effect) = &mut self.executor else { return };
        let Some(event) = outcome(*effect, &mut self.truth) else { return };
        *effect = attempt.step(event);
        if *effect != Effect::Rest {
            return;
        }
        match attempt.phase() {
            Phase::Launched => self.executor = Executor::Watching,
            Phase::Abandoned(_) => {
                assert!(!self.truth.claimed, "a claim is forgotten");
                self.ends("abandoned", true);
            }
            Phase::NotLaunched(_) => self.ends("not launched", true),
            other => panic!("the protocol rests in {other:?}"),
        }
    }

    fn dies(&mut self) {
        self.executor = Executor::Dead;
    }

    fn look(&mut self) {
        let mut seen = self.truth.seen();
        (self.look)(&mut seen);
        let verdict = recover(seen);
        assert!(self.truth.is_honest(&verdict), "{verdict:?} of {:?}", self.truth);
        match verdict {
            Recovery::Adopt | Recovery::EndThenInterrupted => {}
            Recovery::Final(launched) => self.ends("exit record", !launched),
            Recovery::Interrupted => self.ends("interrupted", false),
            Recovery::NotLaunched => self.ends("proven not launched", true),
        }
    }

    fn happens(&mut self, what: Happens) {
        match what {
            Happens::Goes => match self.executor {
                Executor::Dead if self.truth.claimed => self.executor = Executor::Watching,
                Executor::Dead => self.executor = Executor::Idle,
                Executor::Idle if self.open => {
                    let attempt = Attempt::default();
                    let effect = attempt.begin();
                    self.executor = Executor::AtWork(attempt, effect);
                }
                Executor::Idle => {}
                Executor::Watching => self.look(),
                Executor::AtWork(..) => self.effect(|effect, truth| {
                    let gone = effect == Effect::SayGo && !truth.host_waits;
                    truth.carry_out(effect);
                    Some(match effect {
                        Effect::ReadClaim if truth.claimed => Event::ClaimPresent,
                        Effect::ReadClaim => Event::ClaimAbsent,
                        // The pipe of a host that died is broken.
                        _ if gone => Event::Failed("broken pipe".into()),
                        _ => Event::Done,
                    })
                }),
            },
            Happens::Fails(carried_out) => self.effect(|effect, truth| {
                if carried_out {
                    truth.carry_out(effect);
                }
                Some(Event::Failed("error".into()))
            }),
            Happens::Expires => self
                .effect(|effect, _| (effect == Effect::SayGo).then(|| Event::Withdrawn("it expired".into()))),
            Happens::Dies(carried_out) => {
                if let Executor::AtWork(_, effect) = self.executor
                    && carried_out
                {
                    self.truth.carry_out(effect);
                }
                self.dies();
            }
            Happens::HostGivesUp if matches!(self.executor, Executor::Dead | Executor::Watching) => {
                self.truth.give_up();
            }
            Happens::HostGivesUp => {}
            Happens::HostDies => (self.truth.host_waits, self.truth.host_runs) = (false, false),
            Happens::PackageEnds => {
                if std::mem::take(&mut self.truth.package) && std::mem::take(&mut self.truth.host_runs) {
                    self.truth.exit = (!self.truth.folder_gone).then_some(true);
                }
            }
            Happens::LeftoversEnd => self.truth.package &= self.truth.host_runs,
            Happens::FolderIsDeleted => self.truth.folder_gone |= self.truth.package,
            Happens::PowerCut => {
                let truth = &mut self.truth;
                (truth.host_waits, truth.host_runs, truth.package) = (false, false, false);
                self.dies();
            }
        }
    }
}

/// What came of so many sequences of events: how often each end, and how many launches.
fn play(cases: u32, look: Look) -> Result<BTreeMap<&'static str, u32>, String> {
    let seen = RefCell::new(BTreeMap::<&str, u32>::new());
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 2_000, ..Config::default() };
    let ran = TestRunner::new_with_rng(config, rng).run(&vec(happens(), 0..80), |events| {
        let mut request = Request::new(look);
        events.into_iter().for_each(|what| request.happens(what));
        // And when nothing happens any more it comes to an end.
        for what in [Happens::HostGivesUp, Happens::PackageEnds, Happens::LeftoversEnd] {
            request.happens(Happens::Dies(false));
            request.happens(what);
        }
        for _ in 0..40 {
            request.happens(Happens::Goes);
            request.happens(Happens::PackageEnds);
        }
        prop_assert!(matches!(request.executor, Executor::Idle) && !request.open, "it ends");
        let mut seen = seen.borrow_mut();
        *seen.entry("launches").or_default() += request.launches;
        for (name, count) in request.verdicts {
            *seen.entry(name).or_default() += count;
        }
        Ok(())
    });
    ran.map_err(|e| e.to_string())?;
    Ok(seen.into_inner())
}

#[test]
fn whatever_happens_to_a_request_it_is_launched_once_at_most_and_its_end_is_true() {
    let cases = 2_000;
    let seen = play(cases, |_| {}).unwrap();
    println!("claim protocol: {cases} sequences of events against the model: {seen:?}");
    let wanted =
        ["abandoned", "not launched", "exit record", "interrupted", "proven not launched", "launches"];
    assert!(wanted.iter().all(|name| seen.get(name).is_some_and(|count| *count > 50)), "{seen:?}");
}

#[test]
fn the_model_sees_a_recovery_that_does_not_look_at_everything() {
    let blind: [(&str, Look); 3] = [
        ("whether the run host lives", |found| found.lock_held = false),
        ("that it had started", |found| found.started = false),
        ("its exit record", |found| found.exit = None),
    ];
    for (what, look) in blind {
        assert!(play(100, look).is_err(), "not looking at {what} is not caught");
    }
}
