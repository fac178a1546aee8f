//! `pcm log` without `-f`: goes through files of any size once, in a few megabytes of memory.

use super::is_input;
use super::merge::{Found, Merged, Reading, Wanted};
use super::packed::{Source, input, open};
use super::rows::Rows;
use crate::cli::App;
use crate::cli::args::{LogArgs, LogShape};
use crate::error::{Exit, Result};
use crate::host::tail::identity_at;
use crate::log::follow::{Patterns, rotated};
use crate::log::search::Filter;
use crate::log::zoned;
use crate::text::SafeText;
use std::collections::{HashSet, VecDeque};
use std::path::PathBuf;

/// So much is printed at once.
const BATCH: usize = 64 * 1024;

/// Prints what the filter lets pass.
pub fn run(app: &App, args: &LogArgs, filter: &Filter, files: &[PathBuf]) -> Result<Exit> {
    let mut output = Output::new(app, args);
    let (sources, failed) = sources(app, args, filter, files);
    output.failed = failed;
    output.rows.several = sources.len() > 1;
    output.rows.explains = args.explain_codes;
    output.live = files.iter().any(|file| is_input(file));
    let zone = zoned(app.zone.clone());
    let of = |n: Option<usize>| n.or(args.context).unwrap_or(0);
    let (before, after) = (of(args.before), of(args.after));
    let raw = args.format == LogShape::Raw;
    let wanted = Wanted { filter, before, after, zone: &zone, lines: app.out.json, raw };
    let many = sources.len();
    let mut readings: Vec<_> =
        sources.into_iter().map(|(name, source)| Reading::new(source, name, wanted, many)).collect();
    if args.count {
        output.count(&mut readings)?;
    } else {
        output.print(args.lines, Merged::new(readings), before + after > 0)?;
    }
    output.end()
}

/// The name of a file, and what is read of it.
type Opened = (SafeText, (Source, bool));

/// What is to be read, by the names that records carry; and whether some of it cannot be.
fn sources(app: &App, args: &LogArgs, filter: &Filter, files: &[PathBuf]) -> (Vec<Opened>, bool) {
    // What numbers lines has to count them.
    let last = args.lines.filter(|_| filter.is_empty() && !app.out.json);
    let (mut sources, mut failed) = (Vec::new(), false);
    let mut problem = |path: &SafeText, why: &str| {
        failed = true;
        app.out.note(format!("{path}: {why}"));
    };
    let (inputs, named): (Vec<PathBuf>, Vec<PathBuf>) =
        files.iter().cloned().partition(|file| is_input(file));
    if !inputs.is_empty() {
        sources.push(("standard input".into(), input(std::io::stdin())));
    }
    let (paths, problems) = paths(&named, args.rotated);
    for (path, why) in problems {
        problem(&SafeText::new(&path.to_string_lossy()), &why);
    }
    for path in paths {
        let name = path.file_name().unwrap_or(path.as_os_str());
        let name = SafeText::new(&name.to_string_lossy());
        match open(&path, last) {
            Ok(source) => sources.push((name, source)),
            Err(e) => problem(&name, &e.to_string()),
        }
    }
    (sources, failed)
}

/// What files and patterns name, with what was rotated away from them if that is wanted, each log once; and what is wrong with
/// them.
pub fn paths(named: &[PathBuf], with_rotated: bool) -> (Vec<PathBuf>, Vec<(PathBuf, String)>) {
    let (mut paths, problems) = Patterns::new(named).paths();
    if with_rotated {
        let before: Vec<PathBuf> = paths.iter().flat_map(|path| rotated(path)).collect();
        let more: Vec<PathBuf> = before.into_iter().filter(|path| !paths.contains(path)).collect();
        paths = more.into_iter().chain(paths).collect();
    }
    let mut seen = HashSet::new();
    // Under two names it is one log.
    paths.retain(|path| identity_at(path).map_or(true, |id| id.is_none_or(|id| seen.insert(id))));
    (paths, problems)
}

struct Output<'a> {
    app: &'a App,
    raw: bool,
    rows: Rows,
    batch: String,
    /// A row is above.
    printed: bool,
    /// Somebody may be waiting for each row.
    live: bool,
    /// Something passed.
    found: bool,
    /// Something could not be read.
    failed: bool,
}

impl<'a> Output<'a> {
    fn new(app: &'a App, args: &LogArgs) -> Self {
        let rows = Rows::new(app.zone.clone(), app.out.width.is_some());
        let raw = args.format == LogShape::Raw;
        Output {
            app,
            raw,
            rows,
            batch: String::new(),
            printed: false,
            live: false,
            found: false,
            failed: false,
        }
    }

    fn count(&mut self, readings: &mut [Reading]) -> Result<()> {
        let mut sum = 0;
        for reading in readings {
            match reading.count() {
                Ok(count) => sum += count,
                Err(e) => self.problem(reading.name(), &e.to_string()),
            }
        }
        self.found = sum > 0;
        if self.app.out.json {
            return self.app.out.object(&serde_json::json!({ "count": sum }));
        }
        self.app.out.text(&format!("{sum}\n"))
    }

    fn print(&mut self, last: Option<usize>, mut merged: Merged, groups: bool) -> Result<()> {
        let mut kept = VecDeque::new();
        for found in merged.by_ref() {
            self.found |= found.passes;
            match last {
                None => self.row(&found, groups)?,
                Some(0) => {}
                Some(last) => {
                    if kept.len() == last {
                        kept.pop_front();
                    }
                    kept.push_back(found);
                }
            }
            // Whoever writes to standard input bit by bit is answered bit by bit.
            if self.live {
                self.flush()?;
            }
        }
        for found in kept {
            self.row(&found, groups)?;
        }
        for (name, e) in std::mem::take(&mut merged.problems) {
            self.problem(&name, &e.to_string());
        }
        Ok(())
    }

    fn problem(&mut self, name: &SafeText, why: &str) {
        self.failed = true;
        self.app.out.note(format!("{name}: {why}"));
    }

    fn row(&mut self, found: &Found, groups: bool) -> Result<()> {
        if self.app.out.json {
            self.batch.push_str(&self.rows.document(&found.record)?);
            self.batch.push('\n');
        } else {
            if groups && found.gap && self.printed {
                self.batch.push_str("--\n");
            }
            if self.raw {
                found.raw.iter().for_each(|line| self.batch.extend([line.as_str(), "\n"]));
            } else {
                self.rows.append(&found.record, &mut self.batch);
            }
        }
        self.printed = true;
        if self.batch.len() >= BATCH { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let done = self.app.out.text(&self.batch);
        self.batch.clear();
        done
    }

    fn end(mut self) -> Result<Exit> {
        self.flush()?;
        Ok(match (self.failed, self.found) {
            (true, _) => Exit::Usage,
            (false, true) => Exit::Done,
            (false, false) => Exit::Failed,
        })
    }
}
