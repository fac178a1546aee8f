//! Following several logs at once over every way in which they are rotated: renamed, copied and truncated, deleted and
//! made again, rewritten in place at the same size. Loses and doubles nothing, or says that it may have (PROMISES.md,
//! P17). Called by the console and `pcm log`, which call [`Follower::poll`] again and again.
//!
//! `one` reads a single file and notices that what it has read is no longer there, by its `print`; `copies` finds where that
//! went; `patterns` lists names; `names` decides which file is which; `resume` goes on where another follower was cut off, by its
//! `cursor`s; `raw` is for whoever shows what comes; `pace` looks when there is something to see.

mod copies;
mod cursor;
#[cfg(test)]
pub mod instant;
mod names;
mod one;
mod pace;
mod patterns;
mod print;
mod raw;
mod resume;

pub use cursor::Cursor;
pub use pace::Pace;
pub use patterns::{Patterns, is_packed, rotated};

use super::batch::Batch;
use super::{Record, Zoned, merge};
use crate::host::tail::FileId;
use crate::text::SafeText;
use copies::Copied;
use names::{Beside, Removals, TakenUp};
use one::{Followed, Step};
use std::collections::{HashMap, HashSet, VecDeque};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How much one poll reads of one file, and of all.
const FILE_BYTES: usize = 512 * 1024;
const POLL_BYTES: usize = 4 << 20;
/// A file that has lost its name is read for so long after something came to it: its writer may not know yet.
const GRACE: Duration = Duration::from_secs(30);
/// Too little of a file to recognise a copy by.
const RECOGNISABLE: u64 = 64;
/// For so long a file too small to be recognised may be a copy that has just begun.
const UNRECOGNISED: Duration = Duration::from_millis(600);
/// Names are looked at this often while files are read, and what waits for the next look waits so long.
const NAMES: Duration = Duration::from_millis(250);
const MOST_FILES: usize = 256;
/// So many that have lost their names are read on.
const MOST_RETIRED: usize = 64;
/// Of so many files it is told that they cannot be read.
const MOST_PROBLEMS: usize = 100;
/// So many copies are looked at for the next one that is made over them.
const MOST_COPIES: usize = 8;
/// So much text of older records is told at once.
const OLDER_BYTES: usize = 1 << 20;

/// What a poll has to tell. The file is named as in [`Record::file`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A record.
    Record(Record),
    /// Records of one file as they stand; only of a follower that is [`Follower::raw`].
    Batch(Arc<Batch>),
    /// The file was rotated, renamed or removed; all that was written to it has been read. What follows under its name
    /// is a new file.
    Rotated {
        /// Which.
        file: SafeText,
    },
    /// The file was cut or rewritten in place. What was written between the last look and that moment may be missing;
    /// where a copy of the file was found, it was read to its end, and only what came after the copy may be.
    Truncated {
        /// Which.
        file: SafeText,
        /// The copy.
        copy: Option<SafeText>,
    },
    /// Something cannot be read. Said once, and again when it changes.
    Problem {
        /// Which file or pattern.
        file: SafeText,
        /// What the matter is.
        message: SafeText,
    },
}

/// Follows the files of some patterns.
pub struct Follower {
    patterns: Patterns,
    zone: Zoned,
    files: Vec<Followed>,
    copies: Vec<Copied>,
    /// Files too small to be told from the beginning of a copy, and since when.
    small: HashMap<FileId, Duration>,
    /// How rotated forms of the files begin, by folder.
    stems: HashSet<(PathBuf, String)>,
    /// What stood beside the files at the last poll.
    beside: HashSet<Beside>,
    queue: VecDeque<Event>,
    problems: HashMap<PathBuf, String>,
    behind: bool,
    turn: usize,
    /// The time of this look, since any moment.
    now: Duration,
    /// When names were looked at last, which they have not been since a file was read.
    names: Duration,
    is_stale: bool,
    /// A file was found of which too little is known.
    waits: bool,
    /// More new files were found than are taken up at once.
    is_crowded: bool,
    /// What was found at that time.
    paths: Vec<PathBuf>,
    /// How often more each name was removed than is known of files that had it.
    removed: HashMap<PathBuf, i64>,
    /// What was removed after names were looked at the last time.
    removed_since: Vec<PathBuf>,
    /// Records that were not told were in a file that is not followed any more.
    lost_older: bool,
    /// Records are told as they stand.
    raw: bool,
}

