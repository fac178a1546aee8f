//! Which file is which: names change, files get other names, copies appear. Called once a poll.

use super::one::{self, Followed, Relation};
use super::patterns::Stems;
use super::print::Print;
use super::{Copied, Event, Follower, GRACE, MOST_FILES, RECOGNISABLE, UNRECOGNISED, patterns};
use crate::host::tail::{self, FileId};
use crate::text::SafeText;
use std::collections::HashSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// So many files are opened in one look of those that nothing is known about: whoever fills a folder with files must not take
/// all that this process may open.
const MOST_NEW: usize = 64;
/// Names are looked at so often in one look while those of logs are removed meanwhile.
const MOST_LOOKS: usize = 4;
/// The beginnings of so many names are looked for.
const MOST_STEMS: usize = 4 * MOST_FILES;

/// Which file stands beside others: its identity, and when it was made, because the number of a file that is gone is given to the
/// next one.
pub(super) type Beside = (FileId, Option<SystemTime>);

/// Says which names were removed since it was asked last; None: not all that were are known.
pub(super) type Removals<'a> = &'a mut dyn FnMut() -> Option<Vec<PathBuf>>;

/// Files that nothing is known about yet. They are open, because their names may be others a moment later.
pub(super) struct Names {
    /// Those that match the patterns.
    pub fresh: Vec<Found>,
    /// Those that were rotated before any poll saw them.
    pub between: Vec<Found>,
    /// Names of which more files were deleted than any poll saw.
    pub unseen: Vec<PathBuf>,
}

/// A file that was found under a name.
pub(super) struct Found {
    pub path: PathBuf,
    pub file: File,
    pub id: FileId,
    /// How many names it had.
    pub names: u64,
}

/// What was found by looking at names.
#[derive(Default)]
struct Looked {
    /// New files, and those that hold nothing, which says nothing yet of what they are.
    fresh: Vec<Found>,
    empty: HashSet<FileId>,
    empty_at: Vec<PathBuf>,
    /// Names that lead to nothing.
    absent: Vec<PathBuf>,
}

/// What became of a file that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TakenUp {
    /// It is followed: the last of the files.
    Followed,
    /// It is known for what it is, or cannot be read.
    Not,
    /// It is too small to say, or a copy of what is not read yet.
    Later,
}

impl Follower {
    /// Finds out which of the files that are followed have which names now, and which names are new.
    pub(super) fn sort_names(&mut self, removals: Removals) -> Names {
        // Before any name is looked at: what is among these and is no longer under its name then, is known to have been
        // rotated by now.
        let before = self.beside();
        let since = std::mem::take(&mut self.removed_since);
        self.were_removed(Some(since), &[]);
        self.were_removed(removals(), &[]);
        let mut looked = Looked::default();
        for looks in 1.. {
            self.look_at_names(&mut looked);
            // Before it is asked: what is removed after it was asked for the last time is counted by the next look.
            for found in &mut looked.fresh {
                *self.removed.entry(found.path.clone()).or_default() -=
                    one::lost_name(&found.file, &mut found.names);
            }
            // What is removed after names were looked at may be what was found there: names are looked at once more, so that both
            // are counted.
            let meanwhile = removals();
            let is_log = |path: &PathBuf| self.is_log(path, &looked.fresh);
            if !meanwhile.as_ref().is_some_and(|paths| paths.iter().any(is_log)) {
                if meanwhile.is_none() {
                    self.removed.clear();
                }
                break;
            }
            if looks == MOST_LOOKS {
                self.removed_since = meanwhile.unwrap_or_default();
                break;
            }
            self.were_removed(meanwhile, &looked.fresh);
        }
        let Looked { fresh, empty, empty_at, absent } = looked;
        let unseen = self.unseen();
        let between = self.between(&fresh, &empty, &empty_at);
        // While a name leads to nothing, its file may just have been rotated: what stands there stays new.
        let mut open = Stems::default();
        for name in &absent {
            if let (Some(folder), Some(stem)) = (name.parent(), name.file_stem()) {
                open.add(folder, &stem.to_string_lossy());
            }
        }
        let known = before.into_iter().filter(|(id, path)| self.beside.contains(id) || !open.begin(path));
        self.beside = known.map(|(id, _)| id).collect();
        if !empty.is_empty() {
            self.later(&empty);
        }
        Names { fresh, between, unseen }
    }

