//! What the simulated machine keeps: the history is the real one, on a disk that can fail at each commit; everything
//! else is on the simulated disk.

use super::world::SimWorld;
use crate::clock::Wall;
use crate::executor::history::{self, Adopt, History, Lost, Snapshot};
use crate::executor::mutants::{self, Mutant};
use crate::executor::world::{Held, Store};
use crate::log::Level;
use crate::site::instruction::ContentHash;
use crate::text::SafeText;
use std::io;
use std::time::Duration;

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
        let opened = History::open(&self.layout);
        if opened.is_err() && mutants::on(Mutant::LostIsEmpty) {
            let now = self.lock().wall;
            let _ = history::adopt(&self.layout, now, "00000000", Adopt::NotDone, &[]);
            return History::open(&self.layout);
        }
        opened
    }

    fn read_history(&self) -> Result<Snapshot, Lost> {
        History::read(&self.layout)
    }

    fn can_look(&self) -> bool {
        true
    }

    fn hold(&self, file: &[u8], site: &[u8]) -> Result<(), String> {
        let both = write(self, "held", "SITE", site).and_then(|()| write(self, "held", "INS", file));
        both.map_err(|e| e.to_string())
    }

    fn held(&self) -> Option<Held> {
        let inner = self.lock();
        let file = inner.disk.read("held", "INS")?;
        Some(Held { file, site: inner.disk.read("held", "SITE"), seen: inner.seen })
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

    fn verify_staged(&self, hash: &ContentHash) -> Result<(), SafeText> {
        self.point("verify", false).map_err(|e| SafeText::new(&e.to_string()))?;
        if self.is_staged(hash) { Ok(()) } else { Err("it is not there".into()) }
    }

    fn old_content(&self, _: Duration, _: Wall) -> Vec<ContentHash> {
        Vec::new()
    }

    fn discard_content(&self, hash: &ContentHash) -> bool {
        self.lock().staged.remove(hash)
    }

    fn old_transcripts(&self, _: Duration, _: Wall) -> Vec<String> {
        Vec::new()
    }

    fn discard_transcript(&self, _: &str) -> bool {
        false
    }

    fn put_result(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        write(self, "outbox", name, bytes)
    }

    fn results_wait(&self) -> bool {
        !self.lock().disk.names("outbox").is_empty()
    }

    fn log(&self, level: Level, text: &SafeText, _: Wall) -> io::Result<()> {
        let usual = ["Looking", "Packages ", "No new", "sleeping"];
        if !usual.iter().any(|words| text.as_str().starts_with(words)) {
            self.lock().note(format!("  {level:?}: {text}"));
        }
        Ok(())
    }

    fn lock_holder(&self) -> Option<SafeText> {
        None
    }
}

/// What an operator's `pcm init --adopt` makes of the history.
/// The folders of earlier runs stay where they are: here a new history meets them, as it does where they could not be
/// moved aside. Runs that had a namesake are left out of the checks.
pub fn adopt(world: &SimWorld, done: bool) -> Result<(), String> {
    let mut inner = world.lock();
    let listed: Vec<_> = inner
        .disk
        .read("held", "INS")
        .and_then(|bytes| {
            let defaults = crate::site::instruction::parse::Defaults::of(&inner.config);
            crate::site::instruction::parse::parse(&bytes, super::site::machine(), "held", &defaults).ok()
        })
        .iter()
        .flat_map(|file| &file.requests)
        .filter_map(|entry| match entry {
            crate::site::instruction::Entry::Good(r) => Some(r.request_id),
            crate::site::instruction::Entry::Rejected(r) => r.request_id,
        })
        .collect();
    let adopt = if done { Adopt::Done } else { Adopt::NotDone };
    let generation = format!("{:08x}", inner.random.next() >> 32);
    let now = inner.wall;
    // Committing passes the points at which the world can fail.
    drop(inner);
    history::adopt(&world.layout, now, &generation, adopt, &listed)?;
    inner = world.lock();
    inner.adopted = if done { listed.into_iter().collect() } else { Default::default() };
    Ok(())
}
