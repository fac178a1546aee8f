//! The site folder that a verb works on, and publishing from it: verbs edit the folder, then publish (SITE.md 3).

use super::App;
use super::args::{FolderArgs, ThenArgs};
use super::lint;
use super::page::Page;
use super::progress::Progress;
use super::time::absolute;
use super::too_old::TooOldDoc;
use super::view::count;
use crate::clock::Wall;
use crate::error::{Exit, Failure, Result};
use crate::host::lock::ExclusiveLock;
use crate::host::{account, durable, facts};
use crate::site::folder::edit::Edit;
use crate::site::folder::{EDITING, Folder, Source};
use crate::site::ids::{JobId, PackageId};
use crate::site::index::policy::{EVERYBODY, Rules};
use crate::site::publisher::bring::Watch;
use crate::site::publisher::{
    Expect, How, Published, met, publish, publish_after, publish_this, record, sign, would,
};
use crate::text::{self, SafeText};
use serde::Serialize;
use std::io::ErrorKind::NotFound;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The site folder that is meant.
///
/// # Errors
/// None is, or it cannot be read.
pub fn open(app: &App, named: &FolderArgs) -> Result<Folder> {
    Folder::open(&app.setup.site_folder(named)?)
}

/// Nobody waits longer for somebody else who changes the same folder.
const PATIENCE: Duration = Duration::from_secs(60);

/// The site folder that is meant, held until its verb has ended: of two verbs at once the second reads what the first has
/// made of it. What is only thought about keeps nobody waiting, and writes nothing.
///
/// # Errors
/// As [`open`]; `publishing`: somebody else changes it, and goes on doing so.
pub fn open_alone(app: &App, named: &FolderArgs) -> Result<(Folder, Option<ExclusiveLock>)> {
    let folder = open(app, named)?;
    let lock = alone(app, &folder.dir)?;
    Ok((folder, lock))
}

/// Holds a site folder for whoever changes something in it; None: it is only thought about.
///
/// # Errors
/// `publishing`: somebody else changes it, and goes on doing so.
pub fn alone(app: &App, dir: &Path) -> Result<Option<ExclusiveLock>> {
    if app.dry_run {
        return Ok(None);
    }
    let (path, who) = (dir.join(EDITING), account::own_name());
    let until = facts::monotonic().0 + PATIENCE;
    let mut other = None;
    let taken = ExclusiveLock::wait_take_of_team(&path, who.as_str(), |holder| {
        if other.is_none() {
            let by = holder.as_ref().map_or_else(|| "somebody else".to_owned(), ToString::to_string);
            app.out.note(format!("{by} is changing {}; waiting for its end", dir.display()));
        }
        other = holder.or(other.take());
        facts::monotonic().0 < until
    });
    let taken = taken.map_err(|e| {
        let message = format!("nothing was changed: {}: {e}", path.display());
        Failure::new(Exit::Failed, "not-written", message, "Act as somebody who may write the site folder")
    })?;
    let lock = taken.ok_or_else(|| {
        let by = other.map_or_else(|| "somebody else".to_owned(), |holder| holder.to_string());
        let message = format!("nothing was changed: {by} is changing {}", dir.display());
        Failure::new(Exit::Refused, "publishing", message, "Wait for its end, then try again")
    })?;
    Ok(Some(lock))
}

/// What takes long is done while others may change the folder; then it is held, and looked at again: where it says something
/// else by now, all of that is done once more. `alone`: None where nothing will be written.
///
/// # Errors
/// As of what is called; `publishing`: it was changed each time.
pub fn then_alone<G: PartialEq, T, L>(
    look: impl Fn() -> Result<G>,
    long: impl Fn(&G) -> Result<T>,
    alone: impl Fn() -> Result<Option<L>>,
) -> Result<(G, T, Option<L>)> {
    for _ in 0..2 {
        let before = look()?;
        let done = long(&before)?;
        let Some(lock) = alone()? else { return Ok((before, done, None)) };
        let now = look()?;
        if now == before {
            return Ok((now, done, Some(lock)));
        }
    }
    let message = "nothing was changed: the site folder was changed each time while the reports were read";
    Err(Failure::new(Exit::Refused, "publishing", message, "Wait until nobody changes it, then try again"))
}

/// How something is published from a folder: by the flags, its `site.toml`, and the configuration.
pub struct Wishes<'a> {
    /// `--key`
    pub key: &'a [PathBuf],
    /// `--serial`
    pub serial: Option<u64>,
    /// What `--expect` means.
    pub expect: Expect,
    /// `--break-lock`
    pub break_lock: bool,
    /// What is on the share is compared, too.
    pub thorough: bool,
    /// For the log.
    pub what: String,
    /// What the folder says.
    pub source: Says<'a>,
}

