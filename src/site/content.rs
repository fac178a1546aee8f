//! The files of a package: `CONTENT` lists them (FORMATS.md 1), `stage` copies them to a private folder of this machine
//! and proves each one by its hash while it is copied, `verify_staged` proves them again directly before a launch (P11).
//! In the stage folder stand `<sha256>/` with the files and `<sha256>.CONTENT` with the list they were proven by.

use super::instruction::ContentHash;
use crate::host::open;
use crate::text::SafeText;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Read;
use std::path::{Path, PathBuf};

mod pace;
mod program;
mod seal;
mod stage;
mod stands;
mod walk;
mod write;

pub use pace::Pace;
pub use program::{Target, startable};
pub use seal::{Seal, seal};
pub use stage::{NotStaged, Shelf, find_staged, is_staged, offered, put_away_staged, stage, verify_staged};
pub use stands::{Stands, stands_still};
pub use walk::{Met, walk};
pub use write::{Written, list, write_content, write_list};

/// Its name beside `package.toml`.
pub const NAME: &str = "CONTENT";
/// The folder beside it that holds the files.
pub const FILES: &str = "files";
/// The largest list that is read, in bytes.
pub const MAX_BYTES: u64 = 32 << 20;
/// The most files of one package.
pub const MAX_FILES: usize = 100_000;
/// The longest path, in bytes, and the deepest, in folders: what every file system here can hold below a stage.
const MAX_PATH: usize = 1_024;
const MAX_DEPTH: usize = 64;

/// One file of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentFile {
    /// SHA-256 in lower-case hex.
    pub sha256: ContentHash,
    /// In bytes.
    pub size: u64,
    /// With `/`, relative to `files`.
    pub path: String,
}

/// The files of a package, sorted by the bytes of their paths.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Content {
    /// Sorted, without duplicates.
    pub files: Vec<ContentFile>,
}

/// The state of a content on this machine. Absent from the map: not staged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ContentFact {
    /// Copied and verified.
    Staged,
    /// Could not be copied; why.
    Missing(SafeText),
    /// What the share holds differs from what was published; where.
    Mismatch(SafeText),
    /// Somebody else could have written the package's files.
    Loose(SafeText),
}

/// A line of `CONTENT` that cannot be accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("CONTENT line {line}: {why}")]
pub struct BadContent {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong.
    pub why: String,
}

impl Content {
    /// All bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|f| f.size).sum()
    }

    /// The text of the list.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for file in &self.files {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{} {} {}", file.sha256.as_str(), file.size, file.path);
        }
        text
    }
}

/// Reads the list. Everything that could lead out of a folder, or mean one file twice, is refused.
///
/// # Errors
/// The first line that is refused.
pub fn parse_content(bytes: &[u8]) -> Result<Content, BadContent> {
    let bad = |line: usize, why: String| BadContent { line, why };
    let text = std::str::from_utf8(bytes).map_err(|e| {
        let line = 1 + bytes[..e.valid_up_to()].iter().filter(|b| **b == b'\n').count();
        bad(line, "it is not UTF-8".into())
    })?;
    let mut content = Content::default();
    let mut total = 0_u64;
    let mut folded = BTreeSet::new();
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        let Some(line) = line.strip_suffix('\n') else {
            return Err(bad(number, "it is cut off".into()));
        };
        if number > MAX_FILES {
            return Err(bad(number, format!("more than {MAX_FILES} files")));
        }
        let file = parse_line(line).map_err(|why| bad(number, why))?;
        let before = content.files.last().map(|before| before.path.as_bytes());
        if before.is_some_and(|before| file.path.as_bytes() <= before) {
            return Err(bad(number, "the paths are not sorted by their bytes, each once".into()));
        }
        if open::NAMES_WITHOUT_CASE && !folded.insert(file.path.to_lowercase()) {
            return Err(bad(number, format!("{:?} differs from another path in case only", file.path)));
        }
        total = total.checked_add(file.size).ok_or_else(|| bad(number, "the sizes are too large".into()))?;
        content.files.push(file);
    }
    // A file cannot be a folder, too. Sorted by bytes they need not be neighbours: "a", "a-b", "a/c".
    let names: BTreeSet<&str> = content.files.iter().map(|f| f.path.as_str()).collect();
    for (number, file) in (1..).zip(&content.files) {
        let mut above = file.path.as_str();
        while let Some((folder, _)) = above.rsplit_once('/') {
            if names.contains(folder) {
                return Err(bad(number, format!("{folder:?} is a file and a folder")));
            }
            above = folder;
        }
    }
    Ok(content)
}

