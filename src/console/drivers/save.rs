//! Writes what is shown to a new file that only this account may read. What exists is never written over, a link is not
//! followed, and what cannot be written whole never has its name, whatever ends pcm meanwhile.

use super::{Incoming, send};
use crate::console::app::Event;
use crate::console::app::whole::Saved;
use crate::console::threads::spawn;
use crate::host::durable::Growing;
use crate::safe;
use crate::text::SafeText;
use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};

/// So much is written at once.
const PIECE: usize = 64 * 1024;

/// A path as it was typed, and what is to be written there.
pub type Job = (String, Vec<SafeText>);

/// Starts the thread that writes; what became of each comes as an event.
///
/// # Errors
/// The system has no more threads.
pub fn start(to: &Sender<Incoming>) -> Result<Sender<Job>> {
    let (jobs, wanted) = channel::<Job>();
    let to = to.clone();
    spawn("save", move || {
        for (path, lines) in wanted {
            let (said, error) = match write(&path, &lines) {
                Ok(saved) => (saved.words(), false),
                Err(e) => (safe!("save: {}", why_not(&path, &e)), true),
            };
            if !send(&to, Event::Saved { path, said, error }) {
                return;
            }
        }
    })?;
    Ok(jobs)
}

/// What is said of a file that was not written.
pub fn why_not(path: &str, e: &Error) -> SafeText {
    match e.kind() {
        ErrorKind::AlreadyExists => safe!("{path} exists, nothing was written; give another name"),
        _ => safe!("{path}: {e}"),
    }
}

/// `~/` is the home folder, as a shell would have it.
pub(super) fn expand(path: &str, home: Option<&Path>) -> PathBuf {
    match (path.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(path),
    }
}

/// A new file that is being written; it gets its name once all of it is on disk, and unless it is kept it goes away.
pub struct NewFile {
    growing: Growing,
    path: PathBuf,
    /// What is to be written with what follows.
    held: Vec<u8>,
    lines: usize,
    bytes: usize,
}

impl NewFile {
    /// Makes it, by a path as it was typed.
    ///
    /// # Errors
    /// What the system says; there is one already.
    pub fn make(typed: &str) -> Result<NewFile> {
        let home = std::env::var_os("HOME").map(PathBuf::from);
        let path = expand(typed, home.as_deref());
        let growing = Growing::new(&path)?;
        Ok(NewFile { growing, path, held: Vec::new(), lines: 0, bytes: 0 })
    }

    /// Writes a line.
    ///
    /// # Errors
    /// What the system says.
    pub fn line(&mut self, line: &SafeText) -> Result<()> {
        self.held.extend_from_slice(line.as_str().as_bytes());
        self.held.push(b'\n');
        self.lines += 1;
        self.bytes += line.as_str().len() + 1;
        if self.held.len() >= PIECE { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        self.growing.write(&self.held)?;
        self.held.clear();
        Ok(())
    }

    /// All of it was written.
    ///
    /// # Errors
    /// What the system says; there is one of its name by now.
    pub fn keep(mut self) -> Result<Saved> {
        self.flush()?;
        self.growing.keep()?;
        // What was typed may be relative: the operator wants to know where it is.
        let path = std::fs::canonicalize(&self.path).unwrap_or(self.path);
        Ok(Saved { path, lines: self.lines, bytes: self.bytes })
    }
}

fn write(path: &str, lines: &[SafeText]) -> Result<Saved> {
    let mut file = NewFile::make(path)?;
    lines.iter().try_for_each(|line| file.line(line))?;
    file.keep()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_file_that_exists_is_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kept.txt");
        std::fs::write(&path, "precious").unwrap();
        let lines = ["one".into(), "two".into()];
        let typed = |path: &Path| path.to_str().unwrap().to_owned();
        let e = write(&typed(&path), &lines).unwrap_err();
        assert!(why_not("kept.txt", &e).as_str().contains("exists, nothing was written"), "{e}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
        let saved = write(&typed(&folder.path().join("new.txt")), &lines).unwrap();
        assert_eq!((saved.lines, saved.bytes), (2, 8));
        assert_eq!(std::fs::read_to_string(folder.path().join("new.txt")).unwrap(), "one\ntwo\n");
    }

    #[test]
    fn what_is_not_kept_goes_away_and_nobody_else_may_read_what_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("part.txt");
        let mut file = NewFile::make(path.to_str().unwrap()).unwrap();
        let long = SafeText::new(&"half ".repeat(200));
        (0..100).for_each(|_| file.line(&long).unwrap());
        assert!(!path.exists(), "whoever ends pcm now leaves no half of it behind");
        drop(file);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        let path = write(path.to_str().unwrap(), &["whole".into()]).unwrap().path;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(std::fs::read_to_string(path).unwrap(), "whole\n");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_tilde_is_the_home_folder() {
        assert_eq!(expand("~/a", Some(Path::new("/home/ola"))), Path::new("/home/ola/a"));
        assert_eq!(expand("a~/b", Some(Path::new("/home/ola"))), Path::new("a~/b"));
    }
}
