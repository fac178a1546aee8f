//! `pcm site`: what a publisher does with a share.

use super::App;
use super::args::SiteVerb;
use super::page::Page;
use super::time::absolute;
use crate::clock::Wall;
use crate::error::{Exit, Result};
use crate::site::ids::{MachineId, RequestId, SiteCode};
use crate::site::publish::site_init;
use crate::text::SafeText;
use serde::Serialize;

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
