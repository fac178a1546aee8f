//! Whether history can be believed (PROMISES.md 2, P4), and the two ways in which an operator makes it believable:
//! `pcm init` on a new machine, `pcm init --adopt` after a loss. Lost, damaged or older history never causes a run.

use super::by::{self, By};
use super::chain::{self, ChainState};
use super::first_look::{self, Closed, Unseen};
use super::lost::{Cause, Lost};
use super::mark::Mark;
use super::row_error::RowError;
use super::stretches::Folded;
use super::taken::{Taken, state_left};
use super::{History, cancelled, connect, publication, rows, schema};
use crate::clock::Wall;
use crate::executor::history::chain::Event;
use crate::executor::run::run_folder;
use crate::host::durable;
use crate::host::open::{self, OpenError};
use crate::host::paths::Layout;
use crate::site::ids::RequestId;
use crate::site::past::Told;
use crate::site::publication::Publication;
use crate::text::SafeText;
use rusqlite::{OpenFlags, params};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};

/// What SQLite may keep beside the database.
const BESIDE: [&str; 3] = ["-journal", "-wal", "-shm"];

fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// A history that can be believed.
pub(super) struct Healthy {
    pub history: History,
    /// It has events that the mark does not know: the executor died between the two.
    pub ahead_of_mark: bool,
}

pub(super) fn open_healthy(layout: &Layout, flags: OpenFlags) -> Result<Healthy, Lost> {
    match open_whole(layout, flags)? {
        (healthy, None) => Ok(healthy),
        (_, Some(closed)) => Err(Lost::closed(&closed)),
    }
}

/// The same, and what keeps a new history closed that is whole.
fn open_whole(layout: &Layout, flags: OpenFlags) -> Result<(Healthy, Option<Closed>), Lost> {
    let file = layout.history();
    let mark_file = layout.mark();
    let mark = Mark::read(&mark_file).map_err(|e| Lost::of_io(&mark_file, &e))?;
    match open::check_own(&file) {
        Err(OpenError::Missing) => {
            return Err(match mark {
                None => Lost {
                    cause: Cause::NeverCreated,
                    ..Lost::new(format!("there is no history at {} yet", file.display()))
                },
                Some(mark) => Lost::missing(layout, &mark),
            });
        }
        Err(e) => return Err(Lost::of_io(&file, &e.into())),
        Ok(()) => {}
    }
    for beside in BESIDE.map(|suffix| beside(&file, suffix)) {
        match open::check_own(&beside) {
            Ok(()) | Err(OpenError::Missing) => {}
            Err(e) => return Err(Lost::of_io(&beside, &e.into())),
        }
    }
    let damaged = |e: rusqlite::Error| Lost::of_database(&file, &e);
    // Before it is opened: a file that takes its place in between is another one.
    let identity = open::identity(&file).map_err(|e| Lost::of_io(&file, &e))?;
    let db = connect(&file, flags).map_err(damaged)?;
    let found = match schema::version(&db) {
        Err(e) if schema::is_unfinished(&e) => {
            schema::roll_back(&file).map_err(|e| Lost::of_database(&file, &e))?;
            schema::version(&db)
        }
        found => found,
    };
    let found = found.map_err(damaged)?;
    if found > schema::VERSION {
        // Whole, and for the newer one to read: whoever adopted in its place would let all of it run again.
        let evidence = format!(
            "{} was written by a newer pcm: its tables are of version {found}, this one knows {}",
            file.display(),
            schema::VERSION
        );
        return Err(Lost::unreadable(evidence).mended_by("install the newer pcm again"));
    }
    if found < 1 {
        return Err(Lost::new(format!("{} has no tables of pcm", file.display())));
    }
    let check: String = db.pragma_query_value(None, "integrity_check", |row| row.get(0)).map_err(damaged)?;
    if check != "ok" {
        return Err(Lost::new(format!("{} is damaged: {check}", file.display())));
    }
    let generation = schema::meta(&db, "generation").map_err(damaged)?.unwrap_or_default();
    let head = chain::verify(&db).map_err(damaged)?.map_err(|bad| {
        Lost::new(format!("{}: event {bad} does not fit the chain, it was changed", file.display()))
    })?;
    rows::agree_with_events(&db)
        .map_err(damaged)?
        .map_err(|what| Lost::new(format!("{}: {what}", file.display())))?;
    publication::agrees_with_events(&db)
        .map_err(damaged)?
        .map_err(|what| Lost::new(format!("{}: {what}", file.display())))?;
    cancelled::agrees_with_events(&db)
        .map_err(damaged)?
        .map_err(|what| Lost::new(format!("{}: {what}", file.display())))?;
    let Some(mark) = mark else {
        return Err(without_mark(&db, &head, layout));
    };
    let ahead_of_mark = against_mark(&db, &generation, &head, &mark, layout)?;
    let folded = Folded::read(&db).map_err(damaged)?.rows_sha256();
    is_marked(folded.as_deref(), &mark, layout)?;
    let closed = first_look::read(&db).map_err(|e| match e {
        RowError::Database(e) => damaged(e),
        RowError::Content(what) => Lost::new(format!("{}: {what}", file.display())),
    })?;
    let folded = folded.into_iter().collect();
    let history = History { db, file, identity, mark_file, generation, head, folded, call: None };
    Ok((Healthy { history, ahead_of_mark }, closed))
}

