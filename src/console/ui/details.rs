//! The details of a request over the whole body: facts, life, all gates, attempts, deferrals; and the transcript of its
//! newest attempt, live while it runs, beside or below them.

use super::canvas::Canvas;
use super::facts::Telling;
use super::line::Line;
use crate::clock::Wall;
use crate::console::app::App;
use crate::console::app::layout::Pane;
use crate::console::app::overlay::Details;
use crate::console::app::transcript::{Row, Transcript};
use crate::console::theme::Scope;
use crate::executor::talk::view::{ShowDoc, kept_no_longer};
use crate::safe;
use crate::terms::Group;
use ratatui::layout::Rect;

/// The rows of a transcript, wrapped once for a width as long as it stays as it is.
#[derive(Default)]
pub struct Wrapped {
    of: Option<(u64, usize)>,
    rows: Vec<Row>,
}

impl Wrapped {
    fn of(&mut self, transcript: &Transcript, width: usize) -> &[Row] {
        let of = Some((transcript.revision, width));
        if self.of != of {
            *self = Wrapped { of, rows: transcript.rows(width) };
        }
        &self.rows
    }
}

/// Draws the details.
pub fn draw(app: &App, details: &Details, now: Wall, canvas: &mut Canvas, kept: &mut Wrapped, body: Rect) {
    canvas.fill(body, Scope::Background);
    let show = app.data.shown(details.request);
    let attempted = show.is_some_and(|show| !show.attempts.is_empty());
    let (facts, transcript) = match (attempted, body.width >= 120, body.height >= 14) {
        (false, ..) => (body, None),
        (true, true, _) => {
            let width = body.width / 2;
            let right = Rect { x: body.x + width, width: body.width - width, ..body };
            (Rect { width: width - 1, ..body }, Some(right))
        }
        (true, false, true) => {
            let running = show.is_some_and(|show| show.request.group == Group::Running);
            let height =
                if running || details.transcript { body.height * 3 / 5 } else { body.height * 2 / 5 };
            let lower = Rect { y: body.bottom() - height, height, ..body };
            (Rect { height: body.height - height, ..body }, Some(lower))
        }
        (true, false, false) if details.transcript => (Rect { height: 0, ..body }, Some(body)),
        (true, false, false) => (body, None),
    };
    draw_facts(app, details, show, now, canvas, facts);
    if let (Some(area), Some(show)) = (transcript, show) {
        draw_transcript(app, details, show, canvas, kept, area);
    }
}

fn draw_facts(
    app: &App,
    details: &Details,
    show: Option<&ShowDoc>,
    now: Wall,
    canvas: &mut Canvas,
    area: Rect,
) {
    if area.height < 2 {
        return;
    }
    let inside = Rect { x: area.x + 1, y: area.y + 1, width: area.width - 2, height: area.height - 1 };
    let telling = Telling {
        now,
        zone: app.options.zone.clone(),
        glyphs: canvas.glyphs,
        width: usize::from(inside.width),
    };
    let lines = match (show, app.data.request(details.request)) {
        (Some(show), _) => facts(&telling, show),
        (None, Some(row)) => {
            let mut lines = telling.title(row);
            lines.extend(telling.reasons(row));
            lines.push(Line::new());
            match app.data.show(details.request).and_then(|held| held.fault.as_ref()) {
                Some((failure, _)) => lines.push(Line::of(safe!("{failure}"), Scope::MessageError)),
                None => lines.push(Line::of("asking the executor", Scope::Dim)),
            }
            lines
        }
        (None, None) => vec![Line::of("asking the executor", Scope::Dim)],
    };
    let window = canvas.scrolled(&details.scroll, lines.len(), inside.height);
    let rest = lines.len() - window.end;
    let below = if rest > 0 { safe!("{} {rest} more lines", canvas.glyphs.more[1]) } else { "".into() };
    let focus = !details.transcript;
    let scope = if focus { Scope::TitleFocus } else { Scope::Title };
    let title = Line::of(safe!("DETAILS {}", details.request), scope);
    let right = if below.is_empty() { Line::new() } else { Line::of(below, Scope::Dim) };
    canvas.rule(area, &title, &right, focus);
    canvas.lines(inside, &lines[window]);
}

