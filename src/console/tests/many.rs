//! Marks, and actions on several requests: named before, told of one by one afterwards, never in part and silently.

use super::fake::{Fake, id};
use super::stage::Stage;
use crate::console::app::{View, enabled};
use crate::console::keymap::commands::Id;
use crate::decision::Verb;
use crate::error::{Exit, Failure};
use crate::executor::talk::protocol::{Action, Change};
use crate::terms::Gate;

fn changes(stage: &Stage) -> Vec<Change> {
    stage.fake.changes.lock().unwrap().clone()
}

/// Whether a row of the list is about this request.
fn listed(stage: &Stage, request: &str) -> bool {
    stage.screen().lines().any(|line| line.get(2..).is_some_and(|line| line.starts_with(request)))
}

/// The first five rows marked: running, waiting, deferred, offered, scheduled.
fn five() -> Stage {
    let mut stage = Stage::new(80, 40);
    stage.keys("Space Space Space Space Space");
    stage
}

#[test]
fn space_marks_and_goes_on_and_the_marks_are_seen() {
    let mut stage = five();
    let screen = stage.screen();
    assert!(screen.contains("5 marked (Esc drops)"), "{screen}");
    assert_eq!(screen.lines().filter(|line| line.as_bytes().get(1) == Some(&b'#')).count(), 5, "{screen}");
    stage.keys("*");
    assert!(!stage.app.marked.contains(&id("BP00010")) && stage.app.marked.contains(&id("BP00009")));
    stage.keys("Esc");
    assert!(stage.app.marked.is_empty());
}

#[test]
fn the_confirmation_names_each_and_what_the_core_says_of_it() {
    let mut stage = five();
    stage.keys("r");
    let screen = stage.screen();
    assert!(screen.contains("RUN 5 REQUESTS on BP004000 web-01"), "{screen}");
    assert!(screen.contains("3 of 5 requests; 2 refused"), "{screen}");
    for said in [
        "BP00010 OpenSSL fix              REFUSED: it has been attempted",
        "BP0000Y Acme Workstation 4.0     overrides window, users",
        "BP00011 Kernel (restarts)        overrides deferral",
        "BP00013 Agent 7                  as it stands",
        "BP00014 Fonts                    REFUSED: not offered before Wed 08:00",
        "1 of them RESTART THE MACHINE",
    ] {
        assert!(screen.contains(said), "{said}\n{screen}");
    }
}

#[test]
fn each_is_asked_with_what_holds_it_back_itself_and_each_answer_and_refusal_is_told() {
    let mut stage = five();
    stage.keys("r y");
    assert!(
        stage.screen().contains("tick each gate to override: window, users, deferral"),
        "{}",
        stage.screen()
    );
    stage.keys("k k k Space j Space j Space Tab 'because Enter y");
    let run = |request: &str, overrides: &[Gate]| Change {
        what: Action::Request(id(request), Verb::Run { overrides: overrides.to_vec(), no_queue: false }),
        reason: (!overrides.is_empty()).then(|| "because".into()),
        dry_run: false,
        id: None,
    };
    assert_eq!(
        changes(&stage),
        [
            run("BP0000Y", &[Gate::Window, Gate::Users]),
            run("BP00011", &[Gate::Deferral]),
            run("BP00013", &[])
        ]
    );
    let screen = stage.screen();
    assert!(screen.contains("run: 3 of 5 done, 2 refused"), "{screen}");
    assert!(screen.contains("BP00014  REFUSED  not offered before Wed 08:00"), "{screen}");
    assert!(screen.contains("BP00010  REFUSED  it has been attempted"), "{screen}");
    assert!(screen.contains("BP00013  done     run BP00013: attempt 1 is running"), "{screen}");
    // They are told of again on demand, and the marks are gone.
    stage.keys("q : 'results Enter");
    assert!(stage.screen().contains("3 of 5 done") && stage.app.marked.is_empty());
}

#[test]
fn those_that_wait_for_their_turn_are_told_apart_from_those_that_run() {
    let mut stage = five();
    *stage.fake.queue.lock().unwrap() = 1;
    stage.keys("r k k k Space j Space j Space Tab 'because Enter y");
    let screen = stage.screen();
    assert!(screen.contains("run: 0 of 5 done, 3 queued, 2 refused"), "{screen}");
    assert!(screen.contains("BP0000Y  queued   run BP0000Y: queued, position 1"), "{screen}");
    assert!(screen.contains("BP00013  queued   run BP00013: queued, position 3"), "{screen}");
}

#[test]
fn an_executor_that_fails_in_the_middle_is_told_for_each() {
    let mut stage = five();
    stage.keys("d '2h Enter 'release Enter");
    *stage.fake.broken.lock().unwrap() =
        Some(Failure::new(Exit::Failed, "gone", "the service went away", "Start it"));
    stage.keys("y");
    let screen = stage.screen();
    assert!(screen.contains("defer: 0 of 5 done, 5 refused"), "{screen}");
    assert!(screen.contains("BP0000Y  REFUSED  defer: the service went away [gone]"), "{screen}");
}

#[test]
fn where_the_core_refuses_all_of_them_y_does_nothing() {
    let mut stage = five();
    stage.keys("Esc G k k Space R y");
    stage.keys("Esc");
    let mut stage = Stage::new(80, 40);
    stage.keys("Space j Space R 'again Enter y");
    assert!(changes(&stage).is_empty());
    assert!(stage.screen().contains("refused for each of them"), "{}", stage.screen());
}

