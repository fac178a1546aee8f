//! What each command does, and what typed keys do where text is typed.

use super::copy::MAX_COPY;
use super::dialog::{Confirm, FilterAsk, JobOutcome, Outcome, SaveAs, Saving};
use super::event::Effect;
use super::list::Scroll;
use super::overlay::{Details, Overlay, Palette, RecordView};
use super::state::App;
use super::view::{Focus, View};
use super::whole::What;
use crate::console::keymap::Key;
use crate::console::keymap::commands::Id;
use crate::decision::simulate::Assumptions;
use crate::executor::talk::protocol::{self, Action, Change, Wanted};
use crate::safe;
use crate::site::ids::RequestId;
use crate::text::SafeText;

impl App {
    /// Carries out a command that is enabled.
    pub(super) fn act(&mut self, id: Id) -> Vec<Effect> {
        if let Some(view) = View::of(id) {
            self.overlays.clear();
            self.came_from = None;
            self.view = view;
            return Vec::new();
        }
        if let Some(effects) = self.act_on_site(id).or_else(|| self.act_afar(id)) {
            return effects;
        }
        match id {
            Id::Quit => match self.overlays.pop() {
                Some(_) => Vec::new(),
                None => vec![Effect::Quit],
            },
            Id::Interrupt => vec![Effect::Quit],
            Id::Suspend => vec![Effect::Suspend],
            Id::Redraw => vec![Effect::Redraw],
            Id::Refresh => self.refresh_all(),
            Id::NextMatch | Id::PrevMatch if self.focus() != Focus::Log => {
                self.next_row(id == Id::NextMatch);
                Vec::new()
            }
            Id::Back => {
                self.back();
                Vec::new()
            }
            Id::Help => self.open(Overlay::Help(Scroll::default())),
            Id::Palette => self.open(Overlay::Palette(Palette::new())),
            Id::Problems => self.open(Overlay::Problems(Scroll::default())),
            Id::Details => self.details(),
            Id::Explain => match self.subject() {
                Some(request) => self.open(Overlay::Explain(request, Scroll::default())),
                None => Vec::new(),
            },
            Id::Check => {
                self.view = View::Readiness;
                self.check_again()
            }
            Id::Poll => {
                let poll = Change { what: Action::Poll, reason: None, dry_run: false, id: None };
                vec![self.ask(poll, "looking at the share".into())]
            }
            Id::Run | Id::Rerun | Id::Defer | Id::Undefer | Id::Stop => self.confirm(id),
            Id::Hold | Id::Unhold | Id::Restart | Id::DeferRestart | Id::CancelRestart | Id::Notice => {
                self.open(Overlay::Confirm(Box::new(self.question(id, Vec::new()))))
            }
            Id::Mark => {
                self.mark();
                Vec::new()
            }
            Id::InvertMarks => {
                self.invert_marks();
                Vec::new()
            }
            Id::Seen => self.see(),
            Id::LogAt => {
                self.log_at_start();
                Vec::new()
            }
            Id::Copy => self.copy(),
            Id::Plain => vec![Effect::Plain(self.copied())],
            Id::Save => self.save(),
            Id::KeyFile => {
                let text = self.options.keymap.file();
                let lines = text.lines().map(SafeText::new).collect();
                let save = SaveAs::new("keymap", "toml", lines, None, &self.options.zone);
                self.open(Overlay::Save(Box::new(save)))
            }
            Id::Bars => {
                self.choose_bar();
                Vec::new()
            }
            Id::Record => match RecordView::of(self.log_pane()) {
                Some(record) => self.open(Overlay::Record(Box::new(record))),
                None => Vec::new(),
            },
            Id::Filters => self.open(Overlay::Filters(Box::new(FilterAsk::new()))),
            Id::Results => self.open(Overlay::Results),
            Id::Week => self.week(),
            Id::Mouse => {
                self.mouse = !self.mouse;
                let said = match self.mouse {
                    true => "the mouse clicks and scrolls here; most terminals still select text with Shift",
                    false => "the mouse is left to the terminal",
                };
                self.say(said, false);
                vec![Effect::Mouse(self.mouse)]
            }
            Id::NextPane => self.turn(1),
            Id::PrevPane => self.turn(-1),
            Id::Filter => {
                if let Some(filter) = self.filter_mut() {
                    filter.start();
                } else if let Some(rows) = self.rows_mut() {
                    rows.typing = Some(super::input::Input::with(&rows.filter, 60));
                }
                Vec::new()
            }
            Id::Sort => {
                if let Some(rows) = self.rows_mut() {
                    rows.resort();
                    let order = rows.sorted_by().unwrap_or("group");
                    self.say(safe!("sorted by {order}"), false);
                }
                Vec::new()
            }
            Id::Down
            | Id::Up
            | Id::PageDown
            | Id::PageUp
            | Id::HalfDown
            | Id::HalfUp
            | Id::Top
            | Id::Bottom
            | Id::Left
            | Id::Right
            | Id::Search
            | Id::GoTo
            | Id::WholeFile
            | Id::NextMatch
            | Id::PrevMatch
            | Id::OnlyMatches
            | Id::Polls
            | Id::Follow
            | Id::NextError
            | Id::PrevError
            | Id::Level
            | Id::Component
            | Id::LogMark
            | Id::NextMark
            | Id::PrevMark
            | Id::Wrap
            | Id::TimeDisplay
            | Id::Louder
            | Id::Quieter => self.moved(id),
            // Views were opened above.
            Id::Overview
            | Id::Packages
            | Id::Log
            | Id::Who
            | Id::Rollout
            | Id::History
            | Id::Readiness
            | Id::Diagnostics => Vec::new(),
            // View 5 did these above, and nobody else has them.
            Id::Open
            | Id::Where
            | Id::Advance
            | Id::SuspendJob
            | Id::SendAgain
            | Id::MachineConsole
            | Id::MachineLog
            | Id::Reasons
            | Id::OnlyFailed
            | Id::OnlySilent => Vec::new(),
        }
    }

