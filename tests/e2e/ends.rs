//! The end of a run when something is wrong at that moment: no room on a disk, a run host that somebody stopped, a clock
//! that was set. What is known of it is recorded, and the machine does not stay busy with it.

use super::common::*;
use super::small::Small;
use std::process::Command;
use std::time::Duration;

/// One request that runs this script at once.
fn runs(site: &mut Site, script: &str, more: &[(&str, &str)]) {
    let hash = site.package("BP00000A", script);
    let request = Request::due("BP0000Y").set("content_sha256", format!("\"{hash}\""));
    site.publish(&[more.iter().fold(request, |request, (key, value)| request.set(key, *value))]);
}

/// A site whose state folder is small.
fn small_site() -> Option<(Site, Small)> {
    let site = Site::bare("");
    make_dir(&site.state());
    let small = Small::over(site.state())?;
    let init = site.pcm(&["init"]);
    assert!(init.status.success(), "{}", text(&init));
    Some((site, small))
}

#[test]
fn a_disk_that_is_full_when_a_package_ends_does_not_lose_how_it_ended() {
    let Some((mut site, small)) = small_site() else { return };
    let fill = format!("dd if=/dev/zero of='{}/filler.x' bs=4k 2>/dev/null", site.state().display());
    let say = site.say("ran");
    runs(&mut site, &format!("{fill}; {say}; exit 5"), &[]);
    let _service = site.service();
    let exit = site.state().join("runs/BP0000Y-1/exit");
    wait_for("the package ends", || site.ran("ran") == 1);
    wait_for("its exit record is written where room was kept for it", || exit.exists());
    std::fs::remove_file(site.state().join("filler.x")).unwrap();
    site.wait_state("BP0000Y", "failed");
    assert_eq!(site.request("BP0000Y").unwrap()["exit_code"], 5);
    wait_for("its result is delivered", || site.share().join("despoolr.box/BP004000/BP0000Y-1.MIF").exists());
    assert_eq!(site.ran("ran"), 1, "{}", site.log());
    drop(small);
}

/// The room was kept in the folder of the run, and the package deleted it there.
#[test]
fn a_run_host_that_cannot_write_keeps_what_it_knows_until_it_can() {
    let Some((mut site, _small)) = small_site() else { return };
    let fill = format!("dd if=/dev/zero of='{}/filler.x' bs=4k 2>/dev/null", site.state().display());
    let delete = "rm -f \"${PCM_STATUS_MIF%/*}/../exit.room\"";
    let say = site.say("ran");
    runs(&mut site, &format!("{delete}; {fill}; {say}; exit 5"), &[]);
    let _service = site.service();
    wait_for("the package ends", || site.ran("ran") == 1);
    let polls = || site.log().matches("Looking for instruction file").count();
    let before = polls();
    wait_for("three polls", || polls() >= before + 3);
    assert_eq!(site.state_of("BP0000Y"), "running", "the lock is kept: {}", site.log());
    std::fs::remove_file(site.state().join("filler.x")).unwrap();
    site.wait_state("BP0000Y", "failed");
    assert_eq!(site.request("BP0000Y").unwrap()["exit_code"], 5);
}

/// It takes two minutes: as long as the disks may take to be synced, nothing is wrong.
#[test]
fn an_end_that_nobody_can_write_down_is_said_until_it_is_written() {
    let Some((mut site, _small)) = small_site() else { return };
    let fill = format!("dd if=/dev/zero of='{}/filler.x' bs=4k 2>/dev/null", site.state().display());
    let delete = "rm -f \"${PCM_STATUS_MIF%/*}/../exit.room\"";
    let say = site.say("ran");
    runs(&mut site, &format!("{delete}; {fill}; {say}; exit 5"), &[]);
    let _service = site.service();
    let said = || {
        ["status", "list"]
            .map(|view| site.json_of(&[view])["problems"].to_string().contains("\"end-unrecorded\""))
    };
    wait_for_or(Duration::from_secs(240), || said() == [true, true])
        .unwrap_or_else(|()| panic!("{}", site.json_of(&["status"])));
    assert_eq!(site.state_of("BP0000Y"), "running");
    std::fs::remove_file(site.state().join("filler.x")).unwrap();
    site.wait_state("BP0000Y", "failed");
    wait_for("it is not said any more", || said() == [false, false]);
    assert_eq!(site.request("BP0000Y").unwrap()["exit_code"], 5);
}

