//! The command line as clap sees it (DESIGN.md 7): global flags, console flags, verbs. Nothing here reads a file or a
//! clock; `cli::run` carries the parsed line out, and `.github/docs/commands.md` is made of this tree. One file of arguments a
//! family of verbs.

mod act;
mod key;
mod machine;
mod publish;
mod rollout;
mod site;
mod suggest;
mod views;

pub use act::{
    DeferArgs, HoldArgs, InstallArgs, NoticeArgs, RerunArgs, RestartArgs, RestartWhat, RunArgs, SeenArgs,
    StopArgs, UntilArgs, WaitArgs,
};
pub use key::{FolderArgs, KeyArgs, KeyVerb, PartArg, RoleArg, SignArgs};
pub use machine::{AdoptArg, DemoArgs, InitArgs, ServiceArgs, ServiceVerb, TrustArg};
pub use publish::{AdvanceArgs, JobArgs, JobVerb, MachineVerb, PublishArgs, SendArgs, StateArgs, ThenArgs};
pub use rollout::RolloutArgs;
pub use site::{ImportArgs, PackageArgs, PackageVerb, SiteArgs, SiteVerb};
pub use views::{
    AuditArgs, AuditVerb, EVIDENCE_HELP, EvidenceArgs, ExplainArgs, Explained, HelpArgs, HistoryArgs,
    LevelArg, ListArgs, LogArgs, LogShape, OneRequest, SimulateArgs,
};

use crate::console::theme::BUILT_IN;
use crate::error::Exit;
use crate::host::host_name::HostName;
use crate::host::open::remote;
use crate::site::ids::MachineId;
use clap::builder::{PathBufValueParser, TypedValueParser as _};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use suggest::Suggested;

/// A location of a kind that there is: an address that pcm does not know would else be taken for the name of a folder.
fn known_kind(location: PathBuf) -> Result<PathBuf, String> {
    remote::known_kind(&location.to_string_lossy()).map(|()| location)
}

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
    /// Which site folder view 5 of the console shows, which is then shown first.
    #[command(flatten, next_help_heading = "Console")]
    pub folder: FolderArgs,
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
    /// The share that is meant (repeatable): a machine with another one refuses; what is read by site, package and
    /// simulate --file; what init writes down
    #[arg(long, global = true, value_name = "LOCATION", value_parser = PathBufValueParser::new().try_map(known_kind))]
    pub share: Vec<PathBuf>,
    /// State folder
    #[arg(long, global = true, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// The machine that is meant: another one refuses; what init writes down
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

