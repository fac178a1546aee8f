//! The folder of all packages, on a share or in a site folder: which are there, which id is free, and how a new one gets
//! there: built beside the others, whole, then renamed.

use super::{MAX_BYTES, NAME, Package};
use crate::error::{Exit, Failure};
use crate::fields::{self, Fields, Source};
use crate::host::durable;
use crate::host::open::{self, Folder, OpenError};
use crate::site::content::{self, Content, Written, hash_bytes, parse_content, write_content};
use crate::site::ids::{PackageId, SiteCode};
use crate::site::instruction::ContentHash;
use crate::site::share::read_bounded;
use crate::site::site_file;
use crate::terms::Problem;
use crate::text::shell_word;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use toml::de::DeTable;

/// The folder of the packages.
pub const FOLDER: &str = "packages";
/// The source of a site, in its folder.
const SITE_TOML: &str = "site.toml";
/// The most packages of a site.
const MAX_PACKAGES: usize = 100_000;

/// The packages of a share or of a site folder.
#[derive(Debug)]
pub struct Shelf {
    /// The folder `packages`.
    pub dir: PathBuf,
    /// Whose ids they have.
    pub site: SiteCode,
}

/// A file that goes into a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brought {
    /// Where it is.
    pub from: PathBuf,
    /// Its path below `files`, with `/`.
    pub to: String,
}

/// What stands in the folder of all packages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// The packages. What has another name than an id is none.
    pub ids: BTreeSet<PackageId>,
    /// What an import or a replacement left that did not end as it should, sorted by its path.
    pub left: Vec<Left>,
}

/// Something of a package that has not the package's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// Whose.
    pub id: PackageId,
    /// Where it is.
    pub path: PathBuf,
    /// What it is.
    pub what: LeftOf,
}

/// What is left of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeftOf {
    /// The package itself: it was put away for a new one, which never got its name.
    Away,
    /// The old package, after the new one got its name.
    Replaced,
    /// A new package that does not have its name yet.
    Begun,
}

impl Standing {
    /// What names of files in the folder `dir` mean.
    fn of(dir: &Path, names: &[OsString]) -> Self {
        let names: Vec<&str> = names.iter().filter_map(|name| name.to_str()).collect();
        let ids: BTreeSet<PackageId> = names.iter().filter_map(|name| name.parse().ok()).collect();
        let left = |name: &&str| {
            let id_of = |text: &str| text.parse::<PackageId>().ok();
            let (id, what) = match durable::name_before(name).and_then(id_of) {
                Some(id) if ids.contains(&id) => (id, LeftOf::Replaced),
                Some(id) => (id, LeftOf::Away),
                // As `place` names what it builds.
                None => (id_of(name.strip_prefix('.')?.split_once('.')?.0)?, LeftOf::Begun),
            };
            Some(Left { id, path: dir.join(name), what })
        };
        let mut left: Vec<Left> = names.iter().filter_map(left).collect();
        left.sort_by(|a, b| a.path.cmp(&b.path));
        Self { ids, left }
    }
}

impl Left {
    /// What it is, as a sentence without its full stop.
    pub fn words(&self) -> String {
        let (id, path) = (self.id, self.path.display());
        match self.what {
            LeftOf::Away => format!("the replacement of {id} was interrupted, and the package is now {path}"),
            LeftOf::Replaced => {
                format!("{path}: {id} was replaced, and this is what is left of the old package")
            }
            LeftOf::Begun => format!("{path}: an import of {id} was interrupted here, or is at work"),
        }
    }

    /// The command that mends it.
    pub fn remedy(&self) -> String {
        match self.what {
            LeftOf::Away => mv(&self.path, &self.path.with_file_name(self.id.as_str())),
            LeftOf::Replaced | LeftOf::Begun => {
                format!("If no import is at work: rm -r {}", shell_word(&self.path.display().to_string()))
            }
        }
    }
}

fn mv(from: &Path, to: &Path) -> String {
    let word = |path: &Path| shell_word(&path.display().to_string());
    format!("mv {} {}", word(from), word(to))
}

