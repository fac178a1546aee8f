//! Which report of each machine was counted last (SITE.md 6): an older one that somebody puts back on the share counts no
//! more. A file of the site folder, one line a machine: its id, the number of the report, and whose key signed it. Where the
//! file is missing nothing was counted; one that cannot be read is an error.

use super::Folder;
use crate::error::{Exit, Failure, Result};
use crate::host::open::{OpenError, open_bounded};
use crate::site::ids::MachineId;
use std::collections::BTreeMap;

/// Its name.
pub const NAME: &str = "reports.counted";
/// A line of each machine that a site may have.
const MAX_BYTES: u64 = 128 << 20;

/// The number of each machine's report, and the fingerprint of the key that signed it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counted(BTreeMap<MachineId, (u64, String)>);

impl Counted {
    /// The number of the newest report of a machine that was counted by this key.
    pub fn newest(&self, machine: MachineId, fingerprint: &str) -> Option<u64> {
        self.0.get(&machine).filter(|(_, by)| by == fingerprint).map(|(number, _)| *number)
    }

    /// A report of this machine was counted, whoever signed it.
    pub fn has(&self, machine: MachineId) -> bool {
        self.0.contains_key(&machine)
    }

    /// It was counted.
    pub fn count(&mut self, machine: MachineId, number: u64, fingerprint: &str) {
        self.0.insert(machine, (number, fingerprint.to_owned()));
    }

    fn read(text: &str) -> Option<Self> {
        let line = |line: &str| {
            let mut words = line.split(' ');
            let (machine, number, by) = (words.next()?, words.next()?, words.next()?);
            words.next().is_none().then_some(())?;
            Some((machine.parse().ok()?, (number.parse().ok()?, by.to_owned())))
        };
        text.lines().map(line).collect::<Option<_>>().map(Self)
    }

    fn text(&self) -> String {
        self.0.iter().map(|(machine, (number, by))| format!("{machine} {number} {by}\n")).collect()
    }
}

impl Folder {
    /// What was counted last.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn counted(&self) -> Result<Counted> {
        let path = self.dir.join(NAME);
        let bad = |why: String| {
            let message = format!("{}: {why}", path.display());
            let remedy = "Mend it, or remove it: then older reports may be counted once more";
            Failure::new(Exit::Failed, "malformed", message, remedy)
        };
        let bytes = match open_bounded(&path, MAX_BYTES) {
            Ok(bytes) => bytes,
            Err(OpenError::Missing) => return Ok(Counted::default()),
            Err(e) => return Err(bad(e.to_string())),
        };
        let read = std::str::from_utf8(&bytes).ok().and_then(Counted::read);
        read.ok_or_else(|| bad("wanted a machine, a number and a fingerprint on each line".into()))
    }

    /// Keeps what was counted.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn keep_counted(&self, counted: &Counted) -> Result<()> {
        self.write(&self.dir.join(NAME), &counted.text())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_was_counted_is_read_back_and_another_key_begins_anew() {
        let machine = "BP004000".parse().unwrap();
        let mut counted = Counted::default();
        counted.count(machine, 7, "SHA256:a");
        counted.count(machine, 9, "SHA256:a");
        let read = Counted::read(&counted.text()).unwrap();
        assert_eq!(read, counted);
        assert_eq!((read.newest(machine, "SHA256:a"), read.newest(machine, "SHA256:b")), (Some(9), None));
        for damaged in ["BP004000 7\n", "BP004000 x SHA256:a\n", "BP004000 7 a b\n", "\n"] {
            assert_eq!(Counted::read(damaged), None, "{damaged:?}");
        }
    }
}
