//! One record of the log in full: its facts, what codes in it mean, and its text.

use super::canvas::{Canvas, dialog_width};
use super::line::Line;
use crate::clock::Wall;
use crate::console::app::overlay::RecordView;
use crate::console::app::{App, words};
use crate::console::theme::Scope;
use crate::log::Level;
use crate::safe;
use crate::text::SafeText;
use ratatui::layout::Rect;

/// Facts stand behind their names.
const NAMES: usize = 11;

/// Draws the record.
pub fn draw(app: &App, record: &RecordView, now: Wall, canvas: &mut Canvas, body: Rect) {
    let width = dialog_width(body, 100);
    let room = usize::from(width).saturating_sub(4);
    let zone = &app.options.zone;
    let mut lines: Vec<Line> = Vec::new();
    let mut fact = |name: &'static str, words: SafeText, scope: Scope| {
        if !words.is_empty() {
            lines.extend(Line::new().cell(name, NAMES, "", Scope::Dim).add(words, scope).wrap(room, NAMES));
        }
    };
    let Some(first) = record.lines.first() else { return };
    let time = first.time.map(|at| {
        let far = words::far(at, now);
        safe!("{} {} ({far})", words::full(at, zone), words::offset(at, zone))
    });
    fact("time", time.unwrap_or_else(|| "none of its own".into()), Scope::Text);
    let since = record.since.map(|since| safe!("{} after the record above", words::after(since)));
    fact("", since.unwrap_or_default(), Scope::Text);
    let scope = match first.level {
        Level::Verbose => Scope::LogVerbose,
        Level::Info => Scope::LogInfo,
        Level::Warning => Scope::LogWarning,
        Level::Error => Scope::LogError,
    };
    fact("level", first.level.word().into(), scope);
    fact("component", first.component.clone(), Scope::LogComponent);
    fact("thread", first.thread.clone(), Scope::Text);
    fact("source", first.source.clone(), Scope::Text);
    let place = record.line.filter(|line| *line > 0).map(|line| safe!("{}, line {line}", first.file));
    fact("file", place.unwrap_or_else(|| first.file.clone()), Scope::Text);
    for (n, code) in record.codes.iter().enumerate() {
        fact(if n == 0 { "codes" } else { "" }, code.clone(), Scope::Strong);
    }
    lines.push(Line::new());
    for line in &record.lines {
        lines.extend(Line::of(&line.text, scope).wrap(room, 2));
    }
    canvas.text(body, width, &Line::of("RECORD", Scope::DialogTitle), &record.scroll, &lines);
}
