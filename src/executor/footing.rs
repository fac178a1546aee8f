//! What the executor stands on (PROMISES.md 4): state, configuration, trust folder, its own program. Somebody else who
//! may change one of them decides what runs here, so a loose one is refused before anything is done with it. Called by the
//! service when it starts, by every action in-process, by `init`, and by the checklist.

use crate::config::Config;
use crate::error::{Exit, Failure, Result};
use crate::host::account::{self, Account};
use crate::host::paths::Layout;
use crate::host::perms::{self, Loose, Writers};
use crate::host::process;
use crate::site::trust::TrustMode;
use std::path::{Path, PathBuf};

/// What others than root and the service's account could change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Footing {
    /// Nothing is done on it.
    pub refused: Vec<Loose>,
    /// It is done and said.
    pub warned: Vec<Loose>,
}

impl Footing {
    /// Looks at all of it that is there. Nothing is found where owners and modes mean nothing (Windows: access lists, which
    /// the folders inherit or get when they are made).
    pub fn of(layout: &Layout, config: &Config) -> Footing {
        if !perms::ARE_REAL {
            return Footing::default();
        }
        let writers = writers(layout);
        let loose = |paths: &[PathBuf]| {
            let mut found: Vec<Loose> = Vec::new();
            for path in paths.iter().filter(|path| path.symlink_metadata().is_ok()) {
                let loose = perms::check_way_to(path, &writers).err();
                found.extend(loose.filter(|loose| !found.contains(loose)));
            }
            found
        };
        let own = [layout.state.clone(), layout.stage(), layout.runs(), layout.outbox()];
        // The mark is looked at whenever it is read: one that cannot be is a trouble of the history, which heals.
        let configured = [folder_of(&layout.config), layout.config.clone()];
        let mut refused = loose(&[own.as_slice(), &configured].concat());
        let trust = layout.trust_folder(config.trust.dir.as_deref());
        let mut warned =
            loose(&process::own_executable().ok().into_iter().chain([trust]).collect::<Vec<_>>());
        if config.trust.mode == TrustMode::Signed {
            refused.append(&mut warned);
        }
        warned.retain(|loose| !refused.contains(loose));
        Footing { refused, warned }
    }

    /// Whether something may be done on it.
    ///
    /// # Errors
    /// The refusal, which names the first that is loose and how many there are.
    pub fn check(&self) -> Result<()> {
        let Some(first) = self.refused.first() else { return Ok(()) };
        let more = match self.refused.len() - 1 {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        Err(Failure::new(
            Exit::State,
            "loose-permissions",
            format!("{}{more}: others could decide what runs on this machine, so nothing is done", first.why),
            first.remedy.clone(),
        ))
    }
}

/// Checks the folder of a configuration that is not written yet.
///
/// # Errors
/// As [`Footing::check`].
pub fn check_configuration_folder(layout: &Layout) -> Result<()> {
    let check = || perms::check_way_to(&folder_of(&layout.config), &writers(layout)).map(drop);
    let refused = if perms::ARE_REAL { check().err().into_iter().collect() } else { Vec::new() };
    Footing { refused, warned: Vec::new() }.check()
}

/// Root, and the service's account: the owner of the state folder.
pub fn writers(layout: &Layout) -> Writers {
    if layout.state.exists() { Writers::owner_of(&layout.state) } else { Writers::this_process() }
}

fn folder_of(file: &Path) -> PathBuf {
    file.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

/// A service works with the state of its own account: root that worked with another account's would follow what that
/// account puts there.
///
/// # Errors
/// The state folder belongs to another account.
pub fn check_is_own(layout: &Layout) -> Result<()> {
    let Some(owner) = account::other_owner(&layout.state) else { return Ok(()) };
    let (state, Account { name, .. }) = (layout.state.display(), owner);
    Err(Failure::new(
        Exit::State,
        "state-of-another",
        format!("the state folder {state} belongs to {name}, and this service would work on it as root"),
        format!("Start the service as {name}, or give the folder to root: chown -R root {state}"),
    ))
}
