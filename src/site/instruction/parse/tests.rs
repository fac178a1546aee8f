//! The rules of FORMATS.md 3, one test a rule.
#![allow(clippy::unwrap_used)]

use super::{Defaults, parse};
use crate::clock::When;
use crate::site::instruction::{
    Entry, InstructionFile, Outcome, Program, Rejected, Request, Restarts, RunWhen,
};
use crate::terms::{Platform, Problem};
use proptest::prelude::*;
use std::time::Duration;

const HEAD: &str = r#"format = 1
site = "BP0"
machine = "BP004000"
serial = 42
issued = 2026-11-22T08:00:00Z
"#;

const REQUEST: &str = r#"
[[request]]
request_id = "BP0000Y"
job_id = "BP0000AA"
package_id = "BP00000A"
package = "Acme Workstation 4.0"
command = "Typical"
command_line = "setup.sh --silent"
"#;

const END: &str = "\n[end]\nserial = 42\n";

/// The example of FORMATS.md 3, with a hash where the text has dots.
const FULL: &str = r#"format = 1
site = "BP0"
machine = "BP004000"            # must equal the file's name
serial = 42                     # grows with every publication
issued = 2026-11-22T08:00:00Z
valid_until = 2026-12-22T08:00:00Z          # optional

[[request]]
request_id = "BP0000Y"
job_id = "BP0000AA"
package_id = "BP00000A"
package = "Acme Workstation 4.0"
command = "Typical"
command_line = "setup.sh --silent"          # or an array: ["setup.sh", "--silent"]
automated = true
background = true
offer_after = 2026-11-22T09:00:00           # no zone: the machine's own wall clock
mandatory_after = 2026-11-22T22:00:00Z      # zone or offset: that instant everywhere
expire_after = 2026-12-22T00:00:00
platforms = ["linux-x86_64"]                # absent: any
run_when = "any"                            # any | no-user | user
max_run_time = "2h"                         # default 2h, at most 24h
restarts = "no"                             # no | program | pcm
ignore_windows = false
disk_space = "200 MB"
depends_on = ["BP0000X"]
suspended = false
content_sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
[request.exit_codes]                        # only what differs from the default table
"17" = "success"                            # success | restart | retry | failure

[end]                                       # the last table: a truncated file cannot pass
serial = 42                                 # the serial again
"#;

fn defaults() -> Defaults {
    Defaults {
        max_run_time: Duration::from_secs(7_200),
        ignore_windows: false,
        programs: vec!["dpkg".into(), "apt-get".into(), "msiexec.exe".into()],
    }
}

fn read(text: &str) -> Result<InstructionFile, Vec<Problem>> {
    parse(text.as_bytes(), "BP004000".parse().unwrap(), "BP004000.INS", &defaults())
}

/// A file with the base request and these lines more in it.
fn with(lines: &str) -> InstructionFile {
    read(&format!("{HEAD}{REQUEST}{lines}\n{END}")).unwrap()
}

fn good(lines: &str) -> Request {
    match with(lines).requests.remove(0) {
        Entry::Good(request) => *request,
        Entry::Rejected(rejected) => panic!("rejected: {:?}", rejected.problems),
    }
}

fn bad(lines: &str) -> Rejected {
    match with(lines).requests.remove(0) {
        Entry::Good(request) => panic!("good: {request:?}"),
        Entry::Rejected(rejected) => rejected,
    }
}

/// Code, line and field of a request's only problem. The base request's header is line 7, the first line more is 14.
fn complaint(lines: &str) -> (String, u32, String) {
    let problems = bad(lines).problems;
    assert_eq!(problems.len(), 1, "{problems:?}");
    place(&problems[0])
}

fn place(problem: &Problem) -> (String, u32, String) {
    let field = problem.field.as_ref().map(ToString::to_string).unwrap_or_default();
    (problem.code.clone(), problem.line.unwrap_or(0), field)
}

fn refusal(text: &str) -> Vec<(String, u32, String)> {
    read(text).unwrap_err().iter().map(place).collect()
}

fn at(code: &str, line: u32, field: &str) -> (String, u32, String) {
    (code.into(), line, field.into())
}

