//! What the service is asked: answered now, after the look it waits for, or once its content was verified.

use super::Steps;
use crate::clock::Wall;
use crate::executor::engine::Launch;
use crate::executor::talk::protocol::{Action, Call, Change, View, other_machine, too_late};
use crate::service::beside::{Heavy, Ordered};
use crate::service::server::{Asked, Waiting};
use crate::site::content::Seal;
use crate::text::SafeText;

impl Steps<'_> {
    /// Answers whoever asked, now or after the look they wait for.
    pub fn answer(&mut self, asked: Asked) {
        let now = self.world.now();
        self.executor.see_ground(now);
        let own = self.executor.known().config().machine;
        if let Some(meant) = asked.machine.filter(|meant| own != Some(*meant)) {
            return drop(asked.answer.send(Err(other_machine(meant, own))));
        }
        if !self.schedule.has_looked()
            && asked.call.request().is_some_and(|id| !self.executor.known().knows(id, now))
        {
            return self.early.push(asked);
        }
        if asked.is_over(self.world.monotonic()) && matches!(asked.call, Call::View(_)) {
            return;
        }
        let Asked { call, machine: _, actor, until, answer } = asked;
        if call == Call::View(View::Offers) {
            self.executor.see_users(&actor, now);
        }
        if !actor.may_operate && matches!(call, Call::Change(_)) {
            // The refusal names the group that was asked for.
            self.reload(false);
        }
        let reply = match call {
            Call::View(view) => match Heavy::of(&view) {
                Some(what) => {
                    return self.beside.order(Ordered { what, until, operates: actor.may_operate, answer });
                }
                None => self.executor.view(&view, &actor, now),
            },
            Call::Change(change @ Change { what: Action::Poll, dry_run: false, .. }) => {
                return self.begin_poll(Waiting { change, actor, until, answer }, now);
            }
            Call::Change(change) => return self.change(Waiting { change, actor, until, answer }, now),
        };
        // Whoever asked may have gone away; what was done stays done.
        let _ = answer.send(reply);
    }

    /// A change whose turn has come, where somebody still waits for it: who was told that it failed must not find it in
    /// force later.
    pub(super) fn in_time(&mut self, waiting: Waiting, now: Wall) -> Option<Waiting> {
        if !waiting.is_over(self.world.monotonic()) {
            return Some(waiting);
        }
        let verb = waiting.change.what.verb();
        let what = waiting.change.what.request().map(|request| format!(" of {request}")).unwrap_or_default();
        let line = format!("{} gave up waiting: {verb}{what} is not carried out.", waiting.actor.name);
        self.executor.journal().info(now, &line);
        let _ = waiting.answer.send(Err(too_late(verb)));
        None
    }

    /// The look is asked for; the answer comes when it has ended.
    fn begin_poll(&mut self, poll: Waiting, now: Wall) {
        let Some(poll) = self.in_time(poll, now) else { return };
        match self.executor.begin_poll(&poll.change, &poll.actor, now) {
            Ok(before) => {
                self.waiting.push((poll, before));
                self.look_again |= self.schedule.is_looking();
                self.schedule.ask(self.world.monotonic());
            }
            Err(refusal) => drop(poll.answer.send(Err(refusal))),
        }
    }

    /// What was waited for with a launch: an operator's is carried out now, an automatic one at the next step.
    pub(super) fn hear_verified(
        &mut self,
        ticket: u64,
        answer: std::result::Result<Seal, SafeText>,
        differs: Option<&SafeText>,
        now: Wall,
    ) {
        let Some((launch, waiting)) = self.verifying.answered(ticket, &answer) else { return };
        if let Some(waiting) = waiting.and_then(|it| self.in_time(it, now)) {
            let verified = answer.map(|seal| launch.clone().proven(seal));
            if let Some((waiting, verified)) = self.look_up_for(waiting, Some(verified), now) {
                let Waiting { change, actor, answer: to, .. } = waiting;
                let _ = to.send(self.executor.act_proven(&change, &actor, verified, now));
            }
        }
        if let Some(why) = differs {
            self.executor.content_differs(&launch, why);
            // It is staged anew.
            self.schedule.ask(self.world.monotonic());
        }
    }

    /// Carries out what is asked for; a launch when its content was verified.
    fn change(&mut self, waiting: Waiting, now: Wall) {
        if let Err(refusal) = self.executor.admit(&waiting.change, &waiting.actor, now) {
            return drop(waiting.answer.send(Err(refusal)));
        }
        // Asked again, by who lost the connection: that waits for nothing.
        if (waiting.actor.may_operate || waiting.change.what.for_users().is_some())
            && let Some(reply) = self.executor.became(&waiting.change, now)
        {
            let _ = waiting.answer.send(reply);
            return;
        }
        let Some(waiting) = self.in_time(waiting, now) else { return };
        if let Some((waiting, _)) = self.look_up_for(waiting, None, now) {
            self.change_now(waiting, now);
        }
    }

    /// The same where it was looked at whether there is anything to do.
    pub(super) fn change_now(&mut self, waiting: Waiting, now: Wall) {
        let known = self.executor.known();
        let job = |launch: &Launch, ticket| known.verify_job(launch, ticket);
        let waiting = match known.launch_by(&waiting.change, &waiting.actor, now) {
            None => Some(waiting),
            Some(launch) => self.verifying.ask(launch, waiting, job),
        };
        // Whoever asked may have gone away; what was done stays done.
        if let Some(Waiting { change, actor, answer, .. }) = waiting {
            let _ = answer.send(self.executor.act(&change, &actor, now));
        }
    }

    /// A look has ended: what asked too early is known by now, or is not there.
    pub(super) fn answer_early(&mut self) {
        for asked in std::mem::take(&mut self.early) {
            self.answer(asked);
        }
    }

    pub(super) fn answer_waiting(&mut self) {
        for (Waiting { change, actor, answer, .. }, before) in std::mem::take(&mut self.waiting) {
            let _ = answer.send(self.executor.end_poll(&change, &actor, before));
        }
    }
}
