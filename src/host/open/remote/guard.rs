//! What goes out to a server and comes back, before object_store sees it: only https, or this machine itself; nobody is
//! followed to another place; who asks for patience gets a little of it; and what is no object has an end.

use futures_util::StreamExt as _;
use object_store::client::{
    ClientOptions, HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
    HttpResponseBody, HttpService,
};
use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The most bytes of an answer that is no object: of an error, of one page of a list, of a credential.
const MAX_ANSWER: usize = 8 << 20;
/// A server that asks for more than this is left alone: whoever waits for it has a deadline.
const PATIENCE: Duration = Duration::from_secs(3);
/// So often a server that asks for patience is asked again.
const AGAIN: u32 = 3;
/// The metadata service of a machine in a cloud, which has no certificate.
const METADATA: [&str; 2] = ["169.254.169.254", "[fd00:ec2::254]"];

/// It is on this machine's own wire, or it is not there.
const METADATA_SERVICE: Duration = Duration::from_secs(2);

const NO_KEY: &str = "no key is named ([share] credentials), and this machine has no metadata service";

type Answer<'f> = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'f>>;

/// What a server said last, in words for an operator: what object_store makes of it names its own parts.
#[derive(Debug, Clone, Default)]
pub(super) struct Said(Arc<Mutex<Option<Last>>>);

/// One thing that a server said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Last {
    /// Where there was one.
    pub status: Option<u16>,
    pub words: String,
    /// Why it does not take the key, and what to do.
    pub denial: Option<String>,
}

impl Said {
    fn note(&self, last: Last) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(last);
    }

    /// That something failed of which the server said nothing.
    fn failed(&self, e: &HttpError) {
        self.note(Last { status: None, words: words(e), denial: None });
    }

    fn clear(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// It.
    pub(super) fn last(&self) -> Option<Last> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Makes clients that are guarded.
#[derive(Debug, Clone)]
pub(super) struct Connector {
    pub service: Arc<dyn HttpService>,
    /// Whom the metadata service of the machine gives a key: it is no stranger, and who listens to strangers gets no key.
    /// None: a key file is named.
    pub own: Option<Arc<dyn HttpService>>,
    pub said: Said,
    /// That of the bucket, as it is configured; None: it is a web server.
    pub region: Option<String>,
    /// The setting that names the file with the key.
    pub setting: &'static str,
}

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        let Self { service, own, said, region, setting } = self.clone();
        Ok(HttpClient::new(Guarded { service, own, said, region, setting }))
    }
}

#[derive(Debug)]
struct Guarded {
    service: Arc<dyn HttpService>,
    own: Option<Arc<dyn HttpService>>,
    said: Said,
    region: Option<String>,
    setting: &'static str,
}

/// A request that is not made, or not made again.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refused(String);

impl Guarded {
    fn refuse(&self, status: Option<u16>, words: String) -> HttpError {
        self.said.note(Last { status, words: words.clone(), denial: None });
        HttpError::new(HttpErrorKind::Unknown, Refused(words))
    }

    async fn ask(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let uri = request.uri();
        let host = uri.host().unwrap_or_default();
        let plain = uri.scheme_str() != Some("https");
        let near = || super::is_this_machine(host) || METADATA.contains(&host);
        if plain && !near() {
            return Err(self.refuse(None, format!("{host} is not asked without https")));
        }
        let is_list = uri.query().is_some_and(|query| query.contains("list-type="));
        let is_object = !is_list && !METADATA.contains(&host) && request.method().as_str() == "GET";
        let mut left = AGAIN;
        loop {
            let answer = if METADATA.contains(&host) {
                let Some(own) = &self.own else { return Err(self.refuse(None, NO_KEY.to_owned())) };
                // Outside a cloud there is nobody, or no way to that address.
                match tokio::time::timeout(METADATA_SERVICE, own.call(request.clone())).await {
                    Ok(Ok(answer)) => Ok(answer),
                    Ok(Err(_)) | Err(_) => return Err(self.refuse(None, NO_KEY.to_owned())),
                }
            } else {
                self.service.call(request.clone()).await
            };
            let answer = answer.inspect_err(|e| self.said.failed(e))?;
            let status = answer.status();
            match status.as_u16() {
                304 => return Ok(answer),
                300..400 => {
                    let words = elsewhere(status.as_u16(), self.region.as_deref(), bucket_region(&answer));
                    return Err(self.refuse(Some(status.as_u16()), words));
                }
                429 | 503 => match patience(&answer) {
                    Some(asked) if asked > PATIENCE => {
                        let words = format!(
                            "the server asks to come back in {} (status {})",
                            crate::text::duration(asked),
                            status.as_u16()
                        );
                        return Err(self.refuse(Some(status.as_u16()), words));
                    }
                    Some(asked) if left > 0 => {
                        left -= 1;
                        tokio::time::sleep(asked).await;
                        continue;
                    }
                    _ => {}
                },
                _ => {}
            }
            if status.is_success() && is_object {
                self.said.clear();
                return Ok(answer);
            }
            return self.bounded(answer).await;
        }
    }

