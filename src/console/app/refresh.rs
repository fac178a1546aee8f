//! Asking the executor: what is wanted now, what is under way and for how long, and where an answer goes.

use super::event::Effect;
use super::message::About;
use super::overlay::Overlay;
use super::results::Fate;
use super::state::{App, WIDE};
use super::view::View;
use super::words;
use crate::clock::Wall;
use crate::console::keymap::commands::Id;
use crate::error::Failure;
use crate::executor::ask::Question;
use crate::executor::talk::protocol::{Answer, View as Seen, unexpected_answer};
use crate::executor::talk::view::RunResultDoc;
use crate::safe;
use crate::terms::{Group, State};
use crate::text::SafeText;

/// What is being done while the checklist is gone through.
const CHECKING: &str = "going through the checklist";

impl App {
    /// What is to be asked now.
    pub(super) fn refresh(&mut self) -> Vec<Effect> {
        let Some(now) = self.now else { return Vec::new() };
        // An executor that gives no answer is asked less often.
        let pause = match self.data.silence() {
            Some((_, since)) if (now - since).num_seconds() > 10 => 5,
            _ => 1,
        };
        let mut wanted: Vec<(Question, SafeText, i64)> = vec![
            (Seen::List.into(), "reading the list of requests".into(), pause),
            (Seen::Status.into(), "reading the machine's status".into(), pause),
            (Seen::Who.into(), "asking who is logged on".into(), pause),
        ];
        if let Some(request) = self.subject() {
            wanted.push((Seen::Show(request).into(), safe!("reading the details of {request}"), pause));
        }
        if let Some(Overlay::Confirm(confirm)) = self.overlays.last()
            && confirm.requests.len() > 1
        {
            let of = |request: &crate::site::ids::RequestId| {
                (Seen::Show(*request).into(), safe!("reading the details of {request}"), 5)
            };
            wanted.extend(confirm.requests.iter().map(of));
        }
        if let Some(Overlay::Explain(request, _)) = self.overlays.last() {
            let request = *request;
            wanted.push((
                Seen::Explain(request).into(),
                safe!("asking why {request} has or has not run"),
                pause,
            ));
        }
        if self.view == View::History {
            // What is long is read less often; an action asks anew at once.
            let every = |rows: Option<usize>| 3 + rows.unwrap_or(0) as i64 / 2_000;
            let attempts = self.data.history.value.as_ref().map(|h| h.attempts.len());
            wanted.push((Seen::History(None, None).into(), "reading the history".into(), every(attempts)));
            let entries = self.data.audit.value.as_ref().map(|a| a.entries.len());
            wanted.push((Seen::Audit(None).into(), "reading the audit".into(), every(entries)));
        }
        // Once when it is first looked at, then when it is asked for: it touches more than a view of the executor does.
        if self.view == View::Readiness && self.data.check.at.is_none() && self.data.check.fault.is_none() {
            wanted.push((Question::Check, CHECKING.into(), pause));
        }
        let mut effects = Vec::new();
        for (question, label, every) in wanted {
            if self.asks.wanted(&question, now, every) {
                effects.push(self.asks.start(question, label, Some(now)));
            }
        }
        effects
    }

    /// Asks for something now, whenever it was last asked.
    pub(super) fn ask(&mut self, question: impl Into<Question>, label: SafeText) -> Effect {
        self.asks.start(question.into(), label, self.now)
    }

    /// Goes through the checklist again, unless that is under way.
    pub(super) fn check_again(&mut self) -> Vec<Effect> {
        if self.checking() {
            return Vec::new();
        }
        vec![self.ask(Question::Check, CHECKING.into())]
    }

    /// The checklist is being gone through.
    pub fn checking(&self) -> bool {
        self.asks.asks(&Question::Check)
    }

    /// The transcript that should be followed: of the newest attempt of the request whose details are open, or of the
    /// selected one while it runs and there is room for its output beside the list.
    pub(super) fn follow_transcript(&mut self) -> Vec<Effect> {
        let request = self.overlays.iter().rev().find_map(|overlay| match overlay {
            Overlay::Details(details) => Some(details.request),
            _ => None,
        });
        let beside = || {
            let running =
                self.selected_row().filter(|row| self.size.0 >= WIDE && row.group == Group::Running);
            running.and_then(|row| row.request_id)
        };
        let wanted = request.or_else(beside).and_then(|request| {
            let attempts = &self.data.shown(request)?.attempts;
            let newest = attempts.iter().filter(|a| a.transcript.is_some()).map(|a| a.attempt).max()?;
            Some((request, newest))
        });
        if wanted == self.transcript_wanted {
            return Vec::new();
        }
        self.transcript_wanted = wanted;
        self.transcript = None;
        vec![Effect::Transcript(wanted)]
    }

    pub(super) fn tick(&mut self, now: Wall) {
        self.now = Some(now);
        self.rollout.tick(now);
        if let Some(message) = &mut self.message {
            let at = *message.at.get_or_insert(now);
            let patience = if message.error { 60 } else { 15 };
            if (now - at).num_seconds() > patience {
                self.message = None;
            }
        }
    }

