//! `pcm check`: every item fails for a reason that was really made, and passes where it was not.

use super::common::reports::{report_at, report_lines};
use super::common::*;
use super::hanging::Hang;
use super::small::Small;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

mod places;

/// All items, in the order in which they are shown.
const ITEMS: [&str; 41] = [
    "silent",
    "background",
    "mandatory",
    "configuration",
    "service-installed",
    "service-running",
    "service-version",
    "machine-report",
    "polling-interval",
    "account",
    "rights-state",
    "rights-log",
    "rights-share",
    "rights-stage",
    "rights-process",
    "backup",
    "platform",
    "logged-on",
    "restarts",
    "state",
    "history",
    "one-machine",
    "clock",
    "clock-against-share",
    "share",
    "locations",
    "instructions",
    "trust",
    "key-confirmed",
    "roles-apart",
    "validity-left",
    "serial",
    "in-members",
    "parts-readable",
    "version-against-index",
    "content-source",
    "report-location",
    "host-key",
    "log",
    "disk",
    "notifications",
];

/// Those of a machine that publishes, after them.
const OF_A_PUBLISHER: [&str; 4] = ["share-matches-folder", "keys-expiring", "timer", "lock"];

/// The document; its exit status has to say what it says.
fn document(output: &Output) -> Value {
    let doc: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", text(output)));
    let items = doc["items"].as_array().unwrap();
    let names: Vec<&str> = items.iter().map(|i| i["item"].as_str().unwrap()).collect();
    assert!(names == ITEMS || names == [&ITEMS[..], &OF_A_PUBLISHER].concat(), "{names:?}");
    let fails = items.iter().any(|i| i["verdict"] == "block");
    assert_eq!(doc["ok"], !fails);
    assert_eq!(output.status.code(), Some(if fails { 10 } else { 0 }));
    for item in items {
        assert!(!item["evidence"].as_str().unwrap().is_empty(), "{item}");
        assert_eq!(item["remedy"].is_null(), item["verdict"] == "pass", "{item}");
    }
    doc
}

fn check(site: &Site) -> Value {
    document(&site.pcm(&["check", "--json"]))
}

fn item<'a>(doc: &'a Value, name: &str) -> &'a Value {
    doc["items"].as_array().unwrap().iter().find(|i| i["item"] == name).unwrap()
}

/// The item has this verdict, and its evidence says this.
#[track_caller]
fn says(doc: &Value, name: &str, verdict: &str, evidence: &str) {
    let row = item(doc, name);
    assert_eq!(row["verdict"], verdict, "{row}");
    assert!(row["evidence"].as_str().unwrap().contains(evidence), "{evidence:?} is not in {row}");
}

/// The item fails; its evidence says this, and so does its remedy.
#[track_caller]
fn fails(doc: &Value, name: &str, evidence: &str, remedy: &str) {
    says(doc, name, "block", evidence);
    let row = item(doc, name);
    assert!(row["remedy"].as_str().unwrap().contains(remedy), "{remedy:?} is not in {row}");
}

/// A machine with one optional request whose content is there.
fn ready(extra: &str) -> Site {
    let mut site = Site::with_config(extra);
    let hash = site.package("BP00000A", &site.say("ran"));
    site.publish(&[optional("BP0000Y").set("content_sha256", format!("\"{hash}\""))]);
    site
}

fn optional(id: &str) -> Request {
    Request::due(id).set("mandatory_after", "")
}

/// The configuration was changed under it, or names the wrong one.
#[test]
fn a_service_of_another_machine_that_answers_is_not_taken_for_none() {
    let site = ready("");
    let _service = site.service();
    let config = fs::read_to_string(site.config()).unwrap();
    write(&site.config(), config.replace(MACHINE, "BP004001").as_bytes());
    let doc = check(&site);
    fails(&doc, "service-running", "the service that answers is that of BP004000", "--config and --state");
    says(&doc, "service-version", "unknown", "no service of this machine answers");
}

