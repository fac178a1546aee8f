//! The witness of every launch: it stands outside of the executor, remembers what was launched whatever is lost, and says
//! at that very moment whether it was right.

use super::share::Mood;
use super::world::{Inner, Launch};
use crate::clock::Wall;
use crate::executor::history::{AttemptRow, Mark};
use crate::executor::run::outcome::{EndedBy, ExitRecord};
use crate::site::ids::RequestId;
use crate::site::instruction::{Entry, InstructionFile, Outcome, Request};
use crate::terms::{Gate, State};
use rusqlite::{Connection, OpenFlags, OptionalExtension};

/// `<RequestID>-<attempt>` taken apart.
pub fn request_of(run: &str) -> RequestId {
    run.split('-').next().unwrap_or_default().parse().unwrap()
}

/// A package starts now.
pub fn launched(inner: &mut Inner, run: &str) {
    let request = request_of(run);
    inner.figures.launches += 1;
    // An operator who adopts decides about all earlier histories: their attempts have namesakes in the new one. Those that
    // were adopted as done are looked at in `by_itself`.
    if inner.launched(run).next().is_some() {
        inner.figures.double_runs += 1;
        inner.violation(format!("P1: {run} is launched a second time"));
    }
    match claim(inner, run) {
        Ok(row) => {
            if let Some(hash) = &row.content
                && !inner.seal(hash).is_ok_and(|seal| inner.verified.contains(&(hash.clone(), seal.0)))
            {
                inner.violation(format!("P11: {run} is launched from content that nobody has verified"));
            }
            if row.attempt.by.as_str() == "service" {
                by_itself(inner, &request, run);
            } else {
                times(inner, &request, run, false);
                asked_for_by_hand(inner, &row);
            }
        }
        Err(why) => inner.violation(format!("P1: {run} is launched without a durable claim: {why}")),
    }
    let (epoch, boot) = (inner.epoch, inner.boot);
    inner.witness.push(Launch { run: run.to_owned(), epoch, boot });
}

/// The folder of a run goes: then its end is recorded, the mark knows that, and its result has arrived.
pub fn put_away(inner: &mut Inner, run: &str) {
    let ended = || -> Result<bool, String> {
        let recorded = attempt(inner, run)?.attempt.state.is_terminal();
        let request = request_of(run);
        let seq: i64 = connect(inner)?
            .query_row(
                "SELECT MAX(seq) FROM events WHERE kind = 'ended' AND request = ?1",
                [request.as_str()],
                |row| row.get(0),
            )
            .map_err(|e| e.to_string())?;
        let mark = Mark::read(&inner.layout.mark()).ok().flatten();
        Ok(recorded && mark.is_some_and(|mark| mark.events >= seq.unsigned_abs()))
    };
    if ended() != Ok(true) {
        inner.violation(format!("P6: {run} is put away and its end may be lost: {:?}", ended()));
    }
    if !inner.share.results.contains_key(&(format!("{run}.MIF"), inner.epoch)) {
        inner.violation(format!("P6: {run} is put away before its result has arrived"));
    }
}

fn connect(inner: &Inner) -> Result<Connection, String> {
    Connection::open_with_flags(inner.layout.history(), OpenFlags::SQLITE_OPEN_READ_ONLY)
        .map_err(|e| e.to_string())
}

/// An attempt, read from the file and not asked of the executor.
fn attempt(inner: &Inner, run: &str) -> Result<AttemptRow, String> {
    let (request, number) = run.split_once('-').ok_or("no run")?;
    let row: Option<String> = connect(inner)?
        .query_row("SELECT row FROM attempts WHERE request = ?1 AND number = ?2", [request, number], |row| {
            row.get(0)
        })
        .optional()
        .map_err(|e| e.to_string())?;
    serde_json::from_str(&row.ok_or("there is none")?).map_err(|e| e.to_string())
}

/// The claim; the mark must know it, too.
fn claim(inner: &Inner, run: &str) -> Result<AttemptRow, String> {
    let db = connect(inner)?;
    let row = attempt(inner, run)?;
    let request = row.request.as_str();
    if row.attempt.state != State::Running {
        return Err(format!("it is {} already", row.attempt.state));
    }
    let seq: u64 = db
        .query_row("SELECT MAX(seq) FROM events WHERE kind = 'claim' AND request = ?1", [request], |row| {
            row.get::<_, i64>(0)
        })
        .map_err(|e| e.to_string())?
        .unsigned_abs();
    match Mark::read(&inner.layout.mark()) {
        Ok(Some(mark))
            if mark.events >= seq && inner.generations.get(&mark.generation) == Some(&inner.epoch) =>
        {
            Ok(row)
        }
        other => Err(format!("the claim is event {seq}, the mark says {other:?}")),
    }
}

