//! The folders of a Linux installation (DESIGN.md 6), behind `host::paths`.

use crate::host::paths::Layout;
use std::path::PathBuf;

pub fn system() -> Layout {
    Layout {
        config: "/etc/pcm/pcm.toml".into(),
        state: "/var/lib/pcm".into(),
        log: "/var/log/pcm".into(),
        socket: "/run/pcm/pcm.sock".into(),
    }
}

pub fn host_key() -> PathBuf {
    "/etc/ssh/ssh_host_ed25519_key".into()
}