fn parse_line(line: &str) -> Result<ContentFile, String> {
    let mut parts = line.splitn(3, ' ');
    let (Some(hash), Some(size), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
        return Err("wanted a hash, a size and a path with single blanks between them".into());
    };
    let sha256 = ContentHash::try_from(hash.to_owned()).map_err(|why| format!("the hash: {why}"))?;
    let number = size.parse::<u64>().ok().filter(|n| n.to_string() == size);
    let size = number.ok_or("the size is not a plain decimal number")?;
    check_path(path)?;
    Ok(ContentFile { sha256, size, path: path.to_owned() })
}

/// Refuses every path that is not plainly below a folder, on any system.
pub(crate) fn check_path(path: &str) -> Result<(), String> {
    let shown = crate::fields::cut(path, 80);
    if path.len() > MAX_PATH {
        return Err(format!("the path is longer than {MAX_PATH} bytes"));
    }
    if path.split('/').count() > MAX_DEPTH {
        return Err(format!("the path is deeper than {MAX_DEPTH} folders"));
    }
    if path.chars().any(|c| c.is_control() || c == '\\' || c == ':') {
        return Err(format!("{shown:?} contains a control character, a backslash or a colon"));
    }
    for name in path.split('/') {
        if name.is_empty() || name == "." || name == ".." {
            return Err(format!("{shown:?} is not a plain relative path"));
        }
        if name.len() > 255 {
            return Err(format!("a name of {shown:?} is longer than 255 bytes"));
        }
        if open::refused_name(name) {
            return Err(format!("{shown:?} contains a name that means something else on this system"));
        }
    }
    Ok(())
}

/// The same for a path that is published now: it has to look like what it is, wherever it is shown.
pub(crate) fn check_new_path(path: &str) -> Result<(), String> {
    check_path(path)?;
    if SafeText::new(path).as_str() == path {
        Ok(())
    } else {
        let shown = crate::fields::cut(path, 80);
        Err(format!("{shown:?} contains a character that cannot be shown as it is; rename it"))
    }
}

/// The SHA-256 of some bytes.
pub fn hash_bytes(bytes: &[u8]) -> ContentHash {
    hash_of(Sha256::new_with_prefix(bytes))
}

/// The SHA-256 of several, one after the other.
pub fn digest(parts: &[&[u8]]) -> [u8; 32] {
    parts.iter().fold(Sha256::new(), |hasher, part| hasher.chain_update(part)).finalize().into()
}

/// The SHA-256 and the number of all bytes that a reader gives.
pub(crate) fn hash_reader(mut from: impl Read) -> std::io::Result<(ContentHash, u64)> {
    let mut hasher = Sha256::new();
    let mut size = 0;
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = from.read(&mut buffer)?;
        if read == 0 {
            return Ok((hash_of(hasher), size));
        }
        hasher.update(&buffer[..read]);
        size += read as u64;
    }
}

pub(crate) fn hash_of(hasher: Sha256) -> ContentHash {
    let hex = hasher.finalize().iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    // Always 64 lower-case digits; a length that is wrong would be a defect of the library.
    ContentHash::try_from(hex).unwrap_or_else(|_| unreachable!("a SHA-256 has 32 bytes"))
}

fn list_path(stage_root: &Path, hash: &ContentHash) -> PathBuf {
    stage_root.join(format!("{}.{NAME}", hash.as_str()))
}

fn words(text: impl AsRef<str>) -> SafeText {
    SafeText::new(text.as_ref())
}

#[cfg(test)]
mod tests;
