//! Simulated run hosts and packages: what `run_host` does, step by step, with every wait and death in between.

use super::mutants::Mutant;
use super::site::{self, Behaviour, Mif};
use super::witness;
use super::world::{Fault, Inner, SimWorld};
use crate::clock::Wall;
use crate::executor::run::attempt::Found;
use crate::executor::run::outcome::{EndedBy, ExitRecord, MifSays};
use crate::executor::run::run_folder::{RunSpec, Started};
use crate::executor::world::{Host, Runs};
use crate::text::SafeText;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// As the real executor has it.
const READY_DEADLINE: Duration = Duration::from_secs(30);

/// How far a run host has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It has not yet said that it is ready, or waits for *go*.
    Waiting,
    /// The package runs.
    Running,
    /// The tree is gone, its files are being synced.
    Syncing,
    /// It has ended.
    Over,
}

/// One run host and its package.
#[derive(Debug, Clone)]
pub struct SimHost {
    /// It lives, and so it holds the lock.
    pub alive: bool,
    pub phase: Phase,
    pub package_alive: bool,
    pub behaviour: Behaviour,
    /// It ended by itself, so that its status MIF is whole.
    pub finished: bool,
    limit: Duration,
    grace: Duration,
    started: Wall,
    since: Duration,
    /// When the next thing happens to it, by the monotonic clock.
    at: Option<Duration>,
    end: EndedBy,
    /// Files that are synced after the record, where a mutant does that.
    late_sync: bool,
    /// It ended and left no record of what it knew.
    pub gave_up: bool,
}

impl SimHost {
    pub fn next_event(&self) -> Option<Duration> {
        self.at.filter(|_| self.alive || self.package_alive || self.late_sync)
    }

    /// The host dies; the package goes on where `package` says so.
    pub fn die(&mut self, package: bool) {
        self.alive = false;
        self.package_alive &= package;
        self.late_sync = false;
        if !self.package_alive {
            self.at = None;
        }
    }
}

/// Of a run's folder on the simulated disk.
fn folder(run: &str) -> String {
    format!("runs/{run}")
}

impl Inner {
    /// The executor has gone, or does not want it any more.
    pub fn close_pipe(&mut self, run: &str) {
        let soon = self.mono + Duration::from_millis(self.random.below(300));
        if let Some(host) = self.hosts.get_mut(run)
            && host.phase == Phase::Waiting
            && host.alive
        {
            host.at = Some(host.at.unwrap_or(soon).max(soon));
        }
    }

    /// The next thing happens to a run host or to what it left behind.
    pub fn host_event(&mut self, run: &str) {
        let Some(host) = self.hosts.get(run).cloned() else { return };
        match host.phase {
            Phase::Waiting if self.has(Mutant::LaunchWithoutGo) => self.launch(run),
            Phase::Waiting => self.never_told(run),
            Phase::Running => self.tree_ended(run, &host),
            Phase::Syncing => self.record_end(run, &host),
            Phase::Over => {
                self.disk.sync("installed", run);
                if let Some(host) = self.hosts.get_mut(run) {
                    (host.late_sync, host.at) = (false, None);
                }
            }
        }
    }

    fn never_told(&mut self, run: &str) {
        if !self.disk.exists(&folder(run), "started") && !self.write_record(run, "started", b"host") {
            return self.host_ends(run);
        }
        let record = self.record(EndedBy::NeverTold, None, self.wall, Duration::ZERO);
        if self.write_exit(run, &record) {
            self.note(format!("{run} was never told to go"));
            self.host_ends(run);
        }
    }

    fn tree_ended(&mut self, run: &str, host: &SimHost) {
        self.note(format!("{run} ends: {:?}, code {}", host.end, host.behaviour.code));
        self.disk.write("installed", run, b"files");
        let sync = Duration::from_millis(self.random.below(5_000));
        let now = self.mono;
        let Some(host) = self.hosts.get_mut(run) else { return };
        host.package_alive = false;
        host.finished = host.end == EndedBy::Itself;
        (host.phase, host.at) = match host.alive {
            true => (Phase::Syncing, Some(now + sync)),
            false => (Phase::Over, None),
        };
    }

    fn record_end(&mut self, run: &str, host: &SimHost) {
        let late = self.has(Mutant::RecordBeforeSync);
        if !late {
            self.disk.sync("installed", run);
        }
        let code = (host.end == EndedBy::Itself).then_some(host.behaviour.code);
        let record = self.record(host.end, code, host.started, self.mono - host.since);
        if !self.write_exit(run, &record) {
            return;
        }
        self.host_ends(run);
        if late {
            let at = self.mono + Duration::from_secs(20);
            if let Some(host) = self.hosts.get_mut(run) {
                (host.late_sync, host.at) = (true, Some(at));
            }
        }
    }

    fn host_ends(&mut self, run: &str) {
        if let Some(host) = self.hosts.get_mut(run) {
            (host.phase, host.alive, host.at) = (Phase::Over, false, None);
        }
    }

