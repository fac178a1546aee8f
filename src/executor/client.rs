//! The one way in which the command line and the console reach the executor: through the socket of whoever holds the
//! lock, or in-process when nobody does. It holds no lock between calls (DEFECTS Q160853).

use super::as_owner::{self, Work};
use super::ask::Ask;
use super::footing::Footing;
use super::ground;
use super::history;
use super::talk::protocol::{
    Action, Answer, Call, CallId, Change, Letter, MAX_REASON, Reply, VERSION, View, busy, outcome_unknown,
    unexpected_answer,
};
use crate::clock::Monotonic;
use crate::config::Config;
use crate::decision::Verb;
use crate::error::{Exit, Failure, Result};
use crate::executor::engine::{Executor, Known};
use crate::host::account::Actor;
use crate::host::lock::{self, ExclusiveLock};
use crate::host::paths::Layout;
use crate::host::{account, facts, ipc, wire};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A view answers from memory; what takes longer than this is not answering.
const VIEW_TIMEOUT: Duration = Duration::from_secs(10);
/// What is worked out beside the service's loop takes its time.
const BESIDE_TIMEOUT: Duration = Duration::from_secs(120);
/// A poll waits for the share.
const CHANGE_TIMEOUT: Duration = Duration::from_secs(120);
/// Before a launch the staged content is hashed: gigabytes, maybe, on a slow disk.
const RUN_TIMEOUT: Duration = Duration::from_secs(3_720);
/// Without a service a console asks several times a second: the state folder is read again only this often.
const VIEW_FRESH: Duration = Duration::from_millis(900);
/// And the share only this often.
const LOOK_FRESH: Duration = Duration::from_secs(30);
/// A change that the service began in the last moment is answered within this.
const ANSWER_GRACE: Duration = Duration::from_secs(10);
/// A service that ended at a call is waited for this long.
const RETURN: Duration = Duration::from_secs(15);
/// What takes longer than this is waited for while the service answers a view; so within 15 seconds it is known that it
/// does not.
const PULSE: Duration = Duration::from_secs(5);
/// A service that has the lock is reached within this: it makes its socket before anything else, and anew where somebody
/// removes it.
const REACH: Duration = Duration::from_secs(5);
/// And asked again this often.
const ASK_AGAIN: Duration = Duration::from_millis(200);
/// What failed before anybody looked at what became of a change.
const NOT_ASKED: [&str; 4] = ["not-permitted", "executor-not-answering", "state-unusable", "as-owner-failed"];
/// Another command may have the lock for the moment that a launch takes.
const LOCK_WAIT: Duration = Duration::from_secs(10);

/// The answer to a call that may take its time. Gone with its connection, so that a service that comes back later does
/// not do what nobody waits for any more.
struct Patient<'a> {
    client: &'a Client,
    stream: ipc::Client,
    until: Monotonic,
}

impl io::Read for Patient<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.stream.read(buf) {
                Err(e)
                    if e.kind() == io::ErrorKind::TimedOut
                        && facts::monotonic() < self.until
                        && !self.client.hangs() => {}
                read => return read,
            }
        }
    }
}

/// A way to the executor. Cheap to make; each call connects anew, so that a service may come and go.
#[derive(Clone)]
pub struct Client {
    layout: Layout,
    config: Config,
    seen: Arc<Mutex<Option<Seen>>>,
}

/// What was read of the state folder while nobody is the executor.
struct Seen {
    known: Known,
    read: Monotonic,
    looked: Monotonic,
}

impl Client {
    /// A client of the installation at `layout`.
    pub fn new(layout: Layout, config: Config) -> Self {
        Self { layout, config, seen: Arc::default() }
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
        account::caller(&self.layout.state, &self.config.operators.group)
    }

    fn remote(&self, stream: ipc::Client, call: &Call, until: Monotonic) -> Reply {
        self.exchange(stream, call, until).map_err(|e| self.no_answer(&e))?
    }

    /// One call and its answer. Nobody waits for it any more after `until`.
    fn exchange(&self, mut stream: ipc::Client, call: &Call, until: Monotonic) -> io::Result<Reply> {
        wire::write(&mut stream, &Letter::of(call, self.config.machine)?.waits(until))?;
        wire::read(&mut stream, wire::MAX_ANSWER)
    }

