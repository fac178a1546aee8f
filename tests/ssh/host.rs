//! `pcm --host`: every verb and the console on another machine, with the real client and server between.

use super::common::*;
use super::pty::Terminal;
use super::sshd::Sshd;
use std::path::Path;
use std::process::{Command, Output};

/// A machine that pcm reaches through ssh, and what is given to every call.
struct Far {
    sshd: Sshd,
    site: Site,
}

impl Far {
    fn new(site: Site) -> Option<Self> {
        // The pcm over there is the one in the PATH.
        let bin = Path::new(env!("CARGO_BIN_EXE_pcm")).parent().unwrap();
        let sshd =
            Sshd::start_with(&format!("SetEnv PATH={}:/usr/local/bin:/usr/bin:/bin TZ=UTC", bin.display()))?;
        Some(Self { sshd, site })
    }

    fn command(&self, args: &[&str]) -> Command {
        let quoted: Vec<String> = self.sshd.client().iter().map(|word| format!("\"{word}\"")).collect();
        let mut pcm = Command::new(env!("CARGO_BIN_EXE_pcm"));
        pcm.env("PCM_SSH", quoted.join(" ")).env_remove("SSH_AUTH_SOCK");
        // Nothing of the near machine is meant.
        pcm.env("PCM_CONFIG", "/nowhere/near/pcm.toml").env("PCM_STATE", "/nowhere/near/state");
        pcm.arg("--host").arg(self.sshd.account());
        pcm.arg("--config").arg(self.site.config()).arg("--state").arg(self.site.state()).args(args);
        pcm.stdin(std::process::Stdio::null());
        pcm
    }

    fn pcm(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }
}

fn optional() -> Site {
    let mut site = Site::new();
    let hash = site.package("BP00000A", &format!("{}; exit 5", site.say("ran")));
    site.publish(&[Request::due("BP0000Y")
        .set("content_sha256", format!("\"{hash}\""))
        .set("mandatory_after", "")]);
    site
}

#[test]
fn verbs_give_over_there_what_they_give_here_with_the_same_exit_status() {
    let Some(far) = Far::new(optional()) else { return };
    let _service = far.site.service();
    far.site.wait_blocked("BP0000Y", &["optional"]);
    for args in [
        &["list", "--json"][..],
        &["history"],
        &["explain", "BP0000Y", "--json"],
        &["show", "ZZ00000"],
        &["undefer", "BP0000Y", "--json"],
        &["audit", "verify"],
    ] {
        let (there, here) = (far.pcm(args), far.site.pcm(args));
        assert_eq!(there.status.code(), here.status.code(), "{args:?}: {}", text(&there));
        // Ages and clocks move between two calls.
        let shape = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(|c: char| c.is_ascii_digit(), "0");
        assert_eq!(shape(&there.stdout), shape(&here.stdout), "{args:?}");
        assert_eq!(shape(&there.stderr), shape(&here.stderr), "{args:?}");
    }
    let run =
        far.pcm(&["run", "BP0000Y", "--wait", "--reason", "it's \"urgent\"; $(touch /tmp/x) `id` \\ ü"]);
    assert_eq!(run.status.code(), Some(7), "the package did not succeed: {}", text(&run));
    assert_eq!(far.site.ran("ran"), 1);
    let history = far.site.json(&["history"]);
    assert_eq!(history["attempts"][0]["reason"], "it's \"urgent\"; $(touch /tmp/x) `id` \\ ü");
}

