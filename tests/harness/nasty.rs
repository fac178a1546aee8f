//! Nasty packages: each ends as what it is, and none of its processes is alive a second after its end.

use super::common::*;
use super::ground::{Ground, id};
use super::keeper::{alone, living};
use super::knobs::{full, say};
use super::pty::Terminal;
use serde_json::Value;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub const LIMIT: Duration = Duration::from_secs(120);

/// One request with this script, changed so, on a machine with the usual configuration.
pub fn nasty(script: &str, change: impl FnOnce(Request) -> Request) -> Ground {
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

/// The rule of P7: a second after the end there is neither a process of the package nor its run host, whatever they call
/// themselves. These services may go on.
pub fn none_alive(ground: &Ground, services: &[&Service]) {
    let services: Vec<u32> = services.iter().map(|service| service.child.id()).collect();
    let left = || living(&services);
    wait_for_or(Duration::from_secs(1), || left().is_empty())
        .unwrap_or_else(|()| panic!("still alive a second after the end: {:?}\n{}", left(), ground.log()));
}

pub fn runs_to(script: &str, change: impl FnOnce(Request) -> Request, state: &str, words: &str) -> Ground {
    let ground = nasty(script, change);
    let attempt = ended(&ground);
    none_alive(&ground, &[]);
    let result = attempt["result"].as_str().unwrap_or_default();
    assert!(
        attempt["state"] == state && result.contains(words),
        "{state}, {words}: {attempt}\n{}",
        ground.log()
    );
    ground
}

pub fn limited(request: Request) -> Request {
    request.set("max_run_time", "\"2s\"")
}

#[test]
fn one_that_reads_its_input_finds_it_empty() {
    alone(|| {
        runs_to("cat; exit 7", |r| r, "failed", "exit 7");
    });
}

#[test]
fn one_that_opens_the_terminal_of_whoever_started_it_finds_none() {
    alone(|| {
        let ground = nasty("(: </dev/tty) 2>/dev/null && exit 9; exit 5", |r| r);
        let mut command = Command::new("sh");
        // The shell shows that there is one to be had.
        command.args([
            "-c",
            "(: </dev/tty) && echo there it is; exec \"$@\"",
            "sh",
            env!("CARGO_BIN_EXE_pcm"),
        ]);
        let run = ground.command(&["run", &id(0), "--wait"]);
        command.args(run.get_args()).env("TZ", "UTC");
        let mut terminal = Terminal::start(&command, 80, 24);
        terminal.wait("there it is");
        terminal.wait("exit 5");
        terminal.wait_exit();
        none_alive(&ground, &[]);
    });
}

#[test]
fn one_that_takes_a_terminal_and_asks_there_is_ended_by_its_limit() {
    alone(|| {
        let mut cat = Terminal::start(&Command::new("cat"), 80, 24);
        let device = cat.device().unwrap();
        // Opened by a leader without O_NOCTTY it becomes its controlling terminal.
        let script = format!(
            "setsid sh -c 'exec 3<>{}; echo Continue? >&3; read answer <&3'; exit 5",
            device.display()
        );
        let ground = nasty(&script, limited);
        let attempt = ended(&ground);
        assert_eq!(attempt["state"], "timed-out", "{attempt}");
        cat.wait("Continue?");
        let _ = cat.child.kill();
        none_alive(&ground, &[]);
    });
}

#[test]
fn one_that_ignores_sigterm_is_timed_out() {
    alone(|| {
        let ground =
            runs_to("trap '' TERM HUP INT; while :; do sleep 1; done", limited, "timed-out", "time limit");
        let attempt = ground.json(&["history"])["attempts"][0].take();
        assert!(!attempt["result"].as_str().unwrap().contains("left"), "{attempt}");
    });
}

#[test]
fn one_that_forks_twice_and_leaves_is_not_done_and_its_time_limit_ends_it() {
    alone(|| {
        let script =
            "(setsid setsid sh -c 'trap \"\" HUP; while :; do sleep 1; done' >/dev/null 2>&1 &); exit 0";
        runs_to(script, limited, "timed-out", "time limit");
    });
}

#[test]
fn one_that_leaves_without_a_trace_is_ended_by_the_limit_all_the_same() {
    alone(|| {
        let script = format!("{}; exit 3", TRACELESS.replace("%what%", "while :; do sleep 1; done"));
        runs_to(&script, limited, "timed-out", "it had left processes behind with exit 3");
    });
}

/// Another session, no environment, another folder, no descriptor that leads anywhere, and no parent.
const TRACELESS: &str =
    "(cd /; exec env -i /usr/bin/setsid -f /bin/sh -c 'trap \"\" HUP; %what%' </dev/null >/dev/null 2>&1)";

#[test]
fn one_that_forks_and_forks_is_ended_whole() {
    alone(|| {
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
    });
}

#[test]
fn one_whose_processes_come_and_go_without_a_pause_has_a_time_limit_all_the_same() {
    alone(|| {
        // Each is an orphan within milliseconds, so the run host has always one to reap.
        let script = "trap '' TERM; while :; do (sleep 0.01 &); done";
        let begun = Instant::now();
        runs_to(script, limited, "timed-out", "time limit");
        assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    });
}

#[test]
fn one_that_prints_without_end_is_neither_blocked_nor_does_it_fill_the_disk() {
    alone(|| {
        let bytes: u64 = if full() { 10_000_000_000 } else { 200_000_000 };
        let begun = Instant::now();
        let script = format!("yes 'all work and no play' | head -c {bytes}; echo the last words");
        let ground = runs_to(&script, |r| r.set("max_run_time", "\"20m\""), "succeeded", "exit 0");
        let transcript = transcript(&ground);
        assert!(transcript.len() < 10 << 20, "{} bytes", transcript.len());
        assert!(transcript.starts_with(b"all work and no play") && transcript.ends_with(b"the last words\n"));
        say(&format!(
            "{bytes} bytes of output in {} s, {} kept",
            begun.elapsed().as_secs(),
            transcript.len()
        ));
    });
}

#[test]
fn one_that_prints_megabytes_without_a_newline_keeps_every_view_at_work() {
    alone(|| {
        let ground = runs_to("head -c 5000000 /dev/zero | tr '\\0' x", |r| r, "succeeded", "exit 0");
        assert_eq!(transcript(&ground).len(), 5_000_000);
        for args in [&["show", "BP00000"][..], &["log"], &["history"]] {
            let output = ground.pcm(args);
            assert!(output.status.success(), "pcm {args:?}: {}", text(&output));
        }
    });
}

fn transcript(ground: &Ground) -> Vec<u8> {
    let show = ground.json(&["show", &id(0)]);
    std::fs::read(show["attempts"][0]["transcript"].as_str().unwrap()).unwrap()
}

#[test]
fn one_that_kills_its_parent_is_interrupted_and_its_tree_is_gone() {
    alone(|| kills_its_parent("(setsid sleep 299 &); kill -9 $PPID; sleep 299"));
}

#[test]
fn one_that_leaves_without_a_trace_and_kills_its_parent_is_gone_all_the_same() {
    alone(|| {
        // Where no control group can be made, the run host has to have seen it: it looks many times a second.
        let leave = TRACELESS.replace("%what%", "sleep 299");
        kills_its_parent(&format!("{leave}; sleep 2; kill -9 $PPID; sleep 299"));
    });
}

#[test]
fn one_that_kills_the_service_and_its_run_host_is_interrupted_by_the_next_service() {
    alone(|| {
        let kill = "read pid name state service rest < /proc/$PPID/stat; kill -9 $service $PPID; sleep 299";
        let ground = nasty(&format!("%ran%; (setsid sleep 299 &); {kill}"), |r| r);
        let mut first = ground.service_begun();
        wait_for("it kills the service", || !matches!(first.child.try_wait(), Ok(None)));
        let service = ground.service();
        ground.wait_state(&id(0), "interrupted");
        none_alive(&ground, &[&service]);
        assert_eq!(ground.ran("ran"), 1);
    });
}

fn kills_its_parent(script: &str) {
    let ground = nasty(&format!("%ran%; {script}"), |r| r);
    let service = ground.service();
    ground.wait_state(&id(0), "interrupted");
    none_alive(&ground, &[&service]);
    assert_eq!(ground.ran("ran"), 1);
}

#[test]
fn one_whose_daemon_holds_the_output_open_is_not_done_until_the_daemon_is_or_the_limit_ends_it() {
    alone(|| {
        runs_to("setsid sleep 299 & exit 0", limited, "timed-out", "left processes behind with exit 0");
        let begun = Instant::now();
        runs_to("setsid sleep 2 & exit 0", |r| r, "succeeded", "exit 0");
        assert!(begun.elapsed() >= Duration::from_secs(2), "done while its daemon lived");
    });
}

#[test]
fn one_that_calls_itself_something_else_is_ended_all_the_same() {
    alone(|| {
        if !std::path::Path::new("/bin/bash").exists() {
            skipped("no bash, which alone can change argv[0]");
            return;
        }
        let script = "exec /bin/bash -c 'exec -a \"[kworker/0:0]\" sleep 299'";
        runs_to(script, limited, "timed-out", "time limit");
    });
}

#[test]
fn one_that_ends_by_a_signal_failed_by_that_signal() {
    alone(|| {
        runs_to("kill -SEGV $$; sleep 9", |r| r, "failed", "signal 11");
    });
}

#[test]
fn one_that_closes_its_output_is_still_seen_to_its_end() {
    alone(|| {
        runs_to("exec >&- 2>&-; sleep 1; exit 4", |r| r, "failed", "exit 4");
    });
}