/// Everything, in the order in which one asks.
fn facts(telling: &Telling, show: &ShowDoc) -> Vec<Line> {
    let row = &show.request;
    let heading = |text: &'static str| [Line::new(), Line::of(text, Scope::Title)];
    let mut lines = telling.title(row);
    lines.extend(telling.reasons(row));
    lines.extend(telling.running(row));
    if !matches!(row.group, Group::Executed | Group::Running) {
        lines.extend(telling.gates_closed(&show.gates));
    }
    let life = telling.life(row);
    if !life.is_empty() {
        lines.push(Line::new());
        lines.extend(life);
    }
    lines.push(Line::new());
    lines.extend(telling.command(show));
    lines.extend(heading("GATES"));
    if show.gates.is_empty() {
        lines.push(Line::of("none: it is no longer in the instruction file", Scope::Dim));
    }
    lines.extend(telling.gates_full(&show.gates));
    lines.extend(heading("ATTEMPTS"));
    if show.attempts.is_empty() {
        lines.push(Line::of("none yet", Scope::Dim));
    }
    lines.extend(telling.attempts(&show.attempts));
    if !show.deferrals.is_empty() {
        lines.extend(heading("DEFERRALS"));
        lines.extend(telling.deferrals(show));
    }
    lines.extend(heading("ALLOWED NOW"));
    for allowed in &show.allowed {
        let (word, scope) = match (allowed.ok, allowed.overrides.is_empty()) {
            (true, _) => ("yes", Scope::GatePass),
            (false, false) => ("with overrides", Scope::GateUnknown),
            (false, true) => ("no", Scope::GateBlock),
        };
        let mut line = Line::new().cell(safe!("{}", allowed.verb), 9, "", Scope::Strong).add(word, scope);
        if !allowed.why.is_empty() && !allowed.ok {
            line.push(safe!("  {}", allowed.why), Scope::Text);
        }
        lines.extend(line.wrap(telling.width, 14));
    }
    lines
}

fn draw_transcript(
    app: &App,
    details: &Details,
    show: &ShowDoc,
    canvas: &mut Canvas,
    kept: &mut Wrapped,
    area: Rect,
) {
    let transcript = app.transcript.as_ref().filter(|t| t.request == details.request);
    let live = show.request.group == Group::Running;
    let newest = show.attempts.iter().map(|a| a.attempt).max().unwrap_or(0);
    let attempt = transcript.map_or(newest, |t| t.attempt);
    let inside = Rect { x: area.x + 1, y: area.y + 1, width: area.width - 2, height: area.height - 1 };
    let mut lines: Vec<Line> = Vec::new();
    match transcript {
        Some(transcript) => {
            if let Some(fault) = &transcript.fault {
                lines.push(Line::of(fault, Scope::MessageError));
            }
            if transcript.cut {
                lines.push(Line::of("(the beginning is in the file)", Scope::Dim));
            }
            if transcript.lines.is_empty() && transcript.fault.is_none() {
                lines.push(Line::of("no output yet", Scope::Dim));
            }
        }
        None if show.attempts.iter().all(|a| a.transcript.is_none()) => {
            let newest = show.attempts.iter().max_by_key(|a| a.attempt);
            let gone =
                newest.zip(app.now).is_some_and(|(a, now)| kept_no_longer(None, a.transcript_until, now));
            let why: &[&str] = if gone {
                &["the transcript is kept no longer ([retention] transcripts)"]
            } else if newest.is_some_and(|a| a.transcript_until.is_some()) {
                &[
                    "there is no transcript: none was written, or it went to make room",
                    "([retention] transcripts_size)",
                ]
            } else {
                &["this attempt left no transcript"]
            };
            lines.extend(why.iter().map(|line| Line::of(*line, Scope::Dim)));
        }
        None => lines.push(Line::of("reading the transcript", Scope::Dim)),
    }
    let rows = transcript.map_or(&[][..], |transcript| kept.of(transcript, usize::from(inside.width)));
    let (heads, height) = (lines.len(), usize::from(inside.height));
    let len = heads + rows.len();
    let window = details.standing.window(heads, rows, height);
    let lowest = window.end.checked_sub(heads + 1).and_then(|at| rows.get(at)).map(|row| row.place);
    canvas.layout.window(Pane::Transcript(lowest), &window, height, len);
    lines.drain(..window.start.min(heads));
    if let Some(transcript) = transcript {
        let shown = &rows[window.start.saturating_sub(heads)..window.end.saturating_sub(heads)];
        lines.extend(shown.iter().map(|row| Line::of(transcript.text(row), Scope::Text)));
    }
    let scope = if details.transcript { Scope::TitleFocus } else { Scope::Title };
    let title = Line::of(safe!("TRANSCRIPT of attempt {attempt}"), scope);
    let right = match (len - window.end, live) {
        (0, true) => Line::of("LIVE", Scope::StateRunning),
        (0, false) => Line::of("ended", Scope::Dim),
        (n, _) => Line::of(safe!("PAUSED {n} lines below"), Scope::Mark),
    };
    canvas.rule(area, &title, &right, details.transcript);
    canvas.lines(inside, &lines);
}
