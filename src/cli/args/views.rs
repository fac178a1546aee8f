//! Arguments of the verbs that show something: list, show, explain, simulate, log, history, audit.

use super::key::FolderArgs;
use super::suggest::{self, Suggested};
use crate::site::ids::{JobId, RequestId};
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::str::FromStr;

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
    /// Only what failed, seen or not
    #[arg(long)]
    pub failed: bool,
    /// Only what has been attempted
    #[arg(long)]
    pub executed: bool,
    /// Everything (default: all but executed; what failed until an operator has seen it)
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

/// `pcm explain`
#[derive(Debug, Clone, Args)]
pub struct ExplainArgs {
    /// Request id, e.g. BP0000Y, or job id, e.g. BP0000AA: also that of a job that is for other machines
    #[arg(value_name = "REQUEST")]
    pub request: Explained,
}

/// What is to be explained.
#[derive(Debug, Clone, Copy)]
pub enum Explained {
    /// A request of this machine.
    Request(RequestId),
    /// A job of the index.
    Job(JobId),
}

impl FromStr for Explained {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let job = text.parse().map(Explained::Job);
        text.parse().map(Explained::Request).or(job).map_err(|_| {
            format!("{text:?} is neither a request id nor a job id: wanted 7 or 8 of A-Z and 0-9, like BP0000Y or BP0000AA")
        })
    }
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
    /// Where the virtual clock starts (default: now): 22:00, "tomorrow 07:00", "Tue 22:00", "YYYY-MM-DD HH:MM", RFC 3339, or 2h
    /// from now
    #[arg(long, value_name = "T")]
    pub from: Option<String>,
    /// Until when (default: 7d later): the same, or a duration
    #[arg(long, value_name = "T")]
    pub until: Option<String>,
    /// What is taken for granted (repeatable), e.g. users=none
    #[arg(long, value_name = "KEY=VALUE", value_parser = ASSUMED, hide_possible_values = true)]
    pub assume: Vec<String>,
}

/// The beginning of each is offered.
const ASSUMED: Suggested<String> = Suggested::new(suggest::text, || ASSUMED_WORDS.to_vec());

const ASSUMED_WORDS: &[&str] = &[
    "users=none",
    "window=none",
    "hold=none",
    "freeze=none",
    "deferral=none",
    "clock=ok",
    "service=running",
    "restart=none",
    "boot=long-ago",
    "power=mains",
    "disk=ok",
    "share=ok",
    "share=missing",
    "content=copied",
    "content=as-it-is",
    "platform=any",
    "runs=longest",
    "runs=usual",
    "runs=none",
];

/// The keys of `--assume`; a test holds them against what is read.
const SIMULATE_HELP: &str = "\
To assume:
  users=none, users=anna,bob        who will be logged on
  window=none, window=\"Sat 22:00-06:00, Sun 00:00-24:00\"
  hold=none, freeze=none, deferral=none
  clock=ok, restart=none, boot=long-ago, power=mains, disk=ok
  service=running                   a service that starts what is due
  share=ok, share=missing           whether the share answers
  content=copied, content=as-it-is  files that are still to be copied
  platform=any                      requests for other platforms, too
  runs=longest, runs=none, runs=10m how long each run takes; it always succeeds
  runs=usual                        from its usual time here to its limit (what is assumed if nothing is said)";

const LOG_HELP: &str = "\
Filters:
  --grep, --component, --thread and --request can each be given several times: a record has to hold one of a kind. All kinds
  have to hold together, with --level, --since and --until. What --not-grep, --not-component, --not-thread or --not-request
  names is left out, whatever else holds.
  pcm log --grep timeout --grep refused --component 'SHARE*' --not-grep retry";

