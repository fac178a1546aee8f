//! Who is logged on: as a pane of the overview, and as a view with everything that is known.

use super::canvas::Canvas;
use super::line::Line;
use crate::clock::Wall;
use crate::console::app::layout::{Pane, Spot};
use crate::console::app::{App, Focus, View, words};
use crate::console::keymap::commands::Id;
use crate::console::theme::Scope;
use crate::executor::talk::view::SessionDoc;
use crate::host::sessions::SessionKind;
use crate::safe;
use crate::text::SafeText;
use ratatui::layout::Rect;

/// How many lines the pane would like for its rows.
pub fn lines_wanted(app: &App) -> u16 {
    match &app.data.who.value {
        Some(who) => (who.sessions.len() + who.connections.len()).max(1) as u16,
        None => 1,
    }
}

/// Draws the pane with its rule.
pub fn draw(app: &App, now: Wall, canvas: &mut Canvas, area: Rect, focus: bool) {
    if area.height == 0 {
        return;
    }
    let whole = app.view == View::Who;
    canvas.layout.spot(area, Spot::Pane(Focus::Second));
    let focus = focus && app.overlays.is_empty();
    let scope = if focus { Scope::TitleFocus } else { Scope::Title };
    let held = &app.data.who;
    let count = match &held.value {
        Some(who) if who.source == "unknown" => "UNKNOWN".to_owned(),
        Some(who) => who.sessions.len().to_string(),
        None => "...".to_owned(),
    };
    let mut title = Line::of(safe!("LOGGED ON {count}"), scope);
    if held.stale(now) && held.value.is_some() {
        title.push(" ~", Scope::Stale);
    }
    let source = match &held.value {
        Some(who) if whole && who.source != "unknown" => Line::of(safe!("from {}", who.source), Scope::Dim),
        _ => Line::new(),
    };
    canvas.rule(area, &title, &source, focus);
    let inside = Rect { y: area.y + 1, height: area.height - 1, ..area };
    let Some(who) = &held.value else {
        let why = held.fault.as_ref().map_or("asking the executor".into(), |(f, _)| safe!("{f}"));
        canvas.line(inside, &Line::of("  ", Scope::Text).add(why, Scope::Dim));
        return;
    };
    let all: Vec<&SessionDoc> = who.sessions.iter().chain(&who.connections).collect();
    let columns = Columns::new(&all, usize::from(area.width), whole, canvas.glyphs.cut);
    let mut lines: Vec<Line> = Vec::new();
    if whole && !all.is_empty() {
        lines.push(columns.head());
    }
    if who.source == "unknown" {
        let note = who.note.clone().unwrap_or_else(|| "the system does not say".into());
        let said = if whole {
            safe!("  logged-on users are unknown: {note}")
        } else {
            safe!("  cannot be known; {} shows why", app.key_of(Id::Who))
        };
        lines.extend(Line::of(said, Scope::GateUnknown).wrap(usize::from(area.width), 4));
    } else if all.is_empty() {
        lines.push(Line::of("  nobody is logged on", Scope::Dim));
    }
    // Heads stay, rows scroll; hundreds of them are made only as far as they are seen.
    let height = usize::from(inside.height).saturating_sub(lines.len());
    let window = app.who.window(all.len(), height);
    canvas.layout.window(Pane::Who, &window, height, all.len());
    let rest = all.len() - window.len();
    for at in window {
        let selected = focus && at == app.who.row(all.len());
        lines.push(columns.row(all[at], selected, now, app));
    }
    canvas.lines(inside, &lines);
    if rest > 0 && !focus {
        let more = Line::of(safe!("+{rest} more"), Scope::Mark);
        let width = more.width() as u16 + 1;
        if area.width > width + 24 {
            let at = Rect { x: area.right() - width - 2, y: area.y, width, height: 1 };
            canvas.line(at, &Line::of(" ", Scope::Rule).join(more));
        }
    }
}

/// Widths of the columns, each with the blank after it.
struct Columns {
    user: usize,
    terminal: usize,
    from: usize,
    since: usize,
    kind: usize,
    whole: bool,
    cut: &'static str,
}

