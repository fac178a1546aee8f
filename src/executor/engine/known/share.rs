//! What a look at the share brought: the instruction file in force and the faults (PROMISES.md 4). Nothing older than what
//! this machine has seen comes into force (SITE.md 1). What is to be kept, staged and said of it is the executor's.

use super::Known;
use crate::clock::Wall;
use crate::decision::Instructions;
use crate::error::{Exit, Failure, Result};
use crate::executor::history::Cause;
use crate::executor::share::deliver::Believed;
use crate::executor::share::job::{self, ShareJob};
use crate::executor::world::World;
use crate::host::open::remote;
use crate::site::ids::RequestId;
use crate::site::indexed::parts::Parts;
use crate::site::instruction::Entry;
use crate::site::publication::{Chosen, Publication, choose};
use crate::site::share::{self, Found, Look, SourceFault};
use crate::site::signed::published::Packages;
use crate::site::site_file;
use crate::site::trust::{TrustMode, TrustVerdict};
use crate::terms::{Code, Problem};
use crate::text::SafeText;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What a look has changed.
pub(in super::super) enum Taken {
    /// Nothing valid was found: what is in force stays.
    Nothing(SourceFault),
    /// What was found may be somebody else's: what was believed stays.
    Refused,
    /// A file is in force. It is to be kept where it is believed and not kept already.
    File(Option<Keep>),
}

/// What is to be kept in the state folder.
pub(in super::super) enum Keep {
    /// The bytes of an instruction file, of the site file that came with it, and of the packages that are signed.
    File { file: Vec<u8>, site: Vec<u8>, packages: Packages },
    /// Those of an index and its parts, and the name under which it is held.
    Index { name: String, index: Vec<u8>, parts: Parts },
}

impl Keep {
    pub fn of(found: &Found) -> Keep {
        match &found.brought {
            Some(brought) => Keep::Index {
                name: found.publication().folder(),
                index: found.bytes.clone(),
                parts: brought.parts.clone(),
            },
            None => Keep::File {
                file: found.bytes.clone(),
                site: found.site_bytes.clone(),
                packages: found.packages.clone(),
            },
        }
    }

    /// Keeps it, durably.
    ///
    /// # Errors
    /// What was kept before is kept still, in words.
    pub fn hold(&self, world: &dyn World) -> std::result::Result<(), String> {
        match self {
            Keep::File { file, site, packages } => world.hold(file, site, packages),
            Keep::Index { name, index, parts } => world.hold_index(name, index, parts),
        }
    }
}

impl Known {
    /// The next look; None while this machine has no id.
    pub fn look_job(&self) -> Option<(ShareJob, Duration)> {
        let config = &self.policy.config;
        // A place for reports alone is not looked at: it could hang, and the instructions with it.
        let (places, stands) = match &self.lost {
            None => (config.shares.as_slice(), &self.snapshot.reported.stands),
            Some(_) if self.reports_without_history() => (config.shares.as_slice(), &self.uncounted),
            Some(_) => (Default::default(), &self.uncounted),
        };
        let known = |place: &PathBuf| (place.clone(), stands.get(place).copied());
        // Nobody reports to a place that is only read.
        let places = places.iter().filter(|place| !remote::is_read_only(place));
        let reports = places.map(known).collect();
        job::look_job(config, self.wants_past(), reports, self.material(), self.held_index())
    }

    /// Reports go to a place that no look at the shares sees.
    pub fn reports_apart(&self) -> bool {
        let config = &self.policy.config;
        config.share.report.as_ref().is_some_and(|place| !config.shares.contains(place))
    }

    /// Nothing is known yet of an earlier life of this machine.
    fn wants_past(&self) -> bool {
        self.lost.as_ref().is_some_and(|lost| lost.cause == Cause::Unseen)
    }

    /// Looks at the share, within its deadline, however it hangs. Nothing is kept and nothing staged.
    pub fn look(&mut self) {
        match self.world.look(&self.policy.config, self.wants_past(), self.material(), self.held_index()) {
            Some(Ok(look)) => {
                self.take_look(look, self.world.now());
            }
            Some(Err(why)) => {
                self.no_answer(&why);
            }
            None => {}
        }
        self.want_all_looked_up();
        self.look_up();
        self.find_staged();
    }

