//! What machines said last, kept between two looks (SITE.md 6): of each report how it stood and what it says, so that only
//! what changed is read again. It is a cache: it may be deleted, and where it is damaged, or another pcm made it, it is made
//! anew. It lies in a folder of this account alone; where somebody else could have written it, it is not used.

pub use super::account::Heard;
use super::foretold::Forecasts;
use super::packed::{self, Name, Wanted, Words};
use super::seals::Seals;
use crate::clock::Wall;
use crate::host::open::{self, Looked};
use crate::host::{paths, perms};
use crate::site::content::hash_bytes;
use crate::site::ids::{MachineId, RequestId};
use crate::text::SafeText;
use chrono::TimeDelta;
use flate2::Crc;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior, params};
use std::collections::{BTreeMap, BTreeSet, btree_map};
use std::iter::Peekable;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How it is laid out.
const LAYOUT: u32 = 9;
/// Another pcm that writes it is waited for so long.
const BUSY: Duration = Duration::from_secs(2);
/// What another console of this account has kept since then stays: two that watch would write all of it in turn for ever.
const FRESH: TimeDelta = TimeDelta::minutes(1);
/// The most bytes of all reports together, as they are kept: a hundred thousand machines with forty requests each.
const MOST_BYTES: usize = 512 << 20;

/// One report.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Kept {
    looked: Looked,
    said: Box<[u8]>,
}

/// The reports of a site.
#[derive(Debug, Default)]
pub struct Cache {
    rows: BTreeMap<MachineId, Kept>,
    bytes: usize,
    words: Words,
    /// What is not on disk yet.
    changed: BTreeSet<MachineId>,
    /// How the words stand on disk.
    turn: Turn,
    /// When all reports were looked at last.
    looked: Option<Wall>,
    /// What was foretold.
    pub forecasts: Forecasts,
    /// Which signatures of what a collector has read were verified.
    seals: Seals,
    /// They are not on disk yet.
    sealed: bool,
    /// None: nothing is kept.
    file: Option<PathBuf>,
    /// What an operator should know of it.
    pub said: Vec<SafeText>,
}

/// What is kept, asked for in the order of machines: of 100,000 each is looked at once, and none is searched for.
#[derive(Debug)]
pub struct InOrder<'a> {
    cache: &'a Cache,
    rows: Peekable<btree_map::Iter<'a, MachineId, Kept>>,
    last: Option<MachineId>,
}

impl<'a> InOrder<'a> {
    fn kept(&mut self, machine: MachineId) -> Option<&'a Kept> {
        // In another order it is searched for.
        if self.last.is_some_and(|last| machine < last) {
            return self.cache.rows.get(&machine);
        }
        self.last = Some(machine);
        while self.rows.next_if(|(id, _)| **id < machine).is_some() {}
        self.rows.peek().filter(|(id, _)| **id == machine).map(|(_, kept)| *kept)
    }

    /// Whether the report of this machine says something; None: none is kept.
    pub fn is_good(&mut self, machine: MachineId) -> Option<bool> {
        self.kept(machine).map(|kept| packed::is_good(&kept.said))
    }

    /// What a machine says; None: it is not kept. `wanted`: these requests alone, which is much quicker for all machines of a
    /// site.
    pub fn heard(&mut self, machine: MachineId, wanted: Option<&Wanted>) -> Option<Heard> {
        self.kept(machine).and_then(|kept| self.cache.words.unpack(&kept.said, wanted))
    }
}

/// How the words stand on disk. What a row says depends on them: whoever changes them draws another number, and whoever finds
/// another one there than its own writes all anew. It is drawn, not counted: a cache that was removed and made again counts
/// from the beginning.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Turn {
    /// Nothing is there: 0.
    number: i64,
    names: usize,
    texts: usize,
}

impl Turn {
    /// So many words are there.
    fn words(self) -> i64 {
        i64::try_from(self.names + self.texts).unwrap_or(i64::MAX)
    }
}

impl Cache {
    /// Nothing yet, and nothing will be kept.
    pub fn nowhere() -> Self {
        Self::default()
    }

    /// What is kept of the reports on this share, in the folder for that of this account.
    pub fn of(share: &Path) -> Self {
        let Some(folder) = paths::cache() else { return Self::nowhere() };
        let hash = hash_bytes(share.as_os_str().as_encoded_bytes());
        let name: String = hash.as_str().chars().take(16).collect();
        Self::open(&folder, &format!("rollout-{name}.db"))
    }

