//! What the decision core takes and gives: its inputs, states, gates and codes, in the words of DESIGN.md 2 to 4.

use super::attempt::is_uninstall;
pub use super::attempt::{Attempt, RestartRule, SERVICE};
pub use super::attempts::Attempts;
pub use super::facts::*;
pub use super::queue::{LONGEST_WAIT, QueuePlace, Queued};
use crate::clock::{Wall, Zone};
use crate::config::Config;
use crate::site::ids::{JobId, PackageId, RequestId};
use crate::site::index::job::OfferTo;
use crate::site::indexed::InForce;
use crate::site::installed::Need;
use crate::site::instruction::InstructionFile;
use crate::site::share::SourceFault;
use crate::site::signed::published::SignedBy;
use crate::site::site_file::Freeze;
use crate::site::trust::TrustVerdict;
use crate::terms::{Code, Gate, Group, RefusalCode, State, VerbKind, Verdict};
use crate::text::SafeText;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// When a gate can next change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// At this instant, by time alone.
    At(Wall),
    /// By something that happens: a user leaves, a share comes back.
    Event,
    /// Not any more.
    Never,
}

/// One gate of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateResult {
    /// Which.
    pub gate: Gate,
    /// Whether it passes.
    pub verdict: Verdict,
    /// Why not; `None` on pass.
    pub code: Option<Code>,
    /// In words, with file and line, clock or user. Empty where many requests were decided at once.
    pub evidence: SafeText,
    /// When it can next change.
    pub change: Change,
}

/// What the core says of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// None where a rejected record has no valid one.
    pub request_id: Option<RequestId>,
    /// Where valid.
    pub job_id: Option<JobId>,
    /// Where valid.
    pub package_id: Option<PackageId>,
    /// The package's name.
    pub package: SafeText,
    /// The command's name.
    pub command: SafeText,
    /// By the precedence of DESIGN.md 3.
    pub state: State,
    /// Every gate, in order. Empty for a request that is only in history.
    pub gates: Vec<GateResult>,
    /// The next automatic run if nothing but time changes: as if it were alone on the machine, until
    /// [`foretell`](super::foretell) has looked at what else runs.
    pub next_run: Option<Wall>,
    /// When that is at the latest. None: it was not foretold, or cannot be.
    pub latest: Option<Wall>,
    /// It will never run by itself, whatever happens (another platform, done, expired, optional …).
    pub never: bool,
    /// Why it has not run, or what it is doing, in a few words for a list's column.
    pub why: SafeText,
    /// Offer time as an instant.
    pub offer_after: Option<Wall>,
    /// Mandatory time as an instant.
    pub mandatory_after: Option<Wall>,
    /// From when on this machine runs it by itself: its mandatory time, or later by `[run] spread`.
    pub starts: Option<Wall>,
    /// Expire time as an instant.
    pub expire_after: Option<Wall>,
    /// The highest attempt so far; 0: none.
    pub attempt: u32,
    /// While a deferral is in force.
    pub deferred_until: Option<Wall>,
    /// While an operator's run of it is in the queue.
    pub queued: Option<QueuePlace>,
    /// Index into `instructions.file.requests`; None when only in history.
    pub entry: Option<usize>,
}

impl Decision {
    /// The codes of all gates that do not pass, in order, each once.
    pub fn blocked_by(&self) -> Vec<Code> {
        let mut codes: Vec<Code> = Vec::new();
        for code in self.gates.iter().filter_map(|g| g.code) {
            if !codes.contains(&code) {
                codes.push(code);
            }
        }
        codes
    }

    /// Its state as history records it and counts the time in it: what waits for its turn only is due. It changes for
    /// nothing of that request when another package starts or ends, and that is in the history anyway.
    pub fn recorded_state(&self) -> State {
        let mut closed = self.gates.iter().filter(|g| g.verdict != Verdict::Pass);
        match self.state {
            State::Waiting if closed.all(|g| g.gate == Gate::Executor) => State::Due,
            state => state,
        }
    }

    /// Whether it is a request of this machine at all: a job that is for others is none, unless it has run here.
    pub fn is_listed(&self) -> bool {
        let for_others = |g: &GateResult| g.verdict == Verdict::Block && g.code == Some(Code::NotTargeted);
        self.state.group() == Group::Executed
            || self.state.group() == Group::Running
            || !self.gates.iter().any(for_others)
    }

