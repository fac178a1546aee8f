//! The restart of the machine: planned by the core, counted down, asked of the system, and shown until it is done. What
//! an operator may do about it: now, later, not by pcm.

use super::Engine;
use super::actions::refused;
use crate::clock::Wall;
use crate::decision::restart_count::Seen;
use crate::decision::{self, RestartOrder, RestartPlan, RestartState, RestartVerb};
use crate::error::{Exit, Failure, Result};
use crate::executor::talk::view::RestartDoc;
use crate::host::account::Actor;
use crate::text::{SafeText, duration};
use chrono::SubsecRound as _;
use std::time::Duration;

impl Engine {
    /// One step of the restart: only the service makes it.
    pub fn restart_step(&mut self, now: Wall) {
        let mono = self.world.monotonic();
        for why in self.world.restart_failures() {
            self.journal.error(now, &format!("The restart could not be carried out: {why}"));
            self.restart.failed(mono);
        }
        let plan = self.restart_plan(now);
        let attended = self.facts().attended();
        let notice = self.policy.config.restart.countdown;
        let due = plan.state == RestartState::Due;
        let act = self.restart.step(mono, &Seen { due, room: plan.room, attended, notice });
        if let Some(left) = act.tell {
            let what = match left.is_zero() {
                true => format!("The machine restarts now: {}", plan.why),
                false => format!("The machine restarts in {}: {}", duration(left), plan.why),
            };
            let notice = self.from(now, |from| from.restart(&who_wants(&plan), left));
            self.tell(&what, &notice, now);
        }
        if act.called_off {
            let what = format!("The restart is called off: {}", plan.why);
            let notice = self.from(now, |from| from.called_off(&"The restart of this computer".into()));
            self.tell(&what, &notice, now);
        }
        if act.overdue {
            let line = "The restart was asked for and has not come; it stays pending.";
            self.journal.error(now, line);
        }
        if act.restart
            && let Err(failure) = self.restart_machine(&"service".into(), &plan, now)
        {
            self.journal.error(now, &format!("The machine is not restarted: {failure}"));
        }
    }

    /// Until the restart has something to do; None: it is not announced.
    pub fn restart_wake(&self) -> Option<Duration> {
        self.restart.wake(self.world.monotonic())
    }

    /// When what is in the way of a pending restart can next change by time.
    pub(super) fn restart_opens(&self, now: Wall) -> Option<Wall> {
        self.restart_plan(now).next.filter(|at| *at > now)
    }

    fn restart_plan(&self, now: Wall) -> RestartPlan {
        self.with_inputs(now, decision::restart_plan)
    }

    /// Recorded first, then asked for.
    fn restart_machine(&mut self, by: &SafeText, plan: &RestartPlan, now: Wall) -> Result<()> {
        let mono = self.world.monotonic();
        let why = who_wants(plan);
        let recorded = self.change(|history| history.note_restart(now, by, &why));
        let asked = recorded.and_then(|()| {
            self.journal.warning(now, &format!("The machine is restarted by {by}: {why}"));
            self.world.restart(&self.policy.config.restart.command).map_err(|e| {
                let help = "Correct [restart] command, or restart the machine by hand";
                Failure::new(Exit::Failed, "restart-failed", format!("the restart failed: {e}"), help)
            })
        });
        match &asked {
            Ok(()) => self.restart.asked(mono),
            Err(_) => self.restart.failed(mono),
        }
        asked
    }

    /// What an operator wants done about it.
    pub(super) fn restart_act(
        &mut self,
        verb: RestartVerb,
        actor: &Actor,
        reason: Option<&SafeText>,
        now: Wall,
    ) -> Result<RestartDoc> {
        let plan = self.judged_restart(verb, now)?;
        let reason = reason.cloned().unwrap_or_default();
        let Some(order) = verb.order(actor.name.clone(), reason, now, self.world.boot_id()) else {
            let notice = self.from(now, |from| from.restart(&who_wants(&plan), Duration::ZERO));
            self.tell("The machine restarts now", &notice, now);
            self.restart_machine(&actor.name, &plan, now)?;
            return Ok(self.restart_doc(now));
        };
        self.change(|history| history.order_restart(&order))?;
        self.journal.info(now, &self.ordered(&order));
        self.restart_step_for_operator(now);
        Ok(self.restart_doc(now))
    }

    /// Users who were told are told at once that it does not come.
    fn restart_step_for_operator(&mut self, now: Wall) {
        if self.service {
            self.restart_step(now);
        }
    }

    fn ordered(&self, order: &RestartOrder) -> String {
        let what = match order.until {
            Some(until) => format!("is deferred until {}", self.local(until)),
            None => "is not done by pcm".to_owned(),
        };
        format!("The restart {what}, by {}. {}", order.by, order.reason)
    }

    pub(super) fn judged_restart(&self, verb: RestartVerb, now: Wall) -> Result<RestartPlan> {
        self.not_restarting()?;
        self.with_inputs(now, |inputs| decision::judge_restart(inputs, verb)).map_err(refused)
    }

    /// Nothing is begun on a machine that is about to restart.
    pub(super) fn not_restarting(&self) -> Result<()> {
        if !self.restart.is_asked() {
            return Ok(());
        }
        let what = "the system was asked to restart the machine";
        Err(Failure::new(Exit::Refused, "busy", what, "Wait until it is up again"))
    }

    /// What would be done, in words.
    pub(super) fn would_restart(&self, verb: RestartVerb, now: Wall) -> Result<String> {
        let plan = self.judged_restart(verb, now)?;
        Ok(match verb {
            RestartVerb::Now => format!("restart the machine now: {}", who_wants(&plan)),
            RestartVerb::Defer(until) => {
                format!("not restart the machine by itself before {}", self.local(until))
            }
            RestartVerb::Cancel => "not restart the machine by itself; the restart stays pending".to_owned(),
        })
    }

    /// Where it stands.
    pub(super) fn restart_doc(&self, now: Wall) -> RestartDoc {
        let plan = self.restart_plan(now);
        let announced = self.restart.announced(self.world.monotonic(), self.world.now());
        let state = match plan.state {
            RestartState::None => RestartState::None,
            _ if self.restart.is_asked() => RestartState::Asked,
            RestartState::Due if announced.is_some() => RestartState::Countdown,
            state => state,
        };
        let why = match state {
            RestartState::Asked => "the system was asked to restart".into(),
            _ => plan.why,
        };
        RestartDoc {
            restart_pending: state != RestartState::None,
            state,
            requests: plan.wanted_by.iter().map(|(id, _)| *id).collect(),
            restarts_at: announced.map(|at| at.round_subsecs(0)).filter(|_| state == RestartState::Countdown),
            deferred_until: plan.next.filter(|_| state == RestartState::Deferred),
            next_change: plan.next,
            code: plan.code,
            why,
        }
    }
}

/// `BP0000Y (Acme Workstation 4.0), BP0000Z (…)`
fn who_wants(plan: &RestartPlan) -> SafeText {
    let names: Vec<String> = plan.wanted_by.iter().map(|(id, name)| format!("{id} ({name})")).collect();
    format!("{} succeeded and needs a restart", names.join(", ")).into()
}