/// The built-in themes are offered; others are files of the user's.
const THEMES: Suggested<String> =
    Suggested::new(suggest::text, || BUILT_IN.iter().map(|(name, _)| *name).collect());

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
    #[arg(long, value_name = "NAME", value_parser = THEMES, hide_possible_values = true)]
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
    Explain(ExplainArgs),
    /// What will run when in the next days, what never will, and why
    Simulate(SimulateArgs),
    /// Run a request now, or in its turn where another package runs
    #[command(visible_alias = "trigger")]
    Run(RunArgs),
    /// Run again what has been attempted
    Rerun(RerunArgs),
    /// What is offered to users: for whoever is logged on to this machine, without any right
    Offers,
    /// Have something installed that `pcm offers` shows; needs no right
    Install(InstallArgs),
    /// Postpone a mandatory run
    Defer(DeferArgs),
    /// End a deferral
    Undefer(OneRequest),
    /// End a run with its whole process tree, or take it out of the queue
    Stop(StopArgs),
    /// No automatic runs on this machine until a time
    Hold(HoldArgs),
    /// Automatic runs again
    Unhold,
    /// A restart that a package wants: do it now, later, or not by pcm
    Restart(RestartArgs),
    /// You have seen what expired or failed: it is no finding any more
    Seen(SeenArgs),
    /// Look at the share now, and take what is published
    Poll,
    /// Who is logged on
    Who,
    /// Send a message to everybody who is logged on
    Notice(NoticeArgs),
    /// Read logs: one or several, merged by time
    Log(LogArgs),
    /// Attempts, newest first
    History(HistoryArgs),
    /// Who did what, when; `audit verify` checks the chain
    Audit(AuditArgs),
    /// Everything about a request in one archive, for a ticket; secrets are masked by a rule
    ///
    /// MANIFEST in it lists each part, and why one is missing or only a part. Needs no service; what this account may not read
    /// is left out.
    Evidence(EvidenceArgs),
    /// Is this machine ready? Every item of the checklist with its evidence; exit status 10 where one fails
    ///
    /// What this account cannot see is `unknown`, says why, and fails nothing. Needs no service and no rights.
    Check,
    /// Enrol this machine: configuration and an empty history; nothing changes where both are healthy
    Init(InitArgs),
    /// The site folder and its machines: publish it, freeze it, check a share or a signature
    Site(SiteArgs),
    /// Prepare packages, in the site folder or on a share that is filled by hand
    Package(PackageArgs),
    /// Send a package to machines, and suspend, resume, cancel or list what was sent
    Job(JobArgs),
    /// How far jobs are, and what holds their machines up; exit status 10 where one is halted
    Rollout(Box<RolloutArgs>),
    /// Keys and the trust list of a site: whose signatures count
    Key(KeyArgs),
    /// The service
    Service(ServiceArgs),
    /// Print what makes a shell complete verbs and flags, e.g. for bash: source <(pcm completions bash)
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// How a verb is used
    Help(HelpArgs),
    /// Print the manual page, of all or of one verb, e.g. for: pcm man | man -l -
    Man {
        /// The verb, e.g. site; all of them without it
        #[arg(value_name = "VERB")]
        verb: Option<String>,
    },
    /// Writes what packages carry beside the program; asked by .packaging/build only
    #[command(hide = true)]
    PackageFiles {
        /// The folder.
        dir: PathBuf,
        /// The repository, for its pages.
        #[arg(long)]
        pages: Option<PathBuf>,
    },
    /// Words that a shell completes; asked by the scripts of `pcm completions` only
    #[command(hide = true)]
    Words {
        /// Of what.
        of: WordsOf,
    },
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
    /// Talks to servers as an account without rights; started by pcm only
    #[command(hide = true)]
    ShareTalker,
    /// Tries what the service does, as its account; started by `pcm check` only
    #[command(hide = true)]
    CheckProbe,
    /// Compares a share with its site folder; started by `pcm check` only
    #[command(hide = true)]
    CheckSite,
    /// Does root's work on the state of another account, as that account; started by pcm only
    #[command(hide = true)]
    AsOwner,
    /// Runs `[notify] command` once and ends it when it takes too long; started by the service only
    #[command(hide = true)]
    NotifyHost,
}

/// What a shell asks for that only this machine knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum WordsOf {
    /// Ids of requests.
    Requests,
    /// Ids of what is offered to users.
    Offers,
    /// Ids of machines.
    Machines,
}

/// What `--machine` and `--share` say to a verb (SITE.md 8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meant {
    /// A verb of this machine: which one it has to be, and which share has to be its own.
    Machine,
    /// What the machine is to become.
    Enrolment,
    /// A verb of a site: the share that is read. No machine is meant.
    Site,
    /// Nothing: the verb has neither.
    Neither,
}

/// `Exit status:`, then each with its meaning.
fn exit_statuses() -> String {
    let rows =
        Exit::ALL.iter().map(|(exit, words)| format!("\n{:>4}  {}", *exit as u8, words.replace('`', "")));
    format!("Exit status:{}", rows.collect::<String>())
}

