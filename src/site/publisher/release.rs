//! Releases of packages in a site folder (SITE.md 3): what signing fills in, and the signature. The text stays the author's
//! own: only the values that are filled in change, each where it stands.

use super::packages::{MAX_SIGNATURE, SIGNATURE};
use super::sign;
use crate::clock::Wall;
use crate::error::{Exit, Failure, Result};
use crate::fields::{self, Source};
use crate::host::durable;
use crate::host::open::{Folder as Opened, OpenError, open_bounded, read_bounded};
use crate::site::content::{self, Written, hash_bytes};
use crate::site::folder::{Folder, malformed};
use crate::site::ids::PackageId;
use crate::site::instruction::ContentHash;
use crate::site::instruction::render::quoted;
use crate::site::package::{self, Package, shelf};
use crate::site::signed::list::TrustList;
use crate::site::signed::signature::Signature;
use crate::site::signed::signers::Role;
use std::path::Path;
use toml::de::DeTable;

/// The most folders of releases that are looked at.
const MAX_RELEASES: usize = 100_000;

/// A package as it is to be released.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Which.
    pub package: Package,
    /// Its number.
    pub release: u64,
    /// The text of its definition.
    pub text: String,
    /// Its files, where it has any here.
    pub files: Option<Written>,
    /// The text of the list of them.
    pub list: Option<String>,
    /// What differs from the release that is published, or from the file as it was: `- ` and `+ ` before each line.
    pub changes: Vec<String>,
    /// It was signed already, and nothing changed since.
    pub same: bool,
}

/// Fills in what a release needs: kind, sites, release and the hashes of its files. Nothing is written yet. `again`: the same
/// release, which gets another signature. One that `trust` withdraws becomes the next one that it does not: what was withdrawn
/// comes back only under a number that machines take.
///
/// # Errors
/// It cannot be read, or is not what it should be; its files cannot be listed.
pub fn fill(
    folder: &Folder,
    id: PackageId,
    again: bool,
    trust: Option<&TrustList>,
    programs: &[String],
) -> Result<Release> {
    let dir = folder.package_dir(id);
    let path = dir.join(package::NAME);
    let shown = path.display().to_string();
    let bytes = open_bounded(&path, package::MAX_BYTES).map_err(|e| {
        let message = format!("the site folder has no package {id}: {shown}: {e}");
        Failure::new(
            Exit::NotFound,
            "no-such-package",
            message,
            "Make it first: pcm package new, pcm package import",
        )
    })?;
    let before = package::parse(&bytes, &shown, programs).map_err(|problems| malformed(&problems))?;
    if before.package_id != id || id.site() != folder.settings.site {
        let message = format!("{shown} is of package {}, and its folder is named {id}", before.package_id);
        return Err(Failure::new(Exit::Failed, "malformed", message, "Correct one of them"));
    }
    // It was read as TOML, so it is text.
    let old = String::from_utf8_lossy(&bytes).into_owned();
    let (list, files) = match dir.join(content::FILES).is_dir() {
        false => (None, None),
        true => {
            let opened = Opened::open(&dir).map_err(|e| unreadable(&dir, &e))?;
            let (list, files) = content::list(&opened)?;
            (Some(list), Some(files))
        }
    };
    let hash = match &files {
        Some(written) => Some(written.sha256.clone()),
        None => listed(&dir)?,
    };
    let edit = |text: &str, key: &str, value: Option<&str>| {
        set(text, key, value).map_err(|why| {
            let message = format!("{shown}: {key} cannot be filled in: {why}");
            Failure::new(Exit::Failed, "malformed", message, "Write it there by hand")
        })
    };
    let mut text = edit(&old, "content_sha256", hash.as_ref().map(|hash| quoted(hash.as_str())).as_deref())?;
    if before.sites.is_empty() {
        text = edit(&text, "sites", Some(&format!("[{}]", quoted(folder.settings.site_id.as_str()))))?;
    }
    text = edit(&text, "kind", Some("\"package\""))?;
    let armour = open_bounded(&dir.join(SIGNATURE), MAX_SIGNATURE).ok();
    let signed = armour.as_ref().is_some_and(|armour| {
        let signature = std::str::from_utf8(armour).ok().and_then(|armour| Signature::read(armour).ok());
        signature.is_some_and(|signature| signature.verify(Role::Package, &bytes).is_ok())
    });
    let own = before.release.unwrap_or(0);
    let published = highest(&folder.share(), id);
    let last = published.as_ref().map_or(0, |(release, _)| *release);
    let is_published = published.as_ref().is_some_and(|(release, old)| *release == own && *old == bytes);
    // Releases below this one run nowhere.
    let below = trust.and_then(|trust| trust.withdrawn.get(&id).copied()).unwrap_or(0);
    let same = text == old
        && own > 0
        && own >= below
        && (signed || armour.is_none() && (is_published || own > last));
    let release = match (again, same) {
        (true, _) if text != old || own == 0 => {
            let message = match own {
                0 => format!("{id} has no release yet"),
                _ => format!("{id} has changed since release {own}"),
            };
            let remedy = "Sign it without --again: that makes the next release";
            return Err(Failure::new(Exit::Refused, "release-changed", message, remedy));
        }
        (true, _) if own < below => {
            let message = format!("release {own} of {id} is withdrawn, as are all below {below}");
            let remedy = "Sign it without --again: that makes a release that is not withdrawn";
            return Err(Failure::new(Exit::Refused, "package-withdrawn", message, remedy));
        }
        (_, true) | (true, _) => own,
        (false, false) => {
            let base = last.max(if armour.is_some() { own } else { 0 }).max(below.saturating_sub(1));
            if own > base { own } else { base + 1 }
        }
    };
    let text = edit(&text, "release", Some(&release.to_string()))?;
    let package =
        package::parse(text.as_bytes(), &shown, programs).map_err(|problems| malformed(&problems))?;
    if package.release != Some(release) || package.content_sha256 != hash {
        let message = format!("{shown}: its release cannot be filled in");
        return Err(Failure::new(
            Exit::Failed,
            "malformed",
            message,
            "Write `release` before the first table",
        ));
    }
    let against =
        published.as_ref().map_or(old.as_str(), |(_, bytes)| std::str::from_utf8(bytes).unwrap_or(&old));
    let changes = changes(against, &text);
    Ok(Release { package, release, text, files, list, changes, same })
}

