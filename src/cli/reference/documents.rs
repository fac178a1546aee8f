//! What `--json` prints, of each verb: the fields of its document, with the comments of the source.

use super::source::{Absent, Field, Type, Types};
use super::{MADE, cell, verbs};
use crate::cli::args::Cli;
use clap::CommandFactory;
use std::collections::{BTreeMap, BTreeSet};

/// Each verb with its document: the file below `src` and the type.
const DOCUMENTS: &[(&str, &str, &str)] = &[
    ("pcm status", "executor/talk/view.rs", "StatusDoc"),
    ("pcm list", "executor/talk/view.rs", "ListDoc"),
    ("pcm show", "executor/talk/request.rs", "ShowDoc"),
    ("pcm explain", "executor/talk/request.rs", "ExplainDoc"),
    ("pcm simulate", "executor/talk/view.rs", "SimulateDoc"),
    ("pcm run", "executor/talk/done.rs", "RunResultDoc"),
    ("pcm rerun", "executor/talk/done.rs", "RunResultDoc"),
    ("pcm defer", "executor/talk/done.rs", "ChangedDoc"),
    ("pcm undefer", "executor/talk/done.rs", "ChangedDoc"),
    ("pcm stop", "executor/talk/done.rs", "ChangedDoc"),
    ("pcm hold", "executor/talk/done.rs", "HoldDoc"),
    ("pcm unhold", "executor/talk/done.rs", "HoldDoc"),
    ("pcm restart now", "executor/talk/done.rs", "RestartDoc"),
    ("pcm restart defer", "executor/talk/done.rs", "RestartDoc"),
    ("pcm restart cancel", "executor/talk/done.rs", "RestartDoc"),
    ("pcm seen", "executor/talk/done.rs", "SeenDoc"),
    ("pcm poll", "executor/talk/done.rs", "PollDoc"),
    ("pcm who", "executor/talk/view.rs", "WhoDoc"),
    ("pcm notice", "executor/talk/done.rs", "ToldDoc"),
    ("pcm offers", "executor/talk/offer.rs", "OffersDoc"),
    ("pcm install", "executor/talk/done.rs", "RunResultDoc"),
    ("pcm log", "log/record.rs", "Record"),
    ("pcm history", "executor/talk/view.rs", "HistoryDoc"),
    ("pcm audit", "executor/talk/audit.rs", "AuditDoc"),
    ("pcm audit verify", "executor/talk/audit.rs", "VerifyDoc"),
    ("pcm evidence", "cli/evidence/manifest.rs", "Done"),
    ("pcm check", "executor/talk/view.rs", "CheckDoc"),
    ("pcm init", "cli/init.rs", "InitDoc"),
    ("pcm site init", "cli/publish.rs", "FolderDoc"),
    ("pcm site publish", "cli/folder.rs", "PublishDoc"),
    ("pcm site status", "cli/site_status.rs", "StatusDoc"),
    ("pcm site install-timer", "cli/timer.rs", "TimerDoc"),
    ("pcm site collect", "cli/collect.rs", "CollectDoc"),
    ("pcm site freeze", "cli/freeze.rs", "FreezeDoc"),
    ("pcm site unfreeze", "cli/freeze.rs", "FreezeDoc"),
    ("pcm site machine add", "cli/machine.rs", "ChangeDoc"),
    ("pcm site machine import", "cli/machine.rs", "ChangeDoc"),
    ("pcm site machine replace", "cli/machine.rs", "ChangeDoc"),
    ("pcm site machine remove", "cli/machine.rs", "ChangeDoc"),
    ("pcm site machine list", "cli/machine.rs", "MachinesDoc"),
    ("pcm site lint", "executor/talk/view.rs", "CheckDoc"),
    ("pcm site verify", "cli/verify.rs", "VerifyDoc"),
    ("pcm package new", "cli/package.rs", "NewDoc"),
    ("pcm package import", "cli/package.rs", "ImportDoc"),
    ("pcm package list", "cli/package/list.rs", "ListDoc"),
    ("pcm package lint", "executor/talk/view.rs", "CheckDoc"),
    ("pcm package sign", "cli/sign.rs", "SignDoc"),
    ("pcm package content", "cli/sign.rs", "ContentDoc"),
    ("pcm job send", "cli/job.rs", "SentDoc"),
    ("pcm job list", "cli/jobs.rs", "JobsDoc"),
    ("pcm job show", "cli/jobs.rs", "ShowDoc"),
    ("pcm job suspend", "cli/job.rs", "SentDoc"),
    ("pcm job resume", "cli/job.rs", "SentDoc"),
    ("pcm job cancel", "cli/job.rs", "SentDoc"),
    ("pcm job advance", "cli/advance.rs", "AdvanceDoc"),
    ("pcm rollout", "rollout/doc.rs", "RolloutDoc"),
    ("pcm key generate", "cli/key.rs", "PairDoc"),
    ("pcm key trust", "cli/key.rs", "KeysDoc"),
    ("pcm key revoke", "cli/key.rs", "KeysDoc"),
    ("pcm key withdraw", "cli/key.rs", "KeysDoc"),
    ("pcm key list", "cli/key.rs", "KeysDoc"),
    ("pcm service install", "cli/service.rs", "ServiceDoc"),
    ("pcm service uninstall", "cli/service.rs", "ServiceDoc"),
    ("pcm service status", "cli/service.rs", "ServiceDoc"),
];

