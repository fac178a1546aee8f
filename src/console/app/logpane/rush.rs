//! A log that rushes by: while the newest line stands at the bottom and nothing is looked for, nobody sees more of what comes
//! than a screenful. That becomes lines at once, all else when somebody looks; what comes of it is the same.

use super::find::is_poll;
use super::{LineKey, LogPane, MAX_BYTES, TimeDisplay};
use crate::clock::Wall;
use crate::console::app::logline::LogLine;
use crate::log::Level;
use crate::log::batch::{Batch, Raw};
use crate::log::merge::Places;
use crate::text::SafeText;
use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};

/// So many records at once rush by.
const MANY: usize = 256;
/// So many more lines are made than the pane has room for, should it have more the next time.
const SPARE: usize = 8;
/// Among so many of the newest the lines that are shown have to be found.
const TRIED: usize = 1_000;

/// Records that are no lines yet. All are of one file, and newer than the lines.
#[derive(Debug, Clone, Default)]
pub(super) struct Rush {
    /// Each with how many of them only say that a poll was made, once that is asked.
    batches: VecDeque<(Arc<Batch>, OnceLock<usize>)>,
    records: usize,
    bytes: usize,
    faults: (usize, usize),
    /// So many came, those that were let go with them.
    came: u64,
    places: Option<Places>,
    /// The newest place among all that wait.
    newest: Option<Wall>,
    /// The lines that are drawn.
    tail: Vec<(LineKey, Arc<LogLine>)>,
}

/// The lines of a batch.
fn lines_of(batches: &[Arc<Batch>]) -> Vec<Arc<LogLine>> {
    batches.iter().flat_map(|batch| batch.records()).flat_map(LogLine::of).map(Arc::new).collect()
}

fn polls(batch: &Batch) -> usize {
    let is_one = |raw: &Raw| {
        let mut says = false;
        raw.any_line(|line| {
            let begin = String::from_utf8_lossy(&line[..line.len().min(64)]);
            says = is_poll(raw.level(), &begin);
            true
        });
        says
    };
    batch.raw().filter(is_one).count()
}

impl LogPane {
    /// Takes records that came at once. `lines` are theirs, made once for all panes that need them. `is_drawn`: this one is on
    /// the screen.
    pub fn rush(&mut self, batches: &[Arc<Batch>], lines: &mut Option<Vec<Arc<LogLine>>>, is_drawn: bool) {
        if self.may_wait(batches) && self.are_behind(batches) && (!is_drawn || self.draws(batches)) {
            batches.iter().for_each(|batch| self.keep(batch));
            return;
        }
        self.settle();
        self.push(lines.get_or_insert_with(|| lines_of(batches)).iter().cloned());
    }

    /// Makes lines of all that came.
    pub fn settle(&mut self) {
        let rush = std::mem::take(&mut self.rush);
        if rush.batches.is_empty() {
            return;
        }
        if let Some((batch, _)) = rush.batches.front() {
            self.tally_file(batch.file(), rush.records, false);
        }
        // Those that were let go came, too.
        self.next += rush.came - rush.records as u64;
        for (batch, _) in rush.batches {
            self.push(lines_of(&[batch]));
        }
    }

    /// Whether nobody can see a difference: everything is shown that comes, and the newest line is at the bottom.
    fn may_wait(&self, batches: &[Arc<Batch>]) -> bool {
        let newest = self.follow && self.hit.is_none() && self.third.is_none() && self.bar.is_none();
        let looks = self.search.is_some() || self.typing.is_some() || self.seeking.is_some();
        let filtered = self.level > Level::Verbose || self.only || !self.filters.terms().is_empty();
        let differs = self.time == TimeDisplay::Since || !self.marks.is_empty() || self.whole.is_some();
        let file = self.rush.batches.front().map(|(batch, _)| batch).or(batches.first());
        let one = file.is_some_and(|file| batches.iter().all(|batch| batch.file() == file.file()));
        let many =
            !self.rush.batches.is_empty() || batches.iter().map(|batch| batch.len()).sum::<usize>() >= MANY;
        newest && one && many && !looks && !filtered && !differs
    }

    /// Whether their place is behind all lines that are here, and behind what waits: what is let go first is what is oldest by its
    /// time. Of each batch the ends are looked at: a clock that is set back and forth within one is not seen.
    fn are_behind(&mut self, batches: &[Arc<Batch>]) -> bool {
        let mut newest = self.lines.back().map(|((at, _), _)| *at).max(self.rush.newest);
        let places = self.rush.places.get_or_insert_with(|| self.places.clone());
        let mut is_behind = |batch: &Batch, near| {
            let place = Some(places.place(batch.file(), near));
            let is_behind = place >= newest;
            newest = newest.max(place);
            is_behind
        };
        let all = batches.iter().all(|batch| {
            let first = batch.times().next().and_then(|(near, _)| near);
            is_behind(batch, first) && is_behind(batch, batch.ends())
        });
        self.rush.newest = newest;
        all
    }

