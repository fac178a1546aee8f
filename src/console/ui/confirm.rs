//! The confirmation: what is done, on which machine, as whom, whether it restarts, who loses work, what is overridden.

use super::canvas::{Canvas, centred, dialog_width};
use super::facts::{Telling, restarts};
use super::line::Line;
use super::{header, many};
use crate::clock::Wall;
use crate::console::app::dialog::{Complaint, Confirm, Field};
use crate::console::app::input::Input;
use crate::console::app::{App, until, words};
use crate::console::keymap::commands::Id;
use crate::console::theme::Scope;
use crate::executor::talk::view::SessionDoc;
use crate::safe;
use crate::site::instruction::Restarts;
use crate::terms::{Code, State};
use crate::text::SafeText;
use ratatui::layout::Rect;

/// Draws the dialog.
pub fn draw(app: &App, confirm: &Confirm, now: Wall, canvas: &mut Canvas, area: Rect) {
    let width = dialog_width(area, 80);
    let telling =
        Telling { now, zone: app.options.zone.clone(), glyphs: canvas.glyphs, width: usize::from(width) - 4 };
    let lines = lines(app, confirm, &telling);
    let dialog = centred(area, width, lines.len() as u16 + 2);
    let inside = canvas.frame(dialog, &title(app, confirm));
    // Where it does not fit, what takes the keys is what is seen.
    let (height, len) = (usize::from(inside.height), lines.len());
    let focused = lines.iter().position(|(_, field)| *field == Some(confirm.focus)).unwrap_or(0);
    let top = if len <= height {
        0
    } else if confirm.focus == Field::Question {
        len - height
    } else {
        (focused + 1).saturating_sub(height).max(focused.saturating_sub(height / 2)).min(len - height)
    };
    for (y, (line, _)) in (inside.y..inside.bottom()).zip(&lines[top..]) {
        canvas.line(Rect { y, height: 1, ..inside }, line);
    }
}

/// Action, request and machine.
fn title(app: &App, confirm: &Confirm) -> Line {
    let verb = confirm.id.command().name.to_uppercase();
    let mut line = Line::of(safe!("{verb}"), Scope::DialogTitle);
    match confirm.requests[..] {
        [] => {}
        [request] => line.push(safe!(" {request}"), Scope::DialogTitle),
        _ => line.push(safe!(" {} REQUESTS", confirm.requests.len()), Scope::DialogTitle),
    }
    line.add(" on ", Scope::DialogBorder).join(header::identity(app, 24))
}

type Row = (Line, Option<Field>);

