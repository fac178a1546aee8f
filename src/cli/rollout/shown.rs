//! What `pcm rollout` says to whoever reads it, in the words of view 5 (UX.md 1), within 80 columns.

use super::doc::{GateDoc, JobDoc, MachineDoc, ReachedDoc, RolloutDoc};
use crate::cli::App;
use crate::cli::page::{Page, Tone};
use crate::cli::table::{Table, fixed, words};
use crate::cli::time::Look;
use crate::rollout::count::{Age, Part, SEVERAL, holder_words, taken_out_words};
use crate::rollout::gate::Answer;
use crate::site::index::JobState;
use crate::text::{self, SafeText};
use std::time::Duration;

/// The most rows of each list; the document has all of them.
const MOST: usize = 8;
/// The most machines.
const MOST_MACHINES: usize = 100;
/// How wide a bar is.
const BAR: u64 = 8;

/// The page: all jobs, or one in full.
pub(super) fn page(app: &App, doc: &RolloutDoc, one: bool) -> Page {
    let look = app.look();
    let mut page = Page::new(app.out.width);
    head(&mut page, doc);
    if doc.jobs.is_empty() {
        page.line("No job is published: pcm job send");
    } else {
        jobs(&mut page, &look, doc);
    }
    if let ([job], true) = (doc.jobs.as_slice(), one) {
        page.blank();
        figures(&mut page, &look, job);
        lists(&mut page, &look, job);
        if doc.condition.is_some() {
            machines(&mut page, &look, job.machines.as_deref().unwrap_or_default());
        }
    }
    unusable(&mut page, doc);
    for group in doc.attention.groups().iter().take(MOST) {
        page.blank().item("! ", format!("{}. {} [{}]", group.message, group.remedy, group.code));
    }
    if let Some(condition) = &doc.condition {
        page.blank().line(format!("Only machines where {condition}."));
    }
    if doc.unsigned_reports {
        page.blank().line("Reports without a signature were counted (unsigned_reports = true in site.toml).");
    }
    for warning in &doc.warnings {
        page.item("! ", warning);
    }
    page
}

fn head(page: &mut Page, doc: &RolloutDoc) {
    let mut parts = vec![format!("read {}", grouped(doc.read))];
    if doc.unread > 0 {
        parts.push(format!("{} unusable", grouped(doc.unread)));
    }
    if doc.without_report > 0 {
        parts.push(format!("{} without a report", grouped(doc.without_report)));
    }
    let machines = if doc.machines == 1 { "machine" } else { "machines" };
    let many = grouped(doc.machines);
    page.line(format!("{} {}  {many} {machines}  {}", doc.site, doc.name, parts.join(", ")));
    if let Some(collected) = &doc.collected {
        let age = text::duration(Duration::from_secs(collected.age_s));
        page.line(format!("As the collector read it {age} ago; --fresh reads the reports themselves."));
    }
    if !doc.whole {
        page.strong("The share did not answer for every report: the figures are not whole.");
    }
}

fn jobs(page: &mut Page, look: &Look, doc: &RolloutDoc) {
    let columns = [
        fixed(""),
        fixed("JOB"),
        words("PACKAGE", 10),
        fixed("PHASE"),
        fixed("TARGETS"),
        fixed("DONE"),
        fixed("FAIL"),
        words("GATE", 9),
    ];
    let mut table = Table::new(0, &columns);
    let targets = width(doc.jobs.iter().map(|job| job.targets)).max("TARGETS".len());
    let failed = width(doc.jobs.iter().map(JobDoc::unsuccessful)).max("FAIL".len());
    for job in &doc.jobs {
        let tone = if job.halted { Tone::Strong } else { Tone::Plain };
        table.row(
            tone,
            [
                if job.halted { "!" } else { " " }.to_owned(),
                job.job_id.to_string(),
                job.package.to_string(),
                job.phase.zip(job.phases).map_or_else(
                    || "-".to_owned(),
                    |(phase, phases)| format!("{phase}/{phases} {}%", job.percent),
                ),
                format!("{:>targets$}", grouped(job.targets)),
                bar(job.done + job.not_needed, job.targets),
                format!("{:>failed$}", grouped(job.unsuccessful())),
                gate(look, job),
            ],
        );
    }
    page.table(&table);
}

fn width(numbers: impl Iterator<Item = u64>) -> usize {
    numbers.map(|n| grouped(n).len()).max().unwrap_or(0)
}

/// `50,112`
pub(super) fn grouped(n: u64) -> String {
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

/// `######.. 81%`: nothing is 100 % before all are.
fn bar(n: u64, of: u64) -> String {
    let filled = (n * BAR).checked_div(of).unwrap_or(0);
    let percent = (n * 100).checked_div(of).map_or_else(|| "-".to_owned(), |percent| format!("{percent}%"));
    let marks: String = (0..BAR).map(|i| if i < filled { '#' } else { '.' }).collect();
    format!("{marks} {percent:>4}")
}

/// What the gate says, in a few words.
fn gate(look: &Look, job: &JobDoc) -> String {
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
        (Answer::Undecided, _) => undecided(look, job, gate),
    }
}

