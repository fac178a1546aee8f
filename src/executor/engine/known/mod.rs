//! All that is known of one machine: what is published for it, what its history holds, what it says of itself, what is
//! announced. It answers every view and judges every wish, and can do nothing about them: it has no lock, no journal and
//! no history that could be written. A view is made of it alone; the executor holds one and keeps it true.

mod again;
mod done;
mod indexed;
mod installed;
mod judged;
mod machine;
mod memo;
mod offers;
mod problems;
mod queue;
mod report;
mod runs;
mod seen;
mod share;
mod signed;
mod staging;
mod views;

pub use done::InForce;
pub(super) use judged::{refused, who_wants};
pub(super) use share::{Keep, Taken};
pub(super) use views::Standing;

use super::history_lost;
use crate::clock::{Monotonic, Wall, Zone};
use crate::config::{Config, Unusable};
use crate::decision::countdown::Countdown;
use crate::decision::restart_count::Restart;
use crate::decision::simulate::Situation;
use crate::decision::{self, Announced, Decision, Facts, HostFacts, Inputs, Instructions, Policy, UserFact};
use crate::error::{Exit, Failure, Result};
use crate::executor::clock_guard::ClockGuard;
use crate::executor::footing::Footing;
use crate::executor::history::{AttemptRow, Cause, Delta, Lost, Reported, Snapshot};
use crate::executor::verify::Chain;
use crate::executor::world::{RealWorld, Sight, Store as _};
use crate::host::paths::Layout;
use crate::host::perms::Loose;
use crate::host::programs;
use crate::host::sessions::LoggedOn;
use crate::site::content::ContentFact;
use crate::site::ids::{JobId, RequestId};
use crate::site::instruction::{ContentHash, Entry, Request};
use crate::site::own_report::Stood;
use crate::site::publication::Publication;
use crate::site::share::{Found, Tag};
use crate::site::signed::published::Packages;
use crate::site::trust::TrustVerdict;
use crate::terms::Problem;
use crate::text::SafeText;
use again::Again;
use chrono::SubsecRound as _;
use memo::{Memo, Watched};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Who is logged on is asked again after this long.
const USERS_FRESH: Duration = Duration::from_secs(5);

/// What is known of one machine.
pub struct Known {
    pub(super) world: Sight,
    pub(super) layout: Layout,
    pub(super) policy: Watched<Policy>,
    pub(super) zone: Zone,
    /// What the history holds; nothing where it is lost.
    pub(super) snapshot: Watched<Snapshot>,
    /// Why the history cannot be believed.
    pub(super) lost: Option<Lost>,
    /// How this machine's report stood where, as long as it has no history that keeps it.
    pub(super) uncounted: BTreeMap<PathBuf, Stood>,
    pub(super) instructions: Watched<Instructions>,
    memo: RefCell<Memo>,
    pub(super) content: BTreeMap<ContentHash, ContentFact>,
    /// What the service is about to copy and has not tried yet, since when.
    copying: BTreeMap<ContentHash, Wall>,
    /// When content that could not be staged is copied again.
    again: Again,
    /// What has succeeded and an operator wants to run again, although its files were removed.
    wanted_again: BTreeSet<RequestId>,
    /// Why the program of a request cannot be started here.
    pub(super) unstartable: BTreeMap<RequestId, SafeText>,
    /// What others could change of state folder and configuration: views alone are answered, and nothing runs.
    loose: Vec<Loose>,
    /// What is wrong with the configuration while it cannot be read.
    config_problems: Vec<Problem>,
    /// The settings that count from the start on only, as they were then.
    at_start: Vec<(String, Option<String>)>,
    /// Those of them that stand otherwise in the file now.
    not_yet: Vec<String>,
    /// Faults of the shares that are not in force, and warnings.
    pub(super) notes: Vec<Problem>,
    /// The share that gave the file in force.
    share: Option<PathBuf>,
    /// The publication in force, once it was believed.
    held: Option<Publication>,
    /// The bytes of what is in force in mode `signed`: they are verified again before each launch.
    signed: Option<(Vec<u8>, Packages)>,
    /// The same of an index, in both modes.
    indexed: Option<indexed::InBytes>,
    /// What servers call the indexes that they gave.
    tags: Vec<Tag>,
    /// The shares that offered something at the newest look that was answered.
    offer: BTreeSet<PathBuf>,
    /// Which packages are installed, by their own tests.
    looked: installed::Looked,
    /// What the configuration says where policies of groups may say more.
    configured: indexed::Configured,
    /// What an index in force called cancelled and the history does not know yet.
    pub(super) cancelled: BTreeSet<JobId>,
    /// Newer versions of the trust list that were taken and not kept yet.
    pub(super) lists: Vec<Vec<u8>>,
    /// What trusted shares offer while all of it is older than what this machine has seen; nothing of it is in force.
    behind: Vec<Found>,
    /// How often the site wants to be asked.
    site_polling: Option<Duration>,
    pub(super) users: LoggedOn,
    users_asked: Monotonic,
    /// Power and start, asked as often.
    host: HostFacts,
    pub(super) clock: ClockGuard,
    /// Whoever has this is the service.
    service: bool,
    /// What could not be written into the history, until something can; and when that was tried.
    pub(super) unwritten: Option<(SafeText, Monotonic)>,
    /// The run whose package has ended while its run host cannot write down how, and that in words.
    pub(super) unrecorded: Option<(SafeText, SafeText)>,
    /// What keeps everything from being written, seen without trying.
    unusable: Option<SafeText>,
    /// Only the service counts down.
    pub(super) countdown: Countdown,
    pub(super) restart: Restart,
}

