//! Arguments of the verbs that ask the executor to do something: run, rerun, defer, stop, hold, restart.

use super::super::time::parse_span;
use super::suggest::Suggested;
use crate::site::ids::RequestId;
use crate::terms::Gate;
use clap::{Args, Subcommand};
use std::time::Duration;

/// `pcm run`
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// Request id, e.g. BP0000Y
    #[arg(value_name = "REQUEST")]
    pub request: RequestId,
    /// Why; needed with --override
    #[arg(long, value_name = "R")]
    pub reason: Option<String>,
    /// Gates to pass over, e.g. window,users
    #[arg(long = "override", value_name = "GATES", value_delimiter = ',', value_parser = GATES, hide_possible_values = true)]
    pub overrides: Vec<Gate>,
    /// How to wait.
    #[command(flatten)]
    pub wait: WaitArgs,
}

/// `pcm rerun`
#[derive(Debug, Clone, Args)]
pub struct RerunArgs {
    /// Request id, e.g. BP0000Y
    #[arg(value_name = "REQUEST")]
    pub request: RequestId,
    /// Why
    #[arg(long, value_name = "R")]
    pub reason: String,
    /// Gates to pass over, e.g. window,users
    #[arg(long = "override", value_name = "GATES", value_delimiter = ',', value_parser = GATES, hide_possible_values = true)]
    pub overrides: Vec<Gate>,
    /// How to wait.
    #[command(flatten)]
    pub wait: WaitArgs,
}

/// `pcm install`
#[derive(Debug, Clone, Copy, Args)]
pub struct InstallArgs {
    /// An id that `pcm offers` shows, e.g. BP0000Y
    #[arg(value_name = "ID")]
    pub request: RequestId,
    /// Stay until it has ended; exit status 7 if it did not succeed
    #[arg(long)]
    pub wait: bool,
}

/// The gates that can be passed over are offered.
const GATES: Suggested<Gate> = Suggested::new(parse_gate, || Gate::overridable().map(Gate::as_str).collect());

/// A gate's name. Any gate is taken here, since the core says which ones may be passed over; the message names those.
fn parse_gate(text: &str) -> Result<Gate, String> {
    let possible = || Gate::join(&Gate::overridable().collect::<Vec<_>>(), ", ");
    text.trim().parse().map_err(|_| format!("wanted some of {}", possible()))
}

/// Whether `run` and `rerun` wait for their turn, and stay until the end.
#[derive(Debug, Clone, Copy, Args)]
pub struct WaitArgs {
    /// Stay until it has ended, in the queue too; exit status 7 if it did not succeed
    #[arg(long)]
    pub wait: bool,
    /// The same, and print what the package prints
    #[arg(long)]
    pub follow: bool,
    /// Refuse instead of waiting in the queue while another package runs
    #[arg(long)]
    pub no_queue: bool,
}

/// Until when: `--until T` or `--for D`.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub struct UntilArgs {
    /// A time: 22:00, 7am, tonight, "tomorrow 07:00", "Tue 22:00", "YYYY-MM-DD HH:MM" (local), +2h or RFC 3339
    #[arg(long, value_name = "T")]
    pub until: Option<String>,
    /// A duration: 90m, 2h, 1h30m, 3d
    #[arg(long = "for", value_name = "D", value_parser = parse_span)]
    pub span: Option<Duration>,
}

/// `pcm defer`
#[derive(Debug, Clone, Args)]
pub struct DeferArgs {
    /// Request id, e.g. BP0000Y
    #[arg(value_name = "REQUEST")]
    pub request: RequestId,
    /// Until when.
    #[command(flatten)]
    pub until: UntilArgs,
    /// Why
    #[arg(long, value_name = "R")]
    pub reason: String,
}

/// `pcm hold`
#[derive(Debug, Clone, Args)]
pub struct HoldArgs {
    /// Until when.
    #[command(flatten)]
    pub until: UntilArgs,
    /// In the place of the hold that is in force; with the ID that the refusal names, of that one only
    #[arg(long, value_name = "ID", num_args = 0..=1, require_equals = true)]
    pub replace: Option<Option<String>>,
    /// Why
    #[arg(long, value_name = "R")]
    pub reason: String,
}

/// `pcm restart`
#[derive(Debug, Clone, Args)]
pub struct RestartArgs {
    /// What.
    #[command(subcommand)]
    pub what: RestartWhat,
}

/// `pcm restart …`
#[derive(Debug, Clone, Subcommand)]
pub enum RestartWhat {
    /// Warn logged-on users, then restart the machine; never while a package runs
    Now {
        /// Why
        #[arg(long, value_name = "R")]
        reason: Option<String>,
    },
    /// Not by itself before a time
    Defer {
        /// Until when.
        #[command(flatten)]
        until: UntilArgs,
        /// Why
        #[arg(long, value_name = "R")]
        reason: Option<String>,
    },
    /// Not by itself; it stays pending until the machine is restarted by hand
    Cancel {
        /// Why
        #[arg(long, value_name = "R")]
        reason: Option<String>,
    },
}

/// `pcm stop`
#[derive(Debug, Clone, Args)]
pub struct StopArgs {
    /// Request id, e.g. BP0000Y
    #[arg(value_name = "REQUEST")]
    pub request: RequestId,
    /// Why
    #[arg(long, value_name = "R")]
    pub reason: String,
}

/// `pcm seen`
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub struct SeenArgs {
    /// Request id, e.g. BP0000Y
    #[arg(value_name = "REQUEST")]
    pub request: Option<RequestId>,
    /// Everything that expired or failed and was not seen yet
    #[arg(long)]
    pub all: bool,
}

/// `pcm notice`
#[derive(Debug, Clone, Args)]
pub struct NoticeArgs {
    /// The message; several words need no quotes
    #[arg(value_name = "TEXT", required = true)]
    pub text: Vec<String>,
}
