//! The same comparison without disk and engine, for many more worlds: a service of the pure parts alone. What is due, what
//! runs next, the notice, the restart, the look before a launch, what an end means and when to wake are the functions
//! that the service calls; the history is a map in memory. It decides everything anew at every step, and looks a moment
//! after each instant, as the service does.

use super::site::{self, Mood, Plan};
use super::{Compared, LATE, MOST_STEPS};
use crate::clock::{Monotonic, Wall};
use crate::decision::countdown::{self, Countdown, room};
use crate::decision::restart_count::{self, Restart};
use crate::decision::simulate::{Assumptions, Content, Situation};
use crate::decision::{
    Announced, Attempt, Attempts, Decision, Deferrals, Facts, HistoryView, HostFacts, Instructions, Policy,
    RestartState, UserFact, due_in_order, next_instant, restart_plan, verdicts,
};
use crate::executor::run::outcome::{self, EndedBy, ExitRecord, MifSays, RetryPolicy};
use crate::executor::simulate;
use crate::executor::talk::protocol::Wanted;
use crate::service::schedule::{Recheck, Schedule};
use crate::site::content::ContentFact;
use crate::site::ids::RequestId;
use crate::site::instruction::parse::parse;
use crate::site::instruction::{Entry, InstructionFile, Request, Restarts, render};
use crate::site::share::SourceFault;
use crate::site::site_file;
use crate::site::trust::TrustVerdict;
use crate::terms::{Code, State};
use chrono::{SubsecRound as _, TimeDelta};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

struct Plain {
    plan: Plan,
    situation: Situation,
    now: Wall,
    mono: Duration,
    schedule: Schedule,
    countdown: Countdown,
    restart: Restart,
    run: Option<(RequestId, Wall)>,
    launches: Vec<(RequestId, Wall)>,
    restarts: u64,
    steps: u64,
}

/// What the service knows after its first look.
fn situation(plan: &Plan) -> Situation {
    let bytes = render::render(&plan.file).into_bytes();
    let file = parse(&bytes, site::machine(), "BP004000.INS", &plan.config.request_defaults()).unwrap();
    let looked = matches!(plan.mood, Mood::Well | Mood::Untrusted);
    let fault = match plan.mood {
        Mood::Well | Mood::Untrusted => None,
        Mood::Gone => Some(Code::ShareMissing),
        Mood::NoFile => Some(Code::InsMissing),
    };
    let staged = |file: &InstructionFile| -> BTreeMap<_, _> {
        let wanted = file.requests.iter().filter_map(|entry| match entry {
            Entry::Good(request) => request.content_sha256.clone(),
            Entry::Rejected(_) => None,
        });
        let known = wanted.filter_map(|hash| Some((hash.clone(), plan.contents.get(&hash)?.clone())));
        // What could not be looked at is not known, but for what was copied before.
        known.filter(|(_, fact)| looked || *fact == ContentFact::Staged).collect()
    };
    let mut attempts = Attempts::default();
    for (row, result) in &plan.attempts {
        let mut attempt = Attempt::clone(&row.attempt);
        if let Some(result) = result {
            attempt.state = result.state;
            attempt.retry_at = result.retry_at;
            (attempt.started_at, attempt.ended_at) = (result.started_at, result.ended_at);
        }
        attempts.entry(row.request).or_default().push(Arc::new(attempt));
    }
    let history = HistoryView {
        queue: Vec::new(),
        cancelled: [].into(),
        lost: plan.lost.then(|| "it is a random world".into()),
        unreadable: None,
        two_machines: None,
        attempts,
        adopted: plan.adopted.iter().map(|id| (*id, plan.from)).collect(),
        deferrals: plan.deferrals.iter().map(|row| (row.request, deferral(row.until))).collect(),
        hold: plan.hold.clone(),
        restart: None,
    };
    let ignored = &plan.config.users.ignore;
    let users = plan.users.as_ref().map(|sessions| {
        let counted = sessions.iter().filter(|s| !ignored.iter().any(|name| name == s.user.as_str()));
        counted
            .map(|s| UserFact {
                name: s.user.clone(),
                terminal: s.terminal.clone(),
                idle: s.idle_s.map(Duration::from_secs),
                locked: s.locked,
            })
            .collect()
    });
    let own_windows = plan.config.windows.zone == "local";
    Situation {
        facts: Facts {
            platform: plan.platform,
            users,
            clock_suspect: None,
            boot_id: site::BOOT.into(),
            host: HostFacts {
                power: plan.power.clone(),
                ..HostFacts::quiet(Some(plan.from - TimeDelta::from_std(plan.up).unwrap()))
            },
            disk_free: plan.disk_free,
            service: true,
            unwritten: None,
            running: None,
            countdown: None,
            content: staged(&file),
            programs: Vec::new(),
            copying: BTreeMap::new(),
            unstartable: BTreeMap::new(),
            installed: Arc::new(plan.installed.clone()),
        },
        instructions: Instructions {
            file: Some(file),
            share_seen: if plan.mood == Mood::Gone { plan.held } else { Some(plan.from) },
            fault: fault.map(|code| SourceFault { code, problems: Vec::new() }),
            trust: match plan.mood {
                Mood::Untrusted => {
                    TrustVerdict::Refused(Code::LoosePermissions, "anybody may write it".into())
                }
                _ => TrustVerdict::Trusted("it is a random world".into()),
            },
            source: None,
            signed: None,
            site_freezes: site_file::parse(plan.site_file.as_bytes(), "PCM.SITE").unwrap().freezes,
            index: if plan.mood == Mood::Well { plan.index() } else { None },
        },
        history: if plan.lost {
            HistoryView { lost: history.lost, ..HistoryView::default() }
        } else {
            history
        },
        policy: Policy {
            config: plan.config.clone(),
            unreadable: None,
            window_zone: Ok(if own_windows { plan.zone.clone() } else { plan.other_zone.clone() }),
            groups: Vec::new(),
        },
        zone: plan.zone.clone(),
    }
}

