//! A list of requests: mark, id, package, state, mandatory time, and in words why it has not run or what is next.

use super::PANES;
use super::canvas::Canvas;
use super::line::Line;
use super::table::Table;
use crate::clock::Wall;
use crate::console::app::columns::{self, Moment, REQUESTS, mark, why};
use crate::console::app::layout::{Pane, Spot};
use crate::console::app::rows::Rows;
use crate::console::app::{App, Focus, words};
use crate::console::keymap::commands::Id;
use crate::console::theme::Scope;
use crate::executor::talk::view::RequestDoc;
use crate::safe;
use crate::text::SafeText;
use ratatui::layout::Rect;
use std::ops::Range;

/// Draws the list of this view.
pub fn draw(app: &App, now: Wall, canvas: &mut Canvas, area: Rect) {
    let Some(list) = app.rows() else { return };
    let rows = list.rows(&app.data);
    let moment = Moment {
        now,
        zone: &app.options.zone,
        keymap: &app.options.keymap,
        wide: usize::from(area.width) >= columns::WIDE,
    };
    let table = Table::new(REQUESTS, usize::from(area.width), list.widest(), moment, canvas.glyphs.cut);
    let focus = app.focus() == Focus::List && app.overlays.is_empty();
    canvas.layout.spot(area, Spot::Pane(Focus::List));
    canvas.line(Rect { height: 1, ..area }, &head(app, list, &table, focus, app.data.list.stale(now)));
    let below = Rect { y: area.y + 1, height: area.height - 1, ..area };
    if rows.is_empty() {
        let mut lines = vec![Line::new()];
        lines.extend(empty(app, list, now).wrap(usize::from(area.width).saturating_sub(4), 0));
        canvas.lines(Rect { x: below.x + 2, width: below.width.saturating_sub(2), ..below }, &lines);
        return;
    }
    let selected = list.position();
    // A narrow column says little: the selected row's reason stands below the list in full.
    let mut below = below;
    if area.width < PANES.0 && below.height >= 6 {
        below.height -= 1;
        let reason = rows.get(selected).map(|row| why(row, now)).unwrap_or_default();
        let reason = Line::of("  ", Scope::Text).add(reason, Scope::Strong);
        canvas.line(Rect { y: below.bottom(), height: 1, ..below }, &reason);
    }
    // The last line tells of rows below, unless all fit.
    let height = usize::from(below.height);
    let height = if rows.len() > height { height.saturating_sub(1).max(1) } else { height };
    let window = list.window(height);
    canvas.layout.window(Pane::Requests, &window, height, rows.len());
    let stale = app.data.list.stale(now);
    let mut y = below.y;
    for at in window.clone() {
        let mut line = table.row(lead(app, rows[at], at == selected), rows[at]);
        if at == selected {
            line.over = Some(if focus { Scope::Selection } else { Scope::SelectionIdle });
        } else if stale {
            line.over = Some(Scope::Stale);
        }
        canvas.line(Rect { y, height: 1, ..below }, &line);
        canvas.layout.spot(Rect { y, height: 1, ..below }, Spot::Row(at));
        y += 1;
    }
    if window.len() < rows.len() && y < below.bottom() {
        canvas.line(Rect { y, height: 1, ..below }, &beyond(list, rows.len(), window, canvas.glyphs.more));
    }
}

fn head(app: &App, list: &Rows, table: &Table<RequestDoc>, focus: bool, stale: bool) -> Line {
    let scope = if focus { Scope::TitleFocus } else { Scope::Column };
    let found = safe!("{} of {}", list.listed(), list.unfiltered());
    if let Some(input) = &list.typing {
        return Line::of("  filter: ", Scope::TitleFocus)
            .add(input.before(), Scope::InputFocus)
            .add("_", Scope::InputFocus)
            .add(input.after(), Scope::InputFocus)
            .add(safe!("   {found}"), Scope::Mark)
            .add("   Enter keeps, Esc drops, !word inverts", Scope::Dim);
    }
    let line = table.head(Line::of(if stale { "~ " } else { "  " }, scope), scope);
    // What a list is not as it comes stands where the reasons are: those explain themselves.
    let marked = (!app.marked.is_empty()).then(|| safe!("{} marked", app.marked.len()));
    let filter = (!list.filter.is_empty()).then(|| safe!("filter {}", list.filter));
    let order = list.sorted_by().map(|order| safe!("by {order}"));
    let mut said = Line::new();
    // No comma before the order: a mark, a short filter and an order fit at 80 columns.
    for (between, part) in [(", ", marked), (", ", filter), (" ", order)] {
        let Some(part) = part else { continue };
        if !said.words.is_empty() {
            said.push(between, Scope::Mark);
        }
        said.push(part, Scope::Mark);
    }
    if said.words.is_empty() {
        return line.add(table.rest(), scope);
    }
    if !list.filter.is_empty() {
        said.push(safe!(" {found}"), Scope::Mark);
    }
    if !app.marked.is_empty() || !list.filter.is_empty() {
        said.push(safe!(" ({} drops)", app.key_of(Id::Back)), Scope::Dim);
    }
    line.join(said)
}

/// What stands before the columns of a row: the selection or the state's symbol, and whether it is marked.
fn lead(app: &App, row: &RequestDoc, selected: bool) -> Line {
    let marked = row.request_id.is_some_and(|id| app.marked.contains(&id));
    Line::of(if selected { ">" } else { mark(row) }, Scope::of_state(row.state))
        .add(if marked { "#" } else { " " }, Scope::Mark)
}

/// What is above and below the window: nothing bad goes out of sight unsaid.
fn beyond(list: &Rows, rows: usize, window: Range<usize>, arrows: [&'static str; 2]) -> Line {
    let mut line = Line::of("  ", Scope::Dim);
    for (part, arrow) in [(0..window.start, arrows[0]), (window.end..rows, arrows[1])] {
        if part.is_empty() {
            continue;
        }
        line.push(safe!("{arrow} {} more ", part.len()), Scope::Dim);
        let alarms = list.alarms(part);
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
        return dim(safe!("no row has these words; {} drops the filter", app.key_of(Id::Back)));
    }
    if doc.serial.is_none() {
        let why = app.data.problems().first().map(|p| format!(": {}", p.message)).unwrap_or_default();
        return Line::of(safe!("no instruction file is in force{why}"), Scope::MessageError);
    }
    if !list.everything && !doc.requests.is_empty() {
        return dim(safe!(
            "nothing is pending or running, and no failure is new; {} others: {} shows all",
            doc.requests.len(),
            app.key_of(Id::Packages)
        ));
    }
    let serial = doc.serial.unwrap_or_default();
    dim(safe!("instruction file serial {serial} holds no requests for this machine"))
}
