//! Values as `pcm.toml` has them: for the defaults in the starter file and in the reference.

use crate::log::write::LogFormat;
use crate::site::ids::MachineId;
use crate::site::trust::TrustMode;
use crate::text::SafeText;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A value that can stand in the file.
pub(super) trait Written {
    /// As TOML; None: nothing to be written.
    fn written(&self) -> Option<String>;
}

/// A string with its quotes and escapes.
pub(super) fn string(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// A path as a string.
pub(super) fn path(path: &Path) -> String {
    string(&path.to_string_lossy())
}

/// Paths as an array.
pub(super) fn paths(paths: &[PathBuf]) -> String {
    array(paths.iter().map(|one| path(one)))
}

fn array(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(", "))
}

impl Written for Duration {
    /// In the largest unit that divides it; a single day is 24 hours.
    fn written(&self) -> Option<String> {
        let s = self.as_secs();
        Some(string(&match s {
            _ if s > 86_400 && s.is_multiple_of(86_400) => format!("{}d", s / 86_400),
            _ if s > 0 && s.is_multiple_of(3_600) => format!("{}h", s / 3_600),
            _ if s > 0 && s.is_multiple_of(60) => format!("{}m", s / 60),
            _ => format!("{s}s"),
        }))
    }
}

impl Written for u32 {
    fn written(&self) -> Option<String> {
        Some(self.to_string())
    }
}

/// A size in bytes.
impl Written for u64 {
    fn written(&self) -> Option<String> {
        Some(string(&match self {
            n if *n > 0 && n.is_multiple_of(1 << 30) => format!("{}GB", n >> 30),
            n if n.is_multiple_of(1 << 20) => format!("{}MB", n >> 20),
            n if n.is_multiple_of(1 << 10) => format!("{}KB", n >> 10),
            n => format!("{n}B"),
        }))
    }
}

impl Written for bool {
    fn written(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl Written for String {
    fn written(&self) -> Option<String> {
        Some(string(self))
    }
}

impl Written for SafeText {
    fn written(&self) -> Option<String> {
        Some(string(self.as_str()))
    }
}

impl Written for MachineId {
    fn written(&self) -> Option<String> {
        Some(string(self.as_str()))
    }
}

impl Written for PathBuf {
    fn written(&self) -> Option<String> {
        Some(path(self))
    }
}

impl Written for TrustMode {
    fn written(&self) -> Option<String> {
        Some(string(self.as_str()))
    }
}

impl Written for LogFormat {
    fn written(&self) -> Option<String> {
        Some(string(self.as_str()))
    }
}

impl<T: Written> Written for Option<T> {
    fn written(&self) -> Option<String> {
        self.as_ref().and_then(Written::written)
    }
}

impl<T: Written> Written for Vec<T> {
    fn written(&self) -> Option<String> {
        Some(array(self.iter().filter_map(Written::written)))
    }
}

/// A table of names.
impl Written for Vec<(String, String)> {
    fn written(&self) -> Option<String> {
        let pairs: Vec<String> =
            self.iter().map(|(key, value)| format!("{} = {}", string(key), string(value))).collect();
        Some(if pairs.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", pairs.join(", ")) })
    }
}
