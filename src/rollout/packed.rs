//! What machines say, in as little room as it can be kept in: 100,000 of them speak of the same few requests in the same
//! words, so that what two of them have said has a place of its own, and each only names it. Nothing is lost. What one
//! machine alone says stays with what that one says: no machine can fill the places of all.

use super::account::{Account, Forecast, Heard, Said, Signed};
use crate::clock::Wall;
use crate::site::ids::{JobId, MachineId, PackageId, RequestId, SiteId};
use crate::site::signed::signers::{ed25519, ed25519_text};
use crate::terms::{Code, Platform, State};
use crate::text::SafeText;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasher as _, Hash};
use std::time::Duration;

/// The most things of one kind that have a place.
const MOST_PLACES: usize = 20_000;
/// Of so many things at most it is known who said them.
const MOST_ONCE: usize = 50_000;

/// A request, with its job and its package where those are known.
pub(super) type Name = (RequestId, Option<JobId>, Option<PackageId>);

/// What more than one machine has said.
#[derive(Debug, Default)]
pub(super) struct Words {
    pub(super) names: Places<Name>,
    pub(super) texts: Places<SafeText>,
    /// Where one is packed, and one request of it: what is kept is as long as it is, and leaves no holes behind.
    room: [Vec<u8>; 2],
}

/// Things of one kind, each at its place.
#[derive(Debug)]
pub(super) struct Places<T> {
    all: Vec<T>,
    at: HashMap<T, u32>,
    once: HashMap<u64, MachineId>,
    state: RandomState,
}

impl<T> Default for Places<T> {
    fn default() -> Self {
        Self { all: Vec::new(), at: HashMap::new(), once: HashMap::new(), state: RandomState::new() }
    }
}

impl<T: Clone + Eq + Hash> Places<T> {
    /// All that have one.
    pub(super) fn all(&self) -> &[T] {
        &self.all
    }

    /// Gives the next place away; none is left: false.
    pub(super) fn add(&mut self, thing: T) -> bool {
        let Some(place) = u32::try_from(self.all.len()).ok().filter(|_| self.all.len() < MOST_PLACES) else {
            return false;
        };
        self.at.insert(thing.clone(), place);
        self.all.push(thing);
        true
    }

    /// The place of what this machine says, which it gets when a second one says it.
    fn of(&mut self, thing: &T, machine: MachineId) -> Option<u32> {
        if let Some(place) = self.at.get(thing) {
            return Some(*place);
        }
        let hash = self.state.hash_one(thing);
        match self.once.get(&hash) {
            Some(first) if *first != machine => {
                self.once.remove(&hash);
                self.add(thing.clone()).then(|| self.at.get(thing).copied()).flatten()
            }
            Some(_) => None,
            None => {
                if self.once.len() >= MOST_ONCE {
                    self.once.clear();
                }
                self.once.insert(hash, machine);
                None
            }
        }
    }

    fn get(&self, place: u32) -> Option<&T> {
        self.all.get(usize::try_from(place).ok()?)
    }
}

/// Which requests are wanted of what machines say.
#[derive(Debug)]
pub struct Wanted {
    requests: BTreeSet<RequestId>,
    /// The same for those that have a place.
    places: Vec<bool>,
}

#[derive(Serialize, Deserialize)]
enum Text<'a> {
    At(u32),
    Itself(&'a str),
}

#[derive(Serialize, Deserialize)]
enum Named {
    At(u32),
    Itself(Name),
}

/// An instant, after the time of the report.
#[derive(Serialize, Deserialize)]
enum When {
    None,
    Seconds(i64),
    Micros(i64),
}

