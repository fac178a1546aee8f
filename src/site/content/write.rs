//! `pcm package content`: writes the list of a package's files.

use super::{Content, ContentFile, FILES, MAX_BYTES, MAX_FILES, NAME, check_path, hash_reader};
use crate::error::{Exit, Failure};
use crate::host::open;
use crate::site::instruction::ContentHash;
use std::collections::BTreeSet;
use std::path::Path;

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
    let root = package.join(FILES);
    let mut content = Content::default();
    let mut refused: Vec<String> = Vec::new();
    let mut folded = BTreeSet::new();
    for entry in walkdir::WalkDir::new(&root).follow_links(false).follow_root_links(false) {
        let entry = entry.map_err(|e| {
            let at = e.path().unwrap_or(&root).display().to_string();
            cannot(&at, &e.into_io_error().map_or_else(|| "a loop of links".to_owned(), |e| e.to_string()))
        })?;
        if entry.file_type().is_dir() {
            continue;
        }
        let path = match relative(&root, entry.path()) {
            Ok(path) => path,
            Err(why) => {
                refused.push(why);
                continue;
            }
        };
        if !folded.insert(path.to_lowercase()) {
            refused.push(format!("{path:?} differs from another name in case only"));
        }
        if content.files.len() == MAX_FILES {
            return Err(cannot(&root.display().to_string(), &format!("more than {MAX_FILES} files")));
        }
        match hash_file(entry.path()) {
            Ok((sha256, size)) => content.files.push(ContentFile { sha256, size, path }),
            Err(why) => refused.push(format!("{path}: {why}")),
        }
    }
    if !refused.is_empty() {
        return Err(cannot(&package.display().to_string(), &refused.join("; ")));
    }
    content.files.sort_by(|a, b| a.path.as_bytes().cmp(b.path.as_bytes()));
    let text = content.text();
    if text.len() as u64 > MAX_BYTES {
        return Err(cannot(&package.display().to_string(), "the paths of its files are too long in all"));
    }
    let list = package.join(NAME);
    open::Folder::open(package)
        .map_err(std::io::Error::from)
        .and_then(|folder| folder.replace(NAME, text.as_bytes()))
        .map_err(|e| cannot(&list.display().to_string(), &e.to_string()))?;
    Ok(Written {
        sha256: super::hash_bytes(text.as_bytes()),
        files: content.files.len(),
        bytes: content.bytes(),
    })
}

fn relative(root: &Path, path: &Path) -> Result<String, String> {
    let below = path.strip_prefix(root).unwrap_or(path);
    let mut names = Vec::new();
    for name in below {
        names.push(name.to_str().ok_or_else(|| format!("{} is not UTF-8", below.display()))?);
    }
    let joined = names.join("/");
    check_path(&joined)?;
    Ok(joined)
}

fn hash_file(path: &Path) -> Result<(ContentHash, u64), String> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|n| n.to_str())) else {
        return Err("it has no name".into());
    };
    let opened = open::Folder::open(folder).and_then(|folder| folder.file(name));
    let file = opened.map_err(|e| e.to_string())?;
    hash_reader(file.file).map_err(|e| e.to_string())
}

fn cannot(what: &str, why: &str) -> Failure {
    Failure::new(
        Exit::Failed,
        "content-not-written",
        format!("the list of files of {what} was not written: {why}"),
        "Correct what is named and run `pcm package content` again",
    )
}
