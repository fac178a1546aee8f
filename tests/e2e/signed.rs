//! Mode `signed` on a share that is filled by hand (SITE.md 4): what two kinds of keys agree on runs, and nothing else. All
//! signatures are made by OpenSSH's own ssh-keygen.

use super::common::reports::{report_at, report_lines};
use super::common::{
    Request, Service, Site, install_program, install_script, now, seconds, skipped, stamp, text, wait_for,
    write,
};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const ID: &str = "BP0000Y";

/// A site with keys of all roles, and a machine that trusts none of them yet.
pub(super) struct Signed {
    pub site: Site,
    pub root: String,
}

impl Signed {
    /// None where ssh-keygen is missing.
    pub fn new() -> Option<Self> {
        if !Path::new("/usr/bin/ssh-keygen").exists() {
            skipped("there is no ssh-keygen");
            return None;
        }
        let site = Site::bare("");
        let config = fs::read_to_string(site.config()).unwrap().replace("\"permissions\"", "\"signed\"");
        write(&site.config(), config.as_bytes());
        fs::create_dir(site.path("keys")).unwrap();
        let mut signed = Self { site, root: String::new() };
        for name in ["root", "package", "publish", "stranger"] {
            let made = signed.site.json(&["key", "generate", &signed.key(name)]);
            if name == "root" {
                signed.root = made["fingerprint"].as_str().unwrap().to_owned();
            }
        }
        for role in ["trust", "package", "publish"] {
            let key = if role == "trust" { "root" } else { role };
            signed.trust(&["trust", &signed.public(key), "--role", role, "--principal", role]);
        }
        signed.copy_lists();
        signed.sign_package(1, "");
        Some(signed)
    }

    fn key(&self, name: &str) -> String {
        self.site.path("keys").join(name).display().to_string()
    }

    fn public(&self, name: &str) -> String {
        format!("{}.pub", self.key(name))
    }

    fn folder(&self) -> PathBuf {
        self.site.path("folder")
    }

    /// Makes the next trust list.
    fn trust(&self, args: &[&str]) {
        self.trust_by("root", args);
    }

    fn trust_by(&self, key: &str, args: &[&str]) {
        let (root, folder, share) = (self.key(key), self.folder(), self.site.share());
        let (folder, share) = (folder.display().to_string(), share.display().to_string());
        let mut all = vec!["key"];
        all.extend(args);
        all.extend(["--key", &root, "--folder", &folder]);
        if args[0] == "trust" {
            all.extend(["--share", &share]);
        }
        self.site.json(&all);
    }

    /// Brings the lists to the share.
    fn copy_lists(&self) {
        let to = self.site.share().join("trust");
        fs::create_dir_all(&to).unwrap();
        for entry in fs::read_dir(self.folder().join("trust")).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }

    fn site_id(&self) -> String {
        let text = fs::read_to_string(self.folder().join("site.toml")).unwrap();
        text.parse::<toml::Table>().unwrap()["site_id"].as_str().unwrap().to_owned()
    }

    fn ssh_keygen(&self, key: &str, namespace: &str, file: &Path) -> String {
        let sig = PathBuf::from(format!("{}.sig", file.display()));
        let _ = fs::remove_file(&sig);
        let mut sign = Command::new("/usr/bin/ssh-keygen");
        sign.args(["-q", "-Y", "sign", "-n", namespace, "-f", &self.key(key)]).arg(file);
        assert!(sign.output().unwrap().status.success());
        fs::read_to_string(sig).unwrap()
    }

    /// The package, signed as this release; `change` is added to its top.
    fn sign_package(&self, release: u64, change: &str) {
        self.sign_package_as("package", "pcm-package", release, change);
    }

    fn sign_package_as(&self, key: &str, namespace: &str, release: u64, change: &str) {
        let hash = self.site.package("BP00000A", &self.site.say("ran"));
        let sites = if change.contains("sites") {
            String::new()
        } else {
            format!("sites = [\"{}\"]\n", self.site_id())
        };
        let text = format!(
            "kind = \"package\"\npackage_id = \"BP00000A\"\nname = \"Acme Workstation 4.0\"\nrelease = {release}\n{sites}\
             content_sha256 = \"{hash}\"\n{change}\n[[command]]\ncommand = \"Typical\"\n\
             command_line = \"setup.sh --silent\"\nautomated = true\nbackground = true\n"
        );
        let file = self.site.share().join("packages/BP00000A/package.toml");
        write(&file, text.as_bytes());
        self.ssh_keygen(key, namespace, &file);
    }

