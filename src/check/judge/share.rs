//! The share: reachable, with instructions that are believed and current; the machine's own report on it; how often it
//! is looked at.

use super::super::facts::Facts;
use super::places::delivered;
use super::{ago, block, count, item, named, not_enrolled, pass, stamp, unknown};
use crate::clock::between;
use crate::executor::talk::view::{CheckItem, ServiceState};
use crate::host::account::{Account, READER};
use crate::host::open::remote;
use crate::site::instruction::Entry;
use crate::site::report::LONGEST_HEARTBEAT;
use crate::site::trust::{TrustMode, TrustVerdict};
use crate::terms::{Code, Gate, Problem};
use crate::text;
use std::time::Duration;

/// What the original needed between two polls, so that a result was processed before it looked again (DEFECTS Q166765).
const ORIGINAL_INTERVAL: Duration = Duration::from_secs(20 * 60);
/// A report may be this much later than the interval says: a busy share, a restart of the service.
const REPORT_SLACK: Duration = Duration::from_secs(5 * 60);

/// What lets a bucket be asked at all, or lets its server know who asks.
const KEY_FILE: &str = "See that the key file that [share] credentials names is there, readable by its owner alone and with its \
                        two lines, and that its key is still good";

/// Whether a location cannot be read because of the file with the key.
fn is_of_key_file(p: &Problem) -> bool {
    p.file.as_str().starts_with("s3://") && p.message.as_str().contains("the key file")
}

/// Whether a location cannot be read because of the account that is to ask.
fn is_of_account(p: &Problem) -> bool {
    p.message.as_str().contains("of [share] account")
}

/// What an account is that can ask servers.
const NO_RIGHTS: &str = "Let the service change user and group (CAP_SETUID, CAP_SETGID), or make an account that is nobody \
                         else's, as with useradd --system --user-group --no-create-home --home-dir / --shell \
                         /usr/sbin/nologin pcm-reader, and name it there or leave the line out";

/// By whom what servers send is taken apart.
fn listened_to(by: Option<&Account>) -> String {
    match by {
        Some(account) => format!("{} listens to servers, without rights of root", account.name),
        None => format!(
            "root itself listens to servers; an account {READER} would do so without rights of root: useradd --system --user-group \
             --no-create-home --home-dir / --shell /usr/sbin/nologin {READER}"
        ),
    }
}

pub fn share(facts: &Facts) -> CheckItem {
    let shares: Vec<String> = facts.subject.config.shares.iter().map(|s| s.display().to_string()).collect();
    let findings = match &facts.look {
        None => vec![not_enrolled(facts)],
        Some(Err(why)) => vec![block(
            format!("{}: {why}", shares.join(", ")),
            "See whether its server answers and it is mounted; what is held stays in force meanwhile",
        )],
        Some(Ok(look)) => match (&look.found, &look.fault) {
            (Some(found), _) => {
                // An index says no name of the site.
                let name = &found.site.name;
                let name = if name.is_empty() { String::new() } else { format!(", \"{name}\",") };
                let (share, site) = (found.share.display(), found.site.site);
                let mut findings = vec![pass(format!("{share} is site {site}{name} and answers"))];
                findings.extend(facts.listens.as_ref().map(|by| pass(listened_to(by.as_ref()))));
                // Others that were configured and not used.
                let faults = look.problems.iter().filter(|p| !p.is_warning());
                findings.extend(
                    faults.map(|p| block(place(p), "Put that share right, or take it out of `shares`")),
                );
                findings
            }
            (None, Some(fault)) => {
                let remedy = match fault.code {
                    Code::ShareMissing => "Mount the share, or correct `shares` in the configuration",
                    Code::ShareDenied
                        if fault.problems.iter().any(|p| p.file.as_str().starts_with("s3://")) =>
                    {
                        "Let this machine's key get the objects there and list the bucket, or correct `shares` or [share] \
                         credentials in the configuration"
                    }
                    Code::ShareDenied => "Give the service's account the right to read it",
                    // The share is well; what is missing on it is `instructions`.
                    _ => {
                        let found = pass(format!("{} answers", shares.join(", ")));
                        return item("share", vec![found]);
                    }
                };
                // Locations differ: of one the key file is wrong, and another one is not mounted.
                let mend = |p: &Problem| match p {
                    p if is_of_key_file(p) => KEY_FILE,
                    p if is_of_account(p) => NO_RIGHTS,
                    _ => remedy,
                };
                let problems = fault.problems.iter().map(|p| block(place(p), mend(p)));
                problems.collect()
            }
            (None, None) => vec![unknown("the share gave neither a file nor a reason", "Report this")],
        },
    };
    item("share", findings)
}

