//! `PACMAN.LOG`, the log that pcm writes: format E, or A where the configuration says `classic` (FORMATS.md 8). One
//! write a record, so that several processes can write to one file. Called by the service and by verbs that act.

use super::Level;
use crate::clock::Wall;
use crate::host::open::{self, Access, OpenError};
use crate::host::{durable, perms};
use crate::terms::words;
use crate::text::SafeText;
use chrono::{NaiveDateTime, TimeDelta};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

words!(
    /// Which of FORMATS.md 8 is written, by the words of `[log] format`.
    LogFormat {
        /// E
        Cmtrace = "cmtrace",
        /// A
        Classic = "classic",
    }
);

/// The writer. It opens the file anew for each record: after a rotation by others, a deletion, or a full disk, the next
/// one finds its way by itself.
#[derive(Debug)]
pub struct PacmanLog {
    path: PathBuf,
    format: LogFormat,
    max_size: u64,
    keep: u32,
    /// The file of the last record, for the time when no other can be opened.
    kept: Option<File>,
}

impl PacmanLog {
    /// The log `name` in the folder `dir`, which is made if it is missing. At `max_size` bytes it is rotated to
    /// `NAME-YYYYMMDD-HHMMSS.LOG` (local time), of which the newest `keep` are kept.
    ///
    /// # Errors
    /// The folder cannot be made, or something that is no regular file has the name.
    pub fn open(
        dir: &Path,
        name: &str,
        format: LogFormat,
        max_size: u64,
        keep: u32,
    ) -> io::Result<PacmanLog> {
        durable::make_readable_dir(dir)?;
        check_home(dir)?;
        let path = dir.join(name);
        match open::own(&path, Access::Read) {
            Ok(_) | Err(OpenError::Missing) => {}
            Err(e) => return Err(refused(&path, e)),
        }
        Ok(PacmanLog { path, format, max_size: max_size.max(4096), keep, kept: None })
    }

    /// Where it is written.
    #[cfg(test)]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes one record. `utc_offset_s` is the zone's offset at `now`, in seconds east of UTC.
    ///
    /// # Errors
    /// The record could not be written (a full disk, say), or it was written but the rotation before it failed. The
    /// next call tries both again.
    pub fn log(
        &mut self,
        level: Level,
        component: &str,
        text: &SafeText,
        now: Wall,
        utc_offset_s: i32,
    ) -> io::Result<()> {
        let bias = -(utc_offset_s / 60);
        let local =
            now.naive_utc().checked_sub_signed(TimeDelta::minutes(bias.into())).unwrap_or(now.naive_utc());
        let mut record = match self.format {
            LogFormat::Cmtrace => cmtrace_line(level, component, text, local, bias),
            LogFormat::Classic => classic_line(text, local),
        };
        if let Some(dir) = self.path.parent() {
            check_home(dir)?;
        }
        let rotated = self.rotate_if_full(record.len() as u64, local);
        // Opened for reading too: to see whether the last record is whole.
        let file = match open::own(&self.path, Access::Append) {
            Ok(file) => self.kept.insert(file),
            // Without a descriptor to spare, that there is none is still said: in the file of the last record.
            Err(e @ OpenError::Io(..)) => {
                self.kept.as_mut().filter(|kept| is_at(kept, &self.path)).ok_or(refused(&self.path, e))?
            }
            Err(e) => return Err(refused(&self.path, e)),
        };
        if ends_within_a_line(file)? {
            record.insert(0, '\n');
        }
        // One system call, unless the disk is full in the middle of it.
        file.write_all(record.as_bytes())?;
        rotated
    }

    fn rotate_if_full(&self, more: u64, local: NaiveDateTime) -> io::Result<()> {
        // Only a file is ever full; whatever else has the name is refused when it is opened.
        let size = match std::fs::symlink_metadata(&self.path) {
            Ok(meta) if meta.is_file() => meta.len(),
            _ => return Ok(()),
        };
        if size == 0 || size.saturating_add(more) <= self.max_size {
            return Ok(());
        }
        std::fs::rename(&self.path, self.free_name(local)?)?;
        self.drop_old()
    }

