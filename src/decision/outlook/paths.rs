//! Who starts after whom. Runs end between their usual time and their limit, so that the machine is free from some time
//! on that lies between two; whatever start can follow from there is followed, together where the same have run. A
//! start that any of these ways knows lies within the pair, whatever the runs take in between: that a longer run can
//! bring another one forward is seen too.

use super::super::countdown::latest_notice;
use super::super::gates::{Gates, once_settled, open_need, opening, waits_after, waits_for_package};
use super::super::model::{Change, GateResult, Inputs, NextRun, RestartRule};
use super::super::restart::{deferred_until, pending_restart, restarts_at};
use super::super::usual::{RunTime, UsualTimes};
use super::super::world::{Subject, Words, World, good_until, newest, running};
use super::lane::{Lane, Other, Span, Turns};
use super::queue;
use crate::clock::{Wall, earlier, later};
use crate::site::ids::RequestId;
use crate::site::installed::{Answer, Need};
use crate::site::instruction::{Entry, Request, Restarts};
use crate::site::package::InstalledIf;
use crate::terms::{Code, Verdict};
use chrono::TimeDelta;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// So many looks at a request, and no more: some milliseconds. Each one counts that is asked what it turns, whether it has
/// run, or when it could start. What is not known by then has no latest time.
const MAX_WORK: usize = 1_000_000;
/// Where it is less certain than that when the machine is free, nothing is followed any further.
const MAX_APART: TimeDelta = TimeDelta::days(31);

/// Which have run, a bit each by their places.
type Done = Vec<u64>;

/// When the machine is free again: between these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Free {
    from: Wall,
    until: Wall,
}

/// What starts where the machine is free at some time, and for how much later a time this still holds.
struct Launch {
    lane: usize,
    at: Wall,
    /// For any time before this one the same one starts.
    holds: Wall,
    /// The later it is free, the later it starts, until this closes; None: it starts at the same time.
    closes: Option<Wall>,
}

/// The next runs of all that start by themselves.
pub(super) fn all(inputs: &Inputs, runs_take: RunTime) -> BTreeMap<RequestId, NextRun> {
    // As it will be once nothing runs and a restart that is pending is done.
    let mut facts = inputs.facts.clone();
    if let Some(need) = facts.running.and_then(|(id, _)| inputs.instructions.need_of(&id)) {
        facts.turn(need);
    }
    facts.running = None;
    let ended = facts.clone();
    if pending_restart(inputs).is_some() {
        facts.boot_id = "foretold".to_owned();
    }
    let then = Inputs { facts: &facts, ..*inputs };
    let world = World::new(&then, Words::Nothing);
    let mut paths = Paths::new(&world, inputs, runs_take);
    let now = Inputs { facts: &ended, ..*inputs };
    let runs = inputs.facts.running.and_then(|(id, _)| queue::request_of(inputs, &id));
    let queue = queue::waiting(&now, runs);
    if !queue.is_empty() {
        // What of the two comes first is not followed.
        if let Some(free) = paths.free_first(inputs) {
            paths.leave(&paths.nothing(), free.from);
        }
        let free = paths.ends_first(inputs);
        let mut found = paths.found();
        let takes = |request: &Request| paths.takes(Some(request), request.max_run_time);
        let others = !paths.lanes.is_empty();
        let line = queue::Line { from: free.from, until: free.until, takes: &takes, others };
        found.extend(queue::foretell(&now, &queue, &line));
        return found;
    }
    if paths.can_wait_again(runs) {
        // Whether it starts before what it needs is removed is not followed.
        paths.leave(&paths.nothing(), inputs.now);
    } else if facts.copying.is_empty() {
        if let Some(free) = paths.free_first(inputs) {
            paths.follow(free);
        }
    } else {
        // How long others wait for files that may never come is not known.
        paths.leave(&paths.nothing(), inputs.now);
    }
    paths.found()
}

