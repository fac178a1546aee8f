//! What an operator wishes, judged by the decision core: its refusals as they are shown, and with `--dry-run` what would
//! be done.

use super::Known;
use crate::clock::Wall;
use crate::decision::{self, Decision, Queued, Refusal, Replace, RestartPlan, RestartVerb, Verb};
use crate::error::{Exit, Failure, Result};
use crate::executor::talk::protocol::{Action, Change};
use crate::executor::talk::view::DryRunDoc;
use crate::host::account::{self, Actor};
use crate::site::ids::RequestId;
use crate::terms::{Refused, State};
use crate::text::SafeText;

impl Known {
    /// Asks the decision core about one request, and shows its refusal.
    pub(in super::super) fn judged(
        &self,
        request: RequestId,
        verb: &Verb,
        reason: Option<&SafeText>,
        now: Wall,
    ) -> Result<Decision> {
        self.believable()?;
        self.with_inputs(now, |inputs| decision::judge(inputs, request, verb, reason)).map_err(refused)
    }

    /// The command by which root gives this account the right to operate.
    pub(in super::super) fn how_to_join(&self, actor: &Actor) -> SafeText {
        let name = actor.uid.and(Some(actor.name.as_str())).filter(|n| !n.contains(' '));
        SafeText::new(&account::how_to_join(&self.policy.config.operators.group, name))
    }

    /// The refusal of whoever has no right to operate, with what gives it.
    pub(in super::super) fn not_permitted(&self, actor: &Actor) -> Refusal {
        let group = &self.policy.config.operators.group;
        let how = self.how_to_join(actor);
        Refusal {
            code: Refused::NotPermitted.into(),
            why: format!("{} may view and not operate", actor.name).into(),
            remedy: format!(
                "Operators are root, the service's account and the members of the group {group}. Root adds a member \
                 with `{how}`; it counts from that account's next log-on"
            )
            .into(),
        }
    }

    /// The same about a hold.
    pub(in super::super) fn judged_hold(
        &self,
        until: Wall,
        replace: &Replace,
        reason: Option<&SafeText>,
        now: Wall,
    ) -> Result<()> {
        self.with_inputs(now, |inputs| decision::judge_hold(inputs, until, replace, reason)).map_err(refused)
    }

    /// The same about a pending restart.
    pub(in super::super) fn judged_restart(&self, verb: RestartVerb, now: Wall) -> Result<RestartPlan> {
        self.not_restarting()?;
        self.with_inputs(now, |inputs| decision::judge_restart(inputs, verb)).map_err(refused)
    }

    pub(in super::super) fn restart_plan(&self, now: Wall) -> RestartPlan {
        self.with_inputs(now, decision::restart_plan)
    }

    /// Nothing is begun on a machine that is about to restart.
    pub(in super::super) fn not_restarting(&self) -> Result<()> {
        if !self.restart.is_asked() {
            return Ok(());
        }
        let what = "the system was asked to restart the machine";
        Err(Failure::new(Exit::Refused, "busy", what, "Wait until it is up again"))
    }