    pub(super) fn open(&mut self, overlay: Overlay) -> Vec<Effect> {
        // The same layer twice helps nobody.
        let same = |other: &Overlay| std::mem::discriminant(other) == std::mem::discriminant(&overlay);
        self.overlays.retain(|other| !same(other));
        self.overlays.push(overlay);
        Vec::new()
    }

    fn question(&self, id: Id, requests: Vec<RequestId>) -> Confirm {
        let hold = self.data.hold().filter(|_| id == Id::Hold);
        let over = hold.and_then(|hold| hold.id.clone());
        let mut confirm = Confirm::new(id, requests, self.now, self.touched);
        confirm.over = over;
        confirm
    }

    /// A confirmation, with details that are newer than it: what is confirmed is what is shown.
    fn confirm(&mut self, id: Id) -> Vec<Effect> {
        let requests = self.subjects();
        let mut effects = self.open(Overlay::Confirm(Box::new(self.question(id, requests.clone()))));
        for request in requests {
            effects.push(
                self.ask(protocol::View::Show(request), safe!("asking what {} would do", id.command().name)),
            );
        }
        effects
    }

    /// Everything that is shown is asked for anew, at once.
    fn refresh_all(&mut self) -> Vec<Effect> {
        self.asks.ask_anew();
        let mut effects = match (self.overlays.last(), self.view) {
            (Some(Overlay::Week(_)), _) => self.week(),
            (_, View::Readiness) => self.check_again(),
            _ => Vec::new(),
        };
        effects.push(Effect::Redraw);
        self.say("asked for anew", false);
        effects
    }

