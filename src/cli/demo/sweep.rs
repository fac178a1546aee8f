//! Removes a demo's folder once its last package has ended: a process of its own, so that whoever leaves the demo has
//! the terminal back at once.

use super::{PREFIX, running};
use crate::cli::sandbox;
use crate::error::{Exit, Failure, Result};
use crate::host::paths::Layout;
use crate::host::process::spawn_detached;
use std::path::Path;
use std::time::{Duration, Instant};

/// No package of the demo may run longer than this.
const LIMIT: Duration = Duration::from_secs(3 * 3600);

/// Starts it and leaves it alone.
pub fn start(folder: &Path) -> std::io::Result<()> {
    let exe = std::env::current_exe()?;
    spawn_detached(&exe, &["demo-sweep".into(), folder.as_os_str().to_owned()]).map(drop)
}

/// The hidden verb: waits, then removes. Anything that is not a demo's folder is left alone.
pub fn main(folder: &Path) -> Result<Exit> {
    let refuse = |why: String| Failure::new(Exit::Failed, "demo", why, "Remove it by hand");
    let named = folder.file_name().is_some_and(|n| n.to_string_lossy().starts_with(PREFIX));
    if !named || !sandbox::is_marked(&folder.join("pcm.toml")) {
        return Err(refuse(format!("{} is not the folder of a demo", folder.display())));
    }
    let layout = Layout {
        config: folder.join("pcm.toml"),
        state: folder.join("state"),
        log: folder.join("log"),
        socket: folder.join("state").join("pcm.sock"),
    };
    let start = Instant::now();
    while running(&layout) > 0 {
        if start.elapsed() > LIMIT {
            return Err(refuse(format!("something still runs in {}", folder.display())));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    std::fs::remove_dir_all(folder)
        .map_err(|e| refuse(format!("cannot remove {}: {e}", folder.display())))?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_the_folder_of_a_demo_is_removed() {
        let other = tempfile::tempdir().unwrap();
        assert!(main(other.path()).is_err() && other.path().exists());
        let named = tempfile::Builder::new().prefix(PREFIX).tempdir().unwrap();
        assert!(main(named.path()).is_err() && named.path().exists());
        std::fs::write(named.path().join("pcm.toml"), format!("{}\n", sandbox::MARK)).unwrap();
        assert!(main(named.path()).is_ok() && !named.path().exists());
    }
}
