//! Shares that are no folder (SITE.md 7): a bucket of an S3 server (`s3://bucket/prefix`), or what a web server gives
//! (`https://host/path`), which nobody writes. `open::Folder` stands for them as it does for folders: a folder of such a
//! share is how the names of its objects begin. Without the feature `remote` there is none of that but the words.

use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

#[cfg(feature = "remote")]
mod apart;
#[cfg(feature = "remote")]
pub use apart::hang_up;
#[cfg(feature = "remote")]
mod connection;
#[cfg(feature = "remote")]
mod guard;
#[cfg(feature = "remote")]
mod object;
#[cfg(feature = "remote")]
pub use object::{Object, Prefix};
#[cfg(feature = "remote")]
mod talker;
#[cfg(feature = "remote")]
pub use talker::main as talk;

#[cfg(not(feature = "remote"))]
mod absent;
#[cfg(not(feature = "remote"))]
pub use absent::{Object, Prefix, hang_up, talk};

const BUCKETS: &str = "s3://";
const MIRRORS: &str = "https://";
/// Only of this machine itself.
const PLAIN: &str = "http://";

/// How this process gets to such shares. Only paths stand in it: a secret is read by whoever uses it, and crosses to nobody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// The file with the key of a bucket; None: what the machine's own metadata service gives.
    pub credentials: Option<PathBuf>,
    /// The file with the key for what a machine reports; None: the same one.
    pub report_credentials: Option<PathBuf>,
    /// Of the bucket.
    pub region: String,
    /// Of an S3 server that is not Amazon's.
    pub endpoint: Option<String>,
    /// Further certificates that are believed, beside those of the system.
    pub ca_file: Option<PathBuf>,
    /// The account that talks to servers where this process is root.
    pub account: Option<String>,
    /// How long a server may say nothing.
    pub timeout: Duration,
}

impl Default for Access {
    fn default() -> Self {
        let timeout = Duration::from_secs(10);
        Self {
            credentials: None,
            report_credentials: None,
            region: REGION.to_owned(),
            endpoint: None,
            ca_file: None,
            account: None,
            timeout,
        }
    }
}

/// What S3 servers that are not Amazon's take, too.
pub const REGION: &str = "us-east-1";

static ACCESS: Mutex<Option<Access>> = Mutex::new(None);

fn in_use() -> MutexGuard<'static, Option<Access>> {
    ACCESS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on this process gets to them so.
pub fn use_access(access: Access) {
    *in_use() = Some(access);
}

/// How this process gets to them.
pub fn access() -> Access {
    in_use().clone().unwrap_or_default()
}

/// Does something with what a machine reports, by the key for that where there is one.
pub fn as_reporter<T>(what: impl FnOnce() -> T) -> T {
    let before = access();
    let Some(key) = before.report_credentials.clone() else { return what() };
    use_access(Access { credentials: Some(key), ..before.clone() });
    let done = what();
    use_access(before);
    done
}

/// Whether a location is one of them.
pub fn is_remote(location: &Path) -> bool {
    let text = location.to_str().unwrap_or_default();
    [BUCKETS, MIRRORS, PLAIN].iter().any(|scheme| text.starts_with(scheme))
}

/// Whether nobody can write there.
pub fn is_read_only(location: &Path) -> bool {
    is_remote(location) && !location.to_str().unwrap_or_default().starts_with(BUCKETS)
}

/// What has a name there; with slashes on every system.
pub fn below(location: &Path, name: &str) -> PathBuf {
    if is_remote(location) {
        PathBuf::from(format!("{}/{name}", location.to_string_lossy()))
    } else {
        location.join(name)
    }
}

/// The parts of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place<'t> {
    /// A bucket, and how the names begin.
    Bucket(&'t str, &'t str),
    /// A whole address.
    Mirror(&'t str),
}

/// Takes one apart.
///
/// # Errors
/// What is wrong with it, as the end of a sentence.
pub(super) fn place(text: &str) -> Result<Place<'_>, String> {
    if let Some(rest) = text.strip_prefix(BUCKETS) {
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-');
        if !(3..=63).contains(&bucket.len()) || !bucket.chars().all(fits) {
            return Err(
                "the name of a bucket is 3 to 63 of a-z, 0-9, \".\" and \"-\", as in s3://bucket/prefix"
                    .into(),
            );
        }
        check_path(prefix)?;
        return Ok(Place::Bucket(bucket, prefix));
    }
    server(text)?;
    Ok(Place::Mirror(text))
}

