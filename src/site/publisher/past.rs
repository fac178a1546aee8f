//! What the site folder said at its last publications, so that one of them can be published once more (`--undo`). The folder is
//! the source, and so it is the folder that goes back; then it is published as ever. Kept beside the folder's own files, as
//! steps back: each says what it was that a publication changed.

use super::render::over_everywhere;
use super::{final_word, record};
use crate::clock::{Wall, When};
use crate::error::{Exit, Failure, Result};
use crate::host::durable;
use crate::host::open::{Folder as Opened, open_bounded};
use crate::site::content::hash_bytes;
use crate::site::folder::edit::Edit;
use crate::site::folder::machines::Machines;
use crate::site::folder::{Folder, PAST, Source, machines, malformed};
use crate::site::ids::JobId;
use crate::site::index::job::{self, Word};
use crate::site::index::{self, JobState, policy};
use crate::site::instruction::ContentHash;
use crate::text::SafeText;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

/// So many steps back are kept.
const KEPT: usize = 50;
/// A longer text has a file of its own, which is written once however often it is meant.
const LARGE: usize = 16 << 10;
/// The largest file of these that is read.
const MAX_BYTES: u64 = 256 << 20;
/// The most names that are looked at.
const MOST: usize = 10_000;
/// What the folder said at the last publication.
const NOW: &str = "now.json";

/// What a file says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Text {
    Here(String),
    Beside(ContentHash),
}

impl Text {
    fn of(text: &str) -> Self {
        match text.len() {
            0..LARGE => Text::Here(text.to_owned()),
            _ => Text::Beside(hash_bytes(text.as_bytes())),
        }
    }

    fn read(&self, dir: &Path) -> Option<String> {
        match self {
            Text::Here(text) => Some(text.clone()),
            Text::Beside(hash) => {
                let bytes = open_bounded(&dir.join(beside(hash)), MAX_BYTES).ok()?;
                (hash_bytes(&bytes) == *hash).then(|| String::from_utf8(bytes).ok())?
            }
        }
    }
}

fn beside(hash: &ContentHash) -> String {
    format!("{}.text", hash.as_str())
}

/// What the folder said at a publication.
#[derive(Debug, Serialize, Deserialize)]
struct State {
    serial: u64,
    files: BTreeMap<String, Text>,
}

/// The way back from a publication to the one before.
#[derive(Debug, Serialize, Deserialize)]
struct Step {
    to: u64,
    before: BTreeMap<String, Option<Text>>,
}

fn step_name(serial: u64) -> String {
    format!("{serial}.json")
}

fn read<T: for<'a> Deserialize<'a>>(dir: &Path, name: &str) -> Option<T> {
    serde_json::from_slice(&open_bounded(&dir.join(name), MAX_BYTES).ok()?).ok()
}

fn says(source: &Source) -> BTreeMap<String, Text> {
    source.texts.iter().map(|(name, text)| (name.clone(), Text::of(text))).collect()
}

/// Keeps what the folder says as that of a publication. Without it nothing is lost but the way back.
pub(super) fn keep(folder: &Folder, source: &Source, serial: u64) {
    let dir = folder.dir.join(PAST);
    if let Err(e) = kept(folder, &dir, source, serial) {
        tracing::warn!("what was published cannot be had again with --undo: {}: {e}", dir.display());
    }
}

