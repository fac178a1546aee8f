//! Where things are (DESIGN.md 6): defaults of the system, and what flags and environment put in their place.

use std::path::{Path, PathBuf};

/// The folders and files of one installation. Everything pcm writes is below one of these.
#[derive(Debug, Clone, PartialEq, Eq)]
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

impl Layout {
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
