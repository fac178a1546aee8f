//! `pcm evidence`: what is in the archive is what the verbs print, no secret is in it, what is missing is said, and no file is
//! ever replaced or left behind by halves.

use super::common::*;
use super::indexed::{ID, Indexed};
use super::pty::Terminal;
use super::small::Small;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const SECRET: &str = "s3cret-Value1";
const PROSE: &str = "correct horse battery";

/// A machine that has run a request whose command line, output and log hold secrets.
fn ran() -> Site {
    let mut site = Site::new();
    let says = format!(
        "echo PASSWORD={SECRET}; echo 'Passphrase: {PROSE}'; echo \"logged on with $2\"; printf '\\033[2Jlast\\n'; {}",
        site.say("ran")
    );
    let hash = site.package("BP00000A", &says);
    site.publish(&[Request::due("BP0000Y")
        .set("content_sha256", format!("\"{hash}\""))
        .set("command_line", format!("\"setup.sh --password {SECRET}\""))]);
    site.json(&["poll"]);
    site.json(&["run", "BP0000Y", "--wait"]);
    let line =
        format!("2026-11-30 12:00:00 INFO BP0000Y: setup --token {SECRET} of https://anna:{SECRET}@host/\n");
    fs::write(site.state().join("log/OTHER.LOG"), line).unwrap();
    site
}

/// What is in an archive, by its name below the one folder, and all of it unpacked.
fn opened(file: &Path) -> (BTreeMap<String, Vec<u8>>, Vec<u8>) {
    let packed = fs::read(file).unwrap();
    let mut tar = Vec::new();
    ruzstd::decoding::StreamingDecoder::new(packed.as_slice()).unwrap().read_to_end(&mut tar).unwrap();
    let mut all = BTreeMap::new();
    for entry in tar::Archive::new(tar.as_slice()).entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().display().to_string();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        all.insert(name.strip_prefix("evidence-BP0000Y/").unwrap().to_owned(), bytes);
    }
    (all, tar)
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

fn row<'a>(doc: &'a Value, part: &str) -> &'a Value {
    doc["parts"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["part"] == part)
        .unwrap_or_else(|| panic!("{part}: {doc:#}"))
}

/// A document without what goes on between two looks: how long ago the share was seen, and until when that is good.
fn still(document: &str) -> Value {
    // Logs are one document a line.
    let Ok(mut document) = serde_json::from_str::<Value>(document) else { return document.into() };
    if let Some(gates) = document["gates"].as_array_mut() {
        gates.retain(|gate| gate["gate"] != "source");
    }
    document
}

