//! `[check] backup` and `backup_marker`: what the site's own backup says of itself. The command is run by whoever looks, root
//! acting as the service's account, with a time limit; the marker is a file that a backup writes when it has ended.

use super::facts::Backup;
use crate::clock::Wall;
use crate::config::Check;
use crate::host::account::Account;
use crate::host::{process, threads};
use crate::text::SafeText;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A command that only looks may take this long.
const LIMIT: Duration = Duration::from_secs(30);
/// How much of what it says is read.
const OUTPUT: usize = 4096;

/// Asks whatever is configured. `refuse`: why the command must not be run; `account`: the service's, where this is root and
/// that is not, which may have configured any command.
pub(super) fn ask(config: &Check, now: Wall, refuse: Option<String>, account: Option<&Account>) -> Backup {
    if config.backup.is_empty() && config.backup_marker.is_none() {
        return Backup::NotSet;
    }
    if let (Some(why), false) = (refuse, config.backup.is_empty()) {
        return Backup::NotAsked(why);
    }
    Backup::Asked {
        marker: config.backup_marker.as_deref().map(|path| age(path, now)),
        command: config.backup.split_first().map(|(program, args)| run(program, args, account, LIMIT)),
    }
}

/// How long ago the marker was written; one from the future is new.
fn age(marker: &Path, now: Wall) -> Result<Duration, String> {
    let written = std::fs::metadata(marker)
        .and_then(|meta| meta.modified())
        .map_err(|e| format!("{}: {e}", marker.display()))?;
    Ok(now.signed_duration_since(Wall::from(written)).to_std().unwrap_or_default())
}

/// Exit code and the first line of what it printed.
fn run(
    program: &str,
    args: &[String],
    account: Option<&Account>,
    limit: Duration,
) -> Result<(i32, SafeText), String> {
    let failed = |e: std::io::Error| format!("{program}: {e}");
    let (output, writer) = std::io::pipe().map_err(failed)?;
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(writer.try_clone().map_err(failed)?).stderr(writer);
    if let Some(account) = account {
        process::act_as(&mut command, account).map_err(failed)?;
    }
    // What it started may hold the pipe open for ever: nobody waits for the end of the output.
    let (tell, told) = std::sync::mpsc::channel();
    let reading = threads::start("backup", move || {
        let mut output = output;
        let mut bytes = vec![0; OUTPUT];
        let mut all = Vec::new();
        while let Ok(n @ 1..) = output.read(&mut bytes) {
            let room = OUTPUT.saturating_sub(all.len());
            all.extend(&bytes[..n.min(room)]);
            if tell.send(all.clone()).is_err() {
                return;
            }
        }
    });
    reading.map_err(failed)?;
    let child = command.spawn();
    // It holds the pipe's other end.
    drop(command);
    let mut child = child.map_err(failed)?;
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().map_err(failed)? {
            break status;
        }
        if start.elapsed() > limit {
            let _ = child.kill();
            let _ = child.wait();
            return Err(format!("{program} did not end within {}", crate::text::duration(limit)));
        }
        std::thread::park_timeout(Duration::from_millis(20));
    };
    let mut said = Vec::new();
    while let Ok(more) = told.recv_timeout(Duration::from_millis(200)) {
        said = more;
        if said.len() == OUTPUT {
            break;
        }
    }
    let line = said.split(|b| *b == b'\n').find(|l| !l.trim_ascii().is_empty()).unwrap_or_default();
    match status.code() {
        Some(code) => Ok((code, SafeText::from_bytes(line.trim_ascii()))),
        None => Err(format!("{program} was ended by a signal")),
    }
}
