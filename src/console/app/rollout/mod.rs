//! View 5: how far the jobs of a site are, what holds their machines up, which machines that are, and what one of them says
//! (UX.md 1). Four levels, each behind the one before. What is counted comes from a thread of its own (`wire`).

pub mod figures;
pub mod wire;

use super::columns::MACHINES;
use super::input::Input;
use super::layout::Window;
use super::list::{Cursor, Scroll};
use super::view::Level;
use crate::clock::Wall;
use crate::console::keymap::Key;
use crate::console::keymap::commands::Id;
use crate::error::Failure;
use crate::rollout::doc::{JobDoc, MachineDoc, RolloutDoc};
use crate::rollout::select::{Figure, OneDoc};
use crate::safe;
use crate::site::expression::Expression;
use crate::site::ids::{JobId, MachineId};
use crate::text::SafeText;
use std::collections::BTreeSet;
use std::sync::Arc;
use wire::{Listed, Listing, News, Wish};

/// Rows keep their order as long as keys are pressed, and so many seconds more.
const QUIET: i64 = 60;
/// The longest condition.
const LONGEST: usize = 200;

/// Everything that view 5 knows and shows.
#[derive(Debug, Default)]
pub struct Rollout {
    /// How deep.
    pub level: Level,
    /// The figures.
    pub doc: Option<Arc<RolloutDoc>>,
    /// All reports were looked at for them.
    pub whole: bool,
    /// Why there are none, or none that are newer.
    pub fault: Option<Failure>,
    /// So many of so many reports were looked at; None: nothing is being read.
    pub reading: Option<(u64, u64)>,
    /// The row of the list of jobs.
    pub jobs: Cursor,
    job: Option<JobId>,
    /// The numbers of the selected job, in their order.
    figures: Vec<Figure>,
    /// Which of them is selected.
    pub figure: Cursor,
    /// The list of machines.
    pub list: List,
    /// The machine that is shown alone.
    one: Option<MachineId>,
    /// What it says; None: not known yet.
    pub doc_of_one: Option<Box<OneDoc>>,
    /// Where its text stands.
    pub scroll: Scroll,
    /// Machines that the operator marked.
    pub marked: BTreeSet<MachineId>,
    look: u64,
    order: u64,
    touched: Option<Wall>,
}

/// The list of machines.
#[derive(Debug, Default)]
pub struct List {
    /// Which figure of the job.
    pub figure: Option<Figure>,
    /// What they have to match.
    pub condition: String,
    /// In the order of this column.
    pub sort: Option<usize>,
    /// The newest answer.
    pub listed: Option<Listed>,
    /// The selected row.
    pub cursor: Cursor,
    machine: Option<MachineId>,
    /// While a condition is typed.
    pub typing: Option<Input>,
    /// What is wrong with it.
    pub complaint: Option<SafeText>,
}

impl Rollout {
    /// What the thread has to know.
    pub fn wish(&self, shown: bool) -> Wish {
        let listing = || {
            Some(Listing {
                job: self.job?,
                figure: self.list.figure.clone()?,
                condition: self.list.condition.clone(),
                sort: self.list.sort,
                order: self.order,
            })
        };
        Wish {
            shown,
            look: self.look,
            list: (self.level >= Level::Machines).then(listing).flatten(),
            machine: self.one.filter(|_| self.level == Level::Machine),
        }
    }

    /// Takes what was counted.
    pub fn take(&mut self, news: News) {
        match news {
            News::Reading(done, of) => self.reading = (done < of).then_some((done, of)),
            News::Figures(doc, whole) => {
                // What was counted of a part has no order that is worth keeping.
                let anew = !self.whole;
                (self.doc, self.whole, self.fault) = (Some(doc), whole, None);
                if whole {
                    self.reading = None;
                }
                self.settle(anew);
            }
            News::Fault(failure) => (self.fault, self.reading) = (Some(failure), None),
            News::Listed(listed) => {
                if self.wish(true).list.as_ref() == Some(&listed.of) {
                    self.keep_marks(&listed.rows);
                    self.list.take(listed);
                }
            }
            News::One(machine, doc) => {
                if self.one == Some(machine) {
                    self.doc_of_one = doc;
                }
            }
        }
    }

    /// The jobs that are listed.
    pub fn listed_jobs(&self) -> &[JobDoc] {
        self.doc.as_ref().map_or(&[], |doc| &doc.jobs)
    }

    /// Where the selected one is.
    pub fn at(&self) -> usize {
        let jobs = self.listed_jobs();
        let keyed = self.job.and_then(|id| jobs.iter().position(|job| job.job_id == id));
        keyed.unwrap_or_else(|| self.jobs.row(jobs.len()))
    }

    /// The selected one.
    pub fn job(&self) -> Option<&JobDoc> {
        self.listed_jobs().get(self.at())
    }