    /// What is kept under this name in a folder that is made where there is none.
    pub fn open(folder: &Path, name: &str) -> Self {
        let file = match home(folder) {
            Ok(folder) => folder.join(name),
            Err(why) => return Self { said: vec![not_kept(&why)], ..Self::default() },
        };
        let mut cache = Self { file: Some(file.clone()), ..Self::default() };
        match rows(&file) {
            Ok(Some(read)) => {
                cache.bytes = read.rows.values().map(|kept| kept.said.len()).sum();
                (cache.rows, cache.words, cache.turn) = (read.rows, read.words, read.turn);
                (cache.looked, cache.forecasts, cache.seals) = (read.looked, read.forecasts, read.seals);
                if cache.words.is_full() {
                    cache.renew_words();
                }
            }
            Ok(None) => {}
            Err(Unread::Foreign(why)) => {
                cache.file = None;
                cache.said.push(not_kept(&why));
            }
            Err(Unread::Damaged(why)) => {
                let words = format!(
                    "what was kept of the reports is damaged and is made anew: {}: {why}",
                    file.display()
                );
                cache.said.push(SafeText::new(&words));
                if let Err(e) = std::fs::remove_file(&file) {
                    cache.file = None;
                    cache.said.push(not_kept(&format!("{}: {e}", file.display())));
                }
            }
        }
        cache
    }

    /// When all reports of the share were looked at last.
    pub fn looked(&self) -> Option<Wall> {
        self.looked
    }

    /// That was now.
    pub(super) fn was_looked_at(&mut self, now: Wall) {
        self.looked = Some(now);
    }

    /// Which signatures of what a collector has read were verified.
    pub(super) fn seals(&self) -> Seals {
        self.seals.clone()
    }

    /// These were.
    pub(super) fn verified(&mut self, seals: Seals) {
        self.sealed |= seals != self.seals;
        self.seals = seals;
    }

    /// How the reports of these machines stood when they were read.
    pub fn stood(&self, machines: impl IntoIterator<Item = MachineId>) -> Vec<(MachineId, Option<Looked>)> {
        let mut rows = self.in_order();
        machines.into_iter().map(|machine| (machine, rows.kept(machine).map(|kept| kept.looked))).collect()
    }

