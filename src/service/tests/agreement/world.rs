//! The machine of a random world as the engine gets it: nothing fails and nothing takes time, but packages. The history
//! is the real one.

use super::site::{self, Mood, Plan};
use crate::clock::{Monotonic, Wall, Zone, ZoneError};
use crate::executor::history::{self, Adopted, History, Lost, Snapshot};
use crate::executor::run::attempt::Found;
use crate::executor::run::outcome::{EndedBy, ExitRecord, MifSays};
use crate::executor::run::run_folder::{RunSpec, Started};
use crate::executor::share::deliver::Delivery;
use crate::executor::share::job::{ShareJob, ShareNews};
use crate::executor::share::tidy::Tidied;
use crate::executor::share::tries::Tried;
use crate::executor::world::{Held, Host, Machine, Runs, Store};
use crate::host::paths::Layout;
use crate::host::power::HostFacts;
use crate::host::sessions::LoggedOn;
use crate::log::Level;
use crate::service::worker::{Carrier, News};
use crate::site::content::{ContentFact, Seal};
use crate::site::ids::RequestId;
use crate::site::installed::Finding;
use crate::site::instruction::parse::parse;
use crate::site::instruction::{ContentHash, render};
use crate::site::package::InstalledIf;
use crate::site::past::Told;
use crate::site::publication::Publication;
use crate::site::share::{self, Look, SourceFault};
use crate::site::signed::published::Packages;
use crate::site::site_file;
use crate::site::trust::TrustVerdict;
use crate::terms::{Code, Platform, State};
use crate::text::SafeText;
use chrono::TimeDelta;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// What changes.
pub struct Inner {
    pub wall: Wall,
    /// Since this boot.
    pub mono: Duration,
    boot: u32,
    /// The service asked for a restart.
    pub restarts: bool,
    /// No service runs: the share answers who asks it directly.
    pub dead: bool,
    /// Limits of the runs that were prepared, by name.
    limits: BTreeMap<String, Duration>,
    runs: BTreeMap<String, Run>,
    /// Every launch, in order.
    pub launches: Vec<(RequestId, Wall)>,
    pub news: VecDeque<News>,
    /// Every line of the log, in order.
    pub said: Vec<String>,
    /// What `[notify] command` was told, and how that ends from now on.
    pub told: Vec<serde_json::Value>,
    pub pages: Result<(), SafeText>,
    /// It does not end yet.
    pub hangs: bool,
    /// It is the machine of a demo.
    pub demo: bool,
    /// At some time the system was not to be shut down.
    pub kept_up: bool,
    notices: Option<Vec<u8>>,
    /// Each time that something to tell was kept: how much, and how many requests had expired by then as the history says.
    pub kept: Vec<(usize, usize)>,
}

struct Run {
    started: Wall,
    ends: Wall,
}

/// A random world.
pub struct World {
    pub plan: Plan,
    pub layout: Layout,
    bytes: Vec<u8>,
    inner: Mutex<Inner>,
}

/// The same as the engine and its carriers hold it.
#[derive(Clone)]
pub struct Shared(pub Arc<World>);

impl World {
    pub fn new(plan: Plan, layout: Layout) -> World {
        let inner = Inner {
            wall: plan.from,
            mono: plan.up,
            boot: 1,
            restarts: false,
            dead: false,
            limits: BTreeMap::new(),
            runs: BTreeMap::new(),
            launches: Vec::new(),
            news: VecDeque::new(),
            said: Vec::new(),
            told: Vec::new(),
            pages: Ok(()),
            hangs: false,
            demo: false,
            kept_up: false,
            notices: None,
            kept: Vec::new(),
        };
        let bytes = render::render(&plan.file).into_bytes();
        World { plan, layout, bytes, inner: Mutex::new(inner) }
    }