impl Follower {
    /// Follows the files that `patterns` name now or will name later (`*` in the file's name stands for anything). Of
    /// those that exist the last `last` records are told first: `usize::MAX` for all, 0 for none. Nothing fails here: what
    /// cannot be read is told as [`Event::Problem`].
    pub fn open<P: AsRef<Path>>(patterns: &[P], zone: Zoned, last: usize) -> Follower {
        let mut follower = Follower::of_nothing(Patterns::new(patterns), zone);
        let mut first = Vec::new();
        let paths = follower.candidates().0;
        follower.remember_stems(&paths);
        for path in paths {
            let Ok(Some(id)) = follower.identity(&path) else { continue };
            if follower.files.iter().any(|f| f.id == id) {
                continue;
            }
            if follower.files.len() >= MOST_FILES {
                follower.too_many(&path);
                continue;
            }
            match Followed::open_last(&path, &follower.zone, last) {
                Ok((file, records)) => {
                    first.push(records);
                    follower.files.push(file);
                }
                Err(e) => follower.problem(&path, &e.to_string()),
            }
        }
        follower.queue.extend(merge::merge(first).into_iter().map(Event::Record));
        follower.beside = follower.beside().into_iter().map(|(id, _)| id).collect();
        follower.behind = true;
        follower
    }

    /// Nothing is followed yet.
    fn of_nothing(patterns: Patterns, zone: Zoned) -> Follower {
        Follower {
            patterns,
            zone,
            files: Vec::new(),
            copies: Vec::new(),
            small: HashMap::new(),
            stems: HashSet::new(),
            beside: HashSet::new(),
            queue: VecDeque::new(),
            problems: HashMap::new(),
            behind: false,
            turn: 0,
            now: Duration::ZERO,
            names: Duration::ZERO,
            is_stale: true,
            waits: false,
            is_crowded: false,
            paths: Vec::new(),
            removed: HashMap::new(),
            removed_since: Vec::new(),
            lost_older: false,
            raw: false,
        }
    }

    /// From where another follower goes on after the last poll: [`Follower::resume`]. What cannot be read has none.
    pub fn cursors(&mut self) -> Vec<Cursor> {
        let read = self.files.iter_mut().filter(|file| !file.copied);
        read.filter_map(|file| file.cursor().ok()).collect()
    }

    /// What is new in the files that were found, without a look at names: for whoever knows that none has changed. From time
    /// to time there is one all the same.
    pub fn read_on(&mut self, now: Duration, removals: Removals) -> Vec<Event> {
        if self.waits || !self.copies.is_empty() || now.saturating_sub(self.names) >= NAMES {
            return self.poll_told(now, removals);
        }
        (self.now, self.behind, self.is_stale) = (now, false, true);
        let mut budget = POLL_BYTES;
        self.read_all(&mut budget);
        self.queue.drain(..).collect()
    }

    /// What is new at this time, of which the system tells nothing.
    pub fn poll(&mut self, now: Duration) -> Vec<Event> {
        self.poll_told(now, &mut || None)
    }

