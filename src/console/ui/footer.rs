//! The last line: what was said, what is being done, or the keys that matter here.

use super::canvas::Canvas;
use super::line::Line;
use crate::console::app::dialog::Field;
use crate::console::app::overlay::Overlay;
use crate::console::app::{App, contexts, enabled, words};
use crate::console::keymap::commands::{COMMANDS, Command, Context, Id};
use crate::console::theme::Scope;
use crate::safe;
use ratatui::layout::Rect;

/// Draws the footer.
pub fn draw(app: &App, canvas: &mut Canvas, area: Rect) {
    let width = usize::from(area.width);
    if let Some(message) = &app.message {
        let scope = if message.error { Scope::MessageError } else { Scope::MessageInfo };
        let said = Line::of(if message.error { "! " } else { "  " }, scope).add(&message.text, scope);
        // A reason that is cut off is none: it may take some lines of what is above.
        let mut lines = said.wrap(width, 4);
        lines.truncate(usize::from(area.y.min(4)) + 1);
        let height = lines.len() as u16;
        let over = Rect { y: area.bottom() - height, height, ..area };
        canvas.fill(over, Scope::Background);
        canvas.lines(over, &lines);
        return;
    }
    if let Some((label, seconds)) = app.busy() {
        let line = Line::of(safe!("  {label} ... {}", words::span(seconds)), Scope::MessageInfo);
        canvas.line(area, &line);
        return;
    }
    let line = match app.overlays.last() {
        Some(Overlay::Confirm(confirm)) => match confirm.focus {
            Field::Gate(_) => {
                Line::of("  Space ticks  Tab next  y yes  any other key cancels", Scope::Footer)
            }
            Field::Question => Line::of("  y yes  any other key cancels", Scope::Footer),
            _ => Line::of("  Tab or Enter next  Shift-Tab back  Esc cancels", Scope::Footer),
        },
        Some(Overlay::Help(_)) => Line::of(
            safe!(
                "  {} more  {} {} scroll  {} any command  {} or {} closes",
                app.key_of(Id::PageDown),
                app.key_of(Id::Down),
                app.key_of(Id::Up),
                app.key_of(Id::Palette),
                app.key_of(Id::Quit),
                app.key_of(Id::Back)
            ),
            Scope::Footer,
        ),
        Some(Overlay::Save(_)) => Line::of("  Enter writes  Esc drops", Scope::Footer),
        Some(Overlay::Palette(_)) => Line::of("  type to filter  Enter runs it  Esc closes", Scope::Footer),
        _ => keys(app, width),
    };
    canvas.line(area, &line);
}

/// As many keys as fit, the most wanted ones, in the order of the table; `?` always.
fn keys(app: &App, width: usize) -> Line {
    let here = contexts(app);
    let fits_here = |c: &&Command| c.footer > 0 && c.is_of(here);
    let mut wanted: Vec<&Command> = COMMANDS.iter().filter(fits_here).collect();
    // In a log its own keys come first.
    let own = |c: &Command| c.contexts.iter().any(|x| *x != Context::Everywhere && here.contains(x));
    let log = here.contains(&Context::Log);
    let rank = |c: &Command| c.footer + if log && own(c) { 10 } else { 0 };
    let off = |c: &Command| enabled(app, c.id).is_err();
    // The same keys whatever is selected, so that each keeps its place.
    wanted.sort_by_key(|c| std::cmp::Reverse((c.id == Id::Help, rank(c))));
    let mut chosen = Vec::new();
    let mut used = 0;
    for command in wanted {
        let Some(key) = app.options.keymap.of(command.id).first() else { continue };
        let wide = key.to_string().len() + 1 + command.short.len() + 2;
        if used + wide <= width + 1 {
            used += wide;
            chosen.push(command);
        }
    }
    chosen.sort_by_key(|c| (c.id == Id::Help, c.id == Id::Palette, c.id));
    let mut line = Line::new();
    for command in chosen {
        let Some(key) = app.options.keymap.of(command.id).first() else { continue };
        let (key_scope, word_scope) =
            if off(command) { (Scope::KeyOff, Scope::KeyOff) } else { (Scope::Key, Scope::Footer) };
        if !line.words.is_empty() {
            line.push("  ", Scope::Footer);
        }
        line.push(safe!("{key}"), key_scope);
        line.push(safe!(" {}", command.short), word_scope);
    }
    line
}
