//! What the commands of view 5 do: they move about in `rollout`, and ask before they change a job.

use super::dialog::JobAsk;
use super::event::Effect;
use super::overlay::Overlay;
use super::rollout::wire::{News, Wish};
use super::state::App;
use super::view::{Level, View};
use crate::console::keymap::commands::Id;
use crate::rollout::count::Part;
use crate::rollout::select::Figure;
use crate::safe;
use crate::text::SafeText;

impl App {
    /// A command of view 5; None: it is none of its own.
    pub(super) fn act_on_site(&mut self, id: Id) -> Option<Vec<Effect>> {
        if self.view != View::Rollout || !self.overlays.is_empty() {
            return None;
        }
        let rollout = &mut self.rollout;
        match id {
            Id::Open => rollout.enter(),
            Id::Back if rollout.back() => {}
            Id::Sort => {
                self.sort_site();
                return Some(Vec::new());
            }
            Id::Where => rollout.filter(),
            Id::Mark => {
                rollout.mark();
                self.say_marked_machines();
            }
            Id::InvertMarks => {
                rollout.invert_marks();
                self.say_marked_machines();
            }
            Id::Reasons => rollout.show_reasons(),
            Id::OnlyFailed => rollout.show(Figure::Unsuccessful),
            Id::OnlySilent => rollout.show(Figure::Part(Part::Silent)),
            Id::Refresh => {
                rollout.look_again();
                self.say("asked for anew", false);
                return Some(vec![Effect::Redraw]);
            }
            Id::Advance | Id::SuspendJob => return Some(self.ask_of_job(id)),
            Id::Results => return Some(self.open(Overlay::Answers)),
            _ => return None,
        }
        Some(Vec::new())
    }

    /// What was counted of the site; marks of machines that are no longer listed go.
    pub(super) fn take_of_site(&mut self, news: News) {
        let before = self.rollout.marked.len();
        self.rollout.take(news);
        let gone = before - self.rollout.marked.len();
        if gone > 0 {
            self.say(safe!("{} left the list and lost their marks", super::words::count(gone, "row")), true);
        }
    }

    /// Rows are put in order again; a list of machines takes its next order.
    fn sort_site(&mut self) {
        let order = match self.rollout.level {
            Level::Machines => self.rollout.next_order().unwrap_or("id"),
            Level::Jobs | Level::Job | Level::Machine => "number",
        };
        self.rollout.sort();
        self.say(safe!("sorted by {order}"), false);
    }

    fn say_marked_machines(&mut self) {
        let said = match self.rollout.marked.len() {
            0 => "no machine is marked".into(),
            n => safe!("{n} marked; {} drops the marks", self.key_of(Id::Back)),
        };
        self.say(said, false);
    }

    /// Whether a job may be changed from here, and is one that this changes.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn may_change_job(&self, id: Id) -> Result<(), SafeText> {
        if self.options.read_only {
            return Err("this console was started with --read-only".into());
        }
        if !self.options.site_folder {
            return Err("only the site folder can change a job: start with pcm --folder DIR".into());
        }
        let job = self.rollout.job().ok_or_else(|| SafeText::from("no job is selected"))?;
        JobAsk::possible(id, job)
    }

    fn ask_of_job(&mut self, id: Id) -> Vec<Effect> {
        let Some(doc) = self.rollout.doc.clone() else { return Vec::new() };
        let Some(job) = self.rollout.job() else { return Vec::new() };
        let ask = JobAsk::new(id, &doc, job, self.touched);
        self.open(Overlay::Job(Box::new(ask)))
    }

    /// What the thread that counts has to know, where that has changed.
    pub(super) fn wish(&mut self) -> Vec<Effect> {
        let wish = self.rollout.wish(self.view == View::Rollout);
        // Nobody has looked yet: nothing is read.
        if wish == self.wished || (!wish.shown && self.wished == Wish::default()) {
            return Vec::new();
        }
        self.wished = wish.clone();
        vec![Effect::Rollout(wish)]
    }
}
