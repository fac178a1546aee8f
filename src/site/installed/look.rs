//! Looks on this machine whether packages are installed, each by its own test (SITE.md 2). Files of the machine may hang, and
//! so may the programs that keep the databases: called in a process of its own, which is killed when it takes too long.

use super::{Answer, Finding};
use crate::host::open::{self, OpenError, RegularFile};
use crate::host::packages::{self, Entry};
use crate::host::registry::{self, Found};
use crate::site::content::hash_reader;
use crate::site::expression::version;
use crate::site::instruction::ContentHash;
use crate::site::package::{InstalledIf, Is, Named};
use crate::text::SafeText;
use std::cmp::Ordering;
use std::io::Read;
use std::path::Path;

/// The largest file that is looked at.
pub const MAX_FILE: u64 = 256 << 20;
/// So much of a file that says its version is read.
const MAX_SAYS: u64 = 4 << 10;

/// What each of these tests gives. The databases are asked once for all.
pub fn look(tests: &[InstalledIf]) -> Vec<(InstalledIf, Finding)> {
    let names = |of: fn(&InstalledIf) -> Option<&Named>| {
        let mut names: Vec<&str> = tests.iter().filter_map(of).map(|named| named.name.as_str()).collect();
        names.retain(|name| packages::is_name(name));
        names
    };
    let dpkg = packages::dpkg(&names(|test| match test {
        InstalledIf::Dpkg(named) => Some(named),
        InstalledIf::Rpm(_) | InstalledIf::File { .. } | InstalledIf::Registry { .. } => None,
    }));
    let rpm = packages::rpm(&names(|test| match test {
        InstalledIf::Rpm(named) => Some(named),
        InstalledIf::Dpkg(_) | InstalledIf::File { .. } | InstalledIf::Registry { .. } => None,
    }));
    let one = |test: &InstalledIf| match test {
        InstalledIf::Dpkg(named) => in_database("dpkg", &dpkg, named, packages::dpkg_is_at_least),
        InstalledIf::Rpm(named) => in_database("rpm", &rpm, named, packages::rpm_is_at_least),
        InstalledIf::File { path, is } => file(path, is),
        InstalledIf::Registry { key, value, is } => in_registry(key, value.as_deref(), is),
    };
    tests.iter().map(|test| (test.clone(), one(test))).collect()
}

/// By what a package database holds.
fn in_database(
    database: &str,
    entries: &Result<Vec<Entry>, String>,
    wanted: &Named,
    is_at_least: fn(&str, &str) -> Result<bool, String>,
) -> Finding {
    let name = &wanted.name;
    if !packages::is_name(name) {
        return Finding::unknown(format!("{name:?} is no name of a package"));
    }
    let entries = match entries {
        Ok(entries) => entries,
        Err(why) => return Finding::unknown(why),
    };
    let mut there: Option<&Entry> = None;
    // Of several versions or architectures one is enough.
    for entry in entries.iter().filter(|entry| entry.name == *name) {
        let enough = wanted.version.as_ref().map_or(Ok(true), |version| is_at_least(&entry.version, version));
        match enough {
            Ok(true) => return Finding::new(Answer::Yes, format!("{database} has {name} {}", entry.version)),
            Ok(false) => there = Some(entry),
            Err(why) => return Finding::unknown(why),
        }
    }
    let words = match (there, &wanted.version) {
        (Some(entry), Some(version)) => {
            format!("{database} has {name} {}, and {version} or newer is wanted", entry.version)
        }
        (Some(_), None) | (None, _) => format!("{database} does not have {name}"),
    };
    Finding::new(Answer::No, words)
}

/// By a file of this machine.
fn file(path: &str, is: &Is) -> Finding {
    let opened = match open::local(Path::new(path)) {
        Ok(opened) if opened.size > MAX_FILE => Err(OpenError::TooLarge(MAX_FILE)),
        other => other,
    };
    let mut opened = match opened {
        Ok(opened) => opened,
        Err(OpenError::Missing) => return Finding::new(Answer::No, format!("there is no {path}")),
        Err(why) => return Finding::unknown(format!("{path}: {why}")),
    };
    match is {
        Is::There => Finding::new(Answer::Yes, format!("{path} is there")),
        Is::Sha256(wanted) => by_hash(path, opened, wanted),
        Is::AtLeast(wanted) => {
            let own = opened.here().and_then(|file| registry::version_of(Path::new(path), file));
            let says = own.map_or_else(|| says(&mut opened), Ok);
            match says {
                Ok(found) => by_version(path, &found, wanted),
                Err(why) => Finding::unknown(format!("{path}: {why}")),
            }
        }
        // `package.toml` cannot say this of a file.
        Is::Equal(_) => Finding::unknown(format!("{path}: a file is not compared with a text")),
    }
}