fn deferral(until: Wall) -> Deferrals {
    Deferrals { until: Some(until), by: "ola".into(), reason: "release".into(), count: 1, total_s: 0 }
}

impl Plain {
    fn monotonic(&self) -> Monotonic {
        Monotonic(self.mono)
    }

    fn verdicts(&self) -> Vec<Decision> {
        verdicts(&self.situation.inputs(self.now))
    }

    fn request(&self, id: RequestId) -> &Request {
        let entries = &self.situation.instructions.file.as_ref().unwrap().requests;
        let found = entries.iter().find_map(|entry| match entry {
            Entry::Good(request) if request.request_id == id => Some(&**request),
            _ => None,
        });
        found.unwrap()
    }

    fn look(&mut self) {
        let mono = self.monotonic();
        self.schedule.started(mono);
        // A look is an answer also where it brings no file for this machine.
        if self.plan.mood != Mood::Gone {
            self.situation.instructions.share_seen = Some(self.now);
        }
        self.schedule.ended(mono, matches!(self.plan.mood, Mood::Gone | Mood::NoFile));
    }

    fn end_what_is_over(&mut self) {
        let Some((id, ends)) = self.run.take_if(|(_, ends)| *ends <= self.now) else { return };
        let request = self.request(id).clone();
        let attempt = self.situation.history.attempts.get_mut(&id).and_then(|all| all.last_mut()).unwrap();
        let attempt = Arc::make_mut(attempt);
        let exit = ExitRecord {
            ended_by: EndedBy::Itself,
            exit_code: Some(0),
            signal: None,
            started_at: attempt.claimed_at,
            ended_at: ends,
            ran_ms: 0,
            not_synced: None,
            error: None,
            left_behind: false,
            restart_wanted: None,
        };
        let retry = RetryPolicy { retries: 0, after: Duration::ZERO, expires: None, by_itself: true };
        let judged = outcome::judge(&exit, &MifSays::Nothing, &request.exit_codes, attempt.number, &retry);
        attempt.state = match judged.state {
            State::Succeeded if request.restarts == Restarts::Pcm => State::SucceededRestart,
            state => state,
        };
        attempt.ended_at = Some(ends);
        if let Some(need) = self.plan.needs.get(&id) {
            self.situation.facts.turn(need);
        }
        self.situation.facts.running = None;
    }

    fn restart_step(&mut self) {
        let plan = restart_plan(&self.situation.inputs(self.now));
        let seen = restart_count::Seen {
            due: plan.state == RestartState::Due,
            room: plan.room,
            attended: self.situation.facts.attended(),
            notice: self.situation.policy.config.restart.countdown,
        };
        if !self.restart.step(self.monotonic(), &seen).restart {
            return;
        }
        self.restarts += 1;
        self.mono = Duration::ZERO;
        self.situation.facts.boot_id = format!("after restart {}", self.restarts);
        self.situation.facts.host.started = Some(self.now.trunc_subsecs(0));
        let config = &self.situation.policy.config;
        self.schedule = Schedule::new(
            config.machine,
            config.polling_interval,
            config.share.timeout,
            Monotonic(self.mono),
        );
        (self.countdown, self.restart) = (Countdown::default(), Restart::default());
    }

