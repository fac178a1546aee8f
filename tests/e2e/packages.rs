//! What packages do, good and nasty, and what they end as.

use super::common::*;
use super::small::Small;
use std::process::Command;

/// Runs one package to its end; its newest attempt.
fn run(script: &str, change: impl FnOnce(Request) -> Request) -> (Site, serde_json::Value) {
    let mut site = Site::new();
    let hash = site.package("BP00000A", script);
    site.publish(&[change(Request::due("BP0000Y").set("content_sha256", format!("\"{hash}\"")))]);
    let output = site.pcm(&["run", "BP0000Y", "--wait", "--json"]);
    let doc = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", text(&output)));
    (site, doc)
}

/// What has just been published is still being copied: whoever waits for its end waits for that, too.
#[test]
fn a_run_that_is_waited_for_waits_for_its_files() {
    let mut site = Site::new();
    let large = |script: &str| format!("{script}\nexit 0\n{}", "#".repeat(192 << 20));
    let good = site.package("BP00000A", &large(&site.say("ran")));
    let other = site.package("BP00000B", &large("true"));
    // As large as its list says, and not what it says.
    let file = site.share().join("packages/BP00000B/files/setup.sh");
    let mut changed = std::fs::OpenOptions::new().write(true).open(&file).unwrap();
    std::io::Seek::seek(&mut changed, std::io::SeekFrom::End(-1)).unwrap();
    std::io::Write::write_all(&mut changed, b"?").unwrap();
    let _service = site.service();
    let optional = |id: &str, hash: &str| {
        Request::due(id).set("content_sha256", format!("\"{hash}\"")).set("mandatory_after", "")
    };
    site.publish(&[
        optional("BP00001", &good),
        optional("BP00002", &other).set("package_id", "\"BP00000B\""),
    ]);
    site.json(&["poll"]);
    let shown = site.json(&["show", "BP00002"]);
    assert!(
        !shown["copying_since"].is_null() && shown["gates"].to_string().contains("being copied since"),
        "{shown}"
    );
    assert_eq!(
        site.refused(&["run", "BP00002"], 3)["code"],
        "content-missing",
        "who does not wait hears how it stands"
    );
    let ran = site.pcm(&["run", "BP00001", "--wait", "--json"]);
    assert!(ran.status.success() && site.ran("ran") == 1, "{}", text(&ran));
    assert_eq!(
        site.refused(&["run", "BP00002", "--wait"], 3)["code"],
        "content-mismatch",
        "a copy that fails ends it"
    );
}

fn mif(status: &str, description: &str) -> String {
    format!(
        "cat > \"$PCM_STATUS_MIF\" <<EOF\nSTART COMPONENT\nNAME = \"WORKSTATION\"\n  START GROUP\n  NAME = \"InstallStatus\"\n  ID = 1\n  CLASS = \"MICROSOFT|JOBSTATUS|1.0\"\n    START ATTRIBUTE\n    NAME = \"Status\"\n    ID = 1\n    TYPE = STRING(16)\n    VALUE = \"{status}\"\n    END ATTRIBUTE\n    START ATTRIBUTE\n    NAME = \"Description\"\n    ID = 2\n    TYPE = STRING(128)\n    VALUE = \"{description}\"\n    END ATTRIBUTE\n  END GROUP\nEND COMPONENT\nEOF\n"
    )
}

#[test]
fn a_status_mif_wins_over_the_exit_code() {
    let (_site, doc) = run(&format!("{}exit 4", mif("Success", "all is well")), |r| r);
    assert_eq!((doc["state"].as_str(), doc["result"].as_str()), (Some("succeeded"), Some("all is well")));
    let (_site, doc) = run(&mif("Failed", "no room for the new version"), |r| r);
    assert_eq!(
        (doc["state"].as_str(), doc["result"].as_str()),
        (Some("failed"), Some("no room for the new version"))
    );
}

#[test]
fn a_malformed_status_mif_is_a_failure_although_the_exit_code_is_0() {
    let (_site, doc) = run("echo nonsense > \"$PCM_STATUS_MIF\"", |r| r);
    assert_eq!(doc["state"], "failed");
    assert!(doc["result"].as_str().unwrap().contains("MIF"), "{doc}");
}