    /// The same with its body, which is no object.
    async fn bounded(&self, answer: HttpResponse) -> Result<HttpResponse, HttpError> {
        let (parts, body) = answer.into_parts();
        let (mut bytes, mut stream) = (Vec::new(), body.bytes_stream());
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.inspect_err(|e| self.said.failed(e))?;
            if bytes.len() + chunk.len() > MAX_ANSWER {
                return Err(self.refuse(None, "the server answers more than anything needs".to_owned()));
            }
            bytes.extend_from_slice(&chunk);
        }
        if parts.status.is_success() {
            self.said.clear();
        } else {
            let (status, code) = (parts.status.as_u16(), code(&bytes));
            self.said.note(refusal(status, code.as_deref(), self.region.as_deref(), self.setting));
        }
        Ok(HttpResponse::from_parts(parts, HttpResponseBody::from(bytes)))
    }
}

impl HttpService for Guarded {
    fn call<'a, 'f>(&'a self, request: HttpRequest) -> Answer<'f>
    where
        'a: 'f,
        Self: 'f,
    {
        Box::pin(self.ask(request))
    }
}

/// How long the server asks to be left alone, in seconds; as a date it is left to the usual pause.
fn patience(answer: &HttpResponse) -> Option<Duration> {
    let after = answer.headers().get("retry-after")?.to_str().ok()?;
    after.trim().parse().ok().map(Duration::from_secs)
}

/// The word for an error in an answer of S3.
fn code(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body.get(..body.len().min(4096))?).ok()?;
    let (_, rest) = text.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    (code.len() <= 60 && code.chars().all(|c| c.is_ascii_alphanumeric())).then(|| code.to_owned())
}

/// What the status of an answer says, and S3's word for it.
fn refusal(status: u16, code: Option<&str>, region: Option<&str>, setting: &str) -> Last {
    let remedy = code.and_then(|code| remedy(code, region, setting));
    let denial = match (status, code, &remedy) {
        (401 | 403, Some(code), Some(remedy)) => Some(format!("access is denied ({code}): {remedy}")),
        _ => None,
    };
    let code = code.map(|code| format!(" ({code})")).unwrap_or_default();
    let remedy = remedy.map(|remedy| format!(": {remedy}")).unwrap_or_default();
    let words = format!("the server answers with status {status}{code}{remedy}");
    Last { status: Some(status), words, denial }
}

/// What to do about the words of S3 that are not of rights but of this machine: its clock, its key, its configuration.
fn remedy(code: &str, region: Option<&str>, setting: &str) -> Option<String> {
    let file = format!("the key file ([share] {setting})");
    Some(match code {
        "RequestTimeTooSkewed" => "this machine's clock differs from that of the server: set it".to_owned(),
        "SignatureDoesNotMatch" => format!("correct secret_access_key in {file}"),
        "InvalidAccessKeyId" => format!("the server does not know access_key_id of {file}"),
        "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired" => {
            format!("{file} needs a new session_token")
        }
        "AuthorizationHeaderMalformed" => is_it_the_region(region?),
        _ => return None,
    })
}

fn is_it_the_region(own: &str) -> String {
    format!("is [share] region ({own}) the one of the bucket?")
}

