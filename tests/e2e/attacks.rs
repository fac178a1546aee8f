//! What somebody tries who can write the share and everything on its way, and has some of the keys (SITE.md 4): a table of
//! attacks on a machine in mode `signed`. None runs anything, what was believed before stays in force, and each is told by a
//! code and evidence of its own. Beside them stand those of `indexed` and `signed`. All keys and signatures are OpenSSH's own.

use super::common::{MACHINE, now, seconds, stamp, wait_for, write};
use super::indexed::{Head, ID, Indexed, JOB, Job, OTHER_ID, OTHER_JOB};
use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

/// A machine that believes in one job, which waits, and what was tried on it.
struct Target {
    share: Indexed,
    good: Job,
    other: Job,
    /// The names of the attacks.
    tried: Vec<String>,
    /// Those that are told otherwise than they should be.
    otherwise: Vec<String>,
    /// What `explain` says without an attack.
    usual: String,
    /// What it says of each.
    evidence: BTreeSet<String>,
}

impl Target {
    fn new() -> Option<Self> {
        let mut share = Indexed::signed()?;
        let (good, other) = (share.job().later(), share.other());
        share.publish(std::slice::from_ref(&good));
        share.enrol();
        assert_eq!(share.polled(JOB), "good");
        let usual = share.evidence(JOB, "source");
        let (tried, otherwise) = (Vec::new(), Vec::new());
        Some(Self { share, good, other, tried, otherwise, usual, evidence: BTreeSet::new() })
    }

    /// The text of the next index, with the job that is not to run in it, due since long ago.
    fn next(&mut self, head: impl FnOnce(Head) -> Head) -> String {
        let both = [self.good.clone(), self.other.clone()];
        let head = head(self.share.head());
        self.share.parts(&head, &both)
    }

    /// The machine looks: it says this, and nothing of the attack is in force.
    #[track_caller]
    fn refuses(&mut self, name: &str, code: &str) {
        let told = self.share.polled(OTHER_JOB);
        if told != code {
            self.otherwise.push(format!("{name}: {told}, not {code}"));
        }
        let list = self.share.site.json(&["list", "--all"]);
        let state = |id: &str| {
            let found = list["requests"].as_array().unwrap().iter().find(|r| r["request_id"] == id);
            found.map_or("absent".to_owned(), |r| r["state"].as_str().unwrap().to_owned())
        };
        assert!(["absent", "rejected", "not-applicable"].contains(&&*state(OTHER_ID)), "{name}: {list}");
        assert_eq!(state(ID), "offered", "{name}: what was believed stays: {list}");
        let run = self.share.site.pcm(&["run", OTHER_ID, "--wait"]);
        assert!(!run.status.success(), "{name}: an operator runs it no more than the service");
        assert_eq!(self.share.site.ran("ran"), 0, "{name}");
        // Of what is offered here, or else of the share that what is in force comes from.
        let offered = self.share.site.pcm(&["explain", OTHER_JOB, "--json"]);
        let evidence = match offered.status.success() {
            true => self.share.closed(OTHER_JOB),
            false => self.share.evidence(JOB, "source"),
        };
        assert!(!evidence.is_empty() && evidence != self.usual, "{name}: explain says nothing of it");
        self.evidence.insert(evidence);
        self.tried.push(name.to_owned());
    }

    /// An index of these bytes is refused.
    #[track_caller]
    fn index(&mut self, name: &str, code: &str, bytes: &[u8]) {
        let share = self.share.site.share();
        write(&share.join(".new"), bytes);
        fs::rename(share.join(".new"), share.join("PCM.INDEX")).unwrap();
        self.refuses(name, code);
    }

    /// A fourth trust list of this text is refused, with an index of its epoch.
    #[track_caller]
    fn list(&mut self, name: &str, code: &str, text: &str) {
        let file = self.share.site.share().join("trust/4.toml");
        write(&file, text.as_bytes());
        let index = self.next(|head| Head { epoch: 4, ..head });
        let index = self.share.sign("publish", "pcm-publish", &index);
        self.index(name, code, index.as_bytes());
        fs::remove_file(&file).unwrap();
    }

    fn by_root(&self, text: &str) -> String {
        self.share.sign("root", "pcm-trust", text)
    }

    /// Makes a key of another kind.
    fn generate(&self, name: &str, args: &[&str]) {
        let file = self.share.site.path("keys").join(name);
        let done = Command::new("ssh-keygen").args(["-q", "-N", "", "-f"]).arg(file).args(args).status();
        assert!(done.unwrap().success());
    }

