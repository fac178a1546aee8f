//! The question before a job is changed: which, on how many machines, why.

use super::asking::{self, fact, question, typed};
use super::canvas::{Canvas, dialog_width};
use super::line::Line;
use crate::console::app::App;
use crate::console::app::dialog::{JobAsk, JobField};
use crate::console::keymap::commands::Id;
use crate::console::theme::Scope;
use crate::rollout::words::grouped;
use crate::safe;
use crate::text::SafeText;
use ratatui::layout::Rect;

/// Draws the dialog.
pub fn draw(app: &App, ask: &JobAsk, canvas: &mut Canvas, area: Rect) {
    let width = dialog_width(area, 76);
    let inner = usize::from(width).saturating_sub(4);
    let fact = |name: &'static str, line: Line| fact(name, line, inner);
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
                lines.push(question(focus));
            }
        }
    }
    asking::draw(canvas, area, (width, &title), lines, (ask.complaint, ask.obstacle()));
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
