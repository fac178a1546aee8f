//! The executor: what the service runs as, and what a command takes on for a moment when no service is there. It puts
//! the pure parts (decision, claim protocol, outcome) together with the history, the clock and the machine. Views and
//! actions are the calls of `protocol`; `launch` and `watch` are the two ends of a run; `source` takes what a look at
//! the share brought.

mod actions;
mod announce;
mod docs;
mod launch;
mod memo;
mod notify;
mod noting;
mod overdue;
mod polling;
mod report;
mod restart;
mod retention;
mod source;
mod watch;

pub use launch::LaunchError;

use super::clock_guard::ClockGuard;
use super::history::{Cause, History, HistoryError, Lost, Snapshot};
use super::journal::Journal;
use super::world::{RealWorld, Store, World};
use crate::clock::{Wall, Zone};
use crate::config::Config;
use crate::decision::countdown::Countdown;
use crate::decision::restart_count::Restart;
use crate::decision::{self, Decision, Facts, HostFacts, Inputs, Instructions, Policy, UserFact};
use crate::error::{Exit, Failure, Result};
use crate::host::paths::Layout;
use crate::host::sessions::LoggedOn;
use crate::host::{lock::ExclusiveLock, programs};
use crate::site::content::ContentFact;
use crate::site::instruction::ContentHash;
use crate::terms::{Group, Problem};
use crate::text::SafeText;
use chrono::SubsecRound as _;
use memo::{Memo, Watched};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Who is logged on is asked again after this long.
const USERS_FRESH: Duration = Duration::from_secs(5);

/// A lost history is said in the log this often.
const LOST_SAID: Duration = Duration::from_secs(3600);

/// While the history cannot be written, that is tried again this often.
const WRITE_AGAIN: Duration = Duration::from_secs(5);

/// A failure to write the history is said this often.
const NOT_WRITTEN_SAID: Duration = Duration::from_secs(60);

/// How the history is reached.
enum Past {
    /// Open for writing: this is the executor.
    Open(Box<History>),
    /// Read once for a view.
    Read,
    /// It cannot be believed.
    Lost(Lost),
}

/// One machine's executor, or a view of it.
pub struct Engine {
    world: Arc<dyn World>,
    layout: Layout,
    policy: Watched<Policy>,
    zone: Zone,
    /// Held while this is the executor of a real machine.
    lock: Option<ExclusiveLock>,
    /// This is the executor, and no view.
    executes: bool,
    /// Somebody removed the lock's file and another process has taken the lock: that one is the executor now.
    deposed: bool,
    past: Past,
    snapshot: Watched<Snapshot>,
    instructions: Watched<Instructions>,
    memo: RefCell<Memo>,
    content: BTreeMap<ContentHash, ContentFact>,
    /// Faults of the shares that are not in force, and warnings.
    notes: Vec<Problem>,
    users: LoggedOn,
    users_asked: crate::clock::Monotonic,
    /// Power and start, asked as often.
    host: HostFacts,
    clock: ClockGuard,
    /// Only the service counts down.
    countdown: Countdown,
    restart: Restart,
    journal: Journal,
    /// When the share is looked at next; only the service knows.
    poll_due: Option<Wall>,
    service: bool,
    /// The share that gave the file in force.
    share: Option<PathBuf>,
    /// Results of runs may still be owed to the outbox.
    owes: bool,
    /// What could not be written into the history, until something can, and when that was tried last.
    unwritten: Option<(SafeText, crate::clock::Monotonic)>,
    /// The bytes of the file in force, once it was believed.
    held_bytes: Option<Vec<u8>>,
    /// How often the site wants to be asked.
    site_polling: Option<Duration>,
    /// The run that ought to have ended.
    overdue: Option<overdue::Overdue>,
    /// What was noted in the way of requests that wait, and until when this service has looked.
    noting: noting::Noting,
}

impl Engine {
    /// The executor itself. The lock must be held by the caller and stays with the engine.
    ///
    /// # Errors
    /// The state folder cannot be used, or the machine's zone cannot be read. A lost history is no error: the engine
    /// stays up and says so.
    pub fn executor(layout: &Layout, config: &Config, lock: ExclusiveLock, service: bool) -> Result<Engine> {
        let world = RealWorld::new(layout, &config.log);
        world.check_local()?;
        let mut engine = Self::executor_in(Arc::new(world), layout, config, service)?;
        engine.lock = Some(lock);
        Ok(engine)
    }

