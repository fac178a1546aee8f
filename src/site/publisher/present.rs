//! Which files that an index can name are on the share.

use super::place::Share;
use super::render::{MEMBERS, Taken};
use crate::error::Result;
use crate::site::index::{job, policy};
use std::collections::BTreeSet;

/// What is there.
pub(super) struct Present {
    /// The paths of all files that an index can name.
    pub paths: BTreeSet<String>,
    /// The highest revision of each name.
    pub taken: Taken,
}

/// Looks at the folders that hold such files.
pub(super) fn present(share: &Share) -> Result<Present> {
    let mut paths = BTreeSet::new();
    for folder in [job::FOLDER, policy::FOLDER, MEMBERS] {
        for name in share.names(folder)? {
            paths.insert(format!("{folder}/{name}"));
        }
    }
    let taken = highest(&paths);
    Ok(Present { paths, taken })
}

/// The highest revision of each name: `jobs/BP0000AA.3.toml` is revision 3 of `jobs/BP0000AA`.
fn highest(paths: &BTreeSet<String>) -> Taken {
    let mut taken = Taken::new();
    for path in paths {
        let path = path.strip_suffix(".toml").unwrap_or(path);
        if let Some((stem, revision)) = path.rsplit_once('.')
            && let Ok(revision) = revision.parse::<u64>()
        {
            let highest = taken.entry(stem.to_owned()).or_default();
            *highest = (*highest).max(revision);
        }
    }
    taken
}
