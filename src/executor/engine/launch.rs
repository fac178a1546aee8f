//! From a decision to a package that runs: claim, folder, mark, run host, *go* (PROMISES.md 2). The order is kept
//! by `attempt::Attempt`; this file carries its effects out.

use super::{Executor, Verified};
use crate::clock::Wall;
use crate::decision::{self, Attempt as AttemptView, Decision};
use crate::executor::history::{AttemptRow, ResultRow};
use crate::executor::run::attempt::{Attempt, Effect, Event, Phase};
use crate::executor::run::outcome::{self, RetryPolicy};
use crate::executor::run::run_folder::{RunFolder, RunSpec};
use crate::executor::world::Host;
use crate::host::programs;
use crate::site::ids::RequestId;
use crate::site::instruction::{Request, command};
use crate::terms::Code;
use crate::text::SafeText;
use std::sync::Arc;

/// Between the polite signal and the other one.
const GRACE_S: u64 = 10;

/// Why nothing was launched.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::enum_variant_names, reason = "each says what did not happen")]
pub enum LaunchError {
    /// What was decided does not hold any more.
    NotNow(SafeText),
    /// It could not be claimed: no attempt came of it.
    NotClaimed(SafeText),
    /// Claimed and proven not launched; recorded, to be retried by policy.
    NotLaunched(SafeText),
}

impl LaunchError {
    /// In words.
    pub fn why(&self) -> &SafeText {
        match self {
            LaunchError::NotNow(why) | LaunchError::NotClaimed(why) | LaunchError::NotLaunched(why) => why,
        }
    }
}

/// Who starts it and why.
pub(super) struct Cause {
    pub by: SafeText,
    pub reason: SafeText,
    pub overrides: Vec<String>,
}

impl Executor {
    /// Starts a request that is due, for the service; its content was verified, where it has any.
    ///
    /// # Errors
    /// Why nothing was launched; it is in the log too.
    pub fn launch_due(
        &mut self,
        request: RequestId,
        verified: Option<Verified>,
        now: Wall,
    ) -> Result<u32, LaunchError> {
        let decisions = self.known.verdicts(now);
        let decision = decisions.iter().find(|d| d.request_id == Some(request) && d.state.is_ready());
        let Some(decision) = decision else {
            return Err(LaunchError::NotNow("it is not due any more".into()));
        };
        let cause =
            Cause { by: decision::SERVICE.into(), reason: SafeText::default(), overrides: Vec::new() };
        self.launch(&decision.clone(), &cause, verified, now)
    }

    /// Claims and launches what the core has just allowed.
    pub(super) fn launch(
        &mut self,
        decision: &Decision,
        cause: &Cause,
        verified: Option<Verified>,
        now: Wall,
    ) -> Result<u32, LaunchError> {
        self.keep_lock(now);
        if self.deposed {
            return Err(LaunchError::NotNow("another process is the executor now".into()));
        }
        let Some(request) = self.known.request_of(decision).cloned() else {
            return Err(LaunchError::NotNow("it is no longer in the instruction file".into()));
        };
        self.prove(&request, decision, verified).map_err(LaunchError::NotNow)?;
        self.known.verify_again(&request, now).map_err(LaunchError::NotNow)?;
        self.check_need(decision, request.request_id).map_err(LaunchError::NotNow)?;
        let row = self.new_row(&request, decision.attempt + 1, cause, now);
        let spec = self.spec(&request, &row);
        let words = command::shown(&request.command_line);
        self.journal.info(
            now,
            &format!(
                "Executing command line: {words} ({}, attempt {})",
                request.request_id, row.attempt.number
            ),
        );
        tracing::info!(run = %row.run(), by = %row.attempt.by, "claim");
        let outcome = self.carry_out(&request, &row, &spec, now);
        self.clear_doubt();
        match outcome {
            Phase::Launched => {
                tracing::info!(run = %row.run(), by = %row.attempt.by, "launch");
                self.say_running(&row);
                Ok(row.attempt.number)
            }
            Phase::Abandoned(why) => {
                let what = format!("{} was not started, its claim failed: {why}", row.run());
                self.journal.error(now, &what);
                self.known.unwritten = Some((SafeText::new(&what), self.world.monotonic()));
                Err(LaunchError::NotClaimed(why))
            }
            Phase::NotLaunched(why) => {
                self.journal.error(now, &format!("{} was not launched: {why}", row.run()));
                self.record_not_launched(&row, &why, now);
                Err(LaunchError::NotLaunched(why))
            }
            other => unreachable!("the claim protocol rests in {other:?}"),
        }
    }

