//! The parts of an archive, as the views print them: each is asked for once, and printed as JSON and as text. What cannot be had
//! is a part as well, with the reason.

use super::super::args::{Cli, LogArgs, SimulateArgs, Verb};
use super::super::out::{Kept, Out};
use super::super::page::Page;
use super::super::{App, check, log, simulate};
use crate::error::{Exit, Failure, Result};
use crate::executor::ask::Ask;
use crate::executor::client::Client;
use crate::executor::talk::protocol::{Answer, Reply, VERSION, View};
use crate::executor::talk::view::{AttemptDoc, ServiceState};
use crate::host::open::{self, Access, OpenError};
use crate::host::power::HostFacts;
use crate::site::ids::{JobId, RequestId};
use crate::site::index::job::{self, Job};
use crate::site::indexed::store::{self, Held};
use crate::site::{index, site_file};
use crate::text::{SafeText, bytes};
use clap::Parser as _;
use serde::Serialize;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

/// The most bytes of a document that is printed.
const DOCUMENT: usize = 16 << 20;
/// And of what the log says, of its end.
const LOG: usize = 8 << 20;
/// So many records before and after each that names the request.
const AROUND: &str = "20";
/// The most bytes of a transcript, of its end: one that pcm has written has less.
const TRANSCRIPT: u64 = 10 << 20;
/// And of all of them together, the newest first.
const TRANSCRIPTS: u64 = 40 << 20;
/// The most bytes of a file that is in force.
const HELD: u64 = 8 << 20;

/// What a part holds.
pub enum Text {
    /// Lines of safe text; `changed`: what was there was not safe.
    Lines {
        /// All of them.
        text: String,
        /// As said.
        changed: bool,
    },
    /// A JSON document, or one a line.
    Json(String),
}

/// One part.
pub struct Part {
    /// Its name in the archive.
    pub name: String,
    /// The command that prints it, or the file that it is.
    pub from: SafeText,
    /// None: it is missing.
    pub text: Option<Text>,
    /// Why it is missing, or not whole.
    pub why: Option<SafeText>,
    /// What it passes as a secret is one wherever it stands.
    pub teaches: bool,
}

/// All of them, and the request's command line.
pub fn gather(app: &App, client: &Client, request: RequestId, shown: Reply) -> (Vec<Part>, Option<SafeText>) {
    let mut all = Gathered { app, client, parts: Vec::new() };
    let (mut attempts, mut job, mut command_line) = (Vec::new(), None, None);
    if let Ok(Answer::Show(doc)) = &shown {
        attempts.clone_from(&doc.attempts);
        job = doc.request.job_id;
        command_line.clone_from(&doc.command_line);
    }
    all.view("explain", &format!("pcm explain {request}"), &View::Explain(request));
    all.answered("show", &format!("pcm show {request}"), shown);
    all.simulated(request);
    all.view("history", &format!("pcm history {request}"), &View::History(Some(request), None));
    all.view("status", "pcm status", &View::Status);
    all.answered("check", "pcm check", Ok(check::answer(app)));
    all.view("audit", "pcm audit", &View::Audit(None));
    all.view("audit-verify", "pcm audit verify", &View::AuditVerify);
    all.view("serials", "the last publications that were taken", &View::Serials);
    all.versions();
    all.log(request);
    all.in_force(job);
    all.transcripts(&attempts);
    (all.parts, command_line)
}

struct Gathered<'a> {
    app: &'a App,
    client: &'a Client,
    parts: Vec<Part>,
}

