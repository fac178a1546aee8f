//! Files that are being saved. Whoever quits right after a save would end it: the console waits for it a moment, and says what
//! was not saved.

use super::app::whole::{Came, What};
use super::app::{Effect, Event};
use crate::error::{Exit, Failure};
use crate::safe;
use crate::text::{SafeText, duration};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// Whoever quits waits no longer than this.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// Those of which it is not known yet what became of them, by their names as they were typed.
#[derive(Debug, Default)]
pub struct Saves {
    files: Vec<String>,
    /// From a log file that is read as a whole, with the number of the question.
    logs: Vec<(u64, String)>,
}

impl Saves {
    /// One begins, where an effect is one.
    pub fn begin(&mut self, effect: &Effect) {
        match effect {
            Effect::Save { path, .. } | Effect::Evidence { path, .. } => self.files.push(path.clone()),
            Effect::Whole(ask) => {
                if let What::Save(path) = &ask.what {
                    self.logs.push((ask.id, path.clone()));
                }
            }
            _ => {}
        }
    }

    /// One has ended, where an event says so; why nothing was saved, if nothing was.
    pub fn end(&mut self, event: &Event) -> Option<SafeText> {
        match event {
            Event::Saved { path, said, error } => {
                let at = self.files.iter().position(|known| known == path)?;
                self.files.remove(at);
                error.then(|| said.clone())
            }
            Event::Whole(news) => {
                let at = self.logs.iter().position(|(id, _)| *id == news.id)?;
                let why = match &news.came {
                    Came::Saved(_) => None,
                    Came::Unsaved(why) => Some(safe!("save: {why}")),
                    _ => return None,
                };
                self.logs.remove(at);
                why
            }
            _ => None,
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.files.len() + self.logs.len()
    }

    /// Waits until there are none, for so long at most; `ends`: somebody does not want to wait, or nobody is left. What was not
    /// saved, a sentence each.
    pub fn wait<T>(
        &mut self,
        from: &Receiver<T>,
        patience: Duration,
        mut event: impl FnMut(T) -> Option<Event>,
    ) -> Vec<SafeText> {
        let (until, mut not) = (Instant::now() + patience, Vec::new());
        let mut late: SafeText = "it was not written by then".into();
        while self.count() > 0 {
            match from.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(one) => match event(one) {
                    Some(event) => not.extend(self.end(&event)),
                    None => break,
                },
                Err(RecvTimeoutError::Timeout) => {
                    late = safe!("it was not written within {}", duration(patience));
                    break;
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        let paths = self.files.drain(..).chain(self.logs.drain(..).map(|(_, path)| path));
        not.extend(paths.map(|path| safe!("save: {path}: {late}")));
        not
    }
}

/// What the console ends with where something was not saved.
pub fn not_saved(why: &[SafeText]) -> Option<Failure> {
    let all: Vec<&str> = why.iter().map(SafeText::as_str).collect();
    let what = "Start the console again and save it anew";
    (!all.is_empty()).then(|| Failure::new(Exit::Failed, "not-saved", all.join("; "), what))
}

#[cfg(test)]
mod tests {
    use super::super::app::whole::{Ask, News, Only, Saved};
    use super::*;
    use crate::log::Level;
    use crate::site::ids::RequestId;
    use std::sync::mpsc::channel;

    fn of_log(id: u64, path: &str) -> Effect {
        let only = Only { level: Level::Verbose, filters: Vec::new(), text: None, polls: true };
        Effect::Whole(Ask { id, file: "A.LOG".into(), fresh: false, only, what: What::Save(path.into()) })
    }

    fn came(id: u64, came: Came) -> Event {
        Event::Whole(News { id, file: "A.LOG".into(), came })
    }

    fn ended(path: &str, error: bool) -> Event {
        Event::Saved { path: path.into(), said: "save: there is no room".into(), error }
    }

    #[test]
    fn whoever_quits_waits_for_what_is_being_saved_and_is_told_what_was_not() {
        let (to, from) = channel();
        let mut saves = Saves::default();
        for path in ["a", "b"] {
            saves.begin(&Effect::Save { path: path.into(), lines: Vec::new() });
        }
        let request = "BP00001".parse::<RequestId>().unwrap_or_else(|e| panic!("{e}"));
        saves.begin(&Effect::Evidence { path: "c".into(), request });
        saves.begin(&of_log(7, "d"));
        saves.begin(&of_log(8, "e"));
        assert_eq!(saves.count(), 5);
        // One ended before anybody quit.
        assert_eq!(
            saves.end(&ended("a", true)).as_ref().map(SafeText::as_str),
            Some("save: there is no room")
        );
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let saved = Saved { path: "d".into(), lines: 1, bytes: 2 };
                for event in [
                    ended("b", false),
                    came(7, Came::Progress(50)),
                    came(7, Came::Saved(saved)),
                    came(8, Came::Unsaved("e exists".into())),
                    ended("c", true),
                ] {
                    to.send(event).unwrap_or_default();
                }
            });
            let not = saves.wait(&from, Duration::from_secs(60), Some);
            assert_eq!(not, ["save: e exists", "save: there is no room"]);
        });
        assert!(saves.count() == 0 && not_saved(&[]).is_none());
    }

    #[test]
    fn nobody_waits_for_ever_and_whoever_does_not_want_to_does_not() {
        let (to, from) = channel();
        let mut saves = Saves::default();
        saves.begin(&of_log(1, "/slow/log.txt"));
        let not = saves.wait(&from, Duration::ZERO, Some);
        assert!(
            not.len() == 1 && not[0].as_str().starts_with("save: /slow/log.txt: it was not written within 0")
        );
        saves.begin(&of_log(2, "b"));
        to.send(ended("x", false)).unwrap_or_default();
        let not = saves.wait(&from, Duration::from_secs(60), |_| None);
        assert_eq!(not, ["save: b: it was not written by then"]);
        let failure = not_saved(&not);
        assert!(failure.is_some_and(|failure| failure.exit == Exit::Failed as u8));
    }
}
