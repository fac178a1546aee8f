//! A share under an index (SITE.md 2), written by this test and not by pcm's own publisher: what a machine takes of it, in
//! both trust modes, and what it never takes. All signatures are made by OpenSSH's own ssh-keygen.

use super::common::reports::report_at;
use super::common::{MACHINE, Site, make_dir, now, seconds, sha256, skipped, stamp, wait_for, write};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

mod facts;
mod installed;
mod two;

pub(super) const ID: &str = "BP0000Y";
pub(super) const JOB: &str = "BP0000AA";
pub(super) const OTHER_ID: &str = "BP0000Z";
pub(super) const OTHER_JOB: &str = "BP0000AB";

/// A job, its word in the index with it.
#[derive(Clone)]
pub(super) struct Job {
    pub id: String,
    pub revision: u64,
    pub lines: Vec<(String, String)>,
    pub state: String,
    pub percent: String,
}

impl Job {
    pub fn set(mut self, key: &str, value: impl Into<String>) -> Self {
        let value = value.into();
        self.lines.retain(|(k, _)| k != key);
        if !value.is_empty() {
            self.lines.push((key.to_owned(), value));
        }
        self
    }

    pub fn revision(self, revision: u64) -> Self {
        Self { revision, ..self.set("revision", revision.to_string()) }
    }

    pub fn to(self, targets: &str) -> Self {
        self.set("targets", targets)
    }

    pub fn state(self, state: &str) -> Self {
        Self { state: state.to_owned(), ..self }
    }

    pub fn percent(self, percent: &str) -> Self {
        Self { percent: percent.to_owned(), ..self }
    }

    /// Mandatory in an hour: it waits.
    pub fn later(self) -> Self {
        self.set("mandatory_after", stamp(now() + seconds(3_600)))
    }

    pub fn text(&self) -> String {
        let mut text = "kind = \"job\"\nformat = 1\n".to_owned();
        for (key, value) in self.lines.iter().filter(|(key, _)| key != "exit_codes") {
            text += &format!("{key} = {value}\n");
        }
        let codes = self.lines.iter().find(|(key, _)| key == "exit_codes").map_or("", |(_, value)| value);
        text + "[exit_codes]\n" + codes
    }
}

/// What stands in the index beside the jobs, to be changed by tests.
#[derive(Clone)]
pub(super) struct Head {
    pub site_id: String,
    pub epoch: u64,
    pub serial: u64,
    pub issued: String,
    pub valid_until: String,
}

pub(super) struct Indexed {
    pub site: Site,
    pub signed: bool,
    pub root: String,
    pub serial: u64,
    pub members: String,
    /// Group, revision, and what its policy says.
    pub policies: Vec<(String, u64, String)>,
    /// What its package does beside saying that it ran, as shell lines.
    pub does: String,
}

impl Indexed {
    /// On a share that only this account can write.
    pub fn by_permissions() -> Self {
        let site = Site::new();
        let members = format!("{MACHINE} web-01 - web\n");
        Self {
            site,
            signed: false,
            root: String::new(),
            serial: 0,
            members,
            policies: Vec::new(),
            does: String::new(),
        }
    }

    /// With keys of all roles; None where ssh-keygen is missing.
    pub fn signed() -> Option<Self> {
        if !Path::new("/usr/bin/ssh-keygen").exists() {
            skipped("there is no ssh-keygen");
            return None;
        }
        let site = Site::bare("");
        let config = fs::read_to_string(site.config()).unwrap().replace("\"permissions\"", "\"signed\"");
        write(&site.config(), config.as_bytes());
        fs::create_dir(site.path("keys")).unwrap();
        let members = format!("{MACHINE} web-01 - web\n");
        let mut signed = Self {
            site,
            signed: true,
            root: String::new(),
            serial: 0,
            members,
            policies: Vec::new(),
            does: String::new(),
        };
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
        Some(signed)
    }

    pub fn enrol(&self) {
        let published = self.site.share().join("PCM.INDEX").exists();
        let by_hand = if published { &[][..] } else { &["--hand-made"] };
        self.site.json(&[&["init", "--trust-key", &self.root][..], by_hand].concat());
    }

    pub fn key(&self, name: &str) -> String {
        self.site.path("keys").join(name).display().to_string()
    }

    pub fn public(&self, name: &str) -> String {
        format!("{}.pub", self.key(name))
    }

    pub fn folder(&self) -> PathBuf {
        self.site.path("folder")
    }

    pub fn trust(&self, args: &[&str]) {
        let (root, folder, share) = (self.key("root"), self.folder(), self.site.share());
        let (folder, share) = (folder.display().to_string(), share.display().to_string());
        let mut all = vec!["key"];
        all.extend(args);
        all.extend(["--key", &root, "--folder", &folder]);
        if args[0] == "trust" {
            all.extend(["--share", &share]);
        }
        self.site.json(&all);
    }

    pub fn copy_lists(&self) {
        let to = self.site.share().join("trust");
        fs::create_dir_all(&to).unwrap();
        for entry in fs::read_dir(self.folder().join("trust")).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }

    pub fn site_id(&self) -> String {
        if !self.signed {
            return "abcdefgh12345678".to_owned();
        }
        let text = fs::read_to_string(self.folder().join("site.toml")).unwrap();
        text.parse::<toml::Table>().unwrap()["site_id"].as_str().unwrap().to_owned()
    }

    pub fn ssh_keygen(&self, key: &str, namespace: &str, file: &Path) -> String {
        let sig = PathBuf::from(format!("{}.sig", file.display()));
        let _ = fs::remove_file(&sig);
        let mut sign = Command::new("/usr/bin/ssh-keygen");
        sign.args(["-q", "-Y", "sign", "-n", namespace, "-f", &self.key(key)]).arg(file);
        assert!(sign.output().unwrap().status.success());
        fs::read_to_string(sig).unwrap()
    }

    /// The content of the package; its hash.
    pub fn content(&self) -> String {
        let hash = self.site.package("BP00000A", &format!("{}\n{}", self.site.say("ran"), self.does));
        let (from, to) =
            (self.site.share().join("packages/BP00000A"), self.site.share().join("content").join(&hash));
        make_dir(&to.join("files"));
        for name in ["CONTENT", "files/setup.sh"] {
            write(&to.join(name), &fs::read(from.join(name)).unwrap());
        }
        hash
    }

    /// A release of the package, signed where it has to be; `change` is added to the command. The hash of its definition.
    pub fn package(&self, release: u64, change: &str) -> String {
        self.package_by("package", release, change)
    }

    pub fn package_by(&self, key: &str, release: u64, change: &str) -> String {
        let content = self.content();
        let text = format!(
            "kind = \"package\"\npackage_id = \"BP00000A\"\nname = \"Acme Workstation 4.0\"\nversion = \"4.0\"\n\
             release = {release}\nsites = [\"{}\"]\ncontent_sha256 = \"{content}\"\n[[command]]\n\
             command = \"Typical\"\ncommand_line = \"setup.sh --silent\"\nautomated = true\nbackground = true\n{change}\n",
            self.site_id()
        );
        let folder = self.site.share().join("packages/BP00000A").join(release.to_string());
        make_dir(&folder);
        let file = folder.join("package.toml");
        write(&file, text.as_bytes());
        if self.signed {
            self.ssh_keygen(key, "pcm-package", &file);
        }
        sha256(text.as_bytes())
    }

