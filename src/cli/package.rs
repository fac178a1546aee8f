//! `pcm package`: what a publisher does with the packages of a share.

mod list;

use super::App;
use super::args::{FolderArgs, ImportArgs, PackageVerb};
use super::page::Page;
use super::sign::ContentDoc;
use super::time::absolute;
use super::view::count;
use crate::error::{Exit, Failure, Result};
use crate::host::lock::ExclusiveLock;
use crate::host::open::{Folder, OpenError};
use crate::site::content::{FILES, Written, write_list};
use crate::site::ids::PackageId;
use crate::site::instruction::render::command_line;
use crate::site::package::import::{self, Imported, Wishes};
use crate::site::package::shelf::{self, Shelf};
use crate::site::package::{NAME, Package, render, request_lines, starter};
use crate::text::{self, SafeText};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// `pcm package …`
pub fn run(app: &App, verb: &PackageVerb) -> Result<Exit> {
    match verb {
        PackageVerb::New { id, name, folder } => new(app, *id, name.as_deref(), folder),
        PackageVerb::Import(args) => import(app, args),
        PackageVerb::List { folder } => list::list(app, folder),
        PackageVerb::Lint { packages, hashes, folder } => {
            let [_, ..] = packages.as_slice() else {
                let shelf = shelf(app, folder)?;
                let standing = shelf.standing()?;
                let ids = standing.ids.iter();
                let folders = ids.map(|id| shelf.package(*id).map_err(|e| (shelf.path(*id), e)));
                return super::lint::packages(app, &mut folders.into_iter(), &standing.left, *hashes);
            };
            let folders = packages.iter().map(|one| opened(app, one, folder)).collect::<Result<Vec<_>>>()?;
            super::lint::packages(app, &mut folders.into_iter().map(Ok), &[], *hashes)
        }
        PackageVerb::Sign { ids, key, again, all, folder } => {
            super::sign::run(app, ids, key, *again, *all, folder)
        }
        PackageVerb::Content { package, folder } => content(app, package, folder),
    }
}

/// Where packages may be: what `--share` names, be it a share or a site folder; the site folder that is meant; without
/// either the shares that are configured, the preferred one first.
fn roots(app: &App, named: &FolderArgs) -> Result<Vec<PathBuf>> {
    let usage = |message: &str, remedy: &str| Err(Failure::new(Exit::Usage, "usage", message, remedy));
    match (app.setup.flags.shares.as_slice(), &named.folder) {
        ([_, ..], Some(_)) => usage("--share and --folder both say where packages are", "Name one of them"),
        (shares @ [_, ..], None) => answering(app, shares),
        ([], _) => match (app.setup.site_folder(named), app.setup.config.shares.as_slice()) {
            (Ok(dir), _) => Ok(vec![dir]),
            // Without a site folder, a share that is filled by hand has its packages itself.
            (Err(_), shares @ [_, ..]) => answering(app, shares),
            (Err(none), []) if none.code == "no-site-folder" => usage(
                "no site folder and no share is known here",
                "Name the site folder with --folder or a share with --share; `pcm site init` makes one",
            ),
            (Err(e), []) => Err(e),
        },
    }
}

fn answering(app: &App, shares: &[PathBuf]) -> Result<Vec<PathBuf>> {
    shares.iter().try_for_each(|share| app.needs(share)).map(|()| shares.to_vec())
}

/// Where new packages go, and where all of them are.
fn shelf(app: &App, named: &FolderArgs) -> Result<Shelf> {
    if app.setup.flags.shares.len() > 1 {
        return Err(Failure::new(Exit::Usage, "usage", "a package is on one share", "Name one --share"));
    }
    let roots = roots(app, named)?;
    // One at least.
    Shelf::open(roots.first().map_or(Path::new("."), PathBuf::as_path))
}

/// Holds the site folder that packages are in; on a share that is filled by hand there is nothing to hold.
fn alone(app: &App, shelf: &Shelf) -> Result<Option<ExclusiveLock>> {
    match shelf.dir.parent().filter(|root| root.join(crate::site::folder::NAME).is_file()) {
        Some(root) => super::folder::alone(app, root),
        None => Ok(None),
    }
}