    /// Looks at all names once. What was found before by the same look is known.
    fn look_at_names(&mut self, looked: &mut Looked) {
        self.is_crowded = false;
        let Looked { fresh, empty, empty_at, absent } = looked;
        (*empty, *empty_at) = (HashSet::new(), Vec::new());
        // A name of which nothing can be known at the moment says nothing of its file.
        let mut unknown = HashSet::new();
        // Before their names are looked at, which may go then.
        let names: Vec<u64> = self.files.iter().map(|file| tail::names(file.open())).collect();
        let mut seen = vec![false; self.files.len()];
        let mut copies_seen = Vec::new();
        let (paths, unsure) = self.candidates();
        self.remember_stems(&paths);
        self.paths.clone_from(&paths);
        for path in paths {
            let Ok(id) = self.identity(&path) else {
                unknown.insert(path.clone());
                absent.push(path);
                continue;
            };
            let Some(id) = id else {
                absent.push(path);
                continue;
            };
            if let Some(index) = self.files.iter().position(|f| f.id == id) {
                let file = &mut self.files[index];
                if file.path == path {
                    file.names = names.get(index).copied().unwrap_or(file.names);
                } else if !seen[index] && !leads_to(&file.path, id) {
                    // Under the other name it may have been before, or it got it just now.
                    *self.removed.entry(file.path.clone()).or_default() -= file.lost_name();
                    file.renamed = file.retired.is_none();
                    file.path = path;
                }
                file.retired = None;
                seen[index] = true;
            } else if self.copies.iter().any(|copy| copy.id == id) {
                copies_seen.push(id);
                if !self.is_still_a_copy(&path, id) {
                    match self.found(path.clone()) {
                        Some(found) => fresh.push(found),
                        None => absent.push(path),
                    }
                }
                seen.resize(self.files.len(), true);
            } else if self.files.len() + fresh.len() >= MOST_FILES {
                self.too_many(&path);
            } else if fresh.len() >= MOST_NEW {
                // The next look takes it up.
                self.is_crowded = true;
            } else if std::fs::metadata(&path).is_ok_and(|meta| meta.len() == 0) {
                // Nothing says yet what it is.
                empty.insert(id);
                empty_at.push(path);
            } else if !fresh.iter().any(|found| found.id == id) {
                match self.found(path.clone()) {
                    Some(found) => fresh.push(found),
                    None => absent.push(path),
                }
            }
        }
        // A folder that cannot be listed at the moment says nothing about its files; a name in it does.
        let is_sure = |path: &Path| {
            !unknown.contains(path)
                && path.parent().is_none_or(|folder| !unsure.iter().any(|other| other == folder))
        };
        let unnamed: Vec<(PathBuf, FileId)> = self
            .copies
            .iter()
            .filter(|copy| !copies_seen.contains(&copy.id) && is_sure(&copy.path))
            .map(|copy| (copy.path.clone(), copy.id))
            .collect();
        for copy in self.copies.iter_mut().filter(|copy| unnamed.iter().any(|(_, id)| *id == copy.id)) {
            *self.removed.entry(copy.path.clone()).or_default() -=
                one::lost_name(&copy.file, &mut copy.names);
        }
        for (path, id) in unnamed {
            // It may have grown on its own before it lost its name. Under a name that nobody follows it is of no interest.
            if !self.patterns.name(&path) || self.is_still_a_copy(&path, id) {
                self.copies.retain(|copy| copy.id != id);
            }
        }
        seen.resize(self.files.len(), false);
        let is_lost = |file: &Followed| {
            let is_other = |found: Option<FileId>| found != Some(file.id);
            is_sure(&file.path)
                || !unknown.contains(&file.path) && tail::identity_at(&file.path).is_ok_and(is_other)
        };
        for (file, seen) in self.files.iter_mut().zip(seen) {
            if !seen && file.retired.is_none() && is_lost(file) {
                file.renamed = true;
                file.retired = Some(self.now + GRACE);
                *self.removed.entry(file.path.clone()).or_default() -= file.lost_name();
            }
        }
    }

