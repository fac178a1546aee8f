//! The site folder (SITE.md 3): the publisher's own source of everything that is published. It is small text files, fit for
//! Git, and nothing in it ever comes from a share. `settings` is `site.toml`, `machines` the list of machines, `made` how a
//! folder begins, `ids` which ids are free, `edit` one change of it.

pub mod counted;
pub mod edit;
pub mod ids;
pub mod machines;
pub mod made;
pub mod settings;
#[cfg(test)]
mod tests;

use self::machines::Machines;
use self::settings::Settings;
use super::content::hash_bytes;
use super::ids::{JobId, PackageId};
use super::index::job::{self, Job, Word};
use super::index::members::{Member, is_group};
use super::index::policy::{self, Rules};
use super::index::render::job_source;
use super::instruction::ContentHash;
use super::package::shelf;
use super::signed::folder::SiteFolder;
use super::signed::list::TrustList;
use crate::error::{Exit, Failure, Result};
use crate::host::durable;
use crate::host::open::{Folder as Opened, OpenError, open_bounded, read_bounded};
use crate::terms::Problem;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What makes a folder a site folder.
pub const NAME: &str = super::signed::folder::NAME;
/// The lock of a site folder: one publishes at a time.
pub const LOCK: &str = "publishing.lock";
/// Held by whoever reads the folder, edits it and publishes: what was read is what is edited.
pub const EDITING: &str = "editing.lock";
/// What the folder said at earlier publications.
pub const PAST: &str = "past";
/// What the last publication was.
pub const RECORD: &str = "publications.db";
/// What it was called before.
pub const OLD_RECORD: &str = "publication.json";
/// The largest `site.toml` that is read, in bytes.
const MAX_SITE: u64 = 64 << 10;
/// The most jobs that a folder keeps: those that ended stay, so that no id is ever used twice.
const MAX_JOBS: usize = 100_000;
/// The most problems that one message says.
const MOST: usize = 100;

/// A site folder whose `site.toml` was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// Where it is.
    pub dir: PathBuf,
    /// What its `site.toml` says.
    pub settings: Settings,
}

/// All that a site folder says, but for its packages and trust lists.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Source {
    /// The machines.
    pub machines: Arc<Machines>,
    /// Of the bytes of their list; None: there is none.
    list: Option<ContentHash>,
    /// What its files say, letter by letter: `jobs/BP0000AA.toml`.
    pub texts: BTreeMap<String, Arc<str>>,
    /// The jobs, those that ended with them.
    pub jobs: BTreeMap<JobId, (Job, Word)>,
    /// The policies by their groups.
    pub policies: BTreeMap<String, Rules>,
}

impl Source {
    /// Of somebody who knows what the list of machines says, by its hash: where it still says that, none of them are read.
    pub fn of_list(list: &ContentHash) -> Self {
        Self { list: Some(list.clone()), ..Self::default() }
    }

    /// The bytes of the list of machines, by their hash; None: there is no list.
    pub fn list(&self) -> Option<&ContentHash> {
        self.list.as_ref()
    }

    /// What is read is text; what is not is said to be wrong where it is read.
    fn say(&mut self, name: String, bytes: &[u8]) {
        self.texts.insert(name, String::from_utf8_lossy(bytes).into());
    }

    /// What is published of it later is what its file says: the two change together.
    fn say_policy(&mut self, group: &str, rules: &Rules, text: &str) {
        let name = format!("{}/{group}.toml", policy::FOLDER);
        if text.trim().is_empty() {
            self.policies.remove(group);
            self.texts.remove(&name);
        } else {
            self.policies.insert(group.to_owned(), rules.clone());
            self.say(name, text.as_bytes());
        }
    }

    /// The machines as machines read of them, sorted.
    pub fn members(&self) -> Vec<Member> {
        self.machines.values().map(machines::Machine::member).collect()
    }

    /// The same, where nothing else of its machines is wanted: nobody has them twice for it.
    pub fn take_members(&mut self) -> Vec<Member> {
        match Arc::try_unwrap(std::mem::take(&mut self.machines)) {
            Ok(machines) => machines.into_values().map(machines::Machine::into_member).collect(),
            Err(shared) => shared.values().map(machines::Machine::member).collect(),
        }
    }
}

