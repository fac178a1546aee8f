//! One file that is followed: reading on, and noticing that what was read is no longer there; `older` reads what was written
//! before that. Called by `log::follow`.

mod older;
mod relation;

use older::Older;
pub use relation::Relation;

use super::cursor::{Cursor, len_of, read_at};
use super::print::Print;
use crate::host::tail::{self, FileId};
use crate::log::batch::Batch;
use crate::log::encoding::{Decoding, TELLING};
use crate::log::parse::Parser;
use crate::log::spans::Spans;
use crate::log::{Record, Zoned};
use crate::text::SafeText;
use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

const CHUNK: usize = 64 * 1024;
/// Looking for the last records starts with this much of the end of a file, and stops at that much.
const FIRST_WINDOW: u64 = 128 * 1024;
const LAST_WINDOW: u64 = 32 << 20;
/// Lines before the window are counted up to here; beyond it their numbers are not known.
const MOST_COUNTED: u64 = 64 << 20;
/// More records than these are not held at once: they are read from where they begin, as if they came now.
const MOST_HELD: usize = 5_000;

/// A record that could have got further lines is complete when nothing has come for so long: who writes one in pieces writes
/// them at once.
const QUIET: Duration = Duration::from_millis(20);
/// A line that has not got its end is shown as it stands after so long: somebody may be asked something, and waits.
const UNFINISHED: Duration = Duration::from_millis(750);
/// In a file that has lost its name it gets none.
const ENDED: Duration = Duration::from_millis(500);

/// How far [`Followed::advance`] came.
pub enum Step {
    /// To the end of the file.
    Current,
    /// As far as it was allowed to, or half a line before a hole was given out: there is more.
    More,
    /// What was read before is no longer there.
    Changed,
}

/// A file that is followed.
pub struct Followed {
    pub path: PathBuf,
    /// The path under which it was found first: what its rotated forms are called after.
    pub followed_as: PathBuf,
    pub name: SafeText,
    pub id: FileId,
    /// How many names it had when it was found under its own last, less those that were seen to go.
    pub names: u64,
    pub print: Print,
    /// What was read of it before it was written over.
    before: Print,
    /// What stood in it when it was not known whose copy it is.
    pub perhaps: Option<Print>,
    /// What stood in it when it was begun again: until that is read it may be written over once more.
    pub stands: Option<Print>,
    /// It is a copy of something that was cut before anybody read it, and is not told to its end yet.
    pub was_unknown: bool,
    /// It is a copy of another one that was cut.
    pub is_copy: bool,
    /// It is a copy of the log of this name that was cut while nobody followed: that is told once it is read to its end.
    pub copy_of: Option<SafeText>,
    /// It has lost its name: when it is given up.
    pub retired: Option<Duration>,
    /// It was overwritten with a copy of another one that is followed, and is not read any more.
    pub copied: bool,
    /// It has another name or none since the last time that this was told.
    pub renamed: bool,
    /// What had its name before was deleted before anybody saw it, which is not told yet.
    pub after_unseen: bool,
    /// There was more in it at the last look than was read, or nothing was read of it yet.
    pub more: bool,
    file: File,
    parser: Parser,
    /// When something came last, if it was looked at, and what was done since because nothing more came.
    grew: Option<Duration>,
    stage: Stage,
    older: Older,
    /// Older records that were read and not told yet.
    pub held: VecDeque<Record>,
    /// What was read comes as it stands, before the records that [`Followed::advance`] adds.
    pub raw: Option<Vec<Batch>>,
    /// Everything before this byte was given out when that was known last.
    told: u64,
    cursor: Option<Cursor>,
}

/// What is still to be done with what came last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// A record may go on.
    Open,
    /// A line may.
    Flushed,
    /// Nothing.
    Done,
}

/// A file is no longer under its name: 1 if that was removed, 0 if it was renamed. `names`: how many it had.
pub fn lost_name(file: &File, names: &mut u64) -> i64 {
    let is_removed = tail::names(file) < *names;
    *names -= u64::from(is_removed);
    i64::from(is_removed)
}

/// How records name a file: without its folder.
pub fn name_of(path: &Path) -> SafeText {
    SafeText::new(&path.file_name().unwrap_or(path.as_os_str()).to_string_lossy())
}

impl Followed {
    /// A file read from its beginning.
    pub fn from_start(path: &Path, file: File, id: FileId, zone: &Zoned) -> Self {
        let name = name_of(path);
        let parser = Parser::new(name.clone(), zone.clone());
        Self::go_on(path.to_owned(), name, file, id, Print::default(), parser)
    }

