//! `pcm site machine`: the machines of a site, and their groups.

use super::App;
use super::args::{FolderArgs, MachineVerb, ThenArgs};
use super::folder;
use super::page::{Page, Tone};
use super::table::{Table, fixed, words};
use super::view::count;
use crate::clock::Wall;
use crate::error::{Exit, Failure, Result};
use crate::host::open::open_bounded;
use crate::rollout::reports::{self, Account};
use crate::site::expression::Expression;
use crate::site::folder::edit::Edit;
use crate::site::folder::machines::{self, Machine, Machines, check_groups, check_host, check_key};
use crate::site::folder::{Folder, malformed};
use crate::site::ids::MachineId;
use crate::site::index::audience::Listed;
use crate::site::index::members::is_state;
use crate::site::publisher::Published;
use crate::site::report;
use crate::text::SafeText;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

/// A share that gives no report for so long gives none.
const PATIENCE: Duration = Duration::from_secs(60);

/// `site machine list --json`, and what comes of a change.
#[derive(Debug, Serialize)]
struct MachinesDoc {
    /// The machines of the site, or those that `--where` leaves.
    machines: Vec<MachineDoc>,
}

/// One machine, with the columns of its file.
#[derive(Debug, Serialize)]
struct MachineDoc {
    /// Its id.
    smsid: MachineId,
    /// Its host name; None: not said.
    host: Option<SafeText>,
    /// Its groups.
    groups: Vec<String>,
    /// The public key that its reports are signed with; None: not said.
    host_key: Option<SafeText>,
    /// What the publisher says of it.
    words: SafeText,
    /// The state in which it may go on once; None: not said.
    adopt: Option<SafeText>,
}

/// What comes of a change.
#[derive(Debug, Serialize)]
struct ChangeDoc {
    /// How many machines are new.
    added: usize,
    /// How many machines were changed.
    changed: usize,
    /// How many machines were removed.
    removed: usize,
    /// How many machines the site has now.
    machines: usize,
    /// The publication of it; None: `--no-publish`.
    published: Option<folder::PublishDoc>,
    /// Nothing was changed: it is what would be done.
    dry_run: bool,
    /// Of `replace`, and absent of the others: whose state the machine may go on with.
    #[serde(skip_serializing_if = "Option::is_none")]
    replaced: Option<ReplacedDoc>,
}

/// Whose state it is that a machine may go on with.
#[derive(Debug, Clone, Serialize)]
struct ReplacedDoc {
    /// Which machine.
    smsid: MachineId,
    /// The state that it may go on with.
    adopt: SafeText,
    /// The host name under which it reports.
    host: SafeText,
    /// When it reported that.
    reported_at: Wall,
    /// It reports that another machine has its id.
    two_machines: bool,
}

/// `pcm site machine …`
pub fn run(app: &App, verb: &MachineVerb) -> Result<Exit> {
    match verb {
        MachineVerb::Add { id, groups, host_key, then } => {
            let usage =
                |why: String| Failure::new(Exit::Usage, "usage", why, "Correct that; nothing was changed");
            let host = app.host.as_deref().map(check_host).transpose().map_err(usage)?.flatten();
            let groups = check_groups(groups.iter().flat_map(|g| g.split(','))).map_err(usage)?;
            let host_key = host_key.as_deref().map(check_key).transpose().map_err(usage)?.flatten();
            change(app, then, format!("machine add {id}"), |folder, machines| {
                let site = folder.settings.site;
                if id.site() != site {
                    let why = format!("{id} is of site {}, and this is site {site}", id.site());
                    return Err(Failure::new(Exit::Usage, "other-site", why, "Name a machine of this site"));
                }
                let machine = machines.entry(*id).or_insert_with(|| Machine::new(*id));
                if host.is_some() {
                    machine.host.clone_from(&host);
                }
                if host_key.is_some() {
                    machine.host_key.clone_from(&host_key);
                }
                if !groups.is_empty() {
                    machine.groups.clone_from(&groups);
                }
                Ok(())
            })
        }
        MachineVerb::Import { file, then } => {
            let named = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            change(app, then, format!("machine import {named}"), |folder, machines| {
                for (id, (new, columns)) in read(folder, file)? {
                    let machine = machines.entry(id).or_insert_with(|| Machine::new(id));
                    machine.take(new, columns);
                }
                Ok(())
            })
        }
        MachineVerb::Replace { id, then } => replace(app, *id, then),
        MachineVerb::Remove { ids, then } => {
            let what =
                format!("machine remove {}", ids.first().map_or_else(String::new, ToString::to_string));
            change(app, then, what, |_, machines| {
                for id in ids {
                    machines.remove(id).ok_or_else(|| no_such_machine(*id))?;
                }
                Ok(())
            })
        }
        MachineVerb::List { condition, folder } => list(app, condition.as_deref(), folder),
    }
}

