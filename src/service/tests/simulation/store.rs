//! What the simulated machine keeps: the history is the real one, on a disk that can fail at each commit; everything
//! else is on the simulated disk.

use super::mutants::Mutant;
use super::witness;
use super::world::{Inner, SimWorld};
use crate::clock::Wall;
use crate::executor::history::{self, Adopt, Adopted, By, History, InitOutcome, Lost, Snapshot};
use crate::executor::world::{Held, Store};
use crate::host::account::Actor;
use crate::log::Level;
use crate::site::content::Seal;
use crate::site::ids::RequestId;
use crate::site::instruction::parse::parse;
use crate::site::instruction::{ContentHash, Entry, InstructionFile};
use crate::site::past::Told;
use crate::site::publication::Publication;
use crate::site::signed::published::Packages;
use crate::site::trust::TrustVerdict;
use crate::text::SafeText;
use std::io;

/// Written, synced, renamed and its folder synced; with a chance to fail or die in between.
fn write(world: &super::World, folder: &str, name: &str, bytes: &[u8]) -> io::Result<()> {
    world.point(&format!("write {folder}/{name}"), true)?;
    world.lock().disk.write(folder, name, bytes);
    world.point(&format!("written {folder}/{name}"), false)?;
    world.lock().disk.sync(folder, name);
    Ok(())
}

impl Store for super::World {
    fn open_history(&self) -> Result<History, Lost> {
        // Nobody writes to a history that is lost: until somebody outside does, it is judged as before.
        let known = {
            let inner = self.lock();
            inner.judged.clone().filter(|(at, _)| *at == inner.tampered)
        };
        let opened = match known {
            Some((_, lost)) => Err(lost),
            None => History::open(&self.layout),
        };
        if opened.is_ok() {
            self.lock().opened += 1;
        }
        if let Err(lost) = &opened {
            let mut inner = self.lock();
            inner.judged = inner.lost.then(|| (inner.tampered, lost.clone()));
        }
        if opened.is_err() && self.lock().has(Mutant::LostIsEmpty) {
            let now = self.lock().wall;
            let _ = history::adopt(
                &self.layout,
                now,
                "00000000",
                Adopt::NotDone,
                &[],
                &By::Operator(&operator()),
            );
            return History::open(&self.layout);
        }
        opened
    }

    fn past_seen(&self, told: &[Told]) -> Result<(), Lost> {
        history::seen(&self.layout, told)
    }

    fn lost_state(&self) -> Option<SafeText> {
        history::state_left(&self.layout)
    }

    fn replace(
        &self,
        now: Wall,
        state: &str,
        listed: &[RequestId],
        publication: &Publication,
    ) -> Result<Option<Adopted>, String> {
        let generation = format!("{:08x}", self.lock().random.next() >> 32);
        let adopted = history::replace(&self.layout, now, &generation, listed, state, publication)?;
        if adopted.is_some() {
            let mut inner = self.lock();
            (inner.tampered, inner.lost) = (inner.tampered + 1, false);
            began_anew(&mut inner, generation, Some(listed));
        }
        Ok(adopted)
    }

    fn read_history(&self) -> Result<Snapshot, Lost> {
        History::read(&self.layout)
    }

    fn can_look(&self) -> bool {
        true
    }

    fn hold(&self, file: &[u8], site: &[u8], _: &Packages) -> Result<(), String> {
        let both = write(self, "held", "SITE", site).and_then(|()| write(self, "held", "INS", file));
        both.map_err(|e| e.to_string())?;
        let mut inner = self.lock();
        let kept = inner.held();
        let serial = |file: &Option<InstructionFile>| file.as_ref().map(|file| file.serial);
        if serial(&kept) < serial(&inner.highest) {
            inner.violation("P10: an older instruction file takes the place of a newer one".into());
        }
        inner.highest = kept;
        Ok(())
    }

    fn held(&self) -> Option<Held> {
        let inner = self.lock();
        let file = inner.disk.read("held", "INS")?;
        Some(Held {
            file,
            site: inner.disk.read("held", "SITE"),
            packages: Packages::new(),
            seen: inner.seen,
        })
    }

    fn share_seen(&self, at: Wall) {
        let mut inner = self.lock();
        if inner.disk.exists("held", "INS") {
            inner.seen = Some(at);
        }
    }

    fn is_staged(&self, hash: &ContentHash) -> bool {
        self.lock().staged.contains(hash)
    }

    fn verify_staged(&self, hash: &ContentHash) -> Result<Seal, SafeText> {
        self.lock().verify(hash)
    }

    fn seal(&self, hash: &ContentHash) -> io::Result<Seal> {
        self.point("seal", false)?;
        self.lock().seal(hash)
    }

    fn put_away_content(&self, hash: &ContentHash) -> io::Result<()> {
        self.point("put away", true)?;
        self.lock().staged.remove(hash);
        Ok(())
    }

