//! What removing an obstacle would free (SITE.md 6): the machines of which everything else that is in the way opens by itself
//! within a day, as far as their reports say when. Where they do not, nothing is promised; of what only the machine could
//! tell once the obstacle is gone, nothing is said at all. Pure: the time is an argument.

use super::account::{Account, Said};
use crate::clock::{Wall, later};
use crate::terms::{Code, Gate};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

/// Whether a report says enough for it: with one of the other gates closed, a machine has not got as far as looking at all of
/// them; and what is not yet mandatory, or was left to somebody, is not held up. The gate of the machine itself names one thing:
/// behind a restart may be a battery, and behind that a full disk.
pub fn can_be_told(code: Code) -> bool {
    match code.row().gate {
        Gate::Host => ![Code::RestartPending, Code::OnBattery].contains(&code),
        Gate::Hold | Gate::Deferral | Gate::Window | Gate::Users | Gate::Clock => true,
        Gate::Content | Gate::Executor => true,
        Gate::Source
        | Gate::Record
        | Gate::Target
        | Gate::Trust
        | Gate::Platform
        | Gate::Kind
        | Gate::Job
        | Gate::History
        | Gate::Offer
        | Gate::Expiry
        | Gate::Mandatory
        | Gate::Policy => false,
    }
}

/// Those of which removing one alone would let it run within a day.
pub fn frees<'a>(account: &'a Account, said: &'a Said, now: Wall) -> impl Iterator<Item = Code> + 'a {
    // A report may name one twice.
    let first = |at: usize, code: Code| !said.blocked_by.iter().take(at).any(|before| *before == code);
    let codes = said.blocked_by.iter().copied().enumerate();
    let codes = codes.filter(move |(at, code)| first(*at, *code)).map(|(_, code)| code);
    codes.filter(move |code| {
        can_be_told(*code)
            && !is_behind(account, *code, now)
            && others(said, *code).all(|other| opens(account, said, other, now))
    })
}

/// What is in the way beside this. The reasons of one gate go together.
fn others(said: &Said, code: Code) -> impl Iterator<Item = Code> + '_ {
    said.blocked_by.iter().copied().filter(move |other| other.row().gate != code.row().gate)
}

/// Whether the other one of a hold and a freeze stands behind it for more than a day: they are one gate, which names one.
fn is_behind(account: &Account, code: Code, now: Wall) -> bool {
    let behind = [(Code::Held, account.frozen_until), (Code::Frozen, account.held_until)];
    let until = behind.into_iter().find(|(of, _)| *of == code).and_then(|(_, until)| until);
    until.is_some_and(|until| until > later(now, DAY))
}

/// Whether it opens by itself within a day.
fn opens(account: &Account, said: &Said, code: Code, now: Wall) -> bool {
    let soon = |at: Option<Wall>| at.is_some_and(|at| at <= later(now, DAY));
    // The report says when the first of all that is in the way changes, and not which: that is known of one alone.
    let timed = |code: &Code| TIMED.contains(code);
    let alone = said.blocked_by.iter().filter(|code| timed(code)).count() == 1;
    if code == Code::WindowClosed {
        // The next window of all may be too short for it; the one that changes its gate is not.
        return soon(said.next_change) && (alone || soon(account.next_window));
    }
    if code == Code::Held {
        return soon(account.held_until) && !is_behind(account, code, now);
    }
    if code == Code::Frozen {
        return soon(account.frozen_until) && !is_behind(account, code, now);
    }
    timed(&code) && alone && soon(said.next_change)
}

