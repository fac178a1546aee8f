//! What all requests of one decision share, worked out once: freezes as instants, the calendar of windows, a pending
//! restart. And what one request brings along: its times as instants, its attempts, its deferral. Called by `decide`,
//! `judge` and `simulate`; the gates read it.

use super::attempts::wanting;
use super::model::{Attempt, Deferrals, Facts, Inputs, Policy};
use super::window::{Calendar, Opening};
use crate::clock::{Wall, between, later};
use crate::site::content::ContentFact;
use crate::site::ids::{JobId, PackageId, RequestId, Turn};
use crate::site::indexed::Delivery;
use crate::site::installed::{Need, Needed};
use crate::site::instruction::{Entry, Request};
use crate::terms::State;
use crate::text::SafeText;
use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// Shared by all requests.
pub(super) struct World<'a> {
    pub inputs: &'a Inputs<'a>,
    pub now: Wall,
    /// Of the site and of the machine.
    pub freezes: Vec<Freeze<'a>>,
    /// The evidence where the windows cannot be read.
    pub calendar: Windows<'a>,
    /// A package that succeeded in this boot and wants a restart.
    pub restart: Option<(RequestId, &'a Attempt)>,
    /// When this machine's turn comes of what all machines would do at once.
    turn: Option<Turn>,
    /// Those that are known already of the times of requests, by their places.
    times: &'a [Option<Times>],
    /// The jobs that take the place of each, with their requests, once somebody asks for some.
    newer: OnceCell<BTreeMap<JobId, Vec<(JobId, RequestId)>>>,
    /// How much is put into words.
    words: Words,
}

/// How much is put into words: that takes several times as long as deciding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Words {
    /// Nothing: for whoever acts on the verdicts.
    Nothing,
    /// What a list shows of each request.
    List,
    /// That, and the evidence of every gate.
    Evidence,
}

/// The windows, or why they cannot be read. Kept from one decision to the next by whoever decides again and again.
pub(super) type Windows<'a> = Rc<Result<Calendar<'a>, SafeText>>;

/// The windows of a policy, ready for questions around an instant.
pub(super) fn windows(policy: &Policy, around: Wall) -> Windows<'_> {
    Rc::new(all_windows(policy, around))
}

/// Those of the machine together with those of its groups.
fn all_windows(policy: &Policy, around: Wall) -> Result<Calendar<'_>, SafeText> {
    let zone = policy.window_zone.as_ref().map_err(Clone::clone)?;
    let own = Calendar::new(&policy.config.windows.weekly, zone, around).map_err(SafeText::from)?;
    let mut others = Vec::new();
    for group in &policy.groups {
        let Some(windows) = &group.windows else { continue };
        let of = |why: &str| SafeText::new(&format!("the policy of group {}: {why}", group.group));
        let zone = windows.zone.as_ref().map_err(|why| of(why.as_str()))?;
        others.push(Calendar::new(&windows.weekly, zone, around).map_err(|why| of(&why))?);
    }
    Ok(own.and(others))
}

/// What whoever decides again and again keeps from one decision to the next: what neither time nor a run changes.
pub(super) struct Kept<'a> {
    windows: Windows<'a>,
    times: Vec<Option<Times>>,
    /// All requests with an attempt that succeeded and wanted a restart, in whatever boot.
    restarts: BTreeSet<RequestId>,
}

impl<'a> Kept<'a> {
    /// Of these instructions, this history and this policy.
    pub fn new(inputs: &Inputs, windows: Windows<'a>) -> Kept<'a> {
        let world = World::with(inputs, windows.clone(), None, &[], Words::Nothing);
        let entries = inputs.instructions.file.iter().flat_map(|file| &file.requests);
        let times = entries.map(|entry| match entry {
            Entry::Good(request) => Some(Times::new(&world, request, delivery(inputs, request))),
            Entry::Rejected(_) => None,
        });
        let restarts = inputs.history.attempts.restarts().iter().copied().collect();
        Kept { times: times.collect(), restarts, windows }
    }

    /// A run of this request has ended like that.
    pub fn ended(&mut self, id: RequestId, state: State) {
        if state == State::SucceededRestart {
            self.restarts.insert(id);
        }
    }

    /// A package that succeeded in this boot and wants a restart.
    pub fn restart<'i>(&self, inputs: &Inputs<'i>) -> Option<(RequestId, &'i Attempt)> {
        let wanting = |id| wanting(inputs.history.attempts.get(id)?, &inputs.facts.boot_id);
        self.restarts.iter().find_map(|id| Some((*id, wanting(id)?)))
    }
}

