//! `pcm check-probe`: tries, as the service's account, what the service does all the time: write its state and its log,
//! copy a program to the stage and start it as the account that packages run as. A process of its own, because it may act
//! as another account than whoever asks.

use crate::executor::ground;
use crate::host::account::{self, Account};
use crate::host::helper;
use crate::host::process::{self, Ended, LaunchSpec, Reaped, Tree};
use crate::host::{durable, facts, open, perms, programs};
use crate::site::report::seal::HostKey;
use crate::text::SafeText;
use serde::{Deserialize, Serialize};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What is to be tried.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Job {
    /// The folders that the service writes in its state.
    pub state: Vec<PathBuf>,
    /// The folders that it writes its logs to.
    pub log: Vec<PathBuf>,
    /// Where packages are staged.
    pub stage: PathBuf,
    /// `[run] run_as`
    pub run_as: Option<String>,
    /// The key that signs the machine's reports, where the configuration names one.
    pub host_key: Option<PathBuf>,
    /// Where one may be that `init` made.
    pub trust_folder: PathBuf,
}

/// What came of it: what was done, or what did not work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tried {
    /// The account that tried.
    pub by: SafeText,
    /// Writing the state.
    pub state: Result<SafeText, Failed>,
    /// Writing the log.
    pub log: Result<SafeText, Failed>,
    /// Starting a program from the stage.
    pub stage: Result<SafeText, Failed>,
    /// The stage is on a file system on which nothing may be started.
    pub no_exec: bool,
    /// Starting a process at all.
    pub process: Result<SafeText, Failed>,
    /// Reading the machine's host key; nothing is kept of it.
    pub host_key: Result<SafeText, Failed>,
}

/// Something that did not work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failed {
    /// What, and why.
    pub why: SafeText,
    /// What helps, where it is the disk and no matter of rights.
    pub help: Option<SafeText>,
}

impl Failed {
    fn new(why: impl AsRef<str>) -> Self {
        Self { why: safe(why), help: None }
    }

    fn at(path: &Path, what: &str, e: &io::Error) -> Self {
        let help = ground::passes(e).then(|| safe(ground::remedy(path, e)));
        Self { why: safe(format!("{what}: {e}")), help }
    }
}

impl From<&str> for Failed {
    fn from(why: &str) -> Self {
        Self::new(why)
    }
}

/// The probe may take this long: a few syncs on a busy disk.
const DEADLINE: Duration = Duration::from_secs(30);
/// The program it starts may.
const RUN_DEADLINE: Duration = Duration::from_secs(10);

/// Tries it as `account`, or as the account of this process.
///
/// # Errors
/// Why nothing was tried.
pub fn ask(job: &Job, account: Option<&Account>) -> Result<Tried, SafeText> {
    helper::ask("check-probe", "the probe", job, None, account, DEADLINE)
}

/// `pcm check-probe`
pub fn main() -> u8 {
    helper::serve(|job: Job| carry_out(&job))
}

fn carry_out(job: &Job) -> Tried {
    let no_exec = facts::may_execute(&job.stage) == Some(false);
    let state = write_all(&job.state);
    let log = job.log.iter().try_for_each(|folder| at_home(folder)).and_then(|()| write_all(&job.log));
    let stage = from_stage(job);
    let process = match &stage {
        Ok(_) => Ok("a program was started and ended as it should".into()),
        Err(_) => by_itself(),
    };
    let host_key = readable(job.host_key.as_deref(), &job.trust_folder);
    Tried { by: account::current().name, state, log, stage, no_exec, process, host_key }
}

/// What is told of it is its public half.
fn readable(named: Option<&Path>, trust_folder: &Path) -> Result<SafeText, Failed> {
    let found = HostKey::find(named, trust_folder);
    let key = found.map_err(|why| Failed::new(format!("no key can be read: {why}")))?;
    Ok(safe(format!("{} signs the reports: {}", key.file().display(), key.key().text())))
}

/// A log folder into which others could write gets no log and no transcript.
fn at_home(folder: &Path) -> Result<(), Failed> {
    if folder.exists() { perms::check_home(folder).map_err(|e| Failed::new(e.to_string())) } else { Ok(()) }
}

