//! A share under an index: what of it is in force here, whether this machine is one of the site's, and whether every part
//! that it needs can be read.

use super::super::facts::Facts;
use super::{block, count, item, named, not_enrolled, pass, unknown};
use crate::executor::talk::view::CheckItem;
use crate::site::indexed::Membership;
use crate::terms::Problem;

pub(super) const BY_HAND: &str = "the share is filled by hand: it has no index";

/// What is in force, the highest that was ever seen, and what the share has.
pub fn serial(facts: &Facts) -> CheckItem {
    let trust = facts.views.status.as_ref().ok().map(|status| &status.trust);
    let in_force = trust.and_then(|trust| Some((trust.epoch?, trust.serial?)));
    let highest = trust.and_then(|trust| trust.highest);
    let words = |(epoch, serial): (u64, u64)| match epoch {
        0 => format!("serial {serial}"),
        epoch => format!("serial {serial} of epoch {epoch}"),
    };
    let on_share = facts.indexed.as_ref().map(|index| (index.epoch, index.serial));
    let finding = match (in_force, highest) {
        (None, _) => unknown("nothing is in force yet", "See `share` and `instructions`"),
        (Some(own), Some(highest)) if own < highest => block(
            format!("{} is in force, and this machine has seen {}", words(own), words(highest)),
            "Bring a share back that has the newest publication, then pcm poll",
        ),
        (Some(own), _) => match on_share {
            Some(newer) if newer > own => unknown(
                format!("{} is in force, and the share has {}", words(own), words(newer)),
                format!("The next poll takes it: {} poll", facts.pcm()),
            ),
            Some(_) | None => pass(format!("{} is in force, the highest that was seen", words(own))),
        },
    };
    item("serial", vec![finding])
}

/// The site's list has this machine.
pub fn in_members(facts: &Facts) -> CheckItem {
    let machine = facts.subject.config.machine.map(|id| id.to_string()).unwrap_or_default();
    let finding = match &facts.indexed {
        None if facts.look.is_none() => not_enrolled(facts),
        None => pass(BY_HAND),
        Some(index) => match &index.member {
            Membership::Listed(member) if member.groups.is_empty() => {
                pass(format!("{machine} is in the site's list, in no group"))
            }
            Membership::Listed(member) => pass(format!("{machine} is in {}", named(&member.groups))),
            Membership::NotListed => block(
                format!("{machine} is not in the site's list of machines, so no job is for it"),
                format!("The publisher has to add it: pcm site machine add {machine}"),
            ),
            Membership::Unknown(why) => unknown(why.as_str(), "See `parts-readable`"),
        },
    };
    item("in-members", vec![finding])
}

/// Every part that this machine needs is there, with the hash that the index names.
pub fn parts_readable(facts: &Facts) -> CheckItem {
    let findings = match &facts.indexed {
        None if facts.look.is_none() => vec![not_enrolled(facts)],
        None => vec![pass(BY_HAND)],
        Some(index) if index.problems.is_empty() => {
            vec![pass(format!("{} named by the index, each with its hash", count(index.parts, "part")))]
        }
        Some(index) => {
            let said = |problem: &Problem| {
                block(
                    format!("{}: {}", problem.file, problem.message),
                    "The publisher has to publish again; until then what that part says counts nowhere",
                )
            };
            index.problems.iter().map(said).collect()
        }
    };
    item("parts-readable", findings)
}
