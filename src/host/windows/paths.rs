//! The folders of a Windows installation (DESIGN.md 6), behind `host::paths`.

use crate::host::paths::Layout;
use std::path::{Path, PathBuf};

pub fn system() -> Layout {
    below(&program_data())
}

pub fn ssh_host_keys() -> Vec<PathBuf> {
    let ssh = program_data().join("ssh");
    vec![ssh.join("ssh_host_ed25519_key"), ssh.join("ssh_host_ecdsa_key")]
}

/// `ProgramData` is set for every process by the system; its usual place stands in where somebody took it away.
fn program_data() -> PathBuf {
    let data = std::env::var_os("ProgramData").filter(|v| !v.is_empty()).map(PathBuf::from);
    data.unwrap_or_else(|| PathBuf::from(r"C:\ProgramData"))
}

pub fn cache() -> Option<PathBuf> {
    let own = std::env::var_os("LOCALAPPDATA").map(PathBuf::from).filter(|path| path.is_absolute());
    own.map(|dir| dir.join("pcm").join("cache"))
}

fn below(program_data: &Path) -> Layout {
    let pcm = program_data.join("pcm");
    Layout {
        config: pcm.join("pcm.toml"),
        state: pcm.join("state"),
        log: pcm.join("log"),
        socket: r"\\.\pipe\pcm".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_below_program_data() {
        let layout = below(Path::new(r"D:\Data"));
        assert_eq!(layout.config, Path::new(r"D:\Data\pcm\pcm.toml"));
        assert_eq!(layout.state, Path::new(r"D:\Data\pcm\state"));
        assert_eq!(layout.log, Path::new(r"D:\Data\pcm\log"));
        assert_eq!(layout.trust_folder(None), Path::new(r"D:\Data\pcm\trust.d"));
        assert_eq!(layout.socket, Path::new(r"\\.\pipe\pcm"));
    }
}
