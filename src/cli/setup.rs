//! Which installation is meant: flags, then environment, then the system's defaults (DESIGN.md 6), and its
//! configuration. Every verb starts here.

use super::args::{FolderArgs, Global};
use super::sandbox;
use super::time::absolute;
use crate::config::{Config, LoadError};
use crate::error::{Exit, Failure, Result};
use crate::host::notice;
use crate::host::open::remote;
use crate::host::paths::Layout;
use crate::site::folder::NAME;
use crate::site::ids::MachineId;
use crate::terms::Problem;
use crate::text::shell_word;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The installation that is meant, and what its configuration says.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Its folders.
    pub layout: Layout,
    /// What its configuration says; the defaults where there is none.
    pub config: Config,
    /// What became of the configuration file.
    pub read: Read,
    /// `--share` and `--machine`; `cli::meant` says what becomes of them.
    pub flags: Flags,
    /// Not enrolled: flags say which machine and share are looked at, and nothing may be changed.
    pub looking: bool,
    /// `pcm`, with the flags that were given to name the installation.
    pub pcm: String,
}

/// Which machine and which share flags name.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--machine`
    pub machine: Option<MachineId>,
    /// `--share`
    pub shares: Vec<PathBuf>,
}

/// What became of the configuration file.
#[derive(Debug, Clone, PartialEq)]
pub enum Read {
    /// It was read.
    Good,
    /// There is none.
    Absent,
    /// It is there and cannot be used.
    Bad(Vec<Problem>),
}

/// Folders from flags, environment and defaults, without `[log] dir`.
pub fn layout(global: &Global, env: impl Fn(&str) -> Option<OsString>, defaults: &Layout) -> Layout {
    let named = |flag: &Option<PathBuf>, name: &str| {
        let env = || env(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        flag.clone().or_else(env).map(|p| absolute(&p))
    };
    let config = named(&global.config, "PCM_CONFIG").unwrap_or_else(|| defaults.config.clone());
    match named(&global.state, "PCM_STATE") {
        Some(state) => Layout { config, log: state.join("log"), socket: state.join("pcm.sock"), state },
        None => Layout {
            config,
            state: defaults.state.clone(),
            log: defaults.log.clone(),
            socket: defaults.socket.clone(),
        },
    }
}

impl Setup {
    /// Reads the configuration of the installation that flags and environment name. A configuration that cannot be
    /// used is not an error here: see [`Setup::usable`]. With that of a demo this process tells nobody anything from here on.
    ///
    /// # Errors
    /// `--config` names a file that is not there, and `must_exist`.
    pub fn resolve(global: &Global, must_exist: bool) -> Result<Setup> {
        let mut layout = layout(global, |name| std::env::var_os(name), &Layout::system());
        let (config, read) = match Config::load(&layout.config) {
            Ok(config) => (config, Read::Good),
            Err(LoadError::Bad(problems)) => (Config::default(), Read::Bad(problems)),
            Err(LoadError::Missing(file)) if must_exist && global.config.is_some() => {
                return Err(Failure::new(
                    Exit::NotFound,
                    "no-such-file",
                    format!("there is no configuration {}", file.display()),
                    format!("Correct --config, or make one: {} init", command(global)),
                ));
            }
            Err(LoadError::Missing(_)) => (Config::default(), Read::Absent),
        };
        let flags =
            Flags { machine: global.machine, shares: global.share.iter().map(|p| absolute(p)).collect() };
        remote::use_access(config.share.access());
        // Also once its service has ended: then whoever asks acts in the service's place.
        if sandbox::is_demo(&layout) {
            notice::silence();
        }
        if let Some(dir) = &config.log.dir {
            let beside = layout.config.parent().unwrap_or(Path::new("."));
            layout.log = beside.join(dir);
        }
        Ok(Setup { layout, config, read, flags, looking: false, pcm: command(global) })
    }

    /// The shares that a verb of a site reads: those of `--share`, else the configured ones.
    pub fn locations(&self) -> &[PathBuf] {
        if self.flags.shares.is_empty() { &self.config.shares } else { &self.flags.shares }
    }

    /// Where the site folder is that is meant (SITE.md 3): a flag, the environment, the current folder, the configuration.
    /// Every verb asks here.
    ///
    /// # Errors
    /// `no-site-folder`: none is; `policy-unreadable`: only the configuration could name it, and cannot be used.
    pub fn site_folder(&self, named: &FolderArgs) -> Result<PathBuf> {
        if let Some(dir) = &named.folder {
            return Ok(absolute(dir));
        }
        if let Some(dir) = std::env::var_os("PCM_SITE_FOLDER").filter(|dir| !dir.is_empty()) {
            return Ok(absolute(Path::new(&dir)));
        }
        let here = absolute(Path::new("."));
        if here.join(NAME).is_file() {
            return Ok(here);
        }
        if let Some(dir) = &self.config.site.folder {
            return Ok(dir.clone());
        }
        if let Read::Bad(problems) = &self.read {
            return Err(bad_configuration(&self.layout.config, problems));
        }
        Err(Failure::new(
            Exit::Usage,
            "no-site-folder",
            format!("no site folder is named, and the current folder holds no {NAME}"),
            "Name it with --folder DIR, PCM_SITE_FOLDER, or `[site] folder` of the configuration",
        ))
    }

    /// This setup, where the configuration is needed to go on.
    ///
    /// # Errors
    /// It cannot be used; or this machine is not enrolled.
    pub fn usable(self) -> Result<Setup> {
        if let Read::Bad(problems) = &self.read {
            return Err(bad_configuration(&self.layout.config, problems));
        }
        if self.config.machine.is_none() {
            let file = self.layout.config.display();
            let message = match self.read {
                Read::Absent => format!("this machine is not enrolled: there is no {file}"),
                _ => format!("this machine is not enrolled: {file} does not say `machine = \"…\"`"),
            };
            let init = format!("{} init --machine SMSID --share LOCATION --trust permissions", self.pcm);
            let remedy = format!("Enrol it with `{init}`, or look at `pcm demo` first");
            return Err(Failure::new(Exit::Failed, "not-enrolled", message, remedy));
        }
        Ok(self)
    }
}

/// Every problem of a configuration, in one line.
pub fn bad_configuration(file: &Path, problems: &[Problem]) -> Failure {
    // A pipe in its place would keep a plain open waiting.
    let denied =
        crate::host::open::named(file).is_err_and(|e| e.kind() == std::io::ErrorKind::PermissionDenied);
    if denied {
        let who = crate::host::account::own_name();
        return Failure::new(
            Exit::Failed,
            "policy-unreadable",
            format!("the configuration {} may not be read by {who}: permission denied", file.display()),
            "Run this as root or as the service's account, or let that account read the file",
        );
    }
    let each: Vec<String> = problems.iter().map(super::view::problem_words).collect();
    Failure::new(
        Exit::Failed,
        "policy-unreadable",
        format!("the configuration {} cannot be used: {}", file.display(), each.join("; ")),
        "Correct the file; until then nothing runs by itself",
    )
}

/// `pcm`, and the flags that name the installation, quoted for a shell.
fn command(global: &Global) -> String {
    let mut text = "pcm".to_owned();
    let flags = [("--config", &global.config), ("--state", &global.state)];
    for (flag, value) in flags.into_iter().filter_map(|(f, v)| Some((f, v.as_ref()?))) {
        text.push_str(&format!(" {flag} {}", shell_word(&value.display().to_string())));
    }
    text
}
