//! What became of an action on several requests, each by itself; and the field for a file's name.

use super::canvas::{Canvas, centred, dialog_width};
use super::line::Line;
use crate::console::app::App;
use crate::console::app::dialog::SaveAs;
use crate::console::app::results::Fate;
use crate::console::app::words;
use crate::console::theme::Scope;
use crate::safe;
use ratatui::layout::Rect;

/// Draws what became of each, those that were refused first.
pub fn draw(app: &App, canvas: &mut Canvas, body: Rect) {
    let Some(results) = &app.results else { return };
    let width = dialog_width(body, 100);
    let inner = usize::from(width).saturating_sub(4);
    let mut lines = Line::of(results.summary(), Scope::Strong).wrap(inner, 2);
    let mut fates: Vec<_> = results.fates.iter().collect();
    fates.sort_by_key(|(_, fate)| !matches!(fate, Fate::Refused(_)));
    for (request, fate) in fates {
        let (word, scope, text) = match fate {
            Fate::Asked(_) => ("...", Scope::Dim, "not answered yet".into()),
            Fate::Done(text) => ("done", Scope::GatePass, text.clone()),
            Fate::Queued(text) => ("queued", Scope::StateQueued, text.clone()),
            Fate::Refused(why) => ("REFUSED", Scope::MessageError, why.clone()),
        };
        let line = Line::new().cell(safe!("{request}"), 9, "", Scope::Text).cell(word, 9, "", scope);
        lines.extend(line.add(text, Scope::Text).wrap(inner, 18));
    }
    let title =
        Line::of(safe!("{} OF SEVERAL", results.id.command().name.to_uppercase()), Scope::DialogTitle);
    canvas.text(body, width, &title, &results.scroll, &lines);
}

/// Draws the field.
pub fn save(save: &SaveAs, canvas: &mut Canvas, body: Rect) {
    let width = dialog_width(body, 80);
    let area = centred(body, width, 6);
    let inside = canvas.frame(area, &Line::of(safe!("SAVE {}", save.what), Scope::DialogTitle));
    let room = usize::from(inside.width).saturating_sub(6).max(4);
    let before = save.path.before();
    let text = safe!("{before}_{}", save.path.after());
    let text = text.skip(before.width().saturating_sub(room.saturating_sub(2)));
    let what = match &save.file {
        Some(file) => safe!("all that is shown of {file}"),
        None => safe!("{}", words::count(save.lines.len(), "line")),
    };
    let lines = [
        Line::of(safe!("{what} to a new file:"), Scope::Text),
        Line::of("file  ", Scope::Dim).cell(text, room, canvas.glyphs.cut, Scope::InputFocus),
        Line::new(),
        Line::of("Enter", Scope::Key)
            .add(" writes   ", Scope::Text)
            .add("Esc", Scope::Key)
            .add(" drops   an existing file is never overwritten", Scope::Dim),
    ];
    canvas.lines(inside, &lines);
}
