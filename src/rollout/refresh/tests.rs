//! What is read, what is not read again, and what anybody may have put there.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::site::ids::tests::machine as id;
use crate::site::report::tests::report;
use std::fs;
use std::path::PathBuf;

fn path(share: &Path, n: usize) -> PathBuf {
    share.join(report::FOLDER).join(report::report_name(id(n)))
}

/// A share on which so many machines have reported, an hour before now.
fn share(machines: usize) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join(report::FOLDER)).unwrap();
    (0..machines).for_each(|n| write(dir.path(), n, 3));
    dir
}

fn write(share: &Path, n: usize, requests: usize) {
    let mut report = report(requests);
    report.summary.machine = id(n);
    fs::write(path(share, n), report.to_bytes().unwrap()).unwrap();
}

/// As if all files had been written an hour ago.
fn now() -> Wall {
    Wall::from(std::time::SystemTime::now()) + TimeDelta::hours(1)
}

fn look(share: &Path, machines: usize, cache: &mut Cache) -> Look {
    let machines = (0..machines).map(id).collect();
    refresh(share, &machines, cache, Duration::from_secs(60), now(), |_, _, _, _| {}).unwrap()
}

#[test]
fn only_what_stands_otherwise_is_read_again() {
    let share = share(200);
    let mut cache = Cache::nowhere();
    let first = look(share.path(), 201, &mut cache);
    assert_eq!((first.read, first.unread, first.without, first.anew, first.whole), (200, 0, 1, 200, true));
    let again = look(share.path(), 201, &mut cache);
    assert_eq!((again.read, again.without, again.anew), (200, 1, 0));
    write(share.path(), 7, 5);
    fs::remove_file(path(share.path(), 8)).unwrap();
    write(share.path(), 200, 1);
    let third = look(share.path(), 201, &mut cache);
    assert_eq!((third.read, third.without, third.anew), (200, 1, 2));
    let requests = |n: usize| third.heard(&cache, id(n)).map(|account| account.requests.len());
    assert_eq!((requests(7), requests(9), requests(200)), (Ok(5), Ok(3), Ok(1)));
    assert_eq!(requests(8), Err(NOT_YET.into()));
    // Those of the site are others by now.
    let fewer = look(share.path(), 100, &mut cache);
    assert_eq!((fewer.read, fewer.without, fewer.anew, fewer.strangers), (99, 1, 0, 101));
    assert_eq!(fewer.strange[0].why, "it is of no machine of the site");
}

#[test]
fn what_was_written_just_now_is_read_once_more() {
    let share = share(3);
    let mut cache = Cache::nowhere();
    let soon = |cache: &mut Cache| {
        let now = Wall::from(std::time::SystemTime::now());
        refresh(share.path(), &(0..3).map(id).collect(), cache, Duration::from_secs(60), now, |_, _, _, _| {})
            .unwrap()
            .anew
    };
    assert_eq!(soon(&mut cache), 3);
    // However long that took here: within three seconds all of them are read again, and else none.
    assert!([0, 3].contains(&soon(&mut cache)));
    assert_eq!(look(share.path(), 3, &mut cache).read, 3);
}

#[test]
fn where_four_looks_still_wait_nobody_else_is_sent_and_what_is_kept_stays() {
    let share = share(3);
    let mut cache = Cache::nowhere();
    assert_eq!(look(share.path(), 3, &mut cache).read, 3);
    let hang = |_| waiting::send_after(Duration::ZERO, share.path(), What::Reports).unwrap();
    // Of a mount that was taken away they never come back, and what is there now is read.
    let mut hangs: Vec<_> = (1..waiting::LEFT).map(hang).collect();
    assert_eq!(look(share.path(), 3, &mut cache).read, 3);
    hangs.push(hang(waiting::LEFT));
    let machines = (0..3).map(id).collect();
    let wait = Duration::from_secs(60);
    let why = refresh(share.path(), &machines, &mut cache, wait, now(), |_, _, _, _| {}).unwrap_err();
    assert!(why.as_str().contains("does not answer: what read it before still waits"), "{why}");
    assert!((0..3).all(|n| cache.has(id(n))));
    drop(hangs);
    assert_eq!(look(share.path(), 3, &mut cache).read, 3);
}

