//! What is told of a publication: to whoever published, and in the log of the site folder.

use super::begun::Before;
use super::packages::Packages;
use super::render::{MEMBERS, Rendered};
use super::{LOG, Publication, Published, record};
use crate::host::open;
use crate::site::ids::JobId;
use crate::site::index::policy;
use crate::text::SafeText;
use std::collections::BTreeSet;

impl Publication<'_> {
    pub(super) fn published(
        &self,
        rendered: &Rendered,
        before: Option<&Before>,
        packages: &Packages,
        gone: usize,
    ) -> Published {
        let old = before.map(|before| &before.previous.index);
        let new =
            |folder: &str| rendered.files.iter().filter(|file| file.new && file.folder == folder).count();
        let here: BTreeSet<JobId> = rendered.index.jobs.iter().map(|job| job.job_id).collect();
        let withdrawn = old.into_iter().flat_map(|index| &index.jobs).map(|job| job.job_id);
        let policy = |group: &str| rendered.index.policies.iter().any(|now| now.group == group);
        let removed = old.into_iter().flat_map(|index| &index.policies).filter(|old| !policy(&old.group));
        Published {
            index: rendered.index.clone(),
            jobs: rendered.changed_jobs(old),
            packages: packages.new_ones(),
            signatures: packages.signed_anew(),
            settings: false,
            policies: new(policy::FOLDER) + removed.count(),
            opened: Vec::new(),
            parts: new(MEMBERS),
            machines: self.source.machines.len(),
            gone,
            withdrawn: withdrawn.filter(|id| !here.contains(id)).collect(),
            written: Vec::new(),
            completed: self.completed.get(),
            removed: 0,
            nothing: false,
            signed: !self.how.keys.is_empty(),
            faults: packages.faults(),
        }
    }

    /// A line of the log. What was published is published, whether it can be written or not.
    pub(super) fn log(&self, published: &Published) {
        use std::io::Write as _;
        let jobs: Vec<String> = published.jobs.iter().map(ToString::to_string).collect();
        let keys: Vec<String> = self.how.keys.iter().map(|key| key.display().to_string()).collect();
        let key = if keys.is_empty() { "unsigned".to_owned() } else { keys.join(", ") };
        let text = format!(
            "{} {}.{} {} [{key}] {}: {} machines; jobs {}; {} files; {} removed",
            self.how.now.format("%Y-%m-%dT%H:%M:%SZ"),
            published.index.epoch,
            published.index.serial,
            self.how.who,
            self.how.what,
            published.machines,
            if jobs.is_empty() { "-".to_owned() } else { jobs.join(" ") },
            published.written.len(),
            published.removed,
        );
        // Names, reasons and paths are others' words: none of them ends a line or begins one.
        let text = format!("{}\n", SafeText::new(&text));
        let path = self.folder.dir.join(LOG);
        let file = open::of_team(&path, open::Access::Append).map_err(std::io::Error::from);
        if let Err(e) = file.and_then(|mut file| file.write_all(text.as_bytes())) {
            tracing::warn!("this publication has no line in {}: {e}", path.display());
        }
    }

    /// The folder says what another one published: from now on that is this one's, too.
    pub(super) fn adopt(&self, before: Option<&Before>, rendered: &Rendered, seen: Option<&[u8]>) {
        let Some(before) = before.filter(|before| before.own.is_some()) else { return };
        let Some(Ok(index)) = seen.map(std::str::from_utf8) else { return };
        let record = self.record(index, rendered, Some(before), before.unnamed.clone());
        if let Err(failure) = record::keep(&self.folder.dir, &record) {
            tracing::warn!("what another one published is not kept here: {}", failure.message);
        }
    }
}
