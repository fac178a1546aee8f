//! The question before something is done to machines of the site through `ssh`: what, on which of them, until when and why. As
//! everywhere, `y` carries it out once the question can have been read, and of more than one machine the number is typed before.

use super::save::MAX_PATH;
use super::{Complaint, READ, number_missing};
use crate::clock::{Wall, Zone};
use crate::console::app::afar::Deed;
use crate::console::app::event::Moment;
use crate::console::app::input::Input;
use crate::console::app::until;
use crate::console::keymap::Key;
use crate::executor::talk::protocol::MAX_REASON;
use crate::safe;
use crate::site::ids::{JobId, MachineId, RequestId, SiteCode};
use crate::text::SafeText;
use chrono::SecondsFormat;

/// Something to be done to machines of the site, that waits for a yes.
#[derive(Debug, Clone)]
pub struct AfarAsk {
    /// What.
    pub deed: Deed,
    /// Which site.
    pub site: SiteCode,
    /// What it is called.
    pub name: SafeText,
    /// The job at hand.
    pub job: JobId,
    /// Its request.
    pub request: RequestId,
    /// Its package.
    pub package: SafeText,
    /// Those that would be asked, with their host names.
    pub machines: Vec<(MachineId, SafeText)>,
    /// Those that have no host name.
    pub nameless: Vec<MachineId>,
    /// What they say of the request: each state, and how many.
    pub states: Vec<(&'static str, usize)>,
    /// The number, where it has to be typed.
    pub number: Input,
    /// Where files are made, where that is asked.
    pub folder: Input,
    /// Until when, where that is asked.
    pub until: Input,
    /// Why, where that is asked.
    pub reason: Input,
    /// Where the keys go.
    pub focus: AfarField,
    touched: Moment,
    /// Why the last `y` did nothing.
    pub complaint: Option<Complaint>,
}

/// A part of the dialog that takes keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfarField {
    /// How many machines.
    Number,
    /// Where files are made.
    Folder,
    /// Until when.
    Until,
    /// Why.
    Reason,
    /// "y carries it out".
    Question,
}

/// What became of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AfarOutcome {
    /// Nothing more.
    Open,
    /// Away with it.
    Cancel,
    /// Carry out this verb of pcm: over there, or on the site folder.
    Do(Vec<String>),
}

/// What the question is about.
pub struct About {
    /// What is to be done.
    pub deed: Deed,
    /// The folder that is proposed, where one is asked for.
    pub folder: Option<String>,
    /// Which site, and what it is called.
    pub site: (SiteCode, SafeText),
    /// The job at hand, its request and its package.
    pub job: (JobId, RequestId, SafeText),
}

