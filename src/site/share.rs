//! Reading a share: the one bounded way to read a file of it, and the look at all configured shares that finds the
//! instruction file in force. No state, no locks, no threads: the caller runs it where a share that hangs does no harm
//! (PROMISES.md 4, P8).

use super::content::hash_bytes;
use super::ids::{MachineId, PackageId};
use super::index;
use super::indexed::InForce;
use super::indexed::compose::Named;
use super::indexed::parts::Brought;
use super::indexed::store::{self, Held};
use super::instruction::parse::{Defaults, parse};
use super::instruction::{self, ContentHash, InstructionFile};
use super::package;
use super::signed::list::{self, TrustList};
use super::signed::published::{self as signed, Judging, PackageFiles, Packages, SignedBy, Standing};
use super::signed::signature::MAX_ARMOUR;
use super::signed::store::Trusted;
use super::site_file::{self, SiteFile};
use super::trust::{Judge, NO_LIST, TrustMode, TrustVerdict};
use crate::clock::Wall;
use crate::host::open::{Folder, RegularFile};
pub use crate::host::open::{OpenError, open_bounded, read_bounded};
use crate::host::wire;
use crate::terms::{Code, Problem};
use crate::text::SafeText;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use under_index::{First, look_at_index};

mod under_index;

/// The folder of the instruction files.
pub const INS_FOLDER: &str = "pcmins.box";
/// The folder of the packages.
const PACKAGES: &str = "packages";
/// The most versions of the trust list that one look takes.
const MAX_LISTS: usize = 50;
/// The most bytes of all package definitions together: they are kept and verified again and again.
const MAX_DEFINITIONS: usize = 4 << 20;
/// The most names in it that are looked through for one that differs in case.
const MAX_NAMES: usize = 100_000;

/// What is looked for, and how it is judged.
#[derive(Debug, Clone)]
pub struct Looking<'a> {
    /// In the order of preference.
    pub shares: &'a [PathBuf],
    /// Whose instruction file.
    pub machine: MachineId,
    /// Who may have published it.
    pub judge: &'a Judge,
    /// What the configuration says where a request does not.
    pub defaults: &'a Defaults,
    /// Whose signatures count, in mode `signed`; None: nobody's, as long as no trust list was taken.
    pub trusted: Option<Trusted>,
    /// Now.
    pub now: Wall,
    /// Where this machine holds what it has got of an index; None: nowhere.
    pub held: Option<&'a Path>,
    /// It has accepted an index once, and reads no instruction file any more.
    pub indexed: bool,
    /// How long parts of an index are read at once; None: until they are there.
    pub patience: Option<Duration>,
    /// Parts that no share has given yet.
    pub wanted: &'a [Named],
    /// Where the index that is held has which tag: it is not read there again.
    pub tags: &'a [Tag],
}

/// What a server calls an index that it gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    /// Where.
    pub place: PathBuf,
    /// Its word.
    pub tag: String,
    /// Of the bytes of the index.
    pub sha256: ContentHash,
}

/// What a look at all shares gave.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Look {
    /// The valid instruction file: a trusted one before others, then the highest serial, then the first share.
    pub found: Option<Found>,
    /// The valid instruction files of the other shares, best first.
    pub others: Vec<Found>,
    /// Why there is none; set where `found` is not.
    pub fault: Option<SourceFault>,
    /// What is wrong with the shares that were not used, and warnings of the site file of the one that was. Those of the
    /// instruction file stand in it.
    pub problems: Vec<Problem>,
    /// A share of this site answered: with a valid file, or by having none for this machine.
    pub answered: bool,
    /// The versions of the trust list that come after the one that is held, in their order, in mode `signed`.
    #[serde(default)]
    pub lists: Vec<Vec<u8>>,
    /// The shares that gave no answer, each with why.
    #[serde(default)]
    pub silent: Vec<(PathBuf, SafeText)>,
}

