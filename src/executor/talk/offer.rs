//! The document of what is offered to users. It is for people who know nothing of pcm, and has no name of anybody.

use crate::site::ids::{PackageId, RequestId};
use crate::terms::{RefusalCode, State, words};
use crate::text::SafeText;
use serde::{Deserialize, Serialize};

words!(
    /// What an offer comes to, for whoever looks at it.
    OfferState {
        /// It can be installed now.
        Available = "available",
        /// Something is in its way.
        Waiting = "waiting",
        /// It is being installed, or about to be.
        Running = "running",
        /// There is nothing to do any more.
        Installed = "installed",
        /// It was tried, and did not succeed.
        Failed = "failed",
    }
);

/// `offers`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OffersDoc {
    /// By the names of their packages.
    pub offers: Vec<OfferDoc>,
}

/// One offer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OfferDoc {
    /// What `pcm install` takes.
    pub request_id: RequestId,
    /// Which package.
    pub package_id: Option<PackageId>,
    /// Its name.
    pub package: SafeText,
    /// The command's name.
    pub command: SafeText,
    /// What it comes to.
    pub offer: OfferState,
    /// The request's own state.
    pub state: State,
    /// Whether `pcm install` would be carried out now; it may have to wait for what runs.
    pub can_install: bool,
    /// Why not.
    pub code: Option<RefusalCode>,
    /// In one plain sentence, without its full stop.
    pub why: SafeText,
}
