//! What keeps a release of a package from being published, and what else it keeps.

use crate::error::{Exit, Failure};
use crate::site::index::job::Job;

/// What is wrong with a release.
#[derive(Debug, Clone)]
pub(super) struct Trouble {
    /// In words.
    pub failure: Failure,
    /// Nothing is published, whatever else there is to publish.
    pub stops: bool,
    /// It is there; machines in mode `signed` refuse it.
    pub untrusted: bool,
}

impl Trouble {
    /// Something that is refused.
    pub(super) fn new(code: &str, message: impl AsRef<str>, remedy: impl AsRef<str>) -> Self {
        let failure = Failure::new(Exit::Refused, code, message, remedy);
        Self { failure, stops: false, untrusted: false }
    }

    /// With the job that needs it.
    pub(super) fn of(job: &Job, code: &str, message: String, remedy: impl AsRef<str>) -> Self {
        Self::new(code, format!("{} runs it; {message}", job.job_id), remedy)
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self { failure, stops: true, untrusted: false }
    }
}
