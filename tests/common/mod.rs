//! A site and a machine in a temporary folder, made by hand and not by pcm's own writers, and the real binary on them.
//! Shared by all tests that run pcm from outside.
#![allow(dead_code)] // the benches use some of it

pub mod escapes;
#[cfg(unix)]
pub mod hanging;
#[cfg(unix)]
pub mod logind;
pub mod pty;
#[cfg(unix)]
pub mod publisher;
pub mod reports;
#[cfg(unix)]
pub mod smb;
#[cfg(unix)]
pub mod sshd;
pub mod stat;
#[cfg(unix)]
pub mod web;

use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

pub const MACHINE: &str = "BP004000";

/// A share, a machine's configuration and state, and a place for witnesses outside of both.
pub struct Site {
    dir: tempfile::TempDir,
    serial: u64,
    /// The system bus that pcm asks for logind; None: the machine's.
    pub bus: Option<String>,
}

/// One `[[request]]`, with fields that tests change.
#[derive(Clone)]
pub struct Request {
    pub id: String,
    pub lines: Vec<(String, String)>,
}

impl Request {
    /// Background and automated, offered and mandatory since long ago, never expiring, for package `BP00000A`.
    pub fn due(id: &str) -> Self {
        let mut request = Self { id: id.to_owned(), lines: Vec::new() };
        for (key, value) in [
            ("job_id", "\"BP0000AA\""),
            ("package_id", "\"BP00000A\""),
            ("package", "\"Acme Workstation 4.0\""),
            ("command", "\"Typical\""),
            ("command_line", "\"setup.sh --silent\""),
            ("automated", "true"),
            ("background", "true"),
            ("offer_after", "2026-11-01T00:00:00Z"),
            ("mandatory_after", "2026-11-01T01:00:00Z"),
        ] {
            request = request.set(key, value);
        }
        request
    }

    /// Sets a key to a TOML value; an empty value removes it.
    pub fn set(mut self, key: &str, value: impl Into<String>) -> Self {
        let value = value.into();
        self.lines.retain(|(k, _)| k != key);
        if !value.is_empty() {
            self.lines.push((key.to_owned(), value));
        }
        self
    }

    /// Mandatory from this instant.
    pub fn mandatory(self, at: chrono::DateTime<chrono::Utc>) -> Self {
        self.set("mandatory_after", stamp(at))
    }
}