fn by_hash(path: &str, opened: RegularFile, wanted: &ContentHash) -> Finding {
    // It may grow while it is read.
    match hash_reader(opened.file.take(MAX_FILE + 1)) {
        Ok((_, size)) if size > MAX_FILE => {
            Finding::unknown(format!("{path}: {}", OpenError::TooLarge(MAX_FILE)))
        }
        Ok((found, _)) if found == *wanted => {
            Finding::new(Answer::Yes, format!("{path} has the bytes that it has to have"))
        }
        Ok(_) => Finding::new(Answer::No, format!("{path} has other bytes than it has to have")),
        Err(e) => Finding::unknown(format!("{path}: {e}")),
    }
}

/// The version that a text file says: the first word of its first line that begins with a digit, as `4.0.1` of
/// `Acme v4.0.1 (stable)`.
fn says(opened: &mut RegularFile) -> Result<String, String> {
    let mut bytes = Vec::new();
    let read = opened.file.by_ref().take(MAX_SAYS).read_to_end(&mut bytes);
    read.map_err(|e| e.to_string())?;
    let text = String::from_utf8_lossy(&bytes);
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let words = line.split_whitespace().map(|word| word.trim_start_matches(['v', 'V']));
    let mut versions = words.filter(|word| version::is_version(word));
    versions.next().map(str::to_owned).ok_or_else(|| "its first line says no version".to_owned())
}

fn by_version(what: &str, found: &str, wanted: &str) -> Finding {
    match version::compare(found, wanted) {
        Ordering::Less => {
            Finding::new(Answer::No, format!("{what} has version {found}, and {wanted} or newer is wanted"))
        }
        Ordering::Equal | Ordering::Greater => {
            Finding::new(Answer::Yes, format!("{what} has version {found}"))
        }
    }
}

