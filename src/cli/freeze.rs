//! `pcm site freeze`: a freeze in the policy of all machines, published at once.

use super::App;
use super::args::ThenArgs;
use super::page::Page;
use super::{folder, job, jobs, lint};
use crate::clock::When;
use crate::error::{Exit, Failure, Result};
use crate::site::folder::edit::Edit;
use crate::site::index::policy::{EVERYBODY, Rules};
use crate::site::instruction::render::when;
use crate::site::site_file::Freeze;
use crate::text::SafeText;
use chrono::SubsecRound as _;
use serde::Serialize;

/// `site freeze --json`, `site unfreeze --json`
#[derive(Debug, Serialize)]
struct FreezeDoc {
    frozen_until: Option<String>,
    reason: Option<SafeText>,
    /// How many freezes are no more.
    ended: usize,
    published: Option<folder::PublishDoc>,
    dry_run: bool,
}

/// `pcm site freeze`
pub fn freeze(app: &App, until: &str, reason: &str, then: &ThenArgs) -> Result<Exit> {
    let usage = |message: String| Failure::new(Exit::Usage, "usage", message, "Name a later time, like 12h");
    let until = job::when(app, until).map_err(|why| usage(format!("--until: {why}")))?;
    let now = app.now.trunc_subsecs(0);
    // It begins now, on every machine, and ends by each one's own clock where no zone is said.
    if job::is_over(app, until) {
        return Err(usage("--until is a time that is over".into()));
    }
    let from = match until {
        When::Instant(_) => When::Instant(now),
        When::Local(_) => When::Local(app.zone.to_local(now) - chrono::TimeDelta::hours(26)),
    };
    let reason = jobs::reason(reason)?;
    let freeze = Freeze { from, until, reason: reason.clone() };
    change(app, then, "site freeze", |rules| rules.freezes.push(freeze), Some((when(until), reason)))
}

/// `pcm site unfreeze`
pub fn unfreeze(app: &App, then: &ThenArgs) -> Result<Exit> {
    change(app, then, "site unfreeze", |rules| rules.freezes.clear(), None)
}

fn change(
    app: &App,
    then: &ThenArgs,
    what: &str,
    change: impl FnOnce(&mut Rules),
    frozen: Option<(String, SafeText)>,
) -> Result<Exit> {
    let (folder, _alone) = folder::open_alone(app, &then.folder)?;
    let source = folder.read(&lint::programs(app))?;
    let mut rules = source.policies.get(EVERYBODY).cloned().unwrap_or_default();
    let before = rules.freezes.len();
    change(&mut rules);
    let ended = before.saturating_sub(rules.freezes.len());
    if frozen.is_none() && ended == 0 {
        let message = "policy/all.toml has no freeze: nothing was changed";
        return Err(Failure::new(Exit::Refused, "no-change", message, "Nothing has to be done"));
    }
    folder::expect(source.machines.len(), then)?;
    let edit = Edit::Policy(EVERYBODY.to_owned(), rules);
    let published = folder::edit(app, &folder, then, what.to_owned(), &edit, Some(&source))?;
    let (frozen_until, reason) = frozen.unzip();
    let published = published.map(|published| folder::doc(app, &published));
    let doc = FreezeDoc { frozen_until, reason, ended, published, dry_run: app.dry_run };
    app.out.view(&doc, || {
        let mut page = Page::new(app.out.width);
        page.line(match (&doc.frozen_until, doc.dry_run) {
            (Some(until), false) => format!("No automatic runs on any machine of the site until {until}."),
            (Some(until), true) => {
                format!("There would be no automatic runs on any machine of the site until {until}.")
            }
            (None, false) => {
                "Automatic runs again: the policy of all machines has no freeze any more.".into()
            }
            (None, true) => "The policy of all machines would have no freeze any more.".to_owned(),
        });
        match &doc.published {
            Some(published) => folder::page(app, published, &mut page),
            None => folder::unpublished(app, &mut page),
        }
        page
    })?;
    Ok(Exit::Done)
}
