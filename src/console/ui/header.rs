//! The first lines: which machine this is and whether anything runs by itself; the groups and their counts; and, where
//! something is wrong, the worst of it.

use super::canvas::Canvas;
use super::line::Line;
use crate::clock::Wall;
use crate::console::app::layout::{Spot, Tab};
use crate::console::app::{App, words};
use crate::console::keymap::commands::Id;
use crate::console::theme::Scope;
use crate::decision::RestartState;
use crate::executor::talk::view::ServiceState;
use crate::safe;
use crate::terms::{Code, Group, Problem};
use crate::text::SafeText;
use ratatui::layout::Rect;

/// Draws the header; returns how many lines it took.
pub fn draw(app: &App, now: Wall, canvas: &mut Canvas, area: Rect) -> u16 {
    canvas.paint(Rect { height: 1, ..area }, Scope::Header);
    let width = usize::from(area.width);
    let line = (0..7).map(|tight| first(app, now, tight)).find(|line| line.width() <= width);
    let line = line.unwrap_or_else(|| first(app, now, 6));
    // The clock stands at the right edge, whatever there is before it.
    let mut clock = Line::new();
    clock.words.extend(line.words.last().cloned());
    let head = Line { words: line.words[..line.words.len() - 1].to_vec(), over: None };
    let at = area.right().saturating_sub(clock.width() as u16).max(head.width() as u16);
    canvas.line(Rect { height: 1, ..area }, &head);
    canvas.line(Rect { x: at, width: area.right().saturating_sub(at), height: 1, ..area }, &clock);
    groups(app, canvas, Rect { y: area.y + 1, height: 1, ..area });
    match wrong(app, now, width, canvas.glyphs.cut) {
        Some(line) if area.height > 12 => {
            canvas.line(Rect { y: area.y + 2, height: 1, ..area }, &line);
            3
        }
        _ => 2,
    }
}

/// The machine, its host, its role; at most so many cells for the host.
pub fn identity(app: &App, host_width: usize) -> Line {
    let mut line = Line::new();
    match app.data.machine() {
        Some(machine) => line.push(machine, Scope::HeaderMachine),
        None => line.push("(no machine)", Scope::HeaderMachine),
    }
    if let Some(status) = &app.data.status.value {
        if !status.host.is_empty() && host_width > 0 {
            line.push(" ", Scope::Header);
            line.push(status.host.fit_ascii(host_width), Scope::HeaderMachine);
        }
        if !status.role.is_empty() {
            line.push(" ", Scope::Header);
            line.push(safe!("{}", status.role.as_str().to_uppercase()).fit_ascii(16), Scope::HeaderRole);
        }
    }
    line
}

/// Whether a service is there and anything runs by itself.
pub fn service(app: &App, now: Wall, tight: usize) -> Line {
    let status = app.data.status.value.as_ref();
    let running = status.map(|s| s.service).or(app.data.list.value.as_ref().map(|l| l.service));
    let mut line = Line::new();
    let silence = app.silence();
    let well = silence.is_none() && running == Some(ServiceState::Running);
    if well && tight > 4 {
        // What is well is the first to go.
        return line.join(automatic(app, now, running, tight));
    }
    line.push(if tight > 1 { "svc " } else { "service " }, Scope::Header);
    if let Some((_, since)) = silence {
        line.push(safe!("NO ANSWER {}", words::since((now - since).num_seconds())), Scope::HeaderAlarm);
    } else {
        match running {
            Some(ServiceState::Running) => line.push("ok", Scope::HeaderOk),
            Some(ServiceState::Stopped) => line.push("STOPPED", Scope::HeaderAlarm),
            None => line.push("...", Scope::Header),
        }
    }
    line.push(if tight > 1 { " " } else { "   " }, Scope::Header);
    line.join(automatic(app, now, running, tight))
}

/// Whether anything runs by itself, and if not, until when.
fn automatic(app: &App, now: Wall, running: Option<ServiceState>, tight: usize) -> Line {
    let (zone, status) = (&app.options.zone, app.data.status.value.as_ref());
    let mut line = Line::new();
    let frozen = status.and_then(|s| s.frozen_until);
    // A restart has words of its own, with the time that is left.
    let standstill = status.into_iter().flat_map(|s| &s.standstill).map(|s| s.code);
    let standstill = standstill.into_iter().find(|code| *code != Code::RestartPending);
    if let Some(until) = app.data.held_until() {
        let by = app.data.hold().and_then(|hold| hold.by.as_ref()).filter(|_| tight < 4);
        let by = by.map(|by| safe!(" by {}", by.fit_ascii(16))).unwrap_or_default();
        line.push(safe!("HELD until {}{by}", words::when(until, now, zone)), Scope::HeaderAlarm);
    } else if let Some(until) = frozen {
        line.push(safe!("FROZEN until {}", words::when(until, now, zone)), Scope::HeaderAlarm);
    } else if running == Some(ServiceState::Stopped) {
        line.push("auto OFF", Scope::HeaderAlarm);
    } else if let Some(code) = standstill {
        line.push(safe!("auto OFF, {}", code.row().brief), Scope::HeaderAlarm);
    } else if let Some(words) = announced(app, now) {
        line.push(words, Scope::HeaderAlarm);
    } else if app.silence().is_some() {
        // Whoever does not answer may not start anything either.
        line.push("auto ?", Scope::HeaderAlarm);
    } else if running.is_some() {
        line.push("auto ", Scope::Header);
        line.push("ON", Scope::HeaderOk);
    }
    line
}

