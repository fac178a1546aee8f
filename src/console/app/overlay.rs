//! What lies over a view: details, explanation, confirmation, help, palette, problems.

use super::dialog::{AfarAsk, Confirm, FilterAsk, JobAsk, SaveAs};
use super::input::Input;
use super::layout::Window;
use super::list::{Cursor, Scroll};
use super::logline::LogLine;
use super::logpane::LogPane;
use super::transcript::Standing;
use crate::console::keymap::commands::{COMMANDS, Command, Id};
use crate::log::codes;
use crate::safe;
use crate::site::ids::RequestId;
use crate::text::SafeText;
use chrono::TimeDelta;
use std::sync::Arc;

/// One layer.
#[derive(Debug, Clone)]
pub enum Overlay {
    /// Everything about one request.
    Details(Box<Details>),
    /// Why it has or has not run.
    Explain(RequestId, Scroll),
    /// An action that waits for a yes.
    Confirm(Box<Confirm>),
    /// A change of a job that waits for a yes.
    Job(Box<JobAsk>),
    /// Something for machines of the site that waits for a yes.
    Afar(Box<AfarAsk>),
    /// What became of it on each of them; it is the app's.
    Answers,
    /// Keys.
    Help(Scroll),
    /// Commands by name.
    Palette(Palette),
    /// Everything that is wrong.
    Problems(Scroll),
    /// What became of the newest action on several requests; it is the app's.
    Results,
    /// The week ahead: when each request runs.
    Week(Scroll),
    /// A file's name is asked for.
    Save(Box<SaveAs>),
    /// The filters of the log.
    Filters(Box<FilterAsk>),
    /// One record of the log in full.
    Record(Box<RecordView>),
}

/// A record of the log as it was when it was opened.
#[derive(Debug, Clone)]
pub struct RecordView {
    /// Its lines.
    pub lines: Vec<Arc<LogLine>>,
    /// The line of its file that it begins on, where that is known.
    pub line: Option<u64>,
    /// How long after the record above it was written.
    pub since: Option<TimeDelta>,
    /// What codes in it mean.
    pub codes: Vec<SafeText>,
    /// Where its text stands.
    pub scroll: Scroll,
}

impl RecordView {
    /// The record at which one is.
    pub fn of(pane: &LogPane) -> Option<RecordView> {
        let (key, lines) = pane.record_here()?;
        let component = lines.first().map(|line| line.component.clone()).unwrap_or_default();
        let texts = lines.iter().map(|line| line.text.as_str());
        let codes = codes::of_lines(texts, component.as_str()).iter().map(|code| safe!("{code}")).collect();
        let (line, since) = (pane.line_number(), pane.since_above(key));
        Some(RecordView { lines, line, since, codes, scroll: Scroll::default() })
    }
}

impl Overlay {
    /// The request it is about.
    pub fn request(&self) -> Option<RequestId> {
        match self {
            Overlay::Details(details) => Some(details.request),
            Overlay::Explain(request, _) => Some(*request),
            Overlay::Confirm(confirm) => confirm.request(),
            _ => None,
        }
    }

    /// Whether characters are text for it and no commands.
    pub fn typing(&self) -> bool {
        match self {
            Overlay::Confirm(_)
            | Overlay::Job(_)
            | Overlay::Afar(_)
            | Overlay::Palette(_)
            | Overlay::Save(_)
            | Overlay::Filters(_) => true,
            Overlay::Details(_)
            | Overlay::Explain(..)
            | Overlay::Answers
            | Overlay::Help(_)
            | Overlay::Problems(_)
            | Overlay::Results
            | Overlay::Record(_)
            | Overlay::Week(_) => false,
        }
    }

    /// This part of its text or list was drawn.
    pub fn drawn(&mut self, window: Window) {
        match self {
            Overlay::Details(details) => details.scroll.drawn(window),
            Overlay::Palette(palette) => palette.cursor.drawn(window),
            Overlay::Filters(ask) => ask.cursor.drawn(window),
            other => {
                if let Some(scroll) = other.scroll() {
                    scroll.drawn(window);
                }
            }
        }
    }

