//! `pcm log --serve`: answers queries about the logs of this machine on standard input and output, for `pcm log --hosts` on
//! another one. A query that comes while another one is answered takes its place; whoever does not read what is told is
//! waited for.

use super::packed::{Source, open};
use super::read::paths;
use crate::cli::App;
use crate::cli::args::LogArgs;
use crate::clock::{Wall, Zone};
use crate::error::{Exit, Failure, Result};
use crate::host::tail::{Bell, FileId, Watch, identity_at};
use crate::host::{facts, tail, threads};
use crate::log::back::{self, Last, Wanted};
use crate::log::far::frame::{Bad, Frames, GREETING, frame};
use crate::log::far::minutes::Minutes;
use crate::log::far::words::{
    Ask, Done, FILTERS, Hello, Line, MOST_CURSORS, MOST_LINES, Query, Said, Tell, frames_before, frames_of,
};
use crate::log::follow::{Cursor, Event, Follower, Pace, is_packed};
use crate::log::merge::merge;
use crate::log::search::{Filter, Names, Search, escape};
use crate::log::{Record, Zoned, zoned};
use crate::text::SafeText;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, IsTerminal as _, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Of a log that is written to all the time so often: each message has a place to go on from.
const REST: Duration = Duration::from_millis(100);
/// Whoever asks hears something this often, so that both sides notice when the other one has gone.
const SIGN: Duration = Duration::from_secs(2);
/// So many queries wait at most; what sends more is not read meanwhile.
const WAITING: usize = 16;

/// What comes of standard input.
type Asked = std::result::Result<Ask, Bad>;

/// Answers until standard input ends.
pub fn run(app: &App, args: &LogArgs) -> Result<Exit> {
    if io::stdin().is_terminal() {
        let message = "--serve talks to pcm log --hosts on another machine, not to a terminal";
        return Err(Failure::new(Exit::Usage, "usage", message, "Use `pcm log`, or `pcm log --hosts NAME`"));
    }
    let refused = super::files(app, args).map_err(|failure| failure.message).err();
    // What is followed may be still to come.
    let files =
        super::files(app, &LogArgs { follow: true, ..args.clone() }).map_err(|failure| failure.message);
    let serving = Serving {
        out: RefCell::new(io::stdout()),
        said: Cell::new(Instant::now()),
        zone: zoned(app.zone.clone()),
        files,
        refused,
        rotated: args.rotated,
    };
    let asking = Asking::start()?;
    match serving.greet(&app.zone).and_then(|()| serving.serve(&asking)) {
        Ok(exit) => Ok(exit),
        // Nobody reads it any more.
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(Exit::Done),
        Err(e) => {
            let message = format!("cannot answer on standard output: {e}");
            Err(Failure::new(Exit::Failed, "output", message, "Try again"))
        }
    }
}

/// Standard input, read beside.
struct Asking {
    asked: Receiver<Asked>,
    /// So many wait; what is being answered is not wanted any more.
    waiting: Arc<AtomicUsize>,
    /// Ends the wait of whoever follows a log.
    bell: Arc<Mutex<Option<Bell>>>,
}

