//! The report stays small, is read back, and is replaced whole.
#![allow(clippy::unwrap_used)]

use super::*;
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
        exit_code: Some(3010),
        result: Some("x".repeat(200).into()),
        started_at: Some(at),
        ended_at: Some(at),
    };
    MachineReport {
        format: 1,
        machine: "BP004000".parse().unwrap(),
        site: Some("BP0".parse().unwrap()),
        host: "host".into(),
        platform: Some(Platform::LinuxX86_64),
        pcm_version: "0.1.0".into(),
        reported_at: at,
        polled_at: Some(at),
        polling_interval_s: 3_600,
        instruction_serial: Some(42),
        epoch: None,
        source: Some("/mnt/share".into()),
        users: None,
        restart_pending: false,
        clock_ok: true,
        requests: (0..requests).map(request).collect(),
        not_targeted: Vec::new(),
        audit_head: None,
        report: None,
        state_id: None,
        boot_id: None,
        undelivered: Vec::new(),
        two_machines: false,
        kept_id: None,
        before: None,
    }
}

#[test]
fn a_report_is_read_back_with_its_results_cut() {
    let read = MachineReport::from_bytes(&report(2).to_bytes().unwrap()).unwrap();
    assert!(read.says_the_same(&MachineReport { requests: read.requests.clone(), ..report(2) }));
    assert_eq!(read.requests[0].result.as_ref().unwrap().as_str().chars().count(), MAX_RESULT);
}

#[test]
fn the_words_in_it_are_those_of_the_other_documents() {
    let json: serde_json::Value = serde_json::from_slice(&report(1).to_bytes().unwrap()).unwrap();
    assert_eq!(json["platform"], "linux-x86_64");
    assert_eq!(json["requests"][0]["state"], "succeeded");
    assert_eq!(json["requests"][0]["blocked_by"][1], "window-closed");
    assert_eq!(json["users"], serde_json::Value::Null);
    assert_eq!(json["reported_at"], "2026-11-22T08:00:00Z");
}

#[test]
fn the_largest_instruction_file_gives_a_report_within_its_size() {
    let bytes = report(1_000).to_bytes().unwrap();
    assert!(bytes.len() as u64 <= MAX_BYTES);
    let read = MachineReport::from_bytes(&bytes).unwrap();
    assert_eq!(read.requests.len(), 1_000);
}

#[test]
fn a_machine_that_had_any_number_of_requests_still_reports_the_first_of_them() {
    let bytes = report(9_000).to_bytes().unwrap();
    assert!(bytes.len() as u64 <= MAX_BYTES);
    let kept = MachineReport::from_bytes(&bytes).unwrap().requests;
    assert!(kept.len() > 1_000, "{}", kept.len());
    let first: Vec<_> = report(kept.len()).requests.iter().map(|r| r.request_id).collect();
    assert_eq!(kept.iter().map(|r| r.request_id).collect::<Vec<_>>(), first);
    // There was no room for one more.
    assert!(MAX_BYTES - (bytes.len() as u64) < (bytes.len() / kept.len()) as u64);
}

#[test]
fn hostile_reports_are_errors() {
    for bytes in [&b""[..], b"{}", b"[]", b"\xff", b"null"] {
        assert!(MachineReport::from_bytes(bytes).is_err());
    }
    let other = String::from_utf8(report(0).to_bytes().unwrap()).unwrap();
    assert!(MachineReport::from_bytes(other.replace("\"format\":1", "\"format\":2").as_bytes()).is_err());
    assert!(MachineReport::from_bytes(other.replace("BP004000", "../../x").as_bytes()).is_err());
    assert_eq!(MachineReport::from_bytes(&vec![b' '; 600 << 10]), Err(ReportError::TooLarge));
    let escape = other.replace("\"host\":\"host\"", "\"host\":\"\\u001b[2J\"");
    let read = MachineReport::from_bytes(escape.as_bytes()).unwrap();
    assert!(!read.host.as_str().contains('\u{1b}'));
}

#[test]
fn a_report_differs_only_by_what_it_says() {
    let (old, mut new) = (report(1), report(1));
    new.reported_at += chrono::TimeDelta::hours(1);
    new.polled_at = None;
    assert!(old.says_the_same(&new));
    new.requests[0].state = State::Running;
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
