//! The service control manager, behind `host::supervisor`: pcm does not register with it yet.

use crate::host::supervisor::{Registration, Timer};
use std::path::{Path, PathBuf};
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

/// It starts nothing of pcm, so nobody masks it.
pub fn unmask(mask: &Path) -> String {
    format!("del {}", mask.display())
}

pub fn registration(_command: &[String]) -> Option<Registration> {
    None
}

/// Where the system keeps the tasks of [`timer`], without the first of which there is none. Who may not look is told nothing.
pub fn timers(name: &str, _home: Option<&Path>) -> Option<Vec<PathBuf>> {
    let folder = PathBuf::from(std::env::var_os("SystemRoot")?).join("System32").join("Tasks");
    let mut tasks = Vec::new();
    loop {
        let task = folder.join(task(name, tasks.len() + 1));
        match std::fs::symlink_metadata(&task) {
            Ok(_) => tasks.push(task),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Some(tasks),
            Err(_) => return None,
        }
    }
}

/// The task of its n-th command.
fn task(name: &str, n: usize) -> String {
    format!("{name}-{n}")
}

/// A scheduled task for each command: a task starts one.
pub fn timer(name: &str, minutes: u32, commands: &[Vec<String>], _needs: &[&Path]) -> Option<Timer> {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let quoted = |word: &String| if word.contains(' ') { format!("\"{word}\"") } else { word.clone() };
    let tasks = || commands.iter().enumerate().map(|(n, command)| (task(name, n + 1), command));
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn each_command_has_a_task_that_is_looked_for_under_its_name() {
        let commands: Vec<Vec<String>> = (0..2).map(|n| vec![format!("pcm {n}")]).collect();
        let timer = timer("pcm-site-BP0", 15, &commands, &[]).unwrap();
        let names: Vec<&str> = timer.disable.iter().map(|words| words[4].as_str()).collect();
        assert_eq!(names, [task("pcm-site-BP0", 1), task("pcm-site-BP0", 2)]);
        assert_eq!(timer.enable[0].last().unwrap(), "\"pcm 0\"");
        assert_eq!(timers("pcm-that-nobody-set-up", None), Some(Vec::new()));
    }
}
