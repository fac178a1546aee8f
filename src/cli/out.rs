//! The one place where the command line writes: pages, JSON documents, errors. A reader that has gone
//! away (`| head`) ends the program quietly.

use super::page::{Page, Tone};
use crate::error::{Exit, Failure, Result};
use crate::executor::talk::view::ErrorDoc;
use crate::text::SafeText;
use serde::Serialize;
use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// Where output goes and how.
#[derive(Debug, Clone)]
pub struct Out {
    /// `--json`
    pub json: bool,
    /// `--quiet`
    pub quiet: bool,
    /// Columns of the terminal; None: not a terminal.
    pub width: Option<usize>,
    /// Bold and dim may be used.
    pub style: bool,
    /// A line of standard error may be drawn over: somebody looks at it, on a terminal that can.
    pub draws_over: bool,
    /// What is printed is kept instead, for a document that holds it.
    kept: Option<Arc<Mutex<Keeping>>>,
}

/// What was printed and kept.
#[derive(Debug, Default)]
pub struct Kept {
    /// The end of it, in whole lines, where it is more than there is room for.
    pub text: String,
    /// So many bytes before them are left out.
    pub left_out: u64,
    /// What was said beside it.
    pub notes: Vec<SafeText>,
}

#[derive(Debug, Default)]
struct Keeping {
    bytes: Vec<u8>,
    left_out: u64,
    notes: Vec<SafeText>,
    most: usize,
}

impl Keeping {
    fn add(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
        // Seldom, so that what stays is not moved again and again.
        if self.bytes.len() > self.most.saturating_mul(2) {
            self.shorten();
        }
    }

    /// Lets go of lines at the beginning until the rest is short enough.
    fn shorten(&mut self) {
        let Some(over) = self.bytes.len().checked_sub(self.most).filter(|over| *over > 0) else { return };
        let end = self.bytes[over - 1..].iter().position(|b| *b == b'\n');
        let lines = end.map_or(self.bytes.len(), |n| over + n);
        self.left_out += lines as u64;
        self.bytes.drain(..lines);
    }
}

/// Takes what is printed.
enum To {
    Output(std::io::Stdout),
    Kept(Arc<Mutex<Keeping>>),
}

impl Write for To {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            To::Output(output) => return output.write(bytes),
            To::Kept(kept) => kept.lock().unwrap_or_else(PoisonError::into_inner).add(bytes),
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            To::Output(output) => output.flush(),
            To::Kept(_) => Ok(()),
        }
    }
}

impl Out {
    /// From the flags and what standard output is.
    pub fn new(json: bool, quiet: bool, no_color: bool) -> Self {
        let terminal = std::io::stdout().is_terminal();
        let size = crate::host::terminal::size();
        let width = size.map(|(columns, _)| usize::from(columns)).filter(|c| terminal && *c > 0);
        let dumb = std::env::var_os("TERM").is_some_and(|v| v == "dumb");
        let plain = dumb || std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
        let draws_over = !json && !quiet && !dumb && std::io::stderr().is_terminal();
        Self { json, quiet, width, style: terminal && !no_color && !plain, draws_over, kept: None }
    }

    /// One that keeps at most so many bytes of what is printed, as a pipe would get it, and prints nothing.
    pub fn keeping(json: bool, most: usize) -> Self {
        let kept = Some(Arc::new(Mutex::new(Keeping { most, ..Keeping::default() })));
        Self { json, quiet: false, width: None, style: false, draws_over: false, kept }
    }

