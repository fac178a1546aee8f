//! Keys and trust lists with OpenSSH's own programs: what pcm makes they verify, and what they make pcm verifies.

use super::{command, pcm, text};
use crate::common::pty::Terminal;
use crate::common::{now, seconds, skipped, stamp};
use serde_json::Value;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Whether OpenSSH is here. `pcm` looks for it where the system keeps programs, as this does.
pub fn ssh_keygen() -> Option<&'static str> {
    let found =
        ["/usr/bin/ssh-keygen", "/usr/local/bin/ssh-keygen"].into_iter().find(|p| Path::new(p).exists());
    if found.is_none() {
        skipped("there is no ssh-keygen");
    }
    found
}

fn keygen(dir: &Path, kind: &str, file: &str) {
    let done =
        Command::new("ssh-keygen").args(["-q", "-t", kind, "-N", "", "-f", file]).current_dir(dir).status();
    assert!(done.unwrap().success());
}

/// A verb that succeeds, with `--json`.
pub fn json(dir: &Path, args: &[&str]) -> Value {
    let done = pcm(dir, &[args, &["--json"]].concat());
    assert!(done.status.success(), "{args:?}: {}", text(&done.stderr));
    serde_json::from_slice(&done.stdout).unwrap_or(Value::Null)
}

/// The code of what is refused.
pub fn refused(dir: &Path, args: &[&str]) -> String {
    let done = pcm(dir, &[args, &["--json"]].concat());
    assert!(!done.status.success(), "{args:?}: {}", text(&done.stdout));
    let doc: Value = serde_json::from_slice(&done.stderr).unwrap_or_default();
    doc["error"]["code"].as_str().unwrap_or_default().to_owned()
}

/// A share, and a site folder whose trust list knows one key of each role.
fn site(dir: &Path) {
    json(dir, &["site", "init", "share", "--hand-made", "--site", "BP0"]);
    std::fs::create_dir(dir.join("keys")).unwrap();
    for name in ["root", "package", "publish"] {
        json(dir, &["key", "generate", &format!("keys/{name}")]);
    }
    let trust =
        ["key", "trust", "keys/root.pub", "--role", "trust", "--principal", "anna", "--key", "keys/root"];
    let first = pcm(dir, &[&trust[..], &["--folder", "site", "--share", "share"]].concat());
    assert!(text(&first.stdout).contains("sign each instruction file again"), "{}", text(&first.stdout));
    for role in ["package", "publish"] {
        let (file, principal) = (format!("keys/{role}.pub"), format!("{role}er"));
        let args = ["key", "trust", &file, "--role", role, "--principal", &principal, "--key", "keys/root"];
        json(dir, &[&args[..], &["--folder", "site"]].concat());
    }
}

