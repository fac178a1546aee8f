//! The packages that requests name: there, listed as they are, with the program that is to be started. Each package is
//! looked at once, however many machines it goes to.

use super::{Asked, Found, asks, count};
use crate::host::open::{Folder, OpenError, RegularFile};
use crate::site::content::{self, Content, ContentFile, Met, Target, hash_reader};
use crate::site::ids::PackageId;
use crate::site::instruction::{CommandLine, ContentHash, Program, Request};
use crate::site::package::shelf::{FOLDER, contents};
use crate::site::signed::list;
use crate::site::trust::{Judge, TrustMode};
use crate::terms::Platform;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// So many faults of one package are told.
const FAULTS: usize = 5;

/// What was looked at already.
#[derive(Default)]
pub(super) struct Packages {
    packages: BTreeMap<PackageId, Option<Listed>>,
    asked: BTreeSet<(PackageId, ContentHash)>,
    programs: BTreeSet<(PackageId, CommandLine, Vec<Platform>)>,
}

/// A package's list, as far as it is needed again.
pub(super) struct Listed {
    hash: ContentHash,
}

impl Packages {
    /// How many packages were looked at.
    pub fn len(&self) -> usize {
        self.packages.len()
    }

    /// Judges what a request needs of its package. `reported` is the platform that its machine has reported.
    pub fn judge(
        &mut self,
        root: &Folder,
        request: &Request,
        reported: Option<Platform>,
        here: &str,
        asked: &Asked<'_>,
        found: &mut Found,
    ) {
        let Some(wanted) = &request.content_sha256 else { return };
        let id = request.package_id;
        let listed = self.packages.entry(id).or_insert_with(|| look_for(root, id, asked, found));
        let Some(listed) = listed else { return };
        if listed.hash != *wanted {
            if self.asked.insert((id, wanted.clone())) {
                found.block(
                    "content",
                    format!(
                        "{here}: content_sha256 is {}…, and {FOLDER}/{id}/{} is {}…",
                        &wanted.as_str()[..12],
                        content::NAME,
                        &listed.hash.as_str()[..12]
                    ),
                    format!("Publish it with content_sha256 = \"{}\"", listed.hash.as_str()),
                );
            }
            return;
        }
        if let Program::InPackage(path) = &request.command_line.program
            && let named = named(request, reported)
            && self.programs.insert((id, request.command_line.clone(), named.clone()))
            && let Ok(package) = open(root, id)
        {
            let unsaid = "neither the request nor a report of its machine says the platform";
            program(&package, path, &named, (here, unsaid), found);
            if request.automated {
                asks::judge(&package, path, &request.command_line, here, found);
            }
        }
    }
}

fn open(root: &Folder, id: PackageId) -> Result<Folder, OpenError> {
    root.folder(FOLDER)?.folder(id.as_str())
}

/// Whether a program of a package is there, and can be started wherever it may come to, as far as the file itself shows.
/// With where it is named, and what to say where no platform is.
pub(super) fn program(
    package: &Folder,
    path: &str,
    named: &[Platform],
    (here, unsaid): (&str, &str),
    found: &mut Found,
) {
    // What cannot be read is told by the look at the package.
    let Ok((content, _)) = contents(package) else { return };
    let starts = if content.files.iter().any(|f| f.path == *path) {
        startable(package, path, named)
    } else {
        Starts::Nowhere(format!("{path:?} is not among the files of {}", package.path().display()))
    };
    match starts {
        Starts::Everywhere => {}
        Starts::Nowhere(why) => found.block(
            "content",
            format!("{here}: the program {why}"),
            "Correct command_line or platforms, or put a program that can be started into the package",
        ),
        Starts::OnlyOn(platforms) => found.unknown(
            "content",
            format!("{here}: the program {path} can be started on {platforms} alone, and {unsaid}"),
            "Name them: platforms = [\"…\"]",
        ),
    }
}

/// The platforms that a request is for, as it says itself or its machine has reported; none: it could be any.
fn named(request: &Request, reported: Option<Platform>) -> Vec<Platform> {
    if request.platforms.is_empty() { reported.into_iter().collect() } else { request.platforms.clone() }
}

/// Where a program can be started, as far as its file shows.
enum Starts {
    /// On all that it may come to.
    Everywhere,
    /// Not on one that it is for; or on none at all. Why.
    Nowhere(String),
    /// It may come to any, and these can start it.
    OnlyOn(String),
}

fn startable(package: &Folder, path: &str, named: &[Platform]) -> Starts {
    // What cannot be opened is told by the look at the package.
    let Ok(files) = package.folder(content::FILES) else { return Starts::Everywhere };
    let judge = |p: &Platform| {
        content::startable(&files, path, Target { platform: Some(*p), system: None }).map_err(|why| (why, *p))
    };
    if !named.is_empty() {
        let judged = named.iter().try_for_each(judge);
        let nowhere = |(why, p)| Starts::Nowhere(format!("cannot be started on {p}: {why}"));
        return judged.map_or_else(nowhere, |()| Starts::Everywhere);
    }
    let (good, bad): (Vec<_>, Vec<_>) =
        Platform::ALL.iter().map(|p| (*p, judge(p))).partition(|(_, j)| j.is_ok());
    if good.is_empty() {
        let mut reasons: Vec<(String, Vec<Platform>)> = Vec::new();
        for (why, platform) in bad.into_iter().filter_map(|(_, judged)| judged.err()) {
            match reasons.iter_mut().find(|(known, _)| *known == why) {
                Some((_, platforms)) => platforms.push(platform),
                None => reasons.push((why, vec![platform])),
            }
        }
        let reasons: Vec<String> =
            reasons.iter().map(|(why, platforms)| format!("{}: {why}", words(platforms))).collect();
        return Starts::Nowhere(format!("cannot be started on any platform: {}", reasons.join("; ")));
    }
    // What every Linux starts is a script, and nobody has to say of each that Windows does not.
    if bad.iter().all(|(platform, _)| !platform.is_linux()) {
        return Starts::Everywhere;
    }
    Starts::OnlyOn(words(&good.iter().map(|(p, _)| *p).collect::<Vec<_>>()))
}

