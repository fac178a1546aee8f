//! Which part of pcm may know which: an import that runs upward between the rooms of `src`, and a circle of files or
//! folders, fails here. `.github/CONTRIBUTING.md` holds the law; this test reads it there.

mod law;
mod read;

use law::Law;
use read::Crate;
use std::path::Path;

/// The files of `src` with their texts, named from there on.
fn sources() -> Vec<(String, String)> {
    fn visit(folder: &Path, root: &Path, found: &mut Vec<(String, String)>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                visit(&path, root, found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let parts = path.strip_prefix(root).unwrap().iter().map(|part| part.to_str().unwrap());
                let name = parts.collect::<Vec<_>>().join("/");
                // It only calls the library.
                if name != "main.rs" {
                    found.push((name, std::fs::read_to_string(&path).unwrap()));
                }
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    visit(&root, &root, &mut found);
    found
}

#[test]
fn every_import_runs_downward_and_none_in_a_circle() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let law = Law::of(&std::fs::read_to_string(root.join(".github/CONTRIBUTING.md")).unwrap());
    let sources = sources();
    let read = Crate::read(sources.iter().map(|(name, text)| (name.as_str(), text.as_str())));
    assert!(read.modules().count() > 200, "the sources were not found");
    assert!(read.imports().len() > 1000, "the imports were not found");
    let broken = law.broken(&read);
    assert!(broken.is_empty(), "{} against the directions:\n{}", broken.len(), broken.join("\n"));
}

const LAW: &str = "# How\n\n## Directions\n\n| room | what |\n| --- | --- |\n| `top`, `beside` | `x` |\n\
                   | `low` | |\n\n### Circles\n\n| files | why |\n| --- | --- |\n";

/// What a crate of these files breaks of the law above.
fn broken(files: &[(&str, &str)]) -> Vec<String> {
    let mut all = vec![
        ("top.rs", "#[macro_export] macro_rules! shout { () => {} }"),
        ("beside.rs", ""),
        ("low.rs", "pub struct Thing;"),
    ];
    all.retain(|(name, _)| {
        !files.iter().any(|(other, _)| other.split(['/', '.']).next() == name.split('.').next())
    });
    all.extend(files);
    Law::of(LAW).broken(&Crate::read(all))
}

#[test]
fn the_law_is_read_from_its_tables() {
    let law = Law::of(&format!(
        "{LAW}| `host/unix` | because |\n| `a/b.rs`, `a/c.rs` | because |\n\n## More\n\n| `no` |\n"
    ));
    assert_eq!(law.rows, [vec!["top".to_owned(), "beside".to_owned()], vec!["low".to_owned()]]);
    let circles: Vec<Vec<String>> =
        law.circles.iter().map(|row| row.iter().map(|path| path.join("/")).collect()).collect();
    assert_eq!(circles, [vec!["host/unix"], vec!["a/b", "a/c"]]);
}

#[test]
fn downward_is_allowed() {
    assert_eq!(
        broken(&[("top.rs", "use crate::low::Thing; use std::io; fn f() { crate::low::f() }")]),
        [""; 0]
    );
}

#[test]
fn upward_and_sideways_are_found_however_they_are_written() {
    for text in [
        "use crate::top::Thing;",
        "use crate::{top::Thing, low};",
        "use crate::{\n    low,\n    top::{self, Thing as Other},\n};",
        "fn f() { crate::top::f::<u8>() }",
        "fn f(x: &crate::top::Thing) {}",
        "use super::top; fn f() { top::f() }",
        "mod inner { use super::super::top::Thing; }",
        "fn f() { let c = '\"'; crate::top::f(); let d = '\"'; }",
        "fn f<'a>(x: &'a str) { crate::top::f() }",
        "const S: &str = r#\"\"#; use crate::top::f;",
        "use crate::top::*;",
        "use crate::shout;",
        "#[cfg(not(test))]\nuse crate::top::Thing;",
        "#[cfg(test)]\nfn g<A, B>(a: [u8; 2]) { x() }\nuse crate::top::Thing;",
        "#[cfg(test)]\nuse crate::low::{A, B};\nuse crate::top::Thing;",
    ] {
        let found = broken(&[("low.rs", text)]);
        assert!(
            found
                .iter()
                .any(|line| ["to top", "to shout"].iter().any(|to| line.contains(to))
                    && line.contains("upward")),
            "{text}: {found:?}"
        );
    }
    assert_eq!(broken(&[("beside.rs", "use crate::top::Thing;")]).len(), 1);
}

#[test]
fn an_import_is_named_with_its_line() {
    let found = broken(&[("low/mod.rs", "mod a;"), ("low/a.rs", "//! a\n\nuse crate::top::Thing;\n")]);
    assert_eq!(found, ["low/a (line 3) to top::Thing runs upward"]);
}

#[test]
fn what_is_no_import_is_none() {
    for text in [
        "// use crate::top::Thing;\n/* crate::top::f() /* nested */ crate::top::g() */",
        "//! [`crate::top::Thing`]",
        "const S: &str = \"crate::top::f()\"; const R: &str = r##\"crate::top::\"# f()\"##;",
        "fn f(x: a::crate_top::Thing) {}",
        "use other::top::Thing; fn f() { top::f() }",
    ] {
        assert_eq!(broken(&[("low.rs", text)]), [""; 0], "{text}");
    }
}

#[test]
fn test_code_may_import_from_anywhere() {
    for text in [
        "#[cfg(test)]\nmod tests { use crate::top::Thing; mod deep { fn f() { crate::top::f() } } }",
        "#[cfg(test)]\n#[allow(unused)]\nuse crate::top::Thing;",
        "#[cfg(any(test, feature = \"x\"))]\nfn f() { crate::top::f() }",
        "fn f() { match x { #[cfg(test)] A => crate::top::f(), B => g() } }",
        "struct S { #[cfg(test)] a: crate::top::Thing, b: u8 }",
    ] {
        assert_eq!(broken(&[("low.rs", text)]), [""; 0], "{text}");
    }
    let files = [
        ("low/mod.rs", "#[cfg(test)]\npub(crate) mod tests;"),
        ("low/tests/mod.rs", "mod deep; use crate::top::Thing;"),
        ("low/tests/deep.rs", "use crate::top::Thing;"),
    ];
    assert_eq!(broken(&files), [""; 0]);
}

#[test]
fn circles_of_files_and_folders_are_found() {
    let files = [
        ("low/mod.rs", "mod a; mod b; pub use b::Bee;"),
        ("low/a.rs", "use super::b::Bee; pub struct Ay;"),
        ("low/b.rs", "use super::a::Ay; pub struct Bee;"),
    ];
    let found = broken(&files);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("a circle: low/a (line 1) to low::b::Bee; low/b (line 1) to low::a::Ay"));
    // Through a re-export, and deeper down.
    let files = [
        ("low/mod.rs", "mod a; mod b; pub use b::*;"),
        ("low/a/mod.rs", "mod deep;"),
        ("low/a/deep.rs", "use crate::low::Bee;"),
        ("low/b.rs", "fn f() { super::a::f() } pub struct Bee;"),
    ];
    assert_eq!(broken(&files).len(), 1);
}

