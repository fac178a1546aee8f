//! Packages: their definition, what their commands start, and their files.

use super::command::{self, Line};
use super::{Asked, Found, asks, content, count, place};
use crate::host::open::{Folder, OpenError};
use crate::site::ids::PackageId;
use crate::site::instruction::Program;
use crate::site::package::shelf::{self, FOLDER, Left, LeftOf};
use crate::site::package::{self, InstalledIf, Package, PackageCommand};
use crate::terms::Problem;
use std::path::PathBuf;

/// Words of what cannot be undone.
const DANGERS: &[&str] = &[
    "wipe", "wipefs", "format", "erase", "mkfs", "diskpart", "fdisk", "parted", "shred", "deltree", "reimage",
];

/// Folders of packages, opened one after the other; or where one is that cannot be, and why.
pub type Folders<'a> = dyn Iterator<Item = Result<Folder, (PathBuf, OpenError)>> + 'a;

/// Judges these packages, and what is left of others.
pub fn packages(folders: &mut Folders<'_>, left: &[Left], asked: &Asked<'_>) -> Found {
    let mut found = Found::default();
    remains(left, &mut found);
    let mut judged = 0;
    for folder in folders {
        judged += 1;
        match folder {
            Ok(folder) => {
                judge(&folder, asked, &mut found);
                content::look(&folder, asked, &mut found);
            }
            Err((path, e)) => unopened(&path.display().to_string(), &e, &mut found),
        }
    }
    let packages = count(judged, "package");
    for item in ["packages", "silent", "bounds"] {
        found.looked(item, packages.clone());
    }
    let how = if asked.hashes { "every file hashed" } else { "names and sizes, not every byte (--hashes)" };
    found.looked("content", format!("{packages}, {how}"));
    if asked.modes {
        found.looked("modes", "only root and this account can write them");
    }
    found
}

/// Judges every definition on a share. A package without one is none of ours: a machine does not need it.
pub(super) fn on_share(root: &Folder, asked: &Asked<'_>, found: &mut Found) {
    let Ok(all) = root.folder(FOLDER) else { return };
    let standing = match shelf::standing(&all) {
        Ok(standing) => standing,
        Err(e) => return found.block("packages", format!("{FOLDER}: {e}"), "Look at that folder"),
    };
    remains(&standing.left, found);
    let mut judged = 0;
    for id in standing.ids {
        let folder = match all.folder(id.as_str()) {
            Ok(folder) => folder,
            // A file of that name is none of ours.
            Err(OpenError::NotFolder | OpenError::Missing) => continue,
            Err(e) => {
                unopened(&format!("{FOLDER}/{id}"), &e, found);
                continue;
            }
        };
        if !matches!(folder.file(package::NAME), Err(OpenError::Missing)) {
            judge(&folder, asked, found);
            judged += 1;
        }
    }
    let judged = count(judged, "definition");
    found.looked("packages", judged.clone());
    found.looked("bounds", judged);
}

fn unopened(shown: &str, e: &OpenError, found: &mut Found) {
    found.block(
        "packages",
        format!("{shown}: {e}"),
        "Put the folder itself there: no machine follows a link of a share",
    );
}

/// What interrupted imports and replacements left.
fn remains(left: &[Left], found: &mut Found) {
    for one in left {
        match one.what {
            LeftOf::Away => found.block("packages", one.words(), one.remedy()),
            LeftOf::Replaced | LeftOf::Begun => found.unknown("packages", one.words(), one.remedy()),
        }
    }
}

/// Judges a package by its definition; its files are looked at where they are asked for.
fn judge(folder: &Folder, asked: &Asked<'_>, found: &mut Found) {
    let shown = folder.path().join(package::NAME).display().to_string();
    let package = match shelf::read(folder, &asked.defaults.programs) {
        Ok(package) => package,
        Err(problems) => return problems.iter().for_each(|problem| refused(problem, found)),
    };
    let named = folder.path().file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if let Ok(id) = named.parse::<PackageId>()
        && id != package.package_id
    {
        found.block(
            "packages",
            format!("{shown}: it is of {}, and its folder is {named}", package.package_id),
            "Write the name of its folder as package_id",
        );
    }
    whole(&package, folder, &shown, found);
}

/// Judges what a definition says, `files` being the folder with its files and their list.
pub(super) fn whole(package: &Package, files: &Folder, shown: &str, found: &mut Found) {
    signed_fields(files, package, shown, found);
    if package.commands.is_empty() {
        found.block("packages", format!("{shown}: it has no command"), "Add a [[command]]");
    } else if !package.commands.iter().any(|c| c.how.background) {
        found.unknown(
            "silent",
            format!("{shown}: no command of it runs by itself"),
            "Set automated and background for one that asks nothing; else an operator has to start it",
        );
    }
    for command in &package.commands {
        one(files, package, command, shown, found);
    }
}

/// What a signature would cover, and what no machine would take.
fn signed_fields(folder: &Folder, package: &Package, shown: &str, found: &mut Found) {
    if package.release == Some(0) {
        let what = format!("{shown}: release is 0, and a signed package needs one from 1 on");
        found.block("packages", what, "Write release = 1, or more than the last one had");
    }
    // What cannot be read is told by the look at the package.
    if let Some(said) = &package.content_sha256
        && let Ok((_, hash)) = shelf::contents(folder)
        && hash != *said
    {
        let (said, is) = (&said.as_str()[..12], &hash.as_str()[..12]);
        found.block(
            "content",
            format!("{shown}: content_sha256 is {said}…, and {} is {is}…", crate::site::content::NAME),
            format!(
                "If the files are right: content_sha256 = \"{}\", with a higher release; then sign it again",
                hash.as_str()
            ),
        );
    }
}

