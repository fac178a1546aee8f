//! Whatever is pressed, arrives or is resized: no panic, nothing outside the frame, and only safe characters in it.

use super::fake::{Fake, requests};
use super::stage::{Stage, log_lines};
use crate::clock::Wall;
use crate::console::app::Event;
use crate::console::keymap::Key;
use crate::console::keymap::commands::COMMANDS;
use crate::console::term::Screen;
use crate::console::theme::{BUILT_IN, ColourLevel, Theme};
use crate::error::{Exit, Failure};
use crate::executor::talk::view::ServiceState;
use crate::terms::State;
use crate::text::SafeText;

/// A small generator, so that a seed tells everything.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }
}

const HOSTILE: &[&str] = &[
    "",
    "漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字",
    "\u{1b}[2J\u{1b}]52;c;AAAA\u{7}evil",
    "a\u{202e}b\u{200b}c\te\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}",
    "👩‍👩‍👧‍👦 family 🇩🇪",
    "x",
    "a very long name that goes on and on and on and on and on and on and on and on and on and on and on and on",
    "new\nline\r\nand\u{85}more",
];

fn keys(dice: &mut Dice) -> Key {
    let named = [
        Key::Enter,
        Key::Esc,
        Key::Tab,
        Key::BackTab,
        Key::Backspace,
        Key::Delete,
        Key::Up,
        Key::Down,
        Key::Left,
        Key::Right,
        Key::Home,
        Key::F(1),
        Key::F(5),
        Key::Other,
        Key::End,
        Key::PageUp,
        Key::PageDown,
        Key::Ctrl('u'),
        Key::Ctrl('d'),
        Key::Ctrl('w'),
        Key::Ctrl('k'),
        Key::Ctrl('l'),
        Key::Ctrl('z'),
    ];
    match dice.roll(4) {
        0 => named[dice.roll(named.len())],
        1 => Key::Char(char::from(32 + dice.roll(95) as u8)),
        2 => {
            let with_keys: Vec<_> = COMMANDS.iter().filter(|c| !c.keys.is_empty()).collect();
            let command = with_keys[dice.roll(with_keys.len())];
            command.keys[dice.roll(command.keys.len())].parse().unwrap()
        }
        _ => Key::Char(['é', '漢', '\u{301}', 'y', 'n', '/', ':', 'j'][dice.roll(8)]),
    }
}

fn shake(stage: &mut Stage, dice: &mut Dice) {
    let mut list = stage.fake.list.lock().unwrap();
    match dice.roll(9) {
        0 => list.requests.clear(),
        1 => list.requests = requests(),
        2 => {
            let n = dice.roll(list.requests.len().max(1));
            let state = State::ALL[dice.roll(State::ALL.len())];
            if let Some(row) = list.requests.get_mut(n) {
                (row.state, row.group) = (state, state.group());
                row.package = HOSTILE[dice.roll(HOSTILE.len())].into();
                row.why = HOSTILE[dice.roll(HOSTILE.len())].into();
                row.command = HOSTILE[dice.roll(HOSTILE.len())].into();
            }
        }
        3 => {
            let times = [Wall::MIN_UTC, Wall::MAX_UTC, Wall::UNIX_EPOCH];
            let n = dice.roll(list.requests.len().max(1));
            if let Some(row) = list.requests.get_mut(n) {
                row.mandatory_after = Some(times[dice.roll(3)]);
                row.offer_after = Some(times[dice.roll(3)]);
                row.expire_after = Some(times[dice.roll(3)]);
                row.next_run = Some(times[dice.roll(3)]);
                row.deferred_until = Some(times[dice.roll(3)]);
            }
        }
        4 => {
            let mut who = stage.fake.who.lock().unwrap();
            who.source = ["unknown", "utmp"][dice.roll(2)].into();
            who.note = Some(HOSTILE[dice.roll(HOSTILE.len())].into());
            if let Some(session) = who.sessions.first().cloned() {
                let mut session = session;
                session.user = HOSTILE[dice.roll(HOSTILE.len())].into();
                session.idle_s = Some(u64::MAX);
                who.sessions.push(session);
            }
        }
        5 => {
            let mut broken = stage.fake.broken.lock().unwrap();
            *broken = match broken.take() {
                Some(_) => None,
                None => Some(Failure::new(Exit::Failed, "gone", HOSTILE[2], HOSTILE[6])),
            };
        }
        6 => {
            let mut status = stage.fake.status.lock().unwrap();
            status.host = HOSTILE[dice.roll(HOSTILE.len())].into();
            status.service = [ServiceState::Running, ServiceState::Stopped][dice.roll(2)];
            status.held_until = [None, Some(stage.now)][dice.roll(2)];
            status.trust = ["permissions", "signed"][dice.roll(2)].into();
            status.may_operate = dice.roll(4) > 0;
        }
        7 => list.requests.reverse(),
        _ => list.requests = (0..20).flat_map(|_| requests()).collect(),
    }
}

