//! The machines behind a figure, and one of them as it speaks of itself.

use super::figures::{detail, named};
use crate::clock::Wall;
use crate::console::app::columns::{self, MACHINES, Moment};
use crate::console::app::layout::{Pane, Spot};
use crate::console::app::{App, Level, words};
use crate::console::keymap::commands::Id;
use crate::console::theme::Scope;
use crate::console::ui::canvas::Canvas;
use crate::console::ui::line::Line;
use crate::console::ui::table::Table;
use crate::rollout::account::{Account, Forecast, Said};
use crate::rollout::select::{Figure, OneDoc};
use crate::rollout::words as told;
use crate::rollout::words::grouped;
use crate::safe;
use crate::text::{self, SafeText};
use ratatui::layout::Rect;
use std::time::Duration;

/// In a list of so many lines there is room for what holds its machines up.
const LONG: u16 = 16;

/// Draws the list of machines.
pub fn draw(app: &App, now: Wall, canvas: &mut Canvas, body: Rect) {
    let (rollout, list) = (&app.rollout, &app.rollout.list);
    let Some(figure) = &list.figure else { return };
    let focus = app.overlays.is_empty();
    let rows = rollout.machines();
    let count = match &list.listed {
        None => String::new(),
        Some(listed) if list.condition.is_empty() => format!(" {}", grouped(listed.rows.len() as u64)),
        Some(listed) => {
            format!(" {} of {}", grouped(listed.rows.len() as u64), grouped(listed.all as u64))
        }
    };
    let job = rollout.job().map(|job| job.job_id.to_string()).unwrap_or_default();
    let name = safe!("{job} {}{count}", SafeText::new(&named(figure)));
    let mut title = Line::of(name, if focus { Scope::TitleFocus } else { Scope::Title });
    let gone = list.gone().map(|machine| safe!("{machine} left"));
    let marked = Some(rollout.marked.len()).filter(|n| *n > 0).map(|n| safe!("{n} marked"));
    let mut right = match (gone, marked) {
        (Some(gone), Some(marked)) => Line::of(safe!("{gone}, {marked}"), Scope::Mark),
        (one, other) => one.or(other).map_or_else(Line::new, |said| Line::of(said, Scope::Mark)),
    };
    if let Some(input) = &list.typing {
        title = title.add("  where: ", Scope::TitleFocus).add(input.before(), Scope::InputFocus);
        title = title.add("_", Scope::InputFocus).add(input.after(), Scope::InputFocus);
        right = Line::of("Enter keeps, Esc drops", Scope::Dim);
    } else if !list.condition.is_empty() {
        title = title.add(safe!("  where {}", SafeText::new(&list.condition)), Scope::Mark);
        title.push(safe!(" ({} drops)", app.key_of(Id::Back)), Scope::Dim);
    }
    canvas.rule(body, &title, &right, focus);
    let mut inside = Rect { y: body.y + 1, height: body.height.saturating_sub(1), ..body };
    if let Some(complaint) = &list.complaint {
        let width = usize::from(inside.width);
        let said = Line::of(safe!("  {complaint}"), Scope::MessageError).wrap(width, 2);
        let taken = canvas.lines(inside, &said);
        inside = Rect { y: inside.y + taken, height: inside.height - taken, ..inside };
    } else if list.typing.is_some() {
        let words = "  e.g. group == \"web\" && last_seen > 1d; names: those of rollout --where";
        canvas.line(inside, &Line::of(words, Scope::Dim));
        inside = Rect { y: inside.y + 1, height: inside.height.saturating_sub(1), ..inside };
    }
    if let (Some(job), Figure::Held(holder), LONG..) = (rollout.job(), figure, inside.height)
        && let Some(reason) = job.reasons.iter().find(|reason| reason.reason == *holder)
    {
        let taken = canvas.lines(inside, &detail(app, job, reason, now, usize::from(inside.width)));
        inside = Rect { y: inside.y + taken, height: inside.height - taken, ..inside };
    }
    let Some(listed) = &list.listed else {
        canvas.line(inside, &Line::of("  looking them up", Scope::Dim));
        return;
    };
    if rows.is_empty() {
        let words = match list.condition.is_empty() {
            true => "no machine of the job".into(),
            false => safe!("no machine matches; {} drops the condition", app.key_of(Id::Back)),
        };
        canvas.line(inside, &Line::of("  ", Scope::Text).add(words, Scope::Dim));
        return;
    }
    let cells = usize::from(inside.width);
    let (zone, keymap) = (app.options.of_site(), &app.options.keymap);
    let moment = Moment { now, zone, keymap, wide: cells >= columns::WIDE };
    let table = Table::new(MACHINES, cells, &[], moment, canvas.glyphs.cut);
    if inside.height > 3 {
        canvas.line(inside, &table.titles(Line::of("  ", Scope::Column), Scope::Column));
        inside = Rect { y: inside.y + 1, height: inside.height - 1, ..inside };
    }
    let height = usize::from(inside.height);
    let window = list.cursor.window(rows.len(), height);
    canvas.layout.window(Pane::Site(Level::Machines), &window, height, rows.len());
    let at = list.row();
    for (y, n) in (inside.y..).zip(window) {
        let Some(row) = rows.get(n) else { break };
        let mark = match (rollout.marked.contains(&row.machine), listed.changed.contains(&row.machine)) {
            (true, _) => "*",
            (false, true) => "+",
            (false, false) => " ",
        };
        let lead = Line::of(if Some(n) == at { ">" } else { " " }, Scope::Text).add(mark, Scope::Mark);
        let mut line = table.row(lead, row);
        if Some(n) == at {
            line.over = Some(if focus { Scope::Selection } else { Scope::SelectionIdle });
        }
        let area = Rect { y, height: 1, ..inside };
        canvas.line(area, &line);
        canvas.layout.spot(area, Spot::SiteRow(n));
    }
}

