//! `pcm site publish --renew`: what is published counts longer, and nothing else is published. Edits that somebody has not
//! published yet wait for that person; whoever runs this is a timer.

use super::args::{PublishArgs, ThenArgs};
use super::folder::{self, Says, Wishes};
use super::{App, lint, standing};
use crate::error::{Exit, Failure, Result};
use crate::site::folder::edit::Edit;
use crate::site::folder::{Folder, Source};
use crate::site::ids::JobId;
use crate::site::index::JobState;
use crate::site::index::job::{Job, Word};
use crate::site::publisher::standing::Standing;
use crate::site::publisher::{Expect, Published, past};

/// What a folder said when what is in force was published from it, and whether it says something else by now.
///
/// # Errors
/// `unpublished`: what is in force was not published from here, and is not what the folder says either. Nothing is published
/// yet.
pub fn base(app: &App, folder: &Folder, standing: &Standing) -> Result<(Source, bool)> {
    let programs = lint::programs(app);
    // A file that somebody is writing is no reason to let a publication run out.
    let own = folder.read(&programs).ok();
    if let Some(then) = past::published(folder, standing.index.serial, &programs) {
        let edited = own.is_none_or(|own| own.texts != then.texts);
        return Ok((then, edited));
    }
    let own = own.map(|own| Ok((unchanged(app, folder, &own)?, own))).transpose()?;
    if let Some((true, own)) = own {
        return Ok((own, false));
    }
    let message = format!(
        "nothing was published: publication {} was not made from this folder as it is, and what it would change is not \
         renewed by itself",
        standing.index.serial
    );
    let remedy = "Bring the folder up to date, as from your repository, then see pcm site publish --dry-run";
    Err(Failure::new(Exit::Refused, "unpublished", message, remedy))
}

/// Whether a publication of this would change nothing but its time.
fn unchanged(app: &App, folder: &Folder, source: &Source) -> Result<bool> {
    // Whatever it would change: it is only looked at.
    let wishes = Wishes { expect: Expect::Changes(usize::MAX), ..wishes(&[], "", Says::Would(source)) };
    let Published { jobs, withdrawn, policies, parts, .. } = folder::run(app, folder, wishes)?;
    Ok(jobs.is_empty() && withdrawn.is_empty() && policies == 0 && parts == 0)
}

fn wishes<'a>(key: &'a [std::path::PathBuf], what: &str, source: Says<'a>) -> Wishes<'a> {
    Wishes {
        key,
        serial: None,
        expect: Expect::Nothing,
        break_lock: false,
        thorough: false,
        what: what.to_owned(),
        source,
    }
}

/// Renews what is published from a folder.
///
/// # Errors
/// As [`base`], and what cannot be published.
pub fn run(app: &App, folder: &Folder, args: &PublishArgs) -> Result<Published> {
    let standing = standing::of(app, folder)?.ok_or_else(|| {
        Failure::new(
            Exit::Refused,
            "not-published",
            "nothing is published yet",
            "Publish it: pcm site publish",
        )
    })?;
    let (source, edited) = base(app, folder, &standing)?;
    if edited {
        app.out.note(
            "The folder was edited since; the edits are not published by this: pcm site status names them.",
        );
    }
    let wishes = wishes(&args.key, "site publish --renew", Says::This(&source));
    folder::run(app, folder, Wishes { serial: args.serial, break_lock: args.break_lock, ..wishes })
}

/// What is published from a folder of which some file is wrong, with one job as its own file says it; where that file is it, as
/// it was published.
///
/// # Errors
/// What is wrong, where it is not known what was published from here.
pub fn beside(app: &App, folder: &Folder, id: JobId, wrong: &Failure) -> Result<Source> {
    let mut then = published(app, folder, wrong)?;
    match folder.read_job(id, &lint::programs(app)) {
        Some(own) => drop(then.jobs.insert(id, own)),
        // What machines have of it can be stopped all the same.
        None if folder.job_path(id).exists() && then.jobs.contains_key(&id) => {}
        None => return Err(wrong.clone()),
    }
    Ok(then)
}

