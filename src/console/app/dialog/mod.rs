//! The one way to confirm: what is done, on which machine, as whom, who loses work, which gates are overridden. `y`
//! carries it out, `n` and Esc cancel, Enter alone never does.

mod keys;

use super::data::Data;
use super::input::Input;
use super::until;
use crate::clock::{Wall, Zone};
use crate::console::app::command::Id;
use crate::decision::Gate;
use crate::executor::protocol::{Call, MAX_REASON};
use crate::executor::view::{AllowedDoc, GateDoc, ShowDoc};
use crate::safe;
use crate::site::ids::RequestId;
use crate::text::SafeText;
use std::collections::BTreeSet;

/// An action that waits for an operator's yes.
#[derive(Debug, Clone)]
pub struct Confirm {
    /// What.
    pub id: Id,
    /// On which request; None: on the machine.
    pub request: Option<RequestId>,
    /// Until when, where that is asked.
    pub until: Input,
    /// Why, where that is asked.
    pub reason: Input,
    /// The gates the operator has agreed to pass over.
    pub ticked: BTreeSet<String>,
    /// Where the keys go.
    pub focus: Field,
    /// When it was opened: details from before count as not yet known.
    pub opened: Option<Wall>,
    /// Why `y` did nothing.
    pub complaint: Option<SafeText>,
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
    Do(Call),
}

impl Confirm {
    /// A dialog for this action.
    pub fn new(id: Id, request: Option<RequestId>, opened: Option<Wall>) -> Confirm {
        Confirm {
            id,
            request,
            until: Input::new(40),
            reason: Input::new(MAX_REASON),
            ticked: BTreeSet::new(),
            focus: if matches!(id, Id::Defer | Id::Hold) { Field::Until } else { Field::Question },
            opened,
            complaint: None,
        }
    }

    /// Whether it asks until when.
    pub fn asks_until(&self) -> bool {
        matches!(self.id, Id::Defer | Id::Hold)
    }

    /// Whether it needs a reason: always for what stops, postpones or repeats, else where a gate is overridden.
    pub fn asks_reason(&self, data: &Data) -> bool {
        matches!(self.id, Id::Defer | Id::Hold | Id::Stop | Id::Rerun) || !self.overrides(data).is_empty()
    }

    /// The newest details of the request, if they are newer than the dialog.
    pub fn show<'d>(&self, data: &'d Data) -> Option<&'d ShowDoc> {
        let held = data.show(self.request?)?;
        (held.at >= self.opened).then_some(held.value.as_ref()).flatten()
    }

    /// What the core says of this action.
    pub fn allowed<'d>(&self, data: &'d Data) -> Option<&'d AllowedDoc> {
        let verb = self.id.verb()?;
        self.show(data)?.allowed.iter().find(|a| a.verb == verb)
    }

    /// The gates that would have to be overridden, by name.
    pub fn overrides<'d>(&self, data: &'d Data) -> &'d [String] {
        self.allowed(data).map_or(&[], |allowed| if allowed.ok { &[] } else { &allowed.overrides })
    }

    /// What is known of one of those gates.
    pub fn gate<'d>(&self, data: &'d Data, name: &str) -> Option<&'d GateDoc> {
        self.show(data)?.gates.iter().find(|gate| gate.gate == name)
    }

    /// Still waiting for the executor's word.
    pub fn waiting(&self, data: &Data) -> bool {
        self.request.is_some() && self.show(data).is_none()
    }

    /// What keeps `y` from carrying it out; None: nothing.
    pub fn obstacle(&self, data: &Data, now: Wall, zone: &Zone) -> Option<SafeText> {
        if self.waiting(data) {
            return Some("the executor has not answered yet".into());
        }
        if self.request.is_some() {
            match self.allowed(data) {
                None => return Some("the executor does not offer this".into()),
                Some(allowed) if !allowed.ok && allowed.overrides.is_empty() => {
                    return Some(allowed.why.clone());
                }
                Some(_) => {}
            }
        }
        let unticked: Vec<_> =
            self.overrides(data).iter().filter(|g| !self.ticked.contains(*g)).cloned().collect();
        if !unticked.is_empty() {
            return Some(safe!("tick what is passed over: {}", unticked.join(", ")));
        }
        if self.asks_until()
            && let Err(why) = until::parse(self.until.text(), now, zone)
        {
            return Some(why);
        }
        if self.asks_reason(data) && self.reason.value().is_none() {
            return Some("a reason is needed".into());
        }
        None
    }

    /// The call that carries it out.
    pub fn call(&self, data: &Data, now: Wall, zone: &Zone) -> Option<Call> {
        let (reason, dry_run) = (self.reason.value(), false);
        let until = || until::parse(self.until.text(), now, zone).ok();
        let overrides =
            || self.overrides(data).iter().filter_map(|gate| gate.parse::<Gate>().ok()).collect::<Vec<_>>();
        Some(match (self.id, self.request) {
            (Id::Run | Id::Rerun, Some(request)) => {
                Call::Run { request, rerun: self.id == Id::Rerun, reason, overrides: overrides(), dry_run }
            }
            (Id::Defer, Some(request)) => Call::Defer { request, until: until()?, reason, dry_run },
            (Id::Undefer, Some(request)) => Call::Undefer { request, dry_run },
            (Id::Stop, Some(request)) => Call::Stop { request, reason, dry_run },
            (Id::Hold, _) => Call::Hold { until: until()?, reason, dry_run },
            (Id::Unhold, _) => Call::Unhold { dry_run },
            _ => return None,
        })
    }
}
