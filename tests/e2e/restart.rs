//! A restart that a package wants: pending, shown, and done once, by a stand-in for the system's command.

use super::common::*;
use super::logind::Logind;
use std::process::{Command, Output};

/// A machine whose restart says so to the witness, with these lines in `[restart]`, and one request with this exit code.
fn site(lines: &str, exit: i32, change: impl FnOnce(Request) -> Request) -> Site {
    let mut site = Site::bare("");
    let command = site.path("restart-me");
    install_script(&command, &format!("#!/bin/sh\necho restarted >> '{}'\n", site.witness().display()));
    let config = std::fs::read_to_string(site.config()).unwrap();
    let config = format!("{config}\n[restart]\ncommand = [{:?}]\n{lines}\n", command.display().to_string());
    write(&site.config(), config.as_bytes());
    assert!(site.pcm(&["init"]).status.success());
    let hash = site.package("BP00000A", &format!("{}; exit {exit}", site.say("ran")));
    let request = Request::due("BP0000Y").set("content_sha256", format!("\"{hash}\""));
    site.publish(&[change(request.set("exit_codes", "{ \"10\" = \"restart\" }"))]);
    site
}

fn restart(site: &Site) -> serde_json::Value {
    site.json_of(&["status"])["restart"].take()
}

/// DEFECTS Q171070: it is a step of its own, shown until it is done.
#[test]
fn a_restart_that_a_package_wants_stays_pending_until_an_operator_does_it() {
    let mut site = site("", 10, |r| r);
    let service = site.service();
    site.wait_state("BP0000Y", "succeeded-restart");
    let pending = restart(&site);
    assert_eq!(
        (pending["state"].as_str(), pending["requests"][0].as_str()),
        (Some("by-hand"), Some("BP0000Y"))
    );
    assert_eq!(site.json_of(&["status"])["restart_pending"], true);
    // Nothing else starts by itself before it is done, and it is remembered over a new start of the service.
    let hash = site.package("BP00000B", &site.say("ran"));
    let next = Request::due("BP0000Z").set("package_id", "\"BP00000B\"");
    site.publish(&[Request::due("BP0000Y"), next.set("content_sha256", format!("\"{hash}\""))]);
    site.wait_state("BP0000Z", "waiting");
    wait_for("the pending restart is the reason", || {
        site.request("BP0000Z").unwrap()["blocked_by"][0] == "restart-pending"
    });
    service.kill();
    let _service = site.service();
    site.wait_state("BP0000Z", "waiting");

    let would = site.json(&["restart", "now", "--dry-run"]);
    assert!(would["would"].as_str().unwrap().contains("restart the machine now"), "{would}");
    assert_eq!(site.ran("restarted"), 0);
    let done = site.json(&["restart", "now", "--reason", "asked for"]);
    assert_eq!(
        (done["state"].as_str(), done["restart_pending"].as_bool()),
        (Some("asked"), Some(true)),
        "{done}"
    );
    wait_for("the system was asked", || site.ran("restarted") == 1);
    assert_eq!(site.refused(&["restart", "now"], 3)["code"], "busy", "once is enough");
    let refused = site.refused(&["run", "BP0000Z", "--override", "host", "--reason", "now"], 3);
    assert_eq!(refused["code"], "busy", "nothing begins on a machine that goes down");
    let audit = site.json(&["audit"]);
    let of = |verb: &str| audit["entries"].as_array().unwrap().iter().filter(|e| e["verb"] == verb).count();
    assert_eq!(of("restart now"), 4, "asked and done, asked and refused: {audit}");
    assert_eq!((site.ran("restarted"), site.ran("ran BP0000Z")), (1, 0));
}

#[test]
fn where_none_is_pending_there_is_nothing_to_restart_for() {
    let site = site("", 0, |r| r);
    let _service = site.service();
    site.wait_state("BP0000Y", "succeeded");
    assert_eq!(restart(&site)["state"], "none");
    for verb in [&["restart", "now"][..], &["restart", "cancel"], &["restart", "defer", "--for", "1h"]] {
        assert_eq!(site.refused(verb, 3)["code"], "restart-not-pending");
    }
    assert_eq!(site.ran("restarted"), 0);
}