    /// Takes what a look brought.
    pub(in super::super) fn take_look(&mut self, mut look: Look, now: Wall) -> Taken {
        let others = std::mem::take(&mut look.others);
        let offers: Vec<Found> = look.found.take().into_iter().chain(others).collect();
        self.see_tags(&offers);
        self.offer = offers.iter().map(|found| found.share.clone()).collect();
        let offers = match self.policy.config.trust.mode {
            TrustMode::Permissions => self.composed_offers(offers, &mut look, now),
            TrustMode::Signed => self.verified(offers, &mut look, now),
        };
        self.notes = look.problems;
        let Chosen { taken, behind } = choose(offers, self.highest());
        // A share that lags behind says nothing of how things stand now.
        if look.answered && (taken.is_some() || behind.is_empty()) {
            self.instructions.share_seen = Some(now);
        }
        let problems = behind.iter().map(|(found, why)| rollback(&found.share, why));
        if let Some(found) = taken {
            self.notes.extend(problems.map(Problem::into_warning));
            self.behind.clear();
            return self.take_found(found);
        }
        let fault = if behind.is_empty() {
            let missing = || SourceFault { code: Code::ShareMissing, problems: Vec::new() };
            look.fault.unwrap_or_else(missing)
        } else {
            SourceFault { code: Code::Rollback, problems: problems.collect() }
        };
        self.behind = behind.into_iter().map(|(found, _)| found).collect();
        // Reports and results go there while nothing better answers: they say what this machine has seen.
        if let Some(best) = self.behind.first() {
            self.share = Some(best.share.clone());
        }
        self.instructions.fault = Some(fault.clone());
        Taken::Nothing(fault)
    }

    /// The highest publication that this machine has seen: by its history, or by the file in force, which may not be
    /// recorded yet.
    pub(super) fn highest(&self) -> Option<&Publication> {
        let recorded = self.snapshot.highest.as_ref();
        self.unrecorded().or(recorded)
    }

    /// The publication in force, where the history does not know it yet.
    pub(in super::super) fn unrecorded(&self) -> Option<&Publication> {
        let recorded = self.snapshot.highest.as_ref().map(Publication::order);
        self.held.as_ref().filter(|held| recorded < Some(held.order()))
    }

    /// Takes over how often the site wants to be asked, and what is laid down for groups of this machine: whatever is in force
    /// brings it along, and what is not in force any more takes it away.
    fn obey_site(&mut self, polling: Option<Duration>) {
        self.site_polling = polling;
        self.configured.restore(&mut self.policy.config);
        self.policy.config.obey_site(polling);
        self.configured.obey(&self.policy.config);
        self.obey_groups();
    }

    /// What is in force is older than the history knows: it may hold what was cancelled since.
    pub(super) fn drop_older(&mut self) {
        let (Some(highest), Some(held)) = (&self.snapshot.highest, &self.held) else { return };
        let Some(why) = held.behind(highest) else { return };
        let place = if held.index { self.layout.held_folder() } else { self.layout.held() };
        let problem = rollback(&place, &why);
        self.held = None;
        self.instructions.file = None;
        self.instructions.index = None;
        self.instructions.signed = None;
        self.instructions.site_freezes.clear();
        self.obey_site(None);
        self.instructions.fault = Some(SourceFault { code: Code::Rollback, problems: vec![problem] });
    }

    /// What a share offers with this serial, while nothing but older files is offered.
    ///
    /// # Errors
    /// `no-rollback`: nothing has to be accepted; `rollback`: no share offers this serial.
    pub(in super::super) fn offered(&self, serial: u64) -> Result<&Found> {
        if self.behind.is_empty() {
            return Err(Failure::new(
                Exit::Refused,
                "no-rollback",
                "no share offers an older instruction file alone, so there is nothing to accept",
                "Look at the share with: pcm poll",
            ));
        }
        self.behind.iter().find(|found| found.file.serial == serial).ok_or_else(|| {
            let offers: Vec<String> = self
                .behind
                .iter()
                .map(|found| format!("serial {} on {}", found.file.serial, found.share.display()))
                .collect();
            Failure::new(
                Exit::Refused,
                Code::Rollback.as_str(),
                format!("no share offers serial {serial}; there is {}", offers.join(", ")),
                "Name the serial that a share offers",
            )
        })
    }

    /// Takes what an operator accepts, however old it is.
    pub(in super::super) fn accept(&mut self, found: Found) {
        self.behind.clear();
        self.take_found(found);
    }