    fn public(&self, name: &str) -> String {
        let line = fs::read_to_string(self.share.public(name)).unwrap();
        line.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
    }

    /// So many were tried, and `explain` tells so many kinds of them apart.
    fn done(self, tried: usize, told: usize) {
        assert_eq!(self.share.site.ran("ran"), 0);
        assert!(self.otherwise.is_empty(), "{:#?}", self.otherwise);
        println!("attacks: {}, nothing ran: {}", self.tried.len(), self.tried.join("; "));
        println!("attacks: {} are told apart: {:#?}", self.evidence.len(), self.evidence);
        assert!(self.tried.len() >= tried, "{} of {tried}", self.tried.len());
        assert!(self.evidence.len() >= told, "{} of {told}: {:#?}", self.evidence.len(), self.evidence);
    }
}

/// The text of the newest list, as the next version.
fn next_list(target: &Target) -> String {
    let site = &target.share.site;
    let list = site.share().join("trust/3.toml").display().to_string();
    let part = site.pcm(&["site", "verify", &list, "--part", "signed"]);
    String::from_utf8(part.stdout).unwrap().replace("version = 3", "version = 4")
}

#[test]
fn no_byte_of_an_index_can_be_changed() {
    let Some(mut target) = Target::new() else { return };
    let index = target.next(|head| head);
    let signed = target.share.sign("publish", "pcm-publish", &index);
    for (name, from, to) in [
        ("a digit", "percent = 100", "percent = 101"),
        ("a letter of a word", "\"active\"", "\"axtive\""),
        ("a letter of a key", "revision = ", "revisiom = "),
        ("a hash", "sha256 = \"", "sha256 = \"0"),
        ("an added comment", "[members]", "# x\n[members]"),
        ("an added blank", "[members]", "[members] "),
        ("a line break less", "\n[members]", "[members]"),
        ("a table less", "[end]\n", ""),
        ("the first marker", "# -----BEGIN SSH", "# -----BEGIN SSI"),
        ("the last marker", "# -----END SSH", "# -----END SSI"),
        ("a blank in a marker", "# -----BEGIN SSH SIGNATURE-----\n", "# -----BEGIN SSH SIGNATURE----- \n"),
        ("the mark of a line", "# -----END", "## -----END"),
        ("a NUL", "issued = ", "issued\0= "),
        ("a byte order mark", "kind = \"index\"", "\u{feff}kind = \"index\""),
        ("CR at one line", "[end]\n", "[end]\r\n"),
    ] {
        assert!(signed.contains(from), "{name}: {from:?} is not in {signed}");
        let changed = signed.replacen(from, to, 1);
        target.index(name, "bad-signature", changed.as_bytes());
    }
    // One bit anywhere in the signature itself, and at its seams.
    let armour = signed[index.len()..].to_owned();
    let lines: Vec<&str> = armour.lines().collect();
    for (n, line) in lines.iter().enumerate().skip(1).take(lines.len() - 2) {
        let at = index.len() + armour.find(line).unwrap() + 2 + (line.len() - 2) / 2;
        let mut bytes = signed.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        target.index(&format!("line {n} of the signature"), "bad-signature", &bytes);
    }
    target.index("no line break at the end", "bad-signature", signed.trim_end().as_bytes());
    target.index("a line after the end", "bad-signature", format!("{signed}# \n").as_bytes());
    target.index("the signature twice", "bad-signature", format!("{signed}{armour}").as_bytes());
    target.index("the signature first", "bad-signature", format!("{armour}{index}").as_bytes());
    let long = format!("{index}{}", armour.replacen("\n# ", &format!("\n# {}\n# ", "A".repeat(5000)), 1));
    target.index("5 KB of signature", "bad-signature", long.as_bytes());
    // A marker in a string is no marker, and would hide what follows.
    let hidden = index.replacen(
        "state = \"active\"",
        "reason = \"\"\"\n# -----BEGIN SSH SIGNATURE-----\n\"\"\"\nstate = \"active\"",
        1,
    );
    let hidden = target.share.sign("publish", "pcm-publish", &hidden);
    target.index("a marker in a string", "bad-signature", hidden.as_bytes());
    target.done(25, 10);
}

