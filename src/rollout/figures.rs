//! All jobs of a site counted in one pass over its machines: what a machine says is looked at once, whatever the number of
//! jobs, and is gone before the next one, so that 100,000 machines need no more room than one.

use super::account::Account;
use super::cache::Heard;
use super::count::{Place, Row, Tally, place};
use super::phase::{self, Counter, Phase, Stand};
use crate::clock::Wall;
use crate::site::expression::filter::KnownNow;
use crate::site::expression::{Known, Name, Subject};
use crate::site::ids::MachineId;
use crate::site::index::audience::Listed;
use crate::site::index::members::Member;
use crate::text::SafeText;
use std::collections::BTreeSet;
use std::time::Duration;

/// The figures of one job.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// Of the machines that are shown.
    pub tally: Tally,
    /// What the gate goes by: all machines, whatever is shown.
    pub phase: Phase,
}

/// Counts. `heard`: what a machine says; `shown`: whether it is shown; `row`: sees each that is, with the job's number.
pub fn figures(
    stands: &[Stand<'_>],
    members: &[Member],
    heard: impl Fn(MachineId) -> Heard,
    shown: impl Fn(&Machine<'_>) -> bool,
    mut row: impl FnMut(usize, &Place<'_>),
) -> Vec<Figures> {
    let mut tallies = vec![Tally::default(); stands.len()];
    let mut counters: Vec<Counter<'_>> =
        stands.iter().map(|stand| Counter::new(stand, stand.word.percent)).collect();
    for member in members {
        let said = heard(member.machine);
        for (n, stand) in stands.iter().enumerate() {
            let place = place(stand, member, Some(said.as_ref()));
            if matches!(place, Place::Elsewhere) {
                continue;
            }
            counters[n].add(member, Some(said.as_ref()));
            if shown(&Machine { member, account: said.as_ref().ok(), place: &place, as_of: stand.as_of }) {
                tallies[n].add(&place, stand);
                row(n, &place);
            }
        }
    }
    for (n, stand) in stands.iter().enumerate().filter(|(_, stand)| stand.word.percent == 0) {
        let listed: BTreeSet<MachineId> = members.iter().map(|member| member.machine).collect();
        for machine in stand.word.canary.iter().filter(|machine| !listed.contains(machine)) {
            let member = Member { machine: *machine, host: None, adopt: None, groups: Vec::new() };
            let (part, silent) = (super::count::Part::Silent, Some(phase::GONE));
            let place = Place::Target(Row { member: &member, account: None, said: None, part, silent });
            if shown(&Machine { member: &member, account: None, place: &place, as_of: stand.as_of }) {
                tallies[n].add(&place, stand);
                row(n, &place);
            }
        }
    }
    let phases = counters.into_iter().map(Counter::phase);
    tallies.into_iter().zip(phases).map(|(tally, phase)| Figures { tally, phase }).collect()
}

/// A machine and what it is to a job, as it can be filtered by.
#[derive(Debug)]
pub struct Machine<'a> {
    member: &'a Member,
    account: Option<&'a Account>,
    place: &'a Place<'a>,
    as_of: Wall,
}

impl<'a> Machine<'a> {
    /// One whose place in a job is not known yet.
    pub(super) fn by(member: &'a Member, account: &'a Account, as_of: Wall) -> Self {
        Self { member, account: Some(account), place: &Place::Later, as_of }
    }
}

impl Known for Machine<'_> {
    fn value(&self, subject: &Subject) -> Option<String> {
        let requests = || self.account.into_iter().flat_map(|account| &account.requests);
        match subject {
            Subject::Named(Name::Host | Name::Group) => Listed(self.member).value(subject),
            Subject::Named(Name::Platform) => self.account?.platform.map(|platform| platform.to_string()),
            Subject::Named(Name::PcmVersion) => self.account.map(|account| account.pcm_version.to_string()),
            Subject::Package(id) => {
                let newest =
                    requests().filter(|said| said.package_id == Some(*id)).max_by_key(|said| said.since);
                newest.map(|said| said.state.to_string())
            }
            Subject::Job(id) => {
                requests().find(|said| said.job_id == Some(*id)).map(|said| said.state.to_string())
            }
            Subject::Named(Name::Os) => self.account?.os.as_ref().map(ToString::to_string),
            Subject::Named(Name::OsVersion) => self.account?.os_version.as_ref().map(ToString::to_string),
            Subject::Fact(name) => self.account?.facts.get(&SafeText::new(name)).map(ToString::to_string),
        }
    }

    fn in_group(&self, pattern: &str) -> Option<bool> {
        Listed(self.member).in_group(pattern)
    }
}

impl KnownNow for Machine<'_> {
    fn last_seen(&self) -> Option<Duration> {
        Some((self.as_of - self.account?.written).to_std().unwrap_or_default())
    }

    fn users(&self) -> Option<u64> {
        self.account?.users.map(u64::from)
    }

    fn restart_pending(&self) -> Option<bool> {
        Some(self.account?.restart_pending)
    }

    fn disk_free(&self) -> Option<u64> {
        self.account?.disk_free
    }

    fn states(&self) -> Option<[&str; 2]> {
        let Place::Target(row) = self.place else { return None };
        let part = row.part.as_str();
        Some([part, row.said.map_or(part, |said| said.state.as_str())])
    }
}
