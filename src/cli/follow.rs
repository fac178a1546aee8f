//! Waiting for a run to end, and printing its transcript while it grows: `pcm run --wait` and `--follow`. The package
//! goes on whatever becomes of this process.

use super::App;
use crate::decision::SERVICE;
use crate::error::{Exit, Failure, Result};
use crate::executor::ask::Ask;
use crate::executor::client::Client;
use crate::executor::talk::protocol::{Answer, View};
use crate::executor::talk::view::{AttemptDoc, AuditEntryDoc, RunResultDoc};
use crate::host::open::{self, Access};
use crate::site::ids::RequestId;
use crate::terms::{Code, State, VerbKind};
use crate::text::SafeText;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How often the executor is asked.
const STEP: Duration = Duration::from_millis(250);
/// How long an executor that does not answer (a service being restarted) is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long a copy is waited for.
const LONGEST_COPY: Duration = Duration::from_secs(6 * 3_600);

/// What stands before each line of a package: what it prints cannot be taken for a line of pcm's own.
pub const MARK: &str = "| ";

/// Waits while the files of a request are being copied, or it is being looked at whether they are needed: it can only be refused
/// before. Whatever became of them, and whatever else is in its way, is said by the executor when it is asked to run it.
///
/// # Errors
/// They are still being copied after hours; the executor does not answer for a minute.
pub fn until_copied(app: &App, client: &Client, id: RequestId) -> Result<()> {
    let (begun, mut answered, mut said) = (Instant::now(), Instant::now(), false);
    loop {
        match client.view(&View::Show(id)) {
            Ok(Answer::Show(doc)) if doc.looking_up || doc.copying_since.is_some() => {
                answered = Instant::now();
                let package = doc.request.package_id.map_or_else(|| id.to_string(), |id| id.to_string());
                if begun.elapsed() > LONGEST_COPY {
                    let what =
                        format!("the files of {package} are still being copied, and nothing was started");
                    let remedy = format!("See: pcm explain {id}; then try again");
                    return Err(Failure::new(Exit::Refused, Code::ContentMissing.as_str(), what, remedy));
                }
                if !said && doc.copying_since.is_some() {
                    said = true;
                    app.out.note(format!(
                        "the files of {package} are being copied; {id} starts after that, and only while this waits for it"
                    ));
                }
            }
            Ok(_) => return Ok(()),
            // Before it waited, whoever asks to run it is told why not.
            Err(_) if !said => return Ok(()),
            Err(failure) if answered.elapsed() > PATIENCE => return Err(failure),
            Err(_) => {}
        }
        std::thread::sleep(STEP);
    }
}

/// Asks until the attempt has ended, from the queue on where it waits there.
///
/// # Errors
/// It was taken out of the queue; the executor does not answer for a minute, or does not know the attempt; standard output is gone.
pub fn until_ended(app: &App, client: &Client, run: &RunResultDoc, print: bool) -> Result<RunResultDoc> {
    let mut transcript =
        Transcript::new(app.setup.layout.transcript(&format!("{}-{}", run.request_id, run.attempt)));
    let mut answered = Instant::now();
    loop {
        let attempt = match client.view(&View::Show(run.request_id)) {
            Ok(Answer::Show(doc)) => {
                let attempt = doc.attempts.iter().find(|a| a.attempt == run.attempt).cloned();
                let queued = doc.request.queued.is_some();
                if attempt.is_none() && !queued && run.state == State::Queued {
                    return Err(left_the_queue(client, run));
                }
                if queued {
                    answered = Instant::now();
                }
                attempt
            }
            Ok(_) => None,
            Err(failure) if answered.elapsed() > PATIENCE => return Err(failure),
            Err(_) => {
                std::thread::sleep(STEP);
                continue;
            }
        };
        let Some(attempt) = attempt else {
            if answered.elapsed() > PATIENCE {
                let what = format!("attempt {} of {} is not in the history", run.attempt, run.request_id);
                return Err(Failure::new(Exit::State, "history-lost", what, "See `pcm status`"));
            }
            std::thread::sleep(STEP);
            continue;
        };
        answered = Instant::now();
        if let Some(path) = &attempt.transcript {
            transcript.path = PathBuf::from(path.as_str());
        }
        let ended = attempt.ended_at.is_some() || attempt.state.is_terminal();
        if print {
            transcript.print(app, ended)?;
        }
        if ended {
            return Ok(RunResultDoc { decided_on: run.decided_on.clone(), ..result(&attempt) });
        }
        std::thread::sleep(STEP);
    }
}