#[test]
fn the_archive_holds_what_the_verbs_print_and_no_secret() {
    let site = ran();
    let file = site.path("BP0000Y.tar.zst");
    let path = file.display().to_string();
    let done = site.json(&["evidence", "BP0000Y", "--out", &path]);
    let (all, tar) = opened(&file);
    // As others open it.
    let listed = Command::new("tar").args(["--zstd", "-tf", &path]).output();
    match listed {
        Ok(listed) if listed.status.success() => {
            assert_eq!(String::from_utf8(listed.stdout).unwrap().lines().count(), all.len());
        }
        _ => skipped("there is no tar with zstd"),
    }
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(done["bytes"], fs::metadata(&file).unwrap().len());
    assert_eq!(done["sha256"], sha256(&fs::read(&file).unwrap()));
    // Each part is in the list as it is in the archive, and the other way round.
    let listed: Value = serde_json::from_slice(&all["MANIFEST.json"]).unwrap();
    assert_eq!(listed["parts"], done["parts"]);
    let rows = listed["parts"].as_array().unwrap();
    for row in rows {
        match (row["standing"].as_str().unwrap(), all.get(row["part"].as_str().unwrap())) {
            ("missing", None) => assert!(row["why"].is_string() && row["sha256"].is_null(), "{row}"),
            ("whole" | "part", Some(bytes)) => {
                assert_eq!(row["bytes"], bytes.len(), "{row}");
                assert_eq!(row["sha256"], sha256(bytes), "{row}");
            }
            _ => panic!("{row}"),
        }
    }
    assert_eq!(all.len(), rows.iter().filter(|row| row["standing"] != "missing").count() + 2);
    let manifest = String::from_utf8(all["MANIFEST"].clone()).unwrap();
    assert!(manifest.contains("What is left out: in every part, <masked> stands"), "{manifest}");
    // What the verbs print.
    let said = |args: &[&str]| String::from_utf8(site.pcm(args).stdout).unwrap().replace(SECRET, "<masked>");
    let part = |name: &str| String::from_utf8(all[name].clone()).unwrap();
    for (name, args) in [
        ("explain", &["explain", "BP0000Y"][..]),
        ("show", &["show", "BP0000Y"]),
        ("history", &["history", "BP0000Y"]),
        ("audit", &["audit"]),
        ("audit-verify", &["audit", "verify"]),
        ("log", &["log", "--request", "BP0000Y", "--context", "20", "--rotated"]),
    ] {
        let told = said(&[args, &["--json"]].concat()).replace(&format!("anna:{SECRET}"), "anna:<masked>");
        assert_eq!(still(&part(&format!("{name}.json"))), still(&told), "{name}");
        assert_eq!(row(&done, &format!("{name}.json"))["standing"], "whole");
    }
    for (name, args) in [("audit", &["audit"][..]), ("audit-verify", &["audit", "verify"])] {
        assert_eq!(part(&format!("{name}.txt")), said(args), "{name}");
    }
    assert!(part("show.json").contains("setup.sh --password <masked>"), "{}", part("show.json"));
    let simulated: Value = serde_json::from_slice(&all["simulate.json"]).unwrap();
    assert!(simulated["requests"].is_array() && part("simulate.txt").contains("BP0000Y"));
    let checked: Value = serde_json::from_slice(&all["check.json"]).unwrap();
    assert!(checked["items"].as_array().unwrap().iter().any(|item| item["item"] == "history"));
    let serials: Value = serde_json::from_slice(&all["serials.json"]).unwrap();
    assert_eq!(serials["serials"][0]["serial"], 1, "{serials}");
    assert!(part("versions.txt").contains(&format!("pcm {}", env!("CARGO_PKG_VERSION"))));
    assert!(part("status.txt").contains(MACHINE) && part("log.txt").contains("OTHER.LOG"));
    // What is in force, and what the package wrote.
    assert!(part("in-force/held.INS").contains("command_line = \"setup.sh --password <masked>\""));
    assert_eq!(row(&done, "in-force/held.INS")["masked"], 1);
    assert_eq!(all["in-force/held.SITE"], fs::read(site.share().join("PCM.SITE")).unwrap());
    let transcript = part("transcripts/BP0000Y-1.log");
    for line in ["PASSWORD=<masked>", "Passphrase: <masked>", "logged on with <masked>", "^[[2Jlast"] {
        assert!(transcript.lines().any(|l| l == line), "{line}: {transcript}");
    }
    assert_eq!(row(&done, "transcripts/BP0000Y-1.log")["made_safe"], true);
    assert!(!holds(&tar, "\x1b"));
    for secret in [SECRET, PROSE] {
        assert!(!holds(&tar, secret) && !holds(&fs::read(&file).unwrap(), secret), "{secret:?}");
    }
    assert!(holds(&fs::read(site.state().join("log/runs/BP0000Y-1.log")).unwrap(), SECRET), "it was there");
}

