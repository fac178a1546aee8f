//! Results on their way to the share: durable here first, so that a share that is away loses none (PROMISES.md P6). The
//! executor puts; whoever is at work on the share takes, away from the executor's own thread.

use crate::clock::Wall;
use crate::host::durable;
use crate::host::open::{self, Folder};
use crate::site::ids::MachineId;
use crate::site::mif::MAX_BYTES as MAX_RESULT;
use crate::site::report::{RESULTS, write_replacing};
use std::io;
use std::path::{Path, PathBuf};

/// The most results that wait; the oldest is left where it is and said.
const MAX_WAITING: usize = 10_000;

/// `outbox/` in the state folder.
#[derive(Debug, Clone)]
pub struct Outbox(PathBuf);

impl Outbox {
    /// The outbox at this folder.
    pub fn at(folder: &Path) -> Self {
        Self(folder.to_owned())
    }

    /// Keeps a result until it is delivered. `name` is made of ids and so a safe file name.
    ///
    /// # Errors
    /// It could not be written durably.
    pub fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        durable::make_private_dir(&self.0)?;
        durable::write(&self.0.join(name), bytes)
    }

    /// Whether a result waits. What cannot be looked at may be there.
    pub fn waits(&self, name: &str) -> bool {
        self.0.join(name).try_exists().unwrap_or(true)
    }

    /// What waits, oldest name first.
    pub fn waiting(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(&self.0) else { return Vec::new() };
        let mut names: Vec<String> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| name.ends_with(".MIF"))
            .take(MAX_WAITING)
            .collect();
        names.sort();
        names
    }

    /// What has waited since before this.
    pub fn older(&self, than: Wall) -> Vec<String> {
        let is_older = |name: &String| {
            let modified = self.0.join(name).symlink_metadata().and_then(|found| found.modified());
            modified.is_ok_and(|at| Wall::from(at) < than)
        };
        self.waiting().into_iter().filter(is_older).collect()
    }

    /// Removes what waits under this name, whatever it is.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn give_up(&self, name: &str) -> io::Result<()> {
        let path = self.0.join(name);
        if path.symlink_metadata()?.is_dir() {
            std::fs::remove_dir_all(path)
        } else {
            std::fs::remove_file(path)
        }
    }

    /// Carries everything that waits to the share, and removes what has arrived. Only the machine's own folder is made:
    /// a missing `despoolr.box` means that this is not the share it was.
    ///
    /// # Errors
    /// The first one that could not be carried, with its name; it stays, and the others are carried all the same.
    pub fn deliver(&self, share: &Folder, machine: MachineId) -> io::Result<usize> {
        let names = self.waiting();
        if names.is_empty() {
            return Ok(0);
        }
        let folder = share.folder(RESULTS)?.make_folder(machine.as_str())?;
        let mut failed = None;
        for name in &names {
            if let Err(e) = self.carry(name, &folder) {
                failed.get_or_insert_with(|| io::Error::new(e.kind(), format!("{name}: {e}")));
            }
        }
        failed.map_or(Ok(names.len()), Err)
    }

    fn carry(&self, name: &str, to: &Folder) -> io::Result<()> {
        let waiting = self.0.join(name);
        write_replacing(to, name, &open::read_own(&waiting, MAX_RESULT)?)?;
        std::fs::remove_file(waiting)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_has_waited_for_too_long_is_given_up_and_nothing_younger() {
        let dir = tempfile::tempdir().unwrap();
        let outbox = Outbox::at(&dir.path().join("outbox"));
        outbox.put("BP00001-1.MIF", b"result").unwrap();
        // Something else in the place of one can never be delivered.
        std::fs::create_dir(dir.path().join("outbox/BP00002-1.MIF")).unwrap();
        let now = Wall::from(std::time::SystemTime::now());
        let minute = chrono::TimeDelta::minutes(1);
        assert!(outbox.older(now - minute).is_empty());
        assert_eq!(outbox.older(now + minute), ["BP00001-1.MIF", "BP00002-1.MIF"]);
        for name in outbox.older(now + minute) {
            outbox.give_up(&name).unwrap();
        }
        assert!(outbox.waiting().is_empty());
    }

    #[test]
    fn one_name_that_is_taken_on_the_share_stops_no_other_result() {
        let dir = tempfile::tempdir().unwrap();
        let outbox = Outbox::at(&dir.path().join("outbox"));
        for name in ["BP00001-1.MIF", "BP00002-1.MIF", "BP00003-1.MIF"] {
            outbox.put(name, b"result").unwrap();
        }
        let own = dir.path().join(RESULTS).join("BP004000");
        std::fs::create_dir_all(own.join("BP00001-1.MIF")).unwrap();
        let share = Folder::open(dir.path()).unwrap();
        let why = outbox.deliver(&share, "BP004000".parse().unwrap()).unwrap_err().to_string();
        assert!(why.contains("BP00001-1.MIF"), "{why}");
        assert!(own.join("BP00002-1.MIF").is_file() && own.join("BP00003-1.MIF").is_file());
        assert_eq!(outbox.waiting(), ["BP00001-1.MIF"]);

        std::fs::remove_dir(own.join("BP00001-1.MIF")).unwrap();
        assert_eq!(outbox.deliver(&share, "BP004000".parse().unwrap()).unwrap(), 1);
        assert!(outbox.waiting().is_empty());
    }
}
