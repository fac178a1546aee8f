//! What is asked of a publication, and what came of it.

use super::super::ids::{JobId, PackageId};
use super::super::index::Index;
use super::bring;
use crate::clock::Wall;
use crate::error::Failure;
use std::path::PathBuf;

/// What the number says that somebody expects. It is of one thing: a number of machines lets no job pass that is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// So many changes that are refused otherwise are meant.
    Changes(usize),
    /// So many machines may come to jobs: a verb that adds machines has said so. It lets none go.
    Comes(usize),
    /// So many machines may be no more: a verb that removes machines has said so. It lets none come.
    Goes(usize),
    /// This job may be for as many machines as it is: whoever sends it has said how many they are.
    Job(JobId),
    /// The policy of all machines may keep them from less: whoever unfreezes them has said how many they are.
    Unfreeze,
    /// No change that is refused otherwise.
    Nothing,
}

/// How something is published.
#[derive(Debug, Clone)]
pub struct How<'a> {
    /// The keys that sign it, each of somebody else; none: nobody does.
    pub keys: Vec<PathBuf>,
    /// The lowest number that it may have.
    pub serial: Option<u64>,
    /// What is meant of that which is refused otherwise.
    pub expect: Expect,
    /// Whoever publishes on the share is dead.
    pub break_lock: bool,
    /// Say what would be published.
    pub dry_run: bool,
    /// Nobody is going to publish this: only what it would change is asked, and no key is wanted.
    pub only_asked: bool,
    /// What the share has is read and compared, too, and put back where it differs.
    pub thorough: bool,
    /// Who watches how files are copied.
    pub watch: Option<&'a dyn bring::Watch>,
    /// The bare names that some machine may start.
    pub programs: &'a [String],
    /// Who publishes.
    pub who: String,
    /// What for, in a few words, for the log.
    pub what: String,
    /// Now.
    pub now: Wall,
}

impl<'a> How<'a> {
    /// Only to ask what is published, or would be: by nobody, without a key, and nothing is written.
    pub fn looking(programs: &'a [String], now: Wall) -> Self {
        Self {
            keys: Vec::new(),
            serial: None,
            expect: Expect::Nothing,
            break_lock: false,
            dry_run: true,
            only_asked: true,
            thorough: false,
            watch: None,
            programs,
            who: String::new(),
            what: String::new(),
            now,
        }
    }
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// What the index says.
    pub index: Index,
    /// The jobs whose entry changed.
    pub jobs: Vec<JobId>,
    /// The packages that were not there before.
    pub packages: Vec<PackageId>,
    /// Those whose release is there and gets another signature.
    pub signatures: Vec<PackageId>,
    /// The share says another name of the site, or somebody else to call.
    pub settings: bool,
    /// How many policies changed.
    pub policies: usize,
    /// What policies keep machines from no more.
    pub opened: Vec<String>,
    /// How many parts of the list of machines changed.
    pub parts: usize,
    /// How many machines the list has.
    pub machines: usize,
    /// How many machines are no more.
    pub gone: usize,
    /// Jobs that are not in the index any more.
    pub withdrawn: Vec<JobId>,
    /// What was written, and how many bytes.
    pub written: Vec<(String, u64)>,
    /// A publication that had not been completed was.
    pub completed: Option<u64>,
    /// How many files of earlier publications that no index names any more were removed.
    pub removed: usize,
    /// There was nothing to publish.
    pub nothing: bool,
    /// A key signed it.
    pub signed: bool,
    /// What is wrong with packages of jobs that are as they were: it keeps nothing else from being published.
    pub faults: Vec<Failure>,
}
