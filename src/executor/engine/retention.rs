//! `[retention]`: transcripts and staged content that are old and that nothing needs any more. Called by the service once
//! an hour; history itself is never thinned out.

use super::Engine;
use crate::clock::Wall;
use crate::site::content;
use crate::site::instruction::{ContentHash, Entry};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

impl Engine {
    /// Removes what is older than the configuration keeps.
    pub fn clean_up(&mut self, now: Wall) {
        let keep = self.policy.config.retention.clone();
        let open: BTreeSet<String> = self
            .snapshot
            .attempts
            .iter()
            .filter(|row| !row.attempt.state.is_terminal())
            .map(|row| format!("{}.log", row.run()))
            .collect();
        let mut removed = 0;
        for (name, path) in old_entries(&self.layout.log.join("runs"), keep.transcripts, now) {
            if name.ends_with(".log") && !open.contains(&name) && std::fs::remove_file(&path).is_ok() {
                removed += 1;
            }
        }
        let needed = self.needed_content();
        for (name, _) in old_entries(&self.layout.stage(), keep.stage, now) {
            let Ok(hash) = ContentHash::try_from(name) else { continue };
            if !needed.contains(&hash) && content::discard_staged(&self.layout.stage(), &hash).is_ok() {
                self.content.remove(&hash);
                removed += 1;
            }
        }
        if removed > 0 {
            self.journal.info(now, &format!("{removed} old transcripts and staged packages were removed."));
        }
    }

    /// What is listed, or runs.
    fn needed_content(&self) -> BTreeSet<ContentHash> {
        let listed =
            self.instructions.file.iter().flat_map(|file| &file.requests).filter_map(|entry| match entry {
                Entry::Good(request) => request.content_sha256.clone(),
                Entry::Rejected(_) => None,
            });
        let running = self
            .snapshot
            .attempts
            .iter()
            .filter(|row| !row.attempt.state.is_terminal())
            .filter_map(|row| row.content.clone());
        listed.chain(running).collect()
    }
}

/// Entries of a folder that were last changed longer ago than `age`.
fn old_entries(folder: &Path, age: Duration, now: Wall) -> Vec<(String, std::path::PathBuf)> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let changed = Wall::from(entry.metadata().ok()?.modified().ok()?);
            let old = (now - changed).to_std().is_ok_and(|passed| passed > age);
            old.then(|| Some((entry.file_name().into_string().ok()?, entry.path())))?
        })
        .collect()
}
