//! `pcm site` and `pcm package content`: what a publisher does with a share.

use super::App;
use super::args::{PackageVerb, SiteVerb};
use super::page::Page;
use super::time::absolute;
use crate::clock::Wall;
use crate::error::{Exit, Failure, Result};
use crate::site::content::write_content;
use crate::site::ids::{MachineId, PackageId, RequestId, SiteCode};
use crate::site::publish::site_init;
use crate::text::SafeText;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// `package content --json`
#[derive(Debug, Serialize)]
struct ContentDoc {
    package: SafeText,
    content_sha256: String,
    files: usize,
    bytes: u64,
}

/// `pcm package …`
pub fn package(app: &App, verb: &PackageVerb) -> Result<Exit> {
    let PackageVerb::Content { package } = verb;
    let folder = folder(app, package)?;
    if app.dry_run {
        return app.would(format!("hash the files of {0} and write {0}/CONTENT", folder.display()));
    }
    let written = write_content(&folder)?;
    let doc = ContentDoc {
        package: folder.display().to_string().into(),
        content_sha256: written.sha256.as_str().to_owned(),
        files: written.files,
        bytes: written.bytes,
    };
    app.out.view(&doc, || {
        // The hash is longer than what is left of a line beside anything else, and is there to be copied.
        let mut page = Page::new(None);
        page.line(format!(
            "{}: {}, {} bytes. For the instruction file:",
            doc.package,
            super::view::count(doc.files, "file"),
            doc.bytes
        ));
        page.line(format!("content_sha256 = \"{}\"", doc.content_sha256));
        page
    })?;
    Ok(Exit::Done)
}

/// A package's folder, or that of a package id on the first share that has it.
fn folder(app: &App, named: &Path) -> Result<PathBuf> {
    if named.is_dir() && app.setup.flags.shares.is_empty() {
        return Ok(absolute(named));
    }
    let missing =
        |message: String, remedy: &str| Err(Failure::new(Exit::NotFound, "no-such-package", message, remedy));
    let Ok(id) = named.to_string_lossy().parse::<PackageId>() else {
        let message = match app.setup.flags.shares.first() {
            Some(_) => {
                format!("{} is no package id, and --share is where one is looked for", named.display())
            }
            None => format!("there is no folder {}", named.display()),
        };
        return missing(message, "Name a package's folder, or its id, like BP00000A, with --share");
    };
    let shares = app.setup.locations();
    if shares.is_empty() {
        return missing(format!("no share is known that could have {id}"), "Name the share with --share");
    }
    let mut folders = shares.iter().map(|share| share.join("packages").join(id.as_str()));
    match folders.find(|f| f.is_dir()) {
        Some(folder) => Ok(folder),
        None => missing(
            format!("no share has packages/{id}"),
            "Name the share with --share, or the package's folder",
        ),
    }
}

/// `site init --json`
#[derive(Debug, Serialize)]
struct SiteDoc {
    dir: SafeText,
    site: SiteCode,
    machine: Option<MachineId>,
    request_id: Option<RequestId>,
    mandatory_after: Option<Wall>,
    /// Why trust mode `permissions` would refuse this place.
    loose: Option<SafeText>,
}

/// `pcm site …`
pub fn site(app: &App, verb: &SiteVerb) -> Result<Exit> {
    let (dir, site, example) = match verb {
        SiteVerb::Init { dir, site, example } => (dir, site, example),
        SiteVerb::Lint { what, zone, hashes } => {
            return super::lint::run(app, what.as_deref(), zone.as_deref(), *hashes);
        }
        SiteVerb::Verify { file, part, block, folder } => {
            return super::verify::run(app, file, *part, *block, folder);
        }
    };
    let dir = absolute(dir);
    if app.dry_run {
        return app.would(format!("make a share for site {site} in {}", dir.display()));
    }
    let made = site_init(&dir, *site, *example, app.now)?;
    let doc = SiteDoc {
        dir: made.dir.display().to_string().into(),
        site: made.site,
        machine: made.example.as_ref().map(|e| e.machine),
        request_id: made.example.as_ref().map(|e| e.request),
        mandatory_after: made.example.as_ref().map(|e| e.mandatory_after),
        loose: made.loose,
    };
    app.out.view(&doc, || site_page(app, &doc))?;
    Ok(Exit::Done)
}

fn site_page(app: &App, doc: &SiteDoc) -> Page {
    let look = app.look();
    let mut page = Page::new(app.out.width);
    page.line(format!("The share of site {} is in {}.", doc.site, doc.dir));
    if let (Some(machine), Some(request), Some(at)) = (doc.machine, doc.request_id, doc.mandatory_after) {
        let at = look.time_and_distance(at);
        page.line(format!("Request {request} for {machine} becomes mandatory at {at}. {}", look.zone_line()));
    }
    if let Some(loose) = &doc.loose {
        page.strong(format!("Trust mode `permissions` would refuse this place: {loose}."));
    }
    let machine = doc.machine.map_or_else(|| "SMSID".to_owned(), |m| m.to_string());
    let share = crate::text::shell_word(doc.dir.as_str());
    page.blank().line("On the machine:");
    page.line(format!("  {} init --machine {machine} --share {share} --trust permissions", app.setup.pcm));
    page.line(format!("  {} service run", app.setup.pcm));
    page
}
