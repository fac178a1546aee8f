//! The stage of a test: the app, the fake executor, a terminal's size and a clock that the test turns.

use super::fake::{Fake, NOW, at};
use super::site::Site;
use crate::clock::{Wall, Zone};
use crate::console::app::layout::Layout;
use crate::console::app::{App, AppOptions, Effect, Event, LogLine, Moment};
use crate::console::keymap::{Key, Keymap};
use crate::console::theme::{ANSI, ColourLevel, Theme};
use crate::console::ui::{ASCII, Glyphs, Painter, UNICODE};
use crate::executor::ask::AskAll;
use crate::log::Level;
use crate::text::SafeText;
use chrono::TimeDelta;
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

pub struct Stage {
    pub app: App,
    pub fake: Fake,
    pub now: Wall,
    /// When the newest key went down; each takes a second unless a test says otherwise.
    pub touched: Moment,
    pub size: (u16, u16),
    pub ascii: bool,
    theme: Theme,
    /// What view 5 is about.
    pub site: Option<Site>,
    pub quit: bool,
    pub effects: Vec<Effect>,
    /// Put in the place of every text that comes from elsewhere.
    pub poison: Option<String>,
}

/// Fields whose text is one of the executor's own words or of a kind that parses: no hostile text can be in them.
const OWN: &[&str] = &[
    "answer",
    "blocked_by",
    "changes_on",
    "code",
    "codes",
    "gate",
    "group",
    "holds",
    "job_id",
    "kind",
    "machine",
    "overrides",
    "polling_by",
    "package_id",
    "platforms",
    "request_id",
    "next_request",
    "restarts",
    "run_when",
    "service",
    "severity",
    "site",
    "source",
    "state",
    "trust",
    "verb",
    "verdict",
];

fn poison(value: &mut serde_json::Value, text: &str) {
    match value {
        serde_json::Value::String(own) if own.parse::<Wall>().is_err() => *own = text.to_owned(),
        serde_json::Value::Array(all) => all.iter_mut().for_each(|one| poison(one, text)),
        serde_json::Value::Object(all) => {
            all.iter_mut()
                .filter(|(key, _)| !OWN.contains(&key.as_str()))
                .for_each(|(_, one)| poison(one, text));
        }
        _ => {}
    }
}

/// Lines like those the service writes.
pub fn log_lines() -> Vec<LogLine> {
    let line = |seconds: i64, level: Level, text: &str| LogLine {
        file: "PACMAN.LOG".into(),
        time: Some(at(NOW) + TimeDelta::seconds(seconds)),
        near: Some(at(NOW) + TimeDelta::seconds(seconds)),
        level,
        component: "PCM".into(),
        thread: "1".into(),
        source: SafeText::default(),
        text: text.into(),
        continued: false,
    };
    use Level::*;
    vec![
        line(-700, Info, "Looking for instruction file: /mnt/sms_shr/pcmins.box/BP004000.INS"),
        line(-699, Error, "Executing BP00007 failed: exit 17, no printer found"),
        line(-650, Warning, "Share /mnt/sms_shr answered after 4s"),
        line(-600, Warning, "BP00012: unknown key \"colour\" in PACMAN.INS line 88"),
        line(-192, Info, "Executing command line: setup.sh --silent"),
        line(-12, Info, "Packages before filter: 7"),
        line(-12, Info, "Packages after filter: 5"),
        line(-9, Info, "Job still running (3m12s)"),
    ]
}

impl Stage {
    pub fn new(width: u16, height: u16) -> Stage {
        Stage::with(width, height, Fake::new(), false)
    }

    pub fn with(width: u16, height: u16, fake: Fake, read_only: bool) -> Stage {
        let zone = Zone::from_posix("Europe/Berlin", "CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let options = AppOptions {
            read_only,
            account: "ola".into(),
            title: None,
            zone,
            site_zone: None,
            keymap: Keymap::default(),
            terminal: None,
            clipboard: true,
            site_folder: true,
        };
        let mut stage = Stage {
            app: App::new(options),
            fake,
            now: at(NOW),
            touched: Moment::ZERO,
            size: (width, height),
            ascii: false,
            theme: Theme::load("default", None, ColourLevel::True).unwrap(),
            site: None,
            quit: false,
            effects: Vec::new(),
            poison: None,
        };
        stage.event(Event::Resize(width, height));
        stage.event(Event::Log(log_lines()));
        stage.tick(0);
        stage.tick(0);
        stage
    }

    /// Lets time pass; the executor answers at once.
    pub fn tick(&mut self, seconds: i64) {
        self.now += TimeDelta::seconds(seconds);
        self.event(Event::Tick(self.now));
    }

