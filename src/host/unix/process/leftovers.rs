//! What a dead run host left alive. Its session is one trace: the kernel gives no session number out again while a
//! process of it lives. The environment of a package is the other.

use super::super::proc::{self, Stat};
use crate::host::process::{Process, ProcessIdentity};

pub fn leftovers(run_host: &ProcessIdentity, marks: &[(String, String)]) -> Vec<Process> {
    let all: Vec<Stat> = proc::all();
    // A living leader of another age means that the session died out and its number was given to a new one.
    let given_out_again = all.iter().any(|s| s.pid == run_host.pid && s.start_time != run_host.start_time);
    let of_session = |s: &Stat| !given_out_again && s.session == run_host.pid;
    let marked = |s: &Stat| {
        !marks.is_empty() && marks.iter().all(|(k, v)| proc::environment(s.pid, k).as_ref() == Some(v))
    };
    all.iter()
        .filter(|s| !s.is_dead() && s.start_time >= run_host.start_time && s.pid != std::process::id())
        .filter(|s| of_session(s) || marked(s))
        .map(|s| Process { pid: s.pid, start_time: s.start_time })
        .collect()
}
