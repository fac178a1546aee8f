//! The few words of the list's last column (UX.md 1): why a request has not run, what it is doing, how it ended.

use super::gates::{Closed, is_fulfilled, not_vouched, once_settled, queue};
use super::model::{Attempt, Change, Decision, GateResult, Inputs, NextRun, UserFact};
use super::next::missed;
use super::world::{Subject, World};
use crate::clock::{Wall, between};
use crate::site::instruction::Rejected;
use crate::terms::{Code, Gate, Group, Listed, State, Verdict};
use crate::text::{SafeText, bytes, duration, short, short_pair};

/// Of a usable request.
pub(super) fn of_subject(
    world: &World,
    subject: &Subject,
    state: State,
    closed: Closed,
    next_run: Option<Wall>,
) -> SafeText {
    let short = |at: Wall| short(at, world.now, world.inputs.zone);
    let text = match state {
        State::Scheduled => match closed.iter().any(|g| g.code == Some(Code::PhaseNotReached)) {
            true => Code::PhaseNotReached.row().brief.to_owned(),
            false => ["offered ", &short(subject.offer)].concat(),
        },
        State::Offered => offered(world, subject, closed, next_run),
        State::Deferred => match (subject.deferral, subject.deferred_until(world.now)) {
            (Some(d), Some(until)) => {
                format!("{} {}: \"{}\"{}", short(until), d.by, d.reason, without_service(world))
            }
            _ => String::new(),
        },
        State::RetryWait => match (subject.newest, subject.retry_at()) {
            (Some(attempt), Some(at)) => {
                let when = if next_run.is_some() { "at" } else { "not before" };
                let (next, ended) = (attempt.number + 1, outcome(world, attempt));
                format!("attempt {next} {when} {}; {ended}{}", short(at), without_service(world))
            }
            _ => String::new(),
        },
        State::Waiting => reasons(world, subject, closed, |_| true),
        State::Queued => queued(world, subject, closed),
        State::Due => "starts at the next step".to_owned(),
        State::Expired => match missed(world, subject) {
            Some(code) => format!("never ran: {}", code.row().brief),
            None => "never ran".to_owned(),
        },
        State::NotApplicable => {
            let mut codes = closed.iter().filter(|g| g.verdict == Verdict::Block).filter_map(|g| g.code);
            match codes.find(|code| code.row().leads_to == State::NotApplicable) {
                Some(Code::Platform) => format!("for {}", super::gates::platforms(subject)),
                Some(Code::NeedsInput) => "needs a user's input".to_owned(),
                Some(code) => code.row().brief.to_owned(),
                None => String::new(),
            }
        }
        State::NotNeeded => match subject.need {
            Some(need) if need.removes => "nothing to remove".to_owned(),
            Some(_) | None => "installed already".to_owned(),
        },
        State::Rejected => {
            let trust = closed.iter().find(|g| g.gate == Gate::Trust).and_then(|g| g.code);
            match (trust, world.inputs.facts.unstartable.get(&subject.request.request_id)) {
                // Of its package; what is wrong with everything is a problem of the machine.
                (Some(code), _) => match not_vouched(world, subject).filter(|own| own.code == code) {
                    // Which package it is stands in its row.
                    Some(distrust) => format!("{code}: {}", distrust.why),
                    None => code.as_str().to_owned(),
                },
                (None, Some(why)) => format!("{}: {why}", Code::CommandRefused.as_str()),
                (None, None) => "rejected".to_owned(),
            }
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

/// The words of a decision once it is known when it runs, as far as they speak of that: `runs 16:59-20:59`, or, where
/// something is in the way, `window 16:59; next 16:59-20:59`. None: they stay as they are.
pub(super) fn foretold(decision: &Decision, next: Option<NextRun>, inputs: &Inputs) -> Option<SafeText> {
    let pair = next.map(|next| short_pair(next.at, next.latest, inputs.now, inputs.zone));
    let certain = next.is_some_and(|next| next.latest == Some(next.at));
    let words = match decision.state {
        State::Offered if decision.next_run.is_none() => return None,
        State::Due if certain => return None,
        State::Offered | State::Due => match pair {
            Some(pair) => format!("runs {pair}"),
            // Where nothing ends before, nobody can say when its turn comes.
            None => match ends_first(inputs, decision.expire_after)? {
                Ends::Request => "expires before its turn comes".into(),
                Ends::Published(words) => words,
            },
        },
        // Where it is one time, what is in the way says it.
        State::Waiting if !certain => format!("{}; next {}", decision.why, pair?),
        // Another one undoes before what is there already.
        State::NotNeeded => format!("{}; next {}", decision.why, pair?),
        State::Scheduled
        | State::Deferred
        | State::RetryWait
        | State::Waiting
        | State::Queued
        | State::Countdown
        | State::Running
        | State::Stopping
        | State::Succeeded
        | State::SucceededRestart
        | State::Failed
        | State::TimedOut
        | State::Stopped
        | State::Interrupted
        | State::Expired
        | State::NotApplicable
        | State::Rejected => return None,
    };
    Some(words.into())
}

/// Whatever the time, nothing starts then.
fn without_service(world: &World) -> String {
    if world.inputs.facts.service { String::new() } else { format!("; {}", Code::NoService.row().brief) }
}

/// `1 of 3, ola; BP00010 runs`
fn queued(world: &World, subject: &Subject, closed: Closed) -> String {
    let Some((position, entry)) = queue::entry(world, subject.request.request_id) else {
        return String::new();
    };
    let waits = match reasons(world, subject, closed, |gate| queue::is_waited_for(entry, subject, gate)) {
        _ if !world.inputs.facts.service => Code::NoService.row().brief.to_owned(),
        none if none.is_empty() => "starts at the next step".to_owned(),
        some => some,
    };
    format!("{position} of {}, {}; {waits}", world.inputs.history.queue.len(), entry.by)
}

fn offered(world: &World, subject: &Subject, closed: Closed, next_run: Option<Wall>) -> String {
    if !subject.request.background {
        return Code::ApplicationOnly.row().brief.to_owned();
    }
    if subject.mandatory.is_none() {
        // That an operator runs it is only true where nothing else is in the way.
        let others = reasons(world, subject, closed, |g| g.code.is_some_and(|code| !code.is_by_hand()));
        let optional = Code::Optional.row().brief;
        return if others.is_empty() { optional.to_owned() } else { format!("{optional}; {others}") };
    }
    if let Some(at) = next_run {
        return ["runs ", &short(at, world.now, world.inputs.zone)].concat();
    }
    // What time alone opens is no news before the mandatory time.
    match reasons(world, subject, closed, |g| !matches!(g.change, Change::At(_))) {
        none if none.is_empty() => {}
        some => return some,
    }
    // After a start of the machine something else may go on for as long as nobody ends it.
    let settled = once_settled(world, subject);
    if let Some(code) = settled.code.filter(|_| closed.iter().any(|g| g.code == Some(Code::Booting))) {
        return code.row().brief.to_owned();
    }
    match ends_first(world.inputs, subject.expire) {
        Some(Ends::Request) => "expires before it may run".to_owned(),
        Some(Ends::Published(words)) => words,
        None => "when it may run is not known".to_owned(),
    }
}

/// What is over before a request may run.
enum Ends {
    /// Its own time.
    Request,
    /// What is in force at all, in words.
    Published(String),
}

/// The first of them; None: neither ever is. Where the newest on the share was refused or cannot be had, that is why what
/// is held is not renewed.
fn ends_first(inputs: &Inputs, expires: Option<Wall>) -> Option<Ends> {
    let good = super::world::good_until(inputs);
    if expires.is_some_and(|expires| good.is_none_or(|good| expires <= good)) {
        return Some(Ends::Request);
    }
    let until = short(good?, inputs.now, inputs.zone);
    let what = if inputs.instructions.index.is_some() { "index" } else { "instruction file" };
    Some(Ends::Published(match inputs.instructions.fault.as_ref().map(|fault| fault.code.row()) {
        Some(row) if row.gate == Gate::Source => {
            format!("{}; the {what} held counts until {until} only", row.brief)
        }
        Some(row) => format!("newer {what} refused: {}; the one held counts until {until} only", row.brief),
        None => format!("the {what} counts until {until} only"),
    }))
}

/// Every gate that does not pass and is wanted, in a few words each: `user anna; window 22:00`.
fn reasons(world: &World, subject: &Subject, closed: Closed, wanted: impl Fn(&GateResult) -> bool) -> String {
    let mut words: Vec<String> = Vec::new();
    // People first: they are what an operator can talk to.
    let users_first = closed.iter().filter(|g| g.gate == Gate::Users);
    for gate in users_first.chain(closed.iter().filter(|g| g.gate != Gate::Users)) {
        if !wanted(gate) {
            continue;
        }
        let word = gate.code.map(|code| reason(world, subject, gate, code)).unwrap_or_default();
        if !word.is_empty() && !words.contains(&word) {
            words.push(word);
        }
    }
    match words.as_mut_slice() {
        [only] => std::mem::take(only),
        words => words.join("; "),
    }
}

fn reason(world: &World, subject: &Subject, gate: &GateResult, code: Code) -> String {
    let row = code.row();
    match row.listed {
        Listed::Silent => String::new(),
        Listed::Brief => row.brief.to_owned(),
        Listed::Until(words) => match gate.change {
            Change::At(at) => [words, " ", &short(at, world.now, world.inputs.zone)].concat(),
            Change::Event | Change::Never => row.brief.to_owned(),
        },
        Listed::Users => {
            let within = world.inputs.policy.config.users.busy_within;
            let users = world.inputs.facts.users.as_deref().unwrap_or_default();
            users_words(&users.iter().filter(|u| !u.is_away(within)).collect::<Vec<_>>())
        }
        Listed::Dependency => {
            let missing = subject.request.depends_on.iter().find(|id| !is_fulfilled(world, id));
            match missing {
                Some(id) => format!("after {id}"),
                None => row.brief.to_owned(),
            }
        }
        Listed::Running => {
            let running = world.inputs.facts.running.as_ref();
            running.map(|(id, _)| format!("{id} runs")).unwrap_or_default()
        }
        Listed::Space => format!("disk: needs {}", bytes(subject.request.disk_space.unwrap_or(0))),
    }
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
    let text = match attempt.state.group() {
        Group::Running => {
            let elapsed = duration(between(attempt.started_at.unwrap_or(attempt.claimed_at), now));
            match subject {
                Some(s) => format!("{elapsed}/{}", duration(s.request.max_run_time)),
                None => format!("{elapsed}, withdrawn from the share"),
            }
        }
        Group::Executed if attempt.state == State::Interrupted => {
            "outcome unknown; rerun is yours".to_owned()
        }
        // No attempt is in the other groups; what is known of it would be told all the same.
        Group::Executed | Group::Pending | Group::Expired | Group::Skipped | Group::Rejected => {
            outcome(world, attempt)
        }
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
