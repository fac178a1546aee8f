//! `pcm site freeze`: a freeze in the policy of all machines, published at once.

use super::App;
use super::args::ThenArgs;
use super::page::Page;
use super::view::count;
use super::{folder, job, jobs, lint, renew};
use crate::clock::When;
use crate::error::{Exit, Failure, Result};
use crate::site::folder::edit::Edit;
use crate::site::folder::{Source, malformed};
use crate::site::index::policy::{self, EVERYBODY};
use crate::site::instruction::render::when;
use crate::site::site_file::Freeze;
use crate::text::SafeText;
use chrono::{SubsecRound as _, TimeDelta};
use serde::Serialize;

/// A machine's clock that is so far behind may be believed there: it stops with all others.
const BEHIND: TimeDelta = TimeDelta::minutes(15);

/// `site freeze --json`, `site unfreeze --json`
#[derive(Debug, Serialize)]
struct FreezeDoc {
    /// Until when, as a policy says it, on each machine's own clock where it has no zone; None: `unfreeze`.
    frozen_until: Option<String>,
    /// Why, as the machines show it; None: `unfreeze`.
    reason: Option<SafeText>,
    /// How many freezes are no more.
    ended: usize,
    /// How many stay, as somebody wrote them into the policy; 0 of `freeze`.
    left: usize,
    /// The publication of it; None: `--no-publish`.
    published: Option<folder::PublishDoc>,
    /// Nothing was changed: it is what would be done.
    dry_run: bool,
}

/// `pcm site freeze`
pub fn freeze(app: &App, until: &str, reason: &str, then: &ThenArgs) -> Result<Exit> {
    let usage = |message: String| Failure::new(Exit::Usage, "usage", message, "Name a later time, like 12h");
    let until = job::when(app, until).map_err(|why| usage(format!("--until: {why}")))?;
    let now = app.now.trunc_subsecs(0);
    if job::is_over(app, until) {
        return Err(usage("--until is a time that is over".into()));
    }
    // It begins now, on every machine, and ends by each one's own clock where no zone is said.
    let from = match until {
        When::Instant(_) => When::Instant(now - BEHIND),
        When::Local(_) => When::Local(app.zone.to_local(now) - TimeDelta::hours(26)),
    };
    let reason = jobs::reason(reason)?;
    let freeze = Freeze { from, until, reason: reason.clone() };
    change(app, then, "site freeze", |text| policy::with_made(text, &freeze), Some((when(until), reason)))
}

/// `pcm site unfreeze`
pub fn unfreeze(app: &App, then: &ThenArgs) -> Result<Exit> {
    change(app, then, "site unfreeze", policy::without_made, None)
}

fn change(
    app: &App,
    then: &ThenArgs,
    what: &str,
    change: impl Fn(&str) -> String,
    frozen: Option<(String, SafeText)>,
) -> Result<Exit> {
    let (folder, _alone) = folder::open_alone(app, &then.folder)?;
    // What is wrong with another file, or refused of it, keeps nobody from stopping everything.
    let stops = frozen.is_some() && !then.no_publish;
    let (source, wrong) = match folder.read(&lint::programs(app)) {
        Ok(source) => (source, None),
        Err(wrong) if stops => (renew::published(app, &folder, &wrong)?, Some(wrong)),
        Err(wrong) => return Err(wrong),
    };
    let before = source.policies.get(EVERYBODY).map_or(0, |rules| rules.freezes.len());
    let text = change(&folder.policy_text(EVERYBODY)?);
    let shown = folder.policy_path(EVERYBODY).display().to_string();
    let rules = policy::parse_source(text.as_bytes(), &shown).map_err(|problems| {
        let wrong = malformed(&problems);
        let what = if frozen.is_some() { "freeze was made" } else { "freeze was ended" };
        let message = format!("no {what}: {shown} would say it, and cannot be read: {}", wrong.message);
        let remedy = format!(
            "Correct {shown}, or put back what it said when it was published, then try again; pcm job suspend goes through \
             meanwhile"
        );
        Failure { message: message.as_str().into(), remedy: remedy.as_str().into(), ..wrong }
    })?;
    let (ended, left) = (before.saturating_sub(rules.freezes.len()), rules.freezes.len());
    if frozen.is_none() && ended == 0 {
        let others = match left {
            0 => "policy/all.toml has no freeze".to_owned(),
            n => format!("none of the {n} freezes of policy/all.toml was made by pcm site freeze"),
        };
        let message = format!("{others}: nothing was changed");
        let remedy = "Nothing has to be done; edit policy/all.toml to end a freeze that is planned there";
        return Err(Failure::new(Exit::Refused, "no-change", message, remedy));
    }
    folder::expect(source.machines.len(), then)?;
    let edit = Edit::PolicyText(EVERYBODY.to_owned(), rules, text);
    let done = match wrong {
        None => folder::edit(app, &folder, then, what.to_owned(), &edit, Some(&source)),
        Some(wrong) => Err(wrong),
    };
    let published = match done {
        Err(refused) if stops => {
            let on = |base: &Source| {
                let name = format!("{}/{EVERYBODY}.toml", policy::FOLDER);
                let text = change(base.texts.get(&name).map_or("", |text| text));
                let rules = policy::parse_source(text.as_bytes(), &name).ok()?;
                Some(Edit::PolicyText(EVERYBODY.to_owned(), rules, text))
            };
            renew::alone(app, &folder, (then, what.to_owned()), refused, &edit, on)?
        }
        done => done?,
    };
    let ending = frozen.is_none();
    let (frozen_until, reason) = frozen.unzip();
    let published = published.map(|published| folder::doc(app, &published));
    let doc = FreezeDoc {
        frozen_until,
        reason,
        ended,
        left: if ending { left } else { 0 },
        published,
        dry_run: app.dry_run,
    };
    app.out.view(&doc, || {
        let mut page = Page::new(app.out.width);
        page.line(match (&doc.frozen_until, doc.dry_run) {
            (Some(until), false) => format!("No automatic runs on any machine of the site until {until}."),
            (Some(until), true) => {
                format!("There would be no automatic runs on any machine of the site until {until}.")
            }
            (None, dry_run) => {
                let is = if dry_run { "would be" } else { "is" };
                let left = match doc.left {
                    0 => "policy/all.toml has no other freeze".to_owned(),
                    left => format!("what stays in policy/all.toml: {}", count(left, "planned freeze")),
                };
                format!("The freeze {is} ended for all machines of the site; {left}.")
            }
        });
        match &doc.published {
            Some(published) => folder::page(app, published, &mut page),
            None => folder::unpublished(app, &mut page),
        }
        page
    })?;
    Ok(Exit::Done)
}
