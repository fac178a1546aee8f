//! A connection to a server, made once for each location and used by all who ask for it, and the thread on which all of them
//! talk. Whoever asks waits, as for a file.

use super::apart::Apart;
use super::guard::{Connector, Said};
use super::talker::{Hello, SENT, client};
use super::{Access, Place, place};
use crate::host::open::{self, OpenError};
use crate::host::{account, process, threads};
use object_store::aws::{AmazonS3, AmazonS3Builder, AwsCredential};
use object_store::client::HttpService;
use object_store::http::HttpBuilder;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig, StaticCredentialProvider};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, mpsc};
use std::time::{Duration, SystemTime};
use tokio::runtime::{Builder, Handle};

/// The largest file with a key or with certificates.
const MAX_FILE: u64 = 1 << 20;
/// A request that fails is made again so often, within the time that a server may take for one.
const RETRIES: usize = 2;

/// What the retries of one question and a server that asks for patience may take beside the time for an answer.
const PAUSES: Duration = Duration::from_secs(10);

/// A server, and what it said last.
#[derive(Debug)]
pub(super) struct Connection {
    pub store: Arc<dyn ObjectStore>,
    pub said: Said,
    /// How all names of objects begin.
    pub prefix: String,
    /// The same store as what says which names there are, page by page; None: it only gives what it is asked for by its name.
    pub lists: Option<Arc<AmazonS3>>,
    /// So long a server may take for one answer, with all that is done to get it.
    pub patience: Duration,
}

/// The connections of this process by their locations.
type Made = BTreeMap<PathBuf, (By, Arc<Connection>)>;

/// What a connection was made by: another one is made where this is another.
#[derive(Debug, PartialEq, Eq)]
struct By {
    access: Access,
    /// The length of the key file and its time: a key that was replaced counts at once.
    key: Option<(u64, SystemTime)>,
}

impl By {
    fn now(access: Access) -> Self {
        let file = access.credentials.as_ref().and_then(|file| std::fs::metadata(file).ok());
        let key = file.and_then(|file| Some((file.len(), file.modified().ok()?)));
        Self { access, key }
    }
}

/// The one for this location.
pub(super) fn to(location: &Path) -> Result<Arc<Connection>, OpenError> {
    static MADE: Mutex<Made> = Mutex::new(BTreeMap::new());
    let by = By::now(super::access());
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    match made.get(location) {
        Some((before, there)) if *before == by => return Ok(there.clone()),
        _ => {}
    }
    let new = Arc::new(make(location, &by.access).map_err(|why| OpenError::Io(why, None))?);
    made.insert(location.to_owned(), (by, new.clone()));
    Ok(new)
}

/// Has something done on the thread that talks, and waits for it.
pub(super) fn wait<T: Send + 'static>(
    what: impl Future<Output = T> + Send + 'static,
) -> Result<T, OpenError> {
    let (tell, told) = mpsc::sync_channel(1);
    runtime()?.spawn(async move {
        let answer = what.await;
        // Nobody waits any more.
        let _ = tell.send(answer);
    });
    told.recv().map_err(|_| OpenError::Io("whoever talks to servers has ended".to_owned(), None))
}

impl Connection {
    /// The same for a question, with which so many bytes are sent: whoever answers byte by byte is given up as well.
    pub(super) fn ask<T: Send + 'static>(
        &self,
        bytes: u64,
        what: impl Future<Output = Result<T, OpenError>> + Send + 'static,
    ) -> Result<T, OpenError> {
        let limit = self.patience + Duration::from_secs(bytes / SENT);
        let late = || OpenError::Io("the server does not answer in time".to_owned(), None);
        wait(async move { tokio::time::timeout(limit, what).await.unwrap_or_else(|_| Err(late())) })?
    }
}

/// The thread that talks.
pub(super) fn runtime() -> Result<&'static Handle, OpenError> {
    static TALKS: OnceLock<Result<Handle, String>> = OnceLock::new();
    let start = || {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
        let handle = runtime.handle().clone();
        let talk = move || runtime.block_on(std::future::pending::<()>());
        threads::start("remote", talk).map_err(|e| e.to_string())?;
        Ok(handle)
    };
    TALKS.get_or_init(start).as_ref().map_err(|why| OpenError::Io(why.clone(), None))
}

