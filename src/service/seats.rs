//! Who has a place at the socket, and whose turn it is. Each account has a few places, so that none can take them all;
//! whoever may operate has places and turns that nobody else gets. Where there is none left, the connection that has asked
//! for nothing for longest is given up for the new one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// Connections of those who may operate, at once.
const OPERATORS: usize = 64;
/// Of all others together.
const OTHERS: usize = 40;
/// Of one account among the others.
const EACH: usize = 8;
/// Views that are made or written at once, for those who may operate: what each takes of the memory is bounded by that.
const OPERATORS_TURNS: usize = 8;
/// For all others together.
const OTHERS_TURNS: usize = 4;
/// For one account among the others.
const EACH_TURNS: usize = 2;

/// All places.
pub struct Seats {
    table: Mutex<Table>,
    operators: Arc<Semaphore>,
    others: Arc<Semaphore>,
}

#[derive(Default)]
struct Table {
    next: u64,
    /// In the order in which they came.
    taken: BTreeMap<u64, Seat>,
}

struct Seat {
    who: String,
    operates: bool,
    /// Nothing that it asked for is under way.
    idle: bool,
    leave: Arc<Notify>,
    turns: Arc<Semaphore>,
}

/// A place, until it is dropped.
pub struct Place {
    seats: Arc<Seats>,
    number: u64,
    operates: bool,
    leave: Arc<Notify>,
    turns: Arc<Semaphore>,
}

/// The right to have one view made and written.
pub struct Turn {
    _own: Option<OwnedSemaphorePermit>,
    _all: Option<OwnedSemaphorePermit>,
}

impl Default for Seats {
    fn default() -> Self {
        Self {
            table: Mutex::default(),
            operators: Arc::new(Semaphore::new(OPERATORS_TURNS)),
            others: Arc::new(Semaphore::new(OTHERS_TURNS)),
        }
    }
}

impl Seats {
    /// A place for this account; None: it has as many as it may, and all of them are at work.
    pub fn take(self: &Arc<Self>, who: &str, operates: bool) -> Option<Place> {
        let mut table = self.table();
        let own = |seat: &Seat| seat.operates == operates && seat.who == who;
        if !operates && table.count(own) >= EACH {
            table.give_up(own)?;
        }
        let most = if operates { OPERATORS } else { OTHERS };
        if table.count(|seat| seat.operates == operates) >= most {
            let greedy = table.greediest(operates)?;
            table.give_up(|seat| seat.operates == operates && seat.who == greedy)?;
        }
        let turns = table.taken.values().find(|seat| own(seat)).map(|seat| Arc::clone(&seat.turns));
        let turns = turns.unwrap_or_else(|| Arc::new(Semaphore::new(EACH_TURNS)));
        let (number, leave) = (table.next, Arc::new(Notify::new()));
        table.next += 1;
        let seat = Seat {
            who: who.to_owned(),
            operates,
            idle: true,
            leave: Arc::clone(&leave),
            turns: Arc::clone(&turns),
        };
        table.taken.insert(number, seat);
        Some(Place { seats: Arc::clone(self), number, operates, leave, turns })
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn count(&self, counts: impl Fn(&Seat) -> bool) -> usize {
        self.taken.values().filter(|seat| counts(seat)).count()
    }

    /// Who has most places with nothing under way.
    fn greediest(&self, operates: bool) -> Option<String> {
        let mut idle: BTreeMap<&str, usize> = BTreeMap::new();
        for seat in self.taken.values().filter(|seat| seat.operates == operates && seat.idle) {
            *idle.entry(&seat.who).or_default() += 1;
        }
        idle.into_iter().max_by_key(|(_, n)| *n).map(|(who, _)| who.to_owned())
    }

    /// The one that came first of those that ask for nothing; None: there is none.
    fn give_up(&mut self, whose: impl Fn(&Seat) -> bool) -> Option<()> {
        let number = self.taken.iter().find(|(_, seat)| seat.idle && whose(seat)).map(|(n, _)| *n)?;
        self.taken.remove(&number)?.leave.notify_one();
        Some(())
    }
}

impl Place {
    /// Whether something that it asked for is under way.
    pub fn is_idle(&self, idle: bool) {
        if let Some(seat) = self.seats.table().taken.get_mut(&self.number) {
            seat.idle = idle;
        }
    }

