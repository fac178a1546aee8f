//! Everything that reads bytes which others wrote, each reader as a function of any bytes. It fails where the reader
//! panics, or breaks the rule that is asserted here.
//!
//! This file is a module of the library, in its tests and under cargo-fuzz only, so that nothing has to be public for
//! it. `replay.rs` runs every target in `cargo test`; `target.rs` is what cargo-fuzz runs (tests/README.md).
#![allow(clippy::unwrap_used)]

#[cfg(test)]
mod replay;

use crate::cli::time::parse_span;
use crate::clock::{LocalKind, When, Zone};
use crate::config::Config;
use crate::console::app::afar::answer::fate;
use crate::console::app::afar::{Came, Deed, Kind};
use crate::console::keymap::Keymap;
use crate::console::term::input::Decoder;
use crate::console::theme::{ColourLevel, Theme, ThemeError};
use crate::decision::window;
use crate::executor::talk::protocol::Letter;
use crate::host::wire;
use crate::log::far::frame::Frames;
use crate::log::far::hear::{Heard, Hearing};
use crate::log::far::words::{Ask, Query};
use crate::log::parse::Parser;
use crate::log::search::Search;
use crate::log::spans::Spans;
use crate::log::zoned;
use crate::rollout::collected::{Asks, lines as written_lines, read_all, read_lines};
use crate::site::content::parse_content;
use crate::site::expression::Expression;
use crate::site::index::{self, job, members, policy};
use crate::site::indexed::parts::Parts;
use crate::site::instruction::parse::parse;
use crate::site::instruction::render::render;
use crate::site::instruction::{Entry, InstructionFile, MAX_REQUESTS, Request};
use crate::site::lint::look;
use crate::site::package::import::{
    Said, Wishes, finish_package as finish, read_deb, read_msi, read_rpm, read_sms,
};
use crate::site::package::{self, Package};
use crate::site::report::{MAX_SUMMARY, MachineReport};
use crate::site::signed::block;
use crate::site::signed::list::TrustList;
use crate::site::signed::signature::Signature;
use crate::site::signed::signers::Signer;
use crate::site::{mif, site_file};
use crate::terms::Problem;
use crate::text::{SafeText, Side, parse_time};
use std::time::{Duration, Instant};

