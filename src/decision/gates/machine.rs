//! Gates about this computer: users, clock, policy, content, executor.

use super::super::model::{Change, GateResult, UserFact};
use super::super::world::{Subject, World};
use super::{block, pass, unknown};
use crate::clock::between;
use crate::site::content::ContentFact;
use crate::site::ids::RequestId;
use crate::site::instruction::{Program, RunWhen};
use crate::terms::{Code, Gate};
use crate::text::{duration, stamp};

/// `anna on pts/0 (idle 3m), kiosk on tty1 (idle 3h, locked)`, at most four of them.
fn names<'a>(users: impl IntoIterator<Item = &'a UserFact>) -> String {
    let mut more = 0;
    let mut words: Vec<String> = Vec::new();
    for user in users {
        if words.len() == 4 {
            more += 1;
            continue;
        }
        let idle = user.idle.map(|idle| format!("idle {}", duration(idle)));
        let locked = (user.locked == Some(true)).then(|| "locked".to_owned());
        let known: Vec<String> = idle.into_iter().chain(locked).collect();
        words.push(match known.is_empty() {
            true => format!("{} on {}", user.name, user.terminal),
            false => format!("{} on {} ({})", user.name, user.terminal, known.join(", ")),
        });
    }
    if more > 0 {
        words.push(format!("{more} more"));
    }
    words.join(", ")
}

/// `run_when` against who is logged on. Who has not touched the machine for `[users] busy_within` keeps nothing waiting.
pub(super) fn users(world: &World, subject: &Subject) -> GateResult {
    let gate = Gate::Users;
    match (subject.request.run_when, world.inputs.facts.users.as_deref()) {
        (RunWhen::Any, _) => {
            pass(gate, Change::Never, world.tell(|| "runs even while somebody is logged on"))
        }
        (RunWhen::User | RunWhen::NoUser, None) => {
            let evidence = world.tell(|| "who is logged on cannot be known on this machine");
            unknown(gate, Code::UsersUnknown, evidence)
        }
        (RunWhen::User, Some([])) => {
            block(gate, Code::NoUser, Change::Event, world.tell(|| "it wants a user logged on, nobody is"))
        }
        (RunWhen::User, Some(users)) => {
            pass(gate, Change::Event, world.tell(|| format!("logged on: {}", names(users))))
        }
        (RunWhen::NoUser, Some([])) => pass(gate, Change::Event, world.tell(|| "nobody is logged on")),
        (RunWhen::NoUser, Some(users)) => {
            let within = world.inputs.policy.config.users.busy_within;
            let mut busy = users.iter().filter(|user| !user.is_away(within)).peekable();
            if busy.peek().is_some() {
                let evidence = world.tell(|| format!("it wants nobody logged on: {}", names(busy)));
                return block(gate, Code::UserLoggedOn, Change::Event, evidence);
            }
            let evidence =
                world.tell(|| format!("nobody has been busy for {}: {}", duration(within), names(users)));
            pass(gate, Change::Event, evidence)
        }
    }
}

pub(super) fn clock(world: &World) -> GateResult {
    match &world.inputs.facts.clock_suspect {
        Some(why) => block(Gate::Clock, Code::ClockSuspect, Change::Event, world.tell(|| why.clone())),
        None => pass(Gate::Clock, Change::Event, world.tell(|| "the clock is believable")),
    }
}

/// The configuration and all windows can be read.
pub(super) fn policy(world: &World) -> GateResult {
    let gate = Gate::Policy;
    let windows = world.calendar.as_ref().as_ref().err();
    let groups = || world.inputs.policy.groups.iter();
    let group = groups().find_map(|group| group.unreadable.as_ref());
    match world.inputs.policy.unreadable.as_ref().or(group).or(windows) {
        Some(why) => block(gate, Code::PolicyUnreadable, Change::Event, world.tell(|| why.clone())),
        None => {
            let evidence = world.tell(|| {
                let names: Vec<&str> = groups().map(|group| group.group.as_str()).collect();
                match names.is_empty() {
                    true => "the configuration is readable".to_owned(),
                    false => {
                        format!("the configuration is readable; policies of groups: {}", names.join(", "))
                    }
                }
            });
            pass(gate, Change::Event, evidence)
        }
    }
}

/// The package's files are here and are those that were published.
pub(super) fn content(world: &World, subject: &Subject) -> GateResult {
    let gate = Gate::Content;
    if subject.request.content_sha256.is_none() {
        return match &subject.request.command_line.program {
            Program::Listed(_) => pass(gate, Change::Event, world.tell(|| "nothing to copy")),
            // It could only fail, and would use up its first attempt.
            Program::InPackage(path) => block(
                gate,
                Code::ContentMissing,
                Change::Event,
                world.tell(|| {
                    format!(
                        "{path} is a file of the package, and the record has no content_sha256 to copy it by"
                    )
                }),
            ),
        };
    }
    match subject.content {
        Some(ContentFact::Staged) => pass(gate, Change::Event, world.tell(|| "copied and verified")),
        Some(ContentFact::Missing(why)) => {
            block(gate, Code::ContentMissing, Change::Event, world.tell(|| why.clone()))
        }
        Some(ContentFact::Mismatch(why)) => {
            block(gate, Code::ContentMismatch, Change::Event, world.tell(|| why.clone()))
        }
        Some(ContentFact::Loose(why)) => {
            block(gate, Code::ContentMissing, Change::Event, world.tell(|| format!("not copied: {why}")))
        }
        None => {
            let hash = subject.request.content_sha256.as_ref();
            let since = hash.and_then(|hash| world.inputs.facts.copying.get(hash));
            let evidence = world.tell(|| {
                let id = subject.request.package_id;
                let copied = since.map_or_else(String::new, |since| {
                    let elapsed = duration(between(*since, world.now));
                    format!(", and are being copied since {}, {elapsed}", stamp(*since, world.inputs.zone))
                });
                format!("the files of {id} are not copied yet{copied}")
            });
            block(gate, Code::ContentMissing, Change::Event, evidence)
        }
    }
}

/// Nothing else is running, and there is somebody who starts what is due. `id`: the request in question, where it has an
/// id. What runs comes first: an operator's run passes a missing service, and never another run.
pub(super) fn executor(world: &World, id: Option<&RequestId>) -> GateResult {
    let gate = Gate::Executor;
    match &world.inputs.facts.running {
        Some((other, since)) if Some(other) != id => {
            let evidence = world.tell(|| {
                let elapsed = duration(between(*since, world.now));
                format!("{other} runs since {}, {elapsed}", stamp(*since, world.inputs.zone))
            });
            block(gate, Code::Busy, Change::Event, evidence)
        }
        _ => nobody(world)
            .unwrap_or_else(|| pass(gate, Change::Event, world.tell(|| "nothing else is running"))),
    }
}

/// Where there is nobody who starts what is due: no service, or one that could not record what it started.
pub(super) fn nobody(world: &World) -> Option<GateResult> {
    let facts = &world.inputs.facts;
    let (code, words) = match (facts.service, &facts.unwritten) {
        // A service would not help.
        (_, Some(why)) => (Code::StateUnwritable, why.as_str()),
        (false, None) => (Code::NoService, "no service runs, so nothing starts by itself"),
        (true, None) => return None,
    };
    let evidence = world.tell(|| format!("{words}. {}", code.row().remedy));
    Some(block(Gate::Executor, code, Change::Event, evidence))
}
