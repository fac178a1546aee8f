//! The simulated share and the workers of the service: it vanishes, hangs, is half written or rolled back, and takes
//! results. And what is staged, which somebody may change.

use super::site;
use super::world::{Inner, SimWorld};
use crate::clock::Wall;
use crate::executor::share::deliver::Delivery;
use crate::executor::share::job::{ShareJob, ShareNews};
use crate::executor::share::tidy::{KeptContent, KeptRun, Tidied};
use crate::executor::share::tries::Tried;
use crate::service::tests::random::Random;
use crate::service::worker::Carrier;
use crate::site::content::{ContentFact, Seal};
use crate::site::installed::Finding;
use crate::site::instruction::parse::parse;
use crate::site::instruction::{ContentHash, InstructionFile, render};
use crate::site::package::InstalledIf;
use crate::site::share::{Found, Look, SourceFault};
use crate::site::site_file;
use crate::site::trust::TrustVerdict;
use crate::terms::Code;
use crate::text::SafeText;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

const SITE_FILE: &str = "format = 1\nsite = \"BP0\"\nname = \"Simulated\"\n";

/// How the share is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    Well,
    Gone,
    Hangs,
    NoFile,
    HalfWritten,
    RolledBack,
    Untrusted,
    /// All is well but for the files of packages, which are not what was published.
    OtherContent,
    /// It is read, and takes nothing.
    TakesNothing,
}

/// What is on the share.
#[derive(Debug, Clone)]
pub struct SimShare {
    pub mood: Mood,
    pub file: InstructionFile,
    /// The highest number of a request so far; none is used twice.
    pub numbers: u64,
    /// What was published before that.
    pub older: Option<InstructionFile>,
    /// Results that arrived, by run and history, each with every different content it ever had. (On a real share the
    /// result of the same attempt in a later history takes the place of the earlier one.)
    pub results: BTreeMap<(String, u32), BTreeSet<Vec<u8>>>,
    pub reports: u64,
    /// The size of the largest, in bytes.
    pub largest: usize,
    /// How often content was copied from it, and how often it was to take reports and results.
    pub copies: u64,
    pub offers: u64,
    /// What was read last, and what it says.
    read: Option<(Vec<u8>, InstructionFile)>,
}

impl SimShare {
    pub fn new(random: &mut Random, now: Wall) -> Self {
        let file = site::publication(random, 1, now);
        Self {
            mood: Mood::Well,
            numbers: file.requests.len() as u64,
            file,
            older: None,
            results: BTreeMap::new(),
            reports: 0,
            largest: 0,
            copies: 0,
            offers: 0,
            read: None,
        }
    }
}

/// One job on its way.
#[derive(Debug, Clone)]
pub struct Job {
    job: ShareJob,
    /// What verifying found when it began: what is done to the content later it does not see.
    verified: Option<Result<Seal, SafeText>>,
    pub done_at: Duration,
    /// Its answer is that there is none.
    hangs: bool,
    worker: u8,
    /// Whoever waited for it has died.
    forgotten: bool,
}

/// One of the service's workers.
pub struct SimCarrier {
    pub world: Arc<SimWorld>,
    pub worker: u8,
}

impl Carrier for SimCarrier {
    fn give(&self, job: ShareJob, deadline: Duration) -> bool {
        let mut inner = self.world.lock();
        let mine = inner.jobs.iter().filter(|job| job.worker == self.worker && !job.forgotten);
        let free_at = mine.map(|job| job.done_at).max().unwrap_or(inner.mono).max(inner.mono);
        let local = is_local(&job);
        let latencies: &[u64] = if local { &[1, 50, 2000, 900_000] } else { &[1, 5, 50, 2000] };
        let latency = Duration::from_millis(*inner.random.pick(latencies));
        let hangs = !local && inner.share.mood == Mood::Hangs || latency > deadline;
        let done_at = free_at + if hangs { deadline } else { latency };
        let verified = match &job {
            ShareJob::Verify { hash, .. } => Some(inner.verify(hash)),
            _ => None,
        };
        inner.jobs.push(Job { job, verified, done_at, hangs, worker: self.worker, forgotten: false });
        true
    }
}

/// No share that hangs holds it up.
fn is_local(job: &ShareJob) -> bool {
    matches!(job, ShareJob::Verify { .. } | ShareJob::Tidy(_) | ShareJob::Installed { .. })
}

