//! How far files are copied, on one line of a terminal's standard error that is drawn over: files, bytes, rate and time left.

use super::out::Out;
use super::view::count;
use crate::host::facts;
use crate::site::publisher::bring::Watch;
use crate::text;
use std::io::{IsTerminal as _, Write as _};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// So often at most it is drawn.
const PACE: Duration = Duration::from_millis(200);

/// Whoever looks at the terminal.
#[derive(Debug)]
pub struct Progress {
    shown: Mutex<Shown>,
}

#[derive(Debug, Default)]
struct Shown {
    files: usize,
    of_files: usize,
    bytes: u64,
    of_bytes: u64,
    begun: Duration,
    drawn: Option<Duration>,
}

impl Progress {
    /// None: nobody looks.
    pub fn new(out: &Out) -> Option<Self> {
        let looks = !out.quiet && !out.json && std::io::stderr().is_terminal();
        looks.then(|| Self { shown: Mutex::default() })
    }

    fn change(&self, change: impl FnOnce(&mut Shown)) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut shown);
        let now = facts::monotonic().0;
        if shown.of_files == 0 || shown.drawn.is_some_and(|at| now.saturating_sub(at) < PACE) {
            return;
        }
        shown.drawn = Some(now);
        let line = shown.line(now.saturating_sub(shown.begun));
        // Nobody is left to be told where standard error fails.
        let _ = write!(std::io::stderr().lock(), "\r\x1b[K{line}");
    }
}

impl Watch for Progress {
    fn begun(&self, files: usize, bytes: u64) {
        let begun = facts::monotonic().0;
        self.change(|shown| *shown = Shown { of_files: files, of_bytes: bytes, begun, ..Shown::default() });
    }

    fn bytes(&self, more: u64) {
        self.change(|shown| shown.bytes = shown.bytes.saturating_add(more));
    }

    fn file(&self) {
        self.change(|shown| shown.files += 1);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        let shown = self.shown.get_mut().unwrap_or_else(PoisonError::into_inner);
        if shown.drawn.is_some() {
            let _ = write!(std::io::stderr().lock(), "\r\x1b[K");
        }
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
        let shown = Shown { files: 12, of_files: 340, bytes: 1 << 30, of_bytes: 4 << 30, ..Shown::default() };
        assert_eq!(shown.line(Duration::from_secs(16)), "12 of 340 files, 1 GB of 4 GB, 64 MB/s, 48s left");
        assert_eq!(shown.line(Duration::ZERO), "12 of 340 files, 1 GB of 4 GB");
        let none = Shown { files: 0, bytes: 0, of_files: 1, ..shown };
        assert_eq!(none.line(Duration::from_secs(5)), "0 of 1 file, 0 B of 4 GB");
    }
}
