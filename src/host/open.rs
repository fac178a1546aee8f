//! Opening files (PROMISES.md 4). What others wrote: nothing that is not a regular file with one name is ever opened, no
//! link is followed below a folder that the configuration names, and opening never waits; what is written on a share is
//! written through the same opened folders. pcm's own files ([`own`]): the same, and nobody else may have written them.
//! Called by `site`, and by everything that keeps files of its own.

use super::sys;
use crate::clock::Wall;
use crate::text::shell_word;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

mod folder;
pub mod remote;

pub use folder::Folder;
pub(in crate::host) use folder::Inner;

/// Why something was not opened or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// There is nothing of that name.
    #[error("it does not exist")]
    Missing,
    /// The system does not allow it.
    #[error("access is denied")]
    Denied,
    /// A server does not take the key, or what was signed with it: its word for that, and what to do.
    #[error("{0}")]
    #[cfg_attr(not(feature = "remote"), allow(dead_code, reason = "only a server refuses a key"))]
    KeyRefused(String),
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

impl OpenError {
    /// Not this file is at fault but what holds it: a disk or a file server that does not answer as it should.
    pub fn is_of_store(&self) -> bool {
        match self {
            OpenError::Io(_, number) => number.is_some_and(sys::open::is_of_store),
            OpenError::Missing
            | OpenError::Denied
            | OpenError::KeyRefused(_)
            | OpenError::NotRegular
            | OpenError::NotFolder
            | OpenError::Linked
            | OpenError::TooLarge(_)
            | OpenError::TooMany(_)
            | OpenError::Loose(_) => false,
        }
    }

    /// Somebody does not allow it, for whatever reason.
    pub fn is_denial(&self) -> bool {
        matches!(self, OpenError::Denied | OpenError::KeyRefused(_))
    }
}

impl From<OpenError> for io::Error {
    fn from(e: OpenError) -> Self {
        let kind = match &e {
            OpenError::Missing => io::ErrorKind::NotFound,
            OpenError::Denied | OpenError::KeyRefused(_) => io::ErrorKind::PermissionDenied,
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
            | OpenError::KeyRefused(_)
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

/// What is read: of a file, or of an object of a share that is no folder.
#[derive(Debug)]
pub enum Bytes {
    /// A file.
    Here(File),
    /// An object, which is read once from its beginning.
    There(remote::Object),
}

impl io::Read for Bytes {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Bytes::Here(file) => file.read(into),
            Bytes::There(object) => object.read(into),
        }
    }
}

impl io::Seek for Bytes {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        match self {
            Bytes::Here(file) => file.seek(to),
            Bytes::There(_) => Err(only_here()),
        }
    }
}

/// An open regular file with one name.
#[derive(Debug)]
pub struct RegularFile {
    /// For reading.
    pub file: Bytes,
    /// Its size when it was opened.
    pub size: u64,
    /// Where it is, for messages.
    pub path: PathBuf,
}

impl RegularFile {
    /// The file, where it is one.
    pub fn here(&self) -> Option<&File> {
        match &self.file {
            Bytes::Here(file) => Some(file),
            Bytes::There(_) => None,
        }
    }

    /// By which a server knows it, and says whether it is another one now; None: it is a file, or its server knows no tags.
    pub fn tag(&self) -> Option<&str> {
        match &self.file {
            Bytes::Here(_) => None,
            Bytes::There(object) => object.tag(),
        }
    }

    /// When it was written.
    ///
    /// # Errors
    /// What the system says.
    pub fn modified(&self) -> io::Result<SystemTime> {
        match &self.file {
            Bytes::Here(file) => file.metadata()?.modified(),
            Bytes::There(object) => Ok(object.modified()),
        }
    }

    /// Another number once it is written anew: the time of that, in nanoseconds since 1970, or what stands for its bytes.
    ///
    /// # Errors
    /// What the system says.
    pub fn mark(&self) -> io::Result<u64> {
        match &self.file {
            Bytes::Here(file) => {
                let since =
                    file.metadata()?.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
                Ok(since.and_then(|since| u64::try_from(since.as_nanos()).ok()).unwrap_or(0))
            }
            Bytes::There(object) => Ok(object.mark()),
        }
    }
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
    /// As [`Access::Write`], of a file that is locked: whoever can open a file can lock it and keep pcm out, so it can be
    /// opened only by those who may write it.
    Lock,
}

