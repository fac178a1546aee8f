//! A folder whose files become a package's.

use crate::site::content::{MAX_FILES, check_path};
use crate::site::package::shelf::Brought;
use std::path::Path;

/// The deepest folder of what is brought.
const MAX_DEPTH: usize = 64;

/// All files of a folder. What is no plain file is refused, not left out: a package without it would be another one.
pub(super) fn files(folder: &Path) -> Result<Vec<Brought>, String> {
    let mut files = Vec::new();
    let walk = walkdir::WalkDir::new(folder).follow_links(false).max_depth(MAX_DEPTH + 1).sort_by_file_name();
    for entry in walk {
        let entry = entry.map_err(|e| e.to_string())?;
        let shown = entry.path().display();
        if entry.depth() > MAX_DEPTH {
            return Err(format!("{shown} is deeper than {MAX_DEPTH} folders"));
        }
        if entry.file_type().is_dir() {
            continue;
        }
        if !entry.file_type().is_file() {
            return Err(format!("{shown} is a link, a pipe or a device, and only plain files are copied"));
        }
        if files.len() == MAX_FILES {
            return Err(format!("it holds more than {MAX_FILES} files"));
        }
        let below = entry.path().strip_prefix(folder).unwrap_or(entry.path());
        let names: Option<Vec<&str>> = below.iter().map(|name| name.to_str()).collect();
        let to = names.ok_or_else(|| format!("the name of {shown} is not UTF-8"))?.join("/");
        check_path(&to)?;
        files.push(Brought { from: entry.path().to_owned(), to });
    }
    if files.is_empty() { Err("there is no file in it".into()) } else { Ok(files) }
}

/// The one file at the top of a folder that says what all of it is. None: there is none, and the publisher says it.
pub(super) fn the_one(folder: &Path, files: &[Brought]) -> Result<Option<std::path::PathBuf>, String> {
    let of = |kinds: &[&str]| -> Vec<&Brought> {
        let has = |file: &&Brought| {
            let end = Path::new(&file.to).extension().and_then(|e| e.to_str()).unwrap_or_default();
            !file.to.contains('/') && kinds.iter().any(|kind| end.eq_ignore_ascii_case(kind))
        };
        files.iter().filter(has).collect()
    };
    // A definition speaks of what lies beside it.
    for kinds in [&["sms", "pdf"][..], &["deb", "rpm", "msi"]] {
        let mut found = of(kinds);
        // A document of Adobe's format may lie there, too.
        found.retain(|file| !begins_as_document(&file.from));
        match found.as_slice() {
            [] => {}
            [one] => return Ok(Some(folder.join(&one.to))),
            several => {
                let names: Vec<&str> = several.iter().take(5).map(|f| f.to.as_str()).collect();
                return Err(format!(
                    "it holds several that say what it is ({}): import one of them, or each for itself",
                    names.join(", ")
                ));
            }
        }
    }
    Ok(None)
}

fn begins_as_document(path: &Path) -> bool {
    let mut start = [0; 5];
    let open = super::open_plain(path);
    open.is_ok_and(|mut open| super::fill(&mut open.file, &mut start).is_ok() && &start == b"%PDF-")
}

/// What a file is called in the package.
pub(super) fn file_name(path: &Path) -> Result<String, String> {
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| "its name is not UTF-8".to_owned())?;
    check_path(name)?;
    Ok(name.to_owned())
}
