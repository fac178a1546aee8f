//! The document that `[notify] command` reads. Its fields are a contract that only grows; `format` changes where one of
//! them gets another meaning (`.github/docs/notifications.md`).

use super::{Counts, Event, Notice};
use crate::clock::Wall;
use crate::site::ids::{JobId, MachineId, PackageId, RequestId};
use crate::terms::State;
use serde::Serialize;

const FORMAT: u32 = 1;

/// Several events, or one of which only the number is left.
const DIGEST: &str = "digest";

#[derive(Serialize)]
struct Document<'a> {
    format: u32,
    machine: Option<MachineId>,
    host: &'a str,
    /// Of one event, that one's; else there is none.
    #[serde(flatten)]
    first: Fields<'a>,
    /// How many `events` has.
    count: usize,
    /// How many more there were of which nothing else is known any more.
    dropped: &'a Counts,
    events: Vec<Fields<'a>>,
}

/// What is said of one event.
#[derive(Serialize)]
struct Fields<'a> {
    event: &'a str,
    id: String,
    at: Wall,
    request_id: Option<RequestId>,
    job_id: Option<JobId>,
    package_id: Option<PackageId>,
    package: Option<&'a str>,
    attempt: Option<u32>,
    state: Option<State>,
    message: String,
}

impl<'a> Fields<'a> {
    fn of(notice: &'a Notice, machine: Option<MachineId>) -> Fields<'a> {
        let machine = machine.map(|id| format!("{id} ")).unwrap_or_default();
        let of = if notice.of.is_empty() { String::new() } else { format!(" {}", notice.of) };
        Fields {
            event: notice.event.as_str(),
            id: format!("{machine}{}{of}", notice.event),
            at: notice.at,
            request_id: notice.request_id,
            job_id: notice.job_id,
            package_id: notice.package_id,
            package: notice.package.as_ref().map(|name| name.as_str()),
            attempt: notice.attempt,
            state: notice.state,
            message: notice.message.to_string(),
        }
    }
}

/// The document of one call.
///
/// # Errors
/// It cannot be written as JSON, which none of its fields is a reason for.
pub fn render(
    notices: &[Notice],
    dropped: &Counts,
    machine: Option<MachineId>,
    host: &str,
    now: Wall,
) -> serde_json::Result<Vec<u8>> {
    let first = match notices {
        [only] if dropped.is_empty() => Fields::of(only, machine),
        several => Fields {
            event: DIGEST,
            id: format!(
                "{}{DIGEST} {}",
                machine.map(|id| format!("{id} ")).unwrap_or_default(),
                now.to_rfc3339()
            ),
            at: now,
            request_id: None,
            job_id: None,
            package_id: None,
            package: None,
            attempt: None,
            state: None,
            message: summary(several, dropped),
        },
    };
    let events = notices.iter().map(|notice| Fields::of(notice, machine)).collect();
    let document = Document { format: FORMAT, machine, host, first, count: notices.len(), dropped, events };
    let mut line = serde_json::to_vec(&document)?;
    // `read` of a shell fails at a line without an end.
    line.push(b'\n');
    Ok(line)
}

/// `7 events: 5 failed, 2 missed; 12 more that are not listed: 12 failed`, or `12 events that are not listed: 12 failed`
fn summary(notices: &[Notice], dropped: &Counts) -> String {
    let mut counts = Counts::new();
    for notice in notices {
        *counts.entry(notice.event).or_default() += 1;
    }
    let listed = |counts: &Counts| {
        let each: Vec<String> =
            counts.iter().map(|(event, n): (&Event, &u64)| format!("{n} {event}")).collect();
        each.join(", ")
    };
    if notices.is_empty() {
        return match dropped.values().sum::<u64>() {
            1 => format!("1 event that is not listed: {}", listed(dropped)),
            n => format!("{n} events that are not listed: {}", listed(dropped)),
        };
    }
    let events = if notices.len() == 1 { "event" } else { "events" };
    let mut text = format!("{} {events}: {}", notices.len(), listed(&counts));
    if !dropped.is_empty() {
        let more: u64 = dropped.values().sum();
        text.push_str(&format!("; {more} more that are not listed: {}", listed(dropped)));
    }
    text
}
