//! `pcm site status`: what is published from a site folder, and what somebody has to look at.

use super::args::FolderArgs;
use super::canary::{self, FailedFirstDoc};
use super::page::Page;
use super::table::{Table, fixed, words};
use super::view::count;
use super::{App, attention, folder, lint};
use crate::clock::Wall;
use crate::error::{Exit, Failure, Result};
use crate::host::lock;
use crate::host::open::{Folder as Opened, OpenError};
use crate::rollout::attention::Attention;
use crate::rollout::{collected, gate};
use crate::site::folder::{Folder, LOCK, Source};
use crate::site::ids::{JobId, SiteCode};
use crate::site::index::{self, JobState};
use crate::site::publisher::standing::{self, Note, Standing, Unpublished, note};
use crate::site::report;
use crate::site::signed::list::TrustList;
use crate::site::signed::signers::Role;
use crate::text::SafeText;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// A share that gives nothing for so long gives nothing.
const PATIENCE: Duration = Duration::from_secs(20);

/// `site status --json`
#[derive(Debug, Serialize)]
struct StatusDoc {
    /// Path of the site folder.
    dir: SafeText,
    /// The site's code.
    site: SiteCode,
    /// The site's id, which no other site has.
    site_id: SafeText,
    /// The share that it is published on.
    share: SafeText,
    /// None: nothing is published yet, or that cannot be known.
    published: Option<PublishedDoc>,
    /// What the folder says and is not published; None: that cannot be known.
    unpublished: Option<Unpublished>,
    /// As the folder says; where that cannot be read, as is published; None: neither is known.
    machines: Option<usize>,
    /// How many jobs are in each state; None where `machines` is.
    jobs: Option<BTreeMap<&'static str, usize>>,
    /// The folder cannot be read: machines and jobs are those that are published.
    as_published: bool,
    /// The jobs that the gate of `pcm job advance` has suspended.
    halted: Vec<HaltedDoc>,
    /// The jobs that failed on machines that come first; None: that cannot be known.
    failed_first: Option<Vec<FailedFirstDoc>>,
    /// The machines at which somebody has to look; None: what they report cannot be read, or a publication was begun and has to
    /// be completed first.
    attention: Option<Attention>,
    /// The keys that end within 30 days, or have ended.
    keys: Vec<KeyDoc>,
    /// Who publishes now; None: nobody.
    publishing: Option<SafeText>,
    /// What somebody has to look at.
    problems: Vec<ProblemDoc>,
}

/// What is published.
#[derive(Debug, Serialize)]
struct PublishedDoc {
    /// Version of the trust list that it was published under; 0: it is not signed.
    epoch: u64,
    /// Number of the publication.
    serial: u64,
    /// When it was published.
    issued: Wall,
    /// Until when machines may start anything by it; None: without an end.
    valid_until: Option<Wall>,
    /// How much of its time is left, in percent; None: it is without an end.
    left_percent: Option<i64>,
    /// How many jobs it has.
    jobs: usize,
    /// How many machines it has.
    machines: usize,
}

/// A job that was halted.
#[derive(Debug, Serialize)]
struct HaltedDoc {
    /// Which job.
    job_id: JobId,
    /// What failed, in words.
    reason: SafeText,
}

/// A key that ends.
#[derive(Debug, Serialize)]
struct KeyDoc {
    /// Whose key it is.
    principal: SafeText,
    /// What it may sign.
    role: Role,
    /// Its fingerprint.
    fingerprint: SafeText,
    /// When it ends or ended.
    valid_before: Wall,
}

/// What somebody has to look at.
#[derive(Debug, Serialize)]
struct ProblemDoc {
    /// A stable word.
    code: SafeText,
    /// What is wrong, in words.
    message: SafeText,
    /// What to do about it.
    remedy: SafeText,
}