/// Compares the database with its mark: true where the database is ahead.
fn against_mark(
    db: &rusqlite::Connection,
    generation: &str,
    head: &ChainState,
    mark: &Mark,
    layout: &Layout,
) -> Result<bool, Lost> {
    let file = layout.history();
    if mark.generation != generation {
        return Err(Lost::new(format!(
            "{} is of generation {generation}, the mark is of {}",
            file.display(),
            mark.generation
        )));
    }
    if mark.events > head.events {
        return Err(Lost::new(format!(
            "{} has {} events, the mark knows of {}: it was replaced by an older one",
            file.display(),
            head.events,
            mark.events
        )));
    }
    let there = chain::hash_at(db, mark.events).map_err(|e| Lost::of_database(&file, &e))?;
    if there.is_none() {
        return Err(Lost::new(format!(
            "{}: event {}, which the mark knows, was folded since: {} is an old one",
            file.display(),
            mark.events,
            layout.mark().display()
        )));
    }
    if there.as_deref() != Some(mark.head.as_str()) {
        return Err(Lost::new(format!(
            "{}: event {} is not the one that the mark knows",
            file.display(),
            mark.events
        )));
    }
    Ok(mark.events < head.events)
}

/// What was folded is what the mark says. Nobody who can write the history alone has events left out by calling them folded.
fn is_marked(folded: Option<&str>, mark: &Mark, layout: &Layout) -> Result<(), Lost> {
    let Some(folded) = folded else { return Ok(()) };
    let says = |mark: &Mark| mark.folded.iter().any(|known| known == folded);
    // An executor that has just folded said so in a mark that is newer than the one that was read.
    if says(mark) || Mark::read(&layout.mark()).is_ok_and(|newer| newer.is_some_and(|newer| says(&newer))) {
        return Ok(());
    }
    let file = layout.history();
    Err(Lost::new(format!(
        "{}: events are missing of which the mark does not say that they were folded",
        file.display()
    )))
}

/// A history without its mark may be an old one that was put back. One in which nothing has happened since it was
/// created forgets nothing: its `pcm init` was cut off before it wrote the mark.
fn without_mark(db: &rusqlite::Connection, head: &ChainState, layout: &Layout) -> Lost {
    let mark = layout.mark();
    let unfinished = || {
        let earlier =
            matches!(first_look::read(db), Ok(Some(Closed::Earlier(_))) | Err(RowError::Content(_)));
        Ok(chain::only_created(db, head)? && !earlier)
    };
    match unfinished() {
        Ok(true) => Lost {
            cause: Cause::NeverCreated,
            ..Lost::new(format!("pcm init did not get to its end, {} is missing", mark.display()))
        },
        Ok(false) => Lost::new(format!("its mark {} is missing", mark.display())),
        Err(e) => Lost::of_database(&layout.history(), &e),
    }
}

