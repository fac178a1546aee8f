//! Root's own work on the state folder of another account, done as that account: whatever that account has put there, root
//! follows none of it. One process of pcm's own (`stand_in`) for one piece of work, while no service is there to ask. The
//! client and `pcm init` ask for it.

use super::history::Adopt;
use super::share::job::STAGE_DEADLINE;
use super::talk::protocol::Change;
use crate::config::Config;
use crate::error::{Exit, Failure, Result};
use crate::host::account::{self, Account, Actor};
use crate::host::helper;
use crate::host::notice;
use crate::host::paths::Layout;
use crate::site::ids::MachineId;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What is to be done.
#[derive(Serialize, Deserialize)]
pub enum Work {
    /// A change, for the actor who asked; the answer is an `Answer`.
    Change(Box<Change>, Actor),
    /// Record the ends of runs that nobody has recorded yet; there is no answer.
    RecordEnds,
    /// Make state and history, or adopt what is listed, for the actor who asked; the answer is an `InitDoc`.
    Init(Option<Adopt>, Actor),
}

/// The work, and for which installation. The configuration is read again by that account; these two of it may have been
/// given by flags.
#[derive(Serialize, Deserialize)]
pub(super) struct Order {
    pub layout: Layout,
    pub machine: Option<MachineId>,
    pub shares: Vec<PathBuf>,
    /// Whether whoever asks tells nobody anything: in a demo its stand-in does not either.
    pub silent: bool,
    pub work: Work,
}

/// The account that this work has to be done as; None: as this process.
pub fn needed(layout: &Layout) -> Option<Account> {
    account::other_owner(&layout.state)
}

/// Has it done as `owner`.
///
/// # Errors
/// The refusal or failure of the work, or why there is no answer.
pub fn ask<A: DeserializeOwned>(owner: &Account, layout: &Layout, config: &Config, work: Work) -> Result<A> {
    let failed = |why: String| {
        let remedy = format!("Start the service, or act as {}", owner.name);
        Failure::new(Exit::Failed, "as-owner-failed", why, remedy)
    };
    let order = Order {
        layout: layout.clone(),
        machine: config.machine,
        shares: config.shares.clone(),
        silent: notice::is_silent(),
        work,
    };
    let what = format!("the work as {}, who owns the state folder,", owner.name);
    // Content may have to be copied first.
    let told: std::result::Result<Result<serde_json::Value>, _> =
        helper::ask("as-owner", &what, &order, None, Some(owner), STAGE_DEADLINE);
    let answer = told.map_err(|why| failed(why.to_string()))??;
    serde_json::from_value(answer).map_err(|e| failed(format!("{what} gave another answer: {e}")))
}
