//! What is published from a site folder, for the verbs that only ask.

use super::{App, lint};
use crate::error::Result;
use crate::site::folder::Folder;
use crate::site::publisher::How;
use crate::site::publisher::standing::{Standing, standing};

/// What is published from this folder; None: nothing yet.
///
/// # Errors
/// As [`standing`]; the share does not answer.
pub fn of(app: &App, folder: &Folder) -> Result<Option<Standing>> {
    app.needs(&folder.share())?;
    let programs = lint::programs(app);
    let how = How::looking(&programs, app.now);
    standing(folder, &how)
}