/// What the operator decides about everything that is now listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Adopt {
    /// It has been carried out already; nothing of it runs by itself.
    Done,
    /// It has not; whatever is due runs.
    NotDone,
}

/// What `pcm init` did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InitOutcome {
    /// A history where there was none.
    Created,
    /// It was healthy; nothing changed.
    Healthy,
    /// A new history in the place of a lost one.
    Adopted(Adopted),
}

/// What an adoption came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adopted {
    /// So many requests count as done.
    pub done: usize,
    /// The old file, if there was one, is kept under this name.
    pub kept: Option<PathBuf>,
    /// What neither the old file nor the mark said any more, as clauses.
    pub forgotten: Vec<SafeText>,
}

/// Creates a history where there never was one, or none that got as far as its mark; changes nothing where it is healthy.
/// `told` is what every place said where results of an earlier life may lie; None: the caller knows that there are none.
/// Where one holds some, or was not seen, the new history is closed.
///
/// # Errors
/// `Lost`: it needs `adopt`. Nothing has changed then, except that a closed new history may be there.
pub fn init(
    layout: &Layout,
    now: Wall,
    generation: &str,
    told: Option<&[Told]>,
) -> Result<InitOutcome, Lost> {
    match open_healthy(layout, OpenFlags::SQLITE_OPEN_READ_WRITE) {
        Ok(_) => Ok(InitOutcome::Healthy),
        Err(lost) if lost.cause == Cause::NeverCreated => {
            let closed = told.and_then(|told| first_look::after(&Unseen::default(), told));
            create(layout, now, generation, &Began::New(closed.as_ref())).map_err(Lost::new)?;
            closed.map_or(Ok(InitOutcome::Created), |closed| Err(Lost::closed(&closed)))
        }
        Err(lost) if lost.cause == Cause::Unseen => match told {
            Some(told) => seen(layout, told).map(|()| InitOutcome::Healthy),
            None => Err(lost),
        },
        Err(lost) => Err(lost),
    }
}

/// Whether there is no history yet, or a new one that waits for what places say of an earlier life.
pub fn is_new(layout: &Layout) -> bool {
    let opened = open_healthy(layout, OpenFlags::SQLITE_OPEN_READ_ONLY);
    opened.is_err_and(|lost| matches!(lost.cause, Cause::NeverCreated | Cause::Unseen))
}

/// Why the history cannot be read now, where that is so: nothing may be concluded from that, and nothing adopted.
pub fn unreadable(layout: &Layout) -> Option<Lost> {
    let opened = open_healthy(layout, OpenFlags::SQLITE_OPEN_READ_ONLY);
    opened.err().filter(|lost| lost.cause == Cause::Unreadable)
}

