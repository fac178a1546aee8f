//! The process that talks to servers without any right of this machine (SITE.md 7): certificates, HTTP and all that a server
//! sends are taken apart here, and what comes out goes to its parent ([`super::apart`]) as pieces of bytes. It knows no key:
//! requests come to it signed, and who gives keys to machines in a cloud is asked by its parent. Its standard input gives one
//! question after the other; where that ends, it ends.

use crate::host::account::Account;
use crate::host::{process, threads, wire};
use futures_util::StreamExt as _;
use object_store::client::{
    HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse, HttpService as _,
};
use serde::{Deserialize, Serialize};
use std::io::{self, Read, Write};
use std::time::Duration;
use tokio::runtime::Builder;
use tokio::sync::mpsc;

/// The longest message that is no piece of a body: names and values of a request or an answer, or some certificates as JSON.
pub(super) const MAX_MESSAGE: usize = 8 << 20;
/// The longest piece of a body, in bytes.
pub(super) const MAX_PIECE: usize = 256 << 10;
/// An answer with more names has none that anybody needs.
pub(super) const MAX_FIELDS: usize = 1_000;

/// A part of a large object may take so long to be sent before anything comes back. Who waits for less has a deadline.
pub(super) const SILENCE: Duration = Duration::from_secs(60);

/// What is sent in one piece goes at this rate at least, in bytes a second.
pub(super) const SENT: u64 = 10_000;

/// What it is told first.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Hello {
    /// Whom it acts as.
    pub account: Account,
    /// What is believed beside the certificates of the system, as PEM.
    pub certificates: Option<Vec<u8>>,
    /// How long a server may say nothing.
    pub timeout: Duration,
}

/// What it says to that: nothing, or why it cannot work.
pub(super) type Welcome = Result<(), String>;

/// Names and values; a name may come twice.
pub(super) type Fields = Vec<(String, Vec<u8>)>;

/// One request; its body comes behind it in pieces.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Question {
    pub method: String,
    pub uri: String,
    pub fields: Fields,
}

/// How an answer begins; its body comes behind it in pieces.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Begun {
    Answered { status: u16, fields: Fields },
    Failed(Failed),
}

/// Why there is no answer, or no more of one.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Failed {
    pub kind: Kind,
    pub words: String,
}

/// Those of [`HttpErrorKind`]: they say whether a request may be made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Kind {
    Connect,
    Request,
    Timeout,
    Interrupted,
    Decode,
    Unknown,
}

impl From<&HttpError> for Failed {
    fn from(e: &HttpError) -> Self {
        let kind = match e.kind() {
            HttpErrorKind::Connect => Kind::Connect,
            HttpErrorKind::Request => Kind::Request,
            HttpErrorKind::Timeout => Kind::Timeout,
            HttpErrorKind::Interrupted => Kind::Interrupted,
            HttpErrorKind::Decode => Kind::Decode,
            _ => Kind::Unknown,
        };
        let mut innermost: &dyn std::error::Error = e;
        while let Some(source) = innermost.source() {
            innermost = source;
        }
        Self { kind, words: innermost.to_string() }
    }
}

/// A piece of a body on its way: what it is, how long it is in four bytes, and it.
pub(super) enum Piece {
    Bytes(Vec<u8>),
    End,
    Failed(Failed),
}

impl Piece {
    pub(super) fn write(&self, to: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Bytes(bytes) => write_piece(to, bytes),
            Self::End => write_framed(to, 1, &[]),
            Self::Failed(why) => write_framed(to, 2, &serde_json::to_vec(why)?),
        }
    }

    pub(super) fn read(from: &mut impl Read) -> io::Result<Self> {
        let mut head = [0; 5];
        from.read_exact(&mut head)?;
        let [what, a, b, c, d] = head;
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        if length > MAX_PIECE {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "that is no piece of an answer"));
        }
        let mut bytes = vec![0; length];
        from.read_exact(&mut bytes)?;
        match what {
            0 if length > 0 => Ok(Self::Bytes(bytes)),
            1 if length == 0 => Ok(Self::End),
            2 => Ok(Self::Failed(serde_json::from_slice(&bytes)?)),
            _ => Err(io::Error::new(io::ErrorKind::InvalidData, "that is no piece of an answer")),
        }
    }
}

/// Bytes as pieces, however many they are.
pub(super) fn write_piece(to: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    bytes.chunks(MAX_PIECE).try_for_each(|bytes| write_framed(to, 0, bytes))
}

fn write_framed(to: &mut impl Write, what: u8, bytes: &[u8]) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).map_err(io::Error::other)?.to_be_bytes();
    to.write_all(&[what, length[0], length[1], length[2], length[3]])?;
    to.write_all(bytes)
}

/// `pcm share-talker`. The exit status only says whether it could work.
pub fn main() -> u8 {
    u8::from(work().is_err())
}