/// A reader by its name, which is also the folder of its corpus and the binary of cargo-fuzz.
pub type Target = (&'static str, fn(&[u8]));

/// All readers.
pub const TARGETS: &[Target] = &[
    ("answer", answer),
    ("asks", asks),
    ("collected", collected),
    ("config", config),
    ("content", content),
    ("deb", deb),
    ("expression", expression),
    ("frame", frame),
    ("held", held),
    ("index", index_file),
    ("instruction", instruction),
    ("job", job_file),
    ("keymap", keymap),
    ("keys", keys),
    ("log", log),
    ("log_search", log_search),
    ("log_wire", log_wire),
    ("members", members_file),
    ("mif", mif),
    ("msi", msi),
    ("package", package),
    ("policy", policy_file),
    ("report", report),
    ("rpm", rpm),
    ("signature", signature),
    ("signed", signed),
    ("signer", signer),
    ("site_file", site_file),
    ("sms", sms),
    ("text", text),
    ("theme", theme),
    ("time", time),
    ("trust_list", trust_list),
    ("zone", zone),
];

/// Runs the target of this name.
pub fn run(name: &str, data: &[u8]) {
    let (_, target) = TARGETS.iter().find(|(known, _)| *known == name).expect("a target of the table");
    target(data);
}

/// A refusal says why, in words that a terminal may get.
fn refused(problems: &[Problem]) {
    assert!(!problems.is_empty(), "refused without a reason");
    for problem in problems {
        assert!(!problem.message.is_empty(), "{problem:?}");
        safe(&problem.message);
    }
}

/// Making safe text of safe text changes nothing, so nothing in it is unsafe.
fn safe(text: &SafeText) {
    assert_eq!(&SafeText::new(text.as_str()), text);
}

/// What the pcm of another machine answers through ssh, up to a NUL its document, then what stood on its standard error.
/// Only a document says that something is done.
fn answer(bytes: &[u8]) {
    let Some((first, rest)) = bytes.split_first() else { return };
    let deeds = [Deed::Run, Deed::Defer, Deed::Undefer, Deed::Hold, Deed::Unhold];
    let deed = deeds[usize::from(*first) % deeds.len()];
    let (status, request) = (i32::from(first / 32), deed.is_of_request().then(|| "BP0000Y".parse().unwrap()));
    let at = rest.iter().position(|byte| *byte == 0).unwrap_or(rest.len());
    let (output, said) = (rest[..at].to_vec(), rest[at..].to_vec());
    let is_document = serde_json::from_slice::<serde_json::Value>(&output).is_ok();
    let told =
        fate(deed, request, Came::Answered { status, output, said }, &|at| at.to_rfc3339().as_str().into());
    assert!(told.kind != Kind::Done || (status == 0 && is_document), "{told:?}");
}

/// A program of a package: what asks in it is on one of its lines.
fn asks(data: &[u8]) {
    for path in ["setup.exe", "setup.sh", "setup.cmd", "setup.ps1", "setup"] {
        let (made, line) = look(path, data);
        assert!(!made || data.starts_with(b"MZ"));
        assert!(line.is_none_or(|line| (1..=String::from_utf8_lossy(data).lines().count()).contains(&line)));
    }
}

/// What a collector wrote, or somebody in its place: as a file, and as the lines in it.
fn collected(data: &[u8]) {
    let machines = ["BP050000", "BP050001", "BP050002"].map(|id| id.parse().expect("a good id"));
    let asks = Asks {
        site_id: "abcdefgh23456723".parse().expect("a site id"),
        machines: std::sync::Arc::new(machines.into()),
        requests: None,
        signed: true,
    };
    let said = match read_all(data, &asks) {
        Ok((_, said)) => Ok(said),
        Err(why) => {
            safe(&why);
            read_lines(data, &asks)
        }
    };
    match said {
        Err(why) => assert!(why.as_str().contains("damaged"), "{why}"),
        Ok(said) => {
            for (machine, heard) in said {
                assert!(asks.machines.contains(&machine));
                let Ok(account) = heard else { continue };
                safe(&account.host);
                let again = written_lines(machine, &account, b"");
                let again = read_lines(&again, &asks).expect("our own lines");
                assert_eq!(again.len(), 1);
            }
        }
    }
}

fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Err(problems) = Config::parse(text, "pcm.toml") {
        refused(&problems);
    }
}

/// A list that is accepted is the one way to write it.
fn content(data: &[u8]) {
    if let Ok(content) = parse_content(data) {
        assert_eq!(content.text().as_bytes(), data);
    }
}

/// What a package file says can be written as a definition, and is then read as it was.
fn said(said: Result<Said, String>) {
    let id = "BP00000A".parse().expect("a good id");
    let wishes = Wishes { programs: programs(), ..Wishes::default() };
    match said.map(|said| finish("x", id, &wishes, said)) {
        Ok(Ok(package)) => again(&package),
        Ok(Err(failure)) => {
            safe(&failure.message);
            assert!(!failure.message.is_empty());
        }
        Err(why) => assert!(!why.is_empty()),
    }
}

fn programs() -> Vec<String> {
    ["dpkg", "rpm", "apt-get", "dnf", "msiexec.exe"].map(str::to_owned).to_vec()
}

fn again(package: &Package) {
    let text = package::render(package, &[]);
    let read = package::parse(text.as_bytes(), "package.toml", &programs());
    let mut read = read.unwrap_or_else(|problems| panic!("{problems:?}\n{text}"));
    read.commands.iter_mut().zip(&package.commands).for_each(|(read, given)| read.line = given.line);
    assert_eq!(&read, package, "{text}");
}

