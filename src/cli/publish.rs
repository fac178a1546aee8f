//! `pcm site`: the site folder and what is published from it; a share that is filled by hand.

use super::App;
use super::args::{PublishArgs, SiteVerb};
use super::folder::{self, Says, Wishes};
use super::lint;
use super::page::Page;
use super::time::absolute;
use super::too_old;
use super::view::count;
use crate::clock::Wall;
use crate::error::{Exit, Failure, Result};
use crate::site::folder::made;
use crate::site::hand_made;
use crate::site::ids::{JobId, MachineId, PackageId, RequestId, SiteCode};
use crate::site::publish::site_init;
use crate::site::publisher::{Expect, past};
use crate::text::SafeText;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// `pcm site …`
pub fn site(app: &App, verb: &SiteVerb) -> Result<Exit> {
    match verb {
        SiteVerb::Init { dir, site, from: Some(from), .. } => match app.setup.flags.shares.as_slice() {
            [_, _, ..] => Err(Failure::new(
                Exit::Usage,
                "usage",
                "a site is published on one share",
                "Name one --share",
            )),
            shares => taken_folder(app, dir, *site, shares.first().map(PathBuf::as_path), from),
        },
        SiteVerb::Init { dir, site, example, hand_made, from: None } => {
            match (hand_made, app.setup.flags.shares.as_slice()) {
                (true, [_, ..]) => Err(Failure::new(
                    Exit::Usage,
                    "usage",
                    "--share does not go with --hand-made",
                    "DIR is the share then",
                )),
                (true, []) => hand_made_share(app, dir, *site, *example),
                (false, [_, _, ..]) => Err(Failure::new(
                    Exit::Usage,
                    "usage",
                    "a site is published on one share",
                    "Name one --share",
                )),
                (false, shares) => {
                    site_folder(app, dir, *site, shares.first().map(PathBuf::as_path), *example)
                }
            }
        }
        SiteVerb::Publish(args) => publish(app, args),
        SiteVerb::Status { folder } => super::site_status::run(app, folder),
        SiteVerb::InstallTimer { folder, collect } => super::timer::run(app, folder, *collect),
        SiteVerb::Collect { folder } => super::collect::run(app, folder),
        SiteVerb::Freeze { until, reason, then } => super::freeze::freeze(app, until, reason, then),
        SiteVerb::Unfreeze { then } => super::freeze::unfreeze(app, then),
        SiteVerb::Machine { what } => super::machine::run(app, what),
        SiteVerb::Lint { what, zone, hashes } => {
            super::lint::run(app, what.as_deref(), zone.as_deref(), *hashes)
        }
        SiteVerb::Verify { file, part, block, folder } => {
            super::verify::run(app, file, *part, *block, folder)
        }
    }
}

fn publish(app: &App, args: &PublishArgs) -> Result<Exit> {
    let (folder, _alone) = folder::open_alone(app, &args.folder)?;
    let wishes = Wishes {
        key: &args.key,
        serial: args.serial,
        expect: Expect::Changes(args.expect.unwrap_or(0)),
        break_lock: args.break_lock,
        thorough: true,
        what: match args.undo {
            None => "site publish".to_owned(),
            Some(serial) => format!("site publish --undo {serial}"),
        },
        source: Says::Unread,
    };
    let mut cancelled = Vec::new();
    let (published, left) = match args.undo {
        None if args.renew => (super::renew::run(app, &folder, args)?, Vec::new()),
        None => (folder::run(app, &folder, wishes)?, Vec::new()),
        Some(serial) => {
            let programs = lint::programs(app);
            let source = folder.read(&programs)?;
            let back = past::back_to(&folder, &source, serial, &programs, app.now)?;
            cancelled = back.cancels(&source);
            (folder::change(app, &folder, wishes, &back.edits, &source)?, back.left)
        }
    };
    let mut doc = folder::doc(app, &published);
    doc.cancelled = cancelled;
    doc.left = left.iter().map(|why| SafeText::new(why)).collect();
    doc.too_old = too_old::of(app, &folder, &published);
    app.out.view(&doc, || {
        let mut page = Page::new(app.out.width);
        folder::page(app, &doc, &mut page);
        for job in &doc.cancelled {
            let is = if app.dry_run { "would be" } else { "is" };
            page.item("! ", format!("{job} was sent since, and {is} cancelled, which is final."));
        }
        for why in &doc.left {
            page.item("! ", why);
        }
        if let Some(found) = &doc.too_old {
            too_old::page(found, &mut page);
        }
        page
    })?;
    Ok(Exit::Done)
}

/// `site init --json`
#[derive(Debug, Serialize)]
struct FolderDoc {
    /// Path of the site folder; with `--hand-made`, of the share.
    dir: SafeText,
    /// The site's code.
    site: SiteCode,
    /// The site's id, which no other site has. Absent with `--hand-made`.
    site_id: SafeText,
    /// The share that it is published on. Absent with `--hand-made`.
    share: SafeText,
    /// The machine of the example; None without `--example`.
    machine: Option<MachineId>,
    /// The request of the example; None without `--example`.
    request_id: Option<RequestId>,
    /// When the example becomes due; None without `--example`.
    mandatory_after: Option<Wall>,
    /// Why trust mode `permissions` would refuse the share; None: it would not.
    loose: Option<SafeText>,
    /// What was taken of a share that is filled by hand; absent without `--from`.
    #[serde(skip_serializing_if = "Option::is_none")]
    taken: Option<TakenDoc>,
}

