//! The whole share, or one instruction file: what is there, what is missing, and every file in turn.

use super::content::Packages;
use super::{Asked, Found, count, package, place, request, trust};
use crate::host::open::{Folder, OpenError};
use crate::site::ids::{MachineId, RequestId};
use crate::site::instruction::{self, Entry, InstructionFile};
use crate::site::report::{self, MachineReport};
use crate::site::share::{INS_FOLDER, read_bounded};
use crate::site::site_file::{self, SiteFile};
use crate::site::trust::{Judge, TrustMode};
use crate::terms::Problem;
use std::collections::{BTreeSet, HashMap};
use std::path::Path;

/// The most instruction files of a site.
const MAX_MACHINES: usize = 200_000;
/// The largest list of machines that is read: 200,000 lines of some length.
const MAX_LIST: u64 = 64 << 20;
/// Where results go.
const RESULTS: &str = "despoolr.box";
/// Exists while a publisher works.
const PUBLISHING: &str = "PCM.PUBLISHING";
/// The list of all machines.
const MACHINES: &str = "PCM.MACHINES";

/// Judges a whole share.
///
/// # Errors
/// It is not there, or may not be entered.
pub fn share(dir: &Path, asked: &Asked<'_>) -> Result<Found, OpenError> {
    let root = Folder::open(dir)?;
    let mut found = Found::default();
    let site = site(&root, asked, &mut found);
    publishing(&root, &mut found);
    if super::index::judge(&root, site.as_ref(), asked, &mut found) {
        // Under an index no machine reads an instruction file, and its packages are in folders of their releases.
        folders(&root, &mut found);
        return Ok(found);
    }
    trust::lists(&root, None, asked, &mut found);
    let listed = machines(&root, &mut found);
    folders(&root, &mut found);
    let judge = asked.modes.then(|| Judge::of(TrustMode::Permissions));
    if let Some(loose) = judge.as_ref().and_then(|j| j.loose(dir, &[&root], &[])) {
        found.block("modes", loose.why, loose.remedy);
    }
    let mut walk = Walk {
        root: &root,
        site,
        listed,
        judge,
        asked,
        packages: Packages::default(),
        seen: HashMap::new(),
        machines: Vec::new(),
        requests: 0,
    };
    match root.folder(INS_FOLDER) {
        Ok(folder) => walk.folder(&folder, &mut found),
        Err(e) => found.block("instructions", format!("{INS_FOLDER}: {e}"), "Make it: machines look there"),
    }
    walk.say(&mut found);
    package::on_share(&root, asked, &mut found);
    Ok(found)
}

/// Judges one instruction file for itself, as whatever machine's it says it is.
///
/// # Errors
/// It cannot be read.
pub fn file(path: &Path, machine: MachineId, asked: &Asked<'_>) -> Result<Found, OpenError> {
    let bytes = crate::site::share::open_bounded(path, instruction::MAX_BYTES)?;
    let mut found = Found::default();
    let shown = path.display().to_string();
    match instruction::parse::parse(&bytes, machine, &shown, asked.defaults) {
        Err(problems) => refused(&problems, &mut found),
        Ok(file) => {
            request::judge(&file, &shown, asked, |_| false, &mut found);
            if let Some(root) = share_of(path) {
                serial(&file, &shown, reported(&root, machine).as_ref(), &mut found);
                found.looked("serials", format!("{machine} has seen none above it"));
            }
            let n = file.requests.len();
            for item in [
                "instructions",
                "requests",
                "contradictions",
                "silent",
                "times",
                "request-ids",
                "dependencies",
            ] {
                found.looked(item, format!("{} for {machine}", count(n, "request")));
            }
            if asked.fits.is_some() {
                found.looked("windows", format!("{} for {machine}", count(n, "request")));
            }
        }
    }
    Ok(found)
}

/// The share that an instruction file lies on. None: it is not published yet.
fn share_of(file: &Path) -> Option<Folder> {
    let folder = file.parent().filter(|folder| folder.file_name().is_some_and(|name| name == INS_FOLDER))?;
    Folder::open(folder.parent()?).ok().filter(|root| root.file(site_file::NAME).is_ok())
}

/// What a machine has reported there.
fn reported(root: &Folder, machine: MachineId) -> Option<MachineReport> {
    let mut open = root.folder(report::FOLDER).ok()?.file(&report::report_name(machine)).ok()?;
    MachineReport::from_bytes(&read_bounded(&mut open, report::MAX_BYTES).ok()?).ok()
}

fn serial(file: &InstructionFile, shown: &str, report: Option<&MachineReport>, found: &mut Found) {
    let seen = report.and_then(|r| r.summary.serial);
    if let Some(seen) = seen.filter(|seen| *seen > file.serial) {
        found.block(
            "serials",
            format!(
                "{shown}: its serial {} is lower than {seen}, which {} has seen",
                file.serial, file.machine
            ),
            format!("Publish it again with a serial above {seen}, at its top and in [end]"),
        );
    }
}

