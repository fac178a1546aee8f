//! Opening files (PROMISES.md 4). What others wrote: nothing that is not a regular file with one name is ever opened, no
//! link is followed below a folder that the configuration names, and opening never waits; what is written on a share is
//! written through the same opened folders. pcm's own files ([`own`]): the same, and nobody else may have written them.
//! Called by `site`, and by everything that keeps files of its own.

use super::sys;
use crate::clock::Wall;
use crate::text::shell_word;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Why something was not opened or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// There is nothing of that name.
    #[error("it does not exist")]
    Missing,
    /// The system does not allow it.
    #[error("access is denied")]
    Denied,
    /// A folder, pipe, socket or device where a file is wanted.
    #[error("it is not a regular file")]
    NotRegular,
    /// Something else where a folder is wanted.
    #[error("it is not a folder")]
    NotFolder,
    /// A symbolic link, or a file with more than one name.
    #[error("it is a link, or has more than one name")]
    Linked,
    /// More bytes than are read of such a file.
    #[error("it is larger than {0} bytes")]
    TooLarge(u64),
    /// More names than are read of such a folder.
    #[error("it holds more than {0} names")]
    TooMany(usize),
    /// Somebody else could have written it: what, and how that is mended.
    #[error("{0}")]
    Loose(String),
    /// Anything else, in the system's words and by its number.
    #[error("{0}")]
    Io(String, Option<i32>),
}

impl From<OpenError> for io::Error {
    fn from(e: OpenError) -> Self {
        let kind = match &e {
            OpenError::Missing => io::ErrorKind::NotFound,
            OpenError::Denied => io::ErrorKind::PermissionDenied,
            OpenError::NotFolder => io::ErrorKind::NotADirectory,
            OpenError::NotRegular
            | OpenError::Linked
            | OpenError::Loose(_)
            | OpenError::TooLarge(_)
            | OpenError::TooMany(_) => io::ErrorKind::InvalidData,
            OpenError::Io(_, Some(number)) => return io::Error::from_raw_os_error(*number),
            OpenError::Io(_, None) => io::ErrorKind::Other,
        };
        io::Error::new(kind, e)
    }
}

impl From<io::Error> for OpenError {
    fn from(e: io::Error) -> Self {
        // Whatever was one before it was reported as the system reports is the same one again.
        let e = match e.downcast::<OpenError>() {
            Ok(open) => return open,
            Err(e) => e,
        };
        match e.kind() {
            io::ErrorKind::NotFound => OpenError::Missing,
            io::ErrorKind::PermissionDenied => OpenError::Denied,
            io::ErrorKind::NotADirectory => OpenError::NotFolder,
            _ => OpenError::Io(e.to_string(), e.raw_os_error()),
        }
    }
}

impl OpenError {
    /// The command that takes away what stands where a file of pcm's own belongs; None where that is not what is wrong.
    pub fn way_out(&self, path: &Path) -> Option<String> {
        match self {
            OpenError::NotRegular | OpenError::Linked => {
                let word = |suffix: &str| shell_word(&format!("{}{suffix}", path.display()));
                Some(format!("mv {} {}", word(""), word(".away")))
            }
            OpenError::Missing
            | OpenError::Denied
            | OpenError::NotFolder
            | OpenError::TooLarge(_)
            | OpenError::TooMany(_)
            | OpenError::Loose(_)
            | OpenError::Io(..) => None,
        }
    }

    /// The error that this one came as, through `std::io`.
    pub fn within(e: &io::Error) -> Option<&OpenError> {
        e.get_ref().and_then(|inner| inner.downcast_ref())
    }
}

/// An open regular file with one name.
#[derive(Debug)]
pub struct RegularFile {
    /// For reading.
    pub file: File,
    /// Its size when it was opened.
    pub size: u64,
    /// Where it is, for messages.
    pub path: PathBuf,
}

