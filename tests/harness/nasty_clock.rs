//! Packages that change the clock while they run. The clock of this machine stays as it is: service and run host live
//! below libfaketime, which shifts their wall clock by what a file says, and the package writes that file.

use super::common::*;
use super::ground::CONFIG;
use super::ground::{Ground, id};
use super::keeper::alone;
use super::nasty::{LIMIT, none_alive};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The library, or None and why.
pub fn library() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path());
    let found = folders.map(|folder| folder.join("faketime/libfaketimeMT.so.1")).find(|file| file.is_file());
    if found.is_none() {
        skipped("no libfaketime, which alone can change the clock for one process");
    }
    found
}

/// A ground whose pcm sees the clock that its packages set.
struct Clocked {
    ground: Ground,
    library: PathBuf,
}

impl Clocked {
    fn new(config: &str) -> Option<Self> {
        let clocked = Self { library: library()?, ground: Ground::new(config) };
        write(&clocked.file(), b"+0");
        Some(clocked)
    }

    fn file(&self) -> PathBuf {
        self.ground.path("clock")
    }

    /// A shell line that sets the clock so far from the true time.
    fn set(&self, shift: &str) -> String {
        let file = self.file().display().to_string();
        format!("echo '{shift}' > '{file}.new' && mv '{file}.new' '{file}'")
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.ground.command(args);
        command.env("LD_PRELOAD", &self.library).env("FAKETIME_TIMESTAMP_FILE", self.file());
        command.env("FAKETIME_NO_CACHE", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        command.stdout(Stdio::null()).stderr(std::fs::File::create(self.ground.path("service.err")).unwrap());
        command
    }

    fn service(&self) -> Service {
        let service = Service { child: self.command(&["service", "run"]).spawn().unwrap() };
        self.ground.wait_service();
        service
    }

    fn polls(&self) -> usize {
        self.ground.log().matches("Looking for instruction file").count()
    }
}

/// A package that sets the clock so and then does this, with this limit, which is one of real time.
fn limited(shift: &str, script: &str, limit: &str, state: &str) -> Option<Clocked> {
    let mut clocked = Clocked::new(CONFIG)?;
    let script = format!("{}; {script}", clocked.set(shift));
    let hash = clocked.ground.package("BP00000A", &script);
    clocked.ground.publish(&[Request::due(&id(0))
        .set("content_sha256", format!("\"{hash}\""))
        .set("max_run_time", format!("\"{limit}\""))]);
    let begun = Instant::now();
    let mut run = Service { child: clocked.command(&["run", &id(0), "--wait"]).spawn().unwrap() };
    wait_for_or(LIMIT, || !matches!(run.child.try_wait(), Ok(None)))
        .unwrap_or_else(|()| panic!("{shift}: it does not end\n{}", clocked.ground.log()));
    let attempt = clocked.ground.json(&["history", &id(0)])["attempts"][0].take();
    assert_eq!(attempt["state"], state, "{shift}: {attempt}\n{}", clocked.ground.log());
    assert!(begun.elapsed() >= Duration::from_secs(2), "{shift}: ended at once, {:?}", begun.elapsed());
    Some(clocked)
}

#[test]
fn one_that_sets_the_clock_forward_has_its_whole_time_and_one_that_sets_it_back_no_more() {
    alone(|| {
        let grounds = std::thread::scope(|scope| {
            let all = [
                scope.spawn(|| limited("+2d", "sleep 3; exit 6", "1h", "failed")),
                scope.spawn(|| limited("+2d", "sleep 299", "2s", "timed-out")),
                scope.spawn(|| limited("-2d", "sleep 299", "2s", "timed-out")),
                scope.spawn(|| limited("-2d", "sleep 3; exit 6", "1h", "failed")),
            ];
            all.map(|one| one.join().unwrap())
        });
        grounds.iter().flatten().for_each(|clocked| none_alive(&clocked.ground, &[]));
    });
}

/// The clock is a day and more ahead for some steps of the service and then right again: a request of tomorrow is not
/// started by that, and afterwards nothing is until the clock can be believed.
#[test]
fn one_that_sets_the_clock_forward_and_back_starts_nothing_and_closes_the_gate_of_the_clock() {
    alone(|| {
        let Some(mut clocked) = Clocked::new(CONFIG) else { return };
        let polled = clocked.ground.path("polled").display().to_string();
        // It waits until the service has looked at the time, for so long as the test says.
        let wait = |what: &str| format!("while [ ! -e '{polled}.{what}' ]; do sleep 0.1; done");
        let (ahead, right) = (clocked.set("+2d"), clocked.set("+0"));
        let say = clocked.ground.say("ran");
        let script = format!("{say}; {ahead}; {}; {right}; {}; exit 6", wait("ahead"), wait("right"));
        let hash = format!("\"{}\"", clocked.ground.package("BP00000A", &script));
        let other = format!("\"{}\"", clocked.ground.package("BP00000B", &say));
        let of_b =
            |n| Request::due(&id(n)).set("content_sha256", other.clone()).set("package_id", "\"BP00000B\"");
        clocked.ground.publish(&[
            Request::due(&id(0)).set("content_sha256", hash).set("mandatory_after", "2026-11-01T00:30:00Z"),
            of_b(1).mandatory(now() + seconds(24 * 3600)),
            of_b(2),
        ]);
        let service = clocked.service();
        let ground = &clocked.ground;
        let on = |what: &str| {
            let before = clocked.polls();
            wait_for("three polls", || clocked.polls() >= before + 3);
            std::fs::write(format!("{polled}.{what}"), b"").unwrap();
        };
        wait_for("the first has begun", || ground.ran("ran") == 1);
        wait_for("the service sees the other time", || ground.state_of(&id(1)) == "waiting");
        on("ahead");
        wait_for("it sees that the clock went back", || {
            let gates = ground.json(&["explain", &id(2)])["gates"].take();
            gates.as_array().unwrap().iter().any(|gate| gate["code"] == "clock-suspect")
        });
        on("right");
        ground.wait_state(&id(0), "failed");
        none_alive(ground, &[&service]);
        on("after");
        assert_eq!(ground.ran("ran"), 1, "{}", ground.log());
        assert_eq!((ground.state_of(&id(1)), ground.state_of(&id(2))), ("offered".into(), "waiting".into()));
        assert_eq!(ground.request(&id(2)).unwrap()["blocked_by"][0], "clock-suspect");
        let attempt = ground.json(&["history", &id(0)])["attempts"][0].take();
        let result = attempt["result"].as_str().unwrap();
        assert!(
            result.starts_with("exit 6 after ") && !result.contains('d') && !result.contains('h'),
            "{result}"
        );
    });
}

/// A run takes as long as it takes, while it runs and in the history.
#[test]
fn one_that_sets_the_clock_has_run_no_longer_for_that() {
    alone(|| {
        let Some(mut clocked) = Clocked::new(CONFIG) else { return };
        let go = clocked.ground.path("go").display().to_string();
        let script = format!("{}; while [ ! -e '{go}' ]; do sleep 0.1; done; exit 6", clocked.set("+5h"));
        let hash = clocked.ground.package("BP00000A", &script);
        clocked.ground.publish(&[Request::due(&id(0))
            .set("content_sha256", format!("\"{hash}\""))
            .set("max_run_time", "\"1h\"")]);
        let service = clocked.service();
        let ground = &clocked.ground;
        let time = |value: &serde_json::Value| -> chrono::DateTime<chrono::Utc> {
            value.as_str().unwrap().parse().unwrap()
        };
        let ahead = || now() + seconds(5 * 3600 - 300);
        wait_for("the run is said to have begun by the clock of now", || {
            ground
                .request(&id(0))
                .is_some_and(|r| r["run"].is_object() && time(&r["run"]["started_at"]) > ahead())
        });
        std::fs::write(&go, b"").unwrap();
        ground.wait_state(&id(0), "failed");
        none_alive(ground, &[&service]);
        let attempt = ground.json(&["history", &id(0)])["attempts"][0].take();
        let took = time(&attempt["ended_at"]) - time(&attempt["started_at"]);
        assert!(took < seconds(300) && took >= seconds(0), "{attempt}");
        assert!(time(&attempt["ended_at"]) > ahead(), "{attempt}");
    });
}

/// In the first minute of a history nothing is written down but events.
#[test]
fn a_clock_that_went_back_over_a_restart_is_not_believed_in_a_historys_first_minute() {
    alone(|| {
        let Some(mut clocked) = Clocked::new(CONFIG) else { return };
        let hash = format!("\"{}\"", clocked.ground.package("BP00000A", &clocked.ground.say("ran")));
        let of = |n| Request::due(&id(n)).set("content_sha256", hash.clone());
        let gone =
            of(1).mandatory(now() - seconds(30 * 3600)).set("expire_after", stamp(now() - seconds(3600)));
        clocked.ground.publish(&[of(0), gone]);
        let service = clocked.service();
        clocked.ground.wait_state(&id(0), "succeeded");
        assert_eq!(clocked.ground.state_of(&id(1)), "expired");
        service.kill();
        write(&clocked.file(), b"-1d");
        let service = clocked.service();
        let ground = &clocked.ground;
        wait_for("its clock is not believed", || {
            let gates = ground.json(&["explain", &id(1)])["gates"].take();
            gates.as_array().unwrap().iter().any(|gate| gate["code"] == "clock-suspect")
        });
        let before = clocked.polls();
        wait_for("three polls", || clocked.polls() >= before + 3);
        none_alive(ground, &[&service]);
        assert_eq!((ground.ran("ran"), ground.state_of(&id(1)).as_str()), (1, "waiting"), "{}", ground.log());
    });
}
