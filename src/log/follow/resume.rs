//! Going on where another follower was cut off: a connection that dropped, a console that ended. What was rotated meanwhile is
//! read to its end first; what cannot be found any more is told as missing.

use super::cursor::Cursor;
use super::one::{self, Followed};
use super::patterns::{Patterns, is_packed, rotated, siblings};
use super::{Event, Follower, GRACE, MOST_FILES, RECOGNISABLE};
use crate::host::tail::{self, FileId};
use crate::log::Zoned;
use crate::text::SafeText;
use std::fs::File;
use std::path::{Path, PathBuf};

impl Follower {
    /// Follows the files that `patterns` name from these places on, that which was told last at the end: nothing is told twice,
    /// and what may be missing is told as [`Event::Truncated`]. Files without a place are new. Nothing fails here.
    pub fn resume<P: AsRef<Path>>(patterns: &[P], zone: Zoned, cursors: &[Cursor]) -> Follower {
        let mut follower = Follower::of_nothing(Patterns::new(patterns), zone);
        let paths = follower.candidates().0;
        follower.remember_stems(&paths);
        let mut left: Vec<Cursor> = cursors.to_vec();
        let mut found: Vec<(PathBuf, File, FileId)> = Vec::new();
        for path in &paths {
            match tail::open(path) {
                Ok((_, id)) if found.iter().any(|(_, _, other)| *other == id) => {}
                Ok(_) if found.len() >= MOST_FILES => follower.too_many(path),
                Ok((file, id)) => found.push((path.clone(), file, id)),
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
                Err(e) => follower.problem(path, &e.to_string()),
            }
        }
        let mut same = Vec::new();
        let mut others = Vec::new();
        for (path, mut file, id) in found {
            match take(&mut left, |cursor| cursor.id() == id && cursor.is_in(&mut file)) {
                Some(cursor) => same.push((path, file, id, cursor.at)),
                None => others.push((path, file, id)),
            }
        }
        let current: Vec<_> = same.iter().map(|(path, _, id, _)| (one::name_of(path), *id)).collect();
        follower.read_rotated(&paths, &mut left, &same);
        for (path, file, id, at) in same {
            follower.go_on_at(&path, file, id, at);
        }
        for (path, mut file, id) in others {
            if follower.files.iter().any(|followed| followed.id == id) {
                continue;
            }
            // A log that was copied and put back under its name holds what was read.
            let recognised = |cursor: &Cursor| cursor.at >= RECOGNISABLE && cursor.is_in(&mut file);
            let at = take(&mut left, recognised).map_or(0, |cursor| cursor.at);
            follower.go_on_at(&path, file, id, at);
        }
        let is_missing = |cursor: &Cursor| {
            // Of what held nothing, nothing is missing.
            cursor.at > 0 && !(follower.is_one_log(cursor) && was_read(cursor, cursors, &current))
        };
        let mut missing: Vec<SafeText> = Vec::new();
        for cursor in left.into_iter().filter(is_missing) {
            if !missing.contains(&cursor.file) {
                missing.push(cursor.file);
            }
        }
        follower.queue.extend(missing.into_iter().map(|file| Event::Truncated { file, copy: None }));
        follower.beside = follower.beside().into_iter().map(|(id, _)| id).collect();
        follower.behind = true;
        follower
    }

    /// Whether no two of the files that may be followed have the name that this cursor knows its file by.
    fn is_one_log(&self, cursor: &Cursor) -> bool {
        let folders = self.patterns.folders();
        folders.iter().filter(|folder| self.patterns.name(&folder.join(cursor.file.as_str()))).count() < 2
    }