fn lines(app: &App, confirm: &Confirm, telling: &Telling) -> Vec<Row> {
    let data = &app.data;
    let mut plain: Vec<Line> = Vec::new();
    if confirm.requests.len() > 1 {
        plain.extend(many::lines(app, confirm, telling));
    }
    if let Some(request) = confirm.request()
        && let Some(row) = data.request(request)
    {
        let package = Line::of(&row.package, Scope::Strong).add("  ", Scope::Text);
        plain.extend(telling.fact("package", package.add(row.state.as_str(), Scope::of_state(row.state))));
    }
    plain.extend(telling.fact("does", Line::of(does(app, confirm), Scope::Text)));
    if matches!(confirm.id, Id::Run | Id::Rerun)
        && let Some(show) = confirm.request().and_then(|request| confirm.show(data, request))
    {
        if let Some(command) = &show.command_line {
            plain.extend(telling.fact("command", Line::of(command, Scope::Strong)));
        }
        let limit = show.max_run_time_s.map(|s| format!(", for at most {}", words::span(s as i64)));
        let run_as = Line::of(safe!("{}{}", show.run_as, limit.unwrap_or_default()), Scope::Text);
        plain.extend(telling.fact("as", run_as));
        let danger = show.restarts.is_some_and(|r| r != Restarts::No);
        let scope = if danger { Scope::DialogDanger } else { Scope::Text };
        plain.extend(telling.fact("restart", Line::of(restarts(show), scope)));
    }
    if let Some(hold) = data.hold().filter(|_| matches!(confirm.id, Id::Hold | Id::Unhold)) {
        let (name, scope) = match confirm.id {
            Id::Hold => ("replaces", Scope::DialogDanger),
            _ => ("ends", Scope::Text),
        };
        let by = hold.by.as_ref().map_or("the hold", |_| "the hold of ");
        let line = Line::of(by, scope).add(hold.by.clone().unwrap_or_default(), scope);
        let until = hold.held_until.map(|at| safe!(" until {}", telling.when(at))).unwrap_or_default();
        let why = hold.reason.clone().unwrap_or_default();
        plain.extend(telling.fact(name, line.add(until, scope).add(": ", scope).add(why, scope)));
    }
    if confirm.id == Id::Defer
        && let Some(show) = confirm.request().and_then(|request| confirm.show(data, request))
        && show.deferrals_used < show.deferrals_limit
    {
        let nth = safe!("{} of {}", show.deferrals_used + 1, show.deferrals_limit);
        plain.extend(telling.fact("deferral", Line::of(nth, Scope::Text)));
    }
    if let Some(restart) =
        data.restart().filter(|_| matches!(confirm.id, Id::Restart | Id::DeferRestart | Id::CancelRestart))
    {
        plain.extend(telling.fact("pending", Line::of(&restart.why, Scope::Text)));
    }
    if matches!(confirm.id, Id::Run | Id::Rerun | Id::Stop | Id::Restart | Id::Notice) {
        plain.extend(logged_on(app, telling));
    }
    if confirm.id == Id::Stop
        && let Some(row) = confirm.request().and_then(|id| data.request(id))
    {
        plain.extend(telling.running(row));
    }
    let mut rows: Vec<Row> = plain.into_iter().map(|line| (line, None)).collect();
    if confirm.waiting(data) {
        rows.push((Line::new(), None));
        let fault = confirm.request().and_then(|id| data.show(id)).and_then(|held| held.fault.as_ref());
        let said = match fault {
            Some((failure, _)) => Line::of(safe!("{failure}"), Scope::MessageError),
            None => Line::of("asking the executor what this would do", Scope::Dim),
        };
        rows.extend(said.wrap(telling.width, 0).into_iter().map(|line| (line, None)));
    }
    let overrides = confirm.overrides(data);
    if !overrides.is_empty() {
        rows.push((Line::new(), None));
        rows.push((
            Line::of("It overrides these closed gates; tick each with Space:", Scope::DialogDanger),
            None,
        ));
    }
    for (n, gate) in overrides.into_iter().enumerate() {
        let field = Field::Gate(n);
        let tick = if confirm.ticked.contains(&gate) { "[x] " } else { "[ ] " };
        let (focus, pointer) =
            if confirm.focus == field { (Scope::InputFocus, "> ") } else { (Scope::Text, "  ") };
        let mut line = Line::of(pointer, focus).add(tick, focus).cell(gate.as_str(), 10, "", focus);
        let lines = match confirm.gate(data, gate) {
            Some(gate) => {
                line = line.add(&gate.evidence, Scope::Text);
                telling.with_change(line, gate, 16)
            }
            None => vec![line],
        };
        for (part, line) in lines.into_iter().enumerate() {
            rows.push((line, (part == 0).then_some(field)));
        }
    }
    rows.push((Line::new(), None));
    if confirm.asks_until() {
        rows.push((
            input(
                "until",
                &confirm.until,
                confirm.focus == Field::Until,
                telling,
                until::hint(telling.now, &telling.zone),
            ),
            Some(Field::Until),
        ));
        let read = match until::parse(confirm.until.text(), telling.now, &telling.zone) {
            Ok(at) => Line::of(
                safe!("= {} {}", telling.when(at), words::offset(at, &telling.zone)),
                Scope::MessageInfo,
            ),
            Err(_) if confirm.until.text().is_empty() => Line::of("", Scope::Dim),
            Err(why) => Line::of(why, Scope::MessageError),
        };
        rows.push((Line::new().pad_to(12).join(read), None));
    }
    if confirm.asks_reason(data) {
        let (name, hint) = match confirm.asks_text() {
            true => ("text", "shown with your name, and recorded in the audit"),
            false => ("reason", "required; recorded in the audit"),
        };
        rows.push((
            input(name, &confirm.reason, confirm.focus == Field::Reason, telling, hint.into()),
            Some(Field::Reason),
        ));
        rows.push((Line::new(), None));
    }
    rows.extend(question(app, confirm, telling));
    rows
}