/// A restart, or a start that users were told of. While a restart is pending nothing starts by itself.
fn announced(app: &App, now: Wall) -> Option<SafeText> {
    let left = |at: Wall| words::span((at - now).num_seconds().max(0));
    if let Some(restart) = app.data.restart() {
        return Some(match (restart.state, restart.restarts_at) {
            (RestartState::Asked, _) => "RESTARTS NOW".into(),
            (_, Some(at)) => safe!("RESTARTS in {}", left(at)),
            _ => "RESTART PENDING".into(),
        });
    }
    let row = app.data.countdown()?;
    Some(safe!("{} STARTS in {}", row.request_id?, left(row.next_run?)))
}

fn first(app: &App, now: Wall, tight: usize) -> Line {
    let zone = &app.options.zone;
    let gap = ["   ", "   ", "  ", " ", " ", " ", " "][tight];
    let mut line = Line::new();
    if let Some(title) = &app.options.title {
        line.push(title.fit_ascii(12), Scope::HeaderMark);
        line.push(" ", Scope::Header);
    }
    line = line.join(identity(app, [32, 20, 16, 12, 8, 0, 0][tight]));
    if app.options.read_only || app.data.status.value.as_ref().is_some_and(|s| !s.may_operate) {
        line.push(" [RO]", Scope::HeaderMark);
    }
    if app.data.status.value.as_ref().is_some_and(|s| s.trust.mode.as_str() == "permissions") {
        line.push(" UNSIGNED", Scope::HeaderMark);
    }
    line.push(gap, Scope::Header);
    line = line.join(service(app, now, tight));
    if tight < 6 {
        line.push(gap, Scope::Header);
        line = line.join(share(app, now, tight > 0));
    }
    line.push(gap, Scope::Header);
    let offset = if tight < 6 { format!(" {}", words::offset(now, zone)) } else { String::new() };
    line.push(safe!("{}{offset}", words::clock(now, zone)), Scope::Header);
    line
}

/// How old what is known from the share is.
fn share(app: &App, now: Wall, short: bool) -> Line {
    let status = app.data.status.value.as_ref();
    let list = app.data.list.value.as_ref();
    let polled = status.and_then(|s| s.polled_at).or(list.and_then(|l| l.polled_at));
    let Some(at) = polled else {
        let known = status.is_some() || list.is_some();
        return Line::of(
            if known { "share never seen" } else { "share ..." },
            if known { Scope::HeaderAlarm } else { Scope::Header },
        );
    };
    let seconds = (now - at).num_seconds();
    let age = words::age(seconds);
    let overdue = status.and_then(|s| s.poll_due).is_some_and(|due| (now - due).num_seconds() > 120);
    let faulty = app.data.all_problems().any(|p| p.code.starts_with("share-") || p.code == "ins-missing");
    if overdue || faulty {
        let old = if short { "" } else { " old" };
        return Line::of(safe!("~share {age}{old}"), Scope::HeaderMark);
    }
    Line::of(if short { safe!("share {age}") } else { safe!("share {age} old") }, Scope::Header)
}

