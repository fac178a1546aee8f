//! The service itself: who may be the executor, when it is ready, what it says of a share, and what it takes.

use super::common::*;
use super::hanging::Hang;
use std::fs;

/// Application and service fought over a mutex, and one exited. The lock names its holder; a second service waits and
/// takes over; a command talks to whoever holds it.
#[test]
fn q164657_q173073_q231378_a_second_service_waits_and_takes_over_and_a_command_talks_to_the_first() {
    let mut site = Site::new();
    let hash = format!("\"{}\"", site.package("BP00000A", &site.say("ran")));
    let request = |id: &str| Request::due(id).set("content_sha256", hash.clone());
    site.publish(&[request("BP00001").set("mandatory_after", "")]);
    let first = site.service();
    let said = site.path("second.err");
    let second = site.command(&["service", "run"]).stderr(fs::File::create(&said).unwrap()).spawn().unwrap();
    let mut second = Service { child: second };
    wait_for("it says who is the executor", || {
        let text = fs::read_to_string(&said).unwrap_or_default();
        text.contains("held by") && text.contains(&first.child.id().to_string())
    });
    site.wait_blocked("BP00001", &["optional"]);
    let run = site.json(&["run", "BP00001", "--wait"]);
    assert_eq!(run["state"], "succeeded", "{run}");
    assert!(matches!(second.child.try_wait(), Ok(None)), "it waits");
    first.kill();
    site.publish(&[request("BP00001"), request("BP00002")]);
    site.wait_state("BP00002", "succeeded");
    assert!(matches!(second.child.try_wait(), Ok(None)));
    assert_eq!((site.ran("ran BP00001"), site.ran("ran BP00002")), (1, 1));
}

/// On a slow line the service did not start in time. (As the supervisor hears it: `tests/e2e/supervisor.rs`.)
#[test]
fn q178662_a_service_answers_before_the_share_does() {
    let mut site = Site::with_config("[share]\ntimeout = \"20s\"\n");
    let hash = site.package("BP00000A", "exit 0");
    site.publish(&[Request::due("BP0000Y").set("content_sha256", format!("\"{hash}\""))]);
    let Some(_hang) = Hang::over(&site.share()) else { return };
    let _service = site.service_begun();
    // Whoever asks before it listens looks at the share himself, and waits for as long as that may take.
    wait_for("its socket", || site.state().join("pcm.sock").exists());
    site.wait_service();
    assert_eq!(site.json_of(&["status"])["polled_at"], serde_json::Value::Null, "the share has not answered");
}

/// Memory grew slowly. After the first polls it does not.
#[test]
fn q241656_hundreds_of_polls_take_no_more_memory_than_a_few() {
    let mut site = Site::new();
    let hash = format!("\"{}\"", site.package("BP00000A", "exit 0"));
    let requests: Vec<Request> = (0..50)
        .map(|n| {
            Request::due(&format!("BP000{n:02}"))
                .set("content_sha256", hash.clone())
                .set("mandatory_after", "")
        })
        .collect();
    let service = site.service();
    let resident = || {
        let status = fs::read_to_string(format!("/proc/{}/status", service.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0 kB").to_owned();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
    };
    // Each with another file, so that nothing is spared.
    let mut poll = |times: u32| {
        for _ in 0..times {
            site.publish(&requests);
            site.json(&["poll"]);
        }
    };
    poll(60);
    let before = resident();
    poll(200);
    let after = resident();
    println!("defects: {before} kB after 60 polls of 50 requests, {after} kB after 260");
    assert!(before > 0 && after < before + 3 * 1024, "{before} kB, then {after} kB");
    assert!(after < 64 * 1024, "{after} kB");
}

/// 40,000 results choked the central site. A machine has one report, small whatever it was told, replaced in its place;
/// one result an attempt; and nothing of the kind lies about.
#[test]
fn q140389_a_machine_with_a_thousand_requests_has_one_small_report() {
    let mut site = Site::new();
    let hash = format!("\"{}\"", site.package("BP00000A", "exit 0"));
    let mut requests: Vec<Request> = (0..1_000)
        .map(|n| {
            Request::due(&format!("BP0{n:04}")).set("content_sha256", hash.clone()).set("mandatory_after", "")
        })
        .collect();
    requests[7] = Request::due("BP00007").set("content_sha256", hash.clone());
    site.publish(&requests);
    let _service = site.service();
    let machines = site.share().join("machines");
    let report = machines.join(format!("{MACHINE}.json"));
    let read = || fs::read_to_string(&report).unwrap_or_default();
    wait_for("the report tells of all, and that one has succeeded", || {
        read().contains("\"succeeded\"") && read().contains("BP00999")
    });
    assert!(read().len() < 512 << 10, "{} bytes", read().len());
    let names = |folder: &std::path::Path| fs::read_dir(folder).unwrap().flatten().count();
    assert_eq!(names(&machines), 1);
    assert_eq!(names(&site.share().join("despoolr.box").join(MACHINE)), 1);
}