    /// The numbers of the selected job.
    pub fn figures(&self) -> &[Figure] {
        &self.figures
    }

    /// The selected one of them.
    pub fn selected_figure(&self) -> Option<&Figure> {
        self.figures.get(self.figure.row(self.figures.len()))
    }

    /// The rows of machines that are there.
    pub fn machines(&self) -> &[MachineDoc] {
        self.list.listed.as_ref().map_or(&[], |listed| &listed.rows)
    }

    /// The machine in question: the one that is shown alone, or the selected one.
    pub fn machine(&self) -> Option<MachineId> {
        match self.level {
            Level::Jobs | Level::Job => None,
            Level::Machines => self.list.selected().map(|row| row.machine),
            Level::Machine => self.one,
        }
    }

    /// After the figures, or the job, have become others: what was selected still is. `anew`: rows are put in order again.
    fn settle(&mut self, anew: bool) {
        let at = self.at();
        self.jobs.select(at);
        let id = self.job().map(|job| job.job_id);
        let same = id == self.job;
        let selected = self.selected_figure().filter(|_| same).cloned();
        let before = if anew || !same { Vec::new() } else { std::mem::take(&mut self.figures) };
        self.job = id.or(self.job);
        self.figures = self.job().map(|job| figures::of(job, &before)).unwrap_or_default();
        let keyed = selected.and_then(|figure| self.figures.iter().position(|known| *known == figure));
        self.figure.select(keyed.unwrap_or_else(|| figures::first(&self.figures)));
    }

    /// Puts all rows in order again.
    pub fn sort(&mut self) {
        self.order += 1;
        self.settle(true);
    }

    /// A key was pressed.
    pub fn touch(&mut self, now: Option<Wall>) {
        self.touched = now;
    }

    /// Time goes by: after a while without a key rows are put in order, once.
    pub fn tick(&mut self, now: Wall) {
        if self.touched.is_some_and(|at| (now - at).num_seconds() >= QUIET) {
            self.touched = None;
            self.sort();
        }
    }

    /// Everything is read anew at once.
    pub fn look_again(&mut self) {
        self.look += 1;
    }

