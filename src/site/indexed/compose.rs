//! From an index and its parts to requests (SITE.md 2): each job, compared with its package field by field. Pure: the
//! share's reader and the service walk the same way, one to see what is missing, the other to decide.

use super::delivered::{add, delivery, request, same};
use super::told::Told;
use super::verify;
use super::{Aim, Delivery, GroupRules, InForce, Membership, Replaced, aim};
use crate::site::ids::{JobId, MachineId, PackageId, RequestId};
use crate::site::index::job::{self, Job};
use crate::site::index::members::{self, Member};
use crate::site::index::policy::{self, Policy, Rules};
use crate::site::index::{Index, IndexedJob, IndexedMembers, IndexedPolicy, JobState};
use crate::site::instruction::parse::Defaults;
use crate::site::instruction::{ContentHash, Entry, InstructionFile, Rejected, Request};
use crate::site::package::{self, Package};
use crate::site::signed::Distrust;
use crate::site::signed::published::{SIGNATURE, Vouched};
use crate::site::signed::store::Trusted;
use crate::terms::{Code, Problem};
use crate::text::SafeText;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The folder of the list of machines.
const MEMBERS: &str = "members";
/// The largest signature, in bytes.
const MAX_SIGNATURE: u64 = 4 << 10;
const MALFORMED: &str = "malformed";

/// A part, as the index or another part names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// The folders on the share, the outermost first.
    pub folders: Vec<String>,
    /// In the last of them.
    pub file: String,
    /// Of its bytes; of a signature: of what it signs.
    pub sha256: ContentHash,
    /// How large it may be, in bytes.
    pub limit: u64,
}

impl Named {
    fn new(folders: &[&str], file: String, sha256: &ContentHash, limit: u64) -> Self {
        let folders = folders.iter().map(|folder| (*folder).to_owned()).collect();
        Self { folders, file, sha256: sha256.clone(), limit }
    }

    /// With slashes, for messages.
    pub fn path(&self) -> String {
        format!("{}/{}", self.folders.join("/"), self.file)
    }
}

/// Where parts come from.
pub trait Source {
    /// The text of a part.
    ///
    /// # Errors
    /// Why it cannot be had.
    fn text(&mut self, named: &Named) -> Result<&str, SafeText>;
    /// The signature of a package. `again`: the one at hand does not verify; another one, if there is any.
    fn signature(&mut self, named: &Named, again: bool) -> Option<String>;
}

/// How an index is looked at.
pub struct Asked<'a> {
    /// Whose requests.
    pub machine: MachineId,
    /// What the configuration says.
    pub defaults: &'a Defaults,
    /// Whose signatures count; None: mode `permissions`, where none is needed.
    pub trusted: Option<&'a Trusted>,
    /// What was in force before.
    pub before: Option<(&'a InstructionFile, &'a InForce)>,
    /// The list of machines of the index before, which gave the line that is held: asked for where that of this one cannot be
    /// read.
    pub earlier: &'a dyn Fn() -> Option<IndexedMembers>,
    /// What its jobs said as far as they were ever read here: a job whose file cannot be read any more has its id all the same,
    /// and what it has replaced stays replaced.
    pub told: &'a Told,
}

/// What an index comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Composed {
    /// The requests, as the decision core knows them; its warnings are the parts that cannot be had or read.
    pub file: InstructionFile,
    /// What the jobs say beside.
    pub index: InForce,
    /// Who stands for what each of them runs, in mode `signed`.
    pub packages: BTreeMap<RequestId, Result<Vouched, Distrust>>,
    /// Every part that is still needed.
    pub named: BTreeSet<ContentHash>,
    /// Those of them that are not at hand.
    pub missing: Vec<Named>,
    /// The line of this machine is that of the list of the index before.
    pub by_earlier: bool,
    /// What its jobs say, as far as that is known.
    pub told: Told,
}

