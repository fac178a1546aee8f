//! View 5: jobs and the figures of one (`figures`), its machines (`machines`), its progress as a curve (`chart`).

mod chart;
mod figures;
mod machines;

use super::canvas::Canvas;
use super::line::Line;
use super::table::Table;
use crate::clock::Wall;
use crate::console::app::columns::{self, JOBS, Moment, widest};
use crate::console::app::layout::{Pane, Spot};
use crate::console::app::{App, Level, words};
use crate::console::theme::Scope;
use crate::rollout::words::grouped;
use crate::safe;
use crate::text::SafeText;
use ratatui::layout::Rect;

/// Draws the first line, and why there are no newer figures; returns how many lines that took.
pub fn head(app: &App, now: Wall, canvas: &mut Canvas, area: Rect) -> u16 {
    canvas.paint(Rect { height: 1, ..area }, Scope::Header);
    let width = usize::from(area.width);
    let (zone, own) = (app.options.of_site(), &app.options.zone);
    let mut clock = Line::of(safe!("{}", words::clock(now, zone)), Scope::Header);
    // All other times of the console are this machine's.
    if words::offset(now, zone) != words::offset(now, own) {
        clock.push(safe!(" {}", words::offset(now, zone)), Scope::Header);
    }
    let room = width.saturating_sub(clock.width() + 1);
    let line = (0..4).map(|tight| site(app, now, tight)).find(|line| line.width() <= room);
    let line = line.unwrap_or_else(|| site(app, now, 3));
    canvas.line(Rect { width: room as u16, height: 1, ..area }, &line);
    let at = area.right().saturating_sub(clock.width() as u16);
    canvas.line(Rect { x: at, width: area.right() - at, height: 1, ..area }, &clock);
    let mut wrong: Vec<Line> = Vec::new();
    let bad = |text: SafeText| Line::of("! ", Scope::MessageError).add(text, Scope::MessageError);
    let rollout = &app.rollout;
    if let (Some(failure), Some(_)) = (&rollout.fault, &rollout.doc) {
        wrong.extend(bad(safe!("{}; these are the figures from before", failure.message)).wrap(width, 2));
    }
    if rollout.whole && rollout.doc.as_ref().is_some_and(|doc| !doc.whole) {
        let text = "the share did not answer for every report: the figures are not whole";
        wrong.extend(bad(text.into()).wrap(width, 2));
    }
    wrong.truncate(2);
    let below = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    1 + canvas.lines(below, &wrong)
}

/// The site, and how much of it was read.
fn site(app: &App, now: Wall, tight: usize) -> Line {
    let mut line = Line::new();
    if let Some(title) = &app.options.title {
        line.push(title.fit_ascii(12), Scope::HeaderMark);
        line.push(" ", Scope::Header);
    }
    let Some(doc) = &app.rollout.doc else {
        return line.add("ROLLOUT", Scope::HeaderMachine);
    };
    line.push(safe!("{}", doc.site), Scope::HeaderMachine);
    if tight < 3 {
        line.push(" ", Scope::Header);
        line.push(doc.name.fit_ascii([32, 20, 12][tight]), Scope::HeaderMachine);
    }
    if app.options.read_only {
        line.push(" [RO]", Scope::HeaderMark);
    }
    if doc.unsigned_reports {
        line.push(" UNSIGNED", Scope::HeaderMark);
    }
    if tight < 2 {
        let machines = if doc.machines == 1 { "machine" } else { "machines" };
        line.push(safe!("  {} {machines}", grouped(doc.machines)), Scope::Header);
    }
    match app.rollout.reading {
        Some((done, of)) => {
            let reading = if tight < 1 { "reading " } else { "" };
            line.push(safe!("  {reading}{} of {}", grouped(done), grouped(of)), Scope::HeaderMark);
        }
        None => {
            let age = (now - doc.at).num_seconds() + i64::try_from(doc.age_s).unwrap_or(0);
            let read = if doc.collected.is_some() { "collected" } else { "read" };
            line.push(safe!("  {read} {}", grouped(doc.read)), Scope::Header);
            let old = age >= 120;
            let scope = if old { Scope::HeaderMark } else { Scope::Header };
            line.push(safe!(" {}{} ago", if old { "~" } else { "" }, words::age(age)), scope);
        }
    }
    if doc.unread > 0 && tight < 2 {
        line.push(safe!(", {} unreadable", grouped(doc.unread)), Scope::HeaderAlarm);
    }
    line
}