/// Why nothing came of a run that waited in the queue, from the audit: the service says so there, as an operator does.
fn left_the_queue(client: &Client, run: &RunResultDoc) -> Failure {
    let id = run.request_id;
    let entries = match client.view(&View::Audit(None)) {
        Ok(Answer::Audit(doc)) => doc.entries,
        Ok(_) | Err(_) => Vec::new(),
    };
    let ends = |entry: &&AuditEntryDoc| {
        let stopped = entry.verb == VerbKind::Stop.as_str() && entry.result.as_str() == "done";
        entry.request_id == Some(id) && (stopped || entry.who.as_str() == SERVICE)
    };
    let Some(entry) = entries.iter().rev().find(ends) else {
        let what = format!("{id} is not in the queue any more, and was not started");
        return Failure::new(Exit::Refused, "not-running", what, format!("See: pcm audit; pcm explain {id}"));
    };
    let why = entry.reason.as_ref().map_or("", |reason| reason.as_str());
    if entry.verb == VerbKind::Stop.as_str() {
        let what = format!("{} took {id} out of the queue: {why}", entry.who);
        return Failure::new(Exit::Refused, "stopped", what, "Nothing was started");
    }
    let what = format!("{id} was taken out of the queue and not started: {why}");
    Failure::new(Exit::Refused, entry.result.as_str(), what, format!("See: pcm explain {id}"))
}

fn result(attempt: &AttemptDoc) -> RunResultDoc {
    RunResultDoc {
        request_id: attempt.request_id,
        attempt: attempt.attempt,
        state: attempt.state,
        exit_code: attempt.exit_code,
        result: Some(attempt.result.clone()),
        started_at: attempt.started_at,
        ended_at: attempt.ended_at,
        queue_position: None,
        decided_on: None,
    }
}

/// A transcript that is printed as it grows.
struct Transcript {
    path: PathBuf,
    read: u64,
    /// The beginning of a line whose end has not been written yet.
    rest: Vec<u8>,
    refused: bool,
}

impl Transcript {
    fn new(path: PathBuf) -> Self {
        Self { path, read: 0, rest: Vec::new(), refused: false }
    }

    /// Prints the lines that are complete; at the end also one that is not.
    fn print(&mut self, app: &App, end: bool) -> Result<()> {
        let mut more = Vec::new();
        let read = open::own(&self.path, Access::Read).map_err(std::io::Error::from).and_then(|mut file| {
            file.seek(SeekFrom::Start(self.read))?;
            file.take(4 << 20).read_to_end(&mut more)
        });
        match read {
            Ok(n) => self.read += n as u64,
            // It is made when the package is launched, so it may not be there yet.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) if !self.refused => {
                self.refused = true;
                app.out
                    .note(format!("cannot read the output in {}: {e}; still waiting", self.path.display()));
            }
            Err(_) => {}
        }
        self.rest.extend(more);
        while let Some(i) = self.rest.iter().position(|b| *b == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=i).collect();
            say(app, &line)?;
        }
        if end && !self.rest.is_empty() {
            say(app, &std::mem::take(&mut self.rest))?;
        }
        Ok(())
    }
}

/// A line of the package. What is longer than the terminal is wide would go on at the beginning of the next row, where
/// pcm's own lines begin: each row has its mark.
fn say(app: &App, line: &[u8]) -> Result<()> {
    let text = SafeText::from_bytes(trim(line));
    let rows = match app.out.width.map(|width| width.saturating_sub(MARK.len())) {
        Some(room) if room > 1 && !text.is_empty() => text.wrap(room),
        _ => vec![text],
    };
    rows.iter().try_for_each(|row| app.out.say(&SafeText::new(&format!("{MARK}{row}"))))
}

fn trim(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}
