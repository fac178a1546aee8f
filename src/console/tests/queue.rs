//! Runs that wait in the queue: how they look, how they come there, and the key that takes them out.

use super::fake::id;
use super::rules::{changes, on};
use super::stage::Stage;
use crate::decision::Verb;
use crate::executor::talk::protocol::Action;
use crate::executor::talk::view::QueuedDoc;
use crate::terms::{State, VerbKind};

/// `BP00013` waits in the queue behind another.
fn queued() -> Stage {
    let mut stage = on("BP00013");
    {
        let mut list = stage.fake.list.lock().unwrap();
        let at = list.polled_at.unwrap();
        let row = list.requests.iter_mut().find(|row| row.request_id == Some(id("BP00013"))).unwrap();
        row.state = State::Queued;
        row.why = "2 of 2, ola; BP00010 runs".into();
        row.queue_position = Some(2);
        row.queued = Some(QueuedDoc {
            verb: VerbKind::Run,
            by: "ola".into(),
            at,
            reason: Default::default(),
            overrides: Vec::new(),
            until: at + chrono::TimeDelta::hours(12),
        });
    }
    stage.keys("F5");
    stage.tick(2);
    stage
}

#[test]
fn a_run_in_the_queue_is_a_row_with_its_place_and_x_takes_it_out() {
    let mut stage = queued();
    let screen = stage.screen();
    assert!(screen.contains("queued"), "{screen}");
    assert!(screen.contains("2 of 2, ola; BP00010 runs"), "{screen}");
    stage.keys("x");
    let screen = stage.screen();
    assert!(screen.contains("STOP BP00013") && screen.contains("takes it out of the queue"), "{screen}");
    assert!(changes(&stage).is_empty());
    stage.keys("'wrong Enter y");
    let asked = changes(&stage);
    assert_eq!(asked[0].what, Action::Request(id("BP00013"), Verb::Stop));
    assert_eq!(asked[0].reason.as_ref().map(|reason| reason.as_str()), Some("wrong"));
}

#[test]
fn r_says_that_it_waits_while_another_package_runs_and_then_which_place_it_has() {
    let mut stage = queued();
    *stage.fake.queue.lock().unwrap() = 2;
    stage.keys("r");
    let screen = stage.screen();
    assert!(screen.contains("queues it: it runs, without notice, when what runs now"), "{screen}");
    stage.keys("y");
    let screen = stage.screen();
    assert!(screen.contains("run BP00013: queued, position 2"), "{screen}");
}