impl AfarAsk {
    /// A dialog for these machines: host name, and what they say of the request.
    pub fn new(
        about: About,
        machines: impl IntoIterator<Item = (MachineId, Option<SafeText>, &'static str)>,
        touched: Moment,
    ) -> AfarAsk {
        let (mut named, mut nameless, mut states) = (Vec::new(), Vec::new(), Vec::new());
        for (machine, host, state) in machines {
            let host = match host {
                Some(host) => host,
                // Nobody connects to it.
                None if !about.deed.is_there() => safe!("{machine}"),
                None => {
                    nameless.push(machine);
                    continue;
                }
            };
            named.push((machine, host));
            match states.iter_mut().find(|(known, _)| *known == state) {
                Some((_, n)) => *n += 1,
                None => states.push((state, 1)),
            }
        }
        states.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        let mut ask = AfarAsk {
            deed: about.deed,
            site: about.site.0,
            name: about.site.1,
            job: about.job.0,
            request: about.job.1,
            package: about.job.2,
            machines: named,
            nameless,
            states,
            number: Input::new(12),
            folder: Input::with(&about.folder.unwrap_or_default(), MAX_PATH),
            until: Input::new(40),
            reason: Input::new(MAX_REASON),
            focus: AfarField::Question,
            touched,
            complaint: None,
        };
        ask.focus = ask.fields()[0];
        ask
    }

    /// The parts that take keys, from top to bottom.
    pub fn fields(&self) -> Vec<AfarField> {
        let number = (self.machines.len() > 1).then_some(AfarField::Number);
        let folder = self.deed.is_kept().then_some(AfarField::Folder);
        let until = self.deed.is_until().then_some([AfarField::Until, AfarField::Reason]);
        number
            .into_iter()
            .chain(folder)
            .chain(until.into_iter().flatten())
            .chain([AfarField::Question])
            .collect()
    }

    /// What keeps a `y` from counting.
    pub fn obstacle(&self, now: Wall, zone: &Zone) -> Option<SafeText> {
        if let Some(missing) = number_missing(&self.number, self.machines.len() as u64) {
            return Some(missing);
        }
        if self.deed.is_kept() && self.folder.value().is_none() {
            return Some("enter a folder for the files".into());
        }
        if self.deed.is_until() {
            if let Err(why) = until::parse(self.until.text(), now, zone) {
                return Some(why);
            }
            if self.reason.value().is_none() {
                return Some("a reason is needed".into());
            }
        }
        None
    }

    /// Takes a key that went down at `at`.
    pub fn key(&mut self, key: Key, at: Moment, now: Wall, zone: &Zone) -> AfarOutcome {
        self.complaint = None;
        match (self.focus, key) {
            (_, Key::Esc | Key::Ctrl('c')) => return AfarOutcome::Cancel,
            (_, Key::Tab | Key::Down) => self.step(1),
            (_, Key::BackTab | Key::Up) => self.step(-1),
            // Enter goes on to the next part, and never carries it out.
            (AfarField::Number | AfarField::Folder | AfarField::Until | AfarField::Reason, Key::Enter) => {
                self.step(1)
            }
            (AfarField::Number, key) => drop(self.number.key(key)),
            (AfarField::Folder, key) => drop(self.folder.key(key)),
            (AfarField::Until, key) => drop(self.until.key(key)),
            (AfarField::Reason, key) => drop(self.reason.key(key)),
            (AfarField::Question, Key::Char('y')) => return self.yes(at, now, zone),
            (AfarField::Question, _) => return AfarOutcome::Cancel,
        }
        AfarOutcome::Open
    }

    /// Takes pasted text where text is typed.
    pub fn paste(&mut self, text: &str) {
        match self.focus {
            AfarField::Number => self.number.insert(text),
            AfarField::Folder => self.folder.insert(text),
            AfarField::Until => self.until.insert(text),
            AfarField::Reason => self.reason.insert(text),
            AfarField::Question => {}
        }
    }

    fn yes(&mut self, at: Moment, now: Wall, zone: &Zone) -> AfarOutcome {
        if self.obstacle(now, zone).is_some() {
            self.complaint = Some(Complaint::Obstacle);
            return AfarOutcome::Open;
        }
        if at.saturating_sub(self.touched) < READ {
            (self.touched, self.complaint) = (at, Some(Complaint::TooSoon));
            return AfarOutcome::Open;
        }
        self.words(now, zone).map_or(AfarOutcome::Open, AfarOutcome::Do)
    }

    /// The verb that does it. A time that was typed here is the same instant everywhere.
    fn words(&self, now: Wall, zone: &Zone) -> Option<Vec<String>> {
        if !self.deed.is_there() {
            let targets: Vec<String> = self.machines.iter().map(|(machine, _)| machine.to_string()).collect();
            let again = ["job", "send", "--again", &self.job.to_string(), "--to", &targets.join(",")]
                .map(str::to_owned);
            let expect = ["--expect".to_owned(), targets.len().to_string()];
            return Some(again.into_iter().chain(expect).collect());
        }
        let mut words = vec![self.deed.word().to_owned()];
        if self.deed.is_of_request() {
            words.push(self.request.to_string());
        }
        if self.deed.is_until() {
            let until = until::parse(self.until.text(), now, zone).ok()?;
            words.push(format!("--until={}", until.to_rfc3339_opts(SecondsFormat::Secs, true)));
            words.push(format!("--reason={}", self.reason.value()?));
        }
        if self.deed.is_kept() {
            words.extend(["--out", "-"].map(str::to_owned));
        }
        words.push("--json".to_owned());
        Some(words)
    }

    fn step(&mut self, by: isize) {
        let fields = self.fields();
        let here = fields.iter().position(|field| *field == self.focus).unwrap_or(0);
        self.focus = fields[here.saturating_add_signed(by).min(fields.len() - 1)];
    }
}
