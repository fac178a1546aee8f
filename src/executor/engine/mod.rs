//! What is known of this machine and what is done about it. `Known` answers views and judges wishes and can do nothing;
//! `Executor` holds one with the history, the lock and the journal: the service runs as it, and a command takes it on for
//! a moment when no service is there. It puts the pure parts (decision, claim protocol, outcome) together with the clock
//! and the machine. `actions` are an operator's; `proof`, `launch` and `watch` are the parts of a run; `share` keeps and
//! says what a look brought.

mod actions;
mod announce;
mod identity;
mod installed;
mod known;
mod launch;
mod lone;
mod notify;
mod noting;
mod offers;
mod overdue;
mod proof;
mod queue;
mod refusals;
mod replaced;
mod restart;
mod retention;
mod seen;
mod share;
mod stands;
mod watch;

pub use known::{InForce, Known};
pub use launch::LaunchError;
pub use notify::LEAST_FREE;
pub use proof::{Launch, Verified};

use crate::clock::{Monotonic, Wall};
use crate::config::{Config, Unusable};
use crate::error::{Exit, Failure, Result};
use crate::executor::history::{self, Cause, Delta, History, HistoryError, Lost};
use crate::executor::hours_on::HoursOn;
use crate::executor::journal::Journal;
use crate::executor::talk::protocol::{CallId, Reply, View};
use crate::executor::talk::view::{Space, Undelivered};
use crate::executor::world::{RealWorld, Sight, World};
use crate::host::account::Actor;
use crate::host::lock::ExclusiveLock;
use crate::host::paths::Layout;
use crate::site::ids::MachineId;
use crate::site::report::MachineReport;
use crate::text::SafeText;
use known::{Keep, Standing};
use lone::Lone;
use notify::Telling;
use noting::Noting;
use offers::Allowance;
use overdue::{Overdue, Unrecorded};
use refusals::Refusals;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A lost history is said in the log this often.
const LOST_SAID: Duration = Duration::from_secs(3600);

/// While the history cannot be written, that is tried again this often.
const WRITE_AGAIN: Duration = Duration::from_secs(5);

/// A failure to write the history is said this often.
const NOT_WRITTEN_SAID: Duration = Duration::from_secs(60);

/// One machine's executor.
pub struct Executor {
    known: Known,
    world: Arc<dyn World>,
    /// The history, or why it cannot be believed.
    history: std::result::Result<History, Lost>,
    /// A transition has failed since the history was read.
    doubtful: bool,
    journal: Journal,
    /// Held for as long as this is the executor of a real machine.
    lock: Option<ExclusiveLock>,
    /// What accounts without the right asked for.
    refusals: Refusals,
    /// What users have used of what they may ask for.
    allowance: Allowance,
    /// The change that is being carried out, where it has an id.
    call: Option<CallId>,
    /// Somebody removed the lock's file and another process has taken the lock: that one is the executor now.
    deposed: bool,
    /// It is the service, and no command that is the executor for a moment.
    service: bool,
    /// When the share is looked at next; only the service knows.
    poll_due: Option<Wall>,
    /// What has not reached the share; only the service knows.
    undelivered: Option<Undelivered>,
    /// Why the newest report was not signed, where reports are.
    unsigned: Option<SafeText>,
    /// Results of runs may still be owed to the outbox.
    owes: bool,
    /// The instruction file in force, until it could be kept.
    unkept: Option<Keep>,
    /// The run that ought to have ended.
    overdue: Option<Overdue>,
    /// The run that has ended well, and the look that says whether it has done what it had to do.
    proving: Option<(String, u64)>,
    /// The run that has ended and is not recorded.
    unrecorded: Option<Unrecorded>,
    /// Results that could not even be given up.
    not_given_up: BTreeSet<String>,
    /// When the clock was last seen to jump.
    jumped: Option<Monotonic>,
    /// How much of the stage something needs, in bytes, once the service has looked.
    needed_bytes: Option<u64>,
    /// Contents whose copies failed, as they were last kept for the next service.
    failed_copies: String,
    /// What this machine's own files take, once the service has looked.
    space: Option<Space>,
    /// How this machine's report stands on a share, as long as nobody else's was seen there.
    stands: Option<stands::Stands>,
    /// The same while its history is lost.
    lone: Lone,
    /// When this machine was on; only the service follows it.
    hours_on: HoursOn,
    /// What was noted in the way of requests that wait, and until when this service has looked.
    noting: Noting,
    /// What `[notify] command` is told.
    telling: Telling,
}

