//! A machine of its own, on which the real package manager installs pcm where pcm belongs.

use super::common::*;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// The processes of a view of this system's files that keeps no change, and what they share with the test: the folder of
/// `site`, under the same name.
pub struct Machine {
    pub site: Site,
    first: Child,
}

impl Machine {
    /// A machine before pcm, whose configuration is in `site`. None: none can be made here, which is said.
    pub fn new() -> Option<Self> {
        Self::of(Site::bare(""))
    }

    /// The same with a site that is there.
    pub fn of(site: Site) -> Option<Self> {
        for program in ["unshare", "nsenter", "dpkg", "dpkg-deb"] {
            let mut asked = Command::new(program);
            if let Err(e) = asked.arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status() {
                skipped(format_args!("{program}: {e}"));
                return None;
            }
        }
        make_dir(&site.path(".machine"));
        let mut unshare = Command::new("unshare");
        unshare.args([
            "--mount",
            "--pid",
            "--fork",
            "--kill-child",
            "--propagation",
            "private",
            "bash",
            "-c",
        ]);
        unshare.args([include_str!("machine.sh"), "machine"]).arg(site.path("").canonicalize().unwrap());
        let said = std::fs::File::create(site.path("machine.err")).unwrap();
        let mut first = unshare.stdin(Stdio::null()).stdout(Stdio::null()).stderr(said).spawn().unwrap();
        let made = wait_for_or(Duration::from_secs(30), || {
            site.path(".ready").exists() || first.try_wait().unwrap().is_some()
        });
        if made.is_err() || !site.path(".ready").exists() {
            let _ = first.kill();
            let _ = first.wait();
            let why = std::fs::read_to_string(site.path("machine.err")).unwrap_or_default();
            skipped(format_args!("no machine can be made in namespaces here: {why}"));
            return None;
        }
        Some(Self { site, first })
    }

    /// Something plays systemd on it from now on.
    pub fn with_systemd(self) -> Self {
        assert!(self.run(&["mkdir", "-p", "/run/systemd/system"]).status.success());
        self
    }

    /// Its files, as the test can reach them.
    pub fn path(&self, path: &str) -> PathBuf {
        let root = self.site.path(".machine/root");
        let seen = PathBuf::from(format!("/proc/{}/root", self.first.id()));
        seen.join(root.strip_prefix("/").unwrap()).join(path.trim_start_matches('/'))
    }

    /// A command on it, with the environment of an administrator's shell.
    pub fn command(&self, words: &[&str]) -> Command {
        let of = |kind: &str| format!("/proc/{}/ns/{kind}", self.first.id());
        let mut command = Command::new("nsenter");
        command.arg(format!("--mount={}", of("mnt"))).arg(format!("--pid={}", of("pid_for_children")));
        command.arg("chroot").arg(self.site.path(".machine/root")).args(["env", "-i"]);
        command.arg("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        command.args(["LC_ALL=C.UTF-8", "TZ=UTC", "HOME=/root"]).args(words).stdin(Stdio::null());
        command
    }

    pub fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    /// It has to succeed; what it said.
    pub fn did(&self, words: &[&str]) -> String {
        let output = self.run(words);
        assert!(output.status.success(), "{words:?}: {}", text(&output));
        text(&output)
    }

    /// dpkg, which has to succeed. Neither syncing nor what other packages do then is tested.
    pub fn dpkg(&self, words: &[&str]) -> String {
        self.did(&[&["dpkg", "--force-unsafe-io", "--no-triggers"], words].concat())
    }

    pub fn install(&self, deb: &Path) -> String {
        self.dpkg(&["-i", &deb.display().to_string()])
    }

    /// The configuration of `site` where the system's belongs, and the trust lists where it has any.
    pub fn configure(&self) {
        make_dir(&self.path("/etc/pcm"));
        write(&self.path("/etc/pcm/pcm.toml"), &std::fs::read(self.site.config()).unwrap());
        let Ok(lists) = std::fs::read_dir(self.site.path("etc/trust.d")) else { return };
        make_dir(&self.path("/etc/pcm/trust.d"));
        for list in lists {
            let list = list.unwrap();
            let name = list.file_name().into_string().unwrap();
            write(&self.path("/etc/pcm/trust.d").join(name), &std::fs::read(list.path()).unwrap());
        }
    }

    /// The same as it ends, for whoever expects that it is refused.
    pub fn purge(&self) -> Output {
        self.run(&["dpkg", "--force-unsafe-io", "--no-triggers", "-P", "pcm"])
    }

    pub fn json(&self, words: &[&str]) -> Value {
        self.answer(words).unwrap_or_else(|output| panic!("{words:?}: {}", text(&output)))
    }

    /// A service that is just restarted does not answer whoever had begun to ask.
    fn answer(&self, words: &[&str]) -> Result<Value, Output> {
        let output = self.run(&[&["pcm"], words, &["--json"]].concat());
        serde_json::from_slice(&output.stdout).map_err(|_| output)
    }

    pub fn state_of(&self, id: &str) -> Value {
        let Ok(mut list) = self.answer(&["list", "--all"]) else { return Value::Null };
        let requests = list["requests"].as_array_mut().unwrap();
        requests.iter_mut().find(|r| r["request_id"] == id).map_or(Value::Null, |r| r["state"].take())
    }

    pub fn wait_state(&self, id: &str, wanted: &str) {
        let mut last = Value::Null;
        wait_for_or(Duration::from_secs(60), || {
            last = self.state_of(id);
            last == wanted
        })
        .unwrap_or_else(|()| panic!("{id} is {last}, not {wanted}\n{}", self.log()));
    }

    pub fn wait_service(&self) {
        wait_for_or(Duration::from_secs(60), || {
            self.answer(&["status"]).is_ok_and(|status| status["service"] == "running")
        })
        .unwrap_or_else(|()| panic!("no service answers: {}\n{}", self.said(), self.log()));
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.path("/var/log/pcm/PACMAN.LOG")).unwrap_or_default()
    }

    /// What services that are played systemd started said before they had a log.
    pub fn said(&self) -> String {
        std::fs::read_to_string(self.path("/run/service.err")).unwrap_or_default()
    }

    /// What systemctl was asked for since this was asked last.
    pub fn asked(&self) -> Vec<String> {
        let file = self.path("/run/asked");
        let asked = std::fs::read_to_string(&file).unwrap_or_default();
        let _ = std::fs::remove_file(file);
        asked.lines().map(str::to_owned).collect()
    }

    /// Whoever is the service, by its process.
    pub fn service(&self) -> u64 {
        let holder = self.json(&["service", "status"])["executor"].as_str().unwrap_or_default().to_owned();
        let pid = holder.split_once("(pid ").and_then(|(_, rest)| rest.split_once(',')?.0.parse().ok());
        pid.unwrap_or_else(|| panic!("no process in {holder:?}"))
    }
}

impl Drop for Machine {
    /// All its processes end with the first one.
    fn drop(&mut self) {
        let _ = self.first.kill();
        let _ = self.first.wait();
    }
}
