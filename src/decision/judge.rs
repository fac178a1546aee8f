//! What an operator may do (DESIGN.md 4, PROMISES.md 5): every verb on a request is allowed or refused here, with a code
//! and a remedy. The console and the command line only show the answer. Whether the person may operate at all is the
//! executor's question.

use super::decide::one;
use super::gates::queue;
use super::model::{Attempt, Change, Decision, GateResult, Inputs, LONGEST_WAIT, Queued, Refusal, Verb};
use super::world::{Words, World};
use crate::clock::{Wall, between, earlier, later};
use crate::site::ids::RequestId;
use crate::terms::{Code, Gate, Group, RefusalCode, Refused, State, VerbKind, Verdict};
use crate::text::{SafeText, duration, stamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Whether an operator's wish may be carried out now; a run of which the decision says that another package runs
/// ([`Decision::is_busy`]) waits in the queue.
///
/// # Errors
/// The refusal. `reason-required` comes last: nothing else stands in the way then.
pub fn judge(
    inputs: &Inputs,
    request: RequestId,
    verb: &Verb,
    reason: Option<&SafeText>,
) -> Result<Decision, Refusal> {
    let world = World::new(inputs, Words::Evidence);
    let Some(decision) = one(&world, request) else {
        let why = format!("{request} is neither in the instruction file nor in this machine's history");
        return Err(refusal(
            Refused::NoSuchRequest,
            why,
            "pcm list --all shows every request of this machine",
        ));
    };
    let asked = Asked { inputs, id: request, decision: &decision };
    asked.check(verb, reason)?;
    Ok(decision)
}

/// The same of whoever is logged on and wants what is offered to users: as an operator's run that passes no gate by name. What
/// is not offered is not told from what is not there.
///
/// # Errors
/// The refusal; `no-such-request` where it is not offered.
pub fn judge_install(inputs: &Inputs, request: RequestId) -> Result<Decision, Refusal> {
    let judged = judge_offers(inputs, &[request]).into_iter().next();
    let (decision, judged) = judged.ok_or_else(|| {
        let why = format!("{request} is not offered to users of this machine");
        refusal(Refused::NoSuchRequest, why, "pcm offers shows what is")
    })?;
    judged.map(|()| decision)
}

/// Those of these requests that are offered to users, and whether each could be run now.
pub fn judge_offers(inputs: &Inputs, requests: &[RequestId]) -> Vec<(Decision, Result<(), Refusal>)> {
    let world = World::new(inputs, Words::Evidence);
    let plain = Verb::plain_run();
    let offered = requests.iter().filter_map(|id| {
        let decision = one(&world, *id).filter(|decision| inputs.instructions.offers(decision))?;
        let judged = Asked { inputs, id: *id, decision: &decision }.check(&plain, None);
        Some((decision, judged))
    });
    offered.collect()
}

/// What a new hold may take the place of: `false`, `true`, or the id of a hold in a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Named", into = "Named")]
pub enum Replace {
    /// Of no other.
    Nothing,
    /// Of whichever is in force.
    Any,
    /// Of the one that whoever asks has seen, by its id, and of no newer one.
    This(SafeText),
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Named {
    Any(bool),
    This(SafeText),
}

impl From<Named> for Replace {
    fn from(named: Named) -> Self {
        match named {
            Named::Any(false) => Replace::Nothing,
            Named::Any(true) => Replace::Any,
            Named::This(id) => Replace::This(id),
        }
    }
}

impl From<Replace> for Named {
    fn from(replace: Replace) -> Self {
        match replace {
            Replace::Nothing => Named::Any(false),
            Replace::Any => Named::Any(true),
            Replace::This(id) => Named::This(id),
        }
    }
}

/// What has to be taken out of the queue, and why: it was withdrawn, waited for too long, or what is in its way does not
/// go by itself.
pub fn leaving(inputs: &Inputs) -> Vec<(Queued, Refusal)> {
    let world = World::new(inputs, Words::Evidence);
    let left = |queued: &Queued| {
        let id = queued.request;
        if inputs.now >= queued.ends() {
            let why = format!("it has waited in the queue for {}", duration(LONGEST_WAIT));
            let help = format!("Ask again: pcm {} {id}", queued.kind());
            return Some(refusal(Refused::QueuedTooLong, why, help));
        }
        // Without any instruction file nothing is known of it.
        inputs.instructions.file.as_ref()?;
        let Some(decision) = one(&world, id).filter(|decision| decision.entry.is_some()) else {
            let why = format!("{id} is no longer in the instruction file");
            return Some(refusal(Refused::NoSuchRequest, why, SENT_AGAIN));
        };
        if queued.offered && !inputs.instructions.offers(&decision) {
            let why = format!("{id} is not offered to users any more");
            return Some(refusal(
                Refused::NoSuchRequest,
                why,
                format!("An operator may run it: pcm run {id}"),
            ));
        }
        let record = || decision.gates.iter().find(|gate| gate.gate == Gate::Record)?.code.map(Into::into);
        let code = decision.queued.map_or_else(record, |place| place.leaves)?;
        let gate = decision.gates.iter().find(|gate| gate.code.map(RefusalCode::from) == Some(code));
        let why = gate.map_or_else(|| code.to_string(), |gate| format!("{}: {}", gate.gate, gate.evidence));
        Some(refusal(code, why, format!("pcm explain {id} says what is in its way")))
    };
    let queue = inputs.history.queue.iter();
    queue.filter_map(|queued| Some((queued.clone(), left(queued)?))).collect()
}

/// Whether all automatic runs may be held until then. A hold in force is only replaced by name, whoever set it: accounts
/// such as root are shared.
///
/// # Errors
/// `hold-in-force`, `until-passed`, `reason-required`.
pub fn judge_hold(
    inputs: &Inputs,
    until: Wall,
    replace: &Replace,
    reason: Option<&SafeText>,
) -> Result<(), Refusal> {
    if let Some(hold) = inputs.history.hold.as_ref().filter(|hold| inputs.now < hold.until) {
        let (newer, may) = match replace {
            Replace::Nothing => ("", false),
            Replace::Any => ("", true),
            Replace::This(id) => ("meanwhile ", *id == hold.id()),
        };
        if !may {
            let end = stamp(hold.until, inputs.zone);
            return Err(refusal(
                Refused::HoldInForce,
                format!("{newer}{} holds all automatic runs until {end}: {:?}", hold.by, hold.reason),
                format!("Leave it as it is; if yours is to take its place, add --replace={}", hold.id()),
            ));
        }
    }
    in_future(inputs, until)?;
    needs_reason(reason, "a hold")
}

/// Whether an operator may do one thing with a request; in the documents of `show` and `explain` as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowed {
    /// Which.
    pub verb: VerbKind,
    /// Whether the core would carry it out as it stands, without overrides.
    pub ok: bool,
    /// The refusal's code.
    pub code: Option<RefusalCode>,
    /// In words.
    pub why: SafeText,
    /// The gates that would have to be named to pass; only where that would be enough.
    #[serde(default)]
    pub overrides: Vec<Gate>,
}

/// What an operator may do with a request now, verb by verb. Unknown requests allow nothing.
pub fn allowed(inputs: &Inputs, request: RequestId) -> Vec<Allowed> {
    let world = World::new(inputs, Words::Evidence);
    let Some(decision) = one(&world, request) else { return Vec::new() };
    let asked = Asked { inputs, id: request, decision: &decision };
    // The shortest deferral: if that is refused, all are.
    let until = later(inputs.now, Duration::from_secs(1));
    let verb = |kind: VerbKind, overrides: Vec<Gate>| match kind {
        VerbKind::Run => Verb::Run { overrides, no_queue: false },
        VerbKind::Rerun => Verb::Rerun { overrides, no_queue: false },
        VerbKind::Defer => Verb::Defer { until },
        VerbKind::Undefer => Verb::Undefer,
        VerbKind::Stop => Verb::Stop,
    };
    VerbKind::ALL.iter().map(|kind| asked.verb(|overrides| verb(*kind, overrides))).collect()
}

struct Asked<'a> {
    inputs: &'a Inputs<'a>,
    id: RequestId,
    decision: &'a Decision,
}

