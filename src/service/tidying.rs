//! When this machine is tidied (`[retention]`): what it keeps on its own disk once an hour, and soon after something has
//! ended that leaves something behind; its old results on the share once a day. One job at a time, beside the loop.

use super::worker::Carrier;
use crate::clock::{Monotonic, Wall};
use crate::executor::engine::Executor;
use crate::executor::share::job::{ShareNews, TIDY_DEADLINE};
use crate::text::SafeText;
use std::time::Duration;

/// What is old is looked for this often.
const EVERY: Duration = Duration::from_secs(3600);
/// From one time to the next, however much ends.
const PAUSE: Duration = Duration::from_secs(10);
/// Each machine asks its share for all its results; there are many machines.
const RESULTS_EVERY: Duration = Duration::from_secs(24 * 3600);

/// What is on its way and what is next.
#[derive(Default)]
pub struct Tidying {
    /// None: a job is under way, or the first look has yet to say what is needed.
    due: Option<Monotonic>,
    ended: Monotonic,
    results_due: Monotonic,
    removes: bool,
}

impl Tidying {
    /// A look has ended: what is needed is known.
    pub fn looked(&mut self, first: bool, mono: Monotonic) {
        if first {
            (self.due, self.results_due) = (Some(mono), mono);
        }
    }

    /// Something has been left behind.
    pub fn soon(&mut self, mono: Monotonic) {
        self.due = self.due.map(|due| due.min(Monotonic(mono.0.max(self.ended.0 + PAUSE))));
    }

    /// How long until something is to be done; None: until something has ended.
    pub fn due_in(&self, mono: Monotonic) -> Option<Duration> {
        self.due.map(|due| due.since(mono))
    }

    /// Hands out what is due: `here` what concerns this machine's own disk, `there` what concerns the place of its results,
    /// which may hang.
    pub fn step(
        &mut self,
        executor: &Executor,
        [here, there]: [&dyn Carrier; 2],
        now: Wall,
        mono: Monotonic,
    ) {
        if self.due.is_none_or(|due| mono < due) {
            return;
        }
        let given = here.give(executor.tidy_job(now), TIDY_DEADLINE);
        self.due = (!given).then_some(Monotonic(mono.0 + EVERY));
        if !self.removes
            && mono >= self.results_due
            && let Some(job) = executor.old_results_job(now)
        {
            self.removes = there.give(job, TIDY_DEADLINE);
        }
    }

    /// What was found and removed on this machine. What is put away now is removed next.
    pub fn hear(
        &mut self,
        executor: &mut Executor,
        news: Result<ShareNews, SafeText>,
        now: Wall,
        mono: Monotonic,
    ) {
        let more = match news {
            Ok(ShareNews::Tidied(tidied)) => executor.take_tidied(&tidied, now),
            Ok(_) => false,
            Err(why) => {
                tracing::info!(%why, "retention: not carried out");
                false
            }
        };
        self.ended = mono;
        self.due = Some(Monotonic(mono.0 + if more { PAUSE } else { EVERY }));
    }

    /// Old results on the share are gone, or not.
    pub fn hear_results(
        &mut self,
        executor: &mut Executor,
        news: Result<ShareNews, SafeText>,
        now: Wall,
        mono: Monotonic,
    ) {
        self.removes = false;
        self.results_due = Monotonic(mono.0 + RESULTS_EVERY);
        match news {
            Ok(ShareNews::ResultsRemoved(Ok(0))) => {}
            Ok(ShareNews::ResultsRemoved(Ok(count))) => {
                let line = format!("Removed by [retention]: {count} results of this machine on the share.");
                executor.journal().info(now, &line);
            }
            Ok(ShareNews::ResultsRemoved(Err(why))) | Err(why) => {
                let line =
                    format!("Not every old result of this machine could be removed from the share: {why}");
                executor.journal().warning(now, &line);
            }
            Ok(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Monotonic {
        Monotonic(Duration::from_secs(seconds))
    }

    #[test]
    fn however_much_ends_there_is_a_pause_and_nothing_before_the_first_look() {
        let mut tidying = Tidying::default();
        tidying.soon(at(100));
        assert_eq!(tidying.due_in(at(100)), None);
        tidying.looked(true, at(100));
        assert_eq!(tidying.due_in(at(100)), Some(Duration::ZERO));
        (tidying.due, tidying.ended) = (Some(at(100 + 3600)), at(100));
        for second in 101..105 {
            tidying.soon(at(second));
        }
        assert_eq!(tidying.due_in(at(104)), Some(Duration::from_secs(6)));
        tidying.looked(false, at(104));
        tidying.soon(at(1000));
        assert_eq!(tidying.due_in(at(104)), Some(Duration::from_secs(6)), "it is due already");
    }
}
