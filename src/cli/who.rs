//! Who this machine is, by the list of machines of a share under an index (SITE.md 8): the one that is named has to be in it,
//! and without a name the host name says it.

use super::App;
use super::setup::Read;
use crate::error::{Exit, Failure, Result};
use crate::host::facts;
use crate::host::open::{Folder, OpenError, read_bounded};
use crate::site::content::hash_bytes;
use crate::site::ids::MachineId;
use crate::site::index::members::{self, Member};
use crate::site::index::{self, Index, IndexedMembers};
use crate::site::indexed::verify;
use crate::site::instruction::ContentHash;
use crate::site::signed::published::Standing;
use crate::site::signed::store::{Trusted, Wanted};
use crate::site::site_file;
use crate::site::trust::{Judge, TrustMode};
use crate::terms::Code;
use std::path::{Path, PathBuf};

/// The most bytes of all parts of a list: a hundred thousand machines are a tenth of it.
const MAX_LIST: usize = 64 << 20;
/// The most candidates that are named.
const SHOWN: usize = 8;

/// The machine by the list of the share with the newest index. None: no share has one, or its site has no list yet.
/// `trusted`: whose signatures count, in mode `signed`.
///
/// # Errors
/// `no-such-machine`: the list has none like that, or several; `bad-signature` and the like: the index is not believed.
pub fn find(app: &App, named: Option<MachineId>, trusted: Option<Trusted>) -> Result<Option<MachineId>> {
    let shares = match app.setup.flags.shares.as_slice() {
        [] => app.setup.config.shares.clone(),
        shares => shares.to_vec(),
    };
    // How many have to sign is not said before there is a configuration; the service that looks next obeys that.
    let wanted = match app.setup.read {
        Read::Absent => Wanted::Any,
        Read::Good | Read::Bad(_) => Wanted::Exactly(app.setup.config.trust.publish_signatures),
    };
    let trusted = trusted.map(|trusted| trusted.wanting(wanted));
    let (mut best, mut faults): (Option<Listed>, Vec<Failure>) = (None, Vec::new());
    for share in shares {
        // One that hangs keeps nobody from the others.
        match app.needs(&share).and_then(|()| machines(&share, trusted.as_ref(), app.now)) {
            Ok(Some(listed)) if best.as_ref().is_none_or(|best| best.order < listed.order) => {
                best = Some(listed);
            }
            // As new as another one, or older; or it has no index.
            Ok(Some(_) | None) => {}
            Err(why) => faults.push(why),
        }
    }
    let Some(Listed { members: all, .. }) = best else {
        return match faults.into_iter().next() {
            None => Ok(None),
            // Who is named is enrolled; what was not reached is said.
            Some(why) if named.is_some() => {
                app.out.note(format!("whether the site knows this machine was not seen: {}", why.message));
                Ok(None)
            }
            Some(why) => Err(why),
        };
    };
    for fault in faults {
        app.out.note(format!("a share was left out: {}", fault.message));
    }
    let host = facts::host_name();
    choose(&all, named, host.as_str()).map(Some)
}

/// Whether what is published is under an index, as far as the shares answer: in mode `signed` a share without one is taken for
/// one that is filled by hand only where somebody says so.
///
/// # Errors
/// `hand-made`: those that answer have none.
pub fn under_an_index(app: &App) -> Result<()> {
    let mut without = None;
    for share in app.setup.locations() {
        let Some(root) = app.reaches(share).ok().and_then(|()| Folder::open(share).ok()) else { continue };
        match root.file(index::NAME) {
            Err(OpenError::Missing) => without = without.or(Some((share, root))),
            // What is wrong with one that is there is said where it is read.
            Ok(_) | Err(_) => return Ok(()),
        }
    }
    let Some((share, root)) = without else { return Ok(()) };
    let message = format!(
        "the share {} has no {}, so nothing was changed: in mode signed a machine follows an index",
        share.display(),
        index::NAME
    );
    let remedy = match root.file(site_file::NAME) {
        Err(OpenError::Missing) => "Mount it, or publish on it first: pcm site publish",
        Ok(_) | Err(_) => {
            "Publish on it first: pcm site publish; where it is filled by hand, repeat this with --hand-made"
        }
    };
    Err(Failure::new(Exit::Refused, "hand-made", message, remedy))
}

