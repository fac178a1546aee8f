//! What the system's supervisor hears (PROMISES.md P16): ready once it answers, alive as long as it makes steps and no
//! longer, stopping when it was asked to; and the unit that `pcm service install` writes.

use super::common::*;
use super::hanging::Hang;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// After this long without a word systemd would start it anew.
const WATCHDOG: Duration = Duration::from_secs(9);

/// The supervisor's end of the socket, and the service that it started.
struct Supervisor {
    socket: UnixDatagram,
    service: Service,
}

impl Supervisor {
    fn start(site: &Site) -> Self {
        let path = site.path("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let mut command = site.command(&["service", "run"]);
        command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", WATCHDOG.as_micros().to_string());
        command.stderr(std::fs::File::create(site.path("service.err")).unwrap());
        Self { socket, service: Service { child: command.spawn().unwrap() } }
    }

    /// The next line that it hears within this time.
    fn hears(&self, within: Duration) -> Option<String> {
        self.socket.set_read_timeout(Some(within)).unwrap();
        let mut buffer = [0; 4096];
        let length = self.socket.recv(&mut buffer).ok()?;
        Some(String::from_utf8_lossy(&buffer[..length]).trim_end().to_owned())
    }

    fn waits_for(&self, wanted: &str) {
        let end = Instant::now() + Duration::from_secs(60);
        while self
            .hears(end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1)))
            .unwrap_or_else(|| panic!("{wanted} was never heard"))
            != wanted
        {}
    }

    /// A word at least every half of the watchdog's time, for longer than that time.
    fn is_alive(&self, when: &str) {
        let begun = Instant::now();
        while begun.elapsed() < WATCHDOG + WATCHDOG / 2 {
            let heard = self.hears(WATCHDOG / 2);
            assert_eq!(heard.as_deref(), Some("WATCHDOG=1"), "{when}");
        }
    }
}

/// Nothing is to be done for an hour, so that all that it says it says for the supervisor.
const IDLE: &str = "polling_interval = \"60m\"\n[share]\ntimeout = \"2s\"\n";

#[test]
fn it_is_ready_when_it_answers_alive_at_half_of_the_time_and_stopping_when_asked() {
    let site = Site::with_config(IDLE);
    let supervisor = Supervisor::start(&site);
    supervisor.waits_for("READY=1");
    // Whoever was told that it is ready is answered.
    let mut asked = site.command(&["status", "--json"]);
    let status: serde_json::Value = serde_json::from_slice(&asked.output().unwrap().stdout).unwrap();
    assert_eq!(status["service"], "running");
    site.wait_log("sleeping ");
    supervisor.is_alive("with nothing to do");
    let Supervisor { socket, service } = supervisor;
    let pid = service.child.id().to_string();
    assert!(Command::new("kill").arg(&pid).status().unwrap().success());
    let supervisor = Supervisor { socket, service };
    supervisor.waits_for("STOPPING=1");
    supervisor.service.terminate();
}

#[test]
fn a_share_that_hangs_keeps_it_neither_from_being_ready_nor_from_being_alive() {
    let mut site = Site::with_config(IDLE);
    site.publish(&[Request::due("BP0000Y")]);
    let Some(hang) = Hang::over(&site.share()) else { return };
    let supervisor = Supervisor::start(&site);
    supervisor.waits_for("READY=1");
    supervisor.is_alive("while the share hangs");
    drop(hang);
}

