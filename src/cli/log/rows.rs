//! Records as rows of text.

use crate::cli::time::zone_words;
use crate::clock::{Wall, Zone};
use crate::error::{Exit, Failure, Result};
use crate::log::batch::Raw;
use crate::log::codes::{self, Explained};
use crate::log::{Level, Record};
use crate::text::SafeText;
use chrono::{Datelike, NaiveDate, Timelike};

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
    /// The date that was said last.
    pub(super) date: Option<NaiveDate>,
    /// A second since 1970 as rows have it: in a log that rushes by it is that of thousands.
    clock: Option<(i64, String)>,
}

impl Rows {
    /// No row yet.
    pub fn new(zone: Zone, terminal: bool) -> Self {
        Self { zone, several: false, hosts: 0, explains: false, terminal, date: None, clock: None }
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

    /// Appends the lines of a record as it stands in a log: what [`Rows::append`] makes of it, without codes. Its time.
    pub fn append_raw(&mut self, raw: &Raw, to: &mut String) -> Option<Wall> {
        let (facts, time) = raw.facts();
        if let (true, Some(at)) = (self.terminal, time) {
            self.say_date(at, |row| to.extend([row, "\n"]));
        }
        let mut begin = to.len();
        self.append_time(time, to);
        to.extend([" ", word(raw.level()), " "]);
        // Times are written in ASCII.
        let indent = to.len() - begin;
        if self.several {
            to.extend([raw.file().as_str(), ": "]);
        }
        if !facts.component.is_empty() {
            to.push('[');
            raw.append(facts.component, to);
            to.push_str("] ");
        }
        // Lines that are empty stand there only if another one follows.
        let (mut is_first, mut empty) = (true, 0);
        raw.any_line(|line| {
            if !is_first && line.is_empty() {
                empty += 1;
                return false;
            }
            let ended = if is_first { 0 } else { std::mem::take(&mut empty) + 1 };
            for _ in 0..ended {
                end_row(&mut begin, to);
                to.extend(std::iter::repeat_n(' ', indent));
            }
            is_first = false;
            raw.append(line, to);
            false
        });
        end_row(&mut begin, to);
        time
    }

    fn append_time(&mut self, time: Option<Wall>, to: &mut String) {
        let Some(at) = time else { return to.push_str(if self.terminal { BLANK_CLOCK } else { BLANK_TIME }) };
        if self.clock.as_ref().is_none_or(|(second, _)| *second != at.timestamp()) {
            let l = self.zone.to_local(at);
            let clock = format!("{:02}:{:02}:{:02}", l.hour(), l.minute(), l.second());
            let text = match self.terminal {
                true => clock,
                false => format!("{:04}-{:02}-{:02} {clock}", l.year(), l.month(), l.day()),
            };
            self.clock = Some((at.timestamp(), text));
        }
        to.extend(self.clock.as_ref().map(|(_, text)| text.as_str()));
    }

    /// Says the date if it is another one than that of the row above.
    fn say_date(&mut self, at: Wall, say: impl FnOnce(&str)) {
        let date = self.zone.to_local(at).date();
        if self.date.replace(date) != Some(date) {
            let zone = zone_words(self.zone.name(), self.zone.offset_at(at));
            say(&format!("-- {}, {zone} --", date.format("%a %Y-%m-%d")));
        }
    }

    /// The lines of one record.
    pub fn of(&mut self, record: &Record) -> Vec<String> {
        self.of_host("", record)
    }

    /// The lines of one record of a host.
    pub fn of_host(&mut self, host: &str, record: &Record) -> Vec<String> {
        let mut rows = Vec::new();
        if let (true, Some(at)) = (self.terminal, record.time) {
            self.say_date(at, |row| rows.push(row.to_owned()));
        }
        let mut lead = String::new();
        self.append_time(record.time, &mut lead);
        lead.extend([" ", word(record.level), " "]);
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

const BLANK_CLOCK: &str = "        ";
const BLANK_TIME: &str = "                   ";

fn word(level: Level) -> &'static str {
    match level {
        Level::Error => "E",
        Level::Warning => "W",
        Level::Info => " ",
        Level::Verbose => "v",
    }
}

/// The row that begins there has no blanks at its end.
fn end_row(begin: &mut usize, to: &mut String) {
    to.truncate(*begin + to[*begin..].trim_end().len());
    to.push('\n');
    *begin = to.len();
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
    fn a_record_as_it_stands_has_the_same_rows() {
        let text = "[11/28/26 01:02:03] P ==> It failed.\nmore\n\n\nand \tmore  \n\n[11/28/26 01:02:03] Q\u{e9} ==>  \n\
            [11/29/26 01:02:04] \u{1b}[31m ==>\n\n[11/29/26 01:02:05] no component\n\n\nand\n";
        let wrong = b"[11/30/26 01:02:05] caf\xe9 ==> \xff warning \x00\nplain\n<![LOG[\n\none\n]LOG]!><time=\"09:30:55.935+300\" \
            date=\"10-14-2013\" component=\"c\" type=\"0\" thread=\"7\">\n<![LOG[]LOG]!><time=\"\" date=\"\">\n[11/30/26 01:02:06] x\n";
        let mut parser = crate::log::parse::Parser::new("a.log".into(), crate::log::zoned(Zone::utc()));
        let batches = [parser.push_raw(text.as_bytes()), parser.push_raw(wrong)];
        for (terminal, several) in [(false, false), (true, false), (false, true), (true, true)] {
            let [mut as_it_stands, mut made] = [(); 2].map(|()| Rows::new(Zone::utc(), terminal));
            (as_it_stands.several, made.several) = (several, several);
            let [mut raw, mut rows] = [(); 2].map(|()| String::new());
            for batch in &batches {
                for one in batch.raw() {
                    let _ = as_it_stands.append_raw(&one, &mut raw);
                }
                batch.records().iter().for_each(|record| made.append(record, &mut rows));
            }
            assert!(rows.lines().count() > 12, "{rows}");
            assert_eq!(raw, rows);
        }
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
