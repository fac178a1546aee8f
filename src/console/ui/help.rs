//! Help and palette, both from the table of commands: every key with what it does, and why it does nothing now.

use super::canvas::{Canvas, centred, dialog_width};
use super::line::Line;
use crate::console::app::layout::Pane;
use crate::console::app::list::Scroll;
use crate::console::app::overlay::Palette;
use crate::console::app::{App, contexts_below, enabled};
use crate::console::keymap::commands::{COMMANDS, Command, Id, Section};
use crate::console::theme::Scope;
use crate::safe;
use ratatui::layout::Rect;

/// Draws the keys of what is below the help: all at a glance, then each in words and why it does nothing now.
pub fn draw(app: &App, scroll: &Scroll, canvas: &mut Canvas, body: Rect) {
    let width = dialog_width(body, 100);
    let inner = usize::from(width).saturating_sub(4);
    let here = contexts_below(app);
    let of_here: Vec<&Command> = COMMANDS.iter().filter(|c| c.is_of(here)).collect();
    let ways = safe!(
        "{} leaves, {} goes a step back, {} finds any command, {} shows more",
        app.key_of(Id::Quit),
        app.key_of(Id::Back),
        app.key_of(Id::Palette),
        app.key_of(Id::PageDown)
    );
    let mut lines = Line::of(ways, Scope::Dim).wrap(inner, 0);
    lines.extend(card(app, &of_here, inner));
    lines.push(Line::new());
    let marks = "Marks: * running  ! failed or rejected  x expired  + done  # marked  ~ old  > selected";
    lines.extend(Line::of(marks, Scope::Dim).wrap(inner, 7));
    for section in Section::ALL {
        let mut commands = of_here.iter().filter(|c| c.section == section).peekable();
        if commands.peek().is_some() {
            lines.push(Line::new());
            lines.push(Line::of(section.title(), Scope::Title));
        }
        for command in commands {
            lines.extend(row(app, command, true).wrap(inner, 14));
        }
    }
    let title = Line::of(safe!("KEYS of {}", app.view.title()), Scope::DialogTitle);
    canvas.text(body, width, &title, scroll, &lines);
}

/// Every key with a word or two, by section, in as many columns as there is room for.
fn card(app: &App, commands: &[&Command], width: usize) -> Vec<Line> {
    let mut cells: Vec<(Line, bool)> = Vec::new();
    for section in Section::ALL {
        let with_keys = commands.iter().filter(|c| c.section == section);
        let mut with_keys =
            with_keys.filter_map(|c| Some((*c, app.options.keymap.of(c.id).first()?))).peekable();
        if with_keys.peek().is_some() {
            cells.push((Line::of(section.title(), Scope::Title), true));
        }
        for (command, key) in with_keys {
            let on = enabled(app, command.id).is_ok();
            let (key_scope, scope) = if on { (Scope::Key, Scope::Text) } else { (Scope::KeyOff, Scope::Dim) };
            let line = Line::new().cell(safe!("{key}"), 10, "", key_scope).add(command.short, scope);
            cells.push((line, false));
        }
    }
    let columns = (width / 25).clamp(1, 4);
    let wide = width / columns;
    let mut height = cells.len().div_ceil(columns);
    // A title does not stand alone at the foot of a column.
    while cells.chunks(height.max(1)).any(|part| part.last().is_some_and(|(_, title)| *title)) {
        height += 1;
    }
    (0..height)
        .map(|row| {
            let mut line = Line::new();
            for (column, part) in cells.chunks(height).enumerate() {
                if let Some((cell, _)) = part.get(row) {
                    line = line.pad_to(column * wide).join(cell.clone());
                }
            }
            line
        })
        .collect()
}

/// Draws the palette.
pub fn palette(app: &App, palette: &Palette, canvas: &mut Canvas, body: Rect) {
    let width = dialog_width(body, 100);
    let found = palette.found();
    let area = centred(body, width, (COMMANDS.len() as u16 + 7).min(body.height));
    let inside = canvas.frame(area, &Line::of("COMMANDS", Scope::DialogTitle));
    if inside.height == 0 {
        return;
    }
    let typed = Line::of("command: ", Scope::Key)
        .add(palette.input.before(), Scope::InputFocus)
        .add("_", Scope::InputFocus)
        .add(palette.input.after(), Scope::InputFocus);
    canvas.line(Rect { height: 1, ..inside }, &typed);
    // The selected one in full below the others: why it does nothing now is what is cut off first.
    let full = if inside.height >= 10 { 3 } else { 0 };
    let list = Rect { y: inside.y + 1, height: inside.height - 1 - full, ..inside };
    if let Some(command) = found.get(palette.cursor.row(found.len())).filter(|_| full > 0) {
        let below = Rect { y: list.bottom(), height: full, ..inside };
        let words = Line::of(command.name, Scope::Strong).add(safe!(": {}", command.words), Scope::Text);
        canvas.lines(below, &with_why(words, app, command).wrap(usize::from(inside.width), 2));
    }
    if found.is_empty() {
        canvas.line(list, &Line::of("no command has these words", Scope::Dim));
    }
    let selected = palette.cursor.row(found.len());
    let window = palette.cursor.window(found.len(), usize::from(list.height));
    canvas.layout.window(Pane::Layer(canvas.layer), &window, usize::from(list.height), found.len());
    for (n, at) in window.enumerate() {
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
    let on = enabled(app, command.id).is_ok();
    let (key, text) = if on { (Scope::Key, Scope::Text) } else { (Scope::KeyOff, Scope::Dim) };
    let mut line = if help && keys.is_empty() {
        Line::of("  ", text).add(command.name, text).add(" ", text).pad_to(14)
    } else if help {
        Line::of("  ", text).cell(safe!("{}", keys.join(" ")), 12, "", key)
    } else {
        Line::new().cell(command.name, 16, "", text).cell(safe!("{}", keys.join(" ")), 12, "", key)
    };
    line.push(command.words, text);
    with_why(line, app, command)
}

/// Why it does nothing now, if that is so.
fn with_why(mut line: Line, app: &App, command: &Command) -> Line {
    if let Err(why) = enabled(app, command.id) {
        line.push(safe!(" - not now: {why}"), Scope::Stale);
    }
    line
}
