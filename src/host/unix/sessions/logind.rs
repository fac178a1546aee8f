//! Sessions as logind knows them (org.freedesktop.login1). One thread keeps one connection to the bus and is woken by
//! logind's signals; whoever asks is told what it has heard. While the bus or logind is away that is an error, and it is
//! there again when they are.

use super::{MOST, idle_of};
use crate::clock::Wall;
use crate::host::sessions::{Session, SessionKind};
use crate::text::SafeText;
use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use zbus::export::futures_core::Stream;
use zbus::{Connection, MatchRule, MessageStream, OwnedObjectPath, OwnedVariant};

const SERVICE: &str = "org.freedesktop.login1";
const MANAGER: &str = "org.freedesktop.login1.Manager";
const SESSION: &str = "org.freedesktop.login1.Session";
const ROOT: &str = "/org/freedesktop/login1";

/// How long the bus or logind may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// A bus that cannot be reached is tried again after this long.
const AGAIN: Duration = Duration::from_secs(5);
/// All sessions are listed anew this often also without a signal: it shows a bus that hangs, and no lost signal matters
/// for longer.
const CONFIRM: Duration = Duration::from_secs(30);
/// What was heard is not believed for longer than this.
const STALE: Duration = Duration::from_secs(40);
/// Signals that come faster are answered by one listing: anybody can cause them.
const PAUSE: Duration = Duration::from_millis(200);

/// Which bus logind is on.
#[derive(Debug, Clone)]
pub enum Bus {
    /// The machine's, or what `DBUS_SYSTEM_BUS_ADDRESS` names.
    System,
    /// One of a test.
    #[cfg(test)]
    At(String),
}

/// The properties of one session that matter here.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LogindSession {
    pub name: String,
    pub class: String,
    pub state: String,
    pub terminal: String,
    pub display: String,
    pub remote: bool,
    pub remote_host: String,
    pub idle: bool,
    /// Microseconds of the wall clock; 0: not known.
    pub idle_since: u64,
    pub locked: bool,
    /// Microseconds of the wall clock; 0: not known.
    pub since: u64,
}

/// All sessions of this machine, of any class. Waits for logind's first answer only.
pub fn sessions() -> Result<Vec<LogindSession>, String> {
    static WATCH: Mutex<Option<Watch>> = Mutex::new(None);
    let mut watch = WATCH.lock().unwrap_or_else(PoisonError::into_inner);
    if watch.as_ref().is_none_or(|watch| watch.thread.is_finished()) {
        *watch = Some(Watch::start(Bus::System).map_err(|e| e.to_string())?);
    }
    watch.as_ref().map_or_else(|| Err("nobody listens to it".to_owned()), Watch::sessions)
}

/// The thread that listens to one bus, and what it has heard.
pub struct Watch {
    heard: Arc<Heard>,
    thread: JoinHandle<()>,
}

/// The sessions, or why nobody can say which there are.
type Answer = Result<Vec<LogindSession>, String>;

/// The newest answer and when it came; none before the first.
#[derive(Default)]
struct Heard {
    newest: Mutex<Option<(Instant, Answer)>>,
    first: Condvar,
}

impl Heard {
    fn set(&self, answer: Result<Vec<LogindSession>, String>) {
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), answer));
        self.first.notify_all();
    }
}

impl Watch {
    /// Begins to listen.
    ///
    /// # Errors
    /// No thread can be had.
    pub fn start(bus: Bus) -> io::Result<Watch> {
        let heard = Arc::<Heard>::default();
        let thread = {
            let heard = Arc::clone(&heard);
            std::thread::Builder::new().name("logind".into()).spawn(move || listen(&bus, &heard))?
        };
        Ok(Watch { heard, thread })
    }

    /// What was heard; waits for the first answer, for as long as the bus may take for it.
    pub fn sessions(&self) -> Result<Vec<LogindSession>, String> {
        let newest = self.heard.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.heard.first.wait_timeout_while(newest, PATIENCE, |newest| newest.is_none());
        let (newest, _) = waited.unwrap_or_else(PoisonError::into_inner);
        match &*newest {
            // The thread itself may be stuck: its deadlines are then worth nothing.
            Some((at, _)) if at.elapsed() > STALE => Err(format!("no answer for {:?}", at.elapsed())),
            Some((_, answer)) => answer.clone(),
            None => Err(format!("no answer within {PATIENCE:?}")),
        }
    }
}

/// Until the process ends.
fn listen(bus: &Bus, heard: &Heard) {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(async {
            loop {
                let Err(why) = follow(bus, heard).await;
                heard.set(Err(why));
                tokio::time::sleep(AGAIN).await;
            }
        }),
        Err(e) => heard.set(Err(e.to_string())),
    }
}

/// Follows logind on one connection, for as long as that lasts.
async fn follow(bus: &Bus, heard: &Heard) -> Result<Infallible, String> {
    let connection = in_time(connect(bus)).await?;
    let woken = Arc::new(Notify::new());
    // They are looked after all the time: a signal that nobody takes keeps answers from arriving.
    let mut signals = JoinSet::new();
    for rule in rules().map_err(|e| e.to_string())? {
        let stream = in_time(MessageStream::for_match_rule(rule, &connection, None)).await?;
        signals.spawn(wake(stream, Arc::clone(&woken)));
    }
    loop {
        match tokio::time::timeout(PATIENCE, list(&connection)).await {
            Ok(Ok(sessions)) => heard.set(Ok(sessions)),
            // The bus is there, and logind is not, or not yet.
            Ok(Err(e)) if is_reply(&e) => heard.set(Err(e.to_string())),
            Ok(Err(e)) => return Err(e.to_string()),
            Err(_) => return Err(format!("no answer within {PATIENCE:?}")),
        }
        let _ = tokio::time::timeout(CONFIRM, woken.notified()).await;
        tokio::time::sleep(PAUSE).await;
    }
}