#[test]
fn without_a_share_there_is_a_reason_and_without_reports_nobody_has_reported() {
    let dir = tempfile::tempdir().unwrap();
    let mut cache = Cache::nowhere();
    let patience = Duration::from_secs(60);
    let mut why = |share: &Path| {
        refresh(share, &BTreeSet::new(), &mut cache, patience, now(), |_, _, _, _| {}).unwrap_err()
    };
    // The place to mount a share is none on which nobody has reported.
    for share in [dir.path().join("gone"), dir.path().to_owned()] {
        let why = why(&share);
        assert!(why.as_str().contains("cannot be listed: it does not exist. Is it mounted?"), "{why}");
    }
    // Where a site was published the folder of the reports was made, too: it was taken away.
    fs::write(dir.path().join(crate::site::index::NAME), "").unwrap();
    let gone = why(dir.path());
    assert!(gone.as_str().contains("/machines cannot be listed: it does not exist"), "{gone}");
    fs::create_dir(dir.path().join(report::FOLDER)).unwrap();
    let empty = look(dir.path(), 3, &mut cache);
    assert_eq!((empty.read, empty.without, empty.whole), (0, 3, true));
}

/// A report of format 1, where this key is another one.
fn document(n: usize, key: &str, value: serde_json::Value) -> Vec<u8> {
    let at = "2026-11-22T08:00:00Z";
    let mut all = serde_json::json!({
        "format": 1, "machine": id(n), "site": "BP0", "host": "host", "platform": "linux-x86_64", "pcm_version": "0.1.0",
        "reported_at": at, "polled_at": at, "polling_interval_s": 3600, "instruction_serial": 42, "epoch": 0, "report": 1,
        "source": null, "users": 0, "restart_pending": false, "clock_ok": true, "audit_head": null,
        "requests": [{
            "request_id": "BP00000", "job_id": "BP0000AA", "package_id": null, "state": "failed", "since": at, "attempt": 1,
            "blocked_by": [], "next_change": null, "exit_code": 17, "result": "no space", "started_at": at, "ended_at": at,
        }],
    });
    all[key] = value;
    all.to_string().into_bytes()
}