    fn put_away_run(&self, run: &str) -> io::Result<()> {
        self.point("put away", true)?;
        let mut inner = self.lock();
        witness::put_away(&mut inner, run);
        let folder = format!("runs/{run}");
        if let Some(exit) = inner.disk.read(&folder, "exit") {
            inner.exits_away.insert(run.to_owned(), exit);
        }
        inner.disk.remove_folder(&folder);
        drop(inner);
        self.point("was put away", false)
    }

    fn put_result(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        if self.lock().has(Mutant::ReportForgotten) {
            return Ok(());
        }
        let epoch = {
            let inner = self.lock();
            inner.speaking.unwrap_or(inner.epoch)
        };
        write(self, "outbox", name, &[&epoch.to_le_bytes(), bytes].concat())
    }

    fn results_wait(&self) -> bool {
        !self.lock().disk.names("outbox").is_empty()
    }

    fn result_waits(&self, name: &str) -> bool {
        self.lock().disk.exists("outbox", name)
    }

    fn set_log(&self, _: &crate::config::Log) {}

    fn log(&self, level: Level, text: &SafeText, _: Wall) -> io::Result<()> {
        let usual = ["Looking", "Packages ", "No new", "sleeping"];
        if !usual.iter().any(|words| text.as_str().starts_with(words)) {
            let mut inner = self.lock();
            inner.lines += 1;
            inner.note(format!("  {level:?}: {text}"));
        }
        Ok(())
    }

    fn lock_holder(&self) -> Option<SafeText> {
        None
    }
}

impl Inner {
    /// The instruction file that is kept for the time when the share is away.
    pub fn held(&self) -> Option<InstructionFile> {
        let defaults = self.config.request_defaults();
        parse(&self.disk.read("held", "INS")?, super::site::machine(), "held", &defaults).ok()
    }
}

/// As `run_folder::set_aside` does it: nothing is moved while a run goes on, and what a dead run host left is ended.
fn set_aside(inner: &mut Inner) -> Result<(), String> {
    let Inner { hosts, random, .. } = inner;
    for (run, host) in hosts.iter_mut() {
        if host.alive {
            return Err(format!("{run} still runs"));
        }
        if host.package_alive {
            if random.chance(20) {
                return Err(format!("{run} has left processes behind that do not end"));
            }
            host.die(false);
        }
    }
    let (epoch, runs) = (inner.epoch, inner.disk.folders_in("runs/"));
    for run in runs {
        inner.disk.rename_folder(&format!("runs/{run}"), &format!("runs.lost-{epoch}/{run}"));
    }
    // Packages of the same names come, with files of their own.
    inner.disk.rename_folder("installed", &format!("installed before {epoch}"));
    inner.disk.make_folder("installed");
    inner.disk.sync_folder("installed");
    inner.hosts.clear();
    inner.exits_away.clear();
    Ok(())
}

fn operator() -> Actor {
    Actor { name: "ola".into(), uid: None, login_uid: None, terminal: None, from: None, may_operate: true }
}

/// What an operator's `pcm init --adopt` makes of the history.
pub fn adopt(world: &SimWorld, done: bool) -> Result<InitOutcome, String> {
    if History::read(&world.layout).is_ok() {
        // Nothing is moved then, and the history says so itself.
        return history::adopt(
            &world.layout,
            world.lock().wall,
            "none",
            Adopt::NotDone,
            &[],
            &By::Operator(&operator()),
        );
    }
    let mut inner = world.lock();
    inner.tampered += 1;
    set_aside(&mut inner)?;
    // What the share says, or else what is held.
    let published = inner.look().found.filter(|found| matches!(found.trust, TrustVerdict::Trusted(_)));
    let listed: Vec<_> = published
        .map(|found| found.file)
        .or_else(|| inner.held())
        .iter()
        .flat_map(|file| &file.requests)
        .filter_map(|entry| match entry {
            Entry::Good(r) => Some(r.request_id),
            Entry::Rejected(r) => r.request_id,
        })
        .collect();
    let adopt = if done { Adopt::Done } else { Adopt::NotDone };
    let generation = format!("{:08x}", inner.random.next() >> 32);
    let now = inner.wall;
    // Committing passes the points at which the world can fail.
    drop(inner);
    let adopted =
        history::adopt(&world.layout, now, &generation, adopt, &listed, &By::Operator(&operator()))?;
    began_anew(&mut world.lock(), generation, done.then_some(listed.as_slice()));
    Ok(adopted)
}

/// A new history is in the place of a lost one; `done`: what counts as done in it.
fn began_anew(inner: &mut Inner, generation: String, done: Option<&[RequestId]>) {
    inner.epoch += 1;
    let epoch = inner.epoch;
    inner.generations.insert(generation, epoch);
    inner.adopted = done.unwrap_or_default().iter().copied().collect();
    inner.held_until = None;
    inner.deferred.clear();
}