#[test]
fn a_random_walk_of_keys_events_and_sizes_never_panics_and_shows_only_safe_text() {
    let themes: Vec<Theme> =
        BUILT_IN.iter().map(|(name, _)| Theme::load(name, None, ColourLevel::True).unwrap()).collect();
    for seed in 1..=12u64 {
        let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut stage = Stage::with(80, 24, Fake::new(), seed % 7 == 0);
        stage.ascii = seed % 2 == 0;
        let mut screen = Screen::new(80, 24, true).scrolling(true);
        for _ in 0..150 {
            let (x, y) = (dice.roll(220) as u16, dice.roll(70) as u16);
            match dice.roll(14) {
                0 => {
                    stage.size = (1 + dice.roll(220) as u16, 1 + dice.roll(70) as u16);
                    let (width, height) = stage.size;
                    stage.event(Event::Resize(width, height));
                }
                1 => shake(&mut stage, &mut dice),
                2 => {
                    let mut lines = log_lines();
                    lines[0].text = HOSTILE[dice.roll(HOSTILE.len())].into();
                    stage.event(Event::Log(lines));
                }
                3 => stage.event(Event::Paste(HOSTILE[dice.roll(HOSTILE.len())].into())),
                12 => stage.click(x, y),
                13 => stage.event(Event::Wheel { x, y, down: dice.roll(2) == 0 }),
                4 | 5 => stage.tick(dice.roll(5) as i64),
                _ => {
                    let key = keys(&mut dice);
                    stage.key(key);
                }
            }
            let theme = &themes[dice.roll(themes.len())];
            let buffer = stage.buffer(theme);
            for cell in buffer.content() {
                let safe = SafeText::new(cell.symbol());
                assert_eq!(safe.as_str(), cell.symbol(), "seed {seed}");
                assert!(!stage.ascii || cell.symbol().is_ascii(), "seed {seed}: {:?}", cell.symbol());
            }
            screen.show(buffer, &mut std::io::sink()).unwrap();
        }
    }
}

#[test]
fn nothing_happened_is_no_byte() {
    let mut stage = Stage::new(80, 24);
    // Nothing runs, so that no elapsed time moves.
    stage.fake.list.lock().unwrap().requests.retain(|r| r.run.is_none());
    stage.tick(1);
    let theme = Theme::fallback();
    let mut screen = Screen::new(80, 24, true);
    screen.show(stage.buffer(&theme), &mut std::io::sink()).unwrap();
    let mut written = Vec::new();
    for _ in 0..40 {
        stage.tick(1);
        screen.show(stage.buffer(&theme), &mut written).unwrap();
    }
    assert_eq!(written.len(), 0, "{}", stage.screen());
}

#[test]
fn a_keystroke_costs_under_300_bytes_at_the_design_size() {
    let theme = Theme::load("default", None, ColourLevel::Ansi16).unwrap();
    let mut stage = Stage::new(80, 24);
    let mut screen = Screen::new(80, 24, true);
    screen.show(stage.buffer(&theme), &mut std::io::sink()).unwrap();
    for key in ["j", "j", "k", "j", "j", "j", "k"] {
        let mut written = Vec::new();
        stage.keys(key);
        screen.show(stage.buffer(&theme), &mut written).unwrap();
        let cost = written.len();
        println!("{key}: {cost} bytes");
        assert!(cost < 300, "{key} cost {cost} bytes");
    }
}

#[test]
fn a_frame_is_one_synchronized_update_in_one_write_and_asks_nothing() {
    struct Writes(Vec<Vec<u8>>);
    impl std::io::Write for Writes {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.push(bytes.to_vec());
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let stage = Stage::new(120, 36);
    let mut out = Writes(Vec::new());
    Screen::new(120, 36, true).show(stage.buffer(&Theme::fallback()), &mut out).unwrap();
    assert_eq!(out.0.len(), 1);
    let text = String::from_utf8(out.0.remove(0)).unwrap();
    assert!(text.starts_with("\x1b[?2026h") && text.ends_with("\x1b[?2026l"));
    for query in ["\x1b[6n", "\x1b[c", "\x1b[?u", "\x1b[>", "\x1b[2J", "\x1b]"] {
        assert!(!text.contains(query), "{query:?}");
    }
    let mut out = Writes(Vec::new());
    Screen::new(120, 36, false).show(stage.buffer(&Theme::fallback()), &mut out).unwrap();
    assert!(!String::from_utf8(out.0.remove(0)).unwrap().contains("2026"));
}
