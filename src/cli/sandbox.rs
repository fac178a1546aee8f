//! How the configuration of a demo is known, whoever reads it: what happens in its folder is nobody else's business, and
//! nothing outside of it is touched.

use crate::host::open;
use crate::host::paths::Layout;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// The first line of a demo's configuration; nothing without it is ever removed.
pub const MARK: &str = "# The demo's machine. Everything of it is in this folder.";

/// Whether this file is there, and begins with [`MARK`].
pub fn is_marked(config: &Path) -> bool {
    let mut start = [0; MARK.len()];
    open::named(config).is_ok_and(|mut file| file.read_exact(&mut start).is_ok()) && start == *MARK.as_bytes()
}

/// Whether this installation is a demo's: its configuration is marked, and its state is in the same folder. The system's own
/// installation never is: people are told of a real machine, whatever was copied to the place of its configuration.
pub fn is_demo(layout: &Layout) -> bool {
    is_demo_beside(layout, &Layout::system())
}

fn is_demo_beside(layout: &Layout, system: &Layout) -> bool {
    // On Windows its state is below the folder of its configuration, too.
    if layout.config == system.config || layout.state == system.state {
        return false;
    }
    // What is not there yet is where its folder is.
    let real = |path: &Path| -> Option<PathBuf> { path.ancestors().find_map(|at| at.canonicalize().ok()) };
    let folder = || layout.config.parent()?.canonicalize().ok();
    let is_below = || Some(real(&layout.state)?.starts_with(folder()?));
    is_marked(&layout.config) && is_below().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;

    #[test]
    fn a_demo_is_marked_and_has_its_state_beside_the_mark() {
        let dir = tempfile::tempdir().unwrap();
        let layout = |config: &str, state: &str| {
            let (config, state) = (dir.path().join(config), dir.path().join(state));
            Layout { config, log: state.join("log"), socket: state.join("pcm.sock"), state }
        };
        for folder in ["demo", "etc/pcm"] {
            fs::create_dir_all(dir.path().join(folder)).unwrap();
            fs::write(dir.path().join(folder).join("pcm.toml"), format!("{MARK}\n")).unwrap();
        }
        let demo = layout("demo/pcm.toml", "demo/state");
        assert!(is_demo(&demo), "before it has a state");
        fs::create_dir(&demo.state).unwrap();
        assert!(is_demo(&demo));
        // Its file was copied to a machine, whose state is elsewhere, or will be.
        for state in ["demo/state", "demo-state", "var/lib/pcm"] {
            assert!(!is_demo(&layout("etc/pcm/pcm.toml", state)), "{state}");
        }
        fs::create_dir_all(dir.path().join("var/lib/pcm")).unwrap();
        assert!(!is_demo(&layout("etc/pcm/pcm.toml", "var/lib/pcm")));
        assert!(!is_demo(&layout("demo/pcm.toml", "demo-state")), "the demo's file with another state");
        // Nor is the system's own, where its state is in the same folder.
        assert!(!is_demo_beside(&demo, &demo));
        for system in [layout("demo/pcm.toml", "var/lib/pcm"), layout("etc/pcm/pcm.toml", "demo/state")] {
            assert!(!is_demo_beside(&demo, &system), "a part of it is the system's");
        }
        fs::write(&demo.config, "machine = \"DEM00001\"\n").unwrap();
        assert!(!is_demo(&demo), "it is not marked");
    }
}
