//! One log file as a whole: what the log view wants of it, what is on its way, and what comes of that.

use super::dialog::{FilterAsk, Filtering};
use super::event::Effect;
use super::logpane::LogPane;
use super::overlay::Overlay;
use super::state::App;
use super::view::View;
use super::whole::{Ask, Came, Looking, News, Sought, Spot, Stats, What};
use crate::console::keymap::Key;
use crate::safe;
use crate::text::{SafeText, Side, parse_time};

impl App {
    /// What is known of the file that the log view shows, whole or the newest lines of.
    pub fn known_file(&self) -> Option<&Stats> {
        let shown = match &self.file {
            Some(pane) => pane.whole.as_ref().map(|whole| &whole.file),
            None => self.log.one_file(),
        };
        let known = self.file_stats.as_ref().filter(|(file, stats)| Some(file) == shown && stats.size > 0);
        known.map(|(_, stats)| stats).filter(|_| self.view == View::Log)
    }

    /// Errors and warnings: of all of the file where that is known, else among the lines that are here.
    pub fn log_faults(&self) -> (usize, usize) {
        let of = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let here = || self.log_pane().faults();
        self.known_file().map_or_else(here, |stats| (of(stats.errors), of(stats.warnings)))
    }

    /// How many records of the file that is looked at pass the filters, and how many hundredths of it were counted if not all.
    pub fn passing(&self) -> Option<(u64, Option<u64>)> {
        let pane = self.file.as_ref()?;
        let (file, only, passing, part) = self.passing.as_ref()?;
        let fits = pane.whole.as_ref().is_some_and(|whole| whole.file == *file) && *only == pane.counting();
        fits.then_some((*passing, *part))
    }

    /// What is to be asked of the file now.
    pub(super) fn look(&mut self) -> Vec<Effect> {
        if self.view != View::Log {
            return Vec::new();
        }
        let leaves = self.file.as_ref().is_some_and(|pane| pane.whole.as_ref().is_some_and(|w| w.leave));
        if leaves {
            // Another file may have its name by now.
            (self.file, self.file_stats, self.stats_asked) = (None, None, None);
            self.log.resume();
            let mut effects = self.stop_looking();
            effects.extend(self.ask_stats());
            return effects;
        }
        let pane = self.log_pane_mut();
        if let Some((file, what)) = pane.wish.take() {
            return self.ask_file(file, what);
        }
        if let Some(looking) = &self.looking {
            // A save is of what was shown when it was asked for.
            let stands = matches!(looking.what, What::Save(_));
            if stands || looking.only == self.log_pane().counting() {
                return Vec::new();
            }
            // Other records count by now: what it brings would stand among them as if it were one.
            if looking.waited {
                let (file, what) = (looking.file.clone(), looking.what.clone());
                return self.ask_file(file, what);
            }
            let mut effects = self.stop_looking();
            effects.extend(self.look());
            return effects;
        }
        let wanted = self.file.as_ref().and_then(|pane| {
            let whole = pane.whole.as_ref()?;
            Some((whole.file.clone(), pane.lacks()?))
        });
        match wanted {
            Some((file, what)) => self.ask_file(file, what),
            None => self.ask_stats(),
        }
    }

    /// How large the file is that may be looked at as a whole is asked for once it is seen that not all of it is here.
    fn ask_stats(&mut self) -> Vec<Effect> {
        let Some(file) = self.log.one_file().filter(|_| self.file.is_none()).cloned() else {
            return Vec::new();
        };
        let known = self.file_stats.as_ref().is_some_and(|(known, _)| *known == file);
        if known || self.stats_asked.as_ref() == Some(&file) { Vec::new() } else { self.ask_growth(file) }
    }

    fn ask_growth(&mut self, file: SafeText) -> Vec<Effect> {
        self.stats_asked = Some(file.clone());
        self.looks += 1;
        let only = self.log.counting();
        vec![Effect::Whole(Ask { id: self.looks, file, fresh: self.file.is_none(), only, what: What::Stats })]
    }

