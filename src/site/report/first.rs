//! A report of format 1 (FORMATS.md 6): one document, as machines write it that are older than format 2. It is only read.

use super::{MachineReport, ReportError, ReportedRequest, Rest, Summary, Written};
use crate::clock::Wall;
use crate::site::ids::{JobId, MachineId, SiteCode};
use crate::terms::Platform;
use crate::text::SafeText;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The whole of it.
#[derive(Debug, Deserialize)]
pub(super) struct Document {
    machine: MachineId,
    site: Option<SiteCode>,
    host: SafeText,
    platform: Option<Platform>,
    pcm_version: SafeText,
    reported_at: Wall,
    polled_at: Option<Wall>,
    polling_interval_s: u64,
    instruction_serial: Option<u64>,
    #[serde(default)]
    epoch: Option<u64>,
    source: Option<SafeText>,
    users: Option<u32>,
    restart_pending: bool,
    clock_ok: bool,
    requests: Vec<ReportedRequest>,
    #[serde(default)]
    not_targeted: Vec<JobId>,
    audit_head: Option<SafeText>,
    #[serde(default)]
    report: Option<u64>,
    #[serde(default)]
    state_id: Option<SafeText>,
    #[serde(default)]
    boot_id: Option<SafeText>,
    #[serde(default)]
    undelivered: Vec<SafeText>,
    #[serde(default)]
    two_machines: bool,
    #[serde(default)]
    kept_id: Option<u64>,
    #[serde(default)]
    before: Option<Box<Written>>,
}

impl Document {
    /// # Errors
    /// `malformed`
    pub fn read(bytes: &[u8]) -> Result<Self, ReportError> {
        serde_json::from_slice(bytes).map_err(ReportError::malformed)
    }
}

impl From<Document> for MachineReport {
    fn from(one: Document) -> Self {
        let mut summary = Summary {
            format: 1,
            machine: one.machine,
            site: one.site,
            site_id: None,
            host: one.host,
            report: one.report,
            state_id: one.state_id,
            boot_id: one.boot_id,
            epoch: one.epoch,
            serial: one.instruction_serial,
            reported_at: one.reported_at,
            // It came once in an interval, if nothing changed.
            heartbeat_s: one.polling_interval_s,
            next_run: None,
            states: BTreeMap::new(),
            reasons: BTreeMap::new(),
            problems: 0,
            undelivered: one.undelivered.len() as u64,
            two_machines: one.two_machines,
            kept_id: one.kept_id,
            after: None,
            rest_bytes: 0,
            rest_sha256: None,
        };
        summary.count(&one.requests);
        let rest = Rest {
            platform: one.platform,
            pcm_version: one.pcm_version,
            polled_at: one.polled_at,
            polling_interval_s: one.polling_interval_s,
            source: one.source,
            users: one.users,
            restart_pending: one.restart_pending,
            clock_ok: one.clock_ok,
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
            undelivered: one.undelivered,
            audit_head: one.audit_head,
            before: one.before,
            before_sealed: None,
            not_targeted: one.not_targeted,
            requests: one.requests,
        };
        Self { summary, rest }
    }
}
