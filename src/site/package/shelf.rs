//! The folder of all packages, on a share or in a site folder: which are there, which id is free, and how a new one gets
//! there: built beside the others, whole, then renamed.

use super::{MAX_BYTES, NAME, Package};
use crate::error::{Exit, Failure};
use crate::fields::{self, Fields, Source};
use crate::host::durable;
use crate::host::open::{self, Folder, OpenError};
use crate::site::content::{self, Content, Written, hash_bytes, parse_content, write_list};
use crate::site::ids::{PackageId, SiteCode};
use crate::site::instruction::ContentHash;
use crate::site::share::read_bounded;
use crate::site::site_file;
use crate::terms::Problem;
use crate::text::shell_word;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use toml::de::DeTable;

/// The folder of the packages.
pub const FOLDER: &str = "packages";
/// The source of a site, in its folder.
const SITE_TOML: &str = "site.toml";
/// The most packages of a site.
const MAX_PACKAGES: usize = 100_000;

/// The packages of a share or of a site folder. What is below that is opened and made from here, name by name: a link in
/// it leads nowhere, whoever made it and when.
#[derive(Debug)]
pub struct Shelf {
    /// The folder `packages`.
    pub dir: PathBuf,
    /// Whose ids they have.
    pub site: SiteCode,
    root: Folder,
}

/// A file that goes into a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brought {
    /// The folder that the publisher named; links on the way to it are the publisher's own.
    pub base: PathBuf,
    /// The file's path below that, with `/`.
    pub below: String,
    /// Its path below `files`, with `/`.
    pub to: String,
}

impl Brought {
    /// Opens it, without following a link below its folder.
    ///
    /// # Errors
    /// [`OpenError`]
    pub fn open(&self) -> Result<open::RegularFile, OpenError> {
        let (folders, name) = self.below.rsplit_once('/').unwrap_or(("", &self.below));
        let mut inner = folders.split('/').filter(|inner| !inner.is_empty());
        inner.try_fold(Folder::open(&self.base)?, |folder, inner| folder.folder(inner))?.file(name)
    }
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
                    Ok(site) => return Ok(Self { dir: root.join(FOLDER), site, root: folder }),
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
        match self.root.folder(FOLDER).and_then(|all| standing(&all)) {
            Err(OpenError::Missing) => Ok(Standing::default()),
            other => other.map_err(|e| cannot_read(&self.dir, &e.to_string())),
        }
    }

    /// Opens a package.
    ///
    /// # Errors
    /// [`OpenError`]
    pub fn package(&self, id: PackageId) -> Result<Folder, OpenError> {
        below(&self.root, id)
    }

    /// Whether anything has the name of this package.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn holds(&self, id: PackageId) -> Result<bool, Failure> {
        let held = match self.root.folder(FOLDER) {
            Err(OpenError::Missing) => Ok(false),
            other => other.map_err(io::Error::from).and_then(|all| all.holds(id.as_str())),
        };
        held.map_err(|e| cannot_read(&self.dir, &e.to_string()))
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
        if !replace && self.holds(id)? {
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
        let placed =
            self.place_alone(Id::Named(id), |_| definition.to_owned(), (files, beside), replace, || Ok(()));
        placed.map(|(_, written)| written)
    }

    /// The same; what `alone` returns is held while it gets its name, and nobody else is kept waiting while files are copied.
    ///
    /// # Errors
    /// As [`Shelf::place`]; those of `alone`.
    pub fn place_alone<L>(
        &self,
        id: Id,
        definition: impl Fn(PackageId) -> String,
        (files, beside): (&[Brought], &[(String, Vec<u8>)]),
        replace: bool,
        alone: impl FnOnce() -> Result<L, Failure>,
    ) -> Result<(PackageId, Written), Failure> {
        let (mut id, named) = match id {
            Id::Named(id) => (id, true),
            Id::Free(id) => (id, false),
        };
        if named {
            self.may_place(id, replace)?;
        }
        let all = made(self.root.make_folder(FOLDER), &self.dir)?;
        let mut new = Building::begin(&all, id)?;
        let inside = made(new.folder.new_folder(content::FILES), &new.folder.path().join(content::FILES))?;
        for file in files {
            copy(file, &inside)?;
        }
        // Before the definition: what cannot be published is found here.
        let written = write_list(&new.folder)?;
        let texts = beside.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
        for (name, bytes) in texts.chain([(NAME, definition(id).as_bytes())]) {
            let file = new.folder.new_file(name);
            let filled = file.and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
            made(filled, &new.folder.path().join(name))?;
        }
        made(new.folder.sync(), new.folder.path())?;
        let _alone = alone()?;
        let old = loop {
            let free = if named { Ok(()) } else { self.may_place(id, false) };
            match free.and_then(|()| rename(&all, &new.name, id, replace && named)) {
                // Somebody else took it while files were copied.
                Err(taken) if !named && taken.code == "package-exists" => {
                    let next = self.next_id()?;
                    if next == id {
                        return Err(taken);
                    }
                    id = next;
                    made(new.define(&definition(id)), &new.folder.path().join(NAME))?;
                }
                other => break other?,
            }
        };
        new.named = true;
        let away = old.as_ref().map(|old| all.path().join(old));
        all.sync().map_err(|e| not_synced(&self.path(id), away.as_deref(), &e.to_string()))?;
        if let Some(old) = old {
            // Only what this import put away: anything else there may be the only copy. What stays is told by lint.
            let _ = all.remove_tree(&old);
        }
        Ok((id, written))
    }
}

