//! All that the executor touches outside of itself, behind one interface: clocks, facts, runs, what is kept on disk, the
//! share. `real` is the machine; tests simulate one that fails in every way. The engine and the service's steps call it,
//! and reach for nothing else.

mod real;
mod sight;

pub use real::RealWorld;
pub use sight::Sight;

use super::history::{Adopted, History, Lost, Snapshot};
use super::notices;
use super::run::attempt::Found;
use super::run::outcome::{ExitRecord, MifSays};
use super::run::run_folder::{RunSpec, Started, Waits};
use super::share::job::{ShareJob, ShareNews};
use crate::clock::{Monotonic, Wall, Zone, ZoneError};
use crate::config::{self, Config};
use crate::host::notice::{Notice, Untold};
use crate::host::perms::Loose;
use crate::host::power::HostFacts;
use crate::host::sessions::{LoggedOn, Session};
use crate::log::Level;
use crate::site::content::Seal;
use crate::site::ids::{MachineId, RequestId};
use crate::site::indexed::{self, parts::Parts};
use crate::site::instruction::{ContentHash, Program};
use crate::site::past::Told;
use crate::site::publication::Publication;
use crate::site::report::seal::HostKey;
use crate::site::signed::published::Packages;
use crate::site::signed::store::Material;
use crate::terms::Platform;
use crate::text::SafeText;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The outside of an executor.
pub trait World: Machine + Runs + Store {}

impl<T: Machine + Runs + Store> World for T {}

