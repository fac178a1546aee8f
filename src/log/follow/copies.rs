//! What was read of a file is no longer in it: it was copied and cut, or written over. Where its copy is at hand, reading goes on
//! there. What is missing is told where it is missing.

use super::one::{self, Followed, Relation};
use super::print::Print;
use super::{Event, FILE_BYTES, Follower, GRACE, RECOGNISABLE, patterns};
use crate::host::tail::{self, FileId};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A copy of what is being followed. It is not told again, but held open, so that its identity stays its own.
pub(super) struct Copied {
    pub path: PathBuf,
    pub id: FileId,
    pub file: File,
    /// How many names it had.
    pub names: u64,
    /// What of it is known to be a copy.
    pub print: Print,
}

/// Whether a file that was written over is a copy of another one.
enum Again {
    /// It is.
    Copy,
    /// The next look will tell.
    Perhaps,
    /// It is not.
    No,
}

impl Follower {
    /// What was read of a file is no longer in it. If a copy of it is at hand, reading goes on there and nothing is lost.
    pub(super) fn rewritten(&mut self, index: usize) {
        if self.files[index].is_copy {
            // What was read of it stands before whatever is said next.
            let records = self.files[index].finish();
            self.queue.extend(records.into_iter().map(Event::Record));
        }
        self.tell_passed(index);
        let stands = self.files[index].as_it_is();
        match self.copied_again(index) {
            Again::Copy => return self.set_copied(index, stands),
            Again::Perhaps => {
                self.files[index].perhaps = Some(stands);
                return;
            }
            Again::No => {
                // Whose it is was never seen: what came before it, and after it, may be missing.
                let file = &mut self.files[index];
                (file.copied, file.was_unknown) = (false, file.is_copy);
            }
        }
        let file = &mut self.files[index];
        if let Some(records) = file.cut_at_its_end() {
            self.queue.extend(records.into_iter().map(Event::Record));
            self.queue.push_back(Event::Truncated { file: file.name.clone(), copy: None });
            return;
        }
        // What stood in it and was not read yet is in its copy, too.
        let whole = file.stands.take();
        let (print, mut parser) = file.start_again(&self.zone, stands);
        let whole = whole.filter(|whole| whole.offset > print.offset).unwrap_or_else(|| print.clone());
        let unread = file.take_unread();
        let (path, name) = (file.path.clone(), file.name.clone());
        match self.find_copy(&path, &whole) {
            Some((copy_path, copy, id)) => {
                self.copies.retain(|copy| copy.id != id);
                // What was still being read of the copy before, under the same name, is in it no more.
                if let Some(old) = self.files.iter().position(|f| f.id == id) {
                    let mut old = self.files.remove(old);
                    self.lost_older |= old.take_unread().is_some();
                    self.queue.extend(old.finish().into_iter().map(Event::Record));
                }
                let copy_name = Some(one::name_of(&copy_path));
                let told = Event::Truncated { file: name.clone(), copy: copy_name };
                let mut copy = Followed::go_on(copy_path, name, copy, id, print, parser);
                (copy.retired, copy.is_copy) = (Some(self.now + GRACE), true);
                copy.stands = Some(copy.as_it_is());
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
    fn copied_again(&mut self, index: usize) -> Again {
        let Ok((mut file, len)) = self.files[index].handle() else { return Again::No };
        let retired = self.files[index].retired.is_some();
        let mut others: Vec<_> =
            self.files.iter_mut().enumerate().filter(|(other, _)| *other != index).map(|(_, f)| f).collect();
        if !retired {
            // Under a name that is followed, too little to be recognised is told as what it is; and it is no copy of its
            // own copies.
            if len < RECOGNISABLE {
                return Again::No;
            }
            others.retain(|other| other.retired.is_none());
        }
        let is_copy = others
            .iter_mut()
            .any(|o| o.relation_to(&mut file, len) == Relation::Copy || o.was(&mut file, len));
        if is_copy {
            return Again::Copy;
        }
        // What stands there was not read of it yet, and may be cut before it is; or so little of it was read that only the look
        // at the log tells whether it goes on here.
        let unread = |o: &mut Followed| {
            if o.retired.is_some() {
                return false;
            }
            let begins = o.begins_with(&mut file, len);
            let (tells, is_over) = (o.print.tells(), o.is_overwritten());
            let goes_on = !tells && is_over && o.print.offset > 0 && o.print.is_in(&mut file);
            (!tells || is_over) && begins || goes_on
        };
        let perhaps = retired && (len < RECOGNISABLE || others.into_iter().any(unread));
        if perhaps { Again::Perhaps } else { Again::No }
    }

    /// It was not known last time whose copy a file is. If it is another one by now, and what stood in it was not told of
    /// the log either, that is gone.
    fn tell_passed(&mut self, index: usize) {
        let Some(passed) = self.files[index].perhaps.take() else { return };
        let Ok((mut file, _)) = self.files[index].handle() else { return };
        if !passed.is_in(&mut file) && !self.files.iter().any(|file| file.has_told(&passed)) {
            self.queue.push_back(Event::Truncated { file: self.files[index].name.clone(), copy: None });
        }
    }

    /// It is read no more, as long as nothing else is written over it.
    fn set_copied(&mut self, index: usize, stands: Print) {
        let records = self.files[index].finish();
        self.queue.extend(records.into_iter().map(Event::Record));
        let this = &mut self.files[index];
        this.print = stands;
        (this.copied, this.is_copy) = (true, true);
        this.retired = Some(if this.retired.is_some() { self.now + GRACE } else { Duration::ZERO });
    }

    /// The longest of the files beside `path` that begin as the lost one did and hold at least all that was read of it.
    fn find_copy(&mut self, path: &Path, print: &Print) -> Option<(PathBuf, File, FileId)> {
        let copies = patterns::siblings(path).into_iter().filter_map(|sibling| {
            let id = tail::identity_at(&sibling).ok()??;
            let is_read = |f: &mut Followed| {
                f.id == id && !f.copied && !(f.retired.is_some() && (f.is_overwritten() || !f.print.tells()))
            };
            if self.files.iter_mut().any(is_read) {
                return None;
            }
            let (mut file, id) = tail::open(&sibling).ok()?;
            let len = file.metadata().ok()?.len();
            print.is_in(&mut file).then_some((len, sibling, file, id))
        });
        copies.max_by_key(|(len, ..)| *len).map(|(_, sibling, file, id)| (sibling, file, id))
    }
}