/// The id that a package gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Id {
    /// Somebody named it.
    Named(PackageId),
    /// It was free; where it is no more, the next one is as good.
    Free(PackageId),
}

/// A package that is built beside the others. What did not get the package's name is removed again.
struct Building<'a> {
    all: &'a Folder,
    name: String,
    folder: Folder,
    named: bool,
}

impl<'a> Building<'a> {
    fn begin(all: &'a Folder, id: PackageId) -> Result<Self, Failure> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        loop {
            let name = format!(".{id}.{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
            match all.new_folder(&name) {
                // Of another machine, or of an earlier process with this pid.
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                other => {
                    let folder = made(other, all.path())?;
                    return Ok(Self { all, name, folder, named: false });
                }
            }
        }
    }
}

impl Building<'_> {
    /// Another definition in the place of the one that is there.
    fn define(&self, definition: &str) -> io::Result<()> {
        self.folder.remove(NAME)?;
        let mut file = self.folder.new_file(NAME)?;
        file.write_all(definition.as_bytes())?;
        file.sync_all()?;
        self.folder.sync()
    }
}

impl Drop for Building<'_> {
    fn drop(&mut self) {
        if !self.named {
            // What stays is told by lint.
            let _ = self.all.remove_tree(&self.name);
        }
    }
}

/// Gives what was built the package's name. Where a package had it, that one is put away before; returns its name now.
fn rename(all: &Folder, new: &str, id: PackageId, replace: bool) -> Result<Option<String>, Failure> {
    let path = all.path().join(id.as_str());
    let old = if replace && made(all.holds(id.as_str()), &path)? {
        Some(made(durable::put_away_in(all, id.as_str()), &path)?)
    } else {
        None
    };
    match (all.rename(new, id.as_str()), old) {
        (Ok(()), old) => Ok(old),
        (Err(e), Some(old)) => Err(back(all, &old, id, &e.to_string())),
        (Err(e), None) if e.kind() == io::ErrorKind::AlreadyExists => Err(exists(&path)),
        (Err(e), None) => Err(not_made(&path, &e.to_string())),
    }
}

/// Opens a package of a share.
///
/// # Errors
/// [`OpenError`]
pub fn package(share: &Path, id: PackageId) -> Result<Folder, OpenError> {
    below(&Folder::open(share)?, id)
}

fn below(root: &Folder, id: PackageId) -> Result<Folder, OpenError> {
    root.folder(FOLDER)?.folder(id.as_str())
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

/// Copies one file, byte by byte: what is on the share never depends on where it came from.
fn copy(file: &Brought, inside: &Folder) -> Result<(), Failure> {
    let from = file.base.join(&file.below);
    let cannot = |why: String| not_made(&from, &why);
    let (folders, name) = file.to.rsplit_once('/').unwrap_or(("", &file.to));
    let mut made_there = None;
    for inner in folders.split('/').filter(|inner| !inner.is_empty()) {
        let above = made_there.as_ref().unwrap_or(inside);
        made_there = Some(made(above.make_folder(inner), &above.path().join(inner))?);
    }
    let to = made_there.as_ref().unwrap_or(inside);
    let from = file.open().map_err(|e| cannot(e.to_string()))?;
    let mut copy = made(to.new_file(name), &to.path().join(name))?;
    // One byte more than it had: a file that grows is not the one that was looked at.
    let copied = io::copy(&mut from.file.take(from.size.saturating_add(1)), &mut copy);
    let copied = copied.map_err(|e| cannot(e.to_string()))?;
    if copied != from.size {
        return Err(cannot("it was changed while it was copied".into()));
    }
    let done = copy.flush().and_then(|()| open::make_runnable(&copy)).and_then(|()| copy.sync_all());
    made(done, &to.path().join(name))
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

fn made<T, E: std::fmt::Display>(done: Result<T, E>, path: &Path) -> Result<T, Failure> {
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
fn back(all: &Folder, old: &str, id: PackageId, why: &str) -> Failure {
    let (path, old_path) = (all.path().join(id.as_str()), all.path().join(old));
    let Err(e) = all.rename(old, id.as_str()) else { return not_made(&path, why) };
    let (shown, away) = (path.display(), old_path.display());
    let why = format!(
        "the package was not made: {shown}: {why}; the old package is now {away}, as it could not be renamed back: {e}"
    );
    Failure::new(Exit::Failed, "package-not-made", why, mv(&old_path, &path))
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
        "Name another id, or none, for the next free one; `pcm package import --replace` puts a new one in its place",
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
