//! What a collector has read of all reports, in one file beside their folder (SITE.md 6): so that a console need not read a
//! hundred thousand files over a network. Frames of zstd, one after the other: the header, in JSON, and parts of some
//! machines each, four lines a machine: the summary and the signature as they stand in its report, byte for byte (`{}` where
//! there is none), what else the report says of the machine, and a row for each request. Whoever can write the share can
//! write this file: at a site that signs, each summary has to verify, and a machine's rows have to be as many of each state
//! as it has signed. `pcm job advance` never goes by it; the gate that `pcm rollout` shows does, while it is new enough.

mod machine;
mod rows;

pub use self::machine::{lines, silent_lines};

use self::machine::{Line, told};
use super::account::Signed;
use super::cache::{Cache, Heard};
use super::refresh::Look;
use super::seals::{Seal, Seals, seal};
use super::waiting::{self, Reader, What};
use super::whose::Whose;
use crate::clock::Wall;
use crate::host::open::{Folder, Looked, OpenError, RegularFile};
use crate::host::{facts, threads};
use crate::site::content::hash_bytes;
use crate::site::ids::{MachineId, RequestId, SiteCode, SiteId};
use crate::site::instruction::ContentHash;
use crate::site::report::lines::Sealed;
use crate::text::{SafeText, duration};
use chrono::{SecondsFormat, TimeDelta};
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::io::{self, Read};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

/// The file, on the share.
pub const NAME: &str = "machines.collected";
const KIND: &str = "collected";
const FORMAT: u32 = 1;
/// The most machines of a part.
pub const PART: usize = 1_024;
/// The most bytes of a part, as it is written, but for one of a single machine: reports may be half a megabyte each, and
/// whoever reads it takes no part that is too large.
const PART_BYTES: usize = 8 << 20;
/// One that is older is not used.
const OLDEST: TimeDelta = TimeDelta::minutes(30);
/// Clocks differ by no more.
const AHEAD: TimeDelta = TimeDelta::minutes(5);
/// The most bytes of its header, packed and unpacked.
const MAX_HEADER: u64 = 2 << 20;
/// The most bytes of a part, as it is packed, and unpacked: many are held at once.
const MAX_PART: u64 = 12 << 20;
const MAX_UNPACKED: u64 = 12 << 20;
/// The most bytes of a line: a report has half a megabyte, and is three of them.
const MAX_LINE: usize = 1 << 20;
/// Stands where a machine has no summary, or no signature.
const NONE: &[u8] = b"{}\n";
/// All of it is waited for so many times as long as one part.
const PATIENT: u32 = 5;
/// So many machines that whoever reads it does not have may be in it, and as many as it has.
const MORE: u64 = 10_000;
/// What packs them needs no more to look back at.
const WINDOW: u64 = 8 << 20;
/// How its report stands: not known here.
const NOT_LOOKED: Looked = Looked { size: 0, changed: i64::MIN, number: 0 };
/// The most parts: of two million machines.
const MAX_PARTS: usize = 2_048;
/// More threads than that are waited for by the one that takes what they have read.
const MOST_THREADS: usize = 8;

/// The first frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    kind: String,
    format: u32,
    /// The site.
    pub site: SiteCode,
    /// Which of all with that code.
    pub site_id: SiteId,
    /// When its collector began to read.
    pub at: Wall,
    /// The machines of the site, as the collector knew them.
    pub machines: u64,
    /// So many reports say something.
    pub read: u64,
    /// So many are there and do not.
    pub unread: u64,
    parts: Vec<PartOf>,
}

/// Where it stands, and what shows that it is what was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct PartOf {
    bytes: u64,
    sha256: ContentHash,
}

/// What tells how the rest is to be read.
#[derive(Deserialize)]
struct Form {
    kind: String,
    format: u32,
}

/// Makes the bytes of such a file.
#[derive(Debug)]
pub struct Writer {
    header: Header,
    body: Vec<u8>,
    /// What the machines of the last part say, which goes on.
    lines: Vec<u8>,
    machines: usize,
    /// A part with more bytes goes on no longer.
    most: usize,
    /// The bytes of the longest part.
    longest: usize,
}

impl Writer {
    /// Of a site with so many machines, begun now.
    pub fn new(site: SiteCode, site_id: SiteId, machines: u64, at: Wall) -> Self {
        let (kind, parts) = (KIND.to_owned(), Vec::new());
        let header = Header { kind, format: FORMAT, site, site_id, at, machines, read: 0, unread: 0, parts };
        Self { header, body: Vec::new(), lines: Vec::new(), machines: 0, most: PART_BYTES, longest: 0 }
    }

