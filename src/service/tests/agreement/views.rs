//! Every view of the real service says the same of the next run of each request.

use super::{Service, Wall};
use crate::decision::simulate::Assumptions;
use crate::executor::talk::protocol::{Answer, View, Wanted};
use crate::site::ids::RequestId;
use crate::terms::Group;

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
