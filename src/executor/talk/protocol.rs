//! The calls that cross the socket, and the same calls in-process: views, and changes. Only verbs and ids cross it, never
//! a path, a command or an environment (PROMISES.md 5).

use super::view::*;
use crate::clock::{Monotonic, Wall};
use crate::decision::simulate::Assumptions;
use crate::decision::{Replace, RestartVerb, Verb};
use crate::error::{Exit, Failure};
use crate::site::ids::{JobId, MachineId, RequestId};
use crate::text::SafeText;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The longest reason, in characters.
pub const MAX_REASON: usize = 400;

/// What this program calls its own protocol by.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What is asked of the executor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Call {
    /// Changes nothing; anybody may ask.
    View(View),
    /// Needs the right to operate, and is audited.
    Change(Change),
}

impl Call {
    /// The one request that it is about.
    pub fn request(&self) -> Option<RequestId> {
        match self {
            Call::View(view) => view.request(),
            Call::Change(change) => change.what.request(),
        }
    }
}

/// What is to be simulated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Only this one; the others run all the same.
    pub request: Option<RequestId>,
    /// Where the virtual clock starts.
    pub from: Wall,
    /// Not included.
    pub until: Wall,
    /// What is taken for granted.
    pub assume: Assumptions,
}

/// A question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum View {
    /// Everything known of every request.
    List,
    /// One request with its gates, attempts and deferrals.
    Show(RequestId),
    /// One request's gates and what may be done.
    Explain(RequestId),
    /// The same of a job, also of one that is for others.
    ExplainJob(JobId),
    /// The machine at a glance.
    Status,
    /// Who is logged on.
    Who,
    /// A page of attempts, newest first; of one request, or all. With a number, the page that `older` names.
    History(Option<RequestId>, Option<u64>),
    /// A page of who did what, when: the newest, or the one that `older` names.
    Audit(Option<u64>),
    /// Checks the chain.
    AuditVerify,
    /// The publications that were taken last.
    Serials,
    /// What is offered to users, for who is logged on.
    Offers,
    /// What will become of the requests; answered beside the service's loop.
    Simulate(Wanted),
}

impl View {
    /// The one request that it is about.
    fn request(&self) -> Option<RequestId> {
        match self {
            View::Show(request) | View::Explain(request) => Some(*request),
            View::Simulate(wanted) => wanted.request,
            View::List
            | View::ExplainJob(_)
            | View::Status
            | View::Who
            | View::History(..)
            | View::Audit(_)
            | View::AuditVerify
            | View::Offers
            | View::Serials => None,
        }
    }
}

/// An operator's wish.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// What is to be done.
    pub what: Action,
    /// Why, at most [`MAX_REASON`] characters; for a notice, what everybody is told.
    pub reason: Option<SafeText>,
    /// Only say what would be done.
    pub dry_run: bool,
    /// What it can be asked for again by: a change with the id of one that was carried out is answered with what came of
    /// that, and not carried out. The client gives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<CallId>,
}

impl Change {
    /// Whether its reason can be recorded. An installation has none: nobody would read it, and it is no operator's.
    ///
    /// # Errors
    /// It is too long, or there is none to be.
    pub fn check_reason(&self) -> Result<(), Failure> {
        let Some(reason) = &self.reason else { return Ok(()) };
        if self.what.for_users().is_some() {
            let what = "an installation is asked for without a reason";
            return Err(Failure::new(Exit::Usage, "usage", what, "Leave the reason out"));
        }
        if reason.as_str().chars().count() > MAX_REASON {
            return Err(Failure::new(
                Exit::Usage,
                "reason-too-long",
                format!("the reason is longer than {MAX_REASON} characters"),
                "Say it shorter",
            ));
        }
        Ok(())
    }
}

/// A change's own name: 32 hexadecimal digits, made at random for each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct CallId(String);

impl CallId {
    /// For the database.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for CallId {
    type Error = &'static str;

