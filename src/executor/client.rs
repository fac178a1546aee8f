//! The one way in which the command line and the console reach the executor: through the socket of whoever holds the
//! lock, or in-process when nobody does. It holds no lock between calls (DEFECTS Q160853).

use super::init;
use super::talk::protocol::{Answer, Call};
use crate::clock::Monotonic;
use crate::config::Config;
use crate::error::{Exit, Failure, Result};
use crate::executor::engine::Engine;
use crate::host::account::Actor;
use crate::host::lock::ExclusiveLock;
use crate::host::paths::Layout;
use crate::host::{account, facts, ipc, wire};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What answers calls: the real client, or a fake in tests of the views.
pub trait Ask: Send + Sync {
    /// Asks and waits for the answer.
    ///
    /// # Errors
    /// The refusal or failure, as the command line prints it. Never `Answer::Failed`.
    fn call(&self, call: &Call) -> Result<Answer>;
}

/// A view answers from memory; what takes longer than this is not answering.
const VIEW_TIMEOUT: Duration = Duration::from_secs(10);
/// A launch hashes the staged content first; a poll waits for the share.
const CHANGE_TIMEOUT: Duration = Duration::from_secs(120);
/// Without a service a console asks several times a second: the state folder is read again only this often.
const VIEW_FRESH: Duration = Duration::from_millis(900);
/// And the share only this often.
const LOOK_FRESH: Duration = Duration::from_secs(30);
/// Another command may have the lock for the moment that a launch takes.
const LOCK_WAIT: Duration = Duration::from_secs(10);

/// A way to the executor. Cheap to make; each call connects anew, so that a service may come and go.
#[derive(Clone)]
pub struct Client {
    layout: Layout,
    config: Config,
    view: Arc<Mutex<Option<View>>>,
}

/// A view of the state folder while nobody is the executor.
struct View {
    engine: Engine,
    read: Monotonic,
    looked: Monotonic,
}

impl Client {
    /// A client of the installation at `layout`.
    pub fn new(layout: Layout, config: Config) -> Self {
        Self { layout, config, view: Arc::default() }
    }

    /// Where everything is.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The configuration as this process read it.
    pub fn config(&self) -> &Config {
        &self.config
    }

    fn actor(&self) -> Actor {
        account::caller(&account::Rights::of(&self.layout.state, &self.config.operators.group))
    }

    fn remote(&self, mut stream: ipc::Client, call: &Call) -> Result<Answer> {
        wire::write(&mut stream, call).and_then(|()| wire::read(&mut stream, wire::MAX_ANSWER)).map_err(|e| {
            Failure::new(
                Exit::Failed,
                "executor-not-answering",
                format!("the service at {} does not answer: {e}", self.layout.socket.display()),
                "Look at its end of PACMAN.LOG with: pcm log",
            )
        })
    }

    /// Asks the service, and nobody else.
    ///
    /// # Errors
    /// No service answers; or its refusal.
    pub fn from_service(&self, call: &Call) -> Result<Answer> {
        let stream = ipc::connect(&self.layout.socket, VIEW_TIMEOUT).map_err(|e| {
            Failure::new(
                Exit::Failed,
                "no-service",
                format!("no service answers at {}: {e}", self.layout.socket.display()),
                "Start the service",
            )
        })?;
        match self.remote(stream, call)? {
            Answer::Failed(failure) => Err(failure),
            answer => Ok(answer),
        }
    }

