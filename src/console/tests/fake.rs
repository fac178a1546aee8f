//! An executor that answers from a table: a dozen requests on one machine, in every state that matters to a view.

use crate::clock::Wall;
use crate::decision::Verb;
use crate::error::{Exit, Failure, Result};
use crate::executor::ask::{Ask, AskAll};
use crate::executor::talk::protocol::{Action, Answer, Change, Reply, View, unexpected_answer};
use crate::executor::talk::view::*;
use crate::host::sessions::SessionKind;
use crate::safe;
use crate::site::ids::RequestId;
use crate::site::instruction::{Restarts, RunWhen};
use crate::terms::{Group, State, Verdict};
use crate::text::SafeText;
use chrono::TimeDelta;
use std::collections::BTreeMap;
use std::sync::Mutex;

mod judged;
mod requests;

use judged::{allowed, gates};
pub use requests::requests;

/// Sunday 22 November 2026, 14:02 in a zone one hour east.
pub const NOW: &str = "2026-11-22T13:02:10Z";

pub fn at(text: &str) -> Wall {
    text.parse().unwrap()
}

fn soon(seconds: i64) -> Wall {
    at(NOW) + TimeDelta::seconds(seconds)
}

const MIN: i64 = 60;
const HOUR: i64 = 3600;
const DAY: i64 = 86_400;

/// The fake. What it was asked to change is written down.
pub struct Fake {
    pub list: Mutex<ListDoc>,
    pub status: Mutex<StatusDoc>,
    pub who: Mutex<WhoDoc>,
    /// What a simulation says; None: what the list does.
    pub week: Mutex<Option<SimulateDoc>>,
    pub changes: Mutex<Vec<Change>>,
    pub broken: Mutex<Option<Failure>>,
    /// Another package runs: the place in the queue of the next run; 0: nothing runs.
    pub queue: Mutex<u32>,
    /// Seconds that every time is moved by, so that the fake can be used by hand.
    pub shift: TimeDelta,
}

pub fn id(text: &str) -> RequestId {
    text.parse().unwrap()
}

impl Fake {
    pub fn new() -> Fake {
        let list = ListDoc {
            of_index: Default::default(),
            machine: Some("BP004000".parse().unwrap()),
            site: Some("BP0".parse().unwrap()),
            source: Some("/mnt/sms_shr".into()),
            polled_at: Some(soon(-8 * MIN)),
            serial: Some(42),
            service: ServiceState::Running,
            held_until: None,
            problems: Vec::new(),
            requests: requests(),
        };
        let status = StatusDoc {
            queue: Vec::new(),
            machine: list.machine,
            host: "web-01".into(),
            service: ServiceState::Running,
            poll_due: Some(soon(52 * MIN)),
            next_run: Some(soon(8 * HOUR - 130)),
            latest: Some(soon(8 * HOUR - 130)),
            next_request: list.requests[1].request_id,
            held_until: None,
            hold: None,
            clock_ok: true,
            restart_pending: false,
            restart: None,
            counts: BTreeMap::new(),
            seen: 0,
            seen_by_state: BTreeMap::new(),
            users: Some(2),
            problems: Vec::new(),
            role: "production".into(),
            frozen_until: None,
            polled_at: list.polled_at,
            trust: "signed".into(),
            signed: None,
            lock: None,
            zone: "Europe/Berlin".into(),
            utc_offset_s: 3600,
            may_operate: true,
            version: "0.1.0".into(),
            standstill: Vec::new(),
            polling_interval_s: 3600,
            polling_by: crate::config::PollingBy::Default,
            space: None,
            operators: "pcm-operators".into(),
            join: None,
            undelivered: None,
            folded: None,
        };
        let session = |user: &str, terminal: &str, from: &str, idle: u64, locked: bool| SessionDoc {
            user: user.into(),
            terminal: terminal.into(),
            from: from.into(),
            since: Some(soon(-5 * HOUR)),
            idle_s: Some(idle),
            locked: Some(locked),
            kind: if from == "console" { SessionKind::Console } else { SessionKind::Remote },
            holds: Vec::new(),
            ignored: false,
        };
        let mut who = WhoDoc {
            source: "logind".into(),
            sessions: vec![
                session("anna", "pts/0", "10.1.2.3", 20, false),
                session("kiosk", "tty1", "console", 3 * 3600 + 60, true),
            ],
            connections: Vec::new(),
            note: None,
        };
        who.sessions[0].holds = vec![id("BP0000Y")];
        Fake {
            week: Mutex::default(),
            list: Mutex::new(list),
            status: Mutex::new(status),
            who: Mutex::new(who),
            changes: Mutex::default(),
            broken: Mutex::default(),
            queue: Mutex::default(),
            shift: TimeDelta::zero(),
        }
    }