impl Folder {
    /// Reads `site.toml`.
    ///
    /// # Errors
    /// `no-site-folder`: it is not there; `malformed`, with everything that is wrong.
    pub fn open(dir: &Path) -> Result<Self> {
        let path = dir.join(NAME);
        let bytes = Opened::open(dir).and_then(|folder| read_bounded(&mut folder.file(NAME)?, MAX_SITE));
        let bytes = bytes.map_err(|e| {
            Failure::new(
                Exit::NotFound,
                "no-site-folder",
                format!("{} is no site folder: {}: {e}", dir.display(), path.display()),
                "Name it with --folder DIR, or make one: pcm site init DIR --site CODE",
            )
        })?;
        let settings =
            settings::parse(&bytes, &path.display().to_string()).map_err(|problems| malformed(&problems))?;
        Ok(Self { dir: dir.to_owned(), settings })
    }

    /// Where it is published.
    pub fn share(&self) -> PathBuf {
        self.settings.share(&self.dir)
    }

    /// Its trust lists.
    pub fn trust(&self) -> SiteFolder {
        let Settings { site, site_id, .. } = &self.settings;
        SiteFolder { dir: self.dir.clone(), site: *site, site_id: site_id.clone() }
    }

    /// The newest trust list; None: nothing is signed at this site.
    ///
    /// # Errors
    /// It cannot be read, or was changed after it was signed.
    pub fn trust_list(&self) -> Result<Option<TrustList>> {
        self.trust().newest()
    }

    /// Where a package's folder is.
    pub fn package_dir(&self, id: PackageId) -> PathBuf {
        self.dir.join(shelf::FOLDER).join(id.as_str())
    }

