//! Programs and environment on Windows, behind `host::programs`.

use std::io;
use std::path::{Path, PathBuf};

pub const DEFAULT: &[&str] = &["msiexec.exe"];

/// The system folder as the loader knows it; `SystemRoot` is set for every process by the system itself.
fn root() -> String {
    std::env::var("SystemRoot").unwrap_or_else(|_| r"C:\Windows".into())
}

pub fn folders() -> Vec<PathBuf> {
    vec![PathBuf::from(root()).join("System32"), PathBuf::from(root())]
}

pub fn write_probe(folder: &Path) -> io::Result<PathBuf> {
    let path = folder.join("probe.exe");
    std::fs::copy(PathBuf::from(root()).join("System32").join("hostname.exe"), &path)?;
    Ok(path)
}

pub fn environment() -> Vec<(String, String)> {
    let root = root();
    let mut environment = vec![
        ("SystemRoot".to_owned(), root.clone()),
        ("windir".to_owned(), root.clone()),
        ("PATH".to_owned(), format!(r"{root}\System32;{root};{root}\System32\Wbem")),
        ("TEMP".to_owned(), format!(r"{root}\Temp")),
        ("TMP".to_owned(), format!(r"{root}\Temp")),
    ];
    // Installers do not start without these.
    for name in [
        "ComSpec",
        "PATHEXT",
        "ProgramData",
        "ProgramFiles",
        "ProgramFiles(x86)",
        "SystemDrive",
        "PROCESSOR_ARCHITECTURE",
    ] {
        if let Ok(value) = std::env::var(name) {
            environment.push((name.to_owned(), value));
        }
    }
    environment
}
