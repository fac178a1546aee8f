//! What asks servers through a process of its own, as an account without rights ([`super::talker`]): this one may be root, and
//! what a server sends is taken apart by somebody who may do nothing. A process answers one question after the other; where
//! several are asked at once, several are there. One whose answer nobody waits for any more is killed.

use super::talker::{
    Begun, Failed, Fields, Hello, Kind, MAX_FIELDS, MAX_MESSAGE, Piece, Question, SENT, SILENCE, Welcome,
    write_piece,
};
use crate::host::{process, threads, wire};
use crate::text::SafeText;
use bytes::Bytes;
use http_body::{Body as _, Frame};
use object_store::client::{
    HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
};
use std::future::{Future, poll_fn};
use std::io::{self, BufReader, Write as _};
use std::pin::Pin;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Sleep, sleep};

/// So many pieces wait for whoever reads.
const PIECES: usize = 4;
/// So many processes are kept for the next questions.
const IDLE: usize = 4;
/// What an honest process takes beyond its own patience with a server.
const GRACE: Duration = Duration::from_secs(15);
/// The longest words for an error, in characters.
const MAX_WORDS: usize = 300;
/// What of the environment its loader needs, or what says where the system's certificates and names are.
const KEPT: [&str; 5] = ["SSL_CERT_FILE", "SSL_CERT_DIR", "LOCALDOMAIN", "RES_OPTIONS", "LD_LIBRARY_PATH"];

/// Who asks so.
#[derive(Debug)]
pub(super) struct Apart {
    hello: Arc<Hello>,
    idle: Arc<Mutex<Vec<Talker>>>,
}

/// One of the processes, and the thread that has its pipes.
#[derive(Debug, Clone)]
struct Talker {
    to: SyncSender<Job>,
    life: Arc<Mutex<Life>>,
}

/// Whether a process is there, and whether somebody wants an answer of it.
#[derive(Debug, Default)]
struct Life {
    child: Option<Child>,
    /// Counts the questions: whoever gave one up may not end the next one.
    asked: u64,
    given_up: bool,
}

/// A question on its way to one of them.
#[derive(Debug)]
struct Job {
    question: Question,
    body: Vec<Bytes>,
    tell: oneshot::Sender<Result<Answer, HttpError>>,
    talker: Talker,
}

/// What it says to one.
#[derive(Debug)]
struct Answer {
    status: u16,
    fields: Fields,
    pieces: mpsc::Receiver<Bytes>,
    end: oneshot::Receiver<Result<(), HttpError>>,
}

/// The end of a question: who drops it does not wait for the answer any more.
#[derive(Debug)]
struct Waiting {
    life: Arc<Mutex<Life>>,
    asked: u64,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut life = lock(&self.life);
        if life.asked == self.asked {
            life.give_up();
        }
    }
}

impl Life {
    fn give_up(&mut self) {
        self.given_up = true;
        if let Some(child) = &mut self.child {
            let _ = child.kill();
        }
    }
}

/// All that were started by this process.
static STARTED: Mutex<Vec<Weak<Mutex<Life>>>> = Mutex::new(Vec::new());

/// Ends all of them and waits for that: what outlives its parent is left to whoever is the first process of a machine, which
/// may be pcm itself.
pub fn hang_up() {
    let started = std::mem::take(&mut *lock(&STARTED));
    for life in started.iter().filter_map(Weak::upgrade) {
        let mut life = lock(&life);
        life.give_up();
        if let Some(mut child) = life.child.take() {
            let _ = child.wait();
        }
    }
}

fn lock<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Apart {
    pub(super) fn new(hello: Hello) -> Self {
        Self { hello: Arc::new(hello), idle: Arc::default() }
    }

    /// Gives a question to whoever has none, or to a new one.
    fn ask(
        &self,
        question: Question,
        body: Vec<Bytes>,
        tell: oneshot::Sender<Result<Answer, HttpError>>,
    ) -> Result<Waiting, HttpError> {
        let (mut question, mut body, mut tell) = (question, body, tell);
        loop {
            let found = lock(&self.idle).pop();
            let talker = match found {
                Some(talker) => talker,
                None => self.start()?,
            };
            let life = talker.life.clone();
            let asked = lock(&life).asked;
            let to = talker.to.clone();
            match to.send(Job { question, body, tell, talker }) {
                Ok(()) => return Ok(Waiting { life, asked }),
                // It has ended meanwhile.
                Err(back) => (question, body, tell) = (back.0.question, back.0.body, back.0.tell),
            }
        }
    }

    fn start(&self) -> Result<Talker, HttpError> {
        let (to, jobs) = sync_channel(1);
        let life = Arc::default();
        let talker = Talker { to, life: Arc::clone(&life) };
        let mut started = lock(&STARTED);
        started.retain(|life| life.strong_count() > 0);
        started.push(Arc::downgrade(&life));
        drop(started);
        let (hello, idle) = (self.hello.clone(), Arc::downgrade(&self.idle));
        threads::start("talker", move || talk(&hello, &life, &jobs, &idle)).map_err(|e| not_started(&e))?;
        Ok(talker)
    }
}

