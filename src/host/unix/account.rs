//! Accounts on Unix, behind `host::account`. Names come from the system's name service, so that accounts of a
//! directory count like local ones.

use super::names::{self, Named};
use super::proc;
use crate::host::account::{self, Account, Actor, READER, Rights, may_operate};
use crate::text::SafeText;
use nix::unistd::{Gid, Uid};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// The number of an account or a group.
pub type Id = u32;

pub fn is_root(account: &Id, _groups: &[Id]) -> bool {
    *account == 0
}

pub fn current() -> Account {
    of_uid(Uid::effective().as_raw(), Gid::effective().as_raw())
}

/// An account by its number, with this group where it has no name.
pub fn of_uid(uid: u32, gid: u32) -> Account {
    by_uid(uid).unwrap_or_else(|| nameless(uid, gid))
}

pub fn owner(path: &Path) -> Option<Account> {
    std::fs::metadata(path).ok().map(|m| of_uid(m.uid(), m.gid()))
}

pub fn other_owner(path: &Path) -> Option<Account> {
    owner(path).filter(|owner| is_administrator() && owner.uid != Some(0))
}

pub fn is_administrator() -> bool {
    Uid::effective().is_root()
}

pub fn by_name(name: &str) -> Option<Account> {
    names::by_name(name).map(account)
}

#[cfg_attr(not(feature = "remote"), allow(dead_code, reason = "nobody is listened to"))]
pub fn without_rights(named: Option<&str>) -> Result<Option<Account>, String> {
    if !is_administrator() {
        return Ok(None);
    }
    let found = match named {
        // A directory that does not answer holds nobody up over an account that is seldom there.
        // The program of a unit test has no such verb.
        None if cfg!(test) => None,
        None => names::local(READER).map(account),
        Some(name) => match names::local(name).map(account).or_else(|| by_name(name)) {
            None => return Err(format!("the account {name:?} of [share] account is not known here")),
            found => found,
        },
    };
    match found {
        Some(root) if root.uid == Some(0) || root.gid == Some(0) => {
            Err(format!("the account {:?} of [share] account has rights of root", root.name.as_str()))
        }
        found => Ok(found),
    }
}

pub fn by_uid(uid: u32) -> Option<Account> {
    names::by_uid(uid).map(account)
}

fn account(named: Named) -> Account {
    Account {
        name: SafeText::new(&named.name),
        uid: Some(named.uid),
        gid: Some(named.gid),
        sid: None,
        home: named.home,
    }
}

/// An account that the name service does not know, as in containers.
fn nameless(uid: u32, gid: u32) -> Account {
    Account {
        name: SafeText::new(&uid.to_string()),
        uid: Some(uid),
        gid: Some(gid),
        sid: None,
        home: PathBuf::from("/"),
    }
}

pub fn group_id(name: &str) -> Option<u32> {
    names::group(name)
}

/// All groups of an account, its primary one included.
pub fn groups(account: &Account) -> Vec<u32> {
    account.gid.map(|gid| names::groups(account.name.as_str(), gid)).unwrap_or_default()
}

pub fn how_to_join(group: &str, account: &str) -> String {
    format!("groupadd -f --system {group} && usermod -aG {group} {account}")
}

pub fn owner_of(path: &Path) -> Option<u32> {
    std::fs::metadata(path).ok().map(|m| m.uid())
}

pub fn own_number() -> SafeText {
    SafeText::new(&Uid::effective().to_string())
}

pub fn caller(rights: &Rights) -> Actor {
    let nameless = nameless_caller(rights);
    let named = by_uid(Uid::effective().as_raw());
    Actor { name: named.map_or(nameless.name, |account| account.name), ..nameless }
}

/// The same without asking anybody.
pub fn nameless_caller(rights: &Rights) -> Actor {
    let mut groups: Vec<u32> =
        rustix::process::getgroups().unwrap_or_default().into_iter().map(|g| g.as_raw()).collect();
    groups.push(Gid::effective().as_raw());
    let connection = std::env::var_os("SSH_CONNECTION");
    Actor {
        from: connection.and_then(|c| ssh_origin(&c.to_string_lossy())),
        terminal: own_terminal(),
        login_uid: proc::login_uid(std::process::id()),
        ..nameless_actor(Uid::effective().as_raw(), &groups, rights)
    }
}

/// What the kernel says about a process and its account. Terminal and origin are added by whoever knows them better.
pub fn actor(uid: u32, groups: &[u32], pid: u32, rights: &Rights) -> Actor {
    let nameless = nameless_actor(uid, groups, rights);
    Actor {
        name: by_uid(uid).map_or(nameless.name, |account| account.name),
        login_uid: proc::login_uid(pid),
        ..nameless
    }
}

/// The same without asking anybody.
pub fn nameless_actor(uid: u32, groups: &[u32], rights: &Rights) -> Actor {
    Actor {
        name: account::nameless(uid),
        uid: Some(uid),
        login_uid: None,
        terminal: None,
        from: None,
        may_operate: may_operate(&uid, groups, rights),
    }
}

fn own_terminal() -> Option<SafeText> {
    let name = |fd: std::os::fd::BorrowedFd<'_>| rustix::termios::ttyname(fd, Vec::new()).ok();
    let found = name(rustix::stdio::stdin())
        .or_else(|| name(rustix::stdio::stdout()))
        .or_else(|| name(rustix::stdio::stderr()))?;
    Some(SafeText::from_bytes(found.as_bytes()))
}

/// The client's address in `SSH_CONNECTION` (`address port address port`). The caller's own word: shown, never
/// decided upon.
pub fn ssh_origin(connection: &str) -> Option<SafeText> {
    let address: String = connection.split_whitespace().next()?.chars().take(64).collect();
    Some(SafeText::new(&address))
}

pub fn give(path: &Path, to: &Account) -> std::io::Result<()> {
    std::os::unix::fs::chown(path, to.uid, to.gid)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_root_the_owner_and_the_group_may_operate() {
        let rights = Rights::new(Some(500), Some(77));
        assert!(may_operate(&0, &[], &rights));
        assert!(may_operate(&500, &[], &rights));
        assert!(may_operate(&1000, &[5, 77], &rights));
        assert!(!may_operate(&1000, &[5, 500], &rights));
        assert!(!may_operate(&1000, &[0, 77], &Rights::new(Some(500), None)));
    }

    #[test]
    fn whose_name_is_not_known_is_nameless() {
        let rights = Rights::new(Some(500), None);
        let actor = nameless_actor(4_000_000, &[], &rights);
        assert!(actor.is_nameless() && actor.name.as_str() == "uid 4000000");
        assert!(!Actor { name: "anna".into(), ..actor }.is_nameless());
    }

    #[test]
    fn the_origin_is_the_first_word_made_safe() {
        assert_eq!(ssh_origin("192.0.2.7 50000 192.0.2.1 22").unwrap().as_str(), "192.0.2.7");
        assert!(!ssh_origin("\u{1b}[2Jx 1 2 3").unwrap().as_str().contains('\u{1b}'));
        assert!(ssh_origin(&"x".repeat(5000)).unwrap().as_str().len() <= 64);
        assert_eq!(ssh_origin("  "), None);
    }
}