impl Known {
    /// For whoever may read the state folder while nobody holds the executor.
    ///
    /// # Errors
    /// The machine's zone cannot be read, or this account may not read the state folder.
    pub fn read(layout: &Layout, config: &Config) -> Result<Known> {
        let world = RealWorld::new(layout, &config.log);
        world.check_readable()?;
        let read = world.read_history();
        let known = Self::new(Sight::of(Arc::new(world)), layout, config, read)?;
        let unusable = known.world.unusable();
        Ok(Known { loose: Footing::of(layout, config).refused, unusable, ..known })
    }

    /// With what was read of the history.
    pub(super) fn new(
        world: Sight,
        layout: &Layout,
        config: &Config,
        read: std::result::Result<Snapshot, Lost>,
    ) -> Result<Known> {
        let zone = world.zone("local").map_err(|e| {
            Failure::new(Exit::Failed, "zone-unreadable", e.to_string(), "Times cannot be judged without it")
        })?;
        let mut known = Known {
            layout: layout.clone(),
            policy: Watched::new(policy(config, &world, &zone)),
            zone,
            snapshot: Watched::new(Snapshot::default()),
            lost: None,
            uncounted: BTreeMap::new(),
            instructions: Watched::new(Instructions::default()),
            memo: RefCell::default(),
            content: BTreeMap::new(),
            again: Again::default(),
            wanted_again: BTreeSet::new(),
            unstartable: BTreeMap::new(),
            copying: BTreeMap::new(),
            loose: Vec::new(),
            config_problems: Vec::new(),
            at_start: config.at_start(),
            not_yet: Vec::new(),
            notes: Vec::new(),
            share: None,
            held: None,
            signed: None,
            indexed: None,
            tags: Vec::new(),
            offer: BTreeSet::new(),
            looked: installed::Looked::default(),
            configured: indexed::Configured::of(config),
            cancelled: BTreeSet::new(),
            lists: Vec::new(),
            behind: Vec::new(),
            site_polling: None,
            users: world.logged_on(),
            users_asked: world.monotonic(),
            host: host_facts(&world),
            clock: ClockGuard::default(),
            service: false,
            unwritten: None,
            unrecorded: None,
            unusable: None,
            countdown: Countdown::default(),
            restart: Restart::default(),
            world,
        };
        match read {
            Ok(snapshot) => known.learn(snapshot),
            Err(lost) => known.lose(lost),
        }
        known.load_held();
        known.want_all_looked_up();
        known.keep_start(known.world.now());
        known.clock.step(known.world.now(), known.world.monotonic(), known.world.clock_synchronised());
        Ok(known)
    }

