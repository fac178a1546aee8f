//! Time zones of Windows as rules (POSIX `TZ` texts): the machine's own, and those of its registry by their names.

#![allow(unsafe_code)]

use super::{narrow, wide};
use crate::clock::{Zone, ZoneError};
use windows_sys::Win32::Foundation::SYSTEMTIME;
use windows_sys::Win32::System::Registry::{HKEY_LOCAL_MACHINE, RRF_RT_REG_BINARY, RegGetValueW};
use windows_sys::Win32::System::Time::{
    DYNAMIC_TIME_ZONE_INFORMATION, GetDynamicTimeZoneInformation, TIME_ZONE_ID_INVALID,
};

/// When a part of the year begins: `SYSTEMTIME` as zone rules use it.
#[derive(Debug, Clone, Copy, Default)]
struct Change {
    year: u16,
    month: u16,
    weekday: u16,
    /// Which of them in the month; 5: the last.
    week: u16,
    /// Of the day, on the clock before the change.
    seconds: u32,
}

/// A zone as Windows keeps it. Minutes to be added to local time to get UTC.
#[derive(Debug, Clone, Copy, Default)]
struct Rules {
    bias: i32,
    standard_bias: i32,
    daylight_bias: i32,
    to_standard: Change,
    to_daylight: Change,
}

pub fn machine_zone(name: &str) -> Result<Zone, ZoneError> {
    if name == "local" { local_zone() } else { zone(name) }
}

pub fn local_zone() -> Result<Zone, ZoneError> {
    // SAFETY: the structure is plain numbers, which the system writes.
    let (id, info) = unsafe {
        let mut info: DYNAMIC_TIME_ZONE_INFORMATION = std::mem::zeroed();
        (GetDynamicTimeZoneInformation(&raw mut info), info)
    };
    let name = narrow(&info.TimeZoneKeyName);
    let name = if name.is_empty() { "local".to_owned() } else { name };
    if id == TIME_ZONE_ID_INVALID {
        return Err(ZoneError::Damaged(name, "the system does not tell it".into()));
    }
    let mut rules = Rules {
        bias: info.Bias,
        standard_bias: info.StandardBias,
        daylight_bias: info.DaylightBias,
        to_standard: change(&info.StandardDate),
        to_daylight: change(&info.DaylightDate),
    };
    if info.DynamicDaylightTimeDisabled {
        rules.to_standard.month = 0;
    }
    from_rules(&name, &rules)
}

pub fn zone(name: &str) -> Result<Zone, ZoneError> {
    if matches!(name, "UTC" | "Etc/UTC" | "GMT" | "Z") {
        return Ok(Zone::utc());
    }
    let unknown = || ZoneError::Unknown(name.to_owned());
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, ' ' | '.' | '-' | '+' | '(' | ')');
    if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
        return Err(unknown());
    }
    from_rules(name, &parse(&registry(name).ok_or_else(unknown)?).ok_or_else(unknown)?)
}

