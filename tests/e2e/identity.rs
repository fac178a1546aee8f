//! Who a machine is to its share: set up anew it does not run again what it has run before, whether the share is there or
//! not; and another machine with its id is noticed.

use super::common::reports::report_at;
use super::common::*;
use super::hanging::Hang;
use super::pty::Terminal;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

fn ran_once() -> Site {
    let mut site = Site::new();
    let hash = site.package("BP00000A", &site.say("ran"));
    site.publish(&[Request::due("BP0000Y").set("content_sha256", format!("\"{hash}\""))]);
    let service = site.service();
    site.wait_state("BP0000Y", "succeeded");
    let reported = || fs::read_to_string(site.share().join("machines/BP004000.json")).unwrap_or_default();
    wait_for("result and report arrive", || {
        let results = fs::read_dir(site.share().join("despoolr.box").join(MACHINE));
        results.is_ok_and(|all| all.count() == 1) && reported().contains("\"succeeded\"")
    });
    service.terminate();
    site
}

/// As a machine is that was installed anew: state and mark are gone.
fn set_up_anew(site: &Site) {
    fs::remove_dir_all(site.state()).unwrap();
    fs::remove_file(site.path("etc/pcm.mark")).unwrap();
}

/// As a share is that is not mounted.
fn take_away(site: &Site) {
    fs::rename(site.share(), site.path("share.away")).unwrap();
    make_dir(&site.share());
}

fn bring_back(site: &Site) {
    fs::remove_dir(site.share()).unwrap();
    fs::rename(site.path("share.away"), site.share()).unwrap();
}

fn two_polls(site: &Site) {
    let polls = || site.log().matches("Looking for instruction file").count();
    let before = polls();
    wait_for("two more polls", || polls() >= before + 2);
}

/// Every view says that nothing runs, with these words of the problem.
fn closed_everywhere(site: &Site, words: &str) {
    for view in ["status", "list"] {
        let doc = site.json_of(&[view]);
        let problems = doc["problems"].as_array().unwrap();
        let found = problems.iter().find(|p| p["code"] == "history-lost");
        let found = found.unwrap_or_else(|| panic!("{view}: {doc}"));
        assert!(found["message"].as_str().unwrap().contains(words), "{view}: {found}");
    }
    let status = site.pcm(&["status"]);
    assert_eq!(status.status.code(), Some(10), "{}", text(&status));
    let check = site.json_of(&["check"]);
    let history = check["items"].as_array().unwrap().iter().find(|item| item["item"] == "history").unwrap();
    assert_eq!(history["verdict"], "block", "{history}");
    assert!(history["evidence"].as_str().unwrap().contains(words), "{history}");
    assert!(history["remedy"].as_str().unwrap().contains("init --adopt=done"), "{history}");
    let one = check["items"].as_array().unwrap().iter().find(|item| item["item"] == "one-machine").unwrap();
    assert_eq!(one["verdict"], "unknown", "nobody knows what this machine has reported: {one}");
}

#[test]
fn a_machine_set_up_anew_while_its_share_is_away_runs_nothing_again() {
    let site = ran_once();
    let report = site.share().join("machines/BP004000.json");
    let before = fs::read(&report).unwrap();
    set_up_anew(&site);
    take_away(&site);
    let init = site.json(&["init"]);
    assert_eq!(init["history"], "created");
    assert_eq!(init["unseen"], serde_json::json!([site.share().display().to_string()]));
    assert!(init["message"].as_str().unwrap().contains("is the share mounted?"), "{init}");
    closed_everywhere(&site, "it is not known whether this machine has run anything before");
    let _service = site.service();
    two_polls(&site);
    closed_everywhere(&site, "it is not known whether this machine has run anything before");
    bring_back(&site);
    wait_for("what was there before is found", || {
        site.json(&["list"])["problems"].to_string().contains("earlier results of BP004000")
    });
    closed_everywhere(&site, "earlier results of BP004000");
    two_polls(&site);
    let request = site.request("BP0000Y").unwrap();
    assert!(request["blocked_by"].to_string().contains("history-lost"), "{request}");
    let explained = site.json(&["explain", "BP0000Y"])["gates"].to_string();
    assert!(explained.contains("pcm init --adopt=done"), "{explained}");
    assert_eq!(site.refused(&["run", "BP0000Y"], 3)["code"], "history-lost");
    assert_eq!(site.ran("ran"), 1, "{}", site.log());
    site.json(&["init", "--adopt=done"]);
    two_polls(&site);
    assert_eq!(site.ran("ran"), 1, "{}", site.log());
    assert_ne!(fs::read(&report).unwrap(), before, "it reports again");
}

