//! Has machines of the site do something, each through `ssh`: so many at once, each with a limit. What has begun on a machine is
//! never taken back, and every machine is told of: begun, ended in some way, or not asked at all.

use super::fetch::{self, Folder, Not};
use super::{Incoming, send};
use crate::console::app::Event;
use crate::console::app::afar::{Came, Order, Step};
use crate::console::threads::spawn;
use crate::host::ssh::{self, AT_ONCE, For, Meaning, Reach, Why};
use crate::host::terminal::Ended;
use crate::rollout::select::Site;
use crate::safe;
use crate::site::ids::MachineId;
use crate::text::SafeText;
use std::collections::VecDeque;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A machine that has not answered within so long is given up: what became of it is not known then.
const LIMIT: Duration = Duration::from_secs(60);
/// An answer is no longer than this, in bytes.
const MOST: u64 = 64 << 10;

/// What reaches machines.
pub struct Hands {
    site: Arc<dyn Site>,
    to: Sender<Incoming>,
    /// Up to this number orders were taken back.
    taken_back: Arc<AtomicU64>,
}

impl Hands {
    /// Nothing is started yet.
    pub fn new(site: Arc<dyn Site>, to: Sender<Incoming>) -> Hands {
        Hands { site, to, taken_back: Arc::default() }
    }

    /// Begins an order, in threads of its own.
    pub fn begin(&self, order: Order) {
        let desk =
            Desk { to: self.to.clone(), number: order.number, taken_back: Arc::clone(&self.taken_back) };
        let (site, machines) = (Arc::clone(&self.site), order.machines.clone());
        let begun = spawn("afar", {
            let desk = desk.clone();
            move || carry_out(&*site, &order, &desk)
        });
        if let Err(e) = begun {
            desk.none(&machines, &safe!("no thread can be started: {e}"));
        }
    }

    /// What of the order of this number has not begun never does.
    pub fn take_back(&self, number: u64) {
        self.taken_back.fetch_max(number, Ordering::SeqCst);
    }
}

/// Where an order tells how far it is.
#[derive(Clone)]
struct Desk {
    to: Sender<Incoming>,
    number: u64,
    taken_back: Arc<AtomicU64>,
}

impl Desk {
    /// False: nobody listens any more.
    fn tell(&self, machine: MachineId, step: Step) -> bool {
        send(&self.to, Event::Afar { order: self.number, machine, step })
    }

    /// None of them was asked.
    fn none(&self, machines: &[MachineId], why: &SafeText) {
        for machine in machines {
            self.tell(*machine, Step::Came(Came::NeverThere(why.clone())));
        }
    }

    fn is_taken_back(&self) -> bool {
        self.taken_back.load(Ordering::SeqCst) >= self.number
    }
}

/// A machine, and how it is reached.
type Reached = (MachineId, Result<Reach, SafeText>);

fn carry_out(site: &dyn Site, order: &Order, desk: &Desk) {
    let program = match ssh::program() {
        Ok(program) => program,
        Err(why) => return desk.none(&order.machines, &SafeText::new(&why)),
    };
    let reached = match site.reach(&order.machines) {
        Ok(reached) => reached,
        Err(failure) => return desk.none(&order.machines, &safe!("{failure}")),
    };
    let folder = match order.keep.as_ref().map(Folder::open).transpose() {
        Ok(folder) => folder,
        Err(why) => {
            let tell = |machine: &MachineId| desk.tell(*machine, Step::Came(Came::NotKept(why.clone())));
            let _ = order.machines.iter().all(tell);
            return;
        }
    };
    let queue: Mutex<VecDeque<Reached>> = Mutex::new(order.machines.iter().copied().zip(reached).collect());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    let turn = || {
        while let Some((machine, reach)) = next() {
            if desk.is_taken_back() {
                desk.tell(machine, Step::Dropped);
                continue;
            }
            let came = match reach {
                Ok(reach) if desk.tell(machine, Step::Begun) => {
                    ask(&reach, &program, machine, &order.words, folder.as_ref())
                }
                // The console has ended: nothing more begins.
                Ok(_) => return,
                Err(why) => Came::NeverThere(why),
            };
            desk.tell(machine, Step::Came(came));
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..AT_ONCE.min(order.machines.len()) {
            let more = std::thread::Builder::new().name("console-afar".into()).spawn_scoped(scope, turn);
            if more.is_err() {
                // Those that there are do all of it.
                break;
            }
        }
        turn();
    });
}

