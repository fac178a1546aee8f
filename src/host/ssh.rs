//! The `ssh` program: how it is called for a machine, one call with pipes, and what its end means. `cli::host` lends it the
//! terminal; the console and `pcm log --hosts` start many.

use super::host_name::HostName;
use super::terminal::Ended;
use super::threads;
use crate::text::{SafeText, shell_word, split};
use std::io::{self, Read, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};
use tempfile::NamedTempFile;

/// The program that connects and options of its own, instead of `ssh`: words as in FORMATS.md 3, never given to a shell.
pub const PROGRAM: &str = "PCM_SSH";
/// So many are started at once at most (SITE.md 6).
pub const AT_ONCE: usize = 32;
/// A host that does not take the connection within so long is given up.
const CONNECT_S: u32 = 4;
/// How often a child is looked at.
const STEP: Duration = Duration::from_millis(20);
/// More than this of what is said is no error message.
const MOST_SAID: usize = 64 << 10;
/// Beside what is poured stands the document of it, which is longer.
const MOST_SAID_BESIDE: usize = 1 << 20;

/// The program and its own options, from `PCM_SSH`.
///
/// # Errors
/// `PCM_SSH` is no line of words, as a sentence.
pub fn program() -> Result<Vec<String>, String> {
    match std::env::var(PROGRAM).ok().filter(|told| !told.trim().is_empty()) {
        Some(told) => split(&told).map_err(|why| format!("{PROGRAM} cannot be used: {why}")),
        None => Ok(vec!["ssh".to_owned()]),
    }
}

/// What a call is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum For {
    /// The terminal is lent to it: `-t`, and nobody is asked for a password unless `asks`.
    Terminal {
        /// Somebody is there to be asked.
        asks: bool,
    },
    /// Its output is an answer: `-T`.
    Answer {
        /// Somebody is there to be asked.
        asks: bool,
    },
    /// One of many, with pipes: `-T`, never asks, and gives a host up that does not take the connection.
    Many,
}

/// A machine, as it is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// Where to connect.
    pub host: HostName,
    /// The public half of its SSH host key as the site folder has it, and then no other one is believed; None: what this
    /// account knows of the host counts.
    pub host_key: Option<String>,
}

/// A command that is ready, and the file that it reads its known hosts from: that lives as long as this.
#[derive(Debug)]
pub struct Ready {
    /// The command. Its pipes are not set up yet.
    pub command: Command,
    known: Option<NamedTempFile>,
}

impl Reach {
    /// The call of `program` ([`program`]) that carries out `pcm` with these words over there. Each of them reaches pcm as it
    /// is, whatever the shell there makes of others.
    ///
    /// # Errors
    /// The file of known hosts cannot be written, or the key is no line.
    pub fn command(&self, program: &[String], what: For, words: &[String]) -> io::Result<Ready> {
        let (first, own) = program.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let known = self.known()?;
        let mut command = Command::new(first);
        command.args(own).args(options(what));
        if let Some(known) = &known {
            let file = known.path().to_str().ok_or_else(|| io::Error::other("its path is not UTF-8"))?;
            // Blanks in a path would make two of it, and a percent sign begins a word of ssh's own.
            let file = file.replace('%', "%%");
            let file = if file.contains(' ') { format!("\"{file}\"") } else { file };
            for option in [
                format!("HostKeyAlias={}", self.host.host()),
                format!("UserKnownHostsFile={file}"),
                format!("GlobalKnownHostsFile={file}"),
                "StrictHostKeyChecking=yes".to_owned(),
                "UpdateHostKeys=no".to_owned(),
            ] {
                command.args(["-o", &option]);
            }
        }
        command.arg("--").arg(self.host.to_string()).arg("pcm");
        command.args(words.iter().map(|word| shell_word(word)));
        Ok(Ready { command, known })
    }

    /// What the site knows of its key, as a file of known hosts.
    fn known(&self) -> io::Result<Option<NamedTempFile>> {
        let Some(key) = &self.host_key else { return Ok(None) };
        if key.trim().is_empty() || key.contains(|c: char| c.is_control()) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "its host_key is not one line"));
        }
        let mut file = NamedTempFile::new()?;
        writeln!(file, "{} {key}", self.host.host())?;
        file.flush()?;
        Ok(Some(file))
    }
}