    pub fn request(&self) -> Request {
        let hash = self.site.package("BP00000A", &self.site.say("ran"));
        Request::due(ID).set("content_sha256", format!("\"{hash}\""))
    }

    /// The text of the next instruction file, ready to be signed.
    fn text(&mut self, requests: &[Request], epoch: u64) -> String {
        let head = format!(
            "kind = \"instructions\"\nsite_id = \"{}\"\nepoch = {epoch}\nissued = {}\nvalid_until = {}",
            self.site_id(),
            stamp(now() - seconds(60)),
            stamp(now() + seconds(86_400)),
        );
        self.site.instructions(requests).replace("issued = 2026-11-01T00:00:00Z", &head)
    }

    fn signed_by(&self, key: &str, namespace: &str, text: &str) -> String {
        let file = self.site.path("draft");
        fs::write(&file, text).unwrap();
        let block: String =
            self.ssh_keygen(key, namespace, &file).lines().map(|line| format!("# {line}\n")).collect();
        format!("{text}{block}")
    }

    pub fn publish(&mut self, requests: &[Request], epoch: u64) {
        let text = self.text(requests, epoch);
        let signed = self.signed_by("publish", "pcm-publish", &text);
        self.site.publish_text(&signed);
    }

    pub fn init(&self) {
        self.site.json(&["init", "--hand-made", "--trust-key", &self.root]);
    }

    /// Looks now; the code of what is not taken, or of what closes gate `trust` of the request.
    fn polled(&self) -> String {
        let done = self.site.pcm(&["poll", "--json"]);
        if !done.status.success() {
            let doc: Value = serde_json::from_slice(&done.stderr).unwrap_or_default();
            return doc["error"]["code"].as_str().unwrap_or_default().to_owned();
        }
        let doc = self.site.json(&["explain", ID]);
        let trust = doc["gates"].as_array().unwrap().iter().find(|gate| gate["gate"] == "trust").unwrap();
        let evidence = trust["evidence"].as_str().unwrap();
        assert!(trust["verdict"] == "pass" || !evidence.is_empty());
        trust["code"].as_str().unwrap_or("believed").to_owned()
    }
}

#[test]
fn what_both_keys_signed_runs_once_the_trust_key_is_confirmed() {
    let Some(mut signed) = Signed::new() else { return };
    let request = signed.request();
    signed.publish(&[request], 3);
    let told = signed.site.refused(&["init"], 3);
    assert_eq!(told["code"], "not-confirmed");
    assert!(told["message"].as_str().unwrap().contains(&signed.root), "{told}");
    assert!(
        !signed.site.path("etc/trust.d").exists() && !signed.site.state().exists(),
        "nothing was changed"
    );
    let stranger = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU";
    assert_eq!(
        signed.site.refused(&["init", "--hand-made", "--trust-key", stranger], 3)["code"],
        "bad-signature"
    );
    // In mode signed a share without an index is taken for a hand-made one only by somebody's word.
    let told = signed.site.refused(&["init", "--trust-key", &signed.root], 3);
    assert_eq!(told["code"], "hand-made");
    assert!(told["remedy"].as_str().unwrap().contains("--hand-made"), "{told}");
    assert!(!signed.site.path("etc/trust.d").exists(), "nothing was changed");
    signed.init();
    assert_eq!(signed.site.json(&["key", "list"])["version"], 3);
    let _service = signed.site.service();
    signed.site.wait_state(ID, "succeeded");
    assert_eq!(signed.site.ran("ran"), 1);
    let trust = signed.site.json(&["explain", ID]);
    let trust =
        trust["gates"].as_array().unwrap().iter().find(|gate| gate["gate"] == "trust").unwrap().clone();
    let evidence = trust["evidence"].as_str().unwrap();
    assert!(
        evidence.contains("signed by publish") && evidence.contains("release 1 of BP00000A"),
        "{evidence}"
    );
}