/// Has one machine do it, and keeps what it sends where that is wanted. The machine there has to be this one.
fn ask(
    reach: &Reach,
    program: &[String],
    machine: MachineId,
    words: &[String],
    folder: Option<&Folder>,
) -> Came {
    let own = ["--expect-machine".to_owned(), machine.to_string()];
    let words: Vec<String> = own.into_iter().chain(words.iter().cloned()).collect();
    let ready = match reach.command(program, For::Many, &words) {
        Ok(ready) => ready,
        Err(e) => return Came::NeverThere(safe!("its known hosts cannot be written: {e}")),
    };
    let failed = |e: std::io::Error| match e.kind() {
        ErrorKind::NotFound | ErrorKind::PermissionDenied => {
            let program = program.first().map_or("ssh", String::as_str);
            Came::NeverThere(safe!("{} cannot be started: {e}", SafeText::new(program)))
        }
        _ => Came::Lost(safe!("ssh failed here: {e}")),
    };
    if let Some(folder) = folder {
        return match fetch::fetch(ready, &folder.file(machine), fetch::LIMIT) {
            Ok(Ok(words)) => Came::Kept(words),
            Ok(Err(Not::Kept(why))) => Came::NotKept(why),
            Ok(Err(Not::Made(ended))) => came(reach, ended, Vec::new()),
            Err(e) => failed(e),
        };
    }
    let answer = match ready.answer(LIMIT, MOST, &|| false) {
        Ok(answer) => answer,
        Err(e) => return failed(e),
    };
    match answer.why {
        Why::Ended => {}
        Why::Stopped | Why::TooLate => {
            return Came::Lost(safe!("no answer within {}", crate::text::duration(LIMIT)));
        }
    }
    came(reach, answer.ended, answer.output)
}

/// What the end of a call means, with what was printed before.
fn came(reach: &Reach, ended: Ended, output: Vec<u8>) -> Came {
    match ssh::meaning(&ended) {
        Meaning::Answered(status) => Came::Answered { status, output, said: ended.said },
        Meaning::NoPcm => Came::NeverThere("no pcm is in the PATH of commands that come through ssh".into()),
        Meaning::NeverThere => Came::NeverThere(without(reach, ssh::last_said(&ended))),
        Meaning::Lost => {
            Came::Lost(safe!("the connection ended: {}", without(reach, ssh::last_said(&ended))))
        }
    }
}

/// What ssh says of a host, without what names it: of many hosts the same is said once.
fn without(reach: &Reach, said: SafeText) -> SafeText {
    let text = said.as_str();
    match text.rsplit_once(": ") {
        Some((before, rest)) if before.contains(reach.host.host()) && !rest.is_empty() => SafeText::new(rest),
        _ => said,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_ssh_says_of_each_host_is_the_same_for_all() {
        let reach = |host: &str| Reach { host: host.parse().unwrap(), host_key: None };
        for (said, short) in [
            ("ssh: connect to host web-01 port 22: No route to host", "No route to host"),
            ("ola@web-01: Permission denied (publickey).", "Permission denied (publickey)."),
            ("Host key verification failed.", "Host key verification failed."),
            ("kex_exchange_identification: read: reset", "kex_exchange_identification: read: reset"),
        ] {
            assert_eq!(without(&reach("ola@web-01"), said.into()).as_str(), short);
        }
    }
}
