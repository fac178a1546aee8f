//! Copying a package's files from a share to this machine, and proving them.

use super::stands::Stands;
use super::{
    Content, ContentFile, FILES, MAX_BYTES, NAME, Pace, Seal, hash_of, hash_reader, list_path, parse_content,
    seal, words,
};
use crate::host::open::{Folder, OpenError, RegularFile, make_enterable, make_private, make_runnable};
use crate::host::{durable, facts, process};
use crate::site::content::ContentFact;
use crate::site::ids::PackageId;
use crate::site::instruction::ContentHash;
use crate::site::share::read_bounded;
use crate::site::trust::Judge;
use crate::text::SafeText;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::io::{Read, Write as _};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// The folder of all packages on a share.
const PACKAGES: &str = "packages";
/// The folder of all contents of a share with an index.
const CONTENTS: &str = "content";
/// How names of copies that are under way begin. The number of the process that copies follows.
const UNFINISHED: &str = ".copy-";
/// A copy that was not finished for this long is nobody's any more, whichever process has its number now. No copy is given
/// so much time.
const ABANDONED: Duration = Duration::from_secs(48 * 3_600);

/// Where the files of a package are on a share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Shelf {
    /// On one that is filled by hand: in the folder of the package.
    Package(PackageId),
    /// Under an index: in a folder that has their hash for a name.
    Content,
}

/// Why content is not staged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotStaged {
    /// What is to be shown.
    pub fact: ContentFact,
    /// Where much was read or copied before it failed: over what, as it stands on the share.
    pub over: Option<Stands>,
}

/// What was known before much was read or copied.
impl From<ContentFact> for NotStaged {
    fn from(fact: ContentFact) -> Self {
        Self { fact, over: None }
    }
}

/// Whether this content is complete in the stage folder. Cheap: the folder gets its name only after every file in it was
/// proven and synced.
pub fn is_staged(stage_root: &Path, hash: &ContentHash) -> bool {
    list_path(stage_root, hash).is_file() && stage_root.join(hash.as_str()).is_dir()
}

/// Copies a package's files from a share into `<stage_root>/<sha256>/`, each proven by the hash in `CONTENT` while it is
/// copied, and `CONTENT` by the hash that was published. What is staged already is left as it is.
///
/// Touches the share: may hang with it. Nothing but the stage folder is written.
///
/// # Errors
/// [`NotStaged`]
pub fn stage(
    share: &Path,
    at: Shelf,
    hash: &ContentHash,
    stage_root: &Path,
    judge: &Judge,
    pace: &mut Pace,
) -> Result<(), NotStaged> {
    if is_staged(stage_root, hash) {
        return Ok(());
    }
    copy(share, at, hash, stage_root, judge, pace)
}

/// Whether a share has this content to be copied: its list can be read there, and is the one that was published.
///
/// Touches the share: may hang with it.
///
/// # Errors
/// Why not.
pub fn offered(share: &Path, at: Shelf, hash: &ContentHash, judge: &Judge) -> Result<(), SafeText> {
    let found = Source::open(share, at, hash, judge).and_then(|source| source.content(hash).map(drop));
    found.map_err(|fact| match fact {
        ContentFact::Missing(why) | ContentFact::Mismatch(why) | ContentFact::Loose(why) => why,
        ContentFact::Staged => SafeText::EMPTY,
    })
}

/// Hashes everything that is staged again: exactly the files of the list, each with its size and hash, nothing else.
/// Content that fails is no longer staged, so that the next [`stage`] copies it anew.
///
/// Gives the state it was in from the first file to the last.
///
/// # Errors
/// The first thing that differs.
pub fn verify_staged(stage_root: &Path, hash: &ContentHash) -> Result<Seal, SafeText> {
    let sealed = || {
        seal(stage_root, hash).map_err(|e| words(format!("staged content, {}: {e}", stage_root.display())))
    };
    let verified = sealed().and_then(|before| {
        verify(stage_root, hash)?;
        if sealed()? == before { Ok(before) } else { Err("it was changed while it was verified".into()) }
    });
    if verified.is_err() {
        // Without its list it does not count as staged; the files stay for whoever wants to see what happened.
        let _ = fs::remove_file(list_path(stage_root, hash));
    }
    verified
}

/// Everything of which something is in the stage folder, complete or not.
///
/// # Errors
/// As the system reports them.
pub fn find_staged(stage_root: &Path) -> std::io::Result<BTreeSet<ContentHash>> {
    let entries = match fs::read_dir(stage_root) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        entries => entries?,
    };
    let mut found = BTreeSet::new();
    for entry in entries {
        let name = entry?.file_name().into_string().unwrap_or_default();
        let hash = name.split_once('.').map_or(name.as_str(), |(hash, _)| hash);
        found.extend(ContentHash::try_from(hash.to_owned()));
    }
    Ok(found)
}

