//! The pure part of the console: events in, effects out. It knows no clock, no file and no thread; the time comes with
//! events. `command` is the table of what can be done, `refresh` asks the executor, `act` carries out commands, and each
//! view keeps its own state.

mod act;
pub mod command;
pub mod copy;
pub mod data;
pub mod dialog;
pub mod event;
pub mod filter;
pub mod input;
pub mod list;
pub mod logpane;
pub mod marks;
mod mouse;
mod notices;
pub mod overlay;
mod refresh;
pub mod rows;
pub mod transcript;
pub mod until;
pub mod words;

pub use event::{Effect, Event, LogLevel, LogLine};
pub use mouse::Spot;

use crate::clock::{Wall, Zone};
use crate::console::keymap::{Key, Keymap};
use crate::executor::talk::view::{AttemptDoc, RequestDoc};
use crate::site::ids::RequestId;
use crate::text::SafeText;
use command::Id;
use data::Data;
use filter::Filter;
use list::Cursor;
use logpane::LogPane;
use overlay::Overlay;
use refresh::Asks;
use rows::Rows;
use std::cell::Ref;
use std::collections::BTreeSet;
use transcript::Transcript;
use tui_logger::TuiWidgetState;

/// What the console was started with, as far as the app needs it.
#[derive(Debug, Clone)]
pub struct AppOptions {
    /// Nothing may be changed from here.
    pub read_only: bool,
    /// A word beside the machine's name, e.g. `DEMO`.
    pub title: Option<SafeText>,
    /// The machine's own zone.
    pub zone: Zone,
    /// Which keys mean what.
    pub keymap: Keymap,
    /// The terminal's name as the table of those who are logged on has it, e.g. `pts/3`.
    pub terminal: Option<SafeText>,
    /// The terminal may have a clipboard that it can be given text for (OSC 52).
    pub clipboard: bool,
}

/// From this width on the details of the selected row stand beside the list.
pub const WIDE: u16 = 104;

/// A screen of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum View {
    Overview,
    Packages,
    Log,
    Who,
    History,
    Readiness,
    Diagnostics,
}

impl View {
    /// Its number and name, as the header of the view shows them.
    pub fn title(self) -> &'static str {
        match self {
            View::Overview => "1 OVERVIEW",
            View::Packages => "2 PACKAGES",
            View::Log => "3 LOG",
            View::Who => "4 LOGGED ON",
            View::History => "6 HISTORY AND AUDIT",
            View::Readiness => "7 READINESS",
            View::Diagnostics => "8 DIAGNOSTICS",
        }
    }
}

/// The pane that has the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Focus {
    /// A list of requests, or a view's first pane.
    List,
    /// Who is logged on, or a view's second pane.
    Second,
    /// A log.
    Log,
}

/// Something to be said once.
#[derive(Debug, Clone)]
pub struct Message {
    /// What.
    pub text: SafeText,
    /// It did not work.
    pub error: bool,
    /// When it was said.
    pub at: Option<Wall>,
}

/// Everything the console knows and shows.
pub struct App {
    /// As started.
    pub options: AppOptions,
    /// The terminal's width and height.
    pub size: (u16, u16),
    /// The time of the newest tick; None before the first.
    pub now: Option<Wall>,
    /// What the executor said.
    pub data: Data,
    /// What is shown.
    pub view: View,
    /// The pane of the overview that has the keys.
    overview_focus: Focus,
    /// The second pane of the history view has the keys.
    audit_focus: bool,
    /// The overview's requests.
    pub overview: Rows,
    /// All requests.
    pub packages: Rows,
    /// The row of the list of those logged on.
    pub who: Cursor,
    /// The row of the list of attempts.
    pub history: Cursor,
    /// Which attempts are listed.
    pub attempt_filter: Filter,
    /// The row of the audit.
    pub audit: Cursor,
    /// Which of its entries are listed.
    pub audit_filter: Filter,
    /// The row of the checklist.
    pub readiness: Cursor,
    /// The log.
    pub log: LogPane,
    /// Where the traces stand.
    pub diagnostics: TuiWidgetState,
    /// Requests that the operator marked.
    pub marked: BTreeSet<RequestId>,
    /// What became of the newest action on several requests.
    pub results: Option<marks::Results>,
    /// The mouse is ours.
    pub mouse: bool,
    /// Where things were drawn, for the mouse.
    pub spots: mouse::Spots,
    /// Where the log was entered from, to go back there.
    came_from: Option<(View, Vec<Overlay>)>,
    /// What lies over the view, the newest last.
    pub overlays: Vec<Overlay>,
    /// The transcript that is followed.
    pub transcript: Option<Transcript>,
    transcript_wanted: Option<(RequestId, u32)>,
    /// Said, until the next key.
    pub message: Option<Message>,
    asks: Asks,
    notices: notices::Notices,
}

