//! Counts for view 5 in a thread of its own: reads what the machines report, again and again while somebody looks, and looks
//! up the machines behind a figure. Nothing of it waits for the terminal, nor the terminal for it.

use super::{Incoming, send};
use crate::clock::{System, Wall};
use crate::console::app::Event;
use crate::console::app::columns::MACHINES;
use crate::console::app::rollout::wire::{Listed, Listing, News, Wish};
use crate::console::threads::spawn;
use crate::rollout::count::Part;
use crate::rollout::doc::{MachineDoc, RolloutDoc};
use crate::rollout::ground::Ground;
use crate::rollout::moved::Moved;
use crate::rollout::select::{OneDoc, Site};
use crate::rollout::session::{Ask, Only, Read, Session};
use crate::rollout::shared::Texts;
use crate::site::expression::Expression;
use crate::site::ids::MachineId;
use crate::terms::State;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

/// Two looks are at least so far apart, and figures move no oftener; reading takes a tenth of the time at most.
const PAUSE: Duration = Duration::from_secs(2);
/// How far reading is is told so often.
const TOLD: Duration = Duration::from_millis(500);

/// Starts the thread; what it is told to count is what it is told last.
///
/// # Errors
/// The system has no more threads.
pub fn start(site: Arc<dyn Site>, to: &Sender<Incoming>) -> std::io::Result<Sender<Wish>> {
    let (wishes, wished) = channel::<Wish>();
    let desk = Desk::new(to.clone());
    spawn("rollout", move || work(&*site, desk, &wished))?;
    Ok(wishes)
}

/// Nobody listens any more.
struct Over;

fn work(site: &dyn Site, mut desk: Desk, wished: &Receiver<Wish>) {
    let (mut session, mut ground) = (Session::default(), None);
    let mut next = Instant::now();
    loop {
        let got = if desk.wish.shown {
            wished.recv_timeout(next.saturating_duration_since(Instant::now()))
        } else {
            wished.recv().map_err(|_| RecvTimeoutError::Disconnected)
        };
        let looked = match got {
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => {
                let began = Instant::now();
                desk.anew = false;
                let looked = look(site, &mut session, &mut ground, &mut desk, wished);
                next = Instant::now() + PAUSE.max(began.elapsed().saturating_mul(9));
                looked
            }
            Ok(wish) => {
                desk.take(wish, wished);
                match (&ground, session.last()) {
                    (Some(ground), Some(read)) => desk.answer(ground, &read),
                    _ => Ok(()),
                }
            }
        };
        if looked.is_err() {
            return;
        }
        if desk.anew {
            next = Instant::now();
        }
    }
}

/// One look. What was known before is shown until there is something newer.
fn look(
    site: &dyn Site,
    session: &mut Session,
    known: &mut Option<Ground>,
    desk: &mut Desk,
    wished: &Receiver<Wish>,
) -> Result<(), Over> {
    let now = System::now();
    let ground = match site.ground(known.as_ref()) {
        Ok(ground) => known.insert(ground),
        Err(failure) => return desk.tell(News::Fault(failure)),
    };
    // A look that is over soon says nothing of how far it is.
    let first = desk.doc.is_none();
    let mut told = Told { first, reading: (!first).then(Instant::now), counted: None };
    let mut over = Ok(());
    let ask = Ask { now, fresh: false, everything: true };
    let read = session.read(ground, ask, |read, done, of| {
        if over.is_ok() {
            over = desk.meanwhile(ground, read, (done, of), &mut told, wished);
        }
    });
    let failure = match read {
        Ok(read) => {
            over?;
            let mut doc = read.doc(ground, Only::default(), false, System::now());
            session.foretell(&mut doc);
            desk.moved.tell(ground, &mut doc, System::now());
            desk.show(doc, true)?;
            session.last().map_or(Ok(()), |read| desk.answer(ground, &read))?;
            None
        }
        Err(failure) => Some(failure),
    };
    session.save();
    for said in session.said() {
        tracing::warn!("{said}");
    }
    failure.map_or(Ok(()), |failure| desk.tell(News::Fault(failure)))
}

/// What was told of a look that goes on.
struct Told {
    /// There was none before.
    first: bool,
    /// When it was told how far it is.
    reading: Option<Instant>,
    /// When it was counted.
    counted: Option<Instant>,
}

/// Whether something is to be done again that was last done then.
fn is_due(last: Option<Instant>, pause: Duration) -> bool {
    last.is_none_or(|at| at.elapsed() >= pause)
}

/// What is wanted, and what was answered.
pub(in crate::console) struct Desk {
    to: Sender<Incoming>,
    wish: Wish,
    /// Everything is to be read at once.
    anew: bool,
    order: Option<Standing>,
    doc: Option<Arc<RolloutDoc>>,
    /// Who came and went since jobs were sent.
    moved: Moved,
}

/// How the rows of a list were put in order.
struct Standing {
    of: Listing,
    places: BTreeMap<MachineId, (usize, Part, Option<State>)>,
}

