//! What pcm itself lives on: state, history, clock, log, disk.

use super::super::facts::Facts;
use super::share::service_runs;
use super::{ago, block, item, no_view, pass, unknown};
use crate::clock::between;
use crate::executor::engine::LEAST_FREE;
use crate::executor::talk::view::CheckItem;
use crate::terms::{Code, Problem};
use crate::text;
use std::io::ErrorKind;

/// The service says something at every poll; a log that is this many intervals old says that it cannot.
const SILENT_POLLS: u32 = 3;

pub fn state(facts: &Facts) -> CheckItem {
    let state = facts.subject.layout.state.display();
    let init = format!("Make it: {} init", facts.pcm());
    let finding = match (&facts.folders.state, &facts.folders.network) {
        (Ok(_), Some(fs)) => block(
            format!("{state} is on {fs}, a network file system, which pcm refuses"),
            "Name a local folder with --state",
        ),
        (Ok(owner), None) => pass(format!("{state} is local and belongs to {}", owner.name)),
        (Err(ErrorKind::NotFound), _) => block(format!("there is no {state}"), init),
        (Err(ErrorKind::NotADirectory), _) => {
            block(format!("{state} is not a folder"), "Move it away, or name another with --state")
        }
        (Err(kind), _) => {
            unknown(format!("{state} cannot be seen: {kind}"), format!("Look as root: {} check", facts.pcm()))
        }
    };
    let mut findings = vec![finding];
    if let Ok(status) = &facts.views.status {
        let unwritable = status.problems.iter().filter(|p| p.code == "state-unwritable");
        findings.extend(unwritable.map(|p| {
            block(
                p.message.to_string(),
                "Put that right: make room, or see what is wrong with that file or disk; it heals by itself",
            )
        }));
    }
    item("state", findings)
}

pub fn history(facts: &Facts) -> CheckItem {
    let file = facts.subject.layout.history();
    let finding = match &facts.views.list {
        Ok(list) => match list.problems.iter().find(is_unusable) {
            None => pass(format!("{} is whole and agrees with its mark", file.display())),
            Some(found) => block(format!("{}: {}", found.code, evidence(found)), remedy(found, facts.pcm())),
        },
        Err(_) if facts.folders.state.as_ref().is_err_and(|kind| *kind == ErrorKind::NotFound) => block(
            format!("there is no history at {} yet", file.display()),
            format!("Create it: {} init", facts.pcm()),
        ),
        Err(failure) => no_view(failure),
    };
    item("history", vec![finding])
}

/// Nothing is known of what this machine did.
fn is_unusable(problem: &&Problem) -> bool {
    matches!(problem.code.as_str(), "history-lost" | "state-unreadable")
}

pub fn one_machine(facts: &Facts) -> CheckItem {
    let finding = match &facts.views.list {
        Ok(list) => match list.problems.iter().find(|p| p.code == Code::TwoMachines.as_str()) {
            None if list.problems.iter().any(|p| is_unusable(&p)) => unknown(
                "whether another machine reports with this id cannot be known without the history of this one's reports",
                "See `history`",
            ),
            None => pass("no other machine reports with this id"),
            Some(found) => {
                let text = found.message.as_str();
                let (evidence, remedy) =
                    text.split_once(". ").unwrap_or((text, Code::TwoMachines.row().remedy));
                block(evidence, remedy.replace("pcm init", &format!("{} init", facts.pcm())))
            }
        },
        Err(failure) => no_view(failure),
    };
    item("one-machine", vec![finding])
}

/// The problem's message is the core's refusal, a sentence with its remedy behind it.
fn evidence(problem: &Problem) -> String {
    let text = problem.message.as_str();
    let bare = ["history is lost: ", "history is new: ", "history cannot be read: "]
        .iter()
        .find_map(|words| text.strip_prefix(words));
    let text = bare.unwrap_or(text);
    text.split_once(". ").map_or(text, |(evidence, _)| evidence).to_owned()
}

fn remedy(problem: &Problem, pcm: &str) -> String {
    let text = problem.message.as_str();
    let text = text
        .split_once(". ")
        .map_or("Decide: pcm init --adopt=done or --adopt=not-done", |(_, remedy)| remedy);
    text.replace("pcm init", &format!("{pcm} init"))
}

pub fn clock(facts: &Facts) -> CheckItem {
    let finding = match &facts.views.status {
        Ok(status) if status.clock_ok => pass(format!(
            "{} ({}), and it has not gone back",
            super::stamp(facts.now, facts),
            facts.zone.name()
        )),
        Ok(status) => {
            let why = status.problems.iter().find(|p| p.code == "clock-suspect");
            block(
                why.map_or_else(|| "it cannot be believed".to_owned(), |p| p.message.to_string()),
                "Set the clock and keep it synchronised; nothing runs by itself until it has been steady for an hour",
            )
        }
        Err(failure) => no_view(failure),
    };
    item("clock", vec![finding])
}

pub fn log(facts: &Facts) -> CheckItem {
    let file = facts.subject.layout.pacman_log();
    let runs = service_runs(facts);
    let mut findings = Vec::new();
    if let Ok(status) = &facts.views.status {
        let unwritable = status.problems.iter().filter(|p| p.code == "log-unwritable");
        findings.extend(unwritable.map(|p| {
            block(
                format!("{} cannot be written: {}", p.file, p.message),
                "Make room, or give the folder to the service's account",
            )
        }));
    }
    let patience =
        facts.polling_interval().saturating_mul(SILENT_POLLS).max(std::time::Duration::from_secs(120));
    findings.push(match &facts.folders.log_written {
        Ok(at) if runs && between(*at, facts.now) > patience => block(
            format!("{} was last written {}, although the service runs", file.display(), ago(*at, facts)),
            "See whether the service is well, and restart it if it is not",
        ),
        Ok(at) => pass(format!("{}, last written {}", file.display(), ago(*at, facts))),
        Err(ErrorKind::NotFound) if runs => block(
            format!("the service runs and there is no {}", file.display()),
            format!("See in {} where it logs: [log] dir", facts.subject.layout.config.display()),
        ),
        Err(ErrorKind::NotFound) => {
            unknown(format!("there is no {} yet", file.display()), "The service writes it when it starts")
        }
        Err(kind) => unknown(
            format!("{} cannot be seen: {kind}", file.display()),
            format!("Look as root: {} check", facts.pcm()),
        ),
    });
    item("log", findings)
}

pub fn disk(facts: &Facts) -> CheckItem {
    let layout = &facts.subject.layout;
    let mut findings = Vec::new();
    for (what, path, free) in
        [("state", &layout.state, facts.folders.free), ("log", &layout.log, facts.folders.log_free)]
    {
        findings.push(match free {
            None => {
                unknown(format!("how much is free for {} cannot be known", path.display()), "Look with: df")
            }
            Some(free) if free < LEAST_FREE => block(
                format!("{} is free for {what} in {}", text::bytes(free), path.display()),
                format!("Make room: at least {}", text::bytes(LEAST_FREE)),
            ),
            Some(free) => pass(format!("{} free for {what}", text::bytes(free))),
        });
    }
    if let Some(free) = facts.folders.free {
        for request in facts.open_requests() {
            if let Some(wanted) = request.disk_space.filter(|wanted| *wanted > free) {
                findings.push(block(
                    format!(
                        "{} wants {} free, and there are {}",
                        request.request_id,
                        text::bytes(wanted),
                        text::bytes(free)
                    ),
                    format!("Make room where {} is", layout.state.display()),
                ));
            }
        }
    }
    item("disk", findings)
}
