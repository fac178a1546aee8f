//! A list of requests: mark, id, package, state, mandatory time, and in words why it has not run or what is next.

use super::PANES;
use super::canvas::Canvas;
use super::line::Line;
use crate::clock::Wall;
use crate::console::app::rows::{Rows, Sort, Widest};
use crate::console::app::{App, Focus, Spot, words};
use crate::console::theme::Scope;
use crate::executor::talk::view::{RequestDoc, WAITS_FOR_INPUT};
use crate::safe;
use crate::terms::{Group, State};
use crate::text::SafeText;
use ratatui::layout::Rect;
use std::ops::Range;

/// Widths of the columns.
struct Columns {
    package: usize,
    state: usize,
    mandatory: usize,
    next: usize,
    command: usize,
    why: usize,
}

impl Columns {
    fn new(width: usize, widest: Widest) -> Columns {
        // Mark, id and the blanks between.
        let rest = width.saturating_sub(2 + 8);
        let state = widest.state.clamp(9, 12) + 1;
        let mandatory = if width < 50 { 0 } else { 10 };
        let next = if width >= 110 { 10 } else { 0 };
        let command = if width >= 110 { widest.command.clamp(8, 16) + 1 } else { 0 };
        let room = rest.saturating_sub(state + mandatory + next + command);
        let names = widest.package.max(12);
        let package = (room * 9 / 20).clamp(12, 40).min(names + 1).min(room.max(12));
        Columns { package, state, mandatory, next, command, why: room.saturating_sub(package) }
    }
}

/// Draws the list of this view.
pub fn draw(app: &App, now: Wall, canvas: &mut Canvas, area: Rect) {
    let Some(list) = app.rows() else { return };
    let rows = list.rows(&app.data, app.now);
    let columns = Columns::new(usize::from(area.width), list.widest(&app.data, app.now));
    let focus = app.focus() == Focus::List && app.overlays.is_empty();
    app.spots.add(area, Spot::Pane(Focus::List));
    canvas.line(Rect { height: 1, ..area }, &head(app, list, &columns, focus, app.data.list.stale(now)));
    let below = Rect { y: area.y + 1, height: area.height - 1, ..area };
    if rows.is_empty() {
        let mut lines = vec![Line::new()];
        lines.extend(empty(app, list, now).wrap(usize::from(area.width).saturating_sub(4), 0));
        canvas.lines(Rect { x: below.x + 2, width: below.width.saturating_sub(2), ..below }, &lines);
        return;
    }
    let selected = list.position(&app.data, app.now);
    // A narrow column says little: the selected row's reason stands below the list in full.
    let mut below = below;
    if area.width < PANES.0 && below.height >= 6 {
        below.height -= 1;
        let reason = Line::of("  ", Scope::Text).add(why(rows[selected], now), Scope::Strong);
        canvas.line(Rect { y: below.bottom(), height: 1, ..below }, &reason);
    }
    // The last line tells of rows below, unless all fit.
    let height = usize::from(below.height);
    let height = if rows.len() > height { height.saturating_sub(1).max(1) } else { height };
    let window = list.window(&app.data, app.now, height);
    let stale = app.data.list.stale(now);
    let mut y = below.y;
    for at in window.clone() {
        let mut line = row(app, rows[at], at == selected, &columns, canvas.glyphs.cut, now);
        if at == selected {
            line.over = Some(if focus { Scope::Selection } else { Scope::SelectionIdle });
        } else if stale {
            line.over = Some(Scope::Stale);
        }
        canvas.line(Rect { y, height: 1, ..below }, &line);
        app.spots.add(Rect { y, height: 1, ..below }, Spot::Row(at));
        y += 1;
    }
    if window.len() < rows.len() && y < below.bottom() {
        canvas
            .line(Rect { y, height: 1, ..below }, &beyond(app, list, rows.len(), window, canvas.glyphs.more));
    }
}

fn head(app: &App, list: &Rows, c: &Columns, focus: bool, stale: bool) -> Line {
    let scope = if focus { Scope::TitleFocus } else { Scope::Column };
    if let Some(input) = &list.typing {
        return Line::of("  find: ", Scope::TitleFocus)
            .add(input.before(), Scope::InputFocus)
            .add("_", Scope::InputFocus)
            .add("   Enter keeps, Esc drops, !word inverts", Scope::Dim);
    }
    let mut line = Line::of(if stale { "~ " } else { "  " }, scope)
        .cell("REQUEST", 8, "", scope)
        .cell("PACKAGE", c.package, "", scope);
    if c.command > 0 {
        line = line.cell("COMMAND", c.command, "", scope);
    }
    line = line.cell("STATE", c.state, "", scope).cell("MANDATORY", c.mandatory, "", scope);
    line = line.cell("NEXT RUN", c.next, "", scope);
    // What a list is not as it comes stands where the reasons are: those explain themselves.
    let mut said = Line::new();
    if !app.marked.is_empty() {
        said.push(safe!("{} marked  ", app.marked.len()), Scope::Mark);
    }
    if !list.filter.is_empty() {
        said.push(safe!("find: {}  ", list.filter), Scope::Mark);
    }
    if list.sort != Sort::Group {
        said.push(safe!("by {}  ", list.sort.word()), Scope::Mark);
    }
    if said.words.is_empty() {
        return line.add("WHY NOT / NEXT", scope);
    }
    if !app.marked.is_empty() || !list.filter.is_empty() {
        said.push("(Esc drops)", Scope::Dim);
    }
    line.join(said)
}

