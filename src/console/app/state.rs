//! What the console knows and shows, and what can be asked of it. `update` changes it.

use super::afar::Afar;
use super::asks::Asks;
use super::data::Data;
use super::event::Moment;
use super::filter::{Filter, Listed};
use super::layout::Layout;
use super::list::Cursor;
use super::logpane::LogPane;
use super::message::Message;
use super::notices::Notices;
use super::overlay::Overlay;
use super::results::Results;
use super::rollout::Rollout;
use super::rollout::wire::Wish;
use super::rows::Rows;
use super::transcript::Transcript;
use super::view::{Focus, View};
use super::whole::{Looking, Only, Stats};
use crate::clock::{Wall, Zone};
use crate::console::keymap::Keymap;
use crate::console::keymap::commands::Id;
use crate::error::{Exit, Failure};
use crate::executor::talk::protocol::View as Asked;
use crate::executor::talk::view::{AttemptDoc, AuditEntryDoc, RequestDoc};
use crate::site::ids::RequestId;
use crate::text::SafeText;
use std::collections::BTreeSet;

/// An answer takes milliseconds; after so many seconds without one the service is said to be silent, before whoever waits
/// for it gives up.
const SILENT_AFTER: i64 = 4;

fn not_answering_yet() -> Failure {
    Failure::new(
        Exit::Failed,
        "executor-not-answering",
        "the service has not answered yet",
        "Look at its end of PACMAN.LOG with: pcm log",
    )
}

/// What the console was started with, as far as the app needs it.
#[derive(Debug, Clone)]
pub struct AppOptions {
    /// Nothing may be changed from here.
    pub read_only: bool,
    /// The account that this console acts as.
    pub account: SafeText,
    /// A word beside the machine's name, e.g. `DEMO`.
    pub title: Option<SafeText>,
    /// The machine's own zone.
    pub zone: Zone,
    /// The site's, where it names one.
    pub site_zone: Option<Zone>,
    /// Which keys mean what.
    pub keymap: Keymap,
    /// The terminal's name as the table of those who are logged on has it, e.g. `pts/3`.
    pub terminal: Option<SafeText>,
    /// There is a site folder whose jobs can be changed from here.
    pub site_folder: bool,
    /// The terminal may have a clipboard that it can be given text for (OSC 52).
    pub clipboard: bool,
}

impl AppOptions {
    /// The zone in which times of the site are told, as its verbs tell them.
    pub fn of_site(&self) -> &Zone {
        self.site_zone.as_ref().unwrap_or(&self.zone)
    }
}

/// From this width on the details of the selected row stand beside the list.
pub const WIDE: u16 = 104;

/// Everything the console knows and shows.
pub struct App {
    /// As started.
    pub options: AppOptions,
    /// The terminal's width and height.
    pub size: (u16, u16),
    /// The time of the newest tick; None before the first.
    pub now: Option<Wall>,
    /// When the newest key or click was.
    pub(super) touched: Moment,
    /// What the executor said.
    pub data: Data,
    /// What is shown.
    pub view: View,
    /// The pane of the overview that has the keys.
    pub(super) overview_focus: Focus,
    /// The second pane of the history view has the keys.
    pub(super) audit_focus: bool,
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
    /// How far the jobs of the site are.
    pub rollout: Rollout,
    pub(super) wished: Wish,
    /// The log as a view.
    pub log: LogPane,
    /// One log file as a whole, in its place.
    pub file: Option<Box<LogPane>>,
    /// What is known of the file that is or may be looked at so.
    pub file_stats: Option<(SafeText, Stats)>,
    /// How many of its records count, and how many hundredths of it were counted if not all.
    pub(super) passing: Option<(SafeText, Only, u64, Option<u64>)>,
    /// What of it is on its way.
    pub looking: Option<Looking>,
    /// Of which file it was asked how large it is.
    pub(super) stats_asked: Option<SafeText>,
    pub(super) looks: u64,
    /// The log in the overview.
    pub glance: LogPane,
    /// Records came since the newest tick.
    pub(super) rushes: bool,
    /// Requests that the operator marked.
    pub marked: BTreeSet<RequestId>,
    /// What became of the newest action on several requests.
    pub results: Option<Results>,
    /// What became of the newest action on machines of the site.
    pub afar: Option<Afar>,
    /// The mouse is ours.
    pub mouse: bool,
    /// What the newest frame had room for, and where.
    pub(super) layout: Layout,
    /// Where the log was entered from, to go back there.
    pub(super) came_from: Option<(View, Vec<Overlay>)>,
    /// What lies over the view, the newest last.
    pub overlays: Vec<Overlay>,
    /// The transcript that is followed.
    pub transcript: Option<Transcript>,
    pub(super) transcript_wanted: Option<(RequestId, u32)>,
    /// Older log lines are on their way.
    pub(super) older_asked: bool,
    /// How many transcripts came.
    pub(super) transcripts: u64,
    /// Said, until the next key.
    pub message: Option<Message>,
    pub(super) asks: Asks,
    pub(super) notices: Notices,
}

