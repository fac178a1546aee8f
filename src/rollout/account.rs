//! What one machine says of itself, as far as a rollout asks: the one place where the report of a machine (FORMATS.md 6,
//! SITE.md 5) becomes figures. A cache keeps it of every machine of a site. Pure.

use crate::clock::Wall;
use crate::fields::cut;
use crate::site::ids::{JobId, MachineId, PackageId, RequestId, SiteId};
use crate::site::index::MAX_JOBS;
use crate::site::report::lines::Sealed;
use crate::site::report::{MAX_RESULT, MachineReport, ReportedRequest};
use crate::site::signed::Distrust;
use crate::site::signed::signers::Key;
use crate::terms::{Code, Platform, State};
use crate::text::SafeText;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// No machine is waited for longer than two of these, whatever it says of how often it reports.
const LONGEST_INTERVAL: Duration = Duration::from_secs(7 * 86_400);

/// The most requests of one machine: those of an index, and what ended before.
pub(super) const MOST_REQUESTS: usize = 2 * MAX_JOBS;

/// The hours of seven days.
const WEEK_H: u32 = 7 * 24;
/// A machine that was on for so many of them was never off for long.
const ALWAYS_H: u32 = 160;

/// The most facts of one machine.
pub(super) const MOST_FACTS: usize = 100;

/// What one machine says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// The trust list and the number of the publication that is in force there.
    pub publication: (u64, u64),
    /// When it was written, by the machine's own clock.
    pub reported_at: Wall,
    /// When it was written, by the clock of the share.
    pub written: Wall,
    /// How often it looks at what is published.
    pub interval: Duration,
    /// How often its report comes, at least.
    pub heartbeat: Duration,
    /// The name of the machine that reports.
    pub host: SafeText,
    /// What packages have to be made for to run there.
    pub platform: Option<Platform>,
    /// Its system.
    pub os: Option<SafeText>,
    /// The version of that.
    pub os_version: Option<SafeText>,
    /// The pcm that reports.
    pub pcm_version: SafeText,
    /// How many are logged on; None: it is not known.
    pub users: Option<u32>,
    /// A package wants a restart.
    pub restart_pending: bool,
    /// So many bytes are free where packages are copied to.
    pub disk_free: Option<u64>,
    /// For so many hours of the last seven days it was on; None: it does not know all of them.
    pub hours_on: Option<u32>,
    /// While a hold is in force.
    pub held_until: Option<Wall>,
    /// While a frozen period is in force.
    pub frozen_until: Option<Wall>,
    /// When its maintenance window opens next; None: it is open, or never is.
    pub next_window: Option<Wall>,
    /// What its configuration says of it.
    pub facts: BTreeMap<SafeText, SafeText>,
    /// So many results could not be delivered.
    pub undelivered: u64,
    /// Another machine reports with its id.
    pub two_machines: bool,
    /// The history of which it speaks; where it has none, the newest one of which it knows.
    pub state_id: Option<SafeText>,
    /// Which of its reports it is; None: it has no history to count by.
    pub number: Option<u64>,
    /// Whose publication is in force there.
    pub site_id: Option<SiteId>,
    /// Who signed it.
    pub signed: Signed,
    /// What it says of requests.
    pub requests: Vec<Said>,
    /// The jobs of which it says that they are not for it.
    pub not_targeted: Vec<JobId>,
}

/// Who signed a report, whoever that is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Signed {
    /// Nobody.
    #[default]
    Not,
    /// The key of this text, as OpenSSH writes it without a comment.
    By(String),
    /// Its signature is none of it; why.
    Bad(SafeText),
}

impl From<Option<Sealed>> for Signed {
    fn from(sealed: Option<Sealed>) -> Self {
        sealed.map_or(Self::Not, |sealed| sealed.by().into())
    }
}

impl From<Result<Key, Distrust>> for Signed {
    fn from(by: Result<Key, Distrust>) -> Self {
        match by {
            Ok(key) => Self::By(key.text()),
            Err(distrust) => Self::Bad(distrust.why),
        }
    }
}

/// What a machine says of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Which.
    pub request_id: RequestId,
    /// Where known.
    pub job_id: Option<JobId>,
    /// Where known.
    pub package_id: Option<PackageId>,
    /// Its state.
    pub state: State,
    /// Since when.
    pub since: Option<Wall>,
    /// The newest attempt's number; 0: none.
    pub attempt: u32,
    /// The gates that do not pass.
    pub blocked_by: Vec<Code>,
    /// When one of them changes by time.
    pub next_change: Option<Wall>,
    /// Of the newest attempt.
    pub exit_code: Option<i64>,
    /// Of the newest attempt, in words.
    pub result: Option<SafeText>,
    /// Of the newest attempt.
    pub started_at: Option<Wall>,
    /// Of the newest attempt.
    pub ended_at: Option<Wall>,
    /// When it will run, and how late that may become.
    pub forecast: Option<Forecast>,
    /// So long after its time the newest attempt began, in seconds.
    pub late_s: Option<u64>,
}

/// What a machine expects of a request that has not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forecast {
    /// It will run.
    Runs {
        /// Then at the earliest.
        next: Wall,
        /// Then at the latest; None: it cannot be said.
        latest: Option<Wall>,
    },
    /// It never will by itself.
    Never,
}

