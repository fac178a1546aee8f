//! One instruction file that parses: each request for itself, then what they say of each other.

use super::command::{self, Line};
use super::{Asked, Found, place};
use crate::clock::{LocalKind, When};
use crate::site::ids::RequestId;
use crate::site::instruction::{Entry, InstructionFile, Request};
use crate::terms::Problem;
use crate::text::stamp;
use std::collections::{BTreeMap, BTreeSet};

/// Judges a file. `ran` says whether a request that is not in it was carried out on that machine before.
pub(super) fn judge(
    file: &InstructionFile,
    shown: &str,
    asked: &Asked<'_>,
    ran: impl Fn(RequestId) -> bool,
    found: &mut Found,
) {
    for warning in &file.warnings {
        found.block("instructions", place(warning), "Correct or remove it: no machine takes notice of it");
    }
    if let Some(until) = file.valid_until.filter(|until| *until <= asked.now) {
        let until = stamp(until, asked.zone);
        found.block(
            "instructions",
            format!("{shown}: it was valid until {until}, so nothing of it runs"),
            "Publish it again with a later valid_until",
        );
    }
    if file.issued > asked.now + chrono::TimeDelta::minutes(10) {
        let issued = stamp(file.issued, asked.zone);
        found.block(
            "instructions",
            format!("{shown}: it was issued at {issued}, which lies ahead"),
            "Set the clock of the publisher, and publish it again",
        );
    }
    for entry in &file.requests {
        match entry {
            Entry::Rejected(rejected) => rejected.problems.iter().for_each(|p| rejection(p, found)),
            Entry::Good(request) => one(request, file, shown, asked, found),
        }
    }
    dependencies(file, shown, &ran, found);
}

fn rejection(problem: &Problem, found: &mut Found) {
    let (item, remedy) = match problem.code.as_str() {
        "contradiction" => ("contradictions", "Decide which of the two is meant"),
        "duplicate" => ("request-ids", "Give each request an id of its own, never used before"),
        "command-refused" => {
            ("requests", "Write it so that a machine starts it: see FORMATS of command_line")
        }
        _ => ("requests", "Correct it: this request is rejected, its neighbours are not"),
    };
    found.block(item, place(problem), remedy);
}

/// `file, line 7, BP0000Y`
fn at(request: &Request, shown: &str) -> String {
    format!("{shown}, line {}, {}", request.line, request.request_id)
}

fn one(request: &Request, file: &InstructionFile, shown: &str, asked: &Asked<'_>, found: &mut Found) {
    let here = at(request, shown);
    let mandatory = request.mandatory_after.is_some();
    if mandatory && !request.automated {
        found.block(
            "contradictions",
            format!("{here}: it is mandatory and needs input, so it never runs"),
            "Name a command that asks nothing and set automated, or leave mandatory_after out",
        );
    } else if mandatory && !request.background {
        found.block(
            "contradictions",
            format!("{here}: it is mandatory and not background, so the service skips it"),
            "Set background = true, or leave mandatory_after out",
        );
    }
    let line = Line {
        line: &request.command_line,
        automated: request.automated,
        platforms: &request.platforms,
        exit_codes: &request.exit_codes,
    };
    command::judge(&line, &here, "requests", found);
    times(request, file, &here, asked, found);
    if let Some(why) =
        asked.fits.filter(|_| mandatory && !request.ignore_windows).and_then(|fits| fits(request))
    {
        found.block(
            "windows",
            format!("{here}: {why}"),
            "Lower max_run_time, lengthen a window, or set ignore_windows",
        );
    }
}

