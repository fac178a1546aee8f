//! What a machine keeps beside its history: run folders, staged content, transcripts. Whoever carries jobs out removes, in a
//! process of its own, what the executor has put away and transcripts that are old or too many, and says what else there
//! is; what of that is put away next is the executor's to decide (`engine::retention`). Ended in the middle, it is begun anew.

use crate::clock::Wall;
use crate::executor::run::run_folder::RunFolder;
use crate::executor::talk::view::Space;
use crate::host::{durable, perms};
use crate::site::content;
use crate::site::instruction::ContentHash;
use crate::text::SafeText;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// The most runs that are told of at once.
const MAX_RUNS: usize = 10_000;

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tidying {
    /// The folder of the runs' folders.
    pub runs: PathBuf,
    /// The folder of staged content.
    pub stage: PathBuf,
    /// The folder of the transcripts.
    pub transcripts: PathBuf,
    /// Transcripts that were written last before this go; None: the clock is not believed, nothing is old, and none the oldest.
    pub before: Option<Wall>,
    /// Above this many bytes of all transcripts the oldest go.
    pub most: u64,
    /// Runs whose transcripts are needed, however old or large they are: they go on, or their result is not in the outbox yet.
    pub open: BTreeSet<String>,
    /// The state folder, which is measured, and the history in it.
    pub state: PathBuf,
    /// The folder of results that are still to be delivered, which is measured; the transcripts of their runs are needed.
    pub outbox: PathBuf,
    /// The log folder, which is measured.
    pub log: PathBuf,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tidied {
    /// The folders of runs.
    pub runs: Vec<KeptRun>,
    /// Those are all.
    pub all_runs: bool,
    /// Staged content, complete or not.
    pub contents: Vec<KeptContent>,
    /// How many transcripts were removed.
    pub transcripts: usize,
    /// What everything takes then.
    pub space: Option<Space>,
    /// What could not be removed or looked at, the first of it.
    pub fault: Option<SafeText>,
}

/// The folder of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptRun {
    /// `<RequestID>-<attempt>`
    pub run: String,
    /// Its transcript is in it: the log folder could not be written.
    pub transcript: bool,
}

/// One staged content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptContent {
    /// Which.
    pub hash: ContentHash,
    /// The bytes of its files.
    pub bytes: u64,
    /// When it was staged.
    pub since: Wall,
}

/// No file takes so long to be written: whoever began it has died.
const ABANDONED: Duration = Duration::from_secs(3600);

/// What is kept is measured for no longer than this: whatever carries this out has a deadline of its own.
const MEASURED: Duration = Duration::from_secs(60);

impl Tidying {
    /// Carries it out, which takes as long as it takes. What cannot be done holds up nothing else.
    pub fn carry_out(&self) -> Tidied {
        let mut tidied = Tidied::default();
        for folder in [&self.runs, &self.stage] {
            tidied.note(durable::remove_put_away(folder));
        }
        let abandoned = self.abandoned();
        for path in tidied.note(abandoned).unwrap_or_default() {
            tidied.note(fs::remove_file(&path).map_err(|e| at(&path, &e)));
        }
        let gone = self.transcripts_that_go();
        for path in tidied.note(gone).unwrap_or_default() {
            let gone = tidied.note(fs::remove_file(&path).map_err(|e| at(&path, &e)));
            tidied.transcripts += usize::from(gone.is_some());
        }
        let runs = self.find_runs();
        (tidied.runs, tidied.all_runs) = tidied.note(runs).unwrap_or_default();
        tidied.contents = tidied.note(self.find_contents()).unwrap_or_default();
        tidied.space = self.space();
        tidied
    }

