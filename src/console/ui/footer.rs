//! The last line: what was said, what is being done, or the keys that matter here.

use super::afar;
use super::canvas::Canvas;
use super::line::{Line, cells};
use crate::console::app::dialog::{AfarField, Field, JobField};
use crate::console::app::layout::Spot;
use crate::console::app::overlay::Overlay;
use crate::console::app::{App, Level, contexts, enabled, matters, may_operate, words};
use crate::console::keymap::Key;
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
        Some(Overlay::Job(ask)) => match ask.focus {
            JobField::Question => Line::of("  y yes  any other key cancels", Scope::Footer),
            JobField::Number | JobField::Reason => {
                Line::of("  Tab or Enter next  Shift-Tab back  Esc cancels", Scope::Footer)
            }
        },
        Some(Overlay::Afar(ask)) => match ask.focus {
            AfarField::Question => Line::of("  y yes  any other key cancels", Scope::Footer),
            AfarField::Number | AfarField::Folder | AfarField::Until | AfarField::Reason => {
                Line::of("  Tab or Enter next  Shift-Tab back  Esc cancels", Scope::Footer)
            }
        },
        Some(Overlay::Answers) => app.afar.as_ref().map_or_else(Line::new, |afar| afar::keys(app, afar)),
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
        // What could be done to the line below it is not what its keys do.
        Some(Overlay::Record(_)) => Line::of(
            safe!(
                "  {} more  {} copies  {} saves  {} closes",
                app.key_of(Id::PageDown),
                app.key_of(Id::Copy),
                app.key_of(Id::Save),
                app.key_of(Id::Back)
            ),
            Scope::Footer,
        ),
        None if app.log_pane().bar.is_some() => Line::of(
            "  the arrows choose, up and down those with errors  Enter goes there  Esc stays",
            Scope::Footer,
        ),
        // What is typed there is text, and no key does what it does otherwise.
        None if app.log_pane().going => Line::of("  Enter goes there  Esc stays", Scope::Footer),
        None if app.log_pane().typing.is_some() => {
            Line::of("  Enter keeps the search  Esc drops it", Scope::Footer)
        }
        Some(Overlay::Filters(_)) => {
            Line::of("  Enter adds what is typed  Delete takes the selected away  Esc closes", Scope::Footer)
        }
        Some(Overlay::Save(_)) => Line::of("  Enter writes  Esc drops", Scope::Footer),
        Some(Overlay::Palette(_)) => Line::of("  type to filter  Enter runs it  Esc closes", Scope::Footer),
        _ => return keys(app, canvas, area),
    };
    canvas.line(area, &line);
}

/// Commands that come and go with what is selected: they are named only while they would do something.
const PASSING: &[Id] = &[
    Id::Run,
    Id::Defer,
    Id::Stop,
    Id::Undefer,
    Id::Rerun,
    Id::Unhold,
    Id::NextMatch,
    Id::OnlyMatches,
    Id::NextError,
    Id::PrevError,
];

/// As many keys as fit, the most wanted ones, in the order of the table; help, the list of all commands and how to leave
/// always. They stay where they are whatever is selected. Behind them stand those that come and go.
fn keys(app: &App, canvas: &mut Canvas, area: Rect) {
    let here = contexts(app);
    let rollout = here.contains(&Context::Rollout);
    let first = here.contains(&Context::Log) || rollout;
    let wide = |(key, command): &(Key, &Command)| cells(&key.to_string()) + 1 + command.short.len() + 2;
    let machines = rollout && app.rollout.level >= Level::Machines;
    // Keys of the whole job are at hand where its machines are listed, and the other way round, but are not looked for there.
    let of_job =
        |id| matches!(id, Id::Reasons | Id::OnlyFailed | Id::OnlySilent | Id::Advance | Id::SuspendJob);
    let of_machines = |id| matches!(id, Id::Run | Id::Defer | Id::Hold | Id::MachineConsole | Id::MachineLog);
    // In a log, and in the rollout, its own keys come first.
    let own = |c: &Command| match rollout {
        true if of_machines(c.id) => machines,
        true if of_job(c.id) => !machines,
        // One machine alone has nothing below it.
        true if matches!(c.id, Id::Open | Id::Where | Id::Mark) && app.rollout.level == Level::Machine => {
            false
        }
        _ => c.contexts.iter().any(|x| *x != Context::Everywhere && here.contains(x)),
    };
    let always = |c: &Command| matches!(c.id, Id::Help | Id::Palette | Id::Quit);
    // What is done to this machine is not what somebody looks for who watches all of them.
    let of_here = |c: &&Command| c.footer > 0 && c.is_of(here) && (!rollout || own(c) || always(c));
    let keyed = |c: &'static Command| Some((*app.options.keymap.of(c.id).first()?, c));
    let mut wanted: Vec<(Key, &Command)> = COMMANDS.iter().filter(of_here).filter_map(keyed).collect();
    let acts_there = |c: &Command| machines && of_machines(c.id);
    let rank = |c: &Command| c.footer + u8::from(acts_there(c)) + if first && own(c) { 10 } else { 0 };
    wanted.sort_by_key(|(_, c)| std::cmp::Reverse((always(c), rank(c))));
    let (passing, lasting): (Vec<_>, Vec<_>) =
        wanted.into_iter().partition(|(_, c)| PASSING.contains(&c.id) && !machines);
    // Two blanks stand between them, and none after the last. There is always room for two that come and go.
    let room = usize::from(area.width) + 2;
    let mut left = room.saturating_sub(if rollout { 0 } else { 18 });
    let (mut chosen, others): (Vec<_>, Vec<_>) = lasting.into_iter().partition(|one| {
        let fits = wide(one) <= left;
        left -= if fits { wide(one) } else { 0 };
        fits
    });
    chosen.sort_by_key(|(_, c)| (c.id == Id::Help, c.id == Id::Quit, c.id == Id::Palette, c.id));
    let mut left = room - chosen.iter().map(wide).sum::<usize>().min(room);
    for one in passing.into_iter().filter(|(_, c)| matters(app, c.id)).chain(others) {
        if wide(&one) <= left {
            left -= wide(&one);
            chosen.push(one);
        }
    }
    let mut line = Line::new();
    for (key, command) in chosen {
        let acts = PASSING.contains(&command.id);
        if !line.words.is_empty() {
            line.push("  ", if acts { Scope::Key } else { Scope::Footer });
        }
        let from = line.width() as u16;
        let off = match acts_there(command) {
            // Whether it may be done there its machine says.
            true => enabled(app, command.id).is_err(),
            false => command.id.operates() && may_operate(app).is_err(),
        };
        let (key_scope, word_scope) = match off {
            true => (Scope::KeyOff, Scope::KeyOff),
            // In one style, which costs few bytes: these are drawn anew with nearly each row.
            false if acts => (Scope::Key, Scope::Key),
            false => (Scope::Key, Scope::Footer),
        };
        line.push(safe!("{key}"), key_scope);
        line.push(safe!(" {}", command.short), word_scope);
        let spot = Rect { x: area.x + from, width: line.width() as u16 - from, ..area };
        canvas.layout.spot(spot, Spot::Command(command.id));
    }
    canvas.line(area, &line);
}
