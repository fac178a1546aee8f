//! `/proc/PID/stat` (proc_pid_stat(5)), read for itself and not by pcm's own reader of it.
#![allow(dead_code)] // a bench that takes this file alone uses some of it

use std::fs;

/// A process, at one moment.
#[derive(Debug, PartialEq, Eq)]
pub struct Stat {
    /// As the process itself may have set it.
    pub name: String,
    pub parent: u32,
    /// It has ended, and somebody may still have to reap it.
    pub dead: bool,
    /// Processor time in hundredths of a second: its own.
    pub own: u64,
    /// And that of the children that it has reaped, and theirs.
    pub reaped: u64,
}

/// None where there is no such process.
pub fn stat(pid: u32) -> Option<Stat> {
    parse(&String::from_utf8_lossy(&fs::read(format!("/proc/{pid}/stat")).ok()?))
}

/// Its own processor time so far, in hundredths of a second; 0 where there is no such process.
pub fn ticks(pid: u32) -> u64 {
    stat(pid).map_or(0, |stat| stat.own)
}

fn parse(text: &str) -> Option<Stat> {
    // The name may itself hold brackets and blanks: the last one ends it.
    let (before, after) = text.rsplit_once(')')?;
    let name = before.split_once('(')?.1.to_owned();
    // By their places, from the state (field 3) on: one of them is -1 where there is no terminal.
    let fields: Vec<&str> = after.split_ascii_whitespace().collect();
    let field = |number: usize| fields.get(number - 3).copied();
    let both = |number: usize| -> Option<u64> {
        Some(field(number)?.parse::<u64>().ok()? + field(number + 1)?.parse::<u64>().ok()?)
    };
    Some(Stat {
        name,
        parent: field(4)?.parse().ok()?,
        dead: matches!(field(3)?, "Z" | "X"),
        own: both(14)?,
        reaped: both(16)?,
    })
}

#[test]
fn a_process_without_a_terminal_has_the_times_of_one_with_a_terminal() {
    let of = |terminal: &str, group: &str| {
        parse(&format!(
            "42 (a) Z 1 (b) S 7 42 41 {terminal} {group} 4194304 1 0 0 0 1 2 30 40 20 0 1 0 987654"
        ))
    };
    let wanted = Stat { name: "a) Z 1 (b".to_owned(), parent: 7, dead: false, own: 3, reaped: 70 };
    assert_eq!(of("34816", "42"), Some(wanted));
    assert_eq!(of("0", "-1"), of("34816", "42"));
    assert!(parse("42 (a) Z 7").is_none() && parse("").is_none());
}
