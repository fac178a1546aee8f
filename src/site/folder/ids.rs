//! Which ids are free. An id that was ever used is never used again (SITE.md 2): jobs that ended stay in the site folder, and
//! the highest id of each kind is kept beside the record of publications, too, for jobs whose files were removed.

use crate::error::{Exit, Failure, Result};
use crate::site::ids::SiteCode;
use std::fmt::Display;
use std::str::FromStr;

const BASE: u32 = 36;

/// What comes after the site code, as a number. The digits are 0-9 and A-Z, so ids sort as their numbers do.
pub fn number(id: &str) -> u64 {
    id.get(3..).and_then(|digits| u64::from_str_radix(digits, BASE).ok()).unwrap_or(0)
}

/// The id after the highest of all that were ever used; `length` is how many digits follow the site code.
///
/// # Errors
/// `no-free-id`: that was the last.
pub fn next<T: FromStr + Display>(
    site: SiteCode,
    length: u32,
    used: impl Iterator<Item = u64>,
    kind: &str,
) -> Result<T> {
    let next = used.max().unwrap_or(0) + 1;
    let id = (next < u64::from(BASE).pow(length)).then(|| {
        let mut digits = vec!['0'; length as usize];
        let mut rest = next;
        for digit in digits.iter_mut().rev() {
            // Below 36, so it is a digit.
            *digit = char::from_digit((rest % u64::from(BASE)) as u32, BASE).unwrap_or('0');
            rest /= u64::from(BASE);
        }
        format!("{site}{}", digits.into_iter().collect::<String>()).parse().ok()
    });
    id.flatten().ok_or_else(|| {
        let message = format!("no {kind} id of site {site} is free: all were used");
        Failure::new(Exit::Failed, "no-free-id", message, "Begin a site with another code")
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::site::ids::{JobId, RequestId};

    #[test]
    fn ids_are_counted_with_all_digits_and_letters() {
        let site = "BP0".parse().unwrap();
        let request = |used: &[&str]| {
            next::<RequestId>(site, 4, used.iter().map(|id| number(id)), "request").map(|id| id.to_string())
        };
        assert_eq!(request(&[]).unwrap(), "BP00001");
        assert_eq!(request(&["BP00009", "BP00002"]).unwrap(), "BP0000A");
        assert_eq!(request(&["BP0000Z"]).unwrap(), "BP00010");
        assert_eq!(request(&["BP0ZZZY"]).unwrap(), "BP0ZZZZ");
        assert_eq!(request(&["BP0ZZZZ"]).unwrap_err().code, "no-free-id");
        let job: JobId = next(site, 5, [number("BP0000AA")].into_iter(), "job").unwrap();
        assert_eq!(job.to_string(), "BP0000AB");
    }
}
