//! Who is at the other end of a connection. Names come from the system's name service, and a peer's own process is
//! looked at too: either may hang. So that is done beside, within a deadline; after it the kernel's word decides alone.

use crate::host::account::{Actor, Rights};
use crate::host::ipc::Peer;
use crate::host::threads;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{Instant, timeout_at};

/// A call waits this long for names.
const PATIENCE: Duration = Duration::from_secs(1);
/// While the newest question is still without an answer nobody waits for longer than this.
const BRIEFLY: Duration = Duration::from_millis(50);
/// Questions at once. Each that hangs keeps its thread.
const QUESTIONS: usize = 8;

type Question = dyn Fn(&Peer) -> (Rights, Actor) + Send + Sync;

/// Tells who a peer is.
pub struct Peers {
    ask: Arc<Question>,
    /// The rights as they were last known.
    rights: Arc<Mutex<Rights>>,
    places: Arc<Semaphore>,
    hangs: Arc<AtomicBool>,
}

impl Peers {
    /// For the installation whose state is in `state`; `group` reads `[operators] group`, and finds None where the
    /// configuration cannot be read: nobody operates by it then. All is asked anew for each call, so that a right counts
    /// from when it is given until it is taken away.
    pub fn of(state: &Path, group: impl Fn() -> Option<String> + Send + Sync + 'static) -> Peers {
        let folder = state.to_owned();
        Peers::asking(state, move |peer| {
            let rights =
                group().map_or_else(|| Rights::of_owner(&folder), |group| Rights::of(&folder, &group));
            let actor = peer.actor(&rights);
            (rights, actor)
        })
    }

    fn asking(state: &Path, ask: impl Fn(&Peer) -> (Rights, Actor) + Send + Sync + 'static) -> Peers {
        Peers {
            ask: Arc::new(ask),
            rights: Arc::new(Mutex::new(Rights::of_owner(state))),
            places: Arc::new(Semaphore::new(QUESTIONS)),
            hangs: Arc::default(),
        }
    }

    /// The peer as an actor, whatever hangs.
    pub async fn actor(&self, peer: &Arc<Peer>) -> Actor {
        let patience = if self.hangs.load(Ordering::Relaxed) { BRIEFLY } else { PATIENCE };
        if let Some(actor) = self.named(peer, Instant::now() + patience).await {
            return actor;
        }
        // Said once, and again after it has answered.
        if !self.hangs.swap(true, Ordering::Relaxed) {
            tracing::warn!("the name service does not answer: who asks is judged and shown by its number");
        }
        self.nameless(peer)
    }

    /// The peer as the kernel knows it, with the rights as they were last known: at once.
    pub fn nameless(&self, peer: &Peer) -> Actor {
        peer.nameless(&self.rights.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn named(&self, peer: &Arc<Peer>, until: Instant) -> Option<Actor> {
        let place = timeout_at(until, Arc::clone(&self.places).acquire_owned()).await.ok()?.ok()?;
        let (tell, told) = oneshot::channel();
        let (ask, peer) = (Arc::clone(&self.ask), Arc::clone(peer));
        let (rights, hangs) = (Arc::clone(&self.rights), Arc::clone(&self.hangs));
        let asked = threads::start("peer", move || {
            let (known, actor) = ask(&peer);
            *rights.lock().unwrap_or_else(PoisonError::into_inner) = known;
            hangs.store(false, Ordering::Relaxed);
            // Nobody waits any more after the deadline.
            let _ = tell.send(actor);
            drop(place);
        });
        asked.ok()?;
        timeout_at(until, told).await.ok()?.ok()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::error::{Exit, Failure};
    use crate::executor::talk::protocol::{Call, Letter, Reply, View};
    use crate::host::{account, ipc, wire};
    use crate::service::server::{Asked, Spare, serve};
    use std::sync::mpsc;
    use tokio::sync::mpsc as calls;

    /// A socket with a service behind it whose loop hands each call to `asked`, and answers nothing.
    struct Served {
        runtime: tokio::runtime::Runtime,
        folder: tempfile::TempDir,
        asked: calls::Receiver<Asked>,
    }

    impl Served {
        fn by(ask: impl Fn(&Peer) -> (Rights, Actor) + Send + Sync + 'static) -> Served {
            let folder = tempfile::tempdir().unwrap();
            let listener = ipc::Listener::bind(&folder.path().join("pcm.sock")).unwrap();
            let peers = Peers::asking(folder.path(), ask);
            let (tell, asked) = calls::channel(16);
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
            let runtime = runtime.unwrap();
            runtime.spawn(serve(listener, peers, tell, Spare::keep()));
            Served { runtime, folder, asked }
        }

        fn connect(&self) -> ipc::Client {
            let mut client = ipc::connect(
                &self.folder.path().join("pcm.sock"),
                self.folder.path(),
                Duration::from_secs(20),
            )
            .unwrap();
            wire::write(&mut client, &Letter::of(&Call::View(View::Status), None).unwrap()).unwrap();
            client
        }

        fn next(&mut self) -> Asked {
            let Served { runtime, asked, .. } = self;
            let _inside = runtime.enter();
            runtime.block_on(tokio::time::timeout(Duration::from_secs(20), asked.recv())).unwrap().unwrap()
        }
    }

    #[test]
    fn a_name_service_that_hangs_holds_up_nobody_and_the_number_decides() {
        let (release, hanging) = mpsc::channel::<()>();
        let hanging = Mutex::new(hanging);
        let mut served = Served::by(move |_| {
            // Until the end of the test.
            let _ = hanging.lock().unwrap().recv();
            unreachable!("nobody answers")
        });
        let connections: Vec<_> = (0..3 * QUESTIONS).map(|_| served.connect()).collect();
        for _ in &connections {
            let asked = served.next();
            let me = account::current();
            // Owner of the folder, or root.
            assert!(asked.actor.may_operate);
            assert_eq!(asked.actor.uid, me.uid);
            if let Some(uid) = me.uid {
                assert_eq!(asked.actor.name.as_str(), format!("uid {uid}"));
            }
        }
        drop(served);
        std::mem::forget(release);
    }

    #[test]
    fn names_are_there_again_when_the_name_service_is() {
        let (release, hanging) = mpsc::channel::<()>();
        let hanging = Mutex::new(hanging);
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().to_owned();
        let mut served = Served::by(move |peer| {
            let _ = hanging.lock().unwrap().recv();
            let rights = Rights::of(&state, "no-such-group-here");
            let actor = peer.actor(&rights);
            (rights, actor)
        });
        let mut first = served.connect();
        let asked = served.next();
        let failure = Failure::new(Exit::Failed, "test", "a test", "none");
        let _ = asked.answer.send(Err(failure));
        let _: Reply = wire::read(&mut first, wire::MAX_ANSWER).unwrap();
        drop(release);
        let end = std::time::Instant::now() + Duration::from_secs(20);
        loop {
            let _connection = served.connect();
            if served.next().actor.name == account::current().name {
                return;
            }
            assert!(std::time::Instant::now() < end, "the name does not come back");
        }
    }
}
