//! `pcm demo`: a sandbox site in a temporary folder, with packages that become due in the next minutes, a service, and
//! the console on it. Nothing outside the folder is touched, and no rights are needed.

mod child;
mod fleet;
mod headless;
mod packages;
mod signed;
mod site;
mod sweep;
mod tail;

pub use child::main as service_main;
pub use sweep::main as sweep_main;

use super::App;
use super::args::DemoArgs;
use super::sandbox::MARK;
use super::setup::{Flags, Read, Setup};
use crate::clock::System;
use crate::config::Config;
use crate::decision::Verb;
use crate::error::{Exit, Failure, Result};
use crate::executor::ask::Ask;
use crate::executor::client::Client;
use crate::executor::talk::protocol::{Action, Answer, Change};
use crate::host::paths::Layout;
use crate::host::{lock, ssh_keygen};
use crate::site::ids::RequestId;
use crate::site::trust::TrustMode;
use crate::text::SafeText;
use child::Service;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How a demo's folder is named.
const PREFIX: &str = "pcm-demo-";
/// How long `--headless` watches where nothing else is said.
const SPAN: Duration = Duration::from_secs(30);
/// How long the folder of a demo in which nothing runs may take to go.
const REMOVED: Duration = Duration::from_secs(3);
/// How long a run may take to end once it was stopped.
const STOPPED: Duration = Duration::from_secs(15);

/// `pcm demo`
pub fn run(app: &App, args: &DemoArgs) -> Result<Exit> {
    if std::env::consts::OS == "windows" {
        let why = "the demo's packages are scripts for /bin/sh, which this system does not have";
        return Err(Failure::new(Exit::Failed, "demo", why, "Try it on Linux"));
    }
    let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    if !args.headless && !terminal {
        let remedy = "Use a terminal, or: pcm demo --headless --for 30s";
        return Err(Failure::new(Exit::Usage, "no-terminal", "the console needs a terminal", remedy));
    }
    // Where the demo's service dies, this process acts in its place.
    crate::host::notice::silence();
    let folder = Folder::make()?;
    let demo = prepare(&folder.path)?;
    app.out.note(format!("the demo is in {}: share, state and log", folder.path.display()));
    if demo.config.trust.mode == TrustMode::Permissions {
        app.out.note("there is no ssh-keygen on this system, so nothing of the demo is signed");
    }
    let mut service = Service::start(&demo.layout, args.keep)?;
    let folder = folder.hand_over();
    let client = Client::new(demo.layout.clone(), demo.config.clone());
    let rollout = args.site.then(|| fleet::start(&folder, System::now())).transpose()?;
    let shown = App { setup: demo.clone(), ..app.clone() };
    let result = if args.headless {
        headless::watch(&shown, &client, args.span.unwrap_or(SPAN), || !service.has_ended())
    } else {
        super::console::open_demo(&shown, &args.console, rollout)
    };
    if args.headless {
        stop_runs(&client);
    }
    service.end();
    leave(app, &demo.layout, &folder, args.keep);
    result.map(|()| Exit::Done)
}

/// The demo's folder while it is being made; removed with everything in it where that fails.
struct Folder {
    path: PathBuf,
    held: tempfile::TempDir,
}

impl Folder {
    fn make() -> Result<Folder> {
        let cannot = |e: std::io::Error| {
            let what = format!("cannot make a folder in {}: {e}", std::env::temp_dir().display());
            Failure::new(Exit::Failed, "demo", what, "Set TMPDIR to a folder of yours")
        };
        let held = tempfile::Builder::new().prefix(PREFIX).tempdir().map_err(cannot)?;
        // A umask such as 0002 would let others write beside the share, which trust mode `permissions` refuses.
        crate::host::open::make_enterable(held.path()).map_err(cannot)?;
        // The share is checked from the root down; a link on the way would only confuse what is shown.
        let path = held.path().canonicalize().map_err(cannot)?;
        Ok(Folder { path, held })
    }

    /// From now on it is removed by what comes after the service, so that it goes however the demo ends.
    fn hand_over(self) -> PathBuf {
        let _ = self.held.keep();
        self.path
    }
}