/// Those without a document, and why.
const NONE: &[(&str, &str)] = &[
    (
        "pcm demo",
        "with `--headless` one object a line: `time`, `what`, `text`, and at the end the document of `pcm list`",
    ),
    ("pcm service run", "it serves until it is ended"),
    ("pcm completions", "text for a shell"),
    ("pcm help", "text"),
    ("pcm man", "text for `man`"),
];

/// How the types of the source are named to those who read JSON.
const NAMES: &[(&str, &str)] = &[
    ("SafeText", "text"),
    ("String", "text"),
    ("str", "text"),
    ("Shared", "text"),
    ("Level", "`verbose`, `info`, `warning`, `error`"),
    ("RefusalCode", "code"),
    ("PathBuf", "text"),
    ("Wall", "time"),
    ("When", "time"),
    ("bool", "true or false"),
    ("u8", "number"),
    ("u16", "number"),
    ("u32", "number"),
    ("u64", "number"),
    ("usize", "number"),
    ("i32", "number"),
    ("i64", "number"),
    ("f64", "number"),
    ("Exit", "number"),
    ("ExitCode", "number"),
    ("MachineId", "machine id"),
    ("RequestId", "request id"),
    ("JobId", "job id"),
    ("PackageId", "package id"),
    ("SiteCode", "site code"),
    ("SiteId", "text"),
    ("ContentHash", "SHA-256"),
];

/// Types that every document may have: said once.
const SHARED: &[&str] =
    &["RequestDoc", "GateDoc", "AttemptDoc", "Problem", "RunDoc", "RestartDoc", "HoldDoc", "PublishDoc"];

#[test]
fn every_verb_has_its_document_or_the_reason_why_not() {
    let mut root = Cli::command();
    root.build();
    let mut all = Vec::new();
    verbs(&root, "pcm", &mut all);
    let known =
        |name: &str| DOCUMENTS.iter().any(|(v, ..)| *v == name) || NONE.iter().any(|(v, _)| *v == name);
    let missing: Vec<&String> = all.iter().map(|(name, _)| name).filter(|name| !known(name)).collect();
    assert!(missing.is_empty(), "no row in DOCUMENTS or NONE: {missing:?}");
    for name in DOCUMENTS.iter().map(|(v, ..)| v).chain(NONE.iter().map(|(v, _)| v)) {
        assert!(all.iter().any(|(known, _)| known == name), "there is no `{name}`");
    }
}

