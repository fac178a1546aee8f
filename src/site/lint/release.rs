//! The packages that the jobs of an index run (SITE.md 2): each release as its jobs name it, whose key signed it, and the
//! files that it brings.

use super::{Asked, Found, content, count, package};
use crate::clock::Wall;
use crate::host::open::{Folder, OpenError};
use crate::site::content::{self as list, hash_bytes, parse_content};
use crate::site::ids::PackageId;
use crate::site::index::copies::differs;
use crate::site::index::job::Job;
use crate::site::indexed::verify;
use crate::site::instruction::ContentHash;
use crate::site::package::shelf::FOLDER;
use crate::site::package::{self as definition, Package};
use crate::site::publisher::packages::{MAX_SIGNATURE, SIGNATURE};
use crate::site::share::read_bounded;
use crate::site::signed::store::Trusted;
use std::collections::{BTreeMap, BTreeSet};

/// What is done where a file of a release is not what it was.
const REMEDY: &str =
    "Remove it from the share if it is there, then publish again: until then no machine runs it";

/// Judges every release that one of these jobs runs, once.
pub(super) fn all<'a>(
    root: &Folder,
    jobs: impl Iterator<Item = &'a Job>,
    trusted: Option<&Trusted>,
    asked: &Asked<'_>,
    found: &mut Found,
) {
    let mut releases: BTreeMap<(PackageId, u64), Vec<&Job>> = BTreeMap::new();
    for job in jobs {
        releases.entry((job.package_id, job.release)).or_default().push(job);
    }
    let mut contents = BTreeSet::new();
    for (release, jobs) in &releases {
        one(root, *release, jobs, trusted, &mut contents, asked, found);
    }
    let packages = count(releases.len(), "release");
    let how = if trusted.is_some() { "each with a signature that counts" } else { "as their jobs name them" };
    found.looked("packages", format!("{packages}, {how}"));
    found.looked("silent", packages.clone());
    found.looked("bounds", packages);
    let how = if asked.hashes { "every file hashed" } else { "names and sizes, not every byte (--hashes)" };
    found.looked("content", format!("{}, {how}", count(contents.len(), "content")));
}

fn one(
    root: &Folder,
    (id, release): (PackageId, u64),
    jobs: &[&Job],
    trusted: Option<&Trusted>,
    contents: &mut BTreeSet<ContentHash>,
    asked: &Asked<'_>,
    found: &mut Found,
) {
    let shown = format!("{}/{id}/{release}/{}", root.path().join(FOLDER).display(), definition::NAME);
    let folder = root
        .folder(FOLDER)
        .and_then(|folder| folder.folder(id.as_str()))
        .and_then(|folder| folder.folder(&release.to_string()));
    let read = |name: &str, limit| {
        folder.as_ref().map_err(Clone::clone).and_then(|folder| read_bounded(&mut folder.file(name)?, limit))
    };
    let bytes = match read(definition::NAME, definition::MAX_BYTES) {
        Ok(bytes) => bytes,
        Err(e) => return found.block("packages", format!("{shown}: {e}"), REMEDY),
    };
    let hash = hash_bytes(&bytes);
    for job in jobs.iter().filter(|job| job.package_sha256 != hash) {
        let message = format!("{shown}: its bytes are not those that {} names", job.job_id);
        found.block("packages", message, REMEDY);
    }
    let Ok(text) = std::str::from_utf8(&bytes) else {
        return found.block("packages", format!("{shown}: it is no text"), REMEDY);
    };
    let package = match verify::package(text, (id, release), &asked.defaults.programs, trusted) {
        Ok(package) => package,
        Err(distrust) => {
            let remedy = format!(
                "Make a release of it that machines take, pcm package sign {id}, send that, and cancel the jobs of this one"
            );
            return found.block("packages", format!("{shown}: {}", distrust.why), remedy);
        }
    };
    if let Some(trusted) = trusted {
        let counts = counts(text, read(SIGNATURE, MAX_SIGNATURE), trusted, asked.now);
        if let Err(why) = counts {
            let remedy =
                format!("Sign it with a package key that counts: pcm package sign {id} --key KEY --again");
            found.block("packages", format!("{shown}: {why}: in mode signed no machine runs it"), remedy);
        }
    }
    for job in jobs {
        if let Some(what) = differs(job, &package) {
            let message = format!("{shown}: it says another {what} than {}", job.job_id);
            let remedy = format!("Send it again: pcm job send --again {}", job.job_id);
            found.block("packages", message, remedy);
        }
    }
    files(root, &package, &shown, contents, asked, found);
}

/// Whether the signature beside a definition counts now.
///
/// # Errors
/// Why not, as a clause.
pub(super) fn counts(
    text: &str,
    armour: Result<Vec<u8>, OpenError>,
    trusted: &Trusted,
    now: Wall,
) -> Result<(), String> {
    let armour = armour.map_err(|e| match e {
        OpenError::Missing => "no signature stands beside it".to_owned(),
        e => format!("{SIGNATURE}: {e}"),
    })?;
    let armour = String::from_utf8(armour).map_err(|_| format!("{SIGNATURE} is no text"))?;
    let signer = verify::package_signer(text, &armour, trusted);
    signer.and_then(|signer| signer.valid_at(now)).map_err(|distrust| distrust.why.into_string())
}

/// The files of a release: their list by its hash, and each as it is listed.
fn files(
    root: &Folder,
    package: &Package,
    shown: &str,
    contents: &mut BTreeSet<ContentHash>,
    asked: &Asked<'_>,
    found: &mut Found,
) {
    let Some(hash) = &package.content_sha256 else { return };
    let place = root.path().join("content").join(hash.as_str()).display().to_string();
    let folder = root.folder("content").and_then(|folder| folder.folder(hash.as_str()));
    let read = folder
        .and_then(|folder| Ok((read_bounded(&mut folder.file(list::NAME)?, list::MAX_BYTES)?, folder)))
        .map_err(|e| e.to_string());
    let listed = read.and_then(|(bytes, folder)| {
        if hash_bytes(&bytes) != *hash {
            return Err("it is another list than its folder's name says".to_owned());
        }
        Ok((parse_content(&bytes).map_err(|e| e.to_string())?, folder))
    });
    match listed {
        Ok((content, folder)) => {
            if contents.insert(hash.clone()) {
                let remedy = "Put the files back as they were published, or publish again from the site folder that has \
                              them: until then no machine can copy them";
                content::compare(&folder, &content, remedy, asked, found);
            }
            package::whole(package, &folder, shown, found);
        }
        Err(why) => {
            found.block("content", format!("{place}/{}: {why}", list::NAME), REMEDY);
        }
    }
}
