//! `pcm site lint` of a site folder and of the share that it is published to, with the real `ssh-keygen`: what no machine
//! would take is found before one meets it.

use super::keys::{json, ssh_keygen};
use super::site::signed;
use super::{command, pcm, text};
use serde_json::Value;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// What is wrong, as `item: evidence`, and whether lint's exit status says so.
fn wrong(dir: &Path, args: &[&str]) -> Vec<String> {
    let done = pcm(dir, &[&["site", "lint"], args, &["--json"]].concat());
    let doc: Value =
        serde_json::from_slice(&done.stdout).unwrap_or_else(|e| panic!("{e}: {}", text(&done.stderr)));
    let items = doc["items"].as_array().unwrap();
    let of = |verdict: &str| {
        let rows = items.iter().filter(|item| item["verdict"] == verdict && item["item"] != "folders");
        let words = rows
            .map(|row| format!("{}: {}", row["item"].as_str().unwrap(), row["evidence"].as_str().unwrap()));
        words.collect::<Vec<_>>()
    };
    let (block, unknown) = (of("block"), of("unknown"));
    let any = items.iter().any(|item| item["verdict"] == "block");
    assert_eq!(done.status.code(), Some(if any { 10 } else { 0 }), "{doc}");
    [block, unknown].concat()
}

#[track_caller]
fn found(wrong: &[String], item: &str, words: &str) {
    let met = wrong.iter().any(|row| row.starts_with(&format!("{item}: ")) && row.contains(words));
    assert!(met, "{item}: {words:?} is not in {wrong:#?}");
}

/// A published, signed site whose folders only this account can write.
fn published(dir: &Path) {
    signed(dir);
    json(dir, &["package", "sign", "BP00000A", "--key", "keys/package", "--folder", "site"]);
    json(dir, &["site", "publish", "--folder", "site"]);
    assert_eq!(wrong(dir, &["site/share", "--hashes"]), Vec::<String>::new());
    assert_eq!(wrong(dir, &["site", "--hashes"]), Vec::<String>::new());
}

/// Changes a file of the share, looks, and puts it back.
fn with(dir: &Path, file: &str, change: impl FnOnce(Vec<u8>) -> Option<Vec<u8>>) -> Vec<String> {
    let path = dir.join(file);
    let before = fs::read(&path).unwrap();
    match change(before.clone()) {
        Some(bytes) => fs::write(&path, bytes).unwrap(),
        None => fs::remove_file(&path).unwrap(),
    }
    let top = if file.starts_with("site/share") { "site/share" } else { "site" };
    let wrong = wrong(dir, &[top, "--hashes"]);
    fs::write(&path, before).unwrap();
    wrong
}

fn replaced(from: &'static str, to: &'static str) -> impl FnOnce(Vec<u8>) -> Option<Vec<u8>> {
    move |bytes| {
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.contains(from), "{from:?} is not in {text}");
        Some(text.replacen(from, to, 1).into_bytes())
    }
}

/// An import in the place of a package has no release yet: what makes one is said first, and is all.
#[test]
fn what_replaces_a_package_that_was_released_becomes_its_next_release() {
    if ssh_keygen().is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    published(dir);
    fs::create_dir(dir.join("tool")).unwrap();
    fs::write(dir.join("tool/setup.sh"), "#!/bin/sh\nexit 0\n").unwrap();
    let import = ["package", "import", "tool", "--id", "BP00000A", "--replace", "--name", "Tool"];
    let more = ["--command-line", "setup.sh --silent", "--platform", "linux-x86_64", "--folder", "site"];
    json(dir, &[&import[..], &more].concat());
    let done = pcm(dir, &["site", "lint", "site", "--json"]);
    let doc: Value = serde_json::from_slice(&done.stdout).unwrap();
    let says = |row: &&Value| row["evidence"].as_str().unwrap().contains("it runs release 1 of BP00000A");
    let row = doc["items"].as_array().unwrap().iter().find(says).unwrap();
    assert!(row["evidence"].as_str().unwrap().ends_with("what is here has no release yet"), "{row}");
    let remedy = row["remedy"].as_str().unwrap();
    assert!(remedy.starts_with("Make its next release: pcm package sign BP00000A --key KEY"), "{remedy}");
    let sign = ["package", "sign", "BP00000A", "--key", "keys/package", "--folder", "site"];
    assert_eq!(json(dir, &sign)["packages"][0]["release"], 2);
    let wrong = wrong(dir, &["site"]);
    assert!(!wrong.iter().any(|row| row.contains("it runs release")), "{wrong:?}");
}