impl Asked<'_> {
    fn check(&self, verb: &Verb, reason: Option<&SafeText>) -> Result<(), Refusal> {
        match verb {
            Verb::Run { overrides, no_queue } => {
                self.run(overrides, *no_queue)?;
                if overrides.is_empty() { Ok(()) } else { needs_reason(reason, "an override") }
            }
            Verb::Rerun { overrides, no_queue } => {
                self.rerun(overrides, *no_queue)?;
                needs_reason(reason, "another attempt")
            }
            Verb::Defer { until } => {
                self.defer(*until)?;
                needs_reason(reason, "a deferral")
            }
            Verb::Undefer => self.undefer(),
            Verb::Stop => {
                self.stop()?;
                needs_reason(reason, "stopping a package")
            }
        }
    }

    /// The first attempt.
    fn run(&self, overrides: &[Gate], no_queue: bool) -> Result<(), Refusal> {
        self.published()?;
        all_overridable(overrides)?;
        let id = self.id;
        // Also while a retry is due by policy: what was launched once is never `run` again.
        let never_launched = self.newest().is_some_and(Attempt::never_launched);
        if self.decision.attempt > 0 && self.knows_history() && !never_launched {
            let code = self.code(Gate::History).filter(|c| *c == Code::Interrupted).unwrap_or(Code::Done);
            let (n, state) = (self.decision.attempt, self.decision.state);
            let why = format!("{id} was attempted before: attempt {n} is {state}");
            return Err(refusal(code, why, self.under_way().unwrap_or_else(|| remedy(code, id))));
        }
        self.gates(VerbKind::Run, overrides, no_queue)
    }

    /// A further attempt.
    fn rerun(&self, overrides: &[Gate], no_queue: bool) -> Result<(), Refusal> {
        self.published()?;
        all_overridable(overrides)?;
        let id = self.id;
        let adopted = self.inputs.history.adopted.contains_key(&id);
        if self.decision.attempt == 0 && !adopted && self.knows_history() {
            let why = format!("{id} was never attempted on this machine");
            return Err(refusal(Refused::NotAttempted, why, format!("pcm run {id} makes the first attempt")));
        }
        if let Some(help) = self.under_way() {
            let why = format!("attempt {} of {id} is {}", self.decision.attempt, self.decision.state);
            return Err(refusal(Code::Busy, why, help));
        }
        self.gates(VerbKind::Rerun, overrides, no_queue)
    }

    /// Every gate that neither the verb passes by itself nor the operator by name: first those that nobody can pass.
    /// For a package that runs it waits in the queue, which only a service works off.
    fn gates(&self, verb: VerbKind, overrides: &[Gate], no_queue: bool) -> Result<(), Refusal> {
        let queues = self.inputs.facts.service && !no_queue;
        let passed = |g: &GateResult| {
            g.code.is_some_and(|code| match code {
                Code::Busy => queues,
                code => queue::passes(verb, self.newest(), code),
            })
        };
        let closed: Vec<&GateResult> = self
            .decision
            .gates
            .iter()
            .filter(|g| g.verdict != Verdict::Pass && !passed(g) && !overrides.contains(&g.gate))
            .collect();
        if let Some(hard) = closed.iter().find(|g| !g.gate.row().overridable) {
            return Err(self.closed(hard));
        }
        let Some(first) = closed.first() else { return Ok(()) };
        let names: Vec<Gate> = closed.iter().map(|g| g.gate).collect();
        let mut refused = self.closed(first);
        let all: Vec<String> = closed.iter().map(|g| format!("{}: {}", g.gate, g.evidence)).collect();
        refused.why = all.join("; ").into();
        refused.remedy =
            format!("To run it all the same: --override {} --reason WHY", Gate::join(&names, ",")).into();
        Err(refused)
    }

    /// The refusal by a gate.
    fn closed(&self, gate: &GateResult) -> Refusal {
        let code = gate.code.unwrap_or(Code::PolicyUnreadable);
        let help = self.under_way().filter(|_| gate.gate == Gate::History);
        let help = help.unwrap_or_else(|| match code {
            Code::Busy if !self.inputs.facts.service => NO_QUEUE.to_owned(),
            code => remedy(code, self.id),
        });
        // Some evidence says by itself what helps.
        let found = gate.evidence.as_str();
        let bare = found.strip_suffix(help.as_str()).and_then(|found| found.strip_suffix(". "));
        refusal(code, format!("{}: {}", gate.gate, bare.unwrap_or(found)), help)
    }

    /// What helps while the request itself runs: no further attempt can be made then.
    fn under_way(&self) -> Option<String> {
        let running = matches!(self.decision.state, State::Running | State::Stopping);
        running.then(|| format!("Wait for its end, or pcm stop {} --reason WHY", self.id))
    }

    fn defer(&self, until: Wall) -> Result<(), Refusal> {
        self.published()?;
        let (id, zone) = (self.id, self.inputs.zone);
        let policy = &self.inputs.policy.config.deferral;
        // What never runs by itself, or has already done so, cannot be postponed.
        let ended = |g: &&GateResult| {
            g.verdict == Verdict::Block && (g.change == Change::Never || g.gate == Gate::History)
        };
        let final_gate = self.decision.gates.iter().filter(|g| g.code != Some(Code::RetryLater));
        let final_gate = final_gate.filter(|g| g.gate != Gate::Window).find(ended);
        if let Some(gate) = final_gate {
            return Err(self.closed(gate));
        }
        if self.decision.state.group() != Group::Pending && self.decision.state != State::Countdown {
            let closed = self.decision.gates.iter().find(|g| g.verdict == Verdict::Block);
            return Err(closed.map_or_else(|| self.not_pending(), |g| self.closed(g)));
        }
        in_future(self.inputs, until)?;
        let spent = self.inputs.history.deferrals.get(&id);
        let (count, total) = spent.map_or((0, 0), |d| (d.count, d.total_s));
        if count >= policy.max_count {
            let why = format!("{id} was deferred {count} times; the limit is {}", policy.max_count);
            let help =
                format!("Let it run, or pcm hold --until TIME --reason WHY for the whole machine; {LIMITS}");
            return Err(refusal(Refused::DeferralLimit, why, help));
        }
        // A new deferral ends the one in force, whose rest then no longer counts.
        let rest = self.decision.deferred_until.map_or(Duration::ZERO, |end| between(self.inputs.now, end));
        let adds = between(self.inputs.now, until);
        let all = Duration::from_secs(total).saturating_sub(rest).saturating_add(adds);
        if all > policy.max_total {
            let (all, limit) = (duration(all), duration(policy.max_total));
            let why = format!("{id} would be deferred for {all} in all; the limit is {limit}");
            return Err(refusal(Refused::DeferralLimit, why, format!("Choose an earlier time; {LIMITS}")));
        }
        if let Some(expires) = self.decision.expire_after {
            let last = earlier(expires, policy.never_within);
            if until > last {
                let left = duration(between(self.inputs.now, expires));
                let why = format!("{id} expires {}, in {left}", stamp(expires, zone));
                let help = if last > self.inputs.now {
                    format!("Defer it until {} at the latest; {LIMITS}", stamp(last, zone))
                } else {
                    format!("It cannot be deferred any more; {LIMITS}")
                };
                return Err(refusal(Refused::DeferralTooLate, why, help));
            }
        }
        Ok(())
    }

    fn not_pending(&self) -> Refusal {
        let why = format!("{} is {}", self.id, self.decision.state);
        refusal(Code::Done, why, remedy(Code::Done, self.id))
    }

    fn undefer(&self) -> Result<(), Refusal> {
        if self.decision.deferred_until.is_some() {
            return Ok(());
        }
        let why = format!("no deferral of {} is in force", self.id);
        Err(refusal(Refused::NotDeferred, why, format!("pcm explain {} says what else keeps it", self.id)))
    }

    /// Also during the countdown, and out of the queue: no attempt exists then, and none comes of it.
    fn stop(&self) -> Result<(), Refusal> {
        let in_queue = self.inputs.history.queue.iter().any(|queued| queued.request == self.id);
        if in_queue || matches!(self.decision.state, State::Running | State::Stopping | State::Countdown) {
            return Ok(());
        }
        let why = format!("{} is {}", self.id, self.decision.state);
        Err(refusal(Refused::NotRunning, why, "pcm list shows what is running"))
    }

    /// Only what is still published can be run or postponed.
    fn published(&self) -> Result<(), Refusal> {
        if self.decision.entry.is_some() {
            return Ok(());
        }
        let why = format!("{} is in this machine's history but no longer in the instruction file", self.id);
        Err(refusal(Refused::NoSuchRequest, why, SENT_AGAIN))
    }

    /// Whether what history says of attempts can be believed.
    fn knows_history(&self) -> bool {
        !matches!(self.code(Gate::History), Some(Code::HistoryLost | Code::StateUnreadable))
    }

    fn newest(&self) -> Option<&Attempt> {
        self.inputs.history.attempts.get(&self.id)?.last().map(AsRef::as_ref)
    }

    fn code(&self, gate: Gate) -> Option<Code> {
        self.decision.gates.iter().find(|g| g.gate == gate).and_then(|g| g.code)
    }

    fn verb(&self, verb: impl Fn(Vec<Gate>) -> Verb) -> Allowed {
        let plain = verb(Vec::new());
        let kind = plain.kind();
        let reason = SafeText::from("-");
        let Err(refused) = self.check(&plain, Some(&reason)) else {
            let why = SafeText::from(what(kind, self.decision));
            return Allowed { verb: kind, ok: true, code: None, why, overrides: Vec::new() };
        };
        let closed =
            |gate: &Gate| self.decision.gates.iter().any(|g| g.gate == *gate && g.verdict != Verdict::Pass);
        let named: Vec<Gate> = Gate::overridable().filter(closed).collect();
        let enough = !named.is_empty() && self.check(&verb(named.clone()), Some(&reason)).is_ok();
        Allowed {
            verb: kind,
            ok: false,
            code: Some(refused.code),
            why: format!("{}. {}", refused.why, refused.remedy).into(),
            overrides: if enough { named } else { Vec::new() },
        }
    }
}