impl App {
    /// A console that knows nothing yet.
    pub fn new(options: AppOptions) -> App {
        App {
            options,
            size: (80, 24),
            now: None,
            touched: Moment::ZERO,
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
            rollout: Rollout::default(),
            wished: Wish::default(),
            log: LogPane::view(),
            file: None,
            file_stats: None,
            passing: None,
            looking: None,
            stats_asked: None,
            looks: 0,
            glance: LogPane::overview(),
            rushes: false,
            marked: BTreeSet::new(),
            results: None,
            afar: None,
            mouse: false,
            layout: Layout::default(),
            came_from: None,
            overlays: Vec::new(),
            transcript: None,
            transcript_wanted: None,
            older_asked: false,
            transcripts: 0,
            message: None,
            asks: Asks::default(),
            notices: Notices::default(),
        }
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

    pub(super) fn rows_mut(&mut self) -> Option<&mut Rows> {
        match self.view {
            View::Overview => Some(&mut self.overview),
            View::Packages => Some(&mut self.packages),
            _ => None,
        }
    }

    /// The selected request of this view's list.
    pub fn selected_row(&self) -> Option<&RequestDoc> {
        self.rows()?.selected(&self.data)
    }

    /// The log of this view: the overview has one of its own.
    pub fn log_pane(&self) -> &LogPane {
        match &self.file {
            _ if self.view == View::Overview => &self.glance,
            Some(file) => file,
            None => &self.log,
        }
    }

    pub(super) fn log_pane_mut(&mut self) -> &mut LogPane {
        self.log_and_keys().0
    }

    /// The same with the keys that what it says may name.
    pub(super) fn log_and_keys(&mut self) -> (&mut LogPane, &Keymap) {
        let pane = match &mut self.file {
            _ if self.view == View::Overview => &mut self.glance,
            Some(file) => file,
            None => &mut self.log,
        };
        (pane, &self.options.keymap)
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

    /// The attempts that are listed, newest first.
    pub fn attempts(&self) -> Listed<'_, AttemptDoc> {
        let all = self.data.history.value.as_ref().map_or(&[][..], |history| &history.attempts);
        self.attempt_filter.listed(all)
    }

    /// The selected one.
    pub fn selected_attempt(&self) -> Option<&AttemptDoc> {
        let listed = self.attempts();
        listed.get(self.history.row(listed.len()))
    }

    /// The entries of the audit that are listed, newest first.
    pub fn entries(&self) -> Listed<'_, AuditEntryDoc> {
        let all = self.data.audit.value.as_ref().map_or(&[][..], |audit| &audit.entries);
        self.audit_filter.newest_first(all)
    }

    /// The selected one.
    pub fn selected_entry(&self) -> Option<&AuditEntryDoc> {
        let listed = self.entries();
        listed.get(self.audit.row(listed.len()))
    }

