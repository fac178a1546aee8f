//! What is known of one request, as lines: its summary, its gates short and in full, its attempts and deferrals. The
//! pane beside the list, the details, the explanation and the confirmation are made of these.

use super::glyphs::Glyphs;
use super::line::Line;
use crate::clock::{Wall, Zone};
use crate::console::app::columns::why;
use crate::console::app::words;
use crate::console::theme::Scope;
use crate::executor::talk::view::{AttemptDoc, ChangesOn, GateDoc, RequestDoc, ShowDoc, WAITS_FOR_INPUT};
use crate::safe;
use crate::site::instruction::{Restarts, RunWhen};
use crate::terms::Verdict;
use crate::text::SafeText;

/// Where facts begin, after their names.
const HEAD: usize = 12;

/// With what facts are put into words.
pub struct Telling {
    /// Now.
    pub now: Wall,
    /// The machine's zone.
    pub zone: Zone,
    /// Symbols.
    pub glyphs: &'static Glyphs,
    /// Columns there are.
    pub width: usize,
}

impl Telling {
    /// A fact with its name before it; further lines stand below the fact.
    pub fn fact(&self, name: &'static str, fact: Line) -> Vec<Line> {
        let head = if name.is_empty() { 0 } else { HEAD };
        Line::new().cell(name, head, "", Scope::Dim).join(fact).wrap(self.width, head)
    }

    /// Id, package and state.
    pub fn title(&self, row: &RequestDoc) -> Vec<Line> {
        let id = row.request_id.map_or_else(|| "(no id)".into(), |id| safe!("{id}"));
        let mut line = Line::of(id, Scope::Strong).add(" ", Scope::Text).add(&row.package, Scope::Strong);
        line.push("  ", Scope::Text);
        line.push(row.state.as_str(), Scope::of_state(row.state));
        line.wrap(self.width, 8)
    }

    /// Why, and when next.
    pub fn reasons(&self, row: &RequestDoc) -> Vec<Line> {
        let mut lines = self.fact("why", Line::of(why(row, self.now), Scope::Text));
        if let Some(at) = row.next_run {
            lines.extend(self.fact("next run", Line::of(self.pair(at, row.latest), Scope::Text)));
        }
        if let Some(at) = row.deferred_until {
            lines.extend(
                self.fact("deferred", Line::of(safe!("until {}", self.when(at)), Scope::StateDeferred)),
            );
        }
        for problem in &row.problems {
            let line = problem.line.map(|n| format!(":{n}")).unwrap_or_default();
            let field = problem.field.as_ref().map(|f| format!(" {f}")).unwrap_or_default();
            let place = safe!("{}{line}{field}: ", problem.file);
            lines.extend(
                self.fact("wrong", Line::of(place, Scope::Dim).add(&problem.message, Scope::MessageError)),
            );
        }
        lines
    }

    /// The bar of its life with its names.
    pub fn life(&self, row: &RequestDoc) -> Vec<Line> {
        super::life::lines(row, self.now, &self.zone, self.glyphs, self.width)
    }

    /// How a run goes: elapsed of its limit as a bar, and its newest line.
    pub fn running(&self, row: &RequestDoc) -> Vec<Line> {
        let mut lines = self.progress(row);
        if let Some(text) = row.run.as_ref().and_then(|run| run.last_line.as_ref()) {
            lines.extend(self.fact("output", Line::of(text, Scope::Text)));
        }
        if let Some(what) = row.run.as_ref().and_then(|run| run.waits_for_input.as_ref()) {
            lines.extend(self.fact("input", Line::of(safe!("{WAITS_FOR_INPUT}: {what}"), Scope::Strong)));
        }
        lines
    }

    /// Elapsed of its limit as a bar.
    pub fn progress(&self, row: &RequestDoc) -> Vec<Line> {
        let Some(run) = &row.run else { return Vec::new() };
        let elapsed = (self.now - run.started_at).num_seconds().max(0);
        let cells = self.width.saturating_sub(HEAD + 14).clamp(8, 40);
        let limit = (run.max_run_time_s as i64).max(1);
        let full = usize::try_from(elapsed.min(limit) * cells as i64 / limit).unwrap_or(0).min(cells);
        let (done, todo) = (self.glyphs.bar[0].repeat(full), self.glyphs.bar[1].repeat(cells - full));
        let line = Line::of(safe!("{done}"), Scope::StateRunning)
            .add(safe!("{todo}"), Scope::Dim)
            .add(safe!(" {} of {}", words::span(elapsed), words::span(limit)), Scope::Text);
        self.fact("running", line)
    }