/// What is wanted of reports, beside what they say of their machines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// These requests.
    pub requests: BTreeSet<RequestId>,
    /// These jobs.
    pub jobs: BTreeSet<JobId>,
}

/// What a machine says, or why it says nothing.
pub type Heard = Result<Account, SafeText>;

/// What each machine says, or why it says nothing.
pub type Accounts = BTreeMap<MachineId, Result<Account, SafeText>>;

/// What the report of a machine says; `written` is when, by the clock of the share.
///
/// # Errors
/// Why it says nothing. The words name no machine and no file, so that the same fault has the same words everywhere.
pub fn account_of(bytes: &[u8], machine: MachineId, written: Wall) -> Result<Account, SafeText> {
    let (account, sealed) = told(bytes, machine, written)?;
    Ok(Account { signed: sealed.into(), ..account })
}

/// The same, with its signature, which nobody has verified.
///
/// # Errors
/// As of [`account_of`].
pub(super) fn told(
    bytes: &[u8],
    machine: MachineId,
    written: Wall,
) -> Result<(Account, Option<Sealed>), SafeText> {
    let (report, sealed) = MachineReport::read(bytes).map_err(|e| SafeText::new(&e.to_string()))?;
    let MachineReport { summary, rest } = report;
    if summary.machine != machine {
        return Err(SafeText::new(&format!("its report is of {}", summary.machine)));
    }
    let account = Account {
        publication: (summary.epoch.unwrap_or(0), summary.serial.unwrap_or(0)),
        reported_at: summary.reported_at,
        written,
        interval: bounded(rest.polling_interval_s),
        heartbeat: bounded(summary.heartbeat_s),
        host: short(&summary.host),
        platform: rest.platform,
        os: rest.os.map(|os| short(&os)),
        os_version: rest.os_version.map(|version| short(&version)),
        pcm_version: short(&rest.pcm_version),
        users: rest.users,
        restart_pending: rest.restart_pending,
        disk_free: rest.disk_free,
        hours_on: of_week(rest.hours_on_7d),
        held_until: rest.held_until,
        frozen_until: rest.frozen_until,
        next_window: rest.next_window,
        facts: rest.facts.iter().take(MOST_FACTS).map(|(name, fact)| (short(name), short(fact))).collect(),
        undelivered: summary.undelivered,
        two_machines: summary.two_machines,
        state_id: summary.state_id.or(rest.before.map(|before| before.state_id)).map(|id| short(&id)),
        number: summary.report,
        site_id: summary.site_id,
        signed: Signed::Not,
        requests: rest.requests.into_iter().take(MOST_REQUESTS).map(Said::from).collect(),
        not_targeted: rest.not_targeted.into_iter().take(MAX_JOBS).collect(),
    };
    Ok((account, sealed))
}

/// An interval that a machine says.
pub(super) fn bounded(seconds: u64) -> Duration {
    Duration::from_secs(seconds).min(LONGEST_INTERVAL)
}

/// So many hours of seven days.
pub(super) fn of_week(hours: Option<u32>) -> Option<u32> {
    hours.filter(|hours| *hours <= WEEK_H)
}

/// A text of a machine, in so many characters as one of ours has.
pub(super) fn short(text: &SafeText) -> SafeText {
    SafeText::new(&cut(text.as_str(), MAX_RESULT))
}

impl Account {
    /// It was on all of last week, but for a restart or two.
    pub fn is_always_on(&self) -> bool {
        self.hours_on.is_some_and(|hours| hours >= ALWAYS_H)
    }

    /// Lets go of what it says of other requests and jobs.
    pub fn keep(&mut self, asked: &Asked) {
        self.requests.retain(|said| asked.requests.contains(&said.request_id));
        self.not_targeted.retain(|job| asked.jobs.contains(job));
    }
}

impl Said {
    /// Nothing but its state.
    pub fn of(request_id: RequestId, state: State) -> Self {
        Self {
            request_id,
            job_id: None,
            package_id: None,
            state,
            since: None,
            attempt: 0,
            blocked_by: Vec::new(),
            next_change: None,
            exit_code: None,
            result: None,
            started_at: None,
            ended_at: None,
            forecast: None,
            late_s: None,
        }
    }
}

impl From<ReportedRequest> for Said {
    fn from(read: ReportedRequest) -> Self {
        Self {
            job_id: read.job_id,
            package_id: read.package_id,
            since: read.since,
            attempt: read.attempt,
            blocked_by: once(read.blocked_by),
            next_change: read.next_change,
            exit_code: read.exit_code,
            result: read.result.map(|result| short(&result)),
            started_at: read.started_at,
            ended_at: read.ended_at,
            forecast: match (read.next_run, read.never) {
                (Some(next), _) => Some(Forecast::Runs { next, latest: read.latest }),
                (None, true) => Some(Forecast::Never),
                (None, false) => None,
            },
            late_s: read.started_late_s,
            ..Self::of(read.request_id, read.state)
        }
    }
}

/// Each of them once.
pub(super) fn once(mut codes: Vec<Code>) -> Vec<Code> {
    let mut seen = BTreeSet::new();
    codes.retain(|code| seen.insert(*code));
    codes
}
