//! Rules of UX.md 2, each as keys in and calls or words out.

use super::fake::{Fake, at, id};
use super::stage::Stage;
use crate::console::app::{Effect, Event, View, enabled};
use crate::console::keymap::Key;
use crate::console::keymap::commands::{COMMANDS, Context, Id};
use crate::console::theme::{ColourLevel, Scope, Theme};
use crate::error::{Exit, Failure};
use crate::executor::ask::{AskAll, Question};
use crate::executor::talk::protocol::{self, Change};
use crate::executor::talk::view::ServiceState;
use crate::text::SafeText;

pub(super) fn changes(stage: &Stage) -> Vec<Change> {
    stage.fake.changes.lock().unwrap().clone()
}

/// A stage with this request selected.
pub(super) fn on(request: &str) -> Stage {
    let mut stage = Stage::new(80, 24);
    for _ in 0..20 {
        if stage.app.subject() == Some(id(request)) {
            return stage;
        }
        stage.keys("j");
    }
    panic!("{request} is not in the list");
}

pub(super) fn why_not(stage: &Stage, command: Id) -> Option<String> {
    enabled(&stage.app, command).err().map(|why| why.to_string())
}

#[test]
fn what_is_disabled_says_why_in_the_cores_words() {
    let mut stage = on("BP00009");
    assert_eq!(why_not(&stage, Id::Defer).unwrap(), "not allowed, it has expired");
    stage.keys("d");
    assert!(stage.screen().contains("defer: not allowed, it has expired"), "{}", stage.screen());
    assert!(stage.app.overlays.is_empty());
    for (request, command, why) in [
        ("BP00010", Id::Run, "it has been attempted; rerun makes another attempt"),
        ("BP00013", Id::Stop, "it is not running"),
        ("BP00013", Id::Undefer, "it is not deferred"),
        ("BP00014", Id::Run, "not offered before Wed 08:00"),
        ("BP0000Y", Id::Rerun, "it was never attempted"),
    ] {
        assert_eq!(why_not(&on(request), command).as_deref(), Some(why), "{request}");
    }
    for (request, command) in [
        ("BP00010", Id::Stop),
        ("BP0000Y", Id::Run),
        ("BP0000Y", Id::Defer),
        ("BP00011", Id::Undefer),
        ("BP00007", Id::Rerun),
    ] {
        assert_eq!(why_not(&on(request), command), None, "{request}");
    }
}

#[test]
fn read_only_changes_nothing_and_says_so_in_the_first_line() {
    let mut stage = Stage::with(80, 24, Fake::new(), true);
    assert!(stage.screen().lines().next().unwrap().contains("[RO]"));
    stage.keys("j r y d y x y R y h y H y p");
    assert!(changes(&stage).is_empty());
    for command in COMMANDS.iter().filter(|c| c.id.operates()) {
        assert!(enabled(&stage.app, command.id).is_err(), "{}", command.name);
    }
}

#[test]
fn who_may_not_operate_is_told_before_they_try() {
    let fake = Fake::new();
    fake.status.lock().unwrap().may_operate = false;
    let stage = Stage::with(80, 24, fake, false);
    assert!(stage.screen().contains("[RO]"));
    assert!(why_not(&stage, Id::Poll).unwrap().contains("operators' group"));
}

#[test]
fn q_closes_what_is_open_and_then_quits_and_esc_never_quits() {
    let mut stage = on("BP0000Y");
    stage.keys("Enter e q");
    assert_eq!(stage.app.overlays.len(), 1);
    stage.keys("Esc Esc Esc Esc");
    assert!(!stage.quit && stage.app.overlays.is_empty());
    stage.keys("q");
    assert!(stage.quit);
}

#[test]
fn ctrl_c_cancels_an_input_and_else_quits() {
    let mut stage = Stage::new(80, 24);
    stage.keys("/ 'abc Ctrl-c");
    assert!(!stage.quit);
    stage.keys("Ctrl-c");
    assert!(stage.quit);
}

#[test]
fn ctrl_z_suspends_even_while_text_is_typed() {
    let mut stage = Stage::new(80, 24);
    stage.keys("/ 'abc Ctrl-z");
    assert!(stage.effects.contains(&Effect::Suspend));
}

