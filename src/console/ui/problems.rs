//! Everything that is wrong, with its place.

use super::canvas::{Canvas, dialog_width};
use super::line::Line;
use crate::console::app::App;
use crate::console::app::list::Scroll;
use crate::console::theme::Scope;
use crate::safe;
use crate::terms::Problem;
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
    if let Some((failure, _)) = app.data.silence() {
        lines.push(Line::of("The executor", Scope::Title));
        lines.extend(Line::of(safe!("{failure}"), Scope::MessageError).wrap(inner, 2));
        lines.push(Line::new());
    }
    lines.push(Line::of("Share, instructions, history, configuration", Scope::Title));
    let problems = app.data.problems();
    if problems.is_empty() {
        lines.push(Line::of("nothing is wrong", Scope::Dim));
    }
    lines.extend(problems.into_iter().flat_map(|problem| told(problem).wrap(inner, 2)));
    canvas.text(body, width, &Line::of("PROBLEMS", Scope::DialogTitle), scroll, &lines);
}

fn told(problem: &Problem) -> Line {
    let scope = if problem.is_warning() { Scope::LogWarning } else { Scope::LogError };
    let line = problem.line.map(|n| format!(":{n}")).unwrap_or_default();
    let field = problem.field.as_ref().map(|f| format!(" {f}")).unwrap_or_default();
    Line::of(safe!("{} ", problem.code), scope)
        .add(safe!("{}{line}{field} ", problem.file), Scope::Dim)
        .add(&problem.message, Scope::Text)
}