/// Makes requests of an index that is believed.
pub fn compose(index: &Index, asked: &Asked<'_>, source: &mut dyn Source) -> Composed {
    let mut walk = Walk {
        index,
        asked,
        source,
        problems: Vec::new(),
        named: BTreeSet::new(),
        missing: Vec::new(),
        by_earlier: false,
        opened: BTreeMap::new(),
        packages: BTreeMap::new(),
    };
    let member = walk.member();
    let policies = walk.policies(&member);
    let mut jobs: Vec<(&IndexedJob, Read)> = Vec::new();
    for named in &index.jobs {
        jobs.push((named, walk.job(named)));
    }
    // Also of those that cannot be read: a request belongs to one job, whatever becomes of its file.
    let ids: BTreeMap<JobId, RequestId> =
        jobs.iter().filter_map(|(named, read)| Some((named.job_id, read.request()?))).collect();
    let replaces = jobs.iter().flat_map(|(named, read)| read.replaces(named.job_id, asked.told)).collect();
    let mut owners: BTreeMap<RequestId, Vec<JobId>> = BTreeMap::new();
    for (job, id) in &ids {
        owners.entry(*id).or_default().push(*job);
    }
    let twin = |named: &IndexedJob| {
        let id = ids.get(&named.job_id)?;
        let other = owners.get(id)?.iter().find(|other| **other != named.job_id)?;
        Some(duplicate(named, *id, *other))
    };
    let (mut requests, mut elsewhere, mut deliveries) = (Vec::new(), Vec::new(), BTreeMap::new());
    for (named, read) in jobs {
        let (job, wrong) = match read {
            Read::Good(job) => (job, None),
            Read::Wrong(job, problem) => (job, Some(problem)),
            Read::Unread(mut rejected) => {
                rejected.problems.extend(twin(named));
                requests.push(Entry::Rejected(rejected));
                continue;
            }
        };
        let here = match aim(&job.targets, &job.exclude, &member) {
            Aim::Here(_) | Aim::Unknown(_) => true,
            Aim::Excluded(_) | Aim::Others | Aim::NotListed => false,
        };
        let twin = twin(named);
        let alone = twin.is_none();
        let problems: Vec<Problem> = wrong.into_iter().chain(twin).collect();
        if !here {
            // Of what is for others nothing is asked; should it ever be taken for a request, it is not believed.
            let distrust =
                Distrust::new(Code::Unsigned, "it is for others, so its package was not looked at");
            let (request, delivery) =
                (request(index, named, &job), delivery(named, &job, None, Some(distrust)));
            if alone {
                deliveries.insert(request.request_id, delivery.clone());
            }
            elsewhere.push((request, delivery));
        } else if problems.is_empty() {
            let (request, delivery) = walk.delivered(named, &job);
            deliveries.insert(request.request_id, delivery);
            requests.push(Entry::Good(Box::new(request)));
        } else {
            requests.push(Entry::Rejected(rejected(&job, problems)));
        }
    }
    let file = InstructionFile {
        site: index.site,
        machine: asked.machine,
        serial: index.serial,
        issued: index.issued,
        valid_until: index.valid_until,
        requests,
        warnings: walk.problems,
    };
    let (named, packages) = (walk.named, walk.packages);
    let (missing, by_earlier) = (walk.missing, walk.by_earlier);
    let told = Told { ids, replaces };
    let replaced = replaced(&told, &deliveries);
    let cancelled = index.jobs.iter().filter(|job| job.state == JobState::Cancelled);
    let cancelled = cancelled.map(|job| (job.job_id, job.reason.clone())).collect();
    Composed {
        file,
        index: InForce {
            site_id: index.site_id.clone(),
            epoch: index.epoch,
            member,
            deliveries,
            elsewhere,
            policies,
            cancelled,
            replaced,
        },
        packages,
        named,
        missing,
        by_earlier,
        told,
    }
}

/// What jobs have replaced of which nothing is delivered: what was read of them once is all that is known.
fn replaced(told: &Told, deliveries: &BTreeMap<RequestId, Delivery>) -> Vec<Replaced> {
    let all = told.replaces.iter().filter_map(|(newer, older)| {
        let by = *told.ids.get(newer)?;
        let delivered = deliveries.get(&by).is_some_and(|delivery| delivery.job_id == *newer);
        (!delivered).then_some(Replaced { older: *older, newer: *newer, by })
    });
    all.collect()
}