/// How a file stands: whoever writes it or puts another one in its place makes it stand otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Looked {
    /// Its size in bytes.
    pub size: u64,
    /// When it was changed, in nanoseconds since 1970.
    pub changed: i64,
    /// Which file it is, where its file system numbers them.
    pub number: u64,
}

impl Looked {
    /// When it was changed.
    pub fn at(&self) -> Wall {
        Wall::from_timestamp_nanos(self.changed)
    }
}

/// An open folder. What is below it is opened from here, name by name, so that no link in between is followed.
#[derive(Debug)]
pub struct Folder {
    pub(super) inner: sys::open::Folder,
    pub(super) path: PathBuf,
}

impl Folder {
    /// Opens a folder that the configuration names; links on the way to it are the operator's own.
    ///
    /// # Errors
    /// [`OpenError`]
    pub fn open(path: &Path) -> Result<Folder, OpenError> {
        Ok(Folder { inner: sys::open::Folder::open(path)?, path: path.to_owned() })
    }

    /// Opens a folder in this one.
    ///
    /// # Errors
    /// [`OpenError`]; a link is [`OpenError::Linked`].
    pub fn folder(&self, name: &str) -> Result<Folder, OpenError> {
        Ok(Folder { inner: self.inner.folder(one_name(name)?)?, path: self.path.join(name) })
    }

    /// Opens a file in this one.
    ///
    /// # Errors
    /// [`OpenError`]; a link or a second name is [`OpenError::Linked`].
    pub fn file(&self, name: &str) -> Result<RegularFile, OpenError> {
        let (file, size) = self.inner.file(one_name(name)?)?;
        Ok(RegularFile { file, size, path: self.path.join(name) })
    }

    /// Looks at a file in this one without opening it.
    ///
    /// # Errors
    /// As [`Folder::file`].
    pub fn look(&self, name: &str) -> Result<Looked, OpenError> {
        self.inner.look(one_name(name)?)
    }

    /// Opens a folder in this one, which is made where there is none: everyone may enter it, its owner may write.
    ///
    /// # Errors
    /// [`OpenError`]; a link is [`OpenError::Linked`].
    pub fn make_folder(&self, name: &str) -> Result<Folder, OpenError> {
        Ok(Folder { inner: self.inner.make_folder(one_name(name)?)?, path: self.path.join(name) })
    }

    /// Makes a folder in this one: everyone may enter it, its owner may write.
    ///
    /// # Errors
    /// As the system reports them; [`io::ErrorKind::AlreadyExists`] where anything has that name, be it a link.
    pub fn new_folder(&self, name: &str) -> io::Result<Folder> {
        Ok(Folder { inner: self.inner.new_folder(one_name(name)?)?, path: self.path.join(name) })
    }

    /// Makes a file in this folder, to be written: everyone may read it, its owner may write.
    ///
    /// # Errors
    /// As [`Folder::new_folder`].
    pub fn new_file(&self, name: &str) -> io::Result<File> {
        self.inner.new_file(one_name(name)?)
    }

