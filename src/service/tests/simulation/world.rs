//! The simulated machine: its clocks, its disk, who is logged on, and the point at which each effect can fail or the
//! service or the whole machine can die.

use super::disk::Disk;
use super::hosts::SimHost;
use super::mutants::{Before, Mutant};
use super::share::{Job, SimShare};
use super::site;
use crate::clock::{Monotonic, Wall, Zone, ZoneError};
use crate::config::Config;
use crate::executor::history::Lost;
use crate::executor::share::job::{ShareJob, ShareNews};
use crate::executor::world::Machine;
use crate::host::paths::Layout;
use crate::host::sessions::{LoggedOn, Session, SessionKind};
use crate::service::tests::random::Random;
use crate::service::worker::News;
use crate::site::ids::RequestId;
use crate::site::instruction::{ContentHash, InstructionFile, Request};
use crate::terms::Platform;
use crate::text::SafeText;
use chrono::TimeDelta;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Of the history that a machine begins with.
pub const FIRST_GENERATION: &str = "00000001";

/// The newest events that a failure shows.
const EVENTS: usize = 90;

/// What dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Death {
    Service,
    ServiceAndHost,
    Machine,
}

/// What happens at an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    Error,
    Dies(Death),
}

/// The payload of the unwinding that stands for the death of the process.
pub struct Crash;

/// One package that was launched.
#[derive(Debug, Clone)]
pub struct Launch {
    pub run: String,
    /// Which history it belongs to: one that an operator adopts starts a new count.
    pub epoch: u32,
    /// In which boot.
    pub boot: u32,
}

/// Everything that changes.
pub struct Inner {
    pub random: Random,
    /// What this world does wrong.
    pub mutant: Option<Mutant>,
    pub before: Before,
    pub wall: Wall,
    /// Since this boot.
    pub mono: Duration,
    pub boot: u32,
    pub layout: Layout,
    pub zone: Zone,
    pub config: Config,
    /// None: it cannot be known.
    pub users: Option<Vec<&'static str>>,
    pub disk: Disk,
    pub disk_full: bool,
    pub staged: BTreeSet<ContentHash>,
    /// How often somebody has done something to it.
    pub touched: BTreeMap<ContentHash, u64>,
    /// Staged content that is not what was published.
    pub spoilt: BTreeSet<ContentHash>,
    /// The states in which staged content was verified.
    pub verified: BTreeSet<(ContentHash, String)>,
    /// The time stamp of the held file.
    pub seen: Option<Wall>,
    /// What happens after so many more effects; only those of this name count, where there is one.
    pub fault: Option<(u32, Option<&'static str>, Fault)>,
    pub died: Option<Death>,
    pub hosts: BTreeMap<String, SimHost>,
    pub share: SimShare,
    /// The instruction file with the highest serial that this machine has kept.
    pub highest: Option<InstructionFile>,
    pub jobs: Vec<Job>,
    pub news: VecDeque<News>,
    /// Every request that was ever published.
    pub published: BTreeMap<RequestId, Request>,
    /// The highest serial that each of them was published with.
    pub last_serial: BTreeMap<RequestId, u64>,
    pub witness: Vec<Launch>,
    /// The exit records of the history in force whose folders were put away.
    pub exits_away: BTreeMap<String, Vec<u8>>,
    /// How many histories an operator has given up.
    pub epoch: u32,
    /// The histories that operators have made, by generation.
    pub generations: BTreeMap<String, u32>,
    /// Of the history that the service has open; where it has none, it can only open the one in force.
    pub speaking: Option<u32>,
    /// History was taken away or replaced by one behind its mark, and nobody has adopted it yet.
    pub lost: bool,
    /// How often the service has opened a history.
    pub opened: u64,
    /// How often somebody else than the service has changed the history's files.
    pub tampered: u64,
    /// What was found when that was so, of a history that is lost.
    pub judged: Option<(u64, Lost)>,
    /// A hold that was answered as set.
    pub held_until: Option<Wall>,
    pub deferred: BTreeMap<RequestId, Wall>,
    pub adopted: BTreeSet<RequestId>,
    pub violations: Vec<String>,
    pub events: VecDeque<String>,
    pub figures: Figures,
    /// Lines of the log, but for those of each poll.
    pub lines: u64,
}

/// What a simulation has been through.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    pub steps: u64,
    pub service_steps: u64,
    pub effects: u64,
    pub launches: u64,
    pub crashes: u64,
    pub machine_crashes: u64,
    pub errors: u64,
    /// Everything that went wrong on purpose: deaths, errors, a full disk, a share that is away, a clock that jumps, a
    /// history that is lost.
    pub faults: u64,
    pub losses: u64,
    pub adoptions: u64,
    /// Launches that must not have been: a second one of an attempt, or a next attempt that nobody wanted.
    pub double_runs: u64,
    pub ended: u64,
    pub interrupted: u64,
    pub actions: u64,
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} steps, {} steps of the service, {} effects, {} actions of operators, {} launches, {} ends, {} of them \
             interrupted; {} faults injected, among them {} crashes of the service and {} of the machine, {} errors, \
             {} losses of history; {} adoptions; {} double runs",
            self.steps,
            self.service_steps,
            self.effects,
            self.actions,
            self.launches,
            self.ended,
            self.interrupted,
            self.faults,
            self.crashes,
            self.machine_crashes,
            self.errors,
            self.losses,
            self.adoptions,
            self.double_runs,
        )
    }
}

