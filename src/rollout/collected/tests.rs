//! What a collector writes is what the reports say, and what anybody else puts there is not believed.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::rollout::account::Signed;
use crate::rollout::collect::collect;
use crate::rollout::reports::{NOT_YET, account_of};
use crate::site::folder::counted::Counted;
use crate::site::folder::machines::Machine;
use crate::site::ids::tests::machine as id;
use crate::site::index::MAX_JOBS;
use crate::site::report::seal::HostKey;
use crate::site::report::tests::report;
use crate::site::report::{FOLDER, report_name};
use crate::terms::State;
use std::collections::BTreeMap;
use std::fs;

const PATIENCE: Duration = Duration::from_secs(60);

fn site_id() -> SiteId {
    "abcdefgh23456723".parse().unwrap()
}

fn now() -> Wall {
    "2026-11-29T12:00:00Z".parse().unwrap()
}

fn machines(n: usize) -> BTreeSet<MachineId> {
    (0..n).map(id).collect()
}

fn asks(machines: BTreeSet<MachineId>, signed: bool) -> Asks {
    Asks { site_id: site_id(), machines: Arc::new(machines), requests: None, signed }
}

/// A report of a machine, signed where there is a key.
fn bytes(n: usize, requests: usize, key: Option<&HostKey>) -> Vec<u8> {
    let mut report = report(requests);
    (report.summary.machine, report.summary.site_id) = (id(n), Some(site_id()));
    let lines = report.lines().unwrap();
    lines.bytes(key.map(|key| key.sign(&lines.summary).unwrap()).as_deref()).unwrap()
}

fn put(share: &Path, n: usize, bytes: &[u8]) {
    fs::create_dir_all(share.join(FOLDER)).unwrap();
    fs::write(share.join(FOLDER).join(report_name(id(n))), bytes).unwrap();
}

fn collected(share: &Path, machines: &BTreeSet<MachineId>) -> (Header, Vec<u8>) {
    let site = ("BP0".parse().unwrap(), site_id());
    let made = collect(share, site, machines, PATIENCE, now(), |_, _| {}).unwrap();
    fs::write(share.join(NAME), &made.1).unwrap();
    made
}

fn take(share: &Path, asks: &Asks) -> Result<Taken, SafeText> {
    find(share, &site_id(), now(), PATIENCE)?.unwrap().take(asks, &Before::default(), PATIENCE, |_, _| {})
}

#[test]
fn what_is_collected_is_what_the_reports_say() {
    let dir = tempfile::tempdir().unwrap();
    let share = dir.path();
    let keys = tempfile::tempdir().unwrap();
    let key = HostKey::make(keys.path()).unwrap();
    let all = machines(PART + 40);
    for n in 0..PART + 30 {
        put(share, n, &bytes(n, n % 7, (n % 3 == 0).then_some(&key)));
    }
    put(share, 3, b"{");
    put(share, 4, &bytes(5, 1, None));
    fs::write(share.join(FOLDER).join("BP059999.json"), bytes(9_999, 1, None)).unwrap();
    let (header, _) = collected(share, &all);
    assert_eq!((header.machines, header.read, header.unread), (PART as u64 + 40, PART as u64 + 28, 2));
    let taken = take(share, &asks(all.clone(), true)).unwrap();
    assert_eq!((taken.look.read, taken.look.unread, taken.look.without), (PART as u64 + 28, 2, 10));
    for n in 0..PART + 40 {
        let heard = taken.look.heard(&taken.cache, id(n));
        let Ok(report) = fs::read(share.join(FOLDER).join(report_name(id(n)))) else {
            assert_eq!(heard, Err(NOT_YET.into()));
            continue;
        };
        let written = heard.as_ref().map(|account| account.written).unwrap_or_default();
        assert_eq!(heard, account_of(&report, id(n), written), "{n}");
    }
    // Nobody asks who signed them, and only for one request.
    let asked = ["BP00002".parse().unwrap()];
    let few = Asks { requests: Some(asked.into()), ..asks(machines(12), false) };
    let taken = take(share, &few).unwrap();
    let account = taken.cache.heard(id(6)).unwrap().unwrap();
    assert_eq!(
        (account.requests.len(), account.requests[0].request_id, account.signed),
        (1, asked[0], Signed::Not)
    );
    assert!(!taken.cache.has(id(12)));
}

