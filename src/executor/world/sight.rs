//! What can be seen of the outside: nothing here does anything about it, so that who holds this can only look. All that
//! is known of a machine is read through it.

use super::{Held, World};
use crate::clock::{Monotonic, Wall, Zone, ZoneError};
use crate::config::Config;
use crate::executor::history::{Lost, Snapshot};
use crate::executor::run::attempt::Found;
use crate::executor::run::outcome::ExitRecord;
use crate::executor::run::run_folder::{Started, Waits};
use crate::executor::share::installed::LOOK_DEADLINE;
use crate::executor::share::job::{HeldIndex, ShareJob, ShareNews, findings, look_job};
use crate::host::power::HostFacts;
use crate::host::sessions::LoggedOn;
use crate::site::indexed::store;
use crate::site::installed::Finding;
use crate::site::instruction::{ContentHash, Program};
use crate::site::package::InstalledIf;
use crate::site::share::Look;
use crate::site::signed::store::Material;
use crate::terms::Platform;
use crate::text::SafeText;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A world that is only looked at; each question is the one of `Machine`, `Runs` or `Store`.
pub struct Sight(Arc<dyn World>);

impl Sight {
    /// Of this world.
    pub fn of(world: Arc<dyn World>) -> Sight {
        Sight(world)
    }

    pub fn now(&self) -> Wall {
        self.0.now()
    }

    pub fn monotonic(&self) -> Monotonic {
        self.0.monotonic()
    }

    pub fn clock_synchronised(&self) -> Option<bool> {
        self.0.clock_synchronised()
    }

    pub fn boot_id(&self) -> String {
        self.0.boot_id()
    }

    pub fn zone(&self, name: &str) -> Result<Zone, ZoneError> {
        self.0.zone(name)
    }

    pub fn platform(&self) -> Option<Platform> {
        self.0.platform()
    }

    pub fn disk_free(&self) -> Option<u64> {
        self.0.disk_free()
    }

    pub fn host_name(&self) -> SafeText {
        self.0.host_name()
    }

    pub fn account(&self) -> SafeText {
        self.0.account()
    }

    pub fn logged_on(&self) -> LoggedOn {
        self.0.logged_on()
    }

    pub fn host_facts(&self, started: Option<Wall>) -> HostFacts {
        self.0.host_facts(started)
    }

    /// Looks at the shares of a configuration, within their deadline; `past` as [`look_job`] has it. None: there is nothing
    /// to look for.
    pub fn look(
        &self,
        config: &Config,
        past: bool,
        trusted: Option<Material>,
        index: HeldIndex,
    ) -> Option<Result<Look, SafeText>> {
        let (job, deadline) = look_job(config, past, Vec::new(), trusted, index)?;
        match self.0.ask_share(&job, deadline) {
            Ok(ShareNews::Looked(looked)) => Some(Ok(looked.look)),
            Ok(
                ShareNews::Staged(..)
                | ShareNews::Unchanged
                | ShareNews::Delivered(_)
                | ShareNews::ResultsRemoved(_)
                | ShareNews::Tidied(_)
                | ShareNews::Reported(_)
                | ShareNews::Tried(_)
                | ShareNews::Installed(_)
                | ShareNews::Verified(_),
            ) => None,
            Err(why) => Some(Err(why)),
        }
    }

    /// Looks whether packages are installed, within the deadline of that.
    pub fn installed(&self, tests: &[InstalledIf]) -> Vec<(InstalledIf, Finding)> {
        let news = self.0.ask_share(&ShareJob::Installed { tests: tests.to_vec() }, LOOK_DEADLINE);
        findings(tests, news)
    }

    pub fn find_run(&self, run: &str, host: Option<&Started>) -> io::Result<Found<ExitRecord>> {
        self.0.find_run(run, host)
    }

    pub fn waits_for_input(&self, run: &str) -> Option<Waits> {
        self.0.waits_for_input(run)
    }

    pub fn transcript(&self, run: &str) -> Option<PathBuf> {
        self.0.transcript(run)
    }

    pub fn last_output(&self, run: &str) -> (Option<Wall>, Option<SafeText>) {
        self.0.last_output(run)
    }

    pub fn read_history(&self) -> Result<Snapshot, Lost> {
        self.0.read_history()
    }

    pub fn unusable(&self) -> Option<SafeText> {
        self.0.unusable()
    }

    pub fn held(&self) -> Option<Held> {
        self.0.held()
    }

    pub fn held_index(&self) -> Option<store::Held> {
        self.0.held_index()
    }

    pub fn held_folder(&self) -> Option<PathBuf> {
        self.0.held_folder()
    }

    pub fn material(&self, trust_folder: &Path) -> Result<Option<Material>, SafeText> {
        self.0.material(trust_folder)
    }

    pub fn is_staged(&self, hash: &ContentHash) -> bool {
        self.0.is_staged(hash)
    }

    pub fn startable(&self, program: &Program, content: Option<&ContentHash>) -> Result<(), SafeText> {
        self.0.startable(program, content)
    }

    pub fn lock_holder(&self) -> Option<SafeText> {
        self.0.lock_holder()
    }
}
