//! The command line as clap sees it (DESIGN.md 7): global flags, console flags, verbs. Nothing here reads a file or a
//! clock; `cli::run` carries the parsed line out, and the README's table is checked against this tree.

use super::host_name::HostName;
use super::time::parse_span;
use crate::error::Exit;
use crate::site::ids::{MachineId, RequestId, SiteCode};
use crate::site::trust::TrustMode;
use crate::terms::Gate;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// Operator console and executor for unattended software deployment.
///
/// Without a verb: the console. PCM_CONFIG and PCM_STATE stand in for --config and --state.
#[derive(Debug, Parser)]
#[command(name = "pcm", version, disable_help_subcommand = true, max_term_width = 100)]
#[command(after_help = exit_statuses())]
pub struct Cli {
    /// Flags of every verb.
    #[command(flatten)]
    pub global: Global,
    /// Flags of the console.
    #[command(flatten)]
    pub console: ConsoleFlags,
    /// What to do; the console without one.
    #[command(subcommand)]
    pub verb: Option<Verb>,
}

/// Flags of every verb.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Global")]
pub struct Global {
    /// Configuration file
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Instruction share, instead of the configured ones (repeatable)
    #[arg(long, global = true, value_name = "LOCATION")]
    pub share: Vec<PathBuf>,
    /// State folder
    #[arg(long, global = true, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Machine id, instead of the configured one
    #[arg(long, global = true, value_name = "SMSID")]
    pub machine: Option<MachineId>,
    /// Do it on another machine, through ssh; --machine then says which one it has to be
    #[arg(long, global = true, value_name = "NAME")]
    pub host: Option<HostName>,
    /// What the machine has to be; passed on by --host
    #[arg(long, global = true, value_name = "SMSID", hide = true)]
    pub expect_machine: Option<MachineId>,
    /// Print JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// No colours and no bold or dim text (also: NO_COLOR)
    #[arg(long, global = true)]
    pub no_color: bool,
    /// Print nothing but errors
    #[arg(long, global = true)]
    pub quiet: bool,
    /// Say what would be done and do nothing (verbs that change something)
    #[arg(long, global = true)]
    pub dry_run: bool,
}

/// Flags of the console and of `pcm demo`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "Console")]
pub struct ConsoleFlags {
    /// Show everything, change nothing
    #[arg(long)]
    pub read_only: bool,
    /// Draw with ASCII only
    #[arg(long)]
    pub ascii: bool,
    /// Draw less often, for slow lines
    #[arg(long)]
    pub slow: bool,
    /// Colours of the console
    #[arg(long, value_name = "NAME")]
    pub theme: Option<String>,
}

