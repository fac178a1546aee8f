//! What `pcm job advance` says to whoever reads it.

use super::{ALARM, AdvanceDoc, MOST, PhaseDoc};
use crate::cli::page::Page;
use crate::cli::view::count;
use crate::cli::{App, folder};
use crate::rollout::gate::Answer;
use crate::site::ids::MachineId;
use crate::site::index::JobState;
use crate::text::SafeText;

/// The page of `pcm job advance`.
pub(super) fn page(app: &App, doc: &AdvanceDoc) -> Page {
    let mut page = Page::new(app.out.width);
    if doc.jobs.is_empty() {
        page.line("No active job has phases: there is nothing to advance.");
        return page;
    }
    for step in &doc.jobs {
        page.blank().line(&step.title);
        let answer = step.gate.as_ref().map(|gate| gate.answer);
        let words: Vec<&str> = step.words.iter().map(SafeText::as_str).collect();
        let words = words.join("; ");
        match answer {
            Some(Answer::Halt) => page.strong(format!("  halt: {words}.")),
            Some(answer) => page.line(format!("  {answer}: {words}.")),
            None => page.line(format!("  {words}.")),
        };
        let would = |does: &str, would: &str| if app.dry_run { would.to_owned() } else { does.to_owned() };
        if let Some(error) = &step.error {
            page.strong(format!("  It stays as it is: {error}."));
        } else if step.state == JobState::Suspended {
            let is = would("It is suspended", "It would be suspended");
            page.line(format!("  {is}: nothing of it starts on a machine from its next poll on."));
            page.line(format!("  Failed on: {}", some(&step.failed)));
        } else if step.moved {
            let verb = would("reaches", "would reach");
            page.line(format!("  It {verb} {} % of its machines now.", step.percent));
        } else if step.percent >= 100.0 {
            page.line("  It has reached all of its machines.");
        }
        if step.gate.is_some() {
            page.line(format!(
                "  {} reached: {} ended, {} running, {} silent.",
                count(usize::try_from(step.machines).unwrap_or(usize::MAX), "machine"),
                step.ended,
                step.running,
                step.silent
            ));
        }
        for reason in step.silent_because.iter().take(MOST) {
            page.line(format!("    {} silent: {}", reason.machines, reason.reason));
        }
        if let Some(since) = step.since.filter(|since| app.now - *since > ALARM) {
            let since = app.look().time_and_distance(since);
            page.strong(format!(
                "  Nothing has been decided since {since}: look at what is missing, or use --now --reason R."
            ));
        }
        for phase in &step.phases {
            page.line(phase_words(phase));
        }
    }
    if doc.jobs.iter().any(|step| step.next_at.is_some()) {
        page.blank().line(app.look().zone_line());
    }
    if doc.unsigned_reports {
        page.blank().line("Reports without a signature were counted (unsigned_reports = true in site.toml).");
    }
    match &doc.published {
        Some(published) => folder::page(app, published, page.blank()),
        None if doc.jobs.iter().any(|step| step.moved) => folder::unpublished(app, page.blank()),
        None => {}
    }
    page
}

fn phase_words(phase: &PhaseDoc) -> String {
    let name = match phase.percent {
        0.0 => "the first machines".to_owned(),
        percent => format!("{percent} %"),
    };
    let proves = match (phase.provable, phase.provable_from) {
        (true, _) => "they can prove the limit".to_owned(),
        (false, Some(from)) => format!("too few to prove the limit, which needs {from}"),
        (false, None) => "no number of them can prove a limit of 0".to_owned(),
    };
    format!(
        "  {name}: {} machines, {} silent; {proves}; {} will have launched before a halt can reach them.",
        phase.machines, phase.silent, phase.launched_before_halt
    )
}

fn some(machines: &[MachineId]) -> String {
    const SHOWN: usize = 10;
    let mut names: Vec<String> = machines.iter().take(SHOWN).map(ToString::to_string).collect();
    if machines.len() > SHOWN {
        names.push(format!("and {} more", machines.len() - SHOWN));
    }
    names.join(" ")
}