fn command_line(value: &str) -> Result<(Program, Vec<String>), (String, u32, String)> {
    let text = format!("{HEAD}{}{END}", REQUEST.replace("\"setup.sh --silent\"", value));
    match read(&text).unwrap().requests.remove(0) {
        Entry::Good(request) => Ok((request.command_line.program, request.command_line.args)),
        Entry::Rejected(rejected) => Err(place(&rejected.problems[0])),
    }
}

fn in_package(program: &str, args: &[&str]) -> Result<(Program, Vec<String>), (String, u32, String)> {
    Ok((Program::InPackage(program.into()), args.iter().map(ToString::to_string).collect()))
}

#[test]
fn the_example_of_the_format_is_read_field_by_field() {
    let file = read(FULL).unwrap();
    assert_eq!((file.site.as_str(), file.machine.as_str(), file.serial), ("BP0", "BP004000", 42));
    assert_eq!(file.issued.to_rfc3339(), "2026-11-22T08:00:00+00:00");
    assert_eq!(file.valid_until.unwrap().to_rfc3339(), "2026-12-22T08:00:00+00:00");
    assert_eq!(file.warnings, []);
    let Entry::Good(r) = &file.requests[0] else { panic!("{:?}", file.requests) };
    assert_eq!(r.request_id.as_str(), "BP0000Y");
    assert_eq!((r.job_id.as_str(), r.package_id.as_str()), ("BP0000AA", "BP00000A"));
    assert_eq!((r.package.as_str(), r.command.as_str()), ("Acme Workstation 4.0", "Typical"));
    assert_eq!(r.command_line.program, Program::InPackage("setup.sh".into()));
    assert_eq!(r.command_line.args, ["--silent"]);
    assert!(r.automated && r.background && !r.ignore_windows && !r.suspended);
    assert!(matches!(r.offer_after, When::Local(t) if t.to_string() == "2026-11-22 09:00:00"));
    assert!(
        matches!(r.mandatory_after, Some(When::Instant(t)) if t.to_string() == "2026-11-22 22:00:00 UTC")
    );
    assert!(matches!(r.expire_after, Some(When::Local(t)) if t.to_string() == "2026-12-22 00:00:00"));
    assert_eq!(r.platforms, [Platform::LinuxX86_64]);
    assert_eq!((r.run_when, r.restarts), (RunWhen::Any, Restarts::No));
    assert_eq!(r.max_run_time, Duration::from_secs(7_200));
    assert_eq!(r.disk_space, Some(200 << 20));
    assert_eq!(r.depends_on.iter().map(ToString::to_string).collect::<Vec<_>>(), ["BP0000X"]);
    assert_eq!(r.content_sha256.as_ref().unwrap().as_str().len(), 64);
    assert_eq!(r.exit_codes.iter().collect::<Vec<_>>(), [(&17, &Outcome::Success)]);
    assert_eq!(r.line, 8);
}

#[test]
fn what_is_not_written_has_its_default() {
    let r = good("");
    assert!(!r.automated && !r.background && !r.suspended && !r.ignore_windows);
    assert!(matches!(r.offer_after, When::Instant(t) if t.to_rfc3339() == "2026-11-22T08:00:00+00:00"));
    assert_eq!((r.mandatory_after, r.expire_after, r.disk_space), (None, None, None));
    assert_eq!((r.run_when, r.restarts), (RunWhen::Any, Restarts::No));
    assert_eq!(r.max_run_time, Duration::from_secs(7_200));
    assert!(r.platforms.is_empty() && r.depends_on.is_empty() && r.exit_codes.is_empty());
    assert!(r.content_sha256.is_none());
}

#[test]
fn a_file_without_requests_is_valid() {
    assert_eq!(read(&format!("{HEAD}{END}")).unwrap().requests, []);
    assert_eq!(read(&format!("{HEAD}request = []\n{END}")).unwrap().requests, []);
}

#[test]
fn ids_are_read_without_case() {
    let text = FULL.replace("BP0000Y", "bp0000y").replace("\"BP004000\"", "\"bp004000\"");
    assert_eq!(read(&text).unwrap().requests, read(FULL).unwrap().requests);
}