/// A valid instruction file. Whether it may come into force is said by `trust`: one that is refused must not replace a
/// held one that was trusted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Found {
    /// To be held in the state folder.
    #[serde(with = "wire::bytes")]
    pub bytes: Vec<u8>,
    /// What they say.
    pub file: InstructionFile,
    /// How the trust check ended.
    pub trust: TrustVerdict,
    /// As configured.
    pub share: PathBuf,
    /// `PCM.SITE`, to be held beside it: its freezes stay in force while the share is away.
    #[serde(with = "wire::bytes")]
    pub site_bytes: Vec<u8>,
    /// What they say.
    pub site: SiteFile,
    /// The packages that it names, with their signatures, in mode `signed`.
    #[serde(default)]
    pub packages: Packages,
    /// Those of them that are there and could not be read, and why.
    #[serde(default)]
    pub unread: BTreeMap<PackageId, Problem>,
    /// Who signed all that. Only whoever holds the trust list says it: it crosses to nobody.
    #[serde(skip)]
    pub signed: Option<SignedBy>,
    /// Of an index: the parts that came with it. None: it is an instruction file.
    #[serde(default)]
    pub brought: Option<Brought>,
    /// What the server calls that index, where it is one.
    #[serde(default)]
    pub tag: Option<String>,
    /// What the index says beside the requests. Whoever decides makes it of the bytes: it crosses to nobody.
    #[serde(skip)]
    pub index: Option<InForce>,
}

/// Why the newest look at the share gave no valid instruction file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFault {
    /// `share-missing`, `share-denied`, `ins-missing`, `malformed`, `loose-permissions` …
    pub code: Code,
    /// With the place, as an operator needs it.
    pub problems: Vec<Problem>,
}

/// What one share answered.
enum Answer {
    Found(Box<Found>),
    Fault(Code, Vec<Problem>),
}

/// Looks at every configured share, one after the other.
pub fn look(looking: &Looking<'_>) -> Look {
    let mut looking = looking.clone();
    let held = looking.held.and_then(store::read).unwrap_or_default();
    let (lists, left) =
        if looking.trusted.is_some() { later_lists(&mut looking) } else { (Vec::new(), None) };
    let answers = looking.shares.iter().map(|share| match (look_at(&looking, share, &held), &left) {
        // Whoever signed it may be known by a list that was not taken: that is the reason then.
        (Answer::Fault(Code::BadSignature, problems), Some(left)) => {
            let and = |problem: Problem| Problem {
                message: SafeText::new(&format!("{}; {left}", problem.message)),
                ..problem
            };
            Answer::Fault(Code::BadSignature, problems.into_iter().map(and).collect())
        }
        (answer, _) => answer,
    });
    let answers = answers.collect();
    Look { lists, ..Look::of(answers) }
}

impl Look {
    /// What the answers of all shares, in the order of preference, come to.
    fn of(answers: Vec<Answer>) -> Look {
        let mut look = Look::default();
        let mut offers: Vec<Found> = Vec::new();
        let mut faults: Vec<(Code, Vec<Problem>)> = Vec::new();
        if answers.is_empty() {
            let nothing =
                problem(Code::ShareMissing, Path::new("pcm.toml"), "no share is configured: set shares");
            faults.push((Code::ShareMissing, vec![nothing]));
        }
        for answer in answers {
            match answer {
                Answer::Fault(code, problems) => {
                    look.answered |= code == Code::InsMissing;
                    faults.push((code, problems));
                }
                Answer::Found(found) => {
                    look.answered = true;
                    offers.push(*found);
                }
            }
        }
        // Of equals the first share stays the first.
        offers.sort_by_key(|found| Reverse(found.rank()));
        let mut offers = offers.into_iter();
        (look.found, look.others) = (offers.next(), offers.collect());
        if let Some(found) = &look.found {
            look.problems.extend(found.site.warnings.iter().chain(found.unread.values()).cloned());
            look.problems.extend(faults.into_iter().flat_map(|(_, problems)| problems));
            return look;
        }
        // The one that came furthest says most; of equals the first.
        let furthest = faults.iter().map(|(code, _)| progress(*code)).max();
        let at = faults.iter().position(|(code, _)| Some(progress(*code)) == furthest);
        if let Some(at) = at {
            let (code, problems) = faults.remove(at);
            look.fault = Some(SourceFault { code, problems });
        }
        look.problems.extend(faults.into_iter().flat_map(|(_, problems)| problems));
        look
    }

