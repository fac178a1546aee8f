//! Accounts and groups by name and number, as the system's name service knows them: those of a directory (LDAP, SSSD) count
//! like local ones. A program that is linked statically cannot load the modules by which a directory answers, and asks
//! getent(1), which can; where that says nothing the library answers, which knows local ones at least. May hang with the name
//! service, as that does.

use nix::unistd::{Gid, Group, Uid, User};
use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
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
    account_of_name(getent(), name)
}

pub fn by_uid(uid: u32) -> Option<Named> {
    account_of_uid(getent(), uid)
}

/// An account of this machine's own list, which needs nobody's answer.
#[cfg_attr(not(feature = "remote"), allow(dead_code, reason = "nobody is listened to"))]
pub fn local(name: &str) -> Option<Named> {
    let mut list = Vec::new();
    File::open("/etc/passwd").ok()?.take(MOST).read_to_end(&mut list).ok()?;
    list.split(|byte| *byte == b'\n').filter_map(account).find(|found| found.name == name)
}

/// The number of a group.
pub fn group(name: &str) -> Option<u32> {
    number_of_group(getent(), name)
}

/// All groups of an account, its primary one included.
pub fn groups(name: &str, primary: u32) -> Vec<u32> {
    groups_of_account(getent(), name, primary)
}

/// The getent that has to be asked; None: the C library answers by itself, or there is none.
fn getent() -> Option<&'static Path> {
    GETENT.iter().map(Path::new).find(|program| IS_STATIC && is_of_glibc(program))
}

/// That of musl is a script, knows no directory, and takes a name for a pattern.
fn is_of_glibc(program: &Path) -> bool {
    let mut start = [0; 4];
    File::open(program).and_then(|mut file| file.read_exact(&mut start)).is_ok() && start == *b"\x7fELF"
}

fn account_of_name(getent: Option<&Path>, name: &str) -> Option<Named> {
    let said = getent.and_then(|program| account(&ask(program, "passwd", name)?));
    let said = said.filter(|found| found.name == name || !is_number(name));
    said.or_else(|| User::from_name(name).ok().flatten().map(named))
}

fn account_of_uid(getent: Option<&Path>, uid: u32) -> Option<Named> {
    let said = getent.and_then(|program| account(&ask(program, "passwd", &uid.to_string())?));
    let said = said.filter(|found| found.uid == uid);
    said.or_else(|| User::from_uid(Uid::from_raw(uid)).ok().flatten().map(named))
}

fn number_of_group(getent: Option<&Path>, name: &str) -> Option<u32> {
    let said = getent.and_then(|program| group_of(&ask(program, "group", name)?));
    let said = said.filter(|(found, _)| found == name || !is_number(name)).map(|(_, number)| number);
    said.or_else(|| Group::from_name(name).ok().flatten().map(|group| group.gid.as_raw()))
}

fn groups_of_account(getent: Option<&Path>, name: &str, primary: u32) -> Vec<u32> {
    if let Some(line) = getent.and_then(|program| ask(program, "initgroups", name)) {
        return groups_of(&line, primary);
    }
    let Ok(name) = CString::new(name) else { return Vec::new() };
    let groups = nix::unistd::getgrouplist(&name, Gid::from_raw(primary));
    groups.map_or(vec![primary], |groups| groups.into_iter().map(Gid::as_raw).collect())
}

fn named(user: User) -> Named {
    Named { name: user.name, uid: user.uid.as_raw(), gid: user.gid.as_raw(), home: user.dir }
}

