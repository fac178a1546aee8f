//! The service's end of the local socket: bounded connections for each account, one request in flight on each, idle ones
//! dropped (PROMISES.md 5; `seats`). It only carries; the service's own loop answers.

use super::peers::Peers;
use super::seats::{Place, Seats};
use crate::clock::Monotonic;
use crate::executor::talk::protocol::{Call, Change, Letter, Reply, bad_call, busy};
use crate::host::account::Actor;
use crate::host::{ipc, wire};
use crate::site::ids::MachineId;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::{Semaphore, mpsc, oneshot};

/// A connection without a request for this long is dropped.
const IDLE: Duration = Duration::from_secs(30);
/// A peer that takes nothing of its answer for this long loses it.
const STALL: Duration = Duration::from_secs(5);
/// Connections without a place that are told so at once; more are closed.
const TURNED_AWAY: usize = 16;
/// Whether anybody can still find the socket is looked at where nobody has come for so long.
const RESTORE: Duration = Duration::from_secs(2);
/// The one connection that there is a descriptor for is not kept from the next for longer.
const BRIEF: Duration = Duration::from_secs(3);

/// A call on its way to the service's loop.
pub struct Asked {
    /// What.
    pub call: Call,
    /// The machine that is meant, if the caller could say.
    pub machine: Option<MachineId>,
    /// By whom, as the system says.
    pub actor: Actor,
    /// Until when its caller waits; None: for ever.
    pub until: Option<Monotonic>,
    /// Where the answer goes. Nobody may be waiting any more.
    pub answer: oneshot::Sender<Reply>,
}

/// A change that is carried out when something else has ended.
pub struct Waiting {
    /// What.
    pub change: Change,
    /// By whom.
    pub actor: Actor,
    /// Until when its caller waits; None: for ever.
    pub until: Option<Monotonic>,
    /// Where the answer goes. Nobody may be waiting any more.
    pub answer: oneshot::Sender<Reply>,
}

impl Waiting {
    /// Nobody waits for it any more: its caller has hung up, or was told that it failed.
    pub fn is_over(&self, now: Monotonic) -> bool {
        is_over(self.until, &self.answer, now)
    }
}

impl Asked {
    /// As of a change that waits.
    pub fn is_over(&self, now: Monotonic) -> bool {
        is_over(self.until, &self.answer, now)
    }
}

/// Nobody waits for this answer any more.
pub fn is_over(until: Option<Monotonic>, answer: &oneshot::Sender<Reply>, now: Monotonic) -> bool {
    answer.is_closed() || until.is_some_and(|until| now > until)
}

/// Descriptors kept for the case that there are no others any more: that is when an operator asks what is wrong.
pub struct Spare(Option<(io::PipeReader, io::PipeWriter)>);

impl Spare {
    /// To be called first of all.
    pub fn keep() -> Self {
        Self(io::pipe().ok())
    }

    fn give(&mut self) {
        self.0 = None;
    }
}

/// Accepts until the service ends.
pub async fn serve(mut listener: ipc::Listener, peers: Peers, calls: mpsc::Sender<Asked>, mut spare: Spare) {
    let seats = Arc::new(Seats::default());
    let turned_away = Arc::new(Semaphore::new(TURNED_AWAY));
    let peers = Arc::new(peers);
    loop {
        let Ok(accepted) = tokio::time::timeout(RESTORE, listener.accept()).await else {
            // Packages run as root and delete what they like.
            if let Err(e) = listener.restore() {
                tracing::warn!("the socket cannot be made again: {e}");
            }
            continue;
        };
        match accepted {
            Ok((stream, peer)) => {
                // At once, by the kernel's word: whoever comes next waits for this.
                let caller = peers.nameless(&peer);
                let Some(place) = seats.take(caller.name.as_str(), caller.may_operate) else {
                    if let Ok(one) = Arc::clone(&turned_away).try_acquire_owned() {
                        tokio::spawn(async move {
                            let _ = tokio::time::timeout(BRIEF, turn_away(stream)).await;
                            drop(one);
                        });
                    }
                    continue;
                };
                let calls = calls.clone();
                let peers = Arc::clone(&peers);
                // A peer that goes away or talks nonsense ends its own connection and nothing else.
                tokio::spawn(async move {
                    let _ = converse(stream, (&peers, &Arc::new(peer)), &place, calls).await;
                });
            }
            Err(e) => {
                // Out of descriptors, mostly: it heals when connections end. Until then there is one at a time.
                tracing::warn!("accept: {e}");
                spare.give();
                match tokio::time::timeout(Duration::from_millis(200), listener.accept()).await {
                    Ok(Ok((stream, peer))) => {
                        let peer = Arc::new(peer);
                        let caller = peers.nameless(&peer);
                        if let Some(place) = seats.take(caller.name.as_str(), caller.may_operate) {
                            let talk = converse(stream, (&peers, &peer), &place, calls.clone());
                            let _ = tokio::time::timeout(BRIEF, talk).await;
                        }
                    }
                    Ok(Err(_)) => tokio::time::sleep(Duration::from_millis(200)).await,
                    Err(_) => {}
                }
                spare = Spare::keep();
            }
        }
    }
}

