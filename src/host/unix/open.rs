//! `host::open` on Unix: without links, without waiting, without a terminal.

use super::perms;
use crate::host::open::{Access, Looked, OpenError};
use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, RenameFlags, ResolveFlags, Stat, fchmod, fstat, openat,
};
use rustix::io::Errno;
use rustix::path::Arg;
use std::ffi::{OsStr, OsString};
use std::fs::{File, Permissions};
use std::io::{self, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::Duration;

pub const NAMES_WITHOUT_CASE: bool = false;

/// Never through a link, never waiting for a pipe, never a terminal of this process.
const SAFELY: OFlags = OFlags::NOFOLLOW.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);
/// Readable by everyone, writable by the owner.
const PLAIN: Mode = Mode::from_raw_mode(0o644);
/// Its group writes it, too.
const TEAMS: Mode = Mode::from_raw_mode(0o664);
/// Of a lock: who can open it can keep it.
const PRIVATE: Mode = Mode::from_raw_mode(0o600);
const TEAMS_ALONE: Mode = Mode::from_raw_mode(0o660);
const GROUPS_TOO: u32 = 0o020;
/// The same for a folder.
const ENTERABLE: Mode = Mode::from_raw_mode(0o755);

#[derive(Debug)]
pub struct Folder(OwnedFd);

impl AsFd for Folder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Folder {
    pub fn open(path: &Path) -> Result<Folder, OpenError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Folder(openat(CWD, path, flags, Mode::empty()).map_err(error)?))
    }

    pub fn folder(&self, name: &str) -> Result<Folder, OpenError> {
        match open_below(&self.0, name, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()) {
            Ok(fd) => Ok(Folder(fd)),
            // With DIRECTORY, Linux says "not a directory" of a link, too.
            Err(Errno::NOTDIR | Errno::LOOP) if self.is_link(name) => Err(OpenError::Linked),
            Err(e) => Err(error(e)),
        }
    }

    pub fn file(&self, name: &str) -> Result<(File, u64), OpenError> {
        let fd = open_below(&self.0, name, OFlags::RDONLY, Mode::empty()).map_err(error)?;
        let stat = regular(&fd)?;
        Ok((File::from(fd), u64::try_from(stat.st_size).unwrap_or(0)))
    }

    pub fn look(&self, name: &str) -> Result<Looked, OpenError> {
        let stat = rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW).map_err(error)?;
        one_file(&stat)?;
        Ok(Looked {
            size: u64::try_from(stat.st_size).unwrap_or(0),
            changed: nanoseconds(stat.st_mtime, stat.st_mtime_nsec.try_into().unwrap_or(0)),
            number: stat.st_ino,
        })
    }

    pub fn make_folder(&self, name: &str) -> Result<Folder, OpenError> {
        match rustix::fs::mkdirat(&self.0, name, ENTERABLE) {
            Err(Errno::EXIST) => return self.folder(name),
            other => other.map_err(error)?,
        }
        self.enterable(name)
    }

    pub fn new_folder(&self, name: &str) -> io::Result<Folder> {
        rustix::fs::mkdirat(&self.0, name, ENTERABLE)?;
        Ok(self.enterable(name)?)
    }

    /// Opens a folder that was just made.
    fn enterable(&self, name: &str) -> Result<Folder, OpenError> {
        let made = self.folder(name)?;
        // Whatever the umask. A file server that has no modes of its own refuses, and its own rules hold.
        let _ = fchmod(&made.0, ENTERABLE);
        Ok(made)
    }

    pub fn new_file(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        let file = File::from(open_below(&self.0, name, flags, PLAIN)?);
        // As in `enterable`.
        let _ = fchmod(&file, PLAIN);
        Ok(file)
    }

    pub fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        match let_go(|| rustix::fs::renameat_with(&self.0, from, &self.0, to, RenameFlags::NOREPLACE)) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
            other => return Ok(other?),
        }
        // A file server that cannot promise it; it renames over no folder that has something in it.
        if self.holds(to)? {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        Ok(let_go(|| rustix::fs::renameat(&self.0, from, &self.0, to))?)
    }

    pub fn holds(&self, name: &str) -> io::Result<bool> {
        match rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => Ok(false),
            other => Ok(other.map(|_| true)?),
        }
    }

    pub fn remove_tree(&self, name: &str) -> io::Result<()> {
        remove_tree(&self.0, name)
    }

    pub fn sync(&self) -> io::Result<()> {
        match rustix::fs::fsync(&self.0) {
            // Some file servers cannot sync a folder at all; there is nothing more to be had from them.
            Err(Errno::INVAL | Errno::OPNOTSUPP) => Ok(()),
            other => Ok(other?),
        }
    }

    pub fn replace(&self, name: &str, temporary: &str, bytes: &[u8]) -> io::Result<()> {
        let mut file = self.new_file(temporary)?;
        let done = file.write_all(bytes).and_then(|()| file.sync_all());
        // A file that is open keeps its name on SMB.
        drop(file);
        let done =
            done.and_then(|()| Ok(let_go(|| rustix::fs::renameat(&self.0, temporary, &self.0, name))?));
        if done.is_err() {
            let _ = let_go(|| rustix::fs::unlinkat(&self.0, temporary, AtFlags::empty()));
        }
        done?;
        self.sync()
    }

    /// A file that is there, to be written where it stands.
    pub fn existing(&self, name: &str) -> Result<File, OpenError> {
        let file = open_below(&self.0, name, OFlags::WRONLY, Mode::empty()).map_err(error)?;
        regular(&file)?;
        Ok(File::from(file))
    }

    pub fn names(&self, most: usize) -> Result<Vec<OsString>, OpenError> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.0).map_err(error)? {
            let entry = entry.map_err(error)?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name == "." || name == ".." {
                continue;
            }
            if names.len() == most {
                break;
            }
            names.push(name.to_owned());
        }
        Ok(names)
    }

    pub fn remove(&self, name: &str) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.0, name, AtFlags::empty())?)
    }

    pub fn remove_empty(&self, name: &str) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.0, name, AtFlags::REMOVEDIR)?)
    }

    fn is_link(&self, name: &str) -> bool {
        let stat = rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW);
        stat.is_ok_and(|s| FileType::from_raw_mode(s.st_mode) == FileType::Symlink)
    }
}

