//! `pcm site machine`: the machines of a site, and their groups.

use super::App;
use super::args::{FolderArgs, MachineVerb, ThenArgs};
use super::folder;
use super::page::{Page, Tone};
use super::table::{Table, fixed, words};
use super::view::count;
use crate::error::{Exit, Failure, Result};
use crate::host::open::open_bounded;
use crate::site::expression::Expression;
use crate::site::folder::edit::Edit;
use crate::site::folder::machines::{self, Machine, Machines, check_groups, check_host};
use crate::site::folder::{Folder, malformed};
use crate::site::ids::MachineId;
use crate::site::index::audience::Listed;
use crate::site::publisher::Published;
use crate::text::SafeText;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// `site machine list --json`, and what comes of a change.
#[derive(Debug, Serialize)]
struct MachinesDoc {
    machines: Vec<MachineDoc>,
}

/// One machine, with the columns of its file.
#[derive(Debug, Serialize)]
struct MachineDoc {
    smsid: MachineId,
    host: Option<SafeText>,
    groups: Vec<String>,
    host_key: Option<SafeText>,
    words: SafeText,
}

/// What comes of a change.
#[derive(Debug, Serialize)]
struct ChangeDoc {
    added: usize,
    changed: usize,
    removed: usize,
    machines: usize,
    published: Option<folder::PublishDoc>,
    dry_run: bool,
}

/// `pcm site machine …`
pub fn run(app: &App, verb: &MachineVerb) -> Result<Exit> {
    match verb {
        MachineVerb::Add { id, groups, then } => {
            let usage =
                |why: String| Failure::new(Exit::Usage, "usage", why, "Correct that; nothing was changed");
            let host = app.host.as_deref().map(check_host).transpose().map_err(usage)?.flatten();
            let groups = check_groups(groups.iter().flat_map(|g| g.split(','))).map_err(usage)?;
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
        MachineVerb::Remove { ids, then } => {
            let what =
                format!("machine remove {}", ids.first().map_or_else(String::new, ToString::to_string));
            change(app, then, what, |_, machines| {
                for id in ids {
                    if machines.remove(id).is_none() {
                        let why = format!("there is no machine {id} in the site folder; nothing was changed");
                        let remedy = "pcm site machine list shows those that there are";
                        return Err(Failure::new(Exit::NotFound, "no-such-machine", why, remedy));
                    }
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

fn change(
    app: &App,
    then: &ThenArgs,
    what: String,
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
        ChangeDoc { added, changed, removed, machines, published: None, dry_run: app.dry_run },
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