fn undecided(look: &Look, job: &JobDoc, gate: &GateDoc) -> String {
    match (job.next_at.filter(|_| gate.only_time), gate.needs) {
        (Some(at), _) => format!("go {}", look.time(at)),
        (None, Some(more)) if more > 0 => format!("undecided +{}", grouped(more)),
        (None, _) => "undecided".to_owned(),
    }
}

/// `0.46`, `12`, `100`: a rate in percent, as exactly as it is of use.
fn rate(rate: f64) -> String {
    let percent = rate * 100.0;
    let text = if percent < 10.0 { format!("{percent:.2}") } else { format!("{percent:.0}") };
    let short = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    short.to_owned()
}

#[allow(clippy::cast_precision_loss)] // numbers of machines are small
fn figures(page: &mut Page, look: &Look, job: &JobDoc) {
    let mut parts = job.parts().map(|(part, n)| format!("{} {}", part.words(), grouped(n))).to_vec();
    let rest = parts.split_off(3);
    page.line(format!("{}: {}", job.command, job.state));
    if let Some(reason) = &job.reason {
        page.strong(format!("  {reason}"));
    }
    let moved: Vec<String> = [('+', job.came), ('-', job.went)]
        .into_iter()
        .filter_map(|(sign, n)| Some(format!("{sign}{}", grouped(n.filter(|n| *n > 0)?))))
        .collect();
    let moved = if moved.is_empty() { String::new() } else { format!(" ({})", moved.join(", ")) };
    page.line(format!("targets {}{moved} = {}", grouped(job.targets), parts.join("  ")));
    page.line(format!("        {}", rest.join("  ")));
    let out: Vec<String> = job
        .not_targets_because
        .iter()
        .map(|(why, n)| format!("{} {}", grouped(*n), taken_out_words(why)))
        .collect();
    if !out.is_empty() {
        page.line(format!("taken out {}: {}", grouped(job.not_targets), out.join(", ")));
    }
    if job.later > 0 {
        page.line(format!("in later phases {}", grouped(job.later)));
    }
    if let Some(gate) = &job.gate {
        let limit = format!("limit {}%", rate(gate.limit));
        let seen = match gate.n {
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
        page.line(format!("{seen}: {}", self::gate(look, job)));
        let words = gate.words.iter().filter(|_| gate.answer == Answer::Undecided && !gate.only_time);
        for words in words {
            page.line(format!("  {words}"));
        }
    }
    let never = match job.never {
        0 => String::new(),
        never => format!("; {} never", grouped(never)),
    };
    match &job.expected_95 {
        Some(ReachedDoc { at, latest: Some(latest) }) if at != latest => {
            let (first, last) = (look.time(*at), look.time(*latest));
            page.line(format!("95% of those that can: between {first} and {last}{never}"));
        }
        Some(ReachedDoc { at, .. }) => {
            page.line(format!("95% of those that can: {}{never}", look.time(*at)));
        }
        None if job.never > 0 => {
            page.line(format!("{} never run by themselves", grouped(job.never)));
        }
        None => {}
    }
    if let Some(then) = job.foretold.as_ref().filter(|then| then.targets > 0 && job.targets > 0) {
        let percent = |n: u64, of: u64| n * 100 / of;
        let [low, high] = [then.done_low, then.done_high].map(|n| percent(n, then.targets));
        let range = if low == high { format!("{low}%") } else { format!("{low}% to {high}%") };
        let is = percent(job.done + job.not_needed, job.targets);
        page.line(format!("forecast of yesterday for now: {range}, is {is}%"));
    }
}

fn lists(page: &mut Page, look: &Look, job: &JobDoc) {
    if !job.reasons.is_empty() {
        page.blank();
        let titles =
            [fixed(" "), words("WHAT HOLDS THEM UP (ALONE)", 20), fixed("FREES IN A DAY"), words("", 8)];
        let mut table = Table::new(2, &titles);
        let numbers = width(job.reasons.iter().map(|reason| reason.machines));
        let rows = job.reasons.iter().filter(|reason| reason.reason != SEVERAL);
        for reason in rows.chain(job.reasons.iter().filter(|reason| reason.reason == SEVERAL)).take(MOST + 1)
        {
            let first = reason.first_at.map(|at| match reason.runs_in_a_day {
                Some(n) if n > 0 => format!("{} run anyway, first {}", grouped(n), look.time(at)),
                _ => format!("first {}", look.time(at)),
            });
            table.row(
                Tone::Plain,
                [
                    format!("{:>numbers$}", grouped(reason.machines)),
                    holder_words(reason.reason).to_owned(),
                    reason.frees_in_a_day.map_or_else(|| "-".to_owned(), grouped),
                    first.unwrap_or_default(),
                ],
            );
        }
        page.table(&table);
        more(page, job.reasons.len(), MOST + 1);
    }
    let by_result = job.by_result.iter().map(|result| {
        let exit = result.exit_code.map(|code| format!("exit {code} ")).unwrap_or_default();
        (result.count, format!("{exit}\"{}\"", result.result))
    });
    list(page, "FAILED BY RESULT", by_result);
    let ages =
        Age::ALL.iter().filter_map(|age| Some((*job.by_silence.get(age.as_str())?, age.words().to_owned())));
    list(page, "SILENT", ages);
    list(page, "", job.silent_because.iter().map(|silent| (silent.machines, silent.reason.to_string())));
    if job.by_version.len() > 1 {
        list(page, "VERSIONS", job.by_version.iter().map(|(version, n)| (*n, version.to_string())));
    }
    if job.late.machines > 0 {
        let longest = text::duration(Duration::from_secs(job.late.longest_s));
        page.blank().line(format!("{} began late, the last one {longest}", grouped(job.late.machines)));
    }
    if job.undelivered > 0 {
        page.line(format!("{} have results that they could not deliver", grouped(job.undelivered)));
    }
}

fn list(page: &mut Page, title: &str, rows: impl Iterator<Item = (u64, String)>) {
    let rows: Vec<(u64, String)> = rows.collect();
    if rows.is_empty() {
        return;
    }
    if !title.is_empty() {
        page.blank().line(title);
    }
    let numbers = width(rows.iter().map(|(n, _)| *n));
    let mut table = Table::new(2, &[fixed(""), words("", 20)]);
    for (n, words) in rows.iter().take(MOST) {
        table.row(Tone::Plain, [format!("{:>numbers$}", grouped(*n)), words.clone()]);
    }
    page.table(&table);
    more(page, rows.len(), MOST);
}

fn more(page: &mut Page, rows: usize, shown: usize) {
    if rows > shown {
        page.line(format!("  and {} more rows: --json has them", rows - shown));
    }
}

fn machines(page: &mut Page, look: &Look, machines: &[MachineDoc]) {
    page.blank();
    let columns =
        [fixed("MACHINE"), words("HOST", 8), fixed("STATE"), words("WHY NOT / NEXT", 12), fixed("SEEN")];
    let mut table = Table::new(0, &columns);
    for machine in machines.iter().take(MOST_MACHINES) {
        let state = machine.state.map_or(machine.part.as_str(), |state| state.as_str());
        table.row(
            Tone::Plain,
            [
                machine.machine.to_string(),
                machine.host.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string),
                state.to_owned(),
                why(look, machine),
                machine.last_seen.map_or_else(|| "never".to_owned(), |at| look.distance(at)),
            ],
        );
    }
    page.table(&table);
    more(page, machines.len(), MOST_MACHINES);
}