    /// Goes on in the files that stand where rotation puts them, and reads those that came and went since.
    fn read_rotated(
        &mut self,
        paths: &[PathBuf],
        left: &mut Vec<Cursor>,
        same: &[(PathBuf, File, FileId, u64)],
    ) {
        let folders = self.patterns.folders();
        let mut gone_on: Vec<(PathBuf, PathBuf)> = Vec::new();
        for cursor in std::mem::take(left) {
            // Names come from outside: of a folder that is followed, or none.
            let Some(name) = Path::new(cursor.file.as_str()).file_name().map(Path::new) else {
                left.push(cursor);
                continue;
            };
            let known = paths.iter().find(|path| path.file_name().map(Path::new) == Some(name)).cloned();
            let is_rotated = known.is_none();
            let path = known.or_else(|| folders.first().map(|folder| folder.join(name)));
            let mut beside = path.as_deref().map(siblings).unwrap_or_default();
            // What was rotated before it was seen has no other name than where it stands.
            beside.extend(path.clone().filter(|_| is_rotated));
            let mut holds = None;
            for sibling in beside {
                let Ok((mut file, id)) = tail::open(&sibling) else { continue };
                let taken = |other: FileId| same.iter().any(|(_, _, id, _)| *id == other);
                let is_same = cursor.id() == id;
                if taken(id) || self.files.iter().any(|followed| followed.id == id) {
                    continue;
                }
                if (is_same || cursor.at >= RECOGNISABLE) && cursor.is_in(&mut file) {
                    holds = Some((sibling, file, id));
                    if is_same {
                        break;
                    }
                }
            }
            let (Some(path), Some((sibling, file, id))) = (path, holds) else {
                left.push(cursor);
                continue;
            };
            self.go_on_at(&sibling, file, id, cursor.at);
            self.retire_last(id, &path);
            if let Some(last) = self.files.last_mut().filter(|last| last.id == id && cursor.id() != id) {
                // Whoever copied it and cut it lost what was written between the two, if anything was.
                last.copy_of = Some(cursor.file);
            }
            if path != sibling {
                gone_on.push((path, sibling));
            }
        }
        for (path, sibling) in gone_on {
            // Those that were written to later, or at the same tick of the file system's clock.
            let written = |path: &Path| std::fs::metadata(path).and_then(|meta| meta.modified()).ok();
            let since = written(&sibling);
            for other in &rotated(&path) {
                if *other == sibling || written(other) < since {
                    continue;
                }
                match tail::open(other) {
                    Ok(_) if is_packed(&other.to_string_lossy()) => {
                        let message = "it was packed before it was read: what it holds is missing here";
                        self.problem(other, message);
                    }
                    Ok((_, id)) if self.files.iter().any(|followed| followed.id == id) => {}
                    Ok((_, id)) if same.iter().any(|(_, _, known, _)| *known == id) => {}
                    Ok((file, id)) => {
                        self.go_on_at(other, file, id, 0);
                        self.retire_last(id, &path);
                    }
                    Err(e) => self.problem(other, &e.to_string()),
                }
            }
        }
    }

    fn go_on_at(&mut self, path: &Path, file: File, id: FileId, at: u64) {
        if self.files.len() >= MOST_FILES {
            self.too_many(path);
            return;
        }
        match Followed::resumed(path, file, id, &self.zone, at) {
            Ok(file) => self.files.push(file),
            Err(e) => self.problem(path, &e.to_string()),
        }
    }

    /// This file, if it is followed, has another name than the one that is written to, which it had.
    fn retire_last(&mut self, id: FileId, followed_as: &Path) {
        if let Some(last) = self.files.last_mut().filter(|last| last.id == id) {
            last.retired = Some(self.now + GRACE);
            followed_as.clone_into(&mut last.followed_as);
        }
    }
}

/// Whether a file that is gone was read to its end: another one has its name now, of which something was given out later.
fn was_read(gone: &Cursor, cursors: &[Cursor], current: &[(SafeText, FileId)]) -> bool {
    let later = cursors.iter().skip_while(|cursor| *cursor != gone).skip(1);
    let mut others = later.filter(|other| other.file == gone.file && other.at > 0);
    others.any(|other| current.iter().any(|(name, id)| *name == other.file && *id == other.id()))
}

fn take(from: &mut Vec<Cursor>, is_it: impl FnMut(&Cursor) -> bool) -> Option<Cursor> {
    let index = from.iter().position(is_it)?;
    Some(from.remove(index))
}