    /// To the next row that a filter leaves, or the previous one; past the last of them to the first, and says so.
    fn next_row(&mut self, forward: bool) {
        let (len, at) = match (self.view, self.focus()) {
            (View::History, Focus::Second) => (self.entries().len(), self.audit.row(self.entries().len())),
            (View::History, _) => (self.attempts().len(), self.history.row(self.attempts().len())),
            _ => self.rows().map_or((0, 0), |rows| (rows.listed(), rows.position())),
        };
        let Some(last) = len.checked_sub(1) else { return };
        let (to, wrapped) = match forward {
            true if at < last => (at + 1, None),
            true => (0, Some("wrapped: this is the first row of the filter")),
            false if at > 0 => (at - 1, None),
            false => (last, Some("wrapped: this is the last row of the filter")),
        };
        match (self.view, self.focus()) {
            (View::History, Focus::Second) => self.audit.select(to),
            (View::History, _) => self.history.select(to),
            (View::Packages, _) => self.packages.select(to, &self.data),
            _ => self.overview.select(to, &self.data),
        }
        if let Some(said) = wrapped {
            self.say(said, false);
        }
    }

    /// The week ahead, simulated anew each time it is opened.
    fn week(&mut self) -> Vec<Effect> {
        let mut effects = self.open(Overlay::Week(Scroll::default()));
        if let Some(now) = self.now {
            let until = now + chrono::TimeDelta::days(7);
            let wanted = Wanted { request: None, from: now, until, assume: Assumptions::usual() };
            effects.push(self.ask(protocol::View::Simulate(wanted), "simulating the week".into()));
        }
        effects
    }

    /// Says of what expired or failed that it was seen: the overview lets it go.
    fn see(&mut self) -> Vec<Effect> {
        let rows = self.subjects().into_iter().filter_map(|id| self.data.request(id));
        let unseen: Vec<_> = rows.filter(|row| row.is_unseen()).filter_map(|row| row.request_id).collect();
        self.marked.clear();
        let seen =
            |request| Change { what: Action::Seen(Some(request)), reason: None, dry_run: false, id: None };
        unseen.into_iter().map(|id| self.ask(seen(id), safe!("recording that you have seen {id}"))).collect()
    }

    /// To the log at the moment the newest attempt of the request in question started.
    fn log_at_start(&mut self) {
        let Some(at) = self.started() else { return };
        let overlays = std::mem::take(&mut self.overlays);
        self.came_from = Some((self.view, overlays));
        self.view = View::Log;
        self.file = None;
        if let Some(why) = self.log.go_to(at) {
            self.say(why, true);
        }
    }

    fn copy(&mut self) -> Vec<Effect> {
        let lines = self.copied();
        let bytes = lines.iter().map(|line| line.as_str().len() + 1).sum::<usize>().saturating_sub(1);
        if bytes > MAX_COPY {
            let said = safe!(
                "copy: {bytes} bytes are more than terminals take, {MAX_COPY}; {} shows them, {} saves them",
                self.key_of(Id::Plain),
                self.key_of(Id::Save)
            );
            self.say(said, true);
            return Vec::new();
        }
        let what = super::words::count(lines.len(), "line");
        let said = safe!(
            "{what}, {bytes} bytes, given to the terminal's clipboard; if it stays empty, {} shows them",
            self.key_of(Id::Plain)
        );
        self.say(said, false);
        vec![Effect::Copy(lines)]
    }

    fn save(&mut self) -> Vec<Effect> {
        let what = match self.overlays.last() {
            Some(Overlay::Details(details)) if details.transcript => safe!("{}-transcript", details.request),
            Some(Overlay::Details(details)) => safe!("{}", details.request),
            Some(Overlay::Explain(request, _)) => safe!("{request}-explain"),
            Some(_) => "text".into(),
            None => "log".into(),
        };
        let whole =
            self.log_pane().whole.as_ref().filter(|_| what.as_str() == "log" && self.focus() == Focus::Log);
        let file = whole.map(|whole| whole.file.clone());
        let lines = if file.is_some() { Vec::new() } else { self.saved() };
        let mut save = SaveAs::new(what.as_str(), "txt", lines, self.now, &self.options.zone);
        save.file = file;
        self.open(Overlay::Save(Box::new(save)))
    }

