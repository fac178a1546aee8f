//! The machine as it is: files below the installation's folders, the system's clocks, run hosts as processes.

use super::{Held, Host, Machine, Runs, Store};
use crate::clock::{Monotonic, Wall, Zone, ZoneError};
use crate::config::{self, Config};
use crate::error::{Exit, Failure};
use crate::executor::footing::Footing;
use crate::executor::ground;
use crate::executor::history::{self, History, Lost, Snapshot};
use crate::executor::run::attempt::Found;
use crate::executor::run::outcome::{ExitRecord, MifSays};
use crate::executor::run::run_folder::{RunFolder, RunSpec, Started, Waits};
use crate::executor::run::run_host;
use crate::executor::share::job::{ShareJob, ShareNews};
use crate::executor::share::outbox::Outbox;
use crate::host::inhibit::Inhibit;
use crate::host::notice::{self, Notice, Untold};
use crate::host::open::{self, Access, Folder, OpenError};
use crate::host::paths::Layout;
use crate::host::perms::Loose;
use crate::host::power::{self, HostFacts};
use crate::host::process::{self, Detached};
use crate::host::sessions::{self, LoggedOn, Session};
use crate::host::{account, durable, facts, lock, programs, threads};
use crate::log::Level;
use crate::log::write::PacmanLog;
use crate::site::content::{Seal, Target};
use crate::site::instruction::{self, ContentHash, Program, Request};
use crate::site::past::Told;
use crate::site::signed::list::TrustList;
use crate::site::signed::published::Packages;
use crate::site::signed::store::{self, Material};
use crate::site::{content, mif, share, site_file};
use crate::terms::Platform;
use crate::text::SafeText;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a run host may take to say that it is ready: two syncs on a busy disk.
const READY_DEADLINE: Duration = Duration::from_secs(30);
/// One attempt to end a run host that does not do its work.
const END_DEADLINE: Duration = Duration::from_secs(2);
/// Paging somebody may take this long.
const NOTIFY_LIMIT: Duration = Duration::from_secs(60);
/// The most that is read of the packages that are held: 4 MiB of definitions, and a signature each, as JSON.
const MAX_PACKAGES: u64 = 48 << 20;
/// What reading a history back takes: the database, its journal, its folder, the mark.
const DESCRIPTORS: usize = 4;
/// The component that log viewers show.
const COMPONENT: &str = "pcmsvc";

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
                format!("no service is running, and {} may not be read by this account", history.display()),
                "Start the service, which answers everybody, or look as root or the owner of the state folder",
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
        let mut command = Command::new(program);
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let json = json.to_owned();
        see_to_its_end("notify", command, move |child| see_through(child, json))
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

/// Hands over the notice and sees the command to its end, or ends it.
fn see_through(mut child: Child, json: Vec<u8>) {
    let stdin = child.stdin.take();
    // A command that reads nothing must not hold up the thread that ends it.
    let telling = threads::start("notify", move || stdin.map(|mut stdin| stdin.write_all(&json)));
    if telling.is_err() {
        let _ = child.kill();
    }
    let clock = facts::monotonic();
    while matches!(child.try_wait(), Ok(None)) {
        if facts::monotonic().since(clock) > NOTIFY_LIMIT {
            let _ = child.kill();
            let _ = child.wait();
            return;
        }
        std::thread::park_timeout(Duration::from_millis(100));
    }
}

impl Runs for RealWorld {
    fn create_run(&self, run: &str, spec: &RunSpec) -> io::Result<()> {
        self.folder(run).create(spec)
    }

    fn start_host(&self, run: &str) -> Result<Box<dyn Host>, SafeText> {
        let failed = |e: io::Error| SafeText::new(&format!("the run host could not be started: {e}"));
        let exe = programs::own_executable().map_err(failed)?;
        let folder = self.folder(run);
        let Detached { stdin, stdout, child } =
            process::spawn_detached(&exe, &["run-host".into(), folder.path().into()]).map_err(failed)?;
        let (tell, told) = mpsc::channel();
        let reading = threads::start("run host", move || {
            let mut line = String::new();
            let read = BufReader::new(stdout).read_line(&mut line);
            // Nobody waits any more after the deadline; that is no error.
            let _ = tell.send(read.map(|_| line));
        });
        reading.map_err(failed)?;
        // On an error its standard input is closed here.
        match told.recv_timeout(READY_DEADLINE) {
            Ok(Ok(line)) if line.trim_end() == run_host::READY => {
                Ok(Box::new(RealHost { say: stdin, child, left: Arc::clone(&self.child) }))
            }
            Ok(Ok(_)) => Err("the run host ended before it was ready".into()),
            Ok(Err(e)) => Err(failed(e)),
            Err(_) => Err("the run host was not ready in time".into()),
        }
    }

    fn host_of(&self, run: &str) -> io::Result<Option<Started>> {
        match self.folder(run).read_started()? {
            Some(started) => Ok(Some(started)),
            None => Err(io::Error::new(io::ErrorKind::NotFound, "the run host's record is not there")),
        }
    }

