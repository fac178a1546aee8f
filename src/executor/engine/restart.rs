//! The restart of the machine: planned by the core, counted down, asked of the system, and shown until it is done. What
//! an operator may do about it: now, later, not by pcm.

use super::Executor;
use super::known::who_wants;
use crate::clock::Wall;
use crate::decision::restart_count::Seen;
use crate::decision::{RestartOrder, RestartPlan, RestartState, RestartVerb};
use crate::error::{Exit, Failure, Result};
use crate::executor::talk::view::RestartDoc;
use crate::host::account::Actor;
use crate::text::{SafeText, duration};
use std::time::Duration;

impl Executor {
    /// One step of the restart: only the service makes it.
    pub fn restart_step(&mut self, now: Wall) {
        let mono = self.world.monotonic();
        for why in self.world.restart_failures() {
            self.journal.error(now, &format!("The restart could not be carried out: {why}"));
            self.known.restart.failed(mono);
        }
        let plan = self.known.restart_plan(now);
        let attended = self.known.facts().attended();
        let notice = self.known.config().restart.countdown;
        let due = plan.state == RestartState::Due;
        let act = self.known.restart.step(mono, &Seen { due, room: plan.room, attended, notice });
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

    /// Recorded first, then asked for.
    fn restart_machine(&mut self, by: &SafeText, plan: &RestartPlan, now: Wall) -> Result<()> {
        let mono = self.world.monotonic();
        let why = who_wants(plan);
        let may = self.no_demo();
        let recorded = may.and_then(|()| self.change(|history| history.note_restart(now, by, &why)));
        let asked = recorded.and_then(|()| {
            self.journal.warning(now, &format!("The machine is restarted by {by}: {why}"));
            self.world.restart(&self.known.config().restart.command).map_err(|e| {
                let help = "Correct [restart] command, or restart the machine by hand";
                Failure::new(Exit::Failed, "restart-failed", format!("the restart failed: {e}"), help)
            })
        });
        match &asked {
            Ok(()) => self.known.restart.asked(mono),
            Err(_) => self.known.restart.failed(mono),
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
        let plan = self.known.judged_restart(verb, now)?;
        let reason = reason.cloned().unwrap_or_default();
        let Some(order) = verb.order(actor.name.clone(), reason, now, self.world.boot_id()) else {
            self.no_demo()?;
            let notice = self.from(now, |from| from.restart(&who_wants(&plan), Duration::ZERO));
            self.tell("The machine restarts now", &notice, now);
            self.restart_machine(&actor.name, &plan, now)?;
            return Ok(self.known.restart_doc(now));
        };
        self.change(|history| history.order_restart(&order))?;
        self.journal.info(now, &self.ordered(&order));
        if self.service {
            // Users who were told are told at once that it does not come.
            self.restart_step(now);
        }
        Ok(self.known.restart_doc(now))
    }

    /// A demo is on the machine of somebody who works there, and often its account may restart that.
    fn no_demo(&self) -> Result<()> {
        if !self.world.is_silent() {
            return Ok(());
        }
        let help = "Outside of the demo, on an enrolled machine: pcm restart now";
        Err(Failure::new(Exit::Refused, "demo", "a demo does not restart the machine", help))
    }

    fn ordered(&self, order: &RestartOrder) -> String {
        let what = match order.until {
            Some(until) => format!("is deferred until {}", self.known.local(until)),
            None => "is not done by pcm".to_owned(),
        };
        format!("The restart {what}, by {}. {}", order.by, order.reason)
    }
}