    /// What the next machine says, as [`lines`] has it, in the order of machines. `good`: its report says something.
    pub fn add(&mut self, lines: &[u8], good: bool) {
        let full = self.machines == PART || self.lines.len().saturating_add(lines.len()) > self.most;
        if full && self.machines > 0 {
            self.end_part();
        }
        self.lines.extend(lines);
        self.machines += 1;
        let count = if good { &mut self.header.read } else { &mut self.header.unread };
        *count += 1;
    }

    fn end_part(&mut self) {
        let packed = compress_to_vec(self.lines.as_slice(), CompressionLevel::Fastest);
        self.header.parts.push(PartOf { bytes: packed.len() as u64, sha256: hash_bytes(&packed) });
        self.body.extend(packed);
        self.longest = self.longest.max(self.lines.len());
        self.lines.clear();
        self.machines = 0;
    }

    /// The file.
    ///
    /// # Errors
    /// It would be more than anybody reads of one.
    pub fn bytes(mut self) -> Result<(Header, Vec<u8>), SafeText> {
        if self.machines > 0 {
            self.end_part();
        }
        let mut header = serde_json::to_vec(&self.header).map_err(|e| SafeText::new(&e.to_string()))?;
        header.push(b'\n');
        let mut bytes = compress_to_vec(header.as_slice(), CompressionLevel::Fastest);
        // What is refused there is not written: the file that is there is still read.
        if self.longest as u64 > MAX_UNPACKED || head(&mut bytes.as_slice()).is_err() {
            return Err("what the machines report is more than one file can hold".into());
        }
        bytes.extend(self.body);
        Ok((self.header, bytes))
    }
}

/// What is asked of such a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asks {
    /// Whose it has to be.
    pub site_id: SiteId,
    /// Of these machines.
    pub machines: Arc<BTreeSet<MachineId>>,
    /// What they say of these requests; None: of all.
    pub requests: Option<BTreeSet<RequestId>>,
    /// Whoever signed it has to be known.
    pub signed: bool,
}

/// What need not be computed again.
#[derive(Debug, Clone, Default)]
pub struct Before {
    /// The keys of the machines; None: nobody signs.
    pub whose: Option<Arc<Whose>>,
    /// What was verified.
    pub seals: Seals,
}

/// An open file of which the header was read.
#[derive(Debug)]
pub struct Found {
    /// What it says of itself.
    pub header: Header,
    file: RegularFile,
    reader: Reader,
}

/// Looks for a file on a share. None: there is none.
///
/// # Errors
/// Why it is not used.
pub fn find(
    share: &Path,
    site_id: &SiteId,
    now: Wall,
    patience: Duration,
) -> Result<Option<Found>, SafeText> {
    let unread = |e: &dyn std::fmt::Display| SafeText::new(&format!("it cannot be read: {e}"));
    let reader = waiting::send(share, What::Collected).map_err(|why| unread(&why))?;
    let path = share.to_owned();
    let open = move || {
        let mut file = match Folder::open(&path).and_then(|root| root.file(NAME)) {
            Err(OpenError::Missing) => return Ok(None),
            other => other.map_err(|e| SafeText::new(&format!("it cannot be read: {e}")))?,
        };
        // What a bucket gives knows no position.
        let mut counted = Counted { from: &mut file.file, bytes: 0 };
        let header = head(&mut counted)?;
        let begin = counted.bytes;
        if header.parts.iter().fold(begin, |at, part| at.saturating_add(part.bytes)) != file.size {
            return Err(damaged("it is not as long as it was written"));
        }
        Ok(Some(Found { header, file, reader }))
    };
    let found: Result<Option<Found>, SafeText> =
        threads::within("collected", patience, open).map_err(|e| unread(&e))?;
    let Some(found) = found? else { return Ok(None) };
    found.header.judge(site_id, now)?;
    Ok(Some(found))
}

/// What is read, and how many bytes of it were.
struct Counted<R> {
    from: R,
    bytes: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.from.read(into)?;
        self.bytes += n as u64;
        Ok(n)
    }
}

/// Reads the first frame, and not a byte beyond it.
fn head(file: &mut impl Read) -> Result<Header, SafeText> {
    let unpacked = unpack(file.take(MAX_HEADER), MAX_HEADER)?;
    let form: Form = serde_json::from_slice(&unpacked).map_err(|_| damaged("its header cannot be read"))?;
    match (form.kind.as_str(), form.format) {
        (KIND, FORMAT) => {}
        (KIND, other) => return Err(SafeText::new(&format!("it has format {other} and needs a newer pcm"))),
        _ => return Err("it is none of a collector".into()),
    }
    let header: Header =
        serde_json::from_slice(&unpacked).map_err(|_| damaged("its header cannot be read"))?;
    let good = |part: &PartOf| part.bytes <= MAX_PART;
    if header.parts.len() > MAX_PARTS || !header.parts.iter().all(good) {
        return Err(damaged("its parts are too large"));
    }
    Ok(header)
}