    /// The same of looks at one share each, in the order of preference: a share that did not answer says nothing of the
    /// others.
    pub fn together(looks: Vec<(PathBuf, Result<Look, SafeText>)>) -> Look {
        let answer = |(share, look): (PathBuf, Result<Look, SafeText>)| {
            let silent = |why: &str| (Code::ShareMissing, vec![problem(Code::ShareMissing, &share, why)]);
            let (code, problems) = match look {
                Ok(Look { found: Some(found), .. }) => return Answer::Found(Box::new(found)),
                Ok(Look { fault: Some(fault), .. }) => (fault.code, fault.problems),
                Ok(Look { found: None, fault: None, .. }) => silent("it gave no answer"),
                Err(why) => silent(why.as_str()),
            };
            Answer::Fault(code, problems)
        };
        // Each begins after the list that is held: the longest has most to say.
        let lists = looks.iter().filter_map(|(_, look)| look.as_ref().ok()).map(|look| &look.lists);
        let lists = lists.max_by_key(|lists| lists.len()).cloned().unwrap_or_default();
        let silent =
            looks.iter().filter_map(|(share, look)| Some((share.clone(), look.as_ref().err()?.clone())));
        let silent = silent.collect();
        Look { lists, silent, ..Look::of(looks.into_iter().map(answer).collect()) }
    }
}

/// Reads the instruction file that is held in the state folder.
///
/// # Errors
/// As [`parse`].
pub fn parse_held(
    bytes: &[u8],
    machine: MachineId,
    defaults: &Defaults,
) -> Result<InstructionFile, Vec<Problem>> {
    parse(bytes, machine, &format!("held {machine}.INS"), defaults)
}

fn progress(code: Code) -> u8 {
    match code {
        Code::ShareMissing => 0,
        Code::ShareDenied => 1,
        Code::InsMissing => 2,
        _ => 3,
    }
}

fn look_at(looking: &Looking<'_>, share: &Path, held: &Held) -> Answer {
    let root = match Folder::open(share) {
        Ok(root) => root,
        Err(e) => {
            let code = fault_code(&e, Code::ShareMissing);
            let remedy = if e == OpenError::Missing { ": is the share mounted?" } else { "" };
            return Answer::Fault(code, vec![problem(code, share, &format!("the share: {e}{remedy}"))]);
        }
    };
    let sha256 = hash_bytes(&held.index);
    let known = looking.tags.iter().find(|tag| tag.place == *share && tag.sha256 == sha256);
    match root.file_unless(index::NAME, known.map(|known| known.tag.as_str())) {
        Ok(Some(open)) => {
            let tag = open.tag().map(str::to_owned);
            return look_at_index(looking, share, &root, First { index: Some(open), tag }, held);
        }
        Ok(None) => {
            let tag = known.map(|known| known.tag.clone());
            return look_at_index(looking, share, &root, First { index: None, tag }, held);
        }
        Err(OpenError::Missing) if looking.indexed => {
            let path = share.join(index::NAME);
            let message =
                "its index is gone: this machine takes what an index says and no instruction file any more";
            return Answer::Fault(Code::ShareMissing, vec![problem(Code::ShareMissing, &path, message)]);
        }
        Err(OpenError::Missing) if root.is_remote() => {
            let path = root.path().to_owned();
            let message =
                format!("it has no {}, and nothing else is read of a share that is no folder", index::NAME);
            return Answer::Fault(Code::ShareMissing, vec![problem(Code::ShareMissing, &path, &message)]);
        }
        Err(OpenError::Missing) => {}
        Err(e) => return fault(&e, &share.join(index::NAME)),
    }
    let site = match site_of(&root) {
        Ok(site) => site,
        Err((code, problems)) => return Answer::Fault(code, problems),
    };
    let machine = looking.machine;
    let none = || {
        let path = share.join(INS_FOLDER).join(format!("{machine}.INS"));
        let message = "the share is there and has no instruction file for this machine";
        Answer::Fault(Code::InsMissing, vec![problem(Code::InsMissing, &path, message)])
    };
    let folder = match root.folder(INS_FOLDER) {
        Ok(folder) => folder,
        Err(OpenError::Missing) => return none(),
        Err(e) => return fault(&e, &share.join(INS_FOLDER)),
    };
    let (mut problems, mut fault_of) = (Vec::new(), Code::Malformed);
    // A publisher may be replacing it just now: what does not parse, or does not verify, is read again at once.
    for _ in 0..2 {
        let (mut open, name) = match open_ins(&folder, machine) {
            Ok(Some(open)) => open,
            Ok(None) => return none(),
            Err((e, path)) => return fault(&e, &path),
        };
        let path = folder.path().join(&name);
        // Where nobody's word counts nothing gets as far as a parser.
        if looking.judge.mode == TrustMode::Signed && looking.trusted.is_none() {
            return Answer::Fault(Code::Unsigned, vec![problem(Code::Unsigned, &path, NO_LIST)]);
        }
        let bytes = match read_bounded(&mut open, instruction::MAX_BYTES) {
            Ok(bytes) => bytes,
            Err(e) => return fault(&e, &path),
        };
        if let Some(trusted) = &looking.trusted {
            let judging = Judging {
                machine,
                defaults: looking.defaults,
                trusted,
                at: looking.now,
                standing: Standing::Offered,
            };
            match signed::instructions(&bytes, &judging) {
                Ok((file, by)) => {
                    let (packages, unread) = packages_of(&root, &file);
                    let trust = TrustVerdict::Trusted(by.words());
                    let (share, site_bytes, site) = (share.to_owned(), site.bytes, site.site);
                    return Answer::Found(Box::new(Found {
                        bytes,
                        file,
                        trust,
                        share,
                        site_bytes,
                        site,
                        packages,
                        unread,
                        signed: Some(by),
                        brought: None,
                        tag: None,
                        index: None,
                    }));
                }
                Err(distrust) => {
                    fault_of = distrust.code;
                    problems = vec![distrust.problem(path.display().to_string())];
                    continue;
                }
            }
        }
        let file = match parse(&bytes, machine, &path.display().to_string(), looking.defaults) {
            Ok(file) => file,
            Err(found) => {
                problems = found;
                continue;
            }
        };
        if file.site != site.site.site {
            let message = format!("it is of site {}, and the share is of site {}", file.site, site.site.site);
            return Answer::Fault(Code::Malformed, vec![problem(Code::Malformed, &path, &message)]);
        }
        let trust = looking.judge.publication(share, &[&root, &folder], &[&site.open, &open]);
        let share = share.to_owned();
        return Answer::Found(Box::new(Found {
            bytes,
            file,
            trust,
            share,
            site_bytes: site.bytes,
            site: site.site,
            packages: Packages::new(),
            unread: BTreeMap::new(),
            signed: None,
            brought: None,
            tag: None,
            index: None,
        }));
    }
    Answer::Fault(fault_of, problems)
}

