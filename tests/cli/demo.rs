//! `pcm demo --headless`: packages run while one watches, and the folder is gone afterwards.

use super::{command, text};

#[test]
fn the_demo_runs_packages_and_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("tmp");
    std::fs::create_dir(&place).unwrap();
    let demo =
        command(dir.path(), &["demo", "--headless", "--for", "12s"]).env("TMPDIR", &place).output().unwrap();
    let said = text(&demo.stdout);
    assert!(demo.status.success(), "{said}{}", text(&demo.stderr));
    for wanted in [
        "DEM0001  Printer driver 5.2: running -> failed",
        "DEM0002  Inventory agent 7",
        "deferred",
        "rejected",
    ] {
        assert!(said.contains(wanted), "{wanted}: {said}");
    }
    assert!(said.contains("Packages after filter:"), "{said}");
    assert_eq!(std::fs::read_dir(&place).unwrap().count(), 0, "{said}");
    // Nothing of the caller's own installation was made.
    assert!(!dir.path().join("state").exists() && !dir.path().join("pcm.toml").exists());
}

#[test]
fn without_a_terminal_the_console_names_what_shows_the_same() {
    let dir = tempfile::tempdir().unwrap();
    // The console's flags may stand before the verb as well.
    for args in [&["demo"][..], &["--ascii", "demo"]] {
        let demo = command(dir.path(), args).output().unwrap();
        assert_eq!(demo.status.code(), Some(2));
        assert!(text(&demo.stderr).contains("pcm demo --headless"), "{}", text(&demo.stderr));
    }
    let console = command(dir.path(), &[]).output().unwrap();
    assert_eq!(console.status.code(), Some(2));
    assert!(text(&console.stderr).contains("pcm status"));
}