#[test]
fn line_ends_and_a_byte_order_mark_make_no_difference() {
    let plain = read(FULL).unwrap();
    assert_eq!(read(&FULL.replace('\n', "\r\n")).unwrap(), plain);
    assert_eq!(read(&format!("\u{feff}{FULL}")).unwrap(), plain);
    assert_eq!(read(&format!("\u{feff}{}", FULL.replace('\n', "\r\n"))).unwrap(), plain);
    let broken = FULL.replace("\"no\"", "\"maybe\"");
    let line = |text: &str| match read(text).unwrap().requests.remove(0) {
        Entry::Rejected(r) => r.problems[0].line,
        Entry::Good(_) => None,
    };
    assert_eq!(line(&broken), Some(23));
    assert_eq!(line(&format!("\u{feff}{}", broken.replace('\n', "\r\n"))), Some(23));
}

#[test]
fn no_prefix_of_a_valid_file_says_anything_but_the_whole() {
    let whole = read(FULL).unwrap();
    // Behind the second serial only a comment and the line's end follow.
    let complete = FULL.rfind("42").unwrap() + 2;
    for cut in 0..FULL.len() {
        match read(&FULL[..cut]) {
            Err(problems) => assert!(!problems.is_empty()),
            Ok(file) => assert!(cut >= complete && file == whole, "cut at {cut}"),
        }
    }
}

#[test]
fn a_file_that_is_no_toml_is_rejected_with_the_line() {
    assert_eq!(
        refusal(&FULL.replace("automated = true", "automated = = true")),
        [at("malformed", 15, "automated")]
    );
    assert_eq!(
        refusal(&FULL.replace("command = \"Typical\"", "command = \"Typical")),
        [at("malformed", 13, "command")]
    );
    assert_eq!(refusal(""), [at("malformed", 0, "")]);
    assert_eq!(refusal(" \r\n\n"), [at("malformed", 0, "")]);
    let zeros = String::from_utf8(vec![0; 300]).unwrap();
    assert_eq!(refusal(&zeros)[0].1, 1);
    let bytes = [HEAD.as_bytes(), b"x = \"\xff\"\n"].concat();
    let problems = parse(&bytes, "BP004000".parse().unwrap(), "f", &defaults()).unwrap_err();
    assert_eq!(place(&problems[0]), at("malformed", 6, ""));
}

#[test]
fn a_duplicate_key_rejects_the_file_with_the_line() {
    let twice = FULL.replace("suspended = false", "suspended = false\nsuspended = false");
    assert_eq!(refusal(&twice), [at("malformed", 28, "suspended")]);
    assert_eq!(refusal(&FULL.replace("serial = 42  ", "serial = 42\nserial = 42  "))[0].1, 5);
}

#[test]
fn the_end_must_be_there_and_last_and_equal() {
    assert_eq!(refusal(&format!("{HEAD}{REQUEST}")), [at("malformed", 13, "end")]);
    assert_eq!(refusal(&format!("{HEAD}{END}{REQUEST}")), [at("malformed", 7, "end")]);
    assert_eq!(refusal(&format!("{HEAD}{REQUEST}\n[end]\n")), [at("malformed", 15, "end.serial")]);
    assert_eq!(
        refusal(&format!("{HEAD}{REQUEST}\n[end]\nserial = 43\n")),
        [at("malformed", 16, "end.serial")]
    );
    assert_eq!(
        refusal(&format!("{HEAD}{REQUEST}\n[end]\nserial = \"42\"\n")),
        [at("malformed", 16, "end.serial")]
    );
    assert_eq!(refusal(&format!("{HEAD}end = 42\n{REQUEST}"))[0], at("malformed", 6, "end"));
    let inside = format!("{HEAD}{REQUEST}\n[end]\nserial = 42\n[request.exit_codes]\n\"1\" = \"retry\"\n");
    assert_eq!(refusal(&inside), [at("malformed", 15, "end")]);
}