    /// What is kept, for whoever asks for one machine after the other.
    pub fn in_order(&self) -> InOrder<'_> {
        InOrder { cache: self, rows: self.rows.iter().peekable(), last: None }
    }

    /// Takes in what was read of a report that stands so.
    pub fn put(&mut self, machine: MachineId, looked: Looked, heard: &Heard) {
        self.remove(machine);
        let full = |said: &[u8], bytes: usize| said.len() + bytes > MOST_BYTES;
        let mut said = self.words.pack(machine, heard);
        if said.as_deref().is_none_or(|said| full(said, self.bytes)) {
            let why = Err("all reports together are too large, and this one is left out".into());
            said = self.words.pack(machine, &why);
        }
        let Some(said) = said.filter(|said| !full(said, self.bytes)) else { return };
        self.bytes += said.len();
        self.rows.insert(machine, Kept { looked, said });
        self.changed.insert(machine);
    }

    /// No report is kept.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// A report of this machine is kept.
    pub fn has(&self, machine: MachineId) -> bool {
        self.rows.contains_key(&machine)
    }

    /// The machines whose reports say nothing, and why.
    pub fn bad(&self) -> impl Iterator<Item = (MachineId, SafeText)> {
        let bad = self.rows.iter().filter(|(_, kept)| !packed::is_good(&kept.said));
        bad.filter_map(|(machine, kept)| Some((*machine, self.words.unpack(&kept.said, None)?.err()?)))
    }

    /// Lets go of a machine.
    pub fn remove(&mut self, machine: MachineId) {
        if let Some(kept) = self.rows.remove(&machine) {
            self.bytes -= kept.said.len();
            self.changed.insert(machine);
        }
    }

    /// Lets go of all machines but these, which are sorted.
    pub fn keep<'a>(&mut self, sorted: impl IntoIterator<Item = &'a MachineId>) {
        // Both are in order: of 100,000 each is looked at once, and none is searched for.
        let mut wanted = sorted.into_iter().peekable();
        let other = |id: &&MachineId| {
            while wanted.next_if(|wanted| wanted < id).is_some() {}
            wanted.peek() != Some(id)
        };
        let others: Vec<MachineId> = self.rows.keys().filter(other).copied().collect();
        others.into_iter().for_each(|machine| self.remove(machine));
    }

    /// What a machine says; None: it is not kept.
    pub fn heard(&self, machine: MachineId) -> Option<Heard> {
        self.rows.get(&machine).and_then(|kept| self.words.unpack(&kept.said, None))
    }

    /// What is wanted where these requests are.
    pub fn wanted(&self, requests: BTreeSet<RequestId>) -> Wanted {
        self.words.wanted(requests)
    }

    /// Gives places only to what is said now.
    fn renew_words(&mut self) {
        let mut words = Words::default();
        for (machine, kept) in &mut self.rows {
            let heard = self.words.unpack(&kept.said, None);
            let Some(said) = heard.and_then(|heard| words.pack(*machine, &heard)) else { continue };
            self.bytes = self.bytes + said.len() - kept.said.len();
            kept.said = said;
        }
        (self.words, self.turn) = (words, Turn::default());
        self.changed.extend(self.rows.keys());
    }

    /// Puts what is new on disk. What could not be kept is said, and only costs time at the next look.
    pub fn save(&mut self) {
        let Some(file) = self.file.clone() else { return };
        match self.write(&file) {
            Ok(Saved::All) => self.changed.clear(),
            Ok(Saved::Others) => {}
            Ok(Saved::OfAnotherPcm) => {
                self.said.push(not_kept(&format!("{} is kept by a pcm of another version", file.display())));
                self.file = None;
            }
            Err(e) => {
                self.said.push(not_kept(&format!("{}: {e}", file.display())));
                self.file = None;
            }
        }
    }

    fn write(&mut self, file: &Path) -> rusqlite::Result<Saved> {
        let mut db = connect(file, OpenFlags::SQLITE_OPEN_CREATE)?;
        let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        change.execute_batch(
            "CREATE TABLE IF NOT EXISTS made (by TEXT NOT NULL, turn INTEGER NOT NULL, words INTEGER NOT NULL, looked INTEGER);
             CREATE TABLE IF NOT EXISTS words (kind INTEGER NOT NULL, place INTEGER NOT NULL, crc INTEGER NOT NULL,
                 said BLOB NOT NULL, PRIMARY KEY (kind, place)) WITHOUT ROWID;
             CREATE TABLE IF NOT EXISTS forecasts (said TEXT NOT NULL);
             CREATE TABLE IF NOT EXISTS seals (verified BLOB NOT NULL);
             CREATE TABLE IF NOT EXISTS reports (machine TEXT PRIMARY KEY, size INTEGER NOT NULL, changed INTEGER NOT NULL,
                 number INTEGER NOT NULL, crc INTEGER NOT NULL, said BLOB NOT NULL) WITHOUT ROWID;",
        )?;
        change.execute(
            "INSERT INTO made SELECT ?1, 0, 0, NULL WHERE NOT EXISTS (SELECT 1 FROM made)",
            [made_by()],
        )?;
        let (by, there, looked): (String, i64, Option<i64>) =
            change.query_row("SELECT by, turn, looked FROM made", [], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?;
        if by != made_by() {
            return Ok(Saved::OfAnotherPcm);
        }
        let theirs = looked.and_then(Wall::from_timestamp_micros).filter(|_| there != self.turn.number);
        if let (Some(theirs), Some(own)) = (theirs, self.looked)
            && theirs <= own + FRESH
            && own <= theirs + FRESH
        {
            return Ok(Saved::Others);
        }
        let turn = self.put_words(&change, there)?;
        {
            let mut put = change.prepare("INSERT OR REPLACE INTO reports VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
            let mut drop = change.prepare("DELETE FROM reports WHERE machine = ?1")?;
            for machine in &self.changed {
                let Some(Kept { looked, said }) = self.rows.get(machine) else {
                    drop.execute([machine.as_str()])?;
                    continue;
                };
                let (size, number) = (looked.size.cast_signed(), looked.number.cast_signed());
                put.execute(params![
                    machine.as_str(),
                    size,
                    looked.changed,
                    number,
                    sum(*machine, looked, said),
                    said
                ])?;
            }
        }
        let looked = self.looked.map(|at| at.timestamp_micros());
        change.execute("UPDATE made SET looked = ?1", [looked])?;
        if self.forecasts.changed {
            change.execute_batch("DELETE FROM forecasts")?;
            let mut put = change.prepare("INSERT INTO forecasts VALUES (?1)")?;
            for foretold in self.forecasts.all() {
                put.execute([serde_json::to_string(foretold).unwrap_or_default()])?;
            }
        }
        if self.sealed {
            change.execute_batch("DELETE FROM seals")?;
            change.execute("INSERT INTO seals VALUES (?1)", [self.seals.bytes()])?;
        }
        change.commit()?;
        self.turn = turn;
        (self.forecasts.changed, self.sealed) = (false, false);
        Ok(Saved::All)
    }

    /// Puts the new words on disk; where others are there than were read, all rows are written with the own ones.
    fn put_words(&mut self, change: &Transaction<'_>, there: i64) -> rusqlite::Result<Turn> {
        let (names, texts) = (self.words.names.all(), self.words.texts.all());
        let mut known = self.turn;
        if there != known.number {
            change.execute_batch("DELETE FROM words; DELETE FROM reports;")?;
            self.changed.extend(self.rows.keys());
            known = Turn { number: there, ..Turn::default() };
        } else if (known.names, known.texts) == (names.len(), texts.len()) && there != 0 {
            return Ok(known);
        }
        let mut put = change.prepare("INSERT INTO words VALUES (?1, ?2, ?3, ?4)")?;
        let names =
            names.iter().enumerate().skip(known.names).map(|(n, name)| (NAME, n, packed::to_disk(name)));
        let texts =
            texts.iter().enumerate().skip(known.texts).map(|(n, text)| (TEXT, n, packed::to_disk(text)));
        for (kind, place, said) in names.chain(texts) {
            let (place, said) = (i64::try_from(place).unwrap_or(i64::MAX), said.unwrap_or_default());
            put.execute(params![kind, place, sum_word(kind, place, &said), said])?;
        }
        let number: i64 = change.query_row("SELECT random() | 1", [], |row| row.get(0))?;
        let turn = Turn { number, names: self.words.names.all().len(), texts: self.words.texts.all().len() };
        change.execute("UPDATE made SET turn = ?1, words = ?2", [number, turn.words()])?;
        Ok(turn)
    }
}

/// What became of what is new.
enum Saved {
    /// It is on disk.
    All,
    /// Another console of this account has kept what it read in this minute.
    Others,
    /// A pcm of another version keeps it in its own words.
    OfAnotherPcm,
}

/// The kinds of words on disk.
const NAME: i64 = 0;
const TEXT: i64 = 1;

/// What it was made by: another one makes it anew, and one that knows other words, too.
fn made_by() -> String {
    let mut crc = Crc::new();
    packed::numbered_by().for_each(|word| crc.update(format!("{word} ").as_bytes()));
    format!("{LAYOUT} {} {:08x}", env!("CARGO_PKG_VERSION"), crc.sum())
}

/// The folder, which is made where there is none; nobody else could have written it.
fn home(folder: &Path) -> Result<PathBuf, String> {
    let wrong = |e: &dyn std::fmt::Display| format!("{}: {e}", folder.display());
    if !folder.is_dir() {
        std::fs::create_dir_all(folder).and_then(|()| open::make_private(folder)).map_err(|e| wrong(&e))?;
    }
    perms::check_home(folder).map_err(|loose| loose.to_string())?;
    // Of a way through links the database would be refused.
    folder.canonicalize().map_err(|e| wrong(&e))
}

fn not_kept(why: &str) -> SafeText {
    SafeText::new(&format!(
        "what is read of the reports is not kept, and the next look reads all of them again: {why}"
    ))
}

/// Why there is nothing.
enum Unread {
    /// Somebody else could have written it, or it cannot be reached.
    Foreign(String),
    /// It is not what was written.
    Damaged(String),
}

impl From<rusqlite::Error> for Unread {
    fn from(e: rusqlite::Error) -> Self {
        match e.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::CannotOpen) => {
                Unread::Foreign(e.to_string())
            }
            _ => Unread::Damaged(e.to_string()),
        }
    }
}