#[test]
fn one_of_format_1_has_no_summary_and_is_told_all_the_same() {
    let at = "2026-11-22T08:00:00Z";
    let report = serde_json::json!({
        "format": 1, "machine": id(1), "site": "BP0", "host": "host", "platform": "linux-x86_64", "pcm_version": "0.1.0",
        "reported_at": at, "polled_at": at, "polling_interval_s": 3600, "instruction_serial": 42, "epoch": 0, "report": 1,
        "source": null, "users": 0, "restart_pending": false, "clock_ok": true, "audit_head": null, "requests": [],
    });
    let report = serde_json::to_vec_pretty(&report).unwrap();
    let account = account_of(&report, id(1), now()).unwrap();
    let said = read_lines(&lines(id(1), &account, &report), &asks(machines(2), false)).unwrap();
    assert_eq!(said, [(id(1), Ok(account))]);
}

/// At a site that signs.
#[test]
fn what_a_machine_has_not_signed_is_not_believed_of_it() {
    let keys = tempfile::tempdir().unwrap();
    let key = HostKey::make(keys.path()).unwrap();
    let report = bytes(1, 3, Some(&key));
    let account = account_of(&report, id(1), now()).unwrap();
    let good = lines(id(1), &account, &report);
    let heard = |lines: &[u8], signed| read_lines(lines, &asks(machines(3), signed)).unwrap().remove(0).1;
    assert_eq!(heard(&good, true), Ok(account.clone()));
    let text = String::from_utf8(good.clone()).unwrap();
    // Another state of a request than the summary counts.
    let mut others = account.clone();
    others.requests[0].state =
        if others.requests[0].state == State::Failed { State::Succeeded } else { State::Failed };
    let forged = lines(id(1), &others, &report);
    assert!(heard(&forged, true).unwrap_err().as_str().contains("others than it has signed"));
    assert_eq!(heard(&forged, false).unwrap().requests, others.requests, "nobody signs there");
    // One that is left out, though only others are asked for.
    others.requests.pop();
    let few = Asks { requests: Some(BTreeSet::new()), ..asks(machines(3), true) };
    assert!(read_lines(&lines(id(1), &others, &report), &few).unwrap()[0].1.is_err());
    assert_eq!(read_lines(&good, &few).unwrap()[0].1.as_ref().unwrap().requests, []);
    // Another summary than was signed.
    let changed = text.replacen("\"host\":\"host\"", "\"host\":\"hosT\"", 1);
    assert_ne!(changed, text);
    assert!(matches!(heard(changed.as_bytes(), true).unwrap().signed, Signed::Bad(_)));
    // None at all, and one of another machine.
    let mut parts: Vec<&str> = text.split_inclusive('\n').collect();
    parts[1] = "{}\n";
    assert_eq!(heard(parts.concat().as_bytes(), true).unwrap().signed, Signed::Not);
    let other = String::from_utf8(lines(id(2), &account, &report)).unwrap();
    assert!(heard(other.as_bytes(), true).unwrap_err().as_str().contains("its summary is of BP050001"));
}

/// Most of what a collector writes is what it wrote before: only what is new is computed.
#[test]
fn what_was_verified_is_not_computed_again_and_nothing_else_is_believed_for_it() {
    let [keys, others] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let [key, other] = [&keys, &others].map(|dir| HostKey::make(dir.path()).unwrap());
    let whose = |key: &HostKey| {
        let line = |n: usize| (id(n), Machine { host_key: Some(key.key().line()), ..Machine::new(id(n)) });
        let own = [1].into_iter().map(line).collect();
        Some(Arc::new(Whose::new(site_id(), &own, Counted::default())))
    };
    let report = bytes(1, 3, Some(&key));
    let account = account_of(&report, id(1), now()).unwrap();
    let good = lines(id(1), &account, &report);
    let asks = asks(machines(3), true);
    let hear = |lines: &[u8], before: &Before| {
        let mut says = parse(lines, &asks, before).unwrap();
        (says.heard.remove(0).1.unwrap().signed, says.seals)
    };
    let nothing = Before { whose: whose(&key), seals: Seals::default() };
    let (signed, seals) = hear(&good, &nothing);
    assert_eq!((signed, seals.len()), (account.signed.clone(), 1));
    let verified = Before { seals: Seals::of(seals.clone()), ..nothing.clone() };
    assert_eq!(hear(&good, &verified), (account.signed.clone(), seals.clone()));
    // What is said to be verified is not computed: this is how it is known that it is not.
    let forged =
        String::from_utf8(good.clone()).unwrap().replacen("\"host\":\"host\"", "\"host\":\"hosT\"", 1);
    let by_line: Vec<&[u8]> = forged.as_bytes().split_inclusive(|b| *b == b'\n').collect();
    let of_forged = seal(&key.key().text(), by_line[0], by_line[1]);
    let believed = Before { seals: Seals::of(vec![of_forged]), ..nothing.clone() };
    assert_eq!(hear(forged.as_bytes(), &believed).0, Signed::By(key.key().text()));
    // Another summary, and the same where the machine's key is another one by now.
    let (signed, seals) = hear(forged.as_bytes(), &verified);
    assert!(matches!(signed, Signed::Bad(_)) && seals.is_empty());
    let renewed = Before { whose: whose(&other), ..verified.clone() };
    assert_eq!(
        hear(&good, &renewed),
        (account.signed, Vec::new()),
        "it is by a key, and not by the machine's"
    );
    let nobody = Before { whose: None, ..believed };
    assert!(matches!(hear(forged.as_bytes(), &nobody).0, Signed::Bad(_)));
}