    pub(super) fn answered(&mut self, id: u64, answer: Result<Answer, Failure>) -> Vec<Effect> {
        let Some(asked) = self.asks.answered(id) else { return Vec::new() };
        // The time of the question, if no tick came since: an answer is never newer than that.
        let now = self.now.or(asked.since).unwrap_or_default();
        macro_rules! take {
            ($variant:ident, $held:expr) => {{
                let answer = answer.and_then(|answer| match answer {
                    Answer::$variant(doc) => Ok(doc),
                    _ => Err(unexpected_answer()),
                });
                $held.take(answer, now).map(Answer::$variant)
            }};
        }
        let mut old = None;
        match &asked.question {
            Question::View(Seen::List) => {
                old = take!(List, self.data.list);
                self.prune_marks();
            }
            Question::View(Seen::Status) => {
                let service = |data: &super::data::Data| data.status.value.as_ref().map(|s| s.service);
                let before = (service(&self.data), self.data.silence().is_some());
                old = take!(Status, self.data.status);
                // A checklist from before the service came or went says what is not so any more.
                if before.0.is_some() && before != (service(&self.data), self.data.silence().is_some()) {
                    self.data.check = super::data::Held::default();
                    // So does what an open question rests on: it is asked again before a yes counts.
                    if let Some(Overlay::Confirm(confirm)) = self.overlays.last_mut() {
                        confirm.opened = Some(now);
                        self.asks.ask_anew();
                    }
                }
            }
            Question::View(Seen::Who) => old = take!(Who, self.data.who),
            Question::View(Seen::Simulate(_)) => old = take!(Simulate, self.data.week),
            Question::View(Seen::History(..)) => old = take!(History, self.data.history),
            Question::View(Seen::Audit(_)) => old = take!(Audit, self.data.audit),
            Question::Check => old = take!(Check, self.data.check),
            Question::View(Seen::Show(request)) => {
                let answer = answer.and_then(|answer| match answer {
                    Answer::Show(doc) => Ok(*doc),
                    _ => Err(unexpected_answer()),
                });
                // Only what was asked after a dialog was opened counts for it.
                self.data.take_show(*request, answer, asked.since.unwrap_or(now));
                let data = &self.data;
                if let Some(Overlay::Confirm(confirm)) = self.overlays.last_mut() {
                    confirm.settle(data);
                }
            }
            Question::View(Seen::Explain(request)) => {
                let mut held = match self.data.explain.take() {
                    Some((known, held)) if known == *request => held,
                    _ => super::data::Held::default(),
                };
                old = take!(Explain, held);
                self.data.explain = Some((*request, held));
            }
            // The console never asks for it.
            Question::View(Seen::AuditVerify | Seen::Serials | Seen::Offers | Seen::ExplainJob(_)) => {}
            Question::Change(change) => {
                self.asks.ask_anew();
                self.told(id, change.what.verb(), answer, now);
            }
        }
        self.end_message();
        old.map(|old| Effect::Discard(Box::new(old))).into_iter().collect()
    }

    /// Says what became of an action.
    fn told(&mut self, id: u64, verb: &str, answer: Result<Answer, Failure>, now: Wall) {
        let zone = &self.options.zone;
        let of = answer.as_ref().ok().and_then(About::of);
        let queued = matches!(&answer, Ok(Answer::Run(run)) if run.queue_position.is_some());
        let (text, error) = match answer {
            Err(failure) => {
                (safe!("{verb}: {} [{}]. {}", failure.message, failure.code, failure.remedy), true)
            }
            Ok(Answer::Run(RunResultDoc { request_id, queue_position: Some(position), .. })) => {
                (safe!("{verb} {request_id}: queued, position {position}"), false)
            }
            Ok(Answer::Run(run)) => {
                (safe!("{verb} {}: attempt {} is {}", run.request_id, run.attempt, run.state), false)
            }
            Ok(Answer::Changed(changed)) => {
                let until = changed.deferred_until.map(|at| {
                    // What is not offered yet is that still, whatever is deferred.
                    let too = if changed.state == State::Deferred { "" } else { ", and deferred" };
                    format!("{too} until {}", words::when_and_far(at, now, zone))
                });
                (
                    safe!(
                        "{verb} {}: it is {}{}",
                        changed.request_id,
                        changed.state,
                        until.unwrap_or_default()
                    ),
                    false,
                )
            }
            Ok(Answer::Hold(hold)) => match hold.held_until {
                Some(at) => {
                    (safe!("held: no automatic runs until {}", words::when_and_far(at, now, zone)), false)
                }
                None => ("the hold has ended: automatic runs again".into(), false),
            },
            Ok(Answer::Restart(restart)) => (safe!("{}", restart.why), false),
            Ok(Answer::Told(doc)) => {
                self.notices.sent();
                let names: Vec<&str> = doc.told.iter().map(SafeText::as_str).collect();
                (safe!("notice to {}", names.join(", ")), false)
            }
            Ok(Answer::Seen(seen)) => {
                let ids: Vec<String> = seen.request_ids.iter().map(ToString::to_string).collect();
                (safe!("seen: {}; {} lists all requests", ids.join(", "), self.key_of(Id::Packages)), false)
            }
            Ok(Answer::Poll(poll)) => {
                let serial = poll.serial.map_or("no instruction file".into(), |n| format!("serial {n}"));
                let wrong = poll.problems.iter().filter(|p| !p.is_warning()).count();
                let wrong =
                    if wrong > 0 { format!(", {}", words::count(wrong, "problem")) } else { String::new() };
                (
                    safe!("poll: {serial}, {}{wrong}", words::count(poll.requests as usize, "request")),
                    !wrong.is_empty(),
                )
            }
            Ok(_) => (safe!("{verb}: done"), false),
        };
        let fate = match (error, queued) {
            (true, _) => Fate::Refused(text.clone()),
            (false, true) => Fate::Queued(text.clone()),
            (false, false) => Fate::Done(text.clone()),
        };
        if self.fate(id, fate) {
            return;
        }
        match of {
            Some((about, stands)) => self.say_of(text, error, about, Some(stands)),
            None => self.say(text, error),
        }
    }
}
