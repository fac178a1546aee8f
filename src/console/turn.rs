//! The main loop: events to the app, its effects to the drivers, frames to the terminal. It is the only place of the
//! console that reads a clock. `run` makes it and lets it turn.

use super::app::rollout::wire::Wish;
use super::app::whole::Ask;
use super::app::{App, Effect, Event, contexts};
use super::drivers::afar::Hands;
use super::drivers::clipboard::{Way, sequence};
use super::drivers::keys::Keys;
use super::drivers::{Incoming, ask::Asker, evidence, logs, save};
use super::keymap::commands::Id;
use super::saves::{self, Saves};
use super::term::out::Out;
use super::term::pace::{Pace, Wanted};
use super::term::{self, Guard, Screen, leave_dead};
use super::ui::Painter;
use crate::clock::System;
use crate::executor::talk::protocol::Answer;
use crate::host::signals;
use crate::rollout::select::Site;
use crate::safe;
use crate::site::ids::RequestId;
use crate::text::SafeText;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

/// Everything of a console that runs.
pub struct Console {
    pub(super) app: App,
    pub(super) painter: Painter,
    pub(super) screen: Screen,
    pub(super) guard: Guard,
    pub(super) asker: Asker,
    pub(super) transcripts: Sender<Option<(RequestId, u32)>>,
    pub(super) logs: logs::Want,
    /// Reads a log file as a whole.
    pub(super) whole: Sender<Ask>,
    /// Takes what nobody wants any more.
    pub(super) discard: Sender<Box<Answer>>,
    /// Writes what is saved.
    pub(super) save: Sender<save::Job>,
    /// Has archives about requests made.
    pub(super) evidence: Sender<evidence::Job>,
    /// What is being saved.
    pub(super) saves: Saves,
    /// The operator quits: what is being saved is waited for.
    pub(super) quits: bool,
    pub(super) out: Out,
    pub(super) pace: Pace,
    /// When Ctrl-Z was last come back from.
    pub(super) resumed: Option<Instant>,
    pub(super) beside: Beside,
    /// What view 5 is about, by word of the app.
    pub(super) wishes: Sender<Wish>,
    pub(super) site: Arc<dyn Site>,
    /// Reaches its machines.
    pub(super) hands: Hands,
    /// None: nobody reads keys yet.
    pub(super) keys: Option<Keys>,
}

/// For so long what came is taken without looking at anything else.
const AT_ONCE: Duration = Duration::from_millis(20);

/// What is done beside the screen.
#[derive(Default)]
pub struct Beside {
    /// Bytes that go out before the next frame: the clipboard's, the mouse's.
    first: Vec<u8>,
    /// The bare terminal shows lines to be selected; the next key ends that.
    plain: bool,
}

/// What became of an input.
enum After {
    /// Perhaps a frame.
    Draw(Wanted),
    /// The console ends.
    End,
    /// The same, without a byte to the terminal.
    EndDead,
}

