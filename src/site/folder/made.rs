//! Making a site folder: `pcm site init`, with an example package and a job for one machine where one is named.

use super::counted::NAME as COUNTED;
use super::machines::{self, Machine, Machines};
use super::settings::Settings;
use super::{EDITING, Folder, LOCK, NAME, PAST, RECORD};
use crate::clock::{Wall, When};
use crate::error::{Exit, Failure, Result};
use crate::host::open::remote;
use crate::host::perms::{self, Writers};
use crate::host::{durable, facts, open};
use crate::site::content::{FILES, hash_bytes, write_content};
use crate::site::ids::{JobId, MachineId, PackageId, RequestId, SiteCode};
use crate::site::index::job::{self, Job, Times, Word};
use crate::site::index::policy;
use crate::site::index::target::Target;
use crate::site::package::shelf;
use crate::site::publish::{EXAMPLE, SETUP};
use crate::site::signed::folder::SiteFolder;
use crate::site::signed::list;
use crate::site::{package, report};
use crate::text::SafeText;
use chrono::{SubsecRound as _, TimeDelta};
use std::io;
use std::path::Path;

/// How soon the example becomes mandatory once it is published, and when it expires.
const MANDATORY_IN: TimeDelta = TimeDelta::minutes(2);
const EXPIRES_IN: TimeDelta = TimeDelta::days(30);

/// A site folder that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The folder.
    pub folder: Folder,
    /// The example's machine, request, and when it becomes mandatory.
    pub example: Option<(MachineId, RequestId, Wall)>,
    /// Why trust mode `permissions` would refuse the share, with the remedy.
    pub loose: Option<SafeText>,
}

/// An address of a share that no verb could publish to is refused before anything is made.
fn check_share(share: &Path) -> Result<()> {
    let said = |why: String| {
        let message = format!("no site was made: nothing can be published to {}: {why}", share.display());
        Failure::new(Exit::Usage, "bad-share", message, "Name a folder, or a bucket as s3://bucket/prefix")
    };
    remote::location(&share.to_string_lossy()).map_err(said)?;
    if remote::is_read_only(share) { Err(said("nobody can write there".to_owned())) } else { Ok(()) }
}

/// Makes a site folder in an empty folder, or in a new one.
///
/// # Errors
/// `folder-not-empty`, `other-site`, `bad-share`, `site-not-made` with the path that could not be written.
pub fn make(
    dir: &Path,
    site: SiteCode,
    share: Option<&Path>,
    example: Option<MachineId>,
    now: Wall,
) -> Result<Made> {
    if let Some(machine) = example.filter(|machine| machine.site() != site) {
        return Err(Failure::new(
            Exit::Usage,
            "other-site",
            format!(
                "machine {machine} is of site {}, and the folder would be of site {site}",
                machine.site()
            ),
            format!("Name a machine whose id begins with {site}, like {site}04000"),
        ));
    }
    if let Some(share) = share {
        check_share(share)?;
    }
    // A repository that was begun for it is as good as nothing.
    let used = std::fs::read_dir(dir)
        .is_ok_and(|entries| entries.flatten().any(|entry| entry.file_name() != ".git"));
    if used {
        return Err(Failure::new(
            Exit::Failed,
            "folder-not-empty",
            format!("no site was made in {}: the folder is not empty", dir.display()),
            "Name an empty folder or a new one; nothing in this one was touched",
        ));
    }
    let id = SiteFolder::new(dir, site)?.site_id;
    let share = share.map_or_else(|| "share".to_owned(), |share| share.display().to_string());
    let folder = Folder { dir: dir.to_owned(), settings: Settings::new(site, id, &share) };
    for name in [job::FOLDER, policy::FOLDER, list::FOLDER, shelf::FOLDER] {
        made(&dir.join(name), durable::make_readable_dir(&dir.join(name)))?;
    }
    let root = folder.share();
    if root.starts_with(dir) {
        for name in [report::FOLDER, report::RESULTS] {
            made(&root.join(name), durable::make_readable_dir(&root.join(name)))?;
        }
    }
    let ignore: String = ["share/", RECORD, "files/"]
        .into_iter()
        .chain([LOCK, EDITING, COUNTED])
        .map(|name| format!("{name}\n"))
        .chain([format!("{PAST}/\n")])
        .collect();
    let machines: Machines = example
        .map(|id| {
            (id, Machine { host: facts_host(), words: "the example's machine".into(), ..Machine::new(id) })
        })
        .into_iter()
        .collect();
    for (name, text) in [
        (".gitignore", ignore),
        (".gitattributes", "* -text\n".to_owned()),
        (machines::NAME, machines::render(machines.values())),
    ] {
        file(&dir.join(name), &text)?;
    }
    let example = example.map(|machine| publish_example(&folder, machine, now)).transpose()?;
    // Last: until it is there it is no site folder.
    file(&dir.join(NAME), &folder.settings.starter())?;
    let loose = perms::check_way_to(&root, &Writers::this_process()).err();
    let loose = loose.filter(|_| root.exists()).map(|loose| SafeText::new(&loose.to_string()));
    Ok(Made { folder, example, loose })
}