#[test]
fn the_report_alone_tells_of_an_earlier_life_and_is_kept_until_that_is_decided() {
    let site = ran_once();
    fs::remove_dir_all(site.share().join("despoolr.box").join(MACHINE)).unwrap();
    let report = site.share().join("machines/BP004000.json");
    let before = report_at(&report);
    set_up_anew(&site);
    take_away(&site);
    site.json(&["init"]);
    bring_back(&site);
    let service = site.service();
    wait_for("what was there before is found", || {
        site.json(&["list"])["problems"].to_string().contains("speaks of earlier attempts")
    });
    // It says so itself, and what it writes over is no less known than before.
    wait_for("it reports that", || report_at(&report)["problems"].to_string().contains("history-lost"));
    two_polls(&site);
    service.terminate();
    let told = report_at(&report);
    assert!(told["report"].is_null() && told["state_id"].is_string(), "{told}");
    assert_eq!((&told["before"]["number"], site.ran("ran")), (&before["report"], 1), "{}", site.log());
    set_up_anew(&site);
    let refused = site.pcm(&["init"]);
    assert!(!refused.status.success(), "{}", text(&refused));
    closed_everywhere(&site, "when its history was lost");
}

#[test]
fn a_new_machine_whose_share_comes_later_goes_on_by_itself() {
    let mut site = Site::bare("");
    let hash = site.package("BP00000A", &site.say("ran"));
    site.publish(&[Request::due("BP0000Y").set("content_sha256", format!("\"{hash}\""))]);
    take_away(&site);
    let init = site.pcm(&["init"]);
    let told = text(&init);
    assert!(init.status.success() && told.contains("nothing runs") && told.contains("share"), "{told}");
    let _service = site.service();
    two_polls(&site);
    bring_back(&site);
    site.wait_state("BP0000Y", "succeeded");
    assert!(!site.json(&["status"])["problems"].to_string().contains("history-lost"));
}

/// A history that was put back alone is lost; what the machine reports then must not hide from the rest of the same backup
/// that it is not the newest.
#[test]
fn a_backup_that_is_put_back_piece_by_piece_is_noticed_as_a_whole_one_is() {
    let mut site = Site::new();
    let [first, second] = ["first", "second"].map(|witness| site.say(witness));
    let [a, b] = [site.package("BP00000A", &first), site.package("BP00000B", &second)];
    let request = |id: &str, package: &str, hash: &str| {
        Request::due(id)
            .set("package_id", format!("\"{package}\""))
            .set("content_sha256", format!("\"{hash}\""))
    };
    site.publish(&[request("BP00001", "BP00000A", &a)]);
    let service = site.service();
    site.wait_state("BP00001", "succeeded");
    let report = site.share().join("machines/BP004000.json");
    let reported = || report_at(&report);
    wait_for("it is reported", || reported()["requests"].to_string().contains("\"succeeded\""));
    service.terminate();
    let (mark, backup) = (site.path("etc/pcm.mark"), site.path("backup"));
    let copy = |from: &std::path::Path, to: &std::path::Path| {
        assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
    };
    make_dir(&backup);
    copy(&site.state(), &backup.join("state"));
    copy(&mark, &backup.join("pcm.mark"));

    site.publish(&[request("BP00001", "BP00000A", &a), request("BP00002", "BP00000B", &b)]);
    let service = site.service();
    site.wait_state("BP00002", "succeeded");
    wait_for("it is reported", || reported()["requests"].to_string().matches("\"succeeded\"").count() == 2);
    service.terminate();
    let newest = reported()["report"].clone();
    assert!(newest.as_u64().is_some(), "{newest}");

    copy(&backup.join("state/history.db"), &site.state().join("history.db"));
    let service = site.service();
    wait_for("the loss is reported", || reported()["report"].is_null());
    assert_eq!(reported()["before"]["number"], newest, "{}", reported());
    service.terminate();
    fs::remove_dir_all(site.state()).unwrap();
    copy(&backup.join("state"), &site.state());
    copy(&backup.join("pcm.mark"), &mark);
    let _service = site.service();
    two_polls(&site);
    let request = site.request("BP00002").unwrap();
    assert!(request["blocked_by"].to_string().contains("two-machines"), "{request}");
    assert_eq!((site.ran("first"), site.ran("second")), (1, 1), "{}", site.log());
    assert_eq!(site.pcm(&["status"]).status.code(), Some(10));
}