const SENT_AGAIN: &str = "Ask the publisher to send the job again; its new request has a new id";
const NO_QUEUE: &str =
    "Wait for the package that runs, or stop it; without a service nothing waits in a queue: start one";
const LIMITS: &str = "the limits are [deferral] in pcm.toml";

/// What an allowed verb would do.
fn what(verb: VerbKind, decision: &Decision) -> String {
    let busy = decision.is_busy();
    match verb {
        VerbKind::Run | VerbKind::Rerun if decision.queued.is_some() => {
            "it is in the queue already".to_owned()
        }
        VerbKind::Run if busy => "waits in the queue until the package that runs has ended".to_owned(),
        VerbKind::Rerun if busy => {
            "waits in the queue until the package that runs has ended, with a reason".to_owned()
        }
        VerbKind::Run => format!("starts attempt {} now", decision.attempt + 1),
        VerbKind::Rerun => format!("starts attempt {} now, with a reason", decision.attempt + 1),
        VerbKind::Defer => "postpones it, with a reason".to_owned(),
        VerbKind::Undefer => "ends the deferral".to_owned(),
        VerbKind::Stop if decision.state == State::Countdown => {
            "ends the countdown: it is not started".to_owned()
        }
        VerbKind::Stop if decision.queued.is_some() => {
            "takes it out of the queue: it is not started".to_owned()
        }
        VerbKind::Stop => "ends the package and all its processes, with a reason".to_owned(),
    }
}

