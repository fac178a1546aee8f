//! Gates about a job of an index (SITE.md 2): whether it is for this machine and has reached it, and whether its publisher
//! still wants it. A request of an instruction file is for the one machine that the file names.

use super::super::model::{Attempt, Change, GateResult};
use super::super::world::{Subject, World, newest};
use super::{block, pass, past, published, unknown};
use crate::clock::Wall;
use crate::site::expression::{Expression, Known, Name, Subject as Asked, like};
use crate::site::ids::{JobId, PackageId, RequestId};
use crate::site::index::JobState;
use crate::site::index::members::Member;
use crate::site::index::target::percent;
use crate::site::indexed::{Aim, Delivery, Membership};
use crate::site::installed::{Need, Needed};
use crate::site::instruction::{Entry, Request};
use crate::terms::{Code, Gate, State, Verdict};
use crate::text::SafeText;
use std::sync::Arc;

/// What `package(ID)` and `job(ID)` are where nothing of that was ever attempted here.
const NEVER: &str = "never";

/// What `package(ID)` and `job(ID)` are told by.
#[derive(Clone, Copy)]
enum By {
    /// By the states of their requests.
    States,
    /// By their attempts alone: for whoever finds out whether one of those has something to do, which may rest on another.
    Attempts,
}

/// The job's targets hold this machine, so do the conditions of publisher and signer, and its phase has come.
pub(super) fn target(world: &World, subject: &Subject) -> GateResult {
    target_by(world, subject, By::States)
}

fn target_by(world: &World, subject: &Subject, by: By) -> GateResult {
    let gate = Gate::Target;
    let Some(index) = &world.inputs.instructions.index else {
        return pass(gate, Change::Event, world.tell(|| "the instruction file is for this machine alone"));
    };
    let Some(delivery) = subject.delivery else {
        return unknown(gate, Code::NotTargeted, world.tell(|| "the index does not say whom it is for"));
    };
    let not = |why: SafeText| block(gate, Code::NotTargeted, Change::Event, why);
    let (member, target) = match (delivery.aim(&index.member), &index.member) {
        (Aim::Here(target), Membership::Listed(member)) => (member, target),
        (Aim::Excluded(target), _) => {
            return not(world.tell(|| format!("job {} excludes {target}", delivery.job_id)));
        }
        (Aim::Others, member) => return not(world.tell(|| others(delivery, member))),
        (Aim::NotListed, _) => {
            return not(world.tell(|| "this machine is not in the site's list of machines"));
        }
        (Aim::Unknown(why), _) => return unknown(gate, Code::NotTargeted, world.tell(|| why.clone())),
        (Aim::Here(_), Membership::NotListed | Membership::Unknown(_)) => {
            return unknown(gate, Code::NotTargeted, world.tell(|| "its groups are not known"));
        }
    };
    let conditions = [
        (&delivery.bound, "the package's signer allows it only where"),
        (&delivery.condition, "the job is only for machines where"),
    ];
    for (condition, whose) in conditions {
        let Some(condition) = condition else { continue };
        let told = || format!("{whose} {condition}");
        match condition.holds(&Here { world, member, by }) {
            Some(true) => {}
            Some(false) => return not(world.tell(|| format!("{}{}", told(), of_facts(world, condition)))),
            None => {
                let facts = || of_facts(world, condition);
                let told = || format!("{}, which cannot be known here{}", told(), facts());
                return unknown(gate, Code::NotTargeted, world.tell(told));
            }
        }
    }
    let place = delivery.place(member);
    if place >= delivery.percent {
        let evidence = world.tell(|| {
            format!(
                "job {} has reached {} % of its machines; this one is reached beyond {} %",
                delivery.job_id,
                percent(delivery.percent),
                percent(place)
            )
        });
        return block(gate, Code::PhaseNotReached, Change::Event, evidence);
    }
    let evidence = world.tell(|| {
        let condition = delivery.condition.as_ref().map(|c| format!(" where {c}")).unwrap_or_default();
        format!("for {target}{condition}; {} % of its machines are reached", percent(delivery.percent))
    });
    pass(gate, Change::Event, evidence)
}

