//! Follows the transcript of one attempt: the last lines of its file, again whenever it has grown.

use super::{Incoming, send};
use crate::console::app::Event;
use crate::console::threads::spawn;
use crate::host::open::{self, Access};
use crate::host::paths::Layout;
use crate::safe;
use crate::site::ids::RequestId;
use crate::text::SafeText;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// How much of a transcript's end is shown, in bytes.
const TAIL: u64 = 256 << 10;
/// How often the file is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// Which attempt's transcript is wanted.
type Followed = Option<(RequestId, u32)>;

/// Starts the thread; what is sent to it is what is followed from then on.
///
/// # Errors
/// The system has no more threads.
pub fn start(layout: &Layout, to: &Sender<Incoming>) -> std::io::Result<Sender<Followed>> {
    let (want, wanted) = channel::<Followed>();
    let (layout, to) = (layout.clone(), to.clone());
    spawn("transcript", move || {
        let mut following: Followed = None;
        let mut tail = Tail::default();
        let mut told: Option<Result<u64, String>> = None;
        loop {
            let next = match following {
                None => wanted.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(_) => wanted.recv_timeout(LOOK),
            };
            match next {
                Ok(next) => (following, told, tail) = (next, None, Tail::default()),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            let Some((request, attempt)) = following else { continue };
            let path = layout.transcript(&format!("{request}-{attempt}"));
            let length = std::fs::metadata(&path).map(|m| m.len()).map_err(|e| e.to_string());
            if told.as_ref() == Some(&length) {
                continue;
            }
            let event = match tail.read(&path) {
                Ok(lines) => {
                    let (first, cut) = (tail.first, tail.from > 0);
                    Event::Transcript { request, attempt, lines, first, cut, fault: None }
                }
                Err(e) => {
                    let fault = Some(safe!("{} cannot be read: {e}", path.display()));
                    Event::Transcript { request, attempt, lines: Vec::new(), first: 0, cut: false, fault }
                }
            };
            told = Some(length);
            if !send(&to, event) {
                return;
            }
        }
    })?;
    Ok(want)
}

/// The end of a file, as it was last read.
#[derive(Default)]
struct Tail {
    /// Where it begins in the file, and what stood there.
    from: u64,
    bytes: Vec<u8>,
    /// The number of its first line.
    first: usize,
}

impl Tail {
    /// The last lines of the file; a line keeps its number when the file grows.
    fn read(&mut self, path: &Path) -> std::io::Result<Vec<SafeText>> {
        let mut file = open::own(path, Access::Read)?;
        let length = file.metadata()?.len();
        let mut from = length.saturating_sub(TAIL);
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.take(TAIL).read_to_end(&mut bytes)?;
        if from > 0 {
            // A line that is cut off at its start is none.
            let start = bytes.iter().position(|b| *b == b'\n').map_or(0, |n| n + 1);
            bytes.drain(..start);
            from += start as u64;
        }
        let gone = usize::try_from(from.saturating_sub(self.from)).unwrap_or(usize::MAX);
        self.first += self.bytes[..gone.min(self.bytes.len())].iter().filter(|b| **b == b'\n').count();
        (self.from, self.bytes) = (from, bytes);
        Ok(SafeText::lines_of_bytes(&self.bytes))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_whole_lines_of_a_long_transcript_are_shown_and_each_keeps_its_number() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.log");
        let write = |lines: usize| {
            let text: String = (0..lines).map(|n| format!("line number {n}\n")).collect();
            std::fs::write(&path, text).unwrap();
        };
        let mut tail = Tail::default();
        let mut number_of = None;
        for written in [40_000, 40_001, 43_000, 90_000] {
            write(written);
            let lines = tail.read(&path).unwrap();
            assert!(tail.from > 0 && lines.iter().all(|l| l.as_str().starts_with("line number ")));
            assert_eq!(lines.last().unwrap().as_str(), format!("line number {}", written - 1));
            let shift = written - lines.len() - tail.first;
            // What was missed between two looks cannot be counted.
            if written < 90_000 {
                assert_eq!(*number_of.get_or_insert(shift), shift, "at {written}");
            }
        }
    }

    #[test]
    fn a_short_transcript_is_shown_from_its_start() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.log");
        std::fs::write(&path, "one\n\u{1b}[31mtwo\n").unwrap();
        let mut tail = Tail::default();
        let lines = tail.read(&path).unwrap();
        assert!(tail.from == 0 && lines.len() == 2 && !lines[1].as_str().contains('\u{1b}'));
    }
}
