//! The question before a job is changed: which, on how many machines, why.

use super::canvas::{Canvas, centred, dialog_width};
use super::line::Line;
use crate::console::app::App;
use crate::console::app::dialog::{Complaint, JobAsk, JobField};
use crate::console::app::input::Input;
use crate::console::keymap::commands::Id;
use crate::console::theme::Scope;
use crate::rollout::words::grouped;
use crate::safe;
use crate::text::SafeText;
use ratatui::layout::Rect;

/// Where facts begin, after their names.
const HEAD: usize = 10;

/// Draws the dialog.
pub fn draw(app: &App, ask: &JobAsk, canvas: &mut Canvas, area: Rect) {
    let width = dialog_width(area, 76);
    let inner = usize::from(width).saturating_sub(4);
    let fact = |name: &'static str, line: Line| {
        Line::new().cell(name, HEAD, "", Scope::Dim).join(line).wrap(inner, HEAD)
    };
    let verb = ask.id.command().name.to_uppercase();
    let title = Line::of(safe!("{verb} {}", ask.job), Scope::DialogTitle)
        .add(" at ", Scope::DialogBorder)
        .add(safe!("{} {}", ask.site, ask.name.fit_ascii(24)), Scope::HeaderMachine);
    let mut lines = fact("package", Line::of(&ask.package, Scope::Strong));
    lines.extend(fact("does", Line::of(SafeText::new(&does(ask)), Scope::Text)));
    let many = if ask.machines == 1 { "machine" } else { "machines" };
    let machines = match ask.id {
        Id::Advance => format!("at most {} more {many}: those of its later phases", grouped(ask.machines)),
        _ => format!("{} {many}; {} run it now, and go on", grouped(ask.machines), grouped(ask.running)),
    };
    lines.extend(fact("machines", Line::of(SafeText::new(&machines), Scope::DialogDanger)));
    lines.extend(fact("as", Line::of(&app.options.account, Scope::Text)));
    lines.push(Line::new());
    for field in ask.fields() {
        let focus = ask.focus == field;
        match field {
            JobField::Number => lines.push(typed("number", &ask.number, focus, inner)),
            JobField::Reason => lines.push(typed("reason", &ask.reason, focus, inner)),
            JobField::Question => {
                lines.push(Line::new());
                let pointer = if focus { "> " } else { "  " };
                let mut line = Line::of(pointer, Scope::Text).add("y", Scope::Key);
                line.push(" carries it out; any other key cancels", Scope::Text);
                lines.push(line);
            }
        }
    }
    let said = match (ask.complaint, ask.obstacle()) {
        (Some(Complaint::TooSoon), _) => Some("that came too soon to have been read: y once more".into()),
        (_, Some(obstacle)) => Some(obstacle),
        (_, None) => None,
    };
    lines.extend(
        said.into_iter().flat_map(|text: SafeText| Line::of(text, Scope::MessageError).wrap(inner, 2)),
    );
    let dialog = centred(area, width, lines.len() as u16 + 2);
    let inside = canvas.frame(dialog, &title);
    let rest = lines.len().saturating_sub(usize::from(inside.height));
    canvas.lines(inside, &lines[rest..]);
}

/// A field where text is typed.
pub(super) fn typed(name: &'static str, input: &Input, focus: bool, width: usize) -> Line {
    let scope = if focus { Scope::InputFocus } else { Scope::Input };
    let cursor = if focus { "_" } else { "" };
    let text = safe!("{}{cursor}{}", input.before(), input.after());
    let line = Line::of(if focus { "> " } else { "  " }, Scope::Text).cell(name, HEAD - 2, "", Scope::Dim);
    line.cell(text, width.saturating_sub(HEAD).min(40), "~", scope)
}

fn does(ask: &JobAsk) -> String {
    match ask.id {
        Id::Advance => {
            let next = ask.next.map(|next| format!(" {next} % of its machines")).unwrap_or_default();
            format!(
                "reads what the machines report; the job reaches{next} if its gate says so, and is suspended if too many failed"
            )
        }
        _ => "publishes that nothing of it starts on a machine from its next poll on".to_owned(),
    }
}
