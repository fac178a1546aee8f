//! How many targets of what is published report a pcm that is too old for it (SITE.md 2).

use super::attention::Reports;
use super::foretold::SOON_READ;
use super::page::Page;
use super::view::count;
use super::{App, lint};
use crate::clock::Wall;
use crate::host::open::open_bounded;
use crate::rollout::cache::Heard;
use crate::site::folder::{Folder, Source};
use crate::site::ids::MachineId;
use crate::site::index::JobState;
use crate::site::index::audience::is_for;
use crate::site::index::job::{self, Job};
use crate::site::needs::{self, Later};
use crate::site::package::{self, shelf};
use crate::site::publisher::Published;
use crate::site::publisher::render::ended;
use crate::text::SafeText;
use serde::Serialize;
use std::collections::BTreeMap;

/// So many of them are named.
const FEW: usize = 5;

/// `too_old` of `site publish --json`.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct TooOldDoc {
    /// So many targets report a pcm that is too old for a job that is for them.
    machines: u64,
    /// What the newest of those jobs needs.
    needs: &'static str,
    /// So many machines are targets of jobs that have not ended.
    targets: u64,
    /// The reports of so many of them say something.
    read: u64,
    /// Why none was read; absent where they were read.
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown: Option<SafeText>,
    /// The first few, and what they have.
    #[serde(skip)]
    named: Vec<(MachineId, SafeText)>,
}

/// By what the targets reported last; None: nothing was published, nobody is a target, or of very many machines nothing needs more than
/// the first pcm that takes an index.
pub fn of(app: &App, folder: &Folder, published: &Published) -> Option<TooOldDoc> {
    let later = needs::LATER;
    if published.nothing || published.machines > SOON_READ && later.is_empty() {
        return None;
    }
    let source = folder.read(&lint::programs(app)).ok()?;
    let targets = targets(&source, |job| needed(folder, &source, job, later), app.now);
    let all_first = targets.values().all(|needed| *needed == needs::FIRST);
    if targets.is_empty() || targets.len() > SOON_READ && all_first {
        return None;
    }
    Some(match Reports::read(app, folder, &source) {
        Ok(reports) => counted(&targets, |machine| reports.heard(machine)),
        Err(why) => {
            let silent = counted(&targets, |_| Err(why.clone()));
            TooOldDoc { unknown: Some(why), ..silent }
        }
    })
}

/// What a job needs, and its package with it.
fn needed(folder: &Folder, source: &Source, job: &Job, later: &[Later]) -> &'static str {
    let name = format!("{}/{}.toml", job::FOLDER, job.job_id);
    let of_job = needs::of(job::FOLDER, source.texts.get(&name).map_or("", |text| text), later);
    if later.iter().all(|row| row.folder != shelf::FOLDER) {
        return of_job;
    }
    let file = folder.package_dir(job.package_id).join(package::NAME);
    let text = open_bounded(&file, package::MAX_BYTES).unwrap_or_default();
    needs::newer(of_job, needs::of(shelf::FOLDER, &String::from_utf8_lossy(&text), later))
}

/// The machines that jobs are for which have not ended, each with the newest pcm that one of them needs.
fn targets(
    source: &Source,
    needed: impl Fn(&Job) -> &'static str,
    now: Wall,
) -> BTreeMap<MachineId, &'static str> {
    let members = source.members();
    let mut targets = BTreeMap::new();
    for (job, word) in source.jobs.values() {
        if word.state == JobState::Cancelled || ended(&job.times, word).is_some_and(|at| at <= now) {
            continue;
        }
        let needed = needed(job);
        for member in &members {
            if is_for(&job.targets, &job.exclude, None, member) == Some(true) {
                let newest = targets.entry(member.machine).or_insert(needs::FIRST);
                *newest = needs::newer(newest, needed);
            }
        }
    }
    targets
}

fn counted(targets: &BTreeMap<MachineId, &'static str>, heard: impl Fn(MachineId) -> Heard) -> TooOldDoc {
    let mut doc = TooOldDoc {
        machines: 0,
        needs: needs::FIRST,
        targets: targets.len() as u64,
        read: 0,
        unknown: None,
        named: Vec::new(),
    };
    for (machine, needed) in targets {
        let Ok(account) = heard(*machine) else { continue };
        doc.read += 1;
        if needs::is_too_old(account.pcm_version.as_str(), needed) {
            doc.machines += 1;
            doc.needs = needs::newer(doc.needs, needed);
            if doc.named.len() < FEW {
                doc.named.push((*machine, account.pcm_version));
            }
        }
    }
    doc
}

/// A line where there is something to say.
pub fn page(doc: &TooOldDoc, page: &mut Page) {
    if let Some(why) = &doc.unknown {
        page.item("! ", format!("Which pcm the targets have is not known: {why}"));
    }
    if doc.machines == 0 {
        return;
    }
    let machines = |n: u64| count(usize::try_from(n).unwrap_or(usize::MAX), "target");
    let named: Vec<String> = doc.named.iter().map(|(id, has)| format!("{id} has {has}")).collect();
    let more = match doc.machines - doc.named.len() as u64 {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    let so_far = match doc.targets - doc.read {
        0 => String::new(),
        _ => format!(", as far as {} of {} reports say", doc.read, doc.targets),
    };
    page.item(
        "! ",
        format!(
            "{} of {} report a pcm that is too old for what is published{so_far}: {}{more}; {} is needed. Install it there.",
            doc.machines,
            machines(doc.targets),
            named.join(", "),
            doc.needs
        ),
    );
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::rollout::account::Account;
    use crate::site::ids::tests::machine as id;

    #[test]
    fn each_target_is_counted_by_the_newest_pcm_that_its_jobs_need() {
        let targets = (0..20).map(|n| (id(n), if n < 10 { needs::FIRST } else { "0.3.0" })).collect();
        let heard = |machine: MachineId| {
            let n = (0..20).find(|n| id(*n) == machine).unwrap();
            let version = match n % 5 {
                0 => return Err("it has not reported yet".into()),
                1 => "0.0.9",
                2 => "0.2.0",
                3 => "0.3.0",
                _ => "no version",
            };
            Ok(Account { pcm_version: version.into(), ..Account::default() })
        };
        let doc = counted(&targets, heard);
        assert_eq!((doc.targets, doc.read, doc.machines, doc.needs), (20, 16, 6, "0.3.0"));
        assert_eq!(doc.named.len(), FEW);
        let mut shown = Page::new(Some(300));
        page(&doc, &mut shown);
        let shown = shown.to_text();
        assert!(shown.contains("6 of 20 targets report a pcm that is too old"), "{shown}");
        assert!(shown.contains("as far as 16 of 20 reports say") && shown.contains("and 1 more"), "{shown}");
        let none = counted(&targets, |_| Ok(Account { pcm_version: "1.0".into(), ..Account::default() }));
        assert_eq!((none.read, none.machines), (20, 0));
    }
}
