//! Who is alive, whatever it calls itself: each nasty package runs below a process of its own to which every orphan
//! falls, so that nobody is hidden by a cleared environment, another name, session or folder, or closed descriptors.

use super::common::skipped;
use super::common::stat::{Stat, stat};
use super::ground::kill_9;
use super::knobs;
use std::collections::HashMap;
use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

const ROLE: &str = "PCM_HARNESS_ALONE";

/// Runs the body of a test in a process of its own, the subreaper of all that it starts. The test is the function that
/// `body` is written in.
pub fn alone<F: FnOnce()>(body: F) {
    if std::env::var_os(ROLE).is_some() {
        rustix::process::set_child_subreaper(Some(rustix::process::getpid())).unwrap();
        let _end = EndAll;
        return body();
    }
    let name = std::any::type_name::<F>();
    let name = name.split_once("::").unwrap().1.trim_end_matches("::{{closure}}");
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--nocapture"]).env(ROLE, "1").stdin(Stdio::null());
    let output = command.output().unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    said.lines().filter_map(|line| line.strip_prefix("harness: ")).for_each(knobs::say);
    // Its thread has the name of the test, too.
    let skips = said.lines().filter_map(|line| line.strip_prefix("SKIPPED: ")?.split_once(": "));
    skips.for_each(|(_, why)| skipped(why));
}

/// Nothing outlives the process, also where the test fails.
struct EndAll;

impl Drop for EndAll {
    fn drop(&mut self) {
        let all_gone = || {
            living(&[]).into_iter().for_each(|one| kill_9(one.pid));
            living(&[]).is_empty()
        };
        let _ = super::common::wait_for_or(Duration::from_secs(20), all_gone);
    }
}

/// A living process below this one.
#[derive(Debug, Clone)]
pub struct One {
    pub pid: u32,
    pub name: String,
}

/// Every living descendant of this process, except these and the share readers that they started.
pub fn living(except: &[u32]) -> Vec<One> {
    let mut children: HashMap<u32, Vec<One>> = HashMap::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let Some(Stat { parent, name, dead, .. }) = stat(pid) else { continue };
        // The dead are looked through: a process that is being reaped may still have its children.
        let name = if dead { String::new() } else { name };
        children.entry(parent).or_default().push(One { pid, name });
    }
    let (mut found, mut look) = (Vec::new(), vec![std::process::id()]);
    while let Some(parent) = look.pop() {
        for one in children.remove(&parent).unwrap_or_default() {
            look.push(one.pid);
            let reader = except.contains(&parent) && is_reader(one.pid);
            if !one.name.is_empty() && !except.contains(&one.pid) && !reader {
                found.push(one);
            }
        }
    }
    found
}

fn is_reader(pid: u32) -> bool {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let mut words = line.split(|byte| *byte == 0);
    let own = words.next() == Some(env!("CARGO_BIN_EXE_pcm").as_bytes());
    // Between fork and exec it still has the line of the service itself.
    own && words.next() != Some(b"run-host")
}

/// A package that is made to be seen is seen, or all the other tests would say nothing.
#[test]
fn what_clears_environment_name_folder_session_and_descriptors_is_seen_all_the_same() {
    alone(|| {
        let hide = "exec 0<&- 1>&- 2>&-; cd /; (env -i setsid sh -c 'sleep 299 & exec sleep 299' &) ; exit 0";
        assert!(Command::new("sh").args(["-c", hide]).status().unwrap().success());
        super::common::wait_for("both are seen", || {
            living(&[]).iter().filter(|one| one.name == "sleep").count() == 2
        });
    });
}