    /// From now on it is the service that has this.
    pub(super) fn serve(&mut self) {
        self.service = true;
    }

    /// The history holds this.
    pub(super) fn learn(&mut self, snapshot: Snapshot) {
        *self.snapshot = snapshot;
        self.snapshot.view.cancelled.extend(&self.cancelled);
        self.lost = None;
        self.drop_older();
    }

    /// The history has changed by this.
    pub(super) fn apply(&mut self, delta: Delta) {
        self.snapshot.apply(delta);
    }

    /// The history cannot be believed: nothing is known of it.
    pub(super) fn lose(&mut self, lost: Lost) {
        let mut snapshot = Snapshot::default();
        let closed = |way_out: &str| Some(SafeText::new(&format!("{}; {way_out}", lost.evidence)));
        let decide = "an operator has to decide with pcm init --adopt=done or not-done";
        match lost.cause {
            Cause::Unreadable => {
                let mend = lost.mend.as_ref().map(|mend| format!("; {mend}")).unwrap_or_default();
                snapshot.view.unreadable = Some(SafeText::new(&format!("{}{mend}", lost.evidence)));
            }
            Cause::NeverCreated => snapshot.view.lost = closed("pcm init creates it"),
            Cause::Unseen => {
                snapshot.view.lost = closed(
                    "pcm goes on by itself once it was seen and holds nothing of this machine, or an operator decides \
                     with pcm init --adopt=done or not-done",
                );
            }
            Cause::Earlier | Cause::Lost => snapshot.view.lost = closed(decide),
        }
        *self.snapshot = snapshot;
        self.lost = Some(lost);
    }

    /// What it knows of its own reports; None: without a history it knows nothing.
    pub fn own_reports(&self) -> Option<Reported> {
        match &self.lost {
            None => Some(self.snapshot.reported.clone()),
            Some(_) => self
                .reports_without_history()
                .then(|| Reported { stands: self.uncounted.clone(), ..Reported::default() }),
        }
    }

    /// Its history is lost and it reports that: its reports have no number.
    pub(super) fn reports_without_history(&self) -> bool {
        self.lost.as_ref().is_some_and(|lost| matches!(lost.cause, Cause::Lost | Cause::Earlier))
    }

    /// Another machine reports as this one, and what stands on the share says so.
    pub fn is_silent(&self) -> bool {
        self.snapshot.reported.other.as_ref().is_some_and(|other| other.told)
    }

    /// Nothing is reported: it is not known yet whether what stands on the share is of an earlier life of this machine. Once it
    /// is, its history keeps that, and its reports say so.
    pub fn reports_nothing_yet(&self) -> bool {
        let causes = [Cause::NeverCreated, Cause::Unseen];
        self.lost.as_ref().is_some_and(|lost| causes.contains(&lost.cause))
    }

    /// Its history is not created yet, or is new and not the whole as long as nobody knows or has decided.
    pub fn is_new(&self) -> bool {
        let causes = [Cause::NeverCreated, Cause::Unseen, Cause::Earlier];
        self.lost.as_ref().is_some_and(|lost| causes.contains(&lost.cause))
    }

    /// The history was changed by another process: a view reads it again.
    pub fn reread(&mut self) {
        if let Ok(snapshot) = self.world.read_history() {
            self.learn(snapshot);
        }
    }