#[test]
fn pcm_restarts_by_itself_only_what_asked_for_it_and_only_where_that_is_allowed() {
    let pcm = |r: Request| r.set("restarts", "\"pcm\"");
    let forbidden = site("countdown = \"0s\"", 0, pcm);
    let _first = forbidden.service();
    forbidden.wait_state("BP0000Y", "succeeded-restart");
    assert_eq!(restart(&forbidden)["state"], "by-hand");

    let allowed = site("allow = true\ncountdown = \"0s\"", 0, pcm);
    let _second = allowed.service();
    wait_for("it is restarted", || allowed.ran("restarted") == 1);
    assert_eq!(restart(&allowed)["state"], "asked");
    assert!(allowed.log().contains("The machine is restarted by service: BP0000Y"), "{}", allowed.log());
    assert_eq!((forbidden.ran("restarted"), allowed.ran("restarted")), (0, 1));
    for verb in [&["restart", "defer", "--for", "1h"][..], &["restart", "cancel"]] {
        let refused = forbidden.refused(verb, 3);
        assert_eq!(refused["code"], "restart-by-hand", "{refused}");
        assert!(refused["message"].as_str().unwrap().contains("[restart] allow is false"), "{refused}");
    }
}

#[test]
fn users_are_told_and_an_operator_defers_or_cancels_it() {
    let mut site = site("allow = true\ncountdown = \"10m\"", 0, |r| r.set("restarts", "\"pcm\""));
    let Some(logind) = Logind::start(&site.path(".")) else { return };
    site.bus = Some(logind.address.clone());
    logind.log_on("c1", "anna", "tty99");
    let _service = site.service();
    site.wait_state("BP0000Y", "succeeded-restart");
    wait_for("it is announced", || restart(&site)["state"] == "countdown");
    assert!(restart(&site)["restarts_at"].is_string());
    site.wait_log("The machine restarts in 10m: BP0000Y (Acme Workstation 4.0) wants a restart");
    site.wait_log("Notice to anna on tty99.");

    let deferred = site.json(&["restart", "defer", "--for", "1h", "--reason", "a backup runs"]);
    assert_eq!(deferred["state"], "deferred", "{deferred}");
    assert!(deferred["deferred_until"].is_string(), "the next decision is known: {deferred}");
    site.wait_log("The restart is called off: ");
    let cancelled = site.json(&["restart", "cancel"]);
    assert_eq!(
        (cancelled["state"].as_str(), cancelled["restart_pending"].as_bool()),
        (Some("cancelled"), Some(true))
    );
    assert_eq!(site.ran("restarted"), 0);
    let page = site.pcm(&["status"]);
    assert!(text(&page).contains("PENDING, and not done by pcm"), "{}", text(&page));
}

/// As `pcm demo --keep` leaves it, configuration and state in one folder, of this account or of `nobody`; None, with the skip
/// printed, where that cannot be tried.
fn demo(site: &Site, of_nobody: bool) -> Option<impl Fn(&[&str]) -> Output> {
    let folder = site.path("demo");
    make_dir(&folder);
    mode(&site.path(""), 0o755);
    write(&site.witness(), b"");
    let mark = "# The demo's machine. Everything of it is in this folder.\n";
    let config = std::fs::read_to_string(site.config()).unwrap();
    write(&folder.join("pcm.toml"), format!("{mark}{config}").as_bytes());
    let (bus, paths) = (site.bus.clone().unwrap(), [folder.clone(), site.witness()]);
    let ask = move |words: &[&str]| {
        let mut asked = Command::new(env!("CARGO_BIN_EXE_pcm"));
        asked.arg("--config").arg(folder.join("pcm.toml")).arg("--state").arg(folder.join("state"));
        asked.env("DBUS_SYSTEM_BUS_ADDRESS", &bus).args(words).arg("--json").output().unwrap()
    };
    assert!(ask(&["init"]).status.success());
    if of_nobody {
        use std::os::unix::process::CommandExt;
        let given = Command::new("chown").arg("-R").arg("65534:65534").args(&paths).status();
        let starts =
            Command::new(env!("CARGO_BIN_EXE_pcm")).arg("--version").uid(65_534).gid(65_534).output();
        if !(given.is_ok_and(|s| s.success()) && starts.is_ok_and(|o| o.status.success())) {
            skipped("needs root, and a binary that other accounts may start");
            return None;
        }
    }
    Some(ask)
}