fn content(app: &App, package: &Path, named: &FolderArgs) -> Result<Exit> {
    let folder = opened(app, package, named)?;
    if let Some((site, id)) = super::sign::in_site_folder(folder.path()) {
        let _alone = super::folder::alone(app, &site.dir)?;
        return super::sign::content(app, &site, id);
    }
    let shown = folder.path().display().to_string();
    if app.dry_run {
        return app.would(format!("hash the files of {shown} and write {shown}/CONTENT"));
    }
    let written = write_list(&folder)?;
    let doc = ContentDoc {
        package: shown.into(),
        content_sha256: Some(written.sha256.as_str().to_owned()),
        files: Some(written.files),
        bytes: Some(written.bytes),
        release: None,
    };
    app.out.view(&doc, || {
        // The hash is longer than what is left of a line beside anything else, and is there to be copied.
        let mut page = Page::new(None);
        page.line(format!(
            "{}: {}, {} bytes. For the instruction file:",
            doc.package,
            count(written.files, "file"),
            written.bytes
        ));
        page.line(format!("content_sha256 = \"{}\"", written.sha256.as_str()));
        page
    })?;
    Ok(Exit::Done)
}

/// A package's folder, or that of a package id in the first place that has it. Links to a folder that is named are the
/// publisher's own; in a place none is followed.
fn opened(app: &App, package: &Path, named: &FolderArgs) -> Result<Folder> {
    let unreadable = |path: &Path, e: &OpenError| {
        let remedy = "Look at that folder: who may read it, and whether it is one";
        let why = format!("{} cannot be read: {e}", path.display());
        Failure::new(Exit::Failed, "unreadable", why, remedy)
    };
    let places_named = !app.setup.flags.shares.is_empty() || named.folder.is_some();
    if package.is_dir() && !places_named {
        let path = absolute(package);
        return Folder::open(&path).map_err(|e| unreadable(&path, &e));
    }
    let missing =
        |message: String, remedy: &str| Err(Failure::new(Exit::NotFound, "no-such-package", message, remedy));
    let Ok(id) = package.to_string_lossy().parse::<PackageId>() else {
        let message = match places_named {
            true => format!("{} is no package id, and the place to look for one is named", package.display()),
            false => format!("there is no folder {}", package.display()),
        };
        return missing(message, "Name a package's folder, or its id, like BP00000A");
    };
    let roots = roots(app, named)?;
    for root in &roots {
        match shelf::package(root, id) {
            Err(OpenError::Missing) => {}
            other => {
                return other.map_err(|e| unreadable(&root.join(shelf::FOLDER).join(id.as_str()), &e));
            }
        }
    }
    let shown: Vec<String> = roots.iter().map(|root| root.display().to_string()).collect();
    missing(
        format!("there is no packages/{id} in {}", shown.join(", ")),
        "Name its site folder with --folder, its share with --share, or the package's folder",
    )
}

/// `package new --json`
#[derive(Debug, Serialize)]
struct NewDoc {
    /// The package's id.
    package_id: PackageId,
    /// Path of its folder.
    folder: SafeText,
}

fn new(app: &App, id: Option<PackageId>, name: Option<&str>, named: &FolderArgs) -> Result<Exit> {
    let shelf = shelf(app, named)?;
    let _alone = alone(app, &shelf)?;
    let id = id.map_or_else(|| shelf.next_id(), Ok)?;
    shelf.may_place(id, false)?;
    let folder = shelf.path(id);
    if app.dry_run {
        return app.would(format!("begin package {id} in {}", folder.display()));
    }
    let name = SafeText::new(name.unwrap_or(id.as_str()));
    shelf.place(id, &starter(id, &name), &[], &[], false)?;
    let doc = NewDoc { package_id: id, folder: folder.display().to_string().into() };
    app.out.view(&doc, || {
        let (mut page, there) = (Page::new(app.out.width), there(app, named));
        page.line(format!("Package {id} begins in {}.", doc.folder));
        page.item("1. ", format!("Copy its files to {}/{FILES}.", doc.folder));
        page.item(
            "2. ",
            format!("Say in {}/{NAME} how it is run; every key is explained there.", doc.folder),
        );
        page.item("3. ", format!("{} package content {id}{there}", app.setup.pcm));
        page.item("4. ", format!("{} package lint {id}{there}", app.setup.pcm));
        page
    })?;
    Ok(Exit::Done)
}