impl ProblemDoc {
    fn new(code: &str, message: impl AsRef<str>, remedy: impl AsRef<str>) -> Self {
        Self {
            code: code.into(),
            message: SafeText::new(message.as_ref()),
            remedy: SafeText::new(remedy.as_ref()),
        }
    }
}

impl From<Failure> for ProblemDoc {
    fn from(failure: Failure) -> Self {
        Self::new(&failure.code, failure.message.as_str(), failure.remedy.as_str())
    }
}

/// `pcm site status`
pub fn run(app: &App, named: &FolderArgs) -> Result<Exit> {
    let folder = folder::open(app, named)?;
    let mut problems = Vec::new();
    let mut kept = |failure: Failure| problems.push(ProblemDoc::from(failure));
    let source = folder.read(&lint::programs(app)).map_err(&mut kept).ok();
    let list = folder.trust_list().map_err(&mut kept).ok().flatten();
    // A share that does not answer is one of the problems: all that the folder knows by itself is said.
    let standing = super::standing::of(app, &folder).map_err(&mut kept);
    let is_read = standing.is_ok();
    let standing = standing.ok().flatten();
    // Where the share has nothing at all, there is one thing to do, and nothing to compare.
    let unmounted = standing.as_ref().and_then(|standing| standing.unmounted.clone());
    let unpublished = match (&source, &standing) {
        (Some(source), Some(standing)) if unmounted.is_none() => {
            let found = standing::unpublished(&folder, source, standing, &lint::programs(app), app.now);
            found.map_err(&mut kept).ok()
        }
        _ => None,
    };
    unmounted.into_iter().for_each(kept);
    let jobs = source.as_ref().map(|source| &source.jobs).into_iter().flat_map(BTreeMap::values);
    let by_state = by_state(source.as_ref(), standing.as_ref());
    let mut halted = Vec::new();
    for (job, word) in jobs {
        let reason = word.reason.as_ref().filter(|reason| gate::is_halt(reason.as_str()));
        if let (JobState::Suspended, Some(reason)) = (word.state, reason) {
            halted.push(HaltedDoc { job_id: job.job_id, reason: reason.clone() });
        }
    }
    let failed_first = match (&source, &standing) {
        (Some(source), Some(standing)) => canary::failed(app, &folder, source, standing),
        // Nothing is published.
        (Some(_), None) if is_read => Some(Vec::new()),
        (Some(_) | None, _) => None,
    };
    let (attention, partly) = match (&source, &standing) {
        (Some(source), Some(standing)) if !standing.begun => match attention::seen(app, &folder, source) {
            Ok((attention, late)) => (Some(attention), late.map(not_all_read)),
            Err(why) => (None, Some(not_read(why.as_str()))),
        },
        (Some(_), None) if is_read => (Some(Attention::default()), None),
        (Some(_) | None, _) => (None, None),
    };
    let keys = list.as_ref().map(|list| ending(list, app.now)).unwrap_or_default();
    let publishing = lock::is_held_by_team(&folder.dir.join(LOCK)).then(|| {
        let by = lock::holder_of_team(&folder.dir.join(LOCK));
        by.map_or_else(|| "somebody".into(), |holder| SafeText::new(&holder.to_string()))
    });
    let mut doc = StatusDoc {
        dir: SafeText::new(&folder.dir.display().to_string()),
        site: folder.settings.site,
        site_id: folder.settings.site_id.as_str().into(),
        share: SafeText::new(&folder.share().display().to_string()),
        published: standing.as_ref().map(|standing| published(standing, app.now)),
        unpublished,
        machines: match &source {
            Some(source) => Some(source.machines.len()),
            None => standing.as_ref().map(|standing| standing.machines),
        },
        as_published: source.is_none() && by_state.is_some(),
        jobs: by_state,
        halted,
        failed_first,
        attention,
        keys,
        publishing,
        problems,
    };
    // What is tried of a few is said in its own words, where that fails, too.
    doc.problems.extend(standing.as_ref().and_then(|standing| unread(&folder, standing)).or(partly));
    doc.problems.extend(app.reaches(&folder.share()).ok().and_then(|()| uncollected(app, &folder)));
    let note = match app.reaches(&folder.share()) {
        Ok(()) => note(&folder).unwrap_or(None).filter(|_| doc.publishing.is_none()),
        Err(_) => None,
    };
    let mut more = findings(app, &doc, standing.as_ref(), note);
    doc.problems.append(&mut more);
    app.out.view(&doc, || page(app, &doc))?;
    Ok(if doc.problems.is_empty() { Exit::Done } else { Exit::Findings })
}

