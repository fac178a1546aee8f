//! The report stays small, is read back, and is replaced whole.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::site::signed::signature::MAX_ARMOUR;
use std::fs;

pub fn report(requests: usize) -> MachineReport {
    let at: Wall = "2026-11-22T08:00:00Z".parse().unwrap();
    let request = |i: usize| ReportedRequest {
        request_id: format!("BP0{i:04}").parse().unwrap(),
        job_id: Some("BP0000AA".parse().unwrap()),
        package_id: Some("BP00000A".parse().unwrap()),
        state: if i.is_multiple_of(2) { State::Succeeded } else { State::Failed },
        since: Some(at),
        attempt: 1,
        blocked_by: vec![Code::Optional, Code::WindowClosed],
        next_change: Some(at),
        next_run: None,
        latest: None,
        never: false,
        revision: Some(3),
        phase: Some(Percent(1_250)),
        exit_code: Some(3010),
        result: Some("x".repeat(200).into()),
        started_at: Some(at),
        started_late_s: None,
        ended_at: Some(at),
    };
    let summary = Summary {
        format: FORMAT,
        machine: "BP004000".parse().unwrap(),
        site: Some("BP0".parse().unwrap()),
        site_id: None,
        host: "host".into(),
        report: None,
        state_id: None,
        boot_id: None,
        epoch: None,
        serial: Some(42),
        reported_at: at,
        heartbeat_s: 3_600,
        next_run: None,
        states: BTreeMap::new(),
        reasons: BTreeMap::new(),
        problems: 0,
        undelivered: 0,
        two_machines: false,
        kept_id: None,
        after: None,
        rest_bytes: 0,
        rest_sha256: None,
    };
    let rest = Rest {
        platform: Some(Platform::LinuxX86_64),
        pcm_version: "0.1.0".into(),
        polled_at: Some(at),
        polling_interval_s: 3_600,
        source: Some("/mnt/share".into()),
        users: None,
        restart_pending: false,
        clock_ok: true,
        trust: None,
        held_until: None,
        frozen_until: None,
        next_window: None,
        os: None,
        os_version: None,
        zone: None,
        disk_free: None,
        uptime_s: None,
        hours_on_7d: None,
        facts: BTreeMap::new(),
        problems: Vec::new(),
        undelivered: Vec::new(),
        audit_head: None,
        before: None,
        before_sealed: None,
        not_targeted: Vec::new(),
        requests: (0..requests).map(request).collect(),
    };
    MachineReport { summary, rest }
}

/// The lines of a report as documents.
fn lines(report: &MachineReport) -> Vec<serde_json::Value> {
    let bytes = report.to_bytes().unwrap();
    bytes.split_inclusive(|b| *b == b'\n').map(|line| serde_json::from_slice(line).unwrap()).collect()
}

#[test]
fn a_report_is_read_back_with_its_results_cut() {
    let read = MachineReport::from_bytes(&report(2).to_bytes().unwrap()).unwrap();
    let mut own = report(2);
    own.rest.requests.clone_from(&read.rest.requests);
    own.summary.count(&read.rest.requests);
    assert!(read.says_the_same(&own));
    assert_eq!(read.rest.requests[0].result.as_ref().unwrap().as_str().chars().count(), MAX_RESULT);
    assert_eq!(read.rest.requests[0].phase, Some(Percent(1_250)));
}

#[test]
fn the_words_in_it_are_those_of_the_other_documents() {
    let [summary, rest] = &lines(&report(3))[..] else { panic!("two lines") };
    assert_eq!((&summary["format"], &summary["serial"]), (&2.into(), &42.into()));
    assert_eq!(summary["reported_at"], "2026-11-22T08:00:00Z");
    assert_eq!(summary["states"], serde_json::json!({"succeeded": 2, "failed": 1}));
    assert_eq!(summary["reasons"], serde_json::json!({"optional": 3, "window-closed": 3}));
    assert_eq!(rest["platform"], "linux-x86_64");
    assert_eq!(rest["requests"][0]["state"], "succeeded");
    assert_eq!(rest["requests"][0]["blocked_by"][1], "window-closed");
    assert_eq!(rest["requests"][0]["phase"], 12.5);
    assert_eq!(rest["users"], serde_json::Value::Null);
}

