//! What is done to machines of the site, each through `ssh`: what there is to do, and what became of it on each of them.
//! Nothing counts as done that its machine has not answered; equal answers stand together, the worst first.

pub mod answer;

use super::list::Cursor;
use crate::console::keymap::commands::Id;
use crate::safe;
use crate::site::ids::{MachineId, RequestId};
use crate::text::SafeText;
use std::collections::{BTreeMap, BTreeSet};

/// On so many machines at once an action may be; what is for more of them is for the whole job, or the whole site.
const MOST: usize = 5_000;
/// A job names so many targets at most (SITE.md 2).
const MOST_TARGETS: usize = 1_000;
/// Files of so many machines are made at once: each may be large.
const MOST_FILES: usize = 200;

/// What can be done to a machine of the site from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// Run the request of the job.
    Run,
    /// Postpone it.
    Defer,
    /// End its deferral.
    Undefer,
    /// No automatic runs until a time.
    Hold,
    /// Automatic runs again.
    Unhold,
    /// Send the job once more, to these alone. The site folder does that, and no machine is asked.
    SendAgain,
    /// Everything about the request, as a file of each machine in a folder here. Nothing is changed there.
    Evidence,
}

impl Deed {
    /// What a command does to a machine of the site, if it does anything.
    pub fn of(id: Id) -> Option<Deed> {
        Some(match id {
            Id::Run => Deed::Run,
            Id::Defer => Deed::Defer,
            Id::Undefer => Deed::Undefer,
            Id::Hold => Deed::Hold,
            Id::Unhold => Deed::Unhold,
            Id::SendAgain => Deed::SendAgain,
            Id::Evidence => Deed::Evidence,
            _ => return None,
        })
    }

    /// Its verb.
    pub fn word(self) -> &'static str {
        match self {
            Deed::Run => "run",
            Deed::Defer => "defer",
            Deed::Undefer => "undefer",
            Deed::Hold => "hold",
            Deed::Unhold => "unhold",
            Deed::SendAgain => "send-again",
            Deed::Evidence => "evidence",
        }
    }

    /// It is about the request of the job; else about the machine.
    pub fn is_of_request(self) -> bool {
        match self {
            Deed::Run | Deed::Defer | Deed::Undefer | Deed::SendAgain | Deed::Evidence => true,
            Deed::Hold | Deed::Unhold => false,
        }
    }

    /// Each machine is asked, through `ssh`.
    pub fn is_there(self) -> bool {
        match self {
            Deed::Run | Deed::Defer | Deed::Undefer | Deed::Hold | Deed::Unhold | Deed::Evidence => true,
            Deed::SendAgain => false,
        }
    }

    /// It makes a file here of what each machine sends, and changes nothing.
    pub fn is_kept(self) -> bool {
        match self {
            Deed::Evidence => true,
            Deed::Run | Deed::Defer | Deed::Undefer | Deed::Hold | Deed::Unhold | Deed::SendAgain => false,
        }
    }

    /// It can be for so many machines at most, and what does the same for more of them.
    pub fn most(self) -> (usize, &'static str) {
        match self {
            Deed::Run | Deed::Defer | Deed::Undefer | Deed::Hold | Deed::Unhold => {
                (MOST, "mark fewer, suspend the job, or freeze the site with pcm site freeze")
            }
            Deed::Evidence => (MOST_FILES, "mark fewer"),
            Deed::SendAgain => (MOST_TARGETS, "mark fewer, or send it to a group with pcm job send --again"),
        }
    }

    /// It lasts until a time, and needs a reason.
    pub fn is_until(self) -> bool {
        match self {
            Deed::Defer | Deed::Hold => true,
            Deed::Run | Deed::Undefer | Deed::Unhold | Deed::SendAgain | Deed::Evidence => false,
        }
    }
}

/// What is to be done on which machines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Unlike all others.
    pub number: u64,
    /// The verb of pcm with its arguments.
    pub words: Vec<String>,
    /// On these, in this order.
    pub machines: Vec<MachineId>,
    /// Where what they print is kept; None: it is an answer.
    pub keep: Option<Keep>,
}

/// Where the archives of machines are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keep {
    /// A folder here, as it was typed.
    pub folder: String,
    /// What they are about.
    pub request: RequestId,
}

/// How far an order is on one machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// `ssh` was started: from now on it may be done there.
    Begun,
    /// It has come to an end.
    Came(Came),
    /// It was taken back before it began.
    Dropped,
}