    pub(super) fn ask_file(&mut self, file: SafeText, what: What) -> Vec<Effect> {
        self.looks += 1;
        let id = self.looks;
        let waited = match &what {
            What::Around(_) | What::Find { .. } | What::Save(_) => true,
            What::Stats | What::Older(_) | What::Newer(_) | What::Stop => false,
        };
        let only = self.log_pane().counting();
        let (asked, of) = (what.clone(), file.clone());
        self.looking = Some(Looking { id, file: of, part: None, waited, only: only.clone(), what: asked });
        vec![Effect::Whole(Ask { id, file, fresh: self.file.is_none(), only, what })]
    }

    /// Whoever presses a key waits no longer for what is looked for.
    pub(super) fn stop_waiting(&mut self) -> Vec<Effect> {
        if self.looking.as_ref().is_some_and(|looking| looking.waited) {
            return self.stop_looking();
        }
        Vec::new()
    }

    fn stop_looking(&mut self) -> Vec<Effect> {
        let Some(looking) = self.looking.take() else { return Vec::new() };
        self.looks += 1;
        let only = self.log.counting();
        vec![Effect::Whole(Ask { id: self.looks, file: looking.file, fresh: false, only, what: What::Stop })]
    }

    /// New lines came: of the file that is known more is to be known, too.
    pub(super) fn more_of_file(&mut self, of: &[SafeText]) -> Vec<Effect> {
        let known = self.file_stats.as_ref().map(|(file, _)| file.clone()).filter(|file| of.contains(file));
        match known {
            Some(file) if self.stats_asked.is_none() => self.ask_growth(file),
            _ => Vec::new(),
        }
    }

    /// Takes what came of a file.
    pub(super) fn take_of_file(&mut self, news: News) {
        let News { id, file, came } = news;
        if let Came::Stats(stats) = came {
            if stats.part().is_none() || stats.stopped {
                self.stats_asked = None;
            }
            let grown = self.file_stats.as_ref().is_none_or(|(_, known)| known.size < stats.size);
            if let Some(pane) = self.file.as_mut().filter(|_| grown)
                && pane.whole.as_ref().is_some_and(|whole| whole.file == file)
            {
                pane.has_grown();
            }
            self.file_stats = Some((file, stats));
            return;
        }
        if let Came::Changed = came {
            self.changed(&file);
            return;
        }
        if let Came::Passing { only, passing, part } = came {
            self.passing = Some((file, only, passing, part));
            return;
        }
        if let Came::Unread(why) = came {
            // Whoever reads in it would take what was counted for all there is.
            if self.known_file().is_some() {
                self.say(safe!("{file}: {why}; the rest of it is neither counted nor searched"), true);
            }
            return;
        }
        // What became of a save is told to whoever asked for it, also where nobody waits for it any more.
        if let Came::Saved(saved) = came {
            return self.end_save(id, saved.words(), false);
        }
        if let Came::Unsaved(why) = came {
            return self.end_save(id, safe!("save: {why}"), true);
        }
        let Some(looking) = self.looking.take_if(|looking| looking.id == id) else {
            if let Came::Failed(_) = came {
                // Nobody has to know why a file cannot be counted; whoever wants to see it is told.
                self.file_stats = Some((file, Stats::default()));
                self.stats_asked = None;
            }
            return;
        };
        match came {
            Came::Progress(part) => self.looking = Some(Looking { part: Some(part), ..looking }),
            Came::Window { rows, above, below, top, bottom, hit, wrapped } => {
                if self.file.is_none() {
                    self.file = Some(Box::new(self.log.of_file(&file)));
                }
                let Some(pane) = &mut self.file else { return };
                pane.take_window(rows, (above, below), (top, bottom), hit);
                let forward = matches!(looking.what, What::Find { forward: true, .. });
                match looking.what {
                    What::Find { .. } if wrapped && forward => {
                        self.say("wrapped: none below; this is the first of the file", false);
                    }
                    What::Find { .. } if wrapped => {
                        self.say("wrapped: none above; this is the last of the file", false);
                    }
                    // What was said while it was looked for is out of date.
                    What::Find { .. } | What::Around(_) => self.message = None,
                    What::Stats | What::Older(_) | What::Newer(_) | What::Save(_) | What::Stop => {}
                }
            }
            Came::Older { rows, above, top } => {
                if let Some(pane) = &mut self.file {
                    pane.take_older(rows, above, top);
                }
            }
            Came::Newer { rows, below, bottom } => {
                if let Some(pane) = &mut self.file {
                    pane.take_newer(rows, below, bottom);
                }
            }
            Came::Nothing => {
                let fault = matches!(looking.what, What::Find { what: Sought::Fault, .. });
                let what = if fault { "no error or warning that is shown" } else { "nothing that matches" };
                self.say(safe!("{what} is in all of {file}"), false);
            }
            Came::Failed(why) => {
                if let (Some(pane), What::Older(_) | What::Newer(_)) = (&mut self.file, &looking.what) {
                    pane.stick();
                }
                self.say(safe!("{file}: {why}"), true);
            }
            Came::Stats(_)
            | Came::Changed
            | Came::Unread(_)
            | Came::Passing { .. }
            | Came::Saved(_)
            | Came::Unsaved(_) => {}
        }
    }

