//! The week ahead: a line a request, a letter for each stretch of time, and when it runs or why it does not.

use super::canvas::{Canvas, centred, dialog_width};
use super::line::{Line, cells};
use crate::clock::Wall;
use crate::console::app::list::Scroll;
use crate::console::app::{App, words};
use crate::console::theme::Scope;
use crate::executor::talk::view::{SimulateDoc, SimulatedDoc};
use crate::safe;
use crate::terms::{Group, State};
use crate::text::SafeText;
use chrono::TimeDelta;
use ratatui::layout::Rect;

/// Draws the week.
pub fn draw(app: &App, scroll: &Scroll, now: Wall, canvas: &mut Canvas, body: Rect) {
    let width = dialog_width(body, 132);
    let inner = usize::from(width).saturating_sub(4);
    let held = &app.data.week;
    let text = |lines: Vec<Line>| lines.into_iter().map(Row::Text).collect::<Vec<_>>();
    let days = held.value.as_ref().map(|week| Days::new(app, week, now, inner, canvas.glyphs.cut));
    let lines = match (&days, &held.fault) {
        (_, Some((failure, _))) => text(Line::of(safe!("{failure}"), Scope::MessageError).wrap(inner, 4)),
        (None, None) => text(vec![Line::of("asking the executor what will run when", Scope::Dim)]),
        (Some(days), None) => days.rows(),
    };
    let area = centred(body, width, (lines.len() as u16 + 2).min(body.height));
    let title = match &held.value {
        Some(week) => safe!("THE WEEK as of {}", words::stamp(week.from, now, &app.options.zone)),
        None => "THE WEEK".into(),
    };
    let inside = canvas.frame(area, &Line::of(title, Scope::DialogTitle));
    let window = canvas.scrolled(scroll, lines.len(), inside.height);
    canvas.below(area, lines.len() - window.end);
    let drawn = lines[window].iter().map(|row| match (row, &days) {
        (Row::Text(line), _) => line.clone(),
        (Row::Why(request), _) => why(request),
        (Row::Bar(request), Some(days)) => days.bar(request),
        (Row::Bar(_), None) => Line::new(),
    });
    canvas.lines(inside, &drawn.collect::<Vec<_>>());
}

/// A row of the week. Those of a thousand requests are made only as far as they are seen.
enum Row<'w> {
    Text(Line),
    Bar(&'w SimulatedDoc),
    /// Why it runs then, where that fits into one line.
    Why(&'w SimulatedDoc),
}

/// Cells before the words below a bar.
const INDENT: usize = 8;

fn why(request: &SimulatedDoc) -> Line {
    Line::new().pad_to(INDENT).add(&request.why, Scope::Dim)
}

fn runs_now(request: &SimulatedDoc) -> bool {
    request.changes.first().is_some_and(|step| step.state.group() == Group::Running)
}

/// The week and how it is laid out.
struct Days<'w> {
    app: &'w App,
    week: &'w SimulateDoc,
    now: Wall,
    width: usize,
    cut: &'static str,
    /// Cells of a package's name with the blank after it.
    name: usize,
    /// Cells of the bars, and how long one of them is.
    columns: usize,
    step: TimeDelta,
}

impl<'w> Days<'w> {
    fn new(app: &'w App, week: &'w SimulateDoc, now: Wall, width: usize, cut: &'static str) -> Days<'w> {
        let pair = |r: &SimulatedDoc| r.at.map(|at| words::when_pair(at, r.latest, now, &app.options.zone));
        let when = week
            .requests
            .iter()
            .filter_map(pair)
            .map(|pair| cells(&pair) + 1)
            .max()
            .unwrap_or(0)
            .clamp(10, 21);
        // Names in full where the days have room beside them.
        let longest = week.requests.iter().map(|r| r.package.width()).max().unwrap_or(0).clamp(16, 40);
        let name =
            if width >= 70 { (longest + 1).min(17 + width.saturating_sub(8 + 17 + when + 7 * 7)) } else { 0 };
        // So many columns a day; where there is room, what is left says why.
        let a_day = (width.saturating_sub(8 + name + when) / 7).clamp(1, 8);
        let columns = a_day * 7;
        let step = (week.until - week.from) / columns as i32;
        Days { app, week, now, width, cut, name, columns, step }
    }

    fn rows(&self) -> Vec<Row<'w>> {
        let Days { week, now, width, name, columns, step, .. } = *self;
        let zone = &self.app.options.zone;
        // A day's name stands where its midnight is on this machine.
        let date = |column: usize| zone.to_local(week.from + step * column as i32).date();
        let dates: Vec<_> = (0..=columns).map(date).collect();
        let mut ruler: Vec<char> = vec![' '; columns];
        for (column, days) in dates.windows(2).enumerate().filter(|(_, days)| days[0] != days[1]) {
            let text = if columns >= 28 { days[1].format("|%a").to_string() } else { "|".to_owned() };
            for (place, letter) in ruler.iter_mut().skip(column).zip(text.chars()) {
                *place = letter;
            }
        }
        let ruler: String = ruler.into_iter().collect();
        let head = Line::new().pad_to(8 + name).add(safe!("{ruler}"), Scope::Column);
        let mut requests: Vec<&SimulatedDoc> = week.requests.iter().filter(|r| is_to_come(r)).collect();
        let mut rows = Vec::with_capacity(2 * requests.len() + 16);
        rows.push(Row::Text(head.add(" RUNS", Scope::Column)));
        requests.sort_by_key(|r| (!runs_now(r), r.at.is_none(), r.at, r.never));
        for request in &requests {
            rows.push(Row::Bar(request));
            if INDENT + cells(request.why.as_str()) <= width {
                rows.push(Row::Why(request));
            } else {
                rows.extend(why(request).wrap(width, INDENT).into_iter().map(Row::Text));
            }
        }
        let mut lines = Vec::new();
        let ended = week.requests.len() - requests.len();
        lines.push(Line::new());
        lines.extend(legend(width));
        if ended > 0 {
            lines
                .extend(Line::of(safe!("{ended} more have ended or are skipped"), Scope::Dim).wrap(width, 4));
        }
        if !week.complete {
            let said =
                safe!("simulated only until {}: too many events", words::when_long(week.until, now, zone));
            lines.extend(Line::of(said, Scope::MessageError).wrap(width, 4));
        }
        for assumed in &week.assumed {
            lines.extend(Line::of("assumed: ", Scope::Dim).add(assumed, Scope::Dim).wrap(width, 4));
        }
        rows.extend(lines.into_iter().map(Row::Text));
        rows
    }

