//! What this machine ever took from a share, as far as the loss of its history leaves it: the highest publication (SITE.md 1)
//! and the jobs that were cancelled (SITE.md 2). What is lost makes nothing older new, so whatever mark and database still
//! say is kept, although the database cannot be believed: it can only keep something from running.

use super::chain::{self, Event};
use super::mark::Mark;
use super::row_error::RowError;
use super::{cancelled, connect, publication, schema};
use crate::host::open::{self, OpenError};
use crate::host::paths::Layout;
use crate::site::ids::JobId;
use crate::site::publication::Publication;
use crate::text::SafeText;
use rusqlite::{Connection, OpenFlags, Transaction};
use std::collections::BTreeSet;
use std::path::Path;

/// What counts on, and what is not known any more.
#[derive(Default)]
pub(super) struct Taken {
    pub highest: Option<Publication>,
    cancelled: BTreeSet<JobId>,
    /// In words.
    pub forgotten: Vec<SafeText>,
}

impl Taken {
    /// What mark and database say.
    pub fn left(layout: &Layout) -> Self {
        let mark = Mark::read(&layout.mark());
        let file = layout.history();
        if matches!(mark, Ok(None)) && matches!(open::check_own(&file), Err(OpenError::Missing)) {
            // There never was a history here.
            return Self::default();
        }
        let of_mark = mark.as_ref().map(|mark| mark.as_ref().and_then(|mark| mark.publication.clone()));
        let Some(db) = opened(&file) else {
            let mut taken = Self { highest: of_mark.ok().flatten(), ..Self::default() };
            if taken.highest.is_none() {
                taken.forget(HIGHEST);
            }
            taken.forget(CANCELLED);
            return taken;
        };
        let (of_database, jobs) = (publication::left(&db), cancelled::left(&db));
        // An older file may have been put there, unless the mark says that it is this one: what was taken since is not in it.
        let older = !matches!(&mark, Ok(Some(mark)) if is_of(&db, mark));
        let known = matches!(of_mark, Ok(Some(_))) || of_database.is_ok() && !older;
        let both = of_mark.ok().flatten().into_iter().chain(of_database.ok().flatten());
        let mut taken = Self { highest: publication::higher(both), ..Self::default() };
        if !known {
            taken.forget(HIGHEST);
        }
        match jobs {
            Ok(jobs) if older => {
                taken.cancelled = jobs;
                taken.forget(CANCELLED_SINCE);
            }
            Ok(jobs) => taken.cancelled = jobs,
            Err(_) => taken.forget(CANCELLED),
        }
        taken
    }

    fn forget(&mut self, what: &str) {
        self.forgotten.push(SafeText::new(what));
    }

    pub fn write(&self, tx: &Transaction, events: &mut Vec<Event>) -> rusqlite::Result<()> {
        if let Some(highest) = &self.highest {
            publication::write(tx, events, highest, None)?;
        }
        cancelled::write(tx, events, &self.cancelled, &self.cancelled)
    }
}

const HIGHEST: &str = "which publication was the highest that this machine took: an older index may be taken";
const CANCELLED: &str = "which jobs were cancelled: one of them may run where an index calls it active again";
const CANCELLED_SINCE: &str = "which jobs were cancelled after the database was copied: one of them may run where an index calls it active again";

/// Whether this database has all that the mark counts.
fn is_of(db: &Connection, mark: &Mark) -> bool {
    let generation = schema::meta(db, "generation").ok().flatten();
    let there = chain::newest(db).is_ok_and(|newest| mark.events <= newest.events);
    there && generation.as_deref() == Some(mark.generation.as_str())
}

/// A file that an executor left half written is taken back first.
fn opened(file: &Path) -> Option<Connection> {
    open::check_own(file).ok()?;
    let db = connect(file, OpenFlags::SQLITE_OPEN_READ_ONLY).ok()?;
    if publication::highest(&db)
        .is_err_and(|e| matches!(e, RowError::Database(e) if schema::is_unfinished(&e)))
    {
        schema::roll_back(file).ok()?;
    }
    Some(db)
}

/// Which history it was that is lost or waits: as the mark names it, or else the database, or the file beside it.
pub fn state_left(layout: &Layout) -> Option<SafeText> {
    let of_mark = || Mark::read(&layout.mark()).ok().flatten().map(|mark| mark.generation);
    let of_database = || schema::meta(&opened(&layout.history())?, "generation").ok().flatten();
    let beside = || {
        let bytes = open::read_own(&layout.state.join("generation"), MAX_GENERATION).ok()?;
        String::from_utf8(bytes).ok()
    };
    of_mark().or_else(of_database).or_else(beside).map(|state| SafeText::new(state.trim()))
}

/// The file beside the database holds an id.
const MAX_GENERATION: u64 = 256;