impl Asking {
    fn start() -> Result<Asking> {
        let (tell, asked) = mpsc::sync_channel(WAITING);
        let waiting = Arc::new(AtomicUsize::new(0));
        let counts = Arc::clone(&waiting);
        let bell: Arc<Mutex<Option<Bell>>> = Arc::default();
        let rings = Arc::clone(&bell);
        let ring = move || {
            if let Some(bell) = &*rings.lock().unwrap_or_else(PoisonError::into_inner) {
                bell.ring();
            }
        };
        let read = move || {
            let mut frames = Frames::of_asker();
            let mut piece = [0; 16 << 10];
            let mut stdin = io::stdin().lock();
            loop {
                let next = frames.next().and_then(|json| json.map(|json| message(&json)).transpose());
                let is_bad = next.is_err();
                if let Some(asked) = next.transpose() {
                    counts.fetch_add(1, Ordering::SeqCst);
                    let sent = tell.send(asked);
                    ring();
                    if sent.is_err() || is_bad {
                        break;
                    }
                    continue;
                }
                match stdin.read(&mut piece) {
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    Ok(0) | Err(_) => break,
                    Ok(n) => frames.push(&piece[..n]),
                }
            }
            // Its end ends what is being answered.
            counts.fetch_add(1, Ordering::SeqCst);
            drop(tell);
            ring();
        };
        threads::start("asked", read).map_err(|e| {
            Failure::new(Exit::Failed, "threads", format!("no thread can be started: {e}"), "Try again")
        })?;
        Ok(Asking { asked, waiting, bell })
    }

    /// Looks at a follower as long as nothing is asked.
    fn pace(&self) -> io::Result<Pace> {
        let (watch, bell) = Watch::new()?;
        *self.bell.lock().unwrap_or_else(PoisonError::into_inner) = Some(bell);
        Ok(Pace::new(watch).resting(REST))
    }

