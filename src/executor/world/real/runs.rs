//! Run hosts as processes, and what they leave in their folders.

use super::super::{Host, Runs};
use super::RealWorld;
use crate::clock::Wall;
use crate::executor::run::attempt::Found;
use crate::executor::run::outcome::{ExitRecord, MifSays};
use crate::executor::run::run_folder::{RunSpec, Started, Waits};
use crate::executor::run::run_host;
use crate::host::open::{self, Access, OpenError};
use crate::host::process::{self, Detached};
use crate::host::threads;
use crate::site::{mif, share};
use crate::text::SafeText;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

/// How long a run host may take to say that it is ready: two syncs on a busy disk.
const READY_DEADLINE: Duration = Duration::from_secs(30);
/// One attempt to end a run host that does not do its work.
const END_DEADLINE: Duration = Duration::from_secs(2);

impl Runs for RealWorld {
    fn create_run(&self, run: &str, spec: &RunSpec) -> io::Result<()> {
        self.folder(run).create(spec)
    }

    fn start_host(&self, run: &str) -> Result<Box<dyn Host>, SafeText> {
        let failed = |e: io::Error| SafeText::new(&format!("the run host could not be started: {e}"));
        let exe = process::own_executable().map_err(failed)?;
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