#[test]
fn an_instruction_file_that_somebody_touched_is_never_taken() {
    let Some(mut signed) = Signed::new() else { return };
    signed.init();
    let request = signed.request();
    signed.publish(std::slice::from_ref(&request), 3);
    assert_eq!(signed.polled(), "believed");
    // Each has another request, so that it would be seen.
    let other = Request { id: "BP0000Z".into(), ..request };
    let text = |signed: &mut Signed| signed.text(std::slice::from_ref(&other), 3);
    let mut tried = |name: &str, code: &str, make: &dyn Fn(&Signed, String) -> String| {
        let text = text(&mut signed);
        let made = make(&signed, text);
        signed.site.publish_text(&made);
        assert_eq!(signed.polled(), code, "{name}");
        assert!(signed.site.request("BP0000Z").is_none(), "{name}");
        assert!(signed.site.request(ID).is_some(), "{name}: what was believed stays");
    };
    let publish = |s: &Signed, text: &str| s.signed_by("publish", "pcm-publish", text);
    tried("no signature", "unsigned", &|_, text| text);
    tried("another key", "bad-signature", &|s, text| s.signed_by("stranger", "pcm-publish", &text));
    tried("the package's key", "bad-signature", &|s, text| s.signed_by("package", "pcm-publish", &text));
    tried("the trust key", "bad-signature", &|s, text| s.signed_by("root", "pcm-publish", &text));
    tried("another purpose", "bad-signature", &|s, text| s.signed_by("publish", "pcm-package", &text));
    tried("changed", "bad-signature", &|s, text| {
        publish(s, &text).replace("automated = true", "automated = false")
    });
    tried("a table after it", "bad-signature", &|s, text| publish(s, &text) + "[more]\n");
    tried("two signatures", "bad-signature", &|s, text| {
        let once = publish(s, &text);
        let block = once.strip_prefix(&text).unwrap().to_owned();
        once + &block
    });
    tried("CRLF", "bad-signature", &|s, text| publish(s, &text).replace('\n', "\r\n"));
    tried("a marker inside", "bad-signature", &|s, text| {
        publish(s, &text.replace("format = 1", "# -----BEGIN SSH SIGNATURE-----\nformat = 1"))
    });
    tried("another machine", "malformed", &|s, text| publish(s, &text.replace("BP004000", "BP004001")));
    tried("another site", "bad-signature", &|s, text| {
        publish(s, &text.replace(&s.site_id(), "aaaaaaaaaaaaaaaa"))
    });
    tried("another kind", "malformed", &|s, text| publish(s, &text.replace("\"instructions\"", "\"index\"")));
    tried("no kind", "malformed", &|s, text| publish(s, &text.replace("kind = \"instructions\"\n", "")));
    tried("an older list", "rollback", &|s, text| publish(s, &text.replace("epoch = 3", "epoch = 2")));
    tried("a list of the future", "bad-signature", &|s, text| {
        publish(s, &text.replace("epoch = 3", "epoch = 4"))
    });
    let line = |text: &str, key: &str| text.lines().find(|l| l.starts_with(key)).unwrap().to_owned();
    tried("no end", "malformed", &|s, text| publish(s, &text.replace(&line(&text, "valid_until"), "")));
    tried("valid for a year", "malformed", &|s, text| {
        let until = format!("valid_until = {}", stamp(now() + seconds(365 * 86_400)));
        publish(s, &text.replace(&line(&text, "valid_until"), &until))
    });
    tried("issued in 2100", "issued-ahead", &|s, text| {
        let text = text.replace(&line(&text, "issued"), "issued = 2100-01-01T00:00:00Z");
        publish(s, &text.replace(&line(&text, "valid_until"), "valid_until = 2100-01-02T00:00:00Z"))
    });
    // The same signed by another key that counts is the same, and the new signature is kept.
    signed.trust(&["trust", &signed.public("stranger"), "--role", "publish", "--principal", "second"]);
    signed.copy_lists();
    let same = signed.text(&[signed.request()], 4);
    for key in ["publish", "stranger"] {
        let again = signed.signed_by(key, "pcm-publish", &same);
        signed.site.publish_text(&again);
        assert_eq!(signed.polled(), "believed", "by {key}");
        let held = fs::read_to_string(signed.site.state().join("held.INS")).unwrap();
        assert_eq!(held, again);
    }
    // An older one that was signed well.
    let first = signed.text(std::slice::from_ref(&other), 4);
    let first = signed.signed_by("publish", "pcm-publish", &first);
    let second = signed.text(&[signed.request()], 4);
    let second = signed.signed_by("publish", "pcm-publish", &second);
    signed.site.publish_text(&second);
    assert_eq!(signed.polled(), "believed");
    signed.site.publish_text(&first);
    assert_eq!(signed.polled(), "rollback");
}

