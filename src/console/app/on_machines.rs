//! What the commands of view 5 do to machines: the marked ones, or the selected one. Each is asked about first, carried out
//! through `ssh`, and told of machine by machine.

use super::afar::{Afar, Deed, Keep, Kind, Order, Step, answer};
use super::dialog::{About, AfarAsk, AfarOutcome, proposal};
use super::event::Effect;
use super::overlay::Overlay;
use super::state::App;
use super::view::{Level, View};
use super::words;
use crate::console::keymap::Key;
use crate::console::keymap::commands::Id;
use crate::rollout::doc::MachineDoc;
use crate::rollout::words as told;
use crate::rollout::words::grouped;
use crate::safe;
use crate::site::ids::MachineId;
use crate::text::SafeText;

/// Logs of so many machines are shown at once.
const MOST_LOGS: usize = 32;

/// A machine that is meant: its host name, and what it says of the request at hand.
type Meant = (MachineId, Option<SafeText>, &'static str);

impl App {
    /// The machines that a command of view 5 is for.
    fn meant(&self) -> Vec<Meant> {
        let rollout = &self.rollout;
        let of = |row: &MachineDoc| (row.machine, row.host.clone(), told::state(row));
        match rollout.level {
            Level::Jobs | Level::Job => Vec::new(),
            Level::Machines if !rollout.marked.is_empty() => {
                let rows = rollout.machines().iter();
                rows.filter(|row| rollout.marked.contains(&row.machine)).map(of).collect()
            }
            Level::Machines => rollout.list.selected().map(of).into_iter().collect(),
            Level::Machine => self.alone().into_iter().collect(),
        }
    }

    /// The machine under the cursor, whatever is marked.
    fn alone(&self) -> Option<Meant> {
        let machine = self.rollout.machine()?;
        let row = self.rollout.machines().iter().find(|row| row.machine == machine);
        Some((machine, self.host_of_alone(machine), row.map_or("not in the list", told::state)))
    }

    fn host_of_alone(&self, machine: MachineId) -> Option<SafeText> {
        let rollout = &self.rollout;
        let row = rollout.list.selected().filter(|row| row.machine == machine);
        let sheet = rollout.doc_of_one.as_ref().filter(|_| rollout.level == Level::Machine);
        row.and_then(|row| row.host.clone()).or_else(|| sheet.and_then(|doc| doc.host.clone()))
    }

    /// Whether a command for machines would do something, where it is one: `here`, in view 5, or over their answers.
    pub(super) fn may_afar(&self, id: Id, here: bool) -> Option<Result<(), SafeText>> {
        let answers =
            self.overlays.iter().rev().find(|o| !matches!(o, Overlay::Help(_) | Overlay::Palette(_)));
        if let (Some(Overlay::Answers), Some(afar)) = (answers, &self.afar) {
            return match id {
                Id::Details => Some(Ok(())),
                Id::Stop if afar.of(Kind::Waits) > 0 => Some(Ok(())),
                Id::Stop => {
                    Some(Err("no machine is left that was not asked; what has begun there goes on".into()))
                }
                _ => None,
            };
        }
        if !here {
            return None;
        }
        match (id, Deed::of(id)) {
            // Where no machine is meant they would be of this one.
            (_, Some(Deed::Hold | Deed::Unhold)) if self.rollout.level < Level::Machines => None,
            (_, Some(deed)) => Some(self.may_do(deed)),
            (Id::MachineConsole | Id::MachineLog, _) => Some(self.may_visit(id)),
            (Id::Stop | Id::Rerun, _) => Some(Err("only in a list of requests".into())),
            _ => None,
        }
    }

    fn may_do(&self, deed: Deed) -> Result<(), SafeText> {
        // As saving does, a file changes nothing that this console is about.
        if self.options.read_only && !deed.is_kept() {
            return Err("this console was started with --read-only".into());
        }
        let many = self.how_many(if deed.is_there() { REACHED } else { CHANGED })?;
        let (most, instead) = deed.most();
        if many > most {
            let [many, most] = [many, most].map(|n| grouped(n as u64));
            return Err(safe!("{many} machines are marked, and {most} at once are the most; {instead}"));
        }
        if self.rollout.job().is_none() {
            return Err("no job is selected".into());
        }
        if !deed.is_there() {
            return Ok(());
        }
        if let Some(afar) = self.afar.as_ref().filter(|afar| afar.is_busy()) {
            let results = self.key_of(Id::Results);
            return Err(safe!("{}; wait until it has ended: {results} shows it", afar.summary()));
        }
        self.has_host(false)
    }

    fn may_visit(&self, id: Id) -> Result<(), SafeText> {
        let many = self.how_many(REACHED)?;
        if id == Id::MachineConsole {
            return self.has_host(true);
        }
        if many > MOST_LOGS {
            let many = grouped(many as u64);
            return Err(safe!("{many} machines are marked; the logs of {MOST_LOGS} at once are the most"));
        }
        self.has_host(false)
    }

    /// How many are meant, where there are any and a site folder is there for this. It is asked for with every frame, and so
    /// looks at no row but the selected one.
    fn how_many(&self, why: &'static str) -> Result<usize, SafeText> {
        let rollout = &self.rollout;
        if !self.options.site_folder {
            return Err(safe!("only the site folder {why}: start with pcm --folder DIR"));
        }
        if rollout.level < Level::Machines {
            return Err(safe!("only in a list of machines; {} opens one", self.key_of(Id::Open)));
        }
        if rollout.level == Level::Machines && !rollout.marked.is_empty() {
            return Ok(rollout.marked.len());
        }
        match (rollout.machine(), rollout.list.gone()) {
            (Some(_), _) => Ok(1),
            (None, Some(machine)) => Err(safe!("{machine}, which was selected, left the list")),
            (None, None) => Err("no machine is selected".into()),
        }
    }

    /// The machine that is meant can be connected to. Of marked ones each is looked at when they are asked about.
    fn has_host(&self, alone: bool) -> Result<(), SafeText> {
        if !alone && self.rollout.level == Level::Machines && !self.rollout.marked.is_empty() {
            return Ok(());
        }
        let machine = self.rollout.machine().ok_or_else(|| SafeText::from("no machine is selected"))?;
        match self.host_of_alone(machine) {
            Some(_) => Ok(()),
            None => Err(safe!(
                "the site has no host name of {machine}; name it with pcm site machine add {machine} --host NAME"
            )),
        }
    }

    /// A command for machines; None: it is none.
    pub(super) fn act_afar(&mut self, id: Id) -> Option<Vec<Effect>> {
        if id == Id::Interrupt && self.afar.as_ref().is_some_and(|afar| afar.of(Kind::Waits) > 0) {
            return Some(self.take_back());
        }
        if matches!(self.overlays.last(), Some(Overlay::Answers)) {
            return match id {
                Id::Stop => Some(self.take_back()),
                Id::Details => {
                    if let Some(machine) = self.afar.as_mut().and_then(Afar::enter) {
                        self.overlays.clear();
                        self.rollout.show_one(machine);
                    }
                    Some(Vec::new())
                }
                _ => None,
            };
        }
        if self.view != View::Rollout || !self.overlays.is_empty() {
            return None;
        }
        match (id, Deed::of(id)) {
            (_, Some(deed)) => Some(self.ask_afar(deed)),
            (Id::MachineConsole, _) => self.rollout.machine().map(|machine| vec![Effect::Visit(machine)]),
            (Id::MachineLog, _) => {
                let meant: Vec<_> =
                    self.meant().into_iter().map(|(machine, host, _)| (machine, host)).collect();
                if meant.iter().all(|(_, host)| host.is_none()) {
                    self.say(NAMELESS, true);
                    return Some(Vec::new());
                }
                Some(vec![Effect::Logs(meant)])
            }
            _ => None,
        }
    }

    fn ask_afar(&mut self, deed: Deed) -> Vec<Effect> {
        let Some(doc) = self.rollout.doc.clone() else { return Vec::new() };
        let Some(job) = self.rollout.job() else { return Vec::new() };
        let what = format!("evidence-{}", job.request_id);
        let about = About {
            deed,
            folder: deed.is_kept().then(|| proposal(&what, self.now, &self.options.zone)),
            site: (doc.site, doc.name.clone()),
            job: (job.job_id, job.request_id, job.package.clone()),
        };
        let ask = AfarAsk::new(about, self.meant(), self.touched);
        if ask.machines.is_empty() {
            self.say(NAMELESS, true);
            return Vec::new();
        }
        self.open(Overlay::Afar(Box::new(ask)))
    }

    /// A key while the question is there.
    pub(super) fn typed_afar(&mut self, key: Key) -> Vec<Effect> {
        let (now, at) = (self.now.unwrap_or_default(), self.touched);
        let zone = self.options.of_site().clone();
        let Some(Overlay::Afar(ask)) = self.overlays.last_mut() else { return Vec::new() };
        let deed = ask.deed;
        match ask.key(key, at, now, &zone) {
            AfarOutcome::Open => Vec::new(),
            AfarOutcome::Cancel => {
                self.overlays.pop();
                self.say(safe!("{}: cancelled, nothing was done", deed.word()), false);
                Vec::new()
            }
            AfarOutcome::Do(words) if !deed.is_there() => {
                self.overlays.pop();
                self.rollout.marked.clear();
                self.rollout.look_again();
                vec![Effect::Verb(words)]
            }
            AfarOutcome::Do(words) => {
                let (request, machines) = (ask.request, std::mem::take(&mut ask.machines));
                let folder = ask.folder.text().trim().to_owned();
                let keep = deed.is_kept().then_some(Keep { folder, request });
                self.overlays.pop();
                self.rollout.marked.clear();
                let number = self.afar.as_ref().map_or(0, |afar| afar.number) + 1;
                let ids = machines.iter().map(|(id, _)| *id).collect();
                let order = Order { number, words, machines: ids, keep };
                let about = (deed, deed.is_of_request().then_some(request));
                self.afar = Some(Afar::new(number, about, machines));
                self.open(Overlay::Answers);
                vec![Effect::Afar(order)]
            }
        }
    }

    /// What has not begun is taken back; what has, goes on over there.
    fn take_back(&mut self) -> Vec<Effect> {
        let Some(afar) = &mut self.afar else { return Vec::new() };
        afar.stopped = true;
        let said = safe!(
            "{}: {} not asked any more; {} begun, and not taken back",
            afar.title(),
            words::count(afar.of(Kind::Waits), "machine"),
            afar.len() - afar.of(Kind::Waits) - afar.of(Kind::Dropped)
        );
        let number = afar.number;
        self.say(said, false);
        vec![Effect::TakeBack(number)]
    }

    /// Takes how far an order is on a machine.
    pub(super) fn take_from_afar(&mut self, order: u64, machine: MachineId, step: Step) {
        let now = self.now.unwrap_or_default();
        let zone = self.options.of_site().clone();
        let Some(afar) = self.afar.as_mut().filter(|afar| afar.number == order) else { return };
        let (deed, request) = (afar.deed, afar.request);
        let tell = |at| SafeText::new(&words::when_long(at, now, &zone));
        afar.take(machine, step, |came| answer::fate(deed, request, came, &tell));
        if !afar.is_busy() {
            let bad = afar.machines().iter().any(|asked| asked.fate.kind.is_bad());
            let summary = afar.summary();
            // What the machines report has changed.
            self.rollout.look_again();
            if !self.overlays.iter().any(|layer| matches!(layer, Overlay::Answers)) {
                self.say(safe!("{summary}; {} shows each", self.key_of(Id::Results)), bad);
            }
        }
    }
}

/// What a site folder is needed for.
const REACHED: &str = "says where machines are";
const CHANGED: &str = "can change a job";

/// None of them can be connected to.
const NAMELESS: &str =
    "the site has no host name of any of them; name each with pcm site machine add SMSID --host NAME";
