//! Every key that a screen names is the one that the key map has for it: with all keys on other ones, none of the old is
//! named anywhere.

use super::fake::Fake;
use super::stage::Stage;
use crate::console::app::{contexts, enabled};
use crate::console::keymap::commands::{COMMANDS, Id};
use crate::console::keymap::{Key, Keymap};
use std::collections::BTreeSet;

/// What these mean is expected of every program in a terminal, and stays.
const FIXED: [Id; 2] = [Id::Interrupt, Id::Suspend];

/// A key map in which each command has one key, which is no other's default: a letter that no other text here has.
fn others() -> Keymap {
    let letters = ('А'..='я').chain('ѐ'..='џ').chain('α'..='ω');
    let lines = COMMANDS.iter().filter(|c| !FIXED.contains(&c.id)).zip(letters);
    let text: String = lines.map(|(command, letter)| format!("{} = \"{letter}\"\n", command.name)).collect();
    Keymap::with(&text).unwrap()
}

/// Presses what the defaults call by these keys, whatever they are called now.
fn press(stage: &mut Stage, keys: &str) {
    for word in keys.split(' ').filter(|word| !word.is_empty()) {
        if let Some(text) = word.strip_prefix('\'') {
            text.chars().for_each(|c| stage.key(Key::Char(c)));
            continue;
        }
        let key: Key = word.parse().unwrap();
        let meant = match stage.app.typing() {
            true => Some(key),
            false => Keymap::default()
                .command(key, contexts(&stage.app))
                .and_then(|id| stage.app.options.keymap.of(id).first().copied()),
        };
        meant.into_iter().for_each(|key| stage.key(key));
    }
}

/// Ways to every view, layer, message and empty list.
const WAYS: &[&str] = &[
    "j",
    "Tab",
    "Tab Tab",
    "Space Space",
    "Space Space Esc",
    "s",
    "s s",
    "v",
    "/ 'a",
    "/ 'a Enter",
    "/ 'nosuch Enter",
    "y",
    "Y",
    "M",
    "p",
    "w",
    "t",
    "?",
    ":",
    ": 'un",
    "Enter",
    "j Enter",
    "Enter Tab",
    "Enter Tab PgUp",
    "e",
    "j e",
    "r",
    "j r",
    "j r Space y",
    "j r Esc",
    "d",
    "D",
    "x",
    "R",
    "h",
    "H",
    "Space Space r",
    "Space j Space d '2h Tab 'x Tab y",
    "2",
    "2 j j j",
    "2 G",
    "2 G Enter",
    "2 s s s",
    "3",
    "3 k",
    "3 m",
    "3 m k m u U",
    "3 / 'packages Enter",
    "3 / 'packages Enter &",
    "3 / 'nosuch Enter",
    "3 l l l",
    "3 i",
    "3 =",
    "3 b",
    "3 b Left Enter",
    "3 Enter",
    "3 t t t",
    "3 = 'nosuch Enter",
    "3 = 'nosuch Enter Esc",
    "/ 'a Enter n",
    "F5",
    "3 c",
    "3 f",
    "3 n",
    "3 u",
    "3 t",
    "3 z",
    "3 S",
    "3 >",
    "4",
    "4 T",
    "6",
    "6 Tab",
    "6 / 'nosuch Enter",
    "6 Enter",
    "7",
    "7 j j j",
    "8",
    "l",
    "j l",
    "Enter l",
    "2 v",
    "2 j j j j j v",
];

/// The words of a text that could be keys.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '(' | ')' | '.'))
}

/// What is said of keys.
const VERBS: &[&str] = &["shows", "lists", "have one", "searches", "marks", "runs", "drops", "there brings"];

/// Default keys that this text names. Digits are counted as well as pressed, and states have symbols: such a word is only
/// a key where it is said what it does.
fn named(text: &str, typing: bool) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let keys = COMMANDS.iter().flat_map(|c| c.keys.iter().map(move |key| (*key, c)));
    for (key, command) in keys.filter(|(_, command)| !FIXED.contains(&command.id)) {
        // Where text is typed, and in a confirmation, these are nobody's to change.
        let is_fixed =
            matches!(key, "Enter" | "Esc" | "Tab" | "Shift-Tab" | "Space" | "Up" | "Down" | "n" | "y");
        if typing && is_fixed {
            continue;
        }
        let is_word = key.chars().all(|c| c.is_ascii_alphabetic()) && key != "x";
        let alone = is_word && words(text).any(|word| word == key);
        let told = VERBS.iter().chain([&command.short]).any(|verb| {
            let phrase = format!("{key} {verb}");
            let mut places = text.match_indices(&phrase).map(|(at, _)| &text[..at]);
            places.any(|before| before.is_empty() || before.ends_with([' ', '(', '│']))
        });
        if alone || told {
            found.insert(key.to_owned());
        }
    }
    found
}

/// Every default key that is named on any way, with where.
fn named_with(keymap: &Keymap) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    for (width, height) in [(80, 24), (132, 40)] {
        for way in WAYS {
            let mut stage = Stage::with(width, height, Fake::new(), false);
            stage.app.options.keymap = keymap.clone();
            stage.tick(1);
            press(&mut stage, way);
            let screen = stage.screen();
            let typing = stage.app.typing();
            let whys = COMMANDS.iter().filter_map(|command| enabled(&stage.app, command.id).err());
            // Its letters are symbols of states, as its words are.
            let legend = |line: &&str| !line.contains(". scheduled  o offered");
            let texts =
                screen.lines().filter(legend).map(str::to_owned).chain(whys.map(|why| why.to_string()));
            for text in texts {
                found.extend(
                    named(&text, typing).into_iter().map(|key| (key, format!("after {way:?}: {text}"))),
                );
            }
        }
    }
    found
}

#[test]
fn no_screen_and_no_reason_names_a_key_that_has_become_another() {
    let found = named_with(&others());
    assert!(found.is_empty(), "{found:#?}");
    let with_defaults: BTreeSet<String> =
        named_with(&Keymap::default()).into_iter().map(|(key, _)| key).collect();
    assert!(with_defaults.len() > 30, "what is looked for is found where it is: {with_defaults:?}");
}

#[test]
fn a_command_without_a_key_is_named_as_the_list_of_commands_finds_it() {
    let mut map = Keymap::with("problems = []\ncommands = \"X\"\n").unwrap();
    assert_eq!(map.hint(Id::Problems).as_str(), "X problems");
    map = Keymap::default();
    assert_eq!(map.hint(Id::Problems).as_str(), "w");
    assert_eq!(map.hint(Id::Results).as_str(), ": results");
}
