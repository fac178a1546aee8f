//! The three times of a request and of a job, and how they contradict each other (FORMATS.md 3).

use crate::clock::When;
use crate::fields::{self, Fields};
use chrono::TimeDelta;

/// How far two local times of one instant may be apart: times of both kinds are compared only beyond it.
const WIDEST_OFFSET: TimeDelta = TimeDelta::hours(26);

/// From when on something is offered, runs by itself, runs no more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Times {
    /// May run by choice from here.
    pub offer: Option<When>,
    /// Runs by itself from here; never, if absent.
    pub mandatory: Option<When>,
    /// Never runs from here on.
    pub expire: Option<When>,
}

/// The three times. Only written ones contradict each other: a file that is published again has a later `issued`.
pub(crate) fn times(f: &mut Fields<'_, '_>) -> Times {
    let offer = f.get("offer_after", fields::when);
    let mandatory = f.get("mandatory_after", fields::when);
    let expire = f.get("expire_after", fields::when);
    let mut exclude = |key: &str, message: &str| f.wrong_as("contradiction", key, message);
    if let (Some(offer), Some(mandatory)) = (offer, mandatory)
        && order(mandatory, offer) == Order::Before
    {
        exclude("mandatory_after", "it is before offer_after");
    }
    for (name, other) in [("mandatory_after", mandatory), ("offer_after", offer)] {
        if let (Some(expire), Some(other)) = (expire, other)
            && order(expire, other) != Order::Other
        {
            exclude("expire_after", &format!("it is not after {name}"));
        }
    }
    Times { offer, mandatory, expire }
}

#[derive(PartialEq, Eq)]
enum Order {
    Before,
    Same,
    /// After, or it depends on the machine's zone.
    Other,
}

fn order(a: When, b: When) -> Order {
    let exact = |ordering: std::cmp::Ordering| match ordering {
        std::cmp::Ordering::Less => Order::Before,
        std::cmp::Ordering::Equal => Order::Same,
        std::cmp::Ordering::Greater => Order::Other,
    };
    let surely_before = |a: chrono::NaiveDateTime, b: chrono::NaiveDateTime| {
        if b.signed_duration_since(a) > WIDEST_OFFSET { Order::Before } else { Order::Other }
    };
    match (a, b) {
        (When::Instant(a), When::Instant(b)) => exact(a.cmp(&b)),
        (When::Local(a), When::Local(b)) => exact(a.cmp(&b)),
        (When::Instant(a), When::Local(b)) => surely_before(a.naive_utc(), b),
        (When::Local(a), When::Instant(b)) => surely_before(a, b.naive_utc()),
    }
}