impl Console {
    /// Runs until the operator quits or the terminal is gone.
    ///
    /// # Errors
    /// The terminal cannot be taken back after a suspension, or a frame cannot be made.
    pub fn turn(&mut self, from: &Receiver<Incoming>) -> std::io::Result<()> {
        let mut wanted = Wanted::Key;
        let mut tick = Instant::now();
        loop {
            let now = Instant::now();
            if now >= tick {
                if signals::terminal_gone() {
                    leave_dead();
                    return Ok(());
                }
                let wall = System::now();
                tui_logger::move_events();
                if self.take(Event::Tick(wall))? {
                    return Ok(());
                }
                // The next one when the wall clock's second changes, so that its minute shows when it begins.
                let into = u64::from(wall.timestamp_subsec_millis() % 1000);
                tick = now + Duration::from_millis(1001 - into);
                wanted = wanted.max(Wanted::News);
            }
            self.pace.refill_until(now);
            // What is asked for while a frame is still going out is drawn once it has: the thread that sends it says so.
            let mut until = tick;
            if wanted != Wanted::No && self.out.is_free() {
                let due = self.pace.due(wanted, self.out.line(), now);
                if due <= now {
                    self.draw()?;
                    wanted = Wanted::No;
                } else {
                    until = due.min(tick);
                }
            }
            let mut input = match from.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(input) => Some(input),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            };
            // What rushes by puts off neither frames nor the second.
            let by = Instant::now() + AT_ONCE;
            while let Some(one) = input {
                match self.input(one)? {
                    After::Draw(more) => wanted = wanted.max(more),
                    After::End => return Ok(()),
                    After::EndDead => {
                        leave_dead();
                        return Ok(());
                    }
                }
                input = if Instant::now() < by { from.try_recv().ok() } else { None };
            }
        }
    }

    fn input(&mut self, input: Incoming) -> std::io::Result<After> {
        Ok(match input {
            Incoming::Event(event) => {
                let waited = matches!(event, Event::Key(..) | Event::Paste(_) | Event::Resize(..));
                self.logs.taken(&event);
                if self.take(event)? {
                    return Ok(After::End);
                }
                After::Draw(if waited { Wanted::Key } else { Wanted::News })
            }
            Incoming::Resized => {
                let (width, height) = term::size();
                if self.take(Event::Resize(width, height))? { After::End } else { After::Draw(Wanted::Key) }
            }
            Incoming::Out => After::Draw(Wanted::No),
            Incoming::Gone => After::EndDead,
            Incoming::Terminate => After::End,
            // After a Ctrl-Z of ours the terminal was taken again already.
            Incoming::Continued if self.resumed.is_some_and(|at| at.elapsed() < Duration::from_secs(2)) => {
                After::Draw(Wanted::No)
            }
            Incoming::Continued => {
                self.guard.away(|| ())?;
                self.cleared();
                After::Draw(Wanted::Key)
            }
        })
    }

    /// One event and its effects; true: the console ends.
    fn take(&mut self, event: Event) -> std::io::Result<bool> {
        if let Event::Resize(width, height) = event {
            self.screen.forget(width, height);
        }
        if self.beside.plain && matches!(event, Event::Key(..)) {
            self.guard.back()?;
            self.cleared();
            return Ok(false);
        }
        self.saves.end(&event);
        for effect in self.app.update(event) {
            self.saves.begin(&effect);
            match effect {
                Effect::Ask { id, question, label } => {
                    tracing::trace!("{label}");
                    self.asker.ask(id, question);
                }
                Effect::Transcript(wanted) => {
                    let _ = self.transcripts.send(wanted);
                }
                Effect::Older => {
                    self.logs.older();
                }
                Effect::Whole(ask) => {
                    let _ = self.whole.send(ask);
                }
                Effect::Rollout(wish) => {
                    let _ = self.wishes.send(wish);
                }
                Effect::Verb(words) => {
                    let said = self.verb(&words)?;
                    if self.take(said)? {
                        return Ok(true);
                    }
                }
                Effect::Afar(order) => self.hands.begin(order),
                Effect::TakeBack(number) => self.hands.take_back(number),
                Effect::Visit(machine) => {
                    let said = self.visit(machine)?;
                    if self.take(said)? {
                        return Ok(true);
                    }
                }
                Effect::Logs(machines) => {
                    let said = self.logs(machines)?;
                    if self.take(said)? {
                        return Ok(true);
                    }
                }
                Effect::Save { path, lines } => {
                    let _ = self.save.send((path, lines));
                }
                Effect::Evidence { path, request } => {
                    let _ = self.evidence.send((path, request));
                }
                Effect::Copy(lines) => {
                    let way = Way::of(|name| std::env::var(name).ok());
                    self.beside.first.extend(sequence(&lines, way).into_bytes());
                }
                Effect::Mouse(on) => self.beside.first.extend(term::mouse(on)),
                Effect::Plain(lines) => {
                    let mut text: String = lines.iter().map(|line| format!("{line}\n")).collect();
                    text.push_str("-- Enter goes back to the console --\n");
                    term::leave();
                    self.beside.plain = true;
                    self.out.send(text.into_bytes(), Instant::now());
                }
                Effect::Traces(command) => self.painter.traces(command),
                Effect::Discard(old) => {
                    let _ = self.discard.send(old);
                }
                Effect::Redraw => {
                    self.app.size = term::size();
                    self.screen.forget(self.app.size.0, self.app.size.1);
                }
                Effect::Suspend if !signals::can_be_continued() => {
                    let text = "suspend: there is no shell here that could bring the console back".into();
                    self.take(Event::Said { text, error: true })?;
                }
                Effect::Suspend => {
                    self.guard.away(signals::stop_group)?;
                    self.resumed = Some(Instant::now());
                    self.cleared();
                }
                Effect::Quit => {
                    self.quits = true;
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Once nothing more is done: waits a moment for what is being saved, where the operator quits. What was not saved.
    ///
    /// # Errors
    /// A frame cannot be made.
    pub fn end_saves(&mut self, from: &Receiver<Incoming>) -> std::io::Result<Vec<SafeText>> {
        let many = self.saves.count();
        // Where the terminal is gone, nobody is there who could be told.
        if many == 0 || !self.quits {
            return Ok(Vec::new());
        }
        let files = if many == 1 { "a file is".to_owned() } else { format!("{many} files are") };
        let end = self.app.key_of(Id::Interrupt);
        let _ = self.app.update(Event::Said {
            text: safe!("{files} being saved, then the console ends; {end} does not wait"),
            error: false,
        });
        let mut saves = std::mem::take(&mut self.saves);
        let mut failed = self.draw_if_free().err();
        let not = saves.wait(from, saves::PATIENCE, |incoming| {
            let event = match incoming {
                Incoming::Event(Event::Key(key, _))
                    if self.app.options.keymap.command(key, contexts(&self.app)) == Some(Id::Interrupt) =>
                {
                    return None;
                }
                Incoming::Event(event) => return Some(event),
                Incoming::Gone | Incoming::Terminate => return None,
                Incoming::Continued => {
                    failed = self.guard.away(|| ()).err();
                    self.cleared();
                    Event::Tick(System::now())
                }
                Incoming::Resized => {
                    let (width, height) = term::size();
                    self.screen.forget(width, height);
                    let _ = self.app.update(Event::Resize(width, height));
                    Event::Resize(width, height)
                }
                Incoming::Out => Event::Tick(System::now()),
            };
            // The sentence is seen also where a frame was still going out, and after the size changed.
            failed = failed.take().or_else(|| self.draw_if_free().err());
            failed.is_none().then_some(event)
        });
        failed.map_or(Ok(not), Err)
    }

    /// A frame where none is still going out; else one is drawn once that is out.
    fn draw_if_free(&mut self) -> std::io::Result<()> {
        if self.out.is_free() { self.draw() } else { Ok(()) }
    }

    /// The terminal was just taken again, with whatever size it has by now.
    pub(super) fn cleared(&mut self) {
        self.beside.plain = false;
        self.app.size = term::size();
        self.screen.cleared(self.app.size.0, self.app.size.1);
    }

    fn draw(&mut self) -> std::io::Result<()> {
        if self.beside.plain {
            return Ok(());
        }
        let mut frame = self.screen.frame();
        let layout = self.painter.draw(&self.app, &mut frame);
        let mut bytes = std::mem::take(&mut self.beside.first);
        self.screen.show(frame, &mut bytes)?;
        if !bytes.is_empty() {
            let now = Instant::now();
            self.pace.drawn(now);
            self.out.send(bytes, now);
        }
        self.take(Event::Drawn(layout))?;
        Ok(())
    }
}
