//! The packages that jobs run (SITE.md 2): each release stands under its own name on the share and never changes there. What
//! the share has is left as it is; what it lacks comes from the site folder, or nothing is published.

use super::place::Share;
use crate::error::{Exit, Failure, Result};
use crate::host::open::{Folder as Opened, read_bounded};
use crate::site::content::{self, Content, hash_bytes, parse_content};
use crate::site::folder::Folder;
use crate::site::ids::{JobId, PackageId};
use crate::site::index::job::Job;
use crate::site::instruction::ContentHash;
use crate::site::package::shelf::FOLDER;
use crate::site::package::{self, Package};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// The signature beside a definition.
pub const SIGNATURE: &str = "package.toml.sig";
/// The largest that is read, in bytes.
pub const MAX_SIGNATURE: u64 = 4 << 10;

/// What jobs want of one release of a package.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Of its definition.
    pub sha256: ContentHash,
    /// Of its list of files.
    pub content: Option<ContentHash>,
    /// Who wants it.
    pub jobs: Vec<Job>,
    /// Machines want its signature.
    pub signed: bool,
    /// The trust list says that no machine runs it.
    pub withdrawn: bool,
}

/// What the share lacks of them.
#[derive(Debug, Default)]
pub struct Packages {
    new: Vec<One>,
    /// What is wrong with releases that only jobs want which are published as they are.
    pub faults: Vec<Failure>,
}

#[derive(Debug)]
struct One {
    id: PackageId,
    release: u64,
    definition: Option<Vec<u8>>,
    signature: Option<Vec<u8>>,
    files: Option<Files>,
}

#[derive(Debug)]
struct Files {
    hash: ContentHash,
    list: Vec<u8>,
    content: Content,
    folder: PathBuf,
}

impl Packages {
    /// Finds what the share lacks, and where it comes from. What is wrong with a release of jobs that were published as they
    /// are (`unchanged`) is no reason to hold back the cancellation of another job, or of these.
    ///
    /// # Errors
    /// Neither has it; what is published is not what a job says.
    pub fn find(
        folder: &Folder,
        share: &Share,
        wanted: BTreeMap<(PackageId, u64), Wanted>,
        unchanged: &BTreeSet<JobId>,
    ) -> Result<Self> {
        let (mut new, mut faults) = (Vec::new(), Vec::new());
        for ((id, release), wanted) in wanted {
            let one = match One::find(folder, share, id, release, &wanted) {
                Err(fault)
                    if fault.exit == Exit::Refused as u8
                        && !wanted.jobs.is_empty()
                        && wanted.jobs.iter().all(|job| unchanged.contains(&job.job_id)) =>
                {
                    faults.push(fault);
                    continue;
                }
                one => one?,
            };
            if one.definition.is_some() || one.signature.is_some() || one.files.is_some() {
                new.push(one);
            }
        }
        Ok(Self { new, faults })
    }

    /// Whether the share has all of them.
    pub fn are_there(&self) -> bool {
        self.new.is_empty()
    }

    /// Those whose release is new on the share.
    pub fn new_ones(&self) -> Vec<PackageId> {
        self.new.iter().filter(|one| one.definition.is_some()).map(|one| one.id).collect()
    }

    /// What would be written, and how many bytes.
    pub fn sizes(&self) -> Vec<(String, u64)> {
        let mut sizes = Vec::new();
        for one in &self.new {
            if let Some(files) = &one.files {
                let hash = files.hash.as_str();
                for file in &files.content.files {
                    sizes.push((format!("content/{hash}/{}/{}", content::FILES, file.path), file.size));
                }
                sizes.push((format!("content/{hash}/{}", content::NAME), files.list.len() as u64));
            }
            for (name, bytes) in [(SIGNATURE, &one.signature), (package::NAME, &one.definition)] {
                if let Some(bytes) = bytes {
                    let path = format!("{FOLDER}/{}/{}/{name}", one.id, one.release);
                    sizes.push((path, bytes.len() as u64));
                }
            }
        }
        sizes
    }

    /// Writes them: files before the list that names them, a signature before what it signs.
    ///
    /// # Errors
    /// What the share refuses.
    pub fn place(&self, share: &mut Share) -> Result<()> {
        for one in &self.new {
            if let Some(files) = &one.files {
                share.content(&files.folder, &files.hash, &files.list, &files.content)?;
            }
            let release = one.release.to_string();
            let folders = [FOLDER, one.id.as_str(), release.as_str()];
            if let Some(signature) = &one.signature {
                share.write(&folders, SIGNATURE, signature)?;
            }
            if let Some(definition) = &one.definition {
                share.write(&folders, package::NAME, definition)?;
            }
        }
        Ok(())
    }
}