impl App {
    /// A console that knows nothing yet.
    pub fn new(options: AppOptions) -> App {
        App {
            options,
            size: (80, 24),
            now: None,
            data: Data::default(),
            view: View::Overview,
            overview_focus: Focus::List,
            audit_focus: false,
            overview: Rows::overview(),
            packages: Rows::packages(),
            who: Cursor::default(),
            history: Cursor::default(),
            attempt_filter: Filter::default(),
            audit: Cursor::default(),
            audit_filter: Filter::default(),
            readiness: Cursor::default(),
            log: LogPane::default(),
            diagnostics: TuiWidgetState::new(),
            marked: BTreeSet::new(),
            results: None,
            mouse: false,
            spots: mouse::Spots::default(),
            came_from: None,
            overlays: Vec::new(),
            transcript: None,
            transcript_wanted: None,
            message: None,
            asks: Asks::default(),
            notices: notices::Notices::default(),
        }
    }

    /// Takes an event; returns what is to be done about it.
    #[must_use]
    pub fn update(&mut self, event: Event) -> Vec<Effect> {
        let news = matches!(event, Event::Tick(_) | Event::Answered { .. });
        let mut effects = match event {
            Event::Key(key) => self.key(key),
            Event::Paste(text) => {
                self.paste(text.as_str());
                Vec::new()
            }
            Event::Resize(width, height) => {
                self.size = (width, height);
                Vec::new()
            }
            Event::Tick(now) => {
                self.tick(now);
                Vec::new()
            }
            Event::Answered { id, answer } => self.answered(id, answer),
            Event::Log(lines) => {
                self.log.push(lines);
                Vec::new()
            }
            Event::Transcript { request, attempt, lines, first, cut, fault } => {
                if self.transcript_wanted == Some((request, attempt)) {
                    self.transcript = Some(Transcript::new(request, attempt, lines, first, cut, fault));
                }
                Vec::new()
            }
            Event::Said { text, error } => {
                self.say(text, error);
                Vec::new()
            }
            Event::Click { x, y } => {
                self.click(x, y);
                Vec::new()
            }
            Event::Wheel { x, y, down } => {
                self.wheel(x, y, down);
                Vec::new()
            }
            Event::Resumed => vec![Effect::Redraw],
        };
        effects.extend(self.refresh());
        effects.extend(self.follow_transcript());
        if news && self.written_over() {
            effects.push(Effect::Redraw);
        }
        effects
    }

    /// The pane that has the keys.
    pub fn focus(&self) -> Focus {
        match self.view {
            View::Overview => self.overview_focus,
            View::Log => Focus::Log,
            View::History if self.audit_focus => Focus::Second,
            _ => Focus::List,
        }
    }

    /// The list of requests of this view, if it has one.
    pub fn rows(&self) -> Option<&Rows> {
        match self.view {
            View::Overview => Some(&self.overview),
            View::Packages => Some(&self.packages),
            _ => None,
        }
    }

    fn rows_mut(&mut self) -> Option<&mut Rows> {
        match self.view {
            View::Overview => Some(&mut self.overview),
            View::Packages => Some(&mut self.packages),
            _ => None,
        }
    }

    /// The log pane.
    pub fn log_pane(&self) -> &LogPane {
        &self.log
    }

    /// The selected request of this view's list.
    pub fn selected_row(&self) -> Option<&RequestDoc> {
        self.rows()?.selected(&self.data, self.now)
    }

    /// The request that commands are about: the one in the topmost overlay, else the selected one.
    pub fn subject(&self) -> Option<RequestId> {
        if let Some(request) = self.overlays.iter().rev().find_map(Overlay::request) {
            return Some(request);
        }
        match self.view {
            View::History if !self.audit_focus => Some(self.selected_attempt()?.request_id),
            _ => self.selected_row()?.request_id,
        }
    }

    /// When the newest attempt of the request in question started.
    pub fn started(&self) -> Option<Wall> {
        if self.overlays.is_empty() && self.view == View::History && !self.audit_focus {
            let attempt = self.selected_attempt()?;
            return attempt.started_at.or(Some(attempt.claimed_at));
        }
        let request = self.subject()?;
        if let Some(run) = self.data.request(request).and_then(|row| row.run.as_ref()) {
            return Some(run.started_at);
        }
        let newest = self.data.shown(request)?.attempts.iter().max_by_key(|attempt| attempt.attempt)?;
        newest.started_at.or(Some(newest.claimed_at))
    }