/// By the registry.
fn in_registry(key: &str, value: Option<&str>, is: &Is) -> Finding {
    let what = value.map_or_else(|| key.to_owned(), |value| format!("{key}\\{value}"));
    let found = match registry::value(key, value) {
        Ok(found) => found,
        Err(why) => return Finding::unknown(why),
    };
    match (found, is) {
        (Found::Nothing, _) => Finding::new(Answer::No, format!("there is no {what}")),
        (Found::Key | Found::Text(_) | Found::Other, Is::There) => {
            Finding::new(Answer::Yes, format!("{what} is there"))
        }
        (Found::Text(text), Is::AtLeast(wanted)) => by_version(&what, &text, wanted),
        (Found::Text(text), Is::Equal(wanted)) if text == *wanted => {
            Finding::new(Answer::Yes, format!("{what} is {:?}", SafeText::new(&text).as_str()))
        }
        (Found::Text(text), Is::Equal(wanted)) => Finding::new(
            Answer::No,
            format!("{what} is {:?}, and {wanted:?} is wanted", SafeText::new(&text).as_str()),
        ),
        (Found::Key | Found::Other, Is::AtLeast(_) | Is::Equal(_)) | (_, Is::Sha256(_)) => {
            Finding::unknown(format!("{what} is no text that could be compared"))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::site::content::hash_bytes;
    use std::fs::{self, File};
    use std::path::PathBuf;

    fn found(path: &Path, is: Is) -> Finding {
        let test = InstalledIf::File { path: path.to_str().unwrap().to_owned(), is };
        look(std::slice::from_ref(&test)).pop().unwrap().1
    }

    fn holding(dir: &tempfile::TempDir, name: &str, bytes: &[u8]) -> PathBuf {
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    #[test]
    fn a_file_is_there_or_not_has_these_bytes_or_others_and_says_a_version() {
        let dir = tempfile::tempdir().unwrap();
        let path = holding(&dir, "VERSION", b"\nAcme v4.0.1 (stable)\n5.0\n");
        assert_eq!(found(&path, Is::There).answer, Answer::Yes);
        assert_eq!(found(&dir.path().join("other"), Is::There).answer, Answer::No);
        assert_eq!(found(&dir.path().join("no/folder"), Is::There).answer, Answer::No);
        let hash = |bytes: &[u8]| Is::Sha256(hash_bytes(bytes));
        assert_eq!(found(&path, hash(&fs::read(&path).unwrap())).answer, Answer::Yes);
        assert_eq!(found(&path, hash(b"others")).answer, Answer::No);
        let version = |wanted: &str| found(&path, Is::AtLeast(wanted.to_owned()));
        assert_eq!(version("4.0").answer, Answer::Yes);
        assert_eq!(version("4.0.1").answer, Answer::Yes);
        let older = version("4.0.10");
        assert_eq!(older.answer, Answer::No);
        assert!(
            older.words.as_str().ends_with("has version 4.0.1, and 4.0.10 or newer is wanted"),
            "{older:?}"
        );
        let silent = holding(&dir, "silent", b"no number here\n4.0\n");
        assert_eq!(found(&silent, Is::AtLeast("1".into())).answer, Answer::Unknown);
    }

    #[test]
    fn what_is_too_large_or_no_file_is_not_known() {
        let dir = tempfile::tempdir().unwrap();
        let large = dir.path().join("large");
        File::create(&large).unwrap().set_len(MAX_FILE + 1).unwrap();
        for is in [Is::There, Is::Sha256(hash_bytes(b"")), Is::AtLeast("1".into())] {
            let large = found(&large, is.clone());
            assert_eq!(large.answer, Answer::Unknown);
            assert!(large.words.as_str().contains("larger than"), "{large:?}");
            assert_eq!(found(dir.path(), is).answer, Answer::Unknown);
        }
    }

    #[cfg(unix)]
    #[test]
    fn no_link_is_followed_and_no_pipe_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let file = holding(&dir, "file", b"4.0\n");
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let pipe = dir.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        for is in [Is::There, Is::Sha256(hash_bytes(b"")), Is::AtLeast("1".into())] {
            assert_eq!(
                found(&link, is.clone()).words.as_str().split(": ").nth(1).unwrap(),
                "it is a link, or has more than one name"
            );
            assert_eq!(found(&link, is.clone()).answer, Answer::Unknown);
            assert_eq!(found(&pipe, is.clone()).answer, Answer::Unknown);
            assert_eq!(found(Path::new("/dev/null"), is).answer, Answer::Unknown);
        }
        // A program may well have several names.
        fs::hard_link(&file, dir.path().join("second")).unwrap();
        assert_eq!(found(&file, Is::There).answer, Answer::Yes);
    }

    #[cfg(not(windows))]
    #[test]
    fn what_another_system_has_is_not_known_here() {
        let registry =
            InstalledIf::Registry { key: "HKLM\\SOFTWARE\\Acme".into(), value: None, is: Is::There };
        let [(_, found)] = &look(&[registry])[..] else { panic!("one test, one finding") };
        assert_eq!(found.answer, Answer::Unknown);
        let windows = "C:\\Program Files\\Acme\\acme.exe";
        let drive = found_at(windows);
        assert_eq!(drive.answer, Answer::Unknown, "{drive:?}");
    }

    #[cfg(not(windows))]
    fn found_at(path: &str) -> Finding {
        found(Path::new(path), Is::There)
    }

    #[cfg(unix)]
    #[test]
    fn the_packages_of_this_machine_are_found_by_their_names_and_versions() {
        if crate::host::programs::find("dpkg-query").is_none() {
            return println!("SKIPPED: there is no dpkg-query on this machine");
        }
        let dpkg = |name: &str, version: Option<&str>| {
            InstalledIf::Dpkg(Named { name: name.into(), version: version.map(str::to_owned) })
        };
        let tests = [
            (dpkg("dpkg", None), Answer::Yes),
            (dpkg("dpkg", Some("1.0")), Answer::Yes),
            (dpkg("dpkg", Some("999:1")), Answer::No),
            (dpkg("pcm-test-is-not-there", None), Answer::No),
            (dpkg("--help", None), Answer::Unknown),
            (dpkg("dpkg", Some("no version")), Answer::Unknown),
        ];
        let asked: Vec<InstalledIf> = tests.iter().map(|(test, _)| test.clone()).collect();
        for ((test, wanted), (_, found)) in tests.iter().zip(look(&asked)) {
            assert_eq!(found.answer, *wanted, "{test:?}: {found:?}");
        }
    }
}