pub fn stamp(at: chrono::DateTime<chrono::Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

pub fn now() -> chrono::DateTime<chrono::Utc> {
    chrono::Utc::now()
}

pub fn seconds(n: i64) -> chrono::TimeDelta {
    chrono::TimeDelta::seconds(n)
}

impl Site {
    /// An empty share and a machine that polls every second, trusts by permissions, and has its history.
    pub fn new() -> Self {
        Self::with_config("")
    }

    /// As [`Site::new`], with further lines in `pcm.toml`.
    pub fn with_config(extra: &str) -> Self {
        Self::with_config_in(&std::env::temp_dir(), extra)
    }

    /// As [`Site::with_config`], in a folder of this folder.
    pub fn with_config_in(parent: &Path, extra: &str) -> Self {
        let site = Self::bare_in(parent, extra);
        let init = site.pcm(&["init"]);
        assert!(init.status.success(), "{}", text(&init));
        site
    }

    /// As [`Site::with_config`], before `pcm init`.
    pub fn bare(extra: &str) -> Self {
        Self::bare_in(&std::env::temp_dir(), extra)
    }

    /// As [`Site::bare`], in a folder of this folder.
    pub fn bare_in(parent: &Path, extra: &str) -> Self {
        let dir = tempfile::Builder::new().prefix("pcm-test-").tempdir_in(parent).unwrap();
        let site = Self { dir, serial: 0, bus: None };
        for folder in ["pcmins.box", "packages", "jobs", "machines", "despoolr.box"] {
            make_dir(&site.share().join(folder));
        }
        write(&site.share().join("PCM.SITE"), b"format = 1\nsite = \"BP0\"\nname = \"Head office\"\n");
        make_dir(&site.path("etc"));
        let extra = &at_once(extra);
        let interval = if extra.contains("polling_interval") { "" } else { "polling_interval = \"1s\"\n" };
        let config = format!(
            "machine = \"{MACHINE}\"\nshares = [{:?}]\n{interval}{extra}\n[trust]\nmode = \"permissions\"\n",
            site.share()
        );
        write(&site.config(), config.as_bytes());
        site
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn share(&self) -> PathBuf {
        self.path("share")
    }

    pub fn config(&self) -> PathBuf {
        self.path("etc/pcm.toml")
    }

    pub fn state(&self) -> PathBuf {
        self.path("state")
    }

    /// Where packages say that they ran.
    pub fn witness(&self) -> PathBuf {
        self.path("witness")
    }

    /// How often packages said so: lines of the witness that start with `what`.
    pub fn ran(&self, what: &str) -> usize {
        let text = fs::read_to_string(self.witness()).unwrap_or_default();
        text.lines().filter(|line| line.starts_with(what)).count()
    }

    /// A shell line that says so, synced.
    pub fn say(&self, what: &str) -> String {
        format!(
            "echo {what} $PCM_REQUEST_ID $PCM_ATTEMPT | dd oflag=append,sync conv=notrunc of='{}' 2>/dev/null",
            self.witness().display()
        )
    }

    /// An enrolled machine with a place of its own for reports and results, `reports`.
    pub fn reporting_elsewhere() -> Self {
        let site = Self::bare("[share]\nreport = \"REPORTS\"\n");
        let place = site.path("reports");
        for folder in ["machines", "despoolr.box"] {
            make_dir(&place.join(folder));
        }
        let config = fs::read_to_string(site.config()).unwrap();
        write(&site.config(), config.replace("REPORTS", &place.display().to_string()).as_bytes());
        let init = site.pcm(&["init"]);
        assert!(init.status.success(), "{}", text(&init));
        site
    }

    /// A shell line that waits until the test has said [`Site::go`]: however busy the machine is, what it waits between is
    /// not over before.
    pub fn waits_for_go(&self) -> String {
        format!("while [ ! -e '{}' ]; do sleep 0.05; done", self.path("go").display())
    }

    /// Lets the packages go on that wait.
    pub fn go(&self) {
        write(&self.path("go"), b"");
    }

    /// Publishes a package with one script `setup.sh`; returns its content hash.
    pub fn package(&self, id: &str, script: &str) -> String {
        let files = self.share().join("packages").join(id).join("files");
        make_dir(&files);
        let script = format!("#!/bin/sh\n{script}\n");
        write(&files.join("setup.sh"), script.as_bytes());
        let content = format!("{} {} setup.sh\n", sha256(script.as_bytes()), script.len());
        write(&self.share().join("packages").join(id).join("CONTENT"), content.as_bytes());
        sha256(content.as_bytes())
    }

    /// Publishes an instruction file with a higher serial.
    pub fn publish(&mut self, requests: &[Request]) {
        let text = self.instructions(requests);
        self.publish_text(&text);
    }

    /// The text of the next instruction file.
    pub fn instructions(&mut self, requests: &[Request]) -> String {
        self.serial += 1;
        let mut text = format!(
            "format = 1\nsite = \"BP0\"\nmachine = \"{MACHINE}\"\nserial = {}\nissued = 2026-11-01T00:00:00Z\n",
            self.serial
        );
        for request in requests {
            text += &format!("\n[[request]]\nrequest_id = \"{}\"\n", request.id);
            for (key, value) in &request.lines {
                text += &format!("{key} = {value}\n");
            }
        }
        text + &format!("\n[end]\nserial = {}\n", self.serial)
    }

    pub fn publish_text(&self, text: &str) {
        let folder = self.share().join("pcmins.box");
        write(&folder.join(".new"), text.as_bytes());
        fs::rename(folder.join(".new"), folder.join(format!("{MACHINE}.INS"))).unwrap();
    }

    /// A command of the real binary on this machine.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pcm"));
        command.arg("--config").arg(self.config()).arg("--state").arg(self.state()).args(args);
        command.env_remove("PCM_CONFIG").env_remove("PCM_STATE").env("TZ", "UTC").stdin(Stdio::null());
        if let Some(bus) = &self.bus {
            command.env("DBUS_SYSTEM_BUS_ADDRESS", bus);
        }
        command
    }

    pub fn pcm(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// A verb that has to succeed, with `--json`.
    pub fn json(&self, args: &[&str]) -> Value {
        let output = self.pcm(&[args, &["--json"]].concat());
        assert!(output.status.success(), "pcm {args:?}: {}", text(&output));
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|e| panic!("pcm {args:?}: {e}: {}", text(&output)))
    }

    /// A view with `--json`, whatever its exit status says of what it found.
    pub fn json_of(&self, args: &[&str]) -> Value {
        let output = self.pcm(&[args, &["--json"]].concat());
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|e| panic!("pcm {args:?}: {e}: {}", text(&output)))
    }

    /// A verb that has to fail with this exit status; the error document.
    pub fn refused(&self, args: &[&str], status: i32) -> Value {
        let output = self.pcm(&[args, &["--json"]].concat());
        assert_eq!(output.status.code(), Some(status), "pcm {args:?}: {}", text(&output));
        assert!(output.stdout.is_empty(), "nothing on standard output beside an error: {}", text(&output));
        serde_json::from_slice::<Value>(&output.stderr).unwrap_or_else(|e| panic!("{e}: {}", text(&output)))["error"].take()
    }

    /// One request as `list --all` shows it.
    pub fn request(&self, id: &str) -> Option<Value> {
        let list = self.json(&["list", "--all"]);
        list["requests"].as_array()?.iter().find(|r| r["request_id"] == id).cloned()
    }

    /// Its state, or `absent`.
    pub fn state_of(&self, id: &str) -> String {
        self.request(id)
            .map_or_else(|| "absent".into(), |r| r["state"].as_str().unwrap_or_default().to_owned())
    }

    /// Waits until a request is in this state.
    pub fn wait_state(&self, id: &str, wanted: &str) {
        let mut last = String::new();
        wait_for_or(Duration::from_secs(30), || {
            last = self.state_of(id);
            last == wanted
        })
        .unwrap_or_else(|()| panic!("{id} is {last}, not {wanted}\n{}", self.log()));
    }

    /// Waits until these codes are all that blocks a request: its files are copied and nothing else is under way.
    pub fn wait_blocked(&self, id: &str, codes: &[&str]) {
        let mut last = Value::Null;
        wait_for_or(Duration::from_secs(30), || {
            last = self.request(id).map_or(Value::Null, |mut request| request["blocked_by"].take());
            last == serde_json::json!(codes)
        })
        .unwrap_or_else(|()| panic!("{id} is blocked by {last}, not by {codes:?} alone\n{}", self.log()));
    }

    /// Publishes this request alone, mandatory in `n` seconds from the moment at which the service has everything else
    /// ready: starting and copying take as long as they take. That time, once the service knows it.
    pub fn publish_for(&mut self, request: &Request, n: i64) -> chrono::DateTime<chrono::Utc> {
        self.publish(&[request.clone().mandatory(now() + seconds(3600))]);
        wait_for("it is ready but for its time", || {
            self.request(&request.id)
                .and_then(|mut request| request["blocked_by"].as_array_mut().map(std::mem::take))
                .is_some_and(|codes| {
                    codes.contains(&"not-mandatory-yet".into()) && !codes.contains(&"content-missing".into())
                })
        });
        let soon = now() + seconds(n);
        self.publish(&[request.clone().mandatory(soon)]);
        let known = |request: Value| request["mandatory_after"] == stamp(soon);
        wait_for("its time is known", || self.request(&request.id).is_some_and(known));
        soon
    }

    /// `PACMAN.LOG`, as it stands.
    pub fn log(&self) -> String {
        let bytes = fs::read(self.state().join("log/PACMAN.LOG")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits until the log holds this.
    pub fn wait_log(&self, wanted: &str) {
        wait_for_or(Duration::from_secs(30), || self.log().contains(wanted))
            .unwrap_or_else(|()| panic!("not in the log: {wanted}\n{}", self.log()));
    }

    /// Starts the service and waits until it answers.
    pub fn service(&self) -> Service {
        let service = self.service_begun();
        self.wait_service();
        service
    }

    /// Starts a service that may not live until it answers.
    pub fn service_begun(&self) -> Service {
        let child = self
            .command(&["service", "run"])
            .stdout(Stdio::null())
            .stderr(fs::File::create(self.path("service.err")).unwrap())
            .spawn()
            .unwrap();
        Service { child }
    }

    /// Waits until a service answers.
    pub fn wait_service(&self) {
        wait_for_or(Duration::from_secs(60), || {
            let status = self.pcm(&["status", "--json"]);
            serde_json::from_slice::<Value>(&status.stdout).is_ok_and(|doc| doc["service"] == "running")
        })
        .unwrap_or_else(|()| {
            panic!(
                "the service does not answer: {}",
                fs::read_to_string(self.path("service.err")).unwrap_or_default()
            )
        });
    }
}

impl Drop for Site {
    /// Whatever a test left running is ended with it, by the mark that only its own processes carry.
    fn drop(&mut self) {
        let mark = format!("PCM_STATUS_MIF={}", self.state().display());
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let environ = fs::read(entry.path().join("environ")).unwrap_or_default();
            if String::from_utf8_lossy(&environ).contains(&mark)
                && let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok())
            {
                let _ = Command::new("kill").arg("-9").arg(pid.to_string()).status();
            }
        }
    }
}