#[test]
fn a_transcript_on_a_full_disk_says_so_itself_and_keeps_the_last_words() {
    let log = tempfile::tempdir().unwrap();
    let Some(small) = Small::over(log.path().to_owned()) else { return };
    let mut site = Site::with_config(&format!("[log]\ndir = {:?}\n", log.path()));
    runs(
        &mut site,
        "i=0; while [ $i -lt 70000 ]; do echo \"line $i of many, many lines in this log\"; i=$((i+1)); done; seq 1 100000 | sed 's/$/ and on it goes/'; echo THE-REASON; exit 3",
        &[],
    );
    let _service = site.service();
    site.wait_state("BP0000Y", "failed");
    let path = log.path().join("runs/BP0000Y-1.log");
    let transcript = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
    assert!(transcript.starts_with("line 0 of many"), "{}", &transcript[..200.min(transcript.len())]);
    assert!(transcript.contains("[pcm: output was lost here: No space left"), "{}", transcript.len());
    assert!(transcript.ends_with("THE-REASON\n"), "{:?}", &transcript[transcript.len() - 200..]);
    drop(small);
}

/// What the run host of the first attempt has written down of itself.
fn started(site: &Site) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(site.state().join("runs/BP0000Y-1/started")).unwrap()).unwrap()
}

fn run_host(site: &Site) -> String {
    started(site)["host"]["pid"].to_string()
}

fn signal(pid: &str, name: &str) {
    assert!(Command::new("kill").args([name, pid]).status().unwrap().success());
}

fn wait_ended(site: &Site, state: &str) {
    let limit = Duration::from_secs(60);
    wait_for_or(limit, || site.state_of("BP0000Y") == state)
        .unwrap_or_else(|()| panic!("{}\n{}", text(&site.pcm(&["list"])), site.log()));
}

#[test]
fn a_run_host_that_somebody_stopped_is_let_go_on_when_its_time_limit_has_passed() {
    let mut site = Site::new();
    let say = site.say("ran");
    runs(&mut site, &format!("{say}; exec sleep 293.5"), &[("max_run_time", "\"2s\"")]);
    let _service = site.service();
    wait_for("the package has begun", || site.ran("ran") == 1);
    signal(&run_host(&site), "-STOP");
    wait_ended(&site, "timed-out");
    assert!(site.log().contains("was stopped by somebody"), "{}", site.log());
}

#[test]
fn what_ended_by_itself_under_a_stopped_run_host_is_recorded_as_it_ended() {
    let mut site = Site::new();
    let host = "while [ ! -e go ]; do sleep 0.1; done";
    let go = site.path("go");
    let script = format!("{}; {}; exit 7", site.say("ran"), host.replace("go", &go.display().to_string()));
    runs(&mut site, &script, &[("max_run_time", "\"3s\"")]);
    let _service = site.service();
    wait_for("the package has begun", || site.ran("ran") == 1);
    signal(&run_host(&site), "-STOP");
    write(&go, b"");
    wait_ended(&site, "failed");
    assert_eq!(site.request("BP0000Y").unwrap()["exit_code"], 7, "{}", site.log());
}

#[test]
fn an_operators_stop_ends_a_run_whose_host_was_stopped() {
    let mut site = Site::new();
    let say = site.say("ran");
    runs(&mut site, &format!("{say}; exec sleep 292.5"), &[]);
    let _service = site.service();
    wait_for("the package has begun", || site.ran("ran") == 1);
    signal(&run_host(&site), "-STOP");
    site.json(&["stop", "BP0000Y", "--reason", "it hangs"]);
    wait_ended(&site, "stopped");
}

/// A debugger, or whatever stops it again and again: it never goes on.
#[test]
fn a_run_host_that_never_goes_on_is_ended_with_its_package() {
    let mut site = Site::new();
    let again = "(while kill -STOP $PPID; do sleep 0.05; done) & ";
    let say = site.say("ran");
    runs(&mut site, &format!("{again} {say}; exec sleep 291.5"), &[("max_run_time", "\"2s\"")]);
    let _service = site.service();
    wait_for("the package has begun", || site.ran("ran") == 1);
    wait_ended(&site, "timed-out");
    let result = site.request("BP0000Y").unwrap()["result"].as_str().unwrap().to_owned();
    assert!(result.starts_with("ended by its time limit after "), "{result}");
}

