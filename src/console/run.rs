//! The main loop: events to the app, its effects to the drivers, frames to the terminal. It is the only place of the
//! console that reads a clock.

use super::app::{App, AppOptions, Effect, Event};
use super::drivers::{self, Input, ask::Asker, logs, transcript};
use super::keymap::Keymap;
use super::term::{Caps, Guard, Screen, leave, leave_dead};
use super::theme::Theme;
use super::ui;
use crate::clock::{System, Zone};
use crate::config::Config;
use crate::error::{Exit, Failure, Result};
use crate::executor::client::Ask;
use crate::host::facts;
use crate::host::paths::Layout;
use crate::host::signals::{self, Signal};
use crate::safe;
use crate::text::SafeText;
use ratatui::buffer::Buffer;
use ratatui::crossterm::terminal;
use ratatui::layout::Rect;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

/// How the console was started.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Nothing may be changed from here.
    pub read_only: bool,
    /// Draw ASCII only.
    pub ascii: bool,
    /// A slow line: at most 5 frames a second.
    pub slow: bool,
    /// No colours.
    pub no_color: bool,
    /// A theme's name; else the configuration's.
    pub theme: Option<String>,
    /// A word beside the machine's name, e.g. `DEMO`.
    pub title: Option<SafeText>,
}

/// Runs the console until the operator quits it or the terminal is gone.
///
/// # Errors
/// There is no terminal (exit status 2), a theme or keymap is wrong, or the terminal fails.
pub fn run(options: Options, ask: Arc<dyn Ask>, layout: &Layout, config: &Config) -> Result<()> {
    let caps = caps(&options)?;
    let (theme, theme_note) = theme(&options, config, caps)?;
    let keymap = keymap(config)?;
    let (zone, zone_note) = match facts::local_zone() {
        Ok(zone) => (zone, None),
        Err(e) => (Zone::utc(), Some(safe!("{e}; times are shown in UTC"))),
    };
    let app =
        App::new(AppOptions { read_only: options.read_only, title: options.title.clone(), zone, keymap });
    let failed = |e: std::io::Error| {
        Failure::new(
            Exit::Failed,
            "terminal-failed",
            format!("the terminal cannot be used: {e}"),
            "Use `pcm status` and `pcm list`, which need none",
        )
    };
    let (to, from) = channel();
    traces();
    let asker = Asker::start(&ask, &to).map_err(failed)?;
    let transcripts = transcript::start(layout, &to).map_err(failed)?;
    logs::start(logs::follow(layout, config, app.options.zone.clone()), &to).map_err(failed)?;
    listen(&to).map_err(failed)?;
    let glyphs = if caps.ascii { &ui::ASCII } else { &ui::UNICODE };
    let guard = Guard::enter().map_err(failed)?;
    let (width, height) = terminal::size().unwrap_or((80, 24));
    let mut console = Console {
        app,
        theme,
        glyphs,
        screen: Screen::new(width, height, caps.synchronized),
        guard,
        asker,
        transcripts,
        pause: Duration::from_millis(if options.slow { 200 } else { 33 }),
        resumed: None,
    };
    for note in [theme_note, zone_note].into_iter().flatten() {
        console.app.warn(note);
    }
    tracing::info!(
        "console on a terminal of {width}x{height}, {:?} colours, theme {}, {}",
        caps.colours,
        console.theme.name,
        if caps.ascii { "ASCII" } else { "UTF-8" },
    );
    let _keys = drivers::keys::start(&to).map_err(failed)?;
    let _ = to.send(Input::Event(Event::Resize(width, height)));
    match console.turn(&from) {
        Ok(()) => Ok(()),
        // Whoever took the terminal away wants no message on it.
        Err(_) if signals::terminal_gone() => {
            leave_dead();
            Ok(())
        }
        Err(e) => {
            leave();
            Err(failed(e))
        }
    }
}

struct Console {
    app: App,
    theme: Theme,
    glyphs: &'static ui::Glyphs,
    screen: Screen,
    guard: Guard,
    asker: Asker,
    transcripts: Sender<Option<(crate::site::ids::RequestId, u32)>>,
    /// The least time between two frames.
    pause: Duration,
    /// When Ctrl-Z was last come back from.
    resumed: Option<Instant>,
}

