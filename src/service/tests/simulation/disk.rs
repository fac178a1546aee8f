//! A disk that forgets what was not synced when the machine crashes: a file survives with its folder, as it was synced
//! last, or, by chance, as it was written last.

use crate::service::tests::random::Random;
use std::collections::BTreeMap;

#[derive(Debug, Clone, Default)]
struct File {
    now: Option<Vec<u8>>,
    synced: Option<Vec<u8>>,
}

/// Files by folder and name. One level is enough: `runs/<run>`, `outbox`, `held`, `installed`.
#[derive(Debug, Clone, Default)]
pub struct Disk {
    /// Whether a folder is known to be on disk.
    folders: BTreeMap<String, bool>,
    files: BTreeMap<(String, String), File>,
}

impl Disk {
    /// False where it is there already.
    pub fn make_folder(&mut self, folder: &str) -> bool {
        if self.folders.contains_key(folder) {
            return false;
        }
        self.folders.insert(folder.to_owned(), false);
        true
    }

    /// The folder and what is in it go by another name now.
    pub fn rename_folder(&mut self, from: &str, to: &str) {
        if let Some(synced) = self.folders.remove(from) {
            self.folders.insert(to.to_owned(), synced);
        }
        let moved: Vec<_> = self.files.keys().filter(|(folder, _)| folder == from).cloned().collect();
        for key in moved {
            if let Some(file) = self.files.remove(&key) {
                self.files.insert((to.to_owned(), key.1), file);
            }
        }
    }

    /// The folder and what is in it are gone. After a power cut they may be back.
    pub fn remove_folder(&mut self, folder: &str) {
        self.folders.remove(folder);
        self.files.retain(|(f, _), _| f != folder);
    }

    /// The rest of the names of the folders that begin like this.
    pub fn folders_in(&self, path: &str) -> Vec<String> {
        self.folders.keys().filter_map(|folder| folder.strip_prefix(path)).map(str::to_owned).collect()
    }

    pub fn has_folder(&self, folder: &str) -> bool {
        self.folders.contains_key(folder)
    }

    pub fn sync_folder(&mut self, folder: &str) {
        if let Some(synced) = self.folders.get_mut(folder) {
            *synced = true;
        }
    }

    pub fn write(&mut self, folder: &str, name: &str, bytes: &[u8]) {
        self.file(folder, name).now = Some(bytes.to_owned());
    }

    pub fn remove(&mut self, folder: &str, name: &str) {
        self.file(folder, name).now = None;
    }

    /// The file is on disk as it is now.
    pub fn sync(&mut self, folder: &str, name: &str) {
        let file = self.file(folder, name);
        file.synced.clone_from(&file.now);
    }

    pub fn read(&self, folder: &str, name: &str) -> Option<Vec<u8>> {
        self.files.get(&(folder.to_owned(), name.to_owned()))?.now.clone()
    }

    pub fn exists(&self, folder: &str, name: &str) -> bool {
        self.files.get(&(folder.to_owned(), name.to_owned())).is_some_and(|file| file.now.is_some())
    }

    /// The names of a folder, sorted.
    pub fn names(&self, folder: &str) -> Vec<String> {
        let here = self.files.iter().filter(|((f, _), file)| f == folder && file.now.is_some());
        here.map(|((_, name), _)| name.clone()).collect()
    }

    /// The power is cut.
    pub fn crash(&mut self, random: &mut Random) {
        let lost: Vec<String> = self
            .folders
            .iter()
            .filter(|(_, synced)| !**synced)
            .map(|(folder, _)| folder.clone())
            .filter(|_| random.chance(70))
            .collect();
        for folder in lost {
            self.folders.remove(&folder);
            self.files.retain(|(f, _), _| *f != folder);
        }
        for file in self.files.values_mut() {
            if file.now != file.synced && random.chance(70) {
                file.now.clone_from(&file.synced);
            }
            file.synced.clone_from(&file.now);
        }
        for synced in self.folders.values_mut() {
            *synced = true;
        }
    }

    fn file(&mut self, folder: &str, name: &str) -> &mut File {
        self.files.entry((folder.to_owned(), name.to_owned())).or_default()
    }
}