impl Gathered<'_> {
    fn view(&mut self, name: &str, from: &str, view: &View) {
        let reply = self.client.view(view);
        self.answered(name, from, reply);
    }

    fn answered(&mut self, name: &str, from: &str, reply: Reply) {
        match reply {
            Ok(answer) => self.printed(name, from, DOCUMENT, |app| app.other(answer.clone())),
            Err(failure) => self.missing(name, from, failure.to_string()),
        }
    }

    /// What `print` prints, as JSON and as text. Whatever it finds, it was printed.
    fn printed(&mut self, name: &str, from: &str, most: usize, print: impl Fn(&App) -> Result<Exit>) {
        for json in [true, false] {
            let app = App { out: Out::keeping(json, most), ..self.app.clone() };
            let done = print(&app);
            let Kept { text, left_out, notes } = app.out.kept();
            let (name, from) = match json {
                true => (format!("{name}.json"), format!("{from} --json")),
                false => (format!("{name}.txt"), from.to_owned()),
            };
            let cut = (left_out > 0).then(|| {
                format!("the last {}: {} before that are left out", bytes(text.len() as u64), bytes(left_out))
            });
            let why: Vec<String> = match done {
                Ok(_) => cut.into_iter().chain(notes.iter().map(ToString::to_string)).collect(),
                Err(failure) => vec![failure.to_string()],
            };
            let why = (!why.is_empty()).then(|| SafeText::new(&why.join("; ")));
            let text = (!text.is_empty()).then_some(match json {
                true => Text::Json(text),
                false => Text::Lines { text, changed: false },
            });
            self.parts.push(Part { name, from: from.into(), text, why, teaches: false });
        }
    }

    fn missing(&mut self, name: &str, from: &str, why: impl AsRef<str>) {
        let why = Some(SafeText::new(why.as_ref()));
        self.parts.push(Part { name: name.to_owned(), from: from.into(), text: None, why, teaches: false });
    }

    fn simulated(&mut self, request: RequestId) {
        let line = format!("pcm simulate {request}");
        let args =
            SimulateArgs { request: Some(request), file: None, from: None, until: None, assume: Vec::new() };
        match simulate::foretold(self.app, &args) {
            Ok(doc) => self.printed("simulate", &line, DOCUMENT, |app| simulate::print(app, &args, &doc)),
            Err(failure) => self.missing("simulate", &line, failure.to_string()),
        }
    }

    fn versions(&mut self) {
        let answers = match self.client.view(&View::Status) {
            Ok(Answer::Status(doc)) if doc.service == ServiceState::Running => Some(doc.version),
            Ok(_) | Err(_) => None,
        };
        let HostFacts { os, os_version, .. } = HostFacts::now(None);
        let doc = VersionsDoc { pcm: VERSION, service: answers, os, os_version };
        self.printed(
            "versions",
            "the versions of pcm, of the service that runs, and of the system",
            DOCUMENT,
            |app| {
                app.out.view(&doc, || doc.page())?;
                Ok(Exit::Done)
            },
        );
    }

    fn log(&mut self, request: RequestId) {
        let line = format!("pcm log --request {request} --context {AROUND} --rotated");
        let args = match log_args(&line) {
            Ok(args) => args,
            Err(failure) => return self.missing("log", &line, failure.to_string()),
        };
        let before = self.parts.len();
        self.printed("log", &line, LOG, |app| log::run(app, &args));
        for part in &mut self.parts[before..] {
            if part.text.is_none() && part.why.is_none() {
                part.why = Some("no record names it".into());
            }
        }
    }

    /// The index, its job and the package of that, or the instruction file, as they are held, with their signatures.
    fn in_force(&mut self, job: Option<JobId>) {
        let layout = &self.app.setup.layout;
        let dir = layout.held_folder();
        match store::look(&dir) {
            Ok(Some(held)) => self.indexed(&dir, &held, job),
            Ok(None) => {
                let most = site_file::MAX_BYTES;
                for (path, most) in
                    [(layout.held(), HELD), (layout.held_site(), most), (layout.held_packages(), HELD)]
                {
                    self.held(&path, open::read_own(&path, most));
                }
            }
            Err(e) => self.missing(&in_force(index::NAME), &dir.display().to_string(), e.to_string()),
        }
    }

    fn indexed(&mut self, dir: &Path, held: &Held, job: Option<JobId>) {
        let from = dir.display().to_string();
        self.held(&dir.join(index::NAME), Ok(held.index.clone()));
        let index = match index::parse(&held.index, index::NAME) {
            Ok(index) => index,
            Err(_) => {
                return self.missing(&in_force("jobs"), &from, "the index that names them cannot be read");
            }
        };
        let named = index.jobs.iter().find(|named| Some(named.job_id) == job);
        let Some(named) = named else {
            return self.missing(&in_force("jobs"), &from, "the index in force names no job of this request");
        };
        let name = format!("{}.{}.toml", named.job_id, named.revision);
        let Some(text) = held.parts.text(&named.sha256) else {
            return self.missing(&in_force(&name), &from, "it was not read from a share yet");
        };
        self.file(in_force(&name), &from, text.as_bytes());
        let programs = self.app.setup.config.request_defaults().programs;
        match job::parse(text.as_bytes(), named.job_id, &name, &programs) {
            Ok(job) => self.package(&from, held, &job),
            Err(_) => self.missing(&in_force("package.toml"), &from, "the job that names it cannot be read"),
        }
    }

    fn package(&mut self, from: &str, held: &Held, job: &Job) {
        let name = in_force(&format!("{}.package.toml", job.package_id));
        match held.parts.text(&job.package_sha256) {
            Some(text) => self.file(name.clone(), from, text.as_bytes()),
            None => self.missing(&name, from, "it was not read from a share yet"),
        }
        let signature = format!("{name}.sig");
        match held.parts.signature(&job.package_sha256) {
            Some(armour) => self.file(signature, from, armour.as_bytes()),
            None => {
                self.missing(&signature, from, "none is held: nobody signed it, or none is asked for here")
            }
        }
    }

    fn held(&mut self, path: &Path, read: Result<Vec<u8>, OpenError>) {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let from = path.display().to_string();
        match read {
            Ok(bytes) => self.file(in_force(&name), &from, &bytes),
            Err(OpenError::Missing) => self.missing(&in_force(&name), &from, "none is held"),
            Err(e) => self.missing(&in_force(&name), &from, e.to_string()),
        }
    }

    fn file(&mut self, name: String, from: &str, bytes: &[u8]) {
        let text = match std::str::from_utf8(bytes) {
            // What signed packages are kept as: one line, however long.
            Ok(text) if plain(text) && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() => {
                Text::Json(text.to_owned())
            }
            Ok(_) | Err(_) => safe(bytes),
        };
        self.parts.push(Part { name, from: from.into(), text: Some(text), why: None, teaches: true });
    }

    fn transcripts(&mut self, attempts: &[AttemptDoc]) {
        let mut left = TRANSCRIPTS;
        let mut newest: Vec<&AttemptDoc> = attempts.iter().collect();
        newest.sort_by_key(|attempt| std::cmp::Reverse(attempt.attempt));
        for attempt in newest {
            let name = format!("transcripts/{}-{}.log", attempt.request_id, attempt.attempt);
            let Some(from) = &attempt.transcript else {
                self.missing(&name, "", "it does not exist: none was written, or it is kept no longer");
                continue;
            };
            if left == 0 {
                let why = format!("those of newer attempts take {}", bytes(TRANSCRIPTS));
                self.missing(&name, from.as_str(), why);
                continue;
            }
            match tail(&PathBuf::from(from.as_str()), TRANSCRIPT.min(left)) {
                Ok((end, before)) => {
                    left = left.saturating_sub(end.len() as u64);
                    let cut = || {
                        format!(
                            "the last {}: {} before that are left out",
                            bytes(end.len() as u64),
                            bytes(before)
                        )
                    };
                    let why = (before > 0).then(|| SafeText::from(cut()));
                    let text = Some(safe(&end));
                    self.parts.push(Part { name, from: from.clone(), text, why, teaches: false });
                }
                Err(OpenError::Missing) => {
                    let kept = attempt
                        .transcript_until
                        .map(|until| format!("; it was to be kept until {}", until.to_rfc3339()));
                    self.missing(
                        &name,
                        from.as_str(),
                        format!("it does not exist{}", kept.unwrap_or_default()),
                    );
                }
                Err(e) => self.missing(&name, from.as_str(), e.to_string()),
            }
        }
    }
}