/// Ours come after those of `PCM_SSH`: the client obeys the first that it meets.
fn options(what: For) -> Vec<String> {
    let (terminal, asks) = match what {
        For::Terminal { asks } => (true, asks),
        For::Answer { asks } => (false, asks),
        For::Many => (false, false),
    };
    let mut options = vec![if terminal { "-t" } else { "-T" }.to_owned()];
    let mut set = |option: &str| options.extend(["-o".to_owned(), option.to_owned()]);
    // Not that the connection was closed, which is what was wanted.
    set("LogLevel=ERROR");
    set("SendEnv=LANG LC_* COLORTERM NO_COLOR");
    if !asks {
        // Nobody is there to be asked for a password.
        set("BatchMode=yes");
    }
    if what == For::Many {
        set(&format!("ConnectTimeout={CONNECT_S}"));
        // A connection that stands is used; one that outlives its call would keep its pipes open.
        set("ControlMaster=no");
        // One that drops without a word is noticed.
        set("ServerAliveInterval=5");
        set("ServerAliveCountMax=2");
    }
    options
}

/// The exit status of ssh that is its own.
const CLIENT_FAILED: i32 = 255;

/// The client names the ways that it tried behind this; a shell over there that says it of a file does not.
const REFUSED: &str = "Permission denied (";

/// What ssh says when it did not get as far as to start anything over there. Whatever else it ends with, a connection
/// stood, and what was asked for may have been done.
const NEVER_THERE: [&str; 15] = [
    "ssh: connect to host",
    "ssh: Could not resolve",
    "Could not resolve hostname",
    REFUSED,
    "Host key verification failed",
    "kex_exchange_identification",
    "ssh_exchange_identification",
    "banner exchange",
    "Connection closed by ",
    "Too many authentication failures",
    "Unable to negotiate",
    "no matching ",
    "Bad configuration option",
    "Bad owner or permissions",
    "Can't open user config file",
];

/// What the end of a call means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// pcm over there ended with this.
    Answered(i32),
    /// There is no pcm over there: a shell's words for a program that is not there, or is none.
    NoPcm,
    /// Nothing was started over there.
    NeverThere,
    /// The connection ended: whether it was done is not known.
    Lost,
}

/// What the end of a call means.
pub fn meaning(ended: &Ended) -> Meaning {
    let said = String::from_utf8_lossy(&ended.said);
    match ended.code {
        Some(CLIENT_FAILED) | None if NEVER_THERE.iter().any(|words| said.contains(words)) => {
            Meaning::NeverThere
        }
        Some(CLIENT_FAILED) | None => Meaning::Lost,
        Some(126 | 127) => Meaning::NoPcm,
        Some(code) => Meaning::Answered(code),
    }
}

/// Whether whoever is there turned this account away, or is not who it should be: trying again changes nothing.
pub fn is_refused(ended: &Ended) -> bool {
    let said = String::from_utf8_lossy(&ended.said);
    [REFUSED, "Host key verification failed", "Too many authentication failures"]
        .iter()
        .any(|words| said.contains(words))
}

/// The last line of what was said.
pub fn last_said(ended: &Ended) -> SafeText {
    let said = String::from_utf8_lossy(&ended.said);
    let last = said.lines().rev().find(|line| !line.trim().is_empty());
    SafeText::new(last.unwrap_or("it does not say why").trim())
}

/// A call that goes on, with its pipes. Dropped, it is ended.
#[derive(Debug)]
pub struct Talk {
    child: Child,
    said: Arc<Mutex<Vec<u8>>>,
    silent: mpsc::Receiver<()>,
    _known: Option<NamedTempFile>,
}

impl Ready {
    /// A call of another program, with the same pipes and limits.
    pub fn of(command: Command) -> Ready {
        Ready { command, known: None }
    }