/// Whether getent takes this for a number: with blanks before it and a sign, too, as strtoul(3) does.
fn is_number(name: &str) -> bool {
    let digits = name.trim_start();
    let digits = digits.strip_prefix(['+', '-']).unwrap_or(digits);
    digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// The first line that getent says. None: it says nothing, or cannot be asked. No account begins with the `-` of a flag, and
/// not every getent knows `--`.
fn ask(program: &Path, database: &str, key: &str) -> Option<Vec<u8>> {
    if key.is_empty() || key.starts_with('-') || key.contains(['\0', '\n']) {
        return None;
    }
    let mut getent = Command::new(program);
    getent.args([database, key]).env_clear().current_dir("/");
    getent.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = getent.spawn().ok()?;
    let mut said = Vec::new();
    let read = child.stdout.take().map(|out| out.take(MOST).read_to_end(&mut said));
    // Where a run host has waited for all of its children, nobody knows how it ended; what it said counts.
    let _ = child.wait();
    read?.ok()?;
    said.split(|byte| *byte == b'\n').next().filter(|line| !line.is_empty()).map(<[u8]>::to_vec)
}

/// `name:password:uid:gid:words:home:shell`, where words are in any encoding.
fn account(line: &[u8]) -> Option<Named> {
    let parts: Vec<&[u8]> = line.split(|byte| *byte == b':').collect();
    let [name, _, uid, gid, _, home, _] = parts[..] else { return None };
    let name = String::from_utf8_lossy(name).into_owned();
    Some(Named { name, uid: number(uid)?, gid: number(gid)?, home: OsStr::from_bytes(home).into() })
}

fn number(text: &[u8]) -> Option<u32> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// `name:password:gid:members`
fn group_of(line: &[u8]) -> Option<(String, u32)> {
    let parts: Vec<&[u8]> = line.split(|byte| *byte == b':').collect();
    let [name, _, gid, _] = parts[..] else { return None };
    Some((String::from_utf8_lossy(name).into_owned(), number(gid)?))
}

/// `name    gid gid …`, which leaves the primary group out.
fn groups_of(line: &[u8], primary: u32) -> Vec<u32> {
    let words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let others = words.skip(1).filter_map(number);
    std::iter::once(primary).chain(others.filter(|gid| *gid != primary)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::collections::BTreeSet;

    /// Of everybody whom the library knows here.
    fn known() -> Vec<Named> {
        let names = ["root", "daemon", "nobody"].into_iter();
        names.filter_map(|name| User::from_name(name).unwrap().map(named)).collect()
    }

    /// An account and its groups are the library's, asked in this way.
    fn answers_as_the_library(getent: Option<&Path>) {
        for library in known() {
            let name = &library.name;
            assert_eq!(account_of_name(getent, name).as_ref(), Some(&library), "{getent:?}");
            assert_eq!(account_of_uid(getent, library.uid).as_ref(), Some(&library), "{getent:?}");
            let groups = |by| groups_of_account(by, name, library.gid).into_iter().collect::<BTreeSet<u32>>();
            assert_eq!(groups(getent), groups(None), "{name}: {getent:?}");
        }
        assert_eq!(number_of_group(getent, "root"), Some(0), "{getent:?}");
        // Neither a flag, a pattern nor a number in any form is a name.
        for nobody in ["--version", "-s", "no such account", "", "a\nb", "root:x", "r..t", "/root"] {
            assert_eq!(account_of_name(getent, nobody), None, "{nobody:?}: {getent:?}");
            assert_eq!(number_of_group(getent, nobody), None, "{nobody:?}: {getent:?}");
        }
        for number in ["0", "+0", "-0", " 0", "\t+0", "\x0b0", "00"] {
            assert_eq!(account_of_name(getent, number), None, "{number:?}: {getent:?}");
            assert_eq!(number_of_group(getent, number), None, "{number:?}: {getent:?}");
        }
        assert_eq!(account_of_uid(getent, 4_000_000_123), None);
    }

    #[test]
    fn getent_knows_what_the_library_knows_and_where_it_says_nothing_the_library_answers() {
        answers_as_the_library(None);
        // One that says nothing, one that fails, and one that cannot be started.
        for silent in ["/bin/true", "/bin/false", "/nonexistent/getent"] {
            answers_as_the_library(Some(Path::new(silent)));
            assert_eq!(ask(Path::new(silent), "passwd", "root"), None, "{silent}");
        }
        let Some(program) = GETENT.iter().map(Path::new).find(|program| is_of_glibc(program)) else {
            return crate::skipped("there is no getent of glibc");
        };
        answers_as_the_library(Some(program));
        for library in known() {
            let line = ask(program, "passwd", &library.name).unwrap();
            assert_eq!(account(&line), Some(library), "it is getent that said so");
        }
        assert!(ask(program, "initgroups", "root").is_some() && ask(program, "group", "root").is_some());
    }

    #[test]
    fn a_getent_that_is_a_script_is_not_asked() {
        let dir = tempfile::tempdir().unwrap();
        let script = dir.path().join("getent");
        std::fs::write(&script, "#!/bin/sh\n").unwrap();
        assert!(!is_of_glibc(&script) && !is_of_glibc(&dir.path().join("none")));
        assert!(is_of_glibc(&std::env::current_exe().unwrap()));
    }

    #[test]
    fn words_in_another_encoding_make_nobody_of_no_one() {
        // What is printed is the second word, as getent prints what it found.
        let line = r"anna:x:1000:100:Anna M\0374ller,,,:/home/m\0374ller:/bin/bash\n";
        let printed = ask(Path::new("/usr/bin/printf"), "%b", line).unwrap();
        assert!(std::str::from_utf8(&printed).is_err());
        let anna = account(&printed).unwrap();
        assert_eq!((anna.name.as_str(), anna.uid, anna.gid), ("anna", 1000, 100));
        assert_eq!(anna.home.as_os_str().as_bytes(), b"/home/m\xfcller");
        assert_eq!(group_of(b"staff:x:50:m\xfcller"), Some(("staff".to_owned(), 50)));
    }

    #[test]
    fn a_line_of_another_shape_is_nobody() {
        for line in
            ["", "anna", "anna:x:one:100::/:/bin/sh", "anna:x:1:2:3:4:5:6", "anna:x:-1:100::/:/bin/sh"]
        {
            assert_eq!(account(line.as_bytes()), None, "{line}");
        }
        assert_eq!(group_of(b"pcm-operators:x:990:anna,ola"), Some(("pcm-operators".to_owned(), 990)));
        assert_eq!(group_of(b"pcm-operators:x:990"), None);
        assert_eq!(groups_of(b"anna                  27 100 990", 100), [100, 27, 990]);
        assert_eq!(groups_of(b"", 100), [100]);
    }
}