fn words(platforms: &[Platform]) -> String {
    platforms.iter().map(|p| p.as_str()).collect::<Vec<_>>().join(", ")
}

/// Whether packages beside this one are signed: a trust list is there.
fn is_signed(package: &str) -> bool {
    Path::new(package).ancestors().nth(2).is_some_and(|root| root.join(list::FOLDER).is_dir())
}

/// What lists the files of a package.
fn lists(package: &str) -> String {
    match Path::new(package).file_name().filter(|_| is_signed(package)) {
        Some(id) => format!("pcm package sign {} --key KEY", id.display()),
        None => format!("pcm package content {package}"),
    }
}

fn not_there(shown: &str, why: &str, found: &mut Found) {
    found.block(
        "content",
        format!("{shown}: {why}"),
        format!("Put the package there, and list its files: {}", lists(shown)),
    );
}

fn look_for(root: &Folder, id: PackageId, asked: &Asked<'_>, found: &mut Found) -> Option<Listed> {
    match open(root, id) {
        Ok(package) => look(&package, asked, found),
        Err(e) => {
            let shown = root.path().join(FOLDER).join(id.as_str()).display().to_string();
            not_there(&shown, &e.to_string(), found);
            None
        }
    }
}

/// Looks at a package once: its list, and whether its files are what is listed.
pub(super) fn look(package: &Folder, asked: &Asked<'_>, found: &mut Found) -> Option<Listed> {
    let shown = package.path().display().to_string();
    let remedy = match is_signed(&shown) {
        true => format!("Make a new release: {}; then send it: pcm job send", lists(&shown)),
        false => format!("List the files again: {}; then publish the new content_sha256", lists(&shown)),
    };
    match contents(package) {
        Ok((content, hash)) => {
            compare(package, &content, &remedy, asked, found);
            Some(Listed { hash })
        }
        Err(why) => {
            not_there(&shown, &why, found);
            None
        }
    }
}

/// Whether the files of a folder are what is listed; `remedy` is for where they are not.
pub(super) fn compare(
    package: &Folder,
    content: &Content,
    remedy: &str,
    asked: &Asked<'_>,
    found: &mut Found,
) {
    let shown = package.path().display().to_string();
    let mut walk = Walk {
        wanted: content.files.iter().map(|f| (f.path.as_str(), f)).collect(),
        hashes: asked.hashes,
        judge: asked.modes.then(|| Judge::of(TrustMode::Permissions)),
        faults: Vec::new(),
        loose: Vec::new(),
    };
    match package.folder(content::FILES) {
        Ok(files) => {
            walk.modes(package, None);
            // Nothing ends it.
            let _ = content::walk::<()>(&files, &mut |met| {
                walk.see(met);
                Ok(())
            });
        }
        Err(_) if content.files.is_empty() => {}
        Err(e) => walk.faults.push(format!("{}: {e}", content::FILES)),
    }
    let missing: Vec<String> =
        walk.wanted.keys().map(|path| format!("{path} is listed and missing")).collect();
    walk.faults.extend(missing);
    if !walk.faults.is_empty() {
        let more = walk.faults.len().saturating_sub(FAULTS);
        walk.faults.truncate(FAULTS);
        let more = if more == 0 { String::new() } else { format!(" and {}", count(more, "other fault")) };
        found.block("content", format!("{shown}: {}{more}", walk.faults.join("; ")), remedy);
    }
    for (why, remedy) in walk.loose {
        found.block("modes", why, remedy);
    }
}

/// Compares what is there with what is listed.
struct Walk<'a> {
    /// What was not met yet.
    wanted: BTreeMap<&'a str, &'a ContentFile>,
    hashes: bool,
    judge: Option<Judge>,
    faults: Vec<String>,
    loose: Vec<(String, String)>,
}

impl Walk<'_> {
    fn modes(&mut self, folder: &Folder, file: Option<&RegularFile>) {
        if let Some(loose) = self.judge.as_ref().and_then(|judge| judge.loose_below(folder, file)) {
            self.loose.push((loose.why, loose.remedy));
        }
    }

    fn see(&mut self, met: Met<'_>) {
        match met {
            Met::Folder(folder) => self.modes(folder, None),
            Met::File(folder, path, open) => {
                self.modes(folder, Some(&open));
                self.file(&path, open);
            }
            Met::Other(path, why) if path.is_empty() => {
                self.faults.push(format!("{}: {why}", content::FILES))
            }
            Met::Other(path, why) => self.faults.push(format!("{path}: {why}")),
        }
    }

    fn file(&mut self, path: &str, open: RegularFile) {
        let Some(listed) = self.wanted.remove(path) else {
            self.faults.push(format!("{path} is there and not listed"));
            return;
        };
        if open.size != listed.size {
            self.faults.push(format!("{path} has {} bytes, listed are {}", open.size, listed.size));
            return;
        }
        if self.hashes {
            match hash_reader(open.file) {
                Ok((hash, _)) if hash == listed.sha256 => {}
                Ok(_) => self.faults.push(format!("{path} has another content than is listed")),
                Err(e) => self.faults.push(format!("{path}: {e}")),
            }
        }
    }
}