impl ConsoleFlags {
    /// Takes over what stood before the verb: `pcm --ascii demo` is `pcm demo --ascii`.
    pub fn join(&mut self, before: Self) {
        self.read_only |= before.read_only;
        self.ascii |= before.ascii;
        self.slow |= before.slow;
        self.theme = self.theme.take().or(before.theme);
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Try it: a sandbox site, a service and the console; touches nothing else, needs no root
    Demo(DemoArgs),
    /// The machine at a glance; exit status 10 when something is wrong
    Status,
    /// Requests with their state, and why they have not run
    List(ListArgs),
    /// One request in full
    Show(OneRequest),
    /// Why it has not run, when it will, and what you may do about it
    Explain(OneRequest),
    /// What will run when in the next days, what never will, and why
    Simulate(SimulateArgs),
    /// Run a request now
    #[command(visible_alias = "trigger")]
    Run(RunArgs),
    /// Run again what has been attempted
    Rerun(RerunArgs),
    /// Postpone a mandatory run
    Defer(DeferArgs),
    /// End a deferral
    Undefer(OneRequest),
    /// End a run with its whole process tree
    Stop(StopArgs),
    /// No automatic runs on this machine until a time
    Hold(HoldArgs),
    /// Automatic runs again
    Unhold,
    /// A restart that a package wants: do it now, later, or not by pcm
    Restart(RestartArgs),
    /// Read the instruction file now
    Poll,
    /// Who is logged on
    Who,
    /// Read logs: one or several, merged by time
    Log(LogArgs),
    /// Attempts, newest first
    History(HistoryArgs),
    /// Who did what, when; `audit verify` checks the chain
    Audit(AuditArgs),
    /// Is this machine ready? Every item of the checklist with its evidence; exit status 10 where one fails
    ///
    /// What this account cannot see is `unknown`, says why, and fails nothing. Needs no service and no rights.
    Check,
    /// Enrol this machine: configuration and an empty history; nothing changes where both are healthy
    Init(InitArgs),
    /// Make an instruction share, or see what is wrong with one
    Site(SiteArgs),
    /// Prepare packages on a share
    Package(PackageArgs),
    /// The service
    Service(ServiceArgs),
    /// Print what makes a shell complete verbs and flags, e.g. for bash: source <(pcm completions bash)
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, e.g. for: pcm man | man -l -
    Man,
    /// The demo's service; started by the demo only
    #[command(hide = true)]
    DemoService {
        /// The folder stays afterwards.
        #[arg(long)]
        keep: bool,
    },
    /// Removes a demo's folder when it is done; started by the demo only
    #[command(hide = true)]
    DemoSweep {
        /// The folder.
        dir: PathBuf,
    },
    /// Owns one run; started by the executor only
    #[command(hide = true)]
    RunHost {
        /// The run's folder.
        dir: PathBuf,
    },
    /// Touches a share once; started by the executor only
    #[command(hide = true)]
    ShareReader,
    /// Tries what the service does, as its account; started by `pcm check` only
    #[command(hide = true)]
    CheckProbe,
    /// Does root's work on the state of another account, as that account; started by pcm only
    #[command(hide = true)]
    AsOwner,
}

/// `Exit status:`, then each with its meaning.
fn exit_statuses() -> String {
    let rows =
        Exit::ALL.iter().map(|(exit, words)| format!("\n{:>4}  {}", *exit as u8, words.replace('`', "")));
    format!("Exit status:{}", rows.collect::<String>())
}

impl Verb {
    /// Whether it changes something, so that `--dry-run` means something.
    pub fn changes(&self) -> bool {
        matches!(
            self,
            Verb::Run(_)
                | Verb::Rerun(_)
                | Verb::Defer(_)
                | Verb::Undefer(_)
                | Verb::Stop(_)
                | Verb::Hold(_)
                | Verb::Unhold
                | Verb::Restart(_)
                | Verb::Poll
                | Verb::Init(_)
                | Verb::Site(SiteArgs { what: SiteVerb::Init { .. } })
                | Verb::Package(_)
                | Verb::Service(ServiceArgs { what: ServiceVerb::Install | ServiceVerb::Uninstall })
        )
    }
}

/// `pcm demo`
#[derive(Debug, Clone, Args)]
pub struct DemoArgs {
    /// Without a terminal: print what happens, then a table
    #[arg(long)]
    pub headless: bool,
    /// How long --headless watches
    #[arg(long = "for", value_name = "D", value_parser = parse_span, requires = "headless")]
    pub span: Option<Duration>,
    /// Keep the folder afterwards
    #[arg(long)]
    pub keep: bool,
    /// Flags of the console.
    #[command(flatten)]
    pub console: ConsoleFlags,
}

/// Which requests `pcm list` shows.
#[derive(Debug, Clone, Default, Args)]
#[group(multiple = false)]
pub struct ListArgs {
    /// Only what has not run yet
    #[arg(long)]
    pub pending: bool,
    /// Only what expired before it ran
    #[arg(long)]
    pub expired: bool,
    /// Only what has been attempted
    #[arg(long)]
    pub executed: bool,
    /// Everything (default: all but executed)
    #[arg(long)]
    pub all: bool,
}

/// A verb about one request.
#[derive(Debug, Clone, Args)]
pub struct OneRequest {
    /// Request id, e.g. BP0000Y
    #[arg(value_name = "REQUEST")]
    pub request: RequestId,
}

/// `pcm simulate`
#[derive(Debug, Clone, Args)]
#[command(after_help = SIMULATE_HELP)]
pub struct SimulateArgs {
    /// Only this request; the others run all the same
    #[arg(value_name = "REQUEST")]
    pub request: Option<RequestId>,
    /// An instruction file that need not be published, instead of the one in force
    #[arg(long, value_name = "FILE.INS")]
    pub file: Option<PathBuf>,
    /// Where the virtual clock starts (default: now): 22:00, "Tue 22:00", "2026-12-22 22:00", RFC 3339, or 2h from now
    #[arg(long, value_name = "T")]
    pub from: Option<String>,
    /// Until when (default: 7d later): the same, or a duration
    #[arg(long, value_name = "T")]
    pub until: Option<String>,
    /// What is taken for granted (repeatable), e.g. users=none
    #[arg(long, value_name = "KEY=VALUE")]
    pub assume: Vec<String>,
}

/// The keys of `--assume`; a test holds them against what is read.
const SIMULATE_HELP: &str = "\
To assume:
  users=none, users=anna,bob        who will be logged on
  window=none, window=\"Sat 22:00-06:00, Sun 00:00-24:00\"
  hold=none, freeze=none, deferral=none
  clock=ok, restart=none, boot=long-ago, power=mains, disk=ok
  share=ok, share=missing           whether the share answers
  content=copied, content=as-it-is  files that are still to be copied
  platform=any                      requests for other platforms, too
  runs=longest, runs=none, runs=10m how long each run takes; it always succeeds";

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
    #[arg(long = "override", value_name = "GATES", value_delimiter = ',', value_parser = parse_gate)]
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
    #[arg(long = "override", value_name = "GATES", value_delimiter = ',', value_parser = parse_gate)]
    pub overrides: Vec<Gate>,
    /// How to wait.
    #[command(flatten)]
    pub wait: WaitArgs,
}

