//! A share that is filled by hand, taken into a site folder (`pcm site init --from`): its machines, its packages, and each
//! request as a job under its own request id, so that no machine runs again what it has run. Nothing is lost silently: what
//! is not taken is said, with the reason.

use super::content::FILES;
use super::folder::{Folder, ids, machines};
use super::ids::{JobId, MachineId, PackageId, RequestId, SiteCode};
use super::index::job::{self, Job, Needed, Times, Word};
use super::index::policy::{EVERYBODY, Rules};
use super::index::render::job_source;
use super::index::target::{MAX_TARGETS, Target};
use super::index::{self, JobState};
use super::instruction::parse::how::How;
use super::instruction::parse::{Defaults, parse};
use super::instruction::render::quoted;
use super::instruction::{self, Entry, Request};
use super::package::import::folder::files as files_of;
use super::package::shelf::{self, Shelf};
use super::package::{self, MAX_RUN_TIME, Package, PackageCommand};
use super::publisher::release;
use super::report::{self, MachineReport};
use super::share::INS_FOLDER;
use super::site_file::{self, SiteFile};
use crate::error::{Exit, Failure, Result};
use crate::host::durable;
use crate::host::open::{Folder as Opened, OpenError, read_bounded};
use crate::site::content::hash_bytes;
use crate::terms::Problem;
use crate::text::SafeText;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The most names of a folder of the share.
const MAX_NAMES: usize = 200_000;

/// What such a share holds.
pub struct HandMade {
    share: PathBuf,
    site: SiteFile,
    machines: BTreeMap<MachineId, Vec<Request>>,
    hosts: BTreeMap<MachineId, String>,
    packages: Vec<PackageId>,
    serial: u64,
    left: Vec<Left>,
}

/// Something that was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// What.
    pub what: SafeText,
    /// Why not.
    pub why: SafeText,
}

/// What was taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Taken {
    /// How many machines.
    pub machines: usize,
    /// Their packages.
    pub packages: Vec<PackageId>,
    /// Of their requests.
    pub jobs: Vec<JobId>,
    /// The first publication on that share needs at least this number: its machines have seen all below.
    pub serial: u64,
    /// And what not.
    pub left: Vec<Left>,
}

fn left(what: impl AsRef<str>, why: impl AsRef<str>) -> Left {
    Left { what: SafeText::new(what.as_ref()), why: SafeText::new(why.as_ref()) }
}

fn first(problems: &[Problem]) -> String {
    problems.first().map_or_else(String::new, |problem| match problem.line {
        Some(line) => format!("line {line}: {}", problem.message),
        None => problem.message.to_string(),
    })
}

/// Reads a share that is filled by hand. `programs` are the bare names that some machine may start.
///
/// # Errors
/// It cannot be read, is of another site, or is no such share.
pub fn read(share: &Path, site: SiteCode, programs: &[String]) -> Result<HandMade> {
    let cannot = |e: &OpenError| {
        let message = format!("nothing was made: {} cannot be read: {e}", share.display());
        Failure::new(Exit::Share, "share-missing", message, "Name a share that is filled by hand with --from")
    };
    let root = Opened::open(share).map_err(|e| cannot(&e))?;
    if root.file(index::NAME).err() != Some(OpenError::Missing) {
        let message = format!("nothing was made: {} has an index, {}", share.display(), index::NAME);
        let remedy =
            "It is made from a site folder already: work in that one, or take it from its repository";
        return Err(Failure::new(Exit::Refused, "not-hand-made", message, remedy));
    }
    let bytes = root.file(site_file::NAME).and_then(|mut file| read_bounded(&mut file, site_file::MAX_BYTES));
    let bytes = bytes.map_err(|e| cannot(&e))?;
    let own = site_file::parse(&bytes, site_file::NAME).map_err(|p| super::folder::malformed(&p))?;
    let warnings = own.warnings.clone();
    if own.site != site {
        let message = format!("nothing was made: {} is of site {}, not of {site}", share.display(), own.site);
        return Err(Failure::new(Exit::Usage, "other-site", message, format!("Say --site {}", own.site)));
    }
    let mut made = HandMade {
        share: share.to_owned(),
        site: own,
        machines: BTreeMap::new(),
        hosts: BTreeMap::new(),
        packages: Vec::new(),
        serial: 0,
        left: Vec::new(),
    };
    made.warned(site_file::NAME, &warnings);
    made.instructions(&root, programs);
    made.packages(&root);
    let names = root.names(MAX_NAMES).map_err(|e| cannot(&e))?;
    for name in names.iter().map(|name| name.to_string_lossy()) {
        let why = match name.as_ref() {
            site_file::NAME | INS_FOLDER | shelf::FOLDER => continue,
            report::FOLDER => "the machines write it; only their host names were taken from it",
            report::RESULTS => "the machines write it: their results stay there",
            "trust" => "a site folder has trust lists of its own: pcm key trust",
            _ => "no machine reads it",
        };
        made.left.push(left(&name, why));
    }
    Ok(made)
}

