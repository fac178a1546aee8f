//! What a front end asks, and what answers: the client of the real executor, or a fake in tests of the views.

use super::talk::protocol::{Answer, Change, Reply, View, unexpected_answer};
use super::talk::view::{CheckDoc, ListDoc, StatusDoc};
use crate::error::Result;

/// What a front end asks, of the executor or of this machine itself.
#[derive(Debug, Clone, PartialEq)]
pub enum Question {
    /// A view.
    View(View),
    /// A change.
    Change(Change),
    /// Whether this machine is ready.
    Check,
}

impl Question {
    /// As it is named in words; the verb of a change.
    pub fn verb(&self) -> &'static str {
        match self {
            Question::View(_) => "a view",
            Question::Change(change) => change.what.verb(),
            Question::Check => "check",
        }
    }

    /// It changes something.
    pub fn changes(&self) -> bool {
        matches!(self, Question::Change(_))
    }
}

impl From<View> for Question {
    fn from(view: View) -> Self {
        Question::View(view)
    }
}

impl From<Change> for Question {
    fn from(change: Change) -> Self {
        Question::Change(change)
    }
}

/// What answers: the real client, or a fake in tests of the views.
pub trait Ask: Send + Sync {
    /// Asks and waits for the answer.
    ///
    /// # Errors
    /// The refusal or failure, as the command line prints it.
    fn view(&self, view: &View) -> Reply;

    /// Asks for a change and waits until it is made.
    ///
    /// # Errors
    /// The refusal or failure, as the command line prints it.
    fn change(&self, change: &Change) -> Reply;

    /// Everything known of every request.
    ///
    /// # Errors
    /// As [`Ask::view`].
    fn list(&self) -> Result<ListDoc> {
        match self.view(&View::List)? {
            Answer::List(doc) => Ok(doc),
            _ => Err(unexpected_answer()),
        }
    }

    /// The machine at a glance.
    ///
    /// # Errors
    /// As [`Ask::view`].
    fn status(&self) -> Result<StatusDoc> {
        match self.view(&View::Status)? {
            Answer::Status(doc) => Ok(doc),
            _ => Err(unexpected_answer()),
        }
    }
}

/// What answers all that a console asks.
pub trait AskAll: Ask {
    /// Whether this machine is ready: looks for itself, service or not.
    ///
    /// # Errors
    /// The checklist cannot be gone through.
    fn check(&self) -> Result<CheckDoc>;

    /// Any question.
    ///
    /// # Errors
    /// The refusal or failure, as it is shown.
    fn ask(&self, question: &Question) -> Reply {
        match question {
            Question::View(view) => self.view(view),
            Question::Change(change) => self.change(change),
            Question::Check => self.check().map(Answer::Check),
        }
    }
}
