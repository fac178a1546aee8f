//! What an operator has seen of what expired or failed, kept for the next start in a file of their own: a line each,
//! after a `-` what is to be shown again. Without such a file everything is shown, which harms nobody.

use crate::console::threads::spawn;
use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};

/// Of a longer file only the end counts, in bytes; a line is some forty.
const MOST: u64 = 256 << 10;

/// Where it is; None: the system names no such folder.
pub fn file() -> Option<PathBuf> {
    let var = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let base = var("XDG_STATE_HOME")
        .or_else(|| var("LOCALAPPDATA"))
        .or_else(|| Some(var("HOME")?.join(".local").join("state")))?;
    Some(base.join("pcm").join("seen"))
}

/// What was seen before. A file that cannot be read is none.
pub fn load(path: &Path) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let Ok(file) = std::fs::File::open(path) else { return seen };
    let mut bytes = Vec::new();
    let _ = file.take(MOST).read_to_end(&mut bytes);
    for line in String::from_utf8_lossy(&bytes).lines() {
        match line.strip_prefix('-') {
            Some(again) => seen.remove(again),
            None => seen.insert(line.to_owned()),
        };
    }
    seen
}

/// Starts the thread that keeps lines in this file.
///
/// # Errors
/// The system has no more threads.
pub fn start(path: PathBuf) -> std::io::Result<Sender<String>> {
    let (lines, wanted) = channel::<String>();
    spawn("seen", move || {
        for line in wanted {
            if let Err(e) = keep(&path, &line) {
                tracing::warn!("what has been seen cannot be kept for the next start: {e}");
            }
        }
    })?;
    Ok(lines)
}

/// Adds a line. A file that has grown too long begins anew.
fn keep(path: &Path, line: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let long = std::fs::metadata(path).is_ok_and(|meta| meta.len() + line.len() as u64 >= MOST);
    let mut options = OpenOptions::new();
    options.create(true);
    let mut file = if long { options.write(true).truncate(true) } else { options.append(true) }.open(path)?;
    file.write_all(format!("{line}\n").as_bytes())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::time::{Duration, Instant};

    #[test]
    fn what_was_seen_is_known_at_the_next_start_until_it_is_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deeper").join("seen");
        assert!(load(&path).is_empty());
        keep(&path, "M A expired 0").unwrap();
        keep(&path, "M B failed 1").unwrap();
        keep(&path, "-M A expired 0").unwrap();
        assert_eq!(load(&path).into_iter().collect::<Vec<_>>(), ["M B failed 1"]);
    }

    #[test]
    fn a_line_is_kept_beside_whoever_hands_it_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("seen");
        let lines = start(path.clone()).unwrap();
        lines.send("M A expired 0".into()).unwrap();
        drop(lines);
        let end = Instant::now() + Duration::from_secs(20);
        while load(&path).is_empty() {
            assert!(Instant::now() < end, "nothing was kept");
            std::thread::yield_now();
        }
        assert!(load(&path).contains("M A expired 0"));
    }

    #[test]
    fn the_file_stays_small() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("seen");
        std::fs::write(&path, "x\n".repeat(MOST as usize / 2)).unwrap();
        keep(&path, "M B failed 1").unwrap();
        assert_eq!(load(&path).len(), 1);
    }
}
