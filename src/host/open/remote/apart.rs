//! What asks servers through a process of its own, as an account without rights ([`super::talker`]): this one may be root, and
//! what a server sends is taken apart by somebody who may do nothing. A process answers one question after the other; where
//! several are asked at once, several are there. One whose answer nobody waits for any more is killed.

use super::talker::{Begun, Failed, Fields, Hello, Kind, MAX_MESSAGE, Piece, Question, Welcome, write_piece};
use crate::host::{programs, threads, wire};
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
use std::task::{Context, Poll};
use tokio::sync::{mpsc, oneshot};

/// So many pieces wait for whoever reads.
const PIECES: usize = 4;

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
    pieces: mpsc::Receiver<Result<Option<Bytes>, HttpError>>,
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
            let waiting = self.ask(question, pieces, tell)?;
            let answer = told.await.map_err(|_| cut())??;
            let body = Body { pieces: answer.pieces, ended: false, _waiting: waiting };
            let mut response = HttpResponse::new(HttpResponseBody::new(body));
            *response.status_mut() = answer.status.try_into().map_err(|_| no_answer())?;
            for (name, value) in answer.fields {
                let name: reqwest::header::HeaderName = name.parse().map_err(|_| no_answer())?;
                response.headers_mut().append(name, value.try_into().map_err(|_| no_answer())?);
            }
            Ok(response)
        })
    }
}

/// What comes of an answer.
#[derive(Debug)]
struct Body {
    pieces: mpsc::Receiver<Result<Option<Bytes>, HttpError>>,
    ended: bool,
    _waiting: Waiting,
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        self.pieces.poll_recv(cx).map(|piece| {
            let next = match piece {
                Some(Ok(Some(bytes))) => return Some(Ok(Frame::data(bytes))),
                Some(Ok(None)) => None,
                Some(Err(e)) => Some(Err(e)),
                // Only what says so is an end.
                None => Some(Err(cut())),
            };
            self.ended = true;
            next
        })
    }
}

/// Starts a process and has it answer until it ends or nobody asks any more.
fn talk(hello: &Hello, life: &Mutex<Life>, jobs: &Receiver<Job>, idle: &Weak<Mutex<Vec<Talker>>>) {
    let mut started = start(hello, life);
    while let Ok(Job { question, body, tell, talker }) = jobs.recv() {
        let done = match &mut started {
            Ok(pipes) => pipes.answer(&question, &body, tell),
            Err(e) => {
                let _ = tell.send(Err(not_started(e)));
                break;
            }
        };
        let mut now = lock(life);
        now.asked += 1;
        if done.is_err() || now.given_up {
            break;
        }
        drop(now);
        let Some(idle) = idle.upgrade() else { break };
        lock(&idle).push(talker);
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
    let mut command = Command::new(programs::own_executable()?);
    command.arg("share-talker").current_dir("/");
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
    /// Has one question answered. What is wrong with the answer is said to whoever asked; an error means that nothing more
    /// can be asked here.
    fn answer(
        &mut self,
        question: &Question,
        body: &[Bytes],
        tell: oneshot::Sender<Result<Answer, HttpError>>,
    ) -> io::Result<()> {
        let begun = match self.ask(question, body) {
            Ok(begun) => begun,
            Err(e) => {
                let _ = tell.send(Err(cut()));
                return Err(e);
            }
        };
        let (status, fields) = match begun {
            Begun::Answered { status, fields } => (status, fields),
            Begun::Failed(why) => {
                let _ = tell.send(Err(why.into()));
                return Ok(());
            }
        };
        let (give, pieces) = mpsc::channel(PIECES);
        let nobody = || io::Error::other("nobody waits for it");
        tell.send(Ok(Answer { status, fields, pieces })).map_err(|_| nobody())?;
        loop {
            let (piece, last) = match Piece::read(&mut self.answers) {
                Ok(Piece::Bytes(bytes)) => (Ok(Some(bytes.into())), false),
                Ok(Piece::End) => (Ok(None), true),
                Ok(Piece::Failed(why)) => (Err(why.into()), true),
                Err(e) => {
                    let _ = give.blocking_send(Err(cut()));
                    return Err(e);
                }
            };
            let taken = give.blocking_send(piece);
            if last {
                return Ok(());
            }
            taken.map_err(|_| nobody())?;
        }
    }

    fn ask(&mut self, question: &Question, body: &[Bytes]) -> io::Result<Begun> {
        wire::write(&mut self.questions, question)?;
        body.iter().try_for_each(|bytes| write_piece(&mut self.questions, bytes))?;
        Piece::End.write(&mut self.questions)?;
        self.questions.flush()?;
        wire::read(&mut self.answers, MAX_MESSAGE)
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
        HttpError::new(kind, Words(why.words))
    }
}

fn not_started(e: &io::Error) -> HttpError {
    HttpError::new(
        HttpErrorKind::Connect,
        Words(format!("the process that talks to it cannot be started: {e}")),
    )
}

fn cut() -> HttpError {
    HttpError::new(HttpErrorKind::Interrupted, Words("the process that talks to it has ended".to_owned()))
}

fn no_answer() -> HttpError {
    HttpError::new(HttpErrorKind::Decode, Words("it is none of HTTP".to_owned()))
}
