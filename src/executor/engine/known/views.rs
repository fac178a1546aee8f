//! The documents of the views, made from what is known and from what the executor, if there is one, says of itself.

use super::Known;
use crate::clock::{Wall, between};
use crate::decision::{self, Change, Decision, GateResult, Retelling, Trail};
use crate::error::{Exit, Failure, Result};
use crate::executor::history::{AttemptRow, History};
use crate::executor::notices::Fault;
use crate::executor::simulate;
use crate::executor::talk::protocol::{Answer, View};
use crate::executor::talk::view::*;
use crate::host::account::Actor;
use crate::site::content::ContentFact;
use crate::site::ids::{JobId, RequestId};
use crate::site::indexed::Aim;
use crate::site::instruction::{Entry, command};
use crate::terms::{Code, Group, Problem};
use crate::text::SafeText;
use chrono::TimeDelta;
use std::time::Duration;

/// What an executor says of itself, for the views.
#[derive(Clone, Copy)]
pub(in super::super) struct Standing<'a> {
    /// It is the service.
    pub service: bool,
    /// When the share is looked at next.
    pub poll_due: Option<Wall>,
    /// What of results and report has not reached the share.
    pub undelivered: Option<&'a Undelivered>,
    /// Why the newest report was not signed, where reports are.
    pub unsigned: Option<&'a SafeText>,
    /// How much of the stage something needs, in bytes, once somebody has looked.
    pub needed_bytes: Option<u64>,
    /// What this machine's own files take, once somebody has looked.
    pub space: Option<Space>,
    /// Why the log cannot be written.
    pub log_fault: Option<&'a SafeText>,
    /// Why nobody could be told at the newest try.
    pub notify_fault: Option<&'a Fault>,
    /// The history that it has open.
    pub history: Option<&'a History>,
}

/// What is known, at one instant, for whoever asks.
pub(in super::super) struct Views<'a> {
    pub(super) known: &'a Known,
    /// None: nobody that knows more than this is the executor.
    pub(super) standing: Option<Standing<'a>>,
    pub(super) now: Wall,
}

impl Known {
    /// Answers, where nobody holds the executor.
    ///
    /// # Errors
    /// The refusal, as it is shown.
    pub fn view(&self, view: &View, actor: &Actor, now: Wall) -> Result<Answer> {
        self.views(None, now).answer(view, actor)
    }

    pub(in super::super) fn views<'a>(&'a self, standing: Option<Standing<'a>>, now: Wall) -> Views<'a> {
        Views { known: self, standing, now }
    }

    /// Whether the instruction file or the history has this request.
    pub fn knows(&self, id: RequestId, now: Wall) -> bool {
        self.decision_of(id, now).is_ok()
    }

    pub(super) fn decision_of(&self, id: RequestId, now: Wall) -> Result<Decision> {
        self.with_inputs(now, |inputs| decision::decide_one(inputs, id)).ok_or_else(|| {
            Failure::new(
                Exit::NotFound,
                "no-such-request",
                format!("{id} is neither in the instruction file nor in the history of this machine"),
                "See what there is with: pcm list --all",
            )
        })
    }
}

