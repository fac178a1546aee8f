//! What the service does at one step, with what it hears and what it is asked in between. It waits for nothing and knows
//! no thread: `run` drives it with the system's clock and workers, tests with simulated ones.

use super::beside::{Beside, Errand};
use super::reporting::Reporting;
use super::schedule::{Recheck, Schedule};
use super::server::{Asked, Waiting};
use super::tidying::Tidying;
use super::verifying::Verifying;
use super::worker::{Carrier, News};
use crate::clock::{Monotonic, Wall};
use crate::config::{Config, Unusable};
use crate::executor::engine::{Executor, InForce, LaunchError};
use crate::executor::share::deliver::Delivery;
use crate::executor::share::job::{DELIVER_DEADLINE, ShareJob, ShareNews};
use crate::executor::world::World;
use crate::log::Level;
use crate::site::content::ContentFact;
use crate::site::instruction::ContentHash;
use crate::text::{SafeText, duration};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

mod asked;
mod looking_up;
mod staging;

use looking_up::LookingUp;

/// Steps are at most this far apart (PROMISES.md 3).
const STEP: Duration = Duration::from_secs(30);
/// While a package runs its end is looked for this often.
const WATCH: Duration = Duration::from_millis(250);
/// While somebody is told of something, the end of that is looked for this often.
const TELLING: Duration = Duration::from_secs(1);
/// A launch that failed is tried again after this long.
const LAUNCH_RETRY: Duration = Duration::from_secs(10);
/// The configuration is read again this often: a change of it counts soon.
const RELOAD: Duration = Duration::from_secs(5);
/// A clock reading is kept for the next start this often.
const CLOCK_RECORD: Duration = Duration::from_secs(60);

/// The state of the loop.
pub struct Steps<'a> {
    pub executor: Executor,
    world: Arc<dyn World>,
    read_config: &'a dyn Fn() -> std::result::Result<Config, Unusable>,
    /// What was read of it last, and when.
    config: Option<std::result::Result<Config, Unusable>>,
    config_read: Monotonic,
    schedule: Schedule,
    looks: Box<dyn Carrier + 'a>,
    carries: Box<dyn Carrier + 'a>,
    delivers: Box<dyn Carrier + 'a>,
    /// What is being copied.
    staging: Option<ContentHash>,
    /// What is copied after that, in order: each look puts it in order anew.
    to_stage: VecDeque<ShareJob>,
    /// Somebody asked for a look while one was under way: that one may have missed what they mean.
    look_again: bool,
    /// Operators who wait for the end of a look, with what was in force when they asked.
    waiting: Vec<(Waiting, InForce)>,
    /// Calls about requests that the first look may bring; they are answered when it has ended.
    early: Vec<Asked>,
    /// What is verified before it is launched.
    verifying: Verifying<'a>,
    /// Whether packages are installed.
    looking_up: LookingUp<'a>,
    /// What takes seconds.
    beside: Beside,
    reporting: Reporting,
    no_launch_before: Monotonic,
    clock_recorded: Monotonic,
    tidying: Tidying,
}