/// When the maintenance windows open next; None: they are open, never open, or cannot be read.
pub fn next_window(inputs: &Inputs) -> Option<Wall> {
    match windows(inputs.policy, inputs.now).as_ref().as_ref().ok()?.at(inputs.now, Duration::ZERO) {
        Opening::Closed { next } | Opening::TooShort { next, .. } => {
            Some(next).filter(|at| *at < Wall::MAX_UTC)
        }
        Opening::Always | Opening::Open { .. } | Opening::NeverFits { .. } => None,
    }
}

/// A freeze as instants.
#[derive(Debug, Clone, Copy)]
pub(super) struct Freeze<'a> {
    pub from: Wall,
    pub until: Wall,
    pub reason: &'a SafeText,
    pub whose: Whose<'a>,
}

/// Who is frozen.
#[derive(Debug, Clone, Copy)]
pub(super) enum Whose<'a> {
    Site,
    Machine,
    Group(&'a str),
}

impl fmt::Display for Whose<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Whose::Site | Whose::Group("all") => f.write_str("the site"),
            Whose::Machine => f.write_str("this machine"),
            Whose::Group(group) => write!(f, "group {group}"),
        }
    }
}

impl<'a> World<'a> {
    /// Evidence, where anybody wants to be told.
    pub fn tell<T: Into<SafeText>>(&self, words: impl FnOnce() -> T) -> SafeText {
        if self.words == Words::Evidence { words().into() } else { SafeText::EMPTY }
    }

    /// What a list shows, where somebody looks at one.
    pub fn show(&self, words: impl FnOnce() -> SafeText) -> SafeText {
        if self.words >= Words::List { words() } else { SafeText::EMPTY }
    }

