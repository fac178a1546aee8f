//! What is written is read back, and what is wrong is said with its line.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::site::package::{render, starter};

fn programs() -> Vec<String> {
    ["dpkg", "rpm", "msiexec.exe"].map(str::to_owned).to_vec()
}

fn read(text: &str) -> Result<Package, Vec<Problem>> {
    parse(text.as_bytes(), "package.toml", &programs())
}

fn full() -> Package {
    read(include_str!("../../../../tests/fuzz/corpus/package/full.toml")).unwrap()
}

#[test]
fn what_is_written_is_read_back() {
    let package = full();
    assert_eq!(package.commands.len(), 2);
    let text = render(&package, &["of the test".into(), SafeText::new("two\nname = \"lines\"")]);
    let mut again = read(&text).unwrap();
    for (again, given) in again.commands.iter_mut().zip(&package.commands) {
        again.line = given.line;
    }
    assert_eq!(again, package, "{text}");
}

#[test]
fn a_new_package_says_every_key_that_is_read_and_no_other() {
    let id = "BP00000A".parse().unwrap();
    let text = starter(id, &"Acme".into());
    let new = read(&text).unwrap();
    assert_eq!((new.package_id, new.name.as_str(), new.commands.len()), (id, "Acme", 1));
    assert!(text.lines().all(|line| line.chars().count() <= 100 && !line.ends_with(' ')), "{text}");
    // Each for itself: some exclude each other.
    for (at, line) in text.lines().enumerate() {
        let Some(key) = line.strip_prefix('#').filter(|l| !l.starts_with([' ', '['])) else { continue };
        let mut set: Vec<&str> = Vec::new();
        for (n, other) in text.lines().enumerate() {
            let plain = other.strip_prefix('#').unwrap_or(other);
            if plain.starts_with('[') {
                set.push(if n < at || !other.starts_with('#') { plain } else { other });
            } else {
                set.push(if n == at { key } else { other });
            }
        }
        let problems = read(&set.join("\n")).err().unwrap_or_default();
        let unknown: Vec<_> = problems.iter().filter(|p| p.message.as_str().contains("not known")).collect();
        assert!(unknown.is_empty(), "{key}: {unknown:?}");
    }
    let rendered = render(&full(), &[]);
    for key in rendered.lines().filter_map(|line| line.split_once(" = ").map(|(key, _)| key)) {
        assert!(text.contains(&format!("\n#{key} = ")) || text.contains(&format!("\n{key} = ")), "{key}");
    }
}

#[test]
fn everything_that_is_wrong_is_said_with_its_line() {
    let problems = read(include_str!("../../../../tests/fuzz/corpus/package/wrong.toml")).unwrap_err();
    let said: Vec<String> =
        problems.iter().map(|p| format!("{}: {}", p.line.unwrap_or(0), p.message)).collect();
    for wanted in [
        "1: \"../../etc\" is not a package id",
        "2: wanted some text",
        "3: this key is not known: it is misspelt, or needs a newer pcm",
        "exactly one of dpkg, rpm, file and registry",
        "wanted an absolute path",
        "12: \"/bin/sh\" is an absolute path",
        "13: command_line is missing",
        "a background command runs without a user",
    ] {
        assert!(said.iter().any(|s| s.contains(wanted)), "{wanted} is not in {said:#?}");
    }
}

#[test]
fn a_test_for_what_is_installed_says_one_thing() {
    let with = |lines: &str| {
        read(&format!("package_id = \"BP00000A\"\nname = \"Acme\"\n[installed_if]\n{lines}\n"))
            .map(|p| p.installed_if.unwrap())
    };
    assert_eq!(
        with("dpkg = \"acme\"\nversion = \"1:4.0-1\"").unwrap(),
        InstalledIf::Dpkg(Named { name: "acme".into(), version: Some("1:4.0-1".into()) })
    );
    assert_eq!(
        with("file = 'C:\\Acme\\acme.exe'").unwrap(),
        InstalledIf::File { path: r"C:\Acme\acme.exe".into(), is: Is::There }
    );
    for bad in [
        "version = \"4\"",
        "file = \"acme\"",
        "file = '\\\\server\\share\\acme'",
        "file = \"/opt/../etc/passwd\"",
        "file = \"/opt/acme\"\nversion = \"1\"\nsha256 = \"00\"",
        "dpkg = \"acme\"\nvalue = \"x\"",
        "registry = 'HKCU\\Acme'",
        "registry = 'HKLM\\Acme'\nversion = \"1\"",
        "dpkg = \"acme\"\nsince = \"2026\"",
        "dpkg = \"--root=/tmp\"",
        "rpm = \"acme*\"",
        "dpkg = \"acme\"\nversion = \"1 || true\"",
        "rpm = \"acme\"\nversion = \"1\\\")..os.exit(0)\"",
    ] {
        assert!(with(bad).is_err(), "{bad}");
    }
}