    /// What would be done, in words.
    pub(in super::super) fn would(&self, change: &Change, actor: &Actor, now: Wall) -> Result<DryRunDoc> {
        let reason = change.reason.as_ref();
        let would = match &change.what {
            Action::Request(request, verb) => {
                let decision = self.judged(*request, verb, reason, now)?;
                match self.waits(&decision, verb, &actor.name, now) {
                    Some(wanted) => self.would_wait(&wanted)?,
                    None => self.would_of_request(&decision, *request, verb),
                }
            }
            Action::Install(request) => {
                let decision = self.judged_install(*request, now)?;
                let verb = Verb::plain_run();
                match self.waits(&decision, &verb, &actor.name, now) {
                    Some(wanted) => self.would_wait(&Queued { offered: true, ..wanted })?,
                    None => self.would_of_request(&decision, *request, &verb),
                }
            }
            Action::Hold { until, replace } => {
                self.judged_hold(*until, replace, reason, now)?;
                let held = self.snapshot.view.hold.as_ref().filter(|hold| now < hold.until);
                let instead = held.map(|hold| {
                    format!(
                        ", in the place of the hold that {} set until {}",
                        hold.by,
                        self.local(hold.until)
                    )
                });
                let until = self.local(*until);
                format!(
                    "start nothing by itself on this machine until {until}{}",
                    instead.unwrap_or_default()
                )
            }
            Action::Unhold => match &self.snapshot.view.hold {
                Some(hold) => format!("end the hold that {} set until {}", hold.by, self.local(hold.until)),
                None => "change nothing: there is no hold".into(),
            },
            Action::Restart(verb) => self.would_restart(*verb, now)?,
            Action::Notice => "tell everybody who is logged on, on their terminals".into(),
            Action::Seen(request) => {
                let about = self.to_be_seen(*request, now)?;
                let ids: Vec<String> =
                    about.iter().filter_map(|d| d.request_id).map(|id| id.to_string()).collect();
                match ids.is_empty() {
                    true => "change nothing: everything that expired or failed was seen".into(),
                    false => format!("record that {} were seen", ids.join(", ")),
                }
            }
            Action::KeepId { done: true } => {
                "go on as the machine with this id, and count what is listed as done".into()
            }
            Action::KeepId { done: false } => "go on as the machine with this id".into(),
            Action::Poll => "look at the share now".into(),
            Action::AcceptSerial(serial) => {
                let share = self.offered(*serial)?.share.display();
                format!("let the instruction file with serial {serial} on {share} replace the newer one")
            }
        };
        Ok(DryRunDoc {
            dry_run: true,
            would: SafeText::new(&format!("{would} (asked by {})", actor.name)),
            request_id: change.what.request(),
        })
    }

    fn would_of_request(&self, decision: &Decision, request: RequestId, verb: &Verb) -> String {
        match verb {
            Verb::Run { .. } | Verb::Rerun { .. } => format!(
                "run {request} {:?} now, attempt {}, as {}",
                decision.package.as_str(),
                decision.attempt + 1,
                self.run_as()
            ),
            Verb::Defer { until } => format!("defer {request} until {}", self.local(*until)),
            Verb::Undefer => format!("end the deferral of {request}"),
            Verb::Stop if decision.queued.is_some() => format!("take {request} out of the queue"),
            Verb::Stop if decision.state == State::Countdown => {
                format!("end the countdown of {request}; it was not started yet")
            }
            Verb::Stop => format!("end the whole process tree of {request}"),
        }
    }

    fn would_restart(&self, verb: RestartVerb, now: Wall) -> Result<String> {
        let plan = self.judged_restart(verb, now)?;
        Ok(match verb {
            RestartVerb::Now => format!("restart the machine now: {}", who_wants(&plan)),
            RestartVerb::Defer(until) => {
                format!("not restart the machine by itself before {}", self.local(until))
            }
            RestartVerb::Cancel => "not restart the machine by itself; the restart stays pending".to_owned(),
        })
    }
}

/// `BP0000Y (Acme Workstation 4.0), BP0000Z (…)`
pub(in super::super) fn who_wants(plan: &RestartPlan) -> SafeText {
    let names: Vec<String> = plan.wanted_by.iter().map(|(id, name)| format!("{id} ({name})")).collect();
    format!("{} succeeded and needs a restart", names.join(", ")).into()
}

/// The core's refusal as an operator meets it.
pub(in super::super) fn refused(refusal: Refusal) -> Failure {
    let unknown = refusal.code == Refused::NoSuchRequest.into();
    let exit = if unknown { Exit::NotFound } else { Exit::Refused };
    Failure::new(exit, refusal.code.as_str(), refusal.why.as_str(), refusal.remedy.as_str())
}