/// How many jobs there are in each state: as the folder says, else as is published.
fn by_state(source: Option<&Source>, standing: Option<&Standing>) -> Option<BTreeMap<&'static str, usize>> {
    let states: Vec<JobState> = match (source, standing) {
        (Some(source), _) => source.jobs.values().map(|(_, word)| word.state).collect(),
        (None, Some(standing)) => standing.index.jobs.iter().map(|job| job.state).collect(),
        (None, None) => return None,
    };
    let mut all: BTreeMap<_, _> = JobState::ALL.iter().map(|state| (state.as_str(), 0)).collect();
    states.into_iter().for_each(|state| *all.entry(state.as_str()).or_default() += 1);
    Some(all)
}

fn published(standing: &Standing, now: Wall) -> PublishedDoc {
    let index = &standing.index;
    let left = index.valid_until.map(|until| {
        let whole = (until - index.issued).num_seconds().max(1);
        ((until - now).num_seconds() * 100 / whole).max(0)
    });
    PublishedDoc {
        epoch: index.epoch,
        serial: index.serial,
        issued: index.issued,
        valid_until: index.valid_until,
        left_percent: left,
        jobs: index.jobs.len(),
        machines: standing.machines,
    }
}

/// Why nobody learns from here what machines report; None: it can be read, as far as a few of them say.
fn unread(folder: &Folder, standing: &Standing) -> Option<ProblemDoc> {
    const A_FEW: usize = 8;
    const MOST: usize = 1_000_000;
    let path = folder.share().join(report::FOLDER);
    // The folder is there since the first publication.
    if standing.machines == 0 || standing.begun {
        return None;
    }
    let tried = || -> std::result::Result<(), OpenError> {
        let reports = Opened::open(&folder.share())?.folder(report::FOLDER)?;
        let names = reports.names(MOST)?;
        let names = names.iter().filter_map(|name| name.to_str()).filter(|name| name.ends_with(".json"));
        let tried: Vec<_> = names.take(A_FEW).map(|name| reports.file(name).map(drop)).collect();
        match tried.iter().any(std::result::Result::is_ok) {
            true => Ok(()),
            false => tried.into_iter().next().unwrap_or(Ok(())),
        }
    };
    let why = tried().err()?;
    Some(not_read(&format!("{}: {why}", path.display())))
}

fn not_read(why: &str) -> ProblemDoc {
    let message = format!("what machines report cannot be read: {why}");
    let remedy = "Put the folder back, and let whoever runs pcm read what is in it";
    ProblemDoc::new("reports-unread", message, remedy)
}

/// Nothing is said of the machines whose reports did not come.
fn not_all_read(late: SafeText) -> ProblemDoc {
    let message = format!("{late}: nothing is said here of those machines");
    ProblemDoc::new(
        "reports-unread",
        message,
        "See that the share answers, then ask again; pcm rollout shows which they are",
    )
}

/// Why no console uses what a collector has written here; None: it is used, or there is none. A share that does not say whether
/// there is one is a problem of its own.
fn uncollected(app: &App, folder: &Folder) -> Option<ProblemDoc> {
    let holds = Opened::open(&folder.share()).map(|share| share.holds(collected::NAME).unwrap_or(false));
    if !holds.unwrap_or(false) {
        return None;
    }
    let why = collected::find(&folder.share(), &folder.settings.site_id, app.now, PATIENCE).err()?;
    let message = format!("pcm rollout does not use {} of the share: {why}", collected::NAME);
    let remedy = format!(
        "See that its timer runs ({} site install-timer --collect), or remove the file where nothing collects any more",
        app.setup.pcm
    );
    Some(ProblemDoc::new("collected-unused", message, remedy))
}

