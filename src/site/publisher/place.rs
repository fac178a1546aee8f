//! Writing on a share (SITE.md 3): every file gets a temporary name, is synced, renamed and read back; what is there already
//! is not written again. Everything goes through opened folders, so that no link is followed below the share. `bring` copies the
//! files of packages.

use crate::error::{Exit, Failure, Result};
use crate::host::open::{Folder, OpenError, read_bounded};
use crate::site::content::{self, ContentFile};
use crate::site::instruction::ContentHash;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a name is tried that cannot be given to a new file: on SMB, somebody reads the old one.
const PATIENCE: Duration = Duration::from_secs(30);

/// The folder of the share that holds the files of packages.
pub(super) const CONTENT: &str = "content";
/// So many folders are above the files of one content.
pub(super) const IN_FILES: usize = 3;

/// What was written, and how many bytes.
pub type Written = Vec<(String, u64)>;

/// A share that is being written.
pub struct Share {
    root: Folder,
    /// What was written so far.
    pub written: Written,
}

impl Share {
    /// Opens it.
    ///
    /// # Errors
    /// `share-missing`, `share-denied`.
    pub fn open(path: &Path) -> Result<Self> {
        let root = Folder::open(path).map_err(|e| {
            let code = if e.is_denial() { "share-denied" } else { "share-missing" };
            let message = format!("the share {} cannot be opened: {e}", path.display());
            Failure::new(Exit::Share, code, message, "Mount it, or correct `share` in site.toml")
        })?;
        Ok(Self { root, written: Vec::new() })
    }

    /// The share itself.
    pub fn root(&self) -> &Folder {
        &self.root
    }

    /// The bytes of a file; None: there is none.
    ///
    /// # Errors
    /// It is there and cannot be read.
    pub fn read(&self, folders: &[&str], name: &str, limit: u64) -> Result<Option<Vec<u8>>> {
        match self
            .below(folders)
            .and_then(|folder| read_bounded(&mut folder.as_ref().unwrap_or(&self.root).file(name)?, limit))
        {
            Ok(bytes) => Ok(Some(bytes)),
            Err(OpenError::Missing) => Ok(None),
            Err(e) => Err(self.failed("read", folders, name, &e.to_string())),
        }
    }

    /// The same where what is damaged is to be replaced: whatever stands there that is no such file is an empty one.
    ///
    /// # Errors
    /// It may not be looked at, or the system fails.
    pub fn read_any(&self, folders: &[&str], name: &str, limit: u64) -> Result<Option<Vec<u8>>> {
        let read = self
            .below(folders)
            .and_then(|folder| read_bounded(&mut folder.as_ref().unwrap_or(&self.root).file(name)?, limit));
        match read {
            Ok(bytes) => Ok(Some(bytes)),
            Err(OpenError::Missing) => Ok(None),
            Err(OpenError::Linked | OpenError::NotRegular | OpenError::TooLarge(_)) => Ok(Some(Vec::new())),
            Err(
                e @ (OpenError::Denied
                | OpenError::KeyRefused(_)
                | OpenError::NotFolder
                | OpenError::TooMany(_)
                | OpenError::Loose(_)
                | OpenError::Io(..)),
            ) => Err(self.failed("read", folders, name, &e.to_string())),
        }
    }