/// The loop itself hangs: what it reads at each look is a pipe that nobody writes. Its other threads live on.
#[test]
fn a_service_whose_loop_hangs_is_not_said_to_be_alive() {
    let site = Site::with_config(&IDLE.replace("60m", "1s"));
    let supervisor = Supervisor::start(&site);
    supervisor.waits_for("READY=1");
    supervisor.waits_for("WATCHDOG=1");
    // A disk that does not answer: whoever syncs waits, and the loop writes down that somebody holds.
    let pid = supervisor.service.child.id().to_string();
    let delay = "inject=fsync,fdatasync:delay_enter=120000000";
    let strace =
        Command::new("strace").args(["-f", "-q", "-o", "/dev/null", "-e", delay, "-p", &pid]).spawn();
    let Ok(mut strace) = strace else { return skipped("no strace") };
    let traced = || {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        !status.contains("TracerPid:\t0")
    };
    if wait_for_or(Duration::from_secs(20), traced).is_err() {
        return skipped("strace may not trace here");
    }
    let mut hold = site.command(&["hold", "--for", "1h", "--reason", "a disk that hangs"]);
    let mut hold = hold.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // What it had said before may still be in the socket.
    let silent = wait_for_or(Duration::from_secs(60), || supervisor.hears(WATCHDOG).is_none());
    for child in [&mut hold, &mut strace] {
        let _ = child.kill();
        let _ = child.wait();
    }
    assert!(silent.is_ok(), "it says that it is alive and hangs");
}

#[test]
fn a_service_that_stands_still_is_not_said_to_be_alive_and_goes_on_where_it_was() {
    let site = Site::with_config(IDLE);
    let supervisor = Supervisor::start(&site);
    supervisor.waits_for("READY=1");
    let signal = |name: &str| {
        let pid = supervisor.service.child.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    };
    signal("-STOP");
    let silent = wait_for_or(Duration::from_secs(60), || supervisor.hears(WATCHDOG).is_none());
    assert!(silent.is_ok(), "it stands still");
    signal("-CONT");
    supervisor.waits_for("WATCHDOG=1");
    assert_eq!(site.json_of(&["status"])["service"], "running");
}

/// The real command, below a mount of its own where systemd would look for units.
#[test]
fn service_install_writes_a_unit_that_systemd_takes_and_that_keeps_packages_alive() {
    let site = Site::new();
    let units = site.path("units");
    make_dir(&units);
    let install = site.command(&["service", "install"]);
    let script = "mount --bind \"$0\" /etc/systemd/system && exec \"$@\"";
    let mut below = Command::new("unshare");
    below
        .args(["--mount", "sh", "-c", script])
        .arg(&units)
        .arg(install.get_program())
        .args(install.get_args());
    let tried = Command::new("unshare").args(["--mount", "true"]).output();
    if !tried.is_ok_and(|tried| tried.status.success()) || Path::new("/run/systemd/system").is_dir() {
        skipped("no mount namespace can be made here, or systemd runs and would start the unit");
        return;
    }
    let output = below.output().unwrap();
    if !units.join("pcm.service").is_file() && text(&output).contains("mount:") {
        skipped(format_args!("nothing can be mounted here: {}", text(&output)));
        return;
    }
    assert!(output.status.success(), "{}", text(&output));
    assert!(text(&output).contains("systemd does not run here"), "{}", text(&output));
    let unit = std::fs::read_to_string(units.join("pcm.service")).unwrap();
    let starts = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    for word in ["--config", &site.config().display().to_string(), "--state", "service run"] {
        assert!(starts.contains(word), "{word} in {starts}");
    }
    for line in ["Type=notify", "KillMode=process", "Restart=always", "WatchdogSec=300", "Delegate=yes"] {
        assert!(unit.lines().any(|found| found == line), "{line} in\n{unit}");
    }
    // The text is that of packages but for what is started: an installation elsewhere has no state folder of the system.
    let words = |text: &str| -> Vec<String> {
        let differs = |line: &&str| line.starts_with("ExecStart=") || line.starts_with("StateDirectory");
        text.lines().filter(|line| !differs(line)).map(str::to_owned).collect()
    };
    assert_eq!(words(&unit), words(include_str!("../../src/host/unix/pcm.service")));
    match Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(units.join("pcm.service")).output()
    {
        Err(e) => skipped(format_args!("no systemd-analyze to ask: {e}")),
        Ok(asked) => {
            let said = text(&asked);
            assert!(!said.lines().any(|line| line.contains("pcm.service")), "{said}");
        }
    }
}
