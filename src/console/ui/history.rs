//! View 6: what was attempted on this machine, newest first, and who did what.

use super::canvas::Canvas;
use super::header::identity;
use super::line::Line;
use super::table::Table;
use crate::clock::Wall;
use crate::console::app::columns::{self, ATTEMPTS, AUDIT, Column, Moment};
use crate::console::app::data::Held;
use crate::console::app::filter::{Filter, Listed};
use crate::console::app::layout::{Pane, Spot};
use crate::console::app::list::Cursor;
use crate::console::app::{App, Focus};
use crate::console::keymap::commands::Id;
use crate::console::theme::Scope;
use crate::executor::talk::view::{AttemptDoc, AuditEntryDoc};
use crate::safe;
use crate::text::SafeText;
use ratatui::layout::Rect;

/// Draws attempts above, audit below.
pub fn draw(app: &App, now: Wall, canvas: &mut Canvas, body: Rect) {
    let upper = Rect { height: body.height / 2, ..body };
    let lower = Rect { y: upper.bottom(), height: body.height - upper.height, ..body };
    let audit = app.focus() == Focus::Second;
    canvas.layout.spot(upper, Spot::Pane(Focus::List));
    canvas.layout.spot(lower, Spot::Pane(Focus::Second));

    let held = &app.data.history;
    let list = List {
        name: "ATTEMPTS",
        pane: Pane::Attempts,
        columns: ATTEMPTS,
        listed: app.attempts(),
        all: held.value.as_ref().map(|history| history.attempts.len()),
        cursor: &app.history,
        filter: &app.attempt_filter,
        keys: !audit,
    };
    let inside = list.head(app, canvas, upper);
    match (list.selected(), list.all) {
        (Some(selected), _) => list.rows(app, now, canvas, inside, &attempt_words(app, selected)),
        (None, Some(0)) => note(canvas, inside, "nothing was attempted on this machine yet".into()),
        (None, Some(_)) => note(canvas, inside, none_left(app)),
        (None, None) => fault(canvas, inside, held),
    }

    let held = &app.data.audit;
    let list = List {
        name: "AUDIT",
        pane: Pane::Audit,
        columns: AUDIT,
        listed: app.entries(),
        all: held.value.as_ref().map(|audit| audit.entries.len()),
        cursor: &app.audit,
        filter: &app.audit_filter,
        keys: audit,
    };
    let inside = list.head(app, canvas, lower);
    match (list.selected(), list.all) {
        (Some(selected), _) => list.rows(app, now, canvas, inside, &entry_words(app, selected)),
        (None, Some(0)) => note(canvas, inside, "no operator has done anything here yet".into()),
        (None, Some(_)) => note(canvas, inside, none_left(app)),
        (None, None) => fault(canvas, inside, held),
    }
}

/// One of the two lists.
struct List<'a, D: 'static> {
    name: &'static str,
    pane: Pane,
    columns: &'static [Column<D>],
    /// The rows that the filter leaves.
    listed: Listed<'a, D>,
    /// How many there are without it; None: not known yet.
    all: Option<usize>,
    cursor: &'a Cursor,
    filter: &'a Filter,
    /// It has the keys, unless something lies over it.
    keys: bool,
}

