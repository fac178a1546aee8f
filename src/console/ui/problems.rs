//! Everything that is wrong, with its place.

use super::canvas::{Canvas, dialog_width};
use super::line::Line;
use crate::console::app::App;
use crate::console::app::list::Scroll;
use crate::console::theme::Scope;
use crate::executor::talk::view::RequestDoc;
use crate::safe;
use crate::terms::{Code, Group, Problem};
use crate::text::SafeText;
use ratatui::layout::Rect;

/// Draws the list of problems, first those of the selected record.
pub fn draw(app: &App, scroll: &Scroll, canvas: &mut Canvas, body: Rect) {
    let width = dialog_width(body, 100);
    let inner = usize::from(width).saturating_sub(4);
    let mut lines = Vec::new();
    let own = app.selected_row().map(|row| row.problems.iter().collect::<Vec<_>>()).unwrap_or_default();
    if !own.is_empty() {
        lines.push(Line::of("The selected record", Scope::Title));
        lines.extend(own.iter().flat_map(|problem| told(problem).wrap(inner, 2)));
        lines.push(Line::new());
    }
    if let Some((failure, _)) = app.silence() {
        lines.push(Line::of("The executor", Scope::Title));
        lines.extend(Line::of(safe!("{failure}"), Scope::MessageError).wrap(inner, 2));
        lines.push(Line::new());
    }
    let problems = app.data.problems();
    if !problems.is_empty() {
        lines.push(Line::of(
            "This machine: service, share, instructions, history, configuration",
            Scope::Title,
        ));
        lines.extend(problems.into_iter().flat_map(|problem| told(problem).wrap(inner, 2)));
    }
    // What the selected record has is above.
    let above = |row: &RequestDoc| {
        !row.problems.is_empty() && app.selected_row().is_some_and(|s| std::ptr::eq(s, row))
    };
    let rows: Vec<&RequestDoc> = app.data.alarming().filter(|row| !above(row)).collect();
    if !rows.is_empty() {
        if !lines.is_empty() {
            lines.push(Line::new());
        }
        lines.push(Line::of("Requests", Scope::Title));
        for row in rows.iter().take(MOST_ROWS) {
            lines.extend(of_request(row).into_iter().flat_map(|line| line.wrap(inner, 2)));
        }
        if rows.len() > MOST_ROWS {
            lines.push(Line::of(safe!("{} more: the list shows them", rows.len() - MOST_ROWS), Scope::Dim));
        }
    }
    if lines.is_empty() {
        lines.push(Line::of("nothing is wrong", Scope::Dim));
    }
    canvas.text(body, width, &Line::of("PROBLEMS", Scope::DialogTitle), scroll, &lines);
}

/// How many requests are named one by one.
const MOST_ROWS: usize = 200;

/// What is wrong with a request, and the command that says more or mends it.
fn of_request(row: &RequestDoc) -> Vec<Line> {
    let id = row.request_id.map_or_else(|| "(no id)".into(), |id| safe!("{id}"));
    let head =
        || Line::of(safe!("{id} "), Scope::Strong).add(safe!("{} ", row.state), Scope::of_state(row.state));
    if !row.problems.is_empty() {
        return row.problems.iter().map(|problem| head().join(told(problem))).collect();
    }
    let remedy = match row.state.group() {
        Group::Executed => format!(
            "pcm history {id} says how, pcm rerun {id} --reason WHY tries again, pcm seen {id} ends this finding"
        ),
        Group::Expired => {
            format!("pcm explain {id} says what was in its way, pcm seen {id} ends this finding")
        }
        Group::Rejected | Group::Pending | Group::Running | Group::Skipped => {
            format!("pcm explain {id} says more")
        }
    };
    vec![head().add(safe!("{}. {remedy}", row.why), Scope::Text)]
}

/// A problem with its place and what mends it.
fn told(problem: &Problem) -> Line {
    let scope = if problem.is_warning() { Scope::LogWarning } else { Scope::LogError };
    let line = problem.line.map(|n| format!(":{n}")).unwrap_or_default();
    let field = problem.field.as_ref().map(|f| format!(" {f}")).unwrap_or_default();
    let place = safe!("{}{line}{field}", problem.file);
    let place = if place.is_empty() { place } else { safe!("{place} ") };
    Line::of(safe!("{} ", problem.code), scope)
        .add(place, Scope::Dim)
        .add(&problem.message, Scope::Text)
        .add(remedy(problem), Scope::Text)
}

/// What mends it, where its code says so and the message does not.
fn remedy(problem: &Problem) -> SafeText {
    match problem.code.parse::<Code>() {
        // The command that starts it stands in the message, for this very installation.
        Ok(Code::NoService) => SafeText::default(),
        Ok(code)
            if !code.row().remedy.contains("{id}")
                && !problem.message.as_str().contains(code.row().remedy) =>
        {
            safe!(". {}", code.row().remedy)
        }
        Ok(_) | Err(_) => SafeText::default(),
    }
}