impl HandMade {
    /// What no machine understands of a file that is taken.
    fn warned(&mut self, file: &str, warnings: &[Problem]) {
        for warning in warnings {
            let field = warning.field.as_ref().map(|field| format!(", {field}")).unwrap_or_default();
            let line = warning.line.map(|line| format!(", line {line}")).unwrap_or_default();
            self.left.push(left(format!("{file}{line}{field}"), warning.message.as_str()));
        }
    }

    fn instructions(&mut self, root: &Opened, programs: &[String]) {
        let defaults =
            Defaults { max_run_time: MAX_RUN_TIME, programs: programs.to_vec(), ignore_windows: false };
        let folder = match root.folder(INS_FOLDER) {
            Ok(folder) => folder,
            Err(e) => return self.left.push(left(INS_FOLDER, e.to_string())),
        };
        let names = match folder.names(MAX_NAMES) {
            Ok(names) => names,
            Err(e) => return self.left.push(left(INS_FOLDER, e.to_string())),
        };
        let mut names: Vec<String> = names.iter().map(|name| name.to_string_lossy().into_owned()).collect();
        names.sort();
        for name in names {
            let shown = format!("{INS_FOLDER}/{name}");
            let id =
                name.to_ascii_uppercase().strip_suffix(".INS").and_then(|id| id.parse::<MachineId>().ok());
            let Some(id) = id.filter(|id| id.site() == self.site.site) else {
                self.left.push(left(&shown, "its name is not that of a machine's instruction file"));
                continue;
            };
            let bytes =
                folder.file(&name).and_then(|mut file| read_bounded(&mut file, instruction::MAX_BYTES));
            let read = bytes
                .map_err(|e| e.to_string())
                .and_then(|bytes| parse(&bytes, id, &shown, &defaults).map_err(|problems| first(&problems)));
            let file = match read {
                Ok(file) => file,
                Err(why) => {
                    self.left.push(left(&shown, why));
                    continue;
                }
            };
            self.serial = self.serial.max(file.serial);
            self.warned(&shown, &file.warnings);
            let mut requests = Vec::new();
            for entry in file.requests {
                match entry {
                    Entry::Good(request) => requests.push(*request),
                    Entry::Rejected(rejected) => {
                        let which =
                            rejected.request_id.map_or_else(|| "a request".to_owned(), |id| id.to_string());
                        self.left.push(left(format!("{which} of {id}"), first(&rejected.problems)));
                    }
                }
            }
            if let Some(host) = host(root, id) {
                self.hosts.insert(id, host);
            }
            self.machines.insert(id, requests);
        }
    }

    fn packages(&mut self, root: &Opened) {
        let standing = root.folder(shelf::FOLDER).and_then(|folder| shelf::standing(&folder));
        match standing {
            Ok(standing) => {
                self.packages = standing.ids.into_iter().collect();
                let others = standing.left.iter();
                self.left.extend(others.map(|other| left(other.path.display().to_string(), other.words())));
            }
            Err(e) => self.left.push(left(shelf::FOLDER, e.to_string())),
        }
    }