#[test]
fn the_filter_keeps_rows_with_all_words_and_a_bang_inverts() {
    let mut stage = Stage::new(80, 24);
    stage.keys("/ 'acme_waiting Enter");
    assert_eq!(stage.app.subject(), Some(id("BP0000Y")));
    assert!(!stage.screen().contains("BP00010 OpenSSL"));
    stage.keys("/ Ctrl-u '!acme Enter");
    assert!(stage.screen().contains("OpenSSL") && !stage.screen().contains("Acme"));
    stage.keys("/ Ctrl-u 'nosuchthing Enter");
    assert!(stage.screen().contains("no row has these words"));
    stage.keys("Esc");
    assert!(stage.screen().contains("Acme"));
}

#[test]
fn the_selection_stays_on_its_request_when_rows_come_and_go() {
    let mut stage = on("BP00013");
    stage.fake.list.lock().unwrap().requests.remove(0);
    stage.tick(2);
    assert_eq!(stage.app.subject(), Some(id("BP00013")));
    stage.fake.list.lock().unwrap().requests.reverse();
    stage.tick(2);
    assert_eq!(stage.app.subject(), Some(id("BP00013")));
}

#[test]
fn scrolling_up_pauses_the_log_and_the_lines_stay_where_they_are() {
    let mut stage = Stage::new(80, 24);
    let lines = |n: usize| {
        let mut lines = super::stage::log_lines();
        lines.truncate(1);
        (0..n)
            .map(|i| {
                let mut line = lines[0].clone();
                line.text = SafeText::new(&format!("entry {i}"));
                line
            })
            .collect::<Vec<_>>()
    };
    stage.event(Event::Log(lines(50)));
    stage.keys("3 k k k");
    let body = |stage: &Stage| stage.screen().lines().skip(3).take(19).map(str::to_owned).collect::<Vec<_>>();
    let before = body(&stage);
    stage.event(Event::Log(lines(132)));
    assert!(stage.screen().contains("PAUSED +132 new"), "{}", stage.screen());
    assert_eq!(body(&stage), before);
    stage.keys("G");
    assert!(stage.screen().contains("FOLLOW") && stage.screen().contains("entry 131"));
}

#[test]
fn the_log_is_searched_filtered_and_its_errors_are_found() {
    let mut stage = Stage::new(80, 24);
    stage.keys("3 / 'packages Enter");
    assert!(stage.screen().contains("/packages"), "{}", stage.screen());
    stage.keys("n N n");
    stage.keys("&");
    assert!(stage.screen().contains("2 of 8 lines"), "{}", stage.screen());
    stage.keys("& Esc G < <");
    stage.keys("l l l");
    assert!(stage.screen().contains("exit 17") && !stage.screen().contains("Packages before"));
    stage.keys("/ 'Pack('");
    assert!(stage.screen().contains("unclosed"), "{}", stage.screen());
    // What is wrong and what was typed stay in sight, and nothing says that it was looked for.
    stage.keys("Enter");
    let screen = stage.screen();
    assert!(screen.contains("search: Pack(_") && screen.contains("unclosed"), "{screen}");
    assert!(screen.contains("nothing is searched: correct the pattern"), "{screen}");
    let title = screen.lines().nth(2).unwrap();
    assert!(!title.contains("found") && !title.contains("/Pack"), "{screen}");
}

#[test]
fn an_executor_that_does_not_answer_is_loud_and_what_is_shown_stays() {
    let mut stage = Stage::new(80, 24);
    *stage.fake.broken.lock().unwrap() =
        Some(Failure::new(Exit::Failed, "no-service", "the socket does not answer", "Start the service"));
    stage.tick(2);
    stage.tick(31);
    let screen = stage.screen();
    assert!(screen.contains("NO ANSWER 30s"), "{screen}");
    assert!(screen.contains("the socket does not answer") && screen.contains("Acme"));
}

/// A service that hangs takes seconds to be given up: the header must not say meanwhile that all is well.
#[test]
fn a_service_that_does_not_answer_is_said_to_be_silent_before_it_is_given_up_and_since_its_last_answer() {
    let mut stage = Stage::new(80, 24);
    assert!(stage.screen().contains("auto ON"), "{}", stage.screen());
    let asked = |stage: &mut Stage, seconds: i64| {
        stage.now += chrono::TimeDelta::seconds(seconds);
        stage.app.update(Event::Tick(stage.now))
    };
    let effects = asked(&mut stage, 1);
    asked(&mut stage, 3);
    assert!(stage.screen().contains("auto ON"), "{}", stage.screen());
    asked(&mut stage, 6);
    let screen = stage.screen();
    assert!(screen.contains("NO ANSWER 10s") && !screen.contains("auto ON"), "{screen}");
    assert!(screen.contains("the service has not answered yet") && screen.contains("Acme"), "{screen}");
    let failure = || Failure::new(Exit::Failed, "executor-not-answering", "timed out", "Look");
    *stage.fake.broken.lock().unwrap() = Some(failure());
    for effect in effects {
        let Effect::Ask { id, .. } = effect else { continue };
        stage.event(Event::Answered { id, answer: Err(failure()) });
    }
    stage.tick(10);
    assert!(stage.screen().contains("NO ANSWER 20s"), "{}", stage.screen());
    *stage.fake.broken.lock().unwrap() = None;
    stage.tick(10);
    assert!(stage.screen().contains("auto ON"), "{}", stage.screen());
}