impl Executor {
    /// The executor of the machine that this is. A lost history is no error: it stays up and says so.
    ///
    /// # Errors
    /// The state folder cannot be used, or the machine's zone cannot be read.
    pub fn new(layout: &Layout, config: &Config, lock: ExclusiveLock, service: bool) -> Result<Executor> {
        let world = RealWorld::new(layout, &config.log);
        world.check_local()?;
        let executor = Self::of(Arc::new(world), layout, config, service)?;
        Ok(Executor { lock: Some(lock), ..executor })
    }

    /// The executor of any world. Nobody else may be the executor there.
    ///
    /// # Errors
    /// The zone cannot be read.
    pub fn of(world: Arc<dyn World>, layout: &Layout, config: &Config, service: bool) -> Result<Executor> {
        let opened = world.open_history().and_then(|history| match history.snapshot() {
            Ok(snapshot) => Ok((history, snapshot)),
            Err(e) => Err(e.into()),
        });
        let (history, read) = match opened {
            Ok((history, snapshot)) => (Ok(history), Ok(snapshot)),
            Err(lost) => (Err(lost.clone()), Err(lost)),
        };
        let mut known = Known::new(Sight::of(Arc::clone(&world)), layout, config, read)?;
        if service {
            known.serve();
        }
        let mut executor = Executor {
            known,
            history,
            doubtful: false,
            journal: Journal::of(Arc::clone(&world)),
            lock: None,
            call: None,
            refusals: Refusals::default(),
            allowance: Allowance::default(),
            deposed: false,
            service,
            poll_due: None,
            undelivered: None,
            unsigned: None,
            owes: true,
            unkept: None,
            overdue: None,
            proving: None,
            unrecorded: None,
            not_given_up: BTreeSet::new(),
            jumped: None,
            needed_bytes: None,
            failed_copies: "[]".to_owned(),
            space: None,
            stands: None,
            lone: Lone::default(),
            hours_on: HoursOn::default(),
            noting: Noting::default(),
            telling: if service { Telling::kept(world.kept_notices()) } else { Telling::default() },
            world,
        };
        if service {
            executor.take_up_failed_copies();
        }
        executor.remember_clock();
        Ok(executor)
    }

    /// All that is touched outside of this process.
    pub fn world(&self) -> &Arc<dyn World> {
        &self.world
    }

    /// What is known.
    pub fn known(&self) -> &Known {
        &self.known
    }

    /// Answers a view, with what only the executor knows.
    ///
    /// # Errors
    /// The refusal, as it is shown.
    pub fn view(&self, view: &View, actor: &Actor, now: Wall) -> Reply {
        let now = self.known.view_of(now);
        self.known.views(Some(self.standing()), now).answer(view, actor)
    }