fn deb(data: &[u8]) {
    said(read_deb(data, "acme.deb"));
}

fn rpm(data: &[u8]) {
    said(read_rpm(data, "acme.rpm"));
}

fn msi(data: &[u8]) {
    said(read_msi(std::io::Cursor::new(data), "acme.msi", "BP00000A".parse().expect("a good id")));
}

fn sms(data: &[u8]) {
    said(read_sms(data, &programs()));
}

/// What is accepted can be written and is then read as the same package.
fn package(data: &[u8]) {
    match package::parse(data, "package.toml", &programs()) {
        Ok(package) => again(&package),
        Err(problems) => refused(&problems),
    }
}

/// A call of a local peer: what is accepted is sent on as the same call.
fn frame(data: &[u8]) {
    let Ok(letter) = wire::read::<Letter>(&mut &*data, wire::MAX_CALL) else { return };
    let Ok(call) = letter.open() else { return };
    let bytes = wire::encode(&Letter::of(&call, None).unwrap()).unwrap();
    let again = wire::read::<Letter>(&mut bytes.as_slice(), wire::MAX_ANSWER).unwrap();
    assert_eq!(again.open().unwrap(), call);
}

/// Both ends of `pcm log --hosts`: what another machine tells, and what it is asked. Whatever is heard is safe to show.
fn log_wire(data: &[u8]) {
    let mut asked = Frames::of_asker();
    asked.push(data);
    while let Ok(Some(json)) = asked.next() {
        let _ = serde_json::from_slice::<Ask>(&json);
    }
    let mut hearing = Hearing::new();
    let _ = hearing.ask(Query::default());
    hearing.push(data);
    while let Ok(Some(heard)) = hearing.next() {
        let Heard::Lines(records) = heard else { continue };
        for record in &records {
            for text in record.text.iter().chain([&record.file, &record.component, &record.thread]) {
                assert_eq!(SafeText::new(text.as_str()), *text);
            }
        }
    }
}

/// What is accepted can be written and is then read as the same requests.
fn instruction(data: &[u8]) {
    let machine = "BP004000".parse().expect("a good id");
    let defaults = Config::default().request_defaults();
    let read = |bytes: &[u8]| parse(bytes, machine, "BP004000.INS", &defaults);
    let good = |file: &InstructionFile| -> Vec<Request> {
        let good = file.requests.iter().filter_map(|entry| match entry {
            Entry::Good(request) => Some((**request).clone()),
            Entry::Rejected(_) => None,
        });
        good.collect()
    };
    match read(data) {
        Ok(file) => {
            assert!(file.requests.len() <= MAX_REQUESTS);
            let again = read(render(&file).as_bytes()).expect("what is rendered can be read");
            assert_eq!(good(&again), good(&file));
        }
        Err(problems) => refused(&problems),
    }
}

/// A condition is written as one that means the same.
fn expression(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Expression::parse(text) {
        Ok(condition) => assert_eq!(Expression::parse(&condition.to_string()), Ok(condition)),
        Err(bad) => assert!(bad.column > 0 && !bad.message.is_empty()),
    }
}

/// An index is written as one that says the same, wherever its jobs stand.
fn index_file(data: &[u8]) {
    let unplaced = |mut read: index::Index| {
        read.jobs.iter_mut().for_each(|job| job.line = 0);
        read
    };
    match index::parse(data, index::NAME) {
        Ok(read) => {
            let again = index::parse(index::render::index(&read).as_bytes(), index::NAME);
            assert_eq!(again.map(unplaced), Ok(unplaced(read)));
        }
        Err(problems) => refused(&problems),
    }
}

