//! A rollout in words, the same in `pcm rollout` and in the console. Whoever shows them says how a time is told.

use super::count::{Part, SEVERAL, holder_words};
use super::doc::{GateDoc, JobDoc, MachineDoc, ReachedDoc, ReasonDoc};
use super::gate::Answer;
use crate::clock::Wall;
use crate::site::index::JobState;
use crate::terms::Code;
use crate::text::SafeText;

/// How a time is told.
pub type Tell<'a> = &'a dyn Fn(Wall) -> String;

/// `50,112`
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// So many eighths of a bar are full, and its percentage: nothing is 100 % before all are.
pub fn bar(n: u64, of: u64, cells: u64) -> (u64, String) {
    let filled = (n * cells).checked_div(of).unwrap_or(0);
    let percent = (n * 100).checked_div(of).map_or_else(|| "-".to_owned(), |percent| format!("{percent}%"));
    (filled, percent)
}

/// `2/3 50%`
pub fn phase(job: &JobDoc) -> String {
    let phase = job.phase.zip(job.phases);
    phase.map_or_else(|| "-".to_owned(), |(phase, phases)| format!("{phase}/{phases} {}%", job.percent))
}

/// What the gate says, in a few words.
pub fn gate(job: &JobDoc, tell: Tell<'_>) -> String {
    let ended = job.done + job.unsuccessful();
    match job.state {
        JobState::Cancelled => return "cancelled".to_owned(),
        JobState::Suspended if job.halted => {
            return format!("HALT {}/{}", grouped(job.unsuccessful()), grouped(ended));
        }
        JobState::Suspended => return "suspended".to_owned(),
        JobState::Active => {}
    }
    let Some(gate) = &job.gate else { return "-".to_owned() };
    match (gate.answer, job.next_phase) {
        _ if job.over == Some(true) => "over".to_owned(),
        (Answer::Halt, _) => format!("HALT {}/{}", grouped(gate.f), grouped(gate.n)),
        (Answer::GoOn, Some(_)) => "go now".to_owned(),
        (Answer::GoOn, None) => "passed".to_owned(),
        (Answer::AsSeen, _) => "as seen".to_owned(),
        (Answer::Undecided, _) => undecided(job, gate, tell),
    }
}

fn undecided(job: &JobDoc, gate: &GateDoc, tell: Tell<'_>) -> String {
    match (job.next_at.filter(|_| gate.only_time), gate.needs) {
        (Some(at), _) => format!("go {}", tell(at)),
        (None, Some(more)) if more > 0 => format!("undecided +{}", grouped(more)),
        (None, _) => "undecided".to_owned(),
    }
}

/// The gate's answer with its numbers; None: only the site folder knows the limits.
#[allow(clippy::cast_precision_loss)] // numbers of machines are small
pub fn judged(job: &JobDoc, tell: Tell<'_>) -> Option<String> {
    let gate = job.gate.as_ref()?;
    let limit = format!("limit {}%", rate(gate.limit));
    let seen = match gate.n {
        0 if job.state == JobState::Suspended => {
            format!("GATE nothing has ended since it was suspended, {limit}")
        }
        0 => format!("GATE nothing has ended since it began or was resumed, {limit}"),
        n => format!(
            "GATE {} of {} ended failed, {}% ({} to {}), {limit}",
            grouped(gate.f),
            grouped(n),
            rate(gate.f as f64 / n as f64),
            rate(gate.rate_low),
            rate(gate.rate_high),
        ),
    };
    Some(format!("{seen}: {}", self::gate(job, tell)))
}

/// What keeps the gate from an answer, where that is more than its time. A job that is suspended waits for a word of somebody.
pub fn lacking(job: &JobDoc) -> &[SafeText] {
    let gate = job.gate.as_ref().filter(|_| job.state == JobState::Active);
    let gate = gate.filter(|gate| gate.answer == Answer::Undecided && !gate.only_time);
    gate.map_or(&[], |gate| &gate.words)
}

/// When most of those that can have run, and how many never will.
pub fn forecast(job: &JobDoc, tell: Tell<'_>) -> Option<String> {
    let never = match job.never {
        0 => String::new(),
        never => format!("; {} never", grouped(never)),
    };
    match &job.expected_95 {
        Some(ReachedDoc { at, latest: Some(latest) }) if at != latest => {
            Some(format!("95% of those that can: between {} and {}{never}", tell(*at), tell(*latest)))
        }
        Some(ReachedDoc { at, .. }) => Some(format!("95% of those that can: {}{never}", tell(*at))),
        None if job.never > 0 => Some(format!("{} never run by themselves", grouped(job.never))),
        None => None,
    }
}

/// What was foretold a day ago for now, beside what came.
pub fn yesterday(job: &JobDoc) -> Option<String> {
    let then = job.foretold.as_ref().filter(|then| then.targets > 0 && job.targets > 0)?;
    let percent = |n: u64, of: u64| n * 100 / of;
    let [low, high] = [then.done_low, then.done_high].map(|n| percent(n, then.targets));
    let range = if low == high { format!("{low}%") } else { format!("{low}% to {high}%") };
    let is = percent(job.done + job.not_needed, job.targets);
    Some(format!("forecast of yesterday for now: {range}, is {is}%"))
}