    /// A job for group `web`, due since long ago, of release 1.
    pub fn job(&self) -> Job {
        let package = self.package(1, "");
        let content = self.content();
        let mut job = Job {
            id: JOB.into(),
            revision: 1,
            lines: Vec::new(),
            state: "active".into(),
            percent: "100".into(),
        };
        for (key, value) in [
            ("site_id", format!("\"{}\"", self.site_id())),
            ("job_id", format!("\"{JOB}\"")),
            ("request_id", format!("\"{ID}\"")),
            ("revision", "1".into()),
            ("package_id", "\"BP00000A\"".into()),
            ("release", "1".into()),
            ("package_sha256", format!("\"{package}\"")),
            ("package", "\"Acme Workstation 4.0\"".into()),
            ("version", "\"4.0\"".into()),
            ("command", "\"Typical\"".into()),
            ("command_line", "\"setup.sh --silent\"".into()),
            ("content_sha256", format!("\"{content}\"")),
            ("automated", "true".into()),
            ("background", "true".into()),
            ("platforms", "[]".into()),
            ("run_when", "\"any\"".into()),
            ("max_run_time", "\"2h\"".into()),
            ("restarts", "\"no\"".into()),
            ("disk_space", "\"0 B\"".into()),
            ("removes", "false".into()),
            ("targets", "[\"@web\"]".into()),
            ("offer_after", "2026-11-01T00:00:00Z".into()),
            ("mandatory_after", "2026-11-01T01:00:00Z".into()),
        ] {
            job = job.set(key, value);
        }
        job
    }

    /// Another job of the same package.
    pub fn other(&self) -> Job {
        let job =
            self.job().set("job_id", format!("\"{OTHER_JOB}\"")).set("request_id", format!("\"{OTHER_ID}\""));
        Job { id: OTHER_JOB.into(), ..job }
    }

    pub fn head(&mut self) -> Head {
        self.serial += 1;
        Head {
            site_id: self.site_id(),
            epoch: if self.signed { 3 } else { 0 },
            serial: self.serial,
            issued: stamp(now() - seconds(60)),
            valid_until: stamp(now() + seconds(86_400)),
        }
    }

    /// Writes every part that an index of these jobs names, and gives its text.
    pub fn parts(&self, head: &Head, jobs: &[Job]) -> String {
        let share = self.site.share();
        let mut text = format!(
            "kind = \"index\"\nformat = 1\nsite = \"BP0\"\nsite_id = \"{}\"\nepoch = {}\nserial = {}\nissued = {}\n\
             valid_until = {}\n",
            head.site_id, head.epoch, head.serial, head.issued, head.valid_until
        );
        for job in jobs {
            let bytes = job.text();
            write(&share.join(format!("jobs/{}.{}.toml", job.id, job.revision)), bytes.as_bytes());
            text += &format!(
                "[[job]]\njob_id = \"{}\"\nrevision = {}\nsha256 = \"{}\"\nstate = \"{}\"\npercent = {}\n",
                job.id,
                job.revision,
                sha256(bytes.as_bytes()),
                job.state,
                job.percent
            );
        }
        make_dir(&share.join("policy"));
        for (group, revision, rules) in &self.policies {
            let policy = format!(
                "kind = \"policy\"\nformat = 1\nsite_id = \"{}\"\ngroup = \"{group}\"\nrevision = {revision}\n{rules}",
                self.site_id()
            );
            write(&share.join(format!("policy/{group}.{revision}.toml")), policy.as_bytes());
            text += &format!(
                "[[policy]]\ngroup = \"{group}\"\nrevision = {revision}\nsha256 = \"{}\"\n",
                sha256(policy.as_bytes())
            );
        }
        make_dir(&share.join("members"));
        let list = format!("all {} {}\n", head.serial, sha256(self.members.as_bytes()));
        write(&share.join(format!("members/all.{}", head.serial)), self.members.as_bytes());
        write(&share.join(format!("members/LIST.{}", head.serial)), list.as_bytes());
        text += &format!(
            "[members]\nparts = 0\nrevision = {}\nsha256 = \"{}\"\n[end]\nserial = {}\n",
            head.serial,
            sha256(list.as_bytes()),
            head.serial
        );
        text
    }

    pub fn sign(&self, key: &str, namespace: &str, text: &str) -> String {
        if !self.signed {
            return text.to_owned();
        }
        let file = self.site.path("draft");
        fs::write(&file, text).unwrap();
        let block: String =
            self.ssh_keygen(key, namespace, &file).lines().map(|line| format!("# {line}\n")).collect();
        format!("{text}{block}")
    }

    pub fn place(&self, text: &str) {
        let share = self.site.share();
        write(&share.join(".new"), text.as_bytes());
        fs::rename(share.join(".new"), share.join("PCM.INDEX")).unwrap();
    }

    pub fn publish(&mut self, jobs: &[Job]) -> String {
        let head = self.head();
        let text = self.parts(&head, jobs);
        let text = self.sign("publish", "pcm-publish", &text);
        self.place(&text);
        text
    }

    /// Looks now; the code of what is not taken, or of the first gate of what was published that closes this job.
    pub fn polled(&self, job: &str) -> String {
        let done = self.site.pcm(&["poll", "--json"]);
        if !done.status.success() {
            let doc: Value = serde_json::from_slice(&done.stderr).unwrap_or_default();
            let problem = doc["error"]["message"].as_str().unwrap_or_default();
            assert!(!problem.is_empty(), "{doc}");
            return doc["error"]["code"].as_str().unwrap_or_default().to_owned();
        }
        let explained = self.site.pcm(&["explain", job, "--json"]);
        if !explained.status.success() {
            let doc: Value = serde_json::from_slice(&explained.stderr).unwrap_or_default();
            return doc["error"]["code"].as_str().unwrap_or_default().to_owned();
        }
        let doc: Value = serde_json::from_slice(&explained.stdout).unwrap();
        let published = ["record", "target", "trust", "job"];
        let gates = doc["gates"].as_array().unwrap().iter();
        let closed = gates.filter(|gate| published.contains(&gate["gate"].as_str().unwrap_or_default()));
        let closed = closed.filter(|gate| gate["verdict"] != "pass").collect::<Vec<_>>();
        let own = |gate: &&&Value| !gate["evidence"].as_str().unwrap().contains("the record is rejected");
        let first = closed.iter().find(own);
        assert!(first.is_none_or(|gate| !gate["evidence"].as_str().unwrap().is_empty()), "{doc}");
        first.map_or_else(|| "good".to_owned(), |gate| gate["code"].as_str().unwrap_or_default().to_owned())
    }

    /// What the first gate that closes this job says.
    pub fn closed(&self, job: &str) -> String {
        let doc = self.site.json(&["explain", job]);
        let mut gates = doc["gates"].as_array().unwrap().iter();
        let closed = gates.find(|gate| gate["verdict"] != "pass");
        closed.map_or("", |gate| gate["evidence"].as_str().unwrap()).to_owned()
    }

    pub fn evidence(&self, job: &str, gate: &str) -> String {
        let doc = self.site.json(&["explain", job]);
        let gates = doc["gates"].as_array().unwrap();
        gates.iter().find(|g| g["gate"] == gate).unwrap()["evidence"].as_str().unwrap().to_owned()
    }
}

#[test]
fn a_job_runs_on_the_machines_that_it_is_for_and_says_whom_it_is_for() {
    let mut share = Indexed::by_permissions();
    let (job, other) = (share.job(), share.other().to("[\"@db\", \"BP0050*\"]"));
    share.publish(&[job, other]);
    let _service = share.site.service();
    share.site.wait_state(ID, "succeeded");
    assert_eq!(share.site.ran("ran"), 1);
    assert!(share.site.request(OTHER_ID).is_none(), "it is no request of this machine");
    let own = share.site.json(&["explain", JOB]);
    assert_eq!((own["request_id"].as_str(), own["job_id"].as_str()), (Some(ID), Some(JOB)));
    assert_eq!(own["targeted_by"], "@web");
    let others = share.site.json(&["explain", OTHER_JOB]);
    assert_eq!(others["targeted_by"], Value::Null);
    assert_eq!(share.polled(OTHER_JOB), "not-targeted");
    assert_eq!(
        share.evidence(OTHER_JOB, "target"),
        "job BP0000AB is for @db, BP0050*; this machine is in web"
    );
    assert_eq!(share.site.refused(&["explain", "BP0000ZZ"], 4)["code"], "no-such-job");
    assert_eq!(share.site.refused(&["explain", OTHER_ID], 4)["code"], "no-such-request");
    assert!(share.site.refused(&["explain", "BP"], 2)["message"].as_str().unwrap().contains("job id"));
    // It becomes one of them.
    share.members = format!("{MACHINE} web-01 - db web\n");
    let (job, other) = (share.job(), share.other().to("[\"@db\", \"BP0050*\"]"));
    share.publish(&[job, other]);
    share.site.wait_state(OTHER_ID, "succeeded");
    assert_eq!(share.site.ran("ran"), 2);
}

