//! What the questions of view 5 have in common, of a job and of machines: facts, fields where text is typed, the question
//! itself, and what is said of it below.

use super::canvas::{Canvas, centred};
use super::line::Line;
use crate::console::app::dialog::Complaint;
use crate::console::app::input::Input;
use crate::console::theme::Scope;
use crate::safe;
use crate::text::SafeText;
use ratatui::layout::Rect;

/// Where facts begin, after their names.
pub(super) const HEAD: usize = 10;

/// A fact with its name, in as many lines as it needs.
pub(super) fn fact(name: &'static str, line: Line, width: usize) -> Vec<Line> {
    Line::new().cell(name, HEAD, "", Scope::Dim).join(line).wrap(width, HEAD)
}

/// A field where text is typed.
pub(super) fn typed(name: &'static str, input: &Input, focus: bool, width: usize) -> Line {
    let scope = if focus { Scope::InputFocus } else { Scope::Input };
    let cursor = if focus { "_" } else { "" };
    let (before, room) = (input.before(), width.saturating_sub(HEAD).min(40));
    // What is typed is in sight, however long it is.
    let text = safe!("{before}{cursor}{}", input.after())
        .skip(before.width().saturating_sub(room.saturating_sub(2)));
    let line = Line::of(if focus { "> " } else { "  " }, Scope::Text).cell(name, HEAD - 2, "", Scope::Dim);
    line.cell(text, room, "~", scope)
}

/// What a `y` does.
pub(super) fn question(focus: bool) -> Line {
    let pointer = if focus { "> " } else { "  " };
    let yes = Line::of(pointer, Scope::Text).add("y", Scope::Key);
    yes.add(" carries it out; any other key cancels", Scope::Text)
}

/// Draws the question in a frame: its end, with what keeps a `y` from counting, where there is no room for all of it.
pub(super) fn draw(
    canvas: &mut Canvas,
    area: Rect,
    (width, title): (u16, &Line),
    mut lines: Vec<Line>,
    (complaint, obstacle): (Option<Complaint>, Option<SafeText>),
) {
    let said = match (complaint, obstacle) {
        (Some(Complaint::TooSoon), _) => Some("that came too soon to have been read: y once more".into()),
        (_, Some(obstacle)) => Some(obstacle),
        (_, None) => None,
    };
    let inner = usize::from(width).saturating_sub(4);
    lines.extend(
        said.into_iter().flat_map(|text: SafeText| Line::of(text, Scope::MessageError).wrap(inner, 2)),
    );
    let dialog = centred(area, width, lines.len() as u16 + 2);
    let inside = canvas.frame(dialog, title);
    let rest = lines.len().saturating_sub(usize::from(inside.height));
    canvas.lines(inside, &lines[rest..]);
}
