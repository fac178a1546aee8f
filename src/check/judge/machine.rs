//! The article's questions about the machine: a backup to go back to, who is logged on, what a restart would cost them.

use super::super::facts::{Backup, Facts};
use super::{block, count, item, named, pass, unknown};
use crate::executor::talk::view::CheckItem;
use crate::host::sessions::Session;
use crate::site::instruction::{Request, Restarts, RunWhen};
use crate::text;
use std::time::Duration;

/// That nobody is told is a choice; that the program is missing which should tell somebody is none.
pub fn notifications(facts: &Facts) -> CheckItem {
    let finding = match (facts.subject.config.notify.command.first(), &facts.pager) {
        (None, _) => pass("nobody is told of failures: [notify] command names no program"),
        (Some(program), Some(why)) => block(
            format!("{program}, which [notify] command names, cannot be started: {why}"),
            format!("Put that program there, or correct {}", facts.subject.layout.config.display()),
        ),
        (Some(program), None) => pass(format!("{program} is told of failures")),
    };
    item("notifications", vec![finding])
}

pub fn backup(facts: &Facts) -> CheckItem {
    let check = &facts.subject.config.check;
    let mut findings = Vec::new();
    match &facts.backup {
        Backup::NotSet => findings.push(unknown(
            "nothing says how a backup of this machine is recognised",
            "Name a command or a file in the configuration: [check] backup = [\"/path/of/command\"], or backup_marker = \
             \"/path/of/file\" with backup_within = \"24h\"",
        )),
        Backup::NotAsked(why) => {
            findings.push(unknown(format!("[check] backup was not run: {why}"), "Put `trust` right first"));
        }
        Backup::Asked { marker, command } => {
            match marker {
                Some(Ok(age)) if *age > check.backup_within => findings.push(block(
                    format!(
                        "the newest backup is {} old, and [check] backup_within is {}",
                        text::duration(*age),
                        text::duration(check.backup_within)
                    ),
                    "Make a backup before anything is installed",
                )),
                Some(Ok(age)) => findings.push(pass(format!("a backup ended {} ago", text::duration(*age)))),
                Some(Err(why)) => findings.push(block(
                    format!("the marker of a backup is not there: {why}"),
                    "Make a backup before anything is installed, or correct [check] backup_marker",
                )),
                None => {}
            }
            let said = |text: &text::SafeText| if text.is_empty() { String::new() } else { format!(": {text}") };
            match command {
                Some(Ok((0, text))) => findings.push(pass(format!("[check] backup is content{}", said(text)))),
                Some(Ok((code, text))) => findings.push(block(
                    format!("[check] backup ended with exit {code}{}", said(text)),
                    "Make a backup before anything is installed",
                )),
                Some(Err(why)) if !facts.administrator => findings.push(unknown(
                    format!("[check] backup could not be asked as {}: {why}", facts.me.name),
                    format!("Look as root: {} check", facts.pcm()),
                )),
                Some(Err(why)) => findings.push(block(
                    format!("[check] backup gave no answer: {why}"),
                    "Correct [check] backup, or what it calls",
                )),
                None => {}
            }
        }
    }
    item("backup", findings)
}

/// `anna on pts/0 from 10.1.2.3, idle 5m`
fn user(session: &Session) -> String {
    let mut said = format!("{} on {}", session.user, session.terminal);
    if !session.from.is_empty() && session.from.as_str() != "console" {
        said.push_str(&format!(" from {}", session.from));
    }
    match (session.locked, session.idle_s) {
        (Some(true), _) => said.push_str(", locked"),
        (_, Some(idle)) => said.push_str(&format!(", idle {}", text::duration(Duration::from_secs(idle)))),
        _ => {}
    }
    said
}

/// Who counts: those that are not ignored.
fn users(facts: &Facts) -> Option<Vec<&Session>> {
    let ignored = &facts.subject.config.users.ignore;
    let known = facts.users.known()?;
    Some(known.iter().filter(|s| !ignored.iter().any(|name| name == s.user.as_str())).collect())
}

pub fn logged_on(facts: &Facts) -> CheckItem {
    let open = facts.open_requests();
    let waits: Vec<String> = open
        .iter()
        .filter(|r| r.run_when != RunWhen::Any && r.mandatory_after.is_some())
        .map(|r| r.request_id.to_string())
        .collect();
    let mut findings = Vec::new();
    match users(facts) {
        None => {
            let note = facts.users.note.as_ref().map(|n| format!(": {n}")).unwrap_or_default();
            let said = format!("who is logged on cannot be known here{note}");
            findings.push(if waits.is_empty() {
                unknown(said, "Nothing published here asks for it; what will, waits")
            } else {
                block(
                    format!(
                        "{said}; {} asked for it and would wait for ever: {}",
                        count(waits.len(), "request"),
                        named(&waits)
                    ),
                    format!(
                        "Run logind, or run it by hand: {} run {} --override users --reason R",
                        facts.pcm(),
                        waits[0]
                    ),
                )
            });
        }
        Some(users) if users.is_empty() => {
            findings.push(pass(format!("nobody, says {}", facts.users.source)));
        }
        Some(users) => {
            let each: Vec<String> = users.iter().map(|s| user(s)).collect();
            findings.push(pass(format!(
                "{} ({}): {}",
                count(each.len(), "log-on"),
                facts.users.source,
                named(&each)
            )));
        }
    }
    item("logged-on", findings)
}

pub fn restarts(facts: &Facts) -> CheckItem {
    let mut findings = Vec::new();
    if let Ok(status) = &facts.views.status
        && status.restart_pending
    {
        findings.push(block(
            "a restart that a package asked for is pending, and until it has happened nothing else runs by itself",
            format!("`{} restart now` warns logged-on users and restarts the machine", facts.pcm()),
        ));
    }
    let open = facts.open_requests();
    let restarting: Vec<&Request> = open.iter().copied().filter(|r| r.restarts != Restarts::No).collect();
    if restarting.is_empty() {
        findings.push(pass("nothing that is still to run restarts the machine"));
        return item("restarts", findings);
    }
    let ids: Vec<String> = restarting.iter().map(|r| r.request_id.to_string()).collect();
    let what = format!(
        "{} the machine: {}",
        if ids.len() == 1 { "1 request restarts" } else { "several requests restart" },
        named(&ids)
    );
    findings.push(match users(facts) {
        None => unknown(
            format!("{what}; whom that would cost their work cannot be known here"),
            format!(
                "Ask around before it runs; `{} defer {} --for D --reason R` puts it off",
                facts.pcm(),
                ids[0]
            ),
        ),
        Some(users) if users.is_empty() => pass(format!("{what}; nobody is logged on to lose work by it")),
        Some(users) => {
            let each: Vec<String> = users.iter().map(|s| user(s)).collect();
            pass(format!("{what}; it would end what these have open: {}", named(&each)))
        }
    });
    item("restarts", findings)
}
