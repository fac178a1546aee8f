//! Which machines `--hosts` means, and how each is reached.

use crate::cli::App;
use crate::cli::args::FolderArgs;
use crate::error::{Exit, Failure, Result};
use crate::host::host_name::HostName;
use crate::host::open;
use crate::host::ssh::Reach;
use crate::site::folder::Folder;
use crate::site::folder::machines::{Machine, Machines};
use crate::site::ids::MachineId;
use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::Path;

/// The longest file of names that is read.
const MAX_FILE: u64 = 1 << 20;
/// So many hosts are asked at most.
const MOST: usize = 10_000;

/// One machine that is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// How rows name it.
    pub name: String,
    /// How it is reached.
    pub reach: Reach,
    /// What it has to be, where the site folder knows.
    pub machine: Option<MachineId>,
}

/// The hosts that are named, each once, in the order in which they are named.
///
/// # Errors
/// A name is none, a file cannot be read, there are none or too many; or the site folder that is named cannot be read.
pub fn hosts(app: &App, named: &[String], folder: &FolderArgs) -> Result<Vec<Host>> {
    let machines = machines(app, folder)?;
    let mut names = Vec::new();
    for word in named.iter().map(|word| word.trim()).filter(|word| !word.is_empty()) {
        let path = Path::new(word);
        if word.contains(['/', '\\']) || path.is_file() {
            let text = contents(path)?;
            let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default());
            names.extend(lines.flat_map(|line| line.split([',', ' ', '\t', '\r'])).map(str::to_owned));
        } else {
            names.push(word.to_owned());
        }
    }
    let mut seen = BTreeSet::new();
    let mut hosts = Vec::new();
    for name in names.into_iter().filter(|name| !name.is_empty()) {
        let host = host(&name, &machines)?;
        if seen.insert(host.reach.host.to_string()) {
            hosts.push(host);
        }
    }
    match hosts.len() {
        0 => Err(wrong("--hosts names no host".into(), "Name one, or a file that holds names, one a line")),
        n if n > MOST => {
            Err(wrong(format!("--hosts names {n} hosts, more than {MOST}"), "Name fewer at once"))
        }
        _ => Ok(hosts),
    }
}

/// The machines of the site folder; none where none is named and there is none.
fn machines(app: &App, named: &FolderArgs) -> Result<Machines> {
    let folder = match app.setup.site_folder(named) {
        Ok(dir) => Folder::open(&dir)?,
        Err(_) if named.folder.is_none() => return Ok(Machines::new()),
        Err(e) => return Err(e),
    };
    folder.read_machines().map_err(|problems| {
        let first = problems.first().map_or_else(String::new, |problem| format!(": {}", problem.message));
        let message =
            format!("the list of machines {} cannot be read{first}", folder.machines_path().display());
        Failure::new(Exit::Usage, "usage", message, "`pcm site lint` says all that is wrong with it")
    })
}

/// A host by its name, or by the id or the host name of a machine of the site.
fn host(name: &str, machines: &Machines) -> Result<Host> {
    let id: Option<MachineId> = name.parse().ok();
    let by_id = id.and_then(|id| machines.get(&id));
    if let Some(machine) = by_id.filter(|machine| machine.host.is_none()) {
        let message = format!("the site folder does not say which host {} is", machine.id);
        return Err(wrong(message, "Say so with `pcm site machine add --host`, or name the host"));
    }
    let wanted = by_id.and_then(|machine| machine.host.as_deref()).unwrap_or(name);
    let parsed: HostName = wanted.parse().map_err(|why| {
        wrong(format!("\"{wanted}\" is no host: {why}"), "Correct it in --hosts or its file")
    })?;
    let machine = by_id.or_else(|| of_host(parsed.host(), machines));
    let host_key = machine.and_then(|machine| machine.host_key.clone());
    let reach = Reach { host: parsed, host_key };
    Ok(Host { name: wanted.to_owned(), reach, machine: machine.map(|machine| machine.id) })
}

/// The machine of a host name, without case; None where there are several.
fn of_host<'a>(host: &str, machines: &'a Machines) -> Option<&'a Machine> {
    let is_it =
        |machine: &&Machine| machine.host.as_ref().is_some_and(|other| other.eq_ignore_ascii_case(host));
    let mut found = machines.values().filter(is_it);
    found.next().filter(|_| found.next().is_none())
}

fn contents(path: &Path) -> Result<String> {
    let cannot = |why: String| {
        wrong(format!("the file of hosts {} cannot be read: {why}", path.display()), "Correct --hosts")
    };
    let file = open::named(path).map_err(|e| cannot(e.to_string()))?;
    let mut text = String::new();
    file.take(MAX_FILE + 1).read_to_string(&mut text).map_err(|e| cannot(e.to_string()))?;
    if text.len() as u64 > MAX_FILE {
        return Err(cannot(format!("it is longer than {MAX_FILE} bytes")));
    }
    Ok(text)
}

fn wrong(message: String, remedy: &str) -> Failure {
    Failure::new(Exit::Usage, "usage", message, remedy)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_machine_of_the_site_is_reached_by_its_host_and_with_its_key() {
        let id: MachineId = "BP050001".parse().unwrap();
        let known = Machine {
            host: Some("Web-01".into()),
            host_key: Some("ssh-ed25519 AAAA".into()),
            ..Machine::new(id)
        };
        let silent = Machine::new("BP050002".parse().unwrap());
        let machines: Machines = [known, silent].map(|machine| (machine.id, machine)).into();
        for name in ["BP050001", "web-01", "ola@web-01"] {
            let host = host(name, &machines).unwrap();
            assert_eq!(host.reach.host_key.as_deref(), Some("ssh-ed25519 AAAA"), "{name}");
            assert_eq!(host.machine, Some(id));
        }
        assert_eq!(host("BP050001", &machines).unwrap().name, "Web-01");
        let other = host("web-02", &machines).unwrap();
        assert_eq!((other.reach.host_key, other.machine), (None, None));
        assert!(host("BP050002", &machines).unwrap_err().message.as_str().contains("which host"));
        assert!(host("-oProxyCommand=x", &machines).is_err());
    }
}
