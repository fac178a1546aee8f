//! View 7: the readiness checklist, one row an item, with the evidence and the remedy of the selected one in full.

use super::canvas::Canvas;
use super::line::Line;
use crate::clock::Wall;
use crate::console::app::layout::Pane;
use crate::console::app::{App, words};
use crate::console::theme::Scope;
use crate::executor::talk::view::CheckItem;
use crate::safe;
use crate::terms::Verdict;
use ratatui::layout::Rect;

/// The rows that the list keeps when the selected one is said in full below it.
const LEAST_ROWS: u16 = 4;

/// Draws the checklist.
pub fn draw(app: &App, now: Wall, canvas: &mut Canvas, body: Rect) {
    let focus = app.overlays.is_empty();
    let held = &app.data.check;
    let items = held.value.as_ref().map(|doc| doc.items.as_slice());
    canvas.rule(body, &title(items), &age(app, now), focus);
    let inside = Rect { y: body.y + 1, height: body.height.saturating_sub(1), ..body };
    let Some(items) = items else {
        let line = match &held.fault {
            Some((failure, _)) => Line::of("  ", Scope::Text).add(safe!("{failure}"), Scope::MessageError),
            None => Line::of("  ", Scope::Text).add("going through the checklist", Scope::Dim),
        };
        canvas.lines(inside, &line.wrap(usize::from(inside.width), 2));
        return;
    };
    let at = app.readiness.row(items.len());
    let Some(selected) = items.get(at) else { return };
    let list = in_full(canvas, inside, selected);
    let height = usize::from(list.height);
    let window = app.readiness.window(items.len(), height);
    canvas.layout.window(Pane::Readiness, &window, height, items.len());
    for (y, n) in (list.y..).zip(window) {
        let mut line = row(&items[n], n == at, items);
        if n == at {
            line.over = Some(if focus { Scope::Selection } else { Scope::SelectionIdle });
        }
        canvas.line(Rect { y, height: 1, ..list }, &line);
    }
}

fn title(items: Option<&[CheckItem]>) -> Line {
    let scope = Scope::TitleFocus;
    let Some(items) = items else { return Line::of("READINESS", scope) };
    let of = |verdict| items.iter().filter(|i| i.verdict == verdict).count();
    match (of(Verdict::Block), of(Verdict::Unknown)) {
        (0, 0) => Line::of("READINESS all passed", scope),
        (0, unknown) => Line::of(safe!("READINESS no failures, {unknown} unknown"), scope),
        (wrong, 0) => Line::of(safe!("READINESS {wrong} failed"), scope),
        (wrong, unknown) => Line::of(safe!("READINESS {wrong} failed, {unknown} unknown"), scope),
    }
}

/// How old it is: nothing here is looked at again by itself.
fn age(app: &App, now: Wall) -> Line {
    if app.checking() {
        return Line::of("checking", Scope::Dim);
    }
    match app.data.check.at {
        Some(at) => Line::of(safe!("checked {}", words::when(at, now, &app.options.zone)), Scope::Dim),
        None => Line::new(),
    }
}

/// The word that says how an item stands, before any colour.
fn word(verdict: Verdict) -> (&'static str, Scope) {
    match verdict {
        Verdict::Pass => ("ok", Scope::MarkOk),
        Verdict::Block => ("FAIL", Scope::MessageError),
        Verdict::Unknown => ("?", Scope::Mark),
    }
}

fn row(item: &CheckItem, selected: bool, all: &[CheckItem]) -> Line {
    let (word, scope) = word(item.verdict);
    let name = all.iter().map(|i| i.item.width()).max().unwrap_or(0);
    Line::of(if selected { "> " } else { "  " }, Scope::Text)
        .cell(word, 5, "", scope)
        .cell(&item.item, name + 1, "", Scope::Text)
        .add(&item.evidence, if item.verdict == Verdict::Pass { Scope::Dim } else { Scope::Text })
}

/// Says the selected row in full on the last lines of an area; the rest is the list's.
fn in_full(canvas: &mut Canvas, area: Rect, item: &CheckItem) -> Rect {
    let width = usize::from(area.width);
    let (word, scope) = word(item.verdict);
    let mut lines = Line::of("  ", Scope::Strong)
        .add(&item.item, Scope::Strong)
        .add(" ", Scope::Text)
        .add(word, scope)
        .add(safe!(": {}", item.evidence), Scope::Text)
        .wrap(width, 2);
    if let Some(remedy) = &item.remedy {
        lines.extend(Line::of("  ", Scope::Text).add(remedy, Scope::Strong).wrap(width, 2));
    }
    let room = area.height.saturating_sub(LEAST_ROWS);
    let height = u16::try_from(lines.len()).unwrap_or(room).min(room);
    let list = Rect { height: area.height - height, ..area };
    lines.truncate(usize::from(height));
    canvas.lines(Rect { y: list.bottom(), height, ..area }, &lines);
    list
}