#[test]
fn no_other_key_signs_an_index() {
    let Some(mut target) = Target::new() else { return };
    target.generate("rsa", &["-t", "rsa", "-b", "3072"]);
    target.generate("p384", &["-t", "ecdsa", "-b", "384"]);
    let index = target.next(|head| head);
    for (key, namespace, code) in [
        ("rsa", "pcm-publish", "bad-algorithm"),
        ("p384", "pcm-publish", "bad-algorithm"),
        ("stranger", "pcm-publish", "bad-signature"),
        ("package", "pcm-publish", "bad-signature"),
        ("root", "pcm-publish", "bad-signature"),
        ("publish", "pcm-package", "bad-signature"),
        ("publish", "pcm-trust", "bad-signature"),
        ("publish", "file", "bad-signature"),
        ("publish", "pcm-publish2", "bad-signature"),
    ] {
        let signed = target.share.sign(key, namespace, &index);
        target.index(&format!("{key} for {namespace}"), code, signed.as_bytes());
    }
    // A certificate in the place of a key.
    let certified = Command::new("ssh-keygen")
        .args(["-q", "-s", &target.share.key("root"), "-I", "x", &target.share.public("stranger")])
        .status();
    assert!(certified.unwrap().success());
    let signed = target.share.sign("stranger-cert.pub", "pcm-publish", &index);
    target.index("a certificate", "bad-algorithm", signed.as_bytes());
    // A publishing key that counts no more: ended, then revoked.
    target.generate("second", &["-t", "ed25519"]);
    let until = (now() + seconds(4)).format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let second = target.share.public("second");
    let trust = ["trust", &second, "--role", "publish", "--principal", "second", "--until", &until];
    target.share.trust(&trust);
    target.share.copy_lists();
    wait_for("the key has ended", || now() > until.parse::<chrono::DateTime<chrono::Utc>>().unwrap());
    let index = target.next(|head| Head { epoch: 4, ..head });
    let signed = target.share.sign("second", "pcm-publish", &index);
    target.index("a key that has ended", "key-expired", signed.as_bytes());
    target.share.trust(&["revoke", &second]);
    target.share.copy_lists();
    let index = target.next(|head| Head { epoch: 5, ..head });
    let signed = target.share.sign("second", "pcm-publish", &index);
    target.index("a key that was revoked", "bad-signature", signed.as_bytes());
    target.done(12, 9);
}

#[test]
fn no_other_trust_list_is_taken() {
    let Some(mut target) = Target::new() else { return };
    target.generate("rsa", &["-t", "rsa", "-b", "3072"]);
    let next = next_list(&target);
    let stranger = target.public("stranger");
    let line = |line: &str| next.replacen("signers = [", &format!("signers = [\n    '{line}',"), 1);
    assert!(next.contains("signers = ["), "{next}");
    let code = "bad-signature";
    target.list("a list without a signature", code, &next);
    for (key, namespace) in [
        ("package", "pcm-trust"),
        ("publish", "pcm-trust"),
        ("stranger", "pcm-trust"),
        ("root", "pcm-publish"),
    ] {
        let signed = target.share.sign(key, namespace, &next);
        target.list(&format!("a list by {key} for {namespace}"), code, &signed);
    }
    let signed = target.by_root(&next);
    target.list("a list that was altered", code, &signed.replacen("revoked = [", "revoked = [ ", 1));
    target.list("a list with CRLF", code, &signed.replace('\n', "\r\n"));
    let armour = signed[next.len()..].to_owned();
    target.list("a list signed twice", code, &format!("{signed}{armour}"));
    for (name, text) in [
        ("version 5 under the name of 4", next.replace("version = 4", "version = 5")),
        ("version 2 under the name of 4", next.replace("version = 4", "version = 2")),
        ("a list of another site id", next.replacen(&target.share.site_id(), "aaaaaaaaaaaaaaaa", 1)),
        ("a list of another kind", next.replacen("kind = \"trust\"", "kind = \"index\"", 1)),
        ("a list of a newer pcm", next.replacen("version = 4", "version = 4\ntomorrow = 1", 1)),
        ("a list of 2100", {
            let issued = next.lines().find(|line| line.starts_with("issued")).unwrap();
            next.replacen(issued, "issued = 2100-01-01T00:00:00Z", 1)
        }),
        ("a line without a namespace", line(&format!("x {stranger}"))),
        ("a line of two namespaces", line(&format!("x namespaces=\"pcm-publish,pcm-package\" {stranger}"))),
        ("a line for any namespace", line(&format!("x namespaces=\"*\" {stranger}"))),
        ("a line for anybody", line(&format!("* namespaces=\"pcm-package\" {stranger}"))),
        ("a line of an authority", line(&format!("x cert-authority,namespaces=\"pcm-package\" {stranger}"))),
        ("a publishing line without an end", line(&format!("x namespaces=\"pcm-publish\" {stranger}"))),
        (
            "a line of local time",
            line(&format!("x namespaces=\"pcm-package\",valid-before=\"20300101\" {stranger}")),
        ),
        ("an RSA line", line(&format!("x namespaces=\"pcm-package\" {}", target.public("rsa")))),
        ("a key of two roles", line(&format!("x namespaces=\"pcm-package\" {}", target.public("publish")))),
    ] {
        assert_ne!(text, next, "{name}");
        let signed = target.by_root(&text);
        target.list(name, code, &signed);
    }
    // A list is skipped: the fourth is not there, and the fifth is a good one.
    let five = target.by_root(&next.replace("version = 4", "version = 5"));
    write(&target.share.site.share().join("trust/5.toml"), five.as_bytes());
    let index = target.next(|head| Head { epoch: 5, ..head });
    let index = target.share.sign("publish", "pcm-publish", &index);
    target.index("a list was skipped", code, index.as_bytes());
    target.done(24, 18);
}

