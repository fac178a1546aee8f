//! The question before a job is changed: which job, how many machines, and why. As everywhere, `y` carries it out once the
//! question can have been read, and of more than one machine the number is typed before.

use super::{Complaint, READ, number_missing};
use crate::console::app::event::Moment;
use crate::console::app::input::Input;
use crate::console::keymap::Key;
use crate::console::keymap::commands::Id;
use crate::executor::talk::protocol::MAX_REASON;
use crate::rollout::doc::{JobDoc, RolloutDoc};
use crate::safe;
use crate::site::ids::{JobId, SiteCode};
use crate::site::index::JobState;
use crate::text::SafeText;

/// A change of a job that waits for a yes.
#[derive(Debug, Clone)]
pub struct JobAsk {
    /// `advance` or `suspend`.
    pub id: Id,
    /// Which site.
    pub site: SiteCode,
    /// What it is called.
    pub name: SafeText,
    /// Which job.
    pub job: JobId,
    /// Of which package.
    pub package: SafeText,
    /// For so many machines.
    pub machines: u64,
    /// So many of them run it now.
    pub running: u64,
    /// The share that comes next, in percent.
    pub next: Option<f64>,
    /// The number, where it has to be typed.
    pub number: Input,
    /// Why, where that is asked.
    pub reason: Input,
    /// Where the keys go.
    pub focus: JobField,
    touched: Moment,
    /// Why the last `y` did nothing.
    pub complaint: Option<Complaint>,
}

/// A part of the dialog that takes keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobField {
    /// How many machines.
    Number,
    /// Why.
    Reason,
    /// "y carries it out".
    Question,
}

/// What became of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobOutcome {
    /// Nothing more.
    Open,
    /// Away with it.
    Cancel,
    /// Carry out this verb of pcm.
    Do(Vec<String>),
}

impl JobAsk {
    /// A dialog for this job.
    pub fn new(id: Id, doc: &RolloutDoc, job: &JobDoc, touched: Moment) -> JobAsk {
        // Those that the job would mean, were it for all at once.
        let out = |why: &str| job.not_targets_because.get(why).copied().unwrap_or(0);
        let met = job.targets + job.later + job.not_targets - out("excluded") - out("where");
        let machines = if id == Id::Advance { job.later } else { met };
        let focus = if machines > 1 { JobField::Number } else { JobField::Question };
        JobAsk {
            id,
            site: doc.site,
            name: doc.name.clone(),
            job: job.job_id,
            package: job.package.clone(),
            machines,
            running: job.running,
            next: job.next_phase,
            number: Input::new(12),
            reason: Input::new(MAX_REASON),
            focus,
            touched,
            complaint: None,
        }
    }

    /// Whether this job can be changed so.
    ///
    /// # Errors
    /// Why not.
    pub fn possible(id: Id, job: &JobDoc) -> Result<(), SafeText> {
        match (id, job.state) {
            (_, JobState::Cancelled) => Err(safe!("{} is cancelled, and that is final", job.job_id)),
            (Id::Advance, JobState::Suspended) => {
                Err(safe!("{} is suspended; pcm job resume lets it go on", job.job_id))
            }
            (Id::Advance, JobState::Active) if job.next_phase.is_none() => {
                Err(safe!("{} has reached all of its machines", job.job_id))
            }
            (_, JobState::Suspended) => Err(safe!("{} is suspended already", job.job_id)),
            (_, JobState::Active) => Ok(()),
        }
    }

    /// The parts that take keys, from top to bottom.
    pub fn fields(&self) -> Vec<JobField> {
        let number = (self.machines > 1).then_some(JobField::Number);
        let reason = (self.id == Id::SuspendJob).then_some(JobField::Reason);
        number.into_iter().chain(reason).chain([JobField::Question]).collect()
    }

    /// What keeps a `y` from counting.
    pub fn obstacle(&self) -> Option<SafeText> {
        number_missing(&self.number, self.machines)
    }

    /// Takes a key that went down at `at`.
    pub fn key(&mut self, key: Key, at: Moment) -> JobOutcome {
        self.complaint = None;
        match (self.focus, key) {
            (_, Key::Esc | Key::Ctrl('c')) => return JobOutcome::Cancel,
            (_, Key::Tab | Key::Down) => self.step(1),
            (_, Key::BackTab | Key::Up) => self.step(-1),
            // Enter goes on to the next part, and never carries it out.
            (JobField::Number | JobField::Reason, Key::Enter) => self.step(1),
            (JobField::Number, key) => {
                self.number.key(key);
            }
            (JobField::Reason, key) => {
                self.reason.key(key);
            }
            (JobField::Question, Key::Char('y')) => return self.yes(at),
            (JobField::Question, _) => return JobOutcome::Cancel,
        }
        JobOutcome::Open
    }

    /// Takes pasted text where text is typed.
    pub fn paste(&mut self, text: &str) {
        match self.focus {
            JobField::Number => self.number.insert(text),
            JobField::Reason => self.reason.insert(text),
            JobField::Question => {}
        }
    }

    fn yes(&mut self, at: Moment) -> JobOutcome {
        if self.obstacle().is_some() {
            self.complaint = Some(Complaint::Obstacle);
            return JobOutcome::Open;
        }
        if at.saturating_sub(self.touched) < READ {
            (self.touched, self.complaint) = (at, Some(Complaint::TooSoon));
            return JobOutcome::Open;
        }
        JobOutcome::Do(self.words())
    }

    /// The verb that does it, without what names the site folder.
    fn words(&self) -> Vec<String> {
        let verb = if self.id == Id::Advance { "advance" } else { "suspend" };
        let mut words: Vec<String> = vec!["job".into(), verb.into(), self.job.to_string()];
        if self.id == Id::SuspendJob {
            words.extend(["--expect".into(), self.machines.to_string()]);
            if let Some(reason) = self.reason.value() {
                words.extend(["--reason".into(), reason.to_string()]);
            }
        }
        words
    }

    fn step(&mut self, by: isize) {
        let fields = self.fields();
        let here = fields.iter().position(|field| *field == self.focus).unwrap_or(0);
        self.focus = fields[here.saturating_add_signed(by).min(fields.len() - 1)];
    }
}
