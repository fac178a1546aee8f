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

pub fn ssh_host_keys() -> Vec<PathBuf> {
    vec!["/etc/ssh/ssh_host_ed25519_key".into(), "/etc/ssh/ssh_host_ecdsa_key".into()]
}

pub fn cache() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let own = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")));
    own.map(|dir| dir.join("pcm"))
}
