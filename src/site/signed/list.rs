//! The trust list `trust/<n>.toml` (SITE.md 4): whose keys count for what at a site, which are revoked, which releases are
//! withdrawn. Its versions are a chain: each is signed by a key that the one before it calls a `pcm-trust` key.

use super::signature::Signature;
use super::signers::{Key, Role, Signer};
use super::{Distrust, block};
use crate::clock::Wall;
use crate::fields::{self, Fields, Source};
use crate::site::ids::{PackageId, SiteCode, SiteId};
use crate::site::instruction::render::quoted;
use crate::terms::{Code, NEWER_PCM, Problem};
use crate::text::SafeText;
use chrono::{SecondsFormat, TimeDelta};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use toml::de::{DeTable, DeValue};

/// The folder of the lists, on a share and in a site folder.
pub const FOLDER: &str = "trust";
/// The largest list that is read, in bytes.
pub const MAX_BYTES: u64 = 64 << 10;
/// The most lines, and the most revoked keys.
const MAX_LINES: usize = 200;
/// How long a publishing key may count after a list was made: it may be unattended.
pub const LONGEST_PUBLISH: TimeDelta = TimeDelta::days(400);
/// How far the clock of whoever made a list may be ahead of this machine's.
pub const AHEAD: TimeDelta = TimeDelta::hours(24);
/// A key that ends so soon is to be replaced.
pub const ENDS_SOON: TimeDelta = TimeDelta::days(30);
const MALFORMED: &str = "malformed";

/// What a version of the list says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustList {
    /// Whose list it is.
    pub site: SiteCode,
    /// Which of all sites with this code.
    pub site_id: SiteId,
    /// Counted from 1. It is the epoch of what is published under it.
    pub version: u64,
    /// When it was made.
    pub issued: Wall,
    /// Whose keys count.
    pub signers: Vec<Signer>,
    /// Keys that count no more, whatever else says so.
    pub revoked: Vec<Key>,
    /// Releases below these are run nowhere.
    pub withdrawn: BTreeMap<PackageId, u64>,
}

impl TrustList {
    /// The name of a version.
    pub fn file_name(version: u64) -> String {
        format!("{version}.toml")
    }

    /// Takes a list because one of its signers is known by its fingerprint: the first list that a machine takes. The first
    /// version signs itself.
    ///
    /// # Errors
    /// It is not signed by that key, or is no list.
    pub fn anchored(bytes: &[u8], fingerprint: &str, at: Wall) -> Result<Self, Distrust> {
        let (signature, signed) = signature(bytes)?;
        let by = signature.key().fingerprint();
        if by != fingerprint {
            return Err(Distrust::bad(format!("it is signed by {by}, and not by {fingerprint}")));
        }
        signature.verify(Role::Trust, signed)?;
        let list = Self::parse(signed).map_err(|problems| Distrust::malformed(&problems))?;
        list.check_issued(at)?;
        if list.version == 1 || list.find(signature.key()).is_some() || list.revoked.contains(signature.key())
        {
            Keys::of(&list, &[]).check(signature.key(), Role::Trust, at)?;
        }
        Ok(list)
    }

    /// Takes the next version, signed by a key that this one calls a `pcm-trust` key.
    ///
    /// # Errors
    /// It is not, or is no list, or another version than the next.
    pub fn next(&self, bytes: &[u8], revoked: &[Key], at: Wall) -> Result<Self, Distrust> {
        let (signature, signed) = signature(bytes)?;
        Keys::of(self, revoked).check(signature.key(), Role::Trust, at)?;
        signature.verify(Role::Trust, signed)?;
        let list = Self::parse(signed).map_err(|problems| Distrust::malformed(&problems))?;
        if (list.site, &list.site_id) != (self.site, &self.site_id) {
            return Err(Distrust::bad(format!(
                "it is of the site {} {}, and this is {} {}",
                list.site, list.site_id, self.site, self.site_id
            )));
        }
        if list.version != self.version + 1 {
            return Err(Distrust::new(
                Code::Rollback,
                format!("it is version {}, and the next after {} is wanted", list.version, self.version),
            ));
        }
        list.check_issued(at)?;
        Ok(list)
    }

    /// Reads a list that was taken before and lies in a place of its reader's own: it is whole, whoever signed it.
    ///
    /// # Errors
    /// It was changed after it was signed.
    pub fn own(bytes: &[u8]) -> Result<Self, Distrust> {
        Self::whole(bytes).map(|(list, _)| list)
    }

    /// The same, and whose signature it is: that key may be anybody's.
    ///
    /// # Errors
    /// As [`TrustList::own`].
    pub fn whole(bytes: &[u8]) -> Result<(Self, Key), Distrust> {
        let (signature, signed) = signature(bytes)?;
        signature.verify(Role::Trust, signed)?;
        let list = Self::parse(signed).map_err(|problems| Distrust::malformed(&problems))?;
        Ok((list, signature.key().clone()))
    }