    /// Makes the lines that are drawn. False: that would take too long, or their place is not behind all others.
    fn draws(&mut self, batches: &[Arc<Batch>]) -> bool {
        let places = self.rush.places.get_or_insert_with(|| self.places.clone());
        let known = self.rush.batches.iter().map(|(batch, _)| batch);
        let Some(tail) = tail(known.chain(batches), self.height + SPARE, self.polls) else { return false };
        let mut drawn = Vec::with_capacity(tail.len());
        let newest = self.lines.back().map(|((at, _), _)| *at);
        for line in tail {
            let at = places.place(&line.file, line.near);
            if newest.is_some_and(|newest| at < newest) {
                return false;
            }
            drawn.push(((at, self.next + drawn.len() as u64), line));
        }
        self.rush.tail = drawn;
        true
    }

    fn keep(&mut self, batch: &Arc<Batch>) {
        self.tally_file(batch.file(), batch.len(), true);
        let rush = &mut self.rush;
        rush.batches.push_back((Arc::clone(batch), OnceLock::new()));
        rush.records += batch.len();
        rush.bytes += batch.size();
        rush.came += batch.len() as u64;
        rush.faults.0 += batch.faults().0;
        rush.faults.1 += batch.faults().1;
        // What would be let go if they were lines.
        while let Some((oldest, _)) = self.rush.batches.front()
            && (self.rush.records - oldest.len() >= self.room || self.rush.bytes - oldest.size() >= MAX_BYTES)
            && let Some((oldest, _)) = self.rush.batches.pop_front()
        {
            let rush = &mut self.rush;
            rush.records -= oldest.len();
            rush.bytes -= oldest.size();
            rush.faults.0 -= oldest.faults().0;
            rush.faults.1 -= oldest.faults().1;
            self.dropped += oldest.len() as u64;
            // Where the next ones stand is told from these as well.
            let first = oldest.times().next().and_then(|(near, _)| near);
            for near in [first, oldest.ends()] {
                self.places.place(oldest.file(), near);
            }
            self.tally_file(oldest.file(), oldest.len(), false);
        }
        while !self.lines.is_empty() && self.lines.len() + self.rush.records > self.room {
            self.dropped += 1;
            self.forget_oldest();
        }
    }

    /// A frame has room for so many lines.
    pub(super) fn rush_drawn(&mut self, height: usize) {
        let drawn = self.rush.tail.len();
        if height > drawn && self.rush.records > drawn {
            self.settle();
        }
    }

    fn tally_file(&mut self, file: &SafeText, by: usize, comes: bool) {
        let n = self.files.entry(file.clone()).or_default();
        *n = if comes { *n + by } else { n.saturating_sub(by) };
        if *n == 0 {
            self.files.remove(file);
        }
    }

    /// How many records are no lines yet, and how many of them are shown.
    pub(super) fn waiting(&self) -> (usize, usize) {
        let hidden: usize = match self.polls {
            true => 0,
            false => self.rush.batches.iter().map(|(batch, n)| *n.get_or_init(|| polls(batch))).sum(),
        };
        (self.rush.records.min(self.room), (self.rush.records - hidden).min(self.room))
    }

    /// How many of them are errors, and warnings.
    pub(super) fn waiting_faults(&self) -> (usize, usize) {
        self.rush.faults
    }

    /// Their times and levels.
    pub(super) fn waiting_times(&self) -> impl Iterator<Item = (Wall, Level)> {
        self.rush
            .batches
            .iter()
            .flat_map(|(batch, _)| batch.times())
            .filter_map(|(at, level)| Some((at?, level)))
    }

    /// How many came that are no lines yet, or were let go before they were.
    pub(super) fn rushed(&self) -> u64 {
        self.rush.came
    }

    /// The newest lines as they are drawn while records wait; none do where there are none.
    pub(super) fn tail(&self) -> &[(LineKey, Arc<LogLine>)] {
        &self.rush.tail
    }
}

/// The newest lines of some batches that are shown, as many as fit, oldest first. None: they are not to be found soon.
fn tail<'a>(
    batches: impl DoubleEndedIterator<Item = &'a Arc<Batch>>,
    height: usize,
    polls: bool,
) -> Option<Vec<Arc<LogLine>>> {
    let (mut lines, mut tried) = (VecDeque::new(), 0);
    for batch in batches.rev() {
        let mut after = 0;
        while lines.len() < height && after < batch.len() {
            if tried >= TRIED {
                return None;
            }
            let most = (height - lines.len()).min(batch.len() - after);
            for record in batch.newest(most, after).into_iter().rev() {
                let made: Vec<LogLine> = LogLine::of(record).collect();
                let shown = |line: &LogLine| polls || !is_poll(line.level, line.text.as_str());
                made.into_iter().rev().filter(shown).for_each(|line| lines.push_front(Arc::new(line)));
            }
            after += most;
            tried += most;
        }
    }
    Some(lines.into())
}
