//! Keys on a security key, with a token in software (`tests/common/token.c`) and the real `ssh-keygen` and `ssh-agent`: what a
//! person touched counts, and what a token signed without a touch counts nowhere.

use super::keys::ssh_keygen;
use super::{command, text};
use crate::common::{skipped, wait_for};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

/// The library of the token; None, with the skip printed, where it cannot be built or loaded.
fn token(dir: &Path) -> Option<String> {
    ssh_keygen()?;
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/common/token.c");
    let library = dir.join("token.so").display().to_string();
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-Wno-deprecated-declarations", "-o", &library])
        .arg(source)
        .arg("-lcrypto")
        .output();
    if !built.is_ok_and(|built| built.status.success()) {
        skipped("no C compiler, or no libssl-dev, for a token in software");
        return None;
    }
    let tried = generate(dir, &library, "tried", &["-t", "ed25519-sk"]);
    if !tried.status.success() {
        skipped(format!("this OpenSSH takes no token in software: {}", text(&tried.stderr)));
        return None;
    }
    Some(library)
}

fn generate(dir: &Path, library: &str, file: &str, args: &[&str]) -> Output {
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-q", "-w", library, "-N", "", "-f", file]).args(args);
    keygen.current_dir(dir).stdin(Stdio::null()).output().unwrap()
}

/// An agent that may load the token.
struct Agent(Child);

impl Agent {
    fn start(dir: &Path, library: &str) -> Self {
        let socket = dir.join("agent");
        let mut agent = Command::new("ssh-agent");
        agent.args(["-D", "-P", library, "-a"]).arg(&socket).stdout(Stdio::null()).stderr(Stdio::null());
        let agent = Self(agent.spawn().unwrap());
        wait_for("the agent listens", || socket.exists());
        agent
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A verb with the agent.
fn with_agent(dir: &Path, args: &[&str]) -> Output {
    let mut command = command(dir, args);
    command.arg("--json").env("SSH_AUTH_SOCK", dir.join("agent")).output().unwrap()
}

#[track_caller]
fn good(dir: &Path, args: &[&str]) -> Value {
    let done = with_agent(dir, args);
    assert!(done.status.success(), "{args:?}: {}", text(&done.stderr));
    serde_json::from_slice(&done.stdout).unwrap()
}

fn refused(dir: &Path, args: &[&str]) -> String {
    let done = with_agent(dir, args);
    assert!(!done.status.success(), "{args:?}: {}", text(&done.stdout));
    let doc: Value = serde_json::from_slice(&done.stderr).unwrap();
    doc["error"]["code"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn what_a_token_signs_counts_with_a_touch_and_never_without() {
    for kind in ["ed25519-sk", "ecdsa-sk"] {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let Some(library) = token(dir) else { return };
        let _agent = Agent::start(dir, &library);
        for (name, more) in [
            ("root", &[][..]),
            ("package", &[][..]),
            ("publish", &[][..]),
            ("untouched", &["-O", "no-touch-required"][..]),
        ] {
            let made = generate(dir, &library, name, &[&["-t", kind], more].concat());
            assert!(made.status.success(), "{}", text(&made.stderr));
            let mut add = Command::new("ssh-add");
            add.args(["-q", "-S", &library, name]).current_dir(dir).env("SSH_AUTH_SOCK", dir.join("agent"));
            assert!(add.status().unwrap().success());
        }
        good(dir, &["site", "init", "site", "--site", "BP0", "--example", "BP004000"]);
        let trust = |name: &str, role: &str, by: &str| {
            let public = format!("{name}.pub");
            let args = ["key", "trust", &public, "--role", role, "--principal", name, "--key", by];
            with_agent(dir, &[&args[..], &["--folder", "site"]].concat())
        };
        // The first list signs itself: not by a key that nobody touches.
        let first = trust("untouched", "trust", "untouched.pub");
        let first: Value = serde_json::from_slice(&first.stderr).unwrap();
        assert_eq!(first["error"]["code"], "bad-algorithm", "{first}");
        assert!(!dir.join("site/trust/1.toml").exists());
        for (name, role) in
            [("root", "trust"), ("package", "package"), ("publish", "publish"), ("untouched", "publish")]
        {
            let done = trust(name, role, "root.pub");
            assert!(done.status.success(), "{}", text(&done.stderr));
        }
        good(dir, &["package", "sign", "BP00000A", "--key", "package.pub", "--folder", "site"]);
        let publish = |key: &'static str| ["site", "publish", "--key", key, "--folder", "site"];
        assert_eq!(refused(dir, &publish("untouched.pub")), "bad-algorithm");
        assert!(!dir.join("site/share/PCM.INDEX").exists(), "nothing was placed");
        good(dir, &publish("publish.pub"));
        let list = good(dir, &["key", "list", "--folder", "site"]);
        let root = list["keys"].as_array().unwrap().iter().find(|key| key["role"] == "trust").unwrap();
        let print = root["fingerprint"].as_str().unwrap().to_owned();
        let init = ["init", "--machine", "BP004000", "--share", "site/share", "--trust", "signed"];
        good(dir, &[&init[..], &["--trust-key", &print]].concat());

        // Somebody who writes the share and has the token's software, and no finger on it.
        let index = dir.join("site/share/PCM.INDEX");
        let touched = fs::read_to_string(&index).unwrap();
        let parts = good_bytes(dir, "signed");
        let serial = good(dir, &["list"])["serial"].as_u64().unwrap();
        let newer = String::from_utf8(parts).unwrap();
        let newer = newer.replace(&format!("serial = {serial}\n"), &format!("serial = {}\n", serial + 1));
        fs::write(dir.join("draft"), &newer).unwrap();
        let mut sign = Command::new("ssh-keygen");
        sign.args(["-q", "-Y", "sign", "-n", "pcm-publish", "-f", "untouched", "draft"]).current_dir(dir);
        let signed = sign.env("SSH_SK_PROVIDER", &library).output().unwrap();
        assert!(signed.status.success(), "{}", text(&signed.stderr));
        let armour = fs::read_to_string(dir.join("draft.sig")).unwrap();
        let block: String = armour.lines().map(|line| format!("# {line}\n")).collect();
        fs::write(&index, newer + &block).unwrap();
        assert_eq!(refused(dir, &["poll"]), "bad-algorithm");
        fs::write(&index, touched).unwrap();
        good(dir, &["run", "BP0000Y", "--wait"]);
    }
}

/// One part of the index, as its signer signed it.
fn good_bytes(dir: &Path, part: &str) -> Vec<u8> {
    let done = command(dir, &["site", "verify", "site/share/PCM.INDEX", "--part", part]).output().unwrap();
    assert!(done.status.success(), "{}", text(&done.stderr));
    done.stdout
}
