//! Connections to the file shares of this machine, as Samba's own tool lists them. Shown only; where there is no Samba,
//! or it does not answer, there are none to show.

use super::MOST;
use crate::host::sessions::{Session, SessionKind};
use crate::host::threads;
use crate::text::SafeText;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

const TOOL: &str = "/usr/bin/smbstatus";
/// It starts a process, and a view is asked several times a second.
const FRESH: Duration = Duration::from_secs(30);
const PATIENCE: Duration = Duration::from_secs(2);
/// Bytes of its output.
const LIMIT: u64 = 4 << 20;

/// When it was asked last, and what it said.
static KNOWN: Mutex<(Option<Instant>, Vec<Session>)> = Mutex::new((None, Vec::new()));

/// As they were last known. Samba is asked beside, for it may hang; only the first answer is waited for.
pub fn connections() -> Vec<Session> {
    if !Path::new(TOOL).exists() || !Path::new("/run/samba").exists() {
        return Vec::new();
    }
    let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let asked = known().0;
    if asked.is_none_or(|at| at.elapsed() >= FRESH) {
        known().0 = Some(Instant::now());
        let (tell, told) = mpsc::channel();
        let asking = threads::start("samba", move || {
            let list = parse(&ask().unwrap_or_default());
            known().1 = list;
            // Only who asked first waits for it.
            let _ = tell.send(());
        });
        if asked.is_none() && asking.is_ok() {
            let _ = told.recv_timeout(PATIENCE);
        }
    }
    known().1.clone()
}

fn ask() -> Option<String> {
    let mut command = Command::new(TOOL);
    command.args(["--json", "--processes"]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().ok()?;
    let output = child.stdout.take()?;
    let (tell, told) = mpsc::channel();
    let reading = threads::start("samba", move || {
        let mut text = String::new();
        let _ = output.take(LIMIT).read_to_string(&mut text);
        let _ = tell.send(text);
    });
    let text = reading.ok().and_then(|_| told.recv_timeout(PATIENCE).ok());
    let _ = child.kill();
    let _ = child.wait();
    text
}

pub fn parse(text: &str) -> Vec<Session> {
    let Ok(doc) = serde_json::from_str::<serde_json::Value>(text) else { return Vec::new() };
    let Some(sessions) = doc.get("sessions").and_then(|s| s.as_object()) else { return Vec::new() };
    let field = |s: &serde_json::Value, name: &str| {
        SafeText::new(s.get(name).and_then(|v| v.as_str()).unwrap_or_default())
    };
    let connection = |s: &serde_json::Value| Session {
        user: field(s, "username"),
        terminal: SafeText::new("smb"),
        from: field(s, "remote_machine"),
        since: None,
        idle_s: None,
        locked: None,
        kind: SessionKind::Network,
    };
    sessions.values().take(MOST).map(connection).collect()
}