    fn take_found(&mut self, found: Found) -> Taken {
        self.instructions.fault = None;
        self.instructions.trust = found.trust.clone();
        self.instructions.source = Some(SafeText::new(&found.share.display().to_string()));
        self.share = Some(found.share.clone());
        let refused = matches!(found.trust, TrustVerdict::Refused(..));
        // What somebody else may have written does not take the place of what was believed; nothing runs of either.
        if refused && self.instructions.file.is_some() && self.held.is_some() {
            return Taken::Refused;
        }
        let keep = Keep::of(&found);
        let publication = found.publication();
        // Signed anew, perhaps by another key, it is the same publication.
        let is_kept = found.signed.is_none()
            || self
                .signed
                .as_ref()
                .is_some_and(|(bytes, packages)| (bytes, packages) == (&found.bytes, &found.packages));
        self.instructions.signed = found.signed;
        self.instructions.index = found.index;
        let parts_of = found.brought.is_some();
        let index_keep = match found.brought {
            Some(brought) => self.take_index(&publication, found.bytes, brought),
            None => {
                self.indexed = None;
                self.signed = self.instructions.signed.as_ref().map(|_| (found.bytes, found.packages));
                None
            }
        };
        // An instruction file that nobody signed says any time.
        if self.instructions.signed.is_some() || self.instructions.index.is_some() && !refused {
            self.clock.issued_at(found.file.issued);
        }
        self.instructions.file = Some(found.file);
        self.instructions.site_freezes = found.site.freezes;
        self.obey_site(found.site.polling_interval);
        if refused {
            return Taken::File(None);
        }
        self.see_cancelled();
        let news = !is_kept || self.held.as_ref() != Some(&publication);
        self.held = Some(publication);
        Taken::File(if parts_of { index_keep } else { news.then_some(keep) })
    }

    /// A look without an answer: what is held stays in force.
    pub(in super::super) fn no_answer(&mut self, why: &SafeText) -> String {
        self.behind.clear();
        let shares: Vec<_> =
            self.policy.config.shares.iter().map(|share| share.display().to_string()).collect();
        let shares = shares.join(", ");
        self.instructions.fault = Some(SourceFault {
            code: Code::ShareMissing,
            problems: vec![Problem::of_file(Code::ShareMissing.as_str(), shares.clone(), why.clone())],
        });
        format!("{shares}: {}: {why}", Code::ShareMissing)
    }

    /// What was held when this process started. In mode `permissions` its trust was judged when it was taken from a share;
    /// since then it stood in a folder that only the service's account can write. What is signed is verified again.
    pub(super) fn load_held(&mut self) {
        let Some(machine) = self.policy.config.machine else { return };
        if self.load_index() {
            return self.find_staged();
        }
        let Some(held) = self.world.held() else { return };
        let defaults = self.policy.config.request_defaults();
        let read = match self.policy.config.trust.mode {
            TrustMode::Permissions => share::parse_held(&held.file, machine, &defaults).map(|file| {
                (file, TrustVerdict::Trusted("permissions, when it was taken from the share".into()), None)
            }),
            TrustMode::Signed => {
                self.signed = Some((held.file.clone(), held.packages));
                self.judge_held(self.world.now())
                    .map(|(file, by)| (file, TrustVerdict::Trusted(by.words()), Some(by)))
                    .map_err(|distrust| {
                        let file = self.layout.held().display().to_string();
                        vec![distrust.problem(file)]
                    })
            }
        };
        match read {
            Ok((file, trust, signed)) => {
                let publication = Publication::of(signed.as_ref(), file.serial, &held.file);
                if signed.is_some() {
                    self.clock.issued_at(file.issued);
                }
                let site = held.site.and_then(|bytes| site_file::parse_any(&bytes, "held PCM.SITE").ok());
                self.site_polling = site.as_ref().and_then(|site| site.polling_interval);
                self.policy.config.obey_site(self.site_polling);
                *self.instructions = Instructions {
                    file: Some(file),
                    share_seen: held.seen,
                    trust,
                    signed,
                    site_freezes: site.map(|site| site.freezes).unwrap_or_default(),
                    ..Instructions::default()
                };
                self.held = Some(publication);
                self.drop_older();
            }
            Err(problems) => {
                self.signed = None;
                self.notes = problems;
            }
        }
        self.find_staged();
    }

    /// A view that is made anew keeps what the one before it saw of the share.
    pub fn keep_source_of(&mut self, other: Known) {
        self.instructions = other.instructions;
        self.memo.take();
        self.notes = other.notes;
        self.share = other.share;
        self.held = other.held;
        self.signed = other.signed;
        self.indexed = other.indexed;
        self.tags = other.tags;
        self.offer = other.offer;
        self.keep_findings_of(other.looked);
        self.behind = other.behind;
        self.obey_site(other.site_polling);
        self.cancelled.extend(&other.cancelled);
        self.snapshot.view.cancelled.extend(&self.cancelled);
        self.drop_older();
        self.find_staged();
    }

    /// All valid request ids of the file in force.
    pub fn listed(&self) -> Vec<RequestId> {
        let entries = self.instructions.file.iter().flat_map(|file| &file.requests);
        entries
            .filter_map(|entry| match entry {
                Entry::Good(request) => Some(request.request_id),
                Entry::Rejected(rejected) => rejected.request_id,
            })
            .collect()
    }

