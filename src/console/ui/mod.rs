//! Drawing: the app as it is, onto a buffer of any size. Nothing here changes the app; what is drawn are lines of our
//! own words and of [`crate::text::SafeText`], nothing else. `screen` says which pane stands where.

mod afar;
mod asking;
pub mod canvas;
mod confirm;
mod detail;
mod details;
mod explain;
mod facts;
mod filters;
mod footer;
mod glyphs;
mod header;
mod help;
mod history;
mod job;
mod life;
pub mod line;
mod log;
mod many;
mod problems;
mod readiness;
mod record;
mod requests;
mod results;
mod rollout;
mod table;
mod traces;
mod week;
mod who;

pub use glyphs::{ASCII, Glyphs, UNICODE};

use crate::clock::Wall;
use crate::console::app::layout::Layout;
use crate::console::app::overlay::Overlay;
use crate::console::app::{App, Focus, View, WIDE};
use crate::console::keymap::commands::Id;
use crate::console::theme::{Scope, Theme};
use canvas::Canvas;
use line::Line;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use traces::Traces;

/// Below this the panes beside the list go.
const PANES: (u16, u16) = (60, 15);
/// Below this one line says so.
const LEAST: (u16, u16) = (40, 10);

/// What draws, and what it keeps from one frame to the next: nothing of it changes what is shown, but for where the
/// display of traces stands, which has a state of its own.
pub struct Painter {
    theme: Theme,
    glyphs: &'static Glyphs,
    kept: Kept,
    traces: Traces,
}

/// What is too much work to be done for each frame.
#[derive(Default)]
struct Kept {
    rows: details::Wrapped,
    bars: log::Bars,
}

impl Painter {
    /// Draws with this look.
    pub fn new(theme: Theme, glyphs: &'static Glyphs) -> Painter {
        Painter { theme, glyphs, kept: Kept::default(), traces: Traces::default() }
    }

    /// Changes what is shown of the traces.
    pub fn traces(&mut self, command: Id) {
        self.traces.command(command);
    }

    /// Draws the app over the whole buffer; the app is told of the layout.
    #[must_use]
    pub fn draw(&mut self, app: &App, buffer: &mut Buffer) -> Layout {
        let mut canvas = Canvas {
            buffer,
            theme: &self.theme,
            glyphs: self.glyphs,
            keymap: &app.options.keymap,
            layout: Layout::default(),
            layer: 0,
        };
        let area = canvas.area();
        canvas.fill(area, Scope::Background);
        match app.now {
            None => {}
            Some(now) if area.width < LEAST.0 || area.height < LEAST.1 => too_small(app, now, &mut canvas),
            Some(now) => whole(app, now, &mut canvas, &mut self.kept, &self.traces),
        }
        canvas.layout
    }
}

fn whole(app: &App, now: Wall, canvas: &mut Canvas, kept: &mut Kept, traces: &Traces) {
    let area = canvas.area();
    let top = match app.view {
        View::Rollout => rollout::head(app, now, canvas, area),
        _ => header::draw(app, now, canvas, area),
    };
    let footer = Rect { y: area.bottom() - 1, height: 1, ..area };
    let body = Rect { y: area.y + top, height: area.height - top - 1, ..area };
    match app.view {
        View::Overview => overview(app, now, canvas, &mut kept.bars, body),
        View::Packages => packages(app, now, canvas, body),
        View::Log => log::draw(app, now, canvas, &mut kept.bars, body, true),
        View::Who => who::draw(app, now, canvas, body, true),
        View::Rollout => rollout::draw(app, now, canvas, body),
        View::History => history::draw(app, now, canvas, body),
        View::Readiness => readiness::draw(app, now, canvas, body),
        View::Diagnostics => traces.draw(app, canvas, body),
    }
    for (layer, overlay) in app.overlays.iter().enumerate() {
        canvas.layer = layer;
        match overlay {
            Overlay::Details(details) => details::draw(app, details, now, canvas, &mut kept.rows, body),
            Overlay::Explain(request, scroll) => explain::draw(app, *request, scroll, now, canvas, body),
            Overlay::Confirm(confirm) => confirm::draw(app, confirm, now, canvas, area),
            Overlay::Job(ask) => job::draw(app, ask, canvas, area),
            Overlay::Afar(ask) => afar::ask(app, ask, now, canvas, area),
            Overlay::Answers => afar::answers(app, canvas, body),
            Overlay::Help(scroll) => help::draw(app, scroll, canvas, body),
            Overlay::Palette(palette) => help::palette(app, palette, canvas, body),
            Overlay::Problems(scroll) => problems::draw(app, scroll, canvas, body),
            Overlay::Week(scroll) => week::draw(app, scroll, now, canvas, body),
            Overlay::Results => results::draw(app, canvas, body),
            Overlay::Save(save) => results::save(save, canvas, body),
            Overlay::Record(record) => record::draw(app, record, now, canvas, body),
            Overlay::Filters(ask) => filters::draw(app, ask, canvas, body),
        }
    }
    footer::draw(app, canvas, footer);
}