impl<D> List<'_, D> {
    fn at(&self) -> usize {
        self.cursor.row(self.listed.len())
    }

    fn selected(&self) -> Option<&D> {
        self.listed.get(self.at())
    }

    /// The rule with the pane's name, how many rows are listed, and the words that they have.
    fn head(&self, app: &App, canvas: &mut Canvas, area: Rect) -> Rect {
        let focus = self.keys && app.overlays.is_empty();
        let scope = if focus { Scope::TitleFocus } else { Scope::Title };
        let count = match (self.all, self.listed.len()) {
            (Some(all), listed) if listed < all => format!(" {listed} of {all}"),
            (Some(all), _) => format!(" {all}"),
            (None, _) => String::new(),
        };
        let mut title = Line::of(safe!("{}{count}", self.name), scope);
        let mut right = Line::of("newest first", Scope::Dim);
        if let Some(input) = &self.filter.typing {
            title = title.add("  filter: ", Scope::TitleFocus).add(input.before(), Scope::InputFocus);
            title = title.add("_", Scope::InputFocus).add(input.after(), Scope::InputFocus);
            right = Line::of("Enter keeps, Esc drops", Scope::Dim);
        } else if !self.filter.words.is_empty() {
            title = title.add(safe!("  filter: {}", self.filter.words), Scope::Mark);
            title.push(safe!(" ({} drops)", app.key_of(Id::Back)), Scope::Dim);
        }
        canvas.rule(area, &title, &right, focus);
        Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area }
    }

    /// The rows, and below them the selected one in full.
    fn rows(&self, app: &App, now: Wall, canvas: &mut Canvas, inside: Rect, selected: &Line) {
        let cells = usize::from(inside.width);
        let moment = Moment {
            now,
            zone: &app.options.zone,
            keymap: &app.options.keymap,
            wide: cells >= columns::WIDE,
        };
        let table = Table::new(self.columns, cells, &[], moment, canvas.glyphs.cut);
        let mut inside = whole(canvas, inside, selected);
        if inside.height > 5 {
            let head =
                table.head(Line::of("  ", Scope::Column), Scope::Column).add(table.rest(), Scope::Column);
            canvas.line(Rect { height: 1, ..inside }, &head);
            inside = Rect { y: inside.y + 1, height: inside.height - 1, ..inside };
        }
        let height = usize::from(inside.height);
        let window = self.cursor.window(self.listed.len(), height);
        canvas.layout.window(self.pane, &window, height, self.listed.len());
        for (y, n) in (inside.y..).zip(window) {
            let Some(doc) = self.listed.get(n) else { break };
            let here = n == self.at();
            let mut line = table.row(Line::of(if here { "> " } else { "  " }, Scope::Text), doc);
            if here {
                line.over = Some(if self.keys { Scope::Selection } else { Scope::SelectionIdle });
            }
            canvas.line(Rect { y, height: 1, ..inside }, &line);
        }
    }
}

fn none_left(app: &App) -> SafeText {
    safe!("no row has these words; {} drops the filter", app.key_of(Id::Back))
}

fn note(canvas: &mut Canvas, area: Rect, text: SafeText) {
    canvas.line(area, &Line::of("  ", Scope::Text).add(text, Scope::Dim));
}

fn fault<T>(canvas: &mut Canvas, area: Rect, held: &Held<T>) {
    match &held.fault {
        Some((failure, _)) => {
            canvas.line(area, &Line::of("  ", Scope::Text).add(safe!("{failure}"), Scope::MessageError));
        }
        None => note(canvas, area, "asking the executor".into()),
    }
}

/// Says the selected row in full on the last lines of an area, where there are some to spare; the rest is the list's.
fn whole(canvas: &mut Canvas, area: Rect, words: &Line) -> Rect {
    let lines = words.wrap(usize::from(area.width), 4);
    let height = lines.len().min(3) as u16;
    if area.height < height + 4 {
        return area;
    }
    let list = Rect { height: area.height - height, ..area };
    canvas.lines(Rect { y: list.bottom(), height, ..area }, &lines);
    list
}

fn attempt_words(app: &App, doc: &AttemptDoc) -> Line {
    let mut line = Line::of(safe!("  {} attempt {}: ", doc.request_id, doc.attempt), Scope::Strong);
    line.push(doc.state.as_str(), Scope::of_state(doc.state));
    line.push(safe!(", by {}", doc.by), Scope::Text);
    if !doc.reason.is_empty() {
        line.push(safe!(", because \"{}\"", doc.reason), Scope::Text);
    }
    if !doc.result.is_empty() {
        line.push(safe!(": {}", doc.result), Scope::Text);
    }
    line.add(safe!("; {} shows more", app.key_of(Id::Details)), Scope::Dim)
}

fn entry_words(app: &App, doc: &AuditEntryDoc) -> Line {
    let mut line = Line::of("  ", Scope::Text).join(identity(app, 24));
    line.push(safe!(" {} by {}", doc.verb, doc.who), Scope::Strong);
    if let Some(uid) = doc.uid {
        line.push(safe!(" (uid {uid})"), Scope::Text);
    }
    for (name, value) in [(" on ", &doc.terminal), (" from ", &doc.from)] {
        if let Some(value) = value {
            line.push(name, Scope::Dim);
            line.push(value, Scope::Text);
        }
    }
    line.push(safe!(": {}", doc.result), Scope::Strong);
    if let Some(reason) = &doc.reason {
        line.push(safe!(", because \"{reason}\""), Scope::Text);
    }
    line
}