/// Not before the offer, not at or after the expiry, nor before it is mandatory where nobody asked for it.
fn times(inner: &mut Inner, request: &RequestId, run: &str, by_itself: bool) {
    let Some(r) = inner.published.get(request).cloned() else {
        return inner.violation(format!("{run} is launched and was never published"));
    };
    let at = |when: crate::clock::When| when.resolve(&inner.zone);
    let (offer, mandatory, expire) = (at(r.offer_after), r.mandatory_after.map(&at), r.expire_after.map(&at));
    let wall = inner.wall;
    if wall < offer {
        inner.violation(format!("P5: {run} is launched before its offer time {offer}"));
    }
    if expire.is_some_and(|expire| wall >= expire) {
        inner.violation(format!("P5: {run} is launched at {wall}, at or after its expiry {expire:?}"));
    }
    if by_itself && mandatory.is_none_or(|mandatory| wall < mandatory) {
        inner.violation(format!("P5: {run} is launched by itself before it is mandatory, {mandatory:?}"));
    }
}

/// What an operator asked for waits for what it does not pass by name, however long it was in the queue.
fn asked_for_by_hand(inner: &mut Inner, row: &AttemptRow) {
    let (wall, run) = (inner.wall, row.run());
    let named = |gate: Gate| row.overrides.iter().any(|word| word == gate.as_str());
    if inner.held_until.is_some_and(|until| wall < until) && !named(Gate::Hold) {
        inner.violation(format!("{run} is launched for an operator during a hold that it does not pass"));
    }
    if inner.deferred.get(&row.request).is_some_and(|until| wall < *until) && !named(Gate::Deferral) {
        inner.violation(format!("{run} is launched for an operator while it is deferred"));
    }
}

/// An operator asked for an earlier attempt of it since: what follows by itself are that one's retries.
fn asked_for(inner: &Inner, request: &RequestId, run: &str) -> bool {
    let number: u32 = run.rsplit('-').next().and_then(|number| number.parse().ok()).unwrap();
    (1..number).any(|n| {
        attempt(inner, &format!("{request}-{n}")).is_ok_and(|row| row.attempt.by.as_str() != "service")
    })
}

/// A launch that no operator asked for.
fn by_itself(inner: &mut Inner, request: &RequestId, run: &str) {
    times(inner, request, run, true);
    if inner.lost {
        inner.violation(format!("P4: {run} is launched by itself while history is lost"));
    }
    // What could not be kept on a full disk is in force all the same, so that a newer one is no violation.
    let kept = inner.highest.as_ref().map(|file| file.serial);
    if inner.last_serial.get(request).copied() < kept {
        inner.violation(format!(
            "P10: {run} is launched by itself, and a newer instruction file has cancelled it"
        ));
    }
    let wall = inner.wall;
    if inner.held_until.is_some_and(|until| wall < until) {
        inner.violation(format!("{run} is launched by itself during a hold"));
    }
    if inner.deferred.get(request).is_some_and(|until| wall < *until) {
        inner.violation(format!("{run} is launched by itself while it is deferred"));
    }
    if inner.adopted.contains(request) && !asked_for(inner, request, run) {
        inner.figures.double_runs += 1;
        inner.violation(format!("P4: {run} is launched by itself, an operator said that it is done"));
    }
    if let Err(why) = follows(inner, run) {
        inner.figures.double_runs += 1;
        inner.violation(format!("P1: {run} is launched by itself after {why}"));
    }
    let key = |inner: &Inner, id: &RequestId| {
        let r = inner.published.get(id)?;
        Some((r.mandatory_after?.resolve(&inner.zone), *id))
    };
    let mine: Option<(Wall, RequestId)> = key(inner, request);
    for other in due(inner) {
        if other != *request && key(inner, &other) < mine {
            inner.violation(format!("P5: {run} is launched before {other}, which is due and comes first"));
        }
    }
}

