//! `pcm check` on a machine of a signed site: each fault is made, is seen, and what the remedy says, carried out, mends it.

use super::keys::{json, ssh_keygen};
use super::site::signed;
use super::{pcm, text};
use crate::common::{now, seconds, stamp, wait_for};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;

/// A verb of the site, in its folder.
fn site(dir: &Path, args: &[&str]) -> Value {
    json(dir, &[args, &["--folder", "site"]].concat())
}

fn poll(dir: &Path) {
    pcm(dir, &["poll"]);
}

fn item(dir: &Path, name: &str) -> Value {
    let done = pcm(dir, &["check", "--json"]);
    let doc: Value = serde_json::from_slice(&done.stdout).unwrap();
    doc["items"].as_array().unwrap().iter().find(|item| item["item"] == name).unwrap().clone()
}

/// It fails, with these words of evidence and of remedy.
#[track_caller]
fn fails(dir: &Path, name: &str, evidence: &str, remedy: &str) {
    let item = item(dir, name);
    assert_eq!(item["verdict"], "block", "{item}");
    assert!(item["evidence"].as_str().unwrap().contains(evidence), "{evidence}: {item}");
    assert!(item["remedy"].as_str().unwrap().contains(remedy), "{remedy}: {item}");
}

#[track_caller]
fn passes(dir: &Path, name: &str) {
    let item = item(dir, name);
    assert_eq!(item["verdict"], "pass", "{item}");
}

/// A site with a machine that has polled; the fingerprint of its trust key.
fn enrolled(dir: &Path) -> String {
    signed(dir);
    site(dir, &["package", "sign", "BP00000A", "--key", "keys/package"]);
    site(dir, &["site", "publish"]);
    let list = site(dir, &["key", "list"]);
    let keys = list["keys"].as_array().unwrap();
    let root = keys.iter().find(|key| key["role"] == "trust").unwrap()["fingerprint"].as_str().unwrap();
    let machine = ["init", "--machine", "BP004000", "--share", "site/share", "--trust", "signed"];
    json(dir, &[&machine[..], &["--trust-key", root]].concat());
    json(dir, &["poll"]);
    root.to_owned()
}

#[test]
fn what_check_says_about_keys_is_mended_as_it_says() {
    if ssh_keygen().is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let root = enrolled(dir);
    let list = dir.join("trust.d/trust.toml");
    passes(dir, "key-confirmed");
    fs::remove_file(&list).unwrap();
    fails(dir, "key-confirmed", "trust", "init --trust-key SHA256:");
    json(dir, &["init", "--trust-key", &root]);
    passes(dir, "key-confirmed");

    passes(dir, "roles-apart");
    site(dir, &["key", "revoke", "keys/package.pub", "--key", "keys/root"]);
    site(dir, &["site", "publish"]);
    poll(dir);
    fails(dir, "roles-apart", "no key has the role package", "pcm key trust PUBFILE --role package");
    json(dir, &["key", "generate", "keys/next"]);
    let trust = ["key", "trust", "keys/next.pub", "--role", "package", "--principal", "next"];
    site(dir, &[&trust[..], &["--key", "keys/root"]].concat());
    site(dir, &["site", "publish"]);
    poll(dir);
    passes(dir, "roles-apart");
}

