//! Names of files: patterns to paths, and what stands beside a file. Bounded, because folders can be hostile.

use crate::log::search::wildcard;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};

/// So many names of a folder are gone through, and so many of those that are wanted are looked at.
const MOST_ENTRIES: usize = if cfg!(test) { 3_000 } else { 100_000 };
const MOST_NAMES: usize = if cfg!(test) { 2_000 } else { 10_000 };
/// What is said of a folder that has more.
pub const TOO_MANY: &str = "it holds too many files: not all of them are looked at";
/// What log rotation packs is not text any more.
const PACKED: [&str; 6] = ["gz", "bz2", "xz", "zst", "zip", "7z"];

/// Paths in whose file name `*` stands for anything.
pub struct Patterns(Vec<PathBuf>);

impl Patterns {
    /// Of these paths. In the folder where this process is `./NAME` is `NAME`: a file has one path.
    pub fn new<P: AsRef<Path>>(patterns: &[P]) -> Self {
        let without_dot = |path: &Path| match path.strip_prefix(".") {
            Ok(rest) if !rest.as_os_str().is_empty() => rest.to_owned(),
            _ => path.to_owned(),
        };
        Self(patterns.iter().map(|pattern| without_dot(pattern.as_ref())).collect())
    }

    /// The names without `*`.
    pub fn plain(&self) -> impl Iterator<Item = &PathBuf> {
        self.0.iter().filter(|path| !path.to_string_lossy().contains('*'))
    }

    /// The folders that they name files of, each once.
    pub fn folders(&self) -> Vec<PathBuf> {
        let mut folders: Vec<PathBuf> =
            self.0.iter().filter_map(|path| path.parent()).map(Path::to_owned).collect();
        folders.sort();
        folders.dedup();
        folders
    }

    /// Whether one of them stands for this path.
    pub fn name(&self, path: &Path) -> bool {
        let name =
            |path: &Path| path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        self.0
            .iter()
            .any(|pattern| pattern.parent() == path.parent() && wildcard(&name(pattern), &name(path)))
    }

    /// What they name at the moment, in order, each once; and what is wrong with the patterns. A plain name is listed
    /// whether the file exists or not.
    pub fn paths(&self) -> (Vec<PathBuf>, Vec<(PathBuf, String)>) {
        let (mut paths, mut problems) = (Vec::new(), Vec::new());
        for pattern in &self.0 {
            let name = pattern.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            let folder = pattern.parent().unwrap_or(Path::new(""));
            if folder.to_string_lossy().contains('*') {
                problems
                    .push((pattern.clone(), "only the name of the file may hold *, not a folder".to_owned()));
            } else if name.contains('*') {
                match names_in(listed(folder), |n| wildcard(&name, n) && !is_packed(n)) {
                    Ok((names, all)) => {
                        paths.extend(names.into_iter().map(|n| folder.join(n)));
                        if !all {
                            problems.push((pattern.clone(), TOO_MANY.to_owned()));
                        }
                    }
                    // A folder that will be made later.
                    Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
                    Err(e) => problems.push((pattern.clone(), e.to_string())),
                }
            } else {
                paths.push(pattern.clone());
            }
        }
        let mut seen = HashSet::new();
        paths.retain(|path| seen.insert(path.clone()));
        (paths, problems)
    }
}

/// Files beside `path` whose names begin as its own does: where rotation puts copies.
pub fn siblings(path: &Path) -> Vec<PathBuf> {
    let (Some(folder), Some(stem)) = (path.parent(), path.file_stem()) else { return Vec::new() };
    let mut stems = Stems::default();
    stems.add(folder, &stem.to_string_lossy());
    let mut found = beginning_with(&stems).0;
    found.retain(|other| other != path);
    found
}