#[derive(Serialize, Deserialize)]
enum Signer<'a> {
    Nobody,
    By(&'a str),
    Bad(&'a str),
    /// A key of the kind that nearly all machines have, in less than half of the room of its text.
    Ed25519([u8; 32]),
}

/// What a machine says of itself. Each text as it stands there, or where it is.
#[derive(Serialize, Deserialize)]
struct Head<'a> {
    publication: (u64, u64),
    reported_at: i64,
    written: When,
    interval: Duration,
    heartbeat: Duration,
    host: &'a str,
    platform: Option<u8>,
    #[serde(borrow)]
    os: Option<Text<'a>>,
    os_version: Option<Text<'a>>,
    pcm_version: Text<'a>,
    users: Option<u32>,
    restart_pending: bool,
    disk_free: Option<u64>,
    hours_on: Option<u32>,
    held_until: When,
    frozen_until: When,
    next_window: When,
    facts: Vec<(Text<'a>, Text<'a>)>,
    undelivered: u64,
    two_machines: bool,
    state_id: Option<&'a str>,
    number: Option<u64>,
    site_id: Option<Text<'a>>,
    signed: Signer<'a>,
    not_targeted: Vec<JobId>,
    requests: usize,
}

/// What it says of one request, after its name: what is not wanted is passed over unread.
#[derive(Serialize, Deserialize)]
struct Request<'a> {
    state: u8,
    since: When,
    attempt: u32,
    blocked_by: Vec<u16>,
    next_change: When,
    exit_code: Option<i64>,
    #[serde(borrow)]
    result: Option<Text<'a>>,
    started_at: When,
    ended_at: When,
    forecast: Foretold,
    late_s: Option<u64>,
}

#[derive(Serialize, Deserialize)]
enum Foretold {
    Nothing,
    Never,
    Runs(When, When),
}

/// Says something; nothing, and why. It stands at the beginning.
const GOOD: u8 = 0;
const BAD: u8 = 1;

/// Whether what is packed here says something.
pub(super) fn is_good(packed: &[u8]) -> bool {
    packed.first() == Some(&GOOD)
}

/// The words by which states and reasons are numbered: by other ones, nothing of it can be read.
pub(super) fn numbered_by() -> impl Iterator<Item = &'static str> {
    let platforms = Platform::ALL.iter().map(|platform| platform.as_str());
    State::ALL
        .iter()
        .map(|state| state.as_str())
        .chain(Code::ALL.iter().map(|code| code.as_str()))
        .chain(platforms)
}

impl Words {
    /// No place is left for one kind.
    pub(super) fn is_full(&self) -> bool {
        self.names.all.len() >= MOST_PLACES || self.texts.all.len() >= MOST_PLACES
    }

    /// What this machine says; None: it is too much.
    pub(super) fn pack(&mut self, machine: MachineId, heard: &Heard) -> Option<Box<[u8]>> {
        let [mut bytes, mut room] = std::mem::take(&mut self.room);
        bytes.clear();
        let account = match heard {
            Ok(account) => account,
            Err(why) => {
                bytes.push(BAD);
                return postcard::to_extend(why.as_str(), bytes).ok().map(Vec::into_boxed_slice);
            }
        };
        bytes.push(GOOD);
        let from = account.reported_at.timestamp_micros();
        let head = Head {
            publication: account.publication,
            reported_at: from,
            written: when(Some(account.written), from),
            interval: account.interval,
            heartbeat: account.heartbeat,
            host: account.host.as_str(),
            platform: account.platform.and_then(|platform| number(Platform::ALL, &platform)),
            os: account.os.as_ref().map(|os| self.text(os, machine)),
            os_version: account.os_version.as_ref().map(|version| self.text(version, machine)),
            pcm_version: self.text(&account.pcm_version, machine),
            users: account.users,
            restart_pending: account.restart_pending,
            disk_free: account.disk_free,
            hours_on: account.hours_on,
            held_until: when(account.held_until, from),
            frozen_until: when(account.frozen_until, from),
            next_window: when(account.next_window, from),
            facts: account
                .facts
                .iter()
                .map(|(name, fact)| (self.text(name, machine), self.text(fact, machine)))
                .collect(),
            undelivered: account.undelivered,
            two_machines: account.two_machines,
            state_id: account.state_id.as_ref().map(SafeText::as_str),
            number: account.number,
            site_id: match &account.site_id {
                None => None,
                Some(id) => Some(match self.texts.of(&SafeText::new(id.as_str()), machine) {
                    Some(place) => Text::At(place),
                    None => Text::Itself(id.as_str()),
                }),
            },
            signed: match &account.signed {
                Signed::Not => Signer::Nobody,
                Signed::By(key) => ed25519(key).map_or(Signer::By(key), Signer::Ed25519),
                Signed::Bad(why) => Signer::Bad(why.as_str()),
            },
            not_targeted: account.not_targeted.clone(),
            requests: account.requests.len(),
        };
        bytes = postcard::to_extend(&head, bytes).ok()?;
        for said in &account.requests {
            let name = (said.request_id, said.job_id, said.package_id);
            let name = self.names.of(&name, machine).map_or(Named::Itself(name), Named::At);
            room.clear();
            room = postcard::to_extend(&self.request(said, machine, from)?, room).ok()?;
            bytes = postcard::to_extend(&(name, room.as_slice()), bytes).ok()?;
        }
        let packed = bytes.as_slice().into();
        self.room = [bytes, room];
        Some(packed)
    }