fn duplicate(named: &IndexedJob, id: RequestId, other: JobId) -> Problem {
    let message = format!("{id} is the request of job {other}, too: both are refused");
    Problem::of_file(Code::Duplicate.as_str(), file_of(named.job_id, named.revision), message)
}

/// What came of the file of a job.
enum Read {
    Good(Job),
    /// It is whole, so it says whom it is for, and it is not what the index means.
    Wrong(Job, Problem),
    /// It cannot be had or understood.
    Unread(Rejected),
}

impl Read {
    fn request(&self) -> Option<RequestId> {
        match self {
            Read::Good(job) | Read::Wrong(job, _) => Some(job.request_id),
            Read::Unread(rejected) => rejected.request_id,
        }
    }

    /// The jobs in whose place it comes; of one that is not believed those of which that was read before.
    fn replaces(&self, own: JobId, told: &Told) -> Vec<(JobId, JobId)> {
        match self {
            Read::Good(job) => job.supersedes.iter().map(|older| (own, *older)).collect(),
            Read::Wrong(..) | Read::Unread(_) => {
                told.replaces.iter().filter(|(newer, _)| *newer == own).copied().collect()
            }
        }
    }
}

fn rejected(job: &Job, problems: Vec<Problem>) -> Rejected {
    Rejected {
        request_id: Some(job.request_id),
        job_id: Some(job.job_id),
        package_id: Some(job.package_id),
        package: Some(job.package.clone()),
        command: Some(job.command.clone()),
        problems,
    }
}

fn file_of(job: JobId, revision: u64) -> String {
    format!("{}/{job}.{revision}.toml", job::FOLDER)
}

/// A package that is believed, and who stands for it in mode `signed`.
type Opened = Result<(Package, Option<Vouched>), Distrust>;

struct Walk<'a, 's> {
    index: &'a Index,
    asked: &'a Asked<'a>,
    source: &'s mut dyn Source,
    problems: Vec<Problem>,
    named: BTreeSet<ContentHash>,
    missing: Vec<Named>,
    by_earlier: bool,
    /// Packages by the hash of their definition: several jobs may run one.
    opened: BTreeMap<(ContentHash, PackageId, u64), Opened>,
    packages: BTreeMap<RequestId, Result<Vouched, Distrust>>,
}

impl Walk<'_, '_> {
    fn part(&mut self, named: &Named) -> Result<String, SafeText> {
        self.named.insert(named.sha256.clone());
        let text = self.source.text(named).map(str::to_owned);
        if text.is_err() {
            self.missing.push(named.clone());
        }
        text
    }

    /// The line of this machine; where it cannot be had, the one that was held stays.
    fn member(&mut self) -> Membership {
        let machine = self.asked.machine;
        let Some(members) = self.index.members.clone() else {
            return Membership::Listed(Member { machine, host: None, adopt: None, groups: Vec::new() });
        };
        match self.listed(&members) {
            Ok(membership) => membership,
            Err((path, why)) => {
                self.problems.push(Problem::of_file(MALFORMED, path.clone(), why.clone()));
                let earlier = (self.asked.earlier)().and_then(|earlier| self.listed(&earlier).ok());
                if let Some(held) = earlier {
                    self.by_earlier = true;
                    return held;
                }
                match self.asked.before {
                    Some((
                        _,
                        InForce { member: held @ (Membership::Listed(_) | Membership::NotListed), .. },
                    )) => held.clone(),
                    Some((_, InForce { member: Membership::Unknown(_), .. })) | None => Membership::Unknown(
                        format!("the groups of this machine are not known: {path}: {why}").into(),
                    ),
                }
            }
        }
    }