#[test]
fn what_both_keys_signed_runs_and_is_verified_again_at_each_start() {
    let Some(mut share) = Indexed::signed() else { return };
    let job = share.job();
    share.publish(std::slice::from_ref(&job));
    share.enrol();
    let service = share.site.service();
    share.site.wait_state(ID, "succeeded");
    let trust = share.evidence(JOB, "trust");
    assert!(
        trust.contains("signed by publish") && trust.contains("release 1 of BP00000A signed by package"),
        "{trust}"
    );
    let signed = &share.site.json_of(&["status"])["signed"];
    assert_eq!((signed["epoch"].as_u64(), signed["serial"].as_u64()), (Some(3), Some(1)), "{signed}");
    service.kill();
    let other = share.other().later();
    share.publish(&[job, other]);
    assert_eq!(share.polled(OTHER_JOB), "good");
    // The share is away, and what is held stays; whoever writes into the state folder gets nothing run.
    fs::rename(share.site.share(), share.site.path("gone")).unwrap();
    assert_eq!(share.site.state_of(OTHER_ID), "offered");
    let current = fs::read_to_string(share.site.state().join("held/current")).unwrap();
    let held = share.site.state().join("held").join(current.trim()).join("PCM.INDEX");
    let good = fs::read_to_string(&held).unwrap();
    fs::write(&held, good.replace("percent = 100", "percent = 99")).unwrap();
    assert_eq!(share.site.state_of(OTHER_ID), "absent");
    fs::write(&held, good).unwrap();
    assert_eq!(share.site.state_of(OTHER_ID), "offered");
    let parts = held.with_file_name("PARTS");
    let text = fs::read_to_string(&parts).unwrap();
    fs::write(&parts, text.replace("setup.sh --silent", "setup.sh --danger")).unwrap();
    assert!(!share.site.json(&["list", "--all"]).to_string().contains("danger"));
    assert_ne!(share.site.state_of(OTHER_ID), "offered");
    fs::write(&parts, text).unwrap();
    let list = share.site.path("etc/trust.d/trust.toml");
    let trust = fs::read(&list).unwrap();
    fs::write(&list, &trust[..trust.len() / 2]).unwrap();
    assert_eq!(share.site.state_of(OTHER_ID), "absent");
}

#[test]
fn a_machine_that_has_accepted_an_index_never_reads_an_instruction_file_again() {
    let mut share = Indexed::by_permissions();
    let job = share.job().later();
    share.publish(&[job]);
    assert_eq!(share.polled(JOB), "good");
    // An instruction file beside it says nothing, also not where the index is hidden.
    let hash = share.content();
    let request = super::common::Request::due("BP0000X").set("content_sha256", format!("\"{hash}\""));
    for _ in 0..9 {
        share.site.instructions(&[]);
    }
    share.site.publish(&[request]);
    assert_eq!(share.polled(JOB), "good");
    assert_eq!(share.site.state_of("BP0000X"), "absent");
    let index = share.site.share().join("PCM.INDEX");
    let hidden = share.site.path("hidden");
    fs::rename(&index, &hidden).unwrap();
    let told = share.site.refused(&["poll"], 5);
    assert_eq!(told["code"], "share-missing");
    assert!(told["message"].as_str().unwrap().contains("its index is gone"), "{told}");
    let service = share.site.service();
    wait_for("it looked", || share.site.log().matches("its index is gone").count() > 1);
    assert_eq!(share.site.state_of("BP0000X"), "absent");
    assert_eq!(share.site.state_of(ID), "offered", "what is held stays in force");
    service.kill();
    // Not even where the state of the folder is gone.
    fs::remove_dir_all(share.site.state().join("held")).unwrap();
    assert_eq!(share.site.refused(&["poll"], 5)["code"], "share-missing");
    assert_eq!(share.site.state_of("BP0000X"), "absent");
    fs::rename(&hidden, &index).unwrap();
    assert_eq!(share.polled(JOB), "good");
}

#[test]
fn an_instruction_file_planted_where_the_index_is_gone_runs_nothing_and_all_views_say_why() {
    use super::common::Request;
    for mut share in [Some(Indexed::by_permissions()), Indexed::signed()].into_iter().flatten() {
        let job = share.job().later();
        share.publish(&[job]);
        if share.signed {
            share.enrol();
        }
        assert_eq!(share.polled(JOB), "good");
        fs::remove_file(share.site.share().join("PCM.INDEX")).unwrap();
        // Of a higher serial and due long since; in mode signed by the keys that count, the package as well.
        let request = Request::due("BP0000X").set("content_sha256", format!("\"{}\"", share.content()));
        for _ in 0..9 {
            share.site.instructions(&[]);
        }
        let mut text = share.site.instructions(&[request]);
        if share.signed {
            let package = share.site.share().join("packages/BP00000A");
            for name in ["package.toml", "package.toml.sig"] {
                fs::copy(package.join("1").join(name), package.join(name)).unwrap();
            }
            let head = format!(
                "kind = \"instructions\"\nsite_id = \"{}\"\nepoch = 3\nissued = {}\nvalid_until = {}",
                share.site_id(),
                stamp(now() - seconds(60)),
                stamp(now() + seconds(86_400)),
            );
            text =
                share.sign("publish", "pcm-publish", &text.replace("issued = 2026-11-01T00:00:00Z", &head));
        }
        share.site.publish_text(&text);
        let told = share.site.refused(&["poll"], 5);
        assert_eq!(told["code"], "share-missing", "{told}");
        let before = share.site.log().matches("its index is gone").count();
        let service = share.site.service();
        wait_for("it looked", || share.site.log().matches("its index is gone").count() > before);
        let status = share.site.json_of(&["status"]);
        let problems = status["problems"].as_array().unwrap();
        let gone = problems.iter().find(|problem| problem["code"] == "share-missing").unwrap();
        assert!(gone["message"].as_str().unwrap().contains("its index is gone"), "{status}");
        assert!(
            share.evidence(JOB, "source").contains("its index is gone"),
            "{}",
            share.evidence(JOB, "source")
        );
        assert_eq!(share.site.refused(&["explain", "BP0000X"], 4)["code"], "no-such-request");
        assert_eq!(share.site.refused(&["run", "BP0000X"], 4)["code"], "no-such-request");
        assert_eq!(share.site.state_of(ID), "offered", "what is held stays in force");
        service.kill();
        assert_eq!(share.site.ran("ran"), 0);
        // A machine that never saw an index takes what is there: it was good.
        fs::remove_dir_all(share.site.state()).unwrap();
        fs::remove_file(share.site.path("etc/pcm.mark")).unwrap();
        assert_ne!(share.site.state_of("BP0000X"), "absent");
    }
}

#[test]
fn an_older_index_is_never_taken_and_of_one_serial_only_the_one_that_was_seen() {
    for mut share in [Some(Indexed::by_permissions()), Indexed::signed()].into_iter().flatten() {
        if share.signed {
            let job = share.job();
            share.publish(&[job]);
            share.enrol();
        }
        let job = share.job().later();
        let first = share.publish(std::slice::from_ref(&job));
        assert_eq!(share.polled(JOB), "good");
        let cancelled = share.publish(&[job.clone().state("cancelled")]);
        assert_eq!(share.polled(JOB), "cancelled");
        share.place(&first);
        assert_eq!(share.polled(JOB), "rollback");
        assert_eq!(share.site.state_of(ID), "not-applicable", "what was cancelled stays cancelled");
        // The same serial, and other words.
        let head = Head { serial: share.serial, ..share.head() };
        share.serial -= 1;
        let head = Head { serial: share.serial, ..head };
        let again = share.parts(&head, std::slice::from_ref(&job));
        let again = share.sign("publish", "pcm-publish", &again);
        share.place(&again);
        assert_eq!(share.polled(JOB), "rollback");
        share.place(&cancelled);
        assert_eq!(share.polled(JOB), "cancelled");
        // A service that starts on a share that is of yesterday.
        share.place(&first);
        let service = share.site.service();
        wait_for("it looked", || share.site.log().contains("rollback"));
        assert_eq!(share.site.state_of(ID), "not-applicable");
        service.kill();
        assert_eq!(share.site.ran("ran"), 0);
    }
}

