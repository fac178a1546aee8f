//! The filters of the log: those that count, and the field for one more.

use super::canvas::{Canvas, centred, dialog_width};
use super::line::Line;
use crate::console::app::App;
use crate::console::app::dialog::FilterAsk;
use crate::console::app::layout::Pane;
use crate::console::theme::Scope;
use crate::safe;
use crate::text::SafeText;
use ratatui::layout::Rect;

/// Draws the list.
pub fn draw(app: &App, ask: &FilterAsk, canvas: &mut Canvas, body: Rect) {
    let pane = app.log_pane();
    let conditions = pane.conditions();
    let width = dialog_width(body, 80);
    let room = usize::from(width).saturating_sub(4).max(1);
    let offers = pane.offers();
    let offers = offers.iter().map(SafeText::as_str).collect::<Vec<_>>().join("  ");
    let mut below = vec![Line::new()];
    if let Some(why) = &ask.wrong {
        below.extend(Line::of(safe!("{why}"), Scope::MessageError).wrap(room, 2));
    } else if ask.input.text().is_empty() {
        let ways = "timeout  !timeout  component:NAME  thread:12  request:BP0000Y  level:warning";
        below.extend(Line::of(ways, Scope::Dim).wrap(room, 2));
        if !offers.is_empty() {
            below.extend(Line::of(safe!("of this line: {offers}"), Scope::Dim).wrap(room, 2));
        }
    }
    let least = below.len() as u16 + 3;
    let listed = (conditions.len().max(1) as u16).min(body.height.saturating_sub(least).max(1));
    let area = centred(body, width, listed + least);
    let inside = canvas.frame(area, &Line::of("FILTERS OF THE LOG", Scope::DialogTitle));
    let typed = Line::of("filter: ", Scope::Key)
        .add(ask.input.before(), Scope::InputFocus)
        .add("_", Scope::InputFocus)
        .add(ask.input.after(), Scope::InputFocus);
    canvas.line(Rect { height: inside.height.min(1), ..inside }, &typed);
    let rest = inside.height.saturating_sub(1);
    let list = Rect { y: inside.y + 1, height: listed.min(rest), ..inside };
    let height = usize::from(list.height);
    if conditions.is_empty() {
        canvas.line(list, &Line::of("none: every record is shown", Scope::Dim));
    }
    let selected = ask.cursor.row(conditions.len());
    let window = ask.cursor.window(conditions.len(), height);
    canvas.layout.window(Pane::Layer(canvas.layer), &window, height, conditions.len());
    for (n, at) in window.enumerate() {
        let mut line = Line::of(&conditions[at], Scope::Text);
        if at == selected {
            line.over = Some(Scope::Selection);
        }
        canvas.line(Rect { y: list.y + n as u16, height: 1, ..list }, &line);
    }
    let foot = Rect { y: list.bottom(), height: rest - list.height, ..inside };
    canvas.lines(foot, &below);
}