/// An attempt by itself is the first, or follows one that asked to be repeated, or one that was never launched and was
/// rightly begun.
fn follows(inner: &Inner, run: &str) -> Result<(), String> {
    let (request, number) = run.split_once('-').ok_or("no run")?;
    let number: u32 = number.parse().map_err(|_| "no number")?;
    for earlier in (1..number).rev() {
        let earlier = format!("{request}-{earlier}");
        if inner.launched(&earlier).next().is_some() {
            return match truth(inner, &earlier) {
                Some((Outcome::Retry, _)) => Ok(()),
                Some((outcome, _)) => Err(format!("{earlier}, which ended as {outcome:?}")),
                None => Err(format!("{earlier}, which has no known end")),
            };
        }
        if attempt(inner, &earlier)?.attempt.by.as_str() != "service" {
            return Ok(());
        }
    }
    Ok(())
}

/// What the history says is due.
fn due(inner: &Inner) -> Vec<RequestId> {
    let read = || -> rusqlite::Result<Vec<String>> {
        let db = Connection::open_with_flags(inner.layout.history(), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let mut statement = db.prepare("SELECT request FROM seen WHERE state = 'due'")?;
        statement.query_map([], |row| row.get(0))?.collect()
    };
    // The history keeps the newest state of what a file put back by the share does not list any more.
    let held = inner.held();
    let still = |id: &RequestId| {
        let listed = |file: &InstructionFile| find(file, id).is_some();
        inner.published_now(id).is_some() && held.as_ref().is_none_or(listed)
    };
    read().unwrap_or_default().iter().filter_map(|id| id.parse().ok()).filter(still).collect()
}

impl Inner {
    /// The launches of a run of the history in force.
    pub fn launched(&self, run: &str) -> impl Iterator<Item = &Launch> {
        self.witness.iter().filter(move |launch| launch.run == run && launch.epoch == self.epoch)
    }

    /// A request as it stands on the share now, as far as this machine may take it.
    pub fn published_now(&self, id: &RequestId) -> Option<&Request> {
        let behind = |older: &InstructionFile| self.highest.as_ref().is_some_and(|h| h.serial > older.serial);
        let older = self.share.older.as_ref().filter(|_| self.share.mood == Mood::RolledBack);
        let older = older.filter(|older| !behind(older));
        find(older.unwrap_or(&self.share.file), id)
    }
}

fn find<'a>(file: &'a InstructionFile, id: &RequestId) -> Option<&'a Request> {
    file.requests.iter().find_map(|entry| match entry {
        Entry::Good(r) if r.request_id == *id => Some(&**r),
        _ => None,
    })
}

/// How a run ended as its run host has written it down, and the state that follows from it. None: no record.
pub fn truth(inner: &Inner, run: &str) -> Option<(Outcome, State)> {
    let bytes =
        inner.disk.read(&format!("runs/{run}"), "exit").or_else(|| inner.exits_away.get(run).cloned())?;
    let record: ExitRecord = serde_json::from_slice(&bytes).ok()?;
    let host = inner.hosts.get(run)?;
    let table = inner.published.get(&request_of(run)).map(|r| r.exit_codes.clone()).unwrap_or_default();
    Some(match record.ended_by {
        EndedBy::TimeLimit => (Outcome::Failure, State::TimedOut),
        EndedBy::Operator => (Outcome::Failure, State::Stopped),
        // Nothing was launched: it may be tried again.
        EndedBy::NeverTold => (Outcome::Retry, State::Failed),
        EndedBy::NotStarted => (Outcome::Failure, State::Failed),
        EndedBy::Itself => {
            let code = record.exit_code?;
            let by_code = table.get(&code).copied().unwrap_or(match code {
                0 => Outcome::Success,
                3010 => Outcome::Restart,
                1618 => Outcome::Retry,
                _ => Outcome::Failure,
            });
            match (host.behaviour.mif, by_code) {
                (super::site::Mif::Malformed | super::site::Mif::Failure, _) => {
                    (Outcome::Failure, State::Failed)
                }
                (_, Outcome::Restart) => (Outcome::Restart, State::SucceededRestart),
                (super::site::Mif::Success, _) | (_, Outcome::Success) => {
                    (Outcome::Success, State::Succeeded)
                }
                (_, outcome) => (outcome, State::Failed),
            }
        }
    })
}
