//! Nasty packages: each ends as what it is, and none of its processes is alive a second after its end.

use super::common::*;
use super::ground::{Ground, id};
use super::knobs::{full, say};
use serde_json::Value;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(120);

/// One request with this script, changed so, on a machine with the usual configuration.
fn nasty(script: &str, change: impl FnOnce(Request) -> Request) -> Ground {
    let mut ground = Ground::new("");
    let hash = ground.package("BP00000A", &script.replace("%ran%", &ground.say("ran")));
    ground.publish(&[change(Request::due(&id(0)).set("content_sha256", format!("\"{hash}\"")))]);
    ground
}

/// Runs it to its end without a service; the newest attempt as `history` has it.
pub fn ended(ground: &Ground) -> Value {
    let child = ground
        .command(&["run", &id(0), "--wait", "--json"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut child = Killed(child);
    wait_for_or(LIMIT, || !matches!(child.0.try_wait(), Ok(None)))
        .unwrap_or_else(|()| panic!("it does not end\n{}", ground.log()));
    none_alive(ground);
    ground.json(&["history", &id(0)])["attempts"][0].take()
}

/// Ends with the test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The rule of P7: a second after the end there is neither a package nor its run host.
pub fn none_alive(ground: &Ground) {
    let left = || [ground.packages(), ground.run_hosts()].concat();
    wait_for_or(Duration::from_secs(1), || left().is_empty())
        .unwrap_or_else(|()| panic!("still alive a second after the end: {:?}\n{}", left(), ground.log()));
}

fn runs_to(script: &str, change: impl FnOnce(Request) -> Request, state: &str, words: &str) -> Ground {
    let ground = nasty(script, change);
    let attempt = ended(&ground);
    let result = attempt["result"].as_str().unwrap_or_default();
    assert!(
        attempt["state"] == state && result.contains(words),
        "{state}, {words}: {attempt}\n{}",
        ground.log()
    );
    ground
}

fn limited(request: Request) -> Request {
    request.set("max_run_time", "\"2s\"")
}

#[test]
fn one_that_reads_its_input_finds_it_empty() {
    runs_to("cat; exit 7", |r| r, "failed", "exit 7");
}

#[test]
fn one_that_opens_the_terminal_finds_none() {
    runs_to("(: </dev/tty) 2>/dev/null && exit 9; exit 5", |r| r, "failed", "exit 5");
}

#[test]
fn one_that_ignores_sigterm_is_timed_out() {
    runs_to("trap '' TERM HUP INT; while :; do sleep 1; done", limited, "timed-out", "time limit");
}

#[test]
fn one_that_forks_twice_and_leaves_is_not_done_and_its_time_limit_ends_it() {
    let script = "(setsid setsid sh -c 'trap \"\" HUP; while :; do sleep 1; done' >/dev/null 2>&1 &); exit 0";
    runs_to(script, limited, "timed-out", "time limit");
}

#[test]
fn one_that_forks_and_forks_is_ended_whole() {
    // Two hundred that ignore SIGTERM, and ten that are always somebody else by the time one looks.
    let script = r#"
tree() { trap '' TERM; if [ $1 -gt 0 ]; then tree $(($1 - 1)) & tree $(($1 - 1)) & fi; while :; do sleep 1; done; }
cat > "$PCM_STATUS_MIF.rabbit" <<'END'
sleep 0.1
setsid sh "$0" >/dev/null 2>&1 &
END
for n in 1 2 3 4 5 6 7 8 9 10; do sh "$PCM_STATUS_MIF.rabbit" & done
tree 6
"#;
    runs_to(script, |r| r.set("max_run_time", "\"3s\""), "timed-out", "time limit");
}

#[test]
fn one_whose_processes_come_and_go_without_a_pause_has_a_time_limit_all_the_same() {
    // Each is an orphan within milliseconds, so the run host has always one to reap.
    let script = "trap '' TERM; while :; do (sleep 0.01 &); done";
    let begun = Instant::now();
    runs_to(script, limited, "timed-out", "time limit");
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
}

#[test]
fn one_that_prints_without_end_is_neither_blocked_nor_does_it_fill_the_disk() {
    let bytes: u64 = if full() { 10_000_000_000 } else { 200_000_000 };
    let begun = Instant::now();
    let script = format!("yes 'all work and no play' | head -c {bytes}; echo the last words");
    let ground = runs_to(&script, |r| r.set("max_run_time", "\"20m\""), "succeeded", "exit 0");
    let transcript = transcript(&ground);
    assert!(transcript.len() < 10 << 20, "{} bytes", transcript.len());
    assert!(transcript.starts_with(b"all work and no play") && transcript.ends_with(b"the last words\n"));
    say(&format!("{bytes} bytes of output in {} s, {} kept", begun.elapsed().as_secs(), transcript.len()));
}

#[test]
fn one_that_prints_megabytes_without_a_newline_keeps_every_view_at_work() {
    let ground = runs_to("head -c 5000000 /dev/zero | tr '\\0' x", |r| r, "succeeded", "exit 0");
    assert_eq!(transcript(&ground).len(), 5_000_000);
    for args in [&["show", "BP00000"][..], &["log"], &["history"]] {
        let output = ground.pcm(args);
        assert!(output.status.success(), "pcm {args:?}: {}", text(&output));
    }
}

fn transcript(ground: &Ground) -> Vec<u8> {
    let show = ground.json(&["show", &id(0)]);
    std::fs::read(show["attempts"][0]["transcript"].as_str().unwrap()).unwrap()
}

#[test]
fn one_that_kills_its_parent_is_interrupted_and_its_tree_is_gone() {
    let script = "%ran%; (setsid sleep 299 &); kill -9 $PPID; sleep 299";
    let ground = nasty(script, |r| r);
    let _service = ground.service();
    ground.wait_state(&id(0), "interrupted");
    none_alive(&ground);
    assert_eq!(ground.ran("ran"), 1);
}

#[test]
fn one_whose_daemon_holds_the_output_open_is_not_done_until_the_daemon_is_or_the_limit_ends_it() {
    runs_to("setsid sleep 299 & exit 0", limited, "timed-out", "time limit");
    let begun = Instant::now();
    runs_to("setsid sleep 2 & exit 0", |r| r, "succeeded", "exit 0");
    assert!(begun.elapsed() >= Duration::from_secs(2), "done while its daemon lived");
}

#[test]
fn one_that_calls_itself_something_else_is_ended_all_the_same() {
    if !std::path::Path::new("/bin/bash").exists() {
        println!("skipped: no bash, which alone can change argv[0]");
        return;
    }
    let script = "exec /bin/bash -c 'exec -a \"[kworker/0:0]\" sleep 299'";
    runs_to(script, limited, "timed-out", "time limit");
}

#[test]
fn one_that_ends_by_a_signal_failed_by_that_signal() {
    runs_to("kill -SEGV $$; sleep 9", |r| r, "failed", "signal 11");
}

#[test]
fn one_that_closes_its_output_is_still_seen_to_its_end() {
    runs_to("exec >&- 2>&-; sleep 1; exit 4", |r| r, "failed", "exit 4");
}

#[test]
fn one_that_deletes_the_history_stops_everything_and_nothing_is_repeated() {
    let mut ground = Ground::new("");
    let script = format!("{}; rm -f \"$PCM_PACKAGE_DIR\"/../../history.db*; exit 0", ground.say("ran"));
    let hash = ground.package("BP00000A", &script);
    let due = |n| Request::due(&id(n)).set("content_sha256", format!("\"{hash}\""));
    ground.publish(&[due(0), due(1)]);
    let lost = || {
        let list = serde_json::from_slice::<Value>(&ground.pcm(&["list", "--all", "--json"]).stdout);
        let list = list.unwrap_or_default();
        list["problems"].as_array().is_some_and(|all| all.iter().any(|p| p["code"] == "history-lost"))
    };
    let service = ground.service();
    wait_for("the package has run", || ground.ran("ran") == 1);
    wait_for_or(Duration::from_secs(20), lost)
        .unwrap_or_else(|()| panic!("the running service does not notice\n{}", ground.log()));
    none_alive(&ground);
    service.kill();
    let _again = ground.service();
    wait_for("history-lost after a start", lost);
    let polls = || ground.log().matches("Looking for instruction file").count();
    let before = polls();
    wait_for("two more polls", || polls() >= before + 2);
    assert_eq!(ground.ran("ran"), 1, "{}", ground.log());
}
