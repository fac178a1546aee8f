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

type Answer<'f> = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'f>>;

/// What a server said last, in words for an operator: what object_store makes of it names its own parts.
#[derive(Debug, Clone, Default)]
pub(super) struct Said(Arc<Mutex<Option<Last>>>);

/// A status where there was one, and words.
type Last = (Option<u16>, String);

impl Said {
    fn note(&self, status: Option<u16>, words: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((status, words));
    }

    fn clear(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// It, and its status where there was one.
    pub(super) fn last(&self) -> Option<Last> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Makes clients that are guarded.
#[derive(Debug, Clone)]
pub(super) struct Connector {
    pub client: reqwest::Client,
    pub said: Said,
}

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(Guarded { client: self.client.clone(), said: self.said.clone() }))
    }
}

#[derive(Debug)]
struct Guarded {
    client: reqwest::Client,
    said: Said,
}

/// A request that is not made, or not made again.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refused(String);

impl Guarded {
    fn refuse(&self, status: Option<u16>, words: String) -> HttpError {
        self.said.note(status, words.clone());
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
            let asked = self.client.call(request.clone());
            let answer = if METADATA.contains(&host) {
                let none = |_| {
                    let words =
                        "no key is named ([share] credentials), and this machine has no metadata service";
                    self.refuse(None, words.to_owned())
                };
                tokio::time::timeout(METADATA_SERVICE, asked).await.map_err(none)?
            } else {
                asked.await
            };
            let answer = answer.inspect_err(|e| self.said.note(None, words(e)))?;
            let status = answer.status();
            match status.as_u16() {
                304 => return Ok(answer),
                300..400 => {
                    let words =
                        format!("the server sends elsewhere ({}), and nobody is followed", status.as_u16());
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
            let chunk = chunk.inspect_err(|e| self.said.note(None, words(e)))?;
            if bytes.len() + chunk.len() > MAX_ANSWER {
                return Err(self.refuse(None, "the server answers more than anything needs".to_owned()));
            }
            bytes.extend_from_slice(&chunk);
        }
        if parts.status.is_success() {
            self.said.clear();
        } else {
            let status = parts.status.as_u16();
            let code = code(&bytes).map(|code| format!(" ({code})")).unwrap_or_default();
            self.said.note(Some(status), format!("the server answers with status {status}{code}"));
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