/// What was rotated away from under a name, packed or not: `NAME.1`, `NAME.lo_`, `NAME-20261128-140000.LOG`, `NAME.2.gz`.
/// What only begins alike is another log. That which was written to last comes last.
pub fn rotated(path: &Path) -> Vec<PathBuf> {
    let (Some(folder), Some(stem)) = (path.parent(), path.file_stem()) else { return Vec::new() };
    let (stem, name) = (stem.to_string_lossy(), path.file_name().unwrap_or_default().to_string_lossy());
    let ending =
        path.extension().map(|e| format!(".{}", e.to_string_lossy().to_lowercase())).unwrap_or_default();
    let is_rotated = |other: &str| {
        let Some(rest) = other.strip_prefix(&*stem).filter(|_| *other != *name) else { return false };
        let rest = rest.to_lowercase();
        let rest =
            rest.rsplit_once('.').filter(|(_, e)| PACKED.contains(e)).map_or(rest.as_str(), |(rest, _)| rest);
        let number = rest.strip_prefix(&ending).unwrap_or(rest).trim_start_matches(['.', '-', '_']);
        let number = number.strip_suffix(&ending).unwrap_or(number);
        rest == ".lo_"
            || rest == ending
            || rest == format!("{ending}.old")
            || !number.is_empty() && number.chars().all(|c| c.is_ascii_digit() || c == '-' || c == '.')
    };
    let names = names_in(listed(folder), is_rotated).unwrap_or_default().0;
    let mut found: Vec<PathBuf> = names.into_iter().map(|name| folder.join(name)).collect();
    let changed = |path: &PathBuf| std::fs::metadata(path).and_then(|meta| meta.modified()).ok();
    found.sort_by_cached_key(|path| (changed(path), path.clone()));
    found
}

/// Beginnings of names, by folder. Of however many there are it is soon known whether a name has one of them.
#[derive(Default)]
pub struct Stems(BTreeMap<PathBuf, (HashSet<String>, BTreeSet<usize>)>);

impl Stems {
    /// One more.
    pub fn add(&mut self, folder: &Path, stem: &str) {
        let (stems, lengths) = self.0.entry(folder.to_owned()).or_default();
        stems.insert(stem.to_owned());
        lengths.insert(stem.len());
    }

    /// Whether a path has one of them.
    pub fn begin(&self, path: &Path) -> bool {
        let stems = path.parent().and_then(|folder| self.0.get(folder));
        let name = path.file_name().map(|name| name.to_string_lossy());
        stems.zip(name).is_some_and(|(stems, name)| begins(stems, &name))
    }
}

fn begins((stems, lengths): &(HashSet<String>, BTreeSet<usize>), name: &str) -> bool {
    lengths.iter().any(|len| name.get(..*len).is_some_and(|begin| stems.contains(begin)))
}

/// Files of some folders whose names begin so, and the folders that hold too many names. Each folder is listed once.
pub fn beginning_with(stems: &Stems) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let (mut found, mut full) = (Vec::new(), Vec::new());
    for (folder, stems) in &stems.0 {
        let Ok((names, all)) = names_in(listed(folder), |n| !is_packed(n) && begins(stems, n)) else {
            continue;
        };
        found.extend(names.into_iter().map(|n| folder.join(n)));
        if !all {
            full.push(folder.to_owned());
        }
    }
    (found, full)
}

/// A folder, as it can be listed: that of a mere name is the one where this process is.
pub fn listed(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() { Path::new(".") } else { folder }
}

/// The names of files that are wanted, in order; and whether these are all.
fn names_in(folder: &Path, is_wanted: impl Fn(&str) -> bool) -> std::io::Result<(Vec<String>, bool)> {
    let (mut names, mut all) = (Vec::new(), true);
    for (n, entry) in std::fs::read_dir(folder)?.enumerate() {
        if n == MOST_ENTRIES || names.len() == MOST_NAMES {
            all = false;
            break;
        }
        let Ok(entry) = entry else { continue };
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_file() || kind.is_symlink() {
            names.extend(entry.file_name().into_string().ok().filter(|name| is_wanted(name)));
        }
    }
    names.sort();
    Ok((names, all))
}

/// Whether its name says that it is packed.
pub fn is_packed(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|e| PACKED.contains(&e.to_string_lossy().to_lowercase().as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_found_where_this_process_is_has_one_path_and_is_named() {
        // Cargo runs tests in the folder of the package, which has files.
        let found = Patterns::new(&["*"]).paths().0;
        assert!(found.iter().any(|path| path == Path::new("Cargo.toml")), "{found:?}");
        for pattern in ["*", "./*"] {
            let patterns = Patterns::new(&[pattern, "./Cargo.toml", "Cargo.toml"]);
            let (paths, problems) = patterns.paths();
            assert_eq!((&paths, problems.len(), patterns.folders().len()), (&found, 0, 1), "{pattern}");
            assert!(paths.iter().all(|path| patterns.name(path)), "{pattern}");
        }
    }
}
