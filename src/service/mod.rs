//! The service (`pcm service run`): one loop that holds the executor, polls the share through a worker, runs what is due
//! in order, answers the socket, and reports. The loop itself never touches the share and never waits for a package.

mod beside;
mod pace;
mod peers;
mod reporting;
mod schedule;
mod seats;
mod server;
mod steps;
#[cfg(test)]
pub(crate) mod tests;
mod tidying;
mod verifying;
mod worker;

use crate::config::{Config, Unusable};
use crate::error::{Exit, Failure, Result};
use crate::executor::engine::Executor;
use crate::executor::footing::{self, Footing};
use crate::executor::talk::protocol::Call;
use crate::executor::world::{RealWorld, Store as _};
use crate::executor::{ground, init};
use crate::host::lock::{self, ExclusiveLock};
use crate::host::paths::Layout;
use crate::host::{facts, ipc, stop, supervisor, threads};
use crate::log::{self, Level};
use crate::text::SafeText;
use beside::Errand;
use pace::Pace;
use peers::Peers;
use server::Asked;
use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};
use steps::Steps;
use tokio::sync::{Notify, mpsc};
use tokio::time::sleep_until;
use worker::{Carrier, News, Worker};

/// A lock that cannot be taken because of the disk is tried again this often.
const LOCK_AGAIN: Duration = Duration::from_secs(1);

/// What the original said where somebody works on this machine by hand.
const TAKEN: &str = "The desktop version already has the mutex.";

/// Reads the configuration as it is now, or says why it cannot be read.
pub type ReadConfig = Arc<dyn Fn() -> std::result::Result<Config, Unusable> + Send + Sync>;

/// Runs until it is asked to end. Packages that run go on without it.
///
/// # Errors
/// It could not start: no machine id, no state folder, no lock, no socket.
pub fn run(layout: &Layout, read_config: ReadConfig) -> Result<()> {
    let spare = server::Spare::keep();
    let config = read_config().map_err(|why| {
        Failure::new(
            Exit::Usage,
            "config-unreadable",
            why.why.as_str(),
            "Correct the configuration and start again",
        )
    })?;
    init::machine(&config)?;
    footing::check_is_own(layout)?;
    let footing = Footing::of(layout, &config);
    footing.check()?;
    let world = RealWorld::new(layout, &config.log);
    let lock = take_lock(layout, || {
        // A log that cannot be written stops nothing: standard error has it.
        let _ = world.log(Level::Info, &SafeText::new(TAKEN), facts::now());
    })?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|e| cannot("start its threads", &e))?;
    runtime.block_on(async {
        let listener = bind(layout)?;
        let mut executor = Executor::new(layout, &config, lock, true)?;
        for loose in &footing.warned {
            executor.journal().warning(facts::now(), &format!("loose-permissions: {loose}"));
        }
        let world = Arc::clone(executor.world());
        log::trace::start(Some(Box::new(move |level, text| {
            if let Err(e) = world.log(level, text, world.now()) {
                let _ = writeln!(std::io::stderr(), "pcm: {text} ({e})");
            }
        })));
        let (group, standing) = (Arc::clone(&read_config), layout.clone());
        let peers = Peers::of(&layout.state, move || {
            let config = group().ok()?;
            // A group that somebody else could have written there operates nothing.
            Footing::of(&standing, &config).check().ok()?;
            Some(config.operators.group)
        });
        let (calls, asked) = mpsc::channel(16);
        tokio::spawn(server::serve(listener, peers, calls, spare));
        let (news, heard) = mpsc::unbounded_channel();
        let start = |name| Worker::start(name, news.clone()).map_err(|e| cannot("start its threads", &e));
        let [looks, carries, delivers, verifies, looks_up] =
            ["looks", "carries", "delivers", "verifies", "looks-up"].map(|name| start(name).map(Box::new));
        let workers: [Box<dyn Carrier>; 5] = [looks?, carries?, delivers?, verifies?, looks_up?];
        live(Steps::new(executor, &*read_config, workers), asked, heard).await
    })
}

/// One step after the other, until it is asked to end.
async fn live(
    mut steps: Steps<'_>,
    mut asked: mpsc::Receiver<Asked>,
    mut heard: mpsc::UnboundedReceiver<News>,
) -> Result<()> {
    steps.started();
    let mut stopping = std::pin::pin!(stop::requested());
    let mut ready = false;
    let over = Arc::new(Notify::new());
    'steps: loop {
        supervisor::alive();
        let began = Instant::now();
        let mut wake = steps.step();
        if steps.executor.is_deposed() {
            return Err(Failure::new(
                Exit::Failed,
                "lock-lost",
                "the lock file of the executor was removed, and another process has taken the lock",
                "That one is the executor now: see pcm service status",
            ));
        }
        // The first step has asked somebody else to look at the share, which may take its time (DEFECTS Q178662).
        if !std::mem::replace(&mut ready, true) {
            supervisor::ready();
        }
        if let Some(patience) = supervisor::patience() {
            wake = wake.min(patience / 3);
        }
        let mut pace = Pace::after(began, Instant::now(), wake);
        loop {
            tokio::select! {
                () = &mut stopping => break 'steps,
                Some(asked) = asked.recv() => {
                    match asked.call {
                        Call::View(_) => pace.viewed(),
                        Call::Change(_) => pace.changed(),
                    }
                    steps.answer(asked);
                }
                Some(news) = heard.recv() => {
                    steps.hear(news);
                    pace.changed();
                }
                // Another one may be wanted.
                () = over.notified() => {}
                () = sleep_until(pace.next().into()) => {}
            }
            // They take seconds where much is published, and the loop has runs to watch.
            if let Some(errand) = steps.errand() {
                let over = Arc::clone(&over);
                let run = move |errand: Errand| {
                    errand.run();
                    over.notify_one();
                };
                if let Err((errand, e)) = threads::give("errand", errand, run) {
                    errand.refuse(&e);
                }
            }
            if pace.next() <= Instant::now() {
                break;
            }
        }
    }
    supervisor::stopping();
    steps.ending();
    Ok(())
}

/// A starting service waits for whoever has the lock, and never exits because of it (DEFECTS Q164657). `by_hand` is called
/// where that is no other service.
fn take_lock(layout: &Layout, by_hand: impl FnOnce()) -> Result<ExclusiveLock> {
    let path = layout.lock();
    let mut said = String::new();
    let mut by_hand = Some(by_hand);
    let mut say_once = |line: String| {
        if line != said {
            let _ = writeln!(std::io::stderr(), "pcm service: {}", SafeText::new(&line));
            said = line;
        }
    };
    loop {
        let taken = ExclusiveLock::wait_take(&path, lock::SERVICE, |holder| {
            if holder.as_ref().is_some_and(|holder| holder.who.as_str() != lock::SERVICE)
                && let Some(by_hand) = by_hand.take()
            {
                by_hand();
            }
            let holder = holder.map_or_else(|| "somebody".into(), |h| h.to_string());
            say_once(format!("waiting for the executor, which is held by {holder}"));
            true
        });
        match taken {
            Ok(Some(lock)) => return Ok(lock),
            Ok(None) => unreachable!("it waits for ever"),
            // That heals without a restart, as it does for a service that has started already.
            Err(e) if ground::passes(&e) => {
                let Failure { message, remedy, .. } = ground::no_lock(layout, &e);
                say_once(format!("{message}; waiting until it can. {remedy}"));
                std::thread::sleep(LOCK_AGAIN);
            }
            Err(e) => return Err(ground::no_lock(layout, &e)),
        }
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
