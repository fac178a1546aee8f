//! Why a request has or has not run, in the order in which one asks, and what would change that.

use super::canvas::{Canvas, dialog_width};
use super::facts::Telling;
use super::line::Line;
use crate::clock::Wall;
use crate::console::app::App;
use crate::console::app::list::Scroll;
use crate::console::theme::Scope;
use crate::safe;
use crate::site::ids::RequestId;
use crate::terms::{Gate, Group};
use ratatui::layout::Rect;

/// Draws the explanation.
pub fn draw(app: &App, request: RequestId, scroll: &Scroll, now: Wall, canvas: &mut Canvas, body: Rect) {
    let width = dialog_width(body, 96);
    let telling =
        Telling { now, zone: app.options.zone.clone(), glyphs: canvas.glyphs, width: usize::from(width) - 4 };
    let held = app.data.explain.as_ref().filter(|(known, _)| *known == request).map(|(_, held)| held);
    let lines = match held.map(|held| (&held.value, &held.fault)) {
        Some((Some(doc), _)) => {
            let mut lines = Line::of(&doc.package, Scope::Strong)
                .add(" is ", Scope::Text)
                .add(doc.state.as_str(), Scope::of_state(doc.state))
                .add(safe!(": {}", doc.why), Scope::Text)
                .wrap(telling.width, 0);
            lines.extend(match (doc.next_run, doc.never) {
                (Some(at), _) => {
                    telling.fact("next run", Line::of(telling.pair(at, doc.latest), Scope::Strong))
                }
                (None, _) if doc.state.group() == Group::Running => {
                    telling.fact("next run", Line::of("it runs now", Scope::Strong))
                }
                (None, true) => telling.fact("next run", Line::of("never by itself", Scope::Strong)),
                (None, false) => telling.fact("next run", Line::of("when a gate below opens", Scope::Strong)),
            });
            let closed = telling.gates_closed(&doc.gates);
            if !closed.is_empty() {
                lines.push(Line::new());
                let again = matches!(doc.state.group(), Group::Running | Group::Executed);
                let head = if again { "Why it does not start again:" } else { "What holds it back:" };
                lines.push(Line::of(head, Scope::Title));
                lines.extend(closed);
            }
            lines.push(Line::new());
            lines.push(Line::of("What an operator may do:", Scope::Title));
            for allowed in &doc.allowed {
                let mut line = Line::new().cell(safe!("{}", allowed.verb), 9, "", Scope::Strong);
                line.push(
                    if allowed.ok { "yes" } else { "no: " },
                    if allowed.ok { Scope::GatePass } else { Scope::GateBlock },
                );
                if !allowed.ok {
                    line.push(&allowed.why, Scope::Text);
                }
                if !allowed.overrides.is_empty() {
                    line.push(
                        safe!(" (possible when {} is overridden)", Gate::join(&allowed.overrides, ", ")),
                        Scope::Dim,
                    );
                }
                lines.extend(line.wrap(telling.width, 13));
            }
            lines.push(Line::new());
            lines.push(Line::of("All gates, in order:", Scope::Title));
            lines.extend(telling.gates_full(&doc.gates));
            lines
        }
        Some((None, Some((failure, _)))) => {
            Line::of(safe!("{failure}"), Scope::MessageError).wrap(telling.width, 0)
        }
        _ => vec![Line::of("asking the executor", Scope::Dim)],
    };
    let title = Line::of(safe!("EXPLAIN {request}"), Scope::DialogTitle);
    canvas.text(body, width, &title, scroll, &lines);
}