    pub fn record(&self, ended_by: EndedBy, code: Option<i64>, started: Wall, ran: Duration) -> ExitRecord {
        ExitRecord {
            ended_by,
            exit_code: code,
            signal: (ended_by == EndedBy::TimeLimit || ended_by == EndedBy::Operator).then_some(15),
            started_at: started,
            ended_at: self.wall,
            ran_ms: u64::try_from(ran.as_millis()).unwrap_or(0),
            not_synced: None,
            error: None,
            left_behind: false,
            restart_wanted: None,
        }
    }

    /// False: the host tries again later. Room for the record is reserved, which helps on most file systems.
    fn write_exit(&mut self, run: &str, record: &ExitRecord) -> bool {
        let gives_up = self.has(Mutant::RecordGivenUp);
        // What this defect breaks needs a disk that is full at this one moment.
        let full = (self.disk_full || gives_up && self.random.chance(20)) && self.random.chance(50);
        let soon = self.mono + Duration::from_millis(500);
        let Some(host) = self.hosts.get_mut(run).filter(|_| full) else {
            self.disk.write(&folder(run), "exit", &record.to_bytes().unwrap());
            self.disk.sync(&folder(run), "exit");
            return true;
        };
        host.gave_up = gives_up;
        host.at = Some(soon);
        host.gave_up
    }

    /// As `durable` writes: synced with its folder, or not there.
    fn write_record(&mut self, run: &str, name: &str, bytes: &[u8]) -> bool {
        if self.disk_full {
            return false;
        }
        self.disk.write(&folder(run), name, bytes);
        self.disk.sync(&folder(run), name);
        true
    }

    /// The package is started.
    fn launch(&mut self, run: &str) {
        self.note(format!("{run} is launched"));
        witness::launched(self, run);
        let (wall, mono) = (self.wall, self.mono);
        let Some(host) = self.hosts.get_mut(run) else { return };
        (host.phase, host.package_alive, host.started, host.since) = (Phase::Running, true, wall, mono);
        let killed = host.limit + host.grace / 2;
        (host.at, host.end) = match host.behaviour.takes {
            Some(takes) if takes < host.limit => (Some(mono + takes), EndedBy::Itself),
            _ => (Some(mono + killed), EndedBy::TimeLimit),
        };
    }
}

/// The handle of the executor. Dropping it is closing the pipe.
struct Handle {
    world: Weak<SimWorld>,
    run: String,
    told: bool,
}