    pub fn event(&mut self, event: Event) {
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            for effect in self.app.update(event) {
                match &effect {
                    Effect::Ask { id, question, .. } => {
                        let mut answer = self.fake.ask(question);
                        if let (Some(text), Ok(known)) = (&self.poison, &mut answer) {
                            let mut value = serde_json::to_value(&*known).unwrap();
                            poison(&mut value, text);
                            *known = serde_json::from_value(value).unwrap();
                        }
                        events.push(Event::Answered { id: *id, answer });
                    }
                    Effect::Rollout(wish) => {
                        let now = self.now;
                        events
                            .extend(self.site.iter_mut().flat_map(|site| site.news(wish.clone(), now)).rev());
                    }
                    Effect::Quit => self.quit = true,
                    Effect::Discard(_) => continue,
                    Effect::Transcript(Some((request, attempt))) => {
                        let line = |n| self.poison.clone().unwrap_or_else(|| format!("step {n} of 60"));
                        let lines = (1..40).map(|n| line(n).as_str().into()).collect();
                        events.push(Event::Transcript {
                            request: *request,
                            attempt: *attempt,
                            lines,
                            first: 0,
                            cut: false,
                            fault: None,
                        });
                    }
                    _ => {}
                }
                self.effects.push(effect);
            }
        }
        // As the console does: what a frame had room for is known when the next key comes.
        let layout = self.draw(&self.theme, &mut Buffer::empty(Rect::new(0, 0, self.size.0, self.size.1)));
        assert!(self.app.update(Event::Drawn(layout)).is_empty());
    }

    /// A key, pressed by somebody who reads what the one before it did.
    pub fn key(&mut self, key: Key) {
        self.key_after(1000, key);
    }

    /// The same so many milliseconds after the one before.
    pub fn key_after(&mut self, ms: u64, key: Key) {
        self.touched += Moment::from_millis(ms);
        self.event(Event::Key(key, self.touched));
    }

    /// The mouse's button.
    pub fn click(&mut self, x: u16, y: u16) {
        self.touched += Moment::from_secs(1);
        self.event(Event::Click { x, y, at: self.touched });
    }

    /// Keys by name, separated by blanks; `'text'` is typed.
    pub fn keys(&mut self, keys: &str) -> &mut Stage {
        for word in keys.split(' ').filter(|w| !w.is_empty()) {
            if let Some(text) = word.strip_prefix('\'') {
                for c in text.trim_end_matches('\'').chars() {
                    self.key(Key::Char(if c == '_' { ' ' } else { c }));
                }
            } else {
                self.key(word.parse().unwrap());
            }
        }
        self
    }

    pub fn buffer(&self, theme: &Theme) -> Buffer {
        // A frame is drawn on the memory of an earlier one: nothing of what stood there may be left.
        let mut earlier = Cell::new("\u{2588}");
        earlier.set_style(Style::new().fg(ANSI[1]).bg(ANSI[2]).add_modifier(Modifier::all()));
        let mut buffer = Buffer::filled(Rect::new(0, 0, self.size.0, self.size.1), earlier);
        self.draw(theme, &mut buffer);
        buffer
    }

    fn draw(&self, theme: &Theme, buffer: &mut Buffer) -> Layout {
        let glyphs: &'static Glyphs = if self.ascii { &ASCII } else { &UNICODE };
        Painter::new(theme.clone(), glyphs).draw(&self.app, buffer)
    }

    /// What is on the screen, without blanks at the ends of lines.
    pub fn screen(&self) -> String {
        text(&self.buffer(&self.theme))
    }

    /// The whole screen, as it is and in ASCII.
    pub fn picture(&mut self) -> String {
        let shown = self.screen();
        self.ascii = true;
        let ascii = self.screen();
        assert!(ascii.is_ascii(), "{ascii}");
        let differs = shown.lines().zip(ascii.lines()).filter(|(one, other)| one != other);
        let differs: String = differs.map(|(_, other)| format!("{other}\n")).collect();
        format!("{shown}== in ASCII, where it differs\n{differs}")
    }
}

pub fn text(buffer: &Buffer) -> String {
    let mut out = String::new();
    for y in buffer.area.top()..buffer.area.bottom() {
        let mut line = String::new();
        let mut x = 0;
        while x < buffer.area.right() {
            let symbol = buffer[(x, y)].symbol();
            line.push_str(symbol);
            x += unicode_width::UnicodeWidthStr::width(symbol).max(1) as u16;
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}