fn damaged(why: &str) -> SafeText {
    SafeText::new(&format!("it is damaged: {why}"))
}

/// One frame.
fn unpack(from: impl Read, most: u64) -> Result<Vec<u8>, SafeText> {
    let wrong = |e: &dyn std::fmt::Display| damaged(&e.to_string());
    let mut decoder = FrameDecoder::new();
    decoder.set_max_window_size(WINDOW);
    let decoder = StreamingDecoder::new_with_decoder(from, decoder).map_err(|e| wrong(&e))?;
    let mut unpacked = Vec::new();
    decoder.take(most + 1).read_to_end(&mut unpacked).map_err(|e| wrong(&e))?;
    if unpacked.len() as u64 > most { Err(damaged("it is too large")) } else { Ok(unpacked) }
}

impl Header {
    fn judge(&self, site_id: &SiteId, now: Wall) -> Result<(), SafeText> {
        if self.site_id != *site_id {
            return Err("it is of another site".into());
        }
        let age = now - self.at;
        if age > OLDEST {
            // Its time and no age: whoever watches is told once.
            let at = self.at.to_rfc3339_opts(SecondsFormat::Secs, true);
            let oldest = duration(OLDEST.to_std().unwrap_or_default());
            let why = format!("it was read at {at}, over {oldest} ago: see that its collector runs");
            return Err(SafeText::new(&why));
        }
        if age < -AHEAD {
            return Err("it is of a time that has not come: compare the clocks".into());
        }
        Ok(())
    }
}

/// What a file says, as if its reports had been read.
#[derive(Debug)]
pub struct Taken {
    /// When its collector began to read.
    pub at: Wall,
    /// What machines say.
    pub cache: Cache,
    /// What the look at their reports gave.
    pub look: Look,
    /// Which signatures in it were verified; None: nobody signs.
    pub seals: Option<Seals>,
}

/// What a part says.
#[derive(Default)]
struct Says {
    /// Those machines that are asked for.
    heard: Vec<(MachineId, Heard)>,
    /// How many it has beside.
    others: u64,
    /// Which signatures are by the machines' own keys.
    seals: Vec<Seal>,
}

type PartSays = Result<Says, SafeText>;

/// The place of a machine, its own key with what is known by if it has signed, and what is to be verified.
type Unverified<'a> = (usize, Option<(&'a str, Seal)>, Sealed);

impl Says {
    /// Verifies what a machine has signed, of all of them together.
    fn verify(&mut self, unverified: Vec<Unverified<'_>>) {
        let (machines, sealed): (Vec<_>, Vec<Sealed>) =
            unverified.into_iter().map(|(place, own, sealed)| ((place, own), sealed)).unzip();
        for ((place, own), by) in machines.into_iter().zip(Sealed::all_by(&sealed)) {
            let signed = Signed::from(by);
            if let (Some((key, seal)), Signed::By(by)) = (own, &signed)
                && by == key
            {
                self.seals.push(seal);
            }
            if let Some((_, Ok(account))) = self.heard.get_mut(place) {
                account.signed = signed;
            }
        }
    }
}

impl Found {
    /// Reads all of it, many parts at once. `before`: what was verified is not verified again. `patience`: none came for so long.
    /// `progress`: so many of so many machines were read.
    ///
    /// # Errors
    /// Why it is not used.
    pub fn take(
        self,
        asks: &Asks,
        before: &Before,
        patience: Duration,
        mut progress: impl FnMut(usize, usize),
    ) -> Result<Taken, SafeText> {
        let Found { header, mut file, reader } = self;
        let at = header.at;
        let whole = usize::try_from(header.read.saturating_add(header.unread)).unwrap_or(usize::MAX);
        let begun = facts::monotonic();
        let (hand, parts) = mpsc::sync_channel::<(PartOf, Vec<u8>)>(2);
        let (tell, told) = mpsc::sync_channel::<PartSays>(2);
        let no_thread = |e: io::Error| SafeText::new(&format!("it cannot be read: {e}"));
        let count = header.parts.len();
        let told_by_reader = tell.clone();
        threads::start("collected", move || {
            // Where the share hangs, so does this: nobody else is sent there until it is back.
            let _reader = reader;
            for part in header.parts {
                let mut bytes = Vec::new();
                if let Err(e) = (&mut file.file).take(part.bytes).read_to_end(&mut bytes) {
                    let why = SafeText::new(&format!("it cannot be read: {e}"));
                    return drop(told_by_reader.send(Err(why)));
                }
                if hand.send((part, bytes)).is_err() {
                    return;
                }
            }
        })
        .map_err(no_thread)?;
        let parts = Arc::new(Mutex::new(parts));
        let asked = Arc::new(asks.clone());
        let many = std::thread::available_parallelism().map_or(2, usize::from).clamp(2, MOST_THREADS);
        for _ in 0..many {
            let (parts, tell, asked) = (Arc::clone(&parts), tell.clone(), Arc::clone(&asked));
            let before = before.clone();
            threads::start("collected", move || {
                loop {
                    let next = parts.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok((part, bytes)) = next else { return };
                    if tell.send(read_part(&part, &bytes, &asked, &before)).is_err() {
                        return;
                    }
                }
            })
            .map_err(no_thread)?;
        }
        drop(tell);
        let mut cache = Cache::nowhere();
        let (mut done, mut others, mut seals) = (0, 0, Vec::new());
        let most = MORE.saturating_add(asks.machines.len() as u64);
        for _ in 0..count {
            let left = (patience * PATIENT).saturating_sub(facts::monotonic().since(begun));
            let late = |_| SafeText::new("it cannot be read: the share did not answer in time");
            let part = told.recv_timeout(patience.min(left)).map_err(late)??;
            others += part.others;
            seals.extend(part.seals);
            if others > most {
                return Err("it is of far more machines than this site has".into());
            }
            done += part.heard.len() + usize::try_from(part.others).unwrap_or(0);
            for (machine, heard) in part.heard {
                if cache.has(machine) {
                    return Err(damaged("a machine is in it twice"));
                }
                cache.put(machine, NOT_LOOKED, &heard);
            }
            progress(done.min(whole), whole);
        }
        let look = Look::of(&cache, &asks.machines);
        let seals = asks.signed.then(|| Seals::of(seals));
        Ok(Taken { at, cache, look, seals })
    }
}

