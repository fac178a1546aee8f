//! `pcm log -f`, and what a service on a terminal prints.

use super::rows::Rows;
use crate::cli::App;
use crate::cli::args::LogArgs;
use crate::error::{Exit, Result};
use crate::log::follow::{Event, Follower};
use crate::log::merge::merge;
use crate::log::search::Filter;
use crate::log::zoned;
use crate::text::SafeText;
use std::path::PathBuf;
use std::time::Duration;

/// How many records `-f` begins with where nothing says otherwise.
const BEFORE: usize = 20;
/// How often a followed log is looked at.
const STEP: Duration = Duration::from_millis(250);

/// Prints what is there and what is added, until nobody reads it.
pub fn run(app: &App, args: &LogArgs, filter: Filter, files: &[PathBuf]) -> Result<Exit> {
    let mut rows = Rows::new(app.zone.clone(), app.out.width.is_some());
    rows.explains = args.explain_codes;
    let mut printer = Printer { app, filter, rows };
    let before = match args.lines {
        Some(lines) => lines,
        None if printer.filter.is_empty() => BEFORE,
        None => usize::MAX,
    };
    let mut follower = Follower::open(files, zoned(app.zone.clone()), before);
    loop {
        printer.rows.several |= follower.files().len() > 1;
        printer.print(follower.poll())?;
        if !follower.behind() {
            std::thread::sleep(STEP);
        }
    }
}

struct Printer<'a> {
    app: &'a App,
    filter: Filter,
    rows: Rows,
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
                Event::Problem { file, message } => self.app.out.note(format!("{file}: {message}")),
            }
        }
        for record in merge([records]).iter().filter(|r| self.filter.matches(r)) {
            if self.app.out.json {
                self.app.out.text(&format!("{}\n", self.rows.document(record)?))?;
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
    let mut printer = Printer { app, filter: Filter::default(), rows };
    let mut follower = Follower::open(&[file], zoned(app.zone.clone()), 0);
    while printer.print(follower.poll()).is_ok() {
        if !follower.behind() {
            std::thread::sleep(STEP);
        }
    }
}
