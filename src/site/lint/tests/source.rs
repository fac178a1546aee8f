//! A site folder before it is published.

use super::*;
use crate::site::folder::{Folder as SiteFolder, made};
use crate::site::signed::testing::{armour, list, signed_list, signing_key};
use chrono::TimeDelta;

/// A site folder with the example.
fn example() -> tempfile::TempDir {
    open::usual_umask();
    let dir = tempfile::tempdir().unwrap();
    let machine = Some("BP004000".parse().unwrap());
    made::make(&dir.path().join("site"), "BP0".parse().unwrap(), None, machine, now()).unwrap();
    dir
}

#[test]
fn a_signature_whose_key_has_ended_is_found() {
    let dir = example();
    let site = dir.path().join("site");
    let definition = fs::read(site.join("packages/BP00000A/package.toml")).unwrap();
    let signature = armour(&signing_key(2).0, "pcm-package", &definition);
    fs::write(site.join("packages/BP00000A/package.toml.sig"), signature).unwrap();
    // The newest list is the only one that says when the key of packages ends.
    let ends = |before| {
        let mut trust = list(1);
        trust.site_id = SiteFolder::open(&site).unwrap().settings.site_id;
        trust.signers[1].before = Some(before);
        fs::write(site.join("trust/1.toml"), signed_list(&trust, 1)).unwrap();
        let rows = judged("UTC", |asked| folder(&site, asked).unwrap());
        rows.into_iter().filter(|row| row.item == "packages").collect::<Vec<_>>()
    };
    let rows = ends(now() + TimeDelta::days(60));
    assert!(rows.iter().all(|row| row.verdict != Verdict::Block), "{rows:?}");
    let rows = ends(now());
    let said = rows.iter().any(|row| {
        row.verdict == Verdict::Block
            && row.evidence.contains("package key of package-2 counted until 2026-11-22")
    });
    assert!(said, "{rows:?}");
}

#[test]
fn what_is_offered_to_users_and_none_of_them_can_install_is_found() {
    let dir = example();
    let site = dir.path().join("site");
    let jobs: Vec<_> = fs::read_dir(site.join("jobs")).unwrap().map(|entry| entry.unwrap().path()).collect();
    let path = jobs.first().unwrap();
    let job = fs::read_to_string(path).unwrap();
    let offered = job.replacen("targets = ", "offer_to = \"users\"\ntargets = ", 1);
    let rows = |job: &str| {
        fs::write(path, job).unwrap();
        let rows = judged("UTC", |asked| folder(&site, asked).unwrap());
        rows.into_iter().filter(|row| row.item == "contradictions").collect::<Vec<_>>()
    };
    let run_when = job.lines().find(|line| line.starts_with("run_when = ")).unwrap();
    assert!(rows(&offered).iter().all(|row| row.verdict == Verdict::Pass));
    for (from, to, says) in [
        (run_when, "run_when = \"no-user\"", "only while nobody is logged on"),
        ("automated = true\nbackground = true", "automated = false\nbackground = false", "needs input"),
    ] {
        assert!(offered.contains(from), "{offered}");
        let rows = rows(&offered.replace(from, to));
        let said = |row: &Row| row.verdict == Verdict::Unknown && row.evidence.contains(says);
        assert!(rows.iter().any(said), "{says}: {rows:?}");
    }
    let rows = {
        fs::write(path, offered.replace("\"users\"", "\"everybody\"")).unwrap();
        judged("UTC", |asked| folder(&site, asked).unwrap())
    };
    let line = offered.lines().position(|line| line.starts_with("offer_to")).unwrap() + 1;
    let said = |row: &Row| {
        row.verdict == Verdict::Block && row.evidence.contains(&format!("line {line}, offer_to: "))
    };
    assert!(rows.iter().any(said), "{rows:?}");
}
