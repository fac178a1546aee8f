//! What Windows keeps beside files of a program that is installed: keys and values below `HKLM`, and the version in a
//! program's file. Elsewhere there is neither.

use super::sys;
use std::fs::File;
use std::path::Path;

/// What is under a name of the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(not(windows), expect(dead_code, reason = "only Windows has a registry"))]
pub enum Found {
    /// Nothing.
    Nothing,
    /// The key, where no value was asked for.
    Key,
    /// A value, as text: a number in digits.
    Text(String),
    /// A value of another kind.
    Other,
}

/// A key like `HKLM\SOFTWARE\Acme`, or a value of it, in the 64-bit view; where nothing is there, in the 32-bit one.
///
/// # Errors
/// Why it cannot be known.
pub fn value(key: &str, value: Option<&str>) -> Result<Found, String> {
    sys::registry::value(key, value)
}

/// The version that a program's file has in itself, as `4.0.1.0`; None: it has none, or none is known of such files here.
pub fn version_of(path: &Path, file: &File) -> Option<String> {
    sys::registry::version_of(path, file)
}