fn facts_host() -> Option<String> {
    let host = facts::host_name().to_string();
    machines::check_host(&host).ok().flatten()
}

fn publish_example(folder: &Folder, machine: MachineId, now: Wall) -> Result<(MachineId, RequestId, Wall)> {
    let site = folder.settings.site;
    let bad = |e: crate::site::ids::BadId| {
        Failure::new(Exit::Failed, "site-not-made", e.to_string(), "Choose another code")
    };
    // A site code and five more of the alphabet are always an id.
    let package_id: PackageId = format!("{site}0000A").parse().map_err(bad)?;
    let job_id: JobId = format!("{site}000AA").parse().map_err(bad)?;
    let request_id: RequestId = format!("{site}000Y").parse().map_err(bad)?;
    let dir = folder.package_dir(package_id);
    made(&dir, durable::make_readable_dir(&dir.join(FILES)))?;
    let setup = dir.join(FILES).join("setup.sh");
    file(&setup, SETUP)?;
    made(&setup, open::make_enterable(&setup))?;
    let content = write_content(&dir)?;
    let definition = format!(
        "kind = \"package\"\nrelease = 1\nsites = [\"{}\"]\ncontent_sha256 = \"{}\"\npackage_id = \"{package_id}\"\n{EXAMPLE}",
        folder.settings.site_id,
        content.sha256.as_str()
    );
    file(&dir.join(package::NAME), &definition)?;
    let read = package::parse(definition.as_bytes(), package::NAME, &[]).map_err(|p| super::malformed(&p))?;
    let Some(command) = read.commands.first() else {
        return Err(Failure::new(Exit::Failed, "site-not-made", "the example has no command", "Report this"));
    };
    let issued = now.trunc_subsecs(0);
    let mandatory = issued + MANDATORY_IN;
    let ids = (folder.settings.site_id.clone(), job_id, request_id);
    let job = Job {
        times: Times {
            offer: Some(When::Instant(issued)),
            mandatory: Some(When::Instant(mandatory)),
            expire: Some(When::Instant(issued + EXPIRES_IN)),
        },
        targets: vec![Target::Machine(machine)],
        ..Job::of(ids, (&read, hash_bytes(definition.as_bytes())), command)
    };
    folder.write_job(&job, &Word::default())?;
    Ok((machine, request_id, mandatory))
}

fn file(path: &Path, text: &str) -> Result<()> {
    made(path, durable::create_new(path, text.as_bytes()))
}

fn made(path: &Path, done: io::Result<()>) -> Result<()> {
    done.map_err(|e| {
        Failure::new(
            Exit::Failed,
            "site-not-made",
            format!("the site was not made: {}: {e}", path.display()),
            "Choose a folder that can be written, and remove what was begun",
        )
    })
}