#[test]
fn every_wrong_value_of_the_head_rejects_the_file_and_all_are_told_at_once() {
    for (from, to, line, field) in [
        ("format = 1", "format = 2", 1, "format"),
        ("format = 1\n", "", 1, "format"),
        ("site = \"BP0\"", "site = \"BP\"", 2, "site"),
        ("site = \"BP0\"", "site = \"XX0\"", 2, "site"),
        ("\"BP004000\"", "\"BP004001\"", 3, "machine"),
        ("\"BP004000\"", "4000", 3, "machine"),
        ("issued = 2026-11-22T08:00:00Z", "issued = 2026-11-22T08:00:00", 5, "issued"),
        ("issued = 2026-11-22T08:00:00Z", "issued = 2026-11-22", 5, "issued"),
        ("valid_until = 2026-12-22T08:00:00Z", "valid_until = \"soon\"", 6, "valid_until"),
    ] {
        assert_eq!(refusal(&FULL.replacen(from, to, 1)), [at("malformed", line, field)], "{to}");
    }
    let early = FULL.replace("valid_until = 2026-12-22", "valid_until = 2026-10-22");
    assert_eq!(refusal(&early), [at("contradiction", 6, "valid_until")]);
    for serial in ["-1", "4.5", "99999999999999999999", "\"42\""] {
        let problems = refusal(&FULL.replacen("serial = 42", &format!("serial = {serial}"), 1));
        assert_eq!(problems, [at("malformed", 4, "serial")], "{serial}");
    }
    let lines: Vec<_> = refusal("format = 3\nsite = 1\nmachine = 2\nserial = \"\"\nissued = 5\n[end]\n")
        .iter()
        .map(|p| p.1)
        .collect();
    assert_eq!(lines, [1, 2, 3, 4, 5, 6]);
}

#[test]
fn size_and_number_of_requests_are_limited() {
    let comment = format!("# {}\n", "x".repeat(1 << 20));
    assert_eq!(refusal(&format!("{comment}{FULL}")), [at("malformed", 0, "")]);
    let many = |n: usize| {
        let requests: String = (0..n).map(|i| REQUEST.replace("BP0000Y", &format!("BP0{i:04}"))).collect();
        format!("{HEAD}{requests}{END}")
    };
    assert_eq!(read(&many(1_000)).unwrap().requests.len(), 1_000);
    assert_eq!(refusal(&many(1_001)), [at("malformed", 7, "request")]);
}

#[test]
fn unknown_keys_are_warnings_with_their_place() {
    let text = format!("colour = 1\n{HEAD}{REQUEST}colour = \"red\"\n[request.deep]\na = 1\n{END}more = 1\n");
    let file = read(&text).unwrap();
    assert!(matches!(file.requests[0], Entry::Good(_)));
    let unknown = file.warnings.iter().filter(|w| w.message.as_str().contains("not known"));
    let mut places: Vec<_> = unknown.map(place).collect();
    places.sort_by_key(|p| p.1);
    assert_eq!(
        places,
        [
            at("warning", 1, "colour"),
            at("warning", 15, "request[1].colour"),
            at("warning", 16, "request[1].deep"),
            at("warning", 21, "end.more"),
        ]
    );
}

#[test]
fn a_program_of_a_package_that_is_not_copied_is_a_warning() {
    let warnings = with("").warnings;
    assert_eq!(
        warnings.iter().map(place).collect::<Vec<_>>(),
        [at("warning", 13, "request[1].command_line")]
    );
    assert_eq!(read(FULL).unwrap().warnings, []);
    for listed in ["dpkg -i", "DNF install", "msiexec.exe /i"] {
        let text = format!("{HEAD}{}{END}", REQUEST.replace("setup.sh --silent", listed));
        assert_eq!(read(&text).unwrap().warnings, [], "{listed}");
    }
}

#[test]
fn each_wrong_value_rejects_its_request_with_code_line_and_field() {
    for (line, key) in [
        ("automated = 1", "automated"),
        ("background = \"yes\"", "background"),
        ("offer_after = \"2026-11-22T09:00:00\"", "offer_after"),
        ("offer_after = 2026-11-22", "offer_after"),
        ("mandatory_after = 09:00:00", "mandatory_after"),
        ("mandatory_after = 2026-11-22T23:59:60Z", "mandatory_after"),
        ("expire_after = false", "expire_after"),
        ("platforms = \"linux-x86_64\"", "platforms"),
        ("platforms = [\"linux-x86_64\", \"amiga\"]", "platforms[2]"),
        ("run_when = \"Any\"", "run_when"),
        ("max_run_time = \"2 hours\"", "max_run_time"),
        ("max_run_time = \"25h\"", "max_run_time"),
        ("max_run_time = \"0s\"", "max_run_time"),
        ("max_run_time = 7200", "max_run_time"),
        ("max_run_time = \"99999999999999999999d\"", "max_run_time"),
        ("restarts = true", "restarts"),
        ("ignore_windows = []", "ignore_windows"),
        ("disk_space = \"200\"", "disk_space"),
        ("disk_space = \"-1 MB\"", "disk_space"),
        ("disk_space = \"99999999999 TB\"", "disk_space"),
        ("depends_on = [\"BP0000X\", \"../../etc\"]", "depends_on[2]"),
        ("suspended = \"false\"", "suspended"),
        ("content_sha256 = \"ABCDEF\"", "content_sha256"),
        ("exit_codes = 0", "exit_codes"),
        ("exit_codes = { \"17\" = \"great\" }", "exit_codes.17"),
        ("exit_codes = { \"017\" = \"success\" }", "exit_codes.017"),
        ("exit_codes = { all = \"success\" }", "exit_codes.all"),
    ] {
        assert_eq!(complaint(line), at("malformed", 14, &format!("request[1].{key}")), "{line}");
    }
}

