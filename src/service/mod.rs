//! The service (`pcm service run`): one loop that holds the executor, polls the share through a worker, runs what is due
//! in order, answers the socket, and reports. The loop itself never touches the share and never waits for a package.

mod reporting;
mod schedule;
mod server;
mod worker;

use crate::clock::{Monotonic, Wall};
use crate::config::Config;
use crate::decision::ContentFact;
use crate::error::{Exit, Failure, Result};
use crate::executor::engine::{Engine, LaunchError};
use crate::executor::init;
use crate::executor::protocol::{Actor, Answer, Call};
use crate::executor::reader::{DELIVER_DEADLINE, STAGE_DEADLINE, ShareJob, ShareNews};
use crate::host::lock::ExclusiveLock;
use crate::host::paths::Layout;
use crate::host::{account, facts, ipc, stop, supervisor};
use crate::site::instruction::ContentHash;
use crate::text::{SafeText, duration};
use reporting::Reporting;
use schedule::{Recheck, Schedule};
use server::Asked;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use worker::{News, Worker};

/// Steps are at most this far apart (PROMISES.md 3).
const STEP: Duration = Duration::from_secs(30);
/// While a package runs its end is looked for this often.
const WATCH: Duration = Duration::from_millis(250);
/// A launch that failed is tried again after this long.
const LAUNCH_RETRY: Duration = Duration::from_secs(10);
/// A clock reading is kept for the next start this often.
const CLOCK_RECORD: Duration = Duration::from_secs(60);
/// What is old is cleaned up this often.
const CLEAN_UP: Duration = Duration::from_secs(3600);

/// Runs until it is asked to end. Packages that run go on without it.
///
/// # Errors
/// It could not start: no machine id, no state folder, no lock, no socket.
pub fn run(layout: &Layout, read_config: impl Fn() -> std::result::Result<Config, SafeText>) -> Result<()> {
    let config = read_config().map_err(|why| {
        Failure::new(
            Exit::Usage,
            "config-unreadable",
            why.as_str(),
            "Correct the configuration and start again",
        )
    })?;
    init::machine(&config)?;
    let lock = take_lock(layout)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|e| cannot("start its threads", &e))?;
    runtime.block_on(async {
        let listener = bind(layout)?;
        supervisor::ready();
        let engine = Engine::executor(layout, &config, lock, true)?;
        let rights = account::Rights::of(&layout.state, &config.operators_group);
        let (calls, asked) = mpsc::channel(16);
        tokio::spawn(server::serve(listener, rights, calls));
        let (news, heard) = mpsc::unbounded_channel();
        let start = |name| Worker::start(name, news.clone()).map_err(|e| cannot("start its threads", &e));
        let workers = (start("looks")?, start("carries")?);
        Service::new(engine, &read_config, workers).live(asked, heard).await;
        Ok(())
    })
}

/// A starting service waits for whoever has the lock, and never exits because of it (DEFECTS Q164657).
fn take_lock(layout: &Layout) -> Result<ExclusiveLock> {
    let path = layout.lock();
    let mut said = false;
    let taken = ExclusiveLock::wait_take(&path, "pcm service", |holder| {
        if !said {
            let holder = holder.map_or_else(|| "somebody".into(), |h| h.to_string());
            eprintln!("pcm service: waiting for the executor, which is held by {}", SafeText::new(&holder));
            said = true;
        }
        true
    });
    match taken {
        Ok(Some(lock)) => Ok(lock),
        Ok(None) => unreachable!("it waits for ever"),
        Err(e) => Err(Failure::new(
            Exit::State,
            "state-unusable",
            format!("{} cannot be locked: {e}", path.display()),
            "Create the state folder with: pcm init",
        )),
    }
}

fn bind(layout: &Layout) -> Result<ipc::Listener> {
    if let Some(folder) = layout.socket.parent() {
        crate::host::durable::make_passage_dir(folder)
            .map_err(|e| cannot("make the folder of its socket", &e))?;
    }
    ipc::Listener::bind(&layout.socket)
        .map_err(|e| cannot(&format!("listen at {}", layout.socket.display()), &e))
}

fn cannot(what: &str, e: &std::io::Error) -> Failure {
    Failure::new(
        Exit::Failed,
        "service-failed",
        format!("the service cannot {what}: {e}"),
        "Correct that and start it again",
    )
}

