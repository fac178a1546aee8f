//! The service (`pcm service run`): one loop that holds the executor, polls the share through a worker, runs what is due
//! in order, answers the socket, and reports. The loop itself never touches the share and never waits for a package.

mod reporting;
mod schedule;
mod server;
mod worker;

use crate::clock::{Monotonic, Wall};
use crate::config::Config;
use crate::error::{Exit, Failure, Result};
use crate::executor::engine::{Engine, LaunchError, PollNews};
use crate::executor::init;
use crate::executor::protocol::{Actor, Answer, Call};
use crate::host::lock::ExclusiveLock;
use crate::host::paths::Layout;
use crate::host::{account, facts, ipc, stop};
use crate::text::{SafeText, duration};
use reporting::Reporting;
use schedule::{Recheck, Schedule};
use server::Asked;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use worker::{Job, News, Worker};

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
/// Workers given up because the share hangs; more are not started, the share is then simply away.
const MAX_GIVEN_UP: usize = 3;

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
        let engine = Engine::executor(layout, &config, lock, true)?;
        let rights = account::Rights::of(&layout.state, &config.operators_group);
        let (calls, asked) = mpsc::channel(16);
        tokio::spawn(server::serve(listener, rights, calls));
        Service::new(engine, &read_config).live(asked).await;
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
    worker: Option<Worker>,
    /// The number of the worker whose news count.
    worker_id: u64,
    given_up: usize,
    news: mpsc::UnboundedSender<(u64, News)>,
    heard: Option<mpsc::UnboundedReceiver<(u64, News)>>,
    /// Operators who wait for the end of a look.
    waiting: Vec<(Call, Actor, oneshot::Sender<Answer>)>,
    reporting: Reporting,
    no_launch_before: Monotonic,
    clock_recorded: Monotonic,
    cleaned_up: Monotonic,
    look_failed: bool,
}

impl<'a> Service<'a> {
    fn new(engine: Engine, read_config: &'a dyn Fn() -> std::result::Result<Config, SafeText>) -> Self {
        let mono = facts::monotonic();
        let config = engine.config();
        let schedule = Schedule::new(config.polling_interval, config.share.timeout, mono);
        let (news, heard) = mpsc::unbounded_channel();
        let reporting = Reporting::new(config.machine, config.polling_interval);
        Self {
            engine,
            read_config,
            schedule,
            worker: None,
            worker_id: 0,
            given_up: 0,
            news,
            heard: Some(heard),
            waiting: Vec::new(),
            reporting,
            no_launch_before: mono,
            clock_recorded: mono,
            cleaned_up: mono,
            look_failed: false,
        }
    }

    async fn live(mut self, mut asked: mpsc::Receiver<Asked>) {
        let now = facts::now();
        let version = env!("CARGO_PKG_VERSION");
        self.engine.journal().info(now, &format!("Package Command Manager service {version} started."));
        let Some(mut heard) = self.heard.take() else { return };
        let mut stopping = std::pin::pin!(stop::requested());
        loop {
            let wake = self.step();
            tokio::select! {
                () = &mut stopping => break,
                Some(asked) = asked.recv() => self.answer(asked),
                Some((worker, news)) = heard.recv() => self.hear(worker, news),
                () = tokio::time::sleep(wake) => {}
            }
        }
        let running = if self.engine.is_running() { "; the running package goes on" } else { "" };
        self.engine.journal().info(facts::now(), &format!("The service ends{running}."));
    }

    /// One step: everything is compared with the time anew (DEFECTS Q163488). Returns how long to sleep at most.
    fn step(&mut self) -> Duration {
        let (now, mono) = (facts::now(), facts::monotonic());
        self.engine.refresh(now);
        self.engine.watch(now);
        self.engine.note_states(now);
        if self.schedule.overdue(mono, self.engine.config().shares.len()) {
            self.give_up_look(now, mono);
        }
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
        let mut wake = STEP.min(self.schedule.due_in(mono).max(Duration::from_millis(50)));
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
        let job = Job::Poll(Box::new(self.engine.poll_job()));
        if self.hand_over(job) {
            self.schedule.started(mono);
        } else {
            self.schedule.ended(mono, true);
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

    fn hand_over(&mut self, job: Job) -> bool {
        if self.worker.is_none() {
            if self.given_up >= MAX_GIVEN_UP {
                return false;
            }
            self.worker_id += 1;
            match Worker::start(self.worker_id, self.news.clone()) {
                Ok(worker) => self.worker = Some(worker),
                Err(e) => {
                    self.engine.journal().error(facts::now(), &format!("No thread for the share: {e}"));
                    return false;
                }
            }
        }
        let given = self.worker.as_ref().is_some_and(|worker| worker.give(job));
        if !given {
            self.worker = None;
        }
        given
    }

    fn give_up_look(&mut self, now: Wall, mono: Monotonic) {
        self.worker = None;
        self.given_up += 1;
        self.engine.look_gave_nothing(now);
        self.reporting.given_up(mono);
        self.schedule.ended(mono, true);
        self.answer_waiting(now);
    }

    fn hear(&mut self, worker: u64, news: News) {
        let (now, mono) = (facts::now(), facts::monotonic());
        if worker != self.worker_id || self.worker.is_none() {
            // A worker that was given up came back after all: its news are old, and its place is free again.
            if matches!(news, News::Poll(PollNews::Finished)) {
                self.given_up = self.given_up.saturating_sub(1);
            }
            return;
        }
        match news {
            News::Poll(PollNews::Finished) => {
                self.schedule.ended(mono, self.look_failed);
                let wait = duration(self.schedule.due_in(mono));
                self.engine.say_sleeping(self.schedule.due_in(mono), &wait, now);
                self.answer_waiting(now);
            }
            News::Poll(news) => {
                if let PollNews::Looked(look) = &news {
                    self.look_failed = look.found.is_none();
                }
                self.engine.take(news, now);
            }
            News::Reported(result) => {
                if let Some(line) = self.reporting.ended(&result, mono) {
                    self.engine.journal().warning(now, &line);
                }
            }
        }
    }

    fn report(&mut self, now: Wall, mono: Monotonic) {
        let Some(machine) = self.engine.config().machine else { return };
        let Some(share) = self.engine.share_in_force() else { return };
        let waiting = !self.engine.outbox().waiting().is_empty();
        if !self.reporting.wanted(mono, waiting, || self.engine.report(now, machine)) {
            return;
        }
        let Some(report) = self.reporting.take(now) else { return };
        let outbox = self.engine.outbox().clone();
        if self.hand_over(Job::Report { share, machine, report, outbox }) {
            self.reporting.started();
        }
    }

    fn answer(&mut self, asked: Asked) {
        let Asked { call, actor, answer } = asked;
        let now = facts::now();
        if let Call::Poll { dry_run: false } = call {
            match self
                .engine
                .may(&call, &actor, "poll", now)
                .and_then(|()| self.engine.record_poll(&call, &actor, "asked", now))
            {
                Ok(()) => {
                    self.waiting.push((call, actor, answer));
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

    fn answer_waiting(&mut self, now: Wall) {
        for (call, actor, answer) in std::mem::take(&mut self.waiting) {
            let doc = self.engine.polled(&call, &actor, now);
            let _ = answer.send(doc.map_or_else(Answer::Failed, Answer::Poll));
        }
    }
}
