//! The part of a confirmation that names several requests: how many, each by its id, and what the core says of each.
//! Nothing is left out: where there are too many for a line each, they stand together by what is said of them.

use super::facts::Telling;
use super::line::Line;
use crate::console::app::App;
use crate::console::app::dialog::{Confirm, Say};
use crate::console::theme::Scope;
use crate::safe;
use crate::site::ids::RequestId;
use crate::site::instruction::Restarts;
use crate::terms::Gate;
use crate::text::SafeText;

/// Up to so many have a line each.
const OF_THEIR_OWN: usize = 8;

/// How many, which, and what the core says of each.
pub fn lines(app: &App, confirm: &Confirm, telling: &Telling) -> Vec<Line> {
    let data = &app.data;
    let said = confirm.says_each(data);
    let able = said.iter().filter(|(_, say)| matches!(say, Say::Yes | Say::With(_))).count();
    let head = match said.len() - able {
        0 => safe!("all {} requests:", said.len()),
        _ if confirm.waiting(data) => safe!("{} requests:", said.len()),
        refused => safe!("{able} of {} requests; {refused} refused:", said.len()),
    };
    let mut lines = vec![Line::of(head, Scope::Strong)];
    if said.len() <= OF_THEIR_OWN {
        for (request, say) in &said {
            let row = data.request(*request);
            let name = row.map(|row| row.package.clone()).unwrap_or_default();
            let room = if telling.width >= 70 { 24 } else { 10 };
            let line = Line::of("  ", Scope::Text)
                .cell(safe!("{request}"), 8, "", Scope::Text)
                .cell(name, room, telling.glyphs.cut, Scope::Text)
                .add(" ", Scope::Text);
            let (text, scope) = words(say);
            lines.extend(line.add(text, scope).wrap(telling.width, 11 + room));
        }
    } else {
        // Those that are refused last, so that they stand nearest to the question.
        let mut kinds: Vec<(SafeText, Scope, Vec<RequestId>)> = Vec::new();
        for (request, say) in &said {
            let (text, scope) = words(say);
            match kinds.iter_mut().find(|(known, ..)| *known == text) {
                Some((.., ids)) => ids.push(*request),
                None => kinds.push((text, scope, vec![*request])),
            }
        }
        kinds.sort_by_key(|(_, scope, _)| *scope == Scope::MessageError);
        for (text, scope, ids) in kinds {
            let names: Vec<_> = ids.iter().map(ToString::to_string).collect();
            let line = Line::of(safe!("  {} {text}: ", ids.len()), scope);
            lines.extend(line.add(safe!("{}", names.join(" ")), Scope::Text).wrap(telling.width, 4));
        }
    }
    let shows = confirm.requests.iter().filter_map(|request| confirm.show(data, *request));
    let restarting = shows.filter(|show| show.restarts.is_some_and(|r| r != Restarts::No)).count();
    if restarting > 0
        && matches!(
            confirm.id,
            crate::console::keymap::commands::Id::Run | crate::console::keymap::commands::Id::Rerun
        )
    {
        lines.push(Line::of(safe!("{restarting} of them RESTART THE MACHINE"), Scope::DialogDanger));
    }
    lines
}

fn words(say: &Say) -> (SafeText, Scope) {
    match say {
        Say::Waiting => ("asking the executor".into(), Scope::Dim),
        Say::Yes => ("as it stands".into(), Scope::GatePass),
        Say::With(gates) => (safe!("overrides {}", Gate::join(gates, ", ")), Scope::GateUnknown),
        Say::No(why) => (safe!("REFUSED: {why}"), Scope::MessageError),
    }
}
