//! A process of pcm's own that does one thing and is killed when it takes too long: what touches a share, or tries
//! something as another account. The job goes to its standard input and the answer comes from its standard output.

use super::wire;
use crate::host::account::Account;
use crate::host::{process, programs, threads};
use crate::text::SafeText;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

/// The longest job or answer: an instruction file of 1 MiB as JSON numbers, and what it says.
const MAX_MESSAGE: usize = 64 << 20;

/// What killed processes still hang at. A file server that is gone can hold them in a system call for days, and each new
/// one would join them.
static HELD_UP: Mutex<BTreeMap<String, usize>> = Mutex::new(BTreeMap::new());

fn held_up() -> MutexGuard<'static, BTreeMap<String, usize>> {
    HELD_UP.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a process that was killed there still hangs there.
pub fn hangs(at: &str) -> bool {
    held_up().contains_key(at)
}

/// Has `pcm VERB` do a job, as `account` where one is given, for at most `deadline`. `what` names it in messages; `at` is
/// what it can hang at: nobody is sent there while one that was killed there still hangs.
///
/// # Errors
/// Why there is no answer: it hangs, or no process can be had. Nothing may be concluded from it.
pub fn ask<A: DeserializeOwned + Send + 'static>(
    verb: &str,
    what: &str,
    job: &impl Serialize,
    at: Option<String>,
    account: Option<&Account>,
    deadline: Duration,
) -> Result<A, SafeText> {
    if at.as_ref().is_some_and(|at| held_up().contains_key(at)) {
        return Err(SafeText::new(&format!(
            "it does not answer: {what} that was killed there has not ended, so no other one is started"
        )));
    }
    let failed = |e: io::Error| SafeText::new(&format!("{what} failed: {e}"));
    let mut command = Command::new(programs::own_executable().map_err(failed)?);
    command.arg(verb).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    if let Some(account) = account {
        process::act_as(&mut command, account).map_err(failed)?;
    }
    let job = wire::encode(job).map_err(failed)?;
    let mut child = command.spawn().map_err(failed)?;
    let (Some(mut stdin), Some(mut stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(SafeText::new(&format!("{what} has no pipes")));
    };
    let (tell, told) = mpsc::channel();
    let talking = threads::start("helper", move || {
        let answer =
            io::Write::write_all(&mut stdin, &job).and_then(|()| wire::read::<A>(&mut stdout, MAX_MESSAGE));
        // Nobody waits any more after the deadline.
        let _ = tell.send(answer);
    });
    let mut killed_at = None;
    let answer = match talking.map(|_| told.recv_timeout(deadline)) {
        Ok(Ok(answer)) => answer.map_err(failed),
        Ok(Err(_)) => {
            let _ = child.kill();
            killed_at.clone_from(&at);
            if let Some(at) = at {
                *held_up().entry(at).or_default() += 1;
            }
            Err(SafeText::new(&format!("it does not answer within {}", crate::text::duration(deadline))))
        }
        Err(e) => {
            let _ = child.kill();
            Err(failed(e))
        }
    };
    reap(child, killed_at);
    answer
}

/// Even a killed process can hang in the system's own call: it is reaped when it is gone, and not waited for. Where there
/// is no thread for that, it is left to a later call.
fn reap(child: Child, at: Option<String>) {
    static LEFT: Mutex<Vec<(Child, Option<String>)>> = Mutex::new(Vec::new());
    let gone = |at: &Option<String>| {
        let Some(at) = at else { return };
        if let Entry::Occupied(mut here) = held_up().entry(at.clone()) {
            *here.get_mut() -= 1;
            if *here.get() == 0 {
                here.remove();
            }
        }
    };
    let mut left = LEFT.lock().unwrap_or_else(PoisonError::into_inner);
    left.retain_mut(|(child, at)| {
        let hangs = matches!(child.try_wait(), Ok(None));
        if !hangs {
            gone(at);
        }
        hangs
    });
    let wait = move |(mut child, at): (Child, Option<String>)| {
        drop(child.wait());
        gone(&at);
    };
    if let Err((both, _)) = threads::give("reaper", (child, at), wait) {
        left.push(both);
    }
}

/// The helper's side: reads its job, does it, answers. The exit status only says whether that could be done.
pub fn serve<J: DeserializeOwned, A: Serialize>(carry_out: impl FnOnce(J) -> A) -> u8 {
    let job: io::Result<J> = wire::read(&mut io::stdin().lock(), MAX_MESSAGE);
    let told = job.and_then(|job| wire::write(&mut io::stdout().lock(), &carry_out(job)));
    u8::from(told.is_err())
}