async fn converse(
    mut stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    (peers, peer): (&Peers, &Arc<ipc::Peer>),
    place: &Place,
    calls: mpsc::Sender<Asked>,
) -> std::io::Result<()> {
    loop {
        place.is_idle(true);
        let read = tokio::select! {
            read = tokio::time::timeout(IDLE, wire::read_async::<Letter>(&mut stream, wire::MAX_CALL)) => read,
            () = place.lost() => return Ok(()),
        };
        place.is_idle(false);
        let opened = match read {
            Err(_) | Ok(Ok(None)) => return Ok(()),
            Ok(Ok(Some(letter))) => {
                let (machine, until) = (letter.machine(), letter.until());
                letter.open().map(|call| (call, machine, until))
            }
            Ok(Err(e)) => Err(bad_call("somebody", &e)),
        };
        let (call, machine, until) = match opened {
            Ok(opened) => opened,
            Err(failure) => return send(&mut stream, &Err(failure)).await,
        };
        // What is made for a view takes memory until it is read; a change is answered in a few words.
        let _turn = match &call {
            Call::View(_) => tokio::select! {
                turn = place.turn() => Some(turn),
                () = gone(&mut stream) => return Ok(()),
            },
            Call::Change(_) => None,
        };
        let actor = peers.actor(peer).await;
        let who = actor.name.clone();
        tracing::debug!(%who, ?call, "socket: asked");
        let (answer, answered) = oneshot::channel();
        let asked = Asked { call, machine, actor, until, answer };
        let answer = tokio::select! {
            answer = async { calls.send(asked).await.ok()?; answered.await.ok() } => answer,
            // What it asked for is dropped with the connection, where it has not begun.
            () = gone(&mut stream) => None,
        };
        let Some(answer) = answer else { return Ok(()) };
        if let Err(failure) = &answer {
            tracing::debug!(%who, code = %failure.code, "socket: refused");
        }
        send(&mut stream, &answer).await?;
    }
}

/// The other side has gone away, or speaks before it was answered.
async fn gone(stream: &mut (impl tokio::io::AsyncRead + Unpin)) {
    let _ = stream.read(&mut [0]).await;
}

async fn send(stream: &mut (impl tokio::io::AsyncWrite + Unpin), answer: &Reply) -> std::io::Result<()> {
    let bytes = wire::encode(answer)?;
    let end = tokio::time::Instant::now() + IDLE;
    // A peer that does not read must not keep its place for ever.
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        let until = end.min(tokio::time::Instant::now() + STALL);
        let written = tokio::time::timeout_at(until, stream.write(rest)).await;
        match written.map_err(|_| std::io::ErrorKind::TimedOut)?? {
            0 => return Err(std::io::ErrorKind::WriteZero.into()),
            n => rest = &rest[n..],
        }
    }
    stream.flush().await
}

/// There is no place for it.
async fn turn_away(
    mut stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
) -> std::io::Result<()> {
    // Closed with something unread, the connection would only be reset.
    wire::read_async::<Letter>(&mut stream, wire::MAX_CALL).await?;
    send(&mut stream, &Err(busy("it answers as many calls of this account at once as it may"))).await
}