#[test]
fn each_missing_field_is_told_at_the_line_of_its_request() {
    for key in ["request_id", "job_id", "package_id", "package", "command", "command_line"] {
        let request: String = REQUEST
            .lines()
            .filter(|l| !l.starts_with(&format!("{key} ")))
            .map(|l| format!("{l}\n"))
            .collect();
        let file = read(&format!("{HEAD}{request}{END}")).unwrap();
        let Entry::Rejected(rejected) = &file.requests[0] else { panic!("{key}") };
        assert_eq!(
            rejected.problems.iter().map(place).collect::<Vec<_>>(),
            [at("malformed", 7, &format!("request[1].{key}"))]
        );
        assert_eq!(rejected.request_id.is_some(), key != "request_id");
        assert_eq!(rejected.package.is_some(), key != "package");
    }
}

#[test]
fn all_problems_of_a_request_are_told_not_only_the_first() {
    let problems = bad("automated = 1\nrun_when = 2\nrestarts = 3\nsuspended = 4").problems;
    assert_eq!(problems.iter().map(|p| p.line.unwrap()).collect::<Vec<_>>(), [14, 15, 16, 17]);
}

#[test]
fn a_bad_request_does_not_hide_its_neighbours() {
    let other = REQUEST.replace("BP0000Y", "BP0000Z");
    let broken = REQUEST.replace("BP0000Y", "BP0000W").replace("\"Typical\"", "7");
    let file = read(&format!("{HEAD}{REQUEST}{broken}{other}{END}")).unwrap();
    let kinds: Vec<_> = file.requests.iter().map(|e| matches!(e, Entry::Good(_))).collect();
    assert_eq!(kinds, [true, false, true]);
    let Entry::Rejected(rejected) = &file.requests[1] else { panic!() };
    assert_eq!(rejected.request_id.unwrap().as_str(), "BP0000W");
    assert_eq!(place(&rejected.problems[0]), at("malformed", 20, "request[2].command"));
}

#[test]
fn background_implies_automated_and_contradicts_its_denial() {
    let r = good("background = true");
    assert!(r.automated && r.background);
    let r = good("automated = true");
    assert!(r.automated && !r.background);
    assert_eq!(
        complaint("background = true\nautomated = false"),
        at("contradiction", 15, "request[1].automated")
    );
    assert!(!good("background = false\nautomated = false").automated);
}

#[test]
fn times_that_exclude_each_other_are_a_contradiction() {
    let m = "request[1].mandatory_after";
    let e = "request[1].expire_after";
    for (lines, field) in [
        ("mandatory_after = 2026-11-22T08:59:59\noffer_after = 2026-11-22T09:00:00", m),
        ("mandatory_after = 2026-11-22T08:59:59Z\noffer_after = 2026-11-22T10:00:00+01:00", m),
        ("expire_after = 2026-11-22T09:00:00\nmandatory_after = 2026-11-22T09:00:00", e),
        ("expire_after = 2026-11-22T09:00:00\noffer_after = 2026-11-22T09:00:00", e),
        ("expire_after = 2026-11-22T09:00:00Z\noffer_after = 2026-11-22T11:00:00+02:00", e),
        ("expire_after = 2026-11-20T09:00:00Z\noffer_after = 2026-11-22T09:00:00", e),
    ] {
        assert_eq!(complaint(lines), at("contradiction", 14, field), "{lines}");
    }
    // The same time is fine for offer and mandatory; across kinds only what is certain in every zone counts.
    good("mandatory_after = 2026-11-22T09:00:00\noffer_after = 2026-11-22T09:00:00");
    good("mandatory_after = 2026-11-22T08:00:00Z\noffer_after = 2026-11-22T18:00:00");
    good("mandatory_after = 2026-11-22T09:00:00\nexpire_after = 2026-11-22T09:00:01");
}