impl Figures {
    pub fn add(&mut self, o: &Figures) {
        self.steps += o.steps;
        self.service_steps += o.service_steps;
        self.effects += o.effects;
        self.launches += o.launches;
        self.crashes += o.crashes;
        self.machine_crashes += o.machine_crashes;
        self.errors += o.errors;
        self.faults += o.faults;
        self.losses += o.losses;
        self.adoptions += o.adoptions;
        self.double_runs += o.double_runs;
        self.ended += o.ended;
        self.interrupted += o.interrupted;
        self.actions += o.actions;
    }
}

/// The simulated world of one seed.
pub struct SimWorld {
    inner: Mutex<Inner>,
    pub layout: Layout,
    pub zone: Zone,
}

impl SimWorld {
    pub fn new(mut random: Random, layout: Layout) -> Self {
        let wall = site::start(&mut random);
        let config = site::config(&mut random, wall);
        let zone = site::zone(&mut random);
        let share = SimShare::new(&mut random, wall);
        let mut disk = Disk::default();
        for folder in ["runs", "outbox", "held", "installed"] {
            disk.make_folder(folder);
            disk.sync_folder(folder);
        }
        let inner = Inner {
            mutant: None,
            before: Before::default(),
            wall,
            mono: Duration::from_secs(random.below(90_000)),
            boot: 1,
            layout: layout.clone(),
            zone: zone.clone(),
            config,
            users: Some(Vec::new()),
            disk,
            disk_full: false,
            staged: BTreeSet::new(),
            touched: BTreeMap::new(),
            spoilt: BTreeSet::new(),
            verified: BTreeSet::new(),
            seen: None,
            fault: None,
            died: None,
            hosts: BTreeMap::new(),
            published: BTreeMap::new(),
            last_serial: BTreeMap::new(),
            share,
            highest: None,
            jobs: Vec::new(),
            news: VecDeque::new(),
            witness: Vec::new(),
            exits_away: BTreeMap::new(),
            epoch: 0,
            generations: BTreeMap::from([(FIRST_GENERATION.to_owned(), 0)]),
            speaking: None,
            lost: false,
            opened: 0,
            tampered: 0,
            judged: None,
            held_until: None,
            deferred: BTreeMap::new(),
            adopted: BTreeSet::new(),
            violations: Vec::new(),
            events: VecDeque::new(),
            figures: Figures::default(),
            lines: 0,
            random,
        };
        let world = Self { inner: Mutex::new(inner), layout, zone };
        world.lock().remember_published();
        world
    }

    /// A simulated death unwinds through whoever holds it, so that its poison means nothing.
    pub fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One effect on the outside: it may fail here, or whoever makes it may die here.
    pub fn point(&self, name: &str, writes: bool) -> io::Result<()> {
        let mut inner = self.lock();
        inner.figures.effects += 1;
        if name == "commit" {
            inner.keep_history();
        }
        let fault = match &mut inner.fault {
            Some((_, Some(wanted), _)) if !name.starts_with(*wanted) => None,
            Some((0, _, fault)) => Some(*fault),
            Some((left, _, _)) => {
                *left -= 1;
                None
            }
            None => None,
        };
        match fault {
            Some(Fault::Error) => {
                inner.fault = None;
                inner.figures.errors += 1;
                inner.figures.faults += 1;
                inner.note(format!("error at {name}"));
                Err(io::Error::other("simulated input/output error"))
            }
            Some(Fault::Dies(death)) => {
                inner.fault = None;
                inner.died = Some(death);
                inner.note(format!("{death:?} dies at {name}"));
                drop(inner);
                std::panic::resume_unwind(Box::new(Crash))
            }
            None if writes && inner.disk_full => Err(io::ErrorKind::StorageFull.into()),
            None => Ok(()),
        }
    }
}

