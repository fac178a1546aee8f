//! What `pcm check` tries at a share: whether this machine's report and results can be written there, what the clock of its
//! server says, and whether the content of what may run is there.

use super::deliver::{Believed, open_to_write};
use crate::clock::Wall;
use crate::host::facts;
use crate::host::open::{Folder, OpenError, remote};
use crate::site::content::{self, Shelf};
use crate::site::ids::MachineId;
use crate::site::instruction::ContentHash;
use crate::site::report;
use crate::site::trust::{Judge, TrustMode};
use crate::text::SafeText;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};

/// What is to be tried.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Tries {
    /// Where.
    pub share: PathBuf,
    /// Whose.
    pub machine: MachineId,
    /// Whether to write.
    pub write: bool,
    /// What makes the place believable to be written, as of a delivery.
    pub believed: Option<Believed>,
    /// What makes its content believable.
    pub trust: TrustMode,
    /// Content that is wanted of it.
    pub contents: Vec<(Shelf, ContentHash)>,
}

/// What came of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Tried {
    /// Where something was written and removed again; None: that was not tried.
    pub written: Option<Result<Written, Unwritten>>,
    /// Content that is not there, and why.
    pub missing: Vec<SafeText>,
}

/// Nothing could be written there.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Unwritten {
    /// What the place says.
    pub why: SafeText,
    /// What has to be mended.
    pub cause: Cause,
}

/// What kept a machine from writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cause {
    /// The place itself cannot be opened.
    Away,
    /// It could be another site's, or somebody else could change it: nothing is written there.
    NotBelieved,
    /// A folder that a publication makes is not there.
    NoFolder,
    /// The account may not write there.
    Denied,
    /// Anything else that the system says.
    Other,
}

/// A file was written there and removed again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Written {
    /// In these folders.
    pub folders: Vec<SafeText>,
    /// This machine's clock before that, what the share says of when it was written, and this machine's clock after it.
    pub clocks: Option<[Wall; 3]>,
}

impl Tries {
    /// Tries it here and now. May hang with the share.
    pub(super) fn carry_out(&self) -> Tried {
        let judge = Judge::of(self.trust);
        let gone = |(at, hash): &(Shelf, ContentHash)| content::offered(&self.share, *at, hash, &judge).err();
        let written = self.write.then(|| {
            let write = || write(&self.share, self.machine, self.believed.as_ref());
            remote::as_reporter(write).map_err(|(cause, e)| Unwritten {
                why: SafeText::new(&format!("{}: {e}", self.share.display())),
                cause,
            })
        });
        Tried { written, missing: self.contents.iter().filter_map(gone).collect() }
    }
}

/// Writes there, or says what has to be mended first.
fn write(share: &Path, machine: MachineId, trust: Option<&Believed>) -> Result<Written, (Cause, io::Error)> {
    Folder::open(share).map_err(|e| (Cause::Away, io::Error::from(e)))?;
    let root = open_to_write(share, trust).map_err(|e| (Cause::NotBelieved, e))?;
    write_below(&root, machine).map_err(|e| {
        let cause = match e.kind() {
            io::ErrorKind::NotFound => Cause::NoFolder,
            io::ErrorKind::PermissionDenied => Cause::Denied,
            _ => Cause::Other,
        };
        (cause, e)
    })
}

/// In the folder of the reports, and in the machine's own folder of the results. Where there is none yet it is made, and
/// removed again, unless the machine has put a result into it meanwhile.
fn write_below(root: &Folder, machine: MachineId) -> io::Result<Written> {
    let within = |folder: &str, e: io::Error| io::Error::new(e.kind(), format!("{folder}: {e}"));
    // One name for all that try at once: what one leaves behind is gone after the next one.
    let name = format!(".{machine}.check");
    if root.is_remote() {
        return write_to_bucket(root, machine, &name);
    }
    let reports = root.folder(report::FOLDER).map_err(|e| within(report::FOLDER, e.into()))?;
    let clocks = write_in(&reports, &name).map_err(|e| within(report::FOLDER, e))?;
    let results = root.folder(report::RESULTS).map_err(|e| within(report::RESULTS, e.into()))?;
    let is_new = matches!(results.folder(machine.as_str()), Err(OpenError::Missing));
    let own = results.make_folder(machine.as_str()).map_err(|e| within(report::RESULTS, e.into()))?;
    let tried = write_in(&own, &name).map_err(|e| within(report::RESULTS, e));
    if is_new {
        drop(results.remove_empty(machine.as_str()));
    }
    tried?;
    let shown = |folder: &Folder| SafeText::new(&folder.path().display().to_string());
    Ok(Written { folders: vec![shown(&reports), shown(&own)], clocks })
}

/// Whoever may write its report and its results in a bucket may write no other name beside the report.
fn write_to_bucket(root: &Folder, machine: MachineId, name: &str) -> io::Result<Written> {
    let own = root.folder(report::RESULTS)?.folder(machine.as_str())?;
    let before = facts::now();
    own.replace(name, b"pcm check\n")
        .map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", report::RESULTS)))?;
    let after = facts::now();
    let written = own.file(name)?.modified().map(Wall::from)?;
    // It may not be allowed to: then the next one writes over it.
    let _ = own.remove(name);
    let folders = vec![SafeText::new(&own.path().display().to_string())];
    Ok(Written { folders, clocks: Some([before, written, after]) })
}

fn write_in(folder: &Folder, name: &str) -> io::Result<Option<[Wall; 3]>> {
    let before = facts::now();
    report::write_replacing(folder, name, b"pcm check\n")?;
    let after = facts::now();
    let written = match folder.file(name) {
        Ok(file) => Some(Wall::from(file.modified()?)),
        // Another one that tries took it away.
        Err(OpenError::Missing) => None,
        Err(e) => return Err(e.into()),
    };
    match folder.remove(name) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(written.map(|written| [before, written, after])),
    }
}