/// Takes what every place says now to a new history that waits for it.
///
/// # Errors
/// `Lost`: it is closed still, or cannot be believed.
pub fn seen(layout: &Layout, told: &[Told]) -> Result<(), Lost> {
    let (Healthy { history, .. }, closed) = open_whole(layout, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let before = match closed {
        Some(Closed::Unseen(before)) => before,
        Some(closed) => return Err(Lost::closed(&closed)),
        None => return Ok(()),
    };
    let closed = first_look::after(&before, told);
    let keep = || {
        let tx = history.db.unchecked_transaction()?;
        first_look::write(&tx, closed.as_ref())?;
        tx.commit()
    };
    keep().map_err(|e| Lost::of_database(&history.file, &e))?;
    closed.map_or(Ok(()), |closed| Err(Lost::closed(&closed)))
}

/// Starts a new history in place of a lost one, because `by` decided so. The old file is kept beside it for whoever wants to
/// look.
///
/// # Errors
/// What failed: history stays lost and nothing runs.
pub fn adopt(
    layout: &Layout,
    now: Wall,
    generation: &str,
    adopt: Adopt,
    listed: &[RequestId],
    by: &By,
) -> Result<InitOutcome, String> {
    match open_healthy(layout, OpenFlags::SQLITE_OPEN_READ_WRITE) {
        Ok(_) => return Ok(InitOutcome::Healthy),
        // A whole history may be there, and would be thrown away.
        Err(lost) if lost.cause == Cause::Unreadable => return Err(lost.evidence.to_string()),
        Err(_) => {}
    }
    let taken = Taken::left(layout);
    let adopted = if adopt == Adopt::Done { listed } else { &[] };
    // What the old file says is in the new one before anything is moved.
    let new = NewFile::write(layout, now, generation, &Began::Adopted { adopted, taken: &taken, by })?;
    let stamp = now.format("%Y%m%dT%H%M%SZ");
    let runs = layout.runs();
    run_folder::set_aside(&runs, &runs.with_file_name(format!("runs.lost-{stamp}")))
        .map_err(|e| format!("what is in {} cannot be moved aside: {e}", runs.display()))?;
    let file = layout.history();
    // A journal of the old file would be rolled back into the new one.
    for beside in BESIDE.map(|suffix| beside(&file, suffix)) {
        match std::fs::remove_file(&beside) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                return Err(format!("{} cannot be removed: {e}", beside.display()));
            }
            _ => {}
        }
    }
    let mut kept = None;
    if std::fs::symlink_metadata(&file).is_ok() {
        let aside = file.with_file_name(format!("history.db.lost-{stamp}"));
        std::fs::rename(&file, &aside)
            .map_err(|e| format!("{} cannot be moved aside: {e}", file.display()))?;
        kept = Some(aside);
    }
    if let Err(why) = new.put_in_place(layout, taken.highest.clone()) {
        // The next try reads it where it was.
        if let Some(aside) = kept.filter(|_| std::fs::symlink_metadata(&file).is_err()) {
            std::fs::rename(&aside, &file)
                .map_err(|e| format!("{why}; {} cannot be moved back: {e}", aside.display()))?;
        }
        return Err(why);
    }
    Ok(InitOutcome::Adopted(Adopted { done: adopted.len(), kept, forgotten: taken.forgotten }))
}

/// How a history begins.
enum Began<'a> {
    /// There was none; it may be closed.
    New(Option<&'a Closed>),
    /// In the place of a lost one.
    Adopted { adopted: &'a [RequestId], taken: &'a Taken, by: &'a By<'a> },
}

/// The same because the site decided so: it named this state, the mark names it, too, and this machine has not gone on from it
/// before. Without the mark nobody knows that. What is listed by something older than this machine has taken decides nothing.
/// None: the history is whole meanwhile.
///
/// # Errors
/// As [`adopt`], or why the site does not decide this.
pub fn replace(
    layout: &Layout,
    now: Wall,
    generation: &str,
    listed: &[RequestId],
    state: &str,
    publication: &Publication,
) -> Result<Option<Adopted>, String> {
    let file = layout.mark();
    let unknown =
        |why: &str| format!("{} {why}, so nobody knows whether it did so before; {DECIDE}", file.display());
    let mark = Mark::read(&file).map_err(|e| unknown(&format!("cannot be read ({e})")))?;
    let mark = mark.ok_or_else(|| unknown("is missing"))?;
    if mark.generation != state {
        return Err(format!("the history that is lost is {}, and the site names {state}", mark.generation));
    }
    if mark.obeyed {
        return Err(format!("it did so before; {DECIDE}"));
    }
    if Taken::left(layout).highest.as_ref().is_some_and(|highest| publication.behind(highest).is_some()) {
        return Err("what says so is older than what this machine has taken before; publish again".into());
    }
    Ok(match adopt(layout, now, generation, Adopt::Done, listed, &By::Site(state))? {
        InitOutcome::Adopted(adopted) => Some(adopted),
        InitOutcome::Created | InitOutcome::Healthy => None,
    })
}

