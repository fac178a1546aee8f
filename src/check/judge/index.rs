//! A share under an index: what of it is in force here, whether this machine is one of the site's, and whether every part
//! that it needs can be read.

use super::super::facts::{Facts, Indexed};
use super::{Finding, block, count, item, named, not_enrolled, pass, unknown};
use crate::executor::talk::view::CheckItem;
use crate::site::index::{job, policy};
use crate::site::indexed::Membership;
use crate::terms::Problem;
use crate::text::SafeText;

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
        (None, _) if facts.under_an_index => {
            unknown("nothing is in force now, and an index was", "See `share`, `instructions` and `trust`")
        }
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

/// The site's list has this machine: by what is in force here, and beside it by what the share has that is newer.
pub fn in_members(facts: &Facts) -> CheckItem {
    let machine = facts.subject.config.machine.map(|id| id.to_string()).unwrap_or_default();
    let add = || format!("The publisher has to add it: pcm site machine add {machine}");
    let mut findings = match &facts.in_force {
        None => vec![nothing_held(facts)],
        Some(Err(why)) => vec![not_believed(why)],
        Some(Ok(index)) => vec![match &index.member {
            Membership::Listed(member) if member.groups.is_empty() => {
                pass(format!("{machine} is in the site's list, in no group"))
            }
            Membership::Listed(member) => pass(format!("{machine} is in {}", named(&member.groups))),
            Membership::NotListed => {
                block(format!("{machine} is not in the site's list of machines, so no job is for it"), add())
            }
            Membership::Unknown(why) => unknown(why.as_str(), "See `parts-readable`"),
        }],
    };
    if let Some(newer) = newer(facts)
        && newer.member == Membership::NotListed
    {
        let serial = newer.serial;
        findings.push(block(
            format!("serial {serial} on the share, which counts from the next poll, does not list {machine}"),
            add(),
        ));
    }
    item("in-members", findings)
}

/// Every part that this machine needs is there, with the hash that the index names: of what is in force here, and on the
/// share.
pub fn parts_readable(facts: &Facts) -> CheckItem {
    let index = match &facts.in_force {
        None => return item("parts-readable", vec![nothing_held(facts)]),
        Some(Err(why)) => return item("parts-readable", vec![not_believed(why)]),
        Some(Ok(index)) => index,
    };
    let missing = |problem: &Problem| {
        let again = "The publisher has to publish again: pcm site publish";
        block(said(problem), format!("{again}; {}", until_then(problem, index)))
    };
    let mut findings: Vec<Finding> = index.problems.iter().map(missing).collect();
    let whole = format!("{} named by the index, each with its hash", count(index.parts, "part"));
    match &facts.indexed {
        None => findings.push(unknown(
            format!("the index of the share cannot be had now; what is held of it stays in force: {whole}"),
            "See `share` and `instructions`",
        )),
        Some(offered) if order(offered) < order(index) => findings.push(unknown(
            format!("the share has serial {}, which is older than what is in force", offered.serial),
            "See `instructions`",
        )),
        Some(offered) => {
            let newer = order(offered) > order(index);
            let only_there = offered.problems.iter().filter(|problem| !index.problems.contains(problem));
            findings.extend(only_there.map(|problem| match newer {
                true => missing(problem),
                false => block(
                    format!("the share has lost {}; this machine holds it, and it stays in force here", said(problem)),
                    "The publisher has to publish again, for the machines that do not hold it: pcm site publish",
                ),
            }));
        }
    }
    findings.push(pass(whole));
    item("parts-readable", findings)
}

/// What the share has that is newer than what is in force.
fn newer(facts: &Facts) -> Option<&Indexed> {
    let (Some(Ok(index)), Some(offered)) = (&facts.in_force, &facts.indexed) else { return None };
    (order(offered) > order(index)).then_some(offered)
}

fn order(index: &Indexed) -> (u64, u64) {
    (index.epoch, index.serial)
}

fn said(problem: &Problem) -> String {
    format!("{}: {}", problem.file, problem.message)
}

/// What a part that cannot be read closes.
fn until_then(problem: &Problem, index: &Indexed) -> &'static str {
    let file = problem.file.as_str();
    let of = |folder: &str| file.split('/').next() == Some(folder);
    if of(policy::FOLDER) {
        "until then nothing starts here"
    } else if of(job::FOLDER) {
        "until then that job is rejected, and all others go on"
    } else if of("packages") {
        "until then the jobs of that package start nothing, and all others go on"
    } else if matches!(index.member, Membership::Unknown(_)) {
        "until then no job starts here, since it is not known which are for this machine"
    } else {
        "until then this machine keeps the groups that it had"
    }
}

/// No index is in force that could be judged.
fn nothing_held(facts: &Facts) -> Finding {
    match &facts.look {
        None => not_enrolled(facts),
        Some(_) if facts.under_an_index => {
            unknown("the index of the share cannot be had now", "See `share` and `instructions`")
        }
        Some(Ok(look)) if look.found.is_some() => pass(BY_HAND),
        Some(_) => unknown("nothing that is published could be read", "See `share` and `instructions`"),
    }
}

fn not_believed(why: &SafeText) -> Finding {
    unknown(format!("the index that is in force is not known here: {why}"), "See `serial` and `trust`")
}
