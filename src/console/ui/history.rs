//! View 6: what was attempted on this machine, newest first, and who did what.

use super::canvas::Canvas;
use super::header::identity;
use super::line::Line;
use crate::clock::Wall;
use crate::console::app::data::Held;
use crate::console::app::filter::Filter;
use crate::console::app::{App, Focus, Spot, words};
use crate::console::theme::Scope;
use crate::executor::talk::view::{AttemptDoc, AuditEntryDoc};
use crate::safe;
use crate::terms::State;
use ratatui::layout::Rect;

/// Draws attempts above, audit below.
pub fn draw(app: &App, now: Wall, canvas: &mut Canvas, body: Rect) {
    let upper = Rect { height: body.height / 2, ..body };
    let lower = Rect { y: upper.bottom(), height: body.height - upper.height, ..body };
    let focus = app.focus() == Focus::Second;
    app.spots.add(upper, Spot::Pane(Focus::List));
    app.spots.add(lower, Spot::Pane(Focus::Second));
    let zone = &app.options.zone;
    let wide = body.width >= 100;

    let listed = app.attempts();
    let attempts = app.data.history.value.as_ref().map(|h| h.attempts.as_slice());
    let counts = attempts.map(|all| (listed.len(), all.len()));
    let inside =
        head(canvas, upper, "ATTEMPTS", counts, &app.attempt_filter, !focus && app.overlays.is_empty());
    match attempts {
        Some([]) => note(canvas, inside, "nothing was attempted on this machine yet"),
        Some(_) if listed.is_empty() => note(canvas, inside, NONE_LEFT),
        Some(attempts) => {
            let at = app.history.row(listed.len());
            let inside = whole(canvas, inside, &attempt_words(&attempts[listed[at]]));
            let window = app.history.window(listed.len(), usize::from(inside.height));
            for (y, n) in (inside.y..).zip(window) {
                let mut line = attempt(&attempts[listed[n]], n == at, now, zone, wide);
                if n == at {
                    line.over = Some(if focus { Scope::SelectionIdle } else { Scope::Selection });
                }
                canvas.line(Rect { y, height: 1, ..inside }, &line);
            }
        }
        None => fault(canvas, inside, &app.data.history),
    }

    let listed = app.entries();
    let entries = app.data.audit.value.as_ref().map(|a| a.entries.as_slice());
    let counts = entries.map(|all| (listed.len(), all.len()));
    let inside = head(canvas, lower, "AUDIT", counts, &app.audit_filter, focus && app.overlays.is_empty());
    match entries {
        Some([]) => note(canvas, inside, "no operator has done anything here yet"),
        Some(_) if listed.is_empty() => note(canvas, inside, NONE_LEFT),
        Some(entries) => {
            // Oldest first as it is kept; newest first as one reads.
            let of = |n: usize| &entries[listed[listed.len() - 1 - n]];
            let at = app.audit.row(listed.len());
            let inside = whole(canvas, inside, &entry_words(app, of(at)));
            let window = app.audit.window(listed.len(), usize::from(inside.height));
            for (y, n) in (inside.y..).zip(window) {
                let mut line = entry(of(n), n == at, now, zone);
                if n == at {
                    line.over = Some(if focus { Scope::Selection } else { Scope::SelectionIdle });
                }
                canvas.line(Rect { y, height: 1, ..inside }, &line);
            }
        }
        None => fault(canvas, inside, &app.data.audit),
    }
}

const NONE_LEFT: &str = "no row has these words; Esc drops the filter";

/// The rule with the pane's name, how many rows are listed, and the words that they have.
fn head(
    canvas: &mut Canvas,
    area: Rect,
    name: &'static str,
    counts: Option<(usize, usize)>,
    filter: &Filter,
    focus: bool,
) -> Rect {
    let scope = if focus { Scope::TitleFocus } else { Scope::Title };
    let count = match counts {
        Some((listed, all)) if listed < all => format!(" {listed} of {all}"),
        Some((_, all)) => format!(" {all}"),
        None => String::new(),
    };
    let mut title = Line::of(safe!("{name}{count}"), scope);
    let mut right = Line::of("newest first", Scope::Dim);
    if let Some(input) = &filter.typing {
        title = title.add("  find: ", Scope::TitleFocus).add(input.before(), Scope::InputFocus);
        title = title.add("_", Scope::InputFocus).add(input.after(), Scope::InputFocus);
        right = Line::of("Enter keeps, Esc drops", Scope::Dim);
    } else if !filter.words.is_empty() {
        title = title.add(safe!("  find: {}", filter.words), Scope::Mark).add(" (Esc drops)", Scope::Dim);
    }
    canvas.rule(area, &title, &right, focus);
    Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area }
}

fn note(canvas: &mut Canvas, area: Rect, text: &'static str) {
    canvas.line(area, &Line::of("  ", Scope::Text).add(text, Scope::Dim));
}

fn fault<T>(canvas: &mut Canvas, area: Rect, held: &Held<T>) {
    match &held.fault {
        Some((failure, _)) => {
            canvas.line(area, &Line::of("  ", Scope::Text).add(safe!("{failure}"), Scope::MessageError));
        }
        None => note(canvas, area, "asking the executor"),
    }
}

