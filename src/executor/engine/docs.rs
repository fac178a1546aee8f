//! The documents of the views, made from decisions, history and what the machine says of itself.

use super::launch::show_command;
use super::{Engine, Past, history_lost};
use crate::clock::Wall;
use crate::decision::{self, Change, Decision, GateResult, UserFact};
use crate::error::{Exit, Failure, Result};
use crate::executor::history::{AttemptRow, History};
use crate::executor::talk::protocol::{Answer, Call};
use crate::executor::talk::view::*;
use crate::host::account::Actor;
use crate::host::sessions::Session;
use crate::site::content::ContentFact;
use crate::site::ids::RequestId;
use crate::site::instruction::Entry;
use crate::site::trust::TrustVerdict;
use crate::terms::{Code, Group, Problem, State};
use crate::text::SafeText;
use std::collections::BTreeMap;
use std::path::Path;

impl Engine {
    /// Answers a call that only views.
    pub fn view(&self, call: &Call, actor: &Actor, now: Wall) -> Answer {
        let answer = match call {
            Call::List => Ok(Answer::List(self.list(now))),
            Call::Show { request } => self.show(*request, now).map(|doc| Answer::Show(Box::new(doc))),
            Call::Explain { request } => self.explain(*request, now).map(Answer::Explain),
            Call::Status => Ok(Answer::Status(self.status(actor, now))),
            Call::Simulate(wanted) => {
                crate::executor::simulate::run(&self.situation(), wanted).map(Answer::Simulate)
            }
            Call::Who => Ok(Answer::Who(self.who(now))),
            Call::History { request } => self.history_doc(*request).map(Answer::History),
            Call::Audit => self.audit().map(Answer::Audit),
            Call::AuditVerify => self.audit_verify().map(Answer::Verify),
            _ => Err(Failure::new(Exit::Failed, "not-a-view", "this call changes something", "Report it")),
        };
        answer.unwrap_or_else(Answer::Failed)
    }

    /// What decisions depend on beside the time, for whoever simulates.
    pub fn situation(&self) -> decision::simulate::Situation {
        decision::simulate::Situation {
            instructions: self.instructions.clone(),
            history: self.snapshot.view.clone(),
            facts: self.facts(),
            policy: self.policy.clone(),
            zone: self.zone.clone(),
        }
    }

    fn list(&self, now: Wall) -> ListDoc {
        let file = self.instructions.file.as_ref();
        let mut requests: Vec<_> = self.decide(now).iter().map(|d| self.request_doc(d)).collect();
        requests
            .sort_by_key(|r| (order(r.group), r.mandatory_after.is_none(), r.mandatory_after, r.request_id));
        ListDoc {
            machine: self.policy.config.machine,
            site: file.map(|f| f.site),
            source: self.instructions.source.clone(),
            polled_at: self.instructions.share_seen,
            serial: file.map(|f| f.serial),
            service: self.service_state(),
            held_until: self.held_until(now),
            problems: self.problems(),
            requests,
        }
    }

    fn request_doc(&self, d: &Decision) -> RequestDoc {
        let newest = d.request_id.and_then(|id| self.attempts_of(id).next_back());
        let since = d.request_id.and_then(|id| self.snapshot.since.get(&id));
        let run =
            newest.filter(|row| row.attempt.state.group() == Group::Running).map(|row| self.run_doc(row));
        let waits = run.as_ref().is_some_and(|run| run.waits_for_input.is_some());
        RequestDoc {
            request_id: d.request_id,
            job_id: d.job_id,
            package_id: d.package_id,
            package: d.package.clone(),
            command: d.command.clone(),
            group: d.state.group(),
            state: d.state,
            // What was seen of another state says nothing about this one.
            since: since.filter(|(state, _)| *state == d.state).map(|(_, at)| *at),
            offer_after: d.offer_after,
            mandatory_after: d.mandatory_after,
            expire_after: d.expire_after,
            next_run: d.next_run,
            blocked_by: d.blocked_by(),
            why: if waits { SafeText::new(&format!("{}, {WAITS_FOR_INPUT}", d.why)) } else { d.why.clone() },
            attempt: d.attempt,
            deferred_until: d.deferred_until,
            problems: self.entry_problems(d),
            exit_code: newest.and_then(|row| row.attempt.exit_code),
            result: newest.map(|row| row.attempt.result.clone()).filter(|text| !text.is_empty()),
            run,
        }
    }