    /// What was kept.
    pub fn kept(&self) -> Kept {
        let Some(kept) = &self.kept else { return Kept::default() };
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.shorten();
        let Keeping { bytes, left_out, notes, .. } = std::mem::take(&mut *kept);
        let text =
            String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned());
        Kept { text, left_out, notes }
    }

    fn to(&self) -> To {
        self.kept.clone().map_or_else(|| To::Output(std::io::stdout()), To::Kept)
    }

    /// Prints a view: its document with `--json`, its page otherwise.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn view<T: Serialize>(&self, doc: &T, page: impl FnOnce() -> Page) -> Result<()> {
        if self.json { self.document(doc) } else { self.page(&page()) }
    }

    /// Prints a page.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn page(&self, page: &Page) -> Result<()> {
        let mut bytes = String::new();
        for line in page.lines() {
            match line.tone {
                Tone::Strong if self.style => bytes.push_str(&format!("\x1b[1m{}\x1b[0m\n", line.text)),
                Tone::Dim if self.style => bytes.push_str(&format!("\x1b[2m{}\x1b[0m\n", line.text)),
                _ => bytes.push_str(&format!("{}\n", line.text)),
            }
        }
        self.write(&bytes)
    }

    /// Prints one line of text at once, as it happens.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn say(&self, text: &SafeText) -> Result<()> {
        self.write(&format!("{text}\n"))
    }

    /// Prints a text of our own as it is: a script, a manual page.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn text(&self, text: &str) -> Result<()> {
        self.write(text)
    }

    /// Prints one JSON document, readable for people too.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn document<T: Serialize>(&self, doc: &T) -> Result<()> {
        // Piece by piece: one of 100,000 machines is as large as all that is kept of their reports.
        self.printed(|| {
            let mut out = std::io::BufWriter::new(self.to());
            serde_json::to_writer_pretty(&mut out, doc)?;
            out.write_all(b"\n")?;
            out.flush()
        })
    }

    /// Prints one JSON object of a stream, in one line.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn object<T: Serialize>(&self, doc: &T) -> Result<()> {
        let text = serde_json::to_string(doc).map_err(unprintable)?;
        self.write(&(text + "\n"))
    }

    fn write(&self, text: &str) -> Result<()> {
        self.printed(|| self.to().write_all(text.as_bytes()))
    }

    /// Whether what is written to standard output arrives.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn printed(&self, write: impl FnOnce() -> std::io::Result<()>) -> Result<()> {
        if self.quiet {
            return Ok(());
        }
        if self.kept.is_some() {
            return write().map_err(|e| {
                Failure::new(
                    Exit::Failed,
                    "output",
                    format!("the document cannot be made: {e}"),
                    "Report this",
                )
            });
        }
        if crate::host::terminal::output_is_closed() {
            let why = "cannot write to standard output: it is closed";
            return Err(Failure::new(Exit::Failed, "output", why, "Open it, or use --quiet"));
        }
        write().and_then(|()| std::io::stdout().flush()).map_err(|e| {
            if e.kind() == std::io::ErrorKind::BrokenPipe {
                return Failure::new(Exit::Done, READER_GONE, "the reader of the output has gone", "");
            }
            let why = format!("cannot write to standard output: {e}");
            Failure::new(Exit::Failed, "output", why, "Check where it is redirected to and the space there")
        })
    }

    /// Prints an error on standard error: one line, or the error document.
    pub fn error(&self, failure: &Failure) {
        if failure.code == READER_GONE {
            return;
        }
        let text = if self.json {
            serde_json::to_string(&ErrorDoc { error: failure.clone() }).unwrap_or_default()
        } else {
            one_line(failure)
        };
        // Nobody is left to be told if standard error fails too.
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    }

    /// The same as a JSON object, for programs.
    pub fn aside<T: Serialize>(&self, doc: &T) {
        if !self.quiet {
            let _ = writeln!(std::io::stderr().lock(), "{}", serde_json::to_string(doc).unwrap_or_default());
        }
    }

    /// Says something beside the result, on standard error: warnings and where things are.
    pub fn note(&self, text: impl AsRef<str>) {
        if let Some(kept) = &self.kept {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.notes.push(SafeText::new(text.as_ref()));
            return;
        }
        if !self.quiet && !self.json {
            let _ = writeln!(std::io::stderr().lock(), "pcm: {}", SafeText::new(text.as_ref()));
        }
    }
}

/// The code by which a broken pipe travels up; never printed.
const READER_GONE: &str = "reader-gone";

fn unprintable(e: serde_json::Error) -> Failure {
    Failure::new(
        Exit::Failed,
        "output",
        format!("the document cannot be written as JSON: {e}"),
        "Report this",
    )
}

/// `pcm: what failed, on what, why. What to do.`
pub fn one_line(failure: &Failure) -> String {
    let mut text = format!("pcm: {}", failure.message.as_str().trim_end_matches('.'));
    if !failure.remedy.is_empty() {
        let stop = if text.ends_with(['?', '!']) { "" } else { "." };
        text.push_str(&format!("{stop} {}", failure.remedy.as_str().trim_end_matches('.')));
    }
    if failure.code != "usage" {
        text.push_str(&format!(" [{}]", failure.code));
    }
    SafeText::new(&text).to_string()
}