/// The groups with their counts; the one of the selected row in brackets. A click leads to the first row of one.
fn groups(app: &App, canvas: &mut Canvas, area: Rect) {
    let (data, width) = (&app.data, usize::from(area.width));
    if data.list.value.is_none() {
        canvas.line(area, &Line::of("waiting for the executor's first answer", Scope::Dim));
        return;
    }
    // What an operator has seen is still counted, but alarms nobody.
    let tabs = [
        (Tab::Group(Group::Pending), data.count(Group::Pending), false),
        (Tab::Group(Group::Running), data.count(Group::Running), false),
        (Tab::Group(Group::Expired), data.count(Group::Expired), data.unseen(Group::Expired) > 0),
        (Tab::Failed, data.failed(), data.unseen_failed() > 0),
        (Tab::Group(Group::Executed), data.count(Group::Executed) - data.failed(), false),
        (Tab::Group(Group::Rejected), data.count(Group::Rejected), true),
        (Tab::Group(Group::Skipped), data.count(Group::Skipped), false),
    ];
    let mut parts: Vec<_> =
        tabs.into_iter().map(|(tab, count, alarming)| (title(tab), tab, count, alarming)).collect();
    parts.retain(|(_, tab, count, _)| *count > 0 || *tab != Tab::Group(Group::Skipped));
    if width < 70 {
        // What is done can be looked up; what is wrong has to be seen.
        let done = |tab: Tab| matches!(tab, Tab::Group(Group::Executed | Group::Skipped));
        parts.retain(|(_, tab, count, _)| *count > 0 && !done(*tab));
    }
    if width < 52 {
        for part in &mut parts {
            part.0 = match part.0 {
                "Pending" => "Pend",
                "Running" => "Run",
                "Expired" => "Exp",
                "Failed" => "Fail",
                _ => "Rej",
            };
        }
    }
    // Brackets take the place of blanks, so that nothing moves when the selection does.
    let bare: usize = parts.iter().map(|(word, _, n, _)| word.len() + n.to_string().len() + 3).sum();
    let tight = bare > width + 1;
    let mut line = Line::new();
    for (word, tab, count, alarming) in parts {
        let here = app.selected_row().is_some_and(|row| tab.has(row));
        let scope = match (count, here) {
            (1.., _) if alarming => Scope::GroupAlarm,
            (_, true) => Scope::GroupActive,
            (0, _) => Scope::Dim,
            _ => Scope::Group,
        };
        let from = line.width() as u16;
        line.push(if here { "[" } else { " " }, if here { Scope::GroupActive } else { Scope::Group });
        line.push(safe!("{word} {count}"), scope);
        match (here, tight) {
            (true, _) => line.push("]", Scope::GroupActive),
            (false, false) => line.push(" ", Scope::Group),
            (false, true) => {}
        }
        let spot = Rect { x: area.x + from, width: line.width() as u16 - from, ..area };
        canvas.layout.spot(spot.intersection(area), Spot::Tab(tab));
    }
    canvas.line(area, &line);
}

fn title(tab: Tab) -> &'static str {
    match tab {
        Tab::Failed => "Failed",
        Tab::Group(Group::Pending) => "Pending",
        Tab::Group(Group::Running) => "Running",
        Tab::Group(Group::Executed) => "Executed",
        Tab::Group(Group::Expired) => "Expired",
        Tab::Group(Group::Skipped) => "Skipped",
        Tab::Group(Group::Rejected) => "Rejected",
    }
}

/// The worst of what is wrong, in one line: first its place, last where the rest is; what is cut is the middle.
fn wrong(app: &App, now: Wall, width: usize, cut: &'static str) -> Option<Line> {
    if let Some((failure, since)) = app.silence() {
        let age = words::since((now - since).num_seconds());
        let known = if app.data.list.value.is_some() { "; the data shown is as old" } else { "" };
        return Some(Line::of("! ", Scope::MessageError).add(
            safe!("no answer for {age}: {}{known}. {}", failure.message, failure.remedy),
            Scope::MessageError,
        ));
    }
    let problems = app.data.problems();
    let bad: Vec<_> = problems.iter().filter(|p| !p.is_warning()).collect();
    let Some(worst) = bad.first() else { return held(app, now) };
    let more = match bad.len() - 1 {
        0 => String::new(),
        n => format!("  (+{n}, {} shows all)", app.key_of(Id::Problems)),
    };
    let line = Line::of("! ", Scope::MessageError).add(safe!("{}: ", worst.code), Scope::MessageError);
    let place = place(worst);
    let place = if place.is_empty() || worst.message.as_str().contains(place.as_str()) {
        String::new()
    } else {
        format!("{place}: ")
    };
    let message = safe!("{place}{}", worst.message);
    let all = line.width() + message.width() + more.len() <= width;
    let more =
        if all || !more.is_empty() { more } else { format!("  ({} shows all)", app.key_of(Id::Problems)) };
    let room = width.saturating_sub(line.width() + more.len());
    let room = room.min(message.width());
    Some(line.cell(message, room, cut, Scope::Text).add(SafeText::of(more), Scope::MessageError))
}

/// `pcm.toml:12 windows.weekly`: the file by its name alone, since a line has no room for its folder.
fn place(problem: &Problem) -> String {
    let file = problem.file.as_str().rsplit(['/', '\\']).next().unwrap_or_default();
    let Some(line) = problem.line else { return String::new() };
    let field = problem.field.as_ref().map(|f| format!(" {f}")).unwrap_or_default();
    format!("{file}:{line}{field}")
}

/// Whose the hold is that is in force, and why.
fn held(app: &App, now: Wall) -> Option<Line> {
    let hold = app.data.hold()?;
    let until = words::when_long(hold.held_until?, now, &app.options.zone);
    let by = hold.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
    let why = hold.reason.clone().unwrap_or_default();
    let key = app.key_of(Id::Unhold);
    Some(
        Line::of("! ", Scope::MessageError)
            .add(safe!("held{by} until {until}: "), Scope::MessageError)
            .add(safe!("{why}  ({key} ends it)"), Scope::Text),
    )
}