/// The state of the loop.
struct Service<'a> {
    engine: Engine,
    read_config: &'a dyn Fn() -> std::result::Result<Config, SafeText>,
    schedule: Schedule,
    looks: Worker,
    carries: Worker,
    /// Contents that are being copied.
    staging: BTreeSet<ContentHash>,
    /// Somebody asked for a look while one was under way: that one may have missed what they mean.
    look_again: bool,
    /// Operators who wait for the end of a look.
    waiting: Vec<(Call, Actor, oneshot::Sender<Answer>)>,
    /// Calls about requests that the first look may bring; they are answered when it has ended.
    early: Vec<Asked>,
    reporting: Reporting,
    no_launch_before: Monotonic,
    clock_recorded: Monotonic,
    cleaned_up: Monotonic,
}

impl<'a> Service<'a> {
    fn new(
        engine: Engine,
        read_config: &'a dyn Fn() -> std::result::Result<Config, SafeText>,
        (looks, carries): (Worker, Worker),
    ) -> Self {
        let mono = facts::monotonic();
        let config = engine.config();
        let schedule = Schedule::new(config.polling_interval, config.share.timeout, mono);
        let reporting = Reporting::new(config.machine, config.polling_interval);
        Self {
            engine,
            read_config,
            schedule,
            looks,
            carries,
            staging: BTreeSet::new(),
            look_again: false,
            waiting: Vec::new(),
            early: Vec::new(),
            reporting,
            no_launch_before: mono,
            clock_recorded: mono,
            cleaned_up: mono,
        }
    }

    async fn live(mut self, mut asked: mpsc::Receiver<Asked>, mut heard: mpsc::UnboundedReceiver<News>) {
        let now = facts::now();
        let version = env!("CARGO_PKG_VERSION");
        self.engine.journal().info(now, &format!("Package Command Manager service {version} started."));
        let mut stopping = std::pin::pin!(stop::requested());
        loop {
            let wake = self.step();
            tokio::select! {
                () = &mut stopping => break,
                Some(asked) = asked.recv() => self.answer(asked),
                Some(news) = heard.recv() => self.hear(news),
                () = tokio::time::sleep(wake) => {}
            }
        }
        supervisor::stopping();
        let running = if self.engine.is_running() { "; the running package goes on" } else { "" };
        self.engine.journal().info(facts::now(), &format!("The service ends{running}."));
    }

    /// One step: everything is compared with the time anew (DEFECTS Q163488). Returns how long to sleep at most.
    fn step(&mut self) -> Duration {
        let (now, mono) = (facts::now(), facts::monotonic());
        supervisor::alive();
        self.engine.refresh(now);
        self.engine.watch(now);
        self.engine.note_states(now);
        if self.schedule.is_due(mono) {
            self.start_look(mono);
        }
        self.launch(now, mono);
        self.report(now, mono);
        if mono.since(self.clock_recorded) >= CLOCK_RECORD {
            self.engine.record_clock(now);
            self.clock_recorded = mono;
        }
        if mono.since(self.cleaned_up) >= CLEAN_UP {
            self.engine.clean_up(now);
            self.cleaned_up = mono;
        }
        let due_in = self.schedule.due_in(mono);
        self.engine.set_poll_due(chrono::TimeDelta::from_std(due_in).ok().map(|wait| now + wait));
        self.sleep(now, mono)
    }

    fn sleep(&self, now: Wall, mono: Monotonic) -> Duration {
        let step = supervisor::patience().map_or(STEP, |patience| STEP.min(patience / 3));
        let mut wake = step.min(self.schedule.due_in(mono).max(Duration::from_millis(50)));
        if let Some(next) = self.engine.next_instant(now) {
            // A little later than the instant itself, so that the comparison has changed when we look.
            let until = (next - now).to_std().unwrap_or_default() + Duration::from_millis(1);
            wake = wake.min(until);
        }
        if self.engine.is_running() {
            wake = wake.min(WATCH);
        }
        if mono < self.no_launch_before {
            wake = wake.min(self.no_launch_before.since(mono));
        }
        wake
    }

    /// Starts what is due, one at a time, in order.
    fn launch(&mut self, now: Wall, mono: Monotonic) {
        if self.engine.is_running() || mono < self.no_launch_before {
            return;
        }
        let Some(request) = self.engine.due(now).first().copied() else { return };
        match self.schedule.recheck(mono) {
            Recheck::Wait => return,
            Recheck::Look => return self.start_look(mono),
            Recheck::Go => {}
        }
        match self.engine.launch_due(request, now) {
            Ok(_) => {}
            Err(LaunchError::NotNow(why)) => {
                self.engine.journal().warning(now, &format!("{request} is not started now: {why}"));
                self.schedule.ask(mono);
                self.no_launch_before = Monotonic(mono.0 + LAUNCH_RETRY);
            }
            Err(_) => self.no_launch_before = Monotonic(mono.0 + LAUNCH_RETRY),
        }
    }

    fn start_look(&mut self, mono: Monotonic) {
        self.reload();
        if let Some((job, deadline)) = self.engine.look_job()
            && self.looks.give(job, deadline)
        {
            self.schedule.started(mono);
        } else {
            self.schedule.ended(mono, true);
            self.answer_early();
        }
    }