/// Publishes another word on one job, and nothing else that the folder says by now. The folder gets that word, too. `by_word`:
/// somebody says so, and how many machines it is for.
///
/// # Errors
/// As [`base`], and what cannot be written or published.
pub fn step(
    app: &App,
    folder: &Folder,
    then: &ThenArgs,
    what: String,
    (job, word): (&Job, &Word),
    read: &Source,
    by_word: bool,
) -> Result<Option<Published>> {
    let edit = Edit::job(job, word.clone());
    let standing = if then.no_publish { None } else { standing::of(app, folder)? };
    let Some(standing) = standing else { return folder::edit(app, folder, then, what, &edit, Some(read)) };
    let (base, edited) = base(app, folder, &standing)?;
    if !edited && by_word {
        return folder::edit(app, folder, then, what, &edit, Some(read));
    }
    if !edited {
        // Nobody has said a number: what was published with its number before needs none.
        let wishes = wishes(&then.key, &what, Says::Unread);
        return folder::change(app, folder, wishes, std::slice::from_ref(&edit), read).map(Some);
    }
    let Some((published, said)) = base.jobs.get(&job.job_id) else {
        let message = format!("nothing was changed: {} is not published yet", job.job_id);
        return Err(Failure::new(
            Exit::Refused,
            "unpublished",
            message,
            "Publish it first: pcm site publish",
        ));
    };
    let public = Word { limits: said.limits, canary: said.canary.clone(), ..word.clone() };
    let this = Edit::job(published, public).applied(&base);
    let wishes = wishes(&then.key, &what, Says::This(&this));
    match app.dry_run {
        true => folder::run(app, folder, wishes),
        false => folder::change_to(app, folder, wishes, own_edit(app, folder, job, word).as_slice()),
    }
    .map(Some)
}

/// The word as the job's own file gets it, in which somebody may have edited something else. One that cannot be read is its
/// author's, and `publish` asks before it takes the word back.
fn own_edit(app: &App, folder: &Folder, job: &Job, word: &Word) -> Option<Edit> {
    let Some((own, said)) = folder.read_job(job.job_id, &lint::programs(app)) else {
        tracing::warn!(
            "{} cannot be read and was left as it is: write state = \"{}\" into it",
            folder.job_path(job.job_id).display(),
            word.state
        );
        return None;
    };
    // What somebody cancelled there is not to be published as less.
    let is_final = said.state == JobState::Cancelled && word.state != JobState::Cancelled;
    (!is_final).then(|| Edit::job(&own, Word { limits: said.limits, canary: said.canary, ..word.clone() }))
}

/// What is published from a folder of which some file is wrong.
///
/// # Errors
/// What is wrong, where it is not known what was published from here.
pub fn published(app: &App, folder: &Folder, wrong: &Failure) -> Result<Source> {
    let standing = standing::of(app, folder)?;
    let serial = standing.map(|standing| standing.index.serial);
    let then = serial.and_then(|serial| past::published(folder, serial, &lint::programs(app)));
    then.ok_or_else(|| wrong.clone())
}

/// What stops something goes through whatever else somebody edited: where the folder was refused, as it says now, this is
/// published alone, and the file gets it, too (`edit`). `on`: the same of what is published; None: that has no such thing.
///
/// # Errors
/// What was refused, where nothing else was edited, or where it is not known what was published from here; what cannot be
/// written or published.
pub fn alone(
    app: &App,
    folder: &Folder,
    (then, what): (&ThenArgs, String),
    refused: Failure,
    edit: &Edit,
    on: impl FnOnce(&Source) -> Option<Edit>,
) -> Result<Option<Published>> {
    let Ok(base) = published(app, folder, &refused) else {
        let remedy = "Put back the other edits of the folder (git stash), then try again";
        return Err(Failure { remedy: remedy.into(), ..refused });
    };
    if folder.read(&lint::programs(app)).is_ok_and(|own| own.texts == base.texts) {
        return Err(refused);
    }
    let Some(this) = on(&base).map(|edit| edit.applied(&base)) else {
        let remedy = "No machine knows of it yet: add --no-publish";
        return Err(Failure { remedy: remedy.into(), ..refused });
    };
    let wishes = wishes(&then.key, &what, Says::This(&this));
    let done = match app.dry_run {
        true => folder::run(app, folder, wishes),
        false => folder::change_to(app, folder, wishes, std::slice::from_ref(edit)),
    }?;
    let from = format!("nothing was published from {}: ", folder.dir.display());
    let why = refused.message.as_str();
    tracing::warn!(
        "no other edit of the folder is published, as these were refused: {}",
        why.strip_prefix(&from).unwrap_or(why)
    );
    Ok(Some(done))
}
