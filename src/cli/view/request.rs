//! `pcm show` and `pcm explain`: one request in full.

use super::{pairs, said, state_words, why_words};
use crate::cli::page::{Page, Tone};
use crate::cli::table::{Table, fixed, words};
use crate::cli::time::Look;
use crate::executor::talk::view::{
    AllowedDoc, BlockedDoc, ChangesOn, ExplainDoc, GateDoc, ShowDoc, WAITS_FOR_INPUT, kept_no_longer,
};
use crate::site::ids::RequestId;
use crate::site::index::job::OfferTo;
use crate::site::instruction::{Restarts, RunWhen};
use crate::terms::{Code, Gate, Group, RefusalCode, Refused, VerbKind, Verdict};
use crate::text::{self, SafeText};
use std::time::Duration;

/// `pcm explain`: state, why, next run, gates, what may be done.
pub fn explain(doc: &ExplainDoc, look: &Look) -> Page {
    let mut page = Page::new(look.width);
    let id = doc.request_id.map(|id| id.to_string());
    let id = id.or_else(|| doc.job_id.map(|job| format!("job {job}"))).unwrap_or_default();
    page.strong(format!("{id} {} {}.", doc.package, state_words(doc.state)));
    if let Some(by) = &doc.targeted_by {
        let job = doc.job_id.map(|job| format!("Job {job} is")).unwrap_or_else(|| "It is".to_owned());
        page.line(format!("{job} for this machine by {by}."));
    }
    let why = why(doc, look);
    if !why.is_empty() {
        page.line(why);
    }
    if let Some(path) = &doc.transcript {
        let until = doc.transcript_until.map(|until| format!(", kept until {}", look.short(until)));
        page.line(format!("Its output: {path}{}", until.unwrap_or_default()));
    }
    if kept_no_longer(doc.transcript.as_ref(), doc.transcript_until, look.now) {
        page.line("Its transcript is kept no longer ([retention] transcripts).");
    } else if doc.transcript.is_none() && doc.transcript_until.is_some() {
        page.line(
            "There is no transcript: none was written, or it went to make room ([retention] transcripts_size).",
        );
    }
    if let Some(at) = doc.folded_at {
        page.line(format!(
            "Its details were folded {} ([retention] details): that it ran, when, by whom and how it ended is kept.",
            look.time(at)
        ));
    }
    page.line(next_run(doc, look)).line(look.zone_line());
    past(&mut page, doc, look);
    page.blank();
    gates(&mut page, &doc.gates, look);
    if let Some(id) = doc.request_id {
        allowed(&mut page, id, &doc.allowed, look);
    }
    page
}

/// How it came to that, as history recorded it.
fn past(page: &mut Page, doc: &ExplainDoc, look: &Look) {
    // What lasted for less than a minute, between one look and the next, explains nothing to anybody.
    let lasted = |span: &&BlockedDoc| {
        let until = span.until.unwrap_or(look.now);
        span.until.is_none() || until - span.from >= chrono::TimeDelta::minutes(1)
    };
    let blocked: Vec<&BlockedDoc> = doc.blocked.iter().filter(lasted).collect();
    if doc.told.is_empty() && blocked.is_empty() {
        return;
    }
    page.blank().line("How it came to that:");
    for told in &doc.told {
        page.item("  - ", told);
    }
    let mut table = Table::new(2, &[fixed("FROM"), fixed("UNTIL"), words("WHAT WAS IN THE WAY", 20)]);
    // The newest are what is asked about; the document has all of them.
    for span in &blocked[blocked.len().saturating_sub(MOST_SPANS)..] {
        let what = match span.codes.as_deref() {
            None => "not known: nobody looked, or it was not recorded".to_owned(),
            Some([]) => "another package ran".to_owned(),
            Some(codes) => codes.iter().map(|code| code.as_str()).collect::<Vec<_>>().join(", "),
        };
        table.row(Tone::Plain, [look.time(span.from), look.time_or(span.until, "now"), what]);
    }
    if !table.is_empty() {
        page.table(&table);
    }
}

