//! What machines wrote on the share of themselves (FORMATS.md 6), as far as a rollout asks for it. Anybody may have written
//! it: each report is opened without following a link, bounded, and says nothing where it is not what it should be. Read
//! by many threads at once; a share that does not answer is waited for no longer than its deadline. Whoever calls this has
//! asked before whether the share answers: one that begins to hang while reports are read can still hold these threads, and
//! the process that they are of, until it comes back.

pub use super::account::{Account, Accounts, Asked, account_of};
use crate::host::open::{self, Folder, Looked, OpenError, read_bounded};
use crate::host::threads;
use crate::site::ids::MachineId;
use crate::site::report;
use crate::text::SafeText;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// So many are read at once.
const THREADS: usize = 16;
/// So many of them are handed over at once.
const BATCH: usize = 64;

/// Why a machine without a report says nothing.
pub const NOT_YET: &str = "it has not reported yet";
/// Why none of them says anything.
const NO_ANSWER: &str = "the share does not answer";
const LATE: &str = "the share did not answer in time";
const NO_FOLDER: &str = "the reports cannot be read";

/// Whether that is why a machine says nothing: the share gave no report at all.
pub fn is_of_share(why: &SafeText) -> bool {
    [NO_ANSWER, LATE, NO_FOLDER].iter().any(|of_share| why.as_str().starts_with(of_share))
}

/// Why the folder of the reports cannot be listed. A site that is published has one: where it is missing, nothing is known of
/// anybody.
pub(super) fn unlisted(share: &Path, e: &OpenError) -> SafeText {
    let missing = match e {
        OpenError::Missing => ". Is it mounted? If it was removed, make it anew: machines write there",
        _ => "",
    };
    SafeText::new(&format!(
        "the reports in {} cannot be listed: {e}{missing}",
        share.join(report::FOLDER).display()
    ))
}

/// Reads the reports of machines, and of each what it says of what is asked. `patience`: nothing came for so long.
pub fn read(share: &Path, machines: BTreeSet<MachineId>, asked: Asked, patience: Duration) -> Accounts {
    let mut accounts = Accounts::new();
    let silent = |why: &str| Err(SafeText::new(why));
    let path = share.to_owned();
    let open = move || Folder::open(&path).and_then(|root| root.folder(report::FOLDER));
    let opened = match threads::within("reports", patience, open) {
        Ok(Ok(folder)) => folder,
        Ok(Err(e)) => {
            let why = format!("{NO_FOLDER}: {}: {e}", share.join(report::FOLDER).display());
            return machines.into_iter().map(|id| (id, silent(&why))).collect();
        }
        Err(e) => {
            let why = format!("{NO_ANSWER}: {e}");
            return machines.into_iter().map(|id| (id, silent(&why))).collect();
        }
    };
    let one = move |folder: &Folder, machine: MachineId| account(folder, machine, &asked);
    each(opened, machines.iter().copied().collect(), one, patience, |batch| accounts.extend(batch));
    for machine in machines {
        accounts.entry(machine).or_insert_with(|| silent(LATE));
    }
    accounts
}

/// Does something with the report of each of these machines, or of whatever names one, many at once, and hands over what came
/// of it as it comes. Where nothing comes for so long, it ends.
pub fn each<W: Copy + Send + Sync + 'static, T: Send + 'static>(
    folder: Folder,
    wanted: Vec<W>,
    one: impl Fn(&Folder, W) -> T + Send + Sync + 'static,
    patience: Duration,
    mut take: impl FnMut(Vec<(W, T)>),
) {
    let many = THREADS.min(wanted.len().div_ceil(BATCH));
    let work = Arc::new(Work { folder, wanted, one, next: AtomicUsize::new(0) });
    let (tell, told) = mpsc::sync_channel(THREADS);
    let mut started = 0;
    for _ in 0..many {
        let (work, tell) = (Arc::clone(&work), tell.clone());
        started += usize::from(
            threads::start("reports", move || work.all(|batch| tell.send(batch).is_ok())).is_ok(),
        );
    }
    drop(tell);
    if started == 0 {
        // One after the other, then.
        work.all(|batch| {
            take(batch);
            true
        });
    }
    while let Ok(batch) = told.recv_timeout(patience) {
        take(batch);
    }
}

struct Work<W, F> {
    folder: Folder,
    wanted: Vec<W>,
    one: F,
    next: AtomicUsize,
}

impl<W: Copy, F> Work<W, F> {
    /// Does what nobody else does, until nothing is left or nobody listens.
    fn all<T>(&self, mut tell: impl FnMut(Vec<(W, T)>) -> bool)
    where
        F: Fn(&Folder, W) -> T,
    {
        loop {
            let from = self.next.fetch_add(BATCH, Ordering::Relaxed);
            let some = self.wanted.iter().skip(from).take(BATCH);
            let batch: Vec<(W, T)> = some.map(|one| (*one, (self.one)(&self.folder, *one))).collect();
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
    let read = read_one(folder, machine).map_err(|e| match e {
        OpenError::Missing => SafeText::new(NOT_YET),
        e => closed(&e),
    });
    let mut account = read?.1?;
    account.keep(asked);
    Ok(account)
}

/// How one report stands, and what it says, or why it says nothing.
///
/// # Errors
/// It cannot be opened or read.
pub fn read_one(
    folder: &Folder,
    machine: MachineId,
) -> Result<(Looked, Result<Account, SafeText>), OpenError> {
    let mut file = folder.file(&report::report_name(machine))?;
    let looked = open::looked_at(&file)?;
    match read_bounded(&mut file, report::MAX_BYTES) {
        Ok(bytes) => Ok((looked, account_of(&bytes, machine, looked.at()))),
        Err(e @ OpenError::TooLarge(_)) => Ok((looked, Err(closed(&e)))),
        Err(e) => Err(e),
    }
}

/// How one report stands, and its bytes.
///
/// # Errors
/// It cannot be opened or read.
pub fn read_bytes(folder: &Folder, machine: MachineId) -> Result<(Looked, Vec<u8>), OpenError> {
    let mut file = folder.file(&report::report_name(machine))?;
    let looked = open::looked_at(&file)?;
    Ok((looked, read_bounded(&mut file, report::MAX_BYTES)?))
}

/// Why a report cannot be opened or read.
pub fn closed(e: &OpenError) -> SafeText {
    SafeText::new(&format!("its report cannot be read: {e}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::site::ids::tests::machine as id;
    use std::fs;

    #[test]
    fn every_machine_has_an_account_or_a_reason() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join(report::FOLDER);
        fs::create_dir(&folder).unwrap();
        let path = |n: usize| folder.join(report::report_name(id(n)));
        for n in 0..500 {
            let others = ["BP0000AA".parse().unwrap(), "BP0000AB".parse().unwrap()];
            let mut report = report::tests::report(9);
            (report.summary.machine, report.summary.epoch) = (id(n), Some(3));
            report.rest.not_targeted = others.to_vec();
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