/// How an order came to its end on one machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Came {
    /// pcm over there has ended.
    Answered {
        /// Its exit status.
        status: i32,
        /// What it printed.
        output: Vec<u8>,
        /// What stood on its standard error.
        said: Vec<u8>,
    },
    /// What it sent is a file here; which, in words.
    Kept(SafeText),
    /// There is no file here of it; why.
    NotKept(SafeText),
    /// Nothing was started there; why.
    NeverThere(SafeText),
    /// The connection ended before there was an answer; how.
    Lost(SafeText),
}

/// What an end is, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// What became of it is not known.
    Unknown,
    /// The machine was not reached, so nothing was done.
    Unreached,
    /// It failed over there.
    Failed,
    /// It was refused over there.
    Refused,
    /// Begun, and not answered yet.
    Asked,
    /// Not begun yet.
    Waits,
    /// Taken back before it began.
    Dropped,
    /// Answered: done.
    Done,
}

impl Kind {
    const ALL: [Kind; 8] = [
        Kind::Done,
        Kind::Unknown,
        Kind::Unreached,
        Kind::Failed,
        Kind::Refused,
        Kind::Asked,
        Kind::Waits,
        Kind::Dropped,
    ];

    /// As a list and a sum of them say it.
    pub fn words(self) -> &'static str {
        match self {
            Kind::Unknown => "not known",
            Kind::Unreached => "not reached",
            Kind::Failed => "failed",
            Kind::Refused => "refused",
            Kind::Asked => "not answered yet",
            Kind::Waits => "not asked yet",
            Kind::Dropped => "not asked",
            Kind::Done => "done",
        }
    }

    /// Somebody has to look at it.
    pub fn is_bad(self) -> bool {
        match self {
            Kind::Unknown | Kind::Unreached | Kind::Failed | Kind::Refused => true,
            Kind::Asked | Kind::Waits | Kind::Dropped | Kind::Done => false,
        }
    }
}

/// What became of it on a machine: equal ones stand together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fate {
    /// Of which kind.
    pub kind: Kind,
    /// In the words of the machine, where it has said any.
    pub words: SafeText,
}

impl Fate {
    fn of(kind: Kind) -> Fate {
        let words = match kind {
            Kind::Asked => "begun; no answer yet",
            Kind::Waits => "waits for its turn",
            Kind::Dropped => "cancelled before it began",
            Kind::Unknown | Kind::Unreached | Kind::Failed | Kind::Refused | Kind::Done => "",
        };
        Fate { kind, words: words.into() }
    }
}

/// A machine of an order.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Which.
    pub machine: MachineId,
    /// Its host name.
    pub host: SafeText,
    /// What became of it there.
    pub fate: Fate,
}

/// A row of the answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    /// All machines with one fate.
    Fate(Fate),
    /// One of them, by its place in the order.
    Machine(usize),
}

/// The newest order, and what became of it.
#[derive(Debug, Clone)]
pub struct Afar {
    /// Its number.
    pub number: u64,
    /// What is done.
    pub deed: Deed,
    /// To which request.
    pub request: Option<RequestId>,
    asked: Vec<Asked>,
    places: BTreeMap<MachineId, usize>,
    fates: BTreeMap<Fate, BTreeSet<usize>>,
    /// The rest was taken back.
    pub stopped: bool,
    cursor: Cursor,
    selected: Option<Row>,
    /// Those whose machines are listed one by one.
    open: BTreeSet<Fate>,
}

impl Afar {
    /// An order of which nothing has begun.
    pub fn new(
        number: u64,
        (deed, request): (Deed, Option<RequestId>),
        machines: Vec<(MachineId, SafeText)>,
    ) -> Afar {
        let waits = Fate::of(Kind::Waits);
        let places = machines.iter().enumerate().map(|(at, (machine, _))| (*machine, at)).collect();
        let fates = BTreeMap::from([(waits.clone(), (0..machines.len()).collect())]);
        let asked = machines.into_iter().map(|(machine, host)| Asked { machine, host, fate: waits.clone() });
        Afar {
            number,
            deed,
            request,
            asked: asked.collect(),
            places,
            fates,
            stopped: false,
            cursor: Cursor::default(),
            selected: None,
            open: BTreeSet::new(),
        }
    }

