//! The one way to confirm: what is done, on which machine, as whom, who loses work, which gates are overridden. `y`
//! carries it out once the question can have been read; any other key cancels, but for those that fill it in.

mod afar;
mod filters;
mod job;
mod keys;
mod save;

pub use afar::{About, AfarAsk, AfarField, AfarOutcome};
pub use filters::{FilterAsk, Filtering};
pub use job::{JobAsk, JobField, JobOutcome};
pub use save::{Contents, SaveAs, Saving, proposal};

use super::data::Data;
use super::event::Moment;
use super::input::Input;
use super::until;
use crate::clock::{Wall, Zone};
use crate::console::keymap::commands::Id;
use crate::decision::{Replace, RestartVerb, Verb};
use crate::executor::talk::protocol::{Action, Change, MAX_REASON};
use crate::executor::talk::view::{AllowedDoc, GateDoc, ShowDoc};
use crate::rollout::words::grouped;
use crate::safe;
use crate::site::ids::RequestId;
use crate::terms::Gate;
use crate::text::SafeText;
use std::collections::BTreeSet;

/// An action that waits for an operator's yes.
#[derive(Debug, Clone)]
pub struct Confirm {
    /// What.
    pub id: Id,
    /// On which requests; none: on the machine.
    pub requests: Vec<RequestId>,
    /// Until when, where that is asked.
    pub until: Input,
    /// Why, where that is asked.
    pub reason: Input,
    /// The gates the operator has agreed to pass over.
    pub ticked: BTreeSet<Gate>,
    /// Where the keys go.
    pub focus: Field,
    /// When it was opened: details from before count as not yet known.
    pub opened: Option<Wall>,
    /// When the key went down from which on it takes [`READ`] until a `y` counts: that which opened it, or a `y` that
    /// came too soon, so that a key that is held down never confirms.
    touched: Moment,
    /// The operator has begun to fill it in, and finds the keys where they were.
    begun: bool,
    /// The hold that was in force then, by its id: a newer one was not asked about.
    pub over: Option<SafeText>,
    /// Why the last `y` did nothing.
    pub complaint: Option<Complaint>,
}

/// A `y` that comes sooner after the question than this was typed for something else.
pub const READ: Moment = Moment::from_millis(300);

/// Why a `y` did nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Complaint {
    /// It came before the question can have been read.
    TooSoon,
    /// There is an [obstacle](Confirm::obstacle).
    Obstacle,
}

/// That the number of machines has to be typed, unless it was or there is one.
fn number_missing(typed: &Input, machines: u64) -> Option<SafeText> {
    let typed: String = typed.text().chars().filter(|c| !matches!(c, ',' | ' ')).collect();
    (machines > 1 && typed != machines.to_string())
        .then(|| safe!("type the number of machines: {}", grouped(machines)))
}

/// A part of the dialog that takes keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// The gate in this row.
    Gate(usize),
    /// Until when.
    Until,
    /// Why.
    Reason,
    /// "y carries it out".
    Question,
}

/// What became of a key.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Nothing more.
    Open,
    /// Away with it.
    Cancel,
    /// Do it.
    Do(Change),
    /// Do it for each of these, and tell of those for which the core would refuse it.
    DoEach(Vec<(RequestId, Change)>, Vec<(RequestId, SafeText)>),
}

/// What the core says of the action on one request.
#[derive(Debug, Clone, PartialEq)]
pub enum Say<'d> {
    /// Nothing yet.
    Waiting,
    /// It carries it out as it stands.
    Yes,
    /// It does once these gates are passed over by name.
    With(&'d [Gate]),
    /// It does not, and why.
    No(SafeText),
}

impl Confirm {
    /// A dialog for this action.
    pub fn new(id: Id, requests: Vec<RequestId>, opened: Option<Wall>, touched: Moment) -> Confirm {
        Confirm {
            id,
            requests,
            until: Input::new(40),
            reason: Input::new(MAX_REASON),
            ticked: BTreeSet::new(),
            focus: match id {
                Id::Defer | Id::Hold | Id::DeferRestart => Field::Until,
                // Always needed: who types it before the executor has answered must not be taken for one who cancels.
                Id::Notice | Id::Stop | Id::Rerun => Field::Reason,
                _ => Field::Question,
            },
            opened,
            touched,
            begun: false,
            over: None,
            complaint: None,
        }
    }

    /// The request, if it is about one.
    pub fn request(&self) -> Option<RequestId> {
        match self.requests[..] {
            [one] => Some(one),
            _ => None,
        }
    }

    /// Whether it asks until when.
    pub fn asks_until(&self) -> bool {
        matches!(self.id, Id::Defer | Id::Hold | Id::DeferRestart)
    }

    /// Whether it asks for what is to be said, in the place of a reason.
    pub fn asks_text(&self) -> bool {
        self.id == Id::Notice
    }

    /// Whether it needs a reason: always for what stops, postpones or repeats, else where a gate is overridden.
    pub fn asks_reason(&self, data: &Data) -> bool {
        matches!(self.id, Id::Defer | Id::Hold | Id::Stop | Id::Rerun | Id::Notice)
            || !self.overrides(data).is_empty()
    }

