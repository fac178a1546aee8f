//! The log: as a pane of the overview, and as a view of its own. What is cut off says so.

use super::canvas::Canvas;
use super::line::Line;
use crate::clock::Wall;
use crate::console::app::logpane::{LogPane, TimeDisplay};
use crate::console::app::{App, LogLevel, LogLine, View, words};
use crate::console::theme::Scope;
use crate::safe;
use crate::text::SafeText;
use ratatui::layout::Rect;

/// Draws the pane with its rule.
pub fn draw(app: &App, now: Wall, canvas: &mut Canvas, area: Rect, focus: bool) {
    if area.height < 2 {
        return;
    }
    let focus = focus && app.overlays.is_empty();
    let pane = &app.log;
    let (title, right) = titles(pane, focus);
    canvas.rule(area, &title, &right, focus);
    let mut inside = Rect { y: area.y + 1, height: area.height - 1, ..area };
    if let Some(input) = &pane.typing {
        let line = Line::of("/", Scope::Key)
            .add(input.before(), Scope::InputFocus)
            .add("_", Scope::InputFocus)
            .add(input.after(), Scope::InputFocus);
        let line = match &pane.bad_pattern {
            Some(why) => line.add(safe!("  {why}"), Scope::MessageError),
            None => line.add("   Enter searches, Esc drops", Scope::Dim),
        };
        inside.height -= 1;
        canvas.line(Rect { y: inside.bottom(), height: 1, ..inside }, &line);
    }
    let height = usize::from(inside.height);
    let files = pane.several_files();
    let mut lines: Vec<Line> = Vec::new();
    // From the bottom up, so that wrapped lines push the oldest out.
    for (number, record) in pane.window(height).rev() {
        let line = line(pane, record, files, now, app);
        let hit = pane.hit == Some(number);
        let mut parts = if pane.wrap && app.view == View::Log {
            line.wrap(usize::from(inside.width), 11)
        } else {
            vec![line]
        };
        if hit && focus {
            parts.iter_mut().for_each(|part| part.over = Some(Scope::Selection));
        }
        lines.extend(parts.into_iter().rev());
        if lines.len() >= height {
            break;
        }
    }
    lines.truncate(height);
    lines.reverse();
    if lines.is_empty() {
        canvas.line(inside, &Line::of("  ", Scope::Text).add(nothing(pane), Scope::Dim));
        return;
    }
    canvas.lines(inside, &lines);
}

fn titles(pane: &LogPane, focus: bool) -> (Line, Line) {
    let scope = if focus { Scope::TitleFocus } else { Scope::Title };
    let file = pane.file().cloned().unwrap_or_default();
    let mut title = Line::of(safe!("LOG {file}"), scope);
    if pane.follow {
        title.push(" FOLLOW", Scope::MarkOk);
    } else {
        let new = if pane.unseen > 0 { safe!(" PAUSED +{} new", pane.unseen) } else { " PAUSED".into() };
        title.push(new, Scope::Mark);
    }
    if pane.level > LogLevel::Verbose {
        title.push(safe!(" {}+", pane.level.word()), Scope::Mark);
    }
    if let Some(search) = pane.search() {
        let only = if pane.only { " only" } else { "" };
        title.push(safe!(" /{}{only}", search.as_str()), Scope::Match);
    }
    let (errors, warnings) = pane.faults();
    let mut right = Line::new();
    if errors > 0 {
        right.push(safe!("{}", words::count(errors, "error")), Scope::LogError);
    }
    if warnings > 0 {
        if errors > 0 {
            right.push(", ", Scope::Dim);
        }
        right.push(safe!("{}", words::count(warnings, "warning")), Scope::LogWarning);
    }
    let (all, shown) = pane.counts();
    if shown < all {
        right.push(
            safe!("{}{shown} of {all} lines", if errors + warnings > 0 { "; " } else { "" }),
            Scope::Dim,
        );
    }
    (title, right)
}

fn nothing(pane: &LogPane) -> SafeText {
    let (all, _) = pane.counts();
    if all > 0 {
        safe!("none of {all} lines passes level and filter; l and & change them")
    } else {
        "nothing was written yet".into()
    }
}

fn line(pane: &LogPane, record: &LogLine, files: bool, now: Wall, app: &App) -> Line {
    let scope = match record.level {
        LogLevel::Verbose => Scope::LogVerbose,
        LogLevel::Info => Scope::LogInfo,
        LogLevel::Warning => Scope::LogWarning,
        LogLevel::Error => Scope::LogError,
    };
    let zone = &app.options.zone;
    let mut line = Line::new();
    let time = match (pane.time, record.time) {
        (TimeDisplay::Hidden, _) => None,
        (TimeDisplay::Clock, Some(at)) => Some((8, words::stamp(at, now, zone))),
        (TimeDisplay::Full, Some(at)) => Some((19, words::full(at, zone))),
        (TimeDisplay::Clock, None) => Some((8, String::new())),
        (TimeDisplay::Full, None) => Some((19, String::new())),
    };
    if let Some((width, time)) = time {
        let time = if record.continued { String::new() } else { time };
        line = line.cell(safe!("{time}"), width.max(time.len()), "", Scope::LogTime).add(" ", Scope::Text);
    }
    // Never colour alone.
    line.push(
        match record.level {
            LogLevel::Error if !record.continued => "E ",
            LogLevel::Warning if !record.continued => "W ",
            _ => "",
        },
        scope,
    );
    if files && !record.continued {
        line.push(safe!("{} ", record.file), Scope::LogComponent);
    }
    let text = if pane.shift > 0 { record.text.skip(pane.shift) } else { record.text.clone() };
    match pane.search() {
        None => line.add(text, scope),
        Some(pattern) => {
            let mut end = 0;
            for found in pattern.find_iter(text.as_str()).take(64) {
                if found.is_empty() {
                    continue;
                }
                line.push(SafeText::new(&text.as_str()[end..found.start()]), scope);
                line.push(SafeText::new(found.as_str()), Scope::Match);
                end = found.end();
            }
            line.add(SafeText::new(&text.as_str()[end..]), scope)
        }
    }
}
