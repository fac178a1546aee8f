//! `pcm site collect`: reads the reports of all machines, beside the share, and writes what they say as one file that consoles
//! read within seconds (SITE.md 6).

use super::args::FolderArgs;
use super::page::Page;
use super::view::count;
use super::{App, folder, lint};
use crate::clock::Wall;
use crate::error::{Exit, Failure, Result};
use crate::host::open::Folder as Opened;
use crate::host::threads;
use crate::rollout::collect::collect;
use crate::rollout::collected::{Header, NAME};
use crate::site::ids::{MachineId, SiteCode};
use crate::site::report::write_replacing;
use crate::text::SafeText;
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

/// A share that gives no report for so long gives none.
const PATIENCE: Duration = Duration::from_secs(60);

/// `site collect --json`
#[derive(Debug, Serialize)]
struct CollectDoc {
    /// The site's code.
    site: SiteCode,
    /// The file.
    file: SafeText,
    /// The size of the file in bytes.
    bytes: u64,
    /// When reading began.
    at: Wall,
    /// How many machines the site has.
    machines: u64,
    /// How many of them have a report that was read.
    read: u64,
    /// How many of them have a report that could not be read.
    unread: u64,
    /// How many of them have no report.
    without_report: u64,
    /// Nothing was written: it is what would be done.
    dry_run: bool,
}

/// `pcm site collect`
pub fn run(app: &App, named: &FolderArgs) -> Result<Exit> {
    let folder = folder::open(app, named)?;
    let source = folder.read(&lint::programs(app))?;
    // Beside the share its folder may have another name than where it is published from.
    let share = app.setup.flags.shares.first().cloned().unwrap_or_else(|| folder.share());
    app.needs(&share)?;
    let machines: BTreeSet<MachineId> = source.machines.keys().copied().collect();
    let file = share.join(NAME);
    let settings = &folder.settings;
    let site = (settings.site, settings.site_id.clone());
    let failed = |why: SafeText| {
        let message = format!("{why}; {} is as it was", file.display());
        Failure::new(Exit::Share, "share-missing", message, "Bring the share back, then try again")
    };
    let (header, bytes) =
        collect(&share, site, &machines, PATIENCE, app.now, super::rollout::progress(app)).map_err(failed)?;
    let size = bytes.len() as u64;
    if !app.dry_run {
        write(&share, bytes).map_err(failed)?;
    }
    let doc = doc(app, &header, &file, size);
    app.out.view(&doc, || page(app, &doc))?;
    Ok(Exit::Done)
}

/// A reader sees the old file or the new one.
fn write(share: &Path, bytes: Vec<u8>) -> std::result::Result<(), SafeText> {
    let path = share.to_owned();
    let write = move || -> std::io::Result<()> { write_replacing(&Opened::open(&path)?, NAME, &bytes) };
    let words = |e: std::io::Error| SafeText::new(&format!("{NAME} cannot be written: {e}"));
    threads::within("collect", PATIENCE, write).map_err(words)?.map_err(words)
}

fn doc(app: &App, header: &Header, file: &Path, bytes: u64) -> CollectDoc {
    CollectDoc {
        site: header.site,
        file: SafeText::new(&file.display().to_string()),
        bytes,
        at: header.at,
        machines: header.machines,
        read: header.read,
        unread: header.unread,
        without_report: header.machines.saturating_sub(header.read + header.unread),
        dry_run: app.dry_run,
    }
}

fn page(app: &App, doc: &CollectDoc) -> Page {
    let mut page = Page::new(app.out.width);
    let verb = if doc.dry_run { "would be" } else { "are" };
    let reports = count(usize::try_from(doc.read).unwrap_or(usize::MAX), "report");
    page.line(format!("{reports} {verb} in {}, {} bytes.", doc.file, doc.bytes));
    if doc.unread > 0 {
        page.line(format!("{} cannot be used: pcm rollout names them.", doc.unread));
    }
    if doc.without_report > 0 {
        page.line(format!("{} of {} machines have no report.", doc.without_report, doc.machines));
    }
    page
}