fn refused(problem: &Problem, found: &mut Found) {
    found.block("packages", place(problem), "Correct it: `pcm package new` writes every key with its words");
}

fn one(folder: &Folder, package: &Package, command: &PackageCommand, shown: &str, found: &mut Found) {
    let here = format!("{shown}, line {}, {:?}", command.line, command.name.as_str());
    let line = Line {
        line: &command.command_line,
        automated: command.how.automated,
        platforms: &command.how.platforms,
        exit_codes: &command.how.exit_codes,
    };
    command::judge(&line, &here, "packages", found);
    if let Program::InPackage(path) = &command.command_line.program {
        content::program(folder, path, &command.how.platforms, (&here, "it names no platforms"), found);
        if command.how.automated {
            asks::judge(folder, path, &command.command_line, &here, found);
        }
    }
    bounds(package, command, &here, found);
    depends_on(folder, package, command, &here, found);
    if !is_published(folder) {
        unjudged(command, &here, found);
    }
    elsewhere(package, command, &here, found);
}

/// It stands in a site folder: what is published of it is under an index.
fn is_published(folder: &Folder) -> bool {
    let root = folder.path().parent().and_then(|all| all.parent());
    root.is_some_and(|root| root.join(crate::site::signed::folder::NAME).is_file())
}

/// A platform on which nobody can tell whether the package is installed: there it would never run.
fn elsewhere(package: &Package, command: &PackageCommand, here: &str, found: &mut Found) {
    let (what, linux) = match &package.installed_if {
        None => return,
        Some(InstalledIf::Dpkg(_)) => ("dpkg", true),
        Some(InstalledIf::Rpm(_)) => ("rpm", true),
        Some(InstalledIf::Registry { .. }) => ("the registry", false),
        Some(InstalledIf::File { path, .. }) => (path.as_str(), path.starts_with('/')),
    };
    for platform in command.how.platforms.iter().filter(|platform| platform.is_linux() != linux) {
        found.block(
            "packages",
            format!(
                "{here}: it is for {platform}, where installed_if cannot ask {what}: there it never runs"
            ),
            "Make a package of its own for that platform",
        );
    }
}

/// Packages that are not there. Which requests there will be nobody knows here.
fn depends_on(folder: &Folder, package: &Package, command: &PackageCommand, here: &str, found: &mut Found) {
    let Some(all) = folder.path().parent().filter(|all| all.ends_with(FOLDER)) else { return };
    for id in command.depends_on.iter().filter_map(|id| id.as_str().parse::<PackageId>().ok()) {
        let why = if id == package.package_id {
            "and a package cannot wait for itself"
        } else if Folder::open(all).and_then(|all| Ok(all.holds(id.as_str())?)) == Ok(false) {
            "and there is no such package"
        } else {
            continue;
        };
        found.block(
            "packages",
            format!("{here}: it depends on {id}, {why}"),
            "Correct depends_on, or put that package there first",
        );
    }
}

/// Bounds that machines do not judge on a hand-made share. Nobody may believe that they hold.
fn unjudged(command: &PackageCommand, here: &str, found: &mut Found) {
    let bounds = [("where", command.bound.is_some()), ("depends_on", !command.depends_on.is_empty())];
    for (bound, _) in bounds.iter().filter(|(_, set)| *set) {
        found.unknown(
            "bounds",
            format!(
                "{here}: on a hand-made share no machine judges `{bound}`: in trust mode signed none runs the command \
                 (package-mismatch), in mode permissions each runs it as its instruction file says"
            ),
            "Publish it to those machines only that may run it",
        );
    }
}

/// What takes something away should say where it may.
fn bounds(package: &Package, command: &PackageCommand, here: &str, found: &mut Found) {
    if command.bound.is_some() {
        return;
    }
    const REMEDY: &str = "Bound it, as in: where = 'group == \"retired\"'";
    if let Some(word) = danger(command) {
        found.block("bounds", format!("{here}: it says {word:?}, and may run on every machine"), REMEDY);
    } else if command.removes {
        let what = format!("{here}: it removes {}, and may run on every machine", package.name.as_str());
        found.unknown("bounds", what, REMEDY);
    }
}

/// The first word of a command that speaks of what cannot be undone.
fn danger(command: &PackageCommand) -> Option<&'static str> {
    let program = match &command.command_line.program {
        Program::Listed(name) => name,
        Program::InPackage(path) => path.rsplit('/').next().unwrap_or(path),
    };
    let known = |word: &str| DANGERS.iter().copied().find(|d| d.eq_ignore_ascii_case(word));
    let within = |text: &str| text.split(|c: char| !c.is_ascii_alphanumeric()).find_map(known);
    let of_arg = |arg: &String| {
        let option = arg.trim_start_matches(['-', '/']);
        // An option of this name says how something is written down.
        let written = |word: &&str| !(*word == "format" && arg.starts_with('-'));
        if option.contains('/') || option.len() == arg.len() && !arg.contains('=') {
            return known(option);
        }
        option.split(|c: char| !c.is_ascii_alphanumeric()).find_map(known).filter(written)
    };
    within(command.name.as_str())
        .or_else(|| within(program))
        .or_else(|| command.command_line.args.iter().find_map(of_arg))
}
