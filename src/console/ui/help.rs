//! Help and palette, both from the table of commands: every key with what it does, and why it does nothing now.

use super::canvas::Canvas;
use super::line::Line;
use super::{centred, dialog_width};
use crate::console::app::App;
use crate::console::app::command::{COMMANDS, Command, Context, Section, enabled};
use crate::console::app::list::Scroll;
use crate::console::app::overlay::{Overlay, Palette};
use crate::console::app::{Focus, View};
use crate::console::theme::Scope;
use crate::safe;
use ratatui::layout::Rect;

/// Draws the keys of what is below the help.
pub fn draw(app: &App, scroll: &Scroll, canvas: &mut Canvas, body: Rect) {
    let width = dialog_width(body, 100);
    let inner = usize::from(width).saturating_sub(4);
    let here = context_below(app);
    let mut lines = Vec::new();
    for section in Section::ALL {
        let of_here = |c: &&Command| {
            c.section == section && c.contexts.iter().any(|x| *x == Context::Everywhere || here.contains(x))
        };
        let commands: Vec<_> = COMMANDS.iter().filter(of_here).collect();
        if commands.is_empty() {
            continue;
        }
        if !lines.is_empty() {
            lines.push(Line::new());
        }
        lines.push(Line::of(section.title(), Scope::Title));
        for command in commands {
            lines.extend(row(app, command, true).wrap(inner, 14));
        }
    }
    lines.push(Line::new());
    lines.push(Line::of("Marks: * running  ! failed or rejected  x expired  ~ old  > selected", Scope::Dim));
    let height = (lines.len() as u16 + 2).min(body.height);
    let area = centred(body, width, height);
    let title = Line::of(safe!("KEYS of {}", app.view.title()), Scope::DialogTitle);
    let inside = canvas.frame(area, &title);
    let window = scroll.window(lines.len(), usize::from(inside.height));
    let rest = lines.len() - window.end;
    canvas.lines(inside, &lines[window]);
    if rest > 0 {
        let more = Line::of(safe!(" {} {rest} more, PgDn ", canvas.glyphs.more[1]), Scope::DialogBorder);
        canvas.line(Rect { x: area.x + 2, y: area.bottom() - 1, width: area.width - 4, height: 1 }, &more);
    }
}

/// Where the keys go once the help is closed.
fn context_below(app: &App) -> &'static [Context] {
    let layers = app.overlays.iter().filter(|layer| !matches!(layer, Overlay::Help(_))).count();
    match (layers, app.view, app.focus()) {
        (0, _, Focus::Log) => &[Context::Log],
        (0, View::Overview | View::Packages, Focus::List) => &[Context::Requests],
        _ => &[Context::Other],
    }
}

/// Draws the palette.
pub fn palette(app: &App, palette: &Palette, canvas: &mut Canvas, body: Rect) {
    let width = dialog_width(body, 100);
    let found = palette.found();
    let area = centred(body, width, (COMMANDS.len() as u16 + 4).min(body.height));
    let inside = canvas.frame(area, &Line::of("COMMANDS", Scope::DialogTitle));
    if inside.height == 0 {
        return;
    }
    let typed = Line::of(": ", Scope::Key)
        .add(palette.input.before(), Scope::InputFocus)
        .add("_", Scope::InputFocus)
        .add(palette.input.after(), Scope::InputFocus);
    canvas.line(Rect { height: 1, ..inside }, &typed);
    let list = Rect { y: inside.y + 1, height: inside.height - 1, ..inside };
    if found.is_empty() {
        canvas.line(list, &Line::of("no command is called that", Scope::Dim));
    }
    let selected = palette.cursor.row(found.len());
    for (n, at) in palette.cursor.window(found.len(), usize::from(list.height)).enumerate() {
        let mut line = row(app, found[at], false);
        if at == selected {
            line.over = Some(Scope::Selection);
        }
        canvas.line(Rect { y: list.y + n as u16, height: 1, ..list }, &line);
    }
}

/// A command with its keys, its words, and why it does nothing now.
fn row(app: &App, command: &Command, help: bool) -> Line {
    let keys: Vec<_> = app.options.keymap.of(command.id).iter().map(ToString::to_string).collect();
    let why = enabled(app, command.id).err();
    let (key, text) = if why.is_some() { (Scope::KeyOff, Scope::Dim) } else { (Scope::Key, Scope::Text) };
    let mut line = if help {
        Line::of("  ", text).cell(safe!("{}", keys.join(" ")), 12, "", key)
    } else {
        Line::new().cell(command.name, 16, "", text).cell(safe!("{}", keys.join(" ")), 12, "", key)
    };
    line.push(command.words, text);
    if let Some(why) = why {
        line.push(safe!(" - not now: {why}"), Scope::Stale);
    }
    line
}