fn why(look: &Look, machine: &MachineDoc) -> String {
    match machine.part {
        Part::Waiting => {
            let codes: Vec<&str> = machine.blocked_by.iter().map(|code| code.row().brief).collect();
            let why = match codes.is_empty() {
                true => machine.reason.as_ref().map_or("", |reason| holder_words(reason.as_str())).to_owned(),
                false => codes.join(", "),
            };
            match (machine.next_run, machine.never) {
                (Some(at), _) => format!("{why}; next {}", look.time(at)),
                (None, true) => format!("{why}; never"),
                (None, false) => why,
            }
        }
        Part::Silent => machine.reason.as_ref().map_or_else(String::new, ToString::to_string),
        Part::Failed | Part::Interrupted => {
            let exit = machine.exit_code.map(|code| format!("exit {code} ")).unwrap_or_default();
            format!("{exit}{}", machine.result.clone().unwrap_or_default())
        }
        Part::Running => machine.started_at.map(|at| format!("since {}", look.time(at))).unwrap_or_default(),
        Part::Done | Part::NotNeeded => String::new(),
    }
}

fn unusable(page: &mut Page, doc: &RolloutDoc) {
    if doc.unusable.is_empty() {
        return;
    }
    page.blank().line("REPORTS THAT CANNOT BE USED");
    let mut table = Table::new(2, &[words("", 13), words("", 30)]);
    for unusable in doc.unusable.iter().take(MOST) {
        let file = SafeText::new(&crate::fields::cut(unusable.file.as_str(), 40));
        table.row(Tone::Plain, [file.to_string(), unusable.reason.to_string()]);
    }
    page.table(&table);
    more(page, doc.unusable.len(), MOST);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_at_a_glance() {
        let texts = [0, 7, 999, 1_000, 50_112, 1_234_567].map(grouped);
        assert_eq!(texts, ["0", "7", "999", "1,000", "50,112", "1,234,567"]);
        assert_eq!(bar(81, 100), "######..  81%");
        assert_eq!((bar(999, 1_000).as_str(), bar(0, 0).as_str()), ("#######.  99%", "........    -"));
        assert_eq!([0.0046, 0.05, 0.1554, 0.0, 1.0, 0.001].map(rate), ["0.46", "5", "16", "0", "100", "0.1"]);
    }
}
