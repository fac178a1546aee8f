//! Whether a share answers, before a command opens it in its own process: a thread that waits for a share that hangs cannot
//! be ended, and the command could not end either. A process that can be given up asks first, once for each share.

use super::App;
use crate::error::{Exit, Failure, Result};
use crate::executor::share::job;
use crate::text::SafeText;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The shares that were asked, and why one does not answer.
#[derive(Clone, Default)]
pub(super) struct Reached(Arc<Mutex<BTreeMap<PathBuf, Result<(), SafeText>>>>);

impl App {
    /// Whether this share answers in time, whatever it says; one that is not there answers so.
    ///
    /// # Errors
    /// Why not, in words.
    pub(super) fn reaches(&self, share: &Path) -> Result<(), SafeText> {
        let mut asked = self.reached.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ask = || job::answer(share, self.setup.config.share.timeout);
        asked.entry(share.to_owned()).or_insert_with(ask).clone()
    }

    /// The same for a verb that can do nothing without it.
    ///
    /// # Errors
    /// `share-missing`: it does not answer.
    pub(super) fn needs(&self, share: &Path) -> Result<()> {
        self.reaches(share).map_err(|why| {
            let message = format!("the share {} was not opened: {why}", share.display());
            let remedy = "Bring the share back (is its server up?), then try again";
            Failure::new(Exit::Share, "share-missing", message, remedy)
        })
    }
}