fn ending(list: &TrustList, now: Wall) -> Vec<KeyDoc> {
    let keys = list.ending(now).map(|(signer, valid_before)| KeyDoc {
        principal: SafeText::new(&signer.principal),
        role: signer.role,
        fingerprint: signer.key.fingerprint().into(),
        valid_before,
    });
    keys.collect()
}

fn findings(app: &App, doc: &StatusDoc, standing: Option<&Standing>, note: Option<Note>) -> Vec<ProblemDoc> {
    let (look, mut found) = (app.look(), Vec::new());
    let pcm = &app.setup.pcm;
    let mut add = |code: &str, message: String, remedy: String| {
        found.push(ProblemDoc::new(code, message, remedy));
    };
    match standing {
        None if doc.problems.is_empty() => {
            add("not-published", "nothing is published yet".into(), format!("{pcm} site publish"));
        }
        Some(standing) if standing.begun && doc.publishing.is_none() && standing.unmounted.is_none() => add(
            "not-completed",
            match standing.lost {
                None => format!(
                    "publication {} was begun and not ended, or the share holds an older one",
                    standing.index.serial
                ),
                Some(lost) => {
                    format!("{} on the share {lost}, and machines take nothing new without it", index::NAME)
                }
            },
            format!("{pcm} site publish completes publication {}", standing.index.serial),
        ),
        Some(_) | None => {}
    }
    if let Some((until, left)) = doc.published.as_ref().and_then(|p| p.valid_until.zip(p.left_percent)) {
        let at = look.time_and_distance(until);
        let remedy = format!("Renew it: {pcm} site publish; a timer does so by itself");
        if until <= app.now {
            add(
                "validity-over",
                format!("what is published counted until {at}, so nothing of it starts"),
                remedy,
            );
        } else if left * 3 < 100 {
            add("validity-left", format!("what is published counts only until {at}"), remedy);
        }
    }
    if let Some(unpublished) = doc.unpublished.as_ref().filter(|unpublished| !unpublished.is_empty()) {
        add(
            "unpublished",
            format!("the folder says what is not published: {}", unpublished_words(unpublished)),
            format!("{pcm} site publish --dry-run says what it would do"),
        );
    }
    if let Some(damaged) = doc.unpublished.as_ref().map(|unpublished| unpublished.damaged).filter(|n| *n > 0)
    {
        let is = if damaged == 1 { "is" } else { "are" };
        add(
            "share-differs",
            format!("{} of the share {is} missing or damaged", count(damaged, "file")),
            format!("{pcm} site publish puts back what the folder has"),
        );
    }
    for fault in doc.unpublished.iter().flat_map(|unpublished| &unpublished.faults) {
        add(&fault.code, fault.message.to_string(), fault.remedy.to_string());
    }
    if let Some(note) = note {
        let remedy = match note.ours {
            true => format!("It died: {pcm} site publish takes its place"),
            false => format!("Wait for its end; if it died: {pcm} site publish --break-lock"),
        };
        add("publishing", format!("{} is at work on the share", note.who), remedy);
    }
    for halted in &doc.halted {
        let remedy =
            format!("Look at those that failed, then {pcm} job resume {0} or job cancel {0}", halted.job_id);
        add("halted", format!("{}: {}", halted.job_id, halted.reason), remedy);
    }
    for failed in doc.failed_first.iter().flatten() {
        let machines: Vec<&str> = failed.machines.iter().map(|id| id.as_str()).collect();
        let come = if machines.len() == 1 { "comes" } else { "come" };
        let message = format!("{} failed on {}, which {come} first", failed.job_id, machines.join(", "));
        let remedy = format!(
            "Look at it there, then {pcm} job advance {0} --now --reason R, or job cancel {0}",
            failed.job_id
        );
        add("canary-failed", message, remedy);
    }
    for group in doc.attention.iter().flat_map(Attention::groups) {
        add(group.code.as_str(), group.message, group.remedy);
    }
    for key in &doc.keys {
        let ends = if key.valid_before <= app.now { "ended" } else { "ends" };
        let at = look.time_and_distance(key.valid_before);
        let message = format!("the {} key of {} {ends} at {at}", key.role, key.principal);
        add("keys-expiring", message, "Trust its successor: pcm key trust".into());
    }
    found
}

