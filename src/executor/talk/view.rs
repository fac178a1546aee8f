//! The documents that every view is made of: the console draws them, the command line prints them as text or as JSON,
//! and the socket carries them. Field names are the contract of DESIGN.md 7.

pub use super::audit::*;
pub use super::done::*;
pub use super::offer::*;
pub use super::request::*;
use crate::clock::Wall;
use crate::config::PollingBy;
use crate::host::sessions::SessionKind;
use crate::site::ids::{MachineId, RequestId, SiteCode};
use crate::terms::{Code, Problem, State, Verdict};
use crate::text::SafeText;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `list`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ListDoc {
    /// Who this machine is.
    pub machine: Option<MachineId>,
    /// The site of the instruction file in force.
    pub site: Option<SiteCode>,
    /// Which share it came from.
    pub source: Option<SafeText>,
    /// When a share was last seen with a valid file.
    pub polled_at: Option<Wall>,
    /// Of the instruction file in force.
    pub serial: Option<u64>,
    /// `running`, `stopped`, or `history-lost` and the like appended by the problems.
    pub service: ServiceState,
    /// While a hold is in force.
    pub held_until: Option<Wall>,
    /// Faults and warnings of share, instruction file, history and configuration.
    pub problems: Vec<Problem>,
    /// In the order in which they are shown: running, then by mandatory time, then by id.
    pub requests: Vec<RequestDoc>,
    /// Of what is in force beside its serial.
    #[serde(flatten)]
    pub of_index: OfIndex,
}

/// What is in force beside its serial.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct OfIndex {
    /// The trust list that it was published under; None: an instruction file that nobody signed.
    #[serde(default)]
    pub epoch: Option<u64>,
    /// When the index was issued; None: it is an instruction file.
    #[serde(default)]
    pub index_issued: Option<Wall>,
    /// Until when it is good, where it says so.
    #[serde(default)]
    pub valid_until: Option<Wall>,
}

/// Whether a service holds the executor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceState {
    /// It holds the lock and answers.
    Running,
    /// Nobody holds the lock, or only a command for a moment.
    Stopped,
}

/// Who signed what is in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedDoc {
    /// The fingerprint of the publisher's key.
    pub key: SafeText,
    /// Whose it is.
    pub principal: SafeText,
    /// Until when the publication is good.
    pub valid_until: Option<Wall>,
    /// The trust list that it was published under.
    pub epoch: u64,
    /// Of the publication.
    pub serial: u64,
    /// The highest epoch and serial that this machine has seen.
    pub highest: Option<(u64, u64)>,
}

/// What makes what is in force believable.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustDoc {
    /// `signed` or `permissions`.
    pub mode: SafeText,
    /// The fingerprint of the publisher's key; None: nobody signed it.
    pub key: Option<SafeText>,
    /// Whose it is.
    pub principal: Option<SafeText>,
    /// Until when the publication is good.
    pub valid_until: Option<Wall>,
    /// The trust list that it was published under; 0: it was not signed.
    pub epoch: Option<u64>,
    /// Of the publication.
    pub serial: Option<u64>,
    /// The highest epoch and serial that this machine has seen.
    pub highest: Option<(u64, u64)>,
}

impl From<&str> for TrustDoc {
    fn from(mode: &str) -> Self {
        Self { mode: SafeText::new(mode), ..Self::default() }
    }
}