    fn check_issued(&self, at: Wall) -> Result<(), Distrust> {
        match self.issued > at + AHEAD {
            true => Err(Distrust::new(
                Code::IssuedAhead,
                format!("it was issued at {}, more than a day ahead of this clock", instant(self.issued)),
            )),
            false => Ok(()),
        }
    }

    /// The keys that are not revoked and count for [`ENDS_SOON`] at the longest, and until when. One that has a successor is
    /// none of them: another key of that role and principal, which counts from then on, and longer.
    pub fn ending(&self, now: Wall) -> impl Iterator<Item = (&Signer, Wall)> {
        let until = now + ENDS_SOON;
        let signers = move || self.signers.iter().filter(move |signer| !self.revoked.contains(&signer.key));
        let ending = signers()
            .filter_map(move |signer| Some((signer, signer.before.filter(|before| *before <= until)?)));
        ending.filter(move |(signer, before)| {
            let last = now.max(*before);
            !signers().any(|other| {
                (other.role, &other.principal) == (signer.role, &signer.principal)
                    && other.after.is_none_or(|after| after <= last)
                    && other.before.is_none_or(|before| before > until)
            })
        })
    }

    /// The line of a key.
    pub fn find(&self, key: &Key) -> Option<&Signer> {
        self.signers.iter().find(|signer| signer.key == *key)
    }

    /// Reads what a verified signature covers, or what is about to be signed.
    ///
    /// # Errors
    /// Every problem, in the order of its lines: one wrong line refuses the whole list.
    pub fn parse(signed: &[u8]) -> Result<Self, Vec<Problem>> {
        let too_large = || Problem::of_file(MALFORMED, FOLDER, format!("larger than {MAX_BYTES} bytes"));
        if signed.len() as u64 > MAX_BYTES {
            return Err(vec![too_large()]);
        }
        let source = Source::decode(signed, "the trust list", MALFORMED).map_err(|p| vec![p])?;
        let table = DeTable::parse(source.text).map_err(|e| vec![source.syntax(&e)])?;
        let mut f = Fields::top(&source, table.get_ref());
        f.need("kind", |v| match fields::text(v)? {
            "trust" => Ok(()),
            other => {
                Err(format!("wanted \"trust\", found {:?}: this is no trust list", fields::cut(other, 40)))
            }
        });
        if let Some(other) = f.need("format", fields::whole).filter(|format| *format != 1) {
            f.wrong_as_newer("format", format!("wanted format 1, found {other}: this list {NEWER_PCM}"));
        }
        let site = f.need("site", fields::parsed);
        let site_id = f.need("site_id", fields::parsed);
        let version = f.need("version", |v| match fields::whole(v)? {
            0 => Err("versions are counted from 1".into()),
            version => Ok(version),
        });
        let issued = f.need("issued", fields::instant);
        let signers = bounded(&mut f, "signers", |v| Signer::read(fields::text(v)?));
        let revoked =
            bounded(&mut f, "revoked", |v| Key::read(fields::text(v)?).map_err(|e| e.why.into_string()));
        let withdrawn = withdrawn(&mut f);
        if let Some(issued) = issued {
            check_lines(&mut f, &signers, &revoked, issued);
        }
        let unknown = f.unknown();
        f.absorb(unknown.into_iter().map(newer));
        let problems = f.finish();
        match (site, site_id, version, issued) {
            (Some(site), Some(site_id), Some(version), Some(issued)) if problems.is_empty() => {
                Ok(Self { site, site_id, version, issued, signers, revoked, withdrawn })
            }
            _ => Err(problems),
        }
    }

    /// The text that is signed; [`TrustList::parse`] reads it back to the same.
    pub fn render(&self) -> String {
        let mut out = format!(
            "# Whose keys count at site {}. Made by `pcm key`; a change is a new version.\nkind = \"trust\"\nformat = 1\n",
            self.site
        );
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "site = {}\nsite_id = {}",
            quoted(self.site.as_str()),
            quoted(self.site_id.as_str())
        );
        let _ = writeln!(out, "version = {}\nissued = {}", self.version, instant(self.issued));
        let list =
            |lines: Vec<String>| lines.iter().map(|l| format!("    {},\n", literal(l))).collect::<String>();
        let lines = self.signers.iter().map(Signer::to_string).collect();
        let _ = write!(out, "signers = [\n{}]\n", list(lines));
        let _ = write!(out, "revoked = [\n{}]\n", list(self.revoked.iter().map(Key::line).collect()));
        for (package, below) in &self.withdrawn {
            let _ =
                write!(out, "\n[[withdrawn]]\npackage_id = {}\nbelow = {below}\n", quoted(package.as_str()));
        }
        out
    }
}

/// What this pcm does not know, a later one may have written.
fn newer(problem: Problem) -> Problem {
    let message = SafeText::new(&format!("{}: this list {NEWER_PCM}", problem.message));
    Problem { message, newer: true, ..problem }
}

/// Without escapes where that can be, so that a line can be copied out.
fn literal(line: &str) -> String {
    if line.contains('\'') { quoted(line) } else { format!("'{line}'") }
}