#[test]
fn a_publisher_cannot_change_what_a_package_runs_nor_how() {
    let Some(mut signed) = Signed::new() else { return };
    signed.init();
    for (key, value, code) in [
        ("disk_space", "\"1 B\"", "package-mismatch"),
        ("command_line", "\"setup.sh --wipe\"", "package-mismatch"),
        ("command", "\"Other\"", "package-mismatch"),
        ("package", "\"Other\"", "package-mismatch"),
        ("background", "false", "package-mismatch"),
        ("run_when", "\"no-user\"", "package-mismatch"),
        ("platforms", "[\"linux-x86_64\"]", "package-mismatch"),
        ("max_run_time", "\"23h\"", "package-mismatch"),
        ("restarts", "\"pcm\"", "package-mismatch"),
        ("ignore_windows", "true", "package-mismatch"),
        (
            "content_sha256",
            "\"0000000000000000000000000000000000000000000000000000000000000000\"",
            "package-mismatch",
        ),
        ("package_id", "\"BP00000B\"", "unsigned"),
    ] {
        let request = signed.request().set(key, value);
        signed.publish(&[request], 3);
        assert_eq!(signed.polled(), code, "{key}");
    }
    let exit_codes = signed.request();
    let changed = signed
        .text(&[exit_codes], 3)
        .replace("\n[end]", "[request.exit_codes]\n\"1\" = \"success\"\n\n[end]");
    let changed = signed.signed_by("publish", "pcm-publish", &changed);
    signed.site.publish_text(&changed);
    assert_eq!(signed.polled(), "package-mismatch");
    for (name, key, namespace, change, code) in [
        ("of another site", "package", "pcm-package", "sites = [\"aaaaaaaaaaaaaaaa\"]", "bad-signature"),
        ("by the publisher", "publish", "pcm-package", "", "bad-signature"),
        ("by a stranger", "stranger", "pcm-package", "", "bad-signature"),
        ("for another purpose", "package", "pcm-publish", "", "bad-signature"),
        ("for any site", "package", "pcm-package", "sites = [\"*\"]", "believed"),
    ] {
        signed.sign_package_as(key, namespace, 1, change);
        let request = signed.request();
        signed.publish(&[request], 3);
        assert_eq!(signed.polled(), code, "{name}");
    }
    let file = signed.site.share().join("packages/BP00000A/package.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("kind = \"package\"\n", "")).unwrap();
    signed.ssh_keygen("package", "pcm-package", &file);
    let request = signed.request();
    signed.publish(&[request], 3);
    assert_eq!(signed.polled(), "malformed", "it does not say what it is");
    let changed = text.replace("--silent", "--wipe");
    fs::write(&file, changed).unwrap();
    let request = signed.request().set("command_line", "\"setup.sh --wipe\"");
    signed.publish(&[request], 3);
    assert_eq!(signed.polled(), "bad-signature");
    fs::remove_file(signed.site.share().join("packages/BP00000A/package.toml.sig")).unwrap();
    let request = signed.request();
    signed.publish(&[request], 3);
    assert_eq!(signed.polled(), "unsigned");
}

#[test]
fn lists_are_followed_in_order_and_what_they_revoke_and_withdraw_stops() {
    let Some(mut signed) = Signed::new() else { return };
    signed.init();
    let request = signed.request();
    signed.publish(std::slice::from_ref(&request), 3);
    assert_eq!(signed.polled(), "believed");
    signed.trust(&["withdraw", "BP00000A", "--below", "2"]);
    signed.trust(&["revoke", &signed.public("stranger")]);
    // Version 5 alone is not taken: 4 is skipped.
    let skipped = signed.site.share().join("trust/5.toml");
    fs::copy(signed.folder().join("trust/5.toml"), &skipped).unwrap();
    assert_eq!(signed.polled(), "believed");
    assert_eq!(signed.site.json(&["key", "list"])["version"], 3);
    signed.copy_lists();
    assert_eq!(signed.polled(), "rollback", "a new list begins a new epoch");
    assert_eq!(signed.site.json(&["key", "list"])["version"], 5);
    signed.publish(std::slice::from_ref(&request), 5);
    assert_eq!(signed.polled(), "package-withdrawn");
    signed.sign_package(2, "");
    signed.publish(std::slice::from_ref(&request), 5);
    assert_eq!(signed.polled(), "believed");
    // Backwards: the share is of yesterday, and the machine is not.
    fs::remove_dir_all(signed.site.share().join("trust")).unwrap();
    assert_eq!(signed.polled(), "believed");
    assert_eq!(signed.site.json(&["key", "list"])["version"], 5);
    signed.site.json(&["key", "revoke", &signed.public("publish")]);
    assert_eq!(signed.polled(), "bad-signature", "revoked on this machine, at once");
}