/// A hundred of them: each is one row with its reason, and says nothing of any other machine.
#[test]
fn hostile_reports_are_each_a_row_with_its_reason_and_change_nothing_else() {
    let share = share(120);
    let write = |n: usize, bytes: &[u8]| fs::write(path(share.path(), n), bytes).unwrap();
    let text = |n: usize| move |key: &str, value: serde_json::Value| document(n, key, value);
    let mut wanted: Vec<(usize, &str)> = Vec::new();
    let mut n = 0;
    let mut bad = |bytes: &[u8], why: &'static str| {
        write(n, bytes);
        wanted.push((n, why));
        n += 1;
    };
    // Sizes.
    bad(&vec![b' '; (512 << 10) + 1], "larger than 524288 bytes");
    bad(&vec![b'['; 512 << 10], "malformed");
    bad(b"", "malformed");
    // Encodings.
    for bytes in [
        &b"\xff\xfe{\0}\0"[..],
        b"\xef\xbb\xbf{}",
        b"{\"format\": \xc3\x28}",
        b"\0\0\0\0",
        b"null",
        b"[]",
        b"1e999",
    ] {
        bad(bytes, "malformed");
    }
    // Deep, cut off, twice the same, of another kind.
    bad("[".repeat(100_000).as_bytes(), "malformed");
    let whole = fs::read(path(share.path(), 119)).unwrap();
    for length in (1..whole.len() - 2).step_by(whole.len() / 34) {
        bad(&whole[..length], "malformed");
    }
    // Lines that do not belong together, one too many, and what is no signature.
    let other = fs::read(path(share.path(), 118)).unwrap();
    let (summary, rest) = whole.split_at(whole.iter().position(|b| *b == b'\n').unwrap() + 1);
    let changed: Vec<u8> = rest.iter().map(|b| if *b == b'8' { b'9' } else { *b }).collect();
    bad(&[summary, &changed].concat(), "not the one that its first line names");
    bad(&[summary, summary].concat(), "not the one that its first line names");
    bad(&[&whole[..], &b"{\"signature\": 7}\n"[..]].concat(), "malformed");
    bad(&[&whole[..], &other[..]].concat(), "malformed");
    bad(&[&whole[..], &vec![b' '; 100_000][..]].concat(), "larger than");
    bad(
        &[&b"{\"format\": 2, \"x\": \""[..], &vec![b'x'; 2_000][..], &b"\"}\n"[..], rest].concat(),
        "larger than",
    );
    // Of another machine, of no machine.
    bad(&whole, "its report is of BP050119");
    bad(&text(119)("machine", "BP99999".into()), "malformed");
    bad(&text(119)("machine", "../../etc".into()), "malformed");
    bad(&text(119)("format", 3.into()), "malformed");
    bad(&text(119)("report", serde_json::json!(-1)), "malformed");
    bad(&text(119)("instruction_serial", serde_json::json!(1e300)), "malformed");
    bad(&text(119)("reported_at", "+99999999-01-01T00:00:00Z".into()), "malformed");
    bad(&text(119)("reported_at", "\u{1b}[2J".into()), "malformed");
    for escape in ["\u{1b}]0;owned\u{7}", "\u{9b}31m", "\u{202e}", "\r\n", "\u{1b}P+q\u{1b}\\"] {
        bad(&text(119)("pcm_version", serde_json::json!({ escape: escape })), "malformed");
        bad(&text(119)(escape, escape.into())[..30], "malformed");
    }
    let requests = |state: &str| {
        let one =
            serde_json::json!({"request_id": "BP0000Y", "state": state, "attempt": 0, "blocked_by": []});
        vec![one; 10_000]
    };
    bad(&text(119)("requests", requests("running").into()), "larger than 524288 bytes");
    bad(&text(119)("requests", requests("owned").into())[..500_000], "malformed");
    for k in 0..23 {
        bad(format!("{{\"machine\": \"BP05{k:04}\", \"x\": \"\u{1b}[{k}m\"").as_bytes(), "malformed");
    }
    let plain = wanted.len();
    #[cfg(unix)]
    links(share.path(), &mut wanted);
    assert!((93..100).contains(&plain), "{plain}");
    // What is strange and still an honest report of its machine.
    let odd = |n: usize, key: &str, value: serde_json::Value| write(n, &document(n, key, value));
    odd(110, "reported_at", "1601-01-01T00:00:00Z".into());
    odd(111, "reported_at", "9999-12-31T23:59:59Z".into());
    odd(112, "report", serde_json::json!(1_u64 << 63));
    odd(113, "polling_interval_s", serde_json::json!(u64::MAX));
    odd(114, "host", "\u{1b}]0;owned\u{7}\u{202e}".into());

    let mut cache = Cache::nowhere();
    let look = look(share.path(), 120, &mut cache);
    assert_eq!((look.unread, look.read, look.whole), (wanted.len() as u64, 120 - wanted.len() as u64, true));
    for (n, why) in &wanted {
        let said = look.heard(&cache, id(*n)).unwrap_err();
        assert!(said.as_str().contains(why), "{n}: {said}");
        assert!(
            said.as_str().chars().all(|c| !c.is_control() && c != '\u{202e}' && c != '\u{9b}'),
            "{n}: {said}"
        );
    }
    let good = look.heard(&cache, id(119)).unwrap();
    let first = |n: usize| (110..115).contains(&n);
    for n in (0..120).filter(|n| !wanted.iter().any(|(bad, _)| bad == n)) {
        let account = look.heard(&cache, id(n)).unwrap();
        match first(n) {
            true => assert_eq!(account.requests[0].result, Some("no space".into()), "{n}"),
            false => assert_eq!(account.requests, good.requests, "{n}"),
        }
        assert!(!account.host.as_str().contains('\u{1b}'));
        assert!(account.interval <= Duration::from_secs(7 * 86_400), "{n}");
    }
}

/// What is no plain file.
#[cfg(unix)]
fn links(share: &Path, wanted: &mut Vec<(usize, &'static str)>) {
    let to = |n: usize| path(share, n);
    let mut at = |n: usize, why| {
        fs::remove_file(to(n)).unwrap();
        wanted.push((n, why));
        to(n)
    };
    std::os::unix::fs::symlink("/etc/passwd", at(100, "it is a link")).unwrap();
    std::os::unix::fs::symlink(to(119), at(101, "it is a link")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", at(102, "it is a link")).unwrap();
    fs::hard_link(to(118), at(103, "it is a link, or has more than one name")).unwrap();
    wanted.push((118, "has more than one name"));
    let fifo = at_fifo(share);
    fs::create_dir({
        fs::remove_file(to(105)).unwrap();
        to(105)
    })
    .unwrap();
    wanted.push((105, "not a regular file"));
    wanted.extend(fifo);
}

#[cfg(unix)]
fn at_fifo(share: &Path) -> Option<(usize, &'static str)> {
    let file = path(share, 104);
    fs::remove_file(&file).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, &file, 0o666.into()).unwrap();
    Some((104, "not a regular file"))
}