fn write_all(folders: &[PathBuf]) -> Result<SafeText, Failed> {
    for folder in folders {
        let failed = |e| Failed::at(folder, &format!("{} cannot be written", folder.display()), &e);
        write_in(folder).map_err(failed)?;
    }
    let names: Vec<String> = folders.iter().map(|f| f.display().to_string()).collect();
    Ok(safe(format!("wrote a file in {}", names.join(", "))))
}

/// Makes, syncs and removes a file.
fn write_in(folder: &Path) -> io::Result<()> {
    let file = folder.join(own_name());
    durable::create_new(&file, b"pcm check\n")?;
    std::fs::remove_file(&file)
}

fn own_name() -> String {
    format!(".check-{}", std::process::id())
}

/// Copies a program to the stage and starts it, as a package is started.
fn from_stage(job: &Job) -> Result<SafeText, Failed> {
    let folder = job.stage.join(own_name());
    let tried = start_from(&folder, job.run_as.as_deref());
    let _ = std::fs::remove_dir_all(&folder);
    let by = tried.map_err(|Failed { why, help }| Failed {
        why: safe(format!("a program in {}: {why}", job.stage.display())),
        help,
    })?;
    Ok(safe(format!("a program in {} was started as {by}", job.stage.display())))
}

fn start_from(folder: &Path, run_as: Option<&str>) -> Result<SafeText, Failed> {
    let run_as =
        match run_as {
            Some(name) => Some(account::by_name(name).ok_or_else(|| {
                Failed::new(format!("the account {name:?} of [run] run_as is not known here"))
            })?),
            None => None,
        };
    let words = |what: &'static str| move |e: io::Error| Failed::at(folder, what, &e);
    durable::make_private_dir(folder).map_err(words("its folder cannot be made"))?;
    open::make_enterable(folder).map_err(words("its folder cannot be made"))?;
    let program = programs::write_probe(folder).map_err(words("it cannot be written"))?;
    let by = run_as.clone().unwrap_or_else(account::current).name;
    run(program, Vec::new(), folder, run_as)
        .map_err(|why| Failed::new(format!("it cannot be started as {by}: {why}")))?;
    Ok(by)
}

/// This very program, to tell a stage that starts nothing from an account that may start nothing.
fn by_itself() -> Result<SafeText, Failed> {
    let exe = process::own_executable().map_err(|e| Failed::new(format!("pcm's own file: {e}")))?;
    let shown = exe.display().to_string();
    run(exe, vec!["--version".into()], Path::new("/"), None)
        .map(|()| safe(format!("{shown} was started")))
        .map_err(|why| Failed::new(format!("{shown} cannot be started: {why}")))
}

/// Starts a program that has to end with success, and sees it to its end.
fn run(program: PathBuf, args: Vec<String>, cwd: &Path, run_as: Option<Account>) -> Result<(), String> {
    let text = |e: io::Error| e.to_string();
    let (mut output, writer) = io::pipe().map_err(text)?;
    let mut tree = Tree::own().map_err(text)?;
    let env = programs::clean_environment();
    let spec = LaunchSpec { program, args, env, cwd: cwd.to_owned(), run_as, input: None, output: writer };
    let pid = tree.launch(spec).map_err(text)?;
    let until = facts::monotonic().0 + RUN_DEADLINE;
    let mut how = None;
    loop {
        match tree.wait_any(until.saturating_sub(facts::monotonic().0)).map_err(text)? {
            Reaped::One { pid: ended, ended: Ended::Code(code) } if ended == pid => {
                how = Some(format!("it ended with exit {code}"));
                if code == 0 {
                    return Ok(());
                }
            }
            Reaped::One { pid: ended, ended: Ended::Signal(signal) } if ended == pid => {
                how = Some(format!("signal {signal} ended it"));
            }
            Reaped::One { .. } => {}
            Reaped::NoChildren => break,
            Reaped::NothingYet => {
                let _ = tree.kill(RUN_DEADLINE);
                return Err(format!("it did not end within {}", crate::text::duration(RUN_DEADLINE)));
            }
        }
    }
    let mut said = String::new();
    let _ = (&mut output).take(1024).read_to_string(&mut said);
    let said = said.lines().next().map(|line| format!(": {line}")).unwrap_or_default();
    Err(format!("{}{said}", how.unwrap_or_else(|| "it ended unseen".into())))
}

fn safe(text: impl AsRef<str>) -> SafeText {
    SafeText::new(text.as_ref())
}
