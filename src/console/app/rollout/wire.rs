//! What view 5 and the thread that counts for it say to each other.

use crate::error::Failure;
use crate::rollout::doc::{MachineDoc, RolloutDoc};
use crate::rollout::select::{Figure, OneDoc};
use crate::site::ids::{JobId, MachineId};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What the view needs now. The newest counts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Wish {
    /// Somebody looks at it: only then is anything read.
    pub shown: bool,
    /// Another number: everything is read anew at once.
    pub look: u64,
    /// These machines.
    pub list: Option<Listing>,
    /// This machine alone.
    pub machine: Option<MachineId>,
}

/// A list of machines.
#[derive(Debug, Clone, PartialEq)]
pub struct Listing {
    /// Of this job.
    pub job: JobId,
    /// Those behind this number.
    pub figure: Figure,
    /// Of those the ones that match; empty: all.
    pub condition: String,
    /// In the order of this column; None: by id.
    pub sort: Option<usize>,
    /// Another number: put in order anew. As long as it stays, rows stay where they are.
    pub order: u64,
}

/// What was counted, or why not.
#[derive(Debug, Clone)]
pub enum News {
    /// So many of so many reports were looked at.
    Reading(u64, u64),
    /// The figures; `whole`: everything was looked at.
    Figures(Arc<RolloutDoc>, bool),
    /// There are none.
    Fault(Failure),
    /// A list that was wanted.
    Listed(Listed),
    /// A machine that was wanted; None: the site does not have it any more.
    One(MachineId, Option<Box<OneDoc>>),
}

/// The machines of a list.
#[derive(Debug, Clone)]
pub struct Listed {
    /// What was wanted.
    pub of: Listing,
    /// In its order.
    pub rows: Arc<Vec<MachineDoc>>,
    /// How many there are without the condition.
    pub all: usize,
    /// Those that say something else than when the rows were put in order.
    pub changed: Arc<BTreeSet<MachineId>>,
}
