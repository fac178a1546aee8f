//! `pcm.mark`, beside the configuration and so away from the state folder: what the history was at the newest claim,
//! deferral, hold or publication. A history behind it has been replaced by an older one (PROMISES.md 2).

use crate::host::durable;
use crate::host::open::{self, OpenError};
use crate::site::publication::Publication;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::Path;

/// Generation, number of events, head of the chain, the highest publication, and whether the site has decided about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Of the history it belongs to.
    pub generation: String,
    /// How many events there were.
    pub events: u64,
    /// The hash of the newest.
    pub head: String,
    /// The highest publication ever taken. Marks of earlier versions have none.
    #[serde(default)]
    pub publication: Option<Publication>,
    /// The site has let this machine go on from this generation: it does so once, and a history that is lost does not say it
    /// any more. Marks of earlier versions have none, which obeyed no site.
    #[serde(default)]
    pub obeyed: bool,
    /// The SHA-256 of all rows of `folded`, as they are and, while more is being folded, as they are going to be. Where rows are
    /// that have another one, somebody else has made them. Empty: nothing was ever folded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub folded: Vec<String>,
}

/// A mark is a few short fields; whatever is longer is not one.
const MAX_BYTES: u64 = 4096;

impl Mark {
    /// Reads the mark; `None` where there is none.
    ///
    /// # Errors
    /// It is there and cannot be read as a mark.
    pub fn read(file: &Path) -> io::Result<Option<Mark>> {
        let text = match open::read_own(file, MAX_BYTES) {
            Err(OpenError::Missing) => return Ok(None),
            text => text?,
        };
        serde_json::from_slice(&text).map(Some).map_err(|e| {
            io::Error::new(io::ErrorKind::InvalidData, format!("it does not read as a mark: {e}"))
        })
    }

    /// Replaces the mark, durably.
    ///
    /// # Errors
    /// The old mark is still there.
    pub fn write(&self, file: &Path) -> io::Result<()> {
        let mut text = serde_json::to_vec(self).map_err(io::Error::other)?;
        text.push(b'\n');
        durable::write(file, &text)
    }
}