pub fn page(types: &Types) -> String {
    let mut page = format!(
        "# JSON documents\n\n{MADE}\n\nWith `--json` a verb prints one document, and a verb that follows something one object a \
         line. Times are in RFC 3339, UTC. A field may be `null` where it says so, \
         and every field is there that does not say when it is absent. Later versions add fields; none is taken \
         away or means something else, so skip the fields that you do not know. With `--dry-run` a verb that changes something \
         prints `dry_run` (true), `would` (text) and `request_id`, unless its document has `dry_run` itself. \
         [words.md](words.md) has all states, gates and codes.\n"
    );
    let mut parts = Parts { types, shared: BTreeSet::new() };
    let mut titles: Vec<(Vec<&str>, &str, &str)> = Vec::new();
    for (verb, file, name) in DOCUMENTS {
        match titles.iter_mut().find(|(_, f, n)| (f, n) == (file, name)) {
            Some((same, ..)) => same.push(verb),
            None => titles.push((vec![verb], file, name)),
        }
    }
    for (same, file, name) in titles {
        let verbs: Vec<String> = same.iter().map(|verb| format!("`{verb}`")).collect();
        page.push_str(&format!("\n## {}\n\n", verbs.join(", ")));
        if name == "Record" {
            page.push_str(
                "One object a line. `--explain-codes` adds `codes`, a list of objects with `code`, `name` (absent where it has \
                 none) and `meaning`, to records that have some. `--hosts` adds `host` and `skew_s`; `--count` prints one object \
                 with `count`.\n\n",
            );
        }
        page.push_str(&parts.table(types.find(name, file).unwrap()));
    }
    page.push_str("\n## Errors\n\nOn standard error, and nothing on standard output.\n\n");
    page.push_str(&parts.table(types.find("ErrorDoc", "executor/talk/done.rs").unwrap()));
    page.push_str("\n## Without a document\n\n");
    for (verb, why) in NONE {
        page.push_str(&format!("- `{verb}`: {why}.\n"));
    }
    page.push_str("\n## Parts of several documents\n");
    let mut said = BTreeMap::new();
    while let Some((name, file)) = parts.shared.iter().find(|one| !said.contains_key(*one)).cloned() {
        let table = parts.table(types.find(&name, &file).unwrap());
        said.insert((name, file), table);
    }
    for ((name, _), table) in said {
        page.push_str(&format!("\n### {}\n\n{table}", part_name(&name)));
    }
    page
}

/// `RequestDoc` is a request.
fn part_name(name: &str) -> String {
    let name = name.strip_suffix("Doc").unwrap_or(name);
    let words = name.chars().enumerate().flat_map(|(at, c)| {
        let blank = (at > 0 && c.is_ascii_uppercase()).then_some(' ');
        blank.into_iter().chain([c.to_ascii_lowercase()])
    });
    words.collect()
}

struct Parts<'t> {
    types: &'t Types,
    /// The parts that are said once, with their files.
    shared: BTreeSet<(String, String)>,
}

