//! The article's questions about the service: configured, installed, running, of which version and date, and as which
//! account, with its rights as they were tried.

use super::super::ConfigRead;
use super::super::facts::Facts;
use super::super::probe::{Failed, Tried};
use super::{Finding, block, item, not_enrolled, pass, stamp, unknown};
use crate::error::Failure;
use crate::executor::talk::protocol::OTHER_MACHINE;
use crate::executor::talk::view::{CheckItem, ServiceState};
use crate::host::supervisor::Registered;
use crate::site::trust::TrustVerdict;
use crate::text::SafeText;

/// The version of this program.
const VERSION: &str = env!("CARGO_PKG_VERSION");

pub fn configuration(facts: &Facts) -> CheckItem {
    let (file, pcm, config) = (facts.subject.layout.config.display(), facts.pcm(), &facts.subject.config);
    let init = format!("{pcm} init --machine SMSID --share LOCATION");
    let findings = match &facts.subject.read {
        ConfigRead::Absent => vec![block(
            format!("this machine is not enrolled: there is no {file}"),
            format!("Enrol it: {init}"),
        )],
        ConfigRead::Bad(problems) => problems
            .iter()
            .map(|p| {
                let line = p.line.map(|line| format!(", line {line}")).unwrap_or_default();
                let field = p.field.as_ref().map(|field| format!(", {field}")).unwrap_or_default();
                block(
                    format!("{}{line}{field}: {}", p.file, p.message),
                    format!("Correct {file}; until then nothing runs by itself"),
                )
            })
            .collect(),
        ConfigRead::Good => {
            let mut findings = Vec::new();
            if config.machine.is_none() {
                findings.push(block(
                    format!("{file} does not say which machine this is"),
                    format!("Write `machine = \"SMSID\"` into {file}"),
                ));
            }
            if config.shares.is_empty() {
                findings.push(block(
                    format!("{file} names no share"),
                    format!("Write `shares = [\"LOCATION\"]` into {file}"),
                ));
            }
            let status = facts.views.status.iter().flat_map(|status| &status.problems);
            findings.extend(
                status
                    .filter(|p| p.code == "needs-restart")
                    .map(|p| block(p.message.to_string(), "Restart the service; packages that run go on")),
            );
            if findings.is_empty() {
                let machine = config.machine.map(|m| m.to_string()).unwrap_or_default();
                let shares: Vec<String> = config.shares.iter().map(|s| s.display().to_string()).collect();
                findings.push(pass(format!("{file}: machine {machine}, {}", shares.join(", "))));
            }
            findings
        }
    };
    item("configuration", findings)
}

pub fn installed(facts: &Facts) -> CheckItem {
    let install = format!("{} service install", facts.pcm());
    let by_hand = format!("Let whatever starts services here run: {} service run", facts.pcm());
    let finding = match (&facts.service.registered, facts.service.supervised) {
        (None, _) => unknown("pcm knows no way to register a service on this system", by_hand),
        (Some(Registered::Unknown(why)), _) => {
            unknown(why.clone(), format!("Look as root: {} check", facts.pcm()))
        }
        (Some(Registered::No), false) => unknown(
            "systemd does not run here, and nothing else can be asked what starts the service with the machine",
            by_hand,
        ),
        (Some(Registered::No), true) => {
            block("nothing starts the service when the machine starts", format!("Install it: {install}"))
        }
        (Some(Registered::Otherwise { file, starts }), _) => block(
            format!("{} starts another installation or program: {starts}", file.display()),
            format!("If it is this one that is meant: {install}"),
        ),
        (Some(Registered::Masked { file, unmask }), _) => block(
            format!("pcm.service is masked by {}: nothing starts it", file.display()),
            format!("If that is not meant: {unmask}, then {install}"),
        ),
        (Some(Registered::Disabled { file }), true) => block(
            format!("{} is there and is not started with the machine", file.display()),
            "Have it started: systemctl enable --now pcm.service",
        ),
        (Some(Registered::Yes { file } | Registered::Disabled { file }), false) => {
            unknown(format!("{} is written, and systemd does not run here", file.display()), by_hand)
        }
        (Some(Registered::Yes { file }), true) => {
            pass(format!("{} starts it with the machine", file.display()))
        }
    };
    item("service-installed", vec![finding])
}

