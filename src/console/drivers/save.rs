//! Writes what is shown to a new file that only this account may read. What exists is never written over, a link is not
//! followed, and what cannot be written whole goes away again.

use super::{Incoming, send};
use crate::console::app::Event;
use crate::console::app::whole::Saved;
use crate::console::threads::spawn;
use crate::host::durable;
use crate::safe;
use crate::text::SafeText;
use std::fs::File;
use std::io::{BufWriter, Error, ErrorKind, Result, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};

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
            let (text, error) = match write(&path, &lines) {
                Ok(saved) => (saved.words(), false),
                Err(e) => (safe!("save: {}", why_not(&path, &e)), true),
            };
            if !send(&to, Event::Said { text, error }) {
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
fn expand(path: &str, home: Option<&Path>) -> PathBuf {
    match (path.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(path),
    }
}

/// A new file that is being written; unless it is kept, it goes away.
pub struct NewFile {
    out: BufWriter<File>,
    saved: Saved,
    kept: bool,
}

impl NewFile {
    /// Makes it, by a path as it was typed.
    ///
    /// # Errors
    /// What the system says; there is one already.
    pub fn make(typed: &str) -> Result<NewFile> {
        let home = std::env::var_os("HOME").map(PathBuf::from);
        let path = expand(typed, home.as_deref());
        let out = BufWriter::new(durable::new_private(&path)?);
        // What was typed may be relative: the operator wants to know where it is.
        let path = std::fs::canonicalize(&path).unwrap_or(path);
        Ok(NewFile { out, saved: Saved { path, lines: 0, bytes: 0 }, kept: false })
    }

    /// Writes a line.
    ///
    /// # Errors
    /// What the system says.
    pub fn line(&mut self, line: &SafeText) -> Result<()> {
        writeln!(self.out, "{line}")?;
        self.saved.lines += 1;
        self.saved.bytes += line.as_str().len() + 1;
        Ok(())
    }

    /// All of it was written.
    ///
    /// # Errors
    /// What the system says.
    pub fn keep(mut self) -> Result<Saved> {
        self.out.flush()?;
        self.kept = true;
        Ok(self.saved.clone())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.kept {
            let _ = std::fs::remove_file(&self.saved.path);
        }
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
        file.line(&"half".into()).unwrap();
        assert!(path.exists());
        drop(file);
        assert!(!path.exists());
        let path = write(path.to_str().unwrap(), &["whole".into()]).unwrap().path;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(std::fs::read_to_string(path).unwrap(), "whole\n");
    }

    #[test]
    fn a_tilde_is_the_home_folder() {
        assert_eq!(expand("~/a", Some(Path::new("/home/ola"))), Path::new("/home/ola/a"));
        assert_eq!(expand("a~/b", Some(Path::new("/home/ola"))), Path::new("a~/b"));
    }
}
