//! What `pcm log --hosts` prints: rows with the host as a column, or one JSON object a line.

use super::super::rows::Rows;
use super::names::Host;
use super::together::Placed;
use crate::cli::App;
use crate::clock::Wall;
use crate::error::{Exit, Failure, Result};
use crate::log::Record;
use crate::log::codes::Explained;
use crate::log::far::minutes::Minutes;
use crate::text::SafeText;
use serde::Serialize;
use std::collections::BTreeSet;

/// A longer name does not make the column of all others wider.
const WIDEST: usize = 24;

/// `pcm log --hosts --json`: one record.
#[derive(Serialize)]
struct Row<'a> {
    host: &'a str,
    /// As that host wrote it.
    #[serde(flatten)]
    record: &'a Record,
    /// The byte of the file that it begins with; null: not known.
    at: Option<u64>,
    /// By how many seconds the clock there is fast.
    skew_s: i64,
    /// `--explain-codes`
    #[serde(skip_serializing_if = "Vec::is_empty")]
    codes: Vec<Explained>,
}

/// Lines of a host may be missing here.
#[derive(Serialize)]
struct Gap<'a> {
    host: &'a str,
    file: &'a SafeText,
    gap: &'a SafeText,
}

/// `pcm log --hosts --count --json`
#[derive(Serialize)]
struct CountDoc<'a> {
    count: u64,
    hosts: Vec<HostCount<'a>>,
    /// How long each stretch of `minutes` is.
    step_s: i64,
    /// They are longer than minutes, because they would be too many.
    widened: bool,
    minutes: Vec<Stretch>,
}

#[derive(Serialize)]
struct HostCount<'a> {
    host: &'a str,
    count: u64,
    errors: u64,
    warnings: u64,
}

#[derive(Serialize)]
struct Stretch {
    from: Wall,
    count: u64,
    errors: u64,
    warnings: u64,
}

/// Something about hosts, on standard error.
#[derive(Serialize)]
struct NoteDoc<'a> {
    note: Note<'a>,
}

#[derive(Serialize)]
struct Note<'a> {
    /// `web-[01-17,19]`
    hosts: &'a str,
    message: &'a str,
}

pub struct Show<'a> {
    app: &'a App,
    rows: Rows,
    files: BTreeSet<SafeText>,
    begun: bool,
}

impl<'a> Show<'a> {
    pub fn new(app: &'a App, hosts: &[Host], explains: bool) -> Show<'a> {
        let mut rows = Rows::new(app.zone.clone(), app.out.width.is_some());
        rows.explains = explains;
        rows.hosts = hosts.iter().map(|host| host.name.len()).max().unwrap_or(0).clamp(1, WIDEST);
        Show { app, rows, files: BTreeSet::new(), begun: false }
    }

    /// Something was printed.
    pub fn has_begun(&self) -> bool {
        self.begun
    }

    pub fn lines(&mut self, hosts: &[Host], placed: &[Placed]) -> Result<()> {
        if placed.is_empty() {
            return Ok(());
        }
        self.begun = true;
        let mut text = String::new();
        for one in placed {
            let host = hosts[one.host].name.as_str();
            if self.app.out.json {
                let codes = self.rows.codes(&one.record);
                let row = Row { host, record: &one.record, at: one.record.at, skew_s: one.fast_s, codes };
                text.push_str(&serde_json::to_string(&row).map_err(unprintable)?);
                text.push('\n');
                continue;
            }
            // All of these are as good as one log, until there is another.
            if self.files.len() < 2 && !self.files.contains(&one.record.file) {
                self.files.insert(one.record.file.clone());
                self.rows.several = self.files.len() > 1;
            }
            for row in self.rows.of_host(host, &one.by_our_clock()) {
                text.push_str(&row);
                text.push('\n');
            }
        }
        self.app.out.text(&text)
    }

    /// A line that says that lines may be missing.
    pub fn gap(&mut self, host: &str, file: &SafeText, gap: &SafeText) -> Result<()> {
        self.begun = true;
        if self.app.out.json {
            return self.app.out.object(&Gap { host, file, gap });
        }
        self.app.out.text(&format!("-- {host} {file}: {gap} --\n"))
    }

    pub fn counts(&self, each: &[(&str, &Minutes)], all: &Minutes) -> Result<()> {
        let sum = all.sum();
        if !self.app.out.json {
            let lines = each.iter().map(|(host, minutes)| format!("{host}: {}\n", minutes.sum().total));
            return self.app.out.text(&format!("{}{}\n", lines.collect::<String>(), sum.total));
        }
        let hosts = each.iter().map(|(host, minutes)| {
            let sum = minutes.sum();
            HostCount { host, count: sum.total, errors: sum.errors, warnings: sum.warnings }
        });
        let stretches = all.each().map(|(from, counts)| Stretch {
            from,
            count: counts.total,
            errors: counts.errors,
            warnings: counts.warnings,
        });
        self.app.out.object(&CountDoc {
            count: sum.total,
            hosts: hosts.collect(),
            step_s: all.step_s,
            widened: all.is_widened(),
            minutes: stretches.collect(),
        })
    }

    /// Says something of hosts, beside the rows.
    pub fn note(&self, hosts: &str, what: &str) {
        if self.app.out.json {
            self.app.out.aside(&NoteDoc { note: Note { hosts, message: what } });
        } else {
            self.app.out.note(format!("{hosts}: {what}"));
        }
    }
}

fn unprintable(e: serde_json::Error) -> Failure {
    Failure::new(Exit::Failed, "output", format!("cannot print a record: {e}"), "Report this")
}
