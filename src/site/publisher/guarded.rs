//! Whether only administrators can have written the site folder. What everybody may write anybody could have written, and it
//! is about to be signed: a file, the folder around it, or one above, which can be given another name. A group may write it: a site
//! folder has several publishers.

use super::own::SIGNATURE;
use crate::error::{Exit, Failure, Result};
use crate::host::open::Folder as Opened;
use crate::host::perms::{self, Loose};
use crate::site::folder::{Folder, NAME, OLD_RECORD, PAST, RECORD, machines};
use crate::site::index::{job, policy};
use crate::site::package::shelf;
use crate::site::signed::list;
use crate::site::{content, package};
use std::path::Path;

/// The most names of one folder that are looked at: more than a site folder can be read with.
const MOST: usize = 1_000_000;

/// Looks at everything that is published, but for the files of packages: their list has the hash of each.
///
/// # Errors
/// `loose-permissions`, with the path and the command that mends it.
pub(super) fn check(folder: &Folder) -> Result<()> {
    all(&folder.dir).map_err(|loose| {
        let message = format!("nothing was published: {}", loose.why);
        let remedy = format!("{}, look through what is in it, then publish", loose.remedy);
        Failure::new(Exit::Refused, "loose-permissions", message, remedy)
    })
}

fn all(dir: &Path) -> std::result::Result<(), Loose> {
    perms::check_way_of_team(dir)?;
    // What is not there, nobody can have written.
    let one = |path: &Path| if path.exists() { perms::check_of_team(path, dir) } else { Ok(()) };
    for name in [NAME, machines::NAME, RECORD, OLD_RECORD] {
        one(&dir.join(name))?;
    }
    for name in [job::FOLDER, policy::FOLDER, list::FOLDER, PAST] {
        one(&dir.join(name))?;
        for file in names(&dir.join(name)) {
            one(&dir.join(name).join(file))?;
        }
    }
    let packages = dir.join(shelf::FOLDER);
    one(&packages)?;
    for name in names(&packages) {
        let package = packages.join(name);
        for file in ["", package::NAME, SIGNATURE, content::NAME] {
            one(&package.join(file))?;
        }
    }
    Ok(())
}

/// The names in a folder. Reading it says what else is wrong with it.
fn names(dir: &Path) -> Vec<std::ffi::OsString> {
    Opened::open(dir).and_then(|opened| opened.names(MOST)).unwrap_or_default()
}