impl Inner {
    pub fn note(&mut self, event: String) {
        if std::env::var_os("PCM_SIM_TRACE").is_some() {
            eprintln!("{} {event}", self.wall.format("%d %H:%M:%S%.3f"));
        }
        if self.events.len() >= EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(format!("{} {event}", self.wall.format("%d %H:%M:%S%.3f")));
    }

    pub fn violation(&mut self, what: String) {
        self.note(format!("VIOLATION {what}"));
        self.violations.push(what);
    }

    pub fn remember_published(&mut self) {
        for entry in &self.share.file.requests {
            if let crate::site::instruction::Entry::Good(request) = entry {
                self.published.insert(request.request_id, (**request).clone());
                self.last_serial.insert(request.request_id, self.share.file.serial);
            }
        }
    }

    /// Lets time pass until `target`, or until something has happened before.
    pub fn advance(&mut self, target: Duration) {
        loop {
            let next = self.next_event().filter(|at| *at <= target);
            let to = next.unwrap_or(target).max(self.mono);
            self.wall += TimeDelta::from_std(to - self.mono).unwrap_or_default();
            self.mono = to;
            if next.is_none() {
                return;
            }
            if self.happen() {
                return;
            }
        }
    }

    fn next_event(&self) -> Option<Duration> {
        let hosts = self.hosts.values().filter_map(SimHost::next_event);
        hosts.chain(self.jobs.iter().map(|job| job.done_at)).min()
    }

    /// What is due now happens. True where the service should look.
    fn happen(&mut self) -> bool {
        let now = self.mono;
        let due: Vec<String> = self
            .hosts
            .iter()
            .filter(|(_, host)| host.next_event().is_some_and(|at| at <= now))
            .map(|(run, _)| run.clone())
            .collect();
        for run in &due {
            self.host_event(run);
        }
        !due.is_empty() | self.finish_jobs()
    }

    /// The power is cut: processes are gone, and so is what was not synced.
    pub fn machine_crash(&mut self) {
        self.figures.machine_crashes += 1;
        for host in self.hosts.values_mut() {
            host.die(false);
        }
        let Inner { disk, random, .. } = self;
        disk.crash(random);
        self.boot += 1;
        self.mono = Duration::from_secs(5 + self.random.below(40));
        self.wall += TimeDelta::seconds(self.random.between(5, 600));
        self.jobs.clear();
        self.news.clear();
        self.users = self.users.take().map(|_| Vec::new());
        self.note("the machine starts again".into());
    }
}

impl Machine for super::World {
    fn now(&self) -> Wall {
        self.lock().wall
    }

    fn monotonic(&self) -> Monotonic {
        Monotonic(self.lock().mono)
    }

    fn boot_id(&self) -> String {
        format!("boot-{}", self.lock().boot)
    }

    fn zone(&self, _: &str) -> Result<Zone, ZoneError> {
        Ok(self.zone.clone())
    }

    fn platform(&self) -> Option<Platform> {
        Some(Platform::LinuxX86_64)
    }

    fn disk_free(&self) -> Option<u64> {
        Some(if self.lock().disk_full { 0 } else { 1 << 30 })
    }

    fn host_name(&self) -> SafeText {
        "simulated".into()
    }

    fn account(&self) -> SafeText {
        "root".into()
    }

    fn logged_on(&self) -> LoggedOn {
        let Some(users) = &self.lock().users else { return LoggedOn::unknown("simulated") };
        let session = |user: &&str| Session {
            user: SafeText::new(user),
            terminal: "tty1".into(),
            from: "console".into(),
            since: None,
            idle_s: Some(60),
            locked: None,
            kind: SessionKind::Console,
        };
        let sessions = users.iter().map(session).collect();
        LoggedOn { source: "utmp", sessions, connections: Vec::new(), note: None }
    }

    fn ask_share(&self, _: &ShareJob, _: Duration) -> Result<ShareNews, SafeText> {
        Err("the simulated service asks by its workers only".into())
    }

    fn notify(&self, _: &str, _: &[String], _: &[u8]) -> io::Result<()> {
        Ok(())
    }
}