    fn details(&mut self) -> Vec<Effect> {
        match self.subject() {
            Some(request) => self.open(Overlay::Details(Box::new(Details::new(request)))),
            None => self.open(Overlay::Problems(Scroll::default())),
        }
    }

    /// One step back: the topmost layer, what is filtered or searched, the pane, at last the view.
    fn back(&mut self) {
        if self.overlays.pop().is_some() {
            return;
        }
        let searching = self.log_pane().has_search();
        if self.view == View::Log
            && !searching
            && let Some((view, overlays)) = self.came_from.take()
        {
            (self.view, self.overlays) = (view, overlays);
            return;
        }
        if self.rows().is_some() && self.focus() == Focus::List && !self.marked.is_empty() {
            self.marked.clear();
            return;
        }
        let gone_back = match self.focus() {
            Focus::Log => self.log_pane_mut().back(),
            _ => {
                self.rows_mut().is_some_and(|rows| rows.back())
                    || self.filter_mut().is_some_and(|filter| filter.back())
            }
        };
        if gone_back {
            return;
        }
        if self.view != View::Overview {
            self.view = View::Overview;
        } else {
            self.overview_focus = Focus::List;
        }
    }

    fn turn(&mut self, by: isize) -> Vec<Effect> {
        if let Some(Overlay::Details(details)) = self.overlays.last_mut() {
            details.transcript = !details.transcript;
            return Vec::new();
        }
        match self.view {
            View::Overview => {
                let panes = [Focus::List, Focus::Second, Focus::Log];
                let here = panes.iter().position(|p| *p == self.overview_focus).unwrap_or(0) as isize;
                self.overview_focus = panes[(here + by).rem_euclid(3) as usize];
            }
            View::History => self.audit_focus = !self.audit_focus,
            View::Diagnostics => return vec![Effect::Traces(Id::NextPane)],
            View::Packages | View::Log | View::Who | View::Rollout | View::Readiness => {}
        }
        Vec::new()
    }

    /// Movements, and the commands of a log.
    pub(super) fn moved(&mut self, id: Id) -> Vec<Effect> {
        match self.overlays.last_mut() {
            Some(Overlay::Results) => {
                if let Some(results) = &mut self.results {
                    results.scroll.moved(id);
                }
                return Vec::new();
            }
            Some(Overlay::Answers) => {
                if let Some(afar) = &mut self.afar {
                    afar.moved(id);
                }
                return Vec::new();
            }
            Some(overlay) => {
                overlay.moved(id);
                return Vec::new();
            }
            None => {}
        }
        let users = self.data.who.value.as_ref().map_or(0, |who| who.sessions.len() + who.connections.len());
        match (self.view, self.focus()) {
            (_, Focus::Log) => {
                let (log, keys) = self.log_and_keys();
                if let Some(said) = log.command(id, keys) {
                    self.say(said, false);
                }
            }
            (View::Overview, Focus::List) => {
                self.overview.moved(id, &self.data);
            }
            (View::Packages, _) => {
                self.packages.moved(id, &self.data);
            }
            (View::Overview | View::Who, _) => {
                self.who.moved(id, users);
            }
            (View::History, Focus::Second) => {
                let len = self.entries().len();
                self.audit.moved(id, len);
            }
            (View::History, _) => {
                let len = self.attempts().len();
                self.history.moved(id, len);
            }
            (View::Rollout, _) => self.rollout.moved(id),
            (View::Readiness, _) => {
                let len = self.data.check.value.as_ref().map_or(0, |check| check.items.len());
                self.readiness.moved(id, len);
            }
            (View::Diagnostics, _) => return vec![Effect::Traces(id)],
            (View::Log, _) => {}
        }
        Vec::new()
    }