/// What opens at a time that is known beforehand.
const TIMED: [Code; 8] = [
    Code::WindowClosed,
    Code::Held,
    Code::Frozen,
    Code::Booting,
    Code::RetryLater,
    Code::NotOffered,
    Code::NotMandatoryYet,
    Code::Deferred,
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::terms::State;
    use chrono::TimeDelta;

    fn now() -> Wall {
        "2026-11-29T12:00:00Z".parse().unwrap()
    }

    fn hours(n: i64) -> Option<Wall> {
        Some(now() + TimeDelta::hours(n))
    }

    fn freed(account: &Account, codes: &[Code], next_change: Option<Wall>) -> Vec<Code> {
        let said = Said {
            blocked_by: codes.to_vec(),
            next_change,
            ..Said::of("BP0000Y".parse().unwrap(), State::Waiting)
        };
        frees(account, &said, now()).collect()
    }

    #[test]
    fn one_that_is_alone_in_the_way_frees_its_machine_and_of_others_the_times_count() {
        use Code::{
            DiskSpace, Frozen, Held, OnBattery, RestartPending, RetryLater, Unsigned, UserLoggedOn,
            WindowClosed, WindowNeverFits,
        };
        let account = Account::default();
        for code in Code::ALL {
            let alone = freed(&account, &[*code], None);
            assert_eq!(alone, if can_be_told(*code) { vec![*code] } else { vec![] });
        }
        assert!(can_be_told(WindowNeverFits) && can_be_told(DiskSpace) && !can_be_told(Unsigned));
        let evening = |at| Account { next_window: at, ..Account::default() };
        // Its window opens today: only its user is in the way. It opens on Saturday: neither is enough.
        assert_eq!(freed(&evening(hours(10)), &[WindowClosed, UserLoggedOn], hours(10)), [UserLoggedOn]);
        assert_eq!(freed(&evening(hours(80)), &[WindowClosed, UserLoggedOn], hours(80)), []);
        assert_eq!(freed(&evening(None), &[WindowClosed, UserLoggedOn], None), []);
        assert_eq!(
            freed(&account, &[DiskSpace, UserLoggedOn], hours(1)),
            [],
            "nobody knows when either goes"
        );
        let held = Account { held_until: hours(3), ..evening(hours(2)) };
        assert_eq!(freed(&held, &[WindowClosed, Held], hours(2)), [WindowClosed, Held]);
        let frozen = Account { frozen_until: hours(30), ..evening(hours(2)) };
        assert_eq!(freed(&frozen, &[WindowClosed, Frozen], hours(2)), [Frozen]);
        assert_eq!(freed(&account, &[UserLoggedOn, RetryLater], hours(2)), [UserLoggedOn]);
        assert_eq!(freed(&account, &[UserLoggedOn, RetryLater], hours(25)), []);
        // Two that change by time, and one time.
        assert_eq!(freed(&evening(hours(1)), &[UserLoggedOn, RetryLater, WindowClosed], hours(1)), []);
        // A short window opens tonight, and one that is long enough on Saturday.
        assert_eq!(freed(&evening(hours(8)), &[WindowClosed, UserLoggedOn], hours(80)), []);
        assert_eq!(freed(&evening(hours(80)), &[WindowClosed, UserLoggedOn], hours(8)), [UserLoggedOn]);
        // Behind a restart, or a battery, the machine itself may be in the way once more.
        for code in [RestartPending, OnBattery] {
            assert!(!can_be_told(code) && freed(&account, &[code], None).is_empty(), "{code}");
            assert_eq!(freed(&account, &[code, UserLoggedOn], None), []);
        }
        // Two reasons of one gate go together.
        assert_eq!(
            freed(&account, &[Code::WindowClosed, WindowNeverFits], None),
            [WindowClosed, WindowNeverFits]
        );
    }

    /// The gate names the hold where there is a hold, and the report says until when each of them is.
    #[test]
    fn a_hold_and_a_freeze_are_one_gate_and_neither_frees_while_the_other_stands() {
        use Code::{Frozen, Held, WindowClosed};
        let both = |held, frozen| Account {
            held_until: hours(held),
            frozen_until: hours(frozen),
            next_window: hours(2),
            ..Account::default()
        };
        for codes in [&[Held][..], &[WindowClosed, Held]] {
            let account = both(3, 500);
            assert_eq!(freed(&account, codes, hours(2)), [], "it is frozen for weeks: {codes:?}");
        }
        assert_eq!(freed(&both(500, 3), &[Frozen], None), []);
        // The other one is over within a day.
        assert_eq!(freed(&both(500, 3), &[Held], None), [Held]);
        assert_eq!(freed(&both(3, 500), &[Frozen], None), [Frozen]);
        assert_eq!(freed(&both(3, 4), &[WindowClosed, Held], hours(2)), [WindowClosed, Held]);
    }
}