pub fn running(facts: &Facts) -> CheckItem {
    let answers = facts.views.status.as_ref().is_ok_and(|s| s.service == ServiceState::Running);
    let start = match facts.service.registered {
        Some(Registered::Yes { .. }) if facts.service.supervised => "systemctl start pcm.service".to_owned(),
        _ => format!("{} service run", facts.pcm()),
    };
    if let Some(failure) = of_another(facts) {
        return item("service-running", vec![block(failure.message.as_str(), failure.remedy.as_str())]);
    }
    let finding = match (&facts.service.holder, answers) {
        (Some(holder), true) => pass(format!("{holder}, and it answers")),
        (None, true) => pass("it answers"),
        (Some(holder), false) => block(
            format!(
                "the executor is held by {holder}, and nothing answers at {}",
                facts.subject.layout.socket.display()
            ),
            format!("See whether that process is well, then: {start}"),
        ),
        (None, false) => block(
            "nobody is the executor, so nothing runs by itself and nothing is reported",
            match facts.service.registered {
                Some(Registered::Masked { .. }) => "See `service-installed`".to_owned(),
                _ => format!("Start it: {start}"),
            },
        ),
    };
    item("service-running", vec![finding])
}

/// The refusal of a service that answers and is another machine's: nothing that it says is about this one.
fn of_another(facts: &Facts) -> Option<&Failure> {
    facts.views.status.as_ref().err().filter(|failure| failure.code == OTHER_MACHINE)
}

pub fn version(facts: &Facts) -> CheckItem {
    let service = &facts.service;
    let installed = match (&service.installed, service.installed_at) {
        (Some(path), Some(at)) => format!("{} {VERSION} of {}", path.display(), stamp(at, facts)),
        (Some(path), None) => format!("{} {VERSION}", path.display()),
        _ => VERSION.to_owned(),
    };
    let running = facts.views.status.as_ref().ok().filter(|s| s.service == ServiceState::Running);
    let Some(running) = running else {
        let runs = if of_another(facts).is_some() { "of this machine answers" } else { "runs" };
        return item(
            "service-version",
            vec![unknown(format!("no service {runs}; installed is {installed}"), "See `service-running`")],
        );
    };
    let restart = "Restart the service; a package that runs goes on".to_owned();
    let mut findings = Vec::new();
    if running.version.as_str() != VERSION {
        findings.push(block(
            format!("the service runs version {}, and installed is {installed}", running.version),
            restart.clone(),
        ));
    }
    match &service.image {
        Some(Ok(image)) if image.replaced => findings.push(block(
            format!("the service still runs what {} was before it was replaced", image.path.display()),
            restart,
        )),
        Some(Ok(image)) if Some(&image.path) != service.installed.as_ref() => findings.push(pass(format!(
            "the service runs {} {}; this pcm is {installed}",
            image.path.display(),
            running.version
        ))),
        Some(Ok(_)) => findings.push(pass(format!("the service runs what is installed: {installed}"))),
        Some(Err(_)) | None => findings.push(pass(format!(
            "the service runs version {}; from which file, only root and its own account may see",
            running.version
        ))),
    }
    item("service-version", findings)
}

pub fn account(facts: &Facts) -> CheckItem {
    let pcm = facts.pcm();
    let Ok(owner) = &facts.owner() else {
        return item("account", vec![no_state(facts)]);
    };
    let mut findings = Vec::new();
    if let Some(acts) = &facts.service.acts_as
        && (acts.uid, &acts.sid) != (owner.uid, &owner.sid)
    {
        findings.push(block(
            format!("the service runs as {}, and its state belongs to {}", acts.name, owner.name),
            format!(
                "Run the service as {}, or give it the state: chown -R {} {}",
                owner.name,
                acts.name,
                facts.subject.layout.state.display()
            ),
        ));
    }
    let root = owner.uid == Some(0);
    match &facts.subject.config.run.run_as {
        Some(name) => match &facts.run_as {
            None => findings.push(block(
                format!("[run] run_as names the account {name:?}, which is not known here"),
                format!("Make the account, or correct {}", facts.subject.layout.config.display()),
            )),
            Some(account) if !root && owner.uid.is_some() && account.uid != owner.uid => findings.push(block(
                format!("packages are to run as {name}, which only a service of root's can do, and it is {}'s", owner.name),
                "Run the service as root, or leave [run] run_as out",
            )),
            Some(_) => findings.push(pass(format!("the service is {}'s, and packages run as {name}", owner.name))),
        },
        None if root || owner.uid.is_none() => {
            findings.push(pass(format!("the service and its packages run as {}", owner.name)));
        }
        None => findings.push(pass(format!(
            "the service and its packages run as {}, which can install only what that account may (`{pcm} show REQUEST` \
             says who runs it)",
            owner.name
        ))),
    }
    item("account", findings)
}