fn kept(folder: &Folder, dir: &Path, source: &Source, serial: u64) -> io::Result<()> {
    let state = State { serial, files: says(source) };
    let old: Option<State> = read(dir, NOW);
    if old.as_ref().is_some_and(|old| old.serial == serial && old.files == state.files) {
        return Ok(());
    }
    folder.make_folder(dir)?;
    for (name, text) in &state.files {
        if let (Text::Beside(hash), Some(text)) = (text, source.texts.get(name)) {
            let path = dir.join(beside(hash));
            if !path.exists() {
                durable::write(&path, text.as_bytes())?;
            }
        }
    }
    if let Some(old) = old.filter(|old| old.serial < serial) {
        let names: BTreeSet<&String> = old.files.keys().chain(state.files.keys()).collect();
        let changed = names.into_iter().filter(|name| old.files.get(*name) != state.files.get(*name));
        let before = changed.map(|name| (name.clone(), old.files.get(name).cloned())).collect();
        let step = Step { to: old.serial, before };
        durable::write(&dir.join(step_name(serial)), &serde_json::to_vec(&step)?)?;
    }
    durable::write(&dir.join(NOW), &serde_json::to_vec(&state)?)?;
    prune(dir, &state)
}

/// Removes the oldest steps, and texts that nobody means any more.
fn prune(dir: &Path, state: &State) -> io::Result<()> {
    let opened = Opened::open(dir).map_err(io::Error::from)?;
    let names = opened.names(MOST).map_err(io::Error::from)?;
    let names: Vec<&str> = names.iter().filter_map(|name| name.to_str()).collect();
    let serial = |name: &&str| name.strip_suffix(".json")?.parse::<u64>().ok();
    let mut steps: Vec<u64> = names.iter().filter_map(serial).collect();
    let texts: Vec<&&str> = names.iter().filter(|name| name.ends_with(".text")).collect();
    steps.sort_unstable_by(|a, b| b.cmp(a));
    for old in steps.iter().skip(KEPT) {
        opened.remove(&step_name(*old))?;
    }
    if texts.is_empty() {
        return Ok(());
    }
    let mut meant: BTreeSet<String> = BTreeSet::new();
    let mut mean = |text: &Text| {
        if let Text::Beside(hash) = text {
            meant.insert(beside(hash));
        }
    };
    state.files.values().for_each(&mut mean);
    for serial in steps.iter().take(KEPT) {
        // One that cannot be read means nothing that could be used.
        let step: Option<Step> = read(dir, &step_name(*serial));
        step.iter().flat_map(|step| step.before.values().flatten()).for_each(&mut mean);
    }
    for text in texts.into_iter().filter(|text| !meant.contains(**text)) {
        opened.remove(text)?;
    }
    Ok(())
}

/// What the folder said at the publication of this number, if that was its last one; None: that is not kept whole.
pub fn published(folder: &Folder, serial: u64, programs: &[String]) -> Option<Source> {
    let dir = folder.dir.join(PAST);
    let state: State = read(&dir, NOW).filter(|state: &State| state.serial == serial)?;
    let texts = state.files.iter().map(|(name, text)| Some((name.clone(), text.read(&dir)?)));
    folder.of_texts(&texts.collect::<Option<_>>()?, programs)
}

/// The machines of the publication of this number; None: that is not kept.
pub fn machines_at(folder: &Folder, serial: u64) -> Option<Machines> {
    let dir = folder.dir.join(PAST);
    let state: State = read(&dir, NOW)?;
    let (mut at, mut list) = (state.serial, state.files.get(machines::NAME).cloned());
    while at > serial {
        let step: Step = read(&dir, &step_name(at)).filter(|step: &Step| step.to < at)?;
        if let Some(before) = step.before.get(machines::NAME) {
            list.clone_from(before);
        }
        at = step.to;
    }
    let text = match list.filter(|_| at == serial) {
        Some(list) => list.read(&dir)?,
        // It had none yet.
        None if at == serial => return Some(Machines::new()),
        None => return None,
    };
    machines::parse(text.as_bytes(), folder.settings.site, machines::NAME).ok()
}

/// The way back to an earlier publication.
#[derive(Debug, Clone, PartialEq)]
pub struct Back {
    /// What has to be changed in the folder.
    pub edits: Vec<Edit>,
    /// What stays as it is, and why, each a clause.
    pub left: Vec<String>,
}