    /// The configuration is read again with every look; one that cannot be read closes the policy gate and is loud.
    fn reload(&mut self) {
        let read = (self.read_config)();
        if let Err(why) = &read {
            let line = format!("The configuration cannot be read, nothing runs by itself: {why}");
            self.engine.journal().error(facts::now(), &line);
        }
        self.engine.set_config(read);
        let config = self.engine.config();
        self.schedule.set(config.polling_interval, config.share.timeout, facts::monotonic());
    }

    fn hear(&mut self, (job, news): News) {
        let (now, mono) = (facts::now(), facts::monotonic());
        match (job, news) {
            (ShareJob::Look { .. }, news) => self.hear_look(news, now, mono),
            (ShareJob::Stage { hash, .. }, news) => {
                self.staging.remove(&hash);
                let fact = match news {
                    Ok(ShareNews::Staged(_, fact)) => fact,
                    Ok(_) => return,
                    Err(why) => ContentFact::Missing(why),
                };
                self.engine.take(ShareNews::Staged(hash, fact), now);
            }
            (ShareJob::Deliver { .. }, news) => {
                let result = match news {
                    Ok(ShareNews::Delivered(result)) => result,
                    Ok(_) => return,
                    Err(why) => Err(why),
                };
                if let Some(line) = self.reporting.ended(&result, mono) {
                    self.engine.journal().warning(now, &line);
                }
            }
        }
    }

    fn hear_look(&mut self, news: std::result::Result<ShareNews, SafeText>, now: Wall, mono: Monotonic) {
        let fault = match news {
            Ok(ShareNews::Looked(look)) => {
                let fault = look.found.is_none();
                self.engine.take(ShareNews::Looked(look), now);
                fault
            }
            Ok(_) => true,
            Err(why) => {
                self.engine.look_gave_nothing(&why, now);
                true
            }
        };
        for job in self.engine.stage_jobs() {
            let ShareJob::Stage { hash, .. } = &job else { continue };
            if self.staging.insert(hash.clone()) && !self.carries.give(job.clone(), STAGE_DEADLINE) {
                self.staging.remove(hash);
            }
        }
        self.schedule.ended(mono, fault);
        self.answer_early();
        if std::mem::take(&mut self.look_again) {
            self.schedule.ask(mono);
            return;
        }
        let wait = self.schedule.due_in(mono);
        self.engine.say_sleeping(wait, &duration(wait), now);
        self.answer_waiting(now);
    }

    fn report(&mut self, now: Wall, mono: Monotonic) {
        let Some(machine) = self.engine.config().machine else { return };
        let Some(share) = self.engine.share_in_force() else { return };
        let waiting = !self.engine.outbox().waiting().is_empty();
        if !self.reporting.wanted(mono, waiting, || self.engine.report(now, machine)) {
            return;
        }
        let Some(report) = self.reporting.take(now) else { return };
        let outbox = self.engine.outbox().folder();
        if self.carries.give(ShareJob::Deliver { share, machine, report, outbox }, DELIVER_DEADLINE) {
            self.reporting.started();
        }
    }

    fn answer(&mut self, asked: Asked) {
        let now = facts::now();
        if !self.schedule.has_looked() && asked.call.request().is_some_and(|id| !self.engine.knows(id, now)) {
            return self.early.push(asked);
        }
        let Asked { call, actor, answer } = asked;
        if let Call::Poll { dry_run: false } = call {
            match self
                .engine
                .may(&call, &actor, "poll", now)
                .and_then(|()| self.engine.record_poll(&call, &actor, "asked", now))
            {
                Ok(()) => {
                    self.waiting.push((call, actor, answer));
                    self.look_again |= self.schedule.is_looking();
                    self.schedule.ask(facts::monotonic());
                }
                Err(failure) => drop(answer.send(Answer::Failed(failure))),
            }
            return;
        }
        let reply = if call.changes() {
            self.engine.act(&call, &actor, now)
        } else {
            self.engine.view(&call, &actor, now)
        };
        // Whoever asked may have gone away; what was done stays done.
        let _ = answer.send(reply);
    }

    /// A look has ended: what asked too early is known by now, or is not there.
    fn answer_early(&mut self) {
        for asked in std::mem::take(&mut self.early) {
            self.answer(asked);
        }
    }

    fn answer_waiting(&mut self, now: Wall) {
        for (call, actor, answer) in std::mem::take(&mut self.waiting) {
            let doc = self.engine.polled(&call, &actor, now);
            let _ = answer.send(doc.map_or_else(Answer::Failed, Answer::Poll));
        }
    }
}
