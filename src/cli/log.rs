//! `pcm log`: one or several logs merged by time, filtered, followed; as rows or as one JSON object a line.

use super::App;
use super::args::{LevelArg, LogArgs};
use super::time::zone_words;
use crate::clock::Zone;
use crate::error::{Exit, Failure, Result};
use crate::log::follow::{Event, Follower};
use crate::log::merge::merge;
use crate::log::search::{Filter, Search};
use crate::log::{Level, Record, zoned};
use crate::text::{SafeText, Side, parse_time};
use chrono::NaiveDate;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How many records `-f` begins with where no filter says otherwise.
const BEFORE: usize = 20;
/// How often a followed log is looked at.
const STEP: Duration = Duration::from_millis(250);

/// `pcm log`. It ends as grep does: 0 where something was found, 1 where nothing was, 2 where a file cannot be read.
pub fn run(app: &App, args: &LogArgs) -> Result<Exit> {
    let filter = filter(app, args)?;
    let files = files(app, args)?;
    let rows = Rows::new(app.zone.clone(), app.out.width.is_some());
    let mut printer = Printer { app, filter, rows, found: false, failed: false };
    let all = !args.follow || !printer.filter.is_empty();
    let mut follower = Follower::open(&files, zoned(app.zone.clone()), if all { usize::MAX } else { BEFORE });
    printer.rows.several = follower.files().len() > 1;
    if !args.follow {
        printer.print(follower.finish())?;
        return Ok(match (printer.failed, printer.found) {
            (true, _) => Exit::Usage,
            (false, true) => Exit::Done,
            (false, false) => Exit::Failed,
        });
    }
    loop {
        printer.rows.several |= follower.files().len() > 1;
        printer.print(follower.poll())?;
        if !follower.behind() {
            std::thread::sleep(STEP);
        }
    }
}

fn filter(app: &App, args: &LogArgs) -> Result<Filter> {
    let wrong = |why: String, remedy: &str| Failure::new(Exit::Usage, "usage", why, remedy);
    let text = args.grep.as_deref().map(Search::new).transpose().map_err(|why| {
        wrong(format!("--grep: {why}"), "Put a \\ before ( [ * + ? . where it means itself")
    })?;
    let since =
        args.since.as_deref().map(|text| parse_time(text, Side::Last, app.now, &app.zone)).transpose();
    let since = since.map_err(|why| wrong(format!("--since: {why}"), "Name a time that has passed"))?;
    let level = args.level.map(|level| match level {
        LevelArg::Verbose => Level::Verbose,
        LevelArg::Info => Level::Info,
        LevelArg::Warning => Level::Warning,
        LevelArg::Error => Level::Error,
    });
    Ok(Filter { text, level, component: args.component.clone(), since, ..Filter::default() })
}

/// The files that are named, or those of the configuration, or all of the log folder.
fn files(app: &App, args: &LogArgs) -> Result<Vec<PathBuf>> {
    if !args.files.is_empty() {
        let mut plain = args.files.iter().filter(|file| !file.to_string_lossy().contains('*'));
        plain.try_for_each(|file| readable(file, args.follow))?;
        return Ok(args.files.clone());
    }
    let configured = &app.setup.config.log.files;
    if !configured.is_empty() {
        return Ok(configured.iter().map(PathBuf::from).collect());
    }
    let folder = &app.setup.layout.log;
    if !args.follow && !folder.is_dir() {
        return Err(Failure::new(
            Exit::Usage,
            "no-such-file",
            format!("there is no log folder {}", folder.display()),
            "Name a file, or start the service, which makes it",
        ));
    }
    Ok(vec![folder.join("*.LOG")])
}

/// Refuses what cannot be read as a log. With `-f` a file may be still to come.
fn readable(file: &Path, follow: bool) -> Result<()> {
    let cannot = |code: &str, why: String, remedy: &str| Err(Failure::new(Exit::Usage, code, why, remedy));
    if file.is_dir() {
        let why = format!("{} is a folder, not a log", file.display());
        return cannot("unreadable", why, "Name files; \"FOLDER/*\" in quotes means all of a folder");
    }
    // A pipe in its place would keep a plain open waiting.
    match crate::host::open::named(file) {
        Ok(_) => Ok(()),
        Err(e) if e.kind() == ErrorKind::NotFound => match follow {
            true => Ok(()),
            false => {
                let why = format!("there is no file {}", file.display());
                cannot("no-such-file", why, "Correct its name, or wait for it with -f")
            }
        },
        Err(e) => {
            let why = format!("{} cannot be read: {e}", file.display());
            cannot("unreadable", why, "Correct its rights, or read it as root")
        }
    }
}

struct Printer<'a> {
    app: &'a App,
    filter: Filter,
    rows: Rows,
    /// Something was printed.
    found: bool,
    /// Something could not be read.
    failed: bool,
}