#[test]
fn what_is_held_is_verified_again_and_a_damaged_trust_folder_starts_nothing() {
    let Some(mut signed) = Signed::new() else { return };
    signed.init();
    let later = signed.request().mandatory(now() + seconds(3600));
    signed.publish(&[later], 3);
    assert_eq!(signed.polled(), "believed");
    let held = signed.site.state().join("held.INS");
    let good = fs::read(&held).unwrap();
    fs::rename(signed.site.share(), signed.site.path("gone")).unwrap();
    assert!(signed.site.request(ID).is_some(), "the share is away, and what is held stays");
    // What `check` makes of it: the evidence of the item.
    let checked = || {
        let doc: Value = serde_json::from_slice(&signed.site.pcm(&["check", "--json"]).stdout).unwrap();
        let items = doc["items"].as_array().unwrap();
        items.iter().find(|item| item["item"] == "instructions").unwrap()["evidence"].to_string()
    };
    assert!(checked().contains("held.INS"), "{}", checked());
    let changed = String::from_utf8(good.clone()).unwrap().replace("--silent", "--wipe");
    fs::write(&held, changed).unwrap();
    assert!(signed.site.request(ID).is_none(), "somebody wrote into the state folder");
    assert!(!checked().contains("held.INS"), "{}", checked());
    fs::write(&held, &good).unwrap();
    assert!(signed.site.request(ID).is_some());
    let list = signed.site.path("etc/trust.d/trust.toml");
    let trust = fs::read(&list).unwrap();
    fs::write(&list, &trust[..trust.len() / 2]).unwrap();
    assert!(signed.site.request(ID).is_none());
    fs::rename(signed.site.path("gone"), signed.site.share()).unwrap();
    let told = signed.site.refused(&["poll"], 1);
    assert_eq!(told["code"], "bad-signature");
    assert!(told["message"].as_str().unwrap().contains("trust.toml is damaged"), "{told}");
    fs::write(&list, &trust).unwrap();
    let service = signed.site.service();
    wait_for("its files are copied", || {
        signed.site.request(ID).is_some_and(|r| !r["blocked_by"].to_string().contains("content-missing"))
    });
    // Directly before a launch: the key is revoked on the machine, and no look has seen it yet.
    let config = fs::read_to_string(signed.site.config()).unwrap();
    assert!(config.contains("polling_interval"));
    let revoked = signed.site.pcm(&["key", "revoke", &signed.public("package")]);
    assert!(
        revoked.status.success() && text(&revoked).contains("on this machine only"),
        "{}",
        text(&revoked)
    );
    let run = signed.site.pcm(&["run", ID, "--json"]);
    assert!(!run.status.success(), "{}", text(&run));
    assert_eq!(signed.site.ran("ran"), 0);
    signed.site.json(&["poll"]);
    let listed = signed.site.request(ID).unwrap();
    assert_eq!(listed["state"], "rejected", "{listed}");
    assert!(listed["why"].as_str().unwrap().starts_with("bad-signature: its key is revoked"), "{listed}");
    service.kill();
}

#[test]
fn a_clock_that_is_behind_what_was_signed_is_not_believed() {
    let Some(mut signed) = Signed::new() else { return };
    signed.init();
    let request = signed.request();
    let text = signed.text(&[request], 3);
    let issued = text.lines().find(|line| line.starts_with("issued")).unwrap().to_owned();
    for (ahead, suspect) in [(300, false), (7200, true)] {
        let later = text.replace(&issued, &format!("issued = {}", stamp(now() + seconds(ahead))));
        let later = later.replace("serial = 1", &format!("serial = {ahead}"));
        let later = signed.signed_by("publish", "pcm-publish", &later);
        signed.site.publish_text(&later);
        assert_eq!(signed.polled(), "believed");
        let problems = signed.site.json(&["list"])["problems"].to_string();
        assert_eq!(problems.contains("clock-suspect"), suspect, "{problems}");
    }
}

