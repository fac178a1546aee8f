//! Real processes. Each test runs alone in a process of its own, since a tree reaps every child of its process.

#![allow(clippy::unwrap_used)]

use super::super::proc;
use crate::host::facts;
use crate::host::process::*;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const ROLE: &str = "PCM_TEST_ALONE";

/// Runs `body` in a process of its own: this test binary again, with only this test.
fn alone(test: &str, body: impl FnOnce()) {
    if std::env::var_os(ROLE).is_some() {
        return body();
    }
    let name = format!("host::unix::process::tests::{test}");
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &name, "--nocapture"]).env(ROLE, "1").stdin(Stdio::null());
    let output = command.output().unwrap();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < end, "waited too long until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn sh(script: &str, output: std::io::PipeWriter) -> LaunchSpec {
    LaunchSpec {
        program: "/bin/sh".into(),
        args: vec!["-c".into(), script.into()],
        env: vec![("PATH".into(), "/usr/bin:/bin".into()), ("PCM_REQUEST_ID".into(), "BP0000Y".into())],
        cwd: "/".into(),
        run_as: None,
        input: None,
        output,
    }
}

/// Launches a script and returns its pid and the reader of its output.
fn launch(tree: &mut Tree, script: &str) -> (u32, std::io::PipeReader) {
    let (reader, writer) = std::io::pipe().unwrap();
    (tree.launch(sh(script, writer)).unwrap(), reader)
}

