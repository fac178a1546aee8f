//! Follows the transcript of one attempt: the last lines of its file, again whenever it has grown.

use super::{Input, send, spawn};
use crate::console::app::Event;
use crate::host::paths::Layout;
use crate::safe;
use crate::site::ids::RequestId;
use crate::text::SafeText;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// How much of a transcript's end is shown, in bytes.
const TAIL: u64 = 256 << 10;
/// How often the file is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// Which attempt's transcript is wanted.
type Wanted = Option<(RequestId, u32)>;

/// Starts the thread; what is sent to it is what is followed from then on.
///
/// # Errors
/// The system has no more threads.
pub fn start(layout: &Layout, to: &Sender<Input>) -> std::io::Result<Sender<Wanted>> {
    let (want, wanted) = channel::<Wanted>();
    let (layout, to) = (layout.clone(), to.clone());
    spawn("transcript", move || {
        let mut following: Wanted = None;
        let mut told: Option<Result<u64, String>> = None;
        loop {
            let next = match following {
                None => wanted.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(_) => wanted.recv_timeout(LOOK),
            };
            match next {
                Ok(next) => (following, told) = (next, None),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            let Some((request, attempt)) = following else { continue };
            let path = layout.transcript(&format!("{request}-{attempt}"));
            let length = std::fs::metadata(&path).map(|m| m.len()).map_err(|e| e.to_string());
            if told.as_ref() == Some(&length) {
                continue;
            }
            let event = match tail(&path) {
                Ok((lines, cut)) => Event::Transcript { request, attempt, lines, cut, fault: None },
                Err(e) => {
                    let fault = Some(safe!("{} cannot be read: {e}", path.display()));
                    Event::Transcript { request, attempt, lines: Vec::new(), cut: false, fault }
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

/// The last lines of a file, and whether there are more before them.
fn tail(path: &Path) -> std::io::Result<(Vec<SafeText>, bool)> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let from = length.saturating_sub(TAIL);
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes)?;
    let whole = if from == 0 {
        &bytes[..]
    } else {
        // A line that is cut off at its start is none.
        let start = bytes.iter().position(|b| *b == b'\n').map_or(0, |n| n + 1);
        &bytes[start..]
    };
    Ok((SafeText::lines_of_bytes(whole), from > 0))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_whole_lines_of_a_long_transcript_are_shown_and_it_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.log");
        let text: String = (0..40_000).map(|n| format!("line number {n}\n")).collect();
        std::fs::write(&path, &text).unwrap();
        let (lines, cut) = tail(&path).unwrap();
        assert!(cut && lines.iter().all(|l| l.as_str().starts_with("line number ")));
        assert_eq!(lines.last().unwrap().as_str(), "line number 39999");
    }

    #[test]
    fn a_short_transcript_is_shown_from_its_start() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.log");
        std::fs::write(&path, "one\n\u{1b}[31mtwo\n").unwrap();
        let (lines, cut) = tail(&path).unwrap();
        assert!(!cut && lines.len() == 2 && !lines[1].as_str().contains('\u{1b}'));
    }
}
