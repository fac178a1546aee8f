//! Programs and environment on Linux, behind `host::programs`.

use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

pub const DEFAULT: &[&str] = &["dpkg", "rpm", "apt-get", "dnf"];

const FOLDERS: [&str; 6] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

pub fn folders() -> Vec<PathBuf> {
    FOLDERS.iter().map(PathBuf::from).collect()
}

pub fn write_probe(folder: &Path) -> io::Result<PathBuf> {
    let path = folder.join("probe");
    let mut file = std::fs::File::options().write(true).create_new(true).mode(0o755).open(&path)?;
    file.write_all(b"#!/bin/sh\nexit 0\n")?;
    crate::host::open::make_runnable(&file)?;
    Ok(path)
}

pub fn environment() -> Vec<(String, String)> {
    [
        ("PATH", FOLDERS.join(":").as_str()),
        ("LANG", "C.UTF-8"),
        ("HOME", "/"),
        ("DEBIAN_FRONTEND", "noninteractive"),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .to_vec()
}
