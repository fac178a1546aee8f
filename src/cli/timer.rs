//! `pcm site install-timer`: lets the system advance jobs and renew what is published, or collect reports, every five minutes.

use super::App;
use super::args::FolderArgs;
use super::folder;
use super::page::Page;
use super::service::tell_supervisor;
use super::time::absolute;
use crate::error::{Exit, Failure, Result};
use crate::host::open::remote;
use crate::host::supervisor::{self, Timer};
use crate::host::{durable, process};
use crate::rollout::collected::NAME;
use crate::site::folder::Folder;
use crate::site::publisher::sign;
use crate::text::{SafeText, shell_word};
use serde::Serialize;
use std::path::Path;

/// In minutes: how often jobs advance, or reports are collected. A halt reaches nobody who has launched, and this is most of
/// the time until it is in force (`rollout::halted`).
pub(crate) const MINUTES: u32 = 5;

/// `site install-timer --json`
#[derive(Debug, Serialize)]
struct TimerDoc {
    /// The files that the system reads.
    files: Vec<FileDoc>,
    /// What the system is told.
    commands: Vec<SafeText>,
    /// How it is undone.
    undo: Vec<SafeText>,
    /// How often it runs, in minutes.
    minutes: u32,
    /// It runs from now on.
    started: bool,
    /// What has to be known or done beside.
    notes: Vec<SafeText>,
    /// Nothing was written: it is what would be done.
    dry_run: bool,
}

/// One file.
#[derive(Debug, Serialize)]
struct FileDoc {
    /// Where it is written.
    path: SafeText,
    /// What is written.
    text: String,
}

/// `pcm site install-timer`
pub fn run(app: &App, named: &FolderArgs, collects: bool) -> Result<Exit> {
    let folder = folder::open(app, named)?;
    let exe = process::own_executable().map_err(|e| {
        let message = format!("pcm's own file is not to be found: {e}");
        Failure::new(Exit::Failed, "service", message, "Install pcm again")
    })?;
    let dir = absolute(&folder.dir).display().to_string();
    // Whoever runs it has another home, or none: the key is named by its whole path.
    let key = folder::own_key(app, &folder).map(|key| absolute(&key)).filter(|_| !collects);
    if let Some(key) = &key {
        sign::check(key)?;
    }
    let notes = match collects {
        true => vec![format!("It reads the reports and writes {NAME} on the share; it changes no job.")],
        false => notes(app, &folder, key.as_deref()),
    };
    let key = key.map(|key| key.display().to_string());
    let command = |verb: &[&str]| {
        let mut words = vec![exe.display().to_string()];
        words.extend(app.setup.layout.naming_flags());
        words.extend(verb.iter().chain(&["--folder", dir.as_str()]).map(|word| (*word).to_owned()));
        words.extend(key.iter().flat_map(|key| ["--key".to_owned(), key.clone()]));
        words
    };
    // A halt comes first, and shows; what is published is renewed whatever became of that.
    let advance = [command(&["job", "advance"]), command(&["site", "publish", "--renew"])];
    let collect = [command(&["site", "collect"])];
    let name = folder.settings.timer_name();
    let (name, commands) = match collects {
        true => (format!("{name}-collect"), &collect[..]),
        false => (name, &advance[..]),
    };
    // A bucket is mounted nowhere.
    let share = Some(folder.share()).filter(|share| !remote::is_remote(share));
    let places: Vec<&Path> = [Path::new(&dir)].into_iter().chain(share.as_deref()).collect();
    let timer = supervisor::timer(&name, MINUTES, commands, &places);
    let timer = timer.ok_or_else(|| {
        let message = "the timer was not written: neither XDG_CONFIG_HOME nor HOME names a folder for it";
        Failure::new(Exit::Failed, "not-written", message, "Set HOME to your home folder, or act as root")
    })?;
    if !app.dry_run {
        install(&timer)?;
    }
    let line = |words: &Vec<String>| {
        SafeText::new(&words.iter().map(|word| shell_word(word)).collect::<Vec<_>>().join(" "))
    };
    let doc = TimerDoc {
        files: timer
            .files
            .iter()
            .map(|(path, text)| FileDoc {
                path: SafeText::new(&path.display().to_string()),
                text: text.clone(),
            })
            .collect(),
        commands: timer.enable.iter().map(line).collect(),
        undo: timer.disable.iter().map(line).collect(),
        minutes: MINUTES,
        started: timer.runs && !app.dry_run,
        notes: notes.into_iter().chain(timer.note.clone()).map(|note| SafeText::new(&note)).collect(),
        dry_run: app.dry_run,
    };
    app.out.view(&doc, || page(app, &doc, collects))?;
    Ok(Exit::Done)
}

fn install(timer: &Timer) -> Result<()> {
    for (path, text) in &timer.files {
        let parent = path.parent().unwrap_or(path);
        let written = std::fs::create_dir_all(parent).and_then(|()| durable::write(path, text.as_bytes()));
        written.map_err(|e| {
            let message = format!("{} cannot be written: {e}", path.display());
            Failure::new(Exit::Failed, "not-written", message, "Act as somebody who may write there")
        })?;
    }
    if timer.runs { tell_supervisor(&timer.enable) } else { Ok(()) }
}

fn notes(app: &App, folder: &Folder, key: Option<&Path>) -> Vec<String> {
    let mut notes = vec![
        "It changes the phases of jobs and renews what is published; it publishes no other edit of the site folder.".to_owned(),
        "If the key has a passphrase, it signs nothing: nobody is there to type it.".to_owned(),
    ];
    let file = match folder.settings.key {
        Some(_) => folder.dir.join(crate::site::folder::NAME),
        None => app.setup.layout.config.clone(),
    };
    match key {
        Some(key) if key.extension().is_some_and(|ending| ending == "pub") => notes.push(format!(
            "The private half of `key` in {} is held by an agent or a token, and a timer has none: name a key file.",
            file.display()
        )),
        Some(_) => {}
        None => notes.push("No key is named in site.toml: what it publishes is not signed.".to_owned()),
    }
    notes
}

fn page(app: &App, doc: &TimerDoc, collects: bool) -> Page {
    let mut page = Page::new(app.out.width);
    let verb = if doc.dry_run { "would be written" } else { "is written" };
    for file in &doc.files {
        page.line(format!("{} {verb}.", file.path));
        for line in file.text.lines().filter(|_| doc.dry_run) {
            page.line(format!("  {line}"));
        }
    }
    let told = if doc.started { "The system was told" } else { "The system has to be told" };
    page.line(format!("{told}:"));
    for command in &doc.commands {
        page.line(format!("  {command}"));
    }
    page.line(match collects {
        true => "Every five minutes: pcm site collect. To undo it:",
        false => "Every five minutes: pcm job advance, then pcm site publish --renew. To undo it:",
    });
    for command in &doc.undo {
        page.line(format!("  {command}"));
    }
    for note in &doc.notes {
        page.line(note);
    }
    page
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn its_files_are_written_where_they_belong_and_nobody_is_told_where_nobody_listens() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("systemd/user/pcm-site-BP0.timer");
        let timer = Timer {
            files: vec![(path.clone(), "[Timer]\n".into())],
            enable: vec![vec!["/nowhere/systemctl".into()]],
            disable: Vec::new(),
            runs: false,
            note: None,
        };
        install(&timer).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "[Timer]\n");
        assert_eq!(install(&Timer { runs: true, ..timer }).unwrap_err().code, "service");
    }
}
