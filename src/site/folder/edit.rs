//! One change of a site folder, before it is written: what it would make of the folder can be seen without it.

use super::machines::{self, Machines};
use super::{Folder, Source};
use crate::error::Result;
use crate::site::ids::JobId;
use crate::site::index::job::{self, Job, Word};
use crate::site::index::policy::{self, Rules};
use crate::site::index::render::job_source;
use std::path::PathBuf;
use std::sync::Arc;

/// What a verb changes.
#[derive(Debug, Clone, PartialEq)]
pub enum Edit {
    /// A job, or the publisher's word on it.
    Job(Box<Job>, Word),
    /// The policy of a group; one that says nothing is removed.
    Policy(String, Rules),
    /// The same with the text of its file, in which somebody may have noted something.
    PolicyText(String, Rules, String),
    /// The list of machines.
    Machines(Machines),
}

impl Edit {
    /// A job, and the word on it.
    pub fn job(job: &Job, word: Word) -> Self {
        Edit::Job(Box::new(job.clone()), word)
    }

    /// The file that it changes.
    pub fn path(&self, folder: &Folder) -> PathBuf {
        match self {
            Edit::Job(job, _) => folder.job_path(job.job_id),
            Edit::Policy(group, _) | Edit::PolicyText(group, _, _) => folder.policy_path(group),
            Edit::Machines(_) => folder.dir.join(machines::NAME),
        }
    }

    /// Writes it.
    ///
    /// # Errors
    /// What the system refuses.
    pub fn write(&self, folder: &Folder) -> Result<()> {
        match self {
            Edit::Job(job, word) => folder.write_job(job, word),
            Edit::Policy(group, rules) => folder.write_policy(group, rules),
            Edit::PolicyText(group, _, text) => folder.write_policy_text(group, text),
            Edit::Machines(machines) => folder.write_machines(machines),
        }
    }

    /// What the folder would say with it.
    pub fn applied(&self, source: &Source) -> Source {
        let mut source = source.clone();
        match self {
            Edit::Job(job, word) => {
                let id: JobId = job.job_id;
                source.say(format!("{}/{id}.toml", job::FOLDER), job_source(job, word).as_bytes());
                source.jobs.insert(id, (Job::clone(job), word.clone()));
            }
            Edit::Policy(group, rules) if *rules == Rules::default() => source.say_policy(group, rules, ""),
            Edit::Policy(group, rules) => source.say_policy(group, rules, &policy::render_rules(rules)),
            Edit::PolicyText(group, rules, text) => source.say_policy(group, rules, text),
            Edit::Machines(machines) => {
                source.machines = Arc::new(machines.clone());
                source.list = None;
            }
        }
        source
    }
}
