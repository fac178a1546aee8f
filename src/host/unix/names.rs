//! Accounts and groups by name and number, as the system's name service knows them: those of a directory (LDAP, SSSD) count
//! like local ones. A program that is linked statically cannot load the modules by which a directory answers, and asks
//! getent(1), which can. May hang with the name service, as that does.

use nix::unistd::{Gid, Group, Uid, User};
use std::ffi::CString;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Whether this program cannot ask the name service by itself.
const IS_STATIC: bool = cfg!(target_feature = "crt-static");
/// Nobody but root may put another one there.
const GETENT: [&str; 2] = ["/usr/bin/getent", "/bin/getent"];
/// A line has a name, two numbers and two paths, or the members of a group; whatever is longer is none.
const MOST: u64 = 1 << 20;

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// As the name service spells it.
    pub name: String,
    pub uid: u32,
    /// Its primary group.
    pub gid: u32,
    pub home: PathBuf,
}

pub fn by_name(name: &str) -> Option<Named> {
    match asked("passwd", name) {
        // getent takes digits for a number.
        Some(line) => account(&line?).filter(|found| found.name == name || !is_number(name)),
        None => User::from_name(name).ok().flatten().map(named),
    }
}

pub fn by_uid(uid: u32) -> Option<Named> {
    match asked("passwd", &uid.to_string()) {
        Some(line) => account(&line?).filter(|found| found.uid == uid),
        None => User::from_uid(Uid::from_raw(uid)).ok().flatten().map(named),
    }
}

/// The number of a group.
pub fn group(name: &str) -> Option<u32> {
    match asked("group", name) {
        Some(line) => {
            group_of(&line?).filter(|(found, _)| found == name || !is_number(name)).map(|(_, id)| id)
        }
        None => Group::from_name(name).ok().flatten().map(|group| group.gid.as_raw()),
    }
}

/// All groups of an account, its primary one included.
pub fn groups(name: &str, primary: u32) -> Vec<u32> {
    match asked("initgroups", name) {
        Some(line) => groups_of(&line.unwrap_or_default(), primary),
        None => {
            let Ok(name) = CString::new(name) else { return Vec::new() };
            let groups = nix::unistd::getgrouplist(&name, Gid::from_raw(primary));
            groups.map_or(vec![primary], |groups| groups.into_iter().map(Gid::as_raw).collect())
        }
    }
}

fn named(user: User) -> Named {
    Named { name: user.name, uid: user.uid.as_raw(), gid: user.gid.as_raw(), home: user.dir }
}

fn is_number(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_digit())
}

/// The answer of getent where it has to be asked, without which the name service knows none. None: the C library answers by
/// itself, or there is no getent, and the library knows local files at least.
fn asked(database: &str, key: &str) -> Option<Option<String>> {
    let program = GETENT.iter().map(Path::new).find(|program| IS_STATIC && program.is_file())?;
    Some(ask(program, database, key))
}

fn ask(program: &Path, database: &str, key: &str) -> Option<String> {
    if key.is_empty() || key.contains(['\0', '\n']) {
        return None;
    }
    let mut getent = Command::new(program);
    getent.args([database, "--", key]).env_clear().current_dir("/");
    getent.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = getent.spawn().ok()?;
    let mut said = String::new();
    let read = child.stdout.take().map(|out| out.take(MOST).read_to_string(&mut said));
    // Where a run host has waited for all of its children, nobody knows how it ended; what it said counts.
    let _ = child.wait();
    read?.ok()?;
    said.lines().next().map(str::to_owned)
}

/// `name:password:uid:gid:words:home:shell`
fn account(line: &str) -> Option<Named> {
    let [name, _, uid, gid, _, home, _] = line.split(':').collect::<Vec<_>>()[..] else { return None };
    let (uid, gid) = (uid.parse().ok()?, gid.parse().ok()?);
    Some(Named { name: name.to_owned(), uid, gid, home: home.into() })
}

/// `name:password:gid:members`
fn group_of(line: &str) -> Option<(String, u32)> {
    let [name, _, gid, _] = line.split(':').collect::<Vec<_>>()[..] else { return None };
    Some((name.to_owned(), gid.parse().ok()?))
}

/// `name    gid gid …`, which leaves the primary group out.
fn groups_of(line: &str, primary: u32) -> Vec<u32> {
    let others = line.split_ascii_whitespace().skip(1).filter_map(|gid| gid.parse().ok());
    std::iter::once(primary).chain(others.filter(|gid| *gid != primary)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn getent_knows_what_the_library_knows() {
        let Some(program) = GETENT.iter().map(Path::new).find(|program| program.is_file()) else {
            return crate::skipped("there is no getent");
        };
        for name in ["root", "daemon", "nobody"] {
            let Some(library) = User::from_name(name).unwrap().map(named) else { continue };
            let found = account(&ask(program, "passwd", name).unwrap()).unwrap();
            assert_eq!(found, library);
            let by_number = ask(program, "passwd", &found.uid.to_string()).unwrap();
            assert_eq!(account(&by_number).unwrap(), found);
            let groups = ask(program, "initgroups", name).unwrap_or_default();
            let groups: BTreeSet<u32> = groups_of(&groups, found.gid).into_iter().collect();
            assert_eq!(groups, super::groups(name, found.gid).into_iter().collect(), "{name}");
        }
        let root = group_of(&ask(program, "group", "root").unwrap()).unwrap();
        assert_eq!(root, ("root".to_owned(), 0));
        // Neither a flag nor a number is taken for a name.
        for nobody in ["--version", "-s", "no such account", "", "a\nb", "root:x"] {
            assert_eq!(ask(program, "passwd", nobody), None, "{nobody}");
        }
        assert!(is_number("0") && !is_number("root0"));
    }

    #[test]
    fn a_line_of_another_shape_is_nobody() {
        let anna = account("anna:x:1000:100:Anna,,,:/home/anna:/bin/bash").unwrap();
        assert_eq!((anna.name.as_str(), anna.uid, anna.gid), ("anna", 1000, 100));
        for line in
            ["", "anna", "anna:x:one:100::/:/bin/sh", "anna:x:1:2:3:4:5:6", "anna:x:-1:100::/:/bin/sh"]
        {
            assert_eq!(account(line), None, "{line}");
        }
        assert_eq!(group_of("pcm-operators:x:990:anna,ola"), Some(("pcm-operators".to_owned(), 990)));
        assert_eq!(group_of("pcm-operators:x:990"), None);
        assert_eq!(groups_of("anna                  27 100 990", 100), [100, 27, 990]);
        assert_eq!(groups_of("", 100), [100]);
    }
}