#[test]
fn what_is_there_is_not_replaced_and_what_is_unknown_makes_no_file() {
    let site = ran();
    let file = site.path("taken");
    fs::write(&file, "mine").unwrap();
    let path = file.display().to_string();
    assert_eq!(site.refused(&["evidence", "BP0000Y", "--out", &path], 1)["code"], "not-made");
    assert_eq!(fs::read(&file).unwrap(), b"mine");
    // Nor what a link leads to, or does not.
    let link = site.path("link");
    std::os::unix::fs::symlink(site.path("nowhere"), &link).unwrap();
    assert_eq!(
        site.refused(&["evidence", "BP0000Y", "--out", &link.display().to_string()], 1)["code"],
        "not-made"
    );
    let new = site.path("new");
    let new_path = new.display().to_string();
    assert_eq!(site.refused(&["evidence", "BP9999Z", "--out", &new_path], 4)["code"], "no-such-request");
    assert_eq!(site.refused(&["evidence", "BP0000Y"], 2)["code"], "usage");
    let below = site.path("gone/new").display().to_string();
    assert_eq!(site.refused(&["evidence", "BP0000Y", "--out", &below], 1)["code"], "not-made");
    assert!(!new.exists() && !site.path("nowhere").exists());
}

#[test]
fn a_full_disk_leaves_nothing_of_it_and_is_said() {
    let site = ran();
    make_dir(&site.path("small"));
    let Some(small) = Small::over(site.path("small")) else { return };
    small.fill();
    let names = || fs::read_dir(&small.0).unwrap().count();
    let before = names();
    let path = small.0.join("evidence").display().to_string();
    let error = site.refused(&["evidence", "BP0000Y", "--out", &path], 1);
    assert_eq!(error["code"], "not-made");
    assert!(error["message"].as_str().unwrap().contains("No space left"), "{error}");
    assert_eq!(names(), before);
    small.make_room();
    site.json(&["evidence", "BP0000Y", "--out", &path]);
}

#[test]
fn of_a_transcript_that_is_huge_the_end_is_there_and_one_that_is_gone_is_missing() {
    let site = ran();
    let transcript = site.state().join("log/runs/BP0000Y-1.log");
    let mut long = fs::File::options().write(true).open(&transcript).unwrap();
    long.set_len(4 << 30).unwrap();
    long.seek(std::io::SeekFrom::End(0)).unwrap();
    long.write_all(b"\nlast words\n").unwrap();
    drop(long);
    let file = site.path("one");
    let done = site.json(&["evidence", "BP0000Y", "--out", &file.display().to_string()]);
    let part = row(&done, "transcripts/BP0000Y-1.log");
    assert_eq!(part["standing"], "part", "{part}");
    assert!(part["why"].as_str().unwrap().contains("before that are left out"), "{part}");
    assert_eq!(opened(&file).0["transcripts/BP0000Y-1.log"], b"last words\n");
    fs::remove_file(&transcript).unwrap();
    let file = site.path("two");
    let done = site.json(&["evidence", "BP0000Y", "--out", &file.display().to_string()]);
    let part = row(&done, "transcripts/BP0000Y-1.log");
    assert_eq!(part["standing"], "missing", "{part}");
    assert!(part["why"].as_str().unwrap().contains("it does not exist"), "{part}");
    let told = text(&site.pcm(&["evidence", "BP0000Y", "--out", &site.path("three").display().to_string()]));
    assert!(
        told.contains("transcripts/BP0000Y-1.log") && told.contains("MANIFEST in it lists them"),
        "{told}"
    );
}

#[test]
fn an_account_without_rights_gets_what_it_may_read_and_is_told_what_not() {
    let site = ran();
    mode(&site.path(""), 0o755);
    let _service = site.service();
    mode(&site.state().join("held.INS"), 0o600);
    make_dir(&site.path("for-all"));
    mode(&site.path("for-all"), 0o777);
    let file = site.path("for-all/evidence");
    let mut command = site.command(&["evidence", "BP0000Y", "--json", "--out", &file.display().to_string()]);
    let root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n");
    command.uid(65_534).gid(65_534);
    let output = match command.output() {
        Ok(output) if root => output,
        _ => return skipped("needs root, and a binary that other accounts may start"),
    };
    assert!(output.status.success(), "{}", text(&output));
    let done: Value = serde_json::from_slice(&output.stdout).unwrap();
    for part in ["explain.json", "show.txt", "history.json", "audit.json", "serials.json", "status.json"] {
        assert_eq!(row(&done, part)["standing"], "whole", "{done:#}");
    }
    let held = row(&done, "in-force/held.INS");
    assert_eq!(held["standing"], "missing", "{held}");
    assert!(held["why"].as_str().unwrap().contains("denied"), "{held}");
    assert!(!holds(&opened(&file).1, SECRET));
}