/// Nothing of a package can be started from a file system that is mounted noexec: no attempt is used up, and once it is
/// mounted otherwise, what is due runs.
#[test]
fn a_stage_from_which_nothing_can_be_started_costs_no_attempt() {
    let mut site = Site::new();
    let stage = site.state().join("stage");
    make_dir(&stage);
    let Some(_noexec) = Small::with(stage.clone(), "noexec,mode=0711") else { return };
    let hash = site.package("BP00000A", &site.say("ran"));
    site.publish(&[Request::due("BP0000Y").set("content_sha256", format!("\"{hash}\""))]);
    let _service = site.service();
    wait_for("it is refused", || site.state_of("BP0000Y") == "rejected");
    let why = site.json(&["explain", "BP0000Y"]);
    assert!(why["gates"].to_string().contains("mounted noexec: mount it with exec"), "{why}");
    assert_eq!(site.refused(&["run", "BP0000Y"], 3)["code"], "command-refused");
    assert_eq!(site.json(&["history"])["attempts"], serde_json::json!([]));
    assert!(site.pcm(&["list"]).status.success());
    let remount = Command::new("mount").args(["-o", "remount,exec"]).arg(&stage).status().unwrap();
    assert!(remount.success());
    site.wait_state("BP0000Y", "succeeded");
    assert_eq!(site.ran("ran"), 1);
}

/// The list says how large it is: a disk is not filled to its end to find out, and what is due and does not run is told.
#[test]
fn a_package_that_is_larger_than_the_disk_is_not_copied_and_every_view_says_so() {
    let mut site = Site::new();
    let stage = site.state().join("stage");
    make_dir(&stage);
    let Some(small) = Small::over(stage.clone()) else { return };
    site.package("BP00000A", &site.say("ran"));
    let package = site.share().join("packages/BP00000A");
    let large = 64 << 20;
    std::fs::File::create(package.join("files/large.bin")).unwrap().set_len(large).unwrap();
    let list = std::fs::read_to_string(package.join("CONTENT")).unwrap();
    let list = format!("{} {large} large.bin\n{list}", sha256(&vec![0; 64 << 20]));
    write(&package.join("CONTENT"), list.as_bytes());
    let hash = sha256(list.as_bytes());
    site.publish(&[Request::due("BP0000Y").set("content_sha256", format!("\"{hash}\""))]);
    let _service = site.service();
    let problem = |view: &str| {
        let doc = site.json_of(&[view]);
        let all = doc["problems"].as_array().cloned().unwrap_or_default();
        all.into_iter().find(|problem| problem["code"] == "content-missing")
    };
    wait_for("it is said", || problem("status").is_some());
    for view in ["status", "list"] {
        let message = problem(view).unwrap()["message"].as_str().unwrap().to_owned();
        let told = ["BP0000Y is due", "BP00000A", "its files take 64", "are free at"];
        assert!(told.iter().all(|words| message.contains(words)), "{view}: {message}");
    }
    assert_eq!(site.pcm(&["status"]).status.code(), Some(10));
    let used = std::fs::read_dir(&stage).unwrap().count();
    assert_eq!(used, 0, "nothing was begun");
    drop(small);
    site.wait_state("BP0000Y", "succeeded");
    assert_eq!(problem("status"), None);
}

#[test]
fn a_launcher_that_exits_while_its_children_install_is_not_done_until_they_are() {
    let mut site = Site::new();
    let script = format!(
        "(setsid sh -c 'sleep 2; {}' >/dev/null 2>&1 &) ; exit 0",
        site.say("child").replace('\'', "'\\''")
    );
    let hash = site.package("BP00000A", &script);
    site.publish(&[Request::due("BP0000Y").set("content_sha256", format!("\"{hash}\""))]);
    let doc = site.json(&["run", "BP0000Y", "--wait"]);
    assert_eq!(doc["state"], "succeeded");
    assert_eq!(site.ran("child"), 1, "it had not ended before its child had");
}