impl Shelf {
    /// Looks where packages are, and of which site.
    ///
    /// # Errors
    /// `no-such-share`: there is neither a share nor a site folder.
    pub fn open(root: &Path) -> Result<Self, Failure> {
        let folder = Folder::open(root).map_err(|e| no_share(root, &e.to_string()))?;
        let mut tried = String::new();
        for name in [site_file::NAME, SITE_TOML] {
            let read = folder.file(name).and_then(|mut f| read_bounded(&mut f, site_file::MAX_BYTES));
            match read {
                Err(OpenError::Missing) => {}
                Err(e) => tried = format!("{name}: {e}"),
                Ok(bytes) => match site_of(&bytes, name) {
                    Ok(site) => return Ok(Self { dir: root.join(FOLDER), site }),
                    Err(problem) => tried = format!("{name}: {}", problem.message),
                },
            }
        }
        let why = if tried.is_empty() { format!("it has no {}", site_file::NAME) } else { tried };
        Err(no_share(root, &why))
    }

    /// What stands in the folder.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn standing(&self) -> Result<Standing, Failure> {
        match Folder::open(&self.dir).and_then(|folder| standing(&folder)) {
            Err(OpenError::Missing) => Ok(Standing::default()),
            other => other.map_err(|e| cannot_read(&self.dir, &e.to_string())),
        }
    }

    /// The id after the highest of this site, of packages that are away, too; where that is the last of all, the lowest that is free.
    ///
    /// # Errors
    /// The folder cannot be read, or all are taken.
    pub fn next_id(&self) -> Result<PackageId, Failure> {
        const BASE: u64 = 36;
        let Standing { mut ids, left } = self.standing()?;
        ids.extend(left.iter().filter(|l| l.what == LeftOf::Away).map(|l| l.id));
        let number = |id: &PackageId| u64::from_str_radix(&id.as_str()[3..], BASE as u32).unwrap_or(u64::MAX);
        let taken: BTreeSet<u64> = ids.iter().filter(|id| id.site() == self.site).map(number).collect();
        let last = BASE.pow(5) - 1;
        let next = match taken.last() {
            None => Some(1),
            Some(highest) if *highest < last => Some(highest + 1),
            Some(_) => (1..last).find(|n| !taken.contains(n)),
        };
        let id = next.and_then(|mut n| {
            let mut digits = [b'0'; 5];
            for digit in digits.iter_mut().rev() {
                // Below 36, so it is a digit.
                *digit = char::from_digit((n % BASE) as u32, BASE as u32)? as u8;
                n /= BASE;
            }
            format!("{}{}", self.site, String::from_utf8_lossy(&digits)).parse().ok()
        });
        id.ok_or_else(|| {
            let why = format!("no package id of site {} is free", self.site);
            Failure::new(Exit::Failed, "no-free-id", why, "Remove packages that nobody needs any more")
        })
    }

    /// Where a package is, or would be.
    pub fn path(&self, id: PackageId) -> PathBuf {
        self.dir.join(id.as_str())
    }

    /// Whether an id may be used for what is to be placed.
    ///
    /// # Errors
    /// `other-site`; `package-exists` without `replace`.
    pub fn may_place(&self, id: PackageId, replace: bool) -> Result<(), Failure> {
        if id.site() != self.site {
            let why = format!("{id} is of site {}, and this place is of site {}", id.site(), self.site);
            let remedy = format!("Name an id that begins with {}, or none, for the next free one", self.site);
            return Err(Failure::new(Exit::Usage, "other-site", why, remedy));
        }
        if !replace && fs::symlink_metadata(self.path(id)).is_ok() {
            return Err(exists(&self.path(id)));
        }
        let standing = self.standing()?;
        match standing.left.iter().find(|l| l.id == id && l.what == LeftOf::Away) {
            Some(away) if !replace => {
                Err(Failure::new(Exit::Refused, "package-exists", away.words(), away.remedy()))
            }
            _ => Ok(()),
        }
    }

    /// Puts a package there: its definition, copies of its files with their hashes, and files that stand beside them.
    /// Until all of it is there nothing of it has the package's name.
    ///
    /// # Errors
    /// `package-exists` without `replace`; what could not be copied or written.
    pub fn place(
        &self,
        id: PackageId,
        definition: &str,
        files: &[Brought],
        beside: &[(String, Vec<u8>)],
        replace: bool,
    ) -> Result<Written, Failure> {
        self.may_place(id, replace)?;
        if !self.dir.is_dir() {
            made(fs::create_dir(&self.dir), &self.dir)?;
            made(open::make_enterable(&self.dir), &self.dir)?;
        }
        let new = tempfile::Builder::new().prefix(&format!(".{id}.")).tempdir_in(&self.dir);
        let new = made(new, &self.dir)?;
        made(open::make_enterable(new.path()), new.path())?;
        let inside = new.path().join(content::FILES);
        made(fs::create_dir(&inside), &inside)?;
        made(open::make_enterable(&inside), &inside)?;
        for file in files {
            copy(file, &inside)?;
        }
        // Before the definition: what cannot be published is found here.
        let written = write_content(new.path())?;
        let texts = beside.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
        for (name, bytes) in texts.chain([(NAME, definition.as_bytes())]) {
            let path = new.path().join(name);
            made(durable::create_new(&path, bytes), &path)?;
        }
        let path = self.path(id);
        let old = self.name(new.path(), id, replace)?;
        drop(new.keep());
        durable::sync_dir(&self.dir).map_err(|e| not_synced(&path, old.as_deref(), &e.to_string()))?;
        if let Some(old) = old {
            // Only what this import put away: anything else there may be the only copy. What stays is told by lint.
            let _ = durable::remove_away(&old);
        }
        Ok(written)
    }

    /// Gives what was built the package's name. Where a package had it, that one is put away before; returns where it is.
    fn name(&self, new: &Path, id: PackageId, replace: bool) -> Result<Option<PathBuf>, Failure> {
        let path = self.path(id);
        let old = if replace && fs::symlink_metadata(&path).is_ok() {
            Some(made(durable::put_away(&self.dir, id.as_str()), &path)?)
        } else {
            None
        };
        // A folder with something in it is never renamed over.
        match (fs::rename(new, &path), old) {
            (Ok(()), old) => Ok(old),
            (Err(e), Some(old)) => Err(back(&old, &path, &e.to_string())),
            (Err(_), None) if !replace && fs::symlink_metadata(&path).is_ok() => Err(exists(&path)),
            (Err(e), None) => Err(not_made(&path, &e.to_string())),
        }
    }
}