    fn text<'a>(&mut self, text: &'a SafeText, machine: MachineId) -> Text<'a> {
        self.texts.of(text, machine).map_or(Text::Itself(text.as_str()), Text::At)
    }

    fn request<'a>(&mut self, said: &'a Said, machine: MachineId, from: i64) -> Option<Request<'a>> {
        Some(Request {
            state: number(State::ALL, &said.state)?,
            since: when(said.since, from),
            attempt: said.attempt,
            blocked_by: said
                .blocked_by
                .iter()
                .map(|code| number::<_, u16>(Code::ALL, code))
                .collect::<Option<Vec<u16>>>()?,
            next_change: when(said.next_change, from),
            exit_code: said.exit_code,
            result: said.result.as_ref().map(|result| self.text(result, machine)),
            started_at: when(said.started_at, from),
            ended_at: when(said.ended_at, from),
            forecast: match said.forecast {
                None => Foretold::Nothing,
                Some(Forecast::Never) => Foretold::Never,
                Some(Forecast::Runs { next, latest }) => {
                    Foretold::Runs(when(Some(next), from), when(latest, from))
                }
            },
            late_s: said.late_s,
        })
    }

    /// What is wanted where these requests are.
    pub(super) fn wanted(&self, requests: BTreeSet<RequestId>) -> Wanted {
        let places = self.names.all().iter().map(|(request, ..)| requests.contains(request)).collect();
        Wanted { requests, places }
    }

    /// What is packed here; None: it is not what was packed. `wanted`: only these requests.
    pub(super) fn unpack(&self, packed: &[u8], wanted: Option<&Wanted>) -> Option<Heard> {
        let (good, bytes) = packed.split_first()?;
        if *good != GOOD {
            let why: &str = postcard::from_bytes(bytes).ok()?;
            return Some(Err(SafeText::new(why)));
        }
        let (head, mut bytes) = postcard::take_from_bytes::<Head<'_>>(bytes).ok()?;
        let from = head.reported_at;
        let mut requests = Vec::new();
        for _ in 0..head.requests {
            let ((name, request), more) = postcard::take_from_bytes::<(Named, &[u8])>(bytes).ok()?;
            bytes = more;
            if self.is_wanted(&name, wanted) {
                requests.push(self.said(&name, &postcard::from_bytes(request).ok()?, from)?);
            }
        }
        let mut facts = BTreeMap::new();
        for (name, fact) in &head.facts {
            facts.insert(self.read(name)?, self.read(fact)?);
        }
        Some(Ok(Account {
            publication: head.publication,
            reported_at: Wall::from_timestamp_micros(from)?,
            written: instant(&head.written, from)??,
            interval: head.interval,
            heartbeat: head.heartbeat,
            host: SafeText::new(head.host),
            platform: match head.platform {
                None => None,
                Some(n) => Some(*Platform::ALL.get(usize::from(n))?),
            },
            os: self.read_maybe(head.os.as_ref())?,
            os_version: self.read_maybe(head.os_version.as_ref())?,
            pcm_version: self.read(&head.pcm_version)?,
            users: head.users,
            restart_pending: head.restart_pending,
            disk_free: head.disk_free,
            hours_on: head.hours_on,
            held_until: instant(&head.held_until, from)?,
            frozen_until: instant(&head.frozen_until, from)?,
            next_window: instant(&head.next_window, from)?,
            facts,
            undelivered: head.undelivered,
            two_machines: head.two_machines,
            state_id: head.state_id.map(SafeText::new),
            number: head.number,
            site_id: match self.read_maybe(head.site_id.as_ref())? {
                None => None,
                Some(id) => Some(SiteId::try_from(id.into_string()).ok()?),
            },
            signed: match head.signed {
                Signer::Nobody => Signed::Not,
                Signer::By(key) => Signed::By(key.to_owned()),
                Signer::Ed25519(key) => Signed::By(ed25519_text(&key)),
                Signer::Bad(why) => Signed::Bad(SafeText::new(why)),
            },
            requests,
            not_targeted: head.not_targeted,
        }))
    }

    fn is_wanted(&self, name: &Named, wanted: Option<&Wanted>) -> bool {
        let Some(wanted) = wanted else { return true };
        let by_id = |id: &RequestId| wanted.requests.contains(id);
        match name {
            // One that has got its place since is asked by what it is.
            Named::At(place) => match usize::try_from(*place).ok().and_then(|n| wanted.places.get(n)) {
                Some(wanted) => *wanted,
                None => self.names.get(*place).is_some_and(|(id, ..)| by_id(id)),
            },
            Named::Itself((id, ..)) => by_id(id),
        }
    }

    fn said(&self, name: &Named, request: &Request<'_>, from: i64) -> Option<Said> {
        let (request_id, job_id, package_id) = match name {
            Named::At(place) => *self.names.get(*place)?,
            Named::Itself(name) => *name,
        };
        let codes = request.blocked_by.iter().map(|n| Code::ALL.get(usize::from(*n)).copied());
        Some(Said {
            job_id,
            package_id,
            since: instant(&request.since, from)?,
            attempt: request.attempt,
            blocked_by: codes.collect::<Option<_>>()?,
            next_change: instant(&request.next_change, from)?,
            exit_code: request.exit_code,
            result: self.read_maybe(request.result.as_ref())?,
            started_at: instant(&request.started_at, from)?,
            ended_at: instant(&request.ended_at, from)?,
            forecast: match &request.forecast {
                Foretold::Nothing => None,
                Foretold::Never => Some(Forecast::Never),
                Foretold::Runs(next, latest) => {
                    Some(Forecast::Runs { next: instant(next, from)??, latest: instant(latest, from)? })
                }
            },
            late_s: request.late_s,
            ..Said::of(request_id, *State::ALL.get(usize::from(request.state))?)
        })
    }

    fn read(&self, text: &Text<'_>) -> Option<SafeText> {
        match text {
            Text::At(place) => self.texts.get(*place).cloned(),
            Text::Itself(text) => Some(SafeText::new(text)),
        }
    }

    fn read_maybe(&self, text: Option<&Text<'_>>) -> Option<Option<SafeText>> {
        match text {
            None => Some(None),
            Some(text) => self.read(text).map(Some),
        }
    }
}