    /// The same of what may take its time: it is waited for as long as the service answers others meanwhile. `stream` gives
    /// up a read after [`PULSE`].
    ///
    /// # Errors
    /// [`io::ErrorKind::TimedOut`]: the service answers nobody, or it is `until`.
    fn exchange_long(
        &self,
        mut stream: ipc::Client,
        call: &Call,
        until: Monotonic,
        grace: Duration,
    ) -> io::Result<Reply> {
        wire::write(&mut stream, &Letter::of(call, self.config.machine)?.waits(until))?;
        let until = Monotonic(until.0 + grace);
        wire::read(&mut Patient { client: self, stream, until }, wire::MAX_ANSWER)
    }

    /// Whether the service answers not even a view. One that has ended is no such service.
    fn hangs(&self) -> bool {
        let until = Monotonic(facts::monotonic().0 + VIEW_TIMEOUT);
        let answer = self
            .connect(VIEW_TIMEOUT)
            .and_then(|stream| self.exchange(stream, &Call::View(View::Status), until));
        answer.is_err_and(|e| matches!(e.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock))
    }

    /// Why nobody can be told anything: a service has the lock, and its socket leads to none.
    fn out_of_reach(&self, e: &io::Error) -> Option<Failure> {
        let holder =
            lock::holder(&self.layout.lock()).filter(|holder| holder.who.as_str() == lock::SERVICE)?;
        let socket = self.layout.socket.display();
        Some(Failure::new(
            Exit::Failed,
            "executor-not-answering",
            format!("{holder} runs, and nothing answers at {socket}: {e}"),
            "Wait if it is ending, else restart it: what pcm shows without it would be wrong. If something other than a \
             socket stands at that path, remove it",
        ))
    }

    /// One answer, which may be a part.
    fn page(&self, view: &View) -> Reply {
        let (timeout, beside) = match view {
            View::Simulate(_) | View::AuditVerify => (BESIDE_TIMEOUT, true),
            View::List
            | View::Show(_)
            | View::Explain(_)
            | View::ExplainJob(_)
            | View::Status
            | View::Who
            | View::History(..)
            | View::Audit(_)
            | View::Offers
            | View::Serials => (VIEW_TIMEOUT, false),
        };
        let now = facts::monotonic();
        let (until, reach) = (Monotonic(now.0 + timeout), Monotonic(now.0 + REACH));
        loop {
            let e = match self.connect(if beside { PULSE } else { timeout }) {
                Ok(stream) if beside => {
                    let reply = self.exchange_long(stream, &Call::View(view.clone()), until, Duration::ZERO);
                    return reply.map_err(|e| self.no_answer(&e))?;
                }
                Ok(stream) => return self.remote(stream, &Call::View(view.clone()), until),
                // Somebody listens: what this process could say of the service would be wrong.
                Err(e) if e.kind() == io::ErrorKind::TimedOut => return Err(busy("it takes no connection")),
                Err(e) => e,
            };
            match self.out_of_reach(&e) {
                None => return self.view_here(view),
                // One that starts, or makes its socket anew, is there in a moment.
                Some(_) if facts::monotonic() < reach => std::thread::sleep(ASK_AGAIN),
                Some(failure) => return Err(failure),
            }
        }
    }

    fn connect(&self, timeout: Duration) -> io::Result<ipc::Client> {
        ipc::connect(&self.layout.socket, &self.layout.state, timeout)
    }

    /// Asks for a change until it is known what became of it: where the connection ends before the answer, with the same
    /// id again, of the service that comes back or in its place.
    fn change_once(&self, change: &Change) -> Reply {
        let call = Call::Change(change.clone());
        let patience = timeout_of(change);
        let until = Monotonic(facts::monotonic().0 + patience);
        let mut broken: Option<(io::Error, Monotonic)> = None;
        loop {
            // The service may take it in the last moment, and has to be done with it then.
            let e = match (self.connect(PULSE), &broken) {
                (Ok(stream), _) => match self.exchange_long(stream, &call, until, ANSWER_GRACE) {
                    Ok(reply) => return reply,
                    Err(e) if e.kind() == io::ErrorKind::InvalidData => return Err(self.no_answer(&e)),
                    // Asked again it would hang again.
                    Err(e) if e.kind() == io::ErrorKind::TimedOut => return Err(self.unknown(change, &e)),
                    Err(e) => e,
                },
                (Err(_), None) => return self.change_here(change),
                (Err(e), Some(_)) => match self.change_here(change) {
                    // Says nothing of what became of it.
                    Err(refusal) if NOT_ASKED.contains(&refusal.code.as_str()) => e,
                    reply => return reply,
                },
            };
            let now = facts::monotonic();
            let (first, since) = broken.get_or_insert((e, now));
            if now.since(*since) >= RETURN {
                return Err(self.unknown(change, first));
            }
            std::thread::sleep(ASK_AGAIN);
        }
    }