/// A running service; killed when dropped, its packages go on.
pub struct Service {
    pub child: Child,
}

impl Service {
    /// `kill -9`.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and the wait for its end.
    pub fn terminate(mut self) {
        Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for a condition, within a limit.
pub fn wait_for_or(limit: Duration, mut condition: impl FnMut() -> bool) -> Result<(), ()> {
    let end = Instant::now() + limit;
    while !condition() {
        if Instant::now() > end {
            return Err(());
        }
        std::thread::sleep(Duration::from_millis(30));
    }
    Ok(())
}

/// Waits for a condition, or fails.
pub fn wait_for(what: &str, condition: impl FnMut() -> bool) {
    wait_for_or(Duration::from_secs(30), condition).unwrap_or_else(|()| panic!("it never happened: {what}"));
}

pub fn text(output: &Output) -> String {
    format!(
        "{:?}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Says of a test that it could not be made here, and why. `.ci/run` counts these lines.
pub fn skipped(why: impl std::fmt::Display) {
    let name = std::thread::current().name().unwrap_or_default().to_owned();
    let why = why.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    // Past the runner, which keeps back what a test prints that passes.
    let _ = std::io::stderr().write_all(format!("SKIPPED: {name}: {why}\n").as_bytes());
}

/// The same lines, with what is due starting at once: whether somebody is logged on and for how long the machine has
/// been up is nothing that most tests are about. What the lines say of it themselves stays.
fn at_once(extra: &str) -> String {
    let mut lines = String::new();
    for key in ["after_boot", "countdown"] {
        if !extra.contains(&format!("\n{key} = ")) || !extra.contains("[run]\n") {
            lines += &format!("{key} = \"0s\"\n");
        }
    }
    match extra.split_once("[run]\n") {
        Some((before, after)) => format!("{before}[run]\n{lines}{after}"),
        None => format!("{extra}\n[run]\n{lines}"),
    }
}

/// A folder with the mode that trust mode `permissions` wants, whatever the umask is.
pub fn make_dir(path: &Path) {
    fs::create_dir_all(path).unwrap();
    mode(path, 0o755);
}

pub fn write(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
    mode(path, 0o644);
}

/// A copy of the program that can be started at once. Another process writes it: a file that is open for writing here is open in
/// each process that another test starts just then, and the system starts no program that anybody may still write.
pub fn install_program(to: &Path) {
    let copy = Command::new("cp").arg(env!("CARGO_BIN_EXE_pcm")).arg(to).status().unwrap();
    assert!(copy.success(), "cp to {}", to.display());
    mode(to, 0o755);
}

/// A script that can be started at once, written by another process for the same reason.
pub fn install_script(to: &Path, text: &str) {
    let mut writer = Command::new("sh");
    writer.args(["-c", "printf %s \"$2\" > \"$1\" && chmod 755 \"$1\"", "sh"]).arg(to).arg(text);
    assert!(writer.status().unwrap().success(), "{}", to.display());
}

#[cfg(unix)]
pub fn mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(not(unix))]
pub fn mode(_path: &Path, _mode: u32) {}

pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}