fn wait_for(tree: &mut Tree, pid: u32) -> Ended {
    loop {
        match tree.wait_any(Duration::from_secs(20)).unwrap() {
            Reaped::One { pid: p, ended } if p == pid => return ended,
            Reaped::One { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

fn read_pid(reader: &mut impl std::io::BufRead) -> u32 {
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    line.trim().parse().unwrap_or_else(|_| panic!("no pid: {line:?}"))
}

#[test]
fn the_exit_code_or_the_signal_is_told() {
    alone("the_exit_code_or_the_signal_is_told", || {
        let mut tree = Tree::own().unwrap();
        let (pid, _out) = launch(&mut tree, "exit 17");
        assert_eq!(wait_for(&mut tree, pid), Ended::Code(17));
        let (pid, _out) = launch(&mut tree, "kill -9 $$");
        assert_eq!(wait_for(&mut tree, pid), Ended::Signal(9));
        assert_eq!(tree.wait_any(Duration::ZERO).unwrap(), Reaped::NoChildren);
    });
}

/// In a container the session of this process may lie outside of it, and then has no number here.
#[test]
fn a_package_starts_where_the_session_lies_outside_the_container() {
    let unshare = || {
        let mut command = Command::new("unshare");
        command.args(["--pid", "--fork", "--mount-proc"]).stdin(Stdio::null());
        command
    };
    if !unshare().arg("true").output().is_ok_and(|o| o.status.success()) {
        return crate::skipped("no PID namespace can be made here");
    }
    let name = "host::unix::process::tests::the_exit_code_or_the_signal_is_told";
    let mut command = unshare();
    command.arg(std::env::current_exe().unwrap()).args(["--exact", name]).env_remove(ROLE);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[test]
fn a_wait_without_an_end_takes_its_time_and_no_longer() {
    alone("a_wait_without_an_end_takes_its_time_and_no_longer", || {
        let mut tree = Tree::own().unwrap();
        let (_, _out) = launch(&mut tree, "exec sleep 60");
        let start = Instant::now();
        assert_eq!(tree.wait_any(Duration::from_millis(120)).unwrap(), Reaped::NothingYet);
        assert!(start.elapsed() >= Duration::from_millis(120));
        assert!(start.elapsed() < Duration::from_secs(5));
        tree.kill(Duration::from_secs(10)).unwrap();
    });
}

#[test]
fn a_package_gets_this_environment_and_nothing_else() {
    alone("a_package_gets_this_environment_and_nothing_else", || {
        let mut tree = Tree::own().unwrap();
        let (reader, writer) = std::io::pipe().unwrap();
        let spec = LaunchSpec { program: "/usr/bin/env".into(), args: vec![], ..sh("", writer) };
        tree.launch(spec).unwrap();
        let mut lines: Vec<String> = BufReader::new(reader).lines().map(|l| l.unwrap()).collect();
        lines.sort();
        assert_eq!(lines, ["PATH=/usr/bin:/bin", "PCM_REQUEST_ID=BP0000Y"]);
    });
}

#[test]
fn a_package_has_no_terminal_no_input_and_default_signals_and_shares_nothing_open() {
    alone("a_package_has_no_terminal_no_input_and_default_signals_and_shares_nothing_open", || {
        ignore_hangups();
        let mut tree = Tree::own().unwrap();
        // A descriptor that is inherited unless it is closed on purpose.
        let leak = rustix::io::dup(std::fs::File::open("/etc/passwd").unwrap()).unwrap();
        // Without a pipeline: the shell itself would hold its ends open for a moment.
        let script = "read x; ls -m /proc/$$/fd; grep -E 'Sig(Ign|Blk)' /proc/self/status; \
            cat /proc/$$/stat; echo err >&2; pwd; umask";
        let (pid, mut reader) = launch(&mut tree, script);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        drop(leak);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "0, 1, 2", "{text}");
        assert!(lines[1].ends_with("0000000000000000") && lines[2].ends_with("0000000000000000"), "{text}");
        let fields: Vec<&str> = lines[3].rsplit(") ").next().unwrap().split(' ').collect();
        assert_eq!(
            (fields[2], fields[4]),
            (pid.to_string().as_str(), "0"),
            "its own group, no terminal: {text}"
        );
        assert_eq!(lines[4..], ["err", "/", "0022"], "{text}");
    });
}

#[test]
fn a_package_inherits_neither_nice_value_nor_limits_nor_the_killers_score() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    alone("a_package_inherits_neither_nice_value_nor_limits_nor_the_killers_score", || {
        let few = |most| Rlimit { current: Some(64), maximum: Some(most) };
        setrlimit(Resource::Nofile, few(64)).unwrap();
        if setrlimit(Resource::Nofile, few(65)).is_err() {
            println!("SKIPPED: needs the right to raise limits, as root has it");
            return;
        }
        rustix::process::nice(5).unwrap();
        std::fs::write("/proc/self/oom_score_adj", "500").unwrap();
        let mut tree = Tree::own().unwrap();
        let (pid, reader) = launch(&mut tree, "nice; ulimit -Sn; ulimit -Hn; cat /proc/self/oom_score_adj");
        let lines: Vec<String> = BufReader::new(reader).lines().map(Result::unwrap).collect();
        assert_eq!(wait_for(&mut tree, pid), Ended::Code(0));
        assert_eq!(lines, ["0", "1024", "524288", "0"]);
    });
}

#[test]
fn a_file_without_a_known_format_is_refused_and_never_given_to_a_shell() {
    alone("a_file_without_a_known_format_is_refused_and_never_given_to_a_shell", || {
        let dir = tempfile::tempdir().unwrap();
        let program = executable(dir.path(), "setup", b"touch ran\n");
        let mut tree = Tree::own().unwrap();
        let (_reader, writer) = std::io::pipe().unwrap();
        let spec = LaunchSpec { program, cwd: dir.path().into(), ..sh("", writer) };
        let error = tree.launch(spec).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOEXEC));
        assert!(!dir.path().join("ran").exists());
        let (_reader, writer) = std::io::pipe().unwrap();
        let spec = LaunchSpec { program: dir.path().join("missing"), ..sh("", writer) };
        assert_eq!(tree.launch(spec).unwrap_err().kind(), std::io::ErrorKind::NotFound);
    });
}

#[test]
fn a_program_that_somebody_has_open_for_writing_starts_once_he_closed_it() {
    alone("a_program_that_somebody_has_open_for_writing_starts_once_he_closed_it", || {
        let dir = tempfile::tempdir().unwrap();
        let program = executable(dir.path(), "setup", b"#!/bin/sh\necho it runs\n");
        let open = std::fs::File::options().append(true).open(&program).unwrap();
        let (started, starting) = std::sync::mpsc::channel();
        let closer = std::thread::spawn(move || {
            starting.recv().unwrap();
            std::thread::sleep(Duration::from_millis(200));
            drop(open);
        });
        let mut tree = Tree::own().unwrap();
        let (reader, writer) = std::io::pipe().unwrap();
        let begun = Instant::now();
        started.send(()).unwrap();
        let pid = tree.launch(LaunchSpec { program, ..sh("", writer) }).unwrap();
        assert!(begun.elapsed() >= Duration::from_millis(150), "{:?}", begun.elapsed());
        assert_eq!(std::io::read_to_string(reader).unwrap(), "it runs\n");
        assert_eq!(wait_for(&mut tree, pid), Ended::Code(0));
        closer.join().unwrap();
    });
}

fn executable(dir: &Path, name: &str, content: &[u8]) -> PathBuf {
    use std::os::unix::fs::OpenOptionsExt as _;
    let path = dir.join(name);
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o755).open(&path).unwrap();
    file.write_all(content).unwrap();
    path
}

