//! What times without a zone mean to those who work on a site folder: `zone` of its `site.toml`. To machines they are their own
//! wall clock's.

use super::args::FolderArgs;
use super::setup::Setup;
use crate::clock::Zone;
use crate::error::{Exit, Failure, Result};
use crate::host::facts;
use crate::site::folder::{Folder, NAME};

/// The zone of the folder that is meant; None: it names none, or is not to be read, which the verb itself says.
///
/// # Errors
/// `zone`: there is no such zone here.
pub fn named(setup: &Setup, named: &FolderArgs) -> Result<Option<Zone>> {
    let folder = setup.site_folder(named).and_then(|dir| Folder::open(&dir)).ok();
    folder.as_ref().map_or(Ok(None), of)
}

/// The same of a folder that is open.
///
/// # Errors
/// As [`named`].
pub fn of(folder: &Folder) -> Result<Option<Zone>> {
    let zone = folder.settings.zone.as_deref().map(facts::zone).transpose();
    zone.map_err(|e| {
        let message = format!("{}: zone: {e}", folder.dir.join(NAME).display());
        Failure::new(Exit::Failed, "zone", message, "Correct it: wanted a name like Europe/Paris")
    })
}