struct Paths<'w> {
    world: &'w World<'w>,
    /// In the order in which the service starts them.
    lanes: Vec<Lane<'w>>,
    tests: Tests<'w>,
    usual: &'w UsualTimes,
    runs_take: RunTime,
    /// Until then what is published counts.
    valid: Wall,
    /// How long users are told before a start; None: there is nobody.
    notice: Option<Duration>,
    /// The machine restarts before anything starts: what an operator said about a restart is over by then.
    restarted: bool,
    work: Cell<usize>,
    /// The places of those that turn a test, by its place.
    turning: Vec<Vec<usize>>,
    /// The first and the last start of each on all ways, by their places.
    starts: Vec<Option<(Wall, Wall)>>,
    /// On some way it does not start, or it is not known when.
    missed: Vec<bool>,
}

impl<'w> Paths<'w> {
    /// `now`: the inputs as they are, `world`: as it will be when something can start.
    fn new(world: &'w World<'w>, now: &Inputs<'w>, runs_take: RunTime) -> Paths<'w> {
        let inputs = world.inputs;
        let usual = inputs.history.attempts.usual_times();
        let mut paths = Paths {
            world,
            lanes: Vec::new(),
            tests: Tests::default(),
            runs_take,
            valid: good_until(inputs).unwrap_or(Wall::MAX_UTC),
            notice: inputs.facts.attended().then_some(inputs.policy.config.run.countdown),
            restarted: false,
            work: Cell::new(0),
            turning: Vec::new(),
            starts: Vec::new(),
            missed: Vec::new(),
            usual,
        };
        let ends = now.facts.running.map(|(id, _)| id);
        paths.lanes = paths.find_lanes(ends);
        paths.starts = vec![None; paths.lanes.len()];
        paths.missed = vec![false; paths.lanes.len()];
        paths.turning = vec![Vec::new(); paths.tests.0.len()];
        for (at, lane) in paths.lanes.iter().enumerate() {
            if let Some(turning) = lane.need.and_then(|turns| paths.turning.get_mut(turns.test)) {
                turning.push(at);
            }
        }
        paths
    }

    /// Everything that only time, another run and a restart keep from starting. `ends`: what runs now, and succeeds.
    fn find_lanes(&mut self, ends: Option<RequestId>) -> Vec<Lane<'w>> {
        let world = self.world;
        let gates = Gates::new(world);
        let entries = world.inputs.instructions.file.iter().flat_map(|file| &file.requests).enumerate();
        let mut lanes: Vec<(Lane, Vec<RequestId>)> = Vec::new();
        for (index, entry) in entries {
            let Some(request) = entry.good() else { continue };
            let subject = Subject::new(world, index, request);
            let gates = || gates.of_request(&subject, opening(world, &subject, world.now));
            let in_queue =
                world.inputs.history.queue.iter().any(|queued| queued.request == request.request_id);
            let opens = subject.by_itself()
                && !in_queue
                && !waits_for_package(world, &subject)
                && once_settled(world, &subject).verdict == Verdict::Pass
                && gates().iter().all(opens);
            if opens {
                let succeeded = |id: &RequestId| world.succeeded(id) == Some(true) || Some(*id) == ends;
                let missing = request.depends_on.iter().filter(|id| !succeeded(id));
                let (least, longest) = self.takes(Some(request), request.max_run_time);
                let mut lane = Lane::new(subject, least, longest);
                lane.need = subject.need.map(|need| self.tests.turns(need));
                lanes.push((lane, missing.copied().collect()));
            }
        }
        // What has nothing to do has it only after one that undoes it.
        let turns: Vec<Turns> = lanes.iter().filter_map(|(lane, _)| lane.need).collect();
        let undone = |own: &Turns| turns.contains(&Turns { removes: !own.removes, ..*own });
        let tests = &self.tests;
        lanes.retain(|(lane, _)| lane.need.is_none_or(|own| tests.first(world, own) || undone(&own)));
        let can = those_that_can(world, &lanes);
        lanes.retain(|(lane, _)| can.contains(&lane.id()));
        lanes.sort_by_key(|(lane, _)| lane.order);
        let places: BTreeMap<RequestId, usize> =
            lanes.iter().enumerate().map(|(at, (lane, _))| (lane.id(), at)).collect();
        let mut other = |id: &RequestId| {
            let need = open_need(world, id).map(|need| self.tests.turns(need));
            Other { lane: places.get(id).copied(), need }
        };
        let placed = lanes.into_iter().map(|(mut lane, missing)| {
            lane.after = missing.iter().map(&mut other).collect();
            lane.unless = newer(world, &lane.subject).map(|id| other(&id)).collect();
            lane
        });
        placed.collect()
    }

