//! The few words of the list's last column (UX.md 1): why a request has not run, what it is doing, how it ended.

use super::model::{Attempt, Change, GateResult, UserFact};
use super::next::missed;
use super::world::{Subject, World};
use crate::clock::{Wall, between};
use crate::site::instruction::Rejected;
use crate::terms::{Code, Gate, State, Verdict};
use crate::text::{SafeText, bytes, duration, short};

/// Of a usable request.
pub(super) fn of_subject(
    world: &World,
    subject: &Subject,
    state: State,
    gates: &[GateResult],
    next_run: Option<Wall>,
) -> SafeText {
    let short = |at: Wall| short(at, world.now, world.inputs.zone);
    let text = match state {
        State::Scheduled => format!("offered {}", short(subject.offer)),
        State::Offered => offered(world, subject, gates, next_run),
        State::Deferred => match (subject.deferral, subject.deferred_until(world.now)) {
            (Some(d), Some(until)) => format!("{} {}: \"{}\"", short(until), d.by, d.reason),
            _ => String::new(),
        },
        State::RetryWait => match (subject.newest, subject.retry_at()) {
            (Some(attempt), Some(at)) => {
                format!("attempt {} at {}; {}", attempt.number + 1, short(at), outcome(world, attempt))
            }
            _ => String::new(),
        },
        State::Waiting => reasons(world, subject, gates, |_| true),
        State::Due => "starts at the next step".to_owned(),
        State::Expired => match missed(world, subject) {
            Some(code) => format!("never ran: {}", missed_words(code)),
            None => "never ran".to_owned(),
        },
        State::NotApplicable => {
            match gates.iter().find_map(|g| g.code.filter(|_| g.gate == Gate::Platform)) {
                Some(_) => format!("for {}", super::gates::platforms(subject)),
                None => "needs a user's input".to_owned(),
            }
        }
        State::Rejected => {
            let trust = gates.iter().find(|g| g.gate == Gate::Trust);
            let code = trust.and_then(|g| g.code).map(|c| c.as_str()).unwrap_or("rejected");
            return SafeText::from(code);
        }
        State::Countdown => match world.announced(subject) {
            Some(at) => format!("starts in {}, announced", duration(between(world.now, at))),
            None => String::new(),
        },
        State::Running
        | State::Stopping
        | State::Succeeded
        | State::SucceededRestart
        | State::Failed
        | State::TimedOut
        | State::Stopped
        | State::Interrupted => match (subject.newest, subject.adopted) {
            (Some(attempt), _) => return of_attempt(world, attempt, Some(subject)),
            (None, Some(at)) => format!("adopted as done {}", short(at)),
            (None, None) => String::new(),
        },
    };
    text.into()
}

fn offered(world: &World, subject: &Subject, gates: &[GateResult], next_run: Option<Wall>) -> String {
    if !subject.request.background {
        return "application only, r runs it".to_owned();
    }
    if subject.mandatory.is_none() {
        return "optional, r runs it".to_owned();
    }
    if let Some(at) = next_run {
        return format!("runs {}", short(at, world.now, world.inputs.zone));
    }
    // What time alone opens is no news before the mandatory time.
    match reasons(world, subject, gates, |g| !matches!(g.change, Change::At(_))) {
        none if none.is_empty() => "expires before it may run".to_owned(),
        some => some,
    }
}

/// Every gate that does not pass and is wanted, in a few words each: `user anna; window 22:00`.
fn reasons(
    world: &World,
    subject: &Subject,
    gates: &[GateResult],
    wanted: impl Fn(&GateResult) -> bool,
) -> String {
    let mut words: Vec<String> = Vec::new();
    // People first: they are what an operator can talk to.
    let users_first = gates.iter().filter(|g| g.gate == Gate::Users);
    for gate in users_first.chain(gates.iter().filter(|g| g.gate != Gate::Users)) {
        if gate.verdict == Verdict::Pass || !wanted(gate) {
            continue;
        }
        let word = gate.code.map(|code| reason(world, subject, gate, code)).unwrap_or_default();
        if !word.is_empty() && !words.contains(&word) {
            words.push(word);
        }
    }
    words.join("; ")
}

