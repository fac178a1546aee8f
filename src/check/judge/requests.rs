//! The article's questions about the packages themselves: silent, automated and background, mandatory, for this
//! platform. Asked of every request that is still to run.

use super::super::facts::Facts;
use super::{Finding, block, count, is, item, named, not_enrolled, pass, stamp, unknown};
use crate::executor::talk::view::CheckItem;
use crate::site::instruction::{Request, silent};
use crate::terms::Code;

pub fn silent(facts: &Facts) -> CheckItem {
    let mut findings = Vec::new();
    if let Err(finding) = asked(facts, &mut findings, |open, findings| {
        let needs: Vec<&Request> = open.iter().copied().filter(|r| !r.automated).collect();
        if !needs.is_empty() {
            findings.push(block(
                format!(
                    "{} {} input from a user, whom pcm never asks: {}",
                    count(needs.len(), "command"),
                    need(needs.len()),
                    ids(&needs)
                ),
                "Have it published with a command that asks nothing, and `automated = true`",
            ));
        }
        for request in open.iter().filter(|r| r.automated) {
            if let Some(doubt) = silent::doubt(&request.command_line) {
                findings.push(block(
                    format!("{}: {}", request.request_id, doubt.why),
                    format!("Have it published with {}", doubt.remedy),
                ));
            }
        }
        if findings.is_empty() {
            findings.push(pass(format!(
                "{} still to run, all published as automated; input is empty and a run that waits for it is ended \
                 at its time limit",
                count(open.len(), "command")
            )));
        }
    }) {
        findings.push(finding);
    }
    item("silent", findings)
}

fn need(n: usize) -> &'static str {
    if n == 1 { "needs" } else { "need" }
}

pub fn background(facts: &Facts) -> CheckItem {
    let mut findings = Vec::new();
    if let Err(finding) = asked(facts, &mut findings, |open, findings| {
        let automated: Vec<&Request> = open.iter().copied().filter(|r| r.automated).collect();
        let only: Vec<&Request> =
            automated.iter().copied().filter(|r| !r.background && r.mandatory_after.is_some()).collect();
        if only.is_empty() {
            let background = automated.iter().filter(|r| r.background).count();
            findings.push(pass(format!(
                "{background} of {} still to run {} for the service; the others run when an operator says so",
                count(open.len(), "command"),
                is(background)
            )));
        } else {
            findings.push(block(
                format!(
                    "{} mandatory and not background, so the service skips {}: {}",
                    is_are(only.len()),
                    if only.len() == 1 { "it" } else { "them" },
                    ids(&only)
                ),
                format!(
                    "Have it published with `background = true`, or run it by hand: {} run {}",
                    facts.pcm(),
                    only[0].request_id
                ),
            ));
        }
    }) {
        findings.push(finding);
    }
    item("background", findings)
}

fn is_are(n: usize) -> String {
    format!("{} {}", count(n, "command"), is(n))
}

pub fn mandatory(facts: &Facts) -> CheckItem {
    let mut findings = Vec::new();
    if let Err(finding) = asked(facts, &mut findings, |open, findings| {
        if let Ok(list) = &facts.views.list {
            for row in &list.requests {
                if row.mandatory_after.is_some() && row.blocked_by.contains(&Code::WindowNeverFits) {
                    let id = row.request_id.map(|id| id.to_string()).unwrap_or_default();
                    findings.push(block(
                        format!("{id} will never run by itself: its time limit fits into no maintenance window"),
                        format!(
                            "Make a window of [windows] weekly longer, or run it by hand: {} run {id} --override \
                             window --reason R",
                            facts.pcm()
                        ),
                    ));
                }
            }
        }
        let (mandatory, optional): (Vec<&Request>, Vec<&Request>) =
            open.iter().copied().partition(|r| r.mandatory_after.is_some());
        let mut times: Vec<(crate::clock::Wall, String)> = mandatory
            .iter()
            .filter_map(|r| Some((r.mandatory_after?.resolve(&facts.zone), r.request_id.to_string())))
            .collect();
        times.sort();
        let each: Vec<String> = times
            .iter()
            .map(|(at, id)| {
                let since = if *at <= facts.now { "since" } else { "from" };
                format!("{id} {since} {}", stamp(*at, facts))
            })
            .collect();
        let mut said = match mandatory.len() {
            0 => "nothing is mandatory".to_owned(),
            n => format!("{} mandatory: {}", is_are_requests(n), named(&each)),
        };
        if !optional.is_empty() {
            said.push_str(&format!(
                "; {} optional and never {} by itself: {}",
                is_are_requests(optional.len()),
                if optional.len() == 1 { "runs" } else { "run" },
                ids(&optional)
            ));
        }
        findings.push(pass(said));
    }) {
        findings.push(finding);
    }
    item("mandatory", findings)
}

fn is_are_requests(n: usize) -> String {
    format!("{} {}", count(n, "request"), is(n))
}

pub fn platform(facts: &Facts) -> CheckItem {
    let Some(platform) = facts.platform else {
        let here = format!("{} on {}", std::env::consts::OS, std::env::consts::ARCH);
        return item(
            "platform",
            vec![block(
                format!("this machine is {here}, for which no packages are made"),
                "Use a supported machine",
            )],
        );
    };
    let name = name_of(platform);
    let mut findings = Vec::new();
    if let Err(finding) = asked_of(facts, facts.unsettled_requests(), &mut findings, |open, findings| {
        let other: Vec<&Request> = open
            .iter()
            .copied()
            .filter(|r| !r.platforms.is_empty() && !r.platforms.contains(&platform))
            .collect();
        if !other.is_empty() && other.len() == open.len() {
            findings.push(block(
                format!(
                    "this machine is {name}, and everything published to it is for other platforms: {}",
                    ids(&other)
                ),
                "Have the command for this platform published, or send the job to other machines",
            ));
        } else if other.is_empty() {
            findings.push(pass(format!("{name}, as everything published to it allows")));
        } else {
            findings.push(pass(format!("{name}; for other platforms and skipped: {}", ids(&other))));
        }
    }) {
        // The machine itself is supported, whatever is published.
        findings.push(if facts.subject.config.machine.is_none() { pass(name) } else { finding });
    }
    item("platform", findings)
}

/// As publishers write it.
fn name_of(platform: crate::terms::Platform) -> String {
    serde_json::to_value(platform).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

fn ids(requests: &[&Request]) -> String {
    named(&requests.iter().map(|r| r.request_id).collect::<Vec<_>>())
}

/// Asks about the requests still to run, where there is an instruction file.
///
/// # Errors
/// Why there is none.
fn asked(
    facts: &Facts,
    findings: &mut Vec<Finding>,
    ask: impl FnOnce(&[&Request], &mut Vec<Finding>),
) -> Result<(), Finding> {
    asked_of(facts, facts.open_requests(), findings, ask)
}

/// The same of other requests.
fn asked_of(
    facts: &Facts,
    open: Vec<&Request>,
    findings: &mut Vec<Finding>,
    ask: impl FnOnce(&[&Request], &mut Vec<Finding>),
) -> Result<(), Finding> {
    if facts.look.is_none() {
        return Err(not_enrolled(facts));
    }
    if facts.file.is_none() {
        return Err(unknown(
            "nothing that is published for this machine could be read",
            "See `share` and `instructions` below",
        ));
    }
    if open.is_empty() {
        findings.push(pass(format!("nothing of what is published is still to run, by {}", facts.file_from)));
        return Ok(());
    }
    ask(&open, findings);
    Ok(())
}