    /// What is asked by now; whether anybody still asks.
    fn next(&self) -> Option<Then> {
        match self.asked.try_recv() {
            Ok(asked) => {
                self.taken();
                Some(Then::Next(asked))
            }
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Then::End),
        }
    }

    fn has_more(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) > 0
    }

    fn taken(&self) {
        self.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

fn message(json: &[u8]) -> Asked {
    serde_json::from_slice(json).map_err(|e| Bad::NoMessage(SafeText::new(&e.to_string())))
}

/// What came of a query.
enum Then {
    /// The next one, which came meanwhile.
    Next(Asked),
    /// It was answered.
    Wait,
    /// Nobody asks any more.
    End,
}

struct Serving<W> {
    out: RefCell<W>,
    /// When something was told last.
    said: Cell<Instant>,
    zone: Zoned,
    /// The logs; or why there are none.
    files: std::result::Result<Vec<PathBuf>, SafeText>,
    /// Why a query that does not follow is refused.
    refused: Option<SafeText>,
    rotated: bool,
}

/// One log that is read.
struct Log {
    path: PathBuf,
    name: SafeText,
    kind: Kind,
}

enum Kind {
    /// The file, and up to where it is read.
    Plain(File, FileId, u64),
    Packed(Box<dyn Read>),
}

impl<W: Write> Serving<W> {
    fn tell(&self, told: &Tell) -> io::Result<()> {
        self.send(&frame(told)?)
    }

    fn send(&self, bytes: &[u8]) -> io::Result<()> {
        let mut out = self.out.borrow_mut();
        out.write_all(bytes)?;
        out.flush()?;
        self.said.set(Instant::now());
        Ok(())
    }

    fn greet(&self, zone: &Zone) -> io::Result<()> {
        self.send(GREETING)?;
        let named = self.files.as_deref().map(|files| paths(files, false).0).unwrap_or_default();
        let with_size = |path: &PathBuf| Some((name_of(path), std::fs::metadata(path).ok()?.len()));
        let files = named.iter().filter_map(with_size).take(MOST_CURSORS).collect();
        let hello = Hello {
            pcm: SafeText::new(env!("CARGO_PKG_VERSION")),
            host: facts::host_name(),
            now: facts::now(),
            zone: SafeText::new(zone.name()),
            files,
            filters: FILTERS,
        };
        self.tell(&Tell::Hello(hello))
    }

    fn serve(&self, asking: &Asking) -> io::Result<Exit> {
        let mut next = None;
        loop {
            let asked = match next.take() {
                Some(asked) => asked,
                None => match asking.asked.recv() {
                    Ok(asked) => {
                        asking.taken();
                        asked
                    }
                    Err(_) => return Ok(Exit::Done),
                },
            };
            match asked {
                Ok(Ask::Cancel) => {}
                Ok(Ask::Query(query)) => match self.answer(&query, asking)? {
                    Then::Next(asked) => next = Some(asked),
                    Then::Wait => {}
                    Then::End => return Ok(Exit::Done),
                },
                Err(bad) => {
                    self.tell(&Tell::Refused(0, SafeText::new(&bad.to_string())))?;
                    return Ok(Exit::Usage);
                }
            }
        }
    }

    fn answer(&self, query: &Query, asking: &Asking) -> io::Result<Then> {
        let refused = self.refused.as_ref().filter(|_| !query.follow);
        let files = self.files.as_ref().map_err(SafeText::clone);
        let ready = refused.map_or(Ok(()), |why| Err(why.clone())).and(files);
        let ready = ready.and_then(|files| Ok((filter(query)?, files)));
        let (filter, files) = match ready {
            Ok(ready) => ready,
            Err(why) => {
                self.tell(&Tell::Refused(query.id, why))?;
                return Ok(Then::Wait);
            }
        };
        let resumed = !query.from.is_empty() && !query.back;
        let cursors = if resumed {
            query.from.clone()
        } else {
            match self.page(query, &filter, files, &|| asking.has_more()) {
                Err(e) if back::is_stopped(&e) => return Ok(Then::Wait),
                other => other?,
            }
        };
        if !resumed && !query.follow {
            return Ok(Then::Wait);
        }
        self.follow(query, &filter, files, &cursors, asking)
    }

    /// Tells the last lines, and counts; gives the places from where they go on.
    fn page(
        &self,
        query: &Query,
        filter: &Filter,
        files: &[PathBuf],
        stopped: &dyn Fn() -> bool,
    ) -> io::Result<Vec<Cursor>> {
        let most = query.lines.min(MOST_LINES);
        let mut logs = self.logs(query, files)?;
        let failed = Cell::new(None);
        let stopped = || {
            if self.said.get().elapsed() >= SIGN
                && let Err(e) = self.tell(&Tell::Busy(query.id))
            {
                failed.set(Some(e));
            }
            stopped()
        };
        let (mut found, mut older) = (Vec::new(), false);
        for log in logs.iter_mut().filter(|_| most > 0) {
            let wanted = Wanted { filter, zone: &self.zone, name: &log.name, stopped: &stopped };
            let last = match &mut log.kind {
                Kind::Plain(file, _, end) => back::last_of(file, *end, most, wanted),
                Kind::Packed(read) => back::last_of_stream(read, most, wanted),
            };
            match last {
                Ok(Last { records, older: more }) => {
                    older |= more;
                    found.push(Vec::from(records));
                }
                Err(e) if back::is_stopped(&e) => return Err(failed.take().unwrap_or(e)),
                Err(e) => self.problem(query, &log.name, &e.to_string())?,
            }
        }
        let mut records = merge(found);
        let surplus = records.len().saturating_sub(most);
        older |= surplus > 0;
        records.drain(..surplus);
        let begins = if query.back || !query.follow { self.begins(&mut logs, &records) } else { Vec::new() };
        let ends = if query.follow { ends(&mut logs) } else { Vec::new() };
        let lines = records.into_iter().map(Line::from).collect();
        for frame in frames_of(query.id, lines, ends.clone())? {
            self.send(&frame)?;
        }
        if query.counts {
            let minutes = self.counts(query, filter, files, &stopped);
            self.tell(&Tell::Counts(query.id, minutes.map_err(|e| failed.take().unwrap_or(e))?))?;
        }
        if !query.follow {
            self.tell(&Tell::Done(Done { id: query.id, older, cursors: begins }))?;
        }
        Ok(ends)
    }

    fn counts(
        &self,
        query: &Query,
        filter: &Filter,
        files: &[PathBuf],
        stopped: &dyn Fn() -> bool,
    ) -> io::Result<Minutes> {
        let mut minutes = Minutes::default();
        for log in &mut self.logs(query, files)? {
            let wanted = Wanted { filter, zone: &self.zone, name: &log.name, stopped };
            let mut on = |at: Option<Wall>, level| minutes.count(at, level);
            let counted = match &mut log.kind {
                Kind::Plain(file, _, end) => back::each_of(file, *end, wanted, &mut on),
                Kind::Packed(read) => back::each_of_stream(read, wanted, &mut on),
            };
            match counted {
                Err(e) if back::is_stopped(&e) => return Err(e),
                Err(e) => self.problem(query, &log.name, &e.to_string())?,
                Ok(()) => {}
            }
        }
        Ok(minutes)
    }

    /// The logs that are read for a query, each up to where it ends now, or where the query says.
    fn logs(&self, query: &Query, files: &[PathBuf]) -> io::Result<Vec<Log>> {
        let (paths, problems) = paths(files, self.rotated);
        for (path, why) in problems {
            self.problem(query, &SafeText::new(&path.to_string_lossy()), &why)?;
        }
        let mut logs = Vec::new();
        for path in paths {
            let name = name_of(&path);
            match opened(&path, query) {
                Ok(Some(kind)) => logs.push(Log { path, name, kind }),
                Ok(None) => {}
                // Others are there, and this one may come.
                Err(e) if e.kind() == io::ErrorKind::NotFound && query.follow => {}
                Err(e) => self.problem(query, &name, &e.to_string())?,
            }
        }
        if query.follow && logs.len() > MOST_CURSORS {
            let why = format!("{} logs are too many to follow from another machine: name fewer", logs.len());
            self.problem(query, &SafeText::new(&logs[MOST_CURSORS].path.to_string_lossy()), &why)?;
            logs.truncate(MOST_CURSORS);
        }
        Ok(logs)
    }

    /// Before which places there may be older records than these.
    fn begins(&self, logs: &mut [Log], records: &[Record]) -> Vec<Cursor> {
        let mut cursors = Vec::new();
        for log in logs.iter_mut().take(MOST_CURSORS) {
            let Kind::Plain(file, id, end) = &mut log.kind else { continue };
            let first = records.iter().find(|record| record.file == log.name).and_then(|record| record.at);
            if let Ok(cursor) = Cursor::of(log.name.clone(), *id, file, first.unwrap_or(*end)) {
                cursors.push(cursor);
            }
        }
        cursors
    }

    /// Tells what comes after these places, as long as it is wanted.
    fn follow(
        &self,
        query: &Query,
        filter: &Filter,
        files: &[PathBuf],
        cursors: &[Cursor],
        asking: &Asking,
    ) -> io::Result<Then> {
        let mut follower = Follower::resume(files, self.zone.clone(), cursors);
        let (mut told, mut pace): (Vec<Cursor>, _) = (Vec::new(), asking.pace()?);
        loop {
            let (mut records, mut begun) = (Vec::new(), false);
            for event in pace.poll(&mut follower) {
                match event {
                    Event::Record(record) if filter.matches(&record) => records.push(record),
                    Event::Record(_) | Event::Rotated { .. } => {}
                    Event::Batch(batch) => {
                        records.extend(batch.records().into_iter().filter(|record| filter.matches(record)));
                    }
                    Event::Truncated { file, copy } => {
                        let message = SafeText::of(match copy {
                            Some(copy) => {
                                format!("it was cut; what came after its copy {copy} may be missing")
                            }
                            None => {
                                "it was cut or replaced: what was written just before may be missing".into()
                            }
                        });
                        // What was read before it stands before it.
                        if !records.is_empty() {
                            begun = true;
                            let lines = merge([std::mem::take(&mut records)]).into_iter().map(Line::from);
                            for frame in frames_before(query.id, lines.collect())? {
                                self.send(&frame)?;
                            }
                        }
                        self.tell(&Tell::Gap(Said { id: query.id, file, message }))?;
                    }
                    Event::Problem { file, message } => self.problem(query, &file, message.as_str())?,
                }
            }
            let now = follower.cursors();
            let news: Vec<Cursor> =
                now.iter().filter(|cursor| !told.contains(cursor)).take(MOST_CURSORS).cloned().collect();
            if begun || !records.is_empty() || !news.is_empty() {
                let lines = merge([records]).into_iter().map(Line::from).collect();
                for frame in frames_of(query.id, lines, news)? {
                    self.send(&frame)?;
                }
                told = now;
            } else if self.said.get().elapsed() >= SIGN {
                self.tell(&Tell::Busy(query.id))?;
            }
            if !query.follow && !follower.behind() {
                self.tell(&Tell::Done(Done { id: query.id, older: false, cursors: Vec::new() }))?;
                return Ok(Then::Wait);
            }
            if let Some(then) = asking.next() {
                return Ok(then);
            }
            pace.wait_for(&follower, SIGN);
        }
    }

    fn problem(&self, query: &Query, file: &SafeText, why: &str) -> io::Result<()> {
        let message = SafeText::new(why);
        self.tell(&Tell::Problem(Said { id: query.id, file: file.clone(), message }))
    }
}

fn name_of(path: &Path) -> SafeText {
    SafeText::new(&path.file_name().unwrap_or(path.as_os_str()).to_string_lossy())
}

/// A log as it is read for a query; None where the query is about others.
fn opened(path: &Path, query: &Query) -> io::Result<Option<Kind>> {
    if is_packed(&path.to_string_lossy()) {
        let (Source::Packed(read), _) = open(path, None)? else { return Ok(None) };
        return Ok((!query.back).then_some(Kind::Packed(read)));
    }
    let (mut file, id) = tail::open(path)?;
    let end = if query.back {
        let of = |cursor: &&Cursor| identity_at(path).is_ok_and(|found| found == Some(cursor.id()));
        let Some(cursor) = query.from.iter().find(of) else { return Ok(None) };
        if !cursor.is_in(&mut file) {
            return Err(io::Error::other("it was cut or replaced: what is older is not in it any more"));
        }
        cursor.at
    } else if query.follow {
        back::whole_up_to(&mut file)?
    } else {
        file.metadata()?.len()
    };
    Ok(Some(Kind::Plain(file, id, end)))
}

/// Where those go on that are followed.
fn ends(logs: &mut [Log]) -> Vec<Cursor> {
    let mut cursors = Vec::new();
    let mut seen = BTreeSet::new();
    for log in logs {
        let Kind::Plain(file, id, end) = &mut log.kind else { continue };
        if seen.insert((id.device, id.index))
            && let Ok(cursor) = Cursor::of(log.name.clone(), *id, file, *end)
        {
            cursors.push(cursor);
        }
    }
    cursors
}

fn filter(query: &Query) -> std::result::Result<Filter, SafeText> {
    let more = &query.more;
    let escaped = |requests: &[String]| requests.iter().map(|id| escape(id)).collect::<Vec<_>>();
    let one = |given: &Option<String>, more: &[String]| [given.as_slice(), more].concat();
    let grep = query.grep.as_slice();
    let (text, inverted) = if query.invert { (&[][..], grep) } else { (grep, &[][..]) };
    let without = [inverted, &more.not_grep, &escaped(&more.not_requests)].concat();
    Ok(Filter {
        text: Search::any(text)?,
        without: Search::any(&without)?,
        level: query.level,
        also: Search::any(&escaped(&one(&query.request, &more.requests)))?.into_iter().collect(),
        component: Names {
            one_of: one(&query.component, &more.components),
            none_of: more.not_components.clone(),
        },
        thread: Names { one_of: more.threads.clone(), none_of: more.not_threads.clone() },
        since: query.since,
        until: query.until,
    })
}