    /// The packages that are there.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn package_ids(&self) -> Result<Vec<PackageId>> {
        Ok(shelf::Shelf::open(&self.dir)?.standing()?.ids.into_iter().collect())
    }

    /// Where a job's source is.
    pub fn job_path(&self, id: JobId) -> PathBuf {
        self.dir.join(job::FOLDER).join(format!("{id}.toml"))
    }

    /// Where a group's policy is.
    pub fn policy_path(&self, group: &str) -> PathBuf {
        self.dir.join(policy::FOLDER).join(format!("{group}.toml"))
    }

    /// Where the list of machines is.
    pub fn machines_path(&self) -> PathBuf {
        self.dir.join(machines::NAME)
    }

    /// Reads all of it. `programs` are the bare names that some machine may start.
    ///
    /// # Errors
    /// `malformed`: everything that is wrong, in one message.
    pub fn read(&self, programs: &[String]) -> Result<Source> {
        self.read_again(programs, None)
    }

    /// The same once more: a list of machines that has not changed since is not read line by line again.
    ///
    /// # Errors
    /// As [`Folder::read`].
    pub fn read_again(&self, programs: &[String], before: Option<&Source>) -> Result<Source> {
        self.parse(programs, before).map_err(|problems| malformed(&problems))
    }

    /// The same, with each thing that is wrong for itself.
    ///
    /// # Errors
    /// All of them.
    pub fn parse(&self, programs: &[String], before: Option<&Source>) -> Result<Source, Vec<Problem>> {
        let (source, problems) = self.readable(programs, before);
        if problems.is_empty() { Ok(source) } else { Err(problems) }
    }

    /// What of it can be read, and what is wrong with the rest.
    pub fn readable(&self, programs: &[String], before: Option<&Source>) -> (Source, Vec<Problem>) {
        let mut problems = Vec::new();
        let mut source = Source::default();
        let read = self.machines_bytes().and_then(|bytes| {
            source.list = bytes.as_deref().map(hash_bytes);
            if let Some(bytes) = &bytes {
                source.say(machines::NAME.to_owned(), bytes);
            }
            match before.filter(|before| before.list == source.list) {
                Some(before) => Ok(Arc::clone(&before.machines)),
                None => self.parse_machines(bytes).map(Arc::new),
            }
        });
        match read {
            Ok(machines) => source.machines = machines,
            Err(mut wrong) => problems.append(&mut wrong),
        }
        for (name, bytes) in self.files(job::FOLDER, job::MAX_BYTES, &mut problems) {
            let shown = self.dir.join(job::FOLDER).join(&name).display().to_string();
            source.say(format!("{}/{name}", job::FOLDER), &bytes);
            let id = name.strip_suffix(".toml").and_then(|stem| stem.parse::<JobId>().ok());
            let Some(id) = id.filter(|id| id.site() == self.settings.site && name == format!("{id}.toml"))
            else {
                let message = format!("its name is not a job's: wanted {}0000A.toml", self.settings.site);
                problems.push(Problem::of_file("malformed", shown, message));
                continue;
            };
            match job::parse_source(&bytes, id, &self.settings.site_id, &shown, programs) {
                Ok(job) => drop(source.jobs.insert(id, job)),
                Err(mut wrong) => problems.append(&mut wrong),
            }
        }
        for (name, bytes) in self.files(policy::FOLDER, policy::MAX_BYTES, &mut problems) {
            let shown = self.dir.join(policy::FOLDER).join(&name).display().to_string();
            source.say(format!("{}/{name}", policy::FOLDER), &bytes);
            let Some(group) = name.strip_suffix(".toml").filter(|group| is_group(group)) else {
                let message = "its name is not a group's: wanted GROUP.toml, a-z, 0-9, - and _";
                problems.push(Problem::of_file("malformed", shown, message));
                continue;
            };
            match policy::parse_source(&bytes, &shown) {
                Ok(rules) => drop(source.policies.insert(group.to_owned(), rules)),
                Err(mut wrong) => problems.append(&mut wrong),
            }
        }
        (source, problems)
    }

    /// One job, whatever is wrong with others; None: it cannot be read either.
    pub fn read_job(&self, id: JobId, programs: &[String]) -> Option<(Job, Word)> {
        let path = self.job_path(id);
        let bytes = open_bounded(&path, job::MAX_BYTES).ok()?;
        job::parse_source(&bytes, id, &self.settings.site_id, &path.display().to_string(), programs).ok()
    }

    /// What a folder with these files would say; None: something is wrong with one of them.
    pub fn of_texts(&self, texts: &BTreeMap<String, String>, programs: &[String]) -> Option<Source> {
        let mut source = Source::default();
        for (path, text) in texts {
            let bytes = text.as_bytes();
            source.say(path.clone(), bytes);
            let stem = |folder: &str| path.strip_prefix(folder)?.strip_prefix('/')?.strip_suffix(".toml");
            if path == machines::NAME {
                source.list = Some(hash_bytes(bytes));
                source.machines = Arc::new(machines::parse(bytes, self.settings.site, path).ok()?);
            } else if let Some(id) = stem(job::FOLDER) {
                let id = id.parse::<JobId>().ok()?;
                let job = job::parse_source(bytes, id, &self.settings.site_id, path, programs).ok()?;
                source.jobs.insert(id, job);
            } else if let Some(group) = stem(policy::FOLDER).filter(|group| is_group(group)) {
                source.policies.insert(group.to_owned(), policy::parse_source(bytes, path).ok()?);
            } else {
                return None;
            }
        }
        Some(source)
    }

    /// The list of machines.
    ///
    /// # Errors
    /// Every line that is wrong.
    pub fn read_machines(&self) -> Result<Machines, Vec<Problem>> {
        self.machines_bytes().and_then(|bytes| self.parse_machines(bytes))
    }

    fn machines_bytes(&self) -> Result<Option<Vec<u8>>, Vec<Problem>> {
        let read = Opened::open(&self.dir)
            .and_then(|folder| read_bounded(&mut folder.file(machines::NAME)?, machines::MAX_BYTES));
        match read {
            Ok(bytes) => Ok(Some(bytes)),
            Err(OpenError::Missing) => Ok(None),
            Err(e) => {
                let shown = self.machines_path().display().to_string();
                Err(vec![Problem::of_file("malformed", shown, e.to_string())])
            }
        }
    }

    fn parse_machines(&self, bytes: Option<Vec<u8>>) -> Result<Machines, Vec<Problem>> {
        let shown = self.machines_path().display().to_string();
        bytes.map_or_else(|| Ok(Machines::new()), |bytes| machines::parse(&bytes, self.settings.site, &shown))
    }

    /// Writes the list of machines. What somebody noted in it stays.
    ///
    /// # Errors
    /// What the system refuses.
    pub fn write_machines(&self, machines: &Machines) -> Result<()> {
        let old = self.machines_bytes().ok().flatten().unwrap_or_default();
        let old = String::from_utf8_lossy(&old);
        self.write(&self.machines_path(), &machines::render_over(&old, self.settings.site, machines))
    }

    /// Writes a job.
    ///
    /// # Errors
    /// What the system refuses.
    pub fn write_job(&self, job: &Job, word: &Word) -> Result<()> {
        self.write(&self.job_path(job.job_id), &job_source(job, word))
    }

    /// The text of a group's policy; empty where there is none.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn policy_text(&self, group: &str) -> Result<String> {
        match open_bounded(&self.policy_path(group), policy::MAX_BYTES) {
            Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Err(OpenError::Missing) => Ok(String::new()),
            Err(e) => {
                let shown = self.policy_path(group).display().to_string();
                Err(malformed(&[Problem::of_file("malformed", shown, e.to_string())]))
            }
        }
    }

    /// Writes a policy; one that says nothing is removed.
    ///
    /// # Errors
    /// What the system refuses.
    pub fn write_policy(&self, group: &str, rules: &Rules) -> Result<()> {
        let text = if *rules == Rules::default() { String::new() } else { policy::render_rules(rules) };
        self.write_policy_text(group, &text)
    }

    /// Writes the text of a policy; an empty one is removed.
    ///
    /// # Errors
    /// What the system refuses.
    pub fn write_policy_text(&self, group: &str, text: &str) -> Result<()> {
        let path = self.policy_path(group);
        if !text.trim().is_empty() {
            return self.write(&path, text);
        }
        match std::fs::remove_file(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(not_written(&path, &e)),
            _ => Ok(()),
        }
    }

    /// Makes a folder in it where there is none. Whoever may write the site folder may write this one.
    ///
    /// # Errors
    /// What the system refuses.
    pub fn make_folder(&self, path: &Path) -> std::io::Result<()> {
        if path.is_dir() {
            return Ok(());
        }
        durable::make_readable_dir(path)?;
        std::fs::set_permissions(path, std::fs::metadata(&self.dir)?.permissions())
    }

    fn write(&self, path: &Path, text: &str) -> Result<()> {
        let folder = path.parent().unwrap_or(&self.dir);
        self.make_folder(folder)
            .and_then(|()| durable::write(path, text.as_bytes()))
            .map_err(|e| not_written(path, &e))
    }

    /// The files of a folder in it, by name. What begins with a dot is an editor's or an unfinished one.
    fn files(&self, folder: &str, limit: u64, problems: &mut Vec<Problem>) -> Vec<(String, Vec<u8>)> {
        let shown = |name: &str| self.dir.join(folder).join(name).display().to_string();
        let opened = Opened::open(&self.dir).and_then(|dir| dir.folder(folder));
        let names = opened.and_then(|opened| Ok((opened.names(MAX_JOBS)?, opened)));
        let (names, opened) = match names {
            Ok(names) => names,
            Err(OpenError::Missing) => return Vec::new(),
            Err(e) => {
                problems.push(Problem::of_file("malformed", shown(""), e.to_string()));
                return Vec::new();
            }
        };
        let mut names: Vec<String> = names.iter().map(|name| name.to_string_lossy().into_owned()).collect();
        names.retain(|name| !name.starts_with('.') && !name.ends_with('~'));
        names.sort();
        let mut files = Vec::new();
        for name in names {
            match opened.file(&name).and_then(|mut file| read_bounded(&mut file, limit)) {
                Ok(bytes) => files.push((name, bytes)),
                Err(e) => problems.push(Problem::of_file("malformed", shown(&name), e.to_string())),
            }
        }
        files
    }
}

/// Everything that is wrong, in one message, which names each file once.
pub fn malformed(problems: &[Problem]) -> Failure {
    let mut last = None;
    let mut words: Vec<String> = problems
        .iter()
        .take(MOST)
        .map(|p| {
            let line = p.line.map(|line| format!("line {line}"));
            let field = p.field.as_ref().map(ToString::to_string);
            let file = (last != Some(&p.file)).then(|| p.file.to_string());
            last = Some(&p.file);
            let place: Vec<String> = [file, line, field].into_iter().flatten().collect();
            match place.is_empty() {
                true => p.message.to_string(),
                false => format!("{}: {}", place.join(", "), p.message),
            }
        })
        .collect();
    if problems.len() > MOST {
        words.push(format!("and at least {} more", problems.len() - MOST));
    }
    Failure::new(Exit::Failed, "malformed", words.join("; "), "Correct that; nothing was published")
}

fn not_written(path: &Path, e: &std::io::Error) -> Failure {
    let message = format!("{} was not written: {e}", path.display());
    Failure::new(Exit::Failed, "not-written", message, "Correct that and try again")
}
