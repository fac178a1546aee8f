//! `[retention]`: transcripts and staged content that are old and that nothing needs any more. Called by the service once
//! an hour; history itself is never thinned out.

use super::Executor;
use crate::clock::Wall;
use crate::executor::history::AttemptRow;
use crate::site::instruction::ContentHash;
use std::collections::BTreeSet;

impl Executor {
    /// Removes what is older than the configuration keeps.
    pub fn clean_up(&mut self, now: Wall) {
        let keep = self.known.config().retention.clone();
        let open: BTreeSet<String> = self.known.under_way().map(AttemptRow::run).collect();
        let mut removed = 0;
        for run in self.world.old_transcripts(keep.transcripts, now) {
            if !open.contains(&run) && self.world.discard_transcript(&run) {
                removed += 1;
            }
        }
        let needed = self.needed_content();
        for hash in self.world.old_content(keep.stage, now) {
            if !needed.contains(&hash) && self.world.discard_content(&hash) {
                self.known.content.remove(&hash);
                removed += 1;
            }
        }
        if removed > 0 {
            self.journal.info(now, &format!("{removed} old transcripts and staged packages were removed."));
        }
    }

    /// What is listed, or runs.
    fn needed_content(&self) -> BTreeSet<ContentHash> {
        let running = self.known.under_way().filter_map(|row| row.content.as_ref());
        self.known.contents().chain(running).cloned().collect()
    }
}