/// What helps against this code.
pub(super) fn remedy(code: Code, id: RequestId) -> String {
    code.row().remedy.replace("{id}", id.as_str())
}

fn refusal(code: impl Into<RefusalCode>, why: impl Into<SafeText>, remedy: impl Into<SafeText>) -> Refusal {
    Refusal { code: code.into(), why: why.into(), remedy: remedy.into() }
}

fn all_overridable(named: &[Gate]) -> Result<(), Refusal> {
    let Some(bad) = named.iter().find(|g| !g.row().overridable) else { return Ok(()) };
    let why = format!("the gate {bad} cannot be overridden by anybody");
    let names: Vec<Gate> = Gate::overridable().collect();
    Err(refusal(Refused::NotPermitted, why, format!("What can be named: {}", Gate::join(&names, ", "))))
}

fn needs_reason(reason: Option<&SafeText>, what: &str) -> Result<(), Refusal> {
    if reason.is_some_and(|r| !r.as_str().trim().is_empty()) {
        return Ok(());
    }
    Err(refusal(
        Refused::ReasonRequired,
        format!("{what} needs a reason, which is kept in the audit"),
        "Add --reason WHY",
    ))
}

fn in_future(inputs: &Inputs, until: Wall) -> Result<(), Refusal> {
    if until > inputs.now {
        return Ok(());
    }
    let (until, now) = (stamp(until, inputs.zone), stamp(inputs.now, inputs.zone));
    Err(refusal(
        Refused::UntilPassed,
        format!("{until} is not in the future; it is {now}"),
        "Name a later time",
    ))
}