fn question(app: &App, confirm: &Confirm, telling: &Telling) -> Vec<Row> {
    let obstacle = confirm.obstacle(&app.data, telling.now, &telling.zone);
    let here = confirm.focus == Field::Question;
    let typing = matches!(confirm.focus, Field::Until | Field::Reason);
    let pointer = if here { "> " } else { "  " };
    let mut rows = Vec::new();
    rows.extend(asked(app, confirm).wrap(telling.width, 2).into_iter().map(|line| (line, None)));
    let yes = if obstacle.is_none() && !typing { Scope::Key } else { Scope::KeyOff };
    let mut line = Line::of(pointer, Scope::Key).add("y", yes).add(" carries it out   ", Scope::Text);
    line = match typing {
        true => line.add("Esc", Scope::Key).add(" cancels", Scope::Text),
        false => line.add("any other key", Scope::Key).add(" cancels", Scope::Text),
    };
    if confirm.fields(&app.data).len() > 1 {
        line = line.add("   ", Scope::Text).add("Tab", Scope::Key).add(" next", Scope::Text);
    }
    rows.push((line, Some(Field::Question)));
    let said = match confirm.complaint {
        Some(Complaint::TooSoon) => {
            Some(("too soon to have been read: y again carries it out".into(), Scope::MessageError))
        }
        Some(Complaint::Obstacle) => obstacle.map(|why| (why, Scope::MessageError)),
        None => obstacle.map(|why| (why, Scope::Dim)),
    };
    let text = match said {
        Some((why, scope)) => Line::of("  ", Scope::Text).add(why, scope),
        None if typing => Line::of("  Tab or Enter goes on to the question", Scope::Dim),
        None => Line::new(),
    };
    rows.extend(text.wrap(telling.width, 2).into_iter().map(|line| (line, None)));
    rows
}

/// The question itself: on which machine, and in whose name.
fn asked(app: &App, confirm: &Confirm) -> Line {
    let what = match confirm.id {
        Id::Hold if app.data.held_until().is_some() => "Replace the hold",
        Id::Hold => "Hold automatic runs",
        Id::Unhold => "End the hold",
        Id::Restart => "Restart the machine",
        Id::DeferRestart => "Postpone the restart",
        Id::CancelRestart => "Cancel the restart",
        Id::Notice => "Send the notice",
        Id::Run => "Run",
        Id::Rerun => "Run again",
        Id::Defer => "Defer",
        Id::Undefer => "End the deferral of",
        _ => "Stop",
    };
    let of = match confirm.requests[..] {
        [] => String::new(),
        [request] => format!(" {request}"),
        _ => format!(" {} requests", confirm.requests.len()),
    };
    let machine = app.data.machine().unwrap_or_else(|| "(no machine)".into());
    let host = app.data.status.value.as_ref().map(|status| status.host.fit_ascii(24));
    let host = host.filter(|host| !host.is_empty()).map(|host| format!("host {host}, ")).unwrap_or_default();
    let account = &app.options.account;
    Line::of(safe!("{what}{of} on {machine} ({host}account {account})?"), Scope::Strong)
}

