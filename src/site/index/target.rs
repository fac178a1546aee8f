//! Which machines a job is for (SITE.md 2): by id, pattern and group, without those that are excluded, and of those the
//! part that has been reached. Each machine works that out by itself, and so does the publisher who wants to know how
//! many they are. Pure.

use super::members::{Member, is_group};
use crate::site::expression::like;
use crate::site::ids::{JobId, MachineId};
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

/// The most targets and exclusions of one job.
pub const MAX_TARGETS: usize = 1_000;
/// The whole of a job's machines, in hundredths of a percent.
pub const WHOLE: u32 = 10_000;

/// One entry of `targets` or `exclude`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// This machine.
    Machine(MachineId),
    /// Those whose id is like it: `BP0040*`, `BP00400?`.
    Pattern(String),
    /// Those of a group: `@web`; `@all` is every machine.
    Group(String),
}

impl Target {
    /// Whether it means this machine.
    pub fn means(&self, member: &Member) -> bool {
        match self {
            Target::Machine(id) => *id == member.machine,
            Target::Pattern(pattern) => like(member.machine.as_str(), pattern),
            Target::Group(group) => member.is_in(group),
        }
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(group) = text.strip_prefix('@') {
            return match is_group(group) {
                true => Ok(Target::Group(group.to_owned())),
                false => Err(format!("{text:?} is no group: wanted @ and a-z, 0-9, - and _, like @web")),
            };
        }
        if text.contains(['*', '?']) {
            let good = |c: char| c.is_ascii_alphanumeric() || c == '*' || c == '?';
            return match text.len() <= 20 && text.chars().all(good) {
                true => Ok(Target::Pattern(text.to_ascii_uppercase())),
                false => Err(format!("{text:?} is no pattern of machine ids, like BP0040*")),
            };
        }
        text.parse().map(Target::Machine).map_err(|e: crate::site::ids::BadId| e.to_string())
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Machine(id) => write!(f, "{id}"),
            Target::Pattern(pattern) => f.write_str(pattern),
            Target::Group(group) => write!(f, "@{group}"),
        }
    }
}

/// The place of a machine in the phases of a job, in hundredths of a percent: it is reached by every share of the
/// machines that is greater. Spread evenly, and another one for every job.
pub fn place(job: JobId, machine: MachineId) -> u32 {
    let hash = <[u8; 32]>::from(Sha256::digest(format!("{job}{machine}")));
    let [a, b, c, d, e, f, g, h, ..] = hash;
    let place = u64::from_be_bytes([a, b, c, d, e, f, g, h]) % u64::from(WHOLE);
    u32::try_from(place).unwrap_or(0)
}

/// A share of a job's machines: percent with at most two decimals, in hundredths of a percent.
///
/// # Errors
/// What was wanted.
pub fn parse_percent(text: &str) -> Result<u32, String> {
    let bad = || format!("wanted a percentage from 0 to 100 with at most two decimals, found {text:?}");
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(decimals) || whole.len() > 3 || decimals.len() > 2 {
        return Err(bad());
    }
    let tens = if decimals.len() == 1 { 10 } else { 1 };
    let hundredths = match (whole.parse::<u32>(), decimals.parse::<u32>()) {
        (Ok(whole), Ok(decimals)) => whole * 100 + decimals * tens,
        _ => return Err(bad()),
    };
    if hundredths > WHOLE { Err(bad()) } else { Ok(hundredths) }
}

/// The same written: `5`, `12.5`, `0.01`.
pub fn percent(hundredths: u32) -> String {
    let text = format!("{}.{:02}", hundredths / 100, hundredths % 100);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn member(id: &str, groups: &[&str]) -> Member {
        Member {
            machine: id.parse().unwrap(),
            host: None,
            adopt: None,
            groups: groups.iter().map(|g| (*g).to_owned()).collect(),
        }
    }

    #[test]
    fn ids_patterns_and_groups_mean_machines() {
        let machine = member("BP004000", &["web"]);
        for (text, means) in [
            ("bp004000", true),
            ("BP004001", false),
            ("BP0040*", true),
            ("bp00400?", true),
            ("BP0040", false),
            ("@web", true),
            ("@all", true),
            ("@db", false),
        ] {
            match text.parse::<Target>() {
                Ok(target) => assert_eq!(target.means(&machine), means, "{text}"),
                Err(why) => assert!(!means, "{text}: {why}"),
            }
        }
        for bad in ["", "@", "@Web", "@-web", "web", "BP0040*;", "BP004000 ", "../*"] {
            assert!(bad.parse::<Target>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn phases_reach_their_share_of_the_machines_and_never_fewer_than_before() {
        let job: JobId = "BP0000AA".parse().unwrap();
        let machines: Vec<MachineId> = (0..20_000).map(|n| format!("BP0{n:05}").parse().unwrap()).collect();
        for share in [1, 500, 2_500, 5_000, WHOLE] {
            let reached = machines.iter().filter(|machine| place(job, **machine) < share).count();
            let expected = machines.len() * share as usize / WHOLE as usize;
            assert!(reached.abs_diff(expected) <= 200, "{reached} for {share}");
        }
        let other: JobId = "BP0000AB".parse().unwrap();
        let both = machines.iter().filter(|m| place(job, **m) < 1_000 && place(other, **m) < 1_000).count();
        assert!((100..=300).contains(&both), "{both} of 20,000 are among the first tenth twice");
    }

    proptest! {
        #[test]
        fn a_percentage_is_read_as_it_is_written(share in 0..=WHOLE) {
            prop_assert_eq!(parse_percent(&percent(share)), Ok(share));
        }

        #[test]
        fn nothing_else_is_a_percentage(text in "[0-9.+e% -]{0,6}") {
            if let Ok(share) = parse_percent(&text) {
                let value: f64 = text.parse().unwrap();
                prop_assert!((value * 100.0 - f64::from(share)).abs() < 1e-6);
            }
        }
    }
}