    /// The places of the attempts that are listed, newest first.
    pub fn attempts(&self) -> Ref<'_, [usize]> {
        let held = &self.data.history;
        let all = held.value.as_ref().map_or(&[][..], |history| &history.attempts);
        self.attempt_filter.places(held.revision(), all.len(), |at, words| {
            let of = &all[at];
            let fields = [
                of.request_id.as_str(),
                of.package.as_str(),
                of.state.as_str(),
                of.result.as_str(),
                of.by.as_str(),
                of.reason.as_str(),
            ];
            words.fit(&fields)
        })
    }

    fn selected_attempt(&self) -> Option<&AttemptDoc> {
        let listed = self.attempts();
        let at = *listed.get(self.history.row(listed.len()))?;
        self.data.history.value.as_ref()?.attempts.get(at)
    }

    /// The places of the entries of the audit that are listed, newest first: they are kept oldest first.
    pub fn entries(&self) -> Ref<'_, [usize]> {
        let held = &self.data.audit;
        let all = held.value.as_ref().map_or(&[][..], |audit| &audit.entries);
        self.audit_filter.places(held.revision(), all.len(), |at, words| {
            let of = &all[at];
            let text = |text: &Option<SafeText>| text.as_ref().map(SafeText::to_string).unwrap_or_default();
            let (from, terminal, reason) = (text(&of.from), text(&of.terminal), text(&of.reason));
            let request = of.request_id.as_ref().map_or("", RequestId::as_str);
            words.fit(&[
                of.who.as_str(),
                of.verb.as_str(),
                request,
                of.result.as_str(),
                &from,
                &terminal,
                &reason,
            ])
        })
    }

    /// The filter of the pane of the history view that has the keys.
    pub fn filter(&self) -> Option<&Filter> {
        (self.view == View::History).then_some(if self.audit_focus {
            &self.audit_filter
        } else {
            &self.attempt_filter
        })
    }

    fn filter_mut(&mut self) -> Option<&mut Filter> {
        (self.view == View::History).then_some(if self.audit_focus {
            &mut self.audit_filter
        } else {
            &mut self.attempt_filter
        })
    }

    /// What is being done for longer than a second, and for how long.
    pub fn busy(&self) -> Option<(&SafeText, i64)> {
        self.asks.slowest(self.now?)
    }

    /// Whether text is being typed, so that characters are no commands.
    pub fn typing(&self) -> bool {
        match self.overlays.last() {
            Some(Overlay::Confirm(_) | Overlay::Palette(_) | Overlay::Save(_)) => true,
            Some(_) => false,
            None => {
                (self.focus() == Focus::Log && self.log.typing.is_some())
                    || self.rows().is_some_and(|rows| rows.typing.is_some() && self.focus() == Focus::List)
                    || self.filter().is_some_and(|filter| filter.typing.is_some())
            }
        }
    }

    /// Says what is wrong with how the console was started.
    pub fn warn(&mut self, text: SafeText) {
        self.say(text, true);
    }

    fn say(&mut self, text: impl Into<SafeText>, error: bool) {
        self.message = Some(Message { text: text.into(), error, at: self.now });
    }

    fn paste(&mut self, text: &str) {
        let focus = self.focus();
        match self.overlays.last_mut() {
            Some(Overlay::Confirm(confirm)) => confirm.paste(text),
            Some(Overlay::Palette(palette)) => palette.paste(text),
            Some(Overlay::Save(save)) => save.path.insert(text),
            Some(_) => {}
            None if focus == Focus::Log => {
                if let Some(input) = self.log.typing.as_mut() {
                    input.insert(text);
                }
            }
            None => {
                if let Some(input) = self.filter_mut().and_then(|filter| filter.typing.as_mut()) {
                    input.insert(text);
                } else if let Some(input) = self.rows_mut().and_then(|rows| rows.typing.as_mut()) {
                    input.insert(text);
                }
            }
        }
    }

    fn key(&mut self, key: Key) -> Vec<Effect> {
        // What was said has been read, unless it is what is waited for.
        self.message = None;
        if key == Key::Ctrl('z') {
            return vec![Effect::Suspend];
        }
        if self.typing() {
            return self.typed(key);
        }
        match self.options.keymap.command(key, command::contexts(self)) {
            Some(id) => self.command(id),
            None => Vec::new(),
        }
    }

    /// A command by key or from the palette: done, or said why not.
    fn command(&mut self, id: Id) -> Vec<Effect> {
        match command::enabled(self, id) {
            Ok(()) => self.act(id),
            Err(why) => {
                let command = id.command();
                self.say(SafeText::new(&format!("{}: {why}", command.name)), true);
                Vec::new()
            }
        }
    }
}
