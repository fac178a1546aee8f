//! Maintenance windows (FORMATS.md 9, `[windows] weekly`): when automatic runs may start. Windows are written in local
//! time, merged where they touch, and looked at as instants, so that a clock change lengthens or shortens them as it
//! does the night. Pure; called by the window gate and by whatever validates a configuration.

use crate::clock::{Wall, Zone, between, later};
use chrono::{Datelike, NaiveDateTime, SubsecRound as _, TimeDelta};
use std::cell::OnceCell;
use std::time::Duration;

const DAY: u32 = 24 * 60;
const WEEK: u32 = 7 * DAY;

/// Every clock change of a year is seen within this many weeks.
const HORIZON_WEEKS: i64 = 57;

/// Requests are mandatory and expire within this many weeks, most of them.
const WIDE: i64 = 56;

/// One weekly window, in minutes from Monday 00:00 local time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weekly {
    /// Below a week.
    pub start: u32,
    /// How long it is by the clock on the wall; at least a minute.
    pub minutes: u32,
}

/// Reads one window, e.g. `Sat 22:00-06:00` (into Sunday) or `Sun 00:00-24:00`.
///
/// # Errors
/// What is wrong with it, in words that go on from "cannot be read: ".
pub fn parse(text: &str) -> Result<Weekly, String> {
    let text = text.trim();
    let (day, times) =
        text.split_once(char::is_whitespace).ok_or("wanted a day and times like Sat 22:00-06:00")?;
    let day = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
        .iter()
        .position(|d| d.eq_ignore_ascii_case(day))
        .ok_or("the day is not one of Mon, Tue, Wed, Thu, Fri, Sat, Sun")?;
    let (start, end) = times.split_once('-').ok_or("wanted two times like 22:00-06:00")?;
    let start = minute_of_day(start.trim()).filter(|m| *m < DAY);
    let start = start.ok_or("the first time is not between 00:00 and 23:59")?;
    let end = minute_of_day(end.trim()).ok_or("the second time is not between 00:00 and 24:00")?;
    if start == end {
        return Err("it starts and ends at the same time; a whole day is 00:00-24:00".to_owned());
    }
    let minutes = if end > start { end - start } else { end + DAY - start };
    let day = u32::try_from(day).unwrap_or(0);
    Ok(Weekly { start: day * DAY + start, minutes })
}

/// `HH:MM` up to and with `24:00`.
fn minute_of_day(text: &str) -> Option<u32> {
    let (hours, minutes) = text.split_once(':')?;
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if !matches!(hours.len(), 1 | 2) || minutes.len() != 2 || !digits(hours) || !digits(minutes) {
        return None;
    }
    let (hours, minutes): (u32, u32) = (hours.parse().ok()?, minutes.parse().ok()?);
    let all = hours * 60 + minutes;
    (minutes < 60 && all <= DAY).then_some(all)
}

/// What the windows say of one instant, for a run that may take a certain time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// There are no windows, or they leave nothing out.
    Always,
    /// Open, and long enough.
    Open {
        /// When it closes.
        until: Wall,
    },
    /// Open, but it closes too soon.
    TooShort {
        /// When it closes.
        until: Wall,
        /// The start of the next one that is long enough.
        next: Wall,
    },
    /// Closed.
    Closed {
        /// The start of the next one that is long enough.
        next: Wall,
    },
    /// Not open for long enough, now or at any time to come.
    NeverFits {
        /// The longest there is, by the clock on the wall.
        longest: Duration,
    },
}

/// The weekly windows of one configuration in their zone.
#[derive(Debug, Clone)]
pub struct Calendar<'a> {
    zone: &'a Zone,
    /// Merged and sorted; none touches another, also not around the end of the week. Empty: always open.
    weekly: Vec<Weekly>,
    /// The windows of the weeks around the time it was made for, as instants.
    near: Vec<(Wall, Wall)>,
    /// Which times `near` answers for.
    near_range: (Wall, Wall),
    /// The same for about a year around that time, made where somebody asks for it.
    wide: OnceCell<Vec<(Wall, Wall)>>,
    around: Wall,
    /// What has to be open at the same time.
    others: Vec<Calendar<'a>>,
}