fn remove_tree(above: &OwnedFd, name: impl Arg + Copy) -> io::Result<()> {
    let busy = || io::Error::new(io::ErrorKind::ResourceBusy, "something is mounted in it");
    let flags = OFlags::RDONLY | OFlags::DIRECTORY;
    let folder = match open_with(above, name, flags, Mode::empty(), ResolveFlags::NO_XDEV) {
        // With DIRECTORY, that is said of a link, too.
        Err(Errno::NOTDIR | Errno::LOOP) => {
            return Ok(rustix::fs::unlinkat(above, name, AtFlags::empty())?);
        }
        Err(Errno::XDEV) => return Err(busy()),
        other => other?,
    };
    // Where the kernel could not be asked.
    if fstat(&folder)?.st_dev != fstat(above)?.st_dev {
        return Err(busy());
    }
    // What is removed while it is listed could be left out: all names first.
    let mut names = Vec::new();
    for entry in Dir::read_from(&folder)? {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            names.push(entry.file_name().to_owned());
        }
    }
    for inner in &names {
        remove_tree(&folder, inner.as_c_str())?;
    }
    Ok(rustix::fs::unlinkat(above, name, AtFlags::REMOVEDIR)?)
}

/// Opens a name in a folder. The kernel itself sees to it that no link and nothing outside of the folder is meant; a
/// kernel or a container that has no such call is asked for the one name without following it, which is as good for one.
fn open_below(folder: &OwnedFd, name: &str, flags: OFlags, mode: Mode) -> rustix::io::Result<OwnedFd> {
    open_with(folder, name, flags, mode, ResolveFlags::empty())
}

fn open_with(
    folder: &OwnedFd,
    name: impl Arg + Copy,
    flags: OFlags,
    mode: Mode,
    more: ResolveFlags,
) -> rustix::io::Result<OwnedFd> {
    /// It says so where something was renamed meanwhile.
    const TRIES: usize = 100;
    let inside = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS | more;
    for _ in 0..TRIES {
        match rustix::fs::openat2(folder, name, flags | SAFELY, mode, inside) {
            Err(Errno::AGAIN) => {}
            Err(Errno::NOSYS | Errno::PERM) => break,
            other => return other,
        }
    }
    openat(folder, name, flags | SAFELY, mode)
}