    /// Writes it into a new site folder.
    ///
    /// # Errors
    /// What the system refuses.
    pub fn write(self, folder: &Folder, programs: &[String]) -> Result<Taken> {
        let mut taken = Taken { left: self.left, serial: self.serial + 1, ..Taken::default() };
        let settings =
            super::folder::settings::Settings { name: self.site.name.clone(), ..folder.settings.clone() };
        let mut text = settings.starter();
        if let Some(contact) = &self.site.contact {
            text = text.replace(
                "# contact = \"ops@example.com\"",
                &format!("contact = {}", quoted(contact.as_str())),
            );
        }
        let path = folder.dir.join(super::folder::NAME);
        durable::write(&path, text.as_bytes()).map_err(|e| {
            let message = format!("{} was not written: {e}", path.display());
            Failure::new(Exit::Failed, "not-written", message, "Remove what was begun and try again")
        })?;
        let rules = Rules {
            freezes: self.site.freezes.clone(),
            polling_interval: self.site.polling_interval,
            ..Rules::default()
        };
        folder.write_policy(EVERYBODY, &rules)?;
        let mut list = machines::Machines::new();
        for id in self.machines.keys() {
            let host = self.hosts.get(id).cloned();
            // Of two machines with one host name it is nobody's.
            let alone =
                |host: &String| self.hosts.values().filter(|h| h.eq_ignore_ascii_case(host)).count() == 1;
            list.insert(*id, machines::Machine { host: host.filter(alone), ..machines::Machine::new(*id) });
        }
        folder.write_machines(&list)?;
        taken.machines = list.len();
        let mut released = BTreeMap::new();
        for id in &self.packages {
            match package(&self.share, folder, *id, programs) {
                Ok(package) => drop(released.insert(*id, package)),
                Err(why) => taken.left.push(left(format!("{}/{id}", shelf::FOLDER), why)),
            }
        }
        taken.packages = released.keys().copied().collect();
        jobs(&self.machines, folder, &released, programs, &mut taken)?;
        Ok(taken)
    }
}

/// The host name that a machine's report says.
fn host(root: &Opened, id: MachineId) -> Option<String> {
    let folder = root.folder(report::FOLDER).ok()?;
    let bytes = read_bounded(&mut folder.file(&report::report_name(id)).ok()?, report::MAX_BYTES).ok()?;
    let report = MachineReport::from_bytes(&bytes).ok().filter(|report| report.summary.machine == id)?;
    machines::check_host(report.summary.host.as_str()).ok().flatten()
}

/// A package and the bytes of its definition, copied and made a release.
type Released = (Package, String);

fn package(
    share: &Path,
    folder: &Folder,
    id: PackageId,
    programs: &[String],
) -> std::result::Result<Released, String> {
    let dir = share.join(shelf::FOLDER).join(id.as_str());
    let opened = shelf::package(share, id).map_err(|e| e.to_string())?;
    shelf::read(&opened, programs).map_err(|problems| first(&problems))?;
    let bytes = opened.file(package::NAME).and_then(|mut file| read_bounded(&mut file, package::MAX_BYTES));
    let definition = String::from_utf8(bytes.map_err(|e| e.to_string())?).map_err(|e| e.to_string())?;
    let files = match opened.folder(FILES) {
        Ok(_) => files_of(&dir.join(FILES))?,
        Err(OpenError::Missing) => Vec::new(),
        Err(e) => return Err(format!("{FILES}: {e}")),
    };
    let said = |failure: Failure| failure.message.to_string();
    Shelf::open(&folder.dir).map_err(said)?.place(id, &definition, &files, &[], false).map_err(said)?;
    let release = release::fill(folder, id, false, None, programs).map_err(said)?;
    release::write(folder, &release).map_err(said)?;
    Ok((release.package, release.text))
}