#[test]
fn an_index_that_somebody_touched_is_never_taken() {
    let Some(mut share) = Indexed::signed() else { return };
    let good = share.job().later();
    share.publish(std::slice::from_ref(&good));
    share.enrol();
    assert_eq!(share.polled(JOB), "good");
    let other = share.other().later();
    let both = [good, other];
    let mut tried = |name: &str, code: &str, make: &dyn Fn(&Indexed, Head) -> String| {
        let head = share.head();
        let text = make(&share, head);
        share.place(&text);
        assert_eq!(share.polled(OTHER_JOB), code, "{name}");
        assert!(share.site.request(OTHER_ID).is_none(), "{name}");
        assert_eq!(share.site.state_of(ID), "offered", "{name}: what was believed stays");
    };
    let publish = |s: &Indexed, text: &str| s.sign("publish", "pcm-publish", text);
    tried("no signature", "unsigned", &|s, h| s.parts(&h, &both));
    tried("another key", "bad-signature", &|s, h| s.sign("stranger", "pcm-publish", &s.parts(&h, &both)));
    tried("the package's key", "bad-signature", &|s, h| {
        s.sign("package", "pcm-publish", &s.parts(&h, &both))
    });
    tried("the trust key", "bad-signature", &|s, h| s.sign("root", "pcm-publish", &s.parts(&h, &both)));
    tried("another purpose", "bad-signature", &|s, h| s.sign("publish", "pcm-package", &s.parts(&h, &both)));
    tried("altered", "bad-signature", &|s, h| {
        publish(s, &s.parts(&h, &both)).replace("percent = 100", "percent = 99")
    });
    tried("a table after it", "bad-signature", &|s, h| publish(s, &s.parts(&h, &both)) + "[more]\n");
    tried("two signatures", "bad-signature", &|s, h| {
        let text = s.parts(&h, &both);
        let once = publish(s, &text);
        let block = once.strip_prefix(&text).unwrap().to_owned();
        once + &block
    });
    tried("CRLF", "bad-signature", &|s, h| publish(s, &s.parts(&h, &both)).replace('\n', "\r\n"));
    tried("another site", "bad-signature", &|s, h| {
        publish(s, &s.parts(&Head { site_id: "aaaaaaaaaaaaaaaa".into(), ..h }, &both))
    });
    tried("another kind", "malformed", &|s, h| {
        publish(s, &s.parts(&h, &both).replace("kind = \"index\"", "kind = \"instructions\""))
    });
    tried("a key of a newer pcm", "malformed", &|s, h| {
        publish(s, &s.parts(&h, &both).replace("format = 1\n", "format = 1\ntomorrow = 1\n"))
    });
    tried("cut off", "malformed", &|s, h| {
        let text = s.parts(&h, &both);
        publish(s, &text[..text.find("[end]").unwrap()])
    });
    tried("an older list", "rollback", &|s, h| publish(s, &s.parts(&Head { epoch: 2, ..h }, &both)));
    tried("a list of the future", "bad-signature", &|s, h| {
        publish(s, &s.parts(&Head { epoch: 4, ..h }, &both))
    });
    tried("a lower serial", "rollback", &|s, h| publish(s, &s.parts(&Head { serial: 1, ..h }, &both)));
    tried("valid for a year", "malformed", &|s, h| {
        publish(s, &s.parts(&Head { valid_until: stamp(now() + seconds(365 * 86_400)), ..h }, &both))
    });
    tried("no end", "malformed", &|s, h| {
        let text = s.parts(&h, &both);
        let line = text.lines().find(|line| line.starts_with("valid_until")).unwrap();
        publish(s, &text.replace(&format!("{line}\n"), ""))
    });
    tried("issued in 2100", "issued-ahead", &|s, h| {
        let far =
            Head { issued: "2100-01-01T00:00:00Z".into(), valid_until: "2100-01-02T00:00:00Z".into(), ..h };
        publish(s, &s.parts(&far, &both))
    });
}

#[test]
fn a_part_that_cannot_be_had_or_was_swapped_closes_what_it_names_alone() {
    let Some(mut share) = Indexed::signed() else { return };
    let (job, other) = (share.job().later(), share.other().later());
    share.publish(&[job.clone(), other.clone()]);
    share.enrol();
    assert_eq!((share.polled(JOB), share.polled(OTHER_JOB)), ("good".into(), "good".into()));
    // A new revision that cannot be read: not run in the older one, and its neighbour is not touched.
    let newer = job.clone().revision(2).set("offer_after", "2026-11-02T00:00:00Z");
    share.publish(&[newer.clone(), other.clone()]);
    let file = share.site.share().join("jobs/BP0000AA.2.toml");
    let good = fs::read(&file).unwrap();
    fs::remove_file(&file).unwrap();
    assert_eq!(share.polled(JOB), "malformed");
    assert!(
        share.evidence(JOB, "record").contains("revision 2 cannot be read"),
        "{}",
        share.evidence(JOB, "record")
    );
    let list = share.site.json(&["list", "--all"]);
    let rejected = list["requests"].as_array().unwrap().iter().find(|r| r["job_id"] == JOB).unwrap();
    assert_eq!(rejected["state"], "rejected", "{rejected}");
    assert_eq!(share.site.state_of(OTHER_ID), "offered");
    let problems = share.site.json_of(&["status"])["problems"].to_string();
    assert!(problems.contains("jobs/BP0000AA.2.toml"), "{problems}");
    // One job in the place of another, or altered.
    for swapped in [other.text(), newer.text().replace("@web", "@all")] {
        write(&file, swapped.as_bytes());
        assert_eq!(share.polled(JOB), "malformed");
        assert!(share.evidence(JOB, "record").contains("not those that the index names"));
        assert_eq!(share.site.state_of(OTHER_ID), "offered");
    }
    write(&file, &good);
    assert_eq!(share.polled(JOB), "good", "it is tried again at each poll");
    // Members: the held line stays.
    let (web, db) = (share.members.clone(), format!("{MACHINE} web-01 - db\n"));
    share.members = db;
    share.publish(&[newer.clone(), other.clone()]);
    let part = share.site.share().join(format!("members/all.{}", share.serial));
    fs::write(&part, &web).unwrap();
    let service = share.site.service();
    wait_for("the index is in force", || share.site.json(&["list"])["serial"] == share.serial);
    assert_eq!(share.site.state_of(ID), "offered", "its groups are those of before");
    assert!(share.site.json_of(&["status"])["problems"].to_string().contains("members/all."));
    fs::write(&part, &share.members).unwrap();
    wait_for("the list is read", || share.site.state_of(ID) == "absent");
    service.kill();
    assert_eq!(share.polled(JOB), "not-targeted");
    // A package in the place of another one.
    share.members = web;
    share.package(2, "");
    let newest = newer.revision(3).set("release", "2");
    share.publish(&[newest, other.clone()]);
    assert_eq!(
        share.polled(JOB),
        "package-mismatch",
        "the definition of release 2 is not the one that the job names"
    );
    assert_eq!(share.site.state_of(OTHER_ID), "offered");
    // A job that the index does not list is none.
    write(
        &share.site.share().join("jobs/BP0000AC.1.toml"),
        other.text().replace(OTHER_JOB, "BP0000AC").as_bytes(),
    );
    assert_eq!(share.polled("BP0000AC"), "no-such-job");
    assert_eq!(share.site.ran("ran"), 0);
}