impl Console {
    fn turn(&mut self, from: &Receiver<Input>) -> std::io::Result<()> {
        let mut drawn: Option<Instant> = None;
        let mut changed = true;
        let mut tick = Instant::now();
        loop {
            if Instant::now() >= tick {
                if signals::terminal_gone() {
                    leave_dead();
                    return Ok(());
                }
                // A change of size whose event was lost in a storm of them shows at the next second all the same.
                if let Ok((width, height)) = terminal::size()
                    && (width, height) != self.app.size
                {
                    let _ = self.take(Event::Resize(width, height))?;
                }
                let now = System::now();
                tui_logger::move_events();
                if self.take(Event::Tick(now))? {
                    return Ok(());
                }
                // The next one when the wall clock's second changes, so that its minute shows when it begins.
                let into = u64::from(now.timestamp_subsec_millis() % 1000);
                tick = Instant::now() + Duration::from_millis(1001 - into);
                changed = true;
            }
            let due = drawn.map_or(tick, |drawn| drawn + self.pause);
            if changed && (drawn.is_none() || Instant::now() >= due) {
                self.draw()?;
                drawn = Some(Instant::now());
                changed = false;
            }
            let until = if changed { due.min(tick) } else { tick };
            let mut input = match from.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(input) => Some(input),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            };
            while let Some(one) = input {
                match one {
                    Input::Event(event) => {
                        if self.take(event)? {
                            return Ok(());
                        }
                    }
                    Input::Gone => {
                        leave_dead();
                        return Ok(());
                    }
                    Input::Terminate => return Ok(()),
                    // After a Ctrl-Z of ours the terminal was taken again already.
                    Input::Continued
                        if self.resumed.is_some_and(|at| at.elapsed() < Duration::from_secs(2)) => {}
                    Input::Continued => {
                        self.guard.away(|| ())?;
                        self.forget();
                    }
                }
                changed = true;
                input = from.try_recv().ok();
            }
        }
    }

    /// One event and its effects; true: the console ends.
    fn take(&mut self, event: Event) -> std::io::Result<bool> {
        if let Event::Resize(width, height) = event {
            self.screen.forget(width, height);
        }
        for effect in self.app.update(event) {
            match effect {
                Effect::Ask { id, call, label } => {
                    tracing::trace!("{label}");
                    self.asker.ask(id, call);
                }
                Effect::Transcript(wanted) => {
                    let _ = self.transcripts.send(wanted);
                }
                Effect::Redraw => self.forget(),
                Effect::Suspend => {
                    self.guard.away(signals::stop_self)?;
                    self.resumed = Some(Instant::now());
                    self.forget();
                }
                Effect::Quit => return Ok(true),
            }
        }
        Ok(false)
    }

    fn forget(&mut self) {
        let (width, height) = terminal::size().unwrap_or((80, 24));
        self.app.size = (width, height);
        self.screen.forget(width, height);
    }

    fn draw(&mut self) -> std::io::Result<()> {
        let Rect { width, height, .. } = self.screen.size();
        let mut frame = Buffer::empty(Rect::new(0, 0, width, height));
        ui::draw(&self.app, &self.theme, self.glyphs, &mut frame);
        self.screen.show(frame, &mut std::io::stdout().lock())
    }
}

/// What the terminal can do, or the sentence that says why there is none.
fn caps(options: &Options) -> Result<Caps> {
    let windows = std::env::consts::FAMILY == "windows";
    let none = |why: &str| {
        Failure::new(
            Exit::Usage,
            "no-terminal",
            format!("the console needs a terminal: {why}"),
            "`pcm status` shows the same without one, `pcm list` all requests, `pcm log -f` the log",
        )
    };
    if !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
        return Err(none("standard input or output is none"));
    }
    Caps::of(|name| std::env::var(name).ok(), windows, options.no_color, options.ascii).map_err(|e| none(e.0))
}