    /// The next order of the list of machines: that of the next column that has one, at last by id again; its word.
    pub fn next_order(&mut self) -> Option<&'static str> {
        let from = self.list.sort.map_or(0, |column| column + 1);
        self.list.sort = (from..MACHINES.len()).find(|column| MACHINES[*column].order.is_some());
        MACHINES.get(self.list.sort?)?.order.as_ref().map(|order| order.word)
    }

    /// Moves as a command says.
    pub fn moved(&mut self, id: Id) {
        match self.level {
            Level::Jobs => {
                self.jobs.select(self.at());
                let len = self.listed_jobs().len();
                self.jobs.moved(id, len);
                self.choose(self.jobs.row(len));
            }
            Level::Job => {
                self.figure.moved(id, self.figures.len());
            }
            Level::Machines => {
                let len = self.machines().len();
                // Where the selected row left, the next one stands in its place.
                if self.list.gone().is_none() || id != Id::Down {
                    self.list.cursor.moved(id, len);
                }
                self.list.key();
            }
            Level::Machine => {
                self.scroll.moved(id);
            }
        }
    }

    /// Selects the job in this row.
    pub fn choose(&mut self, row: usize) {
        if let Some(job) = self.listed_jobs().get(row).map(|job| job.job_id)
            && self.job != Some(job)
        {
            (self.job, self.figures) = (Some(job), Vec::new());
            self.settle(true);
        }
    }

    /// Selects what was clicked in this row of the level.
    pub fn click(&mut self, row: usize) {
        match self.level {
            Level::Jobs => self.choose(row),
            Level::Job => self.figure.select(row),
            Level::Machines => {
                self.list.cursor.select(row);
                self.list.key();
            }
            Level::Machine => {}
        }
    }

    /// One level down.
    pub fn enter(&mut self) {
        match self.level {
            Level::Jobs if self.job().is_some() => self.level = Level::Job,
            Level::Job => {
                if let Some(figure) = self.selected_figure().cloned() {
                    self.show(figure);
                }
            }
            Level::Machines => {
                if let Some(machine) = self.machine() {
                    self.show_one(machine);
                }
            }
            Level::Jobs | Level::Machine => {}
        }
    }

    /// This machine alone.
    pub fn show_one(&mut self, machine: MachineId) {
        (self.one, self.doc_of_one) = (Some(machine), None);
        (self.level, self.scroll) = (Level::Machine, Scroll::default());
    }

    /// The machines behind a number.
    pub fn show(&mut self, figure: Figure) {
        self.list = List { figure: Some(figure), sort: self.list.sort, ..List::default() };
        self.marked.clear();
        self.order += 1;
        self.level = Level::Machines;
    }

    /// To what holds machines up.
    pub fn show_reasons(&mut self) {
        self.leave_machines();
        self.level = Level::Job;
        self.figure.select(figures::first(&self.figures));
    }

    /// One step back: marks, the condition, the level. False: there is nothing to go back from.
    pub fn back(&mut self) -> bool {
        match self.level {
            Level::Jobs => return false,
            Level::Job => self.level = Level::Jobs,
            Level::Machines if !self.marked.is_empty() => self.marked.clear(),
            Level::Machines if !self.list.condition.is_empty() => self.list.condition.clear(),
            Level::Machines => {
                self.leave_machines();
                self.level = Level::Job;
            }
            // It was not opened from a list.
            Level::Machine if self.list.figure.is_none() => self.level = Level::Job,
            Level::Machine => self.level = Level::Machines,
        }
        true
    }

    fn leave_machines(&mut self) {
        self.list = List { sort: self.list.sort, ..List::default() };
        self.marked.clear();
        (self.one, self.doc_of_one) = (None, None);
    }

    /// Marks the selected machine, or takes its mark away, and goes on to the next.
    pub fn mark(&mut self) {
        let Some(machine) = self.machine() else { return };
        if !self.marked.remove(&machine) {
            self.marked.insert(machine);
        }
        self.moved(Id::Down);
    }

    /// Marks every machine that is listed and not marked, and takes the marks of the others.
    pub fn invert_marks(&mut self) {
        let Some(listed) = self.list.listed.clone() else { return };
        for row in listed.rows.iter() {
            if !self.marked.remove(&row.machine) {
                self.marked.insert(row.machine);
            }
        }
    }

    /// Nobody sees that a machine is marked which is not listed: it is not.
    fn keep_marks(&mut self, rows: &[MachineDoc]) {
        if !self.marked.is_empty() {
            let listed = rows.iter().map(|row| row.machine);
            self.marked = listed.filter(|machine| self.marked.contains(machine)).collect();
        }
    }

    /// Starts typing a condition.
    pub fn filter(&mut self) {
        self.list.typing = Some(Input::with(&self.list.condition, LONGEST));
        self.list.complaint = None;
    }

    /// Takes a key while it is typed.
    pub fn key(&mut self, key: Key) {
        let list = &mut self.list;
        let Some(input) = list.typing.as_mut() else { return };
        match key {
            Key::Esc | Key::Ctrl('c') => (list.typing, list.complaint) = (None, None),
            Key::Enter => {
                let text = input.text().trim().to_owned();
                match (text.is_empty(), Expression::filter(&text)) {
                    (false, Err(e)) => list.complaint = Some(safe!("{}", SafeText::new(&e.to_string()))),
                    _ => {
                        (list.condition, list.typing, list.complaint) = (text, None, None);
                        self.order += 1;
                    }
                }
            }
            key => {
                list.complaint = None;
                input.key(key);
            }
        }
    }

    /// This part of it was drawn.
    pub fn drawn(&mut self, level: Level, window: Window) {
        match level {
            Level::Jobs => self.jobs.drawn(window),
            Level::Job => self.figure.drawn(window),
            Level::Machines => self.list.cursor.drawn(window),
            Level::Machine => self.scroll.drawn(window),
        }
    }
}

impl List {
    /// The row under the cursor.
    fn under(&self) -> Option<(usize, &MachineDoc)> {
        let rows = &self.listed.as_ref()?.rows;
        let at = self.cursor.row(rows.len());
        rows.get(at).map(|row| (at, row))
    }

    fn at(&self) -> Option<(usize, &MachineDoc)> {
        self.under().filter(|(_, row)| self.machine == Some(row.machine))
    }

    /// The selected row; None where it left.
    pub fn selected(&self) -> Option<&MachineDoc> {
        self.at().map(|(_, row)| row)
    }

    /// Where it is.
    pub fn row(&self) -> Option<usize> {
        self.at().map(|(at, _)| at)
    }

    /// The machine that was selected when it left the list; nobody takes the one that came in its place for it.
    pub fn gone(&self) -> Option<MachineId> {
        self.machine.filter(|_| self.at().is_none())
    }

    fn key(&mut self) {
        self.machine = self.under().map(|(_, row)| row.machine);
    }

    fn take(&mut self, listed: Listed) {
        let keyed = self.machine.and_then(|id| listed.rows.iter().position(|row| row.machine == id));
        // Whoever asks for other rows, or in another order, looks anew.
        let before = self.listed.as_ref().map(|before| (&before.of.condition, before.of.sort));
        let anew = self.machine.is_none() || before != Some((&listed.of.condition, listed.of.sort));
        self.listed = Some(listed);
        if let Some(at) = keyed {
            self.cursor.select(at);
        } else if anew {
            self.key();
        }
    }
}