#[test]
fn a_key_pair_is_its_owners_alone_and_openssh_reads_it() {
    let dir = tempfile::tempdir().unwrap();
    let made = json(dir.path(), &["key", "generate", "key"]);
    let mode = std::fs::metadata(dir.path().join("key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(refused(dir.path(), &["key", "generate", "key"]), "not-made");
    std::fs::create_dir_all(dir.path().join("site/keys")).unwrap();
    std::fs::write(dir.path().join("site/site.toml"), "").unwrap();
    assert_eq!(refused(dir.path(), &["key", "generate", "site/keys/key"]), "in-site-folder");
    std::os::unix::fs::symlink("site/keys", dir.path().join("elsewhere")).unwrap();
    assert_eq!(refused(dir.path(), &["key", "generate", "elsewhere/key"]), "in-site-folder");
    // The public half cannot be written: no private one is left.
    std::os::unix::fs::symlink("nowhere/half.pub", dir.path().join("half.pub")).unwrap();
    assert_eq!(refused(dir.path(), &["key", "generate", "half"]), "not-made");
    assert!(!dir.path().join("half").exists());
    let Some(ssh_keygen) = ssh_keygen() else { return };
    let read = |args: &[&str]| {
        let done = Command::new(ssh_keygen).args(args).current_dir(dir.path()).output().unwrap();
        assert!(done.status.success(), "{}", text(&done.stderr));
        text(&done.stdout)
    };
    assert!(read(&["-l", "-f", "key"]).contains(made["fingerprint"].as_str().unwrap()));
    let public = std::fs::read_to_string(dir.path().join("key.pub")).unwrap();
    assert_eq!(read(&["-y", "-f", "key"]), public);
}

#[test]
fn a_trust_list_is_made_version_by_version_and_openssh_verifies_it() {
    let Some(ssh_keygen) = ssh_keygen() else { return };
    let dir = tempfile::tempdir().unwrap();
    site(dir.path());
    let folder = ["--folder", "site"];
    let list = json(dir.path(), &[&["key", "list"], &folder[..]].concat());
    assert_eq!((list["version"].as_u64(), list["keys"].as_array().unwrap().len()), (Some(3), 3));
    // A folder that is there is of its own share.
    let trust =
        ["key", "trust", "keys/root.pub", "--role", "trust", "--principal", "anna", "--key", "keys/root"];
    for (share, code) in [("share", "no-change"), ("elsewhere", "other-share")] {
        assert_eq!(refused(dir.path(), &[&trust[..], &folder, &["--share", share]].concat()), code);
    }
    for version in 1..=3 {
        let file = format!("site/trust/{version}.toml");
        let told = json(dir.path(), &[&["site", "verify", &file], &folder[..]].concat());
        assert_eq!(told["signatures"][0]["principal"], "anna");
        // The same by plain ssh-keygen, from the parts and the lines of the list.
        let part = |part: &str| pcm(dir.path(), &["site", "verify", &file, "--part", part]).stdout;
        std::fs::write(dir.path().join("sig"), part("signature")).unwrap();
        let signed = part("signed");
        let lines = text(&signed);
        let lines: Vec<&str> =
            lines.lines().filter_map(|l| l.trim().strip_prefix('\'')?.strip_suffix("',")).collect();
        std::fs::write(dir.path().join("allowed"), lines.join("\n") + "\n").unwrap();
        let mut verify = Command::new(ssh_keygen);
        verify.args(["-Y", "verify", "-f", "allowed", "-I", "anna", "-n", "pcm-trust", "-s", "sig"]);
        let mut verify =
            verify.current_dir(dir.path()).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        verify.stdin.take().unwrap().write_all(&signed).unwrap();
        assert!(verify.wait().unwrap().success());
    }
    // Nobody but a trust key signs a list.
    let by = |key: &str| {
        ["key", "revoke", "keys/package.pub", "--folder", "site", "--key", key].map(str::to_owned)
    };
    for key in ["keys/package", "keys/publish"] {
        assert_eq!(refused(dir.path(), &by(key).each_ref().map(String::as_str)), "bad-signature");
    }
    json(dir.path(), &by("keys/root").each_ref().map(String::as_str));
    json(
        dir.path(),
        &["key", "withdraw", "BP00000A", "--below", "3", "--folder", "site", "--key", "keys/root"],
    );
    let list = json(dir.path(), &[&["key", "list"], &folder[..]].concat());
    assert_eq!((list["version"].as_u64(), list["withdrawn"][0]["below"].as_u64()), (Some(5), Some(3)));
    assert!(list["keys"].as_array().unwrap().iter().any(|key| key["revoked"] == true));
    let done = pcm(dir.path(), &["key", "revoke", "keys/publish.pub", "--folder", "site"]);
    assert_eq!(done.status.code(), Some(2));
    assert!(text(&done.stderr).contains("--folder goes with --key"), "{}", text(&done.stderr));
    let would =
        ["key", "withdraw", "BP00000A", "--below", "9", "--folder", "site", "--key", "none", "--dry-run"];
    assert!(pcm(dir.path(), &would).status.success());
    assert!(!dir.path().join("site/trust/6.toml").exists());
    for args in [
        &["key", "trust", "keys/root.pub", "--role", "package", "--principal", "anna"][..],
        &["key", "trust", "keys/package.pub", "--role", "package", "--principal", "anna"],
        &["key", "revoke", "keys/package.pub"],
    ] {
        assert_eq!(
            refused(dir.path(), &[args, &["--folder", "site", "--key", "keys/root"]].concat()),
            "no-change"
        );
    }
    // A list of somebody else's in the place of the newest is not carried on by the next change.
    let path = dir.path().join("site/trust/5.toml");
    let good = std::fs::read_to_string(&path).unwrap();
    let draft = good.split("# -----BEGIN").next().unwrap();
    std::fs::write(dir.path().join("draft"), draft).unwrap();
    let mut sign = Command::new(ssh_keygen);
    sign.args(["-q", "-Y", "sign", "-n", "pcm-trust", "-f", "keys/publish", "draft"]);
    assert!(sign.current_dir(dir.path()).stderr(Stdio::null()).status().unwrap().success());
    let sig = std::fs::read_to_string(dir.path().join("draft.sig")).unwrap();
    let block: String = sig.lines().map(|line| format!("# {line}\n")).collect();
    std::fs::write(&path, format!("{draft}{block}")).unwrap();
    let next = ["key", "withdraw", "BP00000A", "--below", "9", "--folder", "site", "--key", "keys/root"];
    assert_eq!(refused(dir.path(), &next), "malformed");
    assert!(!dir.path().join("site/trust/6.toml").exists());
    std::fs::write(&path, good).unwrap();
    let changed = std::fs::read_to_string(dir.path().join("site/trust/5.toml"))
        .unwrap()
        .replace("below = 3", "below = 1");
    std::fs::write(dir.path().join("site/trust/5.toml"), changed).unwrap();
    assert_eq!(refused(dir.path(), &[&["key", "list"], &folder[..]].concat()), "malformed");
    assert_eq!(
        refused(dir.path(), &[&["site", "verify", "site/trust/5.toml"], &folder[..]].concat()),
        "bad-signature"
    );
}

#[test]
fn what_openssh_signs_is_verified_for_its_kind_of_key_and_its_purpose() {
    let Some(ssh_keygen) = ssh_keygen() else { return };
    let dir = tempfile::tempdir().unwrap();
    site(dir.path());
    keygen(dir.path(), "ecdsa", "keys/ecdsa");
    keygen(dir.path(), "rsa", "keys/rsa");
    let trust = |key: &str| {
        let public = format!("{key}.pub");
        let args = ["key", "trust", &public, "--role", "publish", "--principal", "bob", "--key", "keys/root"];
        pcm(dir.path(), &[&args[..], &["--folder", "site", "--json"]].concat())
    };
    assert!(trust("keys/ecdsa").status.success());
    assert!(text(&trust("keys/rsa").stderr).contains("bad-algorithm"));
    let list = json(dir.path(), &["key", "list", "--folder", "site"]);
    let until = |days: i64| format!("valid_until = {}", stamp(now() + seconds(days * 86_400)));
    let nine = until(9);
    let good = format!(
        "kind = \"instructions\"\nformat = 1\nsite = \"BP0\"\nsite_id = {}\nmachine = \"BP004000\"\nserial = 7\n\
         epoch = {}\nissued = {}\n{}\n[end]\nserial = 7\n",
        list["site_id"],
        list["version"],
        stamp(now() - seconds(86_400)),
        nine
    );
    let signed_text = |text: &str, key: &str, namespace: &str, options: &[&str]| {
        std::fs::write(dir.path().join("file"), text).unwrap();
        let _ = std::fs::remove_file(dir.path().join("file.sig"));
        let mut sign = Command::new(ssh_keygen);
        sign.args(["-q", "-Y", "sign", "-n", namespace, "-f", key]).args(options).arg("file");
        assert!(sign.current_dir(dir.path()).stderr(Stdio::null()).status().unwrap().success());
        let lines = std::fs::read_to_string(dir.path().join("file.sig")).unwrap();
        let block: String = lines.lines().map(|line| format!("# {line}\n")).collect();
        std::fs::write(dir.path().join("file"), format!("{text}{block}")).unwrap();
        block
    };
    let signed = |key: &str, namespace: &str, options: &[&str]| signed_text(&good, key, namespace, options);
    let verify = ["site", "verify", "file", "--folder", "site"];
    for options in [&[][..], &["-O", "hashalg=sha256"]] {
        for key in ["keys/publish", "keys/ecdsa"] {
            signed(key, "pcm-publish", options);
            assert_eq!(json(dir.path(), &verify)["signatures"][0]["role"], "publish");
        }
    }
    for (key, namespace, code) in [
        ("keys/publish", "pcm-package", "bad-signature"),
        ("keys/package", "pcm-package", "bad-signature"),
        ("keys/publish", "git", "bad-signature"),
        ("keys/package", "pcm-publish", "bad-signature"),
        ("keys/rsa", "pcm-publish", "bad-algorithm"),
    ] {
        signed(key, namespace, &[]);
        assert_eq!(refused(dir.path(), &verify), code, "{key} {namespace}");
    }
    // What is signed well, and what no machine takes all the same.
    let id = list["site_id"].as_str().unwrap();
    for (from, to, code) in [
        ("instructions".to_owned(), "index".to_owned(), "malformed"),
        (id.to_owned(), "aaaaaaaaaaaaaaaa".to_owned(), "bad-signature"),
        ("BP0\"".to_owned(), "XX0\"".to_owned(), "malformed"),
        (nine.clone(), String::new(), "malformed"),
        (nine.clone(), until(99), "malformed"),
        (nine.clone(), until(0), "share-stale"),
        ("epoch = 4".to_owned(), "epoch = 3".to_owned(), "rollback"),
    ] {
        let text = good.replace(&from, &to);
        assert_ne!(text, good, "{from}");
        signed_text(&text, "keys/publish", "pcm-publish", &[]);
        assert_eq!(refused(dir.path(), &verify), code, "{from} {to}");
    }
    let block = signed("keys/publish", "pcm-publish", &[]);
    let whole = std::fs::read_to_string(dir.path().join("file")).unwrap();
    // The name says whose it is.
    for (name, taken) in [("BP004000.INS", true), ("bp004000.ins", true), ("BP004001.INS", false)] {
        std::fs::write(dir.path().join(name), &whole).unwrap();
        let done = pcm(dir.path(), &["site", "verify", name, "--folder", "site"]);
        assert_eq!(done.status.success(), taken, "{name}: {}", text(&done.stderr));
    }
    std::fs::write(dir.path().join("file"), format!("{whole}{block}")).unwrap();
    assert_eq!(refused(dir.path(), &verify), "bad-signature", "two signatures");
    std::fs::write(dir.path().join("file"), whole.replace("serial = 7", "serial = 8")).unwrap();
    assert_eq!(refused(dir.path(), &verify), "bad-signature");
    std::fs::write(dir.path().join("file"), &good).unwrap();
    assert_eq!(refused(dir.path(), &verify), "unsigned");
    // Parts are for programs.
    std::fs::write(dir.path().join("file"), &whole).unwrap();
    assert_eq!(pcm(dir.path(), &["site", "verify", "file", "--block", "1"]).status.code(), Some(2));
    assert_eq!(pcm(dir.path(), &["site", "verify", "file", "--part", "signed"]).stdout, good.as_bytes());
    let mut terminal =
        Terminal::start(&command(dir.path(), &["site", "verify", "file", "--part", "signed"]), 80, 24);
    terminal.wait("--part prints bytes");
    assert_eq!(terminal.wait_exit(), 2);
}

/// An agent with one key, ended with the test.
struct Agent(Child, std::path::PathBuf);

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_key_in_an_agent_signs_by_its_public_half() {
    if ssh_keygen().is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    site(dir.path());
    let socket = dir.path().join("agent");
    let Ok(agent) = Command::new("ssh-agent").arg("-D").arg("-a").arg(&socket).stdout(Stdio::null()).spawn()
    else {
        return skipped("there is no ssh-agent");
    };
    let agent = Agent(agent, socket);
    crate::common::wait_for("the agent listens", || agent.1.exists());
    let add = Command::new("ssh-add")
        .arg("-q")
        .arg(dir.path().join("keys/root"))
        .env("SSH_AUTH_SOCK", &agent.1)
        .status();
    assert!(add.unwrap().success());
    std::fs::remove_file(dir.path().join("keys/root")).unwrap();
    let args = ["key", "withdraw", "BP00000A", "--below", "2", "--folder", "site", "--key", "keys/root.pub"];
    assert_eq!(refused(dir.path(), &args), "not-signed", "without the agent nobody signs");
    let done = command(dir.path(), &args).env("SSH_AUTH_SOCK", &agent.1).output().unwrap();
    assert!(done.status.success(), "{}", text(&done.stderr));
    assert_eq!(json(dir.path(), &["key", "list", "--folder", "site"])["version"], 4);
}