impl<'a> Steps<'a> {
    /// A service that has made no step yet; `looks`, `carries` (packages) and `delivers` are its ways to the share, of which
    /// none waits for another, `verifies` hashes what is staged, `looks_up` asks what is installed.
    pub fn new(
        executor: Executor,
        read_config: &'a dyn Fn() -> std::result::Result<Config, Unusable>,
        [looks, carries, delivers, verifies, looks_up]: [Box<dyn Carrier + 'a>; 5],
    ) -> Self {
        let world = Arc::clone(executor.world());
        let mono = world.monotonic();
        let config = executor.known().config();
        let schedule = Schedule::new(config.machine, config.polling_interval, config.share.timeout, mono);
        let reporting = Reporting::new(config.machine, config.polling_interval);
        Self {
            executor,
            world,
            read_config,
            config: None,
            config_read: mono,
            schedule,
            looks,
            carries,
            delivers,
            staging: None,
            to_stage: VecDeque::new(),
            look_again: false,
            waiting: Vec::new(),
            early: Vec::new(),
            verifying: Verifying::by(verifies),
            looking_up: LookingUp::by(looks_up),
            beside: Beside::default(),
            reporting,
            no_launch_before: mono,
            clock_recorded: mono,
            tidying: Tidying::default(),
        }
    }

    /// Says that the service is there.
    pub fn started(&mut self) {
        let version = env!("CARGO_PKG_VERSION");
        let line = format!("Package Command Manager service {version} started.");
        let now = self.world.now();
        self.executor.journal().info(now, &line);
        self.executor.record_clock(now);
    }

    /// Says that it ends.
    pub fn ending(&mut self) {
        self.executor.record_refusals(true);
        self.executor.stop_telling(self.world.now());
        let running = if self.executor.known().is_running() { "; the running package goes on" } else { "" };
        self.executor.journal().info(self.world.now(), &format!("The service ends{running}."));
    }

    /// One step: everything is compared with the time anew (DEFECTS Q163488). Returns how long to sleep at most.
    pub fn step(&mut self) -> Duration {
        let (now, mono) = (self.world.now(), self.world.monotonic());
        if mono.since(self.config_read) >= RELOAD {
            self.reload(false);
        }
        self.executor.refresh(now);
        self.executor.watch(now);
        self.executor.review_queue(now);
        self.executor.note_states(now);
        if self.schedule.is_due(mono) {
            self.start_look(mono);
        }
        self.stage_again(now);
        self.executor.restart_step(now);
        self.launch(now, mono);
        self.look_up(now, mono);
        self.report(now, mono);
        self.executor.tell_operators(now);
        if mono.since(self.clock_recorded) >= CLOCK_RECORD {
            self.executor.record_clock(now);
            self.clock_recorded = mono;
        }
        self.tidying.step(&self.executor, [&*self.carries, &*self.delivers], now, mono);
        let due_in = self.schedule.due_in(mono);
        self.executor.set_poll_due(chrono::TimeDelta::from_std(due_in).ok().map(|wait| now + wait));
        self.sleep(now, mono)
    }

    fn sleep(&self, now: Wall, mono: Monotonic) -> Duration {
        let wake = self.next_change(now, mono).min(self.tidying.due_in(mono).unwrap_or(STEP)).min(STEP);
        if self.executor.known().is_running() {
            wake.min(WATCH)
        } else if self.executor.is_telling() {
            wake.min(TELLING)
        } else {
            wake
        }
    }

    /// Until the next thing that it does by the clock. What happens outside is not known here.
    pub fn next_change(&self, now: Wall, mono: Monotonic) -> Duration {
        let mut wake = self.schedule.wake_in(mono).max(Duration::from_millis(50));
        if let Some(next) = self.executor.known().next_instant(now) {
            // A little later than the instant itself, so that the comparison has changed when we look.
            let until = (next - now).to_std().unwrap_or_default() + Duration::from_millis(1);
            wake = wake.min(until);
        }
        for count in [self.executor.known().countdown_wake(), self.executor.known().restart_wake()]
            .into_iter()
            .flatten()
        {
            wake = wake.min(count + Duration::from_millis(1));
        }
        if mono < self.no_launch_before {
            wake = wake.min(self.no_launch_before.since(mono));
        }
        wake
    }

    /// Starts what operators have queued and what is due, one at a time, in order.
    fn launch(&mut self, now: Wall, mono: Monotonic) {
        if self.executor.known().is_running() {
            self.verifying.keep_only(None);
            return self.executor.countdown_is_over();
        }
        let queued = self.executor.known().next_in_queue(now);
        let due = self.executor.count_down(now).or(queued).filter(|_| mono >= self.no_launch_before);
        let known = self.executor.known();
        // From the countdown on, so that what users are told to expect does not wait for gigabytes to be hashed.
        let next = due.or_else(|| known.announced_request()).and_then(|next| known.launch_of(next, now));
        self.verifying.expect(next.as_ref(), |launch, ticket| known.verify_job(launch, ticket));
        let Some(request) = due else { return };
        match self.schedule.recheck(mono) {
            Recheck::Wait => return,
            Recheck::Look => return self.start_look(mono),
            Recheck::Go => {}
        }
        // Directly before it, once all else is ready.
        if next.as_ref().is_none_or(|next| self.verifying.is_ready(next))
            && self.executor.look_up_before(request)
        {
            return;
        }
        let verified = match next.map(|launch| self.verifying.take(&launch)) {
            None => None,
            // The answer wakes the loop.
            Some(None) => return,
            Some(verified) => verified,
        };
        let launched = match queued {
            Some(_) => self.executor.launch_queued(request, verified, now),
            None => self.executor.launch_due(request, verified, now),
        };
        match launched {
            Ok(_) => {}
            Err(LaunchError::NotNow(why)) => {
                self.executor.journal().warning(now, &format!("{request} is not started now: {why}"));
                self.schedule.ask(mono);
                self.no_launch_before = Monotonic(mono.0 + LAUNCH_RETRY);
            }
            Err(_) => self.no_launch_before = Monotonic(mono.0 + LAUNCH_RETRY),
        }
    }

    fn start_look(&mut self, mono: Monotonic) {
        self.reload(true);
        if let Some((job, deadline)) = self.executor.known().look_job()
            && self.looks.give(job, deadline)
        {
            tracing::debug!("poll: the share is looked at");
            self.schedule.started(mono);
        } else {
            self.schedule.ended(mono, true);
            self.answer_early();
        }
    }

    /// The configuration is read again; one that cannot be read closes the policy gate and is loud, also with each look.
    fn reload(&mut self, looks: bool) {
        let read = self.executor.believe((self.read_config)());
        self.config_read = self.world.monotonic();
        if !looks && self.config.as_ref() == Some(&read) {
            return;
        }
        self.config = Some(read.clone());
        if let Err(Unusable { why, .. }) = &read {
            let what = match self.executor.known().is_loose() {
                true => "Nothing is done",
                false => "The configuration cannot be read",
            };
            let line = format!("{what}, nothing runs by itself: {why}");
            self.executor.journal().error(self.world.now(), &line);
        }
        self.executor.set_config(read);
        let mono = self.world.monotonic();
        // What was believed by another rule starts nothing until it is looked at: that may be a day until the next poll.
        if !looks && !self.executor.known().is_judged() {
            self.look_again |= self.schedule.is_looking();
            self.schedule.ask(mono);
        }
        self.keep_intervals(mono);
    }

    /// As the configuration says, or the site file that came with a look.
    fn keep_intervals(&mut self, mono: Monotonic) {
        let config = self.executor.known().config();
        self.schedule.set(config.polling_interval, config.share.timeout, mono);
        self.reporting.set_interval(config.polling_interval);
    }

    /// What came of a job at the share.
    pub fn hear(&mut self, (job, news): News) {
        let (now, mono) = (self.world.now(), self.world.monotonic());
        match (job, news) {
            (ShareJob::Look { .. }, news) => self.hear_look(news, now, mono),
            (ShareJob::Stage { hash, .. }, news) => {
                self.staging = None;
                let (fact, over) = match news {
                    Ok(ShareNews::Staged(_, fact, over)) => (fact, over),
                    Ok(_) => return,
                    Err(why) => (ContentFact::Missing(why), None),
                };
                self.executor.take_staged(hash, fact, over, now);
                self.tidying.soon(mono);
                self.stage_next();
            }
            (ShareJob::Verify { ticket, .. }, news) => {
                let (answer, differs) = match news {
                    Ok(ShareNews::Verified(Err(why))) => (Err(why.clone()), Some(why)),
                    Ok(ShareNews::Verified(Ok(seal))) => (Ok(seal), None),
                    Ok(_) => return,
                    Err(why) => (Err(SafeText::new(&format!("its content was not verified: {why}"))), None),
                };
                self.hear_verified(ticket, answer, differs.as_ref(), now);
            }
            (ShareJob::Deliver { report, .. }, news) => {
                let delivery = match news {
                    Ok(ShareNews::Delivered(delivery)) => delivery,
                    Ok(_) => return,
                    Err(why) => Delivery::failed(&why),
                };
                match (&delivery.results, &delivery.report) {
                    (Ok(results), Ok(())) => tracing::info!(results, "report: delivered"),
                    (Err(why), _) | (_, Err(why)) => tracing::info!(%why, "report: not delivered"),
                }
                // Where reports go to a place of their own, that is looked at here.
                let looked = matches!(report, Ok(None)) && self.executor.known().reports_apart();
                if looked && delivery.report.is_ok() && delivery.found.is_none() {
                    self.executor.own_report_stands(delivery.place.as_slice());
                }
                // The folders of the runs that they are of go.
                if delivery.results.as_ref().is_ok_and(|count| *count > 0) {
                    self.tidying.soon(mono);
                }
                match self.reporting.ended(&delivery, now, mono) {
                    Some((Level::Warning, line)) => self.executor.journal().warning(now, &line),
                    Some((_, line)) => self.executor.journal().info(now, &line),
                    None => {}
                }
                if let Some((place, stood)) = delivery.stands {
                    let report = report.ok().flatten();
                    self.executor.report_stands(place, stood, report.as_deref().map(|out| &out.report), now);
                }
                if let Some(found) = delivery.found {
                    let again = self.executor.take_own_reports(&[found], now);
                    self.reporting.report_again(&again);
                }
                self.executor.set_undelivered(self.reporting.undelivered());
            }
            (ShareJob::Tidy(_), news) => self.tidying.hear(&mut self.executor, news, now, mono),
            (ShareJob::RemoveResults { .. }, news) => {
                self.tidying.hear_results(&mut self.executor, news, now, mono);
            }
            (ShareJob::Installed { tests }, news) => {
                if let Some(look) = self.looking_up.ended(mono) {
                    self.take_findings(&tests, news, look, now);
                }
            }
            // Only `pcm check` reads reports and tries shares.
            (ShareJob::Report { .. } | ShareJob::Try(_), _) => {}
        }
    }

    fn hear_look(&mut self, news: std::result::Result<ShareNews, SafeText>, now: Wall, mono: Monotonic) {
        let fault = match news {
            Ok(ShareNews::Looked(looked)) => {
                let fault = looked.look.found.is_none();
                let again = self.executor.take_look(*looked, now);
                self.reporting.report_again(&again);
                self.executor.review_queue(now);
                self.keep_intervals(mono);
                fault
            }
            Ok(_) => true,
            Err(why) => {
                self.executor.look_gave_nothing(&why, now);
                true
            }
        };
        self.executor.look_up_all();
        self.look_up(now, mono);
        self.stage_anew(now);
        tracing::info!(found = !fault, "poll: the look has ended");
        self.tidying.looked(!self.schedule.has_looked(), mono);
        self.schedule.ended(mono, fault);
        self.answer_early();
        if std::mem::take(&mut self.look_again) {
            self.schedule.ask(mono);
            return;
        }
        let wait = self.schedule.due_in(mono);
        self.executor.say_sleeping(wait, &duration(wait), now);
        self.answer_waiting();
    }

    fn report(&mut self, now: Wall, mono: Monotonic) {
        let Some(machine) = self.executor.known().config().machine else { return };
        // It would take the place of what is there of an earlier life, which decides whether this history is the whole.
        if self.executor.known().reports_nothing_yet() {
            return;
        }
        let (places, trust) = match self.executor.known().report_places() {
            Ok(places) => places,
            Err(why) => {
                if self.schedule.has_looked() {
                    self.reporting.nowhere(&why, now);
                    self.executor.set_undelivered(self.reporting.undelivered());
                }
                return;
            }
        };
        let waiting = self.world.results_wait();
        let wanted = self.reporting.wanted(mono, waiting, || self.executor.report(now, machine));
        let looks = !wanted && self.executor.known().reports_apart() && self.reporting.look_wanted(mono);
        if !wanted && !looks {
            return;
        }
        let known = self.executor.known().own_reports().map(Box::new);
        let report = if looks || self.executor.is_silent(now) {
            Ok(None)
        } else {
            let number = self.executor.number_report(now);
            let report = number.and_then(|number| self.reporting.take(now, number));
            report.map(|mut report| {
                self.executor.complete(&mut report, now);
                Some(Box::new(self.executor.outgoing(*report)))
            })
        };
        let own_key = self.executor.own_key().map(|key| key.text());
        let (places, outbox) = (self.reporting.places(places, mono), self.executor.outbox());
        let job = ShareJob::Deliver { places, trust, machine, known, report, own_key, outbox };
        if self.delivers.give(job, DELIVER_DEADLINE) {
            match looks {
                true => self.reporting.started_to_look(),
                false => self.reporting.started(),
            }
        }
    }

    /// The next view that is worked out beside the loop.
    pub fn errand(&mut self) -> Option<Errand> {
        self.beside.next(self.executor.known(), self.world.monotonic())
    }
}