/// Takes staged content out of the way, in two short steps: it is not staged any more, and its files are removed later.
///
/// # Errors
/// As the system reports them.
pub fn put_away_staged(stage_root: &Path, hash: &ContentHash) -> std::io::Result<()> {
    gone(fs::remove_file(list_path(stage_root, hash)))?;
    gone(durable::put_away(stage_root, hash.as_str()))
}

fn gone(removed: std::io::Result<()>) -> std::io::Result<()> {
    match removed {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn copy(
    share: &Path,
    at: Shelf,
    hash: &ContentHash,
    stage_root: &Path,
    judge: &Judge,
    pace: &mut Pace,
) -> Result<(), NotStaged> {
    let here =
        |path: &Path, e: std::io::Error| ContentFact::Missing(words(format!("{}: {e}", path.display())));
    durable::make_private_dir(stage_root).map_err(|e| here(stage_root, e))?;
    remove_abandoned(stage_root);

    let source = Source::open(share, at, hash, judge)?;
    let (list, content) = source.content(hash).map_err(|fact| match fact {
        ContentFact::Mismatch(_) => NotStaged { over: Some(Stands::now(&source, None)), fact },
        fact => fact.into(),
    })?;
    fits(stage_root, &content)?;
    pace.expects(content.bytes());
    let prefix = format!("{UNFINISHED}{}-", std::process::id());
    let target = tempfile::Builder::new().prefix(&prefix).tempdir_in(stage_root);
    let target = target.map_err(|e| here(stage_root, e))?;
    make_private(target.path()).map_err(|e| here(target.path(), e))?;
    copy_files(&source, &content, target.path(), pace)?;

    // The order makes the folder's final name the proof of all that is in it.
    let finished = stage_root.join(hash.as_str());
    let place = || {
        sync_folders(target.path())?;
        make_enterable(target.path())?;
        put_away_staged(stage_root, hash)?;
        durable::write(&list_path(stage_root, hash), &list)?;
        fs::rename(target.path(), &finished)?;
        durable::sync_dir(stage_root)
    };
    let placed = place().map_err(|e| here(&finished, e));
    if placed.is_ok() {
        // It has another name now; there is nothing left to remove.
        let _ = target.keep();
    }
    Ok(placed?)
}

/// A disk is not filled to its end to find that out. Where nobody knows what is free, copying will tell.
fn fits(stage_root: &Path, content: &Content) -> Result<(), ContentFact> {
    match facts::disk_free(stage_root) {
        Some(free) if content.bytes() > free => Err(ContentFact::Missing(words(format!(
            "its files take {}, and {} are free at {}",
            crate::text::bytes(content.bytes()),
            crate::text::bytes(free),
            stage_root.display()
        )))),
        Some(_) | None => Ok(()),
    }
}

/// The folders of a package on a share, opened and judged.
pub(super) struct Source<'a> {
    share: &'a Path,
    judge: &'a Judge,
    root: Folder,
    packages: Folder,
    pub(super) package: Folder,
}

impl<'a> Source<'a> {
    pub(super) fn open(
        share: &'a Path,
        at: Shelf,
        hash: &ContentHash,
        judge: &'a Judge,
    ) -> Result<Self, ContentFact> {
        let root = Folder::open(share).map_err(|e| missing(share, &e))?;
        let (above, name) = match &at {
            Shelf::Package(package) => (PACKAGES, package.as_str()),
            Shelf::Content => (CONTENTS, hash.as_str()),
        };
        let packages = folder(&root, above)?;
        let package = folder(&packages, name)?;
        Ok(Self { share, judge, root, packages, package })
    }

    /// `CONTENT`, proven by the hash that was published.
    fn content(&self, hash: &ContentHash) -> Result<(Vec<u8>, Content), ContentFact> {
        let mut file = self.package.file(NAME).map_err(|e| missing(&self.package.path().join(NAME), &e))?;
        self.way_is_tight(&file)?;
        let path = file.path.clone();
        let list = read_bounded(&mut file, MAX_BYTES).map_err(|e| missing(&path, &e))?;
        if super::hash_bytes(&list) != *hash {
            let why = format!("{} is not the one that was published: its hash differs", path.display());
            return Err(ContentFact::Mismatch(words(why)));
        }
        let content = parse_content(&list);
        let content =
            content.map_err(|e| ContentFact::Mismatch(words(format!("{}: {e}", path.display()))))?;
        Ok((list, content))
    }

    pub(super) fn way_is_tight(&self, file: &RegularFile) -> Result<(), ContentFact> {
        let folders = [&self.root, &self.packages, &self.package];
        match self.judge.loose(self.share, &folders, &[file]) {
            Some(loose) => Err(ContentFact::Loose(words(loose.to_string()))),
            None => Ok(()),
        }
    }

    /// A folder or file below the package: the way to it is known to be tight.
    pub(super) fn is_tight(&self, folder: &Folder, file: Option<&RegularFile>) -> Result<(), ContentFact> {
        match self.judge.loose_below(folder, file) {
            Some(loose) => Err(ContentFact::Loose(words(loose.to_string()))),
            None => Ok(()),
        }
    }
}

/// Copies every file of the list. The folders on the way are opened one below the other and stay open while the files in
/// them are copied; sorted paths make that few.
fn copy_files(
    source: &Source<'_>,
    content: &Content,
    target: &Path,
    pace: &mut Pace,
) -> Result<(), NotStaged> {
    let files = match content.files.is_empty() {
        true => return Ok(()),
        false => folder(&source.package, FILES)?,
    };
    source.is_tight(&files, None)?;
    let mut open: Vec<(String, Folder)> = Vec::new();
    for file in &content.files {
        copy_one(source, &files, &mut open, file, target, pace).map_err(|failed| match failed {
            Failed::There(fact) => NotStaged { fact, over: Some(Stands::now(source, Some(&file.path))) },
            Failed::Here(fact) => fact.into(),
        })?;
    }
    Ok(())
}

/// Where the copy of a file failed.
enum Failed {
    /// On the share: as long as the file stands there as it does, another copy fails too.
    There(ContentFact),
    /// On this machine.
    Here(ContentFact),
}

impl From<ContentFact> for Failed {
    fn from(fact: ContentFact) -> Self {
        Failed::There(fact)
    }
}

fn copy_one(
    source: &Source<'_>,
    files: &Folder,
    open: &mut Vec<(String, Folder)>,
    file: &ContentFile,
    target: &Path,
    pace: &mut Pace,
) -> Result<(), Failed> {
    let mut names: Vec<&str> = file.path.split('/').collect();
    let Some(name) = names.pop() else { return Ok(()) };
    let common = open.iter().zip(&names).take_while(|((open, _), name)| open == *name).count();
    open.truncate(common);
    for folder_name in &names[common..] {
        let above = open.last().map_or(files, |(_, folder)| folder);
        let next = folder(above, folder_name)?;
        source.is_tight(&next, None)?;
        open.push(((*folder_name).to_owned(), next));
    }
    let from = open.last().map_or(files, |(_, folder)| folder);
    let opened = from.file(name).map_err(|e| missing(&from.path().join(name), &e))?;
    source.is_tight(from, Some(&opened))?;
    let to = target.join(&file.path);
    if let Some(above) = to.parent() {
        make_folders(above).map_err(|e| here(above, &e))?;
    }
    copy_file(opened, &to, file.size, &file.sha256, pace)
}

fn here(at: &Path, e: &std::io::Error) -> Failed {
    Failed::Here(ContentFact::Missing(words(format!("{}: {e}", at.display()))))
}

fn copy_file(
    from: RegularFile,
    to: &Path,
    size: u64,
    sha256: &ContentHash,
    pace: &mut Pace,
) -> Result<(), Failed> {
    let path = from.path;
    let differs =
        |why: &str| Failed::There(ContentFact::Mismatch(words(format!("{}: {why}", path.display()))));
    let there = |e: std::io::Error| ContentFact::Missing(words(format!("{}: {e}", path.display())));
    let mut target = OpenOptions::new().write(true).create_new(true).open(to).map_err(|e| here(to, &e))?;
    let mut hasher = Sha256::new();
    let mut copied = 0;
    let mut buffer = vec![0; 64 << 10];
    let mut limited = from.file.take(size.saturating_add(1));
    loop {
        let read = limited.read(&mut buffer).map_err(there)?;
        if read == 0 {
            break;
        }
        copied += read as u64;
        hasher.update(&buffer[..read]);
        target.write_all(&buffer[..read]).map_err(|e| here(to, &e))?;
        match pace.took(read as u64, facts::monotonic().0) {
            Some(pause) if pause.is_zero() => {}
            Some(pause) => std::thread::sleep(pause),
            None => {
                let slow =
                    format!("{}: it comes slower than 10 KB a second for five minutes", path.display());
                return Err(ContentFact::Missing(words(slow)).into());
            }
        }
    }
    if copied != size {
        return Err(differs(&format!("its size is not {size} bytes, as CONTENT says")));
    }
    if hash_of(hasher) != *sha256 {
        return Err(differs("its hash is not the one in CONTENT"));
    }
    let finish = || {
        make_runnable(&target)?;
        target.sync_all()
    };
    finish().map_err(|e| here(to, &e))
}

fn make_folders(path: &Path) -> std::io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(above) = path.parent() {
        make_folders(above)?;
    }
    fs::create_dir(path)?;
    make_enterable(path)
}

