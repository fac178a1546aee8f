//! What is offered to users: to whom it is not told from what is not there, and every gate of an operator's plain run.

use super::super::model::*;
use super::super::{judge, judge_install, judge_offers, leaving};
use super::scene::*;
use super::target::indexed;
use crate::clock::When;
use crate::site::index::JobState;
use crate::site::index::job::OfferTo;
use crate::site::indexed::Delivery;
use crate::site::instruction::RunWhen;
use crate::site::signed::Distrust;
use crate::terms::*;
use chrono::TimeDelta;

fn offered(change: impl FnOnce(&mut Delivery)) -> Scene {
    indexed(|delivery| {
        delivery.offer_to = Some(OfferTo::Users);
        change(delivery);
    })
}

fn install(scene: &Scene) -> Result<Decision, Refusal> {
    judge_install(&scene.inputs(), id(ID))
}

fn code(scene: &Scene) -> Option<RefusalCode> {
    install(scene).err().map(|refusal| refusal.code)
}

#[test]
fn what_is_offered_to_users_can_be_installed_by_them_and_is_listed() {
    let optional = offered(|_| {}).with(|s| s.request().mandatory_after = None);
    for scene in [offered(|_| {}), optional] {
        assert_eq!(install(&scene).unwrap().request_id, Some(id(ID)));
        assert_eq!(judge_offers(&scene.inputs(), &[id(ID), id(OTHER)]).len(), 1);
    }
}

#[test]
fn what_is_not_offered_answers_as_what_does_not_exist() {
    let scenes = [
        Scene::due(),
        indexed(|_| {}),
        offered(|d| d.job_id = "BP0000AC".parse().unwrap()),
        offered(|d| d.targets = vec!["@db".parse().unwrap()]),
        offered(|d| d.percent = 0),
        offered(|d| d.distrust = Some(Distrust::new(Code::PackageMismatch, "its exit_codes are others"))),
        offered(|_| {}).with(|s| s.request().offer_after = When::Instant(now() + TimeDelta::hours(1))),
    ];
    let absent = judge_install(&Scene::due().inputs(), id(OTHER)).unwrap_err();
    assert_eq!(absent.code, Refused::NoSuchRequest.into());
    for scene in scenes {
        let refusal = install(&scene).unwrap_err();
        let as_absent = absent.why.as_str().replace(OTHER, ID);
        assert_eq!(
            (refusal.code, refusal.why.as_str(), refusal.remedy.as_str()),
            (absent.code, as_absent.as_str(), absent.remedy.as_str())
        );
        assert!(judge_offers(&scene.inputs(), &[id(ID)]).is_empty());
    }
}

#[test]
fn every_gate_holds_for_users_as_for_an_operator_who_passes_none() {
    let scenes = [
        offered(|d| d.state = JobState::Cancelled),
        offered(|_| {}).with(|s| s.request().suspended = true),
        offered(|_| {}).with(|s| s.request().expire_after = Some(When::Instant(now()))),
        offered(|_| {}).with(|s| s.request().automated = false),
        offered(|_| {}).with(|s| s.held(now() + TimeDelta::hours(1))),
        offered(|_| {}).with(|s| s.windows(&["Sun 22:00-23:00"])),
        offered(|_| {}).with(|s| {
            s.request().run_when = RunWhen::NoUser;
            s.facts.users = Some(vec![user("anna")]);
        }),
        offered(|_| {}).with(|s| s.attempted(ID, vec![attempt(1, State::Failed)])),
        offered(|_| {}).with(|s| s.attempted(ID, vec![attempt(1, State::Succeeded)])),
        offered(|_| {}).with(|s| s.request().content_sha256 = Some(hash())),
    ];
    for scene in scenes {
        let operators = judge(&scene.inputs(), id(ID), &Verb::plain_run(), None).unwrap_err();
        assert_eq!(code(&scene), Some(operators.code), "{}", operators.why);
    }
}

#[test]
fn what_a_user_has_in_the_queue_goes_where_it_is_not_offered_any_more() {
    let queued = |offered| Queued {
        request: id(ID),
        rerun: false,
        overrides: Vec::new(),
        by: "anna".into(),
        reason: Default::default(),
        at: now() - TimeDelta::minutes(5),
        offered,
    };
    let left = |scene: Scene| {
        let left = leaving(&scene.inputs());
        left.into_iter().map(|(_, refusal)| refusal.code).next()
    };
    assert_eq!(left(offered(|_| {}).with(|s| s.history.queue.push(queued(true)))), None);
    let gone = left(indexed(|_| {}).with(|s| s.history.queue.push(queued(true))));
    assert_eq!(gone, Some(Refused::NoSuchRequest.into()));
    let operators = left(indexed(|_| {}).with(|s| s.history.queue.push(queued(false))));
    assert_eq!(operators, None, "an operator asked for that");
}