#[test]
fn what_was_replaced_stays_replaced_though_the_file_of_the_newer_job_is_lost() {
    let mut share = Indexed::by_permissions();
    let newer = share.other().set("supersedes", format!("[\"{JOB}\"]"));
    share.publish(&[share.job().later(), newer.clone()]);
    let service = share.site.service();
    share.site.wait_state(OTHER_ID, "succeeded");
    service.kill();
    // The old one would be due now; nobody can read the newest file of the one in whose place it was.
    let due = share.job().revision(2);
    share.publish(&[due.clone(), newer.clone().revision(2)]);
    fs::remove_file(share.site.share().join("jobs/BP0000AB.2.toml")).unwrap();
    let service = share.site.service();
    wait_for("it looked", || share.site.json(&["list"])["serial"] == share.serial);
    assert_eq!(share.polled(JOB), "superseded", "{}", share.evidence(JOB, "job"));
    service.kill();
    // After a restart, with another one that is not understood.
    share.publish(&[due, newer.revision(3).set("tomorrow", "1")]);
    let _service = share.site.service();
    wait_for("it looked", || share.site.json(&["list"])["serial"] == share.serial);
    assert_eq!((share.polled(JOB), share.polled(OTHER_JOB)), ("superseded".into(), "malformed".into()));
    assert!(share.evidence(JOB, "job").contains("job BP0000AB replaces job BP0000AA"));
    assert_eq!(share.site.ran("ran"), 1);
}

#[test]
fn a_publisher_cannot_change_what_a_package_runs_nor_how() {
    for mut share in [Some(Indexed::by_permissions()), Indexed::signed()].into_iter().flatten() {
        let job = share.job().later();
        share.publish(std::slice::from_ref(&job));
        if share.signed {
            share.enrol();
        }
        assert_eq!(share.polled(JOB), "good");
        let mut revision = 1;
        for (key, value, code) in [
            ("package", "\"Other\"", "package-mismatch"),
            ("version", "\"5.0\"", "package-mismatch"),
            ("command", "\"Other\"", "package-mismatch"),
            ("command_line", "\"setup.sh --wipe\"", "package-mismatch"),
            ("content_sha256", "", "package-mismatch"),
            (
                "content_sha256",
                "\"0000000000000000000000000000000000000000000000000000000000000000\"",
                "package-mismatch",
            ),
            ("automated", "false", "contradiction"),
            ("background", "false", "package-mismatch"),
            ("platforms", "[\"linux-x86_64\"]", "package-mismatch"),
            ("run_when", "\"no-user\"", "package-mismatch"),
            ("max_run_time", "\"23h\"", "package-mismatch"),
            ("restarts", "\"pcm\"", "package-mismatch"),
            ("disk_space", "\"1 B\"", "package-mismatch"),
            ("removes", "true", "package-mismatch"),
            ("exit_codes", "\"1\" = \"success\"\n", "package-mismatch"),
            ("release", "2", "package-mismatch"),
            ("package_id", "\"BP00000B\"", "package-mismatch"),
            (
                "package_sha256",
                "\"0000000000000000000000000000000000000000000000000000000000000000\"",
                "unsigned",
            ),
            ("ignore_windows", "true", "malformed"),
            ("site_id", "\"aaaaaaaaaaaaaaaa\"", "malformed"),
            ("job_id", "\"BP0000AC\"", "malformed"),
            ("revision", "77", "malformed"),
            ("tomorrow", "1", "malformed"),
            ("max_run_time", "", "malformed"),
        ] {
            revision += 1;
            let changed = job.clone().revision(revision).set(key, value);
            share.publish(&[changed]);
            assert_eq!(share.polled(JOB), code, "{key} = {value}");
        }
        // Two jobs with one request: both are refused.
        let twin = share.other().later().set("request_id", format!("\"{ID}\""));
        share.publish(&[job.clone(), twin]);
        assert_eq!((share.polled(JOB), share.polled(OTHER_JOB)), ("duplicate".into(), "duplicate".into()));
        // What the signer bounds.
        let bound = share.package(2, "where = 'group == \"retired\"'");
        let bounded =
            job.clone().revision(90).set("release", "2").set("package_sha256", format!("\"{bound}\""));
        share.publish(&[bounded]);
        assert_eq!(share.polled(JOB), "not-targeted");
        assert!(share.evidence(JOB, "target").contains("group == \"retired\""));
        let needs = share.package(3, "depends_on = [\"BP00000B\"]");
        let needing =
            job.clone().revision(91).set("release", "3").set("package_sha256", format!("\"{needs}\""));
        share.publish(&[needing]);
        assert_eq!(share.polled(JOB), "dependency");
        if share.signed {
            for (key, code) in
                [("publish", "bad-signature"), ("stranger", "bad-signature"), ("package", "good")]
            {
                let hash = share.package_by(key, 4, "");
                revision += 1;
                let by = job
                    .clone()
                    .revision(100 + revision)
                    .set("release", "4")
                    .set("package_sha256", format!("\"{hash}\""));
                share.publish(&[by]);
                assert_eq!(share.polled(JOB), code, "{key}");
            }
            share.trust(&["withdraw", "BP00000A", "--below", "5"]);
            share.copy_lists();
            assert_eq!(share.polled(JOB), "rollback", "a new list begins a new epoch");
            let hash = share.package(4, "");
            let withdrawn =
                job.clone().revision(200).set("release", "4").set("package_sha256", format!("\"{hash}\""));
            let head = Head { epoch: 4, ..share.head() };
            let text = share.parts(&head, &[withdrawn]);
            let text = share.sign("publish", "pcm-publish", &text);
            share.place(&text);
            assert_eq!(share.polled(JOB), "package-withdrawn");
        }
        assert_eq!(share.site.ran("ran"), 0);
    }
}

#[test]
fn two_jobs_with_one_request_are_both_refused_also_where_the_file_of_one_cannot_be_read() {
    let mut share = Indexed::by_permissions();
    let job = share.job();
    let twin = share.other().set("request_id", format!("\"{ID}\""));
    share.publish(&[job.clone(), twin.clone()]);
    assert_eq!((share.polled(JOB), share.polled(OTHER_JOB)), ("duplicate".into(), "duplicate".into()));
    // Every poll of this test is a restart.
    share.publish(&[job.clone(), twin.clone().revision(2)]);
    fs::remove_file(share.site.share().join("jobs/BP0000AB.2.toml")).unwrap();
    assert_eq!((share.polled(JOB), share.polled(OTHER_JOB)), ("duplicate".into(), "malformed".into()));
    let list = share.site.json(&["list", "--all"]);
    let both = list["requests"].as_array().unwrap().iter().filter(|r| r["request_id"] == ID);
    assert!(
        both.clone().count() == 2 && both.clone().all(|r| r["problems"].to_string().contains("duplicate")),
        "{list}"
    );
    let service = share.site.service();
    wait_for("it looked", || share.site.log().contains("Packages before filter: 2"));
    assert_eq!(share.site.state_of(ID), "rejected");
    service.kill();
    // It was never read, and says nothing that this pcm understands but whose request it is.
    let newer = Job { id: "BP0000AC".into(), ..twin.set("job_id", "\"BP0000AC\"").set("tomorrow", "1") };
    share.publish(&[job.clone(), newer]);
    assert_eq!((share.polled(JOB), share.polled("BP0000AC")), ("duplicate".into(), "malformed".into()));
    share.publish(&[job]);
    assert_eq!(share.polled(JOB), "good");
    assert_eq!(share.site.ran("ran"), 0);
}