pub fn instructions(facts: &Facts) -> CheckItem {
    let mut findings = Vec::new();
    if let Ok(status) = &facts.views.status {
        let older = status.problems.iter().filter(|p| p.code == Code::Rollback.as_str());
        findings.extend(older.map(|p| block(place(p), Code::Rollback.row().remedy)));
        if !findings.is_empty() {
            return item("instructions", findings);
        }
    }
    match &facts.look {
        None => findings.push(not_enrolled(facts)),
        Some(Ok(look)) if look.found.is_none() => {
            let fault =
                look.fault.as_ref().filter(|f| !matches!(f.code, Code::ShareMissing | Code::ShareDenied));
            let problems = fault.into_iter().flat_map(|f| &f.problems);
            let remedy = match fault.map(|fault| fault.code) {
                Some(Code::InsMissing) => {
                    "Publish one for this machine, or correct `machine` in the configuration"
                }
                Some(code) if is_trust(code) => "See `trust`",
                _ => "Have the publisher correct it: pcm site lint DIR finds all of it",
            };
            findings.extend(problems.map(|p| block(place(p), remedy)));
        }
        _ => {}
    }
    match &facts.file {
        None if findings.is_empty() => {
            findings.push(unknown("there is none that could be read", "See `share`"));
        }
        None => {}
        Some(file) => {
            let rejected: Vec<String> = file
                .requests
                .iter()
                .filter_map(|entry| match entry {
                    Entry::Rejected(rejected) => rejected.problems.first().map(place),
                    Entry::Good(_) => None,
                })
                .collect();
            if !rejected.is_empty() {
                findings.push(block(
                    format!("{} rejected: {}", count(rejected.len(), "request"), named(&rejected)),
                    "Have the publisher correct it: pcm site lint DIR finds all of it",
                ));
            }
            if let Some(until) = file.valid_until.filter(|until| *until <= facts.now) {
                findings.push(block(
                    format!(
                        "serial {} was valid until {} and is not in force any more",
                        file.serial,
                        stamp(until, facts)
                    ),
                    "Have the instructions published again",
                ));
            }
            findings.push(pass(format!(
                "serial {} of {}, {}, from {}",
                file.serial,
                stamp(file.issued, facts),
                count(file.requests.len(), "request"),
                facts.file_from
            )));
        }
    }
    item("instructions", findings)
}

/// What brings this machine's report to a share.
fn how_it_gets_there(facts: &Facts) -> String {
    let config = &facts.subject.config;
    let mut shares = config.shares.iter();
    if config.share.report.is_none() && shares.all(|share| remote::is_read_only(share)) {
        return "Nobody writes to a web server: name a place where its report goes, [share] report"
            .to_owned();
    }
    format!("The service writes it; if it runs, see in `{} log` why it could not", facts.pcm())
}

pub fn machine_report(facts: &Facts) -> CheckItem {
    let finding = match &facts.report {
        None => not_enrolled(facts),
        Some(Err(why)) => unknown(format!("the share was not read: {why}"), "See `share`"),
        Some(Ok(reported)) => match &reported.found {
            None => {
                let faults: Vec<&str> = reported.faults.iter().map(|f| f.as_str()).collect();
                match facts.look.as_ref().is_some_and(|l| l.as_ref().is_ok_and(|l| l.answered)) {
                    true => block(
                        format!("this machine is not among the site's reports: {}", faults.join("; ")),
                        how_it_gets_there(facts),
                    ),
                    false => unknown("the share does not answer as one", "See `share`"),
                }
            }
            Some((file, report)) => {
                let heartbeat = Duration::from_secs(report.summary.heartbeat_s).min(LONGEST_HEARTBEAT);
                let may_be = heartbeat.saturating_mul(2).saturating_add(REPORT_SLACK);
                let age = between(report.summary.reported_at, facts.now);
                let host = &facts.host;
                if Some(report.summary.machine) != facts.subject.config.machine {
                    block(
                        format!("{file} is the report of {}", report.summary.machine),
                        "Two machines must not have one id: correct `machine` in one configuration",
                    )
                } else if report.summary.host != *host {
                    block(
                        format!("{file} was written by {}, and this is {host}", report.summary.host),
                        "If this machine was renamed, wait for its next report; otherwise two machines have one id",
                    )
                } else if has_a_double(facts) {
                    block(
                        format!("{file} stands as it is: another machine reports with this one's id"),
                        "See `one-machine`",
                    )
                } else if age > may_be {
                    block(
                        format!(
                            "{file} is of {}, {}, older than two intervals of {}",
                            stamp(report.summary.reported_at, facts),
                            ago(report.summary.reported_at, facts),
                            crate::text::duration(heartbeat)
                        ),
                        format!("See in `{} log` why the service does not report", facts.pcm()),
                    )
                } else {
                    pass(format!(
                        "{file}, {}, by pcm {}",
                        ago(report.summary.reported_at, facts),
                        report.rest.pcm_version
                    ))
                }
            }
        },
    };
    let mut findings = vec![finding];
    if let Ok(status) = &facts.views.status {
        let undelivered = status.problems.iter().filter(|p| p.code == "undelivered");
        findings.extend(undelivered.map(|p| {
            let said = p.message.to_string();
            let remedy = delivered(facts, &said);
            block(said, remedy)
        }));
    }
    item("machine-report", findings)
}