    pub fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    fn carry_out(&self, job: &ShareJob) -> ShareNews {
        match job {
            ShareJob::Look { .. } => ShareNews::Looked(Box::new(self.look().into())),
            ShareJob::Stage { hash, .. } => {
                ShareNews::Staged(hash.clone(), self.plan.contents.get(hash).cloned().unwrap(), None)
            }
            ShareJob::Verify { hash, .. } => ShareNews::Verified(match self.plan.contents.get(hash) {
                Some(ContentFact::Staged) => Ok(Seal("as it is".into())),
                _ => Err("it is not there".into()),
            }),
            ShareJob::Deliver { .. } => ShareNews::Delivered(Delivery {
                results: Ok(0),
                report: Ok(()),
                place: None,
                stands: None,
                found: None,
                refused: false,
            }),
            ShareJob::Report { .. } => ShareNews::Reported(Box::default()),
            ShareJob::Try(_) => ShareNews::Tried(Tried { written: None, missing: Vec::new() }),
            ShareJob::Installed { tests } => ShareNews::Installed(self.installed(tests)),
            ShareJob::Tidy(_) => ShareNews::Tidied(Tidied { all_runs: true, ..Tidied::default() }),
            ShareJob::RemoveResults { .. } => ShareNews::ResultsRemoved(Ok(0)),
        }
    }

    /// What the tests give now: runs that have ended have turned them.
    fn installed(&self, tests: &[InstalledIf]) -> Vec<(InstalledIf, Finding)> {
        let inner = self.lock();
        let mut ended: Vec<(Wall, RequestId)> = inner
            .runs
            .iter()
            .filter(|(_, run)| run.ends <= inner.wall)
            .map(|(name, run)| (run.ends, name.split_once('-').unwrap().0.parse().unwrap()))
            .collect();
        // Where runs take no time, they end in the order in which they were launched.
        let place = |id: &RequestId| inner.launches.iter().position(|(launched, _)| launched == id);
        ended.sort_by_key(|(ends, id)| (*ends, place(id)));
        let found = self.plan.installed_after(ended.iter().map(|(_, id)| id));
        tests.iter().filter_map(|test| Some((test.clone(), found.get(test)?.clone()))).collect()
    }

    pub fn look(&self) -> Look {
        let fault = |code: Code| Look {
            fault: Some(SourceFault { code, problems: Vec::new() }),
            answered: code == Code::InsMissing,
            ..Look::default()
        };
        let trust = match self.plan.mood {
            Mood::Gone => return fault(Code::ShareMissing),
            Mood::NoFile => return fault(Code::InsMissing),
            Mood::Untrusted => TrustVerdict::Refused(Code::LoosePermissions, "anybody may write it".into()),
            Mood::Well => TrustVerdict::Trusted("it is a random world".into()),
        };
        let defaults = self.plan.config.request_defaults();
        let found = share::Found {
            bytes: self.bytes.clone(),
            file: parse(&self.bytes, site::machine(), "BP004000.INS", &defaults).unwrap(),
            trust,
            share: PathBuf::from(site::SHARE),
            site_bytes: self.plan.site_file.clone().into_bytes(),
            site: site_file::parse(self.plan.site_file.as_bytes(), "PCM.SITE").unwrap(),
            packages: Packages::new(),
            unread: [].into(),
            signed: None,
            brought: None,
            tag: None,
            index: self.plan.index(),
        };
        Look { found: Some(found), answered: true, ..Look::default() }
    }
}

impl Inner {
    /// Lets time pass, at most until a package ends.
    pub fn advance(&mut self, wait: Duration) {
        let ends = self.runs.values().map(|run| run.ends).filter(|ends| *ends > self.wall).min();
        let left = ends.and_then(|ends| (ends - self.wall).to_std().ok()).unwrap_or(Duration::MAX);
        let wait = wait.min(left);
        self.mono += wait;
        self.wall += TimeDelta::from_std(wait).unwrap();
    }

    /// The machine is up again; that takes no time here.
    pub fn start_again(&mut self) {
        (self.restarts, self.mono) = (false, Duration::ZERO);
        self.boot += 1;
        self.news.clear();
    }
}

