//! Times as logs write them: local, in eight shapes, with or without an offset that may be wrong.

use super::scan::Scan;
use crate::clock::Wall;
use chrono::{NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};

/// The time of a record before a zone is applied to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stamp {
    /// The local time, if it is one.
    pub local: Option<NaiveDateTime>,
    /// Minutes to add to local time to get UTC (west positive), if written as a plain number.
    pub bias: Option<i32>,
    /// The bias was written with two signs, as `+-240`: what its writer meant is not known.
    pub odd_sign: bool,
    /// The bias is written as ISO 8601 has it, whose sign nobody turns round.
    pub iso: bool,
}

impl Stamp {
    /// The instant, and whether the record's own offset made it. An offset is believed when it is one that exists on
    /// Earth and nothing speaks for its writer having turned the sign round, which is assumed where this machine's own
    /// zone has exactly the opposite offset at that time.
    pub fn resolve(&self, zone: &dyn Fn(NaiveDateTime) -> Option<Wall>) -> (Option<Wall>, bool) {
        let Some(local) = self.local else { return (None, false) };
        let here = zone(local);
        let Some(bias) = self.bias.filter(|b| (-14 * 60..=12 * 60).contains(b) && b % 15 == 0) else {
            return (here, false);
        };
        let Some(by_bias) = local.checked_add_signed(TimeDelta::minutes(bias.into())) else {
            return (here, false);
        };
        let by_bias = by_bias.and_utc();
        let bias_here = here.map(|at| at.signed_duration_since(local.and_utc()).num_minutes());
        let agrees = bias_here == Some(bias.into());
        let turned_round = !self.iso && bias != 0 && bias_here == Some((-bias).into());
        if turned_round || (self.odd_sign && !agrees) {
            (here.or(Some(by_bias)), false)
        } else {
            (Some(by_bias), true)
        }
    }

    /// Format A: `04/09/97 17:11:08`.
    pub fn classic(text: &str) -> Option<Stamp> {
        let full = text.as_bytes().first_chunk().filter(|full| full.len() == text.len());
        full.and_then(Stamp::classic_of_full_width).or_else(|| Stamp::classic_of_any_width(text))
    }

    /// The same as nearly all are written. None: that may still be one.
    pub fn classic_of_full_width(text: &[u8; 17]) -> Option<Stamp> {
        let [month1, month2, b'/', day1, day2, b'/', y1, y2, b' ', h1, h2, b':', m1, m2, b':', s1, s2] = text
        else {
            return None;
        };
        let [month, day, year] = pairs([[*month1, *month2], [*day1, *day2], [*y1, *y2]])?;
        let [h, m, s] = pairs([[*h1, *h2], [*m1, *m2], [*s1, *s2]])?;
        let date = NaiveDate::from_ymd_opt(of_century(year), month, day)?;
        Some(Stamp::of(date.and_time(time_of_day(h, m, s, 0)?)))
    }

    fn classic_of_any_width(text: &str) -> Option<Stamp> {
        let mut scan = Scan(text);
        let date = us_date(&mut scan, "/")?;
        scan.lit(" ")?;
        scan.blanks();
        let time = clock(&mut scan)?;
        scan.end()?;
        Some(Stamp::of(date.and_time(time)))
    }

    /// Formats B and C: `Tue Nov 10 17:56:25 1998`, with a fraction and the name of a zone.
    pub fn asctime(text: &str) -> Option<Stamp> {
        let mut scan = Scan(text);
        let weekday = scan.letters();
        if weekday.len() != 3 {
            return None;
        }
        scan.blanks();
        let month = month(scan.letters())?;
        scan.blanks();
        let day = scan.number(1, 2)?;
        scan.lit(" ")?;
        scan.blanks();
        let time = clock(&mut scan)?;
        scan.lit(" ")?;
        scan.blanks();
        let year = i32::try_from(scan.number(4, 4)?).ok()?;
        if !scan.0.is_empty() {
            scan.lit(" ")?;
        }
        Some(Stamp::of(NaiveDate::from_ymd_opt(year, month, day)?.and_time(time)))
    }

    /// Format D: `05-24-2013 03:56:30.447+240`.
    pub fn server(text: &str) -> Option<Stamp> {
        let mut scan = Scan(text);
        let date = us_date(&mut scan, "-")?;
        scan.lit(" ")?;
        scan.blanks();
        let time = clock(&mut scan)?;
        let (bias, odd_sign) = bias(scan.0)?;
        Some(Stamp { bias, odd_sign, ..Stamp::of(date.and_time(time)) })
    }

    /// Format E: `date="10-14-2013"`, `time="09:30:55.935+300"`.
    pub fn cmtrace(date: &str, time: &str) -> Stamp {
        if let Some(stamp) = Stamp::cmtrace_of_full_width(date.as_bytes(), time.as_bytes()) {
            return stamp;
        }
        Stamp::cmtrace_of_any_width(date, time)
    }