#[test]
fn what_is_in_force_of_an_index_stands_with_its_signatures_and_verifies() {
    let Some(mut share) = Indexed::signed() else { return };
    let job = share.job();
    let index = share.publish(&[job]);
    share.enrol();
    share.site.json(&["poll"]);
    let file = share.site.path("evidence");
    let done = share.site.json(&["evidence", ID, "--out", &file.display().to_string()]);
    let (all, _) = opened(&file);
    assert_eq!(all["in-force/PCM.INDEX"], index.as_bytes(), "with its signature, as it was published");
    let names: Vec<&str> =
        all.keys().map(String::as_str).filter(|name| name.starts_with("in-force/")).collect();
    assert_eq!(
        names,
        [
            "in-force/BP00000A.package.toml",
            "in-force/BP00000A.package.toml.sig",
            "in-force/BP0000AA.1.toml",
            "in-force/PCM.INDEX"
        ],
        "{done:#}"
    );
    let armour = String::from_utf8(all["in-force/BP00000A.package.toml.sig"].clone()).unwrap();
    assert!(armour.starts_with("-----BEGIN SSH SIGNATURE-----"), "{armour}");
    let sha256 = sha256(&all["in-force/BP0000AA.1.toml"]);
    assert!(index.contains(&sha256), "it is the job that the index names");
    let serials: Value = serde_json::from_slice(&all["serials.json"]).unwrap();
    assert_eq!(
        (&serials["serials"][0]["index"], serials["serials"].as_array().unwrap().len()),
        (&true.into(), 1)
    );
}

#[test]
fn on_standard_output_stands_the_archive_alone_and_what_is_in_it_beside_it() {
    let site = ran();
    let args = ["evidence", "BP0000Y", "--out", "-"];
    let done = site.pcm(&args);
    assert!(done.status.success(), "{}", text(&done));
    let file = site.path("printed");
    fs::write(&file, &done.stdout).unwrap();
    let (all, _) = opened(&file);
    assert!(all.contains_key("MANIFEST") && all.contains_key("transcripts/BP0000Y-1.log"));
    let said = String::from_utf8(done.stderr).unwrap();
    assert!(said.contains("pcm: standard output: ") && said.contains(" missing, "), "{said}");
    // A program gets the document there, and quiet is only what is said of it.
    let done = site.pcm(&[&args[..], &["--json"]].concat());
    let doc: Value = serde_json::from_slice(&done.stderr).unwrap();
    assert_eq!((&doc["bytes"], &doc["sha256"]), (&done.stdout.len().into(), &sha256(&done.stdout).into()));
    assert_eq!(row(&doc, "show.json")["standing"], "whole");
    let quiet = site.pcm(&[&args[..], &["--quiet"]].concat());
    assert!(
        quiet.status.success() && quiet.stderr.is_empty() && quiet.stdout.starts_with(b"\x28\xb5\x2f\xfd")
    );
    // Whoever reads it does not take a part for all of it.
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let output = site.command(&args).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(text(&output).contains("not written whole") && text(&output).contains("[not-made]"));
    let mut gone = site.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(gone.stdout.take());
    assert_eq!(gone.wait_with_output().unwrap().status.code(), Some(1));
    let mut terminal = Terminal::start(&site.command(&args), 80, 24);
    assert_eq!(terminal.wait_exit(), 2);
    terminal.wait_end();
    assert!(terminal.screen().contains("a terminal obeys"), "{}", terminal.screen());
    assert!(!site.path("-").exists());
}