fn no_state(facts: &Facts) -> Finding {
    let state = facts.subject.layout.state.display();
    unknown(format!("there is no state folder {state} whose owner the service would be"), "See `state`")
}

pub fn rights_state(facts: &Facts) -> CheckItem {
    right(
        facts,
        "rights-state",
        |t| &t.state,
        |facts, tried| {
            format!("Give it to {}: chown -R {} {}", tried.by, tried.by, facts.subject.layout.state.display())
        },
    )
}

pub fn rights_log(facts: &Facts) -> CheckItem {
    right(
        facts,
        "rights-log",
        |t| &t.log,
        |facts, tried| {
            let log = facts.subject.layout.log.display();
            format!(
                "Make the folder or give it to {by}: mkdir -p {log}/runs && chown -R {by} {log}",
                by = tried.by
            )
        },
    )
}

pub fn rights_stage(facts: &Facts) -> CheckItem {
    right(
        facts,
        "rights-stage",
        |t| &t.stage,
        |facts, tried| {
            let stage = facts.subject.layout.stage();
            if tried.no_exec {
                format!(
                    "{} is on a file system mounted noexec: mount it with exec, or name a state folder elsewhere (--state)",
                    stage.display()
                )
            } else {
                format!(
                    "Every account that runs packages must be able to pass through to {}",
                    stage.display()
                )
            }
        },
    )
}

pub fn rights_process(facts: &Facts) -> CheckItem {
    right(
        facts,
        "rights-process",
        |t| &t.process,
        |_, tried| format!("Look for a limit on processes of {}, and for whether it may start pcm", tried.by),
    )
}

fn right(
    facts: &Facts,
    name: &str,
    of: impl FnOnce(&Tried) -> &Result<SafeText, Failed>,
    remedy: impl FnOnce(&Facts, &Tried) -> String,
) -> CheckItem {
    let finding = match &facts.tried {
        Ok(tried) => match of(tried) {
            Ok(done) => pass(format!("as {}: {done}", tried.by)),
            Err(Failed { why, help: Some(help) }) => block(format!("as {}: {why}", tried.by), help.as_str()),
            Err(Failed { why, help: None }) => block(format!("as {}: {why}", tried.by), remedy(facts, tried)),
        },
        Err(why) if facts.owner().is_err() => unknown(why.as_str(), "See `state`"),
        Err(why) => unknown(why.as_str(), format!("Look as root: {} check", facts.pcm())),
    };
    item(name, vec![finding])
}

pub fn rights_share(facts: &Facts) -> CheckItem {
    let as_service = facts.tried.is_ok();
    let by = facts.owner().map_or_else(|_| facts.me.name.clone(), |owner| owner.name);
    let finding = match &facts.look {
        None => not_enrolled(facts),
        Some(Err(why)) => unknown(format!("the share was not read: {why}"), "See `share`"),
        Some(Ok(look)) => match (&look.found, &look.fault) {
            (Some(found), _) if as_service => {
                let refused = matches!(found.trust, TrustVerdict::Refused(..));
                let but = if refused { ", though what it says is not trusted (see `trust`)" } else { "" };
                pass(format!("as {by}: read {}{but}", found.share.display()))
            }
            (Some(found), _) => unknown(
                format!(
                    "{} reads {}; whether {by} does, only it and root can try",
                    facts.me.name,
                    found.share.display()
                ),
                format!("Look as root: {} check", facts.pcm()),
            ),
            (None, Some(fault)) if fault.code.as_str() == "share-denied" => {
                let said: Vec<String> =
                    fault.problems.iter().map(|p| format!("{}: {}", p.file, p.message)).collect();
                let said = if said.is_empty() { "it is denied".to_owned() } else { said.join("; ") };
                match as_service {
                    true => {
                        block(format!("as {by}: {said}"), format!("Give {by} the right to read the share"))
                    }
                    false => unknown(
                        format!("as {}: {said}", facts.me.name),
                        format!("Look as root: {} check", facts.pcm()),
                    ),
                }
            }
            _ => unknown("the share gave nothing that is published to read", "See `share`"),
        },
    };
    item("rights-share", vec![finding])
}