    /// The executor of any world. Nobody else may be the executor there.
    ///
    /// # Errors
    /// The zone cannot be read.
    pub fn executor_in(
        world: Arc<dyn World>,
        layout: &Layout,
        config: &Config,
        service: bool,
    ) -> Result<Engine> {
        let (past, snapshot) = match world.open_history() {
            Ok(history) => match history.snapshot() {
                Ok(snapshot) => (Past::Open(Box::new(history)), snapshot),
                Err(e) => lost(e.into()),
            },
            Err(lost_history) => lost(lost_history),
        };
        let mut engine = Self::new(world, layout, config, past, snapshot)?;
        engine.executes = true;
        engine.service = service;
        engine.remember_clock();
        Ok(engine)
    }

    /// A view for whoever may read the state folder while nobody holds the executor.
    ///
    /// # Errors
    /// The machine's zone cannot be read, or this account may not read the state folder.
    pub fn viewer(layout: &Layout, config: &Config) -> Result<Engine> {
        let world = RealWorld::new(layout, &config.log);
        world.check_readable()?;
        let (past, snapshot) = match world.read_history() {
            Ok(snapshot) => (Past::Read, snapshot),
            Err(lost_history) => lost(lost_history),
        };
        let mut engine = Self::new(Arc::new(world), layout, config, past, snapshot)?;
        engine.journal.mute();
        Ok(engine)
    }

    fn new(
        world: Arc<dyn World>,
        layout: &Layout,
        config: &Config,
        past: Past,
        snapshot: Snapshot,
    ) -> Result<Engine> {
        let zone = world.zone("local").map_err(|e| {
            Failure::new(Exit::Failed, "zone-unreadable", e.to_string(), "Times cannot be judged without it")
        })?;
        let mut engine = Engine {
            layout: layout.clone(),
            policy: Watched::new(policy(config, &*world, &zone)),
            zone,
            lock: None,
            executes: false,
            deposed: false,
            past,
            snapshot: Watched::new(snapshot),
            instructions: Watched::new(Instructions::default()),
            memo: RefCell::default(),
            content: BTreeMap::new(),
            notes: Vec::new(),
            users: world.logged_on(),
            users_asked: world.monotonic(),
            host: host_facts(&*world),
            clock: ClockGuard::default(),
            countdown: Countdown::default(),
            restart: Restart::default(),
            journal: Journal::of(Arc::clone(&world)),
            poll_due: None,
            service: false,
            share: None,
            site_polling: None,
            noting: noting::Noting::default(),
            #[cfg(not(test))]
            owes: true,
            #[cfg(test)]
            owes: !super::mutants::on(super::mutants::Mutant::ReportForgotten),
            held_bytes: None,
            overdue: None,
            unwritten: None,
            world,
        };
        engine.load_held();
        engine.keep_start(engine.world.now());
        engine.clock.step(engine.world.now(), engine.world.monotonic(), engine.world.clock_synchronised());
        Ok(engine)
    }

    /// The decisions, with the words of a list.
    pub fn decide(&self, now: Wall) -> Vec<Decision> {
        self.with_inputs(now, decision::decide)
    }

    fn with_inputs<T>(&self, now: Wall, ask: impl FnOnce(&Inputs) -> T) -> T {
        self.with_facts(&self.facts(), now, ask)
    }

    fn with_facts<T>(&self, facts: &Facts, now: Wall, ask: impl FnOnce(&Inputs) -> T) -> T {
        ask(&Inputs {
            instructions: &self.instructions,
            history: &self.snapshot.view,
            facts,
            policy: &self.policy,
            zone: &self.zone,
            now,
        })
    }

    fn facts(&self) -> Facts {
        let ignored = &self.policy.config.users.ignore;
        Facts {
            platform: self.world.platform(),
            users: self.users.known().map(|sessions| {
                sessions
                    .iter()
                    .filter(|s| !ignored.iter().any(|name| name == s.user.as_str()))
                    .map(UserFact::of)
                    .collect()
            }),
            clock_suspect: self.clock.suspect_why().cloned(),
            boot_id: self.world.boot_id(),
            host: self.host.clone(),
            disk_free: self.world.disk_free(),
            running: self
                .running()
                .map(|row| (row.request, row.attempt.started_at.unwrap_or(row.attempt.claimed_at))),
            countdown: self.announced(),
            content: self.content.clone(),
            programs: programs::allowed(&self.policy.config.execute.programs),
        }
    }

    /// The attempt that is under way, if any.
    fn running(&self) -> Option<&super::history::AttemptRow> {
        self.snapshot.attempts.iter().find(|row| row.attempt.state.group() == Group::Running)
    }

