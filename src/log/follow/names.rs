//! Which file is which: names change, files get other names, copies appear. Called once a poll.

use super::one::{self, Followed, Relation};
use super::print::Print;
use super::{Copied, Event, Follower, GRACE, MOST_FILES, RECOGNISABLE, UNRECOGNISED, patterns};
use crate::host::tail::{self, FileId};
use std::fs::File;
use std::path::{Path, PathBuf};

/// Files that nothing is known about yet. They are open, because their names may be others a moment later.
pub(super) struct Names {
    /// Those that match the patterns.
    pub fresh: Vec<Found>,
    /// Those that were rotated before any poll saw them.
    pub between: Vec<Found>,
}

/// A file that was found under a name.
pub(super) struct Found {
    pub path: PathBuf,
    pub file: File,
    pub id: FileId,
}

/// What became of a file that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TakenUp {
    /// It is followed: the last of the files.
    Followed,
    /// It is known for what it is, or cannot be read.
    Not,
    /// It is too small to say.
    Later,
}

impl Follower {
    /// Finds out which of the files that are followed have which names now, and which names are new.
    pub(super) fn sort_names(&mut self) -> Names {
        // Before any name is looked at: what is among these and is no longer under its name then, is known to have been
        // rotated by now.
        let before = self.beside();
        let mut fresh: Vec<Found> = Vec::new();
        let mut absent = Vec::new();
        let mut seen = vec![false; self.files.len()];
        let mut copies_seen = Vec::new();
        let (paths, mut unsure) = self.candidates();
        self.remember_stems(&paths);
        self.paths.clone_from(&paths);
        for path in paths {
            let Ok(id) = self.identity(&path) else {
                unsure.extend(path.parent().map(Path::to_owned));
                absent.push(path);
                continue;
            };
            let Some(id) = id else {
                absent.push(path);
                continue;
            };
            if let Some(index) = self.files.iter().position(|f| f.id == id) {
                let file = &mut self.files[index];
                if file.path != path && !seen[index] && !leads_to(&file.path, id) {
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
            } else if !fresh.iter().any(|found| found.id == id) {
                match self.found(path.clone()) {
                    Some(found) => fresh.push(found),
                    None => absent.push(path),
                }
            }
        }
        // A folder that cannot be listed at the moment says nothing about its files.
        let is_sure =
            |path: &Path| path.parent().is_none_or(|folder| !unsure.iter().any(|other| other == folder));
        let unnamed: Vec<(PathBuf, FileId)> = self
            .copies
            .iter()
            .filter(|copy| !copies_seen.contains(&copy.id) && is_sure(&copy.path))
            .map(|copy| (copy.path.clone(), copy.id))
            .collect();
        for (path, id) in unnamed {
            // It may have grown on its own before it lost its name. Under a name that nobody follows it is of no interest.
            if !self.patterns.name(&path) || self.is_still_a_copy(&path, id) {
                self.copies.retain(|copy| copy.id != id);
            }
        }
        seen.resize(self.files.len(), false);
        for (file, seen) in self.files.iter_mut().zip(seen) {
            if !seen && file.retired.is_none() && is_sure(&file.path) {
                file.renamed = true;
                file.retired = Some(self.now + GRACE);
            }
        }
        let between = self.between(&fresh);
        // While a name leads to nothing, its file may just have been rotated: what stands there stays new.
        let is_open = |path: &Path| absent.iter().any(|name| begins_as(name, path));
        let known = before.into_iter().filter(|(id, path)| self.beside.contains(id) || !is_open(path));
        self.beside = known.map(|(id, _)| id).collect();
        Names { fresh, between }
    }

    fn found(&mut self, path: PathBuf) -> Option<Found> {
        match tail::open(&path) {
            Ok((file, id)) => Some(Found { path, file, id }),
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
        if self.stems.len() > 4 * MOST_FILES {
            self.stems.clear();
        }
        for path in paths.iter().chain(self.patterns.plain()) {
            if let (Some(folder), Some(stem)) = (path.parent(), path.file_stem()) {
                self.stems.insert((folder.to_owned(), stem.to_string_lossy().into_owned()));
            }
        }
    }

    /// Files that stand where rotation puts those that are followed.
    pub(super) fn beside(&self) -> Vec<(FileId, PathBuf)> {
        let stems: Vec<_> = self.stems.iter().cloned().collect();
        patterns::beginning_with(&stems)
            .into_iter()
            .filter_map(|path| Some((tail::identity_at(&path).ok()??, path)))
            .collect()
    }

    /// Files that had a followed name for so short a time that no poll saw them under it: they are new, stand beside it,
    /// and it leads to another file than before.
    fn between(&mut self, fresh: &[Found]) -> Vec<Found> {
        let changed = self.files.iter().filter(|f| f.renamed).map(|f| &f.followed_as);
        let changed: Vec<PathBuf> = changed.chain(fresh.iter().map(|found| &found.path)).cloned().collect();
        let mut stems: Vec<_> = self.stems.iter().cloned().collect();
        stems.retain(|(folder, stem)| {
            changed.iter().any(|path| {
                path.parent() == Some(folder)
                    && path.file_stem().is_some_and(|other| other.to_string_lossy() == *stem)
            })
        });
        let mut between: Vec<Found> = Vec::new();
        // What has a followed name now is looked at as such.
        let mut paths = patterns::beginning_with(&stems);
        paths.retain(|path| !self.patterns.name(path));
        for path in paths {
            let Ok(Some(id)) = tail::identity_at(&path) else { continue };
            let known = self.beside.contains(&id)
                || fresh.iter().chain(&between).any(|found| found.id == id)
                || self.files.iter().any(|f| f.id == id)
                || self.copies.iter().any(|copy| copy.id == id);
            if !known {
                between.extend(self.found(path));
            }
        }
        // The older first.
        between.sort_by_key(|found| {
            (found.file.metadata().and_then(|meta| meta.modified()).ok(), found.path.clone())
        });
        between
    }

    /// What there may be to follow, and the folders of which that is not known at the moment.
    pub(super) fn candidates(&mut self) -> (Vec<PathBuf>, Vec<PathBuf>) {
        let (paths, problems) = self.patterns.paths();
        let mut unsure = Vec::new();
        for (path, message) in problems {
            self.problem(&path, &message);
            unsure.extend(path.parent().map(Path::to_owned));
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
            Ok(file) => self.files.push(file),
            Err(e) => self.problem(path, &e.to_string()),
        }
        true
    }

    /// Begins to follow a file that has appeared, unless it is a copy of one that is followed.
    pub(super) fn take_up(&mut self, found: Found) -> TakenUp {
        let Found { path, mut file, id } = found;
        let len = file.metadata().map_or(0, |meta| meta.len());
        if len == 0 {
            return TakenUp::Later;
        }
        if len < RECOGNISABLE && self.files.iter().any(|f| f.print.offset >= RECOGNISABLE) {
            let since = *self.small.entry(id).or_insert(self.now);
            if self.now.saturating_sub(since) < UNRECOGNISED {
                return TakenUp::Later;
            }
        }
        self.small.remove(&id);
        if self.small.len() > MOST_FILES {
            self.small.clear();
        }
        let mut from = 0;
        for original in &mut self.files {
            match original.relation_to(&mut file, len) {
                Relation::None => {}
                _ if original.retired.is_some() && !original.copied && original.print.is_in(&mut file) => {
                    // Replaced by a file that holds the same and perhaps more: go on there.
                    original.move_to(&path, file, id);
                    return TakenUp::Not;
                }
                Relation::Copy => {
                    self.copies.truncate(MOST_FILES);
                    let print = Print::of(&mut file, len).unwrap_or_default();
                    self.copies.push(Copied { path, id, file, print });
                    return TakenUp::Not;
                }
                Relation::Continues => from = from.max(original.print.offset),
            }
        }
        if self.files.len() >= MOST_FILES {
            self.problem(&path, "not followed: too many files match");
            return TakenUp::Not;
        }
        match Followed::from_offset(&path, file, id, &self.zone, from) {
            Ok(file) => self.files.push(file),
            Err(e) => {
                self.problem(&path, &e.to_string());
                return TakenUp::Not;
            }
        }
        TakenUp::Followed
    }
}

pub(super) fn leads_to(path: &Path, id: FileId) -> bool {
    tail::identity_at(path).is_ok_and(|found| found == Some(id))
}

/// Whether a file stands beside another and is called as that one's rotated forms are.
fn begins_as(name: &Path, path: &Path) -> bool {
    let text =
        |part: Option<&std::ffi::OsStr>| part.map(|p| p.to_string_lossy().into_owned()).unwrap_or_default();
    name.parent() == path.parent() && text(path.file_name()).starts_with(&text(name.file_stem()))
}