#[test]
fn one_that_is_old_damaged_or_of_somebody_else_is_not_used_and_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let share = dir.path();
    assert!(find(share, &site_id(), now(), PATIENCE).unwrap().is_none());
    let all = machines(20);
    (0..20).for_each(|n| put(share, n, &bytes(n, 3, None)));
    let (_, whole) = collected(share, &all);
    let file = share.join(NAME);
    let why = |site: &SiteId, now: Wall| {
        let found = find(share, site, now, PATIENCE).and_then(|found| {
            found.unwrap().take(&asks(all.clone(), false), &Before::default(), PATIENCE, |_, _| {})
        });
        found.map(|_| ()).unwrap_err().to_string()
    };
    let old = why(&site_id(), now() + TimeDelta::hours(3));
    assert!(old.contains("read at 2026-11-29T12:00:00Z, over 30m ago"), "{old}");
    assert_eq!(old, why(&site_id(), now() + TimeDelta::hours(4)), "whoever watches is told once");
    assert!(why(&site_id(), now() - TimeDelta::hours(1)).contains("not come"));
    assert!(why(&"zzzzzzzz23456723".parse().unwrap(), now()).contains("another site"));
    // Cut off anywhere, or with a byte that is another one.
    for length in 0..whole.len() {
        fs::write(&file, &whole[..length]).unwrap();
        assert!(why(&site_id(), now()).contains("damaged"), "{length}");
    }
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        fs::write(&file, &bytes).unwrap();
        let taken = take(share, &asks(all.clone(), false));
        // The header has no sum: what is changed in it shows in what it says, or changes nothing that counts.
        assert!(taken.is_err() || taken.unwrap().look.read == 20, "{at}");
    }
    let header = |kind: &str, format: u32| {
        let text = serde_json::json!({"kind": kind, "format": format, "more": "of a later time"}).to_string();
        fs::write(&file, compress_to_vec(text.as_bytes(), CompressionLevel::Fastest)).unwrap();
    };
    header("collected", 2);
    assert!(why(&site_id(), now()).contains("needs a newer pcm"));
    header("other", 1);
    assert!(why(&site_id(), now()).contains("none of a collector"));
    // What unpacks to far more than it is.
    fs::write(&file, compress_to_vec(std::io::repeat(b' ').take(8 << 20), CompressionLevel::Fastest))
        .unwrap();
    assert!(why(&site_id(), now()).contains("too large"));
}

#[test]
fn machines_twice_or_in_no_order_are_not_what_was_written() {
    let one = |n: usize| silent_lines(id(n), &"x".into());
    let asks = asks(machines(9), false);
    let said = |all: &[usize]| read_lines(&all.iter().flat_map(|n| one(*n)).collect::<Vec<u8>>(), &asks);
    assert_eq!(said(&[1, 2]).unwrap().len(), 2);
    for bad in [&[2, 1][..], &[1, 1]] {
        assert!(said(bad).unwrap_err().as_str().contains("not in order"));
    }
    // In two parts.
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::new("BP0".parse().unwrap(), site_id(), 9, now());
    writer.most = 1;
    writer.add(&one(1), false);
    writer.add(&one(1), false);
    fs::write(dir.path().join(NAME), writer.bytes().unwrap().1).unwrap();
    assert!(take(dir.path(), &asks).unwrap_err().as_str().contains("twice"));
}