    fn entry_problems(&self, d: &Decision) -> Vec<Problem> {
        let entry = self.instructions.file.as_ref().zip(d.entry).and_then(|(file, i)| file.requests.get(i));
        match entry {
            Some(Entry::Rejected(rejected)) => rejected.problems.clone(),
            _ => Vec::new(),
        }
    }

    fn attempts_of(&self, id: RequestId) -> impl DoubleEndedIterator<Item = &AttemptRow> {
        self.snapshot.attempts_of(id)
    }

    fn run_doc(&self, row: &AttemptRow) -> RunDoc {
        let transcript = self.world.transcript(&row.run());
        let (last_output_at, last_line) = self.world.last_output(&row.run());
        RunDoc {
            started_at: row.attempt.started_at.unwrap_or(row.attempt.claimed_at),
            max_run_time_s: row.max_run_time_s,
            last_output_at,
            last_line,
            transcript: transcript.map(|path| SafeText::new(&path.display().to_string())),
            waits_for_input: self.world.waits_for_input(&row.run()).map(|waits| waits.what),
        }
    }

    /// Whether the instruction file or the history has this request.
    pub fn knows(&self, id: RequestId, now: Wall) -> bool {
        self.decision_of(id, now).is_ok()
    }

    fn decision_of(&self, id: RequestId, now: Wall) -> Result<Decision> {
        self.with_inputs(now, |inputs| decision::decide_one(inputs, id)).ok_or_else(|| {
            Failure::new(
                Exit::NotFound,
                "no-such-request",
                format!("{id} is neither in the instruction file nor in the history of this machine"),
                "See what there is with: pcm list --all",
            )
        })
    }

    fn allowed(&self, id: RequestId, now: Wall) -> Vec<AllowedDoc> {
        let mut facts = self.facts();
        if !self.executes {
            // Nobody stages for a view; a command copies what it runs before it asks.
            let hash = self.find_request(id).and_then(|request| request.content_sha256.clone());
            if let Some(hash) = hash.filter(|_| self.instructions.fault.is_none()) {
                facts.content.entry(hash).or_insert(ContentFact::Staged);
            }
        }
        self.with_facts(&facts, now, |inputs| decision::allowed(inputs, id))
    }

    fn show(&self, id: RequestId, now: Wall) -> Result<ShowDoc> {
        let decision = self.decision_of(id, now)?;
        let request = self.find_request(id);
        Ok(ShowDoc {
            request: self.request_doc(&decision),
            command_line: request.map(|r| show_command(&r.command_line)),
            platforms: request.map(|r| r.platforms.clone()).unwrap_or_default(),
            run_when: request.map(|r| r.run_when),
            max_run_time_s: request.map(|r| r.max_run_time.as_secs()),
            restarts: request.map(|r| r.restarts),
            gates: decision.gates.iter().map(gate_doc).collect(),
            attempts: self.attempts_of(id).map(|row| self.attempt_doc(row)).collect(),
            deferrals: self
                .snapshot
                .deferrals
                .iter()
                .filter(|row| row.request == id)
                .map(|row| DeferralDoc {
                    at: row.at,
                    who: row.who.clone(),
                    until: row.until,
                    reason: row.reason.clone(),
                    ended_at: row.ended_at,
                })
                .collect(),
            allowed: self.allowed(id, now),
            run_as: self.run_as(),
        })
    }

    fn explain(&self, id: RequestId, now: Wall) -> Result<ExplainDoc> {
        let decision = self.decision_of(id, now)?;
        let (told, blocked) = self.retold(&decision, id, now);
        Ok(ExplainDoc {
            request_id: id,
            package: decision.package.clone(),
            state: decision.state,
            next_run: decision.next_run,
            never: decision.never,
            why: decision.why.clone(),
            gates: decision.gates.iter().map(gate_doc).collect(),
            allowed: self.allowed(id, now),
            told,
            blocked,
            transcript: self.attempts_of(id).last().and_then(|row| self.transcript_of(row)),
        })
    }

