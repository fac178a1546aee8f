//! Programs and environment of packages: the bare names that may be started, where the system keeps them, and the clean
//! environment that a package gets. The executor and the run host call it.

use super::sys;
use std::io;
use std::path::{Path, PathBuf};

/// The bare names that may be started: the platform's own (FORMATS.md 3) and `[execute] programs`. Never a shell.
pub fn allowed(configured: &[String]) -> Vec<String> {
    sys::programs::DEFAULT.iter().map(|name| (*name).to_owned()).chain(configured.iter().cloned()).collect()
}

/// Where the system keeps a program of this name: its own folders only, whatever `PATH` says.
pub fn find(name: &str) -> Option<PathBuf> {
    if name.is_empty() || name.contains(['/', '\\', ':']) || name.starts_with('.') {
        return None;
    }
    sys::programs::folders().into_iter().map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// The folders in which the system keeps its programs.
pub fn folders() -> Vec<PathBuf> {
    sys::programs::folders()
}

/// Whether a program of the system can be started: by its path, or by a bare name that is looked for in the system's own
/// folders. Only root may be able to write it (Windows: that is not looked at).
///
/// # Errors
/// Why not, as a clause.
pub fn system(name: &str) -> Result<(), String> {
    let path = if Path::new(name).is_absolute() { Some(PathBuf::from(name)) } else { find(name) };
    let path = path.ok_or_else(|| "it is in none of the system's program folders".to_owned())?;
    match std::fs::metadata(&path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Err("it does not exist".into()),
        Err(e) => return Err(e.to_string()),
        Ok(found) if !found.is_file() => return Err("it is not a file".into()),
        Ok(_) => {}
    }
    super::perms::check_systems(&path).map_err(|loose| loose.why)
}

/// Puts a program that ends with success into a folder, to try whether programs can be started there.
///
/// # Errors
/// It cannot be written.
pub fn write_probe(folder: &Path) -> io::Result<PathBuf> {
    sys::programs::write_probe(folder)
}

/// What every package finds in its environment besides the `PCM_` variables: nothing is inherited.
pub fn clean_environment() -> Vec<(String, String)> {
    sys::programs::environment()
}