/// Calls pcm for the machine `web`, through a client that does this; its words are in `called`.
fn from_afar(site: &Site, does: &str, args: &[&str]) -> Output {
    let client = site.path("client");
    let folder = site.path("").display().to_string();
    let script = format!(
        "#!/bin/sh\ncd '{folder}'\nwhile [ \"$1\" != -- ]; do shift; done\nshift\necho \"$*\" >> called\nshift\n{does}\n"
    );
    install_script(&client, &script);
    let bin = Path::new(env!("CARGO_BIN_EXE_pcm")).parent().unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    let mut pcm = site.command(&[&["--host", "web", "evidence"], args].concat());
    pcm.env("PCM_SSH", format!("\"{}\"", client.display())).env("PATH", path);
    pcm.output().unwrap()
}

#[test]
fn an_archive_of_another_machine_becomes_a_file_here() {
    let site = ran();
    let there = "exec sh -c \"$*\"";
    let file = site.path("here");
    let path = file.display().to_string();
    let done = from_afar(&site, there, &["BP0000Y", "--out", &path]);
    assert!(done.status.success() && done.stderr.is_empty(), "{}", text(&done));
    let said = String::from_utf8(done.stdout).unwrap();
    assert!(said.contains("MANIFEST in it lists them"), "{said}");
    assert!(said.contains("read what you hand out"), "{said}");
    assert!(opened(&file).0.contains_key("MANIFEST.json"));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let named = format!("--out={}", site.path("json").display());
    let done = from_afar(&site, there, &["BP0000Y", &named, "--json"]);
    let doc: Value = serde_json::from_slice(&done.stdout).unwrap();
    let bytes = fs::read(site.path("json")).unwrap();
    assert_eq!(doc["file"], site.path("json").display().to_string());
    assert_eq!((&doc["bytes"], &doc["sha256"]), (&bytes.len().into(), &sha256(&bytes).into()));
    assert_eq!(row(&doc, "show.json")["standing"], "whole");
    let called = fs::read_to_string(site.path("called")).unwrap();
    for call in called.lines() {
        assert!(
            call.starts_with("web pcm ") && call.contains("--json") && !call.contains("--host"),
            "{call}"
        );
        assert!(call.contains("--out -") || call.contains("--out=-"), "{call}");
    }
    // What is there is seen before anybody is asked.
    let taken = from_afar(&site, there, &["BP0000Y", "--out", &path]);
    assert!(
        taken.status.code() == Some(1) && text(&taken).contains("such a file already"),
        "{}",
        text(&taken)
    );
    assert_eq!(fs::read_to_string(site.path("called")).unwrap(), called);
    // Why there is none is said as over there.
    let new = site.path("new").display().to_string();
    let unknown = from_afar(&site, there, &["BP9999Z", "--out", &new]);
    assert_eq!(unknown.status.code(), Some(4), "{}", text(&unknown));
    let said = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert!(
        said.starts_with("pcm: ") && said.contains("[no-such-request]") && said.lines().count() == 1,
        "{said}"
    );
    assert!(!site.path("new").exists());
    // As it comes, it goes to standard output here, too.
    let printed = from_afar(&site, there, &["BP0000Y", "--out", "-"]);
    fs::write(site.path("printed"), &printed.stdout).unwrap();
    assert!(opened(&site.path("printed")).0.contains_key("MANIFEST"));
}