#[test]
fn every_configured_share_has_to_be_seen_once_and_init_looks_again() {
    let mut site = Site::bare("");
    let other = site.path("other");
    let config = fs::read_to_string(site.config()).unwrap();
    let both = format!("shares = [{:?}, {other:?}]", site.share());
    let one = format!("shares = [{:?}]", site.share());
    write(&site.config(), config.replace(&one, &both).as_bytes());
    let hash = site.package("BP00000A", &site.say("ran"));
    site.publish(&[Request::due("BP0000Y").set("content_sha256", format!("\"{hash}\""))]);
    let unseen = || site.json(&["init"])["unseen"].clone();
    assert_eq!(unseen(), serde_json::json!([other.display().to_string()]));
    // The first one was seen and need not be there any more.
    fs::rename(site.share(), site.path("share.away")).unwrap();
    make_dir(&other);
    write(&other.join("PCM.SITE"), b"format = 1\nsite = \"BP0\"\nname = \"Head office\"\n");
    let healthy = site.json(&["init"]);
    assert_eq!(healthy["history"], "healthy", "{healthy}");
}

#[test]
fn init_does_not_hang_with_its_share() {
    let site = Site::bare("[share]\ntimeout = \"2s\"\n");
    let Some(_hang) = Hang::over(&site.share()) else { return };
    let start = Instant::now();
    let init = site.json(&["init"]);
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    assert!(init["message"].as_str().unwrap().contains("does not answer"), "{init}");
    assert_eq!(init["unseen"].as_array().map(Vec::len), Some(1), "{init}");
}

/// Another machine with the id, the configuration and the share of this one; with `copied`, a copy of its disk.
pub(super) struct Double {
    config: PathBuf,
    state: PathBuf,
}

impl Double {
    pub fn of(site: &Site, copied: bool) -> Self {
        let double = Self { config: site.path("etc.double/pcm.toml"), state: site.path("state.double") };
        make_dir(double.config.parent().unwrap());
        write(&double.config, &fs::read(site.config()).unwrap());
        if copied {
            fs::copy(site.path("etc/pcm.mark"), site.path("etc.double/pcm.mark")).unwrap();
            let copy = Command::new("cp").arg("-a").arg(site.state()).arg(&double.state).status();
            assert!(copy.unwrap().success());
        } else {
            let init = double.command(&["init"]).output().unwrap();
            assert!(init.status.success(), "{}", text(&init));
        }
        double
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pcm"));
        command.arg("--config").arg(&self.config).arg("--state").arg(&self.state).args(args);
        command.env_remove("PCM_CONFIG").env_remove("PCM_STATE").env("TZ", "UTC");
        command
    }

    pub fn problems(&self, view: &str) -> String {
        let output = self.command(&[view, "--json"]).output().unwrap();
        let doc = serde_json::from_slice::<Value>(&output.stdout);
        doc.map_or_else(|_| String::new(), |doc| doc["problems"].to_string())
    }

    pub fn service(&self) -> Service {
        let null = || std::process::Stdio::null();
        let child = self.command(&["service", "run"]).stdout(null()).stderr(null()).spawn().unwrap();
        Service { child }
    }
}

fn report(site: &Site) -> Value {
    report_at(&site.share().join("machines/BP004000.json"))
}

fn reported(site: &Site, least: u64) -> u64 {
    let number = || report(site)["report"].as_u64().unwrap_or(0);
    wait_for_or(Duration::from_secs(60), || number() >= least)
        .unwrap_or_else(|()| panic!("no report {least}: {}\n{}", report(site), site.log()));
    number()
}

fn has_a_double(site: &Site) -> bool {
    site.json_of(&["list"])["problems"].to_string().contains("\"two-machines\"")
}