    /// Refreshes what is asked of the machine rather than told: clock, users, a history that came back.
    pub fn refresh(&mut self, now: Wall) {
        let mono = self.world.monotonic();
        self.keep_lock(now);
        self.keep_start(now);
        self.clock.step(now, mono, self.world.clock_synchronised());
        if mono.since(self.users_asked) >= USERS_FRESH {
            self.users = self.world.logged_on();
            self.users_asked = mono;
            self.host = host_facts(&*self.world);
        }
        if matches!(self.past, Past::Lost(_)) && self.executes {
            self.reopen(now);
        }
        if self.unwritten.as_ref().is_some_and(|(_, tried)| mono.since(*tried) >= WRITE_AGAIN) {
            self.record_clock(now);
        }
        self.say_lost(now);
        self.say_untold(now);
        self.see_jump(now);
        if self.service {
            self.world.keep_up(self.is_running());
        }
        self.world.reap();
    }

    /// Whoever removes the file of the lock makes room for a second executor. Looked at with every step and before a
    /// launch, so that there are never two.
    pub(super) fn keep_lock(&mut self, now: Wall) {
        let Some(lock) = &mut self.lock else { return };
        match lock.keep() {
            Ok(kept) => self.deposed |= !kept,
            // Its folder is gone or cannot be read: said as a trouble of the history in it.
            Err(_) => return,
        }
        if self.deposed && self.journal.once_in(Duration::MAX, "deposed", now) {
            self.journal.error(
                now,
                "The lock of the executor was removed and another process has it: this one ends.",
            );
        }
    }

    /// Another process is the executor now.
    pub fn is_deposed(&self) -> bool {
        self.deposed
    }

    /// A history that cannot be used is loud: in the log, and to whoever is to be told.
    fn say_lost(&mut self, now: Wall) {
        let Past::Lost(lost) = &self.past else { return };
        let failure = history_lost(lost);
        if self.journal.once_in(LOST_SAID, &failure.code, now) {
            let why = failure.to_string();
            self.journal.error(now, &format!("{}: nothing runs by itself: {why}", failure.code));
            // A command that pages somebody is for what a person has to decide.
            if lost.cause != Cause::Unreadable {
                self.notify("history-lost", None, &why, now);
            }
        }
    }

    /// `pcm init --adopt` may have put things right.
    fn reopen(&mut self, now: Wall) {
        match self.world.open_history() {
            Ok(history) => {
                if let Ok(snapshot) = history.snapshot() {
                    self.past = Past::Open(Box::new(history));
                    *self.snapshot = snapshot;
                    self.journal.info(now, "History is there again.");
                }
            }
            Err(now_lost) => {
                let (past, snapshot) = lost(now_lost);
                self.past = past;
                *self.snapshot = snapshot;
            }
        }
    }

    /// The history, if it can be written.
    fn history(&mut self) -> Result<&mut History> {
        match &mut self.past {
            Past::Open(history) => Ok(history),
            Past::Read => Err(Failure::new(
                Exit::Failed,
                "not-executor",
                "this process only views",
                "That is a defect of pcm: report it",
            )),
            Past::Lost(lost) => Err(history_lost(lost)),
        }
    }

    /// Reads back what a transition changed. A history that can be written and not read is lost.
    fn reread(&mut self) {
        if let Past::Open(history) = &self.past {
            match history.snapshot() {
                Ok(snapshot) => *self.snapshot = snapshot,
                Err(e) => (self.past, *self.snapshot) = lost(e.into()),
            }
        }
    }

    /// The history did not take something. It may have been deleted or replaced under this executor: then it is lost
    /// here as it would be for one that starts, or the one in its place is believable and is opened. A disk that is full
    /// only for now leaves it readable and believed, and is no reason to judge all of it again at every step.
    fn not_written(&mut self, what: &str, why: &HistoryError, now: Wall) {
        let what = format!("{what}: {why}");
        if self.journal.once_in(NOT_WRITTEN_SAID, &what, now) {
            self.journal.error(now, &what);
        }
        self.unwritten = Some((SafeText::new(&what), self.world.monotonic()));
        // Reading it back takes some descriptors. Where there are none, nothing is known of it: that is no loss.
        if !self.world.can_look() || !matches!(self.past, Past::Open(_)) || !why.doubts_the_file() {
            return;
        }
        // Looked at before it is opened: opening it moves its mark, which fails on a disk that is full.
        if let Err(gone) = self.world.read_history() {
            (self.past, *self.snapshot) = lost(gone);
        } else if let Ok(history) = self.world.open_history() {
            self.past = Past::Open(Box::new(history));
            self.reread();
        }
    }

