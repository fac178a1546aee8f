//! What machines wrote on the share of themselves (FORMATS.md 6), as far as a rollout asks for it. Anybody may have written
//! it: each report is opened without following a link, bounded, and says nothing where it is not what it should be. Read
//! by many threads at once; a share that does not answer is waited for no longer than its deadline. Whoever calls this has
//! asked before whether the share answers: one that begins to hang while reports are read can still hold these threads, and
//! the process that they are of, until it comes back.

use crate::clock::Wall;
use crate::host::open::{Folder, OpenError, read_bounded};
use crate::host::threads;
use crate::site::ids::{JobId, MachineId, RequestId};
use crate::site::report::{self, MachineReport, ReportedRequest};
use crate::text::SafeText;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// So many are read at once.
const THREADS: usize = 16;
/// So many reports are handed over at once.
const BATCH: usize = 64;

/// What one machine says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The trust list and the number of the publication that is in force there.
    pub publication: (u64, u64),
    /// When it was written, by the machine's own clock.
    pub reported_at: Wall,
    /// When it was written, by the clock of the share.
    pub written: Wall,
    /// How often it comes, at least.
    pub interval: Duration,
    /// The name of the machine that reports.
    pub host: SafeText,
    /// Another machine reports with its id.
    pub two_machines: bool,
    /// The history of which it speaks; where it has none, the newest one of which it knows.
    pub state_id: Option<SafeText>,
    /// What it says of the requests that were asked for.
    pub requests: Vec<ReportedRequest>,
    /// The jobs among those that were asked for of which it says that they are not for it.
    pub not_targeted: Vec<JobId>,
}

/// What is wanted of reports, beside what they say of their machines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// These requests.
    pub requests: BTreeSet<RequestId>,
    /// These jobs.
    pub jobs: BTreeSet<JobId>,
}

/// What each machine says, or why it says nothing.
pub type Accounts = BTreeMap<MachineId, Result<Account, SafeText>>;

/// Reads the reports of machines, and of each what it says of what is asked. `patience`: nothing came for so long.
pub fn read(share: &Path, machines: BTreeSet<MachineId>, asked: Asked, patience: Duration) -> Accounts {
    let mut accounts = Accounts::new();
    let silent = |why: &str| Err(SafeText::new(why));
    let path = share.to_owned();
    let open = move || Folder::open(&path).and_then(|root| root.folder(report::FOLDER));
    let opened = match threads::within("reports", patience, open) {
        Ok(Ok(folder)) => folder,
        Ok(Err(e)) => {
            let why = format!("{}: {e}", share.join(report::FOLDER).display());
            return machines.into_iter().map(|id| (id, silent(&why))).collect();
        }
        Err(e) => {
            let why = format!("the share does not answer: {e}");
            return machines.into_iter().map(|id| (id, silent(&why))).collect();
        }
    };
    let work = Arc::new(Work {
        folder: opened,
        machines: machines.iter().copied().collect(),
        asked,
        next: AtomicUsize::new(0),
    });
    let (tell, told) = mpsc::sync_channel(THREADS);
    let mut started = 0;
    for _ in 0..THREADS.min(machines.len().div_ceil(BATCH)) {
        let (work, tell) = (Arc::clone(&work), tell.clone());
        started += usize::from(
            threads::start("reports", move || work.all(|batch| tell.send(batch).is_ok())).is_ok(),
        );
    }
    drop(tell);
    if started == 0 {
        // One after the other, then.
        work.all(|batch| {
            accounts.extend(batch);
            true
        });
    }
    while let Ok(batch) = told.recv_timeout(patience) {
        accounts.extend(batch);
    }
    for machine in machines {
        accounts.entry(machine).or_insert_with(|| silent("the share did not answer in time"));
    }
    accounts
}

struct Work {
    folder: Folder,
    machines: Vec<MachineId>,
    asked: Asked,
    next: AtomicUsize,
}

type Batch = Vec<(MachineId, Result<Account, SafeText>)>;