/// What stands in the open folder of all packages.
///
/// # Errors
/// It cannot be read, or holds too much.
pub fn standing(folder: &Folder) -> Result<Standing, OpenError> {
    Ok(Standing::of(folder.path(), &folder.names(MAX_PACKAGES)?))
}

/// Reads the definition of a package in its folder.
///
/// # Errors
/// It cannot be opened, in words; or what is wrong with it.
pub fn read(folder: &Folder, programs: &[String]) -> Result<Package, Vec<Problem>> {
    let shown = folder.path().join(NAME).display().to_string();
    let bytes = folder.file(NAME).and_then(|mut open| read_bounded(&mut open, MAX_BYTES));
    let bytes = bytes.map_err(|e| vec![Problem::of_file("malformed", shown.clone(), e.to_string())])?;
    super::parse(&bytes, &shown, programs)
}

/// The list of a package's files in its folder, with its hash.
///
/// # Errors
/// It cannot be opened, or a line of it is refused: in words, with its name.
pub fn contents(folder: &Folder) -> Result<(Content, ContentHash), String> {
    let words = |e: OpenError| format!("{}: {e}", content::NAME);
    let mut open = folder.file(content::NAME).map_err(words)?;
    let bytes = read_bounded(&mut open, content::MAX_BYTES).map_err(words)?;
    let content = parse_content(&bytes).map_err(|e| e.to_string())?;
    Ok((content, hash_bytes(&bytes)))
}

/// A file that is to be copied, opened so that no link is followed.
///
/// # Errors
/// Why it cannot be had.
pub fn open_plain(path: &Path) -> Result<open::RegularFile, OpenError> {
    let name = path.file_name().and_then(|name| name.to_str()).ok_or(OpenError::Missing)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Folder::open(folder)?.file(name)
}

