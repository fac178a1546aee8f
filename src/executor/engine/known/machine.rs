//! The views of the machine as a whole: status, who is logged on, its history and its audit.

use super::super::history_lost;
use super::views::Views;
use crate::clock::Wall;
use crate::decision::{self, UserFact};
use crate::error::{Exit, Failure, Result};
use crate::executor::history::{AttemptRow, History};
use crate::executor::talk::protocol::VERSION;
use crate::executor::talk::view::{
    AuditDoc, FoldedDoc, HistoryDoc, SERIALS, SerialsDoc, ServiceState, SessionDoc, StandstillDoc, StatusDoc,
    WhoDoc,
};
use crate::executor::verify::unreadable;
use crate::host::account::Actor;
use crate::host::sessions::Session;
use crate::site::ids::RequestId;
use crate::terms::{Code, State};
use crate::text::SafeText;
use std::collections::BTreeMap;

/// Attempts, or entries of the audit, in one answer: what nobody reads has to be kept.
const PAGE: usize = 500;

impl Views<'_> {
    /// History itself is an error where it is lost; the other views say so and answer (DESIGN.md 7).
    pub(super) fn history(&self, request: Option<RequestId>, older: Option<u64>) -> Result<HistoryDoc> {
        self.believable()?;
        if let Some(id) = request
            && self.known.attempts_of(id).next().is_none()
        {
            self.known.decision_of(id, self.known.world.now())?;
        }
        let rows: Vec<_> = match request {
            Some(id) => self.known.attempts_of(id).rev().collect(),
            None => self.known.snapshot.newest_first(),
        };
        // Counted from the oldest on, where nothing is added.
        let end = older.and_then(|n| usize::try_from(n).ok()).unwrap_or(rows.len()).min(rows.len());
        let page = rows.iter().skip(rows.len() - end).take(PAGE).map(|row| self.attempt_doc(row));
        let older = end.checked_sub(PAGE).filter(|n| *n > 0).map(|n| n as u64);
        Ok(HistoryDoc { attempts: page.collect(), older })
    }

    pub(super) fn audit(&self, older: Option<u64>) -> Result<AuditDoc> {
        self.believable()?;
        let page = match self.open_history() {
            Some(history) => history.audit_page(older, PAGE),
            None => History::read_audit(&self.known.layout, older, PAGE),
        };
        page.map(|(entries, older)| AuditDoc { entries, older }).map_err(|why| unreadable(&why))
    }

    pub(super) fn serials(&self) -> Result<SerialsDoc> {
        self.believable()?;
        let serials = match self.open_history() {
            Some(history) => history.publications(SERIALS),
            None => History::read_publications(&self.known.layout, SERIALS),
        };
        serials.map(|serials| SerialsDoc { serials }).map_err(|why| unreadable(&why))
    }

    pub(super) fn status(&self, actor: &Actor) -> StatusDoc {
        let decisions = self.known.verdicts(self.now);
        let (mut counts, mut seen_by_state) = (BTreeMap::new(), BTreeMap::new());
        for decision in decisions.iter() {
            *counts.entry(decision.state).or_insert(0) += 1;
            if self.known.seen(decision).is_some() {
                *seen_by_state.entry(decision.state).or_insert(0) += 1;
            }
        }
        let config = &self.known.policy.config;
        let next_runs = self.known.next_runs(self.now);
        // Of those that may be the first, the one that is not late.
        let next =
            next_runs.iter().min_by_key(|(id, next)| (next.at, next.latest.is_none(), next.latest, **id));
        StatusDoc {
            machine: config.machine,
            host: self.known.world.host_name(),
            service: self.service_state(),
            poll_due: self.standing.and_then(|standing| standing.poll_due),
            next_run: next.map(|(_, next)| next.at),
            latest: next.and_then(|(_, next)| next.latest),
            next_request: next.map(|(id, _)| *id),
            held_until: self.held_until(),
            hold: self.held_until().map(|_| self.known.hold_doc()),
            clock_ok: self.known.clock.suspect_why().is_none(),
            restart_pending: self.known.restart_pending(),
            restart: Some(self.known.restart_doc(self.now)),
            counts,
            seen: seen_by_state.values().sum(),
            seen_by_state,
            queue: self.known.snapshot.view.queue.iter().map(|queued| queued.request).collect(),
            users: self.known.facts().users.and_then(|users| u32::try_from(users.len()).ok()),
            problems: self.problems(),
            role: config.role.clone(),
            frozen_until: self.frozen_until(),
            polled_at: self.known.instructions.share_seen,
            trust: self.known.trust_doc(),
            signed: self.known.signed_doc(),
            lock: self.known.world.lock_holder(),
            zone: SafeText::new(self.known.zone.name()),
            utc_offset_s: self.known.zone.offset_at(self.now),
            may_operate: actor.may_operate,
            operators: SafeText::new(&config.operators.group),
            join: (!actor.may_operate).then(|| self.known.how_to_join(actor)),
            version: VERSION.into(),
            standstill: self.standstill(),
            polling_interval_s: config.polling_interval.as_secs(),
            polling_by: config.polling_by,
            undelivered: self.standing.and_then(|standing| standing.undelivered).cloned(),
            folded: self.folded(),
            space: self.standing.and_then(|standing| standing.space),
        }
    }

    fn folded(&self) -> Option<FoldedDoc> {
        let folded = self.known.snapshot.attempts().filter(|row| row.folded_at.is_some());
        let ended = folded.map(AttemptRow::over);
        ended.fold(None, |before: Option<FoldedDoc>, at| {
            let FoldedDoc { attempts, until } = before.unwrap_or(FoldedDoc { attempts: 0, until: at });
            Some(FoldedDoc { attempts: attempts + 1, until: until.max(at) })
        })
    }

    fn standstill(&self) -> Vec<StandstillDoc> {
        let all = self.known.with_inputs(self.now, decision::standstill);
        let told = |s: decision::Standstill| {
            let why = self.known.named_here(Some(s.code), &s.why);
            StandstillDoc { code: s.code, until: s.until, why }
        };
        all.into_iter().map(told).collect()
    }

    pub(super) fn held_until(&self) -> Option<Wall> {
        self.known.snapshot.view.hold.as_ref().map(|hold| hold.until).filter(|until| *until > self.now)
    }

    pub(super) fn frozen_until(&self) -> Option<Wall> {
        let freezes = self.known.policy.config.freezes.iter().chain(&self.known.instructions.site_freezes);
        let freezes = freezes.chain(self.known.policy.groups.iter().flat_map(|group| &group.freezes));
        freezes
            .map(|freeze| (freeze.from.resolve(&self.known.zone), freeze.until.resolve(&self.known.zone)))
            .filter(|(from, until)| *from <= self.now && self.now < *until)
            .map(|(_, until)| until)
            .max()
    }

    pub(super) fn service_state(&self) -> ServiceState {
        if self.standing.is_some_and(|standing| standing.service) {
            ServiceState::Running
        } else {
            ServiceState::Stopped
        }
    }

    pub(super) fn who(&self) -> WhoDoc {
        let waiting: Vec<RequestId> = self
            .known
            .verdicts(self.now)
            .iter()
            .filter(|d| d.state == State::Waiting && d.blocked_by().contains(&Code::UserLoggedOn))
            .filter_map(|d| d.request_id)
            .collect();
        let users = &self.known.policy.config.users;
        let log_on = |session: &Session| {
            let mut doc = session_doc(session);
            doc.ignored = users.ignore.iter().any(|name| name == session.user.as_str());
            if !doc.ignored && !UserFact::of(session).is_away(users.busy_within) {
                doc.holds = waiting.clone();
            }
            doc
        };
        let seen = &self.known.users;
        WhoDoc {
            source: seen.source.to_owned(),
            sessions: seen.sessions.iter().map(log_on).collect(),
            connections: seen.connections.iter().map(session_doc).collect(),
            note: seen.note.clone(),
        }
    }

    /// A view of a lost history is not refused: the state folder is damaged.
    fn believable(&self) -> Result<()> {
        match &self.known.lost {
            Some(lost) => Err(Failure { exit: Exit::State as u8, ..history_lost(lost) }),
            None => Ok(()),
        }
    }
}

/// The document of a log-on that counts and holds up nothing.
fn session_doc(session: &Session) -> SessionDoc {
    SessionDoc {
        user: session.user.clone(),
        terminal: session.terminal.clone(),
        from: session.from.clone(),
        since: session.since,
        idle_s: session.idle_s,
        locked: session.locked,
        kind: session.kind,
        holds: Vec::new(),
        ignored: false,
    }
}