/// What stands at a place, as it is put on disk.
pub(super) fn to_disk<T: Serialize>(thing: &T) -> Option<Vec<u8>> {
    postcard::to_allocvec(thing).ok()
}

/// And back.
pub(super) fn from_disk<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    postcard::from_bytes(bytes).ok()
}

fn number<T: PartialEq, N: TryFrom<usize>>(all: &[T], one: &T) -> Option<N> {
    all.iter().position(|other| other == one).and_then(|n| N::try_from(n).ok())
}

/// In microseconds after `from`, or in seconds where it is that many.
fn when(at: Option<Wall>, from: i64) -> When {
    const SECOND: i64 = 1_000_000;
    let Some(at) = at else { return When::None };
    let micros = at.timestamp_micros().wrapping_sub(from);
    if micros % SECOND == 0 { When::Seconds(micros / SECOND) } else { When::Micros(micros) }
}

/// None: no instant is so far away.
#[allow(clippy::option_option)] // one is what was packed, the other whether that can be
fn instant(when: &When, from: i64) -> Option<Option<Wall>> {
    let micros = match when {
        When::None => return Some(None),
        When::Seconds(seconds) => seconds.checked_mul(1_000_000)?,
        When::Micros(micros) => *micros,
    };
    Wall::from_timestamp_micros(from.wrapping_add(micros)).map(Some)
}

#[cfg(test)]
mod tests;
