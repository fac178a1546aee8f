//! The service control manager, behind `host::supervisor`: pcm does not register with it yet.

use crate::host::supervisor::{Registration, Timer};
use std::time::Duration;

pub fn notify_ready() {}

pub fn notify_alive() {}

pub fn notify_stopping() {}

pub fn patience() -> Option<Duration> {
    None
}

pub fn is_running() -> bool {
    false
}

pub fn is_enabled(_file: &std::path::Path) -> bool {
    false
}

pub fn registration(_command: &[String]) -> Option<Registration> {
    None
}

pub fn timers(_name: &str, _home: Option<&std::path::Path>) -> Option<Vec<std::path::PathBuf>> {
    None
}

/// A scheduled task for each command: a task starts one.
pub fn timer(
    name: &str,
    minutes: u32,
    commands: &[Vec<String>],
    _needs: &[&std::path::Path],
) -> Option<Timer> {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let quoted = |word: &String| if word.contains(' ') { format!("\"{word}\"") } else { word.clone() };
    let tasks = || commands.iter().enumerate().map(|(n, command)| (format!("{name}-{}", n + 1), command));
    let minutes = minutes.to_string();
    let create = |(task, command): (String, &Vec<String>)| {
        let line = command.iter().map(quoted).collect::<Vec<_>>().join(" ");
        words(&["schtasks", "/Create", "/F", "/TN", &task, "/SC", "MINUTE", "/MO", &minutes, "/TR", &line])
    };
    Some(Timer {
        files: Vec::new(),
        enable: tasks().map(create).collect(),
        disable: tasks().map(|(task, _)| words(&["schtasks", "/Delete", "/F", "/TN", &task])).collect(),
        runs: true,
        note: Some("It runs while you are logged on.".to_owned()),
    })
}
