//! Following several logs at once over every way in which they are rotated: renamed, copied and truncated, deleted and
//! made again, rewritten in place at the same size. Loses and doubles nothing, or says that it may have (PROMISES.md,
//! P17). Called by the console and `pcm log`, which call [`Follower::poll`] again and again.
//!
//! `one` reads a single file and notices that what it has read is no longer there; `patterns` lists names; `names` decides
//! which file is which; `resume` goes on where another follower was cut off, by its `cursor`s.

mod cursor;
mod names;
mod one;
mod patterns;
mod resume;

pub use cursor::Cursor;
pub use patterns::{Patterns, is_packed, rotated};

use super::{Record, Zoned, merge};
use crate::host::tail::{self, FileId};
use crate::text::SafeText;
use names::TakenUp;
use one::{Followed, Print, Relation, Step};
use std::collections::{HashMap, HashSet, VecDeque};
use std::fs::File;
use std::path::{Path, PathBuf};

/// How much one poll reads of one file, and of all.
const FILE_BYTES: usize = 512 * 1024;
const POLL_BYTES: usize = 4 << 20;
/// A file that has lost its name is read for so many more polls: its writer may not know yet.
const GRACE_POLLS: u32 = 100;
/// Too little of a file to recognise a copy by.
const RECOGNISABLE: u64 = 64;
/// For so many polls a file too small to be recognised may be a copy that has just begun.
const UNRECOGNISED_POLLS: u32 = 2;
const MOST_FILES: usize = 256;
/// So much text of older records is told at once.
const OLDER_BYTES: usize = 1 << 20;

/// What a poll has to tell. The file is named as in [`Record::file`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A record.
    Record(Record),
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

/// A copy of what is being followed. It is not told again, but held open, so that its identity stays its own.
struct Copied {
    path: PathBuf,
    id: FileId,
    file: File,
    /// What of it is known to be a copy.
    print: Print,
}

