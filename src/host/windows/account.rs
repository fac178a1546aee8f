//! Accounts on Windows, behind `host::account`: security identifiers as `S-1-…` texts.

use super::security;
use crate::host::account::{Account, Actor, Rights, may_operate};
use crate::text::SafeText;
use std::path::{Path, PathBuf};

/// The identifier of an account or a group.
pub type Id = String;

const SYSTEM: &str = "S-1-5-18";
const ADMINISTRATORS: &str = "S-1-5-32-544";

/// The system itself, and elevated administrators: without elevation the group is in the token only to deny.
pub fn is_root(account: &Id, groups: &[Id]) -> bool {
    account == SYSTEM || groups.iter().any(|g| g == ADMINISTRATORS)
}

pub fn current() -> Account {
    let sid = security::own_token().map(|t| t.account).unwrap_or_default();
    account(sid)
}

pub fn by_name(name: &str) -> Option<Account> {
    security::sid_of_name(name).map(account)
}

#[cfg_attr(not(feature = "remote"), allow(dead_code, reason = "nobody is listened to"))]
pub fn without_rights(_: Option<&str>) -> Result<Option<Account>, String> {
    Ok(None)
}

pub fn of_sid(sid: String) -> Account {
    account(sid)
}

fn account(sid: String) -> Account {
    let name = security::name_of_sid(&sid).unwrap_or_else(|| sid.clone());
    Account {
        name: SafeText::new(&name),
        uid: None,
        gid: None,
        sid: Some(sid),
        home: std::env::var_os("USERPROFILE").map_or_else(|| PathBuf::from(r"C:\"), PathBuf::from),
    }
}

pub fn owner(path: &Path) -> Option<Account> {
    security::owner_of(path).map(account)
}

pub fn other_owner(_: &Path) -> Option<Account> {
    None
}

pub fn is_administrator() -> bool {
    security::own_token().is_ok_and(|t| is_root(&t.account, &t.groups))
}

pub fn group_id(name: &str) -> Option<Id> {
    security::sid_of_name(name)
}

pub fn how_to_join(group: &str, account: &str) -> String {
    format!("net localgroup {group} /add & net localgroup {group} {account} /add")
}

pub fn owner_of(path: &Path) -> Option<Id> {
    security::owner_of(path)
}

pub fn own_number() -> SafeText {
    SafeText::new(&security::own_token().map(|t| t.account).unwrap_or_default())
}

/// The same as [`caller`] without asking anybody.
pub fn nameless_caller(rights: &Rights) -> Actor {
    security::own_token().map_or_else(|_| nobody(), |token| nameless_actor(&token, rights))
}

pub fn caller(rights: &Rights) -> Actor {
    match security::own_token() {
        Ok(token) => actor(&token, rights),
        Err(_) => nobody(),
    }
}

/// Who a token stands for.
pub fn actor(token: &security::Token, rights: &Rights) -> Actor {
    Actor { name: account(token.account.clone()).name, ..nameless_actor(token, rights) }
}

/// The same without asking anybody.
pub fn nameless_actor(token: &security::Token, rights: &Rights) -> Actor {
    Actor {
        name: SafeText::new(&token.account),
        may_operate: may_operate(&token.account, &token.groups, rights),
        ..nobody()
    }
}

/// Who could not be found out: it may look and do nothing.
pub fn nobody() -> Actor {
    Actor {
        name: SafeText::new("unknown"),
        uid: None,
        login_uid: None,
        terminal: None,
        from: None,
        may_operate: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_system_administrators_the_owner_and_the_group_may_operate() {
        let id = |s: &str| s.to_owned();
        let rights = Rights::new(Some(id("S-1-5-21-1-500")), Some(id("S-1-5-21-1-77")));
        assert!(may_operate(&id(SYSTEM), &[], &rights));
        assert!(may_operate(&id("S-1-5-21-1-9"), &[id(ADMINISTRATORS)], &rights));
        assert!(may_operate(&id("S-1-5-21-1-500"), &[], &rights));
        assert!(may_operate(&id("S-1-5-21-1-9"), &[id("S-1-5-21-1-77")], &rights));
        assert!(!may_operate(&id("S-1-5-21-1-9"), &[id("S-1-5-32-545")], &rights));
    }
}

pub fn give(_path: &Path, to: &Account) -> std::io::Result<()> {
    Err(std::io::Error::other(format!("packages cannot be run as {} on Windows yet", to.name)))
}
