//! "Until when" as an operator types it, in the forms of `text::parse_time`. Always in the future; always shown back in
//! full before it counts.

use super::words;
use crate::clock::{Wall, Zone};
use crate::safe;
use crate::text::{SafeText, Side, examples, parse_time};

/// What may be typed, for the hint beside the field: each of it lies in the future.
pub fn hint(now: Wall, zone: &Zone) -> SafeText {
    SafeText::new(&examples(Side::Next, now, zone))
}

/// Reads a time.
///
/// # Errors
/// What is wrong with it, in words.
pub fn parse(typed: &str, now: Wall, zone: &Zone) -> Result<Wall, SafeText> {
    if typed.trim().is_empty() {
        return Err(SafeText::from("enter a time"));
    }
    let at = parse_time(typed, Side::Next, now, zone)
        .map_err(|_| safe!("not a time: write {}", examples(Side::Next, now, zone)))?;
    if at <= now {
        return Err(safe!("{} has passed", words::when_long(at, now, zone)));
    }
    Ok(at)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    // Sunday 22 November 2026, 14:02 at UTC+1.
    fn until(typed: &str) -> Result<String, String> {
        let zone = Zone::from_posix("Europe/Berlin", "CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let at = parse(typed, "2026-11-22T13:02:00Z".parse().unwrap(), &zone);
        at.map(|at| at.to_rfc3339()).map_err(|why| why.to_string())
    }

    #[test]
    fn every_form_of_the_hint_is_read() {
        assert_eq!(until("2h").unwrap(), "2026-11-22T15:02:00+00:00");
        assert_eq!(until("+1h30m").unwrap(), "2026-11-22T14:32:00+00:00");
        assert_eq!(until("7am").unwrap(), "2026-11-23T06:00:00+00:00");
        assert_eq!(until("22:00").unwrap(), "2026-11-22T21:00:00+00:00");
        assert_eq!(until("Tue 22:00").unwrap(), "2026-11-24T21:00:00+00:00");
        assert_eq!(until("tuesday 22:00").unwrap(), "2026-11-24T21:00:00+00:00");
        assert_eq!(until("tomorrow 06:00").unwrap(), "2026-11-23T05:00:00+00:00");
        assert_eq!(until("2026-11-24 22:00").unwrap(), "2026-11-24T21:00:00+00:00");
        assert_eq!(until("2026-11-24T22:00:00Z").unwrap(), "2026-11-24T22:00:00+00:00");
    }

    #[test]
    fn a_clock_time_that_has_passed_means_the_next_one() {
        assert_eq!(until("13:00").unwrap(), "2026-11-23T12:00:00+00:00");
        assert_eq!(until("Sun 13:00").unwrap(), "2026-11-29T12:00:00+00:00");
    }

    #[test]
    fn what_is_no_time_or_has_passed_is_refused_in_words() {
        assert!(until("").unwrap_err().contains("enter a time"));
        assert!(
            until("soon")
                .unwrap_err()
                .contains("not a time: write 2h, 22:00, tomorrow 7am, 2026-11-29 22:00")
        );
        assert!(until("today 13:00").unwrap_err().contains("has passed"));
        assert!(until("2020-01-01 00:00").unwrap_err().contains("has passed"));
        assert!(until("0s").unwrap_err().contains("has passed"));
    }
}