/// Opens one of pcm's own files: of the state, the log, a run, a stage. No link is followed, nothing is waited for, and
/// what is opened is a regular file with one name that nobody else could have written: it belongs to root, to this account
/// or to the owner of its folder, and others have no right to write. What is made is readable by everyone and writable by
/// its owner, whatever the umask; a lock is readable by nobody else.
///
/// # Errors
/// [`OpenError`]; a file that somebody else could have written is [`OpenError::Loose`].
pub fn own(path: &Path, access: Access) -> Result<File, OpenError> {
    sys::open::own(path, access)
}

/// Opens a file of a folder that several accounts work in, as [`Access::Lock`] or [`Access::Append`] say. As
/// [`own`], but where the group of the folder may write that, it may write the file, too, and the file may be
/// anybody's of them. Everybody may write neither.
///
/// # Errors
/// As [`own`].
pub fn of_team(path: &Path, access: Access) -> Result<File, OpenError> {
    sys::open::of_team(path, access)
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
    Ok(RegularFile { file: Bytes::Here(file), size, path: path.to_owned() })
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

/// The same of a file that nobody else may even read.
///
/// # Errors
/// As [`read_own`]; a file that others can read is [`OpenError::Loose`].
#[cfg(feature = "remote")]
pub fn read_secret(path: &Path, limit: u64) -> Result<Vec<u8>, OpenError> {
    let mut file = own(path, Access::Read)?;
    if !sys::open::is_secret(&file)? {
        let why = format!("others can read it: chmod 600 {}", shell_word(&path.display().to_string()));
        return Err(OpenError::Loose(why));
    }
    let mut bytes = Vec::new();
    (&mut file).take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
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
pub fn looked_at(file: &RegularFile) -> io::Result<Looked> {
    match &file.file {
        Bytes::Here(file) => Ok(sys::open::looked_at(&file.metadata()?)),
        Bytes::There(object) => Ok(object.looked(file.size)),
    }
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

/// What only a file system does.
fn only_here() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "a share that is no folder cannot do that")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;

    #[cfg(all(unix, feature = "remote"))]
    #[test]
    fn a_secret_is_read_where_nobody_else_can_read_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("bucket.key");
        fs::write(&file, "secret").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(read_secret(&file, 100), Ok(b"secret".to_vec()));
        assert_eq!(read_secret(&file, 5), Err(OpenError::TooLarge(5)));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        let why = read_secret(&file, 100).unwrap_err().to_string();
        assert!(why.contains("others can read it: chmod 600"), "{why}");
    }

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
        use std::io::Write as _;
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
        let dir = tempfile::tempdir().unwrap();
        let mode = |path: &Path, mode: u32| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        let made = |name: &str| {
            let path = dir.path().join(name);
            let access = if name == "log" { Access::Append } else { Access::Lock };
            of_team(&path, access).unwrap().write_all(b"x").unwrap();
            fs::metadata(path).unwrap().mode() & 0o777
        };
        mode(dir.path(), 0o755);
        assert_eq!(made("alone"), 0o600);
        mode(dir.path(), 0o2775);
        assert_eq!((made("lock"), made("log"), made("log")), (0o660, 0o664, 0o664));
        // One that a former version made, which anybody could lock.
        mode(&dir.path().join("alone"), 0o644);
        mode(&dir.path().join("lock"), 0o664);
        assert_eq!((made("alone"), made("lock")), (0o660, 0o660), "of the folder's group");
        assert_eq!(fs::read(dir.path().join("log")).unwrap(), b"xx", "at its end");
        let file = dir.path().join("lock");
        // A colleague's.
        if std::os::unix::fs::chown(&file, Some(65_534), None).is_ok() {
            of_team(&file, Access::Lock).unwrap();
            assert!(matches!(own(&file, Access::Write), Err(OpenError::Loose(_))));
            // Of another group, which writes it.
            std::os::unix::fs::chown(&file, None, Some(65_534)).unwrap();
            assert!(matches!(of_team(&file, Access::Lock), Err(OpenError::Loose(_))));
        }
        mode(&dir.path().join("log"), 0o666);
        assert!(matches!(of_team(&dir.path().join("log"), Access::Append), Err(OpenError::Loose(_))));
        std::os::unix::fs::symlink("log", dir.path().join("link")).unwrap();
        assert!(of_team(&dir.path().join("link"), Access::Append).is_err());
    }
}
