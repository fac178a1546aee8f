//! `pcm init`: makes this machine ready, once, and adopts a lost history when an operator says so. On healthy state it
//! changes nothing.

use super::as_owner::{self, Work};
use super::engine::Known;
use super::footing::Footing;
use super::ground;
use super::history::{self, Adopt, Adopted, By, Cause, InitOutcome, Lost};
use super::share::job::{HeldIndex, ShareNews, look_job, result_places};
use crate::clock::Wall;
use crate::config::Config;
use crate::error::{Exit, Failure, Result};
use crate::host::account::{self, Actor};
use crate::host::lock::ExclusiveLock;
use crate::host::paths::Layout;
use crate::host::{durable, facts};
use crate::site::ids::{MachineId, RequestId};
use crate::site::past::{Past, Told};
use crate::text::SafeText;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::Duration;

/// `init --json`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InitDoc {
    /// What it found or made.
    pub history: Found,
    /// How many requests were adopted as done.
    pub adopted: usize,
    /// The lost history, kept under this name.
    pub kept: Option<SafeText>,
    /// What this machine knew of what it ever took from a share, and knows no more.
    #[serde(default)]
    pub forgotten: Vec<SafeText>,
    /// Where it was not seen whether this machine has run anything before: nothing runs until it was.
    pub unseen: Vec<SafeText>,
    /// In words.
    pub message: SafeText,
}

/// What `init` did about the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Found {
    /// There was none; there is one now.
    Created,
    /// Nothing changed.
    Healthy,
    /// It was lost, and a new one is in force.
    Adopted,
}

/// One `init` at a time; the executor's own lock may be held by a service that waits for exactly this.
const LOCK_WAIT: Duration = Duration::from_secs(10);

/// Makes state and history. The configuration is written before, by the caller. Root does that as the owner of a state
/// folder that is there already.
///
/// # Errors
/// `history-lost` where only `adopt` helps; `loose-permissions`; whatever the system refuses.
pub fn enrol(layout: &Layout, config: &Config, adopt: Option<Adopt>) -> Result<InitDoc> {
    let by = account::caller(&layout.state, &config.operators.group);
    let Some(owner) = as_owner::needed(layout) else { return init(layout, config, adopt, &by) };
    as_owner::ask(&owner, layout, config, Work::Init(adopt, by))
}

/// The same in this process, where `by` asked for it.
pub(super) fn init(layout: &Layout, config: &Config, adopt: Option<Adopt>, by: &Actor) -> Result<InitDoc> {
    if let Some(fs) = facts::is_network_fs(&layout.state) {
        return Err(Failure::new(
            Exit::State,
            "state-on-network",
            format!("the state folder {} is on {fs}, a network file system", layout.state.display()),
            "Name a local folder with --state",
        ));
    }
    Footing::of(layout, config).check()?;
    make_folders(layout)?;
    let file = layout.init_lock();
    let until = facts::monotonic().0 + LOCK_WAIT;
    let lock = ExclusiveLock::wait_take(&file, "pcm init", |_| facts::monotonic().0 < until)
        .map_err(|e| failed(&file, &e))?;
    let Some(_lock) = lock else {
        return Err(Failure::new(
            Exit::Failed,
            "init-busy",
            "another pcm init is at work",
            "Try again when it has ended",
        ));
    };
    let now = facts::now();
    let generation = history::random_id().map_err(|e| failed(&layout.state, &std::io::Error::other(e)))?;
    let done = match adopt {
        None => return make(layout, config, now, &generation),
        Some(adopt) => {
            if let Some(lost) = history::unreadable(layout) {
                return Err(not_adopted(&lost));
            }
            let listed = listed(layout, config)?;
            history::adopt(layout, now, &generation, adopt, &listed, &By::Operator(by)).map_err(|why| {
                Failure::new(
                    Exit::State,
                    "adopt-failed",
                    why,
                    "Wait for what still runs, look at the rights of the state folder, and try again",
                )
            })?
        }
    };
    Ok(told(layout, done))
}