    /// The names in a folder of the share; none where there is no such folder.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn names(&self, folder: &str) -> Result<Vec<String>> {
        const MOST: usize = 1_000_000;
        match self.root.folder(folder).and_then(|folder| folder.names(MOST)) {
            Ok(names) => Ok(names.into_iter().filter_map(|name| name.into_string().ok()).collect()),
            Err(OpenError::Missing) => Ok(Vec::new()),
            Err(e) => Err(self.failed("read", &[], folder, &e.to_string())),
        }
    }

    /// Whether a file of this size is there.
    pub fn has(&self, folders: &[&str], name: &str, size: u64) -> bool {
        let folder = self.below(folders);
        folder.is_ok_and(|folder| {
            folder.as_ref().unwrap_or(&self.root).file(name).is_ok_and(|file| file.size == size)
        })
    }

    /// Whether a file of a content is there: in its size, or `hashed` with its bytes. What cannot be read is not there.
    pub fn has_listed(&self, hash: &ContentHash, file: &ContentFile, hashed: bool) -> bool {
        let (folders, name) = place_of(hash, file);
        if !self.has(&folders, name, file.size) {
            return false;
        }
        let whole = || {
            let folder = self.below(&folders).ok()?;
            let found = folder.as_ref().unwrap_or(&self.root).file(name).ok()?;
            content::hash_reader(found.file).ok()
        };
        !hashed || whole().is_some_and(|(sha256, size)| sha256 == file.sha256 && size == file.size)
    }

    /// A folder that is there; None: the share itself.
    fn below(&self, folders: &[&str]) -> Result<Option<Folder>, OpenError> {
        let mut at = None;
        for name in folders {
            at = Some(at.as_ref().unwrap_or(&self.root).folder(name)?);
        }
        Ok(at)
    }

    /// A folder, made where it is missing; None: the share itself.
    pub(super) fn make(&self, folders: &[&str]) -> Result<Option<Folder>> {
        let mut at: Option<Folder> = None;
        for (i, name) in folders.iter().enumerate() {
            let made = at.as_ref().unwrap_or(&self.root).make_folder(name);
            at = Some(made.map_err(|e| self.failed("made", &folders[..i], name, &e.to_string()))?);
        }
        Ok(at)
    }

    /// Makes a folder.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn make_folder(&self, name: &str) -> Result<()> {
        self.make(&[name]).map(drop)
    }

    /// Writes a file, over one of its name, and reads it back.
    ///
    /// # Errors
    /// It cannot be written, or is not what was written.
    pub fn write(&mut self, folders: &[&str], name: &str, bytes: &[u8]) -> Result<()> {
        fault::point()?;
        let opened = self.make(folders)?;
        let folder = opened.as_ref().unwrap_or(&self.root);
        let done = patiently(folder, name, bytes);
        done.map_err(|e| self.failed("written", folders, name, &words(&e)))?;
        self.check(folder, folders, name, bytes)?;
        self.wrote(folders, name, bytes.len() as u64);
        fault::point()
    }

    /// The same of the file that commits a publication: where its name cannot be given to a new file for half a minute, it is
    /// written where it stands, from its beginning to its end, so that no part of it can be taken for the whole.
    ///
    /// # Errors
    /// As [`Share::write`]; `publishing`: somebody else has committed a publication since this one looked.
    pub fn commit(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        fault::point()?;
        let done = match patiently(&self.root, name, bytes) {
            Err(e) if is_held(&e) => self.root.overwrite(name, bytes),
            // In a bucket. A connection that was cut may have brought it, and the same was sent once more.
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                match self.check(&self.root, &[], name, bytes) {
                    Ok(()) => Ok(()),
                    Err(_) => return Err(somebody_else(self.root.path())),
                }
            }
            other => other,
        };
        done.map_err(|e| self.failed("written", &[], name, &words(&e)))?;
        self.check(&self.root, &[], name, bytes)?;
        self.wrote(&[], name, bytes.len() as u64);
        fault::point()
    }

    fn check(&self, folder: &Folder, folders: &[&str], name: &str, bytes: &[u8]) -> Result<()> {
        let back = folder.file(name).and_then(|mut file| read_bounded(&mut file, bytes.len() as u64 + 1));
        match back {
            Ok(back) if back == bytes => Ok(()),
            Ok(_) => Err(self.failed("written", folders, name, "it holds something else than was written")),
            Err(e) => Err(self.failed("read", folders, name, &format!("it was written, and {e}"))),
        }
    }

    fn wrote(&mut self, folders: &[&str], name: &str, bytes: u64) {
        self.written.push((path_of(folders, name), bytes));
    }

    pub(super) fn failed(&self, verb: &str, folders: &[&str], name: &str, why: &str) -> Failure {
        let mut path = self.root.path().to_owned();
        path.extend(folders);
        let message = format!("{} cannot be {verb}: {why}", path.join(name).display());
        let remedy = "Mend that and run pcm site publish again: it completes what was begun; machines see all of it or nothing";
        Failure::new(Exit::Share, "not-written", message, remedy)
    }
}