    /// When the next gate changes by time, of a request or of a pending restart; the service sleeps until then.
    pub fn next_instant(&self, now: Wall) -> Option<Wall> {
        let gates = decision::next_instant(&self.verdicts(now), now);
        gates.into_iter().chain(self.restart_opens(now)).min()
    }

    /// Of the history that is open; None: there is none.
    #[cfg(test)]
    pub fn generation(&self) -> Option<String> {
        match &self.past {
            Past::Open(history) => Some(history.generation().to_owned()),
            Past::Read | Past::Lost(_) => None,
        }
    }

    /// A run is under way.
    pub fn is_running(&self) -> bool {
        self.running().is_some()
    }

    /// What this executor says in `PACMAN.LOG`.
    pub fn journal(&mut self) -> &mut Journal {
        &mut self.journal
    }

    /// All that this executor touches outside of itself.
    pub fn world(&self) -> &Arc<dyn World> {
        &self.world
    }

    /// Where results wait, for whoever carries them to the share.
    pub fn outbox(&self) -> PathBuf {
        self.layout.outbox()
    }

    /// The service says when it looks at the share next.
    pub fn set_poll_due(&mut self, due: Option<Wall>) {
        self.poll_due = due;
    }

    /// The configuration in force.
    pub fn config(&self) -> &Config {
        &self.policy.config
    }

    /// Takes a configuration that was read again, or keeps the old one and closes the policy gate.
    pub fn set_config(&mut self, read: std::result::Result<Config, SafeText>) {
        match read {
            Ok(mut config) => {
                config.obey_site(self.site_polling);
                *self.policy = policy(&config, &*self.world, &self.zone);
            }
            Err(why) => self.policy.unreadable = Some(why),
        }
    }

    /// The clock of the last run of this executor, so that one that went back over a restart is noticed.
    fn remember_clock(&mut self) {
        if let Past::Open(history) = &self.past
            && let (Ok(last), Ok(noted)) = (history.last_time(), history.noted_time())
        {
            if let Some(last) = last {
                self.clock.last_known(last, self.world.now());
            }
            if let Some(noted) = noted {
                self.noting.looked(noted);
            }
        }
    }

    /// Writes down the time, so that the next start can see a clock that went back. Called at the start and about once a
    /// minute.
    pub fn record_clock(&mut self, now: Wall) {
        // A time that is not believed is written where nobody takes it for one: this is also how an executor that has
        // nothing to do notices that its history has gone.
        let Past::Open(history) = &mut self.past else { return };
        let written = match self.clock.suspect_why() {
            None => history.set_last_time(now),
            Some(_) => history.set_meta("suspect_time", &now.to_rfc3339()),
        };
        match written {
            Ok(()) => self.unwritten = None,
            Err(e) => self.not_written("The time was not recorded", &e, now),
        }
    }
}

fn host_facts(world: &dyn World) -> HostFacts {
    let up = chrono::TimeDelta::from_std(world.monotonic().0).ok();
    // To the second: the two clocks are read one after the other.
    world.host_facts(up.and_then(|up| world.now().checked_sub_signed(up)).map(|at| at.trunc_subsecs(0)))
}

fn lost(lost: Lost) -> (Past, Snapshot) {
    let mut snapshot = Snapshot::default();
    let evidence = Some(lost.evidence.clone());
    match lost.cause {
        Cause::Unreadable => snapshot.view.unreadable = evidence,
        Cause::NeverCreated | Cause::Lost => snapshot.view.lost = evidence,
    }
    (Past::Lost(lost), snapshot)
}

/// The refusal of whatever needs the history.
pub fn history_lost(lost: &Lost) -> Failure {
    let (code, what, remedy) = match lost.cause {
        Cause::NeverCreated => ("history-lost", "history is lost", "Create it with: pcm init"),
        Cause::Unreadable => (
            "state-unreadable",
            "history cannot be read",
            "It is not lost and nothing has to be decided: repair the file system or the rights; the service goes on by \
             itself once it can read",
        ),
        Cause::Lost => (
            "history-lost",
            "history is lost",
            "Look at what is listed, then decide: pcm init --adopt=done, or --adopt=not-done to let what is due run",
        ),
    };
    Failure::new(Exit::Refused, code, format!("{what}: {}", lost.evidence), remedy)
}

fn policy(config: &Config, world: &dyn World, local: &Zone) -> Policy {
    let window_zone = match config.windows.zone.as_str() {
        "local" => Ok(local.clone()),
        name => world.zone(name).map_err(|e| SafeText::new(&e.to_string())),
    };
    Policy { config: config.clone(), unreadable: None, window_zone }
}