    fn bar(&self, request: &SimulatedDoc) -> Line {
        let Days { week, now, name, columns, step, .. } = *self;
        let zone = &self.app.options.zone;
        let id = request.request_id.map_or_else(|| "-".into(), |id| safe!("{id}"));
        let mut line = Line::new().cell(id, 8, "", Scope::Text);
        if name > 0 {
            line = line.cell(&request.package, name - 1, self.cut, Scope::Text).add(" ", Scope::Text);
        }
        let letters = (0..columns as i32)
            .map(|column| letter(request, week.from + step * column, week.from + step * (column + 1)));
        // What stays the same for days is one word.
        let mut letters = letters.peekable();
        while let Some((letter, scope)) = letters.next() {
            let mut stretch = letter.to_owned();
            while letters.next_if_eq(&(letter, scope)).is_some() {
                stretch.push_str(letter);
            }
            line.push(SafeText::of(stretch), scope);
        }
        let (runs, scope) = match (request.at, request.never) {
            (None, _) if runs_now(request) => (" now".into(), Scope::StateRunning),
            (Some(at), _) => (safe!(" {}", words::when_pair(at, request.latest, now, zone)), Scope::Strong),
            (None, true) => (" never".into(), Scope::Dim),
            (None, false) if ends_expired(request) => (" expires".into(), Scope::StateExpired),
            (None, false) => (" later".into(), Scope::Dim),
        };
        line.add(runs, scope)
    }
}

/// What the letters mean; no line ends between a letter and its meaning.
fn legend(width: usize) -> Vec<Line> {
    let shown = [
        State::Scheduled,
        State::Offered,
        State::Deferred,
        State::Waiting,
        State::Running,
        State::Succeeded,
        State::Expired,
        State::Failed,
    ];
    let meaning = |state| match state {
        State::Running => "runs",
        State::Succeeded => "done",
        State::Failed => "failed",
        other => other.as_str(),
    };
    let part = |letter, scope, meaning: &str| Line::of(letter, scope).add(safe!(" {meaning}  "), Scope::Dim);
    let mut parts = Vec::new();
    for state in shown {
        parts.push(part(of(state), Scope::of_state(state), meaning(state)));
        if state == State::Running {
            parts.push(part(MAY_RUN.0, MAY_RUN.1, "may run"));
        }
    }
    let mut lines = vec![Line::new()];
    for part in parts {
        match lines.last_mut() {
            Some(line) if line.width() + part.width() <= width + 2 => line.words.extend(part.words),
            _ => lines.push(part),
        }
    }
    lines
}

fn ends_expired(request: &SimulatedDoc) -> bool {
    request.changes.last().is_some_and(|step| step.state == State::Expired)
}

/// Whether anything is still to come of it.
fn is_to_come(request: &SimulatedDoc) -> bool {
    let group = request.changes.first().map(|step| step.state.group());
    request.at.is_some() || matches!(group, Some(Group::Pending | Group::Running))
}

/// What a stretch of time looks like: a run in it, however short, else how it ends.
fn letter(request: &SimulatedDoc, from: Wall, until: Wall) -> (&'static str, Scope) {
    let before = request.changes.iter().take_while(|step| step.at < until);
    let runs = |state: State| state.group() == Group::Running;
    let here = before.clone().filter(|step| step.at >= from).any(|step| runs(step.state));
    // Later than the earliest time it may still start, until the latest; where none is known, at any time.
    let may = request.at.is_some_and(|at| at < until && request.latest.is_none_or(|latest| from < latest));
    match before.last().map(|step| step.state) {
        _ if here || request.at.is_some_and(|at| (from..until).contains(&at)) => ("R", Scope::StateRunning),
        _ if may => MAY_RUN,
        None => (" ", Scope::Text),
        Some(state) => (of(state), Scope::of_state(state)),
    }
}

/// It may run then, if those before it take longer than usual.
const MAY_RUN: (&str, Scope) = ("r", Scope::StateRunning);

fn of(state: State) -> &'static str {
    match state {
        State::Scheduled => ".",
        State::Offered => "o",
        State::Deferred => "d",
        State::Waiting | State::Queued | State::RetryWait | State::Due => "w",
        State::Countdown | State::Running | State::Stopping => "R",
        State::Succeeded | State::SucceededRestart => "+",
        State::Expired => "x",
        State::NotApplicable | State::NotNeeded => " ",
        State::Failed | State::TimedOut | State::Stopped | State::Interrupted | State::Rejected => "!",
    }
}