impl<'a> Calendar<'a> {
    /// Reads all windows. `around` is where most questions will be.
    ///
    /// # Errors
    /// The first window that cannot be read, as a sentence without a full stop.
    pub fn new(weekly: &[String], zone: &'a Zone, around: Wall) -> Result<Calendar<'a>, String> {
        let mut windows = Vec::with_capacity(weekly.len());
        for text in weekly {
            let window =
                parse(text).map_err(|e| format!("the maintenance window {text:?} cannot be read: {e}"))?;
            windows.push(window);
        }
        let mut calendar = Calendar {
            zone,
            weekly: merge(windows),
            near: Vec::new(),
            near_range: (around, around),
            wide: OnceCell::new(),
            around,
            others: Vec::new(),
        };
        if !calendar.weekly.is_empty() {
            calendar.near = calendar.weeks(around, -2, 6);
            let a_month = TimeDelta::weeks(4);
            calendar.near_range = (around, around.checked_add_signed(a_month).unwrap_or(around));
        }
        Ok(calendar)
    }

    /// With others that have to be open at the same time.
    pub fn and(mut self, others: Vec<Calendar<'a>>) -> Self {
        self.others.extend(others.into_iter().filter(|other| !other.weekly.is_empty()));
        self
    }

    /// What the windows say of the instant `t` for a run of at most `need`.
    pub fn at(&self, t: Wall, need: Duration) -> Opening {
        if self.others.is_empty() {
            return self.alone(t, need);
        }
        match self.all_open(t) {
            Ok(until) if later(t.trunc_subsecs(0), need) <= until => Opening::Open { until },
            Ok(until) => match self.first_fit(until, need) {
                Ok(next) => Opening::TooShort { until, next },
                Err(longest) => Opening::NeverFits { longest },
            },
            Err(next) => match self.first_fit(next, need) {
                Ok(next) => Opening::Closed { next },
                Err(longest) => Opening::NeverFits { longest },
            },
        }
    }

    /// Until when all of them are open; else when the last of those opens that are closed.
    fn all_open(&self, t: Wall) -> Result<Wall, Wall> {
        let (mut until, mut next) = (Wall::MAX_UTC, None);
        for calendar in std::iter::once(self).chain(&self.others) {
            match calendar.alone(t, Duration::ZERO) {
                Opening::Always => {}
                Opening::Open { until: end } => until = until.min(end),
                Opening::Closed { next: opens } | Opening::TooShort { next: opens, .. } => {
                    next = next.max(Some(opens));
                }
                Opening::NeverFits { .. } => return Err(Wall::MAX_UTC),
            }
        }
        next.map_or(Ok(until), Err)
    }

    /// The first instant from `from` on at which all of them are open for long enough; else the longest that they are open
    /// together.
    fn first_fit(&self, from: Wall, need: Duration) -> Result<Wall, Duration> {
        let (mut t, mut longest) = (from, Duration::ZERO);
        let end = from.checked_add_signed(TimeDelta::weeks(HORIZON_WEEKS)).unwrap_or(from);
        while t < end {
            t = match self.all_open(t) {
                Ok(until) => {
                    let room = between(t, until);
                    if room >= need {
                        return Ok(t);
                    }
                    longest = longest.max(room);
                    until
                }
                Err(next) => next,
            };
        }
        Err(longest)
    }

    /// The same without the others.
    fn alone(&self, t: Wall, need: Duration) -> Opening {
        if self.weekly.is_empty() {
            return Opening::Always;
        }
        let fresh;
        let spans = if self.near_range.0 <= t && t < self.near_range.1 {
            &self.near
        } else if t.signed_duration_since(self.around).num_weeks().abs() < WIDE {
            self.wide.get_or_init(|| self.weeks(self.around, -WIDE - 2, WIDE + 6))
        } else {
            fresh = self.weeks(t, -2, 6);
            &fresh
        };
        let first = spans.partition_point(|(_, end)| *end <= t);
        let ahead = spans.get(first..).unwrap_or_default();
        let fits = |from: Wall, end: Wall| later(from, need) <= end;
        let open = ahead.first().filter(|(start, _)| *start <= t).map(|(_, end)| *end);
        // To the second: whoever wakes at the opening looks a moment after it, and what is exactly as long still fits.
        if let Some(until) = open.filter(|end| fits(t.trunc_subsecs(0), *end)) {
            return Opening::Open { until };
        }
        let next =
            |spans: &[(Wall, Wall)]| spans.iter().find(|(s, e)| *s > t && fits(*s, *e)).map(|(s, _)| *s);
        match (
            next(ahead).or_else(|| self.rare(need).and_then(|()| next(&self.weeks(t, 0, HORIZON_WEEKS)))),
            open,
        ) {
            (Some(next), Some(until)) => Opening::TooShort { until, next },
            (Some(next), None) => Opening::Closed { next },
            (None, _) => Opening::NeverFits { longest: self.longest() },
        }
    }

    /// Whether a run that fits into no ordinary week may fit into one with a clock change; those are of two hours at
    /// most.
    fn rare(&self, need: Duration) -> Option<()> {
        (need <= self.longest() + Duration::from_secs(3 * 3600)).then_some(())
    }

    fn longest(&self) -> Duration {
        let minutes = self.weekly.iter().map(|w| w.minutes).max().unwrap_or(0);
        Duration::from_secs(u64::from(minutes) * 60)
    }

    /// The windows of some weeks counted from that of `t`, as instants. Local times never run backwards as instants, so
    /// they are sorted; a clock change that skips what lies between two of them makes them one.
    fn weeks(&self, t: Wall, from: i64, until: i64) -> Vec<(Wall, Wall)> {
        let local = self.zone.to_local(t);
        let since_monday = TimeDelta::days(local.weekday().num_days_from_monday().into());
        let Some(monday) = local.date().checked_sub_signed(since_monday) else { return Vec::new() };
        let monday = monday.and_time(chrono::NaiveTime::MIN);
        let mut spans: Vec<(Wall, Wall)> = Vec::new();
        for week in from..until {
            for window in &self.weekly {
                let Some(start) = minutes_after(monday, week * i64::from(WEEK) + i64::from(window.start))
                else {
                    continue;
                };
                let Some(end) = minutes_after(start, window.minutes.into()) else { continue };
                let (start, end) = (self.zone.resolve(start).0, self.zone.resolve(end).0);
                match spans.last_mut() {
                    Some(last) if start <= last.1 => last.1 = last.1.max(end),
                    // A clock change can skip all of a window.
                    _ if start < end => spans.push((start, end)),
                    _ => {}
                }
            }
        }
        spans
    }
}

fn minutes_after(time: NaiveDateTime, minutes: i64) -> Option<NaiveDateTime> {
    time.checked_add_signed(TimeDelta::minutes(minutes))
}

/// Merges what overlaps or touches, also across the end of the week. Everything: nothing is left.
fn merge(mut windows: Vec<Weekly>) -> Vec<Weekly> {
    windows.sort_by_key(|w| w.start);
    let mut merged: Vec<Weekly> = Vec::with_capacity(windows.len());
    for window in windows {
        match merged.last_mut() {
            Some(last) if window.start <= last.start + last.minutes => {
                last.minutes = last.minutes.max(window.start + window.minutes - last.start);
            }
            _ => merged.push(window),
        }
    }
    // The last one may reach into the next week and there take in the first ones.
    while merged.len() > 1 {
        let (first, last) = (merged[0], merged[merged.len() - 1]);
        if first.start + WEEK > last.start + last.minutes {
            break;
        }
        let end = (first.start + WEEK + first.minutes).max(last.start + last.minutes);
        merged.remove(0);
        if let Some(last) = merged.last_mut() {
            last.minutes = end - last.start;
        }
    }
    if merged.iter().any(|w| w.minutes >= WEEK) { Vec::new() } else { merged }
}
