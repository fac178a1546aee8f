//! Folders: what is in one is reached by its name, on this machine and on a server.

use super::{Bytes, Looked, OpenError, RegularFile, only_here, remote};
use crate::host::sys;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// An open folder. What is below it is opened from here, name by name, so that no link in between is followed.
#[derive(Debug)]
pub struct Folder {
    pub(in crate::host) inner: Inner,
    pub(in crate::host) path: PathBuf,
}

/// Where it is.
#[derive(Debug)]
pub(in crate::host) enum Inner {
    /// In a file system.
    Here(sys::open::Folder),
    /// On a server: how the names of its objects begin. Such a folder is always there.
    There(remote::Prefix),
}
use Inner::{Here, There};

impl Folder {
    /// Opens a folder that the configuration names; links on the way to it are the operator's own. Of a share that is no
    /// folder nothing is asked yet.
    ///
    /// # Errors
    /// [`OpenError`]
    pub fn open(path: &Path) -> Result<Folder, OpenError> {
        let inner = match remote::is_remote(path) {
            true => There(remote::Prefix::open(path)?),
            false => Here(sys::open::Folder::open(path)?),
        };
        Ok(Folder { inner, path: path.to_owned() })
    }

    /// Opens a folder in this one.
    ///
    /// # Errors
    /// [`OpenError`]; a link is [`OpenError::Linked`].
    pub fn folder(&self, name: &str) -> Result<Folder, OpenError> {
        let name = one_name(name)?;
        let inner = match &self.inner {
            Here(folder) => Here(folder.folder(name)?),
            There(prefix) => There(prefix.below(name)),
        };
        Ok(Folder { inner, path: self.at(name) })
    }

    /// Opens a file in this one.
    ///
    /// # Errors
    /// [`OpenError`]; a link or a second name is [`OpenError::Linked`].
    pub fn file(&self, name: &str) -> Result<RegularFile, OpenError> {
        self.file_unless(name, None)?.ok_or(OpenError::Missing)
    }

    /// The same, where it does not have this tag any more ([`RegularFile::tag`]); None: it has. A file has no tag.
    ///
    /// # Errors
    /// As [`Folder::file`].
    pub fn file_unless(&self, name: &str, tag: Option<&str>) -> Result<Option<RegularFile>, OpenError> {
        let name = one_name(name)?;
        let (file, size) = match &self.inner {
            Here(folder) => folder.file(name).map(|(file, size)| (Bytes::Here(file), size))?,
            There(prefix) => match prefix.get(name, tag)? {
                Some((object, size)) => (Bytes::There(object), size),
                None => return Ok(None),
            },
        };
        Ok(Some(RegularFile { file, size, path: self.at(name) }))
    }

    fn at(&self, name: &str) -> PathBuf {
        remote::below(&self.path, name)
    }

    /// Looks at a file in this one without opening it.
    ///
    /// # Errors
    /// As [`Folder::file`].
    pub fn look(&self, name: &str) -> Result<Looked, OpenError> {
        match &self.inner {
            Here(folder) => folder.look(one_name(name)?),
            There(prefix) => prefix.look(one_name(name)?),
        }
    }

    /// How a file of a store far away stands, where the answer carries no byte of it; None: it is to be opened, which costs no
    /// more.
    pub fn far(&self, name: &str) -> Option<Looked> {
        match &self.inner {
            Here(_) => None,
            There(prefix) => prefix.look(one_name(name).ok()?).ok(),
        }
    }

    /// Opens a folder in this one, which is made where there is none: everyone may enter it, its owner may write.
    ///
    /// # Errors
    /// [`OpenError`]; a link is [`OpenError::Linked`].
    pub fn make_folder(&self, name: &str) -> Result<Folder, OpenError> {
        match &self.inner {
            Here(folder) => {
                Ok(Folder { inner: Here(folder.make_folder(one_name(name)?)?), path: self.at(name) })
            }
            There(_) => self.folder(name),
        }
    }

    /// Makes a folder in this one: everyone may enter it, its owner may write.
    ///
    /// # Errors
    /// As the system reports them; [`io::ErrorKind::AlreadyExists`] where anything has that name, be it a link.
    pub fn new_folder(&self, name: &str) -> io::Result<Folder> {
        match &self.inner {
            Here(folder) => {
                Ok(Folder { inner: Here(folder.new_folder(one_name(name)?)?), path: self.at(name) })
            }
            There(_) => Err(only_here()),
        }
    }

    /// Makes a file in this folder, to be written: everyone may read it, its owner may write.
    ///
    /// # Errors
    /// As [`Folder::new_folder`].
    pub fn new_file(&self, name: &str) -> io::Result<File> {
        self.here()?.new_file(one_name(name)?)
    }