impl Parts<'_> {
    fn table(&mut self, whole: &Type) -> String {
        let mut page = String::from("| field | what it is | meaning |\n| --- | --- | --- |\n");
        self.rows(whole, ("", ""), &mut page, 0);
        page
    }

    /// `before`: what stands before each name; `when`: what holds for all of them, e.g. when they are absent.
    fn rows(&mut self, whole: &Type, (before, when): (&str, &str), page: &mut String, depth: usize) {
        for field in &whole.fields {
            let (kind, inner) = self.shown(field.shown_kind(), &whole.file);
            let name = format!("{before}{}", field.name);
            let inner = inner.filter(|_| depth < 4);
            if field.flat {
                match inner {
                    Some(inner) if self.is_shared(&inner) => {
                        page.push_str(&format!(
                            "| *all fields of {}* | | {} |\n",
                            self.link(&inner),
                            cell(&field.words)
                        ));
                    }
                    Some(inner) => {
                        // Where the whole may be missing, its comment says when.
                        let when = if of("Option", &field.kind).is_some() { &*field.words } else { when };
                        self.rows(&inner, (before, when), page, depth + 1);
                    }
                    None => {}
                }
                continue;
            }
            let words = [&words(field), when].join(" ");
            let words = words.trim();
            match inner {
                Some(inner) if self.is_shared(&inner) => {
                    let kind = kind.replace("{}", &self.link(&inner));
                    page.push_str(&format!("| `{name}` | {kind} | {words} |\n"));
                }
                Some(inner) => {
                    page.push_str(&format!("| `{name}` | {} | {words} |\n", kind.replace("{}", "object")));
                    let many = if kind.starts_with("list") { "[]" } else { "" };
                    let many = if kind.contains("for each") { ".*" } else { many };
                    self.rows(&inner, (&format!("{name}{many}."), ""), page, depth + 1);
                }
                None => {
                    page.push_str(&format!("| `{name}` | {} | {words} |\n", kind.replace("{}", "object")))
                }
            }
        }
    }

    fn is_shared(&self, inner: &Type) -> bool {
        SHARED.contains(&inner.name.as_str())
            && (inner.name != "GateDoc" || inner.file.starts_with("executor/"))
    }

    fn link(&mut self, inner: &Type) -> String {
        self.shared.insert((inner.name.clone(), inner.file.clone()));
        let name = part_name(&inner.name);
        format!("[{name}](#{})", name.replace(' ', "-"))
    }

    /// A type of the source in words, with `{}` for the struct that is in it, and that struct.
    fn shown(&self, kind: &str, file: &str) -> (String, Option<Type>) {
        let kind = kind.trim().trim_start_matches('&');
        let kind = ["'a ", "'static "].iter().fold(kind, |kind, life| kind.trim_start_matches(life));
        if let Some(inner) = of("Option", kind) {
            let (shown, of) = self.shown(inner, file);
            return (format!("{shown} or null"), of);
        }
        if let Some(inner) = ["Box", "Arc", "Cow"].iter().find_map(|wrap| of(wrap, kind)) {
            return self.shown(inner.trim_start_matches("'a, "), file);
        }
        let listed = of("Vec", kind).or_else(|| of("BTreeSet", kind));
        if let Some(inner) = listed.or_else(|| kind.strip_prefix('[').and_then(|k| k.strip_suffix(']'))) {
            let (shown, of) = self.shown(inner, file);
            return (format!("list of {shown}"), of);
        }
        if let Some((key, inner)) = of("BTreeMap", kind).and_then(|inner| inner.split_once(", ")) {
            let ((key, _), (shown, of)) = (self.shown(key, file), self.shown(inner, file));
            return (format!("{shown} for each {key}"), of);
        }
        if let Some(inner) = kind.strip_prefix('(').and_then(|k| k.strip_suffix(')')) {
            let shown: Vec<String> = inner.split(", ").map(|one| self.shown(one, file).0).collect();
            return (format!("list of {}", shown.join(" and ")), None);
        }
        let kind = kind.split('<').next().unwrap_or(kind);
        let name = kind.rsplit("::").next().unwrap_or(kind);
        if let Some((_, shown)) = NAMES.iter().find(|(known, _)| *known == name) {
            return ((*shown).to_owned(), None);
        }
        let plain = kind.trim_end_matches("Doc");
        match self.types.find(kind, file).or_else(|| self.types.find(plain, file)) {
            Some(found) if !found.fields.is_empty() => ("{}".to_owned(), Some(found.clone())),
            Some(found) if found.values.len() > 12 => (part_name(name), None),
            Some(found) => {
                let words: Vec<String> = found.values.iter().map(|(word, _)| format!("`{word}`")).collect();
                (words.join(", "), None)
            }
            None => (format!("{} (text)", part_name(name)), None),
        }
    }
}

fn of<'k>(wrap: &str, kind: &'k str) -> Option<&'k str> {
    kind.strip_prefix(wrap)?.strip_prefix('<')?.strip_suffix('>')
}

/// What the comment says, for somebody who reads JSON.
fn words(field: &Field) -> String {
    let none = regex::Regex::new(r"\bNone\b").unwrap();
    let mut words = none.replace_all(&field.words, "null").into_owned();
    if let Some(value) = field.absent.and_then(Absent::value).filter(|_| !says_absent(&words)) {
        words.push_str(&format!(" Absent: {value}."));
    }
    cell(&words)
}

fn says_absent(words: &str) -> bool {
    words.to_lowercase().contains("absent")
}

#[test]
fn every_field_has_a_meaning_and_says_when_it_is_absent() {
    let types = Types::read(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let mut met = BTreeSet::new();
    let parts = Parts { types: &types, shared: BTreeSet::new() };
    let wholes = DOCUMENTS.iter().map(|(_, file, name)| types.find(name, file).unwrap().clone());
    let mut left: Vec<Type> = wholes.collect();
    let mut wrong = Vec::new();
    while let Some(whole) = left.pop() {
        if !met.insert((whole.name.clone(), whole.file.clone())) {
            continue;
        }
        for field in &whole.fields {
            let said = words(field);
            let absent = field.absent.is_some() || field.flat && of("Option", &field.kind).is_some();
            if said.is_empty() && !field.flat || absent && !says_absent(&said) {
                wrong.push(format!("{}: {}.{}: {said:?}", whole.file, whole.name, field.name));
            }
            left.extend(parts.shown(field.shown_kind(), &whole.file).1);
        }
    }
    assert!(met.len() > 60, "{}", met.len());
    assert!(wrong.is_empty(), "a meaning, and \"absent where ...\": {wrong:#?}");
}