/// Says the selected row in full on the last lines of an area, where there are some to spare; the rest is the list's.
fn whole(canvas: &mut Canvas, area: Rect, words: &Line) -> Rect {
    let lines = words.wrap(usize::from(area.width), 4);
    let height = lines.len().min(3) as u16;
    if area.height < height + 4 {
        return area;
    }
    let list = Rect { height: area.height - height, ..area };
    canvas.lines(Rect { y: list.bottom(), height, ..area }, &lines);
    list
}

fn attempt_words(doc: &AttemptDoc) -> Line {
    let mut line = Line::of(safe!("  {} attempt {}: ", doc.request_id, doc.attempt), Scope::Strong);
    line.push(doc.state.as_str(), Scope::of_state(doc.state));
    line.push(safe!(", by {}", doc.by), Scope::Text);
    if !doc.reason.is_empty() {
        line.push(safe!(", because \"{}\"", doc.reason), Scope::Text);
    }
    if !doc.result.is_empty() {
        line.push(safe!(": {}", doc.result), Scope::Text);
    }
    line.add("; Enter shows more", Scope::Dim)
}

fn entry_words(app: &App, doc: &AuditEntryDoc) -> Line {
    let mut line = Line::of("  ", Scope::Text).join(identity(app, 24));
    line.push(safe!(" {} by {}", doc.verb, doc.who), Scope::Strong);
    if let Some(uid) = doc.uid {
        line.push(safe!(" (uid {uid})"), Scope::Text);
    }
    for (name, value) in [(" on ", &doc.terminal), (" from ", &doc.from)] {
        if let Some(value) = value {
            line.push(name, Scope::Dim);
            line.push(value, Scope::Text);
        }
    }
    line.push(safe!(": {}", doc.result), Scope::Strong);
    if let Some(reason) = &doc.reason {
        line.push(safe!(", because \"{reason}\""), Scope::Text);
    }
    line
}

fn attempt(doc: &AttemptDoc, selected: bool, now: Wall, zone: &crate::clock::Zone, wide: bool) -> Line {
    let at = doc.started_at.unwrap_or(doc.claimed_at);
    let took = match (doc.started_at, doc.ended_at) {
        (Some(start), Some(end)) => words::span((end - start).num_seconds()),
        (Some(start), None) => format!("{}...", words::span((now - start).num_seconds())),
        _ => "-".into(),
    };
    let exit = match doc.exit_code {
        // A failure that is told in other words than by what the package returned.
        Some(0) if doc.state == State::Failed && !doc.result.as_str().starts_with("exit ") => {
            "MIF".to_owned()
        }
        Some(code) => format!("exit {code}"),
        None => String::new(),
    };
    let time = if wide { words::full(at, zone) } else { words::stamp(at, now, zone) };
    let mut line = Line::of(if selected { "> " } else { "  " }, Scope::Text)
        .cell(safe!("{time}"), if wide { 20 } else { 12 }, "", Scope::Dim)
        .cell(safe!("{}#{}", doc.request_id, doc.attempt), 11, "", Scope::Text)
        .cell(&doc.package, if wide { 32 } else { 20 }, "~", Scope::Text)
        .add(" ", Scope::Text)
        .cell(doc.state.as_str(), if wide { 18 } else { 13 }, "~", Scope::of_state(doc.state))
        .cell(safe!("{took}"), 10, "~", Scope::Text)
        .cell(safe!("{exit}"), 9, "~", Scope::Text);
    if !wide {
        return line;
    }
    line.push(safe!("by {}", doc.by), Scope::Dim);
    if !doc.reason.is_empty() {
        line.push(safe!(" \"{}\"", doc.reason), Scope::Text);
    }
    if !doc.result.is_empty() {
        line.push(safe!(" {}", doc.result), Scope::Dim);
    }
    line
}

fn entry(doc: &AuditEntryDoc, selected: bool, now: Wall, zone: &crate::clock::Zone) -> Line {
    let refused = !matches!(doc.result.as_str(), "done" | "asked");
    let result = if refused { Scope::MessageError } else { Scope::Text };
    let from = doc.from.as_ref().or(doc.terminal.as_ref());
    let who = match from {
        Some(from) => safe!("{} ({from})", doc.who),
        None => doc.who.clone(),
    };
    let mut line = Line::of(if selected { "> " } else { "  " }, Scope::Text)
        .cell(safe!("{}", words::stamp(doc.at, now, zone)), 12, "", Scope::Dim)
        .cell(who, 22, "~", Scope::Text)
        .add(" ", Scope::Text)
        .cell(safe!("{}", doc.verb), 9, "~", Scope::Strong)
        .cell(doc.request_id.map_or_else(Default::default, |id| safe!("{id}")), 8, "", Scope::Text)
        .cell(&doc.result, 16, "~", result);
    if let Some(reason) = &doc.reason {
        line.push(safe!("\"{reason}\""), Scope::Text);
    }
    line
}