/// The versions of the trust list that follow the one that is held, from whichever share has them; whoever looks goes on
/// with the newest of them. Of the one after those, where a share has it: why it was not taken, as a clause.
fn later_lists(looking: &mut Looking<'_>) -> (Vec<Vec<u8>>, Option<String>) {
    let (mut lists, mut left) = (Vec::new(), None);
    while lists.len() < MAX_LISTS
        && let Some(trusted) = &looking.trusted
    {
        let name = TrustList::file_name(trusted.list.version + 1);
        let of = |share: &PathBuf| -> Result<(Vec<u8>, Trusted), Option<SafeText>> {
            let read = || {
                let folder = Folder::open(share)?.folder(list::FOLDER)?;
                read_bounded(&mut folder.file(&name)?, list::MAX_BYTES)
            };
            let bytes =
                read().map_err(|e| (e != OpenError::Missing).then(|| SafeText::new(&e.to_string())))?;
            let next = trusted.next(&bytes, looking.now).map_err(|distrust| Some(distrust.why))?;
            Ok((bytes, next))
        };
        let mut why = None;
        let next = looking.shares.iter().find_map(|share| of(share).map_err(|e| why = why.take().or(e)).ok());
        let Some((bytes, next)) = next else {
            left = why.map(|why| format!("{}/{name} was not taken: {why}", list::FOLDER));
            break;
        };
        lists.push(bytes);
        looking.trusted = Some(next);
    }
    (lists, left)
}