impl Back {
    /// The jobs that it cancels.
    pub fn cancels(&self, source: &Source) -> Vec<JobId> {
        let goes_on =
            |id: &JobId| source.jobs.get(id).is_some_and(|(_, word)| word.state != JobState::Cancelled);
        let cancelled = self.edits.iter().filter_map(|edit| match edit {
            Edit::Job(job, word) => (word.state == JobState::Cancelled).then_some(job.job_id),
            Edit::Machines(_) | Edit::Policy(..) | Edit::PolicyText(..) => None,
        });
        cancelled.filter(goes_on).collect()
    }
}

/// What has to be changed in a folder so that it says what it said at an earlier publication. What machines were told since
/// cannot be untold: a job that was sent since is cancelled, and one that was cancelled stays so. And whoever takes back one
/// slip of the pen does not mean what was stopped since: what is suspended stays suspended, and a freeze stays.
///
/// # Errors
/// `no-such-publication`: it is not kept; `unpublished`: the folder was edited since; `no-change`.
pub fn back_to(
    folder: &Folder,
    source: &Source,
    serial: u64,
    programs: &[String],
    now: Wall,
) -> Result<Back> {
    let dir = folder.dir.join(PAST);
    let unknown = |why: String| {
        let message = format!("what the folder said at publication {serial} is not kept: {why}");
        let remedy = "Take the files back from your repository, then pcm site publish";
        Failure::new(Exit::NotFound, "no-such-publication", message, remedy)
    };
    let state: State = read(&dir, NOW).ok_or_else(|| unknown("no publication is kept here".to_owned()))?;
    if state.serial < serial {
        return Err(unknown(format!("the newest that was made from here is {}", state.serial)));
    }
    let here = says(source);
    if let Some(name) =
        here.keys().chain(state.files.keys()).find(|name| here.get(*name) != state.files.get(*name))
    {
        let message = format!("{name} is another than at publication {}, and would be lost", state.serial);
        let remedy = "Publish it first: pcm site publish; or put it back";
        return Err(Failure::new(Exit::Refused, "unpublished", message, remedy));
    }
    let (mut at, mut then) = (state.serial, BTreeMap::new());
    while at > serial {
        let step: Step = read(&dir, &step_name(at))
            .filter(|step: &Step| step.to < at)
            .ok_or_else(|| unknown(format!("the oldest that is kept is {at}")))?;
        // Numbers have gaps: where somebody named a higher one, or another folder published.
        if step.to < serial {
            return Err(unknown(format!("of those that were made from here, {} comes before {at}", step.to)));
        }
        then.extend(step.before);
        at = step.to;
    }
    let record = record::read(&folder.dir, &folder.settings.site_id);
    let index = record.as_ref().and_then(|record| index::parse(record.index.as_bytes(), record::NAME).ok());
    let cancelled = index.map(|index| final_word::cancelled(record.as_ref(), &index)).unwrap_or_default();
    let way = Way { folder, source, serial, programs, now, cancelled };
    let (mut edits, mut left) = (Vec::new(), Vec::new());
    for (name, text) in then {
        let lost =
            || unknown(format!("the text that {name} had then is damaged or gone in {}", dir.display()));
        let text = text.map(|text| text.read(&dir).ok_or_else(lost)).transpose()?;
        let (edit, why) = way.edit(&name, text)?;
        edits.extend(edit);
        left.extend(why);
    }
    if !edits.is_empty() {
        return Ok(Back { edits, left });
    }
    let (message, remedy) = match left.is_empty() {
        true => (format!("the folder says what it said at publication {serial}"), "Nothing has to be done"),
        false => (
            format!("nothing else differs from publication {serial}: {}", left.join("; ")),
            "Change it by its own verb",
        ),
    };
    Err(Failure::new(Exit::Refused, "no-change", message, remedy))
}

struct Way<'a> {
    folder: &'a Folder,
    source: &'a Source,
    serial: u64,
    programs: &'a [String],
    now: Wall,
    /// The jobs that were ever cancelled.
    cancelled: BTreeMap<JobId, Wall>,
}