#[test]
fn what_check_says_about_a_publication_is_mended_as_it_says() {
    if ssh_keygen().is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    enrolled(dir);
    for name in ["in-members", "parts-readable", "content-source", "version-against-index", "validity-left"] {
        passes(dir, name);
    }
    // Without any machine a site has no list, and every machine is one of its.
    site(dir, &["site", "machine", "add", "BP004009"]);
    site(dir, &["site", "machine", "remove", "BP004000", "--expect", "1"]);
    poll(dir);
    fails(dir, "in-members", "is not in the site's list", "pcm site machine add BP004000");
    site(dir, &["site", "machine", "add", "BP004000"]);
    poll(dir);
    passes(dir, "in-members");

    let share = dir.join("site/share");
    let named = |folder: &str| {
        let mut all: Vec<_> = fs::read_dir(share.join(folder)).unwrap().map(|e| e.unwrap().path()).collect();
        all.sort();
        all
    };
    for job in named("jobs") {
        fs::remove_file(job).unwrap();
    }
    fails(dir, "parts-readable", "this machine holds it", "pcm site publish");
    site(dir, &["site", "publish"]);
    passes(dir, "parts-readable");
    for content in named("content") {
        fs::remove_dir_all(content).unwrap();
    }
    fs::remove_dir_all(dir.join("state/stage")).ok();
    fails(dir, "content-source", "content", "published again");
    site(dir, &["site", "publish"]);
    passes(dir, "content-source");

    let index = share.join("PCM.INDEX");
    let good = fs::read_to_string(&index).unwrap();
    let (body, _) = good.split_once("# -----BEGIN").unwrap();
    // As a newer publisher would write it, signed by the key that counts.
    let newer = body.replacen("serial =", "from_the_future = true\nserial =", 1);
    fs::write(&index, signed_anew(dir, &newer)).unwrap();
    fails(dir, "version-against-index", "it needs a newer pcm", "correct the key at the site");
    fs::write(&index, &good).unwrap();
    passes(dir, "version-against-index");

    // Published long ago, and nearly over.
    let line = |key: &str| body.lines().find(|line| line.starts_with(&format!("{key} ="))).unwrap();
    let next = line("serial").split(" = ").nth(1).unwrap().parse::<u64>().unwrap() + 1;
    let old = body
        .replace(line("serial"), &format!("serial = {next}"))
        .replace(line("issued"), &format!("issued = {}", stamp(now() - seconds(86_400))))
        .replace(line("valid_until"), &format!("valid_until = {}", stamp(now() + seconds(3_600))));
    fs::write(&index, signed_anew(dir, &old)).unwrap();
    poll(dir);
    fails(dir, "validity-left", "valid until", "pcm site publish");
    let told = || {
        let status = pcm(dir, &["status", "--json"]);
        let doc: Value = serde_json::from_slice(&status.stdout).unwrap();
        doc["problems"].to_string().contains("\"validity-left\"")
    };
    assert!(told(), "every machine says so by itself");
    site(dir, &["site", "publish"]);
    poll(dir);
    passes(dir, "validity-left");
    assert!(!told());
}

/// The text of an index with the signature of the site's own publishing key.
fn signed_anew(dir: &Path, text: &str) -> String {
    let (draft, sig) = (dir.join("draft"), dir.join("draft.sig"));
    fs::write(&draft, text).unwrap();
    drop(fs::remove_file(&sig));
    let mut sign = Command::new("/usr/bin/ssh-keygen");
    sign.args(["-q", "-Y", "sign", "-n", "pcm-publish", "-f"]).arg(dir.join("keys/publish")).arg(&draft);
    assert!(sign.output().unwrap().status.success());
    let block: String = fs::read_to_string(sig).unwrap().lines().map(|line| format!("# {line}\n")).collect();
    format!("{text}{block}")
}

#[test]
fn a_share_that_is_ahead_of_a_machine_is_taken_with_the_poll_that_check_names() {
    if ssh_keygen().is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    enrolled(dir);
    passes(dir, "serial");
    let mut service = super::command(dir, &["service", "run"]).spawn().unwrap();
    let running = || {
        let status = pcm(dir, &["status", "--json"]);
        serde_json::from_slice::<Value>(&status.stdout).is_ok_and(|doc| doc["service"] == "running")
    };
    wait_for("the service answers", running);
    wait_for("it has looked", || item(dir, "serial")["verdict"] == "pass");
    site(dir, &["site", "machine", "add", "BP004002"]);
    let told = item(dir, "serial");
    assert!(told["verdict"] == "unknown" && told["remedy"].as_str().unwrap().contains("poll"), "{told}");
    let polled = pcm(dir, &["poll"]);
    assert!(polled.status.success(), "{}", text(&polled.stderr));
    passes(dir, "serial");
    service.kill().unwrap();
    service.wait().unwrap();
}