/// What a clock change does to local times, and what only shows once they are instants.
fn times(request: &Request, file: &InstructionFile, here: &str, asked: &Asked<'_>, found: &mut Found) {
    let written = [
        ("offer_after", Some(request.offer_after)),
        ("mandatory_after", request.mandatory_after),
        ("expire_after", request.expire_after),
    ];
    for (field, when) in written {
        if let Some(when) = when {
            odd_time(&format!("{here}, {field}"), when, asked, found);
        }
    }
    let at = |when: Option<When>| when.map(|when| when.resolve(asked.zone));
    let (offer, mandatory, expire) =
        (request.offer_after.resolve(asked.zone), at(request.mandatory_after), at(request.expire_after));
    let zone = asked.zone.name();
    let mut contradicts = |said: &str| {
        found.block(
            "contradictions",
            format!("{here}: in {zone}, {said}"),
            "Write all three times with a zone, or all without",
        );
    };
    if mandatory.is_some_and(|mandatory| mandatory < offer)
        && request.offer_after != When::Instant(file.issued)
    {
        contradicts("it is mandatory before it is offered");
    }
    if let Some(expire) = expire {
        if mandatory.is_some_and(|mandatory| expire <= mandatory) {
            contradicts("it expires before it is mandatory");
        } else if expire <= offer && request.offer_after != When::Instant(file.issued) {
            contradicts("it expires before it is offered");
        } else if expire <= file.issued {
            found.block(
                "contradictions",
                format!("{here}: it had expired when the file was issued"),
                "Take it out, or publish it with a later expire_after",
            );
        }
    }
}

/// A local time that a clock change skips or repeats.
pub(super) fn odd_time(here: &str, when: When, asked: &Asked<'_>, found: &mut Found) {
    let When::Local(local) = when else { return };
    let (instant, kind) = asked.zone.resolve(local);
    let (what, means) = match kind {
        LocalKind::Plain => return,
        LocalKind::Gap => ("is skipped by a clock change", "the first instant after it"),
        LocalKind::Fold => ("occurs twice", "the first of the two"),
    };
    let stamp = stamp(instant, asked.zone);
    found.block(
        "times",
        format!("{here}: {local} {what} in {}, and means {means}, {stamp}", asked.zone.name()),
        "Write another time, or one with a zone or offset",
    );
}

fn dependencies(file: &InstructionFile, shown: &str, ran: &impl Fn(RequestId) -> bool, found: &mut Found) {
    let good = file.requests.iter().filter_map(|entry| match entry {
        Entry::Good(request) => Some((request.request_id, &**request)),
        Entry::Rejected(_) => None,
    });
    let all: BTreeMap<RequestId, &Request> = good.collect();
    for request in all.values() {
        for wanted in &request.depends_on {
            let here = at(request, shown);
            match all.get(wanted) {
                Some(other) if request.mandatory_after.is_some() && other.mandatory_after.is_none() && !ran(*wanted) => {
                    found.block(
                        "dependencies",
                        format!("{here}: it is mandatory and depends on {wanted}, which is optional and never runs by itself"),
                        format!("Make {wanted} mandatory, too"),
                    );
                }
                Some(_) => {}
                None if ran(*wanted) => {}
                None => found.block(
                    "dependencies",
                    format!("{here}: it depends on {wanted}, which this file does not have and this machine has not reported"),
                    "Correct the id, or publish that request, too",
                ),
            }
        }
    }
    for circle in circles(&all) {
        let first = all.get(&circle[0]).map(|r| at(r, shown)).unwrap_or_default();
        let way: Vec<String> = circle.iter().chain(circle.first()).map(ToString::to_string).collect();
        found.block(
            "dependencies",
            format!("{first}: it depends on itself: {}", way.join(" -> ")),
            "Break the circle: none of them ever runs",
        );
    }
}

/// Every circle once, from its lowest id on.
fn circles(all: &BTreeMap<RequestId, &Request>) -> Vec<Vec<RequestId>> {
    let mut circles = Vec::new();
    let mut done: BTreeSet<RequestId> = BTreeSet::new();
    for start in all.keys() {
        // Without recursion: a chain may be as long as the file.
        let mut way: Vec<(RequestId, usize)> = vec![(*start, 0)];
        let mut on_way: BTreeSet<RequestId> = BTreeSet::from([*start]);
        while let Some((here, next)) = way.last_mut() {
            let (here, n) = (*here, *next);
            *next += 1;
            match all.get(&here).and_then(|r| r.depends_on.get(n)) {
                _ if done.contains(&here) => {
                    way.pop();
                    on_way.remove(&here);
                }
                None => {
                    way.pop();
                    on_way.remove(&here);
                    done.insert(here);
                }
                Some(wanted) if on_way.contains(wanted) => {
                    let from = way.iter().position(|(id, _)| id == wanted).unwrap_or(0);
                    circles.push(way[from..].iter().map(|(id, _)| *id).collect());
                }
                Some(wanted) => {
                    on_way.insert(*wanted);
                    way.push((*wanted, 0));
                }
            }
        }
    }
    circles
}
