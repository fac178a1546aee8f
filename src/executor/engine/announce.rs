//! The countdown before an automatic run: what is due is announced, users are told, and nothing is durable before the
//! claim. The rules are in `decision::countdown`; the service asks at every step.

use super::Executor;
use crate::clock::Wall;
use crate::decision::countdown::{Seen, room};
use crate::decision::{Announced, next_up};
use crate::error::{Exit, Failure, Result};
use crate::executor::history::DeferralRow;
use crate::executor::notice::From;
use crate::executor::talk::view::ToldDoc;
use crate::host::account::Actor;
use crate::host::notice::Notice;
use crate::site::ids::RequestId;
use crate::site::instruction::Restarts;
use crate::terms::{Group, State};
use crate::text::{SafeText, duration};
use chrono::TimeDelta;
use std::time::Duration;

impl Executor {
    /// One step of the countdown. The request that may be started now: it is first in order, due, and was announced for
    /// as long as it has to be.
    pub fn count_down(&mut self, now: Wall) -> Option<RequestId> {
        let mono = self.world.monotonic();
        let notice = self.known.config().run.countdown;
        let decisions = self.known.verdicts(now);
        let next = next_up(&self.known.snapshot.view, &decisions).filter(|next| !next.queued);
        let first = next.map(|next| &decisions[next.index]);
        let first = first.and_then(|d| Some((d.request_id?, room(d, now))));
        let attended = self.known.facts().attended();
        let act = self.known.countdown.step(mono, &Seen { due: first, attended, notice });
        if let Some(request) = act.given_up {
            self.say_given_up(request, now);
        }
        if let Some((request, left)) = act.tell {
            self.announce(request, left, now);
        } else if let Some(announced) = self.known.announced().filter(|_| act.start.is_none()) {
            self.say_announced(announced, now);
        }
        if act != Default::default() {
            self.note_states(now);
        }
        act.start
    }

    /// After a jump of the clock everything that is announced is announced anew, in full.
    pub(super) fn see_jump(&mut self, now: Wall) {
        if !self.known.clock.take_jump() {
            return;
        }
        let mono = self.world.monotonic();
        let notice = self.known.config().run.countdown;
        let line = format!("The clock jumped by more than a day: nothing starts for {}.", duration(notice));
        self.journal.warning(now, &line);
        self.distrust_ages(mono);
        self.known.countdown.clock_jumped(mono, notice);
        self.known.restart.clock_jumped(mono, self.known.config().restart.countdown);
    }

    /// It was launched, and is announced no more.
    pub fn countdown_is_over(&mut self) {
        self.known.countdown.launched();
    }

    /// A countdown that nobody is told of: the clock jumped, and nobody is logged on.
    fn say_announced(&mut self, announced: Announced, now: Wall) {
        if self.journal.once_in(Duration::from_secs(3600), &format!("announced {}", announced.request), now) {
            let line = format!("{} starts at {}.", announced.request, self.known.local(announced.ends));
            self.journal.info(now, &line);
        }
    }

    fn announce(&mut self, request: RequestId, left: Duration, now: Wall) {
        let Some(record) = self.known.find_request(request) else { return };
        let (package, restarts) = (record.package.clone(), record.restarts);
        if left.is_zero() && self.known.users.known().is_none_or(<[_]>::is_empty) {
            return;
        }
        let what = match left.is_zero() {
            true => format!("{request} starts now"),
            false => format!("{request} starts in {}", duration(left)),
        };
        let may_restart = restarts == Restarts::Pcm && self.known.config().restart.allow;
        let notice = self.from(now, |from| from.run(&package, left, restarts, may_restart));
        self.tell(&what, &notice, now);
    }

    /// Words from this machine.
    pub(super) fn from(&self, now: Wall, words: impl FnOnce(&From) -> Notice) -> Notice {
        let host = self.world.host_name();
        words(&From { host: &host, machine: self.known.config().machine, now, zone: &self.known.zone })
    }

