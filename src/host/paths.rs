//! Where things are (DESIGN.md 6): defaults of the system, and what flags and environment put in their place.

use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The folders and files of one installation. Everything pcm writes is below one of these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// `pcm.toml`
    pub config: PathBuf,
    /// History, staged content, runs, outbox, lock.
    pub state: PathBuf,
    /// `PACMAN.LOG` and `runs/`.
    pub log: PathBuf,
    /// Unix socket path, or the name of a pipe.
    pub socket: PathBuf,
}

/// Where this account keeps what can be made anew; None: nothing says where.
pub fn cache() -> Option<PathBuf> {
    super::sys::paths::cache()
}

impl Layout {
    /// The installation of the system itself.
    pub fn system() -> Layout {
        super::sys::paths::system()
    }

    /// The flags by which another process means this very installation; none where it is the system's own.
    pub fn naming_flags(&self) -> Vec<String> {
        let system = Layout::system();
        let mut flags = Vec::new();
        let named = [("--config", &self.config, &system.config), ("--state", &self.state, &system.state)];
        for (flag, here, _) in named.into_iter().filter(|(_, here, there)| here != there) {
            flags.extend([flag.to_owned(), here.display().to_string()]);
        }
        flags
    }

    /// Where the trust list is: as configured in `[trust] dir`, or beside the configuration.
    pub fn trust_folder(&self, configured: Option<&Path>) -> PathBuf {
        configured.map_or_else(|| self.config.with_file_name("trust.d"), Path::to_owned)
    }

    /// `history.db`
    pub fn history(&self) -> PathBuf {
        self.state.join("history.db")
    }
    /// `pcm.mark`, beside the configuration.
    pub fn mark(&self) -> PathBuf {
        self.config.parent().unwrap_or(Path::new(".")).join("pcm.mark")
    }
    /// `lock`
    pub fn lock(&self) -> PathBuf {
        self.state.join("lock")
    }
    /// `held.INS`
    pub fn held(&self) -> PathBuf {
        self.state.join("held.INS")
    }
    /// `held.SITE`: the site file that came with it.
    pub fn held_site(&self) -> PathBuf {
        self.state.join("held.SITE")
    }
    /// `held.PACKAGES`: the signed packages that it names.
    pub fn held_packages(&self) -> PathBuf {
        self.state.join("held.PACKAGES")
    }
    /// `held`: what is in force of an index.
    pub fn held_folder(&self) -> PathBuf {
        self.state.join("held")
    }
    /// `notices`: what operators are still to be told, and what they were.
    pub fn notices(&self) -> PathBuf {
        self.state.join("notices")
    }
    /// `init.lock`
    pub fn init_lock(&self) -> PathBuf {
        self.state.join("init.lock")
    }
    /// `stage`
    pub fn stage(&self) -> PathBuf {
        self.state.join("stage")
    }
    /// `runs`
    pub fn runs(&self) -> PathBuf {
        self.state.join("runs")
    }
    /// `outbox`
    pub fn outbox(&self) -> PathBuf {
        self.state.join("outbox")
    }
    /// `PACMAN.LOG`
    pub fn pacman_log(&self) -> PathBuf {
        self.log.join("PACMAN.LOG")
    }
    /// `<log>/runs/<run>.log`
    pub fn transcript(&self, run: &str) -> PathBuf {
        self.log.join("runs").join(format!("{run}.log"))
    }
}

/// Where the SSH server of this system has its keys, the one to be preferred first.
pub fn ssh_host_keys() -> Vec<PathBuf> {
    super::sys::paths::ssh_host_keys()
}
