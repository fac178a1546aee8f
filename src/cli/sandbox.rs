//! How the configuration of a demo is known, whoever reads it: what happens in its folder is nobody else's business, and
//! nothing outside of it is touched.

use crate::host::open;
use std::io::Read as _;
use std::path::Path;

/// The first line of a demo's configuration; nothing without it is ever removed.
pub const MARK: &str = "# The demo's machine. Everything of it is in this folder.";

/// Whether this file is there, and begins with [`MARK`].
pub fn is_marked(config: &Path) -> bool {
    let mut start = [0; MARK.len()];
    open::named(config).is_ok_and(|mut file| file.read_exact(&mut start).is_ok()) && start == *MARK.as_bytes()
}