    /// Carries out the effects of the claim protocol until it rests.
    fn carry_out(&mut self, request: &Request, row: &AttemptRow, spec: &RunSpec, now: Wall) -> Phase {
        let run = row.run();
        let mut attempt = Attempt::default();
        let mut effect = attempt.begin();
        let mut host: Option<Box<dyn Host>> = None;
        while effect != Effect::Rest {
            let done = match effect {
                Effect::CommitClaim => {
                    let call = self.call.clone();
                    self.transition(|history| {
                        history.for_call(call.as_ref(), |history| history.claim(now, row))
                    })
                }
                Effect::ReadClaim => match self.read_claim(row) {
                    Ok(false) => {
                        effect = attempt.step(Event::ClaimAbsent);
                        continue;
                    }
                    Ok(true) => {
                        effect = attempt.step(Event::ClaimPresent);
                        continue;
                    }
                    Err(e) => Err(e),
                },
                Effect::MakeFolder => {
                    self.world.create_run(&run, spec).map_err(|e| SafeText::new(&e.to_string()))
                }
                Effect::WriteMark => self.with_history(|history| history.write_mark()),
                Effect::StartHost => self.world.start_host(&run).map(|started| host = Some(started)),
                Effect::RecordHost => self.record_host(row),
                Effect::SayGo => match (self.withdrawn(request), &mut host) {
                    (Some(why), _) => {
                        effect = attempt.step(Event::Withdrawn(why));
                        continue;
                    }
                    (None, Some(host)) => host.say_go().map_err(|e| SafeText::new(&e.to_string())),
                    (None, None) => unreachable!("ready without a run host"),
                },
                Effect::LetHostGo => {
                    host = None;
                    Ok(())
                }
                Effect::Rest => break,
            };
            match &done {
                Ok(()) => tracing::debug!(%run, ?effect, "claim protocol: done"),
                Err(why) => tracing::info!(%run, ?effect, %why, "claim protocol: failed"),
            }
            effect = attempt.step(match done {
                Ok(()) => Event::Done,
                Err(why) => Event::Failed(why),
            });
        }
        if let Some(host) = host {
            host.let_be();
        }
        attempt.phase().clone()
    }

    /// A run host may take its time to be ready; what expires meanwhile, or loses its signature, does not start any more.
    fn withdrawn(&mut self, request: &Request) -> Option<SafeText> {
        let (now, id) = (self.world.now(), request.request_id);
        let decision = self.known.with_inputs(now, |inputs| decision::decide_one(inputs, id));
        if decision.is_some_and(|d| d.gates.iter().any(|g| g.code == Some(Code::Expired))) {
            return Some("it expired while it was being started".into());
        }
        self.known.verify_again(request, now).err()
    }

    fn read_claim(&mut self, row: &AttemptRow) -> Result<bool, SafeText> {
        self.with_history(|history| history.has_claim(row.request, row.attempt.number))
    }

    /// Which run host it is, and that it is about to be launched.
    fn record_host(&mut self, row: &AttemptRow) -> Result<(), SafeText> {
        let host = self.world.host_of(&row.run()).map_err(|e| SafeText::new(&e.to_string()))?;
        let (now, up) = (self.world.now(), self.world.monotonic());
        self.transition(|history| history.hosted(now, up, row.request, row.attempt.number, host))
    }

