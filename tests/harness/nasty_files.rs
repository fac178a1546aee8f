//! What packages leave as their status MIF, and what they are made of, when it is not what it should be.

use super::common::*;
use super::ground::{Ground, id};
use super::nasty::ended;
use std::fs;

/// Publishes `BP00000A` with these files as they are; the hash of its content.
fn publish(ground: &Ground, files: &[(&str, &[u8])]) -> String {
    let folder = ground.share().join("packages/BP00000A");
    let mut content = String::new();
    for (name, bytes) in files {
        let path = folder.join("files").join(name);
        make_dir(path.parent().unwrap());
        write(&path, bytes);
        content += &format!("{} {} {name}\n", sha256(bytes), bytes.len());
    }
    make_dir(&folder);
    make_dir(&folder.join("files"));
    write(&folder.join("CONTENT"), content.as_bytes());
    sha256(content.as_bytes())
}

/// What cannot be started is refused before anything is claimed: no attempt is lost, and the reason names the program.
fn cannot_start(files: &[(&str, &[u8])], command: &str, why: &str) {
    let mut ground = Ground::new("");
    let hash = publish(&ground, files);
    ground.publish(&[Request::due(&id(0))
        .set("content_sha256", format!("\"{hash}\""))
        .set("command_line", format!("\"{command}\""))]);
    let ran = ground.command(&["run", &id(0), "--wait", "--json"]).output().unwrap();
    let refused = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(3), "{refused}");
    assert!(refused.contains("command-refused") && refused.contains(command), "{refused}");
    assert!(refused.contains(why), "{refused} does not say {why:?}");
    assert_eq!(ground.json(&["history"])["attempts"].as_array().map(Vec::len), Some(0));
    assert_eq!(ground.ran("ran"), 0);
    assert!(!fs::exists(ground.path("sh-ran")).unwrap());
}

#[test]
fn what_is_a_folder_could_not_be_started() {
    cannot_start(&[("sub/setup.sh", b"#!/bin/sh\n")], "sub", "");
}

#[test]
fn what_is_not_there_could_not_be_started() {
    cannot_start(&[("setup.sh", b"#!/bin/sh\n")], "absent.sh", "not among the files of the package");
}

#[test]
fn what_has_no_known_format_is_given_to_no_shell() {
    cannot_start(&[("setup.sh", b"echo ran\n")], "setup.sh", "");
    cannot_start(&[("setup.sh", b"")], "setup.sh", "");
    cannot_start(&[("setup.sh", b"\x7fELF but not really")], "setup.sh", "");
}

#[test]
fn what_has_an_interpreter_that_is_missing_could_not_be_started() {
    cannot_start(&[("setup.sh", b"#!/no/such/interpreter\nexit 0\n")], "setup.sh", "/no/such/interpreter");
}

/// Exit 0 with a status MIF that is made so: failed with the reason, at once.
fn bad_mif(script: &str, words: &str) {
    let mut ground = Ground::new("");
    let hash = ground.package("BP00000A", &format!("M=\"$PCM_STATUS_MIF\"\n{script}\nexit 0"));
    ground.publish(&[Request::due(&id(0)).set("content_sha256", format!("\"{hash}\""))]);
    let attempt = ended(&ground);
    let result = attempt["result"].as_str().unwrap_or_default();
    assert!(
        attempt["state"] == "failed" && result.contains("status MIF") && result.contains(words),
        "{words}: {attempt}\n{}",
        ground.log()
    );
}

#[test]
fn a_status_mif_that_is_huge_is_a_failure_with_its_reason() {
    bad_mif("head -c 50000000 /dev/zero > \"$M\"", "larger");
    bad_mif("truncate -s 10T \"$M\" 2>/dev/null || head -c 9000000 /dev/zero > \"$M\"", "larger");
}

#[test]
fn a_status_mif_that_is_nonsense_is_a_failure_with_its_reason() {
    bad_mif("head -c 100000 /dev/urandom > \"$M\"", "line");
    bad_mif(": > \"$M\"", "line");
    bad_mif("printf 'START COMPONENT\\nNAME = \"x' > \"$M\"", "line");
}

#[test]
fn a_status_mif_that_is_a_link_a_pipe_or_a_folder_is_a_failure_and_no_hang() {
    bad_mif("ln -s /etc/passwd \"$M\"", "link");
    bad_mif("echo x > \"$M.x\"; ln \"$M.x\" \"$M\"", "link");
    bad_mif("mkfifo \"$M\"", "regular");
    bad_mif("mkdir \"$M\"", "regular");
}