    /// Gives what has a name in this folder another one that nothing has. A link is renamed itself.
    ///
    /// # Errors
    /// As [`Folder::new_folder`]; it then still has its old name.
    pub fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.inner.rename(one_name(from)?, one_name(to)?)
    }

    /// Whether anything has that name here, be it a link.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn holds(&self, name: &str) -> io::Result<bool> {
        self.inner.holds(one_name(name)?)
    }

    /// Removes what has a name in this folder, with everything in it. No link is followed, and what is mounted in it stays.
    ///
    /// # Errors
    /// What could not be removed; some of it may be gone.
    pub fn remove_tree(&self, name: &str) -> io::Result<()> {
        self.inner.remove_tree(one_name(name)?)
    }

    /// Puts what was made, renamed or removed in it on disk.
    ///
    /// # Errors
    /// A failed sync: nothing in the folder is known to be durable.
    pub fn sync(&self) -> io::Result<()> {
        self.inner.sync()
    }

    /// Replaces a file in this folder, or makes it: a reader sees the old content or the new, and after the return the
    /// new one is on disk. A link of that name is replaced itself; where it leads nothing changes.
    ///
    /// # Errors
    /// As the system reports them; the old content is then still there.
    pub fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let name = one_name(name)?;
        loop {
            match self.inner.replace(name, &temporary_name(name), bytes) {
                // Left by an earlier process with this pid.
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                other => return other,
            }
        }
    }

    /// The same with all that a reader gives, however much it is, under a name that nothing has yet.
    ///
    /// # Errors
    /// As the system reports them; [`io::ErrorKind::AlreadyExists`]; what reading gave.
    pub fn bring(&self, name: &str, from: &mut dyn io::Read) -> io::Result<()> {
        let name = one_name(name)?;
        let (temporary, mut file) = loop {
            let temporary = temporary_name(name);
            match self.inner.new_file(&temporary) {
                // Left by an earlier process with this pid.
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                other => break (temporary, other?),
            }
        };
        let done = io::copy(from, &mut file).and_then(|_| file.sync_all());
        drop(file);
        let done = done.and_then(|()| self.inner.rename(&temporary, name));
        if done.is_err() {
            let _ = self.inner.remove(&temporary);
        }
        done?;
        self.inner.sync()
    }

    /// Writes a file that is there where it stands, from its beginning to its end: a reader may see a part of it. For
    /// places where a name cannot be given to another file while somebody reads the first.
    ///
    /// # Errors
    /// As the system reports them; a link or a second name is [`OpenError::Linked`].
    pub fn overwrite(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut file = self.inner.existing(one_name(name)?)?;
        file.set_len(0)?;
        file.write_all(bytes)?;
        file.sync_all()
    }

    /// The names in it, in no order.
    ///
    /// # Errors
    /// [`OpenError`]; more than `most` names are [`OpenError::TooMany`].
    pub fn names(&self, most: usize) -> Result<Vec<OsString>, OpenError> {
        let names = self.inner.names(most.saturating_add(1))?;
        if names.len() > most { Err(OpenError::TooMany(most)) } else { Ok(names) }
    }

    /// As many of the names in it, in no order.
    ///
    /// # Errors
    /// [`OpenError`]
    pub fn some_names(&self, most: usize) -> Result<Vec<OsString>, OpenError> {
        self.inner.names(most)
    }

    /// Removes a file in this folder. A link of that name is removed itself; where it leads nothing changes.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        self.inner.remove(one_name(name)?)
    }

    /// Removes a folder in this folder, where nothing is in it.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn remove_empty(&self, name: &str) -> io::Result<()> {
        self.inner.remove_empty(one_name(name)?)
    }

    /// Where it is, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// What is done with one of pcm's own files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Read.
    Read,
    /// Read and written; it has to be there.
    Change,
    /// Read and written; made where it is missing.
    Write,
    /// Read, and written at its end; made where it is missing.
    Append,
}

/// Opens one of pcm's own files: of the state, the log, a run, a stage. No link is followed, nothing is waited for, and
/// what is opened is a regular file with one name that nobody else could have written: it belongs to root, to this account
/// or to the owner of its folder, and others have no right to write. What is made is readable by everyone and writable by
/// its owner, whatever the umask.
///
/// # Errors
/// [`OpenError`]; a file that somebody else could have written is [`OpenError::Loose`].
pub fn own(path: &Path, access: Access) -> Result<File, OpenError> {
    sys::open::own(path, access)
}

/// Opens a file of a folder that several accounts work in, to be read and written, or written at its end; made where it is
/// missing. As [`own`], but where the group of the folder may write that, it may write the file, too, and the file may be
/// anybody's of them. Everybody may write neither.
///
/// # Errors
/// As [`own`].
pub fn of_team(path: &Path, at_end: bool) -> Result<File, OpenError> {
    sys::open::of_team(path, at_end)
}

/// Looks at one of pcm's own files without opening it: what [`own`] would refuse. For a database, which somebody else opens
/// and whose locks end when any descriptor of it is closed.
///
/// # Errors
/// As [`own`].
pub fn check_own(path: &Path) -> Result<(), OpenError> {
    sys::open::check_own(path)
}