/// The flag that names the place again, where it was named.
fn there(app: &App, named: &FolderArgs) -> String {
    let flag =
        |flag: &str, place: &Path| format!(" {flag} {}", text::shell_word(&place.display().to_string()));
    let share = app.setup.flags.shares.first().map(|share| flag("--share", share));
    share.or_else(|| named.folder.as_deref().map(|dir| flag("--folder", dir))).unwrap_or_default()
}

/// `package import --json`
#[derive(Debug, Serialize)]
struct ImportDoc {
    /// The package's id.
    package_id: PackageId,
    /// Its name.
    name: SafeText,
    /// Its version; None: not said.
    version: Option<SafeText>,
    /// Who made it; None: not said.
    publisher: Option<SafeText>,
    /// What it can be told to do.
    commands: Vec<CommandDoc>,
    /// Path of its folder.
    folder: SafeText,
    /// The hash of its list of files.
    content_sha256: String,
    /// How many files it has.
    files: usize,
    /// Their size in bytes.
    bytes: u64,
    /// It replaced the package that had this id.
    replaced: bool,
    /// What has to be known or looked at.
    notes: Vec<SafeText>,
}

/// One command of it.
#[derive(Debug, Serialize)]
struct CommandDoc {
    /// The command's name.
    command: SafeText,
    /// What is started, as one line.
    command_line: SafeText,
    /// Where it runs; empty: anywhere.
    platforms: Vec<&'static str>,
    /// It needs nobody.
    automated: bool,
    /// It shows nothing.
    background: bool,
    /// It removes the package.
    removes: bool,
    /// The lines of an instruction file, but for the ids of request and job and the times.
    request: String,
}

fn import(app: &App, args: &ImportArgs) -> Result<Exit> {
    let shelf = shelf(app, &args.folder)?;
    let wanted = match args.id {
        Some(id) => shelf::Id::Named(id),
        None => shelf::Id::Free(shelf.next_id()?),
    };
    let (shelf::Id::Named(id) | shelf::Id::Free(id)) = wanted;
    shelf.may_place(id, args.replace)?;
    let from = absolute(&args.from);
    let wishes = Wishes {
        name: args.name.clone(),
        version: args.version.clone(),
        platforms: args.platforms.clone(),
        command_line: args.command_line.clone(),
        files: args.files.as_deref().map(absolute),
        programs: super::lint::programs(app),
    };
    let mut imported = import::import(&from, id, &wishes)?;
    let replaced = args.replace && shelf.holds(id)?;
    if app.dry_run {
        return app.would(plan(&imported, &shelf.path(id), replaced));
    }
    let name = args.from.file_name().unwrap_or(args.from.as_os_str()).to_string_lossy();
    let mut remarks = vec![SafeText::new(&format!("Made of {name} by `pcm package import`."))];
    remarks.extend(imported.notes.iter().cloned());
    let text = |package_id| render(&Package { package_id, ..imported.package.clone() }, &remarks);
    let brought = (imported.files.as_slice(), imported.beside.as_slice());
    let (id, written) = shelf.place_alone(wanted, text, brought, args.replace, || alone(app, &shelf))?;
    imported.package.package_id = id;
    let doc = document(&imported, &written, &shelf.path(id), replaced);
    let next = next_steps(app, args, &shelf, id);
    app.out.view(&doc, || import_page(&doc, &next))?;
    Ok(Exit::Done)
}

/// What is done next with a package.
struct Next {
    /// What makes a release of it.
    release: String,
    /// What lets machines run it; None on a share that is filled by hand.
    send: Option<String>,
}

