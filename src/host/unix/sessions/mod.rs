//! Who is logged on to a Linux machine, behind `host::sessions`: logind, which knows best; else utmp; else unknown.

mod logind;
mod samba;
#[cfg(test)]
mod tests;
mod utmp;

use crate::host::sessions::LoggedOn;
use crate::text::SafeText;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Most entries that are taken from any source: a table may be hostile.
const MOST: usize = 1000;
/// Where utmp is found, in this order.
const UTMP: [&str; 2] = ["/run/utmp", "/var/run/utmp"];

pub fn logged_on() -> LoggedOn {
    let mut found = choose(logind::sessions(), &UTMP.map(Path::new));
    found.connections = samba::connections();
    found
}

fn choose(logind: Result<Vec<logind::LogindSession>, String>, utmp: &[&Path]) -> LoggedOn {
    let now = SystemTime::now();
    let no_logind = match logind {
        Ok(sessions) => {
            let sessions = sessions.into_iter().filter_map(|s| s.log_on(now)).collect();
            return LoggedOn { source: "logind", sessions, connections: Vec::new(), note: None };
        }
        Err(why) => why,
    };
    let mut no_utmp = "there is no /run/utmp".to_owned();
    for path in utmp {
        match utmp::read(path) {
            Ok(bytes) => {
                let sessions = utmp::sessions(&bytes, now);
                let note = Some(SafeText::new(&format!("logind: {no_logind}")));
                return LoggedOn { source: "utmp", sessions, connections: Vec::new(), note };
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => no_utmp = format!("{}: {e}", path.display()),
        }
    }
    LoggedOn::unknown(&format!("logind: {no_logind}; {no_utmp}"))
}

/// Seconds since the terminal was last typed at. The line comes from a table that others write, so only a terminal in
/// `/dev` is looked at.
fn idle_of(line: &str, now: SystemTime) -> Option<u64> {
    use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '/';
    if line.is_empty() || line.starts_with('/') || !line.chars().all(plain) {
        return None;
    }
    let terminal = std::fs::symlink_metadata(Path::new("/dev").join(line)).ok()?;
    if !terminal.file_type().is_char_device() {
        return None;
    }
    let typed = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(terminal.atime()).ok()?);
    Some(now.duration_since(typed).unwrap_or_default().as_secs())
}
