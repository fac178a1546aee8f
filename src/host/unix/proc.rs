//! `/proc/<pid>` as values: who a process is, whose child, since when. Read, never believed to be still true.

use std::fs;
use std::io::Read as _;
use std::sync::LazyLock;

/// From `/proc/<pid>/stat` (proc_pid_stat(5)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    pub pid: u32,
    /// One letter; `Z` and `X` are dead.
    pub state: u8,
    /// 0 where it is outside of this container; `group` and `session` too.
    pub parent: u32,
    pub group: u32,
    pub session: u32,
    /// Device number of the controlling terminal; 0: none.
    pub terminal: u32,
    /// Clock ticks since boot. With the pid it names one process within a boot.
    pub start_time: u64,
    /// Processor time in clock ticks: its own.
    pub own_ticks: u64,
    /// And that of the children that it has reaped, and theirs.
    pub reaped_ticks: u64,
}

impl Stat {
    pub fn is_dead(&self) -> bool {
        matches!(self.state, b'Z' | b'X')
    }
}

/// None where there is no such process.
pub fn stat(pid: u32) -> Option<Stat> {
    parse(&fs::read(format!("/proc/{pid}/stat")).ok()?)
}

fn parse(text: &[u8]) -> Option<Stat> {
    // The name stands in brackets and may itself hold brackets and blanks: the last one ends it.
    let end = text.iter().rposition(|b| *b == b')')?;
    let pid = std::str::from_utf8(text.split(|b| *b == b' ').next()?).ok()?.parse().ok()?;
    let rest = std::str::from_utf8(text.get(end + 1..)?).ok()?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let number = |i: usize| fields.get(i).and_then(|f| f.parse::<i64>().ok());
    let ticks = |i: usize| u64::try_from(number(i)?.checked_add(number(i + 1)?)?).ok();
    Some(Stat {
        pid,
        state: *fields.first()?.as_bytes().first()?,
        parent: u32::try_from(number(1)?).ok()?,
        group: u32::try_from(number(2)?).ok()?,
        session: u32::try_from(number(3)?).ok()?,
        terminal: number(4)? as u32,
        start_time: fields.get(19)?.parse().ok()?,
        own_ticks: ticks(11)?,
        reaped_ticks: ticks(13)?,
    })
}

/// Every process that can be seen, dead ones included.
pub fn all() -> Vec<Stat> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries.flatten().filter_map(|e| stat(e.file_name().to_str()?.parse().ok()?)).collect()
}

/// The children of a process, from each of its threads; empty where it has gone. None where this kernel keeps no such
/// list.
pub fn children(pid: u32) -> Option<Vec<u32>> {
    static KEPT: LazyLock<bool> = LazyLock::new(|| fs::exists("/proc/thread-self/children").unwrap_or(false));
    if !*KEPT {
        return None;
    }
    let mut found = Vec::new();
    for task in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
        let list = fs::read_to_string(task.path().join("children")).unwrap_or_default();
        found.extend(list.split_ascii_whitespace().filter_map(|p| p.parse::<u32>().ok()));
    }
    Some(found)
}

/// The name of the program, as the process itself may have set it.
pub fn name(pid: u32) -> Option<String> {
    let bytes = fs::read(format!("/proc/{pid}/comm")).ok()?;
    Some(String::from_utf8_lossy(&bytes).trim_end().to_owned())
}

/// The system call in which a thread sleeps, with its arguments; None where it runs, sleeps in none, or may not be
/// looked at (proc_pid_syscall(5)).
pub fn sleeps_in(pid: u32, thread: u32) -> Option<(i64, Vec<u64>)> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{thread}/syscall")).ok()?;
    let mut words = text.split_ascii_whitespace();
    let number = words.next()?.parse().ok().filter(|n| *n >= 0)?;
    let arguments = words.filter_map(|w| u64::from_str_radix(w.strip_prefix("0x")?, 16).ok()).take(6);
    Some((number, arguments.collect()))
}

/// The threads of a process.
pub fn threads(pid: u32) -> Vec<u32> {
    let entries = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    entries.filter_map(|e| e.file_name().to_str()?.parse().ok()).collect()
}

/// The account that logged in and from which the process descends; None where the kernel keeps none.
pub fn login_uid(pid: u32) -> Option<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/loginuid")).ok()?;
    text.trim().parse().ok().filter(|uid| *uid != u32::MAX)
}

/// A variable of the environment that the process was started with, where it may be read. It is that process's own
/// word.
pub fn environment(pid: u32, name: &str) -> Option<String> {
    let mut bytes = Vec::new();
    fs::File::open(format!("/proc/{pid}/environ")).ok()?.take(1 << 20).read_to_end(&mut bytes).ok()?;
    let start = format!("{name}=");
    let value = bytes.split(|b| *b == 0).find_map(|v| v.strip_prefix(start.as_bytes()))?;
    Some(String::from_utf8_lossy(value).into_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_process_name_cannot_forge_the_other_fields() {
        let text = b"42 (a) Z 1 (b) S 7 42 41 34816 42 4194304 1 0 0 0 1 2 30 40 20 0 1 0 987654 1 1";
        let stat = parse(text).unwrap();
        assert_eq!((stat.pid, stat.state, stat.parent, stat.session), (42, b'S', 7, 41));
        assert_eq!((stat.terminal, stat.start_time), (34816, 987654));
        assert_eq!((stat.own_ticks, stat.reaped_ticks), (3, 70));
        assert_eq!(parse(b"42 (cut"), None);
        assert_eq!(parse(b""), None);
    }

    #[test]
    fn this_process_sees_itself_and_its_parent() {
        let me = stat(std::process::id()).unwrap();
        assert_eq!(me.parent, std::os::unix::process::parent_id());
        assert!(all().contains(&stat(1).unwrap()) || stat(1).is_some());
        assert!(!me.is_dead());
    }
}