/// Why no share says who this machine is, where that is a matter of the share: it is not there, or nothing is published on it.
pub fn unsaid(app: &App) -> Option<Failure> {
    let why = |share: &PathBuf| {
        let (code, why) = match app.reaches(share).map(|()| Folder::open(share)) {
            Err(why) => (Code::ShareMissing, why.to_string()),
            Ok(Err(e)) if e.is_denial() => (Code::ShareDenied, e.to_string()),
            Ok(Err(e)) => (Code::ShareMissing, e.to_string()),
            Ok(Ok(root)) => {
                let is_missing = |name| matches!(root.file(name), Err(OpenError::Missing));
                if !is_missing(index::NAME) || !is_missing(site_file::NAME) {
                    return None;
                }
                let why =
                    format!("it has no {}, so nothing is published there or it is not mounted", index::NAME);
                (Code::ShareMissing, why)
            }
        };
        let message = format!("nothing says who this machine is: the share {}: {why}", share.display());
        let remedy =
            "Mount the share or correct --share, then try again; or name the machine with --machine SMSID";
        Some(Failure::new(Exit::Share, code.as_str(), message, remedy))
    };
    app.setup.locations().iter().find_map(why)
}

/// Of this list the one with this id, else the one with this host name: whole first, then up to the first dot.
fn choose(all: &[Member], named: Option<MachineId>, host: &str) -> Result<MachineId> {
    let none = |message: String, like: Vec<&Member>| {
        let shown: Vec<String> = like.iter().take(SHOWN).map(|member| candidate(member)).collect();
        let message = match shown.is_empty() {
            true => message,
            false => format!(
                "{message}; there {}: {}",
                if shown.len() == 1 { "is" } else { "are" },
                shown.join(", ")
            ),
        };
        let remedy = "Name one that is in the list with --machine SMSID, or add this machine on the publisher's: pcm site \
                      machine add SMSID --host NAME";
        Failure::new(Exit::NotFound, "no-such-machine", message, remedy)
    };
    let like = |name: fn(&str) -> &str| {
        let wanted = name(host);
        let same = |member: &&Member| {
            member.host.as_deref().is_some_and(|own| name(own).eq_ignore_ascii_case(wanted))
        };
        all.iter().filter(same).collect::<Vec<&Member>>()
    };
    if let Some(id) = named {
        return match all.iter().any(|member| member.machine == id) {
            true => Ok(id),
            false => {
                let message = format!("{id} is not among the {} machines of the site", all.len());
                Err(none(message, like(short)))
            }
        };
    }
    for found in [like(whole), like(short)] {
        match found.as_slice() {
            [] => {}
            [one] => return Ok(one.machine),
            several => {
                let message = format!("{} machines of the site have the host name {host}", several.len());
                return Err(none(message, several.to_vec()));
            }
        }
    }
    let message = format!("none of the {} machines of the site has the host name {host}", all.len());
    Err(none(message, all.iter().collect()))
}

fn whole(name: &str) -> &str {
    name
}

fn short(name: &str) -> &str {
    name.split('.').next().unwrap_or_default()
}

fn candidate(member: &Member) -> String {
    match &member.host {
        Some(host) => format!("{} ({host})", member.machine),
        None => member.machine.to_string(),
    }
}

/// The machines of a site, as an index of this order says.
struct Listed {
    order: (u64, u64),
    members: Vec<Member>,
}

