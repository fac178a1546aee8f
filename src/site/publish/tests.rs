//! A new share is one that a machine accepts.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::site::content::{self, Shelf};
use crate::site::instruction::parse::Defaults;
use crate::site::share::{Looking, look};
use crate::site::trust::{Judge, TrustMode, TrustVerdict};

fn now() -> Wall {
    "2026-11-22T08:00:00.75Z".parse().unwrap()
}

fn machine() -> MachineId {
    "BP004000".parse().unwrap()
}

fn made() -> (tempfile::TempDir, Made) {
    open::usual_umask();
    let dir = tempfile::tempdir().unwrap();
    let made = site_init(&dir.path().join("share"), "BP0".parse().unwrap(), Some(machine()), now()).unwrap();
    (dir, made)
}

#[test]
fn the_machine_finds_its_request_on_the_new_share_and_can_stage_it() {
    let (_dir, made) = made();
    // Elsewhere there are no mode bits to rely on.
    assert_eq!(made.loose.is_none(), std::env::consts::OS == "linux", "{:?}", made.loose);
    let look = look(&Looking {
        held: None,
        indexed: false,
        patience: None,
        wanted: &[],
        tags: &[],
        shares: std::slice::from_ref(&made.dir),
        machine: machine(),
        judge: &Judge::of(TrustMode::Permissions),
        defaults: &Defaults {
            max_run_time: Duration::from_secs(60),
            programs: vec![],
            ignore_windows: false,
        },
        trusted: None,
        now: crate::host::facts::now(),
    });
    assert_eq!((look.problems, look.fault), (vec![], None));
    let found = look.found.unwrap();
    if std::env::consts::OS == "linux" {
        assert!(matches!(found.trust, TrustVerdict::Trusted(_)), "{:?}", found.trust);
    }
    let Entry::Good(request) = &found.file.requests[0] else { panic!("{:?}", found.file.requests) };
    assert_eq!(request.request_id.as_str(), "BP0000Y");
    assert!(request.automated && request.background);
    assert_eq!(found.file.issued.to_rfc3339(), "2026-11-22T08:00:00+00:00");
    assert_eq!(request.mandatory_after, Some(When::Instant(made.example.unwrap().mandatory_after)));
    let stage = tempfile::tempdir().unwrap();
    let hash = request.content_sha256.clone().unwrap();
    let judge = Judge::of(TrustMode::Permissions);
    if std::env::consts::OS == "linux" {
        let pace = &mut content::Pace::new(0, false, std::time::Duration::ZERO);
        let at = Shelf::Package(request.package_id);
        let staged = content::stage(&made.dir, at, &hash, stage.path(), &judge, pace);
        assert_eq!(staged, Ok(()));
        assert_eq!(content::verify_staged(stage.path(), &hash).map(drop), Ok(()));
    }
}

#[test]
fn without_an_example_the_share_is_empty_and_mounted() {
    let dir = tempfile::tempdir().unwrap();
    let made = site_init(dir.path(), "XY1".parse().unwrap(), None, now()).unwrap();
    assert_eq!(made.example, None);
    for folder in FOLDERS {
        assert_eq!(fs::read_dir(dir.path().join(folder)).unwrap().count(), 0, "{folder}");
    }
    let site = site_file::parse(&fs::read(dir.path().join("PCM.SITE")).unwrap(), "f").unwrap();
    assert_eq!(site.site.as_str(), "XY1");
}

#[test]
fn nothing_is_made_in_a_folder_that_is_not_empty() {
    let (_dir, made) = made();
    let before = fs::read(made.dir.join("pcmins.box/BP004000.INS")).unwrap();
    let failure = site_init(&made.dir, "BP0".parse().unwrap(), Some(machine()), now()).unwrap_err();
    assert_eq!((failure.code.as_str(), failure.exit), ("folder-not-empty", Exit::Failed as u8));
    assert_eq!(fs::read(made.dir.join("pcmins.box/BP004000.INS")).unwrap(), before);
}

#[test]
fn a_machine_of_another_site_is_refused_before_anything_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let failure = site_init(dir.path(), "XY1".parse().unwrap(), Some(machine()), now()).unwrap_err();
    assert_eq!((failure.code.as_str(), failure.exit), ("other-site", Exit::Usage as u8));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let below = dir.path().join("none/share");
    let failure = site_init(&below, "BP0".parse().unwrap(), None, now()).unwrap_err();
    assert_eq!(failure.code, "site-not-made");
    assert!(failure.message.as_str().contains(&below.display().to_string()));
}

#[cfg(unix)]
#[test]
fn the_example_really_runs_prints_its_progress_and_reports_success() {
    let (dir, made) = made();
    let package = made.dir.join("packages/BP00000A");
    let mif_path = dir.path().join("status.mif");
    let output = std::process::Command::new(package.join("files/setup.sh"))
        .arg("--silent")
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("PCM_REQUEST_ID", "BP0000Y")
        .env("PCM_JOB_ID", "BP0000AA")
        .env("PCM_MACHINE_ID", "BP004000")
        .env("PCM_PACKAGE_DIR", &package)
        .env("PCM_STATUS_MIF", &mif_path)
        .env("PCM_ATTEMPT", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("step 1 of 5") && text.contains("step 5 of 5"), "{text}");
    let status = crate::site::mif::parse(&fs::read(&mif_path).unwrap()).unwrap();
    assert!(status.success);
}