/// Makes a history where there is none, or looks whether a new one may be opened.
fn make(layout: &Layout, config: &Config, now: Wall, generation: &str) -> Result<InitDoc> {
    let known = match history::is_new(layout) {
        true => past(config),
        false => Vec::new(),
    };
    let lost = match history::init(layout, now, generation, Some(&known)) {
        Ok(done) => return Ok(told(layout, done)),
        Err(lost) => lost,
    };
    if lost.cause != Cause::Unseen {
        return Err(Failure { exit: Exit::State as u8, ..super::engine::history_lost(&lost) });
    }
    let message = format!(
        "there is a new history at {}, and nothing runs: {}. The service looks at every poll; once all was seen and holds \
         nothing of this machine, it goes on by itself. If that never comes back, decide: pcm init --adopt=done, or \
         --adopt=not-done to let what is due run",
        layout.history().display(),
        lost.evidence
    );
    let unseen = known.iter().filter(|(_, past)| matches!(past, Past::Unknown(_)));
    Ok(InitDoc {
        history: Found::Created,
        adopted: 0,
        kept: None,
        forgotten: Vec::new(),
        unseen: unseen.map(|(place, _)| SafeText::new(&place.display().to_string())).collect(),
        message: SafeText::new(&message),
    })
}

/// What cannot be read may be whole, and adoption would put it aside for good.
fn not_adopted(lost: &Lost) -> Failure {
    let failure = super::engine::history_lost(lost);
    let remedy = format!(
        "{}. If it can never be read again, move it away first: what is missing can be decided about",
        failure.remedy
    );
    Failure { exit: Exit::State as u8, remedy: SafeText::new(&remedy), ..failure }
}

/// What every place says of an earlier life of this machine, by the share reader, within its deadline.
fn past(config: &Config) -> Vec<Told> {
    let Some((job, deadline)) = look_job(config, true, Vec::new(), None, HeldIndex::default()) else {
        return Vec::new();
    };
    let why = match job.run(deadline) {
        Ok(ShareNews::Looked(looked)) => return looked.past,
        Ok(_) => "the share reader gave another answer than was asked for".into(),
        Err(why) => why,
    };
    result_places(config).into_iter().map(|place| (place, Past::Unknown(why.clone()))).collect()
}

fn told(layout: &Layout, done: InitOutcome) -> InitDoc {
    let file = layout.history();
    match done {
        InitOutcome::Created => InitDoc {
            history: Found::Created,
            adopted: 0,
            kept: None,
            forgotten: Vec::new(),
            unseen: Vec::new(),
            message: SafeText::new(&format!("history created at {}", file.display())),
        },
        InitOutcome::Healthy => InitDoc {
            history: Found::Healthy,
            adopted: 0,
            kept: None,
            forgotten: Vec::new(),
            unseen: Vec::new(),
            message: SafeText::new(&format!("history at {} is healthy; nothing changed", file.display())),
        },
        InitOutcome::Adopted(Adopted { done, kept, forgotten }) => InitDoc {
            history: Found::Adopted,
            adopted: done,
            unseen: Vec::new(),
            message: SafeText::new(&format!("a new history is in force; {done} requests count as done")),
            kept: kept.map(|path| SafeText::new(&path.display().to_string())),
            forgotten,
        },
    }
}

/// Everybody may pass through the state folder to the socket in it, and look at nothing else.
fn make_folders(layout: &Layout) -> Result<()> {
    durable::make_passage_dir(&layout.state).map_err(|e| failed(&layout.state, &e))?;
    for folder in [layout.stage(), layout.runs(), layout.outbox()] {
        durable::make_passage_dir(&folder).map_err(|e| failed(&folder, &e))?;
    }
    let runs = layout.log.join("runs");
    durable::make_readable_dir(&runs).map_err(|e| failed(&runs, &e))
}

/// Everything that is listed now: from the share, or else from the held file.
fn listed(layout: &Layout, config: &Config) -> Result<Vec<RequestId>> {
    let mut known = Known::read(layout, config)?;
    known.look();
    Ok(known.listed())
}

fn failed(path: &Path, e: &std::io::Error) -> Failure {
    Failure::new(
        Exit::State,
        "state-unusable",
        format!("{} cannot be made or used: {e}", path.display()),
        ground::remedy(path, e),
    )
}

/// A machine that is configured.
///
/// # Errors
/// No machine is named.
pub fn machine(config: &Config) -> Result<MachineId> {
    config.machine.ok_or_else(|| {
        Failure::new(
            Exit::Usage,
            "not-enrolled",
            "this machine has no id yet",
            "Enrol it with: pcm init --share LOCATION --machine SMSID",
        )
    })
}