pub(super) fn make(location: &Path, access: &Access) -> Result<Connection, String> {
    let text = location.to_str().ok_or("it is not UTF-8")?;
    let said = Said::default();
    let place = place(text)?;
    let region = matches!(place, Place::Bucket(..)).then(|| access.region.clone());
    let connector = Connector {
        service: service(access)?,
        own: own(&place, access)?,
        said: said.clone(),
        region,
        setting: setting(access),
    };
    let retry = RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(2),
            base: 2.0,
        },
        max_retries: RETRIES,
        retry_timeout: access.timeout,
    };
    // What may be asked without https is decided by the guard.
    let options = ClientOptions::new().with_allow_http(true);
    let (store, lists, prefix): (Arc<dyn ObjectStore>, Option<Arc<AmazonS3>>, &str) = match place {
        Place::Bucket(bucket, prefix) => {
            process::leave_no_core();
            let mut builder = AmazonS3Builder::new()
                .with_bucket_name(bucket)
                .with_region(&access.region)
                .with_client_options(options)
                .with_retry(retry)
                .with_http_connector(connector);
            builder = match &access.endpoint {
                Some(endpoint) => builder.with_endpoint(endpoint),
                None => builder.with_virtual_hosted_style_request(!bucket.contains('.')),
            };
            if let Some(file) = &access.credentials {
                builder = builder.with_credentials(Arc::new(StaticCredentialProvider::new(key(file)?)));
            }
            let bucket = Arc::new(builder.build().map_err(|e| e.to_string())?);
            (bucket.clone(), Some(bucket), prefix)
        }
        Place::Mirror(address) => {
            let builder = HttpBuilder::new()
                .with_url(address)
                .with_client_options(options)
                .with_retry(retry)
                .with_http_connector(connector);
            (Arc::new(builder.build().map_err(|e| e.to_string())?), None, "")
        }
    };
    Ok(Connection { store, said, prefix: prefix.to_owned(), lists, patience: access.timeout + PAUSES })
}

/// Who talks: this process itself, or for root one without rights.
fn service(access: &Access) -> Result<Arc<dyn HttpService>, String> {
    let certificates = certificates(access)?;
    Ok(match account::without_rights(access.account.as_deref())? {
        None => Arc::new(client(certificates.as_deref(), access.timeout)?),
        Some(account) => Arc::new(Apart::new(Hello { account, certificates, timeout: access.timeout })),
    })
}

/// Who asks the metadata service of the machine for a key; None: a file has it, or none is needed.
fn own(place: &Place<'_>, access: &Access) -> Result<Option<Arc<dyn HttpService>>, String> {
    match (place, &access.credentials) {
        (Place::Bucket(..), None) => Ok(Some(Arc::new(client(None, access.timeout)?))),
        _ => Ok(None),
    }
}

/// Those of the configured file, as they stand there.
fn certificates(access: &Access) -> Result<Option<Vec<u8>>, String> {
    let Some(file) = &access.ca_file else { return Ok(None) };
    let wrong = |why: String| format!("{}: {why}", file.display());
    let pem = open::read_own(file, MAX_FILE).map_err(|e| wrong(e.to_string()))?;
    reqwest::Certificate::from_pem_bundle(&pem).map_err(|e| wrong(e.to_string()))?;
    Ok(Some(pem))
}

/// The key of a bucket, as its file has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
}

/// The setting in `[share]` that names the file with the key in use.
fn setting(access: &Access) -> &'static str {
    let reports = access.report_credentials.is_some() && access.report_credentials == access.credentials;
    if reports { "report_credentials" } else { "credentials" }
}

/// Whatever is wrong with the file, nothing that stands in it is said.
fn key(file: &Path) -> Result<AwsCredential, String> {
    let wrong = |why: &str| format!("the key file {}: {why}", file.display());
    let bytes = open::read_secret(file, MAX_FILE).map_err(|e| wrong(&e.to_string()))?;
    let text = zeroize::Zeroizing::new(String::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8"))?);
    let key: KeyFile = toml::from_str(&text).map_err(|_| {
        wrong("wanted two lines: access_key_id = \"…\" and secret_access_key = \"…\" (and session_token = \"…\")")
    })?;
    Ok(AwsCredential {
        key_id: key.access_key_id,
        secret_key: key.secret_access_key,
        token: key.session_token,
    })
}