#[test]
fn a_file_published_again_after_the_mandatory_time_is_no_contradiction() {
    good("mandatory_after = 2026-11-20T00:00:00Z\nexpire_after = 2026-11-21T00:00:00Z");
}

#[test]
fn a_request_cannot_depend_on_itself() {
    assert_eq!(complaint("depends_on = [\"bp0000y\"]"), at("contradiction", 14, "request[1].depends_on"));
    assert_eq!(good("depends_on = [\"BP0000X\", \"bp0000x\"]").depends_on.len(), 1);
}

#[test]
fn identical_duplicates_count_once_and_differing_ones_are_both_rejected() {
    let same = REQUEST
        .replace("command_line = \"setup.sh --silent\"", "command_line = [\"setup.sh\", \"--silent\"]");
    assert_eq!(read(&format!("{HEAD}{REQUEST}{same}{REQUEST}{END}")).unwrap().requests.len(), 1);
    let other = REQUEST.replace("Typical", "Complete").replace("BP0000Y", "bp0000y");
    let third = REQUEST.replace("BP0000Y", "BP0000Z");
    let file = read(&format!("{HEAD}{REQUEST}{third}{other}{END}")).unwrap();
    assert_eq!(file.requests.len(), 3);
    for (place_in_file, line, number) in [(0, 7, 1), (2, 23, 3)] {
        let Entry::Rejected(r) = &file.requests[place_in_file] else { panic!("{place_in_file}") };
        assert_eq!(place(&r.problems[0]), at("duplicate", line, &format!("request[{number}].request_id")));
    }
    assert!(matches!(file.requests[1], Entry::Good(_)));
}

#[test]
fn a_malformed_twin_takes_the_good_one_with_it() {
    let broken = REQUEST.replace("\"Typical\"", "7");
    let file = read(&format!("{HEAD}{REQUEST}{broken}{END}")).unwrap();
    assert!(file.requests.iter().all(|e| matches!(e, Entry::Rejected(_))));
    let twice = read(&format!("{HEAD}{broken}{broken}{END}")).unwrap();
    assert_eq!(twice.requests.len(), 1);
}

#[test]
fn a_request_that_is_no_table_is_rejected_alone() {
    let file = read(&format!("{HEAD}request = [1, {{ request_id = \"BP0000Y\" }}]\n{END}")).unwrap();
    assert_eq!(file.requests.len(), 2);
    let Entry::Rejected(r) = &file.requests[0] else { panic!() };
    assert_eq!(place(&r.problems[0]), at("malformed", 6, "request[1]"));
    assert_eq!(refusal(&format!("{HEAD}request = 5\n{END}")), [at("malformed", 6, "request")]);
    assert_eq!(refusal(&format!("{HEAD}[request]\nrequest_id = 1\n{END}"))[0].2, "request");
}