/// What is kept on disk.
struct Read {
    rows: BTreeMap<MachineId, Kept>,
    words: Words,
    turn: Turn,
    looked: Option<Wall>,
    forecasts: Forecasts,
    seals: Seals,
}

/// All that is kept; None: nothing is.
fn rows(file: &Path) -> Result<Option<Read>, Unread> {
    match open::check_own(file) {
        Err(open::OpenError::Missing) => return Ok(None),
        other => other.map_err(|e| Unread::Foreign(format!("{}: {e}", file.display())))?,
    }
    let mut db = connect(file, OpenFlags::empty())?;
    // All of it as it stood at one time.
    let db = db.transaction()?;
    let by: String = db.query_row("SELECT by FROM made", [], |row| row.get(0))?;
    if by != made_by() {
        drop(db);
        // Another pcm's: nothing is wrong with it.
        return std::fs::remove_file(file).map(|()| None).map_err(|e| Unread::Foreign(e.to_string()));
    }
    let (number, looked): (i64, Option<i64>) =
        db.query_row("SELECT turn, looked FROM made", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let looked = looked.and_then(Wall::from_timestamp_micros);
    let words = words(&db)?;
    let turn = Turn { number, names: words.names.all().len(), texts: words.texts.all().len() };
    if db.query_row("SELECT words FROM made", [], |row| row.get::<_, i64>(0))? != turn.words() {
        return Err(Unread::Damaged("some of its words are gone".to_owned()));
    }
    let mut all =
        db.prepare("SELECT machine, size, changed, number, crc, said FROM reports ORDER BY machine")?;
    // A map that is made of all of them at once takes half of the room of one that grows.
    let mut kept = Vec::new();
    let mut rows = all.query([])?;
    while let Some(row) = rows.next()? {
        let wrong = || Unread::Damaged("a row is not what was written".to_owned());
        let machine: MachineId =
            row.get_ref(0)?.as_str().ok().and_then(|id| id.parse().ok()).ok_or_else(wrong)?;
        let looked = Looked {
            size: row.get::<_, i64>(1)?.cast_unsigned(),
            changed: row.get(2)?,
            number: row.get::<_, i64>(3)?.cast_unsigned(),
        };
        let said: Box<[u8]> = row.get_ref(5)?.as_blob().map_err(|_| wrong())?.into();
        if row.get::<_, u32>(4)? != sum(machine, &looked, &said) {
            return Err(wrong());
        }
        kept.push((machine, Kept { looked, said }));
    }
    let kept = kept.into_iter().collect();
    let forecasts = forecasts(&db)?;
    let seals = seals(&db)?;
    Ok(Some(Read { rows: kept, words, turn, looked, forecasts, seals }))
}

/// One that cannot be read is none: it decides nothing.
fn forecasts(db: &Transaction<'_>) -> Result<Forecasts, Unread> {
    let mut all = db.prepare("SELECT said FROM forecasts")?;
    let rows = all.query_map([], |row| row.get::<_, String>(0))?;
    Ok(Forecasts::of(rows.filter_map(|said| serde_json::from_str(&said.ok()?).ok()).collect()))
}

/// What is not as it was written is none that anybody could have signed: it is computed.
fn seals(db: &Transaction<'_>) -> Result<Seals, Unread> {
    let mut all = db.prepare("SELECT verified FROM seals")?;
    let mut rows = all.query([])?;
    let Some(row) = rows.next()? else { return Ok(Seals::default()) };
    Ok(row.get_ref(0)?.as_blob().map(Seals::read).unwrap_or_default())
}

fn words(db: &Transaction<'_>) -> Result<Words, Unread> {
    let wrong = || Unread::Damaged("a word is not what was written".to_owned());
    let mut words = Words::default();
    let mut all = db.prepare("SELECT kind, place, crc, said FROM words ORDER BY kind, place")?;
    let mut rows = all.query([])?;
    while let Some(row) = rows.next()? {
        let (kind, place): (i64, i64) = (row.get(0)?, row.get(1)?);
        let said = row.get_ref(3)?.as_blob().map_err(|_| wrong())?;
        if row.get::<_, u32>(2)? != sum_word(kind, place, said) {
            return Err(wrong());
        }
        let next = if kind == NAME { words.names.all().len() } else { words.texts.all().len() };
        let added = match kind {
            NAME => packed::from_disk::<Name>(said).is_some_and(|name| words.names.add(name)),
            TEXT => packed::from_disk::<SafeText>(said).is_some_and(|text| words.texts.add(text)),
            _ => false,
        };
        if !added || usize::try_from(place).ok() != Some(next) {
            return Err(wrong());
        }
    }
    Ok(words)
}

/// It can be made anew: what a power cut does to it is noticed, and costs a look at all reports.
fn connect(file: &Path, more: OpenFlags) -> rusqlite::Result<Connection> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let db = Connection::open_with_flags(file, flags | more)?;
    db.busy_timeout(BUSY)?;
    db.pragma_update(None, "journal_mode", "MEMORY")?;
    db.pragma_update(None, "synchronous", "OFF")?;
    db.pragma_update(None, "trusted_schema", false)?;
    Ok(db)
}

/// What shows that a row is what was written: a database has nothing of that kind.
fn sum(machine: MachineId, looked: &Looked, said: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(machine.as_str().as_bytes());
    for number in [looked.size, looked.changed.cast_unsigned(), looked.number] {
        crc.update(&number.to_le_bytes());
    }
    crc.update(said);
    crc.sum()
}

fn sum_word(kind: i64, place: i64, said: &[u8]) -> u32 {
    let mut crc = Crc::new();
    [kind, place].iter().for_each(|number| crc.update(&number.to_le_bytes()));
    crc.update(said);
    crc.sum()
}

#[cfg(test)]
mod tests;