/// How many times in which something was in the way are printed.
const MOST_SPANS: usize = 12;

/// The first sentence after the state: from the gates, whose evidence is whole where the list has only a few words.
fn why(doc: &ExplainDoc, look: &Look) -> String {
    let gate = |gate: Gate| doc.gates.iter().find(|g| g.gate == gate);
    match doc.state.group() {
        Group::Pending if let Some(queued) = &doc.queued => {
            let reason =
                if queued.reason.is_empty() { String::new() } else { format!(": \"{}\"", queued.reason) };
            format!(
                "In the queue: {}. {} asked for it {}{reason}.",
                bare(doc.why.as_str()),
                queued.by,
                look.time_and_distance(queued.at)
            )
        }
        Group::Running => format!("So far: {}.", bare(doc.why.as_str())),
        Group::Executed => match gate(Gate::History) {
            Some(history) => format!("What happened: {}.", bare(history.evidence.as_str())),
            None => format!("What happened: {}.", bare(doc.why.as_str())),
        },
        _ => {
            let reasons = reasons(&doc.gates);
            if reasons.is_empty() { String::new() } else { format!("Why not now: {}.", reasons.join("; ")) }
        }
    }
}

/// What stands in the way, each once. That something else runs passes by itself, so it counts only where it is all.
fn reasons(gates: &[GateDoc]) -> Vec<&str> {
    let own = || blocking(gates).filter(|g| g.code != Some(Code::Busy));
    // A rejected record makes most gates unknown: what says so is the record's own gate.
    let said = |g: &&GateDoc| g.verdict == Verdict::Block || !own().any(|o| o.verdict == Verdict::Block);
    let mut found: Vec<&str> = Vec::new();
    for gate in own().filter(said) {
        let evidence = bare(gate.evidence.as_str());
        if !found.contains(&evidence) {
            found.push(evidence);
        }
    }
    if found.is_empty() { blocking(gates).map(|g| bare(g.evidence.as_str())).collect() } else { found }
}

fn next_run(doc: &ExplainDoc, look: &Look) -> String {
    let text = match (doc.state.group(), doc.next_run, doc.never) {
        (Group::Running, ..) => "it is under way.".to_owned(),
        (Group::Executed, None, _) => "none by itself; it has had its attempt.".to_owned(),
        (_, Some(at), _) if at <= look.now && doc.state.is_ready() && doc.latest == Some(at) => {
            "at the service's next step.".to_owned()
        }
        (_, Some(at), _) => {
            format!("{}, if nothing but time changes.", look.pair_and_distance(at, doc.latest))
        }
        (_, None, true) => "never by itself.".to_owned(),
        (_, None, false) => "as soon as that has changed; no time can be named.".to_owned(),
    };
    format!("Next run: {text}")
}

fn blocking(gates: &[GateDoc]) -> impl Iterator<Item = &GateDoc> {
    gates.iter().filter(|g| g.verdict != Verdict::Pass)
}

/// A sentence without its full stop.
fn bare(text: &str) -> &str {
    text.trim_end_matches('.')
}