impl Inner {
    /// The service is gone. Readers under way may still do what they were asked for; nobody hears of it.
    pub fn forget_jobs(&mut self) {
        self.news.clear();
        let Inner { jobs, random, .. } = self;
        jobs.retain(|_| random.chance(50));
        jobs.iter_mut().for_each(|job| job.forgotten = true);
    }

    /// Ends the jobs that are done by now; true if the service hears of one.
    pub fn finish_jobs(&mut self) -> bool {
        let now = self.mono;
        let (done, rest): (Vec<Job>, Vec<Job>) = self.jobs.drain(..).partition(|job| job.done_at <= now);
        self.jobs = rest;
        let mut heard = false;
        for job in done {
            let local = is_local(&job.job);
            let hangs = job.hangs || !local && self.share.mood == Mood::Hangs;
            let answer = if hangs {
                // A delivery may have got somewhere before it was ended.
                if let ShareJob::Deliver { .. } = job.job
                    && !job.hangs
                {
                    self.deliver(1);
                }
                Err("it does not answer".into())
            } else if let Some(verified) = job.verified {
                Ok(ShareNews::Verified(verified))
            } else {
                Ok(self.carry_out(&job.job))
            };
            if !job.forgotten {
                self.news.push_back((job.job, answer));
                heard = true;
            }
        }
        heard
    }

    fn carry_out(&mut self, job: &ShareJob) -> ShareNews {
        match job {
            ShareJob::Look { .. } => ShareNews::Looked(Box::new(self.look().into())),
            ShareJob::Stage { hash, .. } => {
                self.share.copies += 1;
                let fact = match self.share.mood {
                    Mood::Well | Mood::RolledBack | Mood::HalfWritten | Mood::TakesNothing => {
                        self.staged.insert(hash.clone());
                        *self.touched.entry(hash.clone()).or_default() += 1;
                        ContentFact::Staged
                    }
                    Mood::OtherContent => ContentFact::Mismatch("setup.sh is another file".into()),
                    Mood::Gone | Mood::Hangs | Mood::NoFile | Mood::Untrusted => {
                        ContentFact::Missing("the share is away".into())
                    }
                };
                ShareNews::Staged(hash.clone(), fact, None)
            }
            ShareJob::Verify { hash, .. } => ShareNews::Verified(self.verify(hash)),
            // Only `pcm check` reads reports and tries shares.
            ShareJob::Report { .. } => ShareNews::Reported(Box::default()),
            ShareJob::Try(_) => ShareNews::Tried(Tried { written: None, missing: Vec::new() }),
            ShareJob::Installed { tests } => {
                let none =
                    |test: &InstalledIf| (test.clone(), Finding::unknown("these packages have no tests"));
                ShareNews::Installed(tests.iter().map(none).collect())
            }
            ShareJob::Tidy(_) => {
                let kept = |run| KeptRun { run, transcript: self.random.chance(10) };
                let runs = self.disk.folders_in("runs/").into_iter().map(kept).collect();
                // Each is far larger than the stage may be.
                let kept = |hash: &ContentHash| KeptContent {
                    hash: hash.clone(),
                    bytes: 1 << 40,
                    since: Wall::default(),
                };
                let contents = self.staged.iter().map(kept).collect();
                ShareNews::Tidied(Tidied { runs, all_runs: true, contents, ..Tidied::default() })
            }
            ShareJob::RemoveResults { .. } => ShareNews::ResultsRemoved(Ok(0)),
            ShareJob::Deliver { .. } if matches!(self.share.mood, Mood::Gone | Mood::TakesNothing) => {
                self.share.offers += 1;
                ShareNews::Delivered(Delivery::failed(&"the share is away".into()))
            }
            ShareJob::Deliver { report, .. } => {
                self.share.offers += 1;
                if let Ok(Some(report)) = report {
                    self.share.largest = self.share.largest.max(report.report.to_bytes().unwrap().len());
                }
                let delivered = self.deliver(usize::MAX);
                self.share.reports += 1;
                ShareNews::Delivered(Delivery {
                    results: Ok(delivered),
                    report: Ok(()),
                    place: None,
                    stands: None,
                    found: None,
                    refused: false,
                })
            }
        }
    }

    /// What is staged is what was published, in this state.
    pub fn verify(&mut self, hash: &ContentHash) -> Result<Seal, SafeText> {
        if self.spoilt.remove(hash) {
            self.staged.remove(hash);
            return Err("it was changed after it was staged".into());
        }
        let seal = self.seal(hash).map_err(|e| SafeText::new(&e.to_string()))?;
        self.verified.insert((hash.clone(), seal.0.clone()));
        Ok(seal)
    }

