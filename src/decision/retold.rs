//! Why a request ran when it did, or why it never did, from what history recorded at the time (`explain`). Nothing is
//! worked out anew for the past: what was not recorded is said to be unknown. Pure; called by the executor's views.

use super::model::{Attempt, SERVICE};
use crate::clock::{Wall, Zone, between};
use crate::terms::{Code, State};
use crate::text::{SafeText, duration, short};
use std::time::Duration;

/// What history recorded of one request's states, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trail {
    /// Each change of its state, and of what was in its way.
    pub steps: Vec<TrailStep>,
    /// When no executor looked: from, until.
    pub unwatched: Vec<(Wall, Wall)>,
    /// When a run of it left the queue without an attempt, who took it out, and why.
    pub unqueued: Vec<(Wall, SafeText, SafeText)>,
}

/// From here on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrailStep {
    /// When it was noticed.
    pub at: Wall,
    /// The state.
    pub state: State,
    /// What was in the way besides its turn, where it waited; None: not recorded.
    pub codes: Option<Vec<Code>>,
}

/// A time in which it should have run and did not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocked {
    /// From here.
    pub from: Wall,
    /// Until here; None: still.
    pub until: Option<Wall>,
    /// What was in the way; empty: only another package that ran. None: nobody looked, or it was not recorded.
    pub codes: Option<Vec<Code>>,
}

/// What is asked about.
pub struct Asked<'a> {
    /// What history recorded.
    pub trail: &'a Trail,
    /// Its mandatory time.
    pub mandatory: Option<Wall>,
    /// From when on this machine runs it by itself: its mandatory time, or later by `[run] spread`.
    pub starts: Option<Wall>,
    /// When other packages ran, oldest first; None: still. That is a matter of the history, not of its own trail.
    pub others: &'a [(Wall, Option<Wall>)],
    /// Its expire time.
    pub expire: Option<Wall>,
    /// The attempt that is explained, and the gates that its operator passed over.
    pub attempt: Option<(&'a Attempt, &'a [String])>,
    /// Its details were folded: what was in its way is not known any more.
    pub folded: bool,
    /// Until then what was in its way was folded with the attempts of that time.
    pub known_from: Option<Wall>,
    /// Its state now.
    pub state: State,
    /// Now, and how times are written.
    pub now: Wall,
    /// The machine's own.
    pub zone: &'a Zone,
}

/// A run this long after its mandatory time is late: the service looks at least every half minute.
const LATE: Duration = Duration::from_secs(120);

