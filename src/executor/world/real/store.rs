//! What this machine keeps: history, held files, staged content, results that wait, and PACMAN.LOG.

use super::super::{Held, Machine, Store};
use super::{Log, RealWorld};
use crate::clock::Wall;
use crate::config;
use crate::executor::ground;
use crate::executor::history::{self, Adopted, History, Lost, Snapshot};
use crate::host::open::{self, Access, Folder, OpenError};
use crate::host::{durable, facts, lock, programs};
use crate::log::Level;
use crate::log::write::PacmanLog;
use crate::site::content::{Seal, Target};
use crate::site::ids::RequestId;
use crate::site::indexed::{self, parts::Parts};
use crate::site::instruction::{self, ContentHash, Program};
use crate::site::past::Told;
use crate::site::publication::Publication;
use crate::site::report::seal::HostKey;
use crate::site::signed::list::TrustList;
use crate::site::signed::published::Packages;
use crate::site::signed::store::{self, Material};
use crate::site::{content, site_file};
use crate::text::SafeText;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

/// The most that is read of the packages that are held: 4 MiB of definitions, and a signature each, as JSON.
const MAX_PACKAGES: u64 = 48 << 20;
/// The most that is read of what is still to be told: far more than the queue holds.
const MAX_NOTICES: u64 = 8 << 20;
/// What reading a history back takes: the database, its journal, its folder, the mark.
const DESCRIPTORS: usize = 4;
/// What starting one package takes at once, at the most: the pipes of the process that verifies it, those of its run host, the
/// history with its journal, and the mark.
const START: usize = 16;
/// The component that log viewers show.
const COMPONENT: &str = "pcmsvc";

/// That there are too few descriptors left to start anything, and what helps. Found before one step of a start fails for it,
/// each with another word.
fn no_room() -> Option<SafeText> {
    // A pipe takes two, and no file.
    let room: io::Result<Vec<_>> = (0..START / 2).map(|_| io::pipe()).collect();
    let e = room.err()?;
    Some(SafeText::new(&format!(
        "nothing can be started: {e}. See which files this process holds open, or raise its limit (LimitNOFILE in the unit)"
    )))
}

impl Store for RealWorld {
    fn open_history(&self) -> Result<History, Lost> {
        History::open(&self.layout)
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
        // An operator may be deciding at this moment.
        let file = self.layout.init_lock();
        let lock = lock::ExclusiveLock::wait_take(&file, "pcm", |_| false);
        let lock = lock.map_err(|e| format!("{}: {e}", file.display()))?;
        let _lock = lock.ok_or("pcm init is at work")?;
        let generation = history::random_id().map_err(|e| e.to_string())?;
        history::replace(&self.layout, now, &generation, listed, state, publication)
    }

    fn read_history(&self) -> Result<Snapshot, Lost> {
        History::read(&self.layout)
    }

    fn can_look(&self) -> bool {
        let room: io::Result<Vec<_>> =
            (0..DESCRIPTORS).map(|_| Ok(open::own(&self.layout.mark(), Access::Read)?)).collect();
        !room.is_err_and(|e| e.kind() != io::ErrorKind::NotFound)
    }

    fn unusable(&self) -> Option<SafeText> {
        ground::fault(&self.layout).or_else(no_room)
    }

    fn hold(&self, file: &[u8], site: &[u8], packages: &Packages) -> Result<(), String> {
        let packages = serde_json::to_vec(packages).map_err(|e| e.to_string())?;
        // What it needs comes before it: a crash between them leaves nothing that verifies, and never something else.
        let all = [
            (self.layout.held_packages(), packages.as_slice()),
            (self.layout.held_site(), site),
            (self.layout.held(), file),
        ];
        for (path, bytes) in all {
            durable::write(&path, bytes)
                .map_err(|e| format!("{} could not be written: {e}", path.display()))?;
        }
        Ok(())
    }

    fn held(&self) -> Option<Held> {
        let path = self.layout.held();
        Some(Held {
            file: open::read_own(&path, instruction::MAX_BYTES).ok()?,
            site: open::read_own(&self.layout.held_site(), site_file::MAX_BYTES).ok(),
            packages: open::read_own(&self.layout.held_packages(), MAX_PACKAGES)
                .ok()
                .and_then(|bytes| serde_json::from_slice(&bytes).ok())
                .unwrap_or_default(),
            seen: std::fs::metadata(&path).and_then(|meta| meta.modified()).ok().map(Wall::from),
        })
    }

    fn hold_index(&self, name: &str, index: &[u8], parts: &Parts) -> Result<(), String> {
        let dir = self.layout.held_folder();
        indexed::store::write(&dir, name, index, parts)
            .map_err(|e| format!("{} could not be written: {e}", dir.display()))
    }

