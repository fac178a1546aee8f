//! What is remembered of jobs beyond their files.

use crate::site::ids::{JobId, RequestId};
use std::collections::{BTreeMap, BTreeSet};

/// What the jobs of an index said of themselves, as far as their files were ever read: it counts on where the newest file of one
/// cannot be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// Their requests.
    pub ids: BTreeMap<JobId, RequestId>,
    /// Each that takes the place of another job, and that one.
    pub replaces: BTreeSet<(JobId, JobId)>,
}

/// Nothing is known of before.
pub static NOTHING_TOLD: Told = Told { ids: BTreeMap::new(), replaces: BTreeSet::new() };