/// The value `TZI` of a zone.
fn registry(name: &str) -> Option<[u8; 44]> {
    let key = wide(format!(r"SOFTWARE\Microsoft\Windows NT\CurrentVersion\Time Zones\{name}"));
    let value = wide("TZI");
    let mut bytes = [0; 44];
    let mut length = 44;
    // SAFETY: both texts end with a zero, and the buffer has the length that is given with it.
    let result = unsafe {
        RegGetValueW(
            HKEY_LOCAL_MACHINE,
            key.as_ptr(),
            value.as_ptr(),
            RRF_RT_REG_BINARY,
            std::ptr::null_mut(),
            bytes.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    (result == 0 && length == 44).then_some(bytes)
}

/// `REG_TZI_FORMAT`: three biases and two dates, little-endian.
fn parse(bytes: &[u8; 44]) -> Option<Rules> {
    let bias = |i: usize| Some(i32::from_le_bytes(bytes.get(i..i + 4)?.try_into().ok()?));
    let date = |i: usize| {
        let word = |n: usize| Some(u16::from_le_bytes(bytes.get(i + 2 * n..i + 2 * n + 2)?.try_into().ok()?));
        Some(change(&SYSTEMTIME {
            wYear: word(0)?,
            wMonth: word(1)?,
            wDayOfWeek: word(2)?,
            wDay: word(3)?,
            wHour: word(4)?,
            wMinute: word(5)?,
            wSecond: word(6)?,
            wMilliseconds: word(7)?,
        }))
    };
    Some(Rules {
        bias: bias(0)?,
        standard_bias: bias(4)?,
        daylight_bias: bias(8)?,
        to_standard: date(12)?,
        to_daylight: date(28)?,
    })
}

fn change(t: &SYSTEMTIME) -> Change {
    let seconds = u32::from(t.wHour) * 3600 + u32::from(t.wMinute) * 60 + u32::from(t.wSecond);
    Change {
        year: t.wYear,
        month: t.wMonth,
        weekday: t.wDayOfWeek,
        week: t.wDay,
        // The end of a day is written as its last millisecond.
        seconds: seconds + u32::from(t.wMilliseconds >= 500),
    }
}

fn from_rules(name: &str, rules: &Rules) -> Result<Zone, ZoneError> {
    Zone::from_posix(name, &posix(name, rules)?)
}

/// The rule as POSIX writes it. Its offsets have the sign of the biases: west is positive.
fn posix(name: &str, rules: &Rules) -> Result<String, ZoneError> {
    let offset = |minutes: i32| {
        let sign = if minutes < 0 { "-" } else { "" };
        format!("{sign}{}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
    };
    let standard = offset(rules.bias + rules.standard_bias);
    if rules.to_standard.month == 0 || rules.to_daylight.month == 0 {
        return Ok(format!("<std>{}", offset(rules.bias)));
    }
    if rules.to_standard.year != 0 || rules.to_daylight.year != 0 {
        // A date of one year says nothing about the others.
        return Err(ZoneError::Damaged(
            name.to_owned(),
            "its clock changes are dates of a single year".into(),
        ));
    }
    let daylight = offset(rules.bias + rules.daylight_bias);
    let date = |c: &Change| {
        let (hours, minutes, seconds) = (c.seconds / 3600, c.seconds / 60 % 60, c.seconds % 60);
        format!("M{}.{}.{}/{hours}:{minutes:02}:{seconds:02}", c.month, c.week, c.weekday)
    };
    Ok(format!("<std>{standard}<dst>{daylight},{},{}", date(&rules.to_daylight), date(&rules.to_standard)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use chrono::{TimeZone as _, Utc};

    fn berlin() -> Rules {
        Rules {
            bias: -60,
            standard_bias: 0,
            daylight_bias: -60,
            to_standard: Change { month: 10, week: 5, seconds: 3 * 3600, ..Default::default() },
            to_daylight: Change { month: 3, week: 5, seconds: 2 * 3600, ..Default::default() },
        }
    }

    #[test]
    fn the_rules_of_windows_give_the_offsets_of_summer_and_winter() {
        let text = posix("x", &berlin()).unwrap();
        assert_eq!(text, "<std>-1:00<dst>-2:00,M3.5.0/2:00:00,M10.5.0/3:00:00");
        let zone = from_rules("x", &berlin()).unwrap();
        let offset = |m, d| zone.offset_at(Utc.with_ymd_and_hms(2026, m, d, 12, 0, 0).unwrap());
        assert_eq!((offset(1, 15), offset(7, 15)), (3600, 7200));
        assert_eq!((offset(3, 28), offset(3, 30), offset(10, 24), offset(10, 26)), (3600, 7200, 7200, 3600));
    }

    #[test]
    fn a_zone_without_clock_changes_has_one_offset() {
        let rules = Rules { bias: 210, ..Default::default() };
        assert_eq!(posix("x", &rules).unwrap(), "<std>3:30");
        let zone = from_rules("x", &rules).unwrap();
        assert_eq!(zone.offset_at(Utc.with_ymd_and_hms(2026, 7, 1, 0, 0, 0).unwrap()), -12_600);
    }

    #[test]
    fn a_rule_for_one_year_only_is_refused() {
        let mut rules = berlin();
        rules.to_daylight.year = 2026;
        assert!(posix("x", &rules).is_err());
    }

    #[test]
    fn the_machine_has_a_zone() {
        local_zone().unwrap();
    }
}
