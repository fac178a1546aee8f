//! `pcm.toml` (FORMATS.md 9) as typed data. All errors of a file are reported at once, with line numbers; unknown keys
//! are errors here, unlike on the share.

use crate::log::write::LogFormat;
use crate::site::ids::MachineId;
use crate::site::instruction::command::platform_programs;
use crate::site::instruction::parse::Defaults;
use crate::site::site_file::Freeze;
use crate::site::trust::TrustMode;
use crate::terms::Problem;
use crate::text::SafeText;
use serde::{Deserialize, Serialize};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

mod read;
mod starter;

pub use starter::Starter;

/// The whole configuration, with the defaults of FORMATS.md 9 filled in.
#[derive(Debug, Clone)]
pub struct Config {
    /// Who this machine is; absent: not enrolled.
    pub machine: Option<MachineId>,
    /// Folders, in the order of preference.
    pub shares: Vec<PathBuf>,
    /// How often the instruction file is read.
    pub polling_interval: Duration,
    /// Who says so: the machine's own word goes before the site's.
    pub polling_by: PollingBy,
    /// A word for the operator, e.g. `production`.
    pub role: SafeText,
    /// `[run]`
    pub run: Run,
    /// `[execute] programs`: added to the platform's list of bare program names.
    pub programs: Vec<String>,
    /// `[windows]`
    pub windows: Windows,
    /// `[[freeze]]`: can only close.
    pub freezes: Vec<Freeze>,
    /// `[deferral]`
    pub deferral: Deferral,
    /// `[users]`
    pub users: Users,
    /// `[restart]`
    pub restart: Restart,
    /// `[share]`
    pub share: Share,
    /// `[trust]`
    pub trust: Trust,
    /// `[operators] group`
    pub operators_group: String,
    /// `[notify] command`
    pub notify: Vec<String>,
    /// `[check]`
    pub check: Check,
    /// `[retention]`
    pub retention: Retention,
    /// `[log]`
    pub log: Log,
    /// `[console]`
    pub console: Console,
}

/// Who says how often the instruction file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PollingBy {
    /// `polling_interval` of `pcm.toml`.
    Configuration,
    /// `polling_interval` of `PCM.SITE`.
    Site,
    /// Neither.
    Default,
}

/// `[run]`
#[derive(Debug, Clone)]
pub struct Run {
    /// For requests that do not say.
    pub max_run_time: Duration,
    /// Notice before an automatic run while someone is or may be logged on.
    pub countdown: Duration,
    /// No automatic run this soon after the machine started.
    pub after_boot: Duration,
    /// How many further attempts after a `retry` outcome.
    pub retries: u32,
    /// How long after it.
    pub retry_after: Duration,
    /// The account packages run as; absent: the service's own.
    pub run_as: Option<String>,
}

/// `[windows]`
#[derive(Debug, Clone)]
pub struct Windows {
    /// As written, e.g. `Sat 22:00-06:00`. Empty: always open. Parsed by `decision::window`; unreadable ones close.
    pub weekly: Vec<String>,
    /// `local` or a zone name.
    pub zone: String,
}

/// `[deferral]`
#[derive(Debug, Clone)]
pub struct Deferral {
    /// How often one request may be deferred.
    pub max_count: u32,
    /// How long in all.
    pub max_total: Duration,
    /// Not this close to expire after.
    pub never_within: Duration,
}

/// `[users]`
#[derive(Debug, Clone)]
pub struct Users {
    /// Accounts whose presence does not count.
    pub ignore: Vec<String>,
    /// Idle for less than this is busy.
    pub busy_within: Duration,
}

/// `[restart]`
#[derive(Debug, Clone)]
pub struct Restart {
    /// Whether pcm may restart the machine.
    pub allow: bool,
    /// Notice before it.
    pub countdown: Duration,
    /// What restarts the machine; empty: the system's own way.
    pub command: Vec<String>,
}

/// `[share]`
#[derive(Debug, Clone)]
pub struct Share {
    /// How old the held file may be without the share being seen.
    pub stale_after: Duration,
    /// How long a single access may take.
    pub timeout: Duration,
}

/// `[trust]`
#[derive(Debug, Clone)]
pub struct Trust {
    /// What makes a publication believable.
    pub mode: TrustMode,
    /// Where `*.pub` are; absent: `trust.d` beside the configuration.
    pub dir: Option<PathBuf>,
}

/// `[check]`
#[derive(Debug, Clone)]
pub struct Check {
    /// A command that ends with 0 where there is a backup to go back to.
    pub backup: Vec<String>,
    /// A file that the site's backup writes when it has ended.
    pub backup_marker: Option<PathBuf>,
    /// How old it may be.
    pub backup_within: Duration,
}

/// `[retention]`
#[derive(Debug, Clone)]
pub struct Retention {
    /// Transcripts of runs.
    pub transcripts: Duration,
    /// Staged content that nothing refers to.
    pub stage: Duration,
}

/// `[log]`
#[derive(Debug, Clone)]
pub struct Log {
    /// Absent: the default of DESIGN.md 6, or `<state>/log` where the state folder was named.
    pub dir: Option<PathBuf>,
    /// What is written.
    pub format: LogFormat,
    /// Rotated at this many bytes.
    pub max_size: u64,
    /// How many rotated files are kept.
    pub keep: u32,
    /// What the console tails; patterns with `*`. Empty: `*.LOG` in the log folder.
    pub files: Vec<String>,
}