    /// The same as nearly all are written. None: that may still be one.
    fn cmtrace_of_full_width(date: &[u8], time: &[u8]) -> Option<Stamp> {
        let [month1, month2, b'-', day1, day2, b'-', c1, c2, y1, y2] = date else { return None };
        let [h1, h2, b':', m1, m2, b':', s1, s2, b'.', f1, f2, f3, sign @ (b'+' | b'-'), b1, b2, b3] = time
        else {
            return None;
        };
        let [month, day] = pairs([[*month1, *month2], [*day1, *day2]])?;
        let [century, year] = pairs([[*c1, *c2], [*y1, *y2]])?;
        let [h, m, s] = pairs([[*h1, *h2], [*m1, *m2], [*s1, *s2]])?;
        let [f12, f3, b12, b3] = pairs([[*f1, *f2], [b'0', *f3], [*b1, *b2], [b'0', *b3]])?;
        let date = NaiveDate::from_ymd_opt(i32::try_from(century * 100 + year).ok()?, month, day)?;
        let time = time_of_day(h, m, s, (f12 * 10 + f3) * 1_000_000)?;
        let bias = i32::try_from(b12 * 10 + b3).ok()?;
        let bias = if *sign == b'-' { -bias } else { bias };
        Some(Stamp { bias: Some(bias), ..Stamp::of(date.and_time(time)) })
    }

    fn cmtrace_of_any_width(date: &str, time: &str) -> Stamp {
        let read = || {
            let mut scan = Scan(date.trim());
            let date = us_date(&mut scan, "-")?;
            scan.end()?;
            let mut scan = Scan(time.trim());
            let time = clock(&mut scan)?;
            Some((date.and_time(time), bias(scan.0)))
        };
        match read() {
            Some((local, bias)) => {
                let (bias, odd_sign) = bias.unwrap_or_default();
                Stamp { local: Some(local), bias, odd_sign, iso: false }
            }
            None => Stamp::default(),
        }
    }

    /// Format F: `1/12/99 4:49:44 PM`, or a clock of 24 hours.
    pub fn export(text: &str) -> Option<Stamp> {
        let mut scan = Scan(text.trim());
        let date = us_date(&mut scan, "/")?;
        scan.lit(" ")?;
        scan.blanks();
        let mut time = clock(&mut scan)?;
        scan.blanks();
        let half = scan.letters().to_ascii_uppercase();
        scan.end()?;
        use chrono::Timelike;
        match half.as_str() {
            "" => {}
            "AM" | "PM" if (1..=12).contains(&time.hour()) => {
                let hour = time.hour() % 12 + if half == "PM" { 12 } else { 0 };
                time = time.with_hour(hour)?;
            }
            _ => return None,
        }
        Some(Stamp::of(date.and_time(time)))
    }

    /// ISO 8601 at the beginning of a text, and how many bytes of it that is.
    pub fn iso(text: &str) -> Option<(Stamp, usize)> {
        let mut scan = Scan(text);
        let year = i32::try_from(scan.number(4, 4)?).ok()?;
        scan.lit("-")?;
        let month = scan.number(2, 2)?;
        scan.lit("-")?;
        let day = scan.number(2, 2)?;
        scan.lit("T").or_else(|| scan.lit(" "))?;
        let time = clock(&mut scan)?;
        let local = NaiveDate::from_ymd_opt(year, month, day)?.and_time(time);
        let bias = iso_offset(&mut scan)?;
        // A word that goes on is none that ends here.
        if scan.0.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            return None;
        }
        Some((Stamp { bias, iso: true, ..Stamp::of(local) }, text.len() - scan.0.len()))
    }

    fn of(local: NaiveDateTime) -> Stamp {
        Stamp { local: Some(local), ..Stamp::default() }
    }
}

/// Month, day, year in two or four digits: 70 to 99 are of the last century.
fn us_date(scan: &mut Scan, between: &str) -> Option<NaiveDate> {
    let month = scan.number(1, 2)?;
    scan.lit(between)?;
    let day = scan.number(1, 2)?;
    scan.lit(between)?;
    let digits = scan.digits(2, 4)?;
    let year: i32 = digits.parse().ok()?;
    let year = match digits.len() {
        2 => of_century(year.unsigned_abs()),
        4 => year,
        _ => return None,
    };
    NaiveDate::from_ymd_opt(year, month, day)
}