    /// Another package runs.
    pub fn is_busy(&self) -> bool {
        self.gates.iter().any(|g| g.code == Some(Code::Busy))
    }
}

/// When a request starts by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextRun {
    /// Not before.
    pub at: Wall,
    /// Not after; None: perhaps not at all, or too much can come before it for a time to be named.
    pub latest: Option<Wall>,
}

/// Everything a decision depends on. The time is a value like any other.
pub struct Inputs<'a> {
    /// What is published for this machine.
    pub instructions: &'a Instructions,
    /// What was attempted, deferred and held here.
    pub history: &'a HistoryView,
    /// What the machine is like now.
    pub facts: &'a Facts,
    /// What the configuration allows.
    pub policy: &'a Policy,
    /// The machine's own zone.
    pub zone: &'a Zone,
    /// Now.
    pub now: Wall,
}

/// The instruction file in force and how it came here.
#[derive(Debug, Clone, Default)]
pub struct Instructions {
    /// The last valid one, from the share or held in the state folder.
    pub file: Option<InstructionFile>,
    /// When any share last answered with a valid file (or with "no file for you").
    pub share_seen: Option<Wall>,
    /// Why the newest look at the share gave nothing valid; None: it did.
    pub fault: Option<SourceFault>,
    /// How the trust check of the held file ended.
    pub trust: TrustVerdict,
    /// Which share it came from, as configured.
    pub source: Option<SafeText>,
    /// Who signed it and its packages; None: in mode `permissions` nobody.
    pub signed: Option<SignedBy>,
    /// Freezes of the site file.
    pub site_freezes: Vec<Freeze>,
    /// What an index says beside its requests; None: an instruction file is in force.
    pub index: Option<InForce>,
}

impl Instructions {
    /// When a request has something to do, by what its package says; None: always.
    pub fn need_of(&self, id: &RequestId) -> Option<&Need> {
        let vouched = || self.signed.as_ref()?.packages.get(id)?.as_ref().ok();
        match self.index.as_ref().and_then(|index| index.deliveries.get(id)) {
            Some(delivery) => delivery.need.as_ref(),
            None => vouched().and_then(|vouched| vouched.need.as_ref()),
        }
    }

    /// Whether whoever is logged on may have this request run. What is not believed, not for this machine or not offered yet is
    /// offered to nobody.
    pub fn offers(&self, decision: &Decision) -> bool {
        let delivery = || self.index.as_ref()?.deliveries.get(&decision.request_id?);
        let first = [Gate::Record, Gate::Target, Gate::Trust, Gate::Offer];
        decision.entry.is_some()
            && delivery().is_some_and(|delivery| {
                delivery.offer_to == Some(OfferTo::Users) && Some(delivery.job_id) == decision.job_id
            })
            && decision.gates.iter().all(|g| g.verdict == Verdict::Pass || !first.contains(&g.gate))
    }

    /// Whether a request with this command removes its package: as that says, or by the name of the command.
    pub fn removes(&self, id: &RequestId, command: &SafeText) -> bool {
        let delivery = self.index.as_ref().and_then(|index| index.deliveries.get(id));
        delivery.is_some_and(|delivery| delivery.removes)
            || self.need_of(id).is_some_and(|need| need.removes)
            || is_uninstall(command)
    }
}

/// What history says, as far as decisions need it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HistoryView {
    /// Set while history is `history-lost`: the evidence, and what ends it.
    pub lost: Option<SafeText>,
    /// Set while history cannot be read: why.
    pub unreadable: Option<SafeText>,
    /// Set while another machine has this one's id: what shows it.
    pub two_machines: Option<SafeText>,
    /// All attempts by request, in order of their numbers. Never an empty list.
    pub attempts: Attempts,
    /// What an operator adopted as done without an attempt (`pcm init --adopt=done`).
    pub adopted: BTreeMap<RequestId, Wall>,
    /// Deferrals in force or spent, by request.
    pub deferrals: BTreeMap<RequestId, Deferrals>,
    /// The hold in force.
    pub hold: Option<Hold>,
    /// What an operator last said about a restart.
    pub restart: Option<RestartOrder>,
    /// The operators' runs that wait for the executor, in the order in which they were asked for.
    pub queue: Vec<Queued>,
    /// The jobs that an index in force has ever called cancelled: that is final.
    pub cancelled: BTreeSet<JobId>,
}