fn unpublished_words(doc: &Unpublished) -> String {
    let mut parts = Vec::new();
    match doc.jobs.as_slice() {
        [] => {}
        [one] => parts.push(format!("job {one}")),
        many => parts.push(count(many.len(), "job")),
    }
    if doc.policies > 0 {
        parts.push(count(doc.policies, "policy file"));
    }
    if doc.members > 0 {
        parts.push("the list of machines".to_owned());
    }
    if doc.trust {
        parts.push("the trust list".to_owned());
    }
    match doc.signatures.as_slice() {
        [] => {}
        [one] => parts.push(format!("the signature of {one}")),
        many => parts.push(format!("the signatures of {}", count(many.len(), "package"))),
    }
    if doc.settings {
        parts.push("name or contact in site.toml".to_owned());
    }
    parts.join(", ")
}

/// What ends a sentence that does not end yet.
fn stop(sentence: &SafeText) -> &'static str {
    if sentence.as_str().ends_with(['?', '!', '.']) { "" } else { "." }
}

fn page(app: &App, doc: &StatusDoc) -> Page {
    let look = app.look();
    let mut page = Page::new(app.out.width);
    page.line(format!("Site {} ({}) in {}. {}", doc.site, doc.site_id, doc.dir, look.zone_line()));
    let mut table = Table::new(2, &[fixed(""), words("", 30)]);
    let mut row = |name: &str, value: String| {
        table.row(super::page::Tone::Plain, [name.to_owned(), value]);
    };
    row("share", doc.share.to_string());
    match &doc.published {
        None => row("published", "-".into()),
        Some(published) => {
            let number = match published.epoch {
                0 => published.serial.to_string(),
                epoch => format!("{} of trust list {epoch}", published.serial),
            };
            row("published", format!("{number}, {}", look.time_and_distance(published.issued)));
            row(
                "counts until",
                match (published.valid_until, published.left_percent) {
                    (Some(until), Some(left)) => {
                        format!("{}, {left} % of its time is left", look.time_and_distance(until))
                    }
                    _ => "not signed: for machines in mode permissions, without an end".into(),
                },
            );
        }
    }
    let unpublished = match &doc.unpublished {
        None => "not known".into(),
        Some(none) if none.is_empty() => "nothing".into(),
        Some(some) => unpublished_words(some),
    };
    row("not published", unpublished);
    let which = if doc.as_published { ", as published: the folder cannot be read" } else { "" };
    let known = |known: Option<String>| known.map_or("not known".into(), |known| format!("{known}{which}"));
    row("machines", known(doc.machines.map(|n| n.to_string())));
    let states = |jobs: &BTreeMap<&str, usize>| {
        jobs.iter().map(|(state, n)| format!("{n} {state}")).collect::<Vec<_>>().join(", ")
    };
    row("jobs", known(doc.jobs.as_ref().map(states)));
    if let Some(by) = &doc.publishing {
        row("publishing", by.to_string());
    }
    page.table(&table);
    if doc.problems.is_empty() {
        page.blank().line("All is well.");
    }
    for problem in &doc.problems {
        page.blank().item(
            "! ",
            format!("{}{} {} [{}]", problem.message, stop(&problem.message), problem.remedy, problem.code),
        );
    }
    page
}