#[test]
fn the_control_group_of_a_run_goes_with_the_last_of_it_although_nobody_was_there() {
    let mut site = Site::new();
    let say = site.say("ran");
    let script = format!("echo $$ > '{}'; {say}; exec sleep 290.5", site.path("pid").display());
    runs(&mut site, &script, &[]);
    let service = site.service();
    wait_for("the package has begun", || site.ran("ran") == 1 && site.path("pid").exists());
    let Some(group) = started(&site)["cgroup"].as_str().map(std::path::PathBuf::from) else {
        return skipped("no control group can be made here");
    };
    assert!(group.exists());
    service.kill();
    signal(&run_host(&site), "-KILL");
    let package = std::fs::read_to_string(site.path("pid")).unwrap();
    signal(package.trim(), "-KILL");
    wait_for("nothing is left in it", || {
        std::fs::read_to_string(group.join("cgroup.procs")).is_ok_and(|list| list.is_empty())
    });
    let _service = site.service();
    site.wait_state("BP0000Y", "interrupted");
    assert!(!group.exists(), "it would stay until the next run");
}

#[test]
fn a_failure_that_a_status_mif_tells_is_not_shown_as_exit_0() {
    let mut site = Site::new();
    let mif = "cat > \"$PCM_STATUS_MIF\" <<'MIF'\nSTART COMPONENT\nNAME = \"x\"\nSTART GROUP\nNAME = \"InstallStatus\"\n\
               ID = 1\nCLASS = \"MICROSOFT|JOBSTATUS|1.0\"\nSTART ATTRIBUTE\nNAME = \"Status\"\nID = 1\nTYPE = STRING(16)\n\
               VALUE = \"Failed\"\nEND ATTRIBUTE\nSTART ATTRIBUTE\nNAME = \"Description\"\nID = 2\nTYPE = STRING(128)\n\
               VALUE = \"\"\nEND ATTRIBUTE\nEND GROUP\nEND COMPONENT\nMIF\nexit 0";
    runs(&mut site, mif, &[]);
    let _service = site.service();
    site.wait_state("BP0000Y", "failed");
    let row = site.request("BP0000Y").unwrap();
    let said = |key: &str| row[key].as_str().unwrap().to_owned();
    assert!(said("result").starts_with("its status MIF says that it failed (exit 0"), "{row}");
    assert!(said("why").starts_with("its status MIF says"), "{row}");
}

#[test]
fn an_optional_request_that_could_not_be_launched_is_not_said_to_be_retried_and_can_be_run_again() {
    let mut site = Site::new();
    let hash = format!("\"{}\"", site.package("BP00000A", &site.say("ran")));
    site.publish(&[Request::due("BP0000Y").set("content_sha256", hash).set("mandatory_after", "")]);
    let _service = site.service();
    wait_for("its content is staged", || {
        site.request("BP0000Y").is_some_and(|request| !request["blocked_by"].to_string().contains("content"))
    });
    // What is in the way of the run's folder fails the attempt between its claim and its launch.
    make_dir(&site.state().join("runs"));
    write(&site.state().join("runs/BP0000Y-1"), b"in the way");
    let _ = site.pcm(&["run", "BP0000Y"]);
    site.wait_state("BP0000Y", "failed");
    let result = site.request("BP0000Y").unwrap()["result"].as_str().unwrap().to_owned();
    assert!(result.starts_with("not launched") && !result.contains("to be retried"), "{result}");
    site.json(&["run", "BP0000Y"]);
    site.wait_state("BP0000Y", "succeeded");
    assert_eq!(site.ran("ran"), 1);
    let refused = site.refused(&["run", "BP0000Y"], 3);
    assert_eq!(refused["code"], "done");
    let entries = site.json(&["audit"])["entries"].take();
    let results: Vec<&str> =
        entries.as_array().unwrap().iter().filter_map(|e| e["result"].as_str()).collect();
    assert_eq!(results.iter().filter(|r| **r == "done").count(), 1, "only what was done: {results:?}");
    assert!(results.contains(&"already-attempted"), "{results:?}");
}

