//! Records as rows of text.

use crate::cli::time::zone_words;
use crate::clock::Zone;
use crate::error::{Exit, Failure, Result};
use crate::log::codes::{self, Explained};
use crate::log::{Level, Record};
use crate::text::SafeText;
use chrono::{Datelike, NaiveDate, NaiveDateTime, Timelike};

/// Turns records into rows. On a terminal the date is said when it changes, elsewhere in every row.
pub struct Rows {
    zone: Zone,
    /// Several files: each row says which.
    pub several: bool,
    /// Several hosts: how wide their column is.
    pub hosts: usize,
    /// What codes mean stands below a record.
    pub explains: bool,
    terminal: bool,
    date: Option<NaiveDate>,
}

impl Rows {
    /// No row yet.
    pub fn new(zone: Zone, terminal: bool) -> Self {
        Self { zone, several: false, hosts: 0, explains: false, terminal, date: None }
    }

    /// One record as JSON.
    ///
    /// # Errors
    /// It cannot be written so.
    pub fn document(&self, record: &Record) -> Result<String> {
        let document = match self.codes(record) {
            codes if codes.is_empty() => serde_json::to_string(record),
            codes => serde_json::to_value(record).and_then(|mut document| {
                document["codes"] = serde_json::to_value(codes)?;
                serde_json::to_string(&document)
            }),
        };
        document.map_err(|e| {
            Failure::new(Exit::Failed, "output", format!("cannot print a record: {e}"), "Report this")
        })
    }

    /// What its codes mean, where that is wanted.
    pub fn codes(&self, record: &Record) -> Vec<Explained> {
        let lines = record.text.iter().map(SafeText::as_str);
        if self.explains { codes::of_lines(lines, record.component.as_str()) } else { Vec::new() }
    }

    /// Appends the lines of one record, each with its end.
    pub fn append(&mut self, record: &Record, to: &mut String) {
        for row in self.of(record) {
            to.push_str(&row);
            to.push('\n');
        }
    }

    /// The lines of one record.
    pub fn of(&mut self, record: &Record) -> Vec<String> {
        self.of_host("", record)
    }

    /// The lines of one record of a host.
    pub fn of_host(&mut self, host: &str, record: &Record) -> Vec<String> {
        let mut rows = Vec::new();
        let local = record.time.map(|at| self.zone.to_local(at));
        if let (true, Some(local), Some(at)) = (self.terminal, local, record.time)
            && self.date != Some(local.date())
        {
            self.date = Some(local.date());
            let zone = zone_words(self.zone.name(), self.zone.offset_at(at));
            rows.push(format!("-- {}, {zone} --", local.format("%a %Y-%m-%d")));
        }
        let blank = if self.terminal { "        " } else { "                   " };
        let clock = |l: NaiveDateTime| format!("{:02}:{:02}:{:02}", l.hour(), l.minute(), l.second());
        let time = match local {
            None => blank.to_owned(),
            Some(l) if self.terminal => clock(l),
            Some(l) => format!("{:04}-{:02}-{:02} {}", l.year(), l.month(), l.day(), clock(l)),
        };
        let level = match record.level {
            Level::Error => "E",
            Level::Warning => "W",
            Level::Info => " ",
            Level::Verbose => "v",
        };
        let mut lead = format!("{time} {level} ");
        if self.hosts > 0 {
            lead.push_str(&format!("{host:<width$} ", width = self.hosts));
        }
        let indent = " ".repeat(lead.chars().count());
        if self.several {
            lead.push_str(&format!("{}: ", record.file));
        }
        if !record.component.is_empty() {
            lead.push_str(&format!("[{}] ", record.component));
        }
        for (i, line) in record.text.iter().enumerate() {
            rows.push(format!("{}{line}", if i == 0 { &lead } else { &indent }).trim_end().to_owned());
        }
        rows.extend(self.codes(record).iter().map(|code| format!("{indent}= {code}")));
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
            at: None,
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

    #[test]
    fn the_hosts_are_a_column() {
        let mut rows = Rows::new(Zone::utc(), false);
        rows.hosts = 6;
        let text = rows.of_host("db-1", &record(1, Level::Warning, &["one", "two"]));
        assert_eq!(text[0], "2026-11-24 23:01:05 W db-1   [pcmsvc] one");
        assert_eq!(text[1], "                             two");
    }
}