    /// A file of which a part was already read, under this or another name.
    pub fn go_on(
        path: PathBuf,
        name: SafeText,
        file: File,
        id: FileId,
        print: Print,
        parser: Parser,
    ) -> Self {
        Self {
            followed_as: path.clone(),
            path,
            name,
            id,
            names: tail::names(&file).max(1),
            print,
            before: Print::default(),
            perhaps: None,
            stands: None,
            was_unknown: false,
            is_copy: false,
            copy_of: None,
            retired: None,
            copied: false,
            renamed: false,
            after_unseen: false,
            more: true,
            file,
            parser,
            grew: None,
            stage: Stage::Open,
            older: Older::None,
            held: VecDeque::new(),
            raw: None,
            told: 0,
            cursor: None,
        }
    }

    /// Opens a file and reads its last `last` records.
    pub fn open_last(path: &Path, zone: &Zoned, last: usize) -> io::Result<(Self, Vec<Record>)> {
        let (file, id) = tail::open(path)?;
        let mut this = Self::from_start(path, file, id, zone);
        if last == usize::MAX {
            return Ok((this, Vec::new()));
        }
        let len = this.file.metadata()?.len();
        let head = read_at(&mut this.file, 0, TELLING)?;
        if last > MOST_HELD && Decoding::of(&head).is_plain() {
            return Ok((this.begin_at_last(&head, len, zone, last)?, Vec::new()));
        }
        let mut window = FIRST_WINDOW;
        loop {
            let start = this.line_near(len.saturating_sub(window))?;
            this.start_at(start, zone)?;
            let mut records = Vec::new();
            this.read_up_to(len, &mut records)?;
            // One more than asked for, because the first one may be cut.
            if records.len() > last || start == 0 || window >= LAST_WINDOW {
                this.parser.flush(&mut records);
                let surplus = records.len().saturating_sub(last);
                records.drain(..surplus);
                this.older = this.before(start, surplus, last)?;
                return Ok((this, records));
            }
            window *= 4;
        }
    }

    /// The same of a file of which many records are wanted: they are counted, and follow.
    fn begin_at_last(mut self, head: &[u8], len: u64, zone: &Zoned, last: usize) -> io::Result<Self> {
        let mut window = FIRST_WINDOW;
        loop {
            let start = self.line_near(len.saturating_sub(window))?;
            let (all, _) = self.pass(head, start, len, usize::MAX)?;
            if all <= last && start > 0 {
                window = window.saturating_mul(4);
                continue;
            }
            let first = match all.saturating_sub(last) {
                0 => start,
                surplus => self.pass(head, start, len, surplus)?.1,
            };
            self.start_at(first, zone)?;
            if first > 0 {
                self.parser.begins_with_a_record();
                self.older = Older::Before(first);
            }
            return Ok(self);
        }
    }

    /// Passes up to `most` records from `start` on; how many there were before `len`, and where the last of them ends.
    fn pass(&mut self, head: &[u8], start: u64, len: u64, most: usize) -> io::Result<(usize, u64)> {
        let mut spans = Spans::within(head, 0);
        let (mut at, mut passed, mut end) = (start, 0, start);
        while passed < most && at < len {
            let chunk = read_at(&mut self.file, at, CHUNK.min(len_of(len - at)))?;
            if chunk.is_empty() {
                break;
            }
            at += chunk.len() as u64;
            spans.push(&chunk, false);
            while passed < most
                && let Some(span) = spans.next(false)
            {
                passed += 1;
                end = start + spans.offset(span.at.end);
            }
        }
        if at == len {
            spans.push(&[], true);
            while passed < most
                && let Some(span) = spans.next(true)
            {
                passed += 1;
                end = start + spans.offset(span.at.end);
            }
        }
        Ok((passed, end))
    }

    /// Reads on. What comes is given out only if everything before it is still what it was, so that a file rewritten in
    /// between is not taken for a longer one.
    pub fn advance(
        &mut self,
        now: Duration,
        share: &mut usize,
        records: &mut Vec<Record>,
    ) -> io::Result<Step> {
        let mut idle = true;
        let is_end = loop {
            if self.skip_hole(records)? {
                return Ok(Step::More);
            }
            // What says that it is empty and is not (a file of /proc) would have no end.
            let left = self.file.metadata()?.len().saturating_sub(self.print.offset);
            let chunk = read_at(&mut self.file, self.print.offset, CHUNK.min(*share).min(len_of(left)))?;
            if !self.print.check(&mut self.file)? {
                return Ok(Step::Changed);
            }
            if let Some(stands) = &self.stands {
                if !stands.check(&mut self.file)? {
                    return Ok(Step::Changed);
                }
                self.stands.take_if(|stands| stands.offset <= self.print.offset);
            }
            if chunk.is_empty() {
                // What says that it holds more than can be read of it (a file of /sys) has its end here.
                break left > 0 && *share > 0;
            }
            idle = false;
            match &mut self.raw {
                Some(raw) => raw.push(self.parser.push_raw(&chunk)),
                None => self.parser.push(&chunk, records),
            }
            self.print.add(&chunk);
            *share -= chunk.len();
        };
        if !is_end && self.file.metadata()?.len() > self.print.offset {
            return Ok(Step::More);
        }
        if !idle || self.grew.is_none() {
            (self.grew, self.stage) = (Some(now), Stage::Open);
        }
        let quiet = now.saturating_sub(self.grew.unwrap_or(now));
        if self.stage == Stage::Open && quiet >= QUIET {
            self.parser.flush(records);
            self.stage = Stage::Flushed;
        }
        if self.stage == Stage::Flushed && self.retired.is_some() && quiet >= ENDED {
            self.parser.finish(records);
            self.stage = Stage::Done;
        }
        if self.stage == Stage::Flushed && quiet >= UNFINISHED {
            self.parser.flush_line(records);
            self.stage = Stage::Done;
        }
        Ok(Step::Current)
    }

