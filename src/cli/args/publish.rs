//! Arguments of what a publisher does from a site folder: site publish, site machine, job.

use super::key::FolderArgs;
use super::suggest::Suggested;
use crate::site::ids::{JobId, MachineId, PackageId};
use crate::site::index::job::OfferTo;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// The highest number: whatever reads JSON keeps it exactly.
const MAX_SERIAL: u64 = 1 << 53;

/// `pcm site publish`
#[derive(Debug, Clone, Args)]
pub struct PublishArgs {
    /// The publish key that signs: its private file, or the .pub of a key in your agent or token (default: key in site.toml);
    /// once for each who has to sign
    #[arg(long, value_name = "FILE")]
    pub key: Vec<PathBuf>,
    /// Give the publication this serial or a higher one
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=MAX_SERIAL))]
    pub serial: Option<u64>,
    /// Let the folder say what it said at this publication, then publish it; jobs that were sent since are cancelled
    #[arg(long, value_name = "SERIAL")]
    pub undo: Option<u64>,
    /// Allow N changes that are refused otherwise; the refusal names N
    #[arg(long, value_name = "N")]
    pub expect: Option<usize>,
    /// Renew what is published, and publish nothing else: edits of the folder wait for you
    #[arg(long, conflicts_with_all = ["undo", "expect"])]
    pub renew: bool,
    /// Take over from a publisher that died on another machine
    #[arg(long)]
    pub break_lock: bool,
    /// From where.
    #[command(flatten)]
    pub folder: FolderArgs,
}

/// How verbs that edit the site folder publish.
#[derive(Debug, Clone, Args)]
pub struct ThenArgs {
    /// Edit the site folder only; publish later
    #[arg(long)]
    pub no_publish: bool,
    /// The publish key that signs: its private file, or the .pub of a key in your agent or token (default: key in site.toml);
    /// once for each who has to sign
    #[arg(long, value_name = "FILE")]
    pub key: Vec<PathBuf>,
    /// Allow N machines: needed above 100, and where more than a tenth of the site is removed
    #[arg(long, value_name = "N")]
    pub expect: Option<usize>,
    /// Which site folder.
    #[command(flatten)]
    pub folder: FolderArgs,
}

/// `pcm site machine …`
#[derive(Debug, Clone, Subcommand)]
pub enum MachineVerb {
    /// Add a machine, or change its groups, its key and its host name (--host NAME)
    Add {
        /// Its id, e.g. BP004000
        #[arg(value_name = "SMSID")]
        id: MachineId,
        /// A group that it is in (repeatable)
        #[arg(long = "group", value_name = "G")]
        groups: Vec<String>,
        /// The public half of the key that signs its reports: "ssh-ed25519 AAAA…"
        #[arg(long = "host-key", value_name = "LINE")]
        host_key: Option<String>,
        /// How it is published.
        #[command(flatten)]
        then: ThenArgs,
    },
    /// Add the machines of a CSV file, or change them: smsid,host,groups,host_key,words
    Import {
        /// The CSV file; all wrong lines are reported at once
        #[arg(value_name = "FILE.csv")]
        file: PathBuf,
        /// How it is published.
        #[command(flatten)]
        then: ThenArgs,
    },
    /// Say that a machine whose history is lost, or that shares its id with another, may go on from the state it reports
    ///
    /// The state that its report names goes into its line of the published list. The answer names the machine that reports:
    /// look at that first. With its next poll the machine goes on, once, and all that is listed for it then counts as done.
    Replace {
        /// Its id
        #[arg(value_name = "SMSID")]
        id: MachineId,
        /// How it is published.
        #[command(flatten)]
        then: ThenArgs,
    },
    /// Remove machines: no job is for them any more
    Remove {
        /// Their ids
        #[arg(value_name = "SMSID", required = true)]
        ids: Vec<MachineId>,
        /// How it is published.
        #[command(flatten)]
        then: ThenArgs,
    },
    /// List the machines of the site
    List {
        /// Only those that match, e.g. 'group == "web"'; host and group are known here
        #[arg(long = "where", value_name = "EXPR")]
        condition: Option<String>,
        /// Which site folder.
        #[command(flatten)]
        folder: FolderArgs,
    },
}

/// `pcm job`
#[derive(Debug, Clone, Args)]
pub struct JobArgs {
    /// What.
    #[command(subcommand)]
    pub what: JobVerb,
}

