//! The objects of a share by their names. What was seen of an object is remembered: it is then replaced only as it was seen,
//! so that of two who write at once one hears of the other.

use super::connection::{self, Connection};
use crate::host::open::{Looked, OpenError};
use futures_util::StreamExt as _;
use object_store::list::{PaginatedListOptions, PaginatedListStore as _};
use object_store::path::Path as Key;
use object_store::{
    Error, GetOptions, ObjectMeta, ObjectStoreExt as _, PutMode, PutPayload, UpdateVersion, WriteMultipart,
};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;

/// What is larger is sent in parts.
const PART: usize = 8 << 20;
/// So many parts are on their way at once.
const PARTS: usize = 4;
/// No object of S3 has a longer name, in bytes.
const LONGEST_KEY: usize = 1_024;
/// So many pieces wait for whoever reads.
const PIECES: usize = 4;
/// An object comes at this rate at least, in bytes a second, while somebody waits for it.
const RATE: u64 = 1_000;
/// Judged each time that so long was waited for its pieces.
const JUDGED: Duration = Duration::from_secs(60);
const TAKEN: &str = "somebody else has written it meanwhile";
/// Not implemented: a server that cannot write under a condition.
const NOT_THERE: u16 = 501;

/// How the names of some objects begin.
#[derive(Debug, Clone)]
pub struct Prefix {
    share: Arc<Share>,
    at: String,
    /// What a list said of objects: for the next look at each of them.
    listed: Arc<Mutex<BTreeMap<String, Looked>>>,
}

#[derive(Debug)]
struct Share {
    connection: Arc<Connection>,
    /// What was seen of objects through this share, by their names.
    seen: Mutex<BTreeMap<String, Seen>>,
}

/// How an object was when it was seen last.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Seen {
    /// There was none of its name.
    Nothing,
    /// By this the server knows it.
    Tag(String),
    /// It was there, and the server gave it nothing to know it by: nothing can be asked of its replacement.
    Untagged,
}

impl Seen {
    fn tagged(tag: Option<String>) -> Self {
        tag.map_or(Self::Untagged, Self::Tag)
    }

    /// How to write so that what somebody else wrote meanwhile is not lost.
    fn mode(self) -> PutMode {
        match self {
            Self::Nothing => PutMode::Create,
            Self::Tag(tag) => PutMode::Update(UpdateVersion { e_tag: Some(tag), version: None }),
            Self::Untagged => PutMode::Overwrite,
        }
    }
}

/// An object that is being read.
#[derive(Debug)]
pub struct Object {
    from: mpsc::Receiver<io::Result<Vec<u8>>>,
    piece: Vec<u8>,
    at: usize,
    modified: SystemTime,
    mark: u64,
    tag: Option<String>,
}

impl Prefix {
    /// The whole of a share. Nothing is asked yet.
    pub fn open(location: &Path) -> Result<Self, OpenError> {
        let connection = connection::to(location)?;
        let at = connection.prefix.clone();
        let share = Arc::new(Share { connection, seen: Mutex::default() });
        Ok(Self { share, at, listed: Arc::default() })
    }

    /// What is below a name. Nothing is asked.
    pub fn below(&self, name: &str) -> Self {
        Self { share: self.share.clone(), at: self.name(name), listed: Arc::default() }
    }

    fn name(&self, name: &str) -> String {
        if self.at.is_empty() { name.to_owned() } else { format!("{}/{name}", self.at) }
    }

    fn key(&self, name: &str) -> Result<Key, OpenError> {
        Key::parse(self.name(name)).map_err(|_| OpenError::Missing)
    }

