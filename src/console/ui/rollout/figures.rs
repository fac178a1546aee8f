//! The figures of one job: the sum, the gate, the forecast, what holds its machines up, how it failed, and who is silent.
//! Every number that can be selected leads to its machines.

use super::chart;
use crate::clock::Wall;
use crate::console::app::columns::part_of;
use crate::console::app::layout::{Pane, Spot};
use crate::console::app::rollout::figures::PARTS;
use crate::console::app::{App, Level, words};
use crate::console::theme::Scope;
use crate::console::ui::canvas::Canvas;
use crate::console::ui::line::Line;
use crate::rollout::count::{holder_words, taken_out_words};
use crate::rollout::doc::{JobDoc, ReasonDoc};
use crate::rollout::select::Figure;
use crate::rollout::words as told;
use crate::rollout::words::grouped;
use crate::safe;
use crate::text::SafeText;
use ratatui::layout::Rect;

/// Below this many lines the forecast and the results go.
const LOW: u16 = 9;
/// From this width on the curve stands beside the figures.
const BESIDE: u16 = 110;
/// What is said of a reason takes so many lines at most.
const DETAIL: usize = 4;
/// The least lines of a curve.
const CURVE: u16 = 8;

/// A line, and which of the job's figures stand in it.
struct Row {
    line: Line,
    figures: Vec<usize>,
}

impl Row {
    fn of(line: Line) -> Row {
        Row { line, figures: Vec::new() }
    }
}

/// Draws the figures of the selected job.
pub fn draw(app: &App, now: Wall, canvas: &mut Canvas, area: Rect) {
    let Some(job) = app.rollout.job() else { return };
    let (mut area, is_beside) = (area, area.width >= BESIDE && area.height >= CURVE);
    if is_beside {
        let width = area.width * 2 / 5;
        let beside = Rect { x: area.right() - width, width, height: area.height.min(24), ..area };
        area.width -= width + 1;
        chart::draw(app, job, now, canvas, beside);
    }
    let deep = app.rollout.level == Level::Job;
    let sheet = Sheet { app, job, now, width: usize::from(area.width), low: area.height < LOW, deep };
    let rows = sheet.rows();
    let (len, height) = (rows.len(), usize::from(area.height));
    let selected = app.rollout.figure.row(app.rollout.figures().len());
    let at = rows.iter().position(|row| row.figures.contains(&selected)).unwrap_or(0);
    let top = match deep && len > height {
        true => (at + 1).saturating_sub(height * 2 / 3).min(len - height),
        false => 0,
    };
    if deep {
        let page = height.saturating_sub(6).max(2);
        canvas.layout.window(
            Pane::Site(Level::Job),
            &(selected..selected + 1),
            page,
            app.rollout.figures().len(),
        );
    }
    let mut y = area.y;
    for row in rows.into_iter().skip(top).take(height) {
        let here = Rect { y, height: 1, ..area };
        if let ([figure], true) = (&row.figures[..], deep) {
            canvas.layout.spot(here, Spot::SiteRow(*figure));
        }
        canvas.line(here, &row.line);
        y += 1;
    }
    let left = Rect { y, height: area.bottom().saturating_sub(y), ..area };
    if !is_beside && left.height > CURVE + 1 && left.width >= 60 {
        let curve = Rect { y: left.y + 1, height: (left.height - 1).min(20), ..left };
        chart::draw(app, job, now, canvas, curve);
    }
}

struct Sheet<'a> {
    app: &'a App,
    job: &'a JobDoc,
    now: Wall,
    width: usize,
    low: bool,
    /// The figures have the keys.
    deep: bool,
}

