//! Who is logged on: as a pane of the overview, and as a view with everything that is known.

use super::canvas::Canvas;
use super::line::Line;
use crate::clock::Wall;
use crate::console::app::{App, Focus, Spot, View, words};
use crate::console::theme::Scope;
use crate::executor::view::SessionDoc;
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
    app.spots.add(area, Spot::Pane(Focus::Second));
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
        Some(who) if whole => Line::of(safe!("from {}", who.source), Scope::Dim),
        _ => Line::new(),
    };
    canvas.rule(area, &title, &source, focus);
    let inside = Rect { y: area.y + 1, height: area.height - 1, ..area };
    let Some(who) = &held.value else {
        let why = held.fault.as_ref().map_or("asking the executor".into(), |(f, _)| safe!("{f}"));
        canvas.line(inside, &Line::of("  ", Scope::Text).add(why, Scope::Dim));
        return;
    };
    let mut lines: Vec<(Line, bool)> = Vec::new();
    let all: Vec<&SessionDoc> = who.sessions.iter().chain(&who.connections).collect();
    let columns = Columns::new(&all, usize::from(area.width), whole);
    if whole && !all.is_empty() {
        lines.push((columns.head(), false));
    }
    if who.source == "unknown" {
        let note = who.note.clone().unwrap_or_else(|| "the system does not say".into());
        let said = if whole {
            safe!("  who is logged on cannot be known: {note}")
        } else {
            "  cannot be known; 4 shows why".into()
        };
        let wrapped = Line::of(said, Scope::MessageError).wrap(usize::from(area.width), 4);
        lines.extend(wrapped.into_iter().map(|line| (line, false)));
    } else if all.is_empty() {
        lines.push((Line::of("  nobody is logged on", Scope::Dim), false));
    }
    for session in &all {
        lines.push((columns.row(session, now, app), true));
    }
    let heads = lines.iter().filter(|(_, row)| !row).count();
    if focus && !all.is_empty() {
        let selected = heads + app.who.row(all.len());
        if let Some((line, _)) = lines.get_mut(selected) {
            line.over = Some(Scope::Selection);
        }
    }
    // Heads stay, rows scroll.
    let lines: Vec<Line> = lines.into_iter().map(|(line, _)| line).collect();
    let room = usize::from(inside.height).saturating_sub(heads);
    let window = app.who.window(all.len(), room);
    let rest = all.len() - window.len();
    let mut shown: Vec<Line> = lines[..heads].to_vec();
    shown.extend(lines[heads..][window].iter().cloned());
    canvas.lines(inside, &shown);
    if rest > 0 && !focus {
        let more = Line::of(safe!("+{rest} more"), Scope::Mark);
        let width = more.width() as u16 + 1;
        if area.width > width + 24 {
            let at = Rect { x: area.right() - width - 2, y: area.y, width, height: 1 };
            canvas.line(at, &Line::of(" ", Scope::Rule).join(more));
        }
    }
}

/// Widths of the columns.
struct Columns {
    user: usize,
    terminal: usize,
    from: usize,
    whole: bool,
}

impl Columns {
    fn new(all: &[&SessionDoc], width: usize, whole: bool) -> Columns {
        let longest =
            |of: &dyn Fn(&SessionDoc) -> &SafeText| all.iter().map(|s| of(s).width()).max().unwrap_or(0);
        let most = if width >= 100 { 32 } else { 15 };
        Columns {
            user: longest(&|s| &s.user).clamp(4, most) + 1,
            terminal: longest(&|s| &s.terminal).clamp(4, 10) + 1,
            from: longest(&|s| &s.from).clamp(4, most) + 1,
            whole,
        }
    }

    fn head(&self) -> Line {
        Line::of("  ", Scope::Column)
            .cell("USER", self.user, "", Scope::Column)
            .cell("TERMINAL", self.terminal.max(9), "", Scope::Column)
            .cell("FROM", self.from, "", Scope::Column)
            .cell("SINCE", 11, "", Scope::Column)
            .cell("IDLE", 7, "", Scope::Column)
            .cell("KIND", 9, "", Scope::Column)
            .add("HOLDS", Scope::Column)
    }

    fn row(&self, session: &SessionDoc, now: Wall, app: &App) -> Line {
        let away =
            session.locked == Some(true) || session.idle_s.is_some_and(|s| s >= 900) || session.ignored;
        let scope = if away { Scope::UserIdle } else { Scope::UserActive };
        let cut = "~";
        let terminal = if self.whole { self.terminal.max(9) } else { self.terminal };
        let mut line = Line::of("  ", scope)
            .cell(&session.user, self.user, cut, scope)
            .cell(&session.terminal, terminal, cut, Scope::Text)
            .cell(&session.from, self.from, cut, Scope::Text);
        let idle = session.idle_s.map_or("?".into(), words::idle);
        if self.whole {
            let since = session.since.map_or("?".into(), |at| words::when(at, now, &app.options.zone));
            line =
                line.cell(safe!("{since}"), 11, cut, Scope::Text).cell(safe!("{idle}"), 7, cut, Scope::Text);
            line = line.cell(safe!("{}", session.kind), 9, cut, Scope::Text);
        } else {
            line = line.cell(safe!("idle {idle}"), 9, cut, Scope::Text);
        }
        if session.kind == "network" {
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
            line.push(
                safe!("{}{}", if self.whole { "" } else { "holds " }, ids.join(" ")),
                Scope::StateWaiting,
            );
        }
        line
    }
}