fn published(requests: &[Request]) -> Value {
    let mut site = Site::new();
    site.publish(requests);
    check(&site)
}

#[test]
fn a_machine_that_is_ready_passes_every_item_that_this_system_can_show() {
    let dir = tempfile::tempdir().unwrap();
    let marker = dir.path().join("backup");
    write(&marker, b"");
    let site = ready(&format!("[check]\nbackup_marker = {marker:?}\nbackup = [\"/bin/echo\", \"fresh\"]\n"));
    let _service = site.service();
    wait_for("the machine reports", || site.share().join("machines/BP004000.json").is_file());
    let doc = check(&site);
    for row in doc["items"].as_array().unwrap() {
        // What depends on the system's supervisor and on logind is not the same everywhere.
        let system = ["service-installed", "logged-on"].contains(&row["item"].as_str().unwrap());
        assert!(row["verdict"] == "pass" || (system && row["verdict"] != "pass"), "{row}");
    }
    says(&doc, "silent", "pass", "1 command");
    says(&doc, "mandatory", "pass", "BP0000Y");
    says(&doc, "service-version", "pass", env!("CARGO_PKG_VERSION"));
    says(&doc, "polling-interval", "pass", "needed at least 20m");
    says(&doc, "rights-stage", "pass", "was started as");
    says(&doc, "backup", "pass", "fresh");
    says(&doc, "instructions", "pass", "serial 1");
    assert_eq!(site.ran("ran"), 0, "looking runs nothing");
    let left = |folder: &str| {
        let names = fs::read_dir(site.state().join(folder)).unwrap();
        names.filter(|e| e.as_ref().unwrap().file_name().to_string_lossy().starts_with(".check")).count()
    };
    assert_eq!(
        (left("."), left("stage"), left("runs"), left("log")),
        (0, 0, 0, 0),
        "and leaves nothing behind"
    );
}

#[test]
fn a_machine_without_a_configuration_is_told_how_to_enrol() {
    let dir = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_pcm"))
        .arg("--config")
        .arg(dir.path().join("pcm.toml"))
        .arg("--state")
        .arg(dir.path().join("state"))
        .args(["check", "--json"])
        .env("TZ", "UTC")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let doc = document(&output);
    fails(&doc, "configuration", "not enrolled", "init --machine");
    fails(&doc, "state", "there is no", "init");
    fails(&doc, "history", "no history", "init");
    says(&doc, "silent", "unknown", "not enrolled");
    says(&doc, "share", "unknown", "not enrolled");
}

#[test]
fn a_configuration_that_cannot_be_used_is_shown_with_its_lines() {
    let site = ready("");
    let text = fs::read_to_string(site.config()).unwrap();
    write(&site.config(), format!("{text}[run]\nretries = \"many\"\n").as_bytes());
    let doc = check(&site);
    fails(&doc, "configuration", "run.retries", "Correct");
    let line = text.lines().count() + 2;
    says(&doc, "configuration", "block", &format!("line {line}"));
    says(&doc, "silent", "unknown", "configuration cannot be used");
}

#[test]
fn commands_that_ask_somebody_are_not_silent() {
    let doc = published(&[optional("BP0000Y").set("automated", "false").set("background", "false")]);
    fails(&doc, "silent", "1 command needs input", "automated = true");
    let doc = published(&[optional("BP0000Y").set("command_line", "\"apt-get install acme\"")]);
    fails(&doc, "silent", "BP0000Y: apt-get without -y", "-y among");
    let doc = published(&[optional("BP0000Y").set("command_line", "\"apt-get -y install acme\"")]);
    fails(&doc, "silent", "lets dpkg ask", "--force-confold among");
    let doc = published(&[optional("BP0000Y")
        .set("command_line", "\"apt-get -y -o Dpkg::Options::=--force-confold install acme\"")]);
    says(&doc, "silent", "pass", "1 command");
}

#[test]
fn what_is_mandatory_and_not_background_is_skipped_by_the_service() {
    let doc = published(&[Request::due("BP0000Y").set("background", "false")]);
    fails(&doc, "background", "BP0000Y", "run BP0000Y");
    let doc = published(&[Request::due("BP0000Y")]);
    says(&doc, "background", "pass", "1 of 1 command");
}