/// As wide as the heads and what stands below them.
const SINCE: usize = 11;
const IDLE: usize = 7;
const KIND: usize = 9;
/// `idle 12m `
const IDLE_SHORT: usize = 9;

impl Columns {
    /// Where somebody comes from is cut before anything else is: how long they are idle and what waits for them is what an
    /// operator decides by.
    fn new(all: &[&SessionDoc], width: usize, whole: bool, cut: &'static str) -> Columns {
        let longest =
            |of: &dyn Fn(&SessionDoc) -> &SafeText| all.iter().map(|s| of(s).width()).max().unwrap_or(0);
        let most = if width >= 100 { 32 } else { 15 };
        let user = longest(&|s| &s.user).clamp(4, most) + 1;
        let terminal = longest(&|s| &s.terminal).clamp(if whole { 8 } else { 4 }, 10) + 1;
        // On a small screen they go before what an operator decides by.
        let (since, kind) = if whole && width >= 60 { (SINCE, KIND) } else { (0, 0) };
        let times = since + kind + if whole { IDLE } else { IDLE_SHORT };
        let least = if whole { 5 } else { 0 };
        let held = all.iter().map(|s| holds(s, whole).width()).max().unwrap_or(0).clamp(least, 23);
        let room = width.saturating_sub(2 + user + terminal + times + held);
        let from = longest(&|s| &s.from).clamp(4, 46) + 1;
        Columns { user, terminal, from: if room < 7 { 0 } else { from.min(room) }, since, kind, whole, cut }
    }

    fn head(&self) -> Line {
        Line::of("  ", Scope::Column)
            .cell("USER", self.user, "", Scope::Column)
            .cell("TERMINAL", self.terminal, "", Scope::Column)
            .cell("FROM", self.from, "", Scope::Column)
            .cell("SINCE", self.since, "", Scope::Column)
            .cell("IDLE", IDLE, "", Scope::Column)
            .cell("KIND", self.kind, "", Scope::Column)
            .add("HOLDS", Scope::Column)
    }

    fn row(&self, session: &SessionDoc, selected: bool, now: Wall, app: &App) -> Line {
        let away =
            session.locked == Some(true) || session.idle_s.is_some_and(|s| s >= 900) || session.ignored;
        let scope = if away { Scope::UserIdle } else { Scope::UserActive };
        let mut line = Line::of(if selected { "> " } else { "  " }, scope)
            .column(&session.user, self.user, self.cut, scope)
            .column(&session.terminal, self.terminal, self.cut, Scope::Text)
            .column(&session.from, self.from, self.cut, Scope::Text);
        let idle = session.idle_s.map_or("?".into(), words::idle);
        if self.whole {
            let since = session.since.map_or("?".into(), |at| words::when(at, now, &app.options.zone));
            line = line
                .column(safe!("{since}"), self.since, self.cut, Scope::Text)
                .column(safe!("{idle}"), IDLE, self.cut, Scope::Text)
                .column(safe!("{}", session.kind.as_str()), self.kind, self.cut, Scope::Text);
        } else {
            line = line.column(safe!("idle {idle}"), IDLE_SHORT, self.cut, Scope::Text);
        }
        line = line.join(holds(session, self.whole));
        line.over = selected.then_some(Scope::Selection);
        line
    }
}

/// What else is to be known of a session, and which requests wait for it to end.
fn holds(session: &SessionDoc, whole: bool) -> Line {
    let mut line = Line::new();
    if session.kind == SessionKind::Network {
        line.push("network connection, not a log-on ", Scope::Dim);
    }
    if session.locked == Some(true) {
        line.push("locked ", Scope::Dim);
    }
    if session.ignored {
        line.push("does not count ", Scope::Dim);
    }
    if !session.holds.is_empty() {
        let ids: Vec<_> = session.holds.iter().map(ToString::to_string).collect();
        let head = if whole { "" } else { "holds " };
        line.push(safe!("{head}{}", ids.join(" ")), Scope::StateWaiting);
    }
    line
}