    fn try_from(text: String) -> std::result::Result<Self, Self::Error> {
        let is_id = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
        if is_id { Ok(CallId(text)) } else { Err("the id of a call is 32 hexadecimal digits") }
    }
}

/// What can be done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Action {
    /// Something about one request.
    Request(RequestId, Verb),
    /// Run what is offered to users, as whoever is logged on may ask for it.
    Install(RequestId),
    /// No automatic runs before a time.
    Hold {
        /// Which.
        until: Wall,
        /// In the place of a hold that is in force.
        replace: Replace,
    },
    /// Automatic runs again.
    Unhold,
    /// What to do about a pending restart.
    Restart(RestartVerb),
    /// Tell everybody who is logged on, on their terminals.
    Notice,
    /// The operator has seen how this request, or every request, expired or failed.
    Seen(Option<RequestId>),
    /// Look at the share now.
    Poll,
    /// Let the instruction file with this serial, which a share offers, replace a newer one.
    AcceptSerial(u64),
    /// Go on although another machine has this id; `done`: what is listed counts as done.
    KeepId {
        /// What `--adopt` says.
        done: bool,
    },
}

impl Action {
    /// The verb as it stands in the audit.
    pub fn verb(&self) -> &'static str {
        match self {
            Action::Request(_, verb) => verb.kind().as_str(),
            Action::Install(_) => "install",
            Action::Hold { .. } => "hold",
            Action::Unhold => "unhold",
            Action::Restart(RestartVerb::Now) => "restart now",
            Action::Restart(RestartVerb::Defer(_)) => "restart defer",
            Action::Restart(RestartVerb::Cancel) => "restart cancel",
            Action::Notice => "notice",
            Action::Seen(_) => "seen",
            Action::Poll => "poll",
            Action::AcceptSerial(_) => "accept-serial",
            Action::KeepId { .. } => "keep-id",
        }
    }

    /// The one request that it is about.
    pub fn request(&self) -> Option<RequestId> {
        match self {
            Action::Request(request, _) | Action::Install(request) => Some(*request),
            Action::Seen(request) => *request,
            Action::Hold { .. }
            | Action::Unhold
            | Action::Restart(_)
            | Action::Notice
            | Action::Poll
            | Action::AcceptSerial(_)
            | Action::KeepId { .. } => None,
        }
    }

    /// What is offered to users, where this is about that: all that an account which may not operate can ask for. Whatever is
    /// added here is for operators.
    pub fn for_users(&self) -> Option<RequestId> {
        match self {
            Action::Install(request) => Some(*request),
            Action::Request(..)
            | Action::Hold { .. }
            | Action::Unhold
            | Action::Restart(_)
            | Action::Notice
            | Action::Seen(_)
            | Action::Poll
            | Action::AcceptSerial(_)
            | Action::KeepId { .. } => None,
        }
    }

    /// The run that it asks for, of which request.
    pub fn launches(&self) -> Option<(RequestId, Verb)> {
        match self {
            Action::Request(request, verb @ (Verb::Run { .. } | Verb::Rerun { .. })) => {
                Some((*request, verb.clone()))
            }
            Action::Install(request) => Some((*request, Verb::plain_run())),
            Action::Request(_, Verb::Defer { .. } | Verb::Undefer | Verb::Stop)
            | Action::Hold { .. }
            | Action::Unhold
            | Action::Restart(_)
            | Action::Notice
            | Action::Seen(_)
            | Action::Poll
            | Action::AcceptSerial(_)
            | Action::KeepId { .. } => None,
        }
    }
}

/// What crosses the socket: a call, the version of the pcm that asks, the machine that is meant, and until when the caller
/// waits for the answer.
#[derive(Debug, Serialize, Deserialize)]
pub struct Letter {
    pcm: String,
    /// None: whichever this is; the caller has no configuration that it could read.
    #[serde(default)]
    machine: Option<MachineId>,
    /// In milliseconds of the machine's own time since it started, which all its processes share; None: for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until_ms: Option<u64>,
    call: serde_json::Value,
}