/// Writes the definition as it is released, and the list of its files.
///
/// # Errors
/// What the system refuses.
pub fn write(folder: &Folder, release: &Release) -> Result<()> {
    write_list(folder, release)?;
    let path = folder.package_dir(release.package.package_id).join(package::NAME);
    durable::write(&path, release.text.as_bytes()).map_err(|e| not_written(&path, &e))
}

/// Writes the list of the files alone, where it is another one or none.
///
/// # Errors
/// What the system refuses.
pub fn write_list(folder: &Folder, release: &Release) -> Result<()> {
    let path = folder.package_dir(release.package.package_id).join(content::NAME);
    match &release.list {
        Some(list) if open_bounded(&path, content::MAX_BYTES).ok().as_deref() != Some(list.as_bytes()) => {
            durable::write(&path, list.as_bytes()).map_err(|e| not_written(&path, &e))
        }
        Some(_) | None => Ok(()),
    }
}

/// Signs a release, and writes it with its signature.
///
/// # Errors
/// No machine would believe that signature; what the system refuses.
pub fn sign(folder: &Folder, release: &Release, key: &Path, list: &TrustList, now: Wall) -> Result<()> {
    let armour = sign::sign(release.text.as_bytes(), key, Role::Package, list, now)?;
    write(folder, release)?;
    let path = folder.package_dir(release.package.package_id).join(SIGNATURE);
    durable::write(&path, armour.as_bytes()).map_err(|e| not_written(&path, &e))
}

/// The code of what cannot be written of one package, whatever becomes of others.
pub const NOT_WRITTEN: &str = "not-written";

fn not_written(path: &Path, e: &std::io::Error) -> Failure {
    let message = format!("{} was not written: {e}", path.display());
    Failure::new(Exit::Failed, NOT_WRITTEN, message, "Correct that and sign it again")
}

/// The hash of the list of files, where the files themselves are not here.
fn listed(dir: &Path) -> Result<Option<ContentHash>> {
    let path = dir.join(content::NAME);
    match open_bounded(&path, content::MAX_BYTES) {
        Ok(bytes) => Ok(Some(hash_bytes(&bytes))),
        Err(OpenError::Missing) => Ok(None),
        Err(e) => Err(unreadable(&path, &e)),
    }
}

fn unreadable(path: &Path, e: &OpenError) -> Failure {
    let message = format!("{} cannot be read: {e}", path.display());
    Failure::new(Exit::Failed, "unreadable", message, "Put it back, or the files that it lists")
}

