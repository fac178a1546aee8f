//! When a follower looks: at once where the system tells of changes, else from time to time.

use super::{Event, Follower};
use crate::host::tail::{Watch, Woken};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How often files are looked at of which the system tells nothing.
const LOOK: Duration = Duration::from_millis(250);
/// How often all the others are, should it have told too little.
const SURE: Duration = Duration::from_secs(60);
/// A log that is written to all the time is not looked at more often than this.
const REST: Duration = Duration::from_millis(10);
/// However long a look took, there is another after this.
const MOST_REST: Duration = Duration::from_millis(200);

/// Waits for a follower.
pub struct Pace {
    watch: Watch,
    began: Instant,
    /// The system tells of everything that is watched: these folders and files, and so many files without a name.
    is_told: bool,
    watched: (Vec<PathBuf>, Vec<PathBuf>, usize),
    /// What the next look is for.
    woken: Woken,
    /// What may have changed before it was watched.
    unwatched: Woken,
    looked: Duration,
    /// How long the last look took, and how long there is none after it.
    took: Duration,
    rest: Duration,
}

impl Pace {
    /// Waits with this.
    pub fn new(watch: Watch) -> Pace {
        Pace {
            watch,
            began: Instant::now(),
            is_told: false,
            watched: (Vec::new(), Vec::new(), 0),
            woken: Woken::Names,
            unwatched: Woken::Not,
            looked: Duration::ZERO,
            took: Duration::ZERO,
            rest: REST,
        }
    }

    /// The same, for a reader who takes what comes no more often than this.
    pub fn resting(self, rest: Duration) -> Pace {
        Pace { rest, ..self }
    }

    /// What is new: [`Follower::poll`].
    pub fn poll(&mut self, follower: &mut Follower) -> Vec<Event> {
        self.looked = self.began.elapsed();
        let events = self.look(follower);
        self.took = self.began.elapsed().saturating_sub(self.looked);
        events
    }

    fn look(&mut self, follower: &mut Follower) -> Vec<Event> {
        let is_told = self.is_told && self.woken != Woken::Names;
        let watch = &mut self.watch;
        let events = match is_told {
            true => follower.read_on(self.looked, &mut || watch.removed()),
            false => follower.poll_told(self.looked, &mut || watch.removed()),
        };
        if is_told && !follower.has_looked_at_names() {
            return events;
        }
        let (folders, files, unnamed) = follower.watched();
        let unnamed: Vec<_> = unnamed.collect();
        let are_others = self.watched.1 != files || self.watched.2 != unnamed.len();
        // A file may have been made anew under its name: names are watched anew whenever any has changed. What has gone out of
        // view is watched no more.
        if self.watched.0 != folders || are_others || self.woken == Woken::Names {
            self.is_told = self.watch.set(&folders, files, &unnamed);
            self.unwatched = if self.watched.0 == folders { Woken::Files } else { Woken::Names };
            self.watched = (folders, files.to_owned(), unnamed.len());
        }
        events
    }

    /// Waits until there may be something new, or somebody rings.
    pub fn wait(&mut self, follower: &Follower) {
        self.wait_for(follower, SURE);
    }

    /// The same, and for so long at most.
    pub fn wait_for(&mut self, follower: &Follower, limit: Duration) {
        let now = self.began.elapsed();
        if follower.behind() {
            self.woken = Woken::Files;
            return;
        }
        let unwatched = std::mem::replace(&mut self.unwatched, Woken::Not);
        if self.is_told && unwatched > Woken::Not {
            self.woken = unwatched;
            return;
        }
        let next = self.looked + least_apart(self.rest, self.took);
        if let Some(rest) = next.checked_sub(now) {
            std::thread::sleep(rest);
        }
        let most = if self.is_told { SURE } else { LOOK };
        let due = follower.due().map_or(most, |due| due.saturating_sub(self.began.elapsed()).min(most));
        self.woken = self.watch.wait(due.min(limit));
        if self.woken == Woken::Not && self.began.elapsed() >= self.looked + most {
            self.woken = Woken::Names;
        }
    }

    /// How many files and folders are watched.
    #[cfg(all(test, unix))]
    pub fn watches(&self) -> usize {
        self.watch.count()
    }

    /// Whether it waits for nothing but what the system tells.
    #[cfg(all(test, unix))]
    pub fn is_quiet(&self) -> bool {
        self.is_told && self.unwatched == Woken::Not
    }

    /// What it was woken by.
    #[cfg(all(test, unix))]
    pub fn woken(&self) -> Woken {
        self.woken
    }
}

/// How long after the beginning of a look that took so long the next one begins. Whoever fills the folder with names all the
/// time gets half of a processor for it at most; but one long look is not followed by a silence as long.
fn least_apart(rest: Duration, took: Duration) -> Duration {
    rest.max(took + took.min(MOST_REST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_look_is_not_followed_by_a_long_silence() {
        let ms = Duration::from_millis;
        assert_eq!(least_apart(ms(10), ms(1)), ms(10));
        assert_eq!(least_apart(ms(10), ms(50)), ms(100), "half of a processor");
        assert_eq!(least_apart(ms(10), ms(5_000)), ms(5_200));
        assert_eq!(least_apart(ms(500), ms(100)), ms(500));
    }
}