/// `status`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StatusDoc {
    /// Who this machine is.
    pub machine: Option<MachineId>,
    /// Its host name.
    pub host: SafeText,
    /// Whether a service holds the executor.
    pub service: ServiceState,
    /// When the share is looked at next.
    pub poll_due: Option<Wall>,
    /// When the next package starts by itself, at the earliest.
    #[serde(default)]
    pub next_run: Option<Wall>,
    /// The same at the latest; None with a next run: perhaps not at all.
    #[serde(default)]
    pub latest: Option<Wall>,
    /// Which that is.
    #[serde(default)]
    pub next_request: Option<RequestId>,
    /// While a hold is in force.
    pub held_until: Option<Wall>,
    /// The same with whose it is, and why.
    #[serde(default)]
    pub hold: Option<HoldDoc>,
    /// The clock can be believed.
    pub clock_ok: bool,
    /// A restart that a package caused is pending.
    pub restart_pending: bool,
    /// Where it stands.
    #[serde(default)]
    pub restart: Option<RestartDoc>,
    /// By state, all states that occur.
    #[serde(serialize_with = "by_word")]
    pub counts: BTreeMap<State, u32>,
    /// How many of those that expired or failed an operator has seen: they are no finding any more.
    #[serde(default)]
    pub seen: u32,
    /// The same by state.
    #[serde(default, serialize_with = "by_word")]
    pub seen_by_state: BTreeMap<State, u32>,
    /// The requests whose runs wait in the queue, in their order.
    #[serde(default)]
    pub queue: Vec<RequestId>,
    /// How many are logged on; None: unknown.
    pub users: Option<u32>,
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// `[role]` of the configuration.
    pub role: SafeText,
    /// The frozen period in force, if any: until when.
    pub frozen_until: Option<Wall>,
    /// When a share was last seen with a valid file.
    pub polled_at: Option<Wall>,
    /// In which mode, and who signed what is in force: `permissions` is shown as a standing UNSIGNED mark.
    pub trust: TrustDoc,
    /// Who signed what is in force, in mode `signed`.
    #[serde(default)]
    pub signed: Option<SignedDoc>,
    /// The executor's lock: who holds it, pid, since when.
    pub lock: Option<SafeText>,
    /// The machine's zone: its name and the offset from UTC now, in seconds east.
    pub zone: SafeText,
    /// Seconds east of UTC.
    pub utc_offset_s: i32,
    /// Whether the caller may operate; with the reason if not.
    pub may_operate: bool,
    /// The group whose members may.
    #[serde(default)]
    pub operators: SafeText,
    /// For who may not: the command by which root makes the caller a member.
    #[serde(default)]
    pub join: Option<SafeText>,
    /// The version that answers.
    pub version: SafeText,
    /// What keeps everything from starting by itself, the first thing first; empty: what is due starts.
    #[serde(default)]
    pub standstill: Vec<StandstillDoc>,
    /// How often the share is looked at.
    #[serde(default)]
    pub polling_interval_s: u64,
    /// Who says so.
    #[serde(default = "by_default")]
    pub polling_by: PollingBy,
    /// What of results and report has not reached the share.
    #[serde(default)]
    pub undelivered: Option<Undelivered>,
    /// What the history has of old attempts without their details; None: it has the details of all attempts.
    #[serde(default)]
    pub folded: Option<FoldedDoc>,
    /// What this machine's own files take, as the service last saw it, once an hour and after each run; None: it has not
    /// looked yet, could not see all, or none runs.
    #[serde(default)]
    pub space: Option<Space>,
}

/// Attempts whose details were folded (`[retention] details`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoldedDoc {
    /// How many.
    pub attempts: u64,
    /// When the newest of them ended.
    pub until: Wall,
}

/// How many bytes this machine's own files take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Space {
    /// The state folder, with stage and outbox and without the logs in it.
    pub state: u64,
    /// The history, which is in the state folder, with what was put aside of it.
    #[serde(default)]
    pub history: u64,
    /// Files of packages.
    pub stage: u64,
    /// Working files of runs: they go once their result is on the share.
    #[serde(default)]
    pub runs: u64,
    /// What packages wrote.
    pub transcripts: u64,
    /// Results that are still to be delivered.
    pub outbox: u64,
    /// The log folder without the transcripts in it.
    pub logs: u64,
}

/// One thing that keeps everything from starting by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandstillDoc {
    /// Why.
    pub code: Code,
    /// Until when, where time alone ends it.
    pub until: Option<Wall>,
    /// In words, with what ends it.
    pub why: SafeText,
}

/// What could not be delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undelivered {
    /// Since when, without a delivery of everything in between.
    pub since: Wall,
    /// Why not, at the newest try.
    pub cause: SafeText,
    /// The place answers and does not take it, which no time mends.
    #[serde(default)]
    pub refused: bool,
}