impl HttpService for Apart {
    fn call<'a, 'f>(
        &'a self,
        request: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'f>>
    where
        'a: 'f,
        Self: 'f,
    {
        Box::pin(async move {
            let (parts, mut body) = request.into_parts();
            let mut pieces = Vec::new();
            while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
                pieces.extend(frame?.into_data());
            }
            let fields =
                parts.headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()));
            let question = Question {
                method: parts.method.to_string(),
                uri: parts.uri.to_string(),
                fields: fields.collect(),
            };
            let (tell, told) = oneshot::channel();
            let silence = self.hello.timeout.max(SILENCE) + GRACE;
            let sent: u64 = pieces.iter().map(|piece| piece.len() as u64).sum();
            let waiting = self.ask(question, pieces, tell)?;
            let told = tokio::time::timeout(silence + Duration::from_secs(sent / SENT), told).await;
            let answer = told.map_err(|_| silent())?.map_err(|_| cut())??;
            let body =
                Body { pieces: answer.pieces, end: Some(answer.end), silence, late: None, _waiting: waiting };
            response(answer.status, answer.fields, HttpResponseBody::new(body))
        })
    }
}

/// An answer as HTTP has it: what comes from the process that listened may be anything.
fn response(status: u16, fields: Fields, body: HttpResponseBody) -> Result<HttpResponse, HttpError> {
    let mut response = HttpResponse::new(body);
    if status < 200 || fields.len() > MAX_FIELDS {
        return Err(no_answer());
    }
    *response.status_mut() = status.try_into().map_err(|_| no_answer())?;
    for (name, value) in fields {
        let name: reqwest::header::HeaderName = name.parse().map_err(|_| no_answer())?;
        response.headers_mut().append(name, value.try_into().map_err(|_| no_answer())?);
    }
    Ok(response)
}

/// What comes of an answer.
#[derive(Debug)]
struct Body {
    pieces: mpsc::Receiver<Bytes>,
    /// What is behind the last piece; None once that was said. Only what is said to be an end is one.
    end: Option<oneshot::Receiver<Result<(), HttpError>>>,
    /// How long nothing may come.
    silence: Duration,
    /// When that is over; None while nobody waits.
    late: Option<Pin<Box<Sleep>>>,
    _waiting: Waiting,
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        if self.end.is_none() {
            return Poll::Ready(None);
        }
        let end = match self.next(cx) {
            Poll::Ready(Ok(piece)) => {
                self.late = None;
                return Poll::Ready(Some(Ok(Frame::data(piece))));
            }
            Poll::Ready(Err(end)) => end,
            Poll::Pending => {
                let silence = self.silence;
                ready!(self.late.get_or_insert_with(|| Box::pin(sleep(silence))).as_mut().poll(cx));
                Err(silent())
            }
        };
        self.end = None;
        Poll::Ready(end.err().map(Err))
    }
}

impl Body {
    /// The next piece, or how it ended.
    fn next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, Result<(), HttpError>>> {
        if let Some(piece) = ready!(self.pieces.poll_recv(cx)) {
            return Poll::Ready(Ok(piece));
        }
        let Some(end) = &mut self.end else { return Poll::Ready(Err(Ok(()))) };
        Poll::Ready(Err(ready!(Pin::new(end).poll(cx)).unwrap_or_else(|_| Err(cut()))))
    }
}

