//! documents.md against what `--json` prints: every field that comes is in the page, and every field of the page comes that
//! does not say when it is absent.

use super::{pcm, text};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt as _;

const PAGE: &str = include_str!("../../.github/docs/documents.md");

/// One row of a table.
#[derive(Debug, Clone)]
struct Row<'p> {
    name: &'p str,
    kind: &'p str,
    meaning: &'p str,
}

impl Row<'_> {
    fn may_be_absent(&self) -> bool {
        self.meaning.to_lowercase().contains("absent")
    }

    /// The part of several documents that it is.
    fn part(&self) -> Option<&str> {
        let (_, part) = self.kind.split_once("](#").or_else(|| self.name.split_once("](#"))?;
        part.split(')').next()
    }
}

/// The rows below the heading for which this holds.
fn rows(is: impl Fn(&str) -> bool) -> Vec<Row<'static>> {
    let below = PAGE.lines().skip_while(|line| !(line.starts_with('#') && is(line))).skip(1);
    let table = below.take_while(|line| !line.starts_with('#')).filter(|line| line.starts_with("| "));
    let rows = table.skip(2).map(|line| {
        let mut cells = line.trim_matches('|').splitn(3, " | ").map(|cell| cell.trim().trim_matches('`'));
        let [name, kind, meaning] = [(); 3].map(|()| cells.next().unwrap_or_default());
        Row { name, kind, meaning }
    });
    let rows: Vec<Row> = rows.collect();
    let flat = |row: Row<'static>| match row.name.starts_with("*all fields") {
        true => part(row.part().unwrap()),
        false => vec![row],
    };
    rows.into_iter().flat_map(flat).collect()
}

fn part(name: &str) -> Vec<Row<'static>> {
    let heading = format!("### {}", name.replace('-', " "));
    rows(|line| line == heading)
}

/// Compares an object with the rows whose names begin with this.
fn compare(object: &Value, rows: &[Row<'static>], before: &str, wrong: &mut Vec<String>) {
    let Some(object) = object.as_object() else {
        return wrong.push(format!("{before} is no object: {object}"));
    };
    let own = rows.iter().filter_map(|row| Some((row.name.strip_prefix(before)?, row)));
    let own: Vec<_> = own.filter(|(name, _)| !name.contains('.')).collect();
    for (name, row) in &own {
        if !object.contains_key(*name) && !row.may_be_absent() {
            wrong.push(format!("{before}{name} did not come, and the page does not say when it is absent"));
        }
    }
    for (key, value) in object {
        let Some((_, row)) = own.iter().find(|(name, _)| name == key) else {
            wrong.push(format!("{before}{key} is not in the page"));
            continue;
        };
        if value.is_null() && !row.kind.ends_with("or null") {
            wrong.push(format!("{before}{key} is null, which the page does not say"));
        }
        let objects = match value {
            Value::Array(all) => all.iter().filter(|one| one.is_object()).collect(),
            Value::Object(_) if !row.kind.contains("for each") => vec![value],
            Value::Object(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                Vec::new()
            }
        };
        for one in objects {
            let many = if value.is_array() { "[]" } else { "" };
            match row.part() {
                Some(name) => compare(one, &part(name), "", wrong),
                None => compare(one, rows, &format!("{before}{key}{many}."), wrong),
            }
        }
    }
}

#[test]
fn what_json_prints_is_what_the_page_of_documents_says() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let write = |name: &str, words: &str| {
        std::fs::create_dir_all(dir.join(name).parent().unwrap()).unwrap();
        std::fs::write(dir.join(name), words).unwrap();
        std::fs::set_permissions(dir.join(name), std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    write("tree/setup.sh", "#!/bin/sh\necho installed\n");
    std::fs::create_dir(dir.join("share")).unwrap();
    let (mut wrong, mut compared) = (Vec::new(), 0);
    // The verb, what follows it, and the exit statuses that it may have here.
    let calls: &[(&str, &str, &[i32])] = &[
        ("site init", "site --site BP0 --share share", &[0]),
        ("site init", "other --site BP0 --hand-made --example BP004001", &[0]),
        ("package import", "tree --name Hello --version 1 --command-line setup.sh --folder site", &[0]),
        ("package content", "BP000001 --folder site", &[0]),
        ("package content", "other/packages/BP00000A", &[0]),
        ("package new", "BP000009 --name Mine --folder site", &[0]),
        ("package list", "--folder site", &[0]),
        ("package lint", "BP000001 --folder site", &[0, 10]),
        ("site machine add", "BP004000 --group web --folder site", &[0]),
        ("site machine list", "--folder site", &[0]),
        ("site machine remove", "BP004000 --dry-run --expect 1 --folder site", &[0]),
        ("job send", "--package BP000001 --to @web --mandatory 2040-01-01T00:00:00Z --folder site", &[0]),
        ("job list", "--folder site", &[0]),
        ("job show", "BP000001 --folder site", &[0]),
        ("job suspend", "BP000001 --reason R --folder site", &[0]),
        ("job resume", "BP000001 --folder site", &[0]),
        ("job advance", "--dry-run --folder site", &[0]),
        ("site freeze", "--until 2040-01-01T00:00:00Z --reason R --folder site", &[0]),
        ("site unfreeze", "--folder site", &[0]),
        ("site publish", "--folder site", &[0]),
        ("site status", "--folder site", &[0, 10]),
        ("site lint", "site", &[0, 10]),
        ("site collect", "--folder site", &[0]),
        ("site install-timer", "--dry-run --folder site", &[0]),
        ("rollout", "--folder site", &[0]),
        ("rollout", "BP000001 --folder site", &[0]),
        ("init", "--machine BP004000 --share share --trust permissions", &[0]),
        ("poll", "", &[0]),
        ("status", "", &[0, 10]),
        ("list", "", &[0]),
        ("show", "BP00001", &[0]),
        ("explain", "BP00001", &[0]),
        ("simulate", "", &[0]),
        ("check", "", &[0, 10]),
        ("who", "", &[0]),
        ("hold", "--until 2h --reason R", &[0]),
        ("unhold", "", &[0]),
        ("run", "BP00001 --reason R --wait", &[0]),
        ("history", "", &[0]),
        ("audit", "", &[0]),
        ("audit verify", "", &[0]),
        ("evidence", "BP00001 --out ticket.tar.zst", &[0]),
        ("service status", "", &[0, 10]),
        ("key generate", "key", &[0]),
        ("job cancel", "BP000001 --reason R --folder site", &[0]),
    ];
    for (verb, more, may) in calls {
        let args: Vec<&str> =
            ["--json"].into_iter().chain(verb.split(' ')).chain(more.split_whitespace()).collect();
        let done = pcm(dir, &args);
        let (said, failed) = (text(&done.stdout), text(&done.stderr));
        assert!(may.contains(&done.status.code().unwrap()), "{verb} {more}: {said}{failed}");
        let document: Value = serde_json::from_str(&said).unwrap_or_else(|e| panic!("{verb}: {e}: {said}"));
        let named = format!("`pcm {verb}`");
        let rows = rows(|line| line.starts_with("## ") && line.contains(&named));
        assert!(!rows.is_empty(), "{verb} is not in the page");
        let mut here = Vec::new();
        compare(&document, &rows, "", &mut here);
        wrong.extend(here.into_iter().map(|what| format!("{verb} {more}: {what}")));
        compared += 1;
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(compared, calls.len());
}