fn sync_folders(root: &Path) -> std::io::Result<()> {
    for entry in walkdir::WalkDir::new(root).contents_first(true) {
        let entry = entry?;
        if entry.file_type().is_dir() {
            durable::sync_dir(entry.path())?;
        }
    }
    Ok(())
}

/// Removes what is left of copies whose process was killed: each may be as large as its content, and the next copy needs the
/// room.
fn remove_abandoned(stage_root: &Path) {
    let Ok(entries) = fs::read_dir(stage_root) else { return };
    for entry in entries.flatten() {
        let old = || {
            let changed = entry.metadata().and_then(|m| m.modified()).ok()?;
            SystemTime::now().duration_since(changed).ok()
        };
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(rest) = name.strip_prefix(UNFINISHED) else { continue };
        let copies = rest.split_once('-').and_then(|(pid, _)| pid.parse().ok());
        let is_gone = copies.is_some_and(|pid| process::identity(pid).is_none());
        if is_gone || old().is_some_and(|age| age > ABANDONED) {
            // Only room is lost where it cannot be removed.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn verify(stage_root: &Path, hash: &ContentHash) -> Result<(), SafeText> {
    let failed = |path: &Path, why: &str| words(format!("staged content, {}: {why}", path.display()));
    let list_name = format!("{}.{NAME}", hash.as_str());
    let root = Folder::open(stage_root).map_err(|e| failed(stage_root, &e.to_string()))?;
    let list = root.file(&list_name).and_then(|mut file| read_bounded(&mut file, MAX_BYTES));
    let list = list.map_err(|e| failed(&stage_root.join(&list_name), &e.to_string()))?;
    if super::hash_bytes(&list) != *hash {
        return Err(failed(&stage_root.join(&list_name), "it was changed after it was staged"));
    }
    let content = parse_content(&list).map_err(|e| words(e.to_string()))?;

    let mut expected: BTreeMap<&str, (BTreeSet<&str>, Vec<usize>)> =
        BTreeMap::from([("", Default::default())]);
    for (i, file) in content.files.iter().enumerate() {
        let (mut folder, mut name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
        expected.entry(folder).or_default().1.push(i);
        // Each folder on the way is a name in the one above it.
        loop {
            let known = !expected.entry(folder).or_default().0.insert(name);
            if folder.is_empty() || known {
                break;
            }
            (folder, name) = folder.rsplit_once('/').unwrap_or(("", folder));
        }
    }
    let top =
        root.folder(hash.as_str()).map_err(|e| failed(&stage_root.join(hash.as_str()), &e.to_string()))?;
    verify_folder(&top, "", &expected, &content, &failed)
}

type Expected<'a> = BTreeMap<&'a str, (BTreeSet<&'a str>, Vec<usize>)>;

fn verify_folder(
    folder: &Folder,
    path: &str,
    expected: &Expected<'_>,
    content: &Content,
    failed: &dyn Fn(&Path, &str) -> SafeText,
) -> Result<(), SafeText> {
    let Some((names, files)) = expected.get(path) else { return Ok(()) };
    let found = folder.names(names.len() + 1).map_err(|e| failed(folder.path(), &e.to_string()))?;
    if let Some(extra) = found.iter().find(|n| n.to_str().is_none_or(|n| !names.contains(n))) {
        return Err(failed(&folder.path().join(extra), "it was not published"));
    }
    for file in files.iter().map(|i| &content.files[*i]) {
        let name = file.path.rsplit('/').next().unwrap_or_default();
        let at = folder.path().join(name);
        let opened = folder.file(name).map_err(|e| failed(&at, &e.to_string()))?;
        let hashed = hash_reader(opened.file.take(file.size.saturating_add(1)));
        let (sha256, size) = hashed.map_err(|e| failed(&at, &e.to_string()))?;
        if size != file.size || sha256 != file.sha256 {
            return Err(failed(&at, "it was changed after it was staged"));
        }
    }
    for name in names {
        let below = if path.is_empty() { (*name).to_owned() } else { format!("{path}/{name}") };
        if expected.contains_key(below.as_str()) {
            let next = folder.folder(name).map_err(|e| failed(&folder.path().join(name), &e.to_string()))?;
            verify_folder(&next, &below, expected, content, failed)?;
        }
    }
    Ok(())
}

pub(super) fn folder(above: &Folder, name: &str) -> Result<Folder, ContentFact> {
    above.folder(name).map_err(|e| missing(&above.path().join(name), &e))
}

fn missing(path: &Path, e: &OpenError) -> ContentFact {
    let why = words(format!("{}: {e}", path.display()));
    match e {
        OpenError::Missing | OpenError::Denied | OpenError::KeyRefused(_) | OpenError::Io(..) => {
            ContentFact::Missing(why)
        }
        // Not what was published, and waiting does not mend it.
        _ => ContentFact::Mismatch(why),
    }
}