#[test]
fn a_package_runs_as_the_account_that_it_was_given() {
    alone("a_package_runs_as_the_account_that_it_was_given", || {
        let Some(account) =
            crate::host::account::by_name("nobody").filter(|_| rustix::process::geteuid().is_root())
        else {
            return crate::skipped("not root, or no account named nobody");
        };
        let mut tree = Tree::own().unwrap();
        let (reader, writer) = std::io::pipe().unwrap();
        let uid = account.uid.unwrap();
        let script = "grep -E '^(Uid|Groups)' /proc/self/status";
        tree.launch(LaunchSpec { run_as: Some(account), ..sh(script, writer) }).unwrap();
        let text = std::io::read_to_string(reader).unwrap();
        let ids: Vec<&str> = text.lines().next().unwrap().split_whitespace().skip(1).collect();
        assert_eq!(ids, [uid.to_string().as_str(); 4], "{text}");
        let groups = text.lines().nth(1).unwrap().trim_start_matches("Groups:").trim();
        assert!(!groups.split(' ').any(|g| g == "0"), "{text}");
    });
}

#[test]
fn an_escapee_by_double_fork_and_setsid_is_found_and_killed() {
    alone("an_escapee_by_double_fork_and_setsid_is_found_and_killed", || {
        let mut tree = Tree::own().unwrap();
        let script = "(setsid sh -c 'trap \"\" TERM HUP; (sleep 60 & echo $!); wait' &) ; exit 3";
        let (pid, reader) = launch(&mut tree, script);
        let escapee = read_pid(&mut BufReader::new(reader));
        assert_eq!(wait_for(&mut tree, pid), Ended::Code(3));
        assert!(tree.processes().iter().any(|p| p.pid == escapee));
        tree.kill(Duration::from_secs(10)).unwrap();
        assert!(tree.processes().is_empty());
        assert_eq!(super::start_time(escapee), None);
    });
}

#[test]
fn a_tree_that_ignores_sigterm_is_killed() {
    alone("a_tree_that_ignores_sigterm_is_killed", || {
        let mut tree = Tree::own().unwrap();
        let (pid, reader) = launch(&mut tree, "trap '' TERM; echo $$; while :; do sleep 0.05; done");
        read_pid(&mut BufReader::new(reader));
        tree.terminate();
        assert_ne!(super::start_time(pid), None);
        let start = Instant::now();
        let ended = tree.kill(Duration::from_secs(10)).unwrap();
        assert!(ended.contains(&(pid, Ended::Signal(9))));
        assert!(start.elapsed() < Duration::from_secs(5));
    });
}

#[test]
fn a_stopped_process_hears_a_termination() {
    alone("a_stopped_process_hears_a_termination", || {
        let mut tree = Tree::own().unwrap();
        let (pid, _out) = launch(&mut tree, "kill -STOP $$; exit 1");
        until("it has stopped", || proc::stat(pid).is_some_and(|s| s.state == b'T'));
        tree.terminate();
        assert_eq!(wait_for(&mut tree, pid), Ended::Signal(15));
    });
}

#[test]
fn processes_that_start_each_other_anew_are_all_killed() {
    alone("processes_that_start_each_other_anew_are_all_killed", || {
        let mut tree = Tree::own().unwrap();
        // Each makes a copy of itself in a session of its own and goes; without the folder they would all end.
        let dir = tempfile::tempdir().unwrap();
        let script = format!(
            "loop='trap \"\" TERM; [ -e {} ] || exit; setsid sh -c \"$loop\" & sleep 0.1'; export loop; \
            for i in 1 2 3 4 5 6; do setsid sh -c \"$loop\" & done; echo $$; wait",
            dir.path().display()
        );
        let (_, reader) = launch(&mut tree, &script);
        let mut reader = BufReader::new(reader);
        read_pid(&mut reader);
        until("they multiply", || tree.processes().len() > 6);
        tree.kill(Duration::from_secs(30)).unwrap();
        assert!(tree.processes().is_empty());
        assert_eq!(tree.wait_any(Duration::ZERO).unwrap(), Reaped::NoChildren);
    });
}

#[test]
fn every_branch_of_a_tree_is_seen() {
    alone("every_branch_of_a_tree_is_seen", || {
        let mut tree = Tree::own().unwrap();
        let script = "sleep 60 & sleep 60 & (sleep 60 & sleep 60 & wait) & (sleep 60 & wait) & wait";
        let (_, _out) = launch(&mut tree, script);
        until("all eight are there", || tree.processes().len() == 8);
        assert_eq!(tree.kill(Duration::from_secs(10)).unwrap().len(), 8);
    });
}

