//! `pcm log --hosts` with the real client and server: the host key of the site folder counts, and a line that drops is taken up
//! again.

use super::common::*;
use super::sshd::Sshd;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// A server whose sessions find pcm, and a folder with a log.
fn server() -> Option<(Sshd, tempfile::TempDir)> {
    let bin = Path::new(env!("CARGO_BIN_EXE_pcm")).parent().unwrap();
    let path = format!("PATH={}:/usr/local/bin:/usr/bin:/bin", bin.display());
    let sshd = Sshd::start_with(&format!(
        "SetEnv {path} TZ=UTC PCM_CONFIG=/nowhere/pcm.toml PCM_STATE=/nowhere/state"
    ))?;
    let dir = tempfile::tempdir().unwrap();
    append(dir.path(), "[11/24/26 10:00:00] one.\n[11/24/26 10:00:01] two.\n");
    Some((sshd, dir))
}

fn append(dir: &Path, text: &str) {
    let mut log = fs::OpenOptions::new().append(true).create(true).open(dir.join("x.log")).unwrap();
    log.write_all(text.as_bytes()).unwrap();
}

fn pcm(client: &[String], args: &[&str]) -> Command {
    let quoted: Vec<String> = client.iter().map(|word| format!("\"{word}\"")).collect();
    let mut pcm = Command::new(env!("CARGO_BIN_EXE_pcm"));
    pcm.env("PCM_SSH", quoted.join(" ")).env_remove("SSH_AUTH_SOCK").env("TZ", "UTC");
    pcm.env("PCM_CONFIG", "/nowhere/near/pcm.toml").env("PCM_STATE", "/nowhere/near/state");
    pcm.arg("log").args(args).stdin(Stdio::null());
    pcm
}

#[test]
fn the_host_key_of_the_site_folder_is_the_only_one_that_is_believed() {
    let Some((sshd, dir)) = server() else { return };
    let site = dir.path().join("site");
    let made = Command::new(env!("CARGO_BIN_EXE_pcm"))
        .args(["site", "init", "--site", "BP0"])
        .arg(&site)
        .env("PCM_CONFIG", "/nowhere/near/pcm.toml")
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", text(&made));
    let log = dir.path().join("x.log").display().to_string();
    let folder = site.display().to_string();
    let account = sshd.account();
    let right = sshd.host_key();
    let list = |key: &str| {
        fs::write(
            site.join("machines.csv"),
            format!("smsid,host,groups,host_key,words\nBP004000,127.0.0.1,,{key},\n"),
        )
        .unwrap();
    };
    let args = ["--hosts", &account, "--folder", &folder, &log];
    list("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g");
    let other = pcm(&sshd.client_of_site(), &args).output().unwrap();
    assert_eq!(other.status.code(), Some(2), "{}", text(&other));
    assert!(text(&other).contains("Host key verification failed"), "{}", text(&other));
    list(&right);
    // What the site calls this machine is not what it is: it has no configuration.
    let meant = pcm(&sshd.client_of_site(), &args).output().unwrap();
    assert!(text(&meant).contains("other-machine") || text(&meant).contains("BP004000"), "{}", text(&meant));
    assert_eq!(meant.status.code(), Some(2), "{}", text(&meant));
}

#[test]
fn a_log_over_ssh_is_read_and_followed_and_taken_up_again_after_a_cut() {
    let Some((sshd, dir)) = server() else { return };
    let log = dir.path().join("x.log").display().to_string();
    let account = sshd.account();
    let once = pcm(&sshd.client(), &["--hosts", &account, &log]).output().unwrap();
    assert!(once.status.success(), "{}", text(&once));
    assert_eq!(String::from_utf8_lossy(&once.stdout).lines().count(), 2, "{}", text(&once));
    let rows = dir.path().join("rows");
    let mut follow = pcm(&sshd.client(), &["--hosts", &account, &log, "-f"])
        .stdout(fs::File::create(&rows).unwrap())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let wait = |what: &str| wait_for(what, || fs::read_to_string(&rows).unwrap().contains(what));
    wait("two.");
    for pid in sshd.processes() {
        let _ = Command::new("kill").args(["-9", &pid.to_string()]).stderr(Stdio::null()).status();
    }
    append(dir.path(), "[11/24/26 10:00:02] three.\n");
    wait("three.");
    let all = fs::read_to_string(&rows).unwrap();
    for word in ["one.", "two.", "three."] {
        assert_eq!(all.matches(word).count(), 1, "{all}");
    }
    follow.kill().unwrap();
    follow.wait().unwrap();
    wait_for("nothing is left over there", || sshd.processes().is_empty());
}
