//! The offsets of a zone as a table: between two clock changes nothing has to be worked out again. Made once for each
//! `Zone`; a decision over a thousand requests asks it several thousand times.

use chrono::{Datelike, Days, NaiveDate, NaiveTime, TimeDelta, Weekday};
use std::sync::Arc;
use tz::timezone::{AlternateTime, RuleDay, TransitionRule};

/// Rules that go on for ever are followed up to here; what lies beyond is worked out each time.
const LAST_YEAR: i32 = 2100;
/// Before the first clock change that the zone's data names, and no sooner than this.
const FIRST_YEAR: i32 = 1970;

/// From one clock change to the next, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spans {
    /// The Unix time at which each begins, and what is added to UTC from then on. The last one only ends the one before.
    all: Arc<[(i64, i32)]>,
}

/// A time in which the offset stays the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    /// Included.
    pub from: i64,
    /// Not included.
    pub until: i64,
    /// Seconds east of UTC.
    pub offset: i32,
}

impl Spans {
    /// `offset_at`: the zone's own word, asked once at the beginning of each span.
    pub fn new(rules: &tz::TimeZone, offset_at: impl Fn(i64) -> i32) -> Spans {
        let mut all: Vec<(i64, i32)> = Vec::new();
        // With leap seconds the data's times are no Unix times: there is no table then.
        for from in changes(rules).filter(|_| rules.as_ref().leap_seconds().is_empty()) {
            let offset = offset_at(from);
            if all.last().is_none_or(|(_, last)| *last != offset) {
                all.push((from, offset));
            }
        }
        if let Some((_, offset)) = all.last() {
            all.push((beginning_of(LAST_YEAR), *offset));
        }
        Spans { all: all.into() }
    }

    /// When each span begins.
    #[cfg(test)]
    pub fn changes(&self) -> Vec<i64> {
        self.all.iter().map(|(from, _)| *from).collect()
    }

    /// The span of an instant; None: the table does not say.
    pub fn at(&self, seconds: i64) -> Option<Span> {
        let next = self.all.partition_point(|(from, _)| *from <= seconds);
        let (from, offset) = *self.all.get(next.checked_sub(1)?)?;
        let (until, _) = *self.all.get(next)?;
        Some(Span { from, until, offset })
    }
}

/// Every instant at which the offset may change, up to [`LAST_YEAR`], in order.
fn changes(rules: &tz::TimeZone) -> impl Iterator<Item = i64> {
    let zone = rules.as_ref();
    let mut changes: Vec<i64> = zone.transitions().iter().map(|t| t.unix_leap_time()).collect();
    match zone.extra_rule() {
        Some(TransitionRule::Alternate(rule)) => {
            // A rule may reach over the end of its year.
            for year in FIRST_YEAR - 1..=LAST_YEAR {
                changes.extend(of_year(rule, year));
            }
        }
        Some(TransitionRule::Fixed(_)) | None => {}
    }
    changes.push(beginning_of(FIRST_YEAR));
    changes.sort_unstable();
    changes.dedup();
    let end = beginning_of(LAST_YEAR);
    changes.into_iter().filter(move |at| *at < end)
}

/// The two clock changes of a year.
fn of_year(rule: &AlternateTime, year: i32) -> impl Iterator<Item = i64> {
    let instant = |day: &RuleDay, time: i32, offset: i32| {
        let midnight = day_of(day, year)?.and_time(NaiveTime::MIN);
        let local = midnight.checked_add_signed(TimeDelta::seconds(time.into()))?;
        Some(local.and_utc().timestamp() - i64::from(offset))
    };
    let start = instant(rule.dst_start(), rule.dst_start_time(), rule.std().ut_offset());
    let end = instant(rule.dst_end(), rule.dst_end_time(), rule.dst().ut_offset());
    [start, end].into_iter().flatten()
}

/// The day that a rule of POSIX means in a year.
fn day_of(rule: &RuleDay, year: i32) -> Option<NaiveDate> {
    match rule {
        // Counted as if no year were a leap year.
        RuleDay::Julian1WithoutLeap(day) => NaiveDate::from_yo_opt(2001, day.get().into())?.with_year(year),
        RuleDay::Julian0WithLeap(day) => {
            NaiveDate::from_ymd_opt(year, 1, 1)?.checked_add_days(Days::new(day.get().into()))
        }
        RuleDay::MonthWeekDay(day) => {
            let weekday = Weekday::try_from((day.week_day() + 6) % 7).ok()?;
            let nth = |n| NaiveDate::from_weekday_of_month_opt(year, day.month().into(), weekday, n);
            // The fifth one is the last one.
            nth(day.week()).or_else(|| nth(4))
        }
    }
}

fn beginning_of(year: i32) -> i64 {
    NaiveDate::from_ymd_opt(year, 1, 1).map_or(0, |day| day.and_time(NaiveTime::MIN).and_utc().timestamp())
}
