//! A file system of its own, of three megabytes, for tests of a disk that is really full.

use super::common::*;
use std::path::PathBuf;
use std::process::Command;

/// Gone with the test.
pub struct Small(pub PathBuf);

impl Small {
    /// None where nothing can be mounted, which is said.
    pub fn over(at: PathBuf) -> Option<Self> {
        Self::with(at, "size=3m,mode=0755")
    }

    /// The same with options of its own.
    pub fn with(at: PathBuf, options: &str) -> Option<Self> {
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", options, "pcm-test"]).arg(&at).output();
        match mount {
            Ok(output) if output.status.success() => Some(Self(at)),
            Ok(output) => {
                skipped(format_args!("nothing can be mounted here: {}", text(&output)));
                None
            }
            Err(e) => {
                skipped(format_args!("no mount: {e}"));
                None
            }
        }
    }

    pub fn fill(&self) {
        for block in ["64k", "4k", "1"] {
            let file = self.0.join(format!("filler.{block}"));
            // It ends when there is no room; that is no failure of the test.
            let _ = Command::new("dd")
                .args(["if=/dev/zero", &format!("of={}", file.display()), &format!("bs={block}")])
                .output();
        }
    }

    pub fn make_room(&self) {
        for block in ["64k", "4k", "1"] {
            std::fs::remove_file(self.0.join(format!("filler.{block}"))).unwrap();
        }
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}
