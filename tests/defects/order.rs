//! Packages that ran in the wrong order.

use super::common::*;

/// Overdue jobs ran in random order after the machine had been off. The order is by mandatory time, then RequestID,
/// whatever the order of the file.
#[test]
fn q173388_overdue_requests_run_by_mandatory_time_and_then_by_id() {
    let mut site = Site::new();
    let hash = format!("\"{}\"", site.package("BP00000A", &site.say("ran")));
    let request = |id: &str, mandatory: &str| {
        Request::due(id).set("content_sha256", hash.clone()).set("mandatory_after", mandatory)
    };
    site.publish(&[
        request("BP00005", "2026-11-03T00:00:00Z"),
        request("BP00004", "2026-11-02T00:00:00Z"),
        request("BP00009", "2026-11-01T06:00:00Z"),
        request("BP00002", "2026-11-02T00:00:00Z"),
        request("BP00003", "2026-11-02T00:00:00Z"),
    ]);
    let _service = site.service();
    site.wait_state("BP00005", "succeeded");
    let order: Vec<_> = std::fs::read_to_string(site.witness())
        .unwrap()
        .lines()
        .map(|line| line.split(' ').nth(1).unwrap().to_owned())
        .collect();
    assert_eq!(order, ["BP00009", "BP00002", "BP00003", "BP00004", "BP00005"]);
}