/// Starts a process and has it answer until it ends or nobody asks any more.
fn talk(hello: &Hello, life: &Mutex<Life>, jobs: &Receiver<Job>, idle: &Weak<Mutex<Vec<Talker>>>) {
    let mut started = start(hello, life);
    while let Ok(Job { question, body, tell, talker }) = jobs.recv() {
        // It is free again before whoever asked hears the end, and asks the next one.
        let free = || {
            let mut now = lock(life);
            now.asked += 1;
            if let Some(idle) = idle.upgrade().filter(|_| !now.given_up) {
                let mut idle = lock(&idle);
                if idle.len() < IDLE {
                    idle.push(talker);
                }
            }
        };
        let done = match &mut started {
            Ok(pipes) => pipes.answer(&question, &body, tell, free),
            Err(e) => {
                let _ = tell.send(Err(not_started(e)));
                break;
            }
        };
        if done.is_err() {
            break;
        }
    }
    // Its questions end, and so does it; one that does not is killed.
    drop(started);
    let child = lock(life).child.take();
    if let Some(mut child) = child {
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// The two ends of one that has given up its rights.
struct Pipes {
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

fn start(hello: &Hello, life: &Mutex<Life>) -> io::Result<Pipes> {
    let mut command = Command::new(process::own_executable()?);
    command.arg("share-talker").current_dir("/").env_clear();
    command.envs(KEPT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    process::inherits_nothing(&mut command);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn()?;
    let (questions, answers) = (child.stdin.take(), child.stdout.take());
    let given_up = {
        let mut life = lock(life);
        life.child = Some(child);
        life.given_up
    };
    let (Some(mut questions), Some(answers), false) = (questions, answers, given_up) else {
        return Err(io::Error::other("nobody waits for it"));
    };
    let mut answers = BufReader::new(answers);
    wire::write(&mut questions, hello)?;
    wire::read::<Welcome>(&mut answers, MAX_MESSAGE)?.map_err(io::Error::other)?;
    Ok(Pipes { questions, answers })
}

impl Pipes {
    /// Has one question answered, and says so where nothing more of the answer is to come. What is wrong with the answer is
    /// said to whoever asked; an error means that nothing more can be asked here.
    fn answer(
        &mut self,
        question: &Question,
        body: &[Bytes],
        tell: oneshot::Sender<Result<Answer, HttpError>>,
        free: impl FnOnce(),
    ) -> io::Result<()> {
        let (status, fields) = match self.ask(question, body) {
            Ok(Begun::Answered { status, fields }) => (status, fields),
            Ok(Begun::Failed(why)) => {
                free();
                let _ = tell.send(Err(why.into()));
                return Ok(());
            }
            Err(why) => {
                let _ = tell.send(Err(why));
                return Err(io::Error::other("it has ended"));
            }
        };
        let ((give, pieces), (say, end)) = (mpsc::channel(PIECES), oneshot::channel());
        let nobody = || io::Error::other("nobody waits for it");
        tell.send(Ok(Answer { status, fields, pieces, end })).map_err(|_| nobody())?;
        let last = loop {
            match Piece::read(&mut self.answers)? {
                Piece::Bytes(bytes) => give.blocking_send(bytes.into()).map_err(|_| nobody())?,
                Piece::End => break Ok(()),
                Piece::Failed(why) => break Err(why.into()),
            }
        };
        free();
        let _ = say.send(last);
        Ok(())
    }

    fn ask(&mut self, question: &Question, body: &[Bytes]) -> Result<Begun, HttpError> {
        // Of a question that it has not got whole, the server has got nothing.
        self.tell(question, body)
            .map_err(|_| HttpError::new(HttpErrorKind::Request, Words(ENDED.to_owned())))?;
        wire::read(&mut self.answers, MAX_MESSAGE).map_err(|_| cut())
    }

    fn tell(&mut self, question: &Question, body: &[Bytes]) -> io::Result<()> {
        wire::write(&mut self.questions, question)?;
        body.iter().try_for_each(|bytes| write_piece(&mut self.questions, bytes))?;
        Piece::End.write(&mut self.questions)?;
        self.questions.flush()
    }
}

/// An error in words alone.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Words(String);

impl From<Failed> for HttpError {
    fn from(why: Failed) -> Self {
        let kind = match why.kind {
            Kind::Connect => HttpErrorKind::Connect,
            Kind::Request => HttpErrorKind::Request,
            Kind::Timeout => HttpErrorKind::Timeout,
            Kind::Interrupted => HttpErrorKind::Interrupted,
            Kind::Decode => HttpErrorKind::Decode,
            Kind::Unknown => HttpErrorKind::Unknown,
        };
        // What comes from there is anybody's: that it is short is not for the other side to say.
        let words: String = why.words.chars().take(MAX_WORDS).collect();
        HttpError::new(kind, Words(SafeText::new(&words).to_string()))
    }
}

const ENDED: &str = "the process that talks to it has ended";

/// Trying again would not help.
fn not_started(e: &io::Error) -> HttpError {
    HttpError::new(HttpErrorKind::Unknown, Words(e.to_string()))
}

fn cut() -> HttpError {
    HttpError::new(HttpErrorKind::Interrupted, Words(ENDED.to_owned()))
}

fn silent() -> HttpError {
    HttpError::new(HttpErrorKind::Timeout, Words("the process that talks to it says nothing".to_owned()))
}

fn no_answer() -> HttpError {
    HttpError::new(HttpErrorKind::Decode, Words("it is none of HTTP".to_owned()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use futures_util::StreamExt as _;
    use futures_util::future::FutureExt as _;

    /// What is read of a body of two pieces with this end.
    fn read(end: Option<Result<(), HttpError>>) -> (Vec<u8>, Option<HttpErrorKind>) {
        let ((give, pieces), (say, said)) = (mpsc::channel(PIECES), oneshot::channel());
        let _waiting = Waiting { life: Arc::default(), asked: 0 };
        let body = Body { pieces, end: Some(said), silence: Duration::from_secs(60), late: None, _waiting };
        give.try_send(Bytes::from_static(b"a")).unwrap();
        give.try_send(Bytes::from_static(b"b")).unwrap();
        match end {
            Some(end) => say.send(end).unwrap(),
            None => drop(say),
        }
        drop(give);
        let mut stream = HttpResponseBody::new(body).bytes_stream();
        let mut read = Vec::new();
        while let Some(piece) = stream.next().now_or_never().unwrap() {
            match piece {
                Ok(bytes) => read.extend(bytes),
                Err(e) => return (read, Some(e.kind())),
            }
        }
        (read, None)
    }

    #[test]
    fn only_what_is_said_to_be_an_end_is_one() {
        assert_eq!(read(Some(Ok(()))), (b"ab".to_vec(), None));
        let late = Failed { kind: Kind::Timeout, words: "late".into() };
        assert_eq!(read(Some(Err(late.into()))), (b"ab".to_vec(), Some(HttpErrorKind::Timeout)));
        assert_eq!(
            read(None),
            (b"ab".to_vec(), Some(HttpErrorKind::Interrupted)),
            "whoever talked was killed"
        );
    }

    #[test]
    fn what_says_nothing_for_too_long_is_given_up() {
        let ((give, pieces), (say, said)) = (mpsc::channel::<Bytes>(PIECES), oneshot::channel());
        let life: Arc<Mutex<Life>> = Arc::default();
        let _waiting = Waiting { life: life.clone(), asked: 0 };
        let body = Body { pieces, end: Some(said), silence: Duration::from_millis(20), late: None, _waiting };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let mut stream = HttpResponseBody::new(body).bytes_stream();
        let first = runtime.block_on(stream.next()).unwrap();
        assert_eq!(first.unwrap_err().kind(), HttpErrorKind::Timeout);
        assert!(runtime.block_on(stream.next()).is_none());
        drop((stream, give, say));
        assert!(lock(&life).given_up, "its process is ended");
    }

    #[test]
    fn no_head_of_an_answer_is_taken_that_http_does_not_have() {
        let head = |status: u16, fields: &[(&str, &[u8])]| {
            let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), value.to_vec())).collect();
            response(status, fields, Vec::new().into())
        };
        let good = head(304, &[("etag", b"\"a\""), ("x-name", b"\xff"), ("x-name", b"b")]).unwrap();
        assert_eq!((good.status().as_u16(), good.headers().len()), (304, 3));
        assert_eq!(head(200, &vec![("a", &b"b"[..]); MAX_FIELDS]).unwrap().headers().len(), MAX_FIELDS);
        for (status, fields) in [
            (100, &[][..]),
            (199, &[]),
            (1_000, &[]),
            (u16::MAX, &[]),
            (200, &[("a b", &b"c"[..])]),
            (200, &[("", b"c")]),
            (200, &[("a", b"b\r\nc: d")]),
        ] {
            assert_eq!(
                head(status, fields).unwrap_err().kind(),
                HttpErrorKind::Decode,
                "{status} {fields:?}"
            );
        }
        assert!(head(200, &vec![("a", &b"b"[..]); MAX_FIELDS + 1]).is_err());
    }

    #[test]
    fn words_of_whoever_listens_are_short_and_safe() {
        let words = "\u{1b}[2J".to_owned() + &"a".repeat(1 << 20);
        let error = HttpError::from(Failed { kind: Kind::Decode, words });
        let said = std::error::Error::source(&error).unwrap().to_string();
        assert!(!said.contains('\u{1b}') && said.len() < 2 * MAX_WORDS, "{} bytes", said.len());
    }

    #[test]
    fn who_gives_up_a_question_ends_its_process_and_not_the_one_of_the_next() {
        let life: Arc<Mutex<Life>> = Arc::default();
        let waiting = |asked| Waiting { life: life.clone(), asked };
        let first = waiting(0);
        lock(&life).asked += 1;
        drop(first);
        assert!(!lock(&life).given_up, "it was answered");
        drop(waiting(1));
        assert!(lock(&life).given_up);
    }
}