#[test]
fn a_forged_or_damaged_share_is_found_part_by_part() {
    if ssh_keygen().is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    published(dir);
    let share = |file: &str| format!("site/share/{file}");
    let forged = with(dir, &share("PCM.INDEX"), replaced("state = \"active\"", "state = \"cancelled\""));
    found(&forged, "index", "no machine in mode signed takes it");
    let unsigned = with(dir, &share("PCM.INDEX"), |bytes| {
        let text = String::from_utf8(bytes).unwrap();
        Some(text.split("# -----BEGIN").next().unwrap().as_bytes().to_vec())
    });
    found(&unsigned, "index", "no machine in mode signed takes it");
    let garbage = with(dir, &share("trust/2.toml"), |_| Some(b"garbage".to_vec()));
    found(&garbage, "trust", "trust/2.toml");
    found(&with(dir, &share("trust/2.toml"), |_| None), "trust", "version 2 is missing");
    let release = share("packages/BP00000A/1/package.toml");
    found(
        &with(dir, &release, replaced("automated = true", "automated = false")),
        "packages",
        "not those that BP0000AA",
    );
    let signature = share("packages/BP00000A/1/package.toml.sig");
    found(&with(dir, &signature, |_| None), "packages", "no signature stands beside it");
    let other = fs::read(dir.join("site/share/PCM.INDEX")).unwrap();
    found(&with(dir, &signature, |_| Some(other)), "packages", "no machine runs it");
    let contents: Vec<_> = fs::read_dir(dir.join("site/share/content")).unwrap().collect();
    let content = contents[0].as_ref().unwrap().file_name().into_string().unwrap();
    let list = share(&format!("content/{content}/CONTENT"));
    found(&with(dir, &list, |bytes| Some([bytes, b"x".to_vec()].concat())), "content", "another list");
    let files = dir.join(share(&format!("content/{content}/files")));
    let file = fs::read_dir(files).unwrap().next().unwrap().unwrap().file_name().into_string().unwrap();
    let file = share(&format!("content/{content}/files/{file}"));
    let flipped = with(dir, &file, |mut bytes| {
        bytes[0] ^= 1;
        Some(bytes)
    });
    found(&flipped, "content", "another content");

    // An index of another epoch than the newest list, and a share whose lists are gone.
    json(dir, &["key", "generate", "keys/next"]);
    let trust =
        ["key", "trust", "keys/next.pub", "--role", "publish", "--principal", "next", "--key", "keys/root"];
    json(dir, &[&trust[..], &["--folder", "site"]].concat());
    fs::copy(dir.join("site/trust/4.toml"), dir.join(share("trust/4.toml"))).unwrap();
    found(&wrong(dir, &["site/share"]), "index", "trust list 4");
    fs::remove_dir_all(dir.join(share("trust"))).unwrap();
    found(&wrong(dir, &["site/share"]), "index", "no trust list");
}