    /// Never so long that nothing is tidied for it.
    fn space(&self) -> Option<Space> {
        let until = Instant::now() + MEASURED;
        let size = |folder: &Path| {
            let (bytes, whole) = size(folder, Some(until));
            whole.then_some(bytes)
        };
        let (state, log, transcripts) = (size(&self.state)?, size(&self.log)?, size(&self.transcripts)?);
        // By default one folder is in the other, and nothing is counted twice where it is named apart.
        let less =
            |whole: u64, part: u64, within: bool| if within { whole.saturating_sub(part) } else { whole };
        Some(Space {
            state: less(state, log, self.log.starts_with(&self.state)),
            history: self.history(),
            runs: size(&self.runs)?,
            stage: size(&self.stage)?,
            transcripts,
            outbox: size(&self.outbox)?,
            logs: less(log, transcripts, self.transcripts.starts_with(&self.log)),
        })
    }

    /// With what SQLite keeps beside it, and with what was put aside.
    fn history(&self) -> u64 {
        let name = |entry: &DirEntry| name_of(entry).is_some_and(|name| name.starts_with("history.db"));
        let files = entries(&self.state).unwrap_or_default().into_iter().filter(name);
        files.filter_map(|file| Some(file.metadata().ok()?.len())).sum()
    }

    /// What a writer left that died in the middle, one file each time.
    fn abandoned(&self) -> io::Result<Vec<PathBuf>> {
        let now = SystemTime::now();
        let Some(before) = now.checked_sub(ABANDONED).filter(|_| self.before.is_some()) else {
            return Ok(Vec::new());
        };
        let is_abandoned = |entry: &DirEntry| {
            name_of(entry).is_some_and(|name| durable::is_unfinished(&name))
                && entry.metadata().is_ok_and(|found| {
                    found.is_file() && found.modified().is_ok_and(|written| written < before)
                })
        };
        let mut abandoned = Vec::new();
        for folder in [&self.state, &self.outbox] {
            abandoned.extend(entries(folder)?.iter().filter(|e| is_abandoned(e)).map(DirEntry::path));
        }
        Ok(abandoned)
    }

    /// What is old; and of the rest the oldest, while all of them together are too large.
    fn transcripts_that_go(&self) -> io::Result<Vec<PathBuf>> {
        let Some(before) = self.before.filter(|_| self.transcripts.exists()) else { return Ok(Vec::new()) };
        // Whoever else may write there could have put a link to other logs in its place.
        for home in self.transcripts.parent().into_iter().chain([&*self.transcripts]) {
            perms::check_home(home).map_err(|loose| io::Error::other(loose.to_string()))?;
        }
        let undelivered = self.undelivered()?;
        let mut total = 0;
        let (mut go, mut rest) = (Vec::new(), Vec::new());
        for entry in entries(&self.transcripts)? {
            let Some(run) = name_of(&entry).and_then(|name| Some(name.strip_suffix(".log")?.to_owned()))
            else {
                continue;
            };
            let Ok(meta) = entry.metadata() else { continue };
            let bytes = if meta.is_file() { meta.len() } else { 0 };
            total += bytes;
            // A run that began since this was asked for has a folder: none goes before its result is on the share.
            let needed =
                self.open.contains(&run) || undelivered.contains(&run) || self.runs.join(&run).exists();
            match meta.modified().map(Wall::from) {
                _ if needed => {}
                Ok(at) if at < before => {
                    total -= bytes;
                    go.push(entry.path());
                }
                Ok(at) if meta.is_file() => rest.push((at, entry.path(), bytes)),
                _ => {}
            }
        }
        rest.sort();
        for (_, path, bytes) in rest {
            if total <= self.most {
                break;
            }
            total -= bytes;
            go.push(path);
        }
        Ok(go)
    }

    /// The runs whose results wait in the outbox.
    fn undelivered(&self) -> io::Result<BTreeSet<String>> {
        let names = entries(&self.outbox)?.into_iter().filter_map(|entry| name_of(&entry));
        Ok(names.filter_map(|name| Some(name.strip_suffix(".MIF")?.to_owned())).collect())
    }