#[test]
fn what_another_machine_sends_is_a_whole_archive_or_no_file() {
    let site = ran();
    let good = site.path("good").display().to_string();
    site.json(&["evidence", "BP0000Y", "--out", &good]);
    let file = site.path("folder/new");
    make_dir(file.parent().unwrap());
    let path = file.display().to_string();
    for (does, status, words) in [
        ("echo hello", 1, "is no archive"),
        ("", 1, "only a part of one"),
        ("head -c 2000 good", 1, "only a part of one"),
        ("echo motd; cat good", 1, "is no archive"),
        ("cat good; echo bye", 1, "is no archive"),
        ("cat good; echo '{\"parts\":[],\"sha256\":\"00\"}' >&2", 1, "is no archive"),
        ("cat good /dev/zero", 1, "sent more than 64 MB"),
        (
            "head -c 2000 good; echo 'client_loop: Broken pipe' >&2; exit 255",
            8,
            "the connection to web ended",
        ),
        ("cat good; kill -9 $$", 8, "the connection to web ended"),
        ("cat good; exit 3", 3, ""),
        (
            "cat good; echo '{\"error\":{\"code\":\"x\",\"message\":\"no\",\"remedy\":\"Ask\",\"exit\":0}}' >&2; exit 3",
            3,
            "pcm: no. Ask [x]",
        ),
        (
            "cat good; printf '%s\\n' '{\"error\":{\"code\":\"x\\u001b[2J\",\"message\":\"no\",\"remedy\":\"Ask\"}}' >&2; exit 3",
            3,
            "pcm: no. Ask [x^[[2J]",
        ),
    ] {
        let output = from_afar(&site, does, &["BP0000Y", "--out", &path]);
        assert_eq!(output.status.code(), Some(status), "{does}: {}", text(&output));
        assert!(output.stdout.is_empty() && text(&output).contains(words), "{does}: {}", text(&output));
        assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 0, "{does}");
    }
    // What is said of it beside it may be anything.
    let output =
        from_afar(&site, "cat good; printf '\\033[2J{\"parts\":7}\\n' >&2", &["BP0000Y", "--out", &path]);
    assert!(output.status.success() && !output.stdout.contains(&0x1b), "{}", text(&output));
    assert!(text(&output).contains("MANIFEST in it lists its parts"), "{}", text(&output));
    assert_eq!(fs::read(&file).unwrap(), fs::read(&good).unwrap());
    // Also as JSON, which itself escapes no more than the oldest control characters.
    let doc = r#"{"parts":[{"part":"a\u202eb"}],"x\u009b":"c\u007f\nd","n":[1,null,true]}"#;
    let said = format!("cat good; printf '%s\\n' '{doc}' >&2");
    let new = site.path("new").display().to_string();
    let output = from_afar(&site, &said, &["BP0000Y", "--json", "--out", &new]);
    let doc: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(doc["parts"][0]["part"], "a<U+202E>b");
    assert_eq!(doc["n"], serde_json::json!([1, null, true]));
    let named = doc.as_object().unwrap().iter().find(|(name, _)| name.starts_with('x')).unwrap();
    assert!(named.1.as_str().unwrap().ends_with("\nd"), "lines stay lines: {doc}");
    let printed = String::from_utf8(output.stdout).unwrap();
    let obeyed = |c: char| c != '\n' && c.is_control() || c == '\u{202e}';
    assert!(!printed.contains(obeyed), "{printed:?}");
}

#[test]
fn the_console_has_the_archive_made_beside_it_and_says_where_it_is() {
    let site = ran();
    let _service = site.service();
    make_dir(&site.path("f"));
    let file = site.path("f/x.tar.zst");
    let mut console = Terminal::start(&site.command(&["--read-only"]), 100, 30);
    console.wait("BP0000Y");
    console.keys("2");
    console.wait("Executed");
    console.keys(":evidence\r");
    console.wait("SAVE evidence-BP0000Y");
    console.keys(&format!("\x15{}\r", file.display()));
    console.wait("evidence of BP0000Y: ");
    console.wait_until("what is made", |screen| screen.contains("x.tar.zst"));
    assert!(opened(&file).0.contains_key("transcripts/BP0000Y-1.log"));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    // What is there is never replaced.
    console.keys(":evidence\r");
    console.wait("SAVE evidence-BP0000Y");
    console.keys(&format!("\x15{}\r", file.display()));
    console.wait("there is such a file already");
    assert_eq!(fs::read_dir(site.path("f")).unwrap().count(), 1);
    assert_eq!(console.quit('q'), 0);
}