/// What has been written is in nobody's way: the next publication numbers itself after the other one.
fn somebody_else(share: &Path) -> Failure {
    let message =
        format!("nothing was published: somebody else has published to {} meanwhile", share.display());
    Failure::new(Exit::Refused, "publishing", message, "Publish again: it goes on from what they published")
}

/// The folders in which a file of a content stands, and its name there.
pub(super) fn place_of<'a>(hash: &'a ContentHash, file: &'a ContentFile) -> (Vec<&'a str>, &'a str) {
    let mut folders = vec![CONTENT, hash.as_str(), content::FILES];
    let (above, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
    folders.extend(above.split('/').filter(|name| !name.is_empty()));
    (folders, name)
}

/// A path on the share.
pub(super) fn path_of(folders: &[&str], name: &str) -> String {
    let mut path = folders.join("/");
    if !path.is_empty() {
        path.push('/');
    }
    path + name
}

/// Replaces a file. While somebody has the old one open, SMB does not give its name away.
fn patiently(folder: &Folder, name: &str, bytes: &[u8]) -> io::Result<()> {
    let (start, mut pause) = (Instant::now(), Duration::from_millis(50));
    loop {
        match folder.replace(name, bytes) {
            Err(e) if is_held(&e) && start.elapsed() < PATIENCE && folder.holds(name).unwrap_or(true) => {
                std::thread::sleep(pause);
                pause = (pause * 2).min(Duration::from_secs(2));
            }
            other => return other,
        }
    }
}

/// Somebody else has the file open in a way that keeps its name.
fn is_held(e: &io::Error) -> bool {
    matches!(
        e.kind(),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ResourceBusy | io::ErrorKind::ExecutableFileBusy
    )
}

pub(super) fn words(e: &io::Error) -> String {
    OpenError::within(e).map_or_else(|| e.to_string(), ToString::to_string)
}

/// Places at which a test lets a publication die.
pub mod fault {
    use crate::error::Result;

    /// Goes on, outside of tests always.
    #[cfg(not(test))]
    pub fn point() -> Result<()> {
        Ok(())
    }

    /// The moment before the share says that somebody publishes.
    #[cfg(not(test))]
    pub fn before_note() {}

    #[cfg(test)]
    type Then = Box<dyn FnOnce()>;

    #[cfg(test)]
    thread_local! {
        static THEN: std::cell::RefCell<Option<Then>> = const { std::cell::RefCell::new(None) };
    }

    /// What happens at that moment, once.
    #[cfg(test)]
    pub fn at_note(then: impl FnOnce() + 'static) {
        THEN.set(Some(Box::new(then)));
    }

    /// Lets happen what a test wants to happen there.
    #[cfg(test)]
    pub fn before_note() {
        if let Some(then) = THEN.take() {
            then();
        }
    }

    #[cfg(test)]
    thread_local! {
        static LEFT: std::cell::Cell<Option<usize>> = const { std::cell::Cell::new(None) };
    }

    /// Lets the publication die at the n-th point from now; None: it lives.
    #[cfg(test)]
    pub fn die_at(point: Option<usize>) {
        LEFT.set(point);
    }

    /// Dies where a test says so.
    #[cfg(test)]
    pub fn point() -> Result<()> {
        use crate::error::{Exit, Failure};
        match LEFT.get() {
            Some(0) => Err(Failure::new(Exit::Failed, "killed", "killed by the test", "")),
            Some(n) => {
                LEFT.set(Some(n - 1));
                Ok(())
            }
            None => Ok(()),
        }
    }
}