/// Each request as a job; what several machines have under one id is one job.
fn jobs(
    machines: &BTreeMap<MachineId, Vec<Request>>,
    folder: &Folder,
    packages: &BTreeMap<PackageId, Released>,
    programs: &[String],
    taken: &mut Taken,
) -> Result<()> {
    let site = folder.settings.site;
    let all =
        || machines.iter().flat_map(|(id, requests)| requests.iter().map(move |request| (*id, request)));
    let mut highest = all().map(|(_, request)| ids::number(request.job_id.as_str())).max().unwrap_or(0);
    let mut jobs: BTreeMap<RequestId, (Job, Word)> = BTreeMap::new();
    let mut used: Vec<JobId> = Vec::new();
    for (machine, request) in all() {
        let mut no = |why: String| taken.left.push(left(format!("{} of {machine}", request.request_id), why));
        let (job, word) = match job(folder, packages, machine, request) {
            Ok(made) => made,
            Err(why) => {
                no(why);
                continue;
            }
        };
        if let Some((known, known_word)) = jobs.get_mut(&job.request_id) {
            let same = Job { job_id: known.job_id, targets: known.targets.clone(), ..job.clone() } == *known;
            if !same || word != *known_word {
                no("another machine has another request under this id".to_owned());
            } else if known.targets.len() >= MAX_TARGETS {
                no(format!("{MAX_TARGETS} machines have it: send it to a group"));
            } else {
                known.targets.extend(job.targets);
            }
            continue;
        }
        let mut job = job;
        if used.contains(&job.job_id) || job.job_id.site() != site {
            job.job_id = ids::next(site, 5, std::iter::once(highest), "job")?;
            highest = highest.max(ids::number(job.job_id.as_str()));
        }
        let shown = folder.job_path(job.job_id).display().to_string();
        let text = job_source(&job, &word);
        match job::parse_source(text.as_bytes(), job.job_id, &job.site_id, &shown, programs) {
            Ok(_) => {
                used.push(job.job_id);
                jobs.insert(job.request_id, (job, word));
            }
            Err(problems) => no(first(&problems)),
        }
    }
    for (job, word) in jobs.values() {
        folder.write_job(job, word)?;
        taken.jobs.push(job.job_id);
    }
    taken.jobs.sort_unstable();
    Ok(())
}

/// The job that says what a request of one machine says; or why none does.
fn job(
    folder: &Folder,
    packages: &BTreeMap<PackageId, Released>,
    machine: MachineId,
    request: &Request,
) -> std::result::Result<(Job, Word), String> {
    let (package, text) = packages
        .get(&request.package_id)
        .ok_or_else(|| format!("its package {} was not taken", request.package_id))?;
    let named =
        |command: &&PackageCommand| command.name.as_str().eq_ignore_ascii_case(request.command.as_str());
    let command = package.commands.iter().find(named);
    let command = command
        .ok_or_else(|| format!("{} has no command {:?}", package.package_id, request.command.as_str()))?;
    let how = How {
        automated: request.automated,
        background: request.background,
        platforms: request.platforms.clone(),
        run_when: request.run_when,
        max_run_time: Some(request.max_run_time),
        restarts: request.restarts,
        ignore_windows: false,
        disk_space: request.disk_space.filter(|bytes| *bytes > 0),
        exit_codes: request.exit_codes.clone(),
    };
    let windows = request.ignore_windows == command.how.ignore_windows;
    if request.command_line != command.command_line || how != command.copied() || !windows {
        return Err(format!(
            "it runs {} of {} otherwise than {} says",
            command.name,
            package.package_id,
            package::NAME
        ));
    }
    if request.content_sha256.is_some() && request.content_sha256 != package.content_sha256 {
        return Err(format!("the files of {} are not those that it was published with", package.package_id));
    }
    let state = if request.suspended { JobState::Suspended } else { JobState::Active };
    let ids = (folder.settings.site_id.clone(), request.job_id, request.request_id);
    let job = Job {
        times: Times {
            offer: Some(request.offer_after),
            mandatory: request.mandatory_after,
            expire: request.expire_after,
        },
        targets: vec![Target::Machine(machine)],
        depends_on: request.depends_on.iter().map(|id| Needed::Request(*id)).collect(),
        ..Job::of(ids, (package, hash_bytes(text.as_bytes())), command)
    };
    Ok((job, Word { state, ..Word::default() }))
}
