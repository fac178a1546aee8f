//! Everything below an open folder, opened name by name, so that no link is followed on the way.

use super::{MAX_DEPTH, MAX_FILES};
use crate::host::open::{Folder, OpenError, RegularFile};

/// What is met; paths are relative, with `/`.
#[derive(Debug)]
pub enum Met<'a> {
    /// A folder, before what is in it; the first is where the walk begins.
    Folder(&'a Folder),
    /// A file, and the folder that it stands in.
    File(&'a Folder, String, RegularFile),
    /// What is neither, or cannot be read; and why.
    Other(String, String),
}

/// Shows everything below a folder, sorted by name in each, and ends where `see` says so.
///
/// # Errors
/// What `see` returned.
pub fn walk<E>(folder: &Folder, see: &mut dyn FnMut(Met<'_>) -> Result<(), E>) -> Result<(), E> {
    below(folder, "", 1, see)
}

fn below<E>(
    folder: &Folder,
    path: &str,
    depth: usize,
    see: &mut dyn FnMut(Met<'_>) -> Result<(), E>,
) -> Result<(), E> {
    see(Met::Folder(folder))?;
    let mut names = match folder.names(MAX_FILES) {
        Ok(names) => names,
        Err(e) => return see(Met::Other(path.trim_end_matches('/').to_owned(), e.to_string())),
    };
    names.sort();
    for name in names {
        let shown = format!("{path}{}", name.to_string_lossy());
        let Some(name) = name.to_str() else {
            see(Met::Other(shown, "its name is not UTF-8".into()))?;
            continue;
        };
        let opened = folder.file(name);
        match opened {
            Ok(file) => see(Met::File(folder, shown, file))?,
            Err(OpenError::NotRegular) => match folder.folder(name) {
                // As deep as a path of the list may be.
                Ok(_) if depth == MAX_DEPTH => {
                    see(Met::Other(shown, format!("it is deeper than {MAX_DEPTH} folders")))?;
                }
                Ok(inner) => below(&inner, &format!("{shown}/"), depth + 1, see)?,
                Err(_) => see(Met::Other(shown, OpenError::NotRegular.to_string()))?,
            },
            Err(e) => see(Met::Other(shown, e.to_string()))?,
        }
    }
    Ok(())
}