impl Carrier for Shared {
    fn give(&self, job: ShareJob, _: Duration) -> bool {
        let news = self.0.carry_out(&job);
        self.0.lock().news.push_back((job, Ok(news)));
        true
    }
}

impl Machine for Shared {
    fn now(&self) -> Wall {
        self.0.lock().wall
    }

    fn monotonic(&self) -> Monotonic {
        Monotonic(self.0.lock().mono)
    }

    fn boot_id(&self) -> String {
        format!("boot-{}", self.0.lock().boot)
    }

    fn zone(&self, name: &str) -> Result<Zone, ZoneError> {
        Ok(if name == "local" { self.0.plan.zone.clone() } else { self.0.plan.other_zone.clone() })
    }

    fn platform(&self) -> Option<Platform> {
        self.0.plan.platform
    }

    fn disk_free(&self) -> Option<u64> {
        self.0.plan.disk_free
    }

    fn host_name(&self) -> SafeText {
        "random".into()
    }

    fn account(&self) -> SafeText {
        "root".into()
    }

    fn logged_on(&self) -> LoggedOn {
        self.0.plan.logged_on()
    }

    fn host_facts(&self, started: Option<Wall>) -> HostFacts {
        HostFacts { power: self.0.plan.power.clone(), ..HostFacts::quiet(started) }
    }

    fn is_silent(&self) -> bool {
        self.0.lock().demo
    }

    fn keep_up(&self, wanted: bool) {
        self.0.lock().kept_up |= wanted;
    }

    fn restart(&self, _: &[String]) -> io::Result<()> {
        self.0.lock().restarts = true;
        Ok(())
    }

    fn ask_share(&self, job: &ShareJob, _: Duration) -> Result<ShareNews, SafeText> {
        if self.0.lock().dead {
            return Ok(self.0.carry_out(job));
        }
        Err("this service asks by its carriers only".into())
    }

    fn notify(&self, _: &str, _: &[String], json: &[u8]) -> io::Result<()> {
        self.0.lock().told.push(serde_json::from_slice(json)?);
        Ok(())
    }

    fn notified(&self, _: Duration) -> Option<Result<(), SafeText>> {
        let inner = self.0.lock();
        (!inner.hangs).then(|| inner.pages.clone())
    }
}

/// A run host that is ready.
struct Handle {
    world: Arc<World>,
    run: String,
}

impl Host for Handle {
    fn say_go(&mut self) -> io::Result<()> {
        let mut inner = self.world.lock();
        let limit = inner.limits.get(&self.run).copied().unwrap_or_default();
        let started = inner.wall;
        let ends = started + TimeDelta::from_std(self.world.plan.takes(limit)).unwrap();
        inner.runs.insert(self.run.clone(), Run { started, ends });
        let (request, _) = self.run.split_once('-').unwrap();
        inner.launches.push((request.parse().unwrap(), started));
        Ok(())
    }

    fn let_be(self: Box<Self>) {}
}

impl Runs for Shared {
    fn create_run(&self, run: &str, spec: &RunSpec) -> io::Result<()> {
        self.0.lock().limits.insert(run.to_owned(), Duration::from_secs(spec.max_run_time_s));
        Ok(())
    }

    fn start_host(&self, run: &str) -> Result<Box<dyn Host>, SafeText> {
        Ok(Box::new(Handle { world: Arc::clone(&self.0), run: run.to_owned() }))
    }

    fn find_run(&self, run: &str, _: Option<&Started>) -> io::Result<Found<ExitRecord>> {
        let inner = self.0.lock();
        let exit = inner.runs.get(run).filter(|run| run.ends <= inner.wall).map(|run| ExitRecord {
            ended_by: EndedBy::Itself,
            exit_code: Some(0),
            signal: None,
            started_at: run.started,
            ended_at: run.ends,
            ran_ms: u64::try_from((run.ends - run.started).num_milliseconds()).unwrap(),
            not_synced: None,
            error: None,
            left_behind: false,
            restart_wanted: None,
        });
        let lock_held = exit.is_none() && inner.runs.contains_key(run);
        Ok(Found { lock_held, started: inner.runs.contains_key(run), survivors: false, exit, damaged: None })
    }

