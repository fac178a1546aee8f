//! A site folder is in Git and on the desks of others: no private key lies there. All of it is looked at by its names, and only
//! what is small enough to be a key is opened, for its first line.

use super::Found;
use crate::host::open::{Folder, OpenError};
use crate::site::content::FILES;
use crate::site::package::shelf;
use std::io::Read as _;
use std::path::Path;

/// How private keys begin, as OpenSSH and OpenSSL write them, and as PuTTY does.
const PEM: &[u8] = b"-----BEGIN ";
const PUTTY: &[u8] = b"PuTTY-User-Key-File-";
/// A longer file is none.
const MAX_BYTES: u64 = 16 << 10;
/// So much of it says what it is.
const FIRST: u64 = 64;
/// The most names that are looked at, and how many folders deep.
const MAX_NAMES: usize = 200_000;
const DEEPEST: usize = 32;

/// Looks through a site folder, but for the share in it.
pub(super) fn keys(root: &Folder, share: &Path, found: &mut Found) {
    let mut look = Look { share, left: MAX_NAMES, found };
    look.folder(root, &[]);
    if look.left == 0 {
        let message = format!("{}: more than {MAX_NAMES} names", root.path().display());
        found.unknown("modes", message, "Look for private keys in the rest of it");
    }
}

struct Look<'a> {
    share: &'a Path,
    left: usize,
    found: &'a mut Found,
}

impl Look<'_> {
    fn folder(&mut self, folder: &Folder, below: &[&str]) {
        let mut names = match folder.some_names(self.left) {
            Ok(names) => names,
            Err(e) => return self.unread(folder.path(), &e.to_string()),
        };
        names.sort();
        self.left -= names.len();
        for name in names {
            let Some(name) = name.to_str() else {
                self.unread(&folder.path().join(&name), "its name is no text");
                continue;
            };
            // What Git packs is no file to whoever looks for one.
            if name == ".git" || folder.path().join(name) == self.share {
                continue;
            }
            let path = folder.path().join(name);
            match folder.file(name) {
                Ok(file) if (1..=MAX_BYTES).contains(&file.size) => {
                    let mut first = Vec::new();
                    match file.file.take(FIRST).read_to_end(&mut first) {
                        Ok(_) if is_private(&first) => self.tell(&path, below),
                        Ok(_) => {}
                        Err(e) => self.unread(&path, &e.to_string()),
                    }
                }
                // Too large for a key, or empty; or somebody removed it in the meantime.
                Ok(_) | Err(OpenError::Missing) => {}
                Err(OpenError::NotRegular) if below.len() < DEEPEST => match folder.folder(name) {
                    Ok(inner) => self.folder(&inner, &[below, &[name]].concat()),
                    // A pipe or a socket.
                    Err(OpenError::Missing | OpenError::NotFolder) => {}
                    Err(e) => self.unread(&path, &e.to_string()),
                },
                Err(OpenError::NotRegular) => self.unread(&path, "so deep no folder is looked into"),
                Err(e) => self.unread(&path, &e.to_string()),
            }
        }
    }

    fn unread(&mut self, path: &Path, why: &str) {
        let message = format!("{}: {why}, so it is not known whether a private key is there", path.display());
        self.found.unknown("modes", message, "Look there yourself, or lint as somebody who may read it");
    }

    fn tell(&mut self, path: &Path, below: &[&str]) {
        let path = path.display();
        match below {
            [packages, _, files, ..] if (*packages, *files) == (shelf::FOLDER, FILES) => self.found.unknown(
                "modes",
                format!("{path}: it is a private key, and whoever reads the share gets it with the package"),
                "Take it out of the package, unless all machines are meant to have it",
            ),
            _ => self.found.block(
                "modes",
                format!("{path}: it is a private key"),
                "Move it out of the site folder, revoke it where others could read it",
            ),
        }
    }
}

fn is_private(bytes: &[u8]) -> bool {
    let first = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    first.starts_with(PUTTY) || first.starts_with(PEM) && first.windows(11).any(|word| word == b"PRIVATE KEY")
}
