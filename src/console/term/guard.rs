//! Entering and leaving the terminal: one guard, left on every way out, once.

use super::out;
use crate::host::durable;
use crate::host::terminal;
use crate::text::SafeText;
use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::queue;
use crossterm::style::ResetColor;
use crossterm::terminal::{
    Clear, ClearType, DisableLineWrap, EnableLineWrap, EndSynchronizedUpdate, EnterAlternateScreen,
    LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::ThreadId;

/// The terminal is ours. Process-wide, since there is one terminal and a panic may come from any thread.
static OURS: AtomicBool = AtomicBool::new(false);
/// It has no second screen: ours is cleared away at the end.
static ONE_SCREEN: AtomicBool = AtomicBool::new(false);
/// The thread that draws.
static DRAWER: Mutex<Option<ThreadId>> = Mutex::new(None);

/// Click and wheel are reported.
static MOUSE: AtomicBool = AtomicBool::new(false);
/// Buttons and wheel only, never motion, in numbers that any width fits into.
const MOUSE_ON: &[u8] = b"\x1b[?1000h\x1b[?1006h";
const MOUSE_OFF: &[u8] = b"\x1b[?1006l\x1b[?1000l";

/// Names of the console's own threads begin with this.
pub const THREADS: &str = "console-";

/// The terminal is ours while this lives.
pub struct Guard {
    _private: (),
}

impl Guard {
    /// Takes the terminal, cleared, and sees to it that a panic gives it back. `alternate`: it has a second screen.
    ///
    /// # Errors
    /// The terminal cannot be set up; it is as it was.
    pub fn enter(alternate: bool) -> io::Result<Guard> {
        ONE_SCREEN.store(!alternate, Ordering::SeqCst);
        *DRAWER.lock().unwrap_or_else(PoisonError::into_inner) = Some(std::thread::current().id());
        catch_panics();
        take()?;
        Ok(Guard { _private: () })
    }

    /// Gives the terminal back, runs `between`, takes it again.
    ///
    /// # Errors
    /// It cannot be taken again.
    pub fn away(&mut self, between: impl FnOnce()) -> io::Result<()> {
        leave();
        between();
        take()
    }

    /// Takes it again after [`leave`]. Of what is on its way to it since then, what it does not take soon is dropped.
    ///
    /// # Errors
    /// It cannot be taken again.
    pub fn back(&mut self) -> io::Result<()> {
        out::end();
        take()
    }
}

/// The bytes that have the terminal report click and wheel, or not; leaving it takes that back.
pub fn mouse(on: bool) -> &'static [u8] {
    MOUSE.store(on, Ordering::SeqCst);
    if on { MOUSE_ON } else { MOUSE_OFF }
}

impl Drop for Guard {
    fn drop(&mut self) {
        leave();
    }
}

fn take() -> io::Result<()> {
    enable_raw_mode()?;
    OURS.store(true, Ordering::SeqCst);
    let mut bytes = Vec::new();
    if !ONE_SCREEN.load(Ordering::SeqCst) {
        queue!(bytes, EnterAlternateScreen)?;
    }
    // Lines never wrap: what is drawn at the edge stays there on every terminal. Cleared once, here, so that the first
    // frame of a slow line is only what is not blank.
    queue!(bytes, ResetColor, Clear(ClearType::All), Hide, EnableBracketedPaste, DisableLineWrap)?;
    if MOUSE.load(Ordering::SeqCst) {
        bytes.extend(MOUSE_ON);
    }
    terminal::write(&bytes)
}

/// Gives the terminal back, if it is ours. Safe to call from anywhere, any number of times; waits for a terminal that
/// takes nothing for less than a second.
pub fn leave() {
    if !OURS.swap(false, Ordering::SeqCst) {
        return;
    }
    let mut bytes = Vec::new();
    if MOUSE.load(Ordering::SeqCst) {
        bytes.extend(MOUSE_OFF);
    }
    // What fails here has no one to be told.
    let _ = queue!(bytes, ResetColor, EnableLineWrap, DisableBracketedPaste);
    let _ = if ONE_SCREEN.load(Ordering::SeqCst) {
        queue!(bytes, Clear(ClearType::All), MoveTo(0, 0), Show)
    } else {
        queue!(bytes, LeaveAlternateScreen, Show)
    };
    out::last(&bytes);
    let _ = disable_raw_mode();
}

/// Gives the terminal back on which a console of another machine was drawn, whose line dropped: nobody is left over there
/// to do it.
pub fn leave_after_another() {
    let mut bytes = Vec::from(MOUSE_OFF);
    // The line may have dropped while rows were moved within a region; giving it up moves the cursor.
    bytes.extend(b"\x1b7\x1b[r\x1b8");
    // As above.
    let _ = queue!(
        bytes,
        EndSynchronizedUpdate,
        ResetColor,
        EnableLineWrap,
        DisableBracketedPaste,
        LeaveAlternateScreen,
        Show
    );
    let _ = terminal::write(&bytes);
}

/// The terminal is gone: from now on nothing is written to it.
pub fn leave_dead() {
    OURS.store(false, Ordering::SeqCst);
}

/// Log, restore, print; and end, where a thread of ours would otherwise be missing unnoticed.
fn catch_panics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !OURS.load(Ordering::SeqCst) {
                before(info);
                return;
            }
            let said = info.payload_as_str().unwrap_or("no message");
            let place = info.location().map(ToString::to_string).unwrap_or_default();
            let said = SafeText::new(&format!("pcm: internal error at {place}: {said}"));
            tracing::error!("{said}");
            let here = std::thread::current();
            let drawer = *DRAWER.lock().unwrap_or_else(PoisonError::into_inner) == Some(here.id());
            if !drawer && !here.name().is_some_and(|name| name.starts_with(THREADS)) {
                // Somebody else's: it is in the log, the screen is not theirs.
                return;
            }
            leave();
            durable::abandon();
            let mut error = io::stderr().lock();
            let _ = writeln!(error, "{said}");
            let _ =
                writeln!(error, "pcm: packages go on running; `pcm status` shows the same without a screen");
            if !drawer {
                std::process::exit(101);
            }
        }));
    });
}