    /// The place was given to somebody else.
    pub async fn lost(&self) {
        self.leave.notified().await;
    }

    /// Waits for its turn: of this account, and of all that are like it.
    pub async fn turn(&self) -> Turn {
        // The semaphores are never closed.
        if self.operates {
            return Turn { _own: None, _all: Arc::clone(&self.seats.operators).acquire_owned().await.ok() };
        }
        let own = Arc::clone(&self.turns).acquire_owned().await.ok();
        Turn { _own: own, _all: Arc::clone(&self.seats.others).acquire_owned().await.ok() }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.seats.table().taken.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn lost(place: &Place) -> bool {
        let mut lost = std::pin::pin!(place.lost());
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        lost.as_mut().poll(&mut context).is_ready()
    }

    #[test]
    fn one_account_has_a_few_places_and_gives_up_its_own_oldest_idle_one() {
        let seats = Arc::new(Seats::default());
        let places: Vec<Place> = (0..EACH).map(|_| seats.take("mallory", false).unwrap()).collect();
        places[0].is_idle(false);
        let other = seats.take("anna", false).unwrap();
        let _new = seats.take("mallory", false).unwrap();
        assert!(!lost(&places[0]), "it is at work");
        assert!(lost(&places[1]));
        assert!(!lost(&other), "nobody else's");
        places.iter().chain([&_new]).for_each(|place| place.is_idle(false));
        assert!(seats.take("mallory", false).is_none(), "all of them are at work");
    }

    #[test]
    fn many_accounts_together_leave_operators_and_each_other_their_places() {
        let seats = Arc::new(Seats::default());
        let crowd: Vec<Place> =
            (0..10 * OTHERS).filter_map(|n| seats.take(&format!("u{}", n % 7), false)).collect();
        assert!(seats.table().count(|seat| !seat.operates) <= OTHERS);
        crowd.iter().for_each(|place| place.is_idle(false));
        assert!(seats.take("anna", false).is_none());
        let operators: Vec<Place> = (0..OPERATORS).map(|_| seats.take("root", true).unwrap()).collect();
        let _one_more = seats.take("root", true).unwrap();
        assert!(lost(&operators[0]));
        drop((crowd, operators));
        assert_eq!(seats.table().taken.len(), 1);
    }

    #[test]
    fn a_place_is_free_again_when_it_is_left() {
        let seats = Arc::new(Seats::default());
        for _ in 0..100 {
            let places: Vec<Place> = (0..EACH).map(|_| seats.take("anna", false).unwrap()).collect();
            places.iter().for_each(|place| place.is_idle(false));
        }
        assert!(seats.take("anna", false).is_some());
    }

    #[test]
    fn turns_of_others_keep_no_operator_waiting() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let seats = Arc::new(Seats::default());
            let places: Vec<Place> = ["a", "a", "a", "b", "b", "c"]
                .map(|who| seats.take(who, false).unwrap())
                .into_iter()
                .collect();
            let mut turns = Vec::new();
            for place in places.iter().take(2).chain(places.iter().skip(3).take(2)) {
                turns.push(place.turn().await);
            }
            let waits = |place: &Place| {
                let mut turn = std::pin::pin!(place.turn());
                let mut context = std::task::Context::from_waker(std::task::Waker::noop());
                turn.as_mut().poll(&mut context).is_pending()
            };
            assert!(waits(&places[2]), "its own account has two");
            assert!(waits(&places[5]), "all four are taken");
            assert!(!waits(&seats.take("root", true).unwrap()));
            turns.pop();
            assert!(!waits(&places[5]));
        });
    }
}