    fn end_save(&mut self, id: u64, words: SafeText, error: bool) {
        if self.looking.as_ref().is_some_and(|looking| looking.id == id) {
            self.looking = None;
        }
        self.say(words, error);
    }

    /// The file is not what it was: its newest lines say what became of it.
    fn changed(&mut self, file: &SafeText) {
        self.looking = None;
        self.file_stats = None;
        self.stats_asked = None;
        if self.file.take_if(|pane| pane.whole.as_ref().is_some_and(|whole| whole.file == *file)).is_some() {
            self.log.resume();
            self.say(safe!("{file} was cut or written anew; these are the newest lines"), true);
        }
    }

    /// Enter after a place in a log was typed.
    fn go_to_typed(&mut self) {
        let Some(now) = self.now else { return };
        let zone = self.options.zone.clone();
        let pane = self.log_pane_mut();
        let typed = pane.typing.as_ref().map(|input| input.text().trim().to_owned()).unwrap_or_default();
        let spot = match (typed.parse::<u64>(), typed.strip_suffix('%').map(str::parse::<u8>)) {
            _ if typed.is_empty() => None,
            (Ok(line), _) => Some(Spot::Line(line)),
            (_, Some(Ok(part @ 0..=100))) => Some(Spot::Part(part)),
            _ => match parse_time(typed.trim_start_matches('-'), Side::Last, now, &zone) {
                Ok(at) => Some(Spot::Time(at)),
                Err(why) => {
                    pane.bad_pattern = Some(SafeText::new(&why));
                    return;
                }
            },
        };
        pane.end_going();
        let said = spot.and_then(|spot| pane.go(spot));
        if let Some(said) = said {
            self.say(said, false);
        }
    }

    /// Takes a key where a place in a log is typed; false: none is.
    pub(super) fn types_place(&mut self, key: Key) -> bool {
        let goes = key == Key::Enter && self.log_pane().going;
        if goes {
            self.go_to_typed();
        }
        goes
    }
}

impl App {
    /// Takes a key where a filter is typed: what is shown changes below the list.
    pub(super) fn typed_filter(&mut self, key: Key) {
        let listed = self.log_pane().conditions().len();
        let Some(Overlay::Filters(mut ask)) = self.overlays.pop() else { return };
        match ask.key(key, listed) {
            Filtering::Close => return,
            Filtering::Open => {}
            Filtering::Remove => self.log_pane_mut().take_condition(ask.cursor.row(listed)),
            Filtering::Add(typed) => match self.log_pane_mut().add_condition(typed) {
                Ok(()) => *ask = FilterAsk::new(),
                Err(why) => ask.wrong = Some(why),
            },
        }
        self.overlays.push(Overlay::Filters(ask));
    }
}

impl LogPane {
    /// To a place in a file; the text says what came of it.
    pub(super) fn go(&mut self, spot: Spot) -> Option<SafeText> {
        match spot {
            Spot::Time(at) => self.go_to(at),
            spot => self.look_at_this(What::Around(spot)),
        }
    }
}