#[test]
fn a_folder_and_its_own_files_may_name_each_other() {
    let files =
        [("low/mod.rs", "mod a; use a::Ay; pub struct Low;"), ("low/a.rs", "use super::Low; pub struct Ay;")];
    assert_eq!(broken(&files), [""; 0]);
}

#[test]
fn an_allowed_circle_is_allowed_until_it_is_none() {
    let files = |b: &'static str| {
        [
            ("top.rs", ""),
            ("beside.rs", ""),
            ("low/mod.rs", "mod a; mod b;"),
            ("low/a.rs", "use super::b::f;"),
            ("low/b.rs", b),
        ]
    };
    let circle = files("use super::a::g;");
    for row in ["| `low/a.rs`, `low/b.rs` | |", "| `low/b` | |"] {
        let law = Law::of(&format!("{LAW}{row}\n"));
        assert_eq!(law.broken(&Crate::read(circle)), [""; 0]);
        let found = law.broken(&Crate::read(files("")));
        assert!(found[0].contains("form no circle any more"), "{found:?}");
    }
}

#[test]
fn a_room_that_is_in_no_row_and_a_row_without_a_room_are_told() {
    let found = broken(&[("new/mod.rs", "")]);
    assert_eq!(found, ["new is in no row of the table"]);
    let found = Law::of(LAW).broken(&Crate::read([("top.rs", ""), ("beside.rs", "")]));
    assert_eq!(found, ["low is in the table and not in src"]);
}