    fn standing(&self) -> Standing<'_> {
        Standing {
            service: self.service,
            poll_due: self.poll_due,
            undelivered: self.undelivered.as_ref(),
            unsigned: self.unsigned.as_ref(),
            log_fault: self.journal.fault(),
            notify_fault: self.telling.fault(),
            needed_bytes: self.needed_bytes,
            space: self.space,
            history: self.history.as_ref().ok(),
        }
    }

    /// This machine's own account of itself (SITE.md 5).
    pub fn report(&self, now: Wall, machine: MachineId) -> MachineReport {
        // The newest hash of the chain, so that rewriting it shows on the share. Of one that is lost its name, so that the site
        // can let this machine go on from it.
        let (head, state) = match &self.history {
            Ok(history) => {
                (Some(SafeText::new(&history.head().hash)), Some(SafeText::new(history.generation())))
            }
            Err(_) => (None, self.world.lost_state()),
        };
        self.known.views(Some(self.standing()), now).report(machine, head, state)
    }

    /// It is about to be written.
    pub fn complete(&self, report: &mut MachineReport, now: Wall) {
        self.known.complete(report, now);
        report.rest.hours_on_7d = self.hours_on.hours(now);
        let after = self.history.as_ref().ok().and_then(History::after);
        report.summary.after = after.map(|state| SafeText::new(&state));
    }

    /// As if the history had not taken something.
    #[cfg(test)]
    pub fn cannot_write(&mut self) {
        self.known.unwritten = Some(("the disk is full".into(), self.world.monotonic()));
    }

    /// Of the history that is open; None: there is none.
    #[cfg(test)]
    pub fn generation(&self) -> Option<String> {
        self.history.as_ref().ok().map(|history| history.generation().to_owned())
    }

    /// What this executor says in `PACMAN.LOG`.
    pub fn journal(&mut self) -> &mut Journal {
        &mut self.journal
    }

    /// Where results wait, for whoever carries them to the share.
    pub fn outbox(&self) -> PathBuf {
        self.known.layout.outbox()
    }

    /// The service says when it looks at the share next.
    pub fn set_poll_due(&mut self, due: Option<Wall>) {
        self.poll_due = due;
    }

    /// The service says what of results and report has not reached the share.
    pub fn set_undelivered(&mut self, undelivered: Option<Undelivered>) {
        self.undelivered = undelivered;
        self.telling.heard_of_a_delivery();
    }

    /// A configuration as it was read again, or why it is not taken: others could have written it, or what is in the state
    /// folder.
    ///
    /// # Errors
    /// Why nothing runs by itself.
    pub fn believe(
        &mut self,
        read: std::result::Result<Config, Unusable>,
    ) -> std::result::Result<Config, Unusable> {
        let loose = self.world.loose(read.as_ref().unwrap_or(self.known.config()));
        let first = loose.first().map(|first| SafeText::new(&first.to_string()));
        self.known.set_loose(loose);
        first.map_or(read, |first| Err(first.into()))
    }

    /// Takes a configuration that was read again, or keeps the old one and closes the policy gate.
    pub fn set_config(&mut self, read: std::result::Result<Config, Unusable>) {
        if let Ok(config) = &read {
            self.world.set_log(&config.log);
        }
        self.known.set_config(read);
    }

    /// Refreshes what is asked of the machine rather than told: clock, users, a history that came back.
    pub fn refresh(&mut self, now: Wall) {
        self.see_ground(now);
        self.known.look_around(now);
        if self.history.is_err() {
            self.reopen(now);
        }
        let mono = self.world.monotonic();
        if self.known.unwritten.as_ref().is_some_and(|(_, tried)| mono.since(*tried) >= WRITE_AGAIN) {
            self.record_clock(now);
        }
        self.record_refusals(false);
        self.say_lost(now);
        self.say_untold(now);
        self.see_jump(now);
        if self.service {
            // A demo is no reason to keep up the machine of somebody who works there.
            self.world.keep_up(self.known.is_running() && !self.world.is_silent());
        }
        self.world.reap();
    }

    /// State folder, lock or history may be taken away under this executor, or get another in their place: whoever asks next
    /// is told, and nothing is decided on what nobody who starts later would find.
    pub fn see_ground(&mut self, now: Wall) {
        self.keep_lock(now);
        self.known.see_state();
        if let Some(why) = self.known.unusable().filter(|_| self.service) {
            let line = format!("Nothing runs by itself: {why}");
            if self.journal.once_in(NOT_WRITTEN_SAID, &line, now) {
                self.journal.error(now, &line);
            }
        }
        if self.history.as_ref().is_ok_and(|history| !history.is_in_place()) {
            self.judge_again();
        }
    }

    /// Whoever removes the file of the lock makes room for a second executor. Looked at with every step and before a
    /// launch, so that there are never two.
    fn keep_lock(&mut self, now: Wall) {
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

    /// A history that cannot be used is loud.
    fn say_lost(&mut self, now: Wall) {
        let Err(lost) = &self.history else { return };
        let failure = history_lost(lost);
        if self.journal.once_in(LOST_SAID, &failure.code, now) {
            self.journal.error(now, &format!("{}: nothing runs by itself: {failure}", failure.code));
        }
    }

    /// `pcm init --adopt` may have put things right.
    fn reopen(&mut self, now: Wall) {
        match self.world.open_history() {
            Ok(history) => {
                if let Ok(snapshot) = history.snapshot() {
                    self.history = Ok(history);
                    self.known.learn(snapshot);
                    self.journal.info(now, "History is there again.");
                }
            }
            Err(lost) => self.lose(lost),
        }
    }

    fn lose(&mut self, lost: Lost) {
        self.known.lose(lost.clone());
        self.history = Err(lost);
    }

    /// Does something with the history, if there is one.
    fn with_history<T>(
        &mut self,
        act: impl FnOnce(&mut History) -> history::Result<T>,
    ) -> std::result::Result<T, SafeText> {
        match &mut self.history {
            Ok(history) => act(history).map_err(|e| SafeText::new(&e.to_string())),
            Err(lost) => Err(lost.evidence.clone()),
        }
    }

    /// One transition, and what is known follows.
    fn transition(
        &mut self,
        act: impl FnOnce(&mut History) -> history::Result<Delta>,
    ) -> std::result::Result<(), SafeText> {
        let done = match &mut self.history {
            Ok(history) => act(history),
            Err(lost) => return Err(lost.evidence.clone()),
        };
        self.apply(done).map_err(|e| SafeText::new(&e.to_string()))
    }

    /// What is known takes over what a transition has changed. Of one that failed it is not known how much is on disk:
    /// what is known is doubtful then, until the history is read again after the next one that succeeds.
    fn apply(&mut self, done: history::Result<Delta>) -> history::Result<()> {
        match done {
            Ok(delta) if !self.doubtful => self.known.apply(delta),
            Ok(_) => self.reread(),
            Err(e) => {
                self.doubtful = true;
                return Err(e);
            }
        }
        Ok(())
    }

    /// From here on nothing is shown or decided that is doubtful.
    fn clear_doubt(&mut self) {
        if self.doubtful {
            self.reread();
        }
    }

    /// Reads everything anew. A history that can be written and not read is lost.
    fn reread(&mut self) {
        self.doubtful = false;
        match self.history.as_ref().map(History::snapshot) {
            Ok(Ok(snapshot)) => self.known.learn(snapshot),
            Ok(Err(e)) => self.lose(e.into()),
            Err(_) => {}
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
        self.known.unwritten = Some((SafeText::new(&what), self.world.monotonic()));
        // Reading it back takes some descriptors. Where there are none, nothing is known of it: that is no loss.
        if !self.world.can_look() || self.history.is_err() || !why.doubts_the_file() {
            return;
        }
        self.judge_again();
    }

    /// What stands in the place of the history may be another, or nothing.
    fn judge_again(&mut self) {
        // Looked at before it is opened: opening it moves its mark, which fails on a disk that is full.
        if let Err(gone) = self.world.read_history() {
            self.lose(gone);
        } else if let Ok(history) = self.world.open_history() {
            self.history = Ok(history);
            self.reread();
        }
    }

    /// The clock of the last run of this executor, so that one that went back over a restart is noticed.
    fn remember_clock(&mut self) {
        if let Ok(history) = &self.history
            && let (Ok(last), Ok(noted)) = (history.last_time(), history.noted_time())
        {
            if let Some(last) = last {
                self.known.clock.last_known(last, self.world.now());
            }
            if let Ok(Some(kept)) = history.meta(history::ON) {
                self.hours_on = HoursOn::kept(&kept);
            }
            // Only a service follows what is in the way. What cannot be read is noted again.
            let codes = self.service.then(|| history.noted_codes().unwrap_or_default());
            let mut codes = codes.unwrap_or_default();
            let since = &self.known.snapshot.since;
            codes.retain(|id, _| since.get(id).is_some_and(|(state, _)| noting::waits(*state)));
            self.noting = Noting::of(codes, noted);
        }
    }

    /// Writes down the time, so that the next start can see a clock that went back. Called at the start and about once a
    /// minute.
    pub fn record_clock(&mut self, now: Wall) {
        // A time that is not believed is written where nobody takes it for one: this is also how an executor that has
        // nothing to do notices that its history has gone.
        if self.service && self.known.clock.suspect_why().is_none() {
            self.hours_on.is_on(now, self.world.monotonic(), &self.world.boot_id());
        }
        let Ok(history) = &mut self.history else { return };
        let written = match self.known.clock.suspect_why() {
            None => history.set_last_time(now, self.service.then(|| self.hours_on.text()).as_deref()),
            Some(_) => history.set_meta("suspect_time", &now.to_rfc3339()),
        };
        match written {
            Ok(()) => self.known.unwritten = None,
            Err(e) => self.not_written("The time was not recorded", &e, now),
        }
    }
}

/// The refusal of whatever needs the history.
pub fn history_lost(lost: &Lost) -> Failure {
    let mend = lost.mend.as_ref().map_or("repair the file system or the rights", SafeText::as_str);
    let unreadable = format!(
        "It is not lost and nothing has to be decided: {mend}; the service goes on by itself once it can read"
    );
    let how = "pcm init --adopt=done, or --adopt=not-done to let what is due run";
    let decide = match &lost.mend {
        None => format!("Look at what is listed, then decide: {how}"),
        Some(mend) => format!("If you have it, {mend}. Else look at what is listed, then decide: {how}"),
    };
    let (code, what, remedy) = match lost.cause {
        Cause::NeverCreated => ("history-lost", "history is lost", "Create it with: pcm init"),
        Cause::Unseen => (
            "history-lost",
            "history is new",
            "Wait until the share was seen: if it holds nothing of this machine, pcm goes on by itself; or decide: pcm init \
             --adopt=done, or --adopt=not-done to let what is due run",
        ),
        Cause::Unreadable => ("state-unreadable", "history cannot be read", unreadable.as_str()),
        Cause::Earlier | Cause::Lost => ("history-lost", "history is lost", decide.as_str()),
    };
    Failure::new(Exit::Refused, code, format!("{what}: {}", lost.evidence), remedy)
}