    /// Opens an object; its size as the server says it. None: it still has the tag that it must not have.
    pub fn get(&self, name: &str, unless: Option<&str>) -> Result<Option<(Object, u64)>, OpenError> {
        let key = self.key(name)?;
        let options = GetOptions { if_none_match: unless.map(str::to_owned), ..GetOptions::default() };
        let share = self.share.clone();
        let (give, from) = mpsc::channel(PIECES);
        let meta = self.share.connection.ask(0, async move {
            let asked = share.connection.store.get_opts(&key, options).await;
            if let Err(Error::NotModified { .. }) = asked {
                return Ok(None);
            }
            let found = asked.inspect_err(|e| share.miss(&key, e)).map_err(|e| share.error(&e))?;
            let meta = found.meta.clone();
            share.see(&key, Seen::tagged(meta.e_tag.clone()));
            let mut pieces = found.into_stream();
            tokio::spawn(async move {
                let mut pace = Pace::default();
                loop {
                    // What whoever reads takes for itself is not the server's.
                    let asked = Instant::now();
                    let Some(piece) = pieces.next().await else { break };
                    let piece = piece.map(|piece| piece.to_vec()).map_err(|e| share.cut(&e).into());
                    let piece = match piece {
                        Ok(piece) if pace.is_too_slow(asked.elapsed(), piece.len() as u64) => {
                            Err(io::Error::other("the server sends less than 1 KB a second"))
                        }
                        piece => piece,
                    };
                    // Whoever read it has enough.
                    if give.send(piece).await.is_err() {
                        break;
                    }
                }
            });
            Ok::<_, OpenError>(Some(meta))
        })?;
        let Some(meta) = meta else { return Ok(None) };
        let (mark, modified) = (mark(&meta), meta.last_modified.into());
        let tag = meta.e_tag;
        Ok(Some((Object { from, piece: Vec::new(), at: 0, modified, mark, tag }, meta.size)))
    }

    fn listed(&self) -> MutexGuard<'_, BTreeMap<String, Looked>> {
        self.listed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How an object stands, without reading it.
    pub fn look(&self, name: &str) -> Result<Looked, OpenError> {
        if let Some(looked) = self.listed().remove(name) {
            return Ok(looked);
        }
        let key = self.key(name)?;
        let share = self.share.clone();
        self.share.connection.ask(0, async move {
            let found = share.connection.store.head(&key).await;
            let meta = found.inspect_err(|e| share.miss(&key, e)).map_err(|e| share.error(&e))?;
            share.see(&key, Seen::tagged(meta.e_tag.clone()));
            Ok(looked(&meta))
        })
    }