#[test]
fn a_rejected_job_that_is_for_others_or_was_cancelled_is_told_alike_by_all_views() {
    let mut share = Indexed::by_permissions();
    let headline = |share: &Indexed, job: &str| {
        let doc = share.site.json(&["explain", job]);
        (doc["state"].as_str().unwrap().to_owned(), doc["why"].as_str().unwrap().to_owned())
    };
    let own = |share: &Indexed| {
        let list = share.site.json(&["list", "--all"]);
        let all = list["requests"].as_array().unwrap().iter();
        all.map(|r| (r["job_id"].as_str().unwrap().to_owned(), r["state"].as_str().unwrap().to_owned()))
            .collect::<Vec<_>>()
    };
    // Of the wrong revision, not what its package says, and with the request of another job: each for others.
    let db = |job: Job| job.to("[\"@db\"]");
    let wrong = db(share.other()).set("revision", "7");
    let third = db(share.job())
        .set("job_id", "\"BP0000AC\"")
        .set("where", "\"host == \\\"db*\\\"\"")
        .to("[\"@web\"]");
    let third = third.set("request_id", "\"BP0000X\"").set("version", "\"5.0\"");
    let fourth = db(share.job()).set("job_id", "\"BP0000AD\"");
    let jobs = [
        share.job().later(),
        wrong,
        Job { id: "BP0000AC".into(), ..third },
        Job { id: "BP0000AD".into(), ..fourth },
    ];
    share.publish(&jobs);
    for job in [OTHER_JOB, "BP0000AC", "BP0000AD"] {
        assert_eq!(share.polled(job), "not-targeted", "{job}");
        assert_eq!(headline(&share, job), ("not-applicable".into(), "not for this machine".into()), "{job}");
    }
    assert_eq!(own(&share), [(JOB.to_owned(), "rejected".to_owned())], "its request is that of another job");
    // Cancelled, and nobody can read it.
    share.publish(&[jobs[0].clone().revision(2).state("cancelled")]);
    fs::remove_file(share.site.share().join("jobs/BP0000AA.2.toml")).unwrap();
    assert_eq!(share.site.json(&["poll"])["serial"], share.serial);
    assert_eq!(headline(&share, JOB), ("not-applicable".into(), "cancelled".into()));
    assert_eq!(own(&share), [(JOB.to_owned(), "not-applicable".to_owned())]);
    assert!(share.site.json_of(&["status"])["counts"]["rejected"].is_null());
}

#[test]
fn nothing_is_copied_for_what_is_not_believed() {
    for mut share in [Some(Indexed::by_permissions()), Indexed::signed()].into_iter().flatten() {
        let job = share.job().later();
        let hash = share.content();
        let staged = |share: &Indexed| share.site.state().join("stage").join(&hash).exists();
        let (mut wrong, mut code) =
            (job.clone().set("exit_codes", "\"1\" = \"success\"\n"), "package-mismatch");
        if share.signed {
            let package = share.package_by("stranger", 2, "");
            wrong = job.clone().set("release", "2").set("package_sha256", format!("\"{package}\""));
            code = "bad-signature";
        }
        share.publish(&[wrong]);
        if share.signed {
            share.enrol();
        }
        assert_eq!(share.polled(JOB), code);
        assert!(!staged(&share), "{code}");
        share.publish(&[job.revision(2)]);
        assert_eq!(share.polled(JOB), "good");
        assert!(staged(&share));
    }
}

#[test]
fn a_part_that_one_share_is_missing_comes_from_another_one() {
    for mut share in [Some(Indexed::by_permissions()), Indexed::signed()].into_iter().flatten() {
        let job = share.job().later();
        share.publish(std::slice::from_ref(&job));
        if share.signed {
            share.enrol();
        }
        let (newest, lags) = (share.site.share(), share.site.path("lags"));
        assert!(Command::new("cp").arg("-rp").args([&newest, &lags]).status().unwrap().success());
        let config = fs::read_to_string(share.site.config()).unwrap();
        let one = format!("shares = [{newest:?}]");
        let two = format!("shares = [{newest:?}, {lags:?}]");
        write(&share.site.config(), config.replace(&one, &two).as_bytes());
        // Both have the index, and each lacks something of it.
        fs::remove_file(newest.join("jobs/BP0000AA.1.toml")).unwrap();
        fs::remove_file(lags.join("members/all.1")).unwrap();
        assert_eq!(share.polled(JOB), "good");
        // One has the newest index and the other one is about to get it.
        let newer = job.revision(2).set("offer_after", "2026-11-02T00:00:00Z");
        share.publish(&[newer]);
        let part = |root: &Path| root.join("jobs/BP0000AA.2.toml");
        fs::rename(part(&newest), part(&lags)).unwrap();
        // The poll finds that it is missing, and the look of the view after it asks everybody.
        assert_eq!(share.polled(JOB), "good");
    }
}

#[test]
fn the_line_of_a_machine_that_is_held_outlives_a_restart_while_the_share_is_away() {
    for mut share in [Some(Indexed::by_permissions()), Indexed::signed()].into_iter().flatten() {
        let job = share.job().later();
        share.publish(std::slice::from_ref(&job));
        if share.signed {
            share.enrol();
        }
        assert_eq!(share.polled(JOB), "good");
        let unread = |share: &mut Indexed| {
            share.members = format!("{MACHINE} web-01 - db\n");
            share.publish(std::slice::from_ref(&job));
            let part = share.site.share().join(format!("members/all.{}", share.serial));
            fs::rename(&part, part.with_extension("hidden")).unwrap();
            share.polled(JOB)
        };
        // Twice: the line is that of the last list that could be read.
        assert_eq!((unread(&mut share), unread(&mut share)), ("good".into(), "good".into()));
        let away = share.site.path("away");
        fs::rename(share.site.share(), &away).unwrap();
        assert_eq!(share.site.state_of(ID), "offered");
        assert!(share.evidence(JOB, "target").starts_with("for @web"));
        let current = fs::read_to_string(share.site.state().join("held/current")).unwrap();
        let parts = share.site.state().join("held").join(current.trim()).join("PARTS");
        let good = fs::read_to_string(&parts).unwrap();
        // Nobody can make another line of it.
        fs::write(&parts, good.replace(" - web", " - any")).unwrap();
        let target = share.evidence(JOB, "target");
        assert!(target.contains("the groups of this machine are not known"), "{target}");
        fs::write(&parts, good).unwrap();
        fs::rename(&away, share.site.share()).unwrap();
        let part = share.site.share().join(format!("members/all.{}", share.serial));
        fs::rename(part.with_extension("hidden"), &part).unwrap();
        assert_eq!(share.polled(JOB), "not-targeted", "it is tried again at each poll");
    }
}

#[test]
fn a_release_below_one_that_ran_does_not_run() {
    let mut share = Indexed::by_permissions();
    let hash = share.package(2, "");
    let newer = share.job().set("release", "2").set("package_sha256", format!("\"{hash}\""));
    share.publish(std::slice::from_ref(&newer));
    let _service = share.site.service();
    share.site.wait_state(ID, "succeeded");
    let older = share.other();
    share.publish(&[newer, older]);
    share.site.wait_state(OTHER_ID, "rejected");
    assert!(share.evidence(OTHER_JOB, "trust").contains("release 1 of BP00000A is below 2"));
    assert_eq!(share.site.ran("ran"), 1);
}

#[test]
fn cancelling_suspending_and_phases_count_at_once() {
    let mut share = Indexed::by_permissions();
    let job = share.job().later();
    share.publish(&[job.clone().percent("0")]);
    let _service = share.site.service();
    share.site.wait_state(ID, "scheduled");
    let phase = share.evidence(JOB, "target");
    assert!(phase.contains("has reached 0 % of its machines"), "{phase}");
    share.publish(&[job.clone().percent("0.01")]);
    share.publish(std::slice::from_ref(&job));
    share.site.wait_state(ID, "offered");
    share.publish(&[job.clone().state("suspended")]);
    wait_for("it is suspended", || {
        share.site.request(ID).is_some_and(|r| r["blocked_by"].to_string().contains("suspended"))
    });
    share.publish(&[job.clone().state("cancelled")]);
    share.site.wait_state(ID, "not-applicable");
    assert_eq!(share.site.refused(&["run", ID], 3)["code"], "cancelled");
    assert_eq!(share.site.ran("ran"), 0);
}

