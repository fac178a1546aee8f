//! A control group of its own for each run: whatever session, parent or environment a process of the package takes, it
//! stays in there, and one write ends them all. Made by the run host; found again by an executor from the run's folder.

use super::super::{mounts, proc};
use crate::host::process::Process;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What the names of all of them begin with.
const PREFIX: &str = "pcm-";
/// One that is this old and empty and whose run host is gone is left over. A younger one may just be about to be used,
/// in a container whose processes cannot be seen from here.
const LEFT_OVER: Duration = Duration::from_secs(600);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cgroup(PathBuf);

impl Cgroup {
    /// A new one below that of this process.
    ///
    /// # Errors
    /// Why none can be made here, in words.
    pub fn make(name: &str) -> Result<Self, String> {
        let me = std::process::id();
        let born = super::start_time(me).ok_or("this process cannot be found in /proc")?;
        let table = fs::read_to_string("/proc/self/mountinfo").map_err(|e| format!("mountinfo: {e}"))?;
        let own = fs::read_to_string("/proc/self/cgroup").map_err(|e| format!("/proc/self/cgroup: {e}"))?;
        let mut why = "no control groups are mounted".to_owned();
        for parent in parents(&table, &own) {
            sweep(&parent);
            let path = parent.join(format!("{PREFIX}{name}-{me}-{born}"));
            match fs::create_dir(&path) {
                // A file system that only looks like one makes folders too.
                Ok(()) if path.join("cgroup.procs").exists() => return Ok(Self(path)),
                Ok(()) => {
                    let _ = fs::remove_dir(&path);
                    why = format!("{} makes none", parent.display());
                }
                Err(e) => why = format!("{}: {e}", parent.display()),
            }
        }
        Err(why)
    }

    /// One that a record names; None where it is gone.
    pub fn at(path: &Path) -> Option<Self> {
        let named = path.file_name()?.to_str()?.starts_with(PREFIX);
        (named && path.join("cgroup.procs").is_file()).then(|| Self(path.to_owned()))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The file through which a process enters: it writes `0` there, and what it starts afterwards is in it from birth.
    pub fn entrance(&self) -> io::Result<File> {
        File::options().write(true).open(self.0.join("cgroup.procs"))
    }

    /// Whether this process is in there.
    pub fn holds(&self, pid: u32) -> bool {
        let name = self.0.file_name().and_then(|n| n.to_str()).unwrap_or("?");
        let own = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
        own.split(['/', '\n', ' ']).any(|word| word == name)
    }

    /// What lives in it and in those that were made within it.
    pub fn processes(&self) -> Vec<Process> {
        let mut found = Vec::new();
        for folder in self.folders() {
            let list = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
            let living = list.lines().filter_map(|l| proc::stat(l.parse().ok()?)).filter(|s| !s.is_dead());
            found.extend(living.map(|s| Process { pid: s.pid, start_time: s.start_time }));
        }
        found
    }

    /// Ends everything in it at once. Where the kernel cannot (before 5.14, or in the old hierarchies) nothing happens:
    /// whoever ends a tree goes through its processes all the same.
    pub fn kill(&self) {
        // Opened and never created: the file is there, or there is no such thing.
        if let Ok(mut file) = File::options().write(true).open(self.0.join("cgroup.kill")) {
            let _ = io::Write::write_all(&mut file, b"1");
        }
    }

    /// Removes it, once it is empty; one that is not stays.
    pub fn remove(&self) {
        // The innermost first.
        for folder in self.folders().into_iter().rev() {
            let _ = fs::remove_dir(folder);
        }
    }

    /// It and those within it, outer before inner.
    fn folders(&self) -> Vec<PathBuf> {
        let mut folders = vec![self.0.clone()];
        let mut next = 0;
        while let Some(folder) = folders.get(next).cloned() {
            let inner = fs::read_dir(folder).into_iter().flatten().flatten();
            folders.extend(inner.filter(|e| e.file_type().is_ok_and(|t| t.is_dir())).map(|e| e.path()));
            next += 1;
        }
        folders
    }
}

/// Where one can be made: this process's own group in the unified hierarchy, then in an old one that keeps any process.
fn parents(mountinfo: &str, own: &str) -> Vec<PathBuf> {
    let all = mounts::parse(mountinfo);
    let place = |controller: &str| -> Option<PathBuf> {
        let group = own.lines().find_map(|line| {
            let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
            (controllers.split(',').any(|c| c == controller)).then_some(path)
        })?;
        let mount = all.iter().rev().find(|m| match controller {
            "" => m.kind == "cgroup2",
            _ => m.kind == "cgroup" && m.options.split(',').any(|o| o == controller),
        })?;
        // In a container the mounted part may begin below the root.
        let inside = Path::new(group).strip_prefix(&mount.root).ok()?;
        Some(mount.point.join(inside))
    };
    ["", "freezer", "pids"].into_iter().filter_map(place).collect()
}

/// Removes what run hosts that died have left empty.
fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str().and_then(|name| name.strip_prefix(PREFIX)) else { continue };
        let mut words = name.rsplit('-').map(str::parse::<u64>);
        let (Some(Ok(born)), Some(Ok(pid))) = (words.next(), words.next()) else { continue };
        let lives = u32::try_from(pid).is_ok_and(|pid| super::start_time(pid) == Some(born));
        let age = entry.metadata().and_then(|m| m.modified()).ok().and_then(|at| at.elapsed().ok());
        if !lives && age.is_some_and(|age| age > LEFT_OVER) {
            Cgroup(entry.path()).remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_group_is_looked_for_in_the_unified_hierarchy_first_and_below_what_is_mounted() {
        let table = "\
30 22 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
31 22 0:31 /outer /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer
32 22 0:32 /elsewhere /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
";
        let own = "8:pids:/a\n6:freezer:/outer/b\n0::/system.slice/pcm.service\n";
        let wanted = ["/sys/fs/cgroup/unified/system.slice/pcm.service", "/sys/fs/cgroup/freezer/b"];
        assert_eq!(parents(table, own), wanted.map(PathBuf::from));
        assert!(parents("22 1 254:0 / / rw - ext4 /dev/root rw\n", own).is_empty());
        assert!(parents(table, "").is_empty());
    }

    #[test]
    fn only_what_is_named_as_one_of_ours_is_taken_for_one() {
        let dir = std::env::temp_dir();
        assert_eq!(Cgroup::at(&dir), None);
        assert_eq!(Cgroup::at(&dir.join("pcm-none")), None);
    }
}