    /// What is new at this time, which is since any moment and never goes back. Never waits, and does a bounded amount of
    /// work: while [`Follower::behind`] there is more to be had at once. What is asked says which names were removed since it was
    /// asked last, and None if not all that were are known.
    pub fn poll_told(&mut self, now: Duration, removals: Removals) -> Vec<Event> {
        (self.now, self.behind) = (now, false);
        (self.names, self.is_stale, self.waits) = (now, false, false);
        self.forget_problems();
        let names = self.sort_names(removals);
        let mut budget = POLL_BYTES;
        self.read_all(&mut budget);
        let mut unseen = Vec::new();
        for path in names.unseen {
            // What is older has to be told first.
            let is_before = |file: &Followed| file.more && !file.is_copy && file.followed_as == path;
            match self.files.iter().any(is_before) {
                true => unseen.push(path),
                false => self.tell_unseen(one::name_of(&path)),
            }
        }
        for found in names.between {
            let id = found.id;
            match self.take_up(found) {
                TakenUp::Followed => {
                    let last = self.files.len() - 1;
                    self.files[last].retired = Some(now + GRACE);
                    self.read_one(last, &mut budget);
                }
                TakenUp::Not => {}
                TakenUp::Later => self.later(&HashSet::from([id])),
            }
        }
        for found in names.fresh {
            let id = found.id;
            match self.take_up(found) {
                TakenUp::Followed => {
                    let last = self.files.len() - 1;
                    if let Some(at) = unseen.iter().position(|path| *path == self.files[last].path) {
                        unseen.swap_remove(at);
                        self.files[last].after_unseen = true;
                    }
                    self.read_one(last, &mut budget);
                }
                TakenUp::Not => {}
                TakenUp::Later => self.later(&HashSet::from([id])),
            }
        }
        unseen.into_iter().for_each(|path| self.tell_unseen(one::name_of(&path)));
        self.drop_retired();
        self.queue.drain(..).collect()
    }

    fn tell_unseen(&mut self, file: SafeText) {
        self.queue.push_back(Event::Truncated { file, copy: None });
    }

    /// They are looked at again as if they were new.
    fn later(&mut self, ids: &HashSet<FileId>) {
        self.beside.retain(|(id, _)| !ids.contains(id));
        self.waits = true;
    }

    /// Whether the last poll stopped because it had done enough, not because there was nothing left.
    pub fn behind(&self) -> bool {
        self.behind
    }

    /// When the next poll has something to do although nothing has changed: something is held that may go on, or waits for
    /// what cannot be known yet.
    pub fn due(&self) -> Option<Duration> {
        let waits = |file: &Followed| file.retired.is_some() && !file.copied;
        let names =
            self.is_stale || self.is_crowded || !self.small.is_empty() || self.files.iter().any(waits);
        let names = names.then_some(self.names + NAMES);
        self.files.iter().filter_map(Followed::due).chain(names).min()
    }

    /// Whether names were looked at the last time.
    pub(super) fn has_looked_at_names(&self) -> bool {
        !self.is_stale
    }

    /// Folders whose names count, files by their names, and those that have none any more.
    pub fn watched(&self) -> (Vec<PathBuf>, &[PathBuf], impl Iterator<Item = &File>) {
        let unnamed = self.files.iter().filter(|file| file.retired.is_some()).map(Followed::open);
        (self.patterns.folders(), &self.paths, unnamed)
    }

    /// A poll a moment after the last one, long enough for whatever waits for one.
    #[cfg(test)]
    pub fn look(&mut self) -> Vec<Event> {
        self.poll(self.now + Duration::from_millis(300)).into_iter().flat_map(super::tests::apart).collect()
    }

    /// Reads on until nothing is left, and gives out what waits for further lines: for a reader who does not follow.
    #[cfg(test)]
    pub fn finish(mut self) -> Vec<Event> {
        let mut events = self.poll(self.now);
        while self.behind {
            events.extend(self.poll(self.now));
        }
        for file in &mut self.files {
            events.extend(file.finish().into_iter().map(Event::Record));
        }
        events
    }

    /// Whether records older than the first that were told are in the files: `None` if not, else whether
    /// [`Follower::older`] reads any of them.
    pub fn has_older(&self) -> Option<bool> {
        if self.files.iter().any(|file| !file.held.is_empty()) {
            return Some(true);
        }
        let older = self.files.iter().filter_map(|file| file.has_older()).max();
        older.or(self.lost_older.then_some(false))
    }

    /// About so many of the records before those that were told, fewer if they are long; oldest first: of several files
    /// those that are newest.
    pub fn older(&mut self, most: usize) -> Vec<Record> {
        let (mut found, mut bytes) = (VecDeque::new(), 0);
        while found.len() < most && bytes < OLDER_BYTES {
            for index in 0..self.files.len() {
                let file = &mut self.files[index];
                if file.held.is_empty() && file.has_older() == Some(true) {
                    match file.older(&self.zone) {
                        Ok(records) => file.held.extend(records),
                        Err(e) => {
                            let path = file.path.clone();
                            file.give_up_older();
                            self.problem(&path, &e.to_string());
                        }
                    }
                }
            }
            let newest = self.files.iter_mut().filter(|file| !file.held.is_empty());
            let Some(file) = newest.max_by_key(|file| file.held.back().and_then(|record| record.near)) else {
                break;
            };
            let record = file.held.pop_back();
            bytes +=
                record.iter().flat_map(|record| &record.text).map(|line| line.as_str().len()).sum::<usize>();
            found.extend(record);
        }
        found.into_iter().rev().collect()
    }