    fn find_run(&self, run: &str, host: Option<&Started>) -> io::Result<Found<ExitRecord>> {
        self.folder(run).find(host)
    }

    /// A file that cannot be opened as one counts as malformed, never as success.
    fn read_mif(&self, run: &str) -> MifSays {
        match share::open_bounded(&self.folder(run).status_mif(), mif::MAX_BYTES) {
            Ok(bytes) => match mif::parse(&bytes) {
                Ok(status) => MifSays::Status { success: status.success, description: status.description },
                Err(e) => MifSays::Malformed(SafeText::new(&e.to_string())),
            },
            Err(OpenError::Missing) => MifSays::Nothing,
            Err(e) => MifSays::Malformed(SafeText::new(&e.to_string())),
        }
    }

    fn ask_to_stop(&self, run: &str) -> io::Result<()> {
        self.folder(run).ask_to_stop()
    }

    fn end_leftovers(&self, run: &str, host: Option<&Started>, deadline: Duration) -> bool {
        self.folder(run).end_leftovers(host, deadline)
    }

    fn wake_host(&self, run: &str, host: Option<&Started>) -> bool {
        self.folder(run).wake_host(host)
    }

    fn end_host(&self, run: &str, host: Option<&Started>) -> bool {
        self.folder(run).end_host(host, END_DEADLINE)
    }

    fn only_host(&self, run: &str, host: Option<&Started>) -> bool {
        self.folder(run).only_host(host)
    }

    fn release(&self, run: &str, host: Option<&Started>) {
        self.folder(run).release(host);
    }

    fn unheld(&self, run: &str) -> Option<SafeText> {
        self.folder(run).unheld()
    }

    fn waits_for_input(&self, run: &str) -> Option<Waits> {
        self.folder(run).waits()
    }

    fn reap(&self) {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(host) = child.as_mut()
            && !matches!(host.try_wait(), Ok(None))
        {
            *child = None;
        }
    }

    /// In the log folder, or in the run's own where that could not be written.
    fn transcript(&self, run: &str) -> Option<PathBuf> {
        [self.layout.transcript(run), self.folder(run).output()].into_iter().find(|path| path.is_file())
    }

    fn last_output(&self, run: &str) -> (Option<Wall>, Option<SafeText>) {
        self.transcript(run).as_deref().map(newest_line).unwrap_or_default()
    }
}

/// A run host as a process.
struct RealHost {
    say: ChildStdin,
    child: Child,
    left: Arc<Mutex<Option<Child>>>,
}

impl Host for RealHost {
    fn say_go(&mut self) -> io::Result<()> {
        self.say.write_all(format!("{}\n", run_host::GO).as_bytes())?;
        self.say.flush()
    }

    fn let_be(self: Box<Self>) {
        *self.left.lock().unwrap_or_else(PoisonError::into_inner) = Some(self.child);
    }
}

/// When a transcript was last written and its newest whole line.
fn newest_line(path: &Path) -> (Option<Wall>, Option<SafeText>) {
    const WINDOW: u64 = 4096;
    let read = || -> io::Result<(Wall, Vec<u8>)> {
        let mut file = open::own(path, Access::Read)?;
        let meta = file.metadata()?;
        file.seek(SeekFrom::Start(meta.len().saturating_sub(WINDOW)))?;
        let mut bytes = Vec::new();
        file.take(WINDOW).read_to_end(&mut bytes)?;
        Ok((meta.modified()?.into(), bytes))
    };
    let Ok((modified, bytes)) = read() else { return (None, None) };
    let line = bytes.split(|b| *b == b'\n' || *b == b'\r').rfind(|line| !line.trim_ascii().is_empty());
    match line {
        Some(line) => (Some(modified), Some(SafeText::from_bytes(line.trim_ascii()))),
        None => (None, None),
    }
}

impl Store for RealWorld {
    fn open_history(&self) -> Result<History, Lost> {
        History::open(&self.layout)
    }

    fn past_seen(&self, told: &[Told]) -> Result<(), Lost> {
        history::seen(&self.layout, told)
    }

    fn read_history(&self) -> Result<Snapshot, Lost> {
        History::read(&self.layout)
    }

    fn can_look(&self) -> bool {
        let room: io::Result<Vec<_>> =
            (0..DESCRIPTORS).map(|_| Ok(open::own(&self.layout.mark(), Access::Read)?)).collect();
        !room.is_err_and(|e| e.kind() != io::ErrorKind::NotFound)
    }

    fn unusable(&self) -> Option<SafeText> {
        ground::fault(&self.layout)
    }