/// A job is written as one that says the same.
fn job_file(data: &[u8]) {
    let id = "BP0000AA".parse().expect("a good id");
    let read = |bytes: &[u8]| job::parse(bytes, id, "BP0000AA.1.toml", &programs());
    match read(data) {
        Ok(job) => assert_eq!(read(index::render::job(&job).as_bytes()), Ok(job)),
        Err(problems) => refused(&problems),
    }
}

/// A list of parts and a part are the one way to write them.
fn members_file(data: &[u8]) {
    match members::parse_list(data, "LIST") {
        Ok(parts) => assert_eq!(index::render::list(&parts).as_bytes(), data),
        Err(problems) => refused(&problems),
    }
    match members::parse_part(data, "all", "all.1") {
        Ok(all) => assert_eq!(members::render_part(&all).as_bytes(), data),
        Err(problems) => refused(&problems),
    }
}

/// Whatever becomes of the file that holds them: no part is there that is not what its hash says.
fn held(data: &[u8]) {
    let parts = Parts::decode(data);
    assert_eq!(Parts::decode(&parts.encode()), parts);
}

/// A policy is written as one that says the same.
fn policy_file(data: &[u8]) {
    match policy::parse(data, "web", "web.1.toml") {
        Ok(read) => assert_eq!(policy::parse(policy::render(&read).as_bytes(), "web", "f"), Ok(read)),
        Err(problems) => refused(&problems),
    }
}

/// What is accepted is written as a file that means the same.
fn keymap(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Keymap::with(text) {
        Ok(map) => assert_eq!(Keymap::with(&map.file()).expect("our own file").file(), map.file()),
        Err(mistakes) => assert!(!mistakes.is_empty()),
    }
}

/// What a terminal sends: the pieces in which it arrives change nothing.
fn keys(data: &[u8]) {
    let now = Instant::now();
    let decode = |pieces: &[&[u8]]| {
        let (mut decoder, mut events) = (Decoder::new(Duration::from_secs(1)), Vec::new());
        pieces.iter().for_each(|piece| decoder.feed(piece, now, &mut events));
        events
    };
    let (head, tail) = data.split_at(data.len() / 2);
    assert_eq!(decode(&[head, tail]), decode(&[data]));
}

/// The pieces in which a log arrives change nothing, and only safe text comes out.
fn log(data: &[u8]) {
    let read = |pieces: &[&[u8]]| {
        let (mut parser, mut records) = (Parser::new("x.log".into(), zoned(Zone::utc())), Vec::new());
        pieces.iter().for_each(|piece| parser.push(piece, &mut records));
        parser.finish(&mut records);
        records
    };
    let records = read(&[data]);
    records.iter().flat_map(|record| &record.text).for_each(safe);
    let (head, tail) = data.split_at(data.len() / 2);
    assert_eq!(read(&[head, tail]), records);
}

/// A pattern, and a log from its second line on: what is skipped is nothing that looking everywhere would find.
fn log_search(data: &[u8]) {
    let Some(end) = data.iter().position(|b| *b == b'\n') else { return };
    let Ok(Ok(search)) = std::str::from_utf8(&data[..end]).map(Search::new) else { return };
    let find = |skipping: bool| {
        let mut spans = Spans::new(None, false);
        spans.push(&data[end + 1..], true);
        let (mut found, mut gone) = (Vec::new(), 0);
        loop {
            let span = if skipping { spans.next_of(|bytes| search.first(bytes)) } else { spans.next(true) };
            let Some(span) = span else { return found };
            assert!(span.at.start >= gone && span.at.end > span.at.start);
            gone = span.at.end;
            if search.finds(&span, spans.bytes(), None) {
                found.push(span);
            }
        }
    };
    assert_eq!(find(true), find(false));
}

fn mif(data: &[u8]) {
    match mif::parse(data) {
        Ok(status) => safe(&status.description),
        Err(e) => assert!(e.line > 0 && !e.why.is_empty(), "{e:?}"),
    }
}

