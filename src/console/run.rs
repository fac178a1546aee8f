//! The start of the console: what the terminal can do, theme, keys, drivers; then `turn` until the end.

use super::app::{App, AppOptions, Event, View};
use super::drivers::{self, Incoming, ask::Asker, logs, transcript};
use super::keymap::Keymap;
use super::saves::{self, Saves};
use super::term::out::{Out, Sent};
use super::term::pace::Pace;
use super::term::{self, Caps, Guard, Screen, leave, leave_dead};
use super::theme::Theme;
use super::threads::spawn;
use super::turn::{Beside, Console};
use super::ui::{self, Painter};
use crate::clock::Zone;
use crate::config::Config;
use crate::error::{Exit, Failure, Result};
use crate::executor::ask::AskAll;
use crate::host::account;
use crate::host::durable;
use crate::host::paths::Layout;
use crate::host::signals::{self, Signal};
use crate::host::terminal;
use crate::rollout::select::Site;
use crate::safe;
use crate::text::SafeText;
use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

/// How the console was started.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Nothing may be changed from here.
    pub read_only: bool,
    /// Draw ASCII only.
    pub ascii: bool,
    /// A slow line: at most 5 frames a second, and no more bytes than 9,600 baud carry.
    pub slow: bool,
    /// No colours.
    pub no_color: bool,
    /// A theme's name; else the configuration's.
    pub theme: Option<String>,
    /// A word beside the machine's name, e.g. `DEMO`.
    pub title: Option<SafeText>,
    /// The machine's own zone; None: UTC.
    pub zone: Option<Zone>,
    /// The site's, where it names one.
    pub site_zone: Option<Zone>,
    /// View 5 is shown first.
    pub rollout: bool,
    /// This program, with the flags that say which installation is meant.
    pub own: Vec<OsString>,
}