    fn hold(&self, file: &[u8], site: &[u8], packages: &Packages) -> Result<(), String> {
        let packages = serde_json::to_vec(packages).map_err(|e| e.to_string())?;
        // What it needs comes before it: a crash between them leaves nothing that verifies, and never something else.
        let all = [
            (self.layout.held_packages(), packages.as_slice()),
            (self.layout.held_site(), site),
            (self.layout.held(), file),
        ];
        for (path, bytes) in all {
            durable::write(&path, bytes)
                .map_err(|e| format!("{} could not be written: {e}", path.display()))?;
        }
        Ok(())
    }

    fn held(&self) -> Option<Held> {
        let path = self.layout.held();
        Some(Held {
            file: open::read_own(&path, instruction::MAX_BYTES).ok()?,
            site: open::read_own(&self.layout.held_site(), site_file::MAX_BYTES).ok(),
            packages: open::read_own(&self.layout.held_packages(), MAX_PACKAGES)
                .ok()
                .and_then(|bytes| serde_json::from_slice(&bytes).ok())
                .unwrap_or_default(),
            seen: std::fs::metadata(&path).and_then(|meta| meta.modified()).ok().map(Wall::from),
        })
    }

    fn material(&self, trust_folder: &Path) -> Result<Option<Material>, SafeText> {
        Material::read(trust_folder)
    }

    fn place_list(&self, trust_folder: &Path, bytes: &[u8]) -> Result<u64, String> {
        let list = TrustList::own(bytes).map_err(|e| e.to_string())?;
        store::place(trust_folder, bytes, &list)
            .map_err(|e| format!("{} could not be written: {e}", trust_folder.display()))?;
        Ok(list.version)
    }

    /// By the age of the held file.
    fn share_seen(&self, at: Wall) {
        if let Ok(file) = open::own(&self.layout.held(), Access::Change) {
            let _ = file.set_modified(at.into());
        }
    }

    fn is_staged(&self, hash: &ContentHash) -> bool {
        content::is_staged(&self.layout.stage(), hash)
    }

    fn verify_staged(&self, hash: &ContentHash) -> Result<Seal, SafeText> {
        content::verify_staged(&self.layout.stage(), hash)
    }

    fn startable(&self, request: &Request) -> Result<(), SafeText> {
        let judged = match (&request.command_line.program, &request.content_sha256) {
            (Program::Listed(name), _) => match programs::find(name) {
                Some(_) => Ok(()),
                None => Err(format!("{name}: it is in none of the system's program folders")),
            },
            // Where that cannot be known, the attempt will tell.
            (Program::InPackage(_), Some(_)) if facts::may_execute(&self.layout.stage()) == Some(false) => {
                let stage = self.layout.stage().display().to_string();
                Err(format!(
                    "{stage} is on a file system mounted noexec: mount it with exec, or name a state folder elsewhere \
                     (--state)"
                ))
            }
            (Program::InPackage(path), Some(hash)) => {
                let files = self.layout.stage().join(hash.as_str());
                let target = Target { platform: self.platform(), system: Some(&programs::system) };
                match Folder::open(&files) {
                    Ok(files) => content::startable(&files, path, target),
                    // A disk that fails says nothing of the program.
                    Err(OpenError::Io(..)) => Ok(()),
                    Err(e) => Err(format!("{}: {e}", files.display())),
                }
            }
            // The gate of its content says that there is none.
            (Program::InPackage(_), None) => Ok(()),
        };
        judged.map_err(|why| SafeText::new(&why))
    }

    fn seal(&self, hash: &ContentHash) -> io::Result<Seal> {
        content::seal(&self.layout.stage(), hash)
    }

    fn put_away_content(&self, hash: &ContentHash) -> io::Result<()> {
        content::put_away_staged(&self.layout.stage(), hash)
    }

    fn put_away_run(&self, run: &str) -> io::Result<()> {
        durable::put_away(&self.layout.runs(), run)
    }

    fn put_result(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.outbox.put(name, bytes)
    }

    fn results_wait(&self) -> bool {
        !self.outbox.waiting().is_empty()
    }

    fn result_waits(&self, name: &str) -> bool {
        self.outbox.waits(name)
    }

    fn results_older(&self, than: Wall) -> Vec<String> {
        self.outbox.older(than)
    }

    fn give_up_result(&self, name: &str) -> io::Result<()> {
        self.outbox.give_up(name)
    }

    fn log(&self, level: Level, text: &SafeText, now: Wall) -> io::Result<()> {
        let offset = facts::local_zone().map_or(0, |zone| zone.offset_at(now));
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let Log { config: c, open } = &mut *log;
        let log = match open {
            Some(log) => log,
            none => {
                none.insert(PacmanLog::open(&self.layout.log, "PACMAN.LOG", c.format, c.max_size, c.keep)?)
            }
        };
        log.log(level, COMPONENT, text, now, offset)
    }

    fn set_log(&self, config: &config::Log) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        if log.config != *config {
            *log = Log { config: config.clone(), open: None };
        }
    }

    fn lock_holder(&self) -> Option<SafeText> {
        lock::holder(&self.layout.lock()).map(|holder| SafeText::new(&holder.to_string()))
    }
}
