//! All attempts of a machine, and what is asked of all of them together by every decision and every view. There may be tens
//! of thousands, so that is worked out once, and anew after any of them may have changed.

use super::attempt::Attempt;
use super::usual::UsualTimes;
use crate::site::ids::{JobId, PackageId, RequestId};
use crate::terms::State;
use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, OnceLock};

/// Attempts by request, in the order of their numbers.
type ByRequest = BTreeMap<RequestId, Vec<Arc<Attempt>>>;

/// All attempts by request, in the order of their numbers. Never an empty list. It is used as the map it is: whoever
/// borrows that to change it has everything worked out anew.
#[derive(Debug, Clone, Default)]
pub struct Attempts {
    by_request: ByRequest,
    known: Known,
}

/// What was worked out, once somebody asked for it.
#[derive(Debug, Clone, Default)]
struct Known {
    usual: OnceLock<UsualTimes>,
    restarts: OnceLock<Vec<RequestId>>,
    releases: OnceLock<BTreeMap<PackageId, u64>>,
    succeeded: OnceLock<BTreeMap<JobId, RequestId>>,
    newest: OnceLock<Option<Arc<Attempt>>>,
}

impl Attempts {
    /// How long the runs of each command usually take.
    pub(super) fn usual_times(&self) -> &UsualTimes {
        self.known.usual.get_or_init(|| UsualTimes::of(&self.by_request))
    }

    /// Those with an attempt that succeeded and wanted a restart, in whatever boot.
    pub(super) fn restarts(&self) -> &[RequestId] {
        self.known.restarts.get_or_init(|| {
            let wanted = |all: &[Arc<Attempt>]| all.iter().any(|one| one.state == State::SucceededRestart);
            self.by_request.iter().filter(|(_, all)| wanted(all)).map(|(id, _)| *id).collect()
        })
    }

    /// Of each request the first attempt of this boot that succeeded and wants a restart.
    pub fn wanting_restart<'a>(&'a self, boot_id: &'a str) -> impl Iterator<Item = (RequestId, &'a Attempt)> {
        self.restarts().iter().filter_map(|id| Some((*id, wanting(self.by_request.get(id)?, boot_id)?)))
    }

    /// The highest release of a package that was attempted.
    pub(super) fn highest_release(&self, package: PackageId) -> Option<u64> {
        let releases = self.known.releases.get_or_init(|| {
            let mut highest = BTreeMap::new();
            for attempt in self.by_request.values().flatten() {
                if let Some(release) = attempt.release {
                    let known = highest.entry(attempt.package_id).or_insert(release);
                    *known = release.max(*known);
                }
            }
            highest
        });
        releases.get(&package).copied()
    }

    /// The first request of this job whose newest attempt succeeded.
    pub(super) fn succeeded(&self, job: JobId) -> Option<RequestId> {
        let succeeded = self.known.succeeded.get_or_init(|| {
            let mut first = BTreeMap::new();
            for (id, all) in &self.by_request {
                if let Some(attempt) = all.last().filter(|attempt| attempt.state.is_success()) {
                    first.entry(attempt.job_id).or_insert(*id);
                }
            }
            first
        });
        succeeded.get(&job).copied()
    }

    /// The newest of this machine.
    pub(super) fn newest(&self) -> Option<&Attempt> {
        let newest = self.known.newest.get_or_init(|| {
            let each = self.by_request.values().filter_map(|all| all.last());
            each.max_by_key(|attempt| attempt.claimed_at).cloned()
        });
        newest.as_deref()
    }
}

/// The first of these attempts that succeeded in this boot and wants a restart.
pub(super) fn wanting<'a>(all: &'a [Arc<Attempt>], boot_id: &str) -> Option<&'a Attempt> {
    let wants = |one: &&Attempt| one.state == State::SucceededRestart && one.boot_id == boot_id;
    all.iter().map(Arc::as_ref).find(wants)
}

impl Deref for Attempts {
    type Target = ByRequest;
    fn deref(&self) -> &ByRequest {
        &self.by_request
    }
}

impl DerefMut for Attempts {
    fn deref_mut(&mut self) -> &mut ByRequest {
        self.known = Known::default();
        &mut self.by_request
    }
}

impl PartialEq for Attempts {
    fn eq(&self, other: &Attempts) -> bool {
        self.by_request == other.by_request
    }
}

impl<'a> IntoIterator for &'a Attempts {
    type Item = (&'a RequestId, &'a Vec<Arc<Attempt>>);
    type IntoIter = std::collections::btree_map::Iter<'a, RequestId, Vec<Arc<Attempt>>>;
    fn into_iter(self) -> Self::IntoIter {
        self.by_request.iter()
    }
}
