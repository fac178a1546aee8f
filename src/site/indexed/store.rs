//! The folder `held` of a machine: what is in force of an index, one folder a publication, and `current`, which names the one
//! that counts. Whatever dies in between, it names one that is whole.

use super::parts::{MAX_FILE, Parts};
use crate::clock::Wall;
use crate::host::durable;
use crate::host::open::{self, Access, OpenError};
use crate::site::index::{MAX_BYTES, NAME};
use std::io;
use std::path::Path;

/// Names the folder that counts.
const CURRENT: &str = "current";
/// Beside the index: its parts.
const PARTS: &str = "PARTS";
/// The longest name of a folder.
const MAX_NAME: u64 = 128;

/// What is held.
#[derive(Debug, Clone, Default)]
pub struct Held {
    /// The bytes of the index.
    pub index: Vec<u8>,
    /// Its parts, as far as this machine has got them.
    pub parts: Parts,
    /// When a share was last seen.
    pub seen: Option<Wall>,
}

/// Reads it; None: no index is held, or what is there cannot be read.
pub fn read(dir: &Path) -> Option<Held> {
    let folder = dir.join(current(dir)?);
    let index = open::read_own(&folder.join(NAME), MAX_BYTES).ok()?;
    let parts = open::read_own(&folder.join(PARTS), MAX_FILE).unwrap_or_default();
    let seen = std::fs::metadata(dir.join(CURRENT)).and_then(|meta| meta.modified()).ok();
    Some(Held { index, parts: Parts::decode(&parts), seen: seen.map(Wall::from) })
}

/// The same, told apart; `Ok(None)`: no index is held.
///
/// # Errors
/// Why what is there cannot be read.
pub fn look(dir: &Path) -> Result<Option<Held>, OpenError> {
    match open::read_own(&dir.join(CURRENT), MAX_NAME) {
        Err(OpenError::Missing) => Ok(None),
        Err(e) => Err(e),
        Ok(_) => match read(dir) {
            Some(held) => Ok(Some(held)),
            None => Err(OpenError::Io(format!("what {CURRENT} names cannot be read"), None)),
        },
    }
}

/// Whether an index was ever held here, whatever became of it.
pub fn is_there(dir: &Path) -> bool {
    dir.join(CURRENT).exists()
}

fn current(dir: &Path) -> Option<String> {
    let name = String::from_utf8(open::read_own(&dir.join(CURRENT), MAX_NAME).ok()?).ok()?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    Some(name.trim_end().to_owned()).filter(|name| !name.is_empty() && name.bytes().all(plain))
}

/// Holds an index from now on, durably, in the folder of this name. Parts may come later: the same index is held again with
/// them.
///
/// # Errors
/// What was held before is held still.
pub fn write(dir: &Path, name: &str, index: &[u8], parts: &Parts) -> io::Result<()> {
    let encoded = parts.encode();
    if encoded.len() as u64 > MAX_FILE || index.len() as u64 > MAX_BYTES {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is more than is ever read back"));
    }
    let folder = dir.join(name);
    durable::make_private_dir(&folder)?;
    let replace = |path: &Path, limit: u64, bytes: &[u8]| match open::read_own(path, limit) {
        Ok(held) if held == bytes => Ok(()),
        _ => durable::write(path, bytes),
    };
    replace(&folder.join(PARTS), MAX_FILE, &encoded)?;
    replace(&folder.join(NAME), MAX_BYTES, index)?;
    replace(&dir.join(CURRENT), MAX_NAME, format!("{name}\n").as_bytes())?;
    // Nobody reads the others any more; what cannot be removed goes with the next one.
    for entry in std::fs::read_dir(dir)?.flatten() {
        let other = entry.file_name();
        if other != name && other != CURRENT && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
    Ok(())
}

/// Remembers that a share was seen: by the age of the file that names what counts.
pub fn seen(dir: &Path, at: Wall) {
    if let Ok(file) = open::own(&dir.join(CURRENT), Access::Change) {
        let _ = file.set_modified(at.into());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::site::content::hash_bytes;

    #[test]
    fn the_one_that_counts_is_whole_and_the_others_go() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("held");
        assert!(read(&dir).is_none() && !is_there(&dir) && look(&dir).unwrap().is_none());
        let mut parts = Parts::default();
        parts.put(&hash_bytes(b"job"), b"job".to_vec()).unwrap();
        write(&dir, "1-4-aa", b"first", &Parts::default()).unwrap();
        write(&dir, "1-4-aa", b"first", &parts).unwrap();
        let held = read(&dir).unwrap();
        assert_eq!((held.index.as_slice(), held.parts), (b"first".as_slice(), parts.clone()));
        // It was not finished: what was held is held.
        std::fs::create_dir(dir.join("1-5-00000000")).unwrap();
        assert_eq!(read(&dir).unwrap().index, b"first");
        write(&dir, "1-5-bb", b"second", &parts).unwrap();
        assert_eq!(read(&dir).unwrap().index, b"second");
        assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 2);
        for bad in ["../x\n", "", "/etc\n", "gone\n"] {
            std::fs::write(dir.join(CURRENT), bad).unwrap();
            assert!(read(&dir).is_none() && is_there(&dir) && look(&dir).is_err(), "{bad:?}");
        }
    }
}
