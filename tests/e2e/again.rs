//! A service that ends at a call: what became of the change is told, and it is carried out once.

use super::common::*;
use std::io::Read;
use std::os::unix::net::UnixListener;
use std::process::Stdio;
use std::time::Duration;

#[test]
fn a_change_whose_service_dies_at_any_moment_is_carried_out_once_and_told_so() {
    let mut site = Site::with_config("[deferral]\nmax_count = 1000\n");
    let hash = site.package("BP00000A", &site.say("ran"));
    site.publish(&[Request::due("BP0000Y")
        .set("content_sha256", format!("\"{hash}\""))
        .mandatory(now() + seconds(36_000))]);
    let mut seed = 0x2545_f491_u32;
    for n in 0..30 {
        let mut service = site.service();
        let reason = format!("try {n}");
        let until = stamp(now() + seconds(3600 + n));
        let mut defer = site.command(&["--json", "defer", "BP0000Y", "--until", &until, "--reason", &reason]);
        let defer = defer.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // The pause is the random moment of death, not a wait for anything.
        seed ^= seed << 13;
        seed ^= seed >> 17;
        seed ^= seed << 5;
        std::thread::sleep(Duration::from_micros(u64::from(seed % 60_000)));
        service.child.kill().unwrap();
        service.child.wait().unwrap();
        let told = defer.wait_with_output().unwrap();
        assert!(told.status.success(), "{reason}: {}", text(&told));
        let told: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
        assert_eq!(told["state"], "deferred", "{reason}: {told}");
        let show = site.json(&["show", "BP0000Y"]);
        let deferrals = show["deferrals"].as_array().unwrap();
        assert_eq!(deferrals.iter().filter(|d| d["reason"] == *reason).count(), 1, "{reason}: {deferrals:?}");
    }
}

#[test]
fn what_became_of_a_change_that_nobody_answers_is_said_as_not_known() {
    let site = Site::new();
    let lock = site.service();
    let socket = site.state().join("pcm.sock");
    // The service holds the lock and answers no more; whoever is at the socket takes calls and hangs up.
    std::fs::remove_file(&socket).unwrap();
    let listener = UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let _ = stream.read(&mut [0; 64]);
        }
    });
    let hold = &["hold", "--for", "1h", "--reason", "x"];
    let error = site.refused(hold, 8);
    assert_eq!(error["code"], "outcome-unknown", "{error}");
    let said = text(&site.pcm(hold));
    assert!(said.contains("it is not known whether hold was carried out"), "{said}");
    drop(lock);
}
