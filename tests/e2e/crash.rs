//! Whatever dies, a package runs once and its end is known. The harness that does this at every system call is longer;
//! these are its first points.

use super::common::*;
use std::process::Command;

fn slow(site: &mut Site) {
    let script = format!("{}; {}; {}; exit 5", site.say("begin"), site.waits_for_go(), site.say("end"));
    let hash = site.package("BP00000A", &script);
    site.publish(&[Request::due("BP0000Y").set("content_sha256", format!("\"{hash}\""))]);
}

#[test]
fn kill_9_of_the_service_during_a_run_loses_neither_the_run_nor_its_exit_status() {
    let mut site = Site::new();
    slow(&mut site);
    let service = site.service();
    wait_for("the package has begun", || site.ran("begin") == 1);
    service.kill();
    site.go();
    wait_for("the package ends without the service", || site.ran("end") == 1);
    let _again = site.service();
    site.wait_state("BP0000Y", "failed");
    let attempts = site.json(&["history"])["attempts"].take();
    assert_eq!(attempts.as_array().unwrap().len(), 1, "{attempts}");
    assert_eq!(attempts[0]["exit_code"], 5);
    assert_eq!(site.ran("begin"), 1);
}

#[test]
fn a_restarted_service_adopts_a_run_that_goes_on() {
    let mut site = Site::new();
    slow(&mut site);
    let service = site.service();
    wait_for("the package has begun", || site.ran("begin") == 1);
    service.terminate();
    let _again = site.service();
    assert_eq!(site.state_of("BP0000Y"), "running");
    site.go();
    site.wait_state("BP0000Y", "failed");
    assert_eq!((site.ran("begin"), site.ran("end")), (1, 1));
}

/// A package may do anything to the folder of its run. What is no exit record is not waited for for ever.
#[test]
fn a_package_that_damages_its_exit_record_ends_and_others_run_after_it() {
    let mut site = Site::new();
    let garbage = "cd \"${PCM_STATUS_MIF%/*}/..\"; echo garbage > exit";
    let due = |id: &str, package: &str, what: &str| {
        let hash = format!("\"{}\"", site.package(package, what));
        Request::due(id).set("package_id", format!("\"{package}\"")).set("content_sha256", hash)
    };
    let killed = due("BP00001", "BP00000A", &format!("{garbage}; kill -9 $PPID; exec sleep 295.5"));
    let ends = due("BP00002", "BP00000B", &format!("{garbage}; sleep 1; exit 4"));
    site.publish(&[killed, ends]);
    let _service = site.service();
    site.wait_state("BP00001", "interrupted");
    let row = site.request("BP00001").unwrap();
    let result = row["result"].as_str().unwrap();
    assert!(result.starts_with("its exit record is damaged, the outcome is unknown: "), "{result}");
    assert!(result.chars().count() <= 128, "{result}");
    site.wait_state("BP00002", "failed");
    assert_eq!(site.request("BP00002").unwrap()["exit_code"], 4, "the run host's own record counts");
}

#[test]
fn a_package_that_deleted_the_folder_of_its_run_can_be_stopped() {
    let mut site = Site::new();
    let script = format!(
        "cd \"${{PCM_STATUS_MIF%/*}}/..\"; rm -rf \"$PWD\"; cd /; {}; exec sleep 294.5",
        site.say("begin")
    );
    let hash = site.package("BP00000A", &script);
    site.publish(&[Request::due("BP0000Y").set("content_sha256", format!("\"{hash}\""))]);
    let _service = site.service();
    wait_for("the package has begun", || site.ran("begin") == 1);
    site.json(&["stop", "BP0000Y", "--reason", "it hangs"]);
    site.wait_state("BP0000Y", "stopped");
    assert_eq!(site.ran("begin"), 1);
}

#[test]
fn a_run_whose_host_is_killed_is_interrupted_its_processes_end_and_it_is_not_repeated() {
    let mut site = Site::new();
    let hash = site.package("BP00000A", &format!("{}; exec sleep 297.5", site.say("begin")));
    site.publish(&[Request::due("BP0000Y").set("content_sha256", format!("\"{hash}\""))]);
    let _service = site.service();
    wait_for("the package has begun", || site.ran("begin") == 1);
    let started = std::fs::read(site.state().join("runs/BP0000Y-1/started")).unwrap();
    let started: serde_json::Value = serde_json::from_slice(&started).unwrap();
    let pid = started["host"]["pid"].to_string();
    assert!(Command::new("kill").args(["-9", &pid]).status().unwrap().success());
    site.wait_state("BP0000Y", "interrupted");
    let mark = format!("PCM_STATUS_MIF={}", site.state().display());
    let alive = || {
        std::fs::read_dir("/proc").unwrap().flatten().any(|entry| {
            let environ = std::fs::read(entry.path().join("environ")).unwrap_or_default();
            String::from_utf8_lossy(&environ).contains(&mark)
        })
    };
    wait_for("none of its processes is alive", || !alive());
    let polls = || site.log().matches("Looking for instruction file").count();
    let before = polls();
    wait_for("three more polls", || polls() >= before + 3);
    assert_eq!(site.ran("begin"), 1);
    assert_eq!(site.refused(&["run", "BP0000Y"], 3)["code"], "interrupted");
}

#[test]
fn random_kill_9_of_the_service_never_runs_a_package_twice() {
    let mut site = Site::with_config("[run]\nretry_after = \"1s\"\nretries = 50\n");
    let quick = format!("\"{}\"", site.package("BP00000A", &site.say("ran")));
    let requests: Vec<_> =
        (0..12).map(|n| Request::due(&format!("BP000{n:02}")).set("content_sha256", quick.clone())).collect();
    site.publish(&requests);
    let mut seed = 0x2545_f491_u32;
    for _ in 0..25 {
        let mut child =
            site.command(&["service", "run"]).stderr(std::process::Stdio::null()).spawn().unwrap();
        // The pause is the random moment of death, not a wait for anything.
        seed ^= seed << 13;
        seed ^= seed >> 17;
        seed ^= seed << 5;
        std::thread::sleep(std::time::Duration::from_millis(u64::from(seed % 400)));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let _service = site.service();
    let ended = || {
        let list = site.json(&["list", "--all"]);
        list["requests"].as_array().unwrap().iter().all(|r| r["group"] == "executed")
    };
    wait_for_or(std::time::Duration::from_secs(60), ended)
        .unwrap_or_else(|()| panic!("{}\n{}", text(&site.pcm(&["list", "--all"])), site.log()));
    for request in &requests {
        let runs = site.ran(&format!("ran {}", request.id));
        let attempts = site.json(&["history", &request.id])["attempts"].take();
        assert!(runs <= attempts.as_array().unwrap().len(), "{} ran {runs} times: {attempts}", request.id);
        assert!(site.ran(&format!("ran {} 1", request.id)) <= 1);
        let succeeded = attempts.as_array().unwrap().iter().filter(|a| a["state"] == "succeeded").count();
        assert!(succeeded <= runs, "a success without a run: {attempts}");
    }
}