impl Sheet<'_> {
    fn rows(&self) -> Vec<Row> {
        let job = self.job;
        let tell = |at| words::when(at, self.now, self.app.options.of_site());
        let text = |words: String, scope| Line::of(SafeText::new(&words), scope);
        let wrapped = |line: Line, indent| line.wrap(self.width, indent).into_iter().map(Row::of);
        let mut rows = self.sum();
        if let Some(reason) = &job.reason {
            rows.extend(wrapped(Line::of(safe!("{}: {reason}", job.state), Scope::MessageError), 2));
        }
        if !self.low {
            rows.extend(self.beside().map(Row::of));
        }
        if let Some(judged) = told::judged(job, &tell) {
            rows.extend(wrapped(text(judged, if job.halted { Scope::GroupAlarm } else { Scope::Text }), 5));
        }
        if !self.low {
            for lacking in told::lacking(job).iter().take(2) {
                rows.extend(wrapped(Line::of(safe!("     {lacking}"), Scope::Dim), 5));
            }
            rows.extend(
                told::forecast(job, &tell).into_iter().flat_map(|words| wrapped(text(words, Scope::Text), 2)),
            );
        }
        if !self.low {
            rows.extend(told::yesterday(job).map(|words| Row::of(text(words, Scope::Text))));
        }
        rows.extend(self.held());
        if !self.low || self.deep {
            rows.extend(self.others());
        }
        rows
    }

    /// Whether a figure is selected, and how it looks then.
    fn scope(&self, figure: usize, scope: Scope) -> Scope {
        let selected = self.deep && self.app.rollout.figure.row(self.app.rollout.figures().len()) == figure;
        if selected { Scope::Selection } else { scope }
    }

    /// `targets 50,112 (+112) = done 40,590  not needed 0 …`, over as many lines as it needs.
    fn sum(&self) -> Vec<Row> {
        let job = self.job;
        let head = safe!("{}  targets {}{} = ", job.job_id, grouped(job.targets), told::moved(job));
        let mut row = Row::of(Line::of(head, Scope::Strong));
        let indent = if self.width < 60 { 2 } else { 10 };
        let mut rows = Vec::new();
        for (n, (part, many)) in job.parts().into_iter().enumerate() {
            let words = safe!("{} {}", part.words(), grouped(many));
            let gap = if row.figures.is_empty() { "" } else { "  " };
            if row.line.width() + gap.len() + words.width() > self.width {
                rows.push(row);
                row = Row::of(Line::of(SafeText::of(" ".repeat(indent)), Scope::Text));
            }
            let plain = if many == 0 { Scope::Dim } else { part_of(part) };
            if !row.figures.is_empty() {
                row.line.push("  ", Scope::Text);
            }
            row.line.push(words, self.scope(n, plain));
            row.figures.push(n);
        }
        rows.push(row);
        rows
    }

    /// What is no target, or not yet.
    fn beside(&self) -> Option<Line> {
        let job = self.job;
        let mut parts: Vec<String> = Vec::new();
        if job.later > 0 {
            parts.push(format!("in later phases {}", grouped(job.later)));
        }
        let out = job
            .not_targets_because
            .iter()
            .map(|(why, n)| format!("{} {}", grouped(*n), taken_out_words(why)));
        let out: Vec<String> = out.collect();
        if !out.is_empty() {
            parts.push(format!("taken out {}: {}", grouped(job.not_targets), out.join(", ")));
        }
        (!parts.is_empty()).then(|| Line::of(SafeText::new(&parts.join("  ")), Scope::Dim))
    }

    /// A figure's row: its number, its words, and what stands behind them.
    fn row(&self, figure: usize, number: u64, digits: usize, line: Line) -> Row {
        let selected = self.deep && self.scope(figure, Scope::Text) == Scope::Selection;
        let lead = if selected { "> " } else { "  " };
        let lead = Line::of(lead, Scope::Text).add(safe!("{:>digits$}  ", grouped(number)), Scope::Text);
        let mut line = lead.join(line);
        if selected {
            line.over = Some(Scope::Selection);
        }
        Row { line, figures: vec![figure] }
    }

    /// What holds them up.
    fn held(&self) -> Vec<Row> {
        let figures = self.app.rollout.figures();
        let held: Vec<(usize, &Figure)> =
            figures.iter().enumerate().filter(|(_, figure)| matches!(figure, Figure::Held(_))).collect();
        if held.is_empty() {
            return Vec::new();
        }
        let reason = |figure: &Figure| self.job.reasons.iter().find(|of| Figure::Held(of.reason) == *figure);
        let digits = held.iter().map(|(_, of)| grouped(of.number(self.job)).len()).max().unwrap_or(1);
        let room = match self.width < 60 {
            true => self.width.saturating_sub(4 + digits),
            false => self.width.saturating_sub(4 + digits + 14 + 2 + 33).clamp(24, 40),
        };
        let title = Line::of("WHAT HOLDS THEM UP (alone)", Scope::Title);
        let mut rows = vec![Row::of(match self.width < 60 {
            true => title,
            false => title.pad_to(4 + digits + room).add("FREES IN A DAY", Scope::Title),
        })];
        for (n, figure) in held {
            let Some(of) = reason(figure) else { continue };
            let mut line = Line::new().column(SafeText::new(holder_words(of.reason)), room, "~", Scope::Text);
            if self.width >= 60 {
                let frees = of.frees_in_a_day.map_or_else(|| "-".to_owned(), grouped);
                line.push(safe!("{frees:>14}  "), Scope::Text);
                let tell = |at| words::when(at, self.now, self.app.options.of_site());
                if let Some(anyway) = told::anyway(of, &tell) {
                    line.push(SafeText::new(&anyway), Scope::Dim);
                }
            }
            let row = self.row(n, of.machines, digits, line);
            let selected = row.line.over.is_some();
            rows.push(row);
            if selected && !self.low {
                rows.extend(detail(self.app, self.job, of, self.now, self.width).into_iter().map(Row::of));
            }
        }
        rows
    }

    /// How it failed, and why machines are silent: a row each where one can be selected, else a line for all.
    fn others(&self) -> Vec<Row> {
        let figures = self.app.rollout.figures();
        let mut rows = Vec::new();
        for (title, of) in [("FAILED BY RESULT", true), ("SILENT", false)] {
            let wanted = |figure: &Figure| match figure {
                Figure::Result(..) => of,
                Figure::Silent(_) => !of,
                Figure::Part(_) | Figure::Unsuccessful | Figure::Held(_) => false,
            };
            let some: Vec<(usize, &Figure)> =
                figures.iter().enumerate().skip(PARTS).filter(|(_, figure)| wanted(figure)).collect();
            if some.is_empty() {
                continue;
            }
            if !self.deep {
                let each = some
                    .iter()
                    .map(|(_, figure)| format!("{} {}", grouped(figure.number(self.job)), named(figure)));
                let each: Vec<String> = each.collect();
                let line = Line::of(title, Scope::Title)
                    .add(SafeText::new(&format!("  {}", each.join("  "))), Scope::Text);
                rows.push(Row::of(line));
                continue;
            }
            rows.push(Row::of(Line::of(title, Scope::Title)));
            let digits = some.iter().map(|(_, of)| grouped(of.number(self.job)).len()).max().unwrap_or(1);
            for (n, figure) in some {
                let line = Line::of(SafeText::new(&named(figure)), Scope::Text);
                rows.push(self.row(n, figure.number(self.job), digits, line));
            }
        }
        rows
    }
}

/// What there is to say of a reason beside its row.
pub fn detail(app: &App, job: &JobDoc, of: &ReasonDoc, now: Wall, width: usize) -> Vec<Line> {
    let tell = |at| words::when(at, now, app.options.of_site());
    let said = SafeText::new(&told::detail(of, job, &tell));
    let line = Line::of("    ", Scope::Text).add(said, Scope::Dim);
    let mut lines = line.wrap(width, 4);
    if lines.len() > DETAIL {
        // What is only a part says so.
        lines = line.wrap(width.saturating_sub(2), 4);
        lines.truncate(DETAIL);
        if let Some(last) = lines.last_mut() {
            last.push(" ~", Scope::Dim);
        }
    }
    lines
}

/// A figure in words, without its number.
pub fn named(figure: &Figure) -> String {
    match figure {
        Figure::Part(part) => part.words().to_owned(),
        Figure::Unsuccessful => "failed or interrupted".to_owned(),
        Figure::Held(holder) => holder_words(holder).to_owned(),
        Figure::Result(code, result) => told::result(*code, result),
        Figure::Silent(why) => why.to_string(),
    }
}