    /// A key where text is typed.
    pub(super) fn typed(&mut self, key: Key) -> Vec<Effect> {
        let (now, focus) = (self.now.unwrap_or_default(), self.focus());
        if self.overlays.is_empty() && focus == Focus::Log && self.types_place(key) {
            return Vec::new();
        }
        if self.overlays.is_empty() && focus == Focus::Log && self.log_pane().bar.is_some() {
            self.typed_bar(key);
            return Vec::new();
        }
        match self.overlays.last_mut() {
            Some(Overlay::Confirm(confirm)) => {
                let outcome = confirm.key(key, self.touched, &self.data, now, &self.options.zone);
                let (id, request, name) = (confirm.id, confirm.request(), confirm.id.command().name);
                match outcome {
                    Outcome::Open => Vec::new(),
                    Outcome::Cancel => {
                        self.overlays.pop();
                        self.say(safe!("{name}: cancelled, nothing was done"), false);
                        Vec::new()
                    }
                    Outcome::Do(change) => {
                        self.overlays.pop();
                        let what = request.map(|id| format!(" {id}")).unwrap_or_default();
                        let label: SafeText = safe!("{name}{what}");
                        self.say(safe!("{label}: sent"), false);
                        vec![self.ask(change, label)]
                    }
                    Outcome::DoEach(changes, refused) => {
                        self.overlays.pop();
                        self.ask_many(id, changes, refused)
                    }
                }
            }
            Some(Overlay::Job(ask)) => {
                let (outcome, name) = (ask.key(key, self.touched), ask.id.command().name);
                match outcome {
                    JobOutcome::Open => Vec::new(),
                    JobOutcome::Cancel => {
                        self.overlays.pop();
                        self.say(safe!("{name}: cancelled, nothing was done"), false);
                        Vec::new()
                    }
                    JobOutcome::Do(words) => {
                        self.overlays.pop();
                        self.rollout.look_again();
                        vec![Effect::Verb(words)]
                    }
                }
            }
            Some(Overlay::Afar(_)) => self.typed_afar(key),
            Some(Overlay::Filters(_)) => {
                self.typed_filter(key);
                Vec::new()
            }
            Some(Overlay::Palette(palette)) => match key {
                Key::Esc | Key::Ctrl('c') => {
                    self.overlays.pop();
                    Vec::new()
                }
                Key::Enter => {
                    let found = palette.found();
                    let chosen = found.get(palette.cursor.row(found.len())).map(|command| command.id);
                    self.overlays.pop();
                    chosen.map_or_else(Vec::new, |id| self.command(id))
                }
                Key::Down | Key::Tab => {
                    palette.cursor.moved(Id::Down, palette.found().len());
                    Vec::new()
                }
                Key::Up | Key::BackTab => {
                    palette.cursor.moved(Id::Up, palette.found().len());
                    Vec::new()
                }
                key => {
                    if palette.input.key(key) {
                        palette.cursor.select(0);
                    }
                    Vec::new()
                }
            },
            Some(Overlay::Save(save)) => match (save.key(key), save.file.clone()) {
                (Saving::Open, _) => Vec::new(),
                (Saving::Cancel, _) => {
                    self.overlays.pop();
                    self.say("nothing was saved", false);
                    Vec::new()
                }
                (Saving::Write(path, _), Some(file)) => {
                    self.overlays.pop();
                    self.ask_file(file, What::Save(path))
                }
                (Saving::Write(path, lines), None) => {
                    self.overlays.pop();
                    vec![Effect::Save { path, lines }]
                }
            },
            Some(_) => Vec::new(),
            None if self.view == View::Rollout => {
                self.rollout.key(key);
                Vec::new()
            }
            None if focus == Focus::Log => {
                let (log, keys) = self.log_and_keys();
                if let Some(said) = log.key(key, keys) {
                    self.say(said, false);
                }
                Vec::new()
            }
            None => {
                if let Some(filter) = self.filter_mut() {
                    filter.key(key);
                } else if let Some(rows) = self.rows_mut() {
                    rows.key(key);
                }
                Vec::new()
            }
        }
    }
}