    /// Whether what one of them needs is removed by another one, or by what runs now.
    fn can_wait_again(&self, runs: Option<&Request>) -> bool {
        let others = || self.lanes.iter().map(|lane| lane.subject.request).chain(runs);
        // Most need no package.
        let needs =
            |lane: &&Lane| lane.subject.delivery.is_some_and(|delivery| !delivery.packages.is_empty());
        let mut needing = self.lanes.iter().filter(needs);
        needing.any(|lane| others().any(|other| waits_after(self.world, &lane.subject, other)))
    }

    /// The shortest and the longest time of a run.
    fn takes(&self, request: Option<&Request>, longest: Duration) -> (Duration, Duration) {
        match self.runs_take {
            RunTime::Usual => (request.map_or(Duration::ZERO, |request| self.usual.get(request)), longest),
            RunTime::Longest => (longest, longest),
            RunTime::Nothing => (Duration::ZERO, Duration::ZERO),
            RunTime::About(time) => (time.min(longest), time.min(longest)),
        }
    }

    /// When what runs now has ended.
    fn ends_first(&self, now: &Inputs) -> Free {
        let Some((id, since)) = now.facts.running else { return Free { from: now.now, until: now.now } };
        let entries = now.instructions.file.iter().flat_map(|file| &file.requests);
        let request = entries.filter_map(Entry::good).find(|request| request.request_id == id);
        let longest = request.map_or(now.policy.config.run.max_run_time, |request| request.max_run_time);
        let (least, longest) = self.takes(request, longest);
        Free { from: later(since, least).max(now.now), until: later(since, longest).max(now.now) }
    }

    /// When the machine is free at first: once what runs now has ended, and a restart is done. None: never.
    fn free_first(&mut self, now: &Inputs) -> Option<Free> {
        let (free, mut rules) = (self.ends_first(now), Vec::new());
        if let Some((id, _)) = now.facts.running {
            let attempt = newest(now, &id).filter(|attempt| running(attempt.state));
            rules
                .extend(attempt.map(|attempt| attempt.restart).filter(|rule| rule.restarts == Restarts::Pcm));
        }
        let pending = pending_restart(now);
        if pending.as_ref().is_some_and(|pending| pending.cancelled && rules.is_empty()) {
            return None;
        }
        if pending.is_none() && rules.is_empty() {
            return Some(free);
        }
        rules.extend(pending.into_iter().flat_map(|pending| pending.rules));
        let deferred = deferred_until(now);
        let free = self.restarted(free, &rules, deferred);
        self.restarted = true;
        free
    }

    /// When it is free after a restart that is pending from then on. None: pcm does not restart it by itself.
    fn restarted(&self, free: Free, rules: &[RestartRule], deferred: Option<Wall>) -> Option<Free> {
        let settled = |from: Wall| {
            let restarts = restarts_at(self.world, rules, deferred.map_or(from, |until| until.max(from)))?;
            Some(later(restarts, self.world.inputs.policy.config.run.after_boot))
        };
        // What it takes until then grows with the time from which on it is pending.
        Some(Free { from: settled(free.from)?, until: settled(free.until)? })
    }

    fn nothing(&self) -> Done {
        vec![0; self.lanes.len().div_ceil(64)]
    }

