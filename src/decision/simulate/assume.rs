//! What a simulation takes for granted about the time to come, as an operator writes it (`--assume KEY=VALUE`) and as
//! the result says it. Pure; the command line reads it, `simulate` puts it in force.

use super::super::model::{Facts, Instructions, UserFact};
use super::super::usual::RunTime;
use super::super::window;
use crate::text::{SafeText, duration, parse_duration};
use serde::{Deserialize, Serialize};

/// Beside this, everything stays as it is and every run succeeds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Assumptions {
    /// How long runs take.
    pub runs_take: RunTime,
    /// Who will be logged on; None: as the facts say.
    pub users: Option<Vec<UserFact>>,
    /// What becomes of files that are not copied yet.
    pub content: Content,
    /// These maintenance windows, as the configuration would write them; empty: always open. None: as configured.
    pub windows: Option<Vec<String>>,
    /// Whether the share answers; None: as it does now.
    pub share: Option<bool>,
    /// What is in the way and will not be.
    pub without: Vec<Obstacle>,
}

/// What becomes of files that are not copied yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Content {
    /// Nothing is copied any more.
    #[default]
    AsItIs,
    /// What was not tried yet arrives at once, where the share answers. What could not be copied stays away.
    Arrives,
    /// That arrives, too. What differs or could have been written by somebody else stays out.
    Copied,
}

/// What can be thought away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Obstacle {
    /// The operator's hold.
    Hold,
    /// Freezes of site and machine.
    Freeze,
    /// Deferrals.
    Deferral,
    /// A clock that cannot be believed.
    Clock,
    /// That no service runs.
    Service,
    /// A pending restart.
    Restart,
    /// A start of the machine just now.
    Boot,
    /// Running on battery.
    Power,
    /// Too little disk space.
    Disk,
    /// Requests for another platform.
    Platform,
}

/// What can be written, in the order in which it is offered.
const POSSIBLE: [(&str, &str); 15] = [
    ("users", "none or NAME,NAME"),
    ("window", "none or \"Sat 22:00-06:00, Sun 00:00-24:00\""),
    ("hold", "none"),
    ("freeze", "none"),
    ("deferral", "none"),
    ("clock", "ok"),
    ("service", "running"),
    ("restart", "none"),
    ("boot", "long-ago"),
    ("power", "mains"),
    ("disk", "ok"),
    ("content", "copied or as-it-is"),
    ("share", "ok or missing"),
    ("platform", "any"),
    ("runs", "longest, usual, none or a duration like 10m"),
];

/// Every key with its values, in a sentence.
pub fn possible() -> String {
    let each: Vec<String> = POSSIBLE.iter().map(|(key, values)| format!("{key}={values}")).collect();
    format!("What can be assumed: {}", each.join("; "))
}

impl Assumptions {
    /// What every view takes for granted: files arrive, and runs take their usual time or longer.
    pub fn usual() -> Assumptions {
        Assumptions { runs_take: RunTime::Usual, content: Content::Arrives, ..Assumptions::default() }
    }

    /// Adds one `KEY=VALUE`.
    ///
    /// # Errors
    /// What is wrong with it, and what is possible.
    pub fn add(&mut self, text: &str) -> Result<(), String> {
        let wrong = |why: String| format!("{why}. {}", possible());
        let Some((key, value)) = text.split_once('=') else {
            return Err(wrong(format!("{text:?} is not KEY=VALUE")));
        };
        let (key, value) = (key.trim(), value.trim());
        let Some((_, values)) = POSSIBLE.iter().find(|(name, _)| *name == key) else {
            return Err(wrong(format!("nothing can be assumed of {key:?}")));
        };
        let taken = self.take(key, value);
        taken.map_err(|why| {
            let why = if why.is_empty() { String::new() } else { format!(": {why}") };
            format!("{key}={value:?} cannot be assumed{why}; possible is {key}={values}")
        })
    }