#[test]
fn a_summary_fits_whatever_stands_in_it_and_names_its_rest() {
    let mut full = report(State::ALL.len() * Code::ALL.len());
    for (n, request) in full.rest.requests.iter_mut().enumerate() {
        request.state = State::ALL[n % State::ALL.len()];
        request.blocked_by = Code::ALL[..=n / State::ALL.len()].to_vec();
    }
    let long: SafeText = "\u{1f9ff}".repeat(300).into();
    let uuid = || Some("01234567-89ab-cdef-0123-456789abcdef".into());
    let summary = &mut full.summary;
    (summary.report, summary.epoch, summary.serial) = (Some(u64::MAX), Some(u64::MAX), Some(u64::MAX));
    (summary.problems, summary.undelivered, summary.kept_id) = (u64::MAX, u64::MAX, Some(u64::MAX));
    summary.after = Some("f".repeat(32).as_str().into());
    (summary.state_id, summary.boot_id, summary.next_run) = (uuid(), uuid(), Some(summary.reported_at));
    (summary.host, summary.site_id) = (long, Some("abcdefgh23456723".parse().unwrap()));
    let written = full.lines().unwrap();
    assert!(written.summary.len() <= MAX_SUMMARY, "{}", written.summary.len());
    let read = MachineReport::from_bytes(&written.bytes(None).unwrap()).unwrap();
    assert_eq!(read.summary, Summary::read(written.summary.as_bytes()).unwrap());
    assert_eq!(read.summary.states.len(), State::ALL.len(), "every state is counted");
    assert_eq!(read.summary.states.values().sum::<u64>(), read.rest.requests.len() as u64);
    assert_eq!(read.summary.rest_bytes, written.rest.len() as u64);
    // An ordinary machine has room for all reasons that occur on it.
    let few = report(3).lines().unwrap();
    assert_eq!(Summary::read(few.summary.as_bytes()).unwrap().reasons.len(), 2);
}

#[test]
fn the_largest_instruction_file_gives_a_report_within_its_size() {
    let bytes = report(1_000).to_bytes().unwrap();
    assert!(bytes.len() as u64 <= MAX_BYTES);
    let read = MachineReport::from_bytes(&bytes).unwrap();
    assert_eq!(read.rest.requests.len(), 1_000);
}

#[test]
fn a_machine_that_had_any_number_of_requests_still_reports_the_first_of_them() {
    let bytes = report(9_000).lines().unwrap().bytes(Some(&"x".repeat(MAX_ARMOUR))).unwrap();
    assert!(bytes.len() as u64 <= MAX_BYTES);
    let kept = MachineReport::from_bytes(&bytes).unwrap().rest.requests;
    assert!(kept.len() > 1_000, "{}", kept.len());
    let first: Vec<_> = report(kept.len()).rest.requests.iter().map(|r| r.request_id).collect();
    assert_eq!(kept.iter().map(|r| r.request_id).collect::<Vec<_>>(), first);
    // There was no room for many more.
    assert!(MAX_BYTES - (bytes.len() as u64) < (4 * bytes.len() / kept.len()) as u64);
}

#[test]
fn hostile_reports_are_errors() {
    for bytes in [&b""[..], b"{}", b"[]", b"\xff", b"null", b"\n\n\n", b"{\"format\":2}\n{}\n"] {
        assert!(MachineReport::from_bytes(bytes).is_err());
    }
    let own = report(1).lines().unwrap();
    let refused = |bytes: &[u8]| MachineReport::from_bytes(bytes).unwrap_err().to_string();
    let (summary, rest) = (own.summary.as_str(), own.rest.as_str());
    let other = |summary: &str, rest: &str| refused(format!("{summary}{rest}").as_bytes());
    assert!(other(&summary.replace("\"format\":2", "\"format\":3"), rest).contains("needs a newer pcm"));
    assert!(other(&summary.replace("BP004000", "../../x"), rest).contains("malformed"));
    for changed in
        [rest.replace("0.1.0", "0.1.1"), rest.trim_end().to_owned(), format!(" {rest}"), "\n".into()]
    {
        assert!(other(summary, &changed).contains("second line"), "{changed}");
    }
    let fourth = format!("{{\"signature\":\"x\"}}\n{rest}");
    for more in ["\n", rest, "{}\n", "{\"signature\":\"x\"}", &fourth] {
        assert!(other(summary, &format!("{rest}{more}")).contains("malformed"), "{more}");
    }
    assert_eq!(MachineReport::from_bytes(&vec![b' '; 600 << 10]), Err(ReportError::TooLarge));
    let wide = summary.replace("\"host\":", &format!("{}\"host\":", " ".repeat(MAX_SUMMARY)));
    assert_eq!(MachineReport::from_bytes(format!("{wide}{rest}").as_bytes()), Err(ReportError::TooLarge));
    assert_eq!(Summary::read(wide.as_bytes()), Err(ReportError::TooLarge));
    let signature = format!("{{\"signature\":\"{}\"}}\n", "x".repeat(MAX_BYTES as usize / 2));
    assert_eq!(
        MachineReport::from_bytes(format!("{summary}{rest}{signature}").as_bytes()),
        Err(ReportError::TooLarge)
    );
    let escape = summary.replace("\"host\":\"host\"", "\"host\":\"\\u001b[2J\"");
    let read = MachineReport::from_bytes(format!("{escape}{rest}").as_bytes()).unwrap();
    assert!(!read.summary.host.as_str().contains('\u{1b}'));
}