    /// The files that are being followed, by the names that records carry.
    pub fn files(&self) -> Vec<SafeText> {
        self.files.iter().filter(|f| f.retired.is_none()).map(|f| f.name.clone()).collect()
    }

    fn problem(&mut self, path: &Path, message: &str) {
        self.problem_of(path, path, message);
    }

    /// The same; what has the same key and says the same is said once.
    fn problem_of(&mut self, key: &Path, path: &Path, message: &str) {
        if self.problems.get(key).is_some_and(|said| said == message) {
            return;
        }
        // Names come from folders that others write to: neither are all of them kept in mind, nor is each told again and again.
        // No file has this path.
        let (others, folder) = (Path::new(""), path.parent().unwrap_or(path));
        let (key, path, message) = match self.problems.len() {
            ..MOST_PROBLEMS => (key, path, message),
            _ if self.problems.contains_key(others) => return,
            _ => (others, folder, "more files cannot be read there than are told"),
        };
        self.problems.insert(key.to_owned(), message.to_owned());
        self.queue.push_back(Event::Problem { file: one::name_of(path), message: SafeText::new(message) });
    }

    /// What was said of files that are gone is forgotten, so that there is room for what is to be said of others.
    fn forget_problems(&mut self) {
        if self.problems.len() < MOST_PROBLEMS {
            return;
        }
        let others = Path::new("");
        let is_pattern = |path: &Path| path.to_string_lossy().contains('*');
        let stays = |path: &Path| path == others || is_pattern(path) || path.symlink_metadata().is_ok();
        self.problems.retain(|path, _| stays(path));
        if self.problems.len() < MOST_PROBLEMS / 2 {
            self.problems.remove(others);
        }
    }

    /// Those that have lost their names first, because what is in them is older, and copies last: what one is a copy of is
    /// known by what was read of the others.
    fn read_all(&mut self, budget: &mut usize) {
        self.turn = self.turn.wrapping_add(1);
        let (behind, first) = self.files.split_at(self.turn % self.files.len().max(1));
        let kind = |file: &Followed| (file.is_copy, file.retired.is_none());
        let mut ids: Vec<_> = first.iter().chain(behind).map(|file| (kind(file), file.id)).collect();
        ids.sort_by_key(|(kind, _)| *kind);
        let begin = self.queue.len();
        for ((is_copy, _), id) in ids {
            let Some(index) = self.files.iter().position(|file| file.id == id) else { continue };
            let told = self.queue.len();
            self.read_one(index, budget);
            let is_cut = |event: &Event| matches!(event, Event::Truncated { .. });
            if is_copy
                && self.queue.get(told).is_some_and(is_cut)
                && let Some(cut) = self.queue.range(begin..told).position(is_cut)
            {
                // It was copied and cut before what the log itself holds now was written.
                let (copy, log) = (self.queue.split_off(told), self.queue.split_off(begin + cut));
                self.queue.extend(copy.into_iter().chain(log));
            }
        }
    }

    /// Whether another file had the name of this one before and is not read to its end: what is in it is older.
    fn has_one_before(&self, index: usize) -> bool {
        let (before, this) = (&self.files[..index], &self.files[index]);
        let is_first = |other: &Followed| {
            other.more && !other.copied && !other.is_copy && other.followed_as == this.followed_as
        };
        !this.copied && !this.is_copy && before.iter().any(is_first)
    }