fn others(delivery: &Delivery, member: &Membership) -> String {
    const SHOWN: usize = 5;
    let mut targets: Vec<String> = delivery.targets.iter().take(SHOWN).map(ToString::to_string).collect();
    if delivery.targets.len() > SHOWN {
        targets.push(format!("{} more", delivery.targets.len() - SHOWN));
    }
    let groups = match member {
        Membership::Listed(member) if member.groups.is_empty() => "in no group".to_owned(),
        Membership::Listed(member) => format!("in {}", member.groups.join(", ")),
        Membership::NotListed | Membership::Unknown(_) => "not listed".to_owned(),
    };
    format!("job {} is for {}; this machine is {groups}", delivery.job_id, targets.join(", "))
}

/// What is known of this machine, for `where`.
struct Here<'w> {
    world: &'w World<'w>,
    member: &'w Member,
    by: By,
}

impl Known for Here<'_> {
    fn value(&self, subject: &Asked) -> Option<String> {
        let facts = self.world.inputs.facts;
        match subject {
            Asked::Named(Name::Platform) => facts.platform.map(|platform| platform.as_str().to_owned()),
            Asked::Named(Name::Host) => self.member.host.clone(),
            // Membership is asked for in its own way.
            Asked::Named(Name::Group) => None,
            Asked::Named(Name::Os) => facts.host.os.as_ref().map(SafeText::to_string),
            Asked::Named(Name::OsVersion) => facts.host.os_version.as_ref().map(SafeText::to_string),
            Asked::Named(Name::PcmVersion) => Some(env!("CARGO_PKG_VERSION").to_owned()),
            Asked::Package(package) => {
                self.state(|request| request.package_id == *package, |attempt| attempt.package_id == *package)
            }
            Asked::Job(job) => self.state(|request| request.job_id == *job, |attempt| attempt.job_id == *job),
            Asked::Fact(name) => fact(self.world, name).map(str::to_owned),
        }
    }

    fn in_group(&self, pattern: &str) -> Option<bool> {
        Some(like("all", pattern) || self.member.groups.iter().any(|group| like(group, pattern)))
    }
}

/// What the machine's own configuration says of this name.
fn fact<'w>(world: &World<'w>, name: &str) -> Option<&'w str> {
    let facts = &world.inputs.policy.config.report.facts;
    facts.iter().find(|(known, _)| known == name).map(|(_, text)| text.as_str())
}

/// What it says of those that a condition asks for, as the end of a sentence.
fn of_facts(world: &World, condition: &Expression) -> String {
    let each = condition.facts().into_iter().map(|name| match fact(world, name) {
        Some(text) => format!("{name} is {text:?} here"),
        None => format!("this machine names no {name}"),
    });
    let said: Vec<String> = each.collect();
    if said.is_empty() { String::new() } else { format!("; {} ([report] facts)", said.join(", ")) }
}

impl Here<'_> {
    /// The word of the state of the newest attempt of these; of what was adopted that of a success, or where there is
    /// nothing to do. None: the history cannot be believed.
    fn state(
        &self,
        request: impl Fn(&Request) -> bool,
        attempt: impl Fn(&Attempt) -> bool,
    ) -> Option<String> {
        let (world, history) = (self.world, self.world.inputs.history);
        if history.lost.is_some() || history.unreadable.is_some() {
            return None;
        }
        let attempts = history.attempts.values().flatten().map(Arc::as_ref).filter(|a| attempt(a));
        if let Some(newest) = attempts.max_by_key(|attempt| (attempt.claimed_at, attempt.number)) {
            return Some(world.shown(newest).as_str().to_owned());
        }
        let these = || requests(world).filter(|r| request(r)).map(|r| r.request_id);
        let word = match self.by {
            _ if these().any(|id| history.adopted.contains_key(&id)) => State::Succeeded.as_str(),
            By::States if these().any(|id| is_not_needed(world, &id)) => State::NotNeeded.as_str(),
            By::States | By::Attempts => NEVER,
        };
        Some(word.to_owned())
    }
}

fn requests<'a>(world: &World<'a>) -> impl Iterator<Item = &'a Request> {
    let entries = world.inputs.instructions.file.iter().flat_map(|file| &file.requests);
    entries.filter_map(Entry::good)
}

