//! A process of pcm's own that does one thing and is killed when it takes too long: what touches a share, or tries
//! something as another account. The job goes to its standard input and the answer comes from its standard output, where
//! it also says how far it is if that is worth waiting for.

use super::wire;
use crate::host::account::Account;
use crate::host::{process, threads};
use crate::text::{SafeText, bytes, duration};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

/// The longest job or answer: an instruction file of 1 MiB as JSON numbers, where it is no text, and what it says.
const MAX_MESSAGE: usize = 64 << 20;

/// How long a helper may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Until it says something: how far it is, or its answer.
    pub silence: Duration,
    /// All together.
    pub whole: Duration,
}

impl From<Duration> for Limits {
    fn from(deadline: Duration) -> Self {
        Self { silence: deadline, whole: deadline }
    }
}

/// What a helper says.
#[derive(Debug, Serialize, Deserialize)]
enum Said<A> {
    /// So many bytes of so many are done.
    SoFar(u64, u64),
    /// What came of its job.
    Answer(A),
}

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

/// Has `pcm VERB` do a job, as `account` where one is given, within these limits. `what` names it in messages; `at` is what
/// it can hang at: nobody is sent there while one that was killed there still hangs.
///
/// # Errors
/// Why there is no answer: it hangs, or no process can be had. Nothing may be concluded from it.
pub fn ask<A: DeserializeOwned + Send + 'static>(
    verb: &str,
    what: &str,
    job: &impl Serialize,
    at: Option<String>,
    account: Option<&Account>,
    limits: impl Into<Limits>,
) -> Result<A, SafeText> {
    if at.as_ref().is_some_and(|at| held_up().contains_key(at)) {
        return Err(SafeText::new(&format!(
            "it does not answer: {what} that was killed there has not ended, so no other one is started"
        )));
    }
    let failed = |e: io::Error| SafeText::new(&format!("{what} failed: {e}"));
    let mut command = Command::new(process::own_executable().map_err(failed)?);
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
        let mut asked = io::Write::write_all(&mut stdin, &job);
        loop {
            let said = asked.and_then(|()| wire::read::<Said<A>>(&mut stdout, MAX_MESSAGE));
            let goes_on = matches!(said, Ok(Said::SoFar(..)));
            // Nobody waits any more after the deadline.
            if tell.send(said).is_err() || !goes_on {
                return;
            }
            asked = Ok(());
        }
    });
    let mut killed_at = None;
    let answer = match talking.map(|_| wait(&told, limits.into())) {
        Ok(Ok(answer)) => answer.map_err(failed),
        Ok(Err(why)) => {
            let _ = child.kill();
            killed_at.clone_from(&at);
            if let Some(at) = at {
                *held_up().entry(at).or_default() += 1;
            }
            Err(why)
        }
        Err(e) => {
            let _ = child.kill();
            Err(failed(e))
        }
    };
    reap(child, killed_at);
    answer
}

/// What a helper answers, or why it failed. One that gets further is waited for as long as all may take.
///
/// # Errors
/// It is too late.
fn wait<A>(told: &mpsc::Receiver<io::Result<Said<A>>>, limits: Limits) -> Result<io::Result<A>, SafeText> {
    let began = Instant::now();
    let mut so_far = None;
    loop {
        let left = limits.whole.saturating_sub(began.elapsed());
        match told.recv_timeout(left.min(limits.silence)) {
            Ok(Ok(Said::Answer(answer))) => return Ok(Ok(answer)),
            Ok(Ok(Said::SoFar(done, of))) => so_far = Some((done, of)),
            Ok(Err(e)) => return Ok(Err(e)),
            Err(_) => return Err(too_late(so_far, limits, left > limits.silence)),
        }
    }
}

fn too_late(so_far: Option<(u64, u64)>, limits: Limits, silent: bool) -> SafeText {
    let (silence, whole) = (duration(limits.silence), duration(limits.whole));
    SafeText::of(match so_far.map(|(done, of)| (bytes(done), bytes(of))) {
        None => format!("it does not answer within {}", if silent { silence } else { whole }),
        Some((done, of)) if silent => format!("nothing more came for {silence}: {done} of {of} had come"),
        Some((done, of)) => format!("it is not whole after {whole}: {done} of {of} had come"),
    })
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
    let told = job.and_then(|job| {
        let answer = Said::Answer(carry_out(job));
        wire::write(&mut io::stdout().lock(), &answer)
    });
    u8::from(told.is_err())
}

/// The helper's side: says that so many bytes of so many are done.
pub fn so_far(done: u64, of: u64) {
    // What nobody waits for any more is done all the same.
    let _ = wire::write(&mut io::stdout().lock(), &Said::<()>::SoFar(done, of));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    /// What comes of these words, after which the helper says nothing more and does not end.
    fn heard(said: Vec<Said<&'static str>>, silence: Duration, whole: Duration) -> Result<String, String> {
        let (tell, told) = mpsc::channel();
        said.into_iter().for_each(|said| tell.send(Ok(said)).unwrap());
        let answer = wait(&told, Limits { silence, whole }).map_err(SafeText::into_string);
        drop(tell);
        answer.map(|answer| answer.unwrap().to_owned())
    }

    #[test]
    fn who_gets_further_is_waited_for_and_who_falls_silent_is_not() {
        let copied = |mb: u64| Said::SoFar(mb << 20, 800 << 20);
        let none = Duration::ZERO;
        let answered = heard(vec![copied(1), copied(2), Said::Answer("done")], none, HOUR);
        assert_eq!(answered.as_deref(), Ok("done"));
        let silent = heard(vec![copied(1), copied(2)], none, HOUR);
        assert_eq!(silent.unwrap_err(), "nothing more came for 0s: 2 MB of 800 MB had come");
        let slow = heard(vec![copied(1), copied(790)], HOUR, none);
        assert_eq!(slow.unwrap_err(), "it is not whole after 0s: 790 MB of 800 MB had come");
        assert_eq!(heard(Vec::new(), none, HOUR).unwrap_err(), "it does not answer within 0s");
        assert_eq!(heard(Vec::new(), HOUR, none).unwrap_err(), "it does not answer within 0s");
    }

    #[test]
    fn what_a_helper_says_is_understood_whatever_its_answer_is() {
        let mut said = Vec::new();
        wire::write(&mut said, &Said::<()>::SoFar(1, 2)).unwrap();
        wire::write(&mut said, &Said::Answer(vec!["a".to_owned()])).unwrap();
        let mut from = said.as_slice();
        let first = wire::read::<Said<Vec<String>>>(&mut from, MAX_MESSAGE).unwrap();
        assert!(matches!(first, Said::SoFar(1, 2)), "{first:?}");
        let second = wire::read::<Said<Vec<String>>>(&mut from, MAX_MESSAGE).unwrap();
        assert!(matches!(second, Said::Answer(ref all) if *all == ["a"]), "{second:?}");
    }
}