/// Clocks and facts, as they are at the moment of the call, and two errands: to the share and to whoever is told.
pub trait Machine: Send + Sync {
    /// What the wall clock says.
    fn now(&self) -> Wall;
    /// Time since the machine started.
    fn monotonic(&self) -> Monotonic;
    /// Whether the system says that the wall clock is synchronised; None: it does not say.
    fn clock_synchronised(&self) -> Option<bool> {
        None
    }
    /// Names this boot.
    fn boot_id(&self) -> String;
    /// A zone by name, or `local`.
    ///
    /// # Errors
    /// An unknown or damaged zone; never another one in its place.
    fn zone(&self, name: &str) -> Result<Zone, ZoneError>;
    /// What packages must name to run here.
    fn platform(&self) -> Option<Platform>;
    /// Bytes free for the state folder.
    fn disk_free(&self) -> Option<u64>;
    /// The machine's name.
    fn host_name(&self) -> SafeText;
    /// The account of this process.
    fn account(&self) -> SafeText;
    /// Who is logged on.
    fn logged_on(&self) -> LoggedOn;
    /// What it says of its own state, having started at that time.
    fn host_facts(&self, started: Option<Wall>) -> HostFacts {
        HostFacts::quiet(started)
    }
    /// What others could change of all that this machine's work stands on, with this configuration.
    fn loose(&self, _config: &Config) -> Vec<Loose> {
        Vec::new()
    }
    /// Carries out one job at the share, for at most `deadline`.
    ///
    /// # Errors
    /// Why there is no answer; nothing may be concluded from it.
    fn ask_share(&self, job: &ShareJob, deadline: Duration) -> Result<ShareNews, SafeText>;
    /// It is a sandbox: nobody is told anything, and the machine is neither restarted nor kept up.
    fn is_silent(&self) -> bool {
        false
    }
    /// Tells those who are logged on, and does not wait for it.
    fn tell(&self, _to: &[Session], _notice: &Notice) {}
    /// Who could not be told, as far as that has turned out since this was last asked.
    fn untold(&self) -> Vec<Untold> {
        Vec::new()
    }
    /// Asks the system to restart the machine, by this command or in its own way, and does not wait for it.
    ///
    /// # Errors
    /// It was not asked.
    fn restart(&self, _command: &[String]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
    /// Why asking the system for a restart turned out to fail, since this was last asked.
    fn restart_failures(&self) -> Vec<SafeText> {
        Vec::new()
    }
    /// Keeps the system from being shut down while a package runs, where it offers that; called at every step.
    fn keep_up(&self, _wanted: bool) {}
    /// Has `[notify] command` run with this on its standard input, and does not wait for it.
    ///
    /// # Errors
    /// It could not be started.
    fn notify(&self, program: &str, args: &[String], json: &[u8]) -> io::Result<()>;
    /// How that went, waiting so long for it at most; None: it is still under way.
    fn notified(&self, _wait: Duration) -> Option<Result<(), SafeText>> {
        Some(Ok(()))
    }
    /// Makes an entry of it in the system's own journal, where there is one.
    fn record(&self, _notice: &notices::Notice, _machine: Option<MachineId>) {}
}

/// Runs by their name, `<RequestID>-<attempt>`: their folders and run hosts.
pub trait Runs: Send + Sync {
    /// Makes the run's folder with the spec in it, and syncs both and the parents.
    ///
    /// # Errors
    /// What failed. A folder that is there already is an error: a run has one, once.
    fn create_run(&self, run: &str, spec: &RunSpec) -> io::Result<()>;
    /// Starts the run host and waits until it says that it is ready. After an error it launches nothing, however late it
    /// gets there.
    ///
    /// # Errors
    /// It did not become ready.
    fn start_host(&self, run: &str) -> Result<Box<dyn Host>, SafeText>;
    /// The run host of a run that is ready, as it can be found again without the run's folder; None where there is no
    /// other way than the folder.
    ///
    /// # Errors
    /// It cannot be known: it must not be told to go.
    fn host_of(&self, run: &str) -> io::Result<Option<Started>> {
        let _ = run;
        Ok(None)
    }
    /// What is left of a run, for `attempt::recover`. `host` is its run host as the history knows it: a package may have
    /// deleted the run's folder.
    ///
    /// # Errors
    /// It cannot be known now; conclude nothing.
    fn find_run(&self, run: &str, host: Option<&Started>) -> io::Result<Found<ExitRecord>>;
    /// What the package wrote about itself.
    fn read_mif(&self, run: &str) -> MifSays;
    /// Asks the run host to end the tree. Asking twice is asking once.
    ///
    /// # Errors
    /// Nothing was asked.
    fn ask_to_stop(&self, run: &str) -> io::Result<()>;
    /// Ends what a dead run host left alive; false where something still lives after `deadline`.
    fn end_leftovers(&self, run: &str, host: Option<&Started>, deadline: Duration) -> bool;
    /// Lets a run host go on that somebody stopped; whether one had.
    fn wake_host(&self, run: &str, host: Option<&Started>) -> bool {
        let _ = (run, host);
        false
    }
    /// Ends a run host and its package. False where the run host only writes down how its package ended: it alone knows.
    fn end_host(&self, run: &str, host: Option<&Started>) -> bool {
        let _ = (run, host);
        false
    }
    /// Whether nothing of a run lives but its run host, which has to write down how the package ended.
    fn only_host(&self, run: &str, host: Option<&Started>) -> bool {
        let _ = (run, host);
        false
    }
    /// Removes what held the processes of a run together, which are gone.
    fn release(&self, run: &str, host: Option<&Started>) {
        let _ = (run, host);
    }
    /// Why nothing but its run host holds the processes of this run together; None where something does.
    fn unheld(&self, run: &str) -> Option<SafeText> {
        let _ = run;
        None
    }
    /// Whether the package of this run appears to wait for input.
    fn waits_for_input(&self, run: &str) -> Option<Waits> {
        let _ = run;
        None
    }
    /// Reaps the run host that this process started, if it has ended.
    fn reap(&self);
    /// The run's transcript, where there is one.
    fn transcript(&self, run: &str) -> Option<PathBuf>;
    /// When that was last written, and its newest whole line.
    fn last_output(&self, run: &str) -> (Option<Wall>, Option<SafeText>);
}

/// A run host that is ready and waits for its word. Dropping it without *go* lets it exit: nothing is launched.
pub trait Host {
    /// Says *go*.
    ///
    /// # Errors
    /// Whether it arrived is unknown.
    fn say_go(&mut self) -> io::Result<()>;
    /// The executor is done with it: it may live on, and is reaped when it ends.
    fn let_be(self: Box<Self>);
}

/// The instruction file that was kept for the time when no share can be reached.
pub struct Held {
    /// Of the instruction file.
    pub file: Vec<u8>,
    /// Of the site file that came with it.
    pub site: Option<Vec<u8>>,
    /// The packages that it names, with their signatures.
    pub packages: Packages,
    /// When a share was last seen.
    pub seen: Option<Wall>,
}

/// What is kept on this machine's disk.
pub trait Store: Send + Sync {
    /// Opens the history for writing and judges its health.
    ///
    /// # Errors
    /// It cannot be believed.
    fn open_history(&self) -> Result<History, Lost>;
    /// Takes what every place says of an earlier life of this machine to a new history that waits for it.
    ///
    /// # Errors
    /// It is closed still, or cannot be believed.
    fn past_seen(&self, told: &[Told]) -> Result<(), Lost>;
    /// Names the history that is lost, or new and waits; None: nothing does.
    fn lost_state(&self) -> Option<SafeText>;
    /// Starts a new history in the place of the lost one, because the site let this machine go on from `state`: what is listed
    /// counts as done. `publication` says so; None: the history is whole meanwhile.
    ///
    /// # Errors
    /// What failed, in words: nothing runs.
    fn replace(
        &self,
        now: Wall,
        state: &str,
        listed: &[RequestId],
        publication: &Publication,
    ) -> Result<Option<Adopted>, String>;
    /// Reads it once, for a view.
    ///
    /// # Errors
    /// It cannot be believed.
    fn read_history(&self) -> Result<Snapshot, Lost>;
    /// Whether there is a history at all that this process could judge: without descriptors nothing is known of it.
    fn can_look(&self) -> bool;
    /// What keeps everything from being written down, with what helps; None: nothing that can be seen beforehand.
    fn unusable(&self) -> Option<SafeText> {
        None
    }
    /// Keeps instruction file, site file and signed packages, durably.
    ///
    /// # Errors
    /// What was kept before is kept still, in words.
    fn hold(&self, file: &[u8], site: &[u8], packages: &Packages) -> Result<(), String>;
    /// Keeps an index and its parts, durably, under this name.
    ///
    /// # Errors
    /// What was kept before is kept still, in words.
    fn hold_index(&self, name: &str, index: &[u8], parts: &Parts) -> Result<(), String> {
        let _ = (index, parts);
        Err(format!("{name} cannot be held here"))
    }
    /// The index that is kept.
    fn held_index(&self) -> Option<indexed::store::Held> {
        None
    }
    /// Where that is, for whoever reads shares; None: nowhere.
    fn held_folder(&self) -> Option<PathBuf> {
        None
    }
    /// What the trust folder holds; None: no trust list was ever taken.
    ///
    /// # Errors
    /// It cannot be read.
    fn material(&self, trust_folder: &Path) -> Result<Option<Material>, SafeText> {
        let _ = trust_folder;
        Ok(None)
    }
    /// The key that this machine signs its reports with: of the file that is named, else its SSH host key or the one in the
    /// trust folder.
    ///
    /// # Errors
    /// There is none that can be read.
    fn host_key(&self, named: Option<&Path>, trust_folder: &Path) -> Result<HostKey, SafeText> {
        let _ = named;
        Err(SafeText::new(&format!("{} is no trust folder", trust_folder.display())))
    }
    /// Keeps a newer version of the trust list, durably; which that is.
    ///
    /// # Errors
    /// The one before is in force still, in words.
    fn place_list(&self, trust_folder: &Path, bytes: &[u8]) -> Result<u64, String> {
        let _ = bytes;
        Err(format!("{} is no trust folder", trust_folder.display()))
    }
    /// What is kept.
    fn held(&self) -> Option<Held>;
    /// Remembers that a share was seen. A hint: an older time only makes what is held stale sooner.
    fn share_seen(&self, at: Wall);
    /// Whether this content is staged.
    fn is_staged(&self, hash: &ContentHash) -> bool;
    /// Hashes staged content again, which takes as long as it takes; the state it was in meanwhile.
    ///
    /// # Errors
    /// It is not what was published.
    fn verify_staged(&self, hash: &ContentHash) -> Result<Seal, SafeText>;
    /// The state that staged content is in.
    ///
    /// # Errors
    /// It is not there, or cannot be listed.
    fn seal(&self, hash: &ContentHash) -> io::Result<Seal>;
    /// Whether a program can be started: of the staged files with this hash, or of the system.
    ///
    /// # Errors
    /// Why not, with its name.
    fn startable(&self, program: &Program, content: Option<&ContentHash>) -> Result<(), SafeText> {
        let _ = (program, content);
        Ok(())
    }
    /// Takes staged content out of the way, to be removed later; it is not staged any more.
    ///
    /// # Errors
    /// As the system reports them.
    fn put_away_content(&self, hash: &ContentHash) -> io::Result<()>;
    /// Takes the folder of a run out of the way, to be removed later.
    ///
    /// # Errors
    /// As the system reports them; it is where it was.
    fn put_away_run(&self, run: &str) -> io::Result<()>;
    /// Keeps a result until it is delivered to the share.
    ///
    /// # Errors
    /// It could not be written durably.
    fn put_result(&self, name: &str, bytes: &[u8]) -> io::Result<()>;
    /// Whether results wait to be delivered.
    fn results_wait(&self) -> bool;
    /// Those that do, by their names.
    fn results_waiting(&self) -> Vec<String> {
        Vec::new()
    }
    /// Whether this one does, by its name.
    fn result_waits(&self, name: &str) -> bool;
    /// Those that have waited since before this, by their names, with what stands in the place of one.
    fn results_older(&self, than: Wall) -> Vec<String> {
        let _ = than;
        Vec::new()
    }
    /// Removes one that nobody will take any more.
    ///
    /// # Errors
    /// As the system reports them; it waits still.
    fn give_up_result(&self, name: &str) -> io::Result<()> {
        let _ = name;
        Err(io::ErrorKind::Unsupported.into())
    }
    /// Keeps what is still to be told to operators, and what was.
    ///
    /// # Errors
    /// What was kept before is kept still.
    fn keep_notices(&self, bytes: &[u8]) -> io::Result<()> {
        let _ = bytes;
        Ok(())
    }
    /// That as it was kept; None: nothing was.
    fn kept_notices(&self) -> Option<Vec<u8>> {
        None
    }
    /// Adds a line to `PACMAN.LOG`.
    ///
    /// # Errors
    /// It could not be written.
    fn log(&self, level: Level, text: &SafeText, now: Wall) -> io::Result<()>;
    /// How the log is written from here on.
    fn set_log(&self, config: &config::Log);
    /// Who holds the executor's lock, in words.
    fn lock_holder(&self) -> Option<SafeText>;
}
