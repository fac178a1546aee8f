//! What each command does, and what typed keys do where text is typed.

use super::command::Id;
use super::dialog::{Confirm, Outcome};
use super::list::Scroll;
use super::overlay::{Details, Overlay, Palette};
use super::{App, Effect, Focus, View};
use crate::console::keymap::Key;
use crate::executor::protocol::Call;
use crate::safe;
use crate::text::SafeText;
use tui_logger::TuiWidgetEvent;

impl App {
    /// Carries out a command that is enabled.
    pub(super) fn act(&mut self, id: Id) -> Vec<Effect> {
        if let Some(view) = id.view() {
            self.overlays.clear();
            self.view = view;
            return Vec::new();
        }
        let (data, now) = (&self.data, self.now);
        match self.view {
            View::Overview => self.overview.pin(data, now),
            View::Packages => self.packages.pin(data, now),
            _ => {}
        }
        match id {
            Id::Quit => match self.overlays.pop() {
                Some(_) => Vec::new(),
                None => vec![Effect::Quit],
            },
            Id::Interrupt => vec![Effect::Quit],
            Id::Suspend => vec![Effect::Suspend],
            Id::Redraw => vec![Effect::Redraw],
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
            Id::Poll => {
                vec![self.ask(Call::Poll { dry_run: false }, "reading the instruction file".into())]
            }
            Id::Run | Id::Rerun | Id::Defer | Id::Undefer | Id::Stop => self.confirm(id),
            Id::Hold | Id::Unhold => self.open(Overlay::Confirm(Box::new(Confirm::new(id, None, self.now)))),
            Id::NextPane => {
                self.turn(1);
                Vec::new()
            }
            Id::PrevPane => {
                self.turn(-1);
                Vec::new()
            }
            Id::Filter => {
                if let Some(rows) = self.rows_mut() {
                    rows.typing = Some(super::input::Input::with(&rows.filter, 60));
                }
                Vec::new()
            }
            Id::Sort => {
                if let Some(order) = self.rows_mut().map(|rows| rows.resort().word()) {
                    self.say(safe!("sorted by {order}"), false);
                }
                Vec::new()
            }
            _ => {
                self.moved(id);
                Vec::new()
            }
        }
    }

    fn open(&mut self, overlay: Overlay) -> Vec<Effect> {
        // The same layer twice helps nobody.
        let same = |other: &Overlay| std::mem::discriminant(other) == std::mem::discriminant(&overlay);
        self.overlays.retain(|other| !same(other));
        self.overlays.push(overlay);
        Vec::new()
    }

    /// A confirmation, with details that are newer than it: what is confirmed is what is shown.
    fn confirm(&mut self, id: Id) -> Vec<Effect> {
        let Some(request) = self.subject() else { return Vec::new() };
        let mut effects = self.open(Overlay::Confirm(Box::new(Confirm::new(id, Some(request), self.now))));
        effects.push(self.ask(Call::Show { request }, safe!("asking what {} would do", id.command().name)));
        effects
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
        let gone_back = match self.focus() {
            Focus::Log => self.log.back(),
            _ => self.rows_mut().is_some_and(|rows| rows.back()),
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

    fn turn(&mut self, by: isize) {
        if let Some(Overlay::Details(details)) = self.overlays.last_mut() {
            details.transcript = !details.transcript;
            return;
        }
        match self.view {
            View::Overview => {
                let panes = [Focus::List, Focus::Second, Focus::Log];
                let here = panes.iter().position(|p| *p == self.overview_focus).unwrap_or(0) as isize;
                self.overview_focus = panes[(here + by).rem_euclid(3) as usize];
            }
            View::History => self.audit_focus = !self.audit_focus,
            View::Diagnostics => self.diagnostics.transition(TuiWidgetEvent::HideKey),
            _ => {}
        }
    }

    /// Movements, and the commands of a log.
    fn moved(&mut self, id: Id) {
        match self.overlays.last_mut() {
            Some(Overlay::Details(details)) => {
                details.moved(id);
                return;
            }
            Some(Overlay::Explain(_, scroll) | Overlay::Help(scroll) | Overlay::Problems(scroll)) => {
                scroll.moved(id);
                return;
            }
            Some(_) => return,
            None => {}
        }
        let users = self.data.who.value.as_ref().map_or(0, |who| who.sessions.len() + who.connections.len());
        match (self.view, self.focus()) {
            (_, Focus::Log) => {
                if let Some(said) = self.log.command(id) {
                    self.say(said, false);
                }
            }
            (View::Overview, Focus::List) => {
                self.overview.moved(id, &self.data, self.now);
            }
            (View::Packages, _) => {
                self.packages.moved(id, &self.data, self.now);
            }
            (View::Overview | View::Who, _) => {
                self.who.moved(id, users);
            }
            (View::History, Focus::Second) => {
                let len = self.data.audit.value.as_ref().map_or(0, |audit| audit.entries.len());
                self.audit.moved(id, len);
            }
            (View::History, _) => {
                let len = self.data.history.value.as_ref().map_or(0, |history| history.attempts.len());
                self.history.moved(id, len);
            }
            (View::Diagnostics, _) => {
                let event = match id {
                    Id::Up => TuiWidgetEvent::UpKey,
                    Id::Down => TuiWidgetEvent::DownKey,
                    Id::Left => TuiWidgetEvent::LeftKey,
                    Id::Right => TuiWidgetEvent::RightKey,
                    Id::PageUp => TuiWidgetEvent::PrevPageKey,
                    Id::PageDown => TuiWidgetEvent::NextPageKey,
                    Id::Bottom => TuiWidgetEvent::EscapeKey,
                    _ => return,
                };
                self.diagnostics.transition(event);
            }
            (View::Log, _) => {}
        }
    }

    /// A key where text is typed.
    pub(super) fn typed(&mut self, key: Key) -> Vec<Effect> {
        let (now, focus) = (self.now.unwrap_or_default(), self.focus());
        match self.overlays.last_mut() {
            Some(Overlay::Confirm(confirm)) => {
                let outcome = confirm.key(key, &self.data, now, &self.options.zone);
                let (request, name) = (confirm.request, confirm.id.command().name);
                match outcome {
                    Outcome::Open => Vec::new(),
                    Outcome::Cancel => {
                        self.overlays.pop();
                        self.say(safe!("{name}: cancelled, nothing was done"), false);
                        Vec::new()
                    }
                    Outcome::Do(call) => {
                        self.overlays.pop();
                        let what = request.map(|id| format!(" {id}")).unwrap_or_default();
                        let label: SafeText = safe!("{name}{what}");
                        self.say(safe!("{label}: asked"), false);
                        vec![self.ask(call, label)]
                    }
                }
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
            Some(_) => Vec::new(),
            None if focus == Focus::Log => {
                if let Some(said) = self.log.key(key) {
                    self.say(said, false);
                }
                Vec::new()
            }
            None => {
                if let Some(rows) = self.rows_mut() {
                    rows.key(key);
                }
                Vec::new()
            }
        }
    }
}