#[test]
fn many_are_named_by_what_is_said_of_them_and_none_is_left_out() {
    let fake = Fake::new();
    {
        let mut list = fake.list.lock().unwrap();
        let offered = list.requests[3].clone();
        list.requests = (0..40)
            .map(|n| {
                let mut row = offered.clone();
                row.request_id = Some(id(&format!("BP001{n:02}")));
                row
            })
            .collect();
    }
    let mut stage = Stage::with(80, 24, fake, false);
    stage.keys("* r");
    let screen = stage.screen();
    assert!(screen.contains("all 40 requests:"), "{screen}");
    for n in 0..40 {
        assert!(screen.contains(&format!("BP001{n:02}")), "{n}\n{screen}");
    }
    stage.keys("y");
    assert_eq!(changes(&stage).len(), 40);
}

#[test]
fn more_than_anyone_reads_is_refused_and_said() {
    let fake = Fake::new();
    {
        let mut list = fake.list.lock().unwrap();
        let offered = list.requests[3].clone();
        list.requests = (0..51)
            .map(|n| {
                let mut row = offered.clone();
                row.request_id = Some(id(&format!("BP001{n:02}")));
                row
            })
            .collect();
    }
    let mut stage = Stage::with(80, 24, fake, false);
    stage.keys("* r");
    assert!(stage.app.overlays.is_empty() && stage.screen().contains("more than 50 rows are marked"));
}

#[test]
fn a_marked_request_that_leaves_the_list_is_told_of_and_not_acted_on() {
    let mut stage = five();
    stage.fake.list.lock().unwrap().requests.remove(3);
    stage.tick(2);
    assert!(stage.screen().contains("1 row left the list and lost their marks"), "{}", stage.screen());
    assert!(!stage.app.marked.contains(&id("BP00013")));
}

#[test]
fn details_of_one_request_are_about_that_one_whatever_is_marked() {
    let mut stage = five();
    stage.keys("g j j j Enter r y");
    let run = Action::Request(id("BP00013"), Verb::Run { overrides: vec![], no_queue: false });
    assert_eq!(changes(&stage).iter().map(|change| &change.what).collect::<Vec<_>>(), [&run]);
}

#[test]
fn nothing_is_marked_into_action_where_nothing_may_be_changed() {
    let mut stage = Stage::with(80, 24, Fake::new(), true);
    stage.keys("Space Space r");
    assert!(stage.app.overlays.is_empty());
    assert!(enabled(&stage.app, Id::Run).unwrap_err().as_str().contains("--read-only"));
}

#[test]
fn order_filter_marks_and_selection_stay_when_the_list_is_read_anew() {
    let mut stage = Stage::new(80, 24);
    stage.keys("s / 'a Enter j j Space");
    let (before, marked) = (stage.app.subject(), stage.app.marked.clone());
    let rows =
        |stage: &Stage| stage.screen().lines().skip(2).take(8).map(|l| l[..9].to_owned()).collect::<Vec<_>>();
    let shown = rows(&stage);
    assert!(stage.screen().contains("1 marked, filter a by name"), "{}", stage.screen());
    stage.fake.list.lock().unwrap().requests.reverse();
    for _ in 0..5 {
        stage.tick(2);
    }
    assert_eq!((stage.app.subject(), &stage.app.marked), (before, &marked));
    assert_eq!(rows(&stage), shown);
}

#[test]
fn what_expired_or_failed_stays_in_sight_until_it_was_seen() {
    let mut stage = Stage::new(80, 24);
    assert!(listed(&stage, "BP00007"));
    while stage.app.subject() != Some(id("BP00007")) {
        stage.keys("j");
    }
    stage.keys("v");
    let told = |stage: &Stage| stage.fake.changes.lock().unwrap().last().map(|change| change.what.clone());
    assert_eq!(
        told(&stage),
        Some(Action::Seen(Some(id("BP00007")))),
        "it is the core that keeps it, for everybody"
    );
    stage.tick(5);
    let screen = stage.screen();
    assert!(
        !listed(&stage, "BP00007") && screen.contains("Failed 2") && listed(&stage, "BP00005"),
        "{screen}"
    );
    // It is in view 2, which says who has seen it.
    stage.keys("2 / 'BP00007 Enter");
    assert_eq!(enabled(&stage.app, Id::Seen).unwrap_err().as_str(), "ola has seen it");
    // A further failure is another one: the core says that nobody has seen it.
    stage.keys("Esc Esc 1");
    stage.fake.list.lock().unwrap().requests[6].seen = None;
    stage.tick(2);
    assert!(listed(&stage, "BP00007"), "{}", stage.screen());
    // What is pending cannot be put away.
    stage.keys("g");
    assert!(enabled(&stage.app, Id::Seen).is_err());
}

#[test]
fn from_a_run_to_the_log_at_its_start_and_back_to_where_one_was() {
    let mut stage = Stage::new(80, 24);
    while stage.app.subject() != Some(id("BP00010")) {
        stage.keys("j");
    }
    stage.keys("Enter l");
    assert_eq!(stage.app.view, View::Log);
    let chosen: Vec<_> = stage.app.log.chosen().iter().map(|line| line.text.to_string()).collect();
    assert_eq!(chosen, ["Executing command line: setup.sh --silent"]);
    stage.keys("Esc");
    assert_eq!((stage.app.view, stage.app.overlays.len()), (View::Overview, 1));
    assert!(stage.screen().contains("DETAILS BP00010"), "{}", stage.screen());
    // From the history too; and what never ran says so.
    stage.keys("6");
    stage.tick(3);
    stage.keys("j l Esc");
    assert_eq!(stage.app.view, View::History);
    stage.keys("1 g j l");
    assert!(stage.screen().contains("it has not run"), "{}", stage.screen());
}
