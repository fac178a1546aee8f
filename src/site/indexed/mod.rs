//! What an index (SITE.md 2) comes to on one machine. The share's reader reads `PCM.INDEX` first, and where it is there,
//! nothing else than the parts that it names and that this machine has not got: at an idle poll that is all (`read`). It
//! gives bytes and no verdict. Whoever decides verifies the signature first, reads then (`verify`), and makes of index,
//! jobs, members line and packages the requests that the decision core knows (`compose`). Parts are known by their hash
//! (`parts`), kept in the state folder, and verified again at each start. A part that cannot be had closes what it names
//! and nothing else.

pub mod compose;
mod delivered;
pub mod parts;
pub mod read;
pub mod store;
pub mod told;
pub mod verify;

use super::expression::Expression;
use super::ids::{JobId, PackageId, RequestId, SiteId};
use super::index::JobState;
use super::index::job::OfferTo;
use super::index::members::Member;
use super::index::policy::Rules;
use super::index::target::{self, Target};
use super::installed::Need;
use super::instruction::Request;
use super::signed::Distrust;
use crate::terms::Problem;
use crate::text::SafeText;
use std::collections::BTreeMap;
use std::time::Duration;

/// What the site's list of machines says of this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Membership {
    /// Its line; without groups where the site has no list yet.
    Listed(Member),
    /// The list is there, and this machine is not in it.
    NotListed,
    /// The list cannot be read, and no line of it is held.
    Unknown(SafeText),
}

/// What a job says beside what every request says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Which job.
    pub job_id: JobId,
    /// Of its file.
    pub revision: u64,
    /// Of its package.
    pub release: u64,
    /// What the index says of it.
    pub state: JobState,
    /// The share of its machines that has been reached, in hundredths of a percent.
    pub percent: u32,
    /// Why it is suspended or cancelled.
    pub reason: Option<SafeText>,
    /// Whom it is for.
    pub targets: Vec<Target>,
    /// Whom it is not for.
    pub exclude: Vec<Target>,
    /// What the publisher asks of a machine.
    pub condition: Option<Expression>,
    /// What the package's signer asks of one.
    pub bound: Option<Expression>,
    /// When it has something to do, by its package; None: always.
    pub need: Option<Need>,
    /// It removes what it is about.
    pub removes: bool,
    /// Each has to have been put there first.
    pub packages: Vec<PackageId>,
    /// The jobs in whose place it comes.
    pub supersedes: Vec<JobId>,
    /// Launches are spread over this time.
    pub spread: Option<Duration>,
    /// Who may have it run beside those who operate.
    pub offer_to: Option<OfferTo>,
    /// Why it does not say what its package says.
    pub distrust: Option<Distrust>,
}

/// What is in force of an index beside its requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InForce {
    /// Which of all sites with this code published it.
    pub site_id: SiteId,
    /// The trust list that it was published under; 0 without one.
    pub epoch: u64,
    /// What the list of machines says of this one.
    pub member: Membership,
    /// What each of its requests says beside.
    pub deliveries: BTreeMap<RequestId, Delivery>,
    /// The jobs that are for others, for whoever asks about one of them.
    pub elsewhere: Vec<(Request, Delivery)>,
    /// What the site lays down for the groups of this machine.
    pub policies: Vec<GroupRules>,
    /// The jobs that it calls cancelled, and why: also those whose files cannot be read.
    pub cancelled: BTreeMap<JobId, Option<SafeText>>,
    /// What is replaced by jobs that are rejected, by what was read of them once: where such a job has succeeded, the one that
    /// it replaced does not come back because a file is lost.
    pub replaced: Vec<Replaced>,
}

/// A job in whose place another one comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replaced {
    /// This one.
    pub older: JobId,
    /// That one.
    pub newer: JobId,
    /// Its request.
    pub by: RequestId,
}

/// The policy of a group of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRules {
    /// Whose.
    pub group: String,
    /// What it says, or why that cannot be known.
    pub rules: Result<Rules, SafeText>,
}

/// Whom a job is for by its targets alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Aim<'a> {
    /// This machine, by this one of its targets.
    Here(&'a Target),
    /// This machine is excluded.
    Excluded(&'a Target),
    /// None of its targets is this machine.
    Others,
    /// This machine is not in the site's list.
    NotListed,
    /// It cannot be known.
    Unknown(&'a SafeText),
}

impl Delivery {
    /// Whether it is for this machine by its targets alone.
    pub fn aim<'a>(&'a self, member: &'a Membership) -> Aim<'a> {
        aim(&self.targets, &self.exclude, member)
    }

    /// Where this machine stands among those that the phases reach, in hundredths of a percent, once it is reached or not.
    pub fn place(&self, member: &Member) -> u32 {
        target::place(self.job_id, member.machine)
    }
}

/// Whether a job with these targets is for this machine. Excluded goes before named.
pub fn aim<'a>(targets: &'a [Target], exclude: &'a [Target], member: &'a Membership) -> Aim<'a> {
    let member = match member {
        Membership::Listed(member) => member,
        Membership::NotListed => return Aim::NotListed,
        Membership::Unknown(why) => return Aim::Unknown(why),
    };
    let met = |targets: &'a [Target]| targets.iter().find(|target| target.means(member));
    match (met(exclude), met(targets)) {
        (Some(excluded), _) => Aim::Excluded(excluded),
        (None, Some(target)) => Aim::Here(target),
        (None, None) => Aim::Others,
    }
}

impl InForce {
    /// The job that is for others, by its id.
    pub fn elsewhere(&self, job: JobId) -> Option<&(Request, Delivery)> {
        self.elsewhere.iter().find(|(request, _)| request.job_id == job)
    }
}

/// What is wrong with a part, with its line.
fn said(problem: &Problem) -> SafeText {
    match problem.line {
        Some(line) => SafeText::new(&format!("line {line}: {}", problem.message)),
        None => problem.message.clone(),
    }
}
