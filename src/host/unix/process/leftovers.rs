//! What a dead run host left alive. Its session is one trace: the kernel gives no session number out again while a
//! process of it lives. The environment of a package is another, its control group the best, and where there is none
//! the list that the run host kept while it lived.

use super::super::proc::{self, Stat};
use super::cgroup::Cgroup;
use crate::host::process::{Process, ProcessIdentity, Traces};
use std::collections::HashSet;

pub fn leftovers(run_host: &ProcessIdentity, traces: &Traces) -> Vec<Process> {
    let all: Vec<Stat> = proc::all();
    let group: HashSet<Process> =
        group_of(traces).map(|group| group.processes()).unwrap_or_default().into_iter().collect();
    // A living leader of another age means that the session died out and its number was given to a new one.
    let given_out_again = all.iter().any(|s| s.pid == run_host.pid && s.start_time != run_host.start_time);
    let of_session = |s: &Stat| !given_out_again && s.session == run_host.pid;
    let marks = &traces.marks;
    let marked = |s: &Stat| {
        !marks.is_empty() && marks.iter().all(|(k, v)| proc::environment(s.pid, k).as_ref() == Some(v))
    };
    let own = |s: &Stat| Process { pid: s.pid, start_time: s.start_time };
    all.iter()
        .filter(|s| !s.is_dead() && s.start_time >= run_host.start_time && s.pid != std::process::id())
        .filter(|s| of_session(s) || group.contains(&own(s)) || traces.seen.contains(&own(s)) || marked(s))
        .map(own)
        .collect()
}

/// Ends what the control group holds in one go; what is not in it is looked for one by one.
pub fn kill_at_once(traces: &Traces) {
    if let Some(group) = group_of(traces) {
        group.kill();
    }
}

/// Removes the control group of a run that is over.
pub fn release(traces: &Traces) {
    if let Some(group) = group_of(traces) {
        group.remove();
    }
}

fn group_of(traces: &Traces) -> Option<Cgroup> {
    traces.cgroup.as_deref().and_then(Cgroup::at)
}