    /// Gives what has a name in this folder another one that nothing has. A link is renamed itself.
    ///
    /// # Errors
    /// As [`Folder::new_folder`]; it then still has its old name.
    pub fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.here()?.rename(one_name(from)?, one_name(to)?)
    }

    /// Whether anything has that name here, be it a link.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn holds(&self, name: &str) -> io::Result<bool> {
        match &self.inner {
            Here(folder) => folder.holds(one_name(name)?),
            There(prefix) => match prefix.look(one_name(name)?) {
                Ok(_) => Ok(true),
                Err(OpenError::Missing) => Ok(false),
                Err(e) => Err(e.into()),
            },
        }
    }

    /// Removes what has a name in this folder, with everything in it. No link is followed, and what is mounted in it stays.
    ///
    /// # Errors
    /// What could not be removed; some of it may be gone.
    pub fn remove_tree(&self, name: &str) -> io::Result<()> {
        self.here()?.remove_tree(one_name(name)?)
    }

    /// Puts what was made, renamed or removed in it on disk.
    ///
    /// # Errors
    /// A failed sync: nothing in the folder is known to be durable.
    pub fn sync(&self) -> io::Result<()> {
        match &self.inner {
            Here(folder) => folder.sync(),
            There(_) => Ok(()),
        }
    }

    fn here(&self) -> io::Result<&sys::open::Folder> {
        match &self.inner {
            Here(folder) => Ok(folder),
            There(_) => Err(only_here()),
        }
    }

    /// Replaces a file in this folder, or makes it: a reader sees the old content or the new, and after the return the
    /// new one is on disk. A link of that name is replaced itself; where it leads nothing changes.
    ///
    /// # Errors
    /// As the system reports them; the old content is then still there.
    pub fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let name = one_name(name)?;
        let folder = match &self.inner {
            Here(folder) => folder,
            There(prefix) => return prefix.put(name, bytes),
        };
        loop {
            match folder.replace(name, &temporary_name(name), bytes) {
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
        let folder = match &self.inner {
            Here(folder) => folder,
            There(prefix) => return prefix.bring(name, from),
        };
        let (temporary, mut file) = loop {
            let temporary = temporary_name(name);
            match folder.new_file(&temporary) {
                // Left by an earlier process with this pid.
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                other => break (temporary, other?),
            }
        };
        let done = io::copy(from, &mut file).and_then(|_| file.sync_all());
        drop(file);
        let done = done.and_then(|()| folder.rename(&temporary, name));
        if done.is_err() {
            let _ = folder.remove(&temporary);
        }
        done?;
        folder.sync()
    }

    /// Writes a file that is there where it stands, from its beginning to its end: a reader may see a part of it. For
    /// places where a name cannot be given to another file while somebody reads the first.
    ///
    /// # Errors
    /// As the system reports them; a link or a second name is [`OpenError::Linked`].
    pub fn overwrite(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let folder = match &self.inner {
            Here(folder) => folder,
            There(prefix) => return prefix.put(one_name(name)?, bytes),
        };
        let mut file = folder.existing(one_name(name)?)?;
        file.set_len(0)?;
        file.write_all(bytes)?;
        file.sync_all()
    }

    /// The names in it, in no order.
    ///
    /// # Errors
    /// [`OpenError`]; more than `most` names are [`OpenError::TooMany`].
    pub fn names(&self, most: usize) -> Result<Vec<OsString>, OpenError> {
        let names = self.some_names(most.saturating_add(1))?;
        if names.len() > most { Err(OpenError::TooMany(most)) } else { Ok(names) }
    }

    /// As many of the names in it, in no order.
    ///
    /// # Errors
    /// [`OpenError`]
    pub fn some_names(&self, most: usize) -> Result<Vec<OsString>, OpenError> {
        match &self.inner {
            Here(folder) => folder.names(most),
            There(prefix) => Ok(prefix.names(most)?.into_iter().map(OsString::from).collect()),
        }
    }

    /// Removes a file in this folder. A link of that name is removed itself; where it leads nothing changes.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        match &self.inner {
            Here(folder) => folder.remove(one_name(name)?),
            There(prefix) => prefix.remove(one_name(name)?),
        }
    }

    /// Removes a folder in this folder, where nothing is in it. On a server such a folder is nothing at all.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn remove_empty(&self, name: &str) -> io::Result<()> {
        match &self.inner {
            Here(folder) => folder.remove_empty(one_name(name)?),
            There(_) => Ok(()),
        }
    }

    /// Whether it is on a server: its objects are asked for by their names.
    pub fn is_remote(&self) -> bool {
        matches!(self.inner, There(_))
    }

    /// Where it is, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }
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