impl Verb {
    /// The site folder that it works on, for verbs that show or take times there.
    pub fn site_folder(&self) -> Option<&FolderArgs> {
        match self {
            Verb::Site(SiteArgs { what }) => match what {
                SiteVerb::Publish(args) => Some(&args.folder),
                SiteVerb::Status { folder }
                | SiteVerb::InstallTimer { folder, .. }
                | SiteVerb::Collect { folder }
                | SiteVerb::Verify { folder, .. } => Some(folder),
                SiteVerb::Freeze { then, .. } | SiteVerb::Unfreeze { then } => Some(&then.folder),
                SiteVerb::Machine { what } => Some(match what {
                    MachineVerb::Add { then, .. }
                    | MachineVerb::Import { then, .. }
                    | MachineVerb::Replace { then, .. }
                    | MachineVerb::Remove { then, .. } => &then.folder,
                    MachineVerb::List { folder, .. } => folder,
                }),
                SiteVerb::Init { .. } | SiteVerb::Lint { .. } => None,
            },
            Verb::Job(JobArgs { what }) => Some(match what {
                JobVerb::Send(args) => &args.then.folder,
                JobVerb::List { folder } | JobVerb::Show { folder, .. } => folder,
                JobVerb::Suspend(args) | JobVerb::Resume(args) | JobVerb::Cancel(args) => &args.then.folder,
                JobVerb::Advance(args) => &args.then.folder,
            }),
            Verb::Key(KeyArgs { what }) => match what {
                KeyVerb::Trust { sign, .. } | KeyVerb::Withdraw { sign, .. } => Some(&sign.folder),
                KeyVerb::Revoke { folder, .. } | KeyVerb::List { folder } => Some(folder),
                KeyVerb::Generate { .. } => None,
            },
            Verb::Rollout(args) => Some(&args.folder),
            Verb::Demo(_)
            | Verb::Status
            | Verb::List(_)
            | Verb::Show(_)
            | Verb::Explain(_)
            | Verb::Simulate(_)
            | Verb::Run(_)
            | Verb::Rerun(_)
            | Verb::Offers
            | Verb::Install(_)
            | Verb::Defer(_)
            | Verb::Undefer(_)
            | Verb::Stop(_)
            | Verb::Hold(_)
            | Verb::Unhold
            | Verb::Restart(_)
            | Verb::Seen(_)
            | Verb::Poll
            | Verb::Who
            | Verb::Notice(_)
            | Verb::Log(_)
            | Verb::History(_)
            | Verb::Audit(_)
            | Verb::Evidence(_)
            | Verb::Check
            | Verb::Init(_)
            | Verb::Package(_)
            | Verb::Service(_)
            | Verb::Completions { .. }
            | Verb::Help(_)
            | Verb::Man { .. }
            | Verb::PackageFiles { .. }
            | Verb::Words { .. }
            | Verb::DemoService { .. }
            | Verb::DemoSweep { .. }
            | Verb::RunHost { .. }
            | Verb::ShareReader
            | Verb::ShareTalker
            | Verb::CheckProbe
            | Verb::CheckSite
            | Verb::AsOwner
            | Verb::NotifyHost => None,
        }
    }