/// The share, a configuration, an empty history, and one deferral by an operator's own call.
fn prepare(folder: &Path) -> Result<Setup> {
    let layout = Layout {
        config: folder.join("pcm.toml"),
        state: folder.join("state"),
        log: folder.join("log"),
        socket: folder.join("state").join("pcm.sock"),
    };
    let start = System::now();
    let (share, trust) = match ssh_keygen::program() {
        Some(_) => (signed::publish(folder, &layout.trust_folder(None), start)?, TrustMode::Signed),
        None => {
            let share = folder.join("share");
            site::write(&share, start)?;
            (share, TrustMode::Permissions)
        }
    };
    let host_key = match trust {
        TrustMode::Signed => format!("host_key = {:?}\n", signed::report_key(folder).display().to_string()),
        TrustMode::Permissions => String::new(),
    };
    let text = format!(
        "{MARK}\nmachine = \"{}\"\nshares = [{:?}]\n\
         polling_interval = \"15s\"\n\n[run]\ncountdown = \"0s\"\nafter_boot = \"0s\"\n\n\
         [trust]\nmode = \"{}\"\n{host_key}\n[log]\ndir = {:?}\n",
        packages::MACHINE,
        share.display().to_string(),
        trust.as_str(),
        layout.log.display().to_string(),
    );
    crate::host::durable::create_new(&layout.config, text.as_bytes())
        .map_err(|e| site::cannot(&layout.config, &e))?;
    let config = Config::load(&layout.config)
        .map_err(|e| super::setup::bad_configuration(&layout.config, &e.problems()))?;
    crate::executor::init::enrol(&layout, &config, None)?;
    let client = Client::new(layout.clone(), config.clone());
    let polled = client.change(&Change { what: Action::Poll, reason: None, dry_run: false, id: None })?;
    if let Answer::Poll(doc) = polled
        && doc.serial.is_none()
    {
        let why: Vec<String> = doc.problems.iter().map(super::view::problem_words).collect();
        let why = format!("the demo's own share is refused: {}", why.join("; "));
        return Err(Failure::new(
            Exit::Failed,
            "demo",
            why,
            "Set TMPDIR to a folder below which only you can write",
        ));
    }
    if let Ok(request) = packages::DEFERRED.parse::<RequestId>() {
        let what = Action::Request(request, Verb::Defer { until: start + chrono::Duration::hours(1) });
        let reason = Some(SafeText::new("month-end closing, asked by accounting"));
        client.change(&Change { what, reason, dry_run: false, id: None })?;
    }
    let pcm = format!(
        "pcm --config {} --state {}",
        crate::text::shell_word(&layout.config.display().to_string()),
        crate::text::shell_word(&layout.state.display().to_string())
    );
    Ok(Setup { layout, config, read: Read::Good, flags: Flags::default(), looking: false, pcm })
}

/// Ends what runs: without a terminal nobody is there to wait for it.
fn stop_runs(client: &Client) {
    let Ok(list) = client.list() else { return };
    for request in list.requests.iter().filter(|r| r.group == crate::terms::Group::Running) {
        if let Some(request) = request.request_id {
            let what = Action::Request(request, Verb::Stop);
            let reason = Some(SafeText::new("the demo ends"));
            // What has ended in between needs no stopping.
            let _ = client.change(&Change { what, reason, dry_run: false, id: None });
        }
    }
    let start = Instant::now();
    while running(client.layout()) > 0 && start.elapsed() < STOPPED {
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// How many runs live; their locks say so.
fn running(layout: &Layout) -> usize {
    let runs = std::fs::read_dir(layout.runs()).into_iter().flatten().flatten();
    runs.filter(|run| lock::is_held(&run.path().join("lock"))).count()
}

/// Says what becomes of the folder, and waits for its end where that is near.
fn leave(app: &App, layout: &Layout, folder: &Path, keep: bool) {
    let shown = folder.display();
    if keep {
        app.out.note(format!("the demo's folder is kept: {shown}"));
        return;
    }
    let what = match running(layout) {
        0 => {
            let start = Instant::now();
            while folder.exists() && start.elapsed() < REMOVED {
                std::thread::sleep(Duration::from_millis(20));
            }
            if folder.exists() && std::fs::remove_dir_all(folder).is_err() {
                app.out.note(format!("{shown} could not be removed"));
            }
            return;
        }
        1 => "a package still runs".to_owned(),
        n => format!("{n} packages still run"),
    };
    app.out
        .note(format!("leaving the console ends no package: {what}; {shown} is removed when that is done"));
}
