//! Self-service: what whoever is logged on may ask for without the right to operate, how often, and what is recorded of it. What
//! is refused is counted like the tries of others, so that nobody can fill the history with them (`refusals`).

use super::actions::{entry, launch_failure, result_of};
use super::known::refused;
use super::launch::Cause;
use super::{Executor, Verified};
use crate::clock::{Monotonic, Wall};
use crate::decision::{Queued, Refusal, Verb};
use crate::error::{Failure, Result};
use crate::executor::talk::protocol::{Answer, Change, Reply};
use crate::host::account::Actor;
use crate::site::ids::RequestId;
use crate::terms::Refused;
use crate::text::SafeText;
use std::collections::BTreeMap;
use std::time::Duration;

/// So many installations an account may ask for one after the other.
const AT_ONCE: u32 = 20;
/// And then one more each time that this has passed.
const EVERY: Duration = Duration::from_secs(30);
/// Accounts that are told apart; all others share what one has.
const ACCOUNTS: usize = 64;

/// How much of what each account may ask for it has used: when it will have all of it again.
#[derive(Default)]
pub(super) struct Allowance(BTreeMap<String, Duration>);

impl Allowance {
    /// One more; false: it has to wait.
    pub(super) fn take(&mut self, actor: &Actor, now: Monotonic) -> bool {
        self.0.retain(|_, whole| *whole > now.0);
        let mut who = actor.uid.map_or_else(|| actor.name.to_string(), |uid| uid.to_string());
        if self.0.len() >= ACCOUNTS && !self.0.contains_key(&who) {
            who = String::new();
        }
        let whole = self.0.entry(who).or_insert(now.0);
        let used = whole.saturating_sub(now.0);
        if used > EVERY * (AT_ONCE - 1) {
            return false;
        }
        *whole = now.0 + used + EVERY;
        true
    }
}

impl Executor {
    /// Whether somebody who may not operate may go on with an installation at all. That comes before anything is looked up or
    /// verified for it. All other changes are judged when they are carried out.
    ///
    /// # Errors
    /// The refusal; it is counted.
    pub fn admit(&mut self, change: &Change, actor: &Actor, now: Wall) -> Result<()> {
        let Some(request) = change.what.for_users().filter(|_| !actor.may_operate) else { return Ok(()) };
        change.check_reason()?;
        let admitted = self.is_admitted(request, actor, now);
        admitted.map_err(|failure| self.refuse_user(change, actor, failure, now))
    }

    fn is_admitted(&mut self, request: RequestId, actor: &Actor, now: Wall) -> Result<()> {
        self.see_users(actor, now);
        self.known.may_ask(actor)?;
        if !self.allowance.take(actor, self.world.monotonic()) {
            let why = format!("{} has asked for {AT_ONCE} installations in a short time", actor.name);
            let remedy = format!("Wait for {} s, then ask again", EVERY.as_secs());
            let code = Refused::TooMany.into();
            return Err(refused(Refusal { code, why: why.into(), remedy: remedy.into() }));
        }
        self.known.check_offered(request, now)
    }

    /// Who has logged on since the last step is seen.
    pub fn see_users(&mut self, actor: &Actor, now: Wall) {
        if self.known.may_ask(actor).is_err() {
            self.known.look_around(now);
        }
    }

    /// The refusal as the user is told it, counted for the audit.
    pub(super) fn refuse_user(
        &mut self,
        change: &Change,
        actor: &Actor,
        failure: Failure,
        now: Wall,
    ) -> Failure {
        let entry = entry(change, actor, result_of(&failure.code), now);
        let refused = self.refusals.refused(entry, self.world.monotonic());
        if let Some(entry) = refused {
            self.record_entry(&entry);
        }
        match change.what.for_users() {
            Some(request) => self.known.told_plainly(request, failure, now),
            None => failure,
        }
    }

    /// What came of it, as whoever asked is told it.
    pub(super) fn told(&self, change: &Change, actor: &Actor, done: Reply, now: Wall) -> Reply {
        match change.what.for_users().filter(|_| !actor.may_operate) {
            Some(request) => done.map_err(|failure| self.known.told_plainly(request, failure, now)),
            None => done,
        }
    }

    /// Runs what is offered, or puts it into the queue.
    pub(super) fn install(
        &mut self,
        request: RequestId,
        actor: &Actor,
        verified: Option<Verified>,
        now: Wall,
    ) -> Reply {
        let decision = self.known.judged_install(request, now)?;
        self.known.not_restarting()?;
        if let Some(wanted) = self.known.waits(&decision, &Verb::plain_run(), &actor.name, now) {
            return self.enqueue(Queued { offered: true, ..wanted });
        }
        let cause = Cause { by: actor.name.clone(), reason: SafeText::EMPTY, overrides: Vec::new() };
        self.journal.info(now, &format!("{request} is offered to users and started by {}.", actor.name));
        let launched = self.launch(&decision, &cause, verified, now);
        let number = launched.map_err(|e| launch_failure(request, &e))?;
        Ok(Answer::Run(self.known.run_result(request, number)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn actor(uid: u32) -> Actor {
        Actor {
            name: format!("u{uid}").into(),
            uid: Some(uid),
            login_uid: None,
            terminal: None,
            from: None,
            may_operate: false,
        }
    }

    fn at(s: u64) -> Monotonic {
        Monotonic(Duration::from_secs(s))
    }

    #[test]
    fn an_account_asks_for_a_few_at_once_and_then_one_each_half_minute() {
        let mut allowance = Allowance::default();
        let taken = |allowance: &mut Allowance, uid, s| {
            (0..1_000).filter(|_| allowance.take(&actor(uid), at(s))).count()
        };
        assert_eq!(taken(&mut allowance, 1000, 100), AT_ONCE as usize);
        assert_eq!(taken(&mut allowance, 1001, 100), AT_ONCE as usize, "another one's is its own");
        assert_eq!(taken(&mut allowance, 1000, 129), 0);
        assert_eq!(taken(&mut allowance, 1000, 130), 1);
        assert_eq!(taken(&mut allowance, 1000, 190), 2);
        assert_eq!(
            taken(&mut allowance, 1000, 10_000),
            AT_ONCE as usize,
            "and no more than that after a rest"
        );
    }

    #[test]
    fn accounts_without_number_share_what_one_has() {
        let mut allowance = Allowance::default();
        let all = (0..100_000).filter(|uid| allowance.take(&actor(*uid), at(0))).count();
        assert_eq!(all, ACCOUNTS + AT_ONCE as usize);
        assert!(allowance.0.len() <= ACCOUNTS + 1);
        allowance.take(&actor(1), at(10_000));
        assert_eq!(allowance.0.len(), 1, "who is quiet is forgotten");
    }
}