#[test]
fn a_key_that_is_revoked_while_a_run_is_being_started_starts_nothing() {
    let Some(mut signed) = Signed::new() else { return };
    signed.init();
    let later = signed.request().mandatory(now() + seconds(3600));
    signed.publish(&[later], 3);
    // The service is started from a copy, in whose place comes one whose run hosts wait.
    let (real, copy) = (env!("CARGO_BIN_EXE_pcm"), signed.site.path("pcm"));
    install_program(&copy);
    let mut service = Command::new(&copy);
    service.args(signed.site.command(&["service", "run"]).get_args()).env("TZ", "UTC");
    let child = service.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let _service = Service { child };
    signed.site.wait_service();
    wait_for("its files are copied", || {
        signed.site.request(ID).is_some_and(|r| !r["blocked_by"].to_string().contains("content-missing"))
    });
    let (waits, go) = (signed.site.path("waits"), signed.site.path("go"));
    let script = format!(
        "#!/bin/sh\ncase \"$1\" in run-host)\n: > '{}'\nuntil [ -e '{}' ]; do sleep 0.1; done\nesac\nexec '{real}' \"$@\"\n",
        waits.display(),
        go.display()
    );
    let slow = signed.site.path("pcm.new");
    install_script(&slow, &script);
    fs::rename(&slow, &copy).unwrap();
    let mut run = signed.site.command(&["run", ID]);
    let mut run = run.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_for("its run host is being started", || waits.exists());
    signed.site.json(&["key", "revoke", &signed.public("package")]);
    fs::write(&go, "").unwrap();
    assert!(!run.wait().unwrap().success());
    signed.site.wait_log("was not launched: bad-signature");
    assert_eq!(signed.site.ran("ran"), 0);
}

#[test]
fn packages_that_come_after_the_file_are_held_and_one_that_cannot_be_read_stays() {
    let Some(mut signed) = Signed::new() else { return };
    signed.init();
    let signature = signed.site.share().join("packages/BP00000A/package.toml.sig");
    let aside = signed.site.path("aside");
    fs::rename(&signature, &aside).unwrap();
    let request = signed.request();
    signed.publish(&[request], 3);
    assert_eq!(signed.polled(), "unsigned");
    fs::rename(&aside, &signature).unwrap();
    assert_eq!(signed.polled(), "believed");
    let trust = |signed: &Signed| {
        let doc = signed.site.json(&["explain", ID]);
        let gates = doc["gates"].as_array().unwrap();
        gates.iter().find(|gate| gate["gate"] == "trust").unwrap()["verdict"].as_str().unwrap().to_owned()
    };
    fs::rename(signed.site.share(), signed.site.path("gone")).unwrap();
    assert_eq!(trust(&signed), "pass", "it is held");
    fs::rename(signed.site.path("gone"), signed.site.share()).unwrap();
    // Something that is no file stands in its place.
    fs::rename(&signature, &aside).unwrap();
    fs::create_dir(&signature).unwrap();
    assert_eq!(signed.polled(), "believed");
    let status = signed.site.json(&["poll"]).to_string();
    assert!(status.contains("packages/BP00000A") && status.contains("not a regular file"), "{status}");
    fs::rename(signed.site.share(), signed.site.path("gone")).unwrap();
    assert_eq!(trust(&signed), "pass", "it is held still");
}