    /// Asks the machine anew what it says of itself: its clocks, who is logged on, what it runs on.
    pub(super) fn look_around(&mut self, now: Wall) {
        let mono = self.world.monotonic();
        self.keep_start(now);
        self.clock.step(now, mono, self.world.clock_synchronised());
        if mono.since(self.users_asked) >= USERS_FRESH {
            self.users = self.world.logged_on();
            self.users_asked = mono;
            self.host = host_facts(&self.world);
        }
    }

    /// Takes what others could change of the state folder and the configuration; nothing is done while that is so.
    pub(super) fn set_loose(&mut self, loose: Vec<Loose>) {
        self.loose = loose;
    }

    /// Looks anew whether the state folder can be written at all.
    pub(super) fn see_state(&mut self) {
        self.unusable = self.world.unusable();
    }

    /// What keeps everything from being written down.
    pub(super) fn unusable(&self) -> Option<&SafeText> {
        self.unusable.as_ref()
    }

    /// Others could change the state folder or the configuration.
    pub fn is_loose(&self) -> bool {
        !self.loose.is_empty()
    }

    /// Whether an operator may have something done.
    ///
    /// # Errors
    /// As [`Footing::check`].
    pub(super) fn check_footing(&self) -> Result<()> {
        Footing { refused: self.loose.clone(), warned: Vec::new() }.check()
    }

    /// Takes a configuration that was read again, or keeps the old one and closes the policy gate.
    pub(super) fn set_config(&mut self, read: std::result::Result<Config, Unusable>) {
        match read {
            Ok(mut config) => {
                self.config_problems.clear();
                config.obey_site(self.site_polling);
                let now = config.at_start();
                // What is in force and in the history is of the machine that this service was started for.
                config.machine = self.policy.config.machine;
                self.not_yet = self
                    .at_start
                    .iter()
                    .zip(&now)
                    .filter(|(was, is)| was != is)
                    .map(|(_, is)| is.0.clone())
                    .collect();
                let by = |config: &Config| {
                    let trust = &config.trust;
                    (trust.mode, trust.publish_signatures, trust.package_ignore_windows)
                };
                if by(&config) != by(&self.policy.config) {
                    // What was believed by the other rule is not by this one; the next look says.
                    self.instructions.trust = TrustVerdict::Unchecked;
                    self.instructions.signed = None;
                }
                *self.policy = policy(&config, &self.world, &self.zone);
                self.configured = indexed::Configured::of(&config);
                self.obey_groups();
            }
            Err(unusable) => {
                self.policy.unreadable = Some(unusable.why);
                self.config_problems = unusable.problems;
            }
        }
    }

    /// Whether what is in force was judged by the rules of the configuration in force.
    pub fn is_judged(&self) -> bool {
        !matches!(self.instructions.trust, TrustVerdict::Unchecked)
    }

    /// The configuration in force.
    pub fn config(&self) -> &Config {
        &self.policy.config
    }

    /// The decisions, with the words of a list.
    pub fn decide(&self, now: Wall) -> Vec<Decision> {
        let mut decisions = self.with_inputs(now, decision::decide);
        decisions.retain(Decision::is_listed);
        decisions
    }

    /// What decisions depend on beside the time, for whoever simulates.
    pub fn situation(&self) -> Situation {
        Situation {
            instructions: self.instructions.clone(),
            history: self.snapshot.view.clone(),
            facts: self.facts(),
            policy: self.policy.clone(),
            zone: self.zone.clone(),
        }
    }

    /// The chain of its history, for whoever verifies it.
    pub fn chain(&self) -> Chain {
        Chain { layout: self.layout.clone(), lost: self.lost.is_some() }
    }

    pub(super) fn with_inputs<T>(&self, now: Wall, ask: impl FnOnce(&Inputs) -> T) -> T {
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

    pub(super) fn facts(&self) -> Facts {
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
            service: self.service,
            unwritten: self
                .unusable
                .clone()
                .or_else(|| self.unwritten.as_ref().map(|(what, _)| what.clone())),
            running: self
                .running()
                .map(|row| (row.request, row.attempt.started_at.unwrap_or(row.attempt.claimed_at))),
            countdown: self.announced(),
            content: self.content.clone(),
            installed: self.findings(),
            programs: programs::allowed(&self.policy.config.execute.programs),
            unstartable: self.unstartable.clone(),
            copying: self.copying.clone(),
        }
    }

