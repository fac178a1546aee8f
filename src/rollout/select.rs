//! The machines behind a figure (SITE.md 6): every number that is shown has exactly these rows. And one machine alone, as it
//! speaks of itself. Pure, but for reading what is kept.

use super::account::Account;
use super::cache::Heard;
use super::count::{OTHERS, Part, Row};
use super::doc::JobDoc;
use super::ground::Ground;
use super::session::Read;
use crate::error::Result;
use crate::host::ssh::Reach;
use crate::site::ids::{MachineId, RequestId};
use crate::text::SafeText;
use std::collections::BTreeMap;
use std::process::Command;

/// The site that a console shows, and what it is changed with.
pub trait Site: Send + Sync {
    /// What is counted, as it stands now. `before`: what it was at the last look.
    ///
    /// # Errors
    /// No site is named, or it cannot be read.
    fn ground(&self, before: Option<&Ground>) -> Result<Ground>;

    /// Such a verb of pcm on this site folder; None: there is only a share.
    fn verb(&self, words: &[String]) -> Option<Command>;

    /// How each of these machines is reached, by the site folder alone; of one that cannot be, why.
    ///
    /// # Errors
    /// The site folder cannot be read, there is none, or its machines do not exist.
    fn reach(&self, machines: &[MachineId]) -> Result<Vec<std::result::Result<Reach, SafeText>>>;
}

/// A number that is shown of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Figure {
    /// A part of the sum.
    Part(Part),
    /// Those that failed or were interrupted.
    Unsuccessful,
    /// Those that wait and that this alone holds up, or several things.
    Held(&'static str),
    /// Those that ended so, by exit code and result line; `others`: in none of the ways that have a row.
    Result(Option<i64>, SafeText),
    /// The silent ones for this reason.
    Silent(SafeText),
}

impl Figure {
    /// Whether a target is one of its machines; `job` says which results and reasons have a row of their own.
    pub fn has(&self, row: &Row<'_>, job: &JobDoc) -> bool {
        match self {
            Figure::Part(part) => row.part == *part,
            Figure::Unsuccessful => matches!(row.part, Part::Failed | Part::Interrupted),
            Figure::Held(holder) => row.holder() == Some(holder),
            Figure::Result(exit_code, words) => row.result().is_some_and(|(code, result)| {
                let named = job.by_result.iter().any(|of| of.exit_code == code && of.result == result);
                match named {
                    true => code == *exit_code && result == *words,
                    false => exit_code.is_none() && words.as_str() == OTHERS,
                }
            }),
            Figure::Silent(why) => row.silent.is_some_and(|silent| {
                let named = job.silent_because.iter().any(|of| of.reason.as_str() == silent);
                if named { silent == why.as_str() } else { why.as_str() == OTHERS }
            }),
        }
    }

    /// How many it says that they are.
    pub fn number(&self, job: &JobDoc) -> u64 {
        let of = |n: Option<u64>| n.unwrap_or(0);
        match self {
            Figure::Part(part) => of(job.parts().iter().find(|(of, _)| of == part).map(|(_, n)| *n)),
            Figure::Unsuccessful => job.unsuccessful(),
            Figure::Held(holder) => of(job.by_reason.get(holder).copied()),
            Figure::Result(code, result) => {
                let of_it = job.by_result.iter().find(|of| of.exit_code == *code && of.result == *result);
                of(of_it.map(|of| of.count))
            }
            Figure::Silent(why) => {
                of(job.silent_because.iter().find(|of| of.reason == *why).map(|of| of.machines))
            }
        }
    }
}

/// One machine, as it speaks of itself.
#[derive(Debug, Clone)]
pub struct OneDoc {
    /// Its host, by the list of machines.
    pub host: Option<SafeText>,
    /// Its groups, by the list of machines.
    pub groups: Vec<SafeText>,
    /// What it says where it counts, and why not.
    pub heard: Heard,
    /// What it says where that does not count.
    pub uncounted: Option<Box<Account>>,
    /// The packages of the jobs that are shown, by request.
    pub packages: BTreeMap<RequestId, SafeText>,
}

impl OneDoc {
    /// Of a machine of the site; None: it has none of this id.
    pub fn of(ground: &Ground, read: &Read<'_>, machine: MachineId) -> Option<Self> {
        let member = ground.members.iter().find(|member| member.machine == machine)?;
        let heard = read.heard(ground, machine);
        let uncounted = heard.is_err().then(|| read.said(machine)).flatten();
        let packages = ground.jobs.iter().map(|(job, _)| (job.request_id, job.package.clone())).collect();
        Some(Self {
            host: member.host.as_deref().map(SafeText::new),
            groups: member.groups.iter().map(|group| SafeText::new(group)).collect(),
            heard,
            uncounted: uncounted.map(Box::new),
            packages,
        })
    }

    /// What it says, whether that counts or not.
    pub fn account(&self) -> Option<&Account> {
        self.heard.as_ref().ok().or(self.uncounted.as_deref())
    }
}