    /// The folders of runs, and whether those are all.
    fn find_runs(&self) -> io::Result<(Vec<KeptRun>, bool)> {
        let runs =
            entries(&self.runs)?.into_iter().filter_map(|entry| Some((name_of(&entry)?, entry.path())));
        let runs = runs.filter(|(name, _)| !durable::is_put_away(name)).take(MAX_RUNS);
        let kept = |(run, path): (String, PathBuf)| KeptRun {
            run,
            transcript: RunFolder::at(&path).output().exists(),
        };
        let runs: Vec<KeptRun> = runs.map(kept).collect();
        let all = runs.len() < MAX_RUNS;
        Ok((runs, all))
    }

    fn find_contents(&self) -> io::Result<Vec<KeptContent>> {
        let kept = |hash: ContentHash| {
            let files = self.stage.join(hash.as_str());
            // What is not complete has no age that would save it.
            let since = fs::metadata(&files).and_then(|meta| meta.modified());
            let since = since.map_or_else(|_| Wall::default(), Wall::from);
            KeptContent { bytes: size(&files, None).0, hash, since }
        };
        Ok(content::find_staged(&self.stage)?.into_iter().map(kept).collect())
    }
}

impl Tidied {
    /// What was done; where it failed, the first failure is told.
    fn note<T>(&mut self, done: io::Result<T>) -> Option<T> {
        match done {
            Ok(done) => Some(done),
            Err(e) => {
                self.fault.get_or_insert(SafeText::new(&e.to_string()));
                None
            }
        }
    }
}

fn name_of(entry: &DirEntry) -> Option<String> {
    entry.file_name().into_string().ok()
}

fn entries(folder: &Path) -> io::Result<Vec<DirEntry>> {
    match fs::read_dir(folder) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        entries => entries.and_then(Iterator::collect).map_err(|e| at(folder, &e)),
    }
}

fn at(path: &Path, e: &io::Error) -> io::Error {
    io::Error::new(e.kind(), format!("{}: {e}", path.display()))
}

/// What cannot be looked at counts nothing.
/// Of the files in it, as far as they could be seen until then; and whether that was all of them.
fn size(folder: &Path, until: Option<Instant>) -> (u64, bool) {
    let (mut bytes, mut whole) = (0, true);
    for entry in walkdir::WalkDir::new(folder) {
        if until.is_some_and(|until| Instant::now() > until) {
            return (bytes, false);
        }
        match entry.and_then(|entry| entry.metadata()) {
            Ok(meta) => bytes += if meta.is_file() { meta.len() } else { 0 },
            // It was not there, or went in this moment.
            Err(e) => whole &= is_gone(&e),
        }
    }
    (bytes, whole)
}

