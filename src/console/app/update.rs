//! Events change the app, and say what is to be done about them.

use super::enabled::{contexts, enabled};
use super::event::{Effect, Event};
use super::layout::{Layout, Pane};
use super::logline::LogLine;
use super::message::About;
use super::overlay::Overlay;
use super::state::App;
use super::transcript::Transcript;
use super::view::{Focus, View};
use super::whole::What;
use crate::console::keymap::Key;
use crate::console::keymap::commands::Id;
use crate::safe;
use crate::text::SafeText;
use std::sync::Arc;

impl App {
    /// Takes an event; returns what is to be done about it.
    #[must_use]
    pub fn update(&mut self, event: Event) -> Vec<Effect> {
        let news = matches!(event, Event::Tick(_) | Event::Answered { .. });
        self.settle_logs(&event);
        let mut effects = match event {
            Event::Key(key, at) => {
                self.touched = at;
                self.key(key)
            }
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
                let lines: Vec<Arc<LogLine>> = lines.into_iter().map(Arc::new).collect();
                let mut files: Vec<SafeText> = lines.iter().map(|line| line.file.clone()).collect();
                files.dedup();
                self.glance.push(lines.iter().cloned());
                self.log.push(lines);
                self.more_of_file(&files)
            }
            Event::Rush(batches) => {
                let mut lines = None;
                self.glance.rush(&batches, &mut lines, self.view == View::Overview);
                self.log.rush(&batches, &mut lines, self.view == View::Log);
                let mut files: Vec<SafeText> = batches.iter().map(|batch| batch.file().clone()).collect();
                files.dedup();
                self.more_of_file(&files)
            }
            Event::Standing(lines) => {
                let lines: Vec<Arc<LogLine>> = lines.into_iter().map(Arc::new).collect();
                self.glance.stand(&lines);
                self.log.stand(&lines);
                Vec::new()
            }
            Event::Older { lines, more } => {
                self.older_asked = false;
                let lines: Vec<Arc<LogLine>> = lines.into_iter().map(Arc::new).collect();
                let said =
                    [self.glance.push_older(lines.iter().cloned(), more), self.log.push_older(lines, more)];
                for text in said.into_iter().flatten() {
                    self.say(text, false);
                }
                Vec::new()
            }
            Event::Whole(news) => {
                self.take_of_file(news);
                Vec::new()
            }
            Event::Transcript { request, attempt, lines, first, cut, fault } => {
                if self.transcript_wanted == Some((request, attempt)) {
                    self.transcripts += 1;
                    let revision = self.transcripts;
                    self.transcript =
                        Some(Transcript { request, attempt, lines, first, cut, fault, revision });
                }
                Vec::new()
            }
            Event::Rollout(news) => {
                self.take_of_site(news);
                Vec::new()
            }
            Event::Afar { order, machine, step } => {
                self.take_from_afar(order, machine, step);
                Vec::new()
            }
            Event::Said { text, error } => {
                self.say(text, error);
                Vec::new()
            }
            Event::Saved { said, error, .. } => {
                self.say(said, error);
                Vec::new()
            }
            Event::Click { x, y, at } => {
                self.touched = at;
                self.click(x, y)
            }
            Event::Wheel { x, y, down } => self.wheel(x, y, down),
            Event::Drawn(layout) => {
                self.drawn(layout);
                return Vec::new();
            }
        };
        self.work_out();
        effects.extend(self.wish());
        effects.extend(self.refresh());
        effects.extend(self.follow_transcript());
        effects.extend(self.look());
        if !self.older_asked && self.log_pane().wants_older() {
            self.older_asked = true;
            effects.push(Effect::Older);
        }
        if news && self.notices.look(&self.data, self.options.terminal.as_ref(), self.now) {
            effects.push(Effect::Redraw);
        }
        effects
    }

    /// Makes lines of what rushed by: before somebody looks, and once it is over.
    fn settle_logs(&mut self, event: &Event) {
        let looks = match event {
            Event::Key(..)
            | Event::Paste(_)
            | Event::Resize(..)
            | Event::Click { .. }
            | Event::Wheel { .. }
            | Event::Older { .. } => true,
            Event::Tick(_) => !std::mem::take(&mut self.rushes),
            Event::Rush(_) => {
                self.rushes = true;
                false
            }
            Event::Log(_)
            | Event::Standing(_)
            | Event::Answered { .. }
            | Event::Whole(_)
            | Event::Transcript { .. }
            | Event::Rollout(_)
            | Event::Afar { .. }
            | Event::Said { .. }
            | Event::Saved { .. }
            | Event::Drawn(_) => false,
        };
        if looks {
            self.glance.settle();
            self.log.settle();
        }
    }

    /// Takes what a frame had room for.
    fn drawn(&mut self, layout: Layout) {
        for (pane, window) in &layout.windows {
            let window = *window;
            match *pane {
                Pane::Requests => {
                    if let Some(rows) = self.rows_mut() {
                        rows.drawn(window);
                    }
                }
                Pane::Who => self.who.drawn(window),
                Pane::Attempts => self.history.drawn(window),
                Pane::Audit => self.audit.drawn(window),
                Pane::Site(level) => self.rollout.drawn(level, window),
                Pane::Readiness => self.readiness.drawn(window),
                Pane::Log => self.log_pane_mut().drawn(window),
                Pane::Layer(n) => match self.overlays.get_mut(n) {
                    Some(Overlay::Results) => {
                        if let Some(results) = &mut self.results {
                            results.scroll.drawn(window);
                        }
                    }
                    Some(Overlay::Answers) => {
                        if let Some(afar) = &mut self.afar {
                            afar.drawn(window);
                        }
                    }
                    Some(layer) => layer.drawn(window),
                    None => {}
                },
                Pane::Transcript(lowest) => {
                    for layer in &mut self.overlays {
                        if let Overlay::Details(details) = layer {
                            details.standing.drawn(window, lowest);
                        }
                    }
                }
            }
        }
        self.layout = layout;
    }

    fn paste(&mut self, text: &str) {
        let focus = self.focus();
        match self.overlays.last_mut() {
            Some(Overlay::Confirm(confirm)) => confirm.paste(text),
            Some(Overlay::Job(ask)) => ask.paste(text),
            Some(Overlay::Afar(ask)) => ask.paste(text),
            Some(Overlay::Palette(palette)) => palette.paste(text),
            Some(Overlay::Save(save)) => save.path.insert(text),
            Some(Overlay::Filters(ask)) => ask.input.insert(text),
            Some(_) => {}
            None if self.view == View::Rollout => {
                if let Some(input) = self.rollout.list.typing.as_mut() {
                    input.insert(text);
                }
            }
            None if focus == Focus::Log => {
                self.log_pane_mut().paste(text);
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
        self.rollout.touch(self.now);
        if key == Key::Ctrl('z') {
            return vec![Effect::Suspend];
        }
        // Enter after a pattern keeps what is looked for.
        let keeps = key == Key::Enter && self.typing();
        // Who quits is kept until what is being saved is written: that must not end it.
        let saves = self.looking.as_ref().is_some_and(|looking| matches!(looking.what, What::Save(_)));
        let command = || self.options.keymap.command(key, contexts(self));
        let quits = saves && !self.typing() && matches!(command(), Some(Id::Quit | Id::Interrupt));
        let mut effects = if keeps || quits { Vec::new() } else { self.stop_waiting() };
        effects.extend(if self.typing() {
            self.typed(key)
        } else {
            match self.options.keymap.command(key, contexts(self)) {
                Some(id) => self.command(id),
                None => Vec::new(),
            }
        });
        effects
    }

    /// A command by key or from the palette: done, or said why not.
    pub(super) fn command(&mut self, id: Id) -> Vec<Effect> {
        match enabled(self, id) {
            Ok(()) => self.act(id),
            Err(why) => {
                let said = safe!("{}: {why}", id.command().name);
                let about = match id {
                    Id::Unhold => Some(About::Hold),
                    _ if id.verb().is_some() => self.subject().map(About::Request),
                    _ => None,
                };
                match about {
                    Some(about) => self.say_of(said, true, about, None),
                    None => self.say(said, true),
                }
                Vec::new()
            }
        }
    }
}