fn gates(page: &mut Page, gates: &[GateDoc], look: &Look) {
    if gates.is_empty() {
        page.line("It is not in the instruction file any more; only history knows it.");
        return;
    }
    let mut table = Table::new(0, &[fixed("GATE"), fixed(""), words("EVIDENCE", 30), words("CHANGES", 12)]);
    let mut said: Vec<&SafeText> = Vec::new();
    for gate in gates {
        let (verdict, tone) = match gate.verdict {
            Verdict::Pass => ("pass", Tone::Plain),
            Verdict::Block => ("BLOCK", Tone::Strong),
            Verdict::Unknown => ("UNKNOWN", Tone::Strong),
        };
        // Said once: a rejected record makes a dozen gates unknown for the same reason.
        let again = gate.verdict == Verdict::Unknown && said.contains(&&gate.evidence);
        said.push(&gate.evidence);
        let evidence = match &gate.code {
            _ if again => "the same".to_owned(),
            Some(code) => format!("{} [{code}]", bare(gate.evidence.as_str())),
            None => bare(gate.evidence.as_str()).to_owned(),
        };
        let changes = match (gate.next_change, gate.changes_on, gate.verdict) {
            _ if again => String::new(),
            (Some(at), _, Verdict::Pass) => format!("until {}", look.time(at)),
            (Some(at), _, _) => look.time_and_distance(at),
            // What passes and needs an event to close is of no interest.
            (None, _, Verdict::Pass) => String::new(),
            (None, ChangesOn::Time | ChangesOn::Event, _) => "when that changes".to_owned(),
            (None, ChangesOn::Never, _) => "never".to_owned(),
        };
        table.row(tone, [gate.gate.to_string(), verdict.to_owned(), evidence, changes]);
    }
    page.table(&table);
}

/// What an operator may do, with the exact command; then what not, with the reason.
fn allowed(page: &mut Page, id: RequestId, allowed: &[AllowedDoc], look: &Look) {
    let possible = |a: &&AllowedDoc| a.ok || !a.overrides.is_empty();
    let refused = |a: &AllowedDoc| a.code == Some(Refused::NotPermitted.into());
    if let Some(refused) = allowed.first().filter(|_| allowed.iter().all(refused)) {
        page.blank().line(format!(
            "Nothing is possible for you: {} [{}].",
            bare(refused.why.as_str()),
            Refused::NotPermitted
        ));
        return;
    }
    if allowed.iter().any(|a| possible(&a)) {
        page.blank().line("You may:");
        for a in allowed.iter().filter(possible) {
            page.strong(format!("  {}", suggestion(id, a, look)));
            if !a.why.is_empty() {
                page.line(format!("      {}", a.why));
            }
        }
    }
    // That what does not run cannot be stopped, and the like, nobody asks.
    let told = |a: &&AllowedDoc| {
        let plain = [Refused::NotAttempted, Refused::NotDeferred, Refused::NotRunning].map(RefusalCode::from);
        !possible(a) && !a.code.is_some_and(|code| plain.contains(&code))
    };
    if allowed.iter().any(|a| told(&a)) {
        page.blank().line("Not possible now:");
        let mut table = Table::new(2, &[fixed(""), words("", 30)]);
        for a in allowed.iter().filter(told) {
            let code = a.code.map(|code| format!(" [{code}]")).unwrap_or_default();
            table.row(Tone::Plain, [a.verb.to_string(), format!("{}{code}", bare(a.why.as_str()))]);
        }
        page.table(&table);
    }
}

/// The command to paste.
fn suggestion(id: RequestId, a: &AllowedDoc, look: &Look) -> String {
    let mut text = format!("{} {} {id}", look.pcm, a.verb);
    if a.verb == VerbKind::Defer {
        text.push_str(" --for 2h");
    }
    if !a.overrides.is_empty() {
        text.push_str(&format!(" --override {}", Gate::join(&a.overrides, ",")));
    }
    let asks_why = match a.verb {
        VerbKind::Rerun | VerbKind::Defer | VerbKind::Stop => true,
        VerbKind::Run | VerbKind::Undefer => !a.overrides.is_empty(),
    };
    if asks_why {
        text.push_str(" --reason \"...\"");
    }
    text
}