    /// Of an instant.
    pub fn new(inputs: &'a Inputs<'a>, words: Words) -> World<'a> {
        let restart = inputs.history.attempts.wanting_restart(&inputs.facts.boot_id).next();
        World::with(inputs, windows(inputs.policy, inputs.now), restart, &[], words)
    }

    /// The same where something is kept from the decision before.
    pub fn again(inputs: &'a Inputs<'a>, kept: &'a Kept<'a>, words: Words) -> World<'a> {
        World::with(inputs, kept.windows.clone(), kept.restart(inputs), &kept.times, words)
    }

    fn with(
        inputs: &'a Inputs<'a>,
        calendar: Windows<'a>,
        restart: Option<(RequestId, &'a Attempt)>,
        times: &'a [Option<Times>],
        words: Words,
    ) -> World<'a> {
        let site = inputs.instructions.site_freezes.iter().map(|f| (f, Whose::Site));
        let own = inputs.policy.config.freezes.iter().map(|f| (f, Whose::Machine));
        let groups = inputs.policy.groups.iter();
        let groups = groups.flat_map(|group| group.freezes.iter().map(|f| (f, Whose::Group(&group.group))));
        let freezes = site.chain(own).chain(groups).map(|(f, whose)| Freeze {
            from: f.from.resolve(inputs.zone),
            until: f.until.resolve(inputs.zone),
            reason: &f.reason,
            whose,
        });
        let turn = inputs.policy.config.machine.map(|id| id.turn());
        World {
            inputs,
            now: inputs.now,
            freezes: freezes.collect(),
            calendar,
            restart,
            turn,
            times,
            newer: OnceCell::new(),
            words,
        }
    }

    /// The highest release of a package that was attempted here.
    pub fn highest_release(&self, package: PackageId) -> Option<u64> {
        self.inputs.history.attempts.highest_release(package)
    }

    /// The jobs that take the place of this one, with their requests; also those that cannot be read any more.
    pub fn newer(&self, job: JobId) -> &[(JobId, RequestId)] {
        let Some(index) = &self.inputs.instructions.index else { return &[] };
        let newer = self.newer.get_or_init(|| {
            let mut newer: BTreeMap<JobId, Vec<(JobId, RequestId)>> = BTreeMap::new();
            for (id, delivery) in &index.deliveries {
                for older in &delivery.supersedes {
                    newer.entry(*older).or_default().push((delivery.job_id, *id));
                }
            }
            for replaced in &index.replaced {
                newer.entry(replaced.older).or_default().push((replaced.newer, replaced.by));
            }
            newer
        });
        newer.get(&job).map(Vec::as_slice).unwrap_or_default()
    }

    /// A request of this job whose newest attempt here succeeded.
    pub fn succeeded_once(&self, job: JobId) -> Option<RequestId> {
        self.inputs.history.attempts.succeeded(job)
    }

    /// The first instant from `t` on at which neither the operator's hold nor a freeze is in force.
    pub fn free_from(&self, t: Wall) -> Wall {
        self.inputs.history.hold.as_ref().map_or_else(
            || self.thawed_from(t),
            // A hold is in force now, and ends once.
            |hold| self.thawed_from(t.max(hold.until)),
        )
    }

    /// The first instant from `t` on at which no freeze is in force.
    pub fn thawed_from(&self, t: Wall) -> Wall {
        let mut free = t;
        // Each round passes at least one of them for good.
        loop {
            let before = free;
            for freeze in &self.freezes {
                if freeze.from <= free && free < freeze.until {
                    free = freeze.until;
                }
            }
            if free == before {
                return free;
            }
        }
    }

    /// When the machine has been up for `[run] after_boot`; None: when it started is not known.
    pub fn settled_from(&self) -> Option<Wall> {
        self.inputs.facts.host.started.map(|at| later(at, self.inputs.policy.config.run.after_boot))
    }

    /// When the countdown of a request that is announced ends.
    pub fn announced(&self, subject: &Subject) -> Option<Wall> {
        let announced = self.inputs.facts.countdown.filter(|c| c.request == subject.request.request_id);
        announced.map(|c| c.ends)
    }

    /// The state of an attempt as it is shown: a restart is pending until the machine has restarted.
    pub fn shown(&self, attempt: &Attempt) -> State {
        shown(attempt, &self.inputs.facts.boot_id)
    }

    /// When the held instruction file stops being good enough if no share is seen from now on.
    pub fn stale_from(&self) -> Option<Wall> {
        stale_from(self.inputs)
    }

    /// Whether the newest attempt of a request, or its adoption, is a success; None: never attempted.
    pub fn succeeded(&self, id: &RequestId) -> Option<bool> {
        match newest(self.inputs, id) {
            Some(attempt) => Some(attempt.state.is_success()),
            None => self.inputs.history.adopted.get(id).map(|_| true),
        }
    }
}

/// Until then what is published counts: as its publisher says, and, while no share brings it, as long as one may be away.
/// Where it is signed, the first stands in place of the second. None: until there is something newer.
pub(super) fn good_until(inputs: &Inputs) -> Option<Wall> {
    let instructions = inputs.instructions;
    let valid = instructions.file.as_ref().and_then(|file| file.valid_until);
    if instructions.signed.is_some() && valid.is_some() {
        return valid;
    }
    // While the share answers, it is taken to go on answering.
    let stale = instructions.fault.as_ref().and_then(|_| stale_from(inputs));
    valid.into_iter().chain(stale).min()
}

/// When the held instruction file stops being good enough if no share is seen from now on.
fn stale_from(inputs: &Inputs) -> Option<Wall> {
    let seen = inputs.instructions.share_seen?;
    // It may be exactly that old; older it may not be.
    let stale = later(seen, inputs.policy.config.share.stale_after);
    Some(later(stale, Duration::from_secs(1)))
}

/// The newest attempt of a request.
pub(super) fn newest<'a>(inputs: &Inputs<'a>, id: &RequestId) -> Option<&'a Attempt> {
    inputs.history.attempts.get(id).and_then(|attempts| attempts.last()).map(Arc::as_ref)
}

/// One usable request with what history holds of it.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    pub entry: usize,
    pub request: &'a Request,
    pub offer: Wall,
    pub mandatory: Option<Wall>,
    /// From when on this machine runs it by itself: its mandatory time, and this machine's part of `[run] spread`.
    pub starts: Option<Wall>,
    pub expire: Option<Wall>,
    pub newest: Option<&'a Attempt>,
    pub adopted: Option<Wall>,
    pub deferral: Option<&'a Deferrals>,
    /// What is known of its content.
    pub content: Option<&'a ContentFact>,
    /// What its job says beside, where it is of an index.
    pub delivery: Option<&'a Delivery>,
    /// When it has something to do; None: always.
    pub need: Option<&'a Need>,
}

