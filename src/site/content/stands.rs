//! How a package's list and one of its files stand on the share, as far as that can be told without reading them. While
//! they stand as they did when a copy failed over them, another copy would fail over them again.

use super::stage::{Shelf, Source, folder};
use super::{ContentFact, FILES, NAME};
use crate::host::open::{Folder, OpenError, RegularFile};
use crate::site::instruction::ContentHash;
use crate::site::trust::Judge;
use crate::text::SafeText;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The list, and the file over which a copy failed. The words are compared and never shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stands {
    list: SafeText,
    /// Its path as in the list; None: it was the list itself.
    file: Option<(String, SafeText)>,
}

/// Whether everything stands as it did. Nothing is read; may hang with the share.
pub fn stands_still(share: &Path, at: Shelf, hash: &ContentHash, then: &Stands, judge: &Judge) -> bool {
    let path = then.file.as_ref().map(|(path, _)| path.as_str());
    Source::open(share, at, hash, judge).is_ok_and(|source| Stands::now(&source, path) == *then)
}

impl Stands {
    /// As it is now.
    pub(super) fn now(source: &Source<'_>, path: Option<&str>) -> Self {
        let list = match source.package.file(NAME) {
            Ok(file) => words(source.way_is_tight(&file).map(|()| file)),
            Err(e) => seen(&e.to_string()),
        };
        Self { list, file: path.map(|path| (path.to_owned(), words(open(source, path)))) }
    }
}

/// A file of the package, judged on the way to it as it is when it is copied.
fn open(source: &Source<'_>, path: &str) -> Result<RegularFile, ContentFact> {
    let missing = |above: &Folder, e: &OpenError| {
        ContentFact::Missing(seen(&format!("{}: {e}", above.path().display())))
    };
    let mut above = folder(&source.package, FILES)?;
    source.is_tight(&above, None)?;
    let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
    for next in folders.split('/').filter(|name| !name.is_empty()) {
        above = folder(&above, next)?;
        source.is_tight(&above, None)?;
    }
    let file = above.file(name).map_err(|e| missing(&above, &e))?;
    source.is_tight(&above, Some(&file))?;
    Ok(file)
}

fn words(opened: Result<RegularFile, ContentFact>) -> SafeText {
    match opened {
        Ok(file) => {
            let changed = file.mark().ok();
            seen(&format!("{} bytes, {changed:?}", file.size))
        }
        Err(fact) => seen(&format!("{fact:?}")),
    }
}

fn seen(words: &str) -> SafeText {
    SafeText::new(words)
}