    fn transcript_of(&self, row: &AttemptRow) -> Option<SafeText> {
        self.world.transcript(&row.run()).map(|path| SafeText::new(&path.display().to_string()))
    }

    fn attempt_doc(&self, row: &AttemptRow) -> AttemptDoc {
        AttemptDoc {
            request_id: row.request,
            attempt: row.attempt.number,
            state: decision::shown(&row.attempt, &self.world.boot_id()),
            claimed_at: row.attempt.claimed_at,
            started_at: row.attempt.started_at,
            ended_at: row.attempt.ended_at,
            exit_code: row.attempt.exit_code,
            result: row.attempt.result.clone(),
            by: row.attempt.by.clone(),
            reason: row.attempt.reason.clone(),
            transcript: self.transcript_of(row),
            package: row.attempt.package.clone(),
            retry_at: row.attempt.retry_at,
        }
    }

    /// History itself is an error where it is lost; the other views say so and answer (DESIGN.md 7).
    fn history_doc(&self, request: Option<RequestId>) -> Result<HistoryDoc> {
        self.believable()?;
        if let Some(id) = request
            && self.attempts_of(id).next().is_none()
        {
            self.decision_of(id, self.world.now())?;
        }
        let doc = |row| self.attempt_doc(row);
        let attempts = match request {
            Some(id) => self.attempts_of(id).rev().map(doc).collect(),
            None => self.snapshot.attempts.iter().rev().map(doc).collect(),
        };
        Ok(HistoryDoc { attempts })
    }

    fn audit(&self) -> Result<AuditDoc> {
        self.believable()?;
        let entries = match &self.past {
            Past::Open(history) => history.audit_entries(),
            _ => History::read_audit(&self.layout),
        };
        entries.map(|entries| AuditDoc { entries }).map_err(|why| state_failure(&why))
    }

    /// The chain is walked whether or not the history is believed: where it breaks is what is asked.
    fn audit_verify(&self) -> Result<VerifyDoc> {
        let (entries, first_bad) = History::verify(&self.layout).map_err(|why| state_failure(&why))?;
        let ok = first_bad.is_none() && !matches!(self.past, Past::Lost(_));
        Ok(VerifyDoc { ok, entries, first_bad })
    }

    fn believable(&self) -> Result<()> {
        match &self.past {
            Past::Lost(lost) => Err(Failure { exit: Exit::State as u8, ..history_lost(lost) }),
            _ => Ok(()),
        }
    }

    fn status(&self, actor: &Actor, now: Wall) -> StatusDoc {
        let decisions = self.verdicts(now);
        let mut counts = BTreeMap::new();
        for decision in decisions.iter() {
            *counts.entry(decision.state).or_insert(0) += 1;
        }
        let config = &self.policy.config;
        StatusDoc {
            machine: config.machine,
            host: self.world.host_name(),
            service: self.service_state(),
            poll_due: self.poll_due,
            held_until: self.held_until(now),
            clock_ok: self.clock.suspect_why().is_none(),
            restart_pending: self.restart_pending(),
            restart: Some(self.restart_doc(now)),
            counts,
            users: self.facts().users.and_then(|users| u32::try_from(users.len()).ok()),
            problems: self.problems(),
            role: config.role.clone(),
            frozen_until: self.frozen_until(now),
            polled_at: self.instructions.share_seen,
            trust: config.trust.mode.as_str().into(),
            lock: self.world.lock_holder(),
            zone: SafeText::new(self.zone.name()),
            utc_offset_s: self.zone.offset_at(now),
            may_operate: actor.may_operate,
            version: env!("CARGO_PKG_VERSION").into(),
            polling_interval_s: config.polling_interval.as_secs(),
            polling_by: config.polling_by,
        }
    }

    pub(super) fn restart_pending(&self) -> bool {
        let boot = self.world.boot_id();
        self.snapshot
            .attempts
            .iter()
            .any(|row| row.attempt.state == State::SucceededRestart && row.attempt.boot_id == boot)
    }

    fn held_until(&self, now: Wall) -> Option<Wall> {
        self.snapshot.view.hold.as_ref().map(|hold| hold.until).filter(|until| *until > now)
    }