/// A server sends to another place: of a bucket, most of the time because it is in another region.
fn elsewhere(status: u16, own: Option<&str>, named: Option<&str>) -> String {
    let words = format!("the server sends elsewhere ({status}), and nobody is followed");
    match (own, named) {
        (None, _) => words,
        (Some(own), Some(named)) if named != own => {
            format!("{words}: the bucket is in {named}, and [share] region is {own}")
        }
        (Some(own), _) => format!("{words}: {}", is_it_the_region(own)),
    }
}

/// The region of a bucket, as the server says it.
fn bucket_region(answer: &HttpResponse) -> Option<&str> {
    let region = answer.headers().get("x-amz-bucket-region")?.to_str().ok()?;
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    ((1..=32).contains(&region.len()) && region.chars().all(fits)).then_some(region)
}

/// Why nothing came back: the innermost cause says most.
fn words(e: &HttpError) -> String {
    let mut innermost: &dyn Error = e;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    match e.kind() {
        HttpErrorKind::Connect => format!("the server cannot be reached: {innermost}"),
        HttpErrorKind::Timeout => "the server does not answer in time".to_owned(),
        HttpErrorKind::Request | HttpErrorKind::Interrupted => format!("the connection was cut: {innermost}"),
        _ => format!("no answer can be made out: {innermost}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_of_s3_that_is_of_this_machine_says_what_to_do() {
        let denial = |status, code| refusal(status, code, Some("us-east-1"), "credentials").denial;
        let skewed = denial(403, Some("RequestTimeTooSkewed")).unwrap_or_default();
        assert!(skewed.starts_with("access is denied (RequestTimeTooSkewed): this machine's clock"));
        for code in ["SignatureDoesNotMatch", "InvalidAccessKeyId"] {
            let said = denial(403, Some(code)).unwrap_or_default();
            assert!(said.contains(code) && said.contains("[share] credentials"), "{said}");
        }
        let reports = refusal(403, Some("SignatureDoesNotMatch"), None, "report_credentials").words;
        assert!(reports.ends_with("in the key file ([share] report_credentials)"), "{reports}");
        // Rights are the administrator's of the bucket.
        assert_eq!([denial(403, Some("AccessDenied")), denial(403, None)], [None, None]);
        let words = |status, code| refusal(status, Some(code), Some("us-east-1"), "credentials").words;
        assert_eq!(words(500, "InternalError"), "the server answers with status 500 (InternalError)");
        let said = words(400, "AuthorizationHeaderMalformed");
        assert!(said.ends_with(": is [share] region (us-east-1) the one of the bucket?"), "{said}");
        assert_eq!(denial(400, Some("ExpiredToken")), None, "the share is away, and says why");
        assert!(words(400, "ExpiredToken").ends_with("needs a new session_token"));
    }

    #[test]
    fn a_bucket_in_another_region_is_named_with_it() {
        let nobody = "the server sends elsewhere (301), and nobody is followed";
        assert_eq!(elsewhere(301, None, Some("eu-central-1")), nobody, "a web server has none");
        assert_eq!(
            elsewhere(301, Some("us-east-1"), Some("eu-central-1")),
            format!("{nobody}: the bucket is in eu-central-1, and [share] region is us-east-1")
        );
        for named in [None, Some("us-east-1")] {
            let said = elsewhere(301, Some("us-east-1"), named);
            assert_eq!(said, format!("{nobody}: is [share] region (us-east-1) the one of the bucket?"));
        }
    }

    #[test]
    fn of_an_error_only_its_code_is_said() {
        let body = b"<?xml version=\"1.0\"?><Error><Code>SignatureDoesNotMatch</Code><AWSAccessKeyId>AKID</AWSAccessKeyId></Error>";
        assert_eq!(code(body).as_deref(), Some("SignatureDoesNotMatch"));
        for other in [
            "",
            "<Code>",
            "<Code>a b</Code>",
            "<Code>\u{1b}[2J</Code>",
            &format!("<Code>{}</Code>", "a".repeat(61)),
        ] {
            assert_eq!(code(other.as_bytes()), None, "{other:?}");
        }
        assert_eq!(code(&[0xff; 5_000]), None);
    }
}