    /// Follows all ways from there, those on which as many have run side by side.
    fn follow(&mut self, first: Free) {
        let mut level = BTreeMap::from([(self.nothing(), first)]);
        let announced = self.world.inputs.facts.countdown.filter(|_| first.until <= self.world.now);
        let mut announced = announced.map(|announced| (announced.request, announced.ends));
        while !level.is_empty() {
            let mut next = BTreeMap::new();
            for (done, free) in level {
                if self.work.get() > MAX_WORK || free.until - free.from > MAX_APART {
                    self.leave(&done, free.from);
                } else {
                    self.follow_one(&done, free, announced.take(), &mut next);
                }
            }
            level = next;
        }
    }

    /// What follows where these have run.
    fn follow_one(
        &mut self,
        done: &Done,
        free: Free,
        announced: Option<(RequestId, Wall)>,
        level: &mut BTreeMap<Done, Free>,
    ) {
        let mut t = free.from;
        while t <= free.until {
            let launch = match announced {
                Some((id, ends)) => self.announced(done, t, id, ends),
                None => self.launch(done, t),
            };
            let Some(launch) = launch else { return self.miss(done) };
            let last = launch.holds.min(free.until);
            let starts = Free {
                from: launch.at,
                until: launch.closes.map_or(launch.at, |closes| self.told(last, closes)),
            };
            self.note(launch.lane, starts);
            let lane = &self.lanes[launch.lane];
            let ended =
                Free { from: later(starts.from, lane.usual), until: later(starts.until, lane.longest) };
            let rule = RestartRule::of(lane.subject.request);
            let with = with(done, launch.lane);
            let free_again = match rule.restarts {
                Restarts::No | Restarts::Program => Some(ended),
                Restarts::Pcm => {
                    let before = self.restarted
                        || self.lanes.iter().enumerate().any(|(at, lane)| {
                            has(done, at) && lane.subject.request.restarts == Restarts::Pcm
                        });
                    let deferred = if before { None } else { deferred_until(self.world.inputs) };
                    self.restarted(ended, &[rule], deferred)
                }
            };
            match free_again {
                None => self.miss(&with),
                Some(again) => {
                    let known = level.entry(with).or_insert(again);
                    *known = Free { from: known.from.min(again.from), until: known.until.max(again.until) };
                }
            }
            t = launch.holds;
        }
    }

    /// What starts where the machine is free at `t`. None: nothing any more.
    fn launch(&mut self, done: &Done, mut t: Wall) -> Option<Launch> {
        let mut holds = None;
        // Each round is a later time, or an older one that comes while users are told of a younger one.
        loop {
            let (lane, span, older) = self.first(done, t)?;
            if span.from > t {
                holds = holds.or(Some(span.from));
                t = span.from;
                continue;
            }
            let at = self.told(t, span.closes);
            if let Some(older) = older.filter(|older| *older <= at) {
                holds = holds.or(Some(older.min(span.until)));
                t = older;
                continue;
            }
            if at >= self.valid {
                return None;
            }
            let closes = if holds.is_none() { Some(span.closes) } else { None };
            // From then on an older one comes before it has started.
            let interrupted = older.map(|older| match self.notice {
                Some(notice) if older <= latest_notice(span.closes) => earlier(older, notice),
                Some(_) | None => older,
            });
            // From then on users would be told until nothing counts any more.
            let ends = self.notice.filter(|_| latest_notice(span.closes) >= self.valid);
            let ends = ends.map(|notice| earlier(self.valid, notice));
            let moves = interrupted.into_iter().chain(ends).fold(span.until, Wall::min);
            return Some(Launch { lane, at, holds: holds.unwrap_or(moves), closes });
        }
    }