/// `pcm job …`
#[derive(Debug, Clone, Subcommand)]
pub enum JobVerb {
    /// Send a job: machines run a command of a package
    Send(Box<SendArgs>),
    /// List the jobs of the site
    List {
        /// Which site folder.
        #[command(flatten)]
        folder: FolderArgs,
    },
    /// Show one job in full
    Show {
        /// Job id, e.g. BP0000AA
        #[arg(value_name = "JOB")]
        job: JobId,
        /// Which site folder.
        #[command(flatten)]
        folder: FolderArgs,
    },
    /// Suspend a job: no machine starts it until it is resumed
    Suspend(StateArgs),
    /// Resume a suspended job
    Resume(StateArgs),
    /// Cancel a job for good: no machine starts it any more; what already runs goes on
    Cancel(StateArgs),
    /// Let jobs reach their next machines where enough reports prove it, and suspend those of which too many failed
    ///
    /// Exit status 10 where one was halted. Without JOB: every active job with phases. With --dry-run also what each phase
    /// can prove, who is silent, and how many will have launched before a halt can reach them.
    Advance(AdvanceArgs),
}

/// `pcm job advance`
#[derive(Debug, Clone, Args)]
pub struct AdvanceArgs {
    /// Job id, e.g. BP0000AA
    #[arg(value_name = "JOB", required_if_eq("now", "true"))]
    pub job: Option<JobId>,
    /// Now, on your word alone, whatever the machines report
    #[arg(long, requires = "reason")]
    pub now: bool,
    /// Why
    #[arg(long, value_name = "R", requires = "now")]
    pub reason: Option<String>,
    /// How it is published.
    #[command(flatten)]
    pub then: ThenArgs,
}

/// Which job, and why.
#[derive(Debug, Clone, Args)]
pub struct StateArgs {
    /// Job id, e.g. BP0000AA
    #[arg(value_name = "JOB")]
    pub job: JobId,
    /// Why; its machines show this
    #[arg(long, value_name = "R")]
    pub reason: Option<String>,
    /// How it is published.
    #[command(flatten)]
    pub then: ThenArgs,
}

/// Whom a job can be offered to is offered.
const OFFER_TO: Suggested<OfferTo> =
    Suggested::new(str::parse::<OfferTo>, || OfferTo::ALL.iter().map(|who| who.as_str()).collect());

/// `pcm job send`
#[derive(Debug, Clone, Args)]
pub struct SendArgs {
    /// Package to run, e.g. BP00000A
    #[arg(long, value_name = "ID", required_unless_present = "again")]
    pub package: Option<PackageId>,
    /// Its command (default: the only one that does not remove it)
    #[arg(long, value_name = "NAME")]
    pub command: Option<String>,
    /// Machines: ids, patterns like BP0040*, groups like @web; commas between them
    #[arg(long, value_name = "TARGETS", value_delimiter = ',', required_unless_present = "again")]
    pub to: Vec<String>,
    /// Machines that are left out, named in the same way
    #[arg(long, value_name = "TARGETS", value_delimiter = ',')]
    pub exclude: Vec<String>,
    /// Condition that each machine checks for itself, e.g. 'os_version >= 12'
    #[arg(long = "where", value_name = "EXPR")]
    pub condition: Option<String>,
    /// It runs by itself from this time on: "22:00", "Sat 22:00", 2026-12-22T22:00:00Z, 2h (default: never)
    #[arg(long, value_name = "T")]
    pub mandatory: Option<String>,
    /// An operator may run it from this time on (default: at once)
    #[arg(long, value_name = "T")]
    pub offer: Option<String>,
    /// It does not start any more from this time on (default: never)
    #[arg(long, value_name = "T")]
    pub expire: Option<String>,
    /// Who else may have it run: users, whoever is logged on to the machine (pcm offers, pcm install)
    #[arg(long, value_name = "WHO", value_parser = OFFER_TO, hide_possible_values = true)]
    pub offer_to: Option<OfferTo>,
    /// Reach only this share of the machines first, then more by `pcm job advance`: 5%,50%+1d,100%+1d
    #[arg(long, value_name = "P%[+D],...", value_delimiter = ',')]
    pub phases: Vec<String>,
    /// Reach these machines first, and no others until `pcm job advance` goes on
    #[arg(long, value_name = "SMSID,...", value_delimiter = ',')]
    pub canary: Vec<MachineId>,
    /// Spread the starts over this time (default: 1h for more than 100 machines)
    #[arg(long, value_name = "D")]
    pub spread: Option<String>,
    /// Send this job once more under a new request id, with the newest release of its package
    #[arg(long, value_name = "JOB")]
    pub again: Option<JobId>,
    /// How it is published.
    #[command(flatten)]
    pub then: ThenArgs,
}
