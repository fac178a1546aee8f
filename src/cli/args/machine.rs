//! Arguments of the verbs about this installation: demo, init, service.

use super::super::time::parse_span;
use super::ConsoleFlags;
use crate::site::trust::TrustMode;
use clap::{Args, Subcommand, ValueEnum};
use std::time::Duration;

/// `pcm demo`
#[derive(Debug, Clone, Args)]
pub struct DemoArgs {
    /// Without a terminal: print what happens, then a table
    #[arg(long)]
    pub headless: bool,
    /// How long --headless watches
    #[arg(long = "for", value_name = "D", value_parser = parse_span, requires = "headless")]
    pub span: Option<Duration>,
    /// With a site of 2,000 simulated machines, whose rollout is shown while it moves
    #[arg(long, conflicts_with = "headless")]
    pub site: bool,
    /// Keep the folder afterwards
    #[arg(long)]
    pub keep: bool,
    /// Flags of the console.
    #[command(flatten)]
    pub console: ConsoleFlags,
}

/// `pcm init`
#[derive(Debug, Clone, Args)]
pub struct InitArgs {
    /// What to do with everything listed, where history was lost or another machine has this id; while a package runs,
    /// nothing is adopted
    #[arg(long, value_enum, value_name = "WHAT")]
    pub adopt: Option<AdoptArg>,
    /// Take the instruction file with this serial although a newer one was seen, e.g. after the share was restored
    #[arg(long, value_name = "N", conflicts_with_all = ["adopt", "trust"])]
    pub accept_serial: Option<u64>,
    /// What makes a publication believable; written into a new configuration
    #[arg(long, value_enum, value_name = "MODE")]
    pub trust: Option<TrustArg>,
    /// In mode signed: the fingerprint (SHA256:…) of a trust key of the site, as its administrator told it to you
    #[arg(long, value_name = "FP", conflicts_with = "accept_serial")]
    pub trust_key: Option<String>,
    /// In mode signed: enrol on a share that is filled by hand, which has no index
    #[arg(long, conflicts_with = "accept_serial")]
    pub hand_made: bool,
}

/// `--adopt`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AdoptArg {
    /// Everything now listed counts as done.
    Done,
    /// Nothing of it was done; it may run.
    NotDone,
}

/// `--trust`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TrustArg {
    /// Signatures by a key in the trust folder.
    Signed,
    /// Owner and mode bits of the share.
    Permissions,
}

impl From<TrustArg> for TrustMode {
    fn from(arg: TrustArg) -> TrustMode {
        match arg {
            TrustArg::Signed => TrustMode::Signed,
            TrustArg::Permissions => TrustMode::Permissions,
        }
    }
}

/// `pcm service`
#[derive(Debug, Clone, Args)]
pub struct ServiceArgs {
    /// What.
    #[command(subcommand)]
    pub what: ServiceVerb,
}

/// `pcm service …`
#[derive(Debug, Clone, Subcommand)]
pub enum ServiceVerb {
    /// Be the service, in the foreground, until SIGTERM
    Run,
    /// Have the system start it, now and at every start of the machine
    Install,
    /// Undo that; history and configuration stay
    Uninstall,
    /// Whether it is installed, and who is the executor
    Status,
}
