//! What a look at shares finds, on real folders with hostile things in them.
#![allow(clippy::unwrap_used)]

use super::{Look, Looking, look, open_bounded};
use crate::host::open::OpenError;
use crate::site::instruction::parse::Defaults;
use crate::site::trust::{Judge, TrustMode};
use crate::terms::Code;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const SITE: &str = "format = 1\nsite = \"BP0\"\nname = \"Head office\"\n";

fn ins(serial: u64) -> String {
    format!(
        "format = 1\nsite = \"BP0\"\nmachine = \"BP004000\"\nserial = {serial}\nissued = 2026-11-22T08:00:00Z\n\
         [end]\nserial = {serial}\n"
    )
}

/// A share with a site file and this instruction file, writable by its owner only.
fn share(serial: u64) -> tempfile::TempDir {
    crate::host::open::usual_umask();
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("PCM.SITE"), SITE).unwrap();
    fs::create_dir(dir.path().join("pcmins.box")).unwrap();
    fs::write(ins_path(dir.path()), ins(serial)).unwrap();
    dir
}

fn ins_path(share: &Path) -> PathBuf {
    share.join("pcmins.box").join("BP004000.INS")
}

fn defaults() -> Defaults {
    Defaults { max_run_time: Duration::from_secs(60), programs: vec![], ignore_windows: false }
}

fn look_in(mode: TrustMode, shares: &[&Path]) -> Look {
    let shares: Vec<_> = shares.iter().map(|s| s.to_path_buf()).collect();
    look(&Looking {
        held: None,
        indexed: false,
        patience: None,
        wanted: &[],
        tags: &[],
        shares: &shares,
        machine: "BP004000".parse().unwrap(),
        judge: &Judge::of(mode),
        defaults: &defaults(),
        trusted: None,
        now: crate::host::facts::now(),
    })
}

fn look_at(share: &Path) -> Look {
    look_in(TrustMode::Permissions, &[share])
}

/// The code of the fault and the file it names.
fn fault(look: &Look) -> (Code, String) {
    assert!(look.found.is_none());
    let fault = look.fault.clone().unwrap();
    (fault.code, fault.problems[0].file.to_string())
}

#[test]
fn the_instruction_file_is_found_with_its_bytes_and_its_site() {
    let dir = share(7);
    let look = look_at(dir.path());
    assert!(look.answered && look.fault.is_none() && look.problems.is_empty());
    let found = look.found.unwrap();
    assert_eq!(found.bytes, ins(7).as_bytes());
    assert_eq!((found.file.serial, found.share.as_path()), (7, dir.path()));
    assert_eq!((found.site.name.as_str(), found.site_bytes.as_slice()), ("Head office", SITE.as_bytes()));
}

#[test]
fn a_folder_without_a_site_file_is_not_mounted_whatever_else_is_in_it() {
    let dir = share(7);
    fs::remove_file(dir.path().join("PCM.SITE")).unwrap();
    let look = look_at(dir.path());
    assert_eq!(fault(&look), (Code::ShareMissing, dir.path().join("PCM.SITE").display().to_string()));
    assert!(!look.answered);
    assert_eq!(fault(&look_at(Path::new("/no/such/share"))).0, Code::ShareMissing);
    assert_eq!(fault(&look_in(TrustMode::Permissions, &[])).0, Code::ShareMissing);
}

#[test]
fn a_share_that_is_a_file_is_an_error_with_its_name() {
    let dir = share(7);
    assert_eq!(fault(&look_at(&dir.path().join("PCM.SITE"))).0, Code::ShareMissing);
}

#[test]
fn no_instruction_file_is_told_apart_from_no_share() {
    let dir = share(7);
    fs::remove_file(ins_path(dir.path())).unwrap();
    let look = look_at(dir.path());
    assert_eq!(fault(&look), (Code::InsMissing, ins_path(dir.path()).display().to_string()));
    assert!(look.answered);
    fs::remove_dir(dir.path().join("pcmins.box")).unwrap();
    assert_eq!(fault(&look_at(dir.path())).0, Code::InsMissing);
}

#[test]
fn names_of_instruction_files_compare_without_case_and_the_upper_case_one_goes_first() {
    let dir = share(7);
    fs::rename(ins_path(dir.path()), dir.path().join("pcmins.box/bp004000.ins")).unwrap();
    assert_eq!(look_at(dir.path()).found.unwrap().file.serial, 7);
    fs::write(ins_path(dir.path()), ins(3)).unwrap();
    assert_eq!(look_at(dir.path()).found.unwrap().file.serial, 3);
}

#[test]
fn a_site_file_that_cannot_be_read_closes_the_share() {
    let dir = share(7);
    let path = dir.path().join("PCM.SITE");
    for bad in [
        "",
        "format = 2\nsite = \"BP0\"\nname = \"x\"\n",
        "format = 1\nsite = \"BP\"\nname = \"x\"\n",
        "format = 1\nsite = \"BP0\"\n",
        "format = 1\nsite = \"BP0\"\nname = \"x\"\n[[freeze]]\nfrom = 2026-01-01T00:00:00\n",
    ] {
        fs::write(&path, bad).unwrap();
        assert_eq!(fault(&look_at(dir.path())), (Code::Malformed, path.display().to_string()), "{bad}");
    }
    fs::write(&path, "x".repeat(1 << 20)).unwrap();
    assert_eq!(fault(&look_at(dir.path())).0, Code::Malformed);
}