/// The times of a request as instants, as its [`Subject`] has them.
#[derive(Clone, Copy)]
struct Times {
    offer: Wall,
    mandatory: Option<Wall>,
    starts: Option<Wall>,
    expire: Option<Wall>,
}

impl Times {
    fn new(world: &World, request: &Request, delivery: Option<&Delivery>) -> Times {
        let zone = world.inputs.zone;
        let mandatory = request.mandatory_after.map(|w| w.resolve(zone));
        let expire = request.expire_after.map(|w| w.resolve(zone));
        let over = delivery.and_then(|delivery| delivery.spread).unwrap_or_default();
        let starts = mandatory.map(|at| spread(world, at, expire, over));
        Times { offer: request.offer_after.resolve(zone), mandatory, starts, expire }
    }
}

/// What a request's job says beside, where it is of an index.
fn delivery<'a>(inputs: &Inputs<'a>, request: &Request) -> Option<&'a Delivery> {
    inputs.instructions.index.as_ref()?.deliveries.get(&request.request_id)
}

impl<'a> Subject<'a> {
    pub fn new(world: &World<'a>, entry: usize, request: &'a Request) -> Subject<'a> {
        let inputs = world.inputs;
        let id = &request.request_id;
        let delivery = delivery(inputs, request);
        let known = world.times.get(entry).copied().flatten();
        let times = known.unwrap_or_else(|| Times::new(world, request, delivery));
        Subject {
            entry,
            request,
            offer: times.offer,
            mandatory: times.mandatory,
            starts: times.starts,
            expire: times.expire,
            newest: newest(inputs, id),
            adopted: inputs.history.adopted.get(id).copied(),
            deferral: inputs.history.deferrals.get(id),
            content: request.content_sha256.as_ref().and_then(|hash| inputs.facts.content.get(hash)),
            delivery,
            need: inputs.instructions.need_of(id),
        }
    }

    /// Whether it may ever start without an operator.
    pub fn by_itself(&self) -> bool {
        self.request.automated && self.request.background && self.mandatory.is_some()
    }

    /// When the next attempt is due by policy: only for what runs by itself and has ended.
    pub fn retry_at(&self) -> Option<Wall> {
        let attempt = self.newest.filter(|a| !running(a.state))?;
        attempt.retry_at.filter(|_| self.by_itself())
    }

    /// The deferral's end while it is in force.
    pub fn deferred_until(&self, t: Wall) -> Option<Wall> {
        self.deferral.and_then(|d| d.until).filter(|until| t < *until)
    }

    /// Whether there is something to do.
    pub fn needed(&self, facts: &Facts) -> Needed {
        self.need.map_or(Needed::Yes, |need| need.by(facts.installed.get(&need.test)))
    }

    /// Whether the time to expire has come.
    pub fn expired(&self, t: Wall) -> bool {
        self.expire.is_some_and(|e| t >= e)
    }
}

/// When this machine's turn comes of what all machines have to run from the same time on, over the time of the
/// configuration or that of the job, whichever is longer. Where it expires before the whole spread is over, the machines
/// share what there is.
fn spread(world: &World, mandatory: Wall, expire: Option<Wall>, over: Duration) -> Wall {
    let whole = world.inputs.policy.config.run.spread.max(over);
    if whole.is_zero() {
        return mandatory;
    }
    let room = expire.map_or(Duration::MAX, |expire| between(mandatory, expire));
    let whole = whole.min(room);
    let part = world.turn.map(|turn| turn.of(whole));
    // Whole seconds: that is what is shown of it.
    later(mandatory, Duration::from_secs(part.unwrap_or_default().as_secs()))
}

/// The state of an attempt in this boot: what wanted a restart has had it once the machine runs in another one.
pub fn shown(attempt: &Attempt, boot_id: &str) -> State {
    match attempt.state {
        State::SucceededRestart if attempt.boot_id != boot_id => State::Succeeded,
        state => state,
    }
}

/// Claimed and not ended.
pub(super) fn running(state: State) -> bool {
    matches!(state, State::Running | State::Stopping | State::Countdown)
}
