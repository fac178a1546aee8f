//! A folder whose files become a package's.

use crate::host::open::{Folder, OpenError};
use crate::site::content::{MAX_FILES, Met, check_new_path, walk};
use crate::site::package::shelf::Brought;
use std::path::Path;

/// All files of a folder. What is no plain file is refused, not left out: a package without it would be another one.
///
/// # Errors
/// One of them is not, or has a name that no package has.
pub fn files(folder: &Path) -> Result<Vec<Brought>, String> {
    let mut files = Vec::new();
    let open = Folder::open(folder).map_err(|e| e.to_string())?;
    walk(&open, &mut |met| match met {
        Met::Folder(_) => Ok(()),
        Met::File(..) if files.len() == MAX_FILES => Err(format!("it holds more than {MAX_FILES} files")),
        Met::File(_, path, _) => {
            check_new_path(&path)?;
            files.push(Brought { base: folder.to_owned(), below: path.clone(), to: path });
            Ok(())
        }
        Met::Other(path, why) if path.is_empty() => Err(why),
        Met::Other(path, why) => Err(format!("{path}: {why}, and only plain files are copied")),
    })?;
    if files.is_empty() { Err("there is no file in it".into()) } else { Ok(files) }
}

/// The one file at the top of a folder that says what all of it is. None: there is none, and the publisher says it.
///
/// # Errors
/// Their names, where there are several.
pub(super) fn the_one(files: &[Brought]) -> Result<Option<&Brought>, Vec<&str>> {
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
        found.retain(|file| !begins_as_document(file));
        match found.as_slice() {
            [] => {}
            [one] => return Ok(Some(one)),
            several => return Err(several.iter().map(|f| f.to.as_str()).collect()),
        }
    }
    Ok(None)
}

fn begins_as_document(file: &Brought) -> bool {
    let mut start = [0; 5];
    let open = file.open();
    open.is_ok_and(|mut open| super::fill(&mut open.file, &mut start).is_ok() && &start == b"%PDF-")
}

/// A file for itself: `real` is where it is, `path` how it was named and is called in the package.
pub(super) fn file(real: &Path, path: &Path) -> Result<Brought, String> {
    let text = |path: &Path| path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
    let (Some(below), Some(to)) = (text(real), text(path)) else {
        return Err("its name is not UTF-8".into());
    };
    check_new_path(&to)?;
    let base = real.parent().ok_or_else(|| OpenError::NotRegular.to_string())?;
    Ok(Brought { base: base.to_owned(), below, to })
}
