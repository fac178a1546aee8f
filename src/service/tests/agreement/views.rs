//! Every view of the real service says the same of the next run of each request.

use super::verifying::{Stage, on_stage_of, plan_of};
use super::{Service, Wall};
use crate::decision::Replace;
use crate::decision::simulate::Assumptions;
use crate::executor::talk::protocol::{Action, Answer, Call, Change, View, Wanted};
use crate::site::ids::RequestId;
use crate::terms::Group;
use chrono::TimeDelta;
use std::time::Duration;

/// What all views say of one request: when it runs at the earliest, and at the latest.
pub struct Promise {
    pub request: RequestId,
    pub at: Option<Wall>,
    pub latest: Option<Wall>,
}

impl Promise {
    /// Whether a machine whose runs take their usual time or longer may do this.
    pub fn allows(&self, did: Option<Wall>, until: Wall) -> bool {
        let late = self.latest.map(|latest| latest + super::LATE);
        match (self.at, did) {
            (Some(at), Some(did)) => at <= did && late.is_none_or(|late| did <= late),
            (Some(_), None) => late.is_none_or(|late| late >= until),
            (None, did) => did.is_none_or(|did| did >= until),
        }
    }
}

/// Asks list, show, explain, simulate and status, and gives what all of them say.
pub fn promises(service: &mut Service, until: Wall) -> Vec<Promise> {
    let from = service.world.lock().wall;
    let Answer::List(list) = service.view(View::List) else { panic!("no list") };
    let wanted = Wanted { request: None, from, until, assume: Assumptions::usual() };
    let Answer::Simulate(simulated) = service.view(View::Simulate(wanted)) else { panic!("no simulation") };
    let mut promises = Vec::new();
    for row in list.requests.iter().filter(|row| row.group != Group::Rejected) {
        let Some(request) = row.request_id else { continue };
        let Answer::Explain(explained) = service.view(View::Explain(request)) else { panic!("no reasons") };
        let Answer::Show(shown) = service.view(View::Show(request)) else { panic!("nothing of it") };
        let listed = (row.next_run, row.latest);
        assert_eq!((explained.next_run, explained.latest), listed, "explain and list of {request}");
        assert_eq!((shown.request.next_run, shown.request.latest), listed, "show and list of {request}");
        assert_eq!(shown.request.why, row.why, "the words of {request}");
        let course = simulated.requests.iter().find(|course| course.request_id == Some(request)).unwrap();
        let in_time = row.next_run.filter(|at| *at < until);
        assert_eq!(
            (course.at, course.latest),
            (in_time, in_time.and(row.latest)),
            "simulate and list of {request}"
        );
        promises.push(Promise { request, at: row.next_run, latest: row.latest });
    }
    let Answer::Status(status) = service.view(View::Status) else { panic!("no status") };
    let next =
        promises.iter().filter(|promise| promise.request == status.next_request.unwrap_or(promise.request));
    assert_eq!(status.next_run, promises.iter().filter_map(|promise| promise.at).min(), "status and list");
    assert!(
        status.next_run.is_none() || next.map(|p| (p.at, p.latest)).eq([(status.next_run, status.latest)])
    );
    promises
}

/// What a console asks for together is of one instant, as long as that is true.
#[test]
fn views_that_are_asked_for_together_are_of_one_instant_and_never_of_one_before_a_change() {
    on_stage_of(
        plan_of(-1),
        |shared| Box::new(shared),
        |stage| {
            let status = |stage: &mut Stage| {
                let Ok(Ok(Answer::Status(status))) = stage.ask(Call::View(View::Status)).try_recv() else {
                    panic!("no document")
                };
                status
            };
            let wall = |stage: &Stage| stage.world.lock().wall;
            let later = |stage: &Stage| stage.world.lock().advance(Duration::from_millis(300));
            // It is due, and its content is being verified.
            stage.step();
            let first = status(stage);
            let at = wall(stage);
            assert_eq!(first.next_run, Some(at));
            later(stage);
            assert_eq!(status(stage).next_run, Some(at), "the same instant");
            later(stage);
            assert_eq!(status(stage).next_run, Some(wall(stage)), "the next one");
            later(stage);
            let until = wall(stage) + TimeDelta::hours(5);
            let hold = Action::Hold { until, replace: Replace::Nothing };
            let change = Change { what: hold, reason: Some("test".into()), dry_run: false, id: None };
            assert!(stage.ask(Call::Change(change)).try_recv().unwrap().is_ok());
            let held = status(stage);
            assert_eq!((held.next_run, held.held_until), (Some(until), Some(until)));
        },
    );
}