    /// Moves its text as a command says, where it is its own.
    pub fn moved(&mut self, id: Id) {
        match self {
            Overlay::Details(details) => {
                details.moved(id);
            }
            other => {
                if let Some(scroll) = other.scroll() {
                    scroll.moved(id);
                }
            }
        }
    }

    /// What is nothing but a text stands there.
    fn scroll(&mut self) -> Option<&mut Scroll> {
        match self {
            Overlay::Record(record) => Some(&mut record.scroll),
            Overlay::Explain(_, scroll)
            | Overlay::Help(scroll)
            | Overlay::Problems(scroll)
            | Overlay::Week(scroll) => Some(scroll),
            _ => None,
        }
    }
}

/// Where the details of a request stand.
#[derive(Debug, Clone)]
pub struct Details {
    /// Which.
    pub request: RequestId,
    /// The facts.
    pub scroll: Scroll,
    /// The transcript has the keys.
    pub transcript: bool,
    /// The reader's place in the transcript.
    pub standing: Standing,
}

impl Details {
    /// At the top of the facts, at the end of the transcript.
    pub fn new(request: RequestId) -> Details {
        Details { request, scroll: Scroll::default(), transcript: false, standing: Standing::default() }
    }

    /// Moves as a command says, in the part that has the keys.
    pub fn moved(&mut self, id: Id) -> bool {
        if self.transcript { self.standing.moved(id) } else { self.scroll.moved(id) }
    }
}

/// The palette.
#[derive(Debug, Clone)]
pub struct Palette {
    /// What is typed.
    pub input: Input,
    /// The selected command among those found.
    pub cursor: Cursor,
}

impl Palette {
    /// With nothing typed.
    pub fn new() -> Palette {
        Palette { input: Input::new(60), cursor: Cursor::default() }
    }

    /// Takes pasted text.
    pub fn paste(&mut self, text: &str) {
        self.input.insert(text);
        self.cursor.select(0);
    }

    /// The commands that what is typed may mean, best first.
    pub fn found(&self) -> Vec<&'static Command> {
        let typed = self.input.text().trim().to_lowercase();
        let mut found: Vec<(u32, &Command)> =
            COMMANDS.iter().filter_map(|c| Some((rank(&typed, c)?, c))).collect();
        found.sort_by_key(|(rank, command)| (*rank, command.section as u8));
        found.into_iter().map(|(_, command)| command).collect()
    }
}

impl Default for Palette {
    fn default() -> Self {
        Palette::new()
    }
}

/// How well a command fits what is typed; the less the better. Every word that is typed has to occur in it, as a word's
/// beginning, inside one, or at least letter by letter in the order of one.
fn rank(typed: &str, command: &Command) -> Option<u32> {
    if typed.is_empty() || command.name == typed {
        return Some(0);
    }
    if command.name.starts_with(typed) {
        return Some(1);
    }
    if command.name.contains(typed) {
        return Some(2);
    }
    let text = format!("{} {} {}", command.name, command.short, command.words).to_lowercase();
    let words = || text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let begins = |wanted: &str| words().any(|word| word.starts_with(wanted));
    let in_order = |wanted: &str| {
        // From the first letter on: otherwise nearly everything fits.
        words().chain([command.name]).any(|word| {
            let mut letters = word.chars();
            word.starts_with(wanted.chars().next().unwrap_or_default())
                && wanted.chars().all(|wanted| letters.any(|c| c == wanted))
        })
    };
    let all = |fits: &dyn Fn(&str) -> bool| typed.split_whitespace().all(fits);
    match () {
        () if all(&begins) => Some(3),
        () if all(&|wanted| text.contains(wanted)) => Some(4),
        () if all(&in_order) => Some(5),
        () => None,
    }
}