#[test]
fn a_package_over_its_time_limit_is_ended_whole_although_it_ignores_sigterm() {
    let (site, doc) = run(
        "trap '' TERM; (trap '' TERM; setsid sh -c 'trap \"\" TERM; while :; do sleep 1; done') & while :; do sleep 1; done",
        |r| r.set("max_run_time", "\"2s\""),
    );
    assert_eq!(doc["state"], "timed-out", "{doc}");
    let mark = format!("PCM_STATUS_MIF={}", site.state().display());
    let alive = std::fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        String::from_utf8_lossy(&std::fs::read(entry.path().join("environ")).unwrap_or_default())
            .contains(&mark)
    });
    assert!(!alive, "something of it survived");
}

#[test]
fn the_publishers_exit_codes_count() {
    let (_site, doc) = run("exit 17", |r| r.set("exit_codes", "{ \"17\" = \"success\" }"));
    assert_eq!((doc["state"].as_str(), doc["exit_code"].as_i64()), (Some("succeeded"), Some(17)));
}

#[test]
fn busy_is_retried_by_policy_with_a_claim_of_its_own() {
    let mut site = Site::with_config("[run]\nretry_after = \"2s\"\nretries = 2\n");
    let hash =
        site.package("BP00000A", &format!("{}; test $PCM_ATTEMPT = 2 || exit 82; exit 0", site.say("ran")));
    site.publish(&[Request::due("BP0000Y")
        .set("content_sha256", format!("\"{hash}\""))
        .set("exit_codes", "{ \"82\" = \"retry\" }")]);
    let _service = site.service();
    site.wait_state("BP0000Y", "retry-wait");
    site.wait_state("BP0000Y", "succeeded");
    let attempts = site.json(&["history", "BP0000Y"])["attempts"].take();
    assert_eq!((attempts[0]["attempt"].as_i64(), attempts[1]["attempt"].as_i64()), (Some(2), Some(1)));
    assert_eq!(site.ran("ran"), 2);
}

#[test]
fn hostile_output_reaches_no_view_unescaped() {
    let (site, _) = run("printf 'a\\033[2Jb\\rforged\\n'; exit 1", |r| {
        r.set("package", "\"evil \\u001b]0;x\\u0007 name\"")
    });
    for args in
        [&["list", "--all"][..], &["show", "BP0000Y"], &["history"], &["explain", "BP0000Y"], &["log"]]
    {
        let output = site.pcm(args);
        let bad = output.stdout.iter().chain(&output.stderr).any(|b| *b < 0x20 && *b != b'\n' || *b == 0x7f);
        assert!(!bad, "pcm {args:?}: {:?}", String::from_utf8_lossy(&output.stdout));
    }
}

#[test]
fn content_that_was_changed_on_the_share_is_not_run() {
    let mut site = Site::new();
    let hash = site.package("BP00000A", &site.say("good"));
    site.package("BP00000A", &site.say("evil"));
    site.publish(&[Request::due("BP0000Y").set("content_sha256", format!("\"{hash}\""))]);
    let _service = site.service();
    site.wait_state("BP0000Y", "waiting");
    wait_for("the mismatch is told", || {
        site.request("BP0000Y").unwrap()["blocked_by"][0] == "content-mismatch"
    });
    assert_eq!(site.refused(&["run", "BP0000Y"], 3)["code"], "content-mismatch");
    assert_eq!((site.ran("good"), site.ran("evil")), (0, 0));
    // Monitoring hears of it, with the package; it is said in the log once, however often the share is looked at.
    for _ in 0..3 {
        site.pcm(&["poll"]);
    }
    let status = site.json_of(&["status"]);
    let problems = status["problems"].as_array().unwrap();
    let told = problems.iter().find(|p| p["code"] == "content-mismatch").expect("a problem of status");
    let message = told["message"].as_str().unwrap();
    assert!(message.contains("BP00000A") && message.contains("copied again at"), "{message}");
    assert_eq!(site.pcm(&["status"]).status.code(), Some(10));
    assert_eq!(site.log().matches("Content is not staged").count(), 1);
    // What it fails over has changed: it is copied at the next look, long before its time.
    site.package("BP00000A", &site.say("good"));
    wait_for("what is mended is run", || site.ran("good") == 1);
}