#[test]
fn a_key_that_a_list_revoked_is_never_confirmed_again() {
    let Some(mut signed) = Signed::new() else { return };
    let second = signed.site.json(&["key", "generate", &signed.key("second")]);
    let second = second["fingerprint"].as_str().unwrap().to_owned();
    signed.trust(&["trust", &signed.public("second"), "--role", "trust", "--principal", "second"]);
    signed.copy_lists();
    signed.init();
    signed.trust(&["revoke", &signed.public("root")]);
    signed.copy_lists();
    signed.publish(&[signed.request()], 5);
    assert_eq!(signed.polled(), "believed");
    let held = |signed: &Signed| signed.site.json(&["key", "list"])["version"].as_u64();
    assert_eq!(held(&signed), Some(5));
    // Somebody has the old key, and can write to the share: a list as the site's, with that key in it.
    let list = fs::read_to_string(signed.folder().join("trust/4.toml")).unwrap();
    let text = list.split("# -----BEGIN").next().unwrap().replace("version = 4", "version = 9");
    let planted = signed.site.share().join("trust/9.toml");
    fs::write(&planted, signed.signed_by("root", "pcm-trust", &text)).unwrap();
    let root = signed.root.clone();
    for args in [
        &["init", "--hand-made", "--trust-key", &root][..],
        &["init", "--hand-made", "--trust-key", &root, "--dry-run"],
    ] {
        assert_eq!(signed.site.refused(args, 3)["code"], "bad-signature");
        assert_eq!(held(&signed), Some(5));
    }
    let stranger = ["init", "--hand-made", "--trust-key", "nonsense", "--dry-run"];
    assert_eq!(signed.site.refused(&stranger, 3)["code"], "bad-signature");
    // The key that counts is confirmed, and the planted list is no next version.
    let told = signed.site.json(&["init", "--hand-made", "--trust-key", &second]);
    assert_eq!(held(&signed), Some(5));
    let left = |told: &Value| -> Vec<(String, String)> {
        let word = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
        told["not_taken"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| (word(row, "file"), word(row, "why")))
            .collect()
    };
    let [(file, why)] = left(&told).try_into().unwrap();
    assert!(file.ends_with("trust/9.toml") && why.contains("version 8"), "{file}: {why}");
    // Nor is one that follows and that no key of the list before signed.
    let next = signed.site.share().join("trust/6.toml");
    fs::write(&next, list.split("# -----BEGIN").next().unwrap().replace("version = 4", "version = 6"))
        .unwrap();
    let told = signed.site.json(&["init", "--hand-made", "--trust-key", &second]);
    let files: Vec<String> = left(&told).into_iter().map(|(file, _)| file).collect();
    assert!(files.len() == 2 && files[0].ends_with("trust/6.toml"), "{told}");
    let told = super::common::text(&signed.site.pcm(&["init", "--hand-made", "--trust-key", &second]));
    assert!(
        told.contains("Trust list 5 says whose") && told.contains("trust/6.toml was not taken: "),
        "{told}"
    );
    fs::remove_file(&next).unwrap();
    // A damaged list is taken again; what was revoked stays revoked.
    let folder = signed.site.path("etc/trust.d");
    fs::write(folder.join("trust.toml"), "half").unwrap();
    assert_eq!(signed.site.refused(&["init"], 6)["code"], "trust-unreadable");
    assert_eq!(
        signed.site.refused(&["init", "--hand-made", "--trust-key", &root], 3)["code"],
        "bad-signature"
    );
    fs::remove_file(&planted).unwrap();
    signed.trust_by("second", &["withdraw", "BP00000A", "--below", "1"]);
    signed.copy_lists();
    signed.site.json(&["init", "--hand-made", "--trust-key", &second]);
    assert_eq!(held(&signed), Some(6));
    assert_eq!(
        signed.site.refused(&["init", "--hand-made", "--trust-key", &root], 3)["code"],
        "bad-signature"
    );
    fs::remove_file(folder.join("revoked")).unwrap();
    let told = signed.site.refused(&["init", "--hand-made", "--trust-key", &second], 6);
    assert_eq!(told["code"], "trust-unreadable");
    assert!(told["remedy"].as_str().unwrap().contains("remove trust.toml and revoked"), "{told}");
}

/// What a machine reports in mode `signed` is signed with its own key, by OpenSSH's rules, and nothing that anybody else signed
/// speaks of it.
#[test]
fn a_report_is_signed_by_its_machine_and_one_of_somebody_else_stops_nothing() {
    for kind in ["ed25519", "ecdsa"] {
        a_report_is_signed_with(kind);
    }
}

/// As host keys are: without a passphrase.
fn a_report_is_signed_with(kind: &str) {
    let Some(mut signed) = Signed::new() else { return };
    let mut make = Command::new("/usr/bin/ssh-keygen");
    make.args(["-q", "-t", kind, "-N", "", "-f", &signed.key("machine")]);
    assert!(make.status().unwrap().success());
    let own = fs::read_to_string(signed.site.config()).unwrap();
    write(&signed.site.config(), format!("{own}host_key = {:?}\n", signed.key("machine")).as_bytes());
    signed.publish(&[signed.request().set("mandatory_after", "2099-01-01T00:00:00Z")], 3);
    let init = signed.site.json(&["init", "--hand-made", "--trust-key", &signed.root]);
    let public = fs::read_to_string(signed.public("machine")).unwrap();
    assert!(public.contains(kind), "{public}");
    assert!(public.starts_with(init["host_key"].as_str().unwrap()), "{init}");
    let path = signed.site.share().join("machines/BP004000.json");
    let _service = signed.site.service();
    let number = || report_at(&path)["report"].as_u64().unwrap_or(0);
    wait_for("it reports", || number() > 0);
    let written = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = written.split_inclusive('\n').collect();
    assert_eq!(lines.len(), 3, "{written}");
    let sealed: Value = serde_json::from_str(lines[2]).unwrap();
    let (allowed, sig) = (signed.site.path("allowed"), signed.site.path("report.sig"));
    write(&allowed, format!("BP004000 namespaces=\"pcm-report\" {public}").as_bytes());
    write(&sig, sealed["signature"].as_str().unwrap().as_bytes());
    let verify = || {
        let mut verify = Command::new("/usr/bin/ssh-keygen");
        verify.args(["-Y", "verify", "-I", "BP004000", "-n", "pcm-report", "-f"]).arg(&allowed);
        verify.arg("-s").arg(&sig).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        verify
    };
    let verifies = |text: &str| {
        let mut child = verify().spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), text.as_bytes()).unwrap();
        child.wait().unwrap().success()
    };
    assert!(verifies(lines[0]) && !verifies(&lines[0].replace("BP004000", "BP004001")));

    // Another one of this id with a far higher number, signed by nobody, by a stranger, and by a copy of the machine.
    let place = |key: Option<&str>, number: u64| {
        let mut report = report_at(&path);
        (report["report"], report["boot_id"]) = (number.into(), "another".into());
        let [summary, rest] = report_lines(&report);
        let file = signed.site.path("summary");
        write(&file, summary.as_bytes());
        let signature = key.map(|key| {
            let armour = signed.ssh_keygen(key, "pcm-report", &file);
            format!("{}\n", serde_json::json!({ "signature": armour }))
        });
        write(&path, format!("{summary}{rest}{}", signature.unwrap_or_default()).as_bytes());
    };
    let doubled = || signed.site.json(&["list"])["problems"].to_string().contains("two-machines");
    for key in [None, Some("stranger")] {
        place(key, 1_000);
        wait_for("its own report stands there again", || (1..1_000).contains(&number()));
        assert!(!doubled(), "{}", signed.site.log());
    }
    // The machine may write over it at the same moment: a copy writes again, too.
    wait_for("a copy is noticed", || {
        let noticed = doubled();
        if !noticed && number() < 2_000 {
            place(Some("machine"), 2_000);
        }
        noticed
    });
}