/// Whoever can write the root of the share writes what no report can say.
#[test]
fn what_is_forged_costs_no_more_than_what_a_report_says() {
    let long = "x".repeat(2_000);
    let facts: BTreeMap<String, &str> = (0..500).map(|n| (format!("{long}{n}"), long.as_str())).collect();
    let jobs = vec!["BP0000AA"; MAX_JOBS + 5];
    let told = serde_json::json!({
        "written": 0, "interval_s": 1, "os": long, "os_version": long, "pcm_version": long, "state_id": long,
        "facts": facts.iter().take(200).collect::<BTreeMap<_, _>>(), "not_targeted": jobs,
    });
    let alone = serde_json::json!({
        "publication": [1, 1], "reported_at": 0, "heartbeat_s": 1, "host": long, "undelivered": 0, "two_machines": false,
    });
    let line = serde_json::json!({"machine": id(1), "told": told, "alone": alone}).to_string();
    let asks = asks(machines(3), false);
    let said = |line: &str| read_lines(format!("{{}}\n{{}}\n{line}\n[]\n").as_bytes(), &asks);
    let account = said(&line).unwrap().remove(0).1.unwrap();
    let texts =
        [&account.host, &account.pcm_version].into_iter().chain(&account.os).chain(&account.os_version);
    let texts =
        texts.chain(&account.state_id).chain(account.facts.iter().flat_map(|(name, fact)| [name, fact]));
    assert!(texts.clone().count() > 4 && texts.into_iter().all(|text| text.as_str().chars().count() < 200));
    assert!(account.facts.len() <= 100 && account.not_targeted.len() == MAX_JOBS);
    let why = serde_json::json!({"machine": id(1), "why": long}).to_string();
    assert!(said(&why).unwrap().remove(0).1.unwrap_err().as_str().chars().count() < 200);
    // A line that no report is long enough for is not even looked at.
    let far = serde_json::json!({"machine": id(1), "told": {"facts": facts}, "more": "x".repeat(MAX_LINE)})
        .to_string();
    assert!(said(&far).unwrap_err().as_str().contains("more than a report can hold"));
    // Machines that nobody has.
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::new("BP0".parse().unwrap(), site_id(), 3, now());
    for n in 0..MORE + 9 {
        let machine: MachineId = format!("BP1{n:05}").parse().unwrap();
        writer.add(&silent_lines(machine, &"x".into()), false);
    }
    fs::write(dir.path().join(NAME), writer.bytes().unwrap().1).unwrap();
    assert!(take(dir.path(), &asks).unwrap_err().as_str().contains("far more machines"));
}

#[test]
fn where_four_still_read_it_nobody_else_is_sent() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), 1, &bytes(1, 3, None));
    collected(dir.path(), &machines(3));
    // As one does whose share hangs.
    let first = find(dir.path(), &site_id(), now(), PATIENCE).unwrap();
    let hang = |_| waiting::send_after(Duration::ZERO, dir.path(), What::Collected).unwrap();
    let others: Vec<_> = (1..waiting::LEFT).map(hang).collect();
    let why = find(dir.path(), &site_id(), now(), PATIENCE).unwrap_err();
    assert!(why.as_str().contains("cannot be read: what read it before still waits"), "{why}");
    drop((first, others));
    for _ in 0..2 {
        assert_eq!(take(dir.path(), &asks(machines(3), false)).unwrap().look.read, 1);
    }
}

#[test]
fn reading_it_says_how_far_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::new("BP0".parse().unwrap(), site_id(), 9, now());
    writer.most = 1;
    (0..9).for_each(|n| writer.add(&silent_lines(id(n), &"x".into()), false));
    fs::write(dir.path().join(NAME), writer.bytes().unwrap().1).unwrap();
    let found = find(dir.path(), &site_id(), now(), PATIENCE).unwrap().unwrap();
    let mut told = Vec::new();
    found
        .take(&asks(machines(5), false), &Before::default(), PATIENCE, |done, of| told.push((done, of)))
        .unwrap();
    assert!(told.into_iter().eq((1..=9).map(|done| (done, 9))));
}

/// Whoever can write below `machines` makes reports as large as they may be.
#[test]
fn parts_end_where_they_are_large_and_what_nobody_would_read_is_not_written() {
    let one = |n: usize| silent_lines(id(n), &"x".into());
    let made = |most: usize| {
        let mut writer = Writer::new("BP0".parse().unwrap(), site_id(), 9, now());
        writer.most = most;
        (0..9).for_each(|n| writer.add(&one(n), n == 0));
        writer
    };
    let length = one(0).len();
    let asks = asks(machines(9), false);
    for (most, parts) in [(PART_BYTES, 1), (length * 2, 5), (length * 3 - 1, 5), (1, 9)] {
        let (header, bytes) = made(most).bytes().unwrap();
        assert_eq!((header.parts.len(), header.read, header.unread), (parts, 1, 8), "{most}");
        let said = read_all(&bytes, &asks).unwrap().1;
        assert!(said.iter().map(|(machine, _)| *machine).eq((0..9).map(id)), "{most}");
    }
    let refused = |change: fn(&mut Writer)| {
        let mut writer = made(1);
        change(&mut writer);
        writer.bytes().unwrap_err().as_str().contains("more than one file can hold")
    };
    assert!(refused(|writer| writer.header.parts[0].bytes = MAX_PART + 1));
    assert!(refused(|writer| writer.header.parts = vec![writer.header.parts[0].clone(); MAX_PARTS + 1]));
    assert!(refused(|writer| writer.longest = (MAX_UNPACKED + 1) as usize));
}