#[test]
fn freezes_and_interval_of_the_site_are_read_and_unknown_keys_warned_of() {
    let dir = share(7);
    let freeze = "polling_interval = \"30m\"\ncolour = 1\n[[freeze]]\nfrom = 2026-12-20T00:00:00\nuntil = 2027-01-04T00:00:00\nreason = \"end of year\"\n";
    fs::write(dir.path().join("PCM.SITE"), format!("{SITE}{freeze}")).unwrap();
    let look = look_at(dir.path());
    let site = look.found.unwrap().site;
    assert_eq!((site.freezes.len(), site.freezes[0].reason.as_str()), (1, "end of year"));
    assert_eq!(site.polling_interval, Some(Duration::from_secs(1_800)));
    assert_eq!((look.problems[0].code.as_str(), look.problems[0].line), ("warning", Some(5)));
}

#[test]
fn a_share_of_another_site_is_refused() {
    let dir = share(7);
    fs::write(dir.path().join("PCM.SITE"), SITE.replace("BP0", "XX0")).unwrap();
    assert_eq!(fault(&look_at(dir.path())), (Code::Malformed, ins_path(dir.path()).display().to_string()));
}

#[test]
fn a_half_written_file_is_reported_as_malformed_and_never_used() {
    let dir = share(42);
    let whole = ins(42);
    for cut in 0..whole.len() - 1 {
        fs::write(ins_path(dir.path()), &whole[..cut]).unwrap();
        let look = look_at(dir.path());
        assert_eq!(fault(&look).0, Code::Malformed, "cut at {cut}");
        assert!(!look.answered);
    }
}

#[test]
fn a_file_that_is_replaced_all_the_time_is_whole_whenever_it_is_read() {
    let dir = share(1);
    let path = ins_path(dir.path());
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Set on every way out: a writer that nobody stops would keep a failed test from ending.
        let _stop = StopAtEnd(&stop);
        scope.spawn(|| {
            let mut serial = 1;
            while !stop.load(Ordering::Relaxed) {
                serial += 1;
                // Half the writers of the world do not rename; some systems refuse it while somebody reads.
                if serial % 2 == 0 {
                    let _ = fs::write(&path, ins(serial));
                } else {
                    let temporary = path.with_extension("tmp");
                    let _ = fs::write(&temporary, ins(serial)).and_then(|()| fs::rename(&temporary, &path));
                }
            }
        });
        let mut seen = 0;
        for _ in 0..300 {
            let look = look_at(dir.path());
            if let Some(found) = look.found {
                assert_eq!(found.bytes, ins(found.file.serial).as_bytes());
                assert!(found.file.serial >= seen);
                seen = found.file.serial;
            } else {
                assert!(look.fault.is_some());
            }
        }
    });
}

struct StopAtEnd<'a>(&'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn of_several_shares_the_highest_serial_wins_and_the_first_of_equals() {
    let (a, b, c) = (share(5), share(9), share(9));
    let serial_and_share = |shares: &[&Path]| {
        let found = look_in(TrustMode::Permissions, shares).found.unwrap();
        (found.file.serial, found.share)
    };
    assert_eq!(serial_and_share(&[a.path(), b.path(), c.path()]), (9, b.path().to_owned()));
    assert_eq!(serial_and_share(&[c.path(), b.path(), a.path()]), (9, c.path().to_owned()));
}

#[test]
fn a_share_that_is_down_does_not_keep_the_others_from_being_tried() {
    let (good, empty) = (share(5), tempfile::tempdir().unwrap());
    let look = look_in(TrustMode::Permissions, &[Path::new("/no/such/share"), empty.path(), good.path()]);
    assert_eq!(look.found.unwrap().file.serial, 5);
    let codes: Vec<_> = look.problems.iter().map(|p| p.code.as_str()).collect();
    assert_eq!(codes, ["share-missing", "share-missing"]);
}

#[test]
fn of_several_faults_the_one_that_came_furthest_is_told_and_the_others_kept() {
    let (none, broken) = (share(5), share(5));
    fs::remove_file(ins_path(none.path())).unwrap();
    let both = [Path::new("/no/such/share"), none.path()];
    let look = look_in(TrustMode::Permissions, &both);
    assert_eq!((fault(&look).0, look.problems.len(), look.answered), (Code::InsMissing, 1, true));
    fs::write(ins_path(broken.path()), "x").unwrap();
    assert_eq!(fault(&look_in(TrustMode::Permissions, &[none.path(), broken.path()])).0, Code::Malformed);
}

#[test]
fn in_mode_signed_nothing_is_read_before_a_trust_list_is_taken() {
    let dir = share(5);
    // Not even whether it could be read.
    for text in [ins(5), "x".to_owned()] {
        fs::write(ins_path(dir.path()), text).unwrap();
        let look = look_in(TrustMode::Signed, &[dir.path()]);
        assert_eq!(fault(&look), (Code::Unsigned, ins_path(dir.path()).display().to_string()));
        assert!(!look.answered);
    }
    fs::remove_file(ins_path(dir.path())).unwrap();
    assert_eq!(fault(&look_in(TrustMode::Signed, &[dir.path()])).0, Code::InsMissing);
}

#[test]
fn reading_is_bounded_by_the_limit() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f");
    fs::write(&path, "12345").unwrap();
    assert_eq!(open_bounded(&path, 5).unwrap(), b"12345");
    assert_eq!(open_bounded(&path, 4).unwrap_err(), OpenError::TooLarge(4));
    assert_eq!(open_bounded(&dir.path().join("none"), 4).unwrap_err(), OpenError::Missing);
    assert_eq!(open_bounded(dir.path(), 4).unwrap_err(), OpenError::NotRegular);
    assert_eq!(open_bounded(&path.join("below"), 4).unwrap_err(), OpenError::NotFolder);
    // Sparse: ten terabytes that take no room.
    fs::File::create(&path).unwrap().set_len(10 << 40).unwrap();
    assert_eq!(open_bounded(&path, 1 << 20).unwrap_err(), OpenError::TooLarge(1 << 20));
}

#[cfg(unix)]
mod unix;
