//! The pane beside the list: what matters of the selected request, as much as there is room for.

use super::canvas::Canvas;
use super::facts::Telling;
use super::line::Line;
use crate::clock::Wall;
use crate::console::app::App;
use crate::console::keymap::commands::Id;
use crate::console::theme::Scope;
use crate::executor::talk::view::RequestDoc;
use crate::safe;
use crate::terms::Group;
use ratatui::layout::Rect;

/// Draws the details of the selected request.
pub fn draw(app: &App, now: Wall, canvas: &mut Canvas, area: Rect) {
    let telling = Telling {
        now,
        zone: app.options.zone.clone(),
        glyphs: canvas.glyphs,
        width: usize::from(area.width),
    };
    let Some(row) = app.selected_row() else {
        canvas.lines(area, &[Line::of("nothing is selected", Scope::Dim)]);
        return;
    };
    let mut lines = telling.title(row);
    if row.group == Group::Running
        && let Some(tail) = output(app, row, &telling, usize::from(area.height))
    {
        canvas.lines(area, &tail);
        return;
    }
    lines.extend(telling.reasons(row));
    lines.extend(telling.running(row));
    let held = row.request_id.and_then(|id| app.data.show(id));
    let room = usize::from(area.height);
    match held.map(|held| (&held.value, &held.fault)) {
        Some((Some(show), _)) => {
            let life = telling.life(row);
            if !life.is_empty() && room > lines.len() + life.len() + 4 {
                lines.push(Line::new());
                lines.extend(life);
            }
            let attempts = telling.attempts(&show.attempts);
            // Of what was attempted the attempts matter, of what was not what holds it back.
            let attempted = matches!(row.group, Group::Executed | Group::Running);
            if attempted && !attempts.is_empty() {
                lines.push(Line::new());
                lines.extend(attempts.iter().cloned());
                let command = telling.command(show);
                lines.push(Line::new());
                lines.extend(command);
            }
            lines.push(Line::new());
            let all = telling.gates_full(&show.gates);
            if lines.len() + all.len() <= room {
                lines.extend(all);
            } else if !attempted {
                lines.extend(telling.gates_short(&show.gates));
            }
            if !attempted && !attempts.is_empty() && lines.len() < room {
                lines.push(Line::new());
                lines.extend(attempts);
            }
            let command = telling.command(show);
            if !attempted && lines.len() + command.len() < room {
                lines.push(Line::new());
                lines.extend(command);
            }
        }
        Some((None, Some((failure, _)))) => lines.push(Line::of(safe!("{failure}"), Scope::MessageError)),
        None if row.request_id.is_none() => {}
        _ => lines.push(Line::of("asking the executor", Scope::Dim)),
    }
    if lines.len() > room && room > 0 {
        lines.truncate(room - 1);
        let key = app.key_of(Id::Details);
        lines.push(Line::of(safe!("{} {key} shows more", canvas.glyphs.more[1]), Scope::Dim));
    }
    canvas.lines(area, &lines);
}

/// A run with the end of its output, as much as there is room for; None while there is no output.
fn output(app: &App, row: &RequestDoc, telling: &Telling, room: usize) -> Option<Vec<Line>> {
    let transcript = app.transcript.as_ref().filter(|t| Some(t.request) == row.request_id)?;
    if transcript.lines.is_empty() {
        return None;
    }
    let mut lines = telling.title(row);
    lines.extend(telling.reasons(row));
    lines.extend(telling.progress(row));
    let life = telling.life(row);
    if room > lines.len() + life.len() + 8 {
        lines.push(Line::new());
        lines.extend(life);
    }
    lines.push(Line::new());
    lines.push(Line::of("OUTPUT ", Scope::Title).add("LIVE", Scope::StateRunning));
    let left = room.saturating_sub(lines.len());
    let from = transcript.lines.len().saturating_sub(left);
    lines.extend(transcript.lines[from..].iter().map(|text| Line::of(text, Scope::Text)));
    Some(lines)
}