#[test]
fn another_machine_than_the_one_that_is_named_is_refused_before_anything_is_done() {
    let Some(far) = Far::new(optional()) else { return };
    let right = far.pcm(&["--machine", MACHINE, "poll"]);
    assert_eq!(right.status.code(), Some(0), "{}", text(&right));
    let before = far.site.json(&["audit"])["entries"].as_array().unwrap().len();
    let wrong = far.pcm(&["--machine", "BP004001", "poll", "--json"]);
    assert_eq!(wrong.status.code(), Some(3), "{}", text(&wrong));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("other-machine"), "{}", text(&wrong));
    assert_eq!(far.site.json(&["audit"])["entries"].as_array().unwrap().len(), before);
    let mut console = Terminal::start(&far.command(&["--machine", "BP004001"]), 80, 24);
    assert_eq!(console.wait_exit(), 3);
    console.wait_end();
    assert!(!console.bytes().contains(&0x1b), "no console was drawn");
    assert!(console.screen().contains("other-machine"), "{}", console.screen());
}

#[test]
fn the_console_of_another_machine_opens_in_this_terminal_and_leaves_it_as_it_was() {
    let Some(far) = Far::new(optional()) else { return };
    let _service = far.site.service();
    let mut console = Terminal::start(&far.command(&["--machine", MACHINE, "--read-only"]), 80, 24);
    console.wait("[RO]");
    console.wait("BP0000Y");
    console.resize(100, 30);
    wait_for("the new size", || console.rows()[29].contains("? help"));
    console.keys("q");
    assert_eq!(console.wait_exit(), 0);
    console.wait_end();
    assert!(!console.alternate() && console.cursor() && !console.brackets());
    wait_for("nothing is left over there", || far.sshd.processes().is_empty());
}

#[test]
fn a_line_that_drops_gives_the_terminal_back_and_says_how_to_look_again() {
    let Some(far) = Far::new(optional()) else { return };
    let _service = far.site.service();
    let mut console = Terminal::start(&far.command(&["--machine", MACHINE]), 80, 24);
    console.wait("BP0000Y");
    assert!(console.alternate());
    // The server's end of the connection goes, as with a machine that loses its network.
    for pid in far.sshd.processes() {
        let _ = std::process::Command::new("kill").args(["-9", &pid.to_string()]).status();
    }
    assert_eq!(console.wait_exit(), 8);
    console.wait_end();
    assert!(!console.alternate() && console.cursor() && !console.brackets());
    let screen = console.screen();
    assert!(screen.contains("connection-lost") && screen.contains("Look again with: pcm --host"), "{screen}");
}

#[test]
fn a_log_that_is_followed_over_there_ends_with_ctrl_c_here() {
    let Some(far) = Far::new(optional()) else { return };
    let _service = far.site.service();
    let mut log = Terminal::start(&far.command(&["log", "-f"]), 100, 30);
    log.wait("Looking for instruction file");
    log.keys("\x03");
    log.wait_exit();
    wait_for("nothing is left over there", || far.sshd.processes().is_empty());
}

#[test]
fn a_server_that_is_not_there_is_one_line() {
    let Some(far) = Far::new(Site::new()) else { return };
    let mut pcm = far.command(&["status"]);
    pcm.env("PCM_SSH", "ssh -F /dev/null -p 1 -o ConnectTimeout=5");
    let output = pcm.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("host-unreachable") && said.lines().count() == 1, "{said}");
}

#[test]
fn evidence_of_another_machine_comes_whole_through_the_connection() {
    let Some(far) = Far::new(optional()) else { return };
    far.site.json(&["poll"]);
    let file = far.site.path("evidence");
    let path = file.display().to_string();
    let done = far.pcm(&["--machine", MACHINE, "evidence", "BP0000Y", "--out", &path, "--json"]);
    assert!(done.status.success(), "{}", text(&done));
    let doc: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    let bytes = std::fs::read(&file).unwrap();
    assert_eq!((&doc["sha256"], &doc["request_id"]), (&sha256(&bytes).into(), &"BP0000Y".into()), "{doc}");
    let other = far.site.path("other").display().to_string();
    let wrong = far.pcm(&["--machine", "BP004001", "evidence", "BP0000Y", "--out", &other]);
    assert_eq!(wrong.status.code(), Some(3), "{}", text(&wrong));
    assert!(text(&wrong).contains("[other-machine]") && !far.site.path("other").exists(), "{}", text(&wrong));
}