    /// Starts it with pipes; what it says on standard error is kept for its end.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(self) -> io::Result<(Talk, ChildStdin, ChildStdout)> {
        self.start_keeping(MOST_SAID)
    }

    /// The same; of what it says so many bytes are kept.
    fn start_keeping(mut self, mut most: usize) -> io::Result<(Talk, ChildStdin, ChildStdout)> {
        let pipes = self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = pipes.spawn()?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let said = Arc::new(Mutex::new(Vec::new()));
        let (tell, silent) = mpsc::channel::<()>();
        let talk = Talk { child, said: Arc::clone(&said), silent, _known: self.known };
        let (Some(stdin), Some(stdout), Some(mut stderr)) = (stdin, stdout, stderr) else {
            return Err(io::Error::other("it has no pipes"));
        };
        threads::start("ssh says", move || {
            let mut piece = [0; 4096];
            while let Ok(n @ 1..) = stderr.read(&mut piece) {
                // The rest is read, so that nobody waits with a full pipe.
                let taken = n.min(most);
                said.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&piece[..taken]);
                most -= taken;
            }
            drop(tell);
        })?;
        Ok((talk, stdin, stdout))
    }

    /// Runs it to its end without input, for at most `limit` or until `stopped` says so; of its output the first `most` bytes
    /// are kept.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn answer(self, limit: Duration, most: u64, stopped: &dyn Fn() -> bool) -> io::Result<Answer> {
        let (mut talk, stdin, stdout) = self.start()?;
        drop(stdin);
        let (tell, told) = mpsc::channel();
        threads::start("ssh answers", move || {
            let mut stdout = stdout;
            let mut output = Vec::new();
            let read = stdout.by_ref().take(most).read_to_end(&mut output);
            // Nobody waits any more after the limit.
            let _ = tell.send(output);
            if read.is_ok() {
                let _ = io::copy(&mut stdout, &mut io::sink());
            }
        })?;
        let began = Instant::now();
        let why = loop {
            if talk.has_ended()? {
                break Why::Ended;
            } else if stopped() {
                break Why::Stopped;
            } else if began.elapsed() >= limit {
                break Why::TooLate;
            }
            std::thread::sleep(STEP);
        };
        let ended = talk.end();
        let output = told.recv_timeout(LAST_WORDS).unwrap_or_default();
        Ok(Answer { why, ended, output })
    }
}

/// Pieces of output that wait to be taken, and how large they are.
const PIECES: usize = 4;
const PIECE: usize = 64 << 10;

impl Ready {
    /// Runs it to its end without input, for at most `limit`. `take` gets its output piece by piece, not faster than it takes it, and
    /// says whether it wants more.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn pour(self, limit: Duration, take: &mut dyn FnMut(&[u8]) -> bool) -> io::Result<(Why, Ended)> {
        let (mut talk, stdin, mut stdout) = self.start_keeping(MOST_SAID_BESIDE)?;
        drop(stdin);
        let (tell, told) = mpsc::sync_channel::<Vec<u8>>(PIECES);
        threads::start("ssh pours", move || {
            let mut piece = vec![0; PIECE];
            while let Ok(n @ 1..) = stdout.read(&mut piece) {
                // Nobody waits any more after the limit.
                if tell.send(piece[..n].to_vec()).is_err() {
                    return;
                }
            }
        })?;
        let began = Instant::now();
        // Since when it has ended with its pipe still open: that is held by others.
        let mut silent = None;
        let why = loop {
            match told.recv_timeout(STEP) {
                Ok(piece) if !take(&piece) => break Why::Stopped,
                Ok(_) => silent = None,
                Err(mpsc::RecvTimeoutError::Timeout) if talk.has_ended()? => {
                    if silent.get_or_insert_with(Instant::now).elapsed() >= LAST_WORDS {
                        break Why::Ended;
                    }
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) if talk.has_ended()? => break Why::Ended,
                Err(mpsc::RecvTimeoutError::Disconnected) => std::thread::sleep(STEP),
            }
            if began.elapsed() >= limit {
                break Why::TooLate;
            }
        };
        Ok((why, talk.end()))
    }
}

/// What has ended may have left its pipes to others; they are not waited for longer than this.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Why a call is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// By itself: [`meaning`] says what of it.
    Ended,
    /// It was ended because it was not wanted any more: whether it was done is not known.
    Stopped,
    /// It was ended because it took too long: whether it was done is not known.
    TooLate,
}

/// What came of a call.
#[derive(Debug)]
pub struct Answer {
    /// Why it is over.
    pub why: Why,
    /// How it ended, with what was said on standard error.
    pub ended: Ended,
    /// Standard output.
    pub output: Vec<u8>,
}

impl Talk {
    /// Whether it has ended.
    ///
    /// # Errors
    /// The system's own wait fails.
    pub fn has_ended(&mut self) -> io::Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// Gives it a moment to end by itself, as it does once it says nothing more, and says how it ended.
    pub fn finish(&mut self) -> Ended {
        let began = Instant::now();
        while began.elapsed() < LAST_WORDS && !self.has_ended().unwrap_or(true) {
            std::thread::sleep(STEP);
        }
        self.end()
    }