#[test]
fn nothing_old_foreign_or_swapped_runs() {
    let Some(mut target) = Target::new() else { return };
    let share = target.share.site.share();
    let good = fs::read(share.join("PCM.INDEX")).unwrap();
    let index = |target: &mut Target, head: &dyn Fn(Head) -> Head| {
        let text = target.next(head);
        target.share.sign("publish", "pcm-publish", &text)
    };
    let of = index(&mut target, &|head| Head { serial: 1, ..head });
    target.index("another index of the serial in force", "rollback", of.as_bytes());
    let of = index(&mut target, &|head| Head { serial: 0, ..head });
    target.index("serial 0", "malformed", of.as_bytes());
    let of = index(&mut target, &|head| Head { epoch: 2, ..head });
    target.index("an index of an older list", "rollback", of.as_bytes());
    let of = index(&mut target, &|head| Head { site_id: "aaaaaaaaaaaaaaaa".into(), ..head });
    target.index("an index of another site", "bad-signature", of.as_bytes());
    let of = index(&mut target, &|head| Head {
        issued: "2100-01-01T00:00:00Z".into(),
        valid_until: "2100-01-02T00:00:00Z".into(),
        ..head
    });
    target.index("an index of 2100", "issued-ahead", of.as_bytes());
    let year = stamp(now() + seconds(365 * 86_400));
    let of = index(&mut target, &|head| Head { valid_until: year.clone(), ..head });
    target.index("an index for a year", "malformed", of.as_bytes());
    // The signature of one publication under the text of another.
    let (one, two) = (target.next(|head| head), target.next(|head| head));
    let signed = target.share.sign("publish", "pcm-publish", &one);
    target.index(
        "a signature of another text",
        "bad-signature",
        format!("{two}{}", &signed[one.len()..]).as_bytes(),
    );
    // An instruction file beside an index that is hidden.
    fs::remove_file(share.join("PCM.INDEX")).unwrap();
    let hash = target.share.content();
    let request = super::common::Request::due(OTHER_ID).set("content_sha256", format!("\"{hash}\""));
    target.share.site.publish(std::slice::from_ref(&request));
    target.refuses("an instruction file where the index is gone", "share-missing");
    let head = format!(
        "kind = \"instructions\"\nsite_id = \"{}\"\nepoch = 3\nissued = {}\nvalid_until = {}",
        target.share.site_id(),
        stamp(now() - seconds(60)),
        stamp(now() + seconds(86_400))
    );
    for _ in 0..50 {
        target.share.site.instructions(&[]);
    }
    let text = target.share.site.instructions(&[request]).replace("issued = 2026-11-01T00:00:00Z", &head);
    let signed = target.share.sign("publish", "pcm-publish", &text);
    target.share.site.publish_text(&signed);
    target.refuses("a signed instruction file where the index is gone", "share-missing");
    target.index("an instruction file as the index", "malformed", signed.as_bytes());
    target.index(
        "a trust list as the index",
        "bad-signature",
        &fs::read(share.join("trust/3.toml")).unwrap(),
    );
    write(&share.join("PCM.INDEX"), &good);

    // Packages: of another site, signed by others, or in the place of another.
    let definition = share.join("packages/BP00000A/2/package.toml");
    let release = |target: &mut Target, name: &str, code: &str, change: &dyn Fn(&mut Indexed) -> String| {
        let hash = change(&mut target.share);
        let other = target.other.clone().set("release", "2").set("package_sha256", format!("\"{hash}\""));
        let both = [target.good.clone(), other.revision(target.tried.len() as u64 + 2)];
        target.share.publish(&both);
        target.refuses(name, code);
    };
    let resign = |share: &Indexed, key: &str, namespace: &str, text: &str| {
        let file = share.site.share().join("packages/BP00000A/2/package.toml");
        write(&file, text.as_bytes());
        share.ssh_keygen(key, namespace, &file);
        super::common::sha256(text.as_bytes())
    };
    target.share.package(2, "");
    let text = fs::read_to_string(&definition).unwrap();
    for (name, key, namespace, code) in [
        ("a package by the publisher", "publish", "pcm-package", "bad-signature"),
        ("a package by a stranger", "stranger", "pcm-package", "bad-signature"),
        ("a package by a trust key", "root", "pcm-package", "bad-signature"),
        ("a package signed for publishing", "package", "pcm-publish", "bad-signature"),
    ] {
        release(&mut target, name, code, &|share| resign(share, key, namespace, &text));
    }
    let site_id = target.share.site_id();
    release(&mut target, "a package of another site", "bad-signature", &|share| {
        resign(share, "package", "pcm-package", &text.replace(&site_id, "aaaaaaaaaaaaaaaa"))
    });
    release(&mut target, "a package of no site", "bad-signature", &|share| {
        resign(share, "package", "pcm-package", &text.replace(&format!("\"{site_id}\""), ""))
    });
    release(&mut target, "a package without its signature", "unsigned", &|share| {
        let hash = resign(share, "package", "pcm-package", &text);
        fs::remove_file(share.site.share().join("packages/BP00000A/2/package.toml.sig")).unwrap();
        hash
    });
    release(&mut target, "the signature of another release", "bad-signature", &|share| {
        let hash = resign(share, "package", "pcm-package", &text);
        let folder = share.site.share().join("packages/BP00000A");
        fs::copy(folder.join("1/package.toml.sig"), folder.join("2/package.toml.sig")).unwrap();
        hash
    });
    // Its files, in the place of those that are listed.
    target.share.publish(std::slice::from_ref(&target.good.clone()));
    let (hash, members) = (target.share.content(), target.share.members.clone());
    let content = share.join("content").join(&hash);
    assert!(content.is_dir() && members.contains(MACHINE));
    let stage = target.share.site.state().join("stage");
    fs::remove_dir_all(&stage).unwrap_or_else(|e| panic!("{}: {e}", stage.display()));
    write(&content.join("files/setup.sh"), b"#!/bin/sh\necho ran >> /dev/null; exit 1\n");
    let both = [target.good.clone(), target.other.clone()];
    target.share.publish(&both);
    let service = target.share.site.service();
    target.share.site.wait_blocked(OTHER_ID, &["content-mismatch"]);
    drop(service);
    target.tried.push("other files".into());
    target.done(20, 14);
}

/// Somebody who can keep everything newer away from a machine keeps it from starting anything, once the index has ended.
#[test]
fn a_share_that_is_frozen_starts_nothing_after_its_time() {
    let Some(mut share) = Indexed::signed() else { return };
    let until = now() + seconds(6);
    let job = share.job().set("mandatory_after", stamp(until + seconds(2)));
    let head = Head { valid_until: stamp(until), ..share.head() };
    let text = share.parts(&head, &[job]);
    let text = share.sign("publish", "pcm-publish", &text);
    share.place(&text);
    share.enrol();
    let _service = share.site.service();
    share.site.wait_blocked(ID, &["share-stale"]);
    wait_for("its time has come", || now() > until + seconds(3));
    assert_eq!(share.site.ran("ran"), 0);
    let evidence = share.evidence(JOB, "source");
    assert!(evidence.contains(&until.format("%Y-%m-%d %H:%M").to_string()), "{evidence}");
    assert!(share.site.json_of(&["status"])["problems"].to_string().contains("share-stale"));
}