fn next_steps(app: &App, args: &ImportArgs, shelf: &Shelf, id: PackageId) -> Next {
    let (pcm, there) = (&app.setup.pcm, there(app, &args.folder));
    let Some((site, _)) = super::sign::in_site_folder(&shelf.path(id)) else {
        return Next { release: format!("{pcm} package content {id}{there}"), send: None };
    };
    let folder = args.folder.folder.as_deref().or(app.setup.flags.shares.first().map(PathBuf::as_path));
    let folder = folder.map(|dir| format!(" --folder {}", text::shell_word(&dir.display().to_string())));
    let folder = folder.unwrap_or_default();
    // What cannot be read is said where it is needed.
    let release = match site.trust_list() {
        Ok(None) => format!("{pcm} package content {id}{there}"),
        Ok(Some(_)) | Err(_) => format!("{pcm} package sign {id} --key KEY{folder}"),
    };
    let send = format!("{pcm} job send --package {id} --to TARGETS --mandatory TIME{folder}");
    Next { release, send: Some(send) }
}

fn plan(imported: &Imported, folder: &Path, replaced: bool) -> String {
    let Package { name, version, commands, .. } = &imported.package;
    let version = version.as_ref().map(|v| format!(" {v}")).unwrap_or_default();
    let commands: Vec<String> =
        commands.iter().map(|c| format!("{}: {}", c.name, command_line(&c.command_line))).collect();
    let put = if replaced { "replace" } else { "make" };
    let files = count(imported.files.len(), "file");
    format!("{put} {} of {name}{version} with {files}; {}", folder.display(), commands.join("; "))
}

fn document(imported: &Imported, written: &Written, folder: &Path, replaced: bool) -> ImportDoc {
    let package = &imported.package;
    let commands = package.commands.iter().map(|command| CommandDoc {
        command: command.name.clone(),
        command_line: line(command),
        platforms: command.how.platforms.iter().map(|p| p.as_str()).collect(),
        automated: command.how.automated,
        background: command.how.background,
        removes: command.removes,
        request: request_lines(package, command, Some(&written.sha256)),
    });
    ImportDoc {
        package_id: package.package_id,
        name: package.name.clone(),
        version: package.version.clone(),
        publisher: package.publisher.clone(),
        commands: commands.collect(),
        folder: folder.display().to_string().into(),
        content_sha256: written.sha256.as_str().to_owned(),
        files: written.files,
        bytes: written.bytes,
        replaced,
        notes: imported.notes.clone(),
    }
}

/// A command line as it is written in a file, without the quotes round it.
fn line(command: &crate::site::package::PackageCommand) -> SafeText {
    use crate::site::instruction::Program;
    let program = match &command.command_line.program {
        Program::Listed(name) => name.clone(),
        Program::InPackage(path) => path.clone(),
    };
    let words: Vec<String> =
        std::iter::once(program).chain(command.command_line.args.iter().cloned()).collect();
    crate::site::instruction::command::join(&words).unwrap_or_else(|| words.join(" ")).into()
}

fn import_page(doc: &ImportDoc, next: &Next) -> Page {
    // Lines that are there to be copied are not wrapped.
    let mut page = Page::new(None);
    let version = doc.version.as_ref().map(|v| format!(" {v}")).unwrap_or_default();
    page.line(format!(
        "{}: {}{version}, {}, {}, in {}.",
        doc.package_id,
        doc.name,
        count(doc.files, "file"),
        text::bytes(doc.bytes),
        doc.folder
    ));
    for command in &doc.commands {
        page.line(format!("  {}: {}", command.command, command.command_line));
    }
    for note in &doc.notes {
        page.item("  note: ", note.as_str());
    }
    if doc.files == 0 {
        page.blank().line(format!("Copy its files to {}/{FILES}, then: {}", doc.folder, next.release));
        return page;
    }
    if let Some(send) = &next.send {
        page.blank().line(format!("Its release: {}", next.release));
        page.line(format!("Then send it: {send}"));
        return page;
    }
    if let Some(first) = doc.commands.iter().find(|c| !c.removes) {
        page.blank()
            .line(format!("For the instruction file of a machine ({}), with ids of its own:", first.command));
        page.blank().line("[[request]]");
        page.line("request_id = \"…\"").line("job_id = \"…\"");
        for line in first.request.lines() {
            page.line(line);
        }
    }
    page
}