    fn unknown(&self, change: &Change, e: &io::Error) -> Failure {
        let socket = self.layout.socket.display();
        let why = format!("the service at {socket} took it and did not answer: {e}");
        outcome_unknown(change.what.verb(), &why)
    }

    fn no_answer(&self, e: &io::Error) -> Failure {
        let socket = self.layout.socket.display();
        if e.kind() == io::ErrorKind::InvalidData {
            return Failure::new(
                Exit::Failed,
                "executor-not-answering",
                format!("the answer of the service at {socket} is not understood by pcm {VERSION}: {e}"),
                "Use a pcm of the same version; a service that was updated has to be started again",
            );
        }
        Failure::new(
            Exit::Failed,
            "executor-not-answering",
            format!("the service at {socket} does not answer: {e}"),
            "Look at its end of PACMAN.LOG with: pcm log",
        )
    }

    /// Asks the service, and nobody else.
    ///
    /// # Errors
    /// No service answers; or its refusal.
    pub fn ask_service(&self, view: &View) -> Reply {
        let until = Monotonic(facts::monotonic().0 + VIEW_TIMEOUT);
        let stream = self.connect(VIEW_TIMEOUT).map_err(|e| {
            Failure::new(
                Exit::Failed,
                "no-service",
                format!("no service answers at {}: {e}", self.layout.socket.display()),
                "Start the service",
            )
        })?;
        self.remote(stream, &Call::View(view.clone()), until)
    }

    /// Carries out a change without a service: in this process, or, where root works on the state of another account, in
    /// one that acts as that account.
    fn change_here(&self, change: &Change) -> Reply {
        Footing::of(&self.layout, &self.config).check()?;
        let actor = self.actor();
        match as_owner::needed(&self.layout) {
            None => self.change_as(change, &actor),
            Some(owner) => {
                *self.seen() = None;
                as_owner::ask(
                    &owner,
                    &self.layout,
                    &self.config,
                    Work::Change(Box::new(change.clone()), actor),
                )
            }
        }
    }

    /// Carries out a change in-process: the lock is held for decide, claim and launch, and no longer.
    pub(super) fn change_as(&self, change: &Change, actor: &Actor) -> Reply {
        *self.seen() = None;
        let until = facts::monotonic().0 + LOCK_WAIT;
        let mut service = None;
        let lock = ExclusiveLock::wait_take(&self.layout.lock(), actor.name.as_str(), |_| {
            // Whoever has it may be a service that has only just started.
            service = self.connect(timeout_of(change) + ANSWER_GRACE).ok();
            service.is_none() && facts::monotonic().0 < until
        })
        .map_err(|e| self.no_lock(&e))?;
        let lock = match (lock, service) {
            (Some(lock), _) => lock,
            (None, Some(stream)) => {
                let patience = Monotonic(facts::monotonic().0 + timeout_of(change));
                return self.remote(stream, &Call::Change(change.clone()), patience);
            }
            (None, None) => return Err(self.executor_busy()),
        };
        let mut executor = Executor::new(&self.layout, &self.config, lock, false)?;
        executor.watch(facts::now());
        let run = self.ask_share_for(change, &mut executor);
        let reply = executor.act(change, actor, facts::now());
        if run { executor.known().with_basis(reply) } else { reply }
    }

    /// Whether a run was asked for, and so the share. A hold, a stop and what becomes of a deferral are decided on what is
    /// held, however the share hangs; only where that does not know the request at all, a view has just shown it on the
    /// share, and it is looked at once.
    fn ask_share_for(&self, change: &Change, executor: &mut Executor) -> bool {
        match &change.what {
            Action::Request(request, verb @ (Verb::Run { .. } | Verb::Rerun { .. })) => {
                executor.poll_for(*request, matches!(verb, Verb::Rerun { .. }));
                return true;
            }
            Action::Install(request) => {
                executor.poll_for(*request, false);
                return true;
            }
            Action::Request(request, Verb::Defer { .. } | Verb::Undefer) | Action::Seen(Some(request)) => {
                if !executor.known().knows(*request, facts::now()) {
                    executor.look_now();
                }
            }
            // What a share offers now is what can be accepted.
            // So is what counts as done.
            Action::AcceptSerial(_) | Action::KeepId { .. } => executor.look_now(),
            Action::Request(_, Verb::Stop)
            | Action::Hold { .. }
            | Action::Unhold
            | Action::Restart(_)
            | Action::Notice
            | Action::Seen(None)
            | Action::Poll => {}
        }
        false
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
        ground::no_lock(&self.layout, e)
    }