    /// The filter of the pane of the history view that has the keys.
    pub fn filter(&self) -> Option<&Filter> {
        (self.view == View::History).then_some(if self.audit_focus {
            &self.audit_filter
        } else {
            &self.attempt_filter
        })
    }

    pub(super) fn filter_mut(&mut self) -> Option<&mut Filter> {
        (self.view == View::History).then_some(if self.audit_focus {
            &mut self.audit_filter
        } else {
            &mut self.attempt_filter
        })
    }

    /// Whether the list that has the keys is filtered.
    pub fn is_filtered(&self) -> bool {
        self.rows().is_some_and(|rows| !rows.filter.is_empty())
            || self.filter().is_some_and(|filter| !filter.words.is_empty())
    }

    /// Works out what follows from what has changed: asked for many times a frame, and by every command.
    pub(super) fn work_out(&mut self) {
        self.data.work_out();
        let (data, now) = (&self.data, self.now);
        match self.view {
            View::Overview => self.overview.work_out(data, now),
            View::Packages => self.packages.work_out(data, now),
            View::History => {
                let held = &data.history;
                let all = held.value.as_ref().map_or(&[][..], |history| &history.attempts);
                self.attempt_filter.work_out(held.revision(), all.len(), |at| words_of_attempt(&all[at]));
                let held = &data.audit;
                let all = held.value.as_ref().map_or(&[][..], |audit| &audit.entries);
                self.audit_filter.work_out(held.revision(), all.len(), |at| words_of_entry(&all[at]));
            }
            View::Log | View::Who | View::Rollout | View::Readiness | View::Diagnostics => {}
        }
    }

    /// The key of a command, for a sentence that names it.
    pub fn key_of(&self, id: Id) -> SafeText {
        self.options.keymap.hint(id)
    }

    /// Why the executor gives no answer, and since when it has given none.
    pub fn silence(&self) -> Option<(Failure, Wall)> {
        if let Some((failure, since)) = self.data.silence() {
            return Some((failure.clone(), since));
        }
        let asked = self.asks.under_way_since(&Asked::List.into())?;
        let silent = (self.now? - asked).num_seconds() >= SILENT_AFTER;
        silent.then(|| (not_answering_yet(), self.data.list.at.unwrap_or(asked)))
    }

    /// What is being done for longer than a second, and for how long.
    pub fn busy(&self) -> Option<(&SafeText, i64)> {
        self.asks.slowest(self.now?)
    }

    /// Whether text is being typed, so that characters are no commands.
    pub fn typing(&self) -> bool {
        match self.overlays.last() {
            Some(overlay) => overlay.typing(),
            None if self.view == View::Rollout => self.rollout.list.typing.is_some(),
            None => {
                (self.focus() == Focus::Log && self.log_pane().takes_keys())
                    || self.rows().is_some_and(|rows| rows.typing.is_some() && self.focus() == Focus::List)
                    || self.filter().is_some_and(|filter| filter.typing.is_some())
            }
        }
    }
}

/// What a filter looks for words in, of an attempt.
fn words_of_attempt(of: &AttemptDoc) -> [&str; 6] {
    [
        of.request_id.as_str(),
        of.package.as_str(),
        of.state.as_str(),
        of.result.as_str(),
        of.by.as_str(),
        of.reason.as_str(),
    ]
}

/// The same of an entry of the audit.
fn words_of_entry(of: &AuditEntryDoc) -> [&str; 7] {
    fn text(text: &Option<SafeText>) -> &str {
        text.as_ref().map_or("", SafeText::as_str)
    }
    let request = of.request_id.as_ref().map_or("", RequestId::as_str);
    let (from, terminal, reason) = (text(&of.from), text(&of.terminal), text(&of.reason));
    [of.who.as_str(), of.verb.as_str(), request, of.result.as_str(), from, terminal, reason]
}