    /// Carries out a change in-process: the lock is held for decide, claim and launch, and no longer.
    fn change(&self, call: &Call) -> Result<Answer> {
        let actor = self.actor();
        if let Ok(mut view) = self.view.lock() {
            *view = None;
        }
        let until = facts::monotonic().0 + LOCK_WAIT;
        let mut service = None;
        let lock = ExclusiveLock::wait_take(&self.layout.lock(), actor.name.as_str(), |_| {
            // Whoever has it may be a service that has only just started.
            service = ipc::connect(&self.layout.socket, CHANGE_TIMEOUT).ok();
            service.is_none() && facts::monotonic().0 < until
        })
        .map_err(|e| self.no_lock(&e))?;
        let lock = match (lock, service) {
            (Some(lock), _) => lock,
            (None, Some(stream)) => return self.remote(stream, call),
            (None, None) => return Err(self.executor_busy()),
        };
        let mut engine = Engine::executor(&self.layout, &self.config, lock, false)?;
        let now = facts::now();
        engine.watch(now);
        if let Call::Poll { dry_run } = call {
            return engine.poll_in_process(call, &actor, *dry_run);
        }
        // A view has just shown what is on the share, so what it showed can be acted on.
        if matches!(call, Call::Run { .. } | Call::Defer { .. } | Call::Undefer { .. }) {
            engine.poll_now();
        }
        Ok(engine.act(call, &actor, facts::now()))
    }

    fn no_lock(&self, e: &io::Error) -> Failure {
        let file = self.layout.lock();
        if e.kind() == io::ErrorKind::PermissionDenied {
            return Failure::new(
                Exit::Refused,
                "not-permitted",
                format!(
                    "no service answers at {}, and {} may not be locked by this account",
                    self.layout.socket.display(),
                    file.display()
                ),
                "Start the service, or act as root or the owner of the state folder",
            );
        }
        Failure::new(
            Exit::State,
            "state-unusable",
            format!("{} cannot be locked: {e}", file.display()),
            if init::passes(e) { init::remedy(e) } else { "Create the state folder with: pcm init" },
        )
    }

    fn executor_busy(&self) -> Failure {
        let holder = crate::host::lock::holder(&self.layout.lock())
            .map_or_else(|| "somebody".to_owned(), |holder| holder.to_string());
        Failure::new(
            Exit::Failed,
            "executor-not-answering",
            format!(
                "the executor is held by {holder}, which does not answer at {}",
                self.layout.socket.display()
            ),
            "See whether that process is well, and try again",
        )
    }

    fn local_view(&self, call: &Call) -> Result<Answer> {
        let mut held = self.view.lock().map_err(|_| {
            Failure::new(Exit::Failed, "view-failed", "an earlier view failed", "Start again and report it")
        })?;
        let mono = facts::monotonic();
        let looked = held.as_ref().map(|view| view.looked).filter(|at| mono.since(*at) < LOOK_FRESH);
        if held.as_ref().is_none_or(|view| mono.since(view.read) >= VIEW_FRESH) {
            let mut engine = Engine::viewer(&self.layout, &self.config)?;
            match (held.take(), looked) {
                (Some(old), Some(_)) => engine.keep_source_of(old.engine),
                _ => engine.look_now(),
            }
            if engine.has_unrecorded_end() {
                self.record_ends();
                engine.reread_view();
            }
            *held = Some(View { engine, read: mono, looked: looked.unwrap_or(mono) });
        }
        match held.as_ref() {
            Some(view) => Ok(view.engine.view(call, &self.actor(), facts::now())),
            None => Err(Failure::new(Exit::Failed, "view-failed", "there is no view", "Report it")),
        }
    }

    /// Whoever is the executor next records the end of a run: with the right to it, that is who looks first. Anything
    /// that stands in the way leaves it to somebody else.
    fn record_ends(&self) {
        if !self.actor().may_operate {
            return;
        }
        if let Ok(Some(lock)) = ExclusiveLock::try_take(&self.layout.lock(), "recording an end")
            && let Ok(mut engine) = Engine::executor(&self.layout, &self.config, lock, false)
        {
            engine.watch(facts::now());
        }
    }
}

impl Ask for Client {
    fn call(&self, call: &Call) -> Result<Answer> {
        let long = call.changes() || matches!(call, Call::Simulate(_));
        let timeout = if long { CHANGE_TIMEOUT } else { VIEW_TIMEOUT };
        let answer = match ipc::connect(&self.layout.socket, timeout) {
            Ok(stream) => self.remote(stream, call)?,
            Err(_) if call.changes() => self.change(call)?,
            Err(_) => self.local_view(call)?,
        };
        match answer {
            Answer::Failed(failure) => Err(failure),
            answer => Ok(answer),
        }
    }
}