    /// A writer that does not append leaves a hole where the file was cut, and goes on behind it. However long one is, it is
    /// passed at once. Half a line before it gets no other half: whether one was given out, behind which nothing is read yet.
    fn skip_hole(&mut self, records: &mut Vec<Record>) -> io::Result<bool> {
        let first = self.print.is_hole() && self.parser.is_empty();
        if !first && !self.print.ends_with_zeros() {
            return Ok(false);
        }
        let (len, offset) = (self.file.metadata()?.len(), self.print.offset);
        if offset >= len {
            return Ok(false);
        }
        // Where nothing stands behind it, it reaches to the end.
        let data = tail::data_at(&self.file, offset)?.unwrap_or(len).min(len);
        if data == offset {
            return Ok(false);
        }
        let is_cut = !self.parser.holds_no_text();
        if is_cut {
            self.parser.finish(records);
        }
        self.parser.skips(data - offset);
        self.print.skip_hole(data);
        Ok(is_cut)
    }

    /// Nothing is read of it yet: others come first. It may be written over meanwhile.
    pub fn wait_its_turn(&mut self) {
        self.more = true;
        if self.stands.is_none() {
            self.stands = Some(self.as_it_is());
        }
    }

    /// Whether another file holds what waits in this one, or waited before it was written over.
    pub fn waits_in(&self, other: &mut File) -> bool {
        let whole = self.stands.as_ref().filter(|whole| self.more && !self.print.tells() && whole.tells());
        whole.is_some_and(|whole| whole.is_in(other))
    }

    /// Whether something came at this look.
    pub fn has_grown(&self, now: Duration) -> bool {
        self.grew == Some(now) && self.print.offset > 0
    }

    /// Whether everything in it was read.
    pub fn is_read(&self) -> bool {
        self.handle().is_ok_and(|(_, len)| len <= self.print.offset)
    }

    /// When something held is to be told if nothing comes.
    pub fn due(&self) -> Option<Duration> {
        if self.copied || self.parser.is_empty() {
            return None;
        }
        let after = match self.stage {
            Stage::Open => QUIET,
            Stage::Flushed if self.retired.is_some() => ENDED,
            Stage::Flushed => UNFINISHED,
            Stage::Done => return None,
        };
        self.grew.map(|grew| grew + after)
    }

    /// Records that wait for further lines, as they stand; none of a file that others are read of.
    pub fn standing(&self) -> Vec<Record> {
        let waits = self.stage == Stage::Open && self.retired.is_none() && !self.copied;
        if waits { self.parser.standing() } else { Vec::new() }
    }

    /// It is no longer under its name: 1 if that was removed, 0 if it was renamed.
    pub fn lost_name(&mut self) -> i64 {
        lost_name(&self.file, &mut self.names)
    }

    /// It, as it is open.
    pub fn open(&self) -> &File {
        &self.file
    }

    /// Everything that is still held.
    pub fn finish(&mut self) -> Vec<Record> {
        let mut records = Vec::new();
        self.parser.finish(&mut records);
        records
    }

    /// Everything before this byte was given out, as far as that is known.
    fn position(&mut self) -> u64 {
        match self.parser.position() {
            Some(at) => self.told = at,
            // What was decoded has no places in the file; between two records it has one.
            None if self.parser.is_empty() => self.told = self.print.offset,
            None => {}
        }
        self.told
    }

    /// From where somebody else would read on.
    pub fn cursor(&mut self) -> io::Result<Cursor> {
        let at = self.position();
        if let Some(known) = self.cursor.as_ref().filter(|known| known.at == at && self.id == known.id()) {
            return Ok(known.clone());
        }
        // What was rotated away before it was found is known by the name of its log.
        let name = if self.is_copy { self.name.clone() } else { name_of(&self.followed_as) };
        let cursor = Cursor::of(name, self.id, &mut self.file, at)?;
        self.cursor = Some(cursor.clone());
        Ok(cursor)
    }