/// `pcm log`
#[derive(Debug, Clone, Args)]
#[command(after_help = LOG_HELP)]
pub struct LogArgs {
    /// Log files, - for standard input [default: those in the configuration]
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Go on printing what is added
    #[arg(short = 'f', long = "follow", conflicts_with_all = ["count", "after", "before", "context", "rotated", "until"])]
    pub follow: bool,
    /// Only the last N records of those asked for
    #[arg(short = 'n', long = "lines", value_name = "N")]
    pub lines: Option<usize>,
    /// Only records that match this regular expression; given several times, one of them
    #[arg(long, value_name = "RE")]
    pub grep: Vec<String>,
    /// Only records that match none of them
    #[arg(short = 'v', long = "invert-match", requires = "grep")]
    pub invert: bool,
    /// No records that match it; several times: or the other
    #[arg(long, value_name = "RE")]
    pub not_grep: Vec<String>,
    /// Print only how many records there are
    #[arg(short = 'c', long = "count", conflicts_with_all = ["lines", "after", "before", "context"])]
    pub count: bool,
    /// N records after each one, too
    #[arg(short = 'A', long = "after-context", value_name = "N")]
    pub after: Option<usize>,
    /// N records before each one, too
    #[arg(short = 'B', long = "before-context", value_name = "N")]
    pub before: Option<usize>,
    /// N records before and after each one, too
    #[arg(short = 'C', long = "context", value_name = "N")]
    pub context: Option<usize>,
    /// Minimum level
    #[arg(long, value_name = "L", value_enum)]
    pub level: Option<LevelArg>,
    /// From this time on: 22:00, "yesterday 07:00", "Tue 22:00", "YYYY-MM-DD HH:MM", RFC 3339, or 2h ago: 2h
    #[arg(long, value_name = "T")]
    pub since: Option<String>,
    /// Up to this time, not included
    #[arg(long, value_name = "T")]
    pub until: Option<String>,
    /// Only records of this component; * stands for anything; several times: of one of them
    #[arg(long, value_name = "C")]
    pub component: Vec<String>,
    /// No records of this component
    #[arg(long, value_name = "C")]
    pub not_component: Vec<String>,
    /// Only records of this thread, in decimal; several times: of one of them
    #[arg(long, value_name = "N")]
    pub thread: Vec<String>,
    /// No records of this thread
    #[arg(long, value_name = "N")]
    pub not_thread: Vec<String>,
    /// Only records that name this request; several times: one of them
    #[arg(long, value_name = "REQUEST")]
    pub request: Vec<RequestId>,
    /// No records that name this request
    #[arg(long, value_name = "REQUEST")]
    pub not_request: Vec<RequestId>,
    /// What was rotated away, too: NAME.1, NAME.lo_, NAME-20261128-140000.LOG, packed or not
    #[arg(long)]
    pub rotated: bool,
    /// The logs of these machines in one order, through ssh: names, or a file of names, one a line. Of each the last 250 records
    /// unless -n says otherwise
    #[arg(long, value_name = "FILE|NAME,...", value_delimiter = ',', conflicts_with_all = ["after", "before", "context"])]
    pub hosts: Vec<String>,
    /// Which site folder knows the host keys of --hosts.
    #[command(flatten)]
    pub folder: FolderArgs,
    /// Answer `pcm log --hosts` of another machine on standard input and output
    #[arg(
        long,
        hide_short_help = true,
        conflicts_with_all = ["hosts", "follow", "lines", "grep", "count", "after", "before", "context", "level", "since",
            "until", "component", "request", "format", "folder", "not_grep", "not_component", "thread", "not_thread",
            "not_request", "explain_codes"]
    )]
    pub serve: bool,
    /// Below each record, what the exit codes, HRESULTs and errors in it mean
    #[arg(long, conflicts_with = "count")]
    pub explain_codes: bool,
    /// How records are printed
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "rows")]
    pub format: LogShape,
}

/// Shapes of `pcm log --format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogShape {
    /// Time, level, component, text
    Rows,
    /// As they stand in the file
    Raw,
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

/// `pcm evidence`
#[derive(Debug, Clone, Args)]
#[command(after_help = EVIDENCE_HELP)]
pub struct EvidenceArgs {
    /// Request id, e.g. BP0000Y
    #[arg(value_name = "REQUEST")]
    pub request: RequestId,
    /// The archive that is made, e.g. BP0000Y.tar.zst; a file that is there is never replaced. `-`: standard output
    ///
    /// With --host the file is made here, not over there. On standard output nothing else stands; what is in the archive is then
    /// said on standard error, and no terminal gets it.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// What is left out, for the help, the manual page and the archive's list of contents; a test holds it against the names that
/// are looked for.
pub const EVIDENCE_HELP: &str = "\
What is left out: in every part, <masked> stands in place of
  the value of NAME=VALUE and NAME:VALUE, and the word after a switch (-NAME, --NAME, /NAME), where NAME contains
  authorization, cookie, credential, key, passphrase, passwd, password, pwd, secret or token, in capitals or not; with a
  blank before or after the = or :, what is in quotes, or else the rest of the line;
  what stands before the @ of an address (https://USER:PASSWORD@HOST): all after the colon, or all of it;
  the word after Bearer; the lines of a private key;
  and wherever it stands, a value of six or more characters that NAME=VALUE, a switch, an address or Bearer passes in the
  command line or in what is in force.
It takes more rather than less. A secret that nothing of this marks stays: read what you hand out.";

/// `pcm help`
#[derive(Debug, Clone, Args)]
pub struct HelpArgs {
    /// The verb, e.g. run, or site lint; all of them without it
    #[arg(value_name = "VERB")]
    pub verb: Vec<String>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::decision::simulate::{Assumptions, possible};

    #[test]
    fn help_and_completions_know_each_assumption_and_no_other() {
        let text = possible();
        let each = text.strip_prefix("What can be assumed: ").unwrap().split("; ");
        for key in each.map(|pair| pair.split_once('=').unwrap().0) {
            assert!(SIMULATE_HELP.contains(&format!(" {key}=")), "{key} is not in the help");
            // What is free text cannot be offered, but its fixed word can.
            let begins = format!("{key}=");
            assert!(ASSUMED_WORDS.iter().any(|word| word.starts_with(&begins)), "{key} is not offered");
        }
        for word in ASSUMED_WORDS {
            Assumptions::default().add(word).unwrap();
        }
    }
}