    /// Writes an object: as it was seen, where it was. Where the server cannot do that it is written all the same.
    /// [`io::ErrorKind::AlreadyExists`]: somebody else has written it since, or a connection that was cut had written it.
    pub fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mode = self.share.mode(&self.key(name)?);
        self.put_in(name, bytes, mode).map_err(taken)
    }

    fn put_in(&self, name: &str, bytes: &[u8], mode: PutMode) -> Result<(), OpenError> {
        let (key, share, payload) = (self.key(name)?, self.share.clone(), PutPayload::from(bytes.to_vec()));
        self.share.connection.ask(bytes.len() as u64, async move {
            let store = &share.connection.store;
            let under_condition = !matches!(mode, PutMode::Overwrite);
            let mut put = store.put_opts(&key, payload.clone(), mode.into()).await;
            if under_condition && put.is_err() && share.status() == Some(NOT_THERE) {
                put = store.put(&key, payload).await;
            }
            let put = put.map_err(|e| share.error(&e))?;
            share.see(&key, Seen::tagged(put.e_tag));
            Ok(())
        })
    }

    /// Writes all that a reader gives under a name that nothing has yet; in parts where it is much, which the server puts
    /// together over whatever has that name then.
    pub fn bring(&self, name: &str, from: &mut dyn Read) -> io::Result<()> {
        let first = part(from)?;
        if first.len() < PART {
            return self.put_in(name, &first, PutMode::Create).map_err(taken);
        }
        let (key, share) = (self.key(name)?, self.share.clone());
        let begin = {
            let (key, share) = (key.clone(), share.clone());
            async move { share.connection.store.put_multipart(&key).await.map_err(|e| share.error(&e)) }
        };
        let begun = self.share.connection.ask(0, begin)?;
        let mut writing = Some(WriteMultipart::new_with_chunk_size(begun, PART));
        let mut next = first;
        while !next.is_empty() {
            let mut one = writing.take().ok_or(io::ErrorKind::Other)?;
            let room = {
                let share = share.clone();
                async move {
                    let room = one.wait_for_capacity(PARTS).await.map_err(|e| share.error(&e));
                    one.write(&next);
                    (one, room)
                }
            };
            let (one, room) = connection::wait(room)?;
            if let Err(e) = room {
                // Parts that nobody puts together are the server's to remove.
                let _ = connection::wait(one.abort());
                return Err(e.into());
            }
            writing = Some(one);
            next = part(from)?;
        }
        let Some(one) = writing else { return Ok(()) };
        let done = connection::wait(async move {
            let put = one.finish().await.map_err(|e| share.error(&e))?;
            share.see(&key, Seen::tagged(put.e_tag));
            Ok::<(), OpenError>(())
        })?;
        Ok(done?)
    }

    /// Removes an object; there may be none.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        let (key, share) = (self.key(name)?, self.share.clone());
        let done = self.share.connection.ask(0, async move {
            let gone = share.connection.store.delete(&key).await;
            share.see(&key, Seen::Nothing);
            match gone {
                Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
                Err(e) => Err(share.error(&e)),
            }
        });
        Ok(done?)
    }

    /// The names below this one: of objects, and of what further names begin with; no more of them than `most`.
    pub fn names(&self, most: usize) -> Result<Vec<String>, OpenError> {
        let share = self.share.clone();
        let Some(lists) = share.connection.lists.clone() else {
            return Err(OpenError::Io(
                "a web server says no names: read the bucket or folder behind it".to_owned(),
                None,
            ));
        };
        let at = if self.at.is_empty() {
            None
        } else {
            Some(format!("{}/", Key::parse(&self.at).map_err(|_| OpenError::Missing)?))
        };
        connection::wait(async move {
            let (mut looks, mut folders) = (BTreeMap::new(), BTreeSet::new());
            let mut token: Option<String> = None;
            // A page that is not the last one has a name, or the server never comes to an end.
            for _ in 0..most.max(1) {
                let (delimiter, page_token) = (Some("/".into()), token.clone());
                let options = PaginatedListOptions { delimiter, page_token, ..Default::default() };
                let page = lists.list_paginated(at.as_deref(), options);
                let page = tokio::time::timeout(share.connection.patience, page).await;
                let late = || OpenError::Io("the server does not answer in time".to_owned(), None);
                let page = page.map_err(|_| late())?.map_err(|e| share.error(&e))?;
                for object in &page.result.objects {
                    looks.extend(last_name(&object.location)?.map(|name| (name, looked(object))));
                }
                for key in &page.result.common_prefixes {
                    folders.extend(last_name(key)?);
                }
                let next = page.page_token.filter(|next| !next.is_empty());
                if next.is_none() || looks.len() + folders.len() >= most {
                    let names: Vec<String> = looks.keys().chain(folders.iter()).take(most).cloned().collect();
                    return Ok((looks, names));
                }
                if next == token {
                    break;
                }
                token = next;
            }
            Err(OpenError::Io("the server's list of names has no end".to_owned(), None))
        })?
        .map(|(looks, names)| {
            *self.listed() = looks;
            names
        })
    }
}

/// The last part of a name in a list. One that no bucket can hold would only fill the memory.
fn last_name(key: &Key) -> Result<Option<String>, OpenError> {
    let whole: &str = key.as_ref();
    if whole.len() > LONGEST_KEY {
        return Err(OpenError::Io("the server lists a name that is longer than any may be".to_owned(), None));
    }
    Ok(key.filename().map(str::to_owned))
}

/// That another one has the name, in a way in which whoever writes can tell it from a share that is away.
fn taken(e: OpenError) -> io::Error {
    match e {
        OpenError::Io(words, _) if words == TAKEN => io::Error::new(io::ErrorKind::AlreadyExists, words),
        e => e.into(),
    }
}