/// Where the service of a demo died, whoever asks acts by itself, and root as the account that it belongs to. The machine is
/// somebody's.
#[test]
fn what_is_asked_in_the_folder_of_a_demo_without_its_service_restarts_nothing_and_tells_nobody() {
    for of_nobody in [false, true] {
        let mut site = site("", 10, |r| r);
        let Some(logind) = Logind::start(&site.path(".")) else { return };
        site.bus = Some(logind.address.clone());
        logind.log_on("c1", "anna", "tty99");
        let Some(ask) = demo(&site, of_nobody) else { return };
        let ran = ask(&["run", "BP0000Y", "--wait"]);
        assert!(ran.status.success(), "{}", text(&ran));
        let status: serde_json::Value = serde_json::from_slice(&ask(&["status"]).stdout).unwrap();
        assert_eq!(status["restart"]["state"], "by-hand");
        for words in [&["restart", "now"][..], &["notice", "log off at six please"]] {
            let refused = ask(words);
            assert_eq!(refused.status.code(), Some(3), "{words:?}: {}", text(&refused));
            let error: serde_json::Value = serde_json::from_slice(&refused.stderr).unwrap();
            assert_eq!(error["error"]["code"], "demo", "{words:?}: {error}");
        }
        assert_eq!((site.ran("ran"), site.ran("restarted")), (1, 0));
        let log = std::fs::read_to_string(site.path("demo/state/log/PACMAN.LOG")).unwrap();
        assert!(!log.contains("Notice to "), "{log}");
    }
}

#[test]
fn never_while_a_package_runs_and_the_system_is_kept_up_meanwhile() {
    let mut site = site("allow = true\ncountdown = \"0s\"", 10, |r| r.set("restarts", "\"pcm\""));
    let go = site.path("go");
    let wait = format!("{}; while ! test -e '{}'; do sleep 0.1; done", site.say("ran"), go.display());
    let Some(logind) = Logind::start(&site.path(".")) else { return };
    site.bus = Some(logind.address.clone());
    let hash = site.package("BP00000B", &wait);
    let service = site.service();
    wait_for_or(std::time::Duration::from_secs(30), || site.ran("restarted") == 1)
        .unwrap_or_else(|()| panic!("{}\n{}", site.log(), restart(&site)));
    service.kill();
    // A second one is started by an operator all the same; the next service finds it running, and a restart pending.
    let next = Request::due("BP0000Z").set("package_id", "\"BP00000B\"");
    site.publish(&[Request::due("BP0000Y"), next.set("content_sha256", format!("\"{hash}\""))]);
    site.json(&["run", "BP0000Z", "--override", "host", "--reason", "urgent"]);
    let _service = site.service();
    wait_for("the system is kept up", || logind.inhibitors().contains("pcm"));
    assert_eq!(site.refused(&["restart", "now"], 3)["code"], "busy");
    assert_eq!(
        (restart(&site)["state"].as_str(), restart(&site)["code"].as_str()),
        (Some("waiting"), Some("busy"))
    );
    assert_eq!(site.ran("restarted"), 1);
    std::fs::write(&go, "").unwrap();
    site.wait_state("BP0000Z", "succeeded");
    wait_for("it is restarted after it", || site.ran("restarted") == 2);
    wait_for("and no longer kept up", || !logind.inhibitors().contains("pcm"));
}

#[test]
fn a_restart_that_fails_is_loud_and_stays_pending() {
    let site = site("allow = true\ncountdown = \"0s\"", 0, |r| r.set("restarts", "\"pcm\""));
    install_script(&site.path("restart-me"), "#!/bin/sh\necho not today >&2\nexit 1\n");
    let _service = site.service();
    site.wait_log("The restart could not be carried out: ");
    assert!(site.log().contains("not today"), "{}", site.log());
    assert_eq!(site.state_of("BP0000Y"), "succeeded-restart");
    assert_eq!(restart(&site)["restart_pending"], true);
}
