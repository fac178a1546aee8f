//! What a share says of an earlier life of a machine: results and a report that this machine has written. A new history is
//! not the whole of it then (PROMISES.md 2). Unknown is not none.

use super::ids::MachineId;
use super::report::{self, MachineReport};
use super::{index, site_file};
use crate::clock::Wall;
use crate::host::open::remote;
use crate::host::open::{Folder, OpenError};
use crate::site::share::read_bounded;
use crate::terms::Code;
use crate::text::SafeText;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// A machine that has delivered more than this has surely delivered results.
const MAX_RESULTS: usize = 10_000;

/// What one place says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Past {
    /// It was seen, and nothing of this machine is there.
    None,
    /// This is there, as a clause.
    Found(SafeText),
    /// It cannot be known, and why.
    Unknown(SafeText),
}

/// The place and what it says.
pub type Told = (PathBuf, Past);

/// Looks at each of these places. May hang with one of them.
pub fn look(places: &[PathBuf], machine: MachineId) -> Vec<Told> {
    places.iter().map(|place| (place.clone(), look_at(place, machine))).collect()
}

fn look_at(place: &Path, machine: MachineId) -> Past {
    let unknown = |what: &Path, e: &OpenError| {
        if what == place {
            Past::Unknown(SafeText::new(&e.to_string()))
        } else {
            Past::Unknown(SafeText::new(&format!("{}: {e}", what.display())))
        }
    };
    let root = match Folder::open(place) {
        Ok(root) => root,
        Err(e) => return unknown(place, &e),
    };
    let (results, reports) = (root.folder(report::RESULTS), root.folder(report::FOLDER));
    // The empty folder that a share is mounted on says nothing about the share.
    if results.is_err() && reports.is_err() && root.file(site_file::NAME).is_err() {
        let why = format!("there is no {} in it: is the share mounted?", site_file::NAME);
        return Past::Unknown(SafeText::new(&why));
    }
    let name = report::report_name(machine);
    let path = place.join(report::FOLDER).join(&name);
    let read = reports
        .and_then(|folder| folder.file(&name))
        .and_then(|mut file| read_bounded(&mut file, report::MAX_BYTES))
        .map(|bytes| MachineReport::from_bytes(&bytes));
    // It may be another machine that is alive.
    let by = match &read {
        Ok(Ok(report)) => {
            format!(
                ", which {} reported last, at {}",
                report.summary.host,
                to_the_second(report.summary.reported_at)
            )
        }
        Ok(Err(_)) | Err(_) => String::new(),
    };
    match results.and_then(|folder| folder.folder(machine.as_str())) {
        // A machine lists no objects: its report says enough.
        Ok(own) if own.is_remote() => {}
        Ok(own) if holds_results(&own) => {
            let found = format!("{} holds earlier results of {machine}{by}", own.path().display());
            return Past::Found(SafeText::new(&found));
        }
        Ok(own) => {
            if let Err(e) = own.names(MAX_RESULTS) {
                return unknown(own.path(), &e);
            }
        }
        Err(OpenError::Missing) => {}
        Err(e) => return unknown(&place.join(report::RESULTS), &e),
    }
    match &read {
        Err(OpenError::Missing) if root.is_remote() => nothing_in_it(&root),
        // A server may deny what is not there. Of what this machine cannot have written there, that says enough.
        Err(OpenError::Denied) if remote::is_read_only(place) => nothing_in_it(&root),
        Err(OpenError::Denied) if root.is_remote() => {
            let why = format!(
                "{}: access is denied. Let this machine's key get its report, and allow s3:ListBucket: without it \
                 a bucket does not say that an object is not there",
                path.display()
            );
            Past::Unknown(SafeText::new(&why))
        }
        Err(OpenError::Missing) => Past::None,
        Err(e) => unknown(&path, e),
        // It knew of an earlier life, which nobody has decided about: what it wrote over may have told more.
        Ok(Ok(report)) if has_lost_its_history(report) => {
            let found = format!("{} is of {machine} when its history was lost{by}", path.display());
            Past::Found(SafeText::new(&found))
        }
        Ok(Ok(report)) if report.rest.requests.iter().all(|request| request.attempt == 0) => Past::None,
        Ok(Ok(_)) => {
            let found = format!("{} speaks of earlier attempts of {machine}{by}", path.display());
            Past::Found(SafeText::new(&found))
        }
        Ok(Err(why)) => Past::Found(SafeText::new(&format!(
            "{} is an earlier report of {machine} that cannot be read: {why}",
            path.display()
        ))),
    }
}