    /// These names were removed, each as often as it stands here; None: not all that were are known.
    fn were_removed(&mut self, paths: Option<Vec<PathBuf>>, fresh: &[Found]) {
        let Some(paths) = paths else { return self.removed.clear() };
        for path in paths {
            if self.is_log(&path, fresh) {
                *self.removed.entry(path).or_default() += 1;
            }
        }
    }

    /// Of a name under which nothing was ever followed nobody expects anything.
    fn is_log(&self, path: &Path, fresh: &[Found]) -> bool {
        let is_known = self.files.iter().any(|file| file.followed_as == path || file.path == path)
            || fresh.iter().any(|found| found.path == path);
        is_known && self.patterns.name(path)
    }

    /// Names that were removed more often than is explained by the files that had them: one was made, written to and deleted
    /// before anybody looked.
    fn unseen(&mut self) -> Vec<PathBuf> {
        let more = self.removed.iter().filter(|(_, more)| **more > 0).map(|(path, _)| path.clone());
        let unseen: Vec<PathBuf> = more.collect();
        // That a file which is open was removed may be among what the next look counts. Otherwise all that was removed is told by
        // now, and another file took its name.
        let may_come = !self.removed_since.is_empty();
        self.removed.retain(|_, more| may_come && *more < 0);
        unseen
    }

    fn found(&mut self, path: PathBuf) -> Option<Found> {
        match tail::open(&path) {
            Ok((file, id)) => {
                // It had one when it was opened.
                let names = tail::names(&file).max(1);
                Some(Found { path, file, id, names })
            }
            // Gone again.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
            Err(e) => {
                self.problem(&path, &e.to_string());
                None
            }
        }
    }

    /// Names after which rotated forms are called, with their folders: every name that ever matched.
    pub(super) fn remember_stems(&mut self, paths: &[PathBuf]) {
        // Rotated files may match as well, and their names never come again.
        if self.stems.len() >= MOST_STEMS {
            self.stems.clear();
        }
        let followed = self.files.iter().map(|file| &file.followed_as);
        for path in self.patterns.plain().chain(followed).chain(paths) {
            if self.stems.len() < MOST_STEMS
                && let (Some(folder), Some(stem)) = (path.parent(), path.file_stem())
            {
                self.stems.insert((folder.to_owned(), stem.to_string_lossy().into_owned()));
            }
        }
    }

    /// Files that stand where rotation puts those that are followed.
    pub(super) fn beside(&mut self) -> Vec<(Beside, PathBuf)> {
        let mut stems = Stems::default();
        self.stems.iter().for_each(|(folder, stem)| stems.add(folder, stem));
        let (paths, full) = patterns::beginning_with(&stems);
        full.iter().for_each(|folder| self.too_full(folder));
        paths.into_iter().filter_map(|path| Some((beside_at(&path)?, path))).collect()
    }

    /// Not all names of a folder are looked at, for whatever they were listed.
    fn too_full(&mut self, folder: &Path) {
        self.problem_of(&folder.join("*"), patterns::listed(folder), patterns::TOO_MANY);
    }

    /// Of the files that nothing is known about more are there than can be followed.
    pub(super) fn too_many(&mut self, path: &Path) {
        let folder = path.parent().unwrap_or(path).to_owned();
        self.problem(&folder, &format!("more than {MOST_FILES} files match: not all of them are followed"));
    }