#[test]
fn a_site_folder_is_judged_before_it_is_published() {
    if ssh_keygen().is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    published(dir);
    // Without an argument, in the folder itself, as in a repository's checks.
    let mut command = command(dir, &["site", "lint"]);
    let done = command.current_dir(dir.join("site")).output().unwrap();
    assert!(done.status.success() && text(&done.stdout).contains("site-file"), "{}", text(&done.stdout));

    let package = "site/packages/BP00000A/package.toml";
    let changed = with(dir, package, replaced("name = \"", "name = \"New "));
    found(&changed, "packages", "release 1 of BP00000A was changed since the job was sent");
    found(&changed, "packages", "machines in mode signed do not run it");
    found(&with(dir, &format!("{package}.sig"), |_| None), "packages", "nobody signed it yet");
    let job = "site/jobs/BP0000AA.toml";
    found(
        &with(dir, job, replaced("max_run_time = \"10m\"", "max_run_time = \"20m\"")),
        "packages",
        "its max_run_time is not what",
    );
    found(
        &with(dir, job, replaced("[\"BP004000\"]", "[\"BP004009\"]")),
        "targets",
        "BP004009 is not in the list",
    );
    found(&with(dir, job, replaced("job_id", "jib_id")), "parts", "BP0000AA.toml");
    found(&with(dir, "site/trust/2.toml", |_| Some(b"x".to_vec())), "trust", "2.toml");
    let foreign: String = (0..200).map(|n| format!("XX004{n:03}\n")).collect();
    let foreign = with(dir, "site/machines.csv", |_| Some(foreign.into_bytes()));
    found(&foreign, "parts", "machines.csv, line 2: XX004001 is of site XX0");
    assert!(foreign.len() <= 51 && foreign.last().unwrap().contains("150 more like these"), "{foreign:#?}");
    fs::copy(dir.join("keys/publish"), dir.join("site/id")).unwrap();
    found(&wrong(dir, &["site"]), "modes", "it is a private key");
    fs::remove_file(dir.join("site/id")).unwrap();
    // Wherever it is; a large file is no key, and is not opened for it.
    let deep = dir.join("site/packages/BP00000A/notes/old");
    fs::create_dir_all(&deep).unwrap();
    fs::copy(dir.join("keys/package"), deep.join("id")).unwrap();
    let mut large = fs::read(dir.join("keys/package")).unwrap();
    large.resize(20 << 10, b'x');
    fs::write(deep.join("large"), large).unwrap();
    let deep_ones = wrong(dir, &["site"]);
    found(&deep_ones, "modes", "notes/old/id: it is a private key");
    assert!(!deep_ones.iter().any(|row| row.contains("old/large")), "{deep_ones:#?}");
    fs::remove_dir_all(dir.join("site/packages/BP00000A/notes")).unwrap();
    // What cannot be looked at is said.
    let unseen = dir.join("site/unseen");
    let deepest = (0..40).fold(unseen.clone(), |path, _| path.join("d"));
    fs::create_dir_all(&deepest).unwrap();
    fs::write(unseen.join(std::ffi::OsStr::from_bytes(b"id\xff")), "x").unwrap();
    let unseen_ones = wrong(dir, &["site"]);
    found(&unseen_ones, "modes", "its name is no text");
    found(&unseen_ones, "modes", "so deep no folder is looked into");
    fs::remove_dir_all(&unseen).unwrap();
    fs::write(dir.join("site/packages/BP00000A/files/id"), "-----BEGIN PRIVATE KEY-----\n").unwrap();
    found(&wrong(dir, &["site"]), "modes", "files/id: it is a private key, and whoever reads the share");
    fs::remove_file(dir.join("site/packages/BP00000A/files/id")).unwrap();
    // A clone has no files: that is no fault where the share has them.
    fs::rename(dir.join("site/packages/BP00000A/files"), dir.join("files")).unwrap();
    let clone = wrong(dir, &["site"]);
    found(&clone, "content", "its files are not here");
    assert_eq!(clone.len(), 1, "{clone:#?}");
    fs::rename(dir.join("files"), dir.join("site/packages/BP00000A/files")).unwrap();
    fs::write(dir.join("site/packages/BP00000A/files/more"), "more").unwrap();
    found(&wrong(dir, &["site"]), "content", "more is there and not listed");
}