impl Letter {
    /// With a call in it.
    ///
    /// # Errors
    /// It cannot be told as JSON.
    pub fn of(call: &Call, machine: Option<MachineId>) -> serde_json::Result<Letter> {
        Ok(Letter { pcm: VERSION.to_owned(), machine, until_ms: None, call: serde_json::to_value(call)? })
    }

    /// The machine that is meant.
    pub fn machine(&self) -> Option<MachineId> {
        self.machine
    }

    /// The same, which nobody waits for any more after `until`.
    #[must_use]
    pub fn waits(self, until: Monotonic) -> Letter {
        Letter { until_ms: u64::try_from(until.0.as_millis()).ok(), ..self }
    }

    /// Until when its sender waits; None: for ever.
    pub fn until(&self) -> Option<Monotonic> {
        self.until_ms.map(|ms| Monotonic(Duration::from_millis(ms)))
    }

    /// What is asked.
    ///
    /// # Errors
    /// The refusal of a call that another version knows and this one does not.
    pub fn open(self) -> Result<Call, Failure> {
        serde_json::from_value(self.call).map_err(|e| bad_call(&format!("pcm {} sent", self.pcm), &e))
    }
}

/// The code of the refusal of what is meant for another machine.
pub const OTHER_MACHINE: &str = "other-machine";

/// The service's refusal of a call that is meant for another machine.
pub fn other_machine(meant: MachineId, own: Option<MachineId>) -> Failure {
    let own = own.map_or_else(|| "a machine without an id".to_owned(), |own| own.to_string());
    Failure::new(
        Exit::Refused,
        OTHER_MACHINE,
        format!("the service that answers is that of {own}, not of {meant}"),
        "Correct --machine, or --config and --state; another machine in the configuration counts when the service starts \
         again, and a console has to be started again after that; nothing was done",
    )
}

/// The refusal of what is no call of this version.
pub fn bad_call(who_sent: &str, why: &dyn std::fmt::Display) -> Failure {
    Failure::new(
        Exit::Usage,
        "bad-call",
        format!("{who_sent} a call that this service, pcm {VERSION}, does not understand: {why}"),
        "Use a pcm of the same version; a service that was updated has to be started again",
    )
}

/// The refusal of what cannot be answered now because too much is asked at once.
pub fn busy(why: &str) -> Failure {
    Failure::new(Exit::Failed, "service-busy", format!("the service runs and is busy: {why}"), "Try again")
}

/// The refusal of a change that comes to its turn when nobody waits for it any more.
pub fn too_late(verb: &str) -> Failure {
    Failure::new(
        Exit::Failed,
        "too-late",
        format!("{verb} was not carried out: its turn came when nobody waited for the answer any more"),
        "Look at the state of things with: pcm list; then ask again",
    )
}

/// What became of a change cannot be told.
pub fn outcome_unknown(verb: &str, why: &dyn std::fmt::Display) -> Failure {
    Failure::new(
        Exit::ConnectionLost,
        "outcome-unknown",
        format!("it is not known whether {verb} was carried out: {why}"),
        "See what is in force with: pcm list, and what was done with: pcm audit",
    )
}

/// The failure of whoever asked for one thing and was given another.
pub fn unexpected_answer() -> Failure {
    Failure::new(
        Exit::Failed,
        "unexpected-answer",
        "the executor gave another answer than was asked for",
        "Start the service again: it may be of another version than this pcm",
    )
}

/// What crosses the socket back.
pub type Reply = Result<Answer, Failure>;

