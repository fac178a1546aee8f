//! Machine reports as tests read and write them: both lines as one document.

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use std::fs;
use std::path::Path;

/// What stands in the first line.
const SUMMARY: [&str; 18] = [
    "format",
    "machine",
    "site",
    "site_id",
    "host",
    "report",
    "state_id",
    "boot_id",
    "epoch",
    "serial",
    "reported_at",
    "heartbeat_s",
    "next_run",
    "states",
    "reasons",
    "two_machines",
    "kept_id",
    "after",
];

/// The lines of a report as one document, `undelivered` and `problems` as the list that the second one has; null: there is
/// none, or none that can be read.
pub fn report_at(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_default();
    let mut lines = text.lines().map(|line| serde_json::from_str::<Map<String, Value>>(line).ok());
    match (lines.next().flatten(), lines.next().flatten()) {
        (Some(summary), Some(rest)) => Value::Object(summary.into_iter().chain(rest).collect()),
        _ => Value::Null,
    }
}

/// Such a document as the two lines, without a signature.
pub fn report_lines(report: &Value) -> [String; 2] {
    let all = report.as_object().unwrap().clone();
    let (mut summary, rest): (Map<String, Value>, Map<String, Value>) =
        all.into_iter().partition(|(key, _)| SUMMARY.contains(&key.as_str()));
    let rest = format!("{}\n", Value::Object(rest));
    let hash: String = Sha256::digest(rest.as_bytes()).iter().map(|b| format!("{b:02x}")).collect();
    summary.insert("format".into(), 2.into());
    summary.insert("rest_bytes".into(), rest.len().into());
    summary.insert("rest_sha256".into(), hash.into());
    [format!("{}\n", Value::Object(summary)), rest]
}