    fn frozen_until(&self, now: Wall) -> Option<Wall> {
        let freezes = self.policy.config.freezes.iter().chain(&self.instructions.site_freezes);
        freezes
            .map(|freeze| (freeze.from.resolve(&self.zone), freeze.until.resolve(&self.zone)))
            .filter(|(from, until)| *from <= now && now < *until)
            .map(|(_, until)| until)
            .max()
    }

    fn service_state(&self) -> ServiceState {
        if self.service { ServiceState::Running } else { ServiceState::Stopped }
    }

    /// Everything that is wrong and not about one request.
    fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if let Past::Lost(lost) = &self.past {
            let failure = history_lost(lost);
            problems.push(problem(&failure.code, &self.layout.history(), failure.to_string()));
        }
        if let Some(why) = &self.policy.unreadable {
            problems.push(problem("policy-unreadable", &self.layout.config, why.as_str()));
        }
        if let Err(why) = &self.policy.window_zone {
            problems.push(problem("policy-unreadable", &self.layout.config, why.as_str()));
        }
        if let Some(fault) = &self.instructions.fault {
            problems.extend(fault.problems.clone());
            if fault.problems.is_empty() {
                problems.push(problem(fault.code.as_str(), Path::new("share"), "nothing valid was found"));
            }
        }
        if let TrustVerdict::Refused(code, why) = &self.instructions.trust {
            let already = problems.iter().any(|p| p.code == code.as_str());
            if !already {
                problems.push(problem(code.as_str(), Path::new("share"), why.as_str()));
            }
        }
        if let Some(why) = self.clock.suspect_why() {
            problems.push(problem(Code::ClockSuspect.as_str(), Path::new("clock"), why.as_str()));
        }
        if let (Past::Open(_), Some((what, _))) = (&self.past, &self.unwritten) {
            let message = format!("{what}; nothing runs by itself until the history can be written again");
            problems.push(problem("state-unwritable", &self.layout.history(), message));
        }
        if let Some(why) = self.journal.fault() {
            problems.push(problem("log-unwritable", &self.layout.pacman_log(), why.as_str()));
        }
        problems.extend(self.notes.iter().cloned());
        if let Some(file) = &self.instructions.file {
            problems.extend(file.warnings.iter().cloned());
        }
        problems
    }

    fn who(&self, now: Wall) -> WhoDoc {
        let waiting: Vec<RequestId> = self
            .verdicts(now)
            .iter()
            .filter(|d| d.state == State::Waiting && d.blocked_by().contains(&Code::UserLoggedOn))
            .filter_map(|d| d.request_id)
            .collect();
        let users = &self.policy.config.users;
        let log_on = |session: &Session| {
            let mut doc = session_doc(session);
            doc.ignored = users.ignore.iter().any(|name| name == session.user.as_str());
            if !doc.ignored && !UserFact::of(session).is_away(users.busy_within) {
                doc.holds = waiting.clone();
            }
            doc
        };
        WhoDoc {
            source: self.users.source.to_owned(),
            sessions: self.users.sessions.iter().map(log_on).collect(),
            connections: self.users.connections.iter().map(session_doc).collect(),
            note: self.users.note.clone(),
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

/// The document of one gate.
pub fn gate_doc(gate: &GateResult) -> GateDoc {
    let (next_change, changes_on) = match gate.change {
        Change::At(at) => (Some(at), ChangesOn::Time),
        Change::Event => (None, ChangesOn::Event),
        Change::Never => (None, ChangesOn::Never),
    };
    GateDoc {
        gate: gate.gate,
        verdict: gate.verdict,
        code: gate.code,
        evidence: gate.evidence.clone(),
        next_change,
        changes_on,
    }
}

/// Running first, then what is to come, then what needs a look, then what is done.
fn order(group: Group) -> u8 {
    match group {
        Group::Running => 0,
        Group::Pending => 1,
        Group::Expired => 2,
        Group::Rejected => 3,
        Group::Skipped => 4,
        Group::Executed => 5,
    }
}

fn problem(code: &str, file: &Path, message: impl AsRef<str>) -> Problem {
    Problem::of_file(code, file.display().to_string(), message.as_ref())
}

fn state_failure(why: &str) -> Failure {
    Failure::new(
        Exit::State,
        "state-unreadable",
        why,
        "Look at the rights and the health of the state folder",
    )
}
