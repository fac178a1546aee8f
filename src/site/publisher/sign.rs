//! Signatures of what is published: made by `ssh-keygen`, and verified with the folder's own trust list before they are placed
//! anywhere. What no machine would believe is not published.

use crate::clock::Wall;
use crate::error::{Exit, Failure, Result};
use crate::host::{open, ssh_keygen};
use crate::site::signed::Distrust;
use crate::site::signed::block;
use crate::site::signed::list::{Keys, TrustList};
use crate::site::signed::publishers;
use crate::site::signed::signers::{Key, Role};
use crate::site::signed::store::{Trusted, Wanted};
use std::path::{Path, PathBuf};

/// The largest public half of a key that is read, in bytes.
const MAX_PUBLIC: u64 = 4 << 10;

/// The signature of some bytes for a role, as ssh-keygen wrote it.
///
/// # Errors
/// `not-signed`: there is none; or why no machine would believe it.
pub fn sign(bytes: &[u8], key: &Path, role: Role, list: &TrustList, now: Wall) -> Result<String> {
    let armour = ssh_keygen::sign(key, role.namespace(), bytes).map_err(|why| {
        let remedy =
            "Name a private key, or the .pub of one that your agent or token holds; nothing was changed";
        Failure::new(Exit::Failed, "not-signed", why, remedy)
    })?;
    let counts = Keys::of(list, &[]).verify(&armour, role, bytes, now).map(drop);
    counts.map_err(|distrust| not_believed(key, role, list, &distrust))?;
    Ok(armour)
}

fn not_believed(key: &Path, role: Role, list: &TrustList, distrust: &Distrust) -> Failure {
    let message = format!("no machine would believe what is signed with {}: {}", key.display(), distrust.why);
    let remedy = format!(
        "Sign with a key that trust list {} calls a {role} key (pcm key list); nothing was changed",
        list.version
    );
    Failure::new(Exit::Refused, distrust.code.as_str(), message, remedy)
}

/// What can be known of a key without signing anything: that it is there, and, where its public half stands beside it, that
/// machines would believe it.
///
/// # Errors
/// As [`sign`].
pub fn may_count(key: &Path, role: Role, list: &TrustList, now: Wall) -> Result<()> {
    check(key)?;
    let Ok(bytes) = open::open_bounded(&public_half(key), MAX_PUBLIC) else { return Ok(()) };
    let counts = Key::read(&String::from_utf8_lossy(&bytes))
        .and_then(|public| Keys::of(list, &[]).known(&public, role)?.valid_at(now));
    counts.map_err(|distrust| not_believed(key, role, list, &distrust))
}

/// The same of a key that is to be judged although nothing has to be signed. Nobody is asked for the passphrase of a private key
/// whose public half stands beside it; of any other key only a signature shows whose it is and whether it is at hand.
///
/// # Errors
/// As [`sign`].
pub fn would_count(bytes: &[u8], key: &Path, role: Role, list: &TrustList, now: Wall) -> Result<()> {
    may_count(key, role, list, now)?;
    let public = public_half(key);
    match public == key || !public.is_file() {
        true => sign(bytes, key, role, list, now).map(drop),
        false => Ok(()),
    }
}

/// Where the public half of a key stands.
fn public_half(key: &Path) -> PathBuf {
    match key.extension() {
        Some(ending) if ending == "pub" => key.to_owned(),
        Some(_) | None => {
            let mut public = key.as_os_str().to_owned();
            public.push(".pub");
            public.into()
        }
    }
}

/// Whether there is such a key at all; only signing shows whether it can be used.
///
/// # Errors
/// `not-signed`
pub fn check(key: &Path) -> Result<()> {
    let read = open::named(key).map_err(|e| {
        let remedy =
            "Name a private key, or the .pub of one that your agent or token holds; nothing was changed";
        Failure::new(Exit::Failed, "not-signed", format!("{} cannot be read: {e}", key.display()), remedy)
    });
    read.map(drop)
}

/// The finished index: its text, and at its end the signature of each key.
///
/// # Errors
/// As [`sign`]; two of them are of one person.
pub fn index(text: &str, keys: &[PathBuf], list: &TrustList, now: Wall) -> Result<String> {
    let mut finished = text.to_owned();
    for key in keys {
        finished = block::append(&finished, &sign(text.as_bytes(), key, Role::Publish, list, now)?);
    }
    let trusted = Trusted::of(list.clone(), Vec::new()).wanting(Wanted::Any);
    publishers::opened(finished.as_bytes(), &trusted, Some(now)).map_err(|distrust| {
        let message = format!("no machine would believe these signatures together: {}", distrust.why);
        let remedy = "Name one --key for each person who signs; nothing was changed";
        Failure::new(Exit::Refused, distrust.code.as_str(), message, remedy)
    })?;
    Ok(finished)
}

/// How many signatures an index has.
pub fn count(index: &[u8]) -> usize {
    block::split(index).map_or(0, |parts| parts.armours.len())
}

/// A key as a file names it: `~/` is the home of whoever signs, and what is not absolute is beside that file.
pub fn key_path(named: &str, beside: &Path) -> PathBuf {
    let home = || std::env::var_os("HOME").or_else(|| std::env::var_os("USERPROFILE"));
    match named.strip_prefix("~/").and_then(|rest| Some(Path::new(&home()?).join(rest))) {
        Some(path) => path,
        None => beside.join(named),
    }
}