/// The theme that was asked for, or by the role, or by the configuration.
fn theme(options: &Options, config: &Config, caps: Caps) -> Result<(Theme, Option<SafeText>)> {
    let folder = theme_folder();
    let of_role = || {
        let role = config.role.as_str();
        config.console.roles.iter().find(|(known, _)| known == role).map(|(_, theme)| theme.clone())
    };
    let name = options.theme.clone().or_else(of_role).unwrap_or_else(|| config.console.theme.clone());
    match Theme::load(&name, folder.as_deref(), caps.colours) {
        Ok(theme) => Ok((theme, None)),
        Err(e) if options.theme.is_some() => {
            Err(Failure::new(Exit::Usage, "no-theme", e.to_string(), "Name another one with --theme"))
        }
        // A wrong line in a configuration is no reason to have no console at three in the morning.
        Err(e) => Ok((Theme::fallback(), Some(safe!("{e}; the default theme is shown")))),
    }
}

/// Where the user's own themes are.
fn theme_folder() -> Option<PathBuf> {
    let var = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let base =
        var("XDG_CONFIG_HOME").or_else(|| var("APPDATA")).or_else(|| Some(var("HOME")?.join(".config")));
    Some(base?.join("pcm").join("themes"))
}

fn keymap(config: &Config) -> Result<Keymap> {
    let Some(path) = &config.console.keymap else { return Ok(Keymap::default()) };
    let wrong = |why: String| {
        Failure::new(
            Exit::Usage,
            "bad-keymap",
            format!("the keymap {} cannot be used: {why}", path.display()),
            "Correct it, or take `keymap` out of [console]",
        )
    };
    let text = std::fs::read_to_string(path).map_err(|e| wrong(e.to_string()))?;
    Keymap::with(&text).map_err(|mistakes| wrong(mistakes.join("; ")))
}

fn listen(to: &Sender<Input>) -> std::io::Result<()> {
    let to = to.clone();
    signals::listen(move |signal| match signal {
        Signal::HangUp => {
            // Nothing is written to a dead terminal, and nothing here is worth waiting for.
            leave_dead();
            std::process::exit(129);
        }
        Signal::Terminate => {
            let _ = to.send(Input::Terminate);
            // A terminal that takes no more bytes must not keep the process.
            let late = || {
                std::thread::sleep(Duration::from_secs(2));
                std::process::exit(143);
            };
            if drivers::spawn("end", late).is_err() {
                std::process::exit(143);
            }
        }
        Signal::Continue => {
            let _ = to.send(Input::Continued);
        }
    })
}

/// Collects traces for the diagnostics view, unless somebody else collects them already.
fn traces() {
    use tracing_subscriber::prelude::*;
    tui_logger::set_default_level(tui_logger::LevelFilter::Info);
    let _ = tracing_subscriber::registry().with(tui_logger::TuiTracingSubscriberLayer).try_init();
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::console::theme::ColourLevel;

    const CAPS: Caps = Caps { colours: ColourLevel::True, ascii: false, synchronized: true };

    fn chosen(options: &Options, role: &str) -> Theme {
        let mut config = Config { role: role.into(), ..Config::default() };
        config.console.roles = vec![("production".into(), "production".into())];
        theme(options, &config, CAPS).unwrap().0
    }

    #[test]
    fn a_role_may_have_a_theme_of_its_own_and_the_command_line_comes_first() {
        assert_eq!(chosen(&Options::default(), "production").name, "production");
        assert_eq!(chosen(&Options::default(), "test").name, "default");
        let named = Options { theme: Some("nord".into()), ..Options::default() };
        assert_eq!(chosen(&named, "production").name, "nord");
    }

    #[test]
    fn a_wrong_theme_of_the_configuration_is_told_and_does_not_keep_the_console_away() {
        let mut config = Config::default();
        config.console.theme = "nobody".into();
        let (shown, note) = theme(&Options::default(), &config, CAPS).unwrap();
        assert_eq!(shown.name, "default");
        assert!(note.unwrap().as_str().contains("nobody"));
        let named = Options { theme: Some("nobody".into()), ..Options::default() };
        assert_eq!(theme(&named, &config, CAPS).unwrap_err().exit, Exit::Usage as u8);
    }
}