/// Runs the console until the operator quits it or the terminal is gone.
///
/// # Errors
/// There is no terminal (exit status 2), a theme or keymap is wrong, the terminal fails, or something was not saved that was being
/// saved when the operator quit.
pub fn run(
    options: Options,
    ask: Arc<dyn AskAll>,
    site: Arc<dyn Site>,
    layout: &Layout,
    config: &Config,
) -> Result<()> {
    let caps = caps(&options)?;
    let (theme, theme_note) = theme(&options, config, caps, |name| std::env::var(name).ok())?;
    let keymap = keymap(config)?;
    let mut app = App::new(AppOptions {
        read_only: options.read_only,
        account: account::own_name(),
        title: options.title.clone(),
        zone: options.zone.clone().unwrap_or_else(Zone::utc),
        site_zone: options.site_zone.clone(),
        keymap,
        terminal: terminal::name().map(|name| SafeText::new(&name)),
        // Where nothing but the oldest is understood, a clipboard is not either.
        clipboard: caps.synchronized,
        site_folder: site.verb(&[]).is_some(),
    });
    if options.rollout {
        app.view = View::Rollout;
    }
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
    let discard = drivers::discard().map_err(failed)?;
    let wishes = drivers::rollout::start(Arc::clone(&site), &to).map_err(failed)?;
    let hands = drivers::afar::Hands::new(Arc::clone(&site), to.clone());
    let save = drivers::save::start(&to).map_err(failed)?;
    let evidence = drivers::evidence::start(options.own.clone(), &to).map_err(failed)?;
    let logs = logs::start(logs::follow(layout, config, app.options.zone.clone()), &to).map_err(failed)?;
    let whole = drivers::whole::start(logs::patterns(layout, config), app.options.zone.clone(), &to)
        .map_err(failed)?;
    listen(&to).map_err(failed)?;
    let glyphs = if caps.ascii { &ui::ASCII } else { &ui::UNICODE };
    let rate = slow_rate(options.slow, terminal::speed());
    let sent = to.clone();
    let out = Out::start(rate, move |what| {
        let _ = sent.send(if what == Sent::Done { Incoming::Out } else { Incoming::Gone });
    })
    .map_err(failed)?;
    let guard = Guard::enter(caps.alternate).map_err(failed)?;
    let (width, height) = term::size();
    let mut screen = Screen::new(width, height, caps.synchronized).scrolling(caps.scrolls);
    screen.cleared(width, height);
    let pace = if rate.is_some() { Pace::slow() } else { Pace::fast() };
    let theme_name = theme.name.clone();
    let mut console = Console {
        app,
        painter: Painter::new(theme, glyphs),
        screen,
        guard,
        asker,
        transcripts,
        logs,
        whole,
        discard,
        save,
        evidence,
        saves: Saves::default(),
        quits: false,
        out,
        pace,
        resumed: None,
        beside: Beside::default(),
        wishes,
        site,
        hands,
        keys: None,
    };
    if let Some(note) = theme_note {
        console.app.warn(note);
    }
    tracing::info!(
        "console on a terminal of {width}x{height}, {:?} colours, theme {}, {}{}",
        caps.colours,
        theme_name,
        if caps.ascii { "ASCII" } else { "UTF-8" },
        rate.map(|rate| format!(", a slow line of {rate} bytes/s")).unwrap_or_default(),
    );
    console.keys = Some(drivers::keys::start(&to, rate.is_some()).map_err(failed)?);
    let _ = to.send(Incoming::Event(Event::Resize(width, height)));
    let ended = console.turn(&from).and_then(|()| console.end_saves(&from));
    durable::abandon();
    match ended {
        Ok(not) => match saves::not_saved(&not) {
            None => Ok(()),
            Some(failure) => {
                leave();
                Err(failure)
            }
        },
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

/// Bytes a second of a line that is slow, because the operator says so or because it is set up for less than what
/// pseudo-terminals are set up for where nobody knows.
fn slow_rate(told: bool, baud: Option<u32>) -> Option<u32> {
    const UNKNOWN: u32 = 38_400;
    const ASSUMED: u32 = 9_600;
    let known = baud.filter(|baud| *baud < UNKNOWN);
    // A start bit, eight bits and a stop bit.
    known.or(told.then_some(ASSUMED)).map(|baud| (baud / 10).max(1))
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

const DEFAULT: &str = "default";
const LIGHT: &str = "light";

/// The theme that was asked for, or by the role, or by the configuration; in the place of the default one that for light
/// backgrounds, where the terminal says that it has one.
fn theme(
    options: &Options,
    config: &Config,
    caps: Caps,
    env: impl Fn(&str) -> Option<String>,
) -> Result<(Theme, Option<SafeText>)> {
    let folder = theme_folder();
    let of_role = || {
        let role = config.role.as_str();
        config.console.roles.iter().find(|(known, _)| known == role).map(|(_, theme)| theme.clone())
    };
    let name = options.theme.clone().or_else(of_role).unwrap_or_else(|| config.console.theme.clone());
    let light = options.theme.is_none() && name == DEFAULT && term::is_light(env);
    let name = if light { LIGHT.to_owned() } else { name };
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

fn listen(to: &Sender<Incoming>) -> std::io::Result<()> {
    let to = to.clone();
    signals::listen(move |signal| match signal {
        Signal::HangUp => {
            // Nothing is written to a dead terminal. One that lives, as where somebody sent the signal, is given back.
            if signals::terminal_gone() {
                leave_dead();
            } else {
                leave();
            }
            durable::abandon();
            std::process::exit(129);
        }
        Signal::Terminate => {
            let _ = to.send(Incoming::Terminate);
            // A terminal that takes no more bytes must not keep the process.
            let late = || {
                durable::abandon();
                std::thread::sleep(Duration::from_millis(900));
                std::process::exit(143);
            };
            if spawn("end", late).is_err() {
                std::process::exit(143);
            }
        }
        Signal::Continue => {
            let _ = to.send(Incoming::Continued);
        }
        Signal::Resize => {
            let _ = to.send(Incoming::Resized);
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

    const CAPS: Caps =
        Caps { colours: ColourLevel::True, ascii: false, synchronized: true, alternate: true, scrolls: true };

    fn chosen(options: &Options, role: &str) -> Theme {
        let mut config = Config { role: role.into(), ..Config::default() };
        config.console.roles = vec![("production".into(), "production".into())];
        theme(options, &config, CAPS, |_| None).unwrap().0
    }

    #[test]
    fn a_role_may_have_a_theme_of_its_own_and_the_command_line_comes_first() {
        assert_eq!(chosen(&Options::default(), "production").name, "production");
        assert_eq!(chosen(&Options::default(), "test").name, "default");
        let named = Options { theme: Some("nord".into()), ..Options::default() };
        assert_eq!(chosen(&named, "production").name, "nord");
    }

    #[test]
    fn on_a_terminal_that_says_that_it_is_light_the_default_is_the_theme_for_that() {
        let on = |options: &Options, said: &str| {
            let env = |name: &str| (name == "COLORFGBG").then(|| said.to_owned());
            theme(options, &Config::default(), CAPS, env).unwrap().0.name
        };
        for (said, name) in [
            ("0;15", "light"),
            ("0;default;15", "light"),
            ("0;7", "light"),
            ("15;0", "default"),
            ("", "default"),
        ] {
            assert_eq!(on(&Options::default(), said), name, "{said}");
        }
        let named = Options { theme: Some("default".into()), ..Options::default() };
        assert_eq!(on(&named, "0;15"), "default", "what was asked for is what is shown");
    }

    #[test]
    fn a_line_is_slow_when_it_is_set_up_so_or_when_the_operator_says_so() {
        assert_eq!(slow_rate(false, Some(38_400)), None);
        assert_eq!(slow_rate(false, Some(115_200)), None);
        assert_eq!(slow_rate(false, None), None);
        assert_eq!(slow_rate(false, Some(9_600)), Some(960));
        assert_eq!(slow_rate(true, Some(38_400)), Some(960));
        assert_eq!(slow_rate(true, Some(19_200)), Some(1_920), "what the line says is better than a guess");
    }

    #[test]
    fn a_wrong_theme_of_the_configuration_is_told_and_does_not_keep_the_console_away() {
        let mut config = Config::default();
        config.console.theme = "nobody".into();
        let (shown, note) = theme(&Options::default(), &config, CAPS, |_| None).unwrap();
        assert_eq!(shown.name, "default");
        assert!(note.unwrap().as_str().contains("nobody"));
        let named = Options { theme: Some("nobody".into()), ..Options::default() };
        assert_eq!(theme(&named, &config, CAPS, |_| None).unwrap_err().exit, Exit::Usage as u8);
    }
}
