//! An event as an entry of the system's own journal.

use super::{Event, Notice};
use crate::site::ids::MachineId;

/// Every entry has it, so that `journalctl MESSAGE_ID=...` shows them all.
const MESSAGE_ID: &str = "84f6632017044c6fbb3779dfa06aadc9";
/// As syslog counts: an error, a warning.
const ERROR: &str = "3";
const WARNING: &str = "4";

/// The fields of the entry.
pub fn entry(notice: &Notice, machine: Option<MachineId>) -> Vec<(&'static str, String)> {
    let priority = match notice.event {
        Event::Failed
        | Event::Interrupted
        | Event::Missed
        | Event::HistoryLost
        | Event::TwoMachines
        | Event::Rollback
        | Event::ContentMismatch => ERROR,
        Event::Undelivered | Event::DiskLow | Event::HeldTooLong => WARNING,
    };
    let what = notice.request_id.map(|id| format!(" {id}")).unwrap_or_default();
    let mut fields = vec![
        ("MESSAGE", format!("{}{what}: {}", notice.event, notice.message)),
        ("PRIORITY", priority.to_owned()),
        ("SYSLOG_IDENTIFIER", "pcm".to_owned()),
        ("MESSAGE_ID", MESSAGE_ID.to_owned()),
        ("PCM_EVENT", notice.event.to_string()),
    ];
    let more = [
        ("PCM_MACHINE", machine.map(|id| id.to_string())),
        ("PCM_REQUEST", notice.request_id.map(|id| id.to_string())),
        ("PCM_JOB", notice.job_id.map(|id| id.to_string())),
        ("PCM_PACKAGE", notice.package_id.map(|id| id.to_string())),
        ("PCM_ATTEMPT", notice.attempt.map(|n| n.to_string())),
        ("PCM_STATE", notice.state.map(|state| state.to_string())),
    ];
    fields.extend(more.into_iter().filter_map(|(name, value)| Some((name, value?))));
    fields
}