/// Whether there is nothing to do for a request, so that its state is `not-needed` (DESIGN.md 3).
fn is_not_needed(world: &World, id: &RequestId) -> bool {
    let installed = &world.inputs.facts.installed;
    // Most have no test, and most machines none at all.
    !installed.is_empty()
        && world
            .inputs
            .instructions
            .need_of(id)
            .is_some_and(|need| need.by(installed.get(&need.test)) == Needed::No)
        && open_need(world, id).is_some()
}

/// What a request has to do, where that alone says whether its state is `not-needed`: it is for this machine and was never
/// attempted. Whether another one takes its place is not asked: there is as much or little to do for it all the same.
pub(in super::super) fn open_need<'a>(world: &World<'a>, id: &RequestId) -> Option<&'a Need> {
    let need = world.inputs.instructions.need_of(id)?;
    let entries = world.inputs.instructions.file.iter().flat_map(|file| &file.requests).enumerate();
    let mut good = entries.filter_map(|(index, entry)| match entry {
        Entry::Good(request) => Some((index, &**request)),
        Entry::Rejected(_) => None,
    });
    let (index, request) = good.find(|(_, request)| request.request_id == *id)?;
    let subject = Subject::new(world, index, request);
    let bars = |gate: &GateResult| {
        let code = gate.code.filter(|_| gate.verdict == Verdict::Block);
        code.is_some_and(|code| matches!(code.row().leads_to, State::Rejected | State::NotApplicable))
    };
    let gates: [&dyn Fn() -> GateResult; 5] = [
        &|| published::record(world, &subject),
        &|| published::trust(world, &subject),
        &|| published::platform(world, &subject),
        &|| published::kind(world, &subject),
        &|| target_by(world, &subject, By::Attempts),
    ];
    let cancelled = cancelled(world, request.job_id, subject.delivery).is_some();
    let open = past::closed(world, id, subject.newest, subject.adopted, None).is_none()
        && subject.newest.is_none()
        && !cancelled
        && !gates.iter().any(|gate| bars(&gate()));
    open.then_some(need)
}

/// Whether a request that others wait for has succeeded, or has nothing to do.
pub(in super::super) fn is_fulfilled(world: &World, id: &RequestId) -> bool {
    match world.succeeded(id) {
        Some(succeeded) => succeeded,
        None => is_not_needed(world, id),
    }
}

/// A job that takes the place of this one and has succeeded here, under whichever request, or has nothing to do.
fn superseded_by(world: &World, job: JobId) -> Option<(JobId, RequestId)> {
    let newer = world.newer(job);
    // What it did under an earlier request it has done: one that is sent once more has not been taken back.
    let earlier = || newer.iter().find_map(|(newer, _)| Some((*newer, world.succeeded_once(*newer)?)));
    newer.iter().copied().find(|(_, id)| is_fulfilled(world, id)).or_else(earlier)
}

/// Whether it waits for a request of some package, which nobody foretells.
pub(in super::super) fn waits_for_package(world: &World, subject: &Subject) -> bool {
    needed(subject).iter().any(|package| package_is_there(world, *package).is_err())
}

/// Whether it waits again once this other request has succeeded.
pub(in super::super) fn waits_after(world: &World, subject: &Subject, other: &Request) -> bool {
    needed(subject).contains(&other.package_id)
        && world.inputs.instructions.removes(&other.request_id, &other.command)
}

fn needed<'a>(subject: &Subject<'a>) -> &'a [PackageId] {
    subject.delivery.map(|delivery| delivery.packages.as_slice()).unwrap_or_default()
}

/// Whether a request of this package has succeeded here or has nothing to do; else the one that has removed the package
/// since, where one has.
fn package_is_there(world: &World, package: PackageId) -> Result<(), Option<RequestId>> {
    let (instructions, history) = (world.inputs.instructions, world.inputs.history);
    let listed = || requests(world).filter(move |request| request.package_id == package);
    let removes = |id: &RequestId, one: &Attempt| one.removes || instructions.removes(id, &one.command);
    let (mut put, mut removed): (Option<Wall>, Option<(Wall, RequestId)>) = (None, None);
    for (id, attempts) in &history.attempts {
        let succeeded = |one: &&Arc<Attempt>| one.package_id == package && one.state.is_success();
        // What a later attempt of it failed to remove once more is not there all the same.
        if let Some(one) = attempts.iter().rev().find(succeeded).filter(|one| removes(id, one)) {
            removed = removed.max(Some((one.claimed_at, *id)));
        } else if let Some(one) = attempts.last().filter(succeeded) {
            put = put.max(Some(one.claimed_at));
        }
    }
    // Whoever adopted it as done did not say when a removal was.
    let adopted = listed().filter(|request| !instructions.removes(&request.request_id, &request.command));
    let adopted = adopted.filter(|request| newest(world.inputs, &request.request_id).is_none());
    put = put.max(adopted.filter_map(|request| history.adopted.get(&request.request_id).copied()).max());
    let there = put.is_some_and(|put| removed.is_none_or(|(at, _)| put > at));
    // Where there is nothing to remove the package is not there.
    if there
        || listed()
            .any(|r| !instructions.removes(&r.request_id, &r.command) && is_not_needed(world, &r.request_id))
    {
        return Ok(());
    }
    Err(removed.map(|(_, id)| id))
}