#[test]
fn two_machines_with_one_id_are_noticed_by_both_and_neither_runs_anything_by_itself() {
    let mut site = Site::new();
    let hash = format!("\"{}\"", site.package("BP00000A", &site.say("ran")));
    let request = Request::due("BP0000Y").set("content_sha256", hash);
    site.publish(&[request.clone().mandatory(now() + seconds(3600))]);
    let double = Double::of(&site, false);
    let _service = site.service();
    let number = reported(&site, 1);
    let _second = double.service();
    reported(&site, number + 1);
    let minute = Duration::from_secs(60);
    wait_for_or(minute, || has_a_double(&site)).unwrap_or_else(|()| panic!("{}", site.log()));
    wait_for_or(minute, || double.problems("list").contains("two-machines"))
        .expect("the other one knows it, too");
    site.publish(&[request]);
    site.wait_blocked("BP0000Y", &["two-machines"]);
    two_polls(&site);
    assert_eq!(site.ran("ran"), 0, "{}", site.log());

    let status = site.pcm(&["status"]);
    assert_eq!(status.status.code(), Some(10), "{}", text(&status));
    assert!(double.problems("status").contains("two-machines"));
    let mut console = Terminal::start(&site.command(&[]), 120, 40);
    console.wait("two-machines");
    console.keys("w");
    console.wait_until("what to do is said once", |screen| screen.matches("Decide which").count() == 1);
    drop(console);
    let check = site.json_of(&["check"]);
    let item = check["items"].as_array().unwrap().iter().find(|item| item["item"] == "one-machine").unwrap();
    assert!(item["verdict"] == "block" && item["remedy"].to_string().contains("init --adopt=done"), "{item}");
    let explained = site.json(&["explain", "BP0000Y"])["gates"].to_string();
    assert!(explained.contains("wrote report") && explained.contains("init --adopt"), "{explained}");
    assert_eq!(site.refused(&["run", "BP0000Y"], 3)["code"], "two-machines");
    site.wait_log("two-machines: nothing runs by itself");
    let quiet = reported(&site, number + 2);
    two_polls(&site);
    assert_eq!(reported(&site, 1), quiet, "neither writes over the other any more");

    // The other one is still there: it reads of the decision, and does not stop this one again.
    let adopted = site.json(&["init", "--adopt=not-done"]);
    assert_eq!((&adopted["history"], &adopted["adopted"]), (&"adopted".into(), &0.into()), "{adopted}");
    site.wait_state("BP0000Y", "succeeded");
    wait_for_or(minute, || double.problems("status").contains("after an operator or the site decided"))
        .unwrap();
    two_polls(&site);
    assert!(!has_a_double(&site) && site.ran("ran") == 1);
    assert!(double.problems("list").contains("two-machines"));
}

/// Somebody gave a new machine the id of one that is alive.
#[test]
fn a_live_machine_writes_its_report_anew_where_one_set_up_anew_took_its_place() {
    let mut site = ran_once();
    site.publish(&[]);
    let _service = site.service();
    // From then on it has nothing new to say by itself.
    wait_for("it reports of what is published now", || report(&site)["serial"] == 2);
    two_polls(&site);
    let number = reported(&site, 1);
    let double = Double { config: site.path("etc.double/pcm.toml"), state: site.path("state.double") };
    make_dir(double.config.parent().unwrap());
    write(&double.config, &fs::read(site.config()).unwrap());
    assert!(!double.command(&["init"]).output().unwrap().status.success(), "it has had an earlier life");
    let _second = double.service();
    reported(&site, number + 1);
    assert!(double.problems("status").contains("history-lost"));
    assert!(!has_a_double(&site), "{}", site.log());
}

#[test]
fn a_copy_is_noticed_where_reports_go_to_a_place_of_their_own() {
    let mut site = Site::reporting_elsewhere();
    site.publish(&[Request::due("BP0000Y").set("mandatory_after", "")]);
    let at_place = || report_at(&site.path("reports/machines/BP004000.json"))["report"].as_u64();
    let service = site.service();
    let minute = Duration::from_secs(60);
    wait_for_or(minute, || at_place().is_some()).unwrap_or_else(|()| panic!("{}", site.log()));
    service.terminate();
    let double = Double::of(&site, true);
    let (_service, _second) = (site.service(), double.service());
    wait_for_or(minute, || has_a_double(&site)).unwrap_or_else(|()| panic!("{}", site.log()));
    wait_for_or(minute, || double.problems("list").contains("two-machines")).expect("the other one, too");
}

#[test]
fn a_place_for_reports_that_hangs_holds_up_no_package() {
    let mut site = Site::reporting_elsewhere();
    let Some(_hang) = Hang::over(&site.path("reports")) else { return };
    site.publish(&[Request::due("BP0000Y").set("mandatory_after", "")]);
    let _service = site.service();
    two_polls(&site);
    // Its delivery hangs by now, and what comes later has to be copied.
    let hash = format!("\"{}\"", site.package("BP00000A", &site.say("ran")));
    site.publish(&[Request::due("BP0000Z").set("content_sha256", hash)]);
    site.wait_state("BP0000Z", "succeeded");
}