/// `[console]`
#[derive(Debug, Clone)]
pub struct Console {
    /// A theme's name.
    pub theme: String,
    /// Keys by command id.
    pub keymap: Option<PathBuf>,
    /// Role to theme.
    pub roles: Vec<(String, String)>,
}

const fn minutes(n: u64) -> Duration {
    Duration::from_secs(n * 60)
}

impl Default for Config {
    fn default() -> Self {
        Self {
            machine: None,
            shares: Vec::new(),
            polling_interval: minutes(60),
            polling_by: PollingBy::Default,
            role: SafeText::default(),
            run: Run {
                max_run_time: minutes(120),
                countdown: minutes(5),
                after_boot: minutes(10),
                retries: 3,
                retry_after: minutes(10),
                run_as: None,
            },
            programs: Vec::new(),
            windows: Windows { weekly: Vec::new(), zone: "local".into() },
            freezes: Vec::new(),
            deferral: Deferral { max_count: 3, max_total: minutes(7 * 24 * 60), never_within: minutes(60) },
            users: Users { ignore: Vec::new(), busy_within: minutes(15) },
            restart: Restart { allow: false, countdown: minutes(15), command: Vec::new() },
            share: Share { stale_after: minutes(24 * 60), timeout: Duration::from_secs(10) },
            trust: Trust { mode: TrustMode::Signed, dir: None },
            operators_group: "pcm-operators".into(),
            notify: Vec::new(),
            check: Check { backup: Vec::new(), backup_marker: None, backup_within: minutes(24 * 60) },
            retention: Retention { transcripts: minutes(90 * 24 * 60), stage: minutes(30 * 24 * 60) },
            log: Log {
                dir: None,
                format: LogFormat::Cmtrace,
                max_size: 10 << 20,
                keep: 5,
                files: Vec::new(),
            },
            console: Console { theme: "default".into(), keymap: None, roles: Vec::new() },
        }
    }
}

impl Config {
    /// Takes what the site file says, for what this machine does not say itself.
    pub fn obey_site(&mut self, polling_interval: Option<Duration>) {
        if self.polling_by != PollingBy::Configuration {
            self.polling_by = polling_interval.map_or(PollingBy::Default, |_| PollingBy::Site);
            self.polling_interval = polling_interval.unwrap_or(Config::default().polling_interval);
        }
    }

    /// The bare program names that may be started: the platform's list, and what `[execute] programs` adds.
    pub fn all_programs(&self) -> Vec<String> {
        let platform = platform_programs(std::env::consts::OS).iter().map(|p| (*p).to_owned());
        let mut all: Vec<String> = Vec::new();
        for program in platform.chain(self.programs.iter().cloned()) {
            if !all.contains(&program) {
                all.push(program);
            }
        }
        all
    }

    /// What holds for requests that do not say it themselves.
    pub fn request_defaults(&self) -> Defaults {
        Defaults { max_run_time: self.run.max_run_time, programs: self.all_programs() }
    }

    /// Reads a configuration from its text. `file` is how messages name it.
    ///
    /// # Errors
    /// Every problem of the file, in the order of its lines.
    pub fn parse(text: &str, file: &str) -> Result<Config, Vec<Problem>> {
        read::parse(text.as_bytes(), file)
    }

    /// Reads a configuration from its file.
    ///
    /// # Errors
    /// [`LoadError::Missing`] where there is none; every problem of the file otherwise.
    pub fn load(path: &Path) -> Result<Config, LoadError> {
        let file = path.display().to_string();
        let unreadable = |message: String| {
            LoadError::Bad(vec![Problem {
                code: "policy-unreadable".to_owned(),
                file: file.as_str().into(),
                line: None,
                field: None,
                message: message.into(),
            }])
        };
        let opened = match std::fs::File::open(path) {
            Ok(opened) => opened,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Err(LoadError::Missing(path.to_owned()));
            }
            Err(e) => return Err(unreadable(format!("cannot be opened: {e}"))),
        };
        let mut bytes = Vec::new();
        let read = opened.take(MAX_CONFIG_BYTES + 1).read_to_end(&mut bytes);
        read.map_err(|e| unreadable(format!("cannot be read: {e}")))?;
        if bytes.len() as u64 > MAX_CONFIG_BYTES {
            return Err(unreadable(format!("larger than {MAX_CONFIG_BYTES} bytes")));
        }
        read::parse(&bytes, &file).map_err(LoadError::Bad)
    }
}

/// The largest configuration that is read, in bytes.
const MAX_CONFIG_BYTES: u64 = 1 << 20;

/// Why there is no configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoadError {
    /// The file does not exist: this machine is not enrolled.
    Missing(PathBuf),
    /// It exists and cannot be used: every problem of it.
    Bad(Vec<Problem>),
}

impl LoadError {
    /// The problems as they are shown; a missing file is one, too.
    pub fn problems(&self) -> Vec<Problem> {
        match self {
            LoadError::Bad(problems) => problems.clone(),
            LoadError::Missing(path) => vec![Problem {
                code: "policy-unreadable".to_owned(),
                file: path.display().to_string().into(),
                line: None,
                field: None,
                message: "there is no such file: `pcm init` writes one".into(),
            }],
        }
    }
}

#[cfg(test)]
mod tests;
