//! How far something is that takes long, on one line of a terminal's standard error that is drawn over. Who looks elsewhere
//! (`--json`, `--quiet`, no terminal, one that cannot draw over a line) is told nothing.

use super::out::Out;
use super::view::count;
use crate::host::facts;
use crate::site::publisher::bring::Watch;
use crate::text;
use std::io::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// So often at most it is drawn.
const PACE: Duration = Duration::from_millis(200);
/// Nobody has to be told of what ends sooner.
const SOON: Duration = Duration::from_secs(1);

/// The line, which is gone when it is dropped.
#[derive(Debug)]
struct Line {
    begun: Duration,
    drawn: Option<Duration>,
}

impl Line {
    /// None: nobody looks.
    fn new(out: &Out) -> Option<Self> {
        out.draws_over.then(|| Self { begun: facts::monotonic().0, drawn: None })
    }

    /// Draws it, where its time has come, by how long it takes already.
    fn draw(&mut self, line: impl FnOnce(Duration) -> String) {
        let now = facts::monotonic().0;
        if self.drawn.is_none_or(|at| now.saturating_sub(at) >= PACE) {
            self.drawn = Some(now);
            let line = line(now.saturating_sub(self.begun));
            // Nobody is left to be told where standard error fails.
            let _ = write!(std::io::stderr().lock(), "\r\x1b[K{line}");
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if self.drawn.is_some() {
            let _ = write!(std::io::stderr().lock(), "\r\x1b[K");
        }
    }
}

/// Draws the words on so many of so many, once it takes long.
pub fn counting(out: &Out, words: impl Fn(usize, usize) -> String) -> impl FnMut(usize, usize) {
    let mut line = Line::new(out);
    move |done, of| {
        if let Some(line) = &mut line
            && facts::monotonic().0.saturating_sub(line.begun) >= SOON
        {
            line.draw(|_| words(done, of));
        }
    }
}

/// How far files are copied: files, bytes, rate and time left.
#[derive(Debug)]
pub struct Progress {
    shown: Mutex<(Line, Shown)>,
}

#[derive(Debug, Default)]
struct Shown {
    files: usize,
    of_files: usize,
    bytes: u64,
    of_bytes: u64,
}

impl Progress {
    /// None: nobody looks.
    pub fn new(out: &Out) -> Option<Self> {
        Some(Self { shown: Mutex::new((Line::new(out)?, Shown::default())) })
    }

    fn change(&self, change: impl FnOnce(&mut Line, &mut Shown)) {
        let (line, shown) = &mut *self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        change(line, shown);
        if shown.of_files > 0 {
            line.draw(|elapsed| shown.line(elapsed));
        }
    }
}

impl Watch for Progress {
    fn begun(&self, files: usize, bytes: u64) {
        self.change(|line, shown| {
            line.begun = facts::monotonic().0;
            *shown = Shown { of_files: files, of_bytes: bytes, ..Shown::default() };
        });
    }

    fn bytes(&self, more: u64) {
        self.change(|_, shown| shown.bytes = shown.bytes.saturating_add(more));
    }

    fn file(&self) {
        self.change(|_, shown| shown.files += 1);
    }
}

impl Shown {
    /// `12 of 340 files, 1.2 GB of 4 GB, 85 MB/s, 33s left`
    fn line(&self, elapsed: Duration) -> String {
        let files = count(self.of_files, "file");
        let line = format!(
            "{} of {files}, {} of {}",
            self.files,
            text::bytes(self.bytes),
            text::bytes(self.of_bytes)
        );
        let rate = u128::from(self.bytes) * 1_000 / elapsed.as_millis().max(1);
        if elapsed < PACE || rate == 0 {
            return line;
        }
        let left = u128::from(self.of_bytes.saturating_sub(self.bytes)).div_ceil(rate);
        let (rate, left) = (u64::try_from(rate).unwrap_or(u64::MAX), u64::try_from(left).unwrap_or(u64::MAX));
        format!("{line}, {}/s, {} left", text::bytes(rate), text::duration(Duration::from_secs(left)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_much_is_there_how_quickly_and_how_long_the_rest_takes() {
        let shown = Shown { files: 12, of_files: 340, bytes: 1 << 30, of_bytes: 4 << 30 };
        assert_eq!(shown.line(Duration::from_secs(16)), "12 of 340 files, 1 GB of 4 GB, 64 MB/s, 48s left");
        assert_eq!(shown.line(Duration::ZERO), "12 of 340 files, 1 GB of 4 GB");
        let none = Shown { files: 0, bytes: 0, of_files: 1, ..shown };
        assert_eq!(none.line(Duration::from_secs(5)), "0 of 1 file, 0 B of 4 GB");
    }
}