fn input(name: &'static str, input: &Input, focus: bool, telling: &Telling, hint: SafeText) -> Line {
    let room = telling.width.saturating_sub(12).max(8);
    let scope = if focus { Scope::InputFocus } else { Scope::Input };
    let pointer = if focus { "> " } else { "  " };
    let line = Line::of(pointer, Scope::Key).cell(name, 10, "", Scope::Dim);
    if input.text().is_empty() && !focus {
        return line.add(hint, Scope::Dim);
    }
    // The end near the cursor is what one wants to see.
    let before = input.before();
    let skipped = before.width().saturating_sub(room.saturating_sub(2));
    let text = if focus { safe!("{before}_{}", input.after()) } else { input.safe() };
    let shown = if focus { text.skip(skipped) } else { text };
    let width = (shown.width() + 1).max(16).min(room);
    let line = line.cell(shown, width, telling.glyphs.cut, scope);
    if focus && input.text().is_empty() { line.add(safe!("  {hint}"), Scope::Dim) } else { line }
}

/// What an action does, in a sentence.
fn does(app: &App, confirm: &Confirm) -> &'static str {
    let several = confirm.requests.len() > 1;
    match confirm.id {
        Id::Run if several => "runs one after the other, without notice to those logged on",
        Id::Rerun if several => "runs each again, one after the other",
        Id::Run | Id::Rerun if waits_in_queue(app, confirm) => {
            "queues it: it runs, without notice, when what runs now and what is queued before it has ended"
        }
        Id::Defer if several => "none of them starts by itself before the time you give",
        Id::Undefer if several => "ends their deferrals: each starts when every other gate passes",
        Id::Stop if several => "ends their runs and every process they started",
        Id::Run => "runs it now, without notice to those logged on",
        Id::Rerun => "runs it again, as a further attempt",
        Id::Defer => "does not start by itself before the time you give",
        Id::Undefer => "ends the deferral: it starts when every other gate passes",
        Id::Stop if is(app, confirm, State::Queued) => "takes it out of the queue: it does not start",
        Id::Stop if is(app, confirm, State::Countdown) => {
            "cancels its countdown: it does not start, and is not announced again soon"
        }
        Id::Stop => "ends its run and every process it started; it will not run again by itself",
        Id::Hold => "nothing starts by itself on this machine before the time you give; what runs goes on",
        Id::Restart => "notifies logged-on users and restarts the machine at once: unsaved work is lost",
        Id::Notice => "writes the message at once on the terminals of all logged-on users",
        Id::DeferRestart => "the machine is not restarted by itself before the time you give",
        Id::CancelRestart => "cancels the restart that pcm has announced; the restart stays pending",
        Id::Unhold => "automatic runs again; what is due starts at once",
        _ => "",
    }
}

/// The state of the one request that it is about.
fn is(app: &App, confirm: &Confirm, state: State) -> bool {
    let row = confirm.request().and_then(|request| app.data.request(request));
    row.is_some_and(|row| row.state == state)
}

/// Another package runs: what the core would start waits for that.
fn waits_in_queue(app: &App, confirm: &Confirm) -> bool {
    let show = confirm.request().and_then(|request| confirm.show(&app.data, request));
    show.is_some_and(|show| show.gates.iter().any(|gate| gate.code == Some(Code::Busy)))
}

/// Who is logged on and may lose work.
fn logged_on(app: &App, telling: &Telling) -> Vec<Line> {
    let line = match app.data.users() {
        None => Line::of("cannot be known; somebody may lose work", Scope::DialogDanger),
        Some(users) if users.is_empty() => Line::of("nobody", Scope::Text),
        Some(users) => {
            let mut line = Line::new();
            for (n, user) in users.iter().enumerate() {
                if n > 0 {
                    line.push(", ", Scope::Text);
                }
                line.push(&user.user, Scope::DialogDanger);
                line.push(safe!(" ({}{})", user.terminal, presence(user)), Scope::Text);
            }
            line
        }
    };
    telling.fact("logged on", line)
}

fn presence(user: &SessionDoc) -> String {
    match (user.locked, user.idle_s) {
        (Some(true), _) => ", locked".into(),
        (_, Some(seconds)) => format!(", idle {}", words::idle(seconds)),
        _ => String::new(),
    }
}
