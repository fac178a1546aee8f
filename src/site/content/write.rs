//! `pcm package content`: writes the list of a package's files.

use super::walk::{Met, walk};
use super::{Content, ContentFile, FILES, MAX_BYTES, MAX_FILES, NAME, check_new_path, hash_reader};
use crate::error::{Exit, Failure};
use crate::host::open::Folder;
use crate::site::instruction::ContentHash;
use std::collections::BTreeSet;
use std::path::Path;

/// So much of what cannot be published is told at once.
const TOLD: usize = 20;

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The hash of `CONTENT`, for `content_sha256`.
    pub sha256: ContentHash,
    /// How many files.
    pub files: usize,
    /// All their bytes.
    pub bytes: u64,
}

/// Hashes everything in `files` of a package's folder and writes `CONTENT` beside it. Folders without files are not
/// published.
///
/// # Errors
/// Everything that cannot be published, in one message: links, pipes, names that another system would not read the
/// same; or what could not be read or written.
pub fn write_content(package: &Path) -> Result<Written, Failure> {
    let folder = Folder::open(package).map_err(|e| cannot(&package.display().to_string(), &e.to_string()))?;
    write_list(&folder)
}

/// The same for an open folder.
///
/// # Errors
/// As [`write_content`].
pub fn write_list(package: &Folder) -> Result<Written, Failure> {
    let (text, written) = list(package)?;
    let at = || package.path().join(NAME).display().to_string();
    package.replace(NAME, text.as_bytes()).map_err(|e| cannot(&at(), &e.to_string()))?;
    Ok(written)
}

/// The text that would be written, and what it says.
///
/// # Errors
/// As [`write_content`].
pub fn list(package: &Folder) -> Result<(String, Written), Failure> {
    let here = package.path().display().to_string();
    let at = |name: &str| package.path().join(name).display().to_string();
    let root = package.folder(FILES).map_err(|e| cannot(&at(FILES), &e.to_string()))?;
    let mut content = Content::default();
    let mut refused: Vec<String> = Vec::new();
    let mut folded = BTreeSet::new();
    walk(&root, &mut |met| {
        let (path, file) = match met {
            Met::Folder(_) => return Ok(()),
            Met::File(_, path, file) => (path, file),
            Met::Other(path, why) => {
                refused.push(format!("{path}: {why}"));
                return Ok(());
            }
        };
        if let Err(why) = check_new_path(&path) {
            refused.push(why);
            return Ok(());
        }
        if !folded.insert(path.to_lowercase()) {
            refused.push(format!("{path:?} differs from another name in case only"));
        }
        if content.files.len() == MAX_FILES {
            return Err(cannot(&at(FILES), &format!("more than {MAX_FILES} files")));
        }
        match hash_reader(file.file) {
            Ok((sha256, size)) => content.files.push(ContentFile { sha256, size, path }),
            Err(e) => refused.push(format!("{path}: {e}")),
        }
        Ok(())
    })?;
    if !refused.is_empty() {
        let more = refused.len().saturating_sub(TOLD);
        refused.truncate(TOLD);
        let more = if more == 0 { String::new() } else { format!("; and {more} more") };
        return Err(cannot(&here, &format!("{}{more}", refused.join("; "))));
    }
    content.files.sort_by(|a, b| a.path.as_bytes().cmp(b.path.as_bytes()));
    let text = content.text();
    if text.len() as u64 > MAX_BYTES {
        return Err(cannot(&here, "the paths of its files are too long in all"));
    }
    let sha256 = super::hash_bytes(text.as_bytes());
    Ok((text, Written { sha256, files: content.files.len(), bytes: content.bytes() }))
}

fn cannot(what: &str, why: &str) -> Failure {
    Failure::new(
        Exit::Failed,
        "content-not-written",
        format!("the list of files of {what} was not written: {why}"),
        "Correct what is named and run `pcm package content` again",
    )
}