    /// What it is and how it would run.
    pub fn command(&self, show: &ShowDoc) -> Vec<Line> {
        let request = &show.request;
        let mut lines = Vec::new();
        if let Some(command) = &show.command_line {
            let name = safe!("{}: ", request.command);
            lines.extend(self.fact("command", Line::of(name, Scope::Dim).add(command, Scope::Text)));
        }
        let mut how = format!("as {}", show.run_as);
        if let Some(limit) = show.max_run_time_s {
            how += &format!(", at most {}", words::span(limit as i64));
        }
        lines.extend(
            self.fact("runs", Line::of(safe!("{how}, {}, {}", restarts(show), run_when(show)), Scope::Text)),
        );
        let ids =
            [request.job_id.map(|j| format!("job {j}")), request.package_id.map(|p| format!("package {p}"))];
        let ids: Vec<_> = ids.into_iter().flatten().collect();
        if !ids.is_empty() {
            lines.extend(self.fact("part of", Line::of(safe!("{}", ids.join(", ")), Scope::Dim)));
        }
        lines
    }

    /// The gates that close, with their evidence.
    pub fn gates_closed(&self, gates: &[GateDoc]) -> Vec<Line> {
        let mut lines = Vec::new();
        for gate in gates.iter().filter(|g| g.verdict != Verdict::Pass) {
            let line = self.gate_head(gate, false).add(&gate.evidence, Scope::Text);
            lines.extend(self.with_change(line, gate, HEAD));
        }
        lines
    }

    /// The gates that close with their evidence, then the names of those that pass.
    pub fn gates_short(&self, gates: &[GateDoc]) -> Vec<Line> {
        let mut lines = self.gates_closed(gates);
        let passing: Vec<&str> =
            gates.iter().filter(|g| g.verdict == Verdict::Pass).map(|g| g.gate.as_str()).collect();
        if !passing.is_empty() {
            let line = Line::of(self.glyphs.pass, Scope::GatePass)
                .add(" pass      ", Scope::GatePass)
                .add(safe!("{}", passing.join(" ")), Scope::Dim);
            lines.extend(line.wrap(self.width, HEAD));
        }
        lines
    }

    /// All gates in order, one after the other.
    pub fn gates_full(&self, gates: &[GateDoc]) -> Vec<Line> {
        let mut lines = Vec::new();
        for gate in gates {
            let scope = if gate.verdict == Verdict::Pass { Scope::Dim } else { Scope::Text };
            let mut line = self.gate_head(gate, true).add(&gate.evidence, scope);
            if gate.verdict != Verdict::Pass {
                if let Some(code) = &gate.code {
                    line.push(safe!(" [{code}]"), Scope::of_verdict(gate.verdict));
                }
                lines.extend(self.with_change(line, gate, 21));
                continue;
            }
            if let Some(at) = gate.next_change {
                line.push(safe!(", until {}", self.when(at)), Scope::Dim);
            }
            lines.extend(line.wrap(self.width, 21));
        }
        lines
    }

    fn gate_head(&self, gate: &GateDoc, verdict: bool) -> Line {
        let scope = Scope::of_verdict(gate.verdict);
        let (symbol, word) = match gate.verdict {
            Verdict::Pass => (self.glyphs.pass, "pass"),
            Verdict::Block => (self.glyphs.block, "block"),
            Verdict::Unknown => (self.glyphs.unknown, "unknown"),
        };
        let line = Line::of(symbol, scope).add(" ", Scope::Text).cell(gate.gate.as_str(), 10, "", scope);
        if verdict { line.cell(word, 9, "", scope) } else { line }
    }