    /// As `Steps::step` does it. True: something happened, and another step follows at once.
    fn step(&mut self) -> bool {
        self.steps += 1;
        let before = (self.launches.len(), self.restarts, self.restart.clone());
        self.end_what_is_over();
        let mono = self.monotonic();
        if self.schedule.is_due(mono) {
            self.look();
        }
        self.restart_step();
        let looked = self.launch();
        self.situation.facts.countdown = self.announced();
        looked || before != (self.launches.len(), self.restarts, self.restart.clone())
    }

    fn announced(&self) -> Option<Announced> {
        let announced = self.countdown.announced(self.monotonic(), self.now)?;
        Some(Announced { ends: announced.ends.round_subsecs(0), ..announced })
    }

    /// True: the share was asked once more.
    fn launch(&mut self) -> bool {
        let mono = self.monotonic();
        if self.run.is_some() {
            self.countdown.launched();
            return false;
        }
        let decisions = self.verdicts();
        let first = due_in_order(&decisions).first().map(|index| &decisions[*index]);
        let due = first.and_then(|d| Some((d.request_id?, room(d, self.now))));
        let notice = self.situation.policy.config.run.countdown;
        let seen = countdown::Seen { due, attended: self.situation.facts.attended(), notice };
        let act = self.countdown.step(mono, &seen);
        let Some(id) = act.start else { return false };
        match self.schedule.recheck(mono) {
            Recheck::Go => {}
            Recheck::Wait => unreachable!("a look takes no time here"),
            Recheck::Look => {
                self.look();
                return true;
            }
        }
        let request = self.request(id).clone();
        let number = first.map_or(0, |d| d.attempt) + 1;
        let claimed =
            Attempt::claimed(&request, number, "service".into(), self.now, &self.situation.facts.boot_id);
        let attempt = Attempt { started_at: Some(self.now), ..claimed };
        self.situation.history.attempts.entry(id).or_default().push(Arc::new(attempt));
        self.situation.facts.running = Some((id, self.now));
        let takes = TimeDelta::from_std(self.plan.takes(request.max_run_time)).unwrap();
        self.run = Some((id, self.now + takes));
        self.launches.push((id, self.now));
        false
    }

    /// As `Steps::next_change` has it, or until a package ends.
    fn wait(&self) -> Duration {
        let moment = Duration::from_millis(1);
        let mono = self.monotonic();
        let mut wait = self.schedule.due_in(mono).max(Duration::from_millis(50));
        let restart = restart_plan(&self.situation.inputs(self.now)).next;
        let gates = next_instant(&self.verdicts(), self.now);
        for at in gates.into_iter().chain(restart).filter(|at| *at > self.now) {
            wait = wait.min((at - self.now).to_std().unwrap() + moment);
        }
        for count in [self.countdown.wake(mono), self.restart.wake(mono)].into_iter().flatten() {
            wait = wait.min(count + moment);
        }
        if let Some((_, ends)) = self.run {
            wait = wait.min((ends - self.now).to_std().unwrap_or_default());
        }
        wait
    }
}

pub fn live(plan: Plan) -> Compared {
    let situation = situation(&plan);
    let assume =
        Assumptions { content: Content::Arrives, runs_take: plan.runs_take, ..Assumptions::default() };
    let wanted = Wanted { request: None, from: plan.from, until: plan.until, assume };
    let said = simulate::run(&situation, &wanted, &|| true).unwrap();
    assert_eq!(said.until, plan.until, "all of it was simulated");
    let (config, mono) = (&plan.config, plan.up);
    let mut plain = Plain {
        now: plan.from,
        mono,
        schedule: Schedule::new(
            config.machine,
            config.polling_interval,
            config.share.timeout,
            Monotonic(mono),
        ),
        situation,
        plan,
        countdown: Countdown::default(),
        restart: Restart::default(),
        run: None,
        launches: Vec::new(),
        restarts: 0,
        steps: 0,
    };
    let end = plain.plan.until + LATE;
    while plain.now < end {
        let mut at_once = 0;
        while plain.step() {
            at_once += 1;
            assert!(at_once < MOST_STEPS, "the service goes on and on at {}", plain.now);
        }
        let wait = plain.wait();
        plain.mono += wait;
        plain.now += TimeDelta::from_std(wait).unwrap();
    }
    Compared {
        said,
        promised: Vec::new(),
        launches: plain.launches,
        restarts: plain.restarts,
        steps: plain.steps,
    }
}