    /// The reason is empty where the list of what is possible says it all.
    fn take(&mut self, key: &str, value: &str) -> Result<(), String> {
        let names = || value.split(',').map(str::trim).filter(|part| !part.is_empty());
        match (key, value) {
            (_, "") => return Err(String::new()),
            ("users", "none") => self.users = Some(Vec::new()),
            ("users", _) => self.users = Some(names().map(user).collect()),
            ("window", "none") => self.windows = Some(Vec::new()),
            ("window", _) => {
                let windows: Vec<String> = names().map(ToOwned::to_owned).collect();
                windows.iter().try_for_each(|text| window::parse(text).map(|_| ()))?;
                self.windows = Some(windows);
            }
            ("content", "copied") => self.content = Content::Copied,
            ("content", "as-it-is") => self.content = Content::AsItIs,
            ("share", "ok") => self.share = Some(true),
            ("share", "missing") => self.share = Some(false),
            ("runs", "usual") => self.runs_take = RunTime::Usual,
            ("runs", "longest") => self.runs_take = RunTime::Longest,
            ("runs", "none") => self.runs_take = RunTime::Nothing,
            ("runs", _) => self.runs_take = RunTime::About(parse_duration(value)?),
            ("hold", "none") => self.without.push(Obstacle::Hold),
            ("freeze", "none") => self.without.push(Obstacle::Freeze),
            ("deferral", "none") => self.without.push(Obstacle::Deferral),
            ("restart", "none") => self.without.push(Obstacle::Restart),
            ("service", "running") => self.without.push(Obstacle::Service),
            ("clock", "ok") => self.without.push(Obstacle::Clock),
            ("boot", "long-ago") => self.without.push(Obstacle::Boot),
            ("power", "mains") => self.without.push(Obstacle::Power),
            ("disk", "ok") => self.without.push(Obstacle::Disk),
            ("platform", "any") => self.without.push(Obstacle::Platform),
            _ => return Err(String::new()),
        }
        Ok(())
    }

    /// Everything that is taken for granted, each as a sentence without its full stop.
    pub fn words(&self, instructions: &Instructions, facts: &Facts) -> Vec<SafeText> {
        let mut words: Vec<String> = vec![match self.runs_take {
            RunTime::Longest => "every run succeeds and takes as long as its time limit allows".into(),
            RunTime::Usual => {
                "every run succeeds and takes at least as long as it usually took here (no time, where it \
                               never ran) and at most as long as its time limit allows"
                    .into()
            }
            RunTime::Nothing => "every run succeeds and takes no time".into(),
            RunTime::About(time) => format!("every run succeeds and takes {}", duration(time)),
        }];
        if !facts.service && !self.without.contains(&Obstacle::Service) {
            words.push("it stays so that no service runs, and nothing starts by itself".into());
        }
        words.push(match (&self.users, &facts.users) {
            (Some(users), _) => logged_on(users),
            (None, Some(users)) => format!("it stays as it is now that {}", logged_on(users)),
            (None, None) => "it stays unknown who is logged on".into(),
        });
        words.push(match (self.share, &instructions.fault) {
            (Some(true), _) => "the share answers".into(),
            (Some(false), _) => "no share answers any more".into(),
            (None, None) => "the share goes on answering".into(),
            (None, Some(fault)) => format!("the share stays as it is now: {}", fault.code),
        });
        let answers = self.share.unwrap_or(instructions.fault.is_none());
        match self.content {
            Content::AsItIs => words.push("no files are copied any more".into()),
            Content::Arrives if !answers => words.push("no files are copied before the share answers".into()),
            Content::Arrives => words.push("files that are still to be copied arrive in time".into()),
            Content::Copied => words.push("all files arrive, also those that could not be copied yet".into()),
        }
        match &self.windows {
            None => {}
            Some(windows) if windows.is_empty() => words.push("there are no maintenance windows".into()),
            Some(windows) => words.push(format!("the maintenance windows are {}", windows.join(", "))),
        }
        words.extend(self.without.iter().map(|obstacle| {
            let text = match obstacle {
                Obstacle::Hold => "nobody holds the machine",
                Obstacle::Freeze => "nothing is frozen",
                Obstacle::Deferral => "nothing is deferred",
                Obstacle::Clock => "the clock is right",
                Obstacle::Service => "a service runs",
                Obstacle::Restart => "no restart is pending",
                Obstacle::Boot => "the machine started long ago",
                Obstacle::Power => "the machine runs on mains power",
                Obstacle::Disk => "there is enough disk space",
                Obstacle::Platform => "everything is for this machine's platform",
            };
            text.to_owned()
        }));
        words.into_iter().map(SafeText::from).collect()
    }
}

fn user(name: &str) -> UserFact {
    UserFact { name: SafeText::new(name), terminal: "somewhere".into(), idle: None, locked: None }
}

/// `nobody is logged on`, `anna and bob are logged on`
fn logged_on(users: &[UserFact]) -> String {
    let names: Vec<&str> = users.iter().map(|user| user.name.as_str()).collect();
    match names.as_slice() {
        [] => "nobody is logged on".into(),
        [one] => format!("{one} is logged on"),
        [rest @ .., last] => format!("{} and {last} are logged on", rest.join(", ")),
    }
}