/// Whether the publisher has cancelled a job, now or ever: that is final. `delivery`: where its request can be read.
pub(super) fn cancelled(world: &World, job: JobId, delivery: Option<&Delivery>) -> Option<GateResult> {
    let index = world.inputs.instructions.index.as_ref()?;
    let closed = |evidence| Some(block(Gate::Job, Code::Cancelled, Change::Never, evidence));
    let delivered = || delivery.filter(|delivery| delivery.state == JobState::Cancelled);
    if let Some(reason) = index.cancelled.get(&job).or_else(|| Some(&delivered()?.reason)) {
        let reason = || reason.as_ref().map(|reason| format!(": {reason:?}")).unwrap_or_default();
        return closed(world.tell(|| format!("the publisher cancelled job {job}{}", reason())));
    }
    if world.inputs.history.cancelled.contains(&job) {
        return closed(world.tell(|| {
            format!(
                "the publisher cancelled job {job} before, which is final: that the index in force does not call it \
                 cancelled any more changes nothing"
            )
        }));
    }
    None
}

/// Not suspended, cancelled or superseded, and all it depends on has succeeded.
pub(super) fn job(world: &World, subject: &Subject) -> GateResult {
    let (gate, request) = (Gate::Job, subject.request);
    let reason = || {
        let reason = subject.delivery.and_then(|delivery| delivery.reason.as_ref());
        reason.map(|reason| format!(": {reason:?}")).unwrap_or_default()
    };
    if let Some(cancelled) = cancelled(world, request.job_id, subject.delivery) {
        return cancelled;
    }
    if let Some((newer, id)) = superseded_by(world, request.job_id) {
        let evidence = world.tell(|| {
            let how = if world.succeeded(&id).is_some() { "has succeeded" } else { "has nothing to do here" };
            format!("job {newer} replaces job {}, and its {id} {how}", request.job_id)
        });
        return block(gate, Code::Superseded, Change::Event, evidence);
    }
    if request.suspended {
        let evidence = world.tell(|| match subject.delivery {
            Some(_) => format!("the publisher suspended job {}{}", request.job_id, reason()),
            None => format!("the publisher suspended job {} (line {})", request.job_id, request.line),
        });
        return block(gate, Code::Suspended, Change::Event, evidence);
    }
    let missing = request.depends_on.iter().find(|id| !is_fulfilled(world, id));
    if let Some(id) = missing {
        let evidence = world.tell(|| match newest(world.inputs, id) {
            Some(attempt) => {
                format!("{id} has to succeed first; it is {} (attempt {})", attempt.state, attempt.number)
            }
            None => format!("{id} has to succeed first; it was never run on this machine"),
        });
        return block(gate, Code::Dependency, Change::Event, evidence);
    }
    let packages = needed(subject);
    let missing =
        packages.iter().find_map(|package| Some((package, package_is_there(world, *package).err()?)));
    if let Some((package, removed)) = missing {
        let evidence = world.tell(|| {
            let why = match removed {
                None => "none has on this machine".to_owned(),
                Some(id) => format!("{id} has removed it, and none has since"),
            };
            format!("a request of package {package} has to succeed first; {why}")
        });
        return block(gate, Code::Dependency, Change::Event, evidence);
    }
    let evidence = match request.depends_on.is_empty() && packages.is_empty() {
        true => "active, depends on nothing",
        false => "active, all it depends on has succeeded or has nothing to do",
    };
    pass(gate, Change::Event, world.tell(|| evidence))
}