/// Draws one machine.
pub fn one(app: &App, now: Wall, canvas: &mut Canvas, body: Rect) {
    let rollout = &app.rollout;
    let Some(machine) = rollout.machine() else { return };
    let focus = app.overlays.is_empty();
    let scope = if focus { Scope::TitleFocus } else { Scope::Title };
    let host = rollout.doc_of_one.as_ref().and_then(|doc| doc.host.as_ref());
    let host = host.map(|host| format!(" {host}")).unwrap_or_default();
    canvas.rule(body, &Line::of(safe!("{machine}{host}"), scope), &Line::new(), focus);
    let inside = Rect { y: body.y + 1, height: body.height.saturating_sub(1), ..body };
    let width = usize::from(inside.width);
    let lines = match &rollout.doc_of_one {
        None => vec![Line::of("  looking it up", Scope::Dim)],
        Some(doc) => Sheet { app, doc, now, width }.lines(),
    };
    let height = usize::from(inside.height);
    let window = rollout.scroll.window(lines.len(), height);
    canvas.layout.window(Pane::Site(Level::Machine), &window, height, lines.len());
    canvas.lines(inside, &lines[window]);
}

struct Sheet<'a> {
    app: &'a App,
    doc: &'a OneDoc,
    now: Wall,
    width: usize,
}