    fn say_running(&mut self, row: &AttemptRow) {
        let now = self.world.now();
        // "Still running" is news only after a while.
        self.journal.once_in(super::watch::STILL_RUNNING, &row.run(), now);
        self.say_unheld(row, now);
        self.note_states(now);
    }

    pub(super) fn record_not_launched(&mut self, row: &AttemptRow, why: &SafeText, now: Wall) {
        self.world.release(&row.run(), row.host.as_deref());
        let judged = outcome::not_launched(now, why.as_str(), row.attempt.number, &self.retry_policy(row));
        let result = ResultRow {
            state: judged.state,
            retry_at: judged.retry_at,
            started_at: None,
            ended_at: Some(now),
            exit_code: None,
            result: judged.result,
        };
        // The mark is of the newest claim, also where nothing came of it: or a history without this attempt could be put
        // in place of this one, and its number be used again. Where it cannot be written, that is said and the end recorded
        // all the same: the next mark knows both.
        if let Ok(history) = &mut self.history
            && let Err(e) = history.write_mark()
        {
            self.not_written(&format!("The mark does not know the claim of {}", row.run()), &e, now);
        }
        self.record_end(row, &result, now);
    }

    /// The retry policy for an attempt, with its request's expiry where it is still listed.
    pub(super) fn retry_policy(&self, row: &AttemptRow) -> RetryPolicy {
        let run = &self.known.config().run;
        let request = self.known.find_request(row.request);
        let zone = &self.known.zone;
        let expires = request.and_then(|request| request.expire_after).map(|when| when.resolve(zone));
        let by_itself = request.is_none_or(|r| r.automated && r.background && r.mandatory_after.is_some());
        RetryPolicy { retries: run.retries, after: run.retry_after, expires, by_itself }
    }

    fn new_row(&self, request: &Request, number: u32, cause: &Cause, now: Wall) -> AttemptRow {
        let claimed = AttemptView::claimed(request, number, cause.by.clone(), now, &self.world.boot_id());
        AttemptRow {
            request: request.request_id,
            attempt: Arc::new(AttemptView {
                reason: cause.reason.clone(),
                release: self.known.release_of(request),
                removes: self.known.instructions.removes(&request.request_id, &request.command),
                ..claimed
            }),
            content: request.content_sha256.clone(),
            exit_codes: request.exit_codes.clone(),
            max_run_time_s: request.max_run_time.as_secs(),
            overrides: cause.overrides.clone(),
            need: self.known.need_of(request.request_id).cloned().map(Box::new),
            started_up_ms: None,
            host: None,
            folded_at: None,
        }
    }

    fn spec(&self, request: &Request, row: &AttemptRow) -> RunSpec {
        let run = row.run();
        let folder = RunFolder::of(&self.known.layout.runs(), &run);
        let package_dir = match &request.content_sha256 {
            Some(hash) => self.known.layout.stage().join(hash.as_str()),
            None => folder.out(),
        };
        let text = |s: &dyn ToString| s.to_string();
        let mut env = programs::clean_environment();
        env.extend([
            ("PCM_REQUEST_ID".into(), text(&request.request_id)),
            ("PCM_PACKAGE_ID".into(), text(&request.package_id)),
            ("PCM_JOB_ID".into(), text(&request.job_id)),
            ("PCM_MACHINE_ID".into(), self.known.config().machine.map(|m| m.to_string()).unwrap_or_default()),
            ("PCM_PACKAGE_DIR".into(), package_dir.display().to_string()),
            ("PCM_STATUS_MIF".into(), folder.status_mif().display().to_string()),
            ("PCM_ATTEMPT".into(), text(&row.attempt.number)),
        ]);
        RunSpec {
            transcript: self.known.layout.transcript(&run),
            run,
            program: request.command_line.program.clone(),
            args: request.command_line.args.clone(),
            env,
            package_dir,
            max_run_time_s: row.max_run_time_s,
            grace_s: GRACE_S,
            run_as: self.known.config().run.run_as.clone(),
        }
    }
}
