//! What the site folder said at its last publications, so that one of them can be published once more (`--undo`). The folder is
//! the source, and so it is the folder that goes back; then it is published as ever. Kept beside the folder's own files, as
//! steps back: each says what it was that a publication changed.

use crate::clock::Wall;
use crate::error::{Exit, Failure, Result};
use crate::host::durable;
use crate::host::open::{Folder as Opened, open_bounded};
use crate::site::content::hash_bytes;
use crate::site::folder::edit::Edit;
use crate::site::folder::{Folder, PAST, Source, machines, malformed};
use crate::site::ids::JobId;
use crate::site::index::job::{self, Word};
use crate::site::index::{JobState, policy};
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
        tracing::warn!("{}: {e}", dir.display());
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

/// What has to be changed in a folder so that it says what it said at an earlier publication. What machines were told since
/// cannot be untold: a job that was sent since is cancelled, and one that was cancelled stays so.
///
/// # Errors
/// `no-such-publication`: it is not kept; `unpublished`: the folder was edited since; `no-change`.
pub fn back_to(
    folder: &Folder,
    source: &Source,
    serial: u64,
    programs: &[String],
    now: Wall,
) -> Result<Vec<Edit>> {
    let dir = folder.dir.join(PAST);
    let unknown = |from: Option<u64>| {
        let known = match from {
            None => "no publication is kept here".to_owned(),
            Some(newest) if newest < serial => format!("the newest is {newest}"),
            Some(oldest) => format!("those from {oldest} on are"),
        };
        let message = format!("what the folder said at publication {serial} is not kept: {known}");
        let remedy = "Take the files back from your repository, then pcm site publish";
        Failure::new(Exit::NotFound, "no-such-publication", message, remedy)
    };
    let state: State = read(&dir, NOW).ok_or_else(|| unknown(None))?;
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
        let step: Step =
            read(&dir, &step_name(at)).filter(|step: &Step| step.to < at).ok_or_else(|| unknown(Some(at)))?;
        then.extend(step.before);
        at = step.to;
    }
    if at != serial {
        return Err(unknown(Some(at)));
    }
    let mut edits = Vec::new();
    for (name, text) in then {
        let text = text.map(|text| text.read(&dir).ok_or_else(|| unknown(None))).transpose()?;
        edits.extend(edit(folder, source, &name, text, serial, programs, now)?);
    }
    match edits.is_empty() {
        false => Ok(edits),
        true => {
            let message = format!("the folder says what it said at publication {serial}");
            Err(Failure::new(Exit::Refused, "no-change", message, "Nothing has to be done"))
        }
    }
}

/// One file as it was; None: as far as it can go back, it is so.
fn edit(
    folder: &Folder,
    source: &Source,
    name: &str,
    text: Option<String>,
    serial: u64,
    programs: &[String],
    now: Wall,
) -> Result<Option<Edit>> {
    if name == machines::NAME {
        let text = text.unwrap_or_default();
        let machines =
            machines::parse(text.as_bytes(), folder.settings.site, name).map_err(|p| malformed(&p))?;
        return Ok(Some(Edit::Machines(machines)));
    }
    let stem = |inside: &str| name.strip_prefix(inside)?.strip_prefix('/')?.strip_suffix(".toml");
    if let Some(group) = stem(policy::FOLDER) {
        let text = text.unwrap_or_default();
        let rules = policy::parse_source(text.as_bytes(), name).map_err(|p| malformed(&p))?;
        return Ok(Some(Edit::PolicyText(group.to_owned(), rules, text)));
    }
    let Some(id) = stem(job::FOLDER).and_then(|stem| stem.parse::<JobId>().ok()) else { return Ok(None) };
    let here = source.jobs.get(&id);
    if here.is_some_and(|(_, word)| word.state == JobState::Cancelled) {
        return Ok(None);
    }
    match (text, here) {
        (Some(text), _) => {
            let was = job::parse_source(text.as_bytes(), id, &folder.settings.site_id, name, programs);
            let (job, word) = was.map_err(|p| malformed(&p))?;
            Ok(Some(Edit::Job(Box::new(job), word)))
        }
        (None, Some((job, word))) => {
            let reason = Some(SafeText::new(&format!("back to publication {serial}")));
            let word = Word { state: JobState::Cancelled, reason, since: Some(now), ..word.clone() };
            Ok(Some(Edit::job(job, word)))
        }
        (None, None) => Ok(None),
    }
}