impl Views<'_> {
    /// Answers.
    ///
    /// # Errors
    /// The refusal, as it is shown.
    pub fn answer(&self, view: &View, actor: &Actor) -> Result<Answer> {
        Ok(match view {
            View::List => Answer::List(self.list()),
            View::Show(request) => Answer::Show(Box::new(self.show(*request, actor)?)),
            View::Explain(request) => Answer::Explain(self.explain(self.foretold(*request)?, actor)),
            View::ExplainJob(job) => Answer::Explain(self.explain(self.job(*job)?, actor)),
            View::Status => Answer::Status(self.status(actor)),
            View::Who => Answer::Who(self.who()),
            View::History(request, older) => Answer::History(self.history(*request, *older)?),
            View::Audit(older) => Answer::Audit(self.audit(*older)?),
            View::AuditVerify => Answer::Verify(self.known.chain().verify(&|| true)?),
            View::Offers => Answer::Offers(self.known.offers(actor, self.now)?),
            View::Serials => Answer::Serials(self.serials()?),
            View::Simulate(wanted) => {
                Answer::Simulate(simulate::run(&self.known.situation(), wanted, &|| true)?)
            }
        })
    }

    fn list(&self) -> ListDoc {
        let file = self.known.instructions.file.as_ref();
        let mut decisions = self.known.decide(self.now);
        self.known.foretell(self.now, &mut decisions);
        let mut requests: Vec<_> = decisions.iter().map(|d| self.request_doc(d)).collect();
        requests.sort_by_key(|r| {
            let queue = r.queue_position.unwrap_or(u32::MAX);
            (order(r.group), queue, r.mandatory_after.is_none(), r.mandatory_after, r.request_id)
        });
        ListDoc {
            machine: self.known.policy.config.machine,
            site: file.map(|f| f.site),
            source: self.known.instructions.source.clone(),
            polled_at: self.known.instructions.share_seen,
            serial: file.map(|f| f.serial),
            service: self.service_state(),
            held_until: self.held_until(),
            problems: self.problems(),
            requests,
            of_index: self.of_index(),
        }
    }

    fn request_doc(&self, d: &Decision) -> RequestDoc {
        let newest = d.request_id.and_then(|id| self.known.attempts_of(id).next_back());
        let since = d.request_id.and_then(|id| self.known.snapshot.since.get(&id));
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
            since: since.filter(|(state, _)| *state == d.recorded_state()).map(|(_, at)| *at),
            offer_after: d.offer_after,
            mandatory_after: d.mandatory_after,
            expire_after: d.expire_after,
            next_run: d.next_run,
            latest: d.latest,
            never: d.never,
            blocked_by: d.blocked_by(),
            why: if waits { SafeText::new(&format!("{}, {WAITS_FOR_INPUT}", d.why)) } else { d.why.clone() },
            attempt: d.attempt,
            deferred_until: d.deferred_until,
            problems: self.entry_problems(d),
            exit_code: newest.and_then(|row| row.attempt.exit_code),
            result: newest.map(|row| row.attempt.result.clone()).filter(|text| !text.is_empty()),
            run,
            seen: self.known.seen(d).map(|seen| SeenBy { by: seen.by.clone(), at: seen.at }),
            queue_position: d.queued.map(|place| place.position),
            queued: d.queued.and(d.request_id).and_then(|id| self.known.queued_doc(id)),
            of_job: d.request_id.map(|id| self.of_job(id, d)).unwrap_or_default(),
        }
    }

    fn of_index(&self) -> OfIndex {
        let instructions = &self.known.instructions;
        let Some(file) = &instructions.file else { return OfIndex::default() };
        let index = instructions.index.as_ref();
        let signed = instructions.signed.as_ref().map(|by| by.epoch);
        OfIndex {
            epoch: index.map(|index| index.epoch).or(signed),
            index_issued: index.map(|_| file.issued),
            valid_until: file.valid_until,
        }
    }

    /// By the place of its entry: a list of thousands is not looked through for each of its rows.
    fn of_job(&self, id: RequestId, d: &Decision) -> OfJob {
        let index = self.known.instructions.index.as_ref();
        let delivery = index.and_then(|index| index.deliveries.get(&id));
        OfJob {
            revision: delivery.map(|delivery| delivery.revision),
            phase_percent: delivery.map(|delivery| f64::from(delivery.percent) / 100.0),
            release: self.entry(d).and_then(Entry::good).and_then(|request| self.known.release_of(request)),
            offer_to: delivery.and_then(|delivery| delivery.offer_to),
        }
    }

    /// What it was decided of, where that is published.
    fn entry(&self, d: &Decision) -> Option<&Entry> {
        self.known.instructions.file.as_ref()?.requests.get(d.entry?)
    }

    fn entry_problems(&self, d: &Decision) -> Vec<Problem> {
        match self.entry(d) {
            Some(Entry::Rejected(rejected)) => rejected.problems.clone(),
            _ => Vec::new(),
        }
    }

    fn run_doc(&self, row: &AttemptRow) -> RunDoc {
        let transcript = self.known.world.transcript(&row.run());
        let (last_output_at, last_line) = self.known.world.last_output(&row.run());
        RunDoc {
            started_at: row.attempt.started_at.unwrap_or(row.attempt.claimed_at),
            max_run_time_s: row.max_run_time_s,
            last_output_at,
            last_line,
            transcript: transcript.map(|path| SafeText::new(&path.display().to_string())),
            waits_for_input: self.known.world.waits_for_input(&row.run()).map(|waits| waits.what),
        }
    }

    /// What this caller may do with a request: nothing without the right to operate, whatever the request allows.
    fn allowed(&self, id: RequestId, actor: &Actor) -> Vec<AllowedDoc> {
        let mut facts = self.known.facts();
        if self.standing.is_none() {
            // Nobody stages for a view; a command copies what it runs before it asks.
            let hash = self.known.find_request(id).and_then(|request| request.content_sha256.clone());
            if let Some(hash) = hash.filter(|_| self.known.instructions.fault.is_none()) {
                facts.content.entry(hash).or_insert(ContentFact::Staged);
            }
        }
        let mut allowed = self.known.with_facts(&facts, self.now, |inputs| decision::allowed(inputs, id));
        if !actor.may_operate {
            let refusal = self.known.not_permitted(actor);
            for verb in &mut allowed {
                let why = format!("{}. {}", refusal.why, refusal.remedy).into();
                *verb = AllowedDoc {
                    verb: verb.verb,
                    ok: false,
                    code: Some(refusal.code),
                    why,
                    overrides: Vec::new(),
                };
            }
        }
        allowed
    }

    /// What is decided of it, with the times of its next run.
    fn foretold(&self, id: RequestId) -> Result<Decision> {
        let decision = self.known.decision_of(id, self.now)?;
        Ok(self.with_times(decision))
    }

    fn with_times(&self, mut decision: Decision) -> Decision {
        self.known.foretell(self.now, std::slice::from_mut(&mut decision));
        decision
    }

    fn show(&self, id: RequestId, actor: &Actor) -> Result<ShowDoc> {
        let decision = self.foretold(id)?;
        let request = self.known.find_request(id);
        Ok(ShowDoc {
            request: self.request_doc(&decision),
            command_line: request.map(|r| command::shown(&r.command_line)),
            platforms: request.map(|r| r.platforms.clone()).unwrap_or_default(),
            run_when: request.map(|r| r.run_when),
            max_run_time_s: request.map(|r| r.max_run_time.as_secs()),
            restarts: request.map(|r| r.restarts),
            gates: decision.gates.iter().map(|gate| self.gate_doc(gate)).collect(),
            attempts: self.known.attempts_of(id).map(|row| self.attempt_doc(row)).collect(),
            deferrals: self
                .known
                .snapshot
                .deferrals_of(id)
                .map(|row| DeferralDoc {
                    at: row.at,
                    who: row.who.clone(),
                    until: row.until,
                    reason: row.reason.clone(),
                    ended_at: row.ended_at,
                })
                .collect(),
            deferrals_used: self.known.snapshot.view.deferrals.get(&id).map_or(0, |spent| spent.count),
            deferrals_limit: self.known.policy.config.deferral.max_count,
            allowed: self.allowed(id, actor),
            run_as: self.known.run_as(),
            copying_since: request.and_then(|request| self.known.copying_since(request)),
            looking_up: self.known.is_being_looked_up(id),
        })
    }

    /// What is decided of a job, also where it is for others.
    fn job(&self, job: JobId) -> Result<Decision> {
        let decided = self.known.with_inputs(self.now, |inputs| decision::decide_job(inputs, job));
        let decision = decided.ok_or_else(|| {
            Failure::new(
                Exit::NotFound,
                "no-such-job",
                format!("{job} is neither in what is published nor in the history of this machine"),
                "See what there is with: pcm list --all",
            )
        })?;
        // Not by its request: another job may name the same.
        Ok(if decision.entry.is_some() { self.with_times(decision) } else { decision })
    }

    /// By which of its targets a job is for this machine.
    fn targeted_by(&self, decision: &Decision) -> Option<SafeText> {
        let index = self.known.instructions.index.as_ref()?;
        let delivery = index.deliveries.get(&decision.request_id?)?;
        // Another job may name the same request.
        if Some(delivery.job_id) != decision.job_id {
            return None;
        }
        let Aim::Here(target) = delivery.aim(&index.member) else { return None };
        let condition = delivery.condition.as_ref().map(|c| format!(" where {c}")).unwrap_or_default();
        let for_others = decision.gates.iter().any(|gate| gate.code == Some(Code::NotTargeted));
        (!for_others).then(|| SafeText::new(&format!("{target}{condition}")))
    }

    fn explain(&self, decision: Decision, actor: &Actor) -> ExplainDoc {
        let id = decision.request_id;
        let (told, blocked) = id.map(|id| self.retold(&decision, id)).unwrap_or_default();
        let newest = || id.and_then(|id| self.known.attempts_of(id).last());
        // Nothing can be done about what is for others.
        let own = id.filter(|_| decision.entry.is_some() || newest().is_some());
        ExplainDoc {
            request_id: id,
            job_id: decision.job_id,
            targeted_by: self.targeted_by(&decision),
            package: decision.package.clone(),
            state: decision.state,
            next_run: decision.next_run,
            latest: decision.latest,
            never: decision.never,
            why: decision.why.clone(),
            gates: decision.gates.iter().map(|gate| self.gate_doc(gate)).collect(),
            allowed: own.map(|id| self.allowed(id, actor)).unwrap_or_default(),
            told,
            blocked,
            transcript: newest().and_then(|row| self.transcript_of(row)),
            transcript_until: newest().and_then(|row| self.transcript_until(row)),
            folded_at: newest().and_then(|row| row.folded_at),
            queue_position: decision.queued.map(|place| place.position),
            queued: decision.queued.and(id).and_then(|id| self.known.queued_doc(id)),
        }
    }

    /// The document of one gate.
    fn gate_doc(&self, gate: &GateResult) -> GateDoc {
        let (next_change, changes_on) = match gate.change {
            Change::At(at) => (Some(at), ChangesOn::Time),
            Change::Event => (None, ChangesOn::Event),
            Change::Never => (None, ChangesOn::Never),
        };
        GateDoc {
            gate: gate.gate,
            verdict: gate.verdict,
            code: gate.code,
            evidence: self.known.named_here(gate.code, &gate.evidence),
            next_change,
            changes_on,
        }
    }

    fn transcript_of(&self, row: &AttemptRow) -> Option<SafeText> {
        self.known.world.transcript(&row.run()).map(|path| SafeText::new(&path.display().to_string()))
    }

    /// From its end, where that is known.
    fn transcript_until(&self, row: &AttemptRow) -> Option<Wall> {
        let started = row.attempt.started_at.filter(|_| row.attempt.state.is_terminal())?;
        let kept = TimeDelta::from_std(self.known.config().retention.transcripts).ok()?;
        row.attempt.ended_at.unwrap_or(started).checked_add_signed(kept)
    }

    pub(super) fn attempt_doc(&self, row: &AttemptRow) -> AttemptDoc {
        AttemptDoc {
            request_id: row.request,
            attempt: row.attempt.number,
            state: decision::shown(&row.attempt, &self.known.world.boot_id()),
            claimed_at: row.attempt.claimed_at,
            started_at: row.attempt.started_at,
            ended_at: row.attempt.ended_at,
            exit_code: row.attempt.exit_code,
            result: row.attempt.result.clone(),
            by: row.attempt.by.clone(),
            reason: row.attempt.reason.clone(),
            transcript: self.transcript_of(row),
            transcript_until: self.transcript_until(row),
            package: row.attempt.package.clone(),
            retry_at: row.attempt.retry_at,
            folded_at: row.folded_at,
        }
    }

    /// How it came to that, from what was recorded at the time; nothing where that cannot be read.
    fn retold(&self, decision: &Decision, id: RequestId) -> (Vec<SafeText>, Vec<BlockedDoc>) {
        let Some(trail) = self.trail(id) else { return (Vec::new(), Vec::new()) };
        let newest = self.known.attempts_of(id).next_back();
        let others = self.runs_of_others(id);
        let retelling = Retelling {
            trail: &trail,
            others: &others,
            mandatory: decision.mandatory_after,
            starts: decision.starts,
            expire: decision.expire_after,
            attempt: newest.map(|row| (&*row.attempt, row.overrides.as_slice())),
            folded: newest.is_some_and(|row| row.folded_at.is_some()),
            known_from: self
                .known
                .attempts_of(id)
                .filter(|row| row.folded_at.is_some())
                .map(AttemptRow::over)
                .max(),
            state: decision.state,
            now: self.now,
            zone: &self.known.zone,
        };
        let blocked = retelling.blocked().into_iter().map(|span| BlockedDoc {
            from: span.from,
            until: span.until,
            codes: span.codes,
        });
        (retelling.told(), blocked.collect())
    }

    /// When other packages ran, oldest first. What one began as the other ended was one time for whoever waited.
    fn runs_of_others(&self, id: RequestId) -> Vec<(Wall, Option<Wall>)> {
        let others = self.known.snapshot.attempts().filter(|row| row.request != id);
        let mut runs: Vec<_> =
            others.filter_map(|row| Some((row.attempt.started_at?, end_of(row)?))).collect();
        runs.sort_unstable();
        let mut joined: Vec<(Wall, Option<Wall>)> = Vec::new();
        for (began, ended) in runs {
            let ended = (ended != Wall::MAX_UTC).then_some(ended);
            match joined.last_mut() {
                Some((_, before)) if before.is_none_or(|at| between(at, began) <= TOGETHER) => {
                    *before = before.zip(ended).map(|(a, b)| a.max(b));
                }
                _ => joined.push((began, ended)),
            }
        }
        joined
    }

    fn trail(&self, id: RequestId) -> Option<Trail> {
        if self.known.lost.is_some() {
            return None;
        }
        match self.open_history() {
            Some(history) => history.trail(id).ok(),
            None => History::read_trail(&self.known.layout, id).ok(),
        }
    }

    pub(super) fn open_history(&self) -> Option<&History> {
        self.standing.and_then(|standing| standing.history)
    }
}

/// Between two runs there is a poll, a verification, a step.
const TOGETHER: Duration = Duration::from_secs(30);

/// When a run ended; the last instant there is: not yet. None: that is not known.
fn end_of(row: &AttemptRow) -> Option<Wall> {
    let running = row.attempt.state.group() == Group::Running;
    row.attempt.ended_at.or(running.then_some(Wall::MAX_UTC))
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
