//! A disk that is full at every step of a run: as much room is left on it as the steps before take, page by page. It becomes
//! full before the run begins, or the package fills it. Nothing runs twice, and once there is room, the result is there.

use super::common::*;
use super::small::Small;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Places at which the disk becomes full, in pages of what is left; every second one is after the launch.
const PLACES: u64 = 24;
const PAGE: u64 = 4096;
/// At once: they mostly wait.
const THREADS: usize = 8;

/// Whether it ran before there was room.
fn at(place: u64) -> Result<bool, String> {
    let (room, launched) = (place / 2 * PAGE, place % 2 == 1);
    let mut site = Site::bare("[run]\nretry_after = \"2s\"\nafter_boot = \"0s\"\ncountdown = \"0s\"\n");
    make_dir(&site.state());
    let small = Small::over(site.state()).ok_or("nothing can be mounted any more")?;
    let init = site.pcm(&["init"]);
    assert!(init.status.success(), "{}", text(&init));
    let fill = format!(
        "for b in 64k 4k 1; do dd if=/dev/zero of='{0}'.$b bs=$b 2>/dev/null; done; truncate -s -{room} '{0}.64k'",
        site.state().join("filler").display()
    );
    let script = format!("echo output; {}; {}", if launched { &fill } else { "true" }, site.say("ran"));
    let hash = site.package("BP00000A", &script);
    let request = Request::due("BP0000Y").set("content_sha256", format!("\"{hash}\""));
    let _service = site.service();
    let due = site.publish_for(&request, 3);
    if !launched {
        small.fill();
        let filler = std::fs::File::options().write(true).open(site.state().join("filler.64k")).unwrap();
        filler.set_len(filler.metadata().unwrap().len() - room).unwrap();
    }
    // Its time has come and has been seen, whatever came of that.
    let seen = |site: &Site| {
        let polled = site.json_of(&["status"])["polled_at"].as_str().map(str::to_owned);
        polled.and_then(|at| at.parse::<chrono::DateTime<chrono::Utc>>().ok())
    };
    let ran = || !launched || site.ran("ran") > 0;
    wait_for_or(Duration::from_secs(60), || ran() && seen(&site).is_some_and(|at| at > due + seconds(4)))
        .map_err(|()| format!("place {place}: nothing goes on\n{}", site.log()))?;
    let before = site.ran("ran");
    small.make_room();
    let results = site.share().join("despoolr.box").join(MACHINE);
    let any =
        || std::fs::read_dir(&results).is_ok_and(|all| all.flatten().any(|entry| entry.path().is_file()));
    wait_for_or(Duration::from_secs(90), || site.state_of("BP0000Y") == "succeeded" && any())
        .map_err(|()| format!("place {place}: it is {}\n{}", site.state_of("BP0000Y"), site.log()))?;
    match site.ran("ran") {
        1 => Ok(before == 1),
        n => Err(format!("place {place}: it ran {n} times, {before} before there was room\n{}", site.log())),
    }
}

#[test]
fn a_disk_that_is_full_at_any_step_of_a_run_loses_and_repeats_nothing() {
    let probe = tempfile::tempdir().unwrap();
    let Some(_small) = Small::over(probe.path().to_owned()) else { return };
    let (next, tried) = (AtomicU64::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    if place >= PLACES {
                        break;
                    }
                    let what = at(place);
                    tried.lock().unwrap().push(what);
                }
            });
        }
    });
    let tried = tried.into_inner().unwrap();
    let failures: Vec<&str> = tried.iter().filter_map(|place| Some(place.as_ref().err()?.as_str())).collect();
    assert!(failures.is_empty(), "{} of {PLACES} places:\n{}", failures.len(), failures.join("\n"));
    let early = tried.iter().filter(|place| **place == Ok(true)).count();
    println!("full disk: {PLACES} places, at {early} it ran before there was room, {} results", tried.len());
    // Too little room to begin is among them, too.
    assert!(
        (PLACES as usize / 2..tried.len()).contains(&early),
        "{early} of {PLACES} ran before there was room"
    );
}