    fn read_mif(&self, _: &str) -> MifSays {
        MifSays::Nothing
    }

    fn ask_to_stop(&self, _: &str) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn end_leftovers(&self, _: &str, _: Option<&Started>, _: Duration) -> bool {
        true
    }

    fn reap(&self) {}

    fn transcript(&self, _: &str) -> Option<PathBuf> {
        None
    }

    fn last_output(&self, _: &str) -> (Option<Wall>, Option<SafeText>) {
        (None, None)
    }
}

impl Store for Shared {
    fn open_history(&self) -> Result<History, Lost> {
        History::open(&self.0.layout)
    }

    fn past_seen(&self, told: &[Told]) -> Result<(), Lost> {
        history::seen(&self.0.layout, told)
    }

    fn lost_state(&self) -> Option<SafeText> {
        history::state_left(&self.0.layout)
    }

    fn replace(
        &self,
        now: Wall,
        state: &str,
        listed: &[RequestId],
        publication: &Publication,
    ) -> Result<Option<Adopted>, String> {
        history::replace(&self.0.layout, now, "00000002", listed, state, publication)
    }

    fn read_history(&self) -> Result<Snapshot, Lost> {
        History::read(&self.0.layout)
    }

    fn can_look(&self) -> bool {
        true
    }

    fn hold(&self, _: &[u8], _: &[u8], _: &Packages) -> Result<(), String> {
        Ok(())
    }

    fn held(&self) -> Option<Held> {
        let seen = self.0.plan.held?;
        let site = self.0.plan.site_file.clone().into_bytes();
        Some(Held {
            file: self.0.bytes.clone(),
            site: Some(site),
            packages: Packages::new(),
            seen: Some(seen),
        })
    }

    fn share_seen(&self, _: Wall) {}

    fn is_staged(&self, hash: &ContentHash) -> bool {
        self.0.plan.contents.get(hash) == Some(&ContentFact::Staged)
    }

    fn verify_staged(&self, hash: &ContentHash) -> Result<Seal, SafeText> {
        self.seal(hash).map_err(|e| SafeText::new(&e.to_string()))
    }

    fn seal(&self, hash: &ContentHash) -> io::Result<Seal> {
        if self.is_staged(hash) { Ok(Seal("as it is".into())) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    fn put_away_content(&self, _: &ContentHash) -> io::Result<()> {
        Ok(())
    }

    fn put_away_run(&self, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn put_result(&self, _: &str, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn results_wait(&self) -> bool {
        false
    }

    fn result_waits(&self, _: &str) -> bool {
        false
    }

    fn keep_notices(&self, bytes: &[u8]) -> io::Result<()> {
        let kept: serde_json::Value = serde_json::from_slice(bytes)?;
        let waiting = kept["pending"].as_array().map_or(0, Vec::len);
        if waiting > 0 {
            let history =
                History::read(&self.0.layout).map_err(|lost| io::Error::other(lost.evidence.to_string()))?;
            let expired = history.since.values().filter(|(state, _)| *state == State::Expired).count();
            self.0.lock().kept.push((waiting, expired));
        }
        self.0.lock().notices = Some(bytes.to_owned());
        Ok(())
    }

    fn kept_notices(&self) -> Option<Vec<u8>> {
        self.0.lock().notices.clone()
    }

    fn set_log(&self, _: &crate::config::Log) {}

    fn log(&self, _: Level, text: &SafeText, now: Wall) -> io::Result<()> {
        if std::env::var_os("PCM_AGREEMENT_SEED").is_some() {
            println!("{} {text}", now.format("%m-%d %H:%M:%S%.3f"));
        }
        self.0.lock().said.push(text.to_string());
        Ok(())
    }

    fn lock_holder(&self) -> Option<SafeText> {
        None
    }
}
