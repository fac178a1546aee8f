//! The demo's service: a process of its own in a session of its own, as a real one is, that ends when the demo does.

use crate::cli::setup::Setup;
use crate::error::{Exit, Failure, Result};
use crate::host::paths::Layout;
use crate::host::process::{Detached, spawn_detached};
use crate::host::threads;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

/// The running service. Dropping it, by whatever end of the demo, ends the service: its standard input closes.
pub struct Service {
    process: Detached,
}

impl Service {
    /// Starts this very program as the service of a layout.
    ///
    /// # Errors
    /// The program cannot be found or started.
    pub fn start(layout: &Layout, keep: bool) -> Result<Service> {
        let cannot = |e: std::io::Error| {
            Failure::new(Exit::Failed, "demo", format!("cannot start the demo's service: {e}"), "Report this")
        };
        let exe = std::env::current_exe().map_err(cannot)?;
        let flag = |flag: &str, path: &Path| [flag.into(), path.as_os_str().to_owned()];
        let mut args = vec!["demo-service".into()];
        args.extend(flag("--config", &layout.config));
        args.extend(flag("--state", &layout.state));
        args.extend(keep.then(|| "--keep".into()));
        Ok(Service { process: spawn_detached(&exe, &args).map_err(cannot)? })
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.process.child.try_wait(), Ok(None))
    }

    /// Ends it and waits until it is gone.
    pub fn end(self) {
        let Detached { stdin, stdout, mut child } = self.process;
        drop((stdin, stdout));
        let start = Instant::now();
        while matches!(child.try_wait(), Ok(None)) {
            if start.elapsed() > Duration::from_secs(5) {
                // It hangs; what it was doing is claimed or not, as after any crash.
                let _ = child.kill();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The hidden verb: the service, until standard input ends. Then it sees to it that the folder goes, whatever ended the
/// demo.
pub fn main(setup: Setup, keep: bool) -> Result<Exit> {
    let folder = setup.layout.config.parent().map(Path::to_owned).unwrap_or_default();
    let watching = threads::start("demo", move || {
        let mut byte = [0];
        while matches!(std::io::stdin().read(&mut byte), Ok(n) if n > 0) {}
        // Where it cannot be started the folder stays in the temporary folder, as after any crash.
        let _ = if keep { Ok(()) } else { super::sweep::start(&folder) };
        // The service keeps nothing that an end at any moment could spoil.
        std::process::exit(0);
    });
    // Without it the service would outlive its demo.
    watching.map_err(|e| {
        let what = format!("the demo cannot watch for its end: {e}");
        Failure::new(Exit::Failed, "demo-failed", what, "Close other programs and try again")
    })?;
    crate::cli::service::run(&setup)
}