    fn executor_busy(&self) -> Failure {
        let holder = lock::holder(&self.layout.lock())
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

    fn view_here(&self, view: &View) -> Reply {
        let mono = facts::monotonic();
        let mut held = self.seen();
        let seen = match held.take() {
            Some(seen) if mono.since(seen.read) < VIEW_FRESH => seen,
            older => self.see(older, mono)?,
        };
        held.insert(seen).known.view(view, &self.actor(), facts::now())
    }

    /// Reads the state folder, and the share where what an older look saw of it is not fresh any more.
    fn see(&self, older: Option<Seen>, mono: Monotonic) -> Result<Seen> {
        let mut known = Known::read(&self.layout, &self.config)?;
        let looked = match older.filter(|older| mono.since(older.looked) < LOOK_FRESH) {
            Some(older) => {
                known.keep_source_of(older.known);
                older.looked
            }
            None => {
                known.look();
                mono
            }
        };
        if known.has_unrecorded_end() {
            self.record_ends();
            known.reread();
        }
        Ok(Seen { known, read: mono, looked })
    }

    /// What a view that panicked has left behind is nothing: it is put back when a view is done.
    fn seen(&self) -> MutexGuard<'_, Option<Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whoever is the executor next records the end of a run: with the right to it, that is who looks first. Anything
    /// that stands in the way leaves it to somebody else.
    pub(super) fn record_ends(&self) {
        if !self.actor().may_operate || Footing::of(&self.layout, &self.config).check().is_err() {
            return;
        }
        if let Some(owner) = as_owner::needed(&self.layout) {
            // As above.
            let _: Result<()> = as_owner::ask(&owner, &self.layout, &self.config, Work::RecordEnds);
            return;
        }
        if let Ok(Some(lock)) = ExclusiveLock::try_take(&self.layout.lock(), "recording an end")
            && let Ok(mut executor) = Executor::new(&self.layout, &self.config, lock, false)
        {
            executor.watch(facts::now());
        }
    }
}

/// The page that follows; None: that was all.
fn older_page(view: &View, answer: &Answer) -> Option<View> {
    match (view, answer) {
        (View::History(request, _), Answer::History(doc)) => Some(View::History(*request, Some(doc.older?))),
        (View::Audit(_), Answer::Audit(doc)) => Some(View::Audit(Some(doc.older?))),
        _ => None,
    }
}

fn timeout_of(change: &Change) -> Duration {
    if change.what.launches().is_some() { RUN_TIMEOUT } else { CHANGE_TIMEOUT }
}

impl Ask for Client {
    fn view(&self, view: &View) -> Reply {
        let mut answer = self.page(view)?;
        while let Some(older) = older_page(view, &answer) {
            match (&mut answer, self.page(&older)?) {
                (Answer::History(doc), Answer::History(older)) => {
                    doc.attempts.extend(older.attempts);
                    doc.older = older.older;
                }
                (Answer::Audit(doc), Answer::Audit(older)) => {
                    doc.entries.splice(0..0, older.entries);
                    doc.older = older.older;
                }
                _ => return Err(unexpected_answer()),
            }
        }
        Ok(answer)
    }

    fn change(&self, change: &Change) -> Reply {
        let bytes = serde_json::to_vec(change).map_or(0, |json| json.len());
        if bytes > wire::MAX_CALL / 2 {
            return Err(Failure::new(
                Exit::Usage,
                "bad-call",
                format!("{} is told in {bytes} bytes, which is too long for a call", change.what.verb()),
                format!("Shorten the reason: at most {MAX_REASON} characters"),
            ));
        }
        let id = history::random_id().ok().and_then(|id| CallId::try_from(id).ok());
        self.change_once(&Change { id, ..change.clone() })
    }
}