fn in_force(name: &str) -> String {
    format!("in-force/{name}")
}

/// As if it were typed: what is said of a part is how it is made.
fn log_args(line: &str) -> Result<LogArgs> {
    match Cli::try_parse_from(line.split(' ')) {
        Ok(Cli { verb: Some(Verb::Log(args)), .. }) => Ok(args),
        Ok(_) | Err(_) => {
            Err(Failure::new(Exit::Failed, "usage", format!("not understood: {line}"), "Report this"))
        }
    }
}

/// Whether all of it is safe at a glance.
fn plain(text: &str) -> bool {
    text.bytes().all(|b| b == b'\n' || (0x20..0x7F).contains(&b))
}

/// Lines that are safe, each with the end that it had.
fn safe(bytes: &[u8]) -> Text {
    let mut text = String::with_capacity(bytes.len());
    for line in bytes.split_inclusive(|b| *b == b'\n') {
        let body = line.strip_suffix(b"\n").unwrap_or(line);
        text.push_str(SafeText::from_bytes(body.strip_suffix(b"\r").unwrap_or(body)).as_str());
        if body.len() < line.len() {
            text.push('\n');
        }
    }
    let changed = text.as_bytes() != bytes;
    Text::Lines { text, changed }
}

/// At most so many bytes of its end, from the beginning of a line on, and how many are before them.
fn tail(path: &Path, most: u64) -> Result<(Vec<u8>, u64), OpenError> {
    let mut file = open::own(path, Access::Read)?;
    let length = file.metadata()?.len();
    let mut before = length.saturating_sub(most);
    file.seek(SeekFrom::Start(before))?;
    let mut end = Vec::new();
    file.take(most).read_to_end(&mut end)?;
    if before > 0
        && let Some(line) = end.iter().position(|b| *b == b'\n')
    {
        end.drain(..=line);
        before += line as u64 + 1;
    }
    Ok((end, before))
}