fn read_part(part: &PartOf, bytes: &[u8], asks: &Asks, before: &Before) -> PartSays {
    if bytes.len() as u64 != part.bytes || hash_bytes(bytes) != part.sha256 {
        return Err(damaged("a part is not what was written"));
    }
    parse(&unpack(bytes, MAX_UNPACKED)?, asks, before)
}

/// What the lines of a part say.
fn parse(lines: &[u8], asks: &Asks, before: &Before) -> PartSays {
    let mut says = Says::default();
    let mut unverified: Vec<Unverified<'_>> = Vec::new();
    let mut last: Option<MachineId> = None;
    let mut lines = lines.split_inclusive(|b| *b == b'\n');
    while let Some(summary) = lines.next() {
        let (Some(signature), Some(line), Some(rows)) = (lines.next(), lines.next(), lines.next()) else {
            return Err(damaged("a machine is cut off"));
        };
        if [line, rows].iter().any(|line| line.len() > MAX_LINE) {
            return Err(damaged("a machine says more than a report can hold"));
        }
        let line: Line = serde_json::from_slice(line).map_err(|_| damaged("a line of a machine"))?;
        let machine = line.machine;
        if last.is_some_and(|last| last >= machine) {
            return Err(damaged("its machines are not in order"));
        }
        last = Some(machine);
        if !asks.machines.contains(&machine) {
            says.others += 1;
            continue;
        }
        let whose = before.whose.as_ref().filter(|_| asks.signed && signature != NONE);
        let own = whose.and_then(|whose| whose.key(machine)).map(|key| (key, seal(key, summary, signature)));
        let known = own.filter(|(_, seal)| before.seals.has(seal)).map(|(key, _)| key);
        let told = told(summary, signature, line, rows, asks, known);
        let (heard, seal_of) = match told {
            Ok((account, seal_of)) => (Ok(account), seal_of),
            Err(why) => (Err(why), None),
        };
        match (seal_of, own) {
            (Some(sealed), own) => unverified.push((says.heard.len(), own, sealed)),
            (None, Some((_, seal))) if known.is_some() && heard.is_ok() => says.seals.push(seal),
            (None, _) => {}
        }
        says.heard.push((machine, heard));
    }
    says.verify(unverified);
    Ok(says)
}

/// All of a file that was read as a whole: for tests of what others may have put there.
#[cfg(any(test, fuzzing))]
pub fn read_all(bytes: &[u8], asks: &Asks) -> Result<(Header, Vec<(MachineId, Heard)>), SafeText> {
    let mut rest = bytes;
    let header = head(&mut rest)?;
    let mut all = Vec::new();
    for part in &header.parts {
        let size = usize::try_from(part.bytes).unwrap_or(usize::MAX).min(rest.len());
        let (bytes, more) = rest.split_at(size);
        rest = more;
        all.extend(read_part(part, bytes, asks, &Before::default())?.heard);
    }
    Ok((header, all))
}

/// The lines of a part as anybody may have written them, for tests.
#[cfg(any(test, fuzzing))]
pub fn read_lines(lines: &[u8], asks: &Asks) -> Result<Vec<(MachineId, Heard)>, SafeText> {
    Ok(parse(lines, asks, &Before::default())?.heard)
}

#[cfg(test)]
mod tests;