/// Which file stands at a path, to be compared: another one of that name is another one here, too.
///
/// # Errors
/// What the system says.
pub fn identity(path: &Path) -> io::Result<[u64; 2]> {
    Ok(sys::open::identity(&std::fs::symlink_metadata(path)?))
}

/// Opens a regular file of this machine by its absolute path, to see what is in it. It is not followed if it is a link,
/// nothing is opened that is no regular file, and none that lies on a network file system. It may have several names.
///
/// # Errors
/// [`OpenError`]
pub fn local(path: &Path) -> Result<RegularFile, OpenError> {
    let none = || OpenError::Io("it is no absolute path on this machine".to_owned(), None);
    let (Some(folder), Some(name), true) = (path.parent(), path.file_name(), path.is_absolute()) else {
        return Err(none());
    };
    if let Some(fs) = super::facts::is_network_fs(path) {
        return Err(OpenError::Io(format!("it is on {fs}, a network file system"), None));
    }
    let (file, size) = sys::open::local(folder, name)?;
    Ok(RegularFile { file, size, path: path.to_owned() })
}

/// Opens a regular file that an administrator names, wherever links lead to it, without ever waiting.
///
/// # Errors
/// What the system says; [`io::ErrorKind::InvalidInput`] for a pipe, a device or a folder.
pub fn named(path: &Path) -> io::Result<File> {
    let file = sys::open::named(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    Ok(file)
}

/// Reads one of pcm's own files, never more than `limit` bytes and one.
///
/// # Errors
/// As [`own`]; [`OpenError::TooLarge`].
pub fn read_own(path: &Path, limit: u64) -> Result<Vec<u8>, OpenError> {
    let mut bytes = Vec::new();
    own(path, Access::Read)?.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit { Err(OpenError::TooLarge(limit)) } else { Ok(bytes) }
}

/// Whether a name of a package's file would mean another file, or none, on this system.
pub fn refused_name(name: &str) -> bool {
    sys::open::refused_name(name)
}

/// Whether names that differ only in case mean one file here.
pub const NAMES_WITHOUT_CASE: bool = sys::open::NAMES_WITHOUT_CASE;

/// What the file system says of a file or folder besides its name: whatever is done to it makes it something else.
pub fn state_of(meta: &std::fs::Metadata) -> Vec<u64> {
    sys::open::state_of(meta)
}

/// How an open file stands.
///
/// # Errors
/// What the system says.
pub fn looked_at(file: &File) -> io::Result<Looked> {
    Ok(sys::open::looked_at(&file.metadata()?))
}

/// Makes what was copied runnable by everyone and writable by its owner (mode 0755), where there are such bits.
///
/// # Errors
/// As the system reports them.
pub fn make_runnable(file: &File) -> io::Result<()> {
    sys::open::make_runnable(file)
}

/// The same for a folder.
///
/// # Errors
/// As the system reports them.
pub fn make_enterable(path: &Path) -> io::Result<()> {
    sys::open::make_enterable(path)
}

/// Makes an open file readable by everyone and writable by its owner (mode 0644), whatever the umask.
///
/// # Errors
/// As the system reports them.
pub fn make_plain(file: &File) -> io::Result<()> {
    sys::open::make_plain(file)
}

/// Makes a folder that only its owner can enter (mode 0700), whatever the umask.
///
/// # Errors
/// As the system reports them.
pub fn make_private(path: &Path) -> io::Result<()> {
    sys::open::make_private(path)
}

/// Reads a regular file with one name, without following a link, without waiting for a pipe, and never more than
/// `limit` bytes and one.
///
/// # Errors
/// [`OpenError`]
pub fn open_bounded(path: &Path, limit: u64) -> Result<Vec<u8>, OpenError> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|n| n.to_str())) else {
        return Err(OpenError::Missing);
    };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    read_bounded(&mut Folder::open(folder)?.file(name)?, limit)
}