    fn listed(&mut self, members: &IndexedMembers) -> Result<Membership, (String, SafeText)> {
        let said = |path: &str, problems: &[Problem]| {
            let first = problems.first().map(super::said).unwrap_or_default();
            (path.to_owned(), first)
        };
        let list =
            Named::new(&[MEMBERS], format!("LIST.{}", members.revision), &members.sha256, members::MAX_BYTES);
        let path = list.path();
        let text = self.part(&list).map_err(|why| (path.clone(), why))?;
        let parts = members::parse_list(text.as_bytes(), &path).map_err(|p| said(&path, &p))?;
        let own = members::part(self.asked.machine, members.digits);
        let Some(part) = parts.into_iter().find(|part| part.name == own) else {
            return Ok(Membership::NotListed);
        };
        let named = Named::new(
            &[MEMBERS],
            format!("{}.{}", part.name, part.revision),
            &part.sha256,
            members::MAX_BYTES,
        );
        let path = named.path();
        let text = self.part(&named).map_err(|why| (path.clone(), why))?;
        let all = members::parse_part(text.as_bytes(), &part.name, &path).map_err(|p| said(&path, &p))?;
        let own = all.into_iter().find(|member| member.machine == self.asked.machine);
        Ok(own.map_or(Membership::NotListed, Membership::Listed))
    }

    /// The policies of all groups that this machine is in, or may be in. One that cannot be had closes: it is not as good as
    /// none.
    fn policies(&mut self, member: &Membership) -> Vec<GroupRules> {
        let mut all = Vec::new();
        for named in &self.index.policies {
            let own = match member {
                Membership::Listed(member) => member.is_in(&named.group),
                Membership::NotListed => named.group == policy::EVERYBODY,
                Membership::Unknown(_) => true,
            };
            if own {
                let rules = self.policy(named).map_err(|why| {
                    let file =
                        format!("{}/{}", policy::FOLDER, Policy::file_name(&named.group, named.revision));
                    self.problems.push(Problem::of_file(MALFORMED, file.clone(), why.clone()));
                    SafeText::new(&format!("the policy of group {}, {file}: {why}", named.group))
                });
                all.push(GroupRules { group: named.group.clone(), rules });
            }
        }
        all
    }

    fn policy(&mut self, named: &IndexedPolicy) -> Result<Rules, SafeText> {
        let file = Policy::file_name(&named.group, named.revision);
        let part = Named::new(&[policy::FOLDER], file, &named.sha256, policy::MAX_BYTES);
        let text = self.part(&part)?;
        let read = policy::parse(text.as_bytes(), &named.group, &part.path());
        let read = read.map_err(|problems| problems.first().map(super::said).unwrap_or_default())?;
        match read.site_id == self.index.site_id && read.revision == named.revision {
            true => Ok(read.rules),
            false => Err("its site_id or revision is not that of the index".into()),
        }
    }

    fn job(&mut self, named: &IndexedJob) -> Read {
        let file = file_of(named.job_id, named.revision);
        let part = Named::new(
            &[job::FOLDER],
            format!("{}.{}.toml", named.job_id, named.revision),
            &named.sha256,
            job::MAX_BYTES,
        );
        let text = match self.part(&part) {
            Ok(text) => text,
            Err(why) => {
                let message = format!("revision {} cannot be read: {why}", named.revision);
                let problem = Problem::of_file(MALFORMED, file, message);
                self.problems.push(problem.clone());
                return Read::Unread(self.unread(named.job_id, vec![problem]));
            }
        };
        let job = job::parse(text.as_bytes(), named.job_id, &file, &self.asked.defaults.programs);
        let job = match job {
            Ok(job) => job,
            Err(problems) => {
                let unread = self.unread(named.job_id, problems);
                let request_id = job::request_of(&text).or(unread.request_id);
                return Read::Unread(Rejected { request_id, ..unread });
            }
        };
        let differs =
            [("site_id", job.site_id != self.index.site_id), ("revision", job.revision != named.revision)];
        match differs.iter().find(|(_, differs)| *differs) {
            Some((what, _)) => {
                let message = format!("its {what} is not that of the index");
                Read::Wrong(job, Problem::of_file(MALFORMED, file, message))
            }
            None => Read::Good(job),
        }
    }

    /// A job whose file cannot be had or understood.
    fn unread(&self, job: JobId, problems: Vec<Problem>) -> Rejected {
        Rejected { problems, ..self.known_before(job) }
    }