#[test]
fn a_report_of_format_1_is_read_as_what_it_says() {
    let one = include_bytes!("../../../tests/fuzz/corpus/report/one.json");
    let (read, sealed) = MachineReport::read(one).unwrap();
    assert_eq!((read.summary.format, read.summary.serial, sealed), (1, Some(42), None));
    assert_eq!((read.summary.heartbeat_s, read.summary.states[&State::Waiting]), (3_600, 1));
    assert_eq!(read.rest.requests[0].blocked_by, [Code::WindowClosed, Code::UserLoggedOn]);
    // One line of it is no summary of format 2, however short.
    let text: String = String::from_utf8_lossy(one).lines().map(str::trim).collect();
    assert_eq!(MachineReport::from_bytes(text.as_bytes()).unwrap(), read);
}

#[test]
fn a_signature_is_read_with_the_line_that_it_is_over() {
    let own = report(1).lines().unwrap();
    let (read, sealed) = MachineReport::read(&own.bytes(Some("-----BEGIN\nEND-----\n")).unwrap()).unwrap();
    let sealed = sealed.unwrap();
    assert_eq!((&sealed.summary, sealed.signature.as_str()), (&own.summary, "-----BEGIN\nEND-----\n"));
    assert_eq!(MachineReport::read(&own.bytes(None).unwrap()).unwrap(), (read, None));
}

#[test]
fn a_report_differs_only_by_what_it_says() {
    let (old, mut new) = (report(1), report(1));
    new.summary.reported_at += chrono::TimeDelta::hours(1);
    new.rest.polled_at = None;
    (new.rest.uptime_s, new.rest.disk_free, new.rest.hours_on_7d) = (Some(7), Some(1 << 30), Some(168));
    // They follow from what is compared.
    (new.summary.next_run, new.rest.requests[0].next_run) =
        (Some(old.summary.reported_at), Some(old.summary.reported_at));
    assert!(old.says_the_same(&new));
    new.rest.requests[0].state = State::Running;
    assert!(!old.says_the_same(&new));
}

#[test]
fn a_file_on_the_share_is_replaced_whole_while_others_read_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("BP004000.json");
    let folder = Folder::open(dir.path()).unwrap();
    let write = |bytes: &[u8]| write_replacing(&folder, "BP004000.json", bytes);
    write(b"first").unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for i in 0..50_u8 {
                write(&vec![i; 4_096]).unwrap();
            }
        });
        for _ in 0..200 {
            // Some systems refuse to open it at the moment of the rename.
            let Ok(bytes) = fs::read(&path) else { continue };
            assert!(bytes == b"first" || (bytes.len() == 4_096 && bytes.iter().all(|b| *b == bytes[0])));
        }
    });
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    assert!(write_replacing(&folder, "none/x", b"").is_err());
}

#[test]
fn results_are_named_by_request_and_attempt() {
    assert_eq!(result_name("bp0000y".parse().unwrap(), 2), "BP0000Y-2.MIF");
    assert!(is_result_name("BP0000Y-2.MIF"));
    for other in ["BP0000Y.MIF", "BP0000Y-2.MIF.tmp", "note.txt", "-2.MIF", "BP0000Y-x.MIF"] {
        assert!(!is_result_name(other), "{other}");
    }
}