impl Sheet<'_> {
    fn fact(&self, name: &'static str, line: Line) -> Vec<Line> {
        Line::of("  ", Scope::Text).cell(name, 10, "", Scope::Dim).join(line).wrap(self.width, 12)
    }

    fn lines(&self) -> Vec<Line> {
        let doc = self.doc;
        let mut lines = Vec::new();
        if let Err(why) = &doc.heard {
            lines.extend(self.fact("silent", Line::of(why, Scope::MessageError)));
        }
        if !doc.groups.is_empty() {
            let groups: Vec<&str> = doc.groups.iter().map(SafeText::as_str).collect();
            lines.extend(self.fact("groups", Line::of(SafeText::new(&groups.join(" ")), Scope::Text)));
        }
        let Some(account) = doc.account() else { return lines };
        let age = self.now - account.written;
        let old = age.num_seconds() > i64::try_from(account.heartbeat.as_secs() * 2).unwrap_or(i64::MAX);
        let scope = if old || doc.heard.is_err() { Scope::Stale } else { Scope::Text };
        let stale = if old { "~" } else { "" };
        let zone = self.app.options.of_site();
        let seen = safe!("{stale}{}", words::when_and_far(account.written, self.now, zone));
        lines.extend(self.fact("reported", Line::of(seen, scope)));
        lines.extend(self.fact("says", Line::of(SafeText::new(&self.about(account)), scope)));
        lines.push(Line::new());
        if account.requests.is_empty() {
            lines.push(Line::of("  it knows of no request", Scope::Dim));
            return lines;
        }
        let titles = ["REQUEST", "PACKAGE", "STATE", "WHY NOT / NEXT"];
        let widths = self.widths(account);
        lines.push(titles.iter().zip(widths).fold(Line::of("  ", Scope::Column), |line, (title, width)| {
            line.cell(*title, width, "", Scope::Column)
        }));
        for said in &account.requests {
            let state = if scope == Scope::Stale { scope } else { Scope::of_state(said.state) };
            let line = Line::of("  ", scope)
                .column(safe!("{}", said.request_id), widths[0], "~", scope)
                .column(self.package(said), widths[1], "~", scope)
                .column(said.state.as_str(), widths[2], "~", state)
                .add(SafeText::new(&self.why(said)), scope);
            lines.extend(line.wrap(self.width, 2 + widths[0] + widths[1] + widths[2]));
        }
        lines
    }

    /// As wide as what stands in them: what keeps a request waiting wants the room.
    fn widths(&self, account: &Account) -> [usize; 4] {
        let (most_package, most_state) = if self.width < 60 { (9, 10) } else { (22, 18) };
        let of_package = |said: &Said| self.package(said).width();
        let of_state = |said: &Said| said.state.as_str().len();
        let longest = |of: &dyn Fn(&Said) -> usize, title: &str| {
            account.requests.iter().map(of).fold(title.len(), usize::max) + 1
        };
        let package = longest(&of_package, "PACKAGE").min(most_package);
        let state = longest(&of_state, "STATE").min(most_state);
        [8, package, state, self.width.saturating_sub(10 + package + state)]
    }

    fn package(&self, said: &Said) -> SafeText {
        let named = self.doc.packages.get(&said.request_id).cloned();
        named.or(said.package_id.map(|id| safe!("{id}"))).unwrap_or_default()
    }

    /// The machine in a line.
    fn about(&self, account: &Account) -> String {
        let mut parts = vec![format!("pcm {}", account.pcm_version)];
        let os = [&account.os, &account.os_version].map(|of| of.as_ref().map(ToString::to_string));
        let os: Vec<String> = os.into_iter().flatten().collect();
        if !os.is_empty() {
            parts.push(os.join(" "));
        }
        if let Some(users) = account.users {
            parts.push(words::count(users as usize, "user"));
        }
        if let Some(free) = account.disk_free {
            parts.push(format!("{} free", text::bytes(free)));
        }
        if let Some(hours) = account.hours_on {
            parts.push(format!("on for {hours} h of the last 7 days"));
        }
        if account.restart_pending {
            parts.push("restart pending".to_owned());
        }
        if account.undelivered > 0 {
            parts.push(format!("{} results undelivered", account.undelivered));
        }
        parts.push(format!(
            "reports every {}",
            text::duration(Duration::from_secs(account.heartbeat.as_secs()))
        ));
        parts.join(", ")
    }

    /// Why a request has not run, or how it ended.
    fn why(&self, said: &Said) -> String {
        let when = |at| words::when(at, self.now, self.app.options.of_site());
        let mut parts: Vec<String> = told::briefs(&said.blocked_by).into_iter().map(str::to_owned).collect();
        if let Some(code) = said.exit_code {
            parts.push(format!("exit {code}"));
        }
        parts.extend(said.result.as_ref().filter(|result| !result.is_empty()).map(ToString::to_string));
        match said.forecast {
            Some(Forecast::Runs { next, .. }) => parts.push(format!("next {}", when(next))),
            Some(Forecast::Never) => parts.push("never".to_owned()),
            None => parts.extend(said.ended_at.or(said.started_at).map(when)),
        }
        parts.join("; ")
    }
}