/// All machines of the share's site; None: it has no index, or no list yet.
fn machines(share: &Path, trusted: Option<&Trusted>, now: crate::clock::Wall) -> Result<Option<Listed>> {
    let failed = |path: PathBuf, code: &str, why: String| {
        let message = format!("{}: {why}", path.display());
        Failure::new(Exit::Failed, code, message, "The publisher has to publish again, or name another share")
    };
    let path = share.join(index::NAME);
    let open = Folder::open(share).and_then(|root| Ok((root.file(index::NAME)?, root)));
    let (mut file, root) = match open {
        Ok(open) => open,
        // It may not be mounted yet; a share that is filled by hand has none.
        Err(OpenError::Missing) => return Ok(None),
        Err(e) => return Err(failed(path, "share-missing", e.to_string())),
    };
    let bytes = read_bounded(&mut file, index::MAX_BYTES);
    let bytes = bytes.map_err(|e| failed(path.clone(), "share-missing", e.to_string()))?;
    if trusted.is_none()
        && let Some(loose) = Judge::of(TrustMode::Permissions).loose(share, &[&root], &[&file])
    {
        let message = format!("{}: others than root could have written it: {loose}", path.display());
        let remedy = "Let only root write the share, or name another one";
        return Err(Failure::new(Exit::Refused, Code::LoosePermissions.as_str(), message, remedy));
    }
    let index: Index = match trusted {
        Some(trusted) => verify::index(&bytes, trusted, now, Standing::Offered).map(|(index, _)| index),
        None => verify::unsigned(&bytes, now, Standing::Offered),
    }
    .map_err(|distrust| failed(path, distrust.code.as_str(), distrust.why.to_string()))?;
    let Some(list) = &index.members else { return Ok(None) };
    let folder = share.join("members");
    let members = all(&root, list).map_err(|why| failed(folder, "malformed", why))?;
    Ok(Some(Listed { order: (index.epoch, index.serial), members }))
}

fn all(root: &Folder, list: &IndexedMembers) -> std::result::Result<Vec<Member>, String> {
    let folder = root.folder("members").map_err(|e| e.to_string())?;
    let mut room = MAX_LIST;
    let mut read = |name: &str, sha256: &ContentHash| {
        let bytes = folder.file(name).and_then(|mut file| read_bounded(&mut file, members::MAX_BYTES));
        let bytes = bytes.map_err(|e| format!("{name}: {e}"))?;
        room = room.checked_sub(bytes.len()).ok_or("the list is too long")?;
        match hash_bytes(&bytes) == *sha256 {
            true => Ok(bytes),
            false => Err(format!("{name}: its bytes are not those that the index names")),
        }
    };
    let said = |problems: Vec<crate::terms::Problem>| {
        problems.first().map(|problem| format!("{}: {}", problem.file, problem.message)).unwrap_or_default()
    };
    let name = format!("LIST.{}", list.revision);
    let parts = members::parse_list(&read(&name, &list.sha256)?, &name).map_err(said)?;
    let mut all = Vec::new();
    for part in parts {
        let name = format!("{}.{}", part.name, part.revision);
        all.extend(members::parse_part(&read(&name, &part.sha256)?, &part.name, &name).map_err(said)?);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_host_name_is_compared_whole_and_then_up_to_its_first_dot() {
        let all: Vec<Member> = [
            ("BP004000", Some("web-01.a.example")),
            ("BP004001", Some("web-01.b.example")),
            ("BP004002", Some("DB-01")),
            ("BP004003", None),
        ]
        .into_iter()
        .map(|(id, host)| Member {
            machine: id.parse().unwrap(),
            host: host.map(str::to_owned),
            adopt: None,
            groups: Vec::new(),
        })
        .collect();
        let found = |named: Option<&str>, host: &str| {
            choose(&all, named.map(|id| id.parse().unwrap()), host).map(|id| id.to_string())
        };
        assert_eq!(found(None, "WEB-01.b.example").unwrap(), "BP004001");
        assert_eq!(found(None, "db-01.c.example").unwrap(), "BP004002");
        assert_eq!(found(Some("BP004003"), "db-01").unwrap(), "BP004003");
        let two = found(None, "web-01").unwrap_err();
        assert_eq!((two.exit, two.code.as_str()), (4, "no-such-machine"));
        assert!(two.message.as_str().contains("BP004000 (web-01.a.example), BP004001"), "{two}");
        let none = found(None, "mail").unwrap_err();
        assert!(
            none.message.as_str().contains("none of the 4 machines")
                && none.message.as_str().contains("BP004003"),
            "{none}"
        );
        let stranger = found(Some("BP005000"), "db-01").unwrap_err();
        assert!(
            stranger.message.as_str().contains("BP005000 is not among")
                && stranger.message.as_str().contains("there is: BP004002"),
            "{stranger}"
        );
    }
}