fn is_gone(e: &walkdir::Error) -> bool {
    e.io_error().is_some_and(|e| e.kind() == io::ErrorKind::NotFound)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn tidying(at: &Path, before: Option<Wall>, open: &[&str]) -> Tidying {
        Tidying {
            runs: at.join("runs"),
            stage: at.join("stage"),
            transcripts: at.join("log"),
            before,
            most: u64::MAX,
            open: open.iter().map(|run| (*run).to_owned()).collect(),
            state: at.to_owned(),
            outbox: at.join("outbox"),
            log: at.join("log"),
        }
    }

    fn file(path: &Path, bytes: &[u8]) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    #[test]
    fn what_was_put_away_is_removed_and_the_rest_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let (runs, stage) = (dir.path().join("runs"), dir.path().join("stage"));
        let nothing = Tidied { space: Some(Space::default()), all_runs: true, ..Tidied::default() };
        assert_eq!(tidying(dir.path(), None, &[]).carry_out(), nothing);
        for run in ["BP00001-1", "BP00001-2", "BP00002-1"] {
            file(&runs.join(run).join("exit"), b"{}");
        }
        file(&runs.join("BP00002-1").join("output.log"), b"the last words");
        let outside = dir.path().join("outside");
        file(&outside.join("kept"), b"");
        #[cfg(unix)]
        std::os::unix::fs::symlink(&outside, runs.join("BP00001-1/out")).unwrap();
        let hash = ContentHash::try_from("a".repeat(64)).unwrap();
        file(&stage.join(hash.as_str()).join("deep/file"), b"12345");
        durable::put_away(&runs, "BP00001-1").unwrap();
        // Ended in the middle of removing it: some of it has gone.
        durable::put_away(&runs, "BP00001-2").unwrap();
        let away =
            fs::read_dir(&runs).unwrap().flatten().find(|e| name_of(e).unwrap().ends_with("BP00001-2"));
        fs::remove_file(away.unwrap().path().join("exit")).unwrap();

        let tidied = tidying(dir.path(), None, &[]).carry_out();
        assert_eq!(tidied.runs, [KeptRun { run: "BP00002-1".into(), transcript: true }]);
        let contents: Vec<_> = tidied.contents.iter().map(|kept| (&kept.hash, kept.bytes)).collect();
        assert_eq!((contents, tidied.fault), (vec![(&hash, 5)], None));
        assert_eq!(fs::read_dir(&runs).unwrap().count(), 1);
        assert!(outside.join("kept").is_file());
    }

    #[test]
    fn what_a_dead_writer_left_goes_once_nobody_can_be_writing_it() {
        let dir = tempfile::tempdir().unwrap();
        let (state, outbox) = (dir.path().to_owned(), dir.path().join("outbox"));
        let old = SystemTime::now() - ABANDONED - Duration::from_secs(60);
        let left = [state.join(".held.INS.7-0.tmp"), outbox.join(".BP00001-1.MIF.7-1.tmp")];
        let kept = [outbox.join("BP00001-1.MIF"), state.join("notes.tmp"), state.join(".profile")];
        for path in left.iter().chain(&kept) {
            file(path, b"");
            fs::File::options().write(true).open(path).unwrap().set_modified(old).unwrap();
        }
        let (young, folder) = (outbox.join(".BP00002-1.MIF.8-0.tmp"), state.join(".folder.tmp"));
        file(&young, b"");
        fs::create_dir(&folder).unwrap();
        tidying(dir.path(), None, &[]).carry_out();
        assert!(left.iter().all(|path| path.exists()), "the clock is not believed");
        assert_eq!(tidying(dir.path(), Some(Wall::default()), &[]).carry_out().fault, None);
        assert!(!left.iter().any(|path| path.exists()));
        assert!(kept.iter().chain([&young, &folder]).all(|path| path.exists()));
    }

    /// As of every other file below the log folder: who could put a link there could have root remove other logs.
    #[cfg(unix)]
    #[test]
    fn no_transcript_goes_by_way_of_a_log_folder_that_others_may_write() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let (log, elsewhere) = (dir.path().join("log"), dir.path().join("elsewhere"));
        let victim = elsewhere.join("BP00001-1.log");
        file(&victim, b"root's own");
        fs::create_dir(&log).unwrap();
        std::os::unix::fs::symlink(&elsewhere, log.join("runs")).unwrap();
        fs::set_permissions(&log, fs::Permissions::from_mode(0o777)).unwrap();
        let all = Some(Wall::from(SystemTime::now()) + chrono::TimeDelta::days(1));
        let tidying = Tidying { transcripts: log.join("runs"), ..tidying(dir.path(), all, &[]) };
        let tidied = tidying.carry_out();
        assert!(victim.is_file());
        assert!(tidied.fault.unwrap().as_str().contains("log"), "it is said");
        fs::set_permissions(&log, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(tidying.carry_out().transcripts, 1, "a link of root's own is root's wish");
    }

    #[test]
    fn transcripts_go_when_they_are_old_and_not_while_the_run_goes_on_or_the_clock_is_not_believed() {
        let dir = tempfile::tempdir().unwrap();
        let day = |days: u64| SystemTime::now() - Duration::from_secs(days * 86_400);
        let transcript = |run: &str, days| {
            let path = dir.path().join("log").join(format!("{run}.log"));
            file(&path, b"");
            fs::File::options().write(true).open(path).unwrap().set_modified(day(days)).unwrap();
        };
        for (run, days) in [("BP00001-1", 91), ("BP00001-2", 89), ("BP00002-1", 91)] {
            transcript(run, days);
        }
        // One that cannot be removed keeps no other.
        fs::create_dir(dir.path().join("log/BP00000-1.log")).unwrap();
        let there = || {
            let names = entries(&dir.path().join("log")).unwrap();
            names.iter().filter_map(name_of).collect::<BTreeSet<String>>()
        };
        let all = there();
        tidying(dir.path(), None, &[]).carry_out();
        assert_eq!(there(), all);
        let tidied = tidying(dir.path(), Some(day(90).into()), &["BP00002-1"]).carry_out();
        assert_eq!((tidied.transcripts, tidied.fault), (1, None));
        assert_eq!(there().len(), 3);
        assert!(!there().contains("BP00001-1.log"));
        let tidied = tidying(dir.path(), Some(day(0).into()), &[]).carry_out();
        assert!(tidied.fault.unwrap().as_str().contains("BP00000-1.log"));
        assert_eq!((tidied.transcripts, there().len()), (2, 1));
    }

    #[test]
    fn above_their_size_the_oldest_transcripts_go_and_none_that_something_needs() {
        let dir = tempfile::tempdir().unwrap();
        let transcript = |run: &str, days: u64, bytes: usize| {
            let path = dir.path().join("log").join(format!("{run}.log"));
            file(&path, &vec![b'x'; bytes]);
            let written = SystemTime::now() - Duration::from_secs(days * 86_400);
            fs::File::options().write(true).open(path).unwrap().set_modified(written).unwrap();
        };
        let there = || {
            let names = entries(&dir.path().join("log")).unwrap();
            names
                .iter()
                .filter(|entry| entry.path().is_file())
                .filter_map(name_of)
                .collect::<BTreeSet<String>>()
        };
        let named = |runs: &[&str]| runs.iter().map(|run| format!("{run}.log")).collect::<BTreeSet<String>>();
        for (run, days) in
            [("BP00001-1", 9), ("BP00002-1", 8), ("BP00003-1", 7), ("BP00004-1", 6), ("BP00005-1", 5)]
        {
            transcript(run, days, 100);
        }
        // What is no file takes no room.
        fs::create_dir(dir.path().join("log/BP00000-1.log")).unwrap();
        // One of them goes on, the result of another waits in the outbox, and another began while this was on its way.
        file(&dir.path().join("outbox/BP00002-1.MIF"), b"");
        fs::create_dir_all(dir.path().join("runs/BP00004-1")).unwrap();
        let at = |before, most| Tidying { most, ..tidying(dir.path(), before, &["BP00003-1"]) };
        let most = |most| at(Some(Wall::default()), most);
        assert_eq!(at(None, 0).carry_out().transcripts, 0, "when they were written is not believed");
        assert_eq!(most(500).carry_out().transcripts, 0, "that is not too much");
        assert_eq!(most(499).carry_out().transcripts, 1);
        assert_eq!(there(), named(&["BP00002-1", "BP00003-1", "BP00004-1", "BP00005-1"]));
        let tidied = most(0).carry_out();
        assert_eq!((tidied.transcripts, tidied.fault), (1, None));
        assert_eq!(there(), named(&["BP00002-1", "BP00003-1", "BP00004-1"]), "however much that is");
        fs::remove_dir(dir.path().join("runs/BP00004-1")).unwrap();
        assert_eq!(most(299).carry_out().transcripts, 1, "its result is on the share");
        // What goes by its age counts, and what is needed has no age.
        for (run, days) in [("BP00006-1", 90), ("BP00007-1", 3), ("BP00008-1", 2)] {
            transcript(run, days, 100);
        }
        let before = Some(Wall::from(SystemTime::now() - Duration::from_secs(4 * 86_400)));
        let both = Tidying { most: 400, ..tidying(dir.path(), before, &["BP00003-1"]) };
        assert_eq!(both.carry_out().transcripts, 1);
        assert_eq!(there(), named(&["BP00002-1", "BP00003-1", "BP00007-1", "BP00008-1"]));
    }
}