#[test]
fn what_fits_into_no_window_will_never_run() {
    let mut site = Site::with_config("[windows]\nweekly = [\"Sat 22:00-23:00\"]\n");
    site.publish(&[Request::due("BP0000Y").set("max_run_time", "\"2h\"")]);
    fails(&check(&site), "mandatory", "BP0000Y will never run by itself", "--override window");
    site.publish(&[Request::due("BP0000Y").set("max_run_time", "\"30m\"")]);
    says(&check(&site), "mandatory", "pass", "BP0000Y since Sun 2026-11-01 01:00");
}

#[test]
fn packages_for_other_platforms_only_are_no_packages_for_this_machine() {
    let other = "[\"windows-x86_64\"]";
    let doc = published(&[optional("BP0000Y").set("platforms", other)]);
    fails(&doc, "platform", "everything published to it is for other platforms: BP0000Y", "other machines");
    let doc = published(&[optional("BP0000Y").set("platforms", other), optional("BP0000Z")]);
    says(&doc, "platform", "pass", "skipped: BP0000Y");
}

#[test]
fn a_package_that_wants_more_room_than_there_is_fails_the_disk() {
    let doc = published(&[optional("BP0000Y").set("disk_space", "\"900 TB\"")]);
    fails(&doc, "disk", "free, and there are", "Make room");
}

#[test]
fn without_a_service_nothing_runs_and_nothing_is_reported() {
    let site = ready("");
    let doc = check(&site);
    fails(&doc, "service-running", "nobody is the executor", "service run");
    fails(&doc, "machine-report", "not among the site's reports", "log");
    says(&doc, "service-version", "unknown", "no service runs");
    says(&doc, "history", "pass", "agrees with its mark");
}