#[test]
fn what_an_index_cancelled_once_never_runs_whatever_a_later_one_says() {
    for mut share in [Some(Indexed::by_permissions()), Indexed::signed()].into_iter().flatten() {
        // Nobody can read its file while it is cancelled.
        let (job, other) = (share.job(), share.other());
        share.publish(&[job.clone().state("cancelled"), other.clone().state("cancelled")]);
        let file = share.site.share().join("jobs/BP0000AB.1.toml");
        let bytes = fs::read(&file).unwrap();
        fs::remove_file(&file).unwrap();
        if share.signed {
            share.enrol();
        }
        let service = share.site.service();
        share.site.wait_state(ID, "not-applicable");
        share.publish(&[job.clone(), other.clone()]);
        wait_for("the newer index is in force", || share.site.json(&["list"])["serial"] == share.serial);
        assert_eq!(
            (share.site.state_of(ID), share.site.state_of(OTHER_ID)),
            ("not-applicable".into(), "not-applicable".into())
        );
        service.kill();
        // After a restart, and where what is held is gone.
        fs::remove_dir_all(share.site.state().join("held")).unwrap();
        write(&file, &bytes);
        share.publish(&[job, other]);
        let service = share.site.service();
        wait_for("the newest index is in force", || share.site.json(&["list"])["serial"] == share.serial);
        for job in [JOB, OTHER_JOB] {
            assert_eq!(share.polled(job), "cancelled");
            assert!(
                share.evidence(job, "job").contains("before, which is final"),
                "{}",
                share.evidence(job, "job")
            );
        }
        assert_eq!(share.site.refused(&["run", ID], 3)["code"], "cancelled");
        // A new job is the way back.
        let again = share.job().set("job_id", "\"BP0000AC\"").set("request_id", "\"BP0000X\"");
        share.publish(&[Job { id: "BP0000AC".into(), ..again }]);
        share.site.wait_state("BP0000X", "succeeded");
        service.kill();
        assert_eq!(share.site.ran("ran"), 1);
    }
}

#[test]
fn policies_of_groups_only_close_and_one_that_cannot_be_read_closes_everything() {
    let mut share = Indexed::by_permissions();
    let job = share.job();
    let until = stamp(now() + seconds(7_200));
    share.policies = vec![
        (
            "web".into(),
            1,
            format!("[[freeze]]\nfrom = 2026-11-01T00:00:00Z\nuntil = {until}\nreason = \"audit\"\n"),
        ),
        ("db".into(), 1, "[windows]\nweekly = [\"nonsense\"]\n".into()),
    ];
    share.publish(std::slice::from_ref(&job));
    let _service = share.site.service();
    share.site.wait_blocked(ID, &["frozen"]);
    assert!(share.evidence(JOB, "hold").starts_with("group web is frozen until"));
    assert_eq!(share.site.json_of(&["status"])["frozen_until"], until);
    // Of a group that this machine is not in nothing counts.
    assert!(share.evidence(JOB, "policy").contains("policies of groups: web"));
    share.policies[0] = ("web".into(), 2, "spread = \"1s\"\n".into());
    share.policies.push(("all".into(), 1, "polling_interval = \"5m\"\n".into()));
    let head = share.head();
    let text = share.parts(&head, std::slice::from_ref(&job));
    fs::remove_file(share.site.share().join("policy/web.2.toml")).unwrap();
    share.place(&text);
    share.site.wait_blocked(ID, &["policy-unreadable"]);
    assert!(share.evidence(JOB, "policy").contains("policy/web.2.toml"), "{}", share.evidence(JOB, "policy"));
    assert_eq!(share.site.ran("ran"), 0);
    share.parts(&head, std::slice::from_ref(&job));
    share.site.wait_state(ID, "succeeded");
}

#[test]
fn what_a_signer_says_of_windows_counts_where_the_machine_lets_it_and_a_freeze_never_yields() {
    for mut share in [Some(Indexed::by_permissions()), Indexed::signed()].into_iter().flatten() {
        let other = (now() + chrono::TimeDelta::days(3)).format("%a").to_string();
        let config = fs::read_to_string(share.site.config()).unwrap();
        let closed = format!("\n[windows]\nweekly = [\"{other} 03:00-05:00\"]\nzone = \"UTC\"\n");
        let config = config + &closed;
        write(&share.site.config(), config.as_bytes());
        let until = stamp(now() + seconds(7_200));
        let freeze = format!("[[freeze]]\nfrom = 2026-11-01T00:00:00Z\nuntil = {until}\n");
        share.policies = vec![("web".into(), 1, freeze)];
        let hash = share.package(2, "ignore_windows = true");
        let job = share.job().set("release", "2").set("package_sha256", format!("\"{hash}\""));
        share.publish(std::slice::from_ref(&job));
        if share.signed {
            share.enrol();
        }
        let service = share.site.service();
        share.site.wait_blocked(ID, &["frozen", "window-closed"]);
        service.kill();
        let config = config.replace("[trust]\n", "[trust]\npackage_ignore_windows = true\n");
        write(&share.site.config(), config.as_bytes());
        let _service = share.site.service();
        share.site.wait_blocked(ID, &["frozen"]);
        assert_eq!(share.site.ran("ran"), 0);
        share.policies.clear();
        share.publish(&[job]);
        share.site.wait_state(ID, "succeeded");
    }
}

#[test]
fn an_idle_poll_reads_the_index_alone() {
    let mut share = Indexed::by_permissions();
    share.policies = vec![("web".into(), 1, "spread = \"1s\"\n".into())];
    let jobs = [share.job().later(), share.other().to("[\"@db\"]")];
    share.publish(&jobs);
    assert_eq!(share.polled(JOB), "good");
    for folder in ["jobs", "members", "policy", "packages", "content", "pcmins.box"] {
        fs::remove_dir_all(share.site.share().join(folder)).unwrap();
    }
    fs::remove_file(share.site.share().join("PCM.SITE")).unwrap();
    assert_eq!((share.polled(JOB), share.polled(OTHER_JOB)), ("good".into(), "not-targeted".into()));
    let problems = share.site.json_of(&["status"])["problems"].to_string();
    assert!(!problems.contains("cannot be read") && !problems.contains("jobs/"), "{problems}");
    let list = share.site.json(&["list"]);
    assert_eq!((list["epoch"].as_u64(), list["serial"].as_u64()), (Some(0), Some(1)), "{list}");
    assert!(list["index_issued"].is_string() && list["valid_until"].is_string(), "{list}");
    let request = &list["requests"][0];
    assert_eq!((&request["revision"], &request["release"]), (&1.into(), &1.into()), "{request}");
    assert_eq!(request["phase_percent"].as_f64(), Some(100.0), "{request}");
    let trust = &share.site.json_of(&["status"])["trust"];
    assert_eq!(
        (trust["mode"].as_str(), &trust["highest"]),
        (Some("permissions"), &serde_json::json!([0, 1])),
        "{trust}"
    );
}

#[test]
fn a_clock_is_not_earlier_than_the_index_in_force_was_published() {
    let mut share = Indexed::by_permissions();
    let job = share.job();
    let head = Head { issued: stamp(now() + seconds(7_200)), ..share.head() };
    let text = share.parts(&head, &[job]);
    share.place(&text);
    let service = share.site.service();
    share.site.wait_blocked(ID, &["clock-suspect"]);
    let clock = share.evidence(JOB, "clock");
    assert!(clock.contains("behind the time when what is in force was published"), "{clock}");
    // Also by what is held, while the share is away.
    service.kill();
    fs::rename(share.site.share(), share.site.path("away")).unwrap();
    let _service = share.site.service();
    share.site.wait_blocked(ID, &["clock-suspect"]);
    assert_eq!(share.site.ran("ran"), 0);
}

#[test]
fn what_is_announced_does_not_start_once_it_is_cancelled() {
    let mut share = Indexed::by_permissions();
    let job = share.job();
    share.policies = vec![("all".into(), 1, "countdown = \"1h\"\n".into())];
    share.publish(std::slice::from_ref(&job));
    let _service = share.site.service();
    share.site.wait_state(ID, "countdown");
    share.publish(&[job.state("cancelled")]);
    share.site.wait_state(ID, "not-applicable");
    assert_eq!(share.site.ran("ran"), 0);
}