impl Host for Handle {
    fn say_go(&mut self) -> io::Result<()> {
        let Some(world) = self.world.upgrade() else { return Err(io::ErrorKind::BrokenPipe.into()) };
        world.point("go", false).inspect_err(|_| {
            // The pipe is broken where the host has died.
            world.lock().hosts.entry(self.run.clone()).and_modify(|host| host.die(false));
        })?;
        {
            let mut inner = world.lock();
            if !inner.hosts.get(&self.run).is_some_and(|host| host.alive && host.phase == Phase::Waiting) {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            self.told = true;
            inner.forget_claim();
            inner.launch(&self.run);
        }
        world.point("gone", false)
    }

    fn let_be(self: Box<Self>) {}
}

impl Drop for Handle {
    fn drop(&mut self) {
        if let Some(world) = self.world.upgrade().filter(|_| !self.told) {
            world.lock().close_pipe(&self.run);
        }
    }
}

impl Runs for super::World {
    fn create_run(&self, run: &str, spec: &RunSpec) -> io::Result<()> {
        self.point("folder", true)?;
        {
            let mut inner = self.lock();
            inner.keep_claim();
            if !inner.disk.make_folder(&folder(run)) {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            inner.disk.write(&folder(run), "spec", &serde_json::to_vec(spec).map_err(io::Error::other)?);
        }
        self.point("folder made", false)?;
        let mut inner = self.lock();
        if !inner.has(Mutant::FolderNotSynced) {
            inner.disk.sync(&folder(run), "spec");
            inner.disk.sync_folder(&folder(run));
        }
        drop(inner);
        self.point("folder synced", false)
    }

    fn start_host(&self, run: &str) -> Result<Box<dyn Host>, SafeText> {
        let failed = |e: io::Error| SafeText::new(&e.to_string());
        self.point("start host", false).map_err(failed)?;
        let spec: RunSpec = {
            let inner = self.lock();
            let spec = inner.disk.read(&folder(run), "spec").ok_or_else(|| SafeText::new("no spec"))?;
            if inner.hosts.get(run).is_some_and(|host| host.alive)
                || inner.disk.exists(&folder(run), "started")
            {
                return Err("the run host ended before it was ready".into());
            }
            serde_json::from_slice(&spec).map_err(|e| SafeText::new(&e.to_string()))?
        };
        let ready_in = {
            let mut inner = self.lock();
            let behaviour = site::behaviour(&mut inner.random);
            let host = SimHost {
                alive: true,
                phase: Phase::Waiting,
                package_alive: false,
                behaviour,
                finished: false,
                limit: Duration::from_secs(spec.max_run_time_s),
                grace: Duration::from_secs(spec.grace_s),
                started: inner.wall,
                since: inner.mono,
                at: None,
                end: EndedBy::Itself,
                late_sync: false,
                gave_up: false,
            };
            inner.hosts.insert(run.to_owned(), host);
            match inner.random.below(20) {
                0 => Duration::from_secs(31 + inner.random.below(20)),
                1..=3 => Duration::from_secs(inner.random.below(29)),
                _ => Duration::from_millis(20),
            }
        };
        let mut handle = Handle { world: Arc::downgrade(&self.0), run: run.to_owned(), told: false };
        self.point("host started", false).map_err(failed)?;
        let mut inner = self.lock();
        let target = inner.mono + ready_in.min(READY_DEADLINE);
        while inner.mono < target {
            inner.advance(target);
        }
        if ready_in > READY_DEADLINE {
            // It gets there later, finds the pipe closed, and launches nothing.
            let late = inner.mono + (ready_in - READY_DEADLINE);
            inner.hosts.entry(run.to_owned()).and_modify(|host| host.at = Some(late));
            drop(inner);
            drop(handle);
            return Err("the run host was not ready in time".into());
        }
        if inner.random.chance(3) || !inner.write_record(run, "started", b"host") {
            inner.hosts.entry(run.to_owned()).and_modify(|host| host.die(false));
            handle.told = true;
            return Err("the run host ended before it was ready".into());
        }
        drop(inner);
        self.point("ready", false).map_err(failed)?;
        Ok(Box::new(handle))
    }

    fn find_run(&self, run: &str, _: Option<&Started>) -> io::Result<Found<ExitRecord>> {
        self.point("find", false)?;
        let inner = self.lock();
        let host = inner.hosts.get(run);
        let lock_held = host.is_some_and(|host| host.alive) && inner.disk.has_folder(&folder(run));
        let exit = match inner.disk.read(&folder(run), "exit") {
            Some(bytes) => Some(serde_json::from_slice(&bytes).map_err(io::Error::other)?),
            None => None,
        };
        let started = inner.disk.exists(&folder(run), "started");
        let survivors =
            !lock_held && exit.is_none() && started && host.is_some_and(|host| host.package_alive);
        Ok(inner.shown(Found { exit, lock_held, started, survivors, damaged: None }))
    }

    fn read_mif(&self, run: &str) -> MifSays {
        match self.lock().hosts.get(run).filter(|host| host.finished).map(|host| host.behaviour.mif) {
            None | Some(Mif::Nothing) => MifSays::Nothing,
            Some(Mif::Success) => MifSays::Status { success: true, description: "fine".into() },
            Some(Mif::Failure) => MifSays::Status { success: false, description: "bad".into() },
            Some(Mif::Malformed) => MifSays::Malformed("line 1".into()),
        }
    }

    fn ask_to_stop(&self, run: &str) -> io::Result<()> {
        self.point("stop", true)?;
        let mut inner = self.lock();
        let now = inner.mono;
        if let Some(host) = inner.hosts.get_mut(run)
            && host.phase == Phase::Running
            && host.alive
        {
            let at = now + Duration::from_millis(50) + host.grace / 2;
            if host.at.is_none_or(|ends| at < ends) {
                (host.at, host.end) = (Some(at), EndedBy::Operator);
            }
        }
        drop(inner);
        self.point("stop asked", false)
    }

    fn end_leftovers(&self, run: &str, _: Option<&Started>, _: Duration) -> bool {
        let mut inner = self.lock();
        if inner.random.chance(20) {
            return false;
        }
        if let Some(host) = inner.hosts.get_mut(run) {
            host.die(false);
        }
        true
    }

    fn reap(&self) {}

    fn transcript(&self, _: &str) -> Option<PathBuf> {
        None
    }

    fn last_output(&self, _: &str) -> (Option<Wall>, Option<SafeText>) {
        (None, None)
    }
}

/// An error that hits the run host itself is no different from its death.
pub fn kill_hosts(inner: &mut Inner) {
    let survives = inner.random.chance(50);
    for host in inner.hosts.values_mut().filter(|host| host.alive) {
        let package = host.behaviour.survives && survives;
        host.die(package);
    }
    inner.figures.faults += 1;
    inner.note("the run host is killed".into());
}

/// The effects around a launch and an end.
const POINTS: &[&str] = &[
    "commit",
    "committed",
    "mark",
    "folder",
    "folder made",
    "folder synced",
    "start host",
    "host started",
    "ready",
    "go",
    "gone",
    "find",
    "write outbox",
    "written outbox",
    "write held",
];

/// What can go wrong at the next effects.
pub fn arm(inner: &mut Inner, fault: Fault) {
    let (at, after) = match inner.random.chance(60) {
        true => (Some(*inner.random.pick(POINTS)), inner.random.below(3)),
        false => (None, inner.random.below(40)),
    };
    let after = u32::try_from(after).unwrap_or(0);
    inner.fault = Some((after, at, fault));
    inner.note(format!("in {after} effects ({}): {fault:?}", at.unwrap_or("any")));
}