/// Looks at the address of a server: https, or http where the server is this machine.
///
/// # Errors
/// As [`place`].
pub fn server(text: &str) -> Result<(), String> {
    let (rest, plain) = match (text.strip_prefix(MIRRORS), text.strip_prefix(PLAIN)) {
        (Some(rest), _) => (rest, false),
        (None, Some(rest)) => (rest, true),
        (None, None) => return Err("an address begins with https://".into()),
    };
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    // No name and password: they would stand in every message.
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    if host.is_empty() || !host.chars().all(fits) {
        return Err("behind https:// a host and nothing else is named, as in https://host/path".into());
    }
    if plain && !is_this_machine(host) {
        return Err("without https only this machine itself is asked (http://127.0.0.1:PORT)".into());
    }
    check_path(path)
}

fn is_this_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.chars().all(|c| c.is_ascii_digit()) => name,
        _ => host,
    };
    name == "[::1]" || name.parse::<std::net::Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
}

fn check_path(path: &str) -> Result<(), String> {
    let bad = |part: &str| {
        part.is_empty() || part == "." || part == ".." || part.contains(['?', '#', '%', '\\', '@'])
    };
    match path.split('/').find(|part| bad(part) || part.chars().any(char::is_control)) {
        Some(_) if !path.is_empty() => {
            Err("a path of plain names with single slashes is wanted, without a slash at its end".into())
        }
        _ => Ok(()),
    }
}

/// A location as it is written: a full path stays to whoever reads it.
///
/// # Errors
/// It is an address, and cannot be used: the end of a sentence.
pub fn location(text: &str) -> Result<Option<PathBuf>, String> {
    if !is_remote(Path::new(text)) {
        return known_kind(text).map(|()| None);
    }
    let text = text.strip_suffix('/').unwrap_or(text);
    place(text).map(|_| Some(PathBuf::from(text)))
}

/// Looks whether a location is of a kind that there is: not an address of another one.
///
/// # Errors
/// The end of a sentence.
pub fn known_kind(text: &str) -> Result<(), String> {
    match scheme(text).filter(|_| !is_remote(Path::new(text))) {
        Some(other) => Err(format!(
            "{other}:// is no kind of location that pcm knows: name a folder, s3://bucket/prefix or https://host/path"
        )),
        None => Ok(()),
    }
}

/// What stands before `://`. A drive has one letter, and no folder is meant by such a word.
fn scheme(text: &str) -> Option<&str> {
    let (scheme, _) = text.split_once("://")?;
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    (scheme.len() > 1 && scheme.chars().all(fits)).then_some(scheme)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_location_is_a_folder_a_bucket_or_an_address() {
        assert_eq!(location("/mnt/sms_shr"), Ok(None));
        assert_eq!(location("C:\\share"), Ok(None));
        for good in [
            "s3://pcm-site",
            "s3://pcm-site/a/b c",
            "https://cdn.example.com",
            "https://cdn.example.com:8443/pcm/bp0",
            "http://127.0.0.1:9000/pcm",
            "http://[::1]:9000",
        ] {
            assert_eq!(location(good), Ok(Some(good.into())), "{good}");
            assert!(is_remote(Path::new(good)));
        }
        assert_eq!(location("s3://pcm-site/a/"), Ok(Some("s3://pcm-site/a".into())));
        for bad in [
            "s3://",
            "s3://ab",
            "s3://Bucket",
            "s3://key:secret@bucket",
            "s3://bucket//a",
            "s3://bucket/../a",
            "s3://bucket/a%2e",
            "https://",
            "https:///path",
            "https://user:word@host/path",
            "https://host/path?token=1",
            "https://host/a/../b",
            "http://files.example.com/pcm",
            "http://127.0.0.1.example.com",
            "http://localhost",
            "gs://bucket/prefix",
            "az://container/prefix",
            "S3://bucket",
            "file:///mnt/share",
            "ftp://host/path",
        ] {
            assert!(location(bad).is_err(), "{bad}");
        }
        let why = location("gs://bucket/prefix").unwrap_err();
        assert!(
            why.starts_with("gs:// is no kind of location") && why.contains("s3://bucket/prefix"),
            "{why}"
        );
        for folder in ["/mnt/a://b", "a b://c", "c://share", "share"] {
            assert_eq!(location(folder), Ok(None), "{folder}");
        }
        assert!(!is_read_only(Path::new("s3://pcm-site")) && !is_read_only(Path::new("/mnt/a")));
        assert!(is_read_only(Path::new("https://cdn.example.com")));
        assert_eq!(below(Path::new("s3://pcm-site/a"), "jobs"), Path::new("s3://pcm-site/a/jobs"));
    }
}