/// Once both machines know of each other, neither writes over what the other one wrote.
fn has_a_double(facts: &Facts) -> bool {
    let status = facts.views.status.as_ref();
    status.is_ok_and(|status| status.problems.iter().any(|p| p.code == Code::TwoMachines.as_str()))
}

pub fn polling_interval(facts: &Facts) -> CheckItem {
    let config = &facts.subject.config;
    let (interval, stale) = (facts.polling_interval(), config.share.stale_after);
    let finding = if interval >= stale {
        block(
            format!(
                "polling every {} is not more often than instructions grow stale ([share] stale_after {}): between two \
                 polls nothing would run",
                text::duration(interval),
                text::duration(stale)
            ),
            "Poll more often, or let them grow older",
        )
    } else if interval < ORIGINAL_INTERVAL {
        pass(format!(
            "every {}. The original needed at least 20m, or a package ran again before its result had been processed; \
             here this machine's own history decides, so it does not matter",
            text::duration(interval)
        ))
    } else {
        pass(format!("every {}, which is at least 20m", text::duration(interval)))
    };
    item("polling-interval", vec![finding])
}

pub fn trust(facts: &Facts) -> CheckItem {
    let config = &facts.subject.config;
    let mut findings = Vec::new();
    for (why, remedy) in &facts.loose {
        findings.push(block(why.clone(), remedy.clone()));
    }
    if facts.modes_are_real {
        findings.push(pass(
            "program, configuration and state can be changed by root and the service's account only",
        ));
    } else {
        findings.push(unknown(
            "who may change program and configuration cannot be told on this system yet",
            "See that only administrators can",
        ));
    }
    if config.trust.mode == TrustMode::Permissions {
        findings.push(pass("UNSIGNED: who may write to the share decides what runs here"));
    }
    let refused = |code: Code, why: &str| {
        block(
            format!("what is published is not believed ({code}): {why}"),
            match code {
                Code::Unsigned => "Decide for `[trust] mode = \"permissions\"`, or have it signed",
                _ => "Put it right on the share; until then nothing of it runs",
            },
        )
    };
    let look = facts.look.as_ref().and_then(|look| look.as_ref().ok());
    match (look.and_then(|look| look.found.as_ref()), look.and_then(|look| look.fault.as_ref())) {
        (Some(found), _) => findings.push(match &found.trust {
            TrustVerdict::Trusted(why) => pass(format!("what is published is believed: {why}")),
            TrustVerdict::Refused(code, why) => refused(*code, why.as_str()),
            TrustVerdict::Unchecked => unknown("what is published was not judged", "See `share`"),
        }),
        (None, Some(fault)) if is_trust(fault.code) => {
            findings.extend(fault.problems.iter().map(|p| refused(fault.code, &place(p))));
        }
        (None, _) if facts.look.is_none() => findings.push(not_enrolled(facts)),
        (None, _) => {
            findings.push(unknown("nothing that is published could be read to judge", "See `share`"))
        }
    }
    item("trust", findings)
}

/// Whether it says that something is not believed.
fn is_trust(code: Code) -> bool {
    code.row().gate == Gate::Trust
}

fn place(problem: &Problem) -> String {
    let line = problem.line.map(|line| format!(", line {line}")).unwrap_or_default();
    let field = problem.field.as_ref().map(|field| format!(", {field}")).unwrap_or_default();
    format!("{}{line}{field}: {}", problem.file, problem.message)
}

/// Whether the service runs, as far as it says so.
pub(super) fn service_runs(facts: &Facts) -> bool {
    facts.views.status.as_ref().is_ok_and(|s| s.service == ServiceState::Running)
}