#[test]
fn a_machine_that_signs_no_reports_says_so_and_lacks_nothing() {
    let Some(mut signed) = Signed::new() else { return };
    let own = fs::read_to_string(signed.site.config()).unwrap();
    write(&signed.site.config(), format!("{own}[report]\nsign = false\n").as_bytes());
    signed.publish(&[signed.request().set("mandatory_after", "2099-01-01T00:00:00Z")], 3);
    let init = signed.site.json(&["init", "--hand-made", "--trust-key", &signed.root]);
    assert!(init["host_key"].is_null(), "{init}");
    let path = signed.site.share().join("machines/BP004000.json");
    let _service = signed.site.service();
    wait_for("it reports", || report_at(&path)["report"].is_u64());
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 2, "a summary and the rest");
    let status = signed.site.json_of(&["status"]);
    assert_eq!(status["problems"], serde_json::json!([]), "{status}");
    let check = signed.site.json_of(&["check"]);
    let item = check["items"].as_array().unwrap().iter().find(|item| item["item"] == "host-key").unwrap();
    assert!(item["verdict"] == "pass" && item.to_string().contains("[report] sign = false"), "{item}");
}

/// A machine that was put back to a snapshot would run again what it ran since: its own report on the share says so, in both
/// trust modes, before anything starts.
#[test]
fn a_machine_that_was_put_back_is_noticed_before_anything_runs_again() {
    let Some(mut signed) = Signed::new() else { return };
    let request = signed.request();
    signed.publish(&[request.clone().set("mandatory_after", "2099-01-01T00:00:00Z")], 3);
    signed.init();
    let report = signed.site.share().join("machines/BP004000.json");
    let reported = || fs::read_to_string(&report).unwrap_or_default();
    let service = signed.site.service();
    wait_for("it is reported", || reported().contains("\"report\""));
    // What is put back has not run it: it may be due between a publication and the end of the service.
    service.terminate();
    signed.publish(&[request], 3);
    let (mark, backup) = (signed.site.path("etc/pcm.mark"), signed.site.path("backup"));
    let copy = |from: &Path, to: &Path| {
        assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
    };
    fs::create_dir(&backup).unwrap();
    copy(&signed.site.state(), &backup.join("state"));
    copy(&mark, &backup.join("pcm.mark"));

    let service = signed.site.service();
    signed.site.wait_state(ID, "succeeded");
    wait_for("its end is reported", || reported().contains("\"succeeded\""));
    service.terminate();
    fs::remove_dir_all(signed.site.state()).unwrap();
    copy(&backup.join("state"), &signed.site.state());
    copy(&backup.join("pcm.mark"), &mark);
    let _service = signed.site.service();
    let blocked =
        || signed.site.request(ID).is_some_and(|r| r["blocked_by"].to_string().contains("two-machines"));
    wait_for("it is noticed", blocked);
    assert_eq!(signed.site.ran("ran"), 1, "{}", signed.site.log());
}