/// A file system that fails from one moment on, and is whole again once it was repaired.
#[test]
fn a_file_system_that_fails_is_no_loss_of_history() {
    let mut site = Site::bare("");
    make_dir(&site.state());
    let image = site.path("image");
    let made = Command::new("sh")
        .args(["-c", "truncate -s 32M \"$0\" && mkfs.ext4 -q \"$0\" && mount -o loop \"$0\" \"$1\""])
        .args([&image, &site.state()])
        .output()
        .unwrap();
    if !made.status.success() {
        return skipped(format!("no file system can be made and mounted here: {}", text(&made)));
    }
    let mounted = Small(site.state());
    let init = site.pcm(&["init"]);
    assert!(init.status.success(), "{}", text(&init));
    let request = |id: &str, hash: &str| Request::due(id).set("content_sha256", format!("\"{hash}\""));
    let hash = site.package("BP00000A", &site.say("ran"));
    site.publish(&[request("BP00001", &hash)]);
    let service = site.service();
    site.wait_state("BP00001", "succeeded");
    let shutdown =
        "import os,fcntl,struct,sys; fcntl.ioctl(os.open(sys.argv[1],0),0x8004587D,struct.pack('I',2))";
    let shut = Command::new("python3").args(["-c", shutdown]).arg(site.state()).output().unwrap();
    assert!(shut.status.success(), "{}", text(&shut));
    site.publish(&[request("BP00001", &hash), request("BP00002", &hash)]);
    let problems = || site.json_of(&["status"])["problems"].to_string();
    wait_for_or(Duration::from_secs(60), || problems().contains("\"state-un"))
        .unwrap_or_else(|()| panic!("{}", problems()));
    for _ in 0..20 {
        assert!(!problems().contains("adopt") && !problems().contains("history-lost"), "{}", problems());
    }
    service.kill();
    drop(mounted);
    let repair = Command::new("sh")
        .args(["-c", "e2fsck -fp \"$0\" >/dev/null; mount -o loop \"$0\" \"$1\""])
        .args([&image, &site.state()])
        .output()
        .unwrap();
    assert!(repair.status.success(), "{}", text(&repair));
    let _mounted = Small(site.state());
    let _service = site.service();
    site.wait_state("BP00002", "succeeded");
    assert_eq!((site.state_of("BP00001"), site.ran("ran")), ("succeeded".into(), 2));
}

#[test]
fn a_service_that_starts_on_a_read_only_state_folder_names_the_cause_and_waits() {
    let Some((mut site, small)) = small_site() else { return };
    let remount = |how: &str| {
        let done = Command::new("mount").args(["-o", &format!("remount,{how}")]).arg(site.state()).output();
        assert!(done.as_ref().is_ok_and(|done| done.status.success()), "{done:?}");
    };
    remount("ro");
    let refused = site.pcm(&["init"]);
    assert!(text(&refused).contains("read-only"), "{}", text(&refused));
    let mut service = site.service_begun();
    let said = || std::fs::read_to_string(site.path("service.err")).unwrap_or_default();
    wait_for("it says so", || said().contains("remount,rw"));
    assert!(!said().contains("pcm init"), "{}", said());
    assert!(matches!(service.child.try_wait(), Ok(None)), "it waits: {}", said());
    remount("rw");
    site.wait_service();
    let say = site.say("ran");
    runs(&mut site, &say, &[]);
    site.wait_state("BP0000Y", "succeeded");
    drop((service, small));
}

#[test]
fn a_lock_that_somebody_removed_is_taken_anew_and_a_second_service_waits() {
    let mut site = Site::new();
    let first = site.service();
    let held = || site.json_of(&["status"])["lock"].to_string();
    wait_for("it holds the lock", || held().contains(&first.child.id().to_string()));
    std::fs::remove_file(site.state().join("lock")).unwrap();
    wait_for("it holds the lock again", || held().contains(&first.child.id().to_string()));
    std::fs::remove_file(site.state().join("pcm.sock")).unwrap();
    let mut second = site.service_begun();
    let err = site.path("service.err");
    let said = || std::fs::read_to_string(&err).unwrap_or_default();
    wait_for("the second waits", || said().contains("waiting for the executor"));
    let say = site.say("ran");
    runs(&mut site, &say, &[]);
    wait_for("one of them runs it", || site.ran("ran") == 1);
    assert!(matches!(second.child.try_wait(), Ok(None)), "{}", said());
    first.terminate();
    site.wait_service();
    assert_eq!(site.ran("ran"), 1);
}
