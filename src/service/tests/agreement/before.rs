//! Directly before a launch the share is asked once more (SITE.md 5): what was published since the last poll counts, and a share
//! that does not answer holds nothing up for longer than one access to it may take.

use super::verifying::{AS_IT_IS, Stage, id, on_stage_of, plan_of};
use super::world::Shared;
use crate::executor::share::job::{ShareJob, ShareNews};
use crate::service::worker::Carrier;
use crate::site::index::JobState;
use crate::site::instruction::Entry;
use chrono::TimeDelta;
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

/// What the share has, and how it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    Active,
    Cancelled,
    Suspended,
    Nothing,
}

/// A share under an index, whose word changes.
struct Published {
    shared: Shared,
    says: Rc<Cell<Says>>,
    looks: Rc<Cell<usize>>,
}

impl Carrier for Published {
    fn give(&self, job: ShareJob, _: Duration) -> bool {
        self.looks.set(self.looks.get() + 1);
        let state = match self.says.get() {
            Says::Active => JobState::Active,
            Says::Cancelled => JobState::Cancelled,
            Says::Suspended => JobState::Suspended,
            Says::Nothing => return true,
        };
        let world = &self.shared.0;
        let mut look = world.look();
        let found = look.found.as_mut().unwrap();
        let mut index = world.plan.in_force();
        index.deliveries.get_mut(&id()).unwrap().state = state;
        if state != JobState::Active {
            found.file.serial += 1;
        }
        for entry in &mut found.file.requests {
            let Entry::Good(request) = entry else { continue };
            request.suspended = state == JobState::Suspended;
        }
        found.index = Some(index);
        world.lock().news.push_back((job, Ok(ShareNews::Looked(Box::new(look.into())))));
        true
    }
}

/// A job that is due in an hour, on a service that looked a minute before that; then the share says this. What the share was
/// asked until then.
fn a_minute_before(says: Says, act: impl FnOnce(&mut Stage, &dyn Fn() -> usize)) {
    let (word, looks) = (Rc::new(Cell::new(Says::Active)), Rc::new(Cell::new(0)));
    let published = |shared| -> Box<dyn Carrier> {
        Box::new(Published { shared, says: Rc::clone(&word), looks: Rc::clone(&looks) })
    };
    let mut plan = plan_of(1);
    plan.config.polling_interval = Duration::from_secs(86_400);
    on_stage_of(plan, published, |stage| {
        stage.pass(59);
        // At the start, and at this machine's own moment of the day.
        let before = looks.get();
        assert!(stage.launches() == 0 && before <= 2, "{before}");
        word.set(says);
        act(stage, &|| looks.get() - before);
    });
}

#[test]
fn what_is_published_since_the_last_poll_counts_before_a_launch() {
    a_minute_before(Says::Active, |stage, asked| {
        stage.pass(2);
        assert_eq!((stage.asked(), stage.launches()), (1, 0));
        assert!(asked() >= 1, "the share is asked when it is due");
        stage.answer(Ok(AS_IT_IS));
        stage.step();
        assert_eq!(stage.launches(), 1);
    });
    for says in [Says::Cancelled, Says::Suspended] {
        a_minute_before(says, |stage, asked| {
            stage.pass(2);
            if stage.asked() > 0 {
                stage.answer(Ok(AS_IT_IS));
            }
            stage.pass(60);
            assert_eq!(stage.launches(), 0, "{says:?}");
            assert!((1..=2).contains(&asked()), "{says:?}: {}", asked());
        });
    }
}

/// Nothing starts by what another rule believed: that is not left to a poll that comes tomorrow.
#[test]
fn what_is_in_force_is_judged_at_once_where_the_rule_of_the_configuration_changes() {
    a_minute_before(Says::Active, |stage, asked| {
        stage.config.borrow_mut().trust.package_ignore_windows = true;
        stage.world.lock().advance(Duration::from_secs(10));
        stage.step();
        assert_eq!(asked(), 1);
        stage.pass(2);
        stage.answer(Ok(AS_IT_IS));
        stage.step();
        assert_eq!(stage.launches(), 1);
    });
}

#[test]
fn a_share_that_was_just_asked_is_not_asked_again() {
    a_minute_before(Says::Active, |stage, asked| {
        stage.pass(1);
        let before = asked();
        stage.answer(Ok(AS_IT_IS));
        stage.world.lock().advance(Duration::from_secs(9));
        stage.step();
        assert_eq!((stage.launches(), asked()), (1, before));
    });
}

#[test]
fn a_share_that_hangs_holds_a_launch_up_for_one_access_and_what_was_in_force_counts() {
    a_minute_before(Says::Nothing, |stage, asked| {
        let due = stage.world.plan.from + TimeDelta::hours(1);
        stage.pass(1);
        if stage.asked() > 0 {
            stage.answer(Ok(AS_IT_IS));
        }
        let timeout = stage.world.plan.config.share.timeout;
        assert_eq!((stage.launches(), asked()), (0, 1), "it waits for the answer");
        for _ in 0..timeout.as_secs() + 2 {
            stage.world.lock().advance(Duration::from_secs(1));
            stage.step();
            if stage.asked() > 0 {
                stage.answer(Ok(AS_IT_IS));
            }
        }
        assert_eq!((stage.launches(), asked()), (1, 1));
        let (_, at) = stage.world.lock().launches[0];
        let waited = (at - due).to_std().unwrap();
        assert!(waited > timeout && waited <= timeout + Duration::from_secs(33), "{waited:?}");
    });
}
