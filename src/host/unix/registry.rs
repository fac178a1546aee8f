//! There is no registry here, and no version in a program file. Behind `host::registry`.

use crate::host::registry::Found;
use std::fs::File;
use std::path::Path;

pub fn value(_key: &str, _value: Option<&str>) -> Result<Found, String> {
    Err("this machine has no registry".to_owned())
}

pub fn version_of(_path: &Path, _file: &File) -> Option<String> {
    None
}