/// What the executor answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", content = "doc", rename_all = "kebab-case")]
pub enum Answer {
    /// To `List`.
    List(ListDoc),
    /// To `Show`.
    Show(Box<ShowDoc>),
    /// To `Explain`.
    Explain(ExplainDoc),
    /// To `Status`.
    Status(StatusDoc),
    /// To `Who`.
    Who(WhoDoc),
    /// To `History`.
    History(HistoryDoc),
    /// To `Audit`.
    Audit(AuditDoc),
    /// To `AuditVerify`.
    Verify(VerifyDoc),
    /// To `Serials`.
    Serials(SerialsDoc),
    /// To `Offers`.
    Offers(OffersDoc),
    /// To `Simulate`.
    Simulate(SimulateDoc),
    /// Of the checklist, which never crosses the socket: whoever asks looks for itself, service or not.
    Check(CheckDoc),
    /// To `Run`, `Rerun` and `Install`.
    Run(RunResultDoc),
    /// To `Defer`, `Undefer`, `Stop`.
    Changed(ChangedDoc),
    /// To `Hold`, `Unhold`.
    Hold(HoldDoc),
    /// To `Restart`.
    Restart(RestartDoc),
    /// To `Notice`.
    Told(ToldDoc),
    /// To `Seen`.
    Seen(SeenDoc),
    /// To `Poll`.
    Poll(PollDoc),
    /// To `KeepId`: how many requests count as done.
    Adopted(usize),
    /// To anything with `dry_run`.
    DryRun(DryRunDoc),
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_call_arrives_as_it_was_sent() {
        let request: RequestId = "BP0000Y".parse().unwrap();
        let what = Action::Request(request, Verb::Defer { until: Wall::default() });
        let calls = [
            Call::View(View::Show(request)),
            Call::Change(Change { what, reason: Some("release".into()), dry_run: true, id: None }),
            Call::Change(Change {
                what: Action::Restart(RestartVerb::Now),
                reason: None,
                dry_run: false,
                id: None,
            }),
        ];
        for call in calls {
            let bytes = serde_json::to_vec(&Letter::of(&call, None).unwrap()).unwrap();
            let letter: Letter = serde_json::from_slice(&bytes).unwrap();
            assert_eq!(letter.open().unwrap(), call);
        }
    }

    #[test]
    fn the_refusal_of_a_call_of_another_version_names_both_versions() {
        let letter = Letter {
            pcm: "9.9.9".into(),
            machine: None,
            until_ms: None,
            call: serde_json::json!({"change": "everything"}),
        };
        let refusal = letter.open().unwrap_err();
        assert_eq!(refusal.code, "bad-call");
        assert!(refusal.message.as_str().contains("pcm 9.9.9"), "{refusal}");
        assert!(refusal.message.as_str().contains(&format!("pcm {VERSION}")), "{refusal}");
    }

    #[test]
    fn every_change_has_a_verb_of_its_own_in_the_audit() {
        let request: RequestId = "BP0000Y".parse().unwrap();
        let verbs = [
            Verb::Run { overrides: Vec::new(), no_queue: false },
            Verb::Rerun { overrides: Vec::new(), no_queue: false },
            Verb::Defer { until: Wall::default() },
            Verb::Undefer,
            Verb::Stop,
        ];
        let mut words: Vec<&str> = verbs.into_iter().map(|v| Action::Request(request, v).verb()).collect();
        let restarts = [RestartVerb::Now, RestartVerb::Defer(Wall::default()), RestartVerb::Cancel];
        words.extend(restarts.map(|verb| Action::Restart(verb).verb()));
        let others = [
            Action::Hold { until: Wall::default(), replace: Replace::Any },
            Action::Unhold,
            Action::Notice,
            Action::Seen(None),
            Action::Poll,
            Action::AcceptSerial(1),
            Action::KeepId { done: true },
        ];
        words.extend(others.iter().map(Action::verb));
        assert!(others.iter().all(|other| other.for_users().is_none()), "they are for operators");
        let install = Action::Install(request);
        assert_eq!(install.for_users(), Some(request));
        assert_eq!(Action::Request(request, install.launches().unwrap().1).for_users(), None, "nor is a run");
        words.push(install.verb());
        let all = words.len();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), all, "{words:?}");
    }
}