/// Copies one file, byte by byte: what is on the share never depends on where it came from.
fn copy(file: &Brought, inside: &Path) -> Result<(), Failure> {
    let cannot = |why: String| not_made(&file.from, &why);
    let mut to = inside.to_owned();
    let mut names = file.to.split('/').peekable();
    while let Some(name) = names.next() {
        to.push(name);
        if names.peek().is_some() && !to.is_dir() {
            fs::create_dir(&to)
                .and_then(|()| open::make_enterable(&to))
                .map_err(|e| not_made(&to, &e.to_string()))?;
        }
    }
    let from = open_plain(&file.from).map_err(|e| cannot(e.to_string()))?;
    let mut copy = File::create_new(&to).map_err(|e| not_made(&to, &e.to_string()))?;
    // One byte more than it had: a file that grows is not the one that was looked at.
    let copied = io::copy(&mut from.file.take(from.size.saturating_add(1)), &mut copy);
    let copied = copied.map_err(|e| cannot(e.to_string()))?;
    if copied != from.size {
        return Err(cannot("it was changed while it was copied".into()));
    }
    let done = copy.flush().and_then(|()| open::make_runnable(&copy)).and_then(|()| copy.sync_all());
    done.map_err(|e| not_made(&to, &e.to_string()))
}

/// The site of a site file or of the source of one: of either only this is needed here.
fn site_of(bytes: &[u8], name: &str) -> Result<SiteCode, Problem> {
    let source = Source::decode(bytes, name, "malformed")?;
    let table = DeTable::parse(source.text).map_err(|e| source.syntax(&e))?;
    let mut top = Fields::top(&source, table.get_ref());
    let site = top.need("site", fields::parsed::<SiteCode>);
    let problem = top.finish().into_iter().next();
    site.ok_or_else(|| problem.unwrap_or_else(|| Problem::of_file("malformed", name, "site is missing")))
}

fn made<T>(done: io::Result<T>, path: &Path) -> Result<T, Failure> {
    done.map_err(|e| not_made(path, &e.to_string()))
}

fn not_made(path: &Path, why: &str) -> Failure {
    Failure::new(
        Exit::Failed,
        "package-not-made",
        format!("the package was not made: {}: {why}", path.display()),
        "Correct that and try again; nothing with the package's name was changed",
    )
}

/// The new package did not get its name: the old one gets it back.
fn back(old: &Path, path: &Path, why: &str) -> Failure {
    let Err(e) = fs::rename(old, path) else { return not_made(path, why) };
    let (shown, away) = (path.display(), old.display());
    let why = format!(
        "the package was not made: {shown}: {why}; the old package is now {away}, as it could not be renamed back: {e}"
    );
    Failure::new(Exit::Failed, "package-not-made", why, mv(old, path))
}

fn not_synced(path: &Path, old: Option<&Path>, why: &str) -> Failure {
    let shown = path.display();
    let old = old.map(|old| format!("; the old package is now {}", old.display())).unwrap_or_default();
    let why = format!("{shown} is there, but after a power cut it may not be: {why}{old}");
    Failure::new(
        Exit::Failed,
        "package-not-made",
        why,
        "Look at the disk of the share, then import again with --replace",
    )
}

fn cannot_read(path: &Path, why: &str) -> Failure {
    let remedy = "Look at that folder: who may read it, and what is in it";
    Failure::new(Exit::Failed, "unreadable", format!("{} cannot be read: {why}", path.display()), remedy)
}

fn exists(path: &Path) -> Failure {
    Failure::new(
        Exit::Refused,
        "package-exists",
        format!("there is a package {} already, and nothing of it was changed", path.display()),
        "Name another id, or none, for the next free one; --replace puts the new one in its place",
    )
}

fn no_share(root: &Path, why: &str) -> Failure {
    Failure::new(
        Exit::NotFound,
        "no-such-share",
        format!("{} is neither a share nor a site folder: {why}", root.display()),
        "Name one with --share; `pcm site init` makes a share",
    )
}

#[cfg(test)]
mod tests;
