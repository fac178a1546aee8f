//! This machine's own account of itself, for the share (FORMATS.md 6).

use super::Known;
use crate::clock::Wall;
use crate::decision::{self, Decision};
use crate::site::ids::MachineId;
use crate::site::report::{FORMAT, MAX_NOT_TARGETED, MachineReport, ReportedRequest, Rest, Summary};
use crate::terms::{Group, Verdict};
use crate::text::SafeText;
use chrono::TimeDelta;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// What has ended and is in force no more is reported for this long (SITE.md 5).
const ENDED_KEPT: TimeDelta = TimeDelta::days(30);

impl Known {
    /// This machine's own account of itself (FORMATS.md 6); `audit_head`: the newest hash of its history, `state_id`: which
    /// that is.
    pub(in super::super) fn report(
        &self,
        now: Wall,
        machine: MachineId,
        audit_head: Option<SafeText>,
        state_id: Option<SafeText>,
    ) -> MachineReport {
        let file = self.instructions.file.as_ref();
        let verdicts = self.verdicts(now);
        let mut requests: Vec<(bool, ReportedRequest)> = verdicts
            .iter()
            .filter_map(|d| Some((d.entry.is_some(), self.reported(d)?)))
            .filter(|(in_force, r)| {
                *in_force || r.ended_at.or(r.since).is_none_or(|at| now - at <= ENDED_KEPT)
            })
            .collect();
        // Where there is no room for all, the end of the list goes.
        requests.sort_by_key(|(in_force, r)| {
            let over = r.state.group() == Group::Executed;
            (!*in_force, over, over.then_some(Reverse(r.ended_at.or(r.since))))
        });
        let requests = requests.into_iter().map(|(_, request)| request).collect();
        let interval = self.policy.config.polling_interval.as_secs();
        let summary = Summary {
            format: FORMAT,
            machine,
            site: file.map(|f| f.site),
            site_id: None,
            host: self.world.host_name(),
            report: None,
            state_id,
            boot_id: Some(SafeText::new(&self.world.boot_id())),
            epoch: self.instructions.index.as_ref().map(|index| index.epoch),
            serial: file.map(|f| f.serial),
            reported_at: now,
            heartbeat_s: interval,
            next_run: None,
            states: BTreeMap::new(),
            reasons: BTreeMap::new(),
            problems: 0,
            undelivered: 0,
            two_machines: self.snapshot.reported.other.is_some(),
            kept_id: Some(self.snapshot.reported.kept_id).filter(|kept| *kept > 0),
            rest_bytes: 0,
            rest_sha256: None,
        };
        let rest = Rest {
            platform: self.world.platform(),
            pcm_version: env!("CARGO_PKG_VERSION").into(),
            polled_at: self.instructions.share_seen,
            polling_interval_s: interval,
            source: self.instructions.source.clone(),
            users: self.facts().users.and_then(|users| u32::try_from(users.len()).ok()),
            restart_pending: self.restart_pending(),
            clock_ok: self.clock.suspect_why().is_none(),
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
            audit_head,
            before: None,
            not_targeted: self.not_targeted(now).iter().take(MAX_NOT_TARGETED).copied().collect(),
            requests,
        };
        MachineReport { summary, rest }
    }

    fn reported(&self, d: &Decision) -> Option<ReportedRequest> {
        let request_id = d.request_id?;
        let newest = self.snapshot.attempts_of(request_id).next_back().map(|row| &row.attempt);
        let by_time = d.gates.iter().filter(|gate| gate.verdict != Verdict::Pass);
        let next_change = by_time
            .filter_map(|gate| match gate.change {
                decision::Change::At(at) => Some(at),
                _ => None,
            })
            .min();
        let over = d.state.group() == Group::Executed;
        Some(ReportedRequest {
            request_id,
            job_id: d.job_id,
            package_id: d.package_id,
            state: d.state,
            since: self
                .snapshot
                .since
                .get(&request_id)
                .filter(|(state, _)| *state == d.state)
                .map(|(_, at)| *at),
            attempt: d.attempt,
            blocked_by: if over { Vec::new() } else { d.blocked_by() },
            next_change: next_change.filter(|_| !over),
            next_run: None,
            latest: None,
            never: false,
            revision: None,
            phase: None,
            exit_code: newest.and_then(|attempt| attempt.exit_code),
            result: newest.map(|attempt| attempt.result.clone()).filter(|text| !text.is_empty()),
            started_at: newest.and_then(|attempt| attempt.started_at),
            started_late_s: None,
            ended_at: newest.and_then(|attempt| attempt.ended_at),
        })
    }
}
