//! Gates about this computer: users, clock, host, policy, content, executor.

use super::super::model::{Change, Code, ContentFact, Gate, GateResult, UserFact};
use super::super::words::{between, bytes, stamp};
use super::super::world::{Subject, World};
use super::{block, pass, published, unknown};
use crate::site::ids::RequestId;

use crate::site::instruction::{Program, RunWhen};
use crate::text::duration;

/// `anna on pts/0 (idle 3m), kiosk on tty1`, at most four of them.
fn names(users: &[UserFact]) -> String {
    let mut words: Vec<String> = users
        .iter()
        .take(4)
        .map(|user| match user.idle {
            Some(idle) => format!("{} on {} (idle {})", user.name, user.terminal, duration(idle)),
            None => format!("{} on {}", user.name, user.terminal),
        })
        .collect();
    if users.len() > 4 {
        words.push(format!("{} more", users.len() - 4));
    }
    words.join(", ")
}

/// `run_when` against who is logged on.
pub(super) fn users(world: &World, subject: &Subject) -> GateResult {
    let gate = Gate::Users;
    match (subject.request.run_when, &world.inputs.facts.users) {
        (RunWhen::Any, _) => pass(gate, Change::Never, "runs whoever is logged on"),
        (_, None) => unknown(gate, Code::UsersUnknown, "who is logged on cannot be known on this machine"),
        (RunWhen::NoUser, Some(users)) if users.is_empty() => {
            pass(gate, Change::Event, "nobody is logged on")
        }
        (RunWhen::NoUser, Some(users)) => {
            let evidence = format!("it wants nobody logged on: {}", names(users));
            block(gate, Code::UserLoggedOn, Change::Event, evidence)
        }
        (RunWhen::User, Some(users)) if users.is_empty() => {
            block(gate, Code::NoUser, Change::Event, "it wants a user logged on, nobody is")
        }
        (RunWhen::User, Some(users)) => pass(gate, Change::Event, format!("logged on: {}", names(users))),
    }
}

pub(super) fn clock(world: &World) -> GateResult {
    match &world.inputs.facts.clock_suspect {
        Some(why) => block(Gate::Clock, Code::ClockSuspect, Change::Event, why.clone()),
        None => pass(Gate::Clock, Change::Event, "the clock is believable"),
    }
}

/// A pending restart and disk space.
pub(super) fn host(world: &World, subject: &Subject) -> GateResult {
    restart(world).unwrap_or_else(|| disk(world, subject))
}

fn restart(world: &World) -> Option<GateResult> {
    let (id, attempt) = world.restart?;
    let ended = stamp(attempt.ended_at.unwrap_or(attempt.claimed_at), world.inputs.zone);
    let evidence =
        format!("{id} ({}) succeeded {ended} and wants a restart; restart the machine", attempt.package);
    Some(block(Gate::Host, Code::RestartPending, Change::Event, evidence))
}

fn disk(world: &World, subject: &Subject) -> GateResult {
    let gate = Gate::Host;
    match (subject.request.disk_space, world.inputs.facts.disk_free) {
        (None, _) => pass(gate, Change::Event, "no restart pending"),
        (Some(need), None) => {
            let evidence = format!("it needs {} and the free space cannot be known", bytes(need));
            unknown(gate, Code::DiskSpace, evidence)
        }
        (Some(need), Some(free)) if free < need => {
            let evidence =
                format!("it needs {}, {} are free where the state folder is", bytes(need), bytes(free));
            block(gate, Code::DiskSpace, Change::Event, evidence)
        }
        (Some(need), Some(free)) => {
            let evidence = format!("no restart pending; {} free of {} needed", bytes(free), bytes(need));
            pass(gate, Change::Event, evidence)
        }
    }
}

/// The configuration and all windows can be read.
pub(super) fn policy(world: &World) -> GateResult {
    let gate = Gate::Policy;
    let windows = world.calendar.as_ref().err();
    match world.inputs.policy.unreadable.as_ref().or(windows) {
        Some(why) => block(gate, Code::PolicyUnreadable, Change::Event, why.clone()),
        None => pass(gate, Change::Event, "the configuration is readable"),
    }
}

/// The package's files are here and are those that were published.
pub(super) fn content(world: &World, subject: &Subject) -> GateResult {
    let gate = Gate::Content;
    if subject.request.content_sha256.is_none() {
        return match &subject.request.command_line.program {
            Program::Listed(_) => pass(gate, Change::Event, "nothing to copy"),
            // It could only fail, and would use up its first attempt.
            Program::InPackage(path) => block(
                gate,
                Code::ContentMissing,
                Change::Event,
                format!(
                    "{path} is a file of the package, and the record has no content_sha256 to copy it by"
                ),
            ),
        };
    }
    match published::content(world, subject) {
        Some(ContentFact::Staged) => pass(gate, Change::Event, "copied and verified"),
        Some(ContentFact::Missing(why)) => block(gate, Code::ContentMissing, Change::Event, why.clone()),
        Some(ContentFact::Mismatch(why)) => block(gate, Code::ContentMismatch, Change::Event, why.clone()),
        Some(ContentFact::Loose(why)) => {
            block(gate, Code::ContentMissing, Change::Event, format!("not copied: {why}"))
        }
        None => {
            let evidence = format!("the files of {} are not copied yet", subject.request.package_id);
            block(gate, Code::ContentMissing, Change::Event, evidence)
        }
    }
}

/// Nothing else is running. `id`: the request in question, where it has an id.
pub(super) fn executor(world: &World, id: Option<&RequestId>) -> GateResult {
    let gate = Gate::Executor;
    match &world.inputs.facts.running {
        Some((other, since)) if Some(other) != id => {
            let elapsed = duration(between(*since, world.now));
            let evidence = format!("{other} runs since {}, {elapsed}", stamp(*since, world.inputs.zone));
            block(gate, Code::Busy, Change::Event, evidence)
        }
        _ => pass(gate, Change::Event, "nothing else is running"),
    }
}