/// What was taken of a share that is filled by hand.
#[derive(Debug, Serialize)]
struct TakenDoc {
    /// The share that it was taken of.
    from: SafeText,
    /// How many machines were taken.
    machines: usize,
    /// The packages that were taken.
    packages: Vec<PackageId>,
    /// The jobs that were made of its requests.
    jobs: Vec<JobId>,
    /// The first publication has to have at least this number.
    serial: u64,
    /// What was not taken.
    left: Vec<LeftDoc>,
}

/// What was not taken.
#[derive(Debug, Serialize)]
struct LeftDoc {
    /// The file, or the request in it.
    what: SafeText,
    /// Why it was not taken.
    why: SafeText,
}

/// `pcm site init --from`
fn taken_folder(app: &App, dir: &Path, site: SiteCode, share: Option<&Path>, from: &Path) -> Result<Exit> {
    let (dir, from) = (absolute(dir), absolute(from));
    let programs = super::lint::programs(app);
    [Some(from.as_path()), share].into_iter().flatten().try_for_each(|share| app.needs(share))?;
    let read = hand_made::read(&from, site, &programs)?;
    if app.dry_run {
        let what = format!("make a site folder for site {site} in {} of {}", dir.display(), from.display());
        return app.would(what);
    }
    let made = made::make(&dir, site, share, None, app.now)?;
    let taken = read.write(&made.folder, &programs)?;
    let shown = |path: &Path| SafeText::new(&path.display().to_string());
    let left = taken.left.into_iter().map(|left| LeftDoc { what: left.what, why: left.why });
    let doc = FolderDoc {
        dir: shown(&dir),
        site,
        site_id: SafeText::new(made.folder.settings.site_id.as_str()),
        share: shown(&made.folder.share()),
        machine: None,
        request_id: None,
        mandatory_after: None,
        loose: made.loose,
        taken: Some(TakenDoc {
            from: shown(&from),
            machines: taken.machines,
            packages: taken.packages,
            jobs: taken.jobs,
            serial: taken.serial,
            left: left.collect(),
        }),
    };
    app.out.view(&doc, || folder_page(app, &doc))?;
    Ok(Exit::Done)
}

fn site_folder(
    app: &App,
    dir: &Path,
    site: SiteCode,
    share: Option<&Path>,
    example: Option<MachineId>,
) -> Result<Exit> {
    let dir = absolute(dir);
    if app.dry_run {
        return app.would(format!("make a site folder for site {site} in {}", dir.display()));
    }
    share.map_or(Ok(()), |share| app.needs(share))?;
    let made = made::make(&dir, site, share, example, app.now)?;
    let shown = |path: &Path| SafeText::new(&path.display().to_string());
    let doc = FolderDoc {
        dir: shown(&dir),
        site,
        site_id: SafeText::new(made.folder.settings.site_id.as_str()),
        share: shown(&made.folder.share()),
        machine: made.example.map(|(machine, _, _)| machine),
        request_id: made.example.map(|(_, request, _)| request),
        mandatory_after: made.example.map(|(_, _, at)| at),
        loose: made.loose,
        taken: None,
    };
    app.out.view(&doc, || folder_page(app, &doc))?;
    Ok(Exit::Done)
}

fn folder_page(app: &App, doc: &FolderDoc) -> Page {
    let look = app.look();
    let mut page = Page::new(app.out.width);
    page.line(format!("The site folder of site {} is {}; its share is {}.", doc.site, doc.dir, doc.share));
    if let (Some(machine), Some(request), Some(at)) = (doc.machine, doc.request_id, doc.mandatory_after) {
        let at = look.time_and_distance(at);
        page.line(format!(
            "An example is in it: request {request} for {machine} becomes mandatory at {at}. {}",
            look.zone_line()
        ));
    }
    if let Some(taken) = &doc.taken {
        page.line(format!(
            "Taken from {}: {}, {}, {}.",
            taken.from,
            count(taken.machines, "machine"),
            count(taken.packages.len(), "package"),
            count(taken.jobs.len(), "job")
        ));
        for left in &taken.left {
            page.item("! ", format!("not taken: {}: {}", left.what, left.why));
        }
        page.line("A machine that once takes an index reads no instruction file any more: look at what is published first.");
    }
    // Machines believe signatures, as long as nobody says otherwise: the example's machine below, or those of a hand-made share.
    if let Some(loose) = doc.loose.as_ref().filter(|_| doc.machine.is_some() || doc.taken.is_some()) {
        page.strong(format!("Trust mode `permissions` would refuse this share: {loose}."));
    }
    let (dir, share) =
        (crate::text::shell_word(doc.dir.as_str()), crate::text::shell_word(doc.share.as_str()));
    let pcm = &app.setup.pcm;
    page.blank().line("Publish it:");
    let serial = doc.taken.as_ref().map_or_else(String::new, |taken| format!(" --serial {}", taken.serial));
    page.line(format!("  {pcm} site publish{serial} --folder {dir}"));
    if let Some(machine) = doc.machine {
        page.blank().line("Then, on the machine:");
        page.line(format!("  {pcm} init --machine {machine} --share {share} --trust permissions"));
    }
    page
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

fn hand_made_share(app: &App, dir: &Path, site: SiteCode, example: Option<MachineId>) -> Result<Exit> {
    let dir = absolute(dir);
    if app.dry_run {
        return app.would(format!("make a share for site {site} in {}", dir.display()));
    }
    app.needs(&dir)?;
    let made = site_init(&dir, site, example, app.now)?;
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