#[test]
fn a_copy_of_a_machine_is_noticed_and_what_is_listed_can_be_adopted_as_done() {
    let mut site = Site::new();
    let hash = format!("\"{}\"", site.package("BP00000A", &site.say("ran")));
    let request = Request::due("BP0000Y").set("content_sha256", hash);
    site.publish(&[request.clone().mandatory(now() + seconds(3600))]);
    let service = site.service();
    reported(&site, 1);
    service.terminate();
    let number = reported(&site, 1);
    let double = Double::of(&site, true);
    let service = site.service();
    reported(&site, number + 1);
    let second = double.service();
    wait_for_or(Duration::from_secs(60), || double.problems("list").contains("two-machines")).unwrap();
    wait_for_or(Duration::from_secs(60), || has_a_double(&site))
        .unwrap_or_else(|()| panic!("{}", site.log()));
    second.terminate();
    service.terminate();
    // Also where no service runs, and it is remembered.
    assert!(has_a_double(&site));
    site.publish(&[request]);
    let adopted = site.json(&["init", "--adopt=done"]);
    assert_eq!((&adopted["history"], &adopted["adopted"]), (&"adopted".into(), &1.into()), "{adopted}");
    let _service = site.service();
    two_polls(&site);
    assert!(!has_a_double(&site) && site.ran("ran") == 0, "{}", site.log());
    let check = site.json_of(&["check"]);
    let one = check["items"].as_array().unwrap().iter().find(|item| item["item"] == "one-machine").unwrap();
    assert_eq!(one["verdict"], "pass", "{one}");
    assert_eq!(site.json(&["audit", "verify"])["ok"], true);
}

#[test]
fn a_share_that_was_restored_gets_the_report_anew_and_is_no_second_machine() {
    let mut site = Site::new();
    site.publish(&[Request::due("BP0000Y").set("mandatory_after", "")]);
    let file = site.share().join("machines/BP004000.json");
    let service = site.service();
    reported(&site, 1);
    let old = fs::read(&file).unwrap();
    service.terminate();
    let _service = site.service();
    let number = reported(&site, 2);
    write(&file, &old);
    let number = reported(&site, number + 1);
    fs::remove_file(&file).unwrap();
    let number = reported(&site, number + 1);
    // What is no file, and what leads elsewhere, is replaced at once.
    let elsewhere = site.path("elsewhere");
    write(&elsewhere, b"kept");
    let pipe = || assert!(Command::new("mkfifo").arg(&file).status().unwrap().success());
    let link = || std::os::unix::fs::symlink(&elsewhere, &file).unwrap();
    let mut number = number;
    for put in [&pipe as &dyn Fn(), &link] {
        fs::remove_file(&file).unwrap();
        put();
        wait_for("the report stands there again", || fs::symlink_metadata(&file).is_ok_and(|m| m.is_file()));
        number = reported(&site, number + 1);
    }
    assert_eq!(fs::read(&elsewhere).unwrap(), b"kept");
    // Copied back as it is: the same bytes, another file.
    let same = fs::read(&file).unwrap();
    fs::remove_file(&file).unwrap();
    write(&file, &same);
    two_polls(&site);
    assert!(!has_a_double(&site) && reported(&site, 1) >= number, "{}", site.log());
}

#[test]
fn a_report_on_a_share_that_anybody_can_change_stops_no_machine() {
    let mut site = Site::new();
    site.publish(&[Request::due("BP0000Y").set("mandatory_after", "")]);
    let file = site.share().join("machines/BP004000.json");
    let _service = site.service();
    reported(&site, 1);
    mode(&site.share(), 0o777);
    let refused = || site.json(&["list"])["problems"].to_string().contains("loose-permissions");
    wait_for("the share is refused", refused);
    let forged = fs::read_to_string(&file).unwrap().replace("\"report\":", "\"report\":9");
    write(&file, forged.as_bytes());
    two_polls(&site);
    assert!(!has_a_double(&site), "{}", site.log());
    // Whoever may change the share is believed.
    mode(&site.share(), 0o755);
    wait_for("it is noticed", || has_a_double(&site));
}