/// Reads an open file, never more than `limit` bytes and one.
///
/// # Errors
/// [`OpenError::TooLarge`], or what reading gave.
pub fn read_bounded(file: &mut RegularFile, limit: u64) -> Result<Vec<u8>, OpenError> {
    if file.size > limit {
        return Err(OpenError::TooLarge(limit));
    }
    let mut bytes = Vec::new();
    (&mut file.file).take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit { Err(OpenError::TooLarge(limit)) } else { Ok(bytes) }
}

/// Tests of modes have to mean the same under any umask.
#[cfg(test)]
pub fn usual_umask() {
    sys::open::usual_umask();
}

/// A name that no reader takes for content, and that nothing of this process has.
fn temporary_name(name: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!(".{name}.{}-{}.tmp", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

fn one_name(name: &str) -> Result<&str, OpenError> {
    let bad = name.is_empty() || name == "." || name == ".." || name.contains(['/', '\\', '\0', ':']);
    if bad { Err(OpenError::Missing) } else { Ok(name) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;

    #[test]
    fn what_is_new_takes_no_name_that_is_taken_and_what_is_removed_is_gone_with_all_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        let taken = |done: io::Result<()>| assert_eq!(done.unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        let inner = folder.new_folder("a").unwrap().new_folder("b").unwrap();
        drop(inner.new_file("c").unwrap());
        taken(inner.new_file("c").map(drop));
        taken(folder.new_folder("a").map(drop));
        folder.new_folder("empty").unwrap();
        taken(folder.rename("a", "empty"));
        assert!(folder.holds("empty").unwrap() && !folder.holds("gone").unwrap());
        folder.rename("a", "new").unwrap();
        folder.sync().unwrap();
        assert!(dir.path().join("new/b/c").is_file());
        folder.remove_tree("new").unwrap();
        folder.remove_tree("empty").unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        assert_eq!(folder.remove_tree("new").unwrap_err().kind(), io::ErrorKind::NotFound);
        folder.bring("long", &mut &b"all of it"[..]).unwrap();
        taken(folder.bring("long", &mut &b"x"[..]));
        folder.overwrite("long", b"less").unwrap();
        assert_eq!(fs::read(dir.path().join("long")).unwrap(), b"less");
        assert_eq!(folder.overwrite("gone", b"x").unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing unfinished is left");
    }

    #[cfg(unix)]
    #[test]
    fn a_file_of_several_accounts_is_their_groups_and_nobody_elses() {
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
        let dir = tempfile::tempdir().unwrap();
        let mode = |path: &Path, mode: u32| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        let made = |name: &str| {
            let path = dir.path().join(name);
            of_team(&path, name == "log").unwrap().write_all(b"x").unwrap();
            fs::metadata(path).unwrap().mode() & 0o777
        };
        mode(dir.path(), 0o755);
        assert_eq!(made("alone"), 0o644);
        mode(dir.path(), 0o2775);
        assert_eq!((made("lock"), made("log"), made("log")), (0o664, 0o664, 0o664));
        assert_eq!(fs::read(dir.path().join("log")).unwrap(), b"xx", "at its end");
        let file = dir.path().join("lock");
        // A colleague's.
        if std::os::unix::fs::chown(&file, Some(65_534), None).is_ok() {
            of_team(&file, false).unwrap();
            assert!(matches!(own(&file, Access::Write), Err(OpenError::Loose(_))));
            // Of another group, which writes it.
            std::os::unix::fs::chown(&file, None, Some(65_534)).unwrap();
            assert!(matches!(of_team(&file, false), Err(OpenError::Loose(_))));
        }
        mode(&dir.path().join("log"), 0o666);
        assert!(matches!(of_team(&dir.path().join("log"), true), Err(OpenError::Loose(_))));
        std::os::unix::fs::symlink("log", dir.path().join("link")).unwrap();
        assert!(of_team(&dir.path().join("link"), true).is_err());
    }
}