/// Of a server, which has no folders that could be missing: a bucket or a prefix that does not exist holds nothing, either.
fn nothing_in_it(root: &Folder) -> Past {
    let of = |name: &str| root.file(name).map(drop);
    match (of(site_file::NAME), of(index::NAME)) {
        (Ok(()), _) | (_, Ok(())) => Past::None,
        (Err(OpenError::Missing), Err(OpenError::Missing)) => {
            let why = format!(
                "there is neither {} nor {} in it: is the address right? A bucket for reports alone needs an object {0}",
                site_file::NAME,
                index::NAME
            );
            Past::Unknown(SafeText::new(&why))
        }
        (Err(OpenError::Missing), Err(e)) | (Err(e), Err(_)) => Past::Unknown(SafeText::new(&e.to_string())),
    }
}

fn has_lost_its_history(report: &MachineReport) -> bool {
    let says_so = |problem: &SafeText| problem.as_str() == Code::HistoryLost.as_str();
    report.rest.before.is_some() || report.rest.problems.iter().any(says_so)
}

fn to_the_second(at: Wall) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// Whatever else lies there decides nothing: anybody may have put it there.
fn holds_results(own: &Folder) -> bool {
    match own.names(MAX_RESULTS) {
        Ok(names) => names
            .iter()
            .filter_map(|name| name.to_str())
            .any(|name| report::is_result_name(name) && own.file(name).is_ok()),
        Err(e) => matches!(e, OpenError::TooMany(_)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;

    fn machine() -> MachineId {
        "BP004000".parse().unwrap()
    }

    #[test]
    fn only_a_share_that_was_seen_says_that_there_is_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let share = dir.path().join("share");
        let says = || look_at(&share, machine());
        assert!(matches!(says(), Past::Unknown(_)), "it is away");
        fs::create_dir(&share).unwrap();
        assert!(matches!(says(), Past::Unknown(_)), "an empty folder is a mount point");
        fs::write(share.join(site_file::NAME), "").unwrap();
        assert_eq!(says(), Past::None);
        let own = share.join(report::RESULTS).join("BP004000");
        fs::create_dir_all(&own).unwrap();
        fs::write(own.join("note.txt"), "").unwrap();
        assert_eq!(says(), Past::None);
        fs::write(own.join("BP00001-1.MIF"), "").unwrap();
        let Past::Found(what) = says() else { panic!() };
        assert!(what.as_str().contains("earlier results of BP004000"), "{what}");
    }

    #[test]
    fn a_report_that_speaks_of_attempts_or_cannot_be_read_is_an_earlier_life() {
        let dir = tempfile::tempdir().unwrap();
        let share = dir.path();
        fs::create_dir(share.join(report::FOLDER)).unwrap();
        let file = share.join(report::FOLDER).join("BP004000.json");
        for (requests, found) in [
            ("", false),
            (r#"{"request_id":"BP00001","state":"offered","attempt":0,"blocked_by":[]}"#, false),
            (r#"{"request_id":"BP00001","state":"failed","attempt":1,"blocked_by":[]}"#, true),
        ] {
            let text = format!(
                r#"{{"format":1,"machine":"BP004000","host":"box","pcm_version":"0","reported_at":
                "2026-11-22T12:00:00Z","polling_interval_s":60,"restart_pending":false,"clock_ok":true,
                "requests":[{requests}]}}"#
            );
            fs::write(&file, text).unwrap();
            match look_at(share, machine()) {
                Past::Found(what) => {
                    let by = "which box reported last, at 2026-11-22T12:00:00Z";
                    assert!(found && what.as_str().ends_with(by), "{what}");
                }
                other => assert_eq!((other, found), (Past::None, false), "{requests}"),
            }
        }
        let mut lost = report::tests::report(0);
        fs::write(&file, lost.to_bytes().unwrap()).unwrap();
        assert_eq!(look_at(share, machine()), Past::None);
        lost.rest.problems = vec!["history-lost".into()];
        fs::write(&file, lost.to_bytes().unwrap()).unwrap();
        let Past::Found(what) = look_at(share, machine()) else { panic!("its history was lost") };
        assert!(what.as_str().contains("when its history was lost, which"), "{what}");
        fs::write(&file, "{").unwrap();
        assert!(matches!(look_at(share, machine()), Past::Found(_)));
    }
}