/// `pcm show`
pub fn show(doc: &ShowDoc, look: &Look) -> Page {
    let r = &doc.request;
    let mut page = Page::new(look.width);
    let id = r.request_id.map_or_else(|| "?".to_owned(), |id| id.to_string());
    page.strong(format!("{id} {} {}.", r.package, state_words(r.state)));
    if !r.why.is_empty() {
        page.line(format!("Why: {}.", why_words(&r.why, r.is_by_hand())));
    }
    page.line(look.zone_line()).blank();
    let seconds = |s: u64| text::duration(Duration::from_secs(s));
    let time = |at| look.time_or(at, "");
    let platforms: Vec<&str> = doc.platforms.iter().map(|platform| platform.as_str()).collect();
    let known = doc.run_when.is_some();
    pairs(
        &mut page,
        [
            ("command", r.command.to_string()),
            ("command line", doc.command_line.as_ref().map(ToString::to_string).unwrap_or_default()),
            ("runs as", doc.run_as.to_string()),
            (
                "package, job",
                [r.package_id.map(|i| i.to_string()), r.job_id.map(|i| i.to_string())]
                    .into_iter()
                    .flatten()
                    .collect::<Vec<_>>()
                    .join(", "),
            ),
            ("state since", r.since.map(|at| look.time_and_distance(at)).unwrap_or_default()),
            ("offered", time(r.offer_after)),
            (
                "mandatory",
                if known {
                    look.time_or(r.mandatory_after, "never: it is optional")
                } else {
                    time(r.mandatory_after)
                },
            ),
            ("expires", if known { look.time_or(r.expire_after, "never") } else { time(r.expire_after) }),
            ("next run", r.next_run.map(|at| look.pair_and_distance(at, r.latest)).unwrap_or_default()),
            (
                "deferred",
                r.deferred_until
                    .map(|at| format!("until {}", look.time_and_distance(at)))
                    .unwrap_or_default(),
            ),
            (
                "offered to",
                r.of_job
                    .offer_to
                    .map_or("", |OfferTo::Users| "whoever is logged on, too: pcm install")
                    .to_owned(),
            ),
            ("users", doc.run_when.map(run_when).unwrap_or_default().to_owned()),
            ("time limit", doc.max_run_time_s.map(seconds).unwrap_or_default()),
            ("restarts", doc.restarts.map(restarts).unwrap_or_default().to_owned()),
            (
                "platforms",
                if known && platforms.is_empty() { "any".to_owned() } else { platforms.join(", ") },
            ),
        ],
    );
    if let Some(run) = &r.run {
        page.blank().strong(format!(
            "Running for {} of {}",
            look.between(run.started_at, look.now),
            seconds(run.max_run_time_s)
        ));
        if let (Some(at), Some(line)) = (run.last_output_at, &run.last_line) {
            page.line(format!("  output {}: {line}", look.distance(at)));
        }
        if let Some(what) = &run.waits_for_input {
            page.line(format!("  {WAITS_FOR_INPUT}: {what}"));
        }
        if let Some(path) = &run.transcript {
            page.line(format!("  transcript {path}"));
        }
    }
    super::problems(&mut page, &r.problems);
    page.blank();
    gates(&mut page, &doc.gates, look);
    if !doc.attempts.is_empty() {
        page.blank().line("Attempts");
        super::history::table(&mut page, &doc.attempts, false, look);
    }
    if !doc.deferrals.is_empty() {
        page.blank().line("Deferrals");
        for d in &doc.deferrals {
            let ended = d.ended_at.map(|at| format!(", ended {}", look.time(at))).unwrap_or_default();
            page.line(format!(
                "  {}  until {}{ended}, {}",
                look.stamp(d.at),
                look.time(d.until),
                said(d.who.as_str(), d.reason.as_str())
            ));
        }
    }
    if let Some(id) = r.request_id {
        allowed(&mut page, id, &doc.allowed, look);
    }
    page
}

fn run_when(when: RunWhen) -> &'static str {
    match when {
        RunWhen::Any => "even while somebody is logged on",
        RunWhen::NoUser => "only while nobody is logged on",
        RunWhen::User => "only while somebody is logged on",
    }
}

fn restarts(restarts: Restarts) -> &'static str {
    match restarts {
        Restarts::No => "no",
        Restarts::Program => "THE PROGRAM RESTARTS THIS MACHINE",
        Restarts::Pcm => "PCM RESTARTS THIS MACHINE AFTERWARDS, where its configuration allows that",
    }
}
