//! The files of a package onto the share: many at once, as a file server answers many as soon as one, and then the list that
//! names them. Whoever waits may watch.

use super::place::{CONTENT, IN_FILES, Share, fault, path_of, place_of, words};
use crate::error::Result;
use crate::host::open::{Bytes, Folder};
use crate::host::threads;
use crate::site::content::{self, Content, ContentFile};
use crate::site::instruction::ContentHash;
use sha2::{Digest as _, Sha256};
use std::fmt::Debug;
use std::io::{self, Read};
use std::path::Path;
use std::sync::{Mutex, PoisonError, mpsc};

/// So many files are copied at once.
const THREADS: usize = 8;

/// Somebody who watches how files are copied.
pub trait Watch: Sync + Debug {
    /// So many files with so many bytes in all are to be there.
    fn begun(&self, files: usize, bytes: u64);
    /// So many bytes more are there.
    fn bytes(&self, more: u64);
    /// One file more is there.
    fn file(&self);
}

/// A file to copy, by its place in the list.
type Next<'a> = (usize, &'a ContentFile);
/// What came of one: its path and size where it was written.
type Done = Result<Option<(usize, String, u64)>>;

/// Where files come from, and where they go.
struct Way<'a> {
    share: &'a Share,
    source: &'a Folder,
    hash: &'a ContentHash,
    watch: Option<&'a dyn Watch>,
}

impl Share {
    /// Copies the files of a package and then their list: where the list is, all of them are.
    ///
    /// # Errors
    /// One of them is not what the list says, or cannot be written.
    pub(super) fn content(
        &mut self,
        package: &Path,
        hash: &ContentHash,
        (list, files): (&[u8], &Content),
        watch: Option<&dyn Watch>,
    ) -> Result<()> {
        let opened = Folder::open(&package.join(content::FILES));
        let source = opened.map_err(|e| self.failed("read", &[], content::FILES, &e.to_string()))?;
        let way = Way { share: self, source: &source, hash, watch };
        let mut written = Vec::new();
        let done = way.all(&files.files, &mut written);
        // As the list has them, whichever came first.
        written.sort_unstable();
        self.written.extend(written.into_iter().map(|(_, path, bytes)| (path, bytes)));
        done?;
        self.write(&[CONTENT, hash.as_str()], content::NAME, list)
    }
}

impl Way<'_> {
    /// Copies all files. After the first failure no other is begun.
    fn all(&self, files: &[ContentFile], written: &mut Vec<(usize, String, u64)>) -> Result<()> {
        let (give, taken) = mpsc::channel::<Next<'_>>();
        let (tell, told) = mpsc::channel::<Done>();
        let taken = Mutex::new(taken);
        std::thread::scope(|scope| {
            let mut at_work = 0;
            for _ in 0..THREADS.min(files.len()) {
                let (taken, tell) = (&taken, tell.clone());
                let work = move || {
                    loop {
                        let next = taken.lock().unwrap_or_else(PoisonError::into_inner).recv();
                        let Ok((at, file)) = next else { return };
                        if tell.send(self.one(at, file)).is_err() {
                            return;
                        }
                    }
                };
                at_work += usize::from(threads::scoped(scope, "files", work).is_ok());
            }
            let mut failed = None;
            let mut next = files.iter().enumerate();
            let mut under_way = 0;
            loop {
                while failed.is_none() && under_way < at_work.max(1) {
                    let Some((at, file)) = next.next() else { break };
                    if let Err(failure) = fault::point() {
                        failed = Some(failure);
                    } else if at_work == 0 {
                        // One after the other, then.
                        under_way += usize::from(tell.send(self.one(at, file)).is_ok());
                    } else {
                        under_way += usize::from(give.send((at, file)).is_ok());
                    }
                }
                if under_way == 0 {
                    break;
                }
                let Ok(done) = told.recv() else { break };
                under_way -= 1;
                match done {
                    Ok(None) => {}
                    Ok(Some(one)) => {
                        written.push(one);
                        failed = failed.or(fault::point().err());
                    }
                    Err(failure) => failed = failed.or(Some(failure)),
                }
            }
            drop(give);
            failed.map_or(Ok(()), Err)
        })
    }

    /// One file, where the share does not have it.
    fn one(&self, at: usize, file: &ContentFile) -> Done {
        // One of the right size is no proof: somebody may have damaged it, or its medium did.
        let there = self.share.has_listed(self.hash, file, true);
        let (to, name) = place_of(self.hash, file);
        if there {
            self.watch.inspect(|watch| watch.bytes(file.size));
        } else {
            self.bring(&to[IN_FILES..], &to, name, file)?;
        }
        self.watch.inspect(|watch| watch.file());
        Ok((!there).then(|| (at, path_of(&to, name), file.size)))
    }

    fn bring(&self, from: &[&str], to: &[&str], name: &str, file: &ContentFile) -> Result<()> {
        let share = self.share;
        let mut folder: Option<Folder> = None;
        for part in from {
            let next = folder.as_ref().unwrap_or(self.source).folder(part);
            folder = Some(next.map_err(|e| share.failed("read", to, name, &e.to_string()))?);
        }
        let opened = folder.as_ref().unwrap_or(self.source).file(name);
        let opened =
            opened.map_err(|e| share.failed("read", to, name, &format!("in the site folder, {e}")))?;
        let mut hashing = Hashing { from: opened.file, hasher: Sha256::new(), watch: self.watch };
        let place = share.make(to)?;
        let place = place.as_ref().unwrap_or(share.root());
        // It was never whole, or is not any more.
        if place.holds(name).is_ok_and(|there| there) {
            place.remove(name).map_err(|e| share.failed("written", to, name, &words(&e)))?;
        }
        place.bring(name, &mut hashing).map_err(|e| share.failed("written", to, name, &words(&e)))?;
        let back = place.file(name).and_then(|back| Ok(content::hash_reader(back.file)?));
        let back = back.map_err(|e| share.failed("read", to, name, &e.to_string()))?;
        if back == (file.sha256.clone(), file.size) {
            return Ok(());
        }
        // Under its name it would be taken for the file next time.
        let _ = place.remove(name);
        let brought = content::hash_of(hashing.hasher) == file.sha256;
        let why = match brought {
            true => "it holds something else than was written",
            false => {
                "it is not what CONTENT says: write that anew with pcm package sign or pcm package content"
            }
        };
        Err(share.failed("written", to, name, why))
    }
}

struct Hashing<'a> {
    from: Bytes,
    hasher: Sha256,
    watch: Option<&'a dyn Watch>,
}

impl Read for Hashing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer)?;
        self.hasher.update(&buffer[..read]);
        self.watch.inspect(|watch| watch.bytes(read as u64));
        Ok(read)
    }
}