impl Desk {
    pub fn new(to: Sender<Incoming>) -> Desk {
        Desk { to, wish: Wish::default(), anew: false, order: None, doc: None, moved: Moved::default() }
    }

    /// Counts and answers this, for tests; whether somebody listens.
    #[cfg(test)]
    pub fn counts(&mut self, wish: Wish, ground: &Ground, read: &Read<'_>, now: Wall) -> bool {
        self.wish = wish;
        self.figures(ground, read, true, now).is_ok() && self.answer(ground, read).is_ok()
    }

    fn tell(&self, news: News) -> Result<(), Over> {
        if send(&self.to, Event::Rollout(news)) { Ok(()) } else { Err(Over) }
    }

    /// Takes a wish, and the newer ones that wait behind it.
    fn take(&mut self, wish: Wish, wished: &Receiver<Wish>) {
        let newest = std::iter::from_fn(|| wished.try_recv().ok()).last().unwrap_or(wish);
        self.anew |= newest.look != self.wish.look || newest.shown && !self.wish.shown;
        self.wish = newest;
    }

    /// So many of so many reports were looked at; what is asked for meanwhile is answered with those.
    fn meanwhile(
        &mut self,
        ground: &Ground,
        read: &Read<'_>,
        (done, of): (usize, usize),
        told: &mut Told,
        wished: &Receiver<Wish>,
    ) -> Result<(), Over> {
        let now = System::now();
        if let Ok(wish) = wished.try_recv() {
            self.take(wish, wished);
            self.answer(ground, read)?;
        }
        if is_due(told.reading, TOLD) {
            told.reading = Some(Instant::now());
            self.tell(News::Reading(done as u64, of as u64))?;
        }
        if told.first && !read.is_empty() && is_due(told.counted, PAUSE) && done < of {
            self.figures(ground, read, false, now)?;
            told.counted = Some(Instant::now());
        }
        Ok(())
    }

    fn figures(&mut self, ground: &Ground, read: &Read<'_>, whole: bool, now: Wall) -> Result<(), Over> {
        self.show(read.doc(ground, Only::default(), false, now), whole)
    }

    fn show(&mut self, doc: RolloutDoc, whole: bool) -> Result<(), Over> {
        let doc = Arc::new(doc);
        self.doc = Some(Arc::clone(&doc));
        self.tell(News::Figures(doc, whole))
    }

    /// Rows are those of the figures that are shown: time alone makes no others of them.
    fn answer(&mut self, ground: &Ground, read: &Read<'_>) -> Result<(), Over> {
        if let Some(listing) = self.wish.list.clone() {
            let listed = self.listed(listing, ground, read);
            listed.map_or(Ok(()), |listed| self.tell(News::Listed(listed)))?;
        }
        if let Some(machine) = self.wish.machine {
            let one = OneDoc::of(ground, read, machine);
            self.tell(News::One(machine, one.map(Box::new)))?;
        }
        Ok(())
    }

    /// The machines of a list; None: there is no such job any more.
    fn listed(&mut self, of: Listing, ground: &Ground, read: &Read<'_>) -> Option<Listed> {
        let doc = self.doc.clone()?;
        let now = doc.at;
        let job = doc.jobs.iter().find(|job| job.job_id == of.job)?;
        // It was read before it was sent.
        let condition = Some(&of.condition).filter(|text| !text.is_empty());
        let condition = condition.and_then(|text| Expression::filter(text).ok());
        let rows = |condition| {
            let (mut rows, mut texts) = (Vec::new(), Texts::default());
            read.targets(ground, of.job, Only { condition, written: None }, now, |row| {
                if of.figure.has(row, job) {
                    rows.push(MachineDoc::of(row, now, &mut texts));
                }
            });
            rows
        };
        let mut listed = rows(condition.as_ref());
        let all = if condition.is_some() { rows(None).len() } else { listed.len() };
        let changed = self.arrange(&of, &mut listed);
        Some(Listed { of, rows: Arc::new(listed), all, changed: Arc::new(changed) })
    }

    /// Puts rows in order: those that stood before stay where they were, and are told where they say something else.
    fn arrange(&mut self, of: &Listing, rows: &mut [MachineDoc]) -> BTreeSet<MachineId> {
        if let Some(order) = of.sort.and_then(|column| MACHINES.get(column)?.order.as_ref()) {
            rows.sort_by_cached_key(|row| (order.rank)(row));
        }
        let now = |row: &MachineDoc| (row.part, row.state);
        if let Some(before) = self.order.as_ref().filter(|standing| standing.of == *of) {
            let place = |row: &MachineDoc| before.places.get(&row.machine);
            rows.sort_by_key(|row| place(row).map_or(usize::MAX, |(at, ..)| *at));
            let other =
                |row: &&MachineDoc| place(row).is_none_or(|(_, part, state)| (*part, *state) != now(row));
            return rows.iter().filter(other).map(|row| row.machine).collect();
        }
        let places = rows.iter().enumerate().map(|(at, row)| (row.machine, (at, row.part, row.state)));
        self.order = Some(Standing { of: of.clone(), places: places.collect() });
        BTreeSet::new()
    }
}