    /// Files that had a followed name for so short a time that no poll saw them under it: they are new, stand beside it,
    /// and it leads to another file than before. Of more than are opened at once the newest.
    fn between(&mut self, fresh: &[Found], empty: &HashSet<FileId>, empty_at: &[PathBuf]) -> Vec<Found> {
        let changed = self.files.iter().filter(|f| f.renamed).map(|f| &f.followed_as);
        let new = fresh.iter().map(|found| &found.path).chain(empty_at);
        let changed: Vec<PathBuf> = changed.chain(new).cloned().collect();
        let mut stems = Stems::default();
        for path in &changed {
            if let (Some(folder), Some(stem)) = (path.parent(), path.file_stem()) {
                let stem = (folder.to_owned(), stem.to_string_lossy().into_owned());
                if self.stems.contains(&stem) {
                    stems.add(folder, &stem.1);
                }
            }
        }
        let mut known: HashSet<FileId> =
            fresh.iter().map(|found| found.id).chain(empty.iter().copied()).collect();
        known.extend(self.files.iter().map(|file| file.id).chain(self.copies.iter().map(|copy| copy.id)));
        // What has a followed name now is looked at as such. The older first.
        let mut paths = patterns::beginning_with(&stems).0;
        paths.retain(|path| !self.patterns.name(path));
        let written = |path: &PathBuf| std::fs::metadata(path).and_then(|meta| meta.modified()).ok();
        paths.sort_by_cached_key(|path| (written(path), path.clone()));
        let is_new = |path: &PathBuf| {
            beside_at(path).is_some_and(|one| !self.beside.contains(&one) && known.insert(one.0))
        };
        let mut between: Vec<PathBuf> = paths.into_iter().filter(is_new).collect();
        let room = MOST_FILES.saturating_sub(self.files.len() + fresh.len()).min(MOST_NEW);
        if let Some(surplus) = between.len().checked_sub(room).filter(|surplus| *surplus > 0) {
            // Each time that is something that is missing.
            let message = SafeText::of(format!(
                "{surplus} files were rotated here between two looks that are not read"
            ));
            let folder = one::name_of(between[0].parent().unwrap_or(&between[0]));
            self.queue.push_back(Event::Problem { file: folder, message });
            between.drain(..surplus);
        }
        between.into_iter().filter_map(|path| self.found(path)).collect()
    }

    /// What there may be to follow, and the folders of which that is not known at the moment.
    pub(super) fn candidates(&mut self) -> (Vec<PathBuf>, Vec<PathBuf>) {
        let (paths, problems) = self.patterns.paths();
        let mut unsure = Vec::new();
        for (path, message) in problems {
            let folder = path.parent();
            match folder.filter(|_| message == patterns::TOO_MANY) {
                Some(folder) => self.too_full(folder),
                None => self.problem(&path, &message),
            }
            unsure.extend(folder.map(Path::to_owned));
        }
        (paths, unsure)
    }

    pub(super) fn identity(&mut self, path: &Path) -> Result<Option<FileId>, ()> {
        match tail::identity_at(path) {
            Ok(id) => {
                if id.is_some() {
                    self.problems.remove(path);
                } else if std::fs::metadata(path).is_ok_and(|meta| !meta.is_file()) {
                    self.problem(path, "not a regular file");
                }
                Ok(id)
            }
            Err(e) => {
                self.problem(path, &e.to_string());
                Err(())
            }
        }
    }

