//! What stands in the file of one machine, written and read again: its summary and signature as its report has them, what
//! else the report says of it, and its requests.

use super::rows::{self, Rows};
use super::{Asks, NONE};
use crate::clock::Wall;
use crate::rollout::account::{Account, MOST_FACTS, Signed, bounded, of_week, short};
use crate::site::ids::{JobId, MachineId, SiteId};
use crate::site::index::MAX_JOBS;
use crate::site::report::lines::Sealed;
use crate::site::report::{MAX_SUMMARY, Summary};
use crate::terms::Platform;
use crate::text::SafeText;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a report says of its machine beside its summary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Line {
    pub(super) machine: MachineId,
    /// Why it says nothing: then all else is nothing, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    why: Option<SafeText>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    told: Option<Told>,
    /// Where there is no summary: one of format 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    alone: Option<Alone>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Told {
    /// In microseconds since 1970, as all times here.
    written: i64,
    interval_s: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    platform: Option<Platform>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    os: Option<SafeText>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    os_version: Option<SafeText>,
    pcm_version: SafeText,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    users: Option<u32>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    restart_pending: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    disk_free: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hours_on: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    held_until: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    frozen_until: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next_window: Option<i64>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    facts: BTreeMap<SafeText, SafeText>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state_id: Option<SafeText>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    not_targeted: Vec<JobId>,
}

/// What a summary says, as far as it counts here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Alone {
    publication: (u64, u64),
    reported_at: i64,
    heartbeat_s: u64,
    host: SafeText,
    undelivered: u64,
    two_machines: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    number: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    site_id: Option<SiteId>,
}

/// The lines of a machine whose report says nothing.
pub fn silent_lines(machine: MachineId, why: &SafeText) -> Vec<u8> {
    let line = Line { machine, why: Some(why.clone()), told: None, alone: None };
    let mut lines = [NONE, NONE].concat();
    lines.extend(serde_json::to_vec(&line).unwrap_or_default());
    lines.extend(b"\n[]\n");
    lines
}

/// The lines of a machine, from what its report says and from the report itself.
pub fn lines(machine: MachineId, account: &Account, report: &[u8]) -> Vec<u8> {
    let mut of_report = report.split_inclusive(|b| *b == b'\n');
    let summary = of_report.next().filter(|line| Summary::read(line).is_ok());
    let signature = summary.and_then(|_| of_report.nth(1));
    let micros = |at: Wall| at.timestamp_micros();
    let told = Told {
        written: micros(account.written),
        interval_s: account.interval.as_secs(),
        platform: account.platform,
        os: account.os.clone(),
        os_version: account.os_version.clone(),
        pcm_version: account.pcm_version.clone(),
        users: account.users,
        restart_pending: account.restart_pending,
        disk_free: account.disk_free,
        hours_on: account.hours_on,
        held_until: account.held_until.map(micros),
        frozen_until: account.frozen_until.map(micros),
        next_window: account.next_window.map(micros),
        facts: account.facts.clone(),
        state_id: account.state_id.clone(),
        not_targeted: account.not_targeted.clone(),
    };
    let alone = Alone {
        publication: account.publication,
        reported_at: micros(account.reported_at),
        heartbeat_s: account.heartbeat.as_secs(),
        host: account.host.clone(),
        undelivered: account.undelivered,
        two_machines: account.two_machines,
        number: account.number,
        site_id: account.site_id.clone(),
    };
    let alone = summary.is_none().then_some(alone);
    let line = Line { machine, why: None, told: Some(told), alone };
    let mut lines = summary.unwrap_or(NONE).to_vec();
    lines.extend(signature.unwrap_or(NONE));
    lines.extend(serde_json::to_vec(&line).unwrap_or_default());
    lines.push(b'\n');
    lines.extend(rows::write(&account.requests));
    lines.push(b'\n');
    lines
}

/// What one machine says, bounded as what its report says, and what has to be verified of it. `known`: by this key the same
/// signature was verified before.
///
/// # Errors
/// Why it says nothing.
pub(super) fn told(
    summary: &[u8],
    signature: &[u8],
    line: Line,
    rows: &[u8],
    asks: &Asks,
    known: Option<&str>,
) -> Result<(Account, Option<Sealed>), SafeText> {
    if let Some(why) = line.why {
        return Err(short(&why));
    }
    let bad = |why: &str| SafeText::new(&format!("what the collector wrote of it cannot be used: {why}"));
    let Some(told) = line.told else { return Err(bad("there is nothing")) };
    let rows = Rows::read(rows, asks.requests.as_ref()).map_err(|e| bad(&e.to_string()))?;
    let (alone, states) = match summary {
        none if none == NONE => (line.alone, None),
        summary if summary.len() > MAX_SUMMARY => return Err(bad("its summary is too long")),
        bytes => {
            let summary = Summary::read(bytes).map_err(|e| bad(&e.to_string()))?;
            if summary.machine != line.machine {
                return Err(bad(&format!("its summary is of {}", summary.machine)));
            }
            let alone = Alone {
                publication: (summary.epoch.unwrap_or(0), summary.serial.unwrap_or(0)),
                reported_at: summary.reported_at.timestamp_micros(),
                heartbeat_s: summary.heartbeat_s,
                host: summary.host,
                undelivered: summary.undelivered,
                two_machines: summary.two_machines,
                number: summary.report,
                site_id: summary.site_id,
            };
            (Some(alone), Some(summary.states))
        }
    };
    let (signed, sealed) = match (asks.signed, signature, known) {
        (false, ..) => (Signed::Not, None),
        (true, third, _) if third == NONE => (Signed::Not, None),
        (true, _, Some(key)) => (Signed::By(key.to_owned()), None),
        (true, third, None) => {
            let sealed = Sealed::read(summary, third).map_err(|e| bad(&e.to_string()))?;
            (Signed::Not, Some(sealed))
        }
    };
    // What it has signed is the summary: the rows have to be of it.
    if asks.signed && states.is_some_and(|states| !rows.are_of(&states)) {
        return Err(bad("its requests are others than it has signed"));
    }
    let Some(alone) = alone else { return Err(bad("it has no summary")) };
    let instant = |micros| Wall::from_timestamp_micros(micros).ok_or_else(|| bad("a time is none"));
    let account = Account {
        publication: alone.publication,
        reported_at: instant(alone.reported_at)?,
        written: instant(told.written)?,
        interval: bounded(told.interval_s),
        heartbeat: bounded(alone.heartbeat_s),
        host: short(&alone.host),
        platform: told.platform,
        os: told.os.map(|os| short(&os)),
        os_version: told.os_version.map(|version| short(&version)),
        pcm_version: short(&told.pcm_version),
        users: told.users,
        restart_pending: told.restart_pending,
        disk_free: told.disk_free,
        hours_on: of_week(told.hours_on),
        held_until: told.held_until.map(instant).transpose()?,
        frozen_until: told.frozen_until.map(instant).transpose()?,
        next_window: told.next_window.map(instant).transpose()?,
        facts: told.facts.iter().take(MOST_FACTS).map(|(name, fact)| (short(name), short(fact))).collect(),
        undelivered: alone.undelivered,
        two_machines: alone.two_machines,
        state_id: told.state_id.map(|id| short(&id)),
        number: alone.number,
        site_id: alone.site_id,
        signed,
        requests: rows.said,
        not_targeted: told.not_targeted.into_iter().take(MAX_JOBS).collect(),
    };
    Ok((account, sealed))
}