    /// Takes how far it is on a machine; `fate` says what an end means. What has ended stays as it ended.
    pub fn take(&mut self, machine: MachineId, step: Step, fate: impl FnOnce(Came) -> Fate) {
        let Some(at) = self.places.get(&machine).copied() else { return };
        let before = self.asked[at].fate.clone();
        if !matches!(before.kind, Kind::Asked | Kind::Waits) {
            return;
        }
        let after = match step {
            Step::Begun => Fate::of(Kind::Asked),
            Step::Dropped => Fate::of(Kind::Dropped),
            Step::Came(came) => fate(came),
        };
        if let Some(members) = self.fates.get_mut(&before) {
            members.remove(&at);
            if members.is_empty() {
                self.fates.remove(&before);
            }
        }
        self.fates.entry(after.clone()).or_default().insert(at);
        self.asked[at].fate = after;
        self.open.retain(|fate| self.fates.contains_key(fate));
    }

    /// On so many machines.
    pub fn len(&self) -> usize {
        self.asked.len()
    }

    /// So many are of this kind.
    pub fn of(&self, kind: Kind) -> usize {
        let of_it = self.fates.iter().filter(|(fate, _)| fate.kind == kind);
        of_it.map(|(_, members)| members.len()).sum()
    }

    /// Some have not ended yet.
    pub fn is_busy(&self) -> bool {
        self.of(Kind::Asked) + self.of(Kind::Waits) > 0
    }

    /// `hold: 38 of 40 done, 1 refused, 1 not answered yet`
    pub fn summary(&self) -> SafeText {
        let mut words = format!("{}: {} of {} done", self.title(), self.of(Kind::Done), self.len());
        for kind in Kind::ALL.into_iter().skip(1) {
            match self.of(kind) {
                0 => {}
                n => words += &format!(", {n} {}", kind.words()),
            }
        }
        SafeText::new(&words)
    }

    /// `run BP0000Y`
    pub fn title(&self) -> SafeText {
        match self.request {
            Some(request) => safe!("{} {request}", self.deed.word()),
            None => self.deed.word().into(),
        }
    }

    /// The machines with this fate, in the order in which they were asked.
    pub fn members(&self, fate: &Fate) -> impl Iterator<Item = &Asked> {
        self.fates.get(fate).into_iter().flatten().map(|at| &self.asked[*at])
    }

    /// A machine of it.
    pub fn machine(&self, at: usize) -> Option<&Asked> {
        self.asked.get(at)
    }

    /// All of them, in the order in which they were asked.
    pub fn machines(&self) -> &[Asked] {
        &self.asked
    }

    /// Whether the machines with this fate are listed one by one.
    pub fn is_open(&self, fate: &Fate) -> bool {
        self.open.contains(fate)
    }

    /// What is listed: the fates, the worst first, of equally bad ones those of most machines.
    pub fn rows(&self) -> Vec<Row> {
        let mut fates: Vec<(&Fate, &BTreeSet<usize>)> = self.fates.iter().collect();
        fates.sort_by_key(|(fate, members)| (fate.kind, std::cmp::Reverse(members.len())));
        let mut rows = Vec::new();
        for (fate, members) in fates {
            rows.push(Row::Fate(fate.clone()));
            if self.is_open(fate) {
                rows.extend(members.iter().map(|at| Row::Machine(*at)));
            }
        }
        rows
    }

    /// Where the keys are in those rows: on what they were on, wherever that stands by now.
    pub fn at(&self, rows: &[Row]) -> usize {
        let kept = self.selected.as_ref().and_then(|selected| rows.iter().position(|row| row == selected));
        kept.unwrap_or_else(|| self.cursor.row(rows.len()))
    }

    /// The rows to be drawn.
    pub fn window(&self, rows: &[Row], height: usize) -> std::ops::Range<usize> {
        let mut cursor = self.cursor.clone();
        cursor.select(self.at(rows));
        cursor.window(rows.len(), height)
    }

    /// This part of it was drawn.
    pub fn drawn(&mut self, window: super::layout::Window) {
        self.cursor.drawn(window);
    }

    /// Moves as a command says.
    pub fn moved(&mut self, id: Id) {
        let rows = self.rows();
        self.cursor.select(self.at(&rows));
        if self.cursor.moved(id, rows.len()) {
            self.selected = rows.get(self.cursor.row(rows.len())).cloned();
        }
    }

    /// Lists the machines of the selected fate, or no more; of a machine its id.
    pub fn enter(&mut self) -> Option<MachineId> {
        let rows = self.rows();
        match rows.get(self.at(&rows))? {
            Row::Machine(at) => return self.machine(*at).map(|asked| asked.machine),
            Row::Fate(fate) => {
                if !self.open.remove(fate) {
                    self.open.insert(fate.clone());
                }
                self.selected = Some(Row::Fate(fate.clone()));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