    /// A name for the rotated file that is not taken: rotations within one second get the seconds after it.
    fn free_name(&self, local: NaiveDateTime) -> io::Result<PathBuf> {
        let (stem, extension) = self.name_parts();
        for second in 0..3600 {
            let at = local.checked_add_signed(TimeDelta::seconds(second)).unwrap_or(local);
            let path = self.path.with_file_name(format!("{stem}-{}{extension}", at.format("%Y%m%d-%H%M%S")));
            if path.symlink_metadata().is_err_and(|e| e.kind() == io::ErrorKind::NotFound) {
                return Ok(path);
            }
        }
        Err(io::Error::new(io::ErrorKind::AlreadyExists, "no free name for the rotated log"))
    }

    /// `PACMAN` and `.LOG`.
    fn name_parts(&self) -> (String, String) {
        let part = |part: Option<&std::ffi::OsStr>| part.map(|p| p.to_string_lossy().into_owned());
        let extension = part(self.path.extension()).map_or_else(String::new, |e| format!(".{e}"));
        (part(self.path.file_stem()).unwrap_or_default(), extension)
    }

    /// The rotated files, the oldest first: their names are their times.
    pub fn rotated(&self) -> io::Result<Vec<PathBuf>> {
        let (stem, extension) = self.name_parts();
        let mut found = Vec::new();
        for entry in std::fs::read_dir(self.path.parent().unwrap_or(Path::new(".")))? {
            let path = entry?.path();
            let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            let stamp = name
                .strip_prefix(&format!("{stem}-"))
                .and_then(|rest| rest.strip_suffix(&extension))
                .unwrap_or_default();
            let shape: String = stamp.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
            if shape == "99999999-999999" {
                found.push(path);
            }
        }
        found.sort();
        Ok(found)
    }

    fn drop_old(&self) -> io::Result<()> {
        let rotated = self.rotated()?;
        let surplus = rotated.len().saturating_sub(usize::try_from(self.keep).unwrap_or(usize::MAX));
        for path in &rotated[..surplus] {
            match std::fs::remove_file(path) {
                // Another process was quicker.
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                other => other?,
            }
        }
        Ok(())
    }
}

/// A log that is not to be written, with its name.
/// Whoever else could write into the folder could put another log into the place of this one.
fn check_home(dir: &Path) -> io::Result<()> {
    perms::check_home(dir).map_err(|loose| io::Error::new(io::ErrorKind::PermissionDenied, loose.to_string()))
}

fn refused(path: &Path, e: OpenError) -> io::Error {
    let kind = io::Error::from(e.clone()).kind();
    io::Error::new(kind, format!("{}: {e}", path.display()))
}

/// Whether this is the file at that path, as far as can be told without opening it.
fn is_at(file: &File, path: &Path) -> bool {
    let length = |meta: std::fs::Metadata| meta.len();
    matches!((file.metadata().map(length), std::fs::metadata(path).map(length)), (Ok(a), Ok(b)) if a == b)
}

/// A crash or a full disk may have left half a record; what follows must not become part of it.
fn ends_within_a_line(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    Ok(file.read(&mut last)? == 1 && last[0] != b'\n')
}

/// One line of format E with its line break. `bias`: minutes to add to local time to get UTC, west positive.
fn cmtrace_line(level: Level, component: &str, text: &SafeText, local: NaiveDateTime, bias: i32) -> String {
    // An end mark in the text would let it forge what follows. Readers take what is left for text.
    let text = text.as_str().replace("]LOG]!>", "]LOG] !>");
    let component = SafeText::new(component).as_str().replace('"', "'");
    let kind = match level {
        Level::Verbose => 0,
        Level::Info => 1,
        Level::Warning => 2,
        Level::Error => 3,
    };
    format!(
        "<![LOG[{text}]LOG]!><time=\"{}{bias:+04}\" date=\"{}\" component=\"{component}\" context=\"\" type=\"{kind}\" \
         thread=\"{}\" file=\"\">\n",
        local.format("%H:%M:%S%.3f"),
        local.format("%m-%d-%Y"),
        std::process::id(),
    )
}

/// One line of format A with its line break, as the original wrote it.
fn classic_line(text: &SafeText, local: NaiveDateTime) -> String {
    format!("[{}] Package Command Manager ==> {text}\n", local.format("%m/%d/%y %H:%M:%S"))
}
