//! A site folder before it is published (SITE.md 3): what `publish` would refuse, and what no machine would take.

use super::index::targets;
use super::request::odd_time;
use super::trust::{self, Lists};
use super::{Asked, Found, content, count, keys, package, place, release};
use crate::host::open::{Folder as Opened, OpenError, read_bounded};
use crate::site::content::{self as list, hash_bytes};
use crate::site::folder::{Folder, Source};
use crate::site::ids::PackageId;
use crate::site::index::JobState;
use crate::site::index::copies::differs;
use crate::site::index::job::{Job, Word};
use crate::site::index::together;
use crate::site::indexed::verify;
use crate::site::instruction::RunWhen;
use crate::site::package::{self as definition, Package, shelf};
use crate::site::publisher::packages::{MAX_SIGNATURE, SIGNATURE};
use crate::site::publisher::render::ended;
use crate::site::signed::store::Trusted;
use std::collections::BTreeMap;
use std::path::Path;

/// Judges a site folder. Its share is not looked at.
///
/// # Errors
/// It is not there, or may not be entered.
pub fn folder(dir: &Path, asked: &Asked<'_>) -> Result<Found, OpenError> {
    let root = Opened::open(dir)?;
    let mut found = Found::default();
    let folder = match Folder::open(dir) {
        Ok(folder) => folder,
        Err(fault) => {
            found.block("site-file", fault.message.as_str(), "Correct it: until then nothing is published");
            return Ok(found);
        }
    };
    let (site, site_id) = (folder.settings.site, &folder.settings.site_id);
    found.looked("site-file", format!("{}: site {site}, {site_id}", dir.display()));
    keys::keys(&root, &folder.share(), &mut found);
    let lists = trust::lists(&root, Some((site, site_id)), asked, &mut found);
    package::on_share(&root, asked, &mut found);
    match folder.parse(&asked.defaults.programs, None) {
        Ok(source) => {
            found.looked("machines", count(source.machines.len(), "machine"));
            let packages = packages(&root, &source, &lists, asked, &mut found);
            jobs(&source, &packages, asked, &mut found);
        }
        Err(problems) => {
            for problem in &problems {
                found.block("parts", place(problem), "Correct it: until then nothing is published");
            }
        }
    }
    Ok(found)
}

/// The packages as they stand here, with the hash of each definition; None: it cannot be read, which was told.
type Packages = BTreeMap<PackageId, Option<(Package, String)>>;

/// Reads the packages, and judges what a publication takes of them.
fn packages(root: &Opened, source: &Source, lists: &Lists, asked: &Asked<'_>, found: &mut Found) -> Packages {
    let mut packages = Packages::new();
    let (mut looked, all) = (0, root.folder(shelf::FOLDER));
    let all = match all {
        Ok(all) => all,
        Err(_) => return packages,
    };
    let ids = shelf::standing(&all).map(|standing| standing.ids).unwrap_or_default();
    for id in ids {
        // What cannot be read was told by the look at all of them.
        packages.insert(id, None);
        let Ok(folder) = all.folder(id.as_str()) else { continue };
        let Ok(bytes) =
            folder.file(definition::NAME).and_then(|mut file| read_bounded(&mut file, definition::MAX_BYTES))
        else {
            continue;
        };
        let Ok(package) = definition::parse(&bytes, definition::NAME, &asked.defaults.programs) else {
            continue;
        };
        if let Ok((listed, _)) = shelf::contents(&folder)
            && !listed.files.is_empty()
            && matches!(folder.folder(list::FILES), Err(OpenError::Missing))
        {
            let message = format!("{}: its files are not here", folder.path().display());
            found.unknown("content", message, "It is published only to a share that has them already");
        } else {
            content::look(&folder, asked, found);
        }
        looked += 1;
        let runs = source.jobs.values().any(|(job, word)| job.package_id == id && offered(job, word, asked));
        if let Some(trusted) = lists.newest() {
            signed(&folder, &bytes, &package, trusted, runs, asked, found);
        }
        packages.insert(id, Some((package, hash_bytes(&bytes).as_str().to_owned())));
    }
    let how = if asked.hashes { "every file hashed" } else { "names and sizes, not every byte (--hashes)" };
    found.looked("content", format!("{}, {how}", count(looked, "package")));
    packages
}

