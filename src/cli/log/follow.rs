//! `pcm log -f`, and what a service on a terminal prints.

use super::rows::Rows;
use crate::cli::App;
use crate::cli::args::LogArgs;
use crate::clock::Wall;
use crate::error::{Exit, Failure, Result};
use crate::host::tail::Watch;
use crate::log::follow::{Event, Follower, Pace};
use crate::log::merge::{is_wrong, merge};
use crate::log::search::Filter;
use crate::log::{Record, zoned};
use crate::safe;
use crate::text::SafeText;
use serde::Serialize;
use std::collections::VecDeque;
use std::path::PathBuf;

/// How many records `-f` begins with where nothing says otherwise.
const BEFORE: usize = 20;
/// So much is printed at once.
const BATCH: usize = 64 * 1024;
/// Of a filter's records no more are held to begin with.
const MOST_HELD: usize = 100_000;

/// Prints what is there and what is added, until nobody reads it.
pub fn run(app: &App, args: &LogArgs, filter: Filter, files: &[PathBuf]) -> Result<Exit> {
    // Which of them pass is known only once they are read.
    let first = args.lines.filter(|_| !filter.is_empty());
    if first.is_some_and(|most| most > MOST_HELD) {
        return Err(super::wrong(
            format!("-f -n with a filter begins with at most {MOST_HELD} records"),
            "Name fewer, or leave out -n: all that pass are printed then",
        ));
    }
    let before = match args.lines {
        Some(lines) if filter.is_empty() => lines,
        None if filter.is_empty() => BEFORE,
        Some(_) | None => usize::MAX,
    };
    let mut rows = Rows::new(app.zone.clone(), app.out.width.is_some());
    rows.explains = args.explain_codes;
    let mut printer = Printer { app, filter, rows, first: first.map(First::new), text: String::new() };
    let mut follower = Follower::open(files, zoned(app.zone.clone()), before).raw();
    let mut pace = Pace::new(Watch::new().map_err(no_watch)?.0);
    loop {
        printer.rows.several |= follower.files().len() > 1;
        printer.print(pace.poll(&mut follower))?;
        if !follower.behind() {
            printer.begin()?;
        }
        pace.wait(&follower);
    }
}

struct Printer<'a> {
    app: &'a App,
    filter: Filter,
    rows: Rows,
    /// What is there to begin with, as long as it is read.
    first: Option<First>,
    /// What is printed at once.
    text: String,
}

/// The last records so far of what is there to begin with, and what may be missing among them: that is printed where it
/// stands, whatever becomes of the records before it.
struct First {
    /// So many are printed.
    most: usize,
    /// So many were read.
    read: u64,
    records: VecDeque<(u64, Record)>,
    /// Each with how many records were read before it.
    gaps: Vec<(u64, Gap)>,
}

impl First {
    fn new(most: usize) -> First {
        First { most, read: 0, records: VecDeque::new(), gaps: Vec::new() }
    }

    fn record(&mut self, record: Record) {
        self.records.push_back((self.read, record));
        self.read += 1;
        if self.records.len() > self.most {
            self.records.pop_front();
        }
    }

    fn gap(&mut self, gap: Gap) {
        self.gaps.push((self.read, gap));
    }