    /// What `--machine` and `--share` say to it; to the console they say the same as to a verb of the machine.
    pub fn meant(&self) -> Meant {
        match self {
            Verb::Package(PackageArgs { what: PackageVerb::Sign { .. } }) => Meant::Neither,
            Verb::Simulate(SimulateArgs { file: Some(_), .. })
            | Verb::Site(SiteArgs {
                what: SiteVerb::Lint { .. } | SiteVerb::Init { .. } | SiteVerb::Collect { .. },
            })
            | Verb::Key(KeyArgs { what: KeyVerb::Trust { .. } })
            | Verb::Rollout(_)
            | Verb::Package(_) => Meant::Site,
            Verb::Init(_) => Meant::Enrolment,
            Verb::Demo(_)
            | Verb::Site(SiteArgs {
                what:
                    SiteVerb::Verify { .. }
                    | SiteVerb::Publish(_)
                    | SiteVerb::Status { .. }
                    | SiteVerb::InstallTimer { .. }
                    | SiteVerb::Freeze { .. }
                    | SiteVerb::Unfreeze { .. }
                    | SiteVerb::Machine { .. },
            })
            | Verb::Job(_)
            | Verb::Key(KeyArgs {
                what:
                    KeyVerb::Generate { .. }
                    | KeyVerb::Revoke { .. }
                    | KeyVerb::Withdraw { .. }
                    | KeyVerb::List { .. },
            })
            | Verb::Completions { .. }
            | Verb::Man { .. }
            | Verb::PackageFiles { .. }
            | Verb::Help(_)
            | Verb::DemoSweep { .. }
            | Verb::RunHost { .. }
            | Verb::ShareReader
            | Verb::ShareTalker
            | Verb::CheckProbe
            | Verb::CheckSite
            | Verb::AsOwner
            | Verb::NotifyHost => Meant::Neither,
            // Those of other machines.
            Verb::Log(args) if !args.hosts.is_empty() => Meant::Neither,
            Verb::Status
            | Verb::List(_)
            | Verb::Show(_)
            | Verb::Explain(_)
            | Verb::Simulate(_)
            | Verb::Run(_)
            | Verb::Rerun(_)
            | Verb::Offers
            | Verb::Install(_)
            | Verb::Defer(_)
            | Verb::Undefer(_)
            | Verb::Stop(_)
            | Verb::Hold(_)
            | Verb::Unhold
            | Verb::Restart(_)
            | Verb::Seen(_)
            | Verb::Poll
            | Verb::Who
            | Verb::Notice(_)
            | Verb::Log(_)
            | Verb::History(_)
            | Verb::Audit(_)
            | Verb::Evidence(_)
            | Verb::Check
            | Verb::Service(_)
            | Verb::Words { .. }
            | Verb::DemoService { .. } => Meant::Machine,
        }
    }

    /// Whether `--host` is what it notes of a machine, and not where it is done.
    pub fn is_about_a_host(&self) -> bool {
        matches!(self, Verb::Site(SiteArgs { what: SiteVerb::Machine { what: MachineVerb::Add { .. } } }))
    }

    /// Whether it does more than look: it changes something, or is the service.
    pub fn acts(&self) -> bool {
        self.changes() || matches!(self, Verb::Service(ServiceArgs { what: ServiceVerb::Run }))
    }

    /// Whether it changes something, so that `--dry-run` means something.
    pub fn changes(&self) -> bool {
        matches!(
            self,
            Verb::Run(_)
                | Verb::Rerun(_)
                | Verb::Install(_)
                | Verb::Defer(_)
                | Verb::Undefer(_)
                | Verb::Stop(_)
                | Verb::Hold(_)
                | Verb::Unhold
                | Verb::Restart(_)
                | Verb::Seen(_)
                | Verb::Notice(_)
                | Verb::Poll
                | Verb::Init(_)
                | Verb::Site(SiteArgs {
                    what: SiteVerb::Init { .. }
                        | SiteVerb::Publish(_)
                        | SiteVerb::InstallTimer { .. }
                        | SiteVerb::Collect { .. }
                        | SiteVerb::Freeze { .. }
                        | SiteVerb::Unfreeze { .. }
                        | SiteVerb::Machine {
                            what: MachineVerb::Add { .. }
                                | MachineVerb::Import { .. }
                                | MachineVerb::Replace { .. }
                                | MachineVerb::Remove { .. },
                        },
                })
                | Verb::Job(JobArgs {
                    what: JobVerb::Send(_)
                        | JobVerb::Suspend(_)
                        | JobVerb::Resume(_)
                        | JobVerb::Cancel(_)
                        | JobVerb::Advance(_),
                })
                | Verb::Key(KeyArgs {
                    what: KeyVerb::Generate { .. }
                        | KeyVerb::Trust { .. }
                        | KeyVerb::Revoke { .. }
                        | KeyVerb::Withdraw { .. }
                })
                | Verb::Package(PackageArgs {
                    what: PackageVerb::New { .. }
                        | PackageVerb::Import(_)
                        | PackageVerb::Content { .. }
                        | PackageVerb::Sign { .. },
                })
                | Verb::Service(ServiceArgs { what: ServiceVerb::Install | ServiceVerb::Uninstall })
        )
    }
}
