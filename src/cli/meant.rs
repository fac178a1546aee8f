//! Whether the machine and the share that `--machine` and `--share` name are those of this installation (SITE.md 8).
//! `cli::run` asks before a verb of the machine does anything; the service compares the machine again with each call.

use super::setup::{Read, Setup};
use crate::clock::{Zone, ZoneError};
use crate::error::{Exit, Failure, Result};
use crate::executor::ask::Ask;
use crate::executor::client::Client;
use crate::executor::talk::protocol::{Answer, OTHER_MACHINE, View};
use crate::host::facts;
use crate::site::ids::MachineId;
use crate::site::instruction;
use crate::site::share::open_bounded;
use crate::site::trust::TrustMode;
use std::path::Path;

/// Who this installation is where its configuration does not say it, and what does.
enum Here {
    /// The service that answers.
    Service(MachineId),
    /// The instruction file in its state folder.
    Held(MachineId),
    /// Nothing.
    Unknown,
}

impl Here {
    fn of(setup: &Setup) -> Here {
        let client = Client::new(setup.layout.clone(), setup.config.clone());
        if let Ok(Some(machine)) = client.status().map(|doc| doc.machine) {
            return Here::Service(machine);
        }
        // What this account may not read says nothing.
        let held = open_bounded(&setup.layout.held(), instruction::MAX_BYTES).ok();
        held.and_then(|bytes| super::simulate::named_in(&bytes)).map_or(Here::Unknown, Here::Held)
    }

    fn machine(&self) -> Option<MachineId> {
        match self {
            Here::Service(machine) | Here::Held(machine) => Some(*machine),
            Here::Unknown => None,
        }
    }

    fn words(&self, setup: &Setup) -> String {
        match self {
            Here::Service(machine) => format!("the service is that of {machine}"),
            Here::Held(machine) => format!("{} is the state of {machine}", setup.layout.state.display()),
            Here::Unknown => "it is not enrolled".to_owned(),
        }
    }
}

/// Refuses what is meant for another machine or share. Where nothing is configured the flags are obeyed by what only
/// looks: they become the configuration.
///
/// # Errors
/// `other-machine`, `other-share`; `not-enrolled` for what `acts`.
pub fn confirm(setup: &mut Setup, acts: bool) -> Result<()> {
    if setup.config.machine.is_some() {
        return configured(setup);
    }
    if setup.flags.machine.is_none() && setup.flags.shares.is_empty() {
        return Ok(());
    }
    let here = Here::of(setup);
    if let (Some(meant), Some(machine)) = (setup.flags.machine, here.machine())
        && meant != machine
    {
        return Err(other_machine(meant, &here.words(setup)));
    }
    match here {
        Here::Service(_) => setup.flags.shares.first().map_or(Ok(()), |share| {
            Err(other_share(share, "its configuration, which names them, cannot be read by this account"))
        }),
        // Whatever needs the configuration says what is wrong with it.
        Here::Held(_) | Here::Unknown if matches!(setup.read, Read::Bad(_)) => Ok(()),
        Here::Held(_) | Here::Unknown if acts => Err(Failure::new(
            Exit::Refused,
            "not-enrolled",
            "this machine is not enrolled: --machine and --share show it, and nothing can be changed",
            format!("Enrol it with `{} init --machine SMSID --share LOCATION`", setup.pcm),
        )),
        Here::Held(_) | Here::Unknown => {
            setup.looking = true;
            // Nobody has said whose signatures count here; what is only looked at runs nowhere.
            if setup.read == Read::Absent {
                setup.config.trust.mode = TrustMode::Permissions;
            }
            setup.config.machine = setup.flags.machine.or(here.machine());
            if !setup.flags.shares.is_empty() {
                setup.config.shares.clone_from(&setup.flags.shares);
            }
            Ok(())
        }
    }
}

/// The same where the configuration says who this is; where it does not, everything passes.
///
/// # Errors
/// `other-machine`, `other-share`.
pub fn configured(setup: &Setup) -> Result<()> {
    let Some(machine) = setup.config.machine else { return Ok(()) };
    let says = |what: &str| format!("{} says {what}", setup.layout.config.display());
    if let Some(meant) = setup.flags.machine.filter(|meant| *meant != machine) {
        return Err(other_machine(meant, &says(machine.as_str())));
    }
    let own = &setup.config.shares;
    let Some(other) = setup.flags.shares.iter().find(|share| !own.contains(share)) else { return Ok(()) };
    let named: Vec<String> = own.iter().map(|share| share.display().to_string()).collect();
    Err(other_share(other, &says(&if named.is_empty() { "none".to_owned() } else { named.join(", ") })))
}

/// Refuses unless this is the machine that was named with `--machine` where the operator of `--host` sits.
///
/// # Errors
/// It is another one, or it does not know which one it is.
pub fn is_meant(setup: &Setup, expected: MachineId) -> Result<()> {
    let (machine, words) = match setup.config.machine {
        Some(machine) => (Some(machine), format!("{} says {machine}", setup.layout.config.display())),
        None => {
            let here = Here::of(setup);
            (here.machine(), here.words(setup))
        }
    };
    if machine == Some(expected) { Ok(()) } else { Err(other_machine(expected, &words)) }
}

/// The zone of the machine's clock. `TZ` of an operator's shell is that of no service: what a service says of times is in
/// its own zone, and times that are shown or typed beside it are, too.
///
/// # Errors
/// The zone of this process is unknown, or its data is damaged.
pub fn zone(setup: &Setup) -> std::result::Result<Zone, ZoneError> {
    let own = facts::local_zone()?;
    let is_own = |zone: &str| zone.trim_start_matches("Etc/") == own.name().trim_start_matches("Etc/");
    if std::env::var_os("TZ").is_none() || facts::machine_zone("local").is_ok_and(|zone| is_own(zone.name()))
    {
        return Ok(own);
    }
    let client = Client::new(setup.layout.clone(), setup.config.clone());
    match client.ask_service(&View::Status) {
        Ok(Answer::Status(doc)) if !is_own(doc.zone.as_str()) => {
            Ok(facts::machine_zone(doc.zone.as_str()).unwrap_or(own))
        }
        // Whatever is wrong is said of what was asked for.
        _ => Ok(own),
    }
}

fn other_machine(meant: MachineId, why: &str) -> Failure {
    Failure::new(
        Exit::Refused,
        OTHER_MACHINE,
        format!("{} is not {meant}: {why}", crate::host::facts::host_name()),
        "Correct --machine, --host, or --config and --state; nothing was done",
    )
}

fn other_share(share: &Path, why: &str) -> Failure {
    Failure::new(
        Exit::Refused,
        "other-share",
        format!("{} is not a share of this machine: {why}", share.display()),
        "Correct --share or leave it out, or edit `shares` of the configuration; nothing was done",
    )
}
