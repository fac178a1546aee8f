//! This machine's own account of itself, for the share (SITE.md 5).

use super::Known;
use super::views::Views;
use crate::clock::{Wall, between};
use crate::decision::{self, Decision};
use crate::site::ids::{MachineId, RequestId};
use crate::site::report::{
    FORMAT, LONGEST_HEARTBEAT, MAX_NOT_TARGETED, MachineReport, Percent, ReportedRequest, ReportedTrust,
    Rest, Summary,
};
use crate::terms::{Group, Verdict};
use crate::text::SafeText;
use chrono::TimeDelta;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What has ended and is in force no more is reported for this long (SITE.md 5).
const ENDED_KEPT: TimeDelta = TimeDelta::days(30);
/// It says itself that what waited has arrived.
const UNDELIVERED: &str = "undelivered";

impl Views<'_> {
    /// This machine's own account of itself, without what changes with every look at it; `audit_head`: newest hash of its
    /// history; `state_id`: which one that is.
    pub(in super::super) fn report(
        &self,
        machine: MachineId,
        audit_head: Option<SafeText>,
        state_id: Option<SafeText>,
    ) -> MachineReport {
        let (known, now) = (self.known, self.now);
        let file = known.instructions.file.as_ref();
        let index = known.instructions.index.as_ref();
        let problems = self.problems().into_iter().map(|problem| SafeText::new(&problem.code));
        let problems: Vec<SafeText> = problems.filter(|code| code.as_str() != UNDELIVERED).collect();
        let reported = &known.snapshot.reported;
        let summary = Summary {
            format: FORMAT,
            machine,
            site: file.map(|f| f.site),
            site_id: index.map(|index| index.site_id.clone()),
            host: known.world.host_name(),
            report: None,
            state_id,
            boot_id: Some(SafeText::new(&known.world.boot_id())),
            epoch: index.map(|index| index.epoch),
            serial: file.map(|f| f.serial),
            reported_at: now,
            heartbeat_s: known.heartbeat(now).as_secs(),
            next_run: None,
            states: BTreeMap::new(),
            reasons: BTreeMap::new(),
            problems: problems.len() as u64,
            undelivered: 0,
            two_machines: reported.other.is_some(),
            kept_id: Some(reported.kept_id).filter(|kept| *kept > 0),
            after: None,
            rest_bytes: 0,
            rest_sha256: None,
        };
        let (trust, host) = (known.trust_doc(), &known.host);
        let facts = &known.policy.config.report.facts;
        let rest = Rest {
            platform: known.world.platform(),
            pcm_version: env!("CARGO_PKG_VERSION").into(),
            polled_at: known.instructions.share_seen,
            polling_interval_s: known.policy.config.polling_interval.as_secs(),
            source: known.instructions.source.clone(),
            users: known.facts().users.and_then(|users| u32::try_from(users.len()).ok()),
            restart_pending: known.restart_pending(),
            clock_ok: known.clock.suspect_why().is_none(),
            trust: Some(ReportedTrust {
                mode: trust.mode,
                key: trust.key,
                principal: trust.principal,
                valid_until: trust.valid_until,
            }),
            held_until: self.held_until(),
            frozen_until: self.frozen_until(),
            next_window: known.with_inputs(now, decision::next_window),
            os: host.os.clone(),
            os_version: host.os_version.clone(),
            zone: Some(SafeText::new(known.zone.name())),
            disk_free: None,
            uptime_s: None,
            hours_on_7d: None,
            facts: facts.iter().map(|(name, text)| (SafeText::new(name), SafeText::new(text))).collect(),
            problems: problems.into_iter().collect::<BTreeSet<_>>().into_iter().collect(),
            undelivered: Vec::new(),
            audit_head,
            before: None,
            before_sealed: None,
            not_targeted: known.not_targeted(now).iter().take(MAX_NOT_TARGETED).copied().collect(),
            requests: known.reported_requests(now),
        };
        MachineReport { summary, rest }
    }
}

impl Known {
    /// A report that is about to be written gets what changes all the time, and the times of the next runs as every view
    /// tells them.
    pub(in super::super) fn complete(&self, report: &mut MachineReport, now: Wall) {
        let mut decisions = self.verdicts(now).to_vec();
        self.foretell(now, &mut decisions);
        let told: BTreeMap<RequestId, &Decision> =
            decisions.iter().filter_map(|d| Some((d.request_id?, d))).collect();
        for request in &mut report.rest.requests {
            let Some(decision) = told.get(&request.request_id) else { continue };
            (request.next_run, request.latest) = (decision.next_run, decision.latest);
        }
        report.summary.next_run = decisions.iter().filter_map(|d| d.next_run).min();
        report.rest.disk_free = self.world.disk_free();
        report.rest.uptime_s = Some(self.world.monotonic().0.as_secs());
    }

    /// How often this machine reports if nothing changes: while something mandatory is pending or runs as often as it looks
    /// at the share, else every six hours.
    fn heartbeat(&self, now: Wall) -> Duration {
        let expected = |d: &Decision| {
            d.mandatory_after.is_some() && matches!(d.state.group(), Group::Pending | Group::Running)
        };
        match self.verdicts(now).iter().any(expected) {
            true => self.policy.config.polling_interval.min(LONGEST_HEARTBEAT),
            false => LONGEST_HEARTBEAT,
        }
    }

    fn reported_requests(&self, now: Wall) -> Vec<ReportedRequest> {
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
        requests.into_iter().map(|(_, request)| request).collect()
    }

    /// So long after it had become mandatory a request was started for the first time.
    fn started_late(&self, d: &Decision) -> Option<Duration> {
        let first = self.snapshot.attempts_of(d.request_id?).next()?.attempt.started_at?;
        let due = d.mandatory_after.filter(|due| *due < first)?;
        Some(between(due, first))
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
        let index = self.instructions.index.as_ref();
        let delivery = index.and_then(|index| index.deliveries.get(&request_id));
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
            never: d.never && !over,
            revision: delivery.map(|delivery| delivery.revision),
            phase: delivery.map(|delivery| Percent(delivery.percent)),
            exit_code: newest.and_then(|attempt| attempt.exit_code),
            result: newest.map(|attempt| attempt.result.clone()).filter(|text| !text.is_empty()),
            started_at: newest.and_then(|attempt| attempt.started_at),
            started_late_s: self.started_late(d).map(|late| late.as_secs()),
            ended_at: newest.and_then(|attempt| attempt.ended_at),
        })
    }
}
