//! Sessions as logind knows them (org.freedesktop.login1). Asked in a thread with a deadline, because the caller may
//! itself be inside a runtime and a bus may hang.

use super::{MOST, idle_of};
use crate::clock::Wall;
use crate::host::sessions::{Session, SessionKind};
use crate::text::SafeText;
use std::collections::HashMap;
use std::sync::mpsc;
use std::time::{Duration, SystemTime};
use zbus::{OwnedObjectPath, OwnedVariant};

const SERVICE: &str = "org.freedesktop.login1";

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

/// All sessions, of any class.
pub fn sessions(bus: Bus, patience: Duration) -> Result<Vec<LogindSession>, String> {
    let (tell, told) = mpsc::channel();
    let ask = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let answer = match runtime {
            Ok(runtime) => runtime.block_on(async {
                match tokio::time::timeout(patience, list(bus)).await {
                    Ok(answer) => answer.map_err(|e| e.to_string()),
                    Err(_) => Err(format!("no answer within {patience:?}")),
                }
            }),
            Err(e) => Err(e.to_string()),
        };
        let _ = tell.send(answer);
    };
    std::thread::Builder::new().name("logind".into()).spawn(ask).map_err(|e| e.to_string())?;
    // The deadline inside should be enough; this one holds even if the bus blocks the thread itself.
    told.recv_timeout(patience + Duration::from_millis(500)).map_err(|_| "no answer".to_owned())?
}

async fn list(bus: Bus) -> zbus::Result<Vec<LogindSession>> {
    let connection = match bus {
        Bus::System => zbus::Connection::system().await?,
        #[cfg(test)]
        Bus::At(address) => zbus::connection::Builder::address(address.as_str()).build().await?,
    };
    let manager = Some("org.freedesktop.login1.Manager");
    let reply = connection
        .call_method(Some(SERVICE), "/org/freedesktop/login1", manager, "ListSessions", &())
        .await?;
    type Listed = (String, u32, String, String, OwnedObjectPath);
    let listed: Vec<Listed> = reply.body().deserialize()?;
    let mut found = Vec::new();
    for (_, _, _, _, path) in listed.into_iter().take(MOST) {
        let all = connection
            .call_method(
                Some(SERVICE),
                path.as_str(),
                Some("org.freedesktop.DBus.Properties"),
                "GetAll",
                &("org.freedesktop.login1.Session",),
            )
            .await;
        match all {
            Ok(reply) => found.push(session(reply.body().deserialize()?)),
            // It ended since it was listed.
            Err(zbus::Error::MethodError(..)) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(found)
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
