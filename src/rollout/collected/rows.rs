//! The requests of a machine, a row each: an array of what a rollout counts by, in a fixed order. What is not asked for is
//! passed over without being kept; further elements are for later versions.

use crate::clock::Wall;
use crate::rollout::account::{Forecast, MOST_REQUESTS, Said, once, short};
use crate::site::ids::RequestId;
use crate::terms::State;
use crate::text::SafeText;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, SeqAccess, Visitor};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What was read of them.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// Those that were asked for.
    pub(super) said: Vec<Said>,
    /// How many of all are in each state.
    states: BTreeMap<State, u64>,
}

/// The line of these requests, without its end.
pub(super) fn write(requests: &[Said]) -> Vec<u8> {
    let micros = |at: Option<Wall>| at.map(|at| at.timestamp_micros());
    let rows = requests.iter().map(|said| {
        let (next, latest, never) = match said.forecast {
            None => (None, None, false),
            Some(Forecast::Never) => (None, None, true),
            Some(Forecast::Runs { next, latest }) => (Some(next), latest, false),
        };
        (
            said.request_id,
            said.state,
            said.job_id,
            said.package_id,
            micros(said.since),
            said.attempt,
            &said.blocked_by,
            micros(said.next_change),
            said.exit_code,
            &said.result,
            micros(said.started_at),
            micros(said.ended_at),
            micros(next),
            micros(latest),
            never,
            said.late_s,
        )
    });
    serde_json::to_vec(&rows.collect::<Vec<_>>()).unwrap_or_default()
}

impl Rows {
    /// Reads such a line. `asked`: only these; None: all.
    pub(super) fn read(line: &[u8], asked: Option<&BTreeSet<RequestId>>) -> serde_json::Result<Self> {
        let mut rows = Self::default();
        let mut from = serde_json::Deserializer::from_slice(line);
        All { rows: &mut rows, asked }.deserialize(&mut from)?;
        from.end()?;
        Ok(rows)
    }

    /// They are as many of each state as these. Where there are more than are kept of one machine, that cannot be said.
    pub(super) fn are_of(&self, states: &BTreeMap<State, u64>) -> bool {
        let all =
            |states: &BTreeMap<State, u64>| states.values().fold(0_u64, |all, n| all.saturating_add(*n));
        self.states == *states || all(&self.states) >= MOST_REQUESTS as u64 && all(states) > all(&self.states)
    }
}

struct All<'a> {
    rows: &'a mut Rows,
    asked: Option<&'a BTreeSet<RequestId>>,
}

impl<'de> DeserializeSeed<'de> for All<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for All<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("rows of requests")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        for _ in 0..MOST_REQUESTS {
            if seq.next_element_seed(One { rows: self.rows, asked: self.asked })?.is_none() {
                return Ok(());
            }
        }
        match seq.next_element::<IgnoredAny>()? {
            None => Ok(()),
            Some(_) => Err(A::Error::custom("there are too many requests")),
        }
    }
}

struct One<'a> {
    rows: &'a mut Rows,
    asked: Option<&'a BTreeSet<RequestId>>,
}

impl<'de> DeserializeSeed<'de> for One<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for One<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a request as an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        fn next<'de, T: serde::Deserialize<'de>, A: SeqAccess<'de>>(seq: &mut A) -> Result<T, A::Error> {
            seq.next_element()?.ok_or_else(|| A::Error::custom("a request is cut off"))
        }
        fn at<'de, A: SeqAccess<'de>>(seq: &mut A) -> Result<Option<Wall>, A::Error> {
            let micros: Option<i64> = next(seq)?;
            let at =
                |micros| Wall::from_timestamp_micros(micros).ok_or_else(|| A::Error::custom("no instant"));
            micros.map(at).transpose()
        }
        let (request_id, state): (RequestId, State) = (next(&mut seq)?, next(&mut seq)?);
        *self.rows.states.entry(state).or_default() += 1;
        if self.asked.is_none_or(|asked| asked.contains(&request_id)) {
            let mut said = Said {
                job_id: next(&mut seq)?,
                package_id: next(&mut seq)?,
                since: at(&mut seq)?,
                attempt: next(&mut seq)?,
                blocked_by: once(next(&mut seq)?),
                next_change: at(&mut seq)?,
                exit_code: next(&mut seq)?,
                ..Said::of(request_id, state)
            };
            let result: Option<SafeText> = next(&mut seq)?;
            said.result = result.map(|result| short(&result));
            (said.started_at, said.ended_at) = (at(&mut seq)?, at(&mut seq)?);
            let (run, latest, never) = (at(&mut seq)?, at(&mut seq)?, next(&mut seq)?);
            said.forecast = match (run, never) {
                (Some(next), _) => Some(Forecast::Runs { next, latest }),
                (None, true) => Some(Forecast::Never),
                (None, false) => None,
            };
            said.late_s = next(&mut seq)?;
            self.rows.said.push(said);
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }
}