#[test]
fn a_machine_is_enrolled_by_its_host_name_and_check_sees_it_in_the_list() {
    let mut share = Indexed::by_permissions();
    let host = String::from_utf8(Command::new("uname").arg("-n").output().unwrap().stdout).unwrap();
    share.members = format!("BP004000 other - \nBP004001 {} - web\n", host.trim().to_uppercase())
        .replace(" - \n", " -\n");
    let job = share.job().later();
    share.publish(std::slice::from_ref(&job));
    let init = |name: &str, more: &[&str]| {
        let mut init = Command::new(env!("CARGO_BIN_EXE_pcm"));
        init.arg("--config").arg(share.site.path(name).join("pcm.toml"));
        init.arg("--state").arg(share.site.path(name).join("state")).arg("--share").arg(share.site.share());
        init.args(["init", "--trust", "permissions", "--json"]).args(more).env("TZ", "UTC").output().unwrap()
    };
    let done = init("new", &[]);
    assert!(done.status.success(), "{done:?}");
    let doc: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(doc["machine"], "BP004001", "{doc}");
    let stranger = init("stranger", &["--machine", "BP009000"]);
    assert_eq!(stranger.status.code(), Some(4), "{stranger:?}");
    let told: Value = serde_json::from_slice(&stranger.stderr).unwrap();
    assert_eq!(told["error"]["code"], "no-such-machine");
    assert!(told["error"]["message"].as_str().unwrap().contains("BP004001"), "{told}");
    assert!(!share.site.path("stranger").exists(), "nothing was changed");
    // The checklist of the machine of this test, which is in no group.
    assert_eq!(share.polled(JOB), "not-targeted");
    let item = |share: &Indexed, name: &str| {
        let check = share.site.json_of(&["check"]);
        check["items"].as_array().unwrap().iter().find(|item| item["item"] == name).unwrap().clone()
    };
    assert!(
        item(&share, "in-members")["evidence"].as_str().unwrap().contains("in no group"),
        "{}",
        item(&share, "in-members")
    );
    assert_eq!(item(&share, "serial")["verdict"], "pass", "{}", item(&share, "serial"));
    assert_eq!(item(&share, "parts-readable")["verdict"], "pass", "{}", item(&share, "parts-readable"));
    fs::remove_file(share.site.share().join("jobs/BP0000AA.1.toml")).unwrap();
    assert_eq!(item(&share, "parts-readable")["verdict"], "block", "{}", item(&share, "parts-readable"));
    share.members = "BP004001 other - web\n".into();
    share.publish(&[job]);
    assert_eq!(item(&share, "in-members")["verdict"], "block", "{}", item(&share, "in-members"));
}

#[test]
fn a_machine_takes_its_id_from_no_share_that_others_can_write_and_goes_on_to_the_next() {
    use std::os::unix::fs::PermissionsExt;
    let mut share = Indexed::by_permissions();
    let host = String::from_utf8(Command::new("uname").arg("-n").output().unwrap().stdout).unwrap();
    let listed = |id: &str| format!("{id} {} - web\n", host.trim());
    share.members = listed("BP004666");
    let job = share.job().later();
    share.publish(std::slice::from_ref(&job));
    let (good, loose, broken) = (share.site.share(), share.site.path("loose"), share.site.path("broken"));
    for copy in [&loose, &broken] {
        assert!(Command::new("cp").arg("-rp").args([&good, copy]).status().unwrap().success());
    }
    fs::set_permissions(loose.join("PCM.INDEX"), fs::Permissions::from_mode(0o666)).unwrap();
    write(&broken.join("PCM.INDEX"), b"nonsense");
    let init = |site: &Site, name: &str, shares: &[&Path]| {
        let mut init = Command::new(env!("CARGO_BIN_EXE_pcm"));
        init.arg("--config").arg(site.path(name).join("pcm.toml"));
        init.arg("--state").arg(site.path(name).join("state"));
        for share in shares {
            init.arg("--share").arg(share);
        }
        init.args(["init", "--trust", "permissions", "--json"]).env("TZ", "UTC").output().unwrap()
    };
    let refused = init(&share.site, "refused", &[&loose]);
    assert_eq!(refused.status.code(), Some(3), "{refused:?}");
    let told: Value = serde_json::from_slice(&refused.stderr).unwrap();
    assert_eq!(told["error"]["code"], "loose-permissions", "{told}");
    assert!(!share.site.path("refused").exists(), "nothing was changed");
    share.members = listed("BP004001");
    share.publish(&[job]);
    let done = init(&share.site, "new", &[&loose, &broken, &good]);
    assert!(done.status.success(), "{done:?}");
    let doc: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(doc["machine"], "BP004001", "{doc}");
}

#[test]
fn a_share_that_lags_brings_nothing_back_that_was_cancelled() {
    for mut share in [Some(Indexed::by_permissions()), Indexed::signed()].into_iter().flatten() {
        let job = share.job();
        share.publish(std::slice::from_ref(&job));
        if share.signed {
            share.enrol();
        }
        let (newest, lags) = (share.site.share(), share.site.path("lags"));
        assert!(Command::new("cp").arg("-rp").args([&newest, &lags]).status().unwrap().success());
        let config = fs::read_to_string(share.site.config()).unwrap();
        let one = format!("shares = [{newest:?}]");
        assert!(config.contains(&one), "{config}");
        let two = format!("shares = [{lags:?}, {newest:?}]");
        write(&share.site.config(), config.replace(&one, &two).as_bytes());
        assert_eq!(share.polled(JOB), "good");
        share.publish(&[job.state("cancelled")]);
        assert_eq!(share.polled(JOB), "cancelled", "of two shares the newest counts");
        fs::rename(&newest, share.site.path("away")).unwrap();
        assert_eq!(share.polled(JOB), "rollback");
        let service = share.site.service();
        wait_for("it looked", || share.site.log().contains("rollback"));
        assert_eq!(share.site.state_of(ID), "not-applicable");
        // Not even where what is held is of yesterday, too.
        service.kill();
        let current = fs::read_to_string(share.site.state().join("held/current")).unwrap();
        let held = share.site.state().join("held").join(current.trim()).join("PCM.INDEX");
        fs::copy(lags.join("PCM.INDEX"), &held).unwrap();
        let service = share.site.service();
        wait_for("it looked again", || share.site.log().matches("rollback").count() > 1);
        assert_eq!(share.site.state_of(ID), "absent");
        service.kill();
        assert_eq!(share.site.ran("ran"), 0);
    }
}

#[test]
fn a_report_names_the_jobs_that_are_not_for_its_machine_and_none_that_it_cannot_read() {
    let mut share = Indexed::by_permissions();
    let elsewhere = share.job().set("where", "\"host == \\\"db*\\\"\"");
    let unread = share.other();
    share.publish(&[elsewhere, unread]);
    fs::remove_file(share.site.share().join(format!("jobs/{OTHER_JOB}.1.toml"))).unwrap();
    let _service = share.site.service();
    let path = share.site.share().join(format!("machines/{MACHINE}.json"));
    let report = || report_at(&path);
    wait_for("it reports", || {
        let report = report();
        report["serial"] == share.serial && report["not_targeted"][0] == JOB
    });
    let report = report();
    assert_eq!(report["not_targeted"].as_array().map(Vec::len), Some(1), "{report}");
    assert!(!report["requests"].to_string().contains(OTHER_JOB), "{report}");
}

/// The machines of two sites have the same names.
#[test]
fn the_report_of_another_sites_machine_is_not_overwritten() {
    let mut share = Indexed::by_permissions();
    share.publish(&[share.job()]);
    let _service = share.site.service();
    let (index, report) =
        (share.site.share().join("PCM.INDEX"), share.site.share().join(format!("machines/{MACHINE}.json")));
    // Until the result is on the share too, a report may be on its way there that was begun before what follows.
    wait_for("it reports", || report_at(&report)["requests"].to_string().contains("\"succeeded\""));
    // What is mounted there is another site's share from now on.
    let text = fs::read_to_string(&index).unwrap();
    let site_id = text.lines().find_map(|line| line.strip_prefix("site_id = ")).unwrap().to_owned();
    fs::write(&index, text.replace(&site_id, "\"zzzzzzzz23456723\"")).unwrap();
    fs::write(&report, "another machine's").unwrap();
    assert!(share.site.pcm(&["hold", "--for", "1h", "--reason", "something to report"]).status.success());
    wait_for("it says so", || share.site.log().contains("not of the site that this machine follows"));
    assert_eq!(fs::read_to_string(&report).unwrap(), "another machine's");
    fs::write(&index, text).unwrap();
    wait_for("it reports again", || !report_at(&report)["held_until"].is_null());
}