    /// The same where users were told of this one already.
    fn announced(&mut self, done: &Done, t: Wall, id: RequestId, ends: Wall) -> Option<Launch> {
        let (lane, span, older) = self.first(done, t)?;
        if span.from > t || self.lanes[lane].id() != id {
            return self.launch(done, t);
        }
        let at = ends.max(t);
        let given_up = older.into_iter().chain([span.until]).min().filter(|end| *end <= at);
        match given_up {
            Some(end) => {
                let launch = self.launch(done, end)?;
                Some(Launch { holds: Wall::MAX_UTC, closes: None, ..launch })
            }
            None => Some(Launch { lane, at, holds: Wall::MAX_UTC, closes: None }),
        }
    }

    /// When it starts whose countdown begins at `t`.
    fn told(&self, t: Wall, closes: Wall) -> Wall {
        match self.notice {
            Some(notice) => later(t, notice).min(latest_notice(closes)).max(t),
            None => t,
        }
    }

    /// The first in order that can start at `t`, or else the one that can first after it; and when the next one comes that
    /// is older. None: nothing starts any more.
    fn first(&mut self, done: &Done, t: Wall) -> Option<(usize, Span, Option<Wall>)> {
        let mut to_come: Option<(usize, Span)> = None;
        for at in 0..self.lanes.len() {
            if has(done, at) || !self.may_follow(done, at) {
                continue;
            }
            let Some(span) = self.lanes[at].span(self.world, self.valid, t) else { continue };
            if span.from <= t {
                return Some((at, span, to_come.map(|(_, span)| span.from)));
            }
            if to_come.is_none_or(|(_, first)| span.from < first.from) {
                to_come = Some((at, span));
            }
        }
        to_come.map(|(at, span)| (at, span, None))
    }

    /// Whether it has something to do where these have run, and what has to come before it has.
    fn may_follow(&self, done: &Done, at: usize) -> bool {
        self.looked(1);
        let idle = |turns: Turns| self.is_installed(done, turns.test) == Some(!turns.removes);
        let fulfilled = |other: &Other| {
            self.looked(1);
            other.lane.is_some_and(|lane| has(done, lane)) || other.need.is_some_and(idle)
        };
        let lane = &self.lanes[at];
        lane.after.iter().all(fulfilled)
            && !lane.unless.iter().any(fulfilled)
            && lane.need.is_none_or(|turns| self.is_installed(done, turns.test) == Some(turns.removes))
    }

    /// What a test gives where these have run: each of them has turned it, since only what has something to do runs. None:
    /// it cannot be known.
    fn is_installed(&self, done: &Done, test: usize) -> Option<bool> {
        let turning = self.turning.get(test).map(Vec::as_slice).unwrap_or_default();
        self.looked(turning.len());
        let turned = turning.iter().filter(|at| has(done, **at));
        let first = self.tests.is_installed(self.world, test)?;
        Some(first ^ (turned.count() % 2 == 1))
    }

    fn looked(&self, at: usize) {
        self.work.set(self.work.get().saturating_add(at));
    }

    /// Gives up where these have run: the others start, if at all, when they can and not before the machine is free.
    fn leave(&mut self, done: &Done, free: Wall) {
        for at in 0..self.lanes.len() {
            if !has(done, at)
                && self.may_be_needed(done, at)
                && let Some(span) = self.lanes[at].span(self.world, self.valid, free)
            {
                let from = span.from.max(free);
                self.note(at, Free { from, until: from });
            }
        }
        self.miss(done);
    }

    /// Whether it has something to do where these have run, or may have it after another one.
    fn may_be_needed(&self, done: &Done, at: usize) -> bool {
        let Some(own) = self.lanes[at].need else { return true };
        let turns = Some(Turns { removes: !own.removes, ..own });
        let undoes =
            |at: &usize| !has(done, *at) && self.lanes.get(*at).is_some_and(|lane| lane.need == turns);
        self.is_installed(done, own.test) == Some(own.removes)
            || self.turning.get(own.test).is_some_and(|turning| turning.iter().any(undoes))
    }