    /// The same with every time moved to around now.
    pub fn around(now: Wall) -> Fake {
        let shift = now - at(NOW);
        let mut fake = Fake::new();
        fake.shift = shift;
        let text = serde_json::to_string(&*fake.list.lock().unwrap()).unwrap();
        *fake.list.lock().unwrap() = serde_json::from_str(&moved(&text, shift)).unwrap();
        let text = serde_json::to_string(&*fake.status.lock().unwrap()).unwrap();
        *fake.status.lock().unwrap() = serde_json::from_str(&moved(&text, shift)).unwrap();
        fake
    }

    fn show(&self, request: RequestId) -> Option<ShowDoc> {
        let list = self.list.lock().unwrap();
        let row = list.requests.iter().find(|r| r.request_id == Some(request))?.clone();
        Some(show(row, self.shift))
    }
}

/// Moves all RFC 3339 times in a JSON text.
fn moved(text: &str, by: TimeDelta) -> String {
    let pattern = regex::Regex::new(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ").unwrap();
    pattern
        .replace_all(text, |found: &regex::Captures| {
            (found[0].parse::<Wall>().unwrap() + by).format("%Y-%m-%dT%H:%M:%SZ").to_string()
        })
        .into_owned()
}

fn show(row: RequestDoc, shift: TimeDelta) -> ShowDoc {
    let attempts = if row.attempt == 0 { Vec::new() } else { vec![attempt(&row, shift)] };
    let deferrals = match row.deferred_until {
        Some(until) => vec![DeferralDoc {
            at: soon(-DAY) + shift,
            who: "ola".into(),
            until,
            reason: "release".into(),
            ended_at: None,
        }],
        None => Vec::new(),
    };
    ShowDoc {
        command_line: Some("setup.sh --silent --prefix \"/opt/acme workstation\"".into()),
        platforms: Vec::new(),
        run_when: Some(if row.state == State::Waiting { RunWhen::NoUser } else { RunWhen::Any }),
        max_run_time_s: Some(1800),
        restarts: Some(if row.package.as_str().contains("Kernel") {
            Restarts::Program
        } else {
            Restarts::No
        }),
        gates: gates(&row, shift),
        attempts,
        deferrals,
        deferrals_used: 1,
        deferrals_limit: 3,
        allowed: allowed(&row),
        run_as: "root".into(),
        copying_since: None,
        looking_up: false,
        request: row,
    }
}

fn attempt(row: &RequestDoc, shift: TimeDelta) -> AttemptDoc {
    let started = row.run.as_ref().map_or(soon(-16 * HOUR) + shift, |run| run.started_at);
    let ended = row.run.is_none().then(|| started + TimeDelta::seconds(41));
    AttemptDoc {
        request_id: row.request_id.unwrap(),
        attempt: 1,
        state: row.state,
        claimed_at: started,
        started_at: Some(started),
        ended_at: ended,
        exit_code: row.exit_code,
        result: if row.state == State::Failed {
            "exit 17: no printer found".into()
        } else {
            SafeText::default()
        },
        by: "service".into(),
        reason: SafeText::default(),
        transcript: Some(safe!("/var/log/pcm/runs/{}-1.log", row.request_id.unwrap())),
        transcript_until: ended.map(|ended| ended + TimeDelta::days(90)),
        package: row.package.clone(),
        retry_at: None,
        folded_at: None,
    }
}

/// It waits as it does now, runs when the list says, and is done.
fn course(row: &RequestDoc, from: Wall) -> SimulatedDoc {
    let step = |at: Wall, state: State| StepDoc { at, state, code: None };
    let mut changes = vec![step(from, row.state)];
    if let Some(at) = row.next_run {
        changes.extend([step(at, State::Running), step(at + TimeDelta::seconds(1800), State::Succeeded)]);
    }
    SimulatedDoc {
        request_id: row.request_id,
        package: row.package.clone(),
        at: row.next_run,
        latest: row.latest,
        never: row.next_run.is_none(),
        why: row.why.clone(),
        changes,
    }
}

impl Ask for Fake {
    fn view(&self, view: &View) -> Reply {
        self.works()?;
        let missing = || {
            Failure::new(Exit::NotFound, "no-such-request", "there is no such request", "Look at the list")
        };
        Ok(match view {
            View::List => Answer::List(self.list.lock().unwrap().clone()),
            View::Status => Answer::Status(self.status.lock().unwrap().clone()),
            View::Who => Answer::Who(self.who.lock().unwrap().clone()),
            View::Show(request) => Answer::Show(Box::new(self.show(*request).ok_or_else(missing)?)),
            View::ExplainJob(_) => return Err(missing()),
            View::Explain(request) => {
                let show = self.show(*request).ok_or_else(missing)?;
                Answer::Explain(ExplainDoc {
                    queue_position: None,
                    queued: None,
                    request_id: Some(*request),
                    job_id: show.request.job_id,
                    targeted_by: None,
                    package: show.request.package.clone(),
                    state: show.request.state,
                    next_run: show.request.next_run,
                    latest: show.request.latest,
                    never: show.request.group != Group::Pending,
                    why: show.request.why.clone(),
                    gates: show.gates,
                    allowed: show.allowed,
                    told: Vec::new(),
                    blocked: Vec::new(),
                    transcript: None,
                    transcript_until: None,
                    folded_at: None,
                })
            }
            View::History(..) => {
                let list = self.list.lock().unwrap();
                let tried = list.requests.iter().filter(|r| r.attempt > 0);
                Answer::History(HistoryDoc {
                    attempts: tried.map(|r| attempt(r, self.shift)).collect(),
                    older: None,
                })
            }
            View::Audit(_) => {
                let entry =
                    |ago: i64, who: &str, verb: &str, what: Option<&str>, reason: &str, result: &str| {
                        AuditEntryDoc {
                            at: soon(-ago) + self.shift,
                            who: who.into(),
                            uid: Some(1000),
                            terminal: Some("pts/3".into()),
                            from: Some("10.1.2.9".into()),
                            verb: verb.into(),
                            request_id: what.map(id),
                            reason: (!reason.is_empty()).then(|| reason.into()),
                            result: result.into(),
                            times: None,
                            since: None,
                        }
                    };
                Answer::Audit(AuditDoc {
                    entries: vec![
                        entry(DAY + 1, "ola", "defer", Some("BP00011"), "release", "asked"),
                        entry(DAY, "ola", "defer", Some("BP00011"), "release", "done"),
                        entry(HOUR, "mallory", "run", Some("BP0000Y"), "just because", "not-permitted"),
                        entry(8 * MIN, "root", "poll", None, "", "done"),
                    ],
                    older: None,
                })
            }
            View::Simulate(_) if self.week.lock().unwrap().is_some() => {
                Answer::Simulate(self.week.lock().unwrap().clone().expect("it was looked at"))
            }
            View::Simulate(wanted) => Answer::Simulate(SimulateDoc {
                from: wanted.from,
                until: wanted.until,
                complete: true,
                machine: None,
                serial: None,
                assumed: vec!["every run takes as long as it may and succeeds".into()],
                requests: self
                    .list
                    .lock()
                    .unwrap()
                    .requests
                    .iter()
                    .map(|row| course(row, wanted.from))
                    .collect(),
            }),
            View::Offers => Answer::Offers(OffersDoc { offers: Vec::new() }),
            View::Serials => Answer::Serials(SerialsDoc { serials: Vec::new() }),
            View::AuditVerify => Answer::Verify(VerifyDoc {
                ok: true,
                entries: 4,
                first_bad: None,
                folded: 0,
                folded_until: None,
            }),
        })
    }

    fn change(&self, change: &Change) -> Reply {
        self.works()?;
        self.changes.lock().unwrap().push(change.clone());
        Ok(match &change.what {
            Action::Request(request, Verb::Run { .. } | Verb::Rerun { .. }) => {
                let mut queue = self.queue.lock().unwrap();
                let queue_position = Some(*queue).filter(|position| *position > 0);
                *queue += queue_position.map_or(0, |_| 1);
                Answer::Run(RunResultDoc {
                    request_id: *request,
                    attempt: 1,
                    state: if queue_position.is_some() { State::Queued } else { State::Running },
                    exit_code: None,
                    result: None,
                    started_at: Some(soon(0)).filter(|_| queue_position.is_none()),
                    ended_at: None,
                    queue_position,
                    decided_on: None,
                })
            }
            Action::Request(request, Verb::Defer { until }) => Answer::Changed(ChangedDoc {
                request_id: *request,
                state: State::Deferred,
                deferred_until: Some(*until),
            }),
            Action::Request(request, Verb::Undefer | Verb::Stop) => Answer::Changed(ChangedDoc {
                request_id: *request,
                state: State::Waiting,
                deferred_until: None,
            }),
            Action::Hold { until, .. } => {
                let hold = HoldDoc {
                    held_until: Some(*until),
                    id: Some("1".into()),
                    by: Some("ola".into()),
                    reason: change.reason.clone(),
                };
                let mut status = self.status.lock().unwrap();
                (status.held_until, status.hold) = (Some(*until), Some(hold.clone()));
                Answer::Hold(hold)
            }
            Action::Unhold => {
                let mut status = self.status.lock().unwrap();
                (status.held_until, status.hold) = (None, None);
                Answer::Hold(HoldDoc { held_until: None, id: None, by: None, reason: None })
            }
            Action::Seen(request) => {
                let seen = SeenBy { by: "ola".into(), at: soon(0) };
                let mut list = self.list.lock().unwrap();
                let rows = list.requests.iter_mut().filter(|row| row.is_unseen());
                let rows = rows.filter(|row| request.is_none() || row.request_id == *request);
                let request_ids = rows.filter_map(|row| {
                    row.seen = Some(seen.clone());
                    row.request_id
                });
                Answer::Seen(SeenDoc { request_ids: request_ids.collect(), by: seen.by, at: seen.at })
            }
            Action::Notice => Answer::Told(ToldDoc { told: vec!["anna on pts/0".into()] }),
            Action::Restart(_) => Answer::Restart(RestartDoc {
                restart_pending: true,
                state: crate::decision::RestartState::Cancelled,
                requests: Vec::new(),
                restarts_at: None,
                deferred_until: None,
                next_change: None,
                code: None,
                why: "an operator's".into(),
            }),
            // The console has no key for it.
            Action::AcceptSerial(_) | Action::Install(_) | Action::KeepId { .. } => {
                return Err(unexpected_answer());
            }
            Action::Poll => Answer::Poll(PollDoc {
                serial: Some(42),
                epoch: None,
                requests: 12,
                source: None,
                changed: false,
                problems: Vec::new(),
            }),
        })
    }
}

impl AskAll for Fake {
    fn check(&self) -> Result<CheckDoc> {
        self.works()?;
        Ok(checklist())
    }
}

impl Fake {
    fn works(&self) -> Result<()> {
        self.broken.lock().unwrap().as_ref().map_or(Ok(()), |failure| Err(failure.clone()))
    }
}

/// A machine that is not quite ready.
fn checklist() -> CheckDoc {
    let item = |item: &str, verdict: Verdict, evidence: &str, remedy: &str| CheckItem {
        item: item.into(),
        verdict,
        evidence: evidence.into(),
        remedy: (!remedy.is_empty()).then(|| remedy.into()),
    };
    CheckDoc::of(vec![
        item(
            "silent",
            Verdict::Block,
            "1 command needs input from a user, whom pcm never asks: BP00012",
            "Have it published with a command that asks nothing, and `automated = true`",
        ),
        item("background", Verdict::Pass, "9 of 11 commands still to run are for the service", ""),
        item("service-running", Verdict::Pass, "service (pid 812, since 08:00), and it answers", ""),
        item(
            "backup",
            Verdict::Unknown,
            "nothing says how a backup of this machine is recognised",
            "Name a command or a file in the configuration",
        ),
        item("disk", Verdict::Pass, "12.4 GB free for state; 3.1 GB free for log", ""),
    ])
}