fn reason(world: &World, subject: &Subject, gate: &GateResult, code: Code) -> String {
    let at = match gate.change {
        Change::At(at) => short(at, world.now, world.inputs.zone),
        _ => String::new(),
    };
    let fixed = match code {
        Code::UserLoggedOn => {
            let within = world.inputs.policy.config.users.busy_within;
            let users = world.inputs.facts.users.as_deref().unwrap_or_default();
            return users_words(&users.iter().filter(|u| !u.is_away(within)).collect::<Vec<_>>());
        }
        Code::Dependency => {
            let missing = subject.request.depends_on.iter().find(|id| world.succeeded(id) != Some(true));
            return missing.map(|id| format!("after {id}")).unwrap_or_default();
        }
        Code::Busy => {
            return world
                .inputs
                .facts
                .running
                .as_ref()
                .map(|(id, _)| format!("{id} runs"))
                .unwrap_or_default();
        }
        Code::DiskSpace => return format!("disk: needs {}", bytes(subject.request.disk_space.unwrap_or(0))),
        Code::Held => return format!("held until {at}"),
        Code::Frozen => return format!("frozen until {at}"),
        Code::WindowClosed => return format!("window {at}"),
        Code::WindowTooShort => return format!("window too short, next {at}"),
        Code::WindowNeverFits => "no window is long enough",
        Code::NoUser => "nobody logged on",
        Code::UsersUnknown => "users unknown",
        Code::Suspended => "suspended",
        Code::HistoryLost => "history lost",
        Code::StateUnreadable => "history unreadable",
        Code::ClockSuspect => "clock suspect",
        Code::RestartPending => "restart pending",
        Code::Booting => return format!("just started, until {at}"),
        Code::OnBattery => "on battery",
        Code::PolicyUnreadable => "configuration unreadable",
        Code::ContentMissing => "files not copied",
        Code::ContentMismatch => "files differ",
        Code::ShareStale => "share stale",
        Code::ShareMissing => "share missing",
        Code::ShareDenied => "share denied",
        Code::InsMissing => "withdrawn from the share",
        Code::Unsigned => "not checked yet",
        // Said by the state or by another column.
        Code::NotMandatoryYet
        | Code::Optional
        | Code::NotOffered
        | Code::Deferred
        | Code::ApplicationOnly => "",
        other => other.as_str(),
    };
    fixed.to_owned()
}

/// `user anna`, `users anna, bob`, `users anna, bob +2`
fn users_words(users: &[&UserFact]) -> String {
    match users {
        [one] => format!("user {}", one.name),
        [one, two] => format!("users {}, {}", one.name, two.name),
        [one, two, rest @ ..] => format!("users {}, {} +{}", one.name, two.name, rest.len()),
        [] => String::new(),
    }
}

fn missed_words(code: Code) -> &'static str {
    match code {
        Code::ApplicationOnly => "application only",
        Code::Optional => "optional",
        Code::NotMandatoryYet => "mandatory only later",
        Code::Deferred => "deferred",
        Code::Held => "held",
        Code::Frozen => "frozen",
        Code::WindowClosed => "window closed",
        Code::WindowTooShort => "window too short",
        _ => "no window long enough",
    }
}

/// Of a rejected record: its first problem with its line.
pub(super) fn of_rejected(rejected: &Rejected) -> SafeText {
    match rejected.problems.first() {
        Some(problem) => match problem.line {
            Some(line) => format!("line {line}: {}", problem.message).into(),
            None => problem.message.clone(),
        },
        None => "rejected".into(),
    }
}

/// Of an attempt: `3m12s/30m` while it runs, else how it ended.
pub(super) fn of_attempt(world: &World, attempt: &Attempt, subject: Option<&Subject>) -> SafeText {
    let now = world.now;
    let text = match attempt.state {
        State::Running | State::Stopping => {
            let elapsed = duration(between(attempt.started_at.unwrap_or(attempt.claimed_at), now));
            match subject {
                Some(s) => format!("{elapsed}/{}", duration(s.request.max_run_time)),
                None => format!("{elapsed}, withdrawn from the share"),
            }
        }
        State::Interrupted => "outcome unknown; rerun is yours".to_owned(),
        _ => outcome(world, attempt),
    };
    text.into()
}

/// `exit 17 after 41s`
fn outcome(world: &World, attempt: &Attempt) -> String {
    let took = match (attempt.started_at, attempt.ended_at) {
        (Some(from), Some(until)) => format!(" after {}", duration(between(from, until))),
        _ => String::new(),
    };
    match (world.shown(attempt), attempt.exit_code) {
        (State::Succeeded, _) => format!("done{took}"),
        (State::SucceededRestart, _) => format!("done{took}, restart wanted"),
        (State::TimedOut, _) => format!("time limit{took}"),
        (State::Stopped, _) => format!("stopped{took}"),
        (_, Some(code)) if attempt.is_told_by_its_exit_code() => format!("exit {code}{took}"),
        (_, None) if attempt.result.is_empty() => format!("failed{took}"),
        // A status MIF, or what kept it from being started.
        (_, _) => attempt.result.as_str().to_owned(),
    }
}