    fn note(&mut self, at: usize, starts: Free) {
        let known = self.starts[at].get_or_insert((starts.from, starts.until));
        *known = (known.0.min(starts.from), known.1.max(starts.until));
    }

    /// Where these have run, no others will, or nobody knows when.
    fn miss(&mut self, done: &Done) {
        for (at, missed) in self.missed.iter_mut().enumerate() {
            *missed |= !has(done, at);
        }
    }

    fn found(&self) -> BTreeMap<RequestId, NextRun> {
        let each = self.lanes.iter().zip(&self.starts).zip(&self.missed);
        let found = each.filter_map(|((lane, starts), missed)| {
            let (at, latest) = (*starts)?;
            Some((lane.id(), NextRun { at, latest: (!missed).then_some(latest) }))
        });
        found.collect()
    }
}

/// Those that do not wait, each for the next, for what neither comes by itself nor has nothing to do.
fn those_that_can(world: &World, lanes: &[(Lane, Vec<RequestId>)]) -> BTreeSet<RequestId> {
    let mut can: BTreeSet<RequestId> = lanes.iter().map(|(lane, _)| lane.id()).collect();
    let mut waiting: BTreeMap<RequestId, Vec<RequestId>> = BTreeMap::new();
    for (lane, missing) in lanes {
        for id in missing {
            waiting.entry(*id).or_default().push(lane.id());
        }
    }
    let has_nothing_to_do = |id: &RequestId| open_need(world, id).is_some();
    let never = waiting.keys().filter(|id| !can.contains(id) && !has_nothing_to_do(id));
    let mut never: Vec<RequestId> = never.copied().collect();
    while let Some(id) = never.pop() {
        let those = waiting.remove(&id).unwrap_or_default();
        never.extend(those.into_iter().filter(|id| can.remove(id) && !has_nothing_to_do(id)));
    }
    can
}

/// The requests of jobs that take the place of this one.
fn newer<'w>(world: &World<'w>, subject: &Subject) -> impl Iterator<Item = RequestId> + 'w {
    let job = subject.request.job_id;
    let index = world.inputs.instructions.index.as_ref();
    let all = index.into_iter().flat_map(|index| &index.deliveries);
    all.filter(move |(_, delivery)| delivery.supersedes.contains(&job)).map(|(id, _)| *id)
}

/// The tests of all of them, each once.
#[derive(Default)]
struct Tests<'w>(Vec<&'w InstalledIf>);

impl<'w> Tests<'w> {
    /// What one that has this to do turns.
    fn turns(&mut self, need: &'w Need) -> Turns {
        let known = self.0.iter().position(|test| **test == need.test);
        let test = known.unwrap_or_else(|| {
            self.0.push(&need.test);
            self.0.len() - 1
        });
        Turns { test, removes: need.removes }
    }

    /// What it gives before any of them has run.
    fn is_installed(&self, world: &World, test: usize) -> Option<bool> {
        match world.inputs.facts.installed.get(*self.0.get(test)?)?.answer {
            Answer::Yes => Some(true),
            Answer::No => Some(false),
            Answer::Unknown => None,
        }
    }

    /// Whether one that turns it has something to do at first.
    fn first(&self, world: &World, turns: Turns) -> bool {
        self.is_installed(world, turns.test) == Some(turns.removes)
    }
}

/// Whether only time, another run or what has to come before keeps it closed.
fn opens(gate: &GateResult) -> bool {
    let passes = gate.verdict == Verdict::Pass || matches!(gate.change, Change::At(_));
    passes || matches!(gate.code, Some(Code::Dependency | Code::AlreadyInstalled))
}

fn has(done: &Done, at: usize) -> bool {
    done.get(at / 64).is_some_and(|bits| bits & (1 << (at % 64)) != 0)
}

fn with(done: &Done, at: usize) -> Done {
    let mut done = done.clone();
    if let Some(bits) = done.get_mut(at / 64) {
        *bits |= 1 << (at % 64);
    }
    done
}
