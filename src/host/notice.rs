//! Telling those who are logged on: text on their terminals, a message in their sessions. The executor calls it in a thread
//! of its own; it takes a few seconds at most, however their terminals hang.

use super::sys;
use crate::host::sessions::Session;
use crate::text::SafeText;
use std::sync::atomic::{AtomicBool, Ordering};

/// Cells of a line; a terminal may be wider, hardly one is narrower.
const WIDTH: usize = 76;

/// A notice as it is sent: a line that says from whom, and what is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// `pcm on web-01 (BP004000), 14:02`
    pub title: SafeText,
    /// What is said, a paragraph each.
    pub text: Vec<SafeText>,
}

/// Somebody who could not be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Untold {
    /// Account.
    pub user: SafeText,
    /// Terminal or display.
    pub terminal: SafeText,
    /// Why.
    pub why: SafeText,
}

/// Nobody is told anything by this process.
static SILENT: AtomicBool = AtomicBool::new(false);

/// From now on this process tells nobody anything: what happens in a sandbox is nobody's business.
pub fn silence() {
    SILENT.store(true, Ordering::SeqCst);
}

/// Whether that is so.
pub fn is_silent() -> bool {
    SILENT.load(Ordering::SeqCst)
}

/// Tells everybody; who could not be told comes back. A terminal that is listed twice is written to once.
pub fn tell(to: &[Session], notice: &Notice) -> Vec<Untold> {
    sys::notice::tell(to, notice)
}

/// The lines of a notice, wrapped.
pub(super) fn lines(notice: &Notice) -> Vec<SafeText> {
    notice.text.iter().flat_map(|paragraph| paragraph.wrap(WIDTH)).collect()
}