/// `versions.json`
#[derive(Serialize)]
struct VersionsDoc {
    pcm: &'static str,
    service: Option<SafeText>,
    os: Option<SafeText>,
    os_version: Option<SafeText>,
}

impl VersionsDoc {
    fn page(&self) -> Page {
        let mut page = Page::new(None);
        page.line(format!("pcm {}", self.pcm));
        page.line(match &self.service {
            Some(version) => format!("The service that runs: pcm {version}"),
            None => "No service answers".to_owned(),
        });
        if let Some(os) = &self.os {
            let version = self.os_version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
            page.line(format!("System: {os}{version}"));
        }
        page
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn of_what_is_long_the_end_is_taken_in_whole_lines() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("transcript");
        std::fs::write(&path, "first\nsecond\nthird\n").unwrap();
        assert_eq!(tail(&path, 19).unwrap(), (b"first\nsecond\nthird\n".to_vec(), 0));
        assert_eq!(tail(&path, 10).unwrap(), (b"third\n".to_vec(), 13));
        assert_eq!(tail(&dir.path().join("gone"), 10), Err(OpenError::Missing));
    }

    #[test]
    fn what_is_printed_and_is_too_much_is_kept_from_its_end_in_whole_lines() {
        let out = Out::keeping(false, 12);
        for n in 0..100 {
            out.text(&format!("line {n}\n")).unwrap();
        }
        out.note("beside");
        let Kept { text, left_out, notes } = out.kept();
        assert_eq!((text.as_str(), left_out), ("line 99\n", 10 * 7 + 89 * 8));
        assert_eq!(notes, ["beside"]);
    }

    #[test]
    fn a_file_is_told_as_it_is_or_as_what_was_made_safe() {
        let Text::Lines { text, changed } = safe(b"one\ntwo") else { panic!() };
        assert_eq!((text.as_str(), changed), ("one\ntwo", false));
        let Text::Lines { text, changed } = safe(b"\x1b[2Jone\r\n\xff\n") else { panic!() };
        assert_eq!((text.as_str(), changed), ("^[[2Jone\n\\xFF\n", true));
    }

    #[test]
    fn the_log_is_asked_for_by_a_line_that_can_be_typed() {
        assert!(log_args("pcm log --request BP0000Y --context 20 --rotated").is_ok());
    }
}