/// What a folder says, as far as it is known.
pub enum Says<'a> {
    /// It has to be read.
    Unread,
    /// It was read a moment ago, and edited since.
    Before(&'a Source),
    /// This is only thought of.
    Would(&'a Source),
    /// This is published, whatever else the folder says by now.
    This(&'a Source),
}

/// The key that signs what is published from a folder where no flag names one: that of its `site.toml`, else of `pcm.toml`.
pub fn own_key(app: &App, folder: &Folder) -> Option<PathBuf> {
    let key = folder.settings.key.as_ref().or(app.setup.config.site.key.as_ref());
    key.map(|key| sign::key_path(key, &folder.dir))
}

/// Publishes.
///
/// # Errors
/// As [`publish`]; the share does not answer.
pub fn run(app: &App, folder: &Folder, wishes: Wishes<'_>) -> Result<Published> {
    app.needs(&folder.share())?;
    let programs = lint::programs(app);
    let named: Vec<PathBuf> = wishes.key.iter().map(|key| absolute(key)).collect();
    let progress = Progress::new(&app.out);
    let how = How {
        keys: if named.is_empty() { own_key(app, folder).into_iter().collect() } else { named },
        serial: wishes.serial,
        expect: wishes.expect,
        break_lock: wishes.break_lock,
        dry_run: app.dry_run,
        only_asked: matches!(wishes.source, Says::Would(_)) && !app.dry_run,
        thorough: wishes.thorough,
        watch: progress.as_ref().map(|progress| progress as &dyn Watch),
        programs: &programs,
        who: format!("{}@{}", account::own_name(), facts::host_name()),
        what: wishes.what,
        now: app.now,
    };
    match wishes.source {
        Says::Unread => publish(folder, &how),
        Says::Before(before) => publish_after(folder, before, &how),
        Says::Would(source) => would(folder, source, &how),
        Says::This(source) => publish_this(folder, source, &how),
    }
}

/// Edits a folder and publishes; `read` is what the folder said, where it was read. Where nothing was published, it is as it
/// was; a publication that was begun and not ended keeps the edit, as the next one completes it.
///
/// # Errors
/// What could not be written or published.
pub fn edit(
    app: &App,
    folder: &Folder,
    then: &ThenArgs,
    what: String,
    edit: &Edit,
    read: Option<&Source>,
) -> Result<Option<Published>> {
    if then.no_publish {
        return match app.dry_run {
            true => Ok(None),
            false => edit.write(folder).map(|()| None),
        };
    }
    let own = read.is_none().then(|| folder.read(&lint::programs(app))).transpose()?;
    let wishes = Wishes {
        key: &then.key,
        serial: None,
        expect: match edit {
            // The number is of what the verb does: a hand that edited the list before it said none.
            Edit::Machines(after) => {
                let before = own.as_ref().map(|own| &own.machines);
                let removes = before.is_some_and(|list| list.keys().any(|id| !after.contains_key(id)));
                let n = then.expect.unwrap_or(0);
                if removes { Expect::Goes(n) } else { Expect::Comes(n) }
            }
            // Whoever edits a job has said how many machines it meets.
            Edit::Job(job, _) => Expect::Job(job.job_id),
            // So has whoever takes a freeze away from all of them.
            Edit::PolicyText(group, rules, _) if group == EVERYBODY && ends_a_freeze(rules, read) => {
                Expect::Unfreeze
            }
            Edit::Policy(..) | Edit::PolicyText(..) => Expect::Nothing,
        },
        break_lock: false,
        thorough: false,
        what,
        source: Says::Unread,
    };
    // One of the two is there.
    match read.or(own.as_ref()) {
        Some(source) => change(app, folder, wishes, std::slice::from_ref(edit), source).map(Some),
        None => Ok(None),
    }
}

fn ends_a_freeze(rules: &Rules, read: Option<&Source>) -> bool {
    let before = read.and_then(|read| read.policies.get(EVERYBODY));
    before.is_some_and(|before| before.freezes.len() > rules.freezes.len())
}

/// The same of several edits at once: all of them are published, or none.
///
/// # Errors
/// What could not be written or published.
pub fn change(
    app: &App,
    folder: &Folder,
    wishes: Wishes<'_>,
    edits: &[Edit],
    read: &Source,
) -> Result<Published> {
    if app.dry_run {
        let source = edits.iter().fold(read.clone(), |source, edit| edit.applied(&source));
        return run(app, folder, Wishes { source: Says::Would(&source), ..wishes });
    }
    change_to(app, folder, Wishes { source: Says::Before(read), ..wishes }, edits)
}

/// The same, `wishes` saying what is published once the files are written.
///
/// # Errors
/// As [`change`].
pub fn change_to(app: &App, folder: &Folder, wishes: Wishes<'_>, edits: &[Edit]) -> Result<Published> {
    // Before anything is written.
    app.needs(&folder.share())?;
    let files = edits.iter().map(|edit| edit.path(folder));
    let before: Vec<_> = files.map(|file| Ok((as_it_is(&file)?, file))).collect::<Result<_>>()?;
    let begun = || record::read(&folder.dir, &folder.settings.site_id).map(|record| record.index);
    let publication = begun();
    let restore = || {
        for (bytes, file) in &before {
            let done = match bytes {
                Some(bytes) => durable::write(file, bytes),
                None => std::fs::remove_file(file),
            };
            if let Err(e) = done.or_else(|e| if e.kind() == NotFound { Ok(()) } else { Err(e) }) {
                tracing::warn!(
                    "{} could not be put back as it was, and says what was not published: {e}",
                    file.display()
                );
            }
        }
    };
    edits.iter().try_for_each(|edit| edit.write(folder)).inspect_err(|_| restore())?;
    let done = run(app, folder, wishes);
    if done.is_err() && begun() == publication {
        restore();
    }
    done
}

/// What a file holds that is about to be edited; None: there is none. What cannot be read could not be put back.
fn as_it_is(file: &Path) -> Result<Option<Vec<u8>>> {
    match std::fs::read(file) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if e.kind() == NotFound => Ok(None),
        Err(e) => {
            let message = format!("nothing was changed: {} cannot be read: {e}", file.display());
            let remedy = "Act as somebody who may read the site folder, then try again";
            Err(Failure::new(Exit::Failed, "unreadable", message, remedy))
        }
    }
}

/// A verb that meets many machines says how many it expects. The number is of machines and lets nothing else pass.
///
/// # Errors
/// `not-expected`, with the number.
pub fn expect(machines: usize, then: &ThenArgs) -> Result<()> {
    if machines <= met::FEW || then.expect.is_some_and(|n| n >= machines) {
        return Ok(());
    }
    let message = format!("nothing was changed: it would be for {machines} machines");
    let remedy = format!("If that is what you want, add --expect {machines}");
    Err(Failure::new(Exit::Refused, "not-expected", message, remedy))
}

/// `site publish --json`
#[derive(Debug, Serialize)]
pub struct PublishDoc {
    /// Number of the publication, higher with each.
    serial: u64,
    /// Version of the trust list that it was published under; 0: it is not signed.
    epoch: u64,
    /// When it was published.
    issued: Wall,
    /// Until when machines may start anything by it; None: without an end.
    valid_until: Option<Wall>,
    /// What is another than in the publication before.
    changed: ChangedDoc,
    /// The jobs that are not published any more.
    withdrawn: Vec<JobId>,
    /// The files that were written on the share.
    written: Vec<WrittenDoc>,
    /// How many files of earlier publications were removed, as no index names them any more.
    removed: usize,
    /// Nothing was written: it is what would be done.
    dry_run: bool,
    /// Which publication was completed before; None: none had to be.
    completed: Option<u64>,
    /// Machines in mode signed believe it.
    signed: bool,
    /// What is wrong with packages of jobs that are as they were.
    faults: Vec<SafeText>,
    /// What went wrong beside: a log that was not written, a file that was not removed.
    warnings: Vec<SafeText>,
    /// The jobs that `--undo` cancels, as they were sent since; absent where there is none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cancelled: Vec<JobId>,
    /// What `--undo` left as it is, and why.
    pub left: Vec<SafeText>,
    /// Of `site publish`: whose pcm cannot take it; None: nobody was asked, as nobody has to be.
    pub too_old: Option<TooOldDoc>,
    #[serde(skip)]
    nothing: bool,
    #[serde(skip)]
    machines: usize,
}

/// What is another than before.
#[derive(Debug, Serialize)]
struct ChangedDoc {
    /// The jobs that are new or changed.
    jobs: Vec<JobId>,
    /// The packages that were not there before.
    packages: Vec<PackageId>,
    /// How many policies of groups are new or changed.
    policy: usize,
    /// How many parts of the list of machines are new or changed.
    members: usize,
    /// How many machines are no more.
    machines: usize,
    /// What policies keep machines from no more.
    opened: Vec<SafeText>,
}

/// One file.
#[derive(Debug, Serialize)]
struct WrittenDoc {
    /// Path below the share.
    path: SafeText,
    /// Its size in bytes.
    bytes: u64,
}

/// The document of a publication.
pub fn doc(app: &App, published: &Published) -> PublishDoc {
    let index = &published.index;
    PublishDoc {
        serial: index.serial,
        epoch: index.epoch,
        issued: index.issued,
        valid_until: index.valid_until,
        changed: ChangedDoc {
            jobs: published.jobs.clone(),
            packages: published.packages.clone(),
            policy: published.policies,
            members: published.parts,
            machines: published.gone,
            opened: published.opened.iter().map(|what| SafeText::new(what)).collect(),
        },
        withdrawn: published.withdrawn.clone(),
        written: published
            .written
            .iter()
            .map(|(path, bytes)| WrittenDoc { path: SafeText::new(path), bytes: *bytes })
            .collect(),
        removed: published.removed,
        dry_run: app.dry_run,
        completed: published.completed,
        signed: published.signed,
        faults: published.faults.iter().map(|fault| SafeText::new(&fault.to_string())).collect(),
        cancelled: Vec::new(),
        left: Vec::new(),
        too_old: None,
        warnings: app.warnings(),
        nothing: published.nothing,
        machines: published.machines,
    }
}

/// What is said where a verb only edited.
pub fn unpublished(app: &App, page: &mut Page) {
    page.line(match app.dry_run {
        true => "Nothing would be published; nothing was written.",
        false => "Nothing was published yet: pcm site publish",
    });
}

/// What is said of a publication.
pub fn page(app: &App, doc: &PublishDoc, page: &mut Page) {
    let look = app.look();
    let number = match doc.epoch {
        0 => doc.serial.to_string(),
        epoch => format!("{} of trust list {epoch}", doc.serial),
    };
    if let Some(completed) = doc.completed {
        let was = if doc.dry_run { "would be" } else { "was" };
        page.line(format!("Publication {completed}, which had been begun, {was} completed first."));
    }
    for fault in &doc.faults {
        page.item("! ", fault);
    }
    if doc.nothing {
        page.line(format!("There is nothing to publish: publication {number} says all of it."));
        return;
    }
    let bytes: u64 = doc.written.iter().map(|file| file.bytes).sum();
    let files = format!("{}, {}", count(doc.written.len(), "file"), text::bytes(bytes));
    let verb = if doc.dry_run { "would be published" } else { "is published" };
    page.line(format!("Publication {number} {verb}: {}, {files}.", count(doc.machines, "machine")));
    for job in &doc.changed.jobs {
        page.line(format!("  job {job}"));
    }
    for package in &doc.changed.packages {
        page.line(format!("  package {package}"));
    }
    if doc.changed.policy > 0 {
        page.line(format!("  {}", count(doc.changed.policy, "policy file")));
    }
    for what in &doc.changed.opened {
        page.line(format!("  removed: {what}"));
    }
    if doc.changed.machines > 0 {
        page.line(format!("  {} removed", count(doc.changed.machines, "machine")));
    }
    if doc.removed > 0 {
        page.line(format!("  {} of earlier publications removed from the share", count(doc.removed, "file")));
    }
    for job in &doc.withdrawn {
        page.line(format!("  job {job} is not in it any more"));
    }
    match doc.valid_until {
        Some(until) => {
            let until = look.time_and_distance(until);
            page.line(format!("It counts until {until}; publish again before. {}", look.zone_line()));
        }
        None => {
            page.strong("It is not signed: only machines in trust mode permissions believe it.");
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::cell::{Cell, RefCell};

    /// The folder says these one after another; what was done, and what came of it.
    fn done(says: &[u32], writes: bool) -> (Vec<&'static str>, Result<u32>) {
        let (looks, did) = (Cell::new(0), RefCell::new(Vec::new()));
        let look = || {
            looks.set(looks.get() + 1);
            did.borrow_mut().push("look");
            Ok(says[looks.get() - 1])
        };
        let long = |said: &u32| {
            did.borrow_mut().push("long");
            Ok(*said)
        };
        let alone = || {
            did.borrow_mut().push("alone");
            Ok(writes.then_some(()))
        };
        let done = then_alone(look, long, alone).map(|(_, done, _)| done);
        (did.into_inner(), done)
    }

    #[test]
    fn what_cannot_be_read_is_not_taken_for_a_file_that_is_not_there() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("BP0000AA.toml");
        assert_eq!(as_it_is(&file).unwrap(), None);
        std::fs::write(&file, "mine").unwrap();
        assert_eq!(as_it_is(&file).unwrap().unwrap(), b"mine");
        assert_eq!(as_it_is(dir.path()).unwrap_err().code, "unreadable");
    }

    #[test]
    fn nobody_waits_for_what_takes_long_and_what_has_changed_meanwhile_is_looked_at_again() {
        let once = ["look", "long", "alone", "look"];
        let (did, read) = done(&[7, 7], true);
        assert_eq!((did, read.unwrap()), (once.to_vec(), 7));
        let (did, read) = done(&[7, 8, 8, 8], true);
        assert_eq!((did, read.unwrap()), ([once, once].concat(), 8));
        let (did, read) = done(&[7, 8, 8, 9], true);
        assert_eq!((did, read.unwrap_err().code.as_str()), ([once, once].concat(), "publishing"));
        // What is only thought about keeps nobody waiting at all.
        let (did, read) = done(&[7], false);
        assert_eq!((did, read.unwrap()), (once[..3].to_vec(), 7));
    }
}