#[test]
fn a_command_line_is_split_by_the_stated_rules() {
    let refused = Err(at("command-refused", 13, "request[1].command_line"));
    assert_eq!(
        command_line(r#"'setup.sh   a  "b  c"d "" \n \"x "p\"q"'"#),
        in_package("setup.sh", &["a", "b  cd", "", "\\n", "\"x", "p\"q"])
    );
    assert_eq!(
        command_line(r#"'"my setup.sh" $HOME %TEMP% * `id` ; | &&'"#),
        in_package("my setup.sh", &["$HOME", "%TEMP%", "*", "`id`", ";", "|", "&&"])
    );
    assert_eq!(command_line(r#"["a b.sh", "c \"d", "", "\\"]"#), in_package("a b.sh", &["c \"d", "", "\\"]));
    assert_eq!(command_line(r#"'setup.sh "open'"#), refused);
    assert_eq!(command_line(r#"'   '"#), refused);
    assert_eq!(command_line(r#"[]"#), refused);
    assert_eq!(command_line(r#"[""]"#), refused);
    assert_eq!(command_line(r#""setup.sh \u0000""#), refused);
    assert_eq!(command_line(r#""setup.sh a\nb""#), refused);
    assert_eq!(command_line("5"), Err(at("malformed", 13, "request[1].command_line")));
    assert_eq!(command_line("[\"a\", 5]"), Err(at("malformed", 13, "request[1].command_line")));
    let long = format!("\"setup.sh {}\"", "x".repeat(20_000));
    assert_eq!(command_line(&long), refused);
    assert_eq!(command_line(&format!("\"setup.sh {}\"", "x ".repeat(300))), refused);
}

#[test]
fn a_program_is_in_the_package_or_on_the_list() {
    let refused = Err(at("command-refused", 13, "request[1].command_line"));
    for outside in [
        "/bin/sh",
        "../setup.sh",
        "a/../../b",
        "C:/setup.exe",
        r"C:\setup.exe",
        "c:setup.exe",
        r"\\server\share\setup.exe",
        "//server/share/x",
        r"\setup.exe",
        r"..\x",
        "a//b",
        "dir/",
        ".",
        "./",
        "setup.exe:stream",
        "a/..",
    ] {
        assert_eq!(command_line(&format!("['{outside}', 'x']")), refused, "{outside}");
    }
    assert_eq!(command_line("'bin/setup.sh'"), in_package("bin/setup.sh", &[]));
    assert_eq!(command_line(r"'bin\setup.exe /S'"), in_package("bin/setup.exe", &["/S"]));
    assert_eq!(command_line("'./dpkg'"), in_package("dpkg", &[]));
    assert_eq!(command_line("'a..b/...'"), in_package("a..b/...", &[]));
    let listed = |name: &str| Ok((Program::Listed(name.into()), vec!["-i".into()]));
    assert_eq!(command_line("'dpkg -i'"), listed("dpkg"));
    assert_eq!(command_line("'MSIEXEC.EXE -i'"), listed("msiexec.exe"));
    assert_eq!(command_line("'Dpkg'"), in_package("Dpkg", &[]));
    assert_eq!(command_line("'bash'"), in_package("bash", &[]));
}

#[test]
fn messages_from_a_hostile_file_are_bounded_and_harmless() {
    let evil = format!("run_when = \"{}\\u001b[31m\\u202e\"", "A".repeat(50_000));
    let problem = &bad(&evil).problems[0];
    assert!(problem.message.as_str().len() < 300);
    let keys: String = (0..5_000).map(|i| format!("k{i} = 1\n")).collect();
    assert!(with(&keys).warnings.len() <= 100);
    let elements = "\"x\", ".repeat(50_000);
    assert!(bad(&format!("depends_on = [{elements}]")).problems.len() <= 51);
}

#[test]
fn deep_nesting_and_masses_of_errors_are_refused_quickly() {
    for text in [
        "[".repeat(50_000),
        "a = [".repeat(50_000),
        "{".repeat(50_000),
        "a.".repeat(50_000),
        "=\n".repeat(50_000),
        "\"\"\"".repeat(50_000),
    ] {
        assert!(read(&text).is_err());
    }
    let tables = "[[request]]\n".repeat(20_000);
    assert_eq!(refusal(&format!("{HEAD}{tables}{END}")), [at("malformed", 6, "request")]);
}

proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = parse(&bytes, "BP004000".parse().unwrap(), "f", &defaults());
    }

    #[test]
    fn damage_to_a_valid_file_never_panics(at in 0..FULL.len(), byte in any::<u8>(), cut in 0..80usize) {
        let mut bytes = FULL.as_bytes().to_vec();
        bytes[at] = byte;
        let _ = parse(&bytes, "BP004000".parse().unwrap(), "f", &defaults());
        bytes.drain(at..(at + cut).min(FULL.len()));
        let _ = parse(&bytes, "BP004000".parse().unwrap(), "f", &defaults());
    }

    #[test]
    fn lines_of_a_valid_file_in_any_order_never_panic(order in proptest::collection::vec(0..40usize, 0..60)) {
        let lines: Vec<_> = FULL.lines().collect();
        let text: String = order.iter().filter_map(|i| lines.get(*i)).map(|l| format!("{l}\n")).collect();
        let _ = read(&text);
    }

    #[test]
    fn words_survive_joining_and_splitting(words in proptest::collection::vec("[a-z \\\\\"$'/-]{0,8}", 1..6)) {
        use crate::{site::instruction::command::join, text::split};
        if let Some(line) = join(&words) {
            prop_assert_eq!(split(&line).unwrap(), words);
        }
    }
}
