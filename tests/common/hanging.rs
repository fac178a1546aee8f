//! A file system on which everything hangs, mounted over a share: the Rust side of `hang.py`.

use super::{skipped, wait_for_or};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The mounted file system; unmounted when dropped.
pub struct Hang {
    child: Child,
    at: std::path::PathBuf,
}

impl Hang {
    /// None, with the skip printed, where FUSE or its Python module is missing.
    pub fn over(at: &Path) -> Option<Self> {
        Self::mount(at, &[])
    }

    /// The same where only files of one name hang, and all others are those of a folder elsewhere.
    pub fn at_files(at: &Path, folder: &Path, name: &str) -> Option<Self> {
        Self::mount(at, &[folder.as_os_str(), name.as_ref()])
    }

    fn mount(at: &Path, more: &[&std::ffi::OsStr]) -> Option<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/common/hang.py");
        let mut child = Command::new("/usr/bin/python3")
            .arg(script)
            .arg(at)
            .args(more)
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .ok()?;
        let mounted = || {
            let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
            mounts.lines().any(|line| line.split(' ').nth(4) == at.to_str())
        };
        let up = wait_for_or(Duration::from_secs(10), || mounted() || !matches!(child.try_wait(), Ok(None)));
        if up.is_err() || !mounted() {
            skipped("no FUSE here, or no python3-fusepy");
            let _ = child.kill();
            return None;
        }
        Some(Self { child, at: at.to_owned() })
    }
}

impl Drop for Hang {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = Command::new("umount").arg("-l").arg(&self.at).stderr(Stdio::null()).status();
        let _ = self.child.wait();
    }
}