fn instant(at: Wall) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// The one signature of a list, and what it covers.
fn signature(bytes: &[u8]) -> Result<(Signature, &[u8]), Distrust> {
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Distrust::new(Code::Malformed, format!("it is larger than {MAX_BYTES} bytes")));
    }
    let parts = block::split_into(bytes, 1)?;
    let signature = parts.armours.first().map(|armour| Signature::read(armour));
    let signature = signature.ok_or_else(|| Distrust::bad("it has no signature"))??;
    Ok((signature, parts.signed))
}

fn bounded<'s, 't, T>(
    f: &mut Fields<'s, 't>,
    key: &'static str,
    read: impl FnMut(&'s DeValue<'t>) -> Result<T, String>,
) -> Vec<T> {
    let many = f.raw(key).and_then(|v| v.get_ref().as_array()).is_some_and(|a| a.len() > MAX_LINES);
    if many {
        f.wrong(key, format!("more than {MAX_LINES} entries"));
        return Vec::new();
    }
    if !f.has(key) {
        f.wrong(key, format!("{key} is missing; without any it is {key} = []"));
    }
    f.list(key, read).unwrap_or_default()
}

fn withdrawn(f: &mut Fields<'_, '_>) -> BTreeMap<PackageId, u64> {
    let mut all = BTreeMap::new();
    for mut table in f.tables("withdrawn") {
        let package = table.need("package_id", fields::parsed::<PackageId>);
        let below = table.need("below", fields::whole);
        if let (Some(package), Some(below)) = (package, below)
            && all.insert(package, below).is_some()
        {
            table.wrong("package_id", format!("{package} is withdrawn twice"));
        }
        let unknown = table.unknown();
        table.absorb(unknown.into_iter().map(newer));
        f.absorb(table.finish());
    }
    all
}

/// What no line can say of itself.
fn check_lines(f: &mut Fields<'_, '_>, signers: &[Signer], revoked: &[Key], issued: Wall) {
    let mut problems = Vec::new();
    for (i, signer) in signers.iter().enumerate() {
        let who = format!("signers[{}], {}", i + 1, signer.principal);
        if signers.iter().take(i).any(|other| other.key == signer.key) {
            problems.push(format!("{who}: the same key stands there twice; a key has one role and one line"));
        }
        if revoked.contains(&signer.key) {
            problems.push(format!("{who}: the key is revoked, so it must not stand here"));
        }
        let ends = signer.before.is_some_and(|before| before <= issued + LONGEST_PUBLISH);
        if signer.role == Role::Publish && !ends {
            problems.push(format!(
                "{who}: a pcm-publish key needs valid-before at most {} days after issued",
                LONGEST_PUBLISH.num_days()
            ));
        }
    }
    if !signers.iter().any(|signer| signer.role == Role::Trust) {
        problems.push("no pcm-trust key is left: no list could come after this one".to_owned());
    }
    for problem in problems {
        f.wrong("signers", problem);
    }
}

/// Whose word counts now: a list, and what this machine itself has revoked.
#[derive(Debug, Clone, Copy)]
pub struct Keys<'a> {
    list: &'a TrustList,
    revoked: &'a [Key],
}

impl<'a> Keys<'a> {
    /// Of a list, and of keys that count no more whatever it says.
    pub fn of(list: &'a TrustList, revoked: &'a [Key]) -> Self {
        Self { list, revoked }
    }

    /// The line of a key, where it counts for this now.
    ///
    /// # Errors
    /// `bad-signature`: it is unknown, revoked, or counts for something else; `key-expired`.
    pub fn check(&self, key: &Key, role: Role, at: Wall) -> Result<&'a Signer, Distrust> {
        let signer = self.known(key, role)?;
        signer.valid_at(at)?;
        Ok(signer)
    }

    /// The line of a key, where it counts for this at some time.
    ///
    /// # Errors
    /// `bad-signature`: it is unknown, revoked, or counts for something else.
    pub fn known(&self, key: &Key, role: Role) -> Result<&'a Signer, Distrust> {
        let (print, version) = (key.fingerprint(), self.list.version);
        if self.list.revoked.contains(key) || self.revoked.contains(key) {
            return Err(Distrust::bad(format!("its key is revoked: {print}")));
        }
        let Some(signer) = self.list.find(key) else {
            let why = format!("it is signed by {print}, which trust list {version} does not know");
            return Err(Distrust::bad(why));
        };
        if signer.role != role {
            return Err(Distrust::bad(format!(
                "it is signed by {print}, the {} key of {}; a {role} key is wanted",
                signer.role, signer.principal
            )));
        }
        Ok(signer)
    }

    /// Whose signature this is, where it verifies and the key counts for this now.
    ///
    /// # Errors
    /// As [`Keys::check`] and [`Signature::verify`].
    pub fn verify(&self, armour: &str, role: Role, signed: &[u8], at: Wall) -> Result<&'a Signer, Distrust> {
        let signature = Signature::read(armour)?;
        let signer = self.check(signature.key(), role, at)?;
        signature.verify(role, signed)?;
        Ok(signer)
    }
}

#[cfg(test)]
mod tests;