    /// All of it, each in its place.
    fn each(&self, mut print: impl FnMut(Held<'_>) -> Result<()>) -> Result<()> {
        let mut gaps = self.gaps.iter().peekable();
        for (at, record) in &self.records {
            while let Some((_, gap)) = gaps.next_if(|(before, _)| before <= at) {
                print(Held::Gap(gap))?;
            }
            print(Held::Record(record))?;
        }
        gaps.try_for_each(|(_, gap)| print(Held::Gap(gap)))
    }
}

/// One thing that is printed later.
enum Held<'a> {
    Record(&'a Record),
    Gap(&'a Gap),
}

/// What stands among records read as JSON where some may be missing.
#[derive(Serialize)]
struct Gap {
    file: SafeText,
    gap: SafeText,
}

impl Printer<'_> {
    /// Prints what came at once in the order of its times, and where something may be missing, that it may.
    fn print(&mut self, events: Vec<Event>) -> Result<()> {
        let date = self.rows.date;
        if !self.print_raw(&events) {
            self.text.clear();
            self.rows.date = date;
            self.print_each(events)?;
        }
        self.flush()
    }

    /// The same of one log, its records as they stand. False: by their times they come in another order, or not as they stand.
    fn print_raw(&mut self, events: &[Event]) -> bool {
        let as_they_stand = self.first.is_none() && self.filter.is_empty() && !self.rows.explains;
        if !as_they_stand || self.app.out.json {
            return false;
        }
        let (mut of, mut newest) = (None, None);
        let mut in_order = |at: Option<Wall>| {
            let wrong = at.is_some_and(|at| is_wrong(newest, at));
            newest = newest.max(at);
            !wrong
        };
        events.iter().all(|event| match event {
            Event::Record(record) => {
                self.rows.append(record, &mut self.text);
                *of.get_or_insert(&record.file) == &record.file && in_order(record.time)
            }
            Event::Batch(batch) => {
                let mut rows = batch.raw().map(|raw| self.rows.append_raw(&raw, &mut self.text));
                *of.get_or_insert(batch.file()) == batch.file() && rows.all(&mut in_order)
            }
            Event::Rotated { .. } => true,
            Event::Truncated { .. } | Event::Problem { .. } => false,
        })
    }

    fn flush(&mut self) -> Result<()> {
        let text = std::mem::take(&mut self.text);
        if !text.is_empty() {
            self.app.out.text(&text)?;
        }
        // The next time it is as long.
        self.text = text;
        self.text.clear();
        Ok(())
    }

    fn print_each(&mut self, events: Vec<Event>) -> Result<()> {
        let mut records = Vec::new();
        for event in events {
            let (file, gap) = match event {
                Event::Record(record) => {
                    records.push(record);
                    continue;
                }
                Event::Batch(batch) => {
                    records.extend(batch.records());
                    continue;
                }
                Event::Rotated { .. } => continue,
                Event::Truncated { file, copy: Some(copy) } => {
                    let gap = safe!("was cut; read on from {copy}, what came after that copy may be missing");
                    (file, gap)
                }
                Event::Truncated { file, copy: None } => {
                    (file, safe!("was cut: what was written just before may be missing"))
                }
                Event::Problem { file, message } => (file, message),
            };
            // What stands before it is printed before it.
            self.records(std::mem::take(&mut records))?;
            let gap = Gap { file, gap };
            match &mut self.first {
                None => self.gap(&gap)?,
                Some(first) => first.gap(gap),
            }
        }
        self.records(records)
    }

    fn gap(&mut self, gap: &Gap) -> Result<()> {
        self.flush()?;
        if self.app.out.json {
            return self.app.out.object(gap);
        }
        let Gap { file, gap } = gap;
        let colon = if gap.as_str().starts_with("was cut") { "" } else { ":" };
        self.app.out.note(format!("{file}{colon} {gap}"));
        Ok(())
    }

    fn records(&mut self, records: Vec<Record>) -> Result<()> {
        for record in merge([records]) {
            if !self.filter.matches(&record) {
                continue;
            }
            match &mut self.first {
                None => self.record(&record)?,
                Some(first) => first.record(record),
            }
        }
        Ok(())
    }

    /// What was there to begin with is read.
    fn begin(&mut self) -> Result<()> {
        let Some(first) = self.first.take() else { return Ok(()) };
        first.each(|held| match held {
            Held::Record(record) => self.record(record),
            Held::Gap(gap) => self.gap(gap),
        })?;
        self.flush()
    }

    fn record(&mut self, record: &Record) -> Result<()> {
        if self.app.out.json {
            self.text.push_str(&self.rows.document(record)?);
            self.text.push('\n');
        } else {
            self.rows.append(record, &mut self.text);
        }
        if self.text.len() >= BATCH { self.flush() } else { Ok(()) }
    }
}

/// Prints what is added to a log from now on, as long as somebody reads it: what a service on a terminal does.
pub fn tail(app: &App, file: PathBuf) {
    let rows = Rows::new(app.zone.clone(), app.out.width.is_some());
    let mut printer = Printer { app, filter: Filter::default(), rows, first: None, text: String::new() };
    let mut follower = Follower::open(&[file], zoned(app.zone.clone()), 0);
    let Ok((watch, _)) = Watch::new() else { return };
    let mut pace = Pace::new(watch);
    while printer.print(pace.poll(&mut follower)).is_ok() {
        pace.wait(&follower);
    }
}

fn no_watch(e: std::io::Error) -> Failure {
    let message = format!("the system gives nothing to wait with: {e}");
    Failure::new(Exit::Failed, "log-failed", message, "Close other programs and try again")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::clock::Zone;
    use crate::log::parse::Parser;

    #[test]
    fn a_gap_stands_among_the_records_that_it_came_among() {
        let mut parser = Parser::new("a.log".into(), zoned(Zone::utc()));
        let mut records = Vec::new();
        parser.push(b"[11/28/26 01:02:03] P ==> text\n".repeat(5).as_slice(), &mut records);
        parser.finish(&mut records);
        assert_eq!(records.len(), 5);
        let order = |most: usize| {
            let mut first = First::new(most);
            for (n, record) in records.iter().enumerate() {
                first.record(record.clone());
                if n % 2 == 1 {
                    first.gap(Gap { file: "a.log".into(), gap: "was cut".into() });
                }
            }
            let mut order = String::new();
            let print = |held: Held<'_>| {
                order.push(if matches!(held, Held::Gap(_)) { '-' } else { 'r' });
                Ok(())
            };
            first.each(print).unwrap();
            order
        };
        assert_eq!(order(9), "rr-rr-r");
        assert_eq!(order(2), "-r-r", "no gap is lost with the records before it");
        assert_eq!(order(0), "--");
    }
}