/// Who runs by themselves, whatever is done, and the first of them.
pub fn anyway(reason: &ReasonDoc, tell: Tell<'_>) -> Option<String> {
    reason.first_at.map(|at| match reason.runs_in_a_day {
        Some(n) if n > 0 => format!("{} run anyway, first {}", grouped(n), tell(at)),
        _ => format!("first {}", tell(at)),
    })
}

/// What a reason is, in a sentence or two: since when it holds machines up, what ends it and when, and what can be done about it.
pub fn detail(reason: &ReasonDoc, job: &JobDoc, tell: Tell<'_>) -> String {
    let code = Code::ALL.iter().find(|code| code.as_str() == reason.reason).map(|code| code.row());
    let since = reason.since.map(|at| format!(", the first since {}", tell(at))).unwrap_or_default();
    let what = match (code, reason.reason) {
        (Some(row), _) => format!("they wait until {}", row.opens),
        (None, SEVERAL) => "several gates are closed on each of them".to_owned(),
        (None, _) => "no gate is closed on them".to_owned(),
    };
    let mut parts = vec![format!("{what}{since}")];
    let foretold = reason.runs_in_a_day.filter(|n| *n > 0).zip(reason.first_at);
    parts.extend(foretold.map(|(n, at)| match n {
        1 => format!("1 runs by itself within a day, {}", tell(at)),
        n => format!("{} run by themselves within a day, the first {}", grouped(n), tell(at)),
    }));
    let remedy = code.map(|row| row.remedy.replace("{id}", &job.request_id.to_string()));
    let remedy = remedy.filter(|remedy| !remedy.is_empty()).map(|remedy| format!(". {remedy}"));
    format!("{}{}", parts.join("; "), remedy.unwrap_or_default())
}

/// ` (+112, -3)`: what came and went since it is published as it is.
pub fn moved(job: &JobDoc) -> String {
    let moved: Vec<String> = [('+', job.came), ('-', job.went)]
        .into_iter()
        .filter_map(|(sign, n)| Some(format!("{sign}{}", grouped(n.filter(|n| *n > 0)?))))
        .collect();
    if moved.is_empty() { String::new() } else { format!(" ({})", moved.join(", ")) }
}

/// `exit 17 "no space"`
pub fn result(exit_code: Option<i64>, result: &SafeText) -> String {
    let exit = exit_code.map(|code| format!("exit {code} ")).unwrap_or_default();
    format!("{exit}\"{result}\"")
}

/// `0.46`, `12`, `100`: a rate in percent, as exactly as it is of use.
pub fn rate(rate: f64) -> String {
    let percent = rate * 100.0;
    let text = if percent < 10.0 { format!("{percent:.2}") } else { format!("{percent:.0}") };
    let short = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    short.to_owned()
}

/// A machine's state in a word: what it says, or what it is counted as.
pub fn state(machine: &MachineDoc) -> &'static str {
    machine.state.map_or(machine.part.as_str(), |state| state.as_str())
}

/// What is in the way, in a few words each. A report may name one thing twice.
pub fn briefs(codes: &[Code]) -> Vec<&'static str> {
    let mut briefs: Vec<&str> = Vec::new();
    for code in codes {
        if !briefs.contains(&code.row().brief) {
            briefs.push(code.row().brief);
        }
    }
    briefs
}

/// Why it has not run, or how it ended, and what comes next.
pub fn why(machine: &MachineDoc, tell: Tell<'_>) -> String {
    match machine.part {
        Part::Waiting => {
            let codes = briefs(&machine.blocked_by);
            let why = match codes.is_empty() {
                true => machine.reason.as_ref().map_or("", |reason| holder_words(reason.as_str())).to_owned(),
                false => codes.join(", "),
            };
            match (machine.next_run, machine.never) {
                (Some(at), _) => format!("{why}; next {}", tell(at)),
                (None, true) => format!("{why}; never"),
                (None, false) => why,
            }
        }
        Part::Silent => machine.reason.as_ref().map_or_else(String::new, ToString::to_string),
        Part::Failed | Part::Interrupted => {
            let exit = machine.exit_code.map(|code| format!("exit {code} ")).unwrap_or_default();
            format!("{exit}{}", machine.result.as_ref().map_or("", |result| result.as_str()))
        }
        Part::Running => machine.started_at.map(|at| format!("since {}", tell(at))).unwrap_or_default(),
        Part::Done | Part::NotNeeded => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_at_a_glance() {
        let texts = [0, 7, 999, 1_000, 50_112, 1_234_567].map(grouped);
        assert_eq!(texts, ["0", "7", "999", "1,000", "50,112", "1,234,567"]);
        assert_eq!(bar(81, 100, 8), (6, "81%".to_owned()));
        assert_eq!((bar(999, 1_000, 8), bar(0, 0, 8)), ((7, "99%".to_owned()), (0, "-".to_owned())));
        assert_eq!([0.0046, 0.05, 0.1554, 0.0, 1.0, 0.001].map(rate), ["0.46", "5", "16", "0", "100", "0.1"]);
    }
}