/// A gate's name. Any gate is taken here, since the core says which ones may be passed over; the message names those.
fn parse_gate(text: &str) -> Result<Gate, String> {
    text.trim().parse().map_err(|_| "wanted some of hold, deferral, window, users, clock, host".to_owned())
}

/// Whether `run` and `rerun` stay until the end.
#[derive(Debug, Clone, Copy, Args)]
pub struct WaitArgs {
    /// Stay until it has ended; exit status 7 if it did not succeed
    #[arg(long)]
    pub wait: bool,
    /// The same, and print what the package prints
    #[arg(long)]
    pub follow: bool,
}

/// Until when: `--until T` or `--for D`.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub struct UntilArgs {
    /// A time: 22:00, "Tue 22:00", "2026-12-22 22:00" (local) or RFC 3339
    #[arg(long, value_name = "T")]
    pub until: Option<String>,
    /// A duration: 90m, 2h, 3d
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
    /// Tell whoever is logged on, and restart the machine; never while a package runs
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

/// `pcm log`
#[derive(Debug, Clone, Args)]
pub struct LogArgs {
    /// Log files; those of the configuration without any
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Go on printing what is added
    #[arg(short = 'f', long = "follow")]
    pub follow: bool,
    /// Only lines that match this regular expression
    #[arg(long, value_name = "RE")]
    pub grep: Option<String>,
    /// This level and worse
    #[arg(long, value_name = "L", value_enum)]
    pub level: Option<LevelArg>,
    /// From this time on: 22:00, "Tue 22:00", "2026-12-22 22:00", RFC 3339, or a duration: 2h
    #[arg(long, value_name = "T")]
    pub since: Option<String>,
    /// Only lines of this component
    #[arg(long, value_name = "C")]
    pub component: Option<String>,
}

/// Levels of `pcm log --level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LevelArg {
    /// Everything.
    Verbose,
    /// Information, warnings, errors.
    Info,
    /// Warnings and errors.
    Warning,
    /// Errors.
    Error,
}

/// `pcm history`
#[derive(Debug, Clone, Args)]
pub struct HistoryArgs {
    /// Only of this request
    #[arg(value_name = "REQUEST")]
    pub request: Option<RequestId>,
}

/// `pcm audit`
#[derive(Debug, Clone, Args)]
pub struct AuditArgs {
    /// What of it.
    #[command(subcommand)]
    pub what: Option<AuditVerb>,
}

/// `pcm audit …`
#[derive(Debug, Clone, Subcommand)]
pub enum AuditVerb {
    /// Check the chain of events
    Verify,
}

/// `pcm init`
#[derive(Debug, Clone, Args)]
pub struct InitArgs {
    /// What to do with everything listed, where history was lost or the machine is taken over; while a package runs,
    /// nothing is adopted
    #[arg(long, value_enum, value_name = "WHAT")]
    pub adopt: Option<AdoptArg>,
    /// Take the instruction file with this serial although a newer one was seen, e.g. after the share was restored
    #[arg(long, value_name = "N", conflicts_with_all = ["adopt", "trust"])]
    pub accept_serial: Option<u64>,
    /// What makes a publication believable; written into a new configuration
    #[arg(long, value_enum, value_name = "MODE")]
    pub trust: Option<TrustArg>,
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

/// `pcm site`
#[derive(Debug, Clone, Args)]
pub struct SiteArgs {
    /// What.
    #[command(subcommand)]
    pub what: SiteVerb,
}

/// `pcm site …`
#[derive(Debug, Clone, Subcommand)]
pub enum SiteVerb {
    /// Make a share in an empty folder
    Init {
        /// The folder; made if it is not there
        #[arg(value_name = "DIR")]
        dir: PathBuf,
        /// Site code, e.g. BP0
        #[arg(long, value_name = "CODE")]
        site: SiteCode,
        /// With an example package, and an instruction file for this machine
        #[arg(long, value_name = "SMSID")]
        example: Option<MachineId>,
    },
    /// Everything that is wrong on a share, or in one instruction file; exit status 10 where something is
    Lint {
        /// The share, or one SMSID.INS; the configured share without it
        #[arg(value_name = "DIR|FILE")]
        what: Option<PathBuf>,
        /// What times without a zone mean: a zone's name, as the machines have it (default: this machine's)
        #[arg(long, value_name = "ZONE")]
        zone: Option<String>,
        /// Hash every file of every package, too
        #[arg(long)]
        hashes: bool,
    },
}

/// `pcm package`
#[derive(Debug, Clone, Args)]
pub struct PackageArgs {
    /// What.
    #[command(subcommand)]
    pub what: PackageVerb,
}

/// `pcm package …`
#[derive(Debug, Clone, Subcommand)]
pub enum PackageVerb {
    /// Write CONTENT, the hashes of a package's files, and print its own hash
    Content {
        /// The package's folder, or its id on the share
        #[arg(value_name = "DIR|ID")]
        package: PathBuf,
    },
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