fn read(folder: &Folder, file: &Path) -> Result<BTreeMap<MachineId, (Machine, usize)>> {
    let bytes = open_bounded(file, machines::MAX_BYTES).map_err(|e| {
        let message = format!("{}: {e}", file.display());
        Failure::new(Exit::NotFound, "no-such-file", message, "Name a list: smsid,host,groups,host_key,words")
    })?;
    machines::parse_columns(&bytes, folder.settings.site, &file.display().to_string())
        .map_err(|problems| malformed(&problems))
}

/// `pcm site machine replace`
fn replace(app: &App, id: MachineId, then: &ThenArgs) -> Result<Exit> {
    let folder = folder::open(app, &then.folder)?;
    let account = account(app, &folder, id)?;
    let state = account.state_id.as_ref().map(ToString::to_string).filter(|state| is_state(state));
    let state = state.ok_or_else(|| {
        let message = format!("nothing was changed: the report of {id} names no state of a history");
        Failure::new(Exit::Refused, "no-state", message, "Let it report first: its service has to run")
    })?;
    // A report with a number is of a history that is whole. A line for it would lie in wait: with the next loss, whatever is
    // listed then would count as done.
    if !account.two_machines && account.number.is_some() {
        let message = format!(
            "nothing was changed: {id} reports that its history is whole, and of no other machine with its id"
        );
        let remedy = "Nothing has to be decided for it; when its history is lost, say this again";
        return Err(Failure::new(Exit::Refused, "not-lost", message, remedy));
    }
    let replaced = ReplacedDoc {
        smsid: id,
        adopt: SafeText::new(&state),
        host: account.host.clone(),
        reported_at: account.reported_at,
        two_machines: account.two_machines,
    };
    change_and_say(app, then, format!("machine replace {id} {state}"), Some(replaced), |_, machines| {
        let machine = machines.get_mut(&id).ok_or_else(|| no_such_machine(id))?;
        machine.adopt = Some(state);
        Ok(())
    })
}

/// What a machine reports on the share of a folder.
fn account(app: &App, folder: &Folder, id: MachineId) -> Result<Account> {
    app.needs(&folder.share())?;
    let machines: BTreeSet<MachineId> = [id].into();
    let mut accounts = reports::read(&folder.share(), machines, reports::Asked::default(), PATIENCE);
    let account = accounts.remove(&id).unwrap_or_else(|| Err("it was not read".into()));
    let own = &folder.settings.site_id;
    let account = account.and_then(|account| match account.site_id.as_ref().is_none_or(|site| site == own) {
        true => Ok(account),
        false => Err("it is of another site".into()),
    });
    account.map_err(|why| {
        let message = format!("nothing was changed: the report of {id} says nothing: {why}");
        let remedy = match why.as_str() {
            reports::NOT_YET => "Let it report first: its service has to run".to_owned(),
            _ => format!(
                "See that {} is there and that you may read the report; one that is damaged the machine writes anew",
                folder.share().join(report::FOLDER).display()
            ),
        };
        Failure::new(Exit::Refused, "no-state", message, remedy)
    })
}

fn no_such_machine(id: MachineId) -> Failure {
    let why = format!("there is no machine {id} in the site folder; nothing was changed");
    Failure::new(Exit::NotFound, "no-such-machine", why, "pcm site machine list shows those that there are")
}

fn change(
    app: &App,
    then: &ThenArgs,
    what: String,
    change: impl FnOnce(&Folder, &mut Machines) -> Result<()>,
) -> Result<Exit> {
    change_and_say(app, then, what, None, change)
}