/// The highest release that is published, with its definition; None: none is, or the share is away, and then `publish` sees
/// whether the number is free.
fn highest(share: &Path, id: PackageId) -> Option<(u64, Vec<u8>)> {
    let folder = Opened::open(share).ok()?.folder(shelf::FOLDER).ok()?.folder(id.as_str()).ok()?;
    let names = folder.names(MAX_RELEASES).ok()?;
    let release = names.iter().filter_map(|name| name.to_str()?.parse::<u64>().ok()).max()?;
    let file = folder.folder(&release.to_string()).and_then(|folder| folder.file(package::NAME));
    let bytes = file.and_then(|mut file| read_bounded(&mut file, package::MAX_BYTES)).unwrap_or_default();
    Some((release, bytes))
}

/// A text with the value of a key at its top; None: without that key.
fn set(text: &str, key: &str, value: Option<&str>) -> std::result::Result<String, String> {
    let source =
        Source::decode(text.as_bytes(), package::NAME, "malformed").map_err(|p| p.message.to_string())?;
    let skipped = text.len() - source.text.len();
    let table = DeTable::parse(source.text).map_err(|e| e.message().to_owned())?;
    let found = table.get_ref().get_key_value(key).map(|(key, value)| (key.span(), value.span()));
    let (body, bom) = (&text[skipped..], &text[..skipped]);
    let made = match (found, value) {
        (None, None) => body.to_owned(),
        (Some((_, at)), Some(value)) => format!("{}{value}{}", &body[..at.start], &body[at.end..]),
        (Some((at, end)), None) => {
            let from = body[..at.start].rfind('\n').map_or(0, |at| at + 1);
            let until = body[end.end..].find('\n').map_or(body.len(), |at| end.end + at + 1);
            format!("{}{}", &body[..from], &body[until..])
        }
        (None, Some(value)) => {
            // Beside the id, which is always there, and always before the first table.
            let id =
                table.get_ref().get_key_value("package_id").ok_or("there is no package_id")?.0.span().start;
            let at = body[..id].rfind('\n').map_or(0, |at| at + 1);
            format!("{}{key} = {value}\n{}", &body[..at], &body[at..])
        }
    };
    Ok(format!("{bom}{made}"))
}

/// The lines that only one of two texts has, in their order.
fn changes(old: &str, new: &str) -> Vec<String> {
    const MOST: usize = 200;
    let count = |text: &str| {
        let mut lines = std::collections::BTreeMap::new();
        text.lines().for_each(|line| *lines.entry(line.to_owned()).or_insert(0_usize) += 1);
        lines
    };
    let only = |text: &str, mut others: std::collections::BTreeMap<String, usize>, mark: &str| {
        let own = text.lines().filter(|line| match others.get_mut(*line) {
            Some(n) if *n > 0 => {
                *n -= 1;
                false
            }
            _ => true,
        });
        own.map(|line| format!("{mark} {}", fields::cut(line, 200))).collect::<Vec<_>>()
    };
    let mut changes = only(old, count(new), "-");
    changes.extend(only(new, count(old), "+"));
    changes.truncate(MOST);
    changes
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_value_is_filled_in_where_it_stands_and_nothing_else_changes() {
        let text = "# mine\npackage_id = \"BP00000A\" # id\nrelease=1 # raised\nsites = [\n  \"a\",\n]\n\n[[command]]\nrelease = 7\n";
        let set = |text: &str, key, value| set(text, key, value).unwrap();
        assert_eq!(set(text, "release", Some("2")), text.replace("release=1", "release=2"));
        assert_eq!(set(text, "sites", Some("[\"b\"]")), text.replace("[\n  \"a\",\n]", "[\"b\"]"));
        assert_eq!(
            set(text, "kind", Some("\"package\"")),
            text.replace("package_id", "kind = \"package\"\npackage_id")
        );
        assert_eq!(set(text, "content_sha256", None), text);
        let with = set(text, "content_sha256", Some("\"abc\""));
        assert_eq!(set(&with, "content_sha256", None), text);
        assert_eq!(set(text, "sites", None), text.replace("sites = [\n  \"a\",\n]\n", ""));
        let bom = format!("\u{FEFF}{text}");
        assert_eq!(set(&bom, "release", Some("2")), format!("\u{FEFF}{}", set(text, "release", Some("2"))));
    }

    #[test]
    fn what_changed_is_said_line_by_line() {
        assert_eq!(changes("a\nb\nb\nc\n", "a\nb\nd\n"), ["- b", "- c", "+ d"]);
        assert!(changes("a\n", "a\n").is_empty());
    }
}
