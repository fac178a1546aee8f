//! The text of a new `pcm.toml`, as `pcm init` and `pcm demo` write it: what is set stands there, everything else is a
//! comment with its default.

use crate::site::ids::MachineId;
use crate::site::trust::TrustMode;
use std::path::{Path, PathBuf};

/// What a new configuration says. Everything else stays at its default.
#[derive(Debug, Clone)]
pub struct Starter {
    /// Who this machine is.
    pub machine: MachineId,
    /// Folders, in the order of preference.
    pub shares: Vec<PathBuf>,
    /// What makes a publication believable.
    pub trust: TrustMode,
    /// Where PACMAN.LOG goes; absent: the default.
    pub log_dir: Option<PathBuf>,
    /// `<number>s|m|h|d`; absent: the default.
    pub polling_interval: Option<String>,
    /// e.g. `production`; may be empty.
    pub role: String,
}

impl Starter {
    /// For one machine on these shares, the rest at its default.
    pub fn new(machine: MachineId, shares: Vec<PathBuf>, trust: TrustMode) -> Self {
        Self { machine, shares, trust, log_dir: None, polling_interval: None, role: String::new() }
    }

    /// The text of the file. `Config::parse` reads it without a problem.
    pub fn text(&self) -> String {
        let shares: Vec<String> = self.shares.iter().map(|s| quoted(s)).collect();
        let mode = match self.trust {
            TrustMode::Signed => "signed",
            TrustMode::Permissions => "permissions",
        };
        let polling = match &self.polling_interval {
            Some(interval) => format!("polling_interval = {}", string(interval)),
            None => r#"# polling_interval = "60m""#.to_owned(),
        };
        let role = if self.role.is_empty() {
            r#"# role = "production"             # shown, and may choose a theme"#.to_owned()
        } else {
            format!("role = {}", string(&self.role))
        };
        let log_dir = match &self.log_dir {
            Some(dir) => format!("dir = {}", quoted(dir)),
            None => r#"# dir = "/var/log/pcm""#.to_owned(),
        };
        format!(
            r#"# Configuration of the Package Command Manager. What is commented out shows its default.
# Durations are a number and s, m, h or d. All errors of this file are reported at once, with their lines.

machine = "{machine}"
shares = [{shares}]
{polling}
{role}

[trust]
# signed: instruction files need a signature. permissions: whoever can write to the share decides what runs here,
# and the share is refused where anybody but root or the service's account can.
mode = "{mode}"

[run]
# max_run_time = "2h"             # for requests that do not say
# countdown = "5m"                # notice before an automatic run while someone is logged on
# after_boot = "10m"
# retries = 3
# retry_after = "10m"
# run_as = "root"                 # default: the service's own account

[execute]
# programs = []                   # bare names that may be started besides the platform's own; no shells

[windows]
# weekly = ["Sat 22:00-06:00"]    # default: none, which means always open
# zone = "local"

# [[freeze]]                      # no automatic runs in this period
# from = 2026-12-20T00:00:00
# until = 2027-01-04T00:00:00
# reason = "end of year"

[deferral]
# max_count = 3
# max_total = "7d"
# never_within = "1h"             # of expire after

[users]
# ignore = []                     # accounts whose presence does not count
# busy_within = "15m"

[restart]
# allow = false                   # whether pcm may restart the machine for `restarts = "pcm"`
# countdown = "15m"

[share]
# stale_after = "24h"
# timeout = "10s"

[operators]
# group = "pcm-operators"

[check]
# backup = []                     # e.g. ["/usr/local/bin/backup-is-fresh"]: ends with 0 where there is a backup
# backup_within = "24h"           # how old a file that the backup writes may be: backup_marker names it

[retention]
# transcripts = "90d"
# stage = "30d"

[log]
{log_dir}
# format = "cmtrace"              # cmtrace | classic
# max_size = "10MB"
# keep = 5

[console]
# theme = "default"
"#,
            machine = self.machine,
            shares = shares.join(", "),
        )
    }
}

fn quoted(path: &Path) -> String {
    string(&path.to_string_lossy())
}

fn string(text: &str) -> String {
    toml::Value::from(text).to_string()
}