    /// What the job was before: its request is still known by its id, and not run in an older revision.
    fn known_before(&self, job: JobId) -> Rejected {
        let entries = self.asked.before.iter().flat_map(|(file, _)| &file.requests);
        let mut before = entries.filter_map(|entry| match entry {
            Entry::Good(request) if request.job_id == job => Some(Rejected {
                request_id: Some(request.request_id),
                package_id: Some(request.package_id),
                package: Some(request.package.clone()),
                command: Some(request.command.clone()),
                ..Rejected::default()
            }),
            Entry::Rejected(rejected) if rejected.job_id == Some(job) => {
                Some(Rejected { problems: Vec::new(), ..rejected.clone() })
            }
            Entry::Good(_) | Entry::Rejected(_) => None,
        });
        let before = before.next().unwrap_or_default();
        let request_id = before.request_id.or_else(|| self.asked.told.ids.get(&job).copied());
        Rejected { job_id: Some(job), request_id, ..before }
    }

    /// A job for this machine, compared with its package.
    fn delivered(&mut self, named: &IndexedJob, job: &Job) -> (Request, Delivery) {
        let mut request = request(self.index, named, job);
        let opened = self.open(job);
        let compared = opened.and_then(|(package, vouched)| {
            let bound = same(job, &package)?;
            Ok((bound, vouched))
        });
        match compared {
            Ok((more, vouched)) => {
                if let Some(vouched) = vouched {
                    self.packages.insert(job.request_id, Ok(vouched));
                }
                request.ignore_windows = more.ignore_windows && self.asked.defaults.ignore_windows;
                let mut delivery = Delivery { need: more.need, ..delivery(named, job, more.bound, None) };
                for needed in more.after {
                    add(needed, &mut request, &mut delivery);
                }
                (request, delivery)
            }
            Err(distrust) => {
                self.packages.insert(job.request_id, Err(distrust.clone()));
                let delivery = delivery(named, job, None, Some(distrust));
                (request, delivery)
            }
        }
    }

    fn open(&mut self, job: &Job) -> Opened {
        let key = (job.package_sha256.clone(), job.package_id, job.release);
        if let Some(opened) = self.opened.get(&key) {
            return opened.clone();
        }
        let opened = self.read_package(job);
        self.opened.insert(key, opened.clone());
        opened
    }

    fn read_package(&mut self, job: &Job) -> Opened {
        let release = job.release.to_string();
        let folders = ["packages", job.package_id.as_str(), &release];
        let named = Named::new(&folders, package::NAME.to_owned(), &job.package_sha256, package::MAX_BYTES);
        let path = named.path();
        let of = |distrust: Distrust| distrust.at(&path);
        let text = self.part(&named).map_err(|why| of(Distrust::new(Code::Unsigned, why)))?;
        let (programs, trusted) = (&self.asked.defaults.programs, self.asked.trusted);
        // Whose it is comes before what it says.
        let signer = match trusted {
            None => None,
            Some(trusted) => {
                let signature =
                    Named::new(&folders, SIGNATURE.to_owned(), &job.package_sha256, MAX_SIGNATURE);
                let missing = || Distrust::new(Code::Unsigned, "its signature is missing");
                let first = self.source.signature(&signature, false).ok_or_else(missing);
                if first.is_err() {
                    self.missing.push(signature.clone());
                }
                let judge = |armour: &str| verify::package_signer(&text, armour, trusted);
                let signer = match first.and_then(|armour| judge(&armour)) {
                    Ok(signer) => Ok(signer),
                    // It may have been signed anew since.
                    Err(why) => match self.source.signature(&signature, true) {
                        Some(armour) => judge(&armour),
                        None => Err(why),
                    },
                };
                Some(signer.map_err(of)?)
            }
        };
        let package = verify::package(&text, (job.package_id, job.release), programs, trusted).map_err(of)?;
        let vouched = signer.map(|signer| Vouched { release: job.release, signer, need: None });
        Ok((package, vouched))
    }
}