impl Printer<'_> {
    /// Prints what came at once in the order of its times, and says what may be missing.
    fn print(&mut self, events: Vec<Event>) -> Result<()> {
        let mut records = Vec::new();
        for event in events {
            match event {
                Event::Record(record) => records.push(record),
                Event::Rotated { .. } => {}
                Event::Truncated { file, copy } => self.app.out.note(match copy {
                    Some(copy) => format!(
                        "{file} was cut; read on from {copy}, what came after that copy may be missing"
                    ),
                    None => format!("{file} was cut: what was written just before may be missing"),
                }),
                Event::Problem { file, message } => {
                    self.failed = true;
                    self.app.out.note(format!("{file}: {message}"));
                }
            }
        }
        for record in merge([records]).iter().filter(|r| self.filter.matches(r)) {
            self.found = true;
            if self.app.out.json {
                self.app.out.object(record)?;
            } else {
                for row in self.rows.of(record) {
                    self.app.out.say(&SafeText::new(&row))?;
                }
            }
        }
        Ok(())
    }
}

/// Prints what is added to a log from now on, as long as somebody reads it: what a service on a terminal does.
pub fn tail(app: &App, file: PathBuf) {
    let rows = Rows::new(app.zone.clone(), app.out.width.is_some());
    let mut printer = Printer { app, filter: Filter::default(), rows, found: false, failed: false };
    let mut follower = Follower::open(&[file], zoned(app.zone.clone()), 0);
    while printer.print(follower.poll()).is_ok() {
        if !follower.behind() {
            std::thread::sleep(STEP);
        }
    }
}

/// Turns records into rows. On a terminal the date is said when it changes, elsewhere in every row.
pub struct Rows {
    zone: Zone,
    /// Several files: each row says which.
    several: bool,
    terminal: bool,
    date: Option<NaiveDate>,
}

impl Rows {
    /// No row yet.
    pub fn new(zone: Zone, terminal: bool) -> Self {
        Self { zone, several: false, terminal, date: None }
    }

    /// The lines of one record.
    pub fn of(&mut self, record: &Record) -> Vec<String> {
        let mut rows = Vec::new();
        let local = record.time.map(|at| self.zone.to_local(at));
        if let (true, Some(local), Some(at)) = (self.terminal, local, record.time)
            && self.date != Some(local.date())
        {
            self.date = Some(local.date());
            let zone = zone_words(self.zone.name(), self.zone.offset_at(at));
            rows.push(format!("-- {}, {zone} --", local.format("%a %Y-%m-%d")));
        }
        let format = if self.terminal { "%H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" };
        let blank = if self.terminal { "        " } else { "                   " };
        let time = local.map_or_else(|| blank.to_owned(), |l| l.format(format).to_string());
        let level = match record.level {
            Level::Error => "E",
            Level::Warning => "W",
            Level::Info => " ",
            Level::Verbose => "v",
        };
        let mut lead = format!("{time} {level} ");
        let indent = " ".repeat(lead.len());
        if self.several {
            lead.push_str(&format!("{}: ", record.file));
        }
        if !record.component.is_empty() {
            lead.push_str(&format!("[{}] ", record.component));
        }
        for (i, line) in record.text.iter().enumerate() {
            rows.push(format!("{}{line}", if i == 0 { &lead } else { &indent }).trim_end().to_owned());
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use chrono::TimeZone;

    fn record(minute: u32, level: Level, text: &[&str]) -> Record {
        let time = chrono::Utc.with_ymd_and_hms(2026, 11, 24, 23, minute, 5).unwrap();
        Record {
            file: "PACMAN.LOG".into(),
            line: 1,
            time: Some(time),
            offset_trusted: true,
            component: "pcmsvc".into(),
            level,
            thread: SafeText::default(),
            source: SafeText::default(),
            text: text.iter().map(|t| SafeText::new(t)).collect(),
            time_text: SafeText::default(),
            near: Some(time),
        }
    }

    #[test]
    fn on_a_terminal_the_date_is_said_when_it_changes() {
        let zone = Zone::from_posix("X", "XST-0:30").unwrap();
        let mut rows = Rows::new(zone, true);
        let first = rows.of(&record(10, Level::Info, &["one"]));
        assert_eq!(first, ["-- Tue 2026-11-24, X, UTC+00:30 --", "23:40:05   [pcmsvc] one"]);
        assert_eq!(rows.of(&record(11, Level::Error, &["two"])), ["23:41:05 E [pcmsvc] two"]);
        assert_eq!(rows.of(&record(40, Level::Info, &["x"]))[0], "-- Wed 2026-11-25, X, UTC+00:30 --");
    }

    #[test]
    fn elsewhere_every_row_has_its_date_and_further_lines_stand_under_the_first() {
        let mut rows = Rows::new(Zone::utc(), false);
        rows.several = true;
        let text = rows.of(&record(1, Level::Warning, &["one", "two"]));
        assert_eq!(text[0], "2026-11-24 23:01:05 W PACMAN.LOG: [pcmsvc] one");
        assert_eq!(text[1], "                      two");
    }
}