impl One {
    fn find(folder: &Folder, share: &Share, id: PackageId, release: u64, wanted: &Wanted) -> Result<Self> {
        let number = release.to_string();
        let folders = [FOLDER, id.as_str(), number.as_str()];
        let who = || wanted.jobs.first().map_or_else(String::new, |job| format!("{} runs it; ", job.job_id));
        let refuse = |code: &str, message: String, remedy: String| {
            let message = format!("nothing was published: {}{message}", who());
            Failure::new(Exit::Refused, code, message, remedy)
        };
        if wanted.withdrawn {
            let message =
                format!("release {release} of {id} is withdrawn, so no machine in mode signed runs it");
            let remedy =
                format!("Make a new release with pcm package sign {id}, and cancel what runs the old one");
            return Err(refuse("package-withdrawn", message, remedy));
        }
        let dir = folder.package_dir(id);
        let own = |name: &str, limit: u64| {
            Opened::open(&dir).and_then(|folder| read_bounded(&mut folder.file(name)?, limit)).ok()
        };
        let own_definition =
            own(package::NAME, package::MAX_BYTES).filter(|own| hash_bytes(own) == wanted.sha256);
        let mut own_signature = own_definition.is_some().then(|| own(SIGNATURE, MAX_SIGNATURE)).flatten();
        let there = share.read(&folders, package::NAME, package::MAX_BYTES)?;
        let (definition, signature) = match there {
            Some(bytes) if hash_bytes(&bytes) != wanted.sha256 => {
                let message = format!(
                    "release {release} of {id} is published with other bytes than the job names, and a release never \
                     changes"
                );
                return Err(refuse(
                    "release-changed",
                    message,
                    format!(
                        "Make a new release with pcm package sign {id}, and cancel what runs the old one"
                    ),
                ));
            }
            Some(bytes) => {
                let old = share.read(&folders, SIGNATURE, MAX_SIGNATURE)?;
                if old == own_signature {
                    own_signature = None;
                }
                judge(&bytes, wanted).map_err(|(code, message)| refuse(code, message, again(id)))?;
                (None, own_signature)
            }
            None => match own_definition {
                Some(bytes) => {
                    judge(&bytes, wanted).map_err(|(code, message)| refuse(code, message, again(id)))?;
                    if wanted.signed && own_signature.is_none() {
                        let message = format!("release {release} of {id} has no signature");
                        return Err(refuse(
                            "unsigned",
                            message,
                            format!("Sign it: pcm package sign {id} --key KEY"),
                        ));
                    }
                    (Some(bytes), own_signature)
                }
                None => {
                    let message =
                        format!("neither the site folder nor the share has release {release} of {id}");
                    let remedy =
                        format!("Put that release back into {}, or cancel what runs it", dir.display());
                    return Err(refuse("package-missing", message, remedy));
                }
            },
        };
        let files = match &wanted.content {
            None => None,
            Some(hash) => match share.read(&["content", hash.as_str()], content::NAME, content::MAX_BYTES)? {
                Some(_) => None,
                None => match files(&dir, hash) {
                    Ok(files) => Some(files),
                    Err(why) => {
                        let message =
                            format!("neither the site folder nor the share has the files of {id}: {why}");
                        let files = dir.join(content::FILES);
                        let remedy =
                            format!("Put them back into {}, or cancel what runs them", files.display());
                        return Err(refuse("content-missing", message, remedy));
                    }
                },
            },
        };
        Ok(Self { id, release, definition, signature, files })
    }
}

fn again(id: PackageId) -> String {
    format!("Send the job again after pcm package sign {id}, or correct its file")
}

/// The files of a package in the site folder, where their list is this one.
fn files(dir: &std::path::Path, hash: &ContentHash) -> Result<Files, String> {
    let words = |e: crate::host::open::OpenError| format!("{}: {e}", content::NAME);
    let folder = Opened::open(dir).map_err(words)?;
    let list = folder.file(content::NAME).and_then(|mut file| read_bounded(&mut file, content::MAX_BYTES));
    let list = list.map_err(words)?;
    if hash_bytes(&list) != *hash {
        return Err(format!("{} there is another list", content::NAME));
    }
    let content = parse_content(&list).map_err(|e| e.to_string())?;
    if !content.files.is_empty() && folder.folder(content::FILES).is_err() {
        return Err(format!("there is no folder {}", content::FILES));
    }
    Ok(Files { hash: hash.clone(), list, content, folder: dir.to_owned() })
}

/// Whether every job says what the package says.
fn judge(definition: &[u8], wanted: &Wanted) -> Result<(), (&'static str, String)> {
    let Some(first) = wanted.jobs.first() else { return Ok(()) };
    // Whatever some machine may start: it judges by its own list.
    let programs: Vec<String> = wanted
        .jobs
        .iter()
        .filter_map(|job| match &job.command_line.program {
            crate::site::instruction::Program::Listed(name) => Some(name.clone()),
            crate::site::instruction::Program::InPackage(_) => None,
        })
        .collect();
    let shown = format!("{}/{}/{}", FOLDER, first.package_id, package::NAME);
    let package = package::parse(definition, &shown, &programs).map_err(|problems| {
        let words = problems.first().map(|p| p.message.to_string()).unwrap_or_default();
        ("malformed", format!("{shown}: {words}"))
    })?;
    for job in &wanted.jobs {
        if let Some(what) = differs(job, &package) {
            let message =
                format!("{what} of {} is not what release {} of its package says", job.job_id, job.release);
            return Err(("package-mismatch", message));
        }
    }
    Ok(())
}

/// The first field in which a job differs from its package.
pub fn differs(job: &Job, package: &Package) -> Option<&'static str> {
    let Some(command) = package.commands.iter().find(|command| command.name == job.command) else {
        return Some("command");
    };
    let copy = command.copied();
    let equal = [
        ("package_id", package.package_id == job.package_id),
        ("release", package.release.unwrap_or(0) == job.release),
        ("package", package.name == job.package),
        ("version", package.version.clone().unwrap_or_default() == job.version),
        ("command_line", command.command_line == job.command_line),
        ("content_sha256", package.content_sha256 == job.content_sha256),
        ("removes", command.removes == job.removes),
        ("automated", copy.automated == job.how.automated),
        ("background", copy.background == job.how.background),
        ("platforms", copy.platforms == job.how.platforms),
        ("run_when", copy.run_when == job.how.run_when),
        ("max_run_time", copy.max_run_time == job.how.max_run_time),
        ("restarts", copy.restarts == job.how.restarts),
        ("disk_space", copy.disk_space == job.how.disk_space),
        ("exit_codes", copy.exit_codes == job.how.exit_codes),
    ];
    equal.iter().find(|(_, equal)| !equal).map(|(what, _)| *what)
}