fn too_small(app: &App, now: Wall, canvas: &mut Canvas) {
    let area = canvas.area();
    let (pending, failed) = (app.data.count(crate::terms::Group::Pending), app.data.failed());
    let mut line = header::identity(app, 12);
    line = line.add(" ", Scope::Text).join(header::service(app, now, 4));
    line.push(crate::safe!(" {pending} pending, {failed} failed; "), Scope::Text);
    line.push("too small, 40x10 at least", Scope::HeaderMark);
    let lines = line.wrap(usize::from(area.width), 0);
    canvas.lines(area, &lines);
}

/// View 1: everything at a glance.
fn overview(app: &App, now: Wall, canvas: &mut Canvas, bars: &mut log::Bars, body: Rect) {
    let area = canvas.area();
    let listed = app.overview.unfiltered() as u16;
    if area.width < PANES.0 || area.height < PANES.1 {
        match app.focus() {
            Focus::Log => log::draw(app, now, canvas, bars, body, true),
            Focus::Second => who::draw(app, now, canvas, body, true),
            Focus::List => requests::draw(app, now, canvas, body),
        }
        return;
    }
    let users = who::lines_wanted(app);
    if area.width < WIDE {
        // The list gets what it wants, the others what is left, nobody less than is of use.
        let who_height = (users + 1).min(body.height / 4).max(2);
        let log_least = (body.height / 4).max(4);
        let list_height = (listed + 2).max(6).min(body.height - who_height - log_least);
        let [list, who, log] = stack(body, list_height, who_height);
        requests::draw(app, now, canvas, list);
        who::draw(app, now, canvas, who, app.focus() == Focus::Second);
        log::draw(app, now, canvas, bars, log, app.focus() == Focus::Log);
        return;
    }
    let log_height = (body.height * 3 / 10).max(6);
    let upper = Rect { height: body.height - log_height, ..body };
    let log = Rect { y: upper.bottom(), height: log_height, ..body };
    let detail_width = (area.width * 3 / 8).clamp(46, 80);
    let list = Rect { width: upper.width - detail_width, ..upper };
    let right = Rect { x: list.right(), width: detail_width, ..upper };
    let who_height = (users + 1).min(upper.height / 3).max(2);
    let detail = Rect { height: right.height - who_height, ..right };
    let who = Rect { y: detail.bottom(), height: who_height, ..right };
    requests::draw(app, now, canvas, list);
    canvas.edge(right);
    let inside = |area: Rect| Rect { x: area.x + 2, width: area.width - 2, ..area };
    detail::draw(app, now, canvas, inside(detail));
    who::draw(
        app,
        now,
        canvas,
        Rect { x: who.x + 1, width: who.width - 1, ..who },
        app.focus() == Focus::Second,
    );
    let corner = Line::of(canvas.glyphs.tee, Scope::Rule);
    canvas.line(Rect { x: who.x, y: who.y, width: 1, height: 1 }, &corner);
    log::draw(app, now, canvas, bars, log, app.focus() == Focus::Log);
}

/// View 2: every request, with the details of the selected one beside or below it.
fn packages(app: &App, now: Wall, canvas: &mut Canvas, body: Rect) {
    if body.width >= WIDE {
        let detail_width = (body.width * 3 / 8).clamp(46, 80);
        let list = Rect { width: body.width - detail_width, ..body };
        let right = Rect { x: list.right(), width: detail_width, ..body };
        requests::draw(app, now, canvas, list);
        canvas.edge(right);
        detail::draw(app, now, canvas, Rect { x: right.x + 2, width: right.width - 2, ..right });
    } else if body.width >= PANES.0 && body.height >= 18 {
        let lower = 9.min(body.height / 2);
        let list = Rect { height: body.height - lower, ..body };
        let detail = Rect { y: list.bottom(), height: lower, ..body };
        requests::draw(app, now, canvas, list);
        canvas.rule(detail, &Line::of("SELECTED", Scope::Title), &Line::new(), false);
        detail::draw(app, now, canvas, Rect { y: detail.y + 1, height: detail.height - 1, ..detail });
    } else {
        requests::draw(app, now, canvas, body);
    }
}

/// Three areas below each other; the last one gets the rest.
fn stack(area: Rect, first: u16, second: u16) -> [Rect; 3] {
    let first = Rect { height: first.min(area.height), ..area };
    let second = Rect { y: first.bottom(), height: second.min(area.bottom() - first.bottom()), ..area };
    [first, second, Rect { y: second.bottom(), height: area.bottom() - second.bottom(), ..area }]
}
