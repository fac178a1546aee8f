//! The machine as it is: files below the installation's folders, the system's clocks, run hosts as processes.

mod runs;
mod store;

use super::Machine;
use crate::clock::{Monotonic, Wall, Zone, ZoneError};
use crate::config::{self, Config};
use crate::error::{Exit, Failure};
use crate::executor::footing::{self, Footing};
use crate::executor::notices::{self, command};
use crate::executor::run::run_folder::RunFolder;
use crate::executor::share::job::{ShareJob, ShareNews};
use crate::executor::share::outbox::Outbox;
use crate::host::inhibit::Inhibit;
use crate::host::notice::{self, Notice, Untold};
use crate::host::open::{self, Access, OpenError};
use crate::host::paths::Layout;
use crate::host::perms::{self, Loose};
use crate::host::power::{self, HostFacts};
use crate::host::sessions::{self, LoggedOn, Session};
use crate::host::{account, facts, journal, threads};
use crate::log::write::PacmanLog;
use crate::site::ids::MachineId;
use crate::terms::Platform;
use crate::text::SafeText;
use std::io;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// `PACMAN.LOG`, as the configuration wants it.
struct Log {
    config: config::Log,
    /// Opened with the first line: a view writes none, and so makes no file.
    open: Option<PacmanLog>,
}

/// The world of one installation.
pub struct RealWorld {
    layout: Layout,
    log: Mutex<Log>,
    outbox: Outbox,
    /// The run host that this process started; reaped, never waited for.
    child: Arc<Mutex<Option<Child>>>,
    /// Who could not be told, until somebody asks.
    untold: Arc<Mutex<Vec<Untold>>>,
    /// Notices under way.
    telling: Mutex<Vec<JoinHandle<()>>>,
    /// How the commands for a restart ended that did not end well.
    restart_failures: Arc<Mutex<Vec<SafeText>>>,
    inhibit: Inhibit,
    /// How the call of `[notify] command` that is under way will turn out.
    notified: Mutex<Option<mpsc::Receiver<Result<(), SafeText>>>>,
}

impl RealWorld {
    /// The world of the installation at `layout`.
    pub fn new(layout: &Layout, log: &config::Log) -> Self {
        Self {
            layout: layout.clone(),
            log: Mutex::new(Log { config: log.clone(), open: None }),
            outbox: Outbox::at(&layout.outbox()),
            child: Arc::default(),
            untold: Arc::default(),
            telling: Mutex::default(),
            restart_failures: Arc::default(),
            inhibit: Inhibit::default(),
            notified: Mutex::default(),
        }
    }

    /// History on a network file system could be lost or locked by another machine: it is refused.
    ///
    /// # Errors
    /// The refusal.
    pub fn check_local(&self) -> crate::error::Result<()> {
        let Some(fs) = facts::is_network_fs(&self.layout.state) else { return Ok(()) };
        Err(Failure::new(
            Exit::State,
            "state-on-network",
            format!("the state folder {} is on {fs}, a network file system", self.layout.state.display()),
            "History there could be lost or locked by another machine: name a local folder with --state",
        ))
    }

    /// Not being allowed to look is no loss of history.
    ///
    /// # Errors
    /// This account may not read the state folder.
    pub fn check_readable(&self) -> crate::error::Result<()> {
        let history = self.layout.history();
        match open::own(&history, Access::Read) {
            Err(OpenError::Denied) => Err(Failure::new(
                Exit::State,
                "state-unreadable",
                // Whether one runs and cannot be reached is not for this account to know: its lock is closed to others.
                format!("no service answers, and {} may not be read by this account", history.display()),
                "See that the service runs, which answers everybody, or look as root or the owner of the state folder",
            )),
            _ => Ok(()),
        }
    }

    fn folder(&self, run: &str) -> RunFolder {
        RunFolder::of(&self.layout.runs(), run)
    }
}

/// A command that ends at once has told everybody first; that takes as long as `host::notice` gives it, at most.
impl Drop for RealWorld {
    fn drop(&mut self) {
        for telling in self.telling.get_mut().unwrap_or_else(PoisonError::into_inner).drain(..) {
            // A notice that panicked keeps nobody from ending.
            let _ = telling.join();
        }
    }
}

impl Machine for RealWorld {
    fn loose(&self, config: &Config) -> Vec<Loose> {
        Footing::of(&self.layout, config).refused
    }

    fn now(&self) -> Wall {
        facts::now()
    }

    fn monotonic(&self) -> Monotonic {
        facts::monotonic()
    }

    fn clock_synchronised(&self) -> Option<bool> {
        facts::clock_synchronised()
    }

    fn boot_id(&self) -> String {
        facts::boot_id()
    }