/// Wakes at each signal, and at the end of the connection.
async fn wake(mut signals: MessageStream, woken: Arc<Notify>) {
    while std::future::poll_fn(|context| std::pin::Pin::new(&mut signals).poll_next(context)).await.is_some()
    {
        woken.notify_one();
    }
    woken.notify_one();
}

/// Who logs on and off, what changes about a session, and logind itself coming and going.
fn rules() -> zbus::Result<[MatchRule<'static>; 4]> {
    let signal = || MatchRule::builder().msg_type(zbus::message::Type::Signal);
    let of_logind = |interface, member| signal().sender(SERVICE).interface(interface).member(member);
    let bus = "org.freedesktop.DBus";
    Ok([
        of_logind(MANAGER, "SessionNew").build()?,
        of_logind(MANAGER, "SessionRemoved").build()?,
        of_logind("org.freedesktop.DBus.Properties", "PropertiesChanged")
            .path_namespace("/org/freedesktop/login1/session")
            .build()?,
        signal().sender(bus).interface(bus).member("NameOwnerChanged").arg(0, SERVICE).build()?,
    ])
}

async fn in_time<T>(what: impl Future<Output = zbus::Result<T>>) -> Result<T, String> {
    match tokio::time::timeout(PATIENCE, what).await {
        Ok(done) => done.map_err(|e| e.to_string()),
        Err(_) => Err(format!("no answer within {PATIENCE:?}")),
    }
}

async fn connect(bus: &Bus) -> zbus::Result<Connection> {
    match bus {
        Bus::System => Connection::system().await,
        #[cfg(test)]
        Bus::At(address) => zbus::connection::Builder::address(address.as_str()).build().await,
    }
}

async fn list(connection: &Connection) -> zbus::Result<Vec<LogindSession>> {
    let reply = connection.call_method(Some(SERVICE), ROOT, Some(MANAGER), "ListSessions", &()).await?;
    type Listed = (String, u32, String, String, OwnedObjectPath);
    let listed: Vec<Listed> = reply.body().deserialize()?;
    let mut found = Vec::new();
    for (_, _, _, _, path) in listed.into_iter().take(MOST) {
        let properties = Some("org.freedesktop.DBus.Properties");
        let all =
            connection.call_method(Some(SERVICE), path.as_str(), properties, "GetAll", &(SESSION,)).await;
        match all {
            Ok(reply) => found.push(session(reply.body().deserialize()?)),
            // It ended since it was listed.
            Err(e) if is_reply(&e) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(found)
}

/// Somebody has answered, and the connection is well.
fn is_reply(e: &zbus::Error) -> bool {
    matches!(e, zbus::Error::MethodError(..) | zbus::Error::FDO(_))
}

fn session(properties: HashMap<String, OwnedVariant>) -> LogindSession {
    let text = |name: &str| {
        let value = properties.get(name).and_then(|v| <&str>::try_from(&**v).ok());
        value.unwrap_or_default().to_owned()
    };
    let flag = |name: &str| properties.get(name).and_then(|v| bool::try_from(&**v).ok()).unwrap_or(false);
    let time = |name: &str| properties.get(name).and_then(|v| u64::try_from(&**v).ok()).unwrap_or(0);
    LogindSession {
        name: text("Name"),
        class: text("Class"),
        state: text("State"),
        terminal: text("TTY"),
        display: text("Display"),
        remote: flag("Remote"),
        remote_host: text("RemoteHost"),
        idle: flag("IdleHint"),
        idle_since: time("IdleSinceHint"),
        locked: flag("LockedHint"),
        since: time("Timestamp"),
    }
}

impl LogindSession {
    /// As a log-on; None for what is no user: managers, greeters, background jobs, and sessions that have ended but
    /// for their last processes.
    pub fn log_on(self, now: SystemTime) -> Option<Session> {
        let classes = ["manager", "greeter", "background", "lock-screen"];
        if classes.iter().any(|c| self.class.starts_with(c)) || self.state == "closing" {
            return None;
        }
        let micros = |t: u64| SystemTime::UNIX_EPOCH.checked_add(Duration::from_micros(t)).filter(|_| t != 0);
        let by_hint = || {
            let since = micros(self.idle_since).filter(|_| self.idle);
            since.map_or(0, |t| now.duration_since(t).unwrap_or_default().as_secs())
        };
        let idle_s = idle_of(&self.terminal, now).unwrap_or_else(by_hint);
        let terminal = if self.terminal.is_empty() { &self.display } else { &self.terminal };
        let from = match (self.remote, self.remote_host.as_str()) {
            (false, _) => "console",
            (true, "") => "remote",
            (true, host) => host,
        };
        Some(Session {
            user: SafeText::new(&self.name),
            terminal: SafeText::new(terminal),
            from: SafeText::new(from),
            since: i64::try_from(self.since).ok().filter(|t| *t != 0).and_then(Wall::from_timestamp_micros),
            idle_s: Some(idle_s),
            locked: Some(self.locked),
            kind: if self.remote { SessionKind::Remote } else { SessionKind::Console },
        })
    }
}
