//! An operator's run that waits in the queue for the executor, as history keeps it and decisions read it.

use crate::clock::{Wall, later};
use crate::site::ids::RequestId;
use crate::terms::{Gate, RefusalCode, VerbKind};
use crate::text::SafeText;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Nobody expects a run any more that was asked for so long ago: it is taken out.
pub const LONGEST_WAIT: Duration = Duration::from_secs(12 * 3600);

/// One run in the queue. A request is in it once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queued {
    /// Which request.
    pub request: RequestId,
    /// It is a further attempt.
    pub rerun: bool,
    /// The gates that the operator passes over by name.
    pub overrides: Vec<Gate>,
    /// The operator.
    pub by: SafeText,
    /// The operator's words.
    pub reason: SafeText,
    /// When it was asked for.
    pub at: Wall,
    /// It was asked for as what is offered to users, and goes where it is not offered any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub offered: bool,
}

impl Queued {
    /// What was asked for.
    pub fn kind(&self) -> VerbKind {
        if self.rerun { VerbKind::Rerun } else { VerbKind::Run }
    }

    /// From when on it is taken out.
    pub fn ends(&self) -> Wall {
        later(self.at, LONGEST_WAIT)
    }
}

/// Where a run stands in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueuePlace {
    /// In the order of asking, counted from 1.
    pub position: u32,
    /// It would start now if nothing ran.
    pub ready: bool,
    /// It will not start, and is taken out: why.
    pub leaves: Option<RefusalCode>,
}