#[test]
fn a_staged_copy_that_was_changed_is_not_run() {
    let mut site = Site::new();
    let hash = site.package("BP00000A", &site.say("good"));
    site.publish(&[Request::due("BP0000Y")
        .set("content_sha256", format!("\"{hash}\""))
        .set("mandatory_after", "")]);
    let _service = site.service();
    let staged = site.state().join("stage").join(&hash).join("setup.sh");
    wait_for("it is staged", || staged.is_file());
    std::fs::write(&staged, format!("#!/bin/sh\n{}\n", site.say("evil"))).unwrap();
    wait_for("no run of what was changed", || {
        !site.pcm(&["run", "BP0000Y", "--wait"]).status.success() || site.ran("good") > 0
    });
    assert_eq!(site.ran("evil"), 0);
}

#[test]
fn a_staged_copy_that_was_changed_is_copied_anew_by_the_service() {
    let mut site = Site::new();
    let hash = site.package("BP00000A", &site.say("good"));
    let request = Request::due("BP0000Y").set("content_sha256", format!("\"{hash}\""));
    site.publish(&[request.clone().mandatory(now() + seconds(4))]);
    let _service = site.service();
    let staged = site.state().join("stage").join(&hash).join("setup.sh");
    wait_for("it is staged", || staged.is_file());
    std::fs::write(&staged, format!("#!/bin/sh\n{}\n", site.say("evil"))).unwrap();
    site.wait_state("BP0000Y", "succeeded");
    assert_eq!((site.ran("good"), site.ran("evil")), (1, 0));
}

#[test]
fn a_package_runs_as_the_account_of_the_configuration_and_can_write_its_status_mif() {
    if !std::process::Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n") {
        skipped("only root can run packages as another account");
        return;
    }
    let mut site = Site::with_config("[run]\nrun_as = \"nobody\"\n");
    let hash = site.package("BP00000A", &format!("{}id -un; exit 3", mif("Success", "written by nobody")));
    site.publish(&[Request::due("BP0000Y").set("content_sha256", format!("\"{hash}\""))]);
    // The way to the state folder must be open for that account, as it is at /var/lib/pcm.
    mode(site.path("").as_path(), 0o755);
    let doc = site.json(&["run", "BP0000Y", "--wait"]);
    assert_eq!(
        (doc["state"].as_str(), doc["result"].as_str()),
        (Some("succeeded"), Some("written by nobody"))
    );
    let show = site.json(&["show", "BP0000Y"]);
    assert_eq!(show["run_as"], "nobody");
    let transcript = std::fs::read_to_string(show["attempts"][0]["transcript"].as_str().unwrap()).unwrap();
    assert_eq!(transcript, "nobody\n");
}

#[test]
fn the_notify_command_is_told_of_a_failure_as_json() {
    let mut site = Site::bare("");
    let told = site.path("told");
    let config = std::fs::read_to_string(site.config()).unwrap();
    let notify = format!("{config}[notify]\ncommand = [\"/bin/sh\", \"-c\", \"cat > {}\"]\n", told.display());
    write(&site.config(), notify.as_bytes());
    assert!(site.pcm(&["init"]).status.success());
    let hash = site.package("BP00000A", "exit 17");
    site.publish(&[Request::due("BP0000Y").set("content_sha256", format!("\"{hash}\""))]);
    let _service = site.service();
    site.wait_state("BP0000Y", "failed");
    let mut notice = serde_json::Value::Null;
    wait_for("the command is told", || {
        notice = std::fs::read(&told).ok().and_then(|b| serde_json::from_slice(&b).ok()).unwrap_or_default();
        notice.is_object()
    });
    assert_eq!((notice["event"].as_str(), notice["request_id"].as_str()), (Some("failed"), Some("BP0000Y")));
    assert_eq!(notice["machine"], MACHINE);
}