/// Follows the files of some patterns.
pub struct Follower {
    patterns: Patterns,
    zone: Zoned,
    files: Vec<Followed>,
    copies: Vec<Copied>,
    /// Files too small to be told from the beginning of a copy, and for how many polls they have been.
    small: HashMap<FileId, u32>,
    /// How rotated forms of the files begin, by folder.
    stems: HashSet<(PathBuf, String)>,
    /// What stood beside the files at the last poll.
    beside: HashSet<FileId>,
    queue: VecDeque<Event>,
    problems: HashMap<PathBuf, String>,
    behind: bool,
    turn: usize,
    /// Records that were not told were in a file that is not followed any more.
    lost_older: bool,
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
            if follower.files.iter().any(|f| f.id == id) || follower.files.len() >= MOST_FILES {
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
            lost_older: false,
        }
    }

    /// From where another follower goes on after the last poll: [`Follower::resume`]. What cannot be read has none.
    pub fn cursors(&mut self) -> Vec<Cursor> {
        let read = self.files.iter_mut().filter(|file| !file.copied);
        read.filter_map(|file| file.cursor().ok()).collect()
    }

    /// What is new. Never waits, and does a bounded amount of work: while [`Follower::behind`] there is more to be had
    /// at once.
    pub fn poll(&mut self) -> Vec<Event> {
        self.behind = false;
        let names = self.sort_names();
        let mut budget = POLL_BYTES;
        self.read_all(&mut budget);
        for found in names.between {
            let id = found.id;
            match self.take_up(found) {
                TakenUp::Followed => {
                    let last = self.files.len() - 1;
                    self.files[last].retired = Some(GRACE_POLLS);
                    self.read_one(last, &mut budget);
                }
                TakenUp::Not => {}
                TakenUp::Later => drop(self.beside.remove(&id)),
            }
        }
        for found in names.fresh {
            let id = found.id;
            match self.take_up(found) {
                TakenUp::Followed => self.read_one(self.files.len() - 1, &mut budget),
                TakenUp::Not => {}
                TakenUp::Later => drop(self.beside.remove(&id)),
            }
        }
        self.drop_retired();
        self.queue.drain(..).collect()
    }

    /// Whether the last poll stopped because it had done enough, not because there was nothing left.
    pub fn behind(&self) -> bool {
        self.behind
    }

    /// Reads on until nothing is left, and gives out what waits for further lines: for a reader who does not follow.
    #[cfg(test)]
    pub fn finish(mut self) -> Vec<Event> {
        let mut events = self.poll();
        while self.behind {
            events.extend(self.poll());
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
        if self.problems.get(path).is_some_and(|said| said == message) {
            return;
        }
        // Names come from folders that others write to.
        if self.problems.len() > 1000 {
            self.problems.clear();
        }
        self.problems.insert(path.to_owned(), message.to_owned());
        self.queue.push_back(Event::Problem { file: one::name_of(path), message: SafeText::new(message) });
    }

    fn read_all(&mut self, budget: &mut usize) {
        let count = self.files.len();
        self.turn = self.turn.wrapping_add(1);
        for step in 0..count {
            self.read_one((self.turn + step) % count, budget);
        }
    }

    /// Reads what is new in one file and finds out what became of it.
    fn read_one(&mut self, index: usize, budget: &mut usize) {
        let mut share = FILE_BYTES.min(*budget);
        let before = share;
        // A file can be rewritten again and again; the next poll is soon enough for the third time.
        for _ in 0..2 {
            if self.files[index].copied {
                break;
            }
            let mut records = Vec::new();
            let file = &mut self.files[index];
            let step = file.advance(&mut share, &mut records);
            self.queue.extend(records.into_iter().map(Event::Record));
            match step {
                Ok(Step::Current) => {
                    let file = &mut self.files[index];
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

    /// What was read of a file is no longer in it. If a copy of it is at hand, reading goes on there and nothing is lost.
    fn rewritten(&mut self, index: usize) {
        if self.is_copied_again(index) {
            return;
        }
        let file = &mut self.files[index];
        if let Some(records) = file.cut_at_its_end() {
            self.queue.extend(records.into_iter().map(Event::Record));
            self.queue.push_back(Event::Truncated { file: file.name.clone(), copy: None });
            return;
        }
        let (print, mut parser) = file.start_again(&self.zone);
        let unread = file.take_unread();
        let (path, name) = (file.path.clone(), file.name.clone());
        match self.find_copy(&path, &print) {
            Some((copy_path, copy, id)) => {
                self.copies.retain(|copy| copy.id != id);
                // What was still being read of the copy before, under the same name, is in it no more.
                if let Some(old) = self.files.iter().position(|f| f.id == id) {
                    let mut old = self.files.remove(old);
                    self.lost_older |= old.take_unread().is_some();
                    self.queue.extend(old.finish().into_iter().map(Event::Record));
                }
                let told = Event::Truncated { file: name.clone(), copy: Some(one::name_of(&copy_path)) };
                let mut copy = Followed::go_on(copy_path, name, copy, id, print, parser);
                copy.retired = Some(GRACE_POLLS);
                // In the copy it stands at the same places.
                copy.set_unread(unread);
                self.files.push(copy);
                let mut share = FILE_BYTES;
                self.read_one(self.files.len() - 1, &mut share);
                self.queue.push_back(told);
            }
            None => {
                self.lost_older |= unread.is_some();
                let mut records = Vec::new();
                parser.finish(&mut records);
                self.queue.extend(records.into_iter().map(Event::Record));
                self.queue.push_back(Event::Truncated { file: name, copy: None });
            }
        }
    }

    /// Whether a file that has lost its name, or was the copy of another, was overwritten with the next copy: it is told
    /// from where it was copied.
    fn is_copied_again(&mut self, index: usize) -> bool {
        let Ok((mut file, len)) = self.files[index].handle() else { return false };
        // Under a name that is followed, too little to be recognised is told as what it is.
        if self.files[index].retired.is_none() && len < RECOGNISABLE {
            return false;
        }
        let mut others = self.files.iter_mut().enumerate().filter(|(other, _)| *other != index);
        if !others.any(|(_, other)| other.relation_to(&mut file, len) == Relation::Copy) {
            return false;
        }
        let records = self.files[index].finish();
        self.queue.extend(records.into_iter().map(Event::Record));
        let this = &mut self.files[index];
        this.print = Print::of(&mut file, len).unwrap_or_default();
        (this.copied, this.retired) = (true, Some(0));
        true
    }

    /// The longest of the files beside `path` that begin as the lost one did and hold at least all that was read of it.
    fn find_copy(&mut self, path: &Path, print: &Print) -> Option<(PathBuf, File, FileId)> {
        let copies = patterns::siblings(path).into_iter().filter_map(|sibling| {
            let id = tail::identity_at(&sibling).ok()??;
            let is_read =
                |f: &mut Followed| f.id == id && !f.copied && !(f.retired.is_some() && f.is_overwritten());
            if self.files.iter_mut().any(is_read) {
                return None;
            }
            let (mut file, id) = tail::open(&sibling).ok()?;
            let len = file.metadata().ok()?.len();
            print.is_in(&mut file).then_some((len, sibling, file, id))
        });
        copies.max_by_key(|(len, ..)| *len).map(|(_, sibling, file, id)| (sibling, file, id))
    }

    fn drop_retired(&mut self) {
        let mut kept = Vec::with_capacity(self.files.len());
        for mut file in self.files.drain(..) {
            if file.retired == Some(0) {
                self.lost_older |= file.take_unread().is_some();
            }
            match &mut file.retired {
                Some(0) if file.copied => {
                    if let Ok((handle, _)) = file.handle() {
                        let Followed { path, id, print, .. } = file;
                        self.copies.push(Copied { path, id, file: handle, print });
                    }
                }
                Some(0) => self.queue.extend(file.finish().into_iter().map(Event::Record)),
                Some(polls) => {
                    *polls -= 1;
                    kept.push(file);
                }
                None => kept.push(file),
            }
        }
        self.files = kept;
    }
}