/// The packages that a file names, as far as the share has them with their signatures; and those that it has and does not
/// let be read.
fn packages_of(root: &Folder, file: &InstructionFile) -> (Packages, BTreeMap<PackageId, Problem>) {
    let (mut packages, mut unread, mut room) = (Packages::new(), BTreeMap::new(), MAX_DEFINITIONS);
    let folder = root.folder(PACKAGES);
    for id in signed::named(file) {
        let path = root.path().join(PACKAGES).join(id.as_str());
        let read = || -> Result<PackageFiles, OpenError> {
            let folder = folder.as_ref().map_err(Clone::clone)?.folder(id.as_str())?;
            let read = |name: &str, limit| read_bounded(&mut folder.file(name)?, limit);
            let definition = read(package::NAME, package::MAX_BYTES)?;
            Ok(PackageFiles { definition, signature: read(signed::SIGNATURE, MAX_ARMOUR as u64)? })
        };
        match read() {
            Ok(files) if files.definition.len() <= room => {
                room -= files.definition.len();
                packages.insert(id, files);
            }
            Ok(_) => {
                let why =
                    format!("all packages' definitions are larger than {MAX_DEFINITIONS} bytes together");
                unread.insert(id, problem(Code::Malformed, &path, &why));
            }
            Err(OpenError::Missing) => {}
            Err(e) => {
                let why = format!("its definition or its signature: {e}");
                unread.insert(id, problem(fault_code(&e, Code::Malformed), &path, &why));
            }
        }
    }
    (packages, unread)
}

/// `PCM.SITE` as it was read.
struct SiteRead {
    open: RegularFile,
    bytes: Vec<u8>,
    site: SiteFile,
}

/// `PCM.SITE`, without which the share is not mounted.
fn site_of(root: &Folder) -> Result<SiteRead, (Code, Vec<Problem>)> {
    let path = root.path().join(site_file::NAME);
    let read = || {
        let mut open = root.file(site_file::NAME)?;
        read_bounded(&mut open, site_file::MAX_BYTES).map(|bytes| (open, bytes))
    };
    let mut problems = Vec::new();
    for _ in 0..2 {
        let (open, bytes) = match read() {
            Ok(read) => read,
            Err(OpenError::Missing) => {
                let message = "it is missing, so this folder is not taken for a share: is the share mounted?";
                return Err((Code::ShareMissing, vec![problem(Code::ShareMissing, &path, message)]));
            }
            Err(e) => {
                let code = fault_code(&e, Code::Malformed);
                return Err((code, vec![problem(code, &path, &e.to_string())]));
            }
        };
        // Format 2 says that an index has to be there: without it nothing of the share is taken.
        let under_an_index = root.file(index::NAME).is_ok();
        let read = if under_an_index { site_file::parse_any } else { site_file::parse };
        match read(&bytes, &path.display().to_string()) {
            Ok(site) => return Ok(SiteRead { open, bytes, site }),
            Err(found) => problems = found,
        }
    }
    Err((Code::Malformed, problems))
}

/// The instruction file of a machine, whatever the case of its name; the upper-case name goes first.
fn open_ins(
    folder: &Folder,
    machine: MachineId,
) -> Result<Option<(RegularFile, String)>, (OpenError, PathBuf)> {
    let wanted = format!("{machine}.INS");
    match folder.file(&wanted) {
        Ok(file) => return Ok(Some((file, wanted))),
        Err(OpenError::Missing) => {}
        Err(e) => return Err((e, folder.path().join(&wanted))),
    }
    let mut names = folder.names(MAX_NAMES).map_err(|e| (e, folder.path().to_owned()))?;
    names.sort();
    let other = names.iter().filter_map(|n| n.to_str()).find(|n| n.eq_ignore_ascii_case(&wanted));
    match other {
        None => Ok(None),
        Some(name) => match folder.file(name) {
            Ok(file) => Ok(Some((file, name.to_owned()))),
            // Replaced between listing and opening.
            Err(OpenError::Missing) => Ok(None),
            Err(e) => Err((e, folder.path().join(name))),
        },
    }
}

fn fault(e: &OpenError, path: &Path) -> Answer {
    let code = fault_code(e, Code::Malformed);
    Answer::Fault(code, vec![problem(code, path, &e.to_string())])
}

/// The code of an error: denied and I/O errors are the share's, everything else is `otherwise`.
fn fault_code(e: &OpenError, otherwise: Code) -> Code {
    match e {
        OpenError::Denied | OpenError::KeyRefused(_) => Code::ShareDenied,
        OpenError::Io(..) => Code::ShareMissing,
        _ => otherwise,
    }
}

fn problem(code: Code, path: &Path, message: &str) -> Problem {
    Problem::of_file(code.as_str(), path.display().to_string(), message)
}

#[cfg(test)]
mod tests;