/// Whether a package could be published to machines in mode `signed`. One that a job runs has to be.
fn signed(
    folder: &Opened,
    bytes: &[u8],
    package: &Package,
    trusted: &Trusted,
    runs: bool,
    asked: &Asked<'_>,
    found: &mut Found,
) {
    let id = package.package_id;
    let shown = folder.path().join(definition::NAME).display().to_string();
    let signature = folder.file(SIGNATURE).and_then(|mut file| read_bounded(&mut file, MAX_SIGNATURE));
    let remedy =
        format!("Sign it: pcm package sign {id} --key KEY; where nothing of it changed, with --again");
    let release = package.release.unwrap_or_default();
    let why = std::str::from_utf8(bytes).map_err(|_| "it is no text".to_owned()).and_then(|text| {
        // In a folder, that nobody signed it is the usual thing.
        match signature {
            Err(OpenError::Missing) => return Err("nobody signed it yet".to_owned()),
            signature => release::counts(text, signature, trusted, asked.now)?,
        }
        let whole = verify::package(text, (id, release), &[], Some(trusted)).map(drop).or_else(programs);
        whole.map_err(|distrust| distrust.why.into_string())
    });
    if let Err(why) = why {
        let message = format!("{shown}: {why}, so machines in mode signed do not run it");
        match runs {
            true => found.block("packages", message, remedy),
            false => found.unknown("packages", message, remedy),
        }
    }
}

/// Which programs may be started was judged before, by the rules of the configuration.
fn programs(distrust: crate::site::signed::Distrust) -> Result<(), crate::site::signed::Distrust> {
    match distrust.code {
        crate::terms::Code::Malformed => Ok(()),
        _ => Err(distrust),
    }
}

/// Whether machines are offered it still.
fn offered(job: &Job, word: &Word, asked: &Asked<'_>) -> bool {
    word.state == JobState::Active && ended(&job.times, word).is_none_or(|at| at > asked.now)
}

fn jobs(source: &Source, packages: &Packages, asked: &Asked<'_>, found: &mut Found) {
    let offered: Vec<&(Job, Word)> =
        source.jobs.values().filter(|(job, word)| offered(job, word, asked)).collect();
    for (job, _) in &offered {
        let here = format!("jobs/{}.toml", job.job_id);
        let times = [
            ("offer_after", job.times.offer),
            ("mandatory_after", job.times.mandatory),
            ("expire_after", job.times.expire),
        ];
        for (field, when) in times {
            if let Some(when) = when {
                odd_time(&format!("{here}, {field}"), when, asked, found);
            }
        }
        fits(job, &here, packages, found);
        offer(job, &here, found);
    }
    let over = |(job, word): &(Job, Word)| {
        word.state == JobState::Cancelled || ended(&job.times, word).is_some_and(|at| at <= asked.now)
    };
    let live = source.jobs.values().filter(|job| !over(job)).map(|(job, _)| job);
    let gone = source.jobs.values().filter(|job| over(job)).map(|(job, _)| job);
    for fault in together::faults(live, gone) {
        found.block(fault.item, fault.message, fault.remedy);
    }
    let active = offered.iter().map(|(job, word)| (job, word.state));
    targets(active, &source.members(), found);
    let all = count(offered.len(), "job");
    for item in ["parts", "contradictions", "request-ids", "dependencies"] {
        found.looked(item, format!("{all} offered, {} in all", source.jobs.len()));
    }
    found.looked("times", format!("{all}, local times in {}", asked.zone.name()));
}

/// What is offered to users and none of them can ever install.
fn offer(job: &Job, here: &str, found: &mut Found) {
    let Some(who) = job.offer_to else { return };
    let why = match (job.how.run_when, job.how.automated) {
        (RunWhen::NoUser, _) => "it runs only while nobody is logged on",
        (_, false) => "it needs input, and nobody can answer it",
        (RunWhen::Any | RunWhen::User, true) => return,
    };
    let message = format!("{here}, offer_to: it is offered to {who}, and none of them can install it: {why}");
    let remedy =
        "Take offer_to out, or send a command of the package that can run while somebody is logged on";
    found.unknown("contradictions", message, remedy);
}

/// Whether a job is what its package says. An older release is no more here; the share has it.
fn fits(job: &Job, here: &str, packages: &Packages, found: &mut Found) {
    let (id, release) = (job.package_id, job.release);
    let again = format!("Send it again: pcm job send --again {}", job.job_id);
    let Some(standing) = packages.get(&id) else {
        let message = format!("{here}: package {id} is not here");
        return found.unknown("packages", message, "It is published only to a share that has it already");
    };
    let Some((package, hash)) = standing else { return };
    let own = package.release.unwrap_or_default();
    if own < release {
        let stands = match own {
            0 => "what is here has no release yet".to_owned(),
            _ => format!("release {own} is here"),
        };
        let message = format!("{here}: it runs release {release} of {id}, and {stands}");
        let remedy = format!(
            "Make its next release: pcm package sign {id} --key KEY; or put release {release} back, from Git or a backup"
        );
        found.block("packages", message, remedy);
    } else if own == release && *hash != job.package_sha256.as_str() {
        let message = format!("{here}: release {release} of {id} was changed since the job was sent");
        let remedy =
            format!("Make a new release, pcm package sign {id}, then: pcm job send --again {}", job.job_id);
        found.block("packages", message, remedy);
    } else if own == release
        && let Some(what) = differs(job, package)
    {
        found.block(
            "packages",
            format!("{here}: its {what} is not what release {release} of {id} says"),
            again,
        );
    }
}