fn change_and_say(
    app: &App,
    then: &ThenArgs,
    what: String,
    replaced: Option<ReplacedDoc>,
    change: impl FnOnce(&Folder, &mut Machines) -> Result<()>,
) -> Result<Exit> {
    let (folder, _alone) = folder::open_alone(app, &then.folder)?;
    let before = folder.read_machines().map_err(|problems| malformed(&problems))?;
    let mut after = before.clone();
    change(&folder, &mut after)?;
    // The list as a whole has to be good: two machines with one host name are not.
    let text = machines::render(after.values());
    machines::parse(text.as_bytes(), folder.settings.site, machines::NAME)
        .map_err(|problems| malformed(&problems))?;
    let added = after.keys().filter(|id| !before.contains_key(id)).count();
    let removed = before.keys().filter(|id| !after.contains_key(id)).count();
    let changed = after.iter().filter(|(id, m)| before.get(id).is_some_and(|old| old != *m)).count();
    folder::expect(removed, then)?;
    let machines = after.len();
    let published = folder::edit(app, &folder, then, what, &Edit::Machines(after), None)?;
    say(
        app,
        ChangeDoc { added, changed, removed, machines, published: None, dry_run: app.dry_run, replaced },
        published,
    )
}

fn say(app: &App, mut doc: ChangeDoc, published: Option<Published>) -> Result<Exit> {
    doc.published = published.map(|published| folder::doc(app, &published));
    app.out.view(&doc, || {
        let mut page = Page::new(app.out.width);
        let mut parts = Vec::new();
        for (n, word) in [(doc.added, "added"), (doc.changed, "changed"), (doc.removed, "removed")] {
            if n > 0 {
                parts.push(format!("{} {word}", count(n, "machine")));
            }
        }
        let machines = count(doc.machines, "machine");
        page.line(match (parts.is_empty(), doc.dry_run) {
            (true, false) => format!("Nothing changed; the site has {machines}."),
            (true, true) => format!("Nothing would change; the site has {machines}."),
            (false, false) => format!("{}; the site has {machines}.", parts.join(", ")),
            (false, true) => format!("It would be {}; the site would have {machines}.", parts.join(", ")),
        });
        if let Some(replaced) = &doc.replaced {
            let at = app.look().time_and_distance(replaced.reported_at);
            page.line(format!("{} reported last from {} at {at}.", replaced.smsid, replaced.host));
            page.line(format!(
                "Its line says that it may go on once from state {}: once its report has stood for two polls it does, and all \
                 that is listed for it then counts as done.",
                replaced.adopt
            ));
            if replaced.two_machines {
                page.strong(format!(
                    "Another machine reports with its id: switch that off, or give it another id. The one whose report stands \
                     on the share goes on, which is {} now.",
                    replaced.host
                ));
            }
        }
        match &doc.published {
            Some(published) => folder::page(app, published, &mut page),
            None => folder::unpublished(app, &mut page),
        }
        page
    })?;
    Ok(Exit::Done)
}

fn list(app: &App, condition: Option<&str>, named: &FolderArgs) -> Result<Exit> {
    let folder = folder::open(app, named)?;
    let condition = condition.map(|text| {
        Expression::parse(text).map_err(|e| {
            let why = format!("--where: {e}");
            Failure::new(Exit::Usage, "usage", why, "Write e.g. 'group == \"web\" && host != \"db-*\"'")
        })
    });
    let condition = condition.transpose()?;
    let machines = folder.read_machines().map_err(|problems| malformed(&problems))?;
    let holds = |machine: &&Machine| {
        condition.as_ref().is_none_or(|c| c.holds(&Listed(&machine.member())) == Some(true))
    };
    let row = |machine: &Machine| MachineDoc {
        smsid: machine.id,
        host: machine.host.as_deref().map(SafeText::new),
        groups: machine.groups.clone(),
        host_key: machine.host_key.as_deref().map(SafeText::new),
        words: SafeText::new(&machine.words),
        adopt: machine.adopt.as_deref().map(SafeText::new),
    };
    let doc = MachinesDoc { machines: machines.values().filter(holds).map(row).collect() };
    app.out.view(&doc, || {
        let mut page = Page::new(app.out.width);
        let columns = [fixed("MACHINE"), words("HOST", 8), words("GROUPS", 8), words("WORDS", 8)];
        let mut table = Table::new(0, &columns);
        for machine in &doc.machines {
            table.row(
                Tone::Plain,
                [
                    machine.smsid.to_string(),
                    machine.host.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string),
                    machine.groups.join(" "),
                    machine.words.to_string(),
                ],
            );
        }
        page.table(&table);
        page.blank().line(format!("{}.", count(doc.machines.len(), "machine")));
        page
    })?;
    Ok(Exit::Done)
}