impl Way<'_> {
    /// One file as it was, as far as it can go back; and what of it stays, and why.
    fn edit(&self, name: &str, text: Option<String>) -> Result<(Option<Edit>, Option<String>)> {
        if name == machines::NAME {
            let text = text.unwrap_or_default();
            let machines = machines::parse(text.as_bytes(), self.folder.settings.site, name);
            return Ok((Some(Edit::Machines(machines.map_err(|p| malformed(&p))?)), None));
        }
        let stem = |inside: &str| name.strip_prefix(inside)?.strip_prefix('/')?.strip_suffix(".toml");
        if let Some(group) = stem(policy::FOLDER) {
            return self.policy(group, name, text.unwrap_or_default());
        }
        match stem(job::FOLDER).and_then(|stem| stem.parse::<JobId>().ok()) {
            Some(id) => self.job(id, name, text),
            None => Ok((None, None)),
        }
    }

    fn policy(&self, group: &str, name: &str, text: String) -> Result<(Option<Edit>, Option<String>)> {
        let rules = policy::parse_source(text.as_bytes(), name).map_err(|p| malformed(&p))?;
        let here = self.source.policies.get(group);
        let lifted = here.into_iter().flat_map(|here| &here.freezes);
        let mut lifted =
            lifted.filter(|freeze| !rules.freezes.contains(freeze) && !self.is_over(freeze.until));
        Ok(match lifted.next() {
            Some(freeze) => {
                let why =
                    format!("{name} stays as it is, as it has a freeze ({}) that would end", freeze.reason);
                (None, Some(why))
            }
            None => (Some(Edit::PolicyText(group.to_owned(), rules, text)), None),
        })
    }

    fn is_over(&self, at: When) -> bool {
        over_everywhere(at).is_some_and(|at| at <= self.now)
    }

    fn job(&self, id: JobId, name: &str, text: Option<String>) -> Result<(Option<Edit>, Option<String>)> {
        let here = self.source.jobs.get(&id);
        let cancelled = self.cancelled.contains_key(&id)
            || here.is_some_and(|(_, word)| word.state == JobState::Cancelled);
        let was = text.map(|text| {
            let was =
                job::parse_source(text.as_bytes(), id, &self.folder.settings.site_id, name, self.programs);
            was.map_err(|p| malformed(&p))
        });
        Ok(match (was.transpose()?, here) {
            (Some((_, word)), _) if cancelled && word.state != JobState::Cancelled => {
                (None, Some(format!("{id} stays cancelled, which is final")))
            }
            (Some((job, word)), Some((now, stopped))) if stopped.state == JobState::Suspended => {
                let resumes = word.state == JobState::Active;
                let kept = still_suspended(word, stopped);
                let why = resumes.then(|| format!("{id} stays suspended (pcm job resume {id} ends that)"));
                let same = (&job, &kept) == (now, stopped);
                ((!same).then(|| Edit::Job(Box::new(job), kept)), why)
            }
            (Some((job, word)), _) => (Some(Edit::Job(Box::new(job), word)), None),
            (None, Some((job, word))) if word.state != JobState::Cancelled => {
                let reason = Some(SafeText::new(&format!("back to publication {}", self.serial)));
                let word = Word { state: JobState::Cancelled, reason, since: Some(self.now), ..word.clone() };
                (Some(Edit::job(job, word)), None)
            }
            (None, _) => (None, None),
        })
    }
}

/// What was said of a job, as far as it starts nothing: it was suspended since, by a gate or by somebody.
fn still_suspended(was: Word, now: &Word) -> Word {
    let (percent, canary) = match was.percent > now.percent {
        true => (now.percent, now.canary.clone()),
        false => (was.percent, was.canary),
    };
    let Word { state, reason, since, reached, .. } = now.clone();
    Word { state, reason, since, reached, percent, canary, limits: was.limits }
}
