//! What is shown, as lines of text: to be copied, printed on the bare terminal, or saved to a file.

use super::afar::Asked;
use super::logline::LogLine;
use super::overlay::Overlay;
use super::results::Fate;
use super::state::App;
use super::view::{Focus, View};
use super::words;
use crate::clock::Zone;
use crate::executor::talk::view::{
    AllowedDoc, AttemptDoc, AuditEntryDoc, GateDoc, RequestDoc, SessionDoc, SimulatedDoc,
};
use crate::safe;
use crate::terms::Verdict;
use crate::text::SafeText;

/// The most that is given to a terminal's clipboard, in bytes before they are encoded: what common ones take.
pub const MAX_COPY: usize = 74_994;

impl App {
    /// What `copy` and `plain` take: what is marked, else what is selected, else the text that is open.
    pub fn copied(&self) -> Vec<SafeText> {
        let zone = &self.options.zone;
        if let Some(overlay) = self.open_text() {
            return self.of_overlay(overlay);
        }
        match (self.view, self.focus()) {
            (_, Focus::Log) => {
                self.log_pane().chosen().into_iter().map(|line| log_line(line, zone)).collect()
            }
            (View::Overview, Focus::List) | (View::Packages, _) => {
                let rows = self.data.requests().iter();
                let marked: Vec<_> =
                    rows.filter(|row| row.request_id.is_some_and(|id| self.marked.contains(&id))).collect();
                let selected = || self.selected_row().into_iter().collect();
                let chosen = if marked.is_empty() { selected() } else { marked };
                chosen.into_iter().map(|row| row_line(row, zone)).collect()
            }
            (View::Overview | View::Who, _) => {
                let Some(who) = &self.data.who.value else { return Vec::new() };
                let all: Vec<_> = who.sessions.iter().chain(&who.connections).collect();
                all.get(self.who.row(all.len())).map(|one| session_line(one, zone)).into_iter().collect()
            }
            (View::History, Focus::Second) => {
                self.selected_entry().map(|entry| audit_line(entry, zone)).into_iter().collect()
            }
            (View::History, _) => {
                self.selected_attempt().map(|attempt| attempt_line(attempt, zone)).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    /// What `save` takes: every line of the log that is shown, or the text that is open.
    pub fn saved(&self) -> Vec<SafeText> {
        match (self.open_text(), self.focus()) {
            (Some(overlay), _) => self.of_overlay(overlay),
            (None, Focus::Log) => {
                self.log_pane().shown().map(|line| log_line(line, &self.options.zone)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Whether there is anything that `save` would take.
    pub fn can_save(&self) -> bool {
        match self.open_text() {
            Some(overlay) => !self.of_overlay(overlay).is_empty(),
            None => self.focus() == Focus::Log && self.log_pane().counts().1 > 0,
        }
    }

    /// What lies over the view and is no more than a list of commands.
    fn open_text(&self) -> Option<&Overlay> {
        self.overlays.iter().rev().find(|o| !matches!(o, Overlay::Help(_) | Overlay::Palette(_)))
    }

    fn of_overlay(&self, overlay: &Overlay) -> Vec<SafeText> {
        let zone = &self.options.zone;
        match overlay {
            Overlay::Details(details) if details.transcript => {
                self.transcript.as_ref().map_or_else(Vec::new, |t| t.lines.clone())
            }
            Overlay::Details(details) => {
                let Some(show) = self.data.shown(details.request) else { return Vec::new() };
                let mut lines = vec![row_line(&show.request, zone)];
                lines.extend(show.command_line.as_ref().map(|line| safe!("command: {line}")));
                lines.extend(show.gates.iter().map(gate_line));
                lines.extend(show.attempts.iter().map(|attempt| attempt_line(attempt, zone)));
                lines.extend(show.allowed.iter().map(allowed_line));
                lines
            }
            Overlay::Explain(request, _) => {
                let held = self.data.explain.as_ref().filter(|(known, _)| known == request);
                let Some(doc) = held.and_then(|(_, held)| held.value.as_ref()) else { return Vec::new() };
                let mut lines = vec![safe!("{request} {}: {}: {}", doc.package, doc.state, doc.why)];
                let pair = |at| crate::text::pair(at, doc.latest, |at| stamp(at, zone));
                lines.extend(doc.next_run.map(|at| safe!("next run {}", pair(at))));
                lines.extend(doc.gates.iter().map(gate_line));
                lines.extend(doc.allowed.iter().map(allowed_line));
                lines
            }
            Overlay::Record(record) => {
                let lines = record.lines.iter().map(|line| log_line(line, zone));
                lines.chain(record.codes.iter().map(|code| safe!("= {code}"))).collect()
            }
            Overlay::Problems(_) => {
                let silence = self.silence().map(|(failure, _)| safe!("{failure}"));
                let place = |p: &crate::terms::Problem| {
                    p.line.map_or_else(|| p.file.clone(), |line| safe!("{}:{line}", p.file))
                };
                let problems = self.data.problems();
                let told = problems.iter().map(|p| safe!("{} {}: {}", p.code, place(p), p.message));
                silence.into_iter().chain(told).collect()
            }
            Overlay::Week(_) => {
                let requests = self.data.week.value.as_ref().map_or(&[][..], |week| &week.requests);
                let id = |r: &SimulatedDoc| r.request_id.map_or_else(|| "-".to_owned(), |id| id.to_string());
                let when = |r: &SimulatedDoc| match (r.at, r.never) {
                    (Some(at), _) => {
                        format!("runs {}", crate::text::pair(at, r.latest, |at| stamp(at, zone)))
                    }
                    (None, true) => "never runs by itself".to_owned(),
                    (None, false) => "does not run in this week".to_owned(),
                };
                requests.iter().map(|r| safe!("{} {} {}: {}", id(r), r.package, when(r), r.why)).collect()
            }
            Overlay::Results => {
                let Some(results) = &self.results else { return Vec::new() };
                let fate = |fate: &Fate| match fate {
                    Fate::Asked(_) => "not answered yet".into(),
                    Fate::Done(text) | Fate::Queued(text) => text.clone(),
                    Fate::Refused(why) => safe!("refused: {why}"),
                };
                results.fates.iter().map(|(id, what)| safe!("{id} {}", fate(what))).collect()
            }
            Overlay::Answers => {
                let asked = self.afar.as_ref().map_or(&[][..], |afar| afar.machines());
                let line = |of: &Asked| {
                    safe!("{} {} {}: {}", of.machine, of.host, of.fate.kind.words(), of.fate.words)
                };
                asked.iter().map(line).collect()
            }
            _ => Vec::new(),
        }
    }
}

fn stamp(at: crate::clock::Wall, zone: &Zone) -> String {
    format!("{} {}", words::full(at, zone), words::offset(at, zone))
}

/// A line of a log as text.
pub fn log_line(line: &LogLine, zone: &Zone) -> SafeText {
    let at = line.time.map_or_else(String::new, |at| stamp(at, zone));
    safe!("{at} {} {} {}: {}", line.file, line.level.word(), line.component, line.text)
}

fn row_line(row: &RequestDoc, zone: &Zone) -> SafeText {
    let id = row.request_id.map_or_else(|| "-".to_owned(), |id| id.to_string());
    let mandatory = row.mandatory_after.map_or_else(|| "never".to_owned(), |at| stamp(at, zone));
    safe!("{id} {} {} mandatory {mandatory}: {}", row.package, row.state, row.why)
}

fn gate_line(gate: &GateDoc) -> SafeText {
    let word = match gate.verdict {
        Verdict::Pass => "pass",
        Verdict::Block => "block",
        Verdict::Unknown => "unknown",
    };
    let code = gate.code.as_ref().map(|code| format!(" [{code}]")).unwrap_or_default();
    safe!("gate {}: {word}: {}{code}", gate.gate, gate.evidence)
}

fn allowed_line(allowed: &AllowedDoc) -> SafeText {
    match allowed.ok {
        true => safe!("{}: possible", allowed.verb),
        false => safe!("{}: {}", allowed.verb, allowed.why),
    }
}

fn attempt_line(attempt: &AttemptDoc, zone: &Zone) -> SafeText {
    let at = stamp(attempt.started_at.unwrap_or(attempt.claimed_at), zone);
    let exit = attempt.exit_code.map(|code| format!(" exit {code}")).unwrap_or_default();
    safe!(
        "{at} {} attempt {} {}{exit} by {} {} {}",
        attempt.request_id,
        attempt.attempt,
        attempt.state,
        attempt.by,
        attempt.reason,
        attempt.result
    )
}

fn audit_line(entry: &AuditEntryDoc, zone: &Zone) -> SafeText {
    let what = entry.request_id.map(|id| format!(" {id}")).unwrap_or_default();
    let from = entry.from.as_ref().or(entry.terminal.as_ref()).map(|f| format!(" ({f})")).unwrap_or_default();
    let reason = entry.reason.as_ref().map(|r| format!(" \"{r}\"")).unwrap_or_default();
    safe!("{} {}{from} {}{what}: {}{reason}", stamp(entry.at, zone), entry.who, entry.verb, entry.result)
}

fn session_line(session: &SessionDoc, zone: &Zone) -> SafeText {
    let since = session.since.map(|at| format!(" since {}", stamp(at, zone))).unwrap_or_default();
    let idle = session.idle_s.map(|s| format!(" idle {}", words::idle(s))).unwrap_or_default();
    let locked = if session.locked == Some(true) { " locked" } else { "" };
    safe!(
        "{} {} from {} ({}){since}{idle}{locked}",
        session.user,
        session.terminal,
        session.from,
        session.kind.as_str()
    )
}