/// `17:11:08` or `03:56:30.447`, with any fraction up to nine digits.
fn clock(scan: &mut Scan) -> Option<NaiveTime> {
    let hour = scan.number(1, 2)?;
    scan.lit(":")?;
    let minute = scan.number(1, 2)?;
    scan.lit(":")?;
    let second = scan.number(1, 2)?;
    let mut nanos = 0;
    // A comma is what ISO 8601 prefers; it may as well end the sentence.
    let comma = scan.0.starts_with(',') && scan.0.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
    if scan.lit(".").is_some() || comma && scan.lit(",").is_some() {
        let digits = scan.digits(1, 9)?;
        nanos = digits
            .bytes()
            .chain(std::iter::repeat(b'0'))
            .take(9)
            .fold(0, |n, b| n * 10 + u32::from(b - b'0'));
    }
    time_of_day(hour, minute, second, nanos)
}

fn time_of_day(hour: u32, minute: u32, second: u32, nanos: u32) -> Option<NaiveTime> {
    // The leap second is shown as the one before it.
    let second = second.min(59).max(if second > 60 { second } else { 0 });
    NaiveTime::from_hms_nano_opt(hour, minute, second, nanos)
}

/// A year of two digits.
fn of_century(year: u32) -> i32 {
    let century = if year >= 70 { 1900 } else { 2000 };
    i32::try_from(year).map_or(0, |year| century + year)
}

/// Numbers of two digits each.
fn pairs<const N: usize>(of: [[u8; 2]; N]) -> Option<[u32; N]> {
    let digits = of.iter().flatten().all(u8::is_ascii_digit);
    digits.then(|| of.map(|[tens, ones]| u32::from(tens - b'0') * 10 + u32::from(ones - b'0')))
}

/// `Z`, `+01:00`, `-0330`, `+01`, or nothing, as minutes west. The outer `None`: something that looks like one and is none.
#[allow(clippy::option_option)]
fn iso_offset(scan: &mut Scan) -> Option<Option<i32>> {
    if scan.lit("Z").is_some() {
        return Some(Some(0));
    }
    let sign = match scan.0.as_bytes().first() {
        Some(b'+') => -1,
        Some(b'-') => 1,
        _ => return Some(None),
    };
    scan.0 = &scan.0[1..];
    let hours = i32::try_from(scan.number(2, 2)?).ok()?;
    let _ = scan.lit(":");
    let minutes = scan.number(2, 2).map_or(Some(0), |m| i32::try_from(m).ok())?;
    Some(Some(sign * (hours * 60 + minutes)))
}

fn month(word: &str) -> Option<u32> {
    const MONTHS: [&str; 12] =
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let word = word.to_ascii_lowercase();
    MONTHS.iter().position(|m| *m == word).and_then(|at| u32::try_from(at + 1).ok())
}

/// What follows the clock: nothing, blanks, `+300`, `-60`, `+-240`. The outer `None`: something else follows.
#[allow(clippy::type_complexity)]
fn bias(text: &str) -> Option<(Option<i32>, bool)> {
    let text = text.trim();
    let (negative, rest) = match text.as_bytes().first() {
        None => return Some((None, false)),
        Some(b'+') => (false, &text[1..]),
        Some(b'-') => (true, &text[1..]),
        Some(_) => return None,
    };
    if rest.trim().is_empty() {
        return Some((None, false));
    }
    let (odd, inner, digits) = match rest.as_bytes().first() {
        Some(b'+') => (true, false, &rest[1..]),
        Some(b'-') => (true, true, &rest[1..]),
        _ => (false, false, rest),
    };
    let mut scan = Scan(digits);
    let minutes = i32::try_from(scan.number(1, 4)?).ok()?;
    scan.end()?;
    let minutes = if negative != inner { -minutes } else { minutes };
    Some((Some(minutes), odd))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::tests::cases;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(cases(2_000))]

        #[test]
        fn times_of_full_width_are_read_as_all_others_are(
            date in "[0-9]{2}-[0-9]{2}-[0-9]{4}",
            time in "[0-9]{2}:[0-6][0-9]:[0-6][0-9]\\.[0-9]{3}[-+][0-9]{3}",
            classic in "[01][0-9]/[0-3][0-9]/[0-9]{2} [0-2][0-9]:[0-6][0-9]:[0-6][0-9]",
            at in 0_usize..17,
            with in "[0-9 /:.+-]",
        ) {
            let mut wrong = classic.clone();
            wrong.replace_range(at..=at, &with);
            for text in [&classic, &wrong] {
                prop_assert_eq!(Stamp::classic(text), Stamp::classic_of_any_width(text));
            }
            prop_assert_eq!(Stamp::cmtrace(&date, &time), Stamp::cmtrace_of_any_width(&date, &time));
            let mut wrong = time.clone();
            wrong.replace_range(at.min(15)..=at.min(15), &with);
            for date in [date.as_str(), "10-14-2013"] {
                prop_assert_eq!(Stamp::cmtrace(date, &wrong), Stamp::cmtrace_of_any_width(date, &wrong));
            }
        }
    }
}
