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