    /// The attempts that have not ended.
    pub(super) fn under_way(&self) -> impl Iterator<Item = &AttemptRow> {
        self.snapshot.open()
    }

    /// The attempt that is under way, if any.
    pub(super) fn running(&self) -> Option<&AttemptRow> {
        self.under_way().next()
    }

    /// A run is under way.
    pub fn is_running(&self) -> bool {
        self.running().is_some()
    }

    /// What is announced and not launched.
    pub(super) fn announced(&self) -> Option<Announced> {
        let announced = self.countdown.announced(self.world.monotonic(), self.world.now())?;
        Some(Announced { ends: announced.ends.round_subsecs(0), ..announced })
    }

    /// The request that is announced.
    pub fn announced_request(&self) -> Option<RequestId> {
        self.announced().map(|announced| announced.request)
    }

    /// Until the countdown has something to do; None: nothing is announced.
    pub fn countdown_wake(&self) -> Option<Duration> {
        self.countdown.wake(self.world.monotonic())
    }

    /// Until the restart has something to do; None: it is not announced.
    pub fn restart_wake(&self) -> Option<Duration> {
        self.restart.wake(self.world.monotonic())
    }

    /// When the next gate changes by time, of a request or of a pending restart; the service sleeps until then.
    pub fn next_instant(&self, now: Wall) -> Option<Wall> {
        let gates = decision::next_instant(&self.verdicts(now), now);
        let restart = self.restart_plan(now).next.filter(|at| *at > now);
        gates.into_iter().chain(restart).min()
    }

    /// A package wants a restart, and the machine has not restarted since.
    fn restart_pending(&self) -> bool {
        self.snapshot.view.attempts.wanting_restart(&self.world.boot_id()).next().is_some()
    }

    /// When what is in force was published, by the publisher's clock.
    pub(super) fn published_at(&self) -> Option<Wall> {
        self.instructions.file.as_ref().map(|file| file.issued)
    }

    pub(super) fn find_request(&self, id: RequestId) -> Option<&Request> {
        self.instructions.file.as_ref()?.requests.iter().find_map(|entry| match entry {
            Entry::Good(request) if request.request_id == id => Some(&**request),
            _ => None,
        })
    }

    fn attempts_of(&self, id: RequestId) -> impl DoubleEndedIterator<Item = &AttemptRow> {
        self.snapshot.attempts_of(id)
    }

    /// The refusal of whatever needs a history that can be believed.
    fn believable(&self) -> Result<()> {
        self.lost.as_ref().map_or(Ok(()), |lost| Err(history_lost(lost)))
    }

    /// A time as this machine's clock shows it.
    pub(super) fn local(&self, at: Wall) -> String {
        self.zone.to_local(at).format("%Y-%m-%d %H:%M").to_string()
    }

    /// The account that packages run as.
    fn run_as(&self) -> SafeText {
        match &self.policy.config.run.run_as {
            Some(name) => SafeText::new(name),
            None => self.world.account(),
        }
    }
}

fn host_facts(world: &Sight) -> HostFacts {
    let up = chrono::TimeDelta::from_std(world.monotonic().0).ok();
    // To the second: the two clocks are read one after the other.
    world.host_facts(up.and_then(|up| world.now().checked_sub_signed(up)).map(|at| at.trunc_subsecs(0)))
}

fn policy(config: &Config, world: &Sight, local: &Zone) -> Policy {
    let window_zone = match config.windows.zone.as_str() {
        "local" => Ok(local.clone()),
        name => world.zone(name).map_err(|e| SafeText::new(&e.to_string())),
    };
    Policy { config: config.clone(), unreadable: None, window_zone, groups: Vec::new() }
}