    /// Reads what is new in one file and finds out what became of it.
    fn read_one(&mut self, index: usize, budget: &mut usize) {
        if self.has_one_before(index) {
            let file = &mut self.files[index];
            file.wait_its_turn();
            if file.retired.is_some() {
                file.retired = Some(self.now + GRACE);
            }
            self.behind = true;
            return;
        }
        if std::mem::take(&mut self.files[index].after_unseen) {
            self.tell_unseen(self.files[index].name.clone());
        }
        let mut share = FILE_BYTES.min(*budget);
        let before = share;
        let id = self.files[index].id;
        // A file can be rewritten again and again; the next poll is soon enough for the third time.
        for _ in 0..2 {
            // A copy of what was rewritten takes another place among them.
            let Some(index) = self.files.iter().position(|file| file.id == id) else { break };
            if self.files[index].copied {
                if !self.files[index].is_overwritten() {
                    break;
                }
                self.rewritten(index);
                continue;
            }
            let mut records = Vec::new();
            let file = &mut self.files[index];
            file.raw = self.raw.then(Vec::new);
            let step = file.advance(self.now, &mut share, &mut records);
            let raw = file.raw.take().unwrap_or_default().into_iter().filter(|batch| !batch.is_empty());
            self.queue.extend(raw.map(|batch| Event::Batch(Arc::new(batch))));
            let more = matches!(step, Ok(Step::More));
            file.more = more;
            if file.retired.is_some() && (more || file.has_grown(self.now)) {
                // It is not read to its end, or its writer does not know yet.
                file.retired = Some(self.now + GRACE);
            }
            self.queue.extend(records.into_iter().map(Event::Record));
            match step {
                Ok(Step::Current) => {
                    let file = &mut self.files[index];
                    if file.is_copy {
                        // It was whole before that was cut of which it is a copy.
                        let records = file.finish();
                        self.queue.extend(records.into_iter().map(Event::Record));
                        if std::mem::take(&mut file.was_unknown) {
                            let copy = Some(one::name_of(&file.path));
                            self.queue.push_back(Event::Truncated { file: file.name.clone(), copy });
                        }
                    }
                    if let Some(log) = file.copy_of.take() {
                        let records = file.finish();
                        self.queue.extend(records.into_iter().map(Event::Record));
                        let copy = Some(one::name_of(&file.path));
                        self.queue.push_back(Event::Truncated { file: log, copy });
                    }
                    if std::mem::take(&mut file.renamed) {
                        self.queue.push_back(Event::Rotated { file: file.name.clone() });
                    }
                    break;
                }
                Ok(Step::More) => {
                    self.behind = true;
                    break;
                }
                Ok(Step::Changed) => self.rewritten(index),
                Err(e) => {
                    let path = self.files[index].path.clone();
                    self.problem(&path, &e.to_string());
                    break;
                }
            }
        }
        *budget -= before - share;
    }

    fn drop_retired(&mut self) {
        // Of a log that is rotated all the time those go first that lost their names first.
        let mut until: Vec<Duration> = self.files.iter().filter_map(|file| file.retired).collect();
        until.sort_unstable();
        let surplus = until.len().saturating_sub(MOST_RETIRED);
        let least = surplus.checked_sub(1).map_or(self.now, |last| until[last].max(self.now));
        let mut kept = Vec::with_capacity(self.files.len());
        for mut file in self.files.drain(..) {
            let is_over =
                file.retired.is_some_and(|until| until <= self.now || until <= least && file.is_read());
            if is_over {
                self.lost_older |= file.take_unread().is_some();
            }
            if !is_over {
                kept.push(file);
                continue;
            }
            if !file.copied {
                self.queue.extend(file.finish().into_iter().map(Event::Record));
            }
            let is_followed = self.patterns.name(&file.path);
            if file.is_copy && !is_followed && names::leads_to(&file.path, file.id) {
                // The next copy may be made over it before anything of that was seen in the log.
                file.print = file.as_it_is();
                (file.copied, file.retired) = (true, Some(self.now + GRACE));
                kept.push(file);
            } else if file.copied
                && is_followed
                && let Ok((handle, _)) = file.handle()
            {
                let Followed { path, id, names, print, .. } = file;
                self.copies.push(Copied { path, id, file: handle, names, print });
            }
        }
        // Those that were made first are those that nothing is written over any more.
        let mut surplus = kept.iter().filter(|file| file.copied).count().saturating_sub(MOST_COPIES);
        kept.retain(|file| {
            let stays = !file.copied || surplus == 0;
            surplus -= usize::from(!stays);
            stays
        });
        self.files = kept;
    }
}