fn refused(problems: &[Problem], found: &mut Found) {
    for problem in problems {
        found.block("instructions", place(problem), "Correct it: until then no machine takes this file");
    }
}

fn site(root: &Folder, asked: &Asked<'_>, found: &mut Found) -> Option<SiteFile> {
    let path = root.path().join(site_file::NAME).display().to_string();
    let bytes = root.file(site_file::NAME).and_then(|mut open| read_bounded(&mut open, site_file::MAX_BYTES));
    let bytes = match bytes {
        Ok(bytes) => bytes,
        Err(e) => {
            let remedy = "Without it no machine takes this folder for a share: pcm site init makes one";
            found.block("site-file", format!("{path}: {e}"), remedy);
            return None;
        }
    };
    let site = match site_file::parse_any(&bytes, &path) {
        Ok(site) => site,
        Err(problems) => {
            for problem in &problems {
                found.block(
                    "site-file",
                    place(problem),
                    "Correct it: until then no machine takes this share",
                );
            }
            return None;
        }
    };
    for warning in &site.warnings {
        found.block("site-file", place(warning), "Correct or remove it: no machine takes notice of it");
    }
    for freeze in &site.freezes {
        request::odd_time(&format!("{path}, freeze.from"), freeze.from, asked, found);
        request::odd_time(&format!("{path}, freeze.until"), freeze.until, asked, found);
    }
    found.looked("site-file", format!("{path}: site {}, \"{}\"", site.site, site.name));
    Some(site)
}

fn publishing(root: &Folder, found: &mut Found) {
    if let Ok(mut open) = root.file(PUBLISHING) {
        let who = read_bounded(&mut open, 4096).unwrap_or_default();
        let who = crate::text::SafeText::from_bytes(who.trim_ascii());
        found.unknown(
            "publishing",
            format!("{PUBLISHING} is there: {who} is at work, or died at it"),
            "Wait for its end and look again; if nobody publishes, remove it",
        );
    }
    found.looked("publishing", "nobody is at work");
}

/// The list of all machines; None where there is none.
fn machines(root: &Folder, found: &mut Found) -> Option<BTreeSet<MachineId>> {
    let path = root.path().join(MACHINES).display().to_string();
    let bytes = match root.file(MACHINES).and_then(|mut open| read_bounded(&mut open, MAX_LIST)) {
        Ok(bytes) => bytes,
        Err(OpenError::Missing) => return None,
        Err(e) => {
            found.block("machines", format!("{path}: {e}"), "Put it right: jobs find their targets by it");
            return None;
        }
    };
    let mut all = BTreeSet::new();
    for (number, line) in (1..).zip(bytes.split(|b| *b == b'\n')) {
        let line = String::from_utf8_lossy(line);
        let Some(id) = line.split_whitespace().next().filter(|id| !id.starts_with('#')) else { continue };
        match id.parse::<MachineId>() {
            Ok(machine) if all.insert(machine) => {}
            Ok(machine) => {
                found.block(
                    "machines",
                    format!("{path}, line {number}: {machine} is there twice"),
                    "Remove one of them",
                );
            }
            Err(e) => found.block(
                "machines",
                format!("{path}, line {number}: {e}"),
                "Write: SMSID, host name, free words",
            ),
        }
    }
    found.looked("machines", format!("{path}: {}", count(all.len(), "machine")));
    Some(all)
}

fn folders(root: &Folder, found: &mut Found) {
    for (name, what) in [
        (report::FOLDER, "no machine can report"),
        (RESULTS, "no result can be delivered"),
        ("packages", "nothing can be copied"),
    ] {
        let path = root.path().join(name);
        match root.folder(name) {
            Err(e) => found.block(
                "folders",
                format!("{}: {e}, so {what}", path.display()),
                format!("Make the folder {name}"),
            ),
            Ok(_) if std::fs::metadata(&path).is_ok_and(|m| m.permissions().readonly()) => {
                found.block(
                    "folders",
                    format!("{}: nobody may write it, so {what}", path.display()),
                    "Let the machines write it",
                );
            }
            Ok(_) => {}
        }
    }
    found.looked("folders", format!("{}, {RESULTS} and packages are there", report::FOLDER));
}