    /// The newest details of a request, if they are newer than the dialog.
    pub fn show<'d>(&self, data: &'d Data, request: RequestId) -> Option<&'d ShowDoc> {
        let held = data.show(request)?;
        (held.at >= self.opened).then_some(held.value.as_ref()).flatten()
    }

    /// What the core says of this action on one of its requests.
    pub fn says<'d>(&self, data: &'d Data, request: RequestId) -> Say<'d> {
        let Some(show) = self.show(data, request) else {
            return match data.show(request).and_then(|held| held.fault.as_ref()) {
                Some((failure, since)) if Some(*since) >= self.opened => Say::No(failure.message.clone()),
                _ => Say::Waiting,
            };
        };
        let verb = self.id.verb();
        match show.allowed.iter().find(|allowed| Some(allowed.verb) == verb) {
            None => Say::No("the executor does not offer this".into()),
            Some(AllowedDoc { ok: true, .. }) => Say::Yes,
            Some(allowed) if allowed.overrides.is_empty() => Say::No(allowed.why.clone()),
            Some(allowed) => Say::With(&allowed.overrides),
        }
    }

    /// The same of each of them.
    pub fn says_each<'d>(&self, data: &'d Data) -> Vec<(RequestId, Say<'d>)> {
        self.requests.iter().map(|request| (*request, self.says(data, *request))).collect()
    }

    /// The gates that would have to be overridden, each once.
    pub fn overrides(&self, data: &Data) -> Vec<Gate> {
        let mut all: Vec<Gate> = Vec::new();
        for (_, said) in self.says_each(data) {
            let Say::With(gates) = said else { continue };
            for gate in gates {
                if !all.contains(gate) {
                    all.push(*gate);
                }
            }
        }
        all
    }

    /// What is known of one of those gates, of the first request that it holds back.
    pub fn gate<'d>(&self, data: &'d Data, wanted: Gate) -> Option<&'d GateDoc> {
        let held_back = |request: &&RequestId| matches!(self.says(data, **request), Say::With(gates) if gates.contains(&wanted));
        let request = self.requests.iter().find(held_back)?;
        self.show(data, *request)?.gates.iter().find(|gate| gate.gate == wanted)
    }

    /// Still waiting for the executor's word.
    pub fn waiting(&self, data: &Data) -> bool {
        self.requests.iter().any(|request| self.says(data, *request) == Say::Waiting)
    }

    /// What keeps `y` from carrying it out; None: nothing.
    pub fn obstacle(&self, data: &Data, now: Wall, zone: &Zone) -> Option<SafeText> {
        if self.waiting(data) {
            return Some("the executor has not answered yet".into());
        }
        let said = self.says_each(data);
        if let [(_, Say::No(why))] = &said[..] {
            return Some(why.clone());
        }
        if !said.is_empty() && said.iter().all(|(_, say)| matches!(say, Say::No(_))) {
            return Some("refused for each of them".into());
        }
        let unticked: Vec<_> =
            self.overrides(data).into_iter().filter(|g| !self.ticked.contains(g)).collect();
        if !unticked.is_empty() {
            return Some(safe!("tick each gate to override: {}", Gate::join(&unticked, ", ")));
        }
        if self.asks_until()
            && let Err(why) = until::parse(self.until.text(), now, zone)
        {
            return Some(why);
        }
        if self.asks_reason(data) && self.reason.value().is_none() {
            return Some(if self.asks_text() { "enter a message" } else { "a reason is needed" }.into());
        }
        None
    }

    /// What carries it out.
    pub fn outcome(&self, data: &Data, now: Wall, zone: &Zone) -> Option<Outcome> {
        if self.requests.len() < 2 {
            return self.change(self.request(), data, now, zone).map(Outcome::Do);
        }
        let (mut changes, mut refused) = (Vec::new(), Vec::new());
        for (request, said) in self.says_each(data) {
            match said {
                Say::No(why) => refused.push((request, why)),
                _ => changes.push((request, self.change(Some(request), data, now, zone)?)),
            }
        }
        Some(Outcome::DoEach(changes, refused))
    }

    fn replaces(&self) -> Replace {
        self.over.clone().map_or(Replace::Nothing, Replace::This)
    }

    fn change(&self, request: Option<RequestId>, data: &Data, now: Wall, zone: &Zone) -> Option<Change> {
        let until = || until::parse(self.until.text(), now, zone).ok();
        // Of several requests each is given only what holds it back itself.
        let overrides = |request| match self.says(data, request) {
            Say::With(gates) => gates.to_vec(),
            _ => Vec::new(),
        };
        let what = match (self.id, request) {
            (Id::Run, Some(request)) => {
                Action::Request(request, Verb::Run { overrides: overrides(request), no_queue: false })
            }
            (Id::Rerun, Some(request)) => {
                Action::Request(request, Verb::Rerun { overrides: overrides(request), no_queue: false })
            }
            (Id::Defer, Some(request)) => Action::Request(request, Verb::Defer { until: until()? }),
            (Id::Undefer, Some(request)) => Action::Request(request, Verb::Undefer),
            (Id::Stop, Some(request)) => Action::Request(request, Verb::Stop),
            // One that is in force is named in the question, and replaced by a yes to it.
            (Id::Hold, _) => Action::Hold { until: until()?, replace: self.replaces() },
            (Id::Unhold, _) => Action::Unhold,
            (Id::Notice, _) => Action::Notice,
            (Id::Restart, _) => Action::Restart(RestartVerb::Now),
            (Id::DeferRestart, _) => Action::Restart(RestartVerb::Defer(until()?)),
            (Id::CancelRestart, _) => Action::Restart(RestartVerb::Cancel),
            _ => return None,
        };
        // Without something that is passed over no reason is asked for, whatever others of them need.
        let plain = matches!(&what, Action::Request(_, Verb::Run { overrides, no_queue: false }) if overrides.is_empty());
        Some(Change { what, reason: self.reason.value().filter(|_| !plain), dry_run: false, id: None })
    }
}