    fn zone(&self, name: &str) -> Result<Zone, ZoneError> {
        facts::zone(name)
    }

    fn platform(&self) -> Option<Platform> {
        facts::platform()
    }

    fn disk_free(&self) -> Option<u64> {
        facts::disk_free(&self.layout.state)
    }

    fn host_name(&self) -> SafeText {
        facts::host_name()
    }

    fn account(&self) -> SafeText {
        account::own_name()
    }

    fn logged_on(&self) -> LoggedOn {
        sessions::logged_on()
    }

    fn host_facts(&self, started: Option<Wall>) -> HostFacts {
        HostFacts::now(started)
    }

    fn ask_share(&self, job: &ShareJob, deadline: Duration) -> Result<ShareNews, SafeText> {
        job.run(deadline)
    }

    fn is_silent(&self) -> bool {
        notice::is_silent()
    }

    fn tell(&self, to: &[Session], notice: &Notice) {
        let (to, words, untold) = (to.to_vec(), notice.clone(), Arc::clone(&self.untold));
        let told = threads::start("notice", move || {
            let missed = notice::tell(&to, &words);
            untold.lock().unwrap_or_else(PoisonError::into_inner).extend(missed);
        });
        match told {
            Ok(telling) => {
                let mut all = self.telling.lock().unwrap_or_else(PoisonError::into_inner);
                all.retain(|telling| !telling.is_finished());
                all.push(telling);
            }
            Err(e) => {
                let why = SafeText::new(&e.to_string());
                let nobody = Untold { user: "everybody".into(), terminal: "every terminal".into(), why };
                self.untold.lock().unwrap_or_else(PoisonError::into_inner).push(nobody);
            }
        }
    }

    fn untold(&self) -> Vec<Untold> {
        std::mem::take(&mut *self.untold.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn restart(&self, command: &[String]) -> io::Result<()> {
        let own = power::restart_command();
        let words = if command.is_empty() { &own } else { command };
        let Some((program, args)) = words.split_first() else { return Err(io::ErrorKind::NotFound.into()) };
        let mut asked = Command::new(program);
        asked.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let (failures, name) = (Arc::clone(&self.restart_failures), program.clone());
        let seen = see_to_its_end("restart", asked, move |child| {
            let Ok(output) = child.wait_with_output() else { return };
            if !output.status.success() {
                let said = String::from_utf8_lossy(&output.stderr);
                let why = format!("{name}: {}: {}", output.status, said.lines().next().unwrap_or_default());
                failures.lock().unwrap_or_else(PoisonError::into_inner).push(SafeText::new(&why));
            }
        });
        seen.map_err(|e| io::Error::new(e.kind(), format!("{program}: {e}")))
    }

    fn restart_failures(&self) -> Vec<SafeText> {
        std::mem::take(&mut *self.restart_failures.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn keep_up(&self, wanted: bool) {
        self.inhibit.set(wanted);
    }

    fn notify(&self, program: &str, args: &[String], json: &[u8]) -> io::Result<()> {
        let job = command::Job {
            program: program.into(),
            args: args.to_vec(),
            json: json.to_owned(),
            limit: command::LIMIT,
        };
        // It runs as this service does: nobody else may say what that is.
        if perms::ARE_REAL {
            let way = perms::check_way_to(&job.program, &footing::writers(&self.layout));
            way.map_err(|loose| io::Error::other(loose.to_string()))?;
        }
        let (tell, told) = mpsc::channel();
        threads::start("notify", move || tell.send(job.run()))?;
        *self.notified.lock().unwrap_or_else(PoisonError::into_inner) = Some(told);
        Ok(())
    }

    fn record(&self, notice: &notices::Notice, machine: Option<MachineId>) {
        journal::write(&notices::entry(notice, machine));
    }

    fn notified(&self, wait: Duration) -> Option<Result<(), SafeText>> {
        let mut notified = self.notified.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = match notified.as_ref().map(|told| told.recv_timeout(wait)) {
            Some(Err(RecvTimeoutError::Timeout)) => return None,
            Some(Ok(answer)) => answer,
            Some(Err(RecvTimeoutError::Disconnected)) | None => Err("nobody saw how it ended".into()),
        };
        *notified = None;
        Some(answer)
    }
}

/// Starts a command that somebody sees to its end in a thread. The thread comes first: without one nothing is started
/// that nobody would end or reap.
fn see_to_its_end(
    name: &str,
    mut command: Command,
    end: impl FnOnce(Child) + Send + 'static,
) -> io::Result<()> {
    let (hand, taken) = mpsc::channel();
    threads::start(name, move || taken.recv().map(end))?;
    // The thread lives until it has got its child or this end is gone.
    let _ = hand.send(command.spawn()?);
    Ok(())
}