    /// Ends it if it goes on, and says how it ended.
    pub fn end(&mut self) -> Ended {
        if !self.has_ended().unwrap_or(false) {
            let _ = self.child.kill();
        }
        let code = self.child.wait().ok().and_then(|status| status.code());
        // Its last words may still be in the pipe; whoever it left that to is not waited for.
        let _ = self.silent.recv_timeout(LAST_WORDS);
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ended { code, said }
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        if !self.has_ended().unwrap_or(true) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn words(ready: &Ready) -> Vec<String> {
        ready.command.get_args().map(|word| word.to_str().unwrap().to_owned()).collect()
    }

    fn reach(host: &str, host_key: Option<&str>) -> Reach {
        Reach { host: host.parse().unwrap(), host_key: host_key.map(str::to_owned) }
    }

    #[test]
    fn the_key_of_the_site_counts_alone_and_nothing_is_an_option_or_a_command() {
        let program = ["ssh".to_owned(), "-p22".to_owned()];
        let said = ["defer".to_owned(), "it's; $(id)".to_owned()];
        let ready =
            reach("ola@web-01", Some("ssh-ed25519 AAAA")).command(&program, For::Many, &said).unwrap();
        let known = ready.known.as_ref().unwrap().path().to_owned();
        assert_eq!(std::fs::read_to_string(&known).unwrap(), "web-01 ssh-ed25519 AAAA\n");
        let words = words(&ready);
        assert_eq!(words[..2], ["-p22", "-T"]);
        for wanted in
            ["BatchMode=yes", "ConnectTimeout=4", "HostKeyAlias=web-01", "StrictHostKeyChecking=yes"]
        {
            assert!(words.iter().any(|word| word == wanted), "{wanted}: {words:?}");
        }
        for option in ["UserKnownHostsFile", "GlobalKnownHostsFile"] {
            let wanted = format!("{option}={}", known.display());
            assert!(words.contains(&wanted), "{wanted}: {words:?}");
        }
        let dashes = words.iter().position(|word| word == "--").unwrap();
        assert_eq!(words[dashes..], ["--", "ola@web-01", "pcm", "defer", "'it'\\''s; $(id)'"]);
        drop(ready);
        assert!(!known.exists());
    }

    #[test]
    fn without_a_key_of_the_site_what_this_account_knows_counts() {
        let ready = reach("web-01", None).command(&["ssh".to_owned()], For::Many, &[]).unwrap();
        let words = words(&ready);
        assert!(!words.iter().any(|word| word.contains("KnownHosts") || word.contains("Alias")), "{words:?}");
        for bad in ["", " ", "ssh-ed25519 AAAA\n* ssh-ed25519 BBBB"] {
            assert!(
                reach("web-01", Some(bad)).command(&["ssh".to_owned()], For::Many, &[]).is_err(),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn the_end_of_a_call_says_whether_something_was_started_over_there() {
        let meant = |code, said: &str| meaning(&Ended { code, said: said.as_bytes().to_vec() });
        assert_eq!(meant(Some(7), "x"), Meaning::Answered(7));
        assert_eq!(meant(Some(127), "sh: 1: pcm: not found"), Meaning::NoPcm);
        assert_eq!(
            meant(Some(255), "ssh: connect to host web port 22: Connection refused"),
            Meaning::NeverThere
        );
        assert_eq!(meant(Some(255), "Timeout, server web not responding."), Meaning::Lost);
        let refused = "ola@web: Permission denied (publickey).\r\n";
        assert_eq!(meant(Some(255), refused), Meaning::NeverThere);
        assert!(is_refused(&Ended { code: Some(255), said: refused.into() }));
        // A shell had begun, and what it was to start may have been started.
        let cut = "sh: 1: cannot create /x: Permission denied\nclient_loop: send disconnect: Broken pipe";
        assert_eq!(meant(Some(255), cut), Meaning::Lost);
        assert!(!is_refused(&Ended { code: Some(255), said: cut.into() }));
        assert_eq!(meant(None, ""), Meaning::Lost);
    }

    #[cfg(unix)]
    #[test]
    fn one_call_is_answered_stopped_or_given_up_and_leaves_no_process() {
        let host = reach("web-01", None);
        let run = |script: &str, limit, stopped: bool| {
            let program = ["sh", "-c", script].map(str::to_owned);
            let ready = host.command(&program, For::Many, &[]).unwrap();
            ready.answer(limit, 5, &|| stopped).unwrap()
        };
        let long = Duration::from_secs(60);
        let done = run("echo 1234567; echo why >&2; exit 7", long, false);
        assert_eq!((done.why, done.ended.code, &*done.output), (Why::Ended, Some(7), &b"12345"[..]));
        assert_eq!(last_said(&done.ended).as_str(), "why");
        let late = run("exec sleep 600", Duration::ZERO, false);
        assert_eq!((late.why, late.ended.code), (Why::TooLate, None));
        assert_eq!(run("exec sleep 600", long, true).why, Why::Stopped);
    }
}
