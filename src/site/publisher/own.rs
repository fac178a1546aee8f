//! What the site folder has of a release: its definition and signature, and the files that its list names. All of it is proven
//! before the first byte is written anywhere.

use crate::host::open::{Folder as Opened, OpenError, RegularFile, read_bounded};
use crate::site::content::{self, Content, ContentFile, Met, hash_bytes, hash_reader, parse_content, walk};
use crate::site::instruction::ContentHash;
use crate::site::package;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use toml::de::DeTable;

/// The signature beside a definition.
pub const SIGNATURE: &str = "package.toml.sig";
/// The largest that is read, in bytes.
pub const MAX_SIGNATURE: u64 = 4 << 10;

/// What stands in the folder of a package.
#[derive(Debug, Default)]
pub(super) struct Own {
    /// Its definition, where it is the one that is meant.
    pub definition: Option<Vec<u8>>,
    /// The signature beside that.
    pub signature: Option<Vec<u8>>,
    /// The number that the definition says, whichever it is.
    pub release: Option<u64>,
}

impl Own {
    /// Reads it; what cannot be read is not there.
    pub(super) fn read(dir: &Path, sha256: &ContentHash) -> Self {
        let read = |name: &str, limit: u64| {
            Opened::open(dir).and_then(|folder| read_bounded(&mut folder.file(name)?, limit)).ok()
        };
        let Some(bytes) = read(package::NAME, package::MAX_BYTES) else { return Self::default() };
        let release = release(&bytes);
        match hash_bytes(&bytes) == *sha256 {
            true => Self { definition: Some(bytes), signature: read(SIGNATURE, MAX_SIGNATURE), release },
            false => Self { release, ..Self::default() },
        }
    }
}

/// The number in a definition that may be anything else besides.
fn release(bytes: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(bytes).ok()?;
    let table = DeTable::parse(text.strip_prefix('\u{FEFF}').unwrap_or(text)).ok()?;
    table.get_ref().get("release")?.get_ref().as_integer()?.as_str().parse().ok()
}

/// The files of a package in the site folder.
#[derive(Debug)]
pub(super) struct Files {
    /// Of their list.
    pub hash: ContentHash,
    /// Its bytes.
    pub list: Vec<u8>,
    /// What it says.
    pub content: Content,
    /// The folder of the package.
    pub folder: PathBuf,
}

/// Why they cannot be published.
#[derive(Debug)]
pub(super) enum Lacking {
    /// They are not there: why, as a clause.
    Missing(String),
    /// This one is not what the list says.
    Differs(String),
}

impl Files {
    /// The files, where their list is this one and each is what it says.
    pub(super) fn find(dir: &Path, hash: &ContentHash) -> Result<Self, Lacking> {
        let (list, content, _) = listed(dir, hash).map_err(Lacking::Missing)?;
        if content.files.is_empty() {
            return Ok(Self { hash: hash.clone(), list, content, folder: dir.to_owned() });
        }
        let root = Opened::open(dir).and_then(|dir| dir.folder(content::FILES));
        let root = root.map_err(|_| Lacking::Missing(format!("there is no folder {}", content::FILES)))?;
        for file in &content.files {
            let found = open(&root, &file.path).map_err(|e| e.to_string()).and_then(|found| {
                let hashed = hash_reader(found.file).map_err(|e| e.to_string())?;
                if hashed == (file.sha256.clone(), file.size) { Ok(()) } else { Err("other bytes".into()) }
            });
            if found.is_err() {
                return Err(Lacking::Differs(root.path().join(&file.path).display().to_string()));
            }
        }
        Ok(Self { hash: hash.clone(), list, content, folder: dir.to_owned() })
    }
}

/// What in a package's folder is another than its list said when that was written; None: nothing, or its files are not here.
/// Files are read only where their time says that they could have changed since.
pub(super) fn changed(dir: &Path, hash: &ContentHash) -> Option<String> {
    let root = Opened::open(dir).and_then(|dir| dir.folder(content::FILES)).ok()?;
    let (content, written) = match listed(dir, hash) {
        Ok((_, content, written)) => (content, written),
        Err(_) => return Some(dir.join(content::NAME).display().to_string()),
    };
    let mut left: BTreeMap<&str, &ContentFile> =
        content.files.iter().map(|file| (file.path.as_str(), file)).collect();
    let shown = |path: &str| root.path().join(path).display().to_string();
    let seen = walk(&root, &mut |met| match met {
        Met::Folder(_) => Ok(()),
        Met::File(_, path, found) => match left.remove(path.as_str()) {
            Some(listed) if is_as(found, listed, written) => Ok(()),
            _ => Err(shown(&path)),
        },
        Met::Other(path, _) => Err(shown(&path)),
    });
    seen.err().or_else(|| left.keys().next().map(|path| shown(path)))
}

fn is_as(found: RegularFile, listed: &ContentFile, written: Option<SystemTime>) -> bool {
    if found.size != listed.size {
        return false;
    }
    let modified = found.modified().ok();
    match (modified, written) {
        (Some(modified), Some(written)) if modified < written => true,
        _ => hash_reader(found.file).is_ok_and(|(sha256, _)| sha256 == listed.sha256),
    }
}

/// The list with its bytes and the time at which it was written, where it is this one; or why there is none, as a clause.
fn listed(dir: &Path, hash: &ContentHash) -> Result<(Vec<u8>, Content, Option<SystemTime>), String> {
    let words = |e: OpenError| format!("{}: {e}", content::NAME);
    let mut file = Opened::open(dir).and_then(|folder| folder.file(content::NAME)).map_err(words)?;
    let written = file.modified().ok();
    let list = read_bounded(&mut file, content::MAX_BYTES).map_err(words)?;
    if hash_bytes(&list) != *hash {
        return Err(format!("{} there is another list", content::NAME));
    }
    let content = parse_content(&list).map_err(|e| e.to_string())?;
    Ok((list, content, written))
}

fn open(root: &Opened, path: &str) -> Result<RegularFile, OpenError> {
    let mut names: Vec<&str> = path.split('/').collect();
    let name = names.pop().unwrap_or_default();
    let mut at: Option<Opened> = None;
    for folder in names {
        at = Some(at.as_ref().unwrap_or(root).folder(folder)?);
    }
    at.as_ref().unwrap_or(root).file(name)
}