/// States in the order of their words, as in every document before.
fn by_word<S: serde::Serializer>(counts: &BTreeMap<State, u32>, to: S) -> Result<S::Ok, S::Error> {
    to.collect_map(counts.iter().map(|(state, n)| (state.as_str(), n)).collect::<BTreeMap<_, _>>())
}

fn by_default() -> PollingBy {
    PollingBy::Default
}

/// `who`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WhoDoc {
    /// `logind`, `utmp`, `wts` or `unknown`.
    pub source: String,
    /// Log-ons.
    pub sessions: Vec<SessionDoc>,
    /// Network connections: never log-ons.
    pub connections: Vec<SessionDoc>,
    /// Why it is unknown.
    #[serde(default)]
    pub note: Option<SafeText>,
}

/// One session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionDoc {
    /// Account.
    pub user: SafeText,
    /// Terminal or display.
    pub terminal: SafeText,
    /// Host it came from; `console` when local.
    pub from: SafeText,
    /// Log-on time.
    pub since: Option<Wall>,
    /// Seconds without input.
    pub idle_s: Option<u64>,
    /// Screen locked.
    pub locked: Option<bool>,
    /// How the user reaches this machine.
    pub kind: SessionKind,
    /// Requests that wait for this session to end.
    #[serde(default)]
    pub holds: Vec<RequestId>,
    /// Does not count, by `[users] ignore`.
    #[serde(default)]
    pub ignored: bool,
}

/// `history`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HistoryDoc {
    /// Newest first.
    pub attempts: Vec<AttemptDoc>,
    /// There are more: where the next page begins; absent where there are none. The client asks for all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub older: Option<u64>,
}

/// `simulate`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SimulateDoc {
    /// Where the virtual clock started.
    pub from: Wall,
    /// How far it went.
    pub until: Wall,
    /// As far as was asked.
    pub complete: bool,
    /// Whose instruction file.
    pub machine: Option<MachineId>,
    /// Of the instruction file.
    pub serial: Option<u64>,
    /// Everything that is taken for granted, in words.
    pub assumed: Vec<SafeText>,
    /// In the order of the instruction file, then what only history knows.
    pub requests: Vec<SimulatedDoc>,
}

/// What becomes of one request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SimulatedDoc {
    /// None where a rejected record has no valid one.
    pub request_id: Option<RequestId>,
    /// The package's name.
    pub package: SafeText,
    /// When it starts by itself, at the earliest; None: not in this time.
    pub at: Option<Wall>,
    /// The same at the latest, perhaps after this time. None with a time: perhaps not at all.
    #[serde(default)]
    pub latest: Option<Wall>,
    /// It never will by itself.
    pub never: bool,
    /// What opens the way, or why it does not run.
    pub why: SafeText,
    /// Every change of state, and of the first code in the way.
    pub changes: Vec<StepDoc>,
}

/// From here on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepDoc {
    /// When.
    pub at: Wall,
    /// The state.
    pub state: State,
    /// The first gate's code that does not pass.
    pub code: Option<Code>,
}

impl SimulatedDoc {
    /// At its end it waits for an operator: nothing else ever runs it.
    pub fn is_by_hand(&self) -> bool {
        let code = self.changes.last().filter(|step| step.state == State::Offered).and_then(|step| step.code);
        code.is_some_and(Code::is_by_hand)
    }
}

/// `check`, `site lint`, `package lint`: one row an item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckDoc {
    /// No item is `block`. What is `unknown` is shown and fails nothing.
    pub ok: bool,
    /// In the order in which they are shown.
    pub items: Vec<CheckItem>,
}

impl CheckDoc {
    /// From its rows.
    pub fn of(items: Vec<CheckItem>) -> CheckDoc {
        CheckDoc { ok: items.iter().all(|i| i.verdict != Verdict::Block), items }
    }
}

/// One thing that was checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckItem {
    /// A stable kebab-case word.
    pub item: SafeText,
    /// `unknown` where it could not be seen; the evidence says why.
    pub verdict: Verdict,
    /// In words.
    pub evidence: SafeText,
    /// What to do about it; None on pass.
    pub remedy: Option<SafeText>,
}