impl Work {
    /// Reads what nobody else reads, until nothing is left or nobody listens.
    fn all(&self, mut tell: impl FnMut(Batch) -> bool) {
        loop {
            let from = self.next.fetch_add(BATCH, Ordering::Relaxed);
            let batch: Batch = self
                .machines
                .iter()
                .skip(from)
                .take(BATCH)
                .map(|machine| (*machine, account(&self.folder, *machine, &self.asked)))
                .collect();
            if batch.is_empty() || !tell(batch) {
                return;
            }
        }
    }
}

/// What one machine says in this folder.
///
/// # Errors
/// Why it says nothing.
pub fn account(folder: &Folder, machine: MachineId, asked: &Asked) -> Result<Account, SafeText> {
    let name = report::report_name(machine);
    let read = folder.file(&name).and_then(|mut file| {
        let written = file.file.metadata().and_then(|meta| meta.modified()).map(Wall::from)?;
        Ok((read_bounded(&mut file, report::MAX_BYTES)?, written))
    });
    let (bytes, written) = read.map_err(|e| match e {
        OpenError::Missing => SafeText::new("it has not reported yet"),
        e => SafeText::new(&format!("{}/{name}: {e}", report::FOLDER)),
    })?;
    let read = MachineReport::from_bytes(&bytes).map_err(|e| SafeText::new(&e.to_string()))?;
    if read.machine != machine {
        return Err(SafeText::new(&format!("its report is of {}", read.machine)));
    }
    Ok(Account {
        publication: (read.epoch.unwrap_or(0), read.instruction_serial.unwrap_or(0)),
        reported_at: read.reported_at,
        written,
        interval: Duration::from_secs(read.polling_interval_s),
        host: read.host,
        two_machines: read.two_machines,
        state_id: read.state_id.or(read.before.map(|before| before.state_id)),
        requests: read.requests.into_iter().filter(|r| asked.requests.contains(&r.request_id)).collect(),
        not_targeted: read.not_targeted.into_iter().filter(|job| asked.jobs.contains(job)).collect(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;

    fn id(n: usize) -> MachineId {
        format!("BP05{n:04}").parse().unwrap()
    }

    #[test]
    fn every_machine_has_an_account_or_a_reason() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join(report::FOLDER);
        fs::create_dir(&folder).unwrap();
        let path = |n: usize| folder.join(report::report_name(id(n)));
        for n in 0..500 {
            let others = ["BP0000AA".parse().unwrap(), "BP0000AB".parse().unwrap()];
            let report = MachineReport {
                machine: id(n),
                epoch: Some(3),
                not_targeted: others.to_vec(),
                ..report::tests::report(9)
            };
            fs::write(path(n), report.to_bytes().unwrap()).unwrap();
        }
        fs::remove_file(path(1)).unwrap();
        fs::write(path(2), "{").unwrap();
        fs::copy(path(3), path(4)).unwrap();
        fs::write(path(5), vec![b' '; 600 << 10]).unwrap();
        fs::remove_file(path(6)).unwrap();
        fs::create_dir(path(6)).unwrap();
        let wanted = Asked {
            requests: ["BP00002".parse().unwrap(), "BP00008".parse().unwrap()].into(),
            jobs: ["BP0000AB".parse().unwrap()].into(),
        };
        let read =
            |share: &Path| read(share, (0..500).map(id).collect(), wanted.clone(), Duration::from_secs(60));
        let accounts = read(dir.path());
        assert_eq!(accounts.len(), 500);
        let silent: Vec<String> =
            accounts.values().filter_map(|a| a.as_ref().err()).map(ToString::to_string).collect();
        for (said, words) in
            silent.iter().zip(["not reported yet", "malformed", "is of BP050003", "larger than", "not a"])
        {
            assert!(said.contains(words), "{silent:?}");
        }
        assert_eq!(silent.len(), 5);
        let good = accounts[&id(7)].as_ref().unwrap();
        assert_eq!((good.publication, good.requests.len()), ((3, 42), 2));
        assert_eq!(good.not_targeted, ["BP0000AB".parse().unwrap()]);
        let none = threads::tests::without(|| read(dir.path()));
        // Opening it wants a thread, too.
        assert!(none.values().all(Result::is_err) && none.len() == 500);
        let away = read(&dir.path().join("away"));
        assert!(away.values().all(Result::is_err) && away.len() == 500);
    }
}