#[test]
fn an_open_question_is_asked_again_when_the_service_goes_or_comes() {
    let mut stage = on("BP00013");
    stage.keys("r");
    assert!(stage.screen().contains("y carries it out"), "{}", stage.screen());
    stage.fake.status.lock().unwrap().service = ServiceState::Stopped;
    stage.now += chrono::TimeDelta::seconds(1);
    let effects = stage.app.update(Event::Tick(stage.now));
    let status = effects.into_iter().find_map(|effect| match effect {
        Effect::Ask { id, question: question @ Question::View(protocol::View::Status), .. } => {
            Some((id, question))
        }
        _ => None,
    });
    let (id, question) = status.unwrap();
    let answer = stage.fake.ask(&question);
    let _ = stage.app.update(Event::Answered { id, answer });
    stage.keys("y");
    assert!(changes(&stage).is_empty(), "what the question rests on is older than the service's end");
    assert!(stage.screen().contains("the executor has not answered yet"), "{}", stage.screen());
}

#[test]
fn an_empty_list_says_why_it_is_empty() {
    let fake = Fake::new();
    fake.list.lock().unwrap().requests.clear();
    let stage = Stage::with(80, 24, fake, false);
    assert!(stage.screen().contains("serial 42 holds no requests"), "{}", stage.screen());
    let fake = Fake::new();
    {
        let mut list = fake.list.lock().unwrap();
        list.requests.clear();
        list.serial = None;
    }
    assert!(Stage::with(80, 24, fake, false).screen().contains("no instruction file is in force"));
}

#[test]
fn unsigned_frozen_and_stopped_stand_in_the_first_line() {
    let fake = Fake::new();
    {
        let mut status = fake.status.lock().unwrap();
        status.trust = "permissions".into();
        status.frozen_until = Some(at("2026-11-24T21:00:00Z"));
    }
    let stage = Stage::with(80, 24, fake, false);
    let first = stage.screen().lines().next().unwrap().to_owned();
    assert!(first.contains("UNSIGNED") && first.contains("FROZEN until Tue 22:00"), "{first}");
    let fake = Fake::new();
    fake.status.lock().unwrap().service = crate::executor::talk::view::ServiceState::Stopped;
    let first = Stage::with(80, 24, fake, false).screen().lines().next().unwrap().to_owned();
    assert!(first.contains("STOPPED") && first.contains("auto OFF"), "{first}");
}

#[test]
fn unknown_users_are_not_nobody() {
    let fake = Fake::new();
    {
        let mut who = fake.who.lock().unwrap();
        who.source = "unknown".into();
        who.sessions.clear();
    }
    let mut stage = Stage::with(80, 24, fake, false);
    assert!(stage.screen().contains("LOGGED ON UNKNOWN") && stage.screen().contains("cannot be known"));
    // It is nobody's fault and no problem, so nothing of it is as red as what `w` lists.
    let theme = Theme::load("default", None, ColourLevel::Ansi16).unwrap();
    let row = stage.screen().lines().position(|line| line.contains("cannot be known")).unwrap();
    let cell = &stage.buffer(&theme)[(2, u16::try_from(row).unwrap())];
    let colour = |scope| theme.style(scope).fg;
    assert_eq!(cell.symbol(), "c");
    assert_eq!(Some(cell.fg), colour(Scope::GateUnknown));
    assert_ne!(Some(cell.fg), colour(Scope::MessageError));
    while stage.app.subject() != Some(id("BP00013")) {
        stage.keys("j");
    }
    stage.keys("r");
    assert!(stage.screen().contains("cannot be known; somebody may lose work"), "{}", stage.screen());
}

#[test]
fn every_view_and_every_command_is_reached_by_its_key_and_from_the_palette() {
    let mut stage = Stage::new(80, 24);
    for (key, view) in [
        ("2", View::Packages),
        ("3", View::Log),
        ("4", View::Who),
        ("6", View::History),
        ("7", View::Readiness),
        ("8", View::Diagnostics),
        ("1", View::Overview),
    ] {
        stage.keys(key);
        assert_eq!(stage.app.view, view);
    }
    stage.keys(": 'history Enter");
    assert_eq!(stage.app.view, View::History);
    stage.tick(1);
    assert!(stage.screen().contains("exit 17") && stage.screen().contains("not-permitted"));
    stage.keys("1 : 'unhold Enter");
    assert!(stage.screen().contains("unhold: there is no hold"), "{}", stage.screen());
}

