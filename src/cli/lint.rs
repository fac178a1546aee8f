//! `pcm site lint`: a site folder before it is published, a whole share, or one instruction file. `pcm package lint`: packages.

use super::App;
use super::args::FolderArgs;
use super::setup::Read;
use super::time::absolute;
use crate::clock::Zone;
use crate::decision::window::{Calendar, Opening};
use crate::error::{Exit, Failure, Result};
use crate::executor::talk::protocol::Answer;
use crate::executor::talk::view::{CheckDoc, CheckItem};
use crate::host::facts;
use crate::host::open::OpenError;
use crate::site::folder;
use crate::site::instruction::Request;
use crate::site::instruction::command::platform_programs;
use crate::site::instruction::parse::Defaults;
use crate::site::lint::{self, Asked, Found};
use crate::site::package::shelf::Left;
use crate::site::share::{INS_FOLDER, open_bounded};
use crate::site::trust::TrustMode;
use crate::text;
use std::path::{Path, PathBuf};

/// Judges what is named; else the share that `--share` names, the site folder, or the configured share.
pub fn run(app: &App, what: Option<&Path>, zone: Option<&str>, hashes: bool) -> Result<Exit> {
    let path = path(app, what)?;
    answers(app, &path)?;
    // What times without a zone mean to those who work on this folder.
    let named = zone.map(zone_named).transpose()?;
    let own = || folder::Folder::open(&path).ok().as_ref().map(super::site_zone::of).transpose();
    let zone = if named.is_some() { named } else { own()?.flatten() };
    let found = asked(app, zone, hashes, |asked| {
        if path.join(folder::NAME).is_file() {
            return lint::folder(&path, asked).map_err(|e| unreadable(&path, &e));
        }
        if path.is_dir() {
            return lint::share(&path, asked).map_err(|e| unreadable(&path, &e));
        }
        let bytes =
            open_bounded(&path, crate::site::instruction::MAX_BYTES).map_err(|e| unreadable(&path, &e))?;
        let named = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
        let Some(machine) = named.or_else(|| super::simulate::named_in(&bytes)) else {
            let message = format!("{} says of no machine that it is for it", path.display());
            return Err(Failure::new(Exit::Failed, "malformed", message, "Name it SMSID.INS"));
        };
        lint::file(&path, machine, asked).map_err(|e| unreadable(&path, &e))
    })?;
    say(app, found)
}

/// A share that hangs would hold up whoever reads it for ever: first it is asked by a process that can be given up.
fn answers(app: &App, path: &Path) -> Result<()> {
    app.reaches(path).map_err(|why| {
        let message = format!("{} does not answer, so it was not judged: {why}", path.display());
        let remedy = "Bring the share back (is its server up?), then lint it again";
        Failure::new(Exit::Share, "share-missing", message, remedy)
    })
}

/// Judges packages, by their folders, and what is left of others.
pub fn packages(app: &App, folders: &mut lint::Folders<'_>, left: &[Left], hashes: bool) -> Result<Exit> {
    let found = asked(app, None, hashes, |asked| Ok(lint::packages(folders, left, asked)))?;
    say(app, found)
}

fn say(app: &App, found: Found) -> Result<Exit> {
    let items = found.rows().into_iter().map(|row| CheckItem {
        item: row.item.into(),
        verdict: row.verdict,
        evidence: row.evidence.into(),
        remedy: row.remedy.map(Into::into),
    });
    app.other(Answer::Check(CheckDoc::of(items.collect())))
}

/// The bare names that machines of any system may start, and those of this configuration.
pub fn programs(app: &App) -> Vec<String> {
    let mut programs = app.setup.config.request_defaults().programs;
    for system in ["linux", "windows"] {
        programs.extend(platform_programs(system).iter().map(|p| (*p).to_owned()));
    }
    programs
}

/// Judges by the rules of flags and configuration.
fn asked<T>(
    app: &App,
    zone: Option<Zone>,
    hashes: bool,
    judge: impl FnOnce(&Asked<'_>) -> Result<T>,
) -> Result<T> {
    let zone = zone.unwrap_or_else(|| app.zone.clone());
    // A share is for machines of all systems, whatever this one is.
    let defaults = Defaults { programs: programs(app), ..app.setup.config.request_defaults() };
    let configured = app.setup.read == Read::Good;
    let windows = &app.setup.config.windows;
    let window_zone = match windows.zone.as_str() {
        "local" => zone.clone(),
        name => facts::zone(name).map_err(|e| {
            Failure::new(Exit::Failed, "zone", e.to_string(), "Correct [windows] zone of the configuration")
        })?,
    };
    let calendar = Calendar::new(&windows.weekly, &window_zone, app.now).map_err(|why| {
        Failure::new(Exit::Failed, "policy-unreadable", why, "Correct [windows] weekly of the configuration")
    })?;
    let fits = |request: &Request| match calendar.at(app.now, request.max_run_time) {
        Opening::NeverFits { longest } => Some(format!(
            "it may run {}, and the longest maintenance window is {}",
            text::duration(request.max_run_time),
            text::duration(longest)
        )),
        _ => None,
    };
    judge(&Asked {
        zone: &zone,
        defaults: &defaults,
        now: app.now,
        fits: (configured && !windows.weekly.is_empty()).then_some(&fits as &lint::Fits),
        modes: crate::host::perms::ARE_REAL
            && !(configured && app.setup.config.trust.mode == TrustMode::Signed),
        hashes,
    })
}

fn zone_named(name: &str) -> Result<Zone> {
    facts::zone(name).map_err(|e| {
        Failure::new(Exit::Usage, "usage", e.to_string(), "Name a zone like Europe/Paris with --zone")
    })
}

fn path(app: &App, what: Option<&Path>) -> Result<PathBuf> {
    let usage = |why, remedy| Err(Failure::new(Exit::Usage, "usage", why, remedy));
    match (what, app.setup.flags.shares.as_slice()) {
        (Some(path), []) => return Ok(absolute(path)),
        (Some(_), _) => return usage("--share names another place than DIR|FILE", "Leave one of them out"),
        (None, [_, _, ..]) => return usage("one share is judged at a time", "Name one --share"),
        (None, [share]) => return Ok(share.clone()),
        (None, []) => {}
    }
    match (app.setup.site_folder(&FolderArgs::default()), app.setup.config.shares.first()) {
        (Ok(dir), _) => Ok(dir),
        (Err(_), Some(share)) => Ok(share.clone()),
        (Err(none), None) if none.code == "no-site-folder" => {
            usage("no site folder and no share is known here", "Name one of them: pcm site lint DIR")
        }
        (Err(e), None) => Err(e),
    }
}

fn unreadable(path: &Path, e: &OpenError) -> Failure {
    let missing = matches!(e, OpenError::Missing);
    let (exit, code) = if missing { (Exit::NotFound, "no-such-file") } else { (Exit::Failed, "unreadable") };
    let remedy = format!("Name a share, the folder above {INS_FOLDER}, or one instruction file");
    Failure::new(exit, code, format!("{} cannot be read: {e}", path.display()), remedy)
}