    /// A closed gate with when it can next change: on the same line, or below it.
    pub fn with_change(&self, line: Line, gate: &GateDoc, indent: usize) -> Vec<Line> {
        let change = self.change(gate);
        if line.width() + 2 + change.width() <= self.width {
            return vec![line.add("; ", Scope::Dim).add(change, Scope::Dim)];
        }
        let mut lines = line.wrap(self.width, indent);
        lines.extend(Line::new().pad_to(indent).add(change, Scope::Dim).wrap(self.width, indent));
        lines
    }

    /// When a closed gate can next change.
    fn change(&self, gate: &GateDoc) -> SafeText {
        match (gate.next_change, gate.changes_on) {
            (Some(at), _) => safe!("changes {}", self.when(at)),
            (None, ChangesOn::Never) => "never changes".into(),
            (None, ChangesOn::Time | ChangesOn::Event) => match gate.code {
                Some(code) => safe!("changes when {}", code.row().opens),
                None => "changes by an event".into(),
            },
        }
    }

    /// All attempts, newest first.
    pub fn attempts(&self, attempts: &[AttemptDoc]) -> Vec<Line> {
        let mut newest: Vec<_> = attempts.iter().collect();
        newest.sort_by_key(|a| std::cmp::Reverse(a.attempt));
        newest.into_iter().flat_map(|attempt| self.attempt(attempt).wrap(self.width, 4)).collect()
    }

    /// One attempt on one line.
    pub fn attempt(&self, attempt: &AttemptDoc) -> Line {
        let mut line = Line::of(safe!("#{} ", attempt.attempt), Scope::Dim);
        line.push(attempt.state.as_str(), Scope::of_state(attempt.state));
        let at = attempt.started_at.unwrap_or(attempt.claimed_at);
        line.push(safe!(" {}", words::when_long(at, self.now, &self.zone)), Scope::Text);
        match (attempt.started_at, attempt.ended_at) {
            (Some(start), Some(end)) => {
                line.push(safe!(" for {}", words::span((end - start).num_seconds())), Scope::Text);
            }
            (None, _) => line.push(" not launched", Scope::Dim),
            _ => {}
        }
        if let Some(code) = attempt.exit_code {
            line.push(safe!(" exit {code}"), Scope::Text);
        }
        line.push(safe!(" by {}", attempt.by), Scope::Dim);
        if !attempt.reason.is_empty() {
            line.push(safe!(" \"{}\"", attempt.reason), Scope::Text);
        }
        if !attempt.result.is_empty() {
            line.push(safe!(" {}", attempt.result), Scope::Text);
        }
        line
    }

    /// All deferrals, newest first.
    pub fn deferrals(&self, show: &ShowDoc) -> Vec<Line> {
        let mut lines = Vec::new();
        for deferral in show.deferrals.iter().rev() {
            let until = words::when_long(deferral.until, self.now, &self.zone);
            let at = words::when_long(deferral.at, self.now, &self.zone);
            let mut line = Line::of(safe!("until {until}"), Scope::StateDeferred)
                .add(safe!(" by {} {at}", deferral.who), Scope::Dim)
                .add(safe!(" \"{}\"", deferral.reason), Scope::Text);
            if let Some(end) = deferral.ended_at {
                line.push(safe!("; ended {}", words::when_long(end, self.now, &self.zone)), Scope::Dim);
            }
            lines.extend(line.wrap(self.width, 4));
        }
        lines
    }

    /// From when to when it starts, with the distance.
    pub fn pair(&self, at: Wall, latest: Option<Wall>) -> SafeText {
        safe!("{}", words::pair_and_far(at, latest, self.now, &self.zone))
    }

    /// A time with its distance.
    pub fn when(&self, at: Wall) -> SafeText {
        safe!("{}", words::when_and_far(at, self.now, &self.zone))
    }
}

/// Whether it restarts the machine.
pub fn restarts(show: &ShowDoc) -> &'static str {
    match show.restarts {
        Some(Restarts::No) => "does not restart the machine",
        Some(Restarts::Program) => "RESTARTS THE MACHINE itself",
        Some(Restarts::Pcm) => "wants A RESTART afterwards",
        None => "restart not known",
    }
}

fn run_when(show: &ShowDoc) -> &'static str {
    match show.run_when {
        Some(RunWhen::Any) | None => "also while users are logged on",
        Some(RunWhen::NoUser) => "only while nobody is logged on",
        Some(RunWhen::User) => "only while somebody is logged on",
    }
}
