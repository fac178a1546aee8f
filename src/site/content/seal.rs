//! What the file system says of staged content without reading it: whoever verified it can tell later that it is still
//! the same, in the time that it takes to list it.

use super::list_path;
use crate::host::open;
use crate::site::instruction::ContentHash;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::io;
use std::path::Path;

/// The state of staged content. Any change to a file, a folder or the list gives another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal(pub(crate) String);

/// The seal of what is staged now.
///
/// # Errors
/// It is not there, or cannot be listed.
pub fn seal(stage_root: &Path, hash: &ContentHash) -> io::Result<Seal> {
    let mut sha = Sha256::new();
    let mut add = |name: &Path, meta: &std::fs::Metadata| {
        let name = name.as_os_str().as_encoded_bytes();
        sha.update((name.len() as u64).to_be_bytes());
        sha.update(name);
        for number in open::state_of(meta) {
            sha.update(number.to_be_bytes());
        }
    };
    let list = list_path(stage_root, hash);
    add(Path::new(""), &std::fs::symlink_metadata(&list)?);
    let root = stage_root.join(hash.as_str());
    for entry in walkdir::WalkDir::new(&root).sort_by_file_name() {
        let entry = entry?;
        add(entry.path().strip_prefix(&root).unwrap_or(entry.path()), &entry.metadata()?);
    }
    Ok(Seal(super::hash_of(sha).as_str().to_owned()))
}
