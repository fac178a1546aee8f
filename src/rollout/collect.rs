//! The collector (SITE.md 6): reads the reports of all machines where that is quick, beside the share, and makes one file of
//! what they say, which consoles read instead. It is written only where the share answered for every report.

use super::account::told;
use super::collected::{self, Header, PART, Writer};
use super::reports::{self, each};
use crate::clock::Wall;
use crate::host::open::{Folder, OpenError};
use crate::host::threads;
use crate::site::ids::{MachineId, SiteCode, SiteId};
use crate::site::report;
use crate::text::SafeText;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

/// The most names in the folder of the reports.
const MOST_NAMES: usize = 2_000_000;

/// The lines of one machine, and whether its report says something; or why the share gave nothing.
type Lines = Result<(Vec<u8>, bool), SafeText>;

/// Reads the reports of these machines on a share and makes the file of them. `patience`: the share gave nothing for so long.
/// `tell`: so many of so many were read.
///
/// # Errors
/// Why there is none.
pub fn collect(
    share: &Path,
    (site, site_id): (SiteCode, SiteId),
    machines: &BTreeSet<MachineId>,
    patience: Duration,
    now: Wall,
    mut tell: impl FnMut(usize, usize),
) -> Result<(Header, Vec<u8>), SafeText> {
    let mut writer = Writer::new(site, site_id, machines.len() as u64, now);
    let names = within(share, patience, move |folder| folder.names(MOST_NAMES))?;
    let names: BTreeSet<MachineId> = names
        .iter()
        .filter_map(|name| name.to_str()?.strip_suffix(".json")?.parse().ok())
        .filter(|machine| machines.contains(machine))
        .collect();
    let wanted: Vec<MachineId> = names.into_iter().collect();
    let mut done = 0;
    for part in wanted.chunks(PART) {
        let folder = within(share, patience, Ok)?;
        let mut of_part: BTreeMap<MachineId, Option<Lines>> = BTreeMap::new();
        each(folder, part.to_vec(), lines, patience, |batch| of_part.extend(batch));
        if of_part.len() < part.len() {
            return Err(SafeText::new(&format!("the share {} did not answer in time", share.display())));
        }
        for lines in of_part.into_values().flatten() {
            let (lines, good) = lines.map_err(|why| {
                SafeText::new(&format!("the share {} gives not every report: {why}", share.display()))
            })?;
            writer.add(&lines, good);
        }
        done += part.len();
        tell(done, wanted.len());
    }
    writer.bytes()
}

/// Does something with the folder of the reports.
fn within<T: Send + 'static>(
    share: &Path,
    patience: Duration,
    act: impl FnOnce(Folder) -> Result<T, OpenError> + Send + 'static,
) -> Result<T, SafeText> {
    let path = share.to_owned();
    let open = move || act(Folder::open(&path)?.folder(report::FOLDER)?);
    threads::within("collect", patience, open)
        .map_err(|e| SafeText::new(&format!("the share {} does not answer: {e}", share.display())))?
        .map_err(|e| reports::unlisted(share, &e))
}

/// What one machine says, as lines of the file; None: it has no report any more.
fn lines(folder: &Folder, machine: MachineId) -> Option<Lines> {
    let silent = |why: &SafeText| Some(Ok((collected::silent_lines(machine, why), false)));
    let mut last = None;
    // What does not parse may have been written just then.
    for _ in 0..2 {
        last = match reports::read_bytes(folder, machine) {
            Err(OpenError::Missing) => None,
            Err(e) if e.is_of_store() => Some(Err(reports::closed(&e))),
            Err(e) => silent(&reports::closed(&e)),
            Ok((looked, bytes)) => match told(&bytes, machine, looked.at()) {
                Ok((account, _)) => return Some(Ok((collected::lines(machine, &account, &bytes), true))),
                Err(why) => silent(&why),
            },
        };
    }
    last
}
