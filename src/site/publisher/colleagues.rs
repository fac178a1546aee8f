//! What was published from another folder since this one last published: a colleague's clone, or the server's timer. What the
//! folder never had it would take back without a word (SITE.md 3), as it says what it said before: a halt, a freeze, machines.

use super::record::{self, Ran, Record};
use super::refusals::{Changes, Of, Refusal};
use super::render::MEMBERS;
use crate::site::content::hash_bytes;
use crate::site::ids::JobId;
use crate::site::index::job::{Job, Word};
use crate::site::index::members::{self, Part};
use crate::site::index::policy::{self, Policy};
use crate::site::index::{self, Index, IndexedJob, JobState, render as text, target};
use std::collections::BTreeMap;

/// What this folder published last, where the share has something else.
#[derive(Debug, Default)]
pub(super) struct Own {
    index: Option<Index>,
    list: Vec<Part>,
    ran: BTreeMap<JobId, Ran>,
}

impl Own {
    /// By its record; without one it is not known to have published anything.
    pub(super) fn of(record: Option<&Record>) -> Self {
        let Some(record) = record else { return Self::default() };
        Self {
            index: index::parse(record.index.as_bytes(), record::NAME).ok(),
            list: members::parse_list(record.list.as_bytes(), record::NAME).unwrap_or_default(),
            ran: record.jobs.clone(),
        }
    }

    fn job(&self, id: JobId) -> Option<&IndexedJob> {
        self.index.as_ref()?.jobs.iter().find(|job| job.job_id == id)
    }

    /// What a job of this id was when it last published it.
    pub(super) fn ran(&self, id: JobId) -> Option<&Ran> {
        self.ran.get(&id)
    }

    /// It published a job of this id.
    pub(super) fn knows(&self, id: JobId) -> bool {
        self.job(id).is_some()
    }
}

/// What would be taken back.
pub(super) fn taken_back(own: &Own, changes: Changes<'_>) -> Vec<Refusal> {
    let Changes { previous, source, rendered, ran, .. } = changes;
    let mut all = Vec::new();
    for old in &previous.index.jobs {
        let now = rendered.index.jobs.iter().find(|now| now.job_id == old.job_id);
        if let (Some(now), Some((job, word))) = (now, source.jobs.get(&old.job_id))
            && old.state != JobState::Cancelled
            && now.state != JobState::Cancelled
            && own.job(old.job_id).is_none_or(|own| !is_the_same(own, old))
        {
            all.extend(one(old, now, job, word));
            // Of a file that cannot be read it is said already.
            if !own.knows(old.job_id)
                && now.sha256 != old.sha256
                && !was_first(old, job, word)
                && ran.contains_key(&old.job_id)
            {
                all.push(format!(
                    "{0} is a job that another folder published, and this folder's {0} says something else",
                    old.job_id
                ));
            }
        }
    }
    let index = &previous.index;
    for old in &index.policies {
        let known =
            own.index.as_ref().is_some_and(|own| own.policies.iter().any(|own| own.sha256 == old.sha256));
        let now = rendered.index.policies.iter().find(|now| now.group == old.group);
        if !known && now.is_none_or(|now| now.sha256 != old.sha256) {
            let file = Policy::file_name(&old.group, old.revision);
            let what = if now.is_some() { "replaced" } else { "removed" };
            all.push(format!(
                "{}/{file} was published from another folder and would be {what}, with any freeze in it",
                policy::FOLDER
            ));
        }
    }
    let has = |list: &[Part], part: &Part| {
        list.iter().any(|known| (&known.name, &known.sha256) == (&part.name, &part.sha256))
    };
    let lost = previous.list.iter().filter(|part| !has(&own.list, part) && !has(&rendered.list, part));
    let lost: Vec<String> = lost.map(|part| format!("{MEMBERS}/{}.{}", part.name, part.revision)).collect();
    match lost.as_slice() {
        [] => {}
        [part] => all.push(format!("{part} was published from another folder and would be replaced")),
        [part, rest @ ..] => all.push(format!(
            "{part} and {} more parts of the list of machines were published from another folder and would be replaced",
            rest.len()
        )),
    }
    all.into_iter().map(|words| Refusal { count: 1, of: Of::Change, words }).collect()
}

fn is_the_same(own: &IndexedJob, old: &IndexedJob) -> bool {
    let bare = |job: &IndexedJob| IndexedJob { line: 0, ..job.clone() };
    bare(own) == bare(old)
}

/// What of one job would be.
fn one(old: &IndexedJob, now: &IndexedJob, job: &Job, word: &Word) -> Vec<String> {
    let id = old.job_id;
    let before = if was_first(old, job, word) { 0 } else { old.percent };
    let after = if word.is_canary() { 0 } else { now.percent };
    let mut all = Vec::new();
    if old.state == JobState::Suspended && now.state == JobState::Active {
        let why = old.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
        all.push(format!("{id} was suspended from another folder{why} and would be active"));
    }
    if after < before {
        let (before, after) = (target::percent(before), target::percent(after));
        all.push(format!("{id} has reached {before} % from another folder and would fall to {after} %"));
    }
    all
}

/// As long as a job is for the machines that come first, its file names these, and it has reached no share.
pub(super) fn was_first(old: &IndexedJob, job: &Job, word: &Word) -> bool {
    let (first, _) = text::for_now(job, &Word { percent: 0, ..word.clone() });
    let first = text::job(&Job { revision: old.revision, ..first });
    !word.canary.is_empty() && hash_bytes(first.as_bytes()) == old.sha256
}