    fn held_index(&self) -> Option<indexed::store::Held> {
        indexed::store::read(&self.layout.held_folder())
    }

    fn held_folder(&self) -> Option<PathBuf> {
        Some(self.layout.held_folder())
    }

    fn material(&self, trust_folder: &Path) -> Result<Option<Material>, SafeText> {
        Material::read(trust_folder)
    }

    fn host_key(&self, named: Option<&Path>, trust_folder: &Path) -> Result<HostKey, SafeText> {
        HostKey::find(named, trust_folder)
    }

    fn place_list(&self, trust_folder: &Path, bytes: &[u8]) -> Result<u64, String> {
        let list = TrustList::own(bytes).map_err(|e| e.to_string())?;
        store::place(trust_folder, bytes, &list)
            .map_err(|e| format!("{} could not be written: {e}", trust_folder.display()))?;
        Ok(list.version)
    }

    /// By the age of the held file.
    fn share_seen(&self, at: Wall) {
        if let Ok(file) = open::own(&self.layout.held(), Access::Change) {
            let _ = file.set_modified(at.into());
        }
        indexed::store::seen(&self.layout.held_folder(), at);
    }

    fn keep_notices(&self, bytes: &[u8]) -> io::Result<()> {
        durable::write(&self.layout.notices(), bytes)
    }

    fn kept_notices(&self) -> Option<Vec<u8>> {
        open::read_own(&self.layout.notices(), MAX_NOTICES).ok()
    }

    fn is_staged(&self, hash: &ContentHash) -> bool {
        content::is_staged(&self.layout.stage(), hash)
    }

    fn verify_staged(&self, hash: &ContentHash) -> Result<Seal, SafeText> {
        content::verify_staged(&self.layout.stage(), hash)
    }

    fn startable(&self, program: &Program, content: Option<&ContentHash>) -> Result<(), SafeText> {
        let judged = match (program, content) {
            (Program::Listed(name), _) => match programs::find(name) {
                Some(_) => Ok(()),
                None => Err(format!("{name}: it is in none of the system's program folders")),
            },
            // Where that cannot be known, the attempt will tell.
            (Program::InPackage(_), Some(_)) if facts::may_execute(&self.layout.stage()) == Some(false) => {
                let stage = self.layout.stage().display().to_string();
                Err(format!(
                    "{stage} is on a file system mounted noexec: mount it with exec, or name a state folder elsewhere \
                     (--state)"
                ))
            }
            (Program::InPackage(path), Some(hash)) => {
                let files = self.layout.stage().join(hash.as_str());
                let target = Target { platform: self.platform(), system: Some(&programs::system) };
                match Folder::open(&files) {
                    Ok(files) => content::startable(&files, path, target),
                    // A disk that fails says nothing of the program.
                    Err(OpenError::Io(..)) => Ok(()),
                    Err(e) => Err(format!("{}: {e}", files.display())),
                }
            }
            // The gate of its content says that there is none.
            (Program::InPackage(_), None) => Ok(()),
        };
        judged.map_err(|why| SafeText::new(&why))
    }

    fn seal(&self, hash: &ContentHash) -> io::Result<Seal> {
        content::seal(&self.layout.stage(), hash)
    }

    fn put_away_content(&self, hash: &ContentHash) -> io::Result<()> {
        content::put_away_staged(&self.layout.stage(), hash)
    }

    fn put_away_run(&self, run: &str) -> io::Result<()> {
        durable::put_away(&self.layout.runs(), run)
    }

    fn put_result(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.outbox.put(name, bytes)
    }

    fn results_wait(&self) -> bool {
        !self.outbox.waiting().is_empty()
    }

    fn results_waiting(&self) -> Vec<String> {
        self.outbox.waiting()
    }

    fn result_waits(&self, name: &str) -> bool {
        self.outbox.waits(name)
    }

    fn results_older(&self, than: Wall) -> Vec<String> {
        self.outbox.older(than)
    }

    fn give_up_result(&self, name: &str) -> io::Result<()> {
        self.outbox.give_up(name)
    }

    fn log(&self, level: Level, text: &SafeText, now: Wall) -> io::Result<()> {
        let offset = facts::local_zone().map_or(0, |zone| zone.offset_at(now));
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let Log { config: c, open } = &mut *log;
        let log = match open {
            Some(log) => log,
            none => {
                none.insert(PacmanLog::open(&self.layout.log, "PACMAN.LOG", c.format, c.max_size, c.keep)?)
            }
        };
        log.log(level, COMPONENT, text, now, offset)
    }

    fn set_log(&self, config: &config::Log) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        if log.config != *config {
            *log = Log { config: config.clone(), open: None };
        }
    }

    fn lock_holder(&self) -> Option<SafeText> {
        lock::holder(&self.layout.lock()).map(|holder| SafeText::new(&holder.to_string()))
    }
}
