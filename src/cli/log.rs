//! `pcm log`: one or several logs merged by time, filtered, followed; as rows or as one JSON object a line.

use super::App;
use super::args::{LevelArg, LogArgs};
use super::time::{Side, parse_time, zone_words};
use crate::clock::{Wall, Zone};
use crate::error::{Exit, Failure, Result};
use crate::log::{Level, Record};
use chrono::NaiveDate;
use regex::Regex;

/// Which records are shown.
pub struct Filter {
    grep: Option<Regex>,
    level: Level,
    since: Option<Wall>,
    component: Option<String>,
}

impl Filter {
    fn new(app: &App, args: &LogArgs) -> Result<Filter> {
        let wrong = |why: String, remedy: &str| Failure::new(Exit::Usage, "usage", why, remedy);
        let grep = match &args.grep {
            None => None,
            Some(re) => Some(Regex::new(re).map_err(|e| {
                let why = e.to_string();
                let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                wrong(
                    format!("--grep: {re:?} is not a regular expression: {why}"),
                    "Put a \\ before ( [ * + ? . to mean it as it is",
                )
            })?),
        };
        let since = match &args.since {
            None => None,
            Some(text) => Some(
                parse_time(text, Side::Last, app.now, &app.zone)
                    .map_err(|why| wrong(format!("--since: {why}"), "Name a time that has passed"))?,
            ),
        };
        let level = match args.level {
            None | Some(LevelArg::Verbose) => Level::Verbose,
            Some(LevelArg::Info) => Level::Info,
            Some(LevelArg::Warning) => Level::Warning,
            Some(LevelArg::Error) => Level::Error,
        };
        Ok(Filter { grep, level, since, component: args.component.clone() })
    }

    /// Whether a record is shown. One without any time counts as old.
    pub fn passes(&self, record: &Record) -> bool {
        record.level >= self.level
            && self.since.is_none_or(|since| record.near.is_some_and(|at| at >= since))
            && self.component.as_ref().is_none_or(|c| record.component.as_str().eq_ignore_ascii_case(c))
            && self.grep.as_ref().is_none_or(|re| re.is_match(&record.full_text()))
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
    pub fn new(zone: Zone, several: bool, terminal: bool) -> Self {
        Self { zone, several, terminal, date: None }
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