#[test]
fn help_lists_every_key_of_the_view_and_marks_what_is_off() {
    let mut stage = Stage::new(120, 110);
    stage.keys("?");
    let screen = stage.screen();
    for command in COMMANDS.iter().filter(|c| c.is_of(&[Context::Requests])) {
        assert!(screen.contains(command.words), "{} is missing in\n{screen}", command.name);
    }
    assert!(screen.contains("not now: there is no hold"));
}

#[test]
fn the_table_of_commands_is_in_the_order_of_its_ids() {
    for command in COMMANDS {
        assert_eq!(command.id.command().name, command.name);
    }
}

#[test]
fn a_rejected_record_shows_where_it_is_wrong() {
    let mut stage = Stage::new(80, 24);
    stage.keys("G Enter");
    let screen = stage.screen();
    assert!(screen.contains("BP004000.INS:112") && screen.contains("\"next week\" is no time"), "{screen}");
}

#[test]
fn pasted_text_counts_only_where_text_is_typed() {
    let mut stage = on("BP00013");
    stage.event(Event::Paste("ryq".into()));
    assert!(stage.app.overlays.is_empty() && !stage.quit && changes(&stage).is_empty());
    stage.keys("/");
    stage.event(Event::Paste("acme".into()));
    stage.key(Key::Enter);
    assert_eq!(stage.app.subject(), Some(id("BP0000Y")));
}

#[test]
fn details_follow_the_transcript_of_the_newest_attempt() {
    let mut stage = on("BP00010");
    stage.keys("Enter");
    assert!(stage.effects.contains(&Effect::Transcript(Some((id("BP00010"), 1)))));
    assert!(
        stage.screen().contains("step 39 of 60") && stage.screen().contains("LIVE"),
        "{}",
        stage.screen()
    );
    stage.keys("Tab PgUp");
    assert!(stage.screen().contains("PAUSED"), "{}", stage.screen());
    stage.keys("q");
    assert_eq!(
        stage.effects.iter().rev().find(|e| matches!(e, Effect::Transcript(_))),
        Some(&Effect::Transcript(None))
    );
}

#[test]
fn no_question_is_asked_twice_at_once_and_none_more_than_once_a_second() {
    let mut stage = Stage::new(80, 24);
    stage.effects.clear();
    for _ in 0..10 {
        stage.keys("j k");
    }
    let lists = stage
        .effects
        .iter()
        .filter(|e| matches!(e, Effect::Ask { question: Question::View(protocol::View::List), .. }))
        .count();
    assert_eq!(lists, 0);
    stage.tick(1);
    let lists = stage
        .effects
        .iter()
        .filter(|e| matches!(e, Effect::Ask { question: Question::View(protocol::View::List), .. }))
        .count();
    assert_eq!(lists, 1);
}

#[test]
fn the_checklist_is_gone_through_once_and_again_when_asked_for() {
    let mut stage = Stage::new(80, 24);
    stage.keys("7");
    let screen = stage.screen();
    assert!(screen.contains("READINESS 1 failed, 1 unknown"), "{screen}");
    assert!(screen.contains("Have it published with a command that asks nothing"), "{screen}");
    let first = stage_age(&screen);
    for _ in 0..5 {
        stage.tick(60);
    }
    assert_eq!(stage_age(&stage.screen()), first, "nothing is looked at again by itself");
    stage.keys("c");
    assert_ne!(stage_age(&stage.screen()), first);
    stage.keys("j j j");
    assert!(stage.screen().contains("Name a command or a file"), "{}", stage.screen());
    stage.keys("?");
    assert!(stage.screen().contains("c         check again"), "{}", stage.screen());
    stage.keys("Esc");
    stage.tick(60);
    let before = stage_age(&stage.screen());
    stage.keys(": 'check_again Enter");
    assert_ne!(stage_age(&stage.screen()), before, "the palette has it, too");
}

/// When the checklist was looked at, as its title says.
fn stage_age(screen: &str) -> String {
    let title = screen.lines().find(|l| l.contains("READINESS")).unwrap_or_default();
    title.split("checked ").nth(1).unwrap_or_else(|| panic!("{screen}")).trim().to_owned()
}