/// What another machine says of itself can be said again.
fn report(data: &[u8]) {
    let Ok((report, sealed)) = MachineReport::read(data) else { return };
    if let Some(sealed) = sealed {
        assert!(data.starts_with(sealed.summary.as_bytes()));
    }
    if let Ok(lines) = report.lines() {
        assert!(lines.summary.len() <= MAX_SUMMARY);
        let again = MachineReport::from_bytes(&lines.bytes(None).unwrap()).expect("our own report");
        assert_eq!(again.lines().unwrap(), lines);
    }
}

/// A signature as text.
fn signature(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Signature::read(text) {
        Ok(signature) => assert!(signature.key().fingerprint().starts_with("SHA256:")),
        Err(distrust) => safe(&distrust.why),
    }
}

/// A file with signatures at its end: what was signed is its beginning, and nothing of it looks like a signature.
fn signed(data: &[u8]) {
    match block::split(data) {
        Ok(parts) => {
            assert!(data.starts_with(parts.signed) && parts.signed.ends_with(b"\n"));
            let marker = |line: &[u8]| line.starts_with(b"# -----");
            assert!(!parts.signed.split(|b| *b == b'\n').any(marker) && !parts.armours.is_empty());
        }
        Err(distrust) => safe(&distrust.why),
    }
}

/// A line of a trust list is written as one that says the same.
fn signer(data: &[u8]) {
    let Ok(line) = std::str::from_utf8(data) else { return };
    if let Ok(signer) = Signer::read(line) {
        assert_eq!(Signer::read(&signer.to_string()), Ok(signer));
    }
}

/// What a trust list says, once somebody was found to have signed it.
fn trust_list(data: &[u8]) {
    match TrustList::parse(data) {
        Ok(list) => assert_eq!(TrustList::parse(list.render().as_bytes()), Ok(list)),
        Err(problems) => refused(&problems),
    }
}

fn site_file(data: &[u8]) {
    if let Err(problems) = site_file::parse(data, "PCM.SITE") {
        refused(&problems);
    }
}

/// The only text that a terminal may get.
fn text(data: &[u8]) {
    let made = SafeText::from_bytes(data);
    assert!(made.as_str().chars().all(|c| !c.is_control()), "{made:?}");
    safe(&made);
    SafeText::lines_of_bytes(data).iter().for_each(safe);
}

/// A theme of the user that is wrong says so.
fn theme(data: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("own.toml"), data).unwrap();
    if let Err(ThemeError::Wrong { mistakes, .. }) =
        Theme::load("own", Some(folder.path()), ColourLevel::True)
    {
        assert!(!mistakes.is_empty());
    }
}

/// Every way to write a time, a duration and a window.
fn time(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let now = chrono::DateTime::from_timestamp(1_794_000_000, 0).expect("a time in 2026");
    let zone = Zone::from_posix("Europe/Berlin", "CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
    let _ = parse_time(&text, Side::Next, now, &zone);
    let _ = parse_time(&text, Side::Last, now, &zone);
    if let Ok(span) = parse_span(&text) {
        assert!(!span.is_zero());
    }
    if let Ok(window) = window::parse(&text) {
        assert!(window.start < 7 * 24 * 60 && window.minutes > 0 && window.minutes <= 24 * 60, "{window:?}");
    }
}

/// Zone data of the system, and rules: what a clock shows is a time that occurs.
fn zone(data: &[u8]) {
    let rule = std::str::from_utf8(data).ok().and_then(|rule| Zone::from_posix("X", rule).ok());
    for zone in rule.into_iter().chain(Zone::from_tzif("X", data)) {
        for seconds in [-4_000_000_000, 0, 1_794_000_000, 7_000_000_000] {
            let at = chrono::DateTime::from_timestamp(seconds, 0).expect("a time within the calendar");
            let shown = zone.to_local(at);
            assert_ne!(zone.resolve(shown).1, LocalKind::Gap, "{shown}");
            let _ = When::Local(shown).resolve(&zone);
        }
    }
}