    /// Whether what was a copy still is none of its own. If it has grown on its own, it is followed from where it
    /// differs; `false`: it is another file now.
    fn is_still_a_copy(&mut self, path: &Path, id: FileId) -> bool {
        let Some(index) = self.copies.iter().position(|copy| copy.id == id) else { return false };
        let copy = &mut self.copies[index];
        let len = copy.file.metadata().map_or(0, |meta| meta.len());
        let begins_so = copy.print.is_in(&mut copy.file);
        if begins_so && len == copy.print.offset {
            return true;
        }
        let mut relations = self.files.iter_mut().map(|f| f.relation_to(&mut copy.file, len));
        if begins_so && relations.any(|relation| relation == Relation::Copy) {
            copy.print = Print::of(&mut copy.file, len).unwrap_or_default();
            return true;
        }
        let copy = self.copies.swap_remove(index);
        if !begins_so {
            // Whatever it got on its own before that was never seen.
            self.queue.push_back(Event::Truncated { file: one::name_of(path), copy: None });
            return false;
        }
        match Followed::from_offset(path, copy.file, id, &self.zone, copy.print.offset) {
            Ok(mut file) => {
                file.names = copy.names;
                self.files.push(file);
            }
            Err(e) => self.problem(path, &e.to_string()),
        }
        true
    }

    /// Begins to follow a file that has appeared, unless it is a copy of one that is followed.
    pub(super) fn take_up(&mut self, found: Found) -> TakenUp {
        let Found { path, mut file, id, names } = found;
        // What was cut since it was found is read on in it already.
        if self.files.iter().any(|f| f.id == id) {
            return TakenUp::Not;
        }
        let len = file.metadata().map_or(0, |meta| meta.len());
        if len == 0 {
            return self.put_off(path, &file, names);
        }
        if len < RECOGNISABLE && self.files.iter().any(|f| f.print.offset >= RECOGNISABLE) {
            let is_gone = tail::names(&file) == 0;
            if is_gone && self.files.iter_mut().any(|f| f.begins_with(&mut file, len)) {
                // A copy that had just begun, or a log of its own: no look will tell.
                self.tell_unseen(one::name_of(&path));
                return self.put_off(path, &file, names);
            }
            let since = *self.small.entry(id).or_insert(self.now);
            if !is_gone && self.now.saturating_sub(since) < UNRECOGNISED {
                return TakenUp::Later;
            }
        }
        self.small.remove(&id);
        if self.small.len() > MOST_FILES {
            self.small.clear();
        }
        // Once that is read, it is known as a copy.
        if self.files.iter().any(|original| original.waits_in(&mut file)) {
            return self.put_off(path, &file, names);
        }
        let mut from = 0;
        for original in &mut self.files {
            match original.relation_to(&mut file, len) {
                Relation::None => {}
                _ if original.retired.is_some() && !original.copied && original.print.is_in(&mut file) => {
                    // Replaced by a file that holds the same and perhaps more: go on there.
                    original.move_to(&path, file, id, names);
                    return TakenUp::Not;
                }
                Relation::Copy => {
                    self.copies.truncate(MOST_FILES);
                    let print = Print::of(&mut file, len).unwrap_or_default();
                    self.copies.push(Copied { path, id, file, names, print });
                    return TakenUp::Not;
                }
                Relation::Continues => from = from.max(original.print.offset),
            }
        }
        if self.files.len() >= MOST_FILES {
            self.too_many(&path);
            return TakenUp::Not;
        }
        match Followed::from_offset(&path, file, id, &self.zone, from) {
            Ok(mut file) => {
                file.names = names;
                self.files.push(file);
            }
            Err(e) => {
                self.problem(&path, &e.to_string());
                return TakenUp::Not;
            }
        }
        TakenUp::Followed
    }

    /// The next look finds it again. If it has no name any more, no look does: that this was removed is explained, if it is told
    /// later.
    fn put_off(&mut self, path: PathBuf, file: &File, mut names: u64) -> TakenUp {
        if tail::names(file) > 0 {
            return TakenUp::Later;
        }
        *self.removed.entry(path).or_default() -= one::lost_name(file, &mut names);
        TakenUp::Not
    }
}

fn beside_at(path: &Path) -> Option<Beside> {
    let id = tail::identity_at(path).ok()??;
    Some((id, std::fs::metadata(path).and_then(|meta| meta.created()).ok()))
}

pub(super) fn leads_to(path: &Path, id: FileId) -> bool {
    tail::identity_at(path).is_ok_and(|found| found == Some(id))
}