    pub fn seal(&self, hash: &ContentHash) -> io::Result<Seal> {
        match self.staged.contains(hash) {
            true => Ok(Seal(self.touched.get(hash).copied().unwrap_or(0).to_string())),
            false => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Somebody does something to what is staged; half of the time it is something else then.
    pub fn touch_content(&mut self) {
        let staged: Vec<ContentHash> = self.staged.iter().cloned().collect();
        if staged.is_empty() {
            return;
        }
        let hash = self.random.pick(&staged).clone();
        if self.random.chance(50) {
            self.spoilt.insert(hash.clone());
        }
        self.note(format!("somebody touches the content {}", hash.as_str()));
        *self.touched.entry(hash).or_default() += 1;
    }

    /// Payload first, one by one: written there, then removed here.
    fn deliver(&mut self, most: usize) -> usize {
        let names: Vec<String> = self.disk.names("outbox").into_iter().take(most).collect();
        for name in &names {
            let Some(bytes) = self.disk.read("outbox", name) else { continue };
            // As `put_result` has written it: to which history it belongs, and the result.
            let Some((epoch, bytes)) = bytes.split_first_chunk() else { continue };
            let key = (name.clone(), u32::from_le_bytes(*epoch));
            self.share.results.entry(key).or_default().insert(bytes.to_owned());
            self.disk.remove("outbox", name);
        }
        names.len()
    }

    pub fn look(&mut self) -> Look {
        let fault = |code: Code| Look {
            fault: Some(SourceFault { code, problems: Vec::new() }),
            answered: code == Code::InsMissing,
            ..Look::default()
        };
        let defaults = self.config.request_defaults();
        let (file, trust) = match self.share.mood {
            Mood::Gone | Mood::Hangs => return fault(Code::ShareMissing),
            Mood::NoFile => return fault(Code::InsMissing),
            Mood::RolledBack => (self.share.older.as_ref(), true),
            Mood::Untrusted => (None, false),
            Mood::Well | Mood::HalfWritten | Mood::OtherContent | Mood::TakesNothing => (None, true),
        };
        let mut bytes = render::render(file.unwrap_or(&self.share.file)).into_bytes();
        if self.share.mood == Mood::HalfWritten {
            let length = usize::try_from(self.random.below(bytes.len() as u64)).unwrap_or(0);
            bytes.truncate(length);
        }
        // The same bytes are read once.
        let read = match self.share.read.take().filter(|(read, _)| *read == bytes) {
            Some((_, file)) => Ok(file),
            None => parse(&bytes, site::machine(), "BP004000.INS", &defaults),
        };
        match read {
            Err(problems) => Look { problems, ..fault(Code::Malformed) },
            Ok(mut file) => {
                self.share.read = Some((bytes.clone(), file.clone()));
                self.misread(&mut file);
                let trust = match trust {
                    true => TrustVerdict::Trusted("simulated".into()),
                    false => TrustVerdict::Refused(Code::LoosePermissions, "anybody may write it".into()),
                };
                let site = site_file::parse(SITE_FILE.as_bytes(), "PCM.SITE").unwrap();
                let found = Found {
                    bytes,
                    file,
                    trust,
                    share: PathBuf::from(site::SHARE),
                    site_bytes: SITE_FILE.into(),
                    site,
                    packages: [].into(),
                    unread: [].into(),
                    signed: None,
                    brought: None,
                    tag: None,
                    index: None,
                };
                Look { found: Some(found), answered: true, ..Look::default() }
            }
        }
    }

    /// Something else is published.
    pub fn publish(&mut self) {
        let (wall, Inner { random, share, .. }) = (self.wall, &mut *self);
        let newer = site::republish(random, &share.file, wall, &mut share.numbers);
        share.older = Some(std::mem::replace(&mut share.file, newer));
        self.remember_published();
        let serial = self.share.file.serial;
        self.note(format!("serial {serial} is published"));
    }

    /// The share changes its mood.
    pub fn share_event(&mut self) {
        use Mood::*;
        let mood =
            *self.random.pick(&[Well, Well, Well, Gone, Hangs, NoFile, HalfWritten, RolledBack, Untrusted]);
        if mood != RolledBack || self.share.older.is_some() {
            self.share.mood = mood;
        }
        let mood = self.share.mood;
        self.figures.faults += u64::from(mood != Well);
        self.note(format!("the share: {mood:?}"));
    }
}