pub fn looked_at(meta: &std::fs::Metadata) -> Looked {
    Looked { size: meta.len(), changed: nanoseconds(meta.mtime(), meta.mtime_nsec()), number: meta.ino() }
}

fn nanoseconds(seconds: i64, more: i64) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add(more)
}

/// What is open is a regular file with one name.
fn regular(file: &OwnedFd) -> Result<Stat, OpenError> {
    let stat = fstat(file).map_err(error)?;
    one_file(&stat)?;
    Ok(stat)
}

fn one_file(stat: &Stat) -> Result<(), OpenError> {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Symlink => Err(OpenError::Linked),
        // None at all: it was replaced since, and what is open is still whole.
        FileType::RegularFile if stat.st_nlink > 1 => Err(OpenError::Linked),
        FileType::RegularFile => Ok(()),
        _ => Err(OpenError::NotRegular),
    }
}

pub fn own(path: &Path, access: Access) -> Result<File, OpenError> {
    let flags = match access {
        Access::Read => OFlags::RDONLY,
        Access::Change | Access::Write | Access::Lock => OFlags::RDWR,
        Access::Append => OFlags::RDWR | OFlags::APPEND,
    };
    let made_where_missing = matches!(access, Access::Write | Access::Append | Access::Lock);
    let mode = if access == Access::Lock { PRIVATE } else { PLAIN };
    loop {
        match openat(CWD, path, flags | SAFELY, Mode::empty()) {
            Err(Errno::NOENT) if made_where_missing => {}
            Err(e) => return Err(error(e)),
            Ok(file) => {
                let stat = regular(&file)?;
                perms::check_own(path, &stat).map_err(|loose| OpenError::Loose(loose.to_string()))?;
                if access == Access::Lock {
                    close_to_others(&file, &stat, PRIVATE);
                }
                return Ok(file.into());
            }
        }
        match openat(CWD, path, flags | SAFELY | OFlags::CREATE | OFlags::EXCL, mode) {
            // Somebody else made it in between: it is looked at like any other.
            Err(Errno::EXIST) => {}
            Err(e) => return Err(error(e)),
            Ok(file) => {
                fchmod(&file, mode).map_err(error)?;
                return Ok(file.into());
            }
        }
    }
}

/// A lock that a former version made could be opened by everyone. What is not ours to change stays, and its owner changes it.
fn close_to_others(file: &OwnedFd, found: &Stat, mode: Mode) {
    if found.st_mode & 0o777 & !mode.as_raw_mode() != 0 {
        let _ = fchmod(file, mode);
    }
}

pub fn of_team(path: &Path, access: Access) -> Result<File, OpenError> {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = std::fs::metadata(folder)?;
    if folder.mode() & GROUPS_TOO == 0 {
        return own(path, access);
    }
    let flags = if access == Access::Append { OFlags::RDWR | OFlags::APPEND } else { OFlags::RDWR };
    let (alone, teams) = if access == Access::Lock { (PRIVATE, TEAMS_ALONE) } else { (PLAIN, TEAMS) };
    loop {
        match openat(CWD, path, flags | SAFELY, Mode::empty()) {
            Err(Errno::NOENT) => {}
            Err(e) => return Err(error(e)),
            Ok(file) => {
                let stat = regular(&file)?;
                perms::check_team(path, &stat, folder.gid())
                    .map_err(|loose| OpenError::Loose(loose.to_string()))?;
                if access == Access::Lock {
                    // Whose group it is not has no right by it.
                    close_to_others(&file, &stat, if stat.st_gid == folder.gid() { teams } else { alone });
                }
                return Ok(file.into());
            }
        }
        match openat(CWD, path, flags | SAFELY | OFlags::CREATE | OFlags::EXCL, alone) {
            Err(Errno::EXIST) => {}
            Err(e) => return Err(error(e)),
            Ok(file) => {
                // Where it cannot be the group's, it is its maker's alone, and the others are told.
                let group = rustix::fs::Gid::from_raw(folder.gid());
                let ours = rustix::fs::fchown(&file, None, Some(group)).is_ok();
                fchmod(&file, if ours { teams } else { alone }).map_err(error)?;
                return Ok(file.into());
            }
        }
    }
}

