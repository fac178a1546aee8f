//! Programs and environment on Linux, behind `host::programs`.

use std::path::PathBuf;

pub const DEFAULT: &[&str] = &["dpkg", "rpm", "apt-get", "dnf"];

const FOLDERS: [&str; 6] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

pub fn folders() -> Vec<PathBuf> {
    FOLDERS.iter().map(PathBuf::from).collect()
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