    /// Tells everybody who is logged on, and says so in the log.
    pub(super) fn tell(&mut self, what: &str, notice: &Notice, now: Wall) {
        let Some(sessions) = self.known.users.known() else {
            let line = format!("{what}. Who is logged on cannot be known: nobody could be told.");
            return self.journal.warning(now, &line);
        };
        if sessions.is_empty() {
            return self.journal.info(now, &format!("{what}. Nobody is logged on."));
        }
        if self.world.is_silent() {
            return self.journal.info(now, &format!("{what}. A demo tells nobody."));
        }
        let names: Vec<String> = sessions.iter().map(|s| format!("{} on {}", s.user, s.terminal)).collect();
        self.world.tell(sessions, notice);
        self.journal.info(now, &format!("{what}. Notice to {}.", names.join(", ")));
    }

    /// An operator's own words for everybody who is logged on.
    pub(super) fn tell_for(&mut self, actor: &Actor, text: &SafeText, now: Wall) -> Result<ToldDoc> {
        let nobody = |code: &str, why: &str| {
            Failure::new(
                Exit::Refused,
                code,
                format!("{why}, so nobody was told"),
                "pcm who says who is there",
            )
        };
        if text.as_str().trim().is_empty() {
            return Err(Failure::new(Exit::Usage, "no-text", "a notice says something", "Say what"));
        }
        if self.world.is_silent() {
            return Err(Failure::new(
                Exit::Refused,
                "demo",
                "a demo writes on nobody's terminal, so nobody was told",
                "Outside of the demo, on an enrolled machine: pcm notice TEXT",
            ));
        }
        let Some(sessions) = self.known.users.known() else {
            return Err(nobody("users-unknown", "who is logged on cannot be known"));
        };
        if sessions.is_empty() {
            return Err(nobody("no-user", "nobody is logged on"));
        }
        let told = sessions.iter().map(|s| format!("{} on {}", s.user, s.terminal).as_str().into()).collect();
        let notice = self.from(now, |from| from.operator(&actor.name, text));
        self.tell(&format!("{} says \"{text}\"", actor.name), &notice, now);
        Ok(ToldDoc { told })
    }

    /// Who could not be told is in the log.
    pub(super) fn say_untold(&mut self, now: Wall) {
        for untold in self.world.untold() {
            let line = format!("{} on {} could not be told: {}", untold.user, untold.terminal, untold.why);
            self.journal.warning(now, &line);
        }
    }

    fn say_given_up(&mut self, request: RequestId, now: Wall) {
        let decision = self.known.decide(now).iter().find(|d| d.request_id == Some(request)).cloned();
        // An operator started it: that is no end of anything.
        if decision.as_ref().is_some_and(|d| matches!(d.state.group(), Group::Running | Group::Executed)) {
            return;
        }
        let why = decision.map_or_else(
            || "it was withdrawn".to_owned(),
            |d| match d.state {
                State::Due => "another one comes before it".to_owned(),
                state => format!("it is {state}: {}", d.why),
            },
        );
        self.journal.info(now, &format!("The countdown of {request} is over, nothing was started: {why}"));
    }

    /// A stop during the countdown: it is not started, and not announced again before `[run] retry_after` has passed. That
    /// is a deferral like any other in the ledger, except that no limit keeps an operator from it.
    pub(super) fn stop_countdown(
        &mut self,
        request: RequestId,
        actor: &Actor,
        reason: Option<&SafeText>,
        now: Wall,
    ) -> crate::error::Result<()> {
        let pause = TimeDelta::from_std(self.known.config().run.retry_after).unwrap_or(TimeDelta::zero());
        let reason = reason.map(|r| format!(": {r}")).unwrap_or_default();
        let row = DeferralRow {
            request,
            at: now,
            who: actor.name.clone(),
            until: now.checked_add_signed(pause).unwrap_or(now),
            reason: SafeText::new(&format!("stopped during its countdown{reason}")),
            ended_at: None,
        };
        self.change(|history| history.defer(&row))?;
        let line = format!(
            "The countdown of {request} is stopped by {}, until {}{reason}",
            row.who,
            self.known.local(row.until)
        );
        self.journal.warning(now, &line);
        Ok(())
    }
}