/// Draws everything below.
pub fn draw(app: &App, now: Wall, canvas: &mut Canvas, body: Rect) {
    let rollout = &app.rollout;
    if rollout.doc.is_none() {
        return nothing(app, canvas, body);
    }
    match rollout.level {
        Level::Jobs | Level::Job if rollout.listed_jobs().is_empty() => {
            let text = "No job is published. Send one with: pcm job send";
            canvas.line(body, &Line::of("  ", Scope::Text).add(text, Scope::Dim));
        }
        Level::Jobs | Level::Job => {
            let figures = jobs(app, now, canvas, body);
            figures::draw(app, now, canvas, figures);
        }
        Level::Machines => machines::draw(app, now, canvas, body),
        Level::Machine => machines::one(app, now, canvas, body),
    }
}

/// What keeps the figures away, and what helps.
fn nothing(app: &App, canvas: &mut Canvas, body: Rect) {
    let width = usize::from(body.width).saturating_sub(4);
    let mut lines = Vec::new();
    match (&app.rollout.fault, app.rollout.reading) {
        (Some(failure), _) => {
            lines.extend(Line::of(safe!("{}", failure.message), Scope::MessageError).wrap(width, 0));
            if !failure.remedy.is_empty() {
                lines.extend(Line::of(safe!("{}", failure.remedy), Scope::Text).wrap(width, 0));
            }
        }
        (None, Some((done, of))) => {
            let said = safe!("reading what the machines report: {} of {}", grouped(done), grouped(of));
            lines.push(Line::of(said, Scope::Dim));
        }
        (None, None) => lines.push(Line::of("looking at the site", Scope::Dim)),
    }
    canvas.lines(Rect { x: body.x + 2, y: body.y, width: width as u16, height: body.height }, &lines);
}

/// The list of jobs; returns what is left below it.
fn jobs(app: &App, now: Wall, canvas: &mut Canvas, body: Rect) -> Rect {
    let rollout = &app.rollout;
    let all = rollout.listed_jobs();
    let cells = usize::from(body.width);
    let (zone, keymap) = (app.options.of_site(), &app.options.keymap);
    let moment = Moment { now, zone, keymap, wide: cells >= columns::WIDE };
    let table = Table::new(JOBS, cells, &widest(JOBS, || all.iter()), moment, canvas.glyphs.cut);
    canvas.line(body, &table.titles(Line::of("  ", Scope::Column), Scope::Column));
    let alone = rollout.level == Level::Job;
    let height = if alone { 1 } else { all.len().min(usize::from(body.height / 4).max(3)) };
    let at = rollout.at();
    let window = if alone { at..at + 1 } else { rollout.jobs.window(all.len(), height) };
    if !alone {
        canvas.layout.window(Pane::Site(Level::Jobs), &window, height, all.len());
    }
    let mut y = body.y + 1;
    for n in window {
        let Some(job) = all.get(n) else { break };
        let area = Rect { y, height: 1, ..body };
        let alarm = if job.halted { "!" } else { " " };
        let lead = Line::of(if n == at { ">" } else { alarm }, Scope::Text)
            .add(if n == at { alarm } else { " " }, Scope::GroupAlarm);
        let mut line = table.row(lead, job);
        if n == at {
            let keys = !alone && app.overlays.is_empty();
            line.over = Some(if keys { Scope::Selection } else { Scope::SelectionIdle });
        }
        canvas.line(area, &line);
        if !alone {
            canvas.layout.spot(area, Spot::SiteRow(n));
        }
        y += 1;
    }
    Rect { y, height: body.bottom().saturating_sub(y), ..body }
}