#[test]
fn a_service_whose_program_was_replaced_is_to_be_restarted() {
    let site = ready("");
    let copy = site.path("pcm");
    let install = || {
        install_program(&site.path("new"));
        fs::rename(site.path("new"), &copy).unwrap();
    };
    let command = |args: &[&str]| {
        let mut command = Command::new(&copy);
        command.arg("--config").arg(site.config()).arg("--state").arg(site.state()).args(args);
        command.env("TZ", "UTC").stdin(Stdio::null());
        command
    };
    install();
    let child = command(&["service", "run"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let _service = Service { child };
    wait_for("the service answers", || {
        site.pcm(&["status", "--json"]).stdout.windows(9).any(|w| w == b"\"running\"")
    });
    let doc = document(&command(&["check", "--json"]).output().unwrap());
    says(&doc, "service-version", "pass", "runs what is installed");
    install();
    let doc = document(&command(&["check", "--json"]).output().unwrap());
    fails(&doc, "service-version", "before it was replaced", "Restart the service");
}

#[test]
fn a_report_that_is_old_or_of_another_machine_is_none() {
    let site = ready("");
    let file = site.share().join("machines/BP004000.json");
    let service = site.service();
    wait_for("the machine reports", || file.is_file());
    service.terminate();
    says(&check(&site), "machine-report", "pass", "BP004000.json");
    let report = report_at(&file);
    let with = |key: &str, value: &str| {
        let mut changed = report.clone();
        changed[key] = value.into();
        write(&file, report_lines(&changed).concat().as_bytes());
    };
    with("reported_at", "2026-11-02T00:00:00Z");
    fails(&check(&site), "machine-report", "older than two intervals of 6h", "does not report");
    with("host", "another-one");
    fails(&check(&site), "machine-report", "was written by another-one", "two machines have one id");
    write(&file, b"{}");
    fails(&check(&site), "machine-report", "malformed", "log");
}

#[test]
fn polling_more_seldom_than_instructions_grow_stale_fails() {
    let site = ready("polling_interval = \"24h\"\n");
    fails(&check(&site), "polling-interval", "every 1d", "Poll more often");
    let site = ready("polling_interval = \"20m\"\n");
    says(&check(&site), "polling-interval", "pass", "every 20m, which is at least 20m");
}

#[test]
fn an_account_that_is_not_there_runs_no_package() {
    let site = ready("[run]\nrun_as = \"no-such-account\"\n");
    let doc = check(&site);
    fails(&doc, "account", "no-such-account", "Make the account");
    fails(&doc, "rights-stage", "no-such-account", "pass through");
    says(&doc, "rights-process", "pass", "was started");
}

#[test]
fn folders_that_cannot_be_written_fail_by_being_tried() {
    let site = ready("");
    for (folder, row) in [("runs", "rights-state"), ("log/runs", "rights-log"), ("stage", "rights-stage")] {
        let path = site.state().join(folder);
        fs::create_dir_all(&path).unwrap();
        says(&check(&site), row, "pass", "as ");
        fs::remove_dir_all(&path).unwrap();
        fs::write(&path, b"in the way").unwrap();
        says(&check(&site), row, "block", path.to_str().unwrap());
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
    }
}

#[test]
fn a_stage_on_a_file_system_that_starts_no_programs_is_found_by_starting_one() {
    let site = ready("");
    let stage = site.state().join("stage");
    let Some(_mounted) = Small::with(stage, "noexec,mode=0711") else { return };
    let doc = check(&site);
    fails(&doc, "rights-stage", "cannot be started", "noexec");
    says(&doc, "rights-process", "pass", "was started");
}

#[test]
fn the_backup_is_what_the_sites_own_command_and_marker_say() {
    says(&check(&ready("")), "backup", "unknown", "nothing says");
    let dir = tempfile::tempdir().unwrap();
    let marker = dir.path().join("backup");
    let site = ready(&format!("[check]\nbackup_marker = {marker:?}\nbackup_within = \"1h\"\n"));
    fails(&check(&site), "backup", "is not there", "Make a backup");
    fs::write(&marker, b"").unwrap();
    says(&check(&site), "backup", "pass", "ago");
    let old = std::time::SystemTime::now() - Duration::from_secs(2 * 3600);
    fs::File::options().write(true).open(&marker).unwrap().set_modified(old).unwrap();
    fails(&check(&site), "backup", "2h old", "Make a backup");
    let script = "[check]\nbackup = [\"/bin/sh\", \"-c\", \"printf '\\\\033[31mtoo old\\\\n'; exit 3\"]\n";
    let doc = check(&ready(script));
    fails(&doc, "backup", "exit 3: ^[[31mtoo old", "Make a backup");
    fails(
        &check(&ready("[check]\nbackup = [\"/no/such/program\"]\n")),
        "backup",
        "/no/such/program",
        "Correct",
    );
}

#[test]
fn a_restart_that_is_pending_stands_in_the_way() {
    let mut site = Site::new();
    let hash = format!("\"{}\"", site.package("BP00000A", "exit 17"));
    site.publish(&[optional("BP0000Y")
        .set("content_sha256", hash.clone())
        .set("restarts", "\"program\"")
        .set("exit_codes", "{ \"17\" = \"restart\" }")]);
    let doc = check(&site);
    assert!(item(&doc, "restarts")["evidence"].as_str().unwrap().contains("BP0000Y"), "{doc}");
    site.json(&["run", "BP0000Y", "--wait"]);
    fails(&check(&site), "restarts", "is pending", "restart now");
}

#[test]
fn who_asks_for_no_users_where_nobody_can_tell_waits_for_ever() {
    let site = ready("");
    if site.json(&["who"])["source"] != "unknown" {
        skipped("this system says who is logged on");
        says(&check(&site), "logged-on", "pass", "");
        return;
    }
    says(&check(&site), "logged-on", "unknown", "cannot be known");
    let doc = published(&[Request::due("BP0000Y").set("run_when", "\"no-user\"")]);
    fails(&doc, "logged-on", "would wait for ever: BP0000Y", "--override users");
}

#[test]
fn a_share_that_is_gone_says_so_and_what_is_held_is_still_judged() {
    let site = ready("");
    site.json(&["poll"]);
    fs::rename(site.share(), site.path("away")).unwrap();
    let doc = check(&site);
    fails(&doc, "share", "is the share mounted?", "Mount the share");
    says(&doc, "silent", "pass", "1 command");
    says(&doc, "rights-share", "unknown", "");
    says(&doc, "machine-report", "unknown", "");
}

#[test]
fn a_share_without_a_file_for_this_machine_answers_and_has_no_instructions() {
    let site = Site::new();
    let doc = check(&site);
    says(&doc, "share", "pass", "answers");
    fails(&doc, "instructions", "no instruction file for this machine", "Publish one");
}

#[test]
fn rejected_requests_and_outdated_files_are_wrong_instructions() {
    let doc = published(&[optional("BP0000Y"), optional("BP0000Z").set("max_run_time", "\"two hours\"")]);
    fails(&doc, "instructions", "1 request rejected", "publisher");
    says(&doc, "instructions", "block", "request[2].max_run_time");
    let mut site = Site::new();
    let text = site
        .instructions(&[])
        .replace("serial = 1\nissued", "serial = 1\nvalid_until = 2026-11-02T00:00:00Z\nissued");
    site.publish_text(&text);
    fails(&check(&site), "instructions", "was valid until", "published again");
}

#[test]
fn whatever_others_may_write_is_not_to_be_trusted() {
    let site = ready("");
    says(&check(&site), "trust", "pass", "UNSIGNED");
    mode(&site.config(), 0o666);
    fails(&check(&site), "trust", "pcm.toml can be written by others", "chmod go-w");
    mode(&site.config(), 0o644);
    mode(&site.share(), 0o777);
    fails(&check(&site), "trust", "chmod go-w", "Put it right on the share");
    mode(&site.share(), 0o755);
    let text = fs::read_to_string(site.config()).unwrap().replace("permissions", "signed");
    write(&site.config(), text.as_bytes());
    fails(&check(&site), "trust", "unsigned", "signed");
}

#[test]
fn a_loose_configuration_gets_no_command_run_as_root() {
    let witness = tempfile::tempdir().unwrap();
    let file = witness.path().join("ran");
    let site = ready(&format!("[check]\nbackup = [\"/bin/touch\", {file:?}]\n"));
    mode(&site.config(), 0o666);
    let doc = check(&site);
    if !Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n") {
        skipped("only root has something to lose by it");
        return;
    }
    says(&doc, "backup", "unknown", "was not run");
    assert!(!file.exists());
    mode(&site.config(), 0o644);
    says(&check(&site), "backup", "pass", "content");
    assert!(file.exists());
}

#[test]
fn a_log_that_is_gone_while_the_service_runs_is_found() {
    let site = ready("");
    says(&check(&site), "log", "unknown", "there is no");
    let service = site.service();
    site.wait_log("Packages before filter: 1");
    says(&check(&site), "log", "pass", "last written");
    // The service holds the file open; what it goes on to write is not where it should be.
    symlink("/nowhere/at/all", site.path("link")).unwrap();
    service.terminate();
    let log = site.state().join("log/PACMAN.LOG");
    fs::remove_file(&log).unwrap();
    symlink(site.path("link"), &log).unwrap();
    let _service = site.service();
    wait_for("the log is missed", || item(&check(&site), "log")["verdict"] == "block");
}

#[test]
fn a_clock_that_went_back_over_a_restart_is_not_believed() {
    let site = ready("");
    let later = (now() + chrono::TimeDelta::days(2)).to_rfc3339();
    let db = rusqlite::Connection::open(site.state().join("history.db")).unwrap();
    db.execute("INSERT OR REPLACE INTO meta (key, value) VALUES ('last_time', ?1)", [later]).unwrap();
    drop(db);
    says(&check(&site), "clock", "pass", "has not gone back");
    let _service = site.service();
    fails(&check(&site), "clock", "behind its last recorded time", "Set the clock");
}

#[test]
fn a_state_folder_that_is_missing_or_no_folder_fails() {
    let site = ready("");
    says(&check(&site), "state", "pass", "belongs to");
    fs::remove_dir_all(site.state()).unwrap();
    fails(&check(&site), "state", "there is no", "init");
    fs::write(site.state(), b"").unwrap();
    fails(&check(&site), "state", "is not a folder", "another");
}

/// `pcm check` as the account `nobody`; None, with the skip printed, where that cannot be tried.
fn as_nobody(site: &Site) -> Option<Value> {
    let root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n");
    mode(&site.path(""), 0o755);
    match site.command(&["check", "--json"]).uid(65_534).gid(65_534).output() {
        Ok(output) if root => Some(document(&output)),
        _ => {
            skipped("needs root, and a binary that other accounts may start");
            None
        }
    }
}

#[test]
fn an_account_without_rights_sees_what_it_may_and_is_told_what_not() {
    let site = ready("");
    let service = site.service();
    wait_for("the machine reports", || site.share().join("machines/BP004000.json").is_file());
    let Some(doc) = as_nobody(&site) else { return };
    for row in ["silent", "service-running", "service-version", "machine-report", "history", "clock", "state"]
    {
        says(&doc, row, "pass", "");
    }
    for row in ["rights-state", "rights-log", "rights-share", "rights-stage", "rights-process"] {
        says(&doc, row, "unknown", "only");
        assert!(item(&doc, row)["remedy"].as_str().unwrap().contains("as root"), "{doc}");
    }
    service.terminate();
    let doc = as_nobody(&site).unwrap();
    says(&doc, "history", "unknown", "may not be read by this account");
    says(&doc, "silent", "pass", "");
    fails(&doc, "service-running", "nobody is the executor", "service run");
}

#[test]
fn the_rights_of_a_service_that_is_not_roots_are_tried_as_its_account() {
    let site = ready("");
    mode(&site.path(""), 0o755);
    let chown = |path: &std::path::Path, to: &str| {
        Command::new("chown").arg("-R").arg(to).arg(path).status().is_ok_and(|s| s.success())
    };
    if !chown(&site.state(), "65534:65534") {
        skipped("needs root");
        return;
    }
    let doc = check(&site);
    says(&doc, "account", "pass", "can install only what that account may");
    says(&doc, "rights-state", "pass", "wrote a file");
    says(&doc, "rights-share", "pass", "read");
    mode(&site.share(), 0o700);
    fails(&check(&site), "rights-share", "share", "the right to read");
    mode(&site.share(), 0o755);
    assert!(chown(&site.state().join("runs"), "0:0"));
    fails(&check(&site), "rights-state", "runs cannot be written", "chown -R");
}

#[test]
fn a_share_that_hangs_keeps_the_checklist_no_longer_than_its_deadline() {
    let site = ready("[share]\ntimeout = \"2s\"\n");
    site.json(&["poll"]);
    let Some(_hang) = Hang::over(&site.share()) else { return };
    let start = Instant::now();
    let doc = check(&site);
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    fails(&doc, "share", "does not answer within 2s", "mounted");
    says(&doc, "machine-report", "unknown", "does not answer");
    says(&doc, "silent", "pass", "1 command");
    says(&doc, "rights-stage", "pass", "was started");
}

#[test]
fn the_text_says_what_is_wrong_where_and_what_to_do() {
    let site = ready("");
    let output = site.pcm(&["check"]);
    assert_eq!(output.status.code(), Some(10));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let at =
        said.lines().position(|l| l.starts_with("FAIL  service-running")).unwrap_or_else(|| panic!("{said}"));
    assert!(said.lines().nth(at + 1).unwrap().contains("> Start it: pcm --config"), "{said}");
    assert!(said.lines().last().unwrap().contains("failed"), "{said}");
    let quiet = site.pcm(&["check", "--quiet"]);
    assert_eq!((quiet.status.code(), quiet.stdout.len()), (Some(10), 0));
}