/// What an operator wants to become of a pending restart, in this boot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestartOrder {
    /// Not before; None: not by pcm.
    pub until: Option<Wall>,
    /// Who said so.
    pub by: SafeText,
    /// Why.
    pub reason: SafeText,
    /// When.
    pub at: Wall,
    /// In which boot.
    pub boot_id: String,
}

/// The deferrals of one request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deferrals {
    /// The one in force; kept when its time has passed, removed by `undefer`.
    pub until: Option<Wall>,
    /// Who set it.
    pub by: SafeText,
    /// Why.
    pub reason: SafeText,
    /// How often this request was deferred, without those that were undone.
    pub count: u32,
    /// For how long in all, in seconds: the one in force to its end, an ended one while it was in force.
    pub total_s: u64,
}

/// No automatic runs on this machine until then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Not included.
    pub until: Wall,
    /// Who set it.
    pub by: SafeText,
    /// Why.
    pub reason: SafeText,
    /// When.
    pub at: Wall,
}

impl Hold {
    /// What it is told by from one that comes after it.
    pub fn id(&self) -> SafeText {
        SafeText::new(&format!("{:x}", self.at.timestamp_millis()))
    }
}

/// What the configuration allows, or why it cannot be read.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The configuration; the last readable one or the defaults, if `unreadable`.
    pub config: Config,
    /// Set: the policy gate closes, with this evidence.
    pub unreadable: Option<SafeText>,
    /// The zone of `[windows] zone`; the machine's own for `local`; the error closes the window gate.
    pub window_zone: Result<Zone, SafeText>,
    /// What the site lays down for groups of this machine. Countdown, spread and polling interval are in the configuration
    /// above already.
    pub groups: Vec<GroupPolicy>,
}

/// The policy of a group of this machine (SITE.md 2). It can only close.
#[derive(Debug, Clone)]
pub struct GroupPolicy {
    /// Whose; `all` is every machine's.
    pub group: String,
    /// Set: it cannot be read, and the policy gate closes, with this evidence.
    pub unreadable: Option<SafeText>,
    /// Periods without automatic runs.
    pub freezes: Vec<Freeze>,
    /// Automatic runs start within these, too.
    pub windows: Option<GroupWindows>,
}

/// The maintenance windows of a group.
#[derive(Debug, Clone)]
pub struct GroupWindows {
    /// As in `[windows] weekly`.
    pub weekly: Vec<String>,
    /// In which zone; the error closes the window gate.
    pub zone: Result<Zone, SafeText>,
}

/// An operator's wish about one request, to be judged by the core.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Verb {
    /// First attempt now; the named gates are overridden, which needs a reason.
    Run {
        /// Those that can be: see [`Gate::overridable`].
        overrides: Vec<Gate>,
        /// Now or not at all: it does not wait in the queue while another package runs.
        #[serde(default)]
        no_queue: bool,
    },
    /// Another attempt. Needs a reason.
    Rerun {
        /// As for `Run`.
        overrides: Vec<Gate>,
        /// As for `Run`.
        #[serde(default)]
        no_queue: bool,
    },
    /// Postpone. Needs a reason.
    Defer {
        /// Until when.
        until: Wall,
    },
    /// End the deferral.
    Undefer,
    /// End the run, or take it out of the queue. Needs a reason.
    Stop,
}

impl From<&Queued> for Verb {
    fn from(queued: &Queued) -> Verb {
        let overrides = queued.overrides.clone();
        match queued.rerun {
            true => Verb::Rerun { overrides, no_queue: false },
            false => Verb::Run { overrides, no_queue: false },
        }
    }
}

impl Verb {
    /// The first attempt, past no gate by name; it may wait in the queue.
    pub const fn plain_run() -> Verb {
        Verb::Run { overrides: Vec::new(), no_queue: false }
    }

    /// Which it is.
    pub fn kind(&self) -> VerbKind {
        match self {
            Verb::Run { .. } => VerbKind::Run,
            Verb::Rerun { .. } => VerbKind::Rerun,
            Verb::Defer { .. } => VerbKind::Defer,
            Verb::Undefer => VerbKind::Undefer,
            Verb::Stop => VerbKind::Stop,
        }
    }
}

/// Why the core refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// A gate's code, or one of its own.
    pub code: RefusalCode,
    /// In words.
    pub why: SafeText,
    /// What would help, as a sentence.
    pub remedy: SafeText,
}
