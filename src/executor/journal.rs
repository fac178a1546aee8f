//! What the executor says in `PACMAN.LOG`. A log that cannot be written never stops anything; that it could not is said
//! on standard error, once until it works again, and then in the log itself, with how many lines it lacks, as far as this process knows.

use super::world::World;
use crate::clock::Wall;
use crate::log::Level;
use crate::text::SafeText;
use chrono::SecondsFormat;
use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

/// The executor's pen.
pub struct Journal {
    world: Arc<dyn World>,
    /// The newest failure to write, until one succeeds.
    fault: Option<SafeText>,
    /// How many lines the log lacks since then.
    lost: Option<(u64, Wall)>,
    said: BTreeMap<String, Wall>,
}

impl Journal {
    /// The log of this installation. The file is made when the first line is written.
    pub fn of(world: Arc<dyn World>) -> Self {
        Self { world, fault: None, lost: None, said: BTreeMap::new() }
    }

    /// What goes as it should.
    pub fn info(&mut self, now: Wall, text: &str) {
        self.say(now, Level::Info, text);
    }

    /// What an operator may want to look at.
    pub fn warning(&mut self, now: Wall, text: &str) {
        self.say(now, Level::Warning, text);
    }

    /// What went wrong.
    pub fn error(&mut self, now: Wall, text: &str) {
        self.say(now, Level::Error, text);
    }

    /// Why the log cannot be written at the moment.
    pub fn fault(&self) -> Option<&SafeText> {
        self.fault.as_ref()
    }

    /// True at most once in `period` for each `what`.
    pub fn once_in(&mut self, period: Duration, what: &str, now: Wall) -> bool {
        let due = self
            .said
            .get(what)
            .is_none_or(|last| (now - *last).to_std().is_ok_and(|passed| passed >= period));
        if due {
            if self.said.len() > 1_000 {
                self.said.clear();
            }
            self.said.insert(what.to_owned(), now);
        }
        due
    }

    fn say(&mut self, now: Wall, level: Level, text: &str) {
        if let Some((lines, since)) = self.lost {
            let since = since.to_rfc3339_opts(SecondsFormat::Secs, true);
            let lacks =
                format!("{lines} line(s) are missing here: this log could not be written from {since} on.");
            if self.world.log(Level::Warning, &SafeText::new(&lacks), now).is_ok() {
                self.lost = None;
            }
        }
        match self.world.log(level, &SafeText::new(text), now) {
            Ok(()) => self.fault = None,
            Err(e) => {
                let (lines, since) = self.lost.unwrap_or((0, now));
                self.lost = Some((lines + 1, since));
                let why = SafeText::new(&format!("the log cannot be written: {e}"));
                if self.fault.as_ref() != Some(&why) {
                    // Not with `eprintln!`: it panics where even that cannot be written, on a disk as full as the log's.
                    let _ = writeln!(io::stderr(), "pcm: {why}");
                }
                self.fault = Some(why);
            }
        }
    }
}