/// How fast an object comes.
#[derive(Debug, Default)]
struct Pace {
    waited: Duration,
    bytes: u64,
}

impl Pace {
    /// The next piece of so many bytes was waited for so long: whether they come slower than [`RATE`].
    fn is_too_slow(&mut self, waited: Duration, bytes: u64) -> bool {
        (self.waited, self.bytes) = (self.waited + waited, self.bytes + bytes);
        if self.waited < JUDGED {
            return false;
        }
        let is = self.bytes < RATE * self.waited.as_secs();
        *self = Self::default();
        is
    }
}

/// As much as one part has, or what is left.
fn part(from: &mut dyn Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(PART as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

impl Share {
    fn see(&self, key: &Key, what: Seen) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.insert(key.to_string(), what);
    }

    fn miss(&self, key: &Key, e: &Error) {
        if matches!(e, Error::NotFound { .. }) {
            self.see(key, Seen::Nothing);
        }
    }

    fn mode(&self, key: &Key) -> PutMode {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(&key.to_string()).cloned().map_or(PutMode::Overwrite, Seen::mode)
    }

    fn status(&self) -> Option<u16> {
        self.connection.said.last()?.status
    }

    /// Why an object came to no end.
    fn cut(&self, e: &Error) -> OpenError {
        let mut innermost: &dyn std::error::Error = e;
        while let Some(source) = innermost.source() {
            innermost = source;
        }
        let said = self.connection.said.last().map(|last| last.words);
        OpenError::Io(said.unwrap_or_else(|| format!("the connection was cut: {innermost}")), None)
    }

    /// As an operator reads it. What the server said is said; what the library says of it names requests and headers.
    fn error(&self, e: &Error) -> OpenError {
        match e {
            Error::NotFound { .. } => OpenError::Missing,
            Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => {
                let denial = self.connection.said.last().and_then(|last| last.denial);
                denial.map_or(OpenError::Denied, OpenError::KeyRefused)
            }
            Error::Precondition { .. } | Error::AlreadyExists { .. } => OpenError::Io(TAKEN.to_owned(), None),
            _ => {
                let said = self.connection.said.last().map(|last| last.words);
                OpenError::Io(said.unwrap_or_else(|| e.to_string()), None)
            }
        }
    }
}

impl Object {
    /// When it was written, as the server says.
    pub fn modified(&self) -> SystemTime {
        self.modified
    }

    /// By which the server knows it.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// How it stands.
    pub fn looked(&self, size: u64) -> Looked {
        let since = self.modified.duration_since(UNIX_EPOCH).unwrap_or_default();
        let changed = i64::try_from(since.as_secs()).unwrap_or(0).saturating_mul(1_000_000_000);
        Looked { size, changed, number: self.mark }
    }

    /// What is another number when it is another object.
    pub fn mark(&self) -> u64 {
        self.mark
    }
}

impl Read for Object {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.at == self.piece.len() {
            match self.from.blocking_recv() {
                None => return Ok(0),
                Some(piece) => (self.piece, self.at) = (piece?, 0),
            }
        }
        let n = into.len().min(self.piece.len() - self.at);
        into[..n].copy_from_slice(&self.piece[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}

fn looked(meta: &ObjectMeta) -> Looked {
    // A list knows parts of a second that no answer for one object has.
    let changed = meta.last_modified.timestamp().saturating_mul(1_000_000_000);
    Looked { size: meta.size, changed, number: mark(meta) }
}

fn mark(meta: &ObjectMeta) -> u64 {
    let tag = meta.e_tag.clone().unwrap_or_else(|| meta.last_modified.to_rfc3339());
    let hash = Sha256::digest(tag.trim_matches('"').as_bytes());
    hash.first_chunk().map_or(0, |first| u64::from_be_bytes(*first))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::host::open::remote::Access;
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::TcpListener;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn what_comes_byte_by_byte_is_given_up_and_what_comes_slowly_is_not() {
        let minute = |pieces: u64, bytes: u64| {
            let mut pace = Pace::default();
            let wait = Duration::from_secs(60) / u32::try_from(pieces).unwrap();
            (0..pieces).any(|_| pace.is_too_slow(wait, bytes))
        };
        assert!(minute(1, 1) && minute(60, 999) && minute(2, 29_999));
        assert!(!minute(60, 1_000) && !minute(600, 100) && !minute(1, 60_000));
        // A good minute says nothing of the next one.
        let mut pace = Pace::default();
        assert!(!pace.is_too_slow(JUDGED, 1 << 30) && pace.is_too_slow(JUDGED, 1));
    }

    #[test]
    fn an_object_is_replaced_only_as_it_was_seen_where_it_has_a_tag() {
        assert_eq!(
            Seen::tagged(None).mode(),
            PutMode::Overwrite,
            "it is there, and nothing tells it from another"
        );
        assert_eq!(Seen::Nothing.mode(), PutMode::Create);
        let version = UpdateVersion { e_tag: Some("a".to_owned()), version: None };
        assert_eq!(Seen::tagged(Some("a".to_owned())).mode(), PutMode::Update(version));
    }

    /// A bucket whose server gives this page of a list for the first question, the second, and so on; and how often it was
    /// asked.
    fn bucket(page: fn(usize) -> String) -> (Prefix, Arc<AtomicUsize>) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let endpoint = Some(format!("http://{}", listener.local_addr().unwrap()));
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
                let body = page(count.fetch_add(1, Ordering::SeqCst));
                let head = format!("connection: close\r\ncontent-length: {}", body.len());
                let _ = stream.write_all(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{body}").as_bytes());
            }
        });
        let dir = tempfile::tempdir().unwrap();
        let key = dir.path().join("bucket.key");
        std::fs::write(&key, "access_key_id = \"A\"\nsecret_access_key = \"S\"\n").unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        let access = Access { endpoint, credentials: Some(key), ..Access::default() };
        let connection = Arc::new(connection::make(Path::new("s3://pcm-site/bp0"), &access).unwrap());
        let at = connection.prefix.clone();
        let share = Arc::new(Share { connection, seen: Mutex::default() });
        (Prefix { share, at, listed: Arc::default() }, asked)
    }

    fn page(name: &str, next: Option<usize>) -> String {
        let next = next.map(|n| format!("<NextContinuationToken>t{n}</NextContinuationToken>"));
        let next = next.unwrap_or_default();
        format!(
            "<ListBucketResult><Contents><Key>bp0/{name}</Key><Size>1</Size><ETag>e</ETag>\
             <LastModified>2026-11-24T08:00:00.000Z</LastModified></Contents>\
             <CommonPrefixes><Prefix>bp0/jobs/</Prefix></CommonPrefixes>{next}</ListBucketResult>"
        )
    }

    #[test]
    fn a_list_ends_whatever_the_server_says() {
        let asked = |asked: &AtomicUsize| asked.load(Ordering::SeqCst);
        let (two_pages, times) = bucket(|n| page(&format!("a{n}"), (n == 0).then_some(1)));
        assert_eq!(two_pages.names(9).unwrap(), ["a0", "a1", "jobs"]);
        assert_eq!(asked(&times), 2);
        // More and more names: as many as are wanted.
        let (grows, times) = bucket(|n| page(&format!("a{n}"), Some(n)));
        assert_eq!(grows.names(4).unwrap(), ["a0", "a1", "a2", "jobs"]);
        assert_eq!(asked(&times), 3);
        // Page after page with nothing new, and the same one for ever.
        let (stands, times) = bucket(|n| page("a", Some(n)));
        assert!(stands.names(5).unwrap_err().to_string().contains("has no end"));
        assert_eq!(asked(&times), 5);
        let (same, times) = bucket(|_| page("a", Some(7)));
        assert!(same.names(5).unwrap_err().to_string().contains("has no end"));
        assert_eq!(asked(&times), 2);
        let (long, _) = bucket(|_| page(&"a".repeat(2_000), None));
        assert!(long.names(5).unwrap_err().to_string().contains("longer than any may be"));
    }
}
