//! Keymap files, and that README's keys, key file and defaults are the same.
#![allow(clippy::unwrap_used)]

use super::*;

#[test]
fn no_key_means_two_things_at_once() {
    assert_eq!(Keymap::default().clashes(), Vec::<String>::new());
}

#[test]
fn every_default_key_is_a_key_and_reads_back() {
    for command in COMMANDS {
        for key in command.keys {
            let read: Key = key.parse().unwrap();
            assert_eq!(read.to_string().parse::<Key>(), Ok(read), "{key}");
        }
    }
}

#[test]
fn all_mistakes_of_a_keymap_are_told_at_once_with_their_lines() {
    let mistakes = Keymap::with(
        "# mine\nrun = \"Ctrl-Shift-Q\"\nfly = \"f\"\ndefer = \"x\"\nstop = 7\nquit = []\nhelp = \"Ctrl-c\"\nsort = = \"a\"\n",
    )
    .unwrap_err();
    let lines: Vec<_> = mistakes.iter().filter_map(|m| m.split(':').next()).collect();
    // The last two: Ctrl-c is both refused by itself and a clash with what has it; a broken line is one mistake.
    assert_eq!(
        lines,
        ["line 2", "line 3", "line 5", "line 6", "line 7", "line 7", "line 8"],
        "{mistakes:#?}"
    );
}

#[test]
fn a_clash_is_told_with_the_line_that_made_it() {
    let mistakes = Keymap::with("run = \"r\"\ndefer = \"x\"\n").unwrap_err();
    assert_eq!(mistakes, ["line 2: x means both defer and stop"]);
    // The same key in panes that never have it at once is none.
    assert!(Keymap::with("filter = \"F\"\nsearch = \"F\"\n").is_ok());
}

#[test]
fn nothing_that_changes_something_is_or_can_be_on_a_ctrl_chord() {
    for command in COMMANDS.iter().filter(|c| c.id.operates()) {
        assert!(!command.keys.iter().any(|key| key.starts_with("Ctrl-")), "{}", command.name);
        let mistakes = Keymap::with(&format!("{} = \"Ctrl-g\"\n", command.name)).unwrap_err();
        assert!(mistakes[0].contains("may not be on a Ctrl chord"), "{mistakes:?}");
    }
    assert_eq!(Keymap::with("down = \"Ctrl-n\"\n").unwrap().of(Id::Down), [Key::Ctrl('n')]);
}

#[test]
fn a_keymap_replaces_only_what_it_names() {
    let map = Keymap::with("run = [\"X\", \"Delete\"]").unwrap();
    assert_eq!(map.of(Id::Run), [Key::Char('X'), Key::Delete]);
    assert_eq!(map.of(Id::Defer), [Key::Char('d')]);
}

#[test]
fn the_key_file_holds_every_command_and_reads_back() {
    let text = Keymap::default().file();
    let read = Keymap::with(&text).unwrap();
    for command in COMMANDS {
        assert!(text.contains(&format!("\n{} = [", command.name)), "{}", command.name);
        assert_eq!(read.of(command.id), Keymap::default().of(command.id), "{}", command.name);
    }
}

/// The table of all keys is `.github/docs/keys.md` (cli::reference); README names those that matter.
#[test]
fn the_keys_of_the_readme_are_keys_of_the_console() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let table = readme.split_once("| key | what it does |\n| --- | --- |\n").unwrap().1;
    let rows: Vec<&str> = table.lines().take_while(|line| line.starts_with('|')).collect();
    assert_eq!(rows.len(), 12);
    for row in rows {
        for key in row.split('|').nth(1).unwrap().split('`').skip(1).step_by(2) {
            let key: Key = key.parse().unwrap();
            let known = COMMANDS.iter().any(|command| Keymap::default().of(command.id).contains(&key));
            assert!(known, "{key}: {row}");
        }
    }
}
