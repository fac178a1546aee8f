//! Signatures of what is published: made by `ssh-keygen`, and verified with the folder's own trust list before they are placed
//! anywhere. What no machine would believe is not published.

use crate::clock::Wall;
use crate::error::{Exit, Failure, Result};
use crate::host::{open, ssh_keygen};
use crate::site::signed::Distrust;
use crate::site::signed::block;
use crate::site::signed::list::{Keys, TrustList};
use crate::site::signed::signers::{Key, Role};
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
    let mut public = key.as_os_str().to_owned();
    if key.extension().is_none_or(|ending| ending != "pub") {
        public.push(".pub");
    }
    let Ok(bytes) = open::open_bounded(Path::new(&public), MAX_PUBLIC) else { return Ok(()) };
    let counts = Key::read(&String::from_utf8_lossy(&bytes))
        .and_then(|public| Keys::of(list, &[]).known(&public, role)?.valid_at(now));
    counts.map_err(|distrust| not_believed(key, role, list, &distrust))
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

/// The finished index: its text, and its signature at the end.
///
/// # Errors
/// As [`sign`].
pub fn index(text: &str, key: &Path, list: &TrustList, now: Wall) -> Result<String> {
    Ok(block::append(text, &sign(text.as_bytes(), key, Role::Publish, list, now)?))
}

/// A key as a file names it: `~/` is the home of whoever signs, and what is not absolute is beside that file.
pub fn key_path(named: &str, beside: &Path) -> PathBuf {
    let home = || std::env::var_os("HOME").or_else(|| std::env::var_os("USERPROFILE"));
    match named.strip_prefix("~/").and_then(|rest| Some(Path::new(&home()?).join(rest))) {
        Some(path) => path,
        None => beside.join(named),
    }
}