/// What helps where the site cannot.
const DECIDE: &str = "decide on the machine: pcm init --adopt";

fn create(layout: &Layout, now: Wall, generation: &str, began: &Began) -> Result<(), String> {
    NewFile::write(layout, now, generation, began)?.put_in_place(layout, None)
}

/// A history that is whole on disk and not yet the machine's.
struct NewFile {
    file: PathBuf,
    generation: String,
    head: ChainState,
}

impl NewFile {
    fn write(layout: &Layout, now: Wall, generation: &str, began: &Began) -> Result<Self, String> {
        // Made under another name and renamed, so that a history is there whole or not at all.
        let new = layout.history().with_file_name("history.db.new");
        let _ = std::fs::remove_file(&new);
        let failed = |e: rusqlite::Error| format!("{}: {e}", new.display());
        let mut db = connect(&new, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)
            .map_err(failed)?;
        schema::create(&mut db, generation).map_err(failed)?;
        if let Began::New(closed @ Some(_)) = began {
            first_look::write(&db, *closed).map_err(failed)?;
        }
        let mut history = History {
            db,
            file: new.clone(),
            identity: open::identity(&new).map_err(|e| format!("{}: {e}", new.display()))?,
            mark_file: layout.mark(),
            generation: generation.to_owned(),
            head: ChainState::default(),
            folded: Vec::new(),
            call: None,
        };
        history
            .transition(now, |tx, events| {
                events.push(Event::new("created", None, &serde_json::json!({ "generation": generation })));
                let Began::Adopted { adopted, taken, by } = began else { return Ok(()) };
                if let Some(state) = state_left(layout) {
                    by::write_after(tx, state.as_str())?;
                }
                events.push(Event::new("audit", None, &by.entry("adopt", &taken.forgotten, now)));
                for request in *adopted {
                    let at = now.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
                    tx.execute(
                        "INSERT INTO adopted (request, at) VALUES (?1, ?2)",
                        params![request.as_str(), at],
                    )?;
                    events.push(Event::new("adopted-as-done", Some(*request), &serde_json::json!({})));
                }
                taken.write(tx, events)
            })
            .map_err(|e| e.to_string())?;
        restrict(&new).map_err(|e| format!("{}: {e}", new.display()))?;
        let head = history.head.clone();
        drop(history);
        let beside = layout.state.join("generation");
        durable::write(&beside, generation.as_bytes()).map_err(|e| format!("{}: {e}", beside.display()))?;
        Ok(NewFile { file: new, generation: generation.to_owned(), head })
    }

    fn put_in_place(self, layout: &Layout, publication: Option<Publication>) -> Result<(), String> {
        let Self { file: new, generation, head } = self;
        let file = layout.history();
        std::fs::rename(&new, &file).map_err(|e| format!("{}: {e}", file.display()))?;
        durable::sync_dir(&layout.state).map_err(|e| format!("{}: {e}", layout.state.display()))?;
        #[cfg(test)]
        super::faults::point("created").map_err(|e| e.to_string())?;
        // The mark goes last: it counts events, and what it counts has to be there after a power cut.
        Mark {
            generation,
            events: head.events,
            head: head.hash,
            publication,
            obeyed: false,
            folded: Vec::new(),
        }
        .write(&layout.mark())
        .map_err(|e| format!("{}: {e}", layout.mark().display()))
    }
}

/// Reasons and names in it are for operators; others read them through the executor.
fn restrict(file: &std::path::Path) -> io::Result<()> {
    crate::host::durable::make_private_file(file)
}
