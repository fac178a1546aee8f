//! What is offered to users (`offer_to` of a job), for whoever is logged on: what there is, and why it cannot be had. They are
//! told in plain words, without names: who else is logged on or holds the machine is not said in these.

use super::{Known, refused};
use crate::clock::Wall;
use crate::decision::{self, Decision, Refusal};
use crate::error::{Failure, Result};
use crate::executor::talk::view::{OfferDoc, OfferState, OffersDoc};
use crate::host::account::Actor;
use crate::site::ids::RequestId;
use crate::site::index::job::OfferTo;
use crate::terms::{Code, Group, RefusalCode, Refused, State};
use crate::text::SafeText;

/// What is said of these to users is written for them.
const FOR_USERS: [Refused; 3] = [Refused::NoSuchRequest, Refused::NotLoggedOn, Refused::TooMany];
const WHO_HELPS: &str = "Whoever looks after this machine can say more";

impl Known {
    /// Whether this account may ask for what is offered to users: it operates, or it is logged on.
    ///
    /// # Errors
    /// `not-logged-on`, also where that cannot be known.
    pub(in super::super) fn may_ask(&self, actor: &Actor) -> Result<()> {
        if actor.may_operate {
            return Ok(());
        }
        let name = &actor.name;
        let (why, remedy) = match self.users.has(name).filter(|_| !actor.is_nameless()) {
            Some(true) => return Ok(()),
            Some(false) => (
                format!("{name} is not logged on to this machine, and it offers only to who is"),
                "Log on to it and ask again; operators see everything with pcm list --all",
            ),
            None => (
                format!(
                    "it cannot be known surely whether {name} is logged on to this machine, so it offers nothing"
                ),
                "Ask whoever looks after this machine: who operates it need not be logged on",
            ),
        };
        let code = Refused::NotLoggedOn.into();
        Err(refused(Refusal { code, why: why.into(), remedy: remedy.into() }))
    }

    /// Whether a request is offered to users, whatever is in its way.
    ///
    /// # Errors
    /// `no-such-request`, the same where there is none of this id.
    pub(in super::super) fn check_offered(&self, request: RequestId, now: Wall) -> Result<()> {
        match self.with_inputs(now, |inputs| decision::judge_install(inputs, request)) {
            Err(refusal) if refusal.code == Refused::NoSuchRequest.into() => Err(refused(refusal)),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Whether it can be installed now.
    ///
    /// # Errors
    /// The refusal, as operators are told.
    pub(in super::super) fn judged_install(&self, request: RequestId, now: Wall) -> Result<Decision> {
        self.check_offered(request, now)?;
        self.believable()?;
        self.with_inputs(now, |inputs| decision::judge_install(inputs, request)).map_err(refused)
    }

    /// What is offered to users.
    ///
    /// # Errors
    /// Whoever asks is neither logged on nor operates.
    pub(super) fn offers(&self, actor: &Actor, now: Wall) -> Result<OffersDoc> {
        self.may_ask(actor)?;
        let index = self.instructions.index.as_ref();
        let offered = index.iter().flat_map(|index| &index.deliveries);
        let offered = offered.filter(|(_, delivery)| delivery.offer_to == Some(OfferTo::Users));
        let ids: Vec<RequestId> = offered.map(|(id, _)| *id).collect();
        let judged = self.with_inputs(now, |inputs| decision::judge_offers(inputs, &ids));
        let mut offers: Vec<OfferDoc> = judged
            .into_iter()
            .filter(|(decision, _)| can_be_had(decision))
            .filter_map(|(decision, judged)| self.offer(&decision, judged.map_err(|refusal| refusal.code)))
            .collect();
        offers.sort_by(|a, b| (&a.package, a.request_id).cmp(&(&b.package, b.request_id)));
        Ok(OffersDoc { offers })
    }

    fn offer(&self, decision: &Decision, judged: std::result::Result<(), RefusalCode>) -> Option<OfferDoc> {
        let judged = judged.and_then(|()| match self.lost {
            Some(_) => Err(Code::HistoryLost.into()),
            None => Ok(()),
        });
        let (offer, why) = self.plainly(decision, judged);
        Some(OfferDoc {
            request_id: decision.request_id?,
            package_id: decision.package_id,
            package: decision.package.clone(),
            command: decision.command.clone(),
            offer,
            state: decision.state,
            can_install: offer == OfferState::Available,
            code: judged.err(),
            why: why.into(),
        })
    }

    /// What it comes to, in one sentence that names nobody.
    fn plainly(
        &self,
        decision: &Decision,
        judged: std::result::Result<(), RefusalCode>,
    ) -> (OfferState, String) {
        let removes = decision.request_id.is_some_and(|id| self.instructions.removes(&id, &decision.command));
        let done = if removes { "it is removed already" } else { "it is installed already" };
        match decision.state {
            State::Running | State::Stopping | State::Countdown => {
                return (OfferState::Running, "it is under way".to_owned());
            }
            State::Queued => {
                let why = "it starts by itself when what runs before it has ended";
                return (OfferState::Waiting, why.to_owned());
            }
            State::RetryWait => {
                return (OfferState::Waiting, "it was tried, and is tried again by itself".to_owned());
            }
            State::SucceededRestart => {
                let why = format!("{done}, and complete when the machine has restarted");
                return (OfferState::Installed, why);
            }
            State::Succeeded | State::NotNeeded => return (OfferState::Installed, done.to_owned()),
            State::Failed | State::TimedOut | State::Stopped | State::Interrupted => {
                let why = "it was tried and did not succeed; an operator can run it again";
                return (OfferState::Failed, why.to_owned());
            }
            State::Scheduled
            | State::Offered
            | State::Deferred
            | State::Waiting
            | State::Due
            | State::Expired
            | State::NotApplicable
            | State::Rejected => {}
        }
        match judged {
            Ok(()) if decision.is_busy() => {
                (OfferState::Available, "it starts when the package that runs now has ended".to_owned())
            }
            Ok(()) => (OfferState::Available, "it can be installed now".to_owned()),
            Err(RefusalCode::Gate(code)) => {
                (OfferState::Waiting, format!("it can be installed as soon as {}", code.row().opens))
            }
            Err(RefusalCode::Other(_)) => (OfferState::Waiting, "it cannot be installed now".to_owned()),
        }
    }

    /// A refusal or failure as users are told it: why in plain words, and nobody's name.
    pub(in super::super) fn told_plainly(&self, request: RequestId, failure: Failure, now: Wall) -> Failure {
        let code = failure.code.as_str();
        if FOR_USERS.iter().any(|own| own.as_str() == code) || code == "usage" {
            return failure;
        }
        let gate = code.parse::<Code>().ok();
        let offered = self.decision_of(request, now).ok().filter(|it| self.instructions.offers(it));
        let why = match (gate, offered) {
            (Some(gate), Some(decision)) => self.plainly(&decision, Err(gate.into())).1,
            _ if code == Refused::QueueFull.as_str() => {
                "as many installations wait already as may".to_owned()
            }
            _ => "it cannot be installed now".to_owned(),
        };
        let message = SafeText::new(&format!("{request}: {why}"));
        Failure { message, remedy: WHO_HELPS.into(), ..failure }
    }
}

/// What can never be had any more, or not on this machine, is no offer.
fn can_be_had(decision: &Decision) -> bool {
    let gone = [Code::Cancelled, Code::Superseded, Code::NeedsInput, Code::Platform];
    let has_run = matches!(decision.state.group(), Group::Running | Group::Executed);
    decision.state != State::Expired
        && (has_run || !decision.gates.iter().any(|g| g.code.is_some_and(|code| gone.contains(&code))))
}
