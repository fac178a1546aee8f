//! How many records of the file pass the filters: counted while nothing else is to be done, as far as the index has come.

use super::open::Open;
use super::{Done, Ended, Questions};
use crate::console::app::logpane::is_poll;
use crate::console::app::whole::Only;
use crate::log::Zoned;
use crate::log::search::Filter;
use crate::log::spans::Spans;
use crate::log::view::View;

/// So much is counted before the next question is looked for, about.
const SLICE: u64 = 16 << 20;

/// What is counted.
pub struct Count {
    /// Which records.
    pub only: Only,
    filter: Filter,
    /// Up to here they are counted for good.
    at: u64,
    passing: u64,
    /// With what may still grow, all were counted when the index had come so far.
    until: Option<u64>,
}

impl Count {
    /// Of nothing yet.
    pub fn new(only: Only, filter: Filter) -> Count {
        Count { only, filter, at: 0, passing: 0, until: None }
    }

    /// Whether there is more to be counted.
    pub fn is_behind(&self, open: &Open) -> bool {
        self.until != Some(open.index.read())
    }

    /// Counts a part more: how many pass so far, and how many hundredths that is of the file; `None`: all of it.
    pub fn go_on(
        &mut self,
        open: &Open,
        zone: &Zoned,
        buffer: &mut Spans,
        questions: &mut Questions,
    ) -> Done<(u64, Option<u64>)> {
        let (read, blocks) = (open.index.read(), open.index.blocks());
        // The records of the last block may not be whole.
        let last = blocks.last().map_or(0, |block| block.at).max(self.at);
        let far = self.at.saturating_add(SLICE);
        let until = blocks.get(blocks.partition_point(|block| block.at < far)).map_or(last, |block| block.at);
        let (from, until) = (self.at, if self.at < last { until } else { read });
        let view = View::new(&open.source, &open.index, &open.name, zone)?;
        let (filter, polls, mut n) = (&self.filter, self.only.polls, 0);
        let mut go = |_: u64| !questions.is_newer();
        let whole = view.each_from(buffer, from..until, filter, &mut go, |item| {
            let counts = polls || !is_poll(item.record.level, item.record.first_line().as_str());
            n += u64::from(counts);
            true
        })?;
        if !whole {
            return Err(Ended::Newer);
        }
        if from < last {
            self.at = until;
            self.passing += n;
            return Ok((self.passing, Some(until.saturating_mul(100) / read.max(1))));
        }
        self.until = Some(read);
        Ok((self.passing + n, None))
    }
}