pub fn check_own(path: &Path) -> Result<(), OpenError> {
    let stat = rustix::fs::statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW).map_err(error)?;
    one_file(&stat)?;
    perms::check_own(path, &stat).map_err(|loose| OpenError::Loose(loose.to_string()))
}

pub fn identity(meta: &std::fs::Metadata) -> [u64; 2] {
    [meta.dev(), meta.ino()]
}

pub fn named(path: &Path) -> io::Result<File> {
    Ok(openat(CWD, path, SAFELY.difference(OFlags::NOFOLLOW), Mode::empty())?.into())
}

pub fn local(folder: &Path, name: &OsStr) -> Result<(File, u64), OpenError> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = openat(CWD, folder, flags, Mode::empty()).map_err(error)?;
    let regular = |stat: &Stat| match FileType::from_raw_mode(stat.st_mode) {
        FileType::Symlink => Err(OpenError::Linked),
        FileType::RegularFile => Ok(()),
        _ => Err(OpenError::NotRegular),
    };
    // Opening alone makes some devices do something.
    regular(&rustix::fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW).map_err(error)?)?;
    let file = openat(&folder, name, OFlags::RDONLY | SAFELY, Mode::empty()).map_err(error)?;
    let stat = fstat(&file).map_err(error)?;
    regular(&stat)?;
    Ok((File::from(file), u64::try_from(stat.st_size).unwrap_or(0)))
}

/// Whether an error with this number is that of a disk or of a file server.
pub fn is_of_store(number: i32) -> bool {
    use rustix::io::Errno;
    let of_store = [
        Errno::IO,
        Errno::STALE,
        Errno::TIMEDOUT,
        Errno::NOTCONN,
        Errno::CONNRESET,
        Errno::CONNABORTED,
        Errno::CONNREFUSED,
        Errno::HOSTDOWN,
        Errno::HOSTUNREACH,
        Errno::NETDOWN,
        Errno::NETUNREACH,
    ];
    of_store.iter().any(|errno| errno.raw_os_error() == number)
}

pub fn refused_name(_: &str) -> bool {
    false
}

/// Nobody can set the time of the newest change back, but with the clock.
pub fn state_of(meta: &std::fs::Metadata) -> Vec<u64> {
    let times = [meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec()].map(i64::cast_unsigned);
    let [mode, uid, gid] = [meta.mode(), meta.uid(), meta.gid()].map(u64::from);
    [&[meta.dev(), meta.ino(), meta.size(), meta.nlink(), mode, uid, gid][..], &times].concat()
}

#[cfg(feature = "remote")]
pub fn is_secret(file: &File) -> io::Result<bool> {
    Ok(file.metadata()?.mode() & 0o077 == 0)
}

pub fn make_runnable(file: &File) -> io::Result<()> {
    file.set_permissions(Permissions::from_mode(0o755))
}

pub fn make_enterable(path: &Path) -> io::Result<()> {
    std::fs::set_permissions(path, Permissions::from_mode(0o755))
}

pub fn make_plain(file: &File) -> io::Result<()> {
    Ok(fchmod(file, PLAIN)?)
}

pub fn make_private(path: &Path) -> io::Result<()> {
    std::fs::set_permissions(path, Permissions::from_mode(0o700))
}

/// Does something to a name whose file was closed a moment ago. FUSE tells its file system of that after the call, and until
/// then one over SMB keeps the name.
fn let_go(mut act: impl FnMut() -> rustix::io::Result<()>) -> rustix::io::Result<()> {
    let mut pause = Duration::from_millis(5);
    loop {
        match act() {
            Err(Errno::BUSY | Errno::TXTBSY) if pause < Duration::from_millis(500) => {
                std::thread::sleep(pause);
                pause *= 2;
            }
            other => return other,
        }
    }
}

#[cfg(test)]
pub fn usual_umask() {
    rustix::process::umask(Mode::from_raw_mode(0o022));
}

fn error(e: Errno) -> OpenError {
    match e {
        Errno::PERM => OpenError::Denied,
        Errno::LOOP => OpenError::Linked,
        // What sockets and devices without a driver say, and a folder that is opened for writing.
        Errno::NXIO | Errno::NODEV | Errno::ISDIR => OpenError::NotRegular,
        other => io::Error::from(other).into(),
    }
}
