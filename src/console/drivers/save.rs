//! Writes what is shown to a new file. What exists is never written over, and a link is not followed.

use super::{Incoming, send};
use crate::console::app::Event;
use crate::console::threads::spawn;
use crate::safe;
use crate::text::SafeText;
use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};

/// A path as it was typed, and what is to be written there.
pub type Job = (String, Vec<SafeText>);

/// Starts the thread that writes; what became of each comes as an event.
///
/// # Errors
/// The system has no more threads.
pub fn start(to: &Sender<Incoming>) -> std::io::Result<Sender<Job>> {
    let (jobs, wanted) = channel::<Job>();
    let to = to.clone();
    spawn("save", move || {
        let home = std::env::var_os("HOME").map(PathBuf::from);
        for (path, lines) in wanted {
            let (text, error) = match write(&expand(&path, home.as_deref()), &lines) {
                Ok((path, bytes)) => {
                    (safe!("saved {} lines, {bytes} bytes, to {}", lines.len(), path.display()), false)
                }
                Err(e) if e.kind() == ErrorKind::AlreadyExists => {
                    (safe!("save: {path} exists, nothing was written; give another name"), true)
                }
                Err(e) => (safe!("save: {path}: {e}"), true),
            };
            if !send(&to, Event::Said { text, error }) {
                return;
            }
        }
    })?;
    Ok(jobs)
}

/// `~/` is the home folder, as a shell would have it.
pub(super) fn expand(path: &str, home: Option<&Path>) -> PathBuf {
    match (path.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(path),
    }
}

fn write(path: &Path, lines: &[SafeText]) -> std::io::Result<(PathBuf, usize)> {
    let file = std::fs::OpenOptions::new().write(true).create_new(true).open(path)?;
    let mut out = BufWriter::new(file);
    let mut bytes = 0;
    for line in lines {
        writeln!(out, "{line}")?;
        bytes += line.as_str().len() + 1;
    }
    out.flush()?;
    // What was typed may be relative: the operator wants to know where it is.
    Ok((std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()), bytes))
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
        assert_eq!(write(&path, &lines).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
        let (_, bytes) = write(&folder.path().join("new.txt"), &lines).unwrap();
        assert_eq!(bytes, 8);
        assert_eq!(std::fs::read_to_string(folder.path().join("new.txt")).unwrap(), "one\ntwo\n");
    }

    #[test]
    fn a_tilde_is_the_home_folder() {
        assert_eq!(expand("~/a", Some(Path::new("/home/ola"))), Path::new("/home/ola/a"));
        assert_eq!(expand("a~/b", Some(Path::new("/home/ola"))), Path::new("a~/b"));
    }
}