    /// Where reports and results may go, and what makes that believable. The place that the configuration names is an
    /// operator's own word. Else all shares, each of which is judged before it is written to; none until one gave the file
    /// in force, and where the newest look found that it cannot be trusted.
    ///
    /// # Errors
    /// Why there is none.
    pub fn report_places(&self) -> std::result::Result<(Vec<PathBuf>, Option<Believed>), SafeText> {
        let config = &self.policy.config;
        if let Some(named) = &config.share.report {
            return Ok((vec![named.clone()], None));
        }
        match &self.instructions.trust {
            TrustVerdict::Trusted(_) if self.share.is_some() && !config.shares.is_empty() => {
                let site_id = self.instructions.index.as_ref().map(|index| index.site_id.clone());
                let written = |share: &&PathBuf| !remote::is_read_only(share);
                let places: Vec<PathBuf> = config.shares.iter().filter(written).cloned().collect();
                if places.is_empty() {
                    return Err("nobody can write to the shares of this machine: set [share] report".into());
                }
                Ok((places, Some(Believed { mode: config.trust.mode, site_id })))
            }
            TrustVerdict::Refused(code, why) => Err(SafeText::new(&format!(
                "nothing is written to a share that is not trusted: {code}: {why}"
            ))),
            TrustVerdict::Trusted(_) | TrustVerdict::Unchecked => {
                Err("no share has given a valid instruction file since the service started".into())
            }
        }
    }
}

/// A file that is not taken, as it is shown.
fn rollback(place: &Path, why: &str) -> Problem {
    let message = format!("it is not taken: {why}");
    let problem = Problem::of_file(Code::Rollback.as_str(), place.display().to_string(), message);
    Problem { field: Some("serial".into()), ..problem }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::clock::When;
    use crate::config::Config;
    use crate::host::paths::Layout;
    use crate::site::index::policy::Rules;
    use crate::site::indexed::{GroupRules, InForce, Membership};
    use crate::site::instruction::InstructionFile;
    use crate::site::site_file::Freeze;

    fn at(time: &str) -> Wall {
        time.parse().unwrap()
    }

    /// A machine with nothing but an index in force, whose policy freezes everybody and wants to be asked each five minutes.
    fn known(dir: &Path) -> Known {
        let path = |name: &str| dir.join(name);
        let layout = Layout {
            config: path("pcm.toml"),
            state: path("state"),
            log: path("log"),
            socket: path("state/pcm.sock"),
        };
        let config = Config { machine: Some("BP004000".parse().unwrap()), ..Config::default() };
        Known::read(&layout, &config).unwrap()
    }

    fn with_index(mut known: Known) -> Known {
        let freeze = Freeze {
            from: When::Instant(at("2026-11-01T00:00:00Z")),
            until: When::Instant(at("2026-12-01T00:00:00Z")),
            reason: "audit".into(),
        };
        let polling_interval = Some(Duration::from_secs(300));
        let rules = Rules { freezes: vec![freeze], polling_interval, ..Rules::default() };
        known.instructions.file = Some(InstructionFile {
            site: "BP0".parse().unwrap(),
            machine: "BP004000".parse().unwrap(),
            serial: 4,
            issued: at("2026-11-22T08:00:00Z"),
            valid_until: None,
            requests: Vec::new(),
            warnings: Vec::new(),
        });
        known.instructions.index = Some(InForce {
            site_id: "abcdefgh23456723".parse().unwrap(),
            epoch: 0,
            member: Membership::NotListed,
            deliveries: [].into(),
            elsewhere: Vec::new(),
            policies: vec![GroupRules { group: "all".into(), rules: Ok(rules) }],
            cancelled: [("BP0000AA".parse().unwrap(), None)].into(),
            replaced: Vec::new(),
        });
        known.held = Some(Publication::of_index(0, 4, b"index"));
        known.obey_groups();
        known.see_cancelled();
        known
    }

    fn obeys(known: &Known) -> (usize, Duration) {
        (known.policy.groups.len(), known.policy.config.polling_interval)
    }

    #[test]
    fn what_groups_are_kept_from_comes_and_goes_with_the_index() {
        let dir = tempfile::tempdir().unwrap();
        let usual = Config::default().polling_interval;
        let first = with_index(known(dir.path()));
        assert_eq!(obeys(&first), (1, Duration::from_secs(300)));
        let mut second = known(dir.path());
        assert_eq!(obeys(&second), (0, usual));
        // A view that is made anew.
        second.keep_source_of(first);
        assert_eq!(obeys(&second), (1, Duration::from_secs(300)));
        assert!(second.snapshot.view.cancelled.contains(&"BP0000AA".parse().unwrap()));
        // Something newer was seen: nothing of this is in force.
        second.snapshot.highest = Some(Publication::of_index(0, 5, b"newer"));
        second.drop_older();
        assert!(second.instructions.file.is_none());
        assert_eq!(obeys(&second), (0, usual));
    }
}