fn row(app: &App, row: &RequestDoc, selected: bool, c: &Columns, cut: &'static str, now: Wall) -> Line {
    let zone = &app.options.zone;
    let state = Scope::of_state(row.state);
    let mark = if selected { ">" } else { mark(row) };
    let id = row.request_id.map_or_else(|| "-".into(), |id| safe!("{id}"));
    let text = if row.group == Group::Skipped { Scope::Dim } else { Scope::Text };
    let marked = row.request_id.is_some_and(|id| app.marked.contains(&id));
    let mut line =
        Line::of(mark, state).add(if marked { "#" } else { " " }, Scope::Mark).cell(id, 8, cut, text);
    line = line.cell(row.package.fit_to(c.package - 1, cut), c.package, cut, text);
    if c.command > 0 {
        line = line.cell(row.command.fit_to(c.command - 1, cut), c.command, cut, Scope::Dim);
    }
    line = line.cell(words::state(row.state), c.state, cut, state);
    if c.mandatory > 0 {
        let mandatory = row.mandatory_after.map_or_else(|| "never".into(), |at| words::when(at, now, zone));
        let known = row.group != Group::Rejected || row.mandatory_after.is_some();
        let shown = if known { SafeText::new(&mandatory) } else { "-".into() };
        line = line.cell(shown, c.mandatory, cut, text);
    }
    if c.next > 0 {
        let next = row.next_run.map_or_else(String::new, |at| words::when(at, now, zone));
        line = line.cell(SafeText::new(&next), c.next, cut, text);
    }
    line.cell(why(row, now), c.why, cut, text)
}

trait FitTo {
    fn fit_to(&self, width: usize, cut: &'static str) -> SafeText;
}

impl FitTo for SafeText {
    fn fit_to(&self, width: usize, cut: &'static str) -> SafeText {
        SafeText::of(super::line::fit(self.as_str(), width, cut).0)
    }
}

/// A symbol that stands for the state where there is no colour.
fn mark(row: &RequestDoc) -> &'static str {
    match row.group {
        Group::Running => "*",
        Group::Expired => "x",
        Group::Executed if row.state.is_failure() => "!",
        Group::Rejected => "!",
        Group::Executed => "+",
        Group::Pending | Group::Skipped => " ",
    }
}

/// Why it has not run, or what it is doing; what moves with the clock is put together here.
pub fn why(row: &RequestDoc, now: Wall) -> SafeText {
    match (row.state, &row.run, row.next_run) {
        (State::Running | State::Stopping, Some(run), _) => {
            let elapsed = words::span((now - run.started_at).num_seconds());
            let limit = words::span(run.max_run_time_s as i64);
            let output = match run.last_output_at {
                _ if run.waits_for_input.is_some() => WAITS_FOR_INPUT.into(),
                Some(at) => format!("output {} ago", words::span((now - at).num_seconds())),
                None => "no output yet".into(),
            };
            let stopping = if row.state == State::Stopping { "stopping, " } else { "" };
            safe!("{stopping}{elapsed}/{limit}, {output}")
        }
        (State::Countdown, _, Some(at)) if at > now => {
            safe!("starts in {}", words::span((at - now).num_seconds()))
        }
        _ => row.why.clone(),
    }
}

/// What is above and below the window: nothing bad goes out of sight unsaid.
fn beyond(app: &App, list: &Rows, rows: usize, window: Range<usize>, arrows: [&'static str; 2]) -> Line {
    let mut line = Line::of("  ", Scope::Dim);
    for (part, arrow) in [(0..window.start, arrows[0]), (window.end..rows, arrows[1])] {
        if part.is_empty() {
            continue;
        }
        line.push(safe!("{arrow} {} more ", part.len()), Scope::Dim);
        let alarms = list.alarms(&app.data, app.now, part);
        for (n, word) in alarms.into_iter().zip(["failed", "expired", "rejected"]) {
            if n > 0 {
                line.push(safe!("{n} {word} "), Scope::GroupAlarm);
            }
        }
        line.push(" ", Scope::Dim);
    }
    line
}

/// Why there is nothing to see.
fn empty(app: &App, list: &Rows, now: Wall) -> Line {
    let dim = |text: SafeText| Line::of(text, Scope::Dim);
    let Some(doc) = &app.data.list.value else {
        return match &app.data.list.fault {
            Some((failure, since)) => Line::of(
                safe!("no answer for {}: {failure}", words::since((now - *since).num_seconds())),
                Scope::MessageError,
            ),
            None => dim("asking the executor".into()),
        };
    };
    if !list.filter.is_empty() || list.typing.is_some() {
        return dim("no row has these words; Esc drops the filter".into());
    }
    if doc.serial.is_none() {
        let why = app.data.problems().first().map(|p| format!(": {}", p.message)).unwrap_or_default();
        return Line::of(safe!("no instruction file is in force{why}"), Scope::MessageError);
    }
    if !list.everything && !doc.requests.is_empty() {
        return dim(safe!(
            "nothing is pending, running, or expired or failed and not yet seen; {} others: 2 shows all",
            doc.requests.len()
        ));
    }
    let serial = doc.serial.unwrap_or_default();
    dim(safe!("instruction file serial {serial} holds no requests for this machine"))
}