fn work() -> io::Result<()> {
    let mut told = io::stdout().lock();
    let hello: Hello = wire::read(&mut io::stdin().lock(), MAX_MESSAGE)?;
    // The certificates of the system may be root's to read alone.
    let ready = client(hello.certificates.as_deref(), hello.timeout).and_then(|client| {
        let given_up = process::give_up_rights(&hello.account);
        given_up.map(|()| client).map_err(|e| {
            let name = &hello.account.name;
            format!("pcm cannot become the account \"{name}\" of [share] account to listen to servers: {e}")
        })
    });
    let client = match ready {
        Ok(client) => client,
        Err(why) => return wire::write(&mut told, &Welcome::Err(why)),
    };
    wire::write(&mut told, &Welcome::Ok(()))?;
    // Connections are looked after while nobody asks, so the questions are waited for beside them.
    let (hand, mut asked) = mpsc::channel(1);
    threads::start("asked", move || {
        let mut from = io::stdin().lock();
        while let Ok(request) = question(&mut from) {
            if hand.blocking_send(request).is_err() {
                return;
            }
        }
        // Nobody waits for an answer any more, whatever is on its way.
        std::process::exit(0);
    })?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        while let Some(request) = asked.recv().await {
            match client.call(request).await {
                Ok(answer) => tell(answer, &mut told).await?,
                Err(e) => wire::write(&mut told, &Begun::Failed((&e).into()))?,
            }
        }
        Ok(())
    })
}

/// The next one, with its body.
fn question(from: &mut impl Read) -> io::Result<HttpRequest> {
    let question: Question = wire::read(from, MAX_MESSAGE)?;
    let mut body = Vec::new();
    loop {
        match Piece::read(from)? {
            Piece::Bytes(bytes) => body.extend(bytes),
            Piece::End => break,
            Piece::Failed(why) => return Err(io::Error::other(why.words)),
        }
    }
    let mut request = HttpRequest::new(HttpRequestBody::from(body));
    *request.method_mut() = question.method.parse().map_err(io::Error::other)?;
    *request.uri_mut() = question.uri.parse().map_err(io::Error::other)?;
    for (name, value) in question.fields {
        let name: reqwest::header::HeaderName = name.parse().map_err(io::Error::other)?;
        request.headers_mut().append(name, value.try_into().map_err(io::Error::other)?);
    }
    Ok(request)
}

async fn tell(answer: HttpResponse, to: &mut impl Write) -> io::Result<()> {
    let (parts, body) = answer.into_parts();
    let fields = parts.headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()));
    wire::write(to, &Begun::Answered { status: parts.status.as_u16(), fields: fields.collect() })?;
    let mut pieces = body.bytes_stream();
    while let Some(piece) = pieces.next().await {
        match piece {
            Ok(bytes) => write_piece(to, &bytes)?,
            Err(e) => return Piece::Failed((&e).into()).write(to).and_then(|()| to.flush()),
        }
        to.flush()?;
    }
    Piece::End.write(to)?;
    to.flush()
}

/// Nobody is followed, no proxy of the environment is used, and a server that says nothing is given up. Certificates are PEM.
pub(super) fn client(certificates: Option<&[u8]>, timeout: Duration) -> Result<reqwest::Client, String> {
    // Another one is there already: it is the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .user_agent("pcm")
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .referer(false)
        .http1_only()
        .connect_timeout(timeout)
        .read_timeout(timeout.max(SILENCE));
    if let Some(pem) = certificates {
        let certificates = reqwest::Certificate::from_pem_bundle(pem).map_err(|e| e.to_string())?;
        builder = builder.tls_certs_merge(certificates);
    }
    builder.build().map_err(|e| format!("no connection can be made: {e}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn pieces_come_as_they_were_sent_and_nothing_else_is_one() {
        let mut sent = Vec::new();
        write_piece(&mut sent, b"some").unwrap();
        write_piece(&mut sent, &[]).unwrap();
        Piece::Failed(Failed { kind: Kind::Timeout, words: "late".into() }).write(&mut sent).unwrap();
        Piece::End.write(&mut sent).unwrap();
        let mut from = sent.as_slice();
        assert!(matches!(Piece::read(&mut from), Ok(Piece::Bytes(bytes)) if bytes == b"some"));
        assert!(
            matches!(Piece::read(&mut from), Ok(Piece::Failed(why)) if why.kind == Kind::Timeout && why.words == "late")
        );
        assert!(matches!(Piece::read(&mut from), Ok(Piece::End)));
        assert_eq!(from.len(), 0, "of no bytes there is no piece");
        for wrong in [
            &[3, 0, 0, 0, 0][..],
            &[0, 0, 0, 0, 0],
            &[1, 0, 0, 0, 1, 0],
            &[0, 0xff, 0, 0, 0],
            &[0, 0, 0, 0, 2, 1],
            &[2, 0, 0, 0, 0],
            &[],
        ] {
            assert!(Piece::read(&mut &*wrong).is_err(), "{wrong:?}");
        }
    }
}