    /// Another handle of it, and its length.
    pub fn handle(&self) -> io::Result<(File, u64)> {
        let file = self.file.try_clone()?;
        let len = file.metadata()?.len();
        Ok((file, len))
    }

    /// Whether what was read of it is no longer in it.
    pub fn is_overwritten(&mut self) -> bool {
        !self.print.is_in(&mut self.file)
    }

    /// If the file only lost its end, goes on where it ends now. `None`: it has another beginning, or none.
    pub fn cut_at_its_end(&mut self) -> Option<Vec<Record>> {
        let len = self.file.metadata().ok()?.len();
        if len == self.print.offset || !self.print.covers(&mut self.file, len) {
            return None;
        }
        self.print = Print::of(&mut self.file, len).ok()?;
        let records = self.finish();
        self.parser.forget_line_numbers();
        self.parser.goes_on_at(len);
        self.told = len;
        Some(records)
    }

    /// Starts at the beginning again. Returns what was read and the parser that read it.
    pub fn start_again(&mut self, zone: &Zoned, stands: Print) -> (Print, Parser) {
        self.stands = Some(stands);
        (self.stage, self.told) = (Stage::Open, 0);
        let parser = std::mem::replace(&mut self.parser, Parser::new(self.name.clone(), zone.clone()));
        self.before = std::mem::take(&mut self.print);
        (self.before.clone(), parser)
    }

    /// Goes on in another file that holds what was read of this one.
    pub fn move_to(&mut self, path: &Path, file: File, id: FileId, names: u64) {
        self.path = path.to_owned();
        self.file = file;
        (self.id, self.names) = (id, names);
        self.retired = None;
        self.renamed = false;
    }

    /// All that stands in it.
    pub fn as_it_is(&self) -> Print {
        self.handle().and_then(|(mut file, len)| Print::of(&mut file, len)).unwrap_or_default()
    }

    /// A file of which the first `at` bytes are known already.
    pub fn from_offset(path: &Path, file: File, id: FileId, zone: &Zoned, at: u64) -> io::Result<Self> {
        let mut this = Self::from_start(path, file, id, zone);
        this.start_at(at, zone)?;
        Ok(this)
    }

    /// A file that somebody else has read up to `at`, where a record begins.
    pub fn resumed(path: &Path, file: File, id: FileId, zone: &Zoned, at: u64) -> io::Result<Self> {
        let mut this = Self::from_offset(path, file, id, zone, at)?;
        if at > 0 {
            this.parser.begins_with_a_record();
        }
        Ok(this)
    }

    /// Reads on from here, as if everything before it had been read.
    fn start_at(&mut self, start: u64, zone: &Zoned) -> io::Result<()> {
        let head = read_at(&mut self.file, 0, TELLING)?;
        // The end of a line of UTF-16 is two bytes.
        let start = if Decoding::of(&head).is_plain() { start } else { start.next_multiple_of(2) };
        let line = self.line_at(start)?;
        self.parser = Parser::starting_at(self.name.clone(), zone.clone(), &head, line);
        self.parser.goes_on_at(start);
        self.told = start;
        self.print = Print::of(&mut self.file, start)?;
        Ok(())
    }

    /// Where the first whole line at or after `at` begins.
    fn line_near(&mut self, at: u64) -> io::Result<u64> {
        if at == 0 {
            return Ok(0);
        }
        // From one byte before, so that a line that begins exactly here counts.
        let window = read_at(&mut self.file, at - 1, len_of(FIRST_WINDOW))?;
        Ok(match window.iter().position(|b| *b == b'\n') {
            Some(end) => at + end as u64,
            // One line longer than any should be: read it from its middle.
            None => at,
        })
    }

    /// The number of the line at `at`; 0 where counting would take too long.
    fn line_at(&mut self, at: u64) -> io::Result<u64> {
        if at > MOST_COUNTED {
            return Ok(0);
        }
        let (mut line, mut from) = (1, 0);
        while from < at {
            let bytes = read_at(&mut self.file, from, CHUNK.min(len_of(at - from)))?;
            if bytes.is_empty() {
                break;
            }
            line += bytes.iter().filter(|b| **b == b'\n').count() as u64;
            from += bytes.len() as u64;
        }
        Ok(line)
    }

    fn read_up_to(&mut self, len: u64, records: &mut Vec<Record>) -> io::Result<()> {
        while self.print.offset < len {
            let chunk =
                read_at(&mut self.file, self.print.offset, CHUNK.min(len_of(len - self.print.offset)))?;
            if chunk.is_empty() {
                break;
            }
            self.parser.push(&chunk, records);
            self.print.add(&chunk);
        }
        Ok(())
    }
}