/// The walk over all instruction files.
struct Walk<'a> {
    root: &'a Folder,
    site: Option<SiteFile>,
    listed: Option<BTreeSet<MachineId>>,
    judge: Option<Judge>,
    asked: &'a Asked<'a>,
    packages: Packages,
    /// Every request id, and whose it is: a site has no more than 1.7 million.
    seen: HashMap<RequestId, u32>,
    machines: Vec<MachineId>,
    requests: usize,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &Folder, found: &mut Found) {
        if let Some(loose) = self.judge.as_ref().and_then(|j| j.loose_below(folder, None)) {
            found.block("modes", loose.why, loose.remedy);
        }
        let mut names = match folder.names(MAX_MACHINES) {
            Ok(names) => names,
            Err(e) => {
                return found.block("instructions", format!("{INS_FOLDER}: {e}"), "Look at that folder");
            }
        };
        names.sort();
        let mut before: BTreeSet<MachineId> = BTreeSet::new();
        for name in names {
            let name = name.to_string_lossy();
            // A writer's temporary name begins with a dot; a signature stands beside its file.
            let upper = name.to_uppercase();
            let Some(stem) = upper.strip_suffix(".INS").filter(|_| !name.starts_with('.')) else { continue };
            let shown = folder.path().join(&*name).display().to_string();
            let Ok(machine) = stem.parse::<MachineId>() else {
                found.block(
                    "instructions",
                    format!("{shown}: its name is no machine's id"),
                    "Name it SMSID.INS",
                );
                continue;
            };
            if !before.insert(machine) {
                found.block(
                    "instructions",
                    format!("{shown}: another name of {machine} differs from it in case only"),
                    "Remove one of them: which one a machine reads is not certain",
                );
            }
            self.file(folder, &name, &shown, machine, found);
        }
    }

    fn file(&mut self, folder: &Folder, name: &str, shown: &str, machine: MachineId, found: &mut Found) {
        let read = folder
            .file(name)
            .and_then(|mut open| Ok((read_bounded(&mut open, instruction::MAX_BYTES)?, open)));
        let (bytes, open) = match read {
            Ok(read) => read,
            Err(e) => return found.block("instructions", format!("{shown}: {e}"), "Put a plain file there"),
        };
        if let Some(loose) = self.judge.as_ref().and_then(|j| j.loose_below(folder, Some(&open))) {
            found.block("modes", loose.why, loose.remedy);
        }
        self.machines.push(machine);
        if self.listed.as_ref().is_some_and(|all| !all.contains(&machine)) {
            found.block(
                "machines",
                format!("{shown}: {machine} is not in {MACHINES}"),
                "Add it there: jobs find their targets by it",
            );
        }
        let file = match instruction::parse::parse(&bytes, machine, shown, self.asked.defaults) {
            Ok(file) => file,
            Err(problems) => return refused(&problems, found),
        };
        if let Some(site) = self.site.as_ref().filter(|site| site.site != file.site) {
            found.block(
                "instructions",
                format!("{shown}: it is of site {}, and the share is of site {}", file.site, site.site),
                "Publish it on its own site's share",
            );
        }
        self.requests += file.requests.len();
        let report = reported(self.root, machine);
        serial(&file, shown, report.as_ref(), found);
        let ran = |id: RequestId| self.ran(machine, id, report.as_ref());
        request::judge(&file, shown, self.asked, ran, found);
        for request in good(&file) {
            let here = format!("{shown}, line {}, {}", request.line, request.request_id);
            self.unique(request.request_id, &here, found);
            let platform = report.as_ref().and_then(|report| report.rest.platform);
            self.packages.judge(self.root, request, platform, &here, self.asked, found);
        }
    }

    /// A request that is not in the file any more may have been carried out before.
    fn ran(&self, machine: MachineId, id: RequestId, report: Option<&MachineReport>) -> bool {
        let reported =
            report.is_some_and(|r| r.rest.requests.iter().any(|r| r.request_id == id && r.attempt > 0));
        reported || {
            let first = report::result_name(id, 1);
            let folder = self.root.folder(RESULTS).and_then(|f| f.folder(machine.as_str()));
            folder.is_ok_and(|folder| folder.file(&first).is_ok())
        }
    }

    fn unique(&mut self, id: RequestId, here: &str, found: &mut Found) {
        let this = u32::try_from(self.machines.len().saturating_sub(1)).unwrap_or(u32::MAX);
        if let Some(other) = self.seen.insert(id, this).filter(|other| *other != this) {
            let other = self.machines.get(other as usize).map(ToString::to_string).unwrap_or_default();
            found.block(
                "request-ids",
                format!("{here}: {other} has a request of this id, too"),
                "Give each delivery to each machine an id of its own, never used before",
            );
        }
    }

    fn say(&self, found: &mut Found) {
        let machines = count(self.machines.len(), "instruction file");
        let requests = count(self.requests, "request");
        found.looked("instructions", machines.clone());
        found.looked("serials", format!("{machines}, none behind what its machine has seen"));
        found.looked("requests", requests.clone());
        for item in ["contradictions", "silent", "request-ids", "dependencies"] {
            found.looked(item, requests.clone());
        }
        found.looked("times", format!("{requests}, local times in {}", self.asked.zone.name()));
        if self.asked.fits.is_some() {
            found.looked("windows", format!("{requests}, by the windows of the configuration"));
        }
        let how = if self.asked.hashes {
            "every file hashed"
        } else {
            "names and sizes, not every byte (--hashes)"
        };
        found.looked("content", format!("{}, {how}", count(self.packages.len(), "package")));
        if self.asked.modes {
            found.looked("modes", "only root and this account can write what is published");
        }
    }
}

fn good(file: &InstructionFile) -> impl Iterator<Item = &instruction::Request> {
    file.requests.iter().filter_map(|entry| match entry {
        Entry::Good(request) => Some(&**request),
        Entry::Rejected(_) => None,
    })
}