impl Asked<'_> {
    /// Every time in which it should have run and did not, oldest first; up to the start of the attempt, to expiry, or
    /// to now. An operator's deferral counts: it is a reason like any other.
    pub fn blocked(&self) -> Vec<Blocked> {
        let end = self.attempt.map(|(attempt, _)| attempt.claimed_at);
        let end = end.or(self.expire.filter(|at| *at <= self.now));
        let last = end.unwrap_or(self.now);
        let mut found: Vec<Blocked> = Vec::new();
        let steps = &self.trail.steps;
        for (index, step) in steps.iter().enumerate().filter(|(_, step)| step.at < last) {
            let waited = match step.state {
                State::Waiting | State::Deferred | State::RetryWait => true,
                State::Due | State::Queued => false,
                State::Scheduled
                | State::Offered
                | State::Countdown
                | State::Running
                | State::Stopping
                | State::Succeeded
                | State::SucceededRestart
                | State::Failed
                | State::TimedOut
                | State::Stopped
                | State::Interrupted
                | State::Expired
                | State::NotApplicable
                | State::NotNeeded
                | State::Rejected => continue,
            };
            // Deferred before its time is no delay yet.
            let from = self.starts.map_or(step.at, |at| at.max(step.at));
            let next = steps.get(index + 1).map(|next| next.at.min(last));
            let until = next.unwrap_or(last);
            let open = next.is_none() && end.is_none();
            if !waited {
                self.behind_others(from, until, open, &mut found);
                continue;
            }
            self.watched(from, until, open, &step.codes, &mut found);
        }
        // What was seen before is not all there any more.
        found.retain(|span| self.known_from.is_none_or(|known| span.until.is_none_or(|until| until > known)));
        found
    }

    /// While it was due, only a package that ran before it kept it.
    fn behind_others(&self, from: Wall, until: Wall, open: bool, found: &mut Vec<Blocked>) {
        for (began, ended) in self.others.iter().filter(|(began, _)| *began < until) {
            let still = ended.is_none() && open;
            let (begin, end) = (from.max(*began), ended.unwrap_or(until).min(until));
            if begin < end {
                add(found, begin, (!still).then_some(end), Some(Vec::new()));
            }
        }
    }

    /// One step without the times in which nobody looked.
    fn watched(
        &self,
        mut from: Wall,
        until: Wall,
        open: bool,
        codes: &Option<Vec<Code>>,
        found: &mut Vec<Blocked>,
    ) {
        let gaps = self.trail.unwatched.iter().filter(|(start, end)| *start < until && *end > from);
        for (start, end) in gaps.copied().collect::<Vec<_>>() {
            add(found, from, Some(start), codes.clone());
            add(found, start.max(from), Some(end.min(until)), None);
            from = end;
        }
        add(found, from, (!open).then_some(until), codes.clone());
    }

    /// The story in sentences, each without its full stop.
    pub fn told(&self) -> Vec<SafeText> {
        let blocked = self.blocked();
        let mut told = Vec::new();
        match self.attempt {
            Some((attempt, overrides)) => told.extend(self.started(attempt, overrides, &blocked)),
            None if self.state == State::Expired => told.extend(self.missed(&blocked)),
            None => {}
        }
        let since = self.attempt.map(|(attempt, _)| attempt.claimed_at);
        let left = self.trail.unqueued.iter().filter(|(at, ..)| since.is_none_or(|since| *at > since));
        told.extend(left.map(|(at, who, why)| self.left_the_queue(*at, who, why)));
        told.into_iter().map(SafeText::from).collect()
    }

    fn left_the_queue(&self, at: Wall, who: &SafeText, why: &SafeText) -> String {
        let at = self.time(at);
        match (who.as_str() == SERVICE, why.is_empty()) {
            (true, _) => {
                format!("the service took a run of it out of the queue {at}, without an attempt: {why}")
            }
            (false, true) => format!("{who} took a run of it out of the queue {at}"),
            (false, false) => format!("{who} took a run of it out of the queue {at}: \"{why}\""),
        }
    }

    fn time(&self, at: Wall) -> String {
        short(at, self.now, self.zone)
    }

    fn started(&self, attempt: &Attempt, overrides: &[String], blocked: &[Blocked]) -> Vec<String> {
        let (n, at) = (attempt.number, self.time(attempt.claimed_at));
        if attempt.by != "service" {
            let over =
                if overrides.is_empty() { String::new() } else { format!(", over {}", overrides.join(", ")) };
            let reason =
                if attempt.reason.is_empty() { String::new() } else { format!(": \"{}\"", attempt.reason) };
            return vec![format!("{} started attempt {n} {at}{over}{reason}", attempt.by)];
        }
        let mut told = Vec::new();
        let mandatory = self.mandatory.filter(|m| *m <= attempt.claimed_at && n == 1);
        let late =
            self.starts.is_some_and(|at| between(at, attempt.claimed_at) > LATE) && mandatory.is_some();
        let when = match mandatory {
            Some(m) if late => {
                let late = duration(between(m, attempt.claimed_at));
                format!(", {late} after its mandatory time, {}", self.time(m))
            }
            Some(m) if self.starts > Some(m) => {
                format!(", at this machine's turn ([run] spread) after its mandatory time, {}", self.time(m))
            }
            Some(_) => ", at its mandatory time".to_owned(),
            None => String::new(),
        };
        told.push(format!("the service started attempt {n} by itself {at}{when}"));
        // What was at its time needs no reason: its files arriving a moment before are none.
        match blocked.last().filter(|_| late) {
            Some(Blocked { codes: Some(codes), until: Some(until), .. })
                if is_near(*until, attempt.claimed_at) =>
            {
                told.push(format!("what opened last: {}", opened(codes)));
            }
            None if late && !self.folded => told.push("why it did not run before is not recorded".to_owned()),
            _ => {}
        }
        told
    }

    fn missed(&self, blocked: &[Blocked]) -> Vec<String> {
        let Some(expire) = self.expire else { return Vec::new() };
        let mut told = vec![format!("it expired {} without an attempt", self.time(expire))];
        let seen_before = self.trail.steps.iter().any(|step| step.at < expire);
        if !seen_before {
            told.push("this machine first looked at it after that".to_owned());
            return told;
        }
        if let Some(m) = self.mandatory.filter(|m| *m >= expire) {
            told.push(format!("its mandatory time, {}, was never reached", self.time(m)));
            return told;
        }
        // The first moment at which a single thing was in the way, for each such thing.
        let mut named: Vec<Code> = Vec::new();
        for span in blocked {
            let alone = match span.codes.as_deref() {
                Some([]) => Code::Busy,
                Some([one]) => *one,
                Some([_, _, ..]) | None => continue,
            };
            if !named.contains(&alone) {
                named.push(alone);
                let without = alone.row().without;
                told.push(format!("{without} {}, it would have run then", self.time(span.from)));
            }
        }
        if blocked.iter().any(|span| span.codes.is_none()) {
            told.push("part of that time nobody looked, or it was not recorded".to_owned());
        }
        if blocked.is_empty() && self.mandatory.is_some() {
            told.push("what was in its way is not recorded".to_owned());
        }
        told
    }
}

/// The executor noticed and acted within a step or two.
fn is_near(a: Wall, b: Wall) -> bool {
    between(a, b) <= LATE
}

/// Adds a time, or lengthens the one before where nothing else is in the way.
fn add(found: &mut Vec<Blocked>, from: Wall, until: Option<Wall>, codes: Option<Vec<Code>>) {
    if until.is_some_and(|until| until <= from) {
        return;
    }
    match found.last_mut().filter(|last| last.until == Some(from) && last.codes == codes) {
        Some(last) => last.until = until,
        None => found.push(Blocked { from, until, codes }),
    }
}

/// `the maintenance window and no user busy`: what had to become true.
fn opened(codes: &[Code]) -> String {
    match codes {
        [] => "the package that ran before ended".to_owned(),
        codes => codes.iter().map(|code| code.as_str()).collect::<Vec<_>>().join(", ") + " was over",
    }
}
