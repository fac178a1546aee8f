//! A publisher with keys of all roles and a signed site folder, whose package leaves a line in `ran`; and machines of that site.

use super::{MACHINE, Site, now, skipped, stamp, text, wait_for_or, write};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

/// How many machines it has: BP004000 and those after it.
pub const MACHINES: usize = 5;

pub struct Publisher {
    pub dir: tempfile::TempDir,
    /// Further environment of its verbs.
    pub env: Vec<(String, String)>,
}

impl Publisher {
    /// A site that is published nowhere yet. None, with the skip printed, without ssh-keygen. `config`: what stands in the
    /// publisher's pcm.toml.
    pub fn new(share: impl FnOnce(&Path) -> String, config: impl FnOnce(&Path) -> String) -> Option<Self> {
        if !Path::new("/usr/bin/ssh-keygen").exists() {
            skipped("there is no ssh-keygen");
            return None;
        }
        let dir = tempfile::Builder::new().prefix("pcm-test-").tempdir().unwrap();
        let (share, config) = (share(dir.path()), config(dir.path()));
        if !share.contains("://") {
            // A mount of a file server is there already.
            fs::create_dir_all(&share).unwrap();
        }
        let publisher = Self { dir, env: Vec::new() };
        if !config.is_empty() {
            write(&publisher.path("publisher.toml"), config.as_bytes());
        }
        fs::create_dir(publisher.path("folder")).unwrap();
        fs::create_dir(publisher.path("keys")).unwrap();
        publisher.done(&["site", "init", ".", "--site", "BP0", "--share", &share, "--example", MACHINE]);
        for (name, role) in [("root", "trust"), ("package", "package"), ("publish", "publish")] {
            let key = format!("../keys/{name}");
            let public = format!("{key}.pub");
            publisher.done(&["key", "generate", &key]);
            let principal = ["--role", role, "--principal", name, "--key", "../keys/root"];
            publisher.done(&[&["key", "trust", &public], &principal[..]].concat());
        }
        let toml = publisher.path("folder/site.toml");
        let settings = fs::read_to_string(&toml).unwrap();
        fs::write(toml, format!("{settings}key = \"../keys/publish\"\n")).unwrap();
        publisher
            .files(&format!("#!/bin/sh\nenv >> {0}.env\necho ran >> {0}\n", publisher.path("ran").display()));
        // The example's job is of the files before.
        fs::remove_file(publisher.path("folder/jobs/BP0000AA.toml")).unwrap();
        let line = |n| format!("BP00400{n},,web,{}\n", publisher.host_key(n));
        fs::write(publisher.path("folder/machines.csv"), (0..MACHINES).map(line).collect::<String>())
            .unwrap();
        Some(publisher)
    }

    /// Makes the key with which a machine signs its reports, without a passphrase as host keys are; its public half.
    fn host_key(&self, n: usize) -> String {
        let path = self.path(&format!("keys/host{n}"));
        let mut make = Command::new("/usr/bin/ssh-keygen");
        make.args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"]).arg(&path);
        assert!(make.status().unwrap().success());
        fs::read_to_string(path.with_extension("pub")).unwrap().trim().to_owned()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Gives the package another program, and signs it.
    pub fn files(&self, script: &str) {
        fs::write(self.path("folder/packages/BP00000A/files/setup.sh"), script).unwrap();
        self.done(&["package", "sign", "BP00000A", "--key", "../keys/package"]);
    }

    /// A verb of the publisher, as it is started.
    pub fn verb(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pcm"));
        command.args(args).arg("--json").current_dir(self.path("folder")).env("TZ", "UTC");
        command.env("PCM_CONFIG", self.path("publisher.toml")).env("PCM_STATE", self.path("none"));
        command.env("XDG_CACHE_HOME", self.path("cache"));
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    pub fn pcm(&self, args: &[&str]) -> Output {
        self.verb(args).output().unwrap()
    }

    /// One that has to be done.
    pub fn done(&self, args: &[&str]) -> Value {
        let done = self.pcm(args);
        assert!(done.status.success(), "{args:?}: {}", text(&done));
        serde_json::from_slice(&done.stdout).unwrap()
    }

    /// A job for all machines, mandatory now; its request.
    pub fn send(&self) -> String {
        let at = stamp(now());
        let sent = self.done(&["job", "send", "--package", "BP00000A", "--to", "@web", "--mandatory", &at]);
        sent["request_id"].as_str().unwrap().to_owned()
    }

    /// How often the package ran, on all machines.
    pub fn ran(&self) -> usize {
        fs::read_to_string(self.path("ran")).unwrap_or_default().lines().count()
    }

    /// The fingerprint by which machines know it.
    pub fn root(&self) -> String {
        let keys = self.done(&["key", "list"]);
        let root = keys["keys"].as_array().unwrap().iter().find(|key| key["role"] == "trust").unwrap();
        root["fingerprint"].as_str().unwrap().to_owned()
    }

    /// A machine of the site with these locations, before `pcm init`; `share`: lines of `[share]`.
    pub fn machine_bare(&self, n: usize, locations: &[&str], share: &str) -> Machine {
        let site = Site::bare("");
        let config = fs::read_to_string(site.config()).unwrap();
        let config = config.replace("\"permissions\"", "\"signed\"").replace(MACHINE, &format!("BP00400{n}"));
        let config = config.replace(&format!("[{:?}]", site.share()), &format!("{locations:?}"));
        // The section of trust is the last one.
        let own = format!("host_key = {:?}\n", self.path(&format!("keys/host{n}")));
        // Where pcm is root, whoever talks to a server has no rights.
        let talks = if locations.iter().any(|at| at.contains("://")) && !share.contains("account = ") {
            "account = \"nobody\"\n"
        } else {
            ""
        };
        write(&site.config(), format!("{config}{own}\n[share]\n{talks}{share}").as_bytes());
        Machine { site }
    }

    /// The same, after it.
    pub fn machine(&self, n: usize, locations: &[&str], share: &str) -> Machine {
        let machine = self.machine_bare(n, locations, share);
        machine.site.json(&["init", "--trust-key", &self.root()]);
        machine
    }
}

pub struct Machine {
    pub site: Site,
}

impl Machine {
    pub fn wait(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        let done = wait_for_or(Duration::from_secs(90), || condition(self));
        done.unwrap_or_else(|()| {
            let status = self.site.json_of(&["status"]);
            let log = self.site.log();
            let end: Vec<&str> = log.lines().rev().take(20).collect();
            panic!("it never happened: {what}\n{status:#}\n{end:#?}")
        });
    }

    pub fn succeeds(&self, request: &str) {
        self.ends(request, "succeeded");
    }

    pub fn ends(&self, request: &str, state: &str) {
        self.wait(&format!("{request} is {state}"), |machine| machine.site.state_of(request) == state);
    }

    /// A problem of this code is among what it says is wrong.
    pub fn has(&self, problem: &str) -> bool {
        let status = self.site.json_of(&["status"]);
        status["problems"].as_array().is_some_and(|all| all.iter().any(|one| one["code"] == problem))
    }

    /// What it says is wrong.
    pub fn problems(&self) -> String {
        self.site.json_of(&["status"])["problems"].to_string()
    }

    /// Waits until a problem has this in it.
    pub fn says(&self, words: &str) {
        self.wait(&format!("it says {words:?}"), |machine| machine.problems().contains(words));
    }
}