#[test]
fn an_identity_outlives_its_process_but_not_its_boot() {
    let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
    let who = identity(child.id()).unwrap();
    assert!(alive(&who));
    assert!(!alive(&ProcessIdentity { boot_id: "another".into(), ..who.clone() }));
    assert!(!alive(&ProcessIdentity { start_time: who.start_time + 1, ..who.clone() }));
    child.kill().unwrap();
    // Dead, even though nobody has waited for it.
    until("it is dead", || !alive(&who));
    child.wait().unwrap();
    assert_eq!(identity(who.pid), None);
}

#[test]
fn a_detached_process_has_its_own_session_and_ends_with_its_pipe() {
    let script = "read x; echo \"$x\"; pwd; grep -E 'Sig(Ign|Blk)' /proc/self/status";
    let mut detached = spawn_detached(Path::new("/bin/sh"), &["-c".into(), script.into()]).unwrap();
    let stat = proc::stat(detached.child.id()).unwrap();
    assert_eq!((stat.session, stat.terminal), (detached.child.id(), 0));
    detached.stdin.write_all(b"go\n").unwrap();
    let mut text = String::new();
    detached.stdout.read_to_string(&mut text).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[..2], ["go", "/"]);
    assert!(lines[2..].iter().all(|l| l.ends_with("0000000000000000")), "{text}");
    assert!(detached.child.wait().unwrap().success());
}

#[test]
fn what_a_dead_run_host_left_is_found_by_session_or_environment_and_killed() {
    // The shell is the run host: it leaves one process in its session, and one outside of it with the package's marks.
    let script = "export PCM_REQUEST_ID=BP0LEFT PCM_ATTEMPT=1; setsid sh -c 'echo $$; exec sleep 60' & \
        env -i /bin/sleep 60 & echo $!; read x";
    let mut host = spawn_detached(Path::new("/bin/sh"), &["-c".into(), script.into()]).unwrap();
    let who = identity(host.child.id()).unwrap();
    let mut out = BufReader::new(&mut host.stdout);
    let mut expected = [read_pid(&mut out), read_pid(&mut out)];
    expected.sort();
    host.child.kill().unwrap();
    host.child.wait().unwrap();
    let marks =
        vec![("PCM_REQUEST_ID".to_owned(), "BP0LEFT".to_owned()), ("PCM_ATTEMPT".to_owned(), "1".to_owned())];
    let marks = Traces { marks, ..Traces::default() };
    let found = || {
        let mut found: Vec<u32> = leftovers(&who, &marks).iter().map(|p| p.pid).collect();
        found.sort();
        found
    };
    until("both are found", || found() == expected);
    let other = ProcessIdentity { boot_id: "another".into(), ..who.clone() };
    assert!(leftovers(&other, &marks).is_empty());
    let later = ProcessIdentity { start_time: who.start_time + 1_000_000, ..who.clone() };
    assert!(leftovers(&later, &marks).is_empty());
    assert!(kill_leftovers(&who, &marks, Duration::from_secs(10)));
    assert!(found().is_empty());
    assert!(expected.iter().all(|pid| super::start_time(*pid).is_none()));
    assert_eq!(who.boot_id, facts::boot_id());
}

#[test]
fn a_control_group_holds_what_left_session_and_environment_and_ends_it_at_once() {
    alone("a_control_group_holds_what_left_session_and_environment_and_ends_it_at_once", || {
        let mut tree = Tree::own().unwrap();
        let group = match tree.enclose("BP0TEST-1") {
            Ok(group) => group.unwrap(),
            Err(why) => return crate::skipped(format_args!("no control group can be made here: {why}")),
        };
        let script = "env -i /usr/bin/setsid /bin/sh -c 'echo $$; exec sleep 60' & wait";
        let (pid, reader) = launch(&mut tree, script);
        assert!(!tree.is_open());
        let escapee = read_pid(&mut BufReader::new(reader));
        let who = identity(std::process::id()).unwrap();
        let traces = Traces { cgroup: Some(group.clone()), ..Traces::default() };
        let found: Vec<u32> = leftovers(&who, &traces).iter().map(|p| p.pid).collect();
        assert!(found.contains(&escapee) && found.contains(&pid), "{found:?}");
        assert!(kill_leftovers(&who, &traces, Duration::from_secs(10)));
        assert!(tree.kill(Duration::from_secs(10)).unwrap().contains(&(pid, Ended::Signal(9))));
        drop(tree);
        assert!(!group.exists(), "it goes with the tree");
    });
}
